//! The methods of polled filters.

use std::time::Instant;

use ethrex_common::H256;
use serde_json::{Map, Value, json};

use super::{
    Answer, ExecutionLayer, INTERNAL, INVALID_PARAMS, LIMIT_EXCEEDED, Request, SERVER_ERROR, fault, hex_u64, u64_param,
};
use crate::execution::{
    filters::{MAX_FILTERS, Watch},
    lock,
};

/// Longest filter object that is kept, in bytes of JSON.
const MAX_QUERY_BYTES: usize = 16 * 1024;

impl ExecutionLayer {
    pub(super) async fn new_log_filter(&self, params: &[Value]) -> Answer {
        let Some(Value::Object(query)) = params.first() else {
            return Err(fault(INVALID_PARAMS, "parameter 0 must be a filter object"));
        };
        if query.contains_key("blockHash") {
            return Err(fault(INVALID_PARAMS, "a filter over one block never changes: use eth_getLogs"));
        }
        if Value::Object(query.clone()).to_string().len() > MAX_QUERY_BYTES {
            return Err(fault(LIMIT_EXCEEDED, format!("a filter has at most {MAX_QUERY_BYTES} bytes")));
        }
        let head = self.height();
        self.logs(query, head, head).await?; // What ethrex does not understand is refused now and not with each poll.
        self.add_filter(Watch::Logs { next: head + 1, query: query.clone() })
    }

    pub(super) fn new_block_filter(&self) -> Answer {
        self.add_filter(Watch::Blocks { next: self.height() + 1 })
    }

    pub(super) fn new_transaction_filter(&self) -> Answer {
        let next = self.inner.pool.recent().next();
        self.add_filter(Watch::Transactions { next })
    }

    fn add_filter(&self, watch: Watch) -> Answer {
        match lock(&self.inner.rpc.filters).add(watch, Instant::now()) {
            Some(id) => Ok(json!(format!("{id:#x}"))),
            None => Err(fault(LIMIT_EXCEEDED, format!("{MAX_FILTERS} filters are in use: try again later"))),
        }
    }

    pub(super) fn uninstall_filter(&self, params: &[Value]) -> Answer {
        let id = u64_param(params, 0)?;
        Ok(Value::Bool(lock(&self.inner.rpc.filters).remove(id)))
    }

    pub(super) async fn filter_changes(&self, params: &[Value]) -> Answer {
        let id = u64_param(params, 0)?;
        let (answer, next) = match self.watch(id)? {
            Watch::Blocks { next } => self.new_blocks(next)?,
            Watch::Transactions { next } => self.new_transactions(next),
            Watch::Logs { next, query } => self.new_logs(next, &query).await?,
        };
        lock(&self.inner.rpc.filters).advance(id, next); // After an error the next poll asks for the same again.
        Ok(answer)
    }

    pub(super) async fn filter_logs(&self, params: &[Value]) -> Answer {
        match self.watch(u64_param(params, 0)?)? {
            Watch::Logs { query, .. } => self.forward(get_logs(query)).await,
            _ => Err(fault(INVALID_PARAMS, "not a filter over logs")),
        }
    }

    fn watch(&self, id: u64) -> Result<Watch, ethrex_rpc::RpcErrorMetadata> {
        // "filter not found" is what client libraries look for, to make a new one.
        lock(&self.inner.rpc.filters).poll(id, Instant::now()).ok_or_else(|| fault(SERVER_ERROR, "filter not found"))
    }

    fn new_blocks(&self, next: u64) -> Result<(Value, u64), ethrex_rpc::RpcErrorMetadata> {
        let head = self.height();
        let hashes = Watch::blocks(next, head).into_iter().flatten().map(|number| {
            let hash = self.inner.store().get_canonical_block_hash_sync(number);
            hash.ok().flatten().ok_or_else(|| fault(INTERNAL, format!("block {number} cannot be read")))
        });
        let hashes = hashes.collect::<Result<Vec<H256>, _>>()?;
        Ok((json!(hashes), head + 1))
    }

    fn new_transactions(&self, next: u64) -> (Value, u64) {
        let recent = self.inner.pool.recent();
        (json!(recent.since(next)), recent.next())
    }

    /// The query's own bounds still hold: it may ask for logs of later blocks only, or of blocks up to one.
    async fn new_logs(
        &self,
        next: u64,
        query: &Map<String, Value>,
    ) -> Result<(Value, u64), ethrex_rpc::RpcErrorMetadata> {
        let head = self.height();
        let bound = |field| query.get(field).and_then(hex_u64);
        let (from, to) = (bound("fromBlock").unwrap_or(next).max(next), bound("toBlock").unwrap_or(head).min(head));
        let logs = if from <= to { self.logs(query, from, to).await? } else { json!([]) };
        Ok((logs, head + 1))
    }

    async fn logs(&self, query: &Map<String, Value>, from: u64, to: u64) -> Answer {
        let mut query = query.clone();
        query.insert("fromBlock".to_owned(), json!(format!("{from:#x}")));
        query.insert("toBlock".to_owned(), json!(format!("{to:#x}")));
        self.forward(get_logs(query)).await
    }
}

fn get_logs(query: Map<String, Value>) -> Request {
    Request { method: "eth_getLogs".to_owned(), params: vec![Value::Object(query)] }
}
