//! Publishing and finding, with everybody well.

use super::*;
use chainflix_overlay::control::ControlRefusal;

fn refusal(error: ControlError) -> ControlRefusal {
    match error {
        ControlError::Refused { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cell_goes_from_its_creator_to_two_disks_to_a_viewer() {
    let mut network = Network::start(3).await;
    let (cell, bytes) = sealed(700_000);
    assert_eq!(network.publish(cell, &bytes).await.unwrap(), 2);
    let holders = network.holders(&cell);
    assert_eq!(holders.len(), 2);
    // Publishing again, as after a crash, finds it in place.
    assert!(matches!(network.upload_as(CREATOR, cell, 700_000).await.unwrap(), Upload::Stored { copies: 2 }));

    let source = network.source(0, Vec::new()).await.unwrap();
    let mut delivery = network.fetch(&source).await;
    let mut sealed = Vec::new();
    while delivery.verified_end() < 20 * CHUNK_BYTES {
        delivery.next(&mut sealed).await.unwrap();
    }
    // It is slow, the viewer decides, and takes the rest from the other one.
    let (half, first) = (delivery.verified_end(), source.grant.body.provider_node);
    delivery.finish().await.unwrap();
    let source = network.source(half, vec![first]).await.unwrap();
    assert_ne!(source.grant.body.provider_node, first);
    let mut rest = network.fetch(&source).await;
    while rest.next(&mut sealed).await.unwrap() {}
    rest.finish().await.unwrap();
    assert_eq!(sealed, bytes);

    let mut ranges = Vec::new();
    for index in holders {
        let receipt = network.peers[index].receipts.recv().await.unwrap();
        receipt.verify(&receipt.body.provider).unwrap();
        ranges.push((receipt.body.start, receipt.body.end));
    }
    ranges.sort_unstable();
    assert_eq!(ranges, [(0, half), (half, 700_000)]);
    network.stop().await;
}

#[tokio::test]
async fn what_a_controller_refuses() {
    let network = Network::start(2).await;
    let used = || network.peers.iter().map(|peer| peer.store.usage().used_bytes).collect::<Vec<_>>();
    let empty = used();
    let (cell, bytes) = sealed(100_000);
    let refused = |result: Result<Upload, ControlError>| refusal(result.unwrap_err());
    assert_eq!(refused(network.upload_as(51, cell, 100_000).await), ControlRefusal::NotAdmitted);
    assert_eq!(refused(network.upload_as(CREATOR, cell, 0).await), ControlRefusal::Malformed);
    assert_eq!(refused(network.upload_as(CREATOR, cell, 64 << 20).await), ControlRefusal::NoRoom);
    assert_eq!(refusal(network.publish(CellId([1; 32]), &bytes).await.unwrap_err()), ControlRefusal::WrongBytes);
    let words = CellUpload { account: account(CREATOR).address(), cell, size: 100_000, expires_ms: 1 };
    let upload = |words, key| {
        let dialer = network.dialer();
        let controller = network.controller();
        async move { upload_cell(&dialer, controller, Signed::new(words, &account(key))).await }
    };
    assert_eq!(refused(upload(words, CREATOR).await), ControlRefusal::Expired);
    let soon = CellUpload { expires_ms: chainflix_overlay::Clock::system().now_ms() + 1_000, ..words };
    assert_eq!(refused(upload(soon, 51).await), ControlRefusal::Forged);
    assert_eq!(used(), empty, "no refused byte stays");

    assert_eq!(network.publish(cell, &bytes).await.unwrap(), 2);
    let nodes: Vec<NodeId> = network.peers.iter().map(|peer| peer.overlay.node_id()).collect();
    assert_eq!(refusal(network.source(0, nodes).await.unwrap_err()), ControlRefusal::NoSource);
    assert_eq!(refusal(network.source(1, Vec::new()).await.unwrap_err()), ControlRefusal::Malformed);
    let crowd = vec![NodeId([1; 32]); 17];
    assert_eq!(refusal(network.source(0, crowd).await.unwrap_err()), ControlRefusal::Malformed);
    let unknown = network.ask(|request| GrantRequest { cell_index: 7, ..request }).await;
    assert_eq!(refusal(unknown.unwrap_err()), ControlRefusal::UnknownCell);
    let foreign = network.ask(|request| GrantRequest { account: AccountAddress([1; 20]), ..request }).await;
    assert_eq!(refusal(foreign.unwrap_err()), ControlRefusal::Forged);
    let old = network.ask(|request| GrantRequest { requested_ms: 0, ..request }).await;
    assert_eq!(refusal(old.unwrap_err()), ControlRefusal::validator("too-old", "asked in 1970"));
    network.stop().await;
}

#[tokio::test]
async fn who_is_full_is_asked_when_nobody_else_may() {
    let network = Network::start(2).await;
    let (cell, bytes) = sealed(100_000);
    assert_eq!(network.publish(cell, &bytes).await.unwrap(), 2);
    let slots = CensusConfig::default().slots;
    let mut asked = Vec::new();
    for _ in 0..2 * slots {
        asked.push(network.source(0, Vec::new()).await.unwrap().grant.body.provider_node);
    }
    asked.sort_unstable();
    let (first, second) = (asked[0], asked[asked.len() - 1]);
    assert_eq!(asked.iter().filter(|node| **node == first).count(), usize::from(slots), "that many fill any line");
    // Everybody is full, and is asked all the same.
    assert!([first, second].contains(&network.source(0, Vec::new()).await.unwrap().grant.body.provider_node));
    network.stop().await;

    let network = Network::start(2).await;
    assert_eq!(network.publish(cell, &bytes).await.unwrap(), 2);
    network.chain.unregistered.lock().unwrap().push(second);
    for _ in 0..=slots {
        let node = network.source(0, Vec::new()).await.unwrap().grant.body.provider_node;
        assert_eq!(node, first, "a validator takes none of those that are free");
    }
    network.chain.unregistered.lock().unwrap().push(first);
    let none = network.source(0, Vec::new()).await.unwrap_err();
    assert_eq!(refusal(none), ControlRefusal::validator("no-source", "nobody"));
    network.stop().await;
}
