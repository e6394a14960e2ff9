//! Keeps the byte buffers that JavaScript and the core share, known by their addresses.
//!
//! A buffer belongs to this table until it is freed, so an address is a name to look up, never a pointer to trust.
//! Buffers carry keys at times, so each is wiped before its memory is used again.

use crate::refusal::CallError;
use std::{collections::BTreeMap, fmt};
use zeroize::Zeroizing;

/// Largest buffer a caller may ask for: cells arrive in pieces of 64-256 KiB, whole manifests in one.
pub const BUFFER_BYTES_MAX: usize = 4 << 20;

/// Most buffers alive before [`Buffers::alloc`] refuses; a caller needs one or two, so more is a leak.
pub const BUFFERS_MAX: usize = 64;

/// The live buffers.
#[derive(Default)]
pub struct Buffers {
    live: BTreeMap<usize, Zeroizing<Box<[u8]>>>,
}

impl Buffers {
    /// Makes a zeroed buffer of `len` bytes and returns its address.
    ///
    /// `None` if `len` is 0 or above [`BUFFER_BYTES_MAX`], or if [`BUFFERS_MAX`] are alive.
    pub fn alloc(&mut self, len: usize) -> Option<usize> {
        let allowed = (1..=BUFFER_BYTES_MAX).contains(&len) && self.live.len() < BUFFERS_MAX;
        allowed.then(|| self.insert(vec![0; len]).0)
    }

    /// Takes bytes in and returns their address and length. Replies come in this way, and are never refused:
    /// their number is bounded by the calls, their size by the operations.
    pub fn insert(&mut self, bytes: Vec<u8>) -> (usize, usize) {
        let bytes = bytes.into_boxed_slice();
        let (address, len) = (bytes.as_ptr().addr(), bytes.len());
        if len > 0 {
            // An empty box has no memory of its own, so its address names nothing.
            self.live.insert(address, Zeroizing::new(bytes));
        }
        (address, len)
    }

    /// The first `len` bytes of the buffer at `address`; of nothing, nothing.
    pub fn get(&self, address: usize, len: usize) -> Result<&[u8], CallError> {
        if len == 0 {
            return Ok(&[]);
        }
        let buffer = self.live.get(&address).ok_or(CallError::UnknownBuffer { address })?;
        buffer.get(..len).ok_or(CallError::BeyondBuffer { address, len, held: buffer.len() })
    }

    /// Wipes and drops the buffer at `address`; false if there is none.
    pub fn free(&mut self, address: usize) -> bool {
        self.live.remove(&address).is_some()
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the content: it may be a key.
        f.debug_struct("Buffers").field("live", &self.live.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_zeroed_and_found_until_freed() {
        let mut buffers = Buffers::default();
        let address = buffers.alloc(8).unwrap();
        assert_eq!(buffers.get(address, 8).unwrap(), [0; 8]);
        assert_eq!(buffers.get(address, 3).unwrap().len(), 3);
        assert!(buffers.free(address));
        assert!(!buffers.free(address));
        assert!(matches!(buffers.get(address, 1), Err(CallError::UnknownBuffer { .. })));
    }

    #[test]
    fn no_byte_beyond_a_buffer_is_read() {
        let mut buffers = Buffers::default();
        let address = buffers.alloc(8).unwrap();
        assert!(matches!(buffers.get(address, 9), Err(CallError::BeyondBuffer { len: 9, held: 8, .. })));
        assert!(matches!(buffers.get(address + 1, 4), Err(CallError::UnknownBuffer { .. })));
    }

    #[test]
    fn size_and_number_are_limited() {
        let mut buffers = Buffers::default();
        assert_eq!(buffers.alloc(0), None);
        assert_eq!(buffers.alloc(BUFFER_BYTES_MAX + 1), None);
        for _ in 0..BUFFERS_MAX {
            assert!(buffers.alloc(1).is_some());
        }
        assert_eq!(buffers.alloc(1), None);
    }
}
