//! Difficulty as a boundary: n ≤ 2^256 / H_d.

use crate::Error;
use primitive_types::U256;

/// ⌊2^256 / H_d⌋, big-endian: the greatest result that a seal of difficulty H_d may have (paper,
/// equation 2; yellow paper, equation 49).
///
/// With H_d = 1 the quotient, 2^256, has no 32 bytes; the greatest 32-byte number stands for it, which
/// every result is within as well.
pub fn boundary(difficulty: U256) -> Result<[u8; 32], Error> {
	// 2^256 = (2^256 − 1) + 1, so the quotient is that of 2^256 − 1, or one more where H_d divides
	// 2^256 exactly, that is, where the remainder of 2^256 − 1 is H_d − 1.
	if difficulty.is_zero() {
		return Err(Error::ZeroDifficulty);
	}
	let (quotient, remainder) = U256::MAX.div_mod(difficulty);
	let exact = remainder.saturating_add(U256::one()) == difficulty;
	Ok(quotient
		.saturating_add(U256::from(u8::from(exact)))
		.to_big_endian())
}

/// Whether n is within the boundary. Both are big-endian numbers.
pub fn meets(result: &[u8; 32], boundary: &[u8; 32]) -> bool {
	result <= boundary
}

#[cfg(test)]
mod tests {
	use super::*;

	/// 2^exponent, big-endian.
	fn power(exponent: usize) -> [u8; 32] {
		(U256::one() << exponent).to_big_endian()
	}

	#[test]
	fn powers_of_two_divide_exactly() {
		assert_eq!(boundary(2.into()), Ok(power(255)));
		assert_eq!(boundary(131_072.into()), Ok(power(239)));
		assert_eq!(boundary(U256::one() << 255), Ok(power(1)));
	}

	#[test]
	fn other_difficulties_round_down() {
		assert_eq!(boundary(3.into()), Ok([0x55; 32]));
		assert_eq!(boundary(U256::MAX), Ok(power(0)));
		assert_eq!(boundary(U256::MAX - 1), Ok(power(0)));
	}

	#[test]
	fn the_ends_are_handled() {
		assert_eq!(boundary(U256::zero()), Err(Error::ZeroDifficulty));
		assert_eq!(boundary(U256::one()), Ok([0xff; 32]));
		assert!(meets(&[0xff; 32], &[0xff; 32]));
	}

	#[test]
	fn the_boundary_itself_is_within() {
		assert!(meets(&power(8), &power(8)));
		assert!(meets(&power(7), &power(8)));
		assert!(!meets(&power(9), &power(8)));
		// Big-endian: the first byte weighs most.
		assert!(!meets(&power(248), &power(8)));
	}
}
