//! From a `cfx_` method's name and parameters to its typed call.

use crate::{
    api::CfxApi,
    error::ApiError,
    types::{AccountQuery, COUNT_MAX, HOLDERS_MAX, HexBytes, IssueGrant, ServedQuery, VideoQuery, ViewBlockQuery},
};
use chainflix_primitives::manifest::MANIFEST_BYTES_MAX;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::net::IpAddr;

/// Who asks.
#[derive(Clone, Copy)]
pub(super) struct Asker {
    /// The address limits count by.
    pub address: IpAddr,
    pub is_controller: bool,
}

/// Who asks whom.
pub(super) struct Caller<'a> {
    pub cfx: &'a dyn CfxApi,
    pub asker: Asker,
}

impl Caller<'_> {
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, ApiError> {
        let cfx = self.cfx;
        match method {
            "cfx_genesis" => none(&params).map(|()| cfx.genesis())?.await.and_then(json),
            "cfx_head" => none(&params).map(|()| cfx.head())?.await.and_then(json),
            "cfx_schedule" => none(&params).map(|()| cfx.schedule())?.await.and_then(json),
            "cfx_providers" => none(&params).map(|()| cfx.providers())?.await.and_then(json),
            "cfx_viewBlocks" => {
                let query: ViewBlockQuery = one(params)?;
                counted(query.count)?;
                cfx.view_blocks(query).await.and_then(json)
            }
            "cfx_account" => {
                let query: AccountQuery = one(params)?;
                counted(query.count)?;
                cfx.account(query).await.and_then(json)
            }
            "cfx_served" => {
                let query: ServedQuery = one(params)?;
                counted(query.count)?;
                cfx.served(query).await.and_then(json)
            }
            "cfx_videos" => {
                let query: VideoQuery = one(params)?;
                counted(query.count)?;
                cfx.videos(query).await.and_then(json)
            }
            "cfx_viewBlock" => cfx.view_block(one(params)?).await.and_then(json),
            "cfx_play" => cfx.play(one(params)?).await.and_then(json),
            "cfx_video" => cfx.video(one(params)?).await.and_then(json),
            "cfx_manifest" => cfx.manifest(one(params)?).await.and_then(|bytes| json(bytes.map(HexBytes))),
            "cfx_submitManifest" => self.submit_manifest(one(params)?).await,
            "cfx_issueGrant" => self.issue_grant(one(params)?).await,
            "cfx_requestPlay" => cfx.request_play(one(params)?, self.asker.address).await.and_then(json),
            "cfx_submitReceipt" => cfx.submit_receipt(one(params)?).await.and_then(|()| json(true)),
            "cfx_submitProof" => cfx.submit_proof(one(params)?).await.and_then(|()| json(true)),
            "cfx_submitOpening" => cfx.submit_opening(one(params)?).await.and_then(|()| json(true)),
            "cfx_disputes" => cfx.disputes(one(params)?).await.and_then(json),
            "cfx_submitEvidence" => cfx.submit_evidence(one(params)?).await.and_then(json),
            other => Err(ApiError::UnknownMethod { method: other.to_owned() }),
        }
    }

    pub async fn submit_manifest(&self, HexBytes(manifest): HexBytes) -> Result<Value, ApiError> {
        if manifest.len() > MANIFEST_BYTES_MAX {
            return Err(bad(format!("a manifest has at most {MANIFEST_BYTES_MAX} bytes")));
        }
        self.cfx.submit_manifest(manifest).await.and_then(json)
    }

    async fn issue_grant(&self, words: IssueGrant) -> Result<Value, ApiError> {
        if !self.asker.is_controller {
            return Err(ApiError::ControllersOnly);
        }
        if words.holders.len() > HOLDERS_MAX {
            return Err(bad(format!("at most {HOLDERS_MAX} holders")));
        }
        self.cfx.issue_grant(words).await.and_then(json)
    }
}

fn bad(reason: impl Into<String>) -> ApiError {
    ApiError::BadParams { reason: reason.into() }
}

fn none(params: &Value) -> Result<(), ApiError> {
    match params {
        Value::Null => Ok(()),
        Value::Array(params) if params.is_empty() => Ok(()),
        _ => Err(bad("this method takes none")),
    }
}

fn one<T: DeserializeOwned>(params: Value) -> Result<T, ApiError> {
    let Value::Array(mut params) = params else { return Err(bad("params is an array with one value")) };
    match (params.pop(), params.len()) {
        (Some(param), 0) => serde_json::from_value(param).map_err(|error| bad(error.to_string())),
        _ => Err(bad("this method takes one")),
    }
}

fn counted(count: u32) -> Result<(), ApiError> {
    match count {
        1..=COUNT_MAX => Ok(()),
        _ => Err(bad(format!("count is 1 to {COUNT_MAX}"))),
    }
}

fn json(answer: impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(answer).map_err(ApiError::internal)
}
