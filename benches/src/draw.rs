//! Bytes from a seed: random to every compressor, the same in every run.

/// A source of bytes.
pub struct Draw(blake3::OutputReader);

impl Draw {
    /// The source that `seed` names.
    pub fn new(seed: &str) -> Self {
        Self(blake3::Hasher::new_derive_key("chainflix bench draw v1").update(seed.as_bytes()).finalize_xof())
    }

    /// The next bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Fills `bytes` with the next ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    /// The next number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        u64::from_le_bytes(self.bytes()) % end
    }

    /// The place of a thing among `count` whose popularity falls with its place: half of all draws fall on the first
    /// `sqrt(count)`.
    pub fn popular(&mut self, count: u64) -> u64 {
        let part = self.below(1 << 30) as f64 / (1u64 << 30) as f64;
        // The power is at most `count`.
        ((count as f64).powf(part) as u64 - 1).min(count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        assert_eq!(Draw::new("a").bytes::<32>(), Draw::new("a").bytes::<32>());
        assert_ne!(Draw::new("a").bytes::<32>(), Draw::new("b").bytes::<32>());
        let mut draw = Draw::new("c");
        let first = (0..10_000).filter(|_| draw.popular(10_000) < 100).count();
        assert!((4_500..5_500).contains(&first), "{first}");
    }
}
