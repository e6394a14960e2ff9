//! Reads an account's key from whichever file holds it: a plain key file of a node, or an encrypted wallet.

use crate::{
    output::wrong_use,
    wallet::{keystore::KeyStore, passphrase, place},
};
use anyhow::{Context as _, Result};
use chainflix_primitives::AccountKey;
use std::{fs, path::Path};

/// The key in `file`.
pub fn read(file: &Path, passphrase_file: Option<&Path>) -> Result<AccountKey> {
    let bytes = fs::read(file).with_context(|| format!("cannot read the key file {}", file.display()))?;
    // A key file is hex; only a wallet starts an object.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Ok(chainflix_node::keys::read_account(file)?);
    }
    let store = KeyStore::read(file)?;
    let passphrase = passphrase::existing(passphrase_file)?;
    store.open(&passphrase).with_context(|| format!("cannot open the wallet {}", file.display()))
}

/// The key in `file`, or that of this user's wallet.
pub fn read_or_wallet(file: Option<&Path>, passphrase_file: Option<&Path>) -> Result<AccountKey> {
    if let Some(file) = file {
        return read(file, passphrase_file);
    }
    let wallet = place::usual()?;
    if !wallet.is_file() {
        let advice = "make one with `chainflix wallet new`, or name a key file with --key";
        return Err(wrong_use(format!("there is no wallet at {}; {advice}", wallet.display())));
    }
    read(&wallet, passphrase_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_file_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let key = AccountKey::from_bytes(&[7; 32]).unwrap();
        let plain = folder.path().join("plain.key");
        chainflix_node::keys::write(&plain, &key.to_bytes()).unwrap();
        assert_eq!(read(&plain, None).unwrap().address(), key.address());

        let (wallet, passphrase) = (folder.path().join("wallet.json"), folder.path().join("passphrase"));
        fs::write(&passphrase, "correct horse\n").unwrap();
        KeyStore::seal(&key, b"correct horse", crate::wallet::keystore::WEAK_COST).unwrap().write(&wallet).unwrap();
        assert_eq!(read(&wallet, Some(&passphrase)).unwrap().address(), key.address());
        fs::write(&passphrase, "wrong horse").unwrap();
        assert!(read(&wallet, Some(&passphrase)).is_err());
    }
}
