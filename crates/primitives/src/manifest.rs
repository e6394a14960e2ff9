//! The manifest: everything a player, a validator and a provider must know of a video before its first byte.
//!
//! The canonical form is its Borsh encoding, and the BLAKE3 hash of that is the video's [`Magnet`]. A manifest that came
//! from a stranger is believed only after [`Manifest::decode`] checked it: sizes, order and offsets hold, so that no
//! later code has to doubt them.

use crate::{
    AccountAddress, CELL_BYTES_MAX, CHUNK_BYTES, CellId, Magnet,
    stripe::{STRIPE_CELLS, STRIPE_PARITY, Stripe},
};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Largest canonical manifest, in bytes: a day of video.
pub const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// Most cells of one video: 24 hours of minutes.
pub const CELLS_MAX: usize = 1440;
/// Most characters of a title.
pub const TITLE_CHARS_MAX: usize = 200;
/// Most tracks of one rendition.
pub const TRACKS_MAX: usize = 4;
/// Most fragments of one cell: ten a second over all tracks.
pub const FRAGMENTS_MAX: usize = 600;
/// Largest initialisation segment of a track, in bytes.
pub const INIT_BYTES_MAX: usize = 64 << 10;

/// The video information (protocol page, "Objects").
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// What people call it.
    pub title: String,
    /// Who published it and is paid for it.
    pub creator: AccountAddress,
    /// Length of the whole video, in milliseconds of media time.
    pub play_time_ms: u64,
    /// The tracks of the one rendition, in the order fragments refer to them.
    pub tracks: Vec<Track>,
    /// The cells, in playing order.
    pub cells: Vec<CellEntry>,
    /// The parity cells of each stripe of [`Self::stripes`]; none at all where the creator made none, and the film is
    /// always kept as copies.
    pub parity: Vec<[CellId; STRIPE_PARITY]>,
}

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[borsh(use_discriminant = false)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// One elementary stream of the rendition; fed to a source buffer of its own, so that it can be replaced alone.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Track {
    /// Pictures or sound.
    pub kind: TrackKind,
    /// Media type with codec, as Media Source Extensions want it: `video/mp4; codecs="avc1.64001E"`.
    pub media_type: String,
    /// Picture width in pixels; 0 for sound.
    pub width: u32,
    /// Picture height in pixels; 0 for sound.
    pub height: u32,
    /// The CMAF initialisation segment. Not secret: it holds parameters only.
    #[serde(with = "crate::hex_text::bytes")]
    pub init: Vec<u8>,
}

/// One VideoCell as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellEntry {
    /// VideoCell ID: the BLAKE3 root of the sealed bytes.
    pub id: CellId,
    /// Bytes, sealed and unsealed alike.
    pub size: u64,
    /// Media time at which the cell starts, in milliseconds.
    pub start_ms: u64,
    /// Media time it lasts, in milliseconds.
    pub duration_ms: u64,
    /// Whole CMAF fragments (`moof` + `mdat`) in the order of their bytes; they fill the cell.
    pub fragments: Vec<Fragment>,
}

/// One fragment inside a cell; it starts where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fragment {
    /// Index into [`Manifest::tracks`].
    pub track: u8,
    /// Bytes.
    pub size: u32,
    /// Media time at which it starts, in milliseconds from the start of the video.
    pub start_ms: u64,
}

/// Why bytes are not a manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// More bytes than any honest manifest has.
    #[error("the manifest has {bytes} bytes; the most is {MANIFEST_BYTES_MAX}")]
    TooLarge { bytes: usize },
    /// Not the encoding.
    #[error("the manifest cannot be read")]
    Encoding(#[source] std::io::Error),
    /// Right bytes of another video.
    #[error("the manifest is of {actual}, not of {expected}")]
    OtherVideo { expected: Magnet, actual: Magnet },
    /// A count or length is outside its limits.
    #[error("the manifest's {what} is {value}; allowed are {least} to {most}")]
    OutOfRange { what: &'static str, value: u64, least: u64, most: u64 },
    /// A cell does not start where the one before it ends.
    #[error("cell {index} starts at {start_ms} ms instead of {expected_ms} ms")]
    Gap { index: usize, start_ms: u64, expected_ms: u64 },
    /// The fragments of a cell do not fill it, or name a track that is not there.
    #[error("the fragments of cell {index} do not fill its {size} bytes, or name an unknown track")]
    Fragments { index: usize, size: u64 },
    /// The cells are not as long together as the video says it is.
    #[error("the cells last {cells_ms} ms together, the video says {play_time_ms} ms")]
    PlayTime { cells_ms: u64, play_time_ms: u64 },
    /// Parity is listed for all stripes or for none.
    #[error("the manifest lists parity for {listed} of {stripes} stripes; allowed are all or none")]
    Parity { listed: usize, stripes: usize },
}

impl Manifest {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into a vector cannot fail.
        borsh::to_vec(self).expect("encoding into memory does not fail")
    }

    /// The name of this video.
    pub fn magnet(&self) -> Magnet {
        Magnet(blake3::hash(&self.encode()).into())
    }

    /// Reads and checks canonical bytes that are said to be the manifest of `expected`.
    pub fn decode(bytes: &[u8], expected: &Magnet) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        let actual = Magnet(blake3::hash(bytes).into());
        if actual != *expected {
            return Err(ManifestError::OtherVideo { expected: *expected, actual });
        }
        let manifest: Self = borsh::from_slice(bytes).map_err(ManifestError::Encoding)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks every limit and order that readers of a manifest rely on.
    pub fn check(&self) -> Result<(), ManifestError> {
        within("title length", self.title.chars().count() as u64, 1, TITLE_CHARS_MAX as u64)?;
        within("number of tracks", self.tracks.len() as u64, 1, TRACKS_MAX as u64)?;
        within("number of cells", self.cells.len() as u64, 1, CELLS_MAX as u64)?;
        for track in &self.tracks {
            within("media type length", track.media_type.len() as u64, 1, 100)?;
            within("initialisation segment", track.init.len() as u64, 1, INIT_BYTES_MAX as u64)?;
        }
        let mut at_ms = 0u64;
        for (index, cell) in self.cells.iter().enumerate() {
            if cell.start_ms != at_ms {
                return Err(ManifestError::Gap { index, start_ms: cell.start_ms, expected_ms: at_ms });
            }
            cell.check(index, self.tracks.len())?;
            at_ms += cell.duration_ms;
        }
        if at_ms != self.play_time_ms {
            return Err(ManifestError::PlayTime { cells_ms: at_ms, play_time_ms: self.play_time_ms });
        }
        let (listed, stripes) = (self.parity.len(), self.cells.len() / STRIPE_CELLS);
        if listed != 0 && listed != stripes {
            return Err(ManifestError::Parity { listed, stripes });
        }
        Ok(())
    }

    /// The stripes that its cells form, with or without parity.
    pub fn stripes(&self) -> Vec<Stripe> {
        Stripe::of(&self.cells.iter().map(|cell| cell.size).collect::<Vec<u64>>())
    }

    /// The cell that holds media time `at_ms`; the last one for any later time.
    pub fn cell_at(&self, at_ms: u64) -> u32 {
        let after = self.cells.partition_point(|cell| cell.start_ms <= at_ms);
        // At most CELLS_MAX cells.
        after.saturating_sub(1) as u32
    }
}

impl CellEntry {
    /// Number of 16 KiB chunk groups, the last one possibly shorter.
    pub fn chunks(&self) -> u32 {
        // CELL_BYTES_MAX bounds the size, so the count fits.
        self.size.div_ceil(CHUNK_BYTES) as u32
    }

    fn check(&self, index: usize, tracks: usize) -> Result<(), ManifestError> {
        within("cell size", self.size, 1, CELL_BYTES_MAX)?;
        within("cell duration", self.duration_ms, 1, 3_600_000)?;
        within("number of fragments", self.fragments.len() as u64, 1, FRAGMENTS_MAX as u64)?;
        let filled: u64 = self.fragments.iter().map(|fragment| u64::from(fragment.size)).sum();
        let known = self.fragments.iter().all(|fragment| usize::from(fragment.track) < tracks);
        if filled != self.size || !known {
            return Err(ManifestError::Fragments { index, size: self.size });
        }
        Ok(())
    }
}

fn within(what: &'static str, value: u64, least: u64, most: u64) -> Result<(), ManifestError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(ManifestError::OutOfRange { what, value, least, most }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let cell = |start_ms, duration_ms| CellEntry {
            id: CellId([1; 32]),
            size: 30,
            start_ms,
            duration_ms,
            fragments: vec![Fragment { track: 0, size: 20, start_ms }, Fragment { track: 1, size: 10, start_ms }],
        };
        let track =
            |kind, media_type: &str| Track { kind, media_type: media_type.into(), width: 0, height: 0, init: vec![1] };
        Manifest {
            title: "영화".into(),
            creator: AccountAddress([2; 20]),
            play_time_ms: 90_000,
            tracks: vec![track(TrackKind::Video, "video/mp4"), track(TrackKind::Audio, "audio/mp4")],
            cells: vec![cell(0, 60_000), cell(60_000, 30_000)],
            parity: Vec::new(),
        }
    }

    #[test]
    fn canonical_bytes_come_back_and_name_the_video() {
        let manifest = manifest();
        assert_eq!(Manifest::decode(&manifest.encode(), &manifest.magnet()).unwrap(), manifest);
        assert_eq!(manifest.cell_at(59_999), 0);
        assert_eq!(manifest.cell_at(60_000), 1);
        assert_eq!(manifest.cell_at(u64::MAX), 1);
    }

    #[test]
    fn a_changed_byte_is_another_video() {
        let manifest = manifest();
        let mut bytes = manifest.encode();
        bytes[5] ^= 1;
        assert!(matches!(Manifest::decode(&bytes, &manifest.magnet()), Err(ManifestError::OtherVideo { .. })));
    }

    #[test]
    fn a_manifest_that_lies_is_refused() {
        let refused = |change: fn(&mut Manifest)| {
            let mut manifest = manifest();
            change(&mut manifest);
            Manifest::decode(&manifest.encode(), &manifest.magnet()).unwrap_err()
        };
        assert!(matches!(refused(|m| m.cells[1].start_ms += 1), ManifestError::Gap { index: 1, .. }));
        assert!(matches!(refused(|m| m.cells[0].size += 1), ManifestError::Fragments { index: 0, .. }));
        assert!(matches!(refused(|m| m.cells[0].fragments[0].track = 2), ManifestError::Fragments { .. }));
        assert!(matches!(refused(|m| m.play_time_ms += 1), ManifestError::PlayTime { .. }));
        assert!(matches!(refused(|m| m.title.clear()), ManifestError::OutOfRange { .. }));
        assert!(matches!(refused(|m| m.cells.clear()), ManifestError::OutOfRange { .. }));
        let parity = |m: &mut Manifest| m.parity.push([CellId([3; 32]); STRIPE_PARITY]);
        assert!(matches!(refused(parity), ManifestError::Parity { listed: 1, stripes: 0 }));
    }

    #[test]
    fn a_length_field_allocates_nothing_by_itself() {
        // A title that claims 4 GiB in a message of five bytes.
        let bytes = [0xff, 0xff, 0xff, 0xff, 0x41];
        let magnet = Magnet(blake3::hash(&bytes).into());
        assert!(matches!(Manifest::decode(&bytes, &magnet), Err(ManifestError::Encoding(_))));
    }
}
