// SPDX-License-Identifier: Apache-2.0
//! Frames: tables that the tasks of a cluster store together. Each task stores a part as an object, and the owner's program
//! puts the entries of all parts on the chain in one transaction, or none of them.
//!
//! 1. The owner's program [plans](Frame::plan) a frame. It chooses a leaf for each part, and gets a [`Frame`], which is
//!    public, and the keys of those leaves, which are all that is secret in what tasks get.
//! 2. Tasks, on other machines, [store parts](Frame::store_part). They need the frame, its keys, and the store's credentials
//!    in their environment, and neither an account nor a node. A part may be attempted as often as it takes, also at the same
//!    time: each attempt is another object with a key of its own.
//! 3. The owner's program [commits](Frame::commit) one attempt of each part. The frame is then a
//!    [packed folder](crate::folder::packed), in which each part is a file, and is read and removed like one.
//!    Or it [aborts](Frame::abort) the frame, and what the attempts stored is deleted.
//!
//! While a frame is planned, no program of this user on this machine stores anything else at its leaves. In the end, those that
//! no part took are spent, so no later record can be opened by a task that kept its keys. Programs on other machines do not know
//! of the frame before its mark is in the store, and only those that plan frames look for it there. If one of them stores
//! a record at such a leaf, tasks could open it: commit and abort say [which](Exposed).
//!
//! The names of a frame's objects begin with its mark, which its owner recognises. So what is left of a program that was
//! killed is [found](frames_left) in the store, and can be deleted.

mod commit;
mod end;
mod error;
mod exposed;
mod leftovers;
mod part;
mod plan;
mod seen;

pub use commit::StoredFrame;
pub use end::Ended;
pub use error::FrameError;
pub use exposed::Exposed;
pub use leftovers::{frames_left, Leftover};
pub use plan::FrameAsked;

use crate::{reading::context_on, types::*};
use codec::{DecodeAll, Encode};
use isthmus_envelope::{EpochKeys, KeySet, Range, RecordContext};
use isthmus_objects::Mark;

/// How many parts a frame has at most. Its last transaction stores an entry for each, or spends the leaf, which takes two
/// calls.
pub const MAX_PARTS: u16 = 256;
/// The version of [`Frame::to_bytes`] and [`Part::to_bytes`].
const VERSION: u8 = 1;
/// What a mark is derived by. No file has such a path, because of its colon.
const MARK_PATH: &str = "frame:mark";
/// How many bytes of a mark name a frame. The others show its owner that it is one of its own.
const SAID: usize = 10;

/// A frame that is being stored: what its tasks, and the program that commits it, need to know. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
	/// The hash of the chain's first block.
	genesis: [u8; 32],
	owner: AccountId,
	/// The key of the record that lists the parts.
	list: RecordKey,
	leaves: Leaves,
	/// The keys of the parts' records.
	parts: Vec<RecordKey>,
}

/// The leaves of a frame: one for each part, and the next one for the list. And what its objects are found by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leaves {
	dataset: DatasetId,
	epoch: Epoch,
	first: Leaf,
	/// How many parts the frame may have.
	parts: u16,
	mark: Mark,
	/// The URL of the location of all its objects.
	location: String,
}

/// A part that a task has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
	number: u16,
	object: Object,
	/// SHA-256 of the part's bytes.
	hash: [u8; 32],
}

impl Frame {
	/// Returns the frame for another program of the same release.
	pub fn to_bytes(&self) -> Vec<u8> {
		let Leaves {
			dataset,
			epoch,
			first,
			mark,
			location,
			..
		} = &self.leaves;
		let place = (dataset, epoch, first, mark, location);
		let fields = (self.genesis, self.owner, self.list, place, &self.parts);
		[vec![VERSION], fields.encode()].concat()
	}

	/// Reads what [`to_bytes`](Self::to_bytes) wrote.
	///
	/// # Errors
	///
	/// Returns [`FrameError::Malformed`] for other bytes.
	pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrameError> {
		type Place = (DatasetId, Epoch, Leaf, Mark, String);
		type Fields = ([u8; 32], AccountId, RecordKey, Place, Vec<RecordKey>);
		let Some((&VERSION, fields)) = bytes.split_first() else {
			return Err(FrameError::Malformed);
		};
		let read = Fields::decode_all(&mut &fields[..]);
		let (genesis, owner, list, place, parts) = read.map_err(|_| FrameError::Malformed)?;
		let (dataset, epoch, first, mark, location) = place;
		let count = u16::try_from(parts.len()).map_err(|_| FrameError::Malformed)?;
		let leaves = Leaves {
			dataset,
			epoch,
			first,
			parts: count,
			mark,
			location,
		};
		match (1..=MAX_PARTS).contains(&count) && first.checked_add(count.into()).is_some() {
			true => Ok(Self {
				genesis,
				owner,
				list,
				leaves,
				parts,
			}),
			false => Err(FrameError::Malformed),
		}
	}

	/// Reads the frame's keys, as [`KeySet::to_bytes`] wrote them.
	///
	/// # Errors
	///
	/// Returns [`FrameError::Malformed`] if they are not those of this frame's leaves.
	pub fn keys(&self, bytes: &[u8]) -> Result<KeySet, FrameError> {
		let keys = KeySet::from_bytes(self.leaves.range()?, bytes);
		keys.map_err(|_| FrameError::Malformed)
	}

	/// Returns the key of the record that lists the parts.
	pub fn key(&self) -> RecordKey {
		self.list
	}

	/// Returns the leaf of the first part.
	pub fn first(&self) -> Leaf {
		self.leaves.first
	}

	/// Returns how many parts the frame may have.
	pub fn parts(&self) -> u16 {
		self.leaves.parts
	}

	/// Returns what the names of the frame's objects begin with, in hexadecimal digits.
	pub fn mark(&self) -> String {
		hex::encode(self.leaves.mark)
	}

	/// Returns the place of a part.
	fn place(&self, number: u16) -> Result<Place, FrameError> {
		let parts = self.leaves.parts;
		let key = self.parts.get(usize::from(number));
		let key = *key.ok_or(FrameError::NoSuchPart { number, parts })?;
		Ok(self.leaves.place(key, number))
	}

	/// Returns what the bytes of a record of the frame are bound to.
	fn context(&self, key: RecordKey) -> RecordContext {
		context_on(self.genesis, &self.owner, key)
	}

	/// Returns the place of the list.
	fn list_place(&self) -> Place {
		self.leaves.place(self.list, self.leaves.parts)
	}
}

impl Leaves {
	/// Returns the place at a part's leaf. The number after the last part's is that of the list.
	fn place(&self, key: RecordKey, number: u16) -> Place {
		Place {
			key,
			dataset: self.dataset,
			epoch: self.epoch,
			leaf: self.first.saturating_add(number.into()),
		}
	}

	/// Returns the leaves whose keys tasks get.
	fn range(&self) -> Result<Range, FrameError> {
		let first = u64::from(self.first);
		let range = Range::new(first, first + u64::from(self.parts));
		range.map_err(|_| FrameError::Malformed)
	}
}

impl Part {
	/// Returns the part for the program that commits the frame.
	pub fn to_bytes(&self) -> Vec<u8> {
		let fields = (self.number, &self.object, self.hash);
		[vec![VERSION], fields.encode()].concat()
	}

	/// Reads what [`to_bytes`](Self::to_bytes) wrote.
	///
	/// # Errors
	///
	/// Returns [`FrameError::Malformed`] for other bytes.
	pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrameError> {
		let Some((&VERSION, fields)) = bytes.split_first() else {
			return Err(FrameError::Malformed);
		};
		let read = <(u16, Object, [u8; 32])>::decode_all(&mut &fields[..]);
		let (number, object, hash) = read.map_err(|_| FrameError::Malformed)?;
		Ok(Self {
			number,
			object,
			hash,
		})
	}

	/// Returns the part's number.
	pub fn number(&self) -> u16 {
		self.number
	}
}

/// Makes a frame's mark: its first leaf, the number of its parts and random bytes, and what shows its owner that it is a
/// mark of this epoch.
fn mark_of(keys: &EpochKeys, first: Leaf, parts: u16, random: [u8; 4]) -> Mark {
	let mut said = [0; 32];
	said[..4].copy_from_slice(&first.to_be_bytes());
	said[4..6].copy_from_slice(&parts.to_be_bytes());
	said[6..SAID].copy_from_slice(&random);
	let shown = keys.file_key(&said, MARK_PATH);
	let mut mark = Mark::default();
	let (start, end) = mark.split_at_mut(SAID);
	start.copy_from_slice(&said[..SAID]);
	end.copy_from_slice(&shown[..end.len()]);
	mark
}

/// Reads a mark; `None` if it is not one of this epoch. Another program's 16 bytes are taken for one once in 2^48 times.
fn read_mark(keys: &EpochKeys, mark: &Mark) -> Option<(Leaf, u16)> {
	let [a, b, c, d, e, f, random @ ..] = *mark.first_chunk::<SAID>()?;
	let (first, parts) = (
		Leaf::from_be_bytes([a, b, c, d]),
		u16::from_be_bytes([e, f]),
	);
	(mark_of(keys, first, parts, random) == *mark).then_some((first, parts))
}

/// Returns what the key of a part's record is derived from, as that of a pack is from what is in it.
fn part_id(mark: &Mark, number: u16) -> [u8; 32] {
	let mut id = [0; 32];
	let (start, end) = id.split_at_mut(mark.len());
	start.copy_from_slice(mark);
	end[..2].copy_from_slice(&number.to_be_bytes());
	id
}

#[cfg(test)]
mod tests;
