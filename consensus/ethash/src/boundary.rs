// SPDX-License-Identifier: Apache-2.0
//! Converts a difficulty to a boundary, the maximum result n of a valid seal: n ≤ 2^256 / H_d.

use crate::error::Error;
use core::fmt;
use primitive_types::U256;

/// The maximum result n that a seal may have (paper, equation 2; yellow paper, equation 49).
///
/// Boundaries and results are 256-bit numbers, as 32 big-endian bytes.
///
/// ```
/// use isthmus_ethash::Boundary;
///
/// let boundary = Boundary::from_difficulty(256.into())?;
/// assert_eq!(boundary.to_bytes()[..2], [1, 0]);
/// assert!(boundary.is_met_by(&[0; 32]));
/// assert!(!boundary.is_met_by(&[2; 32]));
/// # Ok::<(), isthmus_ethash::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boundary([u8; 32]);

impl Boundary {
	/// The boundary that only the result 0 meets.
	pub const MIN: Self = Self([0; 32]);
	/// The boundary that every result meets.
	pub const MAX: Self = Self([0xff; 32]);

	/// Returns ⌊2^256 / H_d⌋.
	///
	/// For H_d = 1 the quotient, 2^256, does not fit in 32 bytes; [`Boundary::MAX`] represents it, since
	/// every result meets both.
	///
	/// # Errors
	///
	/// Returns [`Error::ZeroDifficulty`] if the difficulty is zero.
	pub fn from_difficulty(difficulty: U256) -> Result<Self, Error> {
		// 2^256 = (2^256 − 1) + 1, so the quotient is that of 2^256 − 1, or one more if H_d divides 2^256
		// exactly, that is, if the remainder of 2^256 − 1 is H_d − 1.
		if difficulty.is_zero() {
			return Err(Error::ZeroDifficulty);
		}
		let (quotient, remainder) = U256::MAX.div_mod(difficulty);
		let exact = remainder.saturating_add(U256::one()) == difficulty;
		let quotient = quotient.saturating_add(U256::from(u8::from(exact)));
		Ok(Self(quotient.to_big_endian()))
	}

	/// Reads a boundary from 32 big-endian bytes, the form in which miners get it from `eth_getWork`.
	pub const fn from_bytes(bytes: [u8; 32]) -> Self {
		Self(bytes)
	}

	/// Returns the boundary as 32 big-endian bytes.
	pub const fn to_bytes(self) -> [u8; 32] {
		self.0
	}

	/// Returns true if the result n, a big-endian number, is at most this boundary.
	pub fn is_met_by(&self, result: &[u8; 32]) -> bool {
		*result <= self.0
	}
}

impl fmt::Debug for Boundary {
	fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(formatter, "Boundary({:#x})", U256::from_big_endian(&self.0))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Returns 2^exponent.
	fn power(exponent: usize) -> Boundary {
		Boundary((U256::one() << exponent).to_big_endian())
	}

	fn boundary(difficulty: U256) -> Result<Boundary, Error> {
		Boundary::from_difficulty(difficulty)
	}

	#[test]
	fn powers_of_two_divide_exactly() {
		assert_eq!(boundary(2.into()), Ok(power(255)));
		assert_eq!(boundary(131_072.into()), Ok(power(239)));
		assert_eq!(boundary(U256::one() << 255), Ok(power(1)));
	}

	#[test]
	fn other_difficulties_round_down() {
		assert_eq!(boundary(3.into()), Ok(Boundary([0x55; 32])));
		assert_eq!(boundary(U256::MAX), Ok(power(0)));
		assert_eq!(boundary(U256::MAX - 1), Ok(power(0)));
	}

	#[test]
	fn the_extremes_are_handled() {
		assert_eq!(boundary(U256::zero()), Err(Error::ZeroDifficulty));
		assert_eq!(boundary(U256::one()), Ok(Boundary::MAX));
		assert!(Boundary::MAX.is_met_by(&[0xff; 32]));
		assert!(Boundary::MIN.is_met_by(&[0; 32]));
		assert!(!Boundary::MIN.is_met_by(&power(0).0));
	}

	#[test]
	fn the_boundary_itself_meets_it() {
		assert!(power(8).is_met_by(&power(8).0));
		assert!(power(8).is_met_by(&power(7).0));
		assert!(!power(8).is_met_by(&power(9).0));
		// Numbers are big-endian, so the first byte weighs most.
		assert!(!power(8).is_met_by(&power(248).0));
	}

	#[test]
	fn a_boundary_is_printed_as_a_number() {
		assert_eq!(format!("{:?}", power(8)), "Boundary(0x100)");
	}
}
