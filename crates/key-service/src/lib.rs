//! Releases keys when a quorum of validators agrees: threshold BLS12-381 behind the protocol's [`KeyService`].
//!
//! ```text
//!  viewer            validator A                                            validators B, C, D
//!    │ GrantRequest ─▶│ signs the label with its own share                       │
//!    │                │── Request: label, the viewer's own signed words ────────▶│ checks words, video and pace,
//!    │                │◀──────── Answer: its share's signature, sealed to A ─────│ signs the label with its share
//!    │                │ checks each signature, joins a quorum of them            │
//!    │◀────── Grant ──│ its hash is the ViewKey, kept for the rest of the film   │
//! ```
//!
//! **One operation.** All a quorum ever does is sign a [`Label`] (who watches what, or whose video it is) with a
//! secret that nobody holds: a BLS signature, unique whoever joined it. From it come
//!
//! - the *ViewKey* of an account for a video: the signature's hash, a pseudo-random function that no minority can
//!   compute. DownloadKeys of the film's cells are derived from it, so one round trip serves a film;
//! - the *video secret*: sealed by its creator to an identity (Boneh and Franklin), whose key is the signature of the
//!   label `Video { creator, magnet }`; see [`seal_video_secret`].
//!
//! Because no point chosen by anybody is ever multiplied by a share, but only labels hashed to the curve, neither use
//! can be turned against the other, and opening other ciphertexts tells nothing about this one: a box copied into
//! another record belongs to another identity. One record per magnet means one ciphertext per identity.
//!
//! **What it holds against.** Fewer validators than the quorum, all together, can neither open a video nor compute a
//! ViewKey, whatever they stole from each other's disks; a taken-down video gets no new keys; a wrong share is found by
//! a pairing before it is used, and its sender named. **What it does not.** A validator that serves a viewer learns that
//! viewer's ViewKey and the video's secret, as it must to answer; one that bends the rules can be a viewer itself, and so
//! gets the secrets of the videos it asks for: not silently, and not faster than the others' pace allows. Partial
//! signatures travel by broadcast, so they are sealed to who asked; but another validator that repeats the viewer's words
//! within their life gets its own answer. Shares come from a dealer ([`deal`]) who forgets them; that the dealer did is
//! not proved. Points of the curve library are not wiped from memory; shares and keys are.
//!
//! Left out: making shares without a dealer (DKG), changing them (resharing), proofs of what was released. No clock, no
//! socket, no disk: time is an argument, randomness comes in at the start.
//!
//! | module | what |
//! |---|---|
//! | [`label`] | what a quorum signs |
//! | `curve` | group key, shares, partial signatures |
//! | [`deal()`](deal) | the dealer |
//! | [`seal_video_secret`] | what creators do |
//! | `service` | [`ThresholdKeys`], the state machine of one validator |
//! | `question` | one label on its way: who answered, who lied |
//! | `warrant` | what a validator checks before it signs |
//! | `pace` | how often one validator may ask another |
//! | `wire` | what services say to each other |

mod curve;
mod deal;
mod drawn;
pub mod label;
mod pace;
mod question;
mod seal;
mod service;
#[cfg(test)]
mod tests;
mod warrant;
mod wire;

pub use curve::{KeyShare, SHARE_BYTES};
pub use deal::{DealError, Dealing, deal};
pub use label::Label;
pub use seal::{SealError, seal_video_secret};
pub use service::ThresholdKeys;
pub use warrant::Unfounded;

use chainflix_primitives::{AccountAddress, NetworkGenesis, NetworkKeys, NetworkSecret};
use chainflix_proof_of_view::{KeyService, SharedKeys};
use std::sync::Arc;

/// Why a validator's keys do not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyServiceError {
    /// The genesis does not name the account.
    #[error("the genesis names no validator {account}")]
    NotAValidator {
        /// Who asked.
        account: AccountAddress,
    },
    /// The genesis has points that are none.
    #[error("the genesis holds no threshold key: its point {index} is not in the group")]
    NoPoint {
        /// Which coefficient.
        index: usize,
    },
    /// The file is of another kind of network.
    #[error("the key file has {bytes} bytes; this network's have {expected}")]
    Length {
        /// What it has.
        bytes: usize,
        /// What it should have.
        expected: usize,
    },
    /// The secret belongs to another network.
    #[error("the key file is not of this network")]
    OtherNetwork,
    /// The share is another validator's, or of another network.
    #[error("the key file is not the share of validator {validator}")]
    OtherShare {
        /// Number of the validator in the genesis.
        validator: usize,
    },
}

/// Starts the key service that the genesis asks for, with what this validator keeps in its key file: the whole secret
/// (32 bytes), or its share ([`SHARE_BYTES`]). `entropy` must be fresh at every start.
///
/// # Errors
/// [`KeyServiceError`] when the file is not this validator's of this network.
pub fn open(
    genesis: &Arc<NetworkGenesis>,
    account: &AccountAddress,
    key_file: &[u8],
    entropy: [u8; 32],
) -> Result<Box<dyn KeyService>, KeyServiceError> {
    let length = |expected| KeyServiceError::Length { bytes: key_file.len(), expected };
    match &genesis.keys {
        NetworkKeys::Shared { box_key } => {
            let secret = NetworkSecret::from_bytes(key_file.try_into().map_err(|_| length(32))?);
            if secret.box_key().public_key() != *box_key {
                return Err(KeyServiceError::OtherNetwork);
            }
            Ok(Box::new(SharedKeys::new(secret)))
        }
        NetworkKeys::Threshold { .. } => {
            let share = KeyShare::from_bytes(key_file.try_into().map_err(|_| length(SHARE_BYTES))?);
            let share = share.ok_or(KeyServiceError::OtherNetwork)?;
            Ok(Box::new(ThresholdKeys::new(genesis.clone(), account, share, entropy)?))
        }
    }
}
