//! What viewers ask beside providers: a validator's JSON-RPC and a controller, for one film, without a chain.
//!
//! Sources are drawn by the network's own rules ([`Sources`]): by a seed, weighted by free uplink. A load ends with the
//! viewer's receipt.

use super::{
    chain::{Chain, Identity, Served},
    film::Film,
    lines::Lines,
    provider::record,
    swarm::Plan,
};
use anyhow::{Context as _, Result};
use chainflix_overlay::{
    AddressRecord, Alpn, NodeKey, Overlay, OverlayConfig, PeerStream, Protocol, ServeLimits,
    control::{CONTROL_FRAME_BYTES_MAX, ControlAnswer, ControlRefusal, ControlRequest, Share, Source},
};
use chainflix_placement::{
    Card, Event, Held, Picture, PictureConfig, PlaceTag, Region, Standing,
    source::{Ask, Sharer, SourceRules, Sources},
    target::TargetRules,
};
use chainflix_primitives::{
    AccountAddress, BlockHash, Evidence, Grant, GrantId, GrantRequest, Magnet, NetworkGenesis, NodeId, Opening,
    PlayAnswer, PlayData, PlayId, PlayRequest, Receipt, Signed,
};
use chainflix_proof_of_view::EvidenceWanted;
use chainflix_rpc::{
    Answer, ApiError, CfxApi, EthereumApi, Options, serve,
    types::{
        AccountQuery, AccountReport, DisputeReport, Head, IssueGrant, PlayReport, Provider, Schedule, ServedQuery,
        ServedReport, Video, VideoQuery, ViewBlock, ViewBlockQuery, ViewBlockSummary,
    },
};
use futures::future::{BoxFuture, FutureExt as _};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::net::TcpListener;

/// Where everybody listens; each place is a network of its own.
pub const PORT: u16 = 4_000;

/// The controller's secret.
const CONTROLLER: [u8; 32] = [6; 32];

/// The controller's name.
pub fn controller() -> NodeId {
    NodeKey::from_bytes(&CONTROLLER).node_id()
}

/// Viewers that a controller thinks a source can serve before it has shown more.
fn believed_slots() -> u16 {
    u16::try_from(TargetRules::default().viewers_per_copy).unwrap_or(u16::MAX)
}

/// Where a place listens.
pub fn listens(number: u16) -> SocketAddr {
    (Lines::address(number), PORT).into()
}

/// One validator and one controller.
struct Town {
    film: Film,
    chain: Chain,
    picture: Picture,
    desk: Mutex<Desk>,
}

/// Who is busy with what.
struct Desk {
    sources: Sources,
    /// Providers, and viewers that share.
    served: HashMap<NodeId, Served>,
    addresses: HashMap<NodeId, AddressRecord>,
    /// The node that a grant is for, until its receipt.
    running: HashMap<GrantId, NodeId>,
}

/// Answers until `end` completes.
pub async fn run(plan: &Plan, end: impl Future<Output = ()>) -> Result<()> {
    let town = Arc::new(Town::new(plan)?);
    let listener = TcpListener::bind(listens(0)).await.context("the town cannot listen")?;
    let overlay = Overlay::bind(OverlayConfig::new(NodeKey::from_bytes(&CONTROLLER), listens(0))).await?;
    let _serving = overlay.serve(vec![town.clone()], ServeLimits::default());
    println!("ready");
    serve(listener, town.clone(), town, Options::default(), end).await;
    Ok(())
}

impl Town {
    fn new(plan: &Plan) -> Result<Self> {
        let film = Film::new(&plan.film)?;
        let mut picture = Picture::new(PictureConfig::default());
        let region: Region = "kr-11".parse()?;
        let size = u32::try_from(plan.film.cell_bytes)?;
        let cells: Vec<Held> = film.manifest.cells.iter().map(|entry| Held { cell: entry.id, size }).collect();
        let (magnet, countries) = (film.magnet, Vec::new());
        picture.apply(0, &Event::Film { magnet, home: region, countries, cells: cells.clone() })?;
        let slots = believed_slots();
        let (mut served, mut addresses) = (HashMap::new(), HashMap::new());
        for number in 1..=plan.providers {
            let identity = Identity::provider(number)?;
            let node = identity.node.node_id();
            let card = Card {
                node,
                account: identity.account.address(),
                region,
                networks: vec![PlaceTag(number.into())],
                site: None,
                quota_bytes: 1 << 40,
                used_bytes: plan.film.bytes(),
                slots,
            };
            let trusted = Event::Trusted { node, standing: Standing::Vetted };
            for event in [Event::Seen(card), trusted, Event::Gained { node, cells: cells.clone() }] {
                picture.apply(0, &event)?;
            }
            addresses.insert(node, record(&identity, vec![listens(number)]));
            served.insert(node, Served::from(&identity));
        }
        let sources = Sources::new(SourceRules::default());
        let desk = Desk { sources, served, addresses, running: HashMap::new() };
        Ok(Self { film, chain: Chain::new()?, picture, desk: Mutex::new(desk) })
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Loads are hints: a panic elsewhere does not spoil them.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws a source, and lets the viewer fetch from it.
    fn source(&self, request: &GrantRequest) -> Result<Source, ControlRefusal> {
        let entry = self.film.entry(request.cell_index).map_err(|_| ControlRefusal::UnknownCell)?;
        let region: Region = "kr-11".parse().map_err(|_| ControlRefusal::Malformed)?;
        let ask = Ask { viewer: request.account, region, cell: &entry.id, excluded: &request.excluded };
        let mut desk = self.desk();
        // A controller names two, and a validator draws one of them without looking at their order.
        let mut named = desk.sources.name(0, &self.picture, &BlockHash([7; 32]), &ask, usize::MAX);
        named.retain(|node| desk.served.contains_key(node));
        named.truncate(2);
        let drawn = usize::from(request.account.0[0]) % named.len().max(1);
        let node = *named.get(drawn).ok_or(ControlRefusal::NoSource)?;
        let served = desk.served.get(&node).ok_or(ControlRefusal::NoSource)?;
        let grant = self.chain.grant(request, &self.film, served);
        let grant = grant.map_err(|error| ControlRefusal::validator("failed", &format!("{error:#}")))?;
        desk.sources.begun(node);
        desk.running.insert(grant.body.id, node);
        Ok(Source { grant, address: desk.addresses.get(&node).cloned() })
    }

    /// A viewer shares what it watched, until it says that it goes.
    fn share(&self, words: Share) {
        let card = words.card.body;
        let Ok(region) = "kr-11".parse() else { return };
        let mut desk = self.desk();
        if words.cells.is_empty() {
            desk.served.remove(&card.node);
            return;
        }
        let sharer = Sharer { node: card.node, account: card.account, region, slots: words.slots, until_ms: u64::MAX };
        for cell in words.cells {
            desk.sources.shared(cell, sharer);
        }
        let (account, node, box_key) = (card.account, card.node, card.box_key);
        desk.served.insert(node, Served { account, node, box_key });
    }

    fn control(&self, request: ControlRequest) -> ControlAnswer {
        match request {
            ControlRequest::PutAddress(record) => {
                self.desk().addresses.insert(record.body.node, record);
                ControlAnswer::Done
            }
            ControlRequest::GetAddress(node) => ControlAnswer::Address(self.desk().addresses.get(&node).cloned()),
            ControlRequest::Share(words) => {
                self.share(words);
                ControlAnswer::Done
            }
            ControlRequest::FindSource(request) => match self.source(&request.body) {
                Ok(source) => ControlAnswer::Source(Box::new(source)),
                Err(refusal) => ControlAnswer::Refused(refusal),
            },
            _ => ControlAnswer::Refused(ControlRefusal::Malformed),
        }
    }
}

impl Protocol for Town {
    fn alpn(&self) -> Alpn {
        Alpn::Control
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // A viewer that goes away needs no answer.
            let Ok(request) = stream.read_frame(CONTROL_FRAME_BYTES_MAX).await else { return };
            if stream.write_frame(&self.control(request)).await.is_ok() {
                stream.finish();
            }
        })
    }
}

impl EthereumApi for Town {
    fn call(&self, request: Value) -> BoxFuture<'_, Value> {
        let refused = json!({"code": -32601, "message": "there is no chain here"});
        async move { json!({"jsonrpc": "2.0", "id": request["id"], "error": refused}) }.boxed()
    }
}

/// What no viewer asks while it watches.
fn absent<T: Send + 'static>(method: &'static str) -> Answer<'static, T> {
    async move { Err(ApiError::UnknownMethod { method: method.to_owned() }) }.boxed()
}

fn answer<'a, T: Send + 'a>(answer: T) -> Answer<'a, T> {
    async move { Ok(answer) }.boxed()
}

impl CfxApi for Town {
    fn genesis(&self) -> Answer<'_, NetworkGenesis> {
        answer(self.chain.genesis())
    }

    fn head(&self) -> Answer<'_, Head> {
        answer(Head { number: 1, hash: BlockHash([7; 32]), time_ms: 0 })
    }

    fn manifest(&self, magnet: Magnet) -> Answer<'_, Option<Vec<u8>>> {
        answer((magnet == self.film.magnet).then(|| self.film.manifest.encode()))
    }

    fn request_play(&self, request: Signed<PlayRequest>, _: IpAddr) -> Answer<'_, PlayAnswer> {
        let body = &request.body;
        let released = self.chain.answer(&body.account, &self.film, body.cell_index);
        async move { released.map_err(ApiError::internal) }.boxed()
    }

    fn submit_receipt(&self, receipt: Signed<Receipt>) -> Answer<'_, ()> {
        let mut desk = self.desk();
        if let Some(node) = desk.running.remove(&receipt.body.grant) {
            desk.sources.ended(&node);
        }
        answer(())
    }

    fn schedule(&self) -> Answer<'_, Schedule> {
        absent("schedule")
    }

    fn view_blocks(&self, _: ViewBlockQuery) -> Answer<'_, Vec<ViewBlockSummary>> {
        absent("viewBlocks")
    }

    fn view_block(&self, _: u64) -> Answer<'_, Option<ViewBlock>> {
        absent("viewBlock")
    }

    fn account(&self, _: AccountQuery) -> Answer<'_, AccountReport> {
        absent("account")
    }

    fn play(&self, _: PlayId) -> Answer<'_, PlayReport> {
        absent("play")
    }

    fn videos(&self, _: VideoQuery) -> Answer<'_, Vec<Video>> {
        absent("videos")
    }

    fn video(&self, _: Magnet) -> Answer<'_, Option<Video>> {
        absent("video")
    }

    fn submit_manifest(&self, _: Vec<u8>) -> Answer<'_, Magnet> {
        absent("submitManifest")
    }

    fn providers(&self) -> Answer<'_, Vec<Provider>> {
        absent("providers")
    }

    fn issue_grant(&self, _: IssueGrant) -> Answer<'_, Signed<Grant>> {
        absent("issueGrant")
    }

    fn submit_proof(&self, _: Signed<PlayData>) -> Answer<'_, ()> {
        absent("submitProof")
    }

    fn submit_opening(&self, _: Signed<Opening>) -> Answer<'_, ()> {
        absent("submitOpening")
    }

    fn submit_evidence(&self, _: Signed<Evidence>) -> Answer<'_, DisputeReport> {
        absent("submitEvidence")
    }

    fn disputes(&self, _: AccountAddress) -> Answer<'_, Vec<EvidenceWanted>> {
        absent("disputes")
    }

    fn served(&self, _: ServedQuery) -> Answer<'_, ServedReport> {
        absent("served")
    }
}
