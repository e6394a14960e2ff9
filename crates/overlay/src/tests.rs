//! The overlay over loopback: frames, limits, silence, lookup, relay.

use crate::{
    AddressRecord, Allowance, Alpn, ControllerInfo, DialError, Dialer, NodeKey, Overlay, OverlayConfig, PathKind,
    PeerStream, Protocol, RelayLimits, RelayServer, RelayServerConfig, ServeLimits, Serving, StreamError, Timeouts,
    clock::Clock,
    control::{CONTROL_FRAME_BYTES_MAX, ControlAnswer, ControlRequest},
    relay::TRICKLE_BYTES_PER_S,
};
use chainflix_primitives::{AccountAddress, NodeId};
use futures::future::BoxFuture;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

fn config(seed: u8) -> OverlayConfig {
    OverlayConfig::new(NodeKey::from_bytes(&[seed; 32]), LOOPBACK.into())
}

fn limits() -> ServeLimits {
    ServeLimits { stall: Duration::from_millis(200), ..ServeLimits::default() }
}

/// Answers each frame of at most 1,000 bytes with itself, and reports how requests ended.
struct Echo(mpsc::UnboundedSender<Result<(), StreamError>>);

impl Protocol for Echo {
    fn alpn(&self) -> Alpn {
        Alpn::Store
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let ended = match stream.read_frame::<Vec<u8>>(1_000).await {
                Ok(frame) => stream.write_frame(&frame).await,
                Err(error) => Err(error),
            };
            self.0.send(ended).unwrap();
        })
    }
}

struct Server {
    overlay: Overlay,
    _serving: Serving,
    ended: mpsc::UnboundedReceiver<Result<(), StreamError>>,
}

async fn echo(config: OverlayConfig) -> Server {
    let overlay = Overlay::bind(config).await.unwrap();
    let (sender, ended) = mpsc::unbounded_channel();
    let serving = overlay.serve(vec![Arc::new(Echo(sender))], limits());
    Server { overlay, _serving: serving, ended }
}

/// What a configuration file would say.
fn introduce(overlay: &Overlay, to: &Dialer, seed: u8) {
    let info = overlay.info();
    let body = crate::Addresses { node: info.node, sequence: 1, relay: info.relay, direct: info.direct };
    to.learn(&AddressRecord::new(body, &NodeKey::from_bytes(&[seed; 32]))).unwrap();
}

async fn round_trip(dialer: &Dialer, node: NodeId) -> PathKind {
    let mut stream = dialer.open(node, Alpn::Store).await.unwrap();
    stream.write_frame(&vec![7u8; 900]).await.unwrap();
    assert_eq!(stream.read_frame::<Vec<u8>>(1_000).await.unwrap(), vec![7; 900]);
    stream.path()
}

#[tokio::test]
async fn frames_come_back_over_one_kept_connection() {
    let mut server = echo(config(1)).await;
    let client = Overlay::bind(config(2)).await.unwrap();
    introduce(&server.overlay, &client.dialer(), 1);
    for _ in 0..3 {
        assert_eq!(round_trip(&client.dialer(), server.overlay.node_id()).await, PathKind::Direct);
        server.ended.recv().await.unwrap().unwrap();
    }
    assert_eq!(client.dialer().paths(), [(server.overlay.node_id(), Alpn::Store, PathKind::Direct)]);
    client.close().await;
}

#[tokio::test]
async fn garbage_length_lies_and_silence_end_one_request_and_nothing_else() {
    let mut server = echo(config(1)).await;
    let client = Overlay::bind(config(2)).await.unwrap();
    let (dialer, node) = (client.dialer(), server.overlay.node_id());
    introduce(&server.overlay, &dialer, 1);
    let open = || async { dialer.open(node, Alpn::Store).await.unwrap() };

    let mut liar = open().await;
    liar.write(&u32::MAX.to_le_bytes()).await.unwrap();
    assert!(matches!(
        server.ended.recv().await.unwrap(),
        Err(StreamError::TooLarge { bytes: 0xffff_ffff, most: 1_000 })
    ));
    let mut garbage = open().await;
    garbage.write(&[5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1]).await.unwrap();
    assert!(matches!(server.ended.recv().await.unwrap(), Err(StreamError::Encoding(_))));
    let mut short = open().await;
    short.write(&[200, 0, 0, 0, 1]).await.unwrap();
    short.finish();
    assert!(matches!(server.ended.recv().await.unwrap(), Err(StreamError::Ended)));
    let mut silent = open().await;
    silent.write(&[200, 0]).await.unwrap();
    assert!(matches!(server.ended.recv().await.unwrap(), Err(StreamError::Stalled { after_ms: 200 })));

    round_trip(&dialer, node).await;
    client.close().await;
}

#[tokio::test]
async fn a_drip_of_bytes_is_no_better_than_silence() {
    let mut server = echo(config(1)).await;
    let client = Overlay::bind(config(2)).await.unwrap();
    introduce(&server.overlay, &client.dialer(), 1);
    let mut loris = client.dialer().open(server.overlay.node_id(), Alpn::Store).await.unwrap();
    loris.write(&900u32.to_le_bytes()).await.unwrap();
    let drip = async {
        // At this rate the frame would take nine seconds.
        while loris.write(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = server.ended.recv() => ended.unwrap(),
        () = drip => unreachable!("it drips on until the server has had enough"),
    };
    assert!(matches!(ended, Err(StreamError::Stalled { after_ms: 200 })), "{ended:?}");
    client.close().await;
}

/// A node that asks, and soon notices that nothing is confirmed.
async fn asking(seed: u8) -> Overlay {
    let timeouts = Timeouts { confirm: Duration::from_secs(1), ..Timeouts::default() };
    Overlay::bind(OverlayConfig { timeouts, ..config(seed) }).await.unwrap()
}

#[tokio::test]
async fn who_is_killed_and_runs_again_is_dialled_anew() {
    let life = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = life.spawn(echo(config(1))).await.unwrap();
    let (client, info) = (asking(2).await, server.overlay.info());
    let dialer = client.dialer();
    introduce(&server.overlay, &dialer, 1);
    round_trip(&dialer, info.node).await;
    // As a kill does it: nobody is told.
    life.shutdown_background();
    drop(server);
    let config = OverlayConfig { bind: info.direct[0], ..config(1) };
    let mut again = Overlay::bind(config.clone()).await;
    for _ in 0..500 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        again = Overlay::bind(config.clone()).await;
    }
    let (sender, _ended) = mpsc::unbounded_channel();
    let again = again.unwrap();
    let _serving = again.serve(vec![Arc::new(Echo(sender))], limits());

    let begun = Instant::now();
    let mut stream = dialer.open(info.node, Alpn::Store).await.unwrap();
    stream.write_frame(&vec![7u8; 900]).await.unwrap();
    let answer = stream.read_frame_within::<Vec<u8>>(1_000, Duration::from_secs(90)).await;
    assert!(matches!(answer, Err(StreamError::Gone { after_ms: 1_000 })), "{answer:?}");
    assert_eq!(dialer.paths(), []);
    round_trip(&dialer, info.node).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "QUIC itself notices after thirty");
    client.close().await;
}

/// Answers each frame with itself, later.
struct Slow(Duration);

impl Protocol for Slow {
    fn alpn(&self) -> Alpn {
        Alpn::Store
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let frame = stream.read_frame::<Vec<u8>>(1_000).await.unwrap();
            tokio::time::sleep(self.0).await;
            stream.write_frame(&frame).await.unwrap();
        })
    }
}

#[tokio::test]
async fn who_takes_its_time_is_not_gone() {
    let server = Overlay::bind(config(1)).await.unwrap();
    let _serving = server.serve(vec![Arc::new(Slow(Duration::from_millis(1_500)))], limits());
    let client = asking(2).await;
    introduce(&server, &client.dialer(), 1);
    round_trip(&client.dialer(), server.node_id()).await;
    assert_eq!(client.dialer().paths().len(), 1);
    client.close().await;
}

#[tokio::test]
async fn nobody_and_nothing_cannot_be_dialled() {
    let client = Overlay::bind(config(2)).await.unwrap();
    let mut bytes = [0; 32];
    bytes[0] = 2;
    let nothing = client.dialer().open(NodeId(bytes), Alpn::Cell).await.unwrap_err();
    assert!(matches!(nothing, DialError::NotANode(_)));
    let nobody = NodeKey::from_bytes(&[9; 32]).node_id();
    let error = client.dialer().open(nobody, Alpn::Cell).await.unwrap_err();
    assert!(matches!(error, DialError::Unreachable { .. }), "{error:?}");
    client.close().await;
}

/// The address half of a controller.
#[derive(Default)]
struct Book(Mutex<HashMap<NodeId, AddressRecord>>);

impl Protocol for Book {
    fn alpn(&self) -> Alpn {
        Alpn::Control
    }

    fn serve(self: Arc<Self>, mut stream: PeerStream) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let answer = match stream.read_frame(CONTROL_FRAME_BYTES_MAX).await.unwrap() {
                ControlRequest::PutAddress(record) => {
                    record.verify().unwrap();
                    self.0.lock().unwrap().insert(record.body.node, record);
                    ControlAnswer::Done
                }
                ControlRequest::GetAddress(node) => ControlAnswer::Address(self.0.lock().unwrap().get(&node).cloned()),
                _ => unreachable!(),
            };
            stream.write_frame(&answer).await.unwrap();
        })
    }
}

#[tokio::test]
async fn nodes_find_each_other_through_the_controller_alone() {
    let controller = Overlay::bind(config(3)).await.unwrap();
    let book = Arc::new(Book::default());
    let _serving = controller.serve(vec![book.clone()], limits());
    let controllers: Vec<ControllerInfo> = vec![controller.info()];
    let server = echo(OverlayConfig { controllers: controllers.clone(), ..config(1) }).await;
    let client = Overlay::bind(OverlayConfig { controllers, ..config(2) }).await.unwrap();
    // Publication is not awaited by anybody; the first dials may come too early.
    let mut published = false;
    for _ in 0..100 {
        published = book.0.lock().unwrap().contains_key(&server.overlay.node_id());
        if published {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(published);
    round_trip(&client.dialer(), server.overlay.node_id()).await;
    client.close().await;
}

#[tokio::test]
async fn two_nodes_without_addresses_meet_at_the_relay() {
    let folder = tempfile::tempdir().unwrap();
    let relay_config = RelayServerConfig::new(folder.path().into(), LOOPBACK.into(), "127.0.0.1".into());
    let relay = RelayServer::start(relay_config.clone()).await.unwrap();
    let port: u16 = relay.info().url.rsplit(':').next().unwrap().parse().unwrap();
    let taken = std::net::UdpSocket::bind(("127.0.0.1", port)).unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse, "it tells nodes their addresses there");
    let hidden = |seed| OverlayConfig { relay: Some(relay.info().clone()), relay_only: true, ..config(seed) };
    let server = echo(hidden(1)).await;
    let client = Overlay::bind(hidden(2)).await.unwrap();
    tokio::join!(server.overlay.online(), client.online());
    for hidden in [&server.overlay, &client] {
        let info = hidden.info();
        assert!(info.direct.is_empty() && info.relay.is_some(), "{info:?}");
    }
    introduce(&server.overlay, &client.dialer(), 1);
    assert_eq!(round_trip(&client.dialer(), server.overlay.node_id()).await, PathKind::Relayed);
    assert!(relay.relayed_bytes() > 1_800, "both directions were counted");
    client.close().await;
    let certificate = relay.info().certificate_der.clone();
    relay.stop().await;
    let again = RelayServer::start(relay_config).await.unwrap();
    assert_eq!(again.info().certificate_der, certificate, "a restart is the same relay");
    again.stop().await;
}

/// A relay with these limits that knows node 1 by name and node 2 as an account's.
async fn relay(limits: RelayLimits, clock: Clock) -> (RelayServer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let usual = RelayServerConfig::new(folder.path().into(), LOOPBACK.into(), "127.0.0.1".into());
    let named = HashSet::from([NodeKey::from_bytes(&[1; 32]).node_id()]);
    let relay = RelayServer::start(RelayServerConfig { named, limits, clock, ..usual }).await.unwrap();
    relay.register(HashMap::from([(NodeKey::from_bytes(&[2; 32]).node_id(), AccountAddress([2; 20]))]));
    (relay, folder)
}

fn behind(relay: &RelayServer, seed: u8) -> OverlayConfig {
    OverlayConfig { relay: Some(relay.info().clone()), relay_only: true, ..config(seed) }
}

/// Waits until `done`; a relay does its part soon, and not at a moment that anybody is told.
async fn soon(done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not come about in ten seconds");
}

#[tokio::test]
async fn a_relay_for_registered_accounts_refuses_strangers_and_serves_the_others() {
    let limits = RelayLimits { home: Allowance { day_bytes: 0, bytes_per_s: 0 }, ..RelayLimits::default() };
    let (relay, _folder) = relay(limits, Clock::system()).await;
    let stranger = Overlay::bind(behind(&relay, 3)).await.unwrap();
    soon(|| relay.totals().refused > 0).await;
    let server = echo(behind(&relay, 1)).await;
    let client = Overlay::bind(behind(&relay, 2)).await.unwrap();
    tokio::join!(server.overlay.online(), client.online());
    introduce(&server.overlay, &client.dialer(), 1);
    assert_eq!(round_trip(&client.dialer(), server.overlay.node_id()).await, PathKind::Relayed);
    let totals = relay.totals();
    assert!(totals.named_bytes > 1_800 && totals.account_bytes > 1_800, "{totals:?}");
    assert_eq!(totals.stranger_bytes, 0);
    let waited = tokio::time::timeout(Duration::from_millis(100), stranger.online()).await;
    assert!(waited.is_err(), "it was never let in");
    // Who registers is let in when it tries again.
    relay.register(HashMap::from([(stranger.node_id(), AccountAddress([3; 20]))]));
    stranger.online().await;
    for overlay in [stranger, client] {
        overlay.close().await;
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_stranger_gets_its_day_and_then_a_trickle() {
    const DAY_BYTES: u64 = 400_000;
    const BURST_BYTES: u64 = 64 << 10;
    // It stands still while they pour, so that not a byte of the trickle comes in between.
    let hand = Arc::new(AtomicU64::new(1_000_000_000));
    let home = Allowance { day_bytes: DAY_BYTES, bytes_per_s: 4_000_000 };
    let limits = RelayLimits { home, ..RelayLimits::default() };
    let (relay, _folder) = relay(limits, Clock::by_hand(hand.clone())).await;
    let server = echo(behind(&relay, 1)).await;
    let client = Overlay::bind(behind(&relay, 3)).await.unwrap();
    tokio::join!(server.overlay.online(), client.online());
    introduce(&server.overlay, &client.dialer(), 1);
    let dialer = client.dialer();
    round_trip(&dialer, server.overlay.node_id()).await;
    let pour = async {
        // A frame that is longer than the echo takes: it reads the length alone, and QUIC's window lets the rest follow.
        loop {
            let mut stream = dialer.open(server.overlay.node_id(), Alpn::Store).await.unwrap();
            while stream.write(&[0; 16_384]).await.is_ok() {}
        }
    };
    tokio::select! {
        () = soon(|| relay.totals().dropped_bytes > 0) => {}
        () = pour => unreachable!("it pours for ever"),
    }
    let totals = relay.totals();
    assert!(totals.stranger_bytes >= DAY_BYTES, "{totals:?}");
    // In each direction what may come at once, and the frame that reaches over it, which is not longer.
    assert!(totals.stranger_bytes < DAY_BYTES + 2 * 2 * BURST_BYTES, "{totals:?}");
    client.close().await;
    // What it had sent before it went is still read, and would use up the home's trickle.
    soon(|| relay.connections() == 1).await;
    hand.fetch_add(1_000 * BURST_BYTES / TRICKLE_BYTES_PER_S, Ordering::SeqCst);
    // What is left is enough to agree on something, under another name too.
    let other = Overlay::bind(behind(&relay, 4)).await.unwrap();
    other.online().await;
    introduce(&server.overlay, &other.dialer(), 1);
    round_trip(&other.dialer(), server.overlay.node_id()).await;
    let totals = relay.totals();
    assert!(totals.stranger_bytes < DAY_BYTES + 2 * 2 * 2 * BURST_BYTES, "{totals:?}");
    other.close().await;
    relay.stop().await;
}
