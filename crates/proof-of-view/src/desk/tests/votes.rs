//! From a proof to coins: slots, votes, conservation.

use super::*;

#[test]
fn a_watched_minute_pays_ninety_coins_and_an_idle_network_none() {
    let mut village = Village::new();
    village.pass(40_000);
    assert!(village.settlements.is_empty(), "no viewers, no coins");

    let playing = village.start(60, 0);
    village.receipts(&playing);
    let data = village.watch(&playing);
    assert_eq!(village.prove(&playing, data), Ok(()));
    village.pass(30_000);

    assert_eq!(village.settlements.len(), 1);
    let settlement = &village.settlements[0];
    assert_eq!(settlement.awarded.iter().map(|credit| credit.gwei).sum::<u64>(), 90_000_000_000);
    let of = |account: AccountAddress| settlement.credits.iter().find(|credit| credit.account == account).unwrap().gwei;
    assert_eq!(of(playing.viewer.address()), 27_000_000_000);
    assert_eq!(of(key(50).address()), 13_500_000_000);
    assert_eq!(of(AccountAddress([8; 20])), 2_700_000_000);
    for validator in 100..104 {
        assert_eq!(of(key(validator).address()), 1_800_000_000, "four votes share 7.2 CFX");
    }
    for desk in &village.desks {
        assert_eq!(desk.status(&playing.code.id), Some(&PlayStatus::Accepted { view_block: 1 }));
        assert_eq!(desk.open_plays(), 0);
    }
}

#[test]
fn a_film_runs_on_without_a_gap() {
    let mut village = Village::new();
    let first = village.start(60, 0);
    village.receipts(&first);
    // The next PlayCode is asked for four seconds before the running cell ends: its minute starts when that one ends.
    let viewer = key(60);
    let mut watch = village.watch_until(&first, 56_000);
    let grant = village.grant(&viewer, 1).unwrap();
    let answer = village.request(&viewer, &grant, None).unwrap();
    let PlayOutcome::Mining(second) = answer.outcome else { panic!("unpaid: {:?}", answer.outcome) };
    assert_eq!(second.body.starts_ms, first.code.ends_ms());
    let data = village.finish(&first, &mut watch, 4_000);
    assert_eq!(village.prove(&first, data), Ok(()));
    let key = village.secret.download_key(&viewer.address(), &grant.cell);
    let second = Playing { viewer, grant, code: second.body, key };
    village.receipts(&second);
    let data = village.watch(&second);
    assert_eq!(village.prove(&second, data), Ok(()));
    village.pass(30_000);
    assert_eq!(village.ledger.head().view_blocks, 2);
    assert_eq!(village.ledger.head().issued_gwei, 180_000_000_000);
}

#[test]
fn a_dead_proposer_costs_its_turn_and_no_view() {
    for dead in 0..4usize {
        let mut village = Village::new();
        let playing = village.start(60, 0);
        village.receipts(&playing);
        let data = village.watch(&playing);
        village.prove(&playing, data).unwrap();
        // It neither hears nor speaks from here on.
        village.deaf[dead] = true;
        let slot = village.genesis.params.slot_at(START_MS, village.now_ms);
        village.pass_without(dead, 40_000);
        assert_eq!(village.settlements.len(), 1, "validator {dead} of slot {slot}");
    }
}

#[test]
fn a_play_that_most_validators_did_not_see_is_not_carried() {
    let mut village = Village::new();
    village.deaf = vec![true, false, true, false];
    let viewer = key(60);
    village.deaf[2] = false;
    let grant = village.grant(&viewer, 0).unwrap();
    village.deaf = vec![true, false, true, false];
    let answer = village.request(&viewer, &grant, None).unwrap();
    let PlayOutcome::Mining(code) = answer.outcome else { panic!() };
    village.deaf = vec![false; 4];
    let key = village.secret.download_key(&viewer.address(), &grant.cell);
    let playing = Playing { viewer, grant, code: code.body, key };
    village.receipts(&playing);
    let data = village.watch(&playing);
    assert_eq!(village.prove(&playing, data), Ok(()));
    village.pass(60_000);
    assert!(village.settlements.is_empty(), "two of four are not 51 percent");
}

#[test]
fn outvoted_plays_are_refused_beside_accepted_ones() {
    let mut village = Village::new();
    // Until a minute that ends in a slot of validator 3, who will know of both plays.
    village.pass(3 * 14_400);
    let (first, second) = (village.start(60, 0), village.start(61, 0));
    village.receipts(&first);
    // Two of four validators never hear of the second viewer's receipts.
    village.deaf = vec![true, true, false, false];
    village.receipts(&second);
    village.deaf = vec![false; 4];
    let data = village.watch(&first);
    village.prove(&first, data).unwrap();
    let data = village.watch_at_once(&second);
    village.prove(&second, data).unwrap();
    village.pass(40_000);
    assert_eq!(village.settlements.iter().map(|settlement| settlement.accepted.len()).sum::<usize>(), 1);
    for desk in &village.desks {
        assert_eq!(desk.status(&second.code.id), Some(&PlayStatus::Refused(Refusal::Outvoted)));
    }
}

#[test]
fn a_payload_cannot_be_bent() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    village.receipts(&playing);
    let data = village.watch(&playing);
    village.prove(&playing, data).unwrap();
    let ledger = village.ledger.clone();
    let payload = loop {
        village.now_ms += 200;
        let now_ms = village.now_ms;
        village.desks.iter_mut().for_each(|desk| desk.tick(now_ms, &ledger, &village.chain));
        village.gossip();
        if let Some(payload) = village.desks[0].payload(now_ms, &ledger) {
            break payload;
        }
        assert!(now_ms < START_MS + 120_000);
    };
    let settle = |payload: &ViewPayload, at_ms| ledger.settle(&village.genesis, payload, at_ms);
    let good = settle(&payload, village.now_ms).unwrap();
    assert!(matches!(settle(&payload, START_MS), Err(SettleError::SlotNotOver { .. })));
    assert!(matches!(
        good.next.settle(&village.genesis, &payload, village.now_ms),
        Err(SettleError::SlotNotNew { .. })
    ));

    let bent = |bend: fn(&mut ViewPayload)| {
        let mut payload = payload.clone();
        bend(&mut payload);
        settle(&payload, village.now_ms).unwrap_err()
    };
    assert!(matches!(
        bent(|p| p.proposal.plays[0].code.body.creator = AccountAddress([66; 20])),
        SettleError::Proposer { .. }
    ));
    assert!(matches!(bent(|p| p.proposal.attempt += 1), SettleError::Proposer { .. }));
    assert!(matches!(bent(|p| p.votes[0].held_true = vec![0]), SettleError::Vote { validator: 0, .. }));
    assert!(matches!(bent(|p| p.votes.truncate(2)), SettleError::NothingAccepted { .. }));
    assert!(matches!(bent(|p| p.votes.swap(0, 1)), SettleError::Shape { what: "votes" }));
    assert!(matches!(bent(|p| p.votes[1] = p.votes[0].clone()), SettleError::Shape { what: "votes" }));
    assert!(matches!(bent(|p| p.votes[3].validator = 9), SettleError::Shape { what: "votes" }));
    assert!(matches!(
        bent(|p| p.proposal.plays.push(p.proposal.plays[0].clone())),
        SettleError::Shape { what: "plays" }
    ));
    assert!(matches!(bent(|p| p.proposal.plays.clear()), SettleError::Shape { what: "plays" }));
    assert_ne!(good.next.head().root, ledger.head().root);
}

#[test]
fn awards_vest_and_none_is_lost() {
    let mut village =
        Village::with(ProtocolParams { difficulty_bits: 4, vesting_view_blocks: 2, ..Default::default() });
    let mut paid = 0;
    for cell in 0..3 {
        let playing = village.start(60, cell);
        village.receipts(&playing);
        let data = village.watch(&playing);
        village.prove(&playing, data).unwrap();
        village.pass(20_000);
        paid += village.settlements[cell as usize].credits.iter().map(|credit| credit.gwei).sum::<u64>();
    }
    let pending: u64 = village.ledger.vesting().flat_map(|(_, credits)| credits).map(|credit| credit.gwei).sum();
    assert_eq!(
        (paid, pending),
        (90_000_000_000, 180_000_000_000),
        "the first award is spendable two view blocks later"
    );
}

impl Village {
    /// Like `pass`, but one validator is dead: it does not tick and leads no block.
    fn pass_without(&mut self, dead: usize, ms: u64) {
        let until = self.now_ms + ms;
        while self.now_ms < until {
            self.now_ms += 200;
            for (index, desk) in self.desks.iter_mut().enumerate() {
                if index != dead {
                    desk.tick(self.now_ms, &self.ledger, &self.chain);
                }
            }
            self.gossip();
            if (self.now_ms - START_MS) / 2_000 > u64::from(self.block) {
                if (self.block as usize + 1) % 4 == dead {
                    self.block += 1;
                }
                self.make_block();
            }
        }
    }

    /// All points of a play in one moment, for a minute that has passed already.
    fn watch_at_once(&mut self, playing: &Playing) -> PlayData {
        let mut watch = Watch::new(playing.code.clone(), &self.genesis.params);
        while let Some(due) = watch.advance(60_000, self.head()) {
            let length = (SIZE - due.offset()).min(chainflix_primitives::CHUNK_BYTES);
            watch.fold(due.index, &vec![due.chunk as u8; length as usize]).unwrap();
        }
        let nonce = watch.search_nonce(0, 1 << 20).unwrap().unwrap();
        watch.play_data(self.genesis.params.slot_at(START_MS, self.now_ms), &playing.key, nonce).unwrap()
    }

    fn watch_until(&mut self, playing: &Playing, upto_ms: u64) -> Watch {
        let mut watch = Watch::new(playing.code.clone(), &self.genesis.params);
        self.advance(&mut watch, 0, upto_ms);
        watch
    }

    fn finish(&mut self, playing: &Playing, watch: &mut Watch, rest_ms: u64) -> PlayData {
        self.advance(watch, 60_000 - rest_ms, 60_000);
        let nonce = watch.search_nonce(0, 1 << 20).unwrap().unwrap();
        watch.play_data(self.genesis.params.slot_at(START_MS, self.now_ms), &playing.key, nonce).unwrap()
    }

    fn advance(&mut self, watch: &mut Watch, from_ms: u64, upto_ms: u64) {
        let mut position_ms = from_ms;
        while position_ms < upto_ms {
            position_ms += 1_000;
            self.pass(1_000);
            if let Some(due) = watch.advance(position_ms, self.head()) {
                let length = (SIZE - due.offset()).min(chainflix_primitives::CHUNK_BYTES);
                watch.fold(due.index, &vec![due.chunk as u8; length as usize]).unwrap();
            }
        }
    }
}
