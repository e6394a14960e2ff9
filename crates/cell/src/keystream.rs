//! The two cipher layers: AES-256-CTR, seekable to any byte.

use aes::Aes256;
use chainflix_primitives::{CellKey, DownloadKey};
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit, StreamCipher, StreamCipherSeek},
};

/// The keystream of one layer of one cell. Applying it twice is applying it not at all.
#[derive(Clone)]
pub struct Keystream(Ctr128BE<Aes256>);

impl Keystream {
    /// The layer that rests on disks.
    pub fn sealing(key: &CellKey) -> Self {
        Self::new(key.expose())
    }

    /// The layer of one delivery to one account.
    pub fn delivery(key: &DownloadKey) -> Self {
        Self::new(key.expose())
    }

    fn new(key: &[u8; 32]) -> Self {
        Self(Ctr128BE::new(key.into(), &[0; 16].into()))
    }

    /// Adds or removes the layer of `bytes`, which stand at `offset` in the cell.
    pub fn apply(&self, offset: u64, bytes: &mut [u8]) {
        let mut cipher = self.0.clone();
        cipher.seek(offset);
        cipher.apply_keystream(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{AccountAddress, CellId, Magnet, NetworkSecret, VideoSecret};

    #[test]
    fn any_range_opens_alone() {
        let stream = Keystream::sealing(&VideoSecret::from_bytes([1; 32]).cell_key(0));
        let plain: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
        let mut sealed = plain.clone();
        stream.apply(0, &mut sealed);
        assert_ne!(sealed, plain);
        for (start, end) in [(0, 1), (15, 17), (16, 32), (16_384, 32_768), (99_999, 100_000)] {
            let mut part = sealed[start..end].to_vec();
            stream.apply(start as u64, &mut part);
            assert_eq!(part, plain[start..end]);
        }
    }

    /// Two plaintexts under one CTR key would show their difference to anyone who holds both ciphertexts. It cannot
    /// happen here: the DownloadKey is a function of the sealed bytes themselves (through their hash), so other bytes
    /// mean another key, and the CellKey is a function of a secret that is drawn anew for every publication.
    #[test]
    fn a_key_never_meets_two_plaintexts() {
        let network = NetworkSecret::from_bytes([1; 32]);
        let key = network.view_key(&AccountAddress([2; 20]), &Magnet([3; 32]));
        let key_for = |sealed: &[u8]| key.download_key(&CellId(blake3::hash(sealed).into()));
        assert_ne!(key_for(b"one").expose(), key_for(b"two").expose());
        assert_eq!(key_for(b"one").expose(), key_for(b"one").expose());
    }

    #[test]
    fn the_layer_is_plain_aes_256_ctr() {
        // NIST SP 800-38A, F.5.5 has another counter; with a zero counter the first block is AES-256(key, 0).
        let mut block = [0; 16];
        Keystream::new(&[0; 32]).apply(0, &mut block);
        let expected = [0xdc, 0x95, 0xc0, 0x78, 0xa2, 0x40, 0x89, 0x89, 0xad, 0x48, 0xa2, 0x14, 0x92, 0x84, 0x20, 0x87];
        assert_eq!(block, expected);
    }
}
