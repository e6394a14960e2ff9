//! The storage provider role: the store, its registration on the chain, and its receipts on their way to validators.

mod disputes;
mod page;
mod report;
mod state;

pub use chainflix_overlay::control::ProviderMode;
pub use page::OWN_HEADER;
pub use report::{Coins, ProviderReport, Reach, page_url};

use crate::{
    config::{OverlayConfig, ProviderConfig, check_page, read_genesis_from},
    keys, overlay,
    role::Shutdown,
};
use alloy_primitives::B256;
use anyhow::{Context as _, Result};
use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS, SolCall};
use chainflix_overlay::{Overlay, ServeLimits};
use chainflix_primitives::{AccountAddress, AccountKey, BoxPublicKey, NodeId, Receipt, Signed};
use chainflix_provider::{Provider, Store, StoreFolder};
use chainflix_rpc::{Client, http, send_transaction};
use report::Reporter;
use state::StateFolder;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time::timeout};

/// Receipts that wait for a validator; when more come the provider waits with its next receipt.
const RECEIPTS_MAX: usize = 1_024;
/// How long the relay may take before this provider announces itself without it.
const RELAY_PATIENCE: Duration = Duration::from_secs(10);
/// Pause between attempts to register or to submit.
const RETRY: Duration = Duration::from_secs(2);
/// Attempts to submit one receipt: past them its play is over anyway.
const SUBMISSIONS_MAX: u32 = 20;

pub(crate) async fn run(config: ProviderConfig, mut shutdown: Shutdown) -> Result<()> {
    let account = keys::read_account(&config.account_key)?;
    let box_key = keys::provider_box_key(&account);
    let client = Client::new(&config.rpcs)?;
    let listener = listen(&config).await?;
    let state = StateFolder::open(&config.state)?;
    let leaving = state.is_leaving()?;
    let store = Store::open_all(&folders(&config))?;
    let overlay = overlay::bind(&config.overlay, &config.controllers).await?;
    tokio::select! {
        () = await_relay(&config.overlay, &overlay) => {}
        () = shutdown.requested() => {
            overlay.close().await;
            return Ok(());
        }
    }
    let Some(genesis) = read_genesis_from(&client, &mut shutdown).await else {
        overlay.close().await;
        return Ok(());
    };
    let validators = genesis.validators.iter().map(|validator| validator.account).collect();
    let controllers = config.controllers.iter().map(|controller| controller.node).collect();
    let mut settings =
        chainflix_provider::ProviderConfig::new(account.clone(), box_key.clone(), validators, controllers);
    settings.evidence_patience = Duration::from_millis(genesis.params.receipts_end_ms(0));
    settings.region = config.region.clone();
    settings.uplink_bytes_per_s = config.uplink_bytes_per_s;
    settings.quiet_hours = config.quiet_hours;
    settings.scrub_bytes_per_s = config.scrub_bytes_per_s;
    settings.leaving = leaving;
    let (receipts, outgoing) = mpsc::channel(RECEIPTS_MAX);
    let provider = Arc::new(Provider::start(settings, store.clone(), overlay.dialer(), receipts));
    let serving = overlay.serve(provider.protocols(), ServeLimits::default());
    let submitter = tokio::spawn(submit(client.clone(), outgoing));
    let witness = disputes::Witness { client: client.clone(), provider: provider.clone(), account: account.address() };
    let witness = tokio::spawn(witness.run(disputes::pause(&genesis.params)));
    let registered = Arc::new(AtomicBool::new(false));
    let reporter = Reporter {
        provider: provider.clone(),
        store,
        state,
        dialer: overlay.dialer(),
        client: client.clone(),
        account: account.address(),
        region: config.region,
        registered: registered.clone(),
    };
    let page = listener.map(|listener| tokio::spawn(show(listener, reporter, shutdown.clone())));
    let registrar = register(client, account, overlay.node_id(), box_key.public_key(), registered);
    tracing::info!(node = %overlay.node_id(), usage = ?provider.status().usage, leaving, "ready");
    shutdown.requested().await;
    if let Some(page) = page {
        page.await?;
    }
    registrar.abort();
    submitter.abort();
    witness.abort();
    serving.stop().await;
    drop(provider);
    overlay.close().await;
    Ok(())
}

/// The folders of the configuration.
fn folders(config: &ProviderConfig) -> Vec<StoreFolder> {
    let first = StoreFolder { path: config.data.clone(), quota_bytes: config.quota_bytes };
    let others =
        config.folders.iter().map(|folder| StoreFolder { path: folder.path.clone(), quota_bytes: folder.quota_bytes });
    std::iter::once(first).chain(others).collect()
}

async fn listen(config: &ProviderConfig) -> Result<Option<TcpListener>> {
    let Some(address) = config.page_listen else { return Ok(None) };
    check_page(address)?;
    let listener = TcpListener::bind(address).await;
    listener.map(Some).with_context(|| format!("cannot show the provider's page at {address}"))
}

/// Shows the operator's page until the shutdown.
async fn show(listener: TcpListener, reporter: Reporter, mut shutdown: Shutdown) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(url = format!("http://{address}"), "the provider's page");
    }
    let router = page::router(Arc::new(reporter));
    http::serve(listener, router, http::Limits::default(), shutdown.requested()).await;
}

/// Waits until others can reach this node. Who announces itself sooner is named to viewers that wait for it in vain;
/// where UDP is blocked that is found out in a few seconds.
async fn await_relay(config: &OverlayConfig, overlay: &Overlay) {
    if config.relay.is_some() && timeout(RELAY_PATIENCE, overlay.online()).await.is_err() {
        tracing::warn!(after_s = RELAY_PATIENCE.as_secs(), "the relay does not answer; reached directly or not at all");
    }
}

/// Carries receipts to a validator, in order.
pub(crate) async fn submit(client: Client, mut outgoing: mpsc::Receiver<Signed<Receipt>>) {
    while let Some(receipt) = outgoing.recv().await {
        for attempt in 1..=SUBMISSIONS_MAX {
            match client.submit_receipt(&receipt).await {
                Ok(()) => break,
                Err(error) if error.refusal().is_some_and(|refused| refused.code == "receipts-differ") => {
                    tracing::debug!(grant = %receipt.body.grant, "the viewer signed for something else");
                    break;
                }
                Err(error) if error.refusal().is_some() || attempt == SUBMISSIONS_MAX => {
                    tracing::warn!(grant = %receipt.body.grant, %error, "a receipt is not taken");
                    break;
                }
                Err(error) => {
                    tracing::debug!(%error, "no validator takes the receipt yet");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

/// Writes this provider into the registry, as soon as its account has coins for the transaction.
pub(crate) fn register(
    client: Client,
    key: AccountKey,
    node: NodeId,
    box_key: BoxPublicKey,
    registered: Arc<AtomicBool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut told = false;
        loop {
            match is_registered(&client, &key, node, box_key).await {
                Ok(true) => {
                    registered.store(true, Ordering::Relaxed);
                    return tracing::info!(account = %key.address(), "registered as a provider");
                }
                Ok(false) => match try_register(&client, &key, node, box_key).await {
                    Ok(()) => continue,
                    Err(error) if !told => {
                        told = true;
                        tracing::warn!(
                            account = key.address().to_checksum(),
                            error = format!("{error:#}"),
                            "not registered yet; the account needs some CFX for the transaction"
                        );
                    }
                    Err(error) => tracing::debug!(error = format!("{error:#}"), "not registered yet"),
                },
                Err(error) => tracing::debug!(%error, "no validator answers yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
    })
}

async fn is_registered(
    client: &Client,
    key: &AccountKey,
    node: NodeId,
    box_key: BoxPublicKey,
) -> Result<bool, chainflix_rpc::ClientError> {
    let providers = client.providers().await?;
    let account = key.address();
    Ok(providers.iter().any(|known| (known.account, known.node_id, known.box_key) == (account, node, box_key)))
}

async fn try_register(client: &Client, key: &AccountKey, node: NodeId, box_key: BoxPublicKey) -> Result<()> {
    let call = IRegistry::registerProviderCall { nodeId: B256::from(node.0), boxKey: B256::from(box_key.0) };
    let registry = AccountAddress(REGISTRY_ADDRESS.into_array());
    send_transaction(client, key, Some(registry), 0, call.abi_encode()).await?;
    Ok(())
}
