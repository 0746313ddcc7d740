// SPDX-License-Identifier: Apache-2.0
//! Validates the inputs to the attack calculations: the attacker's share and the accepted risk.

/// q: the attacker's share of the network's hash power, between 0 and 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Share(f64);

/// A share that is below 0, above 1, or not a number.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[error("a share of the hash power must be between 0 and 1, got {0}")]
pub struct ShareError(
	/// The number that was rejected.
	pub f64,
);

impl Share {
	/// Creates a share after checking its range.
	///
	/// # Errors
	///
	/// Returns a [`ShareError`] if `q` is below 0, above 1, or not a number.
	pub fn new(q: f64) -> Result<Self, ShareError> {
		if (0.0..=1.0).contains(&q) {
			Ok(Self(q))
		} else {
			Err(ShareError(q))
		}
	}

	/// Returns q, the attacker's share.
	pub fn attacker(self) -> f64 {
		self.0
	}

	/// Returns p = 1 − q, the honest miners' share.
	pub fn honest(self) -> f64 {
		1.0 - self.0
	}

	/// Returns true if the attacker has at least as much hash power as the honest miners, and so always
	/// catches up.
	pub fn is_half_or_more(self) -> bool {
		self.0 >= 0.5
	}
}

/// The accepted probability of a successful attack, above 0 and at most 1.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Risk(f64);

/// A risk that is 0 or below, above 1, or not a number.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[error("an accepted risk must be above 0 and at most 1, got {0}")]
pub struct RiskError(
	/// The number that was rejected.
	pub f64,
);

impl Risk {
	/// Creates a risk after checking its range.
	///
	/// # Errors
	///
	/// Returns a [`RiskError`] if `risk` is 0 or below, above 1, or not a number.
	pub fn new(risk: f64) -> Result<Self, RiskError> {
		if risk > 0.0 && risk <= 1.0 {
			Ok(Self(risk))
		} else {
			Err(RiskError(risk))
		}
	}

	/// Returns the probability.
	pub fn get(self) -> f64 {
		self.0
	}
}

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
			"a share of the hash power must be between 0 and 1, got 1.5"
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
			"an accepted risk must be above 0 and at most 1, got 0"
		);
	}
}
