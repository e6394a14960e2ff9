//! Wires the engine together: block broadcast, marshal, simplex, and our three parts. Everything in it is a concrete
//! type, because generic wiring costs minutes to rebuild.
//!
//! ```text
//!   channels:  votes  certificates  requests      blocks   backfill        gossip
//!                 └────────┼────────────┘            └────┬────┘              │
//!                       simplex ── certificates ──▶ marshal, archive ──┐   gossip ── pool
//!                        │   ▲                        │                ▼
//!          propose, verify   │ verdict                └─ ancestors ─▶ finaliser ──▶ ledger, EVM
//!                        ▼   │                             │           │
//!                     application ◀────────────────────────┘◀─ progress┘
//! ```
//!
//! Certificates are lists of Ed25519 signatures (`docs/decisions/0003-ed25519-certificates-first.md`). There is one
//! epoch: the validators are those of the genesis, for ever.

use crate::{
    application::{Application, Archive},
    block::{Block, Digest},
    committee::{Committee, ConsensusKey},
    finalizer::{Announcements, DELIVERIES_MAX, FinalizeError, Finalizer},
    gossip::Gossip,
    ground::Stores,
    network::{self, Addresses, Channel},
    payload::PayloadSource,
};
use chainflix_chain::{
    execution::{ExecutionLayer, ReadError},
    ledger::ViewLedger,
};
use commonware_broadcast::buffered;
use commonware_consensus::{
    marshal::{
        self,
        core::Actor,
        resolver::p2p as backfill,
        standard::{Deferred, Standard},
    },
    simplex::{
        self,
        config::{Floor, ForwardPolicy, SkipBudget, SkipPolicy},
        elector::RoundRobin,
        scheme::ed25519::Scheme,
        types::Finalization,
    },
    types::{Epoch, FixedEpocher, ViewDelta},
};
use commonware_cryptography::{
    Digested, Digestible as _, Sha256, Signer as _,
    certificate::{ConstantProvider, Verifier as _},
    ed25519::PublicKey,
};
use commonware_p2p::authenticated::lookup::Oracle;
use commonware_parallel::Sequential;
use commonware_runtime::{Handle, Spawner as _, Supervisor as _, buffer::paged::CacheRef, tokio::Context};
use commonware_storage::archive::{self, immutable};
use commonware_utils::{NZDuration, NZU16, NZU64, NZUsize};
use std::{
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

/// Names of the store's partitions begin with this.
const STORE: &str = "chain";
/// Bytes of a page of the store, and pages kept in memory: 4 MiB.
const PAGE_BYTES: std::num::NonZeroU16 = NZU16!(4_096);
const PAGES: NonZeroUsize = NZUsize!(1_024);
/// Bytes read at once while a journal is replayed, and gathered before one is written.
const REPLAY_BYTES: NonZeroUsize = NZUsize!(1 << 20);
const WRITE_BYTES: NonZeroUsize = NZUsize!(1 << 16);
/// The whole chain is one epoch.
const EPOCH: FixedEpocher = FixedEpocher::new(NonZeroU64::MAX);
/// What a leader may take beyond the block time before its turn goes to the next.
const LEADER_SLACK: Duration = Duration::from_secs(2);
/// Views whose votes and candidates are kept, for peers that are a little behind.
const VIEWS_KEPT: ViewDelta = ViewDelta::new(256);
/// Messages that may wait between two parts of the engine.
const MAILBOX: NonZeroUsize = NZUsize!(1_024);
/// Blocks of one sender that are kept until they are asked for.
const BLOCKS_KEPT: usize = 16;
/// Missing blocks that are fetched at a time.
const REPAIRS_MAX: NonZeroUsize = NZUsize!(64);
/// Time for a peer to answer, pause before the next one is asked, and before an unanswered vote is sent again.
const FETCH_TIMEOUT: Duration = Duration::from_secs(1);
const FETCH_PAUSE: Duration = Duration::from_millis(100);
const VOTE_AGAIN: Duration = Duration::from_secs(1);
/// Time for all parts to write what they hold when the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What the engine runs on.
pub(crate) struct Parts {
    pub committee: Arc<Committee>,
    pub key: ConsensusKey,
    pub addresses: Addresses,
    pub genesis_time_ms: u64,
    pub block_ms: u64,
    pub execution: ExecutionLayer,
    pub ledger: ViewLedger,
    pub payloads: Arc<dyn PayloadSource>,
    pub gossip: Gossip,
    pub announcements: Announcements,
}

/// Why consensus ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A final block was refused by this node's own stores.
    #[error(transparent)]
    Finalize(#[from] FinalizeError),
    /// The Ethereum genesis block cannot be read.
    #[error("the Ethereum genesis block cannot be read")]
    Genesis(#[from] ReadError),
    /// The execution store is empty.
    #[error("the execution store has no genesis block")]
    NoGenesis,
    /// The archive of blocks and certificates cannot be opened.
    #[error("the consensus archive cannot be opened")]
    Archive(#[from] archive::Error),
    /// A part of the engine ended by itself.
    #[error("the {part} ended by itself")]
    Ended {
        /// Which one.
        part: &'static str,
    },
}

/// Block 0, which no one proposed.
async fn genesis_block(parts: &Parts) -> Result<Block, EngineError> {
    let ethereum = parts.execution.block_by_number(0).await?.ok_or(EngineError::NoGenesis)?;
    // The committee has at least one member, or the configuration would have been refused.
    let first = parts.committee.key(0).ok_or(EngineError::NoGenesis)?.clone();
    Ok(Block::genesis(first, parts.genesis_time_ms, ethereum))
}

/// Runs everything until `stop` resolves or a part ends.
pub(crate) async fn run(context: Context, parts: Parts, stop: impl Future<Output = ()>) -> Result<(), EngineError> {
    let mut running = Running::start(&context, parts).await?;
    let outcome = tokio::select! {
        biased;
        () = stop => Ok(()),
        error = running.first_end() => Err(error),
    };
    // Everything that holds unwritten data listens to this; what remains is dropped with the runtime.
    if context.child("stop").stop(0, Some(STOP_TIMEOUT)).await.is_err() {
        tracing::warn!(?STOP_TIMEOUT, "some parts of consensus did not stop in time");
    }
    outcome
}

/// The parts at work.
struct Running {
    network: Handle<()>,
    simplex: Handle<()>,
    marshal: Handle<()>,
    finalizer: Handle<Result<(), FinalizeError>>,
    gossip: Handle<()>,
}

impl Running {
    async fn start(context: &Context, parts: Parts) -> Result<Self, EngineError> {
        let genesis = Digested::compute(genesis_block(&parts).await?, &Sequential).await;
        let (network, oracle, channels) = network::open(context, &parts.committee, &parts.key, parts.addresses);
        let base = Base::new(context, &parts.committee, parts.key, oracle);
        let (marshal, archive) = base.marshal(genesis.clone()).await?;
        let (execution, ledger) = (parts.execution, parts.ledger);
        let (finalizer, deliveries, progress) = Finalizer::new(execution.clone(), ledger.clone(), parts.announcements);
        let marshal = marshal.start(deliveries, base.broadcast(channels.blocks), base.backfill(channels.backfill));
        let application = Application {
            committee: parts.committee.clone(),
            block_ms: parts.block_ms,
            stores: Stores { execution: execution.clone(), ledger, progress },
            payloads: parts.payloads,
            archive: archive.clone(),
        };
        let simplex = base.simplex(application, archive.clone(), genesis.digest());
        let simplex = simplex.start(channels.votes, channels.certificates, channels.requests);
        let finalizer = context.child("finalizer").spawn(move |context| finalizer.run(archive, context.stopped()));
        let (gossip, committee) = (parts.gossip, parts.committee);
        let gossip =
            context.child("gossip").spawn(move |context| gossip.run(context, committee, execution, channels.gossip));
        Ok(Self { network: network.start(), simplex, marshal, finalizer, gossip })
    }

    /// Waits until a part ends, which none does by itself unless something is wrong.
    async fn first_end(&mut self) -> EngineError {
        let ended = |part| EngineError::Ended { part };
        tokio::select! {
            // First, because it knows why: the others end when it does.
            biased;
            finalized = &mut self.finalizer => match finalized {
                Ok(Err(error)) => error.into(),
                Ok(Ok(())) | Err(_) => ended("finaliser"),
            },
            _ = &mut self.simplex => ended("voting"),
            _ = &mut self.marshal => ended("archive"),
            _ = &mut self.network => ended("network"),
            _ = &mut self.gossip => ended("gossip"),
        }
    }
}

type Scheduled = Deferred<Context, Scheme, Application, Block, FixedEpocher>;
type Certificates = immutable::Archive<Context, Digest, Finalization<Scheme, Digest>>;
type Blocks = immutable::Archive<Context, Digest, Arc<Block>>;
type Marshal =
    Actor<Context, Standard<Block>, ConstantProvider<Scheme, Epoch>, Certificates, Blocks, FixedEpocher, Sequential>;
type Simplex = simplex::Engine<
    Context,
    Scheme,
    RoundRobin<Sha256>,
    Oracle<PublicKey>,
    Digest,
    Scheduled,
    Scheduled,
    Scheduled,
    Sequential,
>;
/// Marshal's way to ask peers for blocks.
type Backfill = (marshal::resolver::handler::Receiver<Digest>, backfill::Mailbox<Digest, PublicKey>);

/// What the engine's parts have in common; makes them.
struct Base<'a> {
    context: &'a Context,
    scheme: Scheme,
    me: PublicKey,
    oracle: Oracle<PublicKey>,
    pages: CacheRef,
}

impl<'a> Base<'a> {
    fn new(context: &'a Context, committee: &Committee, key: ConsensusKey, oracle: Oracle<PublicKey>) -> Self {
        let (key, participants) = (key.private(), committee.participants());
        let me = key.public_key();
        let scheme = Scheme::signer(committee.namespace(), participants.clone(), key);
        // The configuration was checked to hold a validator's key; without it a node would follow and never vote.
        let scheme = scheme.unwrap_or_else(|| Scheme::verifier(committee.namespace(), participants));
        Self { context, scheme, me, oracle, pages: CacheRef::new(PAGE_BYTES, PAGES) }
    }

    async fn marshal(&self, genesis: Digested<Block>) -> Result<(Marshal, Archive), archive::Error> {
        let context = self.context;
        let certificates = self.archive("finalizations", self.scheme.certificate_codec_config());
        let certificates = immutable::Archive::init(context.child("finalizations"), certificates).await?;
        let blocks = immutable::Archive::init(context.child("blocks"), self.archive("blocks", ())).await?;
        let config = marshal::Config {
            provider: ConstantProvider::new(self.scheme.clone()),
            epocher: EPOCH,
            start: marshal::Start::Genesis(genesis),
            partition_prefix: STORE.to_owned(),
            mailbox_size: MAILBOX,
            view_retention: VIEWS_KEPT,
            prunable_items_per_section: NZU64!(4_096),
            page_cache: self.pages.clone(),
            replay_buffer: REPLAY_BYTES,
            key_write_buffer: WRITE_BYTES,
            value_write_buffer: WRITE_BYTES,
            block_codec_config: (),
            max_repair: REPAIRS_MAX,
            // Not zero: it is a constant.
            max_pending_acks: NonZeroUsize::new(DELIVERIES_MAX).unwrap_or(NonZeroUsize::MIN),
            strategy: Sequential,
        };
        let (marshal, archive, _) = Marshal::init(context.child("marshal"), certificates, blocks, config).await;
        Ok((marshal, archive))
    }

    /// An archive that is never pruned: it is the log everything else can be rebuilt from.
    fn archive<C>(&self, name: &str, codec_config: C) -> immutable::Config<C> {
        let partition = |part: &str| format!("{STORE}-{name}-{part}");
        immutable::Config {
            metadata_partition: partition("metadata"),
            freezer_table_partition: partition("freezer-table"),
            freezer_table_initial_size: 1 << 14,
            freezer_table_resize_frequency: 4,
            freezer_table_resize_chunk_size: 1 << 12,
            freezer_key_partition: partition("freezer-key"),
            freezer_key_page_cache: self.pages.clone(),
            freezer_value_partition: partition("freezer-value"),
            freezer_value_target_size: 256 << 20,
            freezer_value_compression: None,
            ordinal_partition: partition("ordinal"),
            items_per_section: NZU64!(1 << 16),
            codec_config,
            replay_buffer: REPLAY_BYTES,
            freezer_key_write_buffer: WRITE_BYTES,
            freezer_value_write_buffer: WRITE_BYTES,
            ordinal_write_buffer: WRITE_BYTES,
        }
    }

    /// Sends and gathers proposed blocks.
    fn broadcast(&self, channel: Channel) -> buffered::Mailbox<PublicKey, Block> {
        let config = buffered::Config {
            public_key: self.me.clone(),
            mailbox_size: MAILBOX,
            deque_size: BLOCKS_KEPT,
            priority: true,
            codec_config: (),
            peer_provider: self.oracle.clone(),
            strategy: Sequential,
        };
        let (broadcast, mailbox) = buffered::Engine::new(self.context.child("broadcast"), config);
        broadcast.start(channel);
        mailbox
    }

    /// Asks peers for missing blocks, and answers them.
    fn backfill(&self, channel: Channel) -> Backfill {
        let config = backfill::Config {
            public_key: self.me.clone(),
            peer_provider: self.oracle.clone(),
            blocker: self.oracle.clone(),
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(FETCH_TIMEOUT),
            fetch_retry_delay: FETCH_PAUSE,
            priority_requests: false,
            priority_responses: false,
        };
        backfill::init(self.context.child("backfill"), config, channel)
    }

    fn simplex(&self, application: Application, archive: Archive, genesis: Digest) -> Simplex {
        let block_time = Duration::from_millis(application.block_ms);
        let leader_timeout = block_time + LEADER_SLACK;
        let scheduled = Deferred::new(self.context.child("application"), application, archive, EPOCH);
        let config = simplex::Config {
            scheme: self.scheme.clone(),
            elector: RoundRobin::<Sha256>::default(),
            blocker: self.oracle.clone(),
            automaton: scheduled.clone(),
            relay: scheduled.clone(),
            reporter: scheduled,
            strategy: Sequential,
            partition: format!("{STORE}-simplex"),
            mailbox_size: MAILBOX,
            epoch: Epoch::zero(),
            floor: Floor::Genesis(genesis),
            replay_buffer: REPLAY_BYTES,
            write_buffer: WRITE_BYTES,
            page_cache: self.pages.clone(),
            leader_timeout,
            certification_timeout: leader_timeout * 2,
            timeout_retry: VOTE_AGAIN,
            view_retention: VIEWS_KEPT,
            // A validator that has been silent for some turns loses them at once instead of after its timeout.
            skip: SkipPolicy::Enabled { timeout: leader_timeout * 4, budget: SkipBudget::Participants },
            fetch_timeout: NZDuration!(FETCH_TIMEOUT),
            fetch_retry_delay: FETCH_PAUSE,
            forward: ForwardPolicy::Disabled,
            track_historical_votes: false,
        };
        simplex::Engine::new(self.context.child("simplex"), config)
    }
}
