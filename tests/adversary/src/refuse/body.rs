// SPDX-License-Identifier: Apache-2.0

//! Cases for the rules that need a block's body: the node accepts the header when it is announced, fetches
//! the body and then refuses the block. Some of these blocks are only refused when the node executes them.

use super::{
	case::{Case, Offered},
	offer::Offer,
	stage::Stage,
};
use crate::{
	error::AttackError,
	forge::{extrinsics_root, seal_with_false_mix, timestamp_inherent, with_seal, Draft},
};
use isthmus_primitives::{digest::RECEIPTS_ENGINE_ID, Hash, Header};
use isthmus_rules::{gas_limit_bounds, UNCLE_ANCESTORS};
use polkadot_sdk::{
	sp_core::U256,
	sp_runtime::{DigestItem, OpaqueExtrinsic},
};

/// The nearest generation to which an uncle can belong. Generation 0 is the best block, and an uncle is a
/// child of an ancestor of the best block.
const NEAREST: usize = 1;

/// The cases. If the Ethereum test suite has the same case, it has the same name here.
pub(super) const CASES: &[Case] = &[
	Case::refused("wrong_transactions_trie", "extrinsics_root", "", |stage| {
		stage.offer_with(|block| block.extrinsics_root = Hash::repeat_byte(0x77))
	}),
	Case::refused("wrong_uncle_hash", "uncles_hash", "", |stage| {
		stage.offer_with(|block| block.pre.uncles_hash = Hash::repeat_byte(0x77))
	}),
	Case::refused("undecodable_extrinsic", "uncles_hash", "", |stage| {
		stage.offer_with(|block| {
			block.pre.uncles_hash = Hash::repeat_byte(0x77);
			change_body(block, |body| {
				body.push(OpaqueExtrinsic::from_blob(vec![0xff; 9]))
			});
		})
	}),
	Case::refused("three_uncle", "too_many_uncles", "", |stage| {
		let uncles = [
			uncle(stage, 1, |_| {})?,
			uncle(stage, 2, |_| {})?,
			uncle(stage, 3, |_| {})?,
		];
		stage.offer(stage.child().with_uncles(&uncles))
	}),
	Case::refused("two_equal_uncle", "uncle_repeated", "", |stage| {
		let uncle = uncle(stage, NEAREST, |_| {})?;
		stage.offer(stage.child().with_uncles(&[uncle.clone(), uncle]))
	}),
	Case::refused("in_chain_uncle_father", "uncle_is_ancestor", "", |stage| {
		naming(stage, stage.headers[0].clone())
	}),
	Case::refused(
		"in_chain_uncle_grand_pa",
		"uncle_is_ancestor",
		"",
		|stage| naming(stage, stage.headers[1].clone()),
	),
	Case::refused(
		"in_chain_uncle_great_grand_pa",
		"uncle_is_ancestor",
		"",
		|stage| naming(stage, stage.headers[2].clone()),
	),
	Case::refused("uncle_is_brother", "uncle_not_kin", "", |stage| {
		naming(stage, uncle(stage, 0, |_| {})?)
	}),
	Case::refused("one_uncle_generation_7", "uncle_not_kin", "", |stage| {
		naming(stage, uncle(stage, UNCLE_ANCESTORS, |_| {})?)
	}),
	Case::refused("unknown_uncle_parent_hash", "uncle_not_kin", "", |stage| {
		bad_uncle(stage, |uncle| uncle.parent_hash = Hash::repeat_byte(0x77))
	}),
	Case::refused(
		"uncle_diff_too_high",
		"uncle_header",
		"the difficulty is",
		|stage| bad_uncle(stage, |uncle| uncle.pre.difficulty.0 += U256::one()),
	),
	Case::refused(
		"uncle_diff_too_low",
		"uncle_header",
		"the difficulty is",
		|stage| bad_uncle(stage, |uncle| uncle.pre.difficulty.0 -= U256::one()),
	),
	Case::refused(
		"gas_limit_lt_gas_usage_uncle",
		"uncle_header",
		"the gas used is",
		|stage| bad_uncle(stage, |uncle| uncle.gas_used = uncle.pre.gas_limit + 1),
	),
	Case::refused(
		"uncle_gas_limit_too_high_exact_bound",
		"uncle_header",
		"the parent's allows only",
		|stage| {
			bad_uncle(stage, |uncle| {
				uncle.pre.gas_limit = gas_limit_bounds(uncle.pre.gas_limit).end() + 1
			})
		},
	),
	Case::refused(
		"uncle_gas_limit_too_low_exact_bound",
		"uncle_header",
		"the parent's allows only",
		|stage| {
			bad_uncle(stage, |uncle| {
				uncle.pre.gas_limit = gas_limit_bounds(uncle.pre.gas_limit).start() - 1
			})
		},
	),
	Case::refused(
		"incorrect_uncle_number_0",
		"uncle_header",
		"the number is 0",
		|stage| bad_uncle(stage, |uncle| uncle.number = 0),
	),
	Case::refused(
		"incorrect_uncle_number_1",
		"uncle_header",
		"the number is 1,",
		|stage| bad_uncle(stage, |uncle| uncle.number = 1),
	),
	Case::refused(
		"incorrect_uncle_number_500",
		"uncle_header",
		"the number is 500",
		|stage| bad_uncle(stage, |uncle| uncle.number = 500),
	),
	Case::refused(
		"incorrect_uncle_timestamp",
		"uncle_header",
		"must be above the parent's",
		|stage| bad_uncle(stage, |uncle| uncle.pre.timestamp -= 1),
	),
	Case::refused(
		"past_uncle_timestamp",
		"uncle_header",
		"must be above the parent's",
		|stage| bad_uncle(stage, |uncle| uncle.pre.timestamp = 1),
	),
	Case::refused("uncle_extra_data_33", "uncle_header", "33 bytes", |stage| {
		bad_uncle(stage, |uncle| uncle.pre.extra_data = vec![0x42; 33])
	}),
	Case::refused("uncle_wrong_mix", "uncle_header", "mix hash", |stage| {
		let draft = stage.child_of(NEAREST);
		let seal = seal_with_false_mix(&draft.unsealed(), draft.pre.difficulty)?;
		naming(stage, with_seal(draft.unsealed(), seal))
	}),
	Case::refused(
		"uncle_no_seal",
		"uncle_header",
		"has no pow_ seal",
		|stage| naming(stage, stage.child_of(NEAREST).unsealed()),
	),
	Case::not_executed(
		"wrong_state_root_sealed",
		"Storage root must match",
		|stage| stage.offer_with(|_| {}),
	),
	Case::not_executed("wrong_gas_used", "Digest item must match", |stage| {
		stage.offer_with(|block| block.gas_used = 1)
	}),
	Case::not_executed("wrong_receipts_root", "Digest item must match", |stage| {
		stage.offer_with(|block| block.receipts.root = Hash::repeat_byte(1))
	}),
	Case::not_executed("wrong_receipts_count", "Digest item must match", |stage| {
		stage.offer_with(|block| block.receipts.count = 1)
	}),
	Case::not_executed(
		"two_receipts",
		"Number of digest items must match",
		|stage| with_items(stage, |items| items.push(items[2].clone())),
	),
	Case::not_executed("undecodable_receipts", "Digest item must match", |stage| {
		with_items(stage, |items| {
			items[2] = DigestItem::Consensus(RECEIPTS_ENGINE_ID, vec![0; 35])
		})
	}),
	Case::not_executed(
		"timestamp_unlike_inherent",
		"the timestamp inherent says",
		|stage| {
			stage.offer_with(|block| {
				let other = block.pre.timestamp + 1;
				change_body(block, |body| body[0] = timestamp_inherent(other));
			})
		},
	),
	Case::not_executed(
		"no_timestamp",
		"Timestamp must be updated once in the block",
		|stage| stage.offer_with(|block| change_body(block, Vec::clear)),
	),
];

/// Drafts a child of the ancestor of this generation (0 is the best block), changes it and seals it.
fn uncle(
	stage: &Stage<'_>,
	generation: usize,
	change: impl FnOnce(&mut Draft),
) -> Result<Header, AttackError> {
	let mut draft = stage.child_of(generation);
	draft.pre.extra_data = b"uncle".to_vec();
	change(&mut draft);
	stage.seal(&draft)
}

/// Offers a child of the best block that names this header as its only uncle.
fn naming(stage: &Stage<'_>, uncle: Header) -> Offered {
	stage.offer(stage.child().with_uncles(&[uncle]))
}

/// Offers a child of the best block with one uncle, of the nearest generation. The uncle is changed and
/// then sealed.
fn bad_uncle(stage: &Stage<'_>, change: impl FnOnce(&mut Draft)) -> Offered {
	naming(stage, uncle(stage, NEAREST, change)?)
}

/// Offers a child of the best block whose digest items are changed before it is sealed.
fn with_items(stage: &Stage<'_>, change: fn(&mut Vec<DigestItem>)) -> Offered {
	let draft = stage.child();
	let mut unsealed = draft.unsealed();
	change(&mut unsealed.digest.logs);
	Ok(Some(Offer::Block {
		header: stage.seal_header(unsealed, draft.pre.difficulty)?,
		body: draft.body,
	}))
}

/// Changes the body and updates its root in the header.
fn change_body(block: &mut Draft, change: impl FnOnce(&mut Vec<OpaqueExtrinsic>)) {
	change(&mut block.body);
	block.extrinsics_root = extrinsics_root(&block.body);
}
