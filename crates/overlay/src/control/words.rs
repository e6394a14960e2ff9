//! The messages of `chainflix/control/1`.

use super::{PassedOn, REASON_BYTES_MAX, REGION_BYTES_MAX, Telling};
use crate::address::AddressRecord;
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{
    AccountAddress, BoxPublicKey, CellId, Grant, GrantRequest, Magnet, NodeId, Signable, SignatureError, Signed,
};
use serde::{Deserialize, Serialize};

/// Who a provider is: signed by its account, presented by its node, shown to validators that draw it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderCard {
    /// Who is paid.
    pub account: AccountAddress,
    /// Where it is reached.
    pub node: NodeId,
    /// Where DownloadKeys for it are sealed to.
    pub box_key: BoxPublicKey,
    /// Where it stands, in the operator's words; at most 32 bytes. Copies are spread over regions.
    pub region: String,
}

impl Signable for ProviderCard {
    const CONTEXT: &'static str = "chainflix 2026 ProviderCard v1";
}

/// A provider enters the census. What it holds follows in pages.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Announcement {
    /// Who.
    pub card: Signed<ProviderCard>,
    /// Rises with every announcement of this node.
    pub sequence: u64,
    /// Bytes it gives.
    pub quota_bytes: u64,
    /// Bytes of them in use.
    pub used_bytes: u64,
    /// Most bytes a second that it sends; 0 where it does not say.
    pub uplink_bytes_per_s: u64,
    /// What it shares a roof with, in the operator's words: at most [`SITE_BYTES_MAX`](super::SITE_BYTES_MAX) bytes, none where
    /// it does not say. Two of one site never hold two copies of one cell.
    pub site: String,
}

/// A cell on a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct HeldCell {
    /// Which.
    pub cell: CellId,
    /// Its bytes.
    pub size: u64,
}

/// Part of what an announced provider holds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InventoryPage {
    /// The announcement's.
    pub sequence: u64,
    /// At most [`PAGE_CELLS_MAX`](super::PAGE_CELLS_MAX).
    pub cells: Vec<HeldCell>,
    /// Whether this completes it.
    pub last: bool,
}

/// What changed on a provider since it told last.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Changes {
    /// The announcement's.
    pub sequence: u64,
    /// Cells it holds now.
    pub gained: Vec<HeldCell>,
    /// Cells it holds no more.
    pub lost: Vec<CellId>,
}

/// What a provider is ready to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderMode {
    /// Stores and serves.
    #[default]
    Open,
    /// Rests: its copies count, nobody is sent to it and nothing is stored there.
    Quiet,
    /// Serves until its cells are elsewhere: its copies count no more.
    Leaving,
}

/// A provider is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Heartbeat {
    /// The announcement's.
    pub sequence: u64,
    /// What it is ready to do.
    pub mode: ProviderMode,
    /// Bytes it gives.
    pub quota_bytes: u64,
    /// Bytes of them in use.
    pub used_bytes: u64,
}

/// A viewer serves cells that it watched. Takes the place of what its node shared before, and holds for
/// [`SHARE_MS`](super::SHARE_MS).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Share {
    /// Who, in the words of a provider: it is drawn, delivers and is paid as one.
    pub card: Signed<ProviderCard>,
    /// Viewers it is willing to serve at a time.
    pub slots: u16,
    /// At most [`PAGE_CELLS_MAX`](super::PAGE_CELLS_MAX); none to stop sharing.
    pub cells: Vec<CellId>,
}

/// A film that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct WatchedFilm {
    /// Which.
    pub magnet: Magnet,
    /// How many watch it.
    pub viewers: u32,
}

/// How many viewers a controller counts itself: those that it sent to a source, and nobody that others told it of. Takes the
/// place of what it counted before.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Watched {
    /// When it counted, by its own clock, in milliseconds since the Unix epoch; rises with every count.
    pub at_ms: u64,
    /// The most watched first, at most [`WATCHED_FILMS_MAX`](super::WATCHED_FILMS_MAX), and none that nobody watches.
    pub films: Vec<WatchedFilm>,
}

/// A creator wants a sealed cell kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CellUpload {
    /// Who publishes.
    pub account: AccountAddress,
    /// The sealed bytes.
    pub cell: CellId,
    /// How many.
    pub size: u64,
    /// When this word loses its force, in milliseconds since the Unix epoch.
    pub expires_ms: u64,
}

impl Signable for CellUpload {
    const CONTEXT: &'static str = "chainflix 2026 CellUpload v1";
}

/// Where to get a cell from.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Source {
    /// The permission; it names the provider.
    pub grant: Signed<Grant>,
    /// Where that provider is, as it said last.
    pub address: Option<AddressRecord>,
}

/// Everything a controller can be asked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ControlRequest {
    /// I can be reached here.
    PutAddress(AddressRecord),
    /// Where can this node be reached?
    GetAddress(NodeId),
    /// I am a provider, and this is new of me.
    Tell(Box<Telling>),
    /// Keep this cell.
    Upload(Signed<CellUpload>),
    /// Who has this cell for me?
    FindSource(Signed<GrantRequest>),
    /// I watched these, and serve them.
    Share(Share),
    /// A provider told me this.
    PassOn(Box<PassedOn>),
    /// So many watch what I named sources of.
    Watched(Watched),
}

/// Everything a controller answers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ControlAnswer {
    /// So be it.
    Done,
    /// I know no announcement with that sequence number.
    Unknown,
    /// To the heartbeat of a provider that leaves: so many of its cells have too few copies elsewhere.
    Needed { cells: u64 },
    /// What the node said last.
    Address(Option<AddressRecord>),
    /// Go ahead with the bytes.
    SendBytes,
    /// On so many disks.
    Stored { copies: u32 },
    /// Fetch it there.
    Source(Box<Source>),
    /// No.
    Refused(ControlRefusal),
    /// To passed words: nothing of this provider is needed from you for now.
    Heard,
}

/// Why a controller does not do it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
pub enum ControlRefusal {
    /// The request was not one, or a limit of it is exceeded.
    #[error("the controller could not read the request")]
    Malformed,
    /// A signature is missing, or the words are another node's or account's.
    #[error("the signature is not that of the speaker")]
    Forged,
    /// Something newer is known.
    #[error("something newer is known")]
    Older,
    /// Its time is over.
    #[error("the request has expired")]
    Expired,
    /// A table is full, or too much is going on.
    #[error("the controller is busy")]
    Busy,
    /// The network does not let this account publish.
    #[error("the account is not admitted as a creator")]
    NotAdmitted,
    /// Not enough providers have room.
    #[error("not enough providers have room for the cell")]
    NoRoom,
    /// The bytes have another name.
    #[error("the bytes are not those of the cell")]
    WrongBytes,
    /// Too few providers took it.
    #[error("the cell reached {copies} of {wanted} disks")]
    TooFewCopies { copies: u32, wanted: u32 },
    /// The chain knows no such cell.
    #[error("no such cell is registered")]
    UnknownCell,
    /// Nobody who holds it can be had.
    #[error("no provider of the cell is available")]
    NoSource,
    /// A validator said no.
    #[error("a validator refused ({code}): {message}")]
    Validator { code: String, message: String },
    /// No validator answered.
    #[error("no validator answered")]
    ValidatorSilent,
    /// A provider of this account lost too many cells.
    #[error("the account's provider was disqualified; another may enter from {again_ms} ms since 1970 on")]
    Disqualified { again_ms: u64 },
}

impl ControlRefusal {
    /// A validator's refusal, cut to what a frame may carry.
    pub fn validator(code: &str, message: &str) -> Self {
        Self::Validator { code: cut(code), message: cut(message) }
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(REASON_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Why a provider's card is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// Not signed by its account.
    #[error("the provider card is not signed by its account")]
    Signature(#[from] SignatureError),
    /// Another node's.
    #[error("the provider card is of {named}, presented by {presenter}")]
    OtherNode { named: NodeId, presenter: NodeId },
    /// Too many words.
    #[error("the provider card's region has {bytes} bytes; the most is {REGION_BYTES_MAX}")]
    Region { bytes: usize },
}

impl ProviderCard {
    /// Checks that `card` is signed by its account and presented by its node.
    pub fn verify(card: &Signed<Self>, presenter: &NodeId) -> Result<(), CardError> {
        if card.body.node != *presenter {
            return Err(CardError::OtherNode { named: card.body.node, presenter: *presenter });
        }
        match card.body.region.len() {
            bytes if bytes > REGION_BYTES_MAX => Err(CardError::Region { bytes }),
            _ => Ok(card.verify(&card.body.account)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};
    use chainflix_primitives::AccountKey;

    #[test]
    fn a_card_needs_its_account_and_its_node() {
        let key = AccountKey::from_bytes(&[1; 32]).unwrap();
        let node = NodeId([2; 32]);
        let card = |account| ProviderCard { account, node, box_key: BoxPublicKey([3; 32]), region: "kr".into() };
        let signed = Signed::new(card(key.address()), &key);
        assert_eq!(ProviderCard::verify(&signed, &node), Ok(()));
        assert!(matches!(ProviderCard::verify(&signed, &NodeId([4; 32])), Err(CardError::OtherNode { .. })));
        let stolen = Signed::new(card(AccountAddress([9; 20])), &key);
        assert!(matches!(ProviderCard::verify(&stolen, &node), Err(CardError::Signature(_))));
        let mut wordy = card(key.address());
        wordy.region = "x".repeat(REGION_BYTES_MAX + 1);
        assert!(matches!(ProviderCard::verify(&Signed::new(wordy, &key), &node), Err(CardError::Region { .. })));
    }

    #[test]
    fn a_count_of_as_many_films_as_may_be_fits_a_frame() {
        let film = WatchedFilm { magnet: Magnet([1; 32]), viewers: u32::MAX };
        let request = ControlRequest::Watched(Watched { at_ms: u64::MAX, films: vec![film; WATCHED_FILMS_MAX] });
        assert!(borsh::to_vec(&request).unwrap().len() <= CONTROL_FRAME_BYTES_MAX);
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let ControlRefusal::Validator { message, .. } = ControlRefusal::validator("x", &"가".repeat(1000)) else {
            unreachable!()
        };
        assert!(message.len() <= REASON_BYTES_MAX && message.len() > REASON_BYTES_MAX - 4);
    }
}
