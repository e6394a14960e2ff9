//! A chain of blocks in memory: four validators, plays that are nothing but their names.

mod audits;
mod held;
mod model;
mod providers;
mod slots;
mod weights;

use super::*;
use chainflix_primitives::{
    AccountAddress, AccountKey, AuditParams, AuditPayload, AuditVote, BoxPublicKey, CellId, Digest, GrantId,
    HeldPayParams, Magnet, NetworkGenesis, NetworkKeys, NodeId, PlayCode, PlayData, PlayFactors, PlayId, PlayRecord,
    ProtocolParams, ProviderShare, Signable as _, Signature, Signed, SlotPayload, SlotProposal, SlotVote,
    ValidatorIdentity, ViewPayload, VoteEntry,
};
use std::sync::Arc;

const REWARD: u64 = 90_000_000_000;
const MINUTE_MS: u64 = 60_000;
/// Bytes of a cell: enough for full weight.
const SIZE: u64 = 1 << 24;

pub(crate) fn key(validator: usize) -> AccountKey {
    AccountKey::from_bytes(&[validator as u8 + 100; 32]).unwrap()
}

pub(crate) fn account(n: u8) -> AccountAddress {
    AccountAddress([n; 20])
}

/// Params under which audits draw nobody, or everybody, and no pay is held back.
fn audited(share_permille: u16) -> ProtocolParams {
    let held_pay = HeldPayParams { quarter_permille: [0; 3], ..Default::default() };
    ProtocolParams { audit: AuditParams { share_permille, ..Default::default() }, held_pay, ..Default::default() }
}

pub(crate) fn genesis(params: ProtocolParams, validators: usize) -> NetworkGenesis {
    let validator = |n: usize| ValidatorIdentity { account: key(n).address(), consensus_key: NodeId([n as u8; 32]) };
    NetworkGenesis {
        chain_id: 1,
        genesis_time_ms: 0,
        params,
        validators: (0..validators).map(validator).collect(),
        keys: NetworkKeys::Shared { box_key: BoxPublicKey([0; 32]) },
        governor: account(0),
        supervisors: vec![],
        allocations: vec![],
    }
}

/// A play of a whole minute by `viewer`, of cell `cell` of a video of `creator`, that ended in `slot`. The ledger looks at
/// no signature of a play: votes speak for it.
pub(crate) fn play(name: u32, viewer: u8, creator: u8, cell: u32, slot: u64) -> PlayRecord {
    let id = PlayId(std::array::from_fn(|byte| name.to_be_bytes()[byte % 4]));
    let unsigned = Signature([0; 65]);
    let code = PlayCode {
        id,
        account: account(viewer),
        magnet: Magnet([creator; 32]),
        cell_index: cell,
        cell: CellId([2; 32]),
        size: SIZE,
        grant: GrantId([3; 16]),
        download_key: [0; 16],
        constant: [4; 16],
        difficulty_bits: 0,
        issued_ms: 0,
        starts_ms: 0,
        play_ms: MINUTE_MS,
        creator: account(creator),
        supervisor: account(251),
        split: ProtocolParams::default().split,
        activators: vec![],
    };
    let data =
        PlayData { play: id, slot, download_key: [0; 16], hash: Digest([0; 32]), point_blocks: vec![], nonce: 0 };
    PlayRecord {
        code: Signed { body: code, signature: unsigned },
        data: Signed { body: data, signature: unsigned },
        providers: vec![ProviderShare { provider: account(253), bytes: SIZE }],
        factors: PlayFactors { standing_permille: 1000, network_permille: 1000 },
        issuer: 0,
    }
}

/// The blocks of a network, one after the other.
#[derive(Clone)]
struct Blocks {
    genesis: NetworkGenesis,
    state: LedgerState,
    height: u64,
    time_ms: u64,
    /// What the registry says before the next block.
    moves: Arc<[ProviderMove]>,
}

impl Blocks {
    fn new(params: ProtocolParams) -> Self {
        Self::with(params, 4)
    }

    fn with(params: ProtocolParams, validators: usize) -> Self {
        Self {
            genesis: genesis(params, validators),
            state: LedgerState::default(),
            height: 0,
            time_ms: 1 << 40,
            moves: Arc::default(),
        }
    }

    /// Signs a list and the votes on it; `None` is a validator that did not vote.
    fn slot(&self, slot: u64, mut plays: Vec<PlayRecord>, votes: &[Option<Vec<bool>>]) -> SlotPayload {
        plays.sort_by_key(|record| record.code.body.id);
        let proposal = SlotProposal { slot, attempt: 0, plays, operation: vec![account(252)] };
        let digest = proposal.digest();
        let entry = |(validator, held): (usize, &Option<Vec<bool>>)| {
            let vote = Signed::new(SlotVote::new(slot, Digest(digest), held.as_ref()?), &key(validator));
            let (validator, held_true) = (validator as u16, vote.body.held_true);
            Some(VoteEntry { validator, held_true, signature: vote.signature })
        };
        let votes = votes.iter().enumerate().filter_map(entry).collect();
        let proposer = proposer(&self.genesis, slot, 0);
        SlotPayload { proposer_signature: key(proposer).sign_digest(&digest), proposal, votes }
    }

    /// A list that all validators hold true.
    fn agreed(&self, slot: u64, plays: Vec<PlayRecord>) -> Arc<ViewPayload> {
        let votes = vec![Some(vec![true; plays.len()]); self.genesis.validators.len()];
        listed(self.slot(slot, plays, &votes))
    }

    /// Votes on the open audit of `view_block`; `None` is a validator that did not vote.
    fn audit(&self, view_block: u64, votes: &[Option<Vec<bool>>]) -> AuditPayload {
        let drawn = self.state.pending_block(view_block).map_or(Digest([0; 32]), PendingBlock::drawn_digest);
        let entry = |(validator, passed): (usize, &Option<Vec<bool>>)| {
            let vote = Signed::new(AuditVote::new(view_block, drawn, passed.as_ref()?), &key(validator));
            let (validator, held_true) = (validator as u16, vote.body.passed);
            Some(VoteEntry { validator, held_true, signature: vote.signature })
        };
        AuditPayload { view_block, votes: votes.iter().enumerate().filter_map(entry).collect() }
    }

    fn next_place(&self) -> BlockPlace {
        let height = self.height + 1;
        let parent = BlockHash(blake3::hash(&self.height.to_le_bytes()).into());
        BlockPlace { height, parent, time_ms: self.time_ms + 2_000, moves: self.moves.clone() }
    }

    /// What a block would do.
    fn try_step(&self, payload: Option<&Arc<ViewPayload>>) -> Result<Settlement, SettleError> {
        self.state.advance(&self.genesis, &self.next_place(), payload)
    }

    /// Makes a block.
    fn step(&mut self, payload: Option<&Arc<ViewPayload>>) -> Settlement {
        let settlement = self.try_step(payload).unwrap();
        let BlockPlace { height, time_ms, .. } = self.next_place();
        (self.height, self.time_ms, self.state) = (height, time_ms, settlement.next.clone());
        settlement
    }

    fn idle(&mut self) -> Settlement {
        self.step(None)
    }
}

fn listed(slot: SlotPayload) -> Arc<ViewPayload> {
    Arc::new(ViewPayload { slot: Some(slot), audits: vec![] })
}

fn audits(audits: Vec<AuditPayload>) -> Arc<ViewPayload> {
    Arc::new(ViewPayload { slot: None, audits })
}

fn all(passed: bool, count: usize) -> Vec<Option<Vec<bool>>> {
    vec![Some(vec![passed]); count]
}

fn sum(credits: &[chainflix_token::Credit]) -> u64 {
    credits.iter().map(|credit| credit.gwei).sum()
}

/// What a store would keep of a state.
fn parts(state: &LedgerState) -> LedgerParts {
    let restored = |block: &PendingBlock| {
        let weights: Vec<_> = block.plays().iter().map(|play| (play.index, play.weight)).collect();
        let payload = ViewPayload { slot: Some(block.slot().clone()), audits: vec![] };
        PendingBlock::restore(block.head().clone(), Arc::new(payload), &weights).unwrap()
    };
    LedgerParts {
        head: state.head.clone(),
        mined: state.mined.iter().copied().collect(),
        standings: state.standings.iter().map(|(account, standing)| (*account, *standing)).collect(),
        providers: state.providers.iter().map(|(account, record)| (*account, *record)).collect(),
        held: state.held.iter().map(|(account, held)| (*account, *held)).collect(),
        creator_times: state.creator_times.iter().map(|(pair, ms)| (*pair, *ms)).collect(),
        pending: state.pending().map(restored).collect(),
        vesting: state.vesting().map(|(view_block, credits)| (view_block, credits.to_vec())).collect(),
    }
}
