// SPDX-License-Identifier: Apache-2.0
//! The errors of operations on the chain, converted from the node's and the libraries' errors.

mod cost;
mod node;
mod operator;
mod rejection;
mod upload;

pub use cost::CostError;
pub(crate) use node::NO_PROOF;
pub use operator::{Held, OperatorError};
pub use rejection::Rejection;
pub use upload::UploadError;

use crate::{
	card::CardError,
	handle::HandleError,
	layout::Difference,
	leaves::LeavesError,
	lock::{named, Holder},
	overlap::Overlap,
	refusal::{PalletError, Refusal},
	text::{ist, key_name, Listing, NameError},
	trust::Unproven,
	types::{
		AccountId, Balance, BlockNumber, DatasetId, Epoch, GrantId, Leaf, QueryRefusal, RecordKey,
		RequestId,
	},
};
use isthmus_envelope::{
	keys::KeyError, tree::TreeError, ErasableError, GrantError, NewerFile, PartlyErased,
	RandomError, Range, RecordError,
};
use isthmus_light::ReceiptError;
use isthmus_objects::CertificateFault;
use subxt::utils::H256;

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
	/// The certificate of the server at the address is not accepted.
	#[error("no connection to {url}: {fault}")]
	Certificate {
		/// The address.
		url: String,
		/// Why not.
		fault: CertificateFault,
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
	/// Another program has removed what was to be removed.
	#[error("nothing is left to remove: another program has removed it meanwhile")]
	NothingLeft,
	/// The chain's runtime is proven to be newer than this program, which does not know any more what it would sign. Nothing
	/// was signed.
	#[error("Outdated: the chain's runtime has version {runtime}, and this program knows what it signs up to version {newest}; nothing was signed, because the node's metadata has for {difference}")]
	Outdated {
		/// The version of the runtime in the finalized state.
		runtime: u32,
		/// The newest version that this program knows.
		newest: u32,
		/// What has another layout now, or so the node says.
		difference: Box<Difference>,
	},
	/// The chain's runtime is proven to be older than those that this program signs for. Nothing was signed.
	#[error("OlderRuntime: the chain's runtime has version {runtime}, older than {oldest}, the first one that this program signs for; nothing was signed, because the node's metadata has for {difference}")]
	OlderRuntime {
		/// The version of the runtime in the finalized state.
		runtime: u32,
		/// The oldest version that this program signs for.
		oldest: u32,
		/// What has another layout, or so the node says.
		difference: Box<Difference>,
	},
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
	/// The request is not final: after a reorganisation, its number can belong to another one. Nothing was sent.
	#[error("request {0} is not final, so its number can change hands")]
	RequestNotFinal(RequestId),
	/// Leaves of a request's range were erased, and it was not to be waited for until it is final. Nothing was sent.
	#[error("leaves of the range were erased, and request {0} is rejected for that only once it is final: a rejection names no digest, and could meet another request")]
	OnlyWhenFinal(RequestId),
	/// The chain may have forgotten that readers of an earlier epoch had a grant revoked. Nothing was sent.
	#[error("grants of readers who had another one revoked may be among those on epoch {epoch} of dataset {dataset}: the chain remembers a revocation for a week, and the node cannot show that this epoch ended later")]
	RevocationsForgotten {
		/// The dataset.
		dataset: DatasetId,
		/// The earlier epoch.
		epoch: Epoch,
	},
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
	/// Another program on this machine keeps copies at the same location.
	#[error("another program keeps copies at {url}{}", named(.holder.as_ref()))]
	KeptByAnother {
		/// The location's address.
		url: String,
		/// The program, if it can be found out.
		holder: Option<Holder>,
	},
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
	/// The folder that objects go to is not there, and the dataset has objects: its disk may not be mounted. Nothing was sent.
	#[error("the folder of {url} is not there, although the dataset has objects ({objects}): is its disk mounted?")]
	LocationAbsent {
		/// The location's address.
		url: String,
		/// How many objects the dataset has.
		objects: u32,
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
	/// The account cannot answer for the owner as its operator. Nothing was sent.
	#[error(transparent)]
	Operator(#[from] OperatorError),
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
	Sending(isthmus_objects::UploadError),
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
	/// A folder that is stored or written lies in the place of its dataset's objects, or the other way round. Nothing was
	/// read.
	#[error(transparent)]
	Overlap(#[from] Overlap),
	/// A newer release wrote a file that this program keeps for itself. Nothing was sent, and the file stays as it is.
	#[error(transparent)]
	Newer(#[from] NewerFile),
	/// Reading or writing failed.
	#[error(transparent)]
	Io(std::io::Error),
}

/// Returns why a location cannot be used, after a colon.
fn reason(unusable: Option<&isthmus_objects::Left>) -> String {
	unusable.map_or_else(String::new, |left| format!(": {left}"))
}

impl From<std::io::Error> for Error {
	fn from(error: std::io::Error) -> Self {
		match NewerFile::in_error(&error) {
			Some(newer) => Self::Newer(newer.clone()),
			None => Self::Io(error),
		}
	}
}

impl From<isthmus_objects::UploadError> for Error {
	fn from(error: isthmus_objects::UploadError) -> Self {
		match error {
			isthmus_objects::UploadError::Newer(newer) => Self::Newer(newer),
			error => Self::Sending(error),
		}
	}
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

impl Error {
	/// Returns the error of the call, if the chain refused it.
	pub fn refusal(&self) -> Option<&PalletError> {
		match self {
			Error::Refused(refusal) => Some(&refusal.error),
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

	/// Returns whether this program can sign nothing until it is started again, with a newer release if it is
	/// [`Outdated`](Self::Outdated) or [`Newer`](Self::Newer): a [`Client`](crate::Client) keeps the metadata that it got first.
	pub fn ends_signing(&self) -> bool {
		matches!(
			self,
			Error::Outdated { .. } | Error::Unproven(Unproven::FalseMetadata(_)) | Error::Newer(_)
		)
	}

	/// Returns whether the connection failed, so that the operation may succeed over a new one.
	pub fn is_connection(&self) -> bool {
		matches!(
			self,
			Error::Connection(_)
				| Error::Unreachable { .. }
				| Error::Gone { .. }
				| Error::Rejected { .. }
				| Error::Certificate { .. }
				| Error::Unconfirmed { .. }
		)
	}

	/// Returns all that the error lists; `None` if it lists nothing.
	pub fn listing(&self) -> Option<Listing> {
		match self {
			Self::Leaves(error) => error.listing(),
			Self::Operator(error) => error.listing(),
			Self::NothingWrong {
				grant,
				records,
				left_out,
			} => {
				let leaves = left_out.iter().map(|leaf| format!("leaf {leaf}"));
				let words = |count: usize| {
					format!("grant {grant} opens all {records} records that are in its range, except at {count} leaves, whose bytes the node lacks: a dispute would be lost, and everyone could open the grant")
				};
				Some(Listing::new(leaves.collect(), words))
			}
			Self::PartlyErased(cut) => {
				let ranges = |ranges: &[Range], state: &str| -> Vec<String> {
					let one = |range: &Range| {
						format!("leaves {}..{} {state}", range.start(), range.end())
					};
					ranges.iter().map(one).collect()
				};
				let all = [
					ranges(&cut.erased, "were erased"),
					ranges(&cut.left, "are left"),
				]
				.concat();
				let words = |count: usize| {
					format!("these leaves are {count} ranges, of which some were erased: a grant cannot leave leaves out, so each range that is left takes a grant of its own")
				};
				Some(Listing::new(all, words))
			}
			_ => None,
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

#[cfg(test)]
mod tests;
