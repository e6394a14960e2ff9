//! One validator hears everything about many plays: grants, PlayCodes, receipts, and then checks their proofs.
//!
//! Each message is decoded from its bytes, judged, noted in the journal and made durable with its turn. Proofs are brought by
//! viewers: their receipts are looked for at once.

use super::{
    clerk::{Clerk, Took},
    watching::Minute,
    world::{GENESIS_MS, World},
};
use crate::report::Metrics;
use anyhow::{Context as _, Result, ensure};
use chainflix_primitives::{PlayData, ProtocolParams, Signed};
use chainflix_proof_of_view::{PlayStatus, ValidatorMessage};
use std::path::Path;

/// Most plays that are prepared at a time: their bytes are in memory.
const CROWD: usize = 10_000;
/// The kinds of messages that are heard of a play, in their order.
const HEARD: [&str; 4] = ["grant_heard", "playcode_heard", "receipt_heard", "receipt_heard"];

/// Measures with so many plays under way.
pub fn run(plays: usize, folder: &Path, metrics: &mut Metrics) -> Result<()> {
    // A wrong nonce costs a checker what a right one does; finding right ones would take most of the time.
    let world = World::new(ProtocolParams { difficulty_bits: 4, ..Default::default() })?;
    let start_ms = GENESIS_MS + 1_000_000;
    let mut clerk = Clerk::new(&world, folder, start_ms)?;
    let mut heard = [const { Vec::new() }; HEARD.len()];
    let mut proofs = Vec::with_capacity(plays);
    for first in (0..plays).step_by(CROWD) {
        let crowd = first..plays.min(first + CROWD);
        let minutes = crowd.map(|number| Minute::new(&world, "proofs", number, 1 + number % 3, start_ms));
        let minutes = minutes.collect::<Result<Vec<_>>>()?;
        for (kind, took) in heard.iter_mut().enumerate() {
            let bytes = minutes
                .iter()
                .enumerate()
                .map(|(place, minute)| (1 + (first + place) % 3, minute.heard[kind].encode()));
            took.push(clerk.turns(bytes.collect(), hear)?);
        }
        proofs.extend(minutes.iter().map(|minute| encode(&minute.proof)));
    }
    ensure!(clerk.desk.open_plays() == plays, "the desk took {} of {plays} plays", clerk.desk.open_plays());
    clerk.pass(world.genesis.params.cell_ms);
    let last = proofs.last().map(|bytes| borsh::from_slice::<Signed<PlayData>>(bytes)).transpose()?;
    let took = clerk.turns(proofs, prove)?;
    let status = last.and_then(|proof| clerk.desk.status(&proof.body.play));
    ensure!(status == Some(PlayStatus::Proved), "the last play is {status:?}");
    report(plays, &heard, &took, metrics)
}

fn encode(proof: &Signed<PlayData>) -> Vec<u8> {
    // Writing into a vector cannot fail.
    borsh::to_vec(proof).expect("encoding into memory does not fail")
}

fn hear(clerk: &mut Clerk<'_>, (from, bytes): (usize, Vec<u8>)) -> Result<()> {
    let message = ValidatorMessage::decode(&bytes).context("a message does not decode")?;
    clerk.hear(from, message);
    Ok(())
}

fn prove(clerk: &mut Clerk<'_>, bytes: Vec<u8>) -> Result<()> {
    let proof = borsh::from_slice(&bytes).context("a proof does not decode")?;
    let Clerk { desk, ledger, world, now_ms, .. } = clerk;
    Ok(desk.prove(*now_ms, proof, ledger, &world.films)?)
}

fn report(plays: usize, heard: &[Vec<Took>], proved: &Took, metrics: &mut Metrics) -> Result<()> {
    for (kind, took) in HEARD.iter().zip(heard).skip(1).step_by(2).chain(HEARD.iter().zip(heard).take(1)) {
        metrics.add_rate(&format!("{kind}_per_core_per_s"), plays, took.iter().map(|took| took.all).sum());
    }
    metrics.add_rate("proof_check_per_core_per_s", plays, proved.all);
    metrics.add("proof_check_commit_percent", 100.0 * proved.committing.as_secs_f64() / proved.all.as_secs_f64());
    let bare = metrics.get("bare_signature_per_core_per_s").context("nothing to compare with")?;
    let checked = metrics.get("proof_check_per_core_per_s").context("no proof was checked")?;
    metrics.add("proof_check_vs_bare_signature", checked / bare);
    // All that one validator of four does for a play that others granted and issued.
    let all: std::time::Duration = heard.iter().flatten().chain([proved]).map(|took| took.all).sum();
    metrics.add_rate("whole_play_per_core_per_s", plays, all);
    Ok(())
}
