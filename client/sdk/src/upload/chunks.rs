// SPDX-License-Identifier: Apache-2.0
//! A value's bytes on their way to the chain: how long they may be, and how they are cut and encrypted.

use crate::{
	error::{Error, UploadError},
	manifest::{content_hash, Manifest},
	progress::{Progress, Stage},
};
use isthmus_envelope::{record::MAX_CHUNK_SIZE, Encryptor, LeafKey, RecordContext};
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
	encryptor: Encryptor,
	/// The value's length in bytes.
	pub(super) length: u64,
	/// Whether an earlier upload stored part of it.
	resumed: bool,
	/// The latest chunk.
	chunk: Vec<u8>,
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
		started: Option<&Manifest>,
	) -> Result<Self, Error> {
		let encryptor = match started {
			Some(manifest) => {
				let expected = manifest.header.length();
				if expected != length {
					return Err(UploadError::LengthChanged { expected }.into());
				}
				Encryptor::resume(leaf, context, manifest.header.clone())?
			}
			None => {
				check_length(length)?;
				match name {
					Some(name) => Encryptor::named(leaf, context, name, CHUNK_SIZE, length)?,
					None => Encryptor::new(leaf, context, CHUNK_SIZE, length)?,
				}
			}
		};
		Ok(Self {
			source,
			encryptor,
			length,
			resumed: started.is_some(),
			chunk: Vec::new(),
		})
	}

	/// Moves to a chunk.
	pub(super) fn seek(&mut self, chunk: u32) -> Result<(), Error> {
		let size = u64::from(self.encryptor.header().chunk_size());
		self.source
			.seek(SeekFrom::Start(u64::from(chunk).saturating_mul(size)))?;
		Ok(self.encryptor.skip_to(chunk)?)
	}

	/// Reads and encrypts the next chunk.
	pub(super) fn next(&mut self) -> Result<&[u8], Error> {
		let length = self.encryptor.next_len().unwrap_or_default();
		self.chunk.resize(length, 0);
		self.source
			.read_exact(&mut self.chunk)
			.map_err(|error| match error.kind() {
				std::io::ErrorKind::UnexpectedEof => self.length_changed(),
				_ => error.into(),
			})?;
		self.encryptor.encrypt_chunk(&mut self.chunk)?;
		Ok(&self.chunk)
	}

	fn length_changed(&self) -> Error {
		let expected = self.length;
		match self.resumed {
			true => UploadError::LengthChanged { expected }.into(),
			false => UploadError::ChangedWhileRead { expected }.into(),
		}
	}

	/// Computes the manifest. Compares the chunks with those of `known`, if given.
	pub(super) async fn manifest(
		&mut self,
		known: Option<&Manifest>,
		progress: &mut impl Progress,
	) -> Result<Manifest, Error> {
		let header = self.encryptor.header().clone();
		let mut hashes = Vec::new();
		self.source.seek(SeekFrom::Start(0))?;
		for chunk in 0..header.chunks() {
			let hash = content_hash(self.next()?);
			if known.is_some_and(|known| known.hashes.get(chunk as usize) != Some(&hash)) {
				return Err(UploadError::ValueChanged { chunk }.into());
			}
			hashes.push(hash);
			let done = plaintext(chunk + 1, header.chunk_size(), self.length);
			progress.at(Stage::Naming, done, self.length);
			tokio::task::yield_now().await;
		}
		Ok(Manifest { header, hashes })
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
