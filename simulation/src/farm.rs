//! Farms: who pretends to watch, from where, as whom, and what it really downloads.

use crate::rules::full_bytes_per_minute;
use chainflix_primitives::ProtocolParams;

/// A watched minute of a film of others: 1080p at 4 Mbit/s.
pub const FILM_BYTES_PER_MINUTE: u64 = 30_000_000;
/// A minute of a light film of others: 500 kbit/s, a lecture.
const LIGHT_BYTES_PER_MINUTE: u64 = 3_750_000;
/// A minute of a still picture with silence.
const STILL_BYTES_PER_MINUTE: u64 = 100_000;

/// Where a farm's play requests come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// The attacker's own line at home, paid for anyway: an IPv4 address, and an IPv6 /56.
    HomeLine,
    /// Other people's home lines, another one for each request; only requests go through them.
    Rotating,
    /// Rented addresses of home lines, some in each /24.
    Static,
    /// Whole leased /24s.
    Leased,
    /// One leased /24, however many accounts.
    OneRange,
    /// IPv6 allocations (/32) of one's own, each home in a network (/48) of its own.
    V6,
    /// IPv6 networks (/48), each rented out of somebody else's allocation.
    V6Rented,
}

/// How a farm's accounts got their identity factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Made today, thrown away after a month.
    Fresh,
    /// Made long ago: one paid play each, then left to age.
    Aged,
    /// Bonded in full on the first day.
    Bonded,
    /// Bought with a supervisor's vouching.
    Vouched,
}

/// What a farm "watches".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Films {
    /// Films of others, as most are.
    Others,
    /// Those films of others that suit a farm best: light to download, and generous to viewers.
    Chosen,
    /// Films of the farm's own creators, a still picture or noise: the farm takes their shares too.
    Own,
}

/// What a farm downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Every byte.
    Whole,
    /// As much of each cell as receipts must cover. Its points name those blocks that draw from it, so audits find
    /// nothing.
    Covered,
    /// Nothing: the farm's own provider, which it gets drawn by excluding the others, holds the cells, and viewer and
    /// provider are one machine. Audits find nothing.
    OwnProvider,
    /// Nothing: its provider signs for cells that it does not hold either, and the hashes are invented.
    Nothing,
}

impl Delivery {
    /// Whether viewer and provider are the farm's, so that it takes the storage share too.
    pub fn is_served_by_itself(self) -> bool {
        matches!(self, Self::OwnProvider | Self::Nothing)
    }
}

/// One way to cheat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farm {
    /// As the tables call it.
    pub name: &'static str,
    /// Where from.
    pub addresses: Addresses,
    /// As whom.
    pub identity: Identity,
    /// Watching what.
    pub films: Films,
    /// Downloading what.
    pub delivery: Delivery,
}

/// How a farm uses what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Accounts that share one home (an address, or an IPv6 /56), in turns around the clock.
    pub accounts_per_home: u32,
    /// Minutes that each account plays a day.
    pub minutes_per_day: u32,
    /// Bytes of a minute of what is watched.
    pub bytes_per_minute: u64,
    /// Homes in one range that is paid for as a whole, where the farm may choose: an IPv6 allocation, or a rented network.
    pub homes_per_range: u64,
}

impl Farm {
    /// Every farm that is tried.
    pub const ALL: [Self; 22] = [
        Self::new("one line at home", Addresses::HomeLine, Identity::Aged),
        Self::new("one line at home, a creator's own films", Addresses::HomeLine, Identity::Aged).with(Films::Own),
        Self::new("one /24", Addresses::OneRange, Identity::Aged),
        Self::new("leased /24s, fresh accounts", Addresses::Leased, Identity::Fresh),
        Self::new("leased /24s, aged accounts", Addresses::Leased, Identity::Aged),
        Self::new("leased /24s, bonded accounts", Addresses::Leased, Identity::Bonded),
        Self::new("leased /24s, own films", Addresses::Leased, Identity::Aged).with(Films::Own),
        Self::new("static home addresses", Addresses::Static, Identity::Aged),
        Self::new("static home addresses, chosen films", Addresses::Static, Identity::Aged).with(Films::Chosen),
        Self::new("rotating home lines, fresh accounts", Addresses::Rotating, Identity::Fresh),
        Self::new("rotating home lines, aged accounts", Addresses::Rotating, Identity::Aged),
        Self::new("rotating home lines, bonded accounts", Addresses::Rotating, Identity::Bonded),
        Self::new("rotating home lines, vouched accounts", Addresses::Rotating, Identity::Vouched),
        Self::new("rotating home lines, what receipts must cover", Addresses::Rotating, Identity::Aged)
            .taking(Delivery::Covered),
        Self::new("rotating home lines, own provider", Addresses::Rotating, Identity::Aged)
            .taking(Delivery::OwnProvider),
        Self::new("rotating home lines, invented hashes", Addresses::Rotating, Identity::Aged)
            .taking(Delivery::Nothing),
        Self::new("rotating home lines, chosen films", Addresses::Rotating, Identity::Aged).with(Films::Chosen),
        Self::new("rotating home lines, own films", Addresses::Rotating, Identity::Aged).with(Films::Own),
        Self::new("IPv6 allocation", Addresses::V6, Identity::Aged),
        Self::new("IPv6 allocation, chosen films", Addresses::V6, Identity::Aged).with(Films::Chosen),
        Self::new("IPv6 allocation, own films", Addresses::V6, Identity::Aged).with(Films::Own),
        Self::new("IPv6 networks of many allocations, chosen films", Addresses::V6Rented, Identity::Aged)
            .with(Films::Chosen),
    ];

    const fn new(name: &'static str, addresses: Addresses, identity: Identity) -> Self {
        Self { name, addresses, identity, films: Films::Others, delivery: Delivery::Whole }
    }

    const fn with(self, films: Films) -> Self {
        Self { films, ..self }
    }

    const fn taking(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }

    /// The ways in which this farm could use its things; it takes the best. What a home is not paid for is not played.
    pub fn layouts(&self, params: &ProtocolParams) -> Vec<Layout> {
        const MINUTES: [u32; 8] = [10, 30, 60, 120, 240, 480, 960, 1_440];
        let rotating = self.addresses == Addresses::Rotating;
        // A new address for each request is never shared.
        let shared: &[u32] = if rotating { &[1] } else { &[1, 2, 4, 8, 16, 32, 64, 128] };
        let mut layouts = Vec::new();
        for minutes_per_day in MINUTES {
            for accounts_per_home in shared.iter().copied() {
                let played_ms = u64::from(accounts_per_home) * u64::from(minutes_per_day) * 60_000;
                if !rotating && played_ms > u64::from(params.plays_per_home_per_day) * params.cell_ms {
                    continue;
                }
                for bytes_per_minute in self.bytes_per_minute(params) {
                    for homes_per_range in self.homes_per_range().iter().copied() {
                        layouts.push(Layout { accounts_per_home, minutes_per_day, bytes_per_minute, homes_per_range });
                    }
                }
            }
        }
        layouts
    }

    /// The films it may watch, by bytes of a minute: light, or just heavy enough for full weight.
    fn bytes_per_minute(&self, params: &ProtocolParams) -> Vec<u64> {
        let full = full_bytes_per_minute(params);
        match self.films {
            Films::Others => vec![FILM_BYTES_PER_MINUTE],
            Films::Chosen => vec![LIGHT_BYTES_PER_MINUTE, LIGHT_BYTES_PER_MINUTE.max(full)],
            Films::Own => vec![STILL_BYTES_PER_MINUTE, STILL_BYTES_PER_MINUTE.max(full)],
        }
    }

    fn homes_per_range(&self) -> &'static [u64] {
        match self.addresses {
            Addresses::V6 => &[16, 64, 256, 1_024, 4_096, 65_536],
            // A /48 has 256 of them.
            Addresses::V6Rented => &[1, 16, 64, 256],
            _ => &[1],
        }
    }

    /// The most homes it can be in at a time; `None` where it rents as many as it likes.
    pub fn homes_max(&self) -> Option<u64> {
        match self.addresses {
            Addresses::HomeLine => Some(2),
            // Of 256 addresses, the first and the last are none, and one is the router.
            Addresses::OneRange => Some(253),
            _ => None,
        }
    }

    /// How many of its homes lie in one network (/24 or /48).
    pub fn homes_per_network(&self, layout: &Layout) -> u64 {
        match self.addresses {
            Addresses::HomeLine | Addresses::Rotating | Addresses::V6 => 1,
            Addresses::V6Rented => layout.homes_per_range,
            Addresses::Static => 8,
            Addresses::Leased | Addresses::OneRange => 253,
        }
    }

    /// How many of its homes lie in one IPv6 allocation; `None` for IPv4.
    pub fn homes_per_allocation(&self, layout: &Layout) -> Option<u64> {
        matches!(self.addresses, Addresses::V6 | Addresses::V6Rented).then_some(layout.homes_per_range)
    }
}
