//! Records of providers over a restart: taken along, and waiting for who comes back.
//!
//! ```text
//! before:  entries ─▶ Remembered       after:  Remembered ─▶ absent ── whole inventory ─▶ entries
//!                                                         └── silent for a week, or not better in time ─▶ gone
//! ```
//!
//! Absent providers are judged on as if they were on the books: who does not come back is silent. Bounded by the places for
//! providers; where there are more, those that are silent the longest are not taken along.

use super::Census;
use crate::memory::{KnownProvider, Remembered};
use chainflix_placement::reputation::{Change, Reputation};
use chainflix_primitives::{AccountAddress, NodeId};
use std::cmp::Reverse;

/// A provider that was known before the restart and has not come back yet.
#[derive(Debug)]
pub(super) struct Absent {
    account: AccountAddress,
    pub reputation: Reputation,
}

impl Census {
    /// Trusts providers, and knows films, as before a restart, from `now_ms` on.
    pub fn recall(&mut self, before: Remembered, now_ms: u64) {
        for KnownProvider { node, account, reputation } in before.providers {
            if self.absent.len() < self.config.picture.providers_max {
                self.absent.insert(node, Absent { account, reputation: reputation.resumed(now_ms) });
            }
        }
        before.out.into_iter().for_each(|(account, again_ms)| self.bar(account, again_ms));
        self.recall_films(before.films, now_ms.saturating_sub(before.at_ms));
    }

    /// Whom it trusts how far at `now_ms`, and which films are quiet, to be recalled after a restart.
    pub fn remember(&mut self, now_ms: u64) -> Remembered {
        self.tick(now_ms);
        let present = self.entries.iter().filter_map(|(node, entry)| {
            let reputation = entry.reputation.clone()?;
            Some(KnownProvider { node: *node, account: entry.card.body.account, reputation })
        });
        let mut providers: Vec<KnownProvider> = present.collect();
        let mut absent: Vec<(&NodeId, &Absent)> = self.absent.iter().collect();
        absent.sort_by_key(|(_, absent)| Reverse(absent.reputation.heard_ms()));
        absent.truncate(self.config.picture.providers_max.saturating_sub(providers.len()));
        providers.extend(absent.into_iter().map(|(node, absent)| {
            let (account, reputation) = (absent.account, absent.reputation.clone());
            KnownProvider { node: *node, account, reputation }
        }));
        let mut out: Vec<(AccountAddress, u64)> = self.out.iter().map(|(account, until)| (*account, *until)).collect();
        out.sort_unstable_by_key(|(account, _)| account.0);
        Remembered { providers, out, films: self.quiet_films(), at_ms: now_ms }
    }

    /// Lets time pass for those who have not come back.
    pub(super) fn judge_absent(&mut self, now_ms: u64) {
        let rules = self.config.reputation;
        let mut barred = Vec::new();
        self.absent.retain(|_, absent| {
            let changes = absent.reputation.tick(now_ms, &rules);
            changes.into_iter().all(|change| match change {
                Change::Disqualified { again_ms } => {
                    barred.push((absent.account, again_ms));
                    false
                }
                Change::Forgotten => false,
                _ => true,
            })
        });
        barred.into_iter().for_each(|(account, again_ms)| self.bar(account, again_ms));
    }
}
