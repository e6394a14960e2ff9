//! A provider's entry in the registry follows its owner's wish: there while it stays, gone once it has left.
//!
//! ```text
//!            stays, and is not there: registerProvider
//!   absent ─────────────────────────────────────────────▶ registered
//!      ▲                                                       │
//!      └───────────────────────────────────────────────────────┘
//!            leaves, and may go: withdrawProvider
//! ```
//!
//! The wish outlives a restart beside the cells (`state`), the entry on the chain: nothing else is remembered. What is known
//! of the entry is read again before each transaction, because one without a receipt may have come through after all.
//!
//! An entry of the same account for another node is another machine's: who stays overwrites it, who leaves lets it be. Once
//! the entry is as it should be it is not looked at until the wish changes: two machines of one account would overwrite each
//! other for ever, and pay for each time.

use alloy_primitives::B256;
use chainflix_contracts::{IRegistry, REGISTRY_ADDRESS, SolCall};
use chainflix_overlay::control::ProviderMode;
use chainflix_primitives::{AccountAddress, AccountKey, BoxPublicKey, NodeId};
use chainflix_provider::ProviderStatus;
use chainflix_rpc::{Client, ClientError, SendError, send_transaction};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::{sync::watch, time::sleep};

/// Pause between two looks at the wish, and between two attempts.
const PAUSE: Duration = Duration::from_secs(2);
/// What Ethereum nodes say to an account that cannot pay its gas, since geth.
const NO_COINS: &str = "insufficient funds";

/// How a provider stands in the registry, as far as it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// The registry was not read since the start.
    #[default]
    Unknown,
    /// It stays, and the registry does not name it yet.
    Missing,
    /// The registry names it.
    Registered,
    /// It leaves, and the registry does not name it, or no more.
    Withdrawn,
}

impl Registration {
    fn of(wish: Wish, named: Option<bool>) -> Self {
        match (named, wish) {
            (None, _) => Self::Unknown,
            (Some(true), _) => Self::Registered,
            (Some(false), Wish::Stay) => Self::Missing,
            (Some(false), Wish::Leave { .. }) => Self::Withdrawn,
        }
    }
}

/// Why the entry is not as it should be. It is tried again all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hindrance {
    /// The account cannot pay for the transaction.
    NoCoins,
    /// No validator answers.
    NoValidator,
    /// Something else, which the log tells.
    Failed,
}

impl Hindrance {
    fn of(error: &ClientError) -> Self {
        match error {
            ClientError::Unreachable { .. } => Self::NoValidator,
            ClientError::Rpc { error, .. } if error.message.contains(NO_COINS) => Self::NoCoins,
            _ => Self::Failed,
        }
    }
}

/// What the operator is told of the entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub registration: Registration,
    pub hindrance: Option<Hindrance>,
}

/// What the entry should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// There.
    Stay,
    /// Gone, once its cells are elsewhere.
    Leave { may_go: bool },
}

impl Wish {
    /// The wish of a running provider's owner.
    pub fn of(status: &ProviderStatus) -> Self {
        match status.mode {
            ProviderMode::Open | ProviderMode::Quiet => Self::Stay,
            ProviderMode::Leaving => Self::Leave { may_go: status.needed_cells == Some(0) },
        }
    }
}

/// What brings the entry closer to the wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Rest,
    Look,
    Register,
    Withdraw,
}

/// `named` is whether the registry names this node with its keys; `None` until it was read.
fn next(wish: Wish, named: Option<bool>) -> Action {
    match (wish, named) {
        (_, None) => Action::Look,
        (Wish::Stay, Some(false)) => Action::Register,
        (Wish::Leave { may_go: true }, Some(true)) => Action::Withdraw,
        (Wish::Stay, Some(true)) | (Wish::Leave { .. }, Some(_)) => Action::Rest,
    }
}

/// What a look says, where it does not contradict what was known: a validator that is behind tells what was before, so then it
/// takes another look.
fn believe(known: Option<bool>, named: bool) -> Option<bool> {
    (known != Some(!named)).then_some(named)
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("the registry cannot be read")]
    Look(#[source] ClientError),
    #[error("not registered yet")]
    Register(#[source] SendError),
    #[error("not withdrawn yet")]
    Withdraw(#[source] SendError),
}

impl StepError {
    fn hindrance(&self) -> Hindrance {
        match self {
            Self::Look(error) | Self::Register(SendError::Client(error)) | Self::Withdraw(SendError::Client(error)) => {
                Hindrance::of(error)
            }
            Self::Register(_) | Self::Withdraw(_) => Hindrance::Failed,
        }
    }
}

/// Whose entry it is, and who carries transactions to the chain.
pub(crate) struct Registrar {
    pub client: Client,
    pub key: AccountKey,
    pub node: NodeId,
    pub box_key: BoxPublicKey,
}

impl Registrar {
    /// Registers as soon as the account has coins for that, and ends.
    pub async fn register(self) {
        let mut course = Course::new(self, watch::Sender::default());
        loop {
            course.step(|| Wish::Stay).await;
            if course.named == Some(true) {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Follows the wish until it is aborted, and says in `standing` how far that is.
    pub(super) async fn follow(self, wish: impl Fn() -> Wish + Send + Sync, standing: watch::Sender<Standing>) {
        let mut course = Course::new(self, standing);
        loop {
            course.step(&wish).await;
            sleep(PAUSE).await;
        }
    }

    async fn is_named(&self) -> Result<bool, ClientError> {
        let own = (self.key.address(), self.node, self.box_key);
        let providers = self.client.providers().await?;
        Ok(providers.iter().any(|known| (known.account, known.node_id, known.box_key) == own))
    }

    async fn enter(&self) -> Result<(), SendError> {
        let (node, box_key) = (B256::from(self.node.0), B256::from(self.box_key.0));
        self.send(IRegistry::registerProviderCall { nodeId: node, boxKey: box_key }).await
    }

    async fn withdraw(&self) -> Result<(), SendError> {
        self.send(IRegistry::withdrawProviderCall {}).await
    }

    async fn send(&self, call: impl SolCall) -> Result<(), SendError> {
        let registry = AccountAddress(REGISTRY_ADDRESS.into_array());
        send_transaction(&self.client, &self.key, Some(registry), 0, call.abi_encode()).await.map(drop)
    }
}

/// How far the entry has followed.
struct Course {
    registrar: Registrar,
    /// What was read or written last; `None` until then.
    named: Option<bool>,
    /// Of the last step.
    hindrance: Option<Hindrance>,
    standing: watch::Sender<Standing>,
}

impl Course {
    fn new(registrar: Registrar, standing: watch::Sender<Standing>) -> Self {
        Self { registrar, named: None, hindrance: None, standing }
    }

    /// Does what the wish wants next, if anything.
    async fn step(&mut self, wish: impl Fn() -> Wish) {
        self.hindrance = match self.advance(&wish).await {
            Ok(()) => None,
            Err(error) => Some(self.tell(error)),
        };
        self.publish(wish());
    }

    async fn advance(&mut self, wish: impl Fn() -> Wish) -> Result<(), StepError> {
        if next(wish(), self.named) == Action::Rest {
            return Ok(());
        }
        self.named = believe(self.named, self.registrar.is_named().await.map_err(StepError::Look)?);
        let wish = wish();
        self.publish(wish);
        match next(wish, self.named) {
            Action::Register => self.registrar.enter().await.map_err(StepError::Register)?,
            Action::Withdraw => self.registrar.withdraw().await.map_err(StepError::Withdraw)?,
            Action::Rest | Action::Look => return Ok(()),
        }
        // Its receipt is final: another look, at a validator that is behind, would say less.
        self.named = Some(wish == Wish::Stay);
        Ok(())
    }

    /// A hindrance is warned of once.
    fn tell(&self, error: StepError) -> Hindrance {
        let hindrance = error.hindrance();
        let (account, error) = (self.registrar.key.address().to_checksum(), format!("{:#}", anyhow::Error::new(error)));
        match hindrance {
            _ if self.hindrance == Some(hindrance) => tracing::debug!(error, "the registry does not follow yet"),
            Hindrance::NoCoins => tracing::warn!(account, error, "the account needs some CFX for the transaction"),
            _ => tracing::warn!(account, error, "the registry does not follow; it is tried again"),
        }
        hindrance
    }

    fn publish(&self, wish: Wish) {
        let registration = Registration::of(wish, self.named);
        let before = self.standing.send_replace(Standing { registration, hindrance: self.hindrance });
        let account = self.registrar.key.address();
        match registration {
            _ if registration == before.registration => {}
            Registration::Registered => tracing::info!(%account, "registered as a provider"),
            Registration::Withdrawn => tracing::info!(%account, "the registry does not name it (any more): it leaves"),
            Registration::Unknown | Registration::Missing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_provider::Usage;
    use chainflix_rpc::WireError;
    use serde_json::json;
    use tokio::net::TcpListener;

    const WAITING: Wish = Wish::Leave { may_go: false };
    const GOING: Wish = Wish::Leave { may_go: true };

    #[test]
    fn the_entry_follows_the_wish() {
        for (wish, named, action, told) in [
            (Wish::Stay, None, Action::Look, Registration::Unknown),
            (Wish::Stay, Some(false), Action::Register, Registration::Missing),
            (Wish::Stay, Some(true), Action::Rest, Registration::Registered),
            // After a restart, too, it has to read first whether there is something to withdraw.
            (WAITING, None, Action::Look, Registration::Unknown),
            (WAITING, Some(true), Action::Rest, Registration::Registered),
            (GOING, None, Action::Look, Registration::Unknown),
            (GOING, Some(true), Action::Withdraw, Registration::Registered),
            // Withdrawn, or never registered; cells that are needed again change nothing.
            (GOING, Some(false), Action::Rest, Registration::Withdrawn),
            (WAITING, Some(false), Action::Rest, Registration::Withdrawn),
        ] {
            assert_eq!((next(wish, named), Registration::of(wish, named)), (action, told), "{wish:?} {named:?}");
        }
    }

    #[test]
    fn a_look_that_contradicts_is_repeated() {
        for named in [false, true] {
            assert_eq!(believe(None, named), Some(named));
            assert_eq!(believe(Some(named), named), Some(named));
            let first = believe(Some(!named), named);
            assert_eq!((first, next(GOING, first), believe(first, named)), (None, Action::Look, Some(named)));
        }
    }

    #[test]
    fn only_an_answer_of_no_cells_lets_it_go() {
        let status = |mode, needed_cells| ProviderStatus {
            usage: Usage::default(),
            delivering: 0,
            delivered_bytes: 0,
            receipts: 0,
            mode,
            needed_cells,
            scrubbed_cells: 0,
            damaged_cells: 0,
        };
        for mode in [ProviderMode::Open, ProviderMode::Quiet] {
            assert_eq!(Wish::of(&status(mode, None)), Wish::Stay);
        }
        assert_eq!(Wish::of(&status(ProviderMode::Leaving, None)), WAITING);
        assert_eq!(Wish::of(&status(ProviderMode::Leaving, Some(2))), WAITING);
        assert_eq!(Wish::of(&status(ProviderMode::Leaving, Some(0))), GOING);
    }

    #[test]
    fn what_hinders_is_told_apart() {
        let refusal = |message: &str| {
            let error: WireError = serde_json::from_value(json!({"code": -32000, "message": message})).unwrap();
            ClientError::Rpc { method: "eth_sendRawTransaction".into(), error }
        };
        let poor = StepError::Withdraw(refusal("insufficient funds for gas * price + value").into());
        assert_eq!(poor.hindrance(), Hindrance::NoCoins);
        let crowded = StepError::Register(refusal("replacement transaction underpriced").into());
        assert_eq!(crowded.hindrance(), Hindrance::Failed);
        let refused = SendError::WouldRevert { message: "execution reverted".into(), data: Vec::new() };
        assert_eq!(StepError::Register(refused).hindrance(), Hindrance::Failed);
    }

    #[tokio::test]
    async fn a_silent_chain_hinders_and_ends_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new([format!("http://{}", listener.local_addr().unwrap())]).unwrap();
        let silent = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let key = AccountKey::from_bytes(&[7; 32]).unwrap();
        let registrar = Registrar { client, key, node: NodeId([1; 32]), box_key: BoxPublicKey([2; 32]) };
        let mut course = Course::new(registrar, watch::Sender::default());
        for _ in 0..2 {
            course.step(|| GOING).await;
            let told = Standing { registration: Registration::Unknown, hindrance: Some(Hindrance::NoValidator) };
            assert_eq!((*course.standing.borrow(), course.named), (told, None));
        }
        silent.abort();
    }
}
