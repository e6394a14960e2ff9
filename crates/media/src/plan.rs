//! Decides, track by track, whether a film's own streams are good enough for cells.
//!
//! Pure: a function of the probe and the key frame scan. A copy is exact and costs seconds; everything that a browser
//! might not play, or that cannot be cut every minute, is encoded.

use crate::border::tolerance_ms;
use crate::error::MediaError;
use crate::probe::{AudioStream, KeyFrames, Probe, VideoStream};
use std::fmt;

/// Highest bit rate that is copied, in bits per second; a cell must stay well below 64 MiB.
pub const COPY_BIT_RATE_MAX: u64 = 6_000_000;
/// Largest side of a picture that is copied, in pixels.
pub const COPY_SIDE_MAX: u32 = 1_920;
/// Long and short side of the largest picture that is encoded, in pixels.
pub const ENCODED_SIDES_MAX: (u32, u32) = (1_280, 720);
/// Smallest side of an encoded picture, in pixels: one macroblock.
pub const ENCODED_SIDE_MIN: u32 = 16;
/// Most pictures per second that are encoded.
pub const FRAME_RATE_MAX: u32 = 60;
/// How much later than the pictures sound may begin to be copied, in milliseconds: a player waits where one of the
/// tracks has nothing.
pub const SOUND_GAP_MS_MAX: i64 = 50;
/// Longest hole in sound that is copied, in milliseconds.
pub const SOUND_HOLE_MS_MAX: u64 = 200;

/// What happens to each track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The pictures.
    pub video: VideoPlan,
    /// The sound; none where the film is silent.
    pub audio: Option<AudioPlan>,
}

/// What happens to the pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VideoPlan {
    /// Taken as they are.
    Copy,
    /// Encoded as H.264, 8 bit, square pixels.
    Encode {
        /// Pixels, even.
        width: u32,
        /// Pixels, even.
        height: u32,
        /// Pictures per second, as a fraction, constant.
        frame_rate: (u32, u32),
        /// Fields are woven into pictures first.
        deinterlace: bool,
        /// Why not copied.
        reason: &'static str,
    },
}

/// What happens to the sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioPlan {
    /// Taken as it is.
    Copy,
    /// Encoded as AAC-LC, stereo, 48 kHz, gaps filled with silence.
    Encode {
        /// Why not copied.
        reason: &'static str,
    },
}

impl Plan {
    /// What to try after this plan failed with `error`; none when nothing that is copied could be to blame.
    ///
    /// Each plan copies fewer tracks than the one before, so trying ends.
    pub(crate) fn after(&self, error: &MediaError, source: &Probe) -> Option<Self> {
        const REASON: &str = "the copy cannot be cut into cells";
        let sound_copied = self.audio == Some(AudioPlan::Copy);
        match error {
            MediaError::SoundHole { .. } if sound_copied => {
                let audio = Some(AudioPlan::Encode { reason: "the copy has a hole" });
                Some(Self { audio, ..self.clone() })
            }
            _ if error.is_of_the_copy() && (self.video == VideoPlan::Copy || sound_copied) => Some(Self {
                video: encode(&source.video, REASON),
                audio: self.audio.as_ref().map(|_| AudioPlan::Encode { reason: REASON }),
            }),
            _ => None,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.video {
            VideoPlan::Copy => write!(out, "pictures copied")?,
            VideoPlan::Encode { width, height, reason, .. } => {
                write!(out, "pictures encoded at {width}x{height} ({reason})")?;
            }
        }
        match &self.audio {
            None => write!(out, ", no sound"),
            Some(AudioPlan::Copy) => write!(out, ", sound copied"),
            Some(AudioPlan::Encode { reason }) => write!(out, ", sound encoded ({reason})"),
        }
    }
}

/// Whether the pictures could be copied if their key frames allow: the scan reads much of the file.
pub fn worth_scanning(source: &Probe) -> bool {
    obstacle(source).is_none()
}

/// Decides for cells of `cell_ms`; `key_frames` is none when the pictures were not [worth scanning](worth_scanning).
pub fn decide(source: &Probe, key_frames: Option<&KeyFrames>, cell_ms: u64) -> Plan {
    let spacing = match key_frames {
        Some(frames) if !frames.closed => Some("its key frames do not stand alone"),
        // The nearest key frame is at most half a gap from a border.
        Some(frames) if frames.gap_ms_max > 2 * tolerance_ms(cell_ms) => Some("its key frames are too far apart"),
        Some(_) => None,
        None => Some("its key frames are not known"),
    };
    let video = match obstacle(source).or(spacing) {
        Some(reason) => encode(&source.video, reason),
        None => VideoPlan::Copy,
    };
    let audio = source.audio.as_ref().map(|audio| decide_audio(source, audio));
    Plan { video, audio }
}

/// The first property of the pictures that keeps them from being copied.
fn obstacle(source: &Probe) -> Option<&'static str> {
    let video = &source.video;
    let profile_known = matches!(video.profile.as_str(), "Constrained Baseline" | "Baseline" | "Main" | "High");
    let checks = [
        (video.codec != "h264", "not H.264"),
        (video.pixel_format != "yuv420p", "not 8 bit 4:2:0"),
        (!profile_known, "a profile browsers may not know"),
        (video.interlaced, "interlaced"),
        (video.rotation != 0, "rotated"),
        (video.pixel_aspect != (1, 1), "pixels are not square"),
        (video.width.max(video.height) > COPY_SIDE_MAX, "larger than 1080p"),
        (source.bit_rate.is_none_or(|rate| rate > COPY_BIT_RATE_MAX), "too many bits per second"),
    ];
    checks.into_iter().find_map(|(applies, reason)| applies.then_some(reason))
}

fn decide_audio(source: &Probe, audio: &AudioStream) -> AudioPlan {
    let end = |start_ms: i64, duration_ms: Option<u64>| {
        duration_ms.and_then(|ms| i64::try_from(ms).ok()).map(|ms| start_ms.saturating_add(ms))
    };
    let ends_early_ms = end(source.video.start_ms, source.video_duration_ms())
        .zip(end(audio.start_ms, audio.duration_ms.or(source.duration_ms)))
        .map_or(0, |(video, audio)| video.saturating_sub(audio));
    let starts_late_ms = audio.start_ms.saturating_sub(source.video.start_ms);
    let checks = [
        (audio.codec != "aac" || audio.profile != "LC", "not AAC-LC"),
        (!(1..=2).contains(&audio.channels), "not mono or stereo"),
        (!matches!(audio.sample_rate, 44_100 | 48_000), "not 44.1 or 48 kHz"),
        (starts_late_ms > SOUND_GAP_MS_MAX, "starts after the pictures"),
        (ends_early_ms > SOUND_HOLE_MS_MAX as i64, "ends before the pictures"),
    ];
    match checks.into_iter().find_map(|(applies, reason)| applies.then_some(reason)) {
        Some(reason) => AudioPlan::Encode { reason },
        None => AudioPlan::Copy,
    }
}

fn encode(video: &VideoStream, reason: &'static str) -> VideoPlan {
    let (width, height) = encoded_size(video);
    VideoPlan::Encode { width, height, frame_rate: frame_rate(video.frame_rate), deinterlace: video.interlaced, reason }
}

/// The picture as it is shown, fitted into the largest size, never enlarged, with even sides.
fn encoded_size(video: &VideoStream) -> (u32, u32) {
    let aspect = f64::from(video.pixel_aspect.0) / f64::from(video.pixel_aspect.1);
    let coded = (f64::from(video.width) * aspect, f64::from(video.height));
    let (width, height) = if video.rotation.rem_euclid(180) == 90 { (coded.1, coded.0) } else { coded };
    let (long, short) = ENCODED_SIDES_MAX;
    let scale = (f64::from(long) / width.max(height)).min(f64::from(short) / width.min(height)).min(1.0);
    // Both sides are at most `long` here, so the conversion is exact after rounding.
    let even = |side: f64| ((side * scale / 2.0).round() as u32 * 2).clamp(ENCODED_SIDE_MIN, long);
    (even(width), even(height))
}

/// A constant rate: the source's average where that is sensible.
fn frame_rate((pictures, seconds): (u32, u32)) -> (u32, u32) {
    let most = u64::from(seconds) * u64::from(FRAME_RATE_MAX);
    match (pictures, seconds) {
        (0, _) | (_, 0) => (25, 1),
        _ if u64::from(pictures) > most => (FRAME_RATE_MAX, 1),
        // Fewer than one a second leaves no picture to put a key frame on.
        _ if pictures < seconds => (10, 1),
        rate => rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film() -> Probe {
        Probe {
            path: "/film.mp4".into(),
            format: "mov,mp4".into(),
            title: "film".into(),
            duration_ms: Some(100_000),
            bit_rate: Some(2_000_000),
            video: VideoStream {
                index: 0,
                codec: "h264".into(),
                profile: "High".into(),
                pixel_format: "yuv420p".into(),
                width: 1280,
                height: 720,
                pixel_aspect: (1, 1),
                rotation: 0,
                interlaced: false,
                frame_rate: (25, 1),
                start_ms: 0,
                duration_ms: Some(100_000),
            },
            audio: Some(AudioStream {
                index: 1,
                codec: "aac".into(),
                profile: "LC".into(),
                channels: 2,
                sample_rate: 48_000,
                start_ms: 0,
                duration_ms: Some(100_000),
            }),
        }
    }

    const GOOD: KeyFrames = KeyFrames { gap_ms_max: 2_000, closed: true };

    fn reason_for(change: impl Fn(&mut Probe)) -> &'static str {
        let mut film = film();
        change(&mut film);
        let scan = worth_scanning(&film).then_some(GOOD);
        match decide(&film, scan.as_ref(), 60_000).video {
            VideoPlan::Copy => "copied",
            VideoPlan::Encode { reason, .. } => reason,
        }
    }

    #[test]
    fn what_browsers_play_is_copied() {
        assert_eq!(decide(&film(), Some(&GOOD), 60_000), Plan { video: VideoPlan::Copy, audio: Some(AudioPlan::Copy) });
        let mut silent = film();
        silent.audio = None;
        assert_eq!(decide(&silent, Some(&GOOD), 60_000), Plan { video: VideoPlan::Copy, audio: None });
    }

    #[test]
    fn everything_else_is_encoded_and_says_why() {
        assert_eq!(reason_for(|_| ()), "copied");
        assert_eq!(reason_for(|film| film.video.codec = "mpeg4".into()), "not H.264");
        assert_eq!(reason_for(|film| film.video.pixel_format = "yuv420p10le".into()), "not 8 bit 4:2:0");
        assert_eq!(reason_for(|film| film.video.rotation = 90), "rotated");
        assert_eq!(reason_for(|film| film.video.pixel_aspect = (64, 45)), "pixels are not square");
        assert_eq!(reason_for(|film| film.bit_rate = Some(20_000_000)), "too many bits per second");
        assert_eq!(reason_for(|film| film.bit_rate = None), "too many bits per second");
        let apart = KeyFrames { gap_ms_max: 10_000, closed: true };
        assert!(matches!(decide(&film(), Some(&apart), 60_000).video, VideoPlan::Encode { .. }));
        let open = KeyFrames { gap_ms_max: 500, closed: false };
        assert!(matches!(decide(&film(), Some(&open), 60_000).video, VideoPlan::Encode { .. }));
    }

    #[test]
    fn sound_is_copied_only_when_it_spans_the_pictures() {
        let audio_of = |change: fn(&mut AudioStream)| {
            let mut film = film();
            change(film.audio.as_mut().unwrap());
            decide(&film, Some(&GOOD), 60_000).audio.unwrap()
        };
        assert_eq!(audio_of(|_| ()), AudioPlan::Copy);
        assert!(matches!(audio_of(|audio| audio.start_ms = 500), AudioPlan::Encode { .. }));
        assert!(matches!(audio_of(|audio| audio.duration_ms = Some(90_000)), AudioPlan::Encode { .. }));
        assert!(matches!(audio_of(|audio| audio.channels = 6), AudioPlan::Encode { .. }));
    }

    #[test]
    fn pictures_are_fitted_and_never_enlarged() {
        let size_of = |width, height, pixel_aspect, rotation| {
            encoded_size(&VideoStream { width, height, pixel_aspect, rotation, ..film().video })
        };
        assert_eq!(size_of(3840, 2160, (1, 1), 0), (1280, 720));
        assert_eq!(size_of(3840, 2160, (1, 1), -90), (720, 1280));
        assert_eq!(size_of(321, 243, (1, 1), 0), (322, 244));
        assert_eq!(size_of(720, 576, (64, 45), 0), (1024, 576));
        assert_eq!(size_of(16_000, 2, (1, 1), 0), (1280, 16));
        assert_eq!(size_of(u32::MAX, u32::MAX, (u32::MAX, 1), 0), (1280, 16));
    }

    #[test]
    fn frame_rates_stay_sensible() {
        assert_eq!(frame_rate((0, 0)), (25, 1));
        assert_eq!(frame_rate((90_000, 1)), (60, 1));
        assert_eq!(frame_rate((1, 10)), (10, 1));
        assert_eq!(frame_rate((30_000, 1001)), (30_000, 1001));
    }
}
