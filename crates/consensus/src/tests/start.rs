//! What a validator refuses to start with.

use crate::{Config, ConsensusKey, StartError, startup, testing};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

fn config(dir: &std::path::Path) -> Config {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config {
        genesis: testing::genesis(3, 1_000),
        consensus_key: testing::consensus_key(1),
        listen: anywhere,
        peers: vec![(2, anywhere), (0, anywhere)],
        dir: dir.to_owned(),
    }
}

fn refused(change: impl FnOnce(&mut Config)) -> StartError {
    let mut config = config("unused".as_ref());
    change(&mut config);
    startup::check(&config).unwrap_err()
}

#[test]
fn every_other_validator_has_one_address() {
    assert!(startup::check(&config("unused".as_ref())).is_ok());
    let somewhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    assert!(matches!(refused(|config| config.peers.truncate(1)), StartError::NoAddress { number: 0 }));
    for number in [0, 1, 3] {
        let refused = refused(|config| config.peers.push((number, somewhere)));
        assert!(matches!(refused, StartError::AddressTooMany { number: found } if found == number));
    }
}

#[test]
fn strangers_and_taken_addresses_are_refused() {
    let stranger = ConsensusKey::from_seed([99; 32]);
    let key = stranger.public();
    let error = refused(|config| config.consensus_key = stranger);
    assert!(matches!(error, StartError::NotAValidator { key: found } if found == key));

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    assert!(matches!(refused(|config| config.listen = address), StartError::Listen { .. }));
    assert!(matches!(refused(|config| config.genesis.params.block_ms = 0), StartError::Genesis(_)));
}

#[test]
fn a_folder_is_one_networks_and_is_missed_when_it_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let mut config = config(&root.path().join("consensus"));
    assert!(matches!(startup::prepare_folder(&config, 9), Err(StartError::NoArchive { height: 9, .. })));
    let engine = startup::prepare_folder(&config, 0).unwrap();
    assert!(matches!(startup::prepare_folder(&config, 9), Err(StartError::NoArchive { .. })));
    std::fs::create_dir(&engine).unwrap();
    assert_eq!(startup::prepare_folder(&config, 9).unwrap(), engine);

    config.genesis.params.block_ms += 1;
    assert!(matches!(startup::prepare_folder(&config, 0), Err(StartError::OtherNetwork { .. })));
}
