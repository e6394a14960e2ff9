//! Where cells begin, given where fragments begin.
//!
//! Pure. A cell should begin at every multiple of `cell_ms`; it does begin at the standalone fragment nearest to that
//! time. Multiples are absolute, so errors do not add up over a film.

use crate::error::MediaError;
use std::ops::Range;

/// Longest wanted distance of key frames, in milliseconds.
const KEY_FRAME_MS_MAX: u64 = 2_000;

/// How far from its ideal time a border may be, in milliseconds.
pub(crate) fn tolerance_ms(cell_ms: u64) -> u64 {
    (cell_ms / 4).min(KEY_FRAME_MS_MAX)
}

/// Into how many equal parts key frames divide a cell when we encode: one every 2 s, and one at each border.
pub(crate) fn key_frames_per_cell(cell_ms: u64) -> u64 {
    cell_ms.div_ceil(KEY_FRAME_MS_MAX).max(1)
}

/// A film's end shorter than this, in milliseconds, belongs to the cell before it (5 s of a minute).
fn tail_ms_min(cell_ms: u64) -> u64 {
    cell_ms / 12
}

/// One place where a cell could begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Time of the fragment's first picture, in milliseconds.
    pub start_ms: u64,
    /// The fragment decodes without anything before it.
    pub standalone: bool,
}

/// Groups fragments into cells: the index range of each cell, in order, together all of them.
pub(crate) fn cells(fragments: &[Candidate], end_ms: u64, cell_ms: u64) -> Result<Vec<Range<usize>>, MediaError> {
    if !fragments.first().is_some_and(|first| first.standalone) {
        return Err(MediaError::NoKeyFrame { at_ms: 0 });
    }
    let mut cells = Vec::new();
    let mut first = 0;
    let mut ideal_ms = cell_ms;
    while ideal_ms < end_ms {
        let border = nearest(fragments, first + 1, ideal_ms);
        let distance_ms = border.map(|index| fragments[index].start_ms.abs_diff(ideal_ms));
        match border.filter(|_| distance_ms.is_some_and(|ms| ms <= tolerance_ms(cell_ms))) {
            Some(index) if end_ms.saturating_sub(fragments[index].start_ms) < tail_ms_min(cell_ms) => break,
            Some(index) => {
                cells.push(first..index);
                first = index;
            }
            // So close to the end no border was needed.
            None if end_ms - ideal_ms < tail_ms_min(cell_ms) => break,
            None => return Err(MediaError::NoKeyFrame { at_ms: ideal_ms }),
        }
        ideal_ms += cell_ms;
    }
    cells.push(first..fragments.len());
    Ok(cells)
}

/// The standalone fragment at or after index `from` whose start is nearest to `ideal_ms`.
fn nearest(fragments: &[Candidate], from: usize, ideal_ms: u64) -> Option<usize> {
    let later = fragments.partition_point(|fragment| fragment.start_ms < ideal_ms).max(from);
    let standalone = |index: &usize| fragments[*index].standalone;
    let before = (from..later).rev().find(standalone);
    let after = (later..fragments.len()).find(standalone);
    [before, after].into_iter().flatten().min_by_key(|index| fragments[*index].start_ms.abs_diff(ideal_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(step_ms: u64, end_ms: u64) -> Vec<Candidate> {
        (0..end_ms.div_ceil(step_ms)).map(|i| Candidate { start_ms: i * step_ms, standalone: true }).collect()
    }

    fn starts(fragments: &[Candidate], end_ms: u64, cell_ms: u64) -> Vec<u64> {
        let cells = cells(fragments, end_ms, cell_ms).unwrap();
        assert_eq!(cells.iter().map(ExactSizeIterator::len).sum::<usize>(), fragments.len());
        assert!(cells.windows(2).all(|pair| pair[0].end == pair[1].start));
        cells.iter().map(|cell| fragments[cell.start].start_ms).collect()
    }

    #[test]
    fn minutes_begin_at_minutes() {
        assert_eq!(starts(&every(2_000, 180_000), 180_000, 60_000), [0, 60_000, 120_000]);
        assert_eq!(starts(&every(2_000, 30_000), 30_000, 60_000), [0]);
    }

    #[test]
    fn a_short_tail_joins_the_last_cell() {
        assert_eq!(starts(&every(2_000, 124_900), 124_900, 60_000), [0, 60_000]);
        assert_eq!(starts(&every(2_000, 125_100), 125_100, 60_000), [0, 60_000, 120_000]);
    }

    #[test]
    fn the_nearest_key_frame_is_taken_and_errors_do_not_add_up() {
        // Every 3.7 s: 59.2, 118.4 and 181.3 are nearest to the minutes.
        assert_eq!(starts(&every(3_700, 200_000), 200_000, 60_000), [0, 59_200, 118_400, 181_300]);
    }

    #[test]
    fn a_border_without_a_key_frame_is_an_error() {
        let error = cells(&every(9_000, 200_000), 200_000, 60_000).unwrap_err();
        assert!(matches!(error, MediaError::NoKeyFrame { at_ms: 60_000 }));
        let mut fragments = every(2_000, 130_000);
        fragments.iter_mut().for_each(|fragment| fragment.standalone = fragment.start_ms == 0);
        assert!(matches!(cells(&fragments, 130_000, 60_000), Err(MediaError::NoKeyFrame { at_ms: 60_000 })));
        assert!(matches!(cells(&[], 1, 60_000), Err(MediaError::NoKeyFrame { at_ms: 0 })));
    }

    #[test]
    fn key_frames_divide_a_cell_evenly() {
        assert_eq!(key_frames_per_cell(60_000), 30);
        assert_eq!(key_frames_per_cell(3_000), 2);
        assert_eq!(key_frames_per_cell(500), 1);
    }
}
