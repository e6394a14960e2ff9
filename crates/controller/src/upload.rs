//! A creator's sealed cell onto its first disks, while it comes.
//!
//! ```text
//! admitted? ─▶ enough copies? ─yes─▶ Stored
//!                 │no
//!                 ▼
//!              place ─▶ open a put at each target (one that fails is replaced)
//!                 ▼
//!              SendBytes; every piece goes to every target side by side; the slowest sets the pace
//!                 ▼
//!              all say Stored? ─no, some─▶ copy from one that did ─▶ Stored, or TooFewCopies
//! ```
//!
//! Nothing of a cell stays on the controller. An upload that breaks off leaves no cell anywhere, or whole ones that the
//! creator's next attempt finds in place.

use crate::{
    authority::Authority,
    census::Placing,
    copy::{self, CopyJob},
    registry::{Registry, State, Stopped},
};
use chainflix_overlay::{
    Dialer, PeerStream, StreamError,
    control::{CellUpload, ControlAnswer, ControlRefusal, HeldCell},
    store::{PutStream, STORE_CHUNK_BYTES, StoreError, StoreRefusal, put_cell},
};
use chainflix_primitives::{CELL_BYTES_MAX, CellId, NodeId, Signed};
use futures::future::join_all;
use tracing::{debug, warn};

/// Rounds of finding replacements for targets that do not take a put.
const ROUNDS_MAX: usize = 4;
/// Longest life of an upload's signature, in milliseconds: a day.
const LIFE_MS_MAX: u64 = 86_400_000;

/// Why an upload ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error(transparent)]
    Refused(#[from] ControlRefusal),
    #[error("the publisher went away")]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

pub(crate) struct Uploader<'a> {
    pub registry: &'a Registry,
    pub dialer: &'a Dialer,
    pub authority: &'a dyn Authority,
    pub copies: usize,
    pub now_ms: u64,
}

impl Uploader<'_> {
    /// Takes the cell; answers with the number of living copies, at least as many as are wanted.
    pub(crate) async fn take(&self, stream: &mut PeerStream, upload: Signed<CellUpload>) -> Result<u32, UploadError> {
        self.check(&upload).await?;
        let CellUpload { cell, size, .. } = upload.body;
        if !self.registry.step(move |state, _| state.census.begin(&cell)).await? {
            return Err(ControlRefusal::Busy.into());
        }
        let taken = self.fly(stream, cell, size).await;
        self.registry.step(move |state, _| state.census.end(&cell)).await?;
        taken
    }

    async fn fly(&self, stream: &mut PeerStream, cell: CellId, size: u64) -> Result<u32, UploadError> {
        let mut flight = Flight { cell, size, copies: 0, open: Vec::new(), stored: Vec::new(), failed: Vec::new() };
        let taken = match self.open(&mut flight).await {
            Ok(()) if flight.open.is_empty() => Ok(()),
            Ok(()) => self.receive(stream, &mut flight).await,
            Err(error) => Err(error),
        };
        // Whatever happened, promises that were not kept are given back.
        let unkept: Vec<NodeId> = flight.open.drain(..).map(|(node, _)| node).collect();
        let give_up = move |state: &mut State, now_ms| {
            unkept.iter().for_each(|node| state.census.given_up(node, &cell, now_ms));
        };
        self.registry.step(give_up).await?;
        taken?;
        self.top_up(&mut flight).await?;
        match flight.reached() {
            copies if copies >= self.copies => Ok(count(copies)),
            copies => Err(ControlRefusal::TooFewCopies { copies: count(copies), wanted: count(self.copies) }.into()),
        }
    }

    async fn check(&self, upload: &Signed<CellUpload>) -> Result<(), ControlRefusal> {
        let body = &upload.body;
        if body.size == 0 || body.size > CELL_BYTES_MAX {
            return Err(ControlRefusal::Malformed);
        }
        if body.expires_ms <= self.now_ms || body.expires_ms - self.now_ms > LIFE_MS_MAX {
            return Err(ControlRefusal::Expired);
        }
        upload.verify(&body.account).map_err(|_| ControlRefusal::Forged)?;
        match self.authority.may_publish(body.account).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ControlRefusal::NotAdmitted),
            Err(error) => Err(error.refusal()),
        }
    }

    /// Finds targets and begins a put at each.
    async fn open(&self, flight: &mut Flight) -> Result<(), UploadError> {
        let (cell, size) = (flight.cell, flight.size);
        for _ in 0..ROUNDS_MAX {
            let placing = self.place(flight).await?;
            // The census counts what was stored in an earlier round, and so do we.
            flight.copies = placing.copies.saturating_sub(flight.stored.len());
            let none_left = placing.targets.is_empty();
            let targets = placing.targets.into_iter();
            let puts = targets.map(|node| async move { (node, put_cell(self.dialer, node, cell, size).await) });
            for (node, put) in join_all(puts).await {
                match put {
                    Ok(Some(put)) => flight.open.push((node, put)),
                    Ok(None) => self.stored(flight, node).await?,
                    Err(error) => self.failed(flight, node, &error).await?,
                }
            }
            if flight.reached() >= self.copies || none_left {
                break;
            }
        }
        match flight.reached() {
            reached if reached >= self.copies => Ok(()),
            _ => Err(ControlRefusal::NoRoom.into()),
        }
    }

    /// Moves the bytes from the publisher to all open puts, and ends those.
    async fn receive(&self, stream: &mut PeerStream, flight: &mut Flight) -> Result<(), UploadError> {
        stream.write_frame(&ControlAnswer::SendBytes).await?;
        let mut left = flight.size;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(STORE_CHUNK_BYTES).min(STORE_CHUNK_BYTES);
            let bytes = stream.read_chunk(wanted).await?.ok_or(StreamError::Ended)?;
            left -= bytes.len() as u64;
            let writes = flight.open.iter_mut().map(|(node, put)| {
                let bytes = bytes.clone();
                async move { put.write(bytes).await.err().map(|error| (*node, error)) }
            });
            let broken: Vec<_> = join_all(writes).await.into_iter().flatten().collect();
            for (node, error) in broken {
                flight.open.retain(|(open, _)| *open != node);
                self.failed(flight, node, &error).await?;
            }
            if flight.open.is_empty() {
                break;
            }
        }
        let ends = flight.open.drain(..).map(|(node, put)| async move { (node, put.finish().await) });
        let mut wrong = false;
        for (node, end) in join_all(ends).await {
            match end {
                Ok(()) => self.stored(flight, node).await?,
                Err(error) => {
                    wrong |= matches!(error, StoreError::Refused { refusal: StoreRefusal::WrongBytes, .. });
                    self.failed(flight, node, &error).await?;
                }
            }
        }
        // Where one target found the name right, another's complaint is about itself.
        if wrong && flight.stored.is_empty() { Err(ControlRefusal::WrongBytes.into()) } else { Ok(()) }
    }

    /// Replaces targets that failed on the way by copies from one that did not.
    async fn top_up(&self, flight: &mut Flight) -> Result<(), UploadError> {
        let (cell, size) = (flight.cell, flight.size);
        for _ in 0..ROUNDS_MAX {
            let Some(from) = flight.stored.first().copied() else { return Ok(()) };
            if flight.reached() >= self.copies {
                return Ok(());
            }
            let placing = self.place(flight).await?;
            if placing.targets.is_empty() {
                return Ok(());
            }
            for to in placing.targets {
                match copy::run(self.registry, self.dialer, CopyJob { cell: HeldCell { cell, size }, from, to }).await {
                    true => flight.stored.push(to),
                    false => flight.failed.push(to),
                }
            }
        }
        Ok(())
    }

    /// Finds places for the copies that are missing, next to those that are on their way.
    async fn place(&self, flight: &Flight) -> Result<Placing, Stopped> {
        let (cell, unwanted) = (HeldCell { cell: flight.cell, size: flight.size }, flight.failed.clone());
        let place = move |state: &mut State, now_ms| {
            let seed = state.draw();
            state.census.place(cell, &unwanted, &seed, now_ms)
        };
        self.registry.step(place).await
    }

    async fn stored(&self, flight: &mut Flight, node: NodeId) -> Result<(), Stopped> {
        let (cell, size) = (flight.cell, flight.size);
        debug!(%cell, provider = %node, "stored");
        flight.stored.push(node);
        self.registry.step(move |state, now_ms| state.census.stored(&node, HeldCell { cell, size }, now_ms)).await
    }

    async fn failed(&self, flight: &mut Flight, node: NodeId, error: &StoreError) -> Result<(), Stopped> {
        let cell = flight.cell;
        warn!(cell = %flight.cell, provider = %node, %error, "a provider did not take a cell");
        flight.failed.push(node);
        self.registry.step(move |state, now_ms| state.census.given_up(&node, &cell, now_ms)).await
    }
}

/// One upload under way.
struct Flight {
    cell: CellId,
    size: u64,
    /// Living copies that were there before.
    copies: usize,
    open: Vec<(NodeId, PutStream)>,
    stored: Vec<NodeId>,
    failed: Vec<NodeId>,
}

impl Flight {
    /// Copies there will be if all open puts end well.
    fn reached(&self) -> usize {
        self.copies + self.stored.len() + self.open.len()
    }
}

fn count(copies: usize) -> u32 {
    u32::try_from(copies).unwrap_or(u32::MAX)
}
