//! Receipts that a viewer contradicts: what the provider signs, keeps and proves, judged as validators judge it.

use super::*;
use crate::EvidenceError;
use chainflix_overlay::CellStream;
use chainflix_primitives::{CHUNK_BYTES, Digest, Evidence};
use chainflix_proof_of_view::{
    DisputeState, Verdict,
    dispute::{Claim, compare, judge},
};

const SIZE: usize = 300_000;

/// One side's words and what is behind them.
struct Side {
    receipt: Receipt,
    hashes: Vec<u8>,
}

impl Side {
    /// Signs for delivered bytes from the start of `receipt`'s range on.
    fn of(receipt: &Receipt, delivered: &[u8]) -> Self {
        let hashes = ChunkHashes::of(delivered);
        let end = receipt.start + delivered.len() as u64;
        let receipt = Receipt { end, delivered_hash: Digest(hashes.root().0), ..receipt.clone() };
        Self { receipt, hashes: hashes.encode() }
    }

    fn claim(&self) -> Claim {
        Claim::new(&self.receipt, &self.hashes).unwrap()
    }
}

/// Takes a whole delivery as it comes, and answers the delivered bytes.
async fn take(stream: &mut CellStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await.unwrap() {
        bytes.extend_from_slice(&part);
    }
    bytes.split_off(ChunkHashes::encoded_len(SIZE as u64))
}

/// A delivery after which the viewer names `said` to the provider. Answers what came, and the provider's receipt.
async fn delivered(peer: &mut Peer, viewer: &Dialer, said: Option<Digest>) -> (Vec<u8>, Receipt) {
    let (cell, bytes) = sealed(SIZE);
    peer.hold(cell, &bytes);
    let grant = Signed::new(peer.grant(cell, SIZE, 2 * CHUNK_BYTES), &validator());
    let mut stream = fetch_cell(viewer, &grant, grant.body.from_byte).await.unwrap();
    let came = take(&mut stream).await;
    let said = said.unwrap_or_else(|| Digest(blake3::hash(&came).into()));
    stream.finish(SIZE as u64, said).await.unwrap();
    let receipt = peer.receipts.recv().await.unwrap();
    receipt.verify(&grant.body.provider).unwrap();
    (came, receipt.body)
}

fn verdict(viewer: &Side, provider: &Side, evidence: &Evidence) -> Verdict {
    let (cell, _) = sealed(SIZE);
    let (chunk, opened) = evidence.opened.clone().unwrap();
    let key = DownloadKey::from_bytes(evidence.download_key);
    judge((&cell, SIZE as u64), &key, (&viewer.claim(), &provider.claim()), (chunk, &opened)).unwrap()
}

#[tokio::test]
async fn a_viewer_that_lies_to_everybody_is_proved_wrong() {
    let viewer = overlay(1).await;
    let mut peer = Peer::start(10, &viewer.dialer()).await;
    let (mut came, receipt) = delivered(&mut peer, &viewer.dialer(), Some(Digest([7; 32]))).await;
    assert_eq!(receipt.delivered_hash, Digest(blake3::hash(&came).into()), "signed for what was sent");
    came[40_000] ^= 1;
    let lie = Side::of(&receipt, &came);

    assert_eq!(peer.provider.provable_receipts(), 1);
    let shown = peer.provider.evidence(receipt.grant, None).await.unwrap();
    shown.verify(&receipt.provider).unwrap();
    assert_eq!((shown.body.grant, &shown.body.opened, shown.body.download_key), (receipt.grant, &None, KEY));
    let mine = Side { receipt: receipt.clone(), hashes: shown.body.hashes };
    let DisputeState::Open { chunk } = compare(&lie.claim(), &mine.claim()) else { panic!("they differ") };
    assert_eq!(chunk, 4, "the third of the delivery, which begins with the third of the cell");
    let opened = peer.provider.evidence(receipt.grant, Some(chunk)).await.unwrap();
    assert_eq!(verdict(&lie, &mine, &opened.body), Verdict::ViewerFalse);
    viewer.close().await;
}

#[tokio::test]
async fn a_viewer_that_claims_more_or_less_is_agreed_with_as_far_as_it_is_true() {
    let viewer = overlay(1).await;
    let mut peer = Peer::start(10, &viewer.dialer()).await;
    let (came, receipt) = delivered(&mut peer, &viewer.dialer(), None).await;
    let shown = peer.provider.evidence(receipt.grant, None).await.unwrap();
    let mine = Side { receipt: receipt.clone(), hashes: shown.body.hashes };
    let less = Side::of(&receipt, &came[..5 * CHUNK_BYTES as usize]);
    let agreed = DisputeState::Decided(Verdict::Agreed { end: 7 * CHUNK_BYTES });
    assert_eq!(compare(&less.claim(), &mine.claim()), agreed);
    // The same the other way round: it got a part, and says that it got all.
    assert_eq!(compare(&mine.claim(), &less.claim()), agreed);
    viewer.close().await;
}

#[tokio::test]
async fn a_provider_that_lied_convicts_itself() {
    let viewer = overlay(1).await;
    let mut peer = Peer::start(10, &viewer.dialer()).await;
    let (came, receipt) = delivered(&mut peer, &viewer.dialer(), None).await;
    let truth = Side::of(&receipt, &came);
    let mut other = came;
    other[0] ^= 1;
    let lie = Side::of(&receipt, &other);
    assert_eq!(compare(&truth.claim(), &lie.claim()), DisputeState::Open { chunk: 2 });
    let opened = peer.provider.evidence(receipt.grant, Some(2)).await.unwrap();
    assert_eq!(verdict(&truth, &lie, &opened.body), Verdict::ProviderFalse);
    viewer.close().await;
}

#[tokio::test]
async fn without_receipt_cell_or_end_there_is_no_evidence() {
    let viewer = overlay(1).await;
    let mut peer = Peer::start(10, &viewer.dialer()).await;
    let (_, receipt) = delivered(&mut peer, &viewer.dialer(), None).await;
    let unknown = GrantId([99; 16]);
    let error = peer.provider.evidence(unknown, None).await.unwrap_err();
    assert!(matches!(error, EvidenceError::NotSigned { grant } if grant == unknown), "{error:?}");
    for chunk in [19, u32::MAX] {
        let error = peer.provider.evidence(receipt.grant, Some(chunk)).await.unwrap_err();
        assert!(matches!(error, EvidenceError::NoChunk { .. }), "{error:?}");
    }
    peer.store.delete(&receipt.cell).unwrap();
    let error = peer.provider.evidence(receipt.grant, None).await.unwrap_err();
    assert!(matches!(error, EvidenceError::NotHeld { cell } if cell == receipt.cell), "{error:?}");
    viewer.close().await;
}

#[tokio::test]
async fn a_grant_has_one_receipt_and_none_for_a_part_that_begins_elsewhere() {
    let viewer = overlay(1).await;
    let mut peer = Peer::start(10, &viewer.dialer()).await;
    let (cell, bytes) = sealed(SIZE);
    peer.hold(cell, &bytes);
    let grant = Signed::new(peer.grant(cell, SIZE, 0), &validator());
    // A later beginning; all; all again. What is said is said in order, on one connection.
    for from in [CHUNK_BYTES, 0, 0] {
        let mut stream = fetch_cell(&viewer.dialer(), &grant, from).await.unwrap();
        let came = take(&mut stream).await;
        stream.finish(SIZE as u64, Digest(blake3::hash(&came).into())).await.unwrap();
    }
    let mut again = fetch_cell(&viewer.dialer(), &Signed::new(grant_of(&peer, 77), &validator()), 0).await.unwrap();
    let came = take(&mut again).await;
    again.finish(SIZE as u64, Digest(blake3::hash(&came).into())).await.unwrap();
    let mut grants = Vec::new();
    while grants.last() != Some(&GrantId([77; 16])) {
        let receipt = peer.receipts.recv().await.unwrap().body;
        assert_eq!(receipt.start, 0);
        grants.push(receipt.grant);
    }
    assert_eq!(grants, [grant.body.id, GrantId([77; 16])]);
    viewer.close().await;
}

fn grant_of(peer: &Peer, id: u8) -> Grant {
    let (cell, _) = sealed(SIZE);
    Grant { id: GrantId([id; 16]), ..peer.grant(cell, SIZE, 0) }
}
