// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

// This file is also the source of the Rust bindings (`crates/contracts/src/bindings.rs`), whose macro reads one file
// and follows no imports: keep every type of the interface here.

/// BLAKE3 hash of a video's canonical manifest: the name of the video everywhere.
type Magnet is bytes32;

/// ISO 3166-1 alpha-2 country code in two capital ASCII letters; zero means none.
type Country is bytes2;

/// Ed25519 public key of a provider's peer-to-peer endpoint.
type NodeId is bytes32;

/// X25519 public key to which a provider's grants are sealed.
type BoxKey is bytes32;

/// @title Who may publish, what was published, and who stores it
/// @notice The registry of the network: supervisors admit creators, admitted creators publish videos, supervisors stop
/// and resume playback, providers announce their keys.
/// @dev The roles and what they may do:
/// ```text
/// governor --addSupervisor--> supervisor --admitCreator--> creator --registerVideo--> video (for ever)
///     |                           |                                                    ^
///     |                           +---------------- takeDown / reinstate --------------+
///     +---- acts in place of a removed supervisor: dismissCreator, takeDown, reinstate --+
/// provider --registerProvider / withdrawProvider--> its own entry
/// ```
/// No personal data is kept here: a supervisor knows who its creators are, the chain knows addresses only.
interface IRegistry {
    /// @notice One published video. Everything but `takenDown` is fixed at registration.
    /// @param creator account that published it; zero in the answer for an unknown magnet
    /// @param playTimeMs total play time, milliseconds
    /// @param cells number of VideoCells
    /// @param supervisor supervisor of record of the creator at the time of registration
    /// @param registeredBlock number of the block that registered it
    /// @param takenDown whether its supervisor has stopped playback
    /// @param sealedVideoSecret the 32-byte video secret, sealed to the validators (`crypto_box` sealed box, 80 bytes)
    struct Video {
        address creator;
        uint64 playTimeMs;
        uint32 cells;
        address supervisor;
        uint64 registeredBlock;
        bool takenDown;
        bytes sealedVideoSecret;
    }

    /// @notice One storage provider.
    /// @param account the provider's account; zero in the answer for an unknown account
    /// @param nodeId its peer-to-peer endpoint
    /// @param boxKey the key to which its grants are sealed
    struct Provider {
        address account;
        NodeId nodeId;
        BoxKey boxKey;
    }

    /// @notice `supervisor` vouches for creators of `country` from now on.
    event SupervisorAdded(address indexed supervisor, Country country);
    /// @notice `supervisor` lost its rights; the governor acts in its place.
    event SupervisorRemoved(address indexed supervisor);
    /// @notice `supervisor` became the supervisor of record of `creator`.
    event CreatorAdmitted(address indexed creator, address indexed supervisor);
    /// @notice `creator`, whose supervisor of record was `supervisor`, may no longer publish.
    event CreatorDismissed(address indexed creator, address indexed supervisor);
    /// @notice `creator` published `magnet`.
    event VideoRegistered(
        Magnet indexed magnet, address indexed creator, address indexed supervisor, uint64 playTimeMs, uint32 cells
    );
    /// @notice `by` stopped playback of `magnet`.
    event VideoTakenDown(Magnet indexed magnet, address indexed by, string reason);
    /// @notice `by` allowed playback of `magnet` again.
    event VideoReinstated(Magnet indexed magnet, address indexed by);
    /// @notice `account` serves cells from `nodeId`, or changed its keys to these.
    event ProviderRegistered(address indexed account, NodeId indexed nodeId, BoxKey boxKey);
    /// @notice `account` no longer serves cells.
    event ProviderWithdrawn(address indexed account, NodeId indexed nodeId);

    /// @notice `caller` is not the `governor`.
    error NotGovernor(address caller, address governor);
    /// @notice `account` is not a supervisor.
    error NotSupervisor(address account);
    /// @notice Only `responsible` may do this, not `caller`.
    error NotResponsible(address caller, address responsible);
    /// @notice `account` cannot hold a role.
    error InvalidAccount(address account);
    /// @notice `country` is not two capital letters.
    error InvalidCountry(Country country);
    /// @notice `supervisor` already is one, for `country`.
    error AlreadySupervisor(address supervisor, Country country);
    /// @notice `creator` already has the supervisor of record `supervisor`.
    error AlreadyAdmitted(address creator, address supervisor);
    /// @notice No supervisor now in office admitted `creator`.
    error NotAdmitted(address creator);
    /// @notice `magnet` was registered in block `registeredBlock`.
    error AlreadyRegistered(Magnet magnet, uint64 registeredBlock);
    /// @notice The magnet is zero, or the play time or number of cells is zero, too large, or impossible together.
    error InvalidVideo(Magnet magnet, uint64 playTimeMs, uint32 cells);
    /// @notice A sealed video secret has `expected` bytes, not `length`.
    error InvalidSealedSecret(uint256 length, uint256 expected);
    /// @notice `magnet` was never registered.
    error UnknownVideo(Magnet magnet);
    /// @notice `magnet` is taken down already.
    error AlreadyTakenDown(Magnet magnet);
    /// @notice `magnet` is not taken down.
    error NotTakenDown(Magnet magnet);
    /// @notice A reason has 1 to `max` bytes, not `length`.
    error InvalidReason(uint256 length, uint256 max);
    /// @notice One of the two keys is zero.
    error InvalidProvider(NodeId nodeId, BoxKey boxKey);
    /// @notice `nodeId` belongs to `account`.
    error NodeTaken(NodeId nodeId, address account);
    /// @notice `account` is not a provider.
    error NotProvider(address account);
    /// @notice `index` is not below `count`.
    error IndexOutOfRange(uint256 index, uint256 count);

    // ---------------------------------------------------------------------------------------------- supervision

    /// @notice The account that appoints supervisors; set in genesis, never changed.
    function governor() external view returns (address);

    /// @notice Appoint `supervisor` for `country`. Governor only.
    function addSupervisor(address supervisor, Country country) external;

    /// @notice Take the rights of `supervisor` away. Governor only.
    /// @dev Its creators cannot publish until another supervisor admits them; its videos keep playing and are the
    /// governor's responsibility. Appointing it again restores all of this.
    function removeSupervisor(address supervisor) external;

    /// @notice Become the supervisor of record of `creator`. Supervisors only.
    /// @dev Takes over a creator whose supervisor was removed; refuses one whose supervisor is in office.
    function admitCreator(address creator) external;

    /// @notice Stop `creator` from publishing more. Its supervisor of record only (once removed: the governor).
    /// @dev What it has published is not touched.
    function dismissCreator(address creator) external;

    /// @notice Whether `account` is a supervisor now.
    function isSupervisor(address account) external view returns (bool);

    /// @notice The country of a supervisor; zero if `account` is not one.
    function supervisorCountry(address account) external view returns (Country);

    /// @notice The supervisor of record of `creator`, in office or not; zero if there is none.
    function creatorSupervisor(address creator) external view returns (address);

    /// @notice Whether `creator` may publish now: its supervisor of record is in office.
    function isAdmitted(address creator) external view returns (bool);

    // --------------------------------------------------------------------------------------------------- videos

    /// @notice Publish a video, once and for ever. Admitted creators only.
    /// @dev A magnet waiting in the mempool can be claimed by another admitted creator. The manifest behind the magnet
    /// names its creator: nodes must refuse a video whose registered creator is somebody else.
    /// @param magnet BLAKE3 hash of the canonical manifest, not zero
    /// @param playTimeMs total play time, milliseconds: 1 to seven days, at least one for each cell
    /// @param cells number of VideoCells: 1 to 10,080
    /// @param sealedVideoSecret video secret sealed to the validators, exactly 80 bytes
    function registerVideo(Magnet magnet, uint64 playTimeMs, uint32 cells, bytes calldata sealedVideoSecret) external;

    /// @notice Stop playback of `magnet`. The video's supervisor only (once removed: the governor).
    /// @param reason for the public record, 1 to 1,024 bytes of UTF-8
    function takeDown(Magnet magnet, string calldata reason) external;

    /// @notice Allow playback of `magnet` again. The video's supervisor only (once removed: the governor).
    function reinstate(Magnet magnet) external;

    /// @notice The record of `magnet`; all zero if it was never registered.
    function video(Magnet magnet) external view returns (Video memory);

    /// @notice Whether `magnet` is registered and not taken down.
    function isPlayable(Magnet magnet) external view returns (bool);

    /// @notice Number of videos ever registered.
    function videoCount() external view returns (uint256);

    /// @notice The magnet registered as number `index`, counted from zero.
    function magnetAt(uint256 index) external view returns (Magnet);

    /// @notice Up to `count` magnets in order of registration, starting with number `from`; fewer at the end.
    function magnets(uint256 from, uint256 count) external view returns (Magnet[] memory);

    // ------------------------------------------------------------------------------------------------ providers

    /// @notice Announce the caller as a provider, or change its keys.
    /// @dev The chain cannot check that the caller holds the keys. A node must prove its `nodeId` when it connects.
    /// @param nodeId Ed25519 key of its endpoint, not zero, of no other account
    /// @param boxKey X25519 key for its grants, not zero
    function registerProvider(NodeId nodeId, BoxKey boxKey) external;

    /// @notice Leave, and free the node id.
    function withdrawProvider() external;

    /// @notice The entry of `account`; all zero if it is not a provider.
    function provider(address account) external view returns (Provider memory);

    /// @notice Number of providers now.
    function providerCount() external view returns (uint256);

    /// @notice The provider at `index`. A withdrawal moves the last one into the gap.
    function providerAt(uint256 index) external view returns (Provider memory);
}
