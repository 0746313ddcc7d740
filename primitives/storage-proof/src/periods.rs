// SPDX-License-Identifier: Apache-2.0
//! The periods of a chain: in each, a keeper proves once. Period `p` has the blocks from `p · length` on.

/// The number of a period.
pub type Period = u32;

/// How many blocks before a period the block is whose hash draws: so deep that a reorganisation seldom changes what is drawn.
pub const DEPTH: u32 = 8;

/// Returns the period of a block; `None` if periods have no length.
pub fn of(block: u32, length: u32) -> Option<Period> {
	block.checked_div(length)
}

/// Returns the block whose hash draws for a period: [`DEPTH`] blocks before its first one, or the first block of the chain.
pub fn drawn_by(period: Period, length: u32) -> u32 {
	period.saturating_mul(length).saturating_sub(DEPTH)
}

/// Returns the first period whose draw is not before a block: what comes in that block can be drawn from then on.
pub fn first_drawn_after(block: u32, length: u32) -> Period {
	match length {
		0 => 0,
		_ => block.saturating_add(DEPTH).div_ceil(length),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_period_is_drawn_by_a_block_before_it() {
		assert_eq!(
			(of(0, 20), of(19, 20), of(20, 20)),
			(Some(0), Some(0), Some(1))
		);
		assert_eq!(of(7, 0), None);
		assert_eq!(
			(drawn_by(0, 20), drawn_by(1, 20), drawn_by(3, 20)),
			(0, 12, 52)
		);
		assert_eq!(drawn_by(u32::MAX, u32::MAX), u32::MAX - DEPTH);
		for block in 0..200 {
			let period = of(block, 20).expect("periods have a length");
			assert!(drawn_by(period, 20) <= block);
			let first = first_drawn_after(block, 20);
			assert!(first > period && drawn_by(first, 20) >= block);
			assert!(first == 1 || drawn_by(first - 1, 20) < block);
		}
	}
}
