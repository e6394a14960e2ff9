//! Makes the Rust types of the registry from the interface that Solidity itself compiles, so that the two cannot differ.
//!
//! The macro follows no imports: all types of the interface are in that one file. Its NatSpec becomes our rustdoc.

alloy_sol_types::sol! {
    #![sol(all_derives)]
    "../../contracts/src/IRegistry.sol"
}
