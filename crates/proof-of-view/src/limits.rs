//! Counts of running plays per home and per network.
//!
//! The counts live as long as the plays they count and hold no address: only ranges, in memory.

use crate::Refusal;
use chainflix_primitives::{AddressRange, ProtocolParams};
use std::{collections::HashMap, net::IpAddr};

/// Where a play comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    home: AddressRange,
    network: AddressRange,
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self { home: AddressRange::home(address), network: AddressRange::network(address) }
    }
}

/// Running plays by origin.
#[derive(Debug, Default)]
pub struct Limits {
    running: HashMap<AddressRange, u32>,
}

impl Limits {
    /// Refuses when the origin has as many plays running as it may.
    pub fn check(&self, params: &ProtocolParams, origin: &Origin) -> Result<(), Refusal> {
        let scopes =
            [("home", &origin.home, params.plays_per_home), ("network", &origin.network, params.plays_per_network)];
        for (scope, range, most) in scopes {
            if self.running.get(range).is_some_and(|running| *running >= most) {
                return Err(Refusal::TooManyPlays { scope, most, retry_ms: params.cell_ms / 4 });
            }
        }
        Ok(())
    }

    /// Counts a play.
    pub fn enter(&mut self, origin: &Origin) {
        for range in [origin.home, origin.network] {
            *self.running.entry(range).or_default() += 1;
        }
    }

    /// Counts it no more.
    pub fn leave(&mut self, origin: &Origin) {
        for range in [origin.home, origin.network] {
            if let Some(running) = self.running.get_mut(&range) {
                *running -= 1;
                if *running == 0 {
                    self.running.remove(&range);
                }
            }
        }
    }
}
