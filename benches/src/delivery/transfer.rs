//! One delivery after the other over loopback: ours, a bare iroh stream and nginx with curl, in turns.
//!
//! ```text
//! ours   disk ─ checked ─ layer ─▶ QUIC ─▶ verified ─ stripped ─ opened ─▶ memory    two tasks of this process
//! bare   memory ─────────────────▶ QUIC ─▶ nothing                                   two tasks of this process
//! nginx  disk ───────────────────▶ TLS ──▶ nothing                                   two processes
//! ```
//!
//! In turns, because a machine is not equally busy all the time; each ratio is of one turn, and the middle one counts.
//! Files are in the system's cache. Nobody writes one: a viewer hands what it opened to a decoder.

use super::{
    Delivery,
    chain::{Chain, Identity},
    cost::{Cost, Meter, median},
    film::{Film, Shape},
    nginx::Nginx,
    provider::Peer,
    raw::Raw,
};
use crate::report::Metrics;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use chainflix_overlay::{CellStream, NodeKey, Overlay, OverlayConfig, fetch_cell};
use chainflix_viewer::{Film as Watched, Playback, Viewer};
use std::{
    hint::black_box,
    net::Ipv4Addr,
    path::Path,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// Bytes of a cell: a minute of good 1080p.
const CELL_BYTES: u64 = 32 << 20;
/// What counts as a beginning.
const FIRST_BYTES: u64 = 64 << 10;

/// Between two requests at rest: what was on its way when a delivery was given up has come by then.
const REST: Duration = Duration::from_millis(30);

/// A provider, a viewer, and the film between them.
struct Ours {
    film: Film,
    chain: Chain,
    identity: Identity,
    watched: Watched,
    viewer: Overlay,
    _peer: Peer,
}

/// Measures everything that needs no more than loopback.
pub fn run(bench: &Delivery, folder: &Path, metrics: &mut Metrics) -> Result<()> {
    let runtime = Runtime::new().context("no runtime")?;
    let scratch = tempfile::tempdir_in(folder).context("no folder to work in")?;
    let cells = bench.transfer_mib.div_ceil(CELL_BYTES >> 20);
    let shape = Shape { cells: u32::try_from(cells)?, cell_ms: 60_000, cell_bytes: CELL_BYTES };
    let ours = runtime.block_on(Ours::start(&shape, scratch.path()))?;
    let nginx = Nginx::start(&scratch.path().join("nginx"), &ours.film.sealed);
    if let Err(error) = &nginx {
        metrics.skip("cell_vs_nginx_tls", &format!("{error:#}"));
    }
    turns(bench, &runtime, &ours, nginx.ok(), metrics)?;
    runtime.block_on(ours.beginnings(bench.requests, metrics))
}

fn turns(bench: &Delivery, runtime: &Runtime, ours: &Ours, nginx: Option<Nginx>, metrics: &mut Metrics) -> Result<()> {
    let cell = Bytes::from(ours.film.sealed.first().context("a film without cells")?.clone());
    let raw = runtime.block_on(Raw::start(cell))?;
    let cells = u32::try_from(ours.film.sealed.len())?;
    let mut turns = Vec::new();
    // The first turn warms up: connections open their windows, files come into the cache.
    for turn in 0..=bench.rounds {
        let bare = measure(|| runtime.block_on(raw.pass(cells)))?;
        let own = measure(|| runtime.block_on(ours.pass()))?;
        let tls = nginx.as_ref().map(|nginx| measure(|| nginx.pass())).transpose()?;
        ensure!(bare.bytes == own.bytes && tls.is_none_or(|tls| tls.bytes == own.bytes), "not the same bytes");
        if turn > 0 {
            turns.push((own, bare, tls));
        }
    }
    runtime.block_on(raw.close());
    report(&turns, metrics)
}

/// Notes the middle of each figure over all turns.
fn report(turns: &[(Cost, Cost, Option<Cost>)], metrics: &mut Metrics) -> Result<()> {
    let mut add = |key: &str, figures: Vec<f64>| -> Result<()> {
        metrics.add(key, median(figures).context("no turn was measured")?);
        Ok(())
    };
    let of = |figure: fn(&Cost, &Cost) -> f64| turns.iter().map(|(own, bare, _)| figure(own, bare)).collect();
    add("cell_vs_raw_iroh", of(|own, bare| own.mb_per_s() / bare.mb_per_s()))?;
    add("cpu_vs_raw_iroh", of(|own, bare| own.cpu_s_per_gb() / bare.cpu_s_per_gb()))?;
    add("cell_mb_per_s", of(|own, _| own.mb_per_s()))?;
    add("raw_iroh_mb_per_s", of(|_, bare| bare.mb_per_s()))?;
    add("cell_cpu_s_per_gb", of(|own, _| own.cpu_s_per_gb()))?;
    add("raw_iroh_cpu_s_per_gb", of(|_, bare| bare.cpu_s_per_gb()))?;
    let tls: Vec<(Cost, Cost)> = turns.iter().filter_map(|(own, _, tls)| Some((*own, (*tls)?))).collect();
    if !tls.is_empty() {
        add("cell_vs_nginx_tls", tls.iter().map(|(own, tls)| own.mb_per_s() / tls.mb_per_s()).collect())?;
        add("nginx_tls_mb_per_s", tls.iter().map(|(_, tls)| tls.mb_per_s()).collect())?;
    }
    Ok(())
}

fn measure(pass: impl FnOnce() -> Result<u64>) -> Result<Cost> {
    let meter = Meter::start()?;
    let bytes = pass()?;
    meter.stop(bytes)
}

impl Ours {
    async fn start(shape: &Shape, scratch: &Path) -> Result<Self> {
        let (film, chain, identity) = (Film::new(shape)?, Chain::new()?, Identity::provider(0)?);
        let local = (Ipv4Addr::LOCALHOST, 0).into();
        let peer = Peer::start(&identity, &chain, &film, (local, 0), &scratch.join("store")).await?;
        let viewer = Overlay::bind(OverlayConfig::new(NodeKey::from_bytes(&[4; 32]), local)).await?;
        viewer.dialer().learn(&peer.record(&identity)?)?;
        let watched = Viewer::new(&[5; 32], chain.genesis())?.film(film.magnet, &film.manifest.encode())?;
        Ok(Self { film, chain, identity, watched, viewer, _peer: peer })
    }

    /// Asks for a cell. The grant is given: what controller and validator do is not measured here.
    async fn begin(&self, index: u32) -> Result<(Playback, CellStream)> {
        let mut playback = self.watched.cell(index).with_context(|| format!("no cell {index}"))?;
        let request = playback.grant_request(Vec::new(), 0);
        let grant = self.chain.grant(&request.body, &self.film, &(&self.identity).into())?;
        playback.begin_delivery(&grant)?;
        playback.begin_play(&self.chain.answer(&request.body.account, &self.film, index)?)?;
        let stream = fetch_cell(&self.viewer.dialer(), &grant, 0).await?;
        Ok((playback, stream))
    }

    /// Fetches every cell, opened as a decoder wants it; the bytes.
    async fn pass(&self) -> Result<u64> {
        let mut bytes = 0;
        for index in 0..u32::try_from(self.film.sealed.len())? {
            let (mut playback, mut stream) = self.begin(index).await?;
            let mut opened = 0;
            while let Some(part) = stream.next().await? {
                playback.push(&part)?;
                if playback.verified_end() > opened {
                    black_box(playback.read(opened, playback.verified_end())?);
                    opened = playback.verified_end();
                }
            }
            ensure!(playback.is_complete(), "cell {index} did not come whole");
            let receipt = playback.end_delivery().context("nothing to sign for")?;
            stream.finish(receipt.body.end, receipt.body.delivered_hash).await?;
            bytes += opened;
        }
        Ok(bytes)
    }

    /// Times from the request to the first 64 KiB that are verified, on a connection that stands: at rest, and while
    /// what is left of another delivery still comes, as after a jump in the film.
    async fn beginnings(&self, requests: usize, metrics: &mut Metrics) -> Result<()> {
        for (name, rest) in [("first_64k", REST), ("jump_64k", Duration::ZERO)] {
            let mut times = Vec::with_capacity(requests);
            let cells = u32::try_from(self.film.sealed.len())?;
            for request in 0..requests {
                times.push(self.beginning(u32::try_from(request)? % cells).await?);
                tokio::time::sleep(rest).await;
            }
            times.sort_unstable();
            let ms = |percent: usize| times.get(requests * percent / 100).map(|time| time.as_secs_f64() * 1_000.0);
            metrics.add(&format!("{name}_p95_ms"), ms(95).context("nobody asked")?);
            metrics.add(&format!("{name}_p50_ms"), ms(50).context("nobody asked")?);
        }
        Ok(())
    }

    async fn beginning(&self, index: u32) -> Result<Duration> {
        let began = Instant::now();
        let (mut playback, mut stream) = self.begin(index).await?;
        while playback.verified_end() < FIRST_BYTES {
            let part = stream.next().await?.context("a cell ended before its beginning")?;
            playback.push(&part)?;
        }
        Ok(began.elapsed())
    }
}
