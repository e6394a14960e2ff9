//! How disks come and go, from public measurements.
//!
//! | what | number | from |
//! |---|---|---|
//! | paid disks in homes that go without a word | 290 of 22,078 within 30 days (to 9 October 2023) | Storj Labs, "Changes to node payout rates as of December 1st 2023", forum.storj.io: nodes that went offline, satellite US1 |
//! | the same after their pay was cut | 634 of 22,491 within 30 days (median, April to June 2023) | the same page |
//! | disks that fail | 1.57 % a year | Backblaze, "Drive Stats for 2024" |
//! | volunteers' computers that leave a project | 91 days of life on average | Anderson and Fedak, "The computational and storage potential of volunteer computing", CCGrid 2006 (SETI@home) |
//! | sessions of peers that nobody pays | half end within 2 hours | ProbeLab, "RFM 2: Uptime and churn", 2022 (IPFS) |
//!
//! What went offline may have come back later; it is all counted as gone. **Assumed**, not measured: that a paid disk is away
//! for an hour every week, and that volunteers are present for just the 60 % below which the network suspends them. Lives,
//! sessions and absences are exponential; measured ones have longer tails, so that those who stayed long stay longer.

/// Hours of a year.
pub const YEAR_H: f64 = 8_766.0;
/// Disks that fail within a year, of one.
const DISKS_FAIL: f64 = 0.0157;
/// Thirty days in a year.
const MONTHS: f64 = YEAR_H / 720.0;

/// One population of disks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    /// What a table calls it.
    pub name: &'static str,
    /// How often in a year a disk goes for good and without a word.
    pub gone_per_year: f64,
    /// Mean time between two absences, in hours.
    pub session_h: f64,
    /// Mean length of an absence, in hours.
    pub absence_h: f64,
}

/// Paid, and content with it.
pub const PAID: Churn = Churn {
    name: "paid disks",
    gone_per_year: 290.0 / 22_078.0 * MONTHS + DISKS_FAIL,
    session_h: 167.0,
    absence_h: 1.0,
};

/// Paid, and angry.
pub const CUT: Churn =
    Churn { name: "paid disks after a pay cut", gone_per_year: 634.0 / 22_491.0 * MONTHS + DISKS_FAIL, ..PAID };

/// Not paid, on computers that are switched off at night.
pub const VOLUNTEERS: Churn = Churn {
    name: "volunteers' computers",
    gone_per_year: YEAR_H / (91.0 * 24.0) + DISKS_FAIL,
    // An exponential time with a median of two hours.
    session_h: 2.0 / std::f64::consts::LN_2,
    absence_h: 2.0 / std::f64::consts::LN_2 * 4.0 / 6.0,
};

/// All of them, the most faithful first.
pub const POPULATIONS: [Churn; 3] = [PAID, CUT, VOLUNTEERS];

impl Churn {
    /// The part of the time in which a disk is present.
    pub fn presence(&self) -> f64 {
        self.session_h / (self.session_h + self.absence_h)
    }

    /// Departures for a while, a second: those that last longer than `unnoticed_s` seconds.
    pub fn leaving_per_s(&self, unnoticed_s: f64) -> f64 {
        (-unnoticed_s * self.returning_per_s()).exp() / (self.session_h * 3_600.0)
    }

    /// Returns of one that is away, a second.
    pub fn returning_per_s(&self) -> f64 {
        1.0 / (self.absence_h * 3_600.0)
    }

    /// Departures for good, a second.
    pub fn gone_per_s(&self) -> f64 {
        self.gone_per_year / (YEAR_H * 3_600.0)
    }
}
