// SPDX-License-Identifier: Apache-2.0
//! A value's bytes on their way to the chain: how long they may be, and how they are cut and encrypted.

use crate::{
	error::{Error, UploadError},
	manifest::{content_hash, Manifest},
	progress::{Progress, Stage},
};
use isthmus_envelope::{
	record::MAX_CHUNK_SIZE, Encryptor, LeafKey, RecordContext, RecordError, Resumed,
};
use isthmus_sharing::terms::MAX_CHUNKS;
use std::io::{Read, Seek, SeekFrom};

/// The maximum length in bytes of a value that is stored in one transaction. Longer values are stored in
/// chunks.
pub const MAX_WHOLE: u64 = MAX_CHUNK_SIZE as u64;
/// How many plaintext bytes a chunk contains. Six such chunks, with their proofs and signatures, fill a
/// block.
pub const CHUNK_SIZE: u32 = 1022 * 1024;
/// The length in bytes of the longest value that a record can hold: the protocol's maximum number of chunks,
/// all of them full.
pub const MAX_LENGTH: u64 = CHUNK_SIZE as u64 * MAX_CHUNKS as u64;

/// A large value, encrypted chunk by chunk.
pub(super) struct Chunks<'s, Source> {
	source: &'s mut Source,
	first: First<'s>,
	/// Encrypts the value once more, to be sent.
	again: Resumed,
	/// The value's length in bytes.
	pub(super) length: u64,
	/// The latest chunk.
	chunk: Vec<u8>,
}

/// How the value is encrypted the first time, to name its chunks.
enum First<'s> {
	/// Under a new salt.
	Fresh(Box<Encryptor>),
	/// As an earlier upload did, which stored part of it.
	Known(&'s Manifest),
}

impl<'s, Source: Read + Seek> Chunks<'s, Source> {
	/// Prepares to encrypt a value with a name, if it is given one, in chunks, to the same bytes as before if its upload has already started:
	/// then the chain has its manifest.
	///
	/// # Errors
	///
	/// Returns [`UploadError::LengthChanged`] if the manifest is of another length, and
	/// [`UploadError::TooLong`].
	pub(super) fn new(
		leaf: &LeafKey,
		context: &RecordContext,
		name: Option<&[u8; 32]>,
		(source, length): (&'s mut Source, u64),
		started: Option<&'s Manifest>,
	) -> Result<Self, Error> {
		let (first, header) = match started {
			Some(manifest) => {
				let expected = manifest.header.length();
				if expected != length {
					return Err(UploadError::LengthChanged { expected }.into());
				}
				(First::Known(manifest), manifest.header.clone())
			}
			None => {
				check_length(length)?;
				let encryptor = match name {
					Some(name) => Encryptor::named(leaf, context, name, CHUNK_SIZE, length)?,
					None => Encryptor::new(leaf, context, CHUNK_SIZE, length)?,
				};
				let header = encryptor.header().clone();
				(First::Fresh(encryptor.into()), header)
			}
		};
		Ok(Self {
			source,
			first,
			again: Resumed::new(leaf, context, header)?,
			length,
			chunk: Vec::new(),
		})
	}

	/// Moves to a chunk.
	pub(super) fn seek(&mut self, chunk: u32) -> Result<(), Error> {
		let size = u64::from(self.again.header().chunk_size());
		self.source
			.seek(SeekFrom::Start(u64::from(chunk).saturating_mul(size)))?;
		Ok(self.again.seek(chunk)?)
	}

	/// Reads the next chunk and encrypts it again.
	///
	/// # Errors
	///
	/// Returns [`UploadError::ValueChanged`] if the manifest has another one.
	pub(super) fn next(&mut self, manifest: &Manifest) -> Result<&[u8], Error> {
		self.read(self.again.next_len())?;
		let is_known = |number: u32, chunk: &[u8]| {
			manifest.hashes.get(number as usize) == Some(&content_hash(chunk))
		};
		let again = self.again.encrypt_chunk(&mut self.chunk, is_known);
		again.map_err(|error| match error {
			RecordError::Changed { chunk } => Error::from(UploadError::ValueChanged { chunk }),
			error => error.into(),
		})?;
		Ok(&self.chunk)
	}

	/// Reads a chunk of this length.
	fn read(&mut self, length: Option<usize>) -> Result<(), Error> {
		self.chunk.resize(length.unwrap_or_default(), 0);
		let read = self.source.read_exact(&mut self.chunk);
		read.map_err(|error| match error.kind() {
			std::io::ErrorKind::UnexpectedEof => self.length_changed(),
			_ => error.into(),
		})
	}

	fn length_changed(&self) -> Error {
		let expected = self.length;
		match self.first {
			First::Known(_) => UploadError::LengthChanged { expected }.into(),
			First::Fresh(_) => UploadError::ChangedWhileRead { expected }.into(),
		}
	}

	/// Computes the manifest. If an earlier upload has stored it, compares the chunks with it.
	pub(super) async fn manifest(
		&mut self,
		progress: &mut impl Progress,
	) -> Result<Manifest, Error> {
		let header = self.again.header().clone();
		let mut hashes = Vec::new();
		self.source.seek(SeekFrom::Start(0))?;
		for chunk in 0..header.chunks() {
			hashes.push(self.name_next(chunk)?);
			let done = plaintext(chunk + 1, header.chunk_size(), self.length);
			progress.at(Stage::Naming, done, self.length);
			tokio::task::yield_now().await;
		}
		Ok(Manifest { header, hashes })
	}

	/// Reads and encrypts the next chunk for the first time, and returns its hash.
	fn name_next(&mut self, chunk: u32) -> Result<[u8; 32], Error> {
		if let First::Known(known) = self.first {
			return Ok(content_hash(self.next(known)?));
		}
		self.read(self.again.header().chunk_len(chunk).ok())?;
		if let First::Fresh(encryptor) = &mut self.first {
			encryptor.encrypt_chunk(&mut self.chunk)?;
		}
		Ok(content_hash(&self.chunk))
	}
}

/// Checks that a value fits into a record.
fn check_length(length: u64) -> Result<(), UploadError> {
	match length <= MAX_LENGTH {
		true => Ok(()),
		false => Err(UploadError::TooLong {
			maximum: MAX_LENGTH,
		}),
	}
}

/// Returns the plaintext bytes of the first `chunks` chunks.
pub(super) fn plaintext(chunks: u32, chunk_size: u32, length: u64) -> u64 {
	u64::from(chunks)
		.saturating_mul(chunk_size.into())
		.min(length)
}

/// Reads a value of exactly `length` bytes.
pub(crate) fn read_whole(source: &mut impl Read, length: u64) -> Result<Vec<u8>, Error> {
	let mut value = Vec::new();
	source
		.take(length.saturating_add(1))
		.read_to_end(&mut value)?;
	match value.len() as u64 == length {
		true => Ok(value),
		false => Err(UploadError::ChangedWhileRead { expected: length }.into()),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_value_longer_than_a_record_is_rejected_before_it_is_encrypted() {
		let chunks = |length: u64| length.div_ceil(CHUNK_SIZE.into());
		assert_eq!(chunks(MAX_LENGTH), u64::from(MAX_CHUNKS));
		assert_eq!(check_length(MAX_LENGTH), Ok(()));
		for length in [MAX_LENGTH + 1, u64::MAX] {
			let refused = check_length(length).unwrap_err();
			assert_eq!(
				refused.to_string(),
				format!("the value is too long: a record has at most {MAX_LENGTH} bytes")
			);
		}
	}
}
