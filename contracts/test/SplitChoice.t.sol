// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {IRegistry, Magnet} from "../src/IRegistry.sol";
import {Base} from "./Base.sol";

contract SplitChoiceTest is Base {
    function setUp() public override {
        super.setUp();
        _appoint(supervisor);
        _admit(supervisor, creator);
    }

    function test_genesis_names_default_and_bounds() public view {
        (IRegistry.Split memory least, IRegistry.Split memory most) = registry.splitBounds();
        assert(_equal(least, _leastSplit()));
        assert(_equal(most, _mostSplit()));
        assert(_equal(registry.defaultSplit(), _usualSplit()));
    }

    function test_a_creator_that_chooses_nothing_shares_as_the_network_does() public {
        _register(creator, film);
        assert(_equal(registry.splitOf(film), _usualSplit()));
    }

    function test_an_unknown_video_has_no_split() public view {
        assert(_equal(registry.splitOf(film), IRegistry.Split(0, 0, 0, 0, 0, 0, 0)));
    }

    function testFuzz_a_choice_is_taken_exactly_when_it_is_within_bounds_and_whole(
        uint16 forCreator,
        uint16 forViewer,
        uint16 forActivators
    ) public {
        // Most of them land near the bounds, and half of them are whole.
        forCreator = 90 + forCreator % 520;
        forViewer = 190 + forViewer % 220;
        bool whole = forActivators % 2 == 0;
        forActivators %= 210;
        uint16 taken = forCreator + forViewer + forActivators + 80 + 30 + 40;
        uint16 forStorage = whole && taken < 1_000 ? 1_000 - taken : 150;
        IRegistry.Split memory split = IRegistry.Split(forCreator, forViewer, forActivators, forStorage, 80, 30, 40);

        (bool accepted, bytes memory returndata) = _choose(film, split);
        bool allowed = forCreator >= 100 && forCreator <= 600 && forViewer >= 200 && forViewer <= 400
            && forActivators <= 200 && forStorage >= 100 && forStorage <= 300;
        assert(accepted == (allowed && taken + forStorage == 1_000));
        if (accepted) {
            assert(_equal(registry.splitOf(film), split));
        } else {
            bytes4 reason = allowed ? IRegistry.SplitNotWhole.selector : IRegistry.ShareOutOfBounds.selector;
            assert(bytes4(returndata) == reason);
            assert(registry.videoCount() == 0);
        }
    }

    function test_both_ends_of_each_bound() public {
        // Creator, viewer, activators and storage move; the rest is fixed.
        _refuse(IRegistry.Split(99, 400, 200, 151, 80, 30, 40), 0, 99, 100, 600);
        _refuse(IRegistry.Split(601, 200, 0, 49, 80, 30, 40), 0, 601, 100, 600);
        _refuse(IRegistry.Split(300, 199, 200, 151, 80, 30, 40), 1, 199, 200, 400);
        _refuse(IRegistry.Split(300, 401, 0, 149, 80, 30, 40), 1, 401, 200, 400);
        _refuse(IRegistry.Split(199, 200, 201, 250, 80, 30, 40), 2, 201, 0, 200);
        _refuse(IRegistry.Split(351, 400, 0, 99, 80, 30, 40), 3, 99, 100, 300);
        _refuse(IRegistry.Split(249, 300, 0, 301, 80, 30, 40), 3, 301, 100, 300);
        _refuse(IRegistry.Split(300, 300, 100, 150, 79, 31, 40), 4, 79, 80, 80);
        _refuse(IRegistry.Split(300, 300, 100, 150, 80, 31, 39), 5, 31, 30, 30);
        _refuse(IRegistry.Split(301, 300, 100, 150, 80, 30, 39), 6, 39, 40, 40);
        _accept("1", IRegistry.Split(100, 400, 200, 150, 80, 30, 40));
        _accept("2", IRegistry.Split(550, 200, 0, 100, 80, 30, 40));
        _accept("3", IRegistry.Split(150, 200, 200, 300, 80, 30, 40));
    }

    function test_a_split_that_is_not_whole_is_refused() public {
        bytes memory refusal = abi.encodeWithSelector(IRegistry.SplitNotWhole.selector, 999);
        vm.expectRevert(refusal);
        vm.prank(creator);
        registry.registerVideoWithSplit(film, 180_123, 3, sealedSecret, IRegistry.Split(299, 300, 100, 150, 80, 30, 40));
    }

    function test_a_choice_is_announced_and_made_once() public {
        IRegistry.Split memory split = IRegistry.Split(400, 250, 50, 150, 80, 30, 40);
        vm.expectEmit(address(registry));
        emit IRegistry.VideoRegistered(film, creator, supervisor, 180_123, 3);
        vm.expectEmit(address(registry));
        emit IRegistry.SplitChosen(film, split);
        vm.prank(creator);
        registry.registerVideoWithSplit(film, 180_123, 3, sealedSecret, split);

        (bool accepted,) = _choose(film, _usualSplit());
        assert(!accepted);
        assert(_equal(registry.splitOf(film), split));
    }

    function test_a_choice_needs_what_a_registration_needs() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotAdmitted.selector, stranger));
        vm.prank(stranger);
        registry.registerVideoWithSplit(film, 180_123, 3, sealedSecret, _usualSplit());
    }

    function test_without_genesis_nobody_chooses() public {
        vm.store(address(registry), bytes32(uint256(5)), 0);
        _refuse(_usualSplit(), 0, 300, 100, 0);
    }

    function _accept(bytes32 name, IRegistry.Split memory split) private {
        (bool accepted,) = _choose(Magnet.wrap(name), split);
        assert(accepted);
    }

    function _refuse(IRegistry.Split memory split, uint256 role, uint16 permille, uint16 least, uint16 most) private {
        (bool accepted, bytes memory returndata) = _choose(film, split);
        assert(!accepted);
        bytes memory refusal = abi.encodeWithSelector(IRegistry.ShareOutOfBounds.selector, role, permille, least, most);
        assert(_same(returndata, refusal));
    }

    function _choose(Magnet magnet, IRegistry.Split memory split) private returns (bool, bytes memory) {
        bytes memory data = abi.encodeCall(IRegistry.registerVideoWithSplit, (magnet, 180_123, 3, sealedSecret, split));
        vm.prank(creator);
        return address(registry).call(data);
    }

    function _equal(IRegistry.Split memory left, IRegistry.Split memory right) private pure returns (bool) {
        return _same(abi.encode(left), abi.encode(right));
    }
}
