//! Connects a validator to all others, over TCP, with mutual authentication by their consensus keys.
//!
//! Every validator knows the addresses of all; there is no discovery. Who is not in the genesis of the very same network
//! does not get through the handshake. Messages are bounded in size and, per sender and channel, in number.

use crate::{
    block::{Block, Digest},
    committee::{Committee, ConsensusKey},
    gossip,
};
use commonware_consensus::{
    marshal::{self, standard::Standard},
    simplex::{self, scheme::ed25519::Scheme},
};
use commonware_cryptography::{
    ChaCha20Poly1305,
    ed25519::{PrivateKey, PublicKey},
};
use commonware_p2p::{
    Address, AddressableManager as _, AddressableTrackedPeers,
    authenticated::lookup::{self, Oracle, Receiver, Sender},
    max_message_size,
};
use commonware_runtime::{Quota, Supervisor as _, tokio::Context};
use commonware_stream::{
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZU32, NZUsize, ordered::Map};
use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// Clocks of validators may differ by this much, or they do not connect.
const CLOCK_DRIFT_MAX: Duration = Duration::from_secs(5);
/// How old a handshake message may be.
const HANDSHAKE_AGE_MAX: Duration = Duration::from_secs(10);
/// Pause between two attempts to reach a validator: short, because a missing one costs every fourth turn its timeout.
const DIAL_INTERVAL: Duration = Duration::from_millis(250);
/// Messages between the network's own parts.
const MAILBOX: NonZeroUsize = NZUsize!(1_024);

/// A channel's messages per second from one validator, and at once. Buffers are allotted by the latter, times the number
/// of validators, so that the channels of large messages have small ones.
struct Pace {
    per_second: NonZeroU32,
    at_once: NonZeroU32,
}

impl Pace {
    const fn new(per_second: NonZeroU32, at_once: NonZeroU32) -> Self {
        Self { per_second, at_once }
    }

    const fn quota(&self) -> Quota {
        Quota::per_second(self.per_second).allow_burst(self.at_once)
    }
}

/// Votes, certificates and requests of a view are a handful; many views pass quickly when a validator catches up.
const SMALL: Pace = Pace::new(NZU32!(256), NZU32!(256));
/// Requests for blocks, and blocks in answer: this is how fast a validator catches up.
const BACKFILL: Pace = Pace::new(NZU32!(256), NZU32!(64));
/// A leader sends a block, and at 100 ms no more than ten a second.
const BLOCKS: Pace = Pace::new(NZU32!(32), NZU32!(16));

pub(crate) type Network = lookup::Network<Context, Cups<Sake<PrivateKey>, ChaCha20Poly1305>>;
pub(crate) type Channel = (Sender<PublicKey, Context>, Receiver<PublicKey>);

/// The network's channels, one for each purpose.
pub(crate) struct Channels {
    pub votes: Channel,
    pub certificates: Channel,
    pub requests: Channel,
    pub backfill: Channel,
    pub blocks: Channel,
    pub gossip: Channel,
}

/// Where this validator listens and the others do.
pub(crate) struct Addresses {
    pub listen: SocketAddr,
    /// All other validators, by number.
    pub peers: Vec<(usize, SocketAddr)>,
}

/// Makes the network; it connects when it is started.
pub(crate) fn open(
    context: &Context,
    committee: &Committee,
    key: &ConsensusKey,
    addresses: Addresses,
) -> (Network, Oracle<PublicKey>, Channels) {
    let config = config(committee, key, addresses.listen);
    let (mut network, mut oracle) = lookup::Network::new(context.child("network"), config);
    let known =
        addresses.peers.into_iter().filter_map(|(number, at)| Some((committee.key(number)?.clone(), at.into())));
    let myself = (commonware_cryptography::Signer::public_key(&key.private()), addresses.listen.into());
    let everybody = Map::<PublicKey, Address>::from_iter_dedup(known.chain([myself]));
    oracle.track(0, AddressableTrackedPeers::primary(everybody));
    let gossip = Pace::new(gossip::PACKETS_PER_SECOND, gossip::PACKETS_AT_ONCE);
    let channels = Channels {
        votes: network.register(0, SMALL.quota()),
        certificates: network.register(1, SMALL.quota()),
        requests: network.register(2, SMALL.quota()),
        backfill: network.register(3, BACKFILL.quota()),
        blocks: network.register(4, BLOCKS.quota()),
        gossip: network.register(5, gossip.quota()),
    };
    (network, oracle, channels)
}

fn config(
    committee: &Committee,
    key: &ConsensusKey,
    listen: SocketAddr,
) -> lookup::Config<Cups<Sake<PrivateKey>, ChaCha20Poly1305>> {
    let handshake = Sake {
        signer: key.private(),
        synchrony_bound: CLOCK_DRIFT_MAX,
        max_handshake_age: HANDSHAKE_AGE_MAX,
        version: sake::Version::V1,
    };
    // The genesis allows 1 to 128 validators.
    let validators = NonZeroUsize::new(committee.len()).unwrap_or(NonZeroUsize::MIN);
    let handshake = Cups::new(handshake, cups::Version::V1);
    lookup::Config {
        peer_connection_cooldown: DIAL_INTERVAL,
        dial_frequency: DIAL_INTERVAL,
        tracked_peer_sets: NonZeroUsize::MIN,
        // Validators behind address translation call from addresses that are not in the list. The handshake decides.
        bypass_ip_check: true,
        ..lookup::Config::local(handshake, committee.namespace(), listen, validators, message_bytes(committee), MAILBOX)
    }
}

/// The largest message of any channel, in bytes.
fn message_bytes(committee: &Committee) -> u32 {
    // At most 128, see above.
    let validators = committee.len() as u32;
    max_message_size(&[
        simplex::max_payload_size::<Scheme, Digest>(validators),
        marshal::max_payload_size::<Standard<Block>, Scheme>(validators, &()),
        gossip::PACKET_BYTES_MAX,
    ])
}
