//! The viewer's side: asks, reads, checks, and says how far it got.

use super::{CellRequest, Done, Refusal};
use crate::{
    dial::{DialError, Dialer, PathKind},
    serve::Alpn,
    stream::{PeerStream, StreamError},
    verdict::Verdict,
};
use bytes::Bytes;
use chainflix_cell::{ChunkHashes, Delivery, DeliveryError};
use chainflix_primitives::{CELL_BYTES_MAX, CHUNK_BYTES, CellId, Digest, DownloadKey, Grant, NodeId, Signed};

/// Most bytes taken from the stream at once.
const READ_BYTES: usize = 128 << 10;

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
    Interrupted {
        provider: NodeId,
        cell: CellId,
        #[source]
        source: StreamError,
    },
    /// It delivers something else than the cell.
    #[error("provider {provider} lies about cell {cell}")]
    Corrupt {
        provider: NodeId,
        cell: CellId,
        #[source]
        source: Box<DeliveryError>,
    },
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
                StreamError::Stalled { .. } | StreamError::Gone { .. } | StreamError::Lost(_) => Verdict::Backoff,
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
pub async fn fetch_cell(dialer: &Dialer, grant: &Signed<Grant>, from_byte: u64) -> Result<CellStream, FetchError> {
    let (provider, cell, size) = (grant.body.provider_node, grant.body.cell, grant.body.size);
    let from_byte = from_byte / CHUNK_BYTES * CHUNK_BYTES;
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

    /// Tells the provider how far the viewer got. It signs its receipt for as much of what it sent.
    pub async fn finish(mut self, end: u64, delivered_hash: Digest) -> Result<(), FetchError> {
        let (provider, cell) = (self.provider, self.cell);
        let done = Done { end, delivered_hash };
        let interrupted = |source| FetchError::Interrupted { provider, cell, source };
        self.stream.write_frame(&done).await.map_err(interrupted)?;
        self.stream.finish_delivered().await.map_err(interrupted)
    }

    /// Checks and strips what comes, for a viewer that has the DownloadKey.
    pub fn verified(self, key: &DownloadKey) -> Result<VerifiedCell, FetchError> {
        let delivery = Delivery::new(self.cell, self.size, self.from_byte, key).map_err(|source| {
            FetchError::Corrupt { provider: self.provider, cell: self.cell, source: source.into() }
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
    /// Adds the next sealed bytes to `sealed`; `false` when the cell is complete.
    ///
    /// After an error `sealed` holds what was good, and another provider goes on at [`Self::verified_end`].
    pub async fn next(&mut self, sealed: &mut Vec<u8>) -> Result<bool, FetchError> {
        let Some(bytes) = self.stream.next().await? else { return Ok(false) };
        let (provider, cell) = (self.stream.provider, self.stream.cell);
        match self.delivery.push(&bytes, sealed) {
            Ok(()) => Ok(true),
            Err(source) => Err(FetchError::Corrupt { provider, cell, source: source.into() }),
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
