//! Deliveries that go well, and their receipts.

use super::*;
use chainflix_cell::{Keystream, verify_path};
use chainflix_overlay::{
    Alpn, PathKind, StreamError, Verdict,
    cell::Refusal,
    store::{
        STORE_FRAME_BYTES_MAX, StoreAnswer, StoreError, StoreRefusal, delete_cell, get_cell, put_cell, show_chunk,
    },
};
use chainflix_primitives::{CHUNK_BYTES, Digest};

#[tokio::test]
async fn both_sides_sign_the_same_words_about_a_whole_cell() {
    let viewer = overlay(1).await;
    let mut peer = Peer::start(10, &viewer.dialer()).await;
    let (cell, bytes) = sealed(500_001);
    peer.hold(cell, &bytes);
    let grant = peer.grant(cell, bytes.len(), 0);
    let mut delivery = fetch(&viewer.dialer(), &grant).await.unwrap();
    assert_eq!(delivery.path(), PathKind::Direct);
    let mut got = Vec::new();
    drain(&mut delivery, &mut got).await.unwrap();
    assert_eq!(got, bytes);
    let seen = Receipt {
        grant: grant.id,
        viewer: grant.viewer,
        provider: grant.provider,
        cell,
        start: 0,
        end: bytes.len() as u64,
        delivered_hash: delivery.delivered_hash(),
    };
    delivery.finish().await.unwrap();
    let receipt = peer.receipts.recv().await.unwrap();
    assert_eq!(receipt.body, seen);
    receipt.verify(&grant.provider).unwrap();
    let status = peer.provider.status();
    assert_eq!((status.delivered_bytes, status.delivering), (bytes.len() as u64, 0));
    viewer.close().await;
}

#[tokio::test]
async fn a_viewer_that_stops_gets_a_receipt_for_what_it_has() {
    let viewer = overlay(1).await;
    let mut peer = Peer::start(10, &viewer.dialer()).await;
    let (cell, bytes) = sealed(4 << 20);
    peer.hold(cell, &bytes);
    let grant = peer.grant(cell, bytes.len(), 2 * CHUNK_BYTES);
    let mut delivery = fetch(&viewer.dialer(), &grant).await.unwrap();
    let mut got = Vec::new();
    while delivery.verified_end() < 10 * CHUNK_BYTES {
        assert!(delivery.next(&mut got).await.unwrap());
    }
    let (end, hash) = (delivery.verified_end(), delivery.delivered_hash());
    delivery.finish().await.unwrap();
    let receipt = peer.receipts.recv().await.unwrap().body;
    assert_eq!((receipt.start, receipt.end, receipt.delivered_hash), (2 * CHUNK_BYTES, end, hash));
    let mut delivered = bytes[2 * CHUNK_BYTES as usize..end as usize].to_vec();
    Keystream::delivery(&DownloadKey::from_bytes(KEY)).apply(2 * CHUNK_BYTES, &mut delivered);
    assert_eq!(hash, Digest(blake3::hash(&delivered).into()));
    viewer.close().await;
}

#[tokio::test]
async fn who_claims_more_than_was_sent_gets_no_receipt_and_a_gateway_needs_no_key() {
    let viewer = overlay(1).await;
    let mut peer = Peer::start(10, &viewer.dialer()).await;
    let (cell, bytes) = sealed(100_000);
    peer.hold(cell, &bytes);
    let grant = Signed::new(peer.grant(cell, bytes.len(), 0), &validator());
    let hashes = ChunkHashes::encoded_len(100_000);
    for end in [99_999, 100_001, 100_000] {
        let mut raw = fetch_cell(&viewer.dialer(), &grant, 0).await.unwrap();
        let mut stream = Vec::new();
        while let Some(part) = raw.next().await.unwrap() {
            stream.extend_from_slice(&part);
        }
        let upto = (hashes + end).min(stream.len());
        let hash = Digest(blake3::hash(&stream[hashes..upto]).into());
        raw.finish(end as u64, hash).await.unwrap();
    }
    // The first two were said before the last one, on one connection; only the last is possible.
    assert_eq!(peer.receipts.recv().await.unwrap().body.end, 100_000);
    assert!(peer.receipts.try_recv().is_err());
    viewer.close().await;
}

#[tokio::test]
async fn forged_expired_foreign_and_overused_grants_are_refused() {
    let viewer = overlay(1).await;
    let peer = Peer::start(10, &viewer.dialer()).await;
    let (cell, bytes) = sealed(50_000);
    peer.hold(cell, &bytes);
    let good = peer.grant(cell, bytes.len(), 0);
    let dialer = viewer.dialer();
    let refused = |signed: Signed<Grant>| {
        let dialer = dialer.clone();
        async move {
            match fetch_cell(&dialer, &signed, signed.body.from_byte).await.unwrap_err() {
                error @ FetchError::Refused { refusal, .. } => (refusal, error.verdict()),
                other => panic!("{other:?}"),
            }
        }
    };
    let changed = |change: fn(&mut Grant)| {
        let mut grant = good.clone();
        change(&mut grant);
        Signed::new(grant, &validator())
    };
    let forged = Signed::new(good.clone(), &account(201));
    assert_eq!(refused(forged).await, (Refusal::Forged, Verdict::TryAnother));
    assert_eq!(refused(changed(|g| g.expires_ms = NOW_MS)).await.0, Refusal::Expired);
    assert_eq!(refused(changed(|g| g.provider = AccountAddress([1; 20]))).await.0, Refusal::OtherProvider);
    assert_eq!(refused(changed(|g| g.cell = CellId([1; 32]))).await.0, Refusal::NotHeld);
    assert_eq!(refused(changed(|g| g.size += 1)).await.0, Refusal::Range);
    let other_key = BoxKey::from_bytes([1; 32]).public_key().seal(&KEY, [5; 32]);
    assert_eq!(
        refused(Signed::new(Grant { provider_key: other_key, ..good.clone() }, &validator())).await.0,
        Refusal::Key
    );
    assert_eq!(peer.provider.status().delivered_bytes, 0);
    viewer.close().await;
}

#[tokio::test]
async fn garbage_is_refused_and_strangers_may_not_touch_the_store() {
    let viewer = overlay(1).await;
    let dialer = viewer.dialer();
    let peer = Peer::start(10, &dialer).await;
    let node = peer.overlay.node_id();
    for garbage in [&[0xff; 2_000][..], &[3, 0, 0, 0, 1, 2, 3], &[0, 4, 0, 0, 0]] {
        let mut stream = dialer.open(node, Alpn::Cell).await.unwrap();
        stream.write(garbage).await.unwrap();
        stream.finish();
        let mut answer = [0; 2];
        match stream.read_exact(&mut answer).await {
            Ok(()) => assert_eq!(answer, [1, Refusal::Malformed as u8]),
            Err(error) => assert!(matches!(error, StreamError::Ended | StreamError::Abandoned { .. }), "{error:?}"),
        }
    }
    let (cell, bytes) = sealed(1_000);
    let not_allowed =
        |error: StoreError| matches!(error, StoreError::Refused { refusal: StoreRefusal::NotAllowed, .. });
    assert!(not_allowed(put_cell(&dialer, node, cell, 1_000).await.unwrap_err()));
    assert!(not_allowed(delete_cell(&dialer, node, cell).await.unwrap_err()));

    let controller = overlay(100).await;
    introduce(&peer.overlay, 10, &controller.dialer());
    let mut put = put_cell(&controller.dialer(), node, cell, 1_000).await.unwrap().unwrap();
    put.write(bytes.clone().into()).await.unwrap();
    put.finish().await.unwrap();
    assert!(put_cell(&controller.dialer(), node, cell, 1_000).await.unwrap().is_none());
    assert!(not_allowed(get_cell(&dialer, node, cell).await.unwrap_err()));
    let mut sealed = get_cell(&controller.dialer(), node, cell).await.unwrap();
    assert_eq!(sealed.next().await.unwrap().unwrap(), bytes);
    for garbage in [&[0xff; 200][..], &[3, 0, 0, 0, 99, 2, 3], &[0xff, 0xff, 0xff, 0x7f]] {
        let mut stream = controller.dialer().open(node, Alpn::Store).await.unwrap();
        stream.write(garbage).await.unwrap();
        stream.finish();
        let answer: StoreAnswer = stream.read_frame(STORE_FRAME_BYTES_MAX).await.unwrap();
        assert_eq!(answer, StoreAnswer::Refused(StoreRefusal::Malformed));
    }
    let mut wrong = put_cell(&controller.dialer(), node, CellId([1; 32]), 1_000).await.unwrap().unwrap();
    wrong.write(bytes.into()).await.unwrap();
    let error = wrong.finish().await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { refusal: StoreRefusal::WrongBytes, .. }), "{error:?}");
    let error = put_cell(&controller.dialer(), node, CellId([1; 32]), 64 << 20).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { refusal: StoreRefusal::NoRoom, .. }), "{error:?}");
    delete_cell(&controller.dialer(), node, cell).await.unwrap();
    assert_eq!(peer.store.usage().cells, 0);
    controller.close().await;
    viewer.close().await;
}

#[tokio::test]
async fn a_controller_is_shown_any_chunk_of_what_is_held() {
    let viewer = overlay(1).await;
    let peer = Peer::start(10, &viewer.dialer()).await;
    let node = peer.overlay.node_id();
    let (cell, bytes) = sealed(100_000);
    peer.hold(cell, &bytes);
    let controller = overlay(100).await;
    introduce(&peer.overlay, 10, &controller.dialer());
    let show = |dialer: Dialer, cell, chunk| async move { show_chunk(&dialer, node, cell, chunk).await };
    for chunk in 0..7 {
        let shown = show(controller.dialer(), cell, chunk).await.unwrap();
        assert!(verify_path(&cell, 100_000, chunk, &shown.sealed, &shown.path), "chunk {chunk}");
    }
    let refused = |error: StoreError| match error {
        StoreError::Refused { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(show(controller.dialer(), cell, 7).await.unwrap_err()), StoreRefusal::Malformed);
    assert_eq!(refused(show(controller.dialer(), CellId([1; 32]), 0).await.unwrap_err()), StoreRefusal::NotHeld);
    assert_eq!(refused(show(viewer.dialer(), cell, 0).await.unwrap_err()), StoreRefusal::NotAllowed);
    controller.close().await;
    viewer.close().await;
}
