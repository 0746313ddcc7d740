// SPDX-License-Identifier: Apache-2.0
//! Long waits: after a while, a client says what it waits for and what the chain does meanwhile.

use crate::{lock::Holder, types::BlockNumber};
use std::{
	fmt,
	future::Future,
	pin::pin,
	time::{Duration, Instant},
};
use tokio::time::timeout;

/// How long to wait in silence. After that, the time between two reports doubles.
pub(crate) const SILENCE: Duration = Duration::from_secs(20);
/// The same for another program, which nothing on the chain holds up.
pub(crate) const SHORT_SILENCE: Duration = Duration::from_secs(5);
/// How long to ask the node about the chain for a report.
pub(crate) const ASKING: Duration = Duration::from_secs(5);

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
	/// A block that includes a transaction.
	Block,
	/// The finality of the block with a transaction.
	Finality,
	/// The finality of what the node showed.
	FinalState,
	/// The finality of a request's block.
	Request,
	/// The answer to a request.
	Answer,
	/// The answer to a request whose block is not finalized yet.
	EarlyAnswer,
	/// Earlier transactions of the same account, which are in flight.
	Earlier,
	/// Another program on this machine, which sends a transaction of the same account.
	OtherSender,
	/// Another program on this machine, which stores the same record.
	OtherUpload,
	/// Another program on this machine, which stores an object or a packed folder in the same dataset.
	OtherObject,
	/// Another program on this machine, which fetches to the same file.
	OtherFetch,
	/// Another program on this machine, which revokes a grant of the same owner.
	OtherRevocation,
	/// Another program on this machine, which makes an erasable dataset or epoch of the same owner.
	OtherErasable,
}

impl Wait {
	/// Returns what is missing of a transaction, which may have to be finalized.
	pub(crate) fn of_transaction(is_in_block: bool, finalized: bool) -> Self {
		match is_in_block && finalized {
			true => Self::Finality,
			false => Self::Block,
		}
	}

	/// Returns what is missing of the answer to a request that was seen in the block `shown`, by the numbers of the best block and
	/// of the last finalized one.
	pub(crate) fn of_answer(
		shown: BlockNumber,
		blocks: Option<(BlockNumber, BlockNumber)>,
	) -> Self {
		match blocks {
			Some((_, finalized)) if finalized < shown => Self::EarlyAnswer,
			_ => Self::Answer,
		}
	}
}

/// A long wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
	/// The reason for it.
	pub what: Wait,
	/// How long it has lasted.
	pub since: Duration,
	/// The numbers of the best block and of the last finalized one; `None` if the node did not answer.
	pub blocks: Option<(BlockNumber, BlockNumber)>,
	/// Whether the best block is later than when this wait began, or than in its last report.
	pub grows: bool,
	/// The program that is waited for, if it is known.
	pub holder: Option<Holder>,
}

impl fmt::Display for Waiting {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let seconds = self.since.as_secs();
		f.write_str(match self.what {
			Wait::Block => "waiting for a block with the transaction",
			Wait::Finality => "waiting until the transaction is finalized",
			Wait::FinalState => {
				"waiting until this is finalized, because only then a node can prove it"
			}
			Wait::Request => "waiting until the request is finalized",
			Wait::Answer | Wait::EarlyAnswer => "waiting for the owner's answer",
			Wait::Earlier => "waiting for earlier transactions of the account",
			Wait::OtherSender => {
				"waiting for another program that sends a transaction of the account"
			}
			Wait::OtherUpload => "waiting for another program that stores the same record",
			Wait::OtherObject => {
				"waiting for another program that stores objects in the same dataset"
			}
			Wait::OtherFetch => "waiting for another program that fetches to the same file",
			Wait::OtherRevocation => "waiting for another program that revokes a grant",
			Wait::OtherErasable => {
				"waiting for another program that makes an erasable dataset or epoch"
			}
		})?;
		if let Some(holder) = &self.holder {
			write!(f, " ({holder})")?;
		}
		write!(f, ", for {seconds} s")?;
		match (self.what, self.blocks) {
			(
				Wait::OtherSender
				| Wait::OtherUpload
				| Wait::OtherObject
				| Wait::OtherFetch
				| Wait::OtherRevocation
				| Wait::OtherErasable,
				_,
			) => Ok(()),
			(_, None) => f.write_str("; the node does not answer"),
			(Wait::Finality | Wait::FinalState | Wait::Request, Some((best, finalized))) => write!(
				f,
				"; the best block is {best}, the last finalized one {finalized}. More than two thirds of the verifiers have to vote for it"
			),
			(Wait::EarlyAnswer, Some((best, finalized))) if self.grows => write!(
				f,
				"; the best block is {best}, the last finalized one {finalized}. Most owners answer a request when its block is finalized: more than two thirds of the verifiers have to vote for it"
			),
			(_, Some((best, _))) if self.grows => {
				write!(f, "; the best block is {best}, and more come")
			}
			(_, Some((best, _))) => {
				write!(f, "; the best block is {best}. Does a node mine?")
			}
		}
	}
}

/// By how many blocks finality is behind if it stands still. Verifiers vote for a block that a few others follow.
const FAR_BEHIND: BlockNumber = 16;

/// Blocks come, but none is finalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standstill {
	/// The number of the best block.
	pub best: BlockNumber,
	/// The number of the last finalized one.
	pub finalized: BlockNumber,
}

impl Standstill {
	/// Returns whether there is one, by the numbers of the best block and of the last finalized one.
	pub(crate) fn of(best: BlockNumber, finalized: BlockNumber) -> Option<Self> {
		let is_one = best.saturating_sub(finalized) >= FAR_BEHIND;
		is_one.then_some(Self { best, finalized })
	}
}

impl fmt::Display for Standstill {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { best, finalized } = self;
		write!(
			f,
			"no new block is finalized; the best block is {best}, the last finalized one {finalized}. More than two thirds of the verifiers have to vote for it"
		)
	}
}

/// Receives the reports of long waits.
pub(crate) type Tell = Box<dyn Fn(&Waiting) + Send + Sync>;

/// Waits for something. Calls `tell` after `silence`, and then again after twice the time, and so on.
pub(crate) async fn report<T, Told>(
	silence: Duration,
	done: impl Future<Output = T>,
	mut tell: impl FnMut(Duration) -> Told,
) -> T
where
	Told: Future<Output = ()>,
{
	let (start, mut silence) = (Instant::now(), silence);
	let mut done = pin!(done);
	loop {
		if let Ok(done) = timeout(silence, &mut done).await {
			return done;
		}
		tell(start.elapsed()).await;
		silence = silence.saturating_mul(2);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use tokio::sync::Notify;

	#[tokio::test]
	async fn a_long_wait_is_reported_until_it_ends() {
		let (told, mut count) = (Notify::new(), 0);
		let done = async {
			told.notified().await;
			7
		};
		let seven = report(Duration::from_millis(1), done, |_| {
			count += 1;
			if count == 3 {
				told.notify_one();
			}
			async {}
		});
		assert_eq!(seven.await, 7);
		assert_eq!(count, 3);
		let tell = |_| async { panic!("nothing was waited for") };
		assert_eq!(report(Duration::MAX, async { 8 }, tell).await, 8);
	}

	#[test]
	fn votes_are_missing_only_of_what_is_in_a_block() {
		assert_eq!(Wait::of_transaction(false, true), Wait::Block);
		assert_eq!(Wait::of_transaction(false, false), Wait::Block);
		assert_eq!(Wait::of_transaction(true, true), Wait::Finality);
		assert_eq!(Wait::of_answer(7, Some((20, 6))), Wait::EarlyAnswer);
		assert_eq!(Wait::of_answer(7, Some((20, 7))), Wait::Answer);
		assert_eq!(Wait::of_answer(7, None), Wait::Answer);
	}

	#[test]
	fn a_report_says_why_nothing_happens() {
		let waiting = |what, blocks| Waiting {
			what,
			since: Duration::from_secs(20),
			blocks,
			grows: false,
			holder: None,
		};
		let moving = Waiting {
			grows: true,
			..waiting(Wait::Block, Some((9, 3)))
		};
		assert!(moving
			.to_string()
			.ends_with("the best block is 9, and more come"));
		let early = Waiting {
			grows: true,
			..waiting(Wait::EarlyAnswer, Some((9, 3)))
		};
		let early = early.to_string();
		assert!(
			early.contains("the last finalized one 3. Most owners answer a request when"),
			"{early}"
		);
		let holder = Holder {
			process: 7,
			command: "isthmus store a".into(),
		};
		let held = Waiting {
			holder: Some(holder),
			..waiting(Wait::OtherUpload, None)
		};
		assert_eq!(
			held.to_string(),
			"waiting for another program that stores the same record (`isthmus store a`, process 7), for 20 s"
		);
		let waiting = |what, blocks| waiting(what, blocks).to_string();
		assert_eq!(
			waiting(Wait::OtherObject, Some((7, 3))),
			"waiting for another program that stores objects in the same dataset, for 20 s"
		);
		assert_eq!(
			waiting(Wait::Block, Some((7, 3))),
			"waiting for a block with the transaction, for 20 s; the best block is 7. Does a node mine?"
		);
		assert!(waiting(Wait::EarlyAnswer, Some((7, 3))).ends_with("is 7. Does a node mine?"));
		let finality = waiting(Wait::Finality, Some((7, 3)));
		assert!(finality.contains("the last finalized one 3"), "{finality}");
		assert!(waiting(Wait::Earlier, None).ends_with("; the node does not answer"));
	}
}
