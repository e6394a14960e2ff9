// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IStanding} from "../../src/IStanding.sol";
import {Base} from "../Base.sol";
import {Depositors} from "./Depositors.sol";

/// @dev What holds after any sequence of calls by anybody; the model is in `Depositors`.
contract StandingInvariants is Base {
    Depositors private depositors;

    function setUp() public override {
        super.setUp();
        depositors = new Depositors(registry, standing, governor);
    }

    /// @dev Read by forge: random calls go to the depositors only.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(depositors);
    }

    function invariant_the_contract_holds_what_its_books_say() external view {
        uint256 owed;
        uint256 free;
        for (uint256 i = 0; i < 6; ++i) {
            address account = depositors.actor(i);
            owed += depositors.bonded(account) + depositors.leaving(account);
            free += account.balance;
        }
        assert(address(standing).balance == owed);
        assert(owed + free == depositors.startWei());
    }

    function invariant_each_account_has_what_it_asked_for() external view {
        for (uint256 i = 0; i < 6; ++i) {
            address account = depositors.actor(i);
            IStanding.Bond memory own = standing.bondOf(account);
            assert(own.bondedWei == depositors.bonded(account));
            assert(own.leavingWei == depositors.leaving(account));
            assert(own.releaseTimeS == depositors.released(account));
            assert((own.leavingWei == 0) == (own.releaseTimeS == 0));
        }
    }

    function invariant_standing_is_the_bond_and_a_vouch_of_somebody_in_office() external view {
        for (uint256 i = 0; i < 6; ++i) {
            address account = depositors.actor(i);
            (uint256 bondWei, bool vouched) = standing.standingOf(account);
            assert(bondWei == depositors.bonded(account));
            assert(vouched == depositors.inOffice(depositors.voucher(account)));
            assert(standing.voucherOf(account) == depositors.voucher(account));
        }
    }
}
