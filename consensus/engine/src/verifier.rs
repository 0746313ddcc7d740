//! The import queue's door: every rule that does not need the block's execution.
//!
//! All header rules are checked here and not at import, because only a failed verification costs
//! the peer that sent the block its reputation.
//!
//! Blocks are verified one after the other, so whoever waits here keeps all others waiting.

use crate::{
	chain::{unix_now, Chain, ChainClient},
	seldom::Seldom,
	BlockError, CheckError, LOG_TARGET,
};
use futures_timer::Delay;
use isthmus_primitives::{Block, BlockNumber};
use isthmus_rules::Rejection;
use polkadot_sdk::*;
use sc_consensus::{BlockImportParams, Verifier};
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

/// How long a sealed block from the future is waited for at most. Sync asks for it again at once, so
/// this is also the pace at which it can be offered.
const PATIENCE: Duration = Duration::from_secs(1);
/// So far finality may move while a block is on its way to us, and nobody is to blame.
const ON_ITS_WAY: BlockNumber = 8;
/// Under this key a block carries what kept us from checking it, for [`crate::PowBlockImport`].
pub(crate) const UNCHECKED: &[u8] = b"isthmus:unchecked";

/// Checks a block by the rules of the paper's algorithm 2, cheapest first.
pub struct PowVerifier<C> {
	chain: Arc<Chain<C>>,
	warnings: Seldom,
}

impl<C> PowVerifier<C> {
	/// A verifier for blocks of `chain`.
	pub fn new(chain: Arc<Chain<C>>) -> Self {
		Self {
			chain,
			warnings: Seldom::default(),
		}
	}
}

impl<C: ChainClient> PowVerifier<C> {
	fn check(&self, block: &BlockImportParams<Block>) -> Result<(), BlockError> {
		// First of all: such a block may be of any epoch, whose cache would be made.
		self.chain.check_above_finality(&block.header)?;
		let now = unix_now();
		let header = self.chain.check_header(&block.header, now)?;
		self.chain
			.check_body(&block.header, &header, block.body.as_deref(), now)
	}

	fn is_long_final(&self, number: BlockNumber) -> bool {
		let finalized = self.chain.client().info().finalized_number;
		number.saturating_add(ON_ITS_WAY) <= finalized
	}

	/// Warns of a block, once a minute for each kind of trouble.
	fn warn(&self, kind: &'static str, block: &BlockImportParams<Block>, trouble: &str) {
		let (number, hash) = (block.header.number, block.header.hash());
		match self.warnings.may_write(kind, Instant::now()) {
			Some(end) => {
				log::warn!(target: LOG_TARGET, "block #{number} ({hash}) {trouble}{end}")
			}
			None => log::debug!(target: LOG_TARGET, "block #{number} ({hash}) {trouble}"),
		}
	}
}

#[async_trait::async_trait]
impl<C: ChainClient> Verifier<Block> for PowVerifier<C> {
	async fn verify(
		&self,
		mut block: BlockImportParams<Block>,
	) -> Result<BlockImportParams<Block>, String> {
		let mut checked = self.check(&block);
		if let Err(BlockError::Rejected(Rejection::Transient(future))) = &checked {
			let early = Duration::from_secs(future.got.saturating_sub(future.latest));
			Delay::new(early.min(PATIENCE)).await;
			checked = self.check(&block);
		}
		if let Err(error) = checked {
			match error {
				BlockError::Rejected(Rejection::Invalid(rule)) => {
					self.warn(rule.name(), &block, &format!("is refused: {rule}"));
					return Err(rule.to_string());
				}
				// The clock that is wrong may be ours. An error here would cost the peer its connection;
				// import gives it, and that does not.
				BlockError::Rejected(Rejection::Transient(future)) => {
					let error = CheckError::TooEarly(future);
					self.warn(
						future.name(),
						&block,
						&format!("is from the future: {error}"),
					);
					block.insert_intermediate(UNCHECKED, error);
				}
				// Without blame, sync would ask the same peer for the same fork again, and again.
				BlockError::CouldNotCheck(error @ CheckError::BehindFinality(_))
					if self.is_long_final(block.header.number) =>
				{
					log::debug!(target: LOG_TARGET, "a block is refused: {error}");
					return Err(error.to_string());
				}
				BlockError::CouldNotCheck(error) => block.insert_intermediate(UNCHECKED, error),
			}
		}
		// The runtime must see the header as it made it; the seal is put back on import.
		block.post_hash = Some(block.header.hash());
		block.post_digests.extend(block.header.digest.pop());
		Ok(block)
	}
}
