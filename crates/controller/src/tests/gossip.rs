//! What one controller hears, all know; and no controller says what no provider said.

use super::*;
use chainflix_overlay::{
    Clock,
    control::{
        ControlRefusal, Heartbeat, Heed, HeldCell, InventoryPage, PassedOn, ProviderMode, ProviderWords, Telling, Told,
        pass_on,
    },
};
use std::sync::atomic::AtomicU64;

fn key(seed: u8) -> NodeKey {
    NodeKey::from_bytes(&[seed; 32])
}

/// Two controllers that tell each other, and the addresses of both: the first one can reach the second.
async fn two(chain: &Arc<Chain>) -> (Head, Head) {
    let first = key(CONTROLLER).node_id();
    let second = Head::start_as(CONTROLLER + 1, chain.clone(), any_port(), |config| config.others = vec![first]).await;
    let others = vec![second.overlay.info()];
    (Head::start_beside(CONTROLLER, others, chain.clone(), any_port(), |_| ()).await, second)
}

#[tokio::test]
async fn a_provider_that_reaches_one_controller_is_known_to_all() {
    let chain = Chain::new();
    let (first, second) = two(&chain).await;
    let both = vec![first.overlay.info(), second.overlay.info()];
    let peers = vec![
        Peer::start(1, &chain, vec![first.overlay.info()], 8 << 20).await,
        Peer::start(2, &chain, both.clone(), 8 << 20).await,
    ];
    for head in [&first, &second] {
        head.until(|status| status.census.providers_alive == 2).await;
    }
    let guest = overlay(VIEWER, any_port(), vec![first.overlay.info()]).await;
    let mut network = Network { chain, head: first, peers, guest };
    let (cell, bytes) = sealed(300_000);
    assert_eq!(network.publish_beside_others(cell, &bytes).await.unwrap(), 2, "one copy each");
    second.until(|status| status.census.cells == 1 && status.census.cells_short == 0).await;

    // A viewer that knows the second controller alone is sent to the provider that knows the first one alone.
    network.guest.close().await;
    network.guest = overlay(VIEWER, any_port(), vec![second.overlay.info()]).await;
    let first = std::mem::replace(&mut network.head, second);
    let near = network.peers[1].overlay.node_id();
    let source = network.source(0, vec![near]).await.unwrap();
    assert_eq!(source.grant.body.provider_node, network.peers[0].overlay.node_id());
    assert!(source.address.is_some(), "and is told where it is");
    let mut delivery = network.fetch(&source).await;
    while delivery.next(&mut Vec::new()).await.unwrap() {}

    // Nothing is stored there by a controller that it does not know: there is nobody else, so the upload finds no room.
    let (other, bytes) = sealed(200_000);
    assert!(network.publish(other, &bytes).await.is_err());
    assert_eq!(network.peers[0].store.cells().len(), 1);

    first.stop().await;
    network.head.until(|status| status.census.providers_alive == 1).await;
    assert_eq!(network.source(0, Vec::new()).await.unwrap().grant.body.provider_node, near);
    network.stop().await;
}

/// A configured controller that says what it likes.
struct LyingController {
    overlay: Overlay,
    to: NodeId,
}

impl LyingController {
    async fn pass(&self, telling: Telling) -> Result<Heed, ControlRefusal> {
        match pass_on(&self.overlay.dialer(), self.to, PassedOn { telling, address: None }).await {
            Ok(heed) => Ok(heed),
            Err(ControlError::Refused { refusal, .. }) => Err(refusal),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_lying_controller_cannot_speak_for_a_provider() {
    let (chain, now_ms) = (Chain::new(), Clock::system().now_ms());
    let (liar, stranger, victim) = (key(101), key(102), key(1));
    let liars = vec![liar.node_id()];
    let hand = Arc::new(AtomicU64::new(now_ms));
    let head = Head::start_as(CONTROLLER, chain.clone(), any_port(), |config| {
        config.others = liars;
        config.clock = Clock::by_hand(hand.clone());
    })
    .await;
    let join = async |seed| LyingController {
        overlay: overlay(seed, any_port(), vec![head.overlay.info()]).await,
        to: head.overlay.node_id(),
    };
    let (lying, unknown) = (join(101).await, join(102).await);
    let told = |number, at_ms, words| Told { node: victim.node_id(), number, at_ms, words };
    let enters = |at_ms| told(0, at_ms, ProviderWords::Announce(announcement(1, at_ms)));
    let page = |sequence, held: &[CellId]| {
        let cells = held.iter().map(|cell| HeldCell { cell: *cell, size: 1_000 }).collect();
        ProviderWords::Inventory(InventoryPage { sequence, cells, last: true })
    };

    // Words of its own making, under its own signature; true words of another hour; true words, but from anybody.
    assert_eq!(lying.pass(Telling::new(enters(now_ms), &liar)).await, Err(ControlRefusal::Forged));
    assert_eq!(lying.pass(Telling::new(enters(now_ms - 3_600_000), &victim)).await, Err(ControlRefusal::Expired));
    assert_eq!(unknown.pass(Telling::new(enters(now_ms), &victim)).await, Err(ControlRefusal::Forged));
    // An account of its own that names the victim's node: the node did not sign.
    let card = ProviderCard { account: account(101).address(), ..announcement(1, now_ms).card.body };
    let stolen = Announcement { card: Signed::new(card, &account(101)), ..announcement(1, now_ms) };
    let stolen = Telling::new(told(0, now_ms, ProviderWords::Announce(stolen)), &stranger);
    assert_eq!(lying.pass(stolen).await, Err(ControlRefusal::Forged));
    assert_eq!(head.controller.status().await.census.providers, 0);

    // It passes on the announcement, and leaves a page out, invents one, or says one twice.
    let (cell, other) = (CellId([1; 32]), CellId([2; 32]));
    assert_eq!(lying.pass(Telling::new(enters(now_ms), &victim)).await, Ok(Heed::Taken));
    let left_out = Telling::new(told(2, now_ms + 2, page(now_ms, &[cell])), &victim);
    assert_eq!(lying.pass(left_out).await, Ok(Heed::Lacking));
    let invented = Telling::new(told(1, now_ms + 1, page(now_ms, &[cell, other])), &liar);
    assert_eq!(lying.pass(invented).await, Err(ControlRefusal::Forged));
    let said = Telling::new(told(1, now_ms + 1, page(now_ms, &[cell])), &victim);
    assert_eq!(lying.pass(said.clone()).await, Ok(Heed::Taken));
    assert_eq!(lying.pass(said).await, Ok(Heed::Lacking));
    let status = head.controller.status().await.census;
    assert_eq!((status.providers_alive, status.cells), (1, 1));

    // One heartbeat keeps nobody alive for ever.
    let beat = Heartbeat { sequence: now_ms, mode: ProviderMode::Open, quota_bytes: 1, used_bytes: 1 };
    let beat = Telling::new(told(1, now_ms + 2, ProviderWords::Heartbeat(beat)), &victim);
    assert_eq!(lying.pass(beat.clone()).await, Ok(Heed::Taken));
    assert_eq!(lying.pass(beat).await, Ok(Heed::Lacking));
    hand.fetch_add(30_000, Ordering::SeqCst);
    head.until(|status| status.census.providers_alive == 0).await;

    // Whoever is heard here needs nobody to speak for him.
    let peer = Peer::start(1, &chain, vec![head.overlay.info()], 8 << 20).await;
    head.until(|status| status.census.providers_alive == 1).await;
    let late = Clock::system().now_ms();
    assert_eq!(lying.pass(Telling::new(enters(late), &victim)).await, Ok(Heed::Needless));
    peer.stop().await;
    for lying in [lying, unknown] {
        lying.overlay.close().await;
    }
    head.stop().await;
}
