//! Where things stand: regions, networks and sites, each small enough to be compared a billion times.
//!
//! A network or site is known by a tag, a keyed hash: a picture of the network shall not be a list of home addresses.

use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::AddressRange;
use std::{fmt, net::IpAddr, str::FromStr};

/// A country by its two letters (ISO 3166-1), in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Country(pub [u8; 2]);

/// A country or a part of one (ISO 3166-2): `kr`, `de-be`. The default is a place that nobody told.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Region([u8; 6]);

/// How far two regions are from each other, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distance {
    /// One region.
    Same,
    /// Two regions of one country.
    Country,
    /// Two countries, or an unknown place.
    Far,
}

/// A text was not a region.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a region is two letters of a country, and maybe a part of it as in de-be; not {text:?}")]
pub struct ParseRegionError {
    /// Its first characters.
    pub text: String,
}

impl Region {
    /// The place that nobody told.
    pub const UNKNOWN: Self = Self([0; 6]);

    /// Its country, where it is known.
    pub fn country(&self) -> Option<Country> {
        (*self != Self::UNKNOWN).then_some(Country([self.0[0], self.0[1]]))
    }

    /// How far it is from another.
    pub fn distance(&self, other: &Self) -> Distance {
        match (self.country(), other.country()) {
            (Some(_), Some(_)) if self == other => Distance::Same,
            (Some(one), Some(two)) if one == two => Distance::Country,
            _ => Distance::Far,
        }
    }

    /// Its bytes as a number, for draws.
    pub(crate) fn number(&self) -> u64 {
        self.0.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl FromStr for Region {
    type Err = ParseRegionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        let country = bytes.get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_alphabetic));
        let part = match bytes.get(2..) {
            None | Some([]) => true,
            Some([b'-', part @ ..]) => (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_alphanumeric),
            Some(_) => false,
        };
        if text.is_empty() {
            return Ok(Self::UNKNOWN);
        }
        if !country || !part {
            return Err(ParseRegionError { text: text.chars().take(40).collect() });
        }
        let mut region = [0; 6];
        region[..bytes.len()].copy_from_slice(bytes);
        region.make_ascii_lowercase();
        Ok(Self(region))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.iter().take_while(|byte| **byte != 0);
        letters.map(|byte| char::from(*byte)).try_for_each(|letter| write!(f, "{letter}"))
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({self})")
    }
}

/// What is lost together: an IPv4 /24, an IPv6 /56 (one line), or a declared site. Equal tags are the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct PlaceTag(pub u64);

impl PlaceTag {
    /// The /24 or /56 of an address, under a key that controllers share.
    pub fn network(key: &[u8; 32], address: IpAddr) -> Self {
        let range = match address.to_canonical() {
            IpAddr::V4(_) => AddressRange::network(address),
            IpAddr::V6(_) => AddressRange::home(address),
        };
        Self::of("chainflix 2026 placement network v1", key, &range.to_bytes())
    }

    /// A site as its owner declares it: a house, a rack, a data centre.
    pub fn site(key: &[u8; 32], name: &str) -> Self {
        Self::of("chainflix 2026 placement site v1", key, name.as_bytes())
    }

    fn of(context: &str, key: &[u8; 32], words: &[u8]) -> Self {
        let mut tag = [0; 8];
        blake3::Hasher::new_derive_key(context).update(key).update(words).finalize_xof().fill(&mut tag);
        Self(u64::from_le_bytes(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_read_and_told() {
        for text in ["kr", "de-be", "us-ca", "gb-eng", ""] {
            assert_eq!(text.parse::<Region>().unwrap().to_string(), text);
        }
        assert_eq!("KR-11".parse::<Region>().unwrap().to_string(), "kr-11");
        for text in ["k", "k1", "korea", "de-", "de-bavaria", "de be", "örtlich"] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }

    #[test]
    fn parts_of_a_country_are_near() {
        let [seoul, busan, berlin, unknown] =
            ["kr-11", "kr-26", "de-be", ""].map(|text| text.parse::<Region>().unwrap());
        assert_eq!(seoul.distance(&seoul), Distance::Same);
        assert_eq!(seoul.distance(&busan), Distance::Country);
        assert_eq!(seoul.distance(&berlin), Distance::Far);
        assert_eq!(unknown.distance(&unknown), Distance::Far, "two strangers need not be neighbours");
    }

    #[test]
    fn a_network_is_a_24_or_a_56() {
        let tag = |text: &str| PlaceTag::network(&[7; 32], text.parse().unwrap());
        assert_eq!(tag("192.0.2.1"), tag("192.0.2.254"));
        assert_eq!(tag("192.0.2.1"), tag("::ffff:192.0.2.9"));
        assert_ne!(tag("192.0.2.1"), tag("192.0.3.1"));
        assert_eq!(tag("2001:db8:0:100::1"), tag("2001:db8:0:1ff:ffff::"), "one line, however many cables");
        assert_ne!(tag("2001:db8:0:100::1"), tag("2001:db8:0:200::1"));
        assert_ne!(PlaceTag::site(&[7; 32], "a"), PlaceTag::site(&[8; 32], "a"), "tags say nothing without the key");
    }
}
