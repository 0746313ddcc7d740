// SPDX-License-Identifier: Apache-2.0
//! A large record's manifest: the record's header and the hash of every chunk. The chain checks only its
//! [layout](isthmus_sharing::manifest); a client also checks the contents of the header.

use isthmus_envelope::{record::TAG_LEN, Header, RecordError};
use isthmus_sharing::{
	merkle::{Hash, Tree},
	ManifestError,
};
use ring::digest::{digest, SHA256};
use subxt::config::{substrate::BlakeTwo256, Hasher};

/// Returns the hash under which nodes serve bytes: BLAKE2b-256.
pub(crate) fn content_hash(bytes: &[u8]) -> Hash {
	BlakeTwo256.hash(bytes).0
}

/// Returns the hash of which the Merkle trees are made.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
	let mut hash = Hash::default();
	hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
	hash
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
	pub(crate) header: Header,
	/// The hash of every encrypted chunk.
	pub(crate) hashes: Vec<Hash>,
}

impl Manifest {
	/// Returns the manifest as the chain stores it.
	pub(crate) fn to_bytes(&self) -> Vec<u8> {
		let header = self.header.to_bytes();
		self.layout(&header)
			.to_bytes()
			.expect("a record's header has at most 125 bytes, as the layout wants; qed")
	}

	/// Reads a manifest.
	///
	/// # Errors
	///
	/// Returns a sentence that explains what is wrong with it.
	pub(crate) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
		let layout = isthmus_sharing::Manifest::parse(bytes).map_err(|error| match error {
			ManifestError::UnknownVersion => "its manifest has an unknown version",
			ManifestError::WrongLength => "its manifest is cut short",
		})?;
		const NO_RECORD: &str = "the header in its manifest is not that of an encrypted record";
		let header = Header::read(layout.header).map_err(|error| match error {
			RecordError::HeaderCutShort { .. } => NO_RECORD,
			_ => "the header in its manifest is malformed",
		})?;
		if header.encoded_len() != layout.header.len() {
			return Err(NO_RECORD);
		}
		if layout.hashes.len() != header.chunks() as usize {
			return Err("its manifest does not name all chunks");
		}
		Ok(Self {
			header,
			hashes: layout.hashes.to_vec(),
		})
	}

	/// Returns the tree over the chunks' hashes, for proofs.
	pub(crate) fn tree(&self) -> Tree {
		self.layout(&[]).tree(sha256)
	}

	fn layout<'a>(&'a self, header: &'a [u8]) -> isthmus_sharing::Manifest<'a> {
		isthmus_sharing::Manifest {
			header,
			hashes: &self.hashes,
		}
	}

	/// Returns the total length of all encrypted chunks, in bytes.
	pub(crate) fn length(&self) -> u64 {
		self.header.record_len() - self.header.encoded_len() as u64
	}

	/// Returns the length of each encrypted chunk except the last, in bytes.
	pub(crate) fn chunk_size(&self) -> u32 {
		self.header.chunk_size() + TAG_LEN as u32
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::example::{leaf_key, RECORD};
	use isthmus_envelope::Encryptor;

	fn manifest(name: Option<&[u8; 32]>) -> Manifest {
		let leaf = leaf_key(0);
		let encryptor = match name {
			Some(name) => Encryptor::named(&leaf, &RECORD, name, 16, 40),
			None => Encryptor::new(&leaf, &RECORD, 16, 40),
		};
		Manifest {
			header: encryptor.unwrap().header().clone(),
			hashes: vec![[5; 32], [6; 32], [7; 32]],
		}
	}

	#[test]
	fn a_manifest_is_read_as_it_was_written() {
		for name in [None, Some(&[8; 32])] {
			let manifest = manifest(name);
			assert_eq!(Manifest::read(&manifest.to_bytes()), Ok(manifest.clone()));
			assert_eq!(
				(manifest.length(), manifest.chunk_size()),
				(40 + 3 * 16, 32)
			);
		}
	}

	#[test]
	fn what_is_not_a_manifest_is_rejected() {
		let bytes = manifest(None).to_bytes();
		let with = |at: usize, byte: u8| {
			let mut bytes = bytes.clone();
			bytes[at] = byte;
			Manifest::read(&bytes).unwrap_err()
		};
		assert_eq!(
			Manifest::read(&[1, 0]).unwrap_err(),
			"its manifest is cut short"
		);
		assert_eq!(with(0, 2), "its manifest has an unknown version");
		assert_eq!(
			with(2, 77 - 32),
			"the header in its manifest is not that of an encrypted record"
		);
		// A header with a name and two chunks is as long as one without a name and three and a half.
		let mut named = manifest(Some(&[8; 32])).to_bytes();
		named[2] -= 16;
		assert!(Manifest::read(&named).is_err());
		assert_eq!(with(2, 76), "its manifest is cut short");
		assert_eq!(with(3, 9), "the header in its manifest is malformed");
		let short = &bytes[..bytes.len() - 32];
		assert_eq!(
			Manifest::read(short).unwrap_err(),
			"its manifest does not name all chunks"
		);
		let torn = &bytes[..bytes.len() - 1];
		assert_eq!(
			Manifest::read(torn).unwrap_err(),
			"its manifest is cut short"
		);
	}
}
