//! Films that few watch: what the census learns of them and remembers, beside who watches.
//!
//! Which films get cold is counted in `chainflix_placement::cold`. Two controllers count alike, but not since the same day: one
//! that finds parity on disks takes over what another one decided.

use super::Census;
use crate::authority::RegisteredFilm;
use chainflix_placement::{Event, cold::Quiet};
use chainflix_primitives::{CellId, Magnet, NodeId};
use std::collections::HashSet;

impl Census {
    /// The chain named a film's stripes.
    pub(super) fn striped(&mut self, film: &RegisteredFilm, now_ms: u64) {
        let (magnet, stripes) = (film.magnet, film.stripes.clone());
        if stripes.is_empty() || self.picture.find_film(&magnet).is_none() {
            return;
        }
        let parity: Vec<CellId> = stripes.iter().flat_map(|stripe| stripe.parity).collect();
        self.tell(now_ms, &Event::Striped { magnet, stripes });
        let turned = self.audience.demand().enter(now_ms, magnet);
        self.turn(turned, now_ms);
        self.adopt(parity.into_iter(), now_ms);
    }

    /// Takes over that a film is kept as stripes, where somebody holds parity of it.
    pub(super) fn adopt(&mut self, cells: impl Iterator<Item = CellId>, now_ms: u64) {
        for cell in cells {
            let row = self.picture.find_cell(&cell).and_then(|index| self.picture.cell(index));
            let parity = row.filter(|row| row.is_parity() && row.holders().len() > 0);
            let film = parity.and_then(|row| self.picture.film_of(row)).filter(|film| !film.coded);
            if let Some(magnet) = film.map(|film| film.magnet) {
                let turned = self.audience.demand().adopt(magnet);
                self.turn(turned, now_ms);
            }
        }
    }

    /// These providers are registered, and nobody else.
    pub fn registered(&mut self, nodes: HashSet<NodeId>, now_ms: u64) {
        self.registered = Some(nodes);
        let nodes: Vec<NodeId> = self.entries.keys().copied().collect();
        nodes.iter().for_each(|node| self.present_registration(node, now_ms));
    }

    /// Tells whether viewers are sent to a provider, where that is known and not as it was.
    pub(super) fn present_registration(&mut self, node: &NodeId, now_ms: u64) {
        let registered = self.registered.as_ref().is_none_or(|nodes| nodes.contains(node));
        if self.provider(node).is_some_and(|provider| provider.registered != registered) {
            self.tell(now_ms, &Event::Registered { node: *node, registered });
        }
    }

    /// Somebody asks for a film: if it sleeps, each of its cells has to be there now.
    pub(super) fn rouse(&mut self, magnet: Magnet, now_ms: u64) {
        let turned = self.audience.demand().rouse(now_ms, magnet);
        self.turn(turned, now_ms);
    }

    /// The parity that a film lists is not that of its cells: it stays copies.
    pub fn refuse_parity(&mut self, parity: &CellId, now_ms: u64) {
        let row = self.picture.find_cell(parity).and_then(|index| self.picture.cell(index));
        let Some(magnet) = row.and_then(|row| self.picture.film_of(row)).map(|film| film.magnet) else { return };
        let turned = self.audience.demand().refuse(magnet);
        self.turn(turned, now_ms);
    }

    /// What is known of films that have parity, to be recalled after a restart.
    pub(super) fn quiet_films(&mut self) -> Vec<(Magnet, Quiet)> {
        self.audience.demand().quiet().map(|(magnet, quiet)| (*magnet, *quiet)).collect()
    }

    /// Goes on with what was known `away_ms` ago: in the time between nobody counted.
    pub(super) fn recall_films(&mut self, films: Vec<(Magnet, Quiet)>, away_ms: u64) {
        for (magnet, quiet) in films.into_iter().take(self.config.picture.films_max) {
            let since_ms = quiet.since_ms.saturating_add(away_ms);
            self.audience.demand().recall(magnet, Quiet { since_ms, ..quiet });
        }
    }

    fn turn(&mut self, event: Option<Event>, now_ms: u64) {
        if let Some(event) = event {
            self.tell(now_ms, &event);
        }
    }
}
