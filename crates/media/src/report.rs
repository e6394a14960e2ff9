//! ffprobe's JSON, as far as it is read.
//!
//! Every field may be missing or nonsense: the file decides what is in it.

use crate::error::MediaError;
use crate::probe::{AudioStream, Probe, VideoStream};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::PathBuf;

/// `12.345` as 12345; none for `N/A` and for nonsense.
pub(crate) fn seconds_to_ms(text: &str) -> Option<i64> {
    let seconds: f64 = text.trim().parse().ok()?;
    // Saturates far outside of any film.
    seconds.is_finite().then(|| (seconds * 1000.0).round() as i64)
}

fn duration_ms(text: Option<&str>) -> Option<u64> {
    text.and_then(seconds_to_ms).and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0)
}

/// `30000/1001` or `64:45` as a pair; zeroes where a part is missing.
fn ratio(text: Option<&str>) -> (u32, u32) {
    let parts = text.and_then(|text| text.split_once(['/', ':']));
    let parsed = parts.and_then(|(above, below)| Some((above.parse().ok()?, below.parse().ok()?)));
    parsed.filter(|(_, below)| *below != 0).unwrap_or((0, 0))
}

/// All of it.
#[derive(Deserialize)]
pub(crate) struct Report {
    #[serde(default)]
    streams: Vec<StreamReport>,
    format: FormatReport,
}

#[derive(Deserialize)]
struct FormatReport {
    format_name: String,
    start_time: Option<String>,
    duration: Option<String>,
    bit_rate: Option<String>,
    #[serde(default)]
    tags: HashMap<String, String>,
}

#[derive(Deserialize)]
struct StreamReport {
    index: u32,
    codec_type: Option<String>,
    codec_name: Option<String>,
    profile: Option<String>,
    pix_fmt: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    field_order: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    start_time: Option<String>,
    duration: Option<String>,
    channels: Option<u32>,
    sample_rate: Option<String>,
    #[serde(default)]
    disposition: HashMap<String, i32>,
    #[serde(default)]
    side_data_list: Vec<SideDataReport>,
}

#[derive(Deserialize)]
struct SideDataReport {
    rotation: Option<f64>,
}

impl Report {
    pub(crate) fn into_probe(self, path: PathBuf) -> Result<Probe, MediaError> {
        let video = self.best("video").and_then(StreamReport::video).ok_or(MediaError::NoVideo)?;
        let audio = self.best("audio").map(StreamReport::audio);
        let tagged = self.format.tags.iter().find(|(name, _)| name.eq_ignore_ascii_case("title"));
        let title = tagged.map(|(_, title)| title.clone()).filter(|title| !title.trim().is_empty());
        let stem = || path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Probe {
            title: title.unwrap_or_else(stem),
            path,
            duration_ms: self.format.duration_ms(),
            bit_rate: self.format.bit_rate.and_then(|rate| rate.parse().ok()),
            format: self.format.format_name,
            video,
            audio,
        })
    }

    /// The stream of a kind that the container prefers, else the first; a cover picture is not one.
    fn best(&self, kind: &str) -> Option<&StreamReport> {
        let marked = |stream: &StreamReport, name| stream.disposition.get(name).is_some_and(|value| *value != 0);
        let of_kind = || {
            self.streams
                .iter()
                .filter(|stream| stream.codec_type.as_deref() == Some(kind) && stream.codec_name.is_some())
                .filter(|stream| !marked(stream, "attached_pic") && !marked(stream, "timed_thumbnails"))
        };
        of_kind().find(|stream| marked(stream, "default")).or_else(|| of_kind().next())
    }
}

impl FormatReport {
    /// Matroska counts to the end of the film from zero, everything else from its first time stamp.
    fn duration_ms(&self) -> Option<u64> {
        let start_ms = self.start_time.as_deref().and_then(seconds_to_ms).and_then(|ms| u64::try_from(ms).ok());
        let before_ms = if self.format_name.starts_with("matroska") { start_ms.unwrap_or(0) } else { 0 };
        duration_ms(self.duration.as_deref()).map(|ms| ms.saturating_sub(before_ms)).filter(|ms| *ms > 0)
    }
}

impl StreamReport {
    fn video(&self) -> Option<VideoStream> {
        let (width, height) = (self.width.filter(|w| *w > 0)?, self.height.filter(|h| *h > 0)?);
        let average = ratio(self.avg_frame_rate.as_deref());
        let aspect = ratio(self.sample_aspect_ratio.as_deref());
        Some(VideoStream {
            index: self.index,
            codec: self.codec_name.clone().unwrap_or_default(),
            profile: self.profile.clone().unwrap_or_default(),
            pixel_format: self.pix_fmt.clone().unwrap_or_default(),
            width,
            height,
            pixel_aspect: if aspect.0 == 0 { (1, 1) } else { aspect },
            rotation: self.side_data_list.iter().find_map(|data| data.rotation).map_or(0, |turn| turn.round() as i32),
            interlaced: matches!(self.field_order.as_deref(), Some("tt" | "bb" | "tb" | "bt")),
            frame_rate: if average.0 == 0 { ratio(self.r_frame_rate.as_deref()) } else { average },
            start_ms: self.start_ms(),
            duration_ms: duration_ms(self.duration.as_deref()),
        })
    }

    fn audio(&self) -> AudioStream {
        AudioStream {
            index: self.index,
            codec: self.codec_name.clone().unwrap_or_default(),
            profile: self.profile.clone().unwrap_or_default(),
            channels: self.channels.unwrap_or(0),
            sample_rate: self.sample_rate.as_deref().and_then(|rate| rate.parse().ok()).unwrap_or(0),
            start_ms: self.start_ms(),
            duration_ms: duration_ms(self.duration.as_deref()),
        }
    }

    fn start_ms(&self) -> i64 {
        self.start_time.as_deref().and_then(seconds_to_ms).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cover_picture_is_not_the_film() {
        let report = r#"{"streams": [
            {"index": 0, "codec_type": "audio", "codec_name": "mp3", "channels": 2, "sample_rate": "44100"},
            {"index": 1, "codec_type": "video", "codec_name": "mjpeg", "width": 9, "height": 9,
             "disposition": {"attached_pic": 1}}],
            "format": {"format_name": "mp3", "duration": "61.5"}}"#;
        let report: Report = serde_json::from_str(report).unwrap();
        assert!(matches!(report.into_probe("/a.mp3".into()), Err(MediaError::NoVideo)));
    }

    #[test]
    fn odd_values_do_not_stop_the_reader() {
        let report = r#"{"streams": [
            {"index": 3, "codec_type": "video", "codec_name": "vp9", "width": 64, "height": 48, "start_time": "N/A",
             "sample_aspect_ratio": "0:1", "avg_frame_rate": "0/0", "r_frame_rate": "30000/1001", "duration": "-1",
             "side_data_list": [{"side_data_type": "x"}, {"rotation": -90.0}]}],
            "format": {"format_name": "matroska,webm", "duration": "1e400", "tags": {"TITLE": " "}}}"#;
        let report: Report = serde_json::from_str(report).unwrap();
        let probe = report.into_probe("/films/A night.webm".into()).unwrap();
        assert_eq!((probe.title.as_str(), probe.duration_ms), ("A night", None));
        assert_eq!((probe.video.pixel_aspect, probe.video.frame_rate), ((1, 1), (30_000, 1001)));
        assert_eq!((probe.video.rotation, probe.video.start_ms), (-90, 0));
        assert_eq!(probe.audio, None);
    }
}
