//! Sealing a video secret to the network, and opening it with what a quorum released.
//!
//! In threshold mode a sealed secret is `U ‖ V`, 48 and 32 bytes, the registry's 80:
//!
//! ```text
//! Q = the curve point of Label::Video { creator, magnet }        r = hash(secret, label, P)
//! U = r·G                                                         V = secret ⊕ hash(e(r·P, Q), U)
//! opening with σ = s·Q:   e(U, σ) = e(r·G, s·Q) = e(r·P, Q);      then r again, and U must be r·G
//! ```
//!
//! This is the identity-based encryption of Boneh and Franklin (2001) with the validators as the key generator, the
//! form used for time-lock encryption to a threshold network (Gailly, Melissaris, Romailler, 2023). `r` is a hash of
//! the secret, which is 32 uniformly random bytes drawn for this one video: so there is room for the check that nobody
//! bent the ciphertext, in 80 bytes and without a word of randomness to get wrong. The price: a creator that seals a
//! *guessable* secret reveals it to who guesses, and equal secrets in equal records make equal boxes.
//!
//! **Chosen ciphertexts.** The creator and the magnet are the identity. A box copied or bent into any other record
//! asks for the key of another identity, which is unrelated; in its own record it is the only box there is, since a
//! magnet is registered once. What opens to nothing is refused by every honest validator alike.

use crate::{
    curve::{self, Released},
    label::Label,
};
use chainflix_primitives::{AccountAddress, Magnet, NetworkKeys, SealedKey, VideoSecret, genesis::CurvePoint};
use commonware_cryptography::bls12381::primitives::{
    group::{G1, G2, Scalar},
    variant::{MinPk, Variant as _},
};
use commonware_math::algebra::CryptoGroup as _;
use zeroize::Zeroizing;

/// Bytes of the point `U`.
const POINT_BYTES: usize = 48;
/// Domain of the hash that gives `r`; in the form RFC 9380 asks for.
const NONCE_DOMAIN: &[u8] = b"CHAINFLIX_2026_VIDEO_SEAL_V1_XMD:SHA-256_HASH_TO_SCALAR";

/// Why a video secret is not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the genesis holds no key to seal to")]
pub struct SealError;

/// Seals the secret of a creator's video to the validators, as the genesis asks for, bound to the record it will stand
/// in. `entropy` must be fresh random bytes.
///
/// # Errors
/// [`SealError`] when the genesis has no usable public key.
pub fn seal_video_secret(
    keys: &NetworkKeys,
    creator: &AccountAddress,
    magnet: &Magnet,
    secret: &VideoSecret,
    entropy: [u8; 32],
) -> Result<SealedKey, SealError> {
    match keys {
        NetworkKeys::Shared { box_key } => Ok(box_key.seal_video(secret, creator, magnet, entropy)),
        NetworkKeys::Threshold { commitment } => {
            let public = commitment.first().and_then(curve::point_from).ok_or(SealError)?;
            Ok(seal(&public, &Label::Video { creator: *creator, magnet: *magnet }, secret))
        }
    }
}

fn seal(public: &G1, label: &Label, secret: &VideoSecret) -> SealedKey {
    let nonce = nonce(public, label, secret);
    let point = curve::point_to(&(G1::generator() * &nonce));
    let mut sealed = [0; 80];
    sealed[..POINT_BYTES].copy_from_slice(&point.0);
    let mask = mask(&(*public * &nonce), &curve::identity(label), &point);
    for ((byte, secret), mask) in sealed[POINT_BYTES..].iter_mut().zip(secret.expose()).zip(*mask) {
        *byte = secret ^ mask;
    }
    SealedKey(sealed)
}

/// Opens what was sealed to `label` with its released signature; `None` when it was not sealed to it, or bent.
pub(crate) fn open(keys: &NetworkKeys, label: &Label, released: &Released, sealed: &SealedKey) -> Option<VideoSecret> {
    let NetworkKeys::Threshold { commitment } = keys else { return None };
    let public = commitment.first().and_then(curve::point_from)?;
    let mut point = CurvePoint([0; POINT_BYTES]);
    point.0.copy_from_slice(&sealed.0[..POINT_BYTES]);
    let start = curve::point_from(&point)?;
    let mask = mask(&start, released.signature(), &point);
    let mut opened = Zeroizing::new([0; 32]);
    for ((byte, sealed), mask) in opened.iter_mut().zip(&sealed.0[POINT_BYTES..]).zip(*mask) {
        *byte = sealed ^ mask;
    }
    let secret = VideoSecret::from_bytes(*opened);
    (G1::generator() * &nonce(&public, label, &secret) == start).then_some(secret)
}

fn nonce(public: &G1, label: &Label, secret: &VideoSecret) -> Scalar {
    let label = label.to_bytes();
    let mut message = Zeroizing::new(Vec::with_capacity(32 + POINT_BYTES + label.len()));
    message.extend_from_slice(secret.expose());
    message.extend_from_slice(&curve::point_to(public).0);
    message.extend_from_slice(&label);
    Scalar::map(NONCE_DOMAIN, &message)
}

fn mask(point: &G1, identity: &G2, start: &CurvePoint) -> Zeroizing<[u8; 32]> {
    let paired = Zeroizing::new(MinPk::pairing(point, identity).as_slice());
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 video secret mask v1");
    Zeroizing::new(hasher.update(&*paired).update(&start.0).finalize().into())
}
