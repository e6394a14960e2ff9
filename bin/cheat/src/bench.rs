//! Runs the attacks among honest viewers, and reads from the ledger what each earned.
//!
//! ```text
//! honest viewers, each alone at home ── watching all the time ──────────────▶ stop
//! quiet attacks, some at a time ──────────────▶ loud ones, one at a time ──▶ │ ledger ─▶ verdicts
//! ```

use crate::{
    attacks::{ALL, Attack},
    attempt::{Attempt, Verdict},
    client::{Client, End},
    stage::{CAP_CELLS, Stage},
};
use anyhow::{Context as _, Result, ensure};
use chainflix_primitives::PlayId;
use futures::{StreamExt as _, future::join_all, stream};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
};

/// Honest viewers that watch all the time.
const HONEST: usize = 8;
/// Quiet attacks at a time.
const WIDTH: usize = 6;

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
    let ledger = Ledger::read(stage, &honest)?;
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
async fn watch_on(stage: &Stage, stop: &Cell<bool>, ends: &RefCell<Vec<(PlayId, End)>>) {
    let address = stage.address();
    while !stop.get() {
        let Ok(client) = Client::at(stage, address) else { return };
        // What is beyond the creator's cap would be no measure for others.
        for index in 0..CAP_CELLS {
            if stop.get() {
                return;
            }
            match client.watch(&stage.film, index).await {
                Ok((play, end)) => ends.borrow_mut().push((play, end)),
                Err(no) => tracing::warn!(%no, index, "an honest viewer was sent away"),
            }
        }
    }
}

/// What plays weigh in the ledger: the coins of a view block are shared by it.
struct Ledger {
    weights: HashMap<PlayId, u64>,
    /// What an honest play weighs on average.
    honest: u64,
}

impl Ledger {
    fn read(stage: &Stage, honest: &[(PlayId, End)]) -> Result<Self> {
        let weights = stage.rogue.weights();
        let honest: Vec<_> = honest.iter().filter_map(|(play, _)| weights.get(play).copied()).collect();
        ensure!(!honest.is_empty(), "no honest play was accepted: there is nothing to compare with");
        let average = honest.iter().sum::<u64>() / honest.len() as u64;
        Ok(Self { weights, honest: average.max(1) })
    }

    /// What a play weighs, in thousandths of an honest one.
    fn earned_permille(&self, play: &PlayId) -> u64 {
        self.weights.get(play).map_or(0, |weight| weight.saturating_mul(1000) / self.honest)
    }
}
