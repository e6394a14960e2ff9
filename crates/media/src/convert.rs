//! The one ffmpeg run: source to two fragmented MP4 files, pictures and sound apart.
//!
//! Every time stamp in the results is later by [`SHIFT_S`]. Fragmented MP4 counts time from zero upwards, while the first
//! sound of AAC, and the first pictures in decoding order, belong before zero; the shift keeps them without an edit list,
//! and [`crate::cut`] takes it off again with exact integers.

use crate::border::key_frames_per_cell;
use crate::child::{Limits, Run, threads};
use crate::error::MediaError;
use crate::plan::{AudioPlan, Plan, VideoPlan};
use crate::probe::{Probe, input};
use crate::{Progress, Stage};
use chainflix_primitives::CELL_BYTES_MAX;
use chainflix_primitives::manifest::CELLS_MAX;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// What every time stamp of the results is later by, in seconds.
pub(crate) const SHIFT_S: u32 = 10;
/// Name of the pictures in the working folder.
pub(crate) const VIDEO_FILE: &str = "video.mp4";
/// Name of the sound in the working folder.
pub(crate) const AUDIO_FILE: &str = "audio.mp4";

/// Wall time a conversion always has, in seconds, and how often the film's own length on top.
const TIME_S_MIN: u64 = 600;
const TIME_FACTOR: u64 = 20;
/// Assumed length of a film that does not say, in milliseconds.
const DURATION_MS_UNKNOWN: u64 = 3 * 3_600_000;

/// Converts the planned tracks of `source` into `folder`.
pub(crate) async fn convert(
    source: &Probe,
    plan: &Plan,
    cell_ms: u64,
    folder: &Path,
    on_progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), MediaError> {
    let arguments = arguments(source, plan, cell_ms);
    let mut meter = Meter { duration_ms: source.video_duration_ms(), speed: None };
    let run = Run { program: "ffmpeg", arguments, folder: Some(folder), limits: limits(source, cell_ms) };
    run.run(&mut |line| {
        if let Some(progress) = meter.line(line) {
            on_progress(progress);
        }
    })
    .await
}

fn limits(source: &Probe, cell_ms: u64) -> Limits {
    let duration_ms = source.duration_ms.unwrap_or(DURATION_MS_UNKNOWN);
    let time_s = TIME_S_MIN + TIME_FACTOR * (duration_ms / 1000);
    // One more than needed for rounding; a track that outgrows the largest cells could not be cut anyway.
    let cells = (duration_ms / cell_ms.max(1) + 2).min(CELLS_MAX as u64);
    Limits { time: Duration::from_secs(time_s), file_bytes: cells * CELL_BYTES_MAX }
}

fn arguments(source: &Probe, plan: &Plan, cell_ms: u64) -> Vec<OsString> {
    let mut line: Vec<OsString> =
        ["-nostdin", "-nostats", "-stats_period", "0.5", "-progress", "pipe:1"].map(Into::into).into();
    line.extend(input(&source.path));
    let mut text: Vec<String> = vec!["-map".into(), format!("0:{}", source.video.index)];
    text.extend(video_codec(&plan.video, cell_ms));
    // Fragments begin at key frames, but a film of nothing but key frames must not become one of crumbs.
    let shortest_us = 500 * cell_ms / key_frames_per_cell(cell_ms);
    text.extend(muxer("+frag_keyframe", "-min_frag_duration", shortest_us, VIDEO_FILE));
    if let (Some(audio), Some(audio_plan)) = (&source.audio, &plan.audio) {
        text.extend(["-map".into(), format!("0:{}", audio.index)]);
        text.extend(audio_codec(audio_plan, source.video_duration_ms()));
        text.extend(muxer("", "-frag_duration", 2_000_000, AUDIO_FILE));
    }
    line.extend(text.into_iter().map(Into::into));
    line
}

fn video_codec(plan: &VideoPlan, cell_ms: u64) -> Vec<String> {
    let VideoPlan::Encode { width, height, frame_rate, deinterlace, .. } = plan else {
        return vec!["-c:v".into(), "copy".into()];
    };
    let weave = if *deinterlace { "yadif=deint=interlaced," } else { "" };
    // A constant rate from time zero: a picture that stands for half a minute would leave a border without a key frame.
    let filters = format!(
        "{weave}fps={}/{}:start_time=0,scale={width}:{height},setsar=1,format=yuv420p",
        frame_rate.0, frame_rate.1
    );
    // Key frames at exact fractions of a cell, and none at scene changes, so that fragments are cut where cells are.
    let key_frames = format!("expr:gte(t,n_forced*{cell_ms}/{})", 1000 * key_frames_per_cell(cell_ms));
    #[rustfmt::skip]
    let line = [
        "-vf", &filters, "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-crf", "23",
        "-maxrate", "4M", "-bufsize", "8M", "-sc_threshold", "0", "-force_key_frames", &key_frames,
        "-threads", &threads().to_string(),
    ]
    .map(str::to_owned);
    line.into()
}

fn audio_codec(plan: &AudioPlan, duration_ms: Option<u64>) -> Vec<String> {
    let AudioPlan::Encode { .. } = plan else {
        // Transport streams carry AAC with a header on each frame; MP4 wants its content once, in the track.
        return ["-c:a", "copy", "-bsf:a", "aac_adtstoasc"].map(str::to_owned).into();
    };
    // Silence where the source has none, from time zero to the end of the pictures: a player waits at a hole.
    let mut filters = String::from("aresample=async=1:first_pts=0");
    if let Some(duration_ms) = duration_ms {
        filters.push_str(&format!(",apad=whole_dur={}ms", duration_ms));
    }
    ["-af", &filters, "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"].map(str::to_owned).into()
}

fn muxer(flags: &str, fragment_option: &str, fragment_us: u64, file: &str) -> Vec<String> {
    // `frag_discont` without edit lists makes ffmpeg write the true decoding time of each fragment. The movie header
    // waits for the first packets, which may bring a codec's configuration.
    let flags = format!("{flags}+empty_moov+delay_moov+default_base_moof+frag_discont");
    let shift = SHIFT_S.to_string();
    #[rustfmt::skip]
    let line = [
        "-map_metadata", "-1", "-map_chapters", "-1", "-output_ts_offset", &shift, "-avoid_negative_ts", "disabled",
        "-use_editlist", "0", "-movflags", &flags, fragment_option, &fragment_us.to_string(), "-f", "mp4", file,
    ]
    .map(str::to_owned);
    line.into()
}

/// Reads ffmpeg's `-progress` lines: `key=value`, a block every half second, `progress=` as the last of each.
struct Meter {
    duration_ms: Option<u64>,
    speed: Option<f64>,
}

impl Meter {
    fn line(&mut self, line: &str) -> Option<Progress> {
        let (key, value) = line.split_once('=')?;
        match key {
            "speed" => {
                self.speed = value.trim().trim_end_matches('x').parse().ok();
                None
            }
            "out_time_us" => {
                let done_us: f64 = value.parse().ok()?;
                let fraction = self.duration_ms.map(|ms| (done_us / 1000.0 / ms as f64).clamp(0.0, 1.0));
                Some(Progress { stage: Stage::Convert, fraction, speed: self.speed })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_line_by_line() {
        let mut meter = Meter { duration_ms: Some(10_000), speed: None };
        assert_eq!(meter.line("frame=5"), None);
        assert_eq!(meter.line("out_time_us=N/A"), None);
        assert_eq!(meter.line("speed= 1.5x"), None);
        let half = Progress { stage: Stage::Convert, fraction: Some(0.5), speed: Some(1.5) };
        assert_eq!(meter.line("out_time_us=5000000"), Some(half));
        assert_eq!(meter.line("out_time_us=99000000").unwrap().fraction, Some(1.0));
        assert_eq!(meter.line("nonsense"), None);
    }

    #[test]
    fn an_unknown_length_has_no_fraction() {
        let mut meter = Meter { duration_ms: None, speed: None };
        assert_eq!(meter.line("out_time_us=1").unwrap().fraction, None);
    }
}
