// SPDX-License-Identifier: Apache-2.0
//! Finds what went wrong with the connection inside the errors of `subxt`. Most of them show it only in their sentence,
//! and do not name it as their source.

use subxt::{
	error::{
		AccountNonceError, BackendError, CombinedBackendError, ConstantError,
		DispatchErrorDecodeError, EventsError, ExtrinsicError, OnlineClientAtBlockError,
		OnlineClientError, RpcError, RuntimeApiError, StorageError, StorageValueError,
	},
	rpcs,
};

/// An error that may come from the connection or from a node's answer.
pub(crate) trait Cause {
	/// Returns that error; `None` if the node's answers arrived and are the fault.
	fn of_connection(&self) -> Option<&rpcs::Error>;
}

impl Cause for BackendError {
	fn of_connection(&self) -> Option<&rpcs::Error> {
		match self {
			BackendError::Rpc(RpcError::ClientError(error)) => Some(error),
			_ => None,
		}
	}
}

impl Cause for OnlineClientError {
	fn of_connection(&self) -> Option<&rpcs::Error> {
		use CombinedBackendError::CouldNotObtainRpcMethodList;
		match self {
			Self::RpcError(error)
			| Self::CannotBuildCombinedBackend(CouldNotObtainRpcMethodList(error)) => Some(error),
			Self::CannotGetGenesisHash(error) => error.of_connection(),
			_ => None,
		}
	}
}

impl Cause for OnlineClientAtBlockError {
	fn of_connection(&self) -> Option<&rpcs::Error> {
		match self {
			Self::CannotGetCurrentBlock { reason }
			| Self::CannotGetBlockHash { reason, .. }
			| Self::CannotGetBlockHeader { reason, .. }
			| Self::CannotGetSpecVersion { reason, .. } => reason.of_connection(),
			_ => None,
		}
	}
}

impl Cause for ExtrinsicError {
	fn of_connection(&self) -> Option<&rpcs::Error> {
		use AccountNonceError::CouldNotRetrieve;
		match self {
			Self::CannotGetBlockBody(error)
			| Self::ErrorSubmittingTransaction(error)
			| Self::TransactionStatusStreamError(error)
			| Self::CannotGetFeeInfo(error)
			| Self::CannotGetValidationInfo(error)
			| Self::AccountNonceError {
				reason: CouldNotRetrieve(error),
				..
			} => error.of_connection(),
			_ => None,
		}
	}
}

impl Cause for StorageError {
	fn of_connection(&self) -> Option<&rpcs::Error> {
		match self {
			Self::CannotFetchValue(error)
			| Self::CannotIterateValues(error)
			| Self::StreamFailure(error) => error.of_connection(),
			_ => None,
		}
	}
}

impl Cause for RuntimeApiError {
	fn of_connection(&self) -> Option<&rpcs::Error> {
		match self {
			Self::CannotCallApi(error) => error.of_connection(),
			_ => None,
		}
	}
}

impl Cause for EventsError {
	fn of_connection(&self) -> Option<&rpcs::Error> {
		match self {
			Self::CannotFetchEventBytes(error) => error.of_connection(),
			_ => None,
		}
	}
}

/// What only decodes never asks a node.
macro_rules! of_no_connection {
	($($error:ty),*) => {$(
		impl Cause for $error {
			fn of_connection(&self) -> Option<&rpcs::Error> {
				None
			}
		}
	)*};
}

of_no_connection!(StorageValueError, ConstantError, DispatchErrorDecodeError);

#[cfg(test)]
mod tests {
	use super::*;
	use crate::Error;
	use subxt::utils::H256;

	/// The error of a connection that was lost and could not be made again, as the transport passes it on.
	fn gone() -> BackendError {
		let gone = Error::Gone {
			url: "ws://a".into(),
			reason: "refused".into(),
		};
		BackendError::from(rpcs::Error::Client(Box::new(gone)))
	}

	#[test]
	fn a_node_that_went_away_is_not_mistaken_for_another_chain() {
		let block_hash = || H256::zero().into();
		let errors: Vec<Error> = vec![
			OnlineClientError::CannotGetGenesisHash(gone()).into(),
			OnlineClientAtBlockError::CannotGetCurrentBlock { reason: gone() }.into(),
			OnlineClientAtBlockError::CannotGetBlockHeader {
				block_hash: block_hash(),
				reason: gone(),
			}
			.into(),
			OnlineClientAtBlockError::CannotGetSpecVersion {
				block_hash: block_hash(),
				reason: gone(),
			}
			.into(),
			ExtrinsicError::CannotGetBlockBody(gone()).into(),
			ExtrinsicError::ErrorSubmittingTransaction(gone()).into(),
			StorageError::CannotFetchValue(gone()).into(),
			StorageError::StreamFailure(gone()).into(),
			RuntimeApiError::CannotCallApi(gone()).into(),
			EventsError::CannotFetchEventBytes(gone()).into(),
		];
		for error in errors {
			assert!(matches!(error, Error::Gone { .. }), "{error}");
		}
	}
}
