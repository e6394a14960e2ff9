//! The ledger survives restarts and refuses what does not follow.

use super::*;
use chainflix_primitives::{
    AccountAddress, AccountKey, BoxPublicKey, CellId, GrantId, Magnet, NodeId, PlayCode, PlayData, PlayId, PlayRecord,
    ProtocolParams, Signable as _, Signed, SlotProposal, SlotVote, ValidatorIdentity, VoteEntry,
};

fn key(n: u8) -> AccountKey {
    AccountKey::from_bytes(&[n; 32]).unwrap()
}

fn genesis() -> Arc<NetworkGenesis> {
    let validator = |n| ValidatorIdentity { account: key(n).address(), consensus_key: NodeId([n; 32]) };
    Arc::new(NetworkGenesis {
        chain_id: 1,
        genesis_time_ms: 0,
        params: ProtocolParams { period_view_blocks: 2, vesting_view_blocks: 1, ..Default::default() },
        validators: vec![validator(1)],
        network_box_key: BoxPublicKey([0; 32]),
        governor: AccountAddress([0; 20]),
        supervisors: vec![],
        allocations: vec![],
    })
}

/// A payload with one play of cell `cell_index`, signed by the only validator.
fn payload(slot: u64, cell_index: u32) -> ViewPayload {
    let id = PlayId([slot as u8; 16]);
    let code = PlayCode {
        id,
        account: key(9).address(),
        magnet: Magnet([1; 32]),
        cell_index,
        cell: CellId([2; 32]),
        size: 10,
        grant: GrantId([3; 16]),
        constant: [4; 16],
        difficulty_bits: 0,
        issued_ms: 0,
        starts_ms: 0,
        play_ms: 60_000,
        creator: AccountAddress([5; 20]),
        supervisor: AccountAddress([6; 20]),
    };
    let data =
        PlayData { play: id, slot, download_key: [0; 16], hash: Digest([0; 32]), point_blocks: vec![], nonce: 0 };
    let record = PlayRecord { code: Signed::new(code, &key(1)), data: Signed::new(data, &key(9)), providers: vec![] };
    let proposal = Signed::new(SlotProposal { slot, attempt: 0, plays: vec![record] }, &key(1));
    let vote = Signed::new(SlotVote::new(slot, Digest(proposal.body.digest()), &[true]), &key(1));
    let entry = VoteEntry { validator: 0, held_true: vote.body.held_true, signature: vote.signature };
    ViewPayload { proposal: proposal.body, proposer_signature: proposal.signature, votes: vec![entry] }
}

const LATE_MS: u64 = 1_000_000_000;

#[test]
fn a_restart_finds_the_same_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("views.redb");
    let ledger = ViewLedger::open(&path, genesis()).unwrap();
    ledger.commit(1, BlockHash([1; 32]), LATE_MS, None).unwrap();
    for view_block in 1..=3u64 {
        let payload = payload(view_block, view_block as u32);
        ledger.commit(view_block + 1, BlockHash([2; 32]), LATE_MS, Some(&payload)).unwrap().unwrap();
    }
    let seen = |ledger: &ViewLedger| {
        let state = ledger.state();
        let vesting: Vec<_> = state.vesting().map(|(made, credits)| (made, credits.to_vec())).collect();
        let mined = [1, 2, 3].map(|cell_index| {
            let (account, magnet) = (key(9).address(), Magnet([1; 32]));
            state.is_mined(&chainflix_proof_of_view::MinedCell { account, magnet, cell_index })
        });
        let plays = ledger.plays_of(&key(9).address(), 10).unwrap();
        (ledger.height(), state.head().clone(), vesting, mined, plays, ledger.view_blocks(u64::MAX, 10).unwrap())
    };
    let before = seen(&ledger);
    drop(ledger);
    let after = seen(&ViewLedger::open(&path, genesis()).unwrap());
    assert_eq!(before, after);
    assert_eq!(after.3, [false, false, true], "a new period began with the third view block");
    assert_eq!(after.4.iter().map(|place| place.view_block).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(after.2.len(), 1, "one award still vests");
}

#[test]
fn blocks_come_in_order_and_once() {
    let ledger = ViewLedger::in_memory(genesis()).unwrap();
    let first = payload(1, 1);
    ledger.commit(1, BlockHash([1; 32]), LATE_MS, Some(&first)).unwrap().unwrap();
    assert!(ledger.commit(1, BlockHash([1; 32]), LATE_MS, Some(&first)).unwrap().is_none(), "redelivered");
    assert!(matches!(ledger.commit(3, BlockHash([1; 32]), LATE_MS, None), Err(LedgerError::Gap { .. })));
    assert!(matches!(ledger.commit(2, BlockHash([1; 32]), LATE_MS, Some(&first)), Err(LedgerError::Settle { .. })));
    assert_eq!(ledger.height(), 1);
    assert_eq!(ledger.state().head().view_blocks, 1);
}

#[test]
fn a_preview_changes_nothing_that_is_final() {
    let ledger = ViewLedger::in_memory(genesis()).unwrap();
    let preview = ledger.preview(&[Arc::new(payload(1, 1))]).unwrap();
    assert_eq!(preview.last_slot(), Some(1));
    assert_ne!(preview.root(), ledger.state().head().root);
    assert!(matches!(preview.settle(&payload(1, 2), LATE_MS), Err(SettleError::SlotNotNew { .. })));
    assert_eq!(ledger.state().head().last_slot, None);
}

#[test]
fn a_database_of_another_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("views.redb");
    drop(ViewLedger::open(&path, genesis()).unwrap());
    let other = Arc::new(NetworkGenesis { chain_id: 2, ..(*genesis()).clone() });
    assert!(matches!(ViewLedger::open(&path, other), Err(LedgerError::OtherNetwork { .. })));
}
