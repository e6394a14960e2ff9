//! Issuing: grants (step 1) and PlayCodes (step 3).

use super::{
    Catalogue, Desk, PlayStatus, Source, VideoFacts,
    plays::{PLAYS_PER_ACCOUNT_MAX, Play},
};
use crate::{
    KeyWarrant, LedgerState, MinedCell, OriginTag, Refusal, ValidatorMessage, limits::Origin, suspects::LOST_MAX,
};
use chainflix_primitives::{
    AccountAddress, BlockHash, CHUNK_BYTES, CellId, Digest, Grant, GrantId, GrantRequest, Magnet, PlayAnswer, PlayCode,
    PlayId, PlayOutcome, PlayRequest, Signable, Signed,
    message::{EXCLUDED_MAX, LAYERS_MAX},
};
use std::{collections::HashMap, net::IpAddr};

/// How far apart validators' clocks may be, in milliseconds: a PlayCode that claims another time of issue is not taken.
const CLOCKS_MS: u64 = 5_000;

/// Random bytes for one purpose out of a call's entropy.
fn drawn<const N: usize>(entropy: &[u8; 32], purpose: &'static str) -> [u8; N] {
    let mut bytes = [0; N];
    blake3::Hasher::new_derive_key(purpose).update(entropy).finalize_xof().fill(&mut bytes);
    bytes
}

impl Desk {
    /// Step 1: draws a provider for one cell and seals each side its key.
    ///
    /// `sources` are the providers that hold the cell, as the controller knows them; `seed` is the last finalised
    /// block's hash, so that neither viewer nor controller picks the server.
    pub fn grant(
        &mut self,
        now_ms: u64,
        entropy: [u8; 32],
        request: &Signed<GrantRequest>,
        sources: &[Source],
        seed: &BlockHash,
        catalogue: &dyn Catalogue,
    ) -> Result<Signed<Grant>, Refusal> {
        let wanted = &request.body;
        self.check_request(now_ms, request, &wanted.account, wanted.requested_ms)?;
        if wanted.excluded.len() > EXCLUDED_MAX {
            return Err(Refusal::Malformed { what: "too many excluded providers" });
        }
        let (facts, (cell, size, _)) = self.playable(&wanted.magnet, wanted.cell_index, catalogue)?;
        if wanted.from_byte >= size || !wanted.from_byte.is_multiple_of(CHUNK_BYTES) {
            return Err(Refusal::Malformed { what: "the first byte is past the cell or inside a chunk" });
        }
        // Who was proved to lie about deliveries makes no more of them.
        let trusted = |source: &&Source| self.grants.lost_disputes(&source.provider) < LOST_MAX;
        // Plays of a provider that audits struck out pay nobody; where nobody else holds the cell, a film is a film.
        let paid = |source: &&Source| trusted(source) && !self.struck_out.contains(&source.provider);
        let source = draw(wanted, sources.iter().filter(paid), seed);
        let source = source.or_else(|| draw(wanted, sources.iter().filter(trusted), seed)).ok_or(Refusal::NoSource)?;
        let warrant = KeyWarrant::Grant(request.clone());
        let key = self.keys.view_key(now_ms, &wanted.account, &wanted.magnet, &warrant);
        // Whoever fetches the cell will ask to play it: what a quorum is asked for now is there by then.
        let _there_by_then =
            self.keys.video_secret(now_ms, &wanted.magnet, &facts.creator, &facts.sealed_secret, &warrant);
        let secret = key?.viewer_secret(&cell);
        let grant = Grant {
            id: GrantId(drawn(&entropy, "chainflix 2026 grant id v1")),
            viewer: wanted.account,
            magnet: wanted.magnet,
            cell_index: wanted.cell_index,
            cell,
            size,
            from_byte: wanted.from_byte,
            provider: source.provider,
            provider_node: source.node,
            expires_ms: now_ms + self.genesis.params.grant_ttl_ms,
            viewer_secret: wanted
                .viewer_box_key
                .seal(secret.expose(), drawn(&entropy, "chainflix 2026 grant viewer box v1")),
            provider_key: source
                .box_key
                .seal(secret.download_key().expose(), drawn(&entropy, "chainflix 2026 grant provider box v1")),
        };
        self.grants.add(&self.genesis.params, grant.clone())?;
        let grant = Signed::new(grant, &self.key);
        self.say(now_ms, ValidatorMessage::Grant(Box::new(grant.clone())));
        Ok(grant)
    }

    /// Step 3: releases the CellKey, and issues a PlayCode when the play can be paid.
    pub fn play(
        &mut self,
        now_ms: u64,
        entropy: [u8; 32],
        request: &Signed<PlayRequest>,
        from: IpAddr,
        ledger: &LedgerState,
        catalogue: &dyn Catalogue,
    ) -> Result<PlayAnswer, Refusal> {
        let wanted = &request.body;
        self.check_request(now_ms, request, &wanted.account, wanted.requested_ms)?;
        let (facts, (cell, size, play_ms)) = self.playable(&wanted.magnet, wanted.cell_index, catalogue)?;
        let activators = activators(wanted, catalogue)?;
        let grant = self.grants.get(&wanted.grant).ok_or(Refusal::UnknownGrant)?;
        if (grant.viewer, grant.cell) != (wanted.account, cell) {
            return Err(Refusal::OtherGrant);
        }
        let origin = Origin::from(from);
        self.supersede(wanted);
        self.check_crowd(&wanted.account, &origin)?;
        let warrant = KeyWarrant::Play(request.clone());
        // Both at once: a quorum that is asked for one answers for both.
        let view_key = self.keys.view_key(now_ms, &wanted.account, &wanted.magnet, &warrant);
        let secret = self.keys.video_secret(now_ms, &wanted.magnet, &facts.creator, &facts.sealed_secret, &warrant)?;
        let viewer_secret = view_key?.viewer_secret(&cell);
        let nonce = drawn(&entropy, "chainflix 2026 play answer nonce v1");
        let cell_key = viewer_secret.answer_key().wrap(&secret.cell_key(wanted.cell_index), nonce);
        let tag = OriginTag::new(&origin, &self.origin_key(now_ms));
        let starts_ms = match self.start_of(now_ms, wanted, &tag, ledger) {
            Ok(starts_ms) => starts_ms,
            Err(refusal) if refusal.is_unpaid_play() => {
                self.note_unpaid(now_ms, wanted, &refusal);
                return Ok(PlayAnswer { cell_key, outcome: PlayOutcome::Unpaid(refusal.code().into()) });
            }
            Err(refusal) => return Err(refusal),
        };
        let code = PlayCode {
            id: PlayId(drawn(&entropy, "chainflix 2026 play id v1")),
            account: wanted.account,
            magnet: wanted.magnet,
            cell_index: wanted.cell_index,
            cell,
            size,
            grant: wanted.grant,
            download_key: viewer_secret.download_key().id(),
            constant: drawn(&entropy, "chainflix 2026 play constant v1"),
            difficulty_bits: self.genesis.params.difficulty_bits,
            issued_ms: now_ms,
            starts_ms,
            play_ms,
            creator: facts.creator,
            supervisor: facts.supervisor,
            split: facts.split,
            activators,
        };
        let code = Signed::new(code, &self.key);
        self.share(now_ms, code.clone(), request, (origin, tag), catalogue);
        Ok(PlayAnswer { cell_key, outcome: PlayOutcome::Mining(Box::new(code)) })
    }

    /// Enters a PlayCode of this validator, and tells the others at once.
    fn share(
        &mut self,
        now_ms: u64,
        code: Signed<PlayCode>,
        request: &Signed<PlayRequest>,
        (origin, tag): (Origin, OriginTag),
        catalogue: &dyn Catalogue,
    ) {
        let standing = catalogue.standing(&code.body.account);
        let play = Play {
            // At most 128 validators.
            issuer: self.me as u16,
            starts_ms: code.body.starts_ms,
            head: self.heads.newest(),
            origin: Some(origin),
            tag: Some(tag),
            day: self.day(now_ms),
            of_home: 0,
            standings: (standing, standing),
            proof: None,
            mistake: None,
            code: code.clone(),
        };
        self.plays.insert(&self.genesis.params, play);
        let (code, request) = (Box::new(code), Box::new(request.clone()));
        self.say(now_ms, ValidatorMessage::Play { code, request, origin: tag });
    }

    /// The day that a moment lies in.
    fn day(&self, at_ms: u64) -> u64 {
        let params = &self.genesis.params;
        params.slot_at(self.genesis.genesis_time_ms, at_ms) / params.weights.day_slots
    }

    /// The key of the day's address tags.
    fn origin_key(&mut self, now_ms: u64) -> chainflix_primitives::OriginKey {
        let day = self.day(now_ms);
        match &self.origin_key {
            Some((of, key)) if *of == day => key.clone(),
            _ => {
                let key = self.keys.origin_key(day);
                self.origin_key = Some((day, key.clone()));
                key
            }
        }
    }

    /// Stamps a PlayCode that another validator issued with this validator's clock. Answers whether it is news.
    pub(super) fn hear_play(
        &mut self,
        now_ms: u64,
        from: &AccountAddress,
        (code, request, tag): (Signed<PlayCode>, &Signed<PlayRequest>, Option<OriginTag>),
        catalogue: &dyn Catalogue,
    ) -> bool {
        let Some(issuer) = self.issuer(&code).filter(|issuer| self.genesis.validators[*issuer].account == *from) else {
            return false;
        };
        if !self.is_asked_for(now_ms, &code.body, request) || !self.is_possible(now_ms, &code.body) {
            return false;
        }
        self.supersede(&request.body);
        let standing = catalogue.standing(&code.body.account);
        let play = Play {
            // At most 128 validators.
            issuer: issuer as u16,
            starts_ms: now_ms + (code.body.starts_ms - code.body.issued_ms),
            head: self.heads.newest(),
            origin: None,
            tag,
            // The issuer's clock made the tag; it is not far from this one.
            day: self.day(code.body.issued_ms),
            of_home: 0,
            standings: (standing, standing),
            proof: None,
            mistake: None,
            code,
        };
        self.plays.insert(&self.genesis.params, play);
        true
    }

    /// Number of the validator that signed a PlayCode.
    pub(super) fn issuer(&self, code: &Signed<PlayCode>) -> Option<usize> {
        code.signer().ok().and_then(|signer| self.genesis.validator_index(&signer))
    }

    /// Whether another validator can have issued this PlayCode now, and there is room for it.
    fn is_possible(&self, now_ms: u64, code: &PlayCode) -> bool {
        let ahead_ms = code.starts_ms.checked_sub(code.issued_ms);
        let at_hand = self.keys.view_key_at_hand(&code.account, &code.magnet);
        ahead_ms.is_some_and(|ahead_ms| ahead_ms <= self.genesis.params.overlap_ms)
            && now_ms.abs_diff(code.issued_ms) <= CLOCKS_MS
            && code.size > 0
            && code.difficulty_bits == self.genesis.params.difficulty_bits
            && at_hand.is_none_or(|key| key.download_key(&code.cell).id() == code.download_key)
            && !self.plays.knows(&code.id)
            && self.plays.has_room_for(&code.account)
    }

    /// Whether the viewer itself asked for this play.
    fn is_asked_for(&self, now_ms: u64, code: &PlayCode, request: &Signed<PlayRequest>) -> bool {
        let asked = &request.body;
        (asked.account, asked.magnet, asked.cell_index, asked.grant)
            == (code.account, code.magnet, code.cell_index, code.grant)
            && code.activators.len() <= asked.layers.len().min(LAYERS_MAX)
            && self.check_request(now_ms, request, &asked.account, asked.requested_ms).is_ok()
    }

    fn check_request<T: Signable>(
        &self,
        now_ms: u64,
        request: &Signed<T>,
        account: &AccountAddress,
        requested_ms: u64,
    ) -> Result<(), Refusal> {
        let age_ms = now_ms.abs_diff(requested_ms);
        if age_ms > self.genesis.params.grant_ttl_ms {
            return Err(Refusal::StaleRequest { age_ms });
        }
        request.verify(account).map_err(|_| Refusal::BadSignature)
    }

    fn playable(
        &self,
        magnet: &Magnet,
        cell_index: u32,
        catalogue: &dyn Catalogue,
    ) -> Result<(VideoFacts, (CellId, u64, u64)), Refusal> {
        let facts = catalogue.video(magnet, cell_index).ok_or(Refusal::UnknownVideo)?;
        if facts.taken_down {
            return Err(Refusal::TakenDown);
        }
        let cell = facts.cell.ok_or(Refusal::UnknownCell { index: cell_index })?;
        Ok((facts, cell))
    }

    /// Closes the running play that a request gives up, if it is the same account's.
    fn supersede(&mut self, wanted: &PlayRequest) {
        let Some(id) = wanted.supersedes else { return };
        let is_theirs = |play: &Play| play.code.body.account == wanted.account && play.proof.is_none();
        if self.plays.get(&id).is_some_and(is_theirs) {
            self.plays.close(&self.genesis.params, &id, PlayStatus::Refused(Refusal::Superseded));
        }
    }

    /// Refuses when account, home or network have as many plays as they may.
    fn check_crowd(&self, account: &AccountAddress, origin: &Origin) -> Result<(), Refusal> {
        let params = &self.genesis.params;
        if self.plays.remembered(account) >= PLAYS_PER_ACCOUNT_MAX as usize {
            let (scope, most) = ("account", PLAYS_PER_ACCOUNT_MAX);
            return Err(Refusal::TooManyPlays { scope, most, retry_ms: params.cell_ms / 4 });
        }
        self.plays.limits().check(params, origin)
    }

    /// When the minute of a new play may start, or why the play is not paid.
    fn start_of(
        &self,
        now_ms: u64,
        wanted: &PlayRequest,
        tag: &OriginTag,
        ledger: &LedgerState,
    ) -> Result<u64, Refusal> {
        let params = &self.genesis.params;
        let cell = MinedCell { account: wanted.account, magnet: wanted.magnet, cell_index: wanted.cell_index };
        if ledger.is_mined(&cell) {
            return Err(Refusal::AlreadyMined);
        }
        if ledger.is_struck_out(params, &wanted.account) {
            return Err(Refusal::StruckOut);
        }
        let lost = self.grants.lost_disputes(&wanted.account);
        if lost >= LOST_MAX {
            return Err(Refusal::Suspect { lost });
        }
        let most = params.plays_per_home_per_day;
        if self.plays.homes().count(self.day(now_ms), &tag.home) >= most {
            return Err(Refusal::HomeSpent { most });
        }
        if self.plays.is_full() {
            return Err(Refusal::Busy { retry_ms: params.slot_ms });
        }
        let cells = self.running_cells(&wanted.account, now_ms);
        if let Some((_, play)) = cells.get(&(wanted.magnet, wanted.cell_index)) {
            return Err(Refusal::AlreadyIssued { play: *play });
        }
        let Some((end_ms, play)) = cells.into_values().max() else { return Ok(now_ms) };
        let remaining_ms = end_ms.saturating_sub(now_ms);
        if remaining_ms > params.overlap_ms {
            return Err(Refusal::Overlapping { play, remaining_ms });
        }
        Ok(now_ms.max(end_ms))
    }

    /// The cells an account watches, when each ends, and its play. A cell that several validators issued ends with the first of
    /// them: none can hold up an account by issuing once more what it asked another one for.
    fn running_cells(&self, account: &AccountAddress, now_ms: u64) -> HashMap<(Magnet, u32), (u64, PlayId)> {
        let mut cells = HashMap::new();
        for play in self.plays.of(account) {
            let code = &play.code.body;
            // What is proved is watched to its end, whatever its stamp says.
            let end_ms = if play.proof.is_some() { now_ms } else { play.starts_ms + code.play_ms };
            let first = cells.entry((code.magnet, code.cell_index)).or_insert((end_ms, code.id));
            *first = (end_ms, code.id).min(*first);
        }
        cells
    }
}

/// Who made the layers that are shown, in order of accounts, each once.
fn activators(wanted: &PlayRequest, catalogue: &dyn Catalogue) -> Result<Vec<AccountAddress>, Refusal> {
    if wanted.layers.len() > LAYERS_MAX {
        return Err(Refusal::Malformed { what: "too many layers" });
    }
    let maker = |layer| {
        let unknown = Refusal::Malformed { what: "a layer that is not registered for this video" };
        catalogue.activator(&wanted.magnet, layer).ok_or(unknown)
    };
    let mut makers = wanted.layers.iter().map(maker).collect::<Result<Vec<_>, _>>()?;
    makers.sort_unstable();
    makers.dedup();
    Ok(makers)
}

/// Draws one of the sources by a hash nobody chose (rendezvous: each source's lot depends on itself alone).
fn draw<'a>(wanted: &GrantRequest, sources: impl Iterator<Item = &'a Source>, seed: &BlockHash) -> Option<&'a Source> {
    let lot = |source: &Source| {
        let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 source draw v1");
        hasher.update(&seed.0).update(&wanted.account.0).update(&wanted.magnet.0);
        hasher.update(&wanted.cell_index.to_le_bytes()).update(&source.node.0);
        Digest(hasher.finalize().into())
    };
    sources.filter(|source| !wanted.excluded.contains(&source.node)).max_by_key(|source| lot(source))
}
