// SPDX-License-Identifier: Apache-2.0
//! Remembers the nonces of answered queries, so that no query is answered twice. A nonce is the 16 random
//! bytes in a signed query; the query also names a recent block.
//!
//! A nonce is remembered as long as the block in its query is recent. After that, the node refuses the
//! query because the block is too old. Only the nonces of answered queries are remembered, so a caller
//! without access to any record cannot fill the memory.
//!
//! Nonces are not kept on disk. Instead, the database contains the newest block named in any answered
//! query. It is written before the first query with that block is answered. After a restart, the node only
//! accepts queries with later blocks, so it cannot answer one for a second time.

use isthmus_primitives::{AccountId, BlockNumber};
use std::collections::HashMap;

/// The maximum number of nonces remembered for one caller.
pub const MAX_PER_CALLER: usize = 1 << 16;
/// The maximum number of nonces for all callers together: about 30 MB. A caller can have at most half of
/// what other callers leave free, so when room is short, the most active callers are refused first.
pub const MAX_IN_ALL: usize = 1 << 19;

/// Why a nonce is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceError {
	/// The caller has already used it.
	Used,
	/// The caller has the maximum number of nonces for one caller, or at least as many as are still free
	/// for all.
	TooMany,
}

/// The used nonces by caller, each with the block named in its query.
#[derive(Debug, Default)]
pub struct Nonces {
	pub used: HashMap<AccountId, HashMap<[u8; 16], BlockNumber>>,
	pub count: usize,
	/// Nonces of queries with earlier blocks are no longer remembered.
	oldest: BlockNumber,
	/// The newest block of an answered query, as stored in the database.
	newest: Option<BlockNumber>,
}

impl Nonces {
	/// Creates an empty memory. `newest` is the newest block of the queries answered before the node
	/// started, from the database.
	pub fn new(newest: Option<BlockNumber>) -> Self {
		Self {
			oldest: newest.map_or(0, |block| block.saturating_add(1)),
			newest,
			..Self::default()
		}
	}

	/// Returns the oldest block that a query can name. `by_best_block` is the oldest one that the best
	/// block allows. The result never moves back, although the best block can.
	pub fn oldest(&self, by_best_block: BlockNumber) -> BlockNumber {
		self.oldest.max(by_best_block)
	}

	/// Returns whether the caller used this nonce.
	pub fn is_used(&self, caller: &AccountId, nonce: &[u8; 16]) -> bool {
		self.used
			.get(caller)
			.is_some_and(|nonces| nonces.contains_key(nonce))
	}

	/// Marks a nonce of a query with `block` as used, and removes the nonces of queries with blocks before
	/// `oldest`.
	pub fn take(
		&mut self,
		caller: &AccountId,
		nonce: [u8; 16],
		block: BlockNumber,
		oldest: BlockNumber,
	) -> Result<(), NonceError> {
		self.forget(oldest);
		if self.is_used(caller, &nonce) {
			return Err(NonceError::Used);
		}
		let left = MAX_IN_ALL.saturating_sub(self.count);
		let callers = self.used.get(caller).map_or(0, HashMap::len);
		if callers >= MAX_PER_CALLER.min(left) {
			return Err(NonceError::TooMany);
		}
		let nonces = self.used.entry(caller.clone()).or_default();
		nonces.insert(nonce, block);
		self.count += 1;
		Ok(())
	}

	/// Calls `keep` to write `block` if it is newer than all before it. Call this before answering a query
	/// with `block`.
	pub fn before_answer<E>(
		&mut self,
		block: BlockNumber,
		keep: impl FnOnce(BlockNumber) -> Result<(), E>,
	) -> Result<(), E> {
		if Some(block) > self.newest {
			keep(block)?;
			self.newest = Some(block);
		}
		Ok(())
	}

	/// Removes the nonces of queries with blocks before `oldest`, at most once per block.
	fn forget(&mut self, oldest: BlockNumber) {
		if oldest <= self.oldest {
			return;
		}
		self.oldest = oldest;
		self.used.retain(|_, nonces| {
			nonces.retain(|_, block| *block >= oldest);
			!nonces.is_empty()
		});
		self.count = self.used.values().map(HashMap::len).sum();
	}
}
