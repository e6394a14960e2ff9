// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

// Rust makes its bindings from this file (`crates/contracts/src/bindings.rs`): keep every type of the interface here.

/// @title What makes an account more than an address: coins it bonds, or a supervisor who vouches for it
/// @notice Whoever has no standing starts with little weight, because addresses cost nothing. A bond or a vouch gives full
/// weight at once. Nothing here is ever taken from anybody: a bond costs its owner the use of the coins.
/// @dev What becomes of a bond and of a vouch:
/// ```text
/// account    --bond----------> bonded --requestUnbond--> leaving --unbondDelayS later, withdraw--> account
///                              counts                    counts no more
/// supervisor --vouch / revokeVouch--> account (counts while the supervisor is in office)
/// ```
/// What it costs an attacker. Bonds: full weight for `n` accounts at a time ties up `n` full bonds (genesis:
/// `bondFullCfx`), and coins that move on to a fresh account count for neither during `unbondDelayS`. Vouches: who steals
/// the key of a supervisor makes `vouchesPerDay` accounts of full weight a day until the governor removes the supervisor,
/// and then all its vouches end in the same block. No personal data is kept here.
interface IStanding {
    /// @notice The coins of one account in this contract, in wei.
    /// @param bondedWei what counts
    /// @param leavingWei what was asked back and is not withdrawn yet
    /// @param releaseTimeS when that can be withdrawn, in seconds since the Unix epoch; zero when nothing is leaving
    struct Bond {
        uint256 bondedWei;
        uint256 leavingWei;
        uint256 releaseTimeS;
    }

    /// @notice `account` bonded `amountWei` more and has `bondedWei` now.
    event Bonded(address indexed account, uint256 amountWei, uint256 bondedWei);
    /// @notice `account` asked `amountWei` back and has `bondedWei` left; all that is leaving can go at `releaseTimeS`.
    event UnbondRequested(address indexed account, uint256 amountWei, uint256 bondedWei, uint256 releaseTimeS);
    /// @notice `amountWei` went back to `account`.
    event Withdrawn(address indexed account, uint256 amountWei);
    /// @notice `supervisor` vouches for `account`.
    event Vouched(address indexed account, address indexed supervisor);
    /// @notice `by` ended the vouch of `supervisor` for `account`.
    event VouchRevoked(address indexed account, address indexed supervisor, address by);

    /// @notice No amount was given.
    error ZeroAmount();
    /// @notice `account` has bonded `bondedWei`, which is less than `amountWei`.
    error BondTooSmall(address account, uint256 amountWei, uint256 bondedWei);
    /// @notice Nothing of `account` is leaving.
    error NothingLeaving(address account);
    /// @notice It is `nowS`; the coins can be withdrawn from `releaseTimeS` on.
    error NotReleased(uint256 nowS, uint256 releaseTimeS);
    /// @notice `account` does not take its coins.
    error TransferFailed(address account, uint256 amountWei);
    /// @notice `account` is not a supervisor.
    error NotSupervisor(address account);
    /// @notice `account` cannot be vouched for.
    error InvalidAccount(address account);
    /// @notice `supervisor`, who is in office, vouches for `account`.
    error AlreadyVouched(address account, address supervisor);
    /// @notice Nobody vouches for `account`.
    error NotVouched(address account);
    /// @notice `supervisor` vouched for `max` accounts today.
    error TooManyVouches(address supervisor, uint256 max);
    /// @notice Only `responsible` may do this, not `caller`.
    error NotResponsible(address caller, address responsible);

    /// @notice Time between a request to unbond and the withdrawal, in seconds; set in genesis, never changed.
    function unbondDelayS() external view returns (uint256);

    /// @notice Accounts that one supervisor may newly vouch for in one day (UTC); set in genesis, never changed.
    function vouchesPerDay() external view returns (uint256);

    /// @notice What validators weigh: the bond of `account` in wei, and whether a supervisor in office vouches for it.
    function standingOf(address account) external view returns (uint256 bondWei, bool vouched);

    // ---------------------------------------------------------------------------------------------------- bonds

    /// @notice Bond the coins that come with the call.
    function bond() external payable;

    /// @notice Ask `amountWei` of the bond back. It counts no more, and can be withdrawn after `unbondDelayS`.
    /// @dev The delay starts anew for all that is leaving: one date per account, however many requests.
    function requestUnbond(uint256 amountWei) external;

    /// @notice Take back all that is leaving, after the delay.
    function withdraw() external;

    /// @notice The coins of `account` here.
    function bondOf(address account) external view returns (Bond memory);

    // -------------------------------------------------------------------------------------------------- vouches

    /// @notice Vouch for `account`. Supervisors only, `vouchesPerDay` a day; a revoked vouch counts as well.
    /// @dev Takes over an account whose supervisor was removed; refuses one whose supervisor is in office.
    function vouch(address account) external;

    /// @notice Vouch for `account` no longer. The supervisor who vouches only (once removed: the governor).
    function revokeVouch(address account) external;

    /// @notice The supervisor who vouches for `account`, in office or not; zero if there is none.
    function voucherOf(address account) external view returns (address);

    /// @notice How many accounts `supervisor` may still vouch for today; zero if it is not one.
    function vouchesLeft(address supervisor) external view returns (uint256);
}
