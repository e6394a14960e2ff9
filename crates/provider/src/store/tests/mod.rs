//! The store on a disk that is full, rotten, or was left in the middle of something; what is the same everywhere, in
//! object stores too.

mod bench;
mod objects;

use super::*;
use bench::Bench;
use chainflix_cell::ChunkHashes;
use std::fs;

impl Store {
    fn folder(&self, number: usize) -> MutexGuard<'_, Folder> {
        let Medium::Folder(folder) = &self.media[number] else { panic!("{number} is no folder") };
        Medium::folder(folder)
    }
}

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

/// What the whole folder takes, as its owner would look it up.
fn du(folder: &Path) -> u64 {
    let output = std::process::Command::new("du").args(["-s", "-B1"]).arg(folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).expect("du prints a number first")
}

#[test]
fn a_restart_keeps_whole_cells_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (cell, bytes) = sealed(100_000);
    let store = Store::open(folder.path(), 1 << 20).unwrap();
    put(&store, cell, &bytes).unwrap();
    let used = store.usage();
    assert_eq!((used.cells, used.used_bytes), (1, du(folder.path())));
    // What a crash can leave: a half in tmp, hashes without a cell, a cell without hashes.
    let Put::Write(half) = store.put(sealed(5).0, 5).unwrap() else { unreachable!() };
    std::mem::forget(half);
    let (orphan, _) = sealed(7);
    fs::create_dir_all(store.folder(0).shelf(&orphan)).unwrap();
    fs::write(store.folder(0).hashes_path(&orphan), [0; 32]).unwrap();
    let (bare, _) = sealed(8);
    fs::create_dir_all(store.folder(0).shelf(&bare)).unwrap();
    fs::write(store.folder(0).cell_path(&bare), [0; 8]).unwrap();
    let orphan_path = store.folder(0).hashes_path(&orphan);
    let bare_path = store.folder(0).cell_path(&bare);
    // The forgotten put keeps the old store alive, and with it the lock.
    store.folder(0).lock.take();

    let store = Store::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(store.usage(), Usage { used_bytes: du(folder.path()), ..used });
    assert_eq!(store.cells(), [HeldCell { cell, size: 100_000 }]);
    assert!(!orphan_path.exists() && !bare_path.exists());
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    let stored = store.read(&cell).unwrap().unwrap();
    assert_eq!(stored.chunks(0, 100).unwrap(), bytes);
    assert_eq!(stored.chunks(98_304, 1).unwrap(), bytes[98_304..]);
}

/// Runs each test over a folder and over object stores.
macro_rules! everywhere {
    ($($test:ident),+) => {
        mod in_a_folder { $(#[test] fn $test() { super::$test(super::Bench::folder()); })+ }
        mod in_memory { $(#[test] fn $test() { super::$test(super::Bench::memory()); })+ }
        mod in_a_local_object_store { $(#[test] fn $test() { super::$test(super::Bench::local()); })+ }
    };
}

everywhere!(
    the_quota_counts_what_is_promised_too,
    bytes_of_another_name_or_length_leave_no_trace,
    a_flipped_bit_is_noticed_and_the_cell_dropped,
    damaged_hashes_and_vanished_files_are_damage_too,
    a_restart_finds_whole_cells_and_removes_halves,
    accounting_is_what_is_there_and_never_above_the_quota
);

fn the_quota_counts_what_is_promised_too(bench: Bench) {
    let store = bench.open(128 << 10);
    let empty = store.usage().used_bytes;
    let (first, bytes) = sealed(60_000);
    let Put::Write(promised) = store.put(first, 60_000).unwrap() else { unreachable!() };
    let (second, _) = sealed(80_000);
    assert!(matches!(store.put(second, 80_000), Err(PutError::NoRoom { .. })));
    assert!(store.usage().used_bytes >= empty + 60_000);
    assert!(matches!(store.put(first, 1), Err(PutError::Busy { .. })));
    drop(promised);
    assert_eq!(store.usage().used_bytes, empty);
    put(&store, first, &bytes).unwrap();
    assert!(matches!(store.put(first, 60_000), Ok(Put::Held)));
    assert!(store.delete(&first).unwrap());
    assert!(!store.delete(&first).unwrap());
    assert_eq!(store.usage().used_bytes, bench.bytes(), "in a folder the shelf stays");
}

fn bytes_of_another_name_or_length_leave_no_trace(bench: Bench) {
    let store = bench.open(1 << 20);
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
    assert_eq!((store.usage().used_bytes, store.cells().len(), bench.files()), (bench.bytes(), 0, 0));
}

fn a_flipped_bit_is_noticed_and_the_cell_dropped(bench: Bench) {
    let store = bench.open(1 << 20);
    let (cell, bytes) = sealed(50_000);
    put(&store, cell, &bytes).unwrap();
    let mut changes = store.changes();
    let mut rotten = bytes.clone();
    rotten[40_000] ^= 4;
    bench.overwrite(&cell, "cell", &rotten);
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

fn damaged_hashes_and_vanished_files_are_damage_too(bench: Bench) {
    let store = bench.open(1 << 20);
    let (cell, bytes) = sealed(50_000);
    put(&store, cell, &bytes).unwrap();
    bench.overwrite(&cell, "hashes", &[0; 128]);
    assert!(matches!(store.read(&cell), Err(ReadError::Hashes { .. })));
    put(&store, cell, &bytes).unwrap();
    bench.remove(&cell, "hashes");
    assert!(store.read(&cell).unwrap_err().is_damage());
    put(&store, cell, &bytes).unwrap();
    bench.remove(&cell, "cell");
    // A folder notices when it opens the file, an object store when it reads.
    let error = store.read(&cell).and_then(|stored| stored.expect("held").chunks(0, 1)).unwrap_err();
    store.judge(&cell, &error);
    assert!(error.is_damage());
    assert_eq!((store.usage().cells, bench.files()), (0, 0));
}

fn a_restart_finds_whole_cells_and_removes_halves(bench: Bench) {
    let (cell, bytes) = sealed(100_000);
    let store = bench.open(1 << 20);
    put(&store, cell, &bytes).unwrap();
    let used = store.usage();
    let [orphan, bare, short] = [7, 8, 9].map(|size| sealed(size).0);
    for half in [&orphan, &bare, &short] {
        if let Bench::Folder(folder) = &bench {
            fs::create_dir_all(folder.path().join("cells").join(hex::encode(&half.0[..1]))).unwrap();
        }
    }
    bench.overwrite(&orphan, "hashes", &[0; 32]);
    bench.overwrite(&bare, "cell", &[0; 8]);
    bench.overwrite(&short, "cell", &[0; 9]);
    bench.overwrite(&short, "hashes", &[0; 31]);
    drop(store);

    let store = bench.open(1 << 20);
    assert_eq!(store.usage(), Usage { used_bytes: bench.bytes(), ..used });
    assert_eq!((store.cells(), bench.files()), (vec![HeldCell { cell, size: 100_000 }], 2));
    let stored = store.read(&cell).unwrap().unwrap();
    assert_eq!(stored.chunks(0, 100).unwrap(), bytes);
    assert_eq!(stored.chunks(98_304, 1).unwrap(), bytes[98_304..]);
}

fn accounting_is_what_is_there_and_never_above_the_quota(bench: Bench) {
    let quota_bytes = 2 << 20;
    let store = bench.open(quota_bytes);
    assert_eq!(store.usage().used_bytes, bench.bytes());
    let is_folder = matches!(bench, Bench::Folder(_));
    let taken = || if is_folder { bench.bytes() } else { bench.objects_bytes() };
    let mut held = Vec::new();
    for size in (1..).map(|number| number * 7_919) {
        let (cell, bytes) = sealed(size);
        match put(&store, cell, &bytes) {
            Ok(()) => held.push(cell),
            Err(PutError::NoRoom { .. }) => break,
            Err(error) => panic!("{error}"),
        }
        assert_eq!(store.usage().used_bytes, bench.bytes());
        assert!(taken() <= quota_bytes);
    }
    assert!(held.len() > 10, "{}", held.len());
    for cell in &held[..5] {
        assert!(store.delete(cell).unwrap());
        assert_eq!(store.usage().used_bytes, bench.bytes());
    }
    let used = store.usage();
    drop(store);
    assert_eq!(bench.open(quota_bytes).usage(), used);
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
    let empty = store.usage().used_bytes;
    assert!(matches!(put(&store, cell, &bytes), Err(PutError::Disk { .. })));
    assert_eq!(store.usage().used_bytes, empty);
    fs::remove_file(&tmp).unwrap();
    fs::create_dir(&tmp).unwrap();
    let shelf = store.folder(0).shelf(&cell);
    fs::write(&shelf, []).unwrap();
    assert!(matches!(put(&store, cell, &bytes), Err(PutError::Disk { .. })));
    assert_eq!((store.usage().used_bytes, fs::read_dir(&tmp).unwrap().count()), (empty, 0));
    fs::remove_file(&shelf).unwrap();
    put(&store, cell, &bytes).unwrap();
}

#[test]
fn a_folder_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let _store = Store::open(folder.path(), 1).unwrap();
    assert!(matches!(Store::open(folder.path(), 1), Err(StoreOpenError::InUse { .. })));
}

#[test]
fn a_folder_that_vanishes_is_an_event_and_its_cells_come_back_with_it() {
    let home = tempfile::tempdir().unwrap();
    let paths = [home.path().join("a"), home.path().join("b")];
    let folders = paths.clone().map(|path| StoreFolder { path, quota_bytes: 1 << 20 });
    let store = Store::open_all(&folders).unwrap();
    let cells: Vec<_> = (0..6).map(|number| sealed(50_000 + number)).collect();
    cells.iter().for_each(|(cell, bytes)| put(&store, *cell, bytes).unwrap());
    let both = store.usage();
    assert_eq!((both.cells, both.used_bytes), (6, du(&paths[0]) + du(&paths[1])));

    let mut changes = store.changes();
    let away = home.path().join("unplugged");
    fs::rename(&paths[1], &away).unwrap();
    // Where a disk was mounted an empty folder stays.
    fs::create_dir(&paths[1]).unwrap();
    store.look();
    assert_eq!(store.missing(), [paths[1].clone()]);
    let one = store.usage();
    assert_eq!((one.cells, one.used_bytes), (3, du(&paths[0])), "a cell goes where most room is, so each had half");
    assert!(one.quota_bytes <= 1 << 20);
    let lost = std::iter::from_fn(|| changes.try_recv().ok());
    assert_eq!(lost.filter(|change| matches!(change, StoreChange::Lost(_))).count(), 3);
    let (fresh, bytes) = sealed(70_000);
    put(&store, fresh, &bytes).unwrap();
    assert_eq!(fs::read_dir(&paths[1]).unwrap().count(), 0, "nothing is written below the mount point");

    // A start without the disk waits for it, and fills nothing else.
    drop((changes, store));
    let store = Store::open_all(&folders).unwrap();
    assert_eq!((store.missing(), store.usage().cells), (vec![paths[1].clone()], 4));
    assert_eq!(fs::read_dir(&paths[1]).unwrap().count(), 0);

    let mut changes = store.changes();
    fs::remove_dir(&paths[1]).unwrap();
    fs::rename(&away, &paths[1]).unwrap();
    store.look();
    assert_eq!((store.missing().len(), store.usage().cells), (0, 7));
    assert_eq!(std::iter::from_fn(|| changes.try_recv().ok()).count(), 3);
    for (cell, bytes) in &cells {
        assert_eq!(store.read(cell).unwrap().unwrap().chunks(0, 100).unwrap(), *bytes);
    }
}
