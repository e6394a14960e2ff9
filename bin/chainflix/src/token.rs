//! `chainflix token`: how many coins there will be.
//!
//! The numbers come from `chainflix-token`, the code that pays. The white paper's own figures stand beside them, because
//! in one place the two differ.

use crate::output::say;
use anyhow::Result;
use chainflix_node::network::GENESIS_CFX;
use chainflix_primitives::ProtocolParams;
use chainflix_token::{GWEI_PER_CFX, ScheduleRow, schedule_table};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// The years of the paper's table: the first, one after the halving, and the last.
const YEARS: [u64; 4] = [0, 1, 2, 40];

/// What the white paper says (section 8.2), in whole CFX: first year, each year after the halving, mined in 40 years, all.
const PAPER_CFX: [u128; 4] = [197_100_000, 98_550_000, 4_040_550_000, 10_040_550_000];

const DIFFERENCE: &str = "\
The paper counts the first year as 2,190,000 view blocks of 90 CFX. But it also halves the reward after block 2,160,000,
so the last 30,000 blocks of that year pay 45 CFX: 1,350,000 CFX less. The code halves where the paper says.
All figures are for a view in every slot; a slot without one mines nothing.";

/// See how coins come into being
#[derive(Args)]
#[command(after_help = "Example: chainflix token schedule")]
pub struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show how many coins are mined when: by the code that pays, and by the white paper
    #[command(after_help = "Example: chainflix token schedule --json")]
    Schedule {
        /// Say it as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Token {
    pub fn start(self) -> Result<()> {
        let Command::Schedule { json } = self.command;
        let params = ProtocolParams::default();
        let schedule = Schedule::of(&params);
        if json {
            say(schedule.json(&params));
            return Ok(());
        }
        for line in schedule.lines() {
            say(line);
        }
        Ok(())
    }
}

/// The paper's table in whole CFX, as the code pays.
struct Schedule {
    rows: Vec<ScheduleRow>,
    /// In the order of [`PAPER_CFX`].
    cfx: [u128; 4],
}

impl Schedule {
    fn of(params: &ProtocolParams) -> Self {
        let rows = schedule_table(params, &YEARS);
        let cfx = |row: &ScheduleRow| row.mined_gwei / u128::from(GWEI_PER_CFX);
        let (first, second, last) = (cfx(&rows[1]), cfx(&rows[2]), cfx(&rows[3]));
        let cfx = [first - cfx(&rows[0]), second - first, last, last + u128::from(GENESIS_CFX)];
        Self { rows, cfx }
    }

    fn lines(&self) -> Vec<String> {
        let names = ["first year", "each year after", "mined in 40 years", "all after 40 years"];
        let mut lines =
            vec![format!("{:<20}{:>16}{:>16}{:>12}", "CFX", "the code pays", "the paper says", "difference")];
        for ((name, pays), says) in names.iter().zip(self.cfx).zip(PAPER_CFX) {
            // Both are far below 2^127.
            let more = pays as i128 - says as i128;
            lines.push(format!(
                "{name:<20}{:>16}{:>16}{:>12}",
                grouped(pays as i128),
                grouped(says as i128),
                grouped(more)
            ));
        }
        lines.push(String::new());
        lines.extend(DIFFERENCE.lines().map(str::to_owned));
        lines
    }

    fn json(&self, params: &ProtocolParams) -> Value {
        let table = |[first, after, mined, all]: [u128; 4]| {
            json!({
                "firstYearCfx": first as u64,
                "eachYearAfterCfx": after as u64,
                "minedIn40YearsCfx": mined as u64,
                "allAfter40YearsCfx": all as u64,
            })
        };
        let years = self.rows.iter().map(
            |row| json!({"years": row.years, "viewBlocks": row.view_blocks, "minedGwei": row.mined_gwei.to_string()}),
        );
        json!({
            "slotMs": params.slot_ms,
            "rewardGwei": params.reward_gwei,
            "halvingViewBlock": params.halving_view_block,
            "genesisCfx": GENESIS_CFX,
            "pays": table(self.cfx),
            "paper": table(PAPER_CFX),
            "years": years.collect::<Vec<_>>(),
        })
    }
}

/// Digits in threes.
fn grouped(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_pays_what_the_paper_says_but_for_the_blocks_after_the_halving() {
        let schedule = Schedule::of(&ProtocolParams::default());
        let less = 30_000 * 45;
        let [first, after, mined, all] = PAPER_CFX;
        assert_eq!(schedule.cfx, [first - less, after, mined - less, all - less]);
        assert_eq!(first, 2_190_000 * 90, "how the paper counts");
        assert_eq!(mined, first + 39 * after);
        assert_eq!(all, mined + u128::from(GENESIS_CFX));
    }

    #[test]
    fn the_table_shows_both_and_the_difference() {
        let lines = Schedule::of(&ProtocolParams::default()).lines();
        assert_eq!(lines[1], "first year               195,750,000     197,100,000  -1,350,000");
        assert_eq!(lines[2], "each year after           98,550,000      98,550,000           0");
        assert_eq!(lines[4], "all after 40 years    10,039,200,000  10,040,550,000  -1,350,000");
        let json = Schedule::of(&ProtocolParams::default()).json(&ProtocolParams::default());
        assert_eq!(json["pays"]["firstYearCfx"], 195_750_000);
        assert_eq!(json["paper"]["allAfter40YearsCfx"], 10_040_550_000u64);
        assert_eq!(json["years"][3]["viewBlocks"], 87_600_000);
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 7, 1_000, -1_350_000, 12_345_678].map(grouped), ["0", "7", "1,000", "-1,350,000", "12,345,678"]);
    }
}
