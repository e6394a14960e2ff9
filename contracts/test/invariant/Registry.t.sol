// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Magnet, NodeId} from "../../src/IRegistry.sol";
import {Base} from "../Base.sol";
import {Actors} from "./Actors.sol";

/// @dev What holds after any sequence of calls by anybody; the model is in `Actors`.
contract RegistryInvariants is Base {
    Actors private actors;

    function setUp() public override {
        super.setUp();
        actors = new Actors(registry, governor);
    }

    /// @dev Read by forge: random calls go to the actors only.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function invariant_a_record_never_changes_and_is_never_lost() external view {
        uint256 count = actors.publishedCount();
        assert(registry.videoCount() == count);
        Magnet[] memory listed = registry.magnets(0, count);
        for (uint256 i = 0; i < count; ++i) {
            Magnet magnet = actors.published(i);
            assert(Magnet.unwrap(listed[i]) == Magnet.unwrap(magnet));
            assert(actors.currentFingerprint(magnet) == actors.fingerprint(magnet));
        }
    }

    function invariant_playback_is_what_the_supervisors_decided() external view {
        for (uint256 i = 0; i < 16; ++i) {
            Magnet magnet = actors.magnetOf(i);
            bool known = actors.fingerprint(magnet) != 0;
            assert(registry.isPlayable(magnet) == (known && !actors.takenDown(magnet)));
        }
    }

    function invariant_roles_are_what_governor_and_supervisors_decided() external view {
        for (uint256 i = 0; i < 8; ++i) {
            address account = actors.actor(i);
            assert(registry.isSupervisor(account) == actors.inOffice(account));
            assert(registry.creatorSupervisor(account) == actors.supervisorOf(account));
            assert(registry.isAdmitted(account) == actors.inOffice(actors.supervisorOf(account)));
        }
        assert(registry.governor() == governor);
    }

    function invariant_every_provider_is_listed_once() external view {
        uint256 count = registry.providerCount();
        assert(count == actors.providers());
        for (uint256 i = 0; i < count; ++i) {
            IRegistry.Provider memory entry = registry.providerAt(i);
            assert(NodeId.unwrap(entry.nodeId) == NodeId.unwrap(actors.nodeOf(entry.account)));
            assert(actors.holderOf(entry.nodeId) == entry.account);
            assert(_same(abi.encode(entry), abi.encode(registry.provider(entry.account))));
        }
    }
}
