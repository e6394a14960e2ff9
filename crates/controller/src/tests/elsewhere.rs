//! What one controller's viewers watch, the others make copies of.

use super::*;
use chainflix_overlay::{
    Clock,
    control::{ControlRefusal, WATCHED_FILMS_MAX, Watched, WatchedFilm, tell_watched},
};
use std::sync::atomic::AtomicU64;

const MINUTE_MS: u64 = 60_000;
const LIAR: u8 = 110;

fn node(seed: u8) -> NodeId {
    NodeKey::from_bytes(&[seed; 32]).node_id()
}

/// By the hand of a test, and with patience for the days that pass by it.
fn by_hand(hand: &Arc<AtomicU64>, config: &mut ControllerConfig) {
    config.clock = Clock::by_hand(hand.clone());
    config.census.reputation.patience = PatienceRules::none(86_400_000);
}

/// A film of one cell, and a hand for the clocks.
fn beginning(size: usize) -> (Arc<Chain>, Arc<AtomicU64>, CellId, Vec<u8>) {
    let (chain, (cell, bytes)) = (Chain::new(), sealed(size));
    chain.films.lock().unwrap().push(film_of(RegisteredCell { cell, size: size as u64 }));
    (chain, Arc::new(AtomicU64::new(Clock::system().now_ms())), cell, bytes)
}

/// Eleven viewers want the film's next minute: one more than two copies serve.
async fn ask_as_crowd(network: &Network) {
    for seed in VIEWER..VIEWER + 11 {
        let request = GrantRequest {
            account: account(seed).address(),
            magnet: Magnet([3; 32]),
            cell_index: 0,
            from_byte: 0,
            viewer_box_key: BoxKey::from_bytes([seed; 32]).public_key(),
            excluded: Vec::new(),
            requested_ms: 1,
        };
        find_source(&network.dialer(), network.controller(), Signed::new(request, &account(seed))).await.unwrap();
    }
}

#[tokio::test]
async fn the_other_controller_wants_copies_for_a_crowd_that_it_does_not_see() {
    let (chain, hand, cell, bytes) = beginning(300_000);
    let second = Head::start_as(CONTROLLER + 1, chain.clone(), any_port(), |config| {
        config.others = vec![node(CONTROLLER)];
        by_hand(&hand, config);
    })
    .await;
    let others = vec![second.overlay.info()];
    let first = Head::start_beside(CONTROLLER, others, chain.clone(), any_port(), |config| {
        // One that is nowhere keeps nobody waiting.
        config.others.insert(0, node(LIAR));
        by_hand(&hand, config);
    })
    .await;
    let both = vec![first.overlay.info(), second.overlay.info()];
    let mut peers = Vec::new();
    for seed in 1..=2 {
        peers.push(Peer::start(seed, &chain, both.clone(), 8 << 20).await);
    }
    for head in [&first, &second] {
        head.until(|status| (status.census.providers_alive, status.census.cells) == (2, 1)).await;
    }
    let guest = overlay(VIEWER, any_port(), vec![first.overlay.info()]).await;
    let network = Network { chain, head: first, peers, guest };
    assert_eq!(network.publish_beside_others(cell, &bytes).await.unwrap(), 2);
    for head in [&network.head, &second] {
        head.until(|status| status.census.cells_short == 0).await;
    }

    // Minutes pass: in each the crowd asks the first controller, and nobody the second.
    let mut is_told = false;
    for _ in 0..300 {
        ask_as_crowd(&network).await;
        hand.fetch_add(MINUTE_MS, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        is_told = second.controller.status().await.census.cells_short == 1;
        if is_told {
            break;
        }
    }
    assert!(is_told, "{:?}", second.controller.status().await);
    second.stop().await;
    network.stop().await;
}

#[tokio::test]
async fn only_configured_controllers_are_believed_and_no_more_than_a_page() {
    let (chain, hand, cell, _) = beginning(300_000);
    let head = Head::start_as(CONTROLLER, chain.clone(), any_port(), |config| {
        config.others = vec![node(LIAR)];
        by_hand(&hand, config);
    })
    .await;
    head.until(|status| status.census.cells == 1).await;
    let films = vec![WatchedFilm { magnet: film_of(RegisteredCell { cell, size: 1 }).magnet, viewers: u32::MAX }];
    let tell = async |seed: u8, words: Watched| {
        let overlay = overlay(seed, any_port(), vec![head.overlay.info()]).await;
        let told = tell_watched(&overlay.dialer(), head.overlay.node_id(), words).await;
        overlay.close().await;
        match told {
            Ok(()) => Ok(()),
            Err(ControlError::Refused { refusal, .. }) => Err(refusal),
            Err(error) => panic!("{error:?}"),
        }
    };
    let words = |at_ms, films: &[WatchedFilm]| Watched { at_ms, films: films.to_vec() };
    assert_eq!(tell(LIAR + 1, words(1, &films)).await, Err(ControlRefusal::Forged));
    assert_eq!(tell(LIAR, words(1, &vec![films[0]; WATCHED_FILMS_MAX + 1])).await, Err(ControlRefusal::Malformed));
    assert_eq!(tell(LIAR, words(1, &vec![films[0]; WATCHED_FILMS_MAX])).await, Ok(()));
    assert_eq!(tell(LIAR, words(1, &films)).await, Err(ControlRefusal::Older));
    assert_eq!(tell(LIAR, words(2, &[])).await, Ok(()));
    head.stop().await;
}
