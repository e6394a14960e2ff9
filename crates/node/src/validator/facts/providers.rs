//! The registry's providers, kept up to date by its events: a list of twenty thousand is read once and not after each change.

use chainflix_primitives::{AccountAddress, NodeId};
use chainflix_rpc::types::Provider;
use std::collections::{BTreeMap, HashMap};

/// One entry per account, one account per node, as the registry has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Providers {
    by_account: BTreeMap<AccountAddress, Provider>,
    by_node: HashMap<NodeId, AccountAddress>,
}

impl Providers {
    /// In order of accounts.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.by_account.values()
    }

    /// Whose node this is.
    pub fn at(&self, node: &NodeId) -> Option<&Provider> {
        self.by_account.get(self.by_node.get(node)?)
    }

    /// An account entered, or changed its keys.
    pub fn register(&mut self, provider: Provider) {
        self.withdraw(&provider.account);
        self.by_node.insert(provider.node_id, provider.account);
        self.by_account.insert(provider.account, provider);
    }

    /// An account left.
    pub fn withdraw(&mut self, account: &AccountAddress) {
        if let Some(gone) = self.by_account.remove(account) {
            self.by_node.remove(&gone.node_id);
        }
    }
}

impl FromIterator<Provider> for Providers {
    fn from_iter<I: IntoIterator<Item = Provider>>(all: I) -> Self {
        let mut providers = Self::default();
        all.into_iter().for_each(|provider| providers.register(provider));
        providers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainflix_primitives::BoxPublicKey;

    fn provider(account: u8, node: u8) -> Provider {
        let (account, node_id) = (AccountAddress([account; 20]), NodeId([node; 32]));
        Provider { account, node_id, box_key: BoxPublicKey([9; 32]) }
    }

    #[test]
    fn an_account_has_one_node_and_a_node_one_account() {
        let mut providers: Providers = [provider(2, 20), provider(1, 10)].into_iter().collect();
        assert!(providers.iter().copied().eq([provider(1, 10), provider(2, 20)]));
        providers.register(provider(1, 11));
        assert_eq!(providers.at(&NodeId([10; 32])), None, "it took another node");
        assert_eq!(providers.at(&NodeId([11; 32])), Some(&provider(1, 11)));
        providers.withdraw(&AccountAddress([2; 20]));
        providers.withdraw(&AccountAddress([2; 20]));
        assert_eq!((providers.at(&NodeId([20; 32])), providers.iter().count()), (None, 1));
        // A node that was given up is free for another account.
        providers.register(provider(3, 20));
        assert_eq!(providers.at(&NodeId([20; 32])), Some(&provider(3, 20)));
    }
}
