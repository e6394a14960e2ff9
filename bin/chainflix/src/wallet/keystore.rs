//! Encrypted key files in the format of all Ethereum wallets: Web3 Secret Storage, version 3.
//!
//! ```text
//! passphrase ─ scrypt(salt, n, r, p) ─▶ 32 bytes ─┬─ first 16 ─▶ AES-128-CTR(iv) ── key ▶ ciphertext
//!                                                 └─ last 16 ─▶ Keccak-256(last 16 ‖ ciphertext) = mac
//! ```
//!
//! Left out: the other derivation of the format (PBKDF2), which no wallet writes any more.

use aes::Aes128;
use anyhow::{Context as _, Result};
use chainflix_primitives::{AccountAddress, AccountKey};
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use serde::{Deserialize, Serialize, Serializer};
use sha3::{Digest as _, Keccak256};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// What a guess at a passphrase costs: 128 MB and half a second or so (OWASP's advice for scrypt: n = 2^17, r = 8).
pub const COST: Cost = Cost { log_n: 17, r: 8, p: 1 };
/// For tests, which guess right.
#[cfg(test)]
pub const WEAK_COST: Cost = Cost { log_n: 4, r: 8, p: 1 };
/// Most memory a wallet file may ask for, in bytes: geth's own files take a quarter of it.
const MEMORY_MAX: u64 = 1 << 30;
/// Most rounds over that memory; the format's own example has eight.
const ROUNDS_MAX: u32 = 16;
/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 16 << 10;

/// Why a wallet file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// It cannot be read or written.
    #[error("cannot use the wallet {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Not the JSON of a wallet.
    #[error("{} is not a wallet", path.display())]
    Format {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// Another version, cipher or derivation than this one.
    #[error("the wallet's {what} is {found}, which is not supported")]
    Unsupported { what: &'static str, found: String },
    /// The key does not come out.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The passphrase is right, and what comes out is no key.
    #[error("the wallet holds no key")]
    NotAKey,
    /// The wallet does not say whose it is; its key does.
    #[error("the wallet does not name its address")]
    NoAddress,
}

/// How hard scrypt works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    log_n: u8,
    r: u32,
    p: u32,
}

/// An encrypted key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStore {
    version: u32,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "bare")]
    address: Option<AccountAddress>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    #[serde(with = "hex::serde")]
    ciphertext: Vec<u8>,
    kdf: String,
    kdfparams: KdfParams,
    #[serde(with = "hex::serde")]
    mac: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CipherParams {
    #[serde(with = "hex::serde")]
    iv: [u8; 16],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KdfParams {
    dklen: u32,
    n: u64,
    p: u32,
    r: u32,
    #[serde(with = "hex::serde")]
    salt: Vec<u8>,
}

impl KeyStore {
    /// Encrypts a key.
    pub fn seal(key: &AccountKey, passphrase: &[u8], cost: Cost) -> Result<Self, KeyStoreError> {
        let (salt, iv): ([u8; 32], [u8; 16]) = (rand::random(), rand::random());
        let kdfparams = KdfParams { dklen: 32, n: 1 << cost.log_n, p: cost.p, r: cost.r, salt: salt.to_vec() };
        let derived = kdfparams.derive(passphrase)?;
        let mut ciphertext = key.to_bytes().to_vec();
        apply(&derived, &iv, &mut ciphertext);
        let mac = mac(&derived, &ciphertext);
        Ok(Self {
            version: 3,
            id: new_id(),
            address: Some(key.address()),
            crypto: Crypto {
                cipher: "aes-128-ctr".to_owned(),
                cipherparams: CipherParams { iv },
                ciphertext,
                kdf: "scrypt".to_owned(),
                kdfparams,
                mac,
            },
        })
    }

    /// Decrypts the key.
    pub fn open(&self, passphrase: &[u8]) -> Result<AccountKey, KeyStoreError> {
        self.check()?;
        let crypto = &self.crypto;
        let derived = crypto.kdfparams.derive(passphrase)?;
        // Both sides are derived from the passphrase by scrypt: a comparison's time tells nothing about either.
        if mac(&derived, &crypto.ciphertext) != crypto.mac {
            return Err(KeyStoreError::WrongPassphrase);
        }
        let mut secret = Zeroizing::new(crypto.ciphertext.clone());
        apply(&derived, &crypto.cipherparams.iv, &mut secret);
        let secret: &[u8; 32] = secret.as_slice().try_into().map_err(|_| KeyStoreError::NotAKey)?;
        AccountKey::from_bytes(secret).map_err(|_| KeyStoreError::NotAKey)
    }

    /// Whose it is, without a passphrase.
    pub fn address(&self) -> Result<AccountAddress, KeyStoreError> {
        self.address.ok_or(KeyStoreError::NoAddress)
    }

    fn check(&self) -> Result<(), KeyStoreError> {
        let unsupported = |what, found: &dyn ToString| KeyStoreError::Unsupported { what, found: found.to_string() };
        if self.version != 3 {
            return Err(unsupported("version", &self.version));
        }
        if self.crypto.cipher != "aes-128-ctr" {
            return Err(unsupported("cipher", &self.crypto.cipher));
        }
        if self.crypto.kdf != "scrypt" {
            return Err(unsupported("key derivation", &self.crypto.kdf));
        }
        Ok(())
    }

    /// Reads a wallet file.
    pub fn read(path: &Path) -> Result<Self, KeyStoreError> {
        let failed = |source| KeyStoreError::File { path: path.to_owned(), source };
        let mut text = Vec::new();
        fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text)).map_err(failed)?;
        serde_json::from_slice(&text).map_err(|source| KeyStoreError::Format { path: path.to_owned(), source })
    }

    /// Writes a new wallet file, which only its owner may read.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        // Plain data with string keys: JSON can say it.
        let text = serde_json::to_vec_pretty(self).expect("plain data serialises");
        let mut file = OpenOptions::new();
        file.write(true).create_new(true).mode(0o600);
        let written = file.open(path).and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()));
        Ok(written.map_err(|source| KeyStoreError::File { path: path.to_owned(), source })?)
    }
}

impl KdfParams {
    fn derive(&self, passphrase: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyStoreError> {
        let unsupported = |what, found: String| KeyStoreError::Unsupported { what, found };
        if self.dklen != 32 {
            return Err(unsupported("key length", self.dklen.to_string()));
        }
        // Checked before scrypt allocates what a file asks for.
        let memory = self.n.checked_mul(128).and_then(|bytes| bytes.checked_mul(self.r.into()));
        let bearable = memory.is_some_and(|bytes| bytes <= MEMORY_MAX) && self.p <= ROUNDS_MAX;
        let log_n = u8::try_from(self.n.trailing_zeros()).unwrap_or_default();
        if !bearable || !self.n.is_power_of_two() {
            return Err(unsupported("scrypt cost", format!("n = {}, r = {}, p = {}", self.n, self.r, self.p)));
        }
        let params = scrypt::Params::new(log_n, self.r, self.p, scrypt::Params::RECOMMENDED_LEN);
        let params = params.map_err(|error| unsupported("scrypt cost", error.to_string()))?;
        let mut derived = Zeroizing::new([0; 32]);
        // Only a length above 128 GiB is refused.
        scrypt::scrypt(passphrase, &self.salt, &params, &mut *derived)
            .map_err(|error| unsupported("scrypt cost", error.to_string()))?;
        Ok(derived)
    }
}

fn apply(derived: &[u8; 32], iv: &[u8; 16], bytes: &mut [u8]) {
    let key: &[u8; 16] = derived.first_chunk().expect("half of 32 bytes");
    Ctr128BE::<Aes128>::new(key.into(), iv.into()).apply_keystream(bytes);
}

fn mac(derived: &[u8; 32], ciphertext: &[u8]) -> [u8; 32] {
    Keccak256::new().chain_update(&derived[16..]).chain_update(ciphertext).finalize().into()
}

/// The format's addresses have no `0x`; both forms are read.
fn bare<S: Serializer>(address: &Option<AccountAddress>, serializer: S) -> Result<S::Ok, S::Error> {
    address.map(|address| hex::encode(address.0)).serialize(serializer)
}

/// A random UUID (RFC 9562, version 4).
fn new_id() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The example of the format's definition (Ethereum wiki, Web3 Secret Storage Definition, scrypt).
    fn example() -> serde_json::Value {
        json!({
            "crypto": {
                "cipher": "aes-128-ctr",
                "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
                "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
                "kdf": "scrypt",
                "kdfparams": {
                    "dklen": 32, "n": 262144, "p": 8, "r": 1,
                    "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"
                },
                "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"
            },
            "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
            "version": 3
        })
    }

    /// Its block size of 1 is outside RFC 7914 for that cost (N < 2^(128 r / 8)), and the scrypt crate keeps to the RFC.
    #[test]
    fn the_formats_own_example_is_read_and_its_cost_refused_in_words() {
        let store: KeyStore = serde_json::from_value(example()).unwrap();
        let refused = store.open(b"testpassword").unwrap_err();
        assert!(matches!(refused, KeyStoreError::Unsupported { what: "scrypt cost", .. }), "{refused}");
    }

    #[test]
    fn a_key_comes_back_under_its_passphrase_alone() {
        let key = AccountKey::from_bytes(&[7; 32]).unwrap();
        let store = KeyStore::seal(&key, b"correct horse", WEAK_COST).unwrap();
        assert_eq!(store.open(b"correct horse").unwrap().address(), key.address());
        assert!(matches!(store.open(b"wrong horse"), Err(KeyStoreError::WrongPassphrase)));
        assert_eq!(store.address().unwrap(), key.address());
        assert_eq!((store.id.len(), store.id.as_bytes()[14]), (36, b'4'));
    }

    #[test]
    fn a_file_is_written_once_for_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/wallet.json");
        let key = AccountKey::from_bytes(&[7; 32]).unwrap();
        let store = KeyStore::seal(&key, b"correct horse", WEAK_COST).unwrap();
        store.write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(KeyStore::read(&path).unwrap(), store);
        assert!(store.write(&path).is_err(), "never overwritten");
        fs::write(&path, "{}").unwrap();
        assert!(matches!(KeyStore::read(&path), Err(KeyStoreError::Format { .. })));
    }

    #[test]
    fn a_file_that_asks_for_too_much_is_refused_before_it_gets_it() {
        for (field, value) in
            [("n", json!(1u64 << 40)), ("n", json!(1000)), ("r", json!(1 << 20)), ("p", json!(1 << 20))]
        {
            let mut wrong = example();
            wrong["crypto"]["kdfparams"][field] = value;
            let store: KeyStore = serde_json::from_value(wrong).unwrap();
            assert!(matches!(store.open(b"testpassword"), Err(KeyStoreError::Unsupported { .. })), "{field}");
        }
    }

    #[test]
    fn other_formats_are_named() {
        for (place, value) in [("/version", json!(1)), ("/crypto/kdf", json!("pbkdf2")), ("/crypto/cipher", json!("x"))]
        {
            let mut wrong = example();
            *wrong.pointer_mut(place).unwrap() = value;
            let store: KeyStore = serde_json::from_value(wrong).unwrap();
            assert!(matches!(store.open(b"testpassword"), Err(KeyStoreError::Unsupported { .. })), "{place}");
        }
    }
}
