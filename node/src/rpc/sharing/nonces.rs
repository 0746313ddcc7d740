// SPDX-License-Identifier: Apache-2.0
//! Remembers which queries were answered, so that no query is answered twice.
//!
//! A nonce is remembered while the block that was signed with it is recent; after that, the node refuses
//! the query because of its block. Only nonces of callers who were answered are remembered, so a caller who
//! may not read a record cannot fill the memory.
//!
//! Nonces are not kept on disk. The database contains the newest block of all answered queries, written
//! before the first query with that block is answered. After a restart, a node only accepts queries signed
//! with later blocks, so that no query is answered twice.

use isthmus_primitives::{AccountId, BlockNumber};
use std::collections::HashMap;

/// The maximum number of nonces remembered for one caller.
pub const MAX_PER_CALLER: usize = 1 << 16;
/// The maximum number of nonces for all callers together: about 30 MB. No caller may have more nonces than
/// the number still free: when room is short, the node refuses the most active callers first.
pub const MAX_IN_ALL: usize = 1 << 19;

/// Why a nonce is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceError {
	/// The caller has already used it.
	Used,
	/// The caller has the maximum number for one caller, or at least as many as are still free for all.
	TooMany,
}

/// The used nonces by caller, each with the block that was signed with it.
#[derive(Debug, Default)]
pub struct Nonces {
	pub used: HashMap<AccountId, HashMap<[u8; 16], BlockNumber>>,
	pub count: usize,
	/// Nonces signed with earlier blocks are no longer remembered.
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

	/// Returns the oldest block that a query may name, given the oldest allowed by the best block. It never
	/// moves back, although the best block may.
	pub fn oldest(&self, by_best_block: BlockNumber) -> BlockNumber {
		self.oldest.max(by_best_block)
	}

	/// Returns whether the caller used this nonce.
	pub fn is_used(&self, caller: &AccountId, nonce: &[u8; 16]) -> bool {
		self.used
			.get(caller)
			.is_some_and(|nonces| nonces.contains_key(nonce))
	}

	/// Uses a nonce signed with `block`, and removes the nonces signed before `oldest`.
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

	/// Writes `block` with `keep` if it is the newest. Must be called before answering a query signed with
	/// `block`.
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

	/// Removes the nonces signed before `oldest`, at most once per block.
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
