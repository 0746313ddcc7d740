// SPDX-License-Identifier: Apache-2.0
//! What the errors of a node and of its connection mean, by their codes and sentences.

use super::Error;
use crate::{
	cause::Cause,
	trust::{FinalityError, Unproven},
	types::{BlockNumber, QueryRefusal},
};
use subxt::ext::{jsonrpsee::core::ClientError as RpcError, scale_decode};

impl Error {
	/// Returns why a query was refused, if it was: by the chain, or by a node, which names the refusal as the chain does.
	pub fn query_refusal(&self) -> Option<QueryRefusal> {
		match self {
			Error::Query(refusal) => Some(*refusal),
			Error::Rpc {
				reason: Some(reason),
				..
			} => QUERY_REFUSALS
				.into_iter()
				.find(|refusal| format!("{refusal:?}") == *reason),
			_ => None,
		}
	}

	/// Returns whether the node has pruned the bytes of a record, or does not have them yet.
	pub fn lacks_bytes(&self) -> bool {
		matches!(self, Error::Rpc { code, .. } if *code == BYTES_GONE)
	}

	/// Returns whether the node does not have the newest block that is known to be final: it lies, has not caught up with its chain,
	/// or the chain was started again.
	pub fn goes_back(&self) -> bool {
		match self {
			Error::Unproven(Unproven::Finality(error)) => {
				matches!(
					error,
					FinalityError::Rollback { .. } | FinalityError::Fork(_)
				)
			}
			Error::Rpc { code, .. } => *code == NO_PROOF,
			_ => false,
		}
	}

	/// Returns whether the node lies, lags or is damaged, so that another node of the same chain may do better.
	pub fn is_of_node(&self) -> bool {
		match self {
			Error::Unproven(error) => matches!(
				error,
				Unproven::Finality(_) | Unproven::Proof(_) | Unproven::Forged(_)
			),
			Error::Rpc { code, .. } => [NO_PROOF, BYTES_GONE].contains(code),
			error => matches!(error, Error::WrongContent(_) | Error::StateGone(_)),
		}
	}
}

/// The refusals of a query.
pub(super) const QUERY_REFUSALS: [QueryRefusal; 8] = [
	QueryRefusal::UnknownRecord,
	QueryRefusal::NotAuthorised,
	QueryRefusal::OutOfRange,
	QueryRefusal::Expired,
	QueryRefusal::Revoked,
	QueryRefusal::Incomplete,
	QueryRefusal::Suspended,
	QueryRefusal::Embargoed,
];

/// The code of a node that cannot prove finality, because it does not have the block that we know.
pub(crate) const NO_PROOF: i32 = 7005;

/// The code of a node that has pruned the bytes of a record, or does not have them yet.
const BYTES_GONE: i32 = 7112;

/// The code of a history that begins after the blocks that were asked for.
const HISTORY_GONE: i32 = 7122;

/// The data that a node attaches to an error.
#[derive(Default, serde::Deserialize)]
struct Data {
	reason: Option<String>,
	/// The first block of the node's history.
	since: Option<BlockNumber>,
}

/// Returns whether a node reports that it has pruned a state. Nodes have no code for this, and `subxt` passes
/// on some of their errors only as sentences. This is the only place that parses them.
fn is_state_gone(sentence: &str) -> bool {
	sentence.contains("discarded") || sentence.contains("UnknownBlock")
}

impl From<&subxt::rpcs::UserError> for Error {
	fn from(error: &subxt::rpcs::UserError) -> Self {
		if is_state_gone(&error.message) {
			return Error::StateGone(error.message.clone());
		}
		let data = error.data.as_ref();
		let data = data.and_then(|data| serde_json::from_str::<Data>(data.get()).ok());
		let data = data.unwrap_or_default();
		if let (HISTORY_GONE, Some(since)) = (error.code, data.since) {
			return Error::HistoryGone { since };
		}
		Error::Rpc {
			code: error.code,
			message: error.message.clone(),
			reason: data.reason,
		}
	}
}

impl From<&subxt::rpcs::Error> for Error {
	fn from(error: &subxt::rpcs::Error) -> Self {
		let of_client = match error {
			subxt::rpcs::Error::User(error) => return error.into(),
			subxt::rpcs::Error::Client(error) => error,
			error => return Error::Connection(error.to_string()),
		};
		// The connection was lost before, and could not be made again.
		match of_client.downcast_ref() {
			Some(Error::Incompatible(reason)) => return Error::Incompatible(reason.clone()),
			Some(Error::Unproven(unproven)) => return Error::Unproven(unproven.clone()),
			Some(Error::Connection(reason)) => return Error::Connection(reason.clone()),
			Some(Error::Unreachable { url, reason }) => {
				let (url, reason) = (url.clone(), reason.clone());
				return Error::Unreachable { url, reason };
			}
			Some(Error::Gone { url, reason }) => {
				let (url, reason) = (url.clone(), reason.clone());
				return Error::Gone { url, reason };
			}
			Some(Error::Rejected { url, status }) => {
				let (url, status) = (url.clone(), *status);
				return Error::Rejected { url, status };
			}
			Some(Error::Certificate { url, fault }) => {
				let (url, fault) = (url.clone(), fault.clone());
				return Error::Certificate { url, fault };
			}
			_ => {}
		}
		Error::Connection(match of_client.downcast_ref() {
			Some(RpcError::RestartNeeded(reason)) => reason.to_string(),
			_ => of_client.to_string(),
		})
	}
}

impl From<subxt::rpcs::Error> for Error {
	fn from(error: subxt::rpcs::Error) -> Self {
		(&error).into()
	}
}

/// Converts the errors of `subxt`, which has an error type for each of its parts. Only three cases matter
/// here: the connection failed, the node answered with an error, or the chain's types are not the expected
/// ones.
macro_rules! from_subxt {
	($($error:ty),*) => {$(
		impl From<$error> for Error {
			fn from(error: $error) -> Self {
				if let Some(rpc) = error.of_connection() {
					return rpc.into();
				}
				let sentence = error.to_string();
				match is_state_gone(&sentence) {
					true => Error::StateGone(sentence),
					false => Error::Incompatible(sentence),
				}
			}
		}
	)*};
}

from_subxt!(
	subxt::error::OnlineClientError,
	subxt::error::OnlineClientAtBlockError,
	subxt::error::ExtrinsicError,
	subxt::error::StorageError,
	subxt::error::StorageValueError,
	subxt::error::RuntimeApiError,
	subxt::error::EventsError,
	subxt::error::ConstantError,
	subxt::error::DispatchErrorDecodeError
);

impl From<scale_decode::Error> for Error {
	fn from(error: scale_decode::Error) -> Self {
		Error::Incompatible(error.to_string())
	}
}
