// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoxKey, Country, IRegistry, Magnet, NodeId} from "../src/IRegistry.sol";
import {IStanding} from "../src/IStanding.sol";
import {VectorFile} from "./VectorFile.sol";

/// @dev `vectors/registry.json` from the contract's side; `crates/contracts/tests/contracts/registry.rs` is the other side.
contract VectorsTest is VectorFile {
    function setUp() public override {
        super.setUp();
        _open("../vectors/registry.json", address(registry));
    }

    function test_limits() public view {
        assert(vm.parseJsonUint(json, ".limits.cellsMax") == registry.CELLS_MAX());
        assert(vm.parseJsonUint(json, ".limits.playTimeMsMax") == registry.PLAY_TIME_MS_MAX());
        assert(vm.parseJsonUint(json, ".limits.sealedVideoSecretBytes") == registry.SEALED_VIDEO_SECRET_BYTES());
        assert(vm.parseJsonUint(json, ".limits.reasonBytesMax") == registry.REASON_BYTES_MAX());
        assert(vm.parseJsonUint(json, ".limits.participantsMax") == registry.PARTICIPANTS_MAX());
        uint256 most = registry.PARTICIPANTS_PER_SUPERVISOR_MAX();
        assert(vm.parseJsonUint(json, ".limits.participantsPerSupervisorMax") == most);
    }

    function test_genesis_storage_is_what_transactions_would_write() public {
        address first = vm.parseJsonAddress(json, ".genesis.governor");
        vm.store(address(registry), 0, bytes32(uint256(uint160(first))));
        for (uint256 i = 0; i < 2; ++i) {
            string memory path = string.concat(".genesis.supervisors[", vm.toString(i), "]");
            vm.prank(first);
            registry.addSupervisor(
                vm.parseJsonAddress(json, string.concat(path, ".address")),
                Country.wrap(bytes2(bytes(vm.parseJsonString(json, string.concat(path, ".country")))))
            );
        }
        for (uint256 i = 0; i < 3; ++i) {
            (bytes32 slot, bytes32 value) = _storage(i);
            assert(vm.load(address(registry), slot) == value);
        }
    }

    function test_genesis_storage_alone_makes_a_working_registry() public {
        _storeGenesis(6);
        address first = vm.parseJsonAddress(json, ".genesis.supervisors[0].address");
        assert(registry.governor() == vm.parseJsonAddress(json, ".genesis.governor"));
        assert(Country.unwrap(registry.supervisorCountry(first)) == "KR");
        (IRegistry.Split memory least, IRegistry.Split memory most) = registry.splitBounds();
        assert(_same(abi.encode(registry.defaultSplit()), abi.encode(_split(".genesis.splits.default"))));
        assert(_same(abi.encode(least), abi.encode(_split(".genesis.splits.least"))));
        assert(_same(abi.encode(most), abi.encode(_split(".genesis.splits.most"))));
        _admit(first, creator);
        _register(creator, film);
    }

    function test_supervision_calls() public view {
        address account = vm.parseJsonAddress(json, ".calls.addSupervisor.args.supervisor");
        bytes2 country = bytes2(vm.parseJsonBytes(json, ".calls.addSupervisor.args.country"));
        address author = vm.parseJsonAddress(json, ".calls.admitCreator.args.creator");
        _check("addSupervisor", abi.encodeCall(IRegistry.addSupervisor, (account, Country.wrap(country))));
        _check("removeSupervisor", abi.encodeCall(IRegistry.removeSupervisor, (account)));
        _check("admitCreator", abi.encodeCall(IRegistry.admitCreator, (author)));
        _check("dismissCreator", abi.encodeCall(IRegistry.dismissCreator, (author)));
        _check("governor", abi.encodeCall(IRegistry.governor, ()));
        _check("isSupervisor", abi.encodeCall(IRegistry.isSupervisor, (account)));
        _check("supervisorCountry", abi.encodeCall(IRegistry.supervisorCountry, (account)));
        _check("creatorSupervisor", abi.encodeCall(IRegistry.creatorSupervisor, (author)));
        _check("isAdmitted", abi.encodeCall(IRegistry.isAdmitted, (author)));
    }

    function test_video_calls() public view {
        Magnet magnet = Magnet.wrap(vm.parseJsonBytes32(json, ".calls.registerVideo.args.magnet"));
        uint64 playTimeMs = uint64(vm.parseJsonUint(json, ".calls.registerVideo.args.playTimeMs"));
        uint32 cells = uint32(vm.parseJsonUint(json, ".calls.registerVideo.args.cells"));
        bytes memory secret = vm.parseJsonBytes(json, ".calls.registerVideo.args.sealedVideoSecret");
        string memory reason = vm.parseJsonString(json, ".calls.takeDown.args.reason");
        _check("registerVideo", abi.encodeCall(IRegistry.registerVideo, (magnet, playTimeMs, cells, secret)));
        _check("takeDown", abi.encodeCall(IRegistry.takeDown, (magnet, reason)));
        _check("reinstate", abi.encodeCall(IRegistry.reinstate, (magnet)));
        _check("video", abi.encodeCall(IRegistry.video, (magnet)));
        _check("isPlayable", abi.encodeCall(IRegistry.isPlayable, (magnet)));
        _check("videoCount", abi.encodeCall(IRegistry.videoCount, ()));
        _check("magnetAt", abi.encodeCall(IRegistry.magnetAt, (_arg(".calls.magnetAt.args.index"))));
        _check(
            "magnets",
            abi.encodeCall(IRegistry.magnets, (_arg(".calls.magnets.args.from"), _arg(".calls.magnets.args.count")))
        );
    }

    function test_provider_calls() public view {
        NodeId nodeId = NodeId.wrap(vm.parseJsonBytes32(json, ".calls.registerProvider.args.nodeId"));
        BoxKey boxKey = BoxKey.wrap(vm.parseJsonBytes32(json, ".calls.registerProvider.args.boxKey"));
        address account = vm.parseJsonAddress(json, ".calls.provider.args.account");
        _check("registerProvider", abi.encodeCall(IRegistry.registerProvider, (nodeId, boxKey)));
        _check("withdrawProvider", abi.encodeCall(IRegistry.withdrawProvider, ()));
        _check("provider", abi.encodeCall(IRegistry.provider, (account)));
        _check("providerCount", abi.encodeCall(IRegistry.providerCount, ()));
        _check("providerAt", abi.encodeCall(IRegistry.providerAt, (_arg(".calls.providerAt.args.index"))));
    }

    function test_split_calls() public view {
        Magnet magnet = Magnet.wrap(vm.parseJsonBytes32(json, ".calls.registerVideoWithSplit.args.magnet"));
        uint64 playTimeMs = uint64(_arg(".calls.registerVideoWithSplit.args.playTimeMs"));
        uint32 cells = uint32(_arg(".calls.registerVideoWithSplit.args.cells"));
        bytes memory secret = vm.parseJsonBytes(json, ".calls.registerVideoWithSplit.args.sealedVideoSecret");
        IRegistry.Split memory split = _split(".calls.registerVideoWithSplit.args.split");
        _check(
            "registerVideoWithSplit",
            abi.encodeCall(IRegistry.registerVideoWithSplit, (magnet, playTimeMs, cells, secret, split))
        );
        _check("splitOf", abi.encodeCall(IRegistry.splitOf, (magnet)));
        _check("defaultSplit", abi.encodeCall(IRegistry.defaultSplit, ()));
        _check("splitBounds", abi.encodeCall(IRegistry.splitBounds, ()));
    }

    function test_layer_calls() public view {
        Magnet layer = Magnet.wrap(vm.parseJsonBytes32(json, ".calls.registerLayer.args.layer"));
        Magnet magnet = Magnet.wrap(vm.parseJsonBytes32(json, ".calls.registerLayer.args.video"));
        IRegistry.LayerKind kind = IRegistry.LayerKind(_arg(".calls.registerLayer.args.kind"));
        string memory reason = vm.parseJsonString(json, ".calls.takeDownLayer.args.reason");
        address account = vm.parseJsonAddress(json, ".calls.isActivator.args.account");
        _check("registerLayer", abi.encodeCall(IRegistry.registerLayer, (layer, magnet, kind)));
        _check("takeDownLayer", abi.encodeCall(IRegistry.takeDownLayer, (layer, reason)));
        _check("reinstateLayer", abi.encodeCall(IRegistry.reinstateLayer, (layer)));
        _check("layer", abi.encodeCall(IRegistry.layer, (layer)));
        _check("isActivator", abi.encodeCall(IRegistry.isActivator, (magnet, account)));
        _check("layerCount", abi.encodeCall(IRegistry.layerCount, (magnet)));
        (uint256 from, uint256 count) = (_arg(".calls.layers.args.from"), _arg(".calls.layers.args.count"));
        _check("layers", abi.encodeCall(IRegistry.layers, (magnet, from, count)));
    }

    function test_operation_calls() public view {
        address account = vm.parseJsonAddress(json, ".calls.addParticipant.args.account");
        _check("addParticipant", abi.encodeCall(IRegistry.addParticipant, (account)));
        _check("removeParticipant", abi.encodeCall(IRegistry.removeParticipant, (account)));
        _check("participants", abi.encodeCall(IRegistry.participants, ()));
    }

    /// @dev The tests above name 36 calls: one more in the file without a check here would go unseen.
    function test_every_call_of_the_file_is_checked() public view {
        assert(vm.parseJsonKeys(json, ".calls").length == 36);
    }

    /// @dev The calls of the file, sent as they are, lead to the answers of the file.
    function test_answers() public {
        address first = vm.parseJsonAddress(json, ".answers.video.value.supervisor");
        address author = vm.parseJsonAddress(json, ".answers.video.value.creator");
        _appoint(first);
        _send(first, "admitCreator");
        _checkAnswer("video", "videoUnknown");
        _checkAnswer("provider", "providerUnknown");
        vm.roll(vm.parseJsonUint(json, ".answers.video.value.registeredBlock"));
        _send(author, "registerVideo");
        _send(first, "takeDown");
        _send(vm.parseJsonAddress(json, ".answers.provider.value.account"), "registerProvider");
        _checkAnswer("video", "video");
        _checkAnswer("provider", "provider");
    }

    function test_answers_about_shares() public {
        address first = vm.parseJsonAddress(json, ".answers.layer.value.supervisor");
        address maker = vm.parseJsonAddress(json, ".answers.layer.value.maker");
        _appoint(first);
        _send(first, "admitCreator");
        vm.roll(_arg(".answers.layer.value.registeredBlock"));
        _send(maker, "registerVideoWithSplit");
        _checkAnswer("splitOf", "splitOf");
        _checkAnswer("splitBounds", "splitBounds");
        _checkAnswer("layer", "layerUnknown");
        _send(maker, "registerLayer");
        _send(first, "takeDownLayer");
        _checkAnswer("layer", "layer");
        _send(first, "addParticipant");
        _checkAnswer("participants", "participants");
    }

    function _split(string memory path) private view returns (IRegistry.Split memory) {
        return IRegistry.Split(
            _share(path, "creator"),
            _share(path, "viewer"),
            _share(path, "activators"),
            _share(path, "storage"),
            _share(path, "validators"),
            _share(path, "supervisor"),
            _share(path, "operation")
        );
    }

    function _share(string memory path, string memory role) private view returns (uint16) {
        return uint16(_arg(string.concat(path, ".", role, "Permille")));
    }
}

/// @dev `vectors/standing.json` likewise, with `crates/contracts/tests/contracts/standing.rs`.
contract StandingVectorsTest is VectorFile {
    function setUp() public override {
        super.setUp();
        _open("../vectors/standing.json", address(standing));
        _storeGenesis(2);
    }

    function test_genesis_storage_alone_makes_a_working_contract() public view {
        assert(standing.unbondDelayS() == _arg(".genesis.unbondDelayS"));
        assert(standing.vouchesPerDay() == _arg(".genesis.vouchesPerDay"));
    }

    function test_calls() public view {
        address account = vm.parseJsonAddress(json, ".calls.bondOf.args.account");
        _check("bond", abi.encodeCall(IStanding.bond, ()));
        _check("requestUnbond", abi.encodeCall(IStanding.requestUnbond, (_arg(".calls.requestUnbond.args.amountWei"))));
        _check("withdraw", abi.encodeCall(IStanding.withdraw, ()));
        _check("bondOf", abi.encodeCall(IStanding.bondOf, (account)));
        _check("standingOf", abi.encodeCall(IStanding.standingOf, (account)));
        _check("vouch", abi.encodeCall(IStanding.vouch, (account)));
        _check("revokeVouch", abi.encodeCall(IStanding.revokeVouch, (account)));
        _check("voucherOf", abi.encodeCall(IStanding.voucherOf, (account)));
        address first = vm.parseJsonAddress(json, ".calls.vouchesLeft.args.supervisor");
        _check("vouchesLeft", abi.encodeCall(IStanding.vouchesLeft, (first)));
        _check("unbondDelayS", abi.encodeCall(IStanding.unbondDelayS, ()));
        _check("vouchesPerDay", abi.encodeCall(IStanding.vouchesPerDay, ()));
        assert(vm.parseJsonKeys(json, ".calls").length == 11);
    }

    function test_answers() public {
        address first = vm.parseJsonAddress(json, ".story.supervisor");
        address viewer = vm.parseJsonAddress(json, ".answers.bondOf.value.account");
        uint256 bondedWei = _arg(".story.bondedWei");
        vm.warp(_arg(".story.timeS"));
        _appoint(first);
        _checkAnswer("standingOf", "standingOfStranger");
        vm.deal(viewer, bondedWei);
        _send(viewer, bondedWei, "bond");
        _send(viewer, "requestUnbond");
        _send(first, "vouch");
        _checkAnswer("standingOf", "standingOf");
        _checkAnswer("bondOf", "bondOf");
        _checkAnswer("vouchesLeft", "vouchesLeft");
    }
}
