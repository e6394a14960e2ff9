// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Magnet} from "../src/IRegistry.sol";
import {Base} from "./Base.sol";

contract CatalogueTest is Base {
    function setUp() public override {
        super.setUp();
        _appoint(supervisor);
        _admit(supervisor, creator);
    }

    function testFuzz_a_registered_video_is_stored_whole(
        Magnet magnet,
        uint64 playTimeMs,
        uint32 cells,
        bytes32 seed,
        uint64 number
    ) public {
        vm.assume(Magnet.unwrap(magnet) != 0);
        cells = uint32(_between(cells, 1, registry.CELLS_MAX()));
        playTimeMs = uint64(_between(playTimeMs, cells, registry.PLAY_TIME_MS_MAX()));
        bytes memory secret = abi.encodePacked(seed, ~seed, bytes16(seed));
        vm.roll(number);
        vm.expectEmit(address(registry));
        emit IRegistry.VideoRegistered(magnet, creator, supervisor, playTimeMs, cells);
        vm.prank(creator);
        registry.registerVideo(magnet, playTimeMs, cells, secret);

        IRegistry.Video memory expected = IRegistry.Video(creator, playTimeMs, cells, supervisor, number, false, secret);
        assert(_same(abi.encode(registry.video(magnet)), abi.encode(expected)));
        assert(registry.isPlayable(magnet));
        assert(registry.videoCount() == 1);
        assert(Magnet.unwrap(registry.magnetAt(0)) == Magnet.unwrap(magnet));
    }

    function testFuzz_only_admitted_creators_register(address caller) public {
        vm.assume(caller != creator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotAdmitted.selector, caller));
        _register(caller, film);
    }

    function test_a_dismissed_creator_registers_no_more() public {
        _register(creator, film);
        vm.prank(supervisor);
        registry.dismissCreator(creator);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotAdmitted.selector, creator));
        _register(creator, Magnet.wrap("another"));
        assert(registry.isPlayable(film));
    }

    function test_a_removed_supervisors_creator_registers_no_more() public {
        _remove(supervisor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotAdmitted.selector, creator));
        _register(creator, film);
    }

    function test_a_magnet_is_registered_once_for_ever() public {
        vm.roll(17);
        _register(creator, film);
        vm.roll(18);
        bytes memory refusal = abi.encodeWithSelector(IRegistry.AlreadyRegistered.selector, film, uint64(17));
        vm.expectRevert(refusal);
        _register(creator, film);

        _takeDown(supervisor, film);
        _admit(supervisor, stranger);
        vm.expectRevert(refusal);
        _register(stranger, film);
    }

    function test_impossible_videos_are_refused() public {
        uint64 longest = registry.PLAY_TIME_MS_MAX();
        uint32 most = registry.CELLS_MAX();
        _refuse(Magnet.wrap(0), 180_123, 3);
        _refuse(film, 0, 3);
        _refuse(film, 180_123, 0);
        _refuse(film, 2, 3);
        _refuse(film, longest + 1, 3);
        _refuse(film, longest, most + 1);
        vm.prank(creator);
        registry.registerVideo(film, longest, most, sealedSecret);
        vm.prank(creator);
        registry.registerVideo(Magnet.wrap("shortest"), 1, 1, sealedSecret);
    }

    function testFuzz_a_sealed_secret_has_one_length(uint16 length) public {
        if (length != 80) {
            vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidSealedSecret.selector, uint256(length), 80));
        }
        vm.prank(creator);
        registry.registerVideo(film, 180_123, 3, new bytes(length));
    }

    function test_the_edges_of_the_sealed_secrets_length() public {
        testFuzz_a_sealed_secret_has_one_length(0);
        testFuzz_a_sealed_secret_has_one_length(79);
        testFuzz_a_sealed_secret_has_one_length(81);
        testFuzz_a_sealed_secret_has_one_length(80);
    }

    function test_the_supervisor_takes_down_and_reinstates() public {
        _register(creator, film);
        bytes memory before = abi.encode(registry.video(film));

        vm.expectEmit(address(registry));
        emit IRegistry.VideoTakenDown(film, supervisor, "claim 114");
        _takeDown(supervisor, film);
        assert(!registry.isPlayable(film));
        assert(registry.video(film).takenDown);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadyTakenDown.selector, film));
        _takeDown(supervisor, film);

        vm.expectEmit(address(registry));
        emit IRegistry.VideoReinstated(film, supervisor);
        _reinstate(supervisor, film);
        assert(registry.isPlayable(film));
        assert(_same(abi.encode(registry.video(film)), before));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotTakenDown.selector, film));
        _reinstate(supervisor, film);
    }

    function testFuzz_nobody_else_takes_down_or_reinstates(address caller) public {
        vm.assume(caller != supervisor);
        _appoint(stranger);
        _register(creator, film);
        bytes memory refusal = abi.encodeWithSelector(IRegistry.NotResponsible.selector, caller, supervisor);
        vm.expectRevert(refusal);
        _takeDown(caller, film);
        _takeDown(supervisor, film);
        vm.expectRevert(refusal);
        _reinstate(caller, film);
    }

    function test_neither_creator_nor_governor_nor_another_supervisor_takes_down() public {
        testFuzz_nobody_else_takes_down_or_reinstates(creator);
    }

    function test_the_governor_stands_in_for_a_removed_supervisor() public {
        _register(creator, film);
        _takeDown(supervisor, film);
        _remove(supervisor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, supervisor, governor));
        _reinstate(supervisor, film);
        _reinstate(governor, film);
        _takeDown(governor, film);
        _appoint(supervisor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, governor, supervisor));
        _reinstate(governor, film);
        _reinstate(supervisor, film);
    }

    function test_a_video_keeps_the_supervisor_it_was_registered_under() public {
        _register(creator, film);
        vm.prank(supervisor);
        registry.dismissCreator(creator);
        _appoint(stranger);
        _admit(stranger, creator);
        _register(creator, Magnet.wrap("second"));
        assert(registry.video(film).supervisor == supervisor);
        assert(registry.video(Magnet.wrap("second")).supervisor == stranger);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, stranger, supervisor));
        _takeDown(stranger, film);
    }

    function test_a_reason_is_given_and_bounded() public {
        _register(creator, film);
        uint256 longest = registry.REASON_BYTES_MAX();
        uint256[2] memory refused = [uint256(0), longest + 1];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidReason.selector, refused[i], longest));
            vm.prank(supervisor);
            registry.takeDown(film, string(_bytes(refused[i])));
        }
        vm.prank(supervisor);
        registry.takeDown(film, string(_bytes(longest)));
    }

    function test_unknown_videos() public {
        assert(!registry.isPlayable(film));
        assert(registry.video(film).creator == address(0));
        assert(registry.video(film).sealedVideoSecret.length == 0);
        bytes memory refusal = abi.encodeWithSelector(IRegistry.UnknownVideo.selector, film);
        vm.expectRevert(refusal);
        _takeDown(supervisor, film);
        vm.expectRevert(refusal);
        _reinstate(supervisor, film);
    }

    function testFuzz_a_page_is_a_slice_of_the_list(uint256 from, uint256 count) public {
        uint256 total = 7;
        for (uint256 i = 0; i < total; ++i) {
            _register(creator, _film(i));
        }
        _checkPage(from, count, total);
        _checkPage(from % (total + 2), count % (total + 2), total);
        _checkPage(from % (total + 2), count, total);
    }

    function test_an_index_past_the_end_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.IndexOutOfRange.selector, 0, 0));
        registry.magnetAt(0);
        _register(creator, film);
        registry.magnetAt(0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.IndexOutOfRange.selector, 1, 1));
        registry.magnetAt(1);
    }

    function _checkPage(uint256 from, uint256 count, uint256 total) private view {
        Magnet[] memory page = registry.magnets(from, count);
        uint256 left = from < total ? total - from : 0;
        assert(page.length == (count < left ? count : left));
        for (uint256 i = 0; i < page.length; ++i) {
            assert(Magnet.unwrap(page[i]) == Magnet.unwrap(_film(from + i)));
            assert(Magnet.unwrap(page[i]) == Magnet.unwrap(registry.magnetAt(from + i)));
        }
    }

    function _refuse(Magnet magnet, uint64 playTimeMs, uint32 cells) private {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidVideo.selector, magnet, playTimeMs, cells));
        vm.prank(creator);
        registry.registerVideo(magnet, playTimeMs, cells, sealedSecret);
    }

    function _takeDown(address by, Magnet magnet) private {
        vm.prank(by);
        registry.takeDown(magnet, "claim 114");
    }

    function _reinstate(address by, Magnet magnet) private {
        vm.prank(by);
        registry.reinstate(magnet);
    }

    function _film(uint256 index) private pure returns (Magnet) {
        return Magnet.wrap(keccak256(abi.encode(index)));
    }

    function _between(uint256 value, uint256 low, uint256 high) private pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
