// SPDX-License-Identifier: Apache-2.0
//! Describes where a record's bytes are, and computes how many chunks they make and how long each chunk is.

use crate::{ids::H256, object::Object};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Where a record's bytes are: in block bodies, or in stores outside the chain. They are never in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub enum Payload<BlockNumber> {
	/// The record is one value: the last argument of a `store` extrinsic in a block's body.
	#[codec(index = 0)]
	Value {
		/// The BLAKE2b-256 hash of the value. Any node serves the value by this hash.
		content_hash: H256,
		/// The value's length, in bytes.
		length: u32,
		/// The block whose body contains it.
		block: BlockNumber,
		/// The index of its extrinsic in that block.
		extrinsic: u32,
	},
	/// The record is a large value in chunks, each the last argument of a `store_chunk` extrinsic.
	#[codec(index = 1)]
	Chunks {
		/// The BLAKE2b-256 hash of the manifest. Any node serves the manifest by this hash. It contains the
		/// hash of every chunk; see [`manifest`](crate::manifest).
		manifest: H256,
		/// The Merkle root over the chunks' hashes; see [`merkle`](crate::merkle).
		root: H256,
		/// The total length of all chunks, in bytes.
		length: u64,
		/// The length of each chunk except the last, in bytes.
		chunk_size: u32,
		/// How many chunks are stored. They arrive in order, without gaps, so this is also the index of the
		/// next chunk.
		arrived: u32,
		/// The block whose body contains the manifest. No chunk is in an earlier block.
		block: BlockNumber,
		/// The index of the manifest's extrinsic in that block.
		extrinsic: u32,
		/// The block whose body contains the latest chunk, or the manifest if no chunk has arrived yet. No
		/// chunk is in a later block.
		last_block: BlockNumber,
	},
	/// The record is an object: its bytes are in stores outside the chain, of which the dataset's owner publishes the
	/// [locations](crate::location).
	#[codec(index = 2)]
	Object {
		/// The record's header, and the object's length and hash.
		object: Object,
		/// The block in which the owner stored this entry.
		block: BlockNumber,
		/// The object's place in the list of the dataset's objects, counted from 0. When another object is removed, the
		/// last one of the list takes its place.
		ordinal: u32,
	},
}

impl<BlockNumber> Payload<BlockNumber> {
	/// Returns how many chunks the record has when it is complete: 1 for a value.
	pub fn chunks(&self) -> u32 {
		match self {
			Payload::Value { .. } => 1,
			Payload::Chunks {
				length, chunk_size, ..
			} => chunk_count(*length, *chunk_size).unwrap_or(u32::MAX),
			Payload::Object { object, .. } => object.chunks(),
		}
	}

	/// Returns how many of its chunks are stored. An object's entry is stored when the object is complete.
	pub fn arrived(&self) -> u32 {
		match self {
			Payload::Value { .. } => 1,
			Payload::Chunks { arrived, .. } => *arrived,
			Payload::Object { object, .. } => object.chunks(),
		}
	}

	/// Returns whether the whole record is stored.
	pub fn is_complete(&self) -> bool {
		self.arrived() >= self.chunks()
	}

	/// Returns the record's length when it is complete, in bytes of ciphertext.
	pub fn length(&self) -> u64 {
		match self {
			Payload::Value { length, .. } => (*length).into(),
			Payload::Chunks { length, .. } => *length,
			Payload::Object { object, .. } => object.length,
		}
	}
}

impl<BlockNumber: Copy> Payload<BlockNumber> {
	/// Returns the first and the last block that contain its bytes or, for an object, its entry.
	pub fn blocks(&self) -> (BlockNumber, BlockNumber) {
		match self {
			Payload::Value { block, .. } | Payload::Object { block, .. } => (*block, *block),
			Payload::Chunks {
				block, last_block, ..
			} => (*block, *last_block),
		}
	}
}

/// Returns how many chunks of `chunk_size` bytes make `length` bytes; the last may be shorter. Returns
/// `None` if `chunk_size` is 0 or the count does not fit in a `u32`.
///
/// `count = ⌈length / chunk_size⌉`
pub fn chunk_count(length: u64, chunk_size: u32) -> Option<u32> {
	if chunk_size == 0 {
		return None;
	}
	u32::try_from(length.div_ceil(chunk_size.into())).ok()
}

/// Returns the length of chunk `index` of a record of `length` bytes.
///
/// `min(chunk_size, length - index · chunk_size)`
pub fn chunk_length(length: u64, chunk_size: u32, index: u32) -> u64 {
	let before = u64::from(index).saturating_mul(chunk_size.into());
	length.saturating_sub(before).min(chunk_size.into())
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn chunks(length: u64, chunk_size: u32, arrived: u32) -> Payload<u32> {
		Payload::Chunks {
			manifest: H256::zero(),
			root: H256::zero(),
			length,
			chunk_size,
			arrived,
			block: 5,
			extrinsic: 1,
			last_block: 9,
		}
	}

	#[test]
	fn a_value_is_one_chunk_and_complete() {
		let value = Payload::Value {
			content_hash: H256::zero(),
			length: 7,
			block: 5u32,
			extrinsic: 1,
		};
		assert_eq!((value.chunks(), value.arrived(), value.length()), (1, 1, 7));
		assert!(value.is_complete());
		assert_eq!(value.blocks(), (5, 5));
	}

	#[test]
	fn a_large_record_is_complete_with_its_last_chunk() {
		assert_eq!(chunks(11, 4, 0).chunks(), 3);
		assert!(!chunks(11, 4, 2).is_complete());
		assert!(chunks(11, 4, 3).is_complete());
		assert_eq!(chunks(11, 4, 3).blocks(), (5, 9));
		// With a chunk size of 0, a record is never complete.
		assert!(!chunks(11, 0, 3).is_complete());
	}

	#[test]
	fn an_object_is_complete_when_it_is_stored() {
		let object = Object {
			header: [0; crate::object::HEADER_SIZE],
			length: (3 << 20) - 5,
			root: H256::zero(),
		};
		let payload = Payload::Object {
			object,
			block: 5u32,
			ordinal: 0,
		};
		assert_eq!((payload.chunks(), payload.arrived()), (3, 3));
		assert_eq!(payload.length(), (3 << 20) - 5);
		assert!(payload.is_complete());
		assert_eq!(payload.blocks(), (5, 5));
	}

	proptest! {
		#[test]
		fn the_chunks_lengths_add_up(length in 1..100_000u64, chunk_size in 1..5_000u32) {
			let count = chunk_count(length, chunk_size).unwrap();
			let lengths: Vec<u64> =
				(0..count).map(|index| chunk_length(length, chunk_size, index)).collect();
			prop_assert_eq!(lengths.iter().sum::<u64>(), length);
			prop_assert!(lengths.iter().all(|length| *length > 0));
			prop_assert_eq!(chunk_length(length, chunk_size, count), 0);
		}
	}
}
