//! Builds the gateway again when the web app was built again.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Cargo takes a watched path that does not exist for changed, each time: before the first build of the web app the
    // nearest folder that will hold it is watched instead.
    let folders = ["../../web/apps/site/dist", "../../web/apps/site", "../../web/apps", "../../web"];
    if let Some(folder) = folders.into_iter().find(|folder| Path::new(folder).is_dir()) {
        println!("cargo::rerun-if-changed={folder}");
    }
}
