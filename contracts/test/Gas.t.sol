// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoxKey, Magnet, NodeId} from "../src/IRegistry.sol";
import {Base} from "./Base.sol";

/// @dev What each transaction costs, kept in `snapshots/Registry.json`: every call runs as a transaction of its own,
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

    function _record(string memory name) private {
        vm.snapshotGasLastCall("Registry", name);
    }
}
