//! What the desk reads from the chain: videos, who shares in their rewards, standings, and blocks.

use chainflix_primitives::{AccountAddress, BlockHash, CellId, Magnet, RewardSplit, SealedKey};

/// What the chain says of one cell of a video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFacts {
    /// Who published it.
    pub creator: AccountAddress,
    /// Who vouches for it.
    pub supervisor: AccountAddress,
    /// Whether a supervisor stopped it.
    pub taken_down: bool,
    /// The asked cell: identity, bytes, media time in milliseconds. `None` when the video has fewer.
    pub cell: Option<(CellId, u64, u64)>,
    /// What its CellKeys come from, as its creator sealed it to the network.
    pub sealed_secret: SealedKey,
    /// How the creator shares the reward of its views; the network's default where it chose nothing.
    pub split: RewardSplit,
}

/// Reads the chain as of its last finalised block. Asked for every play, so answers are kept ready.
pub trait Catalogue {
    /// The facts of one cell; `None` when the video is not registered or its manifest is not known here.
    fn video(&self, magnet: &Magnet, cell_index: u32) -> Option<VideoFacts>;

    /// The maker of a layer (subtitles, a dub, an effect) of a video; `None` when it is not registered for that video.
    fn activator(&self, video: &Magnet, layer: &Magnet) -> Option<AccountAddress>;

    /// Whether `account` made a layer that is registered for that video.
    fn is_activator(&self, video: &Magnet, account: &AccountAddress) -> bool;

    /// Operation participants, in order of accounts, each once.
    fn operation(&self) -> Vec<AccountAddress>;

    /// Least identity factor that bond and vouching give the account, in thousandths: 0 to 1000.
    fn standing(&self, account: &AccountAddress) -> u16;

    /// Hash of the final block with this number; `None` where it is not final yet, or too long ago (4,096 blocks are
    /// kept at least).
    fn block_hash(&self, number: u32) -> Option<BlockHash>;
}
