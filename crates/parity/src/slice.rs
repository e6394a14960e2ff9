//! Slices of cells that are shorter than their parity.

use std::borrow::Cow;

/// `length` bytes of a piece from `offset` on, of which `bytes` is all there is: what is missing is zeros. Borrows where
/// nothing is missing.
pub fn padded_slice(bytes: &[u8], offset: usize, length: usize) -> Cow<'_, [u8]> {
    let rest = bytes.get(offset..).unwrap_or_default();
    match rest.get(..length) {
        Some(whole) => Cow::Borrowed(whole),
        None => {
            let mut padded = vec![0; length];
            padded[..rest.len()].copy_from_slice(rest);
            Cow::Owned(padded)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_zeros() {
        let cell = [1, 2, 3, 4, 5];
        assert!(matches!(padded_slice(&cell, 1, 4), Cow::Borrowed([2, 3, 4, 5])));
        assert_eq!(*padded_slice(&cell, 3, 4), [4, 5, 0, 0]);
        assert_eq!(*padded_slice(&cell, 5, 2), [0, 0]);
        assert_eq!(*padded_slice(&cell, usize::MAX, 2), [0, 0]);
        assert_eq!(*padded_slice(&cell, 2, 0), [0; 0]);
    }
}
