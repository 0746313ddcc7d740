// SPDX-License-Identifier: Apache-2.0
//! Computes P_z, the probability that the attacker ever catches up from z blocks behind.

use crate::Share;

/// Computes algorithm 3, *Forged Block Attack Success Rate*, as printed:
/// `attackerSuccessProbability(q, z)`.
///
/// It serves for comparison, and reproduces the Bitcoin paper's table. It is accurate only for q < 1/2,
/// results above about 10^−15 and λ below 745, and its time grows with z². [`equation_3`] computes the same
/// number without these limits.
pub fn algorithm_3(q: f64, z: u32) -> f64 {
	let p = 1.0 - q;
	let lambda = f64::from(z) * (q / p);
	let mut sum = 1.0;
	for k in 0..=z {
		let mut poisson = (-lambda).exp();
		for i in 1..=k {
			poisson *= lambda / f64::from(i);
		}
		sum -= poisson * (1.0 - (q / p).powf(f64::from(z - k)));
	}
	sum
}

/// Computes Eq. 3: P_z with the attacker's blocks Poisson distributed, λ = z·q/p. Returns 1 for q ≥ 1/2.
///
/// ```text
/// P_z = 1 − Σ_{k=0..z} pois(k)·(1 − (q/p)^(z−k))
///     = Σ_{k=0..z} pois(k)·(q/p)^(z−k) + Σ_{k>z} pois(k)
/// ```
///
/// The second line subtracts nothing. Its terms are summed from the largest, k = z, in both directions,
/// each computed from the one before: downwards by the factor k/z, upwards by λ/(k+1). So the leading
/// digits of P_z are right at any size, down to the smallest number that an `f64` can hold; smaller values
/// are 0. The time grows with z.
pub fn equation_3(share: Share, z: u32) -> f64 {
	if share.is_half_or_more() || z == 0 {
		return 1.0;
	}
	let ratio = share.attacker() / share.honest();
	let blocks = f64::from(z);
	let lambda = blocks * ratio;
	// ln pois(z) = −λ + z·ln λ − ln z! = z·(ln(q/p) − q/p) + Σ_{j=1..z} ln(z/j)
	let log_factorial: f64 = (1..=z).map(|j| (blocks / f64::from(j)).ln()).sum();
	let greatest = (blocks * (ratio.ln() - ratio) + log_factorial).exp();

	let down = (1..=z).rev().map(|k| f64::from(k) / blocks);
	let up = (1..).map(|step| lambda / (blocks + f64::from(step)));
	at_most_one(greatest * (1.0 + falling_sum(down) + falling_sum(up)))
}

/// Computes P_z itself: the probability that an attacker who starts together with the first of z honest
/// blocks ever catches up. Returns 1 for q ≥ 1/2.
///
/// The number k of the attacker's blocks when the honest miners find their z-th is negative binomial,
///
/// ```text
/// P_z = 1 − Σ_{k=0..z−1} C(z+k−1, k)·(p^z·q^k − q^z·p^k)      (Rosenfeld 2014)
///     = I_{4pq}(z, 1/2)                                       (Grunspan and Pérez-Marco 2018)
///     = 2·Σ_{k=0..z−1} C(z+k−1, k)·q^z·p^k
/// ```
///
/// where I is the regularized incomplete beta function. The last line follows from the first: the terms
/// with p^z·q^k are the odds that the honest miners find z blocks first, those with q^z·p^k that the
/// attacker does, and the two sums add up to 1. The last line subtracts nothing, and its terms are summed
/// from the largest, k = z − 1, each computed from the one before, so that the leading digits are right at
/// any size that an `f64` can hold; smaller values are 0. The time grows with z.
pub fn exact(share: Share, z: u32) -> f64 {
	if share.is_half_or_more() || z == 0 {
		return 1.0;
	}
	let (p, q) = (share.honest(), share.attacker());
	// C(2z−2, z−1)·q^z·p^(z−1) = q·Π_{j=1..z−1} (4pq·(1 − 1/(2j))), each factor below 1.
	let mut greatest = q;
	for j in 1..z {
		greatest *= 4.0 * p * q * (1.0 - 0.5 / f64::from(j));
		if greatest == 0.0 {
			return 0.0;
		}
	}
	let blocks = f64::from(z);
	let down = (1..z)
		.rev()
		.map(|k| f64::from(k) / ((blocks + f64::from(k) - 1.0) * p));
	at_most_one(2.0 * greatest * (1.0 + falling_sum(down)))
}

/// Computes r_1 + r_1·r_2 + r_1·r_2·r_3 + …: the sum of the terms after the largest, which is 1. Each term
/// is the one before times the next factor. The factors are at most 1 and never rise, so the sum ends at a
/// term too small to matter: the terms after it fall at least as fast.
fn falling_sum(factors: impl Iterator<Item = f64>) -> f64 {
	let mut sum = 0.0;
	let mut term = 1.0;
	for factor in factors {
		term *= factor;
		// The rest is at most term / (1 − factor), a geometric series.
		if term <= (1.0 - factor) * (1.0 + sum) * (f64::EPSILON / 8.0) {
			break;
		}
		sum += term;
	}
	sum
}

/// Caps a probability near 1 that rounding may have pushed above it.
fn at_most_one(probability: f64) -> f64 {
	probability.min(1.0)
}
