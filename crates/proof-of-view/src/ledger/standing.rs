//! What the ledger knows of accounts and issuers: age, play time of the day, strikes.

use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, AuditParams, Magnet, PlayRecord, ProtocolParams};

/// One cell mined by one account: allowed once per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct MinedCell {
    /// Who watched.
    pub account: AccountAddress,
    /// Which video.
    pub magnet: Magnet,
    /// Which minute.
    pub cell_index: u32,
}

impl MinedCell {
    /// The cell a record mines.
    pub fn of(record: &PlayRecord) -> Self {
        let code = &record.code.body;
        Self { account: code.account, magnet: code.magnet, cell_index: code.cell_index }
    }

    /// A short name, as the ledger keeps it for each paid play of a period. Whoever finds two cells with one name has
    /// done 2^64 hashes to be paid for one of them only.
    pub fn name(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 mined cell v1");
        hasher.update(&self.account.0).update(&self.magnet.0).update(&self.cell_index.to_le_bytes());
        let mut name = [0; 16];
        name.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        name
    }
}

/// What the ledger knows of an account that had a play carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Standing {
    /// The view block of its first carried play: its age counts from there.
    pub first_view_block: u64,
    /// The day it last played, counted in [`day_slots`](chainflix_primitives::WeightParams::day_slots).
    pub day: u64,
    /// What it played on that day, in milliseconds.
    pub day_ms: u64,
    /// The period of its last strike.
    pub period: u64,
    /// Plays that were voted void in that period.
    pub strikes: u8,
}

impl Standing {
    /// Of an account whose first play is carried by `view_block`.
    pub(super) fn new(view_block: u64) -> Self {
        Self { first_view_block: view_block, day: 0, day_ms: 0, period: 0, strikes: 0 }
    }

    /// What it played on `day`, in milliseconds.
    pub fn played_ms(&self, day: u64) -> u64 {
        if self.day == day { self.day_ms } else { 0 }
    }

    /// Its strikes in `period`.
    pub fn strikes(&self, period: u64) -> u8 {
        if self.period == period { self.strikes } else { 0 }
    }

    /// Whether its plays weigh nothing until `period` ends.
    pub fn is_struck_out(&self, params: &AuditParams, period: u64) -> bool {
        self.strikes(period) >= params.strikes_max
    }

    pub(super) fn play(&mut self, day: u64, play_ms: u64) {
        self.day_ms = self.played_ms(day).saturating_add(play_ms);
        self.day = day;
    }

    pub(super) fn strike(&mut self, period: u64) {
        self.strikes = self.strikes(period).saturating_add(1);
        self.period = period;
    }
}

/// What one validator answers for in the running period: the PlayCodes it issued, as the vote went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct IssuerRecord {
    /// Its plays that were carried.
    pub carried: u64,
    /// Its plays that it held true itself and the majority held false.
    pub contradicted: u64,
    /// Slots in which that happened.
    pub strikes: u32,
}

impl IssuerRecord {
    /// One contradicted play for so many carried ones is forgiven: a viewer that answers in the last millisecond, or a
    /// lost message, makes honest clocks disagree. Otherwise anybody could strike out a validator with late proofs.
    const FORGIVEN_ONE_IN: u64 = 10;

    /// Whether plays it issued weigh nothing, and it votes for nothing, until the period ends.
    pub fn is_struck_out(&self, params: &AuditParams) -> bool {
        let often = self.strikes >= u32::from(params.strikes_max);
        often && self.contradicted.saturating_mul(Self::FORGIVEN_ONE_IN) > self.carried
    }
}

/// The period that view block `number` lies in; the first is 0.
pub(super) fn period_of(params: &ProtocolParams, number: u64) -> u64 {
    number.saturating_sub(1) / params.period_view_blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_a_period_end() {
        let mut standing = Standing::new(7);
        standing.play(3, 60_000);
        standing.play(3, 60_000);
        assert_eq!((standing.played_ms(3), standing.played_ms(4)), (120_000, 0));
        standing.play(4, 1);
        assert_eq!((standing.played_ms(3), standing.played_ms(4)), (0, 1));

        let params = AuditParams { strikes_max: 2, ..AuditParams::default() };
        standing.strike(5);
        assert!(!standing.is_struck_out(&params, 5));
        standing.strike(5);
        assert!(standing.is_struck_out(&params, 5) && !standing.is_struck_out(&params, 6));
        standing.strike(6);
        assert_eq!((standing.strikes(6), standing.strikes(5)), (1, 0));
    }

    #[test]
    fn an_issuer_is_not_struck_out_by_a_few_late_viewers() {
        let params = AuditParams { strikes_max: 3, ..AuditParams::default() };
        let record = |carried, contradicted, strikes| IssuerRecord { carried, contradicted, strikes };
        assert!(record(0, 3, 3).is_struck_out(&params));
        assert!(!record(0, 30, 2).is_struck_out(&params), "one bad slot is an accident");
        assert!(!record(30, 3, 3).is_struck_out(&params), "one in ten is forgiven");
        assert!(record(29, 3, 3).is_struck_out(&params));
    }

    #[test]
    fn names_tell_cells_apart() {
        let cell = MinedCell { account: AccountAddress([1; 20]), magnet: Magnet([2; 32]), cell_index: 3 };
        assert_eq!(cell.name(), cell.name());
        for other in [
            MinedCell { account: AccountAddress([9; 20]), ..cell },
            MinedCell { magnet: Magnet([9; 32]), ..cell },
            MinedCell { cell_index: 9, ..cell },
        ] {
            assert_ne!(cell.name(), other.name());
        }
    }
}
