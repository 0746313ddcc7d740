// SPDX-License-Identifier: Apache-2.0
//! Tests the header's fields against the parent's, the timestamp inherent, and the block's miner.

use super::*;

#[test]
fn genesis_takes_its_fields_from_the_parameters() {
	on_chain(|| {
		let head = ProofOfWork::current_head();
		assert_eq!(head, Head::genesis(&parameters()));
		assert_eq!(head.beneficiary, account(0));
		assert_eq!(head.timestamp, GENESIS_TIME);
	});
}

#[test]
fn a_genesis_that_violates_a_static_rule_is_rejected() {
	let build = |parameters: ChainParameters| {
		rejection(|| {
			let _ = RuntimeGenesisConfig {
				proof_of_work: crate::GenesisConfig {
					parameters,
					..Default::default()
				},
				..Default::default()
			}
			.build_storage();
		})
	};
	assert_eq!(
		build(ChainParameters {
			genesis_gas_limit: MIN_GAS_LIMIT - 1,
			..parameters()
		}),
		"the gas limit is 124999, but must be at least 125000"
	);
	assert_eq!(
		build(ChainParameters {
			genesis_difficulty: 1.into(),
			..parameters()
		}),
		"the difficulty is 1, but must be at least 131072"
	);
	let change = RuleChange {
		from_block: 5,
		..Default::default()
	};
	assert_eq!(
		build(ChainParameters {
			changes: vec![change].try_into().expect("one change fits"),
			..parameters()
		}),
		"the change of the rules from block 5 names no rule: remove it, or name one"
	);
}

#[test]
fn a_valid_header_is_accepted_and_stored() {
	on_chain(|| {
		let pre = next_pre_digest();
		mine(&pre);
		assert_eq!(ProofOfWork::current_head(), Head::from(pre));
		assert_eq!(ProofOfWork::beneficiary(), account(1));
		mine_many(20);
	});
}

#[test]
fn the_difficulty_is_left_to_the_engine() {
	// A node's own table may change it to any value, also below the D_0 of genesis.
	on_chain(|| {
		mine(&PreDigest {
			difficulty: 1_000_001.into(),
			..next_pre_digest()
		});
		mine(&PreDigest {
			difficulty: 1.into(),
			..next_pre_digest()
		});
		assert_eq!(ProofOfWork::current_head().difficulty, 1.into());
	});
}

#[test]
fn a_gas_limit_out_of_bounds_is_rejected() {
	// The limit may change by less than ⌊1000000/1024⌋ = 976.
	assert_eq!(
		rejection_of(|pre| pre.gas_limit += 976),
		"the gas limit is 1000976, but the parent's allows only 999025 to 1000975"
	);
	assert_eq!(
		rejection_of(|pre| pre.gas_limit -= 976),
		"the gas limit is 999024, but the parent's allows only 999025 to 1000975"
	);
	on_chain(|| {
		mine(&PreDigest {
			gas_limit: GENESIS_GAS_LIMIT + 975,
			..next_pre_digest()
		});
	});
}

#[test]
fn a_gas_limit_below_the_minimum_is_rejected() {
	let low = ChainParameters {
		genesis_gas_limit: MIN_GAS_LIMIT,
		..parameters()
	};
	chain_with(low).execute_with(|| {
		let pre = PreDigest {
			gas_limit: MIN_GAS_LIMIT - 1,
			..next_pre_digest()
		};
		assert_eq!(
			rejection(|| begin(&pre)),
			"the gas limit is 124999, but must be at least 125000"
		);
	});
}

#[test]
fn a_timestamp_not_after_the_parents_is_rejected() {
	assert_eq!(
		rejection_of(|pre| pre.timestamp = GENESIS_TIME),
		"the timestamp is 1600000000 s, but must be above the parent's 1600000000 s"
	);
}

#[test]
fn long_extra_data_is_rejected() {
	assert_eq!(
		rejection_of(|pre| pre.extra_data = vec![0; 33]),
		"the extra data has 33 bytes, but may have at most 32"
	);
	on_chain(|| {
		mine(&PreDigest {
			extra_data: vec![0; 32],
			..next_pre_digest()
		});
	});
}

#[test]
fn a_digest_without_exactly_one_pre_runtime_item_is_rejected() {
	let rejected = |items: fn(DigestItem) -> Vec<DigestItem>| {
		chain_with(parameters()).execute_with(|| {
			let item = DigestItem::PreRuntime(POW_ENGINE_ID, next_pre_digest().encode());
			rejection(|| begin_with(Digest { logs: items(item) }))
		})
	};
	assert_eq!(
		rejected(|_| vec![]),
		"the digest has no pow_ pre-runtime item"
	);
	assert_eq!(
		rejected(|item| vec![item.clone(), item]),
		"the digest has more than one pow_ pre-runtime item"
	);
	assert_eq!(
		rejected(|_| vec![DigestItem::PreRuntime(POW_ENGINE_ID, vec![0; 3])]),
		"the digest's pow_ pre-runtime item does not decode"
	);
}

#[test]
fn the_time_must_be_that_of_the_header() {
	for (milliseconds, accepted) in [
		(999, false),
		(1000, true),
		(1999, true),
		(2000, false),
		(u64::MAX, false),
	] {
		let low = ChainParameters {
			genesis_timestamp: 0,
			..parameters()
		};
		chain_with(low).execute_with(|| {
			let difficulty = 1_000_488.into();
			begin_with(digest(&PreDigest {
				timestamp: 1,
				difficulty,
				..next_pre_digest()
			}));
			let set = || {
				assert_ok!(Timestamp::set(RuntimeOrigin::none(), milliseconds));
			};
			if accepted {
				set();
			} else {
				assert_eq!(
					rejection(set),
					format!(
						"the timestamp inherent says {} s, but the header (H_s) says 1 s",
						milliseconds / 1000
					)
				);
			}
		});
	}
}
