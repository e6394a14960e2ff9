//! `cargo xtask cheat`: builds everything, makes a short film, and lets `chainflix-cheat` attack a network.

use crate::{machine, program, workspace::Workspace};
use anyhow::{Context as _, Result};
use clap::Args;
use std::{fs, path::PathBuf, process::Command};

/// Six cells at eight times real time.
const FILM_S: u32 = 45;

#[derive(Args)]
pub struct Cheat {
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only attacks with this in their name
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// Put the table into docs/security.md
    #[arg(long, conflicts_with = "only")]
    write: bool,
}

impl Cheat {
    pub fn start(self, workspace: &Workspace) -> Result<()> {
        machine::packages(&machine::BUILD)?;
        program::run(workspace.cargo(&["build", "--workspace", "--bins"]))?;
        let folder = workspace.kept().join("cheat");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let film = folder.join("film.mp4");
        if !film.is_file() {
            program::run(make_film(&film))?;
        }
        let mut cheat = Command::new(workspace.built("chainflix-cheat"));
        cheat.arg("--film").arg(&film);
        if let Some(json) = &self.json {
            cheat.arg("--json").arg(json);
        }
        if let Some(only) = &self.only {
            cheat.arg("--only").arg(only);
        }
        if self.write {
            cheat.arg("--document").arg(workspace.root().join("docs/security.md"));
        }
        program::run(cheat)
    }
}

/// A moving test picture and a tone, with a key frame each second, so that cells can be cut without encoding again.
fn make_film(film: &std::path::Path) -> Command {
    let pictures = format!("testsrc2=size=640x360:rate=25:duration={FILM_S}");
    let tone = format!("sine=frequency=440:sample_rate=48000:duration={FILM_S}");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-y", "-f", "lavfi", "-i", &pictures, "-f", "lavfi", "-i", &tone]);
    ffmpeg
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac"])
        .arg(film);
    ffmpeg
}
