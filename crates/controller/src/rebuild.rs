//! One stripe mended: four pieces from their holders, what is missing made of them and put where it belongs.
//!
//! ```text
//! holder ×4 ── 256 KiB of each ──▶ controller ── 256 KiB of each missing piece ──▶ targets
//!                hashed             codes, hashes                                   verify, store
//!
//! at the end:  a source's hash is not its name        ─▶ its copy is struck off, nothing is stored
//!              what was made has another name         ─▶ the film lists parity that is none: it stays copies
//!              all fit                                 ─▶ targets finish
//! ```
//!
//! 256 KiB of ten pieces are in memory at a time. A target that fails loses its piece; the others go on, and what is still missing
//! is mended later.

use crate::registry::{Registry, State};
use bytes::{Bytes, BytesMut};
use chainflix_overlay::{
    Dialer,
    control::HeldCell,
    store::{PutStream, SealedStream, StoreError, StoreRefusal, get_cell, put_cell},
};
use chainflix_parity::{ParityError, Recovery, SLICE_BYTES};
use chainflix_placement::repair::{PieceAt, RebuildOrder};
use chainflix_primitives::{
    CellId, NodeId,
    stripe::{PARITY_BLOCK_BYTES, STRIPE_CELLS},
};
use futures::future::{join_all, try_join_all};
use tokio::task::{JoinError, spawn_blocking};
use tracing::{debug, info, warn};

/// Read of each source at a time: who is slow has it on the way before those who wait lose their patience.
const READ_BYTES: usize = 256 << 10;
const _: () = assert!(READ_BYTES <= SLICE_BYTES && READ_BYTES.is_multiple_of(PARITY_BLOCK_BYTES as usize));

/// Why a stripe is not mended now.
#[derive(Debug, thiserror::Error)]
enum RebuildError {
    /// A source does not give its piece, or it ends too early.
    #[error("a piece cannot be read")]
    Source(#[source] StoreError),
    /// A source has other bytes than it says.
    #[error("provider {node} gave other bytes as cell {cell}")]
    WrongBytes { node: NodeId, cell: CellId },
    /// Four right pieces give something that the film does not list.
    #[error("what was made as cell {cell} has another name")]
    WrongParity { cell: CellId },
    /// No target takes its piece.
    #[error("nobody takes what is made")]
    NoTarget,
    /// The order makes no sense to the code.
    #[error(transparent)]
    Code(#[from] ParityError),
    #[error("the coding task failed")]
    Task(#[from] JoinError),
}

/// Mends a stripe and tells the census how it went. Says whether anything was stored.
pub(crate) async fn run(registry: &Registry, dialer: &Dialer, order: RebuildOrder) -> bool {
    let mut stored = Vec::new();
    let result = rebuild(dialer, &order, &mut stored).await;
    match &result {
        Ok(()) => {
            let (pieces, of, urgent) = (stored.len(), order.to.len(), order.urgent);
            info!(pieces, of, urgent, first = %order.from[0].cell, "a stripe is mended");
        }
        Err(error) => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            warn!(%error, cause, first = %order.from[0].cell, "a stripe is not mended");
        }
    }
    let any = !stored.is_empty();
    let told = registry.step(move |state, now_ms| tell(state, now_ms, &order, &stored, result.err()));
    if told.await.is_err() {
        debug!("the controller stops; nobody keeps the census");
    }
    any
}

fn tell(state: &mut State, now_ms: u64, order: &RebuildOrder, stored: &[PieceAt], failed: Option<RebuildError>) {
    for piece in &order.to {
        match stored.contains(piece) {
            true => state.census.stored(&piece.node, held(piece), now_ms),
            false => state.census.given_up(&piece.node, &piece.cell, now_ms),
        }
    }
    match failed {
        Some(RebuildError::WrongBytes { node, cell }) => state.census.lost(&node, &cell, now_ms),
        Some(RebuildError::WrongParity { cell }) => state.census.refuse_parity(&cell, now_ms),
        Some(RebuildError::Source(StoreError::Refused { provider, refusal: StoreRefusal::NotHeld })) => {
            let piece = order.from.iter().find(|piece| piece.node == provider);
            piece.into_iter().for_each(|piece| state.census.lost(&provider, &piece.cell, now_ms));
        }
        _ => {}
    }
}

fn held(piece: &PieceAt) -> HeldCell {
    HeldCell { cell: piece.cell, size: piece.size.into() }
}

async fn rebuild(dialer: &Dialer, order: &RebuildOrder, stored: &mut Vec<PieceAt>) -> Result<(), RebuildError> {
    let given = order.from.map(|piece| usize::from(piece.number));
    let wanted: Vec<usize> = order.to.iter().map(|piece| piece.number.into()).collect();
    let mut recovery = Recovery::new(given, &wanted)?;
    let opened = order.from.map(|piece| Source::open(dialer, piece));
    let mut sources = try_join_all(opened).await?;
    let mut targets = join_all(order.to.iter().map(|piece| Target::open(dialer, *piece))).await;
    let pieces = order.from.iter().chain(&order.to).map(|piece| u64::from(piece.size));
    let piece_bytes = pieces.max().unwrap_or_default().next_multiple_of(PARITY_BLOCK_BYTES);
    let mut at = 0;
    while at < piece_bytes && targets.iter().any(|target| target.put.is_some()) {
        // No longer than a slice.
        let length = (piece_bytes - at).min(READ_BYTES as u64) as usize;
        let read = try_join_all(sources.iter_mut().map(|source| source.slice(length))).await?;
        let made;
        (recovery, made) = spawn_blocking(move || {
            let given: [&[u8]; STRIPE_CELLS] = std::array::from_fn(|number| read[number].as_slice());
            recovery.slice(given).map(|made| (recovery, made))
        })
        .await??;
        join_all(targets.iter_mut().zip(made).map(|(target, bytes)| target.take(at, bytes))).await;
        at += length as u64;
    }
    // Without a target left, what was read is not whole.
    if at >= piece_bytes {
        sources.iter().try_for_each(Source::check)?;
        targets.iter().try_for_each(Target::check)?;
    }
    stored.extend(join_all(targets.into_iter().map(Target::finish)).await.into_iter().flatten());
    if stored.is_empty() { Err(RebuildError::NoTarget) } else { Ok(()) }
}

/// A piece that is read.
struct Source {
    piece: PieceAt,
    stream: SealedStream,
    /// What came beyond the last slice.
    rest: BytesMut,
    hasher: blake3::Hasher,
}

impl Source {
    async fn open(dialer: &Dialer, piece: PieceAt) -> Result<Self, RebuildError> {
        let stream = get_cell(dialer, piece.node, piece.cell).await.map_err(RebuildError::Source)?;
        if stream.size() != u64::from(piece.size) {
            return Err(RebuildError::WrongBytes { node: piece.node, cell: piece.cell });
        }
        Ok(Self { piece, stream, rest: BytesMut::new(), hasher: blake3::Hasher::new() })
    }

    /// The next bytes of the piece, with zeros behind its end.
    async fn slice(&mut self, length: usize) -> Result<Vec<u8>, RebuildError> {
        while self.rest.len() < length {
            let Some(bytes) = self.stream.next().await.map_err(RebuildError::Source)? else { break };
            self.hasher.update(&bytes);
            self.rest.extend_from_slice(&bytes);
        }
        let mut slice = self.rest.split_to(length.min(self.rest.len())).to_vec();
        slice.resize(length, 0);
        Ok(slice)
    }

    fn check(&self) -> Result<(), RebuildError> {
        match self.hasher.finalize() == self.piece.cell.0 {
            true => Ok(()),
            false => Err(RebuildError::WrongBytes { node: self.piece.node, cell: self.piece.cell }),
        }
    }
}

/// A piece that is made.
struct Target {
    piece: PieceAt,
    /// Where it goes, as long as it is taken there.
    put: Option<PutStream>,
    /// Whether it was there before.
    held: bool,
    hasher: blake3::Hasher,
}

impl Target {
    async fn open(dialer: &Dialer, piece: PieceAt) -> Self {
        let (put, held) = match put_cell(dialer, piece.node, piece.cell, piece.size.into()).await {
            Ok(Some(put)) => (Some(put), false),
            Ok(None) => (None, true),
            Err(error) => {
                warn!(cell = %piece.cell, provider = %piece.node, %error, "a provider does not take a piece");
                (None, false)
            }
        };
        Self { piece, put, held, hasher: blake3::Hasher::new() }
    }

    /// Takes what was made from `at` on, without the zeros behind its end.
    async fn take(&mut self, at: u64, made: Vec<u8>) {
        let left = u64::from(self.piece.size).saturating_sub(at);
        let mut bytes = Bytes::from(made);
        // No longer than it was.
        bytes.truncate(left.min(bytes.len() as u64) as usize);
        self.hasher.update(&bytes);
        let Some(put) = self.put.as_mut().filter(|_| !bytes.is_empty()) else { return };
        if let Err(error) = put.write(bytes).await {
            warn!(cell = %self.piece.cell, provider = %self.piece.node, %error, "a provider does not take a piece");
            self.put = None;
        }
    }

    fn check(&self) -> Result<(), RebuildError> {
        match self.hasher.finalize() == self.piece.cell.0 {
            true => Ok(()),
            false => Err(RebuildError::WrongParity { cell: self.piece.cell }),
        }
    }

    async fn finish(self) -> Option<PieceAt> {
        if self.held {
            return Some(self.piece);
        }
        match self.put?.finish().await {
            Ok(()) => Some(self.piece),
            Err(error) => {
                warn!(cell = %self.piece.cell, provider = %self.piece.node, %error, "a provider does not keep a piece");
                None
            }
        }
    }
}
