// SPDX-License-Identifier: Apache-2.0
//! Leaves out justifications while the node is far behind. To finalize a block costs as much as to execute a small one,
//! and finalizes all its ancestors, too. So of the blocks that are handed to the import at once, the last
//! justification is enough, and those of blocks that change the voters, without which later ones cannot be checked.
//!
//! A header does not commit to a justification, so a peer can send a false one with a true block, and GRANDPA does not say
//! that it was false. If the last one finalizes nothing, the next batches keep all of theirs. No peer is blamed: after a
//! restart of finality, or if this machine is at fault, the justification of an honest peer finalizes nothing either.

use isthmus_primitives::{Block, BlockNumber, Hash, Header};
use polkadot_sdk::*;
use sc_consensus::IncomingBlock;
use sp_consensus_grandpa::{ConsensusLog, GRANDPA_ENGINE_ID};
use sp_runtime::generic::OpaqueDigestItemId;
use std::collections::HashMap;

/// How many batches keep all of their justifications after one whose last justification finalized nothing.
const WHOLE: u32 = 64;
/// How many batches are remembered until their blocks are imported. Fewer are imported at once.
const REMEMBERED: usize = 64;

/// Thins out the justifications of one batch after the other, as long as that is harmless.
#[derive(Default)]
pub(crate) struct Thinning {
	/// The blocks whose justifications are to finalize their batches, with their numbers.
	relied_on: HashMap<Hash, BlockNumber>,
	/// How many further batches keep all of their justifications.
	whole: u32,
}

impl Thinning {
	/// Takes the justifications that are not needed out of blocks that are imported together, the lowest first.
	pub(crate) fn thin_out(&mut self, blocks: &mut [IncomingBlock<Block>]) {
		if self.whole > 0 {
			self.whole = self.whole.saturating_sub(1);
			return;
		}
		let Some(last) = blocks
			.iter()
			.rposition(|block| block.justifications.is_some())
		else {
			return;
		};
		let (before, rest) = blocks.split_at_mut(last);
		let mut is_thinned = false;
		for block in before {
			if !changes_voters(block) {
				is_thinned |= block.justifications.take().is_some();
			}
		}
		let last = rest.first().filter(|_| is_thinned);
		if let Some((last, header)) = last.and_then(|last| Some((last, last.header.as_ref()?))) {
			if self.relied_on.len() >= REMEMBERED {
				self.relied_on.clear();
			}
			self.relied_on.insert(last.hash, header.number);
		}
	}

	/// Takes the result of a block's import: whether the block is new in the database, and the number of the last finalized
	/// block since.
	pub(crate) fn imported(&mut self, hash: &Hash, is_new: bool, finalized: BlockNumber) {
		let number = self.relied_on.remove(hash);
		// The justification of a block that was known already is not looked at.
		if is_new && number.is_some_and(|number| number > finalized) {
			self.whole = WHOLE;
		}
	}
}

/// Returns whether a block announces other voters. The runtime announces them in the block from which they vote.
fn changes_voters(block: &IncomingBlock<Block>) -> bool {
	let id = OpaqueDigestItemId::Consensus(&GRANDPA_ENGINE_ID);
	let announces = |header: &Header| {
		let mut logs = header.digest.logs.iter();
		logs.any(|log| log.try_to::<ConsensusLog<BlockNumber>>(id).is_some())
	};
	block.header.as_ref().is_none_or(announces)
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::Encode;
	use sp_runtime::{traits::Header as _, Digest, DigestItem, Justifications};

	fn block(number: u32, is_justified: bool, logs: Vec<DigestItem>) -> IncomingBlock<Block> {
		let hash = Default::default();
		IncomingBlock {
			hash: Hash::from_low_u64_be(number.into()),
			header: Some(Header::new(number, hash, hash, hash, Digest { logs })),
			body: None,
			indexed_body: None,
			justifications: is_justified
				.then(|| Justifications::from((GRANDPA_ENGINE_ID, vec![1]))),
			origin: None,
			allow_missing_state: false,
			import_existing: false,
			state: None,
			skip_execution: false,
		}
	}

	fn kept(blocks: &[IncomingBlock<Block>]) -> Vec<u32> {
		let kept = blocks.iter().filter(|block| block.justifications.is_some());
		kept.filter_map(|block| block.header.as_ref())
			.map(|header| header.number)
			.collect()
	}

	#[test]
	fn the_last_justification_stays_and_those_of_changes() {
		let change = ConsensusLog::<u32>::Resume(0);
		let change = DigestItem::Consensus(GRANDPA_ENGINE_ID, change.encode());
		let other = DigestItem::Consensus(*b"rcpt", ConsensusLog::<u32>::Resume(0).encode());
		let mut blocks = vec![
			block(1, true, vec![]),
			block(2, true, vec![other.clone(), change]),
			block(3, true, vec![other]),
			block(4, false, vec![]),
			block(5, true, vec![]),
			block(6, false, vec![]),
		];
		let mut thinning = Thinning::default();
		thinning.thin_out(&mut blocks);
		assert_eq!(kept(&blocks), [2, 5]);
		thinning.thin_out(&mut blocks);
		assert_eq!(kept(&blocks), [2, 5]);
		thinning.thin_out(&mut blocks[3..4]);
		thinning.thin_out(&mut []);
	}

	/// Returns a batch of three blocks with justifications, and the last one's hash.
	fn batch() -> (Vec<IncomingBlock<Block>>, Hash) {
		let blocks: Vec<_> = (1..=3).map(|number| block(number, true, vec![])).collect();
		let last = blocks[2].hash;
		(blocks, last)
	}

	/// Thins out a batch, and returns the numbers of the blocks whose justifications were kept.
	fn kept_of_a_batch(thinning: &mut Thinning) -> Vec<u32> {
		let (mut blocks, _) = batch();
		thinning.thin_out(&mut blocks);
		kept(&blocks)
	}

	#[test]
	fn a_false_justification_spoils_one_batch_and_not_the_next_ones() {
		let mut thinning = Thinning::default();
		let (_, last) = batch();
		assert_eq!(kept_of_a_batch(&mut thinning), [3]);
		// The last justification has finalized nothing.
		thinning.imported(&last, true, 0);
		for _ in 0..WHOLE {
			assert_eq!(kept_of_a_batch(&mut thinning), [1, 2, 3]);
			// Of these, the last one may be false, too.
			thinning.imported(&last, true, 2);
		}
		assert_eq!(kept_of_a_batch(&mut thinning), [3]);
		thinning.imported(&last, true, 2);
		assert_eq!(kept_of_a_batch(&mut thinning), [1, 2, 3]);
	}

	#[test]
	fn batches_are_thinned_as_long_as_their_last_justifications_count() {
		let mut thinning = Thinning::default();
		let (blocks, last) = batch();
		for (hash, is_new, finalized) in [
			(last, true, 3),
			(last, true, 9),
			// It was known, or its import failed.
			(last, false, 0),
			// Nothing is expected of this one.
			(blocks[0].hash, true, 0),
		] {
			assert_eq!(kept_of_a_batch(&mut thinning), [3]);
			thinning.imported(&hash, is_new, finalized);
		}
		// A batch of which nothing was taken shows nothing.
		let mut thinning = Thinning::default();
		thinning.thin_out(&mut [block(3, true, vec![])]);
		thinning.imported(&last, true, 0);
		assert_eq!(kept_of_a_batch(&mut thinning), [3]);
	}

	#[test]
	fn batches_that_are_never_reported_take_no_memory() {
		let mut thinning = Thinning::default();
		for number in 0..1000u32 {
			let mut blocks = [block(number, true, vec![]), block(number + 1, true, vec![])];
			thinning.thin_out(&mut blocks);
			assert!(thinning.relied_on.len() <= REMEMBERED);
		}
	}
}
