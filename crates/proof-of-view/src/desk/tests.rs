//! A village of four validators, one provider and some viewers on a virtual clock.

mod audits;
mod disputes;
mod issuers;
mod model;
mod refusals;
mod restarts;
mod votes;

use super::*;
use crate::{BlockPlace, SettleError, SharedKeys, Watch, dispute::Verdict};
use chainflix_cell::{ChunkHashes, Keystream};
use chainflix_primitives::{
    AuditParams, BlockHash, BoxKey, CHUNK_BYTES, CellId, Digest, Grant, GrantId, GrantRequest, HeldPayParams, Magnet,
    NetworkKeys, NetworkSecret, OpenedChunk, Opening, PlayAnswer, PlayCode, PlayData, PlayOutcome, PlayRequest,
    ProtocolParams, RewardSplit, SealedKey, ValidatorIdentity, VideoSecret, ViewerSecret,
};
use chainflix_token::Credit;
use std::{collections::HashMap, net::IpAddr, sync::LazyLock};

pub const START_MS: u64 = 1_800_000_000_000;
pub const SIZE: u64 = 300_000;
pub const FILM: Magnet = Magnet([3; 32]);
pub const CREATOR: AccountAddress = AccountAddress([7; 20]);
const SECRET: NetworkSecret = NetworkSecret::from_bytes([10; 32]);

/// The sealed cells of the film.
static CELLS: LazyLock<Vec<(Vec<u8>, ChunkHashes)>> = LazyLock::new(|| {
    let cell = |index: usize| {
        let sealed: Vec<u8> = (0..SIZE as usize).map(|i| (((i + index) * 31) >> 3) as u8).collect();
        let hashes = ChunkHashes::of(&sealed);
        (sealed, hashes)
    };
    (0..6).map(cell).collect()
});

pub fn code() -> PlayCode {
    PlayCode {
        id: PlayId([1; 16]),
        account: AccountAddress([2; 20]),
        magnet: FILM,
        cell_index: 0,
        cell: CellId([4; 32]),
        size: SIZE,
        grant: GrantId([5; 16]),
        download_key: [9; 16],
        constant: [6; 16],
        difficulty_bits: 8,
        issued_ms: START_MS,
        starts_ms: START_MS,
        play_ms: 60_000,
        creator: CREATOR,
        supervisor: AccountAddress([8; 20]),
        split: RewardSplit::DEFAULT,
        activators: vec![],
    }
}

pub fn key(n: u8) -> AccountKey {
    AccountKey::from_bytes(&[n; 32]).unwrap()
}

pub fn home() -> IpAddr {
    "198.51.100.7".parse().unwrap()
}

pub fn block_hash(number: u32) -> BlockHash {
    BlockHash(blake3::hash(&number.to_le_bytes()).into())
}

/// One-minute cells, registered and playable until `taken_down`, and what else the chain says.
#[derive(Clone, Default)]
pub struct Chain {
    pub taken_down: bool,
    pub standings: HashMap<AccountAddress, u16>,
    pub operation: Vec<AccountAddress>,
    /// Layers of the film and their makers.
    pub layers: HashMap<Magnet, AccountAddress>,
    pub head: u32,
}

impl Catalogue for Chain {
    fn video(&self, magnet: &Magnet, cell_index: u32) -> Option<VideoFacts> {
        let secret = VideoSecret::from_bytes([9; 32]);
        (*magnet == FILM).then(|| VideoFacts {
            creator: CREATOR,
            supervisor: AccountAddress([8; 20]),
            taken_down: self.taken_down,
            cell: CELLS.get(cell_index as usize).map(|(_, hashes)| (hashes.root(), SIZE, 60_000)),
            sealed_secret: SECRET.box_key().public_key().seal(secret.expose(), [1; 32]),
            split: RewardSplit::DEFAULT,
        })
    }

    fn activator(&self, video: &Magnet, layer: &Magnet) -> Option<AccountAddress> {
        self.layers.get(layer).filter(|_| *video == FILM).copied()
    }

    fn is_activator(&self, _video: &Magnet, account: &AccountAddress) -> bool {
        self.layers.values().any(|maker| maker == account)
    }

    fn operation(&self) -> Vec<AccountAddress> {
        self.operation.clone()
    }

    fn standing(&self, account: &AccountAddress) -> u16 {
        self.standings.get(account).copied().unwrap_or_default()
    }

    fn block_hash(&self, number: u32) -> Option<BlockHash> {
        (number <= self.head).then(|| block_hash(number))
    }
}

pub struct Village {
    pub now_ms: u64,
    pub genesis: Arc<NetworkGenesis>,
    pub desks: Vec<Desk>,
    pub ledger: LedgerState,
    pub chain: Chain,
    pub made: Vec<MadeBlock>,
    pub awarded: Vec<AwardedBlock>,
    pub credits: Vec<Credit>,
    /// Whether a validator hears anything.
    pub deaf: Vec<bool>,
    /// What answers audits of the plays that were watched.
    pub openings: HashMap<PlayId, Signed<Opening>>,
    draws: u64,
    block: u32,
}

pub struct Playing {
    pub viewer: AccountKey,
    pub grant: Grant,
    pub code: PlayCode,
    pub key: DownloadKey,
}

impl Playing {
    /// A chunk of the cell, sealed and as delivered to this viewer.
    pub fn chunk(&self, index: u32) -> (OpenedChunk, Vec<u8>) {
        let (sealed, hashes) = &CELLS[self.code.cell_index as usize];
        let start = u64::from(index) * CHUNK_BYTES;
        let sealed = &sealed[start as usize..(start + CHUNK_BYTES).min(SIZE) as usize];
        let mut delivered = sealed.to_vec();
        Keystream::delivery(&self.key).apply(start, &mut delivered);
        (OpenedChunk { sealed: sealed.to_vec(), path: hashes.path(index).unwrap() }, delivered)
    }
}

/// A play under way, with the chunks that it folded.
pub struct Watching {
    pub watch: Watch,
    chunks: Vec<OpenedChunk>,
}

impl Village {
    pub fn new() -> Self {
        Self::with(ProtocolParams::default())
    }

    /// A village that audits nothing and holds nothing back, with easy nonces.
    pub fn with(params: ProtocolParams) -> Self {
        let audit = AuditParams { share_permille: 0, ..params.audit };
        let held_pay = HeldPayParams { quarter_permille: [0; 3], ..params.held_pay };
        Self::audited(ProtocolParams { audit, held_pay, ..params })
    }

    pub fn audited(params: ProtocolParams) -> Self {
        Self::of(params, 4)
    }

    /// A village of so many validators, at most four.
    pub fn of(params: ProtocolParams, validators: u8) -> Self {
        let validators = (0..validators)
            .map(|n| ValidatorIdentity { account: key(100 + n).address(), consensus_key: NodeId([n; 32]) })
            .collect();
        let genesis = Arc::new(NetworkGenesis {
            chain_id: 4_408_920,
            genesis_time_ms: START_MS,
            params: ProtocolParams { difficulty_bits: params.difficulty_bits.min(8), ..params },
            validators,
            keys: NetworkKeys::Shared { box_key: SECRET.box_key().public_key() },
            governor: AccountAddress([0; 20]),
            supervisors: vec![],
            allocations: vec![],
        });
        let desk = |n: u8| Desk::new(genesis.clone(), key(100 + n), Box::new(SharedKeys::new(SECRET))).unwrap();
        Self {
            now_ms: START_MS,
            desks: (0..genesis.validators.len() as u8).map(desk).collect(),
            genesis,
            ledger: LedgerState::default(),
            chain: Chain::default(),
            made: vec![],
            awarded: vec![],
            credits: vec![],
            deaf: vec![false; 4],
            openings: HashMap::new(),
            draws: 0,
            block: 0,
        }
    }

    pub fn entropy(&mut self) -> [u8; 32] {
        self.draws += 1;
        blake3::hash(&self.draws.to_le_bytes()).into()
    }

    /// What each validator has to say.
    pub fn said(&mut self) -> Vec<(usize, ValidatorMessage)> {
        let desks = self.desks.iter_mut().enumerate();
        desks.flat_map(|(from, desk)| std::iter::from_fn(move || desk.poll().map(|message| (from, message)))).collect()
    }

    /// One validator hears what another one said.
    pub fn hear(&mut self, to: usize, from: usize, message: &ValidatorMessage) {
        let message = ValidatorMessage::decode(&message.encode()).unwrap();
        let from = self.genesis.validators[from].account;
        self.desks[to].hear(self.now_ms, &from, message, &self.ledger, &self.chain);
    }

    /// Everything validators have to say reaches everybody who is not deaf.
    pub fn gossip(&mut self) {
        for (from, message) in self.said() {
            for to in (0..self.desks.len()).filter(|to| *to != from) {
                if !self.deaf[to] {
                    self.hear(to, from, &message);
                }
            }
        }
    }

    /// Lets time pass in steps of 200 ms: desks tick, blocks come every two seconds and carry what is ready.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while self.now_ms < until {
            self.now_ms = until.min(self.now_ms + 200);
            for desk in &mut self.desks {
                desk.tick(self.now_ms, &self.ledger, &self.chain);
            }
            self.gossip();
            if (self.now_ms - START_MS) / 2_000 > u64::from(self.block) {
                self.make_block();
            }
        }
    }

    pub fn make_block(&mut self) {
        self.block += 1;
        self.chain.head = self.block;
        let leader = self.block as usize % self.desks.len();
        let payload = self.desks[leader].payload(self.now_ms, &self.ledger);
        let place = BlockPlace {
            height: self.block.into(),
            parent: block_hash(self.block - 1),
            time_ms: self.now_ms,
            moves: Default::default(),
        };
        let settlement = self.ledger.advance(&self.genesis, &place, payload.as_ref()).unwrap();
        for desk in &mut self.desks {
            desk.finalized(self.now_ms, self.block);
            desk.settled(payload.as_deref(), &settlement);
        }
        self.ledger = settlement.next.clone();
        self.made.extend(settlement.made);
        self.awarded.extend(settlement.awarded);
        self.credits.extend(settlement.credits);
    }

    pub fn head(&self) -> (u32, BlockHash) {
        (self.block, block_hash(self.block))
    }

    /// What an account was paid so far, in gwei.
    pub fn paid(&self, account: &AccountAddress) -> u64 {
        self.credits.iter().filter(|credit| credit.account == *account).map(|credit| credit.gwei).sum()
    }

    pub fn statuses(&self, play: &PlayId) -> Vec<Option<PlayStatus>> {
        self.desks.iter().map(|desk| desk.status(play)).collect()
    }

    pub fn slot(&self) -> u64 {
        self.genesis.params.slot_at(START_MS, self.now_ms)
    }

    pub fn grant(&mut self, viewer: &AccountKey, cell_index: u32) -> Result<Grant, Refusal> {
        let request = GrantRequest {
            account: viewer.address(),
            magnet: FILM,
            cell_index,
            from_byte: 0,
            viewer_box_key: BoxKey::from_bytes([11; 32]).public_key(),
            excluded: vec![],
            requested_ms: self.now_ms,
        };
        self.grant_as(Signed::new(request, viewer))
    }

    pub fn grant_as(&mut self, request: Signed<GrantRequest>) -> Result<Grant, Refusal> {
        let provider = key(50);
        let source = Source {
            provider: provider.address(),
            node: NodeId([50; 32]),
            box_key: BoxKey::from_bytes([12; 32]).public_key(),
        };
        let (entropy, (_, seed)) = (self.entropy(), self.head());
        let grant = self.desks[0].grant(self.now_ms, entropy, &request, &[source], &seed, &self.chain)?;
        self.gossip();
        Ok(grant.body)
    }

    /// A viewer's request to play what it was granted.
    pub fn play_request(&self, viewer: &AccountKey, grant: &Grant) -> PlayRequest {
        PlayRequest {
            account: viewer.address(),
            magnet: grant.magnet,
            cell_index: grant.cell_index,
            grant: grant.id,
            supersedes: None,
            layers: vec![],
            requested_ms: self.now_ms,
        }
    }

    pub fn request(
        &mut self,
        viewer: &AccountKey,
        grant: &Grant,
        supersedes: Option<PlayId>,
    ) -> Result<PlayAnswer, Refusal> {
        let request = PlayRequest { supersedes, ..self.play_request(viewer, grant) };
        self.request_from(Signed::new(request, viewer), home())
    }

    pub fn request_from(&mut self, request: Signed<PlayRequest>, from: IpAddr) -> Result<PlayAnswer, Refusal> {
        let answer = self.request_of(1, request, from)?;
        self.gossip();
        Ok(answer)
    }

    /// Asks one validator, and nobody hears of it yet.
    pub fn request_of(
        &mut self,
        validator: usize,
        request: Signed<PlayRequest>,
        from: IpAddr,
    ) -> Result<PlayAnswer, Refusal> {
        let entropy = self.entropy();
        self.desks[validator].play(self.now_ms, entropy, &request, from, &self.ledger, &self.chain)
    }

    /// A viewer that was granted, asked, and got its PlayCode.
    pub fn start(&mut self, viewer: u8, cell_index: u32) -> Playing {
        self.start_from(viewer, cell_index, home())
    }

    pub fn start_from(&mut self, viewer: u8, cell_index: u32, from: IpAddr) -> Playing {
        let viewer = key(viewer);
        let grant = self.grant(&viewer, cell_index).unwrap();
        let request = Signed::new(self.play_request(&viewer, &grant), &viewer);
        let answer = self.request_from(request, from).unwrap();
        let playing = self.playing(viewer, grant, answer);
        let secret = BoxKey::from_bytes([11; 32]).unseal(&playing.grant.viewer_secret).unwrap();
        assert_eq!(ViewerSecret::from_bytes(secret).download_key(), playing.key, "the grant carries the viewer's key");
        playing
    }

    pub fn playing(&self, viewer: AccountKey, grant: Grant, answer: PlayAnswer) -> Playing {
        let PlayOutcome::Mining(code) = answer.outcome else { panic!("unpaid: {:?}", answer.outcome) };
        let key = SECRET.view_key(&viewer.address(), &grant.magnet).download_key(&grant.cell);
        Playing { viewer, grant, code: code.body, key }
    }

    pub fn receipts(&mut self, playing: &Playing) {
        self.receipt(playing, &playing.viewer.clone(), Digest([13; 32])).unwrap();
        self.receipt(playing, &key(50), Digest([13; 32])).unwrap();
    }

    pub fn receipt(&mut self, playing: &Playing, signer: &AccountKey, delivered_hash: Digest) -> Result<(), Refusal> {
        let grant = &playing.grant;
        let receipt = Receipt {
            grant: grant.id,
            viewer: grant.viewer,
            provider: grant.provider,
            cell: grant.cell,
            start: 0,
            end: SIZE,
            delivered_hash,
        };
        let answer = self.desks[2].receipt(self.now_ms, Signed::new(receipt, signer));
        self.gossip();
        answer
    }

    /// Watches the cell for its minute and makes the proof.
    pub fn watch(&mut self, playing: &Playing) -> PlayData {
        let mut watching = self.begin(playing);
        let lead_ms = playing.code.starts_ms.saturating_sub(self.now_ms);
        self.pass(lead_ms);
        self.advance(playing, &mut watching, 0, 60_000);
        self.finish(playing, watching)
    }

    pub fn begin(&self, playing: &Playing) -> Watching {
        Watching { watch: Watch::new(playing.code.clone(), &self.genesis.params), chunks: vec![] }
    }

    /// Plays from one position to another in real time.
    pub fn advance(&mut self, playing: &Playing, watching: &mut Watching, from_ms: u64, upto_ms: u64) {
        let mut position_ms = from_ms;
        while position_ms < upto_ms {
            position_ms += 1_000;
            self.pass(1_000);
            self.fold(playing, watching, position_ms);
        }
    }

    /// Folds the points up to a position.
    pub fn fold(&self, playing: &Playing, watching: &mut Watching, position_ms: u64) {
        while let Some(due) = watching.watch.advance(position_ms, self.head()) {
            let (opened, delivered) = playing.chunk(due.chunk);
            watching.watch.fold(due.index, &delivered).unwrap();
            watching.chunks.push(opened);
        }
    }

    /// Makes the proof of a play that was watched, and keeps what opens it.
    pub fn finish(&mut self, playing: &Playing, watching: Watching) -> PlayData {
        let nonce = watching.watch.search_nonce(0, 1 << 20).unwrap().unwrap();
        let data = watching.watch.play_data(self.slot(), &playing.key, nonce).unwrap();
        let download_key = *playing.key.expose();
        let opening = Opening { play: playing.code.id, download_key, chunks: watching.chunks };
        self.openings.insert(playing.code.id, Signed::new(opening, &playing.viewer));
        data
    }

    pub fn prove(&mut self, playing: &Playing, data: PlayData) -> Result<(), Refusal> {
        self.prove_as(&playing.viewer, data)
    }

    pub fn prove_as(&mut self, signer: &AccountKey, data: PlayData) -> Result<(), Refusal> {
        let answer = self.prove_at(3, Signed::new(data, signer));
        self.gossip();
        answer
    }

    /// Brings a proof to one validator, and nobody hears of it yet.
    pub fn prove_at(&mut self, validator: usize, proof: Signed<PlayData>) -> Result<(), Refusal> {
        self.desks[validator].prove(self.now_ms, proof, &self.ledger, &self.chain)
    }

    /// A minute of one viewer, watched and proved.
    pub fn view(&mut self, viewer: u8, cell_index: u32) -> Playing {
        let playing = self.start(viewer, cell_index);
        self.receipts(&playing);
        let data = self.watch(&playing);
        self.prove(&playing, data).unwrap();
        playing
    }

    /// Hands the opening of a play to one validator.
    pub fn open(&mut self, validator: usize, opening: Signed<Opening>) -> Result<(), Refusal> {
        let answer = self.desks[validator].open(self.now_ms, opening, &self.ledger, &self.chain);
        self.gossip();
        answer
    }
}
