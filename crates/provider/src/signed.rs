//! What this provider signed for, and the proof of it for where a viewer signed for something else.
//!
//! ```text
//! receipt ─▶ kept: its words and the DownloadKey ─▶ forgotten when no validator takes evidence any more
//!               │ asked: chunk hashes, or one chunk
//!               └─▶ cell from the disk, checked ─▶ under the DownloadKey again ─▶ hashed ─▶ Evidence, signed
//! ```
//!
//! Delivered bytes are not kept: the cell, the key and the range give them again, byte for byte. A record takes some
//! 300 bytes, in memory; a restart forgets all. So does a cell that was deleted meanwhile: then there is no evidence, and
//! silence is all that is left, which wins nothing and costs nothing but this delivery's pay.

use crate::store::{ReadError, Store};
use chainflix_cell::{ChunkHasher, Keystream};
use chainflix_primitives::{
    AccountKey, CHUNK_BYTES, CellId, DownloadKey, Evidence, GrantId, OpenedChunk, Receipt, Signed,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::task::{JoinError, spawn_blocking};

/// Most receipts kept; the one that is forgotten first gives way. Enough for 10 Gbit/s in cells of 15 MB.
const SIGNED_MAX: usize = 1 << 15;
/// How often evidence is made for one receipt: twice in a dispute, and some more where validators do not hear it. Each
/// time the whole range is read again, so nobody can have that done without end.
const PROOFS_MAX: u8 = 8;
/// Chunks read at a time.
const FRAME_CHUNKS: u64 = 8;

/// Why there is no evidence for a delivery.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Nothing was signed for it, or long ago, or before a restart.
    #[error("no receipt for grant {grant} is kept")]
    NotSigned { grant: GrantId },
    /// It was made often enough.
    #[error("evidence for grant {grant} was made {PROOFS_MAX} times")]
    Spent { grant: GrantId },
    /// The cell was deleted after the delivery.
    #[error("cell {cell} is not held any more")]
    NotHeld { cell: CellId },
    /// The chunk is not in the cell.
    #[error("cell {cell} has no chunk {chunk}")]
    NoChunk { cell: CellId, chunk: u32 },
    /// The cell cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The process is ending.
    #[error("making evidence was interrupted")]
    Task(#[from] JoinError),
}

/// A receipt, and what it takes to prove it.
#[derive(Clone, Debug)]
struct Kept {
    receipt: Receipt,
    key: DownloadKey,
    proofs: u8,
}

/// The receipts of a provider, as long as they may have to be proved.
#[derive(Debug)]
pub(crate) struct SignedReceipts {
    account: AccountKey,
    /// [`SIGNED_MAX`], or less in a test.
    most: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_grant: HashMap<GrantId, Kept>,
    by_time: BTreeSet<(u64, GrantId)>,
}

impl SignedReceipts {
    pub(crate) fn new(account: AccountKey) -> Self {
        Self::with_room(account, SIGNED_MAX)
    }

    fn with_room(account: AccountKey, most: usize) -> Self {
        Self { account, most, table: Mutex::default() }
    }

    /// Signs for a delivery, and keeps what proves it until `until_ms`. `None` when its grant has a receipt already: the
    /// first is the one that validators know, and another would not be kept there.
    pub(crate) fn sign(&self, receipt: Receipt, key: DownloadKey, until_ms: u64) -> Option<Signed<Receipt>> {
        let mut table = self.table();
        if table.by_grant.contains_key(&receipt.grant) {
            return None;
        }
        if table.by_grant.len() >= self.most {
            table.forget_first();
        }
        table.by_time.insert((until_ms, receipt.grant));
        table.by_grant.insert(receipt.grant, Kept { receipt: receipt.clone(), key, proofs: 0 });
        drop(table);
        Some(Signed::new(receipt, &self.account))
    }

    /// How many receipts may still have to be proved.
    pub(crate) fn kept(&self, now_ms: u64) -> usize {
        let mut table = self.table();
        table.expire(now_ms);
        table.by_grant.len()
    }

    /// Proves what was signed for `grant`; with `chunk` of the cell opened, once it is known where the viewer's hashes
    /// differ.
    pub(crate) async fn evidence(
        &self,
        store: Arc<Store>,
        now_ms: u64,
        grant: GrantId,
        chunk: Option<u32>,
    ) -> Result<Signed<Evidence>, EvidenceError> {
        let kept = self.take(now_ms, grant)?;
        let made = spawn_blocking(move || make(&store, &kept, chunk)).await?;
        Ok(Signed::new(made?, &self.account))
    }

    fn take(&self, now_ms: u64, grant: GrantId) -> Result<Kept, EvidenceError> {
        let mut table = self.table();
        table.expire(now_ms);
        let kept = table.by_grant.get_mut(&grant).ok_or(EvidenceError::NotSigned { grant })?;
        if kept.proofs >= PROOFS_MAX {
            return Err(EvidenceError::Spent { grant });
        }
        kept.proofs += 1;
        Ok(kept.clone())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every step leaves the table whole, so a panic elsewhere does not spoil it.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget_first(&mut self) {
        if let Some((_, grant)) = self.by_time.pop_first() {
            self.by_grant.remove(&grant);
        }
    }

    fn expire(&mut self, now_ms: u64) {
        while self.by_time.first().is_some_and(|(until_ms, _)| *until_ms <= now_ms) {
            self.forget_first();
        }
    }
}

/// Makes the delivered bytes again and hashes them. Blocks on the disk.
fn make(store: &Store, kept: &Kept, chunk: Option<u32>) -> Result<Evidence, EvidenceError> {
    let Kept { receipt, key, .. } = kept;
    let cell = receipt.cell;
    let stored = store.read(&cell)?.ok_or(EvidenceError::NotHeld { cell })?;
    let read = |offset, chunks| {
        stored.chunks(offset, chunks).inspect_err(|error| {
            // A chunk that rotted since the delivery: the cell must not be served any more.
            store.judge(&cell, error);
        })
    };
    let keystream = Keystream::delivery(key);
    let mut hasher = ChunkHasher::new();
    let mut offset = receipt.start;
    // Every frame has bytes: what was signed for lies inside the cell.
    while offset < receipt.end {
        let chunks = (receipt.end - offset).div_ceil(CHUNK_BYTES).min(FRAME_CHUNKS);
        let mut frame = read(offset, chunks)?;
        keystream.apply(offset, &mut frame);
        hasher.update(&frame);
        offset += frame.len() as u64;
    }
    let open = |chunk| {
        let no_chunk = || EvidenceError::NoChunk { cell, chunk };
        let path = stored.hashes().path(chunk).ok_or_else(no_chunk)?;
        Ok::<_, EvidenceError>((chunk, OpenedChunk { sealed: read(u64::from(chunk) * CHUNK_BYTES, 1)?, path }))
    };
    let opened = chunk.map(open).transpose()?;
    Ok(Evidence { grant: receipt.grant, hashes: hasher.finish().encode(), opened, download_key: *key.expose() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{AccountAddress, Digest};

    fn receipt(grant: u8) -> Receipt {
        Receipt {
            grant: GrantId([grant; 16]),
            viewer: AccountAddress([1; 20]),
            provider: AccountAddress([2; 20]),
            cell: CellId([3; 32]),
            start: 0,
            end: 1,
            delivered_hash: Digest([4; 32]),
        }
    }

    fn table(most: usize) -> SignedReceipts {
        SignedReceipts::with_room(AccountKey::from_bytes(&[5; 32]).unwrap(), most)
    }

    fn sign(signed: &SignedReceipts, grant: u8, until_ms: u64) -> bool {
        signed.sign(receipt(grant), DownloadKey::from_bytes([6; 32]), until_ms).is_some()
    }

    #[test]
    fn a_receipt_is_kept_until_its_time_and_the_first_to_go_gives_way() {
        let signed = table(2);
        assert!(sign(&signed, 1, 200) && sign(&signed, 2, 100));
        assert!(!sign(&signed, 1, 900), "one word for one grant");
        assert!(sign(&signed, 3, 300), "the second one gives way");
        let missing = |grant| matches!(signed.take(0, GrantId([grant; 16])), Err(EvidenceError::NotSigned { .. }));
        assert_eq!([1, 2, 3].map(missing), [false, true, false]);
        assert_eq!((signed.kept(199), signed.kept(200), signed.kept(300)), (2, 1, 0));
        assert!(sign(&signed, 1, 400), "forgotten with its time");
    }

    #[test]
    fn nobody_has_a_disk_read_without_end() {
        let signed = table(2);
        assert!(sign(&signed, 1, 200) && sign(&signed, 2, 200));
        for _ in 0..PROOFS_MAX {
            assert_eq!(signed.take(0, GrantId([1; 16])).unwrap().receipt, receipt(1));
        }
        assert!(matches!(signed.take(0, GrantId([1; 16])), Err(EvidenceError::Spent { .. })));
        assert!(signed.take(0, GrantId([2; 16])).is_ok(), "of others there is some left");
    }
}
