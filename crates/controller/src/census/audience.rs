//! Who watches what, as far as a controller is asked for sources: the counts behind demand, and how busy sources are.
//!
//! ```text
//! a source is named ─▶ viewer watches for two minutes ─ once a minute ─▶ count ─▶ wanted copies
//!                                                                          └ mean of a quarter of an hour ─▶ forecast
//!                   ─▶ the source is busy for a minute ─ the viewer's next question ─▶ how it did (`claim`)
//! ```
//!
//! A viewer fetches a cell a minute, and asks again when a source fails: it counts once. What is counted here is told to the
//! other controllers, and what they count is added ([`elsewhere`](super::elsewhere)). Where viewers are nobody tells, so
//! they want copies anywhere. Bounded: more than [`WATCHING_MAX`] viewers are not counted; of more than [`BUSY_MAX`] deliveries
//! the oldest count as over.

use super::{claim::Word, elsewhere::Elsewhere};
use chainflix_overlay::control::{WATCHED_FILMS_MAX, Watched, WatchedFilm};
use chainflix_placement::{
    Event, Region,
    cold::ColdRules,
    demand::Demand,
    forecast::{BIN_MS, ForecastRules},
    target::TargetRules,
};
use chainflix_primitives::{AccountAddress, CellId, Magnet, NodeId};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

/// A viewer that was sent to a source watches for so long.
const WATCHING_MS: u64 = 120_000;
/// A source serves so long: a cell is a minute of film.
const BUSY_MS: u64 = 60_000;
/// Time between counts.
const COUNT_MS: u64 = 60_000;
/// Most viewers that are counted.
const WATCHING_MAX: usize = 1_000_000;
/// Most deliveries that are thought to run.
const BUSY_MAX: usize = 1_000_000;

/// A viewer that was sent somewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    /// Where to.
    pub source: NodeId,
    /// What for.
    pub cell: CellId,
    /// Whether the source was full with it.
    pub full: bool,
}

/// A viewer of a film.
#[derive(Debug)]
struct Watching {
    until_ms: u64,
    /// Where it was sent last, until it has said how that went.
    delivery: Option<Delivery>,
}

#[derive(Debug)]
pub(super) struct Audience {
    demand: Demand,
    /// Who watches a film.
    watching: BTreeMap<(Magnet, AccountAddress), Watching>,
    busy: VecDeque<(u64, NodeId)>,
    counted_ms: u64,
    /// What was counted then, of this controller's own viewers.
    own: BTreeMap<Magnet, u32>,
    /// What other controllers count.
    pub elsewhere: Elsewhere,
    /// The quarter of an hour that is being counted: sums of counts, and how many counts there were.
    bin: u64,
    sums: BTreeMap<Magnet, u64>,
    counts: u32,
}

impl Audience {
    pub(super) fn new(target: TargetRules, forecast: ForecastRules, cold: ColdRules) -> Self {
        Self {
            demand: Demand::new(target, forecast, cold),
            watching: BTreeMap::new(),
            busy: VecDeque::new(),
            counted_ms: 0,
            own: BTreeMap::new(),
            elsewhere: Elsewhere::default(),
            bin: 0,
            sums: BTreeMap::new(),
            counts: 0,
        }
    }

    /// What follows from who watches.
    pub(super) fn demand(&mut self) -> &mut Demand {
        &mut self.demand
    }

    /// A source serves one more viewer; with film and account where that counts as demand. Answers whose delivery counts as
    /// over, because there are too many.
    pub(super) fn served(
        &mut self,
        delivery: Delivery,
        viewer: Option<(Magnet, AccountAddress)>,
        now_ms: u64,
    ) -> Option<NodeId> {
        let crowded = self.watching.len() >= WATCHING_MAX;
        if let Some(viewer) = viewer.filter(|viewer| !crowded || self.watching.contains_key(viewer)) {
            let until_ms = now_ms.saturating_add(WATCHING_MS);
            self.watching.insert(viewer, Watching { until_ms, delivery: Some(delivery) });
        }
        self.busy.push_back((now_ms.saturating_add(BUSY_MS), delivery.source));
        let oldest = if self.busy.len() > BUSY_MAX { self.busy.pop_front() } else { None };
        oldest.map(|(_, source)| source)
    }

    /// A viewer asks again: what that says of the source it was sent to last. Each delivery is judged once, and in time; one
    /// that went well says something only where its source was full.
    pub(super) fn asked(
        &mut self,
        viewer: &(Magnet, AccountAddress),
        cell: &CellId,
        excluded: &[NodeId],
        now_ms: u64,
    ) -> Option<(NodeId, Word)> {
        let watching = self.watching.get_mut(viewer).filter(|watching| watching.until_ms > now_ms)?;
        let delivery = watching.delivery?;
        let word = match excluded.contains(&delivery.source) {
            true => Word::Failed,
            false if delivery.cell != *cell => Word::Carried,
            // The rest of the same cell, from whomever: it may have been the viewer's own line.
            false => return None,
        };
        watching.delivery = None;
        (word == Word::Failed || delivery.full).then_some((delivery.source, word))
    }

    /// The sources of deliveries that are over.
    pub(super) fn over(&mut self, now_ms: u64) -> Vec<NodeId> {
        let over = self.busy.partition_point(|(until_ms, _)| *until_ms <= now_ms);
        self.busy.drain(..over).map(|(_, source)| source).collect()
    }

    /// Counts, once a minute; answers the films that want another number of copies than before.
    pub(super) fn wanted(&mut self, now_ms: u64) -> Vec<Event> {
        if now_ms.saturating_sub(self.counted_ms) < COUNT_MS {
            return Vec::new();
        }
        self.counted_ms = now_ms;
        self.watching.retain(|_, watching| watching.until_ms > now_ms);
        self.own.clear();
        self.watching.keys().for_each(|(magnet, _)| *self.own.entry(*magnet).or_default() += 1);
        let films = self.elsewhere.add_to(&self.own, now_ms);
        self.learn(now_ms / BIN_MS, &films);
        let counts = films.into_iter().map(|(magnet, viewers)| ((magnet, Region::UNKNOWN), viewers)).collect();
        self.demand.wanted(now_ms, &counts)
    }

    /// The last count of own viewers, if it is later than `told_ms`.
    pub(super) fn counted_after(&self, told_ms: u64) -> Option<Watched> {
        if self.counted_ms <= told_ms {
            return None;
        }
        let films = self.own.iter().map(|(magnet, viewers)| WatchedFilm { magnet: *magnet, viewers: *viewers });
        let mut films: Vec<WatchedFilm> = films.collect();
        films.sort_unstable_by_key(|film| (Reverse(film.viewers), film.magnet));
        films.truncate(WATCHED_FILMS_MAX);
        Some(Watched { at_ms: self.counted_ms, films })
    }

    /// Adds a count to its bin. Bins in which nobody counted are not learnt: they were not empty, but not seen.
    fn learn(&mut self, bin: u64, films: &BTreeMap<Magnet, u32>) {
        if bin != self.bin && self.counts > 0 {
            let counts = f64::from(std::mem::take(&mut self.counts));
            let sums = std::mem::take(&mut self.sums);
            // Sums of people over a quarter of an hour are exact in a double.
            let means =
                sums.into_iter().map(|(magnet, sum)| ((magnet, Region::UNKNOWN), sum as f64 / counts)).collect();
            self.demand.observe(self.bin, &means);
        }
        self.bin = bin;
        self.counts += 1;
        films.iter().for_each(|(magnet, viewers)| *self.sums.entry(*magnet).or_default() += u64::from(*viewers));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_placement::Wants;

    const FILM: Magnet = Magnet([7; 32]);

    fn audience() -> Audience {
        Audience::new(TargetRules::default(), ForecastRules::default(), ColdRules::default())
    }

    fn watch(audience: &mut Audience, viewers: u8, now_ms: u64) {
        for viewer in 0..viewers {
            let delivery = Delivery { source: NodeId([1; 32]), cell: CellId([2; 32]), full: false };
            audience.served(delivery, Some((FILM, AccountAddress([viewer; 20]))), now_ms);
        }
    }

    #[test]
    fn a_crowd_wants_copies_anywhere_and_a_viewer_counts_once() {
        let mut audience = audience();
        for _ in 0..9 {
            watch(&mut audience, 15, 1_000);
        }
        assert_eq!(audience.wanted(COUNT_MS), [], "the floor serves them");
        watch(&mut audience, 40, COUNT_MS + 1);
        assert_eq!(audience.wanted(COUNT_MS + 2), [], "counted a moment ago");
        let wants = Wants { total: 8, regional: Vec::new() };
        assert_eq!(audience.wanted(2 * COUNT_MS), [Event::Wanted { magnet: FILM, wants }]);
        assert_eq!(audience.watching.len(), 40);
        audience.wanted(10 * COUNT_MS);
        assert!(audience.watching.is_empty());
    }

    #[test]
    fn what_grows_is_expected_to_grow() {
        let mut audience = audience();
        let mut last = None;
        for minute in 1..8 * 15 {
            let now_ms = minute * COUNT_MS;
            watch(&mut audience, (minute * 2).min(255) as u8, now_ms - 1);
            last = audience.wanted(now_ms).pop().or(last);
        }
        let Some(Event::Wanted { wants, .. }) = last else { panic!("it is watched by many") };
        assert!(wants.total > 238u8.div_ceil(5), "238 are there, and more will come: {wants:?}");
    }

    #[test]
    fn a_source_is_busy_for_a_minute() {
        let mut audience = audience();
        watch(&mut audience, 2, 5);
        assert_eq!(audience.over(BUSY_MS + 4), []);
        assert_eq!(audience.over(BUSY_MS + 5), [NodeId([1; 32]); 2]);
        assert!(audience.busy.is_empty());
    }
}
