//! Cuts the converted tracks into cell files.
//!
//! For each picture fragment the sound that ends within its time goes before it, so the frame of sound that is heard while
//! a border passes belongs to the later cell: whoever starts there hears it.
//!
//! ```text
//!   pictures   ...|K - - - - - - -|K - - - -          border between two cells at the second K
//!   sound      | a | a | a | a | a | a | a |
//!                            cell n <-|-> cell n+1
//! ```

use crate::border::cells;
use crate::convert::{AUDIO_FILE, VIDEO_FILE};
use crate::error::MediaError;
use crate::fragment::{head, track};
use crate::packaged::{Packaged, PackagedCell, one_line};
use crate::plan::{AudioPlan, Plan};
use crate::timeline::{Pictures, Sound, counted, ms};
use crate::track::{Sample, TrackFile};
use chainflix_primitives::manifest::FRAGMENTS_MAX;
use chainflix_primitives::{CELL_BYTES_MAX, Fragment};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Index of the pictures in the manifest's tracks.
const VIDEO: u8 = 0;
/// Index of the sound in the manifest's tracks.
const AUDIO: u8 = 1;

/// Cuts what [`crate::convert`] left in `folder`.
pub(crate) fn cut(folder: TempDir, title: String, plan: Plan, cell_ms: u64) -> Result<Packaged, MediaError> {
    let pictures = Pictures::open(&folder.path().join(VIDEO_FILE))?;
    let audio = folder.path().join(AUDIO_FILE);
    let mut sound = if audio.exists() { Sound::open(&audio, &pictures)? } else { None };
    let mut tracks = vec![track(&pictures.file.moov, pictures.skipped())?];
    if let Some(sound) = &sound {
        if plan.audio == Some(AudioPlan::Copy) {
            sound.refuse_holes(&pictures)?;
        }
        tracks.push(track(&sound.file.moov, sound.skipped())?);
    }
    let play_time_ms = ms(pictures.end, pictures.file.timescale);
    let candidates = pictures.candidates()?;
    let ranges = cells(&candidates, play_time_ms, cell_ms)?;
    let mut packaged = Vec::with_capacity(ranges.len());
    for (index, range) in ranges.into_iter().enumerate() {
        let start_ms = candidates[range.start].start_ms;
        let end_ms = candidates.get(range.end).map_or(play_time_ms, |next| next.start_ms);
        let mut cell = CellFile::create(folder.path(), index)?;
        cell.fill(range, &pictures, sound.as_mut())?;
        packaged.push(cell.finish(start_ms, end_ms - start_ms)?);
    }
    for used in [VIDEO_FILE, AUDIO_FILE].map(|name| folder.path().join(name)) {
        if used.exists() {
            std::fs::remove_file(&used).map_err(|source| MediaError::folder(&used, source))?;
        }
    }
    Ok(Packaged { title: one_line(&title), play_time_ms, tracks, cells: packaged, plan, folder })
}

/// A cell being written.
struct CellFile {
    index: usize,
    path: PathBuf,
    writer: BufWriter<File>,
    size: u64,
    fragments: Vec<Fragment>,
}

impl CellFile {
    fn create(folder: &Path, index: usize) -> Result<Self, MediaError> {
        let path = folder.join(format!("cell-{index:04}"));
        let file = File::create_new(&path).map_err(|source| MediaError::folder(&path, source))?;
        Ok(Self { index, path, writer: BufWriter::with_capacity(256 << 10, file), size: 0, fragments: Vec::new() })
    }

    fn fill(
        &mut self,
        range: Range<usize>,
        pictures: &Pictures,
        mut sound: Option<&mut Sound>,
    ) -> Result<(), MediaError> {
        for index in range {
            if let Some(sound) = sound.as_deref_mut() {
                let last = index + 1 == pictures.file.fragments.len();
                let until = (!last).then(|| (pictures.start(index + 1), pictures.file.timescale));
                self.add_sound(sound, until)?;
            }
            self.add_pictures(pictures, index)?;
        }
        Ok(())
    }

    fn add_pictures(&mut self, pictures: &Pictures, index: usize) -> Result<(), MediaError> {
        let fragment = &pictures.file.fragments[index];
        let head = head(number(index), pictures.decode_time(index)?, &fragment.samples)?;
        let start_ms = ms(pictures.start(index), pictures.file.timescale);
        self.add(VIDEO, start_ms, &head, &pictures.file, &[(fragment.offset, fragment.size())])
    }

    fn add_sound(&mut self, sound: &mut Sound, until: Option<(i64, u32)>) -> Result<(), MediaError> {
        let taken = sound.take(until);
        let frames = &sound.frames[taken];
        let Some(first) = frames.first() else { return Ok(()) };
        let start_ms = ms(first.start, sound.file.timescale);
        let samples: Vec<Sample> = frames.iter().map(|frame| Sample { composition: 0, ..frame.sample }).collect();
        let decode_time = counted(first.start, sound.skipped())?;
        let head = head(number(sound.fragments as usize), decode_time, &samples)?;
        sound.fragments += 1;
        let pieces: Vec<(u64, u64)> = frames.iter().map(|frame| (frame.offset, frame.sample.size.into())).collect();
        self.add(AUDIO, start_ms, &head, &sound.file, &pieces)
    }

    /// Appends a fragment: its head, then pieces of the source given by offset and length.
    fn add(
        &mut self,
        track: u8,
        start_ms: u64,
        head: &[u8],
        source: &TrackFile,
        pieces: &[(u64, u64)],
    ) -> Result<(), MediaError> {
        let size = head.len() as u64 + pieces.iter().map(|(_, length)| length).sum::<u64>();
        self.size += size;
        self.within("bytes", self.size, CELL_BYTES_MAX)?;
        // Below the limit of a cell, hence of 32 bits.
        self.fragments.push(Fragment { track, size: size as u32, start_ms });
        self.within("fragments", self.fragments.len() as u64, FRAGMENTS_MAX as u64)?;
        let failed = |source| MediaError::folder(&self.path, source);
        self.writer.write_all(head).map_err(failed)?;
        let mut bytes = Vec::new();
        for (offset, length) in pieces {
            bytes.resize(*length as usize, 0);
            source.read_at(*offset, &mut bytes).map_err(failed)?;
            self.writer.write_all(&bytes).map_err(failed)?;
        }
        Ok(())
    }

    fn within(&self, what: &'static str, value: u64, most: u64) -> Result<(), MediaError> {
        if value <= most { Ok(()) } else { Err(MediaError::CellTooLarge { index: self.index, what, value, most }) }
    }

    fn finish(mut self, start_ms: u64, duration_ms: u64) -> Result<PackagedCell, MediaError> {
        self.writer.flush().map_err(|source| MediaError::folder(&self.path, source))?;
        Ok(PackagedCell { path: self.path, size: self.size, start_ms, duration_ms, fragments: self.fragments })
    }
}

/// Sequence numbers start at one and only have to rise (ISO/IEC 14496-12, 8.8.5).
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX - 1) + 1
}
