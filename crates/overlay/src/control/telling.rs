//! What a provider tells controllers, signed by its node: so one controller can pass it on to another, and none can invent it.
//!
//! ```text
//! announcement ─▶ page ─▶ page ─▶ heartbeat ─▶ changes ─▶ heartbeat …
//!  number 0        1       2          2           3           3          each one's time is later than the one before
//! ```
//!
//! Whoever passes words on can stop, but leave none out: the next one has the wrong number. It can keep them back, but not
//! for longer than [`TELLING_MS`]. The node signs and not the account, because it is the node that a controller knows by its
//! connection; the announcement brings the account's own signature, on the card.

use super::{Announcement, Changes, Heartbeat, InventoryPage, PAGE_CELLS_MAX, SITE_BYTES_MAX};
use crate::{
    address::AddressRecord,
    node::{NodeIdError, NodeKey, endpoint_id},
};
use borsh::{BorshDeserialize, BorshSerialize};
use chainflix_primitives::NodeId;
use iroh::Signature;

/// How old, and how far ahead of one's own clock, passed words may be, in milliseconds.
pub const TELLING_MS: u64 = 60_000;

/// One thing a provider says of itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ProviderWords {
    /// I am a provider.
    Announce(Announcement),
    /// I hold these.
    Inventory(InventoryPage),
    /// I hold these now, and these no more.
    Changes(Changes),
    /// I am still here.
    Heartbeat(Heartbeat),
}

impl ProviderWords {
    /// The sequence number of the announcement that they belong to.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Announce(words) => words.sequence,
            Self::Inventory(words) => words.sequence,
            Self::Changes(words) => words.sequence,
            Self::Heartbeat(words) => words.sequence,
        }
    }

    /// Whether they say no more than they may.
    pub fn are_bounded(&self) -> bool {
        match self {
            Self::Announce(words) => words.site.len() <= SITE_BYTES_MAX,
            Self::Inventory(words) => words.cells.len() <= PAGE_CELLS_MAX,
            Self::Changes(words) => words.gained.len() + words.lost.len() <= PAGE_CELLS_MAX,
            Self::Heartbeat(_) => true,
        }
    }
}

/// What was said, and when.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Told {
    /// Whose words they are.
    pub node: NodeId,
    /// 0 for an announcement; pages and changes that follow it have one more each, heartbeats the last number again.
    pub number: u64,
    /// By the provider's clock, in milliseconds since the Unix epoch; rises with every word of an announcement.
    pub at_ms: u64,
    /// The words.
    pub words: ProviderWords,
}

/// [`Told`] with its node's signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Telling {
    /// What is said.
    pub body: Told,
    signature: [u8; 64],
}

/// Another node's words, passed on by a controller that heard them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PassedOn {
    /// The words.
    pub telling: Telling,
    /// Where the provider is, as it said last.
    pub address: Option<AddressRecord>,
}

/// Why words are not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TellingError {
    /// No node can have this name.
    #[error(transparent)]
    NotANode(#[from] NodeIdError),
    /// Somebody else made them, or they were changed.
    #[error("the words of {node} are not signed by it")]
    Forged { node: NodeId },
}

impl Telling {
    /// Signs `body` as its node.
    pub fn new(body: Told, key: &NodeKey) -> Self {
        let signature = key.secret().sign(&digest(&body)).to_bytes();
        Self { body, signature }
    }

    /// Checks the signature.
    pub fn verify(&self) -> Result<(), TellingError> {
        let node = self.body.node;
        let signature = Signature::from_bytes(&self.signature);
        endpoint_id(&node)?.verify(&digest(&self.body), &signature).map_err(|_| TellingError::Forged { node })
    }
}

fn digest(body: &Told) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 Telling v1");
    // Writing into a hasher cannot fail, and the lengths here are far below 2^32.
    borsh::to_writer(&mut hasher, body).expect("hashing does not fail");
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};
    use crate::Addresses;
    use chainflix_primitives::CellId;

    fn told(node: NodeId) -> Told {
        let page = InventoryPage { sequence: 7, cells: vec![HeldCell { cell: CellId([1; 32]), size: 5 }], last: true };
        Told { node, number: 1, at_ms: 9, words: ProviderWords::Inventory(page) }
    }

    #[test]
    fn words_are_their_nodes_own() {
        let (key, other) = (NodeKey::from_bytes(&[1; 32]), NodeKey::from_bytes(&[2; 32]));
        let telling = Telling::new(told(key.node_id()), &key);
        assert_eq!(telling.verify(), Ok(()));
        let forged = Err(TellingError::Forged { node: key.node_id() });
        assert_eq!(Telling::new(told(key.node_id()), &other).verify(), forged);
        let mut changed = telling.clone();
        changed.body.number = 2;
        assert_eq!(changed.verify(), forged, "a number is part of it");
        let mut changed = telling.clone();
        changed.body.at_ms = 10;
        assert_eq!(changed.verify(), forged, "and so is the time");
        let mut changed = telling;
        changed.body.words = ProviderWords::Inventory(InventoryPage { sequence: 7, cells: Vec::new(), last: true });
        assert_eq!(changed.verify(), forged);
        let nobody = NodeId([2; 32]);
        assert!(matches!(
            Telling::new(told(nobody), &key).verify(),
            Err(TellingError::NotANode(_) | TellingError::Forged { .. })
        ));
    }

    #[test]
    fn a_full_page_fits_a_frame_with_an_address() {
        let key = NodeKey::from_bytes(&[1; 32]);
        let held = HeldCell { cell: CellId([0; 32]), size: 0 };
        let (page, most) =
            (InventoryPage { sequence: 0, cells: vec![held; PAGE_CELLS_MAX], last: true }, PAGE_CELLS_MAX / 2);
        let changes = Changes { sequence: 0, gained: vec![held; most], lost: vec![CellId([0; 32]); most] };
        let direct = vec!["[2001:db8::1]:4001".parse().unwrap(); crate::address::DIRECT_MAX];
        let relay = Some("x".repeat(crate::address::RELAY_URL_BYTES_MAX));
        let address = AddressRecord::new(Addresses { node: key.node_id(), sequence: 0, relay, direct }, &key);
        for words in [ProviderWords::Inventory(page), ProviderWords::Changes(changes)] {
            assert!(words.are_bounded());
            let telling = Telling::new(Told { words, ..told(key.node_id()) }, &key);
            let request = ControlRequest::PassOn(Box::new(PassedOn { telling, address: Some(address.clone()) }));
            assert!(borsh::to_vec(&request).unwrap().len() <= CONTROL_FRAME_BYTES_MAX);
        }
        let long = InventoryPage { sequence: 0, cells: vec![held; PAGE_CELLS_MAX + 1], last: true };
        assert!(!ProviderWords::Inventory(long).are_bounded());
    }
}
