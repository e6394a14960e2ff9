//! `chainflix run`: one role of a network, until it is told to stop.

use crate::output::wrong_use;
use anyhow::{Context as _, Result};
use chainflix_node::{RoleConfig, Shutdown};
use clap::{Args, ValueEnum};
use std::{io, path::PathBuf, process, thread, time::Duration};

/// What a role logs when nothing else is asked for. The libraries below us tell of every retry and every idle peer.
pub const LOG: &str = "info,iroh=warn,iroh_relay=warn,noq=warn,noq_proto=warn,netwatch=warn,portmapper=warn,\
                       commonware_consensus=warn,commonware_p2p=warn,commonware_storage=warn,commonware_runtime=warn,\
                       ethrex_storage=warn,ethrex_blockchain=warn,ethrex_rpc=warn";
/// How long a role may take to stop in order before it is ended.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Run one role of a network until Ctrl-C
#[derive(Args)]
#[command(after_help = "Example: chainflix run provider --config my-network/provider-0/config.toml")]
pub struct Run {
    /// The role, which must be the one the file configures
    role: Role,
    /// The configuration (TOML); `chainflix init` writes one for every role
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stop when standard input ends: a parent that is killed cannot leave this process behind
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Orders blocks, issues keys and PlayCodes, votes on views, answers JSON-RPC
    Validator,
    /// Passes on what two peers cannot send each other directly
    Relay,
    /// Knows who holds which cell
    Controller,
    /// Keeps and serves sealed cells
    Provider,
    /// Serves the web app and speaks to the network for it
    Gateway,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Relay => "relay",
            Self::Controller => "controller",
            Self::Provider => "provider",
            Self::Gateway => "gateway",
        }
    }
}

impl Run {
    pub async fn start(self) -> Result<()> {
        let config = RoleConfig::read(&self.config)?;
        if config.name() != self.role.name() {
            return Err(wrong_use(format!(
                "{} configures a {}, not a {}; run: chainflix run {} --config {}",
                self.config.display(),
                config.name(),
                self.role.name(),
                config.name(),
                self.config.display()
            )));
        }
        let shutdown = until_told(self.until_stdin_closes)?;
        end_if_stuck(shutdown.clone());
        chainflix_node::run(config, shutdown).await
    }
}

/// A stop that a signal asks for, or the end of standard input.
pub fn until_told(until_stdin_closes: bool) -> Result<Shutdown> {
    let mut signals = Shutdown::on_signals().context("signals cannot be heard")?;
    if !until_stdin_closes {
        return Ok(signals);
    }
    let (trigger, shutdown) = Shutdown::by_hand();
    let (closed, mut stdin) = tokio::sync::oneshot::channel();
    // A thread of its own: a read of standard input cannot be called off, and would hold up the runtime's end.
    thread::Builder::new().name("stdin".into()).spawn(move || {
        let _whatever_comes = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _process_ends = closed.send(());
    })?;
    tokio::spawn(async move {
        tokio::select! {
            () = signals.requested() => {}
            _ = &mut stdin => {}
        }
        trigger.request();
    });
    Ok(shutdown)
}

/// Ends the process when the role does not stop in order: what is durable is durable after every block.
pub fn end_if_stuck(mut shutdown: Shutdown) {
    tokio::spawn(async move {
        shutdown.requested().await;
        tokio::time::sleep(STOP_PATIENCE).await;
        tracing::error!(after_s = STOP_PATIENCE.as_secs(), "does not stop in order; ended");
        process::exit(1);
    });
}
