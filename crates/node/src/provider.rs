//! The storage provider role: the store, its registration on the chain, and its receipts on their way to validators.

mod book;
mod bucket;
mod days;
mod disputes;
mod page;
mod registration;
mod report;
mod state;

pub use chainflix_overlay::control::ProviderMode;
pub use days::{DAYS_SHOWN_MAX, DayReport, Earned, REASON_WORDS, Unpaid};
pub use page::OWN_HEADER;
pub(crate) use registration::Registrar;
pub use registration::{Hindrance, Registration};
pub use report::{Coins, ProviderReport, Reach, page_url};

use crate::{
    config::{OverlayConfig, ProviderConfig, check_page, read_genesis_from},
    keys, overlay,
    role::Shutdown,
};
use anyhow::{Context as _, Result};
use book::{SharedBook, UNREACHABLE};
use chainflix_overlay::{Overlay, ServeLimits};
use chainflix_primitives::{AccountAddress, AccountKey, BoxKey, NetworkGenesis, Receipt, Signed};
use chainflix_provider::{Provider, Store, StoreBucket, StoreFolder};
use chainflix_rpc::{Client, http};
use registration::{Standing, Wish};
use report::Reporter;
use state::StateFolder;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::timeout,
};

/// Receipts that wait for a validator; when more come the provider waits with its next receipt.
const RECEIPTS_MAX: usize = 1_024;
/// How long the relay may take before this provider announces itself without it.
const RELAY_PATIENCE: Duration = Duration::from_secs(10);
/// Pause between attempts to submit.
const RETRY: Duration = Duration::from_secs(2);
/// Attempts to submit one receipt: past them its play is over anyway.
const SUBMISSIONS_MAX: u32 = 20;
/// Time between two times that the book of days is written down.
const BOOK_EVERY: Duration = Duration::from_secs(60);

pub(crate) async fn run(config: ProviderConfig, mut shutdown: Shutdown) -> Result<()> {
    let account = keys::read_account(&config.account_key)?;
    let box_key = keys::provider_box_key(&account);
    let client = Client::new(&config.rpcs)?;
    let listener = listen(&config).await?;
    let state = StateFolder::open(&config.state)?;
    let leaving = state.is_leaving()?;
    let (folders, buckets) = (folders(&config), buckets(&config, account.address())?);
    let store = spawn_blocking(move || Store::open_mixed(&folders, &buckets)).await??;
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
    let settings = settings(&config, &account, &box_key, &genesis, leaving);
    let (receipts, outgoing) = mpsc::channel(RECEIPTS_MAX);
    let provider = Arc::new(Provider::start(settings, store.clone(), overlay.dialer(), receipts));
    let serving = overlay.serve(provider.protocols(), ServeLimits::default());
    let book = SharedBook::open(state.clone());
    let submitter = tokio::spawn(submit(client.clone(), outgoing, enter(book.clone())));
    let keeper = tokio::spawn(keep(book.clone(), provider.clone()));
    let witness = disputes::Witness { client: client.clone(), provider: provider.clone(), account: account.address() };
    let witness = tokio::spawn(witness.run(disputes::pause(&genesis.params)));
    let standing = watch::Sender::<Standing>::default();
    let reporter = Reporter {
        provider: provider.clone(),
        store,
        state,
        book: book.clone(),
        dialer: overlay.dialer(),
        client: client.clone(),
        account: account.address(),
        region: config.region,
        standing: standing.subscribe(),
    };
    let page = listener.map(|listener| tokio::spawn(show(listener, reporter, shutdown.clone())));
    let registrar = Registrar { client, key: account, node: overlay.node_id(), box_key: box_key.public_key() };
    let wishing = provider.clone();
    let registrar = tokio::spawn(registrar.follow(move || Wish::of(&wishing.status()), standing));
    tracing::info!(node = %overlay.node_id(), usage = ?provider.status().usage, leaving, "ready");
    shutdown.requested().await;
    if let Some(page) = page {
        page.await?;
    }
    for task in [registrar, submitter, keeper, witness] {
        task.abort();
        let _aborted = task.await;
    }
    serving.stop().await;
    note(&book, &provider).await;
    drop(provider);
    overlay.close().await;
    Ok(())
}

/// How the provider works, as its configuration says.
fn settings(
    config: &ProviderConfig,
    account: &AccountKey,
    box_key: &BoxKey,
    genesis: &NetworkGenesis,
    leaving: bool,
) -> chainflix_provider::ProviderConfig {
    let validators = genesis.validators.iter().map(|validator| validator.account).collect();
    let controllers = config.controllers.iter().map(|controller| controller.node).collect();
    let usual = chainflix_provider::ProviderConfig::new(account.clone(), box_key.clone(), validators, controllers);
    chainflix_provider::ProviderConfig {
        region: config.region.clone(),
        site: config.site.clone(),
        uplink_bytes_per_s: config.uplink_bytes_per_s,
        quiet_hours: config.quiet_hours,
        scrub_bytes_per_s: config.scrub_bytes_per_s,
        leaving,
        evidence_patience: Duration::from_millis(genesis.params.receipts_end_ms(0)),
        ..usual
    }
}

/// The folders of the configuration.
fn folders(config: &ProviderConfig) -> Vec<StoreFolder> {
    let first = StoreFolder { path: config.data.clone(), quota_bytes: config.quota_bytes };
    let others =
        config.folders.iter().map(|folder| StoreFolder { path: folder.path.clone(), quota_bytes: folder.quota_bytes });
    std::iter::once(first).chain(others).collect()
}

/// The object stores of the configuration, with the key of the environment.
fn buckets(config: &ProviderConfig, account: AccountAddress) -> Result<Vec<StoreBucket>, bucket::BucketError> {
    let variable = |name: &str| std::env::var(name).ok();
    config.object_stores.iter().map(|store| bucket::bucket(store, account, variable)).collect()
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

/// Writes the book of days down, from time to time, until it is aborted.
async fn keep(book: SharedBook, provider: Arc<Provider>) {
    loop {
        tokio::time::sleep(BOOK_EVERY).await;
        note(&book, &provider).await;
    }
}

/// Brings the book of days up to date, and writes it down.
async fn note(book: &SharedBook, provider: &Provider) {
    book.book().sent(crate::now_ms(), provider.status().delivered_bytes);
    let book = book.clone();
    if spawn_blocking(move || book.save()).await.is_err() {
        tracing::warn!("writing down the book of days failed");
    }
}

/// Writes what became of a receipt into the book of days.
fn enter(book: SharedBook) -> impl Fn(&Receipt, Option<&str>) + Send {
    move |receipt, refused| {
        book.book().receipt(crate::now_ms(), receipt.end.saturating_sub(receipt.start), refused);
    }
}

/// Carries receipts to a validator, in order; `ended` hears of each, with the code of whoever refused it.
pub(crate) async fn submit(
    client: Client,
    mut outgoing: mpsc::Receiver<Signed<Receipt>>,
    ended: impl Fn(&Receipt, Option<&str>) + Send,
) {
    while let Some(receipt) = outgoing.recv().await {
        let refused = submit_one(&client, &receipt).await;
        ended(&receipt.body, refused.as_deref());
    }
}

/// Says why no validator took it, as a code; `None` where one did.
async fn submit_one(client: &Client, receipt: &Signed<Receipt>) -> Option<String> {
    for _ in 0..SUBMISSIONS_MAX {
        let Err(error) = client.submit_receipt(receipt).await else { return None };
        if let Some(refusal) = error.refusal() {
            match refusal.code.as_str() {
                // It is kept, and evidence is asked for.
                "receipts-differ" => {
                    tracing::debug!(grant = %receipt.body.grant, "the viewer signed for something else")
                }
                _ => tracing::warn!(grant = %receipt.body.grant, %error, "a receipt is not taken"),
            }
            return Some(refusal.code.clone());
        }
        tracing::debug!(%error, "no validator takes the receipt yet");
        tokio::time::sleep(RETRY).await;
    }
    tracing::warn!(grant = %receipt.body.grant, "a receipt is given up: no validator takes it");
    Some(UNREACHABLE.to_owned())
}
