//! Random bytes for the curve library, drawn from a secret seed: BLAKE3 as a generator.

use rand_core::{Infallible, TryCryptoRng, TryRng};

/// A stream of random bytes that only who knows the seed can predict.
pub(crate) struct Drawn(blake3::OutputReader);

impl Drawn {
    /// The stream of `seed` for one `purpose`, which must be a context string of its own.
    pub fn new(purpose: &'static str, seed: &[u8; 32]) -> Self {
        Self(blake3::Hasher::new_derive_key(purpose).update(seed).finalize_xof())
    }

    /// The next 32 bytes.
    pub fn next(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill(&mut bytes);
        bytes
    }
}

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}
