//! The power fails at every possible moment: between two writes, in the middle of one, before and after each sync.
//!
//! A disk keeps what was synced. Of what was written since, it keeps any part: these tests keep a prefix of the writes,
//! cut the last one short, or lose any of them.

use super::*;
use proptest::prelude::*;
use redb::StorageBackend;
use std::{
    io,
    sync::{Mutex, MutexGuard},
};

const TURNS: u8 = 6;

/// What a database does to its disk.
#[derive(Clone, Debug)]
enum Act {
    Write {
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLen(u64),
    Sync,
    /// A commit returned: its turn must be there from now on.
    Committed,
}

impl Act {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let offset = *offset as usize;
                image[offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Self::SetLen(length) => image.resize(*length as usize, 0),
            Self::Sync | Self::Committed => {}
        }
    }
}

#[derive(Debug, Default)]
struct State {
    image: Vec<u8>,
    acts: Vec<Act>,
}

/// A disk that remembers how it came to be.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<State>>);

impl Disk {
    fn with(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { image, acts: vec![] })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn act(&self, act: Act) {
        let mut state = self.state();
        act.apply(&mut state.image);
        state.acts.push(act);
    }

    fn journal(&self) -> Journal {
        Journal::with(Database::builder().create_with_backend(self.clone()).unwrap(), &genesis()).unwrap()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let found =
            state.image.get(offset as usize..offset as usize + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.act(Act::SetLen(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.act(Act::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.act(Act::Write { offset, bytes: data.to_vec() });
        Ok(())
    }
}

fn turn(number: u8) -> Note {
    note(START_MS + u64::from(number), number)
}

/// A journal's life: opened, then a few turns. What it did before the first turn is the image it starts from.
fn life() -> (Vec<u8>, Vec<Act>) {
    let disk = Disk::default();
    drop(disk.journal());
    let image = disk.state().image.clone();
    let disk = Disk::with(image.clone());
    let mut journal = disk.journal();
    for number in 0..TURNS {
        journal.append(diary(vec![turn(number)], vec![refused(START_MS, 5, number.into())]));
        journal.commit(START_MS).unwrap();
        disk.act(Act::Committed);
    }
    // The process dies here: nothing is closed in order.
    let acts = disk.state().acts.clone();
    (image, acts)
}

fn committed(acts: &[Act]) -> usize {
    acts.iter().filter(|act| matches!(act, Act::Committed)).count()
}

/// A new process finds `image`: at least the first `promised` turns are there, in order, whole, and it goes on.
fn check(image: Vec<u8>, promised: usize) {
    let disk = Disk::with(image);
    let mut journal = disk.journal();
    let found = told(&journal, START_MS);
    let expected: Vec<_> = (0..TURNS).map(turn).collect();
    assert!(found.len() >= promised, "{} of {promised} turns are there", found.len());
    assert_eq!(found, expected[..found.len()]);
    assert_eq!(
        journal.refused_lately(START_MS).unwrap().len(),
        found.len(),
        "a turn is there as a whole or not at all"
    );
    journal.append(diary(vec![turn(TURNS)], vec![]));
    journal.commit(START_MS).unwrap();
    assert_eq!(told(&journal, START_MS).len(), found.len() + 1);
}

#[test]
fn whatever_was_written_last_no_promise_is_broken() {
    let (image, acts) = life();
    assert_eq!(committed(&acts), usize::from(TURNS));
    let mut before = image;
    for (at, act) in acts.iter().enumerate() {
        let promised = committed(&acts[..at]);
        check(before.clone(), promised);
        if let Act::Write { offset, bytes } = act {
            let mut torn = before.clone();
            Act::Write { offset: *offset, bytes: bytes[..bytes.len() / 2].to_vec() }.apply(&mut torn);
            check(torn, promised);
        }
        act.apply(&mut before);
    }
    check(before, usize::from(TURNS));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_disk_may_lose_any_write_that_was_not_synced(cut in any::<prop::sample::Index>(), lost in any::<u64>()) {
        let (mut image, acts) = life();
        let acts = &acts[..cut.index(acts.len()) + 1];
        let synced = acts.iter().rposition(|act| matches!(act, Act::Sync)).map_or(0, |at| at + 1);
        acts[..synced].iter().for_each(|act| act.apply(&mut image));
        // Lengths are kept: where the file system lost one, a write beyond would have brought it back.
        let unsynced = acts[synced..].iter().enumerate();
        let kept = unsynced.filter(|(at, act)| matches!(act, Act::SetLen(_)) || lost >> (at % 64) & 1 == 0);
        kept.for_each(|(_, act)| act.apply(&mut image));
        check(image, committed(acts));
    }
}
