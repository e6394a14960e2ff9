//! A small network's genesis, keys and votes, for tests.

use crate::{
    block::Block,
    committee::{Committee, ConsensusKey},
};
use chainflix_chain::{
    genesis::{EthereumGenesis, GAS_LIMIT, Genesis, Predeploy},
    ledger::Preview,
};
use chainflix_contracts::predeploys;
use chainflix_primitives::{
    AccountAddress, AccountKey, AuditParams, AuditPayload, AuditVote, BoxKey, CellId, Digest, GrantId, HeldPayParams,
    Magnet, NetworkGenesis, NetworkKeys, PlayCode, PlayData, PlayFactors, PlayId, PlayRecord, ProtocolParams,
    ProviderShare, Signable as _, Signed, SlotPayload, SlotProposal, SlotVote, ValidatorIdentity, ViewPayload,
    VoteEntry, genesis::Allocation,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Slots short enough for a test to see some.
pub const SLOT_MS: u64 = 1_000;

pub fn consensus_key(validator: usize) -> ConsensusKey {
    ConsensusKey::from_seed([validator as u8 + 1; 32])
}

pub fn account_key(validator: usize) -> AccountKey {
    AccountKey::from_bytes(&[validator as u8 + 1; 32]).unwrap()
}

/// Somebody with coins, who also watches.
pub fn user() -> AccountKey {
    AccountKey::from_bytes(&[200; 32]).unwrap()
}

/// Who serves every play, with coins for its transactions.
pub fn store() -> AccountKey {
    AccountKey::from_bytes(&[201; 32]).unwrap()
}

pub fn genesis(validators: usize, block_ms: u64) -> NetworkGenesis {
    let validator = |number| ValidatorIdentity {
        account: account_key(number).address(),
        consensus_key: consensus_key(number).public(),
    };
    NetworkGenesis {
        chain_id: 4_408_921,
        genesis_time_ms: 1_700_000_000_000,
        // Half of the plays are audited, so that view blocks of both kinds come soon. Each is a period, and two of them are
        // service enough to leave with what is held back.
        params: ProtocolParams {
            block_ms,
            slot_ms: SLOT_MS,
            period_view_blocks: 1,
            audit: AuditParams { share_permille: 500, ..AuditParams::default() },
            held_pay: HeldPayParams { leave_periods: 2, ..HeldPayParams::default() },
            ..ProtocolParams::accelerated(20)
        },
        validators: (0..validators).map(validator).collect(),
        keys: NetworkKeys::Shared { box_key: BoxKey::from_bytes([5; 32]).public_key() },
        governor: account_key(0).address(),
        supervisors: Vec::new(),
        allocations: [user(), store()].map(|key| Allocation { account: key.address(), cfx: 1_000 }).into(),
    }
}

pub fn ethereum_genesis(genesis: &NetworkGenesis) -> Genesis {
    let wei = |allocation: &Allocation| (allocation.account.0, u128::from(allocation.cfx) * 10u128.pow(18));
    let parts = EthereumGenesis {
        chain_id: genesis.chain_id,
        timestamp_s: genesis.genesis_time_ms / 1_000,
        allocations: genesis.allocations.iter().map(wei).collect(),
        predeploys: predeploys(genesis).unwrap().map(contract).into(),
        gas_limit: GAS_LIMIT,
    };
    parts.build().unwrap()
}

fn contract(predeploy: chainflix_contracts::Predeploy) -> Predeploy {
    let storage = predeploy.storage.into_iter().map(|(slot, value)| (slot.0, value.0));
    Predeploy { address: predeploy.address.into_array(), code: predeploy.code.to_vec(), storage: storage.collect() }
}

/// Block 0 of a network of four.
pub fn genesis_block() -> Block {
    let genesis = genesis(4, 1_000);
    let first = Committee::of(&genesis).unwrap().key(0).unwrap().clone();
    Block::genesis(first, genesis.genesis_time_ms, ethereum_genesis(&genesis).get_block())
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// One play by [`user`] in some slot, as all of `validators` hold it true.
pub fn view_payload(validators: usize) -> ViewPayload {
    payload_of(&genesis(validators, 1_000), 7)
}

/// One play by [`user`] in `slot`, listed by the slot's proposer and held true by all validators.
pub fn payload_of(genesis: &NetworkGenesis, slot: u64) -> ViewPayload {
    let proposal = SlotProposal { slot, attempt: 0, plays: vec![play(genesis, slot)], operation: Vec::new() };
    let digest = proposal.digest();
    let proposer = account_key((slot % genesis.validators.len() as u64) as usize);
    let vote = SlotVote::new(slot, Digest(digest), &[true]);
    let votes = all_vote(genesis, &vote.digest(), &vote.held_true);
    let slot = SlotPayload { proposal, proposer_signature: proposer.sign_digest(&digest), votes };
    ViewPayload { slot: Some(slot), audits: Vec::new() }
}

/// All validators saw the drawn plays of all open audits opened.
pub fn audits_of(genesis: &NetworkGenesis, preview: &Preview) -> Vec<AuditPayload> {
    let audits = preview.state().open_audits().map(|block| {
        let vote = AuditVote::new(block.view_block(), block.drawn_digest(), &vec![true; block.drawn().len()]);
        let votes = all_vote(genesis, &vote.digest(), &vote.passed);
        AuditPayload { view_block: block.view_block(), votes }
    });
    audits.collect()
}

fn all_vote(genesis: &NetworkGenesis, digest: &[u8; 32], bits: &[u8]) -> Vec<VoteEntry> {
    let vote = |validator: usize| VoteEntry {
        validator: validator as u16,
        held_true: bits.to_vec(),
        signature: account_key(validator).sign_digest(digest),
    };
    (0..genesis.validators.len()).map(vote).collect()
}

fn play(genesis: &NetworkGenesis, slot: u64) -> PlayRecord {
    let (account, ends_ms) = (user().address(), genesis.params.slot_end_ms(genesis.genesis_time_ms, slot) - 1);
    let name: [u8; 16] = std::array::from_fn(|byte| slot.to_le_bytes()[byte % 8]);
    let code = PlayCode {
        id: PlayId(name),
        account,
        magnet: Magnet([1; 32]),
        cell_index: slot as u32, // A new minute for each slot: none is mined twice.
        cell: CellId([2; 32]),
        size: 1 << 20,
        grant: GrantId(name),
        download_key: name,
        constant: name,
        difficulty_bits: genesis.params.difficulty_bits,
        issued_ms: ends_ms - genesis.params.cell_ms,
        starts_ms: ends_ms - genesis.params.cell_ms,
        play_ms: genesis.params.cell_ms,
        creator: AccountAddress([0xc1; 20]),
        supervisor: AccountAddress([0xc2; 20]),
        split: genesis.params.split,
        activators: Vec::new(),
    };
    let data = PlayData {
        play: code.id,
        slot,
        download_key: name,
        hash: Digest([3; 32]),
        point_blocks: vec![0; genesis.params.play_points.into()],
        nonce: 0,
    };
    let providers = vec![ProviderShare { provider: store().address(), bytes: 1 << 20 }];
    PlayRecord {
        code: Signed::new(code, &account_key(0)),
        data: Signed::new(data, &user()),
        providers,
        factors: PlayFactors::STRANGER,
        issuer: 0,
    }
}
