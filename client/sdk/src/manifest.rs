//! The manifest of a large record: the envelope's header, and the name of every chunk. The layout is in
//! `docs/formats.md`; the chain checks it where it is stored.

use isthmus_envelope::{merkle, record::TAG_LEN, Header};
use subxt::config::{substrate::BlakeTwo256, Hasher};

/// The first byte: this format.
const VERSION: u8 = 1;
/// Bytes before the header: the version, and the header's length.
const PREFIX: usize = 3;
/// Bytes of a hash.
const HASH: usize = 32;

/// The name under which nodes serve bytes: BLAKE2b-256 of them.
pub(crate) fn content_hash(bytes: &[u8]) -> [u8; HASH] {
	BlakeTwo256.hash(bytes).0
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
	pub(crate) header: Header,
	/// The name of every chunk, encrypted.
	pub(crate) hashes: Vec<[u8; HASH]>,
}

impl Manifest {
	pub(crate) fn to_bytes(&self) -> Vec<u8> {
		let mut bytes = vec![VERSION];
		bytes.extend((Header::LEN as u16).to_be_bytes());
		bytes.extend(self.header.to_bytes());
		bytes.extend(self.hashes.as_flattened());
		bytes
	}

	/// Reads a manifest; says what is wrong with it if it is none.
	pub(crate) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
		let (prefix, rest) = bytes
			.split_first_chunk::<PREFIX>()
			.ok_or("its manifest is cut short")?;
		let [version, high, low] = *prefix;
		if version != VERSION {
			return Err("its manifest is of a version that is not known here");
		}
		if usize::from(u16::from_be_bytes([high, low])) != Header::LEN {
			return Err("the header in its manifest is not one of an encrypted record");
		}
		let header = Header::read(rest).map_err(|_| "the header in its manifest is none")?;
		let (hashes, []) = rest
			.get(Header::LEN..)
			.unwrap_or_default()
			.as_chunks::<HASH>()
		else {
			return Err("its manifest ends within a chunk's name");
		};
		if hashes.len() != header.chunks() as usize {
			return Err("its manifest does not name all chunks");
		}
		Ok(Self {
			header,
			hashes: hashes.to_vec(),
		})
	}

	/// The tree over the chunks' names, for proofs.
	pub(crate) fn tree(&self) -> merkle::Tree {
		merkle::Tree::new(
			self.hashes
				.iter()
				.map(|hash| merkle::leaf_hash(hash))
				.collect(),
		)
	}

	/// How many bytes all chunks have together, encrypted.
	pub(crate) fn length(&self) -> u64 {
		self.header.record_len() - Header::LEN as u64
	}

	/// How many bytes each chunk but the last has, encrypted.
	pub(crate) fn chunk_size(&self) -> u32 {
		self.header.chunk_size() + TAG_LEN as u32
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_envelope::{Encryptor, EpochId, MasterSecret, RecordContext};

	fn manifest() -> Manifest {
		let id = EpochId {
			genesis: [1; 32],
			owner: [2; 32],
			dataset: 0,
			epoch: 0,
		};
		let context = RecordContext {
			genesis: [1; 32],
			owner: [2; 32],
			key: [3; 32],
			version: 0,
		};
		let leaf = MasterSecret::from_bytes([7; 32])
			.epoch_root(&id)
			.leaf_key(0);
		let header = Encryptor::new(&leaf, &context, 16, 40)
			.unwrap()
			.header()
			.clone();
		Manifest {
			header,
			hashes: vec![[5; 32], [6; 32], [7; 32]],
		}
	}

	#[test]
	fn a_manifest_is_read_as_it_was_written() {
		let manifest = manifest();
		assert_eq!(Manifest::read(&manifest.to_bytes()), Ok(manifest.clone()));
		assert_eq!(
			(manifest.length(), manifest.chunk_size()),
			(40 + 3 * 16, 32)
		);
	}

	#[test]
	fn what_is_no_manifest_is_refused() {
		let bytes = manifest().to_bytes();
		let with = |at: usize, byte: u8| {
			let mut bytes = bytes.clone();
			bytes[at] = byte;
			Manifest::read(&bytes).unwrap_err()
		};
		assert_eq!(
			Manifest::read(&[1, 0]).unwrap_err(),
			"its manifest is cut short"
		);
		assert_eq!(
			with(0, 2),
			"its manifest is of a version that is not known here"
		);
		assert_eq!(
			with(2, 76),
			"the header in its manifest is not one of an encrypted record"
		);
		assert_eq!(with(3, 9), "the header in its manifest is none");
		let short = &bytes[..bytes.len() - 32];
		assert_eq!(
			Manifest::read(short).unwrap_err(),
			"its manifest does not name all chunks"
		);
		let torn = &bytes[..bytes.len() - 1];
		assert_eq!(
			Manifest::read(torn).unwrap_err(),
			"its manifest ends within a chunk's name"
		);
	}
}
