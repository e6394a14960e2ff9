//! What the contracts say, kept until a final block changes it: validators ask for every play, 17,000 times a second.
//!
//! ```text
//! question ──▶ kept, and of the newest final block? ── yes ──▶ answer
//!                              └─ no ──▶ EVM ──▶ answer, kept if the chain stood still meanwhile
//! final block ──▶ events of the contracts ──▶ what they touch is forgotten, and nothing else; who
//!                                              came or went is written into the list of providers
//! ```
//!
//! Answers are those of the newest final block, always: between a block and the look at its events everything is asked
//! anew. Only what an event names is forgotten, so that an account that bonds a coin in every block costs a validator its
//! own standing, not everybody's.

mod kept;
mod providers;
mod recent;
#[cfg(test)]
mod tests;

use super::registry::{Registry, RegistryError};
use alloy_primitives::{Address, B256, U256};
use chainflix_chain::execution::{self, ExecutionLayer, Log, ReadError};
use chainflix_contracts::{Change, IRegistry, REGISTRY_ADDRESS, STANDING_ADDRESS};
use chainflix_primitives::{AccountAddress, BlockHash, Magnet, RewardSplit};
use kept::{Kept, LayerRecord};
pub(crate) use providers::Providers;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const WEI_PER_CFX: u128 = 1_000_000_000_000_000_000;
/// Full identity factor.
const WHOLE_PERMILLE: u16 = 1_000;

/// A registered video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VideoRecord {
    pub record: IRegistry::Video,
    /// Its creator's choice, or the network's default.
    pub split: RewardSplit,
}

/// The contracts of the chain that `execution` follows.
pub(crate) struct ChainFacts {
    execution: ExecutionLayer,
    registry: Registry,
    /// Bond that gives full weight, in whole CFX.
    bond_full_cfx: u64,
    kept: Mutex<Kept>,
}

impl ChainFacts {
    pub fn new(execution: ExecutionLayer, bond_full_cfx: u64) -> Self {
        let kept = Mutex::new(Kept::at(execution.height()));
        Self { registry: Registry::new(execution.clone()), execution, bond_full_cfx, kept }
    }

    /// The record of a video; `None` when it was never registered.
    pub fn video(&self, magnet: &Magnet) -> Result<Option<Arc<VideoRecord>>, RegistryError> {
        self.look(
            |kept| kept.videos.get(magnet).cloned(),
            || {
                let Some(record) = self.registry.video(magnet)? else { return Ok(None) };
                Ok(Some(Arc::new(VideoRecord { record, split: self.registry.split(magnet)? })))
            },
            |kept, video| kept.videos.insert(*magnet, video),
        )
    }

    /// The maker of a layer that is registered for the video and not taken down.
    pub fn activator(&self, video: &Magnet, layer: &Magnet) -> Result<Option<AccountAddress>, RegistryError> {
        let record = self.look(
            |kept| kept.layers.get(layer).copied(),
            || {
                let found = self.registry.layer(layer)?;
                Ok(found.map(|found| LayerRecord {
                    video: Magnet(found.video.0),
                    maker: AccountAddress(found.maker.into_array()),
                    taken_down: found.takenDown,
                }))
            },
            |kept, record| kept.layers.insert(*layer, record),
        )?;
        Ok(record.filter(|record| record.video == *video && !record.taken_down).map(|record| record.maker))
    }

    /// Whether the account made a layer of the video that is not taken down.
    pub fn is_activator(&self, video: &Magnet, account: &AccountAddress) -> Result<bool, RegistryError> {
        let key = (*video, *account);
        self.look(
            |kept| kept.activators.get(&key).copied(),
            || self.registry.is_activator(video, account),
            |kept, is_one| kept.activators.insert(key, is_one),
        )
    }

    /// Operation participants, in order of accounts.
    pub fn operation(&self) -> Result<Arc<[AccountAddress]>, RegistryError> {
        self.look(
            |kept| kept.operation.clone(),
            || {
                let mut participants = self.registry.participants()?;
                participants.sort_unstable();
                Ok(participants.into())
            },
            |kept, participants| kept.operation = Some(participants),
        )
    }

    /// The registry's providers.
    pub fn providers(&self) -> Result<Arc<Providers>, RegistryError> {
        self.look(
            |kept| kept.providers.clone(),
            || Ok(Arc::new(self.registry.providers()?.into_iter().collect())),
            |kept, providers| kept.providers = Some(providers),
        )
    }

    /// The identity factor that bond and vouching give, in thousandths.
    pub fn standing(&self, account: &AccountAddress) -> Result<u16, RegistryError> {
        self.look(
            |kept| kept.standings.get(account).copied(),
            || {
                let (bond_wei, vouched) = self.registry.standing(account)?;
                Ok(if vouched { WHOLE_PERMILLE } else { bond_permille(bond_wei, self.bond_full_cfx) })
            },
            |kept, permille| kept.standings.insert(*account, permille),
        )
    }

    /// Hash of a final block.
    pub fn block_hash(&self, number: u64) -> Result<Option<BlockHash>, ReadError> {
        Ok(self.execution.block_hash(number)?.map(|hash| BlockHash(hash.0)))
    }

    /// Follows the final blocks, for ever.
    pub async fn follow(&self) {
        let mut heads = self.execution.subscribe_heads();
        loop {
            self.catch_up().await;
            if heads.changed().await.is_err() {
                return;
            }
        }
    }

    async fn catch_up(&self) {
        loop {
            let (next, head) = (self.kept().height + 1, self.execution.height());
            if next > head {
                return;
            }
            match self.execution.events(next, &contracts()).await {
                Ok(events) => {
                    let mut kept = self.kept();
                    for event in &events {
                        kept.hear(change(event));
                    }
                    kept.height = next;
                }
                Err(error) => {
                    tracing::warn!(%error, block = next, "events cannot be read: all that was kept is asked for anew");
                    *self.kept() = Kept::at(head);
                }
            }
        }
    }

    /// What is kept, or else what the contracts answer.
    fn look<T: Clone>(
        &self,
        find: impl FnOnce(&mut Kept) -> Option<T>,
        ask: impl FnOnce() -> Result<T, RegistryError>,
        keep: impl FnOnce(&mut Kept, T),
    ) -> Result<T, RegistryError> {
        let height = self.execution.height();
        {
            let mut kept = self.kept();
            if kept.height == height
                && let Some(found) = find(&mut kept)
            {
                return Ok(found);
            }
        }
        let answer = ask()?;
        let mut kept = self.kept();
        // The same head before and after: the answer is of that block, and so is everything that is kept.
        if kept.height == height && self.execution.height() == height {
            keep(&mut kept, answer.clone());
        }
        Ok(answer)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the contracts are, in ethrex's words.
fn contracts() -> [execution::Address; 2] {
    [REGISTRY_ADDRESS, STANDING_ADDRESS].map(|address| execution::Address::from(address.into_array()))
}

fn change(event: &Log) -> Option<Change> {
    let topics: Vec<_> = event.topics.iter().map(|topic| B256::from(topic.0)).collect();
    Change::of(Address::from(event.address.0), &topics, &event.data)
}

/// The part of full weight that a bond gives.
fn bond_permille(bond_wei: U256, full_cfx: u64) -> u16 {
    let full_wei = U256::from(full_cfx) * U256::from(WEI_PER_CFX);
    // A genesis asks for at least one CFX; all coins together are far below 2^256 wei.
    let permille = bond_wei.saturating_mul(U256::from(WHOLE_PERMILLE)).checked_div(full_wei).unwrap_or_default();
    permille.min(U256::from(WHOLE_PERMILLE)).saturating_to()
}
