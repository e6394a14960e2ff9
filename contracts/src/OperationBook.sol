// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry} from "./IRegistry.sol";
import {Supervision} from "./Supervision.sol";

/// @title Operation participants: a short list, kept by governor and supervisors
abstract contract OperationBook is Supervision {
    /// @notice Most operation participants: each proposal of a slot lists them all.
    uint256 public constant PARTICIPANTS_MAX = 16;
    /// @notice Most operation participants that one supervisor named.
    uint256 public constant PARTICIPANTS_PER_SUPERVISOR_MAX = 4;

    address[] private _participants;

    /// @dev Zero for everybody who is not a participant.
    mapping(address participant => address) private _namedBy;

    mapping(address supervisor => uint256) private _named;

    /// @inheritdoc IRegistry
    function addParticipant(address account) external {
        bool unlimited = msg.sender == governor;
        if (!unlimited && !isSupervisor(msg.sender)) revert NotSupervisor(msg.sender);
        if (account == address(0)) revert InvalidAccount(account);
        if (_namedBy[account] != address(0)) revert AlreadyParticipant(account, _namedBy[account]);
        if (_participants.length == PARTICIPANTS_MAX) revert TooManyParticipants(PARTICIPANTS_MAX);
        if (!unlimited && _named[msg.sender] == PARTICIPANTS_PER_SUPERVISOR_MAX) {
            revert TooManyParticipants(PARTICIPANTS_PER_SUPERVISOR_MAX);
        }
        _participants.push(account);
        _namedBy[account] = msg.sender;
        ++_named[msg.sender];
        emit ParticipantAdded(account, msg.sender);
    }

    /// @inheritdoc IRegistry
    function removeParticipant(address account) external {
        address namedBy = _namedBy[account];
        if (namedBy == address(0)) revert NotParticipant(account);
        _requireResponsible(namedBy);
        _participants[_placeOf(account)] = _participants[_participants.length - 1];
        _participants.pop();
        delete _namedBy[account];
        --_named[namedBy];
        emit ParticipantRemoved(account, msg.sender);
    }

    /// @inheritdoc IRegistry
    function participants() external view returns (address[] memory) {
        return _participants;
    }

    /// @dev Only for a participant: it is in the list, so the loop ends within it.
    function _placeOf(address account) private view returns (uint256 place) {
        while (_participants[place] != account) ++place;
    }
}
