// SPDX-License-Identifier: Apache-2.0
//! Remembers which finalized blocks have no votes of their own, so that a search for the first votes above a block reads
//! each of them once, however many ask.

use isthmus_primitives::BlockNumber;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// How many ranges are remembered. A node that keeps few votes has few long ranges.
const REMEMBERED: usize = 16 * 1024;

/// Ranges of blocks without votes: the first block of each, and the block after its last.
#[derive(Default)]
pub(super) struct Gaps(Mutex<BTreeMap<BlockNumber, BlockNumber>>);

impl Gaps {
	/// Returns the first block from this one on that is not known to have no votes.
	pub(super) fn skip(&self, block: BlockNumber) -> BlockNumber {
		let gaps = self.0.lock();
		let below = gaps.range(..=block).next_back();
		below.map_or(block, |(_, end)| block.max(*end))
	}

	/// Remembers that the blocks from `first` on have no votes, up to the one before `end`.
	pub(super) fn note(&self, first: BlockNumber, end: BlockNumber) {
		if first >= end {
			return;
		}
		let mut gaps = self.0.lock();
		let (mut first, mut end) = (first, end);
		if let Some((start, known)) = gaps.range(..first).next_back() {
			if *known >= first {
				(first, end) = (*start, end.max(*known));
			}
		}
		while let Some((start, known)) = gaps.range(first..=end).next().map(|(s, k)| (*s, *k)) {
			gaps.remove(&start);
			end = end.max(known);
		}
		gaps.insert(first, end);
		if gaps.len() > REMEMBERED {
			gaps.pop_first();
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn ranges(gaps: &Gaps) -> Vec<(BlockNumber, BlockNumber)> {
		gaps.0.lock().iter().map(|(a, b)| (*a, *b)).collect()
	}

	#[test]
	fn ranges_that_touch_become_one() {
		let gaps = Gaps::default();
		gaps.note(5, 5);
		assert_eq!((ranges(&gaps), gaps.skip(5)), (vec![], 5));
		gaps.note(10, 20);
		gaps.note(30, 40);
		assert_eq!(ranges(&gaps), [(10, 20), (30, 40)]);
		let skipped: Vec<_> = [9, 10, 19, 20, 29, 30, 40].map(|n| gaps.skip(n)).into();
		assert_eq!(skipped, [9, 20, 20, 20, 29, 40, 40]);
		gaps.note(12, 15);
		assert_eq!(ranges(&gaps), [(10, 20), (30, 40)]);
		gaps.note(5, 10);
		assert_eq!(ranges(&gaps), [(5, 20), (30, 40)]);
		gaps.note(20, 30);
		assert_eq!(ranges(&gaps), [(5, 40)]);
		gaps.note(1, 50);
		assert_eq!(ranges(&gaps), [(1, 50)]);
	}

	#[test]
	fn the_lowest_ranges_are_forgotten_first() {
		let gaps = Gaps::default();
		for range in 0..=REMEMBERED as BlockNumber {
			gaps.note(range * 3, range * 3 + 1);
		}
		assert_eq!(gaps.skip(0), 0);
		assert_eq!(gaps.skip(3), 4);
	}
}
