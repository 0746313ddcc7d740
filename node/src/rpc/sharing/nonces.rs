//! Which questions were answered already, so that none is answered twice.
//!
//! A nonce is remembered as long as the block that was signed with it is recent; before that, the
//! block alone refuses the question. Only those of callers who were answered are remembered: who may
//! not read a record cannot fill the memory.
//!
//! Nonces are not kept on disk. What is kept is the newest block of all answered questions, written
//! before the first answer to a question that names it: a node that starts again takes only questions
//! signed with later blocks, so that none is answered twice.

use isthmus_primitives::{AccountId, BlockNumber};
use std::collections::HashMap;

/// The most nonces of one caller that are remembered at a time.
const MAX_PER_CALLER: usize = 1 << 16;
/// The most nonces of all callers together: about 30 MB. No caller may have more than are left, so that
/// where room grows short, who has most is refused, and who has few is not.
const MAX_IN_ALL: usize = 1 << 19;

/// Why a nonce is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceError {
	/// The caller used it already.
	Used,
	/// The caller has as many as one may, or more than are left for all.
	TooMany,
}

/// The nonces that were used, by caller, each with the block that was signed with it.
#[derive(Debug, Default)]
pub(super) struct Nonces {
	used: HashMap<AccountId, HashMap<[u8; 16], BlockNumber>>,
	count: usize,
	/// Nonces signed with earlier blocks are forgotten.
	oldest: BlockNumber,
	/// The newest block of an answered question, as it is kept on disk.
	newest: Option<BlockNumber>,
}

impl Nonces {
	/// Remembers from after the newest block of what was answered before the start, as it was kept.
	pub(super) fn new(newest: Option<BlockNumber>) -> Self {
		Self {
			oldest: newest.map_or(0, |block| block.saturating_add(1)),
			newest,
			..Self::default()
		}
	}

	/// The oldest block that a question may name, where by the best block it would be this one. It
	/// never moves back, though the best block may.
	pub(super) fn oldest(&self, by_best_block: BlockNumber) -> BlockNumber {
		self.oldest.max(by_best_block)
	}

	/// Whether the caller used this nonce.
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

	/// Must come before the answer to a question that was signed with `block`: has the block kept, where
	/// it is the newest.
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

	/// At most once a block.
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
		// The best block moved back: what was forgotten stays refused.
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
		// There is room again when the chain has moved on.
		assert_eq!(nonces.take(&ALICE, another, 11, 11), Ok(()));
	}

	#[test]
	fn who_has_most_is_refused_and_who_has_none_is_not() {
		let mut nonces = Nonces::new(None);
		let caller = |number: u8| AccountId::new([number; 32]);
		// More callers than the memory has shares for, all of them greedy, in turns.
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
	fn who_is_refused_takes_no_room() {
		let mut nonces = Nonces::new(None);
		nonces.count = MAX_IN_ALL;
		assert_eq!(
			nonces.take(&ALICE, nonce(1), 10, 0),
			Err(NonceError::TooMany)
		);
		assert!(nonces.used.is_empty());
	}

	#[test]
	fn what_could_be_answered_before_a_start_is_too_old_after_it() {
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
		// What cannot be kept must not be answered, now or when it is asked again.
		for _ in 0..2 {
			assert_eq!(nonces.before_answer(20, |_| Err("disk")), Err("disk"));
		}
		assert_eq!(nonces.before_answer(17, |_| Err("not newest")), Ok(()));
	}
}
