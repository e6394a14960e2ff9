//! The server as clients see it, over real sockets, before a validator that answers from memory.

use super::*;
use crate::{
    api::Answer,
    error::{ApiError, INTERNAL, INVALID_REQUEST, REFUSED, UNKNOWN_METHOD},
    types::*,
};
use chainflix_primitives::{
    AccountAddress, AccountKey, BlockHash, BoxPublicKey, Evidence, Grant, GrantId, GrantRequest, Magnet,
    NetworkGenesis, Opening, PlayAnswer, PlayData, PlayId, PlayRequest, Receipt, Signed,
};
use chainflix_proof_of_view::Refusal;
use futures::{FutureExt as _, future::BoxFuture, future::ready};
use std::sync::Mutex;
use tokio::{sync::oneshot, task::JoinHandle};

/// Knows its head and who asked for a play; refuses or fails otherwise.
#[derive(Default)]
struct Validator {
    plays_from: Mutex<Vec<IpAddr>>,
    manifests: Mutex<Vec<usize>>,
}

fn answer<T: Send + 'static>(answer: Result<T, ApiError>) -> Answer<'static, T> {
    ready(answer).boxed()
}

impl CfxApi for Validator {
    fn genesis(&self) -> Answer<'_, NetworkGenesis> {
        answer(Err(ApiError::internal("the disk is on fire")))
    }
    fn head(&self) -> Answer<'_, Head> {
        answer(Ok(Head { number: 7, hash: BlockHash([7; 32]), time_ms: 14_000 }))
    }
    fn schedule(&self) -> Answer<'_, Schedule> {
        std::future::pending().boxed()
    }
    fn view_blocks(&self, _: ViewBlockQuery) -> Answer<'_, Vec<ViewBlockSummary>> {
        answer(Ok(Vec::new()))
    }
    fn view_block(&self, _: u64) -> Answer<'_, Option<ViewBlock>> {
        answer(Ok(None))
    }
    fn account(&self, query: AccountQuery) -> Answer<'_, AccountReport> {
        answer(Ok(AccountReport {
            balance_wei: 5,
            pending_gwei: 6,
            vesting_gwei: 7,
            vesting: Vec::new(),
            held: Some(Held { gwei: 4, permille: 750, periods: 1, leave_periods: 110, leaving: false }),
            view_blocks: 8,
            plays: Vec::new(),
            next: query.from,
        }))
    }
    fn served(&self, query: ServedQuery) -> Answer<'_, ServedReport> {
        let unpaid = vec![UnpaidPlays { reason: "audit-failed".into(), plays: 1, bytes: 2 }];
        let day = ServedDay { day: query.from.unwrap_or(20_000), plays: 3, bytes: 4, gwei: 5, held_gwei: 2, unpaid };
        answer(Ok(ServedReport { struck_out: false, days: vec![day] }))
    }
    fn play(&self, _: PlayId) -> Answer<'_, PlayReport> {
        answer(Ok(PlayReport::Unknown))
    }
    fn videos(&self, _: VideoQuery) -> Answer<'_, Vec<Video>> {
        answer(Ok(Vec::new()))
    }
    fn video(&self, _: Magnet) -> Answer<'_, Option<Video>> {
        answer(Ok(None))
    }
    fn manifest(&self, _: Magnet) -> Answer<'_, Option<Vec<u8>>> {
        answer(Ok(Some(vec![1; 1000])))
    }
    fn submit_manifest(&self, manifest: Vec<u8>) -> Answer<'_, Magnet> {
        self.manifests.lock().unwrap().push(manifest.len());
        answer(Ok(Magnet([3; 32])))
    }
    fn providers(&self) -> Answer<'_, Vec<Provider>> {
        answer(Ok(Vec::new()))
    }
    fn issue_grant(&self, _: IssueGrant) -> Answer<'_, Signed<Grant>> {
        answer(Err(Refusal::NoSource.into()))
    }
    fn request_play(&self, _: Signed<PlayRequest>, from: IpAddr) -> Answer<'_, PlayAnswer> {
        self.plays_from.lock().unwrap().push(from);
        answer(Err(Refusal::TooManyPlays { scope: "home", most: 1, retry_ms: 250 }.into()))
    }
    fn submit_receipt(&self, _: Signed<Receipt>) -> Answer<'_, ()> {
        answer(Ok(()))
    }
    fn submit_proof(&self, _: Signed<PlayData>) -> Answer<'_, ()> {
        answer(Err(Refusal::TooEarly { early_ms: 40 }.into()))
    }
    fn submit_opening(&self, _: Signed<Opening>) -> Answer<'_, ()> {
        answer(Err(Refusal::NotAudited.into()))
    }
    fn disputes(&self, provider: AccountAddress) -> Answer<'_, Vec<EvidenceWanted>> {
        let wanted = |chunk| EvidenceWanted { grant: GrantId([provider.0[0]; 16]), chunk };
        answer(Ok(vec![wanted(None), wanted(Some(3))]))
    }
    fn submit_evidence(&self, _: Signed<Evidence>) -> Answer<'_, DisputeReport> {
        answer(Ok(DisputeReport::Open { chunk: 2 }))
    }
}

/// Echoes the method.
struct Echo;

impl EthereumApi for Echo {
    fn call(&self, request: Value) -> BoxFuture<'_, Value> {
        ready(json!({"jsonrpc": "2.0", "id": request["id"], "result": request["method"]})).boxed()
    }
}

struct Running {
    url: String,
    validator: Arc<Validator>,
    http: reqwest::Client,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

async fn start(options: Options) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let validator = Arc::new(Validator::default());
    let (stop, stopped) = oneshot::channel();
    // Installs what reqwest needs.
    crate::Client::new([&url]).unwrap();
    let served = serve(listener, Arc::new(Echo), validator.clone(), options, async move { _ = stopped.await });
    Running { url, validator, http: reqwest::Client::new(), stop, server: tokio::spawn(served) }
}

impl Running {
    async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let answer = self.http.post(&self.url).body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        let text = answer.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (status, answer) = self.post(request.to_string()).await;
        assert_eq!((status, &answer["id"]), (200, &json!(1)));
        answer
    }

    async fn code(&self, method: &str, params: Value) -> Value {
        self.call(method, params).await["error"]["code"].take()
    }
}

fn play_request() -> Value {
    let key = AccountKey::from_bytes(&[1; 32]).unwrap();
    let request = PlayRequest {
        account: key.address(),
        magnet: Magnet([1; 32]),
        cell_index: 0,
        grant: GrantId([1; 16]),
        supersedes: None,
        layers: vec![],
        requested_ms: 0,
    };
    json!([Signed::new(request, &key)])
}

#[tokio::test]
async fn both_families_of_methods_are_answered() {
    let server = start(Options::default()).await;
    assert_eq!(server.call("eth_chainId", json!([])).await["result"], "eth_chainId");
    let head = server.call("cfx_head", json!([])).await;
    assert_eq!(head["result"], json!({"number": 7, "hash": BlockHash([7; 32]), "timeMs": 14_000}));
    assert_eq!(server.call("cfx_viewBlock", json!([1])).await["result"], Value::Null);
    let query = json!([{"account": AccountAddress([1; 20]), "count": 9, "from": "3.2.1"}]);
    let account = server.call("cfx_account", query).await["result"].take();
    assert_eq!((&account["pendingGwei"], &account["next"]), (&json!("6"), &json!("3.2.1")));
    let held = json!({"gwei": "4", "permille": 750, "periods": 1, "leavePeriods": 110, "leaving": false});
    assert_eq!(account["held"], held);
    let disputes = server.call("cfx_disputes", json!([AccountAddress([1; 20])])).await["result"].take();
    let grant = GrantId([1; 16]);
    assert_eq!(disputes, json!([{"grant": grant, "chunk": null}, {"grant": grant, "chunk": 3}]));
    let query = json!([{"account": AccountAddress([1; 20]), "count": 1, "from": 20_100}]);
    let served = server.call("cfx_served", query).await["result"].take();
    let unpaid = json!([{"reason": "audit-failed", "plays": 1, "bytes": 2}]);
    let day = json!({"day": 20_100, "plays": 3, "bytes": 4, "gwei": 5, "heldGwei": 2, "unpaid": unpaid});
    assert_eq!(served, json!({"struckOut": false, "days": [day]}));
    let health = reqwest::get(format!("{}health", server.url)).await.unwrap();
    assert_eq!(health.json::<Value>().await.unwrap()["head"]["number"], 7);
}

#[tokio::test]
async fn every_kind_of_error_has_its_code() {
    let options = Options { patience: Duration::from_millis(200), ..Default::default() };
    let server = start(options).await;
    let refused = server.call("cfx_requestPlay", play_request()).await;
    assert_eq!(refused["error"]["code"], REFUSED);
    let data = json!({"code": "too-many-plays", "advice": "try-again", "retryMs": 250});
    assert_eq!(refused["error"]["data"], data);
    assert_eq!(server.code("cfx_mint", json!([])).await, UNKNOWN_METHOD);
    assert_eq!(server.code("cfx_genesis", json!([])).await, INTERNAL);
    assert_eq!(server.code("cfx_schedule", json!([])).await, TIMEOUT);
    for (method, params) in [
        ("cfx_head", json!([1])),
        ("cfx_play", json!([])),
        ("cfx_play", json!(["0x12"])),
        ("cfx_play", json!({"play": 1})),
        ("cfx_videos", json!([{"count": 0}])),
        ("cfx_served", json!([{"account": AccountAddress([1; 20]), "count": 201}])),
        ("cfx_videos", json!([{"count": 201}])),
        ("cfx_submitManifest", json!(["00"])),
    ] {
        assert_eq!(server.code(method, params).await, BAD_PARAMS, "{method}");
    }
}

#[tokio::test]
async fn garbage_is_answered_in_kind() {
    let server = start(Options::default()).await;
    for (body, code) in [
        ("", PARSE),
        ("{", PARSE),
        ("\u{0}\u{1}", PARSE),
        ("7", INVALID_REQUEST),
        ("[]", INVALID_REQUEST),
        (r#"{"id":1}"#, INVALID_REQUEST),
        (r#"{"id":{},"method":"cfx_head"}"#, INVALID_REQUEST),
        (r#"{"id":1,"method":"cfx_head","jsonrpc":"1.0"}"#, INVALID_REQUEST),
    ] {
        let (status, answer) = server.post(body).await;
        assert_eq!((status, &answer["error"]["code"], &answer["id"]), (200, &json!(code), &Value::Null), "{body}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(server.post(deep).await.1["error"]["code"], PARSE);
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_and_notifications_are_not() {
    let server = start(Options { batch_max: 4, ..Default::default() }).await;
    let batch = json!([
        {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        1,
        {"jsonrpc": "2.0", "id": null, "method": "cfx_head"},
    ]);
    let (_, answer) = server.post(batch.to_string()).await;
    let answers = answer.as_array().unwrap();
    assert_eq!(answers.len(), 3);
    assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&json!("a"), &json!("eth_chainId")));
    assert_eq!(answers[1]["error"]["code"], INVALID_REQUEST);
    assert_eq!(answers[2]["result"]["number"], 7);
    let many = json!(vec![json!({"id": 1, "method": "cfx_head"}); 5]);
    assert_eq!(server.post(many.to_string()).await.1["error"]["code"], LIMIT);
    for quiet in [json!({"method": "cfx_head"}), json!([{"method": "cfx_head"}])] {
        assert_eq!(server.post(quiet.to_string()).await, (204, Value::Null));
    }
}

#[tokio::test]
async fn the_answers_to_a_batch_are_bounded_together() {
    let server = start(Options { batch_answer_bytes_max: 5_000, ..Default::default() }).await;
    let ask = json!({"id": 1, "method": "cfx_manifest", "params": [Magnet([1; 32])]});
    let (_, answer) = server.post(json!(vec![ask; 4]).to_string()).await;
    let refused = |answer: &Value| answer["error"]["code"] == LIMIT;
    assert_eq!(answer.as_array().unwrap().iter().map(refused).collect::<Vec<_>>(), [false, false, true, true]);
}

#[tokio::test]
async fn only_a_manifest_may_be_large() {
    let server = start(Options { body_bytes_max: 1_000, ..Default::default() }).await;
    let hex = format!("0x{}", "00".repeat(600));
    assert_eq!(server.call("cfx_submitManifest", json!([hex])).await["result"], json!(Magnet([3; 32])));
    assert_eq!(*server.validator.manifests.lock().unwrap(), [600]);
    let other = json!({"id": 1, "method": "eth_call", "params": [hex]}).to_string();
    assert_eq!(server.post(other).await.1["error"]["code"], LIMIT);
    let nested = json!({"id": 1, "method": "cfx_submitManifest", "params": [[hex]]}).to_string();
    assert_eq!(server.post(nested).await.1["error"]["code"], BAD_PARAMS);
    let (status, answer) = server.post("1".repeat(LARGE_BODY_BYTES_MAX + 1)).await;
    assert_eq!((status, &answer["error"]["code"]), (413, &json!(LIMIT)));
}

#[tokio::test]
async fn a_forwarded_address_counts_only_from_a_trusted_gateway() {
    let body = json!({"id": 1, "method": "cfx_requestPlay", "params": play_request()}).to_string();
    for (trusted_gateways, counted) in [(Vec::new(), "127.0.0.1"), (vec!["127.0.0.1".parse().unwrap()], "198.51.100.7")]
    {
        let server = start(Options { trusted_gateways, ..Default::default() }).await;
        let request = server.http.post(&server.url).header("x-forwarded-for", "198.51.100.7").body(body.clone());
        request.send().await.unwrap();
        assert_eq!(*server.validator.plays_from.lock().unwrap(), [counted.parse::<IpAddr>().unwrap()]);
    }
}

#[tokio::test]
async fn only_a_controller_itself_names_the_holders_of_a_cell() {
    let key = AccountKey::from_bytes(&[1; 32]).unwrap();
    let request = GrantRequest {
        account: key.address(),
        magnet: Magnet([1; 32]),
        cell_index: 0,
        from_byte: 0,
        viewer_box_key: BoxPublicKey([1; 32]),
        excluded: Vec::new(),
        requested_ms: 0,
    };
    let words = json!([IssueGrant { request: Signed::new(request, &key), holders: Vec::new() }]);
    let stranger = start(Options::default()).await;
    assert_eq!(stranger.code("cfx_issueGrant", words.clone()).await, UNKNOWN_METHOD);
    let local: IpAddr = "127.0.0.1".parse().unwrap();
    let options = Options { controllers: vec![local], trusted_gateways: vec![local], ..Default::default() };
    let server = start(options).await;
    assert_eq!(server.code("cfx_issueGrant", words.clone()).await, REFUSED, "no source, but asked");
    let body = json!({"id": 1, "method": "cfx_issueGrant", "params": words}).to_string();
    let forwarded =
        server.http.post(&server.url).header("x-forwarded-for", "127.0.0.1").body(body).send().await.unwrap();
    assert_eq!(forwarded.json::<Value>().await.unwrap()["error"]["code"], UNKNOWN_METHOD);
}

#[tokio::test]
async fn browsers_are_let_in_and_shutdown_ends_the_server() {
    let server = start(Options::default()).await;
    let preflight = server.http.request(reqwest::Method::OPTIONS, &server.url).send().await.unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    assert_eq!(preflight.headers()["access-control-allow-headers"], "content-type");
    server.stop.send(()).unwrap();
    server.server.await.unwrap();
    assert!(server.http.post(&server.url).body("{}").send().await.is_err());
}
