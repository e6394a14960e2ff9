// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Country, Magnet} from "../src/IRegistry.sol";
import {Registry} from "../src/Registry.sol";

/// @dev The cheat codes of forge that these tests use; so few that no test library is needed.
interface Vm {
    function assume(bool) external pure;
    function etch(address, bytes calldata) external;
    function expectEmit(address) external;
    function expectRevert(bytes calldata) external;
    function load(address, bytes32) external view returns (bytes32);
    function parseJsonAddress(string calldata, string calldata) external pure returns (address);
    function parseJsonBytes(string calldata, string calldata) external pure returns (bytes memory);
    function parseJsonBytes32(string calldata, string calldata) external pure returns (bytes32);
    function parseJsonKeys(string calldata, string calldata) external pure returns (string[] memory);
    function parseJsonString(string calldata, string calldata) external pure returns (string memory);
    function parseJsonUint(string calldata, string calldata) external pure returns (uint256);
    function prank(address) external;
    function readFile(string calldata) external view returns (string memory);
    function roll(uint256) external;
    function snapshotGasLastCall(string calldata, string calldata) external returns (uint256);
    function store(address, bytes32, bytes32) external;
    function toString(uint256) external pure returns (string memory);
}

/// @dev A registry placed as genesis places it (code and governor slot, no constructor), and a cast of accounts.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    Registry internal constant registry = Registry(0x0000000000000000000000000000000000CF0001);
    Country internal constant KOREA = Country.wrap("KR");

    address internal immutable governor = _account("governor");
    address internal immutable supervisor = _account("supervisor");
    address internal immutable creator = _account("creator");
    address internal immutable stranger = _account("stranger");
    Magnet internal immutable film = Magnet.wrap(keccak256("film"));
    bytes internal sealedSecret = _bytes(80);

    function setUp() public virtual {
        vm.etch(address(registry), type(Registry).runtimeCode);
        vm.store(address(registry), 0, bytes32(uint256(uint160(governor))));
    }

    function _appoint(address account) internal {
        vm.prank(governor);
        registry.addSupervisor(account, KOREA);
    }

    function _remove(address account) internal {
        vm.prank(governor);
        registry.removeSupervisor(account);
    }

    function _admit(address by, address account) internal {
        vm.prank(by);
        registry.admitCreator(account);
    }

    function _register(address by, Magnet magnet) internal {
        vm.prank(by);
        registry.registerVideo(magnet, 180_123, 3, sealedSecret);
    }

    function _account(string memory name) internal pure returns (address) {
        return address(uint160(uint256(keccak256(bytes(name)))));
    }

    /// @dev `length` bytes without a zero among them, so that a lost byte is seen.
    function _bytes(uint256 length) internal pure returns (bytes memory filled) {
        filled = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            filled[i] = bytes1(uint8(1 + i % 255));
        }
    }

    function _same(bytes memory left, bytes memory right) internal pure returns (bool) {
        return keccak256(left) == keccak256(right);
    }
}
