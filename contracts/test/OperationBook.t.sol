// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry} from "../src/IRegistry.sol";
import {Base} from "./Base.sol";

contract OperationBookTest is Base {
    address private immutable sheriff = _account("sheriff");

    function setUp() public override {
        super.setUp();
        _appoint(supervisor);
    }

    function test_governor_and_supervisors_name_participants() public {
        vm.expectEmit(address(registry));
        emit IRegistry.ParticipantAdded(sheriff, supervisor);
        _add(supervisor, sheriff);
        _add(governor, stranger);
        address[] memory listed = registry.participants();
        assert(listed.length == 2 && listed[0] == sheriff && listed[1] == stranger);
    }

    function testFuzz_nobody_else_does(address caller) public {
        vm.assume(caller != governor && caller != supervisor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotSupervisor.selector, caller));
        _add(caller, sheriff);
    }

    function test_an_account_participates_once() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidAccount.selector, address(0)));
        _add(governor, address(0));
        _add(supervisor, sheriff);
        bytes memory refusal = abi.encodeWithSelector(IRegistry.AlreadyParticipant.selector, sheriff, supervisor);
        vm.expectRevert(refusal);
        _add(supervisor, sheriff);
        vm.expectRevert(refusal);
        _add(governor, sheriff);
    }

    function test_one_supervisor_does_not_fill_the_list() public {
        uint256 most = registry.PARTICIPANTS_PER_SUPERVISOR_MAX();
        for (uint256 i = 0; i < most; ++i) {
            _add(supervisor, _participant(i));
        }
        bytes memory refusal = abi.encodeWithSelector(IRegistry.TooManyParticipants.selector, most);
        vm.expectRevert(refusal);
        _add(supervisor, sheriff);
        _discard(supervisor, _participant(0));
        _add(supervisor, sheriff);
        vm.expectRevert(refusal);
        _add(supervisor, _participant(0));
    }

    function test_the_list_is_bounded() public {
        uint256 most = registry.PARTICIPANTS_MAX();
        for (uint256 i = 0; i < most; ++i) {
            _add(governor, _participant(i));
        }
        vm.expectRevert(abi.encodeWithSelector(IRegistry.TooManyParticipants.selector, most));
        _add(governor, sheriff);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.TooManyParticipants.selector, most));
        _add(supervisor, sheriff);
        _discard(governor, _participant(3));
        _add(governor, sheriff);
        assert(registry.participants().length == most);
    }

    function testFuzz_a_removal_leaves_the_others(uint8 which) public {
        uint256 total = 4;
        for (uint256 i = 0; i < total; ++i) {
            _add(supervisor, _participant(i));
        }
        address leaver = _participant(which % total);
        vm.expectEmit(address(registry));
        emit IRegistry.ParticipantRemoved(leaver, supervisor);
        _discard(supervisor, leaver);
        address[] memory listed = registry.participants();
        assert(listed.length == total - 1);
        for (uint256 i = 0; i < total; ++i) {
            uint256 found;
            for (uint256 place = 0; place < listed.length; ++place) {
                if (listed[place] == _participant(i)) ++found;
            }
            assert(found == (_participant(i) == leaver ? 0 : 1));
        }
    }

    function testFuzz_only_who_named_it_removes(address caller) public {
        vm.assume(caller != supervisor);
        _add(supervisor, sheriff);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, caller, supervisor));
        _discard(caller, sheriff);
    }

    function test_the_governor_clears_up_after_a_removed_supervisor() public {
        _add(supervisor, sheriff);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, governor, supervisor));
        _discard(governor, sheriff);
        _remove(supervisor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, supervisor, governor));
        _discard(supervisor, sheriff);
        _discard(governor, sheriff);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotParticipant.selector, sheriff));
        _discard(governor, sheriff);
    }

    function _participant(uint256 index) private pure returns (address) {
        return address(uint160(0xD000 + index));
    }

    function _add(address by, address account) private {
        vm.prank(by);
        registry.addParticipant(account);
    }

    function _discard(address by, address account) private {
        vm.prank(by);
        registry.removeParticipant(account);
    }
}
