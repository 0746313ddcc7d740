//! Rules of the header, which is refused when it is announced: no body is ever asked for.

use super::{Case, Expected, Offer, Stage};
use crate::{
	error::AttackError,
	forge::{seal_with_false_mix, with_seal, Draft},
};
use codec::Encode;
use isthmus_primitives::{
	digest::{GasUsed, PowHeader, Seal, MAX_HEADER_BYTES, POW_ENGINE_ID},
	params::MIN_GAS_LIMIT,
	Hash, Header,
};
use isthmus_rules::{gas_limit_bounds, validate_seal_quick, MAX_GAS_LIMIT};
use polkadot_sdk::{sp_core::U256, sp_runtime::DigestItem};
use Expected::{LeftAside, Refused};

type Made = Result<Option<Offer>, AttackError>;

/// One case a rule, and one a bound where a rule has two.
#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
	Case { name: "difficulty_is_zero", expected: Refused("difficulty_too_low", "the difficulty is 0"), make: |stage| stage.offer_with(|block| block.pre.difficulty = U256::zero().into()) },
	Case { name: "difficulty_under_minimum", expected: Refused("difficulty_too_low", ""), make: |stage| stage.offer_with(|block| block.pre.difficulty = (stage.params.minimum_difficulty.0 - 1).into()) },
	Case { name: "wrong_difficulty", expected: Refused("difficulty", ""), make: |stage| stage.offer_with(|block| block.pre.difficulty.0 += U256::one()) },
	Case { name: "wrong_difficulty_low", expected: Refused("difficulty", ""), make: too_easy },
	Case { name: "extra_data_33", expected: Refused("extra_data_too_long", "33 bytes"), make: |stage| stage.offer_with(|block| block.pre.extra_data = vec![0x42; 33]) },
	Case { name: "extra_data_1024", expected: Refused("extra_data_too_long", "1024 bytes"), make: |stage| stage.offer_with(|block| block.pre.extra_data = vec![0x42; 1024]) },
	Case { name: "gas_limit_higher_than_2p63m1", expected: Refused("gas_limit_too_high", ""), make: |stage| stage.offer_with(|block| block.pre.gas_limit = MAX_GAS_LIMIT + 1) },
	Case { name: "gas_limit_is_zero", expected: Refused("gas_limit_too_low", ""), make: |stage| stage.offer_with(|block| block.pre.gas_limit = 0) },
	Case { name: "gas_limit_under_minimum", expected: Refused("gas_limit_too_low", ""), make: |stage| stage.offer_with(|block| block.pre.gas_limit = MIN_GAS_LIMIT - 1) },
	Case { name: "wrong_gas_limit_high", expected: Refused("gas_limit_out_of_bounds", ""), make: |stage| stage.offer_with(|block| block.pre.gas_limit = gas_limit_bounds(stage.parents[0].gas_limit).end() + 1) },
	Case { name: "wrong_gas_limit_low", expected: Refused("gas_limit_out_of_bounds", ""), make: |stage| stage.offer_with(|block| block.pre.gas_limit = gas_limit_bounds(stage.parents[0].gas_limit).start() - 1) },
	Case { name: "gas_used_above_limit", expected: Refused("gas_used_above_limit", ""), make: |stage| stage.offer_with(|block| block.gas_used = block.pre.gas_limit + 1) },
	Case { name: "time_diff_0", expected: Refused("timestamp_not_after_parent", ""), make: |stage| stage.offer_with(|block| block.pre.timestamp = stage.parents[0].timestamp) },
	Case { name: "bad_timestamp", expected: Refused("timestamp_not_after_parent", ""), make: |stage| stage.offer_with(|block| block.pre.timestamp = stage.parents[0].timestamp - 1) },
	Case { name: "wrong_timestamp", expected: LeftAside("is accepted only up to"), make: |stage| stage.offer(Draft::child(&stage.params, &stage.parents[0], stage.now + 3600)) },
	Case { name: "wrong_number", expected: Refused("number", ""), make: |stage| stage.offer_with(|block| block.number += 1) },
	Case { name: "log1_wrong_block_number", expected: Refused("number", ""), make: |stage| stage.offer_with(|block| block.number = 1) },
	Case { name: "broken_seal", expected: Refused("seal_above_boundary", ""), make: |stage| reseal(stage, |seal, nudge| seal.nonce = seal.nonce.wrapping_add(nudge)) },
	Case { name: "wrong_mix", expected: Refused("mix_hash", ""), make: false_mix },
	Case { name: "flipped_mix", expected: Refused("seal_above_boundary", ""), make: |stage| reseal(stage, |seal, nudge| seal.mix_hash.0[0] ^= (nudge % 256) as u8) },
	Case { name: "wrong_state_root", expected: Refused("seal_above_boundary", ""), make: |stage| change_sealed(stage, |header, nudge| header.state_root = Hash::from_low_u64_be(nudge)) },
	Case { name: "wrong_coinbase", expected: Refused("seal_above_boundary", ""), make: another_beneficiary },
	Case { name: "no_seal", expected: Refused("digest", "has no pow_ seal"), make: |stage| change_digest(stage, |items| { items.pop(); }) },
	Case { name: "two_seals", expected: Refused("digest", "more than one pow_ seal"), make: |stage| change_digest(stage, |items| items.extend(items.last().cloned())) },
	Case { name: "seal_not_last", expected: Refused("digest", "not the digest's last item"), make: |stage| change_digest(stage, |items| items.rotate_right(1)) },
	Case { name: "undecodable_seal", expected: Refused("digest", "seal does not decode"), make: |stage| change_digest(stage, |items| { items.pop(); items.push(DigestItem::Seal(POW_ENGINE_ID, vec![1; 7])) }) },
	Case { name: "no_pre_digest", expected: Refused("digest", "has no pow_ pre-runtime item"), make: |stage| change_digest(stage, |items| { items.remove(0); }) },
	Case { name: "two_pre_digests", expected: Refused("digest", "more than one pow_ pre-runtime item"), make: |stage| change_digest(stage, |items| items.insert(0, items[0].clone())) },
	Case { name: "undecodable_pre_digest", expected: Refused("digest", "pre-runtime item does not decode"), make: |stage| change_digest(stage, |items| items[0] = DigestItem::PreRuntime(POW_ENGINE_ID, vec![1; 7])) },
	Case { name: "no_gas_used", expected: Refused("digest", "has no pow_ gas-used item"), make: |stage| change_digest(stage, |items| { items.remove(1); }) },
	Case { name: "two_gas_used", expected: Refused("digest", "more than one pow_ gas-used item"), make: |stage| change_digest(stage, |items| items.insert(1, DigestItem::Consensus(POW_ENGINE_ID, GasUsed(1).encode()))) },
	Case { name: "foreign_item", expected: Refused("digest", "foreign engine"), make: |stage| change_digest(stage, |items| items.insert(0, DigestItem::PreRuntime(*b"aura", vec![]))) },
	Case { name: "header_too_long", expected: Refused("digest", "the header has"), make: |stage| change_digest(stage, |items| items.insert(0, DigestItem::Other(vec![0; MAX_HEADER_BYTES]))) },
];

/// Claims less than D(H), yet no less than D_0. There is no such number where D(H) is D_0.
fn too_easy(stage: &Stage<'_>) -> Made {
	let draft = stage.child();
	if draft.pre.difficulty <= stage.params.minimum_difficulty {
		return Ok(None);
	}
	stage.offer_with(|block| block.pre.difficulty.0 -= U256::one())
}

/// A mix hash that was never mixed, with a result within the boundary.
fn false_mix(stage: &Stage<'_>) -> Made {
	let draft = stage.child();
	let seal = seal_with_false_mix(&draft.unsealed(), draft.pre.difficulty)?;
	Ok(Some(Offer::Block {
		header: with_seal(draft.unsealed(), seal),
		body: draft.body,
	}))
}

/// Changes a true seal by the least nudge whose result is not within the boundary.
fn reseal(stage: &Stage<'_>, change: fn(&mut Seal, u64)) -> Made {
	let draft = stage.child();
	let seal = stage
		.miner
		.search(&draft.unsealed(), draft.pre.difficulty)?;
	unsealing(draft.body.clone(), |nudge| {
		let mut seal = seal;
		change(&mut seal, nudge);
		with_seal(draft.unsealed(), seal)
	})
}

/// Changes a sealed header so that its seal is another header's.
fn change_sealed(stage: &Stage<'_>, change: fn(&mut Header, u64)) -> Made {
	let draft = stage.child();
	let sealed = stage.seal(&draft)?;
	unsealing(draft.body, |nudge| {
		let mut header = sealed.clone();
		change(&mut header, nudge);
		header
	})
}

/// The same block, its reward claimed by someone else.
fn another_beneficiary(stage: &Stage<'_>) -> Made {
	let draft = stage.child();
	let seal = stage
		.miner
		.search(&draft.unsealed(), draft.pre.difficulty)?;
	unsealing(draft.body.clone(), |nudge| {
		let mut stolen = draft.clone();
		stolen.pre.beneficiary = [nudge as u8; 32].into();
		with_seal(stolen.unsealed(), seal)
	})
}

/// The first of the headers made with 1, 2, … whose seal's result is above the boundary: about one in
/// H_d is not.
fn unsealing(
	body: Vec<polkadot_sdk::sp_runtime::OpaqueExtrinsic>,
	make: impl Fn(u64) -> Header,
) -> Made {
	let broken = |header: &Header| {
		PowHeader::read(header).is_ok_and(|read| validate_seal_quick(&read).is_err())
	};
	let header = (1..=u64::MAX).map(make).find(broken);
	Ok(header.map(|header| Offer::Block { header, body }))
}

/// Changes a sealed header's digest items.
fn change_digest(stage: &Stage<'_>, change: fn(&mut Vec<DigestItem>)) -> Made {
	let draft = stage.child();
	let mut header = stage.seal(&draft)?;
	change(&mut header.digest.logs);
	Ok(Some(Offer::Block {
		header,
		body: draft.body,
	}))
}
