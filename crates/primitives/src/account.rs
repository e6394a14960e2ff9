//! Accounts and signatures: an account is an Ethereum address, a signature is recoverable secp256k1.
//!
//! What is signed is never a bare hash: every signable noun has a context string, and the digest is
//! `BLAKE3-derive-key(context, borsh(noun))`, so that a signature over one noun can never pass for another and none of
//! them can pass for an Ethereum transaction.
//!
//! The curve itself is computed by two libraries, which answer the same to the bit: `native` (libsecp256k1, in C, several
//! times as fast) on servers, `portable` (k256) in the browser. The tests compare them.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(any(test, target_arch = "wasm32"))]
mod portable;

use crate::identity::{ParseIdentityError, identity};
use borsh::{BorshDeserialize, BorshSerialize};
#[cfg(not(target_arch = "wasm32"))]
use native as curve;
#[cfg(target_arch = "wasm32")]
use portable as curve;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha3::{Digest as _, Keccak256};
use std::{fmt, io::BufWriter, str::FromStr};

identity!(
    /// A 20-byte Ethereum address: who is paid, who watches, who publishes.
    AccountAddress,
    20
);

impl AccountAddress {
    /// The address of a public key in its uncompressed form (Ethereum yellow paper, section 7).
    fn of(point: &[u8; 65]) -> Self {
        let hash = Keccak256::digest(&point[1..]);
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

/// Bytes of `r ‖ s`.
const COMPACT_BYTES: usize = 64;

/// Half of the curve's order, rounded down, big-endian: the largest low `s` (SEC 2, section 2.4.1).
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e,
    0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// A recoverable secp256k1 signature: r, s (low form), recovery id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 65]);

impl Signature {
    /// The account whose key made this signature over `digest`.
    pub fn recover(&self, digest: &[u8; 32]) -> Result<AccountAddress, SignatureError> {
        let (compact, recovery) = self.parts();
        // One signature must have one form: a record's bytes are part of what is voted on.
        if compact[32..] > HALF_ORDER[..] {
            return Err(SignatureError::Malformed);
        }
        curve::recover(compact, recovery, digest).ok_or(SignatureError::Malformed)
    }

    /// `r ‖ s` and the recovery id.
    fn parts(&self) -> (&[u8; COMPACT_BYTES], u8) {
        // The split is inside the array, so it always succeeds.
        let (compact, recovery) = self.0.split_first_chunk().expect("64 of 65 bytes");
        (compact, recovery[0])
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
pub struct AccountKey {
    secret: curve::Secret,
    address: AccountAddress,
}

impl AccountKey {
    /// The key of 32 secret bytes; refuses zero and what exceeds the curve's order.
    pub fn from_bytes(secret: &[u8; 32]) -> Result<Self, SignatureError> {
        let secret = curve::Secret::from_bytes(secret).ok_or(SignatureError::NotASecret)?;
        let address = secret.address();
        Ok(Self { secret, address })
    }

    /// The secret itself, for an encrypted key file. The caller wipes it.
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.secret.to_bytes())
    }

    /// The account this key spends and signs for.
    pub fn address(&self) -> AccountAddress {
        self.address
    }

    /// Signs a 32-byte digest, deterministically (RFC 6979).
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Signature {
        let (compact, recovery) = self.secret.sign(digest);
        let mut bytes = [0; 65];
        bytes[..COMPACT_BYTES].copy_from_slice(&compact);
        bytes[COMPACT_BYTES] = recovery;
        Signature(bytes)
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", self.address())
    }
}

/// Bytes that are hashed at a time.
const DIGEST_BUFFER_BYTES: usize = 32 << 10;

/// A noun that accounts sign.
pub trait Signable: BorshSerialize {
    /// Separates this noun's signatures from every other's. Versioned; never reused.
    const CONTEXT: &'static str;

    /// What is signed.
    fn digest(&self) -> [u8; 32] {
        // Borsh writes a few bytes at a time; BLAKE3 is several times as fast on many at once.
        let hasher = blake3::Hasher::new_derive_key(Self::CONTEXT);
        let mut buffer = BufWriter::with_capacity(DIGEST_BUFFER_BYTES, hasher);
        // Writing into a hasher cannot fail, and every noun here has in-memory lengths below 2^32.
        borsh::to_writer(&mut buffer, self).expect("hashing does not fail");
        let hasher = buffer.into_inner().expect("hashing does not fail");
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
mod tests;
