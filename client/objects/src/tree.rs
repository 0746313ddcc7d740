// SPDX-License-Identifier: Apache-2.0
//! An object's BLAKE3 tree, down to its chunks: the root is on the chain, and the chaining values of the chunks lie beside
//! the object. With them, each chunk can be checked alone.
//!
//! A chunk is an aligned group of 2^10 of BLAKE3's own chunks, so its chaining value is a node of the tree that BLAKE3
//! computes over the whole object (BLAKE3 paper, section 2.1).

use blake3::{
	hazmat::{merge_subtrees_non_root, merge_subtrees_root, HasherExt, Mode},
	Hasher,
};

/// The root of an object's tree: the BLAKE3 hash of its bytes.
pub type Root = [u8; 32];
/// The chaining value of a chunk; of an object's only chunk, the root.
pub type Value = [u8; 32];

/// Returns the chaining value of chunk `number`. `only` says that the object has no other one.
pub(crate) fn value(number: u32, only: bool, chunk: &[u8]) -> Value {
	let mut hasher = Hasher::new();
	if only {
		return *hasher.update(chunk).finalize().as_bytes();
	}
	let offset = u64::from(number) * isthmus_envelope::object::SEALED_CHUNK as u64;
	hasher.set_input_offset(offset);
	hasher.update(chunk).finalize_non_root()
}

/// Returns the root of the tree over these chunks; `None` without any.
pub(crate) fn root(values: &[Value]) -> Option<Root> {
	match values {
		[] => None,
		[only] => Some(*only),
		values => {
			let (left, right) = values.split_at(left_len(values.len()));
			let root = merge_subtrees_root(&node(left), &node(right), Mode::Hash);
			Some(*root.as_bytes())
		}
	}
}

/// Returns the chaining value of a node over at least one chunk, which is not the root.
fn node(values: &[Value]) -> Value {
	match values {
		[only] => *only,
		values => {
			let (left, right) = values.split_at(left_len(values.len()));
			merge_subtrees_non_root(&node(left), &node(right), Mode::Hash)
		}
	}
}

/// Returns how many of more than one chunks are under the left child: the largest power of two that leaves one.
fn left_len(chunks: usize) -> usize {
	1 << (chunks - 1).ilog2()
}

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
