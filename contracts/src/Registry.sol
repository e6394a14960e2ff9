// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.28;

import {LayerBook} from "./LayerBook.sol";
import {OperationBook} from "./OperationBook.sol";
import {ProviderBook} from "./ProviderBook.sol";

/// @title The registry that genesis places at 0x0000000000000000000000000000000000CF0001
/// @notice See `IRegistry` for the roles and every function.
/// @dev It has no constructor: genesis writes code and storage directly. Deployed in any other way it has no governor
/// and so no supervisors, creators or videos, ever. It cannot be upgraded, holds no coins and calls nobody.
contract Registry is LayerBook, OperationBook, ProviderBook {}
