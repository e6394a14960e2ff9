//! A provider asks its router for a port, and is reached directly where hole punching alone does not get through.

use crate::{
    lab::{Home, Lab, Nat},
    network::{CELLS, Network, direct, named, until},
};
use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

/// Debian's miniupnpd on a router. Dropping it ends it.
struct Miniupnpd(Child);

impl Miniupnpd {
    /// Starts it with UPnP alone, or with PCP and NAT-PMP alone, which it has on one switch.
    fn start(home: &Home, folder: &Path, upnp: bool) -> Self {
        let switch = |on| if on { "yes" } else { "no" };
        let config = format!(
            "ext_ifname=wan\nlistening_ip=lan\nenable_upnp={}\nenable_natpmp={}\nsecure_mode=yes\n\
             upnp_table_name=filter\nupnp_nat_table_name=filter\nupnp_forward_chain=miniupnpd\n\
             upnp_nat_chain=prerouting_miniupnpd\nupnp_nat_postrouting_chain=postrouting_miniupnpd\n",
            switch(upnp),
            switch(!upnp)
        );
        let path = folder.join("miniupnpd.conf");
        fs::write(&path, config).unwrap();
        let mut command = home.router.as_ref().unwrap().command("miniupnpd");
        command.arg("-d").arg("-f").arg(path).arg("-P").arg(folder.join("miniupnpd.pid"));
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Miniupnpd {
    fn drop(&mut self) {
        let _already_ended = self.0.kill();
        let _already_waited_for = self.0.wait();
    }
}

fn open_ports(home: &Home) -> usize {
    let chain = home.router.as_ref().unwrap().run("nft list chain inet filter prerouting_miniupnpd");
    chain.matches("dnat").count()
}

#[test]
#[ignore = "needs root and network namespaces; run: cargo xtask test --only nat"]
fn a_mapped_port_lets_strangers_in_and_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut network, home) = Network::start(Lab::new(), |lab| lab.home(Nat::Symmetric));
    let viewer = network.lab.home(Nat::Symmetric);
    for (what, upnp) in [("UPnP", true), ("PCP", false)] {
        let daemon = Miniupnpd::start(&home, folder.path(), upnp);
        network.move_provider(&home, true);
        network.await_log("provider-0", "the home router opened a port");
        assert_eq!(open_ports(&home), 1, "{what}");
        let events = network.watch(&viewer).finish();
        assert_eq!(named(&events, "ended")[0]["played"], CELLS, "{what}: {events:?}");
        assert_eq!(direct(&events).last(), Some(&true), "{what}: {events:?}");
        network.stop_provider();
        until("the router to close the port", || (open_ports(&home) == 0).then_some(()));
        drop(daemon);
        println!("symmetric to symmetric, a port mapped by {what}: plays directly");
    }
}
