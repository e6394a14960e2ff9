// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Magnet, NodeId} from "../../src/IRegistry.sol";
import {Base} from "../Base.sol";
import {Makers} from "./Makers.sol";

/// @dev What holds after any sequence of calls by anybody; the model is in `Actors` and `Makers`.
contract RegistryInvariants is Base {
    Makers private actors;

    function setUp() public override {
        super.setUp();
        actors = new Makers(registry, governor);
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

    function invariant_playback_and_shares_are_what_supervisors_and_creators_decided() external view {
        for (uint256 i = 0; i < 16; ++i) {
            Magnet magnet = actors.magnetOf(i);
            bool known = actors.fingerprint(magnet) != 0;
            assert(registry.isPlayable(magnet) == (known && !actors.takenDown(magnet)));
            IRegistry.Split memory split = registry.splitOf(magnet);
            uint256 sum = uint256(split.creatorPermille) + split.viewerPermille + split.activatorsPermille
                + split.storagePermille + split.validatorsPermille + split.supervisorPermille + split.operationPermille;
            assert(sum == (known ? 1_000 : 0));
            uint16 chosen = actors.chosenViewerPermille(magnet);
            if (known) assert(split.viewerPermille == (chosen == 0 ? 300 : chosen));
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
        _checkParticipants();
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

    function invariant_layers_never_change_and_makers_share_while_one_of_theirs_stands() external view {
        for (uint256 i = 0; i < 12; ++i) {
            Magnet layer = actors.layerOf(i);
            (Magnet video, address maker, address judge, bool takenDown) = actors.made(layer);
            IRegistry.Layer memory record = registry.layer(layer);
            assert(Magnet.unwrap(record.video) == Magnet.unwrap(video));
            assert(record.maker == maker && record.supervisor == judge && record.takenDown == takenDown);
            assert(registry.isActivator(video, maker) == (actors.standing(video, maker) > 0));
        }
        (Magnet first,,,) = actors.made(actors.layerOf(0));
        for (uint256 i = 0; i < 8; ++i) {
            address account = actors.actor(i);
            assert(registry.isActivator(first, account) == (actors.standing(first, account) > 0));
        }
    }

    function _checkParticipants() private view {
        address[] memory listed = registry.participants();
        assert(listed.length == actors.participants() && listed.length <= 16);
        for (uint256 i = 0; i < listed.length; ++i) {
            assert(actors.namedBy(listed[i]) != address(0));
            for (uint256 j = 0; j < i; ++j) {
                assert(listed[j] != listed[i]);
            }
        }
        for (uint256 i = 1; i < 8; ++i) {
            assert(actors.named(actors.actor(i)) <= 4);
        }
    }
}
