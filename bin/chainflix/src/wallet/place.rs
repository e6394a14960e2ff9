//! Where this user's wallet is.

use anyhow::{Context as _, Result};
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The wallet's usual place: `$XDG_DATA_HOME`, or `$HOME/.local/share`, then `chainflix/wallet.json`.
pub fn usual() -> Result<PathBuf> {
    below(env::var_os("XDG_DATA_HOME"), env::var_os("HOME"))
}

fn below(xdg_data_home: Option<OsString>, home: Option<OsString>) -> Result<PathBuf> {
    // The XDG base directory specification has relative paths ignored.
    let xdg = xdg_data_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let data = xdg.or_else(|| home.map(|home| Path::new(&home).join(".local/share")));
    let data = data.context("neither XDG_DATA_HOME nor HOME is set; name the wallet with --wallet")?;
    Ok(data.join("chainflix/wallet.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_follows_the_xdg_specification() {
        let usual = |xdg: Option<&str>, home: Option<&str>| below(xdg.map(Into::into), home.map(Into::into));
        assert_eq!(usual(Some("/x"), Some("/h")).unwrap(), Path::new("/x/chainflix/wallet.json"));
        assert_eq!(usual(Some("x"), Some("/h")).unwrap(), Path::new("/h/.local/share/chainflix/wallet.json"));
        assert!(usual(None, None).is_err());
    }
}
