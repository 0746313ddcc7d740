//! Rules that only a block's body shows: its header is announced, found good, and the body that is then
//! served is refused; and blocks that only execution refuses.

use super::{Case, Expected, Offer, Stage};
use crate::{
	error::AttackError,
	forge::{extrinsics_root, seal_with_false_mix, timestamp_inherent, with_seal, Draft},
};
use isthmus_primitives::{Hash, Header};
use isthmus_rules::{gas_limit_bounds, UNCLE_ANCESTORS};
use polkadot_sdk::{sp_core::U256, sp_runtime::OpaqueExtrinsic};
use Expected::{NotExecuted, Refused};

type Made = Result<Option<Offer>, AttackError>;

/// The generation of the ancestor whose children are the block's nearest uncles.
const NEAREST: usize = 1;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
	Case { name: "wrong_transactions_trie", expected: Refused("extrinsics_root", ""), make: |stage| stage.offer_with(|block| block.extrinsics_root = Hash::repeat_byte(0x77)) },
	Case { name: "wrong_uncle_hash", expected: Refused("uncles_hash", ""), make: |stage| stage.offer_with(|block| block.pre.uncles_hash = Hash::repeat_byte(0x77)) },
	Case { name: "undecodable_extrinsic", expected: Refused("uncles_hash", ""), make: |stage| stage.offer_with(|block| {
		block.pre.uncles_hash = Hash::repeat_byte(0x77);
		change_body(block, |body| body.push(OpaqueExtrinsic::from_blob(vec![0xff; 9])));
	}) },
	Case { name: "three_uncle", expected: Refused("too_many_uncles", ""), make: |stage| {
		let uncles = [uncle(stage, 1, |_| {})?, uncle(stage, 2, |_| {})?, uncle(stage, 3, |_| {})?];
		stage.offer(stage.child().with_uncles(&uncles))
	} },
	Case { name: "two_equal_uncle", expected: Refused("uncle_repeated", ""), make: |stage| {
		let uncle = uncle(stage, NEAREST, |_| {})?;
		stage.offer(stage.child().with_uncles(&[uncle.clone(), uncle]))
	} },
	Case { name: "in_chain_uncle_father", expected: Refused("uncle_is_ancestor", ""), make: |stage| names(stage, stage.headers[0].clone()) },
	Case { name: "in_chain_uncle_grand_pa", expected: Refused("uncle_is_ancestor", ""), make: |stage| names(stage, stage.headers[1].clone()) },
	Case { name: "in_chain_uncle_great_grand_pa", expected: Refused("uncle_is_ancestor", ""), make: |stage| names(stage, stage.headers[2].clone()) },
	Case { name: "uncle_is_brother", expected: Refused("uncle_not_kin", ""), make: |stage| names(stage, uncle(stage, 0, |_| {})?) },
	Case { name: "one_uncle_generation_7", expected: Refused("uncle_not_kin", ""), make: |stage| names(stage, uncle(stage, UNCLE_ANCESTORS, |_| {})?) },
	Case { name: "unknown_uncle_parent_hash", expected: Refused("uncle_not_kin", ""), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.parent_hash = Hash::repeat_byte(0x77))?) },
	Case { name: "uncle_diff_too_high", expected: Refused("uncle_header", "the difficulty is"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.pre.difficulty.0 += U256::one())?) },
	Case { name: "uncle_diff_too_low", expected: Refused("uncle_header", "the difficulty is"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.pre.difficulty.0 -= U256::one())?) },
	Case { name: "gas_limit_lt_gas_usage_uncle", expected: Refused("uncle_header", "the gas used is"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.gas_used = uncle.pre.gas_limit + 1)?) },
	Case { name: "uncle_gas_limit_too_high_exact_bound", expected: Refused("uncle_header", "the parent's allows only"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.pre.gas_limit = gas_limit_bounds(uncle.pre.gas_limit).end() + 1)?) },
	Case { name: "uncle_gas_limit_too_low_exact_bound", expected: Refused("uncle_header", "the parent's allows only"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.pre.gas_limit = gas_limit_bounds(uncle.pre.gas_limit).start() - 1)?) },
	Case { name: "incorrect_uncle_number_0", expected: Refused("uncle_header", "the number is 0"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.number = 0)?) },
	Case { name: "incorrect_uncle_number_1", expected: Refused("uncle_header", "the number is 1,"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.number = 1)?) },
	Case { name: "incorrect_uncle_number_500", expected: Refused("uncle_header", "the number is 500"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.number = 500)?) },
	Case { name: "incorrect_uncle_timestamp", expected: Refused("uncle_header", "must be above the parent's"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.pre.timestamp -= 1)?) },
	Case { name: "past_uncle_timestamp", expected: Refused("uncle_header", "must be above the parent's"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.pre.timestamp = 1)?) },
	Case { name: "uncle_extra_data_33", expected: Refused("uncle_header", "33 bytes"), make: |stage| names(stage, uncle(stage, NEAREST, |uncle| uncle.pre.extra_data = vec![0x42; 33])?) },
	Case { name: "uncle_wrong_mix", expected: Refused("uncle_header", "mix hash"), make: |stage| {
		let draft = stage.child_of(NEAREST);
		let seal = seal_with_false_mix(&draft.unsealed(), draft.pre.difficulty)?;
		names(stage, with_seal(draft.unsealed(), seal))
	} },
	Case { name: "uncle_no_seal", expected: Refused("uncle_header", "has no pow_ seal"), make: |stage| names(stage, stage.child_of(NEAREST).unsealed()) },
	Case { name: "wrong_state_root_sealed", expected: NotExecuted("Storage root must match"), make: |stage| stage.offer_with(|_| {}) },
	Case { name: "wrong_gas_used", expected: NotExecuted("Digest item must match"), make: |stage| stage.offer_with(|block| block.gas_used = 1) },
	Case { name: "timestamp_unlike_inherent", expected: NotExecuted("the timestamp inherent says"), make: |stage| stage.offer_with(|block| {
		let other = block.pre.timestamp + 1;
		change_body(block, |body| body[0] = timestamp_inherent(other));
	}) },
	Case { name: "no_timestamp", expected: NotExecuted("Timestamp must be updated once in the block"), make: |stage| stage.offer_with(|block| change_body(block, Vec::clear)) },
];

/// A sealed child of the ancestor of this generation (0 is the best block), changed before it is
/// sealed.
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

/// A child of the best block that names this uncle alone.
fn names(stage: &Stage<'_>, uncle: Header) -> Made {
	stage.offer(stage.child().with_uncles(&[uncle]))
}

fn change_body(block: &mut Draft, change: impl FnOnce(&mut Vec<OpaqueExtrinsic>)) {
	change(&mut block.body);
	block.extrinsics_root = extrinsics_root(&block.body);
}
