//! Serving one cell under one grant, and the receipt for it.
//!
//! ```text
//! request ─▶ grant good? ─▶ admitted? ─▶ held? ─▶ head, hashes, frames ─▶ Done, of what was sent? ─▶ receipt
//!              └────────────┴────────────┴─ refused           │ viewer stops ──▶┘
//! ```
//!
//! The provider signs for its own bytes as far as the viewer says it got, also where the viewer names another hash: which
//! of the two is false can be proved ([`crate::signed`]).
//!
//! A frame is read, checked, encrypted and hashed in a blocking task while the one before it goes out; a slow viewer
//! holds two frames in memory and no thread. The permit is given back when the last byte is out: waiting for
//! `Done` costs next to nothing.

use crate::{
    admission::Admission,
    duty::Duty,
    grant::GrantPolicy,
    signed::SignedReceipts,
    store::{ReadError, Store, StoredCell},
    uplink::Uplink,
};
use bytes::Bytes;
use chainflix_cell::Keystream;
use chainflix_overlay::{
    Alpn, Clock, PeerStream, Protocol, StreamError,
    cell::{CELL_REQUEST_BYTES_MAX, CellRequest, DONE_BYTES_MAX, Done, Refusal, accept_delivery, refuse_delivery},
    control::ProviderMode,
};
use chainflix_primitives::{BoxKey, CHUNK_BYTES, Digest, DownloadKey, Receipt, Signed};
use futures::future::BoxFuture;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle, spawn_blocking},
};
use tracing::{debug, warn};

/// Play time of a cell: what comes late is judged by it. A shorter cell is only hurried less.
const CELL_TIME: Duration = Duration::from_secs(60);
/// Play time of a fragment: a player shows nothing of one before all of it is there. So two that began at once come one after the
/// other, and not both half as fast.
const FRAGMENT_TIME: Duration = Duration::from_secs(2);

/// Why a delivery ended before its end, on our side.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a reading task failed")]
    Task(#[from] JoinError),
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// The provider's side of `chainflix/cell/1`.
pub(crate) struct DeliveryProtocol {
    pub policy: GrantPolicy,
    pub signed: SignedReceipts,
    pub box_key: BoxKey,
    pub store: Arc<Store>,
    pub admission: Arc<Admission>,
    pub uplink: Uplink,
    pub duty: Arc<Duty>,
    /// Where receipts go. When it is full, deliveries wait at their end: no receipt is thrown away.
    pub receipts: mpsc::Sender<Signed<Receipt>>,
    pub done_patience: Duration,
    /// How long after the end of its grant a receipt may have to be proved.
    pub evidence_patience: Duration,
    pub clock: Clock,
    pub delivered_bytes: AtomicU64,
    pub receipts_signed: AtomicU64,
}

/// How long after a delivery's beginning what comes after its first `sent` bytes is due: when its fragment is played.
fn due_after(sent: u64, cell_bytes: u64) -> Duration {
    // No delivery begins for an empty cell.
    let played = CELL_TIME.mul_f64(sent as f64 / cell_bytes.max(1) as f64);
    let in_fragment = played.as_nanos() % FRAGMENT_TIME.as_nanos();
    played - Duration::from_nanos(in_fragment as u64)
}

impl Protocol for DeliveryProtocol {
    fn alpn(&self) -> Alpn {
        Alpn::Cell
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let peer = stream.peer();
            match self.request(&mut stream).await {
                Ok(()) => {}
                Err(error @ DeliveryError::Stream(_)) => debug!(%peer, %error, "delivery ended early"),
                Err(error) => {
                    // A reset, not a finish: the viewer must see that something is missing.
                    stream.abandon(Refusal::Failed as u32);
                    warn!(%peer, %error, "delivery failed");
                }
            }
        })
    }
}

impl DeliveryProtocol {
    async fn request(&self, stream: &mut PeerStream) -> Result<(), DeliveryError> {
        let request: CellRequest = match stream.read_frame(CELL_REQUEST_BYTES_MAX).await {
            Ok(request) => request,
            Err(StreamError::TooLarge { .. } | StreamError::Encoding(_)) => {
                return Ok(refuse_delivery(stream, Refusal::Malformed).await?);
            }
            Err(error) => return Err(error.into()),
        };
        match self.admit(stream, &request).await {
            Ok((permit, cell, key)) => {
                let sent = self.deliver(stream, cell.clone(), Keystream::delivery(&key), request.from_byte).await?;
                drop(permit);
                self.receipt(stream, &request, cell, key, sent).await
            }
            Err(refusal) => {
                debug!(peer = %stream.peer(), cell = %request.grant.body.cell, %refusal, "refused");
                Ok(refuse_delivery(stream, refusal).await?)
            }
        }
    }

    async fn admit(
        &self,
        stream: &PeerStream,
        request: &CellRequest,
    ) -> Result<(crate::admission::Permit, Arc<StoredCell>, DownloadKey), Refusal> {
        let now_ms = self.clock.now_ms();
        let grant = &request.grant.body;
        self.policy.check(request, now_ms)?;
        if self.duty.mode() == ProviderMode::Quiet {
            return Err(Refusal::Busy);
        }
        let permit = self.admission.enter(stream.peer(), grant.id, grant.expires_ms, now_ms)?;
        let key = self.policy.download_key(request, &self.box_key)?;
        let (store, cell) = (self.store.clone(), grant.cell);
        match spawn_blocking(move || store.read(&cell)).await {
            // The same name means the same bytes, so another size means a grant for something that cannot be.
            Ok(Ok(Some(stored))) if stored.size() != grant.size => Err(Refusal::Range),
            Ok(Ok(Some(stored))) => Ok((permit, Arc::new(stored), key)),
            Ok(Ok(None)) => Err(Refusal::NotHeld),
            Ok(Err(error)) if error.is_damage() => Err(Refusal::NotHeld),
            _ => Err(Refusal::Failed),
        }
    }

    /// Sends the cell from `from` on; ends where the viewer stops reading.
    async fn deliver(
        &self,
        stream: &mut PeerStream,
        cell: Arc<StoredCell>,
        keystream: Keystream,
        from: u64,
    ) -> Result<Sent, DeliveryError> {
        accept_delivery(stream, cell.size()).await?;
        let mut sent = Sent { from, end: from, hasher: blake3::Hasher::new() };
        let began = Instant::now();
        for hashes in cell.hashes().encode().chunks(CHUNK_BYTES as usize) {
            self.uplink.turn(began, hashes.len()).await;
            match stream.write(hashes).await {
                Ok(()) => {}
                Err(StreamError::Abandoned { .. }) => return Ok(sent),
                Err(error) => return Err(error.into()),
            }
        }
        // The first frame is one chunk, so that the first picture is not kept waiting.
        let mut next = (sent.end < cell.size()).then(|| self.frame(&cell, &keystream, sent.clone(), 1));
        while let Some(frame) = next {
            let due = began + due_after(sent.end - from, cell.size());
            let (bytes, after) = frame.await??;
            let chunks = self.uplink.frame_chunks();
            next = (after.end < cell.size()).then(|| self.frame(&cell, &keystream, after.clone(), chunks));
            // Counted before it is written: part of a frame may arrive although the write fails.
            sent = after;
            let length = bytes.len();
            self.uplink.turn(due, length).await;
            match stream.write_bytes(bytes).await {
                Ok(()) => _ = self.delivered_bytes.fetch_add(length as u64, Ordering::Relaxed),
                Err(StreamError::Abandoned { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        stream.finish();
        Ok(sent)
    }

    /// Makes the next frame of at most so many chunks.
    fn frame(
        &self,
        cell: &Arc<StoredCell>,
        keystream: &Keystream,
        mut sent: Sent,
        chunks: u64,
    ) -> JoinHandle<Result<(Bytes, Sent), ReadError>> {
        let (store, cell, keystream) = (self.store.clone(), cell.clone(), keystream.clone());
        spawn_blocking(move || {
            let mut frame = cell.chunks(sent.end, chunks).inspect_err(|error| {
                store.judge(&cell.cell(), error);
            })?;
            keystream.apply(sent.end, &mut frame);
            sent.hasher.update(&frame);
            sent.end += frame.len() as u64;
            Ok((Bytes::from(frame), sent))
        })
    }

    /// Waits for the viewer's last word and signs for what it got.
    async fn receipt(
        &self,
        stream: &mut PeerStream,
        request: &CellRequest,
        cell: Arc<StoredCell>,
        key: DownloadKey,
        sent: Sent,
    ) -> Result<(), DeliveryError> {
        let done: Done = stream.read_frame_within(DONE_BYTES_MAX, self.done_patience).await?;
        let grant = &request.grant.body;
        if request.from_byte != grant.from_byte {
            debug!(peer = %stream.peer(), "validators take no receipt that begins elsewhere than its grant");
            return Ok(());
        }
        let Some(hash) = self.hash_until(done.end, cell, Keystream::delivery(&key), sent).await? else {
            debug!(peer = %stream.peer(), end = done.end, "the viewer says it got what was not sent");
            return Ok(());
        };
        if hash != done.delivered_hash {
            // What it signs for is its own affair, and not what came.
            debug!(peer = %stream.peer(), "the viewer's hash is another");
        }
        let receipt = Receipt {
            grant: grant.id,
            viewer: grant.viewer,
            provider: grant.provider,
            cell: grant.cell,
            start: request.from_byte,
            end: done.end,
            delivered_hash: hash,
        };
        let until_ms = grant.expires_ms.saturating_add(self.evidence_patience.as_millis() as u64);
        let Some(receipt) = self.signed.sign(receipt, key, until_ms) else {
            debug!(peer = %stream.peer(), "this grant has its receipt");
            return Ok(());
        };
        match self.receipts.send(receipt).await {
            Ok(()) => _ = self.receipts_signed.fetch_add(1, Ordering::Relaxed),
            Err(_) => warn!("nobody takes receipts any more"),
        }
        Ok(())
    }

    /// Hash of the delivered bytes up to `end`; `None` where that was not sent or is inside a chunk.
    async fn hash_until(
        &self,
        end: u64,
        cell: Arc<StoredCell>,
        keystream: Keystream,
        sent: Sent,
    ) -> Result<Option<Digest>, DeliveryError> {
        if end <= sent.from || end > sent.end || !(end.is_multiple_of(CHUNK_BYTES) || end == cell.size()) {
            return Ok(None);
        }
        if end == sent.end {
            return Ok(Some(sent.digest()));
        }
        // The viewer stopped early. Reading again is rare and costs less than hashing ahead for everybody.
        let mut again = Sent { from: sent.from, end: sent.from, hasher: blake3::Hasher::new() };
        while again.end < end {
            let chunks = (end - again.end).div_ceil(CHUNK_BYTES).min(self.uplink.frame_chunks());
            (_, again) = self.frame(&cell, &keystream, again, chunks).await??;
        }
        Ok(Some(again.digest()))
    }
}

/// How far a delivery got.
#[derive(Clone)]
struct Sent {
    from: u64,
    end: u64,
    hasher: blake3::Hasher,
}

impl Sent {
    fn digest(&self) -> Digest {
        Digest(self.hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_due_as_a_whole() {
        let due_s = |sent| due_after(sent, 60_000).as_secs_f64();
        assert_eq!([0, 1_999, 2_000, 3_999, 59_999].map(due_s), [0.0, 0.0, 2.0, 2.0, 58.0]);
        assert_eq!(due_after(0, 0), Duration::ZERO);
    }
}
