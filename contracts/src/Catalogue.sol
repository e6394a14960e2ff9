// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Magnet} from "./IRegistry.sol";
import {SplitChoice} from "./SplitChoice.sol";
import {Supervision} from "./Supervision.sol";

/// @title Video records: written once, stopped and resumed, never changed or removed
/// @dev The length of a cell belongs to the genesis of a network, not to this contract, so that the bounds here only
/// keep absurd numbers out. Whether play time and cells fit the manifest is checked by the nodes, which have it.
abstract contract Catalogue is Supervision, SplitChoice {
    /// @notice Seven days of one-minute cells.
    uint32 public constant CELLS_MAX = 10_080;
    /// @notice Seven days, milliseconds.
    uint64 public constant PLAY_TIME_MS_MAX = 7 days * 1_000;
    /// @notice A 32-byte secret in a sealed box: 48 bytes come on top, whether one validator opens it or a quorum.
    uint256 public constant SEALED_VIDEO_SECRET_BYTES = 80;
    /// @notice Longest reason of a takedown, bytes.
    uint256 public constant REASON_BYTES_MAX = 1_024;

    mapping(Magnet => Video) private _videos;
    Magnet[] private _magnets;

    /// @inheritdoc IRegistry
    function registerVideo(Magnet magnet, uint64 playTimeMs, uint32 cells, bytes calldata sealedVideoSecret) external {
        _register(magnet, playTimeMs, cells, sealedVideoSecret);
    }

    /// @inheritdoc IRegistry
    function registerVideoWithSplit(
        Magnet magnet,
        uint64 playTimeMs,
        uint32 cells,
        bytes calldata sealedVideoSecret,
        Split calldata split
    ) external {
        _register(magnet, playTimeMs, cells, sealedVideoSecret);
        _chooseSplit(magnet, split);
    }

    /// @inheritdoc IRegistry
    function takeDown(Magnet magnet, string calldata reason) external {
        Video storage record = _supervised(magnet);
        if (record.takenDown) revert AlreadyTakenDown(magnet);
        _requireReason(reason);
        record.takenDown = true;
        emit VideoTakenDown(magnet, msg.sender, reason);
    }

    /// @inheritdoc IRegistry
    function reinstate(Magnet magnet) external {
        Video storage record = _supervised(magnet);
        if (!record.takenDown) revert NotTakenDown(magnet);
        record.takenDown = false;
        emit VideoReinstated(magnet, msg.sender);
    }

    /// @inheritdoc IRegistry
    function video(Magnet magnet) external view returns (Video memory) {
        return _videos[magnet];
    }

    /// @inheritdoc IRegistry
    function splitOf(Magnet magnet) external view returns (Split memory split) {
        if (_isRegistered(magnet)) split = _splitOf(magnet);
    }

    /// @inheritdoc IRegistry
    function isPlayable(Magnet magnet) external view returns (bool) {
        return _isRegistered(magnet) && !_videos[magnet].takenDown;
    }

    /// @inheritdoc IRegistry
    function videoCount() external view returns (uint256) {
        return _magnets.length;
    }

    /// @inheritdoc IRegistry
    function magnetAt(uint256 index) external view returns (Magnet) {
        if (index >= _magnets.length) revert IndexOutOfRange(index, _magnets.length);
        return _magnets[index];
    }

    /// @inheritdoc IRegistry
    function magnets(uint256 from, uint256 count) external view returns (Magnet[] memory) {
        return _page(_magnets, from, count);
    }

    /// @dev Up to `count` entries of `list` from number `from` on.
    function _page(Magnet[] storage list, uint256 from, uint256 count) internal view returns (Magnet[] memory page) {
        uint256 total = list.length;
        if (from >= total) return page;
        // Compared with what is left, because `from + count` may overflow.
        if (count > total - from) count = total - from;
        page = new Magnet[](count);
        for (uint256 i = 0; i < count; ++i) {
            page[i] = list[from + i];
        }
    }

    function _requireReason(string calldata reason) internal pure {
        uint256 length = bytes(reason).length;
        if (length == 0 || length > REASON_BYTES_MAX) revert InvalidReason(length, REASON_BYTES_MAX);
    }

    function _isRegistered(Magnet magnet) internal view returns (bool) {
        return _videos[magnet].creator != address(0);
    }

    function _register(Magnet magnet, uint64 playTimeMs, uint32 cells, bytes calldata sealedVideoSecret) private {
        if (!isAdmitted(msg.sender)) revert NotAdmitted(msg.sender);
        if (_isRegistered(magnet)) revert AlreadyRegistered(magnet, _videos[magnet].registeredBlock);
        if (!_isSane(magnet, playTimeMs, cells)) revert InvalidVideo(magnet, playTimeMs, cells);
        if (sealedVideoSecret.length != SEALED_VIDEO_SECRET_BYTES) {
            revert InvalidSealedSecret(sealedVideoSecret.length, SEALED_VIDEO_SECRET_BYTES);
        }
        address supervisor = creatorSupervisor[msg.sender];
        _videos[magnet] = Video({
            creator: msg.sender,
            playTimeMs: playTimeMs,
            cells: cells,
            supervisor: supervisor,
            registeredBlock: uint64(block.number),
            takenDown: false,
            sealedVideoSecret: sealedVideoSecret
        });
        _magnets.push(magnet);
        emit VideoRegistered(magnet, msg.sender, supervisor, playTimeMs, cells);
    }

    /// @dev The record of `magnet`, for the one account that may stop or resume it.
    function _supervised(Magnet magnet) private view returns (Video storage record) {
        if (!_isRegistered(magnet)) revert UnknownVideo(magnet);
        record = _videos[magnet];
        _requireResponsible(record.supervisor);
    }

    function _isSane(Magnet magnet, uint64 playTimeMs, uint32 cells) private pure returns (bool) {
        return Magnet.unwrap(magnet) != 0 && cells > 0 && cells <= CELLS_MAX && playTimeMs >= cells
            && playTimeMs <= PLAY_TIME_MS_MAX;
    }
}
