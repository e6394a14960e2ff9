//! Copies of one cell or coded pieces of a stripe of cells, and what becomes of them.
//!
//! A cell is *lost* when what still exists, present or away, does not give its bytes any more; it then counts once, and
//! begins anew. Repair takes turns as the network's own does: what has the least left comes first, and all of it together
//! takes no more than the lines carry. Where they carry too little, those that lack least wait, as long as it takes; whoever
//! still finds no turn is not mended at all.
//!
//! Copies are reckoned by the network's rules ([`super::copies`]). Of pieces an absence that is shorter than the patience
//! is as if it were not, and nothing is mended before: nobody watches here, who would wake the film. A stripe of `needed` cells
//! counts as one: it is lost as a whole, and what it moves and stores is in times its cells' bytes.

use super::{churn::Churn, copies, steady};
use chainflix_placement::{patience::PatienceRules, repair::RepairRules, trim::TrimRules};

/// Bytes of a cell: a minute of 3 Mbit/s.
pub const CELL_BYTES: f64 = 22_500_000.0;
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
    /// As pieces of which some are enough (Reed-Solomon): the cells of a stripe, and parity cells.
    Coded {
        /// Cells of a stripe; so many pieces give them all.
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
    /// How long silent disks are waited for.
    pub patience: PatienceRules,
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
            patience: PatienceRules::default(),
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

/// Copies or pieces, by what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub present: u8,
    /// Away, waited for, and not in vain.
    pub silent: u8,
    /// Gone, and waited for in vain.
    pub dead: u8,
    /// Away, and not waited for any more.
    pub away: u8,
}

/// A change of a state; `None` is the loss.
pub(super) struct Step {
    pub to: Option<State>,
    pub rate: f64,
    /// Times the cell's bytes that it moves.
    pub moved: f64,
}

impl State {
    fn existing(self) -> u8 {
        self.present + self.silent + self.away
    }

    /// This state, or the loss where it does not give the cell any more.
    pub(super) fn exists(self, needed: u8) -> Option<Self> {
        (self.existing() >= needed).then_some(self)
    }
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

    /// Copies of a cell that serve viewers: parity serves nobody.
    pub fn serving(self) -> u8 {
        match self {
            Self::Copies { wanted } => wanted,
            Self::Coded { .. } => 1,
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
        let mut life = Life { scheme: self, churn, network, waits_s: vec![0.0; usize::from(self.wanted()) + 1] };
        let mut outlook = life.outlook();
        // Those that lack least wait first.
        for turn in (usize::from(self.needed())..=usize::from(self.wanted())).rev() {
            if life.fits(&outlook) {
                break;
            }
            life.waits_s[turn] = NEVER_S;
            outlook = life.outlook();
            if life.fits(&outlook) {
                outlook = life.shortest_wait(turn);
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

    /// Seconds from the time at which a copy is missed until it is made, if nobody else is in line.
    pub(super) fn copying_s(&self) -> f64 {
        self.planning_s() + CELL_BYTES / self.repair.source_bytes_per_s as f64
    }

    /// On average half a window passes until the next plan.
    fn planning_s(&self) -> f64 {
        self.repair.window_ms as f64 / 2e3
    }

    fn patience_s(&self) -> f64 {
        self.patience.lost_after_ms as f64 / 1e3
    }

    /// Seconds from the loss of a piece until pieces are made anew: sources and targets work side by side, and a piece is as
    /// large as a cell.
    fn rebuilding_s(&self) -> f64 {
        self.patience_s() + self.copying_s()
    }
}

impl Outlook {
    /// The chance that a film of so many cells loses one within so many seconds.
    pub fn film_lost(&self, cells: f64, seconds: f64) -> f64 {
        -(-self.lost_per_s * cells / f64::from(self.needed) * seconds).exp_m1()
    }

    /// The chance that a film of so many cells loses one when a part of all disks goes at once.
    pub fn film_lost_at_once(&self, cells: f64, part: f64) -> f64 {
        let cell: f64 =
            (0u8..).zip(&self.existing).map(|(count, share)| share * too_few(count, self.needed, part)).sum();
        -(cells / f64::from(self.needed) * (-cell).ln_1p()).exp_m1()
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
    /// Waits for a turn, in seconds, by how many count; the last is for those that lack nothing for good.
    waits_s: Vec<f64>,
}

impl Life<'_> {
    fn fits(&self, outlook: &Outlook) -> bool {
        outlook.moved_per_s <= self.network.line_per_s(self.churn) * outlook.stored * (1.0 + 1e-9)
    }

    /// The outlook with the shortest wait for `turn` that the lines can carry.
    fn shortest_wait(&mut self, turn: usize) -> Outlook {
        let (mut low, mut high) = (1.0_f64, NEVER_S);
        let mut best = None;
        // To a thousandth.
        for _ in 0..16 {
            let middle = (low * high).sqrt();
            self.waits_s[turn] = middle;
            let outlook = self.outlook();
            if self.fits(&outlook) {
                (high, best) = (middle, Some(outlook));
            } else {
                low = middle;
            }
        }
        best.unwrap_or_else(|| {
            self.waits_s[turn] = high;
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
            existing: vec![0.0; usize::from(copies::COPIES_MAX.max(self.scheme.wanted())) + 1],
            waits: self.waits_s.iter().any(|wait_s| *wait_s > 0.0),
            needed,
        };
        for ((state, steps), share) in states.iter().zip(&steps).zip(shares) {
            let existing = state.existing();
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
        let (needed, pieces) = match self.scheme {
            Scheme::Copies { wanted } => return copies::states(wanted),
            Scheme::Coded { needed, pieces, .. } => (needed, pieces),
        };
        let of =
            |existing: u8| (0..=existing).map(move |away| State { present: existing - away, away, ..State::default() });
        (needed..=pieces).rev().flat_map(of).collect()
    }

    fn steps(&self, state: State) -> Vec<Step> {
        let wait_s = |turn: u8| self.waits_s.get(usize::from(turn)).copied().unwrap_or_default();
        match self.scheme {
            Scheme::Copies { wanted } => {
                copies::steps(state, wanted, self.churn, self.network, wait_s(copies::turn(state, wanted)))
            }
            Scheme::Coded { needed, pieces, rebuild_at } => {
                let mut steps = self.coming_and_going(state, needed);
                if (needed..=rebuild_at.min(pieces - 1)).contains(&state.present) {
                    // Who mends reads as many pieces as it takes. Pieces that come back later are there twice, and go.
                    let written = f64::from(pieces - state.present) / f64::from(needed);
                    let rate = 1.0 / (self.network.rebuilding_s() + wait_s(state.present));
                    let whole = State { present: pieces, ..State::default() };
                    steps.push(Step { to: Some(whole), rate, moved: 1.0 + written });
                }
                steps
            }
        }
    }

    /// Pieces that leave, come back and go for good.
    fn coming_and_going(&self, state: State, needed: u8) -> Vec<Step> {
        let State { present, away, .. } = state;
        let step = |to: State, rate| Step { to: to.exists(needed), rate, moved: 0.0 };
        let gone = self.churn.gone_per_s();
        let mut steps = Vec::new();
        if present > 0 {
            let (rest, rate) = (State { present: present - 1, ..state }, f64::from(present));
            steps.push(step(rest, rate * gone));
            let leaving = self.churn.leaving_per_s(self.network.patience_s());
            steps.push(step(State { away: away + 1, ..rest }, rate * leaving));
        }
        if away > 0 {
            let (rest, rate) = (State { away: away - 1, ..state }, f64::from(away));
            steps.push(step(rest, rate * gone));
            steps.push(step(State { present: present + 1, ..rest }, rate * self.churn.returning_per_s()));
        }
        steps
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
        let patience = PatienceRules::none(1);
        let network = Network { held_bytes: 1e6, patience, ..Network::default() };
        let (gone, mend) = (churn.gone_per_s(), network.copying_s());
        let expected = 3.0 * gone * (2.0 * gone * mend) * (gone * mend);
        let lost = Scheme::Copies { wanted: 3 }.outlook(&churn, &network).lost_per_s;
        assert!((lost / expected - 1.0).abs() < 1e-4, "{lost:e}, not {expected:e}");
    }

    #[test]
    fn what_goes_at_once_takes_all_copies_by_chance() {
        let churn = Churn { session_h: f64::INFINITY, ..churn::PAID };
        let patience = PatienceRules::none(1);
        let network = Network { held_bytes: 1e6, patience, ..Network::default() };
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
