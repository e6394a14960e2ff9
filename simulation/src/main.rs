//! Prints the tables of `docs/security.md` and `docs/storage.md`, or writes them and a plot into the tree.

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
    /// Write the generated parts of security.md and storage.md, and images/security.svg, in this folder instead of printing
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
}

fn main() -> Result<()> {
    let sweep = Sweep::standard();
    let pages: [(&str, Vec<(&str, String)>); 2] =
        [("security.md", document::parts(&sweep).into()), ("storage.md", document::storage_parts())];
    let Some(folder) = Cli::parse().write else {
        for (name, text) in pages.into_iter().flat_map(|(_, parts)| parts) {
            println!("{name}\n\n{text}");
        }
        return Ok(());
    };
    for (name, parts) in pages {
        let page = folder.join(name);
        let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        let text = document::refresh(&text, &parts).with_context(|| format!("{name} has lost a marker"))?;
        fs::write(&page, text).with_context(|| format!("cannot write {}", page.display()))?;
        println!("wrote {}", page.display());
    }
    let picture = folder.join("images/security.svg");
    fs::write(&picture, plot::draw(&sweep)?).with_context(|| format!("cannot write {}", picture.display()))?;
    println!("wrote {}", picture.display());
    Ok(())
}
