//! The cells of one film on disk, and the manifest they add up to.

use crate::error::MediaError;
use crate::plan::Plan;
use chainflix_primitives::manifest::TITLE_CHARS_MAX;
use chainflix_primitives::{AccountAddress, CellEntry, CellId, Fragment, Manifest, Track, stripe::STRIPE_PARITY};
use std::path::PathBuf;
use tempfile::TempDir;

/// A film as unsealed cells. Dropping it removes them.
#[derive(Debug)]
pub struct Packaged {
    /// From the film's own tag or its file name: one line, within the manifest's limit.
    pub title: String,
    /// In milliseconds; what the cells last together.
    pub play_time_ms: u64,
    /// Pictures first, then sound if there is any.
    pub tracks: Vec<Track>,
    /// In playing order.
    pub cells: Vec<PackagedCell>,
    /// What was copied and what encoded.
    pub plan: Plan,
    pub(crate) folder: TempDir,
}

/// One unsealed cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagedCell {
    /// The file that holds its bytes, at most 64 MiB.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Media time at which it starts, in milliseconds.
    pub start_ms: u64,
    /// Media time it lasts, in milliseconds.
    pub duration_ms: u64,
    /// What its bytes are made of, in their order.
    pub fragments: Vec<Fragment>,
}

impl PackagedCell {
    /// Reads the bytes of the cell into memory; take one cell at a time.
    pub async fn read(&self) -> Result<Vec<u8>, MediaError> {
        tokio::fs::read(&self.path).await.map_err(|source| MediaError::folder(&self.path, source))
    }
}

impl Packaged {
    /// Makes the manifest, given the ids of the sealed cells in playing order, and of the parity cells of each stripe.
    pub fn manifest(
        &self,
        title: &str,
        creator: AccountAddress,
        sealed: &[CellId],
        parity: Vec<[CellId; STRIPE_PARITY]>,
    ) -> Result<Manifest, MediaError> {
        if sealed.len() != self.cells.len() {
            return Err(MediaError::CellCount { given: sealed.len(), wanted: self.cells.len() });
        }
        let entry = |(cell, id): (&PackagedCell, &CellId)| CellEntry {
            id: *id,
            size: cell.size,
            start_ms: cell.start_ms,
            duration_ms: cell.duration_ms,
            fragments: cell.fragments.clone(),
        };
        let manifest = Manifest {
            title: one_line(title),
            creator,
            play_time_ms: self.play_time_ms,
            tracks: self.tracks.clone(),
            cells: self.cells.iter().zip(sealed).map(entry).collect(),
            parity,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// Where the cells lie until this is dropped.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// A title fit for a list: no control characters, no runs of spaces, within the manifest's limit, never empty.
pub(crate) fn one_line(title: &str) -> String {
    let spaced: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line: String = spaced.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_CHARS_MAX).collect();
    if line.is_empty() { "Untitled".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_short_line() {
        assert_eq!(one_line("  A\tfilm\nof\u{7f} 영화 "), "A film of 영화");
        assert_eq!(one_line("\n"), "Untitled");
        assert_eq!(one_line(&"é".repeat(500)).chars().count(), TITLE_CHARS_MAX);
    }
}
