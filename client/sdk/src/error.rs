// SPDX-License-Identifier: Apache-2.0
//! The errors of operations on the chain, converted from the node's and the libraries' errors.

use crate::{
	card::CardError,
	cause::Cause,
	handle::HandleError,
	leaves::LeavesError,
	refusal::{PalletError, Refusal},
	text::{ist, key_name, NameError},
	trust::Unproven,
	types::{
		AccountId, Balance, BlockNumber, Cost, DatasetId, Epoch, GrantId, Leaf, Place,
		QueryRefusal, RecordKey, RequestId,
	},
};
use isthmus_envelope::{
	keys::KeyError, tree::TreeError, ErasableError, GrantError, PartlyErased, RandomError,
	RecordError,
};
use isthmus_light::ReceiptError;
use subxt::{
	ext::{jsonrpsee::core::ClientError as RpcError, scale_decode},
	utils::H256,
};

/// Why an operation failed.
///
/// Storing a value has its own error, [`UploadError`], and so do the operations on the local disk:
/// [`UploadFolderError`](crate::UploadFolderError) and [`FetchError`](crate::FetchError).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// No node answers at the address.
	#[error("no node answers at {url}: {reason}")]
	Unreachable {
		/// The address.
		url: String,
		/// The transport's error.
		reason: String,
	},
	/// A node answered before, and does not any more.
	#[error("no node answers any more at {url}: {reason}")]
	Gone {
		/// The address.
		url: String,
		/// The transport's error.
		reason: String,
	},
	/// The server at the address refuses the connection.
	#[error("{url} refuses the connection with HTTP status {status}")]
	Rejected {
		/// The address.
		url: String,
		/// The status of its answer, for example 403 for an address that is not the node's own.
		status: u16,
	},
	/// The connection was lost, or the node sent an invalid response.
	#[error("the connection to the node failed: {0}")]
	Connection(String),
	/// The node answered a request with an error.
	#[error("{message} (code {code})")]
	Rpc {
		/// The error's code.
		code: i32,
		/// The error's message.
		message: String,
		/// The `reason` in the error's data, for example `NotAuthorised`.
		reason: Option<String>,
	},
	/// The node has pruned the state of a block.
	#[error("the node no longer has the state of this block: {0}")]
	StateGone(String),
	/// The node has the history of shared data only from a later block on.
	#[error("the node has the history only from block {since} on")]
	HistoryGone {
		/// The first block from which on the node has all events.
		since: BlockNumber,
	},
	/// The node has not indexed the history of shared data up to the block that was asked for.
	#[error("the node has indexed the history up to block {until} only")]
	NotIndexed {
		/// The last block that is indexed.
		until: BlockNumber,
	},
	/// The node sent an event that is not proven by its block's header.
	#[error(
		"the node sent an event of block {block} that the block's header does not prove: {reason}"
	)]
	NotProven {
		/// The block's number.
		block: BlockNumber,
		/// What is wrong.
		reason: String,
	},
	/// A receipt proves nothing.
	#[error(transparent)]
	Receipt(#[from] ReceiptError),
	/// The chain lacks something that this library needs, or one of its types has an unexpected shape.
	#[error("this program does not understand the chain: {0}")]
	Incompatible(String),
	/// The chain executed the call, which failed and changed nothing.
	#[error("{0}")]
	Refused(Refusal),
	/// The node rejected the transaction; see [`Error::rejection`].
	#[error("the node rejected the transaction: {0}")]
	NotAccepted(String),
	/// The node accepted the transaction and dropped it later.
	#[error("the transaction was not included in a block: {0}")]
	NotIncluded(String),
	/// The node dropped an earlier transaction of the account. This one waits in the pool until another transaction
	/// has that one's nonce.
	#[error("the node dropped an earlier transaction of the account, and this one ({hash:?}) waits behind it; it may still be included until block {last}")]
	Behind {
		/// The transaction's hash.
		hash: H256,
		/// The last block that may include it.
		last: BlockNumber,
	},
	/// The connection was lost after the transaction was sent, so its outcome is not known.
	#[error("the connection to the node was lost after the transaction {hash:?} was sent; it may still be included until block {last}")]
	Unconfirmed {
		/// The transaction's hash.
		hash: H256,
		/// The last block that may include it.
		last: BlockNumber,
	},
	/// The node stopped following a transaction that is in a block and not finalized.
	#[error("the transaction {hash:?} is in block {block}, but not finalized yet: {reason}")]
	NotFinal {
		/// The transaction's hash.
		hash: H256,
		/// The block's number.
		block: BlockNumber,
		/// Why the node stopped.
		reason: String,
	},
	/// Too few blocks are left in which the transaction may be included.
	#[error("too late: the transaction would have to be included by block {last}")]
	TooLate {
		/// The last block that may include it.
		last: BlockNumber,
	},
	/// The request is not open, or is not the one that was seen.
	#[error("request {0} is no longer open as it was seen")]
	RequestGone(RequestId),
	/// Leaves of a request's range were erased, and it was not to be waited for until it is final. Nothing was sent.
	#[error("leaves of the range were erased, and request {0} is rejected for that only once it is final: a rejection names no digest, and could meet another request")]
	OnlyWhenFinal(RequestId),
	/// The owner cannot pay a grant's fee.
	#[error("a grant needs {} for its fees, but the account has {}", ist(*.needed), ist(*.free))]
	InsufficientFunds {
		/// The amount that the owner needs, including for the grants in flight.
		needed: Balance,
		/// The amount that the account can spend.
		free: Balance,
	},
	/// A policy allows the request, but the owner's own limits do not.
	#[error("left for the owner to answer: {0}")]
	Withheld(&'static str),
	/// A keeper has lost its place, or would lose it.
	#[error("{0}")]
	Keeper(&'static str),
	/// A request was closed while the connection was lost.
	#[error("the connection was lost while the answer was in flight; the request is closed: it was granted or cancelled")]
	OutcomeUnknown,
	/// What the node says is not proven.
	#[error(transparent)]
	Unproven(#[from] Unproven),
	/// A query was refused.
	#[error(transparent)]
	Query(#[from] QueryRefusal),
	/// The best chain has no block with this number.
	#[error("block {0} does not exist")]
	NoSuchBlock(BlockNumber),
	/// The owner has no such dataset.
	#[error("{owner} has no dataset {dataset}")]
	NoSuchDataset {
		/// The owner.
		owner: AccountId,
		/// The dataset.
		dataset: DatasetId,
	},
	/// The account has no dataset.
	#[error("{0} has no dataset")]
	NoDataset(AccountId),
	/// The account has several datasets, and none was chosen.
	#[error("{0} has several datasets: choose one")]
	SeveralDatasets(AccountId),
	/// The account neither made nor received such a request, or it is no longer open.
	#[error("{account} has no open request {request}")]
	NoSuchRequest {
		/// The account.
		account: AccountId,
		/// The request.
		request: RequestId,
	},
	/// A request for the same leaves is open, which the chain would refuse.
	#[error("request {0} for these leaves is already open")]
	AlreadyAsked(RequestId),
	/// The dataset has no locations for objects.
	#[error("dataset {0} has no locations")]
	NoLocation(DatasetId),
	/// No location of the dataset takes objects from this program.
	#[error("no location of dataset {dataset} can be written to{}", reason(.unusable.as_ref()))]
	NotWritable {
		/// The dataset.
		dataset: DatasetId,
		/// The first location that this program cannot use, and why.
		unusable: Option<isthmus_objects::Left>,
	},
	/// The owner has given no such grant.
	#[error("{owner} has given no grant {grant}")]
	NoSuchGrant {
		/// The owner.
		owner: AccountId,
		/// The grant.
		grant: GrantId,
	},
	/// The reader has no such grant.
	#[error("{reader} has no grant {grant}")]
	NotGiven {
		/// The reader.
		reader: AccountId,
		/// The grant.
		grant: GrantId,
	},
	/// There is nothing to dispute about a grant: it cost nothing, or its owner was paid already.
	#[error("there is nothing to dispute about grant {0}: nothing was paid for it, or its owner was paid already")]
	NothingToDispute(GrantId),
	/// A grant opens all records that were looked at, so that a dispute would be lost. Nothing was sent.
	#[error(
		"grant {grant} opens all {records} records that are in its range{}: a dispute would be lost, and everyone could open the grant",
		except(.left_out)
	)]
	NothingWrong {
		/// The grant.
		grant: GrantId,
		/// How many records it opens.
		records: usize,
		/// The leaves in its range whose records were not looked at, because the node lacks their bytes.
		left_out: Vec<Leaf>,
	},
	/// The reader has published no encryption key, so nothing can be sealed to it.
	#[error("{0} has no encryption key on the chain")]
	NoEncryptionKey(AccountId),
	/// The key or the grant is of a suite that a large quantum computer opens, and the client refuses it.
	#[error("the key is not a post-quantum one, and nothing else is accepted")]
	NotPostQuantum,
	/// The records in an epoch are encrypted under another master secret than the owner's. Nothing was sent.
	#[error("OtherSecret: the records in epoch {epoch} of dataset {dataset} are encrypted under another master secret than this one")]
	OtherSecret {
		/// The dataset.
		dataset: DatasetId,
		/// The epoch.
		epoch: Epoch,
	},
	/// Another account controls the dataset, so that what this one sends about it is refused. Nothing was sent.
	#[error("dataset {dataset} is controlled by {controller}, who took it over")]
	NotController {
		/// The dataset.
		dataset: DatasetId,
		/// Who controls it.
		controller: AccountId,
	},
	/// The dataset is offered to another account, and no grants are given meanwhile. Nothing was sent.
	#[error("dataset {dataset} is offered to {to}, and no grants can be given meanwhile")]
	DatasetIsOffered {
		/// The dataset.
		dataset: DatasetId,
		/// To whom it is offered.
		to: AccountId,
	},
	/// No free leaf was found in an epoch.
	#[error("no free leaf in epoch {epoch} of dataset {dataset}: start a new epoch")]
	NoFreeLeaf {
		/// The dataset.
		dataset: DatasetId,
		/// The epoch.
		epoch: Epoch,
	},
	/// A record cannot have this name.
	#[error(transparent)]
	Name(#[from] NameError),
	/// A secret cannot be read.
	#[error("invalid secret: expected a derivation such as //Alice, a phrase of words, or a seed of 32 bytes in hexadecimal digits")]
	InvalidSecret,
	/// A text names no account.
	#[error("expected an address, or a development account such as //Alice")]
	InvalidAccount,
	/// A development identity was requested with something other than a derivation.
	#[error("invalid development account: expected a derivation such as //Alice")]
	InvalidDevelopmentAccount,
	/// The bytes from the node do not have the hash that is on the chain.
	#[error("the node sent wrong bytes for {0}: their hash is not the one on the chain")]
	WrongContent(String),
	/// A record's content violates its format.
	#[error("the record {} is malformed: {reason}", key_name(key))]
	Malformed {
		/// The record.
		key: RecordKey,
		/// What is wrong.
		reason: &'static str,
	},
	/// An object cannot be sent to a location.
	#[error(transparent)]
	Sending(#[from] isthmus_objects::UploadError),
	/// An object cannot be read from any location.
	#[error(transparent)]
	Object(isthmus_objects::ReadError),
	/// A value cannot be stored.
	#[error(transparent)]
	Upload(#[from] UploadError),
	/// Something costs more than the account has, or than it may cost.
	#[error(transparent)]
	Cost(#[from] CostError),
	/// A record cannot be encrypted or decrypted.
	#[error(transparent)]
	Record(#[from] RecordError),
	/// A record's handle does not open it.
	#[error(transparent)]
	Handle(#[from] HandleError),
	/// A grant cannot be sealed or opened.
	#[error(transparent)]
	Grant(#[from] GrantError),
	/// A range of leaves is empty, extends beyond the tree or does not contain the leaf.
	#[error(transparent)]
	Range(#[from] TreeError),
	/// Leaves that are asked for by names or dates cannot be found.
	#[error(transparent)]
	Leaves(#[from] LeavesError),
	/// A file is not the card of a dataset whose hash is on the chain.
	#[error(transparent)]
	Card(#[from] CardError),
	/// Leaves of a range were erased, so it cannot be granted as one.
	#[error(
		"{0}: a grant cannot leave leaves out, so each range that is left takes a grant of its own"
	)]
	PartlyErased(PartlyErased),
	/// The keys of an erasable epoch cannot be read, changed or used.
	#[error(transparent)]
	Erasable(#[from] ErasableError),
	/// Bytes are not a public encryption key.
	#[error(transparent)]
	Key(#[from] KeyError),
	/// The system provides no randomness.
	#[error(transparent)]
	Random(#[from] RandomError),
	/// Reading or writing failed.
	#[error(transparent)]
	Io(#[from] std::io::Error),
}

/// Returns why a location cannot be used, after a colon.
fn reason(unusable: Option<&isthmus_objects::Left>) -> String {
	unusable.map_or_else(String::new, |left| format!(": {left}"))
}

impl From<isthmus_objects::ReadError> for Error {
	fn from(error: isthmus_objects::ReadError) -> Self {
		use isthmus_objects::ReadError;
		match error {
			ReadError::Record(error) => error.into(),
			ReadError::Io(error) => error.into(),
			error => Self::Object(error),
		}
	}
}

/// Why a value cannot be stored under a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
	/// A record with this key is stored already.
	#[error("{} is stored already", key_name(.0))]
	AlreadyStored(RecordKey),
	/// The value differs from the one whose upload under this key began.
	#[error("chunk {chunk} of the value changed since its upload began")]
	ValueChanged {
		/// The first chunk that differs.
		chunk: u32,
	},
	/// The value does not have the length of the value whose upload under this key began.
	#[error("the length of the value changed: it was {expected} bytes when its upload began")]
	LengthChanged {
		/// The expected length in bytes.
		expected: u64,
	},
	/// The value changed, or did not have the expected length, while it was read. Nothing was sent.
	#[error("the value changed while it was read: it had {expected} bytes before")]
	ChangedWhileRead {
		/// The expected length in bytes.
		expected: u64,
	},
	/// The leaf is taken. Nothing was sent.
	#[error("leaf {} of dataset {}, epoch {}, is taken", .0.leaf, .0.dataset, .0.epoch)]
	LeafTaken(Place),
	/// The epoch is not the dataset's current one. Nothing was sent.
	#[error("dataset {dataset} is in epoch {now}, and nothing can be stored in epoch {epoch}")]
	NotCurrentEpoch {
		/// The dataset.
		dataset: DatasetId,
		/// The epoch of the place.
		epoch: Epoch,
		/// The dataset's current epoch.
		now: Epoch,
	},
	/// While an object was sent, another program took its leaf, or its epoch ended. The object was given up.
	#[error("while the object was sent, another program took its leaf, or a new epoch began: it has to be encrypted again")]
	PlaceGone,
	/// Another program of the owner took the record's place at the same time. Nothing was sent.
	#[error("another program of the same account took the place of the record")]
	Overtaken,
	/// The value has more chunks than a record may have.
	#[error("the value is too long: a record has at most {maximum} bytes")]
	TooLong {
		/// The length of the longest value in bytes.
		maximum: u64,
	},
	/// The upload started in an epoch that is over. It was interrupted before, or the epoch ended meanwhile.
	#[error("the upload of {} started in epoch {epoch}, but the dataset is now in epoch {now}: readers revoked since then could read it. Remove the record and store it again", key_name(key))]
	EpochOver {
		/// The record.
		key: RecordKey,
		/// The record's epoch.
		epoch: Epoch,
		/// The dataset's current epoch.
		now: Epoch,
	},
}

/// Why something was not sent because of its cost. What is sent in several transactions may have been sent in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CostError {
	/// The account cannot pay.
	#[error("NotEnoughFunds: this needs at least {} for fees, deposits and payments, the account has {}, and {} are missing", ist(*.needed), ist(*.free), ist(.needed.saturating_sub(*.free)))]
	NotEnoughFunds {
		/// What the fees, at present, the deposits and the payments need together.
		needed: Balance,
		/// The amount that the account can spend.
		free: Balance,
	},
	/// It costs more than the client's [budget](crate::Budget) allows.
	#[error("this would cost {}, {}", ist(*.needed), over_limit(*.needed, *.spent, *.most))]
	TooCostly {
		/// What it costs, at present.
		needed: Balance,
		/// What the client has spent so far.
		spent: Balance,
		/// The limit for both together.
		most: Balance,
	},
	/// The client only computes costs.
	#[error("a dry run: nothing was sent, which would cost {}", ist(.0.total()))]
	NotSent(Cost),
}

/// Says by how much a cost is over a limit.
fn over_limit(needed: Balance, spent: Balance, most: Balance) -> String {
	match spent {
		0 => format!("and the limit is {}", ist(most)),
		spent => {
			let over = needed.saturating_sub(most.saturating_sub(spent));
			let (over, most, spent) = (ist(over), ist(most), ist(spent));
			format!(
				"which is {over} more than the limit of {most} leaves: {spent} are spent already"
			)
		}
	}
}

/// Why a node's pool rejected a transaction. Nodes report this only in sentences, without a code. This is the
/// only place that parses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
	/// Another transaction of the account has, or had, the same nonce.
	NonceTaken,
	/// The pool is full.
	PoolFull,
	/// The account cannot pay the fee.
	CannotPay,
	/// The transaction stores bytes in an epoch that is over, or in a dataset that was removed.
	Overtaken,
	/// Anything else.
	Other,
}

impl Rejection {
	/// Parses the node's sentence.
	fn of(sentence: &str) -> Self {
		let says = |part| sentence.contains(part);
		if says("outdated") || says("priority of the transaction is too low") {
			Self::NonceTaken
		} else if says("because of the limit") || says("exceeding limits") {
			Self::PoolFull
		} else if says("Inability to pay some fees") {
			Self::CannotPay
		} else if says("InvalidTransaction custom error") {
			// The only reason for which this chain's runtime rejects a transaction with a code of its own.
			Self::Overtaken
		} else {
			Self::Other
		}
	}
}

impl Error {
	/// Returns the error of the call, if the chain refused it.
	pub fn refusal(&self) -> Option<&PalletError> {
		match self {
			Error::Refused(refusal) => Some(&refusal.error),
			_ => None,
		}
	}

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

	/// Returns why the node's pool rejected the transaction, if it did.
	pub fn rejection(&self) -> Option<Rejection> {
		match self {
			Error::NotAccepted(sentence) => Some(Rejection::of(sentence)),
			_ => None,
		}
	}

	/// Returns whether the connection failed, so that the operation may succeed over a new one.
	pub fn is_connection(&self) -> bool {
		matches!(
			self,
			Error::Connection(_)
				| Error::Unreachable { .. }
				| Error::Gone { .. }
				| Error::Rejected { .. }
				| Error::Unconfirmed { .. }
		)
	}

	/// Returns whether the node has pruned the bytes of a record, or does not have them yet.
	pub fn lacks_bytes(&self) -> bool {
		matches!(self, Error::Rpc { code, .. } if *code == BYTES_GONE)
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

/// Returns which leaves were left out, for a sentence about the others.
fn except(left_out: &[Leaf]) -> String {
	if left_out.is_empty() {
		return String::new();
	}
	let leaves: Vec<_> = left_out.iter().map(ToString::to_string).collect();
	format!(
		", except at the leaves {}, whose bytes the node lacks",
		leaves.join(", ")
	)
}

/// The refusals of a query.
const QUERY_REFUSALS: [QueryRefusal; 8] = [
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_sentences_of_the_pool_are_known() {
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
			(
				"Invalid transaction: InvalidTransaction custom error",
				Rejection::Overtaken,
			),
			("Transaction is temporarily banned", Rejection::Other),
		];
		for (sentence, rejection) in sentences {
			let error = Error::NotAccepted(sentence.into());
			assert_eq!(error.rejection(), Some(rejection), "{sentence}");
		}
		assert_eq!(Error::NotIncluded("outdated".into()).rejection(), None);
	}

	/// `subxt` passes on the node's error only as a sentence, not as the connection's error with its code.
	#[test]
	fn a_pruned_state_is_not_mistaken_for_another_chain() {
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
	fn a_query_is_refused_by_the_chain_or_by_a_node() {
		let of_node = |reason: Option<&str>| Error::Rpc {
			code: 7106,
			message: "no".into(),
			reason: reason.map(str::to_owned),
		};
		for refusal in QUERY_REFUSALS {
			assert_eq!(Error::Query(refusal).query_refusal(), Some(refusal));
			let named = of_node(Some(&format!("{refusal:?}")));
			assert_eq!(named.query_refusal(), Some(refusal));
		}
		for other in [of_node(None), of_node(Some("Stale")), Error::InvalidSecret] {
			assert_eq!(other.query_refusal(), None, "{other}");
		}
	}

	#[test]
	fn a_history_that_is_gone_says_since_when() {
		let answer = |code, data: &str| {
			Error::from(&subxt::rpcs::UserError {
				code,
				message: "no".into(),
				data: serde_json::value::RawValue::from_string(data.into()).ok(),
			})
		};
		let since = r#"{"since":9}"#;
		let gone = answer(7122, since);
		assert!(matches!(gone, Error::HistoryGone { since: 9 }), "{gone}");
		assert!(matches!(answer(7121, since), Error::Rpc { .. }));
		assert!(matches!(answer(7122, "{}"), Error::Rpc { .. }));
		let refused = answer(7106, r#"{"reason":"NotAuthorised"}"#);
		assert!(
			matches!(refused, Error::Rpc { reason: Some(reason), .. } if reason == "NotAuthorised")
		);
	}
}
