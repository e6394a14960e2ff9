//! The one command: run a network or a role of it, publish, watch, keep a wallet.
//!
//! ```text
//! chainflix demo ──starts──▶ chainflix run validator … run relay … run controller … run provider … run gateway
//!           └──── publishes a film; with --headless ──▶ chainflix watch
//! ```
//!
//! Every subcommand is a file of its own, which reads its arguments and says what happened; the work is done by
//! `chainflix-node` and the crates below it. Results go to standard output, progress to standard error, and a failure is
//! one line on standard error: what happened, and what to do about it.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | it failed |
//! | 2 | it was asked for in a wrong way |

mod contract;
mod demo;
mod init;
mod key;
mod meter;
mod network;
mod output;
mod provider;
mod publish;
mod run;
mod split;
mod supervise;
mod token;
mod wallet;
mod watch;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use std::{io, process::ExitCode, time::Duration};
use tracing_subscriber::EnvFilter;

/// How long threads that still wait for something may hold up the end of the process.
const THREADS_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Parser)]
#[command(name = "chainflix", version, about = "Films from other people's disks; watching them mines CFX.")]
#[command(after_help = "Example: chainflix demo")]
struct Cli {
    /// What to log to standard error, as `level` or `crate=level,…` [default: info for `run`, off for the rest]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Demo),
    Init(init::Init),
    Run(run::Run),
    Provider(provider::Provider),
    Publish(publish::Publish),
    Watch(watch::Watch),
    Wallet(wallet::Wallet),
    Supervise(supervise::Supervise),
    Token(token::Token),
}

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::fail(&error),
    }
}

fn start(cli: Cli) -> Result<()> {
    start_log(&cli)?;
    let runtime = tokio::runtime::Runtime::new().context("no threads can be started")?;
    let done = runtime.block_on(dispatch(cli.command));
    runtime.shutdown_timeout(THREADS_PATIENCE);
    done
}

async fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Demo(demo) => demo.start().await,
        Command::Init(init) => init.start(),
        Command::Run(run) => run.start().await,
        Command::Provider(provider) => provider.start().await,
        Command::Publish(publish) => publish.start().await,
        Command::Watch(watch) => watch.start().await,
        Command::Wallet(wallet) => wallet.start().await,
        Command::Supervise(supervise) => supervise.start().await,
        Command::Token(token) => token.start(),
    }
}

fn start_log(cli: &Cli) -> Result<()> {
    let runs = match &cli.command {
        Command::Run(_) => true,
        Command::Provider(provider) => provider.runs(),
        _ => false,
    };
    let usual = if runs { run::LOG } else { "off" };
    let wanted = cli.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(wanted)
        .map_err(|error| output::wrong_use(format!("--log {wanted:?} cannot be read ({error}); try --log info")))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    const PAGES: [(&str, &str); 2] = [
        ("provider.md", include_str!("../../../docs/provider.md")),
        ("node-operator.md", include_str!("../../../docs/node-operator.md")),
    ];

    /// What stands in blocks of this kind, in order.
    fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
        let blocks = page.split("```").skip(1).step_by(2);
        blocks.filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n')).collect()
    }

    /// The words of a line, as a shell reads them: quotes, and a comment at the end.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote) = (vec![String::new()], None);
        for letter in line.chars() {
            match (letter, quote) {
                ('\'' | '"', None) => quote = Some(letter),
                (_, Some(open)) if open == letter => quote = None,
                ('#', None) if words.last().is_some_and(String::is_empty) => break,
                (' ', None) => words.push(String::new()),
                _ => words.last_mut().unwrap().push(letter),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn the_pages_show_commands_that_there_are() {
        for (page, text) in PAGES {
            let whole = text.replace("urn:cfx:…", &format!("urn:cfx:{}", "0".repeat(64)));
            let whole = whole.replace("0x…", &format!("0x{}", "0".repeat(40)));
            let blocks = blocks(&whole, "sh");
            let commands: Vec<_> =
                blocks.iter().flat_map(|block| block.lines()).filter(|line| line.starts_with("chainflix ")).collect();
            assert!(commands.len() >= 6, "{page} shows {} commands", commands.len());
            for command in commands {
                if let Err(error) = Cli::try_parse_from(words(command)) {
                    assert!(!error.use_stderr(), "{page}: {command}\n{error}");
                }
            }
        }
    }

    #[test]
    fn the_provider_of_the_page_can_be_configured() {
        let blocks = blocks(PAGES[0].1, "toml");
        let (whole, parts): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|block| block.starts_with("role = "));
        let [whole] = whole[..] else { panic!("{} configurations", whole.len()) };
        assert_eq!(parts.len(), 2);
        let text = format!("{whole}{}", parts.concat()).replace("0x…", &format!("0x{}", "0".repeat(64)));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let chainflix_node::RoleConfig::Provider(config) = chainflix_node::RoleConfig::read(&path).unwrap() else {
            panic!("not a provider")
        };
        assert_eq!((config.folders.len(), config.object_stores.len()), (2, 1));
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{} has none", command.get_name());
        }
    }
}
