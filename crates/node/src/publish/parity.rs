//! Names the parity of a film's stripes.
//!
//! ```text
//! four cells on disk ─ a slice of each ─ CellKey ─▶ sealed ─ code ─▶ six slices ─ BLAKE3 ─▶ six names for the manifest
//! ```
//!
//! Only names come of it. Whoever keeps the film as stripes one day computes parity cells from the sealed ones, and knows by
//! these names that they are right. A slice of each piece is in memory at a time, two or three MiB in all.

use super::Progress;
use anyhow::{Context as _, Result, ensure};
use chainflix_cell::Keystream;
use chainflix_media::PackagedCell;
use chainflix_parity::{CELL_PIECES, PARITY_PIECES, Recovery, SLICE_BYTES};
use chainflix_primitives::{
    CellId, VideoSecret,
    stripe::{STRIPE_CELLS, STRIPE_PARITY, Stripe},
};
use std::{
    array,
    fs::File,
    io::{self, Read},
    path::PathBuf,
};
use tokio::task::spawn_blocking;

/// Bytes of each cell that are in memory at a time.
const READ_BYTES: u64 = 128 << 10;

const _: () = assert!(READ_BYTES <= SLICE_BYTES as u64);

/// The names of the parity cells of each stripe of a film, in the stripes' order; none where it has too few cells. `sealed`
/// are the names under which its cells were uploaded.
pub(super) async fn parity_names(
    cells: &[PackagedCell],
    sealed: &[CellId],
    secret: &VideoSecret,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Vec<[CellId; STRIPE_PARITY]>> {
    let sizes: Vec<u64> = cells.iter().map(|cell| cell.size).collect();
    let stripes = Stripe::of(&sizes);
    let total_bytes = stripes.iter().flat_map(|stripe| stripe.cells).map(|index| sizes[index as usize]).sum();
    let mut done_bytes = 0;
    let mut names = Vec::with_capacity(stripes.len());
    for stripe in stripes {
        progress(Progress::Coding { done_bytes, total_bytes });
        let sources = stripe.cells.map(|index| {
            let cell = &cells[index as usize];
            done_bytes += cell.size;
            let (path, id) = (cell.path.clone(), sealed[index as usize]);
            Source { path, id, size: cell.size, layer: Keystream::sealing(&secret.cell_key(index)) }
        });
        names.push(spawn_blocking(move || names_of(sources, stripe.parity_bytes)).await??);
        progress(Progress::Coding { done_bytes, total_bytes });
    }
    Ok(names)
}

/// A cell that lies unsealed on a disk.
struct Source {
    path: PathBuf,
    id: CellId,
    size: u64,
    layer: Keystream,
}

/// A cell while it is read, sealed, from its first byte on.
struct Sealed {
    source: Source,
    file: File,
    left_bytes: u64,
    hasher: blake3::Hasher,
}

impl Sealed {
    fn open(source: Source) -> Result<Self> {
        let file = File::open(&source.path).with_context(|| format!("cannot read {}", source.path.display()))?;
        Ok(Self { file, left_bytes: source.size, hasher: blake3::Hasher::new(), source })
    }

    /// The next `length` bytes, which stand at `offset`. Behind the cell are zeros that nobody sealed.
    fn slice(&mut self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        // At most `length`.
        let of_cell = self.left_bytes.min(length as u64) as usize;
        let cell = &mut bytes[..of_cell];
        self.file.read_exact(cell)?;
        self.source.layer.apply(offset, cell);
        self.hasher.update(cell);
        self.left_bytes -= of_cell as u64;
        Ok(bytes)
    }

    /// Whether what was read is what was uploaded: parity of other bytes would keep the film from ever being a stripe.
    fn check(&self) -> Result<()> {
        let path = self.source.path.display();
        ensure!(self.hasher.finalize() == self.source.id.0, "{path} is not what it was when it was uploaded");
        Ok(())
    }
}

fn names_of(sources: [Source; STRIPE_CELLS], parity_bytes: u64) -> Result<[CellId; STRIPE_PARITY]> {
    let [a, b, c, d] = sources.map(Sealed::open);
    let mut cells = [a?, b?, c?, d?];
    let mut recovery = Recovery::new(CELL_PIECES, &PARITY_PIECES)?;
    let mut hashers: [blake3::Hasher; STRIPE_PARITY] = array::from_fn(|_| blake3::Hasher::new());
    let mut offset = 0;
    while offset < parity_bytes {
        // At most READ_BYTES.
        let length = READ_BYTES.min(parity_bytes - offset) as usize;
        let [a, b, c, d] = cells.each_mut().map(|cell| cell.slice(offset, length));
        let parity = recovery.slice([&a?, &b?, &c?, &d?])?;
        for (hasher, slice) in hashers.iter_mut().zip(parity) {
            hasher.update(&slice);
        }
        offset += length as u64;
    }
    cells.iter().try_for_each(Sealed::check)?;
    Ok(hashers.map(|hasher| CellId(hasher.finalize().into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_parity::padded_slice;
    use std::{path::Path, sync::Mutex};

    fn packaged(folder: &Path, sizes: &[usize]) -> Vec<PackagedCell> {
        let cell = |(number, size): (usize, &usize)| {
            let path = folder.join(format!("{number}.cell"));
            std::fs::write(&path, vec![number as u8 + 1; *size]).unwrap();
            PackagedCell { path, size: *size as u64, start_ms: 0, duration_ms: 1, fragments: vec![] }
        };
        sizes.iter().enumerate().map(cell).collect()
    }

    fn sealed(cell: &PackagedCell, index: u32, secret: &VideoSecret) -> Vec<u8> {
        let mut bytes = std::fs::read(&cell.path).unwrap();
        Keystream::sealing(&secret.cell_key(index)).apply(0, &mut bytes);
        bytes
    }

    fn ids(cells: &[PackagedCell], secret: &VideoSecret) -> Vec<CellId> {
        (0..).zip(cells).map(|(index, cell)| CellId(blake3::hash(&sealed(cell, index, secret)).into())).collect()
    }

    #[tokio::test]
    async fn the_names_are_those_of_the_parity_of_the_sealed_cells() {
        let folder = tempfile::tempdir().unwrap();
        let read = READ_BYTES as usize;
        // One ends before, one at, one behind the border of what is read at a time; the largest in no whole block.
        let cells = packaged(folder.path(), &[40, read, 70, 2 * read + 77, 50, 60, 300, read + 1, 7]);
        let secret = VideoSecret::from_bytes([3; 32]);
        let told = Mutex::new(Vec::new());
        let ids = ids(&cells, &secret);
        let names = parity_names(&cells, &ids, &secret, &|at| told.lock().unwrap().push(at)).await.unwrap();

        let stripes = [([3, 7, 1, 6], 2 * read + 128), ([2, 5, 4, 0], 128)];
        assert_eq!(names.len(), stripes.len());
        for ((of_stripe, length), names) in stripes.into_iter().zip(names) {
            let whole = of_stripe.map(|index| sealed(&cells[index as usize], index, &secret));
            let whole = whole.each_ref().map(|cell| padded_slice(cell, 0, length));
            let mut recovery = Recovery::new(CELL_PIECES, &PARITY_PIECES).unwrap();
            let parity = recovery.slice(whole.each_ref().map(|cell| &cell[..])).unwrap();
            let expected: Vec<_> = parity.iter().map(|bytes| CellId(blake3::hash(bytes).into())).collect();
            assert_eq!(names.to_vec(), expected);
        }
        let total_bytes = cells[..8].iter().map(|cell| cell.size).sum();
        let told = told.into_inner().unwrap();
        assert_eq!(told.first(), Some(&Progress::Coding { done_bytes: 0, total_bytes }));
        assert_eq!(told.last(), Some(&Progress::Coding { done_bytes: total_bytes, total_bytes }));
    }

    #[tokio::test]
    async fn a_film_of_three_cells_has_no_parity_and_a_cell_that_is_gone_or_another_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let secret = VideoSecret::from_bytes([4; 32]);
        let mut cells = packaged(folder.path(), &[5, 6, 7, 8]);
        let ids = ids(&cells, &secret);
        let none = parity_names(&cells[..3], &ids[..3], &secret, &|_| ()).await.unwrap();
        assert_eq!(none, [[CellId([0; 32]); STRIPE_PARITY]; 0]);
        let told = async |cells: &[PackagedCell]| {
            let error = parity_names(cells, &ids, &secret, &|_| ()).await.unwrap_err();
            format!("{error:#}")
        };
        cells[3].path = folder.path().join("gone");
        assert!(told(&cells).await.contains("gone"));
        cells[3] = PackagedCell { size: 9, ..cells[1].clone() };
        assert!(told(&cells).await.contains("fill"), "a file that is shorter than its cell");
        let other = packaged(folder.path(), &[5, 6, 7, 8]);
        std::fs::write(&other[0].path, [9; 5]).unwrap();
        assert!(told(&other).await.contains("0.cell is not what it was"));
    }
}
