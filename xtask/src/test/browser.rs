//! Plays a film from a real network in a real browser.
//!
//! ```text
//! ffmpeg ─▶ film ─▶ chainflix demo (20 times real time, free ports) ── "ready" ──▶ Playwright in Chromium
//! ```
//!
//! The demo stops when its standard input ends, so it goes whatever ends this process.

use crate::{
    program::{find, run},
    workspace::Workspace,
};
use anyhow::{Context as _, Result, bail};
use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Eight cells at 20 times real time.
const FILM_S: u32 = 24;

pub fn play(workspace: &Workspace) -> Result<()> {
    // With the tests, so that the features are those of the steps before.
    run(workspace.cargo(&["build", "--workspace", "--bins", "--tests"]))?;
    let folder = workspace.kept().join("browser");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let film = make_film(&folder)?;
    let data = folder.join("demo");
    let demo = Demo::start(workspace, &data, &film)?;
    let mut test = workspace.npm("web", &["run", "e2e"]);
    test.env("DEMO_JSON", data.join("demo.json"));
    if env::var_os("CHROMIUM").is_none() {
        test.env("CHROMIUM", find("chromium").context("chromium is missing")?);
    }
    run(test).with_context(|| format!("the network's logs are in {}", data.join("logs").display()))?;
    demo.stop()
}

/// A moving test picture with a running clock, and a tone.
fn make_film(folder: &Path) -> Result<PathBuf> {
    let film = folder.join("test-picture.mp4");
    let pictures = format!("testsrc2=size=640x360:rate=25:duration={FILM_S}");
    let tone = format!("sine=frequency=440:sample_rate=48000:duration={FILM_S}");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", &pictures, "-f", "lavfi", "-i", &tone]);
    ffmpeg
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac"])
        .arg(&film);
    run(ffmpeg)?;
    Ok(film)
}

/// A network in the background.
struct Demo(Child);

impl Demo {
    /// Starts a network and waits until it is ready.
    fn start(workspace: &Workspace, data: &Path, film: &Path) -> Result<Self> {
        let mut command = Command::new(workspace.chainflix());
        command.args(["demo", "--fast", "20", "--port-base", "0", "--until-stdin-closes", "--data"]).arg(data);
        command.arg("--film").arg(film).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut demo = Self(command.spawn().context("chainflix demo cannot be started")?);
        let lines = demo.0.stdout.take().context("chainflix demo has no output")?;
        for line in BufReader::new(lines).lines() {
            let line = line.context("chainflix demo cannot be read")?;
            eprintln!("{line}");
            if line.starts_with("ready ") {
                return Ok(demo);
            }
        }
        bail!("chainflix demo ended before it was ready")
    }

    /// Stops the network, in order.
    fn stop(mut self) -> Result<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait().context("chainflix demo is lost")?;
        if status.success() { Ok(()) } else { bail!("chainflix demo ended with {status}") }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _already_waited_for = self.0.wait();
    }
}
