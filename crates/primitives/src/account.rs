//! Accounts and signatures: an account is an Ethereum address, a signature is recoverable secp256k1.
//!
//! What is signed is never a bare hash: every signable noun has a context string, and the digest is
//! `BLAKE3-derive-key(context, borsh(noun))`, so that a signature over one noun can never pass for another and none of
//! them can pass for an Ethereum transaction.

use crate::identity::{ParseIdentityError, identity};
use borsh::{BorshDeserialize, BorshSerialize};
use k256::ecdsa::{RecoveryId, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha3::{Digest as _, Keccak256};
use std::{fmt, str::FromStr};

identity!(
    /// A 20-byte Ethereum address: who is paid, who watches, who publishes.
    AccountAddress,
    20
);

impl AccountAddress {
    /// The address of a public key (Ethereum yellow paper, section 7).
    fn of(key: &VerifyingKey) -> Self {
        let point = key.to_encoded_point(false);
        let hash = Keccak256::digest(&point.as_bytes()[1..]);
        let mut address = [0; 20];
        address.copy_from_slice(&hash[12..]);
        Self(address)
    }

    /// The mixed-case checksum form people compare by eye (EIP-55).
    pub fn to_checksum(&self) -> String {
        let lower = hex::encode(self.0);
        let hash = Keccak256::digest(lower.as_bytes());
        let digits = lower.chars().enumerate().map(|(i, digit)| {
            let nibble = hash[i / 2] >> (4 * (1 - i % 2)) & 0xf;
            if nibble >= 8 { digit.to_ascii_uppercase() } else { digit }
        });
        std::iter::once('0').chain(std::iter::once('x')).chain(digits).collect()
    }
}

/// Why a signature is not the one it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not a point on the curve, a recovery id out of range, or the malleable high-s form.
    #[error("the signature is malformed")]
    Malformed,
    /// A valid signature of somebody else.
    #[error("signed by {signer}, not by {expected}")]
    OtherSigner { expected: AccountAddress, signer: AccountAddress },
    /// 32 bytes that are not a secp256k1 secret.
    #[error("these bytes are not a secret key")]
    NotASecret,
}

/// A recoverable secp256k1 signature: r, s (low form), recovery id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 65]);

impl Signature {
    /// The account whose key made this signature over `digest`.
    pub fn recover(&self, digest: &[u8; 32]) -> Result<AccountAddress, SignatureError> {
        let signature = k256::ecdsa::Signature::from_slice(&self.0[..64]).map_err(|_| SignatureError::Malformed)?;
        // One signature must have one form: a record's bytes are part of what is voted on.
        if signature.normalize_s().is_some() {
            return Err(SignatureError::Malformed);
        }
        let recovery = RecoveryId::from_byte(self.0[64]).ok_or(SignatureError::Malformed)?;
        let key =
            VerifyingKey::recover_from_prehash(digest, &signature, recovery).map_err(|_| SignatureError::Malformed)?;
        Ok(AccountAddress::of(&key))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(&self.0[..4]))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl FromStr for Signature {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 65];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes).map_err(|_| {
            ParseIdentityError::Hex { kind: "Signature", bytes: 65, text: text.chars().take(140).collect() }
        })?;
        Ok(Self(bytes))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as Deserialize>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// An account's secret key. Wiped when dropped, shown by nothing.
#[derive(Clone)]
pub struct AccountKey(SigningKey);

impl AccountKey {
    /// The key of 32 secret bytes; refuses zero and what exceeds the curve's order.
    pub fn from_bytes(secret: &[u8; 32]) -> Result<Self, SignatureError> {
        SigningKey::from_slice(secret).map(Self).map_err(|_| SignatureError::NotASecret)
    }

    /// The secret itself, for an encrypted key file. The caller wipes it.
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes().into())
    }

    /// The account this key spends and signs for.
    pub fn address(&self) -> AccountAddress {
        AccountAddress::of(self.0.verifying_key())
    }

    /// Signs a 32-byte digest, deterministically (RFC 6979).
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Signature {
        // A 32-byte prehash is long enough for this curve and RFC 6979 always finds a nonce, so signing cannot fail.
        let (signature, recovery) = self.0.sign_prehash_recoverable(digest).expect("a 32-byte digest is signable");
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = recovery.to_byte();
        Signature(bytes)
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", self.address())
    }
}

/// A noun that accounts sign.
pub trait Signable: BorshSerialize {
    /// Separates this noun's signatures from every other's. Versioned; never reused.
    const CONTEXT: &'static str;

    /// What is signed.
    fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(Self::CONTEXT);
        // Writing into a hasher cannot fail, and every noun here has in-memory lengths below 2^32.
        borsh::to_writer(&mut hasher, self).expect("hashing does not fail");
        hasher.finalize().into()
    }
}

/// A noun with the signature of one account.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Signed<T> {
    /// What is said.
    pub body: T,
    /// Who says it.
    pub signature: Signature,
}

impl<T: Signable> Signed<T> {
    /// Signs `body` as the owner of `key`.
    pub fn new(body: T, key: &AccountKey) -> Self {
        let signature = key.sign_digest(&body.digest());
        Self { body, signature }
    }

    /// Who signed.
    pub fn signer(&self) -> Result<AccountAddress, SignatureError> {
        self.signature.recover(&self.body.digest())
    }

    /// Checks that `expected` signed.
    pub fn verify(&self, expected: &AccountAddress) -> Result<(), SignatureError> {
        match self.signer()? {
            signer if signer == *expected => Ok(()),
            signer => Err(SignatureError::OtherSigner { expected: *expected, signer }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(BorshSerialize)]
    struct Said(u64);
    impl Signable for Said {
        const CONTEXT: &'static str = "chainflix test 2026 said";
    }

    fn key() -> AccountKey {
        // The first account of every Ethereum development network.
        let secret = hex::decode("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap();
        AccountKey::from_bytes(&secret.try_into().unwrap()).unwrap()
    }

    #[test]
    fn addresses_are_ethereums() {
        assert_eq!(key().address().to_checksum(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    }

    #[test]
    fn only_the_signer_of_these_very_words_verifies() {
        let mut signed = Signed::new(Said(1), &key());
        assert_eq!(signed.verify(&key().address()), Ok(()));
        let other = AccountAddress([1; 20]);
        assert!(matches!(signed.verify(&other), Err(SignatureError::OtherSigner { .. })));
        signed.body.0 = 2;
        assert!(signed.verify(&key().address()).is_err());
    }

    #[test]
    fn the_malleable_twin_of_a_signature_is_refused() {
        let signed = Signed::new(Said(1), &key());
        let twin = k256::ecdsa::Signature::from_slice(&signed.signature.0[..64]).unwrap();
        let (r, s) = twin.split_scalars();
        let twin = k256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&twin.to_bytes());
        bytes[64] = signed.signature.0[64] ^ 1;
        assert_eq!(Signature(bytes).recover(&Said(1).digest()), Err(SignatureError::Malformed));
    }

    #[test]
    fn secrets_do_not_print() {
        assert!(!format!("{:?}", key()).contains("ac0974"));
        assert!(AccountKey::from_bytes(&[0; 32]).is_err());
    }
}
