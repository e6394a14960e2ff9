//! The storage controller at the size it was designed for: a million cells on twenty thousand disks.
//!
//! One process builds the picture from events as a controller does, names sources for viewers, loses a part of the
//! providers, and plans the repair of everything they had. Its most memory is that of the whole run.

use crate::{
    draw::Draw,
    report::{Metrics, field},
    stopwatch::Stopwatch,
};
use anyhow::{Context as _, Result, ensure};
use chainflix_placement::{
    Event, Picture, Region,
    rehearsal::{self, Rehearsal},
    repair::{Repair, RepairRules},
    source::{Ask, SourceRules, Sources},
};
use chainflix_primitives::{AccountAddress, BlockHash};
use clap::Args;

#[derive(Args)]
pub struct Placement {
    /// Cells of the network, with three copies each
    #[arg(long, default_value_t = 1_000_000)]
    cells: u32,
    /// Providers of the network
    #[arg(long, default_value_t = 20_000)]
    providers: u32,
    /// Providers that are lost at once, in thousandths
    #[arg(long, default_value_t = 50)]
    lost_permille: u32,
    /// Viewers that ask for a source
    #[arg(long, default_value_t = 200_000)]
    asks: usize,
}

impl Placement {
    pub fn run(self, metrics: &mut Metrics) -> Result<()> {
        let rehearsal = Rehearsal { providers: self.providers, cells: self.cells, ..Rehearsal::default() };
        let mut picture = rehearsal.picture();
        // Beside them there are the parity cells of their stripes.
        let known = (0..self.cells).all(|number| picture.find_cell(&rehearsal::cell(number)).is_some());
        ensure!(known && picture.cell_count() > self.cells as usize, "the picture lacks cells");
        self.sources(&picture, metrics)?;
        self.replan(&mut picture, metrics)?;
        // The list of what is rehearsed is part of it: a controller has at least as many messages in its hands.
        let peak = field("/proc/self/status", "VmHWM").context("the system does not tell the memory of a process")?;
        let kib = peak.trim_end_matches("kB").trim();
        let kib: f64 = kib.parse().with_context(|| format!("not a size: {peak}"))?;
        metrics.add("controller_rss_mib", kib / 1024.0);
        Ok(())
    }

    /// Viewers ask for popular cells, and keep their sources busy.
    fn sources(&self, picture: &Picture, metrics: &mut Metrics) -> Result<()> {
        let mut draw = Draw::new("placement asks");
        let mut sources = Sources::new(SourceRules::default());
        let mut times = Vec::with_capacity(self.asks);
        for _ in 0..self.asks {
            let cell = rehearsal::cell(u32::try_from(draw.popular(self.cells.into()))?);
            let region: Region = if draw.below(2) == 0 { "kr-11".parse()? } else { "de-be".parse()? };
            let ask = Ask { viewer: AccountAddress(draw.bytes()), region, cell: &cell, excluded: &[] };
            let watch = Stopwatch::start();
            let named = sources.name(0, picture, &BlockHash([7; 32]), &ask, 3);
            times.push(watch.elapsed());
            sources.begun(*named.first().context("a cell has no source")?);
        }
        times.sort_unstable();
        let p99 = times.get(self.asks * 99 / 100).context("nobody asked")?;
        metrics.add("source_answer_p99_ms", p99.as_secs_f64() * 1_000.0);
        Ok(())
    }

    /// Providers are lost, and all they had is planned anew, however long copying takes.
    fn replan(&self, picture: &mut Picture, metrics: &mut Metrics) -> Result<()> {
        let mut repair =
            Repair::new(RepairRules { window_ms: u64::MAX, copies_max: usize::MAX, ..RepairRules::default() });
        let lost = u64::from(self.providers) * u64::from(self.lost_permille) / 1_000;
        let watch = Stopwatch::start();
        for number in 0..u32::try_from(lost)? {
            picture.apply(0, &Event::Lost(rehearsal::node(number)))?;
        }
        let short = picture.short_count();
        let plan = repair.plan(0, picture, &BlockHash([8; 32]));
        metrics.add("replan_s", watch.elapsed().as_secs_f64());
        ensure!(plan.copies.len() >= short && plan.homeless == 0, "cells without a new place: {}", plan.homeless);
        metrics.add("replan_copies", plan.copies.len() as f64);
        let last_ms = plan.copies.iter().map(|copy| copy.start_ms).max().unwrap_or_default();
        metrics.add("replan_carried_out_hours", last_ms as f64 / 3_600_000.0);
        Ok(())
    }
}
