//! The validator's answers to JSON-RPC.

use super::{
    catalogue::{OfferError, SharedVideos},
    desk::{DeskGone, DeskHandle},
};
use crate::{entropy, now_ms};
use chainflix_chain::{
    execution::ExecutionLayer,
    ledger::{LedgerError, ViewBlock as Stored, ViewLedger},
};
use chainflix_consensus::FinalizedBlock;
use chainflix_primitives::{
    AccountAddress, BlockHash, Grant, Magnet, NetworkGenesis, PlayAnswer, PlayData, PlayId, PlayRequest, Receipt,
    Signed,
};
use chainflix_proof_of_view::{PlayStatus, Source};
use chainflix_rpc::{
    ApiError, CfxApi, EthereumApi,
    api::Answer,
    types::{
        AccountPlay, Award, COUNT_MAX, Head, IssueGrant, PlayQuery, PlayReport, Provider, Schedule, Video, VideoQuery,
        ViewBlock, ViewBlockQuery, ViewBlockSummary,
    },
};
use futures::future::{BoxFuture, FutureExt as _};
use serde_json::Value;
use std::{net::IpAddr, sync::Arc};
use tokio::{sync::watch, task::spawn_blocking};

/// Answers from the chain, the ledger and the desk.
pub(crate) struct Api {
    pub genesis: Arc<NetworkGenesis>,
    pub ledger: ViewLedger,
    pub videos: SharedVideos,
    pub desk: DeskHandle,
    pub latest: watch::Receiver<FinalizedBlock>,
}

/// The Ethereum half of JSON-RPC.
pub(crate) struct Ethereum(pub ExecutionLayer);

impl EthereumApi for Ethereum {
    fn call(&self, request: Value) -> BoxFuture<'_, Value> {
        self.0.json_rpc(request).boxed()
    }
}

fn gone(gone: DeskGone) -> ApiError {
    ApiError::internal(gone)
}

/// Runs a look-up that reads the disk off the asynchronous threads.
async fn look<T: Send + 'static>(job: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> Result<T, ApiError> {
    let done = spawn_blocking(job).await.map_err(ApiError::internal)?;
    done.map_err(|error| ApiError::internal(error.into_boxed_dyn_error()))
}

fn summary(stored: &Stored) -> ViewBlockSummary {
    let mut viewers: Vec<_> = stored.plays().map(|record| record.code.body.account).collect();
    viewers.sort_unstable();
    viewers.dedup();
    ViewBlockSummary {
        view_block: stored.number,
        slot: stored.slot,
        block: stored.height,
        time_ms: stored.time_ms,
        // At most 8192.
        plays: stored.accepted.len() as u32,
        reward_gwei: stored.reward_gwei,
        viewers,
    }
}

fn account_plays(ledger: &ViewLedger, query: PlayQuery) -> Result<Vec<AccountPlay>, LedgerError> {
    let mut plays = Vec::new();
    for place in ledger.plays_of(&query.account, query.count.min(COUNT_MAX) as usize)? {
        let Some(stored) = ledger.view_block(place.view_block)? else { continue };
        let Some(record) = stored.payload.proposal.plays.get(place.index as usize) else { continue };
        let code = &record.code.body;
        plays.push(AccountPlay {
            play: place.play,
            magnet: code.magnet,
            cell_index: code.cell_index,
            view_block: place.view_block,
            slot: stored.slot,
        });
    }
    Ok(plays)
}

impl Api {
    fn newest(&self) -> Head {
        let block = self.latest.borrow();
        Head { number: block.height, hash: block.eth_hash, time_ms: block.time_ms }
    }

    fn seed(&self) -> BlockHash {
        self.latest.borrow().eth_hash
    }
}

impl CfxApi for Api {
    fn genesis(&self) -> Answer<'_, NetworkGenesis> {
        async { Ok((*self.genesis).clone()) }.boxed()
    }

    fn head(&self) -> Answer<'_, Head> {
        async { Ok(self.newest()) }.boxed()
    }

    fn schedule(&self) -> Answer<'_, Schedule> {
        async {
            let state = self.ledger.state();
            let (head, params) = (state.head(), &self.genesis.params);
            Ok(Schedule {
                view_blocks: head.view_blocks,
                issued_gwei: head.issued_gwei,
                next_reward_gwei: chainflix_token::reward_gwei(params, head.view_blocks + 1),
                halving_view_block: params.halving_view_block,
                last_slot: head.last_slot,
                root: head.root,
                slot_ms: params.slot_ms,
            })
        }
        .boxed()
    }

    fn view_blocks(&self, query: ViewBlockQuery) -> Answer<'_, Vec<ViewBlockSummary>> {
        let ledger = self.ledger.clone();
        look(move || {
            let stored = ledger.view_blocks(query.from.unwrap_or(u64::MAX), query.count.min(COUNT_MAX) as usize)?;
            Ok(stored.iter().map(summary).collect())
        })
        .boxed()
    }

    fn view_block(&self, number: u64) -> Answer<'_, Option<ViewBlock>> {
        let ledger = self.ledger.clone();
        let shown = |stored: Stored| ViewBlock {
            summary: summary(&stored),
            awarded: stored.awarded.iter().map(|(account, gwei)| Award { account: *account, gwei: *gwei }).collect(),
            payload: stored.payload,
        };
        look(move || Ok(ledger.view_block(number)?.map(shown))).boxed()
    }

    fn plays(&self, query: PlayQuery) -> Answer<'_, Vec<AccountPlay>> {
        let ledger = self.ledger.clone();
        look(move || Ok(account_plays(&ledger, query)?)).boxed()
    }

    fn play(&self, play: PlayId) -> Answer<'_, PlayReport> {
        async move {
            let ledger = self.ledger.clone();
            // The ledger first: what is final there is forgotten by the desk.
            if let Some(place) = look(move || Ok(ledger.play(&play)?)).await? {
                return Ok(PlayReport::from(Some(&PlayStatus::Accepted { view_block: place.view_block })));
            }
            let status = self.desk.step(move |desk| desk.status(&play).cloned()).await.map_err(gone)?;
            Ok(PlayReport::from(status.as_ref()))
        }
        .boxed()
    }

    fn pending_gwei(&self, account: AccountAddress) -> Answer<'_, u128> {
        async move { Ok(self.ledger.pending_gwei(&account).into()) }.boxed()
    }

    fn videos(&self, query: VideoQuery) -> Answer<'_, Vec<Video>> {
        let videos = self.videos.clone();
        look(move || {
            let magnets = videos.registry.magnets(query.from, query.count.min(COUNT_MAX).into())?;
            magnets.iter().filter_map(|magnet| videos.describe(magnet).transpose()).collect()
        })
        .boxed()
    }

    fn video(&self, magnet: Magnet) -> Answer<'_, Option<Video>> {
        let videos = self.videos.clone();
        look(move || videos.describe(&magnet)).boxed()
    }

    fn manifest(&self, magnet: Magnet) -> Answer<'_, Option<Vec<u8>>> {
        let videos = self.videos.clone();
        look(move || Ok(videos.manifests.bytes(&magnet)?)).boxed()
    }

    fn submit_manifest(&self, manifest: Vec<u8>) -> Answer<'_, Magnet> {
        let videos = self.videos.clone();
        async move {
            let offered = spawn_blocking(move || videos.offer(&manifest)).await.map_err(ApiError::internal)?;
            offered.map_err(|error| match error {
                OfferError::Failed { .. } => ApiError::internal(error),
                error => ApiError::BadParams { reason: error.to_string() },
            })
        }
        .boxed()
    }

    fn providers(&self) -> Answer<'_, Vec<Provider>> {
        let videos = self.videos.clone();
        look(move || Ok(videos.registry.providers()?)).boxed()
    }

    fn issue_grant(&self, words: IssueGrant) -> Answer<'_, Signed<Grant>> {
        async move {
            let (videos, seed) = (self.videos.clone(), self.seed());
            let IssueGrant { request, holders } = words;
            let registered = {
                let videos = videos.clone();
                look(move || Ok(videos.registry.providers()?)).await?
            };
            let held = registered.into_iter().filter(|provider| holders.contains(&provider.node_id));
            let sources: Vec<_> = held
                .map(|Provider { account, node_id, box_key }| Source { provider: account, node: node_id, box_key })
                .collect();
            let granted = self
                .desk
                .step(move |desk| desk.grant(now_ms(), entropy(), &request, &sources, &seed, &*videos))
                .await
                .map_err(gone)?;
            Ok(granted?)
        }
        .boxed()
    }

    fn request_play(&self, request: Signed<PlayRequest>, from: IpAddr) -> Answer<'_, PlayAnswer> {
        async move {
            let (videos, ledger) = (self.videos.clone(), self.ledger.state());
            let played = self
                .desk
                .step(move |desk| desk.play(now_ms(), entropy(), &request, from, &ledger, &*videos))
                .await
                .map_err(gone)?;
            Ok(played?)
        }
        .boxed()
    }

    fn submit_receipt(&self, receipt: Signed<Receipt>) -> Answer<'_, ()> {
        async move { Ok(self.desk.step(move |desk| desk.receipt(receipt)).await.map_err(gone)??) }.boxed()
    }

    fn submit_proof(&self, proof: Signed<PlayData>) -> Answer<'_, ()> {
        async move {
            let ledger = self.ledger.state();
            Ok(self.desk.step(move |desk| desk.prove(now_ms(), proof, &ledger)).await.map_err(gone)??)
        }
        .boxed()
    }
}
