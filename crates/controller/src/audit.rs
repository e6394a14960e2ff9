//! One audit: asks a provider for a chunk and checks it against the cell's name.

use crate::{census::Audit, registry::Registry};
use chainflix_cell::verify_path;
use chainflix_overlay::{
    Clock, Dialer,
    store::{StoreError, StoreRefusal, show_chunk},
};
use chainflix_primitives::CHUNK_BYTES;
use std::time::Duration;
use tokio::time::timeout;
use tracing::{debug, warn};

/// Asks, and tells the census what came of it.
pub(crate) async fn run(registry: Registry, dialer: Dialer, clock: Clock, audit: Audit) {
    let patience = Duration::from_millis(audit.challenge.deadline_ms.saturating_sub(clock.now_ms()));
    let shown = timeout(patience, ask(&dialer, &audit)).await.ok().flatten();
    let (provider, cell) = (audit.challenge.node, audit.challenge.cell);
    match shown {
        Some(true) => debug!(%provider, %cell, "shown"),
        Some(false) => warn!(%provider, %cell, "a provider cannot show what it says it holds"),
        None => warn!(%provider, %cell, "a provider did not show a cell in time"),
    }
    if registry.step(move |state, now_ms| state.census.audited(&audit, shown, now_ms)).await.is_err() {
        debug!("the controller stops; nobody keeps the census");
    }
}

/// Whether the right bytes came; `None` where nothing came.
async fn ask(dialer: &Dialer, audit: &Audit) -> Option<bool> {
    let Audit { challenge, size } = *audit;
    // A cell has at most 4,096 chunks.
    let chunk = (challenge.start / CHUNK_BYTES) as u32;
    match show_chunk(dialer, challenge.node, challenge.cell, chunk).await {
        Ok(shown) => Some(verify_path(&challenge.cell, size, chunk, &shown.sealed, &shown.path)),
        Err(StoreError::Refused { refusal: StoreRefusal::NotHeld, .. } | StoreError::Protocol { .. }) => Some(false),
        Err(error) => {
            debug!(provider = %challenge.node, %error, "not shown");
            None
        }
    }
}
