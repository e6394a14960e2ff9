//! The client before validators that answer, refuse, fail, fall silent or are not there.

use super::*;
use crate::{origin, types::Head, wallet};
use axum::{Router, extract::State, http::HeaderMap, routing::post};
use chainflix_primitives::{AccountAddress, AccountKey, BlockHash};
use serde_json::{Value, json};
use std::sync::Mutex;
use tokio::net::TcpListener;

type Script = dyn Fn(&str, &Value, &HeaderMap) -> Value + Send + Sync;

/// A server that answers each method with `{"result": …}` or `{"error": …}` as scripted.
async fn validator(script: impl Fn(&str, &Value, &HeaderMap) -> Value + Send + Sync + 'static) -> String {
    async fn answer(State(script): State<Arc<Script>>, headers: HeaderMap, body: Bytes) -> String {
        let request: Value = serde_json::from_slice(&body).unwrap();
        script(request["method"].as_str().unwrap(), &request["params"], &headers).to_string()
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer)).with_state(Arc::new(script) as Arc<Script>);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

fn head() -> Head {
    Head { number: 7, hash: BlockHash([7; 32]), time_ms: 14_000 }
}

fn refusal(code: &str, advice: &str) -> Value {
    let data = json!({"code": code, "advice": advice, "retryMs": 40});
    json!({"error": {"code": -32010, "message": "words", "data": data}})
}

#[tokio::test]
async fn a_dead_validator_is_left_for_the_next_one() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let second = validator(move |_, _, _| {
        count.fetch_add(1, Ordering::SeqCst);
        json!({"result": head()})
    })
    .await;
    let client = Client::new([nobody().await, second]).unwrap();
    for _ in 0..3 {
        assert_eq!(client.head().await.unwrap(), head());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(client.inner.current.load(Ordering::SeqCst), 1, "the dead one is not asked first again");
    assert!(client.forward(Bytes::from_static(br#"{"method":"eth_chainId"}"#)).await.is_ok());
}

#[tokio::test]
async fn a_silent_validator_costs_its_timeout_once() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}/", silent.local_addr().unwrap());
    let second = validator(|_, _, _| json!({"result": head()})).await;
    let options = ClientOptions { answer_timeout: Duration::from_millis(200), ..Default::default() };
    let client = Client::with_options([silent_url, second], options).unwrap();
    assert_eq!(client.head().await.unwrap(), head());
    assert_eq!(client.head().await.unwrap(), head());
    assert_eq!(client.inner.current.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_validator_that_fails_inside_is_asked_around() {
    let failing = validator(|_, _, _| json!({"error": {"code": INTERNAL, "message": "failed"}})).await;
    let sound = validator(|_, _, _| json!({"result": head()})).await;
    let elsewhere = validator(|_, _, _| refusal("no-source", "try-another")).await;
    assert_eq!(Client::new([&failing, &sound]).unwrap().head().await.unwrap(), head());
    assert_eq!(Client::new([&elsewhere, &sound]).unwrap().head().await.unwrap(), head());
    let error = Client::new([&failing, &nobody().await]).unwrap().head().await.unwrap_err();
    assert!(matches!(error, ClientError::Rpc { error: WireError { code: INTERNAL, .. }, .. }), "{error:?}");
}

#[tokio::test]
async fn a_refusal_is_final_and_keeps_code_and_advice() {
    let refusing = validator(|_, _, _| refusal("too-early", "try-again")).await;
    let sound = validator(|_, _, _| json!({"result": head()})).await;
    let error = Client::new([&refusing, &sound]).unwrap().head().await.unwrap_err();
    let expected =
        Refused { code: "too-early".into(), message: "words".into(), advice: Advice::TryAgain { after_ms: 40 } };
    assert_eq!(error.refusal(), Some(&expected));
    let error = Client::new([&refusing]).unwrap().call::<Value>("x", [(); 0]).await.unwrap_err();
    assert_eq!(error.to_string(), "words");
}

#[tokio::test]
async fn nobody_there_and_nonsense_are_told_apart() {
    let error = Client::new([nobody().await, nobody().await]).unwrap().head().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }));
    let mad = validator(|_, _, _| json!({"result": {"number": "seven"}})).await;
    assert!(matches!(Client::new([&mad]).unwrap().head().await, Err(ClientError::Answer { .. })));
    let empty = validator(|_, _, _| json!({})).await;
    assert!(matches!(Client::new([&empty]).unwrap().head().await, Err(ClientError::Answer { .. })));
    let endless = validator(|_, _, _| json!({"result": "x".repeat(2_000)})).await;
    let options = ClientOptions { answer_bytes_max: 1_000, ..Default::default() };
    let error = Client::with_options([&endless], options).unwrap().head().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { source: TransportError::TooLarge { most: 1_000 }, .. }));
    for url in ["", "validator", "https://x", "ftp://x"] {
        assert!(matches!(Client::new([url]), Err(ClientError::Endpoint { .. })), "{url}");
    }
    assert!(matches!(Client::new([""; 0]), Err(ClientError::Endpoint { .. })));
}

#[tokio::test]
async fn nothing_known_is_none_and_no_error() {
    let url = validator(|_, _, _| json!({"result": null})).await;
    let client = Client::new([&url]).unwrap();
    assert_eq!(client.manifest(chainflix_primitives::Magnet([1; 32])).await.unwrap(), None);
    assert_eq!(client.view_block(1).await.unwrap(), None);
}

#[tokio::test]
async fn a_gateway_names_its_viewer() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let saw = seen.clone();
    let url = validator(move |_, _, headers| {
        let said = headers.get(origin::FORWARDED_FOR).map(|value| value.to_str().unwrap().to_owned());
        saw.lock().unwrap().push(said);
        json!({"result": head()})
    })
    .await;
    let client = Client::new([&url]).unwrap();
    client.head().await.unwrap();
    client.on_behalf_of("2001:db8::7".parse().unwrap()).head().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [None, Some("2001:db8::7".to_owned())]);
}

/// Enough of Ethereum for one transaction, which is final the second time its receipt is asked for.
fn chain(status: &'static str) -> impl Fn(&str, &Value, &HeaderMap) -> Value + Send + Sync + 'static {
    let (sent, asked) = (Mutex::new(None), AtomicUsize::new(0));
    move |method, params, _| match method {
        "eth_estimateGas" if params[0]["data"] == "0xbad0" => {
            json!({"error": {"code": 3, "message": "execution reverted", "data": "0xdeadbeef"}})
        }
        "eth_estimateGas" => json!({"result": "0x5208"}),
        "eth_maxPriorityFeePerGas" => json!({"result": "0x0"}),
        "eth_feeHistory" => json!({"result": {"oldestBlock": "0x1", "baseFeePerGas": ["0x8", "0x7"]}}),
        "eth_chainId" => json!({"result": "0x434658"}),
        "eth_getTransactionCount" => json!({"result": "0x2"}),
        "eth_sendRawTransaction" => {
            let raw = alloy_primitives::hex::decode(params[0].as_str().unwrap()).unwrap();
            let hash = alloy_primitives::keccak256(raw).to_string();
            *sent.lock().unwrap() = Some(hash.clone());
            json!({"result": hash})
        }
        "eth_getTransactionReceipt" if asked.fetch_add(1, Ordering::SeqCst) == 0 => json!({"result": null}),
        "eth_getTransactionReceipt" => {
            assert_eq!(params[0].as_str(), sent.lock().unwrap().as_deref());
            json!({"result": {"blockNumber": "0x9", "status": status, "gasUsed": "0x5208", "contractAddress": null}})
        }
        other => panic!("{other} is not needed for a payment"),
    }
}

#[tokio::test]
async fn a_transaction_goes_from_key_to_receipt() {
    let key = AccountKey::from_bytes(&[7; 32]).unwrap();
    let to = Some(AccountAddress([9; 20]));
    let client = Client::new([nobody().await, validator(chain("0x1")).await]).unwrap();
    let receipt = wallet::send_transaction(&client, &key, to, 5, Vec::new()).await.unwrap();
    assert_eq!((receipt.block, receipt.succeeded, receipt.gas_used), (9, true, 21_000));
    let error = wallet::send_transaction(&client, &key, to, 5, vec![0xba, 0xd0]).await.unwrap_err();
    assert!(matches!(error, wallet::SendError::WouldRevert { data, .. } if data == [0xde, 0xad, 0xbe, 0xef]));
    let client = Client::new([validator(chain("0x0")).await]).unwrap();
    let error = wallet::send_transaction(&client, &key, to, 5, Vec::new()).await.unwrap_err();
    assert!(matches!(error, wallet::SendError::Reverted { receipt } if receipt.block == 9));
}
