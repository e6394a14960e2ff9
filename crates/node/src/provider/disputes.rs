//! Stands up for this provider's receipts where viewers signed for something else.
//!
//! ```text
//! every look, while receipts are young ── cfx_disputes ──▶ validator
//!        ┌─────────── what it wants ◀────────────────────────┘
//!        └─▶ each: Evidence ── cfx_submitEvidence ──▶ waiting, or decided
//!               ▲                     │
//!               └── the chunk as well ┴─ open
//! ```
//!
//! A provider whose receipt came first was told nothing, so it has to ask. It asks again at the next look for whatever
//! did not come through: no validator answered, the viewer's hashes are missing, or another delivery came first. One
//! delivery at a time is read again, so that a crowd of liars takes one disk's reader and no more.

use chainflix_primitives::{AccountAddress, GrantId, ProtocolParams};
use chainflix_provider::Provider;
use chainflix_rpc::{
    Client,
    types::{DisputeReport, EvidenceWanted},
};
use std::{sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;

/// Looks in the time of a cell: a viewer hands in its proof for several seconds, and at the end of the cell at the
/// earliest.
const LOOKS_PER_CELL: u64 = 30;

/// Time between looks.
pub(super) fn pause(params: &ProtocolParams) -> Duration {
    Duration::from_millis((params.cell_ms / LOOKS_PER_CELL).max(100))
}

/// Speaks for one provider.
pub(super) struct Witness {
    pub client: Client,
    pub provider: Arc<Provider>,
    pub account: AccountAddress,
}

impl Witness {
    /// Looks every `pause`, until it is aborted.
    pub async fn run(self, pause: Duration) {
        let mut looks = tokio::time::interval(pause);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            // Nobody can contradict what was never said.
            if self.provider.provable_receipts() > 0 {
                self.look().await;
            }
        }
    }

    async fn look(&self) {
        match self.client.disputes(self.account).await {
            Ok(wanted) => {
                for EvidenceWanted { grant, chunk } in wanted {
                    self.show(grant, chunk).await;
                }
            }
            Err(error) => tracing::debug!(%error, "no validator says what is disputed"),
        }
    }

    async fn show(&self, grant: GrantId, mut chunk: Option<u32>) {
        // Once to show the hashes, and once more to open the chunk at which the two differ.
        for _ in 0..2 {
            let evidence = match self.provider.evidence(grant, chunk).await {
                Ok(evidence) => evidence,
                Err(error) => return tracing::debug!(%grant, %error, "there is no evidence for a delivery"),
            };
            match self.client.submit_evidence(&evidence).await {
                Ok(DisputeReport::Open { chunk: disputed }) if chunk != Some(disputed) => chunk = Some(disputed),
                Ok(state) => return tracing::info!(%grant, ?state, "a dispute about a delivery"),
                Err(error) => return tracing::debug!(%grant, %error, "evidence for a delivery is not taken"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_looks_fit_into_the_time_of_a_proof() {
        let proofs = |params: &ProtocolParams| params.cell_ms * (params.late_permille - 1_000) / 1_000;
        for factor in [1, 8, 20] {
            let params = ProtocolParams::accelerated(factor);
            assert!(pause(&params).as_millis() as u64 * 5 <= proofs(&params), "{factor}");
        }
        assert_eq!(pause(&ProtocolParams::default()), Duration::from_secs(2));
    }
}
