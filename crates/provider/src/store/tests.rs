//! The store on a disk that is full, rotten, or was left in the middle of something.

use super::*;
use std::os::unix::fs::FileExt;

fn sealed(size: usize) -> (CellId, Vec<u8>) {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&size.to_le_bytes()).finalize_xof().fill(&mut bytes);
    (ChunkHashes::of(&bytes).root(), bytes)
}

fn put(store: &Arc<Store>, cell: CellId, bytes: &[u8]) -> Result<(), PutError> {
    match store.put(cell, bytes.len() as u64)? {
        Put::Held => Ok(()),
        Put::Write(mut incoming) => {
            bytes.chunks(10_000).try_for_each(|part| incoming.write(part))?;
            incoming.commit()
        }
    }
}

#[test]
fn a_restart_keeps_whole_cells_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (cell, bytes) = sealed(100_000);
    let store = Store::open(folder.path(), 1 << 20).unwrap();
    put(&store, cell, &bytes).unwrap();
    let used = store.usage();
    assert_eq!((used.cells, used.used_bytes), (1, 100_000 + 7 * 32));
    // What a crash can leave: a half in tmp, hashes without a cell, a cell without hashes.
    let Put::Write(half) = store.put(sealed(5).0, 5).unwrap() else { unreachable!() };
    std::mem::forget(half);
    let (orphan, _) = sealed(7);
    fs::create_dir_all(store.cell_folder(&orphan)).unwrap();
    fs::write(store.hashes_path(&orphan), [0; 32]).unwrap();
    let (bare, _) = sealed(8);
    fs::create_dir_all(store.cell_folder(&bare)).unwrap();
    fs::write(store.cell_path(&bare), [0; 8]).unwrap();
    let (orphan_path, bare_path) = (store.hashes_path(&orphan), store.cell_path(&bare));
    // The forgotten put keeps the old store alive, and with it the lock.
    store._lock.unlock().unwrap();

    let store = Store::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(store.usage(), used);
    assert_eq!(store.cells(), [HeldCell { cell, size: 100_000 }]);
    assert!(!orphan_path.exists() && !bare_path.exists());
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    let stored = store.read(&cell).unwrap().unwrap();
    assert_eq!(stored.chunks(0, 100).unwrap(), bytes);
    assert_eq!(stored.chunks(98_304, 1).unwrap(), bytes[98_304..]);
}

#[test]
fn the_quota_counts_what_is_promised_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 100_000).unwrap();
    let (first, bytes) = sealed(60_000);
    let Put::Write(promised) = store.put(first, 60_000).unwrap() else { unreachable!() };
    let (second, _) = sealed(50_000);
    assert!(matches!(store.put(second, 50_000), Err(PutError::NoRoom { free_bytes: 39_872, .. })));
    assert!(matches!(store.put(first, 1), Err(PutError::Busy { .. })));
    drop(promised);
    assert_eq!(store.usage().used_bytes, 0);
    put(&store, first, &bytes).unwrap();
    assert!(matches!(store.put(first, 60_000), Ok(Put::Held)));
    assert!(store.delete(&first).unwrap());
    assert!(!store.delete(&first).unwrap());
    assert_eq!(store.usage().used_bytes, 0);
}

#[test]
fn bytes_of_another_name_or_length_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 1 << 20).unwrap();
    let (cell, mut bytes) = sealed(40_000);
    bytes[20_000] ^= 1;
    assert!(matches!(put(&store, cell, &bytes), Err(PutError::OtherCell { .. })));
    let Put::Write(mut incoming) = store.put(cell, 40_000).unwrap() else { unreachable!() };
    assert!(matches!(incoming.write(&[0; 40_001]), Err(PutError::Length { .. })));
    drop(incoming);
    let Put::Write(incoming) = store.put(cell, 40_000).unwrap() else { unreachable!() };
    assert!(matches!(incoming.commit(), Err(PutError::Length { actual: 0, .. })));
    assert!(matches!(store.put(cell, 0), Err(PutError::Size { .. })));
    assert!(matches!(store.put(cell, CELL_BYTES_MAX + 1), Err(PutError::Size { .. })));
    assert_eq!((store.usage().used_bytes, store.cells().len()), (0, 0));
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_flipped_bit_on_disk_is_noticed_and_the_cell_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 1 << 20).unwrap();
    let (cell, bytes) = sealed(50_000);
    put(&store, cell, &bytes).unwrap();
    let mut changes = store.changes();
    let file = fs::OpenOptions::new().write(true).open(store.cell_path(&cell)).unwrap();
    file.write_all_at(&[bytes[40_000] ^ 4], 40_000).unwrap();
    let stored = store.read(&cell).unwrap().unwrap();
    assert_eq!(stored.chunks(0, 2).unwrap(), bytes[..32_768]);
    let error = stored.chunks(32_768, 8).unwrap_err();
    assert!(matches!(error, ReadError::Damaged { chunk: 2, .. }));
    store.judge(&cell, &error);
    assert_eq!(changes.try_recv(), Ok(StoreChange::Lost(cell)));
    assert!(store.read(&cell).unwrap().is_none());
    // It can come again.
    put(&store, cell, &bytes).unwrap();
    assert_eq!(changes.try_recv(), Ok(StoreChange::Gained(HeldCell { cell, size: 50_000 })));
}

#[test]
fn damaged_hashes_and_vanished_files_are_damage_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 1 << 20).unwrap();
    let (cell, bytes) = sealed(50_000);
    put(&store, cell, &bytes).unwrap();
    fs::write(store.hashes_path(&cell), [0; 128]).unwrap();
    assert!(matches!(store.read(&cell), Err(ReadError::Hashes { .. })));
    put(&store, cell, &bytes).unwrap();
    fs::remove_file(store.cell_path(&cell)).unwrap();
    assert!(store.read(&cell).unwrap_err().is_damage());
    assert_eq!(store.usage().cells, 0);
}

#[test]
fn a_disk_that_refuses_is_an_error_and_costs_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), 1 << 20).unwrap();
    let (cell, bytes) = sealed(50_000);
    // A file where a folder should be stands for every way a disk can say no.
    let tmp = folder.path().join("tmp");
    fs::remove_dir(&tmp).unwrap();
    fs::write(&tmp, []).unwrap();
    assert!(matches!(put(&store, cell, &bytes), Err(PutError::Disk { .. })));
    assert_eq!(store.usage().used_bytes, 0);
    fs::remove_file(&tmp).unwrap();
    fs::create_dir(&tmp).unwrap();
    let shelf = store.cell_folder(&cell);
    fs::write(&shelf, []).unwrap();
    assert!(matches!(put(&store, cell, &bytes), Err(PutError::Disk { .. })));
    assert_eq!((store.usage().used_bytes, fs::read_dir(&tmp).unwrap().count()), (0, 0));
    fs::remove_file(&shelf).unwrap();
    put(&store, cell, &bytes).unwrap();
}

#[test]
fn a_folder_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let _store = Store::open(folder.path(), 1).unwrap();
    assert!(matches!(Store::open(folder.path(), 1), Err(StoreOpenError::InUse { .. })));
}
