//! Viewers whom other controllers count: what each of them told last, beside what this one counts itself.
//!
//! ```text
//! viewer ─ asks ─▶ this controller ─ once a minute ─▶ own count ─┬─────────────────▶ sum ─▶ wanted copies, forecast
//!                                                                └─▶ the others      ▲
//! viewer ─ asks ─▶ another one ───── once a minute ─▶ its count ── for three minutes ┘
//! ```
//!
//! A viewer asks the controller that answered it last, so each sees a part of a film's viewers only. By that part alone one would
//! delete in its turn what another one made for its crowd, and of viewers that are spread over two each would want copies
//! for half. Own counts alone are told: they go one hop, and nothing comes back as an echo.
//!
//! A viewer that moves from one controller to another in mid-film is counted by both for up to two minutes; for up to three
//! where the first one has died; copies that are made for it stay for hours. Who is missing for some minutes costs nothing, as
//! copies are given up after hours: so a controller that starts anew tells at once that it counts nobody yet.
//!
//! Nothing proves a count: the configured controllers are believed, and nobody else. Who the viewers are is not told.
//! Bounded: a row for each of these controllers, with at most
//! [`WATCHED_FILMS_MAX`](chainflix_overlay::control::WATCHED_FILMS_MAX) films that the chain knows.

use super::Census;
use chainflix_overlay::control::Watched;
use chainflix_primitives::{Magnet, NodeId};
use std::collections::BTreeMap;

/// How long a count is believed: two that come after it may be lost.
const BELIEVED_MS: u64 = 180_000;

/// Why another controller's count changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountError {
    /// It is none of the network's controllers, as far as this one is configured.
    #[error("it is no controller of this network")]
    Stranger,
    /// A later count of it is believed.
    #[error("a later count is known")]
    Older,
}

/// What one controller told last.
#[derive(Debug)]
struct Count {
    at_ms: u64,
    until_ms: u64,
    films: BTreeMap<Magnet, u32>,
}

/// The counts of the other controllers.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    rows: BTreeMap<NodeId, Option<Count>>,
}

impl Elsewhere {
    fn new(controllers: &[NodeId]) -> Self {
        Self { rows: controllers.iter().map(|node| (*node, None)).collect() }
    }

    fn told(
        &mut self,
        controller: &NodeId,
        at_ms: u64,
        films: impl Iterator<Item = (Magnet, u32)>,
        now_ms: u64,
    ) -> Result<(), CountError> {
        let row = self.rows.get_mut(controller).ok_or(CountError::Stranger)?;
        // By its own clock; once what it said is forgotten, that clock may have been set back.
        if row.as_ref().is_some_and(|known| known.until_ms > now_ms && known.at_ms >= at_ms) {
            return Err(CountError::Older);
        }
        *row = Some(Count { at_ms, until_ms: now_ms.saturating_add(BELIEVED_MS), films: films.collect() });
        Ok(())
    }

    /// What is counted here and elsewhere together. Forgets what is not believed any more.
    pub(super) fn add_to(&mut self, own: &BTreeMap<Magnet, u32>, now_ms: u64) -> BTreeMap<Magnet, u32> {
        let mut films = own.clone();
        for row in self.rows.values_mut() {
            row.take_if(|count| count.until_ms <= now_ms);
            for (magnet, viewers) in row.iter().flat_map(|count| &count.films) {
                let sum = films.entry(*magnet).or_default();
                *sum = sum.saturating_add(*viewers);
            }
        }
        films
    }
}

impl Census {
    /// Names the network's other controllers: their counts are believed, and nobody else's.
    pub fn beside(&mut self, controllers: &[NodeId]) {
        self.audience.elsewhere = Elsewhere::new(controllers);
    }

    /// Another controller says how many viewers it counts. What is said of films that the chain has not named yet is left out:
    /// it is said again in a minute. More viewers than the most copies serve say nothing more, and a lie of millions would stay
    /// in the forecast for days.
    ///
    /// # Errors
    /// [`CountError`]: then what it said before stays.
    pub fn watched(&mut self, controller: &NodeId, words: &Watched, now_ms: u64) -> Result<(), CountError> {
        let picture = &self.picture;
        let known = words.films.iter().filter(|film| film.viewers > 0 && picture.find_film(&film.magnet).is_some());
        let target = self.config.target;
        let served_max = target.viewers_per_copy.saturating_mul(target.copies_max.into());
        let films = known.map(|film| (film.magnet, film.viewers.min(served_max)));
        self.audience.elsewhere.told(controller, words.at_ms, films, now_ms)
    }

    /// How many viewers this controller counts itself, where that is later than what it told as of `told_ms`.
    pub fn counted_after(&self, told_ms: u64) -> Option<Watched> {
        self.audience.counted_after(told_ms)
    }
}
