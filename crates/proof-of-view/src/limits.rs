//! Counts of running plays per home and per network, and the tags that validators compare origins by.
//!
//! The counts live as long as the plays they count and hold no address: only ranges, in memory. Other validators hear
//! of an origin as two [`OriginTag`]s: keyed hashes that only validators can make and that change every day. Neither is
//! ever written to a disk or into a block.

use crate::Refusal;
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::{AddressRange, OriginKey, ProtocolParams, WeightParams};
use std::{collections::HashMap, net::IpAddr};

/// What validators know a play's home and network by: equal for equal origins of one day, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OriginTag {
    /// Of the IPv4 address or IPv6 /64.
    pub home: [u8; 8],
    /// Of the IPv4 /24 or IPv6 /48.
    pub network: [u8; 8],
}

impl OriginTag {
    /// Of a play whose issuer has forgotten where it came from, because it was restarted.
    pub const UNKNOWN: Self = Self { home: [0; 8], network: [0; 8] };

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
        }
    }
}

/// How many plays of one list come from the same homes and networks.
#[derive(Debug, Default)]
pub struct Crowds {
    homes: HashMap<[u8; 8], u32>,
    networks: HashMap<[u8; 8], u32>,
}

impl Crowds {
    /// Counts a play.
    pub fn add(&mut self, tag: &OriginTag) {
        *self.homes.entry(tag.home).or_default() += 1;
        *self.networks.entry(tag.network).or_default() += 1;
    }

    /// The network factor of a play from `tag`, which was added, in thousandths: what is left of full weight when so many
    /// share what a home and a network may weigh. Full where the origin is not known.
    pub fn network_permille(&self, params: &WeightParams, tag: Option<&OriginTag>) -> u16 {
        let Some(tag) = tag else { return 1000 };
        let left = |full: u32, crowd: Option<&u32>| {
            u64::from(full) * 1000 / u64::from(crowd.copied().unwrap_or_default().max(1))
        };
        let home = left(params.home_plays_per_slot, self.homes.get(&tag.home));
        let network = left(params.network_plays_per_slot, self.networks.get(&tag.network));
        // At least 1: a full slot of one home has weight, too.
        home.min(network).clamp(1, 1000) as u16
    }
}

/// Where a play comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    home: AddressRange,
    network: AddressRange,
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self { home: AddressRange::home(address), network: AddressRange::network(address) }
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
