// SPDX-License-Identifier: Apache-2.0
//! Fuzzes the manifest of a large record, which lists the hashes of the record's chunks and which any
//! producer can store, and the proofs that chunks belong to it.
//!
//! - If a manifest can be read, writing it again returns the same bytes.
//! - Its first chunks verify against its root with their own proofs. They do not verify with another hash,
//!   with an index past the end, or with a proof that has one node more or one fewer.

#![no_main]

use isthmus_sharing::manifest::{verify_chunk, Manifest, VERSION};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

/// The number of chunks whose proofs are checked.
const CHECKED: usize = 8;

fn sha256(bytes: &[u8]) -> [u8; 32] {
	Sha256::digest(bytes).into()
}

fn check(data: &[u8]) {
	let Ok(manifest) = Manifest::parse(data) else {
		return;
	};
	assert_eq!(manifest.to_bytes().as_deref(), Ok(data));
	let count = manifest.hashes.len() as u32;
	assert_eq!(Manifest::read(data, count), Ok(manifest));
	assert!(Manifest::read(data, count + 1).is_err());
	assert_eq!(manifest.hash_of(count), None);

	let root = manifest.root(sha256);
	let tree = manifest.tree(sha256);
	assert_eq!(tree.root(), root);
	assert_eq!(tree.proof(manifest.hashes.len()), None);
	for (index, hash) in (0..count).zip(manifest.hashes).take(CHECKED) {
		assert_eq!(manifest.hash_of(index), Some(*hash));
		let proof = tree.proof(index as usize).expect("there is such a chunk");
		let verify = |index, hash: &_, proof: &[_]| {
			verify_chunk(sha256, &root, count, index, hash, proof).is_ok()
		};
		assert!(verify(index, hash, &proof));
		let mut other = *hash;
		other[0] ^= 1;
		assert!(!verify(index, &other, &proof));
		assert!(!verify(count, hash, &proof));
		let longer = [&proof[..], &[root]].concat();
		assert!(!verify(index, hash, &longer));
		if let [_, shorter @ ..] = &proof[..] {
			assert!(!verify(index, hash, shorter));
		}
	}
}

fuzz_target!(|data: &[u8]| {
	check(data);
	// The same bytes also serve as the hashes of a manifest without a header, so that trees of all sizes
	// occur.
	let (hashes, _) = data.as_chunks::<32>();
	let written = [&[VERSION, 0, 0], hashes.as_flattened()].concat();
	assert!(Manifest::parse(&written).is_ok());
	check(&written);
});
