// SPDX-License-Identifier: Apache-2.0
//! Tests the bounds of the gas limit, and the limit that a miner chooses within them.

use isthmus_primitives::params::MIN_GAS_LIMIT;
use isthmus_rules::{gas_limit_bounds, next_gas_limit, MAX_GAS_LIMIT};
use proptest::prelude::*;

#[test]
fn the_bound_is_strict_and_rounded_down() {
	// 3141592 / 1024 = 3067.96…
	assert_eq!(gas_limit_bounds(3_141_592), 3_138_526..=3_144_658);
	assert_eq!(gas_limit_bounds(125_000), 124_879..=125_121);
	assert_eq!(gas_limit_bounds(125_952), 125_830..=126_074);
	// A bound of one allows only the parent's own limit.
	assert_eq!(gas_limit_bounds(2047), 2047..=2047);
	assert_eq!(gas_limit_bounds(1024), 1024..=1024);
}

#[test]
fn a_bound_of_zero_allows_nothing() {
	for parent in [0, 1, 1023] {
		assert!(gas_limit_bounds(parent).is_empty(), "{parent}");
	}
}

#[test]
fn a_miner_goes_as_near_to_its_target_as_it_may() {
	let cases = [
		// The target is out of reach, within reach, or the parent's own limit.
		(3_141_592, 20_000_000, 3_144_658),
		(3_141_592, 3_142_000, 3_142_000),
		(3_141_592, 3_141_592, 3_141_592),
		(3_141_592, 3_144_659, 3_144_658),
		(3_141_592, 1_000_000, 3_138_526),
		// The result is always a valid gas limit, whatever the target.
		(125_000, 0, 125_000),
		(125_001, 0, 125_000),
		(125_000, u64::MAX, 125_121),
		(MAX_GAS_LIMIT, u64::MAX, MAX_GAS_LIMIT),
	];
	for (parent, target, expected) in cases {
		assert_eq!(
			next_gas_limit(parent, target),
			expected,
			"from {parent} to {target}"
		);
	}
}

proptest! {
	#[test]
	fn bounds_are_the_printed_inequality(parent in any::<u64>(), near in -70_000i64..70_000, far: u64) {
		for got in [parent.saturating_add_signed(near), far] {
			let printed = got.abs_diff(parent) < parent / 1024;
			prop_assert_eq!(gas_limit_bounds(parent).contains(&got), printed);
		}
	}

	#[test]
	fn the_next_limit_is_always_valid_and_never_further(
		parent in MIN_GAS_LIMIT..=MAX_GAS_LIMIT,
		target in any::<u64>(),
	) {
		let next = next_gas_limit(parent, target);
		prop_assert!(gas_limit_bounds(parent).contains(&next));
		prop_assert!((MIN_GAS_LIMIT..=MAX_GAS_LIMIT).contains(&next));
		let reachable = target.clamp(MIN_GAS_LIMIT, MAX_GAS_LIMIT);
		prop_assert!(next.abs_diff(reachable) <= parent.abs_diff(reachable));
		prop_assert!(next != parent || parent == reachable);
	}
}
