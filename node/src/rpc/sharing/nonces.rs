// SPDX-License-Identifier: Apache-2.0
//! Remembers which queries were answered, so that none is answered twice.
//!
//! A nonce is remembered as long as the block that was signed with it is recent; after that, the block
//! alone makes the node refuse the query. Only nonces of callers who were answered are remembered, so a
//! caller who may not read a record cannot fill the memory.
//!
//! Nonces are not kept on disk. The database has the newest block of all answered queries, written
//! before the first answer to a query that names it. After a restart a node accepts only queries signed
//! with later blocks, so that none is answered twice.

use isthmus_primitives::{AccountId, BlockNumber};
use std::collections::HashMap;

/// The most nonces of one caller that are remembered.
const MAX_PER_CALLER: usize = 1 << 16;
/// The most nonces of all callers together: about 30 MB. No caller may have more than are left: when room
/// is short, the node refuses the most active callers first.
const MAX_IN_ALL: usize = 1 << 19;

/// Why a nonce is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceError {
	/// The caller used it already.
	Used,
	/// The caller has the most that one may have, or more than are left for all.
	TooMany,
}

/// The used nonces by caller, each with the block that was signed with it.
#[derive(Debug, Default)]
pub(super) struct Nonces {
	used: HashMap<AccountId, HashMap<[u8; 16], BlockNumber>>,
	count: usize,
	/// Nonces signed with earlier blocks are forgotten.
	oldest: BlockNumber,
	/// The newest block of an answered query, as the database has it.
	newest: Option<BlockNumber>,
}

impl Nonces {
	/// Starts after the newest block that was answered before the node started, from the database.
	pub(super) fn new(newest: Option<BlockNumber>) -> Self {
		Self {
			oldest: newest.map_or(0, |block| block.saturating_add(1)),
			newest,
			..Self::default()
		}
	}

	/// Returns the oldest block that a query may name, given the oldest by the best block. It never moves
	/// back, though the best block may.
	pub(super) fn oldest(&self, by_best_block: BlockNumber) -> BlockNumber {
		self.oldest.max(by_best_block)
	}

	/// Returns whether the caller used this nonce.
	pub(super) fn is_used(&self, caller: &AccountId, nonce: &[u8; 16]) -> bool {
		self.used
			.get(caller)
			.is_some_and(|nonces| nonces.contains_key(nonce))
	}

	/// Uses a nonce that was signed with `block`, and forgets those signed before `oldest`.
	pub(super) fn take(
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

	/// Writes `block` by `keep` if it is the newest. Must come before the answer to a query that was signed
	/// with it.
	pub(super) fn before_answer<E>(
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

	/// Forgets the nonces signed before `oldest`, at most once a block.
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

#[cfg(test)]
mod tests {
	use super::*;

	const ALICE: AccountId = AccountId::new([1; 32]);
	const BOB: AccountId = AccountId::new([2; 32]);

	fn nonce(number: u64) -> [u8; 16] {
		u128::from(number).to_be_bytes()
	}

	#[test]
	fn a_nonce_serves_a_caller_once() {
		let mut nonces = Nonces::new(None);
		assert_eq!(nonces.take(&ALICE, nonce(1), 10, 0), Ok(()));
		assert!(nonces.is_used(&ALICE, &nonce(1)));
		assert_eq!(nonces.take(&ALICE, nonce(1), 11, 0), Err(NonceError::Used));
		assert_eq!(nonces.take(&ALICE, nonce(2), 10, 0), Ok(()));
		assert!(!nonces.is_used(&BOB, &nonce(1)));
		assert_eq!(nonces.take(&BOB, nonce(1), 10, 0), Ok(()));
	}

	#[test]
	fn a_nonce_is_forgotten_with_its_block_which_is_then_too_old() {
		let mut nonces = Nonces::new(Some(4));
		assert_eq!(nonces.oldest(3), 5);
		assert_eq!(nonces.take(&ALICE, nonce(1), 10, 5), Ok(()));
		assert_eq!(nonces.take(&ALICE, nonce(2), 11, 10), Ok(()));
		assert!(nonces.is_used(&ALICE, &nonce(1)));
		assert_eq!(nonces.take(&ALICE, nonce(3), 11, 11), Ok(()));
		assert!(!nonces.is_used(&ALICE, &nonce(1)));
		assert!(nonces.is_used(&ALICE, &nonce(2)));
		// The best block moved back: forgotten nonces stay refused.
		assert_eq!(nonces.oldest(4), 11);
		assert_eq!(nonces.count, 2);
	}

	#[test]
	fn one_callers_nonces_are_bounded() {
		let mut nonces = Nonces::new(None);
		for number in 0..MAX_PER_CALLER as u64 {
			assert_eq!(nonces.take(&ALICE, nonce(number), 10, 0), Ok(()));
		}
		let another = nonce(MAX_PER_CALLER as u64);
		assert_eq!(
			nonces.take(&ALICE, another, 10, 0),
			Err(NonceError::TooMany)
		);
		assert_eq!(nonces.take(&BOB, another, 10, 0), Ok(()));
		// There is room again after more blocks.
		assert_eq!(nonces.take(&ALICE, another, 11, 11), Ok(()));
	}

	#[test]
	fn the_most_active_caller_is_refused_and_a_newcomer_is_not() {
		let mut nonces = Nonces::new(None);
		let caller = |number: u8| AccountId::new([number; 32]);
		// More callers than the memory has full shares for, each taking all it gets, in turns.
		let greedy = 1..=20u8;
		let (mut number, mut refused) = (0u64, 0);
		while refused < greedy.len() {
			refused = 0;
			for greedy in greedy.clone() {
				number += 1;
				let taken = nonces.take(&caller(greedy), nonce(number), 10, 0);
				refused += usize::from(taken == Err(NonceError::TooMany));
			}
		}
		let share = nonces.used[&caller(1)].len();
		assert!(share.abs_diff(MAX_IN_ALL / 21) <= 20, "{share}");
		let newcomer = caller(99);
		for _ in 0..1000 {
			number += 1;
			assert_eq!(nonces.take(&newcomer, nonce(number), 10, 0), Ok(()));
		}
		let counted: usize = nonces.used.values().map(HashMap::len).sum();
		assert!(counted == nonces.count && counted <= MAX_IN_ALL);
	}

	#[test]
	fn a_refused_caller_takes_no_room() {
		let mut nonces = Nonces::new(None);
		nonces.count = MAX_IN_ALL;
		assert_eq!(
			nonces.take(&ALICE, nonce(1), 10, 0),
			Err(NonceError::TooMany)
		);
		assert!(nonces.used.is_empty());
	}

	#[test]
	fn a_query_from_before_a_restart_is_too_old_after_it() {
		let mut kept = None;
		let mut answer = |nonces: &mut Nonces, block| {
			nonces.before_answer(block, |block| {
				kept = Some(block);
				Ok::<_, ()>(())
			})
		};
		let mut nonces = Nonces::new(None);
		assert_eq!(nonces.oldest(0), 0);
		assert_eq!(answer(&mut nonces, 18), Ok(()));
		assert_eq!(answer(&mut nonces, 11), Ok(()));
		assert_eq!(kept, Some(18));
		let mut nonces = Nonces::new(kept);
		assert_eq!(nonces.oldest(10), 19);
		// A query whose block cannot be written must not be answered, now or on a retry.
		for _ in 0..2 {
			assert_eq!(nonces.before_answer(20, |_| Err("disk")), Err("disk"));
		}
		assert_eq!(nonces.before_answer(17, |_| Err("not newest")), Ok(()));
	}
}
