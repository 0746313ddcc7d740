// SPDX-License-Identifier: Apache-2.0

//! Header rules: the node refuses such a block on its announcement and never requests the body. A block
//! from the future is only ignored.

use super::{
	case::{Case, Offered},
	offer::Offer,
	stage::Stage,
};
use crate::forge::{seal_with_false_mix, with_seal, Draft};
use codec::Encode;
use isthmus_primitives::{
	digest::{GasUsed, PowHeader, Seal, MAX_HEADER_BYTES, POW_ENGINE_ID},
	params::MIN_GAS_LIMIT,
	Hash, Header,
};
use isthmus_rules::{gas_limit_bounds, validate_seal_quick, MAX_GAS_LIMIT};
use polkadot_sdk::{
	sp_core::U256,
	sp_runtime::{DigestItem, OpaqueExtrinsic},
};

/// At least one case for each rule: both sides of each bound, and every way to break the digest.
pub(super) const CASES: &[Case] = &[
	Case::refused(
		"difficulty_is_zero",
		"difficulty_too_low",
		"the difficulty is 0",
		|stage| stage.offer_with(|block| block.pre.difficulty = U256::zero().into()),
	),
	Case::refused(
		"difficulty_under_minimum",
		"difficulty_too_low",
		"",
		|stage| {
			stage.offer_with(|block| {
				block.pre.difficulty = (stage.params.minimum_difficulty.0 - 1).into()
			})
		},
	),
	Case::refused("wrong_difficulty", "difficulty", "", |stage| {
		stage.offer_with(|block| block.pre.difficulty.0 += U256::one())
	}),
	Case::refused("wrong_difficulty_low", "difficulty", "", too_easy),
	Case::refused(
		"extra_data_33",
		"extra_data_too_long",
		"33 bytes",
		|stage| stage.offer_with(|block| block.pre.extra_data = vec![0x42; 33]),
	),
	Case::refused(
		"extra_data_1024",
		"extra_data_too_long",
		"1024 bytes",
		|stage| stage.offer_with(|block| block.pre.extra_data = vec![0x42; 1024]),
	),
	Case::refused(
		"gas_limit_higher_than_2p63m1",
		"gas_limit_too_high",
		"",
		|stage| stage.offer_with(|block| block.pre.gas_limit = MAX_GAS_LIMIT + 1),
	),
	Case::refused("gas_limit_is_zero", "gas_limit_too_low", "", |stage| {
		stage.offer_with(|block| block.pre.gas_limit = 0)
	}),
	Case::refused(
		"gas_limit_under_minimum",
		"gas_limit_too_low",
		"",
		|stage| stage.offer_with(|block| block.pre.gas_limit = MIN_GAS_LIMIT - 1),
	),
	Case::refused(
		"wrong_gas_limit_high",
		"gas_limit_out_of_bounds",
		"",
		|stage| {
			stage.offer_with(|block| {
				block.pre.gas_limit = gas_limit_bounds(stage.parents[0].gas_limit).end() + 1
			})
		},
	),
	Case::refused(
		"wrong_gas_limit_low",
		"gas_limit_out_of_bounds",
		"",
		|stage| {
			stage.offer_with(|block| {
				block.pre.gas_limit = gas_limit_bounds(stage.parents[0].gas_limit).start() - 1
			})
		},
	),
	Case::refused(
		"gas_used_above_limit",
		"gas_used_above_limit",
		"",
		|stage| stage.offer_with(|block| block.gas_used = block.pre.gas_limit + 1),
	),
	Case::refused("time_diff_0", "timestamp_not_after_parent", "", |stage| {
		stage.offer_with(|block| block.pre.timestamp = stage.parents[0].timestamp)
	}),
	Case::refused("bad_timestamp", "timestamp_not_after_parent", "", |stage| {
		stage.offer_with(|block| block.pre.timestamp = stage.parents[0].timestamp - 1)
	}),
	Case::ignored("wrong_timestamp", "s is accepted now", |stage| {
		stage.offer(Draft::child(
			&stage.params,
			&stage.parents[0],
			stage.now + 3600,
		))
	}),
	Case::refused("wrong_number", "number", "", |stage| {
		stage.offer_with(|block| block.number += 1)
	}),
	Case::refused("log1_wrong_block_number", "number", "", |stage| {
		stage.offer_with(|block| block.number = 1)
	}),
	Case::refused("broken_seal", "seal_above_boundary", "", |stage| {
		reseal(stage, |seal, nudge| {
			seal.nonce = seal.nonce.wrapping_add(nudge)
		})
	}),
	Case::refused("wrong_mix", "mix_hash", "", false_mix),
	Case::refused("flipped_mix", "seal_above_boundary", "", |stage| {
		reseal(stage, |seal, nudge| {
			seal.mix_hash.0[0] ^= (nudge % 256) as u8
		})
	}),
	Case::refused("wrong_state_root", "seal_above_boundary", "", |stage| {
		change_sealed(stage, |header, nudge| {
			header.state_root = Hash::from_low_u64_be(nudge)
		})
	}),
	Case::refused(
		"wrong_coinbase",
		"seal_above_boundary",
		"",
		another_beneficiary,
	),
	Case::refused("no_seal", "digest", "has no pow_ seal", |stage| {
		change_digest(stage, |items| {
			items.pop();
		})
	}),
	Case::refused("two_seals", "digest", "more than one pow_ seal", |stage| {
		change_digest(stage, |items| items.extend(items.last().cloned()))
	}),
	Case::refused(
		"seal_not_last",
		"digest",
		"not the digest's last item",
		|stage| change_digest(stage, |items| items.rotate_right(1)),
	),
	Case::refused(
		"undecodable_seal",
		"digest",
		"seal does not decode",
		|stage| {
			change_digest(stage, |items| {
				items.pop();
				items.push(DigestItem::Seal(POW_ENGINE_ID, vec![1; 7]))
			})
		},
	),
	Case::refused(
		"no_pre_digest",
		"digest",
		"has no pow_ pre-runtime item",
		|stage| {
			change_digest(stage, |items| {
				items.remove(0);
			})
		},
	),
	Case::refused(
		"two_pre_digests",
		"digest",
		"more than one pow_ pre-runtime item",
		|stage| change_digest(stage, |items| items.insert(0, items[0].clone())),
	),
	Case::refused(
		"undecodable_pre_digest",
		"digest",
		"pre-runtime item does not decode",
		|stage| {
			change_digest(stage, |items| {
				items[0] = DigestItem::PreRuntime(POW_ENGINE_ID, vec![1; 7])
			})
		},
	),
	Case::refused(
		"no_gas_used",
		"digest",
		"has no pow_ gas-used item",
		|stage| {
			change_digest(stage, |items| {
				items.remove(1);
			})
		},
	),
	Case::refused(
		"two_gas_used",
		"digest",
		"more than one pow_ gas-used item",
		|stage| {
			change_digest(stage, |items| {
				items.insert(1, DigestItem::Consensus(POW_ENGINE_ID, GasUsed(1).encode()))
			})
		},
	),
	Case::refused("foreign_item", "digest", "foreign engine", |stage| {
		change_digest(stage, |items| {
			items.insert(0, DigestItem::PreRuntime(*b"aura", vec![]))
		})
	}),
	Case::refused("header_too_long", "digest", "the header has", |stage| {
		change_digest(stage, |items| {
			items.insert(0, DigestItem::Other(vec![0; MAX_HEADER_BYTES]))
		})
	}),
];

/// Claims a difficulty below the required one, D(H), but not below the minimum, D_0. Returns `None` if D(H)
/// equals D_0.
fn too_easy(stage: &Stage<'_>) -> Offered {
	let draft = stage.child();
	if draft.pre.difficulty <= stage.params.minimum_difficulty {
		return Ok(None);
	}
	stage.offer_with(|block| block.pre.difficulty.0 -= U256::one())
}

/// Offers a block whose mix hash is made up but whose seal still meets the boundary.
fn false_mix(stage: &Stage<'_>) -> Offered {
	let draft = stage.child();
	let seal = seal_with_false_mix(&draft.unsealed(), draft.pre.difficulty)?;
	Ok(Some(Offer::Block {
		header: with_seal(draft.unsealed(), seal),
		body: draft.body,
	}))
}

/// Tries `change` with 1, 2, … on a valid seal and offers the first header whose seal misses the boundary.
fn reseal(stage: &Stage<'_>, change: fn(&mut Seal, u64)) -> Offered {
	let draft = stage.child();
	let seal = stage
		.miner
		.search(&draft.unsealed(), draft.pre.difficulty)?;
	first_broken(draft.body.clone(), |nudge| {
		let mut seal = seal;
		change(&mut seal, nudge);
		with_seal(draft.unsealed(), seal)
	})
}

/// Changes a header after it was sealed, so that the seal no longer matches it.
fn change_sealed(stage: &Stage<'_>, change: fn(&mut Header, u64)) -> Offered {
	let draft = stage.child();
	let sealed = stage.seal(&draft)?;
	first_broken(draft.body, |nudge| {
		let mut header = sealed.clone();
		change(&mut header, nudge);
		header
	})
}

/// Takes an honestly mined block and changes the beneficiary, as a thief of the reward would.
fn another_beneficiary(stage: &Stage<'_>) -> Offered {
	let draft = stage.child();
	let seal = stage
		.miner
		.search(&draft.unsealed(), draft.pre.difficulty)?;
	first_broken(draft.body.clone(), |nudge| {
		let mut stolen = draft.clone();
		stolen.pre.beneficiary = [nudge as u8; 32].into();
		with_seal(stolen.unsealed(), seal)
	})
}

/// Tries `make(1)`, `make(2)`, … and offers the first header whose seal misses the boundary. It rarely
/// needs a second try: a changed header still meets the boundary only about once in H_d (the difficulty).
fn first_broken(body: Vec<OpaqueExtrinsic>, make: impl Fn(u64) -> Header) -> Offered {
	let broken = |header: &Header| {
		PowHeader::read(header).is_ok_and(|read| validate_seal_quick(&read).is_err())
	};
	let header = (1..=u64::MAX).map(make).find(broken);
	Ok(header.map(|header| Offer::Block { header, body }))
}

/// Changes the digest items of a sealed header.
fn change_digest(stage: &Stage<'_>, change: fn(&mut Vec<DigestItem>)) -> Offered {
	let draft = stage.child();
	let mut header = stage.seal(&draft)?;
	change(&mut header.digest.logs);
	Ok(Some(Offer::Block {
		header,
		body: draft.body,
	}))
}
