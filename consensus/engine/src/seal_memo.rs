// SPDX-License-Identifier: Apache-2.0
//! Remembers Hashimoto's results for recent headers, so that a header that is checked again is not hashed
//! again.

use isthmus_primitives::Hash;
use isthmus_rules::Work;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};

/// The number of headers whose results are kept, at 160 bytes each.
///
/// A node that syncs checks the headers of thousands of blocks before it imports the first of them. If it did not keep the
/// results until then, the import would compute each of them again, and one at a time.
pub const SEALS_KEPT: usize = 16_384;

/// Hashimoto's results for recent headers, by the header's hash. That hash covers the seal hash, the nonce
/// and the number, so it determines the result.
///
/// Most headers are checked twice or more: when they are announced, with their block, and as an uncle. A
/// peer that repeats a header a thousand times must not make this node hash it a thousand times.
#[derive(Default)]
pub(crate) struct SealMemo(Mutex<Results>);

#[derive(Default)]
struct Results {
	works: HashMap<Hash, Work>,
	/// Oldest first.
	order: VecDeque<Hash>,
	/// The number of times that Hashimoto ran.
	computed: u64,
}

impl SealMemo {
	/// Returns how many results have been computed, including those that are no longer kept.
	pub(crate) fn computed(&self) -> u64 {
		self.0.lock().computed
	}

	/// Returns the result for the header with this hash, if it is kept.
	pub(crate) fn get(&self, header: Hash) -> Option<Work> {
		self.0.lock().works.get(&header).copied()
	}

	/// Keeps a result that was just computed, in place of the oldest one.
	pub(crate) fn insert(&self, header: Hash, work: Work) {
		let mut results = self.0.lock();
		results.computed = results.computed.saturating_add(1);
		// Two threads may have computed the same result concurrently.
		if results.works.insert(header, work).is_none() {
			results.order.push_back(header);
		}
		if results.order.len() > SEALS_KEPT {
			if let Some(oldest) = results.order.pop_front() {
				results.works.remove(&oldest);
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn the_newest_results_are_kept_and_all_are_counted() {
		let memo = SealMemo::default();
		let work = Work {
			mix_hash: Hash::zero(),
			result: Hash::zero(),
		};
		let headers = SEALS_KEPT as u64 + 1;
		for number in 0..headers {
			memo.insert(Hash::from_low_u64_be(number), work);
		}
		memo.insert(Hash::from_low_u64_be(1), work);
		assert_eq!(memo.computed(), headers + 1);
		assert_eq!(memo.get(Hash::from_low_u64_be(0)), None);
		for number in 1..headers {
			assert_eq!(memo.get(Hash::from_low_u64_be(number)), Some(work));
		}
	}
}
