//! Keys: what a quorum costs against a secret that every validator holds.
//!
//! ```text
//! validator 0          validators 1 to 3
//!   │ ask: grant()  ──────▶│ answer: hear()         with a shared secret: grant() alone
//!   │ join: hear()  ◀──────│
//!   │ give: grant()        │
//! ```
//!
//! Four desks with the services that a network would have, in one thread. A viewer's *first* grant of a film makes the
//! round trip; its *next* does not. Latency is the longest path (ask, one answer, join, give) plus one round trip of a
//! network that is only added; the rate counts what all four validators do for a grant, until each has heard of it.
//! Not in it: gossip leaves in packets at least 20 ms apart, so under load each of the two ways waits up to 20 ms more.

use crate::{draw::Draw, report::Metrics};
use anyhow::{Context as _, Result, bail};
use chainflix_key_service::{deal, open, seal_video_secret};
use chainflix_primitives::{
    AccountAddress, AccountKey, BlockHash, BoxKey, CellId, GrantRequest, Magnet, NetworkGenesis, NetworkKeys,
    NetworkSecret, NodeId, ProtocolParams, RewardSplit, SealedKey, Signed, ValidatorIdentity, VideoSecret,
};
use chainflix_proof_of_view::{Catalogue, Desk, LedgerState, Refusal, Source, ValidatorMessage, VideoFacts};
use clap::Args;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const VALIDATORS: usize = 4;
const QUORUM: usize = 3;
const NOW_MS: u64 = 1_800_000_000_000;
const CREATOR: AccountAddress = AccountAddress([50; 20]);
const FILM: Magnet = Magnet([60; 32]);
/// Round trips that are added: one room, one country, across an ocean.
const ROUND_TRIPS_MS: [u64; 3] = [1, 20, 150];

/// Releasing keys, with a shared secret and with a quorum.
#[derive(Args)]
pub struct Keys {
    /// How many viewers start the film
    #[arg(long, default_value_t = 300)]
    viewers: usize,
}

impl Keys {
    pub fn run(&self, metrics: &mut Metrics) -> Result<()> {
        for mode in ["shared", "threshold"] {
            let mut town = Town::new(mode)?;
            let (mut first, mut next) = (Vec::new(), Vec::new());
            for number in 0..self.viewers {
                let viewer = AccountKey::from_bytes(&Draw::new(&format!("keys {mode} {number}")).bytes())?;
                first.push(town.grant(&viewer, 0)?);
                next.push(town.grant(&viewer, 1)?);
            }
            report(metrics, &format!("keys_{mode}_first_grant"), &first, mode == "threshold");
            report(metrics, &format!("keys_{mode}_next_grant"), &next, false);
        }
        Ok(())
    }
}

fn report(metrics: &mut Metrics, name: &str, grants: &[Spent], travels: bool) {
    let part = |part: fn(&Spent) -> Duration| undisturbed_ms(grants, part);
    let (ask, answer, join) = (part(|grant| grant.ask), part(|grant| grant.answer), part(|grant| grant.join));
    let (give, tell) = (part(|grant| grant.give), part(|grant| grant.tell));
    let latency_ms = ask + answer + join + give;
    metrics.add(&format!("{name}_ms"), latency_ms);
    let others = (VALIDATORS - 1) as f64;
    metrics.add(&format!("{name}s_per_core_per_s"), 1_000.0 / (ask + others * answer + join + give + tell));
    if travels {
        metrics.add(&format!("{name}_answer_ms"), answer);
        metrics.add(&format!("{name}_join_ms"), join);
        for round_trip_ms in ROUND_TRIPS_MS {
            metrics.add(&format!("{name}_at_{round_trip_ms}_ms_away_ms"), latency_ms + round_trip_ms as f64);
        }
    }
}

/// What the fastest tenth of all grants took at most: they all do the same, and whatever else runs on the machine can
/// only add to it.
fn undisturbed_ms(grants: &[Spent], part: fn(&Spent) -> Duration) -> f64 {
    let mut parts: Vec<_> = grants.iter().map(part).collect();
    parts.sort_unstable();
    parts.get(parts.len() / 10).map_or(0.0, Duration::as_secs_f64) * 1_000.0
}

/// What one grant took.
#[derive(Default)]
struct Spent {
    /// Of validator 0, before it waits.
    ask: Duration,
    /// Of one other validator.
    answer: Duration,
    /// Of validator 0: the answers that it needs.
    join: Duration,
    /// Of validator 0, once it has the key.
    give: Duration,
    /// Of all others: they hear of the grant. Nobody waits for it.
    tell: Duration,
}

fn timed<T>(sum: &mut Duration, job: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = job();
    *sum += began.elapsed();
    done
}

/// Four validators and a film.
struct Town {
    accounts: Vec<AccountAddress>,
    desks: Vec<Desk>,
    ledger: LedgerState,
    film: Film,
    draw: Draw,
}

impl Town {
    fn new(mode: &str) -> Result<Self> {
        let mut draw = Draw::new("keys town");
        let keys: Vec<_> =
            (0..VALIDATORS).map(|_| Ok(AccountKey::from_bytes(&draw.bytes())?)).collect::<Result<_>>()?;
        let accounts: Vec<_> = keys.iter().map(AccountKey::address).collect();
        let (network, held) = network_keys(mode, &mut draw)?;
        let identity = |account: &AccountAddress| ValidatorIdentity {
            account: *account,
            consensus_key: NodeId(Draw::new(&account.to_string()).bytes()),
        };
        let genesis = Arc::new(NetworkGenesis {
            chain_id: 1,
            genesis_time_ms: NOW_MS,
            params: ProtocolParams::default(),
            validators: accounts.iter().map(identity).collect(),
            keys: network,
            governor: CREATOR,
            supervisors: Vec::new(),
            allocations: Vec::new(),
        });
        let secret = VideoSecret::from_bytes(draw.bytes());
        let sealed = seal_video_secret(&genesis.keys, &CREATOR, &FILM, &secret, draw.bytes())?;
        let mut desks = Vec::new();
        for (key, held) in keys.into_iter().zip(&held) {
            let service = open(&genesis, &key.address(), held, draw.bytes())?;
            desks.push(Desk::new(genesis.clone(), key, service).context("the genesis names all validators")?);
        }
        Ok(Self { accounts, desks, ledger: LedgerState::default(), film: Film(sealed), draw })
    }

    /// One grant, with all that validators do for it.
    fn grant(&mut self, viewer: &AccountKey, cell_index: u32) -> Result<Spent> {
        let mut spent = Spent::default();
        let words = GrantRequest {
            account: viewer.address(),
            magnet: FILM,
            cell_index,
            from_byte: 0,
            viewer_box_key: BoxKey::from_bytes(self.draw.bytes()).public_key(),
            excluded: Vec::new(),
            requested_ms: NOW_MS,
        };
        let words = Signed::new(words, viewer);
        let mut give = Duration::ZERO;
        match timed(&mut give, || self.ask(&words)) {
            Ok(()) => {}
            Err(Refusal::KeysPending { .. }) => {
                spent.ask = std::mem::take(&mut give);
                self.round_trip(&mut spent);
                timed(&mut give, || self.ask(&words))?;
            }
            Err(refusal) => bail!("a grant was refused: {refusal}"),
        }
        spent.give = give;
        let told = self.said(0);
        timed(&mut spent.tell, || (1..VALIDATORS).for_each(|to| self.hear(0, to, &told)));
        Ok(spent)
    }

    fn ask(&mut self, words: &Signed<GrantRequest>) -> Result<(), Refusal> {
        let entropy = self.draw.bytes();
        let source = Source {
            provider: AccountAddress([1; 20]),
            node: NodeId([2; 32]),
            box_key: BoxKey::from_bytes([3; 32]).public_key(),
        };
        self.desks[0].grant(NOW_MS, entropy, words, &[source], &BlockHash([4; 32]), &self.film).map(drop)
    }

    /// The others answer; validator 0 joins the first answers that are enough.
    fn round_trip(&mut self, spent: &mut Spent) {
        let asked = self.said(0);
        for from in 1..QUORUM {
            let mut answering = Duration::ZERO;
            timed(&mut answering, || self.hear(0, from, &asked));
            spent.answer = answering;
            let answer = self.said(from);
            timed(&mut spent.join, || self.hear(from, 0, &answer));
        }
    }

    fn said(&mut self, by: usize) -> Vec<ValidatorMessage> {
        std::iter::from_fn(|| self.desks[by].poll()).collect()
    }

    fn hear(&mut self, from: usize, to: usize, messages: &[ValidatorMessage]) {
        for message in messages {
            self.desks[to].hear(NOW_MS, &self.accounts[from], message.clone(), &self.ledger, &self.film);
        }
    }
}

/// The public half, and what each validator holds.
fn network_keys(mode: &str, draw: &mut Draw) -> Result<(NetworkKeys, Vec<Vec<u8>>)> {
    if mode == "shared" {
        let secret = NetworkSecret::from_bytes(draw.bytes());
        let keys = NetworkKeys::Shared { box_key: secret.box_key().public_key() };
        return Ok((keys, vec![secret.expose().to_vec(); VALIDATORS]));
    }
    let dealing = deal(VALIDATORS, QUORUM, &draw.bytes())?;
    Ok((dealing.keys, dealing.shares.iter().map(|share| share.to_bytes().to_vec()).collect()))
}

/// The only film, of ninety cells.
struct Film(SealedKey);

impl Catalogue for Film {
    fn video(&self, _: &Magnet, cell_index: u32) -> Option<VideoFacts> {
        Some(VideoFacts {
            creator: CREATOR,
            supervisor: AccountAddress([70; 20]),
            taken_down: false,
            cell: Some((CellId([cell_index as u8; 32]), 10_000_000, 60_000)),
            sealed_secret: self.0,
            split: RewardSplit::DEFAULT,
        })
    }

    fn activator(&self, _: &Magnet, _: &Magnet) -> Option<AccountAddress> {
        None
    }

    fn is_activator(&self, _: &Magnet, _: &AccountAddress) -> bool {
        false
    }

    fn operation(&self) -> Vec<AccountAddress> {
        Vec::new()
    }

    fn standing(&self, _: &AccountAddress) -> u16 {
        0
    }

    fn block_hash(&self, _: u32) -> Option<BlockHash> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_end_in_a_grant_and_only_one_makes_a_round_trip() {
        let viewer = AccountKey::from_bytes(&[9; 32]).unwrap();
        for (mode, travels) in [("shared", false), ("threshold", true)] {
            let mut town = Town::new(mode).unwrap();
            assert_eq!(town.grant(&viewer, 0).unwrap().join > Duration::ZERO, travels, "{mode}");
            assert_eq!(town.grant(&viewer, 1).unwrap().join, Duration::ZERO, "{mode}");
        }
    }
}
