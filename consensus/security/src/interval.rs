// SPDX-License-Identifier: Apache-2.0
//! Computes confidence intervals: what a count of successes says about a probability.

/// The confidence level of an [`Interval`]: the share of all repetitions of an experiment whose interval
/// contains the true probability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Confidence {
	/// 95 %.
	P95,
	/// 99 %.
	P99,
	/// 99.9 %.
	P999,
}

impl Confidence {
	/// Returns the level, for example 0.95 for [`Confidence::P95`].
	pub fn level(self) -> f64 {
		match self {
			Self::P95 => 0.95,
			Self::P99 => 0.99,
			Self::P999 => 0.999,
		}
	}

	/// Returns how many standard deviations to either side of the mean contain that share of a normal
	/// distribution.
	fn deviations(self) -> f64 {
		match self {
			Self::P95 => 1.959_963_984_540_054,
			Self::P99 => 2.575_829_303_548_900_4,
			Self::P999 => 3.290_526_731_491_925_5,
		}
	}
}

/// The range in which a probability lies, as far as an experiment shows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
	/// The lower end, at least 0.
	pub low: f64,
	/// The upper end, at most 1.
	pub high: f64,
}

impl Interval {
	/// Computes Wilson's score interval (E. B. Wilson 1927, *Probable inference, the law of succession,
	/// and statistical inference*): all p from which the rate is at most c standard deviations away,
	///
	/// ```text
	/// |rate − p| ≤ c·√(p·(1 − p)/trials)
	/// ```
	///
	/// It stays between 0 and 1, and is wider than a point even if all trials or none succeeded. Without
	/// trials it is 0 to 1. `successes` is capped at `trials`.
	///
	/// ```
	/// use isthmus_security::{Confidence, Interval};
	///
	/// let interval = Interval::wilson(81, 263, Confidence::P95);
	/// assert!(interval.contains(0.3) && !interval.contains(0.4));
	/// ```
	pub fn wilson(successes: u64, trials: u64, confidence: Confidence) -> Self {
		if trials == 0 {
			return Self {
				low: 0.0,
				high: 1.0,
			};
		}
		let n = trials as f64;
		let rate = successes.min(trials) as f64 / n;
		let c = confidence.deviations();
		let spread = c * c / n;
		let middle = rate + spread / 2.0;
		let half = (spread * (rate * (1.0 - rate) + spread / 4.0)).sqrt();
		// At the ends the two terms are equal, up to rounding.
		let low = if successes == 0 { 0.0 } else { middle - half };
		let high = if successes >= trials {
			1.0 + spread
		} else {
			middle + half
		};
		Self {
			low: low / (1.0 + spread),
			high: high / (1.0 + spread),
		}
	}

	/// Returns true if the probability is in the interval.
	pub fn contains(self, probability: f64) -> bool {
		(self.low..=self.high).contains(&probability)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn published_intervals() {
		// R. G. Newcombe 1998, *Two-sided confidence intervals for the single proportion*, table I,
		// method 3 (the score method without continuity correction), 95 %.
		for (successes, trials, low, high) in [
			(81, 263, "0.2553", "0.3662"),
			(15, 148, "0.0624", "0.1605"),
			(0, 20, "0.0000", "0.1611"),
			(1, 29, "0.0061", "0.1718"),
		] {
			let interval = Interval::wilson(successes, trials, Confidence::P95);
			assert_eq!(format!("{:.4}", interval.low), low, "{successes}/{trials}");
			assert_eq!(
				format!("{:.4}", interval.high),
				high,
				"{successes}/{trials}"
			);
		}
	}

	#[test]
	fn the_ends_are_as_far_from_the_rate_as_allowed() {
		for confidence in [Confidence::P95, Confidence::P99, Confidence::P999] {
			for (successes, trials) in [(1u64, 7u64), (35, 70), (699, 700)] {
				let Interval { low, high } = Interval::wilson(successes, trials, confidence);
				let n = trials as f64;
				let away = |p: f64| (successes as f64 / n - p) / (p * (1.0 - p) / n).sqrt();
				assert!((away(low) - confidence.deviations()).abs() < 1e-9);
				assert!((away(high) + confidence.deviations()).abs() < 1e-9);
			}
		}
	}

	#[test]
	fn no_success_only_successes_and_no_trials() {
		for confidence in [Confidence::P95, Confidence::P99, Confidence::P999] {
			let none = Interval::wilson(0, 1000, confidence);
			assert_eq!(none.low, 0.0);
			assert!(none.high > 0.0 && none.high < 0.02);
			let all = Interval::wilson(1000, 1000, confidence);
			assert_eq!(all.high, 1.0);
			assert!(all.low < 1.0 && all.low > 0.98);
			assert_eq!(Interval::wilson(1001, 1000, confidence), all);
			let nothing = Interval::wilson(0, 0, confidence);
			assert!(nothing.contains(0.0) && nothing.contains(1.0));
		}
	}

	#[test]
	fn higher_confidence_gives_wider_intervals() {
		let at = |confidence| Interval::wilson(30, 100, confidence);
		let (a, b, c) = (
			at(Confidence::P95),
			at(Confidence::P99),
			at(Confidence::P999),
		);
		assert!(a.low > b.low && b.low > c.low);
		assert!(a.high < b.high && b.high < c.high);
		assert!(a.contains(0.3) && !a.contains(0.4) && c.contains(0.4));
	}
}
