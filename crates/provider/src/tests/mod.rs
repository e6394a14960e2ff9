//! A provider over loopback: what it serves, what it refuses, what it signs.

mod bad_days;
mod deliveries;
mod disputes;

use crate::{Provider, ProviderConfig, Store, store::Put};
use chainflix_cell::ChunkHashes;
use chainflix_overlay::{
    AddressRecord, Addresses, Clock, Dialer, FetchError, NodeKey, Overlay, OverlayConfig, ServeLimits, Serving,
    Timeouts, VerifiedCell, fetch_cell,
};
use chainflix_primitives::{
    AccountAddress, AccountKey, BoxKey, CellId, DownloadKey, Grant, GrantId, Magnet, NodeId, Receipt, SealedKey, Signed,
};
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

const NOW_MS: u64 = 1_000_000;
const KEY: [u8; 32] = [77; 32];

fn account(seed: u8) -> AccountKey {
    AccountKey::from_bytes(&[seed; 32]).unwrap()
}

fn validator() -> AccountKey {
    account(200)
}

async fn overlay(seed: u8) -> Overlay {
    let mut config = OverlayConfig::new(NodeKey::from_bytes(&[seed; 32]), ([127, 0, 0, 1], 0).into());
    config.timeouts =
        Timeouts { connect: Duration::from_secs(5), stall: Duration::from_secs(2), ..Timeouts::default() };
    Overlay::bind(config).await.unwrap()
}

fn introduce(overlay: &Overlay, seed: u8, to: &Dialer) {
    let info = overlay.info();
    let body = Addresses { node: info.node, sequence: 1, relay: None, direct: info.direct };
    to.learn(&AddressRecord::new(body, &NodeKey::from_bytes(&[seed; 32]))).unwrap();
}

fn sealed(size: usize) -> (CellId, Vec<u8>) {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&size.to_le_bytes()).finalize_xof().fill(&mut bytes);
    (ChunkHashes::of(&bytes).root(), bytes)
}

/// A provider with node, account and box key made of `seed`. Its one controller is node 100, which may not exist.
struct Peer {
    seed: u8,
    overlay: Overlay,
    serving: Serving,
    provider: Provider,
    store: Arc<Store>,
    receipts: mpsc::Receiver<Signed<Receipt>>,
    folder: TempDir,
}

impl Peer {
    async fn start(seed: u8, viewer: &Dialer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), 64 << 20).unwrap();
        let overlay = overlay(seed).await;
        let (sender, receipts) = mpsc::channel(8);
        let controller = NodeKey::from_bytes(&[100; 32]).node_id();
        let mut config = ProviderConfig::new(
            account(seed),
            BoxKey::from_bytes([seed; 32]),
            vec![validator().address()],
            vec![controller],
        );
        // Tests say themselves when a cell is read.
        config.scrub_bytes_per_s = 0;
        config.clock = Clock::by_hand(Arc::new(AtomicU64::new(NOW_MS)));
        let provider = Provider::start(config, store.clone(), overlay.dialer(), sender);
        let limits = ServeLimits { stall: Duration::from_secs(2), ..ServeLimits::default() };
        let serving = overlay.serve(provider.protocols(), limits);
        introduce(&overlay, seed, viewer);
        Self { seed, overlay, serving, provider, store, receipts, folder }
    }

    fn hold(&self, cell: CellId, bytes: &[u8]) {
        let Put::Write(mut incoming) = self.store.put(cell, bytes.len() as u64).unwrap() else { unreachable!() };
        incoming.write(bytes).unwrap();
        incoming.commit().unwrap();
    }

    fn grant(&self, cell: CellId, size: usize, from_byte: u64) -> Grant {
        grant(self.seed, self.overlay.node_id(), cell, size, from_byte)
    }
}

fn grant(seed: u8, provider_node: NodeId, cell: CellId, size: usize, from_byte: u64) -> Grant {
    Grant {
        id: GrantId([seed; 16]),
        viewer: AccountAddress([9; 20]),
        magnet: Magnet([3; 32]),
        cell_index: 0,
        cell,
        size: size as u64,
        from_byte,
        provider: account(seed).address(),
        provider_node,
        expires_ms: NOW_MS + 1_000,
        viewer_secret: SealedKey([0; 80]),
        provider_key: BoxKey::from_bytes([seed; 32]).public_key().seal(&KEY, [5; 32]),
    }
}

async fn fetch(viewer: &Dialer, grant: &Grant) -> Result<VerifiedCell, FetchError> {
    let signed = Signed::new(grant.clone(), &validator());
    fetch_cell(viewer, &signed, grant.from_byte).await?.verified(&DownloadKey::from_bytes(KEY))
}

/// Reads until the end or an error, into `sealed`.
async fn drain(cell: &mut VerifiedCell, sealed: &mut Vec<u8>) -> Result<(), FetchError> {
    while cell.next(sealed).await? {}
    Ok(())
}
