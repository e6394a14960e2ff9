//! What a farm costs and earns among honest viewers.
//!
//! ```text
//! accounts ─ layout ─▶ homes, networks ─▶ weight (protocol's own) ─▶ share of the day's coins (token's own split)
//!                 └──▶ addresses, bytes, cores, bonds, names, time ─▶ dollars a day
//! ```
//!
//! Coins have no price of their own. What is compared is what the network pays for an *honest hour*: all coins that one
//! hour of a viewer with full weight brings to everybody who shares in it. A farm **gains** when that pay is above its
//! break-even pay, and **loses** below. Bonds are in coins, so they cost more as the coin is worth more.

use crate::{
    account::{Day, Days, Habit, network_permille},
    audits::{paid_share, plays_per_provider},
    farm::{Addresses, Delivery, Farm, Films, Identity, Layout},
    prices::{DAYS_PER_MONTH, DAYS_PER_YEAR, Prices},
    rules::{Splits, coins_per_day},
};
use chainflix_primitives::ProtocolParams;

/// What goes through the counted address for each play: request, answer, headers and handshake.
const REQUEST_BYTES: f64 = 4_096.0;
/// Nonce and signatures, of one core, in seconds per minute played.
const PROOF_CORE_SECONDS: f64 = 0.02;
/// Decrypting and hashing: bytes a second of one core. Nothing is decoded.
const CORE_BYTES_PER_SECOND: f64 = 500e6;

/// The network a farm attacks.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Its rules.
    pub params: &'a ProtocolParams,
    /// What things cost.
    pub prices: &'a Prices,
    /// Accounts' days under these rules.
    pub days: &'a Days,
    /// Who takes what under these rules.
    pub shares: &'a Splits,
    /// Honest viewers, each two hours a day with full weight.
    pub viewers: u64,
    /// A rule that is tried.
    pub proposal: Proposal,
}

/// Rules that the protocol does not have: what they would change is computed here, so that they can be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Proposal {
    /// Plays a day that the providers of one network (an IPv4 /24) are paid for, where a controller reached them there.
    pub provider_network_plays_per_day: Option<f64>,
}

/// What comes of a farm of one size in its best layout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Accounts.
    pub accounts: u64,
    /// How it uses them.
    pub layout: Layout,
    /// What a fake minute weighs against an honest one.
    pub weight_ratio: f64,
    /// What a fake minute earns its owner against what an honest minute earns its viewer.
    pub income_ratio: f64,
    /// Dollars for an hour of fake play of one account.
    pub usd_per_hour: f64,
    /// Dollars that the network must pay for an honest hour before the farm gains; `None` when it never does.
    pub break_even_usd: Option<f64>,
    /// Dollars a coin must be worth for that.
    pub break_even_coin_usd: Option<f64>,
    /// Income over cost when the network pays the asked price for an honest hour.
    pub income_over_cost: f64,
}

/// Coins and dollars of one day.
#[derive(Clone, Copy, Debug, Default)]
struct Ledger {
    hours: f64,
    coins: f64,
    bond_coins: f64,
    usd: f64,
}

impl World<'_> {
    /// The farm of `accounts` accounts, laid out as is best for it, where an honest hour pays `usd_per_honest_hour`.
    pub fn farm(&self, farm: &Farm, accounts: u64, usd_per_honest_hour: f64) -> Outcome {
        let layouts = farm.layouts(self.params).into_iter();
        let outcomes = layouts.map(|layout| self.outcome(farm, accounts, layout, usd_per_honest_hour));
        let best = outcomes.max_by(|one, other| one.income_over_cost.total_cmp(&other.income_over_cost));
        // Every farm has layouts.
        best.unwrap_or_else(|| unreachable!("a farm without layouts"))
    }

    /// Hours of honest viewing a day.
    pub fn honest_hours(&self) -> f64 {
        self.viewers as f64 * self.honest_day().hours
    }

    fn honest_day(&self) -> Day {
        self.days.of(self.params, &Habit::honest(self.params))
    }

    fn outcome(&self, farm: &Farm, accounts: u64, layout: Layout, usd_per_honest_hour: f64) -> Outcome {
        let homes = accounts.div_ceil(layout.accounts_per_home.into());
        let homes = farm.homes_max().map_or(homes, |most| homes.min(most));
        // Accounts for which there is no home stay idle.
        let active = accounts.min(homes * u64::from(layout.accounts_per_home));
        let network = network_permille(self.params, farm, &layout, homes);
        let creators = self.creators(farm, active);
        let delivery = farm.delivery;
        let signed = self.signed_bytes(delivery, &layout);
        let mut day = self.days.of(self.params, &Habit::of(self.params, farm, &layout, creators, signed));
        day.weight_hours *= f64::from(network) / 1000.0;
        let honest = self.honest_day();
        let paid = self.paid_share(delivery, &day);
        let weight = active as f64 * day.weight_hours * paid;
        let rest = self.viewers as f64 * honest.weight_hours;

        let shares = match farm.films {
            Films::Others => self.shares.usual,
            Films::Chosen => self.shares.generous,
            Films::Own => self.shares.own,
        };
        let own = shares.taken + if delivery.is_served_by_itself() { shares.storage } else { 0.0 };
        let coins = coins_per_day(self.params);
        let spent = Ledger {
            hours: active as f64 * day.hours,
            coins: coins * weight / (weight + rest) * own,
            bond_coins: self.bonds(farm, active),
            usd: self.costs(farm, active, homes, &layout, &day),
        };
        // Before the farm came, an honest hour brought this many coins to all who share in it.
        let coins_per_honest_hour = coins / (self.viewers as f64 * honest.hours);
        let coin_usd = usd_per_honest_hour / coins_per_honest_hour;
        let net_coins = spent.coins - spent.bond_coins;
        let break_even_coin_usd = (net_coins > 0.0).then(|| spent.usd / net_coins);
        let honest_income = coins * honest.weight_hours / (weight + rest) / honest.hours * self.shares.usual.taken;
        Outcome {
            accounts,
            layout,
            weight_ratio: day.weight_hours * paid / day.hours / (honest.weight_hours / honest.hours),
            income_ratio: spent.coins / spent.hours / honest_income,
            usd_per_hour: (spent.usd + spent.bond_coins * coin_usd) / spent.hours,
            break_even_usd: break_even_coin_usd.map(|usd| usd * coins_per_honest_hour),
            break_even_coin_usd,
            income_over_cost: spent.coins * coin_usd / (spent.usd + spent.bond_coins * coin_usd),
        }
    }

    /// Plays in so many hours.
    fn plays(&self, hours: f64) -> f64 {
        hours * 3_600_000.0 / self.params.cell_ms as f64
    }

    /// Bytes a minute that receipts speak of.
    fn signed_bytes(&self, delivery: Delivery, layout: &Layout) -> u64 {
        match delivery {
            Delivery::Covered => layout.bytes_per_minute * self.params.receipt_coverage_permille / 1000,
            _ => layout.bytes_per_minute,
        }
    }

    /// Creators of its own: at home somebody under its own name, else so many false ones that none draws a supervisor's
    /// eye.
    fn creators(&self, farm: &Farm, active: u64) -> u64 {
        match (farm.films, farm.addresses) {
            (Films::Own, Addresses::HomeLine) => 1,
            (Films::Own, _) => (active as f64 / self.prices.accounts_per_creator).ceil() as u64,
            _ => 0,
        }
    }

    /// What audits leave, where not everything is downloaded.
    fn paid_share(&self, delivery: Delivery, day: &Day) -> f64 {
        // Only what nobody has cannot be opened.
        if delivery != Delivery::Nothing {
            return 1.0;
        }
        let period_days = (self.params.period_view_blocks * self.params.slot_ms) as f64 / 86_400_000.0;
        let plays = (self.plays(day.hours) * period_days) as u32;
        paid_share(self.params, 1.0, plays)
    }

    /// What the bonds would bring elsewhere, in coins a day.
    fn bonds(&self, farm: &Farm, active: u64) -> f64 {
        let bonded = if farm.identity == Identity::Bonded { active as f64 } else { 0.0 };
        let rate = self.prices.capital_percent_per_year / 100.0 / DAYS_PER_YEAR;
        bonded * self.params.weights.bond_full_cfx as f64 * rate
    }

    /// Dollars a day.
    fn costs(&self, farm: &Farm, active: u64, homes: u64, layout: &Layout, day: &Day) -> f64 {
        let prices = self.prices;
        let minutes = active as f64 * day.hours * 60.0;
        let (homes, networks) = (homes, homes.div_ceil(farm.homes_per_network(layout)) as f64);
        let addresses = match farm.addresses {
            Addresses::HomeLine => 0.0,
            Addresses::Rotating => Prices::of_bytes(minutes * REQUEST_BYTES, prices.rotating_usd_per_gb),
            Addresses::Static => homes as f64 * prices.static_ip_usd_per_month / DAYS_PER_MONTH,
            // Ranges are leased whole.
            Addresses::Leased | Addresses::OneRange => {
                networks * 256.0 * prices.leased_ip_usd_per_month / DAYS_PER_MONTH
            }
            Addresses::V6 => {
                let allocations = homes.div_ceil(layout.homes_per_range) as f64;
                allocations * prices.v6_allocation_usd_per_month / DAYS_PER_MONTH
            }
            Addresses::V6Rented => networks * prices.v6_network_usd_per_month / DAYS_PER_MONTH,
        };
        let delivery = farm.delivery;
        let bytes =
            if delivery.is_served_by_itself() { 0.0 } else { minutes * self.signed_bytes(delivery, layout) as f64 };
        let cores = (minutes * PROOF_CORE_SECONDS + bytes / CORE_BYTES_PER_SECOND) / 3_600.0;
        let at_home = farm.addresses == Addresses::HomeLine;
        // A line at home has no price per byte, and its machine runs as long as any account plays: as many at a time as
        // have full weight.
        let machine = if at_home {
            let plays_per_slot = homes * u64::from(self.params.weights.home_plays_per_slot);
            let at_a_time = plays_per_slot * self.params.cell_ms / self.params.slot_ms;
            let hours = active as f64 * day.hours / at_a_time.clamp(1, active.max(1)) as f64;
            hours.min(24.0) * prices.home_usd_per_hour
        } else {
            Prices::of_bytes(bytes, prices.server_usd_per_gb) + cores * prices.core_usd_per_hour
        };
        let vouched = if farm.identity == Identity::Vouched { active as f64 } else { 0.0 };
        let false_creators = if at_home { 0.0 } else { self.creators(farm, active) as f64 };
        // One whose cells open lasts.
        let providers = match delivery {
            Delivery::Nothing => self.plays(active as f64 * day.hours) / plays_per_provider(self.params),
            _ => 0.0,
        };
        let names = vouched * prices.vouch_usd / prices.vouch_days
            + false_creators * prices.creator_usd / prices.creator_days
            + providers * prices.provider_usd;
        let operator = if at_home { 0.0 } else { prices.operator_usd_per_day };
        addresses + machine + names + operator + self.provider_networks(delivery, self.plays(active as f64 * day.hours))
    }

    /// Dollars a day for places where controllers reach the farm's own providers, under the proposed rule. A home line that
    /// others share can be reached by nobody; a single static address is the cheapest in a network of its own.
    fn provider_networks(&self, delivery: Delivery, plays: f64) -> f64 {
        let (true, Some(most)) = (delivery.is_served_by_itself(), self.proposal.provider_network_plays_per_day) else {
            return 0.0;
        };
        (plays / most).ceil() * self.prices.static_ip_usd_per_month / DAYS_PER_MONTH
    }
}
