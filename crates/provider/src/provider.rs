//! The provider role of one process.

use crate::{
    admission::Admission,
    announcer::Announcer,
    delivery::DeliveryProtocol,
    grant::GrantPolicy,
    intake::IntakeProtocol,
    store::{Store, Usage},
};
use chainflix_overlay::{Clock, Dialer, Protocol, control::ProviderCard};
use chainflix_primitives::{AccountAddress, AccountKey, BoxKey, NodeId, Receipt, Signed};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet};

/// How a provider works.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Is paid, and signs receipts.
    pub account: AccountKey,
    /// Opens DownloadKeys.
    pub box_key: BoxKey,
    /// Where it stands, in the operator's words; at most 32 bytes.
    pub region: String,
    /// The accounts of the genesis' validators.
    pub validators: Vec<AccountAddress>,
    /// Who may store cells here, and is told what is held.
    pub controllers: Vec<NodeId>,
    /// Most deliveries at a time; one peer gets at most half.
    pub deliveries_max: usize,
    /// Time between heartbeats.
    pub heartbeat: Duration,
    /// How long a viewer may take to say how far it got. A viewer that watches while it fetches says it at once.
    pub done_patience: Duration,
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
            validators,
            controllers,
            deliveries_max: 256,
            heartbeat: Duration::from_secs(5),
            done_patience: Duration::from_secs(180),
            clock: Clock::system(),
        }
    }
}

/// What a provider is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderStatus {
    /// Room and use.
    pub usage: Usage,
    /// Deliveries under way.
    pub delivering: usize,
    /// Bytes delivered since the start.
    pub delivered_bytes: u64,
    /// Receipts signed since the start.
    pub receipts: u64,
}

/// A running provider. Dropping it stops its announcements; serving ends with the overlay's `Serving`.
pub struct Provider {
    delivery: Arc<DeliveryProtocol>,
    intake: Arc<IntakeProtocol>,
    _announcers: JoinSet<()>,
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
        let (node, account) = (dialer.node_id(), config.account.address());
        let card = ProviderCard { account, node, box_key: config.box_key.public_key(), region: config.region.clone() };
        let card = Signed::new(card, &config.account);
        let mut announcers = JoinSet::new();
        for controller in config.controllers.iter().copied() {
            let announcer = Announcer {
                controller,
                card: card.clone(),
                store: store.clone(),
                dialer: dialer.clone(),
                heartbeat: config.heartbeat,
                clock: config.clock.clone(),
            };
            announcers.spawn(announcer.run());
        }
        let intake = Arc::new(IntakeProtocol::new(config.controllers, store.clone()));
        let delivery = Arc::new(DeliveryProtocol {
            policy: GrantPolicy { node, account, validators: config.validators },
            account: config.account,
            box_key: config.box_key,
            store,
            admission: Admission::new(config.deliveries_max),
            receipts,
            done_patience: config.done_patience,
            clock: config.clock,
            delivered_bytes: AtomicU64::new(0),
            receipts_signed: AtomicU64::new(0),
        });
        Self { delivery, intake, _announcers: announcers }
    }

    /// What the overlay has to serve for this role.
    pub fn protocols(&self) -> Vec<Arc<dyn Protocol>> {
        vec![self.delivery.clone(), self.intake.clone()]
    }

    /// What it is doing.
    pub fn status(&self) -> ProviderStatus {
        ProviderStatus {
            usage: self.delivery.store.usage(),
            delivering: self.delivery.admission.running(),
            delivered_bytes: self.delivery.delivered_bytes.load(Ordering::Relaxed),
            receipts: self.delivery.receipts_signed.load(Ordering::Relaxed),
        }
    }
}
