//! Leaving in order: until others have every cell, and until the registry names the provider no more.
//!
//! ```text
//! leave ─▶ others copy its cells ─▶ it withdraws from the registry ─▶ may-go
//!                                     └─ no coins, or too long: it may go all the same
//! ```

use super::{At, mode, report, wish};
use crate::output::{note, say};
use anyhow::{Result, bail};
use chainflix_node::provider::{Hindrance, ProviderMode, ProviderReport, Registration};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Pause between looks at a provider that leaves.
const LOOK: Duration = Duration::from_secs(2);
/// How long the withdrawal may take once others have every cell: longer than a transaction is waited for, and sent again.
const WITHDRAWAL_PATIENCE: Duration = Duration::from_secs(90);

/// How far a provider is that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Others need cells, or have not said yet whether they do.
    Copying,
    /// The registry names it still.
    Withdrawing,
    /// And it cannot pay for the transaction that changes it.
    Penniless,
    /// It is neither needed nor named.
    Gone,
}

impl Stage {
    fn of(report: &ProviderReport) -> Self {
        match (report.status.needed_cells, report.registration, report.hindrance) {
            (Some(0), Registration::Withdrawn, _) => Self::Gone,
            (Some(0), Registration::Registered, Some(Hindrance::NoCoins)) => Self::Penniless,
            (Some(0), ..) => Self::Withdrawing,
            _ => Self::Copying,
        }
    }

    /// What a provider that was stopped now had not done.
    fn undone(self) -> &'static str {
        match self {
            Self::Copying => "its cells were elsewhere",
            Self::Withdrawing | Self::Penniless | Self::Gone => "it had withdrawn from the registry",
        }
    }
}

/// Asks the provider to stay after all.
pub(super) async fn stay(at: &At) -> Result<()> {
    let page = at.page()?;
    let report = wish(&page, "stay").await?;
    say(format_args!("mode       {}", mode(&report)));
    Ok(())
}

/// Asks the provider to leave, and waits until it may be switched off.
pub(super) async fn exit(at: &At) -> Result<()> {
    let page = at.page()?;
    let mut latest = wish(&page, "leave").await?;
    let all = latest.status.usage.cells;
    let bar = bar(all);
    let mut withdrawing_since = None;
    loop {
        match Stage::of(&latest) {
            Stage::Gone | Stage::Penniless => break,
            Stage::Withdrawing => {
                bar.set_position(all);
                if withdrawing_since.get_or_insert_with(Instant::now).elapsed() >= WITHDRAWAL_PATIENCE {
                    break;
                }
            }
            Stage::Copying => {
                withdrawing_since = None;
                if let Some(needed) = latest.status.needed_cells {
                    bar.set_position(all.saturating_sub(needed));
                }
            }
        }
        tokio::time::sleep(LOOK).await;
        latest = look(&page, Stage::of(&latest)).await?;
    }
    bar.finish_and_clear();
    note(farewell(&latest));
    say(format_args!("may-go {}", folder(&at.config).display()));
    Ok(())
}

fn bar(cells: u64) -> ProgressBar {
    let bar = ProgressBar::new(cells).with_message("cells that others have");
    // The template is a constant, and a bad one would only look worse.
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos} of {len}  {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// How a provider does that leaves, and was at `stage` before.
async fn look(page: &str, stage: Stage) -> Result<ProviderReport> {
    let latest = match report(page).await {
        Ok(latest) => latest,
        Err(error) => bail!(error.context(format!(
            "the provider stopped before {}; start it again, and it goes on leaving",
            stage.undone()
        ))),
    };
    if latest.status.mode != ProviderMode::Leaving {
        bail!("somebody told the provider to stay after all");
    }
    Ok(latest)
}

/// What to do with a provider that others need no more.
fn farewell(report: &ProviderReport) -> String {
    if Stage::of(report) == Stage::Gone {
        return "Others have every cell, and the registry does not name the provider. Stop it, keep account.key, and delete \
                the rest when you like."
            .into();
    }
    format!(
        "Others have every cell: you may stop the provider. But it has not withdrawn from the registry: {}. While it runs, \
         also after a restart, it goes on trying; what is still held back of its pay goes, after half a year of service, \
         only to who has withdrawn. Keep account.key, and its folder until then.",
        trouble(report.hindrance)
    )
}

/// The registry's side of a report.
pub(super) fn registered(report: &ProviderReport) -> String {
    match (report.registration, Stage::of(report)) {
        (Registration::Unknown, _) => match report.hindrance {
            Some(_) => format!("not known yet: {}", trouble(report.hindrance)),
            None => "not known yet".into(),
        },
        (Registration::Missing, _) => format!("not yet: {}", trouble(report.hindrance)),
        (Registration::Registered, Stage::Copying) => "yes".into(),
        (Registration::Registered, _) => format!("yes, and not withdrawn yet: {}", trouble(report.hindrance)),
        (Registration::Withdrawn, _) => "no: it leaves, and the registry does not name it".into(),
    }
}

fn trouble(hindrance: Option<Hindrance>) -> &'static str {
    match hindrance {
        None => "the transaction is on its way",
        Some(Hindrance::NoCoins) => "the account needs a little CFX for the transaction",
        Some(Hindrance::NoValidator) => "no validator answers",
        Some(Hindrance::Failed) => "the transaction did not come through, and the provider's log says why",
    }
}

fn folder(config: &Path) -> &Path {
    config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(needed: Option<u64>, registration: &str, hindrance: Option<&str>) -> ProviderReport {
        let mut json = earlier(needed);
        json["registration"] = registration.into();
        json["hindrance"] = hindrance.into();
        serde_json::from_value(json).unwrap()
    }

    /// What a provider says that knows nothing of withdrawals.
    fn earlier(needed: Option<u64>) -> Value {
        json!({
            "account": format!("0x{}", "01".repeat(20)),
            "node": format!("0x{}", "02".repeat(32)),
            "region": "KR",
            "status": {
                "usage": {"quotaBytes": 9, "usedBytes": 1, "cells": 1},
                "delivering": 0, "deliveredBytes": 0, "receipts": 0, "mode": "leaving",
                "neededCells": needed, "scrubbedCells": 0, "damagedCells": 0,
            },
            "missingFolders": [],
            "reach": {"kind": "nowhere"},
            "registered": true,
            "struckOut": false,
            "coins": null,
            "days": [],
        })
    }

    #[test]
    fn it_goes_when_it_is_neither_needed_nor_named_or_cannot_pay() {
        for (needed, registration, hindrance, stage) in [
            (None, "registered", None, Stage::Copying),
            (Some(2), "registered", Some("no-coins"), Stage::Copying),
            // Withdrawn in an earlier run: the controllers have to answer all the same.
            (None, "withdrawn", None, Stage::Copying),
            (Some(0), "unknown", Some("no-validator"), Stage::Withdrawing),
            // It was never registered, and has not noticed the wish yet: nothing keeps it.
            (Some(0), "missing", Some("no-coins"), Stage::Withdrawing),
            (Some(0), "registered", None, Stage::Withdrawing),
            (Some(0), "registered", Some("failed"), Stage::Withdrawing),
            (Some(0), "registered", Some("no-coins"), Stage::Penniless),
            (Some(0), "withdrawn", None, Stage::Gone),
        ] {
            assert_eq!(
                Stage::of(&told(needed, registration, hindrance)),
                stage,
                "{needed:?} {registration} {hindrance:?}"
            );
        }
        let earlier: ProviderReport = serde_json::from_value(earlier(Some(0))).unwrap();
        assert_eq!(Stage::of(&earlier), Stage::Withdrawing);
    }

    #[test]
    fn who_is_still_named_hears_what_that_costs() {
        assert!(!farewell(&told(Some(0), "withdrawn", None)).contains("pay"));
        let poor = farewell(&told(Some(0), "registered", Some("no-coins")));
        assert!(
            poor.contains("you may stop") && poor.contains("needs a little CFX") && poor.contains("held back"),
            "{poor}"
        );
    }

    #[test]
    fn the_registry_is_told_in_words() {
        for (needed, registration, hindrance, words) in [
            (None, "unknown", None, "not known yet"),
            (None, "unknown", Some("no-validator"), "not known yet: no validator answers"),
            (None, "missing", Some("no-coins"), "not yet: the account needs a little CFX for the transaction"),
            (None, "missing", None, "not yet: the transaction is on its way"),
            (Some(3), "registered", None, "yes"),
            (Some(0), "registered", None, "yes, and not withdrawn yet: the transaction is on its way"),
            (Some(0), "withdrawn", None, "no: it leaves, and the registry does not name it"),
        ] {
            assert_eq!(registered(&told(needed, registration, hindrance)), words);
        }
    }
}
