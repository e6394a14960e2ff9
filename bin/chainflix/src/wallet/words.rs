//! A BIP-39 phrase and the account it stands for (BIP-32 path `m/44'/60'/0'/0/0`, as in every Ethereum wallet).

use anyhow::{Context as _, Result, ensure};
use chainflix_primitives::AccountKey;
use coins_bip39::{English, Entropy, Mnemonic};
use std::io::{self, IsTerminal as _, Read as _};
use zeroize::Zeroizing;

/// The first account of a phrase (BIP-44, SLIP-44 coin type 60).
const PATH: &str = "m/44'/60'/0'/0/0";
/// Longest answer that can be a phrase: 24 words of at most eight letters, and room for spaces.
const ANSWER_BYTES_MAX: u64 = 512;

/// A phrase. Shown by [`Words::phrase`] alone.
pub struct Words(Mnemonic<English>);

impl Words {
    /// Twelve new words (128 bits).
    pub fn draw() -> Self {
        let entropy: Zeroizing<[u8; 16]> = Zeroizing::new(rand::random());
        Self(Mnemonic::new_from_entropy(Entropy::Sixteen(*entropy)))
    }

    /// The words that somebody wrote down: hidden on a terminal, a line of a script.
    pub fn ask() -> Result<Self> {
        let answer = Zeroizing::new(if io::stdin().is_terminal() {
            rpassword::prompt_password("The words: ").context("the words cannot be asked for")?
        } else {
            let mut text = String::new();
            io::stdin().lock().take(ANSWER_BYTES_MAX).read_to_string(&mut text).context("the words cannot be read")?;
            text
        });
        Self::read(&answer)
    }

    fn read(text: &str) -> Result<Self> {
        let words: Zeroizing<Vec<String>> = Zeroizing::new(text.split_whitespace().map(str::to_lowercase).collect());
        ensure!(matches!(words.len(), 12 | 15 | 18 | 21 | 24), "a phrase has 12 to 24 words, not {}", words.len());
        let phrase = Zeroizing::new(words.join(" "));
        // The error would repeat the words.
        let mnemonic = Mnemonic::new_from_phrase(&phrase).ok();
        mnemonic.map(Self).context("these are no words of a wallet: one is misspelt, or their order is wrong")
    }

    /// The words themselves.
    pub fn phrase(&self) -> String {
        self.0.to_phrase()
    }

    /// The first account's key.
    pub fn key(&self) -> Result<AccountKey> {
        let derived = self.0.derive_key(PATH, None).context("no key follows from these words")?;
        let key: &k256::ecdsa::SigningKey = derived.as_ref();
        let secret: Zeroizing<[u8; 32]> = Zeroizing::new(key.to_bytes().into());
        Ok(AccountKey::from_bytes(&secret)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrase_of_every_test_gives_its_first_account() {
        let words = Words::read(" test test test test test test test test test test test Junk\n").unwrap();
        assert_eq!(words.key().unwrap().address().to_checksum(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    }

    #[test]
    fn drawn_words_come_back_and_are_never_the_same() {
        let words = Words::draw();
        assert_eq!(words.phrase().split(' ').count(), 12);
        assert_eq!(Words::read(&words.phrase()).unwrap().key().unwrap().address(), words.key().unwrap().address());
        assert_ne!(words.phrase(), Words::draw().phrase());
    }

    #[test]
    fn wrong_words_are_refused_without_being_repeated() {
        for wrong in ["zoo zone zoo zone zoo zone zoo zone zoo zone zoo zone", "zoo", ""] {
            let error = Words::read(wrong).err().unwrap();
            assert!(!format!("{error:#}").contains("zone"));
        }
    }
}
