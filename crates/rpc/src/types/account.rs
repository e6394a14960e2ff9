//! `cfx_account`: what an account has, what is on its way to it, and what it watched.

use super::{PlayReport, decimal};
use chainflix_primitives::{AccountAddress, Magnet, PlayId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// Most parts of what is vesting that one answer names.
pub const VESTING_SHOWN_MAX: usize = 16;

/// Parameter of `cfx_account`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountQuery {
    /// Whose.
    pub account: AccountAddress,
    /// How many plays, 1 to [`COUNT_MAX`](super::COUNT_MAX).
    pub count: u32,
    /// Where the page of plays begins; with the newest when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PlayCursor>,
}

/// `cfx_account`: an account's coins and plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountReport {
    /// To be spent now, in wei.
    #[serde(with = "decimal")]
    pub balance_wei: u128,
    /// For plays that are voted for and not awarded yet, in gwei: what it will be if none of them is void.
    #[serde(with = "decimal")]
    pub pending_gwei: u128,
    /// Awarded, and not to be spent yet, in gwei.
    #[serde(with = "decimal")]
    pub vesting_gwei: u128,
    /// Its first parts, soonest first; at most [`VESTING_SHOWN_MAX`].
    pub vesting: Vec<Vesting>,
    /// What is held back from it as a storage peer; `None` where storage never paid it anything, and after it was paid out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// View blocks made so far.
    pub view_blocks: u64,
    /// Plays, newest first.
    pub plays: Vec<AccountPlay>,
    /// Where the next page of plays begins; `None` at the end.
    pub next: Option<PlayCursor>,
}

/// Pay of a storage peer that is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// How much, in gwei.
    #[serde(with = "decimal")]
    pub gwei: u128,
    /// What of its next pay for storage is held back, in thousandths.
    pub permille: u16,
    /// Its service: periods in which storage paid it something.
    pub periods: u32,
    /// Periods of service from which on it is paid what is held when it withdraws from the registry.
    pub leave_periods: u32,
    /// Whether it has withdrawn so old: it is paid when a whole period is over.
    pub leaving: bool,
}

/// A part of what an account will be able to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vesting {
    /// With which view block.
    pub view_block: u64,
    /// How much, in gwei.
    pub gwei: u64,
}

/// A play in the history of its viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountPlay {
    /// Its name; `None` where the wish for one was refused.
    pub play: Option<PlayId>,
    /// The video.
    pub magnet: Magnet,
    /// The minute of it.
    pub cell_index: u32,
    /// When it came as far as it is, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How it stands.
    #[serde(flatten)]
    pub report: PlayReport,
    /// What it paid, by role; `None` until it is awarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Vec<RolePay>>,
}

/// What one role got of a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolePay {
    /// Which role.
    pub role: Role,
    /// All of that role together, in gwei.
    pub gwei: u64,
}

/// Who shares in the reward of a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Who published the video.
    Creator,
    /// Who watched.
    Viewer,
    /// Makers of the layers shown.
    Activators,
    /// Who served the cell.
    Storage,
    /// Whose votes carried the play.
    Validators,
    /// Who vouches for the video.
    Supervisor,
    /// Operation participants.
    Operation,
}

/// The place between two plays of an account's history: of all that is older than a place in the ledger, or than a
/// moment of refusal. As text for those who only hand it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayCursor {
    /// Carried plays in an older view block than this one, or
    pub view_block: u64,
    /// in this one, at a lower place in its payload.
    pub index: u32,
    /// Plays refused before this moment, in milliseconds since the Unix epoch.
    pub refused_ms: u64,
}

/// A text that is no [`PlayCursor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a page of plays begins at three numbers with dots between them")]
pub struct NotACursor;

impl PlayCursor {
    /// Before the newest play of all.
    pub const NEWEST: Self = Self { view_block: u64::MAX, index: u32::MAX, refused_ms: u64::MAX };
}

impl fmt::Display for PlayCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.view_block, self.index, self.refused_ms)
    }
}

impl FromStr for PlayCursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let mut numbers = text.split('.').map(|number| number.parse::<u64>().ok());
        let (view_block, index, refused_ms) = (numbers.next(), numbers.next(), numbers.next());
        match (view_block.flatten(), index.flatten(), refused_ms.flatten(), numbers.next()) {
            (Some(view_block), Some(index), Some(refused_ms), None) => {
                let index = u32::try_from(index).map_err(|_| NotACursor)?;
                Ok(Self { view_block, index, refused_ms })
            }
            _ => Err(NotACursor),
        }
    }
}

impl Serialize for PlayCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PlayCursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn a_play_of_the_history_is_one_flat_object() {
        let report = PlayReport::Accepted { view_block: 7 };
        let paid = Some(vec![RolePay { role: Role::Viewer, gwei: 27 }]);
        let play = AccountPlay {
            play: Some(PlayId([1; 16])),
            magnet: Magnet([2; 32]),
            cell_index: 3,
            time_ms: 4,
            report,
            paid,
        };
        let words = to_value(&play).unwrap();
        assert_eq!((&words["status"], &words["viewBlock"]), (&json!("accepted"), &json!(7)));
        assert_eq!(words["paid"], json!([{"role": "viewer", "gwei": 27}]));
        assert_eq!(from_value::<AccountPlay>(words).unwrap(), play);
    }

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        for cursor in [PlayCursor { view_block: 7, index: 3, refused_ms: 1_700_000_000_000 }, PlayCursor::NEWEST] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
            assert_eq!(from_value::<PlayCursor>(to_value(cursor).unwrap()).unwrap(), cursor);
        }
        for text in ["", "1", "1.2", "1.2.3.4", "1..3", "-1.2.3", "1.99999999999.3", "1.2.x"] {
            assert_eq!(text.parse::<PlayCursor>(), Err(NotACursor), "{text}");
        }
        assert!(
            from_value::<AccountQuery>(json!({"account": AccountAddress([0; 20]), "count": 5, "from": 3})).is_err()
        );
    }
}
