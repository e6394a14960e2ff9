//! What a picture is told, one fact at a time, and the log of it.
//!
//! Whoever listens (an overlay, a chain, probes) turns what it hears into events, after it checked signatures and sequence
//! numbers. A picture is a fold over them, so a log of events is enough to ask again why a decision was made.

use crate::{Country, PlaceTag, Region};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{
    AccountAddress, CellId, Magnet, NodeId,
    stripe::{STRIPE_CELLS, STRIPE_PARITY},
};

/// A provider as it presents itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Card {
    /// Its node.
    pub node: NodeId,
    /// Whose disk it is.
    pub account: AccountAddress,
    /// Where it stands.
    pub region: Region,
    /// The networks it is reached at; those beyond [`NETWORKS_MAX`] are not looked at.
    pub networks: Vec<PlaceTag>,
    /// What it says it shares a roof with.
    pub site: Option<PlaceTag>,
    /// Bytes it donates.
    pub quota_bytes: u64,
    /// Bytes of those that are taken.
    pub used_bytes: u64,
    /// Viewers it can serve at a time, from its uplink.
    pub slots: u16,
}

/// Most networks of one provider that count: one for each protocol, on two lines.
pub const NETWORKS_MAX: usize = 4;

/// A cell on a disk or in a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Held {
    /// Which cell.
    pub cell: CellId,
    /// Its bytes; cells are at most 64 MiB.
    pub size: u32,
}

/// Four cells of a film and the six parity cells that protect them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StripeCells {
    /// The cells, in the order in which they are coded.
    pub cells: [CellId; STRIPE_CELLS],
    /// Their parity cells, in the order of the manifest.
    pub parity: [CellId; STRIPE_PARITY],
    /// Bytes of each parity cell.
    pub parity_bytes: u32,
}

/// How far a provider is trusted. [`Reputation`](crate::reputation::Reputation) decides it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Standing {
    /// New: its copies count, but others come first.
    #[default]
    Vetting,
    /// Proved itself.
    Vetted,
    /// Its copies do not count, and it gets none.
    Suspended,
    /// It says good-bye: its copies do not count, but can be copied from.
    Leaving,
}

/// How many copies of each cell of a film there should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Wants {
    /// In all. Fewer than the floor are as many as the floor, where it applies.
    pub total: u8,
    /// In single regions; those beyond [`WANTED_REGIONS_MAX`] are not looked at.
    pub regional: Vec<(Region, u8)>,
}

/// Most regions in which one film has copies of its own.
pub const WANTED_REGIONS_MAX: usize = 32;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Event {
    /// A provider enters, or presents itself anew. It is alive.
    Seen(Card),
    /// How much a provider donates and has taken.
    Room { node: NodeId, quota_bytes: u64, used_bytes: u64 },
    /// A provider is silent for good, as far as anybody knows. What it holds is remembered, and does not count.
    Lost(NodeId),
    /// A provider is heard again.
    Back(NodeId),
    /// A provider is gone for good, and all it held.
    Forgotten(NodeId),
    /// A provider is trusted otherwise than before.
    Trusted { node: NodeId, standing: Standing },
    /// Cells came to a provider.
    Gained { node: NodeId, cells: Vec<Held> },
    /// Cells went from a provider.
    Dropped { node: NodeId, cells: Vec<CellId> },
    /// A cell is on its way to a provider, which keeps room for it.
    Coming { node: NodeId, cell: Held },
    /// A cell is no longer on its way: it arrived (and is also gained), or was given up.
    Ended { node: NodeId, cell: CellId },
    /// A film as the chain knows it: where it is at home, where it may be watched (everywhere, if nothing is named).
    Film { magnet: Magnet, home: Region, countries: Vec<Country>, cells: Vec<Held> },
    /// How many copies a film should have from now on.
    Wanted { magnet: Magnet, wants: Wants },
    /// A provider rests, or has rested: its copies count, nobody is sent to it and nothing is stored there.
    Resting { node: NodeId, resting: bool },
    /// A provider is silent: nobody is sent there, and its copies count for the floor until it is lost
    /// ([`patience`](crate::patience)). Of one that is lost already it changes nothing.
    Silent(NodeId),
    /// Whether validators send viewers to a provider: whose account is not registered keeps no cell for its stripe.
    Registered { node: NodeId, registered: bool },
    /// The stripes of a film that is known. Those with a cell or parity cell of another film or stripe are left out.
    Striped { magnet: Magnet, stripes: Vec<StripeCells> },
    /// A film is kept as stripes from now on, or as copies again. Nobody wants more of it until the next [`Event::Wanted`].
    Coded { magnet: Magnet, coded: bool },
}

/// Events with their times, in milliseconds: all that decisions depend on, next to their rules and seeds.
pub type Log = Vec<(u64, Event)>;
