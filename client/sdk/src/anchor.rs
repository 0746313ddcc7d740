// SPDX-License-Identifier: Apache-2.0
//! Chooses a transaction's anchor: the recent block it is bound to, from which its lifetime is counted.

use crate::{block::BlockId, client::Client, error::Error, state::State, types::BlockNumber};
use isthmus_sharing::terms::LEAST_TIME;
use std::time::{Duration, Instant};

/// How many blocks a transaction stays valid by default. This is at least half an hour.
pub(crate) const LIFETIME: BlockNumber = 256;
/// The shortest lifetime, in blocks, that we accept for a transaction that must be included by a given block.
const SHORTEST_LIFETIME: BlockNumber = 8;
/// How far the anchor may be behind the best block: deep enough that a reorganisation is unlikely to replace
/// it, but recent enough that most of the lifetime remains.
const DEPTH: BlockNumber = 32;
/// How far the anchor may be behind the best block for a transaction that must be included by a given block.
const SHORT_DEPTH: BlockNumber = 2;
/// How long an anchor is reused. Choosing one takes up to seven requests, so an upload shares one anchor
/// among many chunks.
const MAX_AGE: Duration = Duration::from_secs(10);

// The producer has at least `LEAST_TIME` blocks to answer, so an answer signed at the start of that time
// always fits a valid lifetime. Lifetimes are encoded as powers of two.
const _: () = assert!(SHORTEST_LIFETIME <= LEAST_TIME && SHORTEST_LIFETIME.is_power_of_two());

impl Client {
	/// Returns the state whose metadata encodes a new transaction, its anchor, and how many blocks from there it stays valid.
	/// `last` is the last block that may include it, if it has a limit.
	///
	/// # Errors
	///
	/// Returns [`Error::TooLate`] if too few blocks are left until `last`.
	pub(crate) async fn mortality(
		&self,
		last: Option<BlockNumber>,
	) -> Result<(State, BlockId, BlockNumber), Error> {
		let Some(last) = last else {
			let (at, anchor) = self.recent_anchor().await?;
			return Ok((at, anchor, LIFETIME));
		};
		let (at, anchor) = self.anchor_within(SHORT_DEPTH).await?;
		let room = last.saturating_add(1).saturating_sub(anchor.number);
		match lifetime_within(room) {
			Some(lifetime) => Ok((at, anchor, lifetime)),
			None => Err(Error::TooLate { last }),
		}
	}

	/// Returns the state whose metadata encodes calls.
	pub(crate) async fn anchor(&self) -> Result<State, Error> {
		Ok(self.recent_anchor().await?.0)
	}

	async fn recent_anchor(&self) -> Result<(State, BlockId), Error> {
		let mut recent = self.0.anchor.lock().await;
		let now = Instant::now();
		if let Some(anchor) = recent.get(MAX_AGE, now) {
			return Ok(anchor);
		}
		let anchor = self.anchor_within(DEPTH).await?;
		recent.set(anchor.clone(), now);
		Ok(anchor)
	}

	/// Makes the next transaction choose a new anchor, for example after the node rejected one.
	pub(crate) async fn forget_anchor(&self) {
		self.0.anchor.lock().await.forget();
	}

	/// Returns the state after the last finalized block or, if it is later, the block that is `depth` blocks behind the best
	/// one, and this block. If that is the best block, as on a development chain, the anchor is its parent: a state knows the
	/// hashes of the blocks before its own only, so what is bound to the best block could be sent, but not rehearsed.
	async fn anchor_within(&self, depth: BlockNumber) -> Result<(State, BlockId), Error> {
		let finalized = self.finalized().await?;
		let best = self.best_number().await?;
		let low = best.saturating_sub(depth);
		let at = match finalized.block().number >= low {
			true => finalized,
			false => self.at_number(low).await?,
		};
		let mut anchor = at.block();
		if anchor.number >= best && best > 0 {
			let number = best.saturating_sub(1);
			match self.hash_at(number).await {
				Ok(hash) => anchor = BlockId { number, hash },
				// A node that begins with its best block, by warp sync, has none below it.
				Err(Error::NoSuchBlock(_)) => {}
				Err(error) => return Err(error),
			}
		}
		Ok((at, anchor))
	}
}

/// Returns the longest lifetime that ends within `blocks`, or `None` if it would be too short. Lifetimes are
/// encoded as powers of two.
fn lifetime_within(blocks: BlockNumber) -> Option<BlockNumber> {
	let lifetime = 1 << blocks.min(LIFETIME).checked_ilog2()?;
	(lifetime >= SHORTEST_LIFETIME).then_some(lifetime)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::recent::Recent;

	#[test]
	fn an_anchor_is_used_again_until_it_is_too_old_or_forgotten() {
		let (mut anchor, chosen) = (Recent::default(), Instant::now());
		let second = Duration::from_secs(1);
		assert_eq!(anchor.get(MAX_AGE, chosen), None);
		anchor.set(7, chosen);
		assert_eq!(anchor.get(MAX_AGE, chosen), Some(7));
		assert_eq!(anchor.get(MAX_AGE, chosen + 9 * second), Some(7));
		assert_eq!(anchor.get(MAX_AGE, chosen + 10 * second), None);
		anchor.set(8, chosen + 10 * second);
		assert_eq!(anchor.get(MAX_AGE, chosen + 19 * second), Some(8));
		anchor.forget();
		assert_eq!(anchor.get(MAX_AGE, chosen + 10 * second), None);
	}

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
