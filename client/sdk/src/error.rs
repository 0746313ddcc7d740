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
		/// The reason in its answer's data, `NotAuthorised` say, if there is one.
		reason: Option<String>,
	},
	/// The node does not keep the state of a block any more.
	#[error("the node has no state of the block any more: {0}")]
	StateGone(String),
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
	/// There is not enough time left to send it.
	#[error("it would have to be in a block until block {last}, and too few are left until then")]
	TooLate {
		/// The last block that it may be in.
		last: crate::types::BlockNumber,
	},
	/// The account has too little for what a grant takes.
	#[error("a grant takes {} IST of deposit and fees, and the account has {} IST", ist(.needed), ist(.there))]
	TooPoor {
		/// What is needed, with what goes to others on their way.
		needed: crate::types::Balance,
		/// What can be spent.
		there: crate::types::Balance,
	},
	/// The policy allows it, and the limits that the owner set do not.
	#[error("the policy allows it, and yet it is left to be answered by hand: {0}")]
	Withheld(&'static str),
	/// A request was closed while there was no connection.
	#[error("the connection was lost with the answer on its way; the request is open no more: it was granted or taken back")]
	Lost,
	/// Storing a record was begun in an epoch that is over.
	#[error("storing {key:?} was begun in epoch {epoch}, and its dataset is at epoch {now}: readers who were put out since could read it; remove it and store it anew")]
	EpochOver {
		/// The record.
		key: RecordKey,
		/// Its epoch.
		epoch: crate::types::Epoch,
		/// The dataset's epoch now.
		now: crate::types::Epoch,
	},
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

/// Why a node's pool does not take a transaction. Nodes have no codes for it, only sentences: this is
/// the one place that reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
	/// Another transaction of the account has the nonce, or had it.
	NonceTaken,
	/// There is no room for it now.
	PoolFull,
	/// The account cannot pay the fee.
	CannotPay,
	/// Anything else.
	Other,
}

impl Rejection {
	/// By the node's sentence.
	fn of(sentence: &str) -> Self {
		let says = |part| sentence.contains(part);
		if says("outdated") || says("priority of the transaction is too low") {
			Self::NonceTaken
		} else if says("because of the limit") || says("exceeding limits") {
			Self::PoolFull
		} else if says("Inability to pay some fees") {
			Self::CannotPay
		} else {
			Self::Other
		}
	}
}

/// An amount in IST, for an error's sentence.
fn ist(amount: &crate::types::Balance) -> String {
	let unit = isthmus_primitives::UNIT;
	format!("{}.{:03}", amount / unit, amount % unit / (unit / 1_000))
}

/// What a node says of an error besides code and message.
#[derive(serde::Deserialize)]
struct Data {
	reason: String,
}

/// Whether a node says that it does not keep the state that it was asked for. It has no code of its own
/// for it, and `subxt` gives some of its errors on as sentences only: this is the one place that reads them.
fn is_state_gone(sentence: &str) -> bool {
	sentence.contains("discarded") || sentence.contains("UnknownBlock")
}

impl From<&subxt::rpcs::UserError> for Error {
	fn from(error: &subxt::rpcs::UserError) -> Self {
		if is_state_gone(&error.message) {
			return Error::StateGone(error.message.clone());
		}
		let data = error.data.as_ref();
		let reason = data.and_then(|data| serde_json::from_str::<Data>(data.get()).ok());
		Error::Rpc {
			code: error.code,
			message: error.message.clone(),
			reason: reason.map(|data| data.reason),
		}
	}
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

	/// Why the node's pool did not take a transaction, if that is what went wrong.
	pub fn rejection(&self) -> Option<Rejection> {
		match self {
			Error::NotAccepted(sentence) => Some(Rejection::of(sentence)),
			_ => None,
		}
	}

	/// Whether the connection failed, so that the same may go well over another one.
	pub fn is_connection(&self) -> bool {
		matches!(self, Error::Connection(_) | Error::Unreachable { .. })
	}
}

impl From<subxt::rpcs::Error> for Error {
	fn from(error: subxt::rpcs::Error) -> Self {
		match error {
			subxt::rpcs::Error::User(error) => (&error).into(),
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
							subxt::rpcs::Error::User(user) => user.into(),
							rpc => Error::Connection(rpc.to_string()),
						};
					}
					source = inner.source();
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_pools_sentences_are_known() {
		let sentences = [
			(
				"Invalid transaction: Transaction is outdated",
				Rejection::NonceTaken,
			),
			(
				"The priority of the transaction is too low (pool 5 > current 4)",
				Rejection::NonceTaken,
			),
			(
				"The transaction could not enter the pool because of the limit",
				Rejection::PoolFull,
			),
			(
				"Invalid transaction: Inability to pay some fees (e.g. account balance too low)",
				Rejection::CannotPay,
			),
			("Transaction is temporarily banned", Rejection::Other),
		];
		for (sentence, rejection) in sentences {
			let error = Error::NotAccepted(sentence.into());
			assert_eq!(error.rejection(), Some(rejection), "{sentence}");
		}
		assert_eq!(Error::NotIncluded("outdated".into()).rejection(), None);
	}

	/// As the client at a block gives it on: a sentence, with no error of the connection behind it.
	#[test]
	fn a_state_that_is_gone_is_told_from_another_chain() {
		let at_block = |reason: &str| {
			Error::from(subxt::error::OnlineClientAtBlockError::CannotGetMetadata {
				block_hash: subxt::utils::H256::zero().into(),
				reason: reason.into(),
			})
		};
		let gone = "Client error: UnknownBlock: State already discarded for 0x00 (4003)";
		assert!(matches!(at_block(gone), Error::StateGone(_)));
		assert!(matches!(
			at_block("no such version"),
			Error::Incompatible(_)
		));
		let answer = |message: &str| {
			Error::from(&subxt::rpcs::UserError {
				code: 4003,
				message: message.into(),
				data: None,
			})
		};
		assert!(matches!(answer(gone), Error::StateGone(_)));
		assert!(matches!(answer("no"), Error::Rpc { code: 4003, .. }));
	}

	#[test]
	fn amounts_are_told_in_ist() {
		let unit = isthmus_primitives::UNIT;
		assert_eq!(ist(&(12 * unit + unit / 4)), "12.250");
	}
}
