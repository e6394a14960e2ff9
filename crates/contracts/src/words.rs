//! Says in words why a contract refused, for whoever asked.

use crate::{
    IRegistry::IRegistryErrors as Registry, IStanding::IStandingErrors as Standing, decode_refusal,
    decode_standing_refusal,
};

/// Roles in the order of `Split`, as people call their shares.
const ROLES: [&str; 7] = ["creator", "viewer", "activators", "storage", "validators", "supervisor", "operation"];

/// What the data of a reverted call says, in English, starting in lower case and without an end; `None` if no contract of
/// ours speaks so.
pub fn refusal_in_words(revert_data: &[u8]) -> Option<String> {
    decode_refusal(revert_data).map(of_registry).or_else(|| decode_standing_refusal(revert_data).map(of_standing))
}

fn of_registry(error: Registry) -> String {
    match error {
        Registry::NotGovernor(e) => format!("only the governor {} may do this", e.governor),
        Registry::NotSupervisor(e) => format!("{} is no supervisor", e.account),
        Registry::NotResponsible(e) => format!("only {} may do this", e.responsible),
        Registry::InvalidAccount(e) => format!("{} cannot hold a role", e.account),
        Registry::InvalidCountry(e) => format!("{} is no country code of two capital letters", e.country),
        Registry::AlreadySupervisor(e) => format!("{} is a supervisor already", e.supervisor),
        Registry::AlreadyAdmitted(e) => format!("{} is admitted already, by {}", e.creator, e.supervisor),
        Registry::NotAdmitted(e) => format!("no supervisor in office admitted {}", e.creator),
        Registry::AlreadyRegistered(e) => format!("{} was registered in block {}", e.magnet, e.registeredBlock),
        Registry::InvalidVideo(e) => format!("{} ms in {} cells is no video", e.playTimeMs, e.cells),
        Registry::InvalidSealedSecret(e) => format!("a sealed secret has {} bytes, not {}", e.expected, e.length),
        Registry::UnknownVideo(e) => format!("no video is registered as {}", e.magnet),
        Registry::AlreadyTakenDown(e) => format!("{} is taken down already", e.magnet),
        Registry::NotTakenDown(e) => format!("{} is not taken down", e.magnet),
        Registry::InvalidReason(e) => format!("a reason has 1 to {} bytes, not {}", e.max, e.length),
        Registry::ShareOutOfBounds(e) => {
            let role = usize::try_from(e.role).ok().and_then(|role| ROLES.get(role)).copied().unwrap_or("unknown");
            format!("the share of role {role} is {} thousandths; allowed are {} to {}", e.permille, e.least, e.most)
        }
        Registry::SplitNotWhole(e) => format!("the shares add up to {} thousandths instead of 1000", e.sum),
        Registry::InvalidLayer(e) => format!("{} is no layer, or of no kind", e.layer),
        Registry::LayerAlreadyRegistered(e) => {
            format!("layer {} was registered in block {}", e.layer, e.registeredBlock)
        }
        Registry::UnknownLayer(e) => format!("no layer is registered as {}", e.layer),
        Registry::AlreadyParticipant(e) => format!("{} is an operation participant already", e.account),
        Registry::NotParticipant(e) => format!("{} is no operation participant", e.account),
        Registry::TooManyParticipants(e) => format!("there are {} operation participants already", e.max),
        Registry::InvalidProvider(_) => "a provider needs a node and a box key".to_owned(),
        Registry::NodeTaken(e) => format!("the node belongs to {}", e.account),
        Registry::NotProvider(e) => format!("{} is no provider", e.account),
        Registry::IndexOutOfRange(e) => format!("there are {} only", e.count),
    }
}

fn of_standing(error: Standing) -> String {
    match error {
        Standing::ZeroAmount(_) => "no amount was given".to_owned(),
        Standing::BondTooSmall(e) => format!("{} has bonded {} wei, which is less", e.account, e.bondedWei),
        Standing::NothingLeaving(e) => format!("nothing of {} can be withdrawn: unbond first", e.account),
        Standing::NotReleased(e) => {
            format!("the coins can be withdrawn in {} seconds", e.releaseTimeS.saturating_sub(e.nowS))
        }
        Standing::TransferFailed(e) => format!("{} does not take its coins", e.account),
        Standing::NotSupervisor(e) => format!("{} is no supervisor", e.account),
        Standing::InvalidAccount(e) => format!("nobody can vouch for {}", e.account),
        Standing::AlreadyVouched(e) => format!("{} is vouched for already, by {}", e.account, e.supervisor),
        Standing::NotVouched(e) => format!("nobody vouches for {}", e.account),
        Standing::TooManyVouches(e) => format!("{} vouched for {} accounts today, which is all", e.supervisor, e.max),
        Standing::NotResponsible(e) => format!("only {} may do this", e.responsible),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IRegistry, IStanding};
    use alloy_primitives::{Address, U256};
    use alloy_sol_types::SolError as _;

    #[test]
    fn refusals_of_both_contracts_are_told() {
        let share = IRegistry::ShareOutOfBounds { role: U256::from(3), permille: 99, least: 100, most: 300 };
        let words = "the share of role storage is 99 thousandths; allowed are 100 to 300";
        assert_eq!(refusal_in_words(&share.abi_encode()).unwrap(), words);
        let early = IStanding::NotReleased { nowS: U256::from(10), releaseTimeS: U256::from(71) };
        assert_eq!(refusal_in_words(&early.abi_encode()).unwrap(), "the coins can be withdrawn in 61 seconds");
        // Both have this one, with the same selector.
        let caller = IStanding::NotSupervisor { account: Address::ZERO };
        assert_eq!(refusal_in_words(&caller.abi_encode()).unwrap(), format!("{} is no supervisor", Address::ZERO));
        assert_eq!(refusal_in_words(&[]), None);
        assert_eq!(refusal_in_words(&[1, 2, 3, 4]), None);
    }
}
