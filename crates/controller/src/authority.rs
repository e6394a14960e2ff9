//! What the chain has to say, as a controller needs it.

use chainflix_overlay::control::{ControlRefusal, ProviderCard};
use chainflix_placement::{Region, StripeCells};
use chainflix_primitives::{AccountAddress, BlockHash, CellId, Grant, GrantRequest, Magnet, NodeId, Signed};
use futures::future::BoxFuture;
use std::{collections::HashSet, error::Error};

/// A cell as its film's manifest lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisteredCell {
    /// Its name.
    pub cell: CellId,
    /// Its bytes.
    pub size: u64,
}

/// A film with all its cells, as chain and manifest say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredFilm {
    /// Its name.
    pub magnet: Magnet,
    /// Where it is at home: its last copies stay there.
    pub home: Region,
    /// Its cells, in playing order.
    pub cells: Vec<RegisteredCell>,
    /// Its stripes; none where its creator listed no parity.
    pub stripes: Vec<StripeCells>,
}

/// Why the chain's answer is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A validator said no, in words for the person who asked.
    #[error("a validator refused ({code}): {message}")]
    Refused { code: String, message: String },
    /// No validator answered.
    #[error("no validator answered")]
    Silent(#[source] Box<dyn Error + Send + Sync>),
}

impl AuthorityError {
    pub(crate) fn refusal(&self) -> ControlRefusal {
        match self {
            Self::Refused { code, message } => ControlRefusal::validator(code, message),
            Self::Silent(_) => ControlRefusal::ValidatorSilent,
        }
    }
}

/// The chain, asked through a validator. Implemented by the node.
pub trait Authority: Send + Sync + 'static {
    /// Whether `account` is an admitted creator.
    fn may_publish(&self, account: AccountAddress) -> BoxFuture<'_, Result<bool, AuthorityError>>;

    /// Cell `index` of a registered film; `None` where there is no such film or cell.
    fn cell(&self, magnet: Magnet, index: u32) -> BoxFuture<'_, Result<Option<RegisteredCell>, AuthorityError>>;

    /// Registered films in order of registration, from number `from` on; some of them, or none where there are no more.
    fn films(&self, from: u64) -> BoxFuture<'_, Result<Vec<Magnet>, AuthorityError>>;

    /// A registered film; `None` where no validator has its manifest (yet).
    fn film(&self, magnet: Magnet) -> BoxFuture<'_, Result<Option<RegisteredFilm>, AuthorityError>>;

    /// The nodes of all registered providers: to nobody else a validator sends a viewer.
    fn providers(&self) -> BoxFuture<'_, Result<HashSet<NodeId>, AuthorityError>>;

    /// A hash that nobody controls, the same for all who ask within a minute.
    fn seed(&self) -> BoxFuture<'_, Result<BlockHash, AuthorityError>>;

    /// Lets a validator draw one of `candidates` and sign a grant for it.
    ///
    /// The cards are signed by the providers' accounts, so a validator need not believe the controller about keys.
    fn issue_grant(
        &self,
        request: Signed<GrantRequest>,
        candidates: Vec<Signed<ProviderCard>>,
    ) -> BoxFuture<'_, Result<Signed<Grant>, AuthorityError>>;
}
