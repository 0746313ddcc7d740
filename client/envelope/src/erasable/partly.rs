// SPDX-License-Identifier: Apache-2.0
//! What is left of a range in which leaves were erased.

use isthmus_keys::{
	tree::{HEIGHT, NODE_KEY_LEN},
	ErasableTree, Range,
};
use std::fmt;

/// Length of a node in the bytes of a tree: its depth, its index and its key.
const NODE_LEN: usize = 1 + 4 + NODE_KEY_LEN;
/// How many ranges a sentence names; the others are counted.
const NAMED: usize = 4;

/// A range of leaves, cut into those whose keys are left and those whose keys were erased.
///
/// It is shown as a sentence without its end: `leaves 4..5 were erased, and 0..4 and 5..12 are left`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartlyErased {
	/// The ranges that can be granted, from left to right, each as long as possible.
	pub left: Vec<Range>,
	/// The ranges that were erased, from left to right, each as long as possible.
	pub erased: Vec<Range>,
}

impl PartlyErased {
	/// Cuts a range whose leaves are all left.
	pub(super) fn whole(range: Range) -> Self {
		Self {
			left: vec![range],
			erased: Vec::new(),
		}
	}

	/// Cuts a range of a tree.
	pub(super) fn of(tree: &ErasableTree, range: Range) -> Self {
		let bytes = tree.to_bytes();
		let (nodes, _) = bytes
			.get(NODE_KEY_LEN..)
			.unwrap_or_default()
			.as_chunks::<NODE_LEN>();
		let leaves = nodes.iter().map(|[depth, a, b, c, d, ..]| {
			let index = u64::from(u32::from_be_bytes([*a, *b, *c, *d]));
			let below = HEIGHT.saturating_sub((*depth).into());
			(index << below, (index + 1) << below)
		});
		Self::cut(range, leaves)
	}

	/// Cuts a range by the leaves below the nodes that are left, which are in order.
	fn cut(range: Range, nodes: impl Iterator<Item = (u64, u64)>) -> Self {
		let (mut left, mut erased) = (Vec::<(u64, u64)>::new(), Vec::new());
		// Every leaf of the range before this one is in one of the lists.
		let mut at = range.start();
		for (start, end) in nodes {
			let (start, end) = (start.max(at), end.min(range.end()));
			if start >= end {
				continue;
			}
			if at < start {
				erased.push((at, start));
			}
			match left.last_mut() {
				Some((_, last)) if *last == start => *last = end,
				_ => left.push((start, end)),
			}
			at = end;
		}
		if at < range.end() {
			erased.push((at, range.end()));
		}
		let ranges = |pairs: Vec<(u64, u64)>| {
			let ranges = pairs.into_iter();
			ranges
				.filter_map(|(start, end)| Range::new(start, end).ok())
				.collect()
		};
		Self {
			left: ranges(left),
			erased: ranges(erased),
		}
	}

	/// Names the erased leaves.
	pub fn erased_leaves(&self) -> String {
		format!("leaves {}", named(&self.erased))
	}
}

impl fmt::Display for PartlyErased {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{} were erased, and ", self.erased_leaves())?;
		match self.left.is_empty() {
			true => f.write_str("nothing is left"),
			false => write!(f, "{} are left", named(&self.left)),
		}
	}
}

/// Names ranges: `0..4, 5..8 and 9..12`.
fn named(ranges: &[Range]) -> String {
	let mut parts: Vec<String> = ranges
		.iter()
		.take(NAMED)
		.map(|range| format!("{}..{}", range.start(), range.end()))
		.collect();
	match ranges.len().saturating_sub(NAMED) {
		0 => {}
		1 => parts.push("1 more range".into()),
		more => parts.push(format!("{more} more ranges")),
	}
	match &parts[..] {
		[before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
		parts => parts.concat(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{EpochId, TreeError};
	use proptest::{
		prelude::*,
		test_runner::{Config, RngSeed},
	};
	use std::collections::BTreeSet;

	const ID: EpochId = EpochId {
		genesis: [1; 32],
		owner: [2; 32],
		dataset: 3,
		epoch: 4,
	};

	fn without(erased: &[u32]) -> ErasableTree {
		let mut tree = ErasableTree::new(ID, [9; 32]);
		for leaf in erased {
			tree.erase(*leaf);
		}
		tree
	}

	fn range(start: u64, end: u64) -> Range {
		Range::new(start, end).unwrap()
	}

	/// Leaves and ranges at both ends of the tree, where they meet one another, and anywhere.
	fn at_an_end() -> impl Strategy<Value = u64> {
		prop_oneof![0u64..48, (1u64 << 32) - 48..1u64 << 32]
	}

	proptest! {
		#![proptest_config(Config { cases: 300, rng_seed: RngSeed::Fixed(6), failure_persistence: None, ..Config::default() })]

		#[test]
		fn what_is_left_and_what_is_erased_make_up_the_range(
			erased in prop::collection::btree_set(at_an_end(), 0..24),
			(start, end) in (at_an_end(), 1u64..=48).prop_map(|(start, length)| (start, (start + length).min(1 << 32))),
		) {
			let erased: BTreeSet<u32> = erased.into_iter().map(|leaf| u32::try_from(leaf).unwrap()).collect();
			let tree = without(&erased.iter().copied().collect::<Vec<_>>());
			let cut = PartlyErased::of(&tree, range(start, end));
			let leaves = |ranges: &[Range]| -> Vec<u64> {
				ranges.iter().flat_map(|range| range.start()..range.end()).collect()
			};
			let is_gone = |leaf: &u64| erased.contains(&u32::try_from(*leaf).unwrap());
			prop_assert_eq!(leaves(&cut.erased), (start..end).filter(is_gone).collect::<Vec<_>>());
			prop_assert_eq!(leaves(&cut.left), (start..end).filter(|leaf| !is_gone(leaf)).collect::<Vec<_>>());
			// No range could be longer.
			for ranges in [&cut.left, &cut.erased] {
				prop_assert!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start()));
			}
			// The keys of what is left open it, and are those of the tree.
			for left in &cut.left {
				let keys = tree.key_set(*left).unwrap();
				for leaf in leaves(&[*left]) {
					let leaf = u32::try_from(leaf).unwrap();
					let (one, other) = (keys.leaf_key(leaf).unwrap(), tree.leaf_key(leaf).unwrap());
					prop_assert_eq!(one.expose_secret(), other.expose_secret());
				}
			}
			for leaf in leaves(&cut.erased) {
				let leaf = u32::try_from(leaf).unwrap();
				prop_assert_eq!(tree.leaf_key(leaf).err(), Some(TreeError::Erased { leaf }));
			}
		}
	}

	#[test]
	fn the_whole_tree_is_cut_at_its_erased_leaves() {
		let cut = PartlyErased::of(&without(&[0, 7, 8, u32::MAX]), Range::ALL);
		let end = Range::ALL.end();
		assert_eq!(cut.left, [range(1, 7), range(9, end - 1)]);
		assert_eq!(cut.erased, [range(0, 1), range(7, 9), range(end - 1, end)]);
	}

	#[test]
	fn a_sentence_names_a_few_ranges_and_counts_the_others() {
		let shown =
			|erased: &[u32], to| PartlyErased::of(&without(erased), range(0, to)).to_string();
		assert_eq!(
			shown(&[4], 12),
			"leaves 4..5 were erased, and 0..4 and 5..12 are left"
		);
		assert_eq!(
			shown(&[0, 1], 2),
			"leaves 0..2 were erased, and nothing is left"
		);
		assert_eq!(
			shown(&[0, 2, 4, 6, 8], 9),
			"leaves 0..1, 2..3, 4..5, 6..7 and 1 more range were erased, and 1..2, 3..4, 5..6 and 7..8 are left"
		);
		let many: Vec<u32> = (0..40).map(|leaf| 2 * leaf).collect();
		let cut = PartlyErased::of(&without(&many), range(0, 80));
		assert_eq!(cut.left.len(), 40);
		assert!(cut.erased_leaves().ends_with("and 36 more ranges"));
	}
}
