//! Remembers what something was made from, so that it is made again only when that changed.
//!
//! Contents count, not times: a fresh clone or a switched branch has new times everywhere.

use anyhow::{Context as _, Result};
use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

/// Says whether inputs are the ones of the last time.
pub struct Stamp {
    file: PathBuf,
    inputs: String,
}

impl Stamp {
    /// A stamp kept in `file` about everything in `inputs`; folders named in `without` are left out at any depth.
    pub fn of(file: PathBuf, inputs: &[PathBuf], without: &[&str]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        for input in inputs {
            add(&mut hasher, input, without)?;
        }
        // 64 bits that no adversary chooses; another Rust may hash otherwise, which costs one build.
        Ok(Self { file, inputs: format!("{:016x}", hasher.finish()) })
    }

    /// Whether nothing changed since [`Stamp::keep`].
    pub fn is_fresh(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|kept| kept == self.inputs)
    }

    /// Remembers these inputs.
    pub fn keep(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&self.file, &self.inputs).with_context(|| format!("cannot write {}", self.file.display()))
    }
}

fn add(hasher: &mut DefaultHasher, path: &Path, without: &[&str]) -> Result<()> {
    let name = path.file_name().unwrap_or_default();
    if without.iter().any(|left_out| name == *left_out) {
        return Ok(());
    }
    let cannot = || format!("cannot read {}", path.display());
    name.hash(hasher);
    if !path.is_dir() {
        fs::read(path).with_context(cannot)?.hash(hasher);
        return Ok(());
    }
    let entries = fs::read_dir(path).with_context(cannot)?;
    let mut entries =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().with_context(cannot)?;
    entries.sort();
    entries.len().hash(hasher);
    entries.iter().try_for_each(|entry| add(hasher, entry, without))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_contents_that_count_change_a_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = folder.path().join("inputs");
        fs::create_dir_all(inputs.join("node_modules")).unwrap();
        fs::write(inputs.join("a"), "1").unwrap();
        let stamp =
            || Stamp::of(folder.path().join("kept/stamp"), std::slice::from_ref(&inputs), &["node_modules"]).unwrap();
        assert!(!stamp().is_fresh());
        stamp().keep().unwrap();
        assert!(stamp().is_fresh());
        fs::write(inputs.join("node_modules/b"), "2").unwrap();
        assert!(stamp().is_fresh());
        fs::write(inputs.join("a"), "2").unwrap();
        assert!(!stamp().is_fresh());
        stamp().keep().unwrap();
        fs::rename(inputs.join("a"), inputs.join("b")).unwrap();
        assert!(!stamp().is_fresh());
    }
}
