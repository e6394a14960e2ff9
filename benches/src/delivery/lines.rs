//! Shaped lines on one machine: a network namespace for each place, a veth pair to a router, `tc` on both of its ends.
//!
//! ```text
//! place 1 ─ eth0 ══ port1 ┐
//! place 2 ─ eth0 ══ port2 ┼─ router, in the hub's namespace: place 0, whose own line is not shaped
//!   …       up ▲     ▲ down
//! ```
//!
//! A router, since on a bridge everybody is everybody's neighbour: the system's table of those has 1,024 entries for all
//! namespaces together. A token bucket limits each direction of each line, with a queue of [`QUEUE_MS`] behind it, as a home router has one.
//! Only root can do this. No delay is added.

use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    io::Write as _,
    net::Ipv4Addr,
    path::Path,
    process::{self, Command, Stdio},
};

/// Rate of each line in each direction.
pub const LINE_MBIT_PER_S: u64 = 5;
/// Longest wait in a line's queue; what comes then is dropped.
const QUEUE_MS: u64 = 300;
/// Most bytes that pass at once.
const BURST_KB: u64 = 16;
/// Names of all namespaces begin with this and the process that made them.
const PREFIX: &str = "cfxline-";

/// All places. Dropping it removes them, and ends what runs there.
pub struct Lines {
    prefix: String,
    places: u16,
}

impl Lines {
    /// `places` places beside the hub.
    pub fn lay(places: u16) -> Result<Self> {
        remove(|owner| fs::metadata(format!("/proc/{owner}")).is_err());
        // Made first, so that whatever fails from here on is cleaned up.
        let lines = Self { prefix: format!("{PREFIX}{}-", process::id()), places };
        (0..=places).try_for_each(|number| ip(&["netns", "add", &lines.name(number)], ""))?;
        let hub = lines.name(0);
        let pairs = (1..=places)
            .map(|number| {
                format!("link add port{number} netns {hub} type veth peer name eth0 netns {}\n", lines.name(number))
            })
            .collect::<String>();
        ip(&["-batch", "-"], &pairs)?;
        lines.plug_in_hub(&hub)?;
        (1..=places).try_for_each(|number| lines.plug_in(number))?;
        Ok(lines)
    }

    /// The address of a place; the hub's is that of place 0.
    pub fn address(number: u16) -> Ipv4Addr {
        let [high, low] = (number + 1).to_be_bytes();
        Ipv4Addr::new(10, 77, high, low)
    }

    /// `program`, to be run at a place.
    pub fn command(&self, number: u16, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(number)]).arg(program.as_ref());
        command
    }

    fn name(&self, number: u16) -> String {
        format!("{}{number}", self.prefix)
    }

    fn plug_in_hub(&self, hub: &str) -> Result<()> {
        let mut words = format!("link set lo up\naddr add {}/32 dev lo\n", Self::address(0));
        let mut shapes = String::new();
        for number in 1..=self.places {
            let address = Self::address(number);
            words.push_str(&format!("link set port{number} up\nroute add {address}/32 dev port{number}\n"));
            shapes.push_str(&shape(&format!("port{number}")));
        }
        ip(&["-n", hub, "-batch", "-"], &words)?;
        fed("ip", &["netns", "exec", hub, "tee", "/proc/sys/net/ipv4/ip_forward"], "1\n")?;
        tc(hub, &shapes)
    }

    fn plug_in(&self, number: u16) -> Result<()> {
        let (name, address, hub) = (self.name(number), Self::address(number), Self::address(0));
        ip(
            &["-n", &name, "-batch", "-"],
            &format!(
                "link set lo up\naddr add {address}/32 dev eth0\nlink set eth0 up\n\
                 route add {hub} dev eth0\nroute add default via {hub}\n"
            ),
        )?;
        tc(&name, &shape("eth0"))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let own = process::id().to_string();
        remove(|owner| owner == own);
    }
}

fn shape(interface: &str) -> String {
    format!("qdisc add dev {interface} root tbf rate {LINE_MBIT_PER_S}mbit burst {BURST_KB}kb latency {QUEUE_MS}ms\n")
}

fn tc(place: &str, words: &str) -> Result<()> {
    fed("tc", &["-n", place, "-batch", "-"], words)
}

fn ip(arguments: &[&str], words: &str) -> Result<()> {
    fed("ip", arguments, words)
}

/// Runs a program to its end, with `words` as its input.
fn fed(program: &str, arguments: &[&str], words: &str) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{program} is not installed"))?;
    // It reads all of it before it says anything; a failure to write shows in what it says.
    let _written = child.stdin.take().map(|mut input| input.write_all(words.as_bytes()));
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {}: {}", arguments.join(" "), said.trim());
    Ok(())
}

/// Removes the namespaces of these owners. Goes on whatever fails: what cannot be removed is tried by the next run.
fn remove(ours: impl Fn(&str) -> bool) {
    let list = Command::new("ip").args(["netns", "list"]).output().map(|output| output.stdout).unwrap_or_default();
    for line in String::from_utf8_lossy(&list).lines() {
        let Some(name) = line.split(' ').next() else { continue };
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(&ours) {
            let _tried_again = ip(&["netns", "delete", name], "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_addresses_of_their_own() {
        assert_eq!(Lines::address(0).to_string(), "10.77.0.1");
        assert_eq!(Lines::address(1).to_string(), "10.77.0.2");
        assert_eq!(Lines::address(255).to_string(), "10.77.1.0");
        assert!(shape("eth0").ends_with("rate 5mbit burst 16kb latency 300ms\n"));
    }
}
