//! A full slot: one validator hears the list, votes, counts, settles, awards and commits.
//!
//! ```text
//! set up: a desk with that many proved plays
//! timed:  proposal ─▶ vote ─▶ others' votes ─▶ payload ─▶ block h: counted, committed ─▶ h + 1, h + 2: drawn
//!         ─▶ votes on the audit ─▶ block h + 3: awarded, committed
//! ```
//!
//! Left out: the openings of drawn plays, which viewers send over half a minute, and the network, which carries at most
//! 6 MiB at a time between validators: some ten thousand plays.

use super::{
    clerk::Clerk,
    watching::Minute,
    world::{GENESIS_MS, World, block_hash},
};
use crate::{
    report::{Metrics, field},
    stopwatch::Stopwatch,
};
use anyhow::{Context as _, Result, ensure};
use chainflix_chain::ledger::{Settlement, ViewLedger};
use chainflix_primitives::{
    AccountKey, AuditPayload, AuditVote, Digest, PlayCode, PlayFactors, PlayRecord, ProtocolParams, ProviderShare,
    Signable as _, Signed, SlotProposal, SlotVote, ViewPayload, VoteEntry,
};
use chainflix_proof_of_view::{BlockPlace, PendingBlock, ValidatorMessage};
use clap::Args;
use std::{fs, path::Path, sync::Arc, time::Duration};

/// One full slot alone.
#[derive(Args)]
pub struct FullSlot {
    /// Plays of the slot
    #[arg(long, default_value_t = 240_000)]
    plays: usize,
}

impl FullSlot {
    pub fn run(self, folder: &Path, metrics: &mut Metrics) -> Result<()> {
        let plays = u32::try_from(self.plays).context("too many plays")?;
        let params = ProtocolParams { difficulty_bits: 2, plays_per_slot_max: plays, ..Default::default() };
        let world = World::new(params)?;
        let start_ms = GENESIS_MS + 1_000_000;
        let mut clerk = Clerk::new(&world, folder, start_ms)?;
        let records = watch(&mut clerk, self.plays)?;
        let mut bench = Bench { world: &world, clerk, times: Vec::new() };
        let proposal = bench.proposal(records)?;
        let payload = bench.vote(self.plays, proposal)?;
        bench.settle(self.plays, payload, folder)?;
        let all: Duration = bench.times.iter().map(|(_, time)| *time).sum();
        for (step, time) in &bench.times {
            metrics.add(&format!("slot_240k_step_{step}_s"), time.as_secs_f64());
        }
        metrics.add("slot_240k_settle_s", all.as_secs_f64());
        metrics.add("slot_240k_rss_mib", peak_mib()?);
        Ok(())
    }
}

/// Most memory this process ever had, in MiB.
fn peak_mib() -> Result<f64> {
    let peak = field("/proc/self/status", "VmHWM").context("the system does not tell the memory of a process")?;
    let kib: f64 = peak.trim_end_matches("kB").trim().parse().context("the memory of a process is no number")?;
    Ok(kib / 1024.0)
}

/// Plays that many minutes and proves them; answers what a proposer lists, in order.
fn watch(clerk: &mut Clerk<'_>, plays: usize) -> Result<Vec<PlayRecord>> {
    let (world, start_ms) = (clerk.world, clerk.now_ms);
    let mut proofs = Vec::with_capacity(plays);
    let mut records = Vec::with_capacity(plays);
    clerk.turns((0..plays).collect(), |clerk, number| {
        let Minute { heard, proof } = Minute::new(world, "slot", number, 1, start_ms)?;
        if let [ValidatorMessage::Grant(grant), ValidatorMessage::Play { code, .. }, ..] = &heard {
            let share = ProviderShare { provider: grant.body.provider, bytes: grant.body.size };
            records.push(record((**code).clone(), proof.clone(), share));
        }
        heard.into_iter().for_each(|message| clerk.hear(1, message));
        proofs.push(proof);
        Ok(())
    })?;
    clerk.pass(world.genesis.params.cell_ms);
    clerk.turns(proofs, |clerk, proof| {
        clerk.hear(1, ValidatorMessage::Proof(proof));
        Ok(())
    })?;
    ensure!(clerk.desk.open_plays() == plays, "the desk has {} of {plays} plays", clerk.desk.open_plays());
    records.sort_by_key(|record| record.code.body.id);
    Ok(records)
}

fn record(code: Signed<PlayCode>, data: Signed<chainflix_primitives::PlayData>, share: ProviderShare) -> PlayRecord {
    PlayRecord { code, data, providers: vec![share], factors: PlayFactors::STRANGER, issuer: 1 }
}

struct Bench<'a> {
    world: &'a World,
    clerk: Clerk<'a>,
    times: Vec<(&'static str, Duration)>,
}

impl Bench<'_> {
    fn time<T>(&mut self, step: &'static str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let watch = Stopwatch::start();
        let done = work(self)?;
        let took = watch.elapsed();
        match self.times.iter_mut().find(|(name, _)| *name == step) {
            Some((_, time)) => *time += took,
            None => self.times.push((step, took)),
        }
        Ok(done)
    }

    fn slot(&self) -> u64 {
        self.world.genesis.params.slot_at(GENESIS_MS, self.clerk.now_ms)
    }

    /// The list, encoded as the validator made it whose turn it is.
    fn proposal(&self, plays: Vec<PlayRecord>) -> Result<(Vec<u8>, Digest)> {
        let slot = self.slot();
        let proposer = (slot % self.world.validators.len() as u64) as usize;
        ensure!(proposer != 0, "the list would be this validator's own");
        let proposal = SlotProposal { slot, attempt: 0, plays, operation: vec![] };
        let proposal = Signed::new(proposal, &self.world.validators[proposer]);
        Ok((borsh::to_vec(&proposal)?, Digest(proposal.body.digest())))
    }

    /// Hears the list and the others' votes, votes, and answers what a block carries.
    fn vote(&mut self, plays: usize, (proposal, digest): (Vec<u8>, Digest)) -> Result<Arc<ViewPayload>> {
        let (slot, world) = (self.slot(), self.world);
        self.time("hear", |bench| {
            let proposal = borsh::from_slice(&proposal).context("the list does not decode")?;
            bench.clerk.hear(1, ValidatorMessage::Proposal(proposal));
            Ok(())
        })?;
        drop(proposal);
        let params = &world.genesis.params;
        self.clerk.now_ms = params.slot_end_ms(GENESIS_MS, slot) + params.slot_grace_ms;
        self.time("vote", |bench| bench.clerk.end_turn())?;
        let votes: Vec<_> = world.validators[1..]
            .iter()
            .map(|key| ValidatorMessage::Vote(Signed::new(SlotVote::new(slot, digest, &vec![true; plays]), key)))
            .collect();
        self.time("count", |bench| {
            votes.into_iter().for_each(|vote| bench.clerk.hear(1, vote));
            bench.clerk.end_turn()?;
            let Clerk { desk, ledger, now_ms, .. } = &mut bench.clerk;
            desk.payload(*now_ms, ledger).context("the desk has nothing for a block")
        })
    }

    /// Block 1 carries the slot, block 3 draws, block 4 carries the votes on the audit and awards.
    fn settle(&mut self, plays: usize, payload: Arc<ViewPayload>, folder: &Path) -> Result<()> {
        let path = folder.join("bench-views.redb");
        if path.exists() {
            fs::remove_file(&path)?;
        }
        let ledger = ViewLedger::open(&path, self.world.genesis.clone())?;
        let made = self.time("commit", |bench| bench.block(&ledger, 1, Some(&payload)))?;
        ensure!(made.made.as_ref().is_some_and(|made| made.accepted.len() == plays), "not all plays were carried");
        self.time("draw", |bench| bench.block(&ledger, 2, None).and_then(|_| bench.block(&ledger, 3, None)))?;
        let audits = ledger.state().open_audits().map(|block| self.audit(block)).collect();
        let audits = Arc::new(ViewPayload { slot: None, audits });
        let awarded = self.time("award", |bench| bench.block(&ledger, 4, Some(&audits)))?;
        let paid: u64 =
            awarded.awarded.iter().flat_map(|block| block.paid.credits.iter()).map(|credit| credit.gwei).sum();
        ensure!(paid == self.world.genesis.params.reward_gwei, "{paid} gwei were awarded");
        Ok(())
    }

    /// Checks a block as a candidate, then takes it as a final one, and tells the desk.
    fn block(
        &mut self,
        ledger: &ViewLedger,
        height: u32,
        payload: Option<&Arc<ViewPayload>>,
    ) -> Result<Arc<Settlement>> {
        let time_ms = self.clerk.now_ms + 2_000 * u64::from(height);
        let place =
            BlockPlace { height: height.into(), parent: block_hash(height - 1), time_ms, moves: Default::default() };
        ledger.preview(&[])?.settle(&place, payload)?;
        let settled = ledger.commit(&place, block_hash(height), payload)?.context("the block was there before")?;
        self.clerk.desk.settled(payload.map(|payload| &**payload), &settled);
        Ok(settled)
    }

    /// All validators saw all drawn plays opened.
    fn audit(&self, block: &PendingBlock) -> AuditPayload {
        let (view_block, all) = (block.view_block(), vec![true; block.drawn().len()]);
        let vote = AuditVote::new(view_block, block.drawn_digest(), &all);
        let entry = |(number, key): (usize, &AccountKey)| {
            let signed = Signed::new(vote.clone(), key);
            // Four validators.
            VoteEntry { validator: number as u16, held_true: signed.body.passed, signature: signed.signature }
        };
        AuditPayload { view_block, votes: self.world.validators.iter().enumerate().map(entry).collect() }
    }
}
