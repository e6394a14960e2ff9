//! A film that few watch: four cells, six parity cells, ten disks; and what becomes of it when disks go.

use super::*;
use crate::{StripeCells, rebuild};
use chainflix_overlay::{
    Alpn, PeerStream, Protocol,
    control::{ProviderWords, tell},
    store::{STORE_FRAME_BYTES_MAX, StoreAnswer, StoreRequest},
};
use chainflix_parity::Recovery;
use chainflix_placement::repair::{PieceAt, RebuildOrder};
use chainflix_primitives::stripe::{STRIPE_CELLS, STRIPE_PARITY, Stripe};

const SIZES: [usize; STRIPE_CELLS] = [300_001, 299_999, 280_000, 70_000];

/// The cells of a film, their parity, and the film.
struct Striped {
    cells: Vec<(CellId, Vec<u8>)>,
    parity: Vec<(CellId, Vec<u8>)>,
    film: RegisteredFilm,
}

fn striped() -> Striped {
    let cells: Vec<(CellId, Vec<u8>)> = SIZES.into_iter().map(sealed).collect();
    let stripe = Stripe::of(&SIZES.map(|size| size as u64))[0];
    assert_eq!(stripe.cells, [0, 1, 2, 3]);
    let padded: Vec<Vec<u8>> = cells
        .iter()
        .map(|(_, bytes)| {
            let mut bytes = bytes.clone();
            bytes.resize(stripe.parity_bytes as usize, 0);
            bytes
        })
        .collect();
    let given = std::array::from_fn(|number| padded[number].as_slice());
    let made = Recovery::new([0, 1, 2, 3], &[4, 5, 6, 7, 8, 9]).unwrap().slice(given).unwrap();
    let parity: Vec<(CellId, Vec<u8>)> =
        made.into_iter().map(|bytes| (ChunkHashes::of(&bytes).root(), bytes)).collect();
    let registered = cells.iter().map(|(cell, bytes)| RegisteredCell { cell: *cell, size: bytes.len() as u64 });
    let names: Vec<CellId> = parity.iter().map(|(cell, _)| *cell).collect();
    let stripe = StripeCells {
        cells: std::array::from_fn(|number| cells[number].0),
        parity: names.try_into().unwrap(),
        parity_bytes: stripe.parity_bytes as u32,
    };
    let film = RegisteredFilm {
        magnet: Magnet([3; 32]),
        home: Region::UNKNOWN,
        cells: registered.collect(),
        stripes: vec![stripe],
    };
    Striped { cells, parity, film }
}

impl Striped {
    /// All ten pieces, in their order.
    fn pieces(&self) -> Vec<&(CellId, Vec<u8>)> {
        self.cells.iter().chain(&self.parity).collect()
    }
}

/// Everybody is trusted at once, surplus goes at once, and films get cold at once.
fn hurried(config: &mut ControllerConfig) {
    config.census.reputation.vetting_audits = 0;
    config.census.reputation.vetting_ms = 0;
    config.census.trim.delay_ms = 0;
    config.census.cold.after_ms = 0;
    // No gifts to newcomers: each copy here has its reason.
    config.census.newcomer_percent = 0;
    config.census.repair.source_bytes_per_s = 1 << 30;
    config.census.repair.target_bytes_per_s = 1 << 30;
}

/// A network in which the film is uploaded, and known to the chain.
async fn network(providers: u8, film: &Striped) -> Network {
    let network = Network::start_with(providers, hurried).await;
    for (cell, bytes) in &film.cells {
        assert_eq!(network.publish(*cell, bytes).await.unwrap(), 2);
    }
    network
}

async fn until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came: {what}");
}

/// Who holds each piece, as long as each has one holder and no two have the same.
fn keepers(network: &Network, film: &Striped) -> Option<Vec<usize>> {
    let holders: Vec<Vec<usize>> = film.pieces().iter().map(|(cell, _)| network.holders(cell)).collect();
    let keepers: Vec<usize> =
        holders.iter().filter_map(|holders| <[usize; 1]>::try_from(holders.as_slice()).ok()).map(|[one]| one).collect();
    let mut apart = keepers.clone();
    apart.sort_unstable();
    apart.dedup();
    (apart.len() == STRIPE_CELLS + STRIPE_PARITY).then_some(keepers)
}

/// Ends those who hold these pieces.
async fn kill(network: &mut Network, film: &Striped, pieces: &[usize]) {
    let keepers = keepers(network, film).unwrap();
    let mut gone: Vec<usize> = pieces.iter().map(|piece| keepers[*piece]).collect();
    gone.sort_unstable();
    for index in gone.into_iter().rev() {
        network.peers.remove(index).stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_that_nobody_watches_lies_on_ten_disks_and_outlives_three_at_once() {
    let film = striped();
    let mut network = network(15, &film).await;
    network.chain.films.lock().unwrap().push(film.film.clone());
    until("one copy of each of ten pieces", || keepers(&network, &film).is_some()).await;

    kill(&mut network, &film, &[0, 2, 5]).await;
    until("ten pieces again", || keepers(&network, &film).is_some()).await;
    for (cell, bytes) in film.pieces() {
        let holder = &network.peers[network.holders(cell)[0]];
        let stored = holder.store.read(cell).unwrap().unwrap();
        assert_eq!(stored.chunks(0, 1 << 10).unwrap(), *bytes);
    }

    // One alone is not worth four reads, until somebody asks for it.
    kill(&mut network, &film, &[1]).await;
    network.head.until(|status| status.census.providers_alive == 11).await;
    tokio::time::timeout(Duration::from_secs(20), async {
        while network.ask(|request| GrantRequest { cell_index: 1, ..request }).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("a cell that somebody asks for is made");
    let source = network.ask(|request| GrantRequest { cell_index: 1, ..request }).await.unwrap();
    let (mut delivery, mut sealed) = (network.fetch(&source).await, Vec::new());
    while delivery.next(&mut sealed).await.unwrap() {}
    assert_eq!(sealed, film.cells[1].1);
    network.stop().await;
}

/// Gives other bytes than those it is asked for.
struct OtherBytes;

impl Protocol for OtherBytes {
    fn alpn(&self) -> Alpn {
        Alpn::Store
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _request: StoreRequest = stream.read_frame(STORE_FRAME_BYTES_MAX).await.unwrap();
            stream.write_frame(&StoreAnswer::Sending { size: SIZES[0] as u64 }).await.unwrap();
            // Who asked may have stopped listening.
            let _ = stream.write(&vec![7; SIZES[0]]).await;
            stream.finish();
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lies_and_a_film_that_lists_false_parity_leave_nothing_behind() {
    let film = striped();
    let network = network(6, &film).await;
    let liar = overlay(90, any_port(), vec![network.head.overlay.info()]).await;
    let lying = liar.serve(vec![Arc::new(OtherBytes)], ServeLimits::default());
    // So that it can be found; without an inventory it counts for nothing.
    let words = ProviderWords::Announce(announcement(90, 1));
    tell(&liar.dialer(), network.controller(), liar.dialer().sign(0, 1, words)).await.unwrap();
    let piece = |number: usize, node| {
        let (cell, bytes) = film.pieces()[number].clone();
        PieceAt { number: number as u8, cell, size: bytes.len() as u32, node }
    };
    let holder = |number: usize| network.peers[network.holders(&film.cells[number].0)[0]].overlay.node_id();
    let empty = (0..network.peers.len()).find(|index| network.peers[*index].store.cells().is_empty());
    let to = network.peers[empty.unwrap_or(5)].overlay.node_id();
    let order = |first, to| RebuildOrder {
        from: std::array::from_fn(|number| piece(number, if number == 0 { first } else { holder(number) })),
        to: vec![to],
        urgent: false,
        start_ms: 0,
    };
    let run = async |order| {
        rebuild::run(&network.head.controller.protocol.registry, &network.head.overlay.dialer(), order).await
    };
    assert!(!run(order(liar.node_id(), piece(4, to))).await, "wrong bytes");
    let false_parity = PieceAt { cell: CellId([9; 32]), ..piece(4, to) };
    assert!(!run(order(holder(0), false_parity)).await, "wrong parity");
    assert!(network.holders(&film.parity[0].0).is_empty() && network.holders(&CellId([9; 32])).is_empty());
    assert!(run(order(holder(0), piece(4, to))).await);
    assert_eq!(network.holders(&film.parity[0].0).len(), 1);
    lying.stop().await;
    liar.close().await;
    network.stop().await;
}
