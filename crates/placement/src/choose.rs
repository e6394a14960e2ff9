//! Which providers get a cell: a race weighted by free space and generosity, over regions, never twice in one place.
//!
//! ```text
//! board    ┌ kr-11 #0  Σ ─ a b c …      1. buckets race with the sum of their members' weights
//!          ├ kr-11 #1  Σ ─ d e …        2. the members of the winner race
//!          └ de-be #0  Σ ─ f g …        3. who shares a fate with a copy is passed over: draw again
//! ```
//!
//! Racing in two steps gives every provider the same chance as one race among all ([`crate::draw`]), and looks at hundreds
//! of them instead of twenty thousand. A provider that leaves moves its own cells and, because its bucket got lighter, about
//! as many of its neighbours'. The seed is one that nobody controls: a node key that was searched for wins nothing.
//!
//! **Weight** is free space times generosity: one part for being there, and one more for each doubling of the quota above
//! 1 GiB. **Out of priority** are disks filled above [`Rules::fill_percent`], and newcomers that are still vetted: they get a
//! cell only where no other can take it. **Never** do two copies share an account, a network or a site; **never** does a cell
//! lie where its film may not be watched; and [`Rules::headroom_percent`] of each quota stay free.

use crate::{
    Picture, Region, Standing,
    draw::{Lot, winner},
    picture::{Cell, Film, Provider, ProviderIndex},
};
use chainflix_primitives::{BlockHash, CellId};
use std::collections::BTreeMap;

/// What placement keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Part of every quota that stays free, in percent.
    pub headroom_percent: u64,
    /// Part of a quota above which a provider is out of priority, in percent.
    pub fill_percent: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { headroom_percent: 5, fill_percent: 80 }
    }
}

/// Members of a bucket, about: buckets and members together are looked at in each draw.
const BUCKET_MEMBERS: usize = 128;

/// Draws before everybody is asked one by one. In a large network nearly each draw finds somebody.
const ATTEMPTS: u32 = 16;

/// A cell that wants a place.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Which cell.
    pub cell: &'a CellId,
    /// Its bytes.
    pub size: u64,
    /// Its film, where it is known.
    pub film: Option<&'a Film>,
    /// In this region and no other.
    pub region: Option<Region>,
    /// Copies to place.
    pub wanted: usize,
    /// Who has it or gets it: they are out, and all who share a fate with them.
    pub beside: &'a [ProviderIndex],
    /// Who just failed: they alone are out.
    pub unwanted: &'a [ProviderIndex],
    /// Whether it is the one copy of a cell: then it goes only to whom viewers are sent to.
    pub alone: bool,
}

/// All providers that could take something, as one plan sees them.
#[derive(Debug)]
pub struct Board<'a> {
    picture: &'a Picture,
    rules: Rules,
    buckets: Vec<Bucket>,
    /// Where in the buckets each provider is.
    places: BTreeMap<ProviderIndex, (usize, usize)>,
}

#[derive(Debug)]
struct Bucket {
    region: Region,
    key: u64,
    weights: [u64; 2],
    runners: Vec<Runner>,
}

#[derive(Debug)]
struct Runner {
    provider: ProviderIndex,
    key: u64,
    weight: u64,
    tier: usize,
    free_bytes: u64,
    taken_bytes: u64,
}

/// One round of looking for somebody.
struct Pass {
    tier: usize,
    /// Only regions without a copy.
    spread: bool,
}

/// First one per region, then anybody; those out of priority after the others.
const PASSES: [Pass; 4] = [
    Pass { tier: 0, spread: true },
    Pass { tier: 0, spread: false },
    Pass { tier: 1, spread: true },
    Pass { tier: 1, spread: false },
];

impl<'a> Board<'a> {
    /// The providers of `picture` that count, have room and do not rest.
    pub fn new(picture: &'a Picture, rules: Rules) -> Self {
        let mut regions: BTreeMap<Region, Vec<(ProviderIndex, &Provider)>> = BTreeMap::new();
        for (index, provider) in picture.providers().filter(|(_, provider)| provider.counts() && !provider.resting) {
            regions.entry(provider.region).or_default().push((index, provider));
        }
        let mut board = Self { picture, rules, buckets: Vec::new(), places: BTreeMap::new() };
        for (region, members) in regions {
            board.enter(region, &members);
        }
        board
    }

    /// Chooses up to [`Wish::wanted`] providers for a cell, the first choice first.
    pub fn choose(&self, seed: &BlockHash, wish: &Wish<'_>) -> Vec<ProviderIndex> {
        let lot = Lot::new("chainflix 2026 placement v2", seed, &[&wish.cell.0]);
        let mut company: Vec<&Provider> =
            wish.beside.iter().filter_map(|index| self.picture.provider(*index)).collect();
        let mut chosen = Vec::new();
        for pass in &PASSES {
            while chosen.len() < wish.wanted {
                let Some(next) = self.next(lot, wish, pass, &company) else { break };
                company.extend(self.picture.provider(next));
                chosen.push(next);
            }
        }
        chosen
    }

    /// Room for `size` bytes at a provider is taken.
    pub fn take(&mut self, provider: ProviderIndex, size: u64) {
        let Some(&(bucket, at)) = self.places.get(&provider) else { return };
        let bucket = &mut self.buckets[bucket];
        let runner = &mut bucket.runners[at];
        bucket.weights[runner.tier] -= runner.weight;
        runner.free_bytes = runner.free_bytes.saturating_sub(size);
        runner.taken_bytes = runner.taken_bytes.saturating_add(size);
        if let Some(row) = self.picture.provider(provider) {
            runner.weigh(row, &self.rules);
        }
        bucket.weights[runner.tier] += runner.weight;
    }

    fn enter(&mut self, region: Region, members: &[(ProviderIndex, &Provider)]) {
        // A power of two: providers that come and go seldom move the others to other buckets.
        let shards = members.len().div_ceil(BUCKET_MEMBERS).next_power_of_two();
        let first = self.buckets.len();
        // Fewer shards than providers.
        let bucket =
            |shard| Bucket { region, key: region.number() << 16 ^ shard as u64, weights: [0; 2], runners: Vec::new() };
        self.buckets.extend((0..shards).map(bucket));
        for (index, provider) in members {
            // Below `shards`.
            let place = first + (provider.key as usize & (shards - 1));
            let mut runner = Runner {
                provider: *index,
                key: provider.key,
                weight: 0,
                tier: 0,
                free_bytes: provider.free_bytes(self.rules.headroom_percent),
                taken_bytes: provider.used_bytes.saturating_add(provider.promised_bytes),
            };
            runner.weigh(provider, &self.rules);
            let bucket = &mut self.buckets[place];
            bucket.weights[runner.tier] += runner.weight;
            self.places.insert(*index, (place, bucket.runners.len()));
            bucket.runners.push(runner);
        }
    }

    /// The next provider of a pass: drawn, or found by asking all when draws keep hitting who cannot.
    fn next(&self, lot: Lot, wish: &Wish<'_>, pass: &Pass, company: &[&Provider]) -> Option<ProviderIndex> {
        let open: Vec<&Bucket> = self.buckets.iter().filter(|bucket| bucket.is_open(wish, pass, company)).collect();
        for attempt in 0..ATTEMPTS {
            let lot = lot.again(attempt);
            let arrivals = open.iter().map(|bucket| (lot.arrival(bucket.key, bucket.weights[pass.tier]), *bucket));
            let bucket = winner(arrivals)?;
            let runners = bucket.runners.iter().filter(|runner| runner.tier == pass.tier);
            let runner = winner(runners.map(|runner| (lot.arrival(runner.key, runner.weight), runner)))?;
            if self.fits(runner, wish, company) {
                return Some(runner.provider);
            }
        }
        let all = open.iter().flat_map(|bucket| &bucket.runners).filter(|runner| runner.tier == pass.tier);
        let able = all.filter(|runner| self.fits(runner, wish, company));
        let lot = lot.again(ATTEMPTS);
        winner(able.map(|runner| (lot.arrival(runner.key, runner.weight), runner.provider)))
    }

    fn fits(&self, runner: &Runner, wish: &Wish<'_>, company: &[&Provider]) -> bool {
        let apart = |provider: &Provider| company.iter().all(|other| !provider.shares_fate(other));
        runner.free_bytes >= wish.size
            && !wish.beside.contains(&runner.provider)
            && !wish.unwanted.contains(&runner.provider)
            && self
                .picture
                .provider(runner.provider)
                .is_some_and(|provider| apart(provider) && (provider.registered || !wish.alone))
    }
}

impl Bucket {
    fn is_open(&self, wish: &Wish<'_>, pass: &Pass, company: &[&Provider]) -> bool {
        let crowded = || company.iter().any(|other| other.region == self.region && self.region != Region::UNKNOWN);
        self.weights[pass.tier] > 0
            && wish.region.is_none_or(|region| region == self.region)
            && wish.film.is_none_or(|film| film.may_lie_in(self.region))
            // In the one region that was asked for there is nothing to spread over.
            && !(pass.spread && wish.region.is_none() && crowded())
    }
}

impl Runner {
    /// Weighs itself anew after its room has changed.
    fn weigh(&mut self, provider: &Provider, rules: &Rules) {
        let generosity = u64::from((provider.quota_bytes >> 30).max(1).ilog2()) + 1;
        // In MiB, so that sums over all providers are exact in a double; the last part of a MiB still weighs something.
        self.weight = self.free_bytes.div_ceil(1 << 20).min(1 << 32) * generosity;
        let full =
            u128::from(self.taken_bytes) * 100 > u128::from(provider.quota_bytes) * u128::from(rules.fill_percent);
        self.tier = usize::from(full || provider.standing == Standing::Vetting);
    }
}

impl<'a> Wish<'a> {
    /// A wish for more copies of a cell of the picture, beside those that are there or coming.
    pub fn more(picture: &'a Picture, cell: &'a Cell, wanted: usize, beside: &'a [ProviderIndex]) -> Self {
        let (film, alone) = (picture.film_of(cell), picture.stripe_of(cell).is_some());
        Self { cell: &cell.id, size: cell.size.into(), film, region: None, wanted, beside, unwanted: &[], alone }
    }
}

#[cfg(test)]
mod tests;
