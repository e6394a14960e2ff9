//! What a provider did, day by day, as it alone knows it: bytes sent, receipts taken, receipts refused and why.
//!
//! ```text
//! deliveries ── bytes sent ───────────┐
//! receipts ──── taken, or refused ───▶ Book ── every minute, and at the end ──▶ state/days.json
//! ```
//!
//! Sums only, and no viewer. A day is of UTC, 92 of them are kept, and each has a bounded number of reasons. A process that is
//! killed loses what it did since the book was last written down, a minute at most; its coins are the chain's.

use super::state::StateFolder;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Days that are kept, as many as validators keep.
const DAYS_KEPT: usize = 92;
/// Reasons that a day tells apart; what comes beyond them is [`REFUSED`].
const REASONS_MAX: usize = 16;
/// Longest code of a reason: a validator may say anything.
const REASON_BYTES_MAX: usize = 32;
/// A refusal without a code of its own.
pub(super) const REFUSED: &str = "refused";
/// A receipt that no validator could be reached for.
pub(super) const UNREACHABLE: &str = "unreachable";
/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Deliveries that came to their end, and what they delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deliveries {
    pub count: u64,
    pub bytes: u64,
}

impl Deliveries {
    fn add(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

/// One day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Day {
    /// Bytes sent to viewers.
    pub sent_bytes: u64,
    /// Receipts that a validator took.
    pub taken: Deliveries,
    /// Receipts that none took, by the code of the reason.
    pub refused: BTreeMap<String, Deliveries>,
}

impl Day {
    /// All receipts, taken or not.
    pub fn receipts(&self) -> Deliveries {
        let mut all = self.taken;
        self.refused.values().for_each(|refused| all.add(*refused));
        all
    }
}

/// All days, by their number since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Book {
    days: BTreeMap<u32, Day>,
    /// Bytes sent since this process began, as far as they are in the book.
    #[serde(skip)]
    booked_bytes: u64,
    #[serde(skip)]
    is_changed: bool,
}

impl Book {
    /// The days, oldest first.
    pub fn days(&self) -> &BTreeMap<u32, Day> {
        &self.days
    }

    /// Bytes sent since the process began.
    pub fn sent(&mut self, now_ms: u64, since_start_bytes: u64) {
        let bytes = since_start_bytes.saturating_sub(self.booked_bytes);
        if bytes > 0 {
            self.booked_bytes = since_start_bytes;
            let day = self.day(now_ms);
            day.sent_bytes = day.sent_bytes.saturating_add(bytes);
        }
    }

    /// A receipt for `bytes` that a validator took, or that none did, and the code of why.
    pub fn receipt(&mut self, now_ms: u64, bytes: u64, refused: Option<&str>) {
        let day = self.day(now_ms);
        let one = Deliveries { count: 1, bytes };
        let Some(code) = refused else { return day.taken.add(one) };
        let is_code = (1..=REASON_BYTES_MAX).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let reserved = usize::from(!day.refused.contains_key(REFUSED));
        let has_room = day.refused.contains_key(code) || day.refused.len() + reserved < REASONS_MAX;
        let code = if is_code && has_room { code } else { REFUSED };
        day.refused.entry(code.to_owned()).or_default().add(one);
    }

    fn day(&mut self, now_ms: u64) -> &mut Day {
        self.is_changed = true;
        let today = u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX);
        self.days.entry(today).or_default();
        while self.days.len() > DAYS_KEPT {
            // A clock that was wrong may have left days of the future.
            let is_oldest = self.days.keys().next() == Some(&today);
            _ = if is_oldest { self.days.pop_last() } else { self.days.pop_first() };
        }
        self.days.entry(today).or_default()
    }
}

/// The book of a running provider and the folder it is written down in. Clones share both.
#[derive(Clone)]
pub(super) struct SharedBook {
    book: Arc<Mutex<Book>>,
    state: StateFolder,
    /// Held by who writes it down: one at a time.
    pen: Arc<Mutex<()>>,
}

impl SharedBook {
    /// Goes on with the book in `state`. One that cannot be read is begun anew: it is not worth a provider that does not
    /// start.
    pub fn open(state: StateFolder) -> Self {
        let book = match state.days().map(|json| json.map(|json| serde_json::from_slice(&json)).transpose()) {
            Ok(Ok(book)) => book.unwrap_or_default(),
            Ok(Err(error)) => begun_anew(error.into()),
            Err(error) => begun_anew(error.into()),
        };
        Self { book: Arc::new(Mutex::new(book)), state, pen: Arc::default() }
    }

    /// The book, for a short moment.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        // Every step leaves it whole, so a panic elsewhere does not spoil it.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what has changed. Blocks on the disk.
    pub fn save(&self) {
        let _pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        let json = {
            let mut book = self.book();
            if !std::mem::take(&mut book.is_changed) {
                return;
            }
            // Plain data, with numbers and texts as keys: JSON can say it.
            serde_json::to_vec(&*book).expect("a book is valid JSON")
        };
        if let Err(error) = self.state.write_days(&json) {
            self.book().is_changed = true;
            let error = format!("{:#}", anyhow::Error::new(error));
            tracing::warn!(error, "the book of days is not written down");
        }
    }
}

fn begun_anew(error: anyhow::Error) -> Book {
    tracing::warn!(error = format!("{error:#}"), "the book of days cannot be read; it begins anew");
    Book::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: u64 = 20_000 * DAY_MS + DAY_MS / 2;

    #[test]
    fn a_book_goes_on_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let open = || SharedBook::open(StateFolder::open(home.path()).unwrap());
        let first = open();
        first.book().sent(NOON_MS, 700);
        first.book().sent(NOON_MS, 1_000);
        first.book().receipt(NOON_MS, 600, None);
        first.book().receipt(NOON_MS, 300, Some("unknown-grant"));
        first.save();
        let second = open();
        // Counted from zero again by the new process.
        second.book().sent(NOON_MS + DAY_MS, 50);
        second.book().receipt(NOON_MS, 10, None);
        second.save();
        let refused = BTreeMap::from([("unknown-grant".to_owned(), Deliveries { count: 1, bytes: 300 })]);
        let day = Day { sent_bytes: 1_000, taken: Deliveries { count: 2, bytes: 610 }, refused };
        let next = Day { sent_bytes: 50, ..Day::default() };
        assert_eq!(*open().book().days(), BTreeMap::from([(20_000, day), (20_001, next)]));
        std::fs::write(home.path().join("days.json"), "{").unwrap();
        assert_eq!(*open().book(), Book::default());
    }

    #[test]
    fn whatever_validators_say_a_book_stays_small() {
        let mut book = Book::default();
        for day in 0..200 {
            book.sent(NOON_MS + day * DAY_MS, day + 1);
        }
        assert_eq!((book.days.len(), book.days.keys().next()), (DAYS_KEPT, Some(&(20_200 - DAYS_KEPT as u32))));
        for number in 0..100u8 {
            book.receipt(NOON_MS, 1, Some(&"a".repeat(usize::from(number))));
        }
        book.receipt(NOON_MS, 1, Some("<b>"));
        let day = &book.days[&20_000];
        assert_eq!((day.refused.len(), day.refused[REFUSED].count), (REASONS_MAX, 101 - 15));
        assert_eq!(
            (book.days.len(), book.days.keys().last()),
            (DAYS_KEPT, Some(&20_198)),
            "today is kept, whenever it is"
        );
    }
}
