//! Carries out what the census orders: copies and audits side by side, deletions one after the other.
//!
//! ```text
//! tick, or a copy ended ─▶ registry: time passes, orders ─▶ copies: each waits for its start ─▶ get, put
//!                                                       ├▶ stripes: the same ─▶ get four, put what is missing
//!                                                       ├▶ deletions: still a surplus? ─▶ delete
//!                                                       └▶ audits: show ─▶ right, wrong, or not in time
//! ```
//!
//! Copies are promised in the picture from the moment they are ordered, so nothing is ordered twice. Deletions are not: while
//! some run, new ones are left for a later tick.

use crate::{
    audit,
    copy::{self, CopyJob},
    rebuild,
    registry::Registry,
};
use chainflix_overlay::{Clock, Dialer, control::HeldCell, store::delete_cell};
use chainflix_placement::{
    repair::{CopyOrder, RebuildOrder},
    trim::DropOrder,
};
use std::time::Duration;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{info, warn};

/// How long a copy that failed keeps its place among those that are made at a time.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// How much of a kind is done at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtATime {
    pub copies: usize,
    pub rebuilds: usize,
    pub audits: usize,
}

/// What a worker works with.
#[derive(Clone)]
pub(crate) struct Worker {
    pub registry: Registry,
    pub dialer: Dialer,
    pub clock: Clock,
}

impl Worker {
    /// Asks for orders and carries them out until it is aborted.
    pub(crate) async fn run(self, every: Duration, most: AtATime) {
        let (mut copying, mut rebuilding) = (JoinSet::new(), JoinSet::new());
        let (mut dropping, mut auditing) = (JoinSet::new(), JoinSet::new());
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                // A copy that ended makes room for the next one at once.
                Some(_) = copying.join_next() => {}
                Some(_) = rebuilding.join_next() => {}
                Some(_) = dropping.join_next() => {}
            }
            while auditing.try_join_next().is_some() {}
            let copies = most.copies.saturating_sub(copying.len());
            let rebuilds = most.rebuilds.saturating_sub(rebuilding.len());
            let audits = most.audits.saturating_sub(auditing.len());
            let ordered = self.registry.step(move |state, now_ms| {
                state.census.tick(now_ms);
                // What is ordered without a seed would differ from controller to controller.
                let Some(seed) = state.seed else { return Default::default() };
                let orders = state.census.orders(now_ms, &seed, copies, rebuilds);
                (orders, state.census.audits(now_ms, &seed, audits))
            });
            let Ok((orders, audits)) = ordered.await else { return };
            for audit in audits {
                auditing.spawn(audit::run(self.registry.clone(), self.dialer.clone(), self.clock.clone(), audit));
            }
            for order in orders.copies {
                copying.spawn(self.clone().copy(order));
            }
            for order in orders.rebuilds {
                rebuilding.spawn(self.clone().rebuild(order));
            }
            if dropping.is_empty() && !orders.drops.is_empty() {
                dropping.spawn(self.clone().delete(orders.drops));
            }
        }
    }

    async fn copy(self, order: CopyOrder) {
        // Its lines are taken by others until then.
        sleep(Duration::from_millis(order.start_ms.saturating_sub(self.clock.now_ms()))).await;
        let cell = HeldCell { cell: order.cell, size: order.size.into() };
        if !copy::run(&self.registry, &self.dialer, CopyJob { cell, from: order.from, to: order.to }).await {
            // It is ordered again at the next tick, and not as fast as it can be refused.
            sleep(FAILED_PAUSE).await;
        }
    }

    async fn rebuild(self, order: RebuildOrder) {
        sleep(Duration::from_millis(order.start_ms.saturating_sub(self.clock.now_ms()))).await;
        if !rebuild::run(&self.registry, &self.dialer, order).await {
            sleep(FAILED_PAUSE).await;
        }
    }

    async fn delete(self, orders: Vec<DropOrder>) {
        for order @ DropOrder { cell, node } in orders {
            // Others may have lost theirs while we were busy.
            let may_drop = self.registry.step(move |state, now_ms| state.census.may_drop(&order, now_ms)).await;
            if may_drop != Ok(true) {
                continue;
            }
            match delete_cell(&self.dialer, node, cell).await {
                Ok(()) => {
                    info!(%cell, provider = %node, "a copy that nobody needs is deleted");
                    // A registry that stopped has no list to strike this from.
                    let _ = self.registry.step(move |state, now_ms| state.census.lost(&node, &cell, now_ms)).await;
                }
                Err(error) => warn!(%cell, provider = %node, %error, "a copy could not be deleted"),
            }
        }
    }
}
