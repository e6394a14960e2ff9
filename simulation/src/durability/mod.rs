//! How likely a film is lost: copies and coded pieces on disks that come and go, for years.
//!
//! ```text
//!            λ gone for good              mended, 1 / (noticed + planned + moved + its turn)
//!   lost ◀── … ◀── 1 copy ◀──▶ 2 copies ◀──▶ 3 copies ──▶ too many ──▶ 3, after the trim's delay
//!                     ▲ away, and back with all it held
//! ```
//!
//! One cell is a Markov chain of how many of its copies are present, silent and away; the network's own rules give its
//! rates. What cannot happen in any simulation that ends is so reckoned exactly. Where it happens often enough to be seen,
//! [`replay`] lets the real placement and repair code live through it, and a test compares both.
//!
//! | module | what |
//! |---|---|
//! | [`churn`] | how disks come and go: measured elsewhere, with sources |
//! | [`scheme`] | copies or coded pieces of a cell, and what becomes of them |
//! | [`copies`] | copies by the network's patience and repair: present, silent, dead, away |
//! | [`steady`] | the shares of time of a chain's states, without rounding away what is rare |
//! | [`replay`] | the network's own code on disks that die fast |
//! | [`table`] | the generated parts of `docs/storage.md` |
//!
//! Left out: disks that fail one after the other for one reason (what goes at once is a parameter), the queue that the cells
//! of one dead disk make among themselves, and a controller that plans wrongly. Cells of one film are reckoned as if no two
//! shared a disk, which is worse than what happens.

pub mod churn;
pub mod copies;
pub mod replay;
pub mod scheme;
pub mod steady;
pub mod table;
