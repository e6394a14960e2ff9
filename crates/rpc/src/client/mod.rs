//! Asks validators, and the next one when one does not answer.
//!
//! ```text
//! call ──▶ endpoint that worked last ──▶ answer, or a refusal: the end
//!              │ unreachable, silent, or failing inside
//!              ▼
//!          the next endpoint, each at most once ──▶ … ──▶ ClientError::Unreachable
//! ```
//!
//! When this machine's own address changes, kept connections are dead and do not say so. What was sent on one and is not
//! acknowledged within two seconds is sent again on another, to the same endpoint (on Linux).
//!
//! A validator that dies after it did what it was asked, and before it said so, makes the next one do it again. All
//! methods bear that: receipts, proofs and manifests are the same the second time, a second grant or PlayCode replaces
//! an unseen first, and a transaction has one nonce.

mod error;
mod ethereum;
mod methods;
#[cfg(test)]
mod tests;

use crate::{
    error::{INTERNAL, TIMEOUT, WireError},
    origin::FORWARDED_FOR,
};
use bytes::Bytes;
use chainflix_proof_of_view::Advice;
use reqwest::{Url, header::CONTENT_TYPE, redirect::Policy};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tracing::debug;

pub use error::{ClientError, Refused, TransportError};
pub use ethereum::{CallRequest, TransactionReceipt};

/// How long sent bytes may go unacknowledged by the other machine (not unanswered by the validator).
#[cfg(target_os = "linux")]
const LOST_AFTER: Duration = Duration::from_secs(2);
/// Dead connections to one endpoint that one call gets over.
const LOST_MAX: u32 = 3;

/// How patient a client is.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Until an answer is there, per endpoint.
    pub answer_timeout: Duration,
    /// Longest answer, in bytes.
    pub answer_bytes_max: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            answer_timeout: Duration::from_secs(10),
            answer_bytes_max: 24 << 20,
        }
    }
}

/// A client of one or several validators of one network. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
    on_behalf_of: Option<IpAddr>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    endpoints: Vec<Url>,
    /// The endpoint that is asked first: the one that worked last.
    current: AtomicUsize,
    options: ClientOptions,
}

/// What to do after one endpoint's failure.
enum Failure {
    /// Ask the next one.
    Endpoint(ClientError),
    /// Ask the next one; this one is well.
    Answer(ClientError),
    /// No other endpoint answers differently.
    Final(ClientError),
}

#[derive(Serialize)]
struct Call<'a, P> {
    jsonrpc: &'static str,
    id: u8,
    method: &'a str,
    params: P,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Response<T> {
    // Distinguishes `"result": null` from no result at all.
    #[serde(default = "Option::default", deserialize_with = "present")]
    result: Option<T>,
    error: Option<WireError>,
}

fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Begins an HTTP client of this process.
///
/// Only http is spoken, but reqwest wants a TLS provider as soon as any crate of the build turns its TLS on, and panics
/// without one. Where one is installed already, that one stays.
pub fn http_builder() -> reqwest::ClientBuilder {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

impl Client {
    /// A client with the usual patience.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`] when there is none, or one is no `http` URL.
    pub fn new<S: AsRef<str>>(endpoints: impl IntoIterator<Item = S>) -> Result<Self, ClientError> {
        Self::with_options(endpoints, ClientOptions::default())
    }

    /// As [`Self::new`], with patience of its own.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_options<S: AsRef<str>>(
        endpoints: impl IntoIterator<Item = S>,
        options: ClientOptions,
    ) -> Result<Self, ClientError> {
        let endpoints = endpoints.into_iter().map(|url| endpoint(url.as_ref())).collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(ClientError::Endpoint { url: String::new() });
        }
        let mut http = http_builder();
        #[cfg(target_os = "linux")]
        {
            http = http.tcp_user_timeout(LOST_AFTER);
        }
        let http = http
            .connect_timeout(options.connect_timeout)
            .timeout(options.answer_timeout)
            // Below the server's own patience with idle connections, so that a request seldom meets a closing one.
            .pool_idle_timeout(Duration::from_secs(15))
            .redirect(Policy::none())
            .build()
            .map_err(ClientError::Setup)?;
        let inner = Inner { http, endpoints, current: AtomicUsize::new(0), options };
        Ok(Self { inner: Arc::new(inner), on_behalf_of: None })
    }

    /// The same client for one viewer: a validator that trusts this process counts by the viewer's address.
    pub fn on_behalf_of(&self, viewer: IpAddr) -> Self {
        Self { inner: self.inner.clone(), on_behalf_of: Some(viewer) }
    }

    /// Calls any method.
    ///
    /// # Errors
    /// [`ClientError`], also when the answer is not a `T`.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: impl Serialize) -> Result<T, ClientError> {
        let call = Call { jsonrpc: "2.0", id: 1, method, params };
        let body = serde_json::to_vec(&call).map_err(|source| ClientError::Answer { method: method.into(), source })?;
        let body = Bytes::from(body);
        self.first_answer(method, body, |answer| read_answer(method, &answer)).await
    }

    /// Sends a whole body of JSON-RPC as it is and answers with what comes back, for a proxy.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when no endpoint answers.
    pub async fn forward(&self, body: Bytes) -> Result<Vec<u8>, ClientError> {
        const METHOD: &str = "a forwarded request";
        self.first_answer(METHOD, body, Ok).await
    }

    async fn first_answer<T>(
        &self,
        method: &str,
        body: Bytes,
        read: impl Fn(Vec<u8>) -> Result<T, Failure>,
    ) -> Result<T, ClientError> {
        let Inner { endpoints, current, .. } = self.inner.as_ref();
        let first = current.load(Ordering::Relaxed);
        let mut last = None;
        for turn in 0..endpoints.len() {
            let index = (first + turn) % endpoints.len();
            let answer = self.post_until_heard(&endpoints[index], &body).await;
            match answer.map_err(|error| failed(method, error)).and_then(&read) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Answer(error)) => last = Some(error),
                Err(Failure::Endpoint(error)) => {
                    debug!(method, endpoint = %endpoints[index], %error, "no answer");
                    let next = (index + 1) % endpoints.len();
                    // Somebody else who moved on already knows as much.
                    let _ = current.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
                    // What a validator said explains more than the silence of another.
                    last = last.or(Some(error));
                }
            }
        }
        // There is at least one endpoint, so there was at least one error.
        Err(last.unwrap_or(ClientError::Endpoint { url: String::new() }))
    }

    /// Sends over another connection what went out on dead ones.
    async fn post_until_heard(&self, endpoint: &Url, body: &Bytes) -> Result<Vec<u8>, TransportError> {
        let mut lost = 0;
        loop {
            match self.post(endpoint, body.clone()).await {
                Err(error) if error.is_unacknowledged() && lost < LOST_MAX => lost += 1,
                answer => return answer,
            }
        }
    }

    async fn post(&self, endpoint: &Url, body: Bytes) -> Result<Vec<u8>, TransportError> {
        let mut request = self.inner.http.post(endpoint.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(viewer) = self.on_behalf_of {
            request = request.header(FORWARDED_FOR, viewer.to_string());
        }
        let mut response = request.send().await?;
        let most = self.inner.options.answer_bytes_max;
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await? {
            if answer.len() + part.len() > most {
                return Err(TransportError::TooLarge { most });
            }
            answer.extend_from_slice(&part);
        }
        // Errors of JSON-RPC have bodies whatever the status; a proxy's or a dying server's have none of ours.
        match response.status() {
            status if status.is_success() || answer.first() == Some(&b'{') => Ok(answer),
            status => Err(TransportError::Status { status: status.as_u16() }),
        }
    }
}

fn endpoint(url: &str) -> Result<Url, ClientError> {
    match url.parse::<Url>() {
        Ok(parsed) if parsed.scheme() == "http" && parsed.has_host() => Ok(parsed),
        _ => Err(ClientError::Endpoint { url: url.to_owned() }),
    }
}

fn failed(method: &str, source: TransportError) -> Failure {
    Failure::Endpoint(ClientError::Unreachable { method: method.into(), source })
}

fn read_answer<T: DeserializeOwned>(method: &str, answer: &[u8]) -> Result<T, Failure> {
    let malformed = |source| Failure::Answer(ClientError::Answer { method: method.into(), source });
    let Response { result, error } = serde_json::from_slice(answer).map_err(malformed)?;
    match (result, error) {
        (Some(result), None) => Ok(result),
        (_, Some(error)) => Err(said_no(method, error)),
        (None, None) => Err(malformed(serde::de::Error::custom("neither result nor error"))),
    }
}

fn said_no(method: &str, error: WireError) -> Failure {
    if let Some(refused) = Refused::read(&error) {
        let elsewhere = refused.advice == Advice::TryAnother;
        let error = ClientError::Refused(refused);
        return if elsewhere { Failure::Answer(error) } else { Failure::Final(error) };
    }
    let elsewhere = matches!(error.code, INTERNAL | TIMEOUT);
    let error = ClientError::Rpc { method: method.into(), error };
    if elsewhere { Failure::Answer(error) } else { Failure::Final(error) }
}
