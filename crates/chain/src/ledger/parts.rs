//! Large values in parts: redb gives a value a power of two of pages, and would waste a quarter of them on the average.

use super::store::StoreError;
use redb::{ReadableTable, Table};

/// Bytes of a part: with its key and redb's frame it fills sixteen pages.
const PART_BYTES: usize = (64 << 10) - 32;

/// Writes `bytes` as the parts of `number`.
pub(super) fn insert(
    table: &mut Table<'_, (u64, u32), &'static [u8]>,
    number: u64,
    bytes: &[u8],
) -> Result<(), StoreError> {
    for (part, bytes) in (0..).zip(bytes.chunks(PART_BYTES)) {
        table.insert((number, part), bytes)?;
    }
    Ok(())
}

/// The bytes of `number`; `None` when there are none.
pub(super) fn read(
    table: &impl ReadableTable<(u64, u32), &'static [u8]>,
    number: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut bytes = Vec::new();
    for part in table.range((number, 0)..=(number, u32::MAX))? {
        bytes.extend_from_slice(part?.1.value());
    }
    Ok((!bytes.is_empty()).then_some(bytes))
}

/// Deletes the parts of `number`.
pub(super) fn remove(table: &mut Table<'_, (u64, u32), &'static [u8]>, number: u64) -> Result<(), StoreError> {
    let mut part = 0;
    while table.remove((number, part))?.is_some() {
        part += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::{Database, TableDefinition, backends::InMemoryBackend};

    #[test]
    fn parts_make_a_whole() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let write = database.begin_write().unwrap();
        let mut table = write.open_table(TableDefinition::new("parts")).unwrap();
        let value = |length: usize| (0..length).map(|at| (at / 7) as u8).collect::<Vec<_>>();
        let lengths = [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES];
        for (number, length) in (5..).zip(lengths) {
            insert(&mut table, number, &value(length)).unwrap();
        }
        for (number, length) in (5..).zip(lengths) {
            assert_eq!(read(&table, number).unwrap(), Some(value(length)));
        }
        remove(&mut table, 9).unwrap();
        assert_eq!(read(&table, 9).unwrap(), None);
        assert_eq!(read(&table, 8).unwrap(), Some(value(PART_BYTES + 1)), "the neighbour is whole");
        assert_eq!(read(&table, 4).unwrap(), None);
    }
}
