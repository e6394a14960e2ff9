// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoxKey, IRegistry, Magnet, NodeId} from "../src/IRegistry.sol";
import {Base} from "./Base.sol";

/// @dev What each transaction costs, kept in `snapshots/`: every call runs as a transaction of its own,
/// so that base cost, calldata and cold storage are in the number.
/// forge-config: default.isolate = true
contract GasTest is Base {
    function test_gas() public {
        _appoint(supervisor);
        _record("addSupervisor");
        _admit(supervisor, creator);
        _record("admitCreator");
        _register(creator, film);
        _record("registerVideo, first of all");
        _register(creator, Magnet.wrap("second"));
        _record("registerVideo");
        vm.prank(supervisor);
        registry.takeDown(film, "copyright claim 114");
        _record("takeDown");
        vm.prank(supervisor);
        registry.reinstate(film);
        _record("reinstate");
        vm.prank(supervisor);
        registry.dismissCreator(creator);
        _record("dismissCreator");
        vm.prank(stranger);
        registry.registerProvider(NodeId.wrap("node"), BoxKey.wrap("box"));
        _record("registerProvider");
        vm.prank(stranger);
        registry.registerProvider(NodeId.wrap("node"), BoxKey.wrap("new box"));
        _record("registerProvider, new key");
        vm.prank(stranger);
        registry.withdrawProvider();
        _record("withdrawProvider");
        _remove(supervisor);
        _record("removeSupervisor");
    }

    function test_gas_of_sharing() public {
        _appoint(supervisor);
        _admit(supervisor, creator);
        _register(creator, film);
        IRegistry.Split memory split = IRegistry.Split(400, 250, 50, 150, 80, 30, 40);
        vm.prank(creator);
        registry.registerVideoWithSplit(Magnet.wrap("second"), 180_123, 3, sealedSecret, split);
        _record("registerVideoWithSplit");
        _registerLayer(creator, Magnet.wrap("layer"), film);
        _record("registerLayer");
        vm.prank(supervisor);
        registry.takeDownLayer(Magnet.wrap("layer"), "copyright claim 115");
        _record("takeDownLayer");
        vm.prank(supervisor);
        registry.reinstateLayer(Magnet.wrap("layer"));
        _record("reinstateLayer");
        vm.prank(supervisor);
        registry.addParticipant(stranger);
        _record("addParticipant");
        vm.prank(supervisor);
        registry.removeParticipant(stranger);
        _record("removeParticipant");
    }

    function test_gas_of_standing() public {
        vm.warp(1_700_000_000);
        vm.deal(stranger, 10 ether);
        _appoint(supervisor);
        vm.prank(stranger);
        standing.bond{value: 5 ether}();
        _recordStanding("bond");
        vm.prank(stranger);
        standing.bond{value: 5 ether}();
        _recordStanding("bond, more");
        vm.prank(stranger);
        standing.requestUnbond(5 ether);
        _recordStanding("requestUnbond");
        vm.warp(1_700_000_000 + UNBOND_DELAY_S);
        vm.prank(stranger);
        standing.withdraw();
        _recordStanding("withdraw");
        vm.prank(supervisor);
        standing.vouch(stranger);
        _recordStanding("vouch");
        vm.prank(supervisor);
        standing.revokeVouch(stranger);
        _recordStanding("revokeVouch");
    }

    function _record(string memory name) private {
        vm.snapshotGasLastCall("Registry", name);
    }

    function _recordStanding(string memory name) private {
        vm.snapshotGasLastCall("Standing", name);
    }
}
