// SPDX-License-Identifier: Apache-2.0
//! What is read: datasets, their files, and the bytes of a file.

use isthmus_sdk::{AccountId, DatasetId, Error as SdkError, QueryRefusal, RecordKey};
use std::{future::Future, ops::Range, sync::Arc};

/// The place of a dataset on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
	/// The owner's public key.
	pub owner: [u8; 32],
	/// The dataset's number.
	pub dataset: DatasetId,
}

impl Place {
	/// Makes the place of an owner's dataset.
	pub fn new(owner: &AccountId, dataset: DatasetId) -> Self {
		Self {
			owner: owner.0,
			dataset,
		}
	}

	/// Returns the owner.
	pub fn owner(&self) -> AccountId {
		self.owner.into()
	}
}

/// A dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
	/// Where it is.
	pub place: Place,
	/// Its name.
	pub name: String,
	/// Whether the account may read of it now. Else it has a grant that ended, so that a reader can be told why.
	pub is_open: bool,
}

/// A file: a record, or a file of a stored folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
	/// Its path: the record's name or, in a folder, the name of the folder's record, `/` and the path in the folder.
	pub path: String,
	/// Its length in bytes.
	pub length: u64,
	/// The hash on the chain, which differs when it is stored again.
	pub hash: [u8; 32],
	/// When its last bytes came to the chain, in seconds since 1970.
	pub date: u64,
	/// The key of its record.
	pub key: RecordKey,
}

/// A file that may be read now.
#[derive(Debug)]
pub struct Opened<Bytes> {
	/// Its dataset.
	pub place: Place,
	/// What is known of it.
	pub file: File,
	/// How many bytes are fetched together, from a multiple of this number on.
	pub chunk: u64,
	/// Its bytes.
	pub bytes: Arc<Bytes>,
}

impl<Bytes> Clone for Opened<Bytes> {
	fn clone(&self) -> Self {
		Self {
			place: self.place,
			file: self.file.clone(),
			chunk: self.chunk,
			bytes: self.bytes.clone(),
		}
	}
}

/// The bytes of a file.
pub trait Readable: 'static {
	/// Returns the bytes in a range, which is within the file.
	fn read(&self, range: Range<u64>) -> impl Future<Output = Result<Vec<u8>, Refusal>>;
}

/// Where datasets come from. Each question is answered by what is allowed now. Futures stay on one thread, as those of the
/// SDK have to.
pub trait Source: 'static {
	/// The bytes of its files.
	type Bytes: Readable;

	/// Returns the datasets of which the account may read something, and those of which it might once.
	fn datasets(&self) -> impl Future<Output = Result<Vec<Dataset>, Refusal>>;

	/// Returns the files of a dataset that the account may read, sorted by the bytes of their paths.
	fn files(&self, place: Place) -> impl Future<Output = Result<Arc<Vec<File>>, Refusal>>;

	/// Opens a file that the account may read.
	fn open(
		&self,
		place: Place,
		path: &str,
	) -> impl Future<Output = Result<Opened<Self::Bytes>, Refusal>>;
}

/// Why something is not answered. Each has a sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
	/// The account may not read it.
	#[error("{0}")]
	Denied(String),
	/// There is no such dataset.
	#[error("{0}")]
	NoDataset(String),
	/// There is no such file among those that the account may read.
	#[error("{0}")]
	NoFile(String),
	/// No node answers.
	#[error("{0}")]
	Unreachable(String),
	/// Too many reads at the same time.
	#[error("the gateway answers too many requests at the same time: try again")]
	Busy,
	/// Anything else: the node lies, or a record is damaged.
	#[error("{0}")]
	Failed(String),
}

impl From<SdkError> for Refusal {
	fn from(error: SdkError) -> Self {
		use QueryRefusal::*;
		let words = error.to_string();
		match (&error, error.query_refusal()) {
			(_, Some(UnknownRecord | Incomplete)) => Self::NoFile(words),
			(_, Some(NotAuthorised | OutOfRange | Expired | Revoked | Suspended | Embargoed)) => {
				Self::Denied(words)
			}
			(SdkError::Grant(_) | SdkError::NotPostQuantum, None) => Self::Denied(words),
			(SdkError::NoSuchDataset { .. }, None) => Self::NoDataset(words),
			(error, None) if error.is_connection() => Self::Unreachable(words),
			(_, None) => Self::Failed(words),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_refusal_has_the_chains_sentence() {
		let refused = |refusal: QueryRefusal| Refusal::from(SdkError::Query(refusal));
		let revoked = Refusal::Denied("the caller's grant was revoked".into());
		assert_eq!(refused(QueryRefusal::Revoked), revoked);
		assert!(matches!(
			refused(QueryRefusal::UnknownRecord),
			Refusal::NoFile(_)
		));
		let lost = SdkError::Connection("closed".into());
		assert!(matches!(lost.into(), Refusal::Unreachable(words) if words.contains("closed")));
		let wrong = SdkError::WrongContent("chunk 3".into());
		assert!(matches!(wrong.into(), Refusal::Failed(words) if words.contains("chunk 3")));
	}
}
