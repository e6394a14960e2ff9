//! Sealed cells onto providers and between them: `chainflix/store/1`, for controllers only.
//!
//! ```text
//! controller                          provider
//!   │ Put { cell, size } ───────────────▶│ room, and not held yet?
//!   │◀─────── Ready / AlreadyHeld / Refused
//!   │ size bytes, sealed ───────────────▶│ hashes while it writes
//!   │◀────────────────── Stored / Refused│ on disk, and the root is the cell's name
//!
//!   │ Get { cell } ─────────────────────▶│
//!   │◀── Sending { size }, sealed bytes ─│
//!   │ Delete { cell } ──────────────────▶│
//!   │◀───────────────────────── Deleted ─│
//!   │ Show { cell, chunk } ─────────────▶│
//!   │◀── Showing, then an OpenedChunk ───│ the sealed bytes, and the hashes up to the cell's name
//! ```
//!
//! A copy from one provider to another goes through the controller, a frame at a time; that is simple and counts double.
//! Left out: providers that fetch from each other.

use crate::{
    dial::{DialError, Dialer},
    serve::Alpn,
    stream::{PeerStream, StreamError},
    verdict::Verdict,
};
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use chainflix_primitives::{CELL_BYTES_MAX, CHUNK_BYTES, CellId, NodeId, OpenedChunk, message::PATH_MAX};
use std::time::Duration;

/// Longest frame of this protocol.
pub const STORE_FRAME_BYTES_MAX: usize = 128;
/// Longest frame that shows a chunk: its bytes, its path, and the lengths of both.
pub const SHOWN_FRAME_BYTES_MAX: usize = CHUNK_BYTES as usize + PATH_MAX * 32 + 8;
/// Bytes moved at once.
pub const STORE_CHUNK_BYTES: usize = 128 << 10;
/// How long a provider may take to bring a cell to its disk after the last byte.
const SYNC_PATIENCE: Duration = Duration::from_secs(60);

/// What a controller asks of a provider's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum StoreRequest {
    /// Keep this cell; its bytes follow the answer.
    Put { cell: CellId, size: u64 },
    /// Send this cell, sealed as it is.
    Get { cell: CellId },
    /// Forget this cell.
    Delete { cell: CellId },
    /// Show chunk number `chunk` of this cell, sealed as it is, and its path.
    Show { cell: CellId, chunk: u32 },
}

/// What the provider answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum StoreAnswer {
    /// Send the bytes.
    Ready,
    /// No bytes needed.
    AlreadyHeld,
    /// Verified and on disk.
    Stored,
    /// So many bytes follow.
    Sending { size: u64 },
    /// It is gone, or never was here.
    Deleted,
    /// No.
    Refused(StoreRefusal),
    /// A frame with the chunk follows.
    Showing,
}

/// Why a provider's store does not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
pub enum StoreRefusal {
    /// Only configured controllers may ask.
    #[error("this node may not ask for that")]
    NotAllowed,
    /// The quota is used up.
    #[error("there is no room")]
    NoRoom,
    /// Nothing, or more than a cell may have.
    #[error("a cell cannot have that size")]
    Size,
    /// The bytes have another name.
    #[error("the bytes are not those of the cell")]
    WrongBytes,
    /// It has no such cell.
    #[error("it does not hold the cell")]
    NotHeld,
    /// The same cell is being stored right now, or too many are.
    #[error("it is busy")]
    Busy,
    /// Its disk failed.
    #[error("its disk failed")]
    Disk,
    /// The request was not one.
    #[error("it could not read the request")]
    Malformed,
}

/// Why a store request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The provider cannot be dialled.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It said no.
    #[error("provider {provider} refused: {refusal}")]
    Refused { provider: NodeId, refusal: StoreRefusal },
    /// It went away or fell silent.
    #[error("provider {provider} stopped answering")]
    Interrupted {
        provider: NodeId,
        #[source]
        source: StreamError,
    },
    /// It answered something that is no answer to this.
    #[error("provider {provider} answered out of turn")]
    Protocol { provider: NodeId },
}

impl StoreError {
    /// What to do about the provider.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Dial(_) | Self::Interrupted { .. } => Verdict::Backoff,
            Self::Refused { refusal: StoreRefusal::Busy | StoreRefusal::Disk, .. } => Verdict::Backoff,
            Self::Refused { .. } => Verdict::TryAnother,
            Self::Protocol { .. } => Verdict::Block,
        }
    }
}

/// Begins to put a cell onto `provider`; `None` when it holds the cell already.
pub async fn put_cell(
    dialer: &Dialer,
    provider: NodeId,
    cell: CellId,
    size: u64,
) -> Result<Option<PutStream>, StoreError> {
    let (stream, answer) = ask(dialer, provider, StoreRequest::Put { cell, size }).await?;
    match answer {
        StoreAnswer::Ready => Ok(Some(PutStream { stream, provider })),
        StoreAnswer::AlreadyHeld => Ok(None),
        _ => Err(StoreError::Protocol { provider }),
    }
}

/// Begins to read a cell, sealed as it rests on `provider`. The bytes are not checked here.
pub async fn get_cell(dialer: &Dialer, provider: NodeId, cell: CellId) -> Result<SealedStream, StoreError> {
    match ask(dialer, provider, StoreRequest::Get { cell }).await? {
        (stream, StoreAnswer::Sending { size }) if size <= CELL_BYTES_MAX => {
            Ok(SealedStream { stream, provider, size, left: size })
        }
        _ => Err(StoreError::Protocol { provider }),
    }
}

/// Makes `provider` forget a cell.
pub async fn delete_cell(dialer: &Dialer, provider: NodeId, cell: CellId) -> Result<(), StoreError> {
    match ask(dialer, provider, StoreRequest::Delete { cell }).await? {
        (_, StoreAnswer::Deleted) => Ok(()),
        _ => Err(StoreError::Protocol { provider }),
    }
}

/// Has `provider` show a chunk of a cell. Whether it is the chunk is not checked here.
pub async fn show_chunk(
    dialer: &Dialer,
    provider: NodeId,
    cell: CellId,
    chunk: u32,
) -> Result<OpenedChunk, StoreError> {
    match ask(dialer, provider, StoreRequest::Show { cell, chunk }).await? {
        (mut stream, StoreAnswer::Showing) => {
            let shown = stream.read_frame(SHOWN_FRAME_BYTES_MAX).await;
            shown.map_err(|source| StoreError::Interrupted { provider, source })
        }
        _ => Err(StoreError::Protocol { provider }),
    }
}

async fn ask(
    dialer: &Dialer,
    provider: NodeId,
    request: StoreRequest,
) -> Result<(PeerStream, StoreAnswer), StoreError> {
    let interrupted = |source| StoreError::Interrupted { provider, source };
    let mut stream = dialer.open(provider, Alpn::Store).await?;
    stream.write_frame(&request).await.map_err(interrupted)?;
    match stream.read_frame(STORE_FRAME_BYTES_MAX).await.map_err(interrupted)? {
        StoreAnswer::Refused(refusal) => Err(StoreError::Refused { provider, refusal }),
        answer => Ok((stream, answer)),
    }
}

/// A cell on its way onto a provider. Dropping it gives the put up; the provider keeps nothing.
#[derive(Debug)]
pub struct PutStream {
    stream: PeerStream,
    provider: NodeId,
}

impl PutStream {
    /// Sends the next sealed bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let provider = self.provider;
        match self.stream.write_bytes(bytes).await {
            Ok(()) => Ok(()),
            // Who stops listening has said why.
            Err(source @ StreamError::Abandoned { .. }) => match self.answer().await {
                Ok(StoreAnswer::Refused(refusal)) => Err(StoreError::Refused { provider, refusal }),
                _ => Err(StoreError::Interrupted { provider, source }),
            },
            Err(source) => Err(StoreError::Interrupted { provider, source }),
        }
    }

    /// Waits until the provider has verified the cell and has it on disk.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        let provider = self.provider;
        self.stream.finish();
        match self.answer().await.map_err(|source| StoreError::Interrupted { provider, source })? {
            StoreAnswer::Stored => Ok(()),
            StoreAnswer::Refused(refusal) => Err(StoreError::Refused { provider, refusal }),
            _ => Err(StoreError::Protocol { provider }),
        }
    }

    async fn answer(&mut self) -> Result<StoreAnswer, StreamError> {
        self.stream.read_frame_within(STORE_FRAME_BYTES_MAX, SYNC_PATIENCE).await
    }
}

/// A sealed cell on its way from a provider.
#[derive(Debug)]
pub struct SealedStream {
    stream: PeerStream,
    provider: NodeId,
    size: u64,
    left: u64,
}

impl SealedStream {
    /// Bytes of the cell.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next sealed bytes; `None` when all have come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        let provider = self.provider;
        let interrupted = |source| StoreError::Interrupted { provider, source };
        let wanted = usize::try_from(self.left).unwrap_or(STORE_CHUNK_BYTES).min(STORE_CHUNK_BYTES);
        match self.stream.read_chunk(wanted).await.map_err(interrupted)? {
            Some(bytes) => {
                self.left -= bytes.len() as u64;
                Ok(Some(bytes))
            }
            None => Err(interrupted(StreamError::Ended)),
        }
    }
}
