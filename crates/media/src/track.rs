//! Reads the index of a fragmented MP4 of one track: what each sample is and where its bytes lie.
//!
//! Media bytes are skipped; an hour of film is a few MiB of index. The file was written by ffmpeg from a stranger's
//! input, so every size is checked before it is believed.

use crate::error::MediaError;
use mp4_atom::{Atom, FourCC, Header, Moof, Moov, ReadAtom, ReadFrom, Traf, Trex, Trun};
use std::fs::File;
use std::io::{BufReader, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Largest `moov` or `moof` that is read, in bytes.
const BOX_BYTES_MAX: usize = 16 << 20;
/// Most samples of one fragment: an hour of sound.
const SAMPLES_MAX: usize = 1 << 18;
/// Bytes at the start of a picture that are searched for its kind; parameter sets and messages come before it.
const PICTURE_HEAD_BYTES: usize = 4 << 10;

/// One track of a fragmented MP4.
pub(crate) struct TrackFile {
    pub moov: Moov,
    /// Units of time per second.
    pub timescale: u32,
    pub fragments: Vec<SourceFragment>,
    file: File,
}

/// One fragment as ffmpeg wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceFragment {
    /// Decoding time of the first sample, in units of the track.
    pub decode_time: i64,
    /// Where its media bytes begin; samples follow each other without gaps.
    pub offset: u64,
    pub samples: Vec<Sample>,
}

/// One picture, or one frame of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// In units of the track.
    pub duration: u32,
    /// Bytes.
    pub size: u32,
    /// As in ISO/IEC 14496-12, 8.8.3.1.
    pub flags: u32,
    /// From decoding to showing, in units of the track.
    pub composition: i32,
}

impl SourceFragment {
    /// When its first sample is shown, in units of the track.
    pub(crate) fn show_time(&self) -> i64 {
        self.decode_time + self.samples.first().map_or(0, |first| i64::from(first.composition))
    }

    /// Media bytes.
    pub(crate) fn size(&self) -> u64 {
        self.samples.iter().map(|sample| u64::from(sample.size)).sum()
    }
}

impl TrackFile {
    /// Reads the index of the file at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, MediaError> {
        let folder = |source| MediaError::folder(path, source);
        let mut reader = BufReader::with_capacity(64 << 10, File::open(path).map_err(folder)?);
        let file = File::open(path).map_err(folder)?;
        let mut moov: Option<Moov> = None;
        let mut fragments = Vec::new();
        loop {
            let at = reader.stream_position().map_err(folder)?;
            let Some(header) = <Option<Header> as ReadFrom>::read_from(&mut reader)? else { break };
            let body = header.size.ok_or(MediaError::Layout { what: "a box without a size" })?;
            if header.kind == Moov::KIND {
                moov = Some(Moov::read_atom(&bounded(header)?, &mut reader)?);
            } else if header.kind == Moof::KIND {
                let trex = default_values(moov.as_ref())?;
                fragments.push(read_fragment(&Moof::read_atom(&bounded(header)?, &mut reader)?, at, trex)?);
            } else {
                let body = i64::try_from(body).map_err(|_| MediaError::Layout { what: "a box beyond the file" })?;
                reader.seek_relative(body).map_err(folder)?;
            }
        }
        let moov = moov.ok_or(MediaError::Layout { what: "no movie header" })?;
        let track = moov.trak.first().ok_or(MediaError::Layout { what: "no track" })?;
        let timescale = track.mdia.mdhd.timescale;
        if timescale == 0 {
            return Err(MediaError::Layout { what: "a track without a time scale" });
        }
        fragments.retain(|fragment| !fragment.samples.is_empty());
        let length = file.metadata().map_err(folder)?.len();
        // No sample may claim bytes that are not there: buffers are made by these sizes.
        if fragments.iter().any(|fragment| fragment.offset.saturating_add(fragment.size()) > length) {
            return Err(MediaError::Layout { what: "a sample beyond the file" });
        }
        Ok(Self { moov, timescale, fragments, file })
    }

    /// Whether a fragment begins with a picture that decodes by itself: its first slice is of an IDR picture
    /// (ITU-T H.264, 7.4.1.2.4). Containers also call recovery points key frames, which need what was before them.
    pub(crate) fn is_standalone(&self, fragment: &SourceFragment) -> std::io::Result<bool> {
        let size = fragment.samples.first().map_or(0, |first| first.size);
        let mut head = vec![0; (size as usize).min(PICTURE_HEAD_BYTES)];
        self.read_at(fragment.offset, &mut head)?;
        Ok(begins_with_idr(&head, size))
    }

    /// Fills `bytes` from the file.
    pub(crate) fn read_at(&self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }
}

fn bounded(header: Header) -> Result<Header, MediaError> {
    match header.size {
        Some(size) if size <= BOX_BYTES_MAX => Ok(header),
        _ => Err(MediaError::Layout { what: "a header box of more than 16 MiB" }),
    }
}

fn default_values(moov: Option<&Moov>) -> Result<&Trex, MediaError> {
    let extends = moov.and_then(|moov| moov.mvex.as_ref());
    extends.and_then(|mvex| mvex.trex.first()).ok_or(MediaError::Layout { what: "a fragment before its movie header" })
}

fn read_fragment(moof: &Moof, at: u64, trex: &Trex) -> Result<SourceFragment, MediaError> {
    let [traf] = moof.traf.as_slice() else {
        return Err(MediaError::Layout { what: "a fragment of not one track" });
    };
    let decode_time = traf.tfdt.as_ref().ok_or(MediaError::Layout { what: "a fragment without a time" })?;
    let decode_time = i64::try_from(decode_time.base_media_decode_time)
        .map_err(|_| MediaError::Layout { what: "a fragment out of time" })?;
    let mut fragment = SourceFragment { decode_time, offset: 0, samples: Vec::new() };
    for run in &traf.trun {
        let offset = run.data_offset.and_then(|offset| at.checked_add_signed(offset.into()));
        let offset = offset.ok_or(MediaError::Layout { what: "samples without a place" })?;
        if fragment.samples.is_empty() {
            fragment.offset = offset;
        } else if fragment.offset + fragment.size() != offset {
            return Err(MediaError::Layout { what: "samples with gaps between them" });
        }
        read_samples(run, traf, trex, &mut fragment.samples)?;
    }
    Ok(fragment)
}

fn read_samples(run: &Trun, traf: &Traf, trex: &Trex, samples: &mut Vec<Sample>) -> Result<(), MediaError> {
    if samples.len().saturating_add(run.samples.len()) > SAMPLES_MAX {
        return Err(MediaError::Layout { what: "too many samples in a fragment" });
    }
    let header = &traf.tfhd;
    for entry in run.samples.iter() {
        let composition = i32::try_from(entry.cts.unwrap_or(0));
        samples.push(Sample {
            duration: entry.duration.or(header.default_sample_duration).unwrap_or(trex.default_sample_duration),
            size: entry.size.or(header.default_sample_size).unwrap_or(trex.default_sample_size),
            flags: entry.flags.or(header.default_sample_flags).unwrap_or(trex.default_sample_flags),
            composition: composition.map_err(|_| MediaError::Layout { what: "a sample shown out of time" })?,
        });
    }
    Ok(())
}

/// Walks the length-prefixed units at the start of a picture of `size` bytes to its first slice.
///
/// ffmpeg always writes length prefixes of four bytes.
fn begins_with_idr(mut head: &[u8], size: u32) -> bool {
    const SLICE: u8 = 1;
    const IDR_SLICE: u8 = 5;
    let mut left = u64::from(size);
    while let [a, b, c, d, kind, ..] = *head {
        let unit = u64::from(u32::from_be_bytes([a, b, c, d])) + 4;
        match kind & 0x1f {
            IDR_SLICE => return true,
            SLICE..IDR_SLICE => return false,
            _ if unit > left => return false,
            _ => {
                left -= unit;
                head = usize::try_from(unit).ok().and_then(|unit| head.get(unit..)).unwrap_or_default();
            }
        }
    }
    false
}

/// The four letters of the box that holds media bytes.
pub(crate) const MDAT: FourCC = FourCC::new(b"mdat");

#[cfg(test)]
mod tests {
    use super::*;
    use mp4_atom::{Tfdt, Tfhd, TrunEntry};

    fn unit(kind: u8, length: u32) -> Vec<u8> {
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.push(kind);
        bytes.resize(4 + length as usize, 0);
        bytes
    }

    #[test]
    fn only_idr_pictures_stand_alone() {
        let idr = [unit(0x09, 2), unit(0x06, 40), unit(0x65, 10)].concat();
        assert!(begins_with_idr(&idr, idr.len() as u32));
        let recovery_point = [unit(0x09, 2), unit(0x06, 40), unit(0x41, 10)].concat();
        assert!(!begins_with_idr(&recovery_point, recovery_point.len() as u32));
        // A unit that claims more than the picture has, and no unit at all.
        assert!(!begins_with_idr(&unit(0x06, 40)[..10], 10));
        assert!(!begins_with_idr(&[], 0));
    }

    fn fragment(run: Trun) -> Result<SourceFragment, MediaError> {
        let traf = Traf {
            tfhd: Tfhd { track_id: 1, default_sample_duration: Some(512), ..Default::default() },
            tfdt: Some(Tfdt { base_media_decode_time: 7 }),
            trun: vec![run],
            ..Default::default()
        };
        let trex = Trex { default_sample_flags: 0x10000, ..Default::default() };
        read_fragment(&Moof { mfhd: Default::default(), traf: vec![traf] }, 100, &trex)
    }

    #[test]
    fn defaults_fill_what_a_sample_leaves_out() {
        let entry = TrunEntry { duration: None, size: Some(9), flags: None, cts: Some(-3) };
        let read = fragment(Trun { data_offset: Some(50), samples: vec![entry].into() }).unwrap();
        let sample = Sample { duration: 512, size: 9, flags: 0x10000, composition: -3 };
        assert_eq!(read, SourceFragment { decode_time: 7, offset: 150, samples: vec![sample] });
        assert_eq!(read.show_time(), 4);
    }

    #[test]
    fn a_count_allocates_nothing_by_itself() {
        let samples = mp4_atom::TrunSamples::Inherited { count: u32::MAX, first_flags: None };
        assert!(matches!(fragment(Trun { data_offset: Some(0), samples }), Err(MediaError::Layout { .. })));
    }
}
