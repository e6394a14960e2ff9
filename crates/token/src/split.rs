//! The split: from a view block's reward to credits per account.
//!
//! ```text
//! reward ──by weight──▶ one amount per play ──by the creator's split──▶ seven roles ──▶ one credit per account
//! ```
//!
//! Two divisions leave something over. Between plays, each takes the difference of two rounded running totals, so that
//! the parts add up to the whole by construction and no order of plays gains more than a gwei. Within a play every role
//! is rounded down and the creator takes the rest, absent roles included.

use chainflix_primitives::{AccountAddress, PlayRecord, ProviderShare, RewardSplit};
use std::collections::HashMap;

/// Coins for one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Who is paid.
    pub account: AccountAddress,
    /// How much, in gwei.
    pub gwei: u64,
}

/// What a view block pays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paid {
    /// One credit per account, in order of accounts.
    pub credits: Vec<Credit>,
    /// The part of each that its account has as a storage peer, where that is anything; in order of accounts.
    pub storage: Vec<Credit>,
}

/// Who may share in every play of a view block.
#[derive(Clone, Copy, Debug)]
pub struct Parties<'a> {
    /// The validators, by their numbers; at most 128.
    pub validators: &'a [AccountAddress],
    /// Bit `v` says that validator `v` forfeits its share: the creators have it.
    pub struck_out: u128,
    /// Operation participants, in equal parts.
    pub operation: &'a [AccountAddress],
}

/// One accepted play: what it weighs against the others of its slot, and who made the view possible.
#[derive(Clone, Copy, Debug)]
pub struct WeightedPlay<'a> {
    /// Relative weight; 0 earns nothing.
    pub weight: u64,
    /// How its creator shares.
    pub split: &'a RewardSplit,
    /// Who watched.
    pub viewer: AccountAddress,
    /// Who published.
    pub creator: AccountAddress,
    /// Who vouches for the video.
    pub supervisor: AccountAddress,
    /// Makers of the layers shown, in equal parts.
    pub activators: &'a [AccountAddress],
    /// Who served the cell, by bytes.
    pub providers: &'a [ProviderShare],
    /// Bytes of the cell: what no receipt covers is an absent provider's part.
    pub cell_bytes: u64,
    /// Bit `v` says that validator `v`'s vote carried it.
    pub carriers: u128,
}

impl<'a> WeightedPlay<'a> {
    /// What a slot records of a play, with what its votes gave it.
    pub fn of(record: &'a PlayRecord, weight: u64, carriers: u128) -> Self {
        let code = &record.code.body;
        Self {
            weight,
            split: &code.split,
            viewer: code.account,
            creator: code.creator,
            supervisor: code.supervisor,
            activators: &code.activators,
            providers: &record.providers,
            cell_bytes: code.size,
            carriers,
        }
    }
}

/// What one play paid, by role, in gwei. Adds up to the play's part of the reward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolePay {
    /// Who published the video, with the shares of absent roles and what was rounded off.
    pub creator: u64,
    /// Who watched.
    pub viewer: u64,
    /// Makers of the layers shown, together.
    pub activators: u64,
    /// Peers that served the cell, together.
    pub storage: u64,
    /// Validators whose votes carried the play, together.
    pub validators: u64,
    /// Who vouches for the video.
    pub supervisor: u64,
    /// Operation participants, together.
    pub operation: u64,
}

/// Shares `reward_gwei` over `plays`. The credits add up to exactly `reward_gwei` — or to nothing when no play has weight.
pub fn pay<'a>(reward_gwei: u64, parties: &Parties<'_>, plays: impl Iterator<Item = WeightedPlay<'a>> + Clone) -> Paid {
    let mut purse = Purse::default();
    for (play, amount) in plays.clone().zip(amounts(reward_gwei, plays.map(|play| play.weight))) {
        share(amount, parties, &play, &mut purse);
    }
    purse.empty(parties)
}

/// The part of `reward_gwei` that each of the plays with these weights gets, in their order.
pub fn amounts(reward_gwei: u64, weights: impl Iterator<Item = u64> + Clone) -> impl Iterator<Item = u64> {
    // Weights are milliseconds of minutes: their sum stays far below the point where it would stop to grow, and even then
    // no gwei would be made or lost.
    let total = weights.clone().fold(0u64, u64::saturating_add);
    let (mut weight, mut paid) = (0u64, 0u64);
    weights.map(move |next| {
        weight = weight.saturating_add(next);
        // At most the reward, since no running weight exceeds the total.
        let upto = (u128::from(reward_gwei) * u128::from(weight)).checked_div(total.into()).unwrap_or(0) as u64;
        upto - std::mem::replace(&mut paid, upto)
    })
}

/// How one play's part of the reward is shared over the roles.
pub fn by_role(amount_gwei: u64, parties: &Parties<'_>, play: &WeightedPlay<'_>) -> RolePay {
    let mut roles = RolePay::default();
    share(amount_gwei, parties, play, &mut roles);
    roles
}

/// What one play's part of the reward pays to each of `play.providers`, in gwei, in their order.
pub fn storage_parts(amount_gwei: u64, parties: &Parties<'_>, play: &WeightedPlay<'_>) -> Vec<u64> {
    let mut parts = StorageParts(Vec::with_capacity(play.providers.len()));
    share(amount_gwei, parties, play, &mut parts);
    // Of nothing, nobody has anything.
    parts.0.resize(play.providers.len(), 0);
    parts.0
}

/// Takes the parts of a play's amount as they are cut.
trait Shares {
    fn viewer(&mut self, account: &AccountAddress, gwei: u64);
    fn supervisor(&mut self, account: &AccountAddress, gwei: u64);
    fn activator(&mut self, account: &AccountAddress, gwei: u64);
    fn provider(&mut self, account: &AccountAddress, gwei: u64);
    fn validator(&mut self, number: usize, gwei: u64);
    /// The same for each of `participants`.
    fn operation(&mut self, each_gwei: u64, participants: u64);
    fn creator(&mut self, account: &AccountAddress, gwei: u64);
}

/// What is left of one play's amount.
struct Rest(u64);

impl Rest {
    /// Takes `gwei` out, or what is left where a split promises more than there is.
    fn take(&mut self, gwei: u64) -> u64 {
        let gwei = gwei.min(self.0);
        self.0 -= gwei;
        gwei
    }
}

fn share(amount: u64, parties: &Parties<'_>, play: &WeightedPlay<'_>, to: &mut impl Shares) {
    if amount == 0 {
        return;
    }
    // At most the amount, for at most 1000 thousandths.
    let part = |permille: u16| (u128::from(amount) * u128::from(permille) / 1000) as u64;
    let mut rest = Rest(amount);
    let split = play.split;
    to.viewer(&play.viewer, rest.take(part(split.viewer)));
    to.supervisor(&play.supervisor, rest.take(part(split.supervisor)));
    for activator in play.activators {
        to.activator(activator, rest.take(part(split.activators) / play.activators.len() as u64));
    }
    share_storage(part(split.storage), play, &mut rest, to);
    share_validators(part(split.validators), parties, play.carriers, &mut rest, to);
    if !parties.operation.is_empty() {
        let participants = parties.operation.len() as u64;
        let each = part(split.operation).min(rest.0) / participants;
        rest.take(each * participants);
        to.operation(each, participants);
    }
    // What is left: the creator's own share, what was rounded off, and the shares of absent roles.
    to.creator(&play.creator, rest.0);
}

fn share_storage(storage: u64, play: &WeightedPlay<'_>, rest: &mut Rest, to: &mut impl Shares) {
    let served = play.providers.iter().map(|share| u128::from(share.bytes)).sum::<u128>();
    // Receipts never cover more than the cell; if a caller says otherwise the share is still not exceeded.
    let whole = served.max(u128::from(play.cell_bytes)).max(1);
    for share in play.providers {
        let gwei = (u128::from(storage) * u128::from(share.bytes) / whole) as u64;
        to.provider(&share.provider, rest.take(gwei));
    }
}

/// Equal parts for those whose votes carried the play. Who is struck out is counted and not paid.
fn share_validators(gwei: u64, parties: &Parties<'_>, carriers: u128, rest: &mut Rest, to: &mut impl Shares) {
    let Some(each) = gwei.checked_div(carriers.count_ones().into()) else { return };
    let mut paid = carriers & !parties.struck_out;
    while paid != 0 {
        to.validator(paid.trailing_zeros() as usize, rest.take(each));
        paid &= paid - 1;
    }
}

/// What has been shared so far. Validators and operation participants, who share in all plays, are counted apart: a look-up
/// for each of them and each play would be most of the work.
struct Purse {
    /// What accounts have, all but what they have as storage peers.
    accounts: HashMap<AccountAddress, u64>,
    storage: HashMap<AccountAddress, u64>,
    validators: [u64; 128],
    /// What each operation participant has.
    operation: u64,
}

impl Default for Purse {
    fn default() -> Self {
        Self { accounts: HashMap::new(), storage: HashMap::new(), validators: [0; 128], operation: 0 }
    }
}

impl Purse {
    fn give(&mut self, account: &AccountAddress, gwei: u64) {
        if gwei > 0 {
            *self.accounts.entry(*account).or_default() += gwei;
        }
    }

    fn empty(mut self, parties: &Parties<'_>) -> Paid {
        let storage = credits(std::mem::take(&mut self.storage));
        for part in &storage {
            self.give(&part.account, part.gwei);
        }
        for (validator, gwei) in parties.validators.iter().zip(self.validators) {
            self.give(validator, gwei);
        }
        for participant in parties.operation {
            self.give(participant, self.operation);
        }
        Paid { credits: credits(self.accounts), storage }
    }
}

/// In order of accounts.
fn credits(accounts: HashMap<AccountAddress, u64>) -> Vec<Credit> {
    let mut credits: Vec<_> = accounts.into_iter().map(|(account, gwei)| Credit { account, gwei }).collect();
    // Each account is there once.
    credits.sort_unstable_by_key(|credit| credit.account);
    credits
}

impl Shares for Purse {
    fn viewer(&mut self, account: &AccountAddress, gwei: u64) {
        self.give(account, gwei);
    }
    fn supervisor(&mut self, account: &AccountAddress, gwei: u64) {
        self.give(account, gwei);
    }
    fn activator(&mut self, account: &AccountAddress, gwei: u64) {
        self.give(account, gwei);
    }
    fn provider(&mut self, account: &AccountAddress, gwei: u64) {
        if gwei > 0 {
            *self.storage.entry(*account).or_default() += gwei;
        }
    }
    fn validator(&mut self, number: usize, gwei: u64) {
        self.validators[number] += gwei;
    }
    fn operation(&mut self, each_gwei: u64, _participants: u64) {
        self.operation += each_gwei;
    }
    fn creator(&mut self, account: &AccountAddress, gwei: u64) {
        self.give(account, gwei);
    }
}

impl Shares for RolePay {
    fn viewer(&mut self, _account: &AccountAddress, gwei: u64) {
        self.viewer += gwei;
    }
    fn supervisor(&mut self, _account: &AccountAddress, gwei: u64) {
        self.supervisor += gwei;
    }
    fn activator(&mut self, _account: &AccountAddress, gwei: u64) {
        self.activators += gwei;
    }
    fn provider(&mut self, _account: &AccountAddress, gwei: u64) {
        self.storage += gwei;
    }
    fn validator(&mut self, _number: usize, gwei: u64) {
        self.validators += gwei;
    }
    fn operation(&mut self, each_gwei: u64, participants: u64) {
        self.operation += each_gwei * participants;
    }
    fn creator(&mut self, _account: &AccountAddress, gwei: u64) {
        self.creator += gwei;
    }
}

/// The storage role's parts alone.
struct StorageParts(Vec<u64>);

impl Shares for StorageParts {
    fn provider(&mut self, _account: &AccountAddress, gwei: u64) {
        self.0.push(gwei);
    }
    fn viewer(&mut self, _account: &AccountAddress, _gwei: u64) {}
    fn supervisor(&mut self, _account: &AccountAddress, _gwei: u64) {}
    fn activator(&mut self, _account: &AccountAddress, _gwei: u64) {}
    fn validator(&mut self, _number: usize, _gwei: u64) {}
    fn operation(&mut self, _each_gwei: u64, _participants: u64) {}
    fn creator(&mut self, _account: &AccountAddress, _gwei: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VIEWER: u8 = 1;
    const CREATOR: u8 = 2;
    const SUPERVISOR: u8 = 3;
    const REWARD: u64 = 90_000_000_000;

    fn account(n: u8) -> AccountAddress {
        AccountAddress([n; 20])
    }

    fn accounts(numbers: std::ops::Range<u8>) -> Vec<AccountAddress> {
        numbers.map(account).collect()
    }

    const ALONE: WeightedPlay<'static> = WeightedPlay {
        weight: 1,
        split: &RewardSplit::DEFAULT,
        viewer: AccountAddress([VIEWER; 20]),
        creator: AccountAddress([CREATOR; 20]),
        supervisor: AccountAddress([SUPERVISOR; 20]),
        activators: &[],
        providers: &[],
        cell_bytes: 100,
        carriers: 0,
    };

    fn paid(parties: &Parties<'_>, plays: &[WeightedPlay<'_>]) -> impl Fn(u8) -> u64 + use<> {
        let credits = pay(REWARD, parties, plays.iter().copied()).credits;
        assert!(credits.is_sorted_by(|a, b| a.account < b.account), "each account once, in order");
        assert_eq!(credits.iter().map(|credit| credit.gwei).sum::<u64>(), REWARD);
        move |n| credits.iter().find(|credit| credit.account == account(n)).map_or(0, |credit| credit.gwei)
    }

    #[test]
    fn ninety_coins_reach_everybody_who_made_the_view_possible() {
        let (validators, operation, activators) = (accounts(6..10), accounts(10..12), accounts(12..15));
        let parties = Parties { validators: &validators, struck_out: 0, operation: &operation };
        let providers = [(4, 75), (5, 25)].map(|(n, bytes)| ProviderShare { provider: account(n), bytes });
        let play = WeightedPlay { providers: &providers, activators: &activators, carriers: 0b1101, ..ALONE };
        let of = paid(&parties, &[play]);
        assert_eq!(of(VIEWER), 27_000_000_000);
        assert_eq!(of(SUPERVISOR), 2_700_000_000);
        assert_eq!([4, 5].map(&of), [10_125_000_000, 3_375_000_000]);
        assert_eq!([6, 7, 8, 9].map(&of), [2_400_000_000, 0, 2_400_000_000, 2_400_000_000]);
        assert_eq!([10, 11].map(&of), [1_800_000_000; 2]);
        assert_eq!([12, 13, 14].map(&of), [3_000_000_000; 3]);
        assert_eq!(of(CREATOR), 27_000_000_000);
    }

    #[test]
    fn a_play_knows_what_it_paid_to_whom() {
        let (validators, operation, activators) = (accounts(6..10), accounts(10..12), accounts(12..15));
        let parties = Parties { validators: &validators, struck_out: 0, operation: &operation };
        let providers = [ProviderShare { provider: account(4), bytes: 50 }];
        let play = WeightedPlay { providers: &providers, activators: &activators, carriers: 0b1111, ..ALONE };
        let paid = RolePay {
            creator: 33_750,
            viewer: 27_000,
            activators: 9_000,
            storage: 6_750,
            validators: 7_200,
            supervisor: 2_700,
            operation: 3_600,
        };
        assert_eq!(by_role(90_000, &parties, &play), paid);
        assert_eq!(storage_parts(90_000, &parties, &play), [6_750]);
        assert_eq!(storage_parts(0, &parties, &play), [0]);
        assert_eq!(amounts(100, [1, 0, 2].into_iter()).collect::<Vec<_>>(), [33, 0, 67]);
        assert_eq!(amounts(100, [0, 0].into_iter()).collect::<Vec<_>>(), [0, 0]);
        assert_eq!(amounts(u64::MAX, [u64::MAX; 2].into_iter()).collect::<Vec<_>>(), [u64::MAX, 0]);
    }

    #[test]
    fn what_nobody_did_is_the_creators() {
        let nobody = Parties { validators: &[], struck_out: 0, operation: &[] };
        let of = paid(&nobody, &[ALONE]);
        assert_eq!([VIEWER, SUPERVISOR].map(&of), [27_000_000_000, 2_700_000_000]);
        assert_eq!(of(CREATOR), REWARD - 29_700_000_000);
    }

    #[test]
    fn half_a_delivery_is_half_a_share() {
        let nobody = Parties { validators: &[], struck_out: 0, operation: &[] };
        let providers = [ProviderShare { provider: account(4), bytes: 50 }];
        assert_eq!(paid(&nobody, &[WeightedPlay { providers: &providers, ..ALONE }])(4), 6_750_000_000);
        let too_much = [ProviderShare { provider: account(4), bytes: 500 }];
        assert_eq!(paid(&nobody, &[WeightedPlay { providers: &too_much, ..ALONE }])(4), 13_500_000_000);
    }

    #[test]
    fn each_creator_shares_as_it_chose() {
        let nobody = Parties { validators: &[], struck_out: 0, operation: &[] };
        let generous = RewardSplit { creator: 100, viewer: 500, ..RewardSplit::DEFAULT };
        let other = WeightedPlay { split: &generous, viewer: account(20), creator: account(21), ..ALONE };
        let of = paid(&nobody, &[ALONE, other]);
        assert_eq!([VIEWER, 20].map(&of), [13_500_000_000, 22_500_000_000]);
    }

    #[test]
    fn a_struck_out_validators_share_is_the_creators() {
        let validators = accounts(6..8);
        let honest = Parties { validators: &validators, struck_out: 0, operation: &[] };
        let play = WeightedPlay { carriers: 0b11, ..ALONE };
        let (before, after) = (paid(&honest, &[play]), paid(&Parties { struck_out: 0b10, ..honest }, &[play]));
        assert_eq!([6, 7].map(&before), [3_600_000_000; 2]);
        assert_eq!([6, 7].map(&after), [3_600_000_000, 0]);
        assert_eq!(after(CREATOR), before(CREATOR) + 3_600_000_000);
    }

    #[test]
    fn one_account_may_have_many_roles() {
        let validators = accounts(VIEWER..VIEWER + 1);
        let parties = Parties { validators: &validators, struck_out: 0, operation: &validators };
        let providers = [ProviderShare { provider: account(VIEWER), bytes: 100 }];
        let play = WeightedPlay {
            providers: &providers,
            creator: account(VIEWER),
            supervisor: account(VIEWER),
            activators: &validators,
            carriers: 1,
            ..ALONE
        };
        assert_eq!(paid(&parties, &[play])(VIEWER), REWARD);
    }

    #[test]
    fn no_view_no_coin() {
        let nobody = Parties { validators: &[], struck_out: 0, operation: &[] };
        assert_eq!(pay(REWARD, &nobody, [].into_iter()), Paid::default());
        assert_eq!(pay(REWARD, &nobody, [WeightedPlay { weight: 0, ..ALONE }].into_iter()), Paid::default());
    }

    /// Any seven numbers that add up to 1000.
    fn any_split() -> impl Strategy<Value = RewardSplit> {
        prop::array::uniform6(0u16..=1000).prop_map(|mut cuts| {
            cuts.sort_unstable();
            let [a, b, c, d, e, f] = cuts;
            RewardSplit {
                creator: a,
                viewer: b - a,
                activators: c - b,
                storage: d - c,
                validators: e - d,
                supervisor: f - e,
                operation: 1000 - f,
            }
        })
    }

    #[derive(Clone, Debug)]
    struct AnyPlay {
        weight: u64,
        split: RewardSplit,
        people: [u8; 3],
        activators: Vec<AccountAddress>,
        providers: Vec<ProviderShare>,
        carriers: u128,
    }

    fn any_play() -> impl Strategy<Value = AnyPlay> {
        let served = prop::collection::vec((0u8..30, 0u64..1_000), 0..4);
        (0u64..1_000_000, any_split(), any::<[u8; 3]>(), 0u8..5, served, any::<u128>()).prop_map(
            |(weight, split, people, activators, served, carriers)| AnyPlay {
                weight,
                split,
                people,
                activators: accounts(200..200 + activators),
                providers: served.iter().map(|&(n, bytes)| ProviderShare { provider: account(n), bytes }).collect(),
                carriers,
            },
        )
    }

    impl AnyPlay {
        fn play(&self) -> WeightedPlay<'_> {
            let [viewer, creator, supervisor] = self.people.map(account);
            WeightedPlay {
                weight: self.weight,
                split: &self.split,
                viewer,
                creator,
                supervisor,
                activators: &self.activators,
                providers: &self.providers,
                cell_bytes: 1_500,
                carriers: self.carriers,
            }
        }
    }

    proptest! {
        #[test]
        fn not_one_gwei_is_made_or_lost(
            reward in prop_oneof![0u64..=90_000_000_000, any::<u64>()],
            plays in prop::collection::vec(any_play(), 1..40),
            validators in 0u8..=128,
            operation in 0u8..5,
            struck_out: u128,
        ) {
            let known = 1u128.checked_shl(validators.into()).map_or(u128::MAX, |bit| bit - 1);
            let plays: Vec<_> =
                plays.into_iter().map(|play| AnyPlay { carriers: play.carriers & known, ..play }).collect();
            let (validators, operation) = (accounts(50..50 + validators), accounts(190..190 + operation));
            let parties = Parties { validators: &validators, struck_out, operation: &operation };
            let Paid { credits, storage: stored } = pay(reward, &parties, plays.iter().map(AnyPlay::play));
            let mut storage_sum = 0;
            let roles = plays.iter().zip(amounts(reward, plays.iter().map(|play| play.weight)));
            for (play, amount) in roles {
                let RolePay { creator, viewer, activators, storage, validators, supervisor, operation } =
                    by_role(amount, &parties, &play.play());
                let sum = [creator, viewer, activators, storage, validators, supervisor, operation].map(u128::from);
                prop_assert_eq!(sum.iter().sum::<u128>(), u128::from(amount));
                storage_sum += u128::from(storage);
            }
            let paid: u128 = credits.iter().map(|credit| u128::from(credit.gwei)).sum();
            let has_weight = plays.iter().any(|play| play.weight > 0);
            prop_assert_eq!(paid, if has_weight { u128::from(reward) } else { 0 });
            prop_assert!(credits.is_sorted_by(|a, b| a.account < b.account));
            prop_assert!(credits.iter().all(|credit| credit.gwei > 0));
            prop_assert_eq!(stored.iter().map(|credit| u128::from(credit.gwei)).sum::<u128>(), storage_sum);
            prop_assert!(stored.is_sorted_by(|a, b| a.account < b.account));
            for part in stored {
                let all = credits.iter().find(|credit| credit.account == part.account).map_or(0, |credit| credit.gwei);
                prop_assert!(0 < part.gwei && part.gwei <= all);
            }
        }

        #[test]
        fn a_play_gains_at_most_a_gwei_by_its_place(weights in prop::collection::vec(1u64..1_000, 2..10)) {
            let only_viewer = RewardSplit {
                viewer: 1000, creator: 0, activators: 0, storage: 0, validators: 0, supervisor: 0, operation: 0,
            };
            let total: u64 = weights.iter().sum();
            let plays = weights.iter().enumerate().map(|(n, weight)| WeightedPlay {
                weight: *weight,
                split: &only_viewer,
                viewer: account(n as u8),
                ..ALONE
            });
            let nobody = Parties { validators: &[], struck_out: 0, operation: &[] };
            for credit in pay(1_000_000, &nobody, plays).credits {
                let exact = 1_000_000 * weights[credit.account.0[0] as usize] / total;
                prop_assert!(credit.gwei.abs_diff(exact) <= 1);
            }
        }

        #[test]
        fn a_split_that_promises_too_much_is_cut(amount: u64, permille in any::<[u16; 7]>()) {
            let [creator, viewer, activators, storage, validators, supervisor, operation] = permille;
            let split = RewardSplit { creator, viewer, activators, storage, validators, supervisor, operation };
            let people = accounts(30..33);
            let parties = Parties { validators: &people, struck_out: 0, operation: &people };
            let play = WeightedPlay { split: &split, carriers: 0b111, activators: &people, ..ALONE };
            let paid: u128 = pay(amount, &parties, [play].into_iter()).credits.iter().map(|c| u128::from(c.gwei)).sum();
            prop_assert_eq!(paid, u128::from(amount));
        }
    }
}
