//! Shows how far a publication is: a bar on a terminal, a line every tenth elsewhere.

use crate::output::note;
use chainflix_node::publish::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::{Mutex, PoisonError};

/// Length of a bar; what is measured is a part of it.
const STEPS: u64 = 1_000;
/// Steps between two lines where there is no terminal.
const LINE_STEPS: u64 = STEPS / 10;

/// What a line or bar is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Converting,
    Uploading,
    Coding,
    Registering,
}

/// Where a publication stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    stage: Stage,
    /// Of [`STEPS`].
    steps: u64,
}

/// Shows the progress of one publication.
pub struct Meter {
    bar: ProgressBar,
    told: Mutex<Option<Mark>>,
}

impl Meter {
    /// A bar on standard error.
    pub fn new() -> Self {
        let bar = ProgressBar::new(STEPS);
        // The template is a constant, and a bad one would only look worse.
        let style = ProgressStyle::with_template("{msg:28} {bar:40} {percent:>3} %  {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, told: Mutex::new(None) }
    }

    /// Shows where the publication stands.
    pub fn show(&self, progress: Progress) {
        let (mark, words) = read(progress);
        if self.bar.is_hidden() {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if is_worth_a_line(*told, mark) {
                *told = Some(mark);
                note(format_args!("{words}, {} %", mark.steps * 100 / STEPS));
            }
            return;
        }
        self.bar.set_message(words);
        self.bar.set_position(mark.steps);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn read(progress: Progress) -> (Mark, String) {
    match progress {
        Progress::Converting { fraction } => {
            // Between 0 and STEPS, whatever comes: `as` saturates and takes NaN for 0.
            let steps = (fraction * STEPS as f32) as u64;
            (Mark { stage: Stage::Converting, steps: steps.min(STEPS) }, "converting".to_owned())
        }
        Progress::Uploading { done_bytes, total_bytes } => {
            by_bytes(Stage::Uploading, "storing", done_bytes, total_bytes)
        }
        Progress::Coding { done_bytes, total_bytes } => by_bytes(Stage::Coding, "coding", done_bytes, total_bytes),
        Progress::Registering => (Mark { stage: Stage::Registering, steps: STEPS }, "registering".to_owned()),
    }
}

fn by_bytes(stage: Stage, verb: &str, done_bytes: u64, total_bytes: u64) -> (Mark, String) {
    let steps = (u128::from(done_bytes) * u128::from(STEPS)).checked_div(total_bytes.into());
    // At most STEPS.
    let steps = steps.unwrap_or_default().min(STEPS.into()) as u64;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    (Mark { stage, steps }, format!("{verb} {:.1} of {:.1} MB", megabytes(done_bytes), megabytes(total_bytes)))
}

fn is_worth_a_line(told: Option<Mark>, now: Mark) -> bool {
    told.is_none_or(|told| told.stage != now.stage || told.steps / LINE_STEPS < now.steps / LINE_STEPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_for_every_stage_and_tenth() {
        let at = |fraction| read(Progress::Converting { fraction }).0;
        assert!(is_worth_a_line(None, at(0.0)));
        assert!(!is_worth_a_line(Some(at(0.11)), at(0.19)));
        assert!(is_worth_a_line(Some(at(0.11)), at(0.2)));
        let uploading = |done_bytes| read(Progress::Uploading { done_bytes, total_bytes: 9 }).0;
        assert!(is_worth_a_line(Some(at(1.0)), uploading(0)));
        assert!(is_worth_a_line(Some(uploading(9)), read(Progress::Coding { done_bytes: 9, total_bytes: 9 }).0));
    }

    #[test]
    fn odd_progress_stays_within_the_bar() {
        for fraction in [f32::NAN, -1.0, 2.0] {
            assert!(read(Progress::Converting { fraction }).0.steps <= STEPS);
        }
        assert_eq!(read(Progress::Uploading { done_bytes: 3, total_bytes: 0 }).0.steps, 0);
        assert_eq!(read(Progress::Uploading { done_bytes: u64::MAX, total_bytes: 1 }).0.steps, STEPS);
    }
}
