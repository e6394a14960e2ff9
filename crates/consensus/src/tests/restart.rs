//! Validators come back from their disks, and from each other.

use super::harness::{Kept, Network, patiently, payment, send};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

const PAID: [u8; 20] = [0xbb; 20];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_without_its_evm_catches_up() {
    let mut network = Network::start(4, Kept::OnDisk).await;
    network.reach(3).await;
    network.stop(3).await;
    let left = network.common_height();
    // The other three go on without it, and pay somebody it has not heard of.
    let first = network.validators[0].as_ref().unwrap();
    send(first, &payment(network.genesis.chain_id, 0, PAID, 5)).await;
    // Long enough for view blocks: a slot is a second.
    let goal = network.common_height() + 12;
    network.reach(goal).await;

    std::fs::remove_dir_all(network.folder(3, "execution")).unwrap();
    network.restart(3).await;
    network.reach(goal + 1).await;
    network.agreed_hash(goal).await;
    let (returned, first) = (network.validators[3].as_ref().unwrap(), network.validators[0].as_ref().unwrap());
    assert_eq!(returned.balance(PAID).await, first.balance(PAID).await);
    // The plays of view blocks it missed came with the blocks: it holds every one that the others hold.
    let settled = first
        .ledger
        .summaries(u64::MAX, 1_000)
        .unwrap()
        .into_iter()
        .filter(|summary| summary.award.as_ref().is_some_and(|award| award.height <= goal));
    let settled: Vec<_> = settled.collect();
    assert!(settled.iter().any(|summary| summary.height > left), "none was settled meanwhile");
    for summary in settled {
        let held = first.ledger.view_block(summary.number).unwrap();
        assert!(held.is_some() && returned.ledger.view_block(summary.number).unwrap() == held);
    }
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_stops_continues_where_it_was() {
    let mut network = Network::start(4, Kept::OnDisk).await;
    network.reach(4).await;
    let height = network.common_height();
    let hash = network.agreed_hash(height).await;
    network.stop_all().await;
    for number in 0..4 {
        network.restart(number).await;
    }
    for validator in network.running() {
        assert!(validator.execution.height() >= height && validator.ledger.height() >= height);
        assert!(validator.height() >= height);
    }
    network.reach(height + 3).await;
    assert_eq!(network.agreed_hash(height).await, hash);
    network.agreed_hash(height + 3).await;
    network.stop_all().await;
}

/// Names the folder of a network that is to be killed.
const VICTIM: &str = "CHAINFLIX_CONSENSUS_VICTIM";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the next test runs it in a process of its own and kills it"]
async fn victim() {
    let Some(root) = std::env::var_os(VICTIM) else { return };
    let network = Network::start_in(root.into(), 4, Kept::OnDisk).await;
    let mut finalized = network.validators[0].as_ref().unwrap().consensus.finalized();
    loop {
        let block = patiently(finalized.recv()).await.unwrap();
        println!("final {} {}", block.height, block.eth_hash);
    }
}

/// Kills the process when the test fails before it does so itself.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Victim {
    fn start(root: &Path) -> Self {
        let test = ["--ignored", "--exact", "--nocapture", "tests::restart::victim"];
        let mut command = Command::new(std::env::current_exe().unwrap());
        Self(command.args(test).env(VICTIM, root).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Heights and hashes of the blocks it says are final, from the first on.
    fn finalized(&mut self) -> impl Iterator<Item = (u64, String)> {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        lines.map(Result::unwrap).filter_map(|line| {
            let (height, hash) = line.strip_prefix("final ")?.split_once(' ')?;
            Some((height.parse().unwrap(), hash.to_owned()))
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_network_loses_nothing_it_called_final() {
    let root = tempfile::tempdir().unwrap();
    let mut victim = Victim::start(root.path());
    let finalized: Vec<_> = victim.finalized().take(6).collect();
    drop(victim); // SIGKILL: nothing is written any more.
    let (height, hash) = finalized.last().unwrap();

    let mut network = Network::start_in(root.path().to_owned(), 4, Kept::OnDisk).await;
    network.reach(height + 2).await;
    assert_eq!(format!("{:#x}", network.agreed_hash(*height).await), *hash);
    network.stop_all().await;
}
