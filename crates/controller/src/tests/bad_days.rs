//! Providers that die, lie or come back; controllers that restart.

use super::*;
use chainflix_overlay::{
    AddressRecord, Addresses, Alpn,
    control::{
        CONTROL_FRAME_BYTES_MAX, ControlAnswer, ControlRefusal, Heartbeat, ProviderMode, ProviderWords, put_address,
        tell,
    },
};

#[tokio::test]
async fn a_lost_provider_is_replaced_and_the_copy_serves() {
    let mut network = Network::start(3).await;
    let (cell, bytes) = sealed(300_000);
    network.publish(cell, &bytes).await.unwrap();
    let lost = network.peers.remove(network.holders(&cell)[0]);
    let gone = lost.overlay.node_id();
    lost.stop().await;
    network.head.until(|status| status.census.providers_alive == 2 && status.census.cells_short == 0).await;
    assert_eq!(network.holders(&cell).len(), 2);
    for excluded in network.peers.iter().map(|peer| peer.overlay.node_id()).collect::<Vec<_>>() {
        let source = network.source(0, vec![excluded]).await.unwrap();
        assert!(source.grant.body.provider_node != gone);
        let mut delivery = network.fetch(&source).await;
        while delivery.next(&mut Vec::new()).await.unwrap() {}
        assert_eq!(delivery.verified_end(), 300_000);
    }
    network.stop().await;
}

#[tokio::test]
async fn a_cell_that_rots_on_one_disk_comes_back_from_the_other() {
    let network = Network::start(2).await;
    let (cell, bytes) = sealed(100_000);
    network.publish(cell, &bytes).await.unwrap();
    network.peers[0].store.delete(&cell).unwrap();
    network.head.until(|status| status.census.cells_short == 1 || network.holders(&cell).len() == 2).await;
    network.head.until(|status| status.census.cells_short == 0 && network.holders(&cell).len() == 2).await;
    network.stop().await;
}

#[tokio::test]
async fn a_restarted_controller_learns_everything_again() {
    let network = Network::start(2).await;
    let (cell, bytes) = sealed(100_000);
    network.publish(cell, &bytes).await.unwrap();
    let Network { chain, head, peers, guest } = network;
    let bind = head.stop().await;
    let head = Head::start(chain.clone(), bind).await;
    let network = Network { chain, head, peers, guest };
    network.head.until(|status| status.census.providers_alive == 2 && status.census.cells == 1).await;
    network.head.until(|status| status.addresses >= 2).await;
    let source = network.source(0, Vec::new()).await.unwrap();
    let mut delivery = network.fetch(&source).await;
    while delivery.next(&mut Vec::new()).await.unwrap() {}
    network.stop().await;
}

#[tokio::test]
async fn nobody_speaks_for_others_and_garbage_is_refused() {
    let network = Network::start(1).await;
    let (dialer, controller) = (network.dialer(), network.controller());
    let refused = |result: Result<(), ControlError>| match result.unwrap_err() {
        ControlError::Refused { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    };
    let victim = NodeKey::from_bytes(&[1; 32]);
    let body = Addresses { node: victim.node_id(), sequence: u64::MAX, relay: None, direct: Vec::new() };
    let stolen = AddressRecord::new(body, &victim);
    assert_eq!(refused(put_address(&dialer, controller, stolen).await), ControlRefusal::Forged);
    let card = ProviderCard {
        account: account(1).address(),
        node: network.guest.node_id(),
        box_key: BoxKey::from_bytes([1; 32]).public_key(),
        region: String::new(),
    };
    let card = Signed::new(card, &account(VIEWER));
    let words = Announcement { card, ..announcement(VIEWER, u64::MAX) };
    let wordy = Announcement { site: "x".repeat(33), ..words.clone() };
    let say = async |words: ProviderWords| tell(&dialer, controller, dialer.sign(0, 1, words)).await;
    let announced = async |words: Announcement| refused(say(ProviderWords::Announce(words)).await.map(|_| ()));
    assert_eq!(announced(words).await, ControlRefusal::Forged);
    assert_eq!(announced(wordy).await, ControlRefusal::Malformed);
    assert_eq!(announced(announcement(1, u64::MAX)).await, ControlRefusal::Forged, "another node's card");
    let beat = Heartbeat { sequence: 1, mode: ProviderMode::Open, quota_bytes: 1, used_bytes: 0 };
    assert!(matches!(say(ProviderWords::Heartbeat(beat)).await, Err(ControlError::Unknown { .. })));

    for garbage in [&[0xff; 100][..], &[4, 0, 0, 0, 99, 99, 99, 99]] {
        let mut stream = dialer.open(controller, Alpn::Control).await.unwrap();
        stream.write(garbage).await.unwrap();
        let answer: ControlAnswer = stream.read_frame(CONTROL_FRAME_BYTES_MAX).await.unwrap();
        assert_eq!(answer, ControlAnswer::Refused(ControlRefusal::Malformed));
    }
    assert_eq!(network.head.controller.status().await.census.providers, 1);
    network.stop().await;
}

#[tokio::test]
async fn an_upload_survives_a_provider_that_dies_meanwhile() {
    let mut network = Network::start(3).await;
    let (cell, bytes) = sealed(4 << 20);
    let empty = network.peers[0].store.usage().used_bytes;
    let Upload::Wanted(mut stream) = network.upload_as(CREATOR, cell, bytes.len() as u64).await.unwrap() else {
        unreachable!()
    };
    let (first, rest) = bytes.split_at(1 << 20);
    stream.write(first.to_vec().into()).await.unwrap();
    // Room is promised where the cell is going; that is how the test finds out.
    let busy = |peer: &Peer| peer.store.usage().used_bytes > empty;
    let victim = network.peers.iter().position(busy).unwrap();
    network.peers.remove(victim).stop().await;
    for part in rest.chunks(100_000) {
        stream.write(part.to_vec().into()).await.unwrap();
    }
    assert_eq!(stream.finish().await.unwrap(), 2);
    assert_eq!(network.holders(&cell), [0, 1]);
    network.stop().await;
}

#[tokio::test]
async fn who_leaves_may_go_when_others_have_what_it_held() {
    let network = Network::start(3).await;
    let (cell, bytes) = sealed(300_000);
    network.publish(cell, &bytes).await.unwrap();
    let before = network.holders(&cell);
    let leaver = &network.peers[before[0]];
    assert_eq!(leaver.provider.status().needed_cells, None, "it has not said that it leaves");
    leaver.provider.leave();
    let mut waited = 0;
    while leaver.provider.status().needed_cells != Some(0) {
        waited += 1;
        assert!(waited < 1_000, "{:?}", leaver.provider.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(network.holders(&cell).len(), 3, "its own copy is the third");
    let source = network.source(0, Vec::new()).await.unwrap();
    let mut delivery = network.fetch(&source).await;
    while delivery.next(&mut Vec::new()).await.unwrap() {}
    network.stop().await;
}

#[tokio::test]
async fn one_of_two_controllers_is_enough() {
    let chain = Chain::new();
    let number = |mine| {
        move |config: &mut ControllerConfig| {
            config.census.turns = crate::Turns::new(mine, 2).unwrap();
            config.census.repair.grace_ms = 300;
        }
    };
    let first = Head::start_as(CONTROLLER, chain.clone(), any_port(), number(0)).await;
    let second = Head::start_as(CONTROLLER + 1, chain.clone(), any_port(), number(1)).await;
    let both = vec![first.overlay.info(), second.overlay.info()];
    let mut peers = Vec::new();
    for seed in 1..=3 {
        peers.push(Peer::start(seed, &chain, both.clone(), 8 << 20).await);
    }
    for head in [&first, &second] {
        head.until(|status| status.census.providers_alive == 3).await;
    }
    let guest = overlay(VIEWER, any_port(), both).await;
    let mut network = Network { chain, head: first, peers, guest };
    let (cell, bytes) = sealed(300_000);
    network.publish(cell, &bytes).await.unwrap();
    second.until(|status| status.census.cells == 1 && status.census.cells_short == 0).await;
    assert_eq!(network.holders(&cell).len(), 2, "the second one does not make its own copies");

    // The one that everybody asked goes, and then a provider.
    let gone = std::mem::replace(&mut network.head, second);
    gone.stop().await;
    let lost = network.peers.remove(network.holders(&cell)[0]);
    let silent = lost.overlay.node_id();
    lost.stop().await;
    network.head.until(|status| status.census.providers_alive == 2 && status.census.cells_short == 0).await;
    assert_eq!(network.holders(&cell).len(), 2);
    let source = network.source(0, Vec::new()).await.unwrap();
    assert_ne!(source.grant.body.provider_node, silent);
    let mut delivery = network.fetch(&source).await;
    while delivery.next(&mut Vec::new()).await.unwrap() {}
    network.stop().await;
}
