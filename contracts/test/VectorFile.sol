// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Base} from "./Base.sol";

/// @dev One file of golden vectors, about one contract.
abstract contract VectorFile is Base {
    string internal json;
    address private target;

    function _open(string memory path, address target_) internal {
        json = vm.readFile(path);
        target = target_;
        assert(vm.parseJsonAddress(json, ".address") == target);
    }

    /// @dev Puts the first `count` words of the file into storage.
    function _storeGenesis(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            (bytes32 slot, bytes32 value) = _storage(i);
            vm.store(target, slot, value);
        }
    }

    function _check(string memory name, bytes memory calldata_) internal view {
        assert(_same(calldata_, _calldata(name)));
    }

    function _checkAnswer(string memory call, string memory answer) internal {
        bytes memory returndata = _send(stranger, call);
        assert(_same(returndata, vm.parseJsonBytes(json, string.concat(".answers.", answer, ".returndata"))));
    }

    function _send(address from, string memory call) internal returns (bytes memory) {
        return _send(from, 0, call);
    }

    function _send(address from, uint256 valueWei, string memory call) internal returns (bytes memory) {
        bytes memory data = _calldata(call);
        vm.prank(from);
        (bool ok, bytes memory returndata) = target.call{value: valueWei}(data);
        assert(ok);
        return returndata;
    }

    function _calldata(string memory name) internal view returns (bytes memory) {
        return vm.parseJsonBytes(json, string.concat(".calls.", name, ".calldata"));
    }

    function _arg(string memory path) internal view returns (uint256) {
        return vm.parseJsonUint(json, path);
    }

    function _storage(uint256 index) internal view returns (bytes32 slot, bytes32 value) {
        string memory path = string.concat(".genesis.storage[", vm.toString(index), "]");
        slot = vm.parseJsonBytes32(json, string.concat(path, ".slot"));
        value = vm.parseJsonBytes32(json, string.concat(path, ".value"));
    }
}
