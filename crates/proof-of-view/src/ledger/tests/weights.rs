//! What the ledger knows of an account, in the weight of its plays.

use super::*;
use chainflix_primitives::WeightParams;

/// A chain on which plays come one a slot.
struct Days {
    blocks: Blocks,
    slot: u64,
}

impl Days {
    fn new(weights: WeightParams) -> Self {
        let params = ProtocolParams { weights, ..audited(0) };
        Self { blocks: Blocks::new(params), slot: 0 }
    }

    /// The weight of the next play.
    fn weigh(&mut self, change: impl FnOnce(&mut PlayRecord)) -> u64 {
        let mut record = play(self.slot as u32, 1, 9, self.slot as u32, self.slot);
        change(&mut record);
        let payload = self.blocks.agreed(self.slot, vec![record]);
        self.slot += 1;
        let made = self.blocks.step(Some(&payload)).made.unwrap();
        self.blocks.idle();
        self.blocks.idle();
        made.accepted[0].weight
    }
}

fn stranger(record: &mut PlayRecord) {
    record.factors = PlayFactors::STRANGER;
}

#[test]
fn age_is_counted_from_the_first_carried_play() {
    let mut days = Days::new(WeightParams { mature_view_blocks: 3, ..Default::default() });
    let weights: Vec<_> = (0..5).map(|_| days.weigh(stranger)).collect();
    assert_eq!(weights, [6_000, 24_000, 42_000, 60_000, 60_000]);
    let other = days.weigh(|record| {
        stranger(record);
        record.code.body.account = account(2);
    });
    assert_eq!(other, 6_000, "another account is fresh");
    assert_eq!(days.blocks.state.standing(&account(2)).unwrap().first_view_block, 6);
}

#[test]
fn a_bond_lifts_a_fresh_account() {
    let mut days = Days::new(WeightParams::default());
    let bonded = days.weigh(|record| record.factors = PlayFactors { standing_permille: 400, ..PlayFactors::STRANGER });
    assert_eq!(bonded, 24_000);
}

#[test]
fn a_crowded_network_weighs_less() {
    let mut days = Days::new(WeightParams::default());
    assert_eq!(days.weigh(|record| record.factors.network_permille = 250), 15_000);
    assert_eq!(days.weigh(|record| record.factors.network_permille = 0), 1, "the least there is");
}

#[test]
fn a_minute_weighs_by_the_bytes_that_were_moved_for_it() {
    let mut days = Days::new(WeightParams { full_bits_per_second: 1_000_000, ..Default::default() });
    let moved = [7_500_000, 3_750_000, 75_000, 1];
    assert_eq!(moved.map(|bytes| days.weigh(|record| record.providers[0].bytes = bytes)), [60_000, 30_000, 600, 1]);
    let served = |record: &mut PlayRecord| {
        let half = ProviderShare { bytes: 3_750_000, ..record.providers[0] };
        record.providers = vec![half, ProviderShare { provider: account(254), ..half }];
    };
    assert_eq!(days.weigh(served), 60_000, "whoever moved them");
    assert_eq!(days.weigh(|record| record.providers.clear()), 1);
}

#[test]
fn a_day_saturates_and_the_next_one_is_fresh() {
    let mut days = Days::new(WeightParams { full_ms_per_day: 2 * MINUTE_MS, day_slots: 4, ..Default::default() });
    let weights: Vec<_> = (0..6).map(|_| days.weigh(|_| ())).collect();
    assert_eq!(weights, [60_000, 60_000, 39_960, 30_000, 60_000, 60_000]);
}

#[test]
fn a_ring_on_its_own_creator_saturates_until_the_period_ends() {
    let weights = WeightParams { creator_full_ms_per_period: MINUTE_MS, ..Default::default() };
    let mut days = Days::new(weights);
    days.blocks.genesis.params.period_view_blocks = 4;
    assert_eq!([days.weigh(|_| ()), days.weigh(|_| ())], [60_000, 30_000]);
    let elsewhere = days.weigh(|record| record.code.body.creator = account(8));
    assert_eq!(elsewhere, 60_000, "another creator is not meant");
    assert_eq!(days.blocks.state.creator_time_ms(&account(1), &account(9)), 2 * MINUTE_MS);
    assert_eq!(days.weigh(|_| ()), 19_980, "a third of its third minute");
    assert_eq!(days.weigh(|_| ()), 60_000, "a new period");
}

#[test]
fn plays_of_one_list_count_against_each_other() {
    let params =
        ProtocolParams { weights: WeightParams { full_ms_per_day: MINUTE_MS, ..Default::default() }, ..audited(0) };
    let blocks = Blocks::new(params);
    let payload = blocks.agreed(5, vec![play(1, 1, 8, 0, 5), play(2, 1, 9, 0, 5)]);
    let made = blocks.try_step(Some(&payload)).unwrap().made.unwrap();
    assert_eq!(made.accepted.iter().map(|play| play.weight).collect::<Vec<_>>(), [60_000, 30_000]);
}
