//! One copy: a cell from a holder to a provider that lacks it, through this process.
//!
//! ```text
//! holder ── sealed bytes ──▶ controller ── same bytes ──▶ target: verifies, stores
//! ```
//!
//! A frame is in memory at a time. Wrong bytes are the holder's fault, for the target checks the name: the holder's copy
//! is struck from the census and the cell stays short, so the next round uses another holder.

use crate::registry::Registry;
use chainflix_overlay::{
    Dialer,
    control::HeldCell,
    store::{StoreError, StoreRefusal, get_cell, put_cell},
};
use chainflix_primitives::NodeId;
use tracing::{debug, info, warn};

/// One cell to copy. Room at `to` is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CopyJob {
    /// Which cell, and its bytes as we know them.
    pub cell: HeldCell,
    /// A living holder.
    pub from: NodeId,
    /// Who gets it.
    pub to: NodeId,
}

/// Makes one copy and tells the census how it went. Says whether the target holds the cell now.
pub(crate) async fn run(registry: &Registry, dialer: &Dialer, job: CopyJob) -> bool {
    let result = copy(dialer, job).await;
    let cell = job.cell.cell;
    let stored = match &result {
        Ok(()) => {
            info!(%cell, from = %job.from, to = %job.to, "copied");
            true
        }
        Err(error) => {
            warn!(%cell, from = %job.from, to = %job.to, %error, "copy failed");
            false
        }
    };
    let holder_lies = result.is_err_and(|error| blames_holder(&error, &job));
    let told = registry.step(move |state, now_ms| {
        match stored {
            true => state.census.stored(&job.to, job.cell, now_ms),
            false => state.census.given_up(&job.to, &cell, now_ms),
        }
        if holder_lies {
            state.census.lost(&job.from, &cell, now_ms);
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
    let mut source = get_cell(dialer, job.from, job.cell.cell).await?;
    let Some(mut target) = put_cell(dialer, job.to, job.cell.cell, source.size()).await? else { return Ok(()) };
    while let Some(bytes) = source.next().await? {
        target.write(bytes).await?;
    }
    target.finish().await
}
