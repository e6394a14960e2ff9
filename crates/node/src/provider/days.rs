//! A provider's days as its operator sees them: what it sent, what it earned, and for what was not paid, why.
//!
//! ```text
//! book (this machine)      sent ─▶ confirmed by a receipt ─▶ taken by a validator
//! cfx_served (validators)                                     └─▶ carried as a play ─▶ paid
//!                           no-receipt     refused: its code      not-carried          audit-failed, weightless, …
//! ```
//!
//! What is lost between two stations is the difference of their sums. A delivery counts on the day of its receipt and a
//! play on the day of its vote, so around midnight a few may seem lost on one day that are found on the next.

use super::book::{Book, Day};
use chainflix_rpc::types::{ServedDay, ServedReport, UnpaidPlays};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most days of a report.
pub const DAYS_SHOWN_MAX: u32 = 31;
/// Words for every reason, in English and Korean: JSON of `{ code: { language: words } }`; the page shows the same.
pub const REASON_WORDS: &str = include_str!("reasons.json");
/// Sent, and not confirmed by a viewer.
const NO_RECEIPT: &str = "no-receipt";
/// Confirmed, and not carried as a play by the votes.
const NOT_CARRIED: &str = "not-carried";

/// One day of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DayReport {
    /// Like `2026-11-22`, UTC.
    pub date: String,
    /// Bytes sent to viewers.
    pub sent_bytes: u64,
    /// Deliveries whose receipt viewer and provider signed alike.
    pub receipts: u64,
    /// What came of them; `None` while no validator answers.
    pub earned: Option<Earned>,
    /// What was not paid, by reason.
    pub unpaid: Vec<Unpaid>,
}

/// What view blocks say of a day, as far as they are awarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Earned {
    /// Plays that it served.
    pub plays: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What it was awarded for them, in gwei.
    pub gwei: u64,
    /// What of that is held back, in gwei.
    pub held_gwei: u64,
}

/// What one reason cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unpaid {
    /// Its code; words for it are in [`REASON_WORDS`], for codes that are not there under `refused`.
    pub reason: String,
    /// How many deliveries or plays; `None` where nobody counts them.
    pub count: Option<u64>,
    /// Bytes of them.
    pub bytes: u64,
}

/// The newest days on which something happened, newest first.
pub(super) fn reports(book: &Book, served: Option<&ServedReport>) -> Vec<DayReport> {
    let days = served.map_or(&[][..], |served| &served.days);
    let known: BTreeSet<u32> = book.days().keys().copied().chain(days.iter().map(|day| day.day)).collect();
    let report = |number: u32| {
        let served = served.map(|_| days.iter().find(|day| day.day == number));
        report(number, book.days().get(&number).unwrap_or(&Day::default()), served)
    };
    known.into_iter().rev().take(DAYS_SHOWN_MAX as usize).map(report).collect()
}

/// `served` is `None` where no validator answers, and `Some(None)` where they know nothing of the day.
fn report(number: u32, day: &Day, served: Option<Option<&ServedDay>>) -> DayReport {
    let confirmed = day.receipts();
    let mut unpaid = vec![Unpaid {
        reason: NO_RECEIPT.to_owned(),
        count: None,
        bytes: day.sent_bytes.saturating_sub(confirmed.bytes),
    }];
    unpaid.extend(day.refused.iter().map(|(code, refused)| Unpaid {
        reason: code.clone(),
        count: Some(refused.count),
        bytes: refused.bytes,
    }));
    let mut earned = None;
    if let Some(served) = served {
        let (plays, bytes) = served.map_or((0, 0), |served| (served.plays, served.bytes));
        unpaid.push(Unpaid {
            reason: NOT_CARRIED.to_owned(),
            count: Some(day.taken.count.saturating_sub(plays)),
            bytes: day.taken.bytes.saturating_sub(bytes),
        });
        unpaid.extend(served.into_iter().flat_map(|served| &served.unpaid).map(of_plays));
        let (gwei, held_gwei) = served.map_or((0, 0), |served| (served.gwei, served.held_gwei));
        earned = Some(Earned { plays, bytes, gwei, held_gwei });
    }
    unpaid.retain(|unpaid| unpaid.bytes > 0 || unpaid.count.is_some_and(|count| count > 0));
    DayReport { date: date(number), sent_bytes: day.sent_bytes, receipts: confirmed.count, earned, unpaid }
}

fn of_plays(unpaid: &UnpaidPlays) -> Unpaid {
    Unpaid { reason: unpaid.reason.clone(), count: Some(unpaid.plays), bytes: unpaid.bytes }
}

/// A day since the Unix epoch, as a calendar names it.
fn date(number: u32) -> String {
    let named = DateTime::from_timestamp(i64::from(number) * 86_400, 0);
    // Beyond the calendar there are only clocks that are wrong.
    named.map_or_else(|| format!("day {number}"), |time| time.date_naive().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const DAY_MS: u64 = 86_400_000;
    const TODAY: u32 = 20_779;

    fn served(day: u32, plays: u64, bytes: u64, gwei: u64) -> ServedDay {
        ServedDay { day, plays, bytes, gwei, held_gwei: gwei / 5, unpaid: vec![] }
    }

    fn unpaid(reason: &str, count: Option<u64>, bytes: u64) -> Unpaid {
        Unpaid { reason: reason.to_owned(), count, bytes }
    }

    #[test]
    fn what_is_lost_on_the_way_is_named_where_it_was_lost() {
        let mut book = Book::default();
        let now_ms = u64::from(TODAY) * DAY_MS;
        book.sent(now_ms, 1_000);
        (0..4).for_each(|_| book.receipt(now_ms, 200, None));
        book.receipt(now_ms, 90, Some("unknown-grant"));
        let failed = UnpaidPlays { reason: "audit-failed".into(), plays: 1, bytes: 200 };
        let today = ServedDay { unpaid: vec![failed], ..served(TODAY, 3, 600, 5_000) };
        let days = vec![today, served(TODAY - 2, 7, 900, 8)];
        let found = reports(&book, Some(&ServedReport { struck_out: false, days }));
        let first = DayReport {
            date: "2026-11-22".into(),
            sent_bytes: 1_000,
            receipts: 5,
            earned: Some(Earned { plays: 3, bytes: 600, gwei: 5_000, held_gwei: 1_000 }),
            unpaid: vec![
                unpaid("no-receipt", None, 110),
                unpaid("unknown-grant", Some(1), 90),
                unpaid("not-carried", Some(1), 200),
                unpaid("audit-failed", Some(1), 200),
            ],
        };
        let earned = Some(Earned { plays: 7, bytes: 900, gwei: 8, held_gwei: 1 });
        let before = DayReport { date: "2026-11-20".into(), sent_bytes: 0, receipts: 0, earned, unpaid: vec![] };
        assert_eq!(found, [first, before]);
    }

    #[test]
    fn without_a_validator_only_what_the_machine_knows_is_told() {
        let mut book = Book::default();
        book.sent(u64::from(TODAY) * DAY_MS, 1_000);
        book.receipt(u64::from(TODAY) * DAY_MS, 1_000, None);
        let [day] = &reports(&book, None)[..] else { panic!() };
        assert_eq!((day.receipts, day.earned, day.unpaid.len()), (1, None, 0));
        let nothing = ServedReport { struck_out: false, days: vec![] };
        let [day] = &reports(&book, Some(&nothing))[..] else { panic!() };
        assert_eq!(day.earned, Some(Earned { plays: 0, bytes: 0, gwei: 0, held_gwei: 0 }));
        assert_eq!(day.unpaid, [unpaid("not-carried", Some(1), 1_000)]);
    }

    #[test]
    fn a_report_ends_somewhere() {
        let mut book = Book::default();
        (0..60).for_each(|day| book.sent(day * DAY_MS, day + 1));
        let found = reports(&book, None);
        assert_eq!((found.len(), &*found[0].date), (DAYS_SHOWN_MAX as usize, "1970-03-01"));
        assert_eq!(date(u32::MAX), "day 4294967295");
    }

    #[test]
    fn every_reason_is_told_in_both_languages() {
        let words: Value = serde_json::from_str(REASON_WORDS).unwrap();
        let ours = [NO_RECEIPT, NOT_CARRIED, super::super::book::REFUSED, super::super::book::UNREACHABLE];
        let theirs = chainflix_proof_of_view::Unpaid::ALL.map(chainflix_proof_of_view::Unpaid::code);
        for code in ours.into_iter().chain(theirs) {
            assert!(words[code]["en"].is_string() && words[code]["ko"].is_string(), "{code}");
            assert_ne!(words[code]["en"], words[code]["ko"], "{code}");
        }
    }
}
