// SPDX-License-Identifier: Apache-2.0
//! What is read: datasets, their files, and the bytes of a file.

use isthmus_sdk::{AccountId, DatasetId, Error as SdkError, FetchError, QueryRefusal, RecordKey};
use std::{
	future::{ready, Future},
	ops::Range,
	sync::Arc,
};

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
	/// The hash on the chain or, in a packed folder, the file's SHA-256 in the folder's list. It differs when another file is stored.
	pub hash: [u8; 32],
	/// When its last bytes came to the chain, in seconds since 1970.
	pub date: u64,
	/// The key of its record.
	pub key: RecordKey,
	/// Where it is in its record, if that is a pack of a folder; else it is all of the record.
	pub pack: Option<Pack>,
}

impl File {
	/// Returns its entity tag: its hash in 64 digits and `-1`. As that of an object that came in parts, it has a dash, so that no
	/// client takes it for an MD5.
	pub(crate) fn tag(&self) -> String {
		format!("\"{}-1\"", hex::encode(self.hash))
	}
}

/// A place in a pack of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
	/// The hash of the pack on the chain.
	pub hash: [u8; 32],
	/// Where the file begins in the pack.
	pub offset: u64,
	/// The folder's list, which says so.
	pub list: Arc<Record>,
}

/// A record as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
	/// Its key.
	pub key: RecordKey,
	/// Its hash on the chain.
	pub hash: [u8; 32],
}

impl File {
	/// Returns the hash of its record on the chain, which differs when that is stored again.
	pub fn stored(&self) -> [u8; 32] {
		self.pack.as_ref().map_or(self.hash, |pack| pack.hash)
	}

	/// Returns whether the bytes of two files are the same ones of the same record.
	pub(crate) fn is_at(&self, other: &Self) -> bool {
		let offset = |file: &Self| file.pack.as_ref().map(|pack| pack.offset);
		let place = |file: &Self| (file.key, file.stored(), offset(file), file.length);
		self.hash == other.hash && place(self) == place(other)
	}

	/// Checks what a folder's list says of the file against its record, which has this length.
	///
	/// # Errors
	///
	/// Returns [`Refusal::Failed`] if the record does not have the file.
	pub(crate) fn check(&self, length: u64, is_compressed: bool) -> Result<(), Refusal> {
		let path = || self.path.clone();
		let is_there = match &self.pack {
			None => length == self.length,
			Some(_) if is_compressed => {
				return Err(Refusal::Failed(
					FetchError::CompressedFile(path()).to_string(),
				))
			}
			Some(pack) => {
				let end = pack.offset.checked_add(self.length);
				end.is_some_and(|end| end <= length)
			}
		};
		match is_there {
			true => Ok(()),
			false => Err(Refusal::Failed(FetchError::WrongLength(path()).to_string())),
		}
	}
}

/// A file that may be read now.
#[derive(Debug)]
pub struct Opened<Bytes> {
	/// Its dataset.
	pub place: Place,
	/// What is known of it.
	pub file: File,
	/// The length of its record in bytes.
	pub size: u64,
	/// How many bytes of its record are fetched together, from a multiple of this number on.
	pub chunk: u64,
	/// The bytes of its record.
	pub bytes: Arc<Bytes>,
}

impl<Bytes> Opened<Bytes> {
	/// Returns where a part of the file is in its record.
	pub fn within(&self, part: Range<u64>) -> Range<u64> {
		let start = self.file.pack.as_ref().map_or(0, |pack| pack.offset);
		part.start.saturating_add(start)..part.end.saturating_add(start)
	}
}

impl<Bytes> Clone for Opened<Bytes> {
	fn clone(&self) -> Self {
		Self {
			place: self.place,
			file: self.file.clone(),
			size: self.size,
			chunk: self.chunk,
			bytes: self.bytes.clone(),
		}
	}
}

/// The bytes of a record.
pub trait Readable: 'static {
	/// Returns the bytes in a range, which is within the record.
	fn read(&self, range: Range<u64>) -> impl Future<Output = Result<Vec<u8>, Refusal>>;
}

/// Where datasets come from. Each question is answered by what is allowed now. Futures stay on one thread, as those of the
/// SDK have to.
pub trait Source: 'static {
	/// The bytes of its records.
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

	/// Returns what holds answers up, if that is known, in words for the user.
	fn held_up(&self) -> impl Future<Output = Option<String>> {
		ready(None)
	}
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
	/// Nothing answers in time: no node, or none of the dataset's locations, or what is read is not finalized.
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
	fn a_file_is_where_its_list_says() {
		let file = |length, offset: Option<u64>| File {
			path: "marks/a.csv".into(),
			length,
			hash: [1; 32],
			date: 0,
			key: [2; 32].into(),
			pack: offset.map(|offset| Pack {
				hash: [3; 32],
				offset,
				list: Arc::new(Record {
					key: [4; 32].into(),
					hash: [5; 32],
				}),
			}),
		};
		for (length, offset) in [(10, None), (10, Some(0)), (4, Some(6)), (0, Some(0))] {
			assert_eq!(file(length, offset).check(10, false), Ok(()));
		}
		let outside = "the length of marks/a.csv differs from the one in the folder's list";
		let far = Some(u64::MAX);
		for (length, offset) in [(9, None), (11, None), (5, Some(6)), (11, Some(0)), (1, far)] {
			let checked = file(length, offset).check(10, false);
			assert_eq!(checked, Err(Refusal::Failed(outside.into())));
		}
		assert_eq!(file(10, None).check(10, true), Ok(()));
		let compressed = file(4, Some(6)).check(10, true);
		assert!(
			matches!(compressed, Err(Refusal::Failed(words)) if words.contains("compressed record"))
		);
		assert!(file(4, Some(6)).is_at(&file(4, Some(6))));
		assert!(!file(4, Some(6)).is_at(&file(4, Some(5))));
	}

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
