//! One stream to one peer: frames and bytes, with a limit on size and on silence.
//!
//! A frame is a length (4 bytes, little endian) and that many bytes of Borsh. Its limit is the reader's and is checked
//! before anything is allocated. No read or write waits longer than the stall time, so a silent peer costs a task for
//! that long and no longer.
//!
//! A peer may take its time for an answer, but its QUIC confirms a request within a round trip. Where not one packet comes
//! back, nobody is there any more who knows the connection, and who asks need not wait until QUIC gives it up:
//!
//! ```text
//! request ──▶ confirmed ──────────────── patience ──────────────▶ answer, or Stalled
//!        └──▶ (killed)   no packet for 3 s ─▶ Gone ─▶ the next request dials anew        QUIC notices after 30 s
//! ```

use crate::dial::PathKind;
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::{BufMut as _, Bytes, BytesMut};
use chainflix_primitives::NodeId;
use iroh::endpoint::{Connection, ReadError, ReadExactError, RecvStream, SendStream, VarInt, WriteError};
use std::{
    future, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::AsyncReadExt as _,
    time::{sleep, timeout},
};

/// Room that is made for bytes to come, packets at a time: one look at the connection brings all that is there.
const ROOM_BYTES: usize = 128 << 10;
/// Less room than this is not worth a look.
const ROOM_LEAST_BYTES: usize = 16 << 10;

/// Why a stream gave up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A frame announced more bytes than its reader takes.
    #[error("a frame of {bytes} bytes was announced; the most here is {most}")]
    TooLarge { bytes: u64, most: usize },
    /// A frame's bytes are not what they should be.
    #[error("a frame cannot be read")]
    Encoding(#[source] io::Error),
    /// The peer finished before it had said everything.
    #[error("the peer ended the stream too early")]
    Ended,
    /// Nothing moved for too long.
    #[error("the peer was silent for {after_ms} ms")]
    Stalled { after_ms: u64 },
    /// Not one packet came since our last frame: the peer's process ended without a word, or nothing reaches it.
    #[error("the peer confirmed nothing for {after_ms} ms")]
    Gone { after_ms: u64 },
    /// The peer gave up this stream.
    #[error("the peer abandoned the stream with code {code}")]
    Abandoned { code: u64 },
    /// The connection broke.
    #[error("the connection was lost")]
    Lost(#[source] io::Error),
}

/// A stream in both directions. Dropping it finishes our side.
#[derive(Debug)]
pub struct PeerStream {
    peer: NodeId,
    connection: Connection,
    send: SendStream,
    recv: RecvStream,
    /// Where [`Self::read_chunk`] reads into: empty between two reads, and reused once what was read is dropped.
    room: BytesMut,
    stall: Duration,
    /// Of who asks only: who serves has nothing confirmed for as long as it writes nothing.
    confirming: Option<Confirming>,
}

/// Whether the peer still confirms what it is asked.
#[derive(Debug)]
struct Confirming {
    patience: Duration,
    /// Told when it does not.
    gone: Arc<AtomicBool>,
    /// Packets that had come over the connection when the last frame was written.
    heard: u64,
}

impl Confirming {
    /// Ends when the peer is gone; never where anything is heard of it.
    async fn until_gone(&self, connection: &Connection) {
        let silent = || heard(connection) == self.heard;
        if silent() {
            sleep(self.patience).await;
        }
        if !silent() {
            future::pending().await
        }
        self.gone.store(true, Relaxed);
    }
}

/// Packets that came over a connection.
fn heard(connection: &Connection) -> u64 {
    connection.stats().udp_rx.datagrams
}

impl PeerStream {
    pub(crate) fn new(
        peer: NodeId,
        connection: Connection,
        (send, recv): (SendStream, RecvStream),
        stall: Duration,
    ) -> Self {
        Self { peer, connection, send, recv, room: BytesMut::new(), stall, confirming: None }
    }

    /// Takes the peer for gone when `patience` after a frame nothing came back, and says so to all who share `gone`.
    pub(crate) fn confirmed_within(mut self, patience: Duration, gone: Arc<AtomicBool>) -> Self {
        self.confirming = Some(Confirming { patience, gone, heard: heard(&self.connection) });
        self
    }

    /// Who is on the other side; proved by the connection's handshake.
    pub fn peer(&self) -> NodeId {
        self.peer
    }

    /// Which way the bytes go right now.
    pub fn path(&self) -> PathKind {
        PathKind::of(&self.connection)
    }

    /// Waits for one frame, for at most `patience` until it begins.
    ///
    /// For the moments where the peer's silence is legitimate, such as a viewer that watches before it reports.
    pub async fn read_frame_within<T: BorshDeserialize>(
        &mut self,
        bytes_max: usize,
        patience: Duration,
    ) -> Result<T, StreamError> {
        let mut length = [0; 4];
        self.read_exact_within(&mut length, patience).await?;
        let length = u32::from_le_bytes(length) as usize;
        if length > bytes_max {
            return Err(StreamError::TooLarge { bytes: length as u64, most: bytes_max });
        }
        let mut frame = vec![0; length];
        self.read_exact(&mut frame).await?;
        borsh::from_slice(&frame).map_err(StreamError::Encoding)
    }

    /// Reads one frame of at most `bytes_max` bytes.
    pub async fn read_frame<T: BorshDeserialize>(&mut self, bytes_max: usize) -> Result<T, StreamError> {
        self.read_frame_within(bytes_max, self.stall).await
    }

    /// Writes one frame.
    pub async fn write_frame<T: BorshSerialize>(&mut self, body: &T) -> Result<(), StreamError> {
        if let Some(confirming) = &mut self.confirming {
            confirming.heard = heard(&self.connection);
        }
        self.write(&frame(body)?).await
    }

    /// Fills `bytes`.
    pub async fn read_exact(&mut self, bytes: &mut [u8]) -> Result<(), StreamError> {
        self.read_exact_within(bytes, self.stall).await
    }

    async fn read_exact_within(&mut self, bytes: &mut [u8], patience: Duration) -> Result<(), StreamError> {
        let Self { connection, recv, confirming, .. } = self;
        let read = match confirming {
            None => timeout(patience, recv.read_exact(bytes)).await,
            Some(confirming) => tokio::select! {
                biased;
                read = timeout(patience, recv.read_exact(bytes)) => read,
                () = confirming.until_gone(connection) => return Err(gone(confirming.patience)),
            },
        };
        match read {
            Ok(Ok(())) => Ok(()),
            Ok(Err(ReadExactError::FinishedEarly(_))) => Err(StreamError::Ended),
            Ok(Err(ReadExactError::ReadError(error))) => Err(read_error(error)),
            Err(_) => Err(stalled(patience)),
        }
    }

    /// The next bytes, at most `bytes_max` of them; `None` when the peer has finished.
    pub async fn read_chunk(&mut self, bytes_max: usize) -> Result<Option<Bytes>, StreamError> {
        if self.room.capacity() < ROOM_LEAST_BYTES {
            self.room.reserve(ROOM_BYTES);
        }
        let mut room = (&mut self.room).limit(bytes_max.min(ROOM_BYTES));
        match timeout(self.stall, self.recv.read_buf(&mut room)).await {
            Ok(Ok(0)) => Ok(None),
            Ok(Ok(_)) => Ok(Some(self.room.split().freeze())),
            Ok(Err(error)) => Err(chunk_error(error)),
            Err(_) => Err(stalled(self.stall)),
        }
    }

    /// Writes all of `bytes`.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        match timeout(self.stall, self.send.write_all(bytes)).await {
            Ok(written) => written.map_err(write_error),
            Err(_) => Err(stalled(self.stall)),
        }
    }

    /// Writes all of `bytes` without copying them.
    pub async fn write_bytes(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        match timeout(self.stall, self.send.write_chunk(bytes)).await {
            Ok(written) => written.map_err(write_error),
            Err(_) => Err(stalled(self.stall)),
        }
    }

    /// Says that nothing more comes from our side.
    pub fn finish(&mut self) {
        // Fails only where the stream is finished or given up already, which is what is wanted.
        let _ = self.send.finish();
    }

    /// Says that nothing more comes, and waits until the peer has all of it: what is on its way when a connection is
    /// closed is lost.
    pub async fn finish_delivered(&mut self) -> Result<(), StreamError> {
        self.finish();
        match timeout(self.stall, self.send.stopped()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(write_error(error.into())),
            Err(_) => Err(stalled(self.stall)),
        }
    }

    /// Gives the stream up in both directions: unlike a finish, the peer sees that something is missing.
    pub fn abandon(&mut self, code: u32) {
        let _ = self.send.reset(VarInt::from_u32(code));
        let _ = self.recv.stop(VarInt::from_u32(code));
    }
}

/// A frame as it goes over the wire.
pub(crate) fn frame(body: &impl BorshSerialize) -> Result<Vec<u8>, StreamError> {
    let mut frame = vec![0; 4];
    borsh::to_writer(&mut frame, body).map_err(StreamError::Encoding)?;
    let length = u32::try_from(frame.len() - 4)
        .map_err(|_| StreamError::TooLarge { bytes: frame.len() as u64, most: u32::MAX as usize })?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

fn stalled(after: Duration) -> StreamError {
    StreamError::Stalled { after_ms: millis(after) }
}

fn gone(after: Duration) -> StreamError {
    StreamError::Gone { after_ms: millis(after) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn read_error(error: ReadError) -> StreamError {
    match error {
        ReadError::Reset(code) => StreamError::Abandoned { code: code.into_inner() },
        other => StreamError::Lost(other.into()),
    }
}

/// What a read through tokio's trait hides.
fn chunk_error(error: io::Error) -> StreamError {
    error.downcast::<ReadError>().map_or_else(StreamError::Lost, read_error)
}

fn write_error(error: WriteError) -> StreamError {
    match error {
        WriteError::Stopped(code) => StreamError::Abandoned { code: code.into_inner() },
        other => StreamError::Lost(other.into()),
    }
}
