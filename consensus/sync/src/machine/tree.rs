// SPDX-License-Identifier: Apache-2.0
//! Keeps the headers that were proved and whose blocks are not in the database yet.

use super::types::{Base, Proved};
use isthmus_primitives::{BlockNumber, Hash};
use std::collections::{HashMap, HashSet, VecDeque};

/// The proved headers, as a tree that grows out of the blocks in the database.
pub(super) struct Tree<F, W> {
	nodes: HashMap<Hash, Node<F, W>>,
}

/// A proved header.
pub(super) struct Node<F, W> {
	pub(super) parent: Hash,
	pub(super) number: BlockNumber,
	pub(super) weight: W,
	facts: F,
}

impl<F: Clone, W: Copy + Ord> Tree<F, W> {
	/// Returns an empty tree.
	pub(super) fn new() -> Self {
		Self {
			nodes: HashMap::new(),
		}
	}

	/// Returns the number of headers.
	pub(super) fn len(&self) -> usize {
		self.nodes.len()
	}

	/// Returns the header with this hash.
	pub(super) fn get(&self, hash: &Hash) -> Option<&Node<F, W>> {
		self.nodes.get(hash)
	}

	/// Returns whether the header with this hash is in the tree.
	pub(super) fn contains(&self, hash: &Hash) -> bool {
		self.nodes.contains_key(hash)
	}

	/// Adds a header.
	pub(super) fn insert(&mut self, proved: Proved<F, W>) {
		self.nodes.insert(
			proved.hash,
			Node {
				parent: proved.parent,
				number: proved.number,
				weight: proved.weight,
				facts: proved.facts,
			},
		);
	}

	/// Removes a header, because its block is in the database now.
	pub(super) fn remove(&mut self, hash: &Hash) {
		self.nodes.remove(hash);
	}

	/// Returns the base for a check of headers on this block.
	pub(super) fn base(&self, hash: Hash) -> Base<F> {
		Base {
			hash,
			facts: self.nodes.get(&hash).map(|node| node.facts.clone()),
		}
	}

	/// Returns the chain from `tip` down to the lowest header in the tree.
	pub(super) fn chain<'a>(
		&'a self,
		tip: &Hash,
	) -> impl Iterator<Item = (Hash, &'a Node<F, W>)> + 'a {
		let mut next = *tip;
		std::iter::from_fn(move || {
			let hash = next;
			let node = self.nodes.get(&hash)?;
			next = node.parent;
			Some((hash, node))
		})
	}

	/// Keeps only the chains that end with one of these tips.
	pub(super) fn keep(&mut self, tips: impl Iterator<Item = Hash>) {
		let mut kept = HashSet::new();
		for tip in tips {
			for (hash, _) in self.chain(&tip) {
				if !kept.insert(hash) {
					break;
				}
			}
		}
		self.nodes.retain(|hash, _| kept.contains(hash));
	}
}

/// Consecutive blocks to fetch, lowest first. The parent of the first one is in the database.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
	first: BlockNumber,
	hashes: VecDeque<Hash>,
}

impl Lane {
	/// Returns the lane that ends with this tip of the tree.
	pub(super) fn to<F: Clone, W: Copy + Ord>(tip: &Hash, tree: &Tree<F, W>) -> Self {
		let mut lane = Self::default();
		lane.lead_to(tip, tree);
		lane
	}

	/// Returns the number of the first block. It means nothing if the lane is empty.
	pub(super) fn first(&self) -> BlockNumber {
		self.first
	}

	/// Returns the number of the last block, or `None` if the lane is empty.
	pub(super) fn last(&self) -> Option<BlockNumber> {
		let blocks = u32::try_from(self.hashes.len()).ok()?;
		Some(self.first.saturating_add(blocks.checked_sub(1)?))
	}

	/// Returns the last block.
	pub(super) fn tip(&self) -> Option<&Hash> {
		self.hashes.back()
	}

	/// Returns the block with this number.
	pub(super) fn at(&self, number: BlockNumber) -> Option<&Hash> {
		self.hashes.get(number.checked_sub(self.first)? as usize)
	}

	/// Returns how many of the lane's blocks are not above this one.
	pub(super) fn up_to(&self, number: BlockNumber) -> usize {
		let blocks = number.saturating_add(1).saturating_sub(self.first) as usize;
		blocks.min(self.hashes.len())
	}

	/// Returns whether the lane has this block.
	pub(super) fn has(&self, number: BlockNumber, hash: &Hash) -> bool {
		self.at(number) == Some(hash)
	}

	/// Returns the blocks, lowest first.
	pub(super) fn iter(&self) -> impl Iterator<Item = &Hash> {
		self.hashes.iter()
	}

	/// Returns the blocks from this number on, lowest first.
	pub(super) fn from(&self, number: BlockNumber) -> impl Iterator<Item = &Hash> {
		let skipped = number.saturating_sub(self.first) as usize;
		self.hashes.range(skipped.min(self.hashes.len())..)
	}

	/// Removes the first block if it is this one.
	pub(super) fn pass(&mut self, hash: &Hash) {
		if self.hashes.front() == Some(hash) {
			self.hashes.pop_front();
			self.first = self.first.saturating_add(1);
		}
	}

	/// Makes the lane end with this tip of the tree. Returns whether it only became longer.
	pub(super) fn lead_to<F: Clone, W: Copy + Ord>(
		&mut self,
		tip: &Hash,
		tree: &Tree<F, W>,
	) -> bool {
		let mut more = Vec::new();
		let mut kept = 0;
		let mut lowest = self.first;
		for (hash, node) in tree.chain(tip) {
			if self.has(node.number, &hash) {
				kept = node.number.saturating_sub(self.first).saturating_add(1) as usize;
				break;
			}
			lowest = node.number;
			more.push(hash);
		}
		let longer = kept == self.hashes.len() && kept > 0;
		self.hashes.truncate(kept);
		if kept == 0 {
			self.first = lowest;
		}
		self.hashes.extend(more.into_iter().rev());
		longer
	}
}
