//! What can go wrong between a program and the chain.

use crate::types::{QueryRefusal, RecordKey};
use isthmus_envelope::{keys::KeyError, tree::TreeError, GrantError, RandomError, RecordError};
use subxt::ext::scale_decode;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// No node answers.
	#[error("no node answers at {url}: {reason}")]
	Unreachable {
		/// Where it should be.
		url: String,
		/// What the connection says.
		reason: String,
	},
	/// The connection was lost, or the node's answer is none.
	#[error("the connection to the node failed: {0}")]
	Connection(String),
	/// The node refuses the question.
	#[error("{message} (code {code})")]
	Rpc {
		/// The code in its answer.
		code: i32,
		/// Its sentence.
		message: String,
	},
	/// The chain is not one that this program knows, or its types have moved.
	#[error("the chain does not speak as this program expects: {0}")]
	Incompatible(String),
	/// The chain ran the call and refused it; nothing was changed.
	#[error("{0}")]
	Refused(Refusal),
	/// The node does not take the transaction.
	#[error("the node does not take the transaction: {0}")]
	NotAccepted(String),
	/// The transaction ended outside any block.
	#[error("the transaction came into no block: {0}")]
	NotIncluded(String),
	/// A query was refused.
	#[error(transparent)]
	Query(#[from] QueryRefusal),
	/// The chain has no such thing.
	#[error("there is no {0}")]
	Unknown(String),
	/// A secret is not one.
	#[error("{0} is no secret: a derivation as //Alice, a phrase of words, or a seed of 32 bytes in hex")]
	Secret(&'static str),
	/// What a node gave is not what the chain names by its hash.
	#[error("the node gave other bytes than the chain has for {0}")]
	WrongContent(String),
	/// A record is not as records are stored.
	#[error("record {key:?} is not as it has to be: {reason}")]
	Malformed {
		/// The record.
		key: RecordKey,
		/// What is wrong.
		reason: &'static str,
	},
	/// There is a record under the key already.
	#[error("there is a record under the key {0:?} already")]
	AlreadyStored(RecordKey),
	/// The value differs from the one whose storing was begun.
	#[error("chunk {chunk} differs from the value whose storing was begun under this key")]
	ValueChanged {
		/// The first chunk that differs.
		chunk: u32,
	},
	/// The value's length is not the one that was said.
	#[error("the value has another length than the {expected} bytes that it had at first")]
	LengthChanged {
		/// What it was.
		expected: u64,
	},
	/// A record cannot be encrypted or decrypted.
	#[error(transparent)]
	Record(#[from] RecordError),
	/// A grant cannot be sealed or opened.
	#[error(transparent)]
	Grant(#[from] GrantError),
	/// A range of leaves is none, or does not hold a leaf.
	#[error(transparent)]
	Range(#[from] TreeError),
	/// A public encryption key is none.
	#[error(transparent)]
	Key(#[from] KeyError),
	/// There is no randomness to be had.
	#[error(transparent)]
	Random(#[from] RandomError),
	/// Reading or writing failed.
	#[error(transparent)]
	Io(#[from] std::io::Error),
}

/// A call's error as the chain's metadata names and explains it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pallet}.{name}: {docs}")]
pub struct Refusal {
	/// The pallet, `DataSharing` say.
	pub pallet: String,
	/// The error's name, `KeyTaken` say.
	pub name: String,
	/// The sentence that the chain's metadata has for it.
	pub docs: String,
}

impl Error {
	/// Whether the data-sharing pallet refused by the error of this name.
	pub fn is_refusal(&self, name: &str) -> bool {
		matches!(self, Error::Refused(refusal) if refusal.name == name)
	}

	/// Whether the connection failed, so that the same may go well over another one.
	pub fn is_connection(&self) -> bool {
		matches!(self, Error::Connection(_) | Error::Unreachable { .. })
	}
}

impl From<subxt::rpcs::Error> for Error {
	fn from(error: subxt::rpcs::Error) -> Self {
		match error {
			subxt::rpcs::Error::User(error) => Error::Rpc {
				code: error.code,
				message: error.message,
			},
			error => Error::Connection(error.to_string()),
		}
	}
}

/// `subxt` has an error type for each of its parts. What matters here is whether the connection failed,
/// the node refused, or the chain's types are not as expected.
macro_rules! from_subxt {
	($($error:ty),*) => {$(
		impl From<$error> for Error {
			fn from(error: $error) -> Self {
				let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
				while let Some(inner) = source {
					if let Some(rpc) = inner.downcast_ref::<subxt::rpcs::Error>() {
						return match rpc {
							subxt::rpcs::Error::User(user) => Error::Rpc {
								code: user.code,
								message: user.message.clone(),
							},
							rpc => Error::Connection(rpc.to_string()),
						};
					}
					source = inner.source();
				}
				Error::Incompatible(error.to_string())
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
