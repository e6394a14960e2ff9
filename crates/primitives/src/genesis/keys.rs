//! How the validators hold the network's keys: one secret that each of them knows, or shares of which a quorum is needed.
//!
//! Data only. What the curve points mean is in `chainflix-key-service`, whose arithmetic is not for the browser.

use super::{GenesisError, within};
use crate::BoxPublicKey;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who can release the keys of this network.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum NetworkKeys {
    /// Each validator alone: all hold the same secret.
    Shared {
        /// The key creators seal their video secrets to; the validators hold the other half.
        box_key: BoxPublicKey,
    },
    /// A quorum of validators together: each holds one share of a secret that nobody knows.
    Threshold {
        /// The coefficients of the polynomial that the shares lie on, each times the generator of G1. The first is the
        /// network's public key; their number is the quorum; at `i + 1` the polynomial gives the public key of
        /// validator `i`.
        commitment: Vec<CurvePoint>,
    },
}

impl NetworkKeys {
    /// How many validators must agree before a key is released.
    pub fn quorum(&self) -> usize {
        match self {
            Self::Shared { .. } => 1,
            Self::Threshold { commitment } => commitment.len(),
        }
    }

    /// The smallest quorum that a network of so many validators may have: a majority, and more than twice as many as
    /// may be faulty, so that faulty validators need more honest ones than there are of them.
    pub fn quorum_least(validators: usize) -> usize {
        let faulty = validators.saturating_sub(1) / 3;
        (2 * faulty + 1).max(validators / 2 + 1)
    }

    pub(super) fn check(&self, validators: usize) -> Result<(), GenesisError> {
        match self {
            Self::Shared { .. } => Ok(()),
            Self::Threshold { commitment } => {
                let least = Self::quorum_least(validators) as u64;
                within("keys.commitment's length", commitment.len() as u64, least, validators as u64)
            }
        }
    }
}

/// A point of the group G1 of BLS12-381, compressed.
#[derive(Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CurvePoint(#[serde(with = "crate::hex_text::array")] pub [u8; 48]);

impl fmt::Debug for CurvePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CurvePoint({})", hex::encode(&self.0[..4]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faulty_are_not_enough_and_the_honest_are() {
        assert_eq!([1, 2, 3, 4, 5, 7, 10, 128].map(NetworkKeys::quorum_least), [1, 2, 2, 3, 3, 5, 7, 85]);
        for validators in 1..=128 {
            let (quorum, faulty) = (NetworkKeys::quorum_least(validators), (validators - 1) / 3);
            assert!(quorum - faulty > faulty, "{validators}");
            assert!(quorum <= validators - faulty, "{validators}");
        }
    }

    #[test]
    fn a_quorum_is_neither_too_small_nor_too_large() {
        let keys = |quorum| NetworkKeys::Threshold { commitment: vec![CurvePoint([1; 48]); quorum] };
        assert!(keys(2).check(4).is_err());
        assert!(keys(3).check(4).is_ok());
        assert!(keys(4).check(4).is_ok());
        assert!(keys(5).check(4).is_err());
        assert_eq!(keys(3).quorum(), 3);
    }

    #[test]
    fn keys_are_plain_json() {
        let shared = NetworkKeys::Shared { box_key: BoxPublicKey([7; 32]) };
        let text = serde_json::to_string(&shared).unwrap();
        assert_eq!(text, format!("{{\"kind\":\"shared\",\"boxKey\":\"0x{}\"}}", "07".repeat(32)));
        assert_eq!(serde_json::from_str::<NetworkKeys>(&text).unwrap(), shared);
        let threshold = NetworkKeys::Threshold { commitment: vec![CurvePoint([9; 48])] };
        let text = serde_json::to_string(&threshold).unwrap();
        assert_eq!(text, format!("{{\"kind\":\"threshold\",\"commitment\":[\"0x{}\"]}}", "09".repeat(48)));
        assert_eq!(serde_json::from_str::<NetworkKeys>(&text).unwrap(), threshold);
    }
}
