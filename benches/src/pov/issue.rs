//! One validator issues PlayCodes: checks a viewer's wish, releases the CellKey, signs the code, makes it durable.

use super::{
    clerk::Clerk,
    watching::Viewer,
    world::{GENESIS_MS, World},
};
use crate::report::Metrics;
use anyhow::{Result, ensure};
use chainflix_primitives::{PlayOutcome, PlayRequest, ProtocolParams, Signed};
use chainflix_proof_of_view::ValidatorMessage;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

/// Measures so many PlayCodes, each for another account in another home.
pub fn run(codes: usize, folder: &Path, metrics: &mut Metrics) -> Result<()> {
    let world = World::new(ProtocolParams::default())?;
    let now_ms = GENESIS_MS + 1_000_000;
    let mut clerk = Clerk::new(&world, folder, now_ms)?;
    let mut wishes = Vec::with_capacity(codes);
    for number in 0..codes {
        let mut viewer = Viewer::new(&world, "issue", number)?;
        let grant = viewer.grant(&world, 1, now_ms);
        wishes.push((home(number), encode(&viewer.request(grant.body.id, now_ms))));
        clerk.hear(1, ValidatorMessage::Grant(Box::new(grant)));
    }
    drop(clerk.desk.take_diary(now_ms));
    let took = clerk.turns(wishes, issue)?;
    ensure!(clerk.desk.open_plays() == codes, "{} of {codes} codes were issued", clerk.desk.open_plays());
    metrics.add_rate("playcode_issue_per_core_per_s", codes, took.all);
    metrics.add("playcode_issue_commit_percent", 100.0 * took.committing.as_secs_f64() / took.all.as_secs_f64());
    Ok(())
}

/// An address of its own, few to a network.
fn home(number: usize) -> IpAddr {
    // As many as there are addresses, which is more than viewers.
    IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + 64 * number as u32))
}

fn encode(request: &Signed<PlayRequest>) -> Vec<u8> {
    // Writing into a vector cannot fail.
    borsh::to_vec(request).expect("encoding into memory does not fail")
}

fn issue(clerk: &mut Clerk<'_>, (from, bytes): (IpAddr, Vec<u8>)) -> Result<()> {
    let request: Signed<PlayRequest> = borsh::from_slice(&bytes)?;
    let Clerk { desk, ledger, world, now_ms, .. } = clerk;
    let entropy = blake3::hash(&bytes).into();
    let answer = desk.play(*now_ms, entropy, &request, from, ledger, &world.films)?;
    ensure!(matches!(answer.outcome, PlayOutcome::Mining(_)), "a play is unpaid: {:?}", answer.outcome);
    Ok(())
}
