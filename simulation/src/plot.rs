//! The plot of `docs/security.md`: income over cost by size, one line for each farm.

use crate::{
    farm::Farm,
    table::{REFERENCE_USD, SIZES, Sweep, VIEWERS, grouped},
};
use plotters::prelude::*;

const SIZE: (u32, u32) = (1000, 640);
/// Colours that differ for people who see few of them (Okabe and Ito), and grey.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(120, 120, 120),
];
/// Income over cost that the axis shows.
const RANGE: std::ops::Range<f64> = 0.000_1..100.0;

/// Draws the plot as an SVG document.
///
/// # Errors
/// When plotters cannot draw it, which no input of ours causes.
pub fn draw(sweep: &Sweep) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let title =
            format!("Income over cost, coins worth ${REFERENCE_USD} for each of {} honest viewers", grouped(VIEWERS));
        let sizes = SIZES[0] as f64..SIZES[SIZES.len() - 1] as f64;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 20))
            .margin(12)
            .margin_right(330)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(sizes.clone().log_scale(), RANGE.log_scale())?;
        chart
            .configure_mesh()
            .x_desc("accounts of the farm")
            .y_desc("income / cost (above 1 it gains)")
            .x_label_formatter(&|accounts| grouped(*accounts as u64))
            .light_line_style(WHITE)
            .draw()?;
        chart.draw_series(LineSeries::new([(sizes.start, 1.0), (sizes.end, 1.0)], BLACK.stroke_width(2)))?;
        let pay = sweep.usd_per_honest_hour(REFERENCE_USD);
        let world = sweep.world(VIEWERS);
        for (number, farm) in Farm::ALL.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let points: Vec<_> = SIZES
                .iter()
                .map(|size| (*size as f64, world.farm(farm, *size, pay).income_over_cost.clamp(RANGE.start, RANGE.end)))
                .collect();
            chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
            // Each round of colours has marks of its own.
            match number / COLOURS.len() {
                0 => chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, colour.filled())))?,
                1 => {
                    chart.draw_series(points.into_iter().map(|point| Circle::new(point, 4, colour.stroke_width(1))))?
                }
                _ => chart.draw_series(points.into_iter().map(|point| Cross::new(point, 5, colour.stroke_width(2))))?,
            };
        }
        legend(&area)?;
        area.present()?;
    }
    Ok(svg)
}

/// The names beside the plot, each with its line and mark.
fn legend(area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> anyhow::Result<()> {
    let left = SIZE.0 as i32 - 325;
    for (number, farm) in Farm::ALL.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        // Some twenty lines.
        let y = 50 + 25 * number as i32;
        area.draw(&PathElement::new([(left, y), (left + 24, y)], colour.stroke_width(2)))?;
        match number / COLOURS.len() {
            0 => area.draw(&Circle::new((left + 12, y), 4, colour.filled()))?,
            1 => area.draw(&Circle::new((left + 12, y), 4, colour.stroke_width(1)))?,
            _ => area.draw(&Cross::new((left + 12, y), 5, colour.stroke_width(2)))?,
        }
        area.draw(&Text::new(farm.name, (left + 32, y - 6), ("sans-serif", 13)))?;
    }
    Ok(())
}
