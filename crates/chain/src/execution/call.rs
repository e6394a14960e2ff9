//! Reads contracts at the newest final block, without JSON and without a transaction.

use std::sync::Arc;

use ethrex_blockchain::vm::StoreVmDatabase;
use ethrex_common::{
    Address, NativeCrypto,
    types::{GenericTransaction, TxKind},
};
use ethrex_vm::{Evm, EvmError, ExecutionResult};

use super::ExecutionLayer;

/// Gas a read may use: some tens of milliseconds at worst, because the caller's thread waits for it.
const READ_GAS: u64 = 30_000_000;

/// Why a contract gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The contract refused, with this ABI-encoded reason.
    #[error("the contract at {to:#x} reverted")]
    Reverted {
        /// The contract.
        to: Address,
        /// What it returned.
        output: Vec<u8>,
    },
    /// Out of gas, or no valid code.
    #[error("the call of {to:#x} halted: {reason}")]
    Halted {
        /// The contract.
        to: Address,
        /// ethrex's words.
        reason: String,
    },
    /// This node failed.
    #[error("the call of {to:#x} could not be executed")]
    Evm {
        /// The contract.
        to: Address,
        /// What ethrex answered.
        #[source]
        source: EvmError,
    },
}

impl ExecutionLayer {
    /// What the contract at `to` answers to the ABI-encoded `data`, from nobody's account and with no coins. It runs on
    /// the caller's thread and takes well under a millisecond for a contract that only looks something up. An address
    /// without code answers nothing, as in Ethereum.
    ///
    /// # Errors
    /// [`CallError`] when the contract refuses, runs out of gas, or the store fails.
    pub fn call(&self, to: Address, data: Vec<u8>) -> Result<Vec<u8>, CallError> {
        let failed = |source| CallError::Evm { to, source };
        let head = self.head();
        let state = StoreVmDatabase::new(self.inner.store().clone(), (*head).clone()).map_err(failed)?;
        let mut evm = Evm::new_for_l1(state, Arc::new(NativeCrypto));
        let call = GenericTransaction {
            to: TxKind::Call(to),
            gas: Some(READ_GAS),
            input: data.into(),
            ..GenericTransaction::default()
        };
        match evm.simulate_tx_from_generic(&call, &head).map_err(failed)? {
            ExecutionResult::Success { output, .. } => Ok(output.into()),
            ExecutionResult::Revert { output, .. } => Err(CallError::Reverted { to, output: output.into() }),
            ExecutionResult::Halt { reason, .. } => Err(CallError::Halted { to, reason }),
        }
    }
}
