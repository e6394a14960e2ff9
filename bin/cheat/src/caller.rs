//! JSON-RPC from an address of one's choice, with every kind of no kept as it was said.
//!
//! All of 127.0.0.0/8 is this machine, so a client can really come from another /24: validators see its address and count
//! by it. `chainflix-rpc`'s own client cannot choose, and hides what it can mend; here nothing is mended.

use anyhow::{Context as _, Result};
use chainflix_primitives::PlayId;
use chainflix_rpc::types::PlayReport;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fmt, net::Ipv4Addr, time::Duration};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the network said no.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum No {
    /// A refusal of the protocol, by its code.
    Refused(String),
    /// The play is not paid, for this reason.
    Unpaid(String),
    /// Another JSON-RPC error: its number and words.
    Rpc(i64, String),
    /// An HTTP status without an answer.
    Http(u16),
    /// A provider or the controller refused, or closed the stream.
    Peer(String),
    /// No connection, or no answer.
    Silent,
    /// The client itself cannot go on.
    Stuck(String),
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(code) => write!(f, "{code}"),
            Self::Unpaid(code) => write!(f, "unpaid: {code}"),
            Self::Rpc(number, _) => write!(f, "JSON-RPC {number}"),
            Self::Http(status) => write!(f, "HTTP {status}"),
            Self::Peer(words) => write!(f, "{words}"),
            Self::Silent => f.write_str("connection closed"),
            Self::Stuck(words) => write!(f, "client stuck: {words}"),
        }
    }
}

/// One client's way to all validators.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    rpcs: Vec<String>,
    forwarded_for: Option<String>,
}

impl Caller {
    /// A client at `from`, which must be an address of this machine.
    pub fn new(from: Ipv4Addr, rpcs: &[String]) -> Result<Self> {
        let http = reqwest::Client::builder().local_address(Some(from.into())).timeout(PATIENCE).build();
        let http = http.with_context(|| format!("no HTTP client at {from}"))?;
        Ok(Self { http, rpcs: rpcs.to_vec(), forwarded_for: None })
    }

    /// The same client, which says in the gateways' header that it speaks for `address`.
    pub fn pretending(&self, address: Ipv4Addr) -> Self {
        Self { forwarded_for: Some(address.to_string()), ..self.clone() }
    }

    /// Asks validator `number`.
    pub async fn ask<T: DeserializeOwned>(&self, number: usize, method: &str, words: impl Serialize) -> Result<T, No> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": [words]});
        // A JSON value writes itself.
        let answer = self.post(&self.rpcs[number % self.rpcs.len()], call.to_string().into_bytes()).await?;
        let mut answer: Value = serde_json::from_slice(&answer).map_err(|_| No::Silent)?;
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            return Err(said_no(error));
        }
        serde_json::from_value(answer["result"].take()).map_err(|error| No::Stuck(error.to_string()))
    }

    /// Posts any bytes to any URL.
    pub async fn post(&self, url: &str, body: Vec<u8>) -> Result<Vec<u8>, No> {
        let mut request = self.http.post(url).header("content-type", "application/json").body(body);
        if let Some(address) = &self.forwarded_for {
            request = request.header("x-forwarded-for", address);
        }
        let answer = request.send().await.map_err(|_| No::Silent)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|_| No::Silent)?;
        match status.is_success() || bytes.first() == Some(&b'{') {
            true => Ok(bytes.to_vec()),
            false => Err(No::Http(status.as_u16())),
        }
    }

    /// How a play stands, as validator `number` sees it.
    pub async fn play(&self, number: usize, play: PlayId) -> Result<PlayReport, No> {
        self.ask(number, "cfx_play", play).await
    }

    /// Where the validators are reached.
    pub fn rpcs(&self) -> &[String] {
        &self.rpcs
    }
}

/// The no in an error object.
pub fn said_no(error: &Value) -> No {
    let code = error["data"]["code"].as_str();
    match code {
        Some(code) => No::Refused(code.to_owned()),
        None => No::Rpc(
            error["code"].as_i64().unwrap_or_default(),
            error["message"].as_str().unwrap_or_default().to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_code_and_another_error_its_number() {
        let refused = json!({"code": -32010, "message": "no", "data": {"code": "too-early", "advice": "give-up"}});
        assert_eq!(said_no(&refused), No::Refused("too-early".into()));
        assert_eq!(said_no(&json!({"code": -32602, "message": "bad"})), No::Rpc(-32602, "bad".into()));
    }
}
