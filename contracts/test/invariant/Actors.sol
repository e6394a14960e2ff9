// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoxKey, Country, IRegistry, Magnet, NodeId} from "../../src/IRegistry.sol";
import {Registry} from "../../src/Registry.sol";
import {Vm} from "../Base.sol";

/// @dev Eight accounts doing random things, and a model of what must come of them. Each step predicts from the model
/// alone whether the registry accepts it; a wrong prediction fails the run. One account is the governor; all of them
/// may at some time be supervisor, creator and provider, because roles are not exclusive.
contract Actors {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant ACCOUNTS = 8;
    uint256 internal constant MAGNETS = 16;
    uint256 private constant NODES = 6;

    Registry internal immutable registry;
    address internal immutable governor;

    mapping(address => bool) public inOffice;
    mapping(address => address) public supervisorOf;
    /// @dev Hash of a record with its flag cleared, taken right after its registration.
    mapping(Magnet => bytes32) public fingerprint;
    mapping(Magnet => address) public videoSupervisor;
    mapping(Magnet => bool) public takenDown;
    Magnet[] public published;
    mapping(address => NodeId) public nodeOf;
    mapping(NodeId => address) public holderOf;
    uint256 public providers;

    constructor(Registry registry_, address governor_) {
        registry = registry_;
        governor = governor_;
    }

    function appoint(uint256 by, uint256 who) external {
        (address caller, address account) = (actor(by), actor(who));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.addSupervisor, (account, Country.wrap("KR"))));
        assert(accepted == (caller == governor && !inOffice[account]));
        if (accepted) inOffice[account] = true;
    }

    function remove(uint256 by, uint256 who) external {
        (address caller, address account) = (actor(by), actor(who));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.removeSupervisor, (account)));
        assert(accepted == (caller == governor && inOffice[account]));
        if (accepted) inOffice[account] = false;
    }

    function admit(uint256 by, uint256 who) external {
        (address caller, address account) = (actor(by), actor(who));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.admitCreator, (account)));
        assert(accepted == (inOffice[caller] && !inOffice[supervisorOf[account]]));
        if (accepted) supervisorOf[account] = caller;
    }

    function dismiss(uint256 by, uint256 who) external {
        (address caller, address account) = (actor(by), actor(who));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.dismissCreator, (account)));
        address supervisor = supervisorOf[account];
        assert(accepted == (supervisor != address(0) && caller == _responsible(supervisor)));
        if (accepted) delete supervisorOf[account];
    }

    function publish(uint256 by, uint256 which, uint32 cells) external {
        (address caller, Magnet magnet) = (actor(by), magnetOf(which));
        cells = 1 + cells % 100;
        bytes memory secret = abi.encodePacked(magnet, magnet, bytes16(uint128(cells)));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.registerVideo, (magnet, cells * 60_000, cells, secret)));
        assert(accepted == (inOffice[supervisorOf[caller]] && fingerprint[magnet] == 0));
        if (!accepted) return;
        assert(registry.video(magnet).creator == caller);
        fingerprint[magnet] = currentFingerprint(magnet);
        videoSupervisor[magnet] = supervisorOf[caller];
        published.push(magnet);
    }

    function takeDown(uint256 by, uint256 which) external {
        (address caller, Magnet magnet) = (actor(by), magnetOf(which));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.takeDown, (magnet, "reason")));
        assert(accepted == (_mayJudge(caller, magnet) && !takenDown[magnet]));
        if (accepted) takenDown[magnet] = true;
    }

    function reinstate(uint256 by, uint256 which) external {
        (address caller, Magnet magnet) = (actor(by), magnetOf(which));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.reinstate, (magnet)));
        assert(accepted == (_mayJudge(caller, magnet) && takenDown[magnet]));
        if (accepted) takenDown[magnet] = false;
    }

    function join(uint256 by, uint256 node, bytes32 key) external {
        (address caller, NodeId nodeId) = (actor(by), NodeId.wrap(bytes32(1 + node % NODES)));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.registerProvider, (nodeId, BoxKey.wrap(key))));
        address holder = holderOf[nodeId];
        assert(accepted == (key != 0 && (holder == address(0) || holder == caller)));
        if (!accepted) return;
        if (NodeId.unwrap(nodeOf[caller]) == 0) ++providers;
        delete holderOf[nodeOf[caller]];
        (nodeOf[caller], holderOf[nodeId]) = (nodeId, caller);
    }

    function withdraw(uint256 by) external {
        address caller = actor(by);
        bool accepted = _act(caller, abi.encodeCall(IRegistry.withdrawProvider, ()));
        assert(accepted == (NodeId.unwrap(nodeOf[caller]) != 0));
        if (!accepted) return;
        --providers;
        delete holderOf[nodeOf[caller]];
        nodeOf[caller] = NodeId.wrap(0);
    }

    /// @dev Number `index` of the accounts; the first is the governor.
    function actor(uint256 index) public view returns (address) {
        index %= ACCOUNTS;
        return index == 0 ? governor : address(uint160(0xAC000 + index));
    }

    function magnetOf(uint256 index) public pure returns (Magnet) {
        return Magnet.wrap(keccak256(abi.encode("magnet", index % MAGNETS)));
    }

    function publishedCount() external view returns (uint256) {
        return published.length;
    }

    function currentFingerprint(Magnet magnet) public view returns (bytes32) {
        IRegistry.Video memory video = registry.video(magnet);
        video.takenDown = false;
        return keccak256(abi.encode(video));
    }

    function _mayJudge(address caller, Magnet magnet) private view returns (bool) {
        return fingerprint[magnet] != 0 && caller == _responsible(videoSupervisor[magnet]);
    }

    function _responsible(address supervisor) internal view returns (address) {
        return inOffice[supervisor] ? supervisor : governor;
    }

    function _act(address caller, bytes memory data) internal returns (bool accepted) {
        vm.prank(caller);
        (accepted,) = address(registry).call(data);
    }
}
