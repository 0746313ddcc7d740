// SPDX-License-Identifier: Apache-2.0
//! Which piece a keeper has to prove in a period.
//!
//! Each keeper has a draw of its own, of the hash of a block before the period. So no keeper can send the proof of another one,
//! and no one knows what is drawn before that block is there.

use crate::{periods::Period, tree::pieces};
use codec::Encode;

/// What this hash is for, in BLAKE3's mode for that.
const CONTEXT: &str = "isthmus keepers 2026-01: the piece that a keeper proves in a period";

/// A keeper's draw for a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
	object: u64,
	piece: u64,
}

impl Draw {
	/// Draws for a keeper of a dataset, in a period, by the hash of the period's [block](crate::periods::drawn_by).
	pub fn new<Account: Encode>(
		hash: &[u8; 32],
		keeper: &Account,
		owner: &Account,
		dataset: u32,
		period: Period,
	) -> Self {
		let material = (hash, keeper, owner, dataset, period).encode();
		let drawn = blake3::derive_key(CONTEXT, &material);
		let (numbers, _) = drawn.as_chunks::<8>();
		// A hash has four numbers.
		let number = |at: usize| {
			numbers
				.get(at)
				.map_or(0, |bytes| u64::from_le_bytes(*bytes))
		};
		Self {
			object: number(0),
			piece: number(1),
		}
	}

	/// Returns the drawn place of a dataset's list of objects; `None` if the list is empty.
	///
	/// It is drawn from the first `among` objects, or from all if `among` is 0: those that were there when the keeper last
	/// proved, so that an object that is stored in the meantime does not change the draw. If the list has become too short, it is drawn again from
	/// what is left.
	pub fn object(&self, among: u32, count: u32) -> Option<u32> {
		let among = match among {
			0 => count,
			among => among,
		};
		let place = self.object.checked_rem(among.into())?;
		let place = match place < u64::from(count) {
			true => place,
			false => self.object.checked_rem(count.into())?,
		};
		u32::try_from(place).ok()
	}

	/// Returns the drawn piece of an object of this length.
	pub fn piece(&self, length: u64) -> u64 {
		// An object has at least one piece.
		self.piece.checked_rem(pieces(length)).unwrap_or_default()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn draw(keeper: u8, owner: u8, dataset: u32, period: Period) -> Draw {
		Draw::new(&[1; 32], &[keeper; 32], &[owner; 32], dataset, period)
	}

	/// The vector of `docs/formats.md`, which another implementation of BLAKE3 computed.
	#[test]
	fn the_draw_is_the_documented_one() {
		let draw = draw(2, 3, 7, 70_000);
		assert_eq!(draw.object, 15_111_882_854_107_269_768);
		assert_eq!(draw.piece, 14_200_339_650_707_252_749);
		assert_eq!(draw.object(1_000, 1_000), Some(768));
		assert_eq!(draw.piece(5 << 20), 1_549);
	}

	#[test]
	fn everything_that_identifies_a_challenge_changes_the_draw() {
		let drawn = draw(1, 2, 3, 4);
		assert_eq!(drawn, draw(1, 2, 3, 4));
		for other in [
			draw(2, 2, 3, 4),
			draw(1, 1, 3, 4),
			draw(1, 2, 4, 4),
			draw(1, 2, 3, 5),
			Draw::new(&[0; 32], &[1; 32], &[2; 32], 3, 4),
		] {
			assert_ne!(drawn, other);
		}
	}

	#[test]
	fn every_object_and_piece_is_drawn_about_as_often() {
		let (mut objects, mut parts) = ([0; 4], [0; 5]);
		for period in 0..10_000 {
			let draw = draw(1, 2, 3, period);
			let object = draw.object(4, 4).expect("there are four");
			objects[object as usize] += 1;
			parts[draw.piece(4097) as usize] += 1;
		}
		assert!(
			objects.iter().all(|times| (2_300..2_700).contains(times)),
			"{objects:?}"
		);
		assert!(
			parts.iter().all(|times| (1_800..2_200).contains(times)),
			"{parts:?}"
		);
	}

	#[test]
	fn what_is_stored_in_the_meantime_does_not_change_the_draw() {
		for period in 0..100 {
			let draw = draw(1, 2, 3, period);
			let before = draw.object(10, 10);
			for count in 10..50 {
				assert_eq!(draw.object(10, count), before);
			}
			// What was removed behind the drawn place does not either.
			let place = before.expect("there are objects");
			assert_eq!(draw.object(10, place + 1), before);
			for count in 1..10 {
				assert!(draw.object(10, count).is_some_and(|place| place < count));
			}
			assert_eq!(draw.object(0, 10), before);
			assert_eq!((draw.object(10, 0), draw.object(0, 0)), (None, None));
		}
	}
}
