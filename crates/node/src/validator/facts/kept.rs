//! The answers of the contracts that are kept, and which of them an event makes stale.

use super::{Providers, VideoRecord, recent::Recent};
use chainflix_contracts::Change;
use chainflix_primitives::{AccountAddress, Magnet};
use chainflix_rpc::types::Provider;
use std::sync::Arc;

/// Half of the videos, layers and makers kept: those that are being watched. A record takes about 400 bytes.
const VIDEOS_HALF: usize = 1 << 12;
/// Half of the accounts whose standing is kept, at 23 bytes each: twice the viewers that one core serves.
const STANDINGS_HALF: usize = 1 << 20;

/// A layer, as far as anybody is paid for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerRecord {
    pub video: Magnet,
    pub maker: AccountAddress,
    pub taken_down: bool,
}

/// Answers as of one final block. Also what is not there is kept: asking for it again costs nothing either.
pub struct Kept {
    /// The block.
    pub height: u64,
    pub videos: Recent<Magnet, Option<Arc<VideoRecord>>>,
    pub layers: Recent<Magnet, Option<LayerRecord>>,
    pub activators: Recent<(Magnet, AccountAddress), bool>,
    pub standings: Recent<AccountAddress, u16>,
    pub operation: Option<Arc<[AccountAddress]>>,
    pub providers: Option<Arc<Providers>>,
}

impl Kept {
    /// Nothing yet.
    pub fn at(height: u64) -> Self {
        Self {
            height,
            videos: Recent::new(VIDEOS_HALF),
            layers: Recent::new(VIDEOS_HALF),
            activators: Recent::new(VIDEOS_HALF),
            standings: Recent::new(STANDINGS_HALF),
            operation: None,
            providers: None,
        }
    }

    /// Forgets what an event of the next block makes stale, or writes it down where the event says all of it; forgets
    /// everything for an event that nobody knows.
    pub fn hear(&mut self, change: Option<Change>) {
        match change {
            Some(Change::Video(magnet)) => self.videos.remove(&magnet),
            Some(Change::Layer { layer, video, maker }) => {
                self.layers.remove(&layer);
                self.activators.remove(&(video, maker));
            }
            Some(Change::Operation) => self.operation = None,
            Some(Change::ProviderRegistered { account, node, box_key }) => {
                self.providers_mut(|providers| providers.register(Provider { account, node_id: node, box_key }));
            }
            Some(Change::ProviderWithdrawn { account }) => self.providers_mut(|providers| providers.withdraw(&account)),
            // Whoever's vouches begin or cease to count is in no event; supervisors change rarely.
            Some(Change::Supervisors) => self.standings.clear(),
            Some(Change::Standing(account)) => self.standings.remove(&account),
            Some(Change::Creators | Change::Withdrawal) => {}
            None => *self = Self::at(self.height),
        }
    }

    /// Changes the list of providers, where there is one. Who reads the old one keeps it.
    fn providers_mut(&mut self, change: impl FnOnce(&mut Providers)) {
        if let Some(providers) = &mut self.providers {
            change(Arc::make_mut(providers));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::{BoxPublicKey, NodeId};

    const VIDEO: Magnet = Magnet([1; 32]);
    const LAYER: Magnet = Magnet([2; 32]);
    const WHO: AccountAddress = AccountAddress([3; 20]);
    const OTHER: AccountAddress = AccountAddress([4; 20]);

    fn full() -> Kept {
        let mut kept = Kept::at(7);
        kept.videos.insert(VIDEO, None);
        kept.videos.insert(LAYER, None);
        kept.layers.insert(LAYER, None);
        kept.activators.insert((VIDEO, WHO), true);
        kept.activators.insert((VIDEO, OTHER), true);
        kept.standings.insert(WHO, 1_000);
        kept.standings.insert(OTHER, 0);
        kept.operation = Some(Arc::new([WHO]));
        kept.providers = Some(Arc::default());
        kept
    }

    /// What is left of [`full`]: videos, layers, activators, standings, operation, providers.
    fn left(change: Option<Change>) -> [usize; 6] {
        let mut kept = full();
        kept.hear(change);
        assert_eq!(kept.height, 7);
        [
            [VIDEO, LAYER].into_iter().filter(|magnet| kept.videos.get(magnet).is_some()).count(),
            usize::from(kept.layers.get(&LAYER).is_some()),
            [WHO, OTHER].into_iter().filter(|maker| kept.activators.get(&(VIDEO, *maker)).is_some()).count(),
            [WHO, OTHER].into_iter().filter(|account| kept.standings.get(account).is_some()).count(),
            usize::from(kept.operation.is_some()),
            usize::from(kept.providers.is_some()),
        ]
    }

    #[test]
    fn an_event_makes_stale_what_it_touches_and_nothing_else() {
        let layer = Change::Layer { layer: LAYER, video: VIDEO, maker: WHO };
        assert_eq!(left(Some(Change::Video(VIDEO))), [1, 1, 2, 2, 1, 1]);
        assert_eq!(left(Some(layer)), [2, 0, 1, 2, 1, 1]);
        assert_eq!(left(Some(Change::Operation)), [2, 1, 2, 2, 0, 1]);
        assert_eq!(left(Some(Change::Supervisors)), [2, 1, 2, 0, 1, 1]);
        assert_eq!(left(Some(Change::Standing(WHO))), [2, 1, 2, 1, 1, 1]);
        assert_eq!(left(Some(Change::Creators)), [2, 1, 2, 2, 1, 1]);
        assert_eq!(left(Some(Change::Withdrawal)), [2, 1, 2, 2, 1, 1]);
        assert_eq!(left(None), [0; 6]);
    }

    #[test]
    fn who_came_or_went_is_written_into_the_list_of_providers() {
        let (node, box_key) = (NodeId([5; 32]), BoxPublicKey([6; 32]));
        let entered = Change::ProviderRegistered { account: WHO, node, box_key };
        let mut kept = full();
        let before = kept.providers.clone();
        kept.hear(Some(entered));
        let provider = Provider { account: WHO, node_id: node, box_key };
        assert!(kept.providers.as_ref().is_some_and(|providers| providers.iter().eq([&provider])));
        assert!(before.is_some_and(|before| before.iter().count() == 0), "who reads it keeps what he reads");
        kept.hear(Some(Change::ProviderWithdrawn { account: WHO }));
        assert_eq!(kept.providers.as_deref(), Some(&Providers::default()));
        let mut unread = Kept::at(7);
        unread.hear(Some(entered));
        assert_eq!(unread.providers, None, "a list of one would be taken for the whole");
    }
}
