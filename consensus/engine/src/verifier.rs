//! The import queue's door: every rule that does not need the block's execution.
//!
//! All header rules are checked here and not at import, because only a failed verification costs
//! the peer that sent the block its reputation.

use crate::{
	chain::{unix_now, Chain, ChainClient},
	BlockError, LOG_TARGET,
};
use futures_timer::Delay;
use isthmus_primitives::Block;
use isthmus_rules::Rejection;
use polkadot_sdk::*;
use sc_consensus::{BlockImportParams, Verifier};
use std::{sync::Arc, time::Duration};

/// How long a block from the future is waited for. Clocks that differ by more are wrong.
const PATIENCE_SECONDS: u64 = 60;
/// Under this key a block carries what kept us from checking it, for [`crate::PowBlockImport`].
pub(crate) const UNCHECKED: &[u8] = b"isthmus:unchecked";

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

impl<C: ChainClient> PowVerifier<C> {
	fn check(&self, block: &BlockImportParams<Block>) -> Result<(), BlockError> {
		let now = unix_now();
		let header = self.chain.check_header(&block.header, now)?;
		self.chain
			.check_body(&block.header, &header, block.body.as_deref(), now)
	}
}

#[async_trait::async_trait]
impl<C: ChainClient> Verifier<Block> for PowVerifier<C> {
	async fn verify(
		&self,
		mut block: BlockImportParams<Block>,
	) -> Result<BlockImportParams<Block>, String> {
		let checked = loop {
			match self.check(&block) {
				Err(BlockError::Rejected(Rejection::Transient(future)))
					if future.got.saturating_sub(future.latest) <= PATIENCE_SECONDS =>
				{
					let early = future.got.saturating_sub(future.latest);
					Delay::new(Duration::from_secs(early)).await
				}
				checked => break checked,
			}
		};
		if let Err(error) = checked {
			let (number, hash) = (block.header.number, block.header.hash());
			match error {
				BlockError::Rejected(Rejection::Invalid(rule)) => {
					log::warn!(target: LOG_TARGET, "block #{number} ({hash}) is refused: {rule}");
					return Err(rule.to_string());
				}
				BlockError::Rejected(future) => return Err(future.to_string()),
				// An error here would cost the peer its connection. Import gives it, and that does not.
				BlockError::CouldNotCheck(error) => block.insert_intermediate(UNCHECKED, error),
			}
		}
		// The runtime must see the header as it made it; the seal is put back on import.
		block.post_hash = Some(block.header.hash());
		block.post_digests.extend(block.header.digest.pop());
		Ok(block)
	}
}
