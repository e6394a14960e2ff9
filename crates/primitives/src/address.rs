//! Address ranges that plays are counted by: one home, and one network.
//!
//! ```text
//!         home       network   allocation
//! IPv4    address    /24       none: they are too scarce to have one
//! IPv6    /56        /48       /32
//! ```
//!
//! No address is ever part of a durable record.

use std::net::IpAddr;

/// A range of addresses that a limit counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    prefix: [u8; 16],
    bits: u8,
}

impl AddressRange {
    /// The smallest range one home cannot leave: an IPv4 address, or an IPv6 /56. Lines at home are given a /56 (RIPE-690,
    /// BCP 157), which holds 256 networks of one cable each: who counts by /64 counts such a line 256 times.
    pub fn home(address: IpAddr) -> Self {
        Self::of(address, 32, 56)
    }

    /// The range one small network operator hands out: an IPv4 /24, or an IPv6 /48.
    pub fn network(address: IpAddr) -> Self {
        Self::of(address, 24, 48)
    }

    /// The least that a registry allocates to one of its members: an IPv6 /32. `None` for IPv4.
    pub fn allocation(address: IpAddr) -> Option<Self> {
        matches!(address.to_canonical(), IpAddr::V6(_)).then(|| Self::of(address, 0, 32))
    }

    /// The range as bytes, for a keyed hash: prefix and its length in bits.
    pub fn to_bytes(&self) -> [u8; 17] {
        let mut bytes = [self.bits; 17];
        bytes[..16].copy_from_slice(&self.prefix);
        bytes
    }

    fn of(address: IpAddr, bits_v4: u8, bits_v6: u8) -> Self {
        // IPv4 in its mapped form (RFC 4291, 2.5.5.2), so that both notations of one address are one range.
        let (v6, bits) = match address.to_canonical() {
            IpAddr::V4(v4) => (v4.to_ipv6_mapped(), 96 + bits_v4),
            IpAddr::V6(v6) => (v6, bits_v6),
        };
        let kept = u128::MAX << (128 - u32::from(bits));
        Self { prefix: (v6.to_bits() & kept).to_be_bytes(), bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn homes_and_networks() {
        assert_eq!(AddressRange::home(ip("10.1.2.3")), AddressRange::home(ip("::ffff:10.1.2.3")));
        assert_ne!(AddressRange::home(ip("10.1.2.3")), AddressRange::home(ip("10.1.2.4")));
        assert_eq!(AddressRange::network(ip("10.1.2.3")), AddressRange::network(ip("10.1.2.4")));
        assert_ne!(AddressRange::network(ip("10.1.2.3")), AddressRange::network(ip("10.1.3.3")));
        assert_eq!(AddressRange::home(ip("2001:db8:1:200::3")), AddressRange::home(ip("2001:db8:1:2ff:ffff::")));
        assert_ne!(AddressRange::home(ip("2001:db8:1:200::")), AddressRange::home(ip("2001:db8:1:300::")));
        assert_eq!(AddressRange::network(ip("2001:db8:1:200::")), AddressRange::network(ip("2001:db8:1:300::")));
        assert_ne!(AddressRange::network(ip("2001:db8:1::")), AddressRange::network(ip("2001:db8:2::")));
    }

    #[test]
    fn only_ipv6_has_allocations() {
        let of = |text| AddressRange::allocation(ip(text));
        assert_eq!(of("2001:db8:1::"), of("2001:db8:ffff:2::3"));
        assert_ne!(of("2001:db8::"), of("2001:db9::"));
        assert_eq!([of("10.1.2.3"), of("::ffff:10.1.2.3")], [None, None]);
    }
}
