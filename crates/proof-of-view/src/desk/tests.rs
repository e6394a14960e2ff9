//! A village of four validators, one provider and some viewers on a virtual clock.

mod refusals;
mod votes;

use super::*;
use crate::{SettleError, Watch};
use chainflix_primitives::{
    BlockHash, BoxKey, Digest, DownloadKey, Grant, GrantId, GrantRequest, PlayAnswer, PlayOutcome, PlayRequest,
    ProtocolParams, ValidatorIdentity,
};
use std::net::IpAddr;

pub const START_MS: u64 = 1_800_000_000_000;
pub const SIZE: u64 = 300_000;

pub fn code() -> PlayCode {
    PlayCode {
        id: PlayId([1; 16]),
        account: AccountAddress([2; 20]),
        magnet: Magnet([3; 32]),
        cell_index: 0,
        cell: CellId([4; 32]),
        size: SIZE,
        grant: GrantId([5; 16]),
        constant: [6; 16],
        difficulty_bits: 8,
        issued_ms: START_MS,
        starts_ms: START_MS,
        play_ms: 60_000,
        creator: AccountAddress([7; 20]),
        supervisor: AccountAddress([8; 20]),
    }
}

pub fn key(n: u8) -> AccountKey {
    AccountKey::from_bytes(&[n; 32]).unwrap()
}

pub fn home() -> IpAddr {
    "198.51.100.7".parse().unwrap()
}

/// Three one-minute cells, registered and playable until `taken_down`.
pub struct Chain {
    pub taken_down: bool,
}

impl Catalogue for Chain {
    fn video(&self, magnet: &Magnet, cell_index: u32) -> Option<VideoFacts> {
        (*magnet == Magnet([3; 32])).then(|| VideoFacts {
            creator: AccountAddress([7; 20]),
            supervisor: AccountAddress([8; 20]),
            taken_down: self.taken_down,
            cell: (cell_index < 3).then_some((CellId([cell_index as u8; 32]), SIZE, 60_000)),
            secret: VideoSecret::from_bytes([9; 32]),
        })
    }
}

pub struct Village {
    pub now_ms: u64,
    pub genesis: Arc<NetworkGenesis>,
    pub desks: Vec<Desk>,
    pub ledger: LedgerState,
    pub chain: Chain,
    pub settlements: Vec<Settlement>,
    /// Whether a validator hears anything.
    pub deaf: Vec<bool>,
    secret: NetworkSecret,
    draws: u64,
    block: u32,
}

pub struct Playing {
    pub viewer: AccountKey,
    pub grant: Grant,
    pub code: PlayCode,
    pub key: DownloadKey,
}

impl Village {
    pub fn new() -> Self {
        Self::with(ProtocolParams { difficulty_bits: 8, ..Default::default() })
    }

    pub fn with(params: ProtocolParams) -> Self {
        let secret = NetworkSecret::from_bytes([10; 32]);
        let validators = (0..4u8)
            .map(|n| ValidatorIdentity { account: key(100 + n).address(), consensus_key: NodeId([n; 32]) })
            .collect();
        let genesis = Arc::new(NetworkGenesis {
            chain_id: 4_408_920,
            genesis_time_ms: START_MS,
            params,
            validators,
            network_box_key: secret.box_key().public_key(),
            governor: AccountAddress([0; 20]),
            supervisors: vec![],
            allocations: vec![],
        });
        let desk = |n: u8| Desk::new(genesis.clone(), key(100 + n), secret.clone()).unwrap();
        Self {
            now_ms: START_MS,
            desks: (0..4).map(desk).collect(),
            genesis,
            ledger: LedgerState::default(),
            chain: Chain { taken_down: false },
            settlements: vec![],
            deaf: vec![false; 4],
            secret,
            draws: 0,
            block: 0,
        }
    }

    pub fn entropy(&mut self) -> [u8; 32] {
        self.draws += 1;
        blake3::hash(&self.draws.to_le_bytes()).into()
    }

    /// Everything validators have to say reaches everybody who is not deaf.
    pub fn gossip(&mut self) {
        for from in 0..4 {
            while let Some(message) = self.desks[from].poll() {
                let bytes = message.encode();
                for to in (0..4).filter(|to| *to != from && !self.deaf[*to]) {
                    self.desks[to].hear(self.now_ms, ValidatorMessage::decode(&bytes).unwrap(), &self.ledger);
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

    fn make_block(&mut self) {
        self.block += 1;
        let leader = self.block as usize % 4;
        let payload = self.desks[leader].payload(self.now_ms, &self.ledger);
        let settled = payload.map(|payload| {
            let settlement = self.ledger.settle(&self.genesis, &payload, self.now_ms).unwrap();
            (payload, settlement)
        });
        for desk in &mut self.desks {
            desk.finalized(self.block);
            if let Some((payload, settlement)) = &settled {
                desk.settled(payload, settlement);
            }
        }
        if let Some((_, settlement)) = settled {
            self.ledger = settlement.next.clone();
            self.settlements.push(settlement);
        }
    }

    pub fn head(&self) -> (u32, BlockHash) {
        (self.block, BlockHash(blake3::hash(&self.block.to_le_bytes()).into()))
    }

    pub fn grant(&mut self, viewer: &AccountKey, cell_index: u32) -> Result<Grant, Refusal> {
        let request = GrantRequest {
            account: viewer.address(),
            magnet: Magnet([3; 32]),
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

    pub fn request(
        &mut self,
        viewer: &AccountKey,
        grant: &Grant,
        supersedes: Option<PlayId>,
    ) -> Result<PlayAnswer, Refusal> {
        self.request_from(viewer, grant, supersedes, home())
    }

    pub fn request_from(
        &mut self,
        viewer: &AccountKey,
        grant: &Grant,
        supersedes: Option<PlayId>,
        from: IpAddr,
    ) -> Result<PlayAnswer, Refusal> {
        let request = PlayRequest {
            account: viewer.address(),
            magnet: grant.magnet,
            cell_index: grant.cell_index,
            grant: grant.id,
            viewer_box_key: BoxKey::from_bytes([11; 32]).public_key(),
            supersedes,
            requested_ms: self.now_ms,
        };
        let entropy = self.entropy();
        let request = Signed::new(request, viewer);
        let answer = self.desks[1].play(self.now_ms, entropy, &request, from, &self.ledger, &self.chain)?;
        self.gossip();
        Ok(answer)
    }

    /// A viewer that was granted, asked, and got its PlayCode.
    pub fn start(&mut self, viewer: u8, cell_index: u32) -> Playing {
        let viewer = key(viewer);
        let grant = self.grant(&viewer, cell_index).unwrap();
        let answer = self.request(&viewer, &grant, None).unwrap();
        let PlayOutcome::Mining(code) = answer.outcome else { panic!("unpaid: {:?}", answer.outcome) };
        let key = self.secret.download_key(&viewer.address(), &grant.cell);
        assert_eq!(
            BoxKey::from_bytes([11; 32]).unseal(&grant.viewer_key).unwrap(),
            *key.expose(),
            "the grant carries the viewer's key"
        );
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
        let answer = self.desks[2].receipt(Signed::new(receipt, signer));
        self.gossip();
        answer
    }

    /// Watches the cell for its minute and makes the proof.
    pub fn watch(&mut self, playing: &Playing) -> PlayData {
        let mut watch = Watch::new(playing.code.clone(), &self.genesis.params);
        let lead_ms = playing.code.starts_ms.saturating_sub(self.now_ms);
        self.pass(lead_ms);
        for second in 1..=60 {
            self.pass(1_000);
            if let Some(due) = watch.advance(second * 1_000, self.head()) {
                let length = (SIZE - due.offset()).min(chainflix_primitives::CHUNK_BYTES);
                watch.fold(due.index, &vec![due.chunk as u8; length as usize]).unwrap();
            }
        }
        let nonce = watch.search_nonce(0, 1 << 20).unwrap().unwrap();
        let slot = self.genesis.params.slot_at(START_MS, self.now_ms);
        watch.play_data(slot, &playing.key, nonce).unwrap()
    }

    pub fn prove(&mut self, playing: &Playing, data: PlayData) -> Result<(), Refusal> {
        self.prove_as(&playing.viewer, data)
    }

    pub fn prove_as(&mut self, signer: &AccountKey, data: PlayData) -> Result<(), Refusal> {
        let answer = self.desks[3].prove(self.now_ms, Signed::new(data, signer), &self.ledger);
        self.gossip();
        answer
    }
}
