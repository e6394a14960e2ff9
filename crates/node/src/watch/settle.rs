//! Hands in proofs, follows plays until they are paid or refused, and opens those that the audit draws.
//!
//! ```text
//! play ── finished ──▶ proof handed in ─┬─▶ refused: told, and forgotten
//!                                       └─▶ proved ─ looks, each block ─┬─▶ accepted, or refused: likewise
//!                                                                       └─▶ auditing: opening handed in
//! ```
//!
//! It runs beside the film, because neither votes nor audits wait for the end of a cell, and no cell for them. At most
//! [`FOLLOWED_MAX`] plays are followed, each with its opening (about 100 KiB); the oldest is let go for another.

use super::{Events, WatchEvent, Watching};
use crate::now_ms;
use anyhow::{Context as _, Result};
use chainflix_primitives::{Opening, PlayData, PlayId, ProtocolParams, Receipt, Signed};
use chainflix_rpc::types::{DisputeReport, PlayReport};
use chainflix_viewer::Playback;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::{Mutex, mpsc};

/// Most plays that are followed at a time.
const FOLLOWED_MAX: usize = 32;
/// How often a proof is handed in while the other side's receipt is missing or another, and the pause between.
const PROOFS: u32 = 4;
const PROOF_PAUSE_MS: u64 = 750;
/// How long what became of the last plays is waited for: some slots, and some time for blocks to come.
const VOTE_SLOTS: u64 = 4;
const VOTE_MS: u64 = 15_000;
/// An opening that brought no verdict is handed in again after so long: it may have been lost between validators.
const OPEN_AGAIN_MS: u64 = 10_000;

/// A play that was watched to its end.
pub(super) struct Finished {
    pub index: u32,
    pub play: PlayId,
    pub proof: Signed<PlayData>,
    pub opening: Signed<Opening>,
    /// What this viewer signed for.
    pub receipts: Vec<Receipt>,
    /// The cell, in case the provider signed for something else.
    pub playback: Arc<Mutex<Playback>>,
}

/// What came of all plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub proved: u32,
    pub opened: u32,
    pub accepted: u32,
}

struct Followed {
    index: u32,
    play: PlayId,
    opening: Signed<Opening>,
    opened_ms: Option<u64>,
}

struct Unproved {
    finished: Finished,
    tries: u32,
    next_ms: u64,
}

/// Follows what comes in by `finished` until that is closed and everything is known, or waited for long enough.
pub(super) async fn follow(
    watching: &Watching,
    mut finished: mpsc::Receiver<Finished>,
    events: Events<'_>,
) -> Result<Outcome> {
    let params = &watching.viewer.genesis().params;
    let mut follower =
        Follower { watching, unproved: Vec::new(), proved: VecDeque::new(), outcome: Outcome::default() };
    let mut looks = tokio::time::interval(Duration::from_millis(params.block_ms.div_ceil(2)));
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut until_ms = None;
    loop {
        tokio::select! {
            next = finished.recv(), if until_ms.is_none() => match next {
                Some(finished) => {
                    follower.unproved.push(Unproved { finished, tries: 0, next_ms: 0 });
                    follower.prove(events).await?;
                }
                None => until_ms = Some(now_ms() + patience_ms(params)),
            },
            _ = looks.tick() => {
                follower.prove(events).await?;
                follower.look(events).await;
            }
        }
        if until_ms.is_some_and(|until_ms| follower.is_idle() || now_ms() >= until_ms) {
            return Ok(follower.outcome);
        }
    }
}

fn patience_ms(params: &ProtocolParams) -> u64 {
    VOTE_SLOTS * params.slot_ms + 2 * params.audit.answer_ms + VOTE_MS
}

struct Follower<'a> {
    watching: &'a Watching,
    unproved: Vec<Unproved>,
    proved: VecDeque<Followed>,
    outcome: Outcome,
}

impl Follower<'_> {
    fn is_idle(&self) -> bool {
        self.unproved.is_empty() && self.proved.is_empty()
    }

    /// Hands in the proofs that are due. A receipt that is missing may still come, and one that differs may be proved:
    /// until the play's time is over the proof is worth another try.
    async fn prove(&mut self, events: Events<'_>) -> Result<()> {
        let (due, later) = std::mem::take(&mut self.unproved).into_iter().partition(|play| play.next_ms <= now_ms());
        self.unproved = later;
        for mut play in due {
            let Finished { index, .. } = play.finished;
            let Err(error) = self.watching.client.submit_proof(&play.finished.proof).await else {
                events(WatchEvent::Proved { index });
                self.add(play.finished);
                continue;
            };
            let Some(refused) = error.refusal() else { return Err(error).context("the proof reaches no validator") };
            play.tries += 1;
            match refused.code.as_str() {
                "receipts-missing" | "receipts-differ" if play.tries < PROOFS => {
                    if refused.code == "receipts-differ" {
                        self.show_evidence(&play.finished).await;
                    }
                    play.next_ms = now_ms() + PROOF_PAUSE_MS;
                    self.unproved.push(play);
                }
                _ => {
                    let (code, message) = (refused.code.clone(), refused.message.clone());
                    events(WatchEvent::Refused { index, code, message });
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, finished: Finished) {
        let Finished { index, play, opening, .. } = finished;
        self.outcome.proved += 1;
        if self.proved.len() >= FOLLOWED_MAX {
            self.proved.pop_front();
        }
        self.proved.push_back(Followed { index, play, opening, opened_ms: None });
    }

    /// Proves this viewer's receipts, where the provider signed for something else.
    async fn show_evidence(&self, finished: &Finished) {
        for receipt in &finished.receipts {
            let mut chunk = None;
            // Once to show the hashes, and once more to open the chunk at which the two differ.
            for _ in 0..2 {
                let Ok(evidence) = finished.playback.lock().await.evidence(receipt, chunk) else { break };
                match self.watching.client.submit_evidence(&evidence).await {
                    Ok(DisputeReport::Open { chunk: disputed }) => chunk = Some(disputed),
                    Ok(state) => {
                        tracing::info!(cell = finished.index, ?state, "a dispute about a delivery");
                        break;
                    }
                    Err(error) => {
                        tracing::debug!(cell = finished.index, %error, "no dispute about this delivery");
                        break;
                    }
                }
            }
        }
    }

    /// Looks once at every play that is proved.
    async fn look(&mut self, events: Events<'_>) {
        for mut followed in std::mem::take(&mut self.proved) {
            let index = followed.index;
            match self.watching.client.play(followed.play).await {
                Ok(PlayReport::Accepted { view_block }) => {
                    self.outcome.accepted += 1;
                    events(WatchEvent::Accepted { index, view_block });
                }
                Ok(PlayReport::Refused { code, message }) => events(WatchEvent::Refused { index, code, message }),
                Ok(PlayReport::Auditing { .. }) => {
                    self.answer(&mut followed, events).await;
                    self.proved.push_back(followed);
                }
                // A validator that does not know the play may not have heard of it yet.
                Ok(_) | Err(_) => self.proved.push_back(followed),
            }
        }
    }

    async fn answer(&mut self, followed: &mut Followed, events: Events<'_>) {
        if followed.opened_ms.is_some_and(|opened_ms| now_ms() < opened_ms + OPEN_AGAIN_MS) {
            return;
        }
        let index = followed.index;
        match self.watching.client.submit_opening(&followed.opening).await {
            Ok(()) => {
                if followed.opened_ms.replace(now_ms()).is_none() {
                    self.outcome.opened += 1;
                    events(WatchEvent::Opened { index });
                }
            }
            Err(error) => tracing::warn!(cell = index, %error, "an opening is not taken"),
        }
    }
}
