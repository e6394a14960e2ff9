//! The converted tracks in the film's own time: its zero is the first picture.
//!
//! Boxes count decoding time from zero upwards, so a track whose decoding begins earlier is written later by what it
//! *skips*, and its edit list takes that off again. This is what ffmpeg writes too, and what Chromium, Firefox and
//! ffmpeg read alike; negative composition offsets, the other way, shift the pictures when ffmpeg reads them.

use crate::border::Candidate;
use crate::convert::VIDEO_FILE;
use crate::error::MediaError;
use crate::plan::SOUND_HOLE_MS_MAX;
use crate::track::{Sample, TrackFile};
use std::ops::Range;
use std::path::Path;

/// Units of a track as milliseconds.
///
/// Rounded up, so that the picture at a start is already in the cell, or fragment, that starts then.
pub(crate) fn ms(units: i64, timescale: u32) -> u64 {
    let units = u128::from(units.max(0).unsigned_abs());
    u64::try_from((units * 1000).div_ceil(timescale.into())).unwrap_or(u64::MAX)
}

/// A decoding time as boxes count it, in units of a track that skips `skipped`.
pub(crate) fn counted(decode_time: i64, skipped: u64) -> Result<u64, MediaError> {
    let counted = decode_time.checked_add_unsigned(skipped).and_then(|time| u64::try_from(time).ok());
    counted.ok_or(MediaError::Layout { what: "a sample out of time" })
}

/// The picture track, its times counted from the first picture.
pub(crate) struct Pictures {
    pub(crate) file: TrackFile,
    /// Show time of the first picture as ffmpeg wrote it.
    pub(crate) zero: i64,
    /// When the last picture has been shown.
    pub(crate) end: i64,
}

impl Pictures {
    pub(crate) fn open(path: &Path) -> Result<Self, MediaError> {
        let file = TrackFile::open(path)?;
        let first = file.fragments.first().ok_or(MediaError::TooShort { play_time_ms: 0 })?;
        let zero = first.show_time();
        // No picture outlasts those of the last fragment by more than a reordering, and none is shown after them.
        let end = file.fragments.last().map_or(zero, |last| {
            let mut decode_time = last.decode_time;
            let ends = last.samples.iter().map(|sample| {
                let shown = decode_time + i64::from(sample.composition);
                decode_time += i64::from(sample.duration);
                shown + i64::from(sample.duration)
            });
            ends.max().unwrap_or(zero)
        });
        Ok(Self { file, zero, end: end - zero })
    }

    /// When the first picture of a fragment is shown; the end of the film after the last fragment.
    pub(crate) fn start(&self, index: usize) -> i64 {
        self.file.fragments.get(index).map_or(self.end, |fragment| fragment.show_time() - self.zero)
    }

    /// How long before the film's zero decoding begins, in units of the track.
    pub(crate) fn skipped(&self) -> u64 {
        let first = self.file.fragments.first().map_or(self.zero, |first| first.decode_time);
        u64::try_from(self.zero - first).unwrap_or(0)
    }

    /// Decoding time of a fragment as boxes count it.
    pub(crate) fn decode_time(&self, index: usize) -> Result<u64, MediaError> {
        counted(self.file.fragments[index].decode_time - self.zero, self.skipped())
    }

    /// Where cells could begin.
    pub(crate) fn candidates(&self) -> Result<Vec<Candidate>, MediaError> {
        let mut candidates: Vec<Candidate> = Vec::with_capacity(self.file.fragments.len());
        for (index, fragment) in self.file.fragments.iter().enumerate() {
            let start_ms = ms(self.start(index), self.file.timescale);
            let standalone = self.file.is_standalone(fragment);
            let standalone = standalone.map_err(|source| MediaError::folder(Path::new(VIDEO_FILE), source))?;
            let after_the_last = candidates.last().is_none_or(|last| last.start_ms < start_ms);
            if !after_the_last || self.start(index) >= self.end {
                return Err(MediaError::Layout { what: "pictures out of order" });
            }
            candidates.push(Candidate { start_ms, standalone });
        }
        Ok(candidates)
    }
}

/// The sound track as single frames, their times counted from the first picture.
pub(crate) struct Sound {
    pub(crate) file: TrackFile,
    pub(crate) frames: Vec<Frame>,
    /// How many have been written.
    written: usize,
    /// Fragments written.
    pub(crate) fragments: u32,
}

/// The shortest piece sound can be cut into: 1024 samples of AAC.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// Negative before the first picture.
    pub(crate) start: i64,
    pub(crate) sample: Sample,
    pub(crate) offset: u64,
}

impl Frame {
    fn end(&self) -> i64 {
        self.start + i64::from(self.sample.duration)
    }
}

impl Sound {
    /// None when the track turns out to have nothing to hear while there is something to see.
    pub(crate) fn open(path: &Path, pictures: &Pictures) -> Result<Option<Self>, MediaError> {
        let file = TrackFile::open(path)?;
        let zero = rescale(pictures.zero, pictures.file.timescale, file.timescale);
        let end = rescale(pictures.end, pictures.file.timescale, file.timescale);
        let mut frames = frames(&file, zero);
        frames.retain(|frame| frame.start < end);
        // A decoder needs the frame before the first that is heard; anything earlier is of no use.
        let heard = frames.iter().position(|frame| frame.end() > 0);
        let Some(heard) = heard else { return Ok(None) };
        frames.drain(..heard.saturating_sub(1));
        Ok(Some(Self { file, frames, written: 0, fragments: 0 }))
    }

    /// Time before the first picture, in units of the track.
    pub(crate) fn skipped(&self) -> u64 {
        let first = self.frames.first().map_or(0, |frame| frame.start);
        first.min(0).unsigned_abs()
    }

    /// Looks for places where there is something to see and nothing to hear. ffmpeg encodes such a hole as a frame that
    /// lasts longer than it sounds.
    pub(crate) fn refuse_holes(&self, pictures: &Pictures) -> Result<(), MediaError> {
        let timescale = self.file.timescale;
        let (Some(first), Some(last)) = (self.frames.first(), self.frames.last()) else { return Ok(()) };
        let end = rescale(pictures.end, pictures.file.timescale, timescale);
        let inside = self.frames.iter().map(|frame| (frame.start, i64::from(frame.sample.duration)));
        let holes = inside.chain([(0, first.start), (last.end(), end - last.end())]);
        let worst =
            holes.max_by_key(|(_, length)| *length).map(|(at, length)| (ms(at, timescale), ms(length, timescale)));
        match worst {
            Some((at_ms, hole_ms)) if hole_ms > SOUND_HOLE_MS_MAX => Err(MediaError::SoundHole { at_ms, hole_ms }),
            _ => Ok(()),
        }
    }

    /// The next frames that have ended at `until`, a time of `timescale`; none means all the rest.
    pub(crate) fn take(&mut self, until: Option<(i64, u32)>) -> Range<usize> {
        let from = self.written;
        let within = |frame: &Frame| {
            until.is_none_or(|(until, timescale)| {
                i128::from(frame.end()) * i128::from(timescale) <= i128::from(until) * i128::from(self.file.timescale)
            })
        };
        self.written += self.frames[from..].iter().take_while(|frame| within(frame)).count();
        from..self.written
    }
}

/// `units` of one time scale in another, to the nearest.
fn rescale(units: i64, from: u32, to: u32) -> i64 {
    let (product, from) = (i128::from(units) * i128::from(to), i128::from(from));
    // A film's time in any 32-bit scale is far inside of 64 bits.
    i64::try_from((product + from / 2).div_euclid(from)).unwrap_or(i64::MAX)
}

fn frames(file: &TrackFile, zero: i64) -> Vec<Frame> {
    let mut frames = Vec::new();
    for fragment in &file.fragments {
        let (mut start, mut offset) = (fragment.show_time() - zero, fragment.offset);
        for sample in &fragment.samples {
            frames.push(Frame { start, sample: *sample, offset });
            start += i64::from(sample.duration);
            offset += u64::from(sample.size);
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_rounded_into_the_cell() {
        assert_eq!(ms(1001, 30_000), 34);
        assert_eq!(ms(90_000, 90_000), 1_000);
        assert_eq!(ms(-5, 48_000), 0);
        assert_eq!(ms(i64::MAX, 1), u64::MAX);
    }

    #[test]
    fn scales_meet_at_the_nearest_unit() {
        assert_eq!(rescale(12_800, 12_800, 48_000), 48_000);
        assert_eq!(rescale(1, 3, 2), 1);
        assert_eq!(rescale(-1, 3, 2), -1);
        assert_eq!(rescale(i64::MAX, 1, u32::MAX), i64::MAX);
    }
}
