//! Carries messages between the queues and the network.

use super::{
    Gossip, GossipMessage, Losses, PACKET_BYTES_MAX, PACKET_INTERVAL, QUEUE_MESSAGES, Space,
    packet::{Frame, Kind, Malformed, frames},
};
use crate::committee::Committee;
use bytes::Bytes;
use chainflix_chain::execution::ExecutionLayer;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Clock;
use std::sync::{Arc, atomic::Ordering::Relaxed};
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{self, error::RecvError},
    mpsc,
};

impl Gossip {
    /// Carries messages both ways, until the network ends or the future is dropped.
    pub(crate) async fn run<S, R>(
        self,
        clock: impl Clock,
        committee: Arc<Committee>,
        execution: ExecutionLayer,
        (sender, receiver): (S, R),
    ) where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let (admit, admissions) = mpsc::channel(QUEUE_MESSAGES);
        let transactions = execution.subscribe_transactions();
        let speaker = Speaker { messages: self.outgoing, transactions, losses: self.losses.clone(), held: None };
        let listener = Listener { inbox: self.inbox, admit, space: self.space, losses: self.losses };
        tokio::select! {
            () = speaker.run(clock, sender) => {}
            () = listener.run(committee, receiver) => {}
            () = admit_all(execution, admissions) => {}
        }
    }
}

/// Gathers what is to be said into packets.
struct Speaker {
    messages: mpsc::Receiver<(Bytes, OwnedSemaphorePermit)>,
    transactions: broadcast::Receiver<Bytes>,
    losses: Arc<Losses>,
    /// What did not fit into the last packet.
    held: Option<Frame>,
}

impl Speaker {
    async fn run<S: Sender<PublicKey = PublicKey>>(mut self, clock: impl Clock, mut sender: S) {
        while let Some(first) = self.next().await {
            let mut packet = Vec::with_capacity(first.len());
            first.write(&mut packet);
            while let Some(frame) = self.ready() {
                if packet.len() + frame.len() > PACKET_BYTES_MAX {
                    self.held = Some(frame);
                    break;
                }
                frame.write(&mut packet);
            }
            // Whom it does not reach is not connected, which the engine reports louder than we could.
            let _ = sender.send(Recipients::All, packet, false);
            clock.sleep(PACKET_INTERVAL).await;
        }
    }

    /// Waits for something to say; `None` when nothing will ever come.
    async fn next(&mut self) -> Option<Frame> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        loop {
            tokio::select! {
                message = self.messages.recv() => return message.map(|(bytes, _)| Frame { kind: Kind::Message, bytes }),
                transaction = self.transactions.recv() => match transaction {
                    Ok(bytes) => return Some(Frame { kind: Kind::Transaction, bytes }),
                    Err(RecvError::Lagged(lost)) => self.lost(lost),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    /// What is waiting already.
    fn ready(&mut self) -> Option<Frame> {
        if let Ok((bytes, _)) = self.messages.try_recv() {
            return Some(Frame { kind: Kind::Message, bytes });
        }
        loop {
            match self.transactions.try_recv() {
                Ok(bytes) => return Some(Frame { kind: Kind::Transaction, bytes }),
                Err(broadcast::error::TryRecvError::Lagged(lost)) => self.lost(lost),
                Err(_) => return None,
            }
        }
    }

    fn lost(&self, transactions: u64) {
        self.losses.transactions.fetch_add(transactions, Relaxed);
    }
}

/// Takes packets apart.
struct Listener {
    inbox: mpsc::Sender<GossipMessage>,
    admit: mpsc::Sender<Bytes>,
    space: Space,
    losses: Arc<Losses>,
}

impl Listener {
    async fn run<R: Receiver<PublicKey = PublicKey>>(self, committee: Arc<Committee>, mut receiver: R) {
        while let Ok((peer, packet)) = receiver.recv().await {
            let Some(validator) = committee.number(&peer) else { continue };
            for frame in frames(packet.as_ref()) {
                match frame {
                    Ok((Kind::Message, bytes)) => self.deliver(validator, bytes),
                    Ok((Kind::Transaction, bytes)) => self.hand_to_pool(bytes),
                    Err(Malformed) => {
                        tracing::warn!(validator, "malformed gossip packet");
                        self.losses.malformed.fetch_add(1, Relaxed);
                    }
                }
            }
        }
    }

    fn deliver(&self, validator: usize, bytes: &[u8]) {
        let delivered = self.space.take(bytes.len()).is_some_and(|space| {
            // Copied, so that a small message does not keep a whole packet in memory.
            let message = GossipMessage { validator, bytes: Bytes::copy_from_slice(bytes), _space: space };
            self.inbox.try_send(message).is_ok()
        });
        if !delivered {
            self.losses.dropped.fetch_add(1, Relaxed);
        }
    }

    fn hand_to_pool(&self, bytes: &[u8]) {
        if self.admit.try_send(Bytes::copy_from_slice(bytes)).is_err() {
            self.losses.transactions.fetch_add(1, Relaxed);
        }
    }
}

/// Puts others' transactions into our pool, which checks them as if a user had sent them.
async fn admit_all(execution: ExecutionLayer, mut transactions: mpsc::Receiver<Bytes>) {
    while let Some(raw) = transactions.recv().await {
        if let Err(error) = execution.submit_raw_transaction(&raw).await {
            // Normal for what a block has used up in the meantime.
            tracing::debug!(%error, "a validator's transaction is not taken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::queues;

    #[test]
    fn what_nobody_takes_is_dropped_and_counted() {
        let (sender, mut incoming, engine) = queues();
        let (admit, _admissions) = mpsc::channel(1);
        let listener = Listener { inbox: engine.inbox, admit, space: engine.space, losses: engine.losses };
        for _ in 0..=QUEUE_MESSAGES {
            listener.deliver(2, b"hello");
        }
        assert_eq!(sender.counts().dropped, 1);
        let message = incoming.try_recv().unwrap();
        assert_eq!((message.validator, &message.bytes[..]), (2, &b"hello"[..]));
        listener.hand_to_pool(b"one");
        listener.hand_to_pool(b"two");
        assert_eq!(sender.counts().transactions, 1);
    }
}
