// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry} from "./IRegistry.sol";
import {IStanding} from "./IStanding.sol";

/// @title The standing of accounts, which genesis places at 0x0000000000000000000000000000000000Cf0002
/// @notice See `IStanding` for what counts and every function.
/// @dev It has no constructor: genesis writes code and storage directly (`crates/contracts/src/predeploy.rs`; slots 0 and
/// 1). It cannot be upgraded, nobody has power over its coins, and it reads who is a supervisor from the registry. The one
/// call that leaves for an account, in `withdraw`, comes after everything is written down.
contract Standing is IStanding {
    IRegistry private constant REGISTRY = IRegistry(0x0000000000000000000000000000000000CF0001);

    /// @inheritdoc IStanding
    uint256 public unbondDelayS;

    /// @inheritdoc IStanding
    uint256 public vouchesPerDay;

    mapping(address account => Bond) private _bonds;

    /// @inheritdoc IStanding
    mapping(address account => address supervisor) public voucherOf;

    /// @dev Vouches of a supervisor by day since the Unix epoch.
    mapping(address supervisor => mapping(uint256 day => uint256)) private _vouches;

    /// @inheritdoc IStanding
    function standingOf(address account) external view returns (uint256 bondWei, bool vouched) {
        return (_bonds[account].bondedWei, REGISTRY.isSupervisor(voucherOf[account]));
    }

    /// @inheritdoc IStanding
    function bond() external payable {
        if (msg.value == 0) revert ZeroAmount();
        Bond storage own = _bonds[msg.sender];
        own.bondedWei += msg.value;
        emit Bonded(msg.sender, msg.value, own.bondedWei);
    }

    /// @inheritdoc IStanding
    function requestUnbond(uint256 amountWei) external {
        if (amountWei == 0) revert ZeroAmount();
        Bond storage own = _bonds[msg.sender];
        if (amountWei > own.bondedWei) revert BondTooSmall(msg.sender, amountWei, own.bondedWei);
        own.bondedWei -= amountWei;
        own.leavingWei += amountWei;
        own.releaseTimeS = block.timestamp + unbondDelayS;
        emit UnbondRequested(msg.sender, amountWei, own.bondedWei, own.releaseTimeS);
    }

    /// @inheritdoc IStanding
    function withdraw() external {
        Bond storage own = _bonds[msg.sender];
        uint256 amountWei = own.leavingWei;
        if (amountWei == 0) revert NothingLeaving(msg.sender);
        // A proposer can move the clock by seconds; the delay is one of days.
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp < own.releaseTimeS) revert NotReleased(block.timestamp, own.releaseTimeS);
        own.leavingWei = 0;
        own.releaseTimeS = 0;
        emit Withdrawn(msg.sender, amountWei);
        // Last, when the books are closed: the account may be a contract that calls back.
        (bool taken,) = msg.sender.call{value: amountWei}("");
        if (!taken) revert TransferFailed(msg.sender, amountWei);
    }

    /// @inheritdoc IStanding
    function bondOf(address account) external view returns (Bond memory) {
        return _bonds[account];
    }

    /// @inheritdoc IStanding
    function vouch(address account) external {
        if (!REGISTRY.isSupervisor(msg.sender)) revert NotSupervisor(msg.sender);
        if (account == address(0)) revert InvalidAccount(account);
        if (REGISTRY.isSupervisor(voucherOf[account])) revert AlreadyVouched(account, voucherOf[account]);
        uint256 today = _today();
        if (_vouches[msg.sender][today] >= vouchesPerDay) revert TooManyVouches(msg.sender, vouchesPerDay);
        ++_vouches[msg.sender][today];
        voucherOf[account] = msg.sender;
        emit Vouched(account, msg.sender);
    }

    /// @inheritdoc IStanding
    function revokeVouch(address account) external {
        address supervisor = voucherOf[account];
        if (supervisor == address(0)) revert NotVouched(account);
        address responsible = REGISTRY.isSupervisor(supervisor) ? supervisor : REGISTRY.governor();
        if (msg.sender != responsible) revert NotResponsible(msg.sender, responsible);
        delete voucherOf[account];
        emit VouchRevoked(account, supervisor, msg.sender);
    }

    /// @inheritdoc IStanding
    function vouchesLeft(address supervisor) external view returns (uint256) {
        return REGISTRY.isSupervisor(supervisor) ? vouchesPerDay - _vouches[supervisor][_today()] : 0;
    }

    function _today() private view returns (uint256) {
        return block.timestamp / 1 days;
    }
}
