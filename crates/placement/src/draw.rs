//! Draws that a seed decides, and races between weighted runners.
//!
//! Every runner draws a number from the lot and its key, scaled by its weight; the earliest wins (Schindelhauer and
//! Schomaker, "Weighted distributed hash tables", SPAA 2005: an exponential race). The chance of a win is proportional
//! to the weight, and nobody needs a list of past decisions.
//!
//! The lot is BLAKE3 over the seed and what is drawn for. Runners' keys are mixed into it by a few multiplications: a
//! seed that nobody knew before needs no more, and a race has hundreds of runners. Only additions, multiplications and
//! divisions touch floating point, so native code and WASM draw alike.

use blake3::Hasher;
use chainflix_primitives::BlockHash;

/// One draw, open to any number of runners.
#[derive(Clone, Copy, Debug)]
pub struct Lot(u64);

impl Lot {
    /// The lot that `seed` decides for `subject`. Each use has a `context` of its own.
    pub fn new(context: &str, seed: &BlockHash, subject: &[&[u8]]) -> Self {
        let mut hasher = Hasher::new_derive_key(context);
        hasher.update(seed.as_bytes());
        // Every subject has parts of fixed lengths, so that they need no separators.
        subject.iter().for_each(|part| _ = hasher.update(part));
        Self(first_number(&hasher))
    }

    /// The same draw, tried again.
    pub fn again(self, attempt: u32) -> Self {
        Self(mix(self.0 ^ mix(u64::from(attempt))))
    }

    /// What a runner draws.
    pub fn of(self, runner: u64) -> u64 {
        mix(self.0 ^ mix(runner))
    }

    /// When a runner arrives: the earlier the better its draw and the larger its weight. Never, without weight.
    pub fn arrival(self, runner: u64, weight: u64) -> f64 {
        if weight == 0 {
            return f64::INFINITY;
        }
        // 53 bits fill a double exactly; the half keeps it away from 0, where the logarithm is not.
        let uniform = ((self.of(runner) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        -libm::log(uniform) / weight as f64
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(self, runner: u64, end: u64) -> u64 {
        // The high half of a 128-bit product is below `end`.
        ((u128::from(self.of(runner)) * u128::from(end)) >> 64) as u64
    }
}

/// The winner of a race; the first of equals.
pub(crate) fn winner<T>(runners: impl Iterator<Item = (f64, T)>) -> Option<T> {
    let finite = runners.filter(|(arrival, _)| arrival.is_finite());
    finite.reduce(|best, next| if next.0 < best.0 { next } else { best }).map(|(_, runner)| runner)
}

/// The key by which somebody runs: a hash, so that neighbouring identities do not run alike.
pub(crate) fn runner(identity: &[u8; 32]) -> u64 {
    first_number(Hasher::new_derive_key("chainflix 2026 placement runner v1").update(identity))
}

fn first_number(hasher: &Hasher) -> u64 {
    let mut draw = [0; 8];
    hasher.finalize_xof().fill(&mut draw);
    u64::from_le_bytes(draw)
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), the finalizer of SplitMix64.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lot(number: u64) -> Lot {
        Lot::new("chainflix test", &BlockHash([1; 32]), &[&number.to_le_bytes()])
    }

    #[test]
    fn chances_follow_weights() {
        let wins = |number: &u64| {
            winner(
                [(1, 100), (2, 300), (3, 0)].map(|(key, weight)| (lot(*number).arrival(key, weight), key)).into_iter(),
            ) == Some(2)
        };
        // 3,000 are expected; five standard deviations are 137.
        let second = (0..4_000).filter(wins).count();
        assert!((2_863..=3_137).contains(&second), "{second}");
        assert_eq!(winner([(f64::INFINITY, 1)].into_iter()), None);
    }

    #[test]
    fn numbers_below_an_end_are_even() {
        let mut counts = [0; 10];
        (0..10_000).for_each(|number| counts[lot(5).below(number, 10) as usize] += 1);
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
        assert_eq!(lot(5).below(1, 0), 0);
    }

    #[test]
    fn another_seed_context_or_attempt_is_another_draw() {
        let one = Lot::new("a", &BlockHash([1; 32]), &[]).of(1);
        assert_ne!(one, Lot::new("b", &BlockHash([1; 32]), &[]).of(1));
        assert_ne!(one, Lot::new("a", &BlockHash([2; 32]), &[]).of(1));
        assert_ne!(one, Lot::new("a", &BlockHash([1; 32]), &[]).again(1).of(1));
    }
}
