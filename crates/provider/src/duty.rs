//! What a provider is ready to do now: by the hour, by its owner's wish to leave, and by what it can read.

use crate::uplink::QuietHours;
use chainflix_overlay::{Clock, control::ProviderMode};
use chainflix_primitives::NodeId;
use chrono::{Local, TimeZone as _};
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// How long a controller's answer counts, and how long one that says nothing is waited for: several heartbeats.
const ANSWER_MS: u64 = 60_000;

/// Shared by all that ask whether to begin something.
#[derive(Debug)]
pub(crate) struct Duty {
    quiet_hours: Option<QuietHours>,
    controllers: Vec<NodeId>,
    wish: Mutex<Wish>,
    /// Nothing that it holds can be read for now.
    unable: AtomicBool,
    clock: Clock,
}

/// Whether the owner wants to leave, and what came of it.
#[derive(Debug, Default)]
struct Wish {
    leaving: bool,
    /// Grows with every change of mind: what a controller answered to an earlier wish says nothing about this one.
    number: u64,
    /// Since when.
    since_ms: u64,
    /// How many cells each controller says are needed yet, and when it said so.
    needed: HashMap<NodeId, (u64, u64)>,
}

impl Duty {
    /// `leaving` is what the owner wished before the last restart.
    pub fn new(quiet_hours: Option<QuietHours>, controllers: Vec<NodeId>, leaving: bool, clock: Clock) -> Self {
        let wish = Mutex::new(Wish { leaving, since_ms: clock.now_ms(), ..Wish::default() });
        Self { quiet_hours, controllers, wish, unable: AtomicBool::new(false), clock }
    }

    /// Who leaves does so in quiet hours, too: others wait for it. Who cannot read what it holds is quiet: its copies count
    /// for now, and nobody is sent to it.
    pub fn mode(&self) -> ProviderMode {
        if self.wish().leaving {
            return ProviderMode::Leaving;
        }
        // A clock beyond what a calendar holds has no hours.
        let now_ms = i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX);
        let time = Local.timestamp_millis_opt(now_ms).earliest().map(|now| now.time());
        let quiet = self.quiet_hours.zip(time).is_some_and(|(hours, time)| hours.contain(time));
        if quiet || self.unable.load(Ordering::Relaxed) { ProviderMode::Quiet } else { ProviderMode::Open }
    }

    /// The owner wants to leave, or to stay after all.
    pub fn set_leaving(&self, leaving: bool) {
        let (mut wish, since_ms) = (self.wish(), self.clock.now_ms());
        if wish.leaving != leaving {
            *wish = Wish { leaving, number: wish.number + 1, since_ms, needed: HashMap::new() };
        }
    }

    /// Whether nothing that it holds can be read for now.
    pub fn set_unable(&self, unable: bool) {
        self.unable.store(unable, Ordering::Relaxed);
    }

    /// The number of the wish to leave; `None` for who stays.
    pub fn leaving(&self) -> Option<u64> {
        let wish = self.wish();
        wish.leaving.then_some(wish.number)
    }

    /// A controller's answer to the heartbeat of a provider that leaves, by the wish of that number.
    pub fn heard(&self, controller: NodeId, number: u64, needed: Option<u64>) {
        let (mut wish, now_ms) = (self.wish(), self.clock.now_ms());
        if wish.number != number {
            return;
        }
        match needed {
            Some(cells) => _ = wish.needed.insert(controller, (cells, now_ms)),
            None => _ = wish.needed.remove(&controller),
        }
    }

    /// The most that any controller says; `None` for who stays, and until all have said it. Each has the whole picture, so one that
    /// is silent for a minute is not waited for any longer: as long as another one answers.
    pub fn needed_cells(&self) -> Option<u64> {
        let (wish, now_ms) = (self.wish(), self.clock.now_ms());
        let is_young = |ms: u64| now_ms.saturating_sub(ms) < ANSWER_MS;
        let answer = |controller| wish.needed.get(controller).filter(|(_, said_ms)| is_young(*said_ms));
        let said: Vec<u64> = self.controllers.iter().filter_map(answer).map(|(cells, _)| *cells).collect();
        let is_waited_for = is_young(wish.since_ms) && said.len() < self.controllers.len();
        said.into_iter().max().filter(|_| wish.leaving && !is_waited_for)
    }

    fn wish(&self) -> MutexGuard<'_, Wish> {
        // Every step leaves it whole, so a panic elsewhere does not spoil it.
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, atomic::AtomicU64};

    #[test]
    fn the_hour_decides_until_the_owner_leaves() {
        let at = |hour, minute| {
            let day = Local.with_ymd_and_hms(2026, 11, 22, hour, minute, 0).earliest().unwrap();
            u64::try_from(day.timestamp_millis()).unwrap()
        };
        let now_ms = Arc::new(AtomicU64::new(at(23, 0)));
        let hours = "22:30-06:00".parse().unwrap();
        let controllers = vec![NodeId([1; 32]), NodeId([2; 32])];
        let duty = Duty::new(Some(hours), controllers.clone(), false, Clock::by_hand(now_ms.clone()));
        assert_eq!((duty.mode(), duty.leaving()), (ProviderMode::Quiet, None));
        now_ms.store(at(6, 0), Ordering::Relaxed);
        assert_eq!(duty.mode(), ProviderMode::Open);
        duty.set_unable(true);
        assert_eq!(duty.mode(), ProviderMode::Quiet);
        duty.set_unable(false);
        assert_eq!(duty.mode(), ProviderMode::Open);
        duty.set_leaving(true);
        assert_eq!((duty.mode(), duty.needed_cells()), (ProviderMode::Leaving, None));
        let wish = duty.leaving().unwrap();
        duty.heard(controllers[0], wish, Some(3));
        assert_eq!(duty.needed_cells(), None, "the other one has not said anything");
        duty.heard(controllers[1], wish, Some(0));
        assert_eq!(duty.needed_cells(), Some(3));
        duty.heard(controllers[0], wish, Some(0));
        assert_eq!(duty.needed_cells(), Some(0));
    }

    #[test]
    fn a_dead_controller_keeps_nobody() {
        let (now_ms, controllers) = (Arc::new(AtomicU64::new(5_000)), vec![NodeId([1; 32]), NodeId([2; 32])]);
        let duty = Duty::new(None, controllers.clone(), false, Clock::by_hand(now_ms.clone()));
        duty.set_leaving(true);
        let wish = duty.leaving().unwrap();
        // One answers every ten seconds. The other one says once that much is needed, and dies.
        duty.heard(controllers[1], wish, Some(9));
        for since_ms in (0..=100_000).step_by(10_000) {
            now_ms.store(5_000 + since_ms, Ordering::Relaxed);
            duty.heard(controllers[0], wish, Some(0));
            assert_eq!(duty.needed_cells(), Some(if since_ms < ANSWER_MS { 9 } else { 0 }), "after {since_ms} ms");
        }
        // Nor does one that never answered, once the wish is a minute old; but somebody must have.
        duty.set_leaving(false);
        duty.set_leaving(true);
        let wish = duty.leaving().unwrap();
        duty.heard(controllers[0], wish, Some(0));
        assert_eq!(duty.needed_cells(), None);
        now_ms.fetch_add(ANSWER_MS, Ordering::Relaxed);
        assert_eq!(duty.needed_cells(), None, "both are silent");
        duty.heard(controllers[0], wish, Some(0));
        assert_eq!(duty.needed_cells(), Some(0));
    }

    #[test]
    fn an_answer_to_an_earlier_wish_lets_nobody_go() {
        let controller = NodeId([1; 32]);
        let clock = Clock::by_hand(Arc::new(AtomicU64::new(0)));
        let duty = Duty::new(None, vec![controller], true, clock);
        let earlier = duty.leaving().unwrap();
        duty.heard(controller, earlier, Some(0));
        assert_eq!((duty.mode(), duty.needed_cells()), (ProviderMode::Leaving, Some(0)), "as before the restart");
        duty.set_leaving(false);
        assert_eq!((duty.mode(), duty.needed_cells()), (ProviderMode::Open, None));
        duty.set_leaving(true);
        duty.heard(controller, earlier, Some(0));
        assert_eq!(duty.needed_cells(), None);
    }
}
