//! The accept loop of every HTTP server of ours: HTTP/1.1, bounded in connections, headers and patience.
//!
//! ```text
//! accept ──▶ room? ──no──▶ closed at once
//!              │yes
//!              ▼
//!          one task a connection ──▶ router          shutdown: no more accepts, idle connections end,
//!                                                    running answers have `drain` to finish
//! ```
//!
//! The loop owns all connection tasks; when [`serve`] returns none is left. HTTP/2 comes with TLS in practice, and so
//! from the reverse proxy that does TLS.

use crate::origin::is_trusted;
use axum::{Router, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    collections::HashMap,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::pin,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::{sleep, timeout},
};
use tracing::{debug, error, warn};

/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Pause after the system refused a connection, which it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server holds at a time.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in all. Further ones wait in the system's queue.
    pub connections_max: usize,
    /// Connections of one address; further ones are closed.
    pub connections_per_address_max: usize,
    /// Addresses that many people share by design (gateways, proxies): the limit per address is not for them.
    pub shared: Vec<IpAddr>,
    /// Until the head of a request is there; also how long an idle connection is kept.
    pub head_timeout: Duration,
    /// What running answers have left at shutdown.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            connections_per_address_max: 256,
            shared: Vec::new(),
            head_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// Serves `router` until `shutdown` completes. Handlers find the peer in [`ConnectInfo<SocketAddr>`].
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let (stop, stopped) = watch::channel(());
    let mut open = Connections::default();
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = open.tasks.join_next_with_id() => open.forget(ended),
            accepted = listener.accept(), if open.tasks.len() < limits.connections_max => match accepted {
                Ok((stream, peer)) if open.has_room(peer.ip(), &limits) => {
                    let served = connection(stream, peer, router.clone(), limits.head_timeout, stopped.clone());
                    open.spawn(peer.ip(), served);
                }
                Ok((_, peer)) => debug!(%peer, "closed: too many connections of one address"),
                Err(error) => {
                    warn!(%error, "no connection can be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop((listener, stop));
    let drained = async { while open.tasks.join_next().await.is_some() {} };
    if timeout(limits.drain, drained).await.is_err() {
        debug!(connections = open.tasks.len(), "closed with answers under way");
    }
    open.tasks.shutdown().await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    head_timeout: Duration,
    mut stopped: watch::Receiver<()>,
) {
    // Small answers must not wait for the acknowledgement of earlier ones; without it they only come later.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        hyper::service::Service::call(&TowerToHyperService::new(router.clone()), request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        // The sender never sends: it is dropped at shutdown.
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "connection ended");
    }
}

#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    of_task: HashMap<Id, IpAddr>,
    count: HashMap<IpAddr, usize>,
}

impl Connections {
    fn has_room(&self, address: IpAddr, limits: &Limits) -> bool {
        let open = self.count.get(&address).copied().unwrap_or_default();
        open < limits.connections_per_address_max || is_trusted(&limits.shared, address)
    }

    fn spawn(&mut self, address: IpAddr, served: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(served).id();
        self.of_task.insert(id, address);
        *self.count.entry(address).or_default() += 1;
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(panic) => {
                error!(%panic, "a request handler failed");
                panic.id()
            }
        };
        let Some(address) = self.of_task.remove(&id) else { return };
        if let Some(open) = self.count.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                self.count.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::oneshot,
    };

    async fn start(limits: Limits, router: Router) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = serve(listener, router, limits, async move { _ = stopped.await });
        (address, stop, tokio::spawn(served))
    }

    async fn ask(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        let bytes = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..bytes]).into_owned()
    }

    #[tokio::test]
    async fn one_address_cannot_take_all_connections() {
        let limits = Limits { connections_per_address_max: 1, ..Default::default() };
        let (address, _stop, _server) = start(limits, Router::new().route("/", get(|| async { "hello" }))).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut first).await.ends_with("hello"));
        let mut second = TcpStream::connect(address).await.unwrap();
        assert_eq!(second.read(&mut [0]).await.unwrap_or_default(), 0, "closed");
        drop(first);
        loop {
            // The server learns of the closed connection at a moment of its own.
            let mut third = TcpStream::connect(address).await.unwrap();
            let asked = third.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
            if asked.is_ok() && third.read(&mut [0]).await.is_ok_and(|bytes| bytes == 1) {
                break;
            }
        }
    }

    #[tokio::test]
    async fn a_head_that_drips_in_is_not_waited_for() {
        let limits = Limits { head_timeout: Duration::from_millis(200), ..Default::default() };
        let (address, _stop, _server) = start(limits, Router::new().route("/", get(|| async { "hello" }))).await;
        let (mut answer, mut loris) = TcpStream::connect(address).await.unwrap().into_split();
        let drip = async {
            loris.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
            while loris.write_all(b"a").await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut said = Vec::new();
        tokio::select! {
            // Closed, with or without a word about why.
            _closed = answer.read_to_end(&mut said) => {}
            () = drip => unreachable!("it drips on until the server has had enough"),
        }
        assert!(!String::from_utf8_lossy(&said).contains("hello"));
    }

    #[tokio::test]
    async fn shutdown_lets_a_running_answer_finish_and_idle_connections_go() {
        let (entered, entering) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let gates = std::sync::Arc::new(std::sync::Mutex::new(Some((entered, released))));
        let slow = get(move || async move {
            let taken = gates.lock().unwrap().take();
            if let Some((entered, released)) = taken {
                entered.send(()).unwrap();
                released.await.unwrap();
            }
            "late"
        });
        let (address, stop, server) = start(Limits::default(), Router::new().route("/", slow)).await;
        let mut busy = TcpStream::connect(address).await.unwrap();
        let mut idle = TcpStream::connect(address).await.unwrap();
        let answer = tokio::spawn(async move { ask(&mut busy).await });
        entering.await.unwrap();
        stop.send(()).unwrap();
        assert_eq!(idle.read(&mut [0]).await.unwrap_or_default(), 0);
        assert!(!server.is_finished());
        release.send(()).unwrap();
        assert!(answer.await.unwrap().ends_with("late"));
        server.await.unwrap();
    }
}
