//! Why a file did not become cells.

use chainflix_primitives::ManifestError;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file did not become cells.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// There is nothing at the path, or it may not be read.
    #[error("cannot read {path}", path = path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// The path is a folder, a device, a pipe.
    #[error("{path} is not a regular file", path = path.display())]
    NotAFile { path: PathBuf },
    /// The file has no bytes.
    #[error("{path} is empty", path = path.display())]
    Empty { path: PathBuf },
    /// ffmpeg or ffprobe is not on this machine.
    #[error("{program} is missing; install it with: apt-get install ffmpeg")]
    ProgramMissing { program: &'static str },
    /// A program could not be started or heard.
    #[error("cannot run {program}")]
    Run { program: &'static str, source: io::Error },
    /// A program ended with an error; the reason is the last telling line it wrote.
    #[error("{program}: {reason}")]
    Failed { program: &'static str, reason: String },
    /// A program was ended from outside, or by one of its limits.
    #[error("{program} was ended by signal {signal} (out of memory, disk or processor time?)")]
    Killed { program: &'static str, signal: i32 },
    /// A program ran longer than it may.
    #[error("{program} did not finish within {limit_s} s")]
    TimedOut { program: &'static str, limit_s: u64 },
    /// What ffprobe wrote is not the JSON it promises.
    #[error("cannot read what ffprobe says")]
    Report(#[source] serde_json::Error),
    /// A playlist, a picture, a text: not a self-contained film.
    #[error("the file is not a film by itself ({format}); playlists and pictures are not taken")]
    NotAFilm { format: String },
    /// There are no pictures in the file.
    #[error("the file has no video stream")]
    NoVideo,
    /// The film is shorter than [`crate::PLAY_TIME_MS_MIN`].
    #[error("the film lasts {play_time_ms} ms; the least is {least} ms", least = crate::PLAY_TIME_MS_MIN)]
    TooShort { play_time_ms: u64 },
    /// The film has more cells than a manifest may list.
    #[error("the film lasts {play_time_ms} ms; the most is {most_ms} ms")]
    TooLong { play_time_ms: u64, most_ms: u64 },
    /// The file ends before the time it says it has.
    #[error("only {actual_ms} ms of the {expected_ms} ms the file announces could be read")]
    Incomplete { expected_ms: u64, actual_ms: u64 },
    /// No picture near a cell border decodes by itself.
    #[error("no key frame close enough to {at_ms} ms")]
    NoKeyFrame { at_ms: u64 },
    /// Copied sound is silent where a player would wait for it.
    #[error("the sound has a hole of {hole_ms} ms at {at_ms} ms")]
    SoundHole { at_ms: u64, hole_ms: u64 },
    /// A cell would have more bytes or fragments than a node accepts.
    #[error("cell {index} has too much {what}: {value}, the most is {most}")]
    CellTooLarge { index: usize, what: &'static str, value: u64, most: u64 },
    /// ffmpeg's fragmented MP4 has a box this crate cannot read.
    #[error("cannot read the converted track")]
    Boxes(#[from] mp4_atom::Error),
    /// ffmpeg's fragmented MP4 is laid out in a way this crate does not expect.
    #[error("the converted track is not as expected: {what}")]
    Layout { what: &'static str },
    /// The working folder failed: full, gone, not writable.
    #[error("cannot work in {path}", path = path.display())]
    Folder { path: PathBuf, source: io::Error },
    /// The cutting thread did not end by itself.
    #[error("the cutting was stopped")]
    Stopped { source: tokio::task::JoinError },
    /// The number of sealed cells is not the number of packaged ones.
    #[error("{given} sealed cells were given for {wanted}")]
    CellCount { given: usize, wanted: usize },
    /// The manifest breaks one of its own limits.
    #[error("the manifest is not valid")]
    Manifest(#[from] ManifestError),
}

impl MediaError {
    pub(crate) fn folder(path: &Path, source: io::Error) -> Self {
        Self::Folder { path: path.to_owned(), source }
    }

    /// Whether encoding could succeed where copying did not.
    pub(crate) fn is_of_the_copy(&self) -> bool {
        matches!(
            self,
            Self::Failed { .. }
                | Self::NoKeyFrame { .. }
                | Self::CellTooLarge { .. }
                | Self::Boxes(_)
                | Self::Layout { .. }
        )
    }
}
