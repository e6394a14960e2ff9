//! Prints the tables and the plot of `docs/security.md`, or writes them into the tree.

use anyhow::{Context as _, Result};
use chainflix_simulation::{document, plot, table::Sweep};
use clap::Parser;
use std::{fs, path::PathBuf};

#[derive(Parser)]
#[command(
    name = "chainflix-simulation",
    about = "Sweeps the economics of fake views: what a farm costs, what it earns, at which price it starts to pay.",
    after_help = "Example: chainflix-simulation --write docs"
)]
struct Cli {
    /// Write security.md's generated parts and images/security.svg in this folder instead of printing
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
}

fn main() -> Result<()> {
    let sweep = Sweep::standard();
    let Some(folder) = Cli::parse().write else {
        for (name, text) in document::parts(&sweep) {
            println!("{name}\n\n{text}");
        }
        return Ok(());
    };
    let page = folder.join("security.md");
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let text = document::refresh(&text, &document::parts(&sweep)).context("security.md has lost a marker")?;
    fs::write(&page, text).with_context(|| format!("cannot write {}", page.display()))?;
    let picture = folder.join("images/security.svg");
    fs::write(&picture, plot::draw(&sweep)?).with_context(|| format!("cannot write {}", picture.display()))?;
    println!("wrote {} and {}", page.display(), picture.display());
    Ok(())
}
