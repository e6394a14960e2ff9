//! What an attacker pays, in US dollars: every price by name, with where it comes from, and a list to sweep them by.
//!
//! These are street prices of 2024 to 2026, rounded in the attacker's favour. No price is exact; [`Prices::named`] is
//! there so that each can be halved and doubled to see what hangs on it.

/// Seconds of a day, days of a month and of a year as prices mean them.
pub const DAYS_PER_MONTH: f64 = 30.0;
/// Days of a year.
pub const DAYS_PER_YEAR: f64 = 365.0;
const BYTES_PER_GB: f64 = 1e9;

/// Prices. All are per unit bought in bulk.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// A gigabyte through a pool of other people's home lines that gives each request another address. Sellers list 1
    /// to 8 dollars.
    pub rotating_usd_per_gb: f64,
    /// A month of one address that an internet provider registered to homes, unmetered, kept by one buyer. Sellers list
    /// 1.5 to 3 dollars, some eight of them in each /24.
    pub static_ip_usd_per_month: f64,
    /// A month of one address of a leased /24. Lease markets list 0.35 to 0.60 dollars.
    pub leased_ip_usd_per_month: f64,
    /// A month of an IPv6 /32: a registry member pays about 2,000 dollars a year and gets eight of them (a /29).
    pub v6_allocation_usd_per_month: f64,
    /// A month of an IPv6 /48 out of somebody else's /32, with a machine or a tunnel there. Sellers list 1 to 5 dollars.
    pub v6_network_usd_per_month: f64,
    /// A storage provider's name that serves until it is struck out: an account, one registration, and a connection to the
    /// controller held for an hour or two; its share of a small machine's memory.
    pub provider_usd: f64,
    /// A gigabyte into a rented server: 40 dollars a month for an unmetered line that carries 40 TB in practice.
    pub server_usd_per_gb: f64,
    /// An hour of one rented core: 15 dollars a month for four.
    pub core_usd_per_hour: f64,
    /// What bonded money would earn elsewhere, or costs to borrow, in percent a year. Without the risk of the coin.
    pub capital_percent_per_year: f64,
    /// An account that a supervisor vouches for, with somebody else's identity: what shops for verified accounts ask.
    pub vouch_usd: f64,
    /// How long such an account stays vouched for, in days.
    pub vouch_days: f64,
    /// The admission of a creator under a false identity; papers are looked at, so it costs more than a vouch.
    pub creator_usd: f64,
    /// How long such a creator lasts before somebody complains, in days.
    pub creator_days: f64,
    /// Accounts that can watch one false creator's films before a supervisor looks at who that is.
    pub accounts_per_creator: f64,
    /// Power at home, of a small machine that runs for the farm alone.
    pub home_usd_per_hour: f64,
    /// Somebody's time: a farm on rented things needs a hand. Nobody counts it for a line at home.
    pub operator_usd_per_day: f64,
}

/// One price to vary: its name in the tables, and where it is.
pub type NamedPrice = (&'static str, fn(&mut Prices) -> &mut f64);

impl Default for Prices {
    fn default() -> Self {
        Self {
            rotating_usd_per_gb: 2.0,
            static_ip_usd_per_month: 2.0,
            leased_ip_usd_per_month: 0.45,
            v6_allocation_usd_per_month: 20.0,
            v6_network_usd_per_month: 1.0,
            provider_usd: 0.001,
            server_usd_per_gb: 0.001,
            core_usd_per_hour: 0.005,
            capital_percent_per_year: 15.0,
            vouch_usd: 10.0,
            vouch_days: 365.0,
            creator_usd: 100.0,
            creator_days: 90.0,
            accounts_per_creator: 100.0,
            // 10 W at 15 cents a kilowatt-hour.
            home_usd_per_hour: 0.001_5,
            operator_usd_per_day: 5.0,
        }
    }
}

impl Prices {
    /// Every price, to be swept.
    pub fn named() -> [NamedPrice; 16] {
        [
            ("a GB through rotating home lines", |prices| &mut prices.rotating_usd_per_gb),
            ("a static home address for a month", |prices| &mut prices.static_ip_usd_per_month),
            ("a leased IPv4 address for a month", |prices| &mut prices.leased_ip_usd_per_month),
            ("an IPv6 /32 for a month", |prices| &mut prices.v6_allocation_usd_per_month),
            ("an IPv6 /48 of another /32 for a month", |prices| &mut prices.v6_network_usd_per_month),
            ("a provider's name", |prices| &mut prices.provider_usd),
            ("a GB into a server", |prices| &mut prices.server_usd_per_gb),
            ("an hour of a core", |prices| &mut prices.core_usd_per_hour),
            ("capital, percent a year", |prices| &mut prices.capital_percent_per_year),
            ("a vouched account", |prices| &mut prices.vouch_usd),
            ("days a vouch lasts", |prices| &mut prices.vouch_days),
            ("an admitted creator", |prices| &mut prices.creator_usd),
            ("days a creator lasts", |prices| &mut prices.creator_days),
            ("accounts that one false creator can hide", |prices| &mut prices.accounts_per_creator),
            ("an hour of a small machine at home", |prices| &mut prices.home_usd_per_hour),
            ("a day of an operator's attention", |prices| &mut prices.operator_usd_per_day),
        ]
    }

    /// Bytes to dollars at `usd_per_gb`.
    pub fn of_bytes(bytes: f64, usd_per_gb: f64) -> f64 {
        bytes / BYTES_PER_GB * usd_per_gb
    }
}
