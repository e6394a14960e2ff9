//! Keeps one controller informed: announce, inventory, then heartbeats and changes, until it forgets us.
//!
//! ```text
//!          ┌────────────────────────────── error, or "unknown" ──────────────┐
//!          ▼                                                                 │
//! pause (grows) ─▶ announce ─▶ inventory pages ─▶ heartbeat every … ─────────┤
//!                                                 changes as they come ──────┘
//! ```
//!
//! The listener for changes starts before the inventory is read, so nothing falls between. Falling behind by more
//! changes than the store keeps means a new announcement.

use crate::{
    duty::Duty,
    store::{Store, StoreChange},
};
use chainflix_overlay::{
    Clock, Dialer,
    control::{
        self, Announcement, Changes, ControlError, Heartbeat, InventoryPage, PAGE_CELLS_MAX, ProviderCard,
        ProviderWords,
    },
};
use chainflix_primitives::{NodeId, Signed};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{debug, info};

/// First pause after a failure; doubled each time.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Announcer {
    pub controller: NodeId,
    pub card: Signed<ProviderCard>,
    pub uplink_bytes_per_s: u64,
    pub site: String,
    pub store: Arc<Store>,
    pub duty: Arc<Duty>,
    pub dialer: Dialer,
    pub heartbeat: Duration,
    pub clock: Clock,
}

/// How far an announcement is: what its next words are numbered with.
struct Course {
    sequence: u64,
    number: u64,
    at_ms: u64,
}

impl Announcer {
    /// Runs until it is aborted.
    pub(crate) async fn run(self) {
        let mut course = Course { sequence: 0, number: 0, at_ms: 0 };
        let mut pause = PAUSE;
        loop {
            course.sequence = self.clock.now_ms().max(course.sequence + 1);
            let mut changes = self.store.changes();
            match self.enter(&mut course).await {
                Ok(()) => {
                    info!(controller = %self.controller, "announced");
                    // Who did not know us does not know where we are either.
                    self.dialer.publish_again();
                    pause = PAUSE;
                    let error = self.stay(&mut course, &mut changes).await;
                    debug!(controller = %self.controller, ?error, "announcing again");
                }
                Err(error) => debug!(controller = %self.controller, %error, "not announced yet"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn enter(&self, course: &mut Course) -> Result<(), ControlError> {
        let usage = self.store.usage();
        let words = Announcement {
            card: self.card.clone(),
            sequence: course.sequence,
            quota_bytes: usage.quota_bytes,
            used_bytes: usage.used_bytes,
            uplink_bytes_per_s: self.uplink_bytes_per_s,
            site: self.site.clone(),
        };
        self.say(course, ProviderWords::Announce(words)).await?;
        let cells = self.store.cells();
        let mut pages = cells.chunks(PAGE_CELLS_MAX).peekable();
        if pages.peek().is_none() {
            return self.page(course, &[], true).await;
        }
        while let Some(page) = pages.next() {
            self.page(course, page, pages.peek().is_none()).await?;
        }
        Ok(())
    }

    async fn page(&self, course: &mut Course, cells: &[control::HeldCell], last: bool) -> Result<(), ControlError> {
        let page = InventoryPage { sequence: course.sequence, cells: cells.to_vec(), last };
        self.say(course, ProviderWords::Inventory(page)).await.map(|_| ())
    }

    /// Says the next words of an announcement. Words that failed leave a gap, which is told by a new announcement.
    async fn say(&self, course: &mut Course, words: ProviderWords) -> Result<Option<u64>, ControlError> {
        course.number = match &words {
            ProviderWords::Announce(_) => 0,
            ProviderWords::Inventory(_) | ProviderWords::Changes(_) => course.number + 1,
            ProviderWords::Heartbeat(_) => course.number,
        };
        course.at_ms = self.clock.now_ms().max(course.at_ms + 1);
        control::tell(&self.dialer, self.controller, self.dialer.sign(course.number, course.at_ms, words)).await
    }

    /// Returns why it had to leave; `None` where it fell behind.
    async fn stay(&self, course: &mut Course, changes: &mut Receiver<StoreChange>) -> Option<ControlError> {
        let mut ticks = interval(self.heartbeat);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                _ = ticks.tick() => self.beat(course).await,
                change = changes.recv() => match change {
                    Ok(first) => self.tell(course, first, changes).await,
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
                },
            };
            if let Err(error) = told {
                return Some(error);
            }
        }
    }

    async fn beat(&self, course: &mut Course) -> Result<(), ControlError> {
        let usage = self.store.usage();
        let (mode, leaving) = (self.duty.mode(), self.duty.leaving());
        let words =
            Heartbeat { sequence: course.sequence, mode, quota_bytes: usage.quota_bytes, used_bytes: usage.used_bytes };
        let needed = self.say(course, ProviderWords::Heartbeat(words)).await?;
        if let Some(wish) = leaving {
            self.duty.heard(self.controller, wish, needed);
        }
        Ok(())
    }

    /// Tells a change and whatever else has changed meanwhile. A cell that came and went is told as it is now.
    async fn tell(
        &self,
        course: &mut Course,
        first: StoreChange,
        changes: &mut Receiver<StoreChange>,
    ) -> Result<(), ControlError> {
        let mut told = Changes { sequence: course.sequence, gained: Vec::new(), lost: Vec::new() };
        let mut next = Some(first);
        let mut count = 0;
        while let Some(change) = next {
            match change {
                StoreChange::Gained(held) => {
                    told.lost.retain(|lost| *lost != held.cell);
                    told.gained.push(held);
                }
                StoreChange::Lost(cell) => {
                    told.gained.retain(|held| held.cell != cell);
                    told.lost.push(cell);
                }
            }
            count += 1;
            // Falling behind shows at the next `recv`, which then reports it.
            next = if count < PAGE_CELLS_MAX { changes.try_recv().ok() } else { None };
        }
        self.say(course, ProviderWords::Changes(told)).await.map(|_| ())
    }
}
