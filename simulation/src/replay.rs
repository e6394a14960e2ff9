//! Plays of a small crowd through the real ledger, by seed: what the model says of weights and audits is checked on it.
//!
//! One validator proposes, votes, and judges audits; every slot makes one block. People play minute after minute from a
//! moment of the day that the seed gives them.

use chainflix_primitives::{
    AccountAddress, AccountKey, AuditPayload, AuditVote, BlockHash, BoxPublicKey, CellId, Digest, GrantId, Magnet,
    NetworkGenesis, NetworkKeys, NodeId, PlayCode, PlayData, PlayFactors, PlayId, PlayRecord, ProtocolParams,
    ProviderShare, Signable as _, Signature, Signed, SlotPayload, SlotProposal, SlotVote, ValidatorIdentity,
    ViewPayload, VoteEntry,
};
use chainflix_proof_of_view::{
    BlockPlace, LedgerHead, LedgerParts, LedgerState, SettleError, Settlement, Standing, audit::draw::drawn_digest,
};
use std::{collections::BTreeMap, sync::Arc};

const DAY_MS: u64 = 86_400_000;
const SIGNATURE: Signature = Signature([0; 65]);

/// Somebody who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// Hours a day, in one go.
    pub hours_per_day: u32,
    /// Whether its first play is so long ago that it has full weight.
    pub grown: bool,
    /// Its network factor, in thousandths.
    pub network_permille: u16,
    /// How many creators it watches in turn.
    pub creators: u8,
    /// Whether it can open what it "watched".
    pub honest: bool,
    /// Bytes of its cells.
    pub cell_bytes: u64,
    /// The provider that serves them.
    pub provider: u8,
}

/// What a person's plays came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earned {
    /// What they weighed when they were carried.
    pub weight: u64,
    /// Its coins as a viewer, in gwei.
    pub gwei: u64,
}

/// Lets `people` play for `days` and answers what each earned.
///
/// # Errors
/// When the ledger refuses a payload, which it does not for a crowd that fits into a slot.
pub fn run(params: &ProtocolParams, seed: u64, people: &[Person], days: u64) -> Result<Vec<Earned>, SettleError> {
    // Any 32 bytes but a few are a key, and these are not among the few.
    let validator = AccountKey::from_bytes(&[7; 32]).expect("a constant that is a key");
    let genesis = genesis(params, &validator);
    let mut stage = Stage {
        state: aged(params, people),
        genesis,
        validator,
        audits: Vec::new(),
        weights: vec![0; people.len()],
        earned: BTreeMap::new(),
    };
    let first_slot = params.weights.day_slots;
    for slot in first_slot..first_slot + days * DAY_MS / params.slot_ms {
        let plays = people.iter().enumerate().filter_map(|(number, person)| stage.record(seed, slot, number, person));
        let mut plays: Vec<_> = plays.collect();
        plays.sort_by_key(|record| record.code.body.id);
        stage.block(slot, plays, people)?;
    }
    let gwei = |number| stage.earned.get(&account(number)).copied().unwrap_or_default();
    Ok(stage
        .weights
        .iter()
        .enumerate()
        .map(|(number, weight)| Earned { weight: *weight, gwei: gwei(number) })
        .collect())
}

struct Stage {
    genesis: NetworkGenesis,
    validator: AccountKey,
    state: LedgerState,
    audits: Vec<(u64, Vec<PlayId>)>,
    weights: Vec<u64>,
    earned: BTreeMap<AccountAddress, u64>,
}

impl Stage {
    /// The play of `person` that ends in `slot`; at most one, since a slot is shorter than a cell.
    fn record(&self, seed: u64, slot: u64, number: usize, person: &Person) -> Option<PlayRecord> {
        let params = &self.genesis.params;
        let offset_ms = draw(seed, number as u64) % params.cell_ms;
        let day_ms = slot * params.slot_ms % DAY_MS;
        let ended = |at_ms: u64| at_ms.saturating_sub(offset_ms) / params.cell_ms;
        let minute = ended(day_ms + params.slot_ms);
        let plays = u64::from(person.hours_per_day) * 3_600_000 / params.cell_ms;
        if minute == ended(day_ms) || minute > plays {
            return None;
        }
        // A person's number and a minute: a name that nobody else has.
        let day = slot * params.slot_ms / DAY_MS;
        let name = (number as u128) << 64 | u128::from(day) << 32 | u128::from(minute);
        let creator = (minute % u64::from(person.creators.max(1))) as u8;
        Some(record(params, slot, number, name, creator, person))
    }

    fn block(&mut self, slot: u64, plays: Vec<PlayRecord>, people: &[Person]) -> Result<(), SettleError> {
        let audits = std::mem::take(&mut self.audits);
        let audits: Vec<_> = audits.into_iter().map(|(block, drawn)| self.judge(block, &drawn, people)).collect();
        let voted = (!plays.is_empty()).then(|| self.vote(slot, plays));
        let payload = (voted.is_some() || !audits.is_empty()).then(|| Arc::new(ViewPayload { slot: voted, audits }));
        let time_ms = self.genesis.params.slot_end_ms(self.genesis.genesis_time_ms, slot);
        let parent = BlockHash(*blake3::hash(&slot.to_le_bytes()).as_bytes());
        let done = self.state.advance(
            &self.genesis,
            &BlockPlace { height: slot, parent, time_ms, moves: Default::default() },
            payload.as_ref(),
        )?;
        self.take(done);
        Ok(())
    }

    fn vote(&self, slot: u64, plays: Vec<PlayRecord>) -> SlotPayload {
        let judgements = vec![true; plays.len()];
        let proposal = SlotProposal { slot, attempt: 0, plays, operation: vec![account(usize::MAX)] };
        let digest = proposal.digest();
        let vote = SlotVote::new(slot, Digest(digest), &judgements);
        let entry = VoteEntry {
            validator: 0,
            signature: self.validator.sign_digest(&vote.digest()),
            held_true: vote.held_true,
        };
        SlotPayload { proposer_signature: self.validator.sign_digest(&digest), proposal, votes: vec![entry] }
    }

    /// The honest open their chunks.
    fn judge(&self, view_block: u64, drawn: &[PlayId], people: &[Person]) -> AuditPayload {
        let opened: Vec<_> = drawn.iter().map(|play| people[owner(play)].honest).collect();
        let vote = AuditVote::new(view_block, drawn_digest(view_block, drawn.iter()), &opened);
        let signature = self.validator.sign_digest(&vote.digest());
        AuditPayload { view_block, votes: vec![VoteEntry { validator: 0, held_true: vote.passed, signature }] }
    }

    fn take(&mut self, done: Settlement) {
        for play in done.made.iter().flat_map(|made| &made.accepted) {
            self.weights[owner(&play.play)] += play.weight;
        }
        for block in &done.awarded {
            for credit in &block.paid.credits {
                *self.earned.entry(credit.account).or_default() += credit.gwei;
            }
        }
        self.audits.extend(done.drawn.into_iter().map(|drawn| (drawn.view_block, drawn.plays)));
        self.state = done.next;
    }
}

/// A ledger in which grown accounts had their first play long ago, at the first block of a period.
fn aged(params: &ProtocolParams, people: &[Person]) -> LedgerState {
    let view_blocks = params.weights.mature_view_blocks.next_multiple_of(params.period_view_blocks);
    let standing = Standing { first_view_block: 0, day: 0, day_ms: 0, period: 0, strikes: 0 };
    let grown = people.iter().enumerate().filter(|(_, person)| person.grown);
    LedgerState::restore(LedgerParts {
        head: LedgerHead { view_blocks, ..LedgerHead::default() },
        standings: grown.map(|(number, _)| (account(number), standing)).collect(),
        ..LedgerParts::default()
    })
}

fn genesis(params: &ProtocolParams, validator: &AccountKey) -> NetworkGenesis {
    NetworkGenesis {
        chain_id: 1,
        genesis_time_ms: 0,
        params: params.clone(),
        validators: vec![ValidatorIdentity { account: validator.address(), consensus_key: NodeId([0; 32]) }],
        keys: NetworkKeys::Shared { box_key: BoxPublicKey([0; 32]) },
        governor: account(usize::MAX),
        supervisors: vec![],
        allocations: vec![],
    }
}

fn record(params: &ProtocolParams, slot: u64, number: usize, name: u128, creator: u8, person: &Person) -> PlayRecord {
    let served = |provider| ProviderShare { provider: AccountAddress([0xD0 + provider; 20]), bytes: person.cell_bytes };
    let id = PlayId(name.to_be_bytes());
    let magnet = Magnet(*blake3::hash(&id.0).as_bytes());
    let code = PlayCode {
        id,
        account: account(number),
        magnet,
        cell_index: 0,
        cell: CellId([0; 32]),
        size: person.cell_bytes,
        grant: GrantId([0; 16]),
        download_key: [0; 16],
        constant: [0; 16],
        difficulty_bits: 0,
        issued_ms: 0,
        starts_ms: 0,
        play_ms: params.cell_ms,
        creator: AccountAddress([0xC0 + creator; 20]),
        supervisor: AccountAddress([0xB0; 20]),
        split: params.split,
        activators: vec![],
    };
    let data =
        PlayData { play: id, slot, download_key: [0; 16], hash: Digest([0; 32]), point_blocks: vec![], nonce: 0 };
    PlayRecord {
        code: Signed { body: code, signature: SIGNATURE },
        data: Signed { body: data, signature: SIGNATURE },
        providers: vec![served(person.provider)],
        factors: PlayFactors { standing_permille: 0, network_permille: person.network_permille },
        issuer: 0,
    }
}

fn account(number: usize) -> AccountAddress {
    let mut bytes = [0xA0; 20];
    bytes[12..].copy_from_slice(&(number as u64).to_be_bytes());
    AccountAddress(bytes)
}

/// Whose play it is.
fn owner(play: &PlayId) -> usize {
    // The upper half of the name is the person's number.
    (u128::from_be_bytes(play.0) >> 64) as usize
}

fn draw(seed: u64, number: u64) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 simulation seed v1");
    hasher.update(&seed.to_le_bytes()).update(&number.to_le_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}
