//! Pay of storage peers that is held back: a pledge that grows out of what they earn, so that nobody has to bring coins.
//!
//! ```text
//! service   1st quarter   2nd     3rd     later        counted in periods in which storage paid something
//! held          75 %      50 %    25 %    nothing
//!                            │                 └─ after five quarters: half of what is held is paid
//!                            └─ from here on: who withdraws from the registry is paid the rest, when a whole period is over
//! struck out by its audits ─▶ a quarter of what is held is lost, each time
//! ```
//!
//! Who came to earn for a month and go has earned a quarter. Who cheats loses what weeks of work have left there, again in
//! each period; not all at once, because others can have a small provider struck out by letting audits of what it served
//! fail. What is lost is paid to nobody: else somebody would gain from a provider's audits. Who leaves too young gets
//! nothing, but nothing is lost either: when it comes again its service goes on where it was.
//!
//! Left out: whether a provider moved its cells away before it left. Only controllers see that, and the chain does not know
//! them; `chainflix provider exit` withdraws when they say that it may go.

use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, HeldPayParams};
use chainflix_token::Credit;

/// Periods between a withdrawal and the payment: in a whole one audits tell what the last plays were worth.
const WAIT_PERIODS: u64 = 2;

/// What the registry's events say of a provider's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderMove {
    /// It entered, or changed its keys.
    Registered(AccountAddress),
    /// It left.
    Withdrawn(AccountAddress),
}

/// What is held back from one storage peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct HeldPay {
    /// How much, in gwei.
    pub gwei: u64,
    /// Its service: periods in which storage paid it something.
    pub periods: u32,
    /// The last of them.
    pub last_period: u64,
    /// The period in which it withdrew from the registry, old enough to be paid.
    pub left_in: Option<u64>,
}

/// What one award held back from a storage peer, and what of the held it paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Whose.
    pub account: AccountAddress,
    /// Held back now, in gwei.
    pub held_gwei: u64,
    /// Held back earlier and paid now, in gwei.
    pub returned_gwei: u64,
}

impl HeldPay {
    /// What is held back of its next pay, in thousandths, by its service so far.
    pub fn permille(&self, params: &HeldPayParams) -> u16 {
        let quarter = self.periods.saturating_sub(1) / params.quarter_periods.max(1);
        // A number of quarters that does not fit is more than three.
        usize::try_from(quarter).ok().and_then(|quarter| params.quarter_permille.get(quarter)).copied().unwrap_or(0)
    }

    /// Counts pay for storage in `period`; answers what of it is held, and what is returned.
    fn earn(&mut self, params: &HeldPayParams, period: u64, gwei: u64) -> (u64, u64) {
        let mut returned = 0;
        if self.periods == 0 || period > self.last_period {
            self.periods = self.periods.saturating_add(1);
            self.last_period = period;
            if self.periods == params.half_periods {
                returned = self.gwei / 2;
                self.gwei -= returned;
            }
        }
        // At most the whole.
        let held = (u128::from(gwei) * u128::from(self.permille(params)) / 1000) as u64;
        self.gwei = self.gwei.saturating_add(held);
        (held, returned)
    }
}

/// What is held back from all storage peers: one small record for each account that ever earned by storage.
#[derive(Clone, Debug, Default)]
pub(super) struct HeldPays(imbl::OrdMap<AccountAddress, HeldPay>);

impl HeldPays {
    pub fn restore(records: Vec<(AccountAddress, HeldPay)>) -> Self {
        Self(records.into_iter().collect())
    }

    pub fn get(&self, account: &AccountAddress) -> Option<&HeldPay> {
        self.0.get(account)
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (&AccountAddress, &HeldPay)> {
        self.0.iter()
    }

    /// The records in which `after` differs; `None` for one that is gone there.
    pub fn changes(&self, after: &Self) -> Vec<(AccountAddress, Option<HeldPay>)> {
        use imbl::ordmap::DiffItem;
        let change = |item| match item {
            DiffItem::Add(account, record) | DiffItem::Update { new: (account, record), .. } => {
                (*account, Some(*record))
            }
            DiffItem::Remove(account, _) => (*account, None),
        };
        self.0.diff(&after.0).map(change).collect()
    }

    /// Holds back of what a view block of `period` pays for `storage`, in order of accounts.
    pub fn earn(&mut self, params: &HeldPayParams, period: u64, storage: &[Credit]) -> Vec<Withheld> {
        let mut withheld = Vec::new();
        for &Credit { account, gwei } in storage {
            let mut record = self.0.get(&account).copied().unwrap_or_default();
            let (held_gwei, returned_gwei) = record.earn(params, period, gwei);
            self.0.insert(account, record);
            if held_gwei > 0 || returned_gwei > 0 {
                withheld.push(Withheld { account, held_gwei, returned_gwei });
            }
        }
        withheld
    }

    /// A provider was struck out, and loses a part of what is held; answers how much.
    pub fn forfeit(&mut self, params: &HeldPayParams, account: &AccountAddress) -> u64 {
        let Some(record) = self.0.get(account).copied() else { return 0 };
        // At most the whole, as no genesis has more than 1000.
        let lost = (u128::from(record.gwei) * u128::from(params.strike_permille.min(1000)) / 1000) as u64;
        self.0.insert(*account, HeldPay { gwei: record.gwei - lost, ..record });
        lost
    }

    /// What the registry said in `period`.
    pub fn hear(&mut self, params: &HeldPayParams, period: u64, moved: ProviderMove) {
        let (account, left_in) = match moved {
            ProviderMove::Registered(account) => (account, None),
            ProviderMove::Withdrawn(account) => (account, Some(period)),
        };
        if let Some(record) = self.0.get(&account).copied()
            && record.periods >= params.leave_periods.max(1)
        {
            self.0.insert(account, HeldPay { left_in, ..record });
        }
    }

    /// Takes out those that left long enough before `period`, and answers what they are paid, in order of accounts.
    pub fn leave(&mut self, period: u64) -> Vec<Credit> {
        let is_due = |record: &HeldPay| record.left_in.is_some_and(|left| left.saturating_add(WAIT_PERIODS) <= period);
        let due: Vec<_> = self
            .0
            .iter()
            .filter(|(_, record)| is_due(record))
            .map(|(account, record)| (*account, record.gwei))
            .collect();
        for (account, _) in &due {
            self.0.remove(account);
        }
        due.into_iter().filter(|(_, gwei)| *gwei > 0).map(|(account, gwei)| Credit { account, gwei }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARAMS: HeldPayParams = HeldPayParams {
        quarter_permille: [750, 500, 250],
        quarter_periods: 3,
        leave_periods: 6,
        half_periods: 15,
        strike_permille: 250,
    };
    const WHO: AccountAddress = AccountAddress([7; 20]);

    /// Earns 1,000 gwei in each of so many periods; answers what was held and returned in each.
    fn serve(held: &mut HeldPays, from: u64, periods: u64) -> Vec<(u64, u64)> {
        let earn = |period| {
            let withheld = held.earn(&PARAMS, period, &[Credit { account: WHO, gwei: 1_000 }]);
            withheld.first().map_or((0, 0), |withheld| (withheld.held_gwei, withheld.returned_gwei))
        };
        (from..from + periods).map(earn).collect()
    }

    fn gwei(held: &HeldPays) -> u64 {
        held.get(&WHO).map_or(0, |record| record.gwei)
    }

    #[test]
    fn less_is_held_with_each_quarter_and_half_is_returned_after_five() {
        let mut held = HeldPays::default();
        let service = serve(&mut held, 4, 16);
        let expected = [[750; 3], [500; 3], [250; 3]].concat();
        assert_eq!(service.iter().map(|(held, _)| *held).take(9).collect::<Vec<_>>(), expected);
        assert!(service[9..14].iter().all(|part| *part == (0, 0)));
        assert_eq!((service[14], service[15]), ((0, 2_250), (0, 0)), "half of 4,500, once");
        assert_eq!(gwei(&held), 2_250);
    }

    #[test]
    fn many_view_blocks_of_a_period_are_one_period_of_service() {
        let mut held = HeldPays::default();
        (0..5).for_each(|_| drop(serve(&mut held, 9, 1)));
        assert_eq!(held.get(&WHO).map(|record| (record.periods, record.gwei)), Some((1, 3_750)));
        assert_eq!(serve(&mut held, 8, 1), [(750, 0)], "a view block that was awarded late");
        assert_eq!(held.get(&WHO).map(|record| (record.periods, record.last_period)), Some((1, 9)));
    }

    #[test]
    fn who_leaves_after_two_quarters_is_paid_when_a_whole_period_is_over() {
        let mut held = HeldPays::default();
        serve(&mut held, 1, 6);
        held.hear(&PARAMS, 7, ProviderMove::Withdrawn(WHO));
        assert_eq!(held.leave(8), []);
        assert_eq!(held.leave(9), [Credit { account: WHO, gwei: 3_750 }]);
        assert_eq!(held.leave(10), []);
        assert_eq!(held.get(&WHO), None);
    }

    #[test]
    fn who_leaves_too_young_or_comes_back_is_not_paid_and_goes_on() {
        let mut held = HeldPays::default();
        serve(&mut held, 1, 5);
        held.hear(&PARAMS, 5, ProviderMove::Withdrawn(WHO));
        assert_eq!((held.leave(90), gwei(&held)), (vec![], 3_250), "too young");
        serve(&mut held, 91, 1);
        held.hear(&PARAMS, 91, ProviderMove::Withdrawn(WHO));
        held.hear(&PARAMS, 92, ProviderMove::Registered(WHO));
        assert_eq!((held.leave(99), gwei(&held)), (vec![], 3_750), "came back");
        assert_eq!(serve(&mut held, 99, 1), [(250, 0)], "in its third quarter");
    }

    #[test]
    fn who_is_struck_out_loses_a_quarter_each_time_also_on_its_way_out() {
        let mut held = HeldPays::default();
        serve(&mut held, 1, 9);
        held.hear(&PARAMS, 9, ProviderMove::Withdrawn(WHO));
        assert_eq!([held.forfeit(&PARAMS, &WHO), held.forfeit(&PARAMS, &WHO)], [1_125, 843]);
        assert_eq!(held.leave(99), [Credit { account: WHO, gwei: 4_500 - 1_125 - 843 }]);
        assert_eq!(held.forfeit(&PARAMS, &WHO), 0, "of somebody unknown");
    }

    #[test]
    fn a_move_of_somebody_who_never_earned_leaves_nothing_behind() {
        let mut held = HeldPays::default();
        held.hear(&PARAMS, 1, ProviderMove::Withdrawn(WHO));
        held.hear(&HeldPayParams { leave_periods: 0, ..PARAMS }, 1, ProviderMove::Withdrawn(WHO));
        assert_eq!(held.iter().count(), 0);
    }

    proptest! {
        #[test]
        fn what_is_held_is_what_was_taken_and_not_given(steps in prop::collection::vec((0u8..8, 0u64..3, 0..1u64 << 40), 0..200)) {
            let (mut held, mut period, mut taken) = (HeldPays::default(), 1, 0u128);
            for (deed, later, gwei) in steps {
                period += later;
                let before = held.clone();
                match deed {
                    0 => held.hear(&PARAMS, period, ProviderMove::Withdrawn(WHO)),
                    1 => held.hear(&PARAMS, period, ProviderMove::Registered(WHO)),
                    2 => taken -= held.leave(period).iter().map(|credit| u128::from(credit.gwei)).sum::<u128>(),
                    3 => taken -= u128::from(held.forfeit(&PARAMS, &WHO)),
                    _ => for withheld in held.earn(&PARAMS, period, &[Credit { account: WHO, gwei }]) {
                        prop_assert!(withheld.held_gwei <= gwei);
                        taken = taken + u128::from(withheld.held_gwei) - u128::from(withheld.returned_gwei);
                    }
                }
                prop_assert_eq!(u128::from(super::tests::gwei(&held)), taken);
                let mut rows: std::collections::BTreeMap<_, _> = before.iter().map(|(account, record)| (*account, *record)).collect();
                for (account, record) in before.changes(&held) {
                    match record {
                        Some(record) => drop(rows.insert(account, record)),
                        None => drop(rows.remove(&account)),
                    }
                }
                prop_assert!(rows.iter().eq(held.iter()), "a store that follows the changes holds the same");
            }
        }
    }
}
