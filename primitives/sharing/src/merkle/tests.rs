// SPDX-License-Identifier: Apache-2.0
//! Compares the tree with Certificate Transparency's published roots, and with a literal implementation of
//! RFC 6962's definitions.

use super::*;
use crate::test::sha256;
use proptest::prelude::*;

/// The leaves that Certificate Transparency's own tests use, and the roots over the first one, the first
/// two, and so on (google/certificate-transparency, merkletree/merkle_tree_test.cc).
const INPUTS: [&str; 8] = [
	"",
	"00",
	"10",
	"2021",
	"3031",
	"40414243",
	"5051525354555657",
	"606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 8] = [
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn leaves(count: usize) -> Vec<Hash> {
	(0..count).map(|i| leaf_hash(sha256, &[i as u8])).collect()
}

/// Computes MTH, the Merkle tree hash, exactly as RFC 6962, section 2.1, defines it.
fn mth(leaves: &[Hash]) -> Hash {
	match leaves {
		[] => sha256(&[]),
		[leaf] => *leaf,
		_ => {
			let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
			sha256(&[&[1], &mth(left)[..], &mth(right)].concat())
		}
	}
}

/// Computes PATH, the proof of a leaf, exactly as RFC 6962, section 2.1.1, defines it.
fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
	if leaves.len() < 2 {
		return vec![];
	}
	let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
	let (mut path, neighbour) = if index < left.len() {
		(path(left, index), mth(right))
	} else {
		(path(right, index - left.len()), mth(left))
	};
	path.push(neighbour);
	path
}

#[test]
fn published_roots() {
	let hashes: Vec<Hash> = INPUTS
		.iter()
		.map(|x| leaf_hash(sha256, &hex::decode(x).unwrap()))
		.collect();
	for (i, expected) in ROOTS.iter().enumerate() {
		let leaves = hashes[..=i].to_vec();
		assert_eq!(hex::encode(root(sha256, leaves.clone())), *expected);
		assert_eq!(hex::encode(Tree::new(sha256, leaves).root()), *expected);
	}
	let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	assert_eq!(hex::encode(root(sha256, [])), nothing);
}

#[test]
fn a_leaf_of_any_length_is_hashed_alike() {
	for length in [0, 1, 31, 32, 33, 100] {
		let entry = vec![7; length];
		let expected = sha256(&[&[0], &entry[..]].concat());
		assert_eq!(leaf_hash(sha256, &entry), expected);
	}
}

#[test]
fn every_chunk_of_every_small_record_is_proved_alone() {
	for count in 1..=70 {
		let leaves = leaves(count);
		let tree = Tree::new(sha256, leaves.clone());
		let n = count as u64;
		for (i, leaf) in leaves.iter().enumerate() {
			let proof = tree.proof(i).unwrap();
			let verified = verify(sha256, &tree.root(), n, i as u64, *leaf, &proof);
			assert_eq!(verified, Ok(()));
		}
		assert_eq!(tree.proof(count), None);
	}
	assert_eq!(Tree::new(sha256, vec![]).proof(0), None);
}

#[test]
fn what_does_not_belong_is_rejected() {
	for count in 2..=20 {
		let leaves = leaves(count);
		let tree = Tree::new(sha256, leaves.clone());
		let n = count as u64;
		let verify =
			|index, leaf, proof: &[Hash]| verify(sha256, &tree.root(), n, index, leaf, proof);
		for (i, leaf) in leaves.iter().enumerate() {
			let good = tree.proof(i).unwrap();
			let i = i as u64;
			let wrong = Err(MerkleError::WrongRoot);
			let other = leaf_hash(sha256, b"other");
			assert_eq!(verify(i, other, &good), wrong);
			for bit in 0..good.len() * 256 {
				let mut bad = good.clone();
				bad[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
				assert_eq!(verify(i, *leaf, &bad), wrong);
			}
			// The same proof is rejected at every other position.
			for other in (0..n).filter(|other| *other != i) {
				assert!(verify(other, *leaf, &good).is_err());
			}
			let expected = good.len();
			let length = |got| Err(MerkleError::ProofLength { expected, got });
			assert_eq!(verify(i, *leaf, &good[1..]), length(expected - 1));
			let long = [&good[..], &[[0; 32]]].concat();
			assert_eq!(verify(i, *leaf, &long), length(expected + 1));
		}
		let (index, count) = (n, n);
		assert_eq!(
			verify(n, leaves[0], &[]),
			Err(MerkleError::NoSuchChunk { index, count })
		);
	}
	let nothing = root(sha256, []);
	assert_eq!(
		verify(sha256, &nothing, 0, 0, [0; 32], []),
		Err(MerkleError::NoSuchChunk { index: 0, count: 0 })
	);
}

#[test]
fn roots_and_proofs_are_those_of_the_rfc() {
	for count in 0..70 {
		let leaves = leaves(count);
		let tree = Tree::new(sha256, leaves.clone());
		assert_eq!(tree.root(), mth(&leaves));
		assert_eq!(root(sha256, leaves.clone()), mth(&leaves));
		for index in 0..count {
			assert_eq!(tree.proof(index), Some(path(&leaves, index)));
		}
	}
}

proptest! {
	#[test]
	fn no_proof_serves_two_leaves(count in 1..300usize, a: prop::sample::Index, b: prop::sample::Index) {
		let leaves = leaves(count);
		let tree = Tree::new(sha256, leaves.clone());
		let (a, b) = (a.index(count), b.index(count));
		let proof = tree.proof(a).unwrap();
		let verified = verify(sha256, &tree.root(), count as u64, a as u64, leaves[b], &proof);
		// The leaves repeat after 256, and a proof cannot tell equal leaves apart.
		prop_assert_eq!(verified.is_ok(), leaves[a] == leaves[b]);
	}

	/// Checks that an arbitrary proof, as a stranger may send it, never makes the check panic.
	#[test]
	fn any_proof_is_answered(root: Hash, count: u64, index: u64, leaf: Hash, proof: Vec<Hash>) {
		prop_assert!(verify(sha256, &root, count, index, leaf, &proof).is_err());
	}
}
