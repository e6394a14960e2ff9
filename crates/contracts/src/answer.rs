//! Reads what the contracts answer: an unknown video, layer or provider as `None`, a refusal as its typed error.
//!
//! The contracts answer "unknown" with zeros, as Solidity's own getters do. Read here, once, so that no caller takes
//! the zero account for a creator.

use alloy_sol_types::{SolCall, SolInterface};

use crate::{IRegistry, IStanding};

/// Bytes that are not an answer of the contract: a wrong address, another contract, or a faulty node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The bytes do not decode as what `function` returns.
    #[error("malformed answer of the contract to {function}")]
    Malformed {
        /// Signature of the function that was called.
        function: &'static str,
        /// Where decoding stopped.
        #[source]
        source: alloy_sol_types::Error,
    },
}

/// Decodes what `video(magnet)` returned; `None` if the magnet was never registered.
///
/// # Errors
///
/// [`AnswerError::Malformed`] if `returndata` is not a `Video` in canonical encoding.
pub fn decode_video(returndata: &[u8]) -> Result<Option<IRegistry::Video>, AnswerError> {
    let video = decode::<IRegistry::videoCall>(returndata)?;
    Ok((!video.creator.is_zero()).then_some(video))
}

/// Decodes what `provider(account)` returned; `None` if the account is not a provider.
///
/// # Errors
///
/// [`AnswerError::Malformed`] if `returndata` is not a `Provider` in canonical encoding.
pub fn decode_provider(returndata: &[u8]) -> Result<Option<IRegistry::Provider>, AnswerError> {
    let provider = decode::<IRegistry::providerCall>(returndata)?;
    Ok((!provider.account.is_zero()).then_some(provider))
}

/// Decodes what `layer(magnet)` returned; `None` if the layer was never registered.
///
/// # Errors
///
/// [`AnswerError::Malformed`] if `returndata` is not a `Layer` in canonical encoding.
pub fn decode_layer(returndata: &[u8]) -> Result<Option<IRegistry::Layer>, AnswerError> {
    let layer = decode::<IRegistry::layerCall>(returndata)?;
    Ok((!layer.maker.is_zero()).then_some(layer))
}

/// Decodes what any other function returned, one that has no "unknown" to say.
///
/// # Errors
///
/// [`AnswerError::Malformed`] if `returndata` is not in canonical encoding.
pub fn decode<C: SolCall>(returndata: &[u8]) -> Result<C::Return, AnswerError> {
    C::abi_decode_returns_validate(returndata)
        .map_err(|source| AnswerError::Malformed { function: C::SIGNATURE, source })
}

/// Decodes the data of a reverted call; `None` if it is none of the registry's errors (out of gas, for example).
pub fn decode_refusal(revert_data: &[u8]) -> Option<IRegistry::IRegistryErrors> {
    IRegistry::IRegistryErrors::abi_decode_validate(revert_data).ok()
}

/// Decodes the data of a reverted call of the standing contract, likewise.
pub fn decode_standing_refusal(revert_data: &[u8]) -> Option<IStanding::IStandingErrors> {
    IStanding::IStandingErrors::abi_decode_validate(revert_data).ok()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B256};
    use alloy_sol_types::SolError;

    use super::*;

    #[test]
    fn a_missing_contract_answers_nothing_and_that_is_an_error() {
        let AnswerError::Malformed { function, .. } = decode_video(&[]).unwrap_err();
        assert_eq!(function, "video(bytes32)");
        assert!(decode_provider(&[]).is_err());
        assert!(decode_layer(&[]).is_err());
        assert!(decode::<IStanding::standingOfCall>(&[]).is_err());
    }

    #[test]
    fn a_length_field_beyond_the_data_is_refused() {
        let mut words = vec![B256::ZERO; 9];
        words[0] = B256::with_last_byte(32);
        words[7] = B256::with_last_byte(224);
        assert_eq!(decode_video(words.concat().as_slice()).unwrap(), None);
        words[8] = B256::repeat_byte(0xff);
        assert!(decode_video(words.concat().as_slice()).is_err());
    }

    #[test]
    fn a_kind_of_layer_that_does_not_exist_is_refused() {
        let mut words = [B256::with_last_byte(1); 6];
        assert!(decode_layer(words.concat().as_slice()).unwrap().is_some());
        words[2] = B256::with_last_byte(4);
        assert!(decode_layer(words.concat().as_slice()).is_err());
    }

    #[test]
    fn a_refusal_keeps_the_offending_values() {
        let account = Address::repeat_byte(9);
        let refused = IRegistry::NotAdmitted { creator: account };
        let Some(IRegistry::IRegistryErrors::NotAdmitted(error)) = decode_refusal(&refused.abi_encode()) else {
            panic!("not decoded")
        };
        assert_eq!(error.creator, account);
        assert!(decode_refusal(&[]).is_none());
        assert!(decode_refusal(&[1, 2, 3, 4]).is_none());

        let refused = IStanding::NothingLeaving { account }.abi_encode();
        let decoded = decode_standing_refusal(&refused).unwrap();
        assert_eq!(decoded, IStanding::IStandingErrors::NothingLeaving(IStanding::NothingLeaving { account }));
        assert!(decode_refusal(&refused).is_none(), "the registry has no such error");
    }
}
