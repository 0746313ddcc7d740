// SPDX-License-Identifier: Apache-2.0
//! Reads and writes the manifest of a large record. Such a record is stored in chunks, and its manifest lists
//! the hash of every chunk.
//!
//! The manifest is the last argument of `open_record`, so a block's body contains it, as it does a value.
//! However many chunks there are, the state keeps only the manifest's hash and the [Merkle
//! root](crate::merkle) over the chunks' hashes. A reader gets the manifest by its hash. It can then request
//! any chunk from any node by the chunk's hash, and check each chunk on its own.
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 2 | length of the header, *h*; big-endian |
//! | 3 | *h* | header: what a reader needs before the chunks. The chain does not interpret it |
//! | 3 + *h* | 32*n* | BLAKE2b-256 hash of each of the *n* chunks, in order |

use crate::merkle::{self, Hash};
use alloc::vec::Vec;

/// The first byte of every manifest: the version of this format.
pub const VERSION: u8 = 1;
/// The length of the part before the header: the version and the header's length.
pub const PREFIX_LEN: usize = 3;
/// The length of a chunk's hash.
pub const HASH_LEN: usize = 32;

/// Why bytes are not a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
	/// The first byte is not [`VERSION`], or there is none.
	#[error("the manifest's version is unknown")]
	UnknownVersion,
	/// The length does not match the header and the chunks' hashes.
	#[error("the manifest's length does not match its header and the hashes of the chunks")]
	WrongLength,
}

/// A parsed manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manifest<'a> {
	/// What a reader needs before the chunks. The chain does not interpret it.
	pub header: &'a [u8],
	/// The BLAKE2b-256 hash of each chunk, in order.
	pub hashes: &'a [Hash],
}

impl<'a> Manifest<'a> {
	/// Reads a manifest with any number of chunks.
	///
	/// # Errors
	///
	/// Returns [`ManifestError::UnknownVersion`] if the version is not [`VERSION`], and
	/// [`ManifestError::WrongLength`] if the bytes end within the header or within a hash.
	pub fn parse(bytes: &'a [u8]) -> Result<Self, ManifestError> {
		let (version, rest) = bytes.split_first().ok_or(ManifestError::UnknownVersion)?;
		if *version != VERSION {
			return Err(ManifestError::UnknownVersion);
		}
		let (length, rest) = rest
			.split_first_chunk::<{ PREFIX_LEN - 1 }>()
			.ok_or(ManifestError::WrongLength)?;
		let (header, hashes) = rest
			.split_at_checked(u16::from_be_bytes(*length).into())
			.ok_or(ManifestError::WrongLength)?;
		match hashes.as_chunks::<HASH_LEN>() {
			(hashes, []) => Ok(Self { header, hashes }),
			_ => Err(ManifestError::WrongLength),
		}
	}

	/// Reads the manifest of a record with `chunks` chunks.
	///
	/// # Errors
	///
	/// Returns the errors of [`parse`](Self::parse), and [`ManifestError::WrongLength`] if the number of
	/// hashes is not `chunks`.
	pub fn read(bytes: &'a [u8], chunks: u32) -> Result<Self, ManifestError> {
		let manifest = Self::parse(bytes)?;
		match u32::try_from(manifest.hashes.len()) {
			Ok(count) if count == chunks => Ok(manifest),
			_ => Err(ManifestError::WrongLength),
		}
	}

	/// Returns the hash of chunk `index`, if there is such a chunk.
	pub fn hash_of(&self, index: u32) -> Option<Hash> {
		self.hashes.get(usize::try_from(index).ok()?).copied()
	}

	/// Returns the Merkle root over the chunks' hashes.
	pub fn root(&self, sha256: impl Fn(&[u8]) -> Hash) -> Hash {
		merkle::root(&sha256, self.leaves(&sha256))
	}

	/// Returns the Merkle tree over the chunks' hashes, for proofs.
	pub fn tree(&self, sha256: impl Fn(&[u8]) -> Hash) -> merkle::Tree {
		merkle::Tree::new(&sha256, self.leaves(&sha256).collect())
	}

	fn leaves<'b>(&'b self, sha256: &'b impl Fn(&[u8]) -> Hash) -> impl Iterator<Item = Hash> + 'b {
		self.hashes
			.iter()
			.map(move |hash| merkle::leaf_hash(sha256, hash))
	}

	/// Writes the manifest.
	///
	/// # Errors
	///
	/// Returns [`ManifestError::WrongLength`] if the header has more than 65,535 bytes.
	pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
		let length = u16::try_from(self.header.len()).map_err(|_| ManifestError::WrongLength)?;
		let prefix = [&[VERSION][..], &length.to_be_bytes()].concat();
		Ok([&prefix, self.header, self.hashes.as_flattened()].concat())
	}
}

/// Checks that a chunk with this BLAKE2b-256 hash is chunk `index` of a record that has `chunks` chunks and
/// the Merkle root `root`.
///
/// # Errors
///
/// Returns the errors of [`merkle::verify`].
pub fn verify_chunk<'a>(
	sha256: impl Fn(&[u8]) -> Hash,
	root: &Hash,
	chunks: u32,
	index: u32,
	hash: &Hash,
	proof: impl IntoIterator<Item = &'a Hash>,
) -> Result<(), merkle::MerkleError> {
	let leaf = merkle::leaf_hash(&sha256, hash);
	merkle::verify(sha256, root, chunks.into(), index.into(), leaf, proof)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::test::{bytes, hash, list, number, sha256, vectors};
	use proptest::prelude::*;

	#[test]
	fn the_vectors_pass() {
		let vectors = vectors("primitives/sharing/vectors.json");
		let manifests = list(&vectors["manifests"]);
		assert!(!manifests.is_empty());
		for vector in manifests {
			let chunks = list(&vector["chunks"]);
			let count = chunks.len() as u32;
			let written = bytes(&vector["manifest"]);
			let manifest = Manifest::read(&written, count).expect("the vector is valid");
			assert_eq!(manifest.header, bytes(&vector["header"]));
			assert_eq!(manifest.to_bytes(), Ok(written.clone()));
			let (root, tree) = (manifest.root(sha256), manifest.tree(sha256));
			assert_eq!((root, tree.root()), (hash(&vector["root"]), root));
			for (index, chunk) in (0u32..).zip(chunks) {
				let content = hash(&chunk["hash"]);
				assert_eq!(manifest.hash_of(index), Some(content));
				let proof: Vec<Hash> = list(&chunk["proof"]).iter().map(hash).collect();
				assert_eq!(tree.proof(index as usize).as_ref(), Some(&proof));
				let verified = verify_chunk(sha256, &root, count, index, &content, &proof);
				assert_eq!(verified, Ok(()));
			}
			assert_eq!(manifest.hash_of(count), None);
		}
		let refused = list(&vectors["refusedManifests"]);
		assert!(!refused.is_empty());
		for vector in refused {
			let written = bytes(&vector["manifest"]);
			let error = Manifest::read(&written, number(&vector["chunks"]))
				.expect_err("the vector is invalid");
			let error = format!("{error:?}");
			assert_eq!(Some(&error[..]), vector["error"].as_str());
		}
	}

	#[test]
	fn the_longest_header_is_written_and_a_longer_one_is_not() {
		let header = vec![7; 1 + u16::MAX as usize];
		let manifest = |header| Manifest {
			header,
			hashes: &[[1; 32], [2; 32]],
		};
		let longest = manifest(&header[1..]);
		let written = longest.to_bytes().expect("it fits");
		assert_eq!(Manifest::read(&written, 2), Ok(longest));
		assert_eq!(
			manifest(&header).to_bytes(),
			Err(ManifestError::WrongLength)
		);
	}

	proptest! {
		#[test]
		fn a_manifest_is_read_as_it_was_written(
			header in prop::collection::vec(any::<u8>(), 0..200),
			hashes in prop::collection::vec(any::<Hash>(), 0..20),
			cut: prop::sample::Index,
		) {
			let manifest = Manifest { header: &header, hashes: &hashes };
			let written = manifest.to_bytes().unwrap();
			let chunks = hashes.len() as u32;
			prop_assert_eq!(Manifest::parse(&written), Ok(manifest));
			prop_assert_eq!(Manifest::read(&written, chunks), Ok(manifest));
			prop_assert!(Manifest::read(&written, chunks + 1).is_err());
			let cut = cut.index(written.len());
			prop_assert!(Manifest::read(&written[..cut], chunks).is_err());
		}

		/// Checks that no bytes make the reader panic, because a stranger may store any bytes as a manifest.
		/// If it accepts them, writing the manifest again yields the same bytes.
		#[test]
		fn any_bytes_are_read_or_rejected(
			mut bytes in prop::collection::vec(any::<u8>(), 0..200), known: bool,
		) {
			if let (true, Some(version)) = (known, bytes.first_mut()) {
				*version = VERSION;
			}
			if let (true, Some(high)) = (known, bytes.get_mut(1)) {
				*high = 0;
			}
			if let Ok(manifest) = Manifest::parse(&bytes) {
				prop_assert_eq!(manifest.to_bytes(), Ok(bytes.clone()));
			}
		}
	}
}
