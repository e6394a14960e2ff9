//! Random histories: any order, duplication and loss of messages between four validators, and any mischief of viewers.
//!
//! What must hold whatever happens:
//! - a play that a validator refused stays refused there, unless the chain carries it all the same;
//! - a validator holds true in a vote only what it judged itself and found proved;
//! - no play and no cell of an account is carried twice in a period, and no slot pays more than its reward;
//! - when all is over nothing is open and nothing counts against a limit.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    /// A viewer asks for a grant and a PlayCode, giving up what it plays or not.
    Ask {
        viewer: u8,
        cell: u32,
        validator: usize,
        jump: bool,
    },
    /// Viewer and provider sign for a delivery, with these hashes.
    Receive {
        play: usize,
        viewer: u8,
        provider: u8,
    },
    /// A viewer proves a play, in one of several ways.
    Prove {
        play: usize,
        validator: usize,
        how: u8,
    },
    /// A viewer opens a play.
    Open {
        play: usize,
        validator: usize,
    },
    /// A message arrives where it was not heard yet, and may arrive again.
    Deliver {
        message: usize,
        to: usize,
        again: bool,
    },
    /// All that is under way arrives, the newest first.
    DeliverAll,
    /// A message is lost for good.
    Lose {
        message: usize,
    },
    /// An honest viewer watches a cell, with whatever validators have heard by then.
    View {
        viewer: u8,
        cell: u32,
        validator: usize,
    },
    Pass {
        ms: u64,
    },
    /// The same, and everything that is said arrives within a second.
    Quiet {
        ms: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (60u8..63, 0u32..3, 0usize..4, any::<bool>())
            .prop_map(|(viewer, cell, validator, jump)| Step::Ask { viewer, cell, validator, jump }),
        3 => (any::<usize>(), 0u8..8, 0u8..8)
            .prop_map(|(play, viewer, provider)| Step::Receive { play, viewer: viewer / 7, provider: provider / 7 }),
        4 => (any::<usize>(), 0usize..4, 0u8..8).prop_map(|(play, validator, how)| Step::Prove { play, validator, how }),
        2 => (any::<usize>(), 0usize..4).prop_map(|(play, validator)| Step::Open { play, validator }),
        12 => (any::<usize>(), 0usize..4, any::<bool>())
            .prop_map(|(message, to, again)| Step::Deliver { message, to, again }),
        3 => Just(Step::DeliverAll),
        1 => any::<usize>().prop_map(|message| Step::Lose { message }),
        2 => (60u8..63, 0u32..3, 0usize..4).prop_map(|(viewer, cell, validator)| Step::View { viewer, cell, validator }),
        4 => prop_oneof![Just(200), Just(2_000), Just(15_000), Just(60_000)].prop_map(|ms| Step::Pass { ms }),
        2 => prop_oneof![Just(5_000), Just(20_000)].prop_map(|ms| Step::Quiet { ms }),
    ];
    proptest::collection::vec(step, 1..70)
}

struct World {
    village: Village,
    plays: Vec<Playing>,
    /// Messages under way: from whom, what, and who is still to hear it.
    under_way: Vec<(usize, ValidatorMessage, BTreeSet<usize>)>,
    /// What each validator refused.
    refused: BTreeMap<(usize, PlayId), Refusal>,
}

impl World {
    fn new() -> Self {
        let audit = AuditParams { share_permille: 500, answer_ms: 10_000, strikes_max: 2, ..AuditParams::default() };
        let params = ProtocolParams { audit, difficulty_bits: 0, period_view_blocks: 3, ..Default::default() };
        Self { village: Village::audited(params), plays: vec![], under_way: vec![], refused: BTreeMap::new() }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Ask { viewer, cell, validator, jump } => self.ask(viewer, cell, validator, jump),
            Step::Receive { play, viewer, provider } => self.receive(play, viewer, provider),
            Step::Prove { play, validator, how } => self.prove(play, validator, how),
            Step::Open { play, validator } => {
                let Some(opening) = self.play(play).and_then(|play| self.village.openings.get(&play.code.id)) else {
                    return;
                };
                let opening = opening.clone();
                let Village { desks, now_ms, ledger, chain, .. } = &mut self.village;
                // Taken or not: either is right, and what follows from it is checked.
                let _answer = desks[validator].open(*now_ms, opening, ledger, chain);
            }
            Step::Deliver { message, to, again } => self.deliver(message, to, again),
            Step::DeliverAll => self.deliver_all(),
            Step::View { viewer, cell, validator } => {
                let before = self.plays.len();
                self.ask(viewer, cell, validator, false);
                if self.plays.len() > before {
                    self.listen();
                    self.deliver_all();
                    self.receive(before, 1, 1);
                    self.pass(60_000, true);
                    self.prove(before, validator, 0);
                }
            }
            Step::Lose { message } => {
                if !self.under_way.is_empty() {
                    self.under_way.swap_remove(message % self.under_way.len());
                }
            }
            Step::Pass { ms } => self.pass(ms, false),
            Step::Quiet { ms } => self.pass(ms, true),
        }
        self.listen();
        self.check();
    }

    fn play(&self, play: usize) -> Option<&Playing> {
        self.plays.get(play.checked_rem(self.plays.len())?)
    }

    fn ask(&mut self, viewer: u8, cell: u32, validator: usize, jump: bool) {
        let viewer = key(viewer);
        let Ok(grant) = self.village.grant(&viewer, cell) else { return };
        let running = self.plays.iter().rev().find(|play| play.viewer.address() == viewer.address());
        let supersedes = running.filter(|_| jump).map(|play| play.code.id);
        let request = PlayRequest { supersedes, ..self.village.play_request(&viewer, &grant) };
        let answer = self.village.request_of(validator, Signed::new(request, &viewer), home());
        if let Ok(PlayAnswer { outcome: PlayOutcome::Mining(_), .. }) = &answer {
            let playing = self.village.playing(viewer, grant, answer.unwrap());
            self.plays.push(playing);
        }
    }

    fn receive(&mut self, play: usize, viewer: u8, provider: u8) {
        let Some(playing) = self.play(play) else { return };
        let grant = playing.grant.clone();
        for (signer, hash) in [(playing.viewer.clone(), viewer), (key(50), provider)] {
            let receipt = Receipt {
                grant: grant.id,
                viewer: grant.viewer,
                provider: grant.provider,
                cell: grant.cell,
                start: 0,
                end: SIZE,
                delivered_hash: Digest([hash; 32]),
            };
            // As above.
            let _answer = self.village.desks[2].receipt(self.village.now_ms, Signed::new(receipt, &signer));
        }
    }

    fn prove(&mut self, play: usize, validator: usize, how: u8) {
        let Some(playing) = self.play(play) else { return };
        let mut watching = self.village.begin(playing);
        self.village.fold(playing, &mut watching, 60_000);
        let nonce = u64::from(how);
        let mut data = watching.watch.play_data(self.village.slot(), &playing.key, nonce).unwrap();
        let opening = Opening { play: playing.code.id, download_key: *playing.key.expose(), chunks: watching.chunks };
        let (id, opening) = (playing.code.id, Signed::new(opening, &playing.viewer));
        let signer = if how == 1 { key(63) } else { playing.viewer.clone() };
        match how {
            2 => data.hash = Digest([66; 32]),
            3 => data.point_blocks[0] = u32::MAX,
            4 => data.download_key[0] ^= 1,
            5 => data.slot += 1,
            _ => {}
        }
        if self.village.prove_at(validator, Signed::new(data, &signer)).is_ok() {
            self.village.openings.insert(id, opening);
        }
    }

    fn deliver(&mut self, message: usize, to: usize, again: bool) {
        let Some(place) = message.checked_rem(self.under_way.len()) else { return };
        let (from, message, to_hear) = &mut self.under_way[place];
        if *from == to || (!again && !to_hear.remove(&to)) {
            return;
        }
        let (from, message, is_heard) = (*from, message.clone(), to_hear.is_empty());
        if is_heard && !again {
            self.under_way.swap_remove(place);
        }
        self.village.hear(to, from, &message);
    }

    fn deliver_all(&mut self) {
        for message in (0..self.under_way.len()).rev() {
            for to in 0..4 {
                self.deliver(message, to, false);
            }
        }
    }

    /// Time passes and blocks come; what validators say is under way, and arrives if it is quiet.
    fn pass(&mut self, ms: u64, is_quiet: bool) {
        let until = self.village.now_ms + ms;
        while self.village.now_ms < until {
            let village = &mut self.village;
            village.now_ms = until.min(village.now_ms + 1_000);
            for desk in &mut village.desks {
                desk.tick(village.now_ms, &village.ledger, &village.chain);
            }
            self.listen();
            if is_quiet {
                self.deliver_all();
                self.listen();
            }
            let village = &mut self.village;
            while (village.now_ms - START_MS) / 2_000 > u64::from(village.block) {
                village.make_block();
            }
        }
    }

    /// Takes up what validators say. What one holds true in a vote it must have found proved.
    fn listen(&mut self) {
        for (from, message) in self.village.said() {
            if let ValidatorMessage::Vote(vote) = &message {
                let proposal = self.under_way.iter().find_map(|(_, message, _)| match message {
                    ValidatorMessage::Proposal(proposal) => {
                        (Digest(proposal.body.digest()) == vote.body.proposal).then_some(proposal)
                    }
                    _ => None,
                });
                for (index, record) in proposal.iter().flat_map(|proposal| proposal.body.plays.iter().enumerate()) {
                    let status = self.village.desks[from].status(&record.code.body.id);
                    let held = holds_true(&vote.body.held_true, index);
                    assert!(!held || status == Some(PlayStatus::Proved), "validator {from} held {status:?} true");
                }
            }
            self.under_way.push((from, message, (0..4).filter(|to| *to != from).collect()));
        }
    }

    fn check(&mut self) {
        let carried: BTreeSet<PlayId> =
            self.village.made.iter().flat_map(|made| &made.accepted).map(|play| play.play).collect();
        for playing in &self.plays {
            let id = playing.code.id;
            for (number, desk) in self.village.desks.iter().enumerate() {
                let before = self.refused.get(&(number, id)).cloned();
                match (before, desk.status(&id)) {
                    (_, Some(PlayStatus::Refused(refusal))) => drop(self.refused.insert((number, id), refusal)),
                    (None, _) | (Some(_), None) => {}
                    (Some(before), Some(now)) => {
                        assert!(
                            carried.contains(&id),
                            "validator {number} refused {id} ({before:?}), and now: {now:?}"
                        );
                    }
                }
            }
        }
        let plays = self.village.made.iter().map(|made| made.accepted.len()).sum::<usize>();
        assert_eq!(carried.len(), plays, "no play is carried twice");
        let head = self.village.ledger.head();
        assert!(head.issued_gwei <= u128::from(head.view_blocks) * 90_000_000_000);
        for made in self.village.made.chunks(3) {
            let cells: Vec<_> = made
                .iter()
                .flat_map(|made| &made.accepted)
                .filter_map(|play| self.plays.iter().find(|playing| playing.code.id == play.play))
                .map(|playing| (playing.code.account, playing.code.cell_index))
                .collect();
            assert_eq!(cells.len(), cells.iter().collect::<BTreeSet<_>>().len(), "no cell is paid twice in a period");
        }
    }

    /// When nobody says anything any more, everything ends by the clock.
    fn end(&mut self) {
        self.under_way.clear();
        self.pass(600_000, false);
        self.check();
        for desk in &self.village.desks {
            assert_eq!(desk.open_plays(), 0);
            assert!(desk.plays.is_empty(), "nothing is remembered for ever");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_between_validators(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
        world.end();
    }
}

/// The same world when all goes well: the steps above do reach the end of a play's story.
#[test]
fn a_quiet_world_pays() {
    let mut world = World::new();
    world.run(Step::Ask { viewer: 60, cell: 0, validator: 1, jump: false });
    world.run(Step::DeliverAll);
    world.run(Step::Receive { play: 0, viewer: 1, provider: 1 });
    world.run(Step::DeliverAll);
    world.run(Step::Pass { ms: 60_000 });
    world.run(Step::Prove { play: 0, validator: 3, how: 0 });
    for _ in 0..60 {
        world.run(Step::DeliverAll);
        world.run(Step::Pass { ms: 1_000 });
        world.run(Step::Open { play: 0, validator: 0 });
    }
    assert_eq!(world.village.made.len(), 1);
    assert_eq!(world.village.awarded.len(), 1);
    assert!(world.village.paid(&key(60).address()) > 0);
    world.end();
}
