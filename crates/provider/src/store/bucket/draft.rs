//! A cell on its way to an object store.
//!
//! ```text
//! up to 8 MiB:  bytes in memory ───────────────────────────▶ hashes, then the cell in one request
//! more:         begin ─▶ part ─▶ part ─▶ … (8 MiB each) ───▶ hashes, then the last part, then complete
//! given up:     abort, and what was put is deleted
//! ```
//!
//! Nothing is begun there before the first part is full, so a cell that is given up early costs no request.

use super::{Key, Line};
use bytes::Bytes;
use chainflix_primitives::CellId;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};
use std::{io, sync::Arc};
use tokio::sync::Mutex;
use tracing::warn;

/// Bytes of a part. S3 takes 5 MiB at least; some that speak like it want all but the last to be the same.
pub(super) const PART_BYTES: usize = 8 << 20;

/// An upload in parts. Shared with the request that runs, so that one that was not answered can still be aborted.
type Upload = Arc<Mutex<Box<dyn MultipartUpload>>>;

/// A cell that is being written to an object store.
pub struct ObjectDraft {
    line: Arc<Line>,
    cell: CellId,
    /// What it costs when it is there.
    footprint_bytes: u64,
    part: Vec<u8>,
    upload: Option<Upload>,
    /// Something of it may be visible.
    is_placed: bool,
}

impl std::fmt::Debug for ObjectDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectDraft").field("line", &self.line).field("cell", &self.cell).finish_non_exhaustive()
    }
}

impl ObjectDraft {
    pub fn new(line: Arc<Line>, cell: CellId, footprint_bytes: u64) -> Self {
        Self { line, cell, footprint_bytes, part: Vec::new(), upload: None, is_placed: false }
    }

    /// Takes the next bytes; the caller sees to it that they are not more than a cell may have.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while self.part.len() + bytes.len() > PART_BYTES {
            let (now, later) = bytes.split_at(PART_BYTES - self.part.len());
            self.part.extend_from_slice(now);
            bytes = later;
            self.send_part()?;
        }
        self.part.extend_from_slice(bytes);
        Ok(())
    }

    /// The order makes the cell's own name the last to appear.
    pub fn settle(&mut self, hashes: &[u8]) -> io::Result<()> {
        self.is_placed = true;
        self.put(self.line.hashes_key(&self.cell), Bytes::copy_from_slice(hashes))?;
        match self.upload.clone() {
            None => {
                let bytes = std::mem::take(&mut self.part);
                self.put(self.line.cell_key(&self.cell), bytes.into())?;
            }
            Some(upload) => {
                // Never empty: a part is sent when the next byte comes.
                self.send_part()?;
                self.line.ask(async move { upload.lock().await.complete().await.map(|_| ()) })?;
            }
        }
        (self.is_placed, self.upload) = (false, None);
        Ok(())
    }

    /// Removes what is not settled; answers how many bytes may be left.
    pub fn abandon(&mut self) -> u64 {
        let mut gone = Ok(());
        if let Some(upload) = self.upload.take() {
            gone = self.line.ask(async move { upload.lock().await.abort().await });
        }
        if std::mem::take(&mut self.is_placed) {
            // The cell too: a request that was not answered may have been carried out.
            let keys = [self.line.cell_key(&self.cell), self.line.hashes_key(&self.cell)];
            gone = keys.into_iter().fold(gone, |gone, key| gone.and(self.line.delete(key)));
        }
        gone.map_or_else(
            |error| {
                warn!(cell = %self.cell, %error, "an unfinished cell may stay in the object store until the next start");
                self.footprint_bytes
            },
            |()| 0,
        )
    }

    fn send_part(&mut self) -> io::Result<()> {
        let upload = match &self.upload {
            Some(upload) => upload.clone(),
            None => {
                let (objects, key) = (self.line.objects.clone(), self.line.cell_key(&self.cell));
                let upload = self.line.ask(async move { objects.put_multipart(&key).await })?;
                self.upload.insert(Arc::new(Mutex::new(upload))).clone()
            }
        };
        let part = PutPayload::from(std::mem::take(&mut self.part));
        self.line.ask(async move {
            let sent = upload.lock().await.put_part(part);
            sent.await
        })
    }

    fn put(&self, key: Key, bytes: Bytes) -> io::Result<()> {
        let objects = self.line.objects.clone();
        self.line.ask(async move { objects.put(&key, bytes.into()).await.map(|_| ()) })
    }
}
