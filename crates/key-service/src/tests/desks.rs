//! Whole desks with shares: a viewer that knows nothing of quorums gets its grant and its PlayCode.

use super::*;
use crate::open;
use chainflix_primitives::{BoxKey, Grant, PlayOutcome, ViewerSecret};
use chainflix_proof_of_view::{Desk, LedgerState, PlayStatus, Source, ValidatorMessage};

const HOME: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

struct Desks {
    desks: Vec<Desk>,
    town: Town,
    ledger: LedgerState,
    viewer_box: BoxKey,
    provider_box: BoxKey,
}

impl Desks {
    fn new() -> Self {
        let town = Town::new(4, 3);
        let desk = |number: usize| {
            let share = town.shares[number].to_bytes();
            let service = open(&town.genesis, &town.account(number), &share[..], [number as u8; 32]).unwrap();
            Desk::new(town.genesis.clone(), account(number as u8 + 1), service).unwrap()
        };
        let desks = (0..4).map(desk).collect();
        let (viewer_box, provider_box) = (BoxKey::from_bytes([21; 32]), BoxKey::from_bytes([22; 32]));
        Self { desks, town, ledger: LedgerState::default(), viewer_box, provider_box }
    }

    /// Delivers what desks say until they are silent; answers with how much of it was about keys.
    fn gossip(&mut self) -> usize {
        let mut about_keys = 0;
        loop {
            let mut said = Vec::new();
            for (number, desk) in self.desks.iter_mut().enumerate() {
                said.extend(std::iter::from_fn(|| desk.poll()).map(|message| (number, message)));
            }
            if said.is_empty() {
                return about_keys;
            }
            about_keys += said.iter().filter(|(_, message)| matches!(message, ValidatorMessage::Key(_))).count();
            for (from, message) in said {
                let account = self.town.account(from);
                let Self { desks, town, ledger, .. } = self;
                let others = desks.iter_mut().enumerate().filter(|(number, _)| *number != from);
                others.for_each(|(_, desk)| desk.hear(town.now_ms, &account, message.clone(), ledger, &town.films));
            }
        }
    }

    fn grant(&mut self, at: usize, cell_index: u32) -> Result<Grant, Refusal> {
        let words = GrantRequest {
            account: viewer().address(),
            magnet: FILM,
            cell_index,
            from_byte: 0,
            viewer_box_key: self.viewer_box.public_key(),
            excluded: Vec::new(),
            requested_ms: self.town.now_ms,
        };
        let words = Signed::new(words, &viewer());
        let box_key = self.provider_box.public_key();
        let source = Source { provider: AccountAddress([23; 20]), node: NodeId([24; 32]), box_key };
        let Town { now_ms, films, .. } = &self.town;
        let granted =
            self.desks[at].grant(*now_ms, [cell_index as u8; 32], &words, &[source], &BlockHash([1; 32]), films);
        granted.map(|grant| grant.body)
    }

    fn play(&mut self, at: usize, grant: &Grant) -> Result<chainflix_primitives::PlayAnswer, Refusal> {
        let words = PlayRequest {
            account: viewer().address(),
            magnet: FILM,
            cell_index: grant.cell_index,
            grant: grant.id,
            supersedes: None,
            layers: Vec::new(),
            requested_ms: self.town.now_ms,
        };
        let words = Signed::new(words, &viewer());
        let Town { now_ms, films, .. } = &self.town;
        self.desks[at].play(*now_ms, [30; 32], &words, HOME, &self.ledger, films)
    }
}

#[test]
fn a_viewer_gets_grant_and_play_code_from_desks_with_shares() {
    let mut desks = Desks::new();
    assert!(pending(desks.grant(0, 0)));
    assert_eq!(desks.gossip(), 2 + 6, "the ViewKey and the video's secret, in one round trip");
    let grant = desks.grant(0, 0).unwrap();
    let secret = ViewerSecret::from_bytes(desks.viewer_box.unseal(&grant.viewer_secret).unwrap());
    let key = secret.download_key();
    assert_eq!(desks.provider_box.unseal(&grant.provider_key).unwrap(), *key.expose());
    assert_eq!(desks.gossip(), 0);

    let answer = desks.play(0, &grant).unwrap();
    assert_eq!(secret.answer_key().unwrap(&answer.cell_key), Ok(super::secret().cell_key(0)));
    let PlayOutcome::Mining(code) = answer.outcome else { panic!("unpaid") };
    assert_eq!(code.body.download_key, key.id());
    desks.gossip();
    for desk in &desks.desks {
        assert_eq!(desk.status(&code.body.id), Some(PlayStatus::Running), "stamped by all, keys at hand or not");
    }

    // The next minute, from a validator that has no key of this viewer: the same key, after a round trip of its own.
    desks.town.now_ms += 58_000;
    let next = desks.grant(0, 1).unwrap();
    desks.gossip();
    assert!(pending(desks.play(2, &next)));
    assert_eq!(desks.gossip(), 2 + 6, "both keys are asked for at once");
    let answer = desks.play(2, &next).unwrap();
    let PlayOutcome::Mining(code) = answer.outcome else { panic!("unpaid") };
    let secret = ViewerSecret::from_bytes(desks.viewer_box.unseal(&next.viewer_secret).unwrap());
    assert_eq!(code.body.download_key, secret.download_key().id());
}
