//! Proposes and judges blocks: what simplex asks of an application before it votes.
//!
//! ```text
//!  propose: pace ──▶ ground ──▶ payload from the desk ──▶ settle ──▶ build ──▶ block
//!  verify:  rules ─▶ clock ──▶ ground ──▶ settle ──▶ compare root and coins ──▶ execute ──▶ true or false
//! ```
//!
//! A block is a function of its ancestors alone, and ancestors need not be final yet: their transactions are kept out of
//! the new block, their payloads are applied to the ledger's state before its root is taken. Blocks without a payload
//! settle as well: awards may fall due in them.
//!
//! **Pace.** Simplex runs as fast as the network; the proposer sleeps until `block_ms` after the parent. Blocks are made
//! whether or not there is anything to put into them, because view slots and contracts live by block time.
//!
//! **`false` is for ever**, so it is said of broken rules only. Where the answer may still change (the proposer's clock
//! is ahead of ours, this node is catching up, its disk fails) there is no answer: the future waits, and simplex drops it
//! with the round. So every future here may be dropped at any await; work under way on other threads ends by itself.

use crate::{
    block::{Block, Turn, VIEW_BYTES_MAX, encode_view},
    committee::Committee,
    ground::{Ground, Obstacle, Stores},
    payload::{PayloadSource, choices},
    rules,
};
use chainflix_chain::{
    execution::{Address, BlockRequest, BuildError, ImportError, InvalidBlock, Withdrawal},
    ledger::{BlockPlace, Preview, SettleError},
};
use chainflix_primitives::ViewPayload;
use commonware_consensus::{
    Application as EngineApplication, Heightable as _,
    marshal::{self, ancestry::Ancestry, standard::Standard},
    simplex::scheme::ed25519::Scheme,
};
use commonware_cryptography::{Digested, Digestible as _};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock as _, tokio::Context};
use futures::StreamExt as _;
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

pub(crate) type Archive = marshal::core::Mailbox<Scheme, Standard<Block>>;

/// How far ahead of our clock a proposer's may be before we wait with the answer, in milliseconds.
const CLOCK_SKEW_MS: u64 = 500;

/// Pause before something is tried again that failed through no fault of the block.
const RETRY: Duration = Duration::from_secs(1);

/// The application half that runs before votes. Clones share everything.
#[derive(Clone)]
pub(crate) struct Application {
    pub committee: Arc<Committee>,
    pub block_ms: u64,
    pub stores: Stores,
    pub payloads: Arc<dyn PayloadSource>,
    pub archive: Archive,
}

/// Why every correct validator refuses a block.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Rule(#[from] rules::Broken),
    #[error("its view payload does not settle: {0}")]
    View(#[from] SettleError),
    #[error("it does not execute: {0}")]
    Execution(#[from] InvalidBlock),
}

/// What is known about a block.
enum Verdict {
    Valid,
    Refused(Refusal),
    /// This node cannot tell, and will not in this round.
    Unknown(&'static str),
}

impl EngineApplication<Context> for Application {
    type SigningScheme = Scheme;
    type Context = Turn;
    type Block = Block;
    type Input = ();

    async fn propose(
        &mut self,
        (clock, turn): (Context, Turn),
        mut ancestry: impl Ancestry<Block>,
        (): (),
    ) -> Option<Digested<Block>> {
        let parent = ancestry.next().await?.inner_shared();
        sleep_until_ms(&clock, parent.time_ms.saturating_add(self.block_ms)).await;
        let ground = match self.stores.ground(parent.clone(), ancestry).await {
            Ok(ground) => ground,
            Err(Obstacle::Overtaken) => return None,
            Err(Obstacle::Unavailable(reason)) => {
                tracing::warn!(height = parent.height.get() + 1, reason, "no block proposed");
                return None;
            }
        };
        let block = self.build(&clock, turn, &parent, ground).await?;
        // The proposer's own block never comes to be verified. Execution starts here and delays nothing; whoever needs the
        // result imports it again.
        drop(self.stores.execution.import(block.ethereum.clone()));
        Some(Digested::compute(block, &Sequential).await)
    }

    async fn verify(&mut self, (clock, _): (Context, Turn), ancestry: impl Ancestry<Block>) -> bool {
        let height = ancestry.peek().map(|block| block.height().get());
        match self.judge(&clock, ancestry).await {
            Verdict::Valid => true,
            Verdict::Refused(reason) => {
                tracing::warn!(height, %reason, "block refused");
                false
            }
            Verdict::Unknown(reason) => {
                tracing::warn!(height, reason, "block not judged");
                std::future::pending().await
            }
        }
    }
}

impl Application {
    async fn judge(&self, clock: &Context, mut ancestry: impl Ancestry<Block>) -> Verdict {
        let (Some(block), Some(parent)) = (ancestry.next().await, ancestry.next().await) else {
            return Verdict::Unknown("its parent cannot be had");
        };
        let (block, parent) = (block.inner_shared(), parent.inner_shared());
        if let Err(rule) = rules::check_header(&self.committee, &block, &parent) {
            return Verdict::Refused(rule.into());
        }
        sleep_until_ms(clock, block.time_ms.saturating_sub(CLOCK_SKEW_MS)).await;
        let ground = match self.stores.ground(parent, ancestry).await {
            Ok(ground) => ground,
            Err(Obstacle::Overtaken) => return self.look_up(&block).await,
            Err(Obstacle::Unavailable(reason)) => return Verdict::Unknown(reason),
        };
        let root = ground.preview.root();
        let minted = match settle(ground.preview, block.place(ground.moves), block.view.clone()).await {
            Ok(minted) => minted,
            Err(Settling::Refused(error)) => return Verdict::Refused(error.into()),
            Err(Settling::Interrupted) => return Verdict::Unknown("settling was interrupted"),
        };
        match rules::check_settlement(&block, &root, &minted) {
            Ok(()) => self.execute(clock, &block).await,
            Err(rule) => Verdict::Refused(rule.into()),
        }
    }

    /// Judges a block by what is final at its height.
    async fn look_up(&self, block: &Block) -> Verdict {
        match self.archive.get_info(block.height).await {
            Some((_, digest)) if digest == block.digest() => Verdict::Valid,
            _ => Verdict::Unknown("another block is final at its height"),
        }
    }

    async fn execute(&self, clock: &Context, block: &Block) -> Verdict {
        loop {
            match self.stores.execution.import(block.ethereum.clone()).await {
                Ok(()) => return Verdict::Valid,
                Err(ImportError::Invalid { reason, .. }) => return Verdict::Refused(reason.into()),
                Err(error) => tracing::error!(height = block.height.get(), %error, "block not executed, trying again"),
            }
            clock.sleep(RETRY).await;
        }
    }

    /// Builds a block on `ground`: with all votes that are ready, or fewer, or none, if they do not fit or do not hold.
    async fn build(&self, clock: &Context, turn: Turn, parent: &Block, ground: Ground) -> Option<Block> {
        let time_ms = now_ms(clock).max(parent.time_ms + 1);
        let place =
            BlockPlace { height: parent.height.get() + 1, parent: parent.hash(), time_ms, moves: ground.moves.clone() };
        let recipient = self.committee.account(&turn.leader)?;
        for payload in self.choices(&ground.preview).await {
            let Some(withdrawals) = self.mint(&ground.preview, place.clone(), payload.clone()).await else { continue };
            let request = BlockRequest {
                parent: parent.ethereum.hash(),
                timestamp_s: rules::timestamp_s(parent, time_ms),
                fee_recipient: Address::from(recipient.0),
                prev_randao: rules::prev_randao(parent),
                beacon_root: rules::beacon_root(&ground.preview.root()),
                withdrawals,
                unfinalised: ground.unfinalised.clone(),
                max_rlp_bytes: crate::block::ETHEREUM_BYTES_MAX,
            };
            let with_view = payload.is_some();
            let error = match self.stores.execution.build(request).await {
                Ok(ethereum) => {
                    let parent = (parent.digest(), parent.height);
                    let block = Block::new(turn, parent, time_ms, ethereum, payload);
                    return block.inspect_err(|error| tracing::error!(%error, "no block proposed")).ok();
                }
                Err(error) => error,
            };
            tracing::error!(height = place.height, %error, with_view, "no block built");
            // More credits than a block holds must not stop the chain: leave the votes to whoever cuts them smaller.
            if !matches!(error, BuildError::TooLarge { .. }) {
                return None;
            }
        }
        None
    }

    /// What the block may carry, best first.
    async fn choices(&self, preview: &Preview) -> Vec<Option<Arc<ViewPayload>>> {
        let (payloads, preview) = (self.payloads.clone(), preview.clone());
        let ready = tokio::task::spawn_blocking(move || choices(payloads.payload(&preview), &preview)).await;
        ready.unwrap_or_else(|_| vec![None])
    }

    /// What a block with this payload mints, if the payload holds up to the judgement that all others will apply.
    async fn mint(
        &self,
        preview: &Preview,
        place: BlockPlace,
        payload: Option<Arc<ViewPayload>>,
    ) -> Option<Vec<Withdrawal>> {
        let height = place.height;
        let bytes = payload.as_deref().map_or(0, |payload| encode_view(payload).len());
        if bytes > VIEW_BYTES_MAX {
            tracing::error!(height, bytes, "the view payload is too long for a block");
            return None;
        }
        match settle(preview.clone(), place, payload).await {
            Ok(withdrawals) => Some(withdrawals),
            Err(Settling::Refused(error)) => {
                tracing::error!(height, %error, "the view payload does not settle");
                None
            }
            Err(Settling::Interrupted) => None,
        }
    }
}

/// Why there is no settlement.
enum Settling {
    Refused(SettleError),
    Interrupted,
}

/// What the block at `place` with this payload mints. Checks signatures, so it runs off the async threads.
async fn settle(
    preview: Preview,
    place: BlockPlace,
    payload: Option<Arc<ViewPayload>>,
) -> Result<Vec<Withdrawal>, Settling> {
    let settled = tokio::task::spawn_blocking(move || {
        let settlement = preview.settle(&place, payload.as_ref())?;
        Ok(rules::withdrawals(&settlement.credits, preview.next_withdrawal_index()))
    });
    settled.await.map_err(|_| Settling::Interrupted)?.map_err(Settling::Refused)
}

/// This node's clock, in milliseconds since the Unix epoch.
pub(crate) fn now_ms(clock: &Context) -> u64 {
    // A clock before 1970 counts as 1970; in the year 584 million the cast will be wrong.
    clock.current().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

async fn sleep_until_ms(clock: &Context, due_ms: u64) {
    let wait = due_ms.saturating_sub(now_ms(clock));
    if wait > 0 {
        clock.sleep(Duration::from_millis(wait)).await;
    }
}
