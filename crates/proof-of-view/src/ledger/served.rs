//! What storage peers did in an awarded view block and what it paid them; for what it did not pay, why.
//!
//! Nothing is decided here: this tells a provider's operator what `weigh`, `verdict` and `award` decided. Deliveries that
//! never became a carried play are not in it; the ledger does not know them.

use super::{AwardedBlock, LedgerState, PendingBlock, award};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AccountAddress, NetworkGenesis};
use chainflix_token::{amounts, storage_parts};
use std::collections::HashMap;

/// Why a play that the votes carried pays a storage peer nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpaid {
    /// The audit drew it, and the validators held its opened chunks false.
    AuditFailed,
    /// The audit drew it, and too few validators saw its chunks opened in time.
    AuditUnseen,
    /// Most of what its provider served was void: it was struck out before the award.
    ProviderStruckOut,
    /// It weighs nothing: its account, its provider or the validator that issued it was struck out already.
    Weightless,
    /// Its creator gives storage nothing, or the part was less than a gwei.
    NothingLeft,
}

impl Unpaid {
    /// All of them, in the order of [`Served::unpaid`].
    pub const ALL: [Self; 5] =
        [Self::AuditFailed, Self::AuditUnseen, Self::ProviderStruckOut, Self::Weightless, Self::NothingLeft];

    /// A stable code, for programs and translations.
    pub fn code(self) -> &'static str {
        match self {
            Self::AuditFailed => "audit-failed",
            Self::AuditUnseen => "audit-unseen",
            Self::ProviderStruckOut => "provider-struck-out",
            Self::Weightless => "weightless",
            Self::NothingLeft => "nothing-left",
        }
    }
}

/// Plays, and what one storage peer served of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PlayedBytes {
    /// How many plays.
    pub plays: u64,
    /// Bytes that viewer and provider both signed for.
    pub bytes: u64,
}

impl PlayedBytes {
    fn add(&mut self, more: Self) {
        self.plays += more.plays;
        self.bytes += more.bytes;
    }
}

/// What one account did as a storage peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Served {
    /// Carried plays of which it served something, whether they were paid or not.
    pub all: PlayedBytes,
    /// Those that paid nothing, by [`Unpaid::ALL`].
    pub unpaid: [PlayedBytes; Unpaid::ALL.len()],
    /// What it was awarded for the others, in gwei; what the account has by other roles is not in it.
    pub gwei: u64,
    /// What of that is held back, in gwei.
    pub held_gwei: u64,
}

impl Served {
    /// Both together.
    pub fn add(&mut self, more: &Self) {
        self.all.add(more.all);
        self.unpaid.iter_mut().zip(more.unpaid).for_each(|(unpaid, more)| unpaid.add(more));
        self.gwei += more.gwei;
        self.held_gwei += more.held_gwei;
    }

    fn play(&mut self, bytes: u64, paid: Result<u64, Unpaid>) {
        let played = PlayedBytes { plays: 1, bytes };
        self.all.add(played);
        match paid {
            Ok(gwei) => self.gwei += gwei,
            Err(why) => self.unpaid[why as usize].add(played),
        }
    }
}

impl LedgerState {
    /// What each storage peer of `block` did, and what the award that led to this state paid it, in order of accounts.
    pub fn served(
        &self,
        genesis: &NetworkGenesis,
        block: &PendingBlock,
        awarded: &AwardedBlock,
    ) -> Vec<(AccountAddress, Served)> {
        let validators = award::validators(genesis);
        let parties = award::parties(&validators, block);
        let void = |index: u32| {
            let place = awarded.voided.binary_search_by_key(&(index as usize), |void| void.index).ok()?;
            Some(awarded.voided[place])
        };
        let weights = block.plays().iter().map(|play| if void(play.index).is_some() { 0 } else { play.weight });
        let mut served = HashMap::<_, Served>::new();
        for (play, amount) in block.plays().iter().zip(amounts(block.head().reward_gwei, weights)) {
            let record = block.record(play.index);
            let lost = match void(play.index) {
                Some(void) if void.voted_down => Some(Unpaid::AuditFailed),
                Some(_) if self.providers.is_served_by_struck_out(&genesis.params.audit, record) => {
                    Some(Unpaid::ProviderStruckOut)
                }
                Some(_) => Some(Unpaid::AuditUnseen),
                None => (play.weight == 0).then_some(Unpaid::Weightless),
            };
            let parts = storage_parts(amount, &parties, &award::weighted(block, play));
            for (share, gwei) in record.providers.iter().zip(parts) {
                let paid = lost.map_or(if gwei > 0 { Ok(gwei) } else { Err(Unpaid::NothingLeft) }, Err);
                served.entry(share.provider).or_default().play(share.bytes, paid);
            }
        }
        for withheld in &awarded.withheld {
            served.entry(withheld.account).or_default().held_gwei = withheld.held_gwei;
        }
        let mut served: Vec<_> = served.into_iter().collect();
        // Each account is there once.
        served.sort_unstable_by_key(|(account, _)| *account);
        served
    }
}
