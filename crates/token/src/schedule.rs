//! The schedule: 90 CFX a view block, half of it after view block 2,160,000 (white paper, token table).

use chainflix_primitives::ProtocolParams;

/// Reward of view block `number` (the first is 1), in gwei.
pub fn reward_gwei(params: &ProtocolParams, number: u64) -> u64 {
    match number {
        0 => 0,
        n if n <= params.halving_view_block => params.reward_gwei,
        _ => params.reward_gwei / 2,
    }
}

/// All that view blocks 1 to `number` pay, in gwei: the closed form of the sum of [`reward_gwei`].
pub fn issued_gwei(params: &ProtocolParams, number: u64) -> u128 {
    let full = number.min(params.halving_view_block);
    let half = number - full;
    u128::from(full) * u128::from(params.reward_gwei) + u128::from(half) * u128::from(params.reward_gwei / 2)
}

/// One line of the paper's token table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Full years of uninterrupted viewing since the start.
    pub years: u64,
    /// View blocks made by then.
    pub view_blocks: u64,
    /// Coins mined by then, in gwei.
    pub mined_gwei: u128,
}

/// The paper's table for the given years, if somebody watches in every slot.
pub fn schedule_table(params: &ProtocolParams, years: &[u64]) -> Vec<ScheduleRow> {
    const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;
    let row = |&years: &u64| {
        let view_blocks = years * YEAR_MS / params.slot_ms;
        ScheduleRow { years, view_blocks, mined_gwei: issued_gwei(params, view_blocks) }
    };
    years.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GWEI_PER_CFX;
    use proptest::prelude::*;

    #[test]
    fn the_halving_stands_where_the_paper_puts_it() {
        let params = ProtocolParams::default();
        let cfx = |number| reward_gwei(&params, number) / GWEI_PER_CFX;
        assert_eq!([0, 1, 2_160_000, 2_160_001, u64::MAX].map(cfx), [0, 90, 90, 45, 45]);
    }

    #[test]
    fn the_papers_table_comes_out_of_the_code_that_pays() {
        let rows = schedule_table(&ProtocolParams::default(), &[1, 2]);
        assert_eq!(rows[0].view_blocks, 2_190_000);
        // The paper's 197.1 M leaves out the 30,000 blocks of the first year that come after the halving.
        assert_eq!(rows[0].mined_gwei / u128::from(GWEI_PER_CFX), 2_160_000 * 90 + 30_000 * 45);
        assert_eq!((rows[1].mined_gwei - rows[0].mined_gwei) / u128::from(GWEI_PER_CFX), 98_550_000);
    }

    proptest! {
        #[test]
        fn the_closed_form_is_the_sum(halving in 0u64..50, number in 0u64..200, reward in 0u64..1_000) {
            let params = ProtocolParams { halving_view_block: halving, reward_gwei: reward, ..Default::default() };
            let sum: u128 = (1..=number).map(|n| u128::from(reward_gwei(&params, n))).sum();
            prop_assert_eq!(issued_gwei(&params, number), sum);
        }
    }
}
