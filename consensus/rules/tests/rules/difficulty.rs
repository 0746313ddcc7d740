// SPDX-License-Identifier: Apache-2.0
//! Tests D(H), the difficulty that a block must have, and the total difficulty of a chain.

use crate::chain::power_of_two;
use isthmus_primitives::{
	params::{ChainParameters, DifficultyRule},
	TotalDifficulty,
};
use isthmus_rules::{bomb, total_difficulty, HeaderError, Parent};
use polkadot_sdk::sp_core::{H256, U256, U512};
use proptest::prelude::*;

/// Ethereum's parameters, with or without the bomb.
fn homestead(bomb: bool) -> ChainParameters {
	ChainParameters {
		difficulty_rule: DifficultyRule::Homestead { bomb },
		..ChainParameters::default()
	}
}

fn parent(number: u32, difficulty: U256, timestamp: u64) -> Parent {
	Parent {
		hash: H256::zero(),
		number,
		difficulty: difficulty.into(),
		gas_limit: 1 << 20,
		timestamp,
	}
}

/// Returns D(H) as a bare number.
fn difficulty(params: &ChainParameters, parent: &Parent, timestamp: u64) -> U256 {
	isthmus_rules::difficulty(params, parent, timestamp).0
}

#[test]
fn a_step_is_ten_seconds_and_a_2048th() {
	let (d, x) = (power_of_two(40), power_of_two(29));
	let cases: &[(u64, i32)] = &[
		(1, 1),
		(9, 1),
		(10, 0),
		(19, 0),
		(20, -1),
		(29, -1),
		(30, -2),
		(989, -97),
		(990, -98),
		(999, -98),
		(1000, -99),
		(1009, -99),
		(1010, -99),
		(u64::MAX - 1000, -99),
	];
	for &(seconds, steps) in cases {
		let got = difficulty(&homestead(false), &parent(7, d, 1000), 1000 + seconds);
		let expected = match steps {
			1 => d + x,
			_ => d - x * U256::from(steps.unsigned_abs()),
		};
		assert_eq!(got, expected, "{seconds} s");
	}
}

#[test]
fn a_2048th_is_rounded_down() {
	let faster = |d: u64| difficulty(&homestead(false), &parent(7, d.into(), 0), 1);
	assert_eq!(faster(131_072), 131_136.into());
	assert_eq!(faster(131_136), 131_200.into());
	assert_eq!(faster(133_119), 133_183.into());
	assert_eq!(faster(133_120), 133_185.into());
}

#[test]
fn the_minimum_holds() {
	let slower = |d: u64| difficulty(&homestead(false), &parent(7, d.into(), 0), 20);
	assert_eq!(slower(131_136), 131_072.into());
	assert_eq!(slower(131_137), 131_073.into());
	assert_eq!(slower(131_072), 131_072.into());
	// The minimum holds even if the parent's difficulty is below it, which is possible only for a genesis
	// block.
	assert_eq!(slower(1), 131_072.into());
	assert_eq!(slower(0), 131_072.into());
}

#[test]
fn the_bomb_doubles_every_hundred_thousand_blocks() {
	let cases = [
		(0, U256::zero()),
		(99_999, U256::zero()),
		(100_000, U256::zero()),
		(199_999, U256::zero()),
		(200_000, U256::one()),
		(299_999, U256::one()),
		(300_000, 2.into()),
		(4_200_000, power_of_two(40)),
		(25_799_999, power_of_two(255)),
		(25_800_000, U256::MAX),
		(u32::MAX, U256::MAX),
	];
	for (number, expected) in cases {
		assert_eq!(bomb(number), expected, "block {number}");
	}
}

#[test]
fn the_bomb_counts_the_child_and_comes_before_the_minimum() {
	let params = homestead(true);
	let stands = |number, d: u64| difficulty(&params, &parent(number, d.into(), 0), 10);
	assert_eq!(stands(199_998, 200_000), 200_000.into());
	assert_eq!(stands(199_999, 200_000), 200_001.into());
	// The bomb, ε = 2^10, raises the sum and not the minimum: max(D_0, 131000 + 1024), not D_0 + 1024.
	assert_eq!(stands(1_199_999, 131_000), 132_024.into());
	assert_eq!(stands(1_199_999, 120_000), 131_072.into());
}

#[test]
fn a_sum_beyond_256_bits_saturates() {
	let params = homestead(true);
	assert_eq!(difficulty(&params, &parent(7, U256::MAX, 0), 1), U256::MAX);
	assert_eq!(
		difficulty(&params, &parent(u32::MAX, 200_000.into(), 0), 10),
		U256::MAX
	);
}

#[test]
fn a_fixed_difficulty_never_moves() {
	let params = ChainParameters {
		difficulty_rule: DifficultyRule::Fixed,
		minimum_difficulty: 17.into(),
		..ChainParameters::default()
	};
	for (number, d, seconds) in [(0, 1, 1), (7, 17, 5000), (u32::MAX, 1u64 << 40, 0)] {
		assert_eq!(
			difficulty(&params, &parent(number, U256::from(d), 9), 9 + seconds),
			17.into()
		);
	}
}

#[test]
fn total_difficulty_is_a_checked_sum() {
	let total = |number: U256| TotalDifficulty(number);
	assert_eq!(
		total_difficulty(total(3.into()), 4.into()),
		Ok(total(7.into()))
	);
	assert_eq!(
		total_difficulty(total(U256::MAX - 1), 1.into()),
		Ok(total(U256::MAX))
	);
	assert_eq!(
		total_difficulty(total(U256::MAX), 1.into()),
		Err(HeaderError::TotalDifficultyOverflow {
			parent: total(U256::MAX),
			got: 1.into()
		})
	);
}

/// Checks the published vectors of ethereum/tests, DifficultyTests/dfHomestead, if the file is next to the
/// checkout.
#[test]
fn published_vectors() {
	let path = concat!(
		env!("CARGO_MANIFEST_DIR"),
		"/../../../shared/vectors/difficulty_homestead.json"
	);
	let Ok(text) = std::fs::read_to_string(path) else {
		println!("skipped: the published difficulty vectors are not next to this checkout");
		return;
	};
	let file: serde_json::Value = serde_json::from_str(&text).expect("the vectors are JSON");
	let cases = file["cases"]
		.as_object()
		.expect("the vectors are a map of cases");
	assert!(!cases.is_empty());
	for (name, case) in cases {
		let number = |field: &str| {
			let digits = case[field]
				.as_str()
				.unwrap_or_else(|| panic!("{name} has no {field}"));
			U256::from_str_radix(digits.trim_start_matches("0x"), 16).expect("a hex number")
		};
		let above = parent(
			number("currentBlockNumber").as_u32() - 1,
			number("parentDifficulty"),
			number("parentTimestamp").as_u64(),
		);
		let got = difficulty(
			&homestead(true),
			&above,
			number("currentTimestamp").as_u64(),
		);
		assert_eq!(got, number("currentDifficulty"), "{name}");
	}
	println!("{} published difficulties agree", cases.len());
}

/// Checks three of the published vectors, so that some are checked even without the file.
#[test]
fn embedded_vectors() {
	let cases: [(u32, u128, u64, u128, u64); 3] = EMBEDDED;
	for (number, parent_difficulty, parent_time, expected, time) in cases {
		let above = parent(number - 1, parent_difficulty.into(), parent_time);
		assert_eq!(
			difficulty(&homestead(true), &above, time),
			expected.into(),
			"block {number}"
		);
	}
}

/// Three of the published vectors, each with (H_i, P(H)_d, P(H)_s, H_d, H_s).
const EMBEDDED: [(u32, u128, u64, u128, u64); 3] = [
	(
		0x0186a0,
		0x6aa9fe0e7a00ac12,
		0x68450ae0c,
		0x6ab7534e3bcfec27,
		0x68450ae0d,
	),
	(
		0x200b20,
		0x35c6822cc267872a,
		0xd4e487f5,
		0x35bfc95c7cd73a3a,
		0xd4e48809,
	),
	(
		0x2c4020,
		0x1103dbd0f7a74d46,
		0x64d048144,
		0x1101bb558588585d,
		0x64d048158,
	),
];

/// Computes D(H) exactly as the yellow paper prints it, in numbers too wide to overflow.
fn as_printed(d_0: U256, p_d: U256, seconds: u64, epsilon: U256) -> U512 {
	let x = U512::from(p_d / 2048);
	let rise = U512::from(p_d) + U512::from(epsilon);
	let sum = match seconds / 10 {
		0 => rise + x,
		steps => rise - x * U512::from(core::cmp::min(steps - 1, 99)),
	};
	sum.max(d_0.into())
}

proptest! {
	#[test]
	fn agrees_with_the_printed_formula(
		number in 0u32..20_000_000,
		bits in 1u32..255,
		low in any::<u64>(),
		seconds in 1u64..2000,
		bombs in any::<bool>(),
	) {
		let p_d = power_of_two(bits) | U256::from(low);
		let params = homestead(bombs);
		let epsilon = if bombs { bomb(number + 1) } else { U256::zero() };
		let expected = as_printed(params.minimum_difficulty.0, p_d, seconds, epsilon);
		let got = difficulty(&params, &parent(number, p_d, 77), 77 + seconds);
		prop_assert_eq!(U512::from(got), expected);
	}

	#[test]
	fn waiting_never_raises_it(d in any::<u128>(), early in 0u64..5000, more in 0u64..5000) {
		let above = parent(7, d.into(), 50);
		let params = homestead(false);
		let first = difficulty(&params, &above, 50 + early);
		let later = difficulty(&params, &above, 50 + early + more);
		prop_assert!(later <= first);
		prop_assert!(later >= params.minimum_difficulty.0);
	}

	#[test]
	fn never_panics(
		number in any::<u32>(),
		words in any::<[u64; 4]>(),
		parent_time in any::<u64>(),
		time in any::<u64>(),
	) {
		let above = parent(number, U256(words), parent_time);
		for rule in [true, false] {
			prop_assert!(difficulty(&homestead(rule), &above, time) >= 131_072.into());
		}
	}
}
