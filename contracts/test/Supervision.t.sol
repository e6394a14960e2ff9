// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Country, IRegistry} from "../src/IRegistry.sol";
import {Registry} from "../src/Registry.sol";
import {Base} from "./Base.sol";

contract SupervisionTest is Base {
    function test_genesis_names_the_governor_and_nobody_else() public view {
        assert(registry.governor() == governor);
        assert(!registry.isSupervisor(governor));
        assert(!registry.isAdmitted(governor));
        assert(!registry.isSupervisor(address(0)));
        assert(!registry.isAdmitted(address(0)));
    }

    function test_a_registry_without_genesis_accepts_nobody() public {
        Registry inert = new Registry();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotGovernor.selector, governor, address(0)));
        vm.prank(governor);
        inert.addSupervisor(supervisor, KOREA);
    }

    function testFuzz_only_the_governor_appoints_and_removes(address caller) public {
        vm.assume(caller != governor);
        _appoint(supervisor);
        bytes memory refusal = abi.encodeWithSelector(IRegistry.NotGovernor.selector, caller, governor);
        vm.expectRevert(refusal);
        vm.prank(caller);
        registry.addSupervisor(stranger, KOREA);
        vm.expectRevert(refusal);
        vm.prank(caller);
        registry.removeSupervisor(supervisor);
    }

    function test_an_appointment_is_announced_and_visible() public {
        vm.expectEmit(address(registry));
        emit IRegistry.SupervisorAdded(supervisor, KOREA);
        _appoint(supervisor);
        assert(registry.isSupervisor(supervisor));
        assert(Country.unwrap(registry.supervisorCountry(supervisor)) == "KR");

        vm.expectEmit(address(registry));
        emit IRegistry.SupervisorRemoved(supervisor);
        _remove(supervisor);
        assert(!registry.isSupervisor(supervisor));
        assert(Country.unwrap(registry.supervisorCountry(supervisor)) == 0);
    }

    function test_a_supervisor_is_appointed_once() public {
        _appoint(supervisor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadySupervisor.selector, supervisor, KOREA));
        _appoint(supervisor);
    }

    function test_nobody_is_not_a_supervisor() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidAccount.selector, address(0)));
        _appoint(address(0));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotSupervisor.selector, stranger));
        _remove(stranger);
    }

    function testFuzz_a_country_is_two_capital_letters(bytes2 letters) public {
        bool valid = letters[0] >= "A" && letters[0] <= "Z" && letters[1] >= "A" && letters[1] <= "Z";
        if (!valid) vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidCountry.selector, letters));
        vm.prank(governor);
        registry.addSupervisor(supervisor, Country.wrap(letters));
        assert(registry.isSupervisor(supervisor) == valid);
    }

    function test_the_edges_of_the_alphabet() public {
        bytes2[4] memory refused = [bytes2("@A"), "A[", "aZ", "Z\x00"];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidCountry.selector, refused[i]));
            vm.prank(governor);
            registry.addSupervisor(supervisor, Country.wrap(refused[i]));
        }
        vm.prank(governor);
        registry.addSupervisor(supervisor, Country.wrap("AZ"));
    }

    function testFuzz_only_supervisors_admit(address caller) public {
        vm.assume(caller != supervisor);
        _appoint(supervisor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotSupervisor.selector, caller));
        _admit(caller, creator);
    }

    function test_an_admission_is_announced_and_visible() public {
        _appoint(supervisor);
        vm.expectEmit(address(registry));
        emit IRegistry.CreatorAdmitted(creator, supervisor);
        _admit(supervisor, creator);
        assert(registry.isAdmitted(creator));
        assert(registry.creatorSupervisor(creator) == supervisor);

        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidAccount.selector, address(0)));
        _admit(supervisor, address(0));
    }

    function test_a_creator_has_one_supervisor_of_record() public {
        _appoint(supervisor);
        _appoint(stranger);
        _admit(supervisor, creator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadyAdmitted.selector, creator, supervisor));
        _admit(stranger, creator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadyAdmitted.selector, creator, supervisor));
        _admit(supervisor, creator);
    }

    function test_a_removed_supervisors_creator_waits_for_another() public {
        _appoint(supervisor);
        _appoint(stranger);
        _admit(supervisor, creator);
        _remove(supervisor);
        assert(!registry.isAdmitted(creator));
        assert(registry.creatorSupervisor(creator) == supervisor);
        _admit(stranger, creator);
        assert(registry.isAdmitted(creator));
        assert(registry.creatorSupervisor(creator) == stranger);
    }

    function test_appointing_again_restores_its_creators() public {
        _appoint(supervisor);
        _admit(supervisor, creator);
        _remove(supervisor);
        _appoint(supervisor);
        assert(registry.isAdmitted(creator));
    }

    function test_the_supervisor_of_record_dismisses() public {
        _appoint(supervisor);
        _admit(supervisor, creator);
        vm.expectEmit(address(registry));
        emit IRegistry.CreatorDismissed(creator, supervisor);
        _dismiss(supervisor);
        assert(!registry.isAdmitted(creator));
        assert(registry.creatorSupervisor(creator) == address(0));

        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotAdmitted.selector, creator));
        _dismiss(supervisor);
    }

    function testFuzz_nobody_else_dismisses(address caller) public {
        vm.assume(caller != supervisor);
        _appoint(supervisor);
        if (caller == stranger) _appoint(stranger);
        _admit(supervisor, creator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, caller, supervisor));
        _dismiss(caller);
    }

    function test_the_governor_stands_in_for_a_removed_supervisor() public {
        _appoint(supervisor);
        _admit(supervisor, creator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, governor, supervisor));
        _dismiss(governor);
        _remove(supervisor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, supervisor, governor));
        _dismiss(supervisor);
        _dismiss(governor);
        assert(registry.creatorSupervisor(creator) == address(0));
    }

    function _dismiss(address by) private {
        vm.prank(by);
        registry.dismissCreator(creator);
    }
}
