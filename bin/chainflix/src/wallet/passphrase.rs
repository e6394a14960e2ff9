//! Asks for passphrases, or takes them from a file for scripts. They are wiped when done.

use anyhow::{Context as _, Result, bail};
use std::{fs, io::IsTerminal as _, path::Path};
use zeroize::Zeroizing;

/// Least number of characters of a new passphrase: the file may be copied and guessed at for years.
const CHARS_MIN: usize = 8;

/// Bytes of a passphrase.
pub type Passphrase = Zeroizing<Vec<u8>>;

/// The passphrase of a wallet that exists.
pub fn existing(file: Option<&Path>) -> Result<Passphrase> {
    match file {
        Some(file) => from_file(file),
        None => ask("Passphrase: "),
    }
}

/// The passphrase of a new wallet: asked for twice, or taken from a file.
pub fn new(file: Option<&Path>) -> Result<Passphrase> {
    let passphrase = match file {
        Some(file) => from_file(file)?,
        None => {
            let first = ask("New passphrase: ")?;
            if first != ask("The same again: ")? {
                bail!("the two passphrases differ; nothing was made");
            }
            first
        }
    };
    let chars = std::str::from_utf8(&passphrase).map_or(passphrase.len(), |text| text.chars().count());
    if chars < CHARS_MIN {
        bail!("the passphrase has {chars} characters; at least {CHARS_MIN} are wanted");
    }
    Ok(passphrase)
}

fn ask(prompt: &str) -> Result<Passphrase> {
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask for the passphrase; name a file that holds it with --passphrase-file");
    }
    let answer = Zeroizing::new(rpassword::prompt_password(prompt).context("the passphrase cannot be asked for")?);
    Ok(Zeroizing::new(answer.as_bytes().to_vec()))
}

/// The file's bytes without the line end that editors add.
fn from_file(file: &Path) -> Result<Passphrase> {
    let bytes = fs::read(file).with_context(|| format!("cannot read the passphrase in {}", file.display()))?;
    let mut bytes = Zeroizing::new(bytes);
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_line_and_short_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passphrase");
        fs::write(&file, "correct horse\r\n").unwrap();
        assert_eq!(*new(Some(&file)).unwrap(), b"correct horse");
        fs::write(&file, "말편자말편자말").unwrap();
        assert!(new(Some(&file)).is_err(), "seven characters, whatever their bytes");
        assert!(existing(Some(Path::new("/nowhere"))).is_err());
    }
}
