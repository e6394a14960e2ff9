//! What a validator is configured with, and what is checked before anything starts.

use crate::committee::{Committee, ConsensusKey, InvalidKey};
use chainflix_primitives::{Digest, NetworkGenesis, NodeId, genesis::GenesisError};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

/// File that says which network a folder belongs to.
const NETWORK_FILE: &str = "network";
/// Folder of the engine's own files.
const ENGINE_FOLDER: &str = "engine";

/// A validator's place in its network.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the network agreed on. It must be the one that execution and ledger were opened with.
    pub genesis: NetworkGenesis,
    /// The secret of one of its validators. Two processes with one key are a fault that others can prove.
    pub consensus_key: ConsensusKey,
    /// Where other validators connect to.
    pub listen: SocketAddr,
    /// Where each other validator listens, by its number in the genesis.
    pub peers: Vec<(usize, SocketAddr)>,
    /// Folder of the archive of blocks and certificates, and of the votes given. Never remove it while the key is in
    /// use: a validator that forgets its votes may contradict them.
    pub dir: PathBuf,
}

/// Why consensus did not start. Nothing was written then, or only an empty folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The genesis contradicts itself.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The genesis names a key that is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// Somebody else's key.
    #[error("{key} is no validator of this network")]
    NotAValidator {
        /// Public half of the configured key.
        key: NodeId,
    },
    /// Not all validators can be reached.
    #[error("validator {number} has no address")]
    NoAddress {
        /// Its number in the genesis.
        number: usize,
    },
    /// An address of nobody, of this validator itself, or a second one.
    #[error("the address of validator {number} is one too many")]
    AddressTooMany {
        /// The number it was given for.
        number: usize,
    },
    /// Another process listens there, or the address is not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The folder cannot be used.
    #[error("cannot use {}", dir.display())]
    Folder {
        /// The configured folder.
        dir: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The folder belongs to another network.
    #[error("{} belongs to network {found}, not {required}", dir.display())]
    OtherNetwork {
        /// The configured folder.
        dir: PathBuf,
        /// What the folder says.
        found: String,
        /// Digest of the configured genesis.
        required: Digest,
    },
    /// The chain is there but its archive is not: a disk that is not mounted, or a path that is mistyped.
    #[error("the view ledger is at block {height}, but {} holds no archive", dir.display())]
    NoArchive {
        /// The configured folder.
        dir: PathBuf,
        /// Height of the ledger.
        height: u64,
    },
    /// No thread can be had.
    #[error("cannot start the consensus thread")]
    Thread(#[source] io::Error),
}

/// Checks that the configuration describes a validator and how to reach all others.
pub(crate) fn check(config: &Config) -> Result<Committee, StartError> {
    config.genesis.check()?;
    let committee = Committee::of(&config.genesis)?;
    let key = config.consensus_key.public();
    let me = config.genesis.validators.iter().position(|validator| validator.consensus_key == key);
    let me = me.ok_or(StartError::NotAValidator { key })?;
    let mut missing: Vec<_> = (0..committee.len()).filter(|number| *number != me).collect();
    for &(number, _) in &config.peers {
        let place = missing.iter().position(|other| *other == number).ok_or(StartError::AddressTooMany { number })?;
        missing.remove(place);
    }
    match missing.first() {
        Some(&number) => Err(StartError::NoAddress { number }),
        None => probe(config.listen).map(|()| committee),
    }
}

/// commonware panics on its own thread when the address is taken; this says so here.
fn probe(address: SocketAddr) -> Result<(), StartError> {
    TcpListener::bind(address).map(drop).map_err(|source| StartError::Listen { address, source })
}

/// Makes the folder, or checks that it is this network's. Answers where the engine's files are.
pub(crate) fn prepare_folder(config: &Config, height: u64) -> Result<PathBuf, StartError> {
    let dir = &config.dir;
    let failed = |source| StartError::Folder { dir: dir.clone(), source };
    let (required, engine) = (config.genesis.digest(), dir.join(ENGINE_FOLDER));
    if height > 0 && !engine.is_dir() {
        return Err(StartError::NoArchive { dir: dir.clone(), height });
    }
    match read(&dir.join(NETWORK_FILE)).map_err(failed)? {
        Some(found) if found == required.to_string() => {}
        Some(found) => return Err(StartError::OtherNetwork { dir: dir.clone(), found, required }),
        None => {
            std::fs::create_dir_all(dir).map_err(failed)?;
            std::fs::write(dir.join(NETWORK_FILE), required.to_string()).map_err(failed)?;
        }
    }
    Ok(engine)
}

fn read(file: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
