// SPDX-License-Identifier: Apache-2.0
//! What identifies an object: its header and its root, which the chain has.

use crate::tree::Root;
use isthmus_envelope::{object::SEALED_CHUNK, ObjectHeader, RecordError};

/// Why what the chain has is not an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
	/// The header is wrong.
	#[error(transparent)]
	Header(#[from] RecordError),
	/// The length does not belong to the header.
	#[error("an object with this header has {expected} bytes, not {got}")]
	Length {
		/// The length in bytes by the header.
		expected: u64,
		/// The given length in bytes.
		got: u64,
	},
}

/// An object as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
	header: ObjectHeader,
	root: Root,
}

impl Object {
	/// Makes an object of what the chain has: its header, its length in bytes and its root.
	///
	/// # Errors
	///
	/// Returns an error if the header is wrong, or the length does not belong to it.
	pub fn new(
		header: &[u8; ObjectHeader::LEN],
		length: u64,
		root: Root,
	) -> Result<Self, ObjectError> {
		let object = Self::with_header(ObjectHeader::read(header)?, root);
		match object.length() {
			expected if expected == length => Ok(object),
			expected => Err(ObjectError::Length {
				expected,
				got: length,
			}),
		}
	}

	pub(crate) fn with_header(header: ObjectHeader, root: Root) -> Self {
		Self { header, root }
	}

	/// Returns the header.
	pub fn header(&self) -> &ObjectHeader {
		&self.header
	}

	/// Returns the length of the object in bytes. It is encrypted: the value is shorter.
	pub fn length(&self) -> u64 {
		self.header.object_len()
	}

	/// Returns the BLAKE3 hash of the object.
	pub fn root(&self) -> &Root {
		&self.root
	}

	/// Returns the number of chunks.
	pub fn chunks(&self) -> u32 {
		self.header.chunks()
	}

	/// Returns the object's name in every location: the hexadecimal digits of the header's salt. An upload in one pass
	/// knows it from the beginning, and the root only at the end.
	pub fn name(&self) -> String {
		name(&self.header)
	}

	/// Returns the length of an encrypted chunk in bytes.
	pub(crate) fn chunk_len(&self, chunk: u32) -> usize {
		let rest = self.length().saturating_sub(offset(chunk));
		rest.min(SEALED_CHUNK as u64) as usize
	}
}

/// Returns the name of the object with this header.
pub(crate) fn name(header: &ObjectHeader) -> String {
	hex::encode(header.salt())
}

/// Returns where a chunk begins in the object.
pub(crate) fn offset(chunk: u32) -> u64 {
	u64::from(chunk) * SEALED_CHUNK as u64
}
