//! The gateway role: the web app's HTTP server, and the overlay behind it.

use crate::{config::GatewayConfig, overlay, peers::Peers, role::Shutdown};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use chainflix_gateway::{Delivery, Network, NetworkError, Options};
use chainflix_overlay::CellStream;
use chainflix_primitives::{Digest, Grant, GrantRequest, Signed};
use chainflix_rpc::Client;
use futures::future::{BoxFuture, FutureExt as _};
use std::sync::Arc;
use tokio::net::TcpListener;

pub(crate) async fn run(config: GatewayConfig, mut shutdown: Shutdown) -> Result<()> {
    let listener = TcpListener::bind(config.http_listen)
        .await
        .with_context(|| format!("cannot serve the web app at {}", config.http_listen))?;
    let overlay = overlay::bind(&config.overlay, &config.controllers).await?;
    let network = Arc::new(Peers::new(overlay.dialer(), &config.controllers));
    let client = Client::new(&config.rpcs)?;
    tracing::info!(url = format!("http://{}", config.http_listen), "ready");
    chainflix_gateway::serve(listener, client, network, Options::default(), shutdown.requested()).await;
    overlay.close().await;
    Ok(())
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
