//! What the wallet says of plays, in the languages of its readers.
//!
//! Reasons of refusals are kept beside the refusals, in one file for this command and for the web app.

use chainflix_proof_of_view::REFUSAL_WORDS;
use chainflix_rpc::types::Role;
use clap::ValueEnum;
use serde::Deserialize;
use std::{collections::HashMap, env};

/// A language of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// English.
    En,
    /// Korean.
    Ko,
}

/// Words for every refusal.
pub struct Refusals(HashMap<String, Told>);

/// One refusal in each language: what happened, and what to do.
#[derive(Deserialize)]
struct Told {
    en: Reason,
    ko: Reason,
}

/// In one text.
#[derive(Deserialize)]
#[serde(from = "Parts")]
struct Reason(String);

#[derive(Deserialize)]
struct Parts {
    happened: String,
    advice: String,
}

impl From<Parts> for Reason {
    fn from(Parts { happened, advice }: Parts) -> Self {
        Self(format!("{happened} {advice}"))
    }
}

impl Refusals {
    pub fn read() -> Self {
        // Part of this program; a test reads it.
        Self(serde_json::from_str(REFUSAL_WORDS).expect("the words of refusals can be read"))
    }

    /// What happened and what to do; `None` for a code that this program does not know.
    pub fn words(&self, code: &str, language: Language) -> Option<&str> {
        let told = self.0.get(code)?;
        Some(match language {
            Language::En => &told.en.0,
            Language::Ko => &told.ko.0,
        })
    }
}

impl Language {
    /// As POSIX says where programs look for it.
    pub fn of_system() -> Self {
        let named = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
        Self::of_locale(named.into_iter().find(|name| !name.is_empty()).as_deref())
    }

    fn of_locale(locale: Option<&str>) -> Self {
        if locale.is_some_and(|locale| locale.starts_with("ko")) { Self::Ko } else { Self::En }
    }

    pub fn coins(self, spendable: &str, pending: &str, vesting: &str, next: Option<(String, u64)>) -> String {
        match self {
            Self::En => {
                let next = next.map(|(amount, block)| format!(" ({amount} CFX from view block {block} on)"));
                format!(
                    "{spendable} CFX to spend, {pending} CFX pending, {vesting} CFX vesting{}",
                    next.unwrap_or_default()
                )
            }
            Self::Ko => {
                let next = next.map(|(amount, block)| format!(" (뷰 블록 {block}부터 {amount} CFX)"));
                format!(
                    "사용 가능 {spendable} CFX, 지급 대기 {pending} CFX, 잠금 {vesting} CFX{}",
                    next.unwrap_or_default()
                )
            }
        }
    }

    pub fn held(self, held: &str) -> String {
        match self {
            Self::En => format!("{held} CFX held back"),
            Self::Ko => format!("유보 {held} CFX"),
        }
    }

    pub fn no_plays(self) -> &'static str {
        match self {
            Self::En => "no plays yet: watch a minute of a film to its end",
            Self::Ko => "아직 시청 기록이 없습니다. 영상의 1분을 끝까지 보세요",
        }
    }

    pub fn place(self, title: &str, cell: u32) -> String {
        match self {
            Self::En => format!("{title}, cell {cell}"),
            Self::Ko => format!("{title}, 셀 {cell}"),
        }
    }

    pub fn running(self) -> &'static str {
        match self {
            Self::En => "playing",
            Self::Ko => "재생 중",
        }
    }

    pub fn proved(self) -> &'static str {
        match self {
            Self::En => "proved, waiting for the vote",
            Self::Ko => "증명됨, 투표 대기",
        }
    }

    pub fn pending(self, view_block: u64) -> String {
        match self {
            Self::En => format!("accepted in view block {view_block}, coins follow when its random checks are over"),
            Self::Ko => format!("뷰 블록 {view_block}에 승인됨, 무작위 검사가 끝나면 코인 지급"),
        }
    }

    pub fn auditing(self) -> &'static str {
        match self {
            Self::En => "being checked at random",
            Self::Ko => "무작위 검사 중",
        }
    }

    pub fn accepted(self, view_block: u64) -> String {
        match self {
            Self::En => format!("mined in view block {view_block}"),
            Self::Ko => format!("뷰 블록 {view_block}에서 채굴됨"),
        }
    }

    pub fn refused(self, reason: &str) -> String {
        match self {
            Self::En => format!("unpaid. {reason}"),
            Self::Ko => format!("보상 없음. {reason}"),
        }
    }

    pub fn role(self, role: Role) -> &'static str {
        match (self, role) {
            (Self::En, Role::Creator) => "creator",
            (Self::En, Role::Viewer) => "viewer",
            (Self::En, Role::Activators) => "subtitles and dubs",
            (Self::En, Role::Storage) => "storage",
            (Self::En, Role::Validators) => "validators",
            (Self::En, Role::Supervisor) => "supervisor",
            (Self::En, Role::Operation) => "operation",
            (Self::Ko, Role::Creator) => "창작자",
            (Self::Ko, Role::Viewer) => "시청자",
            (Self::Ko, Role::Activators) => "자막·더빙",
            (Self::Ko, Role::Storage) => "저장 제공자",
            (Self::Ko, Role::Validators) => "검증자",
            (Self::Ko, Role::Supervisor) => "감독 기관",
            (Self::Ko, Role::Operation) => "운영",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_told_in_both_languages() {
        let refusals = Refusals::read();
        assert!(refusals.0.len() > 30);
        for code in refusals.0.keys() {
            assert_ne!(refusals.words(code, Language::En), refusals.words(code, Language::Ko), "{code}");
        }
        assert_eq!(refusals.words("no-such-code", Language::En), None);
    }

    #[test]
    fn the_systems_language_is_understood() {
        assert_eq!(Language::of_locale(Some("ko_KR.UTF-8")), Language::Ko);
        assert_eq!(Language::of_locale(Some("de_DE.UTF-8")), Language::En);
        assert_eq!(Language::of_locale(None), Language::En);
    }
}
