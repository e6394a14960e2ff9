//! The table for people, the part of `docs/security.md`, and the JSON for programs.

use crate::{attempt::Verdict, bench::Outcome};
use serde_json::{Value, json};

/// The table as Markdown.
pub fn table(outcome: &Outcome) -> String {
    let mut table = String::from(
        "| attack | what it tries | accounts, minutes | what the network said | earned, of an honest minute | \
         downloaded | paid |\n|---|---|--:|---|--:|--:|---|\n",
    );
    for verdict in &outcome.verdicts {
        table.push_str(&row(verdict));
    }
    table
}

fn row(verdict: &Verdict) -> String {
    let said = match verdict.stopped_by.as_slice() {
        [] => "nothing: weighs as it does".to_owned(),
        // The rarest ones are noise of the run.
        answers => answers.iter().take(4).cloned().collect::<Vec<_>>().join(", "),
    };
    let hurt = match (verdict.honest_plays, verdict.honest_hurt) {
        (0, _) => String::new(),
        (_, 0) => "; the honest viewer beside it was paid".to_owned(),
        (_, _) => "; **an honest viewer beside it was not paid**".to_owned(),
    };
    let earned = if verdict.minutes == 0 { "–".to_owned() } else { share(verdict.earned_permille) };
    let downloaded = if verdict.minutes == 0 { "–".to_owned() } else { share(verdict.downloaded_permille) };
    let paid = if verdict.paid { "**yes**" } else { "no" };
    format!(
        "| {} | {} | {}, {} | {said}{hurt} | {earned} | {downloaded} | {paid} |\n",
        verdict.attack, verdict.tried, verdict.accounts, verdict.minutes
    )
}

fn share(permille: u64) -> String {
    format!("{}.{:02}", permille / 1000, permille % 1000 / 10)
}

/// The figures.
pub fn json(outcome: &Outcome) -> Value {
    let (watched, accepted) = outcome.honest;
    json!({
        "attacks": outcome.verdicts.len(),
        "attacks_that_paid": outcome.verdicts.iter().filter(|verdict| verdict.paid).count(),
        "honest_plays": watched,
        "honest_plays_accepted": accepted,
        "verdicts": outcome.verdicts,
    })
}
