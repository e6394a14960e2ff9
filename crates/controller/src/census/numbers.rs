//! What a census is told, and what it tells.

use super::{audits::AuditRules, turns::Turns};
use chainflix_placement::{
    PictureConfig,
    cold::ColdRules,
    forecast::ForecastRules,
    repair::{CopyOrder, RebuildOrder, RepairRules},
    reputation::{ReputationRules, audit::Challenge},
    source::SourceRules,
    target::TargetRules,
    trim::{DropOrder, TrimRules},
};
use chainflix_primitives::{CellId, NodeId};

/// The rules a census works with.
#[derive(Clone, Copy, Debug)]
pub struct CensusConfig {
    /// The floor, and how large the tables get. Its patience is that of `reputation`.
    pub picture: PictureConfig,
    /// Patience with providers, and what trust takes.
    pub reputation: ReputationRules,
    /// Where copies may go, and what repair may take.
    pub repair: RepairRules,
    /// When surplus copies go.
    pub trim: TrimRules,
    /// How many copies so many viewers need.
    pub target: TargetRules,
    /// How fast demand is learnt.
    pub forecast: ForecastRules,
    /// Which films are kept as stripes.
    pub cold: ColdRules,
    /// When providers have to show what they hold.
    pub audit: AuditRules,
    /// How sources are weighed.
    pub source: SourceRules,
    /// When this controller may delete, next to others.
    pub turns: Turns,
    /// Age of the census before it orders anything.
    pub settle_ms: u64,
    /// Part of its quota that a provider is given while it is vetted, in percent; 0 for nothing.
    pub newcomer_percent: u64,
    /// Viewers that any line is thought to carry at a time, until it is seen to carry more or less.
    pub slots: u16,
    /// Uplink that one of them takes, in bytes a second.
    pub slot_bytes_per_s: u64,
    /// Under which networks are told apart; whoever has it can find a home address by its tag.
    pub place_key: [u8; 32],
}

impl CensusConfig {
    /// The usual rules, with so many copies of every cell at least.
    pub fn with_copies(copies: u8) -> Self {
        let target = TargetRules { floor: copies, ..TargetRules::default() };
        // What is uploaded has its copies before the chain knows its film; so do cells of films that are not read yet.
        let picture =
            PictureConfig { floor: copies, stray_floor: copies, strays_max: 1_000_000, ..PictureConfig::default() };
        Self {
            picture,
            reputation: ReputationRules::default(),
            // Plans are made every other second, and what a plan leaves is for the next.
            repair: RepairRules { window_ms: 5_000, ..RepairRules::default() },
            trim: TrimRules { drops_max: 64, ..TrimRules::default() },
            forecast: ForecastRules::default(),
            cold: ColdRules::default(),
            audit: AuditRules::default(),
            source: SourceRules::default(),
            turns: Turns::ALONE,
            settle_ms: 30_000,
            newcomer_percent: 1,
            // Viewers that one copy serves without a stall; few rules have more of them than fit here.
            slots: u16::try_from(target.viewers_per_copy).unwrap_or(u16::MAX),
            // Five of them fill 20 Mbit/s, as in the rules of the target.
            slot_bytes_per_s: 500_000,
            target,
            place_key: [0; 32],
        }
    }

    /// Copies of every cell at least.
    pub fn copies(&self) -> usize {
        self.picture.floor.into()
    }
}

impl Default for CensusConfig {
    fn default() -> Self {
        Self::with_copies(2)
    }
}

/// Why a provider's words change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CensusError {
    /// A newer announcement is known.
    #[error("a newer announcement is known")]
    Older,
    /// There is no announcement with that sequence number.
    #[error("there is no such announcement")]
    Unknown,
    /// A table is full.
    #[error("the census is full")]
    Full,
    /// Passed words of a provider that is heard on another way.
    #[error("the provider is heard on another way")]
    Heard,
    /// Passed words of another time.
    #[error("the words are not of this minute")]
    Expired,
    /// Its account lost too many cells, and waits.
    #[error("its account is out until {again_ms} ms")]
    Out { again_ms: u64 },
}

/// What came of placing a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    /// Living copies there are already.
    pub copies: usize,
    /// Who should get it; room is promised until [`Census::stored`](super::Census::stored) or
    /// [`Census::given_up`](super::Census::given_up).
    pub targets: Vec<NodeId>,
}

/// What is to be done now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Copies to make. Each is on its way until [`Census::stored`](super::Census::stored) or
    /// [`Census::given_up`](super::Census::given_up).
    pub copies: Vec<CopyOrder>,
    /// Pieces of stripes to make anew. Each is on its way as a copy is.
    pub rebuilds: Vec<RebuildOrder>,
    /// Copies to delete.
    pub drops: Vec<DropOrder>,
}

/// What a provider has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Who, of which cell, and until when.
    pub challenge: Challenge,
    /// Bytes of the cell, as its film says.
    pub size: u64,
}

/// The census in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CensusStatus {
    /// Providers that are heard.
    pub providers_alive: usize,
    /// Providers that are vetted.
    pub providers_vetted: usize,
    /// Providers that are not trusted: their copies do not count.
    pub providers_suspended: usize,
    /// Providers on the books.
    pub providers: usize,
    /// Cells on the books.
    pub cells: usize,
    /// Cells with too few living copies.
    pub cells_short: usize,
    /// Stripes of which pieces have to be made anew.
    pub stripes_short: usize,
    /// Room that living providers have, in bytes.
    pub free_bytes: u64,
}

/// A cell as a picture counts it; `None` for a size that no cell has.
pub(super) fn held(cell: &CellId, size: u64) -> Option<chainflix_placement::Held> {
    let possible = (1..=chainflix_primitives::CELL_BYTES_MAX).contains(&size);
    let size = u32::try_from(size).ok().filter(|_| possible)?;
    Some(chainflix_placement::Held { cell: *cell, size })
}
