// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Magnet} from "../src/IRegistry.sol";
import {Base} from "./Base.sol";

contract LayerBookTest is Base {
    Magnet private constant SUBTITLES = Magnet.wrap("subtitles");
    address private immutable maker = _account("maker");

    function setUp() public override {
        super.setUp();
        _appoint(supervisor);
        _admit(supervisor, creator);
        _admit(supervisor, maker);
        _register(creator, film);
    }

    function testFuzz_a_registered_layer_is_stored_whole(Magnet layer, uint8 kind, uint64 number) public {
        vm.assume(Magnet.unwrap(layer) != 0);
        IRegistry.LayerKind made = IRegistry.LayerKind(1 + kind % 3);
        vm.roll(number);
        vm.expectEmit(address(registry));
        emit IRegistry.LayerRegistered(layer, film, maker, made);
        vm.prank(maker);
        registry.registerLayer(layer, film, made);

        IRegistry.Layer memory expected = IRegistry.Layer(film, maker, made, supervisor, number, false);
        assert(_same(abi.encode(registry.layer(layer)), abi.encode(expected)));
        assert(registry.isActivator(film, maker));
        assert(registry.layerCount(film) == 1);
    }

    function testFuzz_only_admitted_makers_register(address caller) public {
        vm.assume(caller != creator && caller != maker);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotAdmitted.selector, caller));
        _registerLayer(caller, SUBTITLES, film);
    }

    function test_a_dismissed_maker_keeps_its_layers_and_registers_no_more() public {
        _registerLayer(maker, SUBTITLES, film);
        vm.prank(supervisor);
        registry.dismissCreator(maker);
        assert(registry.isActivator(film, maker));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotAdmitted.selector, maker));
        _registerLayer(maker, Magnet.wrap("another"), film);
    }

    function test_what_is_no_layer_is_refused() public {
        _refuse(Magnet.wrap(0), IRegistry.LayerKind.Dub);
        _refuse(SUBTITLES, IRegistry.LayerKind.None);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownVideo.selector, SUBTITLES));
        _registerLayer(maker, film, SUBTITLES);
    }

    function testFuzz_a_kind_that_does_not_exist_is_refused(uint8 kind) public {
        bytes4 selector = IRegistry.registerLayer.selector;
        vm.prank(maker);
        (bool accepted,) = address(registry).call(abi.encodeWithSelector(selector, SUBTITLES, film, kind % 8));
        assert(accepted == (kind % 8 >= 1 && kind % 8 <= 3));
    }

    function test_a_layer_is_registered_once_for_ever() public {
        vm.roll(17);
        _registerLayer(maker, SUBTITLES, film);
        vm.roll(18);
        _register(creator, Magnet.wrap("sequel"));
        bytes memory refusal = abi.encodeWithSelector(IRegistry.LayerAlreadyRegistered.selector, SUBTITLES, uint64(17));
        vm.expectRevert(refusal);
        _registerLayer(creator, SUBTITLES, film);
        _takeDown(supervisor, SUBTITLES);
        vm.expectRevert(refusal);
        _registerLayer(maker, SUBTITLES, Magnet.wrap("sequel"));
    }

    function test_a_video_and_a_layer_may_have_one_name() public {
        _registerLayer(maker, film, film);
        assert(registry.layer(film).maker == maker);
        assert(registry.video(film).creator == creator);
    }

    function test_the_makers_supervisor_takes_down_and_reinstates() public {
        _registerLayer(maker, SUBTITLES, film);
        bytes memory before = abi.encode(registry.layer(SUBTITLES));
        vm.expectEmit(address(registry));
        emit IRegistry.LayerTakenDown(SUBTITLES, film, maker, supervisor, "claim 115");
        _takeDown(supervisor, SUBTITLES);
        assert(!registry.isActivator(film, maker));
        assert(registry.layer(SUBTITLES).takenDown);
        assert(registry.isPlayable(film));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadyTakenDown.selector, SUBTITLES));
        _takeDown(supervisor, SUBTITLES);

        vm.expectEmit(address(registry));
        emit IRegistry.LayerReinstated(SUBTITLES, film, maker, supervisor);
        _reinstate(supervisor, SUBTITLES);
        assert(registry.isActivator(film, maker));
        assert(_same(abi.encode(registry.layer(SUBTITLES)), before));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotTakenDown.selector, SUBTITLES));
        _reinstate(supervisor, SUBTITLES);
    }

    function test_a_maker_shares_while_one_of_its_layers_stands() public {
        _registerLayer(maker, SUBTITLES, film);
        _registerLayer(maker, Magnet.wrap("dub"), film);
        _takeDown(supervisor, SUBTITLES);
        assert(registry.isActivator(film, maker));
        _takeDown(supervisor, Magnet.wrap("dub"));
        assert(!registry.isActivator(film, maker));
    }

    function test_a_maker_shares_in_its_video_alone() public {
        _register(creator, Magnet.wrap("sequel"));
        _registerLayer(maker, SUBTITLES, film);
        assert(!registry.isActivator(Magnet.wrap("sequel"), maker));
        assert(!registry.isActivator(film, creator));
    }

    function testFuzz_nobody_else_takes_down_or_reinstates(address caller) public {
        vm.assume(caller != supervisor);
        if (!registry.isSupervisor(caller) && caller != address(0)) _appoint(caller);
        _registerLayer(maker, SUBTITLES, film);
        bytes memory refusal = abi.encodeWithSelector(IRegistry.NotResponsible.selector, caller, supervisor);
        vm.expectRevert(refusal);
        _takeDown(caller, SUBTITLES);
        _takeDown(supervisor, SUBTITLES);
        vm.expectRevert(refusal);
        _reinstate(caller, SUBTITLES);
    }

    function test_the_governor_stands_in_for_a_removed_supervisor() public {
        _registerLayer(maker, SUBTITLES, film);
        _remove(supervisor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotResponsible.selector, supervisor, governor));
        _takeDown(supervisor, SUBTITLES);
        _takeDown(governor, SUBTITLES);
        _reinstate(governor, SUBTITLES);
    }

    function test_a_reason_is_given_and_bounded() public {
        _registerLayer(maker, SUBTITLES, film);
        uint256 longest = registry.REASON_BYTES_MAX();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidReason.selector, 0, longest));
        vm.prank(supervisor);
        registry.takeDownLayer(SUBTITLES, "");
    }

    function test_unknown_layers() public {
        assert(registry.layer(SUBTITLES).maker == address(0));
        assert(registry.layerCount(film) == 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownLayer.selector, SUBTITLES));
        _takeDown(supervisor, SUBTITLES);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownLayer.selector, SUBTITLES));
        _reinstate(supervisor, SUBTITLES);
    }

    function testFuzz_a_page_is_a_slice_of_the_list(uint256 from, uint256 count) public {
        uint256 total = 4;
        for (uint256 i = 0; i < total; ++i) {
            _registerLayer(maker, Magnet.wrap(bytes32(i + 1)), film);
        }
        from %= total + 2;
        Magnet[] memory page = registry.layers(film, from, count);
        uint256 left = from < total ? total - from : 0;
        assert(page.length == (count < left ? count : left));
        for (uint256 i = 0; i < page.length; ++i) {
            assert(uint256(Magnet.unwrap(page[i])) == from + i + 1);
        }
    }

    function _refuse(Magnet layer, IRegistry.LayerKind kind) private {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidLayer.selector, layer, kind));
        vm.prank(maker);
        registry.registerLayer(layer, film, kind);
    }

    function _takeDown(address by, Magnet layer) private {
        vm.prank(by);
        registry.takeDownLayer(layer, "claim 115");
    }

    function _reinstate(address by, Magnet layer) private {
        vm.prank(by);
        registry.reinstateLayer(layer);
    }
}
