//! Counts of running plays per home and per network, and the tags that validators compare origins by.
//!
//! The counts live as long as the plays they count and hold no address: only ranges, in memory. Other validators hear
//! of an origin as an [`OriginTag`]: keyed hashes that only validators can make and that change every day. Neither is
//! ever written to a disk or into a block.

use crate::Refusal;
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AddressRange, OriginKey, ProtocolParams, WeightParams};
use std::{collections::HashMap, net::IpAddr};

/// What validators know a play's home and network by: equal for equal origins of one day, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OriginTag {
    /// Of the IPv4 address or IPv6 /56.
    pub home: [u8; 8],
    /// Of the IPv4 /24 or IPv6 /48.
    pub network: [u8; 8],
    /// Of the IPv6 /32; IPv4 has none.
    pub allocation: Option<[u8; 8]>,
}

impl OriginTag {
    /// Of a play whose issuer has forgotten where it came from, because it was restarted.
    pub const UNKNOWN: Self = Self { home: [0; 8], network: [0; 8], allocation: None };

    /// The tags of `address` on the day of `key`.
    pub fn of(address: IpAddr, key: &OriginKey) -> Self {
        Self::new(&Origin::from(address), key)
    }

    /// The tags of `origin` on the day of `key`.
    pub(crate) fn new(origin: &Origin, key: &OriginKey) -> Self {
        let tag = |context: &str, range: &AddressRange| {
            let mut hasher = blake3::Hasher::new_derive_key(context);
            hasher.update(key.expose()).update(&range.to_bytes());
            let mut tag = [0; 8];
            tag.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
            tag
        };
        Self {
            home: tag("chainflix 2026 home tag v1", &origin.home),
            network: tag("chainflix 2026 network tag v1", &origin.network),
            allocation: origin.allocation.map(|range| tag("chainflix 2026 allocation tag v1", &range)),
        }
    }
}

/// How many plays of one list come from the same homes, networks and allocations.
#[derive(Debug, Default)]
pub struct Crowds {
    homes: HashMap<[u8; 8], u32>,
    networks: HashMap<[u8; 8], u32>,
    allocations: HashMap<[u8; 8], u32>,
}

impl Crowds {
    /// Counts a play.
    pub fn add(&mut self, tag: &OriginTag) {
        *self.homes.entry(tag.home).or_default() += 1;
        *self.networks.entry(tag.network).or_default() += 1;
        if let Some(allocation) = tag.allocation {
            *self.allocations.entry(allocation).or_default() += 1;
        }
    }

    /// The network factor of a play from `tag`, which was added, in thousandths: what is left of full weight when so many
    /// share what a home, a network and an allocation may weigh. Full where the origin is not known.
    pub fn network_permille(&self, params: &WeightParams, tag: Option<&OriginTag>) -> u16 {
        let Some(tag) = tag else { return 1000 };
        let left = |full: u32, crowd: Option<&u32>| {
            u64::from(full) * 1000 / u64::from(crowd.copied().unwrap_or_default().max(1))
        };
        let home = left(params.home_plays_per_slot, self.homes.get(&tag.home));
        let network = left(params.network_plays_per_slot, self.networks.get(&tag.network));
        let shared = |allocation| left(params.allocation_plays_per_slot, self.allocations.get(&allocation));
        let allocation = tag.allocation.map_or(1000, shared);
        // At least 1: a full slot of one home has weight, too.
        home.min(network).min(allocation).clamp(1, 1000) as u16
    }
}

/// Where a play comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    home: AddressRange,
    network: AddressRange,
    allocation: Option<AddressRange>,
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self {
            home: AddressRange::home(address),
            network: AddressRange::network(address),
            allocation: AddressRange::allocation(address),
        }
    }
}

/// Running plays by origin.
#[derive(Debug, Default)]
pub struct Limits {
    running: HashMap<AddressRange, u32>,
}

impl Limits {
    /// Refuses when the origin has as many plays running as it may.
    pub fn check(&self, params: &ProtocolParams, origin: &Origin) -> Result<(), Refusal> {
        let scopes =
            [("home", &origin.home, params.plays_per_home), ("network", &origin.network, params.plays_per_network)];
        for (scope, range, most) in scopes {
            if self.running.get(range).is_some_and(|running| *running >= most) {
                return Err(Refusal::TooManyPlays { scope, most, retry_ms: params.cell_ms / 4 });
            }
        }
        Ok(())
    }

    /// Whether nothing is counted.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Counts a play.
    pub fn enter(&mut self, origin: &Origin) {
        for range in [origin.home, origin.network] {
            *self.running.entry(range).or_default() += 1;
        }
    }

    /// Counts it no more.
    pub fn leave(&mut self, origin: &Origin) {
        for range in [origin.home, origin.network] {
            if let Some(running) = self.running.get_mut(&range) {
                *running -= 1;
                if *running == 0 {
                    self.running.remove(&range);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::NetworkSecret;

    fn tag(address: &str, day: u64) -> OriginTag {
        OriginTag::of(address.parse().unwrap(), &NetworkSecret::from_bytes([1; 32]).origin_key(day))
    }

    #[test]
    fn tags_tell_origins_of_one_day_apart_and_nothing_else() {
        assert_eq!(tag("198.51.100.7", 1), tag("::ffff:198.51.100.7", 1));
        assert_eq!(tag("198.51.100.7", 1).network, tag("198.51.100.8", 1).network);
        assert_ne!(tag("198.51.100.7", 1).home, tag("198.51.100.8", 1).home);
        assert_ne!(tag("198.51.100.7", 1).network, tag("198.51.101.7", 1).network);
        let (today, tomorrow) = (tag("198.51.100.7", 1), tag("198.51.100.7", 2));
        assert!(today.home != tomorrow.home && today.network != tomorrow.network);
    }

    #[test]
    fn ipv6_has_a_tag_for_its_allocation() {
        let [one, other, elsewhere] = ["2001:db8:1::", "2001:db8:2::", "2001:db9:1::"].map(|address| tag(address, 1));
        assert!(one.allocation.is_some() && one.allocation == other.allocation && one.network != other.network);
        assert_ne!(one.allocation, elsewhere.allocation);
        assert_ne!(one.allocation, tag("2001:db8:1::", 2).allocation, "another day, another tag");
        assert_eq!([tag("198.51.100.7", 1).allocation, OriginTag::UNKNOWN.allocation], [None, None]);
    }

    #[test]
    fn an_allocation_shares_its_weight_however_many_networks_it_has() {
        let params = WeightParams { allocation_plays_per_slot: 32, ..WeightParams::default() };
        let mut crowds = Crowds::default();
        let of = |network: u32| tag(&format!("2001:db8:{network:x}::"), 1);
        (0..32).for_each(|network| crowds.add(&of(network)));
        assert_eq!(crowds.network_permille(&params, Some(&of(0))), 1000);
        (32..64).for_each(|network| crowds.add(&of(network)));
        assert_eq!(crowds.network_permille(&params, Some(&of(0))), 500);
        (0..64).for_each(|line| crowds.add(&tag(&format!("192.0.{line}.1"), 1)));
        assert_eq!(crowds.network_permille(&params, Some(&tag("192.0.7.1", 1))), 1000, "IPv4 has no allocations");
    }

    #[test]
    fn a_crowd_shares_what_one_home_and_one_network_weigh() {
        let params = WeightParams { home_plays_per_slot: 2, network_plays_per_slot: 8, ..WeightParams::default() };
        let mut crowds = Crowds::default();
        (0..4).for_each(|_| crowds.add(&tag("198.51.100.7", 1)));
        assert_eq!(crowds.network_permille(&params, Some(&tag("198.51.100.7", 1))), 500);
        crowds.add(&tag("198.51.100.8", 1));
        assert_eq!(crowds.network_permille(&params, Some(&tag("198.51.100.8", 1))), 1000);
        (0..15).for_each(|n| crowds.add(&tag(&format!("198.51.100.{}", 20 + n), 1)));
        assert_eq!(crowds.network_permille(&params, Some(&tag("198.51.100.8", 1))), 400, "8 of 20 in the /24");
        assert_eq!(crowds.network_permille(&params, None), 1000);
        (0..20_000).for_each(|_| crowds.add(&tag("203.0.113.1", 1)));
        assert_eq!(crowds.network_permille(&params, Some(&tag("203.0.113.1", 1))), 1);
    }
}
