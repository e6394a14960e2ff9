//! What controllers do to the store: `chainflix/store/1`.
//!
//! Only configured controllers are listened to. Bytes go from the stream through a short queue to one blocking task
//! that hashes and writes, so a slow disk slows the sender down and fills no memory.

use crate::store::{Incoming, Put, PutError, ReadError, Store};
use bytes::Bytes;
use chainflix_overlay::{
    Alpn, PeerStream, Protocol, StreamError,
    store::{STORE_CHUNK_BYTES, STORE_FRAME_BYTES_MAX, StoreAnswer, StoreRefusal, StoreRequest},
};
use chainflix_primitives::{CHUNK_BYTES, CellId, NodeId, OpenedChunk};
use futures::future::BoxFuture;
use std::{io, sync::Arc};
use tokio::{
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
};
use tracing::{debug, warn};

/// Puts at a time; each holds a thread of its own.
const PUTS_MAX: usize = 16;
/// Pieces between stream and disk.
const QUEUE_PIECES: usize = 8;

/// The provider's side of `chainflix/store/1`.
pub(crate) struct IntakeProtocol {
    controllers: Vec<NodeId>,
    store: Arc<Store>,
    puts: Semaphore,
}

impl IntakeProtocol {
    pub(crate) fn new(controllers: Vec<NodeId>, store: Arc<Store>) -> Self {
        Self { controllers, store, puts: Semaphore::new(PUTS_MAX) }
    }

    async fn request(&self, stream: &mut PeerStream) -> Result<(), StreamError> {
        if !self.controllers.contains(&stream.peer()) {
            return answer(stream, StoreAnswer::Refused(StoreRefusal::NotAllowed)).await;
        }
        let said = match stream.read_frame(STORE_FRAME_BYTES_MAX).await {
            Ok(StoreRequest::Put { cell, size }) => self.put(stream, cell, size).await?,
            Ok(StoreRequest::Get { cell }) => return self.get(stream, cell).await,
            Ok(StoreRequest::Delete { cell }) => self.delete(cell).await,
            Ok(StoreRequest::Show { cell, chunk }) => return self.show(stream, cell, chunk).await,
            Err(StreamError::TooLarge { .. } | StreamError::Encoding(_)) => {
                StoreAnswer::Refused(StoreRefusal::Malformed)
            }
            Err(error) => return Err(error),
        };
        answer(stream, said).await
    }

    async fn put(&self, stream: &mut PeerStream, cell: CellId, size: u64) -> Result<StoreAnswer, StreamError> {
        let Ok(_slot) = self.puts.try_acquire() else { return Ok(StoreAnswer::Refused(StoreRefusal::Busy)) };
        let store = self.store.clone();
        let incoming = match spawn_blocking(move || store.put(cell, size)).await {
            Ok(Ok(Put::Write(incoming))) => incoming,
            Ok(Ok(Put::Held)) => return Ok(StoreAnswer::AlreadyHeld),
            Ok(Err(error)) => return Ok(StoreAnswer::Refused(refusal(cell, &error))),
            Err(_) => return Ok(StoreAnswer::Refused(StoreRefusal::Disk)),
        };
        stream.write_frame(&StoreAnswer::Ready).await?;
        let (pieces, queue) = mpsc::channel(QUEUE_PIECES);
        let writing = spawn_blocking(move || write(*incoming, queue));
        let received = receive(stream, size, pieces).await;
        // The task ends when the queue does; what is incomplete it throws away by itself.
        let written = writing.await;
        received?;
        Ok(match written {
            Ok(Ok(())) => StoreAnswer::Stored,
            Ok(Err(error)) => StoreAnswer::Refused(refusal(cell, &error)),
            Err(_) => StoreAnswer::Refused(StoreRefusal::Disk),
        })
    }

    async fn get(&self, stream: &mut PeerStream, cell: CellId) -> Result<(), StreamError> {
        let store = self.store.clone();
        let stored = match spawn_blocking(move || store.read(&cell)).await {
            Ok(Ok(Some(stored))) => Arc::new(stored),
            Ok(Ok(None)) => return answer(stream, StoreAnswer::Refused(StoreRefusal::NotHeld)).await,
            Ok(Err(error)) if error.is_damage() => {
                return answer(stream, StoreAnswer::Refused(StoreRefusal::NotHeld)).await;
            }
            _ => return answer(stream, StoreAnswer::Refused(StoreRefusal::Disk)).await,
        };
        let size = stored.size();
        stream.write_frame(&StoreAnswer::Sending { size }).await?;
        let mut offset = 0;
        while offset < size {
            let (store, stored) = (self.store.clone(), stored.clone());
            let read = spawn_blocking(move || {
                let read = stored.chunks(offset, STORE_CHUNK_BYTES as u64 / CHUNK_BYTES);
                read.inspect_err(|error| store.judge(&cell, error))
            });
            let Ok(Ok(bytes)) = read.await else {
                // A reset, not a finish: the controller must see that something is missing.
                stream.abandon(StoreRefusal::Disk as u32);
                return Ok(());
            };
            offset += bytes.len() as u64;
            stream.write_bytes(Bytes::from(bytes)).await?;
        }
        stream.finish();
        Ok(())
    }

    /// Shows a chunk to who wants to know whether the cell is here.
    async fn show(&self, stream: &mut PeerStream, cell: CellId, chunk: u32) -> Result<(), StreamError> {
        let store = self.store.clone();
        match spawn_blocking(move || opened(&store, cell, chunk)).await {
            Ok(Ok(shown)) => {
                stream.write_frame(&StoreAnswer::Showing).await?;
                stream.write_frame(&shown).await?;
                stream.finish();
                Ok(())
            }
            Ok(Err(refusal)) => answer(stream, StoreAnswer::Refused(refusal)).await,
            Err(_) => answer(stream, StoreAnswer::Refused(StoreRefusal::Disk)).await,
        }
    }

    async fn delete(&self, cell: CellId) -> StoreAnswer {
        let store = self.store.clone();
        match spawn_blocking(move || store.delete(&cell)).await {
            Ok(Ok(_)) => StoreAnswer::Deleted,
            _ => StoreAnswer::Refused(StoreRefusal::Disk),
        }
    }
}

impl Protocol for IntakeProtocol {
    fn alpn(&self) -> Alpn {
        Alpn::Store
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Err(error) = self.request(&mut stream).await {
                debug!(peer = %stream.peer(), %error, "store request ended early");
            }
        })
    }
}

/// A chunk of a held cell with its path. A cell that proves damaged here is dropped.
fn opened(store: &Store, cell: CellId, chunk: u32) -> Result<OpenedChunk, StoreRefusal> {
    let refused = |error: ReadError| match error.is_damage() {
        true => StoreRefusal::NotHeld,
        false => StoreRefusal::Disk,
    };
    let stored = store.read(&cell).map_err(refused)?.ok_or(StoreRefusal::NotHeld)?;
    let path = stored.hashes().path(chunk).ok_or(StoreRefusal::Malformed)?;
    let read = stored.chunks(u64::from(chunk) * CHUNK_BYTES, 1);
    let sealed = read.inspect_err(|error| store.judge(&cell, error)).map_err(refused)?;
    Ok(OpenedChunk { sealed, path })
}

async fn answer(stream: &mut PeerStream, answer: StoreAnswer) -> Result<(), StreamError> {
    stream.write_frame(&answer).await?;
    stream.finish();
    Ok(())
}

/// Moves `size` bytes into the queue. Ends early without an error where the writer has given up: it says why.
async fn receive(stream: &mut PeerStream, size: u64, pieces: mpsc::Sender<Bytes>) -> Result<(), StreamError> {
    let mut left = size;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(STORE_CHUNK_BYTES).min(STORE_CHUNK_BYTES);
        let Some(bytes) = stream.read_chunk(wanted).await? else { return Err(StreamError::Ended) };
        left -= bytes.len() as u64;
        if pieces.send(bytes).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn write(mut incoming: Incoming, mut queue: mpsc::Receiver<Bytes>) -> Result<(), PutError> {
    while let Some(bytes) = queue.blocking_recv() {
        incoming.write(&bytes)?;
    }
    incoming.commit()
}

fn refusal(cell: CellId, error: &PutError) -> StoreRefusal {
    match error {
        PutError::Size { .. } => StoreRefusal::Size,
        PutError::NoRoom { .. } => StoreRefusal::NoRoom,
        PutError::Busy { .. } => StoreRefusal::Busy,
        PutError::Length { .. } | PutError::OtherCell { .. } => StoreRefusal::WrongBytes,
        PutError::Disk { source, .. } => {
            warn!(%cell, %error, %source, "a cell could not be stored");
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreRefusal::NoRoom,
                _ => StoreRefusal::Disk,
            }
        }
    }
}
