//! How often one validator may ask another for signatures: a bucket of tokens each.

/// Signatures one validator gets from another in a second, in the long run: each costs the answerer about half a
/// millisecond of a core, and serves one viewer for one film.
pub(crate) const ANSWERS_PER_S: u64 = 200;
/// Signatures it gets at once: an evening's first minute.
pub(crate) const ANSWERS_AT_ONCE: u64 = 1_000;

/// What one validator may still ask for. Counted in thousandths, so that a millisecond refills whole numbers.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    left: u64,
    at_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { left: ANSWERS_AT_ONCE * 1_000, at_ms: 0 }
    }
}

impl Pace {
    /// Takes one; `false` when there is none.
    pub fn take(&mut self, now_ms: u64) -> bool {
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        self.left = passed_ms.saturating_mul(ANSWERS_PER_S).saturating_add(self.left).min(ANSWERS_AT_ONCE * 1_000);
        let taken = self.left >= 1_000;
        if taken {
            self.left -= 1_000;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut pace = Pace::default();
        let taken = |pace: &mut Pace, now_ms| (0..2 * ANSWERS_AT_ONCE).filter(|_| pace.take(now_ms)).count() as u64;
        assert_eq!(taken(&mut pace, 1_000_000), ANSWERS_AT_ONCE);
        assert_eq!(taken(&mut pace, 1_000_500), ANSWERS_PER_S / 2);
        assert_eq!(taken(&mut pace, 1_000_400), 0, "a clock that goes back gives nothing");
        assert_eq!(taken(&mut pace, u64::MAX), ANSWERS_AT_ONCE);
    }
}
