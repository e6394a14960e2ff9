//! Where a node can be reached, said and signed by the node itself.
//!
//! A record has a sequence number, because records overtake each other on their way: the highest number is the truth.
//! The signature is Ed25519 by the node's own key (RFC 8032) over the digest of the record, so whoever answers a lookup
//! can withhold a record but not invent one.

use crate::node::{NodeIdError, NodeKey, endpoint_id};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::NodeId;
use iroh::{EndpointAddr, RelayUrl, Signature, TransportAddr};
use std::net::SocketAddr;

/// Most direct addresses of one node.
pub const DIRECT_MAX: usize = 32;
/// Longest relay URL, in bytes.
pub const RELAY_URL_BYTES_MAX: usize = 256;

/// The ways to one node.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Addresses {
    /// Whose.
    pub node: NodeId,
    /// Rises with every change; milliseconds since the Unix epoch where the node has nothing better.
    pub sequence: u64,
    /// The relay it waits at.
    pub relay: Option<String>,
    /// Its own addresses as it knows them, at most [`DIRECT_MAX`].
    pub direct: Vec<SocketAddr>,
}

/// [`Addresses`] with their node's signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AddressRecord {
    /// What is said.
    pub body: Addresses,
    signature: [u8; 64],
}

/// Why a record is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// No node can have this name.
    #[error(transparent)]
    NotANode(#[from] NodeIdError),
    /// Somebody else made it, or it was changed.
    #[error("the address record of {node} is not signed by it")]
    Forged { node: NodeId },
    /// More than anybody needs.
    #[error("the address record of {node} has {count} addresses; the most is {DIRECT_MAX}")]
    TooMany { node: NodeId, count: usize },
    /// Not a URL, or too long.
    #[error("the address record of {node} names no usable relay")]
    Relay { node: NodeId },
}

impl AddressRecord {
    /// Signs `body` as its node.
    pub fn new(body: Addresses, key: &NodeKey) -> Self {
        let signature = key.secret().sign(&digest(&body)).to_bytes();
        Self { body, signature }
    }

    /// Checks limits and signature.
    pub fn verify(&self) -> Result<(), AddressError> {
        let node = self.body.node;
        if self.body.direct.len() > DIRECT_MAX {
            return Err(AddressError::TooMany { node, count: self.body.direct.len() });
        }
        self.relay_url()?;
        let signature = Signature::from_bytes(&self.signature);
        endpoint_id(&node)?.verify(&digest(&self.body), &signature).map_err(|_| AddressError::Forged { node })
    }

    /// Signs what iroh found out about our own ways; the first [`DIRECT_MAX`] of them.
    pub(crate) fn of<'a>(ways: impl Iterator<Item = &'a TransportAddr>, sequence: u64, key: &NodeKey) -> Self {
        let mut body = Addresses { node: key.node_id(), sequence, relay: None, direct: Vec::new() };
        for way in ways {
            match way {
                TransportAddr::Relay(url) => body.relay = Some(url.to_string()),
                TransportAddr::Ip(address) if body.direct.len() < DIRECT_MAX => body.direct.push(*address),
                _ => {}
            }
        }
        Self::new(body, key)
    }

    /// The record in iroh's words. An unusable relay is left out.
    pub(crate) fn endpoint_addr(&self) -> Result<EndpointAddr, NodeIdError> {
        let relay = self.relay_url().ok().flatten().map(TransportAddr::Relay);
        let direct = self.body.direct.iter().copied().map(TransportAddr::Ip);
        Ok(EndpointAddr::from_parts(endpoint_id(&self.body.node)?, relay.into_iter().chain(direct)))
    }

    fn relay_url(&self) -> Result<Option<RelayUrl>, AddressError> {
        let unusable = AddressError::Relay { node: self.body.node };
        match &self.body.relay {
            None => Ok(None),
            Some(url) if url.len() > RELAY_URL_BYTES_MAX => Err(unusable),
            Some(url) => url.parse().map(Some).map_err(|_| unusable),
        }
    }
}

fn digest(body: &Addresses) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 AddressRecord v1");
    // Writing into a hasher cannot fail, and the lengths here are far below 2^32.
    borsh::to_writer(&mut hasher, body).expect("hashing does not fail");
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(change: impl FnOnce(&mut Addresses)) -> AddressRecord {
        let key = NodeKey::from_bytes(&[1; 32]);
        let mut body = Addresses {
            node: key.node_id(),
            sequence: 7,
            relay: Some("https://relay.example:3443/".into()),
            direct: vec!["192.0.2.1:4000".parse().unwrap(), "[2001:db8::1]:4000".parse().unwrap()],
        };
        change(&mut body);
        AddressRecord::new(body, &key)
    }

    #[test]
    fn a_record_survives_the_wire_and_says_the_same_to_iroh() {
        let sent = record(|_| ());
        let got: AddressRecord = borsh::from_slice(&borsh::to_vec(&sent).unwrap()).unwrap();
        assert_eq!(got.verify(), Ok(()));
        let ways = got.endpoint_addr().unwrap();
        assert_eq!((ways.ip_addrs().count(), ways.relay_urls().count()), (2, 1));
        let again = AddressRecord::of(ways.addrs.iter(), 7, &NodeKey::from_bytes(&[1; 32]));
        assert_eq!(again.endpoint_addr().unwrap(), ways);
    }

    #[test]
    fn nobody_can_speak_for_another_node() {
        let mut forged = record(|_| ());
        forged.body.sequence += 1;
        assert!(matches!(forged.verify(), Err(AddressError::Forged { .. })));
        let other = record(|body| body.node = NodeKey::from_bytes(&[2; 32]).node_id());
        assert!(matches!(other.verify(), Err(AddressError::Forged { .. })));
    }

    #[test]
    fn records_have_limits() {
        let crowded = record(|body| body.direct = vec!["192.0.2.1:1".parse().unwrap(); DIRECT_MAX + 1]);
        assert!(matches!(crowded.verify(), Err(AddressError::TooMany { .. })));
        let odd = record(|body| body.relay = Some("not a url".into()));
        assert!(matches!(odd.verify(), Err(AddressError::Relay { .. })));
    }
}
