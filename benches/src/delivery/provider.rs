//! A whole provider, as its role runs it, with the film on its disk. Nobody is told: who may fetch is given its address.

use super::{
    chain::{Chain, Identity},
    film::Film,
};
use anyhow::{Context as _, Result};
use chainflix_overlay::{AddressRecord, Addresses, Overlay, OverlayConfig, ServeLimits, Serving};
use chainflix_provider::{Provider, ProviderConfig, Store, store::Put};
use std::{net::SocketAddr, path::Path};
use tokio::{sync::mpsc, task::JoinHandle};

/// Receipts that may wait to be thrown away.
const RECEIPTS_MAX: usize = 64;

/// Serves until it is dropped.
pub struct Peer {
    overlay: Overlay,
    receipts: JoinHandle<()>,
    _serving: Serving,
    _provider: Provider,
}

impl Peer {
    /// Stores `film` in `folder`, and serves it on a line of so many bytes a second; 0 for one without a limit.
    pub async fn start(
        identity: &Identity,
        chain: &Chain,
        film: &Film,
        (bind, uplink_bytes_per_s): (SocketAddr, u64),
        folder: &Path,
    ) -> Result<Self> {
        // Twice the film: stores keep some room free.
        let quota_bytes = film.manifest.cells.iter().map(|cell| 2 * cell.size).sum::<u64>() + (64 << 20);
        let store = Store::open(folder, quota_bytes)?;
        for (entry, sealed) in film.manifest.cells.iter().zip(&film.sealed) {
            if let Put::Write(mut incoming) = store.put(entry.id, entry.size)? {
                incoming.write(sealed)?;
                incoming.commit()?;
            }
        }
        let overlay = Overlay::bind(OverlayConfig::new(identity.node.clone(), bind)).await?;
        let (account, box_key) = (identity.account.clone(), identity.box_key.clone());
        let mut config = ProviderConfig::new(account, box_key, vec![chain.validator()], Vec::new());
        // It would read the disk meanwhile, at a rate that is lost in the noise.
        config.scrub_bytes_per_s = 0;
        config.uplink_bytes_per_s = uplink_bytes_per_s;
        let (sender, mut receipts) = mpsc::channel(RECEIPTS_MAX);
        let provider = Provider::start(config, store, overlay.dialer(), sender);
        let serving = overlay.serve(provider.protocols(), ServeLimits::default());
        let receipts = tokio::spawn(async move { while receipts.recv().await.is_some() {} });
        Ok(Self { overlay, receipts, _serving: serving, _provider: provider })
    }

    /// Where it is, in its own signed words.
    pub fn record(&self, identity: &Identity) -> Result<AddressRecord> {
        let direct = self.overlay.info().direct;
        direct.first().context("a provider without an address")?;
        Ok(record(identity, direct))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.receipts.abort();
    }
}

/// What a provider at these addresses says of itself.
pub fn record(identity: &Identity, direct: Vec<SocketAddr>) -> AddressRecord {
    let body = Addresses { node: identity.node.node_id(), sequence: 1, relay: None, direct };
    AddressRecord::new(body, &identity.node)
}
