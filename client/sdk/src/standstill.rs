// SPDX-License-Identifier: Apache-2.0
//! Notices that blocks come, but none is finalized any more.

use crate::{
	client::Client,
	trust::Notice,
	types::BlockNumber,
	wait::{Standstill, ASKING, SILENCE},
};
use std::{convert::Infallible, future::pending, mem::take};
use tokio::time::{sleep, timeout};

impl Client {
	/// Returns whether far more blocks came than are finalized; `None` if not, if the node does not answer, or if it is trusted
	/// without finality.
	pub async fn standstill(&self) -> Option<Standstill> {
		if self.0.trust.node {
			return None;
		}
		let (best, finalized) = self.best_and_finalized().await?;
		Standstill::of(best, finalized)
	}

	/// [Tells](Client::on_notice) the user when blocks come, but none is finalized, and when that is over. For a program that does
	/// something once it is finalized: let this run beside it. Never ends.
	pub async fn watch_finality(&self) -> Infallible {
		if self.0.trust.node {
			return pending().await;
		}
		let mut followed = Followed::default();
		loop {
			sleep(SILENCE).await;
			// The program itself says that a node does not answer.
			let Some((best, finalized)) = self.best_and_finalized().await else {
				continue;
			};
			let Some(notice) = followed.look(best, finalized) else {
				continue;
			};
			// A node that is syncing has many blocks before the votes for them.
			let is_behind = matches!(notice, Notice::Standstill(_))
				&& matches!(timeout(ASKING, self.is_syncing()).await, Ok(Ok(true)));
			match is_behind {
				true => followed.is_told = false,
				false => self.tell(&notice),
			}
		}
	}

	/// Returns the numbers of the best block and of the last finalized one; `None` if the node does not answer.
	async fn best_and_finalized(&self) -> Option<(BlockNumber, BlockNumber)> {
		let asked = async {
			let finalized = self.finalized_number().await.ok()?;
			Some((self.best_number().await.ok()?, finalized))
		};
		timeout(ASKING, asked).await.ok().flatten()
	}
}

/// How finality went so far.
#[derive(Default)]
struct Followed {
	/// The last finalized block that was seen.
	last: Option<BlockNumber>,
	/// Whether the user was told that none is finalized, and not yet that this is over.
	is_told: bool,
}

impl Followed {
	/// Looks at the numbers of the best block and of the last finalized one. Returns what is to be told.
	fn look(&mut self, best: BlockNumber, finalized: BlockNumber) -> Option<Notice> {
		let before = self.last.replace(finalized)?;
		if finalized > before {
			// It is not over before most of the blocks that waited are finalized.
			if Standstill::of(best, finalized).is_some() {
				return None;
			}
			let was_told = take(&mut self.is_told);
			return was_told.then_some(Notice::FinalizedAgain(finalized));
		}
		let standstill = Standstill::of(best, finalized).filter(|_| !self.is_told)?;
		self.is_told = true;
		Some(Notice::Standstill(standstill))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_standstill_and_its_end_are_said_once() {
		let mut followed = Followed::default();
		let mut look = |best, finalized| {
			let notice = followed.look(best, finalized);
			notice.map(|notice| notice.to_string())
		};
		// A chain that goes on, one that rests, and one whose votes are late.
		for (best, finalized) in [(40, 0), (60, 57), (60, 57), (70, 57), (110, 107)] {
			assert_eq!(look(best, finalized), None, "{best}, {finalized}");
		}
		assert_eq!(
			look(130, 107).as_deref(),
			Some("no new block is finalized; the best block is 130, the last finalized one 107. More than two thirds of the verifiers have to vote for it")
		);
		assert_eq!(look(150, 107), None);
		assert_eq!(look(150, 110), None);
		assert_eq!(
			look(151, 148).as_deref(),
			Some("blocks are finalized again, up to block 148")
		);
		assert_eq!(look(152, 149), None);
		assert!(look(170, 149).is_some());
	}
}
