//! Turns any film ffmpeg reads into unsealed VideoCells and what a manifest must know of them.
//!
//! Left out: sealing (crate `cell`), storing and announcing (the publisher's), more than one rendition or audio track,
//! subtitles, tone mapping of HDR sources.
//!
//! ```text
//!   file ──ffprobe──> Probe ──decide──> Plan ──ffmpeg──> video.mp4   ──cut──> cell 0, cell 1, ...  ──> Packaged
//!                                  copy or encode,       audio.mp4            files in a folder that
//!                                  track by track        (fragmented)         goes when Packaged goes
//! ```
//!
//! A cell is cut where the picture allows: at a key frame, every `cell_ms` within a tolerance. Its bytes are whole
//! fragments, each picture fragment preceded by the sound of the same time:
//!
//! ```text
//!   time      0        2 s      4 s              60 s
//!   pictures  |K.......|K.......|K... ... .......|K.......       K: IDR, decodes by itself
//!   sound     |aaaaaaaa|aaaaaaaa|aaaa ... aaaaaaa|aaaaaaaa       cut again by us, to the sample frame
//!   bytes     [a0][v0] [a1][v1] [a2][v2] ...     | next cell
//! ```
//!
//! A copied track that cannot be cut so after all is encoded in another run: whether a copy holds is only certain once
//! its real fragments have been seen.
//!
//! | module | job |
//! |---|---|
//! | [`probe`](mod@probe) | what is in the file, by `ffprobe` |
//! | `report` | ffprobe's JSON |
//! | [`plan`] | copy or encode, a pure decision |
//! | `convert` | the one ffmpeg run |
//! | `child` | limits, cancellation and last words of a child process |
//! | `track` | index of a fragmented MP4 |
//! | `timeline` | tracks in the film's own time |
//! | `border` | where cells begin, a pure decision |
//! | `fragment` | bytes of fragments and initialisation segments |
//! | `cut` | cells on disk |
//! | [`packaged`] | the result, and the manifest of it |
//! | [`sample`] | a film to try it all with |

mod border;
mod child;
mod convert;
mod cut;
mod error;
mod fragment;
pub mod packaged;
pub mod plan;
pub mod probe;
mod report;
pub mod sample;
mod timeline;
mod track;

pub use error::MediaError;
pub use packaged::{Packaged, PackagedCell};
pub use plan::{AudioPlan, Plan, VideoPlan};
pub use probe::{AudioStream, Probe, VideoStream, probe};
pub use sample::find_sample;

use chainflix_primitives::manifest::CELLS_MAX;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Shortest film that is accepted, in milliseconds: a picture is not a film.
pub const PLAY_TIME_MS_MIN: u64 = 1_000;

/// How to package.
#[derive(Clone, Debug)]
pub struct Options {
    /// Wanted length of a cell, in milliseconds; the network's genesis says it.
    pub cell_ms: u64,
    /// Where the working folder is made. It holds about twice the size of the result while packaging, and the
    /// cells as long as [`Packaged`] lives.
    pub folder: PathBuf,
}

/// How far packaging is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Part of the stage that is done, 0 to 1; none while the length of the film is unknown.
    pub fraction: Option<f64>,
    /// Media time converted per wall time.
    pub speed: Option<f64>,
}

/// The steps of packaging, in order; a copy that cannot be cut goes back to `Convert`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// ffmpeg copies or encodes the tracks.
    Convert,
    /// The tracks are cut into cells.
    Cut,
}

/// Packages the film at `path` into cells.
///
/// `on_progress` is called about twice a second. Dropping the future ends ffmpeg and removes everything made so far, and
/// so does any error.
pub async fn package(
    path: &Path,
    options: &Options,
    mut on_progress: impl FnMut(Progress) + Send,
) -> Result<Packaged, MediaError> {
    let source = probe(path).await?;
    refuse_long(&source, options.cell_ms)?;
    let scan = if plan::worth_scanning(&source) { Some(probe::scan_key_frames(&source).await?) } else { None };
    let mut plan = plan::decide(&source, scan.as_ref(), options.cell_ms);
    loop {
        tracing::info!(path = %source.path.display(), %plan, "packaging");
        match package_as(&source, &plan, options, &mut on_progress).await {
            Err(error) => match plan.after(&error, &source) {
                Some(other) => {
                    tracing::info!(%error, "the copy is of no use");
                    plan = other;
                }
                None => return Err(error),
            },
            packaged => return packaged,
        }
    }
}

async fn package_as(
    source: &Probe,
    plan: &Plan,
    options: &Options,
    on_progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Packaged, MediaError> {
    let folder = working_folder(&options.folder)?;
    convert::convert(source, plan, options.cell_ms, folder.path(), on_progress).await?;
    on_progress(Progress { stage: Stage::Cut, fraction: Some(0.0), speed: None });
    let (title, plan, cell_ms) = (source.title.clone(), plan.clone(), options.cell_ms);
    // The folder moves along: if this future is dropped, the cutting thread removes it when it ends.
    let cutting = tokio::task::spawn_blocking(move || cut::cut(folder, title, plan, cell_ms));
    let packaged = cutting.await.map_err(|stopped| MediaError::Stopped { source: stopped })??;
    on_progress(Progress { stage: Stage::Cut, fraction: Some(1.0), speed: None });
    refuse_incomplete(source, packaged)
}

fn working_folder(parent: &Path) -> Result<TempDir, MediaError> {
    std::fs::create_dir_all(parent).map_err(|source| MediaError::folder(parent, source))?;
    // The child runs inside it, so that its own path needs no quoting; the parent must therefore be absolute.
    let parent = parent.canonicalize().map_err(|source| MediaError::folder(parent, source))?;
    tempfile::Builder::new()
        .prefix("packaging-")
        .tempdir_in(&parent)
        .map_err(|source| MediaError::folder(&parent, source))
}

fn refuse_long(source: &Probe, cell_ms: u64) -> Result<(), MediaError> {
    let most_ms = CELLS_MAX as u64 * cell_ms;
    match source.duration_ms {
        Some(play_time_ms) if play_time_ms > most_ms => Err(MediaError::TooLong { play_time_ms, most_ms }),
        _ => Ok(()),
    }
}

/// A file that ends early converts without an error; what it says of itself gives it away.
fn refuse_incomplete(source: &Probe, packaged: Packaged) -> Result<Packaged, MediaError> {
    let actual_ms = packaged.play_time_ms;
    if actual_ms < PLAY_TIME_MS_MIN {
        return Err(MediaError::TooShort { play_time_ms: actual_ms });
    }
    // The pictures may end a little before the container's longest stream, so a tenth and two seconds are forgiven.
    match source.video_duration_ms() {
        Some(expected_ms) if actual_ms + 2_000 < expected_ms - expected_ms / 10 => {
            Err(MediaError::Incomplete { expected_ms, actual_ms })
        }
        _ => Ok(packaged),
    }
}
