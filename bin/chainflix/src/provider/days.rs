//! How `chainflix provider status` says what a day earned, and why it did not earn more.

use super::size;
use crate::wallet::{amount, language::Language};
use alloy_primitives::U256;
use chainflix_node::provider::{DayReport, REASON_WORDS, Unpaid};
use serde::Deserialize;
use std::collections::HashMap;

const WEI_PER_GWEI: u64 = 1_000_000_000;
/// The words for reasons that have none of their own.
const REFUSED: &str = "refused";

/// Words for days, in one language.
pub struct Words {
    language: Language,
    reasons: HashMap<String, Told>,
}

/// One reason in each language.
#[derive(Deserialize)]
struct Told {
    en: String,
    ko: String,
}

impl Words {
    pub fn read(language: Language) -> Self {
        // Part of this program; a test reads it.
        Self { language, reasons: serde_json::from_str(REASON_WORDS).expect("the words of reasons can be read") }
    }

    /// A day in a line, and a line for each reason that something was not paid.
    pub fn day(&self, day: &DayReport) -> Vec<String> {
        let sent = size(day.sent_bytes);
        let line = match (self.language, day.earned) {
            (Language::En, Some(earned)) => {
                let held = held(earned.held_gwei, |held| format!(", {held} of them held back"));
                format!("{} {sent} sent, {} plays, {} CFX{held}", day.date, earned.plays, cfx(earned.gwei))
            }
            (Language::Ko, Some(earned)) => {
                let held = held(earned.held_gwei, |held| format!(" (그중 {held} 유보)"));
                format!("{} {sent} 보냄, 시청 {}회, {} CFX{held}", day.date, earned.plays, cfx(earned.gwei))
            }
            (Language::En, None) => {
                format!("{} {sent} sent, {} receipts; no validator answers", day.date, day.receipts)
            }
            (Language::Ko, None) => {
                format!("{} {sent} 보냄, 영수증 {}개. 응답하는 검증자가 없습니다", day.date, day.receipts)
            }
        };
        std::iter::once(line).chain(day.unpaid.iter().map(|unpaid| self.unpaid(unpaid))).collect()
    }

    fn unpaid(&self, unpaid: &Unpaid) -> String {
        let Unpaid { reason, count, bytes } = unpaid;
        let bytes = size(*bytes);
        let much = count.map_or_else(|| bytes.clone(), |count| format!("{count} ({bytes})"));
        let told = self.reasons.get(reason).or_else(|| self.reasons.get(REFUSED));
        let words = told.map_or(reason.as_str(), |told| match self.language {
            Language::En => &told.en,
            Language::Ko => &told.ko,
        });
        let unpaid = match self.language {
            Language::En => "unpaid",
            Language::Ko => "보상 없음",
        };
        format!("  {unpaid} {much}: {words}")
    }
}

/// What is held back, in words; nothing where it is nothing.
fn held(gwei: u64, words: impl FnOnce(String) -> String) -> String {
    if gwei == 0 { String::new() } else { words(cfx(gwei)) }
}

fn cfx(gwei: u64) -> String {
    amount::show(U256::from(gwei) * U256::from(WEI_PER_GWEI))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_node::provider::Earned;

    #[test]
    fn a_day_is_told_with_its_reasons_in_both_languages() {
        let unpaid = |reason: &str, count| Unpaid { reason: reason.to_owned(), count, bytes: 2_000_000 };
        let mut day = DayReport {
            date: "2026-11-22".into(),
            sent_bytes: 4_100_000_000,
            receipts: 130,
            earned: Some(Earned { plays: 120, bytes: 4_000_000_000, gwei: 12_500_000_000, held_gwei: 9_375_000_000 }),
            unpaid: vec![unpaid("no-receipt", None), unpaid("never-heard-of", Some(3))],
        };
        let told = Words::read(Language::En).day(&day);
        assert_eq!(told[0], "2026-11-22 4.10 GB sent, 120 plays, 12.5 CFX, 9.375 of them held back");
        assert!(told[1].starts_with("  unpaid 2.00 MB: Sent, and not (yet) confirmed"), "{}", told[1]);
        assert_eq!(told[2], "  unpaid 3 (2.00 MB): The validators did not take the receipt.");
        day.earned = None;
        let told = Words::read(Language::Ko).day(&day);
        assert_eq!(told[0], "2026-11-22 4.10 GB 보냄, 영수증 130개. 응답하는 검증자가 없습니다");
        assert!(told[1].starts_with("  보상 없음 2.00 MB: 보냈지만"), "{}", told[1]);
    }
}
