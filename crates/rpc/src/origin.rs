//! Whose address a request comes from.
//!
//! Plays are counted by address (protocol page, table of refusals), and a viewer behind a gateway has the viewer's
//! address, not the gateway's. The header `x-forwarded-for` says it, and everybody can write that header: it is believed
//! only from peers that are listed, read from its end, where the nearest proxy writes.

use axum::http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// The header that proxies append the address of their client to.
pub const FORWARDED_FOR: &str = "x-forwarded-for";
/// Most addresses of that header that are looked at.
const HOPS_MAX: usize = 8;

/// The address a request is counted by: the nearest one that is not a trusted proxy's.
pub fn client_address(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut nearest = peer.ip().to_canonical();
    if !is_trusted(trusted, nearest) {
        return nearest;
    }
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX) {
        // A hop that cannot be read was not written by a proxy of ours: what is left of it is hearsay.
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        nearest = address.to_canonical();
        if !is_trusted(trusted, nearest) {
            break;
        }
    }
    nearest
}

/// Whether `address` is in the list, in either notation of IPv4.
pub fn is_trusted(trusted: &[IpAddr], address: IpAddr) -> bool {
    trusted.iter().any(|listed| listed.to_canonical() == address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        client_address(SocketAddr::new(peer.parse().unwrap(), 1), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_speak_for_others() {
        assert_eq!(from("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(from("::ffff:192.0.2.9", &[]), "192.0.2.9");
    }

    #[test]
    fn a_gateway_speaks_for_its_viewers_and_not_for_what_they_claim() {
        assert_eq!(from("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(from("::ffff:10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(from("10.0.0.1", &["203.0.113.5, 198.51.100.1"]), "198.51.100.1", "the first one is a claim");
        assert_eq!(from("10.0.0.1", &["203.0.113.5", "198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(from("10.0.0.1", &["203.0.113.5, garbage"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
    }
}
