//! Runs the attacks among honest viewers, and reads from the ledger what each earned.
//!
//! ```text
//! honest viewers, each alone at home ── watching all the time ──────────────▶ stop
//! quiet attacks, some at a time ──────────────▶ loud ones, one at a time ──▶ │ ledger ─▶ verdicts
//! ```

use crate::{
    attacks::{ALL, Attack},
    attempt::{Attempt, Verdict},
    caller::{Caller, No},
    client::{Client, End},
    stage::{CAP_CELLS, Stage},
};
use anyhow::{Context as _, Result};
use chainflix_primitives::PlayId;
use chainflix_rpc::types::PlayReport;
use futures::{StreamExt as _, future::join_all, stream};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
};

/// Honest viewers that watch all the time: enough that some play of theirs ends in every slot.
const HONEST: usize = 8;
/// Quiet attacks at a time.
const WIDTH: usize = 6;

/// An account and the plays of it that somebody wants to be paid for.
type Watched = (chainflix_primitives::AccountAddress, PlayId);

/// Everything that came of a run.
pub struct Outcome {
    /// In the order of the table.
    pub verdicts: Vec<Verdict>,
    /// Honest plays, and how many of them were accepted.
    pub honest: (usize, usize),
}

/// Runs those attacks whose name contains `only`.
pub async fn run(stage: &Stage, only: Option<&str>, told: &dyn Fn(&str)) -> Result<Outcome> {
    let chosen: Vec<_> = ALL.iter().filter(|attack| only.is_none_or(|part| attack.name.contains(part))).collect();
    let (stop, honest) = (Cell::new(false), RefCell::new(Vec::new()));
    let crowd = join_all((0..HONEST).map(|_| watch_on(stage, &stop, &honest)));
    let attacks = async {
        let done = attack_all(stage, &chosen, told).await;
        stop.set(true);
        done
    };
    let (_, attempts) = futures::join!(crowd, attacks);
    let attempts = attempts?;
    stage.check_alive()?;
    let honest = honest.into_inner();
    let ledger = Ledger::read(stage, &honest, &attempts).await?;
    let verdicts = chosen.into_iter().zip(attempts).map(|(attack, attempt)| {
        let earned: Vec<_> = attempt.plays.iter().map(|play| ledger.earned_permille(play)).collect();
        Verdict::of(attack.name, attack.tries, attempt, &earned)
    });
    let verdicts = verdicts.collect();
    let accepted = honest.iter().filter(|(_, end)| *end == End::Accepted).count();
    Ok(Outcome { verdicts, honest: (honest.len(), accepted) })
}

async fn attack_all(stage: &Stage, chosen: &[&Attack], told: &dyn Fn(&str)) -> Result<Vec<Attempt>> {
    let one = async |number: usize, attack: &Attack| {
        told(attack.name);
        let attempt =
            (attack.run)(stage).await.with_context(|| format!("the attack \"{}\" broke down", attack.name))?;
        anyhow::Ok((number, attempt))
    };
    let numbered = || chosen.iter().copied().enumerate();
    let quiet: Vec<_> = stream::iter(numbered().filter(|(_, attack)| !attack.loud))
        .map(|(number, attack)| one(number, attack))
        .buffer_unordered(WIDTH)
        .collect()
        .await;
    let mut done = quiet.into_iter().collect::<Result<BTreeMap<_, _>>>()?;
    for (number, attack) in numbered().filter(|(_, attack)| attack.loud) {
        let (number, attempt) = one(number, attack).await?;
        done.insert(number, attempt);
    }
    Ok(done.into_values().collect())
}

/// One honest home: a new account for each few cells.
async fn watch_on(stage: &Stage, stop: &Cell<bool>, ends: &RefCell<Vec<(Watched, End)>>) {
    let address = stage.address();
    while !stop.get() {
        let Ok(client) = Client::at(stage, address) else { return };
        // What is beyond the creator's cap would be no measure for others.
        for index in 0..CAP_CELLS {
            if stop.get() {
                return;
            }
            match client.watch(&stage.film, index).await {
                Ok((play, end)) => ends.borrow_mut().push(((client.account(), play), end)),
                Err(no) => tracing::warn!(%no, index, "an honest viewer was sent away"),
            }
        }
    }
}

/// What plays brought, by the view block they are in.
struct Ledger {
    /// View block and coins (gwei, all roles together) of each paid play.
    plays: HashMap<PlayId, (u64, u64)>,
    /// What an honest play brought on average, by view block.
    honest: HashMap<u64, u64>,
}

impl Ledger {
    async fn read(stage: &Stage, honest: &[(Watched, End)], attempts: &[Attempt]) -> Result<Self> {
        let caller = Caller::new(stage.address(), &stage.rpcs)?;
        let mut accounts: Vec<_> = honest.iter().map(|((account, _), _)| *account).collect();
        accounts.extend(attempts.iter().flat_map(|attempt| attempt.watchers.iter().copied()));
        accounts.sort_unstable();
        accounts.dedup();
        let mut plays = HashMap::new();
        for account in accounts {
            let report = caller.account(account).await.map_err(|no: No| anyhow::anyhow!("no ledger to read: {no}"))?;
            for play in report.plays {
                let gwei = play.paid.iter().flatten().map(|part| part.gwei).sum::<u64>();
                if let (Some(id), PlayReport::Accepted { view_block }) = (play.play, play.report) {
                    plays.insert(id, (view_block, gwei));
                }
            }
        }
        let mut sums = HashMap::<u64, (u64, u64)>::new();
        for ((_, play), _) in honest {
            if let Some((view_block, gwei)) = plays.get(play) {
                let sum = sums.entry(*view_block).or_default();
                *sum = (sum.0 + gwei, sum.1 + 1);
            }
        }
        let honest = sums.into_iter().map(|(view_block, (gwei, count))| (view_block, gwei / count)).collect();
        Ok(Self { plays, honest })
    }

    /// What a play brought, in thousandths of an honest play of the same view block. Where no honest play is in that
    /// block there is nothing to compare with, and it counts as one.
    fn earned_permille(&self, play: &PlayId) -> u64 {
        let Some((view_block, gwei)) = self.plays.get(play) else { return 0 };
        match self.honest.get(view_block) {
            Some(honest) if *honest > 0 => gwei.saturating_mul(1000) / honest,
            _ => 1000,
        }
    }
}
