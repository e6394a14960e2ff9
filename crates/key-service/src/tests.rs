//! A town of validators that release keys to each other, on a virtual clock.

mod desks;
mod faults;
mod keys;
mod words;

use crate::{Dealing, KeyShare, ThresholdKeys, deal, seal_video_secret, wire::Message};
use chainflix_primitives::{
    AccountAddress, AccountKey, BlockHash, BoxPublicKey, CellId, GrantId, GrantRequest, Magnet, NetworkGenesis, NodeId,
    PlayRequest, ProtocolParams, SealedKey, Signed, ValidatorIdentity, VideoSecret, ViewKey,
};
use chainflix_proof_of_view::{Catalogue, KeyMessage, KeyService as _, KeyWarrant, Refusal, VideoFacts};
use std::{collections::HashMap, sync::Arc};

const START_MS: u64 = 1_800_000_000_000;
const CREATOR: AccountAddress = AccountAddress([50; 20]);
const FILM: Magnet = Magnet([60; 32]);

fn account(number: u8) -> AccountKey {
    AccountKey::from_bytes(&[number; 32]).unwrap()
}

fn viewer() -> AccountKey {
    account(200)
}

fn dealing(validators: usize, quorum: usize) -> Dealing {
    deal(validators, quorum, &[7; 32]).unwrap()
}

fn genesis(dealing: &Dealing) -> Arc<NetworkGenesis> {
    let validator = |number: usize| ValidatorIdentity {
        account: account(number as u8 + 1).address(),
        consensus_key: NodeId([number as u8; 32]),
    };
    let genesis = NetworkGenesis {
        chain_id: 1,
        genesis_time_ms: START_MS,
        params: ProtocolParams::default(),
        validators: (0..dealing.shares.len()).map(validator).collect(),
        keys: dealing.keys.clone(),
        governor: CREATOR,
        supervisors: Vec::new(),
        allocations: Vec::new(),
    };
    genesis.check().unwrap();
    Arc::new(genesis)
}

/// What the chain says of films.
#[derive(Clone, Default)]
struct Films(HashMap<Magnet, VideoFacts>);

impl Films {
    fn register(&mut self, magnet: Magnet, creator: AccountAddress, sealed_secret: SealedKey) {
        let facts = VideoFacts {
            creator,
            supervisor: AccountAddress([70; 20]),
            taken_down: false,
            cell: Some((CellId([80; 32]), 1_000, 60_000)),
            sealed_secret,
            split: ProtocolParams::default().split,
        };
        self.0.insert(magnet, facts);
    }
}

impl Catalogue for Films {
    fn video(&self, magnet: &Magnet, cell_index: u32) -> Option<VideoFacts> {
        let mut facts = self.0.get(magnet)?.clone();
        facts.cell = facts.cell.filter(|_| cell_index < 90);
        Some(facts)
    }

    fn activator(&self, _video: &Magnet, _layer: &Magnet) -> Option<AccountAddress> {
        None
    }

    fn is_activator(&self, _video: &Magnet, _account: &AccountAddress) -> bool {
        false
    }

    fn operation(&self) -> Vec<AccountAddress> {
        Vec::new()
    }

    fn standing(&self, _account: &AccountAddress) -> u16 {
        0
    }

    fn block_hash(&self, _number: u32) -> Option<BlockHash> {
        None
    }
}

fn grant_words(account: &AccountKey, magnet: Magnet, requested_ms: u64) -> KeyWarrant {
    let words = GrantRequest {
        account: account.address(),
        magnet,
        cell_index: 0,
        from_byte: 0,
        viewer_box_key: BoxPublicKey([1; 32]),
        excluded: Vec::new(),
        requested_ms,
    };
    KeyWarrant::Grant(Signed::new(words, account))
}

fn play_words(account: &AccountKey, magnet: Magnet, cell_index: u32, requested_ms: u64) -> KeyWarrant {
    let words = PlayRequest {
        account: account.address(),
        magnet,
        cell_index,
        grant: GrantId([1; 16]),
        supersedes: None,
        layers: Vec::new(),
        requested_ms,
    };
    KeyWarrant::Play(Signed::new(words, account))
}

/// Validators that hear each other at once, except the dead.
struct Town {
    genesis: Arc<NetworkGenesis>,
    keys: Vec<ThresholdKeys>,
    shares: Vec<KeyShare>,
    films: Films,
    dead: Vec<usize>,
    now_ms: u64,
}

impl Town {
    fn new(validators: usize, quorum: usize) -> Self {
        let dealing = dealing(validators, quorum);
        let genesis = genesis(&dealing);
        let shares = dealing.shares;
        let mut town =
            Self { genesis, keys: Vec::new(), shares, films: Films::default(), dead: Vec::new(), now_ms: START_MS };
        town.keys = (0..validators).map(|number| town.started(number, 0)).collect();
        let sealed = town.sealed(&secret(), CREATOR, FILM);
        town.films.register(FILM, CREATOR, sealed);
        town
    }

    /// The service of a validator after so many restarts.
    fn started(&self, number: usize, restarts: u8) -> ThresholdKeys {
        let entropy = [number as u8 ^ restarts << 4; 32];
        let share = self.shares[number].clone();
        ThresholdKeys::new(self.genesis.clone(), &self.account(number), share, entropy).unwrap()
    }

    fn account(&self, number: usize) -> AccountAddress {
        self.genesis.validators[number].account
    }

    fn sealed(&self, secret: &VideoSecret, creator: AccountAddress, magnet: Magnet) -> SealedKey {
        seal_video_secret(&self.genesis.keys, &creator, &magnet, secret, [3; 32]).unwrap()
    }

    /// What every living validator says now.
    fn said(&mut self) -> Vec<(usize, KeyMessage)> {
        let mut said = Vec::new();
        for (number, keys) in self.keys.iter_mut().enumerate() {
            let messages: Vec<_> = std::iter::from_fn(|| keys.poll()).collect();
            if !self.dead.contains(&number) {
                said.extend(messages.into_iter().map(|message| (number, message)));
            }
        }
        said
    }

    fn deliver(&mut self, from: usize, message: &KeyMessage) {
        let account = self.account(from);
        for (number, keys) in self.keys.iter_mut().enumerate() {
            if number != from && !self.dead.contains(&number) {
                keys.hear(self.now_ms, &account, message.clone(), &self.films);
            }
        }
    }

    /// Delivers until nobody says anything; answers with how much was said.
    fn carry(&mut self) -> usize {
        let mut count = 0;
        loop {
            let said = self.said();
            if said.is_empty() {
                return count;
            }
            count += said.len();
            said.iter().for_each(|(from, message)| self.deliver(*from, message));
        }
    }

    fn words(&self) -> KeyWarrant {
        grant_words(&viewer(), FILM, self.now_ms)
    }

    fn try_view_key(&mut self, at: usize) -> Result<ViewKey, Refusal> {
        let words = self.words();
        self.keys[at].view_key(self.now_ms, &viewer().address(), &FILM, &words)
    }

    /// Asks, lets the others answer, and asks again.
    fn view_key(&mut self, at: usize) -> Result<ViewKey, Refusal> {
        let first = self.try_view_key(at);
        self.carry();
        first.or_else(|_| self.try_view_key(at))
    }

    fn try_video(&mut self, at: usize, magnet: Magnet) -> Result<VideoSecret, Refusal> {
        let words = play_words(&viewer(), magnet, 0, self.now_ms);
        let facts = self.films.0[&magnet].clone();
        self.keys[at].video_secret(self.now_ms, &magnet, &facts.creator, &facts.sealed_secret, &words)
    }

    fn video(&mut self, at: usize, magnet: Magnet) -> Result<VideoSecret, Refusal> {
        let first = self.try_video(at, magnet);
        self.carry();
        first.or_else(|_| self.try_video(at, magnet))
    }
}

fn secret() -> VideoSecret {
    VideoSecret::from_bytes([9; 32])
}

fn pending<T>(answer: Result<T, Refusal>) -> bool {
    matches!(answer, Err(Refusal::KeysPending { .. }))
}

fn decoded(message: &KeyMessage) -> Message {
    Message::decode(message).unwrap()
}
