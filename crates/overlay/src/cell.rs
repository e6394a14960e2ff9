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
//! What comes after the size is exactly what [`Delivery`] parses. [`CellStream`] passes it on unread, for a gateway that
//! has no DownloadKey; [`VerifiedCell`] checks it as it arrives. A viewer may stop anywhere: the last frame says how far
//! it got. Without that frame nobody is paid.

use crate::{
    dial::{DialError, Dialer, PathKind},
    serve::Alpn,
    stream::{PeerStream, StreamError},
    verdict::Verdict,
};
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use chainflix_cell::{ChunkHashes, Delivery, DeliveryError, Piece};
use chainflix_primitives::{CELL_BYTES_MAX, CellId, Digest, DownloadKey, Grant, NodeId, Signed};

/// Longest request frame: a signed grant is 413 bytes.
pub const CELL_REQUEST_BYTES_MAX: usize = 1024;
/// Longest [`Done`] frame.
pub const DONE_BYTES_MAX: usize = 64;
/// Most bytes taken from the stream at once.
const READ_BYTES: usize = 128 << 10;

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

/// Why a cell, or the rest of it, did not come from this provider.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It cannot be dialled.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It said no.
    #[error("provider {provider} refused cell {cell}: {refusal}")]
    Refused { provider: NodeId, cell: CellId, refusal: Refusal },
    /// It went away or fell silent.
    #[error("provider {provider} stopped delivering cell {cell}")]
    Interrupted { provider: NodeId, cell: CellId, #[source] source: StreamError },
    /// It delivers something else than the cell.
    #[error("provider {provider} lies about cell {cell}")]
    Corrupt { provider: NodeId, cell: CellId, #[source] source: DeliveryError },
    /// It says a size that the grant does not, or sends more than that.
    #[error("provider {provider} sends {actual} bytes of cell {cell} instead of {expected}")]
    Size { provider: NodeId, cell: CellId, expected: u64, actual: u64 },
    /// It does not speak the protocol.
    #[error("provider {provider} answered with unknown code {code}")]
    Protocol { provider: NodeId, code: u8 },
}

impl FetchError {
    /// What to do about the provider.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Dial(_) => Verdict::Backoff,
            Self::Refused { refusal, .. } => refusal.verdict(),
            Self::Interrupted { source, .. } => match source {
                StreamError::Stalled { .. } | StreamError::Lost(_) => Verdict::Backoff,
                _ => Verdict::TryAnother,
            },
            Self::Corrupt { .. } | Self::Size { .. } | Self::Protocol { .. } => Verdict::Block,
        }
    }
}

/// A delivery as it comes from the provider: chunk hashes, then bytes under the DownloadKey.
#[derive(Debug)]
pub struct CellStream {
    stream: PeerStream,
    provider: NodeId,
    cell: CellId,
    size: u64,
    from_byte: u64,
    left: u64,
}

/// Asks the provider of `grant` for its cell from `from_byte` on. Rounds down to a whole chunk.
pub async fn fetch_cell(
    dialer: &Dialer,
    grant: &Signed<Grant>,
    from_byte: u64,
) -> Result<CellStream, FetchError> {
    let (provider, cell, size) = (grant.body.provider_node, grant.body.cell, grant.body.size);
    let from_byte = from_byte / chainflix_primitives::CHUNK_BYTES * chainflix_primitives::CHUNK_BYTES;
    let interrupted = |source| FetchError::Interrupted { provider, cell, source };
    let mut stream = dialer.open(provider, Alpn::Cell).await?;
    let request = CellRequest { grant: grant.clone(), from_byte };
    stream.write_frame(&request).await.map_err(interrupted)?;
    match read_head(&mut stream).await.map_err(interrupted)? {
        Head::Size(actual) if actual != size || size > CELL_BYTES_MAX => {
            Err(FetchError::Size { provider, cell, expected: size, actual })
        }
        Head::Size(_) => {
            let left = ChunkHashes::encoded_len(size) as u64 + size.saturating_sub(from_byte);
            Ok(CellStream { stream, provider, cell, size, from_byte, left })
        }
        Head::Other(1, code) => match Refusal::from_code(code) {
            Some(refusal) => Err(FetchError::Refused { provider, cell, refusal }),
            None => Err(FetchError::Protocol { provider, code }),
        },
        Head::Other(code, _) => Err(FetchError::Protocol { provider, code }),
    }
}

enum Head {
    Size(u64),
    Other(u8, u8),
}

async fn read_head(stream: &mut PeerStream) -> Result<Head, StreamError> {
    let mut first = [0; 2];
    stream.read_exact(&mut first).await?;
    if first[0] != 0 {
        return Ok(Head::Other(first[0], first[1]));
    }
    let mut size = [0; 8];
    size[0] = first[1];
    stream.read_exact(&mut size[1..]).await?;
    Ok(Head::Size(u64::from_le_bytes(size)))
}

/// The provider's side: says that delivery begins.
pub async fn accept_delivery(stream: &mut PeerStream, size: u64) -> Result<(), StreamError> {
    let mut head = [0; 9];
    head[1..].copy_from_slice(&size.to_le_bytes());
    stream.write(&head).await
}

/// The provider's side: says no.
pub async fn refuse_delivery(stream: &mut PeerStream, refusal: Refusal) -> Result<(), StreamError> {
    stream.write(&[1, refusal as u8]).await?;
    stream.finish();
    Ok(())
}

impl CellStream {
    /// Bytes of the whole cell.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// First byte of the cell that is delivered.
    pub fn start(&self) -> u64 {
        self.from_byte
    }

    /// Which way the bytes come.
    pub fn path(&self) -> PathKind {
        self.stream.path()
    }

    /// Bytes of the stream that are still to come.
    pub fn bytes_left(&self) -> u64 {
        self.left
    }

    /// The next bytes of the stream; `None` when all of it has come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        if self.left == 0 {
            return Ok(None);
        }
        let (provider, cell) = (self.provider, self.cell);
        let interrupted = |source| FetchError::Interrupted { provider, cell, source };
        // Nothing past the end is read, so a provider that sends more only fills its own send buffer.
        let wanted = usize::try_from(self.left).unwrap_or(READ_BYTES).min(READ_BYTES);
        match self.stream.read_chunk(wanted).await.map_err(interrupted)? {
            Some(bytes) => {
                self.left -= bytes.len() as u64;
                Ok(Some(bytes))
            }
            None => Err(interrupted(StreamError::Ended)),
        }
    }

    /// Tells the provider how far the viewer got. It signs its receipt over these very words, or none.
    pub async fn finish(mut self, end: u64, delivered_hash: Digest) -> Result<(), FetchError> {
        let (provider, cell) = (self.provider, self.cell);
        let done = Done { end, delivered_hash };
        let written = self.stream.write_frame(&done).await;
        self.stream.finish();
        written.map_err(|source| FetchError::Interrupted { provider, cell, source })
    }

    /// Checks and strips what comes, for a viewer that has the DownloadKey.
    pub fn verified(self, key: &DownloadKey) -> Result<VerifiedCell, FetchError> {
        let delivery = Delivery::new(self.cell, self.size, self.from_byte, key).map_err(|source| {
            FetchError::Corrupt { provider: self.provider, cell: self.cell, source }
        })?;
        Ok(VerifiedCell { stream: self, delivery })
    }
}

/// A delivery whose every byte was checked against the VideoCell ID.
pub struct VerifiedCell {
    stream: CellStream,
    delivery: Delivery,
}

impl VerifiedCell {
    /// Adds the next sealed bytes to `pieces`; `false` when the cell is complete.
    ///
    /// After an error `pieces` holds what was good, and another provider goes on at [`Self::verified_end`].
    pub async fn next(&mut self, pieces: &mut Vec<Piece>) -> Result<bool, FetchError> {
        let Some(bytes) = self.stream.next().await? else { return Ok(false) };
        let (provider, cell) = (self.stream.provider, self.stream.cell);
        match self.delivery.push(&bytes, pieces) {
            Ok(()) => Ok(true),
            Err(source) => Err(FetchError::Corrupt { provider, cell, source }),
        }
    }

    /// First byte of this delivery.
    pub fn start(&self) -> u64 {
        self.delivery.start()
    }

    /// One past the last good byte.
    pub fn verified_end(&self) -> u64 {
        self.delivery.verified_end()
    }

    /// BLAKE3 of the delivered bytes up to [`Self::verified_end`], for the viewer's receipt.
    pub fn delivered_hash(&self) -> Digest {
        self.delivery.delivered_hash()
    }

    /// Which way the bytes come.
    pub fn path(&self) -> PathKind {
        self.stream.path()
    }

    /// Tells the provider how far we got, so that it can sign its receipt.
    pub async fn finish(self) -> Result<(), FetchError> {
        self.stream.finish(self.delivery.verified_end(), self.delivery.delivered_hash()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{AccountAddress, AccountKey, GrantId, Magnet, SealedKey};

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
            viewer_key: SealedKey([0; 80]),
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
