//! A whole network in one process over loopback: controller, providers, publisher, viewer; the chain is played by
//! [`Chain`].

mod bad_days;
mod elsewhere;
mod gossip;
mod network;
mod possession;
mod stripes;

use crate::{
    Authority, AuthorityError, CensusConfig, Controller, ControllerConfig, ControllerStatus, Region, RegisteredCell,
    RegisteredFilm,
};
use chainflix_cell::ChunkHashes;
use chainflix_overlay::{
    ControllerInfo, Dialer, NodeKey, Overlay, OverlayConfig, ServeLimits, Serving, Timeouts, VerifiedCell,
    control::{Announcement, CellUpload, ControlError, ProviderCard, Source, Upload, find_source, upload_cell},
    fetch_cell,
};
use chainflix_placement::{patience::PatienceRules, reputation::ReputationRules};
use chainflix_primitives::{
    AccountAddress, AccountKey, BlockHash, BoxKey, CHUNK_BYTES, CellId, Grant, GrantId, GrantRequest, Magnet,
    NetworkSecret, NodeId, Receipt, Signed, ViewerSecret,
};
use chainflix_provider::{Provider, ProviderConfig, Store};
use futures::future::BoxFuture;
use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

const CREATOR: u8 = 50;
const VIEWER: u8 = 60;
const CONTROLLER: u8 = 100;

fn account(seed: u8) -> AccountKey {
    AccountKey::from_bytes(&[seed; 32]).unwrap()
}

fn sealed(size: usize) -> (CellId, Vec<u8>) {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&size.to_le_bytes()).finalize_xof().fill(&mut bytes);
    (ChunkHashes::of(&bytes).root(), bytes)
}

/// One admitted creator, one film whose cells are added as they come, one validator.
struct Chain {
    secret: NetworkSecret,
    validator: AccountKey,
    cells: Mutex<Vec<RegisteredCell>>,
    /// Films that controllers are told of, beside the one that grows.
    films: Mutex<Vec<RegisteredFilm>>,
    /// Whom the validator does not know.
    unregistered: Mutex<Vec<NodeId>>,
    grants: AtomicU8,
}

impl Chain {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            secret: NetworkSecret::from_bytes([1; 32]),
            validator: account(200),
            cells: Mutex::default(),
            films: Mutex::default(),
            unregistered: Mutex::default(),
            grants: AtomicU8::new(1),
        })
    }

    /// What a validator does, without its limits: takes the first candidate.
    fn issue(&self, request: GrantRequest, candidates: Vec<Signed<ProviderCard>>) -> Signed<Grant> {
        let RegisteredCell { cell, size } = self.cells.lock().unwrap()[request.cell_index as usize];
        let card = &candidates[0];
        card.verify(&card.body.account).unwrap();
        let secret = self.secret.view_key(&request.account, &request.magnet).viewer_secret(&cell);
        let grant = Grant {
            id: GrantId([self.grants.fetch_add(1, Ordering::SeqCst); 16]),
            viewer: request.account,
            magnet: request.magnet,
            cell_index: request.cell_index,
            cell,
            size,
            from_byte: request.from_byte,
            provider: card.body.account,
            provider_node: card.body.node,
            expires_ms: u64::MAX,
            viewer_secret: request.viewer_box_key.seal(secret.expose(), [2; 32]),
            provider_key: card.body.box_key.seal(secret.download_key().expose(), [3; 32]),
        };
        Signed::new(grant, &self.validator)
    }
}

impl Authority for Chain {
    fn may_publish(&self, asked: AccountAddress) -> BoxFuture<'_, Result<bool, AuthorityError>> {
        Box::pin(async move { Ok(asked == account(CREATOR).address()) })
    }

    fn cell(&self, _: Magnet, index: u32) -> BoxFuture<'_, Result<Option<RegisteredCell>, AuthorityError>> {
        Box::pin(async move { Ok(self.cells.lock().unwrap().get(index as usize).copied()) })
    }

    fn films(&self, from: u64) -> BoxFuture<'_, Result<Vec<Magnet>, AuthorityError>> {
        Box::pin(async move {
            let films = self.films.lock().unwrap();
            Ok(films.iter().skip(from as usize).map(|film| film.magnet).collect())
        })
    }

    fn film(&self, magnet: Magnet) -> BoxFuture<'_, Result<Option<RegisteredFilm>, AuthorityError>> {
        Box::pin(async move { Ok(self.films.lock().unwrap().iter().find(|film| film.magnet == magnet).cloned()) })
    }

    fn providers(&self) -> BoxFuture<'_, Result<HashSet<NodeId>, AuthorityError>> {
        let registered = (1..CONTROLLER).map(|seed| NodeKey::from_bytes(&[seed; 32]).node_id());
        let unregistered = self.unregistered.lock().unwrap().clone();
        let registered = registered.filter(|node| !unregistered.contains(node)).collect();
        Box::pin(async { Ok(registered) })
    }

    fn seed(&self) -> BoxFuture<'_, Result<BlockHash, AuthorityError>> {
        Box::pin(async { Ok(BlockHash([9; 32])) })
    }

    fn issue_grant(
        &self,
        request: Signed<GrantRequest>,
        candidates: Vec<Signed<ProviderCard>>,
    ) -> BoxFuture<'_, Result<Signed<Grant>, AuthorityError>> {
        Box::pin(async move {
            let unregistered = self.unregistered.lock().unwrap().clone();
            let mut candidates = candidates;
            candidates.retain(|card| !unregistered.contains(&card.body.node));
            match request.body.requested_ms {
                _ if candidates.is_empty() => {
                    Err(AuthorityError::Refused { code: "no-source".into(), message: "nobody".into() })
                }
                0 => Err(AuthorityError::Refused { code: "too-old".into(), message: "asked in 1970".into() }),
                _ => Ok(self.issue(request.body, candidates)),
            }
        })
    }
}

fn film_of(cell: RegisteredCell) -> RegisteredFilm {
    RegisteredFilm { magnet: Magnet([3; 32]), home: Region::UNKNOWN, cells: vec![cell], stripes: Vec::new() }
}

async fn overlay(seed: u8, bind: SocketAddr, controllers: Vec<ControllerInfo>) -> Overlay {
    let config = OverlayConfig {
        controllers,
        timeouts: Timeouts { connect: Duration::from_secs(2), stall: Duration::from_secs(2), ..Timeouts::default() },
        ..OverlayConfig::new(NodeKey::from_bytes(&[seed; 32]), bind)
    };
    Overlay::bind(config).await.unwrap()
}

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// How the provider with this seed enters, with room for a terabyte.
pub(crate) fn announcement(seed: u8, sequence: u64) -> Announcement {
    let card = ProviderCard {
        account: account(seed).address(),
        node: NodeKey::from_bytes(&[seed; 32]).node_id(),
        box_key: BoxKey::from_bytes([seed; 32]).public_key(),
        region: String::new(),
    };
    Announcement {
        card: Signed::new(card, &account(seed)),
        sequence,
        quota_bytes: 1 << 40,
        used_bytes: 0,
        uplink_bytes_per_s: 0,
        site: String::new(),
    }
}

struct Head {
    overlay: Overlay,
    serving: Serving,
    controller: Controller,
}

impl Head {
    async fn start(chain: Arc<Chain>, bind: SocketAddr) -> Self {
        Self::start_as(CONTROLLER, chain, bind, |_| ()).await
    }

    async fn start_as(
        seed: u8,
        chain: Arc<Chain>,
        bind: SocketAddr,
        change: impl FnOnce(&mut ControllerConfig),
    ) -> Self {
        Self::start_beside(seed, Vec::new(), chain, bind, change).await
    }

    /// One that can reach others.
    async fn start_beside(
        seed: u8,
        others: Vec<ControllerInfo>,
        chain: Arc<Chain>,
        bind: SocketAddr,
        change: impl FnOnce(&mut ControllerConfig),
    ) -> Self {
        let others_nodes = others.iter().map(|other| other.node).collect();
        let overlay = overlay(seed, bind, others).await;
        let mut config = ControllerConfig {
            census: CensusConfig {
                reputation: ReputationRules { patience: PatienceRules::none(600), ..ReputationRules::default() },
                settle_ms: 0,
                ..CensusConfig::default()
            },
            plan_every: Duration::from_millis(50),
            chain_every: Duration::from_millis(50),
            others: others_nodes,
            ..ControllerConfig::default()
        };
        change(&mut config);
        let controller = Controller::start(config, overlay.dialer(), chain);
        let serving = overlay.serve(controller.protocols(), ServeLimits::default());
        Self { overlay, serving, controller }
    }

    /// Ends it, and answers its address once another can bind it: the socket goes with the last task that holds it.
    async fn stop(self) -> SocketAddr {
        let Self { overlay, serving, controller } = self;
        drop(controller);
        Self::release(overlay, serving).await
    }

    /// Ends it as its process would when it is asked to: what it shall remember is written down.
    async fn stop_in_order(self) -> SocketAddr {
        let Self { overlay, serving, controller } = self;
        controller.stop().await;
        Self::release(overlay, serving).await
    }

    async fn release(overlay: Overlay, serving: Serving) -> SocketAddr {
        let bound = overlay.info().direct[0];
        serving.stop().await;
        overlay.close().await;
        for _ in 0..500 {
            if std::net::UdpSocket::bind(bound).is_ok() {
                return bound;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{bound} stays in use");
    }

    /// Waits until the controller knows what it should; nothing else tells when gossip has arrived.
    async fn until(&self, wanted: impl Fn(&ControllerStatus) -> bool) {
        for _ in 0..500 {
            if wanted(&self.controller.status().await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never came: {:?}", self.controller.status().await);
    }
}

struct Peer {
    overlay: Overlay,
    serving: Serving,
    provider: Provider,
    store: Arc<Store>,
    receipts: mpsc::Receiver<Signed<Receipt>>,
    _folder: TempDir,
}

impl Peer {
    async fn start(seed: u8, chain: &Chain, controllers: Vec<ControllerInfo>, quota_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), quota_bytes).unwrap();
        let nodes = controllers.iter().map(|controller| controller.node).collect();
        let overlay = overlay(seed, any_port(), controllers).await;
        let (sender, receipts) = mpsc::channel(8);
        let mut config =
            ProviderConfig::new(account(seed), BoxKey::from_bytes([seed; 32]), vec![chain.validator.address()], nodes);
        config.heartbeat = Duration::from_millis(50);
        let provider = Provider::start(config, store.clone(), overlay.dialer(), sender);
        let serving = overlay.serve(provider.protocols(), ServeLimits::default());
        Self { overlay, serving, provider, store, receipts, _folder: folder }
    }

    async fn stop(self) {
        drop(self.provider);
        self.serving.stop().await;
        self.overlay.close().await;
    }
}

struct Network {
    chain: Arc<Chain>,
    head: Head,
    peers: Vec<Peer>,
    guest: Overlay,
}

impl Network {
    async fn start(providers: u8) -> Self {
        Self::start_with(providers, |_| ()).await
    }

    async fn start_with(providers: u8, change: impl FnOnce(&mut ControllerConfig)) -> Self {
        let chain = Chain::new();
        let head = Head::start_as(CONTROLLER, chain.clone(), any_port(), change).await;
        let mut peers = Vec::new();
        for seed in 1..=providers {
            peers.push(Peer::start(seed, &chain, vec![head.overlay.info()], 8 << 20).await);
        }
        head.until(|status| status.census.providers_alive == usize::from(providers)).await;
        let guest = overlay(VIEWER, any_port(), vec![head.overlay.info()]).await;
        Self { chain, head, peers, guest }
    }

    fn dialer(&self) -> Dialer {
        self.guest.dialer()
    }

    fn controller(&self) -> NodeId {
        self.head.overlay.node_id()
    }

    async fn upload_as(&self, seed: u8, cell: CellId, size: u64) -> Result<Upload, ControlError> {
        let account = account(seed);
        let expires_ms = chainflix_overlay::Clock::system().now_ms() + 60_000;
        let words = CellUpload { account: account.address(), cell, size, expires_ms };
        upload_cell(&self.dialer(), self.controller(), Signed::new(words, &account)).await
    }

    async fn publish(&self, cell: CellId, bytes: &[u8]) -> Result<u32, ControlError> {
        match self.upload_as(CREATOR, cell, bytes.len() as u64).await? {
            Upload::Stored { copies } => Ok(copies),
            Upload::Wanted(mut stream) => {
                for part in bytes.chunks(50_000) {
                    stream.write(part.to_vec().into()).await?;
                }
                let copies = stream.finish().await?;
                self.chain.cells.lock().unwrap().push(RegisteredCell { cell, size: bytes.len() as u64 });
                Ok(copies)
            }
        }
    }

    /// Where there are several controllers, a provider's own words may come a moment after those that were passed on, and until
    /// then nothing is stored there.
    async fn publish_beside_others(&self, cell: CellId, bytes: &[u8]) -> Result<u32, ControlError> {
        let mut copies = self.publish(cell, bytes).await;
        for _ in 0..100 {
            if copies.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            copies = self.publish(cell, bytes).await;
        }
        copies
    }

    async fn source(&self, from_byte: u64, excluded: Vec<NodeId>) -> Result<Source, ControlError> {
        self.ask(|request| GrantRequest { from_byte, excluded, ..request }).await
    }

    async fn ask(&self, change: impl FnOnce(GrantRequest) -> GrantRequest) -> Result<Source, ControlError> {
        let request = change(GrantRequest {
            account: account(VIEWER).address(),
            magnet: Magnet([3; 32]),
            cell_index: 0,
            from_byte: 0,
            viewer_box_key: BoxKey::from_bytes([VIEWER; 32]).public_key(),
            excluded: Vec::new(),
            requested_ms: 1,
        });
        find_source(&self.dialer(), self.controller(), Signed::new(request, &account(VIEWER))).await
    }

    async fn fetch(&self, source: &Source) -> VerifiedCell {
        let secret = BoxKey::from_bytes([VIEWER; 32]).unseal(&source.grant.body.viewer_secret).unwrap();
        let stream = fetch_cell(&self.dialer(), &source.grant, source.grant.body.from_byte).await.unwrap();
        stream.verified(&ViewerSecret::from_bytes(secret).download_key()).unwrap()
    }

    fn holders(&self, cell: &CellId) -> Vec<usize> {
        let holds = |peer: &Peer| peer.store.cells().iter().any(|held| held.cell == *cell);
        (0..self.peers.len()).filter(|index| holds(&self.peers[*index])).collect()
    }

    async fn stop(self) {
        self.guest.close().await;
        for peer in self.peers {
            peer.stop().await;
        }
        self.head.stop().await;
    }
}
