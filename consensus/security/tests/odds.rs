// SPDX-License-Identifier: Apache-2.0
//! Compares the computed odds with published tables and with the formulas that they are derived from, and
//! tests them at the limits of floating point.

use isthmus_security::{
	algorithm_3, depth, equation_3, exact, DepthError, Model, Risk, Share, MAX_DEPTH,
};
use proptest::prelude::*;

fn share(q: f64) -> Share {
	Share::new(q).expect("the tests' shares are shares")
}

fn risk(risk: f64) -> Risk {
	Risk::new(risk).expect("the tests' risks are risks")
}

/// Formats to seven places, as the Bitcoin paper prints.
fn printed(probability: f64) -> String {
	format!("{probability:.7}")
}

/// Returns |a − b| / b.
fn apart(a: f64, b: f64) -> f64 {
	((a - b) / b).abs()
}

/// The table of Nakamoto 2008, section 11: the paper's reference [6], with the two shares of its Fig. 5.
const BITCOIN: [(f64, &[(u32, &str)]); 2] = [
	(
		0.1,
		&[
			(0, "1.0000000"),
			(1, "0.2045873"),
			(2, "0.0509779"),
			(3, "0.0131722"),
			(4, "0.0034552"),
			(5, "0.0009137"),
			(6, "0.0002428"),
			(7, "0.0000647"),
			(8, "0.0000173"),
			(9, "0.0000046"),
			(10, "0.0000012"),
		],
	),
	(
		0.3,
		&[
			(0, "1.0000000"),
			(5, "0.1773523"),
			(10, "0.0416605"),
			(15, "0.0101008"),
			(20, "0.0024804"),
			(25, "0.0006132"),
			(30, "0.0001522"),
			(35, "0.0000379"),
			(40, "0.0000095"),
			(45, "0.0000024"),
			(50, "0.0000006"),
		],
	),
];

#[test]
fn the_bitcoin_papers_table() {
	for (q, rows) in BITCOIN {
		for &(z, expected) in rows {
			assert_eq!(
				printed(algorithm_3(q, z)),
				expected,
				"algorithm 3, q = {q}, z = {z}"
			);
			assert_eq!(
				printed(equation_3(share(q), z)),
				expected,
				"Eq. 3, q = {q}, z = {z}"
			);
		}
	}
}

#[test]
fn the_bitcoin_papers_depths() {
	let rows = [
		(0.10, 5),
		(0.15, 8),
		(0.20, 11),
		(0.25, 15),
		(0.30, 24),
		(0.35, 41),
		(0.40, 89),
		(0.45, 340),
	];
	for (q, z) in rows {
		assert_eq!(depth(Model::Paper, share(q), risk(0.001)), Ok(z), "q = {q}");
		assert!(
			algorithm_3(q, z) < 0.001 && algorithm_3(q, z - 1) >= 0.001,
			"q = {q}"
		);
	}
}

/// The table of Rosenfeld 2014, *Analysis of hashrate-based double-spending*, in percent.
#[test]
fn rosenfelds_table() {
	let rows = [
		(0.10, 1, "20.000"),
		(0.10, 2, "5.600"),
		(0.10, 3, "1.712"),
		(0.10, 4, "0.546"),
		(0.10, 5, "0.178"),
		(0.10, 6, "0.059"),
		(0.30, 1, "60.000"),
		(0.30, 2, "43.200"),
	];
	for (q, z, expected) in rows {
		let percent = format!("{:.3}", 100.0 * exact(share(q), z));
		assert_eq!(percent, expected, "q = {q}, z = {z}");
	}
}

/// Computes P_z = 1 − Σ C(z+k−1, k)·(p^z·q^k − q^z·p^k) in whole numbers, for p and q in tenths: the
/// numerator over 10^(2z−1).
fn exact_in_tenths(q: u128, z: u32) -> f64 {
	let p = 10 - q;
	let mut binomial = 1; // C(z+k−1, k)
	let mut difference = 0;
	for k in 0..z {
		let honest = p.pow(z) * q.pow(k);
		let attacker = q.pow(z) * p.pow(k);
		difference += binomial * (honest - attacker) * 10u128.pow(z - 1 - k);
		binomial = binomial * u128::from(z + k) / u128::from(k + 1);
	}
	let whole = 10u128.pow(2 * z - 1);
	(whole - difference) as f64 / whole as f64
}

#[test]
fn the_exact_odds_are_exact() {
	for q in 1..=4 {
		for z in 1..=16 {
			let got = exact(share(q as f64 / 10.0), z);
			let expected = exact_in_tenths(q, z);
			assert!(
				apart(got, expected) < 1e-13,
				"q = {q}/10, z = {z}: {got} for {expected}"
			);
		}
	}
}

/// Computes I_x(z, 1/2) by its power series, Σ_n (1/2)_n/n!·x^(z+n)/(z+n) over B(z, 1/2).
fn incomplete_beta(x: f64, z: u32) -> f64 {
	// B(1, 1/2) = 2 and B(a+1, 1/2) = B(a, 1/2)·a/(a + 1/2), in logarithms.
	let log_beta: f64 = 2f64.ln()
		+ (1..z)
			.map(|a| (f64::from(a) / (f64::from(a) + 0.5)).ln())
			.sum::<f64>();
	let z = f64::from(z);
	let mut coefficient = 1.0;
	let mut sum = 0.0;
	for n in 0..200_000 {
		let n = f64::from(n);
		let term = coefficient / (z + n);
		sum += term;
		if term < sum * 1e-18 {
			break;
		}
		coefficient *= x * (n + 0.5) / (n + 1.0);
	}
	(z * x.ln() - log_beta).exp() * sum
}

#[test]
fn the_exact_odds_are_the_regularized_incomplete_beta_function() {
	for q in [0.01, 0.1, 0.25, 0.3, 0.4, 0.45, 0.49] {
		for z in [1, 2, 6, 24, 100, 340, 500, 800] {
			let expected = incomplete_beta(4.0 * q * (1.0 - q), z);
			if expected < 1e-290 {
				continue; // Too near the limit of an f64 to compare digits.
			}
			let got = exact(share(q), z);
			assert!(
				apart(got, expected) < 1e-10,
				"q = {q}, z = {z}: {got:e} for {expected:e}"
			);
		}
	}
}

#[test]
fn digits_stay_right_far_out() {
	// Ratios of consecutive values approach their limits: 4pq for the exact odds, (q/p)·e^(1−q/p) for
	// Eq. 3. A formula that subtracts returns noise below 10^−15, and these values are below 10^−70.
	let (q, p) = (0.2, 0.8);
	let step = |model: Model| {
		let at = |z| model.probability(share(q), z);
		assert!(at(400) > 0.0 && at(400) < 1e-70);
		at(401) / at(400)
	};
	let limit: f64 = 4.0 * p * q;
	assert!(apart(step(Model::Exact), limit * (400.5 / 401.0)) < 2e-3);
	let ratio: f64 = q / p;
	let limit = ratio * (1.0 - ratio).exp();
	assert!(apart(step(Model::Paper), limit) < 2e-3);
}

#[test]
fn what_an_f64_cannot_hold_is_zero() {
	assert_eq!(exact(share(0.1), 5000), 0.0);
	assert_eq!(equation_3(share(0.1), 5000), 0.0);
	// No value on the way there is above 1 or below 0.
	for z in 0..2000 {
		for model in [Model::Paper, Model::Exact] {
			let odds = model.probability(share(0.3), z);
			assert!((0.0..=1.0).contains(&odds), "{model:?}, z = {z}: {odds}");
		}
	}
}

#[test]
fn the_printed_lines_fail_where_eq_3_does_not() {
	// Subtracting nearly equal numbers leaves noise, and the true figure is far below it.
	let noise = algorithm_3(0.1, 60);
	let true_figure = equation_3(share(0.1), 60);
	assert!(true_figure > 0.0 && true_figure < 1e-30);
	assert!(noise.abs() > 1e-17 || noise == 0.0, "{noise:e}");
	// exp(−λ) is 0, and so is every term. So an attack that almost never works looks certain.
	assert_eq!(algorithm_3(0.45, 1000), 1.0);
	assert!(equation_3(share(0.45), 1000) < 1e-8);
}

#[test]
fn no_hash_power_and_half_of_it() {
	for model in [Model::Paper, Model::Exact] {
		assert_eq!(model.probability(share(0.0), 0), 1.0);
		assert_eq!(model.probability(share(0.0), 1), 0.0);
		for q in [0.5, 0.7, 1.0] {
			for z in [0, 1, 100, u32::MAX] {
				assert_eq!(model.probability(share(q), z), 1.0, "{model:?}, q = {q}");
			}
		}
		assert_eq!(depth(model, share(0.0), risk(1e-300)), Ok(1));
		assert_eq!(
			depth(model, share(0.5), risk(0.5)),
			Err(DepthError::HalfOrMore(share(0.5)))
		);
	}
	// As printed, algorithm 3 is right at one half and wrong above it.
	assert_eq!(algorithm_3(0.5, 10), 1.0);
	assert!(algorithm_3(0.6, 10) > 1.0);
}

#[test]
fn the_paper_underestimates_the_attacker() {
	let ratio = exact(share(0.1), 6) / equation_3(share(0.1), 6);
	assert!((2.43..2.44).contains(&ratio), "{ratio}");
	assert_eq!(depth(Model::Paper, share(0.1), risk(0.001)), Ok(5));
	assert_eq!(depth(Model::Exact, share(0.1), risk(0.001)), Ok(6));
	assert_eq!(depth(Model::Paper, share(0.3), risk(0.001)), Ok(24));
	assert_eq!(depth(Model::Exact, share(0.3), risk(0.001)), Ok(32));
}

#[test]
fn a_risk_of_one_is_met_by_any_block() {
	// P_0 is 1, which is not below the risk of 1, so one block is needed.
	assert_eq!(depth(Model::Exact, share(0.49), risk(1.0)), Ok(1));
}

#[test]
fn near_one_half_no_depth_is_enough() {
	let error = depth(Model::Exact, share(0.499_99), risk(1e-6));
	let Err(DepthError::TooDeep {
		share: found,
		probability,
	}) = error
	else {
		panic!("{error:?}")
	};
	assert_eq!(found, share(0.499_99));
	assert_eq!(probability, exact(found, MAX_DEPTH));
	assert!(probability > 0.9);
}

proptest! {
	#[test]
	fn a_depth_is_the_least_that_is_enough(q in 0.0..0.47f64, digits in 0.1..30.0f64) {
		let (q, bound) = (share(q), risk(10f64.powf(-digits)));
		for model in [Model::Paper, Model::Exact] {
			let z = depth(model, q, bound).expect("the share is far enough from one half");
			prop_assert!(model.probability(q, z) < bound.get());
			prop_assert!(model.probability(q, z - 1) >= bound.get());
		}
	}

	#[test]
	fn more_blocks_are_safer_and_more_hash_power_is_worse(q in 0.001..0.499f64, z in 0u32..500) {
		for model in [Model::Paper, Model::Exact] {
			let odds = model.probability(share(q), z);
			prop_assert!(model.probability(share(q), z + 1) <= odds);
			prop_assert!(model.probability(share(q + 0.0005), z) >= odds);
		}
	}

	#[test]
	fn eq_3_is_algorithm_3_where_that_is_sound(q in 0.0..0.499f64, z in 0u32..120) {
		let difference = equation_3(share(q), z) - algorithm_3(q, z);
		prop_assert!(difference.abs() < 1e-12, "{difference:e}");
	}

	#[test]
	fn no_number_makes_it_panic(q in any::<f64>(), z in 0u32..2000) {
		let _ = algorithm_3(q, z.min(100));
		if let Ok(q) = Share::new(q) {
			for model in [Model::Paper, Model::Exact] {
				prop_assert!((0.0..=1.0).contains(&model.probability(q, z)));
			}
		}
	}
}
