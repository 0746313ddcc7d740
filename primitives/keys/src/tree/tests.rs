// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::master::MasterSecret;
use proptest::{
	prelude::*,
	test_runner::{Config, RngSeed},
};

fn root() -> EpochRoot {
	let id = EpochId {
		genesis: [1; 32],
		owner: [2; 32],
		dataset: 3,
		epoch: 4,
	};
	MasterSecret::from_bytes([7; 32]).epoch_root(&id)
}

fn range(start: u64, end: u64) -> Range {
	Range::new(start, end).unwrap()
}

/// Every run tries the same cases.
fn config(cases: u32) -> Config {
	Config {
		cases,
		rng_seed: RngSeed::Fixed(2),
		failure_persistence: None,
		..Config::default()
	}
}

/// Ranges of all magnitudes, anywhere in the tree.
fn any_range() -> impl Strategy<Value = Range> {
	(0..=HEIGHT, any::<u64>(), any::<u64>()).prop_map(|(magnitude, at, len)| {
		let start = at % LEAVES;
		let len = 1 + len % (1u64 << magnitude);
		range(start, (start + len).min(LEAVES))
	})
}

#[test]
fn bad_ranges_are_rejected() {
	use TreeError::*;
	assert_eq!(Range::new(0, 0), Err(EmptyRange { start: 0, end: 0 }));
	assert_eq!(Range::new(8, 8), Err(EmptyRange { start: 8, end: 8 }));
	assert_eq!(Range::new(9, 8), Err(EmptyRange { start: 9, end: 8 }));
	assert_eq!(
		Range::new(LEAVES, LEAVES),
		Err(EmptyRange {
			start: LEAVES,
			end: LEAVES
		})
	);
	assert_eq!(
		Range::new(0, LEAVES + 1),
		Err(RangeBeyondTree { end: LEAVES + 1 })
	);
	assert_eq!(
		Range::new(u64::MAX, u64::MAX),
		Err(RangeBeyondTree { end: u64::MAX })
	);
	assert_eq!(Range::new(0, LEAVES), Ok(Range::ALL));
}

#[test]
fn covers_of_known_ranges() {
	let cover = |start, end| -> Vec<(u32, u64)> {
		range(start, end)
			.cover()
			.iter()
			.map(|at| (at.depth(), at.index()))
			.collect()
	};
	assert_eq!(cover(0, LEAVES), [(0, 0)]);
	assert_eq!(cover(0, 1), [(32, 0)]);
	assert_eq!(cover(LEAVES - 1, LEAVES), [(32, LEAVES - 1)]);
	assert_eq!(cover(0, LEAVES / 2), [(1, 0)]);
	assert_eq!(cover(1, 8), [(32, 1), (31, 1), (30, 1)]);
	assert_eq!(cover(6, 9), [(31, 3), (32, 8)]);
	// In the worst case, the cover has two nodes on each level but the first.
	assert_eq!(cover(1, LEAVES - 1).len(), MAX_COVER);
}

#[test]
fn a_key_set_opens_its_range_and_nothing_else() {
	let (root, scope) = (root(), range(5, 21));
	let keys = root.key_set(scope);
	for leaf in 5..21 {
		assert_eq!(
			keys.leaf_key(leaf).unwrap().expose_secret(),
			root.leaf_key(leaf).expose_secret()
		);
	}
	for leaf in [0, 4, 21, 22, 1 << 31, u32::MAX] {
		let refused = keys.leaf_key(leaf).unwrap_err();
		assert_eq!(refused, TreeError::LeafOutsideRange { leaf, range: scope });
	}
	assert_eq!(
		keys.leaf_key(21).unwrap_err().to_string(),
		"leaf 21 is outside the range [5, 21) that the keys open"
	);
}

#[test]
fn a_part_of_a_key_set_ends_where_the_key_set_does() {
	let (root, scope) = (root(), range(5, 21));
	let keys = root.key_set(scope);
	for part in [range(5, 21), range(5, 6), range(20, 21), range(7, 17)] {
		let derived = keys.part(part).unwrap();
		assert_eq!(derived.range(), part);
		assert_eq!(derived.keys, root.key_set(part).keys);
	}
	for (part, leaf) in [
		(range(4, 21), 4),
		(range(5, 22), 21),
		(range(0, LEAVES), 0),
		(range(21, 22), 21),
		(range(30, LEAVES), 30),
		(range(LEAVES - 1, LEAVES), u32::MAX),
		(range(0, 5), 0),
	] {
		let refused = keys.part(part).unwrap_err();
		assert_eq!(refused, TreeError::LeafOutsideRange { leaf, range: scope });
	}
}

#[test]
fn key_sets_are_read_as_they_were_written() {
	let (root, scope) = (root(), range(1, 8));
	let bytes = root.key_set(scope).to_bytes();
	let read = KeySet::from_bytes(scope, &bytes).unwrap();
	assert_eq!(read.range(), scope);
	assert_eq!(
		read.leaf_key(3).unwrap().expose_secret(),
		root.leaf_key(3).expose_secret()
	);
	for got in [0, 1, 32, 95, 97, 128] {
		let refused = KeySet::from_bytes(scope, &vec![0; got]).unwrap_err();
		assert_eq!(refused, TreeError::KeysLength { expected: 96, got });
	}
	assert_eq!(format!("{root:?} {read:?}"), "EpochRoot(..) KeySet(..)");
}

proptest! {
	#![proptest_config(config(2000))]

	/// Keys that are derived together equal those of the cover's nodes when each is derived
	/// separately.
	#[test]
	fn key_sets_are_those_of_the_cover(range in any_range()) {
		let root = root();
		let alone: Vec<Secret> = range
			.cover()
			.iter()
			.map(|at| descend(&root.key, at.index, at.depth))
			.collect();
		prop_assert_eq!(root.key_set(range).keys, alone);
	}

	/// Who has the keys of a range derives those of each part of it as who has the root, and no key of a leaf beside it.
	#[test]
	fn a_part_of_a_key_set_is_that_of_the_root(range in any_range(), from in any::<u64>(), to in any::<u64>()) {
		let (root, length) = (root(), range.end() - range.start());
		let from = range.start() + from % length;
		let part = Range::new(from, from + 1 + to % (range.end() - from)).unwrap();
		let keys = root.key_set(range);
		prop_assert_eq!(keys.part(part).unwrap().keys, root.key_set(part).keys);
		let wider = Range::new(range.start().saturating_sub(1), (range.end() + 1).min(LEAVES)).unwrap();
		prop_assert_eq!(keys.part(wider).is_ok(), wider == range);
	}

	/// A cover's nodes are adjacent, from the range's start to its end.
	#[test]
	fn covers_are_exact(range in any_range()) {
		let cover = range.cover();
		prop_assert!(cover.len() <= MAX_COVER);
		prop_assert_eq!(cover[0].leaves().start(), range.start());
		prop_assert_eq!(cover[cover.len() - 1].leaves().end(), range.end());
		for pair in cover.windows(2) {
			prop_assert_eq!(pair[0].leaves().end(), pair[1].leaves().start());
		}
	}

	/// No node could be replaced by its parent: the parent has a leaf outside the range. That makes
	/// the cover the smallest, since every cover refines the set of these largest nodes.
	#[test]
	fn covers_are_minimal(range in any_range()) {
		for at in range.cover() {
			if at.depth() > 0 {
				let parent = Position { depth: at.depth() - 1, index: at.index() >> 1 }.leaves();
				prop_assert!(parent.start() < range.start() || parent.end() > range.end());
			}
		}
	}
}

proptest! {
	#![proptest_config(config(64))]

	/// Two consumers who pool their keys hold no ancestor of a leaf outside both ranges: not as a
	/// node, nor as a key that equals one.
	#[test]
	fn pooled_keys_open_nothing_outside(
		a in any_range(), b in any_range(), leaves in prop::collection::vec(any::<u32>(), 8)
	) {
		let root = root();
		let pooled: Vec<Secret> =
			[a, b].iter().flat_map(|range| root.key_set(*range).keys).collect();
		let edges = [a, b].into_iter().flat_map(|r| [r.start().wrapping_sub(1), r.end()]);
		let near = edges.filter_map(|leaf| u32::try_from(leaf).ok());
		for leaf in leaves.iter().copied().chain(near) {
			if a.contains(leaf) || b.contains(leaf) {
				continue;
			}
			let covers = [a.cover(), b.cover()].concat();
			prop_assert!(covers.iter().all(|at| !at.leaves().contains(leaf)));
			let mut ancestor = root.key.clone();
			for depth in 0..=HEIGHT {
				prop_assert!(pooled.iter().all(|key| *key != ancestor));
				ancestor = descend(&ancestor, u64::from(leaf) >> (HEIGHT - 1).saturating_sub(depth), 1);
			}
		}
	}
}

#[test]
fn a_files_key_is_stable_and_unique() {
	let key = root().file_key(&[1; 32], "a/b");
	assert_eq!(key, root().file_key(&[1; 32], "a/b"));
	assert_ne!(key, root().file_key(&[2; 32], "a/b"));
	assert_ne!(key, root().file_key(&[1; 32], "a/c"));
}
