//! Curve arithmetic by libsecp256k1, in C: what validators spend most of their time on.

use super::{AccountAddress, COMPACT_BYTES};
use secp256k1::{
    Message, SECP256K1, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};

/// A secret scalar. Wiped when dropped.
#[derive(Clone)]
pub struct Secret(SecretKey);

impl Secret {
    /// `None` for zero and what exceeds the curve's order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        SecretKey::from_byte_array(*bytes).ok().map(Self)
    }

    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.secret_bytes()
    }

    pub fn address(&self) -> AccountAddress {
        AccountAddress::of(&self.0.public_key(SECP256K1).serialize_uncompressed())
    }

    /// `r ‖ s` (low form) and the recovery id, by RFC 6979.
    pub fn sign(&self, digest: &[u8; 32]) -> ([u8; COMPACT_BYTES], u8) {
        let signature = SECP256K1.sign_ecdsa_recoverable(Message::from_digest(*digest), &self.0);
        let (recovery, compact) = signature.serialize_compact();
        // 0 to 3.
        (compact, i32::from(recovery) as u8)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

/// The account that signed, if these are the parts of a signature at all.
pub fn recover(compact: &[u8; COMPACT_BYTES], recovery: u8, digest: &[u8; 32]) -> Option<AccountAddress> {
    let recovery = RecoveryId::try_from(i32::from(recovery)).ok()?;
    let signature = RecoverableSignature::from_compact(compact, recovery).ok()?;
    let key = SECP256K1.recover_ecdsa(Message::from_digest(*digest), &signature).ok()?;
    Some(AccountAddress::of(&key.serialize_uncompressed()))
}
