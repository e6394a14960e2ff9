//! Makes the Rust types of the contracts from the interfaces that Solidity itself compiles, so that the two cannot differ.
//!
//! The macro follows no imports: all types of an interface are in its one file. Its NatSpec becomes our rustdoc.

use chainflix_primitives::RewardSplit;

alloy_sol_types::sol! {
    #![sol(all_derives)]
    "../../contracts/src/IRegistry.sol"
}

alloy_sol_types::sol! {
    #![sol(all_derives)]
    "../../contracts/src/IStanding.sol"
}

impl From<RewardSplit> for IRegistry::Split {
    fn from(split: RewardSplit) -> Self {
        Self {
            creatorPermille: split.creator,
            viewerPermille: split.viewer,
            activatorsPermille: split.activators,
            storagePermille: split.storage,
            validatorsPermille: split.validators,
            supervisorPermille: split.supervisor,
            operationPermille: split.operation,
        }
    }
}

impl From<IRegistry::Split> for RewardSplit {
    fn from(split: IRegistry::Split) -> Self {
        Self {
            creator: split.creatorPermille,
            viewer: split.viewerPermille,
            activators: split.activatorsPermille,
            storage: split.storagePermille,
            validators: split.validatorsPermille,
            supervisor: split.supervisorPermille,
            operation: split.operationPermille,
        }
    }
}
