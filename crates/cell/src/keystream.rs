//! The two cipher layers: AES-256-CTR, seekable to any byte.
//!
//! Natively by AWS-LC, which is five times as fast as RustCrypto's on a processor with wide AES instructions; in the
//! browser, where no C library is, by RustCrypto's. A test holds the one against the other.

#[cfg(not(target_arch = "wasm32"))]
use native::Cipher;
#[cfg(target_arch = "wasm32")]
use portable::Cipher;

use chainflix_primitives::{CellKey, DownloadKey};

/// The keystream of one layer of one cell. Applying it twice is applying it not at all.
#[derive(Clone)]
pub struct Keystream(Cipher);

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
        Self(Cipher::new(key))
    }

    /// Adds or removes the layer of `bytes`, which stand at `offset` in the cell.
    pub fn apply(&self, offset: u64, bytes: &mut [u8]) {
        self.0.apply(offset, bytes);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
    use std::sync::Arc;

    const BLOCK_BYTES: usize = 16;

    #[derive(Clone)]
    pub struct Cipher(Arc<EncryptingKey>);

    impl Cipher {
        pub fn new(key: &[u8; 32]) -> Self {
            // Fails for keys of another length and, without room, where any allocation would.
            let key = UnboundCipherKey::new(&AES_256, key).and_then(EncryptingKey::ctr);
            Self(Arc::new(key.expect("AES-256 takes 32 bytes")))
        }

        pub fn apply(&self, offset: u64, bytes: &mut [u8]) {
            let block = u128::from(offset / BLOCK_BYTES as u64);
            let within = (offset % BLOCK_BYTES as u64) as usize;
            if within == 0 {
                return self.blocks(block, bytes);
            }
            let (first, rest) = bytes.split_at_mut(bytes.len().min(BLOCK_BYTES - within));
            let mut whole = [0; BLOCK_BYTES];
            let place = within..within + first.len();
            whole[place.clone()].copy_from_slice(first);
            self.blocks(block, &mut whole);
            first.copy_from_slice(&whole[place]);
            self.blocks(block + 1, rest);
        }

        fn blocks(&self, block: u128, bytes: &mut [u8]) {
            let counter = EncryptionContext::Iv128(block.to_be_bytes().into());
            // Fails for a context of another mode, which this one is not.
            self.0.less_safe_encrypt(bytes, counter).expect("CTR takes any length from any counter");
        }
    }
}

#[cfg(any(test, target_arch = "wasm32"))]
mod portable {
    use aes::Aes256;
    use ctr::{
        Ctr128BE,
        cipher::{KeyIvInit, StreamCipher, StreamCipherSeek},
    };

    #[derive(Clone)]
    pub struct Cipher(Ctr128BE<Aes256>);

    impl Cipher {
        pub fn new(key: &[u8; 32]) -> Self {
            Self(Ctr128BE::new(key.into(), &[0; 16].into()))
        }

        pub fn apply(&self, offset: u64, bytes: &mut [u8]) {
            let mut cipher = self.0.clone();
            cipher.seek(offset);
            cipher.apply_keystream(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{AccountAddress, CellId, Magnet, NetworkSecret, VideoSecret};
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn both_ciphers_are_one(key: [u8; 32], offset in 0u64..1 << 40, mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut other = bytes.clone();
            native::Cipher::new(&key).apply(offset, &mut bytes);
            portable::Cipher::new(&key).apply(offset, &mut other);
            prop_assert_eq!(bytes, other);
        }
    }
}
