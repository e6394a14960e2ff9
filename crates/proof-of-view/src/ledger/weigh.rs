//! What a carried play weighs, by what the ledger knows of its account, its issuer and its provider.

use super::{LedgerState, Standing, standing::period_of};
use crate::weight::{Factors, identity_permille, rate_permille, saturation_permille};
use chainflix_primitives::{PlayRecord, ProtocolParams};

/// Weighs the plays of one view block, one after the other: each adds to the play time that the next ones of its account
/// are weighed against.
pub(super) struct Scale<'a> {
    params: &'a ProtocolParams,
    view_block: u64,
    day: u64,
    period: u64,
    /// Bit `v` says that plays issued by validator `v` weigh nothing.
    struck_out: u128,
}

impl<'a> Scale<'a> {
    pub fn new(params: &'a ProtocolParams, view_block: u64, slot: u64, struck_out: u128) -> Self {
        let day = slot / params.weights.day_slots;
        Self { params, view_block, day, period: period_of(params, view_block), struck_out }
    }

    /// The weight of a carried play, which from now on counts against its account's later ones.
    pub fn weigh(&self, state: &mut LedgerState, record: &PlayRecord) -> u64 {
        let (code, weights) = (&record.code.body, &self.params.weights);
        let play_ms = code.play_ms;
        let standing = state.standings.entry(code.account).or_insert_with(|| Standing::new(self.view_block));
        let identity = identity_permille(
            weights,
            self.view_block.saturating_sub(standing.first_view_block),
            record.factors.standing_permille,
        );
        let saturation = saturation_permille(weights.full_ms_per_day, standing.played_ms(self.day), play_ms);
        standing.play(self.day, play_ms);
        let account_is_struck_out = standing.is_struck_out(&self.params.audit, self.period);

        let creator_ms = state.creator_times.entry((code.account, code.creator)).or_insert(0);
        let creator_cap = saturation_permille(weights.creator_full_ms_per_period, *creator_ms, play_ms);
        *creator_ms = creator_ms.saturating_add(play_ms);

        let served_by_struck_out = state.providers.is_served_by_struck_out(&self.params.audit, record);
        if account_is_struck_out || served_by_struck_out || self.struck_out >> record.issuer & 1 == 1 {
            return 0;
        }
        let network = u64::from(record.factors.network_permille);
        // The tally carries no play whose shares pass the size of its cell.
        let moved = record.providers.iter().map(|share| share.bytes).sum();
        let rate = rate_permille(weights.full_bits_per_second, moved, play_ms);
        Factors { identity, saturation, network, creator_cap, rate }.weigh(play_ms)
    }
}
