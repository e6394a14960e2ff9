//! Runs ffmpeg and ffprobe: bounded in time, memory and disk, ended with the future that waits for them.
//!
//! ```text
//!   prlimit ──exec──> nice ──exec──> ffmpeg      one process, in a process group of its own
//! ```
//!
//! Memory, processor time and file size are limited by the kernel through util-linux' `prlimit` where that is
//! installed, and lowered in priority by `nice`; without them only the time limit and ffmpeg's own bound on a single
//! allocation hold, and a warning says so. Both wrappers replace themselves, so that ending the one process ends all.
//! What no limit covers: if this process itself is killed, ffmpeg runs on until its processor time is spent.

use crate::error::MediaError;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Once;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Address space of a child, in bytes; x264 at 720p with eight threads needs about one GiB.
const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// Largest single allocation inside ffmpeg, in bytes.
const ALLOCATION_BYTES_MAX: u64 = 512 << 20;
/// Most that a child may say on its standard output, in bytes.
const OUTPUT_BYTES_MAX: u64 = 256 << 20;
/// Of what a child says on its error output, this much of the end is kept, in bytes.
const LAST_WORDS_BYTES: usize = 8 << 10;
/// Most threads an encoder may start.
const THREADS_MAX: usize = 8;

/// What a child may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Wall time.
    pub time: Duration,
    /// Bytes of any one file it writes.
    pub file_bytes: u64,
}

/// One run of a program of the ffmpeg family.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// `ffmpeg` or `ffprobe`.
    pub program: &'static str,
    /// Its arguments, without those that every run gets.
    pub arguments: Vec<OsString>,
    /// Working folder: relative names of outputs are made here.
    pub folder: Option<&'a Path>,
    pub limits: Limits,
}

impl Run<'_> {
    /// Runs to the end, giving each line of the standard output to `on_line`.
    pub(crate) async fn run(self, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<(), MediaError> {
        let program = self.program;
        let limit = self.limits.time;
        let mut child = self.spawn()?;
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let conversation = async {
            let (heard, last_words) = tokio::join!(each_line(stdout, on_line), last_words(stderr));
            heard.map_err(|source| MediaError::Run { program, source })?;
            let status = child.wait().await.map_err(|source| MediaError::Run { program, source })?;
            judge(program, status, &last_words)
        };
        match tokio::time::timeout(limit, conversation).await {
            Ok(result) => result,
            // Dropping the child kills it.
            Err(_) => Err(MediaError::TimedOut { program, limit_s: limit.as_secs() }),
        }
    }

    fn spawn(self) -> Result<Child, MediaError> {
        let program = self.program;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut line = wrappers(&path, &self.limits);
        line.push(find_program(program, &path).ok_or(MediaError::ProgramMissing { program })?.into());
        line.extend(["-hide_banner", "-v", "error", "-max_alloc"].map(OsString::from));
        line.push(ALLOCATION_BYTES_MAX.to_string().into());
        line.extend(self.arguments);
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: Ctrl-C on our terminal is ours to handle, and then ends the child through this handle.
        command.process_group(0).kill_on_drop(true);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        command.spawn().map_err(|source| MediaError::Run { program, source })
    }
}

/// Threads that an encoder may use on this machine.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get().min(THREADS_MAX))
}

/// Full path of a program, looked up in `path` (the form of the `PATH` variable).
pub(crate) fn find_program(program: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn wrappers(path: &OsStr, limits: &Limits) -> Vec<OsString> {
    static WARNED: Once = Once::new();
    let mut line: Vec<OsString> = Vec::new();
    if let Some(prlimit) = find_program("prlimit", path) {
        let processor_s = limits.time.as_secs().max(1) * threads() as u64;
        line.push(prlimit.into());
        line.push(format!("--as={MEMORY_BYTES_MAX}").into());
        line.push(format!("--cpu={processor_s}").into());
        line.push(format!("--fsize={}", limits.file_bytes).into());
        line.push("--core=0".into());
    } else {
        WARNED.call_once(|| tracing::warn!("prlimit is missing: ffmpeg runs without a memory limit"));
    }
    if let Some(nice) = find_program("nice", path) {
        line.extend([nice.into(), "-n".into(), "10".into()]);
    }
    line
}

async fn each_line(
    output: Option<impl AsyncRead + Unpin>,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> std::io::Result<()> {
    let Some(output) = output else { return Ok(()) };
    let mut reader = BufReader::new(output.take(OUTPUT_BYTES_MAX));
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await? > 0 {
        on_line(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(())
}

async fn last_words(errors: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut errors) = errors else { return String::new() };
    let mut kept = VecDeque::with_capacity(2 * LAST_WORDS_BYTES);
    let mut piece = [0u8; LAST_WORDS_BYTES];
    // A pipe that breaks has said all it will say; the exit status tells the rest.
    while let Ok(length @ 1..) = errors.read(&mut piece).await {
        kept.extend(&piece[..length]);
        kept.drain(..kept.len().saturating_sub(LAST_WORDS_BYTES));
    }
    String::from_utf8_lossy(kept.make_contiguous()).into_owned()
}

fn judge(program: &'static str, status: ExitStatus, last_words: &str) -> Result<(), MediaError> {
    if status.success() {
        return Ok(());
    }
    if let Some(signal) = status.signal() {
        return Err(MediaError::Killed { program, signal });
    }
    if let Some(format) = refused_format(last_words) {
        return Err(MediaError::NotAFilm { format });
    }
    Err(MediaError::Failed { program, reason: reason(last_words) })
}

/// The format that our list of formats kept out, if that is why ffmpeg gave up.
fn refused_format(last_words: &str) -> Option<String> {
    let line = last_words.lines().find(|line| line.contains("Format not on whitelist"))?;
    Some(line.trim_start_matches('[').split([' ', ']']).next().unwrap_or_default().to_owned())
}

/// The most telling of the last lines: what a demuxer or codec said rather than the summary ffmpeg closes with.
fn reason(last_words: &str) -> String {
    const SUMMARIES: [&str; 5] = [
        "Invalid data found when processing input",
        "Conversion failed!",
        "Error while filtering",
        "Error writing trailer",
        "Terminating demuxer thread",
    ];
    let lines = || last_words.lines().rev().map(without_origin).filter(|line| !line.is_empty());
    let telling = lines().find(|line| !SUMMARIES.iter().any(|summary| line.contains(summary)));
    telling.or_else(|| lines().next()).unwrap_or("ended without a reason").chars().take(300).collect()
}

/// Cuts `[mov,mp4 @ 0x5581]` and the path of the file off the front of a line.
fn without_origin(line: &str) -> &str {
    let line = line.trim();
    let line = if line.starts_with('[') { line.split_once("] ").map_or(line, |(_, rest)| rest) } else { line };
    if line.starts_with("file:") { line.rsplit_once(": ").map_or(line, |(_, rest)| rest) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_the_demuxer_said() {
        let words = "[mov,mp4 @ 0x55] moov atom not found\nfile:/a: b.mp4: Invalid data found when processing input\n";
        assert_eq!(reason(words), "moov atom not found");
        assert_eq!(reason("file:/a.mp4: Invalid data found when processing input\n"), SUMMARY);
        assert_eq!(reason(""), "ended without a reason");
    }
    const SUMMARY: &str = "Invalid data found when processing input";

    #[test]
    fn a_playlist_is_named() {
        let words = "[hls @ 0x55] Format not on whitelist 'mov'\nfile:/a.m3u8: Invalid argument";
        assert_eq!(refused_format(words).as_deref(), Some("hls"));
        assert_eq!(refused_format("moov atom not found"), None);
    }

    #[test]
    fn a_missing_program_is_not_found() {
        assert_eq!(find_program("ffmpeg", OsStr::new("/nowhere:/neither")), None);
        assert!(find_program("sh", OsStr::new("/nowhere:/bin")).is_some());
    }

    #[tokio::test]
    async fn only_the_end_of_a_flood_is_kept() {
        let flood = "noise\n".repeat(10_000) + "the reason\n";
        let words = last_words(Some(flood.as_bytes())).await;
        assert!(words.len() <= LAST_WORDS_BYTES);
        assert_eq!(reason(&words), "the reason");
    }
}
