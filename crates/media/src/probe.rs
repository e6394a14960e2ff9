//! What is in a file, as `ffprobe` sees it.
//!
//! The file comes from a stranger. It is opened with the `file` protocol only, and only by demuxers whose films are
//! complete in themselves: a playlist could otherwise make ffmpeg read other files of this machine, or the network.

use crate::child::{Limits, Run};
use crate::error::MediaError;
use crate::report::{Report, seconds_to_ms};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Demuxers of self-contained files; none of them opens a second one (`ffmpeg -demuxers` lists them all). Those that
/// carry sound only are here so that such a file is refused for having no pictures.
const FORMATS: &str = "mov,mp4,matroska,webm,avi,flv,live_flv,mpegts,mpeg,mpegvideo,ogg,asf,asf_o,mxf,gxf,wtv,rm,nut,nsv,\
                       ivf,obu,av1,h261,h263,h264,hevc,m4v,vc1,vc1test,dv,dirac,dnxhd,mjpeg,yuv4mpegpipe,gif,swf,roq,\
                       vivo,smk,bink,4xm,film_cpk,nuv,ty,pva,dhav,ifv,kux,mv,lvf,cavsvideo,avs2,avs3,\
                       mp3,wav,flac,aac,ac3";
/// ffprobe reads headers; a minute is for slow disks.
const PROBE_LIMITS: Limits = Limits { time: Duration::from_secs(60), file_bytes: 0 };
/// Most text that ffprobe's report may have, in bytes.
const REPORT_BYTES_MAX: usize = 4 << 20;
/// How much of the start of a film is looked at for key frames, in seconds.
const SCAN_S: u32 = 120;

/// What packaging must know of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Absolute path.
    pub path: PathBuf,
    /// ffmpeg's name of the container, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    pub format: String,
    /// The title tag, else the file's stem.
    pub title: String,
    /// Of the longest stream, in milliseconds; none where the container does not say.
    pub duration_ms: Option<u64>,
    /// Bits per second over all streams.
    pub bit_rate: Option<u64>,
    /// The pictures.
    pub video: VideoStream,
    /// The sound, where there is any.
    pub audio: Option<AudioStream>,
}

/// A stream of pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoStream {
    /// Index in the container.
    pub index: u32,
    /// ffmpeg's codec name.
    pub codec: String,
    /// Profile, such as `High`; empty where unknown.
    pub profile: String,
    /// Pixel format, such as `yuv420p`.
    pub pixel_format: String,
    /// Width of the coded picture, in pixels.
    pub width: u32,
    /// Height of the coded picture, in pixels.
    pub height: u32,
    /// Shape of a pixel, width to height.
    pub pixel_aspect: (u32, u32),
    /// Whole degrees to turn the picture by before showing it.
    pub rotation: i32,
    /// Lines of two fields alternate.
    pub interlaced: bool,
    /// Pictures per second as a fraction; zero where unknown.
    pub frame_rate: (u32, u32),
    /// Time of the first picture, in milliseconds.
    pub start_ms: i64,
    /// In milliseconds, where the container says it of the stream.
    pub duration_ms: Option<u64>,
}

/// A stream of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioStream {
    /// Index in the container.
    pub index: u32,
    /// ffmpeg's codec name.
    pub codec: String,
    /// Profile, such as `LC`; empty where unknown.
    pub profile: String,
    /// Number of channels.
    pub channels: u32,
    /// Samples per second.
    pub sample_rate: u32,
    /// Time of the first sample, in milliseconds.
    pub start_ms: i64,
    /// In milliseconds, where the container says it of the stream.
    pub duration_ms: Option<u64>,
}

/// Key frames of the first minutes of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFrames {
    /// Longest time without one, in milliseconds.
    pub gap_ms_max: u64,
    /// No picture that is decoded after a key frame is shown before it, so each can start a cell.
    pub closed: bool,
}

impl Probe {
    /// How long the pictures last: what the stream says, else what the container says.
    pub fn video_duration_ms(&self) -> Option<u64> {
        self.video.duration_ms.or(self.duration_ms)
    }
}

/// Looks into the file at `path`.
pub async fn probe(path: &Path) -> Result<Probe, MediaError> {
    let path = regular_file(path)?;
    let mut arguments: Vec<OsString> =
        ["-print_format", "json", "-show_format", "-show_streams"].map(Into::into).into();
    arguments.extend(input(&path));
    let mut report = String::new();
    let run = Run { program: "ffprobe", arguments, folder: None, limits: PROBE_LIMITS };
    run.run(&mut |line| {
        if report.len() + line.len() < REPORT_BYTES_MAX {
            report.push_str(line);
            report.push('\n');
        }
    })
    .await?;
    let report: Report = serde_json::from_str(&report).map_err(MediaError::Report)?;
    report.into_probe(path)
}

/// The arguments that name `path` as an input: no other protocol, no demuxer that opens further files.
///
/// The prefix `file:` keeps names that begin with a dash or contain a colon from being read as something else.
pub(crate) fn input(path: &Path) -> Vec<OsString> {
    let mut url = OsString::from("file:");
    url.push(path);
    let mut arguments: Vec<OsString> =
        ["-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-i"].map(Into::into).into();
    arguments.push(url);
    arguments
}

/// Reads the packet table of the first minutes; decodes nothing.
pub(crate) async fn scan_key_frames(source: &Probe) -> Result<KeyFrames, MediaError> {
    let mut arguments: Vec<OsString> = vec!["-select_streams".into(), source.video.index.to_string().into()];
    arguments.extend(["-read_intervals".into(), format!("%+{SCAN_S}").into()]);
    arguments.extend(["-show_entries", "packet=pts_time,flags", "-print_format", "csv=p=0"].map(Into::into));
    arguments.extend(input(&source.path));
    let mut scan = Scan::default();
    let run = Run { program: "ffprobe", arguments, folder: None, limits: PROBE_LIMITS };
    run.run(&mut |line| scan.packet(line)).await?;
    Ok(scan.finish())
}

fn regular_file(path: &Path) -> Result<PathBuf, MediaError> {
    let unreadable = |source| MediaError::Unreadable { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(MediaError::NotAFile { path: path.to_owned() });
    }
    if metadata.len() == 0 {
        return Err(MediaError::Empty { path: path.to_owned() });
    }
    std::fs::File::open(path).map_err(unreadable)?;
    path.canonicalize().map_err(unreadable)
}

#[derive(Default)]
struct Scan {
    key_ms: Option<i64>,
    last_ms: Option<i64>,
    gap_ms_max: u64,
    open: bool,
}

impl Scan {
    /// Takes one packet, `pts_time,flags`, in decoding order.
    fn packet(&mut self, line: &str) {
        let mut fields = line.split(',');
        let time_ms = fields.next().and_then(seconds_to_ms);
        let key = fields.next().is_some_and(|flags| flags.starts_with('K'));
        let Some(time_ms) = time_ms else {
            // Without presentation times nothing can be cut; an empty line is no packet.
            self.open |= !line.is_empty();
            return;
        };
        match self.key_ms {
            None if !key => self.open = true,
            Some(key_ms) => {
                self.open |= time_ms < key_ms;
                self.gap_ms_max = self.gap_ms_max.max(u64::try_from(time_ms - key_ms).unwrap_or(0));
            }
            None => {}
        }
        if key {
            self.key_ms = Some(time_ms);
        }
        self.last_ms = self.last_ms.max(Some(time_ms));
    }

    fn finish(self) -> KeyFrames {
        KeyFrames { gap_ms_max: self.gap_ms_max, closed: !self.open && self.last_ms.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(packets: &[&str]) -> KeyFrames {
        let mut scan = Scan::default();
        packets.iter().for_each(|line| scan.packet(line));
        scan.finish()
    }

    #[test]
    fn key_frames_are_measured_in_showing_order() {
        let packets = ["0.0,K_", "1.0,__", "0.5,__", "2.0,K_", "3.5,__", "5.5,K_"];
        assert_eq!(scanned(&packets), KeyFrames { gap_ms_max: 3_500, closed: true });
    }

    #[test]
    fn leading_pictures_open_a_group() {
        assert!(!scanned(&["0.0,K_", "2.0,K_", "1.9,__"]).closed);
        assert!(!scanned(&["0.0,__", "2.0,K_"]).closed);
        assert!(!scanned(&["N/A,K_"]).closed);
        assert!(!scanned(&[]).closed);
    }
}
