//! One process of a swarm, at its place: the town, a provider or a viewer. Started by [`Plan::perform`].

use super::{
    chain::{Chain, Identity},
    film::Film,
    lines::LINE_MBIT_PER_S,
    provider::Peer,
    swarm::{Plan, Seen},
    town,
};
use anyhow::{Context as _, Result};
use chainflix_node::{
    Shutdown,
    config::ControllerAt,
    watch::{ShareOptions, WatchEvent, WatchOptions, watch},
};
use clap::Args;
use std::{
    io,
    path::Path,
    sync::{Mutex, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, stdin},
    runtime,
};
use zeroize::Zeroizing;

/// Viewers that one who shares serves at a time: what `chainflix watch --share` does unless it is told otherwise.
const SHARE_VIEWERS: usize = 8;

/// One process of a swarm.
#[derive(Args)]
pub struct Member {
    /// Who is there, in JSON
    #[arg(long)]
    plan: String,
    /// Which place this is
    #[arg(long)]
    number: u16,
}

impl Member {
    pub fn run(self, folder: &Path) -> Result<()> {
        let plan: Plan = serde_json::from_str(&self.plan).context("not a plan")?;
        // One thread each: hundreds of them share a machine.
        let runtime = runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        match self.number {
            0 => runtime.block_on(town::run(&plan, told_to_end())),
            number if number <= plan.providers => runtime.block_on(provide(&plan, number, folder)),
            number => runtime.block_on(view(&plan, number, folder)),
        }
    }
}

/// Whoever started this closes its input, or is gone.
async fn told_to_end() {
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(_)) = lines.next_line().await {}
}

async fn provide(plan: &Plan, number: u16, folder: &Path) -> Result<()> {
    let (film, identity) = (Film::new(&plan.film)?, Identity::provider(number)?);
    let disk = tempfile::tempdir_in(folder).context("no folder to work in")?;
    // What an operator tells `chainflix provider init --uplink-mbit`.
    let line = (town::listens(number), LINE_MBIT_PER_S * 1_000_000 / 8);
    let _peer = Peer::start(&identity, &Chain::new()?, &film, line, disk.path()).await?;
    println!("ready");
    told_to_end().await;
    Ok(())
}

/// Watches the film from its beginning to its end, once it is this viewer's turn to come, and shares it meanwhile.
async fn view(plan: &Plan, number: u16, folder: &Path) -> Result<()> {
    let magnet = Film::new(&plan.film)?.magnet;
    let accounts: Vec<_> =
        (1..=plan.providers).map(|number| Ok(Identity::provider(number)?.account.address())).collect::<Result<_>>()?;
    println!("ready");
    // In a blocking read: a pending one would keep this process from ending.
    io::stdin().read_line(&mut String::new()).context("nobody says when to begin")?;
    tokio::time::sleep(plan.arrival(number)).await;
    let disk = tempfile::tempdir_in(folder).context("no folder to work in")?;
    let share = ShareOptions {
        folder: disk.path().to_owned(),
        quota_bytes: 2 * plan.film.bytes() + (64 << 20),
        uplink_bytes_per_s: LINE_MBIT_PER_S * 1_000_000 / 8,
        viewers_max: SHARE_VIEWERS,
        stay: false,
    };
    let options = WatchOptions {
        magnet,
        secret: Zeroizing::new(blake3::derive_key("chainflix bench viewer v1", &number.to_le_bytes())),
        rpcs: vec![format!("http://{}", town::listens(0))],
        controllers: vec![ControllerAt { node: town::controller(), addresses: vec![town::listens(0)] }],
        relay: None,
        relay_only: false,
        cells: None,
        share: plan.share.then_some(share),
    };
    // The last one is for all viewers that share.
    let source_bytes = Mutex::new(vec![0; accounts.len() + 1]);
    let events = |event: WatchEvent| {
        let WatchEvent::CellFetched { bytes, provider, .. } = event else { return };
        let mut source_bytes = source_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        // A cell counts for the provider that sent its last byte.
        let source = accounts.iter().position(|account| *account == provider).unwrap_or(accounts.len());
        source_bytes[source] += bytes;
    };
    let (_trigger, shutdown) = Shutdown::by_hand();
    let summary = watch(options, &events, shutdown).await?;
    let source_bytes = source_bytes.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let seen = Seen { first_frame_ms: summary.first_frame_ms, stalled_ms: summary.stalled_ms, source_bytes };
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}
