//! The gateway role: the web app's HTTP server, and the overlay behind it.

use crate::{config::GatewayConfig, overlay, role::Shutdown};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use chainflix_gateway::{Delivery, Network, NetworkError, Options};
use chainflix_overlay::{
    CellStream, Dialer, FetchError,
    control::{ControlError, ControlRefusal, find_source},
    fetch_cell,
};
use chainflix_primitives::{Digest, Grant, GrantRequest, NodeId, Signed};
use chainflix_rpc::Client;
use futures::future::{BoxFuture, FutureExt as _};
use std::sync::Arc;
use tokio::net::TcpListener;

pub(crate) async fn run(config: GatewayConfig, mut shutdown: Shutdown) -> Result<()> {
    let listener = TcpListener::bind(config.http_listen)
        .await
        .with_context(|| format!("cannot serve the web app at {}", config.http_listen))?;
    let overlay = overlay::bind(&config.overlay, &config.controllers).await?;
    let controllers = config.controllers.iter().map(|controller| controller.node).collect();
    let network = Arc::new(Peers { dialer: overlay.dialer(), controllers });
    let client = Client::new(&config.rpcs)?;
    tracing::info!(url = format!("http://{}", config.http_listen), "ready");
    chainflix_gateway::serve(listener, client, network, Options::default(), shutdown.requested()).await;
    overlay.close().await;
    Ok(())
}

/// The controllers and providers, over the overlay.
pub(crate) struct Peers {
    pub dialer: Dialer,
    /// Asked in this order; the next one when the one before does not answer.
    pub controllers: Vec<NodeId>,
}

/// Time after which what nobody holds, or nobody has room for, is worth asking again.
const RETRY_MS: u64 = 1_000;

fn refused(refusal: &ControlRefusal) -> NetworkError {
    let (code, retry_ms) = match refusal {
        ControlRefusal::Validator { code, .. } => (code.as_str(), (code == "no-source").then_some(RETRY_MS)),
        ControlRefusal::NoSource => ("no-source", Some(RETRY_MS)),
        ControlRefusal::ValidatorSilent => ("validator-silent", Some(RETRY_MS)),
        ControlRefusal::Busy => ("busy", Some(RETRY_MS)),
        ControlRefusal::UnknownCell => ("unknown-cell", None),
        _ => ("controller-refused", None),
    };
    let message = match refusal {
        ControlRefusal::Validator { message, .. } => message.clone(),
        other => other.to_string(),
    };
    NetworkError::Refused { code: code.to_owned(), message, retry_ms }
}

impl Peers {
    /// Asks the controllers in turn for a grant.
    pub async fn find(&self, request: &Signed<GrantRequest>) -> Result<Signed<Grant>, NetworkError> {
        let mut silent = None;
        for controller in &self.controllers {
            match find_source(&self.dialer, *controller, request.clone()).await {
                Ok(source) => return Ok(source.grant),
                Err(ControlError::Refused { refusal, .. }) => return Err(refused(&refusal)),
                Err(error) => silent = Some(error),
            }
        }
        let none = || std::io::Error::other("no controller is configured").into();
        Err(NetworkError::Controller(silent.map_or_else(none, |error| Box::new(error) as _)))
    }

    /// Opens the delivery that a grant permits.
    pub async fn fetch(&self, grant: &Signed<Grant>) -> Result<CellStream, FetchError> {
        fetch_cell(&self.dialer, grant, grant.body.from_byte).await
    }
}

impl Network for Peers {
    fn grant(&self, request: Signed<GrantRequest>) -> BoxFuture<'_, Result<Signed<Grant>, NetworkError>> {
        async move { self.find(&request).await }.boxed()
    }

    fn deliver(&self, grant: Signed<Grant>) -> BoxFuture<'_, Result<Box<dyn Delivery>, NetworkError>> {
        async move {
            let stream = self.fetch(&grant).await.map_err(|error| NetworkError::Provider(Box::new(error)))?;
            Ok(Box::new(Passing(stream)) as Box<dyn Delivery>)
        }
        .boxed()
    }
}

/// A delivery that passes through this gateway, encrypted for its viewer.
struct Passing(CellStream);

impl Delivery for Passing {
    fn bytes_left(&self) -> u64 {
        self.0.bytes_left()
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, NetworkError>> {
        async { self.0.next().await.map_err(|error| NetworkError::Provider(Box::new(error))) }.boxed()
    }

    fn finish(self: Box<Self>, end: u64, delivered_hash: Digest) -> BoxFuture<'static, Result<(), NetworkError>> {
        let finished = async move { self.0.finish(end, delivered_hash).await };
        finished.map(|done| done.map_err(|error| NetworkError::Provider(Box::new(error)))).boxed()
    }
}
