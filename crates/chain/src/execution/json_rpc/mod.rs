//! Answers one Ethereum JSON-RPC request: most by ethrex, the rest here.
//!
//! ```text
//!   request --> own methods: filters, eth_sendRawTransaction, what ethrex lacks
//!          \--> forward: tidy the parameters, wait for a permit --> ethrex, on a blocking thread
//! ```
//!
//! Everything ethrex answers may read the disk or run the EVM for long, so it never runs on an async worker, where it
//! would hold up consensus; a bounded number of requests runs at a time and the others wait.
//!
//! All that is visible is final: "latest", "safe" and "finalized" are one block. Left out: batches and notifications
//! (the server splits and drops them), `net_peerCount` (consensus knows), subscriptions, state overrides, blobs.

mod filter_methods;
mod forward;

use ethrex_blockchain::error::MempoolError;
use ethrex_common::Bytes;
use ethrex_crypto::keccak::keccak_hash;
use ethrex_rpc::RpcErrorMetadata;
use serde_json::{Value, json};

pub(super) use forward::Rpc;

use super::{ExecutionLayer, MAX_TRANSACTION_BYTES, SubmitError};
use alloy_primitives::hex;

/// JSON-RPC 2.0: not a request object.
const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC 2.0: wrong parameters.
const INVALID_PARAMS: i32 = -32602;
/// JSON-RPC 2.0: this node failed.
const INTERNAL: i32 = -32603;
/// EIP-1474: the transaction is refused, or another error of the node's.
const SERVER_ERROR: i32 = -32000;
/// EIP-1474: a limit of this node is exceeded.
const LIMIT_EXCEEDED: i32 = -32005;

/// Longest method name that is looked at and quoted.
const MAX_METHOD_BYTES: usize = 64;

type Answer = Result<Value, RpcErrorMetadata>;

/// The parts of a request that matter.
struct Request {
    method: String,
    params: Vec<Value>,
}

impl ExecutionLayer {
    /// Answers one request object with one response object, errors included. The response carries the request's `id`, or
    /// null where it has none: whether such a notification is answered at all is the server's business.
    ///
    /// Transactions that users send here are announced to [`subscribe_transactions`](Self::subscribe_transactions).
    pub async fn json_rpc(&self, request: Value) -> Value {
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        let answer = match Request::parse(request) {
            Ok(request) => self.answer(request).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
        }
    }

    async fn answer(&self, request: Request) -> Answer {
        let params = request.params.as_slice();
        match request.method.as_str() {
            // A node that answers is as far as it knows how to be; consensus tells the difference elsewhere.
            "eth_syncing" => Ok(Value::Bool(false)),
            "eth_accounts" => Ok(json!([])),
            "net_listening" => Ok(Value::Bool(true)),
            // The version of Ethereum's own peer-to-peer protocol, which is not spoken here.
            "eth_protocolVersion" => Ok(json!("0x0")),
            "web3_sha3" => Ok(hex_data(&keccak_hash(bytes_param(params, 0)?))),
            "eth_sendRawTransaction" => self.send_raw_transaction(params).await,
            "eth_getUncleCountByBlockHash" => self.uncle_count("eth_getBlockTransactionCountByHash", request).await,
            "eth_getUncleCountByBlockNumber" => self.uncle_count("eth_getBlockTransactionCountByNumber", request).await,
            "eth_newFilter" => self.new_log_filter(params).await,
            "eth_newBlockFilter" => self.new_block_filter(),
            "eth_newPendingTransactionFilter" => self.new_transaction_filter(),
            "eth_getFilterChanges" => self.filter_changes(params).await,
            "eth_getFilterLogs" => self.filter_logs(params).await,
            "eth_uninstallFilter" => self.uninstall_filter(params),
            _ => self.forward(request).await,
        }
    }

    async fn send_raw_transaction(&self, params: &[Value]) -> Answer {
        let raw = bytes_param(params, 0)?;
        match self.submit_and_announce(Bytes::from(raw)).await {
            Ok(hash) => Ok(json!(hash)),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// Proof of stake has no uncles: none in a block that exists, null for one that does not.
    async fn uncle_count(&self, existence: &str, request: Request) -> Answer {
        let found = self.forward(Request { method: existence.to_owned(), params: request.params }).await?;
        Ok(if found.is_null() { Value::Null } else { json!("0x0") })
    }
}

impl Request {
    fn parse(mut request: Value) -> Result<Self, RpcErrorMetadata> {
        let method = match request.get("method") {
            Some(Value::String(method)) if method.len() <= MAX_METHOD_BYTES => method.clone(),
            _ => return Err(fault(INVALID_REQUEST, "a request needs a method")),
        };
        let mut params = match request.get_mut("params").map(Value::take) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(params)) => params,
            Some(_) => return Err(fault(INVALID_PARAMS, "params must be an array")),
        };
        // Some clients spell out the optional ones they leave out.
        while params.last().is_some_and(Value::is_null) {
            params.pop();
        }
        Ok(Self { method, params })
    }
}

fn fault(code: i32, message: impl Into<String>) -> RpcErrorMetadata {
    RpcErrorMetadata { code, data: None, message: message.into() }
}

fn hex_data(bytes: &[u8]) -> Value {
    Value::String(hex::encode_prefixed(bytes))
}

fn bytes_param(params: &[Value], index: usize) -> Result<Vec<u8>, RpcErrorMetadata> {
    let text = params.get(index).and_then(Value::as_str).and_then(|text| text.strip_prefix("0x"));
    let wrong = || fault(INVALID_PARAMS, format!("parameter {index} must be 0x-prefixed bytes"));
    let text = text.ok_or_else(wrong)?;
    if text.len() > 2 * MAX_TRANSACTION_BYTES {
        return Err(fault(INVALID_PARAMS, format!("parameter {index} is longer than {MAX_TRANSACTION_BYTES} bytes")));
    }
    hex::decode(text).map_err(|_| wrong())
}

fn u64_param(params: &[Value], index: usize) -> Result<u64, RpcErrorMetadata> {
    let wrong = || fault(INVALID_PARAMS, format!("parameter {index} must be a 0x-prefixed number"));
    params.get(index).and_then(hex_u64).ok_or_else(wrong)
}

/// A number as Ethereum's JSON writes it.
fn hex_u64(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// The words are geth's, because wallets and client libraries look for them.
fn refusal(error: &SubmitError) -> RpcErrorMetadata {
    let SubmitError::Refused { source, .. } = error else {
        return match error {
            SubmitError::Malformed(source) => fault(INVALID_PARAMS, format!("not a transaction: {source}")),
            other => fault(SERVER_ERROR, other.to_string()),
        };
    };
    let message = match source {
        MempoolError::StoreError(_) => return fault(INTERNAL, "the transaction pool fails"),
        MempoolError::NonceTooLow | MempoolError::InvalidNonce => "nonce too low".to_owned(),
        MempoolError::NotEnoughBalance | MempoolError::InsufficientCumulativeBalance { .. } => {
            "insufficient funds for gas * price + value".to_owned()
        }
        MempoolError::UnderpricedReplacement => "replacement transaction underpriced".to_owned(),
        MempoolError::TxIntrinsicGasCostAboveLimitError => "intrinsic gas too low".to_owned(),
        MempoolError::TxGasLimitExceededError => "exceeds block gas limit".to_owned(),
        MempoolError::TxTipAboveFeeCapError => "max priority fee per gas higher than max fee per gas".to_owned(),
        MempoolError::InvalidChainId(expected) => format!("invalid chain id for signer: want {expected}"),
        other => other.to_string(),
    };
    fault(SERVER_ERROR, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_tidied_or_refused() {
        let parsed = Request::parse(json!({"method": "eth_call", "params": [{}, null, null]})).unwrap();
        assert_eq!((parsed.method.as_str(), parsed.params), ("eth_call", vec![json!({})]));
        assert!(Request::parse(json!({"method": "eth_call"})).unwrap().params.is_empty());
        for (bad, code) in [
            (json!([]), INVALID_REQUEST),
            (json!({"method": 1}), INVALID_REQUEST),
            (json!({"method": "m".repeat(65)}), INVALID_REQUEST),
            (json!({"method": "m", "params": {"a": 1}}), INVALID_PARAMS),
        ] {
            assert_eq!(Request::parse(bad).err().unwrap().code, code);
        }
    }

    #[test]
    fn parameters_are_checked() {
        assert_eq!(bytes_param(&[json!("0x0aff")], 0).unwrap(), [10, 255]);
        for bad in [json!("0a"), json!("0x0"), json!("0xzz"), json!(1)] {
            assert_eq!(bytes_param(&[bad], 0).unwrap_err().code, INVALID_PARAMS);
        }
        assert_eq!(bytes_param(&[], 0).unwrap_err().code, INVALID_PARAMS);
        let long = format!("0x{}", "00".repeat(MAX_TRANSACTION_BYTES + 1));
        assert!(bytes_param(&[json!(long)], 0).unwrap_err().message.contains("longer"));
        assert_eq!(u64_param(&[json!("0x1f")], 0).unwrap(), 31);
        assert!(u64_param(&[json!("31")], 0).is_err());
    }
}
