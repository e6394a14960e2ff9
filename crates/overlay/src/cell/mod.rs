//! Fetching a cell under a grant: `chainflix/cell/1`.
//!
//! ```text
//! viewer                                         provider
//!   │ frame: CellRequest { grant, from_byte } ───────▶│ checks the grant
//!   │◀─ 0, size (8 bytes)     or     1, refusal code ─│
//!   │◀─ chunk hashes, then bytes from `from_byte` on ─│ under the DownloadKey
//!   │ frame: Done { end, delivered_hash } ───────────▶│ signs a receipt if it agrees
//! ```
//!
//! What comes after the size is exactly what [`Delivery`](chainflix_cell::Delivery) parses. [`CellStream`] passes it on
//! unread, for a gateway that has no DownloadKey; [`VerifiedCell`] checks it as it arrives. A viewer may stop anywhere:
//! the last frame says how far it got. Without that frame nobody is paid.

mod fetch;

pub use fetch::{CellStream, FetchError, VerifiedCell, fetch_cell};

use crate::{
    stream::{PeerStream, StreamError},
    verdict::Verdict,
};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{Digest, Grant, Signed};

/// Longest request frame: a signed grant is 413 bytes.
pub const CELL_REQUEST_BYTES_MAX: usize = 1024;
/// Longest [`Done`] frame.
pub const DONE_BYTES_MAX: usize = 64;

/// Asks for a cell.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CellRequest {
    /// The permission.
    pub grant: Signed<Grant>,
    /// Where to start: the grant's own start or later, a multiple of 16 KiB.
    pub from_byte: u64,
}

/// How far the viewer got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Done {
    /// One past the last byte of the cell that it keeps.
    pub end: u64,
    /// BLAKE3 of the delivered bytes from the request's `from_byte` to `end`, as they were encrypted.
    pub delivered_hash: Digest,
}

/// Why a provider does not deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// It has no such cell (any more).
    #[error("it does not hold the cell")]
    NotHeld = 1,
    /// The grant is not signed by a validator.
    #[error("the grant is not signed by a validator")]
    Forged = 2,
    /// The grant's time is over.
    #[error("the grant has expired")]
    Expired = 3,
    /// The grant names another provider.
    #[error("the grant is for another provider")]
    OtherProvider = 4,
    /// The start is before the grant's, past the end, or inside a chunk.
    #[error("the start is outside the grant")]
    Range = 5,
    /// The DownloadKey is sealed to somebody else.
    #[error("the sealed key does not open")]
    Key = 6,
    /// It serves as many viewers as it can, or this grant already.
    #[error("it is busy")]
    Busy = 7,
    /// The grant was used too often.
    #[error("the grant is used up")]
    Spent = 8,
    /// Its disk failed.
    #[error("it failed to read the cell")]
    Failed = 9,
    /// The request was not one.
    #[error("it could not read the request")]
    Malformed = 10,
}

impl Refusal {
    fn from_code(code: u8) -> Option<Self> {
        use Refusal::*;
        let all = [NotHeld, Forged, Expired, OtherProvider, Range, Key, Busy, Spent, Failed, Malformed];
        all.into_iter().find(|refusal| *refusal as u8 == code)
    }

    fn verdict(self) -> Verdict {
        match self {
            Self::Busy | Self::Failed => Verdict::Backoff,
            _ => Verdict::TryAnother,
        }
    }
}

/// The provider's side: says that delivery begins.
pub async fn accept_delivery(stream: &mut PeerStream, size: u64) -> Result<(), StreamError> {
    stream.write(&accepting_head(size)).await
}

/// The provider's side: says no.
pub async fn refuse_delivery(stream: &mut PeerStream, refusal: Refusal) -> Result<(), StreamError> {
    stream.write(&refusing_head(refusal)).await?;
    stream.finish();
    Ok(())
}

pub(crate) fn accepting_head(size: u64) -> [u8; 9] {
    let mut head = [0; 9];
    head[1..].copy_from_slice(&size.to_le_bytes());
    head
}

pub(crate) fn refusing_head(refusal: Refusal) -> [u8; 2] {
    [1, refusal as u8]
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{AccountAddress, AccountKey, CellId, GrantId, Magnet, NodeId, SealedKey};

    #[test]
    fn a_request_fits_its_limit() {
        let grant = Grant {
            id: GrantId([0; 16]),
            viewer: AccountAddress([0; 20]),
            magnet: Magnet([0; 32]),
            cell_index: 0,
            cell: CellId([0; 32]),
            size: 1,
            from_byte: 0,
            provider: AccountAddress([0; 20]),
            provider_node: NodeId([0; 32]),
            expires_ms: 0,
            viewer_secret: SealedKey([0; 80]),
            provider_key: SealedKey([0; 80]),
        };
        let grant = Signed::new(grant, &AccountKey::from_bytes(&[1; 32]).unwrap());
        let request = borsh::to_vec(&CellRequest { grant, from_byte: 0 }).unwrap();
        assert!(request.len() <= CELL_REQUEST_BYTES_MAX, "{}", request.len());
        let done = borsh::to_vec(&Done { end: 0, delivered_hash: Digest([0; 32]) }).unwrap();
        assert!(done.len() <= DONE_BYTES_MAX, "{}", done.len());
    }

    #[test]
    fn codes_come_back() {
        for code in 1..=10 {
            assert_eq!(Refusal::from_code(code).map(|refusal| refusal as u8), Some(code));
        }
        assert_eq!(Refusal::from_code(0), None);
        assert_eq!(Refusal::from_code(11), None);
    }
}
