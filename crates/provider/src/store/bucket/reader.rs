//! Reads ranges of one object, a little ahead of who reads on.

use super::{Key, Line};
use bytes::Bytes;
use object_store::{GetOptions, ObjectStore as _};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// Read ahead for who reads on; each delivery holds as much.
const AHEAD_BYTES: u64 = 512 << 10;

/// A cell's object, open for reading.
#[derive(Debug)]
pub struct ObjectReader {
    line: Arc<Line>,
    key: Key,
    size: u64,
    window: Mutex<Window>,
}

/// What was read last.
#[derive(Clone, Debug, Default)]
struct Window {
    offset: u64,
    bytes: Bytes,
}

impl Window {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// The bytes from `offset` on, if all of them are here.
    fn part(&self, offset: u64, length: u64) -> Option<Bytes> {
        let is_inside = offset >= self.offset && offset + length <= self.end();
        // Both are below the window's length.
        is_inside.then(|| {
            let from = (offset - self.offset) as usize;
            self.bytes.slice(from..from + length as usize)
        })
    }
}

impl ObjectReader {
    pub fn new(line: Arc<Line>, key: Key, size: u64) -> Self {
        Self { line, key, size, window: Mutex::default() }
    }

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` and `NotFound` say that the object is not what it was; anything else, that it is not known.
    pub fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let length = bytes.len() as u64;
        if length == 0 {
            return Ok(());
        }
        let held = self.window.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let part = match held.part(offset, length) {
            Some(part) => part,
            None => {
                let reads_on = held.end() == offset && !held.bytes.is_empty();
                let wanted = if reads_on { length.max(AHEAD_BYTES) } else { length };
                let end = offset.saturating_add(wanted).min(self.size);
                let read = Window { offset, bytes: self.fetch(offset, end)? };
                let part = read.part(offset, length).ok_or(io::ErrorKind::UnexpectedEof)?;
                *self.window.lock().unwrap_or_else(PoisonError::into_inner) = read;
                part
            }
        };
        bytes.copy_from_slice(&part);
        Ok(())
    }

    fn fetch(&self, offset: u64, end: u64) -> io::Result<Bytes> {
        let (objects, key) = (self.line.objects.clone(), self.key.clone());
        let size = self.size;
        let told = self.line.ask_soon(async move {
            let found = objects.get_opts(&key, GetOptions::new().with_range(Some(offset..end))).await?;
            if found.meta.size != size {
                return Ok(None);
            }
            found.bytes().await.map(Some)
        });
        match told.map_err(|error| self.line.doubt(error))? {
            // The object itself is shorter or longer: it is another.
            None => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(bytes) if bytes.len() as u64 == end - offset => Ok(bytes),
            // The object is as long as it was, and the answer was cut off.
            Some(_) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the object store sent less than it has")),
        }
    }
}
