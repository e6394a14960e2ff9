// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Catalogue} from "./Catalogue.sol";
import {IRegistry, Magnet} from "./IRegistry.sol";

/// @title Layers shown with a video: written once, stopped and resumed, never changed or removed
abstract contract LayerBook is Catalogue {
    mapping(Magnet layer => Layer) private _layers;
    mapping(Magnet video => Magnet[]) private _layersOf;

    /// @dev Layers that are not taken down: whether an account shares is one look, however many layers it made.
    mapping(Magnet video => mapping(address maker => uint256)) private _shown;

    /// @inheritdoc IRegistry
    function registerLayer(Magnet layer_, Magnet video_, LayerKind kind) external {
        if (!isAdmitted(msg.sender)) revert NotAdmitted(msg.sender);
        if (Magnet.unwrap(layer_) == 0 || kind == LayerKind.None) revert InvalidLayer(layer_, kind);
        if (!_isRegistered(video_)) revert UnknownVideo(video_);
        if (_isLayer(layer_)) revert LayerAlreadyRegistered(layer_, _layers[layer_].registeredBlock);
        _layers[layer_] = Layer({
            video: video_,
            maker: msg.sender,
            kind: kind,
            supervisor: creatorSupervisor[msg.sender],
            registeredBlock: uint64(block.number),
            takenDown: false
        });
        _layersOf[video_].push(layer_);
        ++_shown[video_][msg.sender];
        emit LayerRegistered(layer_, video_, msg.sender, kind);
    }

    /// @inheritdoc IRegistry
    function takeDownLayer(Magnet layer_, string calldata reason) external {
        Layer storage record = _supervisedLayer(layer_);
        if (record.takenDown) revert AlreadyTakenDown(layer_);
        _requireReason(reason);
        record.takenDown = true;
        --_shown[record.video][record.maker];
        emit LayerTakenDown(layer_, record.video, record.maker, msg.sender, reason);
    }

    /// @inheritdoc IRegistry
    function reinstateLayer(Magnet layer_) external {
        Layer storage record = _supervisedLayer(layer_);
        if (!record.takenDown) revert NotTakenDown(layer_);
        record.takenDown = false;
        ++_shown[record.video][record.maker];
        emit LayerReinstated(layer_, record.video, record.maker, msg.sender);
    }

    /// @inheritdoc IRegistry
    function layer(Magnet layer_) external view returns (Layer memory) {
        return _layers[layer_];
    }

    /// @inheritdoc IRegistry
    function isActivator(Magnet video_, address account) external view returns (bool) {
        return _shown[video_][account] != 0;
    }

    /// @inheritdoc IRegistry
    function layerCount(Magnet video_) external view returns (uint256) {
        return _layersOf[video_].length;
    }

    /// @inheritdoc IRegistry
    function layers(Magnet video_, uint256 from, uint256 count) external view returns (Magnet[] memory) {
        return _page(_layersOf[video_], from, count);
    }

    /// @dev The record of `layer_`, for the one account that may stop or resume it.
    function _supervisedLayer(Magnet layer_) private view returns (Layer storage record) {
        if (!_isLayer(layer_)) revert UnknownLayer(layer_);
        record = _layers[layer_];
        _requireResponsible(record.supervisor);
    }

    function _isLayer(Magnet layer_) private view returns (bool) {
        return _layers[layer_].maker != address(0);
    }
}
