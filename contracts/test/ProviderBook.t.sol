// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {BoxKey, IRegistry, NodeId} from "../src/IRegistry.sol";
import {Base} from "./Base.sol";

contract ProviderBookTest is Base {
    NodeId private constant NODE = NodeId.wrap("node");
    BoxKey private constant BOX = BoxKey.wrap("box");

    function testFuzz_a_registered_provider_is_found(address account, NodeId nodeId, BoxKey boxKey) public {
        vm.assume(account != address(0) && NodeId.unwrap(nodeId) != 0 && BoxKey.unwrap(boxKey) != 0);
        vm.expectEmit(address(registry));
        emit IRegistry.ProviderRegistered(account, nodeId, boxKey);
        _join(account, nodeId, boxKey);

        bytes memory expected = abi.encode(IRegistry.Provider(account, nodeId, boxKey));
        assert(_same(abi.encode(registry.provider(account)), expected));
        assert(_same(abi.encode(registry.providerAt(0)), expected));
        assert(registry.providerCount() == 1);
    }

    function test_keys_are_changed_in_place() public {
        _join(stranger, NODE, BOX);
        _join(stranger, NODE, BoxKey.wrap("box 2"));
        assert(BoxKey.unwrap(registry.provider(stranger).boxKey) == "box 2");
        _join(stranger, NodeId.wrap("node 2"), BOX);
        assert(NodeId.unwrap(registry.provider(stranger).nodeId) == "node 2");
        assert(registry.providerCount() == 1);
        // The first node id is free again.
        _join(creator, NODE, BOX);
        assert(registry.providerCount() == 2);
    }

    function test_a_node_belongs_to_one_account() public {
        _join(stranger, NODE, BOX);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NodeTaken.selector, NODE, stranger));
        _join(creator, NODE, BOX);
    }

    function test_a_provider_cannot_take_the_node_of_another_by_an_update() public {
        _join(stranger, NODE, BOX);
        _join(creator, NodeId.wrap("node 2"), BOX);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NodeTaken.selector, NODE, stranger));
        _join(creator, NODE, BOX);
    }

    function test_zero_keys_are_refused() public {
        _refuse(NodeId.wrap(0), BOX);
        _refuse(NODE, BoxKey.wrap(0));
    }

    function test_a_withdrawal_is_announced_and_frees_the_node() public {
        _join(stranger, NODE, BOX);
        vm.expectEmit(address(registry));
        emit IRegistry.ProviderWithdrawn(stranger, NODE);
        _withdraw(stranger);
        assert(registry.providerCount() == 0);
        assert(registry.provider(stranger).account == address(0));
        _join(creator, NODE, BOX);

        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotProvider.selector, stranger));
        _withdraw(stranger);
    }

    function testFuzz_a_withdrawal_moves_the_last_into_the_gap(uint8 leaver) public {
        uint160 count = 5;
        for (uint160 i = 1; i <= count; ++i) {
            _join(address(i), NodeId.wrap(bytes32(uint256(i))), BOX);
        }
        uint160 gone = 1 + leaver % count;
        _withdraw(address(gone));
        assert(registry.providerCount() == count - 1);
        for (uint160 i = 1; i <= count; ++i) {
            assert(registry.provider(address(i)).account == (i == gone ? address(0) : address(i)));
        }
        for (uint256 place = 0; place < count - 1; ++place) {
            address account = registry.providerAt(place).account;
            assert(account == (place + 1 == gone ? address(count) : address(uint160(place + 1))));
        }
        vm.expectRevert(abi.encodeWithSelector(IRegistry.IndexOutOfRange.selector, count - 1, count - 1));
        registry.providerAt(count - 1);
    }

    function _join(address account, NodeId nodeId, BoxKey boxKey) private {
        vm.prank(account);
        registry.registerProvider(nodeId, boxKey);
    }

    function _withdraw(address account) private {
        vm.prank(account);
        registry.withdrawProvider();
    }

    function _refuse(NodeId nodeId, BoxKey boxKey) private {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidProvider.selector, nodeId, boxKey));
        _join(stranger, nodeId, boxKey);
    }
}
