//! The storage controller role: the controller, and the chain as it asks for it.

use crate::{config::ControllerConfig, overlay, role::Shutdown};
use anyhow::{Context as _, Result};
use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS, SolCall};
use chainflix_controller::{
    Authority, AuthorityError, CensusConfig, Controller, Memory, Region, RegisteredCell, RegisteredFilm, StripeCells,
    Turns,
};
use chainflix_overlay::{ServeLimits, control::ProviderCard};
use chainflix_primitives::{
    AccountAddress, BlockHash, CellId, Grant, GrantRequest, Magnet, Manifest, NodeId, Signed,
    stripe::{STRIPE_PARITY, Stripe},
};
use chainflix_rpc::{
    Client, ClientError,
    client::CallRequest,
    types::{COUNT_MAX, HexBytes, IssueGrant, VideoQuery},
};
use futures::future::{BoxFuture, FutureExt as _};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Most manifests kept; when it is full the cache starts anew.
const MANIFESTS_MAX: usize = 512;
/// Where there are other controllers: how long a cell is short before it is copied. What is uploaded to them, and what they
/// copy, reaches its disks one after the other.
const OTHERS_GRACE_MS: u64 = 30_000;
/// Blocks that share one seed: about a minute of them.
const SEED_BLOCKS: u64 = 30;

pub(crate) async fn run(config: ControllerConfig, mut shutdown: Shutdown) -> Result<()> {
    let memory = Memory::open(&config.state).context("what is known about providers cannot be kept")?;
    let overlay = overlay::bind(&config.overlay, &config.other_controllers).await?;
    let others = config.other_controllers.iter().map(|controller| controller.node);
    // A list of all controllers is as good.
    let others: Vec<NodeId> = others.filter(|node| *node != overlay.node_id()).collect();
    let authority = Arc::new(Chain { client: Client::new(&config.rpcs)?, manifests: Mutex::default() });
    let copies = u8::try_from(config.copies).context("a cell has at most 255 copies")?;
    // Places are told apart within this process only.
    let turns = turns(overlay.node_id(), &others);
    let mut census = CensusConfig { place_key: rand::random(), turns, ..CensusConfig::with_copies(copies) };
    if let Some(patience_s) = config.patience_s {
        census.reputation.patience.lost_after_ms = u64::from(patience_s) * 1_000;
    }
    if let Some(cold_after_s) = config.cold_after_s {
        census.cold.after_ms = cold_after_s.saturating_mul(1_000);
    }
    if !others.is_empty() {
        census.repair.grace_ms = OTHERS_GRACE_MS;
    }
    let settings =
        chainflix_controller::ControllerConfig { census, others, memory: Some(memory), ..Default::default() };
    let controller = Controller::start(settings, overlay.dialer(), authority);
    let serving = overlay.serve(controller.protocols(), ServeLimits::default());
    tracing::info!(node = %overlay.node_id(), "ready");
    shutdown.requested().await;
    serving.stop().await;
    controller.stop().await;
    overlay.close().await;
    Ok(())
}

/// This controller's turns to delete: all controllers know the order of their names.
fn turns(node: NodeId, others: &[NodeId]) -> Turns {
    let all: BTreeSet<NodeId> = others.iter().copied().chain([node]).collect();
    // It is one of them.
    Turns::new(all.range(..node).count(), all.len()).unwrap_or(Turns::ALONE)
}

/// The chain, through any of the validators.
struct Chain {
    client: Client,
    manifests: Mutex<HashMap<Magnet, Arc<Manifest>>>,
}

fn failed(error: ClientError) -> AuthorityError {
    match error.refusal() {
        Some(refused) => AuthorityError::Refused { code: refused.code.clone(), message: refused.message.clone() },
        None => AuthorityError::Silent(Box::new(error)),
    }
}

impl Chain {
    async fn manifest(&self, magnet: Magnet) -> Result<Option<Arc<Manifest>>, AuthorityError> {
        let cached = || self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manifest) = cached().get(&magnet) {
            return Ok(Some(manifest.clone()));
        }
        let Some(bytes) = self.client.manifest(magnet).await.map_err(failed)? else { return Ok(None) };
        let decoded = Manifest::decode(&bytes, &magnet).map(Arc::new);
        let manifest = decoded.map_err(|error| AuthorityError::Silent(Box::new(error)))?;
        let mut cache = cached();
        if cache.len() >= MANIFESTS_MAX {
            cache.clear();
        }
        cache.insert(magnet, manifest.clone());
        Ok(Some(manifest))
    }
}

impl Chain {
    /// Asks the registry contract.
    async fn registry<C: SolCall>(&self, call: C) -> Result<C::Return, AuthorityError> {
        let to = Some(AccountAddress(REGISTRY_ADDRESS.into_array()));
        let call = CallRequest { from: None, to, value: 0, data: HexBytes(call.abi_encode()) };
        let answer = self.client.eth_call(&call).await.map_err(failed)?;
        C::abi_decode_returns(&answer).map_err(|error| AuthorityError::Silent(Box::new(error)))
    }

    /// The country of the supervisor under whom a film was registered: the chain says nothing nearer of where its viewers are.
    /// Unknown once that supervisor is removed.
    async fn home(&self, magnet: Magnet) -> Result<Region, AuthorityError> {
        let Some(video) = self.client.video(magnet).await.map_err(failed)? else { return Ok(Region::UNKNOWN) };
        let account = video.supervisor.0.into();
        let country = self.registry(IRegistry::supervisorCountryCall { account }).await?;
        Ok(region(country.as_slice()))
    }
}

/// The stripes that a film's creator listed parity for.
fn stripes(manifest: &Manifest) -> Vec<StripeCells> {
    // The manifest was checked: its stripes are of its own cells, and no longer than a cell may be.
    let stripe = |(stripe, parity): (Stripe, &[CellId; STRIPE_PARITY])| StripeCells {
        cells: stripe.cells.map(|number| manifest.cells[number as usize].id),
        parity: *parity,
        parity_bytes: stripe.parity_bytes as u32,
    };
    manifest.stripes().into_iter().zip(&manifest.parity).map(stripe).collect()
}

/// A country of the registry; zeros are none.
fn region(country: &[u8]) -> Region {
    let letters = std::str::from_utf8(country).unwrap_or_default();
    letters.parse().unwrap_or(Region::UNKNOWN)
}

impl Authority for Chain {
    fn may_publish(&self, account: AccountAddress) -> BoxFuture<'_, Result<bool, AuthorityError>> {
        async move { self.registry(IRegistry::isAdmittedCall { creator: account.0.into() }).await }.boxed()
    }

    fn cell(&self, magnet: Magnet, index: u32) -> BoxFuture<'_, Result<Option<RegisteredCell>, AuthorityError>> {
        async move {
            let Some(manifest) = self.manifest(magnet).await? else { return Ok(None) };
            let cell = manifest.cells.get(index as usize);
            Ok(cell.map(|cell| RegisteredCell { cell: cell.id, size: cell.size }))
        }
        .boxed()
    }

    fn films(&self, from: u64) -> BoxFuture<'_, Result<Vec<Magnet>, AuthorityError>> {
        async move {
            let videos = self.client.videos(VideoQuery { from, count: COUNT_MAX }).await.map_err(failed)?;
            Ok(videos.into_iter().map(|video| video.magnet).collect())
        }
        .boxed()
    }

    fn film(&self, magnet: Magnet) -> BoxFuture<'_, Result<Option<RegisteredFilm>, AuthorityError>> {
        async move {
            let Some(manifest) = self.manifest(magnet).await? else { return Ok(None) };
            let cells = manifest.cells.iter().map(|cell| RegisteredCell { cell: cell.id, size: cell.size });
            let cells = cells.collect();
            Ok(Some(RegisteredFilm { magnet, home: self.home(magnet).await?, cells, stripes: stripes(&manifest) }))
        }
        .boxed()
    }

    fn providers(&self) -> BoxFuture<'_, Result<HashSet<NodeId>, AuthorityError>> {
        async move {
            let providers = self.client.providers().await.map_err(failed)?;
            Ok(providers.into_iter().map(|provider| provider.node_id).collect())
        }
        .boxed()
    }

    fn seed(&self) -> BoxFuture<'_, Result<BlockHash, AuthorityError>> {
        async move {
            let head = self.client.head().await.map_err(failed)?;
            let number = head.number - head.number % SEED_BLOCKS;
            if number == head.number {
                return Ok(head.hash);
            }
            let missing = || AuthorityError::Silent(format!("block {number} is not there").into());
            self.client.block_hash(number).await.map_err(failed)?.ok_or_else(missing)
        }
        .boxed()
    }

    fn issue_grant(
        &self,
        request: Signed<GrantRequest>,
        candidates: Vec<Signed<ProviderCard>>,
    ) -> BoxFuture<'_, Result<Signed<Grant>, AuthorityError>> {
        async move {
            let holders = candidates.iter().map(|card| card.body.node).collect();
            self.client.issue_grant(&IssueGrant { request, holders }).await.map_err(failed)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_of_the_registry_are_regions_and_none_is_unknown() {
        assert_eq!(region(b"KR"), "kr".parse().unwrap());
        assert_eq!([region(b"\0\0"), region(b"\xffR"), region(b"")], [Region::UNKNOWN; 3]);
    }
}
