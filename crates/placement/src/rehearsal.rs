//! A made-up network of any size, by seed: for tests, simulations and measurements.
//!
//! Providers stand in twelve regions, two of them in each network, every tenth account has two; quotas are between 8 GiB and
//! 4 TiB, cells between 4 and 36 MiB, copies lie anywhere but never twice in one place.

use crate::{Card, Country, Event, Held, Picture, PictureConfig, PlaceTag, Region, Standing, StripeCells, draw::Lot};
use chainflix_primitives::{AccountAddress, BlockHash, CellId, Magnet, NodeId, stripe::Stripe};

/// How large, and which of all possible ones.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Providers, numbered from 0.
    pub providers: u32,
    /// Cells, numbered from 0.
    pub cells: u32,
    /// Cells of each film.
    pub cells_per_film: u32,
    /// Copies of each cell.
    pub copies: usize,
    /// Countries in which a film may be watched.
    pub countries: fn(u32) -> Vec<Country>,
    /// The seed.
    pub seed: BlockHash,
}

impl Default for Rehearsal {
    fn default() -> Self {
        Self {
            providers: 1_000,
            cells: 10_000,
            cells_per_film: 60,
            copies: 3,
            countries: |_| Vec::new(),
            seed: BlockHash([1; 32]),
        }
    }
}

const REGIONS: [&str; 12] =
    ["kr-11", "kr-26", "kr-41", "jp-13", "us-ca", "us-ny", "de-be", "fr-idf", "gb-lnd", "br-sp", "in-mh", "au-nsw"];

/// Cell `number`.
pub fn cell(number: u32) -> CellId {
    CellId(blake3::derive_key("chainflix 2026 rehearsal cell v1", &number.to_le_bytes()))
}

/// Parity cell `at` of the stripe whose first cell is cell `number`.
fn parity(number: u32, at: u8) -> CellId {
    CellId(blake3::derive_key("chainflix 2026 rehearsal parity v1", &[&number.to_le_bytes()[..], &[at]].concat()))
}

/// Film `number`.
pub fn magnet(number: u32) -> Magnet {
    Magnet(blake3::derive_key("chainflix 2026 rehearsal film v1", &number.to_le_bytes()))
}

/// Provider `number`.
pub fn node(number: u32) -> NodeId {
    NodeId(blake3::derive_key("chainflix 2026 rehearsal node v1", &number.to_le_bytes()))
}

impl Rehearsal {
    /// Provider `number` as it presents itself, with an empty disk.
    pub fn card(&self, number: u32) -> Card {
        let lot = self.lot("provider", number);
        let mut account = [0; 20];
        account[..4].copy_from_slice(&(number - u32::from(number % 10 == 9)).to_le_bytes());
        Card {
            node: node(number),
            account: AccountAddress(account),
            region: region(lot.of(0)),
            networks: vec![PlaceTag(u64::from(number / 2))],
            site: number.is_multiple_of(7).then(|| PlaceTag(lot.below(1, u64::from(self.providers / 4).max(1)))),
            // 8 GiB to 4 TiB.
            quota_bytes: 1 << (33 + lot.below(2, 10)),
            used_bytes: 0,
            slots: 2 + lot.below(3, 15) as u16,
        }
    }

    /// Cell `number` with its size.
    pub fn held(&self, number: u32) -> Held {
        let size = (4 << 20) + self.lot("cell", number).below(0, 32 << 20) as u32;
        Held { cell: cell(number), size }
    }

    /// Everything that a picture is told, at time 0.
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        let films = (0..self.cells.div_ceil(self.cells_per_film.max(1))).flat_map(|film| self.film(film));
        let cards: Vec<Card> = (0..self.providers).map(|number| self.card(number)).collect();
        let held = self.place(&cards);
        let enter = cards.into_iter().zip(held).flat_map(|(mut card, cells)| {
            let node = card.node;
            card.used_bytes = cells.iter().map(|held| u64::from(held.size)).sum();
            let trusted = Event::Trusted { node, standing: Standing::Vetted };
            [Event::Seen(card), trusted, Event::Gained { node, cells }]
        });
        films.chain(enter)
    }

    /// The picture of it.
    pub fn picture(&self) -> Picture {
        let mut picture = Picture::new(PictureConfig::default());
        for event in self.events() {
            // Nobody unknown is spoken of, and the default tables hold any network that is rehearsed.
            picture.apply(0, &event).unwrap_or_else(|error| unreachable!("{error}"));
        }
        picture
    }

    /// Film `number`: its cells, and its stripes.
    fn film(&self, number: u32) -> [Event; 2] {
        let first = number * self.cells_per_film.max(1);
        let cells = (first..(first + self.cells_per_film.max(1)).min(self.cells)).map(|cell| self.held(cell));
        let (magnet, cells, home) =
            (magnet(number), cells.collect::<Vec<Held>>(), region(self.lot("film", number).of(0)));
        let sizes: Vec<u64> = cells.iter().map(|held| held.size.into()).collect();
        let stripe = |stripe: &Stripe| StripeCells {
            cells: stripe.cells.map(|number| cells[number as usize].cell),
            parity: std::array::from_fn(|at| parity(first + stripe.cells[0], at as u8)),
            // No cell has more than 64 MiB.
            parity_bytes: stripe.parity_bytes as u32,
        };
        let stripes = Stripe::of(&sizes).iter().map(stripe).collect();
        let film = Event::Film { magnet, home, countries: (self.countries)(number), cells };
        [film, Event::Striped { magnet, stripes }]
    }

    /// What each provider holds.
    fn place(&self, cards: &[Card]) -> Vec<Vec<Held>> {
        let mut held = vec![Vec::new(); cards.len()];
        for number in 0..self.cells {
            let lot = self.lot("place", number);
            let mut places: Vec<usize> = Vec::with_capacity(self.copies);
            // In a network that is too small a cell has fewer copies.
            for draw in 0..self.copies as u64 * 50 {
                if places.len() == self.copies {
                    break;
                }
                let place = lot.below(draw, cards.len() as u64) as usize;
                if places.iter().all(|other| apart(&cards[place], &cards[*other])) {
                    places.push(place);
                }
            }
            places.into_iter().for_each(|place| held[place].push(self.held(number)));
        }
        held
    }

    fn lot(&self, what: &str, number: u32) -> Lot {
        Lot::new("chainflix 2026 rehearsal v1", &self.seed, &[what.as_bytes(), &number.to_le_bytes()])
    }
}

fn apart(one: &Card, other: &Card) -> bool {
    one.account != other.account && one.networks != other.networks && (one.site.is_none() || one.site != other.site)
}

fn region(draw: u64) -> Region {
    // Below twelve; each is a region.
    REGIONS[(draw % REGIONS.len() as u64) as usize].parse().unwrap_or_default()
}
