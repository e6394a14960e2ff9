//! Our own relay: carries sealed packets between peers that find no direct way, and counts every byte to its account.
//!
//! ```text
//! node behind a NAT ── TLS over TCP ──▶ port N   packets for a peer, and what the two must agree on to meet directly
//!                   ── QUIC over UDP ─▶ port N   "from where do you see me?": the address to show to peers
//! ```
//!
//! A relay sees ciphertext and node names, never content. Its certificate is made once and kept in its folder; clients
//! are configured with it, so no certificate authority is needed. Who may use it, and how much, is in [`ledger`].
//! Left out: who is registered. Whoever runs the relay asks the chain, and tells it by [`RelayServer::register`].

mod front;
mod ledger;
mod metered;

pub use ledger::{Allowance, Refusal, RelayLimits, RelayTotals, TRICKLE_BYTES_PER_S};

use crate::clock::Clock;
use chainflix_primitives::{AccountAddress, NodeId};
use front::{Connections, Front};
use iroh_relay::server::{QuicConfig, Server, ServerConfig};
use ledger::Ledger;
use n0_future::task::AbortOnDropHandle;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::{
    collections::{HashMap, HashSet},
    error::Error,
    fs,
    io::{self, Write},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

/// How to find and believe a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayInfo {
    /// `https://host:port`.
    pub url: String,
    /// The certificate that counts as proof for it (X.509, DER).
    pub certificate_der: Vec<u8>,
}

/// How to run a relay.
#[derive(Clone, Debug)]
pub struct RelayServerConfig {
    /// Where certificate and key are kept.
    pub folder: PathBuf,
    /// Where clients connect (TLS over TCP) and learn their public address (QUIC over UDP); port 0 for any free one.
    pub bind: SocketAddr,
    /// The host name or address clients know it by.
    pub host: String,
    /// Nodes that are served without limit: the network's own.
    pub named: HashSet<NodeId>,
    /// How much of it the others may use.
    pub limits: RelayLimits,
    /// By what its days are counted.
    pub clock: Clock,
}

impl RelayServerConfig {
    /// A relay that knows nobody by name yet, with the usual limits.
    pub fn new(folder: PathBuf, bind: SocketAddr, host: String) -> Self {
        let (named, limits, clock) = (HashSet::new(), RelayLimits::default(), Clock::system());
        Self { folder, bind, host, named, limits, clock }
    }
}

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Certificate or key cannot be read or kept.
    #[error("cannot use {path}")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// No certificate can be made for this host.
    #[error("cannot make a certificate for {host:?}")]
    Certificate {
        host: String,
        #[source]
        source: rcgen::Error,
    },
    /// Certificate and key do not fit together.
    #[error("certificate and key in {folder} cannot be used")]
    Tls {
        folder: PathBuf,
        #[source]
        source: rustls::Error,
    },
    /// The sockets are taken or not ours to take.
    #[error("cannot serve at {bind}")]
    Serve {
        bind: SocketAddr,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// The relay's certificate (DER) in its folder: what clients are given to believe it.
pub const CERTIFICATE_FILE: &str = "relay-certificate.der";

/// Ports tried before none counts as free.
const PORT_ATTEMPTS: u32 = 16;

/// Makes certificate and key for `host` in `folder` where there are none, so that clients can be configured before the
/// relay ever ran.
pub fn make_certificate(folder: &Path, host: &str) -> Result<(), RelayError> {
    Identity::load_or_make(folder, host).map(drop)
}

/// What is used of a relay. Each frame takes the lock for a look into two tables.
type SharedLedger = Arc<Mutex<Ledger>>;

fn lock(ledger: &SharedLedger) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running relay. Dropping it stops it.
pub struct RelayServer {
    /// Tells nodes their public addresses.
    discovery: Server,
    connections: Connections,
    accepting: AbortOnDropHandle<()>,
    ledger: SharedLedger,
    clock: Clock,
    info: RelayInfo,
}

impl RelayServer {
    /// Starts to serve; makes the certificate where the folder has none.
    pub async fn start(config: RelayServerConfig) -> Result<Self, RelayError> {
        let identity = Identity::load_or_make(&config.folder, &config.host)?;
        let bind = free(config.bind).map_err(|error| RelayError::Serve { bind: config.bind, source: error.into() })?;
        let tls = identity.tls().map_err(|source| RelayError::Tls { folder: config.folder.clone(), source })?;
        let serve = |source: Box<dyn Error + Send + Sync>| RelayError::Serve { bind, source };
        let listener = tokio::net::TcpListener::bind(bind).await.map_err(|error| serve(error.into()))?;
        let mut quic = QuicConfig::new(bind);
        quic.server_config = Some(tls.clone());
        let mut server = ServerConfig::default();
        server.quic = Some(quic);
        let discovery = Server::spawn(server).await.map_err(|error| serve(error.into()))?;
        let ledger = Arc::new(Mutex::new(Ledger::new(config.limits, config.named)));
        let front = Front::new(ledger.clone(), config.clock.clone());
        let serving = front.clone().serve(listener, TlsAcceptor::from(Arc::new(tls)));
        let accepting = AbortOnDropHandle::new(tokio::spawn(serving));
        let host = match config.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => config.host,
        };
        let info = RelayInfo { url: format!("https://{host}:{}", bind.port()), certificate_der: identity.certificate };
        let connections = Connections(front);
        Ok(Self { discovery, connections, accepting, ledger, clock: config.clock, info })
    }

    /// What clients need to know.
    pub fn info(&self) -> &RelayInfo {
        &self.info
    }

    /// Says which node each registered account has, from now on; whoever is connected is counted by it at once.
    pub fn register(&self, accounts: HashMap<NodeId, AccountAddress>) {
        lock(&self.ledger).register(accounts, self.clock.now_ms());
    }

    /// Bytes of packets passed on since the start, each once.
    pub fn relayed_bytes(&self) -> u64 {
        self.connections.0.relayed_bytes()
    }

    /// What was done for whom since the start.
    pub fn totals(&self) -> RelayTotals {
        lock(&self.ledger).totals()
    }

    /// Nodes that are served right now; one that comes back before its old connection ended counts twice.
    pub fn connections(&self) -> usize {
        lock(&self.ledger).nodes().len()
    }

    /// Ends all connections and stops.
    pub async fn stop(self) {
        let Self { discovery, connections, accepting, .. } = self;
        accepting.abort();
        // Aborted, and waited for: the port is free when this returns.
        let _aborted = accepting.await;
        connections.0.stop().await;
        if let Err(error) = discovery.shutdown().await {
            tracing::warn!(%error, "the relay did not stop in order");
        }
    }
}

struct Identity {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Identity {
    fn load_or_make(folder: &Path, host: &str) -> Result<Self, RelayError> {
        let certificate_path = folder.join(CERTIFICATE_FILE);
        let key_path = folder.join("relay-key.der");
        match fs::read(&certificate_path) {
            Ok(certificate) => {
                let key = Zeroizing::new(fs::read(&key_path).map_err(folder_error(&key_path))?);
                return Ok(Self { certificate, key });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(folder_error(&certificate_path)(error)),
        }
        let made = rcgen::generate_simple_self_signed([host.to_owned()])
            .map_err(|source| RelayError::Certificate { host: host.to_owned(), source })?;
        let key = Zeroizing::new(made.signing_key.serialize_der());
        let identity = Self { certificate: made.cert.der().to_vec(), key };
        fs::create_dir_all(folder).map_err(folder_error(folder))?;
        // The key first: a certificate in the folder says that its key is there too.
        write_secret(&key_path, &identity.key).map_err(folder_error(&key_path))?;
        fs::write(&certificate_path, &identity.certificate).map_err(folder_error(&certificate_path))?;
        Ok(identity)
    }

    fn tls(&self) -> Result<rustls::ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate = CertificateDer::from(self.certificate.clone());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.to_vec()));
        rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
    }
}

/// `bind` with a port that TCP and UDP both have free, where it names none.
fn free(bind: SocketAddr) -> io::Result<SocketAddr> {
    if bind.port() != 0 {
        return Ok(bind);
    }
    let mut attempt = 1;
    loop {
        let udp = UdpSocket::bind(bind)?.local_addr()?;
        match TcpListener::bind(udp) {
            Ok(_) => return Ok(udp),
            Err(error) if attempt == PORT_ATTEMPTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder_error(path: &Path) -> impl Fn(io::Error) -> RelayError {
    let path = path.to_path_buf();
    move |source| RelayError::Folder { path: path.clone(), source }
}
