// SPDX-License-Identifier: Apache-2.0
//! Decides which announced blocks with an unknown parent may pass to sync. Sync keeps each of them for as
//! long as it knows the peer that announced it, so there must be few.

use isthmus_primitives::{BlockNumber, Difficulty, Hash};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// An announced block with an unknown parent counts as near if its number is at most this far above our best
/// block's.
const NEAR: BlockNumber = 32;
/// An announced block with an unknown parent must have an H_d of at least our best block's H_d divided by
/// this number.
const EASIER: u64 = 16;
/// How many distant blocks are admitted within [`PERIOD_SECONDS`].
const DISTANT_ADMITTED: usize = 6;
/// The period, in seconds, for [`DISTANT_ADMITTED`].
const PERIOD_SECONDS: u64 = 60;

/// Returns whether a block with this number is near our best block, whose number is `best`.
pub(crate) fn is_near(number: BlockNumber, best: BlockNumber) -> bool {
	number <= best.saturating_add(NEAR)
}

/// Returns whether a difficulty is far below our best block's.
pub(crate) fn is_too_easy(difficulty: Difficulty, best: Difficulty) -> bool {
	difficulty.0 < best.0 / EASIER
}

/// The announced blocks that were admitted lately although they are distant from our best block, with
/// their times in seconds since the Unix epoch, oldest first.
///
/// Only a few are admitted, because sync keeps them. But some must be, because a node that has fallen far
/// behind learns only from them how far ahead its peers are.
#[derive(Default)]
pub(crate) struct DistantAnnouncements(Mutex<VecDeque<(Hash, u64)>>);

impl DistantAnnouncements {
	/// Returns whether the block may pass. A block that was admitted may be announced by other peers too.
	pub(crate) fn admits(&self, block: Hash, now: u64) -> bool {
		let mut admitted = self.0.lock();
		admitted.retain(|(_, at)| now.saturating_sub(*at) < PERIOD_SECONDS);
		if admitted.iter().any(|(known, _)| *known == block) {
			return true;
		}
		if admitted.len() == DISTANT_ADMITTED {
			return false;
		}
		admitted.push_back((block, now));
		true
	}
}
