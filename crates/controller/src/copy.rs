//! Repair: one cell from a holder to a provider that lacks it, through this process.
//!
//! ```text
//! holder ── sealed bytes ──▶ controller ── same bytes ──▶ target: verifies, stores
//! ```
//!
//! A frame is in memory at a time. Wrong bytes are the holder's fault, for the target checks the name: the holder's copy
//! is struck from the census and the cell stays short, so the next round uses another holder.

use crate::{census::CopyJob, registry::Registry};
use chainflix_overlay::{
    Dialer,
    store::{StoreError, StoreRefusal, get_cell, put_cell},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};

/// Plans and makes copies until it is aborted.
pub(crate) async fn repair(registry: Registry, dialer: Dialer, every: Duration, copies_max: usize) {
    let slots = Arc::new(Semaphore::new(copies_max));
    let mut running = JoinSet::new();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            // A copy that ended makes room for the next one at once.
            Some(_) = running.join_next() => {}
        }
        let free = slots.available_permits();
        let planned = registry.step(move |state, now_ms| {
            state.census.tick(now_ms);
            state.census.copies(free, now_ms)
        });
        let Ok(jobs) = planned.await else { return };
        for job in jobs {
            let (registry, dialer) = (registry.clone(), dialer.clone());
            // As many jobs as permits were asked for, and only this task takes permits.
            let Ok(permit) = slots.clone().acquire_owned().await else { return };
            running.spawn(async move {
                let _permit = permit;
                run(&registry, &dialer, job).await;
                // A registry that stopped has no list to strike this from.
                let _ = registry.step(move |state, _| state.census.end(&job.cell)).await;
            });
        }
    }
}

/// Makes one copy and tells the census how it went. Says whether the target holds the cell now.
pub(crate) async fn run(registry: &Registry, dialer: &Dialer, job: CopyJob) -> bool {
    let result = copy(dialer, job).await;
    let stored = match &result {
        Ok(()) => {
            info!(cell = %job.cell, from = %job.from, to = %job.to, "copied");
            true
        }
        Err(error) => {
            warn!(cell = %job.cell, from = %job.from, to = %job.to, %error, "copy failed");
            false
        }
    };
    let holder_lies = result.is_err_and(|error| blames_holder(&error, &job));
    let told = registry.step(move |state, _| {
        match stored {
            true => state.census.stored(&job.to, job.cell, job.size),
            false => state.census.given_up(&job.to, job.size),
        }
        if holder_lies {
            state.census.lost(&job.from, &job.cell);
        }
    });
    if told.await.is_err() {
        debug!("the controller stops; nobody keeps the census");
    }
    stored
}

fn blames_holder(error: &StoreError, job: &CopyJob) -> bool {
    match error {
        StoreError::Refused { provider, refusal } if *provider == job.from => *refusal == StoreRefusal::NotHeld,
        StoreError::Refused { refusal, .. } => *refusal == StoreRefusal::WrongBytes,
        _ => false,
    }
}

async fn copy(dialer: &Dialer, job: CopyJob) -> Result<(), StoreError> {
    let mut source = get_cell(dialer, job.from, job.cell).await?;
    let Some(mut target) = put_cell(dialer, job.to, job.cell, source.size()).await? else { return Ok(()) };
    while let Some(bytes) = source.next().await? {
        target.write(bytes).await?;
    }
    target.finish().await
}
