// SPDX-License-Identifier: Apache-2.0
//! An object's BLAKE3 tree, down to its chunks: the root is on the chain, and the chaining values of the chunks lie beside
//! the object. With them, each chunk can be checked alone.
//!
//! A chunk is an aligned group of 2^10 of BLAKE3's own chunks, so its chaining value (of an object's only chunk, the root)
//! is a node of the tree that BLAKE3 computes over the whole object. `isthmus-storage-proof` computes it.

use isthmus_storage_proof::GROUP;

pub use isthmus_storage_proof::Value;
pub(crate) use isthmus_storage_proof::{group as value, root};

/// The root of an object's tree: the BLAKE3 hash of its bytes.
pub type Root = Value;

const _: () = assert!(isthmus_envelope::object::SEALED_CHUNK == GROUP as usize);

/// Returns the bytes of a list of chaining values.
pub(crate) fn list_bytes(values: &[Value]) -> Vec<u8> {
	values.concat()
}

/// Reads a list of `chunks` chaining values, and checks it against the root; `None` if it is another one.
pub(crate) fn read_list(bytes: &[u8], chunks: u32, expected: &Root) -> Option<Vec<Value>> {
	let (values, rest) = bytes.as_chunks::<32>();
	let fits = rest.is_empty() && values.len() == chunks as usize;
	(fits && root(values) == Some(*expected)).then(|| values.to_vec())
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_envelope::object::SEALED_CHUNK;

	#[test]
	fn the_root_is_the_blake3_hash_of_all_bytes() {
		for length in [16, SEALED_CHUNK - 1, SEALED_CHUNK, SEALED_CHUNK + 1]
			.into_iter()
			.chain((2..=6).map(|chunks| chunks * SEALED_CHUNK - 5))
		{
			let bytes: Vec<u8> = (0..length as u32).map(|at| (at / 7) as u8).collect();
			let only = length <= SEALED_CHUNK;
			let chunks = bytes.chunks(SEALED_CHUNK);
			let values: Vec<Value> = (0..)
				.zip(chunks)
				.map(|(number, chunk)| value(number, only, chunk))
				.collect();
			let expected = *blake3::hash(&bytes).as_bytes();
			assert_eq!(root(&values), Some(expected), "{length} bytes");
			let (list, count) = (list_bytes(&values), values.len() as u32);
			assert_eq!(read_list(&list, count, &expected), Some(values));
			assert_eq!(read_list(&list[1..], count, &expected), None);
			assert_eq!(read_list(&list, count + 1, &expected), None);
			assert_eq!(read_list(&list, count, &[0; 32]), None);
		}
		assert_eq!(root(&[]), None);
	}
}
