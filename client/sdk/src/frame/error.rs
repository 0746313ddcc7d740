// SPDX-License-Identifier: Apache-2.0
//! Why a frame is not stored.

use super::exposed::Exposed;
use crate::{error::Error, types::BlockNumber};
use isthmus_objects::{Failure, LocationError, UploadError};
use isthmus_sharing::folder::FolderError;

/// Why a frame is not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
	/// The chain or the node refuses.
	#[error(transparent)]
	Client(#[from] Error),
	/// A frame cannot be planned for this number of parts.
	#[error(
		"a frame has 1 to {most} parts, not {got}: coalesce the data frame to fewer partitions"
	)]
	Parts {
		/// The most that it can have.
		most: u16,
		/// The number that was asked for.
		got: u16,
	},
	/// There is a part for which no leaf was planned.
	#[error("the frame was planned for {parts} parts, and this is part {number}, counted from 0: plan it for more parts, or coalesce the data frame")]
	NoSuchPart {
		/// The part's number.
		number: u16,
		/// How many parts were planned.
		parts: u16,
	},
	/// The frame, its keys or a part were made by another release, or are damaged.
	#[error("the frame is not one of this release: the programs that plan, store and commit it need the same release")]
	Malformed,
	/// The frame is not this account's, or is on another chain.
	#[error("the frame was planned by another account, or on another chain")]
	OtherOwner,
	/// The frame was given up, or is stored already, or was planned on another machine.
	#[error("no frame with this mark waits for its commit on this machine: it was given up, is stored already, or was planned elsewhere. Plan it again")]
	GivenUp,
	/// Records of other programs took leaves of the frame, and its tasks have the keys of those leaves.
	#[error("nothing was registered: other programs stored records at leaves that were planned for this frame, and the workers of this job could open them: {}. Store those records again in a new epoch if they must not", list(.0))]
	Exposed(Vec<Exposed>),
	/// The frame may still come onto the chain.
	#[error("nothing was deleted, because the frame may still come onto the chain{}", until.map_or_else(|| ": give it up again on the machine that planned it, or when the dataset has a new epoch".into(), |until| format!(": give it up again after block {until}")))]
	MayBeStored {
		/// The last block that may have it, if it is known.
		until: Option<BlockNumber>,
	},
	/// A node said that the frame is stored, and cannot prove it.
	#[error("the node said that the frame is stored, and its finalized state does not prove it: nothing was deleted. Abort the frame, which finds out, with another node")]
	NotProven,
	/// Two attempts at one part were to be committed.
	#[error("part {0} is there twice: one attempt of each part is committed")]
	Twice(u16),
	/// A part has no bytes.
	#[error("part {0} has no bytes: leave it out")]
	Empty(u16),
	/// A part is not encrypted with the key of its leaf, or has another frame's mark.
	#[error("part {0} is not encrypted with the frame's key of this part: nothing was registered")]
	WrongKey(u16),
	/// A part is not in the store, or not whole.
	#[error("part {number} at {url}: {failure}. Nothing was registered")]
	NotThere {
		/// The part's number.
		number: u16,
		/// The location.
		url: String,
		/// What is wrong there.
		failure: Failure,
	},
	/// The list of the parts cannot be written.
	#[error(transparent)]
	List(#[from] FolderError),
	/// The location cannot be used on this machine.
	#[error(transparent)]
	Location(#[from] LocationError),
}

impl From<UploadError> for FrameError {
	fn from(error: UploadError) -> Self {
		Self::Client(error.into())
	}
}

/// Names records.
fn list(exposed: &[Exposed]) -> String {
	let named: Vec<String> = exposed.iter().map(Exposed::to_string).collect();
	named.join(", ")
}

/// Returns the error of a store.
pub(super) fn at(url: &str, failure: Failure) -> Error {
	let url = url.to_owned();
	UploadError::Store { url, failure }.into()
}
