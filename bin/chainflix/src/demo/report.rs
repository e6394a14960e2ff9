//! What runs where: a table for people, and `DIR/demo.json` for scripts.
//!
//! The file is replaced in one step, so a reader never sees half of it. It is written when the demo is ready, and again
//! when a process was started anew, a film was published, or the demo stopped.

use super::{
    audit::Baseline,
    crew::Process,
    folder::Folder,
    preflight::Transport,
    setup::{Accounts, Film},
    viewer::Viewer,
};
use crate::output::say;
use anyhow::{Context as _, Result};
use chainflix_node::network::Layout;
use chainflix_primitives::{AccountAddress, ProtocolParams};
use serde::Serialize;
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
};

/// What the demo knows of itself.
pub struct Report {
    network: Network,
    baseline: Baseline,
    films: Vec<Film>,
}

/// What never changes while it runs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    chain_id: u64,
    genesis_time_ms: u64,
    params: ProtocolParams,
    web: String,
    /// The first validator's.
    rpc: String,
    rpcs: Vec<String>,
    network: PathBuf,
    accounts: Accounts,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    state: &'static str,
    pid: u32,
    #[serde(flatten)]
    network: &'a Network,
    processes: Vec<ProcessJson<'a>>,
    films: &'a [Film],
    viewer: Option<ViewerJson>,
    baseline: &'a Baseline,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessJson<'a> {
    name: &'a str,
    role: &'a str,
    pid: Option<u32>,
    restarts: u32,
    listens: Vec<ListenJson>,
    log: &'a Path,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListenJson {
    what: &'static str,
    transport: Transport,
    address: SocketAddr,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ViewerJson {
    pid: Option<u32>,
    account: Option<AccountAddress>,
    accepted: u32,
    refused: u32,
    broke: u32,
    stalled_ms: u64,
}

/// It cannot be used yet.
pub const STARTING: &str = "starting";
const READY: &str = "ready";
/// Nothing runs any more.
pub const STOPPED: &str = "stopped";

impl Report {
    /// A report about a network that is ready.
    pub fn new(layout: &Layout, accounts: Accounts, baseline: Baseline, films: Vec<Film>) -> Self {
        let network = Network {
            chain_id: layout.genesis.chain_id,
            genesis_time_ms: layout.genesis.genesis_time_ms,
            params: layout.genesis.params.clone(),
            web: layout.web_url.clone(),
            rpc: layout.rpcs.first().cloned().unwrap_or_default(),
            rpcs: layout.rpcs.clone(),
            network: layout.dir.clone(),
            accounts,
        };
        Self { network, baseline, films }
    }

    pub fn films(&self) -> &[Film] {
        &self.films
    }

    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Takes a new list of films; whether it differs.
    pub fn set_films(&mut self, films: Vec<Film>) -> bool {
        let differs = self.films != films;
        self.films = films;
        differs
    }

    /// Writes `demo.json`.
    pub fn write(&self, folder: &Folder, processes: &[Process], viewer: Option<&Viewer>) -> Result<()> {
        let json = Json {
            state: READY,
            pid: process::id(),
            network: &self.network,
            processes: processes.iter().map(ProcessJson::of).collect(),
            films: &self.films,
            viewer: viewer.map(ViewerJson::of),
            baseline: &self.baseline,
        };
        replace(&folder.report(), &serde_json::to_value(json)?)
    }

    /// Says what runs where.
    pub fn say_table(&self, processes: &[Process]) {
        for row in table(processes) {
            say(row);
        }
        for film in &self.films {
            let state = if film.taken_down { " (taken down)" } else { "" };
            say(format_args!("film \"{}\"{state}: {}", film.title, film.uri));
        }
        say(format_args!("chain id {}, JSON-RPC at {}", self.network.chain_id, self.network.rpc));
    }
}

impl<'a> ProcessJson<'a> {
    fn of(process: &'a Process) -> Self {
        let listen = |listen: &super::preflight::Listen| ListenJson {
            what: listen.what,
            transport: listen.transport,
            address: listen.address,
        };
        Self {
            name: &process.name,
            role: process.role,
            pid: process.pid,
            restarts: process.restarts,
            listens: process.listens.iter().map(listen).collect(),
            log: &process.log,
        }
    }
}

impl ViewerJson {
    fn of(viewer: &Viewer) -> Self {
        let tally = viewer.tally();
        Self {
            pid: viewer.pid(),
            account: viewer.account(),
            accepted: tally.accepted,
            refused: tally.refused,
            broke: tally.broke,
            stalled_ms: tally.stalled_ms,
        }
    }
}

/// Whether the file says that a demo runs; after a kill it still does.
pub fn was_running(report: &Path) -> bool {
    read(report).is_some_and(|json| json["state"] != STOPPED)
}

/// Writes another state into `demo.json`, and that no process runs. Before the first start there is nothing to change.
pub fn mark(folder: &Folder, state: &str) -> Result<()> {
    let Some(mut json) = read(&folder.report()) else { return Ok(()) };
    json["state"] = state.into();
    json["viewer"] = Value::Null;
    for process in json["processes"].as_array_mut().into_iter().flatten() {
        process["pid"] = Value::Null;
    }
    replace(&folder.report(), &json)
}

fn read(report: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(report).ok()?).ok()
}

fn replace(path: &Path, json: &Value) -> Result<()> {
    let partial = path.with_extension("json.partial");
    let written = fs::write(&partial, format!("{json:#}\n")).and_then(|()| fs::rename(&partial, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The rows of the table: process, what it does, where, and its process id.
fn table(processes: &[Process]) -> Vec<String> {
    let head = ["process", "what", "address", "pid"].map(str::to_owned);
    let rows = processes.iter().map(|process| {
        let address = process.listens.iter().map(ToString::to_string).next().unwrap_or_default();
        let pid = process.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        [process.name.clone(), what(process.role).to_owned(), address, pid]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [0, 1, 2].map(width);
    let line = |[name, what, address, pid]: &[String; 4]| {
        format!("{name:0$}  {what:1$}  {address:2$}  {pid}", widths[0], widths[1], widths[2])
    };
    rows.iter().map(line).collect()
}

fn what(role: &str) -> &'static str {
    match role {
        "validator" => "makes blocks, JSON-RPC",
        "relay" => "passes on what cannot go directly",
        "controller" => "knows who holds which cell",
        "provider" => "keeps and serves cells",
        _ => "web app",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_is_in_columns() {
        let process = |name: &str, role, pid| Process {
            name: name.into(),
            role,
            listens: Vec::new(),
            log: "log".into(),
            pid,
            restarts: 0,
        };
        let rows = table(&[process("validator-0", "validator", Some(77)), process("relay", "relay", None)]);
        let column = rows[0].find("pid").unwrap();
        assert!(rows[1][column..].starts_with("77") && rows[2][column..].starts_with('-'), "{rows:#?}");
    }

    #[test]
    fn a_stopped_demo_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::take(dir.path()).unwrap();
        mark(&folder, STOPPED).unwrap();
        assert!(!folder.report().exists());
        replace(&folder.report(), &json!({"state": "ready", "processes": [{"name": "relay", "pid": 7}]})).unwrap();
        assert!(was_running(&folder.report()));
        mark(&folder, STARTING).unwrap();
        assert!(was_running(&folder.report()), "its processes may run");
        mark(&folder, STOPPED).unwrap();
        assert!(!was_running(&folder.report()));
        assert_eq!(read(&folder.report()).unwrap()["processes"], json!([{"name": "relay", "pid": null}]));
    }
}
