// SPDX-License-Identifier: Apache-2.0
//! Verifies blocks in the import queue against every rule that does not need the block's execution.
//!
//! All header rules are checked here and not at import, because only a failed verification costs the peer
//! that sent the block its reputation.
//!
//! Blocks are verified one after the other, so a block that waits here delays all others.

use crate::{
	chain::{Chain, ChainClient},
	clock::unix_now,
	error::{BlockError, CheckError},
	rate_limit::RateLimitedLog,
	refusals::Refused,
	unchecked, LOG_TARGET,
};
use isthmus_primitives::{Block, BlockNumber};
use isthmus_rules::Rejection;
use polkadot_sdk::*;
use sc_consensus::{BlockImportParams, Verifier};
use std::sync::Arc;

/// Finality may advance by this many blocks while a block is on its way to us. The block's sender is not
/// penalised for that.
const ON_ITS_WAY: BlockNumber = 8;

/// Verifies a block against the rules of the paper's algorithm 2, cheapest first.
pub struct PowVerifier<C> {
	chain: Arc<Chain<C>>,
	warnings: RateLimitedLog,
}

impl<C> PowVerifier<C> {
	/// Creates a verifier for blocks of `chain`.
	pub fn new(chain: Arc<Chain<C>>) -> Self {
		Self {
			chain,
			warnings: RateLimitedLog::default(),
		}
	}
}

impl<C: ChainClient> PowVerifier<C> {
	fn check(&self, block: &BlockImportParams<Block>) -> Result<(), BlockError> {
		// This comes first, because such a block may be of any epoch, and that epoch's cache would be made.
		self.chain.check_above_finality(&block.header)?;
		if block.with_state() {
			let body = block.body.as_deref();
			return self.chain.check_history_start(&block.header, body);
		}
		let now = unix_now();
		let header = self.chain.check_header(&block.header, now)?;
		self.chain
			.check_body(&block.header, &header, block.body.as_deref(), now)
	}

	/// Returns whether a block with this number was finalized so long ago that its sender must know it.
	fn is_long_finalized(&self, number: BlockNumber) -> bool {
		let finalized = self.chain.client().info().finalized_number;
		number.saturating_add(ON_ITS_WAY) <= finalized
	}
}

#[async_trait::async_trait]
impl<C: ChainClient> Verifier<Block> for PowVerifier<C> {
	async fn verify(
		&self,
		mut block: BlockImportParams<Block>,
	) -> Result<BlockImportParams<Block>, String> {
		if let Err(error) = self.check(&block) {
			match error {
				BlockError::Rejected(Rejection::Invalid(rule)) => {
					self.chain.refusals.count(Refused::Block, rule.name());
					let rejected = format!("is rejected: {rule}");
					self.warnings.warn_of(rule.name(), &block.header, &rejected);
					return Err(rule.to_string());
				}
				// Our own clock may be wrong. An error here would cost the peer its connection, while the
				// same error from import does not.
				BlockError::Rejected(Rejection::Transient(future)) => {
					self.chain.refusals.count(Refused::Block, future.name());
					let error = CheckError::TooEarly(future);
					self.warnings.warn_of(
						future.name(),
						&block.header,
						&format!("is from the future: {error}"),
					);
					unchecked::mark(&mut block, error);
				}
				// Without a penalty, sync would request the same fork from the same peer again and again.
				BlockError::CouldNotCheck(error @ CheckError::BehindFinality(_))
					if self.is_long_finalized(block.header.number) =>
				{
					log::debug!(target: LOG_TARGET, "rejecting a block: {error}");
					return Err(error.to_string());
				}
				BlockError::CouldNotCheck(error) => unchecked::mark(&mut block, error),
			}
		}
		// The runtime must see the header as it produced it, without the seal. Import adds the seal again.
		block.post_hash = Some(block.header.hash());
		block.post_digests.extend(block.header.digest.pop());
		Ok(block)
	}
}
