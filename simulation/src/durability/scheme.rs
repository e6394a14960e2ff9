//! Copies or coded pieces of one cell, and what becomes of them.
//!
//! A cell is *lost* when what still exists, present or away, does not give its bytes any more; it then counts once, and
//! begins anew. Repair takes turns as the network's own does: what has the least left comes first, and all of it together
//! takes no more than the lines carry. Where they carry too little, those that lack least wait, as long as it takes; whoever
//! still finds no turn is not mended at all.

use super::{churn::Churn, steady};
use chainflix_placement::{repair::RepairRules, reputation::ReputationRules, trim::TrimRules};

/// Bytes of a cell: a minute of 3 Mbit/s.
pub const CELL_BYTES: f64 = 22_500_000.0;
/// Copies of a cell, present and away together, beyond which no more are made here; nobody gets there.
const COPIES_MAX: u8 = 12;
/// A wait that nobody lives through, in seconds.
const NEVER_S: f64 = 1e18;

/// How the bytes of a cell lie on disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Whole, so many times.
    Copies {
        /// How many are wanted.
        wanted: u8,
    },
    /// As pieces of which some are enough (Reed-Solomon).
    Coded {
        /// Pieces that give the cell; each has that part of its bytes.
        needed: u8,
        /// Pieces on disks, each on another.
        pieces: u8,
        /// Pieces present at which, or below, all that lack are made anew.
        rebuild_at: u8,
    },
}

/// The network that keeps it: how many, how full, and by which rules.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Disks.
    pub providers: f64,
    /// Bytes on each.
    pub held_bytes: f64,
    /// Silence after which what lies on a disk is mended, in seconds. Shorter absences are as if they were not.
    pub patience_s: f64,
    /// How copies are made.
    pub repair: RepairRules,
    /// When surplus goes.
    pub trim: TrimRules,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            providers: 20_000.0,
            held_bytes: 100e9,
            patience_s: ReputationRules::default().patience.silent_after_ms as f64 / 1e3,
            repair: RepairRules::default(),
            trim: TrimRules::default(),
        }
    }
}

/// What becomes of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// Losses a second.
    pub lost_per_s: f64,
    /// Times its bytes that lie on disks, on average.
    pub stored: f64,
    /// Times its bytes that repair moves in a second.
    pub moved_per_s: f64,
    /// The part of the time in which it is not lost, and yet nobody present can give it.
    pub unplayable: f64,
    /// The part of the time in which so many copies or pieces exist, by their number.
    pub existing: Vec<f64>,
    /// Whether the lines are full, so that some wait for a turn.
    pub waits: bool,
    needed: u8,
}

/// Copies or pieces, present and away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    present: u8,
    away: u8,
}

/// A change of a state; `None` is the loss.
struct Step {
    to: Option<State>,
    rate: f64,
    /// Times the cell's bytes that it moves.
    moved: f64,
}

impl Scheme {
    /// Times a cell's bytes that are stored when nothing lacks.
    pub fn expansion(self) -> f64 {
        f64::from(self.wanted()) / f64::from(self.needed())
    }

    /// Copies or pieces that give the cell.
    pub fn needed(self) -> u8 {
        match self {
            Self::Copies { .. } => 1,
            Self::Coded { needed, .. } => needed,
        }
    }

    /// Copies or pieces that there should be.
    pub fn wanted(self) -> u8 {
        match self {
            Self::Copies { wanted } => wanted,
            Self::Coded { pieces, .. } => pieces,
        }
    }

    /// What becomes of a cell of this scheme, if the whole network keeps its cells so.
    pub fn outlook(self, churn: &Churn, network: &Network) -> Outlook {
        let mut life = Life { scheme: self, churn, network, waits_s: vec![0.0; usize::from(self.wanted())] };
        let mut outlook = life.outlook();
        // Those that lack least wait first.
        for present in (usize::from(self.needed())..usize::from(self.wanted())).rev() {
            if life.fits(&outlook) {
                break;
            }
            life.waits_s[present] = NEVER_S;
            outlook = life.outlook();
            if life.fits(&outlook) {
                outlook = life.shortest_wait(present);
                break;
            }
        }
        outlook
    }
}

impl Network {
    /// Bytes that repair may move in a second, for each byte that is stored.
    fn line_per_s(&self, churn: &Churn) -> f64 {
        let own = churn.presence() * self.repair.source_bytes_per_s as f64;
        own.min(self.repair.total_bytes_per_s as f64 / self.providers) / self.held_bytes
    }

    /// Seconds from a loss until it is mended, if nobody else is in line.
    fn mend_s(&self, scheme: Scheme, present: u8) -> f64 {
        let source = self.repair.source_bytes_per_s as f64;
        let moving = match scheme {
            Scheme::Copies { .. } => CELL_BYTES / source,
            Scheme::Coded { needed, pieces, .. } => {
                let written = f64::from(pieces - present - 1) / f64::from(needed);
                CELL_BYTES / self.repair.target_bytes_per_s as f64 + written * CELL_BYTES / source
            }
        };
        // On average half a window passes until the next plan.
        self.patience_s + self.repair.window_ms as f64 / 2e3 + moving
    }
}

impl Outlook {
    /// The chance that a film of so many cells loses one within so many seconds.
    pub fn film_lost(&self, cells: f64, seconds: f64) -> f64 {
        -(-self.lost_per_s * cells * seconds).exp_m1()
    }

    /// The chance that a film of so many cells loses one when a part of all disks goes at once.
    pub fn film_lost_at_once(&self, cells: f64, part: f64) -> f64 {
        let cell: f64 =
            (0u8..).zip(&self.existing).map(|(count, share)| share * too_few(count, self.needed, part)).sum();
        -(cells * (-cell).ln_1p()).exp_m1()
    }
}

/// The chance that of `count`, each gone with a chance of `part`, fewer than `needed` are left.
fn too_few(count: u8, needed: u8, part: f64) -> f64 {
    let left = |left: u8| {
        let ways = (0..left).fold(1.0, |ways, step| ways * f64::from(count - step) / f64::from(step + 1));
        ways * (1.0 - part).powi(left.into()) * part.powi((count - left).into())
    };
    (0..needed.min(count + 1)).map(left).sum()
}

/// A cell in a network whose lines let it wait.
struct Life<'a> {
    scheme: Scheme,
    churn: &'a Churn,
    network: &'a Network,
    /// Waits for a turn, in seconds, by the number of those present.
    waits_s: Vec<f64>,
}

impl Life<'_> {
    fn fits(&self, outlook: &Outlook) -> bool {
        outlook.moved_per_s <= self.network.line_per_s(self.churn) * outlook.stored * (1.0 + 1e-9)
    }

    /// The outlook with the shortest wait of those with `present` that the lines can carry.
    fn shortest_wait(&mut self, present: usize) -> Outlook {
        let (mut low, mut high) = (1.0_f64, NEVER_S);
        let mut best = None;
        // To a thousandth.
        for _ in 0..16 {
            let middle = (low * high).sqrt();
            self.waits_s[present] = middle;
            let outlook = self.outlook();
            if self.fits(&outlook) {
                (high, best) = (middle, Some(outlook));
            } else {
                low = middle;
            }
        }
        best.unwrap_or_else(|| {
            self.waits_s[present] = high;
            self.outlook()
        })
    }

    fn outlook(&self) -> Outlook {
        let states = self.states();
        let place = |state: &State| states.iter().position(|other| other == state).unwrap_or(0);
        let mut rates = vec![vec![0.0; states.len()]; states.len()];
        let steps: Vec<Vec<Step>> = states.iter().map(|state| self.steps(*state)).collect();
        for (from, steps) in steps.iter().enumerate() {
            for step in steps {
                // What is lost begins anew, with all it should have: the first state.
                rates[from][step.to.as_ref().map_or(0, place)] += step.rate;
            }
        }
        let shares = steady::shares(rates);
        let needed = self.scheme.needed();
        let mut outlook = Outlook {
            lost_per_s: 0.0,
            stored: 0.0,
            moved_per_s: 0.0,
            unplayable: 0.0,
            existing: vec![0.0; usize::from(COPIES_MAX.max(self.scheme.wanted())) + 1],
            waits: self.waits_s.iter().any(|wait_s| *wait_s > 0.0),
            needed,
        };
        for ((state, steps), share) in states.iter().zip(&steps).zip(shares) {
            let existing = state.present + state.away;
            outlook.lost_per_s +=
                share * steps.iter().filter(|step| step.to.is_none()).map(|step| step.rate).sum::<f64>();
            outlook.moved_per_s += share * steps.iter().map(|step| step.rate * step.moved).sum::<f64>();
            outlook.stored += share * f64::from(existing) / f64::from(needed);
            outlook.unplayable += if state.present < needed { share } else { 0.0 };
            outlook.existing[usize::from(existing)] += share;
        }
        outlook
    }

    /// All states in which the cell exists; the first is the one in which nothing lacks.
    fn states(&self) -> Vec<State> {
        let most = match self.scheme {
            Scheme::Copies { .. } => COPIES_MAX,
            Scheme::Coded { pieces, .. } => pieces,
        };
        let first = State { present: self.scheme.wanted(), away: 0 };
        let of = |existing: u8| (0..=existing).map(move |away| State { present: existing - away, away });
        let others = (self.scheme.needed()..=most).rev().flat_map(of).filter(|state| *state != first);
        std::iter::once(first).chain(others).collect()
    }

    fn steps(&self, state: State) -> Vec<Step> {
        let State { present, away } = state;
        let exists = |to: State| (to.present + to.away >= self.scheme.needed()).then_some(to);
        let step = |to, rate| Step { to, rate, moved: 0.0 };
        let (gone, hour) = (self.churn.gone_per_s(), 3_600.0);
        let mut steps = Vec::new();
        if present > 0 {
            let rate = f64::from(present);
            steps.push(step(exists(State { present: present - 1, away }), rate * gone));
            let left = State { present: present - 1, away: away + 1 };
            steps.push(step(Some(left), rate * self.leaving_per_s()));
        }
        if away > 0 {
            let rate = f64::from(away);
            steps.push(step(exists(State { present, away: away - 1 }), rate * gone));
            let back = State { present: present + 1, away: away - 1 };
            steps.push(step(Some(back), rate / (self.churn.absence_h * hour)));
        }
        steps.extend(self.mending(state));
        if matches!(self.scheme, Scheme::Copies { wanted } if present > wanted) {
            let rest = State { present: self.scheme.wanted(), away };
            steps.push(step(Some(rest), 1e3 / self.network.trim.delay_ms as f64));
        }
        steps
    }

    /// Absences that repair notices: the others end before.
    fn leaving_per_s(&self) -> f64 {
        let Churn { session_h, absence_h, .. } = *self.churn;
        (-self.network.patience_s / (absence_h * 3_600.0)).exp() / (session_h * 3_600.0)
    }

    fn mending(&self, state: State) -> Option<Step> {
        let State { present, away } = state;
        if present < self.scheme.needed() || present >= self.scheme.wanted() {
            return None;
        }
        let (to, moved) = match self.scheme {
            Scheme::Copies { .. } if present + away >= COPIES_MAX => return None,
            Scheme::Copies { .. } => (State { present: present + 1, away }, 1.0),
            Scheme::Coded { rebuild_at, .. } if present > rebuild_at => return None,
            // Whoever rebuilds reads the cell and keeps a piece. Pieces that come back later are there twice, and go.
            Scheme::Coded { needed, pieces, .. } => {
                let written = f64::from(pieces - present - 1) / f64::from(needed);
                (State { present: pieces, away: 0 }, 1.0 + written)
            }
        };
        let rate = 1.0 / (self.network.mend_s(self.scheme, present) + self.waits_s[usize::from(present)]);
        Some(Step { to: Some(to), rate, moved })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::churn, *};

    /// Disks that go and never are away, in a network that never mends.
    fn unmended() -> (Churn, Network) {
        let mut network = Network { held_bytes: f64::INFINITY, ..Network::default() };
        network.repair.total_bytes_per_s = 0;
        (Churn { session_h: f64::INFINITY, ..churn::PAID }, network)
    }

    #[test]
    fn without_repair_a_cell_lasts_as_long_as_the_sum_of_its_steps() {
        let (churn, network) = unmended();
        for scheme in [Scheme::Copies { wanted: 3 }, Scheme::Coded { needed: 4, pieces: 10, rebuild_at: 9 }] {
            let years: f64 = (scheme.needed()..=scheme.wanted()).map(|left| 1.0 / f64::from(left)).sum();
            let expected = churn.gone_per_s() / years;
            let lost = scheme.outlook(&churn, &network).lost_per_s;
            assert!((lost / expected - 1.0).abs() < 1e-6, "{scheme:?}: {lost:e}, not {expected:e}");
        }
    }

    #[test]
    fn three_copies_are_lost_as_the_formula_for_mirrors_says() {
        let churn = Churn { session_h: f64::INFINITY, ..churn::PAID };
        // Lines for everybody.
        let network = Network { held_bytes: 1e6, ..Network::default() };
        let (gone, mend) = (churn.gone_per_s(), network.mend_s(Scheme::Copies { wanted: 3 }, 1));
        let expected = 3.0 * gone * (2.0 * gone * mend) * (gone * mend);
        let lost = Scheme::Copies { wanted: 3 }.outlook(&churn, &network).lost_per_s;
        assert!((lost / expected - 1.0).abs() < 1e-4, "{lost:e}, not {expected:e}");
    }

    #[test]
    fn what_goes_at_once_takes_all_copies_by_chance() {
        let churn = Churn { session_h: f64::INFINITY, ..churn::PAID };
        let network = Network { held_bytes: 1e6, ..Network::default() };
        let outlook = Scheme::Copies { wanted: 3 }.outlook(&churn, &network);
        assert!((outlook.film_lost_at_once(1.0, 0.1) / 1e-3 - 1.0).abs() < 1e-3);
        // Seven of ten, and more.
        let expected: f64 = [(7, 120.0), (8, 45.0), (9, 10.0), (10, 1.0)]
            .map(|(gone, ways)| ways * 0.1_f64.powi(gone) * 0.9_f64.powi(10 - gone))
            .iter()
            .sum();
        assert!((too_few(10, 4, 0.1) / expected - 1.0).abs() < 1e-12);
    }

    #[test]
    fn repair_never_takes_more_than_the_lines_carry() {
        let network = Network::default();
        for churn in churn::POPULATIONS {
            for scheme in [Scheme::Copies { wanted: 3 }, Scheme::Coded { needed: 4, pieces: 10, rebuild_at: 7 }] {
                let outlook = scheme.outlook(&churn, &network);
                let most = network.line_per_s(&churn) * outlook.stored;
                assert!(outlook.moved_per_s <= most * 1.001, "{scheme:?}, {}: {outlook:?}", churn.name);
                assert!((outlook.existing.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}
