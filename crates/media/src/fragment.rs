//! Bytes of our own fragments and initialisation segments.
//!
//! ffmpeg's fragments are written again, because three things must be ours: the time (shifted, see `convert`), the
//! borders of sound (ffmpeg cuts it without regard to cells), and no dependence on how one ffmpeg version lays out its
//! boxes. Media bytes are copied as they are.
//!
//! ```text
//!   moof: mfhd(number) traf: tfhd(defaults) tfdt(decoding time) trun(what differs)   mdat: samples
//! ```

use crate::error::MediaError;
use crate::track::{MDAT, Sample};
use chainflix_primitives::{Track, TrackKind};
use mp4_atom::{
    Codec, Edts, Elst, ElstEntry, Encode as _, FourCC, Ftyp, Mfhd, Moof, Moov, Tfdt, Tfhd, Traf, Trun, TrunEntry,
};

/// Bytes of the header of an `mdat` box: a fragment is far below 4 GiB.
const MDAT_HEADER_BYTES: usize = 8;
/// The only track of each file.
const TRACK_ID: u32 = 1;

/// Writes the boxes before the media bytes of a fragment.
///
/// `decode_time` is that of the first sample, in units of the track.
pub(crate) fn head(number: u32, decode_time: u64, samples: &[Sample]) -> Result<Vec<u8>, MediaError> {
    let media: u64 = samples.iter().map(|sample| u64::from(sample.size)).sum();
    let mdat = u32::try_from(media + MDAT_HEADER_BYTES as u64)
        .map_err(|_| MediaError::Layout { what: "a fragment of more than 4 GiB" })?;
    let mut moof = movie_fragment(number, decode_time, samples);
    // The offset of the media bytes has a fixed width: a first pass measures, the second one is right.
    let mut bytes = Vec::new();
    moof.encode(&mut bytes)?;
    let offset = i32::try_from(bytes.len() + MDAT_HEADER_BYTES)
        .map_err(|_| MediaError::Layout { what: "a fragment header of more than 2 GiB" })?;
    moof.traf[0].trun[0].data_offset = Some(offset);
    bytes.clear();
    moof.encode(&mut bytes)?;
    bytes.extend_from_slice(&mdat.to_be_bytes());
    bytes.extend_from_slice(&<[u8; 4]>::from(MDAT));
    Ok(bytes)
}

fn movie_fragment(number: u32, decode_time: u64, samples: &[Sample]) -> Moof {
    let common = |value: fn(&Sample) -> u32, of: &[Sample]| {
        let first = of.first().map(value);
        first.filter(|first| of.iter().all(|sample| value(sample) == *first))
    };
    let duration = common(|sample| sample.duration, samples);
    // Only the first picture of a fragment is a key frame, as a rule: its flags stand alone, the others' are common.
    let rest = samples.get(1..).filter(|rest| !rest.is_empty()).unwrap_or(samples);
    let flags = common(|sample| sample.flags, rest);
    let shown_as_decoded = samples.iter().all(|sample| sample.composition == 0);
    let entries: Vec<TrunEntry> = samples
        .iter()
        .enumerate()
        .map(|(index, sample)| TrunEntry {
            duration: duration.is_none().then_some(sample.duration),
            size: Some(sample.size),
            flags: (flags.is_none() || (index == 0 && flags != Some(sample.flags))).then_some(sample.flags),
            cts: (!shown_as_decoded).then_some(sample.composition.into()),
        })
        .collect();
    let tfhd = Tfhd {
        track_id: TRACK_ID,
        default_sample_duration: duration,
        default_sample_flags: flags,
        default_base_is_moof: true,
        ..Default::default()
    };
    // A placeholder, so that the first pass has the size of the second.
    let trun = Trun { data_offset: Some(0), samples: entries.into() };
    let tfdt = Some(Tfdt { base_media_decode_time: decode_time });
    Moof {
        mfhd: Mfhd { sequence_number: number },
        traf: vec![Traf { tfhd, tfdt, trun: vec![trun], ..Default::default() }],
    }
}

/// Makes the manifest's entry of a track from ffmpeg's movie header.
///
/// `skipped` is how much of the track's decoding lies before the film's zero, in units of the track: the reordering of
/// pictures, the priming of AAC. A player drops the sound before zero, and needs it to decode what comes first.
pub(crate) fn track(moov: &Moov, skipped: u64) -> Result<Track, MediaError> {
    let source = moov.trak.first().ok_or(MediaError::Layout { what: "no track" })?;
    let codec =
        source.mdia.minf.stbl.stsd.codecs.first().ok_or(MediaError::Layout { what: "a track without a codec" })?;
    let (kind, media_type, width, height) = describe(codec)?;
    let mut own = source.clone();
    own.tkhd.track_id = TRACK_ID;
    own.udta = None;
    own.edts = (skipped > 0).then(|| Edts {
        elst: Some(Elst {
            entries: vec![ElstEntry { segment_duration: 0, media_time: Some(skipped), media_rate: 1.into() }],
        }),
    });
    let mut movie = moov.clone();
    movie.trak = vec![own];
    // The muxer's signature says nothing about the film.
    movie.udta = None;
    movie.meta = None;
    let mut init = Vec::new();
    let brands = [b"iso6", b"cmfc", b"mp41"].map(FourCC::new).into();
    Ftyp { major_brand: FourCC::new(b"iso6"), minor_version: 0, compatible_brands: brands }.encode(&mut init)?;
    movie.encode(&mut init)?;
    Ok(Track { kind, media_type, width, height, init })
}

/// Kind, media type (RFC 6381) and picture size of a codec.
fn describe(codec: &Codec) -> Result<(TrackKind, String, u32, u32), MediaError> {
    match codec {
        Codec::Avc1(avc) => {
            let set = &avc.avcc;
            let (profile, constraints, level) =
                (set.avc_profile_indication, set.profile_compatibility, set.avc_level_indication);
            let media_type = format!(r#"video/mp4; codecs="avc1.{profile:02X}{constraints:02X}{level:02X}""#);
            Ok((TrackKind::Video, media_type, avc.visual.width.into(), avc.visual.height.into()))
        }
        Codec::Mp4a(aac) => {
            let config = &aac.esds.es_desc.dec_config;
            let object = config.dec_specific.as_ref().map(|specific| specific.profile);
            let object = object.ok_or(MediaError::Layout { what: "sound without a configuration" })?;
            let media_type = format!(r#"audio/mp4; codecs="mp4a.{:02x}.{object}""#, config.object_type_indication);
            Ok((TrackKind::Audio, media_type, 0, 0))
        }
        _ => Err(MediaError::Layout { what: "a track of neither H.264 nor AAC" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mp4_atom::{Decode as _, Header};

    fn sample(flags: u32, duration: u32, composition: i32) -> Sample {
        Sample { duration, size: 10, flags, composition }
    }

    fn read_back(bytes: &[u8]) -> (Moof, usize) {
        let mut rest = bytes;
        let moof = Moof::decode(&mut rest).unwrap();
        let header = Header::decode(&mut rest).unwrap();
        assert!(rest.is_empty() && header.kind == MDAT);
        (moof, header.size.unwrap())
    }

    #[test]
    fn what_is_common_is_said_once() {
        const KEY: u32 = 0x0200_0000;
        const OTHER: u32 = 0x0101_0000;
        let samples = [sample(KEY, 512, 0), sample(OTHER, 512, 0), sample(OTHER, 512, 0)];
        let bytes = head(7, 1 << 40, &samples).unwrap();
        let (moof, media) = read_back(&bytes);
        let traf = &moof.traf[0];
        assert_eq!((media, moof.mfhd.sequence_number), (30, 7));
        assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, 1 << 40);
        assert_eq!(traf.tfhd.default_sample_duration, Some(512));
        assert_eq!(traf.tfhd.default_sample_flags, Some(OTHER));
        assert_eq!(traf.trun[0].data_offset, Some(bytes.len() as i32));
        let flags: Vec<_> = traf.trun[0].samples.iter().map(|entry| entry.flags).collect();
        assert_eq!(flags, [Some(KEY), None, None]);
    }

    #[test]
    fn what_differs_is_kept() {
        let samples = [sample(1, 512, 0), sample(2, 500, -512), sample(3, 512, 1024)];
        let (moof, _) = read_back(&head(0, 0, &samples).unwrap());
        let entries: Vec<_> = moof.traf[0].trun[0].samples.iter().collect();
        assert_eq!(entries[1], TrunEntry { duration: Some(500), size: Some(10), flags: Some(2), cts: Some(-512) });
        assert_eq!(moof.traf[0].tfhd.default_sample_flags, None);
    }
}
