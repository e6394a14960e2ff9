//! What a play takes on the ledger's disk, its index rows and the database's own overhead included.
//!
//! The ledger looks at no play's own signature, so plays are made of random bytes where real ones have hashes, keys and
//! signatures: nothing in them can be compressed that could not be in a real one.

use super::world::{Cell, Films, GENESIS_MS, World, block_hash};
use crate::{draw::Draw, report::Metrics};
use anyhow::{Context as _, Result};
use chainflix_chain::ledger::ViewLedger;
use chainflix_primitives::{
    AccountAddress, AuditParams, Digest, GrantId, PlayCode, PlayData, PlayFactors, PlayId, PlayRecord, ProtocolParams,
    ProviderShare, Signable as _, Signature, Signed, SlotPayload, SlotProposal, SlotVote, ViewPayload, VoteEntry,
};
use chainflix_proof_of_view::BlockPlace;
use redb::{Database, ReadableDatabase as _};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// People who watch: each a minute in four slots, so that full slots are all of them.
const PEOPLE: u64 = 4 * 8_192;
/// Slots before it is measured: people have been met, and what is kept of the newest view blocks alone is full.
const WARM_SLOTS: u64 = 80;
/// Slots that are measured.
const SLOTS: u64 = 32;
const LONE_SLOTS: u64 = 300;
/// The first of them: some hours into the network's life.
const FIRST_SLOT: u64 = 1_000;

/// Measures slots as full as the protocol has them, and slots of one play.
pub fn run(folder: &Path, metrics: &mut Metrics) -> Result<()> {
    let plays = ProtocolParams::default().plays_per_slot_max.into();
    metrics.add("lone_play_bytes", Town::new(folder)?.grow(1, LONE_SLOTS)?);
    metrics.add("play_bytes", Town::new(folder)?.grow(plays, SLOTS)?);
    Ok(())
}

/// Somebody in front of a film.
struct Person {
    account: AccountAddress,
    /// The next minute.
    next: Cell,
}

/// A ledger and the people it pays.
struct Town {
    world: World,
    path: PathBuf,
    draw: Draw,
    people: Vec<Person>,
    height: u32,
}

impl Town {
    fn new(folder: &Path) -> Result<Self> {
        // Nothing is drawn for audit: an audit adds rows that are gone when it is over.
        let audit = AuditParams { share_permille: 0, ..AuditParams::default() };
        let world = World::new(ProtocolParams { audit, ..ProtocolParams::default() })?;
        let mut draw = Draw::new("bytes");
        let sit_down = |_| Person { account: AccountAddress(draw.bytes()), next: world.films.choose(&mut draw) };
        let people = (0..PEOPLE).map(sit_down).collect();
        let path = folder.join("bench-bytes.redb");
        if path.exists() {
            fs::remove_file(&path)?;
        }
        Ok(Self { world, path, draw, people, height: 0 })
    }

    /// Bytes per play that `slots` slots add.
    fn grow(&mut self, plays: u64, slots: u64) -> Result<f64> {
        let warm = FIRST_SLOT + WARM_SLOTS;
        self.settle(plays, FIRST_SLOT..warm)?;
        let before = self.bytes()?;
        self.settle(plays, warm..warm + slots)?;
        let after = self.bytes()?;
        Ok((after - before) as f64 / (plays * slots) as f64)
    }

    /// What the database has taken of its file. The file itself grows in steps of many plays.
    fn bytes(&self) -> Result<i64> {
        let database = Database::open(&self.path)?;
        let stats = database.begin_write()?.stats()?;
        drop(database.begin_read()?);
        i64::try_from(stats.allocated_pages() * stats.page_size() as u64).context("the database is too large")
    }

    fn settle(&mut self, plays: u64, slots: std::ops::Range<u64>) -> Result<()> {
        let ledger = ViewLedger::open(&self.path, self.world.genesis.clone())?;
        for slot in slots {
            let payload = Arc::new(ViewPayload { slot: Some(self.slot(plays, slot)), audits: vec![] });
            let end_ms = self.world.genesis.params.slot_end_ms(GENESIS_MS, slot);
            // A slot lasts seven blocks.
            for block in 0..7 {
                self.height += 1;
                let parent = block_hash(self.height - 1);
                let place = BlockPlace {
                    height: self.height.into(),
                    parent,
                    time_ms: end_ms + 2_000 * block,
                    moves: Default::default(),
                };
                let payload = (block == 0).then_some(&payload);
                ledger.commit(&place, block_hash(self.height), payload)?;
            }
        }
        Ok(())
    }

    /// A slot on which all validators agree.
    fn slot(&mut self, plays: u64, slot: u64) -> SlotPayload {
        let mut plays: Vec<_> = (0..plays).map(|number| self.play(number + plays * slot, slot)).collect();
        plays.sort_by_key(|record| record.code.body.id);
        let all = vec![true; plays.len()];
        let proposal = SlotProposal { slot, attempt: 0, plays, operation: vec![] };
        let validators = &self.world.validators;
        let proposer = &validators[(slot % validators.len() as u64) as usize];
        let digest = proposal.digest();
        let vote = SlotVote::new(slot, Digest(digest), &all);
        let votes = validators.iter().zip(0..).map(|(key, validator)| {
            let signature = key.sign_digest(&vote.digest());
            VoteEntry { validator, held_true: vote.held_true.clone(), signature }
        });
        SlotPayload { proposer_signature: proposer.sign_digest(&digest), votes: votes.collect(), proposal }
    }

    /// The next minute of a film that somebody watches.
    fn play(&mut self, number: u64, slot: u64) -> PlayRecord {
        let person = &mut self.people[(number % PEOPLE) as usize];
        let (account, cell) = (person.account, person.next);
        person.next = Films::after(&cell);
        let end_ms = self.world.genesis.params.slot_end_ms(GENESIS_MS, slot) - self.draw.below(14_400);
        let code = self.code(account, cell, end_ms - 60_000);
        let data = PlayData {
            play: code.id,
            slot,
            download_key: code.download_key,
            hash: Digest(self.draw.bytes()),
            // Blocks come every two seconds; a viewer hears of them a little late.
            point_blocks: (0..6).map(|point| ((end_ms - GENESIS_MS) / 2_000) as u32 + 5 * point - 28).collect(),
            nonce: self.draw.below(1 << 17),
        };
        let provider = self.draw.below(self.world.providers.len() as u64) as usize;
        let share = ProviderShare { provider: self.world.providers[provider].address(), bytes: code.size };
        PlayRecord {
            code: Signed { body: code, signature: self.signature() },
            data: Signed { body: data, signature: self.signature() },
            providers: vec![share],
            factors: PlayFactors::STRANGER,
            // Four validators.
            issuer: self.draw.below(4) as u16,
        }
    }

    fn code(&mut self, account: AccountAddress, cell: Cell, starts_ms: u64) -> PlayCode {
        let film = self.world.films.film(&cell);
        PlayCode {
            id: PlayId(self.draw.bytes()),
            account,
            magnet: cell.magnet,
            cell_index: cell.index,
            cell: cell.id,
            size: cell.size,
            grant: GrantId(self.draw.bytes()),
            download_key: self.draw.bytes(),
            constant: self.draw.bytes(),
            difficulty_bits: 16,
            // Asked for before the cell before it ended.
            issued_ms: starts_ms - self.draw.below(5_000),
            starts_ms,
            play_ms: 60_000,
            creator: film.creator,
            supervisor: film.supervisor,
            split: self.world.genesis.params.split,
            activators: vec![],
        }
    }

    fn signature(&mut self) -> Signature {
        let mut bytes: [u8; 65] = self.draw.bytes();
        bytes[64] &= 1;
        Signature(bytes)
    }
}
