//! Parity: how fast one core computes the pieces of a stripe.
//!
//! Cells are in memory, and coded slice by slice as a publisher, or whoever mends a stripe, does. Rates are of the bytes that go
//! in, four pieces of them. Recovery is at its hardest: four parity cells give the four cells, and what comes out is compared
//! with what went in. Not in it: reading, sealing, names.

use crate::{draw::Draw, report::Metrics, stopwatch::Stopwatch};
use anyhow::{Result, ensure};
use chainflix_parity::{CELL_PIECES, PARITY_PIECES, Recovery, SLICE_BYTES};
use clap::Args;
use std::time::Duration;

/// The pieces from which cells are recovered.
const LAST_PIECES: [usize; 4] = [6, 7, 8, 9];

#[derive(Args)]
pub struct Parity {
    /// Slices of 1 MiB that each cell has
    #[arg(long, default_value_t = 64)]
    slices: usize,
}

impl Parity {
    pub fn run(&self, metrics: &mut Metrics) -> Result<()> {
        let mut encoding = Recovery::new(CELL_PIECES, &PARITY_PIECES)?;
        let mut recovering = Recovery::new(LAST_PIECES, &CELL_PIECES)?;
        let mut draw = Draw::new("parity");
        let mut cells = CELL_PIECES.map(|_| vec![0; SLICE_BYTES]);
        let (mut encoded, mut recovered) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..self.slices {
            cells.iter_mut().for_each(|cell| draw.fill(cell));
            let watch = Stopwatch::start();
            let parity = encoding.slice(cells.each_ref().map(|cell| &cell[..]))?;
            encoded += watch.elapsed();
            let given = LAST_PIECES.map(|piece| &parity[piece - CELL_PIECES.len()][..]);
            let watch = Stopwatch::start();
            let found = recovering.slice(given)?;
            recovered += watch.elapsed();
            ensure!(found == cells, "parity gave other cells back");
        }
        let megabytes = (self.slices * CELL_PIECES.len() * SLICE_BYTES) as f64 / 1e6;
        metrics.add("parity_encode_mb_per_s", megabytes / encoded.as_secs_f64());
        metrics.add("parity_recover_mb_per_s", megabytes / recovered.as_secs_f64());
        Ok(())
    }
}
