//! Deliveries that are refused, cut short or lied about.

use super::*;
use bytes::Bytes;
use chainflix_cell::{DeliveryError, Keystream};
use chainflix_overlay::{
    Alpn, PeerStream, Protocol, Verdict,
    cell::{CELL_REQUEST_BYTES_MAX, CellRequest, accept_delivery},
};
use chainflix_primitives::CHUNK_BYTES;
use futures::future::BoxFuture;
use std::os::unix::fs::FileExt;

#[tokio::test]
async fn a_provider_dies_in_mid_cell_and_another_goes_on_at_the_next_byte() {
    let viewer = overlay(1).await;
    let first = Peer::start(10, &viewer.dialer()).await;
    let mut second = Peer::start(11, &viewer.dialer()).await;
    let (cell, bytes) = sealed(12 << 20);
    first.hold(cell, &bytes);
    second.hold(cell, &bytes);
    let mut got = Vec::new();
    let mut delivery = fetch(&viewer.dialer(), &first.grant(cell, bytes.len(), 0)).await.unwrap();
    while delivery.verified_end() < 1 << 20 {
        delivery.next(&mut got).await.unwrap();
    }
    let Peer { overlay, serving, .. } = first;
    serving.stop().await;
    overlay.close().await;
    let error = drain(&mut delivery, &mut got).await.unwrap_err();
    assert!(matches!(error, FetchError::Interrupted { .. }), "{error:?}");
    assert_ne!(error.verdict(), Verdict::Block);
    let resume = delivery.verified_end();
    assert!(resume < bytes.len() as u64);

    let mut rest = fetch(&viewer.dialer(), &second.grant(cell, bytes.len(), resume)).await.unwrap();
    drain(&mut rest, &mut got).await.unwrap();
    rest.finish().await.unwrap();
    assert_eq!(got, bytes);
    let receipt = second.receipts.recv().await.unwrap().body;
    assert_eq!((receipt.start, receipt.end), (resume, bytes.len() as u64));
    viewer.close().await;
}

/// Sends what it was told to, whatever was asked.
struct Scripted {
    size: u64,
    stream: Bytes,
}

impl Protocol for Scripted {
    fn alpn(&self) -> Alpn {
        Alpn::Cell
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            stream.read_frame::<CellRequest>(CELL_REQUEST_BYTES_MAX).await.unwrap();
            accept_delivery(&mut stream, self.size).await.unwrap();
            // The viewer stops reading where it finds the lie.
            let _ = stream.write_bytes(self.stream.clone()).await;
        })
    }
}

async fn liar(seed: u8, size: u64, stream: Vec<u8>, viewer: &Dialer) -> (Overlay, Serving) {
    let overlay = overlay(seed).await;
    let scripted = Scripted { size, stream: stream.into() };
    let serving = overlay.serve(vec![Arc::new(scripted)], ServeLimits::default());
    introduce(&overlay, seed, viewer);
    (overlay, serving)
}

#[tokio::test]
async fn a_lie_costs_one_chunk_and_the_liar_its_place() {
    let viewer = overlay(1).await;
    let honest = Peer::start(10, &viewer.dialer()).await;
    let (cell, bytes) = sealed(200_000);
    honest.hold(cell, &bytes);
    let mut delivered = bytes.clone();
    Keystream::delivery(&DownloadKey::from_bytes(KEY)).apply(0, &mut delivered);
    delivered[5 * CHUNK_BYTES as usize + 3] ^= 1;
    let stream = [ChunkHashes::of(&bytes).encode(), delivered].concat();
    let (liar, _serving) = liar(20, 200_000, stream, &viewer.dialer()).await;

    let mut got = Vec::new();
    let lied = grant(20, liar.node_id(), cell, bytes.len(), 0);
    let mut delivery = fetch(&viewer.dialer(), &lied).await.unwrap();
    let error = drain(&mut delivery, &mut got).await.unwrap_err();
    let FetchError::Corrupt { source, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(**source, DeliveryError::Corrupt { chunk: 5, .. }));
    assert_eq!(error.verdict(), Verdict::Block);
    assert_eq!(delivery.verified_end(), 5 * CHUNK_BYTES);

    let mut rest = fetch(&viewer.dialer(), &honest.grant(cell, bytes.len(), 5 * CHUNK_BYTES)).await.unwrap();
    drain(&mut rest, &mut got).await.unwrap();
    assert_eq!(got, bytes);
    viewer.close().await;
}

#[tokio::test]
async fn another_size_or_a_short_stream_is_noticed() {
    let viewer = overlay(1).await;
    let (cell, bytes) = sealed(100_000);
    let hashes = ChunkHashes::of(&bytes).encode();
    let (big, _serving) = liar(20, 1 << 40, hashes.clone(), &viewer.dialer()).await;
    let lied = grant(20, big.node_id(), cell, bytes.len(), 0);
    let error = fetch(&viewer.dialer(), &lied).await.err().unwrap();
    assert!(matches!(error, FetchError::Size { expected: 100_000, .. }), "{error:?}");
    assert_eq!(error.verdict(), Verdict::Block);

    let (short, _serving) = liar(21, 100_000, hashes, &viewer.dialer()).await;
    let lied = grant(21, short.node_id(), cell, bytes.len(), 0);
    let mut delivery = fetch(&viewer.dialer(), &lied).await.unwrap();
    let error = drain(&mut delivery, &mut Vec::new()).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::TryAnother, "{error:?}");
    viewer.close().await;
}

#[tokio::test]
async fn a_rotten_disk_costs_the_cell_and_no_viewer_sees_it() {
    let viewer = overlay(1).await;
    let peer = Peer::start(10, &viewer.dialer()).await;
    let (cell, bytes) = sealed(300_000);
    peer.hold(cell, &bytes);
    let name = cell.to_string()[2..].to_owned();
    let path = peer.folder.path().join("cells").join(&name[..2]).join(format!("{name}.cell"));
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[bytes[250_000] ^ 1], 250_000).unwrap();

    let grant = peer.grant(cell, bytes.len(), 0);
    let error = match fetch(&viewer.dialer(), &grant).await {
        Ok(mut delivery) => {
            let mut got = Vec::new();
            let error = drain(&mut delivery, &mut got).await.unwrap_err();
            assert_eq!(got, bytes[..delivery.verified_end() as usize]);
            assert!(delivery.verified_end() <= 250_000);
            error
        }
        // The reset overtook what was sent before it.
        Err(error) => error,
    };
    assert_eq!(error.verdict(), Verdict::TryAnother, "an honest failure: {error:?}");
    assert_eq!(peer.store.usage().cells, 0);
    let error = fetch(&viewer.dialer(), &grant).await.err().unwrap();
    assert!(matches!(error, FetchError::Refused { .. }), "{error:?}");
    viewer.close().await;
}
