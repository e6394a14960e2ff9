//! `chainflix wallet history`: an account's coins, and each of its plays with what it earned, or why it did not.

use super::{
    Chain, WalletFile, amount,
    language::{Language, Refusals},
};
use crate::output::say;
use alloy_primitives::U256;
use anyhow::{Context as _, Result};
use chainflix_primitives::{AccountAddress, Magnet};
use chainflix_rpc::{
    Client,
    types::{AccountPlay, AccountQuery, AccountReport, COUNT_MAX, PlayReport, Role},
};
use chrono::{DateTime, Local};
use clap::Args;
use std::collections::HashMap;

const WEI_PER_GWEI: u64 = 1_000_000_000;

#[derive(Args)]
pub struct History {
    /// Whose plays [default: the wallet's]
    account: Option<AccountAddress>,
    /// How many plays, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    /// Language of the reasons [default: that of this system, else en]
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Option<Language>,
    #[command(flatten)]
    wallet: WalletFile,
    #[command(flatten)]
    chain: Chain,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

impl History {
    pub async fn start(self) -> Result<()> {
        let account = match self.account {
            Some(account) => account,
            None => self.wallet.address()?,
        };
        let client = Client::new(&self.chain.rpc)?;
        let report = self.fetch(&client, account).await.context("the plays cannot be asked for")?;
        if self.json {
            say(serde_json::to_string(&report)?);
            return Ok(());
        }
        let titles = titles(&client, &report.plays).await;
        let teller = Teller { language: self.lang.unwrap_or_else(Language::of_system), refusals: Refusals::read() };
        say(teller.coins(&report));
        for play in &report.plays {
            say(teller.play(play, titles.get(&play.magnet)));
        }
        if report.plays.is_empty() {
            say(teller.language.no_plays());
        }
        Ok(())
    }

    /// As many pages as it takes.
    async fn fetch(&self, client: &Client, account: AccountAddress) -> Result<AccountReport> {
        let query = |count: u32, from| AccountQuery { account, count: count.min(COUNT_MAX), from };
        let mut report = client.account(query(self.count, None)).await?;
        // Counts are at most ten thousand.
        while let Some(left) = self.count.checked_sub(report.plays.len() as u32).filter(|left| *left > 0) {
            let Some(from) = report.next else { break };
            let page = client.account(query(left, Some(from))).await?;
            report.plays.extend(page.plays);
            report.next = page.next;
        }
        Ok(report)
    }
}

/// Titles of the films, as far as the validator knows them: a history without titles is still one.
async fn titles(client: &Client, plays: &[AccountPlay]) -> HashMap<Magnet, String> {
    let mut titles = HashMap::new();
    for play in plays {
        if titles.contains_key(&play.magnet) {
            continue;
        }
        if let Ok(Some(video)) = client.video(play.magnet).await
            && let Some(title) = video.title
        {
            titles.insert(play.magnet, title);
        }
    }
    titles
}

struct Teller {
    language: Language,
    refusals: Refusals,
}

impl Teller {
    fn coins(&self, report: &AccountReport) -> String {
        let gwei = |gwei: u128| cfx(U256::from(gwei) * U256::from(WEI_PER_GWEI));
        let next = report.vesting.first().map(|part| (gwei(part.gwei.into()), part.view_block));
        let (spendable, pending) = (cfx(U256::from(report.balance_wei)), gwei(report.pending_gwei));
        let coins = self.language.coins(&spendable, &pending, &gwei(report.vesting_gwei), next);
        match report.held.filter(|held| held.gwei > 0) {
            Some(held) => format!("{coins}, {}", self.language.held(&gwei(held.gwei))),
            None => coins,
        }
    }

    fn play(&self, play: &AccountPlay, title: Option<&String>) -> String {
        let time = i64::try_from(play.time_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
        let time = time.with_timezone(&Local).format("%Y-%m-%d %H:%M");
        let magnet = play.magnet.to_string();
        // Enough to tell two apart.
        let title = title.map_or(&magnet[..10], String::as_str);
        let place = self.language.place(title, play.cell_index + 1);
        format!("{time}  {place}: {}", self.outcome(play))
    }

    fn outcome(&self, play: &AccountPlay) -> String {
        match &play.report {
            PlayReport::Running | PlayReport::Unknown => self.language.running().to_owned(),
            PlayReport::Proved => self.language.proved().to_owned(),
            PlayReport::Pending { view_block } => self.language.pending(*view_block),
            PlayReport::Auditing { .. } => self.language.auditing().to_owned(),
            PlayReport::Accepted { view_block } => {
                format!("{}{}", self.language.accepted(*view_block), self.paid(play))
            }
            PlayReport::Refused { code, message } => {
                let words = self.refusals.words(code, self.language).unwrap_or(message);
                self.language.refused(words)
            }
        }
    }

    /// What the viewer got, and what the others got.
    fn paid(&self, play: &AccountPlay) -> String {
        let parts = play.paid.iter().flatten().filter(|part| part.gwei > 0);
        let shown = |gwei: u64| cfx(U256::from(gwei) * U256::from(WEI_PER_GWEI));
        let own: u64 = parts.clone().filter(|part| part.role == Role::Viewer).map(|part| part.gwei).sum();
        let others: Vec<_> = parts
            .filter(|part| part.role != Role::Viewer)
            .map(|part| format!("{} {}", self.language.role(part.role), shown(part.gwei)))
            .collect();
        match others.as_slice() {
            [] => format!(", +{} CFX", shown(own)),
            others => format!(", +{} CFX ({})", shown(own), others.join(", ")),
        }
    }
}

fn cfx(wei: U256) -> String {
    amount::show(wei)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::PlayId;
    use chainflix_rpc::types::{Held, RolePay, Vesting};

    fn play(report: PlayReport, paid: Option<Vec<RolePay>>) -> AccountPlay {
        AccountPlay { play: Some(PlayId([1; 16])), magnet: Magnet([2; 32]), cell_index: 2, time_ms: 0, report, paid }
    }

    fn told(language: Language, play: &AccountPlay) -> String {
        let teller = Teller { language, refusals: Refusals::read() };
        // After the time, which depends on where this runs.
        teller.play(play, Some(&"Film".to_owned())).split_off("1970-01-01 00:00  ".len())
    }

    #[test]
    fn a_mined_play_says_who_got_what() {
        let paid = [(Role::Viewer, 27), (Role::Creator, 39), (Role::Activators, 0)];
        let paid = paid.map(|(role, cfx)| RolePay { role, gwei: cfx * 1_000_000_000 }).to_vec();
        let mined = play(PlayReport::Accepted { view_block: 7 }, Some(paid));
        assert_eq!(told(Language::En, &mined), "Film, cell 3: mined in view block 7, +27 CFX (creator 39)");
        assert_eq!(told(Language::Ko, &mined), "Film, 셀 3: 뷰 블록 7에서 채굴됨, +27 CFX (창작자 39)");
    }

    #[test]
    fn a_refused_play_says_why_and_what_to_do() {
        let refused = |code: &str| PlayReport::Refused { code: code.into(), message: "as the validator says".into() };
        let early = play(refused("too-early"), None);
        assert!(
            told(Language::En, &early).contains("unpaid. The proof came before the cell can have been watched. Play")
        );
        assert!(
            told(Language::Ko, &early).contains("보상 없음. 셀을 다 볼 수 있는 시간보다 증명이 먼저 왔습니다. 보상을")
        );
        let new = play(refused("of-tomorrow"), None);
        assert!(told(Language::En, &new).ends_with("unpaid. as the validator says"));
    }

    #[test]
    fn coins_are_told_by_when_they_can_be_spent() {
        let report = AccountReport {
            balance_wei: 1_500_000_000_000_000_000,
            pending_gwei: 27_000_000_000,
            vesting_gwei: 54_000_000_000,
            vesting: vec![Vesting { view_block: 600, gwei: 27_000_000_000 }],
            held: None,
            view_blocks: 5,
            plays: Vec::new(),
            next: None,
        };
        let coins = |language, report: &AccountReport| Teller { language, refusals: Refusals::read() }.coins(report);
        let english = "1.5 CFX to spend, 27 CFX pending, 54 CFX vesting (27 CFX from view block 600 on)";
        assert_eq!(coins(Language::En, &report), english);
        assert!(coins(Language::Ko, &report).contains("뷰 블록 600부터 27 CFX"));
        let held = Held { gwei: 9_000_000_000, permille: 750, periods: 1, leave_periods: 110, leaving: false };
        let report = AccountReport { held: Some(held), ..report };
        assert_eq!(coins(Language::En, &report), format!("{english}, 9 CFX held back"));
        assert!(coins(Language::Ko, &report).ends_with("유보 9 CFX"));
    }
}
