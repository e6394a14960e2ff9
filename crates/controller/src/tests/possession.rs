//! Providers have to show what they say they hold.

use super::*;
use crate::{AuditRules, Memory};
use chainflix_overlay::{
    Alpn, PeerStream, Protocol,
    control::{Heartbeat, HeldCell, InventoryPage, ProviderMode, ProviderWords, tell},
    store::{STORE_FRAME_BYTES_MAX, StoreAnswer, StoreRefusal, StoreRequest},
};
use chainflix_primitives::OpenedChunk;
use std::sync::atomic::AtomicUsize;
use tokio::task::JoinHandle;

/// Says that it holds a cell, takes part in everything, and shows bytes of its own making.
struct Liar {
    overlay: Overlay,
    serving: Serving,
    store: Arc<LyingStore>,
    heart: JoinHandle<()>,
}

#[derive(Default)]
struct LyingStore {
    shown: AtomicUsize,
    offered: AtomicUsize,
}

impl Protocol for LyingStore {
    fn alpn(&self) -> Alpn {
        Alpn::Store
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let request: StoreRequest = stream.read_frame(STORE_FRAME_BYTES_MAX).await.unwrap();
            let answer = match request {
                StoreRequest::Show { .. } => StoreAnswer::Showing,
                _ => StoreAnswer::Refused(StoreRefusal::Busy),
            };
            let count = if answer == StoreAnswer::Showing { &self.shown } else { &self.offered };
            count.fetch_add(1, Ordering::SeqCst);
            // Who asked may have stopped listening.
            let _ = stream.write_frame(&answer).await;
            let _ = stream.write_frame(&OpenedChunk { sealed: vec![1; 16 << 10], path: Vec::new() }).await;
            stream.finish();
        })
    }
}

impl Liar {
    async fn enter(seed: u8, head: &Head, cell: CellId, size: u64) -> Self {
        let overlay = overlay(seed, any_port(), vec![head.overlay.info()]).await;
        let store = Arc::new(LyingStore::default());
        let serving = overlay.serve(vec![store.clone()], ServeLimits::default());
        let (dialer, controller) = (overlay.dialer(), head.overlay.node_id());
        let words = Announcement { used_bytes: size, ..announcement(seed, 1) };
        let page = InventoryPage { sequence: 1, cells: vec![HeldCell { cell, size }], last: true };
        for (number, words) in [ProviderWords::Announce(words), ProviderWords::Inventory(page)].into_iter().enumerate()
        {
            tell(&dialer, controller, dialer.sign(number as u64, 1, words)).await.unwrap();
        }
        let heart = tokio::spawn(async move {
            let words = Heartbeat { sequence: 1, mode: ProviderMode::Open, quota_bytes: 1 << 40, used_bytes: size };
            while tell(&dialer, controller, dialer.sign(1, 1, ProviderWords::Heartbeat(words))).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Self { overlay, serving, store, heart }
    }

    async fn stop(self) {
        self.heart.abort();
        self.serving.stop().await;
        self.overlay.close().await;
    }
}

#[tokio::test]
async fn who_cannot_show_what_it_holds_is_named_to_nobody_and_gets_nothing() {
    let network = Network::start_with(2, |config| {
        config.census.audit = AuditRules { every_ms: 100, again_ms: 100, patience_ms: 2_000 };
        config.census.reputation = ReputationRules {
            memory_permille: 500,
            disqualified_permille: 0,
            vetting_audits: 3,
            vetting_ms: 0,
            ..config.census.reputation
        };
    })
    .await;
    let (cell, bytes) = sealed(100_000);
    network.publish(cell, &bytes).await.unwrap();
    let film = film_of(RegisteredCell { cell, size: 100_000 });
    network.chain.films.lock().unwrap().push(film);
    let liar = Liar::enter(20, &network.head, cell, 100_000).await;
    network.head.until(|status| status.census.providers_suspended == 1 && status.census.providers_vetted == 2).await;
    assert!(liar.store.shown.load(Ordering::SeqCst) > 0);
    for _ in 0..5 {
        let source = network.source(0, Vec::new()).await.unwrap();
        assert_ne!(source.grant.body.provider_node, liar.overlay.node_id());
    }
    // It has by far the most room, and is offered nothing.
    let (cell, bytes) = sealed(50_000);
    assert_eq!(network.publish(cell, &bytes).await.unwrap(), 2);
    assert_eq!(liar.store.offered.load(Ordering::SeqCst), 0);
    liar.stop().await;
    network.stop().await;
}

/// Audits that come fast, and trust that takes so many right answers.
fn eager(folder: &std::path::Path, vetting_audits: u32) -> impl FnOnce(&mut ControllerConfig) {
    let memory = Memory::open(folder).unwrap();
    move |config| {
        config.census.audit = AuditRules { every_ms: 100, again_ms: 100, patience_ms: 2_000 };
        config.census.reputation = ReputationRules { vetting_audits, vetting_ms: 0, ..config.census.reputation };
        config.memory = Some(memory);
        config.keep_every = Duration::from_millis(20);
    }
}

#[tokio::test]
async fn a_restarted_controller_trusts_as_before_and_rubbish_makes_newcomers() {
    let home = tempfile::tempdir().unwrap();
    let (folder, file) = (home.path(), home.path().join("memory"));
    let mut network = Network::start_with(2, eager(folder, 3)).await;
    let (cell, bytes) = sealed(100_000);
    network.publish(cell, &bytes).await.unwrap();
    let film = film_of(RegisteredCell { cell, size: 100_000 });
    network.chain.films.lock().unwrap().push(film);
    let vetted = |wanted| move |status: &ControllerStatus| status.census.providers_vetted == wanted;
    network.head.until(vetted(2)).await;

    // It ends in order. From now on nobody can earn trust any more, only have it.
    let bind = network.head.stop_in_order().await;
    network.head = Head::start_as(CONTROLLER, network.chain.clone(), bind, eager(folder, u32::MAX)).await;
    network.head.until(vetted(2)).await;

    // It writes again while it runs, and is killed.
    std::fs::remove_file(&file).unwrap();
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let bind = network.head.stop().await;
    network.head = Head::start_as(CONTROLLER, network.chain.clone(), bind, eager(folder, u32::MAX)).await;
    network.head.until(vetted(2)).await;

    let bind = network.head.stop_in_order().await;
    std::fs::write(&file, "rubbish").unwrap();
    network.head = Head::start_as(CONTROLLER, network.chain.clone(), bind, eager(folder, u32::MAX)).await;
    network.head.until(|status| status.census.providers_alive == 2).await;
    assert_eq!(network.head.controller.status().await.census.providers_vetted, 0);
    assert_eq!(std::fs::read(folder.join("memory.damaged")).unwrap(), b"rubbish");
    network.stop().await;
}
