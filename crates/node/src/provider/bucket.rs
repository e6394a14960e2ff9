//! The way to an object store: S3 and whatever speaks like it, over the HTTP client that this process has anyway.
//!
//! Where it is comes from the configuration; the key comes from the environment, and is neither written down nor logged.

use crate::config::ObjectStoreConfig;
use async_trait::async_trait;
use chainflix_primitives::AccountAddress;
use chainflix_provider::StoreBucket;
use chainflix_rpc::http_builder;
use object_store::{
    ClientOptions, RetryConfig,
    aws::AmazonS3Builder,
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// The variables that hold the key, as every tool for S3 knows them.
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
/// Only keys that are lent for a while have one.
const SESSION: &str = "AWS_SESSION_TOKEN";
/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a request may take with all its repetitions: 8 MiB up a line of 1.2 Mbit/s.
const PATIENCE: Duration = Duration::from_secs(60);
/// Repetitions of a request that was not answered, or answered with "later".
const RETRIES: usize = 3;
/// More is no answer: a range is at most 64 MiB, a page of a listing a MB.
const ANSWER_BYTES_MAX: usize = 80 << 20;

/// Why an object store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// No key.
    #[error("{url} needs a key: set {variable} in the environment of this process")]
    Key { url: String, variable: &'static str },
    /// What the configuration says of it.
    #[error("{url} cannot be used")]
    Settings {
        url: String,
        #[source]
        source: object_store::Error,
    },
}

/// Prepares the way to an object store for the provider `account`; nothing is sent yet. `variable` answers from the environment.
pub(super) fn bucket(
    config: &ObjectStoreConfig,
    account: AccountAddress,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<StoreBucket, BucketError> {
    let url = &config.url;
    let read = |name: &'static str| variable(name).filter(|value| !value.is_empty()).map(Zeroizing::new);
    let needed = |name| read(name).ok_or_else(|| BucketError::Key { url: url.to_string(), variable: name });
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&url.bucket)
        .with_region(&config.region)
        .with_access_key_id(needed(KEY_ID)?.as_str())
        .with_secret_access_key(needed(SECRET)?.as_str())
        .with_retry(RetryConfig { max_retries: RETRIES, retry_timeout: PATIENCE, ..RetryConfig::default() })
        .with_http_connector(Connector);
    if let Some(session) = read(SESSION) {
        builder = builder.with_token(session.as_str());
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    let objects = builder.build().map_err(|source| BucketError::Settings { url: url.to_string(), source })?;
    Ok(StoreBucket {
        name: url.to_string(),
        objects: Arc::new(objects),
        prefix: url.prefix.clone(),
        quota_bytes: config.quota_bytes,
        owner: account.to_checksum(),
        scrub: config.scrub,
        patience: PATIENCE,
    })
}

/// Makes HTTP clients as this process makes them.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = http_builder()
            .connect_timeout(CONNECT_PATIENCE)
            // A signature holds for the address that was asked.
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let client = client.map_err(|source| object_store::Error::Generic { store: "S3", source: source.into() })?;
        Ok(HttpClient::new(Http(client)))
    }
}

#[derive(Debug)]
struct Http(reqwest::Client);

#[async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse().map_err(|error| HttpError::new(HttpErrorKind::Unknown, Url(error)))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        let mut answer = self.0.execute(request).await.map_err(http_error)?;
        let mut bytes = Vec::new();
        let (status, headers) = (answer.status(), answer.headers().clone());
        while let Some(piece) = answer.chunk().await.map_err(http_error)? {
            if bytes.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(HttpError::new(HttpErrorKind::Decode, TooLong));
            }
            bytes.extend_from_slice(&piece);
        }
        let mut response = HttpResponse::new(bytes.into());
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the object store sends more than was asked for")]
struct TooLong;

#[derive(Debug, thiserror::Error)]
#[error("no URL: {0}")]
struct Url(<reqwest::Url as std::str::FromStr>::Err);

/// What may be tried again, and what not. The URL is left out: it is in the error of whoever asked.
fn http_error(error: reqwest::Error) -> HttpError {
    let kind = match &error {
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if error.is_connect() => HttpErrorKind::Connect,
        error if error.is_decode() => HttpErrorKind::Decode,
        // The connection broke: reading can be tried again.
        _ => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ObjectStoreConfig {
        ObjectStoreConfig {
            url: "s3://films/disk-7".parse().unwrap(),
            endpoint: Some("http://127.0.0.1:1".into()),
            region: "us-east-1".into(),
            quota_bytes: 1,
            scrub: false,
        }
    }

    #[test]
    fn the_key_is_the_environments_and_shown_nowhere() {
        let key = |name: &str| match name {
            KEY_ID => Some("AKIDEXAMPLE".to_owned()),
            SECRET => Some("wJalrXUtnFEMI".to_owned()),
            _ => None,
        };
        let bucket = super::bucket(&config(), AccountAddress([7; 20]), key).unwrap();
        assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), ("s3://films/disk-7", "disk-7"));
        assert!(!format!("{bucket:?}").contains("wJalr"));
        let missing = super::bucket(&config(), AccountAddress([7; 20]), |name| key(name).filter(|_| name == KEY_ID));
        assert!(matches!(missing, Err(BucketError::Key { variable: SECRET, .. })));
        let empty = super::bucket(&config(), AccountAddress([7; 20]), |_| Some(String::new()));
        assert!(matches!(empty, Err(BucketError::Key { variable: KEY_ID, .. })));
    }
}
