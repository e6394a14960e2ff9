//! Key files: secret bytes as hex in a file that only its owner may read.

use chainflix_primitives::{AccountKey, BoxKey};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Why a key file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It cannot be read or written.
    #[error("cannot use the key file {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Others could read it too.
    #[error("the key file {} can be read by others; run: chmod 600 {}", path.display(), path.display())]
    Open { path: PathBuf },
    /// Another number of hex digits, or not a key.
    #[error("the key file {} holds no key ({digits} hex digits are wanted)", path.display())]
    NotAKey { path: PathBuf, digits: usize },
}

/// Reads secret bytes: 32 of most keys, more of what is named so.
pub fn read<const BYTES: usize>(path: &Path) -> Result<Zeroizing<[u8; BYTES]>, KeyError> {
    let file = |source| KeyError::File { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(file)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned() });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(file)?);
    let mut bytes = Zeroizing::new([0; BYTES]);
    let digits = text.trim();
    hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), &mut *bytes)
        .map_err(|_| KeyError::NotAKey { path: path.to_owned(), digits: 2 * BYTES })?;
    Ok(bytes)
}

/// Writes secret bytes into a new file.
pub fn write<const BYTES: usize>(path: &Path, secret: &[u8; BYTES]) -> Result<(), KeyError> {
    let file = |source| KeyError::File { path: path.to_owned(), source };
    let text = Zeroizing::new(format!("{}\n", hex::encode(secret)));
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(file)?;
    opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all()).map_err(file)
}

/// Reads an account's key.
pub fn read_account(path: &Path) -> Result<AccountKey, KeyError> {
    AccountKey::from_bytes(&*read::<32>(path)?).map_err(|_| KeyError::NotAKey { path: path.to_owned(), digits: 64 })
}

/// The key that DownloadKeys are sealed to on a provider: derived from its account, so that there is one file to back up.
pub fn provider_box_key(account: &AccountKey) -> BoxKey {
    BoxKey::from_bytes(blake3::derive_key("chainflix 2026 provider box key v1", &*account.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_and_an_open_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, &[7; 32]).unwrap();
        assert_eq!(*read::<32>(&path).unwrap(), [7; 32]);
        assert!(matches!(read::<64>(&path), Err(KeyError::NotAKey { digits: 128, .. })));
        assert!(matches!(write(&path, &[8; 32]), Err(KeyError::File { .. })), "never overwritten");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read::<32>(&path), Err(KeyError::Open { .. })));
    }

    #[test]
    fn rubbish_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, &[0; 32]).unwrap();
        assert!(matches!(read_account(&path), Err(KeyError::NotAKey { .. })), "zero is no secp256k1 secret");
        fs::write(&path, "rubbish").unwrap();
        assert!(matches!(read::<32>(&path), Err(KeyError::NotAKey { .. })));
    }
}
