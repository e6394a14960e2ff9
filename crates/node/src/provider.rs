//! The storage provider role: the store, its registration on the chain, and its receipts on their way to validators.

use crate::{
    config::{OverlayConfig, ProviderConfig, read_genesis_from},
    keys, overlay,
    role::Shutdown,
};
use alloy_primitives::B256;
use anyhow::Result;
use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS, SolCall};
use chainflix_overlay::{Overlay, ServeLimits};
use chainflix_primitives::{AccountAddress, AccountKey, BoxPublicKey, NodeId, Receipt, Signed};
use chainflix_provider::{Provider, Store};
use chainflix_rpc::{Client, send_transaction};
use std::time::Duration;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

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
    let store = Store::open(&config.data, config.quota_bytes)?;
    let overlay = overlay::bind(&config.overlay, &config.controllers).await?;
    tokio::select! {
        () = await_relay(&config.overlay, &overlay) => {}
        () = shutdown.requested() => return Ok(()),
    }
    let Some(genesis) = read_genesis_from(&client, &mut shutdown).await else { return Ok(()) };
    let validators = genesis.validators.iter().map(|validator| validator.account).collect();
    let controllers = config.controllers.iter().map(|controller| controller.node).collect();
    let mut settings =
        chainflix_provider::ProviderConfig::new(account.clone(), box_key.clone(), validators, controllers);
    settings.region = config.region;
    let (receipts, outgoing) = mpsc::channel(RECEIPTS_MAX);
    let provider = Provider::start(settings, store, overlay.dialer(), receipts);
    let serving = overlay.serve(provider.protocols(), ServeLimits::default());
    let submitter = tokio::spawn(submit(client.clone(), outgoing));
    let registrar = register(client, account, overlay.node_id(), box_key.public_key());
    tracing::info!(node = %overlay.node_id(), usage = ?provider.status().usage, "ready");
    shutdown.requested().await;
    registrar.abort();
    submitter.abort();
    serving.stop().await;
    drop(provider);
    overlay.close().await;
    Ok(())
}

/// Waits until others can reach this node. Who announces itself sooner is named to viewers that wait for it in vain;
/// where UDP is blocked that is found out in a few seconds.
async fn await_relay(config: &OverlayConfig, overlay: &Overlay) {
    if config.relay.is_some() && timeout(RELAY_PATIENCE, overlay.online()).await.is_err() {
        tracing::warn!(after_s = RELAY_PATIENCE.as_secs(), "the relay does not answer; reached directly or not at all");
    }
}

/// Carries receipts to a validator, in order.
async fn submit(client: Client, mut outgoing: mpsc::Receiver<Signed<Receipt>>) {
    while let Some(receipt) = outgoing.recv().await {
        for attempt in 1..=SUBMISSIONS_MAX {
            match client.submit_receipt(&receipt).await {
                Ok(()) => break,
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
fn register(client: Client, key: AccountKey, node: NodeId, box_key: BoxPublicKey) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut told = false;
        loop {
            match is_registered(&client, &key, node, box_key).await {
                Ok(true) => return tracing::info!(account = %key.address(), "registered as a provider"),
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
