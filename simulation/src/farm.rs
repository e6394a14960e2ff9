//! Farms: who pretends to watch, from where, as whom, and what it really downloads.

/// Where a farm's play requests come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// The attacker's own line at home, paid for anyway.
    HomeLine,
    /// Other people's home lines, another one for each request; only requests go through them.
    Rotating,
    /// Rented addresses of home lines, some in each /24.
    Static,
    /// Whole leased /24s.
    Leased,
    /// One leased /24, however many accounts.
    OneRange,
    /// IPv6 networks (/48) of an allocation of one's own.
    V6,
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
    /// Films of the farm's own creators, as light as a still picture: the farm takes their shares too.
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
    /// Accounts that share one home (an address, or an IPv6 /64), in turns around the clock.
    pub accounts_per_home: u32,
    /// Minutes that each account plays a day.
    pub minutes_per_day: u32,
}

impl Farm {
    /// Every farm that is tried.
    pub const ALL: [Self; 21] = [
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

    /// The ways in which this farm could use its things; it takes the best.
    pub fn layouts(&self) -> impl Iterator<Item = Layout> + use<> {
        const MINUTES: [u32; 8] = [10, 30, 60, 120, 240, 480, 960, 1_440];
        // A new address for each request is never shared.
        let shared: &'static [u32] =
            if self.addresses == Addresses::Rotating { &[1] } else { &[1, 2, 4, 8, 16, 32, 64, 128] };
        MINUTES.into_iter().flat_map(|minutes_per_day| {
            shared
                .iter()
                .map(move |accounts_per_home| Layout { accounts_per_home: *accounts_per_home, minutes_per_day })
        })
    }

    /// The most homes it can be in at a time; `None` where it rents as many as it likes.
    pub fn homes_max(&self) -> Option<u64> {
        match self.addresses {
            Addresses::HomeLine => Some(1),
            // Of 256 addresses, the first and the last are none, and one is the router.
            Addresses::OneRange => Some(253),
            _ => None,
        }
    }

    /// How many of its homes lie in one network (/24 or /48).
    pub fn homes_per_network(&self) -> u64 {
        match self.addresses {
            Addresses::HomeLine | Addresses::Rotating | Addresses::V6 => 1,
            Addresses::Static => 8,
            Addresses::Leased | Addresses::OneRange => 253,
        }
    }
}
