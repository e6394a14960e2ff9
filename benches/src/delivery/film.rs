//! A film that was never shot: bytes from a seed, cut, sealed and listed as a creator's would be.

use crate::draw::Draw;
use anyhow::{Context as _, Result};
use chainflix_cell::{ChunkHashes, Keystream};
use chainflix_primitives::{
    AccountAddress, CellEntry, CellKey, Fragment, Magnet, Manifest, Track, TrackKind, VideoSecret,
};
use serde::{Deserialize, Serialize};

/// Length of a fragment, as our own cutting makes them.
const FRAGMENT_MS: u64 = 2_000;

/// How large a film is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Shape {
    pub cells: u32,
    pub cell_ms: u64,
    pub cell_bytes: u64,
}

impl Shape {
    /// A film of so many minutes at so many kbit a second.
    pub fn minutes(cells: u32, kbit_per_s: u64) -> Self {
        let cell_ms = 60_000;
        Self { cells, cell_ms, cell_bytes: kbit_per_s * cell_ms / 8 }
    }

    pub fn play_ms(&self) -> u64 {
        u64::from(self.cells) * self.cell_ms
    }

    pub fn bytes(&self) -> u64 {
        u64::from(self.cells) * self.cell_bytes
    }

    /// Bytes of all fragments but the last of a cell, which has the rest.
    pub fn fragment_bytes(&self) -> u64 {
        self.cell_bytes / (self.cell_ms / FRAGMENT_MS)
    }

    fn fragments(&self) -> Result<Vec<Fragment>> {
        let count = self.cell_ms / FRAGMENT_MS;
        let fragment = |number: u64| {
            let begun = number * self.fragment_bytes();
            let size = if number + 1 == count { self.cell_bytes - begun } else { self.fragment_bytes() };
            Ok(Fragment { track: 0, size: u32::try_from(size)?, start_ms: number * FRAGMENT_MS })
        };
        (0..count).map(fragment).collect()
    }
}

/// A film, and its sealed cells.
pub struct Film {
    pub manifest: Manifest,
    pub magnet: Magnet,
    /// As they lie on disks, in order.
    pub sealed: Vec<Vec<u8>>,
    video: VideoSecret,
}

impl Film {
    /// The film of this shape; the same one in every process.
    pub fn new(shape: &Shape) -> Result<Self> {
        let mut draw = Draw::new("delivery film");
        let video = VideoSecret::from_bytes(draw.bytes());
        let (mut cells, mut sealed) = (Vec::new(), Vec::new());
        for index in 0..shape.cells {
            let mut bytes = vec![0; usize::try_from(shape.cell_bytes)?];
            draw.fill(&mut bytes);
            Keystream::sealing(&video.cell_key(index)).apply(0, &mut bytes);
            let fragments = shape.fragments()?;
            let fragments = fragments.into_iter().map(|fragment| Fragment {
                start_ms: fragment.start_ms + u64::from(index) * shape.cell_ms,
                ..fragment
            });
            cells.push(CellEntry {
                id: ChunkHashes::of(&bytes).root(),
                size: shape.cell_bytes,
                start_ms: u64::from(index) * shape.cell_ms,
                duration_ms: shape.cell_ms,
                fragments: fragments.collect(),
            });
            sealed.push(bytes);
        }
        let track =
            Track { kind: TrackKind::Video, media_type: "video/mp4".into(), width: 2, height: 2, init: vec![0] };
        let manifest = Manifest {
            title: "A film of noise".into(),
            creator: AccountAddress([1; 20]),
            play_time_ms: shape.play_ms(),
            tracks: vec![track],
            cells,
            parity: Vec::new(),
        };
        Ok(Self { magnet: manifest.magnet(), manifest, sealed, video })
    }

    /// A cell as the manifest lists it.
    pub fn entry(&self, index: u32) -> Result<&CellEntry> {
        self.manifest.cells.get(index as usize).with_context(|| format!("the film has no cell {index}"))
    }

    /// What opens a cell.
    pub fn cell_key(&self, index: u32) -> CellKey {
        self.video.cell_key(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_is_one_that_a_viewer_takes() {
        let shape = Shape::minutes(2, 64);
        let film = Film::new(&shape).unwrap();
        assert_eq!(Manifest::decode(&film.manifest.encode(), &film.magnet).unwrap(), film.manifest);
        assert_eq!((shape.bytes(), shape.fragment_bytes()), (960_000, 16_000));
        assert_eq!(film.magnet, Film::new(&shape).unwrap().magnet);
        assert!(film.entry(1).is_ok() && film.entry(2).is_err());
    }
}
