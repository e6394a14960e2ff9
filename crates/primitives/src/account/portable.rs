//! Curve arithmetic by k256, in Rust: for the browser, where no C library can be built.

use super::{AccountAddress, COMPACT_BYTES};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};

/// A secret scalar. Wiped when dropped.
#[derive(Clone)]
pub struct Secret(SigningKey);

fn address(key: &VerifyingKey) -> AccountAddress {
    let mut point = [0; 65];
    // An uncompressed point is 65 bytes long.
    point.copy_from_slice(key.to_encoded_point(false).as_bytes());
    AccountAddress::of(&point)
}

impl Secret {
    /// `None` for zero and what exceeds the curve's order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        SigningKey::from_slice(bytes).ok().map(Self)
    }

    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    pub fn address(&self) -> AccountAddress {
        address(self.0.verifying_key())
    }

    /// `r ‖ s` (low form) and the recovery id, by RFC 6979.
    pub fn sign(&self, digest: &[u8; 32]) -> ([u8; COMPACT_BYTES], u8) {
        // A 32-byte prehash is long enough for this curve and RFC 6979 always finds a nonce, so signing cannot fail.
        let (signature, recovery) = self.0.sign_prehash_recoverable(digest).expect("a 32-byte digest is signable");
        (signature.to_bytes().into(), recovery.to_byte())
    }
}

/// The account that signed, if these are the parts of a signature at all.
pub fn recover(compact: &[u8; COMPACT_BYTES], recovery: u8, digest: &[u8; 32]) -> Option<AccountAddress> {
    let signature = Signature::from_slice(compact).ok()?;
    let recovery = RecoveryId::from_byte(recovery)?;
    let key = VerifyingKey::recover_from_prehash(digest, &signature, recovery).ok()?;
    Some(address(&key))
}
