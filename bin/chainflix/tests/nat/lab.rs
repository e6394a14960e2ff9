//! Homes, routers and the public segment between them: network namespaces, veth pairs, a bridge, nftables.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{self, Command, Output, Stdio},
};

/// The public segment. Not a block reserved for documents: a router does not believe that such an address is public,
/// and opens no ports.
const BLOCK: &str = "44.128.0";
/// Where the network's servers are.
pub const SERVERS: &str = "44.128.0.10";
/// Names of all namespaces begin with this and the process that made them.
const PREFIX: &str = "cfxnat-";

/// What a router does to UDP. Names as in RFC 3489, which people know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// No router: a public address.
    Open,
    /// One public port per socket, and anybody may send to it.
    FullCone,
    /// One public port per socket; only who was written to may answer.
    PortRestricted,
    /// A new public port for each peer; only that peer may answer.
    Symmetric,
    /// No UDP at all: a company's firewall.
    Blocked,
}

impl Nat {
    pub const ALL: [Self; 5] = [Self::Open, Self::FullCone, Self::PortRestricted, Self::Symmetric, Self::Blocked];

    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::FullCone => "full cone",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
            Self::Blocked => "UDP blocked",
        }
    }

    /// Whether two such homes can meet without a relay, by what the routers are.
    pub fn meets(self, other: Self) -> bool {
        let strict = |nat| matches!(nat, Self::PortRestricted | Self::Symmetric);
        let blocked = self == Self::Blocked || other == Self::Blocked;
        let unpredictable = self == Self::Symmetric || other == Self::Symmetric;
        !(blocked || unpredictable && strict(self) && strict(other))
    }
}

/// A namespace in which a program can run.
#[derive(Clone, Debug)]
pub struct Place(String);

impl Place {
    /// `program`, to be run here.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).arg(program.as_ref()).stdin(Stdio::null());
        command
    }

    /// What a short program prints here.
    pub fn run(&self, words: &str) -> String {
        let mut words = words.split(' ');
        let mut command = self.command(words.next().unwrap());
        command.args(words);
        done(command)
    }

    fn make(name: String) -> Self {
        run(&format!("ip netns add {name}"));
        let place = Self(name);
        place.run("ip link set lo up");
        place.set("net/ipv6/conf/all/disable_ipv6", 1);
        place
    }

    fn set(&self, knob: &str, value: u8) {
        let mut sh = self.command("sh");
        sh.args(["-c", &format!("echo {value} > /proc/sys/{knob}")]);
        done(sh);
    }
}

/// A home, and the router in front of it where there is one.
#[derive(Clone, Debug)]
pub struct Home {
    pub place: Place,
    pub router: Option<Place>,
}

/// All of it. Dropping it removes every namespace and ends what runs there.
pub struct Lab {
    prefix: String,
    /// Where the servers are.
    pub servers: Place,
    homes: u8,
}

impl Lab {
    /// The public segment, without homes.
    pub fn new() -> Self {
        remove_leftovers();
        let prefix = format!("{PREFIX}{}-", process::id());
        let servers = Place(format!("{prefix}servers"));
        // Made first, so that whatever fails from here on is cleaned up.
        let lab = Self { prefix, servers, homes: 0 };
        Place::make(lab.servers.0.clone());
        lab.servers.run("ip link add bridge type bridge");
        lab.servers.run(&format!("ip addr add {SERVERS}/24 dev bridge"));
        lab.servers.run("ip link set bridge up");
        lab
    }

    /// A new home.
    pub fn home(&mut self, nat: Nat) -> Home {
        self.homes += 1;
        let number = self.homes;
        let place = Place::make(format!("{}home-{number}", self.prefix));
        if nat == Nat::Open {
            self.plug_in(&place, "eth0", number);
            place.run(&format!("ip route add default via {SERVERS}"));
            return Home { place, router: None };
        }
        let router = self.router(&place, "eth0", number, nat);
        place.run(&format!("ip route add default via 192.168.{number}.1"));
        Home { place, router: Some(router) }
    }

    /// A second router for a home: `eth1`, not used yet.
    pub fn second_router(&mut self, home: &Home, nat: Nat) -> Place {
        self.homes += 1;
        self.router(&home.place, "eth1", self.homes, nat)
    }

    /// Lets the first interface fail and the second take over, as when a cable is pulled or a phone leaves the house.
    pub fn change_uplink(&self, home: &Home) {
        home.place.run("ip link set eth0 down");
        home.place.run(&format!("ip route add default via 192.168.{}.1", self.homes));
    }

    fn router(&self, home: &Place, interface: &str, number: u8, nat: Nat) -> Place {
        let router = Place::make(format!("{}router-{number}", self.prefix));
        self.plug_in(&router, "wan", number);
        run(&format!("ip link add lan netns {} type veth peer name {interface} netns {}", router.0, home.0));
        for (place, end, host) in [(&router, "lan", 1), (home, interface, 2)] {
            place.run(&format!("ip addr add 192.168.{number}.{host}/24 dev {end}"));
            place.run(&format!("ip link set {end} up"));
        }
        router.set("net/ipv4/ip_forward", 1);
        filter(&router, &rules(nat, number));
        router
    }

    /// Gives `place` an address on the public segment.
    fn plug_in(&self, place: &Place, interface: &str, number: u8) {
        let servers = &self.servers;
        run(&format!("ip link add {interface} netns {} type veth peer name port{number} netns {}", place.0, servers.0));
        servers.run(&format!("ip link set port{number} master bridge up"));
        place.run(&format!("ip addr add {BLOCK}.{}/24 dev {interface}", 100 + u16::from(number)));
        place.run(&format!("ip link set {interface} up"));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        remove(|name| name.starts_with(&self.prefix));
    }
}

/// The router's nftables. The chains that miniupnpd fills are empty until it runs.
fn rules(nat: Nat, number: u8) -> String {
    let mapped = if nat == Nat::Symmetric { "masquerade random,fully-random" } else { "masquerade" };
    let inward = match nat {
        Nat::FullCone => format!("iifname wan meta l4proto udp dnat ip to 192.168.{number}.2"),
        _ => String::new(),
    };
    let outward = if nat == Nat::Blocked { "meta l4proto udp drop" } else { "" };
    format!(
        "table inet filter {{
            chain miniupnpd {{ }}
            chain prerouting_miniupnpd {{ }}
            chain postrouting_miniupnpd {{ }}
            chain prerouting {{ type nat hook prerouting priority -100;
                jump prerouting_miniupnpd
                {inward}
            }}
            chain postrouting {{ type nat hook postrouting priority 100;
                jump postrouting_miniupnpd
                oifname wan {mapped}
            }}
            chain forward {{ type filter hook forward priority 0; policy drop;
                {outward}
                ct status dnat accept
                ct state established,related accept
                iifname lan accept
            }}
            chain input {{ type filter hook input priority 0; policy drop;
                iifname lan accept
                ct state established,related accept
            }}
        }}"
    )
}

fn filter(router: &Place, rules: &str) {
    let mut nft = router.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

/// Runs a short program in the namespace we are in.
fn run(words: &str) -> String {
    let mut words = words.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    done(command)
}

fn done(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Removes what earlier runs left when they were killed.
fn remove_leftovers() {
    remove(|name| {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        owner.is_some_and(|pid| fs::metadata(format!("/proc/{pid}")).is_err())
    });
}

/// Ends what runs in these namespaces, and removes them. Goes on whatever fails: it is called while panicking as well.
fn remove(ours: impl Fn(&str) -> bool) {
    let said = |arguments: &[&str]| match Command::new("ip").args(arguments).stderr(Stdio::null()).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) => String::new(),
    };
    let list = said(&["netns", "list"]);
    for name in list.lines().filter_map(|line| line.split(' ').next()).filter(|name| ours(name)) {
        for pid in said(&["netns", "pids", name]).lines().filter_map(|pid| pid.parse().ok()) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                let _ended_meanwhile = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        said(&["netns", "delete", name]);
    }
}
