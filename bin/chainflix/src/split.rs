//! The shares of a view as creators write them: `creator=40,viewer=25`, in percent, over the network's default.

use crate::output::wrong_use;
use anyhow::Result;
use chainflix_primitives::{RewardSplit, SplitBounds, genesis::GenesisError};
use std::str::FromStr;

const ROLES: [&str; 7] = ["creator", "viewer", "activators", "storage", "validators", "supervisor", "operation"];

/// Shares that were named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice(Vec<(usize, u16)>);

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut named: Vec<(usize, u16)> = Vec::new();
        for part in text.split(',') {
            let (role, percent) = part.split_once('=').ok_or_else(|| format!("{part:?} is not like creator=40"))?;
            let role = ROLES
                .iter()
                .position(|known| *known == role.trim())
                .ok_or_else(|| format!("{:?} has no share; the roles are {}", role.trim(), ROLES.join(", ")))?;
            if named.iter().any(|(other, _)| *other == role) {
                return Err(format!("the share of the {} is named twice", ROLES[role]));
            }
            named.push((role, permille(percent.trim())?));
        }
        Ok(Self(named))
    }
}

impl Choice {
    /// The whole split: what is not named stays as the network has it.
    pub fn over(&self, usual: &RewardSplit, bounds: &SplitBounds) -> Result<RewardSplit> {
        let mut split = *usual;
        for (role, permille) in &self.0 {
            *share(&mut split, *role) = *permille;
        }
        match bounds.check(&split) {
            Ok(()) => Ok(split),
            Err(GenesisError::Bounds { role, permille, least, most }) => Err(wrong_use(format!(
                "--split gives the {role} {} %; this network allows {} to {} %",
                show(permille),
                show(least),
                show(most)
            ))),
            Err(GenesisError::Split { sum }) => Err(wrong_use(format!(
                "--split adds up to {} % instead of 100 % ({}); what you do not name stays as it is",
                show_sum(sum),
                in_words(&split)
            ))),
            Err(other) => Err(other.into()),
        }
    }
}

/// The shares with their roles.
pub fn in_words(split: &RewardSplit) -> String {
    let shares: Vec<_> = split.roles().iter().map(|(role, permille)| format!("{role} {}", show(*permille))).collect();
    shares.join(", ")
}

fn share(split: &mut RewardSplit, role: usize) -> &mut u16 {
    match role {
        0 => &mut split.creator,
        1 => &mut split.viewer,
        2 => &mut split.activators,
        3 => &mut split.storage,
        4 => &mut split.validators,
        5 => &mut split.supervisor,
        _ => &mut split.operation,
    }
}

/// Reads whole percent, or tenths of them.
fn permille(text: &str) -> Result<u16, String> {
    let wrong = || format!("{text:?} is no share; write percent, like 40 or 12.5");
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !digits(whole) || !digits(tenths) || tenths.len() != 1 {
        return Err(wrong());
    }
    let permille = format!("{whole}{tenths}").parse::<u16>().map_err(|_| wrong())?;
    if permille <= 1_000 { Ok(permille) } else { Err(format!("{text} % is more than all")) }
}

fn show(permille: u16) -> String {
    show_sum(permille.into())
}

fn show_sum(permille: u32) -> String {
    match permille % 10 {
        0 => (permille / 10).to_string(),
        tenths => format!("{}.{tenths}", permille / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Result<RewardSplit> {
        text.parse::<Choice>().unwrap().over(&RewardSplit::DEFAULT, &SplitBounds::DEFAULT)
    }

    #[test]
    fn what_is_not_named_stays() {
        let expected = RewardSplit { creator: 400, viewer: 200, ..RewardSplit::DEFAULT };
        assert_eq!(split("creator=40,viewer=20").unwrap(), expected);
        let expected = RewardSplit { creator: 425, activators: 0, viewer: 275, ..RewardSplit::DEFAULT };
        assert_eq!(split("viewer=27.5, activators=0, creator=42.5").unwrap(), expected);
    }

    #[test]
    fn the_roles_are_in_the_order_of_the_split() {
        let mut split = RewardSplit::DEFAULT;
        for (role, (name, _)) in RewardSplit::DEFAULT.roles().into_iter().enumerate() {
            assert_eq!(name, ROLES[role]);
            *share(&mut split, role) = 0;
            assert_eq!(split.roles()[role].1, 0);
        }
    }

    #[test]
    fn shares_outside_of_the_bounds_are_told_in_percent() {
        let refused = |text| split(text).unwrap_err().to_string();
        let words = refused("viewer=10,creator=50");
        assert_eq!(words, "--split gives the viewer 10 %; this network allows 20 to 40 %");
        assert!(refused("validators=0,creator=38").contains("the validators 0 %; this network allows 8 to 8 %"));
        let words = refused("creator=37.5");
        assert!(words.starts_with("--split adds up to 107.5 % instead of 100 % (creator 37.5, viewer 30, "), "{words}");
        assert!(refused("viewer=20").contains("adds up to 90 %"));
    }

    #[test]
    fn what_is_no_split_is_refused() {
        for wrong in ["", "creator", "creator=", "creator=x", "creator=-1", "creator=40.25", "creator=4e1", "=40"] {
            assert!(wrong.parse::<Choice>().is_err(), "{wrong:?}");
        }
        assert!("author=40".parse::<Choice>().unwrap_err().contains("the roles are creator"));
        assert!("creator=40,creator=40".parse::<Choice>().unwrap_err().contains("twice"));
        assert!("creator=100.1".parse::<Choice>().unwrap_err().contains("more than all"));
        assert!("creator=9999999".parse::<Choice>().is_err());
    }
}
