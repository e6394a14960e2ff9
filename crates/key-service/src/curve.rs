//! The group key, its shares, and signatures joined from partial ones: BLS12-381 with keys in G1 and signatures in G2.
//!
//! Keys are in G1 because what creators seal then starts with a point of G1, which is what fits beside 32 sealed bytes
//! into the registry's 80. Signatures in G2 cost about twice the time of those in G1; a film needs one.

use crate::{KeyServiceError, drawn::Drawn, label::Label};
use chainflix_primitives::genesis::CurvePoint;
use commonware_codec::{Copying, Decode as _, DecodeExt as _, Write as _};
use commonware_cryptography::bls12381::primitives::{
    group::{G1, G2, Private, Share},
    ops::{self, threshold},
    sharing::{Mode, ModeVersion, Sharing},
    variant::{MinPk, PartialSignature, Variant},
};
use commonware_parallel::Sequential;
use commonware_utils::{Participant, iter::NonEmpty};
use std::{fmt, num::NonZeroU32};
use zeroize::Zeroizing;

/// Bytes of a share file: the share, and the secret that address tags come from.
pub const SHARE_BYTES: usize = 64;
/// Bytes of a partial or joined signature.
pub(crate) const SIGNATURE_BYTES: usize = 96;

/// Keeps our labels apart from everything else that is ever signed with keys of this curve.
const NAMESPACE: &[u8] = b"chainflix 2026 key label v1";

/// A validator's signature of a label, made with its share.
pub(crate) type Partial = PartialSignature<MinPk>;

/// What one validator holds of the network's keys. Secret: wiped when dropped, never printed.
#[derive(Clone)]
pub struct KeyShare {
    private: Private,
    /// The same for all validators: it opens nothing.
    tags: Zeroizing<[u8; 32]>,
}

impl KeyShare {
    pub(crate) fn new(private: Private, tags: Zeroizing<[u8; 32]>) -> Self {
        Self { private, tags }
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` when the first half is no share.
    pub fn from_bytes(bytes: &[u8; SHARE_BYTES]) -> Option<Self> {
        let (share, rest) = bytes.split_at(32);
        let mut tags = Zeroizing::new([0; 32]);
        tags.copy_from_slice(rest);
        Some(Self { private: Private::decode(Copying(share)).ok()?, tags })
    }

    /// The share as it is kept in a file.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SHARE_BYTES]> {
        let mut bytes = Zeroizing::new([0; SHARE_BYTES]);
        let (share, rest) = bytes.split_at_mut(32);
        self.private.write(&mut &mut *share);
        rest.copy_from_slice(&*self.tags);
        bytes
    }

    /// What address tags come from.
    pub(crate) fn tags(&self) -> &[u8; 32] {
        &self.tags
    }

    /// What this validator's own random numbers come from, beside fresh entropy.
    fn seed(&self, entropy: &[u8; 32]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 key service draws v1");
        hasher.update(&*self.to_bytes()).update(entropy).finalize().into()
    }

    /// A generator that nobody else can predict, even if the machine's entropy were known.
    pub(crate) fn generator(&self, entropy: &[u8; 32]) -> Drawn {
        Drawn::new("chainflix 2026 key service generator v1", &Zeroizing::new(self.seed(entropy)))
    }
}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyShare(secret)")
    }
}

/// The signature of a label: the origin of a key. Secret.
pub(crate) struct Released {
    signature: G2,
    bytes: Zeroizing<[u8; SIGNATURE_BYTES]>,
}

impl Released {
    fn new(signature: G2) -> Self {
        Self { signature, bytes: Zeroizing::new(to_bytes(&signature)) }
    }

    /// The point, to pair with.
    pub fn signature(&self) -> &G2 {
        &self.signature
    }

    /// 32 secret bytes for one purpose.
    pub fn derive(&self, purpose: &'static str) -> [u8; 32] {
        blake3::derive_key(purpose, &*self.bytes)
    }
}

/// The public half: how all shares hang together.
#[derive(Clone)]
pub(crate) struct Group(Sharing<MinPk>);

impl Group {
    /// The group of a genesis, for so many validators.
    pub fn new(commitment: &[CurvePoint], validators: usize) -> Result<Self, KeyServiceError> {
        let point = |(index, point): (usize, &CurvePoint)| point_from(point).ok_or(KeyServiceError::NoPoint { index });
        let points: Vec<G1> = commitment.iter().enumerate().map(point).collect::<Result<_, _>>()?;
        // A genesis has at most 128 validators.
        let total = u32::try_from(validators).unwrap_or(u32::MAX);
        let mut bytes = Vec::new();
        Mode::NonZeroCounter.write(&mut bytes);
        total.write(&mut bytes);
        points.write(&mut bytes);
        let most = NonZeroU32::new(total).ok_or(KeyServiceError::NoPoint { index: 0 })?;
        let sharing = Sharing::decode_cfg(bytes, &(most, ModeVersion::v0()));
        let sharing = sharing.map_err(|_| KeyServiceError::NoPoint { index: points.len() })?;
        sharing.precompute_partial_publics();
        Ok(Self(sharing))
    }

    /// How many partial signatures make a whole one.
    pub fn quorum(&self) -> usize {
        self.0.required() as usize
    }

    /// Whether `share` is that of `validator`.
    pub fn owns(&self, validator: usize, share: &KeyShare) -> bool {
        let public = ops::compute_public::<MinPk>(&share.private);
        self.0.partial_public(number(validator)).is_ok_and(|expected| expected == public)
    }

    /// Joins a quorum of partial signatures that were checked; `None` when there are too few.
    pub fn join<'a>(&self, partials: impl IntoIterator<Item = &'a Partial>) -> Option<Released> {
        threshold::recover::<MinPk, _>(&self.0, partials, &Sequential).ok().map(Released::new)
    }

    /// The validators whose partial signature of `label` is wrong. One pairing check for all of them when none is.
    pub fn wrong(&self, draws: &mut Drawn, label: &Label, partials: &[Partial]) -> Vec<usize> {
        let Some(some) = NonEmpty::try_new(partials.iter()) else { return Vec::new() };
        let checked =
            threshold::batch_verify_same_message(draws, &self.0, NAMESPACE, &label.to_bytes(), some, &Sequential);
        checked.err().unwrap_or_default().into_iter().map(|wrong| usize::from(wrong.index)).collect()
    }
}

/// Signs a label with a validator's share.
pub(crate) fn sign(validator: usize, share: &KeyShare, label: &Label) -> Partial {
    let share = Share::new(number(validator), share.private.clone());
    threshold::sign_message::<MinPk>(&share, NAMESPACE, &label.to_bytes())
}

/// The point that a label is hashed to: an identity that can be sealed to.
pub(crate) fn identity(label: &Label) -> G2 {
    ops::hash_with_namespace::<MinPk>(MinPk::MESSAGE, NAMESPACE, &label.to_bytes())
}

/// The partial signature as it travels.
pub(crate) fn partial_to_bytes(partial: &Partial) -> Zeroizing<[u8; SIGNATURE_BYTES]> {
    Zeroizing::new(to_bytes(&partial.value))
}

/// Reads a partial signature of `validator`; `None` for what is no point of the group.
pub(crate) fn partial_from(validator: usize, bytes: &[u8]) -> Option<Partial> {
    Some(Partial { index: number(validator), value: G2::decode(Copying(bytes)).ok()? })
}

/// Reads a point; `None` for what is not in the group, or its neutral element.
pub(crate) fn point_from(point: &CurvePoint) -> Option<G1> {
    G1::decode(Copying(&point.0)).ok()
}

/// Writes a point.
pub(crate) fn point_to(point: &G1) -> CurvePoint {
    let mut bytes = [0; 48];
    point.write(&mut &mut bytes[..]);
    CurvePoint(bytes)
}

fn to_bytes(signature: &G2) -> [u8; SIGNATURE_BYTES] {
    let mut bytes = [0; SIGNATURE_BYTES];
    signature.write(&mut &mut bytes[..]);
    bytes
}

fn number(validator: usize) -> Participant {
    // A genesis has at most 128 validators.
    Participant::new(u32::try_from(validator).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deal;
    use chainflix_primitives::{AccountAddress, Magnet, NetworkKeys};

    #[test]
    fn what_a_quorum_joins_is_a_signature_of_the_network() {
        let dealt = deal(4, 3, &[1; 32]).unwrap();
        let NetworkKeys::Threshold { commitment } = &dealt.keys else { unreachable!() };
        let group = Group::new(commitment, 4).unwrap();
        let label = Label::View { account: AccountAddress([2; 20]), magnet: Magnet([3; 32]) };
        let partials: Vec<_> = (1..4).map(|number| sign(number, &dealt.shares[number], &label)).collect();
        let released = group.join(&partials).unwrap();
        let verify = |label: &Label| {
            let public = point_from(&commitment[0]).unwrap();
            ops::verify_message::<MinPk>(&public, NAMESPACE, &label.to_bytes(), released.signature())
        };
        assert!(verify(&label).is_ok());
        assert!(verify(&Label::View { account: AccountAddress([4; 20]), magnet: Magnet([3; 32]) }).is_err());
    }
}
