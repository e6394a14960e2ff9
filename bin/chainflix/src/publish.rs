//! `chainflix publish`: a film from a file onto other people's disks and into the registry.

use crate::{
    key,
    meter::Meter,
    network::NetworkArgs,
    output::{note, say},
    split::{self, Choice},
};
use anyhow::{Context as _, Result};
use chainflix_node::publish::{PublishOptions, publish};
use clap::Args;
use std::path::PathBuf;

/// Publish a film: any file that ffmpeg reads
#[derive(Args)]
#[command(
    after_help = "Example: chainflix publish holiday.mkv --title \"A week in Busan\" --split creator=25,viewer=35\n\n\
    Shares of a view (--split), in percent: creator, viewer, activators (makers of subtitles, dubs and effects), storage, \
    validators, supervisor, operation. They are fixed for ever with the registration."
)]
pub struct Publish {
    /// The film
    file: PathBuf,
    /// What people call it [default: the title in the file, or its name]
    #[arg(long)]
    title: Option<String>,
    /// How the reward of its views is shared: `role=percent,…`; a role that is not named keeps the network's share
    #[arg(long, value_name = "SHARES")]
    split: Option<Choice>,
    #[command(flatten)]
    network: NetworkArgs,
    /// Key or wallet of an admitted creator [default: the creator of the network's folder]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// File with the wallet's passphrase, instead of asking for it
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Say what was published as JSON
    #[arg(long)]
    json: bool,
}

impl Publish {
    pub async fn start(self) -> Result<()> {
        let layout = self.network.open()?;
        let creator = match &self.key {
            Some(file) => key::read(file, self.passphrase_file.as_deref())?,
            None => layout.account("creator")?,
        };
        let params = &layout.genesis.params;
        let split = self.split.map(|choice| choice.over(&params.split, &params.split_bounds)).transpose()?;
        let scratch = layout.dir.join("scratch");
        std::fs::create_dir_all(&scratch).with_context(|| format!("cannot use {}", scratch.display()))?;
        let options = PublishOptions {
            file: self.file,
            title: self.title,
            split,
            creator,
            rpcs: layout.rpcs,
            controllers: layout.controllers,
            relay: Some(layout.relay),
            scratch,
        };
        let published = {
            let meter = Meter::new();
            let show = |progress| meter.show(progress);
            let publishing = publish(options, &show);
            // Dropped when interrupted, which ends ffmpeg and removes what it made.
            tokio::select! {
                published = publishing => published?,
                _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted; nothing was published"),
            }
        };
        if self.json {
            say(serde_json::to_string(&published)?);
        } else {
            note(format_args!("published \"{}\": {} cells", published.title, published.cells));
            if let Some(split) = &split {
                note(format_args!("its views are shared in percent: {}", split::in_words(split)));
            }
            say(published.uri);
        }
        Ok(())
    }
}
