// SPDX-License-Identifier: Apache-2.0
//! Remembers blocks that satisfy every header rule but whose import failed, so that they are not retried
//! forever.
//!
//! An import error says nothing about the peer, since our own database may have failed. So sync requests the
//! same block from the same peer again at once. If failures were not remembered, one proof of work would be
//! enough to make us execute a block any number of times. If a remembered block is itself at fault, import
//! returns "known bad" for it, and the peer that sent it loses its connection and reputation. If the fault
//! may be ours, the peer is not penalised, and the block is retried after a pause.

use isthmus_primitives::Hash;
use polkadot_sdk::sp_blockchain;
use std::{
	collections::VecDeque,
	time::{Duration, Instant},
};

/// How many times a block is tried: more than once, because the first failure may be our own fault.
const TRIES: u32 = 2;
/// How long a block is known as bad. It is retried after that, in case the fault was ours after all.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// The pause after failures that may be our own fault.
const PAUSE: Duration = Duration::from_secs(10);
/// How many blocks are remembered. Each of them cost its miner a proof of work.
const REMEMBERED: usize = 256;

/// The blocks whose import failed lately, in the order of their last failure.
#[derive(Default)]
pub(crate) struct FailedImports(VecDeque<Failure>);

struct Failure {
	block: Hash,
	faults: Faults,
	last: Instant,
}

/// How many times a block's import failed, counted by who was at fault.
#[derive(Clone, Copy, Default)]
struct Faults {
	block: u32,
	unclear: u32,
}

/// Whose fault it is that an import failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
	/// The fault is the block's: the runtime rejects it, or its state root is wrong.
	Block,
	/// The fault may be our own: for example a full disk, a failing database, or finality that moved
	/// meanwhile.
	Unclear,
}

/// What to do with a block that is about to be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
	/// Try it.
	Try,
	/// Reject it: it failed too often, through its own fault.
	Bad,
	/// Retry it later: it failed too often just now, perhaps through our own fault.
	NotNow,
}

impl Fault {
	/// Decides whose fault an error from import or from the runtime is. The client returns its errors only as
	/// text, so the fault is unclear unless the text is known to mean a fault of the block.
	pub(crate) fn of(error: &impl ToString) -> Self {
		let text = error.to_string();
		let state_root = sp_blockchain::Error::InvalidStateRoot.to_string();
		let faults_of_the_block = [
			state_root.as_str(),
			"Execution aborted due to panic",
			"Execution aborted due to trap",
		];
		if faults_of_the_block.iter().any(|fault| text.contains(fault)) {
			Self::Block
		} else {
			Self::Unclear
		}
	}
}

impl FailedImports {
	/// Remembers that a block's import failed.
	pub(crate) fn note(&mut self, block: Hash, fault: Fault, now: Instant) {
		let before = self.0.iter().position(|failure| failure.block == block);
		let mut faults = before
			.and_then(|index| self.0.remove(index))
			.filter(|failure| !failure.is_older(KNOWN_FOR, now))
			.map_or_else(Faults::default, |failure| failure.faults);
		let count = match fault {
			Fault::Block => &mut faults.block,
			Fault::Unclear => &mut faults.unclear,
		};
		*count = count.saturating_add(1);
		if self.0.len() == REMEMBERED {
			self.0.pop_front();
		}
		self.0.push_back(Failure {
			block,
			faults,
			last: now,
		});
	}

	/// Returns whether to try the block now.
	pub(crate) fn verdict(&self, block: Hash, now: Instant) -> Verdict {
		let Some(failure) = self.0.iter().find(|failure| failure.block == block) else {
			return Verdict::Try;
		};
		let Faults { block, unclear } = failure.faults;
		if block >= TRIES && !failure.is_older(KNOWN_FOR, now) {
			Verdict::Bad
		} else if unclear >= TRIES && !failure.is_older(PAUSE, now) {
			Verdict::NotNow
		} else {
			Verdict::Try
		}
	}
}

impl Failure {
	fn is_older(&self, age: Duration, now: Instant) -> bool {
		now.saturating_duration_since(self.last) >= age
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use polkadot_sdk::{
		sc_executor::error::{Error as ExecutorError, MessageWithBacktrace},
		sp_api::ApiError,
		sp_consensus::Error as ConsensusError,
	};

	#[test]
	fn a_block_is_bad_from_its_second_failure_until_it_is_forgotten() {
		let (mut failed, start) = (FailedImports::default(), Instant::now());
		let (block, other) = (Hash::repeat_byte(1), Hash::repeat_byte(2));
		failed.note(block, Fault::Block, start);
		assert_eq!(failed.verdict(block, start), Verdict::Try);
		failed.note(block, Fault::Block, start);
		assert_eq!(failed.verdict(block, start), Verdict::Bad);
		assert_eq!(failed.verdict(other, start), Verdict::Try);
		let later = start + KNOWN_FOR;
		assert_eq!(failed.verdict(block, later), Verdict::Try);
		failed.note(block, Fault::Block, later);
		// A failure that was removed does not count.
		assert_eq!(failed.verdict(block, later), Verdict::Try);
	}

	#[test]
	fn a_failure_that_may_be_ours_does_not_make_the_block_bad_and_is_retried_after_a_pause() {
		let (mut failed, mut now) = (FailedImports::default(), Instant::now());
		let block = Hash::repeat_byte(1);
		failed.note(block, Fault::Unclear, now);
		assert_eq!(failed.verdict(block, now), Verdict::Try);
		for _ in 0..10 {
			failed.note(block, Fault::Unclear, now);
			assert_eq!(failed.verdict(block, now), Verdict::NotNow);
			now += PAUSE;
			assert_eq!(failed.verdict(block, now), Verdict::Try);
		}
	}

	#[test]
	fn the_memory_is_bounded_and_keeps_the_newest() {
		let (mut failed, now) = (FailedImports::default(), Instant::now());
		for number in 0..=REMEMBERED as u64 {
			let block = Hash::from_low_u64_be(number);
			failed.note(block, Fault::Block, now);
			failed.note(block, Fault::Block, now);
		}
		assert_eq!(failed.0.len(), REMEMBERED);
		assert_eq!(failed.verdict(Hash::from_low_u64_be(0), now), Verdict::Try);
		let newest = Hash::from_low_u64_be(REMEMBERED as u64);
		assert_eq!(failed.verdict(newest, now), Verdict::Bad);
	}

	#[test]
	fn errors_of_the_client_are_judged_correctly() {
		let import = |error: sp_blockchain::Error| {
			Fault::of(&ConsensusError::ClientImport(error.to_string()))
		};
		let message = || MessageWithBacktrace {
			message: "Transaction is invalid".into(),
			backtrace: None,
		};
		for error in [
			ExecutorError::AbortedDueToPanic(message()),
			ExecutorError::AbortedDueToTrap(message()),
		] {
			let error = sp_blockchain::Error::Execution(Box::new(error));
			let error = ApiError::Application(Box::new(error));
			assert_eq!(Fault::of(&error), Fault::Block);
			assert_eq!(import(error.into()), Fault::Block);
		}
		assert_eq!(import(sp_blockchain::Error::InvalidStateRoot), Fault::Block);
		for error in [
			sp_blockchain::Error::Backend("No space left on device".into()),
			sp_blockchain::Error::NotInFinalizedChain,
			sp_blockchain::Error::StateDatabase("pruned".into()),
			sp_blockchain::Error::UnknownBlock("State already discarded".into()),
		] {
			assert_eq!(import(error), Fault::Unclear);
		}
	}
}
