//! Finds a film to try Chainflix with; none is part of this repository.

use crate::child::{Limits, Run, find_program};
use crate::error::MediaError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Debian's package with a real film in it: three minutes, 480x352, H.264 and AAC.
const PACKAGE: &str = "openboard-common";
/// Name of that film inside of the package.
const FILM: &str = "wannaworktogether.mp4";
/// Length of the film that is generated where the package cannot be had, in seconds.
const GENERATED_S: u32 = 150;
/// How long apt may take, in seconds: it is a convenience, not worth a long wait.
const FETCH_S: u64 = 90;

/// Gives a sample film in `cache`, fetched or generated on the first call and found there by every later one.
pub async fn find_sample(cache: &Path) -> Result<PathBuf, MediaError> {
    std::fs::create_dir_all(cache).map_err(|source| MediaError::folder(cache, source))?;
    let (real, generated) = (cache.join(FILM), cache.join("generated.mp4"));
    if let Some(found) = [&real, &generated].into_iter().find(|path| path.is_file()) {
        tracing::info!(path = %found.display(), "sample film from the cache");
        return Ok(found.clone());
    }
    let work = tempfile::tempdir_in(cache).map_err(|source| MediaError::folder(cache, source))?;
    let (made, kept) = match fetch(work.path()).await {
        Some(film) => {
            tracing::info!(package = PACKAGE, film = FILM, "sample film fetched from Debian");
            (film, real)
        }
        None => {
            tracing::info!(seconds = GENERATED_S, "sample film generated: Debian's package cannot be had here");
            (generate(work.path()).await?, generated)
        }
    };
    // Renamed when complete, so that a cached film is always a whole one.
    std::fs::rename(&made, &kept).map_err(|source| MediaError::folder(&kept, source))?;
    Ok(kept)
}

/// Fetches and unpacks the package; none where there is no apt, no network, no such package.
async fn fetch(work: &Path) -> Option<PathBuf> {
    let fetching = async {
        succeeds(work, "apt-get", &["-qq".as_ref(), "download".as_ref(), PACKAGE.as_ref()]).await?;
        let package = files(work).find(|path| path.extension().is_some_and(|kind| kind == "deb"))?;
        succeeds(work, "dpkg", &["-x".as_ref(), package.as_os_str(), "unpacked".as_ref()]).await?;
        files(&work.join("unpacked")).find(|path| path.file_name().is_some_and(|name| name == FILM))
    };
    tokio::time::timeout(Duration::from_secs(FETCH_S), fetching).await.ok().flatten()
}

async fn succeeds(folder: &Path, program: &str, arguments: &[&std::ffi::OsStr]) -> Option<()> {
    let program = find_program(program, &std::env::var_os("PATH")?)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().await.ok()?.success().then_some(())
}

/// Every regular file below `folder`.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.into_iter()
}

/// Generates a moving test picture with a running clock, and a tone.
async fn generate(work: &Path) -> Result<PathBuf, MediaError> {
    let pictures = format!("testsrc2=size=640x360:rate=25:duration={GENERATED_S}");
    let tone = format!("sine=frequency=440:sample_rate=48000:duration={GENERATED_S}");
    #[rustfmt::skip]
    let arguments = [
        "-nostdin", "-f", "lavfi", "-i", &pictures, "-f", "lavfi", "-i", &tone,
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac", "sample.mp4",
    ]
    .map(OsString::from);
    let limits = Limits { time: Duration::from_secs(600), file_bytes: 1 << 30 };
    let run = Run { program: "ffmpeg", arguments: arguments.into(), folder: Some(work), limits };
    run.run(&mut |_| ()).await?;
    Ok(work.join("sample.mp4"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cached_film_is_taken_as_it_is() {
        let cache = tempfile::tempdir().unwrap();
        let film = cache.path().join(FILM);
        std::fs::write(&film, b"a film").unwrap();
        assert_eq!(find_sample(cache.path()).await.unwrap(), film);
        assert_eq!(files(cache.path()).count(), 1);
    }
}
