//! Decides who may use a relay and how much of it: a book of bytes, without clock, socket or task.
//!
//! ```text
//! connection ─ node, address ─▶ who answers for it? ─▶ a seat ─ each frame ─▶ passes, or is dropped
//!                                 │ named in the relay's configuration    no limit
//!                                 │ registered on the chain               day and rate of its account
//!                                 └ nobody knows it                       day and rate of its home
//! ```
//!
//! A byte counts for whoever sends it and for whoever gets it. What is over the rate is dropped, as an overloaded line
//! drops it: the ends, who speak QUIC, send it again and slow down. When a day's bytes are used up the rate is
//! [`TRICKLE_BYTES_PER_S`] until midnight (UTC): two nodes can still agree on a direct way there, and not send a film.
//!
//! **Bounds.** Accounts and homes are counted in a table each. When one is full, whoever of those without a connection used
//! the fewest bytes today is forgotten; where all have connections the new one is refused. Strangers cannot push an account
//! out. Left out: keeping the book over a restart, and the same account at several relays: each relay counts for itself.

use chainflix_primitives::{AccountAddress, AddressRange, NodeId};
use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    net::IpAddr,
};

/// What is left to those whose bytes of the day are used up, in bytes a second: 260 kbit/s.
pub const TRICKLE_BYTES_PER_S: u64 = 32 << 10;

/// Connections of one account: a provider's node, and those of the same owner.
const ACCOUNT_CONNECTIONS_MAX: u32 = 64;
/// Accounts, and homes, that are counted at a time: a few MB.
const PAYERS_MAX: usize = 1 << 16;
/// Bytes that may always come at once: a frame is never longer.
const BURST_BYTES_MIN: u64 = 64 << 10;
/// Whoever does not slow down when its frames are dropped is read at so many times its rate at most.
const FLOOD_FACTOR: u64 = 8;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// How much of a relay somebody may use; what is sent and what is received count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes of a day, UTC; after them [`TRICKLE_BYTES_PER_S`]. 0: is not served at all.
    pub day_bytes: u64,
    /// Bytes a second, in each direction.
    pub bytes_per_s: u64,
}

/// How much of a relay whom it does not know by name may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Of each account that is registered as a storage peer.
    pub account: Allowance,
    /// Of each home of strangers: an IPv4 address, or an IPv6 /56.
    pub home: Allowance,
    /// Connections of one home of strangers.
    pub home_connections_max: u32,
}

impl Default for RelayLimits {
    /// An account: 100 Mbit/s, for half a working day. A home: 20 Mbit/s, for a film of two hours at the highest bit rate
    /// there is.
    fn default() -> Self {
        Self {
            account: Allowance { day_bytes: 200_000_000_000, bytes_per_s: 12_500_000 },
            home: Allowance { day_bytes: 10_000_000_000, bytes_per_s: 2_500_000 },
            home_connections_max: 64,
        }
    }
}

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither named nor registered, and the relay has nothing for strangers, or nothing for accounts.
    #[error("this relay does not serve you")]
    NotServed,
    /// The account or home has as many connections as it may have.
    #[error("too many connections")]
    TooMany,
    /// The relay counts as many accounts or homes as it can.
    #[error("the relay is full")]
    Full,
}

/// What a relay did since it started. Bytes are counted once for each end that the relay answers for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayTotals {
    /// Bytes from and to nodes that the configuration names.
    pub named_bytes: u64,
    /// Bytes from and to registered accounts.
    pub account_bytes: u64,
    /// Bytes from and to strangers.
    pub stranger_bytes: u64,
    /// Bytes that were dropped for being over a rate.
    pub dropped_bytes: u64,
    /// Connections that were not served.
    pub refused: u64,
}

/// A connection that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SeatId(u64);

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    FromNode,
    ToNode,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    Passes,
    /// Is over the rate. Nothing more should be read from its sender for so long, in milliseconds.
    Dropped {
        pause_ms: u64,
    },
}

/// Who answers for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payer {
    Named,
    Account(AccountAddress),
    Home(AddressRange),
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    node: NodeId,
    home: AddressRange,
    payer: Payer,
}

/// The book.
#[derive(Debug)]
pub(super) struct Ledger {
    limits: RelayLimits,
    named: HashSet<NodeId>,
    registered: HashMap<NodeId, AccountAddress>,
    accounts: HashMap<AccountAddress, Meter>,
    homes: HashMap<AddressRange, Meter>,
    seats: HashMap<SeatId, Seat>,
    next_seat: u64,
    totals: RelayTotals,
}

impl Ledger {
    /// An empty book. `named` are served without limit.
    pub fn new(limits: RelayLimits, named: HashSet<NodeId>) -> Self {
        Self {
            limits,
            named,
            registered: HashMap::new(),
            accounts: HashMap::new(),
            homes: HashMap::new(),
            seats: HashMap::new(),
            next_seat: 0,
            totals: RelayTotals::default(),
        }
    }

    /// Takes `node`, which proved its name, or says why not. A seat is given back by [`Self::leave`].
    pub fn admit(&mut self, node: NodeId, address: IpAddr, now_ms: u64) -> Result<SeatId, Refusal> {
        let home = AddressRange::home(address);
        let payer = self.payer(&node, home);
        if let Err(refusal) = self.sit(payer, now_ms) {
            self.totals.refused += 1;
            return Err(refusal);
        }
        let seat = SeatId(self.next_seat);
        self.next_seat += 1;
        self.seats.insert(seat, Seat { node, home, payer });
        Ok(seat)
    }

    /// Gives a seat back.
    pub fn leave(&mut self, seat: SeatId) {
        if let Some(seat) = self.seats.remove(&seat) {
            self.stand(seat.payer);
        }
    }

    /// Who is registered on the chain from now on. Whoever sits is counted anew, where there is room for it: who registers
    /// is no stranger from then on.
    pub fn register(&mut self, registered: HashMap<NodeId, AccountAddress>, now_ms: u64) {
        self.registered = registered;
        let seats: Vec<(SeatId, Seat)> = self.seats.iter().map(|(id, seat)| (*id, *seat)).collect();
        for (id, seat) in seats {
            let payer = self.payer(&seat.node, seat.home);
            if payer != seat.payer && self.sit(payer, now_ms).is_ok() {
                self.stand(seat.payer);
                self.seats.insert(id, Seat { payer, ..seat });
            }
        }
    }

    /// Counts a frame, or has it dropped. A seat that was given back passes nothing.
    pub fn rule(&mut self, seat: SeatId, direction: Direction, bytes: u64, now_ms: u64) -> Ruling {
        let Some(Seat { payer, .. }) = self.seats.get(&seat) else { return Ruling::Dropped { pause_ms: 0 } };
        let (meter, allowance, total) = match payer {
            Payer::Named => {
                self.totals.named_bytes += bytes;
                return Ruling::Passes;
            }
            Payer::Account(account) => {
                (self.accounts.get_mut(account), &self.limits.account, &mut self.totals.account_bytes)
            }
            Payer::Home(home) => (self.homes.get_mut(home), &self.limits.home, &mut self.totals.stranger_bytes),
        };
        // Who sits has a meter: only those without connections are forgotten.
        let Some(meter) = meter else { return Ruling::Dropped { pause_ms: 0 } };
        match meter.take(allowance, direction, bytes, now_ms) {
            Ok(()) => {
                *total += bytes;
                Ruling::Passes
            }
            Err(OverRate { bytes_per_s }) => {
                self.totals.dropped_bytes += bytes;
                Ruling::Dropped { pause_ms: bytes * 1_000 / (FLOOD_FACTOR * bytes_per_s) }
            }
        }
    }

    /// Nodes that are served.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.seats.values().map(|seat| seat.node).collect()
    }

    /// What was done so far.
    pub fn totals(&self) -> RelayTotals {
        self.totals
    }

    fn payer(&self, node: &NodeId, home: AddressRange) -> Payer {
        match self.registered.get(node) {
            _ if self.named.contains(node) => Payer::Named,
            Some(account) => Payer::Account(*account),
            None => Payer::Home(home),
        }
    }

    fn sit(&mut self, payer: Payer, now_ms: u64) -> Result<(), Refusal> {
        let limits = &self.limits;
        match payer {
            Payer::Named => Ok(()),
            Payer::Account(account) => {
                sit(&mut self.accounts, account, &limits.account, ACCOUNT_CONNECTIONS_MAX, now_ms)
            }
            Payer::Home(home) => sit(&mut self.homes, home, &limits.home, limits.home_connections_max, now_ms),
        }
    }

    fn stand(&mut self, payer: Payer) {
        let meter = match payer {
            Payer::Named => None,
            Payer::Account(account) => self.accounts.get_mut(&account),
            Payer::Home(home) => self.homes.get_mut(&home),
        };
        // What was used stays in the book: to connect again begins no new day.
        if let Some(meter) = meter {
            meter.connections = meter.connections.saturating_sub(1);
        }
    }
}

/// One more connection of `key`.
fn sit<K: Copy + Eq + Hash>(
    meters: &mut HashMap<K, Meter>,
    key: K,
    allowance: &Allowance,
    connections_max: u32,
    now_ms: u64,
) -> Result<(), Refusal> {
    if allowance.day_bytes == 0 || connections_max == 0 {
        return Err(Refusal::NotServed);
    }
    if !meters.contains_key(&key) && meters.len() >= PAYERS_MAX {
        let idle = meters.iter().filter(|(_, meter)| meter.connections == 0);
        let least = idle.min_by_key(|(_, meter)| meter.used(now_ms)).map(|(key, _)| *key);
        meters.remove(&least.ok_or(Refusal::Full)?);
    }
    let meter = meters.entry(key).or_default();
    if meter.connections >= connections_max {
        return Err(Refusal::TooMany);
    }
    meter.connections += 1;
    Ok(())
}

/// What one account or home uses.
#[derive(Clone, Copy, Debug, Default)]
struct Meter {
    connections: u32,
    day: u64,
    day_bytes: u64,
    from_node: Bucket,
    to_node: Bucket,
}

/// More than is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OverRate {
    bytes_per_s: u64,
}

impl Meter {
    /// Bytes of the day.
    fn used(&self, now_ms: u64) -> u64 {
        if self.day == now_ms / DAY_MS { self.day_bytes } else { 0 }
    }

    fn take(&mut self, allowance: &Allowance, direction: Direction, bytes: u64, now_ms: u64) -> Result<(), OverRate> {
        let used = self.used(now_ms);
        let due = if used < allowance.day_bytes { u64::MAX } else { TRICKLE_BYTES_PER_S };
        // Never 0: the pause of whoever is over it is a part of it.
        let bytes_per_s = allowance.bytes_per_s.min(due).max(1);
        let bucket = match direction {
            Direction::FromNode => &mut self.from_node,
            Direction::ToNode => &mut self.to_node,
        };
        if !bucket.take(bytes, bytes_per_s, now_ms) {
            return Err(OverRate { bytes_per_s });
        }
        (self.day, self.day_bytes) = (now_ms / DAY_MS, used + bytes);
        Ok(())
    }
}

/// A bucket that leaks at the rate: what is in it passed, and is not due yet.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// In thousandths of a byte, so that a millisecond's leak is a whole number.
    level_mb: u64,
    at_ms: u64,
    bytes_per_s: u64,
}

impl Bucket {
    /// Takes `bytes` where a second's worth is not in it yet.
    fn take(&mut self, bytes: u64, bytes_per_s: u64, now_ms: u64) -> bool {
        // A clock that was set back leaks nothing once, and goes on from there.
        let leaked_mb = now_ms.saturating_sub(self.at_ms).saturating_mul(bytes_per_s);
        (self.level_mb, self.at_ms) = (self.level_mb.saturating_sub(leaked_mb), now_ms);
        let full_mb = bytes_per_s.max(BURST_BYTES_MIN).saturating_mul(1_000);
        if bytes_per_s < self.bytes_per_s {
            // What came in a second would take a minute to leak at the trickle, and nothing would pass meanwhile.
            self.level_mb = self.level_mb.min(full_mb);
        }
        self.bytes_per_s = bytes_per_s;
        let fits = self.level_mb < full_mb;
        if fits {
            self.level_mb = self.level_mb.saturating_add(bytes.saturating_mul(1_000));
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: u64 = 20_000 * DAY_MS + DAY_MS / 2;
    const FRAME: u64 = 1_500;

    fn node(number: u8) -> NodeId {
        NodeId([number; 32])
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The operator's node is 1, node 2 is registered by account 2; the others are strangers.
    fn ledger(limits: RelayLimits) -> Ledger {
        let mut ledger = Ledger::new(limits, HashSet::from([node(1)]));
        ledger.register(HashMap::from([(node(2), AccountAddress([2; 20]))]), NOON_MS);
        ledger
    }

    fn limits() -> RelayLimits {
        RelayLimits {
            account: Allowance { day_bytes: 10_000_000, bytes_per_s: 1_000_000 },
            home: Allowance { day_bytes: 1_000_000, bytes_per_s: 500_000 },
            home_connections_max: 2,
        }
    }

    /// Bytes that pass when `seat` sends as much as it can for `seconds`.
    fn flood(ledger: &mut Ledger, seat: SeatId, from_ms: u64, seconds: u64) -> u64 {
        let passes = |ms| ledger.rule(seat, Direction::FromNode, FRAME, ms) == Ruling::Passes;
        // Four frames a millisecond: 6 MB/s.
        let frames = (from_ms..from_ms + seconds * 1_000).flat_map(|ms| [ms; 4]);
        frames.map(passes).filter(|passed| *passed).count() as u64 * FRAME
    }

    #[test]
    fn the_named_have_no_limit_and_the_others_their_own() {
        let mut ledger = ledger(limits());
        let seats = [1, 2, 3].map(|number| ledger.admit(node(number), ip("203.0.113.1"), NOON_MS).unwrap());
        let [named, account, home] = seats.map(|seat| flood(&mut ledger, seat, NOON_MS, 10));
        assert_eq!(named, 10 * 4_000 * FRAME);
        // A second's worth at once, then the rate, until the day's bytes are used up; then the trickle.
        assert!((10_000_000..10_000_000 + 2 * TRICKLE_BYTES_PER_S).contains(&account), "{account}");
        let trickle = 10 * TRICKLE_BYTES_PER_S;
        assert!((1_000_000..1_000_000 + trickle).contains(&home), "{home}");
        let totals = ledger.totals();
        assert_eq!([totals.named_bytes, totals.account_bytes, totals.stranger_bytes], [named, account, home]);
        assert_eq!(totals.dropped_bytes, 3 * named - named - account - home);
    }

    #[test]
    fn whoever_used_up_its_day_has_a_trickle_until_midnight() {
        let mut ledger = ledger(limits());
        let seat = ledger.admit(node(3), ip("203.0.113.1"), NOON_MS).unwrap();
        flood(&mut ledger, seat, NOON_MS, 2);
        let at_once = flood(&mut ledger, seat, NOON_MS + 2_000, 1);
        assert!(at_once + FRAME >= TRICKLE_BYTES_PER_S, "{at_once}");
        let evening = flood(&mut ledger, seat, NOON_MS + 60_000, 100);
        let trickle = 100 * TRICKLE_BYTES_PER_S;
        assert!((trickle..trickle + BURST_BYTES_MIN + FRAME).contains(&evening), "{evening}");
        let tomorrow = flood(&mut ledger, seat, NOON_MS + DAY_MS / 2, 1);
        assert!(tomorrow >= 999_000, "{tomorrow}");
    }

    #[test]
    fn a_new_name_and_a_new_connection_begin_no_new_day() {
        let mut ledger = ledger(limits());
        let seat = ledger.admit(node(3), ip("2001:db8:1:200::1"), NOON_MS).unwrap();
        flood(&mut ledger, seat, NOON_MS, 10);
        ledger.leave(seat);
        let again = ledger.admit(node(4), ip("2001:db8:1:2ff::9"), NOON_MS + 20_000).unwrap();
        let more = flood(&mut ledger, again, NOON_MS + 20_000, 1);
        assert!(more <= BURST_BYTES_MIN + TRICKLE_BYTES_PER_S + FRAME, "{more}");
        let neighbour = ledger.admit(node(4), ip("2001:db8:1:300::1"), NOON_MS + 20_000).unwrap();
        assert!(flood(&mut ledger, neighbour, NOON_MS + 20_000, 1) >= 900_000);
    }

    #[test]
    fn nodes_of_one_account_share_what_it_has() {
        let mut ledger = ledger(limits());
        let owner = AccountAddress([2; 20]);
        ledger.register(HashMap::from([(node(2), owner), (node(5), owner)]), NOON_MS);
        let seats = [2, 5].map(|number| ledger.admit(node(number), ip("203.0.113.1"), NOON_MS).unwrap());
        let [first, second] = seats.map(|seat| flood(&mut ledger, seat, NOON_MS, 10));
        assert!(first >= 10_000_000 && second <= 11 * TRICKLE_BYTES_PER_S, "{first} {second}");
    }

    #[test]
    fn what_is_sent_and_what_is_received_have_a_rate_each_and_one_day() {
        let mut ledger = ledger(limits());
        let seat = ledger.admit(node(3), ip("203.0.113.1"), NOON_MS).unwrap();
        let mut pass = |direction, bytes| ledger.rule(seat, direction, bytes, NOON_MS);
        assert_eq!(pass(Direction::FromNode, 500_000), Ruling::Passes);
        // An eighth of what its rate would take.
        assert_eq!(pass(Direction::FromNode, 40_000), Ruling::Dropped { pause_ms: 10 });
        assert_eq!(pass(Direction::ToNode, 500_000), Ruling::Passes);
        assert_eq!(ledger.homes.values().next().unwrap().used(NOON_MS), 1_000_000);
    }

    #[test]
    fn a_relay_for_registered_accounts_alone_refuses_strangers() {
        let closed = RelayLimits { home: Allowance { day_bytes: 0, bytes_per_s: 0 }, ..limits() };
        let mut ledger = ledger(closed);
        assert_eq!(ledger.admit(node(3), ip("203.0.113.1"), NOON_MS), Err(Refusal::NotServed));
        assert!(ledger.admit(node(1), ip("203.0.113.1"), NOON_MS).is_ok());
        assert!(ledger.admit(node(2), ip("203.0.113.1"), NOON_MS).is_ok());
        assert_eq!(ledger.totals().refused, 1);
    }

    #[test]
    fn a_stranger_that_registers_is_counted_as_its_account_at_once() {
        let mut ledger = ledger(limits());
        let seat = ledger.admit(node(3), ip("203.0.113.1"), NOON_MS).unwrap();
        flood(&mut ledger, seat, NOON_MS, 10);
        ledger.register(HashMap::from([(node(3), AccountAddress([3; 20]))]), NOON_MS + 10_000);
        assert!(flood(&mut ledger, seat, NOON_MS + 10_000, 1) >= 1_000_000);
        assert_eq!(ledger.homes.values().next().unwrap().connections, 0);
        ledger.leave(seat);
        assert_eq!(ledger.accounts[&AccountAddress([3; 20])].connections, 0);
        assert_eq!(ledger.rule(seat, Direction::ToNode, 1, NOON_MS), Ruling::Dropped { pause_ms: 0 });
    }

    #[test]
    fn a_home_has_so_many_connections() {
        let mut ledger = ledger(limits());
        let mut admit = |number| ledger.admit(node(number), ip("203.0.113.1"), NOON_MS);
        let first = admit(3).unwrap();
        admit(4).unwrap();
        assert_eq!(admit(5), Err(Refusal::TooMany));
        ledger.leave(first);
        ledger.admit(node(5), ip("203.0.113.1"), NOON_MS).unwrap();
    }

    #[test]
    fn a_full_table_forgets_the_idle_who_used_least() {
        let mut ledger = ledger(limits());
        let address = |number: usize| IpAddr::from((number as u32).to_be_bytes());
        let mut seats = Vec::new();
        for number in 0..PAYERS_MAX {
            let seat = ledger.admit(node(3), address(number), NOON_MS).unwrap();
            ledger.rule(seat, Direction::ToNode, 100 + number as u64, NOON_MS);
            seats.push(seat);
        }
        assert_eq!(ledger.admit(node(3), address(PAYERS_MAX), NOON_MS), Err(Refusal::Full));
        ledger.admit(node(2), address(PAYERS_MAX), NOON_MS).unwrap();
        for seat in [9, 7, 8] {
            ledger.leave(seats[seat]);
        }
        ledger.admit(node(3), address(PAYERS_MAX), NOON_MS).unwrap();
        assert_eq!(ledger.homes.len(), PAYERS_MAX);
        assert!(!ledger.homes.contains_key(&AddressRange::home(address(7))));
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let mut ledger = ledger(limits());
        let seat = ledger.admit(node(3), ip("203.0.113.1"), NOON_MS).unwrap();
        assert_eq!(ledger.rule(seat, Direction::ToNode, 500_000, NOON_MS), Ruling::Passes);
        let earlier_ms = NOON_MS - 3_600_000;
        assert!(matches!(ledger.rule(seat, Direction::ToNode, FRAME, earlier_ms), Ruling::Dropped { .. }));
        assert_eq!(ledger.rule(seat, Direction::ToNode, FRAME, earlier_ms + 10), Ruling::Passes);
    }
}
