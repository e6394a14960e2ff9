//! A desk with its journal, fed in turns as the validator feeds it.

use super::{watching::FIRST_BLOCK, world::World};
use crate::stopwatch::Stopwatch;
use anyhow::Result;
use chainflix_chain::journal::Journal;
use chainflix_proof_of_view::{Desk, LedgerState, ValidatorMessage};
use std::{hint::black_box, path::Path, time::Duration};

/// Inputs of one turn: as many as the validator's mailbox holds. One fsync makes them durable.
pub const TURN: usize = 1_024;

/// One validator's work on plays.
pub struct Clerk<'a> {
    pub world: &'a World,
    pub desk: Desk,
    pub ledger: LedgerState,
    pub now_ms: u64,
    journal: Journal,
    /// Time that all commits took so far.
    committing: Duration,
}

/// How long something took, and how much of that was the journal's commits.
pub struct Took {
    pub all: Duration,
    pub committing: Duration,
}

impl<'a> Clerk<'a> {
    /// A new validator whose journal is on the disk.
    pub fn new(world: &'a World, folder: &Path, now_ms: u64) -> Result<Self> {
        let path = folder.join("bench-plays.redb");
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        let journal = Journal::open(&path, &world.genesis)?;
        let mut desk = world.desk()?;
        desk.finalized(now_ms, FIRST_BLOCK);
        Ok(Self { world, desk, ledger: LedgerState::default(), now_ms, journal, committing: Duration::ZERO })
    }

    /// Lets time pass, with a block every two seconds.
    pub fn pass(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        let mut block = FIRST_BLOCK;
        while self.now_ms < until_ms {
            self.now_ms = until_ms.min(self.now_ms + 2_000);
            block += 1;
            self.desk.finalized(self.now_ms, block);
        }
    }

    /// Hears what another validator says.
    pub fn hear(&mut self, from: usize, message: ValidatorMessage) {
        let from = self.world.genesis.validators[from].account;
        self.desk.hear(self.now_ms, &from, message, &self.ledger, &self.world.films);
    }

    /// Does `work` for each of `inputs`, and after each turn what the validator does then: makes it durable, and encodes
    /// what the others are to hear.
    pub fn turns<T>(&mut self, inputs: Vec<T>, mut work: impl FnMut(&mut Self, T) -> Result<()>) -> Result<Took> {
        let (watch, committed_before) = (Stopwatch::start(), self.committing);
        let mut inputs = inputs.into_iter().peekable();
        while inputs.peek().is_some() {
            for input in inputs.by_ref().take(TURN) {
                work(self, input)?;
            }
            self.end_turn()?;
        }
        Ok(Took { all: watch.elapsed(), committing: self.committing - committed_before })
    }

    /// What the validator does when its mailbox is empty: looks at the clock, makes the turn durable, speaks.
    pub fn end_turn(&mut self) -> Result<()> {
        self.desk.tick(self.now_ms, &self.ledger, &self.world.films);
        self.journal.append(self.desk.take_diary(self.now_ms));
        let watch = Stopwatch::start();
        self.journal.commit(self.now_ms)?;
        self.committing += watch.elapsed();
        while let Some(message) = self.desk.poll() {
            black_box(message.encode());
        }
        Ok(())
    }
}
