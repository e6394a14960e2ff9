//! The provider role of one process.

use crate::{
    admission::Admission,
    announcer::Announcer,
    delivery::DeliveryProtocol,
    duty::Duty,
    grant::GrantPolicy,
    intake::IntakeProtocol,
    signed::{EvidenceError, SignedReceipts},
    store::{Store, Usage},
    upkeep::{ScrubCounts, Scrubber, watch_folders},
    uplink::{QuietHours, Uplink},
};
use chainflix_overlay::{
    Clock, Dialer, Protocol,
    control::{ProviderCard, ProviderMode},
};
use chainflix_primitives::{AccountAddress, AccountKey, BoxKey, CellId, Evidence, GrantId, NodeId, Receipt, Signed};
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet};

/// Time between looks at the folders.
const LOOK: Duration = Duration::from_secs(5);

/// How a provider works.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Is paid, and signs receipts.
    pub account: AccountKey,
    /// Opens DownloadKeys.
    pub box_key: BoxKey,
    /// Where it stands, in the operator's words; at most 32 bytes.
    pub region: String,
    /// What it shares a roof with, in the operator's words; at most 32 bytes, none for nothing.
    pub site: String,
    /// The accounts of the genesis' validators.
    pub validators: Vec<AccountAddress>,
    /// Who may store cells here, and is told what is held.
    pub controllers: Vec<NodeId>,
    /// Most deliveries at a time; one peer gets at most half. Fewer where the uplink carries fewer.
    pub deliveries_max: usize,
    /// Most bytes a second that all deliveries send together; 0 for no limit.
    pub uplink_bytes_per_s: u64,
    /// Hours of the day, by the machine's clock and time zone, in which nothing is begun.
    pub quiet_hours: Option<QuietHours>,
    /// Bytes a second that are read again to find rotten bits; 0 for never.
    pub scrub_bytes_per_s: u64,
    /// Whether it was told to leave before, and has not gone yet.
    pub leaving: bool,
    /// Time between heartbeats.
    pub heartbeat: Duration,
    /// How long a viewer may take to say how far it got. A viewer that watches while it fetches says it at once.
    pub done_patience: Duration,
    /// How long after the end of its grant a receipt may have to be proved: `ProtocolParams::receipts_end_ms`.
    pub evidence_patience: Duration,
    /// Judges expiry.
    pub clock: Clock,
}

impl ProviderConfig {
    /// A provider with the usual limits.
    pub fn new(
        account: AccountKey,
        box_key: BoxKey,
        validators: Vec<AccountAddress>,
        controllers: Vec<NodeId>,
    ) -> Self {
        Self {
            account,
            box_key,
            region: String::new(),
            site: String::new(),
            validators,
            controllers,
            deliveries_max: 256,
            uplink_bytes_per_s: 0,
            quiet_hours: None,
            scrub_bytes_per_s: 2 << 20,
            leaving: false,
            heartbeat: Duration::from_secs(5),
            done_patience: Duration::from_secs(180),
            evidence_patience: Duration::from_secs(120),
            clock: Clock::system(),
        }
    }

    /// How `node` presents itself.
    pub(crate) fn card(&self, node: NodeId) -> Signed<ProviderCard> {
        let (account, box_key) = (self.account.address(), self.box_key.public_key());
        Signed::new(ProviderCard { account, node, box_key, region: self.region.clone() }, &self.account)
    }

    /// What serves cells at `node`.
    pub(crate) fn delivery(
        self,
        store: Arc<Store>,
        node: NodeId,
        duty: Arc<Duty>,
        receipts: mpsc::Sender<Signed<Receipt>>,
    ) -> DeliveryProtocol {
        let uplink = Uplink::new(self.uplink_bytes_per_s);
        let deliveries_max = self.deliveries_max.min(uplink.deliveries_max());
        DeliveryProtocol {
            policy: GrantPolicy { node, account: self.account.address(), validators: self.validators },
            signed: SignedReceipts::new(self.account),
            box_key: self.box_key,
            store,
            admission: Admission::new(deliveries_max),
            uplink,
            duty,
            receipts,
            done_patience: self.done_patience,
            evidence_patience: self.evidence_patience,
            clock: self.clock,
            delivered_bytes: AtomicU64::new(0),
            receipts_signed: AtomicU64::new(0),
        }
    }
}

/// What a provider is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// Room and use.
    pub usage: Usage,
    /// Deliveries under way.
    pub delivering: usize,
    /// Bytes delivered since the start.
    pub delivered_bytes: u64,
    /// Receipts signed since the start.
    pub receipts: u64,
    /// What it is ready to do now.
    pub mode: ProviderMode,
    /// While it leaves: cells that have too few copies elsewhere, as the controllers said last. 0 means that it may go.
    pub needed_cells: Option<u64>,
    /// Cells that were read again since the start, from first to last byte.
    pub scrubbed_cells: u64,
    /// Cells that were found damaged by that, and dropped.
    pub damaged_cells: u64,
}

/// A running provider. Dropping it stops its announcements and its upkeep; serving ends with the overlay's `Serving`.
pub struct Provider {
    delivery: Arc<DeliveryProtocol>,
    intake: Arc<IntakeProtocol>,
    duty: Arc<Duty>,
    scrubbed: Arc<ScrubCounts>,
    _tasks: JoinSet<()>,
}

impl Provider {
    /// Starts to announce itself. Signed receipts go to `receipts`, whose reader submits them to a validator.
    ///
    /// To be reached, hand [`Self::protocols`] to the overlay.
    pub fn start(
        config: ProviderConfig,
        store: Arc<Store>,
        dialer: Dialer,
        receipts: mpsc::Sender<Signed<Receipt>>,
    ) -> Self {
        let card = config.card(dialer.node_id());
        let duty =
            Arc::new(Duty::new(config.quiet_hours, config.controllers.clone(), config.leaving, config.clock.clone()));
        let mut tasks = JoinSet::new();
        for controller in config.controllers.iter().copied() {
            let announcer = Announcer {
                controller,
                card: card.clone(),
                uplink_bytes_per_s: config.uplink_bytes_per_s,
                site: config.site.clone(),
                store: store.clone(),
                duty: duty.clone(),
                dialer: dialer.clone(),
                heartbeat: config.heartbeat,
                clock: config.clock.clone(),
            };
            tasks.spawn(announcer.run());
        }
        tasks.spawn(watch_folders(store.clone(), duty.clone(), LOOK));
        let scrubbed = Arc::new(ScrubCounts::default());
        if config.scrub_bytes_per_s > 0 {
            let (bytes_per_s, counts) = (config.scrub_bytes_per_s, scrubbed.clone());
            // Another beginning at each start; which one does not matter.
            let start = CellId(*blake3::hash(&config.clock.now_ms().to_le_bytes()).as_bytes());
            tasks.spawn(Scrubber { store: store.clone(), bytes_per_s, counts }.run(start));
        }
        let intake = Arc::new(IntakeProtocol::new(config.controllers.clone(), store.clone()));
        let delivery = Arc::new(config.delivery(store, dialer.node_id(), duty.clone(), receipts));
        Self { delivery, intake, duty, scrubbed, _tasks: tasks }
    }

    /// What the overlay has to serve for this role.
    pub fn protocols(&self) -> Vec<Arc<dyn Protocol>> {
        vec![self.delivery.clone(), self.intake.clone()]
    }

    /// Begins to leave: from the next heartbeat on the controllers have its cells copied elsewhere. It may stop when
    /// [`ProviderStatus::needed_cells`] is 0. Whoever starts it again says so in [`ProviderConfig::leaving`].
    pub fn leave(&self) {
        self.duty.set_leaving(true);
    }

    /// Stays after all: from the next heartbeat on its copies count again, and it is sent viewers and cells.
    pub fn stay(&self) {
        self.duty.set_leaving(false);
    }

    /// How many of its receipts a viewer may still contradict.
    pub fn provable_receipts(&self) -> usize {
        self.delivery.signed.kept(self.delivery.clock.now_ms())
    }

    /// Proves the receipt for `grant`, where the viewer signed for something else: with `chunk` of the cell opened, once
    /// it is known where the two differ. Reads the delivered range from the disk again.
    ///
    /// # Errors
    /// [`EvidenceError`] when the receipt is not kept (any more), was proved often enough, or the cell is gone.
    pub async fn evidence(&self, grant: GrantId, chunk: Option<u32>) -> Result<Signed<Evidence>, EvidenceError> {
        let DeliveryProtocol { signed, store, clock, .. } = self.delivery.as_ref();
        signed.evidence(store.clone(), clock.now_ms(), grant, chunk).await
    }

    /// What it is doing.
    pub fn status(&self) -> ProviderStatus {
        ProviderStatus {
            usage: self.delivery.store.usage(),
            delivering: self.delivery.admission.running(),
            delivered_bytes: self.delivery.delivered_bytes.load(Ordering::Relaxed),
            receipts: self.delivery.receipts_signed.load(Ordering::Relaxed),
            mode: self.duty.mode(),
            needed_cells: self.duty.needed_cells(),
            scrubbed_cells: self.scrubbed.cells.load(Ordering::Relaxed),
            damaged_cells: self.scrubbed.damaged.load(Ordering::Relaxed),
        }
    }
}
