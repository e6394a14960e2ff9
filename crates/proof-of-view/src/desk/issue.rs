//! Issuing: grants (step 1) and PlayCodes (step 3).

use super::{Catalogue, Desk, PLAYS_MAX, Play, PlayStatus, Source, VideoFacts};
use crate::{LedgerState, MinedCell, Refusal, ValidatorMessage, limits::Origin};
use chainflix_primitives::{
    BlockHash, CHUNK_BYTES, Digest, Grant, GrantId, GrantRequest, PlayAnswer, PlayCode, PlayId, PlayOutcome,
    PlayRequest, Signable, Signed, message::EXCLUDED_MAX,
};
use std::net::IpAddr;

/// Random bytes for one purpose out of a call's entropy.
fn drawn<const N: usize>(entropy: &[u8; 32], purpose: &'static str) -> [u8; N] {
    let mut bytes = [0; N];
    blake3::Hasher::new_derive_key(purpose).update(entropy).finalize_xof().fill(&mut bytes);
    bytes
}

impl Desk {
    /// Step 1: draws a provider for one cell and seals the DownloadKey to both sides.
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
        let (_, (cell, size, _)) = self.playable(&wanted.magnet, wanted.cell_index, catalogue)?;
        if wanted.from_byte >= size || !wanted.from_byte.is_multiple_of(CHUNK_BYTES) {
            return Err(Refusal::Malformed { what: "the first byte is past the cell or inside a chunk" });
        }
        let source = draw(wanted, sources, seed).ok_or(Refusal::NoSource)?;
        let key = self.secret.download_key(&wanted.account, &cell);
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
            viewer_key: wanted.viewer_box_key.seal(key.expose(), drawn(&entropy, "chainflix 2026 grant viewer box v1")),
            provider_key: source.box_key.seal(key.expose(), drawn(&entropy, "chainflix 2026 grant provider box v1")),
        };
        self.grants.add(&self.genesis.params, grant.clone())?;
        let grant = Signed::new(grant, &self.key);
        self.outbox.push_back(ValidatorMessage::Grant(grant.clone()));
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
        let grant = self.grants.get(&wanted.grant).ok_or(Refusal::UnknownGrant)?;
        if (grant.viewer, grant.cell) != (wanted.account, cell) {
            return Err(Refusal::OtherGrant);
        }
        let origin = Origin::from(from);
        if let Some(given_up) = wanted.supersedes {
            self.supersede(&given_up, wanted);
        }
        self.limits.check(&self.genesis.params, &origin)?;
        let cell_key = facts.secret.cell_key(wanted.cell_index);
        let cell_key =
            wanted.viewer_box_key.seal(cell_key.expose(), drawn(&entropy, "chainflix 2026 play viewer box v1"));
        let starts_ms = match self.start_of(now_ms, wanted, ledger) {
            Ok(starts_ms) => starts_ms,
            Err(refusal) if refusal.is_unpaid_play() => {
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
            constant: drawn(&entropy, "chainflix 2026 play constant v1"),
            difficulty_bits: self.genesis.params.difficulty_bits,
            issued_ms: now_ms,
            starts_ms,
            play_ms,
            creator: facts.creator,
            supervisor: facts.supervisor,
        };
        let code = Signed::new(code, &self.key);
        self.limits.enter(&origin);
        self.remember(Play {
            code: code.clone(),
            starts_ms,
            head: self.head,
            origin: Some(origin),
            proof: None,
            status: PlayStatus::Running,
        });
        self.outbox.push_back(ValidatorMessage::Play { code: code.clone(), supersedes: wanted.supersedes });
        Ok(PlayAnswer { cell_key, outcome: PlayOutcome::Mining(Box::new(code)) })
    }

    /// Stamps a PlayCode that another validator issued with this validator's clock.
    pub(super) fn hear_play(&mut self, now_ms: u64, code: Signed<PlayCode>, supersedes: Option<PlayId>) {
        let said = &code.body;
        let ahead_ms = said.starts_ms.saturating_sub(said.issued_ms);
        let possible = ahead_ms <= self.genesis.params.overlap_ms && said.size > 0;
        if self.plays.len() >= PLAYS_MAX || !possible || self.plays.contains_key(&said.id) || !self.is_validators(&code)
        {
            return;
        }
        let given_up =
            supersedes.filter(|id| self.plays.get(id).is_some_and(|play| play.code.body.account == said.account));
        if let Some(id) = given_up {
            self.close(&id, PlayStatus::Refused(Refusal::Superseded));
        }
        let starts_ms = now_ms + ahead_ms;
        self.remember(Play {
            code,
            starts_ms,
            head: self.head,
            origin: None,
            proof: None,
            status: PlayStatus::Running,
        });
    }

    fn check_request<T: Signable>(
        &self,
        now_ms: u64,
        request: &Signed<T>,
        account: &chainflix_primitives::AccountAddress,
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
        magnet: &chainflix_primitives::Magnet,
        cell_index: u32,
        catalogue: &dyn Catalogue,
    ) -> Result<(VideoFacts, (chainflix_primitives::CellId, u64, u64)), Refusal> {
        let facts = catalogue.video(magnet, cell_index).ok_or(Refusal::UnknownVideo)?;
        if facts.taken_down {
            return Err(Refusal::TakenDown);
        }
        let cell = facts.cell.ok_or(Refusal::UnknownCell { index: cell_index })?;
        Ok((facts, cell))
    }

    fn supersede(&mut self, given_up: &PlayId, wanted: &PlayRequest) {
        let theirs = |play: &Play| play.code.body.account == wanted.account && play.status == PlayStatus::Running;
        if self.plays.get(given_up).is_some_and(theirs) {
            self.close(given_up, PlayStatus::Refused(Refusal::Superseded));
        }
    }

    /// When the minute of a new play may start, or why the play is not paid.
    fn start_of(&self, now_ms: u64, wanted: &PlayRequest, ledger: &LedgerState) -> Result<u64, Refusal> {
        let cell = MinedCell { account: wanted.account, magnet: wanted.magnet, cell_index: wanted.cell_index };
        if ledger.is_mined(&cell) {
            return Err(Refusal::AlreadyMined);
        }
        if self.plays.len() >= PLAYS_MAX {
            return Err(Refusal::Busy { retry_ms: self.genesis.params.slot_ms });
        }
        let mut starts_ms = now_ms;
        for id in self.open.get(&wanted.account).into_iter().flatten() {
            let Some(play) = self.plays.get(id) else { continue };
            let code = &play.code.body;
            if (code.magnet, code.cell_index) == (wanted.magnet, wanted.cell_index) {
                return Err(Refusal::AlreadyIssued { play: *id });
            }
            // What is proved is watched to its end, whatever its stamp says.
            let end_ms = play.starts_ms + code.play_ms;
            let running = play.status == PlayStatus::Running && end_ms > now_ms;
            if running && end_ms - now_ms > self.genesis.params.overlap_ms {
                return Err(Refusal::Overlapping { play: *id, remaining_ms: end_ms - now_ms });
            }
            if running {
                starts_ms = starts_ms.max(end_ms);
            }
        }
        Ok(starts_ms)
    }
}

/// Draws one of the sources by a hash nobody chose (rendezvous: each source's lot depends on itself alone).
fn draw<'a>(wanted: &GrantRequest, sources: &'a [Source], seed: &BlockHash) -> Option<&'a Source> {
    let lot = |source: &Source| {
        let mut hasher = blake3::Hasher::new_derive_key("chainflix 2026 source draw v1");
        hasher.update(&seed.0).update(&wanted.account.0).update(&wanted.magnet.0);
        hasher.update(&wanted.cell_index.to_le_bytes()).update(&source.node.0);
        Digest(hasher.finalize().into())
    };
    sources.iter().filter(|source| !wanted.excluded.contains(&source.node)).max_by_key(|source| lot(source))
}
