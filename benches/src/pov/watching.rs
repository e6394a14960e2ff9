//! One viewer's minute, from grant to proof: every message of it, signed by whom it must be.

use super::world::{Cell, World, key};
use crate::draw::Draw;
use anyhow::{Context as _, Result};
use chainflix_primitives::{
    AccountKey, Digest, Grant, GrantId, PlayCode, PlayData, PlayId, PlayRequest, Receipt, SealedKey, Signed,
};
use chainflix_proof_of_view::{OriginTag, ValidatorMessage, points};

/// The newest final block when the minute starts; every two seconds there is another.
pub const FIRST_BLOCK: u32 = 1_000;

/// Who watches what.
pub struct Viewer {
    /// Its key.
    pub key: AccountKey,
    /// What it watches.
    pub cell: Cell,
    draw: Draw,
    provider: usize,
}

impl Viewer {
    /// Viewer `number` of a crowd, each with an account of its own.
    pub fn new(world: &World, crowd: &str, number: usize) -> Result<Self> {
        let mut draw = Draw::new(&format!("{crowd} {number}"));
        let key = key(&mut draw)?;
        let cell = world.films.choose(&mut draw);
        let provider = draw.below(world.providers.len() as u64) as usize;
        Ok(Self { key, cell, draw, provider })
    }

    /// The grant that validator `issuer` gave it. Its sealed keys are empty: a desk does not open them.
    pub fn grant(&mut self, world: &World, issuer: usize, now_ms: u64) -> Signed<Grant> {
        let grant = Grant {
            id: GrantId(self.draw.bytes()),
            viewer: self.key.address(),
            magnet: self.cell.magnet,
            cell_index: self.cell.index,
            cell: self.cell.id,
            size: self.cell.size,
            from_byte: 0,
            provider: world.providers[self.provider].address(),
            provider_node: chainflix_primitives::NodeId(self.draw.bytes()),
            expires_ms: now_ms + world.genesis.params.grant_ttl_ms,
            viewer_secret: SealedKey([0; 80]),
            provider_key: SealedKey([0; 80]),
        };
        Signed::new(grant, &world.validators[issuer])
    }

    /// Its wish to play.
    pub fn request(&self, grant: GrantId, now_ms: u64) -> Signed<PlayRequest> {
        let request = PlayRequest {
            account: self.key.address(),
            magnet: self.cell.magnet,
            cell_index: self.cell.index,
            grant,
            supersedes: None,
            layers: vec![],
            requested_ms: now_ms,
        };
        Signed::new(request, &self.key)
    }

    /// The PlayCode that validator `issuer` answers with.
    pub fn code(&mut self, world: &World, issuer: usize, grant: GrantId, now_ms: u64) -> Result<Signed<PlayCode>> {
        let (cell, params) = (self.cell, &world.genesis.params);
        let facts = world.films.facts(&cell)?;
        let code = PlayCode {
            id: PlayId(self.draw.bytes()),
            account: self.key.address(),
            magnet: cell.magnet,
            cell_index: cell.index,
            cell: cell.id,
            size: cell.size,
            grant,
            download_key: world.download_key(&self.key.address(), &cell),
            constant: self.draw.bytes(),
            difficulty_bits: params.difficulty_bits,
            issued_ms: now_ms,
            starts_ms: now_ms,
            play_ms: params.cell_ms,
            creator: facts.creator,
            supervisor: facts.supervisor,
            split: facts.split,
            activators: vec![],
        };
        Ok(Signed::new(code, &world.validators[issuer]))
    }

    /// What it and its provider say was delivered.
    pub fn receipts(&mut self, world: &World, grant: &Grant) -> [Signed<Receipt>; 2] {
        let receipt = Receipt {
            grant: grant.id,
            viewer: grant.viewer,
            provider: grant.provider,
            cell: grant.cell,
            start: 0,
            end: grant.size,
            delivered_hash: Digest(self.draw.bytes()),
        };
        [Signed::new(receipt.clone(), &self.key), Signed::new(receipt, &world.providers[self.provider])]
    }

    /// The proof of a play that ended at `end_ms`.
    pub fn proof(&mut self, world: &World, code: &PlayCode, end_ms: u64) -> Result<Signed<PlayData>> {
        let (params, hash) = (&world.genesis.params, Digest(self.draw.bytes()));
        let block = |point| FIRST_BLOCK + (points::position_ms(code.play_ms, point, params.play_points) / 2_000) as u32;
        let data = PlayData {
            play: code.id,
            slot: params.slot_at(world.genesis.genesis_time_ms, end_ms),
            download_key: code.download_key,
            hash,
            point_blocks: (0..params.play_points).map(block).collect(),
            nonce: points::search_nonce(code, &hash, 0, 1 << 24).context("no nonce in 2^24")?,
        };
        Ok(Signed::new(data, &self.key))
    }

    /// Where it watches from: a home of its own.
    pub fn origin(&mut self) -> OriginTag {
        OriginTag { home: self.draw.bytes(), network: self.draw.bytes(), allocation: None }
    }
}

/// All messages of one minute, as validators tell them each other.
pub struct Minute {
    /// In the order in which they come; the proof last.
    pub heard: [ValidatorMessage; 4],
    /// What the viewer brings in the end.
    pub proof: Signed<PlayData>,
}

impl Minute {
    /// The minute of viewer `number`, from `start_ms` on, granted and issued by validator `issuer`.
    pub fn new(world: &World, crowd: &str, number: usize, issuer: usize, start_ms: u64) -> Result<Self> {
        let mut viewer = Viewer::new(world, crowd, number)?;
        let grant = viewer.grant(world, issuer, start_ms);
        let request = viewer.request(grant.body.id, start_ms);
        let code = viewer.code(world, issuer, grant.body.id, start_ms)?;
        let [mine, providers] = viewer.receipts(world, &grant.body);
        let proof = viewer.proof(world, &code.body, start_ms + code.body.play_ms)?;
        let (code, request, origin) = (Box::new(code), Box::new(request), viewer.origin());
        let heard = [
            ValidatorMessage::Grant(Box::new(grant)),
            ValidatorMessage::Play { code, request, origin },
            ValidatorMessage::Receipt(mine),
            ValidatorMessage::Receipt(providers),
        ];
        Ok(Self { heard, proof })
    }
}
