//! The import queue's door: every rule that does not need the block's execution.
//!
//! All header rules are checked here and not at import, because only a failed verification costs
//! the peer that sent the block its reputation.

use crate::{
	chain::{unix_now, Chain, ChainClient},
	BlockError, LOG_TARGET,
};
use isthmus_primitives::Block;
use isthmus_rules::Rejection;
use polkadot_sdk::*;
use sc_consensus::{BlockImportParams, Verifier};
use std::sync::Arc;

/// Checks a block by the rules of the paper's algorithm 2, cheapest first.
pub struct PowVerifier<C> {
	chain: Arc<Chain<C>>,
}

impl<C> PowVerifier<C> {
	/// A verifier for blocks of `chain`.
	pub fn new(chain: Arc<Chain<C>>) -> Self {
		Self { chain }
	}
}

#[async_trait::async_trait]
impl<C: ChainClient> Verifier<Block> for PowVerifier<C> {
	async fn verify(
		&self,
		mut block: BlockImportParams<Block>,
	) -> Result<BlockImportParams<Block>, String> {
		let checked = self
			.chain
			.check_header(&block.header, unix_now())
			.and_then(|header| {
				self.chain
					.check_uncles(&header, block.body.as_deref(), unix_now())
			});
		if let Err(error) = checked {
			let (number, hash) = (block.header.number, block.header.hash());
			match &error {
				BlockError::Rejected(Rejection::Invalid(rule)) => {
					log::warn!(target: LOG_TARGET, "block #{number} ({hash}) is refused: {rule}")
				}
				other => log::debug!(target: LOG_TARGET, "block #{number} ({hash}): {other}"),
			}
			return Err(error.to_string());
		}
		// The runtime must see the header as it made it; the seal is put back on import.
		block.post_hash = Some(block.header.hash());
		block.post_digests.extend(block.header.digest.pop());
		Ok(block)
	}
}
