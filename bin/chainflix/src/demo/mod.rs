//! `chainflix demo`: a whole network on this machine, each role a process of its own, with a film to watch.
//!
//! ```text
//! checks ─▶ network in DIR/network ─▶ processes ─▶ blocks ─▶ coins, creator, providers ─▶ film ─▶ ready
//! (ports,   (first start only)        (logs in     │                                      (first   │
//!  disk,                               DIR/logs)   │                                       start)  │
//!  ffmpeg)                                         └── until here a process that ends ends it all ─┘
//!
//! ready ─▶ a process that ends is started again ─▶ Ctrl-C, SIGTERM or --exit-after ─▶ every process is told to stop
//! ```
//!
//! The processes read their standard input and stop when it ends, so nothing survives this one, whatever kills it.
//! Everything a script wants to know is in `DIR/demo.json`.
//!
//! | module | what |
//! |---|---|
//! | [`folder`] | what lies where in DIR, and the lock that keeps a second demo out |
//! | [`preflight`] | ports, disk and programs, before anything starts |
//! | [`crew`] | the processes: started, kept running, stopped |
//! | [`setup`] | what the chain must hold before the film can be watched |
//! | [`viewer`] | the viewer of `--headless` |
//! | [`audit`] | the checks behind the exit code of `--exit-after` |
//! | [`report`] | the table and `demo.json` |

mod audit;
mod crew;
mod ethereum;
mod folder;
mod preflight;
mod report;
mod setup;
mod viewer;

use crate::{
    init,
    output::{note, one_line, say, wrong_use},
    run,
};
use anyhow::{Result, bail};
use chainflix_node::network::{Layout, Plan, Ports};
use chainflix_rpc::Client;
use clap::Args;
use crew::{Crew, Event};
use folder::Folder;
use report::Report;
use std::{future, path::PathBuf, time::Duration};
use tokio::time::{Instant, sleep_until};
use viewer::{Sight, Viewer};

/// Where the demo is when nothing else is asked for.
pub const DATA: &str = "data/demo";
const VALIDATORS: u16 = 4;
const CONTROLLERS: u16 = 2;
const PROVIDERS: u16 = 3;
/// Most bytes each provider may use.
const QUOTA_BYTES: u64 = 10_000_000_000;
/// Pause between two looks at the list of films, for `demo.json`.
const LOOK: Duration = Duration::from_secs(2);

/// Start a whole network on this machine, with a film to watch
#[derive(Args)]
#[command(after_help = "Example: chainflix demo --data my-demo --port-base 9000")]
pub struct Demo {
    /// Folder of the network; the next start finds the same chain, films and balances in it
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// Web app at N, JSON-RPC from N+100, the rest from N+200; 0 for any free ports [default: 8080, 8545, 28000]
    #[arg(long, value_name = "N")]
    port_base: Option<u16>,
    /// Watch the film over and over without a browser
    #[arg(long)]
    headless: bool,
    /// End so many seconds after it is ready; exit code 0 when everything that can be checked was right
    #[arg(long, value_name = "SECONDS")]
    exit_after: Option<u64>,
    /// Publish this film instead of the sample, if none is published yet
    #[arg(long, value_name = "FILE")]
    film: Option<PathBuf>,
    /// Who can release keys: every validator, or only a quorum of them together [default: shared]
    #[arg(long, value_enum)]
    keys: Option<init::Keys>,
    /// How many times as fast as real time the protocol's clock runs, for tests
    #[arg(long, hide = true)]
    fast: Option<u64>,
    /// End when standard input ends
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

/// How the demo came to its end.
enum End {
    /// Ctrl-C or SIGTERM.
    Asked,
    /// The time of `--exit-after` is over and every check held.
    Passed,
}

impl Demo {
    pub async fn start(self) -> Result<()> {
        let mut shutdown = run::until_told(self.until_stdin_closes)?;
        if let Some(film) = self.film.as_ref().filter(|film| !film.is_file()) {
            return Err(wrong_use(format!("there is no film at {}", film.display())));
        }
        let folder = Folder::take(&self.data)?;
        preflight::disk(folder.path())?;
        preflight::ffmpeg()?;
        let layout = self.network(&folder).await?;
        report::mark(&folder, report::STARTING)?;
        let mut crew = Crew::start(&layout, &folder)?;
        let end = tokio::select! {
            end = self.conduct(&folder, &layout, &mut crew) => end,
            () = shutdown.requested() => Ok(End::Asked),
        };
        note("stopping");
        crew.stop().await;
        let marked = report::mark(&folder, report::STOPPED);
        match end? {
            End::Passed => marked,
            End::Asked if self.exit_after.is_some() => bail!("interrupted before the end of --exit-after"),
            End::Asked => marked,
        }
    }

    /// The network of the folder; laid out on the first start.
    async fn network(&self, folder: &Folder) -> Result<Layout> {
        if let Some(layout) = folder.network()? {
            self.check_same(&layout)?;
            preflight::ports(&layout, folder.patience()).await?;
            return Ok(layout);
        }
        let plan = Plan {
            validators: VALIDATORS,
            controllers: CONTROLLERS,
            providers: PROVIDERS,
            params: init::params(self.fast)?,
            ports: self.ports()?,
            quota_bytes: QUOTA_BYTES,
            keys: self.keys.unwrap_or_default().into(),
        };
        init::check_ports(&plan)?;
        init::lay_out(&plan, &folder.network_path(), preflight::ports_now)
    }

    fn ports(&self) -> Result<Ports> {
        match self.port_base {
            None => Ok(Ports::default()),
            Some(0) => preflight::free_ports(),
            Some(base) => ports_from(base),
        }
    }

    /// Flags that only count on the first start must not silently mean nothing later.
    fn check_same(&self, layout: &Layout) -> Result<()> {
        let elsewhere = "name another folder with --data";
        let wanted = self.port_base.filter(|base| *base != 0).map(ports_from).transpose()?;
        let web = layout.web_url.clone();
        if wanted.is_some_and(|ports| web != format!("http://127.0.0.1:{}", ports.web)) {
            return Err(wrong_use(format!(
                "the network in {} has its web app at {web}; leave --port-base out, or {elsewhere}",
                layout.dir.display()
            )));
        }
        if self.keys.is_some_and(|keys| !keys.is(&layout.genesis.keys)) {
            return Err(wrong_use(format!(
                "the network in {} releases its keys another way; leave --keys out, or {elsewhere}",
                layout.dir.display()
            )));
        }
        if self.fast.is_some() && init::params(self.fast)? != layout.genesis.params {
            return Err(wrong_use(format!("the network in {} has another clock; {elsewhere}", layout.dir.display())));
        }
        Ok(())
    }

    /// Brings the network up, says so, and keeps it up.
    async fn conduct(&self, folder: &Folder, layout: &Layout, crew: &mut Crew) -> Result<End> {
        let client = Client::new(&layout.rpcs)?;
        let films = crew.guard(setup::prepare(layout, &client, folder, self.film.as_deref())).await?;
        let baseline = audit::Baseline::take(layout, &client).await?;
        let viewer = match films.iter().find(|film| !film.taken_down) {
            Some(film) if self.headless => Some(Viewer::start(film.magnet, folder)?),
            _ => None,
        };
        let report = Report::new(layout, setup::Accounts::of(layout)?, baseline, films);
        report.write(folder, crew.processes(), viewer.as_ref())?;
        report.say_table(crew.processes());
        say(format_args!("ready {}", layout.web_url));
        let mut reign = Reign { folder, layout, client, crew, viewer, report };
        let end = reign.run(self.exit_after.map(Duration::from_secs)).await;
        if let Some(viewer) = reign.viewer.take() {
            viewer.stop().await;
        }
        end
    }
}

fn ports_from(base: u16) -> Result<Ports> {
    let port = |offset| base.checked_add(offset);
    match (port(100), port(200)) {
        (Some(rpc), Some(inner)) => Ok(Ports { web: base, rpc, inner }),
        _ => Err(wrong_use(format!("--port-base {base} leaves no room for the ports above it"))),
    }
}

/// The time from `ready` to the end.
struct Reign<'a> {
    folder: &'a Folder,
    layout: &'a Layout,
    client: Client,
    crew: &'a mut Crew,
    viewer: Option<Viewer>,
    report: Report,
}

impl Reign<'_> {
    async fn run(&mut self, limit: Option<Duration>) -> Result<End> {
        let began = Instant::now();
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                event = self.crew.next() => self.on_process(&event)?,
                sight = next_sight(&mut self.viewer) => self.on_sight(&sight)?,
                _ = looks.tick() => self.look_at_films().await?,
                () = until(limit.map(|limit| began + limit)) => return self.check(began.elapsed()).await,
            }
        }
    }

    fn on_process(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Ended { .. } => note(event),
            Event::Started { .. } => {}
        }
        self.write()
    }

    fn on_sight(&mut self, sight: &Sight) -> Result<()> {
        note(format_args!("viewer: {sight}"));
        self.write()
    }

    async fn look_at_films(&mut self) -> Result<()> {
        // Validators may be restarting; the list is looked at again soon.
        let Ok(films) = setup::films(&self.client).await else { return Ok(()) };
        if self.report.set_films(films) { self.write() } else { Ok(()) }
    }

    fn write(&self) -> Result<()> {
        self.report.write(self.folder, self.crew.processes(), self.viewer.as_ref())
    }

    /// Everything that can be checked from outside; the last word on the exit code.
    async fn check(&mut self, ran: Duration) -> Result<End> {
        let watched = self.viewer.as_ref().map(Viewer::tally);
        let films = self.report.films();
        let audit = audit::Audit {
            layout: self.layout,
            client: &self.client,
            baseline: self.report.baseline(),
            films,
            watched,
            ran,
        };
        let mut failed = Vec::new();
        for (name, outcome) in audit.run(self.crew.processes()).await {
            match outcome {
                Ok(words) => note(format_args!("check {name}: right ({words})")),
                Err(error) => {
                    note(format_args!("check {name}: WRONG ({})", one_line(&error)));
                    failed.push(name);
                }
            }
        }
        if failed.is_empty() {
            return Ok(End::Passed);
        }
        bail!("wrong at the end: {}; the logs are in {}", failed.join(", "), self.folder.logs().display())
    }
}

/// Ends at `deadline`; never without one.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => future::pending().await,
    }
}

/// What the viewer sees next; never without one.
async fn next_sight(viewer: &mut Option<Viewer>) -> Sight {
    match viewer {
        Some(viewer) => viewer.next().await,
        None => future::pending().await,
    }
}
