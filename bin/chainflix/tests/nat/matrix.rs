//! Every kind of home watches from every kind of home: directly where the routers allow it, else through the relay.

use crate::{
    lab::{Home, Lab, Nat},
    network::{CELLS, Network, direct},
};
use serde_json::Value;

/// One viewer and one provider.
struct Pair {
    viewer: Nat,
    provider: Nat,
    plays: bool,
    direct: bool,
    first_byte_ms: u64,
}

impl Pair {
    fn of(viewer: Nat, provider: Nat, events: &[Value]) -> Self {
        let ended = events.last().unwrap();
        Self {
            viewer,
            provider,
            plays: ended["played"] == CELLS,
            // A first cell may come through the relay while the two still look for a way.
            direct: direct(events).last() == Some(&true),
            first_byte_ms: ended["firstByteMs"].as_u64().unwrap(),
        }
    }

    fn row(&self) -> String {
        let Self { viewer, provider, .. } = self;
        let plays = if self.plays { "plays" } else { "DOES NOT PLAY" };
        let way = if self.direct { "directly" } else { "relayed" };
        format!("{:<16} {:<16} {plays}  {way:<8}  {:>6} ms", viewer.name(), provider.name(), self.first_byte_ms)
    }
}

#[test]
#[ignore = "needs root and network namespaces; run: cargo xtask test --only nat"]
fn every_home_plays_from_every_home() {
    let (mut network, first) = Network::start(Lab::new(), |lab| lab.home(Nat::Open));
    let viewers = Nat::ALL.map(|nat| (nat, network.lab.home(nat)));
    let mut pairs = Vec::new();
    for nat in Nat::ALL {
        let home = if nat == Nat::Open { first.clone() } else { network.lab.home(nat) };
        pairs.extend(round(&mut network, (nat, &home), &viewers));
    }
    println!("{:<16} {:<16} plays  way       first byte", "viewer", "provider");
    pairs.iter().for_each(|pair| println!("{}", pair.row()));
    let count = |holds: fn(&Pair) -> bool| pairs.iter().filter(|pair| holds(pair)).count();
    println!("nat_pairs_playing {}", count(|pair| pair.plays));
    println!("nat_pairs_direct {}", count(|pair| pair.direct));
    for pair in &pairs {
        assert!(pair.plays, "{}", pair.row());
        // Also the other way round: a direct way that cannot be says that the routers are not what they should be.
        assert_eq!(pair.direct, pair.viewer.meets(pair.provider), "{}", pair.row());
    }
}

/// All viewers at once, from a provider in one home.
fn round(network: &mut Network, (nat, home): (Nat, &Home), viewers: &[(Nat, Home)]) -> Vec<Pair> {
    network.move_provider(home, false);
    let watching: Vec<_> = viewers.iter().map(|(viewer, home)| (*viewer, network.watch(home))).collect();
    watching.into_iter().map(|(viewer, watching)| Pair::of(viewer, nat, &watching.finish())).collect()
}
