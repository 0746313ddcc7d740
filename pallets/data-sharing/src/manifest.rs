//! The manifest of a large record: its header, and the hash of every chunk. And the Merkle tree over
//! those hashes, by which a chunk is checked alone when it arrives. Pure, but for the hash function.
//!
//! The manifest is stored like a value, as the last argument of `open_record`; the state keeps its hash
//! and the tree's root, however many chunks there are. A reader who has the manifest, which names
//! itself by its hash, asks any node for any chunk by its hash and checks it alone.
//!
//! | offset | length | content |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 2 | length of the header, *h*; big-endian |
//! | 3 | *h* | header: what a reader needs before the chunks. The chain does not look inside |
//! | 3 + *h* | 32*n* | BLAKE2b-256 of each of the *n* chunks, in their order |
//!
//! The tree is RFC 6962's (section 2.1) with SHA-256: leaf *i* is `SHA-256(00 ‖ hash of chunk i)`, an
//! inner node `SHA-256(01 ‖ left ‖ right)`. A proof is the list of neighbours, the lowest first.

use alloc::vec::Vec;
use polkadot_sdk::*;
use sp_core::H256;
use sp_io::hashing::sha2_256;

/// The first byte of every manifest: this format.
pub const VERSION: u8 = 1;
/// Bytes before the header: the version, and the header's length.
const PREFIX: usize = 3;
/// Bytes of a hash.
const HASH: usize = 32;
/// Goes before a chunk's hash when it is hashed (RFC 6962).
const LEAF: u8 = 0;
/// Goes before two nodes when they are hashed together (RFC 6962).
const NODE: u8 = 1;

/// Why a manifest is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ManifestError {
	/// The first byte is not [`VERSION`], or there is none.
	UnknownVersion,
	/// It is shorter or longer than a header of the length that it says, and the chunks' hashes.
	WrongLength,
}

/// A manifest, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manifest<'a> {
	/// What a reader needs before the chunks.
	pub header: &'a [u8],
	hashes: &'a [u8],
}

impl<'a> Manifest<'a> {
	/// Reads the manifest of a record of `chunks` chunks.
	///
	/// # Errors
	///
	/// Bytes that are not such a manifest.
	pub fn read(bytes: &'a [u8], chunks: u32) -> Result<Self, ManifestError> {
		let (version, rest) = bytes.split_first().ok_or(ManifestError::UnknownVersion)?;
		if *version != VERSION {
			return Err(ManifestError::UnknownVersion);
		}
		let (length, rest) = rest
			.split_first_chunk::<{ PREFIX - 1 }>()
			.ok_or(ManifestError::WrongLength)?;
		let (header, hashes) = rest
			.split_at_checked(u16::from_be_bytes(*length).into())
			.ok_or(ManifestError::WrongLength)?;
		let expected = usize::try_from(chunks)
			.ok()
			.and_then(|chunks| chunks.checked_mul(HASH));
		if Some(hashes.len()) != expected {
			return Err(ManifestError::WrongLength);
		}
		Ok(Self { header, hashes })
	}

	/// The hash of chunk `index`, if there is such a chunk.
	pub fn hash_of(&self, index: u32) -> Option<H256> {
		let at = usize::try_from(index).ok()?.checked_mul(HASH)?;
		let hash = self.hashes.get(at..at.checked_add(HASH)?)?;
		Some(H256::from_slice(hash))
	}

	/// The Merkle root over the chunks' hashes.
	pub fn root(&self) -> H256 {
		// Roots of full subtrees, the largest first; their sizes are the ones in the binary form of the
		// number of leaves so far.
		let mut peaks: Vec<[u8; HASH]> = Vec::new();
		for (count, hash) in (0u32..).zip(self.hashes.chunks_exact(HASH)) {
			let mut node = leaf(hash);
			// As in binary addition: two subtrees of one size make one of the next.
			for _ in 0..count.trailing_ones() {
				if let Some(left) = peaks.pop() {
					node = inner(&left, &node);
				}
			}
			peaks.push(node);
		}
		peaks
			.into_iter()
			.rev()
			.reduce(|right, left| inner(&left, &right))
			.unwrap_or_else(|| sha2_256(&[]))
			.into()
	}
}

/// The leaf of a chunk with this hash.
pub(crate) fn leaf(hash: &[u8]) -> [u8; HASH] {
	let mut input = [LEAF; 1 + HASH];
	input[1..].copy_from_slice(hash);
	sha2_256(&input)
}

/// The node above these two.
pub(crate) fn inner(left: &[u8; HASH], right: &[u8; HASH]) -> [u8; HASH] {
	let mut input = [NODE; 1 + 2 * HASH];
	input[1..=HASH].copy_from_slice(left);
	input[1 + HASH..].copy_from_slice(right);
	sha2_256(&input)
}

/// Whether the chunk with this hash is number `index` of the `chunks` under `root`. The proof must be
/// exactly as long as the chunk's place asks for.
pub fn belongs(root: &H256, chunks: u32, index: u32, hash: &H256, proof: &[H256]) -> bool {
	if index >= chunks {
		return false;
	}
	let mut proof = proof.iter();
	let mut node = leaf(hash.as_bytes());
	let (mut at, mut last) = (index, chunks.saturating_sub(1));
	while last > 0 {
		let on_left = at % 2 == 1;
		// The last node of a level, when its number is even, has no neighbour and moves up as it is.
		if on_left || at < last {
			let Some(neighbour) = proof.next() else {
				return false;
			};
			node = if on_left {
				inner(&neighbour.0, &node)
			} else {
				inner(&node, &neighbour.0)
			};
		}
		(at, last) = (at / 2, last / 2);
	}
	proof.next().is_none() && node == root.0
}
