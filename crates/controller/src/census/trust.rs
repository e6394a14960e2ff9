//! How far providers are trusted: silence and good-byes.

use super::{Census, Entry};
use chainflix_overlay::control::ProviderMode;
use chainflix_placement::{
    Event,
    reputation::{Change, Reputation},
};
use chainflix_primitives::{AccountAddress, NodeId};

/// Most accounts that are remembered as disqualified; when there are more, the one whose time ends first is forgotten.
const OUT_MAX: usize = 100_000;

impl Census {
    /// Lets time pass: notices who is silent, and who is gone for good.
    pub fn tick(&mut self, now_ms: u64) {
        let rules = self.config.reputation;
        // An announcement whose inventory never came.
        let stuck = |entry: &Entry| {
            entry.reputation.is_none() && now_ms.saturating_sub(entry.seen_ms) > rules.patience.noticed_after_ms()
        };
        self.entries.retain(|_, entry| !stuck(entry));
        let judge = |(node, entry): (&NodeId, &mut Entry)| {
            let changes = entry.reputation.as_mut()?.tick(now_ms, &rules);
            (!changes.is_empty()).then_some((*node, changes))
        };
        let changed: Vec<(NodeId, Vec<Change>)> = self.entries.iter_mut().filter_map(judge).collect();
        changed.into_iter().for_each(|(node, changes)| self.carry(&node, changes, now_ms));
        self.judge_absent(now_ms);
        self.out.retain(|_, again_ms| *again_ms > now_ms);
        self.forget_sharing(now_ms);
        for source in self.audience.over(now_ms) {
            self.served_out(&source);
        }
        let turned = self.audience.demand().ripe(now_ms);
        for event in self.audience.wanted(now_ms).into_iter().chain(turned) {
            self.tell(now_ms, &event);
        }
    }

    /// A provider said something. What it said before its inventory was whole does not bring it back.
    pub(super) fn heard(&mut self, node: &NodeId, now_ms: u64) {
        let rules = self.config.reputation;
        let alive = self.provider(node).is_some_and(|provider| provider.alive);
        let Some(entry) = self.entries.get_mut(node) else { return };
        entry.seen_ms = now_ms;
        let counts = alive || entry.staged.is_none();
        let Some(reputation) = entry.reputation.as_mut().filter(|_| counts) else { return };
        let changes = reputation.heard(now_ms, &rules);
        self.carry(node, changes, now_ms);
    }

    /// A provider's inventory is whole: its record begins, or goes on, also that of before a restart.
    pub(super) fn enter_record(&mut self, node: &NodeId, now_ms: u64) {
        let rules = self.config.reputation;
        let Some(entry) = self.entries.get_mut(node) else { return };
        if entry.reputation.is_none() {
            let absent = self.absent.remove(node).map(|absent| absent.reputation);
            let reputation = absent.unwrap_or_else(|| Reputation::new(now_ms, &rules));
            let standing = reputation.standing();
            entry.reputation = Some(reputation);
            // By the node's name, so that not everybody is asked at once after a restart.
            let spread_ms = u64::from(u32::from_le_bytes([node.0[0], node.0[1], node.0[2], node.0[3]]));
            entry.audit_ms = now_ms.saturating_add(spread_ms % self.config.audit.every_ms.max(1));
            self.tell(now_ms, &Event::Trusted { node: *node, standing });
        }
        self.heard(node, now_ms);
    }

    /// Tells what a provider is ready to do.
    pub(super) fn present_mode(&mut self, node: &NodeId, now_ms: u64) {
        let rules = self.config.reputation;
        let Some(entry) = self.entries.get_mut(node) else { return };
        let (mode, Some(reputation)) = (entry.mode, entry.reputation.as_mut()) else { return };
        let changes = match mode {
            ProviderMode::Leaving => reputation.leaving(),
            ProviderMode::Open | ProviderMode::Quiet => reputation.staying(now_ms, &rules),
        };
        self.tell(now_ms, &Event::Resting { node: *node, resting: mode == ProviderMode::Quiet });
        self.carry(node, changes, now_ms);
    }

    /// What a record's changes mean for the picture and the books.
    pub(super) fn carry(&mut self, node: &NodeId, changes: Vec<Change>, now_ms: u64) {
        for change in changes {
            match change {
                Change::Silent => _ = self.tell(now_ms, &Event::Silent(*node)),
                Change::Lost => _ = self.tell(now_ms, &Event::Lost(*node)),
                Change::Back => _ = self.tell(now_ms, &Event::Back(*node)),
                Change::Trusted(standing) => _ = self.tell(now_ms, &Event::Trusted { node: *node, standing }),
                Change::Forgotten => self.strike(node, now_ms),
                Change::Disqualified { again_ms } => {
                    let account = self.entries.get(node).map(|entry| entry.card.body.account);
                    self.strike(node, now_ms);
                    account.into_iter().for_each(|account| self.bar(account, again_ms));
                }
            }
        }
    }

    fn strike(&mut self, node: &NodeId, now_ms: u64) {
        self.entries.remove(node);
        self.tell(now_ms, &Event::Forgotten(*node));
    }

    pub(super) fn bar(&mut self, account: AccountAddress, again_ms: u64) {
        if self.out.len() >= OUT_MAX {
            let first = self.out.iter().min_by_key(|(account, again_ms)| (**again_ms, account.0));
            if let Some(first) = first.map(|(account, _)| *account) {
                self.out.remove(&first);
            }
        }
        self.out.insert(account, again_ms);
    }
}
