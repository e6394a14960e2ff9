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

/// @title Who may publish, what was published, who stores it, and who shares in its views
/// @notice The registry of the network: supervisors admit creators, admitted creators publish videos and choose how the
/// reward of their views is shared, admitted makers add layers to them, supervisors stop and resume playback, providers
/// announce their keys, operation participants are named.
/// @dev The roles and what they may do:
/// ```text
/// governor --addSupervisor--> supervisor --admitCreator--> creator --registerVideo--> video (for ever)
///     |                           |                            +-----registerLayer--> layer (for ever)
///     |                           +------- takeDown / reinstate of either -------------^
///     |                           +------- addParticipant --> operation participant
///     +---- acts in place of a removed supervisor: dismissCreator, takeDown, reinstate, removeParticipant
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
    /// @param sealedVideoSecret the 32-byte video secret, sealed to the keys of the network (80 bytes)
    struct Video {
        address creator;
        uint64 playTimeMs;
        uint32 cells;
        address supervisor;
        uint64 registeredBlock;
        bool takenDown;
        bytes sealedVideoSecret;
    }

    /// @notice How the reward of one view is shared, in thousandths that add up to 1,000. The share of a role that nobody
    /// fills goes to the creator.
    /// @param creatorPermille who published the video
    /// @param viewerPermille who watched
    /// @param activatorsPermille makers of the layers shown, in equal parts
    /// @param storagePermille peers that served the cell, by bytes
    /// @param validatorsPermille validators whose votes carried the play, in equal parts
    /// @param supervisorPermille supervisor of the video
    /// @param operationPermille operation participants, in equal parts
    struct Split {
        uint16 creatorPermille;
        uint16 viewerPermille;
        uint16 activatorsPermille;
        uint16 storagePermille;
        uint16 validatorsPermille;
        uint16 supervisorPermille;
        uint16 operationPermille;
    }

    /// @notice What a layer adds to a video.
    enum LayerKind {
        None,
        Subtitles,
        Dub,
        Effects
    }

    /// @notice One layer that can be shown with a video. Everything but `takenDown` is fixed at registration.
    /// @param video the video it belongs to; zero in the answer for an unknown layer
    /// @param maker account that registered it, and that shares in the views that show it
    /// @param kind what it adds
    /// @param supervisor supervisor of record of the maker at the time of registration
    /// @param registeredBlock number of the block that registered it
    /// @param takenDown whether its supervisor has stopped it
    struct Layer {
        Magnet video;
        address maker;
        LayerKind kind;
        address supervisor;
        uint64 registeredBlock;
        bool takenDown;
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
    /// @notice The creator of `magnet` chose how its views are shared.
    event SplitChosen(Magnet indexed magnet, Split split);
    /// @notice `maker` added `layer` to `video`.
    event LayerRegistered(Magnet indexed layer, Magnet indexed video, address indexed maker, LayerKind kind);
    /// @notice `by` stopped `layer` of `maker`.
    event LayerTakenDown(Magnet indexed layer, Magnet indexed video, address indexed maker, address by, string reason);
    /// @notice `by` allowed `layer` of `maker` again.
    event LayerReinstated(Magnet indexed layer, Magnet indexed video, address indexed maker, address by);
    /// @notice `by` named `account` an operation participant.
    event ParticipantAdded(address indexed account, address indexed by);
    /// @notice `by` ended the participation of `account`.
    event ParticipantRemoved(address indexed account, address indexed by);
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
    /// @notice Share number `role` of a split, counted from zero in the order of `Split`, is outside of what the network
    /// allows.
    error ShareOutOfBounds(uint256 role, uint16 permille, uint16 least, uint16 most);
    /// @notice The shares of a split add up to `sum` thousandths instead of 1,000.
    error SplitNotWhole(uint256 sum);
    /// @notice The layer is zero, or of no kind.
    error InvalidLayer(Magnet layer, LayerKind kind);
    /// @notice `layer` was registered in block `registeredBlock`.
    error LayerAlreadyRegistered(Magnet layer, uint64 registeredBlock);
    /// @notice `layer` was never registered.
    error UnknownLayer(Magnet layer);
    /// @notice `account` was named an operation participant by `by`.
    error AlreadyParticipant(address account, address by);
    /// @notice `account` is not an operation participant.
    error NotParticipant(address account);
    /// @notice There are `max` operation participants, or `max` of this supervisor's.
    error TooManyParticipants(uint256 max);
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
    /// @param sealedVideoSecret video secret sealed to the keys of the network, exactly 80 bytes
    function registerVideo(Magnet magnet, uint64 playTimeMs, uint32 cells, bytes calldata sealedVideoSecret) external;

    /// @notice As `registerVideo`, with shares of the creator's own choice instead of the network's. They are fixed for
    /// ever as well: a viewer knows what a view is worth before it watches.
    /// @param split within `splitBounds`, adding up to 1,000
    function registerVideoWithSplit(
        Magnet magnet,
        uint64 playTimeMs,
        uint32 cells,
        bytes calldata sealedVideoSecret,
        Split calldata split
    ) external;

    /// @notice How views of `magnet` are shared: its creator's choice, or the network's default; all zero if it was never
    /// registered.
    function splitOf(Magnet magnet) external view returns (Split memory);

    /// @notice How views are shared where creators chose nothing; set in genesis, never changed.
    function defaultSplit() external view returns (Split memory);

    /// @notice The least and the most that creators may choose for each role; set in genesis, never changed.
    function splitBounds() external view returns (Split memory least, Split memory most);

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

    // --------------------------------------------------------------------------------------------------- layers

    /// @notice Add a layer to a registered video, once and for ever. Admitted creators only: a maker of layers is admitted
    /// by a supervisor as a creator is.
    /// @dev The makers of the layers that a view shows take the activators' share, which is the creator's otherwise, and
    /// the viewer says what it shows. So a viewer could name a worthless layer of its own: it would have to be an account
    /// that a supervisor answers for, in the open for ever, and `takeDownLayer` ends it. A creator that wants no layers
    /// chooses a split without activators. As with videos, a layer waiting in the mempool can be claimed by another.
    /// @param layer BLAKE3 hash of the layer's bytes, not zero
    /// @param video a registered video
    /// @param kind what it adds
    function registerLayer(Magnet layer, Magnet video, LayerKind kind) external;

    /// @notice Stop `layer`: its maker no longer shares. The layer's supervisor only (once removed: the governor).
    /// @param reason for the public record, 1 to 1,024 bytes of UTF-8
    function takeDownLayer(Magnet layer, string calldata reason) external;

    /// @notice Allow `layer` again. The layer's supervisor only (once removed: the governor).
    function reinstateLayer(Magnet layer) external;

    /// @notice The record of `layer`; all zero if it was never registered.
    function layer(Magnet layer) external view returns (Layer memory);

    /// @notice Whether `account` made a layer of `video` that is not taken down.
    function isActivator(Magnet video, address account) external view returns (bool);

    /// @notice Number of layers ever registered for `video`.
    function layerCount(Magnet video) external view returns (uint256);

    /// @notice Up to `count` layers of `video` in order of registration, starting with number `from`; fewer at the end.
    function layers(Magnet video, uint256 from, uint256 count) external view returns (Magnet[] memory);

    // ------------------------------------------------------------------------------------------------ operation

    /// @notice Name `account` an operation participant, who shares in every view. The governor or a supervisor only.
    /// @dev At most 16 in all and 4 of one supervisor, so that no stolen supervisor key fills the list: each participant
    /// takes its part of the operation share of all views.
    function addParticipant(address account) external;

    /// @notice End the participation of `account`. Who named it only (a supervisor once removed: the governor).
    function removeParticipant(address account) external;

    /// @notice The operation participants now, at most 16, in no order that means anything.
    function participants() external view returns (address[] memory);

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
