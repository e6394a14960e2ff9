//! The authorities of a network, as the consensus engine knows them: keys, turns, accounts.
//!
//! The engine counts participants in the order of their keys, everything else of Chainflix in the order of the genesis;
//! this module is the only place that knows both.

use chainflix_primitives::{AccountAddress, NetworkGenesis, NodeId};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::{
    Signer as _,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_utils::ordered::Set;
use std::{collections::BTreeMap, fmt};
use zeroize::Zeroizing;

/// The Ed25519 secret a validator signs blocks with. Wiped when dropped, shown by nothing.
#[derive(Clone)]
pub struct ConsensusKey(Zeroizing<[u8; 32]>);

impl ConsensusKey {
    /// The key of a 32-byte seed (RFC 8032).
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// The public half, as the genesis names it.
    pub fn public(&self) -> NodeId {
        NodeId::from_engine(&self.private().public_key())
    }

    pub(crate) fn private(&self) -> PrivateKey {
        // Every 32 bytes are an Ed25519 seed, so decoding them cannot fail.
        PrivateKey::decode(Copying(&self.0[..])).expect("32 bytes are a seed")
    }
}

impl fmt::Debug for ConsensusKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsensusKey({})", self.public())
    }
}

/// Names keys of the engine in our own terms.
trait FromEngine {
    fn from_engine(key: &PublicKey) -> Self;
}

impl FromEngine for NodeId {
    fn from_engine(key: &PublicKey) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(key.as_ref());
        Self(bytes)
    }
}

/// A consensus key in the genesis that is no point of the curve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the genesis gives validator {validator} the consensus key {key}, which is not an Ed25519 public key")]
pub struct InvalidKey {
    /// Number of the validator in the genesis.
    pub validator: usize,
    /// What stands there.
    pub key: NodeId,
}

/// The validators of one network.
#[derive(Debug)]
pub(crate) struct Committee {
    /// Keys in the order of the genesis.
    keys: Vec<PublicKey>,
    accounts: Vec<AccountAddress>,
    numbers: BTreeMap<PublicKey, usize>,
    namespace: Vec<u8>,
}

impl Committee {
    pub(crate) fn of(genesis: &NetworkGenesis) -> Result<Self, InvalidKey> {
        let decode = |(validator, identity): (usize, &chainflix_primitives::ValidatorIdentity)| {
            let key = identity.consensus_key;
            PublicKey::decode(Copying(&key.as_bytes()[..])).map_err(|_| InvalidKey { validator, key })
        };
        let keys: Vec<_> = genesis.validators.iter().enumerate().map(decode).collect::<Result<_, _>>()?;
        let numbers = keys.iter().cloned().enumerate().map(|(number, key)| (key, number)).collect();
        let accounts = genesis.validators.iter().map(|identity| identity.account).collect();
        let mut namespace = b"chainflix consensus v1 ".to_vec();
        namespace.extend_from_slice(genesis.digest().as_bytes());
        Ok(Self { keys, accounts, numbers, namespace })
    }

    /// Separates every signature and handshake of this network from those of any other.
    pub(crate) fn namespace(&self) -> &[u8] {
        &self.namespace
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Keys as the engine counts them.
    pub(crate) fn participants(&self) -> Set<PublicKey> {
        Set::from_iter_dedup(self.keys.iter().cloned())
    }

    /// The key of validator `number` of the genesis.
    pub(crate) fn key(&self, number: usize) -> Option<&PublicKey> {
        self.keys.get(number)
    }

    /// The number in the genesis of the validator with this key.
    pub(crate) fn number(&self, key: &PublicKey) -> Option<usize> {
        self.numbers.get(key).copied()
    }

    /// Who is paid for a block that the validator with this key made.
    pub(crate) fn account(&self, key: &PublicKey) -> Option<AccountAddress> {
        self.number(key).map(|number| self.accounts[number])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn numbers_are_those_of_the_genesis_whatever_the_engines_order() {
        let genesis = testing::genesis(5, 1_000);
        let committee = Committee::of(&genesis).unwrap();
        assert_eq!(committee.participants().len(), 5);
        for number in 0..5 {
            let key = testing::consensus_key(number).private().public_key();
            assert_eq!(committee.number(&key), Some(number));
            assert_eq!(committee.key(number), Some(&key));
            assert_eq!(committee.account(&key), Some(genesis.validators[number].account));
        }
    }

    #[test]
    fn networks_that_differ_anywhere_have_different_namespaces() {
        let namespace = |block_ms| Committee::of(&testing::genesis(4, block_ms)).unwrap().namespace().to_vec();
        assert_ne!(namespace(300), namespace(301));
    }

    #[test]
    fn a_key_that_is_none_is_named() {
        let mut genesis = testing::genesis(2, 1_000);
        // The y coordinate 2 belongs to no point of the curve.
        genesis.validators[1].consensus_key = NodeId(std::array::from_fn(|byte| if byte == 0 { 2 } else { 0 }));
        assert_eq!(Committee::of(&genesis).unwrap_err().validator, 1);
    }

    #[test]
    fn secrets_do_not_print() {
        let key = ConsensusKey::from_seed([7; 32]);
        assert!(!format!("{key:?}").contains("0707"));
    }
}
