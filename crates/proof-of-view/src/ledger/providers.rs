//! What providers answer for: the audited plays of a period of which they served the larger part.
//!
//! ```text
//! verdict ─▶ weight that passed, weight that is void ─▶ more than half void, of at least eight plays ─▶ struck out
//! struck out ─▶ what it served weighs nothing, and what waits for its award is void ─▶ the next period forgives
//! ```
//!
//! Who downloads nothing needs a provider that signs for it. Its accounts cost nothing and each has a few strikes, but all
//! of them share their provider's record. **Weight counts, and not plays:** somebody that lets audits fail on purpose, to
//! harm a provider, must bring more weight than all its honest viewers together, as many minutes really downloaded from
//! it; accounts made today have a tenth of it. Only what was voted down counts: who could not be heard proves nothing.

use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, AuditParams, PlayRecord};

/// What one provider answers for in the running period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ProviderRecord {
    /// Audited plays of which it served the larger part.
    pub audited: u32,
    /// What they weighed.
    pub weight: u64,
    /// What those of them weighed that were voted down.
    pub void_weight: u64,
}

impl ProviderRecord {
    /// Whether plays it served weigh nothing until the period ends.
    pub fn is_struck_out(&self, params: &AuditParams) -> bool {
        let (void, all) = (u128::from(self.void_weight), u128::from(self.weight));
        self.audited >= params.provider_audits_min && void * 1000 > all * u128::from(params.provider_void_permille)
    }

    fn count(&mut self, weight: u64, is_void: bool) {
        self.audited = self.audited.saturating_add(1);
        self.weight = self.weight.saturating_add(weight);
        self.void_weight = self.void_weight.saturating_add(if is_void { weight } else { 0 });
    }
}

/// All providers' records. One play in twenty is audited, and a period forgets them: they are fewer than the cells that it
/// counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Providers(imbl::HashMap<AccountAddress, ProviderRecord>);

impl Providers {
    pub fn restore(records: Vec<(AccountAddress, ProviderRecord)>) -> Self {
        Self(records.into_iter().collect())
    }

    pub fn get(&self, provider: &AccountAddress) -> Option<&ProviderRecord> {
        self.0.get(provider)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&AccountAddress, &ProviderRecord)> {
        self.0.iter()
    }

    /// Counts an audited play for whoever served it.
    pub fn count(&mut self, record: &PlayRecord, weight: u64, is_void: bool) {
        for provider in answering(record) {
            self.0.entry(provider).or_default().count(weight, is_void);
        }
    }

    /// Whether somebody that is struck out served the larger part of a play.
    pub fn is_served_by_struck_out(&self, params: &AuditParams, record: &PlayRecord) -> bool {
        answering(record).any(|provider| self.get(&provider).is_some_and(|known| known.is_struck_out(params)))
    }
}

/// Who answers for a play: the provider that served most of it, and every other one that served as much. Who splits a cell
/// between friends has one of them answer all the same.
pub(super) fn answering(record: &PlayRecord) -> impl Iterator<Item = AccountAddress> {
    let most = record.providers.iter().map(|share| share.bytes).max().unwrap_or_default();
    record.providers.iter().filter(move |share| share.bytes == most).map(|share| share.provider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARAMS: fn() -> AuditParams = AuditParams::default;

    fn of(audits: &[(u64, bool)]) -> ProviderRecord {
        let mut record = ProviderRecord::default();
        audits.iter().for_each(|(weight, is_void)| record.count(*weight, *is_void));
        record
    }

    #[test]
    fn eight_audits_of_which_more_than_half_are_void() {
        assert!(!of(&[(10, true); 7]).is_struck_out(&PARAMS()), "seven may be an accident");
        assert!(of(&[(10, true); 8]).is_struck_out(&PARAMS()));
        let half = [[(10, true); 6], [(10, false); 6]].concat();
        assert!(!of(&half).is_struck_out(&PARAMS()), "half is not more than half");
        assert!(of(&[&half[..], &[(1, true)]].concat()).is_struck_out(&PARAMS()));
    }

    #[test]
    fn a_crowd_of_fresh_accounts_does_not_outweigh_grown_viewers() {
        let spite = [[(6_000, true); 9].as_slice(), &[(60_000, false)]].concat();
        assert!(!of(&spite).is_struck_out(&PARAMS()), "nine plays at a tenth against one in full");
    }

    proptest! {
        #[test]
        fn the_order_of_audits_does_not_matter(mut audits in prop::collection::vec((1..100_000u64, any::<bool>()), 0..40)) {
            let before = of(&audits);
            audits.reverse();
            prop_assert_eq!(before, of(&audits));
            let void: u64 = audits.iter().filter(|(_, is_void)| *is_void).map(|(weight, _)| weight).sum();
            let all: u64 = audits.iter().map(|(weight, _)| weight).sum();
            prop_assert_eq!(before.is_struck_out(&PARAMS()), audits.len() >= 8 && 2 * void > all);
        }
    }
}
