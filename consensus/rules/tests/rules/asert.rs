// SPDX-License-Identifier: Apache-2.0
//! Tests the continuous difficulty: against Bitcoin Cash's published vectors, at its bounds, and by a simulation of what
//! happens when most of the hash power leaves.

use isthmus_primitives::params::{ChainParameters, DifficultyRule};
use isthmus_rules::{
	difficulty, times_power_of_two, weight, Parent, ASERT_BLOCK_SECONDS as BLOCK_SECONDS,
	ASERT_HALF_LIFE_SECONDS as HALF_LIFE,
};
use polkadot_sdk::sp_core::{H256, U256};
use proptest::prelude::*;
use rand::{distributions::Open01, Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn params(minimum: u64) -> ChainParameters {
	ChainParameters {
		difficulty_rule: DifficultyRule::Asert,
		minimum_difficulty: minimum.into(),
		..ChainParameters::default()
	}
}

fn parent(difficulty: U256) -> Parent {
	Parent {
		hash: H256::zero(),
		number: 7,
		difficulty: difficulty.into(),
		gas_limit: 1 << 20,
		timestamp: 1000,
	}
}

/// Returns the difficulty after `gap` seconds.
fn after(params: &ChainParameters, parent_difficulty: U256, gap: u64) -> U256 {
	difficulty(params, &parent(parent_difficulty), 1000 + gap).0
}

/// Reads Bitcoin's compact form of a target.
fn expand(bits: u32) -> U256 {
	let (size, word) = (bits >> 24, U256::from(bits & 0x007f_ffff));
	match size {
		0..=3 => word >> (8 * (3 - size)),
		_ => word << (8 * (size - 3)),
	}
}

/// Returns Bitcoin's compact form of a target.
fn compact(target: U256) -> u32 {
	let mut size = target.bits().div_ceil(8) as u32;
	let mut word = match size {
		0..=3 => target.low_u32() << (8 * (3 - size)),
		_ => (target >> (8 * (size - 3))).low_u32(),
	};
	if word & 0x0080_0000 != 0 {
		word >>= 8;
		size += 1;
	}
	size << 24 | word
}

/// Some of the published vectors, each run with its anchor (height, its parent's time, target) and blocks (height, time,
/// the next block's target).
type Run = (u64, u64, u32, &'static [(u64, u64, u32)]);

const RUNS: [Run; 5] = [
	// run01: steady blocks at the greatest target
	(
		1,
		0,
		0x1d00_ffff,
		&[(2, 1200, 0x1d00_ffff), (11, 6600, 0x1d00_ffff)],
	),
	// run03: steady blocks at the smallest target
	(
		1,
		0,
		0x0101_0000,
		&[(2, 1200, 0x0101_0000), (11, 6600, 0x0101_0000)],
	),
	// run05: each step halves the target
	(
		1,
		0,
		0x1d00_ffff,
		&[
			(2, 0, 0x1d00_fec5),
			(290, 0, 0x1c7f_62c0),
			(578, 0, 0x1c3f_b160),
			(2306, 0, 0x1c00_fec5),
			(36_866, 0, 0x0d00_fec5),
			(60_194, 0, 0x027f_6200),
			(62_210, 0, 0x0200_fe00),
			(63_938, 0, 0x0103_0000),
			(64_514, 0, 0x0101_0000),
		],
	),
	// run09: blocks of 300 s
	(
		2_147_483_642,
		1_234_567_290,
		0x1802_aee8,
		&[
			(2_147_483_643, 1_234_568_190, 0x1802_ae16),
			(2_147_483_644, 1_234_568_490, 0x1802_ad44),
			(2_147_483_645, 1_234_568_790, 0x1802_ac71),
			(2_147_483_646, 1_234_569_090, 0x1802_ab9e),
			(2_147_483_647, 1_234_569_390, 0x1802_aacd),
			(2_147_483_648, 1_234_569_690, 0x1802_a9fa),
			(2_147_483_652, 1_234_570_890, 0x1802_a6b7),
		],
	),
	// run10: blocks of 900 s
	(
		9_223_372_036_854_775_802,
		2_147_483_047,
		0x1802_aee8,
		&[
			(9_223_372_036_854_775_803, 2_147_484_547, 0x1802_afbb),
			(9_223_372_036_854_775_804, 2_147_485_447, 0x1802_b08f),
			(9_223_372_036_854_775_805, 2_147_486_347, 0x1802_b166),
			(9_223_372_036_854_775_808, 2_147_489_047, 0x1802_b3e5),
			(9_223_372_036_854_775_812, 2_147_492_647, 0x1802_b73d),
		],
	),
];

/// Computes targets as Bitcoin Cash does, with its block time of 600 s and its half-life of two days, so that the
/// published vectors check [`times_power_of_two`].
#[test]
fn published_vectors() {
	let greatest = expand(0x1d00_ffff);
	for (height, time, bits, blocks) in RUNS {
		for &(block_height, block_time, expected) in blocks {
			let (passed, blocks) = (
				i128::from(block_time - time),
				i128::from(block_height - height),
			);
			let exponent = (passed - 600 * (blocks + 1)) * 65_536 / 172_800;
			let target = times_power_of_two(expand(bits), exponent as i64);
			let target = target.max(1.into()).min(greatest);
			assert_eq!(
				compact(target),
				expected,
				"block {block_height} of the run from {height}"
			);
		}
	}
}

#[test]
fn whole_powers_are_exact_and_great_results_saturate() {
	let value = U256::from(0x1234_5678);
	for power in -40..200_i64 {
		let expected = match power {
			0.. => value << power,
			_ => value >> -power,
		};
		assert_eq!(
			times_power_of_two(value, power * 65_536),
			expected,
			"{power}"
		);
	}
	assert_eq!(times_power_of_two(value, 228 * 65_536), U256::MAX);
	for exponent in [0, 1, i64::MAX] {
		assert_eq!(times_power_of_two(0.into(), exponent), 0.into());
		let most = times_power_of_two(U256::MAX, exponent);
		assert_eq!(most, U256::MAX, "{exponent}");
	}
	assert_eq!(times_power_of_two(U256::MAX, i64::MIN), 0.into());
}

#[test]
fn the_difficulty_follows_the_time_since_the_parent() {
	let d = U256::from(1_000_000_000);
	let params = params(131_072);
	for (gap, expected) in [
		(1, 1_013_992_309),
		(12, 1_001_159_667),
		(13, 1_000_000_000),
		(14, 998_855_590),
		(13 + 300, 707_046_508),
		(13 + 599, 500_587_463),
	] {
		assert_eq!(after(&params, d, gap), expected.into(), "{gap} s");
	}
	// A block never halves the difficulty.
	for gap in [13 + 600, 13 + 601, 1 << 40, u64::MAX - 1000] {
		assert_eq!(after(&params, d, gap), 500_000_001.into(), "{gap} s");
	}
	assert_eq!(after(&params, 131_073.into(), 613), 131_072.into());
	assert_eq!(after(&params, 0.into(), 1), 131_072.into());
}

/// Returns how long a lone miner takes from `start` until the difficulty is within a factor of two of its level, in
/// seconds and blocks. The miner tries `rate` hashes a second, and renews its template every second.
fn recovery(params: &ChainParameters, start: u64, rate: f64, seed: u64) -> (u64, u32) {
	let mut random = ChaCha8Rng::seed_from_u64(seed);
	let level = U256::from((rate * BLOCK_SECONDS as f64) as u64);
	let (mut now, mut blocks, mut tip) = (1000, 0, U256::from(start));
	while tip > level * 2 {
		let mut gap = 0;
		tip = loop {
			gap += 1;
			let d = after(params, tip, gap);
			let found = 1.0 - (-rate / d.low_u128() as f64).exp();
			if random.sample::<f64, _>(Open01) < found {
				break d;
			}
		};
		now += gap;
		blocks += 1;
	}
	(now - 1000, blocks)
}

/// A miner with 99 times the others' power leaves.
#[test]
fn the_chain_recovers_within_two_hours_after_most_of_the_power_leaves() {
	let rate = 10_000.0;
	let start = (100.0 * rate) as u64 * BLOCK_SECONDS;
	let homestead = ChainParameters {
		difficulty_rule: DifficultyRule::Homestead { bomb: false },
		..params(1)
	};
	let mean = |params: &ChainParameters| {
		let runs: Vec<_> = (0..50)
			.map(|seed| recovery(params, start, rate, seed))
			.collect();
		let seconds = runs.iter().map(|(seconds, _)| *seconds).sum::<u64>();
		let blocks = runs.iter().map(|(_, blocks)| *blocks).sum::<u32>();
		(seconds as f64 / 50.0 / 3600.0, blocks / 50)
	};
	let (slow, slow_blocks) = mean(&homestead);
	let (quick, quick_blocks) = mean(&params(1));
	println!(
		"Homestead: {slow:.2} h and {slow_blocks} blocks; ASERT with a half-life of {HALF_LIFE} s: {quick:.2} h \
		 and {quick_blocks} blocks"
	);
	assert!(slow > 20.0, "{slow}");
	assert!(quick < 2.0, "{quick}");
}

proptest! {
	/// If two such blocks were one heavier, waiting miners would stop at a block that is never the best one.
	#[test]
	fn a_block_weighs_more_than_its_parent(
		words in any::<[u64; 3]>(),
		gap in 1u64..100_000,
		rule in 0..3,
		minimum in 1u64..1_000_000,
	) {
		let [low, middle, high] = words;
		let first = U256([low, middle, high, 0]).max(minimum.into());
		let mut params = params(minimum);
		match rule {
			0 => params.difficulty_rule = DifficultyRule::Homestead { bomb: false },
			1 => params.difficulty_rule = DifficultyRule::Fixed,
			_ => {}
		}
		let grandparent = parent(first);
		let total = isthmus_primitives::TotalDifficulty(first);
		let own = difficulty(&params, &grandparent, 1000 + gap);
		let block = Parent { difficulty: own, timestamp: 1000 + gap, ..grandparent };
		let of_block = weight(&params, &grandparent, total);
		let of_child = weight(&params, &block, total.saturating_add(own));
		prop_assert!(of_child > of_block, "{own}");
	}

	#[test]
	fn waiting_never_raises_the_difficulty(d in any::<u128>(), early in 0u64..2000, more in 0u64..2000) {
		let params = params(64);
		let first = after(&params, d.into(), early);
		let later = after(&params, d.into(), early + more);
		prop_assert!(later <= first && later >= 64.into());
		prop_assert!(first <= U256::from(d).saturating_mul(2.into()).max(64.into()));
	}

	#[test]
	fn no_input_panics(words in any::<[u64; 4]>(), exponent in any::<i64>(), gap in any::<u64>()) {
		times_power_of_two(U256(words), exponent);
		difficulty(&params(1), &parent(U256(words)), gap);
	}
}
