//! Fetches one cell in the background, from as many providers as it takes.

use super::Watching;
use crate::now_ms;
use chainflix_gateway::NetworkError;
use chainflix_overlay::PathKind;
use chainflix_primitives::{AccountAddress, GrantId, NodeId, Receipt, Signed, message::EXCLUDED_MAX};
use chainflix_viewer::Playback;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

/// Pause after nobody could deliver.
const RETRY: Duration = Duration::from_millis(500);

/// How far a cell has come, for whoever plays it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrival {
    /// The grant of the running or last delivery.
    pub grant: Option<GrantId>,
    /// Verified bytes from the start.
    pub verified_end: u64,
    /// Whether all has come.
    pub complete: bool,
    /// The last provider, and whether its last bytes came directly.
    pub provider: Option<(AccountAddress, bool)>,
    /// Providers that were given up, with the byte and the reason, in order.
    pub changes: Vec<(NodeId, u64, String)>,
    /// What was signed for.
    pub receipts: Vec<Receipt>,
}

/// A cell on its way. Dropping it stops the fetching.
pub(super) struct Fetching {
    pub playback: Arc<Mutex<Playback>>,
    pub arrival: watch::Receiver<Arrival>,
    task: JoinHandle<()>,
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Fetches the cell once the one `before` it is there, or was given up.
pub(super) fn start(
    watching: Arc<Watching>,
    playback: Playback,
    index: u32,
    before: Option<watch::Receiver<Arrival>>,
) -> Fetching {
    let playback = Arc::new(Mutex::new(playback));
    let (sender, arrival) = watch::channel(Arrival::default());
    let fetcher = Fetcher { watching, playback: playback.clone(), arrival: sender, excluded: Vec::new(), index };
    let task = tokio::spawn(async move {
        there(before).await;
        fetcher.run().await;
    });
    Fetching { playback, arrival, task }
}

/// Waits until a cell is complete, or nobody fetches it any more.
async fn there(before: Option<watch::Receiver<Arrival>>) {
    if let Some(mut before) = before {
        let _given_up = before.wait_for(|arrival| arrival.complete).await.is_err();
    }
}

struct Fetcher {
    watching: Arc<Watching>,
    playback: Arc<Mutex<Playback>>,
    arrival: watch::Sender<Arrival>,
    excluded: Vec<NodeId>,
    index: u32,
}

impl Fetcher {
    async fn run(mut self) {
        while !self.playback.lock().await.is_complete() {
            if let Err(error) = self.deliver().await {
                tracing::info!(cell = self.index, %error, "nobody delivers yet");
                // Everybody was tried: those that failed before get another chance.
                self.excluded.clear();
                tokio::time::sleep(RETRY).await;
            }
        }
        if let Some(keeper) = &self.watching.keeper {
            keeper.offer(&*self.playback.lock().await);
        }
    }

    /// One grant, one provider. An error means that there is nobody to ask.
    async fn deliver(&mut self) -> Result<(), NetworkError> {
        let request = self.playback.lock().await.grant_request(self.excluded.clone(), now_ms());
        let grant = self.watching.peers.find(&request).await?;
        let node = grant.body.provider_node;
        let begun = self.playback.lock().await.begin_delivery(&grant);
        if let Err(error) = begun {
            tracing::warn!(%error, "a grant is of no use");
            tokio::time::sleep(RETRY).await;
            return Ok(());
        }
        self.arrival.send_modify(|arrival| arrival.grant = Some(grant.body.id));
        let mut stream = match self.watching.peers.fetch(&grant).await {
            Ok(stream) => stream,
            Err(error) => {
                self.give_up(node, &error.to_string()).await;
                return Ok(());
            }
        };
        self.comes_from(grant.body.provider, stream.path());
        let failure = loop {
            match stream.next().await {
                Ok(Some(bytes)) => {
                    let pushed = self.push(&bytes).await;
                    if let Err(error) = pushed {
                        break Some(error);
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        // Asked again: a delivery may begin through the relay and go on directly.
        self.comes_from(grant.body.provider, stream.path());
        // In a statement of its own, or the player would wait for the lock while the receipt is handed in.
        let receipt = self.playback.lock().await.end_delivery();
        if let Some(receipt) = receipt {
            // The provider signs over the same words, or not at all.
            if let Err(error) = stream.finish(receipt.body.end, receipt.body.delivered_hash).await {
                tracing::debug!(%error, "the provider does not hear how far we got");
            }
            self.arrival.send_modify(|arrival| arrival.receipts.push(receipt.body.clone()));
            self.submit(receipt).await;
        }
        if let Some(reason) = failure {
            self.give_up(node, &reason).await;
        }
        let complete = self.playback.lock().await.is_complete();
        self.arrival.send_modify(|arrival| arrival.complete = complete);
        Ok(())
    }

    fn comes_from(&self, provider: AccountAddress, path: PathKind) {
        self.arrival.send_modify(|arrival| arrival.provider = Some((provider, path == PathKind::Direct)));
    }

    async fn push(&self, bytes: &[u8]) -> Result<(), String> {
        let mut playback = self.playback.lock().await;
        let pushed = playback.push(bytes).map_err(|error| error.to_string());
        let verified_end = playback.verified_end();
        if verified_end > 0 {
            // Only the very first bytes of the film set it.
            let _set = self.watching.first_byte_ms.compare_exchange(0, now_ms(), Relaxed, Relaxed);
        }
        self.arrival.send_modify(|arrival| arrival.verified_end = verified_end);
        pushed
    }

    async fn give_up(&mut self, node: NodeId, reason: &str) {
        if self.excluded.len() == EXCLUDED_MAX {
            self.excluded.remove(0);
        }
        self.excluded.push(node);
        let at = self.playback.lock().await.verified_end();
        self.arrival.send_modify(|arrival| arrival.changes.push((node, at, reason.to_owned())));
    }

    async fn submit(&self, receipt: Signed<Receipt>) {
        if let Err(error) = self.watching.client.submit_receipt(&receipt).await {
            tracing::warn!(%error, "a receipt is not taken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn a_cell_waits_for_the_one_before_it() {
        let (sender, before) = watch::channel(Arrival::default());
        let mut waiting = Box::pin(there(Some(before.clone())));
        assert_eq!((&mut waiting).now_or_never(), None);
        sender.send_modify(|arrival| arrival.verified_end = 1);
        assert_eq!((&mut waiting).now_or_never(), None);
        sender.send_modify(|arrival| arrival.complete = true);
        waiting.await;
        let (sender, given_up) = watch::channel(Arrival::default());
        drop(sender);
        there(Some(given_up)).await;
        there(None).await;
    }
}
