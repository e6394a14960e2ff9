//! `chainflix watch`: a viewer without a screen, in real time.

use crate::{
    key,
    network::NetworkArgs,
    output::{say, wrong_use},
    run,
};
use anyhow::Result;
use chainflix_node::watch::{ShareOptions, WatchEvent, WatchOptions, WatchSummary, watch};
use chainflix_primitives::Magnet;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Watch a film without a screen, in real time, and mine with it
#[derive(Args)]
#[command(after_help = "Example: chainflix watch 'magnet:?xt=urn:cfx:…' --cells 2 --share ~/chainflix-shared")]
pub struct Watch {
    /// The film: a magnet URI, or its 64 hex digits
    magnet: String,
    #[command(flatten)]
    network: NetworkArgs,
    /// Key or wallet of the viewer [default: the wallet that `chainflix wallet new` made]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// File with the wallet's passphrase, instead of asking for it
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Stop after so many cells
    #[arg(long, value_name = "N")]
    cells: Option<u32>,
    /// Show no address to providers: every byte goes through the relay
    #[arg(long)]
    relay_only: bool,
    /// Serve to others what was watched, and earn with it: cells are kept in this folder. The account must not be that of
    /// a provider
    #[arg(long, value_name = "DIR")]
    share: Option<PathBuf>,
    /// Most gigabytes that shared cells may take
    #[arg(long, value_name = "GB", default_value_t = 5, requires = "share")]
    share_gb: u64,
    /// Most megabits a second that go out; 0 for no limit
    #[arg(long, value_name = "MBIT", default_value_t = 0, requires = "share")]
    share_mbit: u64,
    /// Most viewers served at a time
    #[arg(long, value_name = "N", default_value_t = 8, requires = "share")]
    share_viewers: usize,
    /// Go on sharing when the film is over, until Ctrl-C
    #[arg(long, requires = "share")]
    stay: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

/// The last JSON line, in the form of the lines before it.
#[derive(Serialize)]
#[serde(tag = "event", rename = "ended")]
struct Ended {
    #[serde(flatten)]
    summary: WatchSummary,
}

impl Watch {
    pub async fn start(self) -> Result<()> {
        let magnet = Magnet::from_uri(&self.magnet).map_err(|error| wrong_use(error.to_string()))?;
        let layout = self.network.open()?;
        let key = key::read_or_wallet(self.key.as_deref(), self.passphrase_file.as_deref())?;
        let options = WatchOptions {
            magnet,
            secret: key.to_bytes(),
            rpcs: layout.rpcs,
            controllers: layout.controllers,
            relay: Some(layout.relay),
            relay_only: self.relay_only,
            cells: self.cells,
            share: self.share.map(|folder| ShareOptions {
                folder,
                quota_bytes: self.share_gb.saturating_mul(1_000_000_000),
                uplink_bytes_per_s: self.share_mbit.saturating_mul(1_000_000 / 8),
                viewers_max: self.share_viewers.max(1),
                stay: self.stay,
            }),
        };
        let json = self.json;
        let tell = move |event: WatchEvent| if json { say_json(&event) } else { say(words(&event)) };
        let summary = watch(options, &tell, run::until_told(self.until_stdin_closes)?).await?;
        if json {
            say_json(&Ended { summary });
        } else {
            say(format_args!(
                "watched {} cells, {} mined; stood still for {} ms; {:.1} MB; first bytes after {} ms; {:.1} MB shared",
                summary.played,
                summary.accepted,
                summary.stalled_ms,
                summary.bytes as f64 / 1e6,
                summary.first_byte_ms,
                summary.shared_bytes as f64 / 1e6
            ));
        }
        Ok(())
    }
}

fn say_json(event: &impl Serialize) {
    // Plain data with string keys: JSON can say it.
    say(serde_json::to_string(event).expect("plain data serialises"));
}

fn words(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Started { title, cells, account } => format!("watching \"{title}\", {cells} cells, as {account}"),
        WatchEvent::CellFetched { index, bytes, provider, direct } => {
            let way = if *direct { "directly" } else { "through the relay" };
            format!("cell {index}: {:.1} MB from {provider}, {way}", *bytes as f64 / 1e6)
        }
        WatchEvent::ProviderChanged { index, provider, from_byte, reason } => {
            format!("cell {index}: left provider {provider} at byte {from_byte}: {reason}")
        }
        WatchEvent::PlayStarted { index, mining: true, .. } => format!("cell {index}: plays, mining"),
        WatchEvent::PlayStarted { index, reason, .. } => {
            format!("cell {index}: plays, unpaid ({})", reason.as_deref().unwrap_or("no reason given"))
        }
        WatchEvent::Stalled { index, ms } => format!("cell {index}: stood still for {ms} ms"),
        WatchEvent::Proved { index } => format!("cell {index}: proved"),
        WatchEvent::Opened { index } => format!("cell {index}: opened for an audit"),
        WatchEvent::Refused { index, code, message } => format!("cell {index}: refused, {message} ({code})"),
        WatchEvent::Sharing { delivered_bytes } => {
            format!("the film is over; shared {:.1} MB so far, and go on until Ctrl-C", *delivered_bytes as f64 / 1e6)
        }
        WatchEvent::Accepted { index, view_block } => format!("cell {index}: mined in view block {view_block}"),
    }
}
