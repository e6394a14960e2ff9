// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoxKey, IRegistry, NodeId} from "./IRegistry.sol";

/// @title Storage providers: one entry per account, one account per node
abstract contract ProviderBook is IRegistry {
    Provider[] private _providers;

    /// @dev Place in `_providers` plus one; zero means no entry.
    mapping(address account => uint256) private _place;

    mapping(NodeId => address account) private _nodeAccount;

    /// @inheritdoc IRegistry
    function registerProvider(NodeId nodeId, BoxKey boxKey) external {
        if (NodeId.unwrap(nodeId) == 0 || BoxKey.unwrap(boxKey) == 0) revert InvalidProvider(nodeId, boxKey);
        address holder = _nodeAccount[nodeId];
        if (holder != address(0) && holder != msg.sender) revert NodeTaken(nodeId, holder);

        Provider memory entry = Provider({account: msg.sender, nodeId: nodeId, boxKey: boxKey});
        uint256 place = _place[msg.sender];
        if (place == 0) {
            _providers.push(entry);
            _place[msg.sender] = _providers.length;
        } else {
            delete _nodeAccount[_providers[place - 1].nodeId];
            _providers[place - 1] = entry;
        }
        _nodeAccount[nodeId] = msg.sender;
        emit ProviderRegistered(msg.sender, nodeId, boxKey);
    }

    /// @inheritdoc IRegistry
    function withdrawProvider() external {
        uint256 place = _place[msg.sender];
        if (place == 0) revert NotProvider(msg.sender);
        NodeId nodeId = _providers[place - 1].nodeId;

        Provider memory last = _providers[_providers.length - 1];
        _providers[place - 1] = last;
        _place[last.account] = place;
        _providers.pop();
        // After the move, because the leaver may itself be the last.
        delete _place[msg.sender];
        delete _nodeAccount[nodeId];
        emit ProviderWithdrawn(msg.sender, nodeId);
    }

    /// @inheritdoc IRegistry
    function provider(address account) external view returns (Provider memory entry) {
        uint256 place = _place[account];
        if (place != 0) entry = _providers[place - 1];
    }

    /// @inheritdoc IRegistry
    function providerCount() external view returns (uint256) {
        return _providers.length;
    }

    /// @inheritdoc IRegistry
    function providerAt(uint256 index) external view returns (Provider memory) {
        if (index >= _providers.length) revert IndexOutOfRange(index, _providers.length);
        return _providers[index];
    }
}
