//! What the chain must hold before a film can be watched, in order: blocks, coins, a creator, an
//! operation participant, providers, a film.
//!
//! Each step looks first and does only what is missing, so a start that was interrupted is taken up where it ended, and
//! a second start takes seconds.

use super::{ethereum, folder::Folder};
use crate::{
    contract::{address, ask, send},
    meter::Meter,
    output::note,
};
use alloy_primitives::U256;
use anyhow::{Context as _, Result, bail};
use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS, SolCall};
use chainflix_node::{
    network::Layout,
    publish::{PublishOptions, publish},
};
use chainflix_primitives::{AccountAddress, Magnet};
use chainflix_rpc::{
    Client, send_transaction,
    types::{COUNT_MAX, VideoQuery},
};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long validators may take to make blocks: on a busy machine an engine starts slowly.
const BLOCKS_PATIENCE: Duration = Duration::from_secs(120);
/// How long anything that takes a few blocks may take.
const STEP_PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(250);
/// What creator, supervisor and providers get for the fees of their transactions.
const FUNDS_WEI: u128 = 10 * CFX;
/// Below this an account is given some more.
const FUNDS_WEI_MIN: u128 = CFX;
const CFX: u128 = 1_000_000_000_000_000_000;
/// The sample's file name without its ending, and what people call it.
const SAMPLE: (&str, &str) = ("wannaworktogether", "Wanna Work Together?");

/// A published film.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Film {
    pub magnet: Magnet,
    pub uri: String,
    pub title: String,
    pub creator: AccountAddress,
    pub play_time_ms: u64,
    pub cells: u32,
    pub taken_down: bool,
}

/// Does what is missing; answers with the films there are.
pub async fn prepare(layout: &Layout, client: &Client, folder: &Folder, film: Option<&Path>) -> Result<Vec<Film>> {
    await_blocks(layout).await?;
    let found = films(client).await?;
    if found.is_empty() {
        // Fetching or making the sample takes as long as the transactions.
        let (file, ()) = tokio::try_join!(film_file(film, folder), open_up(layout, client))?;
        publish_film(layout, folder, file).await?;
    } else {
        open_up(layout, client).await?;
    }
    let found = films(client).await?;
    await_gateway(layout, &found).await?;
    Ok(found)
}

/// The films that can be shown: registered, and their manifests known.
pub async fn films(client: &Client) -> Result<Vec<Film>> {
    let videos = client.videos(VideoQuery { from: 0, count: COUNT_MAX }).await?;
    let film = |video: chainflix_rpc::types::Video| {
        let title = video.title?;
        Some(Film {
            magnet: video.magnet,
            uri: video.magnet.to_uri(&title),
            title,
            creator: video.creator,
            play_time_ms: video.play_time_ms,
            cells: video.cells,
            taken_down: video.taken_down,
        })
    };
    Ok(videos.into_iter().filter_map(film).collect())
}

/// Coins for fees, an admitted creator, an operation participant, registered providers.
async fn open_up(layout: &Layout, client: &Client) -> Result<()> {
    fund(layout, client).await?;
    admit(layout, client).await?;
    engage(layout, client).await?;
    await_providers(layout, client).await
}

/// Waits until every validator sees the chain grow.
async fn await_blocks(layout: &Layout) -> Result<()> {
    note("waiting for blocks");
    for (number, rpc) in layout.rpcs.iter().enumerate() {
        let client = Client::new([rpc])?;
        let mut first = None;
        wait(BLOCKS_PATIENCE, &format!("validator-{number} to see blocks"), async || {
            let Ok(head) = client.head().await else { return Ok(None) };
            let first = *first.get_or_insert(head.number);
            Ok((head.number > first).then_some(()))
        })
        .await?;
    }
    Ok(())
}

async fn fund(layout: &Layout, client: &Client) -> Result<()> {
    let mut accounts = vec![layout.account("supervisor")?.address(), layout.account("creator")?.address()];
    accounts.extend(providers(layout)?);
    let treasury = layout.account("treasury")?;
    for account in accounts {
        if client.balance(account).await? >= U256::from(FUNDS_WEI_MIN) {
            continue;
        }
        note(format_args!("giving {} CFX for fees to {account}", FUNDS_WEI / CFX));
        send_transaction(client, &treasury, Some(account), FUNDS_WEI, Vec::new())
            .await
            .context("no coins were sent")?;
    }
    Ok(())
}

/// The accounts of the providers.
pub fn providers(layout: &Layout) -> Result<Vec<AccountAddress>> {
    let count = layout.processes.iter().filter(|(name, _)| name.starts_with("provider-")).count();
    // A plan has at most 65,535 of them.
    (0..count as u16).map(|number| Ok(layout.provider_account(number)?)).collect()
}

async fn admit(layout: &Layout, client: &Client) -> Result<()> {
    let (supervisor, creator) = (layout.account("supervisor")?, address(layout.account("creator")?.address()));
    if ask(client, REGISTRY_ADDRESS, IRegistry::isAdmittedCall { creator }).await? {
        return Ok(());
    }
    note("the supervisor admits the creator");
    let call = IRegistry::admitCreatorCall { creator }.abi_encode();
    send(client, &supervisor, REGISTRY_ADDRESS, 0, call).await.context("the creator was not admitted")?;
    Ok(())
}

/// Somebody who shares as an operation participant, so that this share of each view is seen as well.
async fn engage(layout: &Layout, client: &Client) -> Result<()> {
    let (supervisor, account) = (layout.account("supervisor")?, address(layout.account("operation")?.address()));
    if ask(client, REGISTRY_ADDRESS, IRegistry::participantsCall {}).await?.contains(&account) {
        return Ok(());
    }
    note("the supervisor names an operation participant");
    let call = IRegistry::addParticipantCall { account }.abi_encode();
    send(client, &supervisor, REGISTRY_ADDRESS, 0, call).await.context("no operation participant was named")?;
    Ok(())
}

async fn await_providers(layout: &Layout, client: &Client) -> Result<()> {
    let expected = providers(layout)?;
    wait(STEP_PATIENCE, "the providers to register", async || {
        let known = client.providers().await?;
        let all = expected.iter().all(|account| known.iter().any(|provider| provider.account == *account));
        Ok(all.then_some(()))
    })
    .await
}

async fn film_file(film: Option<&Path>, folder: &Folder) -> Result<PathBuf> {
    match film {
        Some(film) => Ok(film.to_owned()),
        None => {
            note("fetching a sample film");
            chainflix_media::find_sample(&folder.sample())
                .await
                .context("no sample film can be had; name one with --film")
        }
    }
}

async fn publish_film(layout: &Layout, folder: &Folder, file: PathBuf) -> Result<()> {
    note(format_args!("publishing {}", file.display()));
    let is_sample = file.file_stem().is_some_and(|stem| stem == SAMPLE.0);
    let options = PublishOptions {
        title: is_sample.then(|| SAMPLE.1.to_owned()),
        split: None,
        file,
        creator: layout.account("creator")?,
        rpcs: layout.rpcs.clone(),
        controllers: layout.controllers.clone(),
        relay: Some(layout.relay.clone()),
        scratch: folder.scratch(),
    };
    let meter = Meter::new();
    publish(options, &|progress| meter.show(progress)).await.context("the film is not published")?;
    Ok(())
}

/// Waits until the web app shows the films.
async fn await_gateway(layout: &Layout, films: &[Film]) -> Result<()> {
    let url = format!("{}/api/films", layout.web_url);
    wait(STEP_PATIENCE, "the gateway to list the films", async || {
        let Ok(answer) = reqwest::get(&url).await else { return Ok(None) };
        let listed = answer.text().await.unwrap_or_default();
        let all = films.iter().all(|film| listed.contains(&film.magnet.to_string()));
        Ok(all.then_some(()))
    })
    .await
}

/// Asks until there is an answer, or `patience` ends.
async fn wait<T>(patience: Duration, what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(Some(answer)) => return Ok(answer),
            Err(error) if began.elapsed() >= patience => {
                return Err(error.context(format!("waited in vain for {what}")));
            }
            Ok(None) if began.elapsed() >= patience => bail!("waited {} s in vain for {what}", patience.as_secs()),
            Ok(None) | Err(_) => sleep(LOOK).await,
        }
    }
}

/// Accounts of the network by what they are, for `demo.json`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accounts {
    pub treasury: AccountAddress,
    pub governor: AccountAddress,
    pub supervisor: AccountAddress,
    pub creator: AccountAddress,
    pub operation: AccountAddress,
    pub validators: Vec<AccountAddress>,
    pub providers: Vec<AccountAddress>,
}

impl Accounts {
    /// The accounts of a network laid out here.
    pub fn of(layout: &Layout) -> Result<Self> {
        let address = |name| Ok::<_, anyhow::Error>(layout.account(name)?.address());
        Ok(Self {
            treasury: address("treasury")?,
            governor: address("governor")?,
            supervisor: address("supervisor")?,
            creator: address("creator")?,
            operation: address("operation")?,
            validators: layout.genesis.validators.iter().map(|validator| validator.account).collect(),
            providers: providers(layout)?,
        })
    }

    /// All of them.
    pub fn all(&self) -> Vec<AccountAddress> {
        let named = [self.treasury, self.governor, self.supervisor, self.creator, self.operation];
        named.into_iter().chain(self.validators.iter().copied()).chain(self.providers.iter().copied()).collect()
    }

    /// What each of them has after a block, in wei.
    pub async fn balances(&self, client: &Client, block: u64) -> Result<Vec<(AccountAddress, U256)>> {
        let mut balances = Vec::new();
        for account in self.all() {
            balances.push((account, ethereum::balance_at(client, account, block).await?));
        }
        Ok(balances)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_an_answer_or_with_what_was_waited_for() {
        let mut left = 3;
        let answer = wait(STEP_PATIENCE, "it", async || {
            left -= 1;
            Ok((left == 0).then_some(7))
        });
        assert_eq!(answer.await.unwrap(), 7);
        let error = wait::<()>(STEP_PATIENCE, "a miracle", async || Ok(None)).await.unwrap_err();
        assert!(error.to_string().contains("a miracle"));
        let error = wait::<()>(STEP_PATIENCE, "a miracle", async || bail!("no")).await.unwrap_err();
        assert_eq!(crate::output::one_line(&error), "waited in vain for a miracle: no");
    }
}
