//! Grants that are out, and what viewer and provider say was delivered under each.
//!
//! A range counts when both signed the same words for it. Where one provider fell over in mid-cell without signing, the
//! bytes it served stay uncovered and its share goes to nobody of the storage role.
//!
//! Where the two differ, either side may prove its word ([`dispute`](crate::dispute)):
//!
//! | verdict | the range | the storage share of it |
//! |---|---|---|
//! | agreed up to a byte | counts up to there | to the provider |
//! | viewer false | counts as the provider said | to the provider |
//! | provider false | counts as the viewer said | to nobody of the role |
//! | both false, or none | counts for nothing | |
//!
//! A lie thus never pays its teller more than the truth, and leaves a mark on its account ([`Suspects`]).
//!
//! A viewer hears of a dispute when it proves its play. A provider may have signed first and heard nothing: it asks what
//! it can still show ([`Grants::wanted`]).

use crate::{
    Refusal,
    dispute::{Claim, DisputeState, EvidenceError, Verdict, compare, judge},
    suspects::Suspects,
};
use chainflix_primitives::{
    AccountAddress, CellId, DownloadKey, Evidence, Grant, GrantId, OpenedChunk, ProtocolParams, ProviderShare, Receipt,
    Signed, message::PROVIDER_SHARES_MAX,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Most grants a validator remembers at a time; a full house answers "busy".
pub const GRANTS_MAX: usize = 1 << 20;
/// Most chunk hash lists of open disputes, each at most 128 KiB; likewise.
const CLAIMS_MAX: usize = 256;
/// Most disputed deliveries of one provider that it can ask for; the oldest gives way.
const DISPUTED_MAX: usize = 1_024;
/// Most entries of one answer to it.
pub const WANTED_MAX: usize = 64;

/// What a provider can show about one of its deliveries, of which the viewer signed for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceWanted {
    /// The delivery in dispute.
    pub grant: GrantId,
    /// The chunk of the cell to open; `None` while its chunk hashes are not shown.
    pub chunk: Option<u32>,
}

#[derive(Debug)]
struct Entry {
    grant: Grant,
    viewer: Option<Receipt>,
    provider: Option<Receipt>,
    dispute: Dispute,
    forget_ms: u64,
}

/// What was shown about two receipts that differ.
#[derive(Debug, Default)]
enum Dispute {
    #[default]
    Silent,
    /// One side has shown its chunk hashes.
    OneSided(Side, Box<Claim>),
    /// Both have, and they differ.
    Open(Box<(Claim, Claim)>),
    Decided(Verdict),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Viewer,
    Provider,
}

impl Dispute {
    /// How many lists of chunk hashes it holds.
    fn claims(&self) -> usize {
        match self {
            Self::OneSided(..) => 1,
            Self::Open(_) => 2,
            Self::Silent | Self::Decided(_) => 0,
        }
    }
}

/// The grants a validator knows of.
#[derive(Debug)]
pub struct Grants {
    /// [`GRANTS_MAX`], or less in a test.
    most: usize,
    entries: HashMap<GrantId, Entry>,
    /// Grants by whom and what they serve, so that a play finds all its deliveries.
    by_cell: HashMap<(AccountAddress, CellId), Vec<GrantId>>,
    by_time: BTreeMap<u64, Vec<GrantId>>,
    /// Undecided disputes by provider, in the order in which they came up.
    disputed: HashMap<AccountAddress, VecDeque<GrantId>>,
    claims: usize,
    suspects: Suspects,
}

impl Default for Grants {
    fn default() -> Self {
        Self::with_room(GRANTS_MAX)
    }
}

impl Grants {
    /// Room for `most` grants.
    pub fn with_room(most: usize) -> Self {
        Self {
            most,
            entries: HashMap::new(),
            by_cell: HashMap::new(),
            by_time: BTreeMap::new(),
            disputed: HashMap::new(),
            claims: 0,
            suspects: Suspects::default(),
        }
    }

    /// Remembers a grant until its receipts can no longer matter.
    pub fn add(&mut self, params: &ProtocolParams, grant: Grant) -> Result<(), Refusal> {
        if self.entries.len() >= self.most {
            return Err(Refusal::Busy { retry_ms: params.slot_ms });
        }
        if self.entries.contains_key(&grant.id) {
            return Ok(());
        }
        let forget_ms = params.receipts_end_ms(grant.expires_ms);
        self.by_cell.entry((grant.viewer, grant.cell)).or_default().push(grant.id);
        self.by_time.entry(forget_ms).or_default().push(grant.id);
        let (viewer, provider, dispute) = (None, None, Dispute::Silent);
        self.entries.insert(grant.id, Entry { grant, viewer, provider, dispute, forget_ms });
        Ok(())
    }

    /// A grant that is still remembered.
    pub fn get(&self, id: &GrantId) -> Option<&Grant> {
        self.entries.get(id).map(|entry| &entry.grant)
    }

    /// Takes a receipt from whoever signed it: the grant's viewer or its provider. Answers whether it is new, and whether
    /// the other side's differs.
    pub fn receive(&mut self, receipt: &Signed<Receipt>) -> Result<Received, Refusal> {
        let said = &receipt.body;
        let entry = self.entries.get_mut(&said.grant).ok_or(Refusal::UnknownGrant)?;
        let grant = &entry.grant;
        if (said.viewer, said.provider, said.cell) != (grant.viewer, grant.provider, grant.cell) {
            return Err(Refusal::OtherGrant);
        }
        if said.start != grant.from_byte || said.end <= said.start || said.end > grant.size {
            return Err(Refusal::Malformed { what: "the receipt's range" });
        }
        let signer = receipt.signer().map_err(|_| Refusal::BadSignature)?;
        if signer != grant.viewer && signer != grant.provider {
            return Err(Refusal::BadSignature);
        }
        let mut is_new = false;
        // One account may be both: it then signs once for each side.
        for (party, side) in [(grant.viewer, &mut entry.viewer), (grant.provider, &mut entry.provider)] {
            if signer == party && side.is_none() {
                *side = Some(said.clone());
                is_new = true;
            }
        }
        let (differs, provider) = (entry.is_disputed(), grant.provider);
        if is_new && differs {
            self.came_up(provider, said.grant);
        }
        Ok(Received { is_new, differs })
    }

    fn came_up(&mut self, provider: AccountAddress, grant: GrantId) {
        let disputed = self.disputed.entry(provider).or_default();
        if disputed.len() >= DISPUTED_MAX {
            disputed.pop_front();
        }
        disputed.push_back(grant);
    }

    fn is_over(&mut self, provider: &AccountAddress, grant: &GrantId) {
        let Some(disputed) = self.disputed.get_mut(provider) else { return };
        disputed.retain(|other| other != grant);
        if disputed.is_empty() {
            self.disputed.remove(provider);
        }
    }

    /// What a provider can show about its deliveries: the newest disputes first, at most [`WANTED_MAX`] of those that
    /// `can_be_heard`.
    pub fn wanted(&self, provider: &AccountAddress, can_be_heard: impl Fn(&Grant) -> bool) -> Vec<EvidenceWanted> {
        let disputed = self.disputed.get(provider).into_iter().flatten().rev();
        let entries = disputed.filter_map(|id| self.entries.get(id)).filter(|entry| can_be_heard(&entry.grant));
        entries.filter_map(Entry::wanted).take(WANTED_MAX).collect()
    }

    /// Takes one side's evidence about two receipts that differ; `key` is the delivery's, as its PlayCode names it.
    /// Answers how the dispute stands, and whether the evidence brought it further.
    pub fn dispute(
        &mut self,
        params: &ProtocolParams,
        now_ms: u64,
        evidence: &Signed<Evidence>,
        key: &DownloadKey,
    ) -> Result<(DisputeState, bool), Refusal> {
        let said = &evidence.body;
        let entry = self.entries.get_mut(&said.grant).ok_or(Refusal::UnknownGrant)?;
        let (side, claim) = entry.claim(evidence)?;
        let before = entry.dispute.claims();
        if before == 0 && self.claims >= CLAIMS_MAX {
            return Err(Refusal::Busy { retry_ms: params.slot_ms });
        }
        let mut went_on = entry.hear(side, claim);
        let judged = said.opened.as_ref().map_or(Ok(None), |(chunk, opened)| entry.judge(key, *chunk, opened));
        if let Ok(Some(verdict)) = judged {
            for account in losers(verdict, &entry.grant) {
                self.suspects.mark(account, now_ms);
            }
            went_on = true;
        }
        let (state, provider) = (entry.dispute.state(), entry.grant.provider);
        self.claims = self.claims + entry.dispute.claims() - before;
        if matches!(state, DisputeState::Decided(_)) {
            self.is_over(&provider, &said.grant);
        }
        judged.map_err(Refusal::BadEvidence).map(|_| (state, went_on))
    }

    /// How often an account was proved wrong about deliveries lately.
    pub fn lost_disputes(&self, account: &AccountAddress) -> u32 {
        self.suspects.lost(account)
    }

    /// What both sides agree was delivered of `cell` to `viewer`, by provider; the refusal when it is not enough.
    pub fn shares(
        &self,
        params: &ProtocolParams,
        viewer: &AccountAddress,
        cell: &CellId,
        size: u64,
    ) -> Result<Vec<ProviderShare>, Refusal> {
        let mut ranges = Vec::new();
        let mut differ = false;
        for id in self.by_cell.get(&(*viewer, *cell)).into_iter().flatten() {
            match self.entries.get(id).map(Entry::delivered) {
                Some(Delivered::Range(range)) => ranges.push(range),
                Some(Delivered::Disputed) => differ = true,
                Some(Delivered::Unsigned) | None => {}
            }
        }
        let (shares, covered) = disjoint(ranges);
        let covered_permille = covered * 1000 / size.max(1);
        if covered_permille >= params.receipt_coverage_permille {
            return Ok(shares);
        }
        if differ {
            return Err(Refusal::ReceiptsDiffer);
        }
        Err(Refusal::ReceiptsMissing { covered_permille, needed_permille: params.receipt_coverage_permille })
    }

    /// Forgets what can no longer matter.
    pub fn expire(&mut self, now_ms: u64) {
        self.suspects.expire(now_ms);
        while let Some(due) = self.by_time.first_entry().filter(|due| *due.key() <= now_ms) {
            for id in due.remove() {
                let Some(entry) = self.entries.remove(&id) else { continue };
                self.claims -= entry.dispute.claims();
                self.is_over(&entry.grant.provider, &id);
                debug_assert!(entry.forget_ms <= now_ms);
                let cell = (entry.grant.viewer, entry.grant.cell);
                if let Some(ids) = self.by_cell.get_mut(&cell) {
                    ids.retain(|other| *other != id);
                    if ids.is_empty() {
                        self.by_cell.remove(&cell);
                    }
                }
            }
        }
    }
}

/// What became of a receipt that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// It was not known before.
    pub is_new: bool,
    /// The other side signed for something else, and nothing is decided.
    pub differs: bool,
}

/// Bytes that count as delivered, from and up to, and who is paid for them.
type Range = (u64, u64, Option<AccountAddress>);

/// What both sides' words come to.
enum Delivered {
    Unsigned,
    Disputed,
    Range(Range),
}

impl Entry {
    /// Whose evidence it is, and what it claims.
    fn claim(&self, evidence: &Signed<Evidence>) -> Result<(Side, Claim), Refusal> {
        let (Some(viewer), Some(provider)) = (&self.viewer, &self.provider) else { return Err(Refusal::NotDisputed) };
        if viewer == provider {
            return Err(Refusal::NotDisputed);
        }
        let (side, receipt) = match evidence.signer().map_err(|_| Refusal::BadSignature)? {
            signer if signer == self.grant.viewer => (Side::Viewer, viewer),
            signer if signer == self.grant.provider => (Side::Provider, provider),
            _ => return Err(Refusal::BadSignature),
        };
        Ok((side, Claim::new(receipt, &evidence.body.hashes).map_err(Refusal::BadEvidence)?))
    }

    /// Adds one side's claim to the dispute. Answers whether that is news.
    fn hear(&mut self, side: Side, claim: Claim) -> bool {
        let (dispute, is_new) = match std::mem::take(&mut self.dispute) {
            Dispute::Silent => (Dispute::OneSided(side, Box::new(claim)), true),
            Dispute::OneSided(first, other) if first != side => {
                let (viewer, provider) = if side == Side::Viewer { (claim, *other) } else { (*other, claim) };
                match compare(&viewer, &provider) {
                    DisputeState::Decided(verdict) => (Dispute::Decided(verdict), true),
                    _ => (Dispute::Open(Box::new((viewer, provider))), true),
                }
            }
            same => (same, false),
        };
        self.dispute = dispute;
        is_new
    }

    /// Decides an open dispute by a chunk; `None` where there is nothing to decide.
    fn judge(&mut self, key: &DownloadKey, chunk: u32, opened: &OpenedChunk) -> Result<Option<Verdict>, EvidenceError> {
        let Dispute::Open(claims) = &self.dispute else { return Ok(None) };
        let cell = (&self.grant.cell, self.grant.size);
        let verdict = judge(cell, key, (&claims.0, &claims.1), (chunk, opened))?;
        self.dispute = Dispute::Decided(verdict);
        Ok(Some(verdict))
    }

    /// What the provider has not shown yet.
    fn wanted(&self) -> Option<EvidenceWanted> {
        let chunk = match (&self.dispute, self.dispute.state()) {
            (Dispute::OneSided(Side::Provider, _), _) | (_, DisputeState::Decided(_)) => return None,
            (_, DisputeState::Waiting) => None,
            (_, DisputeState::Open { chunk }) => Some(chunk),
        };
        Some(EvidenceWanted { grant: self.grant.id, chunk })
    }

    fn is_disputed(&self) -> bool {
        matches!(self.delivered(), Delivered::Disputed)
    }

    fn delivered(&self) -> Delivered {
        let (Some(viewer), Some(provider)) = (&self.viewer, &self.provider) else { return Delivered::Unsigned };
        if viewer == provider {
            return Delivered::Range((viewer.start, viewer.end, Some(viewer.provider)));
        }
        match self.dispute {
            Dispute::Decided(Verdict::Agreed { end }) => Delivered::Range((viewer.start, end, Some(viewer.provider))),
            Dispute::Decided(Verdict::ViewerFalse) => {
                Delivered::Range((provider.start, provider.end, Some(provider.provider)))
            }
            Dispute::Decided(Verdict::ProviderFalse) => Delivered::Range((viewer.start, viewer.end, None)),
            _ => Delivered::Disputed,
        }
    }
}

impl Dispute {
    fn state(&self) -> DisputeState {
        match self {
            Self::Silent | Self::OneSided(..) => DisputeState::Waiting,
            Self::Open(claims) => compare(&claims.0, &claims.1),
            Self::Decided(verdict) => DisputeState::Decided(*verdict),
        }
    }
}

fn losers(verdict: Verdict, grant: &Grant) -> Vec<AccountAddress> {
    match verdict {
        Verdict::Agreed { .. } => vec![],
        Verdict::ViewerFalse => vec![grant.viewer],
        Verdict::ProviderFalse => vec![grant.provider],
        Verdict::BothFalse => vec![grant.viewer, grant.provider],
    }
}

/// Adds up agreed ranges so that no byte counts twice: the first to claim it has it. Answers who is paid for how many
/// bytes, and how many are covered at all.
fn disjoint(mut ranges: Vec<Range>) -> (Vec<ProviderShare>, u64) {
    ranges.sort_unstable();
    let mut shares = BTreeMap::<AccountAddress, u64>::new();
    let (mut upto, mut covered) = (0, 0);
    for (start, end, provider) in ranges {
        let bytes = end.saturating_sub(start.max(upto));
        let fits = provider.is_none_or(|provider| shares.len() < PROVIDER_SHARES_MAX || shares.contains_key(&provider));
        if bytes > 0 && fits {
            if let Some(provider) = provider {
                *shares.entry(provider).or_default() += bytes;
            }
            covered += bytes;
            upto = end;
        }
    }
    (shares.into_iter().map(|(provider, bytes)| ProviderShare { provider, bytes }).collect(), covered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_cell::ChunkHashes;
    use chainflix_primitives::{AccountKey, CHUNK_BYTES, Digest, Magnet, NetworkSecret, NodeId, SealedKey};

    const SIZE: u64 = 10 * CHUNK_BYTES;
    const VIEWER: u8 = 1;
    const CELL: CellId = CellId([9; 32]);

    fn key(n: u8) -> AccountKey {
        AccountKey::from_bytes(&[n; 32]).unwrap()
    }

    fn grant(name: u8, provider: u8, from_byte: u64) -> Grant {
        Grant {
            id: GrantId([name; 16]),
            viewer: key(VIEWER).address(),
            magnet: Magnet([3; 32]),
            cell_index: 0,
            cell: CELL,
            size: SIZE,
            from_byte,
            provider: key(provider).address(),
            provider_node: NodeId([provider; 32]),
            expires_ms: 1_000_000,
            viewer_secret: SealedKey([0; 80]),
            provider_key: SealedKey([0; 80]),
        }
    }

    fn receipt(grant: &Grant, end: u64) -> Receipt {
        Receipt {
            grant: grant.id,
            viewer: grant.viewer,
            provider: grant.provider,
            cell: grant.cell,
            start: grant.from_byte,
            end,
            delivered_hash: Digest([7; 32]),
        }
    }

    /// Deliveries of one cell to one viewer, each from a byte up to another, for which both sides signed.
    fn delivered(deliveries: &[(u8, u64, u64)]) -> Grants {
        let mut grants = Grants::default();
        for (name, &(provider, start, end)) in (0..).zip(deliveries) {
            let grant = grant(name, provider, start);
            grants.add(&ProtocolParams::default(), grant.clone()).unwrap();
            for signer in [VIEWER, provider] {
                let answer = grants.receive(&Signed::new(receipt(&grant, end), &key(signer)));
                assert_eq!(answer, Ok(Received { is_new: true, differs: false }));
            }
        }
        grants
    }

    fn shares(grants: &Grants, needed_permille: u64, size: u64) -> Result<Vec<ProviderShare>, Refusal> {
        let params = ProtocolParams { receipt_coverage_permille: needed_permille, ..Default::default() };
        grants.shares(&params, &key(VIEWER).address(), &CELL, size)
    }

    #[test]
    fn a_receipt_is_of_a_range_of_its_own_grant() {
        let mut grants = Grants::default();
        let grant = grant(1, 50, CHUNK_BYTES);
        grants.add(&ProtocolParams::default(), grant.clone()).unwrap();
        let mut said = |bend: fn(&mut Receipt)| {
            let mut receipt = receipt(&grant, SIZE);
            bend(&mut receipt);
            grants.receive(&Signed::new(receipt, &key(VIEWER)))
        };
        let malformed = Err(Refusal::Malformed { what: "the receipt's range" });
        assert_eq!(said(|receipt| receipt.start = 0), malformed, "before the grant's first byte");
        assert_eq!(said(|receipt| receipt.start += CHUNK_BYTES), malformed, "behind it");
        assert_eq!(said(|receipt| receipt.end = receipt.start), malformed, "nothing");
        assert_eq!(said(|receipt| receipt.end = 0), malformed, "less than nothing");
        assert_eq!(said(|receipt| receipt.end += 1), malformed, "more than the cell");
        let other = Err(Refusal::OtherGrant);
        assert_eq!(said(|receipt| receipt.viewer = AccountAddress([8; 20])), other);
        assert_eq!(said(|receipt| receipt.provider = AccountAddress([8; 20])), other);
        assert_eq!(said(|receipt| receipt.cell = CellId([8; 32])), other);
        assert_eq!(said(|receipt| receipt.grant = GrantId([8; 16])), Err(Refusal::UnknownGrant));
        assert_eq!(said(|receipt| receipt.end = receipt.start + 1), Ok(Received { is_new: true, differs: false }));
        assert_eq!(said(|_| ()), Ok(Received { is_new: false, differs: false }), "the first word of a side counts");
    }

    #[test]
    fn a_viewer_that_serves_itself_signs_once_for_both_sides() {
        let mut grants = Grants::default();
        let grant = grant(1, VIEWER, 0);
        grants.add(&ProtocolParams::default(), grant.clone()).unwrap();
        let said = Signed::new(receipt(&grant, SIZE), &key(VIEWER));
        assert_eq!(grants.receive(&said), Ok(Received { is_new: true, differs: false }));
        assert_eq!(grants.receive(&said), Ok(Received { is_new: false, differs: false }));
        let paid = ProviderShare { provider: grant.provider, bytes: SIZE };
        assert_eq!(shares(&grants, 1000, SIZE), Ok(vec![paid]));
    }

    #[test]
    fn receipts_must_cover_what_genesis_wants() {
        let half = delivered(&[(50, 0, SIZE / 2)]);
        let paid = vec![ProviderShare { provider: key(50).address(), bytes: SIZE / 2 }];
        assert_eq!(shares(&half, 500, SIZE), Ok(paid), "exactly enough");
        let missing =
            |covered_permille, needed_permille| Err(Refusal::ReceiptsMissing { covered_permille, needed_permille });
        assert_eq!(shares(&half, 501, SIZE), missing(500, 501));
        assert_eq!(shares(&half, 1, SIZE).map(|shares| shares.len()), Ok(1));
        assert_eq!(shares(&half, 500, SIZE + 164), missing(499, 500), "rounded down");
        let one_side = Grants::default();
        assert_eq!(shares(&one_side, 0, 0), Ok(vec![]), "a cell of no bytes divides nothing");
    }

    #[test]
    fn a_grant_is_remembered_as_long_as_its_play_may_be_proved() {
        let params = ProtocolParams::default();
        let mut grants = delivered(&[(50, 0, SIZE), (51, 0, SIZE)]);
        let later = Grant { expires_ms: 1_000_001, ..grant(9, 52, 0) };
        grants.add(&params, later.clone()).unwrap();
        for signer in [VIEWER, 52] {
            grants.receive(&Signed::new(receipt(&later, SIZE / 2), &key(signer))).unwrap();
        }
        // It ends, a play of a minute begins, its proof comes after one and a half, and two slots are for the vote.
        let forget_ms = 1_000_000 + 90_000 + 2 * 14_400;
        grants.expire(forget_ms - 1);
        assert!(shares(&grants, 1000, SIZE).is_ok() && grants.get(&GrantId([0; 16])).is_some());
        grants.expire(forget_ms);
        assert!(grants.get(&GrantId([0; 16])).is_none() && grants.get(&GrantId([1; 16])).is_none());
        assert_eq!(grants.get(&later.id), Some(&later), "its time is to come");
        let paid = ProviderShare { provider: later.provider, bytes: SIZE / 2 };
        assert_eq!(shares(&grants, 500, SIZE), Ok(vec![paid]), "what is forgotten pays nobody");
        grants.expire(forget_ms + 1);
        assert_eq!((grants.entries.len(), grants.by_cell.len(), grants.by_time.len()), (0, 0, 0));
    }

    #[test]
    fn a_grant_is_entered_once_and_a_full_house_takes_no_more() {
        let params = ProtocolParams::default();
        let mut grants = Grants::with_room(2);
        for _ in 0..2 {
            assert_eq!(grants.add(&params, grant(1, 50, 0)), Ok(()));
        }
        assert_eq!((grants.entries.len(), grants.by_time.values().map(Vec::len).sum::<usize>()), (1, 1));
        assert_eq!(grants.add(&params, grant(2, 50, 0)), Ok(()));
        assert_eq!(grants.add(&params, grant(3, 50, 0)), Err(Refusal::Busy { retry_ms: params.slot_ms }));
    }

    /// A side tells its own story of a delivery, and shows the hashes behind it.
    fn dispute(grants: &mut Grants, grant: &Grant, signer: u8, now_ms: u64) -> Result<DisputeState, Refusal> {
        let key_of = NetworkSecret::from_bytes([1; 32]).view_key(&grant.viewer, &grant.magnet).download_key(&CELL);
        let bytes = vec![signer; 2 * CHUNK_BYTES as usize];
        let hashes = ChunkHashes::of(&bytes);
        let said = Receipt { delivered_hash: Digest(hashes.root().0), ..receipt(grant, 2 * CHUNK_BYTES) };
        grants.receive(&Signed::new(said, &key(signer))).unwrap();
        let (hashes, download_key) = (hashes.encode(), *key_of.expose());
        let evidence = Evidence { grant: grant.id, hashes, opened: None, download_key };
        let evidence = Signed::new(evidence, &key(signer));
        grants.dispute(&ProtocolParams::default(), now_ms, &evidence, &key_of).map(|(state, _)| state)
    }

    #[test]
    fn disputes_hold_so_many_hashes_and_no_more() {
        let params = ProtocolParams::default();
        let mut grants = Grants::default();
        // Each grant was answered by its provider; then the viewer tells another story and shows it.
        let disputed = |grants: &mut Grants, n: u16, expires_ms| {
            let id = GrantId(std::array::from_fn(|byte| n.to_be_bytes()[byte % 2]));
            let grant = Grant { id, expires_ms, ..grant(0, 50, 0) };
            grants.add(&params, grant.clone()).unwrap();
            grants.receive(&Signed::new(receipt(&grant, 2 * CHUNK_BYTES), &key(50))).unwrap();
            dispute(grants, &grant, VIEWER, 0)
        };
        for n in 0..CLAIMS_MAX as u16 {
            assert_eq!(disputed(&mut grants, n, 1_000_000 + u64::from(n)), Ok(DisputeState::Waiting), "dispute {n}");
        }
        let busy = Err(Refusal::Busy { retry_ms: params.slot_ms });
        assert_eq!(disputed(&mut grants, 1_000, 2_000_000), busy);
        // What is shown already may be shown again, and what is forgotten makes room for one.
        assert_eq!(disputed(&mut grants, 5, 0), Ok(DisputeState::Waiting));
        let forget_ms = grants.by_time.keys().next().copied().unwrap();
        grants.expire(forget_ms);
        assert_eq!(grants.claims, CLAIMS_MAX - 1);
        assert_eq!(disputed(&mut grants, 1_000, 2_000_000), Ok(DisputeState::Waiting));
        assert_eq!(disputed(&mut grants, 1_001, 2_000_000), busy);
    }

    #[test]
    fn bytes_of_more_providers_than_a_record_names_count_for_nobody() {
        let part = SIZE / 10;
        let piece = |n: u64| (50 + n as u8, n * part, (n + 1) * part);
        let grants = delivered(&[piece(0), piece(1), piece(2), piece(3), piece(4), (50, 5 * part, 6 * part)]);
        let shares = shares(&grants, 500, SIZE).unwrap();
        let bytes: std::collections::BTreeMap<_, _> =
            shares.iter().map(|share| (share.provider, share.bytes)).collect();
        let expected = [(50, 2), (51, 1), (52, 1), (53, 1)].map(|(n, parts)| (key(n).address(), parts * part));
        assert_eq!(bytes, expected.into(), "the fifth is left out, and the first served once more");
    }

    #[test]
    fn whoever_adds_no_byte_has_no_share() {
        let account = |n| Some(AccountAddress([n; 20]));
        let (shares, covered) = disjoint(vec![(0, 60, account(1)), (10, 60, account(2)), (60, 60, account(3))]);
        assert_eq!((shares, covered), (vec![ProviderShare { provider: AccountAddress([1; 20]), bytes: 60 }], 60));
        // A range inside another one does not take back what was covered.
        let (_, covered) = disjoint(vec![(0, 100, account(1)), (10, 20, account(2)), (50, 110, account(3))]);
        assert_eq!(covered, 110);
    }

    #[test]
    fn a_provider_has_so_many_disputes_and_no_more() {
        let (mut grants, provider) = (Grants::default(), AccountAddress([1; 20]));
        let grant = |n: usize| GrantId(std::array::from_fn(|at| n.to_le_bytes().get(at).copied().unwrap_or(0)));
        (0..=DISPUTED_MAX).for_each(|n| grants.came_up(provider, grant(n)));
        let disputed = &grants.disputed[&provider];
        assert_eq!((disputed.len(), disputed.front()), (DISPUTED_MAX, Some(&grant(1))), "the oldest gives way");
        grants.is_over(&AccountAddress([2; 20]), &grant(1));
        grants.is_over(&provider, &grant(0));
        assert_eq!(grants.disputed[&provider].len(), DISPUTED_MAX);
        (1..=DISPUTED_MAX).for_each(|n| grants.is_over(&provider, &grant(n)));
        assert!(grants.disputed.is_empty());
    }

    #[test]
    fn no_byte_is_paid_twice() {
        let account = |n| Some(AccountAddress([n; 20]));
        let (shares, covered) = disjoint(vec![(50, 100, account(2)), (0, 60, account(1)), (0, 10, account(3))]);
        assert_eq!(covered, 100);
        assert_eq!(shares.iter().map(|share| share.bytes).sum::<u64>(), 100);
        let (shares, covered) = disjoint(vec![(0, 60, None), (50, 100, account(2))]);
        let paid = ProviderShare { provider: AccountAddress([2; 20]), bytes: 40 };
        assert_eq!((covered, shares), (100, vec![paid]), "a liar's bytes are covered and unpaid");
    }
}
