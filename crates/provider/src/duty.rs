//! What a provider is ready to do now: by the hour, and by its owner's wish to leave.

use crate::uplink::QuietHours;
use chainflix_overlay::{Clock, control::ProviderMode};
use chainflix_primitives::NodeId;
use chrono::{Local, TimeZone as _};
use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Shared by all that ask whether to begin something.
#[derive(Debug)]
pub(crate) struct Duty {
    quiet_hours: Option<QuietHours>,
    leaving: AtomicBool,
    controllers: Vec<NodeId>,
    /// How many cells each controller says are needed yet.
    needed: Mutex<HashMap<NodeId, u64>>,
    clock: Clock,
}

impl Duty {
    pub fn new(quiet_hours: Option<QuietHours>, controllers: Vec<NodeId>, clock: Clock) -> Self {
        Self { quiet_hours, leaving: AtomicBool::new(false), controllers, needed: Mutex::default(), clock }
    }

    /// Who leaves does so in quiet hours, too: others wait for it.
    pub fn mode(&self) -> ProviderMode {
        if self.leaving.load(Ordering::Relaxed) {
            return ProviderMode::Leaving;
        }
        // A clock beyond what a calendar holds has no hours.
        let now_ms = i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX);
        let time = Local.timestamp_millis_opt(now_ms).earliest().map(|now| now.time());
        let quiet = self.quiet_hours.zip(time).is_some_and(|(hours, time)| hours.contain(time));
        if quiet { ProviderMode::Quiet } else { ProviderMode::Open }
    }

    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// A controller's answer to the heartbeat of a provider that leaves.
    pub fn heard(&self, controller: NodeId, needed: Option<u64>) {
        let mut known = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        match needed {
            Some(cells) => _ = known.insert(controller, cells),
            None => _ = known.remove(&controller),
        }
    }

    /// The most that any controller says; `None` until all of them have said it.
    pub fn needed_cells(&self) -> Option<u64> {
        let known = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Option<Vec<u64>> = self.controllers.iter().map(|controller| known.get(controller).copied()).collect();
        said.filter(|_| self.leaving.load(Ordering::Relaxed))?.into_iter().max()
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
        let duty = Duty::new(Some(hours), controllers.clone(), Clock::by_hand(now_ms.clone()));
        assert_eq!(duty.mode(), ProviderMode::Quiet);
        now_ms.store(at(6, 0), Ordering::Relaxed);
        assert_eq!(duty.mode(), ProviderMode::Open);
        duty.leave();
        assert_eq!((duty.mode(), duty.needed_cells()), (ProviderMode::Leaving, None));
        duty.heard(controllers[0], Some(3));
        assert_eq!(duty.needed_cells(), None, "the other one has not said anything");
        duty.heard(controllers[1], Some(0));
        assert_eq!(duty.needed_cells(), Some(3));
        duty.heard(controllers[0], Some(0));
        assert_eq!(duty.needed_cells(), Some(0));
    }
}
