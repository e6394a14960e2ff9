// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Magnet} from "../../src/IRegistry.sol";
import {Registry} from "../../src/Registry.sol";
import {Actors} from "./Actors.sol";

/// @dev The actors also choose splits, make layers and name operation participants.
contract Makers is Actors {
    uint256 private constant LAYERS = 12;

    struct Made {
        Magnet video;
        address maker;
        address supervisor;
        bool takenDown;
    }

    /// @dev Share of the viewer where a creator chose; zero where not.
    mapping(Magnet => uint16) public chosenViewerPermille;
    mapping(Magnet layer => Made) public made;
    mapping(address => address) public namedBy;
    mapping(address => uint256) public named;
    uint256 public participants;

    constructor(Registry registry_, address governor_) Actors(registry_, governor_) {}

    function publishSharing(uint256 by, uint256 which, uint16 forViewer) external {
        (address caller, Magnet magnet) = (actor(by), magnetOf(which));
        // From below the least to above the most that bounds allow; the creator takes what is left.
        forViewer = 190 + forViewer % 400;
        IRegistry.Split memory split = IRegistry.Split(650 - forViewer, forViewer, 50, 150, 80, 30, 40);
        bytes memory secret = abi.encodePacked(magnet, magnet, bytes16(0));
        bytes memory call_ = abi.encodeCall(IRegistry.registerVideoWithSplit, (magnet, 60_000, 1, secret, split));
        bool accepted = _act(caller, call_);
        bool free = inOffice[supervisorOf[caller]] && fingerprint[magnet] == 0;
        assert(accepted == (free && forViewer >= 200 && forViewer <= 400));
        if (!accepted) return;
        chosenViewerPermille[magnet] = forViewer;
        fingerprint[magnet] = currentFingerprint(magnet);
        videoSupervisor[magnet] = supervisorOf[caller];
        published.push(magnet);
    }

    function addLayer(uint256 by, uint256 which, uint256 video, uint256 kind) external {
        (address caller, Magnet layer, Magnet magnet) = (actor(by), layerOf(which), magnetOf(video));
        IRegistry.LayerKind chosen = IRegistry.LayerKind(kind % 4);
        bool accepted = _act(caller, abi.encodeCall(IRegistry.registerLayer, (layer, magnet, chosen)));
        bool free = fingerprint[magnet] != 0 && made[layer].maker == address(0);
        assert(accepted == (inOffice[supervisorOf[caller]] && free && chosen != IRegistry.LayerKind.None));
        if (accepted) made[layer] = Made(magnet, caller, supervisorOf[caller], false);
    }

    function stopLayer(uint256 by, uint256 which) external {
        (address caller, Magnet layer) = (actor(by), layerOf(which));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.takeDownLayer, (layer, "reason")));
        assert(accepted == (_mayJudgeLayer(caller, layer) && !made[layer].takenDown));
        if (accepted) made[layer].takenDown = true;
    }

    function resumeLayer(uint256 by, uint256 which) external {
        (address caller, Magnet layer) = (actor(by), layerOf(which));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.reinstateLayer, (layer)));
        assert(accepted == (_mayJudgeLayer(caller, layer) && made[layer].takenDown));
        if (accepted) made[layer].takenDown = false;
    }

    function name(uint256 by, uint256 who) external {
        // Twice as many accounts as actors, so that the limit of a supervisor is met.
        (address caller, address account) = (actor(by), participantOf(who));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.addParticipant, (account)));
        bool free = namedBy[account] == address(0) && participants < 16;
        bool may = caller == governor || (inOffice[caller] && named[caller] < 4);
        assert(accepted == (free && may));
        if (!accepted) return;
        namedBy[account] = caller;
        ++named[caller];
        ++participants;
    }

    function unname(uint256 by, uint256 who) external {
        (address caller, address account) = (actor(by), participantOf(who));
        bool accepted = _act(caller, abi.encodeCall(IRegistry.removeParticipant, (account)));
        address responsible = namedBy[account];
        assert(accepted == (responsible != address(0) && caller == _responsible(responsible)));
        if (!accepted) return;
        --named[responsible];
        --participants;
        delete namedBy[account];
    }

    function layerOf(uint256 index) public pure returns (Magnet) {
        return Magnet.wrap(keccak256(abi.encode("layer", index % LAYERS)));
    }

    function participantOf(uint256 index) public pure returns (address) {
        return address(uint160(0xBC000 + index % 20));
    }

    /// @dev Layers of `account` for `video` that stand.
    function standing(Magnet video, address account) external view returns (uint256 count) {
        if (account == address(0)) return 0;
        for (uint256 i = 0; i < LAYERS; ++i) {
            Made storage layer = made[layerOf(i)];
            bool its = layer.maker == account && Magnet.unwrap(layer.video) == Magnet.unwrap(video);
            if (its && !layer.takenDown) ++count;
        }
    }

    function _mayJudgeLayer(address caller, Magnet layer) private view returns (bool) {
        return made[layer].maker != address(0) && caller == _responsible(made[layer].supervisor);
    }
}
