//! What a census is told, and what it tells.

use chainflix_primitives::NodeId;

/// The numbers a census works with.
#[derive(Clone, Copy, Debug)]
pub struct CensusConfig {
    /// Copies every cell should have.
    pub copies: usize,
    /// Silence after which a provider's copies do not count.
    pub dead_after_ms: u64,
    /// Silence after which a provider is forgotten.
    pub forget_after_ms: u64,
    /// Age of the census before it repairs anything.
    pub settle_ms: u64,
    /// Part of every quota that is left free, in percent.
    pub headroom_percent: u64,
    /// Most providers.
    pub providers_max: usize,
    /// Most cells of one provider.
    pub cells_max: usize,
}

impl Default for CensusConfig {
    fn default() -> Self {
        Self {
            copies: 2,
            dead_after_ms: 20_000,
            forget_after_ms: 7 * 86_400_000,
            settle_ms: 30_000,
            headroom_percent: 5,
            providers_max: 100_000,
            cells_max: 4_000_000,
        }
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

/// The census in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CensusStatus {
    /// Providers that count.
    pub providers_alive: usize,
    /// Providers on the books.
    pub providers: usize,
    /// Cells on the books.
    pub cells: usize,
    /// Cells with too few living copies.
    pub cells_short: usize,
    /// Room that living providers have, in bytes.
    pub free_bytes: u64,
}
