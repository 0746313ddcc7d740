// SPDX-License-Identifier: Apache-2.0
//! Formats amounts of the currency for people to read, in IST.

use crate::{Balance, DECIMALS, UNIT};
use core::fmt;

/// An amount that displays in IST, without trailing zeros.
///
/// ```
/// use isthmus_primitives::{amount::Ist, UNIT};
///
/// assert_eq!(Ist(12 * UNIT + UNIT / 4).to_string(), "12.25 IST");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ist(pub Balance);

impl fmt::Display for Ist {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		let (whole, rest) = (self.0 / UNIT, self.0 % UNIT);
		let decimals = alloc::format!("{rest:0DECIMALS$}");
		match decimals.trim_end_matches('0') {
			"" => write!(f, "{whole} IST"),
			decimals => write!(f, "{whole}.{decimals} IST"),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn amounts_are_exact_and_have_no_trailing_zeros() {
		for (amount, text) in [
			(0, "0 IST"),
			(1, "0.000000000001 IST"),
			(UNIT / 4, "0.25 IST"),
			(10 * UNIT, "10 IST"),
			(12 * UNIT + UNIT / 10 + 1, "12.100000000001 IST"),
		] {
			assert_eq!(alloc::format!("{}", Ist(amount)), text);
		}
	}
}
