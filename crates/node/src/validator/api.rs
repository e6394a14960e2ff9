//! The validator's answers to JSON-RPC.

use super::{
    account::{self, Accounts},
    catalogue::{OfferError, SharedVideos},
    desk::{DeskGone, DeskHandle},
    patience::patiently,
};
use crate::{entropy, now_ms};
use chainflix_chain::{
    execution::ExecutionLayer,
    ledger::{Awarded, Credit, LedgerError, Summary, ViewBlock as Stored, ViewLedger},
};
use chainflix_consensus::FinalizedBlock;
use chainflix_primitives::{
    AccountAddress, BlockHash, Evidence, Grant, Magnet, NetworkGenesis, Opening, PlayAnswer, PlayData, PlayId,
    PlayRequest, Receipt, Signed,
};
use chainflix_proof_of_view::{Desk, PlayStatus, Source};
use chainflix_rpc::{
    ApiError, CfxApi, EthereumApi,
    api::Answer,
    types::{
        AccountQuery, AccountReport, Award, AwardSummary, COUNT_MAX, DisputeReport, EvidenceWanted, Head, IssueGrant,
        PlayReport, PlayWeight, Provider, Schedule, ServedQuery, ServedReport, Video, VideoQuery, ViewBlock,
        ViewBlockQuery, ViewBlockSummary,
    },
};
use futures::future::{BoxFuture, FutureExt as _};
use serde_json::Value;
use std::{collections::BTreeSet, net::IpAddr, sync::Arc};
use tokio::{sync::watch, task::spawn_blocking};

/// Answers from the chain, the ledger and the desk.
pub(crate) struct Api {
    pub genesis: Arc<NetworkGenesis>,
    pub ledger: ViewLedger,
    pub accounts: Accounts,
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

fn summary(stored: Summary) -> ViewBlockSummary {
    let paid = |award: Awarded| AwardSummary {
        block: award.height,
        gwei: award.gwei,
        held_gwei: award.held_gwei,
        returned_gwei: award.returned_gwei,
        // A slot has at most 2^20 plays.
        voided: award.voided.len() as u32,
    };
    ViewBlockSummary {
        view_block: stored.number,
        slot: stored.slot,
        block: stored.height,
        time_ms: stored.time_ms,
        plays: stored.plays,
        reward_gwei: stored.reward_gwei,
        viewers: stored.viewers,
        award: stored.award.map(paid),
    }
}

fn whole(stored: Stored, genesis: &NetworkGenesis) -> ViewBlock {
    let name = |index: &u32| stored.record(*index).map(|record| record.code.body.id);
    let voided = stored.summary.award.iter().flat_map(|award| &award.voided).filter_map(name).collect();
    let awards = stored.awards(genesis).unwrap_or_default().into_iter();
    ViewBlock {
        summary: summary(stored.summary),
        weights: stored.carried.iter().map(|&(index, weight)| PlayWeight { index, weight }).collect(),
        awarded: awards.map(|Credit { account, gwei }| Award { account, gwei }).collect(),
        voided,
        payload: stored.payload,
    }
}

/// How a carried play stands.
pub(super) fn settled(
    ledger: &ViewLedger,
    genesis: &NetworkGenesis,
    play: &PlayId,
) -> Result<Option<PlayStatus>, LedgerError> {
    let Some(place) = ledger.play(play)? else { return Ok(None) };
    let state = ledger.play_state(&place)?;
    Ok(Some(account::carried_status(genesis, place.view_block, state)))
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
                // At most PENDING_MAX.
                pending: state.pending().count() as u32,
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
            let stored = ledger.summaries(query.from.unwrap_or(u64::MAX), query.count.min(COUNT_MAX) as usize)?;
            Ok(stored.into_iter().map(summary).collect())
        })
        .boxed()
    }

    fn view_block(&self, number: u64) -> Answer<'_, Option<ViewBlock>> {
        let (ledger, genesis) = (self.ledger.clone(), self.genesis.clone());
        async move {
            let found = look(move || match ledger.view_block(number) {
                Err(LedgerError::Pruned { view_block }) => Ok(Err(LedgerError::Pruned { view_block })),
                found => Ok(Ok(found?.map(|stored| whole(stored, &genesis)))),
            });
            found.await?.map_err(|pruned| ApiError::BadParams { reason: pruned.to_string() })
        }
        .boxed()
    }

    fn account(&self, query: AccountQuery) -> Answer<'_, AccountReport> {
        async move {
            let whose = query.account;
            let open = move |desk: &mut Desk| {
                desk.plays_of(&whose).map(|(code, status)| account::open_play(code, &status)).collect()
            };
            // Before the ledger: a play that is carried meanwhile is then in both, and told once.
            let open = self.desk.step(open).await.map_err(gone)?;
            let accounts = self.accounts.clone();
            look(move || accounts.report(query, open)).await
        }
        .boxed()
    }

    fn served(&self, query: ServedQuery) -> Answer<'_, ServedReport> {
        let accounts = self.accounts.clone();
        look(move || accounts.served(&query)).boxed()
    }

    fn play(&self, play: PlayId) -> Answer<'_, PlayReport> {
        async move {
            let (ledger, genesis) = (self.ledger.clone(), self.genesis.clone());
            // The ledger first: what is final there is forgotten by the desk.
            let settled = look(move || Ok(settled(&ledger, &genesis, &play)?)).await?;
            // The desk knows how long it still waits for an opening.
            if matches!(settled, None | Some(PlayStatus::Auditing { .. })) {
                let status = self.desk.step(move |desk| desk.status(&play)).await.map_err(gone)?;
                return Ok(PlayReport::from(status.or(settled).as_ref()));
            }
            Ok(PlayReport::from(settled.as_ref()))
        }
        .boxed()
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
        look(move || Ok(videos.facts.providers()?.iter().copied().collect())).boxed()
    }

    fn issue_grant(&self, words: IssueGrant) -> Answer<'_, Signed<Grant>> {
        async move {
            let (videos, seed) = (self.videos.clone(), self.seed());
            let IssueGrant { request, holders } = words;
            let registered = {
                let videos = videos.clone();
                look(move || Ok(videos.facts.providers()?)).await?
            };
            // Each once, however often it is named.
            let holders: BTreeSet<_> = holders.iter().collect();
            let held = holders.into_iter().filter_map(|node| registered.at(node).copied());
            let sources: Vec<_> = held
                .map(|Provider { account, node_id, box_key }| Source { provider: account, node: node_id, box_key })
                .collect();
            let ask = move |desk: &mut Desk| desk.grant(now_ms(), entropy(), &request, &sources, &seed, &*videos);
            Ok(patiently(|| self.desk.step(ask.clone())).await.map_err(gone)??)
        }
        .boxed()
    }

    fn request_play(&self, request: Signed<PlayRequest>, from: IpAddr) -> Answer<'_, PlayAnswer> {
        async move {
            let (videos, ledger) = (self.videos.clone(), self.ledger.state());
            let ask = move |desk: &mut Desk| desk.play(now_ms(), entropy(), &request, from, &ledger, &*videos);
            Ok(patiently(|| self.desk.step(ask.clone())).await.map_err(gone)??)
        }
        .boxed()
    }

    fn submit_receipt(&self, receipt: Signed<Receipt>) -> Answer<'_, ()> {
        async move { Ok(self.desk.step(move |desk| desk.receipt(now_ms(), receipt)).await.map_err(gone)??) }.boxed()
    }

    fn submit_proof(&self, proof: Signed<PlayData>) -> Answer<'_, ()> {
        async move {
            let (videos, ledger) = (self.videos.clone(), self.ledger.state());
            let prove = move |desk: &mut Desk| desk.prove(now_ms(), proof, &ledger, &*videos);
            Ok(self.desk.step(prove).await.map_err(gone)??)
        }
        .boxed()
    }

    fn submit_opening(&self, opening: Signed<Opening>) -> Answer<'_, ()> {
        async move {
            let (videos, ledger) = (self.videos.clone(), self.ledger.state());
            let open = move |desk: &mut Desk| desk.open(now_ms(), opening, &ledger, &*videos);
            Ok(self.desk.step(open).await.map_err(gone)??)
        }
        .boxed()
    }

    fn disputes(&self, provider: AccountAddress) -> Answer<'_, Vec<EvidenceWanted>> {
        async move { self.desk.step(move |desk| desk.evidence_wanted(&provider)).await.map_err(gone) }.boxed()
    }

    fn submit_evidence(&self, evidence: Signed<Evidence>) -> Answer<'_, DisputeReport> {
        async move {
            let state = self.desk.step(move |desk| desk.evidence(now_ms(), evidence)).await.map_err(gone)??;
            Ok(DisputeReport::from(state))
        }
        .boxed()
    }
}
