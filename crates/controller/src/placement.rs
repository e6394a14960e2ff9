//! Which providers get a cell: weighted rendezvous hashing over free space.
//!
//! Every provider draws a number from the hash of cell and node, scaled by the room it has; the smallest win (Schindelhauer
//! and Schomaker, "Weighted distributed hash tables", SPAA 2005: an exponential race). The chance of a win is
//! proportional to free space, nobody needs a list of past decisions, and a provider that goes away moves only its own
//! cells. Copies never share an account, and share a region only where no other has room.

use chainflix_primitives::{AccountAddress, CellId, NodeId};
use std::collections::HashSet;

/// A provider that could take a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its node.
    pub node: NodeId,
    /// Whose disk it is.
    pub account: AccountAddress,
    /// Where it stands; empty where nobody says.
    pub region: String,
    /// Room it has beyond the headroom and what is promised, in bytes.
    pub free_bytes: u64,
}

/// Chooses up to `wanted` of `candidates` for a cell of `size` bytes, beside the copies at `holders`.
pub fn choose(
    cell: &CellId,
    size: u64,
    wanted: usize,
    candidates: Vec<Candidate>,
    holders: &[Candidate],
) -> Vec<NodeId> {
    let mut ranked: Vec<(f64, Candidate)> = candidates
        .into_iter()
        .filter(|candidate| candidate.free_bytes >= size)
        .map(|candidate| (arrival(cell, &candidate), candidate))
        .collect();
    ranked.sort_by(|(a, left), (b, right)| a.total_cmp(b).then(left.node.cmp(&right.node)));
    let mut accounts: HashSet<AccountAddress> = holders.iter().map(|holder| holder.account).collect();
    let mut regions: HashSet<String> = holders.iter().map(|holder| holder.region.clone()).collect();
    let mut chosen = Vec::new();
    // First one per region; then whoever is left.
    for spread in [true, false] {
        for (_, candidate) in &ranked {
            let crowded = spread && !candidate.region.is_empty() && regions.contains(&candidate.region);
            if chosen.len() < wanted && !crowded && accounts.insert(candidate.account) {
                regions.insert(candidate.region.clone());
                chosen.push(candidate.node);
            }
        }
    }
    chosen
}

/// When this candidate would arrive in a race where more room means a faster runner.
fn arrival(cell: &CellId, candidate: &Candidate) -> f64 {
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 placement v1");
    hasher.update(&cell.0).update(&candidate.node.0);
    let mut draw = [0; 8];
    hasher.finalize_xof().fill(&mut draw);
    // 53 bits fill a double exactly; the half keeps it away from 0, where the logarithm is not.
    let uniform = ((u64::from_le_bytes(draw) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -uniform.ln() / candidate.free_bytes.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(node: u8, free_bytes: u64) -> Candidate {
        Candidate { node: NodeId([node; 32]), account: AccountAddress([node; 20]), region: String::new(), free_bytes }
    }

    fn cell(number: u32) -> CellId {
        CellId(blake3::hash(&number.to_le_bytes()).into())
    }

    #[test]
    fn chances_follow_free_space() {
        let providers = vec![candidate(1, 100), candidate(2, 300)];
        let second = (0..4_000).filter(|i| choose(&cell(*i), 1, 1, providers.clone(), &[]) == [NodeId([2; 32])]);
        // 3,000 are expected; five standard deviations are 137.
        let second = second.count();
        assert!((2_863..=3_137).contains(&second), "{second}");
    }

    #[test]
    fn a_provider_that_leaves_moves_only_its_own_cells() {
        let all: Vec<_> = (1..=8).map(|node| candidate(node, 100)).collect();
        for i in 0..500 {
            let before = choose(&cell(i), 1, 2, all.clone(), &[]);
            let after = choose(&cell(i), 1, 2, all[1..].to_vec(), &[]);
            let stayed = before.iter().filter(|node| **node != NodeId([1; 32])).all(|node| after.contains(node));
            assert!(stayed, "cell {i}: {before:?} -> {after:?}");
        }
    }

    #[test]
    fn copies_are_of_different_people_and_places() {
        let mut providers: Vec<_> = (1..=6).map(|node| candidate(node, 1_000)).collect();
        for (provider, region) in providers.iter_mut().zip(["kr", "kr", "kr", "kr", "kr", "de"]) {
            provider.region = region.into();
        }
        providers[1].account = providers[0].account;
        for i in 0..50 {
            let chosen = choose(&cell(i), 1, 2, providers.clone(), &[]);
            assert!(chosen.contains(&NodeId([6; 32])), "the only other place takes part");
            let two_of_one = choose(&cell(i), 1, 2, providers[..2].to_vec(), &[]);
            assert_eq!(two_of_one.len(), 1, "two disks of one person are one copy");
            let beside = choose(&cell(i), 1, 1, providers.clone(), &providers[5..]);
            assert!(!beside.is_empty() && !beside.contains(&NodeId([6; 32])));
        }
    }

    #[test]
    fn no_room_no_choice() {
        assert_eq!(choose(&cell(0), 101, 2, vec![candidate(1, 100)], &[]), []);
        assert_eq!(choose(&cell(0), 100, 2, vec![candidate(1, 100)], &[]), [NodeId([1; 32])]);
    }
}
