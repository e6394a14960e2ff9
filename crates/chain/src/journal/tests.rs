//! What was committed is told again, whatever moment the process dies at; what is old is gone.

mod cuts;

use super::*;
use chainflix_primitives::{
    AccountAddress, AccountKey, BoxPublicKey, CellId, GrantId, Magnet, NetworkKeys, NodeId, PlayId, ProtocolParams,
    Receipt, Signed, ValidatorIdentity,
};
use chainflix_proof_of_view::{Refusal, ValidatorMessage};

const START_MS: u64 = 1_800_000_000_000;

fn key(n: u8) -> AccountKey {
    AccountKey::from_bytes(&[n; 32]).unwrap()
}

fn genesis() -> NetworkGenesis {
    NetworkGenesis {
        chain_id: 1,
        genesis_time_ms: 0,
        params: ProtocolParams::default(),
        validators: vec![ValidatorIdentity { account: key(1).address(), consensus_key: NodeId([1; 32]) }],
        keys: NetworkKeys::Shared { box_key: BoxPublicKey([0; 32]) },
        governor: AccountAddress([0; 20]),
        supervisors: vec![],
        allocations: vec![],
    }
}

/// A note that no other is like.
fn note(at_ms: u64, number: u8) -> Note {
    let receipt = Receipt {
        grant: GrantId([number; 16]),
        viewer: key(9).address(),
        provider: key(8).address(),
        cell: CellId([2; 32]),
        start: 0,
        end: 10,
        delivered_hash: Digest([3; 32]),
    };
    let message = ValidatorMessage::Receipt(Signed::new(receipt, &key(9)));
    Note { at_ms, head: 7, own: number.is_multiple_of(2), message }
}

fn refused(at_ms: u64, account: u8, cell_index: u32) -> RefusedPlay {
    RefusedPlay {
        at_ms,
        account: AccountAddress([account; 20]),
        play: Some(PlayId([cell_index as u8; 16])),
        magnet: Magnet([4; 32]),
        cell_index,
        refusal: Refusal::TooEarly { early_ms: 1_234 },
    }
}

fn diary(noted: Vec<Note>, refused: Vec<RefusedPlay>) -> Diary {
    let mut notes = Notes::default();
    noted.iter().for_each(|note| notes.push(note));
    Diary { notes, refused }
}

fn told(journal: &Journal, now_ms: u64) -> Vec<Note> {
    let mut notes = Vec::new();
    journal.replay(now_ms, |note| notes.push(note)).unwrap();
    notes
}

#[test]
fn a_restart_is_told_everything_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plays.redb");
    let mut journal = Journal::open(&path, &genesis()).unwrap();
    let notes: Vec<_> = (0..10).map(|number| note(START_MS + u64::from(number), number)).collect();
    for turn in notes.chunks(3) {
        journal.append(diary(turn.to_vec(), vec![refused(turn[0].at_ms, 5, 1)]));
        journal.commit(START_MS).unwrap();
    }
    journal.append(diary(vec![note(START_MS, 99)], vec![]));
    drop(journal);
    let journal = Journal::open(&path, &genesis()).unwrap();
    assert_eq!(told(&journal, START_MS), notes, "and what was not committed is not told");
    assert_eq!(journal.refused_lately(START_MS).unwrap().len(), 4);
    assert_eq!(journal.refused_lately(START_MS).unwrap()[0], refused(START_MS, 5, 1), "with its numbers");
}

#[test]
fn a_note_is_deleted_when_its_play_is_over() {
    let mut journal = Journal::in_memory(&genesis()).unwrap();
    let life_ms = life_ms(&genesis().params);
    let rows = |journal: &Journal| {
        let read = journal.database.begin_read().unwrap();
        read.open_table(TURN).unwrap().iter().unwrap().count()
    };
    for number in 0..100 {
        let at_ms = START_MS + u64::from(number) * life_ms / 10;
        journal.append(diary(vec![note(at_ms, number)], vec![]));
        journal.commit(at_ms).unwrap();
        assert!(rows(&journal) <= 11 + 1);
    }
    let end_ms = START_MS + 99 * life_ms / 10;
    assert_eq!(told(&journal, end_ms).len(), 11);
    assert_eq!(told(&journal, end_ms + life_ms).len(), 1, "a start after a long time is told what may still matter");
}

#[test]
fn an_empty_turn_writes_nothing() {
    let mut journal = Journal::in_memory(&genesis()).unwrap();
    journal.append(Diary::default());
    assert!(journal.is_clean());
    journal.commit(START_MS).unwrap();
    assert_eq!(journal.next, 0);
}

#[test]
fn refusals_are_read_newest_first_and_few_are_kept_of_each_account() {
    let mut journal = Journal::in_memory(&genesis()).unwrap();
    let many = REFUSED_PER_ACCOUNT_MAX as u32 + 10;
    for index in 0..many {
        journal.append(diary(vec![], vec![refused(START_MS + u64::from(index), 5, index)]));
        journal.commit(START_MS).unwrap();
    }
    journal.append(diary(vec![], vec![refused(START_MS, 6, 0)]));
    journal.commit(START_MS).unwrap();
    let reader = journal.refused();
    let all = reader.of(&AccountAddress([5; 20]), usize::MAX).unwrap();
    assert_eq!(all.len() as u64, REFUSED_PER_ACCOUNT_MAX);
    let newest = Refused {
        at_ms: START_MS + u64::from(many) - 1,
        play: Some(PlayId([(many - 1) as u8; 16])),
        magnet: Magnet([4; 32]),
        cell_index: many - 1,
        code: "too-early".into(),
        message: Refusal::TooEarly { early_ms: 1_234 }.to_string(),
    };
    assert_eq!(all[0], newest);
    assert_eq!(all.last().unwrap().cell_index, 10);
    assert_eq!(reader.of(&AccountAddress([5; 20]), 2).unwrap().len(), 2);
    assert_eq!(reader.of(&AccountAddress([6; 20]), 9).unwrap().len(), 1);
    assert_eq!(reader.of(&AccountAddress([7; 20]), 9).unwrap(), []);
    let times = journal.database.begin_read().unwrap().open_table(refused::REFUSED_AT).unwrap().iter().unwrap().count();
    assert_eq!(times as u64, REFUSED_PER_ACCOUNT_MAX + 1, "no index row is left behind");
}

#[test]
fn refusals_are_forgotten_after_two_days() {
    let mut journal = Journal::in_memory(&genesis()).unwrap();
    journal.append(diary(vec![], vec![refused(START_MS, 5, 0), refused(START_MS + 1, 5, 1)]));
    journal.commit(START_MS).unwrap();
    let late_ms = START_MS + REFUSED_KEPT_MS + 1;
    journal.append(diary(vec![], vec![refused(late_ms, 6, 2)]));
    journal.commit(late_ms).unwrap();
    let left = journal.refused().of(&AccountAddress([5; 20]), 9).unwrap();
    assert_eq!(left.iter().map(|refused| refused.cell_index).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_journal_of_another_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plays.redb");
    drop(Journal::open(&path, &genesis()).unwrap());
    let other = NetworkGenesis { chain_id: 2, ..genesis() };
    assert!(matches!(Journal::open(&path, &other), Err(JournalError::OtherNetwork { .. })));
}
