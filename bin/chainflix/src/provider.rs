//! `chainflix provider`: give disk to a network, look how it does, and leave in order.

mod days;
mod leaving;

use crate::{
    output::{note, say, wrong_use},
    run::{end_if_stuck, until_told},
    wallet::{amount, language::Language},
};
use alloy_primitives::U256;
use anyhow::{Context as _, Result, bail};
use chainflix_node::{
    RoleConfig,
    config::{BucketUrl, ObjectStoreConfig, ProviderConfig, QuietHours, bucket_region},
    join::{JoinCard, ProviderPlan},
    provider::{DAYS_SHOWN_MAX, OWN_HEADER, ProviderMode, ProviderReport, Reach, page_url},
};
use chainflix_rpc::{http_builder, types::Held};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

const WEI_PER_GWEI: u64 = 1_000_000_000;
/// How long its page may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Give disk space to a network, and earn by what is fetched from it
#[derive(Args)]
#[command(after_help = "Example: chainflix provider init my-disk --join join.toml --quota-gb 200")]
pub struct Provider {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Subcommand)]
enum Deed {
    Init(Box<Init>),
    /// Store and serve until Ctrl-C
    #[command(after_help = "Example: chainflix provider run --config my-disk/config.toml")]
    Run(At),
    Status(Status),
    /// Leave the network in order: wait until others have every cell of this provider, and the registry names it no more
    #[command(after_help = "Example: chainflix provider exit --config my-disk/config.toml")]
    Exit(At),
    /// Stay after all, where it was told to leave
    #[command(after_help = "Example: chainflix provider stay --config my-disk/config.toml")]
    Stay(At),
}

#[derive(Args)]
struct At {
    /// The provider's configuration (TOML); `chainflix provider init` writes it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Say how a running provider does: room, reach, earnings by day and what was not paid
#[derive(Args)]
#[command(after_help = "Example: chainflix provider status --config my-disk/config.toml --days 31")]
struct Status {
    #[command(flatten)]
    at: At,
    /// How many days, the newest first; with --json all that are known
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(0..=i64::from(DAYS_SHOWN_MAX)))]
    days: u32,
    /// Language of the reasons [default: that of this system, else en]
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Option<Language>,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

/// Make keys and a configuration for a provider of a network that runs
#[derive(Args)]
#[command(after_help = "Example: chainflix provider init my-disk --join join.toml --quota-gb 200 --region KR \\
         --uplink-mbit 20 --quiet-hours 08:00-09:30")]
struct Init {
    /// The folder of keys and cells
    dir: PathBuf,
    /// What the network gives to those who join: `join.toml` beside its genesis
    #[arg(long, value_name = "FILE")]
    join: PathBuf,
    /// Most gigabytes it may take on the disk
    #[arg(long, value_name = "GB", value_parser = gigabytes(), required_unless_present = "object_store")]
    quota_gb: Option<u64>,
    #[command(flatten)]
    bucket: Bucket,
    /// Where it stands; copies are spread over regions
    #[arg(long, default_value = "")]
    region: String,
    /// What it shares a roof with: a house, a rack, a data centre. Two of one site never hold two copies of one cell
    #[arg(long, value_name = "NAME", default_value = "")]
    site: String,
    /// Most megabits a second it may send, of all your line; 0 for no limit, and then it is thought to serve five viewers
    #[arg(long, value_name = "MBIT", default_value_t = 0)]
    uplink_mbit: u64,
    /// Hours of the day in which it rests, by this machine's clock
    #[arg(long, value_name = "FROM-TO")]
    quiet_hours: Option<QuietHours>,
    /// Its UDP socket
    #[arg(long, default_value = "0.0.0.0:28100")]
    listen: SocketAddr,
    /// Its page, on this machine
    #[arg(long, default_value = "127.0.0.1:8090")]
    page_listen: SocketAddr,
}

/// An object store for cells, instead of the folder or beside it
#[derive(Args)]
struct Bucket {
    /// Keep cells in an object store (S3 and compatible); its key is read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    /// when the provider runs
    #[arg(long, value_name = "s3://BUCKET/PREFIX", requires = "object_store_gb")]
    object_store: Option<BucketUrl>,
    /// Most gigabytes it may take in the object store
    #[arg(long, value_name = "GB", value_parser = gigabytes(), requires = "object_store")]
    object_store_gb: Option<u64>,
    /// Where the object store is asked [default: Amazon's own]
    #[arg(long, value_name = "URL", requires = "object_store")]
    s3_endpoint: Option<String>,
    /// The object store's own name of its region
    #[arg(long, value_name = "NAME", default_value_t = bucket_region())]
    s3_region: String,
}

fn gigabytes() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=1_000_000)
}

fn bytes(gigabytes: u64) -> u64 {
    gigabytes.saturating_mul(1_000_000_000)
}

impl Bucket {
    fn config(self) -> Option<ObjectStoreConfig> {
        Some(ObjectStoreConfig {
            url: self.object_store?,
            endpoint: self.s3_endpoint,
            region: self.s3_region,
            quota_bytes: bytes(self.object_store_gb?),
            scrub: false,
        })
    }
}

impl Provider {
    /// Whether this command is a process that runs on.
    pub fn runs(&self) -> bool {
        matches!(self.deed, Deed::Run(_))
    }

    pub async fn start(self) -> Result<()> {
        match self.deed {
            Deed::Init(init) => init.start(),
            Deed::Run(at) => {
                let config = RoleConfig::Provider(at.read()?);
                let shutdown = until_told(false)?;
                end_if_stuck(shutdown.clone());
                chainflix_node::run(config, shutdown).await
            }
            Deed::Status(status) => status.start().await,
            Deed::Exit(at) => leaving::exit(&at).await,
            Deed::Stay(at) => leaving::stay(&at).await,
        }
    }
}

impl At {
    fn read(&self) -> Result<ProviderConfig> {
        match RoleConfig::read(&self.config)? {
            RoleConfig::Provider(config) => Ok(config),
            other => Err(wrong_use(format!("{} configures a {}, not a provider", self.config.display(), other.name()))),
        }
    }

    fn page(&self) -> Result<String> {
        page_url(&self.read()?).ok_or_else(|| {
            wrong_use(format!(
                "{} shows no page to ask; add: page-listen = \"127.0.0.1:8090\", and start the provider again",
                self.config.display()
            ))
        })
    }
}

impl Init {
    fn start(self) -> Result<()> {
        let card = JoinCard::read(&self.join)?;
        let plan = ProviderPlan {
            quota_bytes: self.quota_gb.map_or(0, bytes),
            object_store: self.bucket.config(),
            region: self.region,
            site: self.site,
            uplink_bytes_per_s: self.uplink_mbit.saturating_mul(1_000_000 / 8),
            quiet_hours: self.quiet_hours,
            listen: self.listen,
            page_listen: self.page_listen,
        };
        let account = card.write_provider(&self.dir, &plan)?;
        let config = self.dir.join("config.toml");
        say(format_args!("account  {}", account.to_checksum()));
        if let Some(gigabytes) = self.quota_gb {
            say(format_args!("cells    {}, at most {gigabytes} GB", self.dir.join("cells").display()));
        }
        if let Some(store) = &plan.object_store {
            say(format_args!("cells    {}, at most {}", store.url, size(store.quota_bytes)));
            note("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where the provider runs; they are written nowhere.");
        }
        say(format_args!("page     http://{}", self.page_listen));
        say("");
        say(
            "Send the account a little CFX: registering it on the chain is a transaction. Keep account.key safe; it is paid.",
        );
        say(format_args!("Then start it: chainflix provider run --config {}", config.display()));
        Ok(())
    }
}

async fn ask(request: reqwest::RequestBuilder, page: &str) -> Result<ProviderReport> {
    let answer = request.timeout(PATIENCE).send().await;
    let answer =
        answer.with_context(|| format!("the provider does not answer at {page}; start it, or look what it says"))?;
    if !answer.status().is_success() {
        bail!("the provider does not do that: {}", answer.text().await.unwrap_or_default().trim());
    }
    answer.json().await.with_context(|| format!("{page} is not a provider's page"))
}

async fn report(page: &str) -> Result<ProviderReport> {
    ask(http()?.get(format!("{page}/status.json")), page).await
}

fn http() -> Result<reqwest::Client> {
    http_builder().build().context("no HTTP client can be made")
}

impl Status {
    async fn start(self) -> Result<()> {
        let page = self.at.page()?;
        let report = report(&page).await?;
        if self.json {
            say(json!(report));
            return Ok(());
        }
        tell(&report);
        // At most DAYS_SHOWN_MAX.
        let words = days::Words::read(self.lang.unwrap_or_else(Language::of_system));
        report.days.iter().take(self.days as usize).for_each(|day| words.day(day).into_iter().for_each(say));
        say(format_args!("page       {page}"));
        Ok(())
    }
}

fn tell(report: &ProviderReport) {
    let (status, usage) = (&report.status, &report.status.usage);
    say(format_args!("account    {}", report.account.to_checksum()));
    say(format_args!("room       {} of {} in {} cells", size(usage.used_bytes), size(usage.quota_bytes), usage.cells));
    say(format_args!("sent       {}, {} receipts", size(status.delivered_bytes), status.receipts));
    say(format_args!("scrubbed   {} cells, {} damaged", status.scrubbed_cells, status.damaged_cells));
    say(format_args!("mode       {}", mode(report)));
    say(format_args!("reach      {}", reach(&report.reach)));
    say(format_args!("registered {}", leaving::registered(report)));
    for folder in &report.missing_folders {
        say(format_args!("missing    {}: its disk is not there", folder.display()));
    }
    for store in &report.silent_stores {
        say(format_args!("no answer  {}: {} cells are unavailable until it answers", store.name, store.cells));
    }
    if report.struck_out == Some(true) {
        say("struck out more than half of its audited plays were void: unpaid until the period ends");
    }
    match &report.coins {
        Some(coins) => say(format_args!(
            "coins      {} CFX to spend, {} being audited, {} not yet to spend",
            cfx(&coins.balance_wei, 1),
            cfx(&coins.pending_gwei, WEI_PER_GWEI),
            cfx(&coins.vesting_gwei, WEI_PER_GWEI),
        )),
        None => say("coins      no validator answers"),
    }
    if let Some(held) = report.coins.as_ref().and_then(|coins| coins.held) {
        say(format_args!("held back  {}", held_back(&held)));
    }
}

/// An amount in decimal digits, of a unit of so many wei, in CFX; `?` for one that is no number.
fn cfx(digits: &str, unit_wei: u64) -> String {
    let amount = U256::from_str_radix(digits, 10).ok().and_then(|amount| amount.checked_mul(U256::from(unit_wei)));
    amount.map_or_else(|| "?".to_owned(), amount::show)
}

/// What is held back of the pay, and when it comes.
fn held_back(held: &Held) -> String {
    let Held { gwei, permille, periods, leave_periods, leaving } = *held;
    let held = format!("{} CFX", amount::show(U256::from(gwei) * U256::from(WEI_PER_GWEI)));
    if leaving {
        return format!("{held}, paid when a whole period is over");
    }
    let percent = f64::from(permille) / 10.0;
    let when = match leave_periods.saturating_sub(periods) {
        0 => "paid when you leave in order".to_owned(),
        left => format!("paid when you leave in order after {left} more periods of service"),
    };
    format!("{held}, {percent} % of what storage pays now; {when}")
}

fn mode(report: &ProviderReport) -> String {
    match (report.status.mode, report.status.needed_cells) {
        (ProviderMode::Open | ProviderMode::Quiet, _) if !report.silent_stores.is_empty() => {
            "degraded: an object store does not answer".into()
        }
        (ProviderMode::Open, _) => "stores and serves".into(),
        (ProviderMode::Quiet, _) => "quiet hours: nothing is begun".into(),
        (ProviderMode::Leaving, Some(0)) => "may be switched off: everything is elsewhere".into(),
        (ProviderMode::Leaving, Some(cells)) => {
            format!("leaving, also after a restart; others still need {cells} of its cells")
        }
        (ProviderMode::Leaving, None) => "leaving, also after a restart; the controllers have not answered yet".into(),
    }
}

fn reach(reach: &Reach) -> String {
    match reach {
        Reach::Public { addresses } => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            format!("directly at {}, wherever the other side's router allows", addresses.join(", "))
        }
        Reach::Relay { url } => format!(
            "through the relay {url}; for direct connections set map-port = true, or forward overlay.listen's UDP port"
        ),
        Reach::Local { .. } => {
            "from its own network alone: configure a relay, or forward overlay.listen's UDP port".into()
        }
        Reach::Nowhere => "nobody reaches it: is the machine connected?".into(),
    }
}

fn size(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}

/// Tells the provider what its owner wishes: `leave` or `stay`.
async fn wish(page: &str, what: &str) -> Result<ProviderReport> {
    ask(http()?.post(format!("{page}/{what}")).header(OWN_HEADER, what), page).await
}
