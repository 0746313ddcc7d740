// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::tree::LEAVES;
use alloc::collections::BTreeSet;
use proptest::{
	prelude::*,
	test_runner::{Config, RngSeed},
};

const ID: EpochId = EpochId {
	genesis: [1; 32],
	owner: [2; 32],
	dataset: 3,
	epoch: 4,
};
const ROOT: [u8; 32] = [9; 32];

fn tree() -> ErasableTree {
	ErasableTree::new(ID, ROOT)
}

/// Returns the keys of all nodes from the root to a leaf.
fn path(leaf: u32) -> Vec<Secret> {
	(0..=HEIGHT)
		.map(|depth| {
			descend(
				&Secret::new(ROOT),
				u64::from(leaf) >> (HEIGHT - depth),
				depth,
			)
		})
		.collect()
}

fn contains(bytes: &[u8], key: &Secret) -> bool {
	bytes.windows(key.len()).any(|window| window == &key[..])
}

/// Leaves that are close to one another, and at both ends of the tree.
fn leaves() -> impl Strategy<Value = u32> {
	prop_oneof![0u32..40, u32::MAX - 40..=u32::MAX, any::<u32>()]
}

proptest! {
	#![proptest_config(Config { cases: 300, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..Config::default() })]

	#[test]
	fn what_is_erased_cannot_be_derived_and_the_rest_is_unchanged(
		erased in prop::collection::vec(leaves(), 1..12),
		others in prop::collection::vec(leaves(), 12),
	) {
		let mut left = tree();
		let mut gone = BTreeSet::new();
		for leaf in &erased {
			prop_assert_eq!(left.erase(*leaf), gone.insert(*leaf));
		}
		let bytes = left.to_bytes();
		for leaf in &gone {
			prop_assert_eq!(left.leaf_key(*leaf).err(), Some(TreeError::Erased { leaf: *leaf }));
			// No key from which the leaf's could be derived is anywhere in what is kept.
			for key in path(*leaf) {
				prop_assert!(!contains(&bytes, &key));
			}
		}
		let read = ErasableTree::from_bytes(ID, &bytes).unwrap();
		for leaf in others.iter().filter(|leaf| !gone.contains(leaf)) {
			let expected = *tree().leaf_key(*leaf).unwrap().expose_secret();
			for tree in [&left, &read] {
				prop_assert_eq!(*tree.leaf_key(*leaf).unwrap().expose_secret(), expected);
			}
		}
		prop_assert_eq!(left.file_key(&[1; 32], "a"), tree().file_key(&[1; 32], "a"));
	}

	#[test]
	fn a_range_has_keys_unless_a_leaf_of_it_was_erased(
		erased in prop::collection::vec(0u32..64, 0..6),
		start in 0u64..64,
		length in 1u64..64,
	) {
		let mut left = tree();
		for leaf in &erased {
			left.erase(*leaf);
		}
		let range = Range::new(start, start + length).unwrap();
		let first = erased.iter().copied().filter(|leaf| range.contains(*leaf)).min();
		match (left.key_set(range), first) {
			(Ok(keys), None) => {
				let whole = tree().key_set(range).unwrap();
				prop_assert_eq!(&keys.to_bytes()[..], &whole.to_bytes()[..]);
			}
			(Err(error), Some(leaf)) => prop_assert_eq!(error, TreeError::Erased { leaf }),
			(result, first) => prop_assert!(false, "{result:?}, {first:?}"),
		}
	}

	#[test]
	fn other_bytes_are_refused_or_harmless(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
		if let Ok(tree) = ErasableTree::from_bytes(ID, &bytes) {
			prop_assert_eq!(&tree.to_bytes()[..], &bytes[..]);
		}
	}
}

#[test]
fn a_tree_without_leaves_is_left_in_the_end() {
	let mut left = tree();
	assert_eq!(left.nodes.len(), 1);
	left.erase(0);
	assert_eq!(left.nodes.len(), HEIGHT as usize);
	// Neighbours share their paths: the more is erased, the less remains to be kept beside them.
	left.erase(1);
	assert_eq!(left.nodes.len(), HEIGHT as usize - 1);
	for leaf in 2..1024 {
		assert!(left.erase(leaf));
	}
	assert_eq!(left.nodes.len(), HEIGHT as usize - 10);
	assert!(!left.erase(1023));
	let all = Range::new(1024, LEAVES).unwrap();
	assert!(left.key_set(all).is_ok());
	assert_eq!(
		left.key_set(Range::ALL).err(),
		Some(TreeError::Erased { leaf: 0 })
	);
}

#[test]
fn nodes_that_overlap_or_do_not_exist_are_refused() {
	let node = |depth: u8, index: u32| {
		let mut bytes = alloc::vec![depth];
		bytes.extend_from_slice(&index.to_be_bytes());
		bytes.extend_from_slice(&[0; 32]);
		bytes
	};
	let read = |nodes: &[Vec<u8>]| {
		ErasableTree::from_bytes(ID, &[alloc::vec![7; 32], nodes.concat()].concat()).map(|_| ())
	};
	assert_eq!(read(&[]), Ok(()));
	assert_eq!(read(&[node(1, 0), node(1, 1)]), Ok(()));
	for wrong in [
		alloc::vec![node(1, 1), node(1, 0)],
		alloc::vec![node(0, 0), node(1, 1)],
		alloc::vec![node(1, 0), node(1, 0)],
		alloc::vec![node(33, 0)],
		alloc::vec![node(1, 2)],
		alloc::vec![alloc::vec![0]],
	] {
		assert_eq!(read(&wrong), Err(NoTree), "{wrong:?}");
	}
	assert_eq!(ErasableTree::from_bytes(ID, &[0; 31]).err(), Some(NoTree));
}
