//! Requests that ethrex answers.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

use ethrex_blockchain::Blockchain;
use ethrex_common::{Bytes, H512};
use ethrex_p2p::types::{Node, NodeRecord};
use ethrex_rpc::{
    ClientVersion, GasTipEstimator, NodeData, RpcApiContext, RpcErr, RpcNamespace, map_http_requests, utils::RpcRequest,
};
use serde_json::{Map, Value, json};
use tokio::{runtime::Handle, sync::Semaphore};

use super::{Answer, ExecutionLayer, INTERNAL, INVALID_PARAMS, LIMIT_EXCEEDED, Request, fault, hex_u64};
use crate::execution::filters::Filters;

/// Lookups at a time.
const LIGHT_REQUESTS: usize = 32;

/// Requests at a time that run the EVM or read many blocks. Consensus needs the other cores.
const HEAVY_REQUESTS: usize = 2;

/// Gas that a simulated transaction may use: geth's limit. Without one it would be the whole block's.
const SIMULATION_GAS: u64 = 50_000_000;

/// Blocks that one `eth_getLogs` may look through.
pub(super) const MAX_LOG_BLOCKS: u64 = 100_000;

/// What requests share.
pub(in crate::execution) struct Rpc {
    context: RpcApiContext,
    light: Semaphore,
    heavy: Semaphore,
    pub(super) filters: Mutex<Filters>,
}

impl Rpc {
    pub(in crate::execution) fn new(blockchain: &Arc<Blockchain>, gas_limit: u64) -> Self {
        Self {
            context: context(blockchain, gas_limit),
            light: Semaphore::new(LIGHT_REQUESTS),
            heavy: Semaphore::new(HEAVY_REQUESTS),
            filters: Mutex::default(),
        }
    }
}

/// What ethrex wants to know to answer. It serves a whole node, so that much of it is for methods that are not offered.
fn context(blockchain: &Arc<Blockchain>, gas_limit: u64) -> RpcApiContext {
    let namespaces = [RpcNamespace::Eth, RpcNamespace::Net, RpcNamespace::Web3];
    RpcApiContext {
        storage: blockchain.store().clone(),
        blockchain: blockchain.clone(),
        active_filters: Arc::new(Mutex::new(HashMap::new())),
        syncer: None,
        peer_handler: None,
        node_data: NodeData {
            jwt_secret: Bytes::new(),
            local_p2p_node: Node::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0, 0, H512::zero()),
            local_node_record: NodeRecord::default(),
            client_version: client_version(),
            extra_data: Bytes::new(),
        },
        gas_tip_estimator: Arc::new(tokio::sync::Mutex::new(GasTipEstimator::new())),
        log_filter_handler: None,
        gas_ceil: gas_limit,
        // Blocks of the engine API, which is not offered: nobody listens at the other end.
        block_worker_channel: tokio::sync::mpsc::unbounded_channel().0,
        ws: None,
        allowed_namespaces: Arc::new(HashSet::from(namespaces)),
    }
}

fn client_version() -> ClientVersion {
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let (version, rust) = (env!("CARGO_PKG_VERSION").to_owned(), env!("CARGO_PKG_RUST_VERSION").to_owned());
    ClientVersion::new("Chainflix".to_owned(), version, "ethrex".to_owned(), "24.0.0".to_owned(), target, rust)
}

impl ExecutionLayer {
    pub(super) async fn forward(&self, mut request: Request) -> Answer {
        tidy(&mut request, self.height())?;
        let rpc = &self.inner.rpc;
        let permits = if is_heavy(&request.method) { &rpc.heavy } else { &rpc.light };
        let _permit = permits.acquire().await.map_err(|_| fault(INTERNAL, "the node is shutting down"))?;
        let (context, runtime) = (rpc.context.clone(), Handle::current());
        let request = RpcRequest::new(&request.method, Some(request.params));
        let answer = tokio::task::spawn_blocking(move || runtime.block_on(map_http_requests(&request, context)));
        match answer.await {
            Ok(answer) => answer.map_err(|error: RpcErr| error.into()),
            Err(error) => {
                tracing::warn!(%error, "a JSON-RPC request was interrupted");
                Err(fault(INTERNAL, "the request was interrupted"))
            }
        }
    }
}

fn is_heavy(method: &str) -> bool {
    is_simulation(method) || matches!(method, "eth_getLogs" | "eth_feeHistory")
}

fn is_simulation(method: &str) -> bool {
    matches!(method, "eth_call" | "eth_estimateGas" | "eth_createAccessList")
}

/// Brings a request into the form that ethrex knows, and bounds what it may cost.
fn tidy(request: &mut Request, head: u64) -> Result<(), ethrex_rpc::RpcErrorMetadata> {
    for param in &mut request.params {
        all_is_final(param);
    }
    if is_simulation(&request.method) {
        drop_overrides(&mut request.params)?;
        if let Some(Value::Object(transaction)) = request.params.first_mut() {
            cap_gas(transaction);
        }
    }
    match request.params.first() {
        Some(Value::Object(query)) if request.method == "eth_getLogs" => check_span(query, head),
        _ => Ok(()),
    }
}

/// ethrex hears of final blocks in batches only, so that its own "finalized" lags behind.
fn all_is_final(param: &mut Value) {
    let is_final = |value: &Value| matches!(value.as_str(), Some("finalized" | "safe"));
    if is_final(param) {
        *param = json!("latest");
    }
    for field in ["fromBlock", "toBlock"] {
        if let Some(block) = param.get_mut(field).filter(|block| is_final(block)) {
            *block = json!("latest");
        }
    }
}

/// The third parameter overrides state, the fourth the block's fields. ethrex has neither; empty ones change nothing.
fn drop_overrides(params: &mut Vec<Value>) -> Result<(), ethrex_rpc::RpcErrorMetadata> {
    let is_empty = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
    if params.iter().skip(2).all(is_empty) {
        params.truncate(2);
        return Ok(());
    }
    Err(fault(INVALID_PARAMS, "state and block overrides are not supported"))
}

fn cap_gas(transaction: &mut Map<String, Value>) {
    let wanted = transaction.get("gas").filter(|gas| !gas.is_null());
    // What is no number stays, for ethrex to complain about.
    if wanted.is_none_or(|gas| hex_u64(gas).is_some_and(|gas| gas > SIMULATION_GAS)) {
        transaction.insert("gas".to_owned(), json!(format!("{SIMULATION_GAS:#x}")));
    }
}

fn check_span(query: &Map<String, Value>, head: u64) -> Result<(), ethrex_rpc::RpcErrorMetadata> {
    let number = |field| match query.get(field) {
        Some(Value::String(tag)) if tag == "earliest" => 0,
        Some(value) => hex_u64(value).unwrap_or(head),
        None => head,
    };
    if number("toBlock").saturating_sub(number("fromBlock")) < MAX_LOG_BLOCKS {
        return Ok(());
    }
    Err(fault(LIMIT_EXCEEDED, format!("logs of at most {MAX_LOG_BLOCKS} blocks at a time")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(method: &str, params: Value) -> Result<Value, i32> {
        let mut request = Request::parse(json!({"method": method, "params": params})).unwrap();
        tidy(&mut request, 1_000_000).map_err(|error| error.code)?;
        Ok(Value::Array(request.params))
    }

    #[test]
    fn every_block_tag_for_the_newest_is_latest() {
        assert_eq!(tidied("eth_getBalance", json!(["0x1", "finalized"])), Ok(json!(["0x1", "latest"])));
        assert_eq!(tidied("eth_getBalance", json!(["0x1", "earliest"])), Ok(json!(["0x1", "earliest"])));
        let logs = json!([{"fromBlock": "safe", "toBlock": "finalized", "address": "0x1"}]);
        let expected = json!([{"fromBlock": "latest", "toBlock": "latest", "address": "0x1"}]);
        assert_eq!(tidied("eth_getLogs", logs), Ok(expected));
    }

    #[test]
    fn overrides_must_be_empty() {
        let gas = json!("0x5208");
        let call = json!({"gas": gas});
        assert_eq!(tidied("eth_call", json!([call, "latest", {}])), Ok(json!([call, "latest"])));
        assert_eq!(tidied("eth_call", json!([call, "latest", null, {}])), Ok(json!([call, "latest"])));
        assert_eq!(tidied("eth_call", json!([call, "latest", {"0x1": {"balance": "0x1"}}])), Err(INVALID_PARAMS));
    }

    #[test]
    fn simulations_have_bounded_gas() {
        let cap = json!([{"gas": "0x2faf080"}]);
        assert_eq!(tidied("eth_call", json!([{}])), Ok(cap.clone()));
        assert_eq!(tidied("eth_estimateGas", json!([{"gas": "0xffffffff"}])), Ok(cap.clone()));
        assert_eq!(tidied("eth_call", json!([{"gas": "0x1"}])), Ok(json!([{"gas": "0x1"}])));
        assert_eq!(tidied("eth_call", json!([{"gas": "many"}])), Ok(json!([{"gas": "many"}])));
        assert_eq!(tidied("eth_getBalance", json!([{}])), Ok(json!([{}])));
    }

    #[test]
    fn log_queries_have_bounded_spans() {
        assert_eq!(tidied("eth_getLogs", json!([{"fromBlock": "earliest"}])), Err(LIMIT_EXCEEDED));
        assert_eq!(tidied("eth_getLogs", json!([{"fromBlock": "0x0", "toBlock": "0x1869f"}])).map(|_| ()), Ok(()));
        assert_eq!(tidied("eth_getLogs", json!([{"fromBlock": "0x0", "toBlock": "0x186a0"}])), Err(LIMIT_EXCEEDED));
        assert_eq!(tidied("eth_getLogs", json!([{}])).map(|_| ()), Ok(()));
    }
}
