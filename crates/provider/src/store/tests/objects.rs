//! The store over an object store that fails, hangs, forgets, belongs to another, or comes back.

use super::{
    bench::{BUCKET, Bench, Fault},
    *,
};
use crate::store::bucket::SILENT_LOOKS_MAX;

/// More than a part of an upload, and not a multiple of anything.
const LARGE: usize = (17 << 20) + 4_321;
const QUOTA_BYTES: u64 = 64 << 20;

fn silent(cells: u64) -> Vec<SilentBucket> {
    vec![SilentBucket { name: BUCKET.into(), cells }]
}

fn read(store: &Store, cell: &CellId) -> Result<Vec<u8>, ReadError> {
    let stored = store.read(cell)?.expect("held");
    stored.chunks(0, 1 << 16).inspect_err(|error| store.judge(cell, error))
}

#[test]
fn a_large_cell_is_nothing_until_it_is_complete() {
    for bench in [Bench::memory(), Bench::local()] {
        let store = bench.open(QUOTA_BYTES);
        let (cell, bytes) = sealed(LARGE);
        let Put::Write(mut incoming) = store.put(cell, LARGE as u64).unwrap() else { unreachable!() };
        bytes.chunks(100_000).for_each(|part| incoming.write(part).unwrap());
        assert_eq!(bench.files(), 0, "parts are no object");
        incoming.commit().unwrap();
        assert_eq!((bench.files(), store.usage().used_bytes), (2, bench.bytes()));
        // As a delivery reads: a chunk, and then frames that read ahead.
        let stored = store.read(&cell).unwrap().unwrap();
        let mut read = stored.chunks(0, 1).unwrap();
        while read.len() < LARGE {
            read.extend(stored.chunks(read.len() as u64, 8).unwrap());
        }
        assert_eq!(read, bytes);
        assert_eq!(stored.chunks(16_384 * 700, 2).unwrap(), bytes[16_384 * 700..16_384 * 702], "and from the middle");
    }
}

#[test]
fn an_upload_that_fails_at_any_step_leaves_nothing_and_costs_nothing() {
    let bench = Bench::memory();
    let store = bench.open(QUOTA_BYTES);
    let empty = store.usage();
    for size in [50_000, LARGE] {
        let (cell, bytes) = sealed(size);
        for fault in [Fault::RefusesPuts(".hashes"), Fault::RefusesPuts(".cell"), Fault::CompletesInVain] {
            if (size, fault) == (50_000, Fault::CompletesInVain) {
                continue;
            }
            bench.set_fault(fault);
            assert!(matches!(put(&store, cell, &bytes), Err(PutError::Disk { .. })), "{size} {fault:?}");
            assert_eq!((bench.files(), store.usage()), (0, empty), "{size} {fault:?}");
        }
        bench.set_fault(Fault::None);
        put(&store, cell, &bytes).unwrap();
        assert!(store.delete(&cell).unwrap());
        // Thrown away half written.
        let Put::Write(mut incoming) = store.put(cell, size as u64).unwrap() else { unreachable!() };
        incoming.write(&bytes[..size - 1]).unwrap();
        drop(incoming);
        assert_eq!((bench.files(), store.usage()), (0, empty));
    }
}

#[test]
fn what_cannot_be_cleared_away_costs_until_the_next_start() {
    let bench = Bench::memory();
    let store = bench.open(QUOTA_BYTES);
    let empty = store.usage().used_bytes;
    let (cell, bytes) = sealed(LARGE);
    let Put::Write(mut incoming) = store.put(cell, LARGE as u64).unwrap() else { unreachable!() };
    incoming.write(&bytes).unwrap();
    bench.set_fault(Fault::Refuses);
    assert!(incoming.commit().is_err());
    assert!(store.usage().used_bytes > empty + LARGE as u64, "nobody knows what is left there");
    bench.set_fault(Fault::None);
    drop(store);
    assert_eq!(bench.open(QUOTA_BYTES).usage().used_bytes, empty);
}

#[test]
fn a_store_that_does_not_answer_is_waited_for_and_loses_nothing() {
    for fault in [Fault::Refuses, Fault::Hangs] {
        let bench = Bench::memory();
        let store = bench.open(QUOTA_BYTES);
        let (cell, bytes) = sealed(50_000);
        put(&store, cell, &bytes).unwrap();
        let (held, used) = (store.cells(), store.usage().used_bytes);
        let mut changes = store.changes();
        bench.set_fault(fault);
        let error = read(&store, &cell).unwrap_err();
        assert!(matches!(error, ReadError::Disk { .. }) && !error.is_damage(), "{error}");
        store.look();
        assert_eq!((store.silent(), store.serves_nothing()), (silent(1), true));
        assert!(matches!(read(&store, &cell), Err(ReadError::Unavailable { .. })), "without asking again");
        assert!(matches!(put(&store, sealed(9).0, &sealed(9).1), Err(PutError::NoRoom { free_bytes: 0, .. })));
        assert_eq!((store.cells(), store.usage().used_bytes), (held, used));
        assert!(changes.try_recv().is_err(), "nobody is told that it is lost");
        assert_eq!(store.next_after(None), None, "and nothing is scrubbed");

        bench.set_fault(Fault::None);
        store.look();
        assert_eq!((store.silent(), store.serves_nothing()), (vec![], false));
        assert_eq!(read(&store, &cell).unwrap(), bytes);
        put(&store, sealed(9).0, &sealed(9).1).unwrap();
    }
}

#[test]
fn silent_for_too_long_it_is_gone_like_a_disk_and_comes_back_like_one() {
    let bench = Bench::memory();
    let store = bench.open(QUOTA_BYTES);
    let cells: Vec<_> = (0..3).map(|number| sealed(50_000 + number)).collect();
    cells.iter().for_each(|(cell, bytes)| put(&store, *cell, bytes).unwrap());
    let (held, usage) = (store.cells(), store.usage());
    let mut changes = store.changes();
    bench.set_fault(Fault::Refuses);
    assert!(read(&store, &cells[0].0).is_err());
    (1..SILENT_LOOKS_MAX).for_each(|_| store.look());
    assert_eq!((store.silent(), store.cells().len()), (silent(3), 3));
    store.look();
    assert_eq!((store.silent(), store.usage().cells), (silent(0), 0));
    let lost = std::iter::from_fn(|| changes.try_recv().ok());
    assert_eq!(lost.filter(|change| matches!(change, StoreChange::Lost(_))).count(), 3);

    bench.set_fault(Fault::None);
    store.look();
    assert_eq!((store.silent(), store.cells(), store.usage()), (vec![], held, usage));
    assert_eq!(std::iter::from_fn(|| changes.try_recv().ok()).count(), 3);
    assert_eq!(read(&store, &cells[2].0).unwrap(), cells[2].1);
}

#[test]
fn half_an_answer_is_no_damage() {
    let bench = Bench::memory();
    let store = bench.open(QUOTA_BYTES);
    let (cell, bytes) = sealed(50_000);
    put(&store, cell, &bytes).unwrap();
    let stored = store.read(&cell).unwrap().unwrap();
    bench.set_fault(Fault::Halves);
    let error = stored.chunks(0, 2).unwrap_err();
    assert!(!error.is_damage(), "{error}");
    store.judge(&cell, &error);
    bench.set_fault(Fault::None);
    assert_eq!(read(&store, &cell).unwrap(), bytes);
    // The object itself is shorter: that is damage.
    bench.overwrite(&cell, "cell", &bytes[..40_000]);
    assert!(read(&store, &cell).unwrap_err().is_damage());
    assert_eq!((store.cells().len(), bench.files()), (0, 0));
}

#[test]
fn an_empty_bucket_is_not_the_one_that_was_here() {
    let bench = Bench::memory();
    let store = bench.open(QUOTA_BYTES);
    let (cell, bytes) = sealed(50_000);
    put(&store, cell, &bytes).unwrap();
    bench.wipe();
    let error = read(&store, &cell).unwrap_err();
    assert!(!error.is_damage(), "{error}");
    store.look();
    assert_eq!((store.silent(), store.cells().len()), (silent(1), 1));
}

#[test]
fn a_start_waits_for_a_store_that_was_used_before_and_for_no_other() {
    let bench = Bench::memory();
    bench.set_fault(Fault::Refuses);
    for _ in 0..2 {
        assert!(
            matches!(bench.try_open(QUOTA_BYTES), Err(StoreOpenError::Disk { .. })),
            "the operator is there to read it"
        );
    }
    bench.set_fault(Fault::None);
    let (cell, bytes) = sealed(50_000);
    put(&bench.open(QUOTA_BYTES), cell, &bytes).unwrap();
    bench.set_fault(Fault::Refuses);
    let store = bench.open(QUOTA_BYTES);
    assert_eq!((store.silent(), store.usage().cells), (silent(0), 0));
    store.look();
    bench.set_fault(Fault::None);
    let mut changes = store.changes();
    store.look();
    assert_eq!(changes.try_recv(), Ok(StoreChange::Gained(HeldCell { cell, size: 50_000 })));
    assert_eq!(read(&store, &cell).unwrap(), bytes);
}

#[test]
fn a_store_belongs_to_one_provider() {
    let bench = Bench::memory();
    let home = tempfile::tempdir().unwrap();
    let folder = StoreFolder { path: home.path().into(), quota_bytes: 0 };
    let store = bench.open(QUOTA_BYTES);
    let other = StoreBucket { owner: "provider 8".into(), ..bench.bucket(QUOTA_BYTES) };
    let refused = Store::open_mixed(std::slice::from_ref(&folder), std::slice::from_ref(&other));
    assert!(matches!(refused, Err(StoreOpenError::Taken { owner, .. }) if owner == "provider 7"));
    let beside = StoreBucket { prefix: "disk-8".into(), ..other };
    Store::open_mixed(&[folder], &[beside]).unwrap();
    // The same one, twice at once: the lock of its folder tells.
    assert!(matches!(bench.try_open(QUOTA_BYTES), Err(StoreOpenError::InUse { .. })));
    drop(store);
}

#[test]
fn folders_and_object_stores_are_filled_side_by_side() {
    let bench = Bench::local();
    let folder = StoreFolder { path: bench.home().into(), quota_bytes: 1 << 20 };
    let store = Store::open_mixed(&[folder], &[bench.bucket(1 << 20)]).unwrap();
    let cells: Vec<_> = (0..8).map(|number| sealed(50_000 + number)).collect();
    cells.iter().for_each(|(cell, bytes)| put(&store, *cell, bytes).unwrap());
    assert_eq!(store.usage().used_bytes, bench.bytes());
    let in_objects = bench.files() / 2;
    assert!((3..=5).contains(&in_objects), "{in_objects} of 8");
    bench.set_fault(Fault::Refuses);
    let failed = cells.iter().filter(|(cell, _)| read(&store, cell).is_err()).count();
    store.look();
    assert_eq!((failed, store.silent()), (in_objects, silent(in_objects as u64)));
    assert!(!store.serves_nothing(), "the folder goes on");
    put(&store, sealed(7).0, &sealed(7).1).unwrap();
}

#[tokio::test]
async fn a_store_may_be_opened_and_dropped_where_others_run() {
    let bench = Bench::memory();
    let store = bench.open(QUOTA_BYTES);
    assert!(store.read(&sealed(5).0).unwrap().is_none());
}
