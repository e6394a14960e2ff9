//! A gateway with everything around it that a test needs.

use crate::{
    network::{Delivery, Network, NetworkError},
    server::{Options, serve_app},
    web_app::{Asset, WebApp},
};
use axum::{Router, extract::State, http::HeaderMap, routing::post};
use bytes::Bytes;
use chainflix_primitives::{
    AccountAddress, AccountKey, BlockHash, BoxPublicKey, CellEntry, CellId, Digest, Fragment, Grant, GrantId,
    GrantRequest, Magnet, Manifest, NetworkGenesis, NetworkKeys, NodeId, ProtocolParams, Receipt, SealedKey, Signed,
    Track, TrackKind, ValidatorIdentity,
};
use chainflix_rpc::Client;
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// A refusal as a validator words it.
pub fn refusal(code: &str, data: Value) -> Value {
    let mut data = data;
    data["code"] = json!(code);
    json!({"error": {"code": -32010, "message": "words", "data": data}})
}

/// Answers by method: scripted ones as scripted, `cfx_head` from a number that tests raise.
#[derive(Default)]
pub struct Validator {
    pub height: AtomicU64,
    pub answers: Mutex<HashMap<String, Value>>,
    pub asked: Mutex<Vec<(String, Option<String>)>>,
    pub requests: Mutex<Vec<Value>>,
}

impl Validator {
    pub fn answer(&self, method: &str, answer: Value) {
        self.answers.lock().unwrap().insert(method.into(), answer);
    }

    pub fn times(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(asked, _)| asked == method).count()
    }

    /// What was asked, whole.
    pub fn said(&self, method: &str) -> Vec<Value> {
        self.requests.lock().unwrap().iter().filter(|request| request["method"] == method).cloned().collect()
    }

    /// Who asked, as the gateway says.
    pub fn viewer(&self, method: &str) -> Option<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().rfind(|(asked, _)| asked == method).and_then(|(_, viewer)| viewer.clone())
    }

    async fn serve(State(this): State<Arc<Self>>, headers: HeaderMap, body: Bytes) -> String {
        let request: Value = serde_json::from_slice(&body).unwrap();
        let method = request["method"].as_str().unwrap().to_owned();
        let viewer = headers.get("x-forwarded-for").map(|viewer| viewer.to_str().unwrap().to_owned());
        let scripted = this.answers.lock().unwrap().get(&method).cloned();
        let answer = scripted.unwrap_or_else(|| match method.as_str() {
            "cfx_head" => {
                let number = this.height.load(Ordering::SeqCst);
                json!({"result": {"number": number, "hash": BlockHash([1; 32]), "timeMs": 2_000 * number}})
            }
            "cfx_genesis" => json!({"result": genesis()}),
            _ => json!({"error": {"code": -32601, "message": "not scripted"}}),
        });
        // Counted after it is decided, so that a test that saw the count can change the script.
        this.asked.lock().unwrap().push((method, viewer));
        this.requests.lock().unwrap().push(request);
        answer.to_string()
    }
}

pub fn genesis() -> NetworkGenesis {
    NetworkGenesis {
        chain_id: 4_408_920,
        genesis_time_ms: 0,
        params: ProtocolParams { block_ms: 100, ..Default::default() },
        validators: vec![ValidatorIdentity { account: AccountAddress([1; 20]), consensus_key: NodeId([1; 32]) }],
        keys: NetworkKeys::Shared { box_key: BoxPublicKey([1; 32]) },
        governor: AccountAddress([2; 20]),
        supervisors: Vec::new(),
        allocations: Vec::new(),
    }
}

pub fn manifest() -> Manifest {
    Manifest {
        title: "A film".into(),
        creator: AccountAddress([5; 20]),
        play_time_ms: 1_000,
        tracks: vec![Track {
            kind: TrackKind::Video,
            media_type: "video/mp4".into(),
            width: 4,
            height: 2,
            init: vec![1],
        }],
        cells: vec![CellEntry {
            id: CellId([3; 32]),
            size: 20,
            start_ms: 0,
            duration_ms: 1_000,
            fragments: vec![Fragment { track: 0, size: 20, start_ms: 0 }],
        }],
        parity: Vec::new(),
    }
}

pub fn key() -> AccountKey {
    AccountKey::from_bytes(&[7; 32]).unwrap()
}

pub fn grant_request() -> Signed<GrantRequest> {
    let body = GrantRequest {
        account: key().address(),
        magnet: Magnet([1; 32]),
        cell_index: 0,
        from_byte: 0,
        viewer_box_key: BoxPublicKey([1; 32]),
        excluded: Vec::new(),
        requested_ms: 0,
    };
    Signed::new(body, &key())
}

pub fn grant(id: u8) -> Signed<Grant> {
    let body = Grant {
        id: GrantId([id; 16]),
        viewer: key().address(),
        magnet: Magnet([1; 32]),
        cell_index: 0,
        cell: CellId([3; 32]),
        size: 20,
        from_byte: 0,
        provider: AccountAddress([6; 20]),
        provider_node: NodeId([6; 32]),
        expires_ms: u64::MAX,
        viewer_secret: SealedKey([0; 80]),
        provider_key: SealedKey([0; 80]),
    };
    Signed::new(body, &key())
}

pub fn receipt(id: u8, end: u64) -> Signed<Receipt> {
    let body = Receipt {
        grant: GrantId([id; 16]),
        viewer: key().address(),
        provider: AccountAddress([6; 20]),
        cell: CellId([3; 32]),
        start: 0,
        end,
        delivered_hash: Digest([8; 32]),
    };
    Signed::new(body, &key())
}

type Feed = mpsc::Receiver<Result<Bytes, NetworkError>>;

/// A controller and a provider in memory. Tests feed the bytes of the one delivery.
#[derive(Default)]
pub struct Peers {
    pub refusal: Mutex<Option<NetworkError>>,
    pub feed: Mutex<Option<(u64, Feed)>>,
    /// Deliveries that are neither finished nor stopped.
    pub running: Arc<AtomicUsize>,
    /// What the provider was told: the end of the range.
    pub finished: Arc<Mutex<Vec<u64>>>,
}

struct Fed {
    left: u64,
    feed: Feed,
    running: Arc<AtomicUsize>,
    finished: Arc<Mutex<Vec<u64>>>,
}

impl Drop for Fed {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Delivery for Fed {
    fn bytes_left(&self) -> u64 {
        self.left
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, NetworkError>> {
        async move {
            let bytes = self.feed.recv().await.transpose()?;
            self.left = self.left.saturating_sub(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64));
            Ok(bytes)
        }
        .boxed()
    }

    fn finish(self: Box<Self>, end: u64, _: Digest) -> BoxFuture<'static, Result<(), NetworkError>> {
        self.finished.lock().unwrap().push(end);
        async { Ok(()) }.boxed()
    }
}

impl Network for Peers {
    fn grant(&self, _: Signed<GrantRequest>) -> BoxFuture<'_, Result<Signed<Grant>, NetworkError>> {
        let refusal = self.refusal.lock().unwrap().take();
        async move { refusal.map_or_else(|| Ok(grant(1)), Err) }.boxed()
    }

    fn deliver(&self, _: Signed<Grant>) -> BoxFuture<'_, Result<Box<dyn Delivery>, NetworkError>> {
        let refusal = self.refusal.lock().unwrap().take();
        let feed = self.feed.lock().unwrap().take();
        async move {
            match (refusal, feed) {
                (Some(refusal), _) => Err(refusal),
                (None, None) => std::future::pending().await,
                (None, Some((left, feed))) => {
                    self.running.fetch_add(1, Ordering::SeqCst);
                    let (running, finished) = (self.running.clone(), self.finished.clone());
                    Ok(Box::new(Fed { left, feed, running, finished }) as Box<dyn Delivery>)
                }
            }
        }
        .boxed()
    }
}

pub struct Village {
    pub url: String,
    pub http: reqwest::Client,
    pub validator: Arc<Validator>,
    pub peers: Arc<Peers>,
    pub stop: oneshot::Sender<()>,
    pub server: JoinHandle<()>,
}

/// A web app of three files.
fn files(path: &str) -> Option<Asset> {
    let bytes: &[u8] = match path {
        "index.html" => b"<!doctype html><title>Chainflix</title>",
        "assets/app-1a2b.js" => b"export const answer = 42; // and enough words to be worth compressing, twice over",
        "core.wasm" => b"\0asm",
        _ => return None,
    };
    Some(Asset { bytes: bytes.into(), hash: [path.len() as u8; 32] })
}

pub async fn village() -> Village {
    village_with(Options::default(), WebApp::of(files)).await
}

pub async fn village_with(options: Options, web_app: WebApp) -> Village {
    let validator = Arc::new(Validator::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let validator_url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(Validator::serve)).with_state(validator.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let peers = Arc::new(Peers::default());
    let (stop, stopped) = oneshot::channel();
    let client = Client::new([validator_url]).unwrap();
    let served = serve_app(listener, client, peers.clone(), web_app, options, async move { _ = stopped.await });
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    Village { url, http, validator, peers, stop, server: tokio::spawn(served) }
}

impl Village {
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub async fn get_json(&self, path: &str) -> (u16, Value) {
        let answer = self.get(path).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub async fn post(&self, path: &str, body: &impl serde::Serialize) -> reqwest::Response {
        self.http.post(format!("{}{path}", self.url)).json(body).send().await.unwrap()
    }

    pub async fn post_json(&self, path: &str, body: &impl serde::Serialize) -> (u16, Value) {
        let answer = self.post(path, body).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The feed of the next delivery, which announces `length` bytes.
    pub fn feed(&self, length: u64) -> mpsc::Sender<Result<Bytes, NetworkError>> {
        let (sender, feed) = mpsc::channel(1);
        *self.peers.feed.lock().unwrap() = Some((length, feed));
        sender
    }
}

/// Waits for what another task does soon.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
