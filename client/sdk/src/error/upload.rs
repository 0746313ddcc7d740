// SPDX-License-Identifier: Apache-2.0
//! Why a value cannot be stored.

use crate::{
	text::key_name,
	types::{DatasetId, Epoch, Place, RecordKey},
};

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
	/// The leaf is taken, or [planned](crate::frame) for a frame whose tasks have its key. Nothing was sent.
	#[error("leaf {} of dataset {}, epoch {}, is taken, or planned for a data frame", .0.leaf, .0.dataset, .0.epoch)]
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
	/// The record is the list of a [frame](crate::frame) that was given up meanwhile. Nothing was sent.
	#[error("the data frame was given up meanwhile: plan it again")]
	FrameEnded,
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
