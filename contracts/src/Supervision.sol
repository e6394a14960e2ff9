// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Country, IRegistry} from "./IRegistry.sol";

/// @title The chain of trust: governor, supervisors, creators
/// @dev Slots 0 and 1 are written by genesis (`crates/contracts/src/predeploy.rs`): they must stay the first two.
abstract contract Supervision is IRegistry {
    /// @inheritdoc IRegistry
    address public governor;

    /// @dev A supervisor is in office while its country is not zero.
    mapping(address supervisor => Country) public supervisorCountry;

    /// @inheritdoc IRegistry
    mapping(address creator => address supervisor) public creatorSupervisor;

    modifier onlyGovernor() {
        if (msg.sender != governor) revert NotGovernor(msg.sender, governor);
        _;
    }

    /// @inheritdoc IRegistry
    function addSupervisor(address supervisor, Country country) external onlyGovernor {
        if (supervisor == address(0)) revert InvalidAccount(supervisor);
        if (!_isCountry(country)) revert InvalidCountry(country);
        if (isSupervisor(supervisor)) revert AlreadySupervisor(supervisor, supervisorCountry[supervisor]);
        supervisorCountry[supervisor] = country;
        emit SupervisorAdded(supervisor, country);
    }

    /// @inheritdoc IRegistry
    function removeSupervisor(address supervisor) external onlyGovernor {
        if (!isSupervisor(supervisor)) revert NotSupervisor(supervisor);
        supervisorCountry[supervisor] = Country.wrap(0);
        emit SupervisorRemoved(supervisor);
    }

    /// @inheritdoc IRegistry
    function admitCreator(address creator) external {
        if (!isSupervisor(msg.sender)) revert NotSupervisor(msg.sender);
        if (creator == address(0)) revert InvalidAccount(creator);
        if (isAdmitted(creator)) revert AlreadyAdmitted(creator, creatorSupervisor[creator]);
        creatorSupervisor[creator] = msg.sender;
        emit CreatorAdmitted(creator, msg.sender);
    }

    /// @inheritdoc IRegistry
    function dismissCreator(address creator) external {
        address supervisor = creatorSupervisor[creator];
        if (supervisor == address(0)) revert NotAdmitted(creator);
        _requireResponsible(supervisor);
        delete creatorSupervisor[creator];
        emit CreatorDismissed(creator, supervisor);
    }

    /// @inheritdoc IRegistry
    function isSupervisor(address account) public view returns (bool) {
        return Country.unwrap(supervisorCountry[account]) != 0;
    }

    /// @inheritdoc IRegistry
    function isAdmitted(address creator) public view returns (bool) {
        return isSupervisor(creatorSupervisor[creator]);
    }

    /// @dev A removed supervisor must not leave creators and videos that nobody can stop: the governor steps in.
    function _requireResponsible(address supervisor) internal view {
        address responsible = isSupervisor(supervisor) ? supervisor : governor;
        if (msg.sender != responsible) revert NotResponsible(msg.sender, responsible);
    }

    function _isCountry(Country country) private pure returns (bool) {
        bytes2 letters = Country.unwrap(country);
        return _isCapital(letters[0]) && _isCapital(letters[1]);
    }

    function _isCapital(bytes1 letter) private pure returns (bool) {
        return letter >= "A" && letter <= "Z";
    }
}
