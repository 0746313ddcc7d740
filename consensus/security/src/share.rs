//! The two numbers that a question about the attack is made of, checked: the attacker's share, and the
//! risk that is borne.

use std::{error::Error, fmt};

/// q: the attacker's share of the network's hash power, from 0 to 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Share(f64);

/// A number that is no share of anything: under 0, above 1, or not a number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ShareError(
	/// The number.
	pub f64,
);

impl Share {
	/// Checks a share.
	///
	/// # Errors
	///
	/// [`ShareError`], where `q` is not from 0 to 1.
	pub fn new(q: f64) -> Result<Self, ShareError> {
		if (0.0..=1.0).contains(&q) {
			Ok(Self(q))
		} else {
			Err(ShareError(q))
		}
	}

	/// q, the attacker's part.
	pub fn attacker(self) -> f64 {
		self.0
	}

	/// p = 1 − q, the honest part.
	pub fn honest(self) -> f64 {
		1.0 - self.0
	}

	/// Whether the attacker has as much as the honest miners, or more, and so always catches up.
	pub fn is_half_or_more(self) -> bool {
		self.0 >= 0.5
	}
}

impl fmt::Display for ShareError {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		write!(
			f,
			"a share of the hash power is from 0 to 1, and {} is not",
			self.0
		)
	}
}

impl Error for ShareError {}

/// The odds of a successful attack that someone bears, above 0 and at most 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Risk(f64);

/// A number that is no risk to bear: 0 or under, above 1, or not a number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RiskError(
	/// The number.
	pub f64,
);

impl Risk {
	/// Checks a risk.
	///
	/// # Errors
	///
	/// [`RiskError`], where `risk` is not above 0 and at most 1.
	pub fn new(risk: f64) -> Result<Self, RiskError> {
		if risk > 0.0 && risk <= 1.0 {
			Ok(Self(risk))
		} else {
			Err(RiskError(risk))
		}
	}

	/// The probability.
	pub fn get(self) -> f64 {
		self.0
	}
}

impl fmt::Display for RiskError {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		write!(
			f,
			"a risk to bear is above 0 and at most 1, and {} is not",
			self.0
		)
	}
}

impl Error for RiskError {}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_share_is_from_0_to_1() {
		for q in [0.0, f64::MIN_POSITIVE, 0.5, 1.0] {
			assert_eq!(Share::new(q).map(Share::attacker), Ok(q));
		}
		for q in [-0.1, 1.1, f64::INFINITY, f64::NEG_INFINITY] {
			assert_eq!(Share::new(q), Err(ShareError(q)));
		}
		assert!(Share::new(f64::NAN).is_err());
		assert_eq!(
			ShareError(1.5).to_string(),
			"a share of the hash power is from 0 to 1, and 1.5 is not"
		);
	}

	#[test]
	fn half_is_too_much() {
		let half_or_more = |q| Share::new(q).map(Share::is_half_or_more);
		assert_eq!(half_or_more(0.499_999), Ok(false));
		assert_eq!(half_or_more(0.5), Ok(true));
		assert_eq!(half_or_more(1.0), Ok(true));
	}

	#[test]
	fn a_risk_is_above_0_and_at_most_1() {
		for risk in [f64::MIN_POSITIVE, 0.001, 1.0] {
			assert_eq!(Risk::new(risk).map(Risk::get), Ok(risk));
		}
		for risk in [0.0, -0.1, 1.1, f64::INFINITY] {
			assert_eq!(Risk::new(risk), Err(RiskError(risk)));
		}
		assert!(Risk::new(f64::NAN).is_err());
		assert_eq!(
			RiskError(0.0).to_string(),
			"a risk to bear is above 0 and at most 1, and 0 is not"
		);
	}
}
