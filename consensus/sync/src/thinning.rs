// SPDX-License-Identifier: Apache-2.0
//! Leaves out justifications while the node is far behind. To finalize a block costs as much as to execute a small one,
//! and finalizes all its ancestors, too. So of the blocks that are handed to the import at once, the last
//! justification is enough, and those of blocks that change the voters, without which later ones cannot be checked.

use isthmus_primitives::{Block, BlockNumber, Header};
use polkadot_sdk::*;
use sc_consensus::IncomingBlock;
use sp_consensus_grandpa::{ConsensusLog, GRANDPA_ENGINE_ID};
use sp_runtime::generic::OpaqueDigestItemId;

/// Takes the justifications that are not needed out of blocks that are imported together, the lowest first.
pub(crate) fn thin_out(blocks: &mut [IncomingBlock<Block>]) {
	let Some(last) = blocks
		.iter()
		.rposition(|block| block.justifications.is_some())
	else {
		return;
	};
	for block in &mut blocks[..last] {
		if !changes_voters(block) {
			block.justifications = None;
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
			hash,
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
		thin_out(&mut blocks);
		assert_eq!(kept(&blocks), [2, 5]);
		thin_out(&mut blocks);
		assert_eq!(kept(&blocks), [2, 5]);
		thin_out(&mut blocks[3..4]);
		thin_out(&mut []);
	}
}
