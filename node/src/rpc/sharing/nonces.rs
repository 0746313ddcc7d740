//! Which questions were answered already, so that none is answered twice.
//!
//! A nonce is remembered as long as the block that was signed with it is recent; before that, the
//! block alone refuses the question. Only those of callers who were answered are remembered: who may
//! not read a record cannot fill the memory.
//!
//! It is not kept on disk. A node that starts takes no question signed before the block that it
//! starts at, so that only what was asked at that very block, and nothing older, may be asked again.

use isthmus_primitives::{AccountId, BlockNumber};
use std::collections::HashMap;

/// The most nonces of one caller that are remembered at a time.
const MAX_PER_CALLER: usize = 1 << 16;
/// The most nonces of all callers together: about 30 MB.
const MAX_IN_ALL: usize = 1 << 19;

/// Why a nonce is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceError {
	/// The caller used it already.
	Used,
	/// The memory for this caller, or for all, is full.
	TooMany,
}

/// The nonces that were used, by caller, each with the block that was signed with it.
#[derive(Debug, Default)]
pub(super) struct Nonces {
	used: HashMap<AccountId, HashMap<[u8; 16], BlockNumber>>,
	count: usize,
	/// Nonces signed with earlier blocks are forgotten.
	oldest: BlockNumber,
}

impl Nonces {
	/// Remembers from this block on.
	pub(super) fn new(oldest: BlockNumber) -> Self {
		Self {
			oldest,
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
		let nonces = self.used.entry(caller.clone()).or_default();
		if nonces.len() >= MAX_PER_CALLER || self.count >= MAX_IN_ALL {
			return Err(NonceError::TooMany);
		}
		nonces.insert(nonce, block);
		self.count += 1;
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
		let mut nonces = Nonces::new(0);
		assert_eq!(nonces.take(&ALICE, nonce(1), 10, 0), Ok(()));
		assert!(nonces.is_used(&ALICE, &nonce(1)));
		assert_eq!(nonces.take(&ALICE, nonce(1), 11, 0), Err(NonceError::Used));
		assert_eq!(nonces.take(&ALICE, nonce(2), 10, 0), Ok(()));
		assert!(!nonces.is_used(&BOB, &nonce(1)));
		assert_eq!(nonces.take(&BOB, nonce(1), 10, 0), Ok(()));
	}

	#[test]
	fn a_nonce_is_forgotten_with_its_block_which_is_then_too_old() {
		let mut nonces = Nonces::new(5);
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
		let mut nonces = Nonces::new(0);
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
}
