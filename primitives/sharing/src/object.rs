// SPDX-License-Identifier: Apache-2.0
//! Defines objects: records whose bytes are in stores outside the chain.
//!
//! An object consists of the record's encrypted chunks, one after the other, each of [`CHUNK_SIZE`] bytes
//! except the last. The chain keeps the record's header, the object's length and its BLAKE3 hash, which is the
//! root of a tree over the bytes. So the entry has the same size whatever the object has, and each part of the object can
//! be proved alone, by anyone who has it.
//!
//! Where the bytes are is up to the dataset's owner: see [`location`](crate::location).

use crate::ids::H256;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The length of each encrypted chunk of an object except the last, in bytes: 1 MiB.
pub const CHUNK_SIZE: u32 = 1 << 20;
/// The length of the tag at the end of each encrypted chunk, in bytes.
pub const TAG_SIZE: u32 = 16;
/// The maximum number of chunks in an object, which is that of the record format.
pub const MAX_CHUNKS: u32 = 1 << 20;
/// The maximum length of an object, in bytes: 1 TiB, with the chunks' tags.
pub const MAX_LENGTH: u64 = CHUNK_SIZE as u64 * MAX_CHUNKS as u64;
/// The length of a record's header, in bytes.
pub const HEADER_SIZE: usize = 77;

/// Why a length is not one that an object can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
	/// The length is more than [`MAX_LENGTH`].
	#[error("an object has at most {MAX_LENGTH} bytes, but this one has {length}")]
	TooLong {
		/// The given length, in bytes.
		length: u64,
	},
	/// The last chunk would have no room for its tag, or nothing but its tag although others precede it.
	#[error(
		"no object has {length} bytes: chunks of {CHUNK_SIZE} bytes would leave a last one of {last}"
	)]
	LastChunk {
		/// The given length, in bytes.
		length: u64,
		/// The length that is left for the last chunk, in bytes.
		last: u64,
	},
}

/// An object, as its record names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Object {
	/// The record's header, which a reader needs before the chunks. The chain does not interpret it.
	pub header: [u8; HEADER_SIZE],
	/// The object's length, in bytes: all encrypted chunks, without the header.
	pub length: u64,
	/// The BLAKE3 hash of the object, which is the root of its tree.
	pub root: H256,
}

impl Object {
	/// Checks that an object can have this length.
	///
	/// # Errors
	///
	/// Returns the errors of [`plain_length`].
	pub fn check(&self) -> Result<(), ObjectError> {
		plain_length(self.length).map(drop)
	}

	/// Returns the number of the object's chunks.
	pub fn chunks(&self) -> u32 {
		chunks(self.length)
	}
}

/// Returns the number of chunks of an object of this length.
///
/// `⌈length / 2^20⌉`, and `u32::MAX` if that does not fit.
pub fn chunks(length: u64) -> u32 {
	u32::try_from(length.div_ceil(CHUNK_SIZE.into())).unwrap_or(u32::MAX)
}

/// Returns the length of the plaintext of an object of this length, in bytes. An empty plaintext is one chunk
/// that consists of its tag.
///
/// `length - 16 · ⌈length / 2^20⌉`
///
/// # Errors
///
/// Returns [`ObjectError::TooLong`] if the length is more than [`MAX_LENGTH`], and [`ObjectError::LastChunk`]
/// if its last chunk would have less than a tag, or a tag alone after other chunks.
pub fn plain_length(length: u64) -> Result<u64, ObjectError> {
	if length > MAX_LENGTH {
		return Err(ObjectError::TooLong { length });
	}
	let last = length % u64::from(CHUNK_SIZE);
	let tag = u64::from(TAG_SIZE);
	let fits = match length {
		0 => false,
		_ if last == 0 => true,
		_ if last == length => last >= tag,
		_ => last > tag,
	};
	if !fits {
		return Err(ObjectError::LastChunk { length, last });
	}
	// A length that fits has room for the tag of each of its chunks.
	Ok(length.saturating_sub(tag * u64::from(chunks(length))))
}

/// Returns the length of the object of a plaintext of this length, in bytes.
///
/// `plain + 16 · max(1, ⌈plain / (2^20 - 16)⌉)`
///
/// # Errors
///
/// Returns [`ObjectError::TooLong`] if that is more than [`MAX_LENGTH`].
pub fn object_length(plain: u64) -> Result<u64, ObjectError> {
	let chunks = plain.div_ceil(u64::from(CHUNK_SIZE - TAG_SIZE)).max(1);
	let length = plain.saturating_add(chunks.saturating_mul(TAG_SIZE.into()));
	if length > MAX_LENGTH {
		return Err(ObjectError::TooLong { length });
	}
	Ok(length)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	const MIB: u64 = 1 << 20;

	#[test]
	fn an_object_has_room_for_each_chunks_tag() {
		for (length, plain) in [
			(16, 0),
			(17, 1),
			(MIB - 1, MIB - 17),
			(MIB, MIB - 16),
			(MIB + 17, MIB - 15),
			(2 * MIB, 2 * MIB - 32),
			(MAX_LENGTH, MAX_LENGTH - 16 * MIB),
		] {
			assert_eq!(plain_length(length), Ok(plain), "{length}");
			assert_eq!(object_length(plain), Ok(length), "{plain}");
		}
		for (length, last) in [(0, 0), (15, 15), (MIB + 1, 1), (MIB + 16, 16)] {
			let error = ObjectError::LastChunk { length, last };
			assert_eq!(plain_length(length), Err(error));
		}
		let length = MAX_LENGTH + 1;
		assert_eq!(plain_length(length), Err(ObjectError::TooLong { length }));
		let length = MAX_LENGTH + 17;
		let longest = MAX_LENGTH - 16 * MIB;
		assert_eq!(
			object_length(longest + 1),
			Err(ObjectError::TooLong { length })
		);
		assert!(object_length(u64::MAX).is_err());
	}

	#[test]
	fn an_object_has_a_fixed_size() {
		let object = Object {
			header: [7; HEADER_SIZE],
			length: MAX_LENGTH,
			root: H256::repeat_byte(9),
		};
		let bytes = object.encode();
		assert_eq!(bytes.len(), HEADER_SIZE + 8 + 32);
		assert_eq!(Object::decode(&mut &bytes[..]), Ok(object.clone()));
		assert_eq!((object.check(), object.chunks()), (Ok(()), MAX_CHUNKS));
	}

	proptest! {
		#[test]
		fn lengths_are_those_of_plaintexts(plain in 0..MAX_LENGTH - 16 * MIB) {
			let length = object_length(plain).unwrap();
			prop_assert_eq!(plain_length(length), Ok(plain));
			// Each length that is no plaintext's is refused.
			if let Ok(shorter) = plain_length(length - 1) {
				prop_assert_eq!(object_length(shorter), Ok(length - 1));
			}
		}
	}
}
