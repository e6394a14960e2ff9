//! The viewer's address changes in the middle of a cell.

use crate::{
    lab::{Home, Lab, Nat},
    network::{CELLS, Network, direct, named},
};

/// Bytes of a cell that must come over the second uplink to count: a third of one.
const REST_BYTES_MIN: u64 = 100_000;

/// Bytes that came in over an interface.
fn received(home: &Home, interface: &str) -> u64 {
    home.place.run(&format!("cat /sys/class/net/{interface}/statistics/rx_bytes")).trim().parse().unwrap()
}

#[test]
#[ignore = "needs root and network namespaces; run: cargo xtask test --only nat"]
fn a_cell_goes_on_where_it_was_when_the_address_changes() {
    let (mut network, provider) = Network::start(Lab::new(), |lab| lab.home(Nat::Open));
    let viewer = network.lab.home(Nat::PortRestricted);
    network.lab.second_router(&viewer, Nat::PortRestricted);
    // Three times as fast as the film plays: the first two cells are on their way for two and a half seconds.
    provider.place.run("tc qdisc add dev eth0 root tbf rate 2mbit burst 64k latency 60ms");
    let mut watching = network.watch(&viewer);
    watching.await_event("play-started");
    network.lab.change_uplink(&viewer);
    let before = received(&viewer, "eth1");
    watching.await_event("cell-fetched");
    let rest = received(&viewer, "eth1") - before;
    let events = watching.finish();
    let ended = named(&events, "ended")[0];
    assert_eq!(ended["played"], CELLS, "{events:?}");
    assert!(rest > REST_BYTES_MIN, "only {rest} bytes came over the second uplink: {events:?}");
    assert_eq!(named(&events, "provider-changed"), Vec::<&serde_json::Value>::new(), "a cell was begun anew");
    assert_eq!(direct(&events).last(), Some(&true), "{events:?}");
    let (still_ms, mined) = (&ended["stalledMs"], &ended["accepted"]);
    println!(
        "a new address in the middle of a cell: it goes on; the picture stood still for {still_ms} ms, {mined} mined"
    );
}
