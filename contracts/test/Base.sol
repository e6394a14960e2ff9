// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {Country, IRegistry, Magnet} from "../src/IRegistry.sol";
import {Registry} from "../src/Registry.sol";
import {Standing} from "../src/Standing.sol";

/// @dev The cheat codes of forge that these tests use; so few that no test library is needed.
interface Vm {
    function assume(bool) external pure;
    function deal(address, uint256) external;
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
    function warp(uint256) external;
}

/// @dev Both contracts placed as genesis places them (code and storage words, no constructor), and a cast of accounts.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    Registry internal constant registry = Registry(0x0000000000000000000000000000000000CF0001);
    Standing internal constant standing = Standing(0x0000000000000000000000000000000000Cf0002);
    Country internal constant KOREA = Country.wrap("KR");
    uint256 internal constant UNBOND_DELAY_S = 7 days;
    uint256 internal constant VOUCHES_PER_DAY = 3;

    address internal immutable governor = _account("governor");
    address internal immutable supervisor = _account("supervisor");
    address internal immutable creator = _account("creator");
    address internal immutable stranger = _account("stranger");
    Magnet internal immutable film = Magnet.wrap(keccak256("film"));
    bytes internal sealedSecret = _bytes(80);

    function setUp() public virtual {
        vm.etch(address(registry), type(Registry).runtimeCode);
        vm.store(address(registry), 0, bytes32(uint256(uint160(governor))));
        vm.store(address(registry), bytes32(uint256(3)), _word(_usualSplit()));
        vm.store(address(registry), bytes32(uint256(4)), _word(_leastSplit()));
        vm.store(address(registry), bytes32(uint256(5)), _word(_mostSplit()));
        vm.etch(address(standing), type(Standing).runtimeCode);
        vm.store(address(standing), 0, bytes32(UNBOND_DELAY_S));
        vm.store(address(standing), bytes32(uint256(1)), bytes32(VOUCHES_PER_DAY));
    }

    function _usualSplit() internal pure returns (IRegistry.Split memory) {
        return IRegistry.Split(300, 300, 100, 150, 80, 30, 40);
    }

    function _leastSplit() internal pure returns (IRegistry.Split memory) {
        return IRegistry.Split(100, 200, 0, 100, 80, 30, 40);
    }

    function _mostSplit() internal pure returns (IRegistry.Split memory) {
        return IRegistry.Split(600, 400, 200, 300, 80, 30, 40);
    }

    /// @dev A split as it lies in storage: the first share in the lowest bits.
    function _word(IRegistry.Split memory split) internal pure returns (bytes32 word) {
        bytes memory shares = abi.encode(split);
        for (uint256 i = 7; i > 0; --i) {
            word = (word << 16) | bytes32(uint256(uint8(shares[i * 32 - 2])) << 8 | uint8(shares[i * 32 - 1]));
        }
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

    function _registerLayer(address by, Magnet layer, Magnet video) internal {
        vm.prank(by);
        registry.registerLayer(layer, video, IRegistry.LayerKind.Subtitles);
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
