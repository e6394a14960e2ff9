//! JSON-RPC as wallets and libraries use it.

use serde_json::{Value, json};

use super::*;

const BOB: Address = Address::repeat_byte(0xb0);

impl ExecutionLayer {
    async fn ask(&self, method: &str, params: Value) -> Result<Value, Value> {
        let request = json!({"jsonrpc": "2.0", "id": "seven", "method": method, "params": params});
        let mut response = self.json_rpc(request).await;
        assert_eq!((&response["jsonrpc"], &response["id"]), (&json!("2.0"), &json!("seven")));
        match response.get_mut("result").map(Value::take) {
            Some(result) => Ok(result),
            None => Err(response["error"].take()),
        }
    }

    async fn send(&self, raw: &[u8]) -> Result<Value, Value> {
        self.ask("eth_sendRawTransaction", json!([alloy_primitives::hex::encode_prefixed(raw)])).await
    }
}

fn text(address: Address) -> String {
    format!("{address:#x}")
}

#[tokio::test]
async fn a_payment_from_wallet_to_receipt() {
    let node = in_memory().await;
    let (alice, mut announced) = (user(1), node.subscribe_transactions());
    assert_eq!(node.ask("eth_chainId", json!([])).await, Ok(json!("0x434658")));
    let balance = node.ask("eth_getBalance", json!([text(alice.address), "latest"])).await;
    assert_eq!(balance, Ok(json!(format!("{RICH_WEI:#x}"))));

    let raw = alice.sign(0, BOB, 1000, vec![]);
    let hash = node.send(&raw).await.unwrap();
    assert_eq!(hash, json!(format!("{:#x}", H256(keccak256(&raw).0))));
    assert_eq!(announced.recv().await.unwrap(), raw);
    assert_eq!(node.ask("eth_getTransactionReceipt", json!([hash])).await, Ok(Value::Null));
    assert_eq!(node.ask("eth_getTransactionCount", json!([text(alice.address), "pending"])).await, Ok(json!("0x1")));

    node.extend().await;
    let receipt = node.ask("eth_getTransactionReceipt", json!([hash])).await.unwrap();
    assert_eq!((&receipt["status"], &receipt["blockNumber"]), (&json!("0x1"), &json!("0x1")));
    for tag in ["latest", "safe", "finalized"] {
        assert_eq!(node.ask("eth_getBalance", json!([text(BOB), tag])).await, Ok(json!("0x3e8")));
    }
}

#[tokio::test]
async fn gossip_is_not_announced_again() {
    let node = in_memory().await;
    let mut announced = node.subscribe_transactions();
    node.submit(user(1).sign(0, BOB, 1, vec![])).await;
    assert!(announced.try_recv().is_err());
}

#[tokio::test]
async fn refusals_use_the_words_that_libraries_know() {
    let node = in_memory().await;
    let (alice, raw) = (user(1), user(1).sign_with_tip(0, BOB, 1, vec![], 100));
    node.send(&raw).await.unwrap();
    let message = |answer: Result<Value, Value>| answer.unwrap_err()["message"].as_str().unwrap().to_owned();
    assert_eq!(message(node.send(&alice.sign(0, BOB, 2, vec![])).await), "replacement transaction underpriced");
    assert_eq!(
        message(node.send(&user(9).sign(0, BOB, 1, vec![])).await),
        "insufficient funds for gas * price + value"
    );
    node.extend().await;
    assert_eq!(message(node.send(&raw).await), "nonce too low");
    assert!(message(node.send(&[1, 2, 3]).await).starts_with("not a transaction"));
}

#[tokio::test]
async fn contracts_are_called() {
    let node = in_memory().await;
    let call = json!({"to": text(GETTER), "data": "0x"});
    let seven = json!(format!("0x{}", "07".repeat(32)));
    for params in [json!([call]), json!([call, "finalized"]), json!([call, "latest", {}])] {
        assert_eq!(node.ask("eth_call", params).await, Ok(seven.clone()));
    }
    let overridden = json!([call, "latest", {text(GETTER): {"code": "0x00"}}]);
    assert_eq!(node.ask("eth_call", overridden).await.unwrap_err()["code"], json!(-32602));
    let reverted = node.ask("eth_call", json!([{"to": text(REVERTER)}, "latest"])).await.unwrap_err();
    assert_eq!((&reverted["code"], &reverted["data"]), (&json!(3), &json!("0xdeadbeef")));
    let gas =
        node.ask("eth_estimateGas", json!([{"from": text(user(1).address), "to": text(BOB), "value": "0x1"}])).await;
    assert_eq!(gas, Ok(json!("0x5208")));
}

#[tokio::test]
async fn small_methods_are_answered() {
    let node = in_memory().await;
    node.extend().await;
    let expected = [
        ("eth_syncing", json!([]), json!(false)),
        ("eth_accounts", json!([]), json!([])),
        ("net_listening", json!([]), json!(true)),
        ("net_version", json!([]), json!("4408920")),
        ("eth_blockNumber", json!([]), json!("0x1")),
        ("eth_protocolVersion", json!([]), json!("0x0")),
        ("web3_sha3", json!(["0x"]), json!("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")),
        ("eth_getUncleCountByBlockNumber", json!(["latest"]), json!("0x0")),
        ("eth_getUncleCountByBlockNumber", json!(["0x9"]), Value::Null),
        ("eth_getUncleCountByBlockHash", json!([node.head().hash()]), json!("0x0")),
    ];
    for (method, params, answer) in expected {
        assert_eq!(node.ask(method, params).await, Ok(answer), "{method}");
    }
    let version = node.ask("web3_clientVersion", json!([])).await.unwrap();
    assert!(version.as_str().unwrap().starts_with("Chainflix/v"), "{version}");
    for method in ["eth_unheardOf", "nonsense", "engine_newPayloadV4", "admin_nodeInfo", "debug_getRawBlock"] {
        assert_eq!(node.ask(method, json!([])).await.unwrap_err()["code"], json!(-32601), "{method}");
    }
    let nameless = node.json_rpc(json!({"jsonrpc": "2.0", "method": "eth_blockNumber"})).await;
    assert_eq!(nameless, json!({"jsonrpc": "2.0", "id": null, "result": "0x1"}));
}

#[tokio::test]
async fn filters_deliver_each_event_once() {
    let node = in_memory().await;
    let blocks = node.ask("eth_newBlockFilter", json!([])).await.unwrap();
    let pending = node.ask("eth_newPendingTransactionFilter", json!([])).await.unwrap();
    let logs = node.ask("eth_newFilter", json!([{"address": text(LOGGER)}])).await.unwrap();
    let changes = |id: Value| node.ask("eth_getFilterChanges", json!([id]));
    for id in [&blocks, &pending, &logs] {
        assert_eq!(changes(id.clone()).await, Ok(json!([])));
    }
    for nonce in 0..2 {
        let sent = node.send(&user(1).sign(nonce, LOGGER, 0, vec![])).await.unwrap();
        assert_eq!(changes(pending.clone()).await, Ok(json!([sent])));
        let block = node.extend().await;
        assert_eq!(changes(blocks.clone()).await, Ok(json!([block.hash()])));
        let found = changes(logs.clone()).await.unwrap();
        let found = found.as_array().unwrap();
        assert_eq!((found.len(), &found[0]["transactionHash"]), (1, &sent));
        for id in [&blocks, &pending, &logs] {
            assert_eq!(changes(id.clone()).await, Ok(json!([])), "only once");
        }
    }
    assert_eq!(
        node.ask("eth_getFilterLogs", json!([logs])).await.unwrap().as_array().unwrap().len(),
        1,
        "of the newest"
    );
    assert_eq!(node.ask("eth_uninstallFilter", json!([logs])).await, Ok(json!(true)));
    assert_eq!(changes(logs).await.unwrap_err()["message"], json!("filter not found"));
    assert!(node.ask("eth_newFilter", json!([{"topics": 5}])).await.is_err());
}
