// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Magnet} from "./IRegistry.sol";

/// @title How the reward of a view is shared: the creator's choice within the network's bounds
/// @dev The three splits of the network are written by genesis (`crates/contracts/src/predeploy.rs`): they must stay right
/// behind the storage of `Supervision`. Without them no choice is within bounds, and nobody can choose.
abstract contract SplitChoice is IRegistry {
    uint256 private constant ROLES = 7;
    uint256 private constant WHOLE_PERMILLE = 1_000;

    Split private _default;
    Split private _least;
    Split private _most;

    /// @dev All zero where the creator chose nothing; a choice adds up to a thousand.
    mapping(Magnet => Split) private _chosen;

    /// @inheritdoc IRegistry
    function defaultSplit() external view returns (Split memory) {
        return _default;
    }

    /// @inheritdoc IRegistry
    function splitBounds() external view returns (Split memory least, Split memory most) {
        return (_least, _most);
    }

    function _splitOf(Magnet magnet) internal view returns (Split memory split) {
        split = _chosen[magnet];
        if (_sum(_shares(split)) == 0) split = _default;
    }

    function _chooseSplit(Magnet magnet, Split calldata split) internal {
        uint16[ROLES] memory shares = _shares(split);
        uint16[ROLES] memory least = _shares(_least);
        uint16[ROLES] memory most = _shares(_most);
        for (uint256 i = 0; i < ROLES; ++i) {
            if (shares[i] < least[i] || shares[i] > most[i]) revert ShareOutOfBounds(i, shares[i], least[i], most[i]);
        }
        uint256 sum = _sum(shares);
        if (sum != WHOLE_PERMILLE) revert SplitNotWhole(sum);
        _chosen[magnet] = split;
        emit SplitChosen(magnet, split);
    }

    function _sum(uint16[ROLES] memory shares) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < ROLES; ++i) {
            sum += shares[i];
        }
    }

    function _shares(Split memory split) private pure returns (uint16[ROLES] memory) {
        return [
            split.creatorPermille,
            split.viewerPermille,
            split.activatorsPermille,
            split.storagePermille,
            split.validatorsPermille,
            split.supervisorPermille,
            split.operationPermille
        ];
    }
}
