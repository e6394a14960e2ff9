//! Receipts that differ: whose word is worth what, and what a lie costs.

use super::*;
use crate::{EvidenceWanted, dispute::EvidenceError};

/// A side's receipt and evidence for the whole cell, with some delivered bytes flipped.
struct Story {
    signer: AccountKey,
    receipt: Receipt,
    hashes: ChunkHashes,
    key: DownloadKey,
}

fn story(playing: &Playing, signer: &AccountKey, end: u64, lies: &[usize]) -> Story {
    let mut bytes = CELLS[0].0[..end as usize].to_vec();
    Keystream::delivery(&playing.key).apply(0, &mut bytes);
    lies.iter().for_each(|at| bytes[*at] ^= 1);
    let hashes = ChunkHashes::of(&bytes);
    let grant = &playing.grant;
    let receipt = Receipt {
        grant: grant.id,
        viewer: grant.viewer,
        provider: grant.provider,
        cell: grant.cell,
        start: 0,
        end,
        delivered_hash: Digest(hashes.root().0),
    };
    Story { signer: signer.clone(), receipt, hashes, key: playing.key.clone() }
}

impl Story {
    fn receipt(&self) -> Signed<Receipt> {
        Signed::new(self.receipt.clone(), &self.signer)
    }

    fn evidence(&self, opened: Option<(u32, OpenedChunk)>) -> Signed<Evidence> {
        let (grant, hashes) = (self.receipt.grant, self.hashes.encode());
        Signed::new(Evidence { grant, hashes, opened, download_key: *self.key.expose() }, &self.signer)
    }
}

impl Village {
    fn tell(&mut self, story: &Story) -> Result<(), Refusal> {
        let answer = self.desks[2].receipt(self.now_ms, story.receipt());
        self.gossip();
        answer
    }

    fn show(&mut self, evidence: Signed<Evidence>) -> Result<DisputeState, Refusal> {
        let answer = self.desks[2].evidence(self.now_ms, evidence);
        self.gossip();
        answer
    }

    /// Both sides have told their stories, and both have shown their hashes.
    fn dispute(viewer_lies: &[usize], provider_lies: &[usize]) -> (Self, Playing, Story, Story) {
        let mut village = Self::new();
        let playing = village.start(60, 0);
        let viewer = story(&playing, &playing.viewer, SIZE, viewer_lies);
        let provider = story(&playing, &key(50), SIZE, provider_lies);
        assert_eq!(village.tell(&viewer), Ok(()));
        assert_eq!(village.tell(&provider), Err(Refusal::ReceiptsDiffer), "time to show evidence");
        assert_eq!(village.tell(&viewer), Err(Refusal::ReceiptsDiffer), "asked again");
        assert_eq!(village.show(viewer.evidence(None)), Ok(DisputeState::Waiting));
        assert_eq!(village.show(provider.evidence(None)), Ok(DisputeState::Open { chunk: 2 }));
        (village, playing, viewer, provider)
    }

    /// What the provider is asked for, which is the same everywhere.
    fn wanted(&self) -> Vec<EvidenceWanted> {
        let asked: Vec<_> = self.desks.iter().map(|desk| desk.evidence_wanted(&key(50).address())).collect();
        assert!(asked.iter().all(|one| *one == asked[0]), "{asked:?}");
        asked[0].clone()
    }

    /// Watches, proves, and answers what viewer and provider were paid.
    fn outcome(mut self, playing: &Playing) -> (u64, u64) {
        let data = self.watch(playing);
        assert_eq!(self.prove(playing, data), Ok(()));
        self.pass(30_000);
        (self.paid(&playing.viewer.address()), self.paid(&key(50).address()))
    }
}

#[test]
fn a_provider_that_lies_serves_for_nothing() {
    let (mut village, playing, viewer, _) = Village::dispute(&[], &[40_000]);
    let (opened, _) = playing.chunk(2);
    let decided = village.show(viewer.evidence(Some((2, opened))));
    assert_eq!(decided, Ok(DisputeState::Decided(Verdict::ProviderFalse)));
    assert_eq!(village.desks[0].grants.lost_disputes(&key(50).address()), 1, "everywhere");
    assert_eq!(village.outcome(&playing), (27_000_000_000, 0));
}

#[test]
fn a_viewer_that_lies_cannot_cheat_its_provider() {
    let (mut village, playing, _, provider) = Village::dispute(&[40_000], &[]);
    let (opened, _) = playing.chunk(2);
    let decided = village.show(provider.evidence(Some((2, opened))));
    assert_eq!(decided, Ok(DisputeState::Decided(Verdict::ViewerFalse)));
    assert_eq!(village.desks[1].grants.lost_disputes(&playing.viewer.address()), 1);
    assert_eq!(village.outcome(&playing), (27_000_000_000, 13_500_000_000));
}

#[test]
fn two_liars_get_nothing() {
    let (mut village, playing, viewer, _) = Village::dispute(&[40_000], &[40_001]);
    let (opened, _) = playing.chunk(2);
    let decided = village.show(viewer.evidence(Some((2, opened))));
    assert_eq!(decided, Ok(DisputeState::Decided(Verdict::BothFalse)));
    let data = village.watch(&playing);
    assert_eq!(village.prove(&playing, data), Err(Refusal::ReceiptsDiffer));
}

#[test]
fn colluders_who_agree_on_a_lie_are_left_to_the_audit() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    for signer in [playing.viewer.clone(), key(50)] {
        assert_eq!(village.tell(&story(&playing, &signer, SIZE, &[40_000])), Ok(()));
    }
    let evidence = story(&playing, &playing.viewer, SIZE, &[40_000]).evidence(None);
    assert_eq!(village.show(evidence), Err(Refusal::NotDisputed));
}

#[test]
fn what_both_agree_on_counts_where_one_claims_more() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    let viewer = story(&playing, &playing.viewer, 200_000, &[]);
    let provider = story(&playing, &key(50), SIZE, &[]);
    village.tell(&viewer).unwrap();
    assert_eq!(village.tell(&provider), Err(Refusal::ReceiptsDiffer));
    village.show(provider.evidence(None)).unwrap();
    let agreed = DisputeState::Decided(Verdict::Agreed { end: 196_608 });
    assert_eq!(village.show(viewer.evidence(None)), Ok(agreed));
    assert_eq!(village.show(viewer.evidence(None)), Ok(agreed), "once and for all");
    // 196,608 of 300,000 bytes: enough for the play, and paid by bytes.
    assert_eq!(village.outcome(&playing), (27_000_000_000, 13_500_000_000 * 196_608 / SIZE));
}

#[test]
fn silence_loses_no_more_than_it_did() {
    // What the viewer and the provider lie about, and whether it is the viewer who shows evidence to a silent provider.
    let cases: [(&[usize], &[usize], bool); 3] =
        [(&[], &[40_000], true), (&[40_000], &[], false), (&[40_000], &[], true)];
    for (viewer_lies, provider_lies, viewer_speaks) in cases {
        let mut village = Village::new();
        let playing = village.start(60, 0);
        let viewer = story(&playing, &playing.viewer, SIZE, viewer_lies);
        let provider = story(&playing, &key(50), SIZE, provider_lies);
        village.tell(&viewer).unwrap();
        village.tell(&provider).unwrap_err();
        let speaks = if viewer_speaks { &viewer } else { &provider };
        let (opened, _) = playing.chunk(2);
        for _ in 0..2 {
            let shown = village.show(speaks.evidence(Some((2, opened.clone()))));
            assert_eq!(shown, Ok(DisputeState::Waiting), "one side decides nothing, however often it speaks");
        }
        let data = village.watch(&playing);
        assert_eq!(village.prove(&playing, data), Err(Refusal::ReceiptsDiffer));
        let lost = |account: &AccountKey| village.desks[2].grants.lost_disputes(&account.address());
        assert_eq!((lost(&playing.viewer), lost(&key(50))), (0, 0));
        village.pass(300_000);
        assert_eq!((village.wanted(), village.made.len()), (vec![], 0));
    }
}

#[test]
fn a_provider_is_asked_for_what_it_has_not_shown() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    let wanted = |chunk| vec![EvidenceWanted { grant: playing.grant.id, chunk }];
    let provider = story(&playing, &key(50), SIZE, &[]);
    let viewer = story(&playing, &playing.viewer, SIZE, &[40_000]);
    // It comes first, and is told that all is well.
    assert_eq!(village.tell(&provider), Ok(()));
    assert_eq!(village.wanted(), []);
    assert_eq!(village.tell(&viewer), Err(Refusal::ReceiptsDiffer));
    assert_eq!(village.wanted(), wanted(None));
    assert_eq!(village.desks[0].evidence_wanted(&key(51).address()), [], "others are not asked");
    village.show(viewer.evidence(None)).unwrap();
    assert_eq!(village.wanted(), wanted(None));
    village.show(provider.evidence(None)).unwrap();
    assert_eq!(village.wanted(), wanted(Some(2)));
    village.show(provider.evidence(Some((2, playing.chunk(2).0)))).unwrap();
    assert_eq!(village.wanted(), [], "decided");
    assert_eq!(village.outcome(&playing), (27_000_000_000, 13_500_000_000));
}

#[test]
fn a_provider_that_spoke_first_waits_and_is_asked_for_the_newest_only_where_it_is_heard() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    let (provider, viewer) = (story(&playing, &key(50), SIZE, &[]), story(&playing, &playing.viewer, SIZE, &[40_000]));
    village.tell(&provider).unwrap();
    village.tell(&viewer).unwrap_err();
    village.show(provider.evidence(None)).unwrap();
    assert_eq!(village.wanted(), [], "the viewer's turn");
    let second = village.start(61, 0);
    let liar = |playing: &Playing| story(playing, &playing.viewer, SIZE, &[1]);
    village.tell(&liar(&second)).unwrap();
    village.tell(&story(&second, &key(50), SIZE, &[])).unwrap_err();
    let third = village.start(62, 0);
    village.tell(&liar(&third)).unwrap();
    village.tell(&story(&third, &key(50), SIZE, &[])).unwrap_err();
    let grants: Vec<_> = village.wanted().iter().map(|wanted| wanted.grant).collect();
    assert_eq!(grants, [third.grant.id, second.grant.id]);
    // A delivery that nobody plays pays nobody, and its key has no witness.
    let grant = village.grant(&key(63), 0).unwrap();
    let unplayed = Playing { viewer: key(63), grant, ..village.start(64, 0) };
    village.tell(&liar(&unplayed)).unwrap();
    village.tell(&story(&unplayed, &key(50), SIZE, &[])).unwrap_err();
    assert_eq!(village.wanted().len(), 2);
}

#[test]
fn not_disputed() {
    let mut village = Village::new();
    let playing = village.start(60, 0);
    let viewer = story(&playing, &playing.viewer, SIZE, &[]);
    assert_eq!(village.show(viewer.evidence(None)), Err(Refusal::NotDisputed), "nobody said anything");
    village.tell(&viewer).unwrap();
    assert_eq!(village.show(viewer.evidence(None)), Err(Refusal::NotDisputed), "one side did");
    village.tell(&story(&playing, &key(50), SIZE, &[])).unwrap();
    assert_eq!(village.show(viewer.evidence(None)), Err(Refusal::NotDisputed), "both agree");
}

#[test]
fn bad_evidence() {
    let (mut village, playing, viewer, provider) = Village::dispute(&[], &[40_000]);
    let worthless = |error| Err(Refusal::BadEvidence(error));
    let garbage = |bend: &dyn Fn(&mut Evidence)| {
        let mut evidence = viewer.evidence(None).body;
        bend(&mut evidence);
        Signed::new(evidence, &viewer.signer)
    };
    let other_story = story(&playing, &playing.viewer, SIZE, &[1]).hashes.encode();
    let hashes = worthless(EvidenceError::Hashes);
    assert_eq!(village.show(garbage(&|evidence| evidence.hashes = other_story.clone())), hashes);
    assert_eq!(village.show(garbage(&|evidence| evidence.hashes.truncate(32))), hashes);
    assert_eq!(village.show(garbage(&|evidence| evidence.hashes = vec![0; 4 << 20])), hashes);
    let chunk = worthless(EvidenceError::Chunk);
    let (second, third) = (playing.chunk(2).0, playing.chunk(3).0);
    for (index, opened) in [(3, &second), (3, &third), (u32::MAX, &second), (99, &second)] {
        let opened = Some((index, opened.clone()));
        assert_eq!(village.show(garbage(&|evidence| evidence.opened = opened.clone())), chunk);
    }
    assert_eq!(village.show(garbage(&|evidence| evidence.grant = GrantId([0; 16]))), Err(Refusal::UnknownGrant));
    assert_eq!(village.show(garbage(&|evidence| evidence.download_key[0] ^= 1)), Err(Refusal::UnknownPlay));
    let stranger = Signed::new(viewer.evidence(None).body, &key(77));
    assert_eq!(village.show(stranger), Err(Refusal::BadSignature));
    let decided = village.show(provider.evidence(Some((2, second))));
    assert_eq!(decided, Ok(DisputeState::Decided(Verdict::ProviderFalse)), "a liar may convict itself");
}

#[test]
fn suspects() {
    let mut village = Village::new();
    // Viewer 60 lies three times, the provider three times as well.
    for (attempt, (viewer, provider_lies)) in [(60, 0), (60, 1), (60, 1), (61, 1)].into_iter().enumerate() {
        let playing = village.start(viewer, 0);
        let viewer = story(&playing, &playing.viewer, SIZE, &[40_001 + attempt]);
        let provider = story(&playing, &key(50), SIZE, &[40_000][..provider_lies]);
        village.tell(&viewer).unwrap();
        village.tell(&provider).unwrap_err();
        village.show(viewer.evidence(None)).unwrap();
        village.show(provider.evidence(Some((2, playing.chunk(2).0)))).unwrap();
        if attempt == 2 {
            village.pass(92_000);
            let grant = village.grant(&key(60), 0).unwrap();
            let answer = village.request(&key(60), &grant, None).unwrap();
            assert_eq!(answer.outcome, PlayOutcome::Unpaid("suspect".into()));
        }
        village.pass(92_000);
    }
    let lost = |account: &AccountKey| village.desks[1].grants.lost_disputes(&account.address());
    assert_eq!((lost(&key(60)), lost(&key(61)), lost(&key(50))), (3, 1, 3));
    assert_eq!(village.grant(&key(61), 0), Err(Refusal::NoSource), "such a provider is drawn no more");
    village.now_ms += 25 * 3_600_000;
    village.pass(200);
    assert!(village.grant(&key(61), 0).is_ok(), "a day later all is forgotten");
}
