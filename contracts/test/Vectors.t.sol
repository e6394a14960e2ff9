// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoxKey, Country, IRegistry, Magnet, NodeId} from "../src/IRegistry.sol";
import {Base} from "./Base.sol";

/// @dev `vectors/registry.json` from the contract's side; `crates/contracts/tests/registry.rs` is the other side.
contract VectorsTest is Base {
    string private json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("../vectors/registry.json");
    }

    function test_address_and_limits() public view {
        assert(vm.parseJsonAddress(json, ".address") == address(registry));
        assert(vm.parseJsonUint(json, ".limits.cellsMax") == registry.CELLS_MAX());
        assert(vm.parseJsonUint(json, ".limits.playTimeMsMax") == registry.PLAY_TIME_MS_MAX());
        assert(vm.parseJsonUint(json, ".limits.sealedVideoSecretBytes") == registry.SEALED_VIDEO_SECRET_BYTES());
        assert(vm.parseJsonUint(json, ".limits.reasonBytesMax") == registry.REASON_BYTES_MAX());
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
        for (uint256 i = 0; i < 3; ++i) {
            (bytes32 slot, bytes32 value) = _storage(i);
            vm.store(address(registry), slot, value);
        }
        address first = vm.parseJsonAddress(json, ".genesis.supervisors[0].address");
        assert(registry.governor() == vm.parseJsonAddress(json, ".genesis.governor"));
        assert(Country.unwrap(registry.supervisorCountry(first)) == "KR");
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

    /// @dev The tests above name 22 calls: one more in the file without a check here would go unseen.
    function test_every_call_of_the_file_is_checked() public view {
        assert(vm.parseJsonKeys(json, ".calls").length == 22);
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

    function _check(string memory name, bytes memory calldata_) private view {
        assert(_same(calldata_, _calldata(name)));
    }

    function _checkAnswer(string memory call, string memory answer) private {
        bytes memory returndata = _send(stranger, call);
        assert(_same(returndata, vm.parseJsonBytes(json, string.concat(".answers.", answer, ".returndata"))));
    }

    function _send(address from, string memory call) private returns (bytes memory) {
        bytes memory data = _calldata(call);
        vm.prank(from);
        (bool ok, bytes memory returndata) = address(registry).call(data);
        assert(ok);
        return returndata;
    }

    function _calldata(string memory name) private view returns (bytes memory) {
        return vm.parseJsonBytes(json, string.concat(".calls.", name, ".calldata"));
    }

    function _arg(string memory path) private view returns (uint256) {
        return vm.parseJsonUint(json, path);
    }

    function _storage(uint256 index) private view returns (bytes32 slot, bytes32 value) {
        string memory path = string.concat(".genesis.storage[", vm.toString(index), "]");
        slot = vm.parseJsonBytes32(json, string.concat(path, ".slot"));
        value = vm.parseJsonBytes32(json, string.concat(path, ".value"));
    }
}
