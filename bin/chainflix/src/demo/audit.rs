//! The checks behind the exit code of `--exit-after`: everything about a running network that can be seen from outside.
//!
//! | check | what must hold |
//! |---|---|
//! | processes | every process runs |
//! | blocks | the chain grew, and its newest block is fresh |
//! | agreement | all validators have the same block at the same height |
//! | films | the gateway lists each film, and its manifest hashes to its magnet |
//! | coins | each view block mints exactly the schedule's reward when its audit is over, less what is held back from storage peers; other blocks nothing |
//! | viewer | with `--headless`, and time enough for it: a play was accepted |

use super::{
    crew::Process,
    ethereum,
    setup::{Accounts, Film},
    viewer::Tally,
};
use anyhow::{Result, bail, ensure};
use chainflix_node::network::Layout;
use chainflix_primitives::{AccountAddress, Manifest, ProtocolParams};
use chainflix_rpc::{
    Client,
    types::{AwardSummary, COUNT_MAX, ViewBlockQuery, ViewBlockSummary},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How much older than a few block times the newest block may be: a leader may just be starting again.
const STALE: Duration = Duration::from_secs(10);
/// What a viewer needs beside the cell and its votes: finding a provider, first bytes, a busy machine.
const VIEWER_START: Duration = Duration::from_secs(15);

/// How things stood when the demo was ready: what is earned since is the difference.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// The newest final block then.
    pub block: u64,
    /// View blocks made until then.
    pub view_blocks: u64,
    /// Balances of the network's accounts after that block, in wei, as decimal strings.
    pub balances_wei: BTreeMap<AccountAddress, String>,
}

impl Baseline {
    /// How things stand now.
    pub async fn take(layout: &Layout, client: &Client) -> Result<Self> {
        let (head, schedule) = (client.head().await?, client.schedule().await?);
        let balances = Accounts::of(layout)?.balances(client, head.number).await?;
        let balances_wei = balances.into_iter().map(|(account, wei)| (account, wei.to_string())).collect();
        Ok(Self { block: head.number, view_blocks: schedule.view_blocks, balances_wei })
    }
}

/// What is checked, and against what.
pub struct Audit<'a> {
    pub layout: &'a Layout,
    pub client: &'a Client,
    pub baseline: &'a Baseline,
    pub films: &'a [Film],
    /// What the viewer saw, if there is one.
    pub watched: Option<Tally>,
    /// Time since the demo was ready.
    pub ran: Duration,
}

/// What a check found, in words for people.
type Outcome = Result<String>;

impl Audit<'_> {
    /// Runs every check.
    pub async fn run(&self, processes: &[Process]) -> Vec<(&'static str, Outcome)> {
        let mut outcomes = vec![
            ("processes", running(processes)),
            ("blocks", self.blocks().await),
            ("agreement", self.agreement().await),
            ("films", self.films().await),
            ("coins", self.coins().await),
        ];
        if let Some(tally) = self.watched {
            outcomes.push(("viewer", self.viewer(tally)));
        }
        outcomes
    }

    async fn blocks(&self) -> Outcome {
        let head = self.client.head().await?;
        let grown = head.number.saturating_sub(self.baseline.block);
        ensure!(grown > 0, "no block was made since block {}", self.baseline.block);
        let age = now().saturating_sub(Duration::from_millis(head.time_ms));
        let fresh = Duration::from_millis(10 * self.params().block_ms) + STALE;
        ensure!(age < fresh, "the newest block is {} s old", age.as_secs());
        Ok(format!("{grown} blocks since it was ready"))
    }

    async fn agreement(&self) -> Outcome {
        let clients = self.layout.rpcs.iter().map(|rpc| Client::new([rpc])).collect::<Result<Vec<_>, _>>()?;
        let mut lowest = u64::MAX;
        for client in &clients {
            lowest = lowest.min(client.head().await?.number);
        }
        let first = ethereum::block(&clients[0], lowest).await?.hash;
        for (number, client) in clients.iter().enumerate() {
            let hash = ethereum::block(client, lowest).await?.hash;
            ensure!(hash == first, "validator-{number} has {hash} as block {lowest}, validator-0 has {first}");
        }
        Ok(format!("{} validators have the same block {lowest}", clients.len()))
    }

    async fn films(&self) -> Outcome {
        let playable: Vec<_> = self.films.iter().filter(|film| !film.taken_down).collect();
        ensure!(!playable.is_empty(), "there is no film to watch");
        let listed = reqwest::get(format!("{}/api/films", self.layout.web_url)).await?.text().await?;
        for film in &playable {
            ensure!(listed.contains(&film.magnet.to_string()), "the gateway does not list \"{}\"", film.title);
            let url = format!("{}/api/films/{}/manifest", self.layout.web_url, film.magnet);
            let bytes = reqwest::get(url).await?.error_for_status()?.bytes().await?;
            let manifest = Manifest::decode(&bytes, &film.magnet)?;
            ensure!(manifest.cells.len() == film.cells as usize, "\"{}\" has another number of cells", film.title);
        }
        Ok(format!("{} listed, manifests right", playable.len()))
    }

    async fn coins(&self) -> Outcome {
        // Asked for first: what is settled later is of no concern.
        let head = self.client.head().await?.number;
        let awards = self.awards(head).await?;
        let params = self.params();
        ensure!(params.vesting_view_blocks == 0, "coins that vest later cannot be followed from here");
        let mut owed: HashMap<u64, u64> = HashMap::new();
        for (made, award) in &awards {
            let all_void = award.voided == made.plays;
            let (given, due) = (award.gwei, if all_void { 0 } else { due_gwei(params, made.view_block) });
            ensure!(given == due, "view block {} awards {given} gwei instead of {due}", made.view_block);
            // No provider of a demo is old enough to be paid what is held back as it leaves.
            *owed.entry(award.block).or_default() += due - award.held_gwei + award.returned_gwei;
        }
        for number in self.baseline.block + 1..=head {
            let minted = ethereum::block(self.client, number).await?.minted_gwei();
            let due = owed.get(&number).copied().unwrap_or_default();
            ensure!(minted == u128::from(due), "block {number} mints {minted} gwei instead of {due}");
        }
        let sum: u64 = owed.values().sum();
        Ok(format!("{} view blocks minted {} gwei since it was ready, as scheduled", awards.len(), sum))
    }

    /// View blocks that the blocks after the baseline awarded, up to `head`.
    async fn awards(&self, head: u64) -> Result<Vec<(ViewBlockSummary, AwardSummary)>> {
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let page = self.client.view_blocks(ViewBlockQuery { from, count: COUNT_MAX }).await?;
            let Some(oldest) = page.last().map(|made| made.view_block) else { break };
            // A whole page from before: its audits were over by then, since fewer wait at a time.
            let is_old = page.iter().all(|made| made.block <= self.baseline.block);
            found.extend(page.into_iter().filter_map(|made| made.award.map(|award| (made, award))));
            if oldest <= 1 || is_old {
                break;
            }
            from = Some(oldest - 1);
        }
        found.retain(|(_, award)| (self.baseline.block + 1..=head).contains(&award.block));
        Ok(found)
    }

    fn viewer(&self, tally: Tally) -> Outcome {
        let Tally { accepted, refused, broke, stalled_ms } = tally;
        let words =
            format!("{accepted} plays accepted, {refused} refused, {broke} rounds broken, {stalled_ms} ms still");
        let params = self.params();
        let needed = Duration::from_millis(params.cell_ms + 3 * params.slot_ms) + VIEWER_START;
        if accepted > 0 || self.ran < needed { Ok(words) } else { bail!(words) }
    }

    fn params(&self) -> &ProtocolParams {
        &self.layout.genesis.params
    }
}

fn running(processes: &[Process]) -> Outcome {
    let dead: Vec<_> = processes.iter().filter(|process| process.pid.is_none()).map(|process| &*process.name).collect();
    ensure!(dead.is_empty(), "not running: {}", dead.join(", "));
    let restarts: u32 = processes.iter().map(|process| process.restarts).sum();
    Ok(format!("{} running, {restarts} started again", processes.len()))
}

/// What the schedule pays for a view block.
fn due_gwei(params: &ProtocolParams, view_block: u64) -> u64 {
    if view_block <= params.halving_view_block { params.reward_gwei } else { params.reward_gwei / 2 }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_halves_once() {
        let params = ProtocolParams::default();
        assert_eq!(due_gwei(&params, 1), 90_000_000_000);
        assert_eq!(due_gwei(&params, 2_160_000), 90_000_000_000);
        assert_eq!(due_gwei(&params, 2_160_001), 45_000_000_000);
    }

    #[test]
    fn a_process_that_does_not_run_is_named() {
        let process = |name: &str, pid| Process {
            name: name.into(),
            role: "relay",
            listens: Vec::new(),
            log: "log".into(),
            pid,
            restarts: 1,
        };
        assert!(running(&[process("relay", Some(7))]).unwrap().contains("1 started again"));
        let error = running(&[process("relay", Some(7)), process("gateway", None)]).unwrap_err();
        assert_eq!(error.to_string(), "not running: gateway");
    }
}
