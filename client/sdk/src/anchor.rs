// SPDX-License-Identifier: Apache-2.0
//! The block that a transaction is bound to, which decides how long the transaction is valid.

use crate::{client::Client, error::Error, state::State, types::BlockNumber};
use std::time::{Duration, Instant};

/// The number of blocks for which a transaction is valid: at least half an hour.
const LIFETIME: BlockNumber = 256;
/// The minimum lifetime of a transaction with a last block, in blocks.
const SHORTEST_LIFETIME: BlockNumber = 8;
/// How far the anchor may be behind the best block: deep enough that a reorganisation hardly replaces it,
/// recent enough that most of the lifetime is left.
const DEPTH: BlockNumber = 32;
/// The same for a transaction with a last block.
const SHORT_DEPTH: BlockNumber = 2;
/// How long an anchor is reused. Choosing one takes up to seven requests, so an upload chooses one for many
/// chunks and not a new one per chunk.
const MAX_AGE: Duration = Duration::from_secs(10);

impl Client {
	/// Returns the block to bind a transaction to, and the number of blocks from there on for which the
	/// transaction is valid.
	///
	/// # Errors
	///
	/// Returns [`Error::TooLate`] if too few blocks are left until `last`.
	pub(crate) async fn mortality(
		&self,
		last: Option<BlockNumber>,
	) -> Result<(State, BlockNumber), Error> {
		let Some(last) = last else {
			return Ok((self.anchor().await?, LIFETIME));
		};
		let at = self.anchor_within(SHORT_DEPTH).await?;
		let room = last.saturating_add(1).saturating_sub(at.block().number);
		match lifetime_within(room) {
			Some(lifetime) => Ok((at, lifetime)),
			None => Err(Error::TooLate { last }),
		}
	}

	/// Returns a block that a transaction can be bound to. Its metadata encodes calls.
	pub(crate) async fn anchor(&self) -> Result<State, Error> {
		let mut anchor = self.0.anchor.lock().await;
		match &*anchor {
			Some((state, chosen)) if chosen.elapsed() < MAX_AGE => Ok(state.clone()),
			_ => {
				let state = self.anchor_within(DEPTH).await?;
				*anchor = Some((state.clone(), Instant::now()));
				Ok(state)
			}
		}
	}

	/// Makes the next transaction choose a new anchor, for example after the node rejected one.
	pub(crate) async fn forget_anchor(&self) {
		*self.0.anchor.lock().await = None;
	}

	/// Returns the last finalized block, or the block that is `depth` blocks behind the best one if that is
	/// later.
	async fn anchor_within(&self, depth: BlockNumber) -> Result<State, Error> {
		let finalized = self.finalized().await?;
		let low = self.best_number().await?.saturating_sub(depth);
		if finalized.block().number >= low {
			return Ok(finalized);
		}
		self.at_number(low).await
	}
}

/// Returns the longest lifetime that ends within `blocks`. The encoding supports only powers of two.
fn lifetime_within(blocks: BlockNumber) -> Option<BlockNumber> {
	let lifetime = 1 << blocks.min(LIFETIME).checked_ilog2()?;
	(lifetime >= SHORTEST_LIFETIME).then_some(lifetime)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_transaction_does_not_outlive_its_last_block() {
		let expected = [
			(0, None),
			(7, None),
			(8, Some(8)),
			(15, Some(8)),
			(16, Some(16)),
			(19, Some(16)),
			(256, Some(256)),
			(BlockNumber::MAX, Some(LIFETIME)),
		];
		for (blocks, lifetime) in expected {
			assert_eq!(lifetime_within(blocks), lifetime, "{blocks}");
		}
	}
}
