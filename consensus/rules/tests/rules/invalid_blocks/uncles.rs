// SPDX-License-Identifier: Apache-2.0
//! Tests the suite's blocks that name uncles: which uncles a block may name, and which it may not.

use crate::chain::{fake_hashimoto, Chain, Draft, GENESIS_TIME, NOW, NO_SEAL};
use isthmus_primitives::{
	digest::{uncles_hash, DigestError, Item},
	Header,
};
use isthmus_rules::{validate_uncles, Ancestry, GotExpected, HeaderError, UncleError};
use polkadot_sdk::sp_core::H256;
use std::slice;

#[track_caller]
fn rejected(chain: &Chain, uncles: &[Header], error: UncleError) {
	assert_eq!(chain.name(uncles), Err(error.into()));
}

/// Returns a chain whose next block is number `block`, and an uncle from block `parent` for that block to
/// name.
fn one_uncle_from(parent: usize, block: u32) -> (Chain, Header) {
	let chain = Chain::of(block - 1);
	let uncle = chain.uncle_on(parent).sealed();
	(chain, uncle)
}

#[test]
fn wrong_uncle_hash() {
	let chain = Chain::of(2);
	let got = H256::repeat_byte(0x0d);
	let mut draft = Draft::child_of(&chain.params, chain.tip());
	draft.pre.uncles_hash = got;
	let ancestry = Ancestry {
		ancestors: &chain.blocks,
		included: &[],
	};
	let header = draft.unsealed();
	let verdict = validate_uncles(&chain.params, &header, &[], &ancestry, NOW, fake_hashimoto);
	let error = UncleError::UnclesHash(GotExpected {
		got,
		expected: uncles_hash(&[]),
	});
	assert_eq!(verdict, Err(error.into()));
}

#[test]
fn one_uncle() {
	let (chain, uncle) = one_uncle_from(1, 3);
	assert_eq!(chain.name(&[uncle]), Ok(()));
}

/// Returns a chain, and an uncle with block 2's number that is named `generation` blocks later.
fn one_uncle_generation(generation: u32) -> (Chain, Header) {
	one_uncle_from(1, 2 + generation)
}

#[test]
fn one_uncle_generation2() {
	let (chain, uncle) = one_uncle_generation(2);
	assert_eq!(chain.name(&[uncle]), Ok(()));
}

#[test]
fn one_uncle_generation3() {
	let (chain, uncle) = one_uncle_generation(3);
	assert_eq!(chain.name(&[uncle]), Ok(()));
}

#[test]
fn one_uncle_generation4() {
	let (chain, uncle) = one_uncle_generation(4);
	assert_eq!(chain.name(&[uncle]), Ok(()));
}

#[test]
fn one_uncle_generation5() {
	let (chain, uncle) = one_uncle_generation(5);
	assert_eq!(chain.name(&[uncle]), Ok(()));
}

#[test]
fn one_uncle_generation6() {
	let (chain, uncle) = one_uncle_generation(6);
	assert_eq!(chain.name(&[uncle]), Ok(()));
}

#[test]
fn one_uncle_generation7() {
	let (chain, uncle) = one_uncle_generation(7);
	let error = UncleError::NotKin {
		uncle: uncle.hash(),
		got: chain.blocks[1].hash,
		parents: Some((2, 7)),
	};
	rejected(&chain, &[uncle], error);
}

/// Returns `count` different uncles from the same block, distinguished by their extra data.
fn brothers(chain: &Chain, count: u8) -> Vec<Header> {
	let brother = |tag| {
		let mut uncle = chain.uncle_on(1);
		uncle.pre.extra_data = vec![tag];
		uncle.sealed()
	};
	(0..count).map(brother).collect()
}

#[test]
fn two_uncle() {
	let chain = Chain::of(2);
	assert_eq!(chain.name(&brothers(&chain, 2)), Ok(()));
}

#[test]
fn three_uncle() {
	let chain = Chain::of(2);
	rejected(
		&chain,
		&brothers(&chain, 3),
		UncleError::TooMany { got: 3, maximum: 2 },
	);
}

#[test]
fn two_equal_uncle() {
	let (chain, uncle) = one_uncle_from(1, 3);
	let error = UncleError::Repeated {
		uncle: uncle.hash(),
	};
	rejected(&chain, &[uncle.clone(), uncle], error);
}

/// Block 3 names the uncle; block 4 names it again. (The suite's second form stops after block 3, which is
/// valid.)
#[test]
fn equal_uncle_in_two_different_blocks2() {
	let (mut chain, uncle) = one_uncle_from(1, 3);
	assert_eq!(chain.name(slice::from_ref(&uncle)), Ok(()));
	let mut third = Draft::child_of(&chain.params, chain.tip());
	third.pre.uncles_hash = uncles_hash(slice::from_ref(&uncle));
	chain
		.blocks
		.push(isthmus_rules::Parent::of(&third.unsealed()));
	chain.included.push(uncle.hash());
	let error = UncleError::AlreadyIncluded {
		uncle: uncle.hash(),
	};
	rejected(&chain, &[uncle], error);
}

/// Asserts that the ancestor `above` generations above a block 9 is not an uncle of it.
#[track_caller]
fn in_chain_uncle_above(above: u32) {
	let chain = Chain::of(8);
	let ancestor = chain.headers[(8 - above) as usize].clone();
	assert_eq!(ancestor.number, 9 - above);
	let error = UncleError::Ancestor {
		uncle: ancestor.hash(),
	};
	rejected(&chain, &[ancestor], error);
}

#[test]
fn in_chain_uncle_father() {
	in_chain_uncle_above(1);
}

#[test]
fn in_chain_uncle_grand_pa() {
	in_chain_uncle_above(2);
}

#[test]
fn in_chain_uncle_great_grand_pa() {
	in_chain_uncle_above(3);
}

#[test]
fn in_chain_uncle_great_great_grand_pa() {
	in_chain_uncle_above(4);
}

#[test]
fn in_chain_uncle_great_great_great_grand_pa() {
	in_chain_uncle_above(5);
}

#[test]
fn in_chain_uncle_great_great_great_great_grand_pa() {
	in_chain_uncle_above(6);
}

/// The block names a valid uncle together with its own ancestor.
#[test]
fn in_chain_uncle() {
	let (chain, uncle) = one_uncle_from(1, 3);
	let ancestor = chain.headers[0].clone();
	let error = UncleError::Ancestor {
		uncle: ancestor.hash(),
	};
	rejected(&chain, &[uncle, ancestor], error);
}

/// The uncle is a child of the block's own parent, so it is a sibling of the block and may not be named.
#[test]
fn uncle_is_brother() {
	let (chain, brother) = one_uncle_from(2, 3);
	let error = UncleError::NotKin {
		uncle: brother.hash(),
		got: chain.blocks[2].hash,
		parents: Some((0, 1)),
	};
	rejected(&chain, &[brother], error);
}

/// Block 2 may name an uncle on the genesis block.
#[test]
fn uncle_header_at_block2() {
	let (chain, uncle) = one_uncle_from(0, 2);
	assert_eq!(chain.name(&[uncle]), Ok(()));
}

/// The block names the genesis block as its uncle. The genesis block has no seal, so it cannot even be read.
/// With a made-up seal it is rejected because its parent is not an ancestor.
#[test]
fn uncle_header_with_generation0() {
	let chain = Chain::of(2);
	let mut genesis = chain.uncle_on(0);
	genesis.number = 0;
	genesis.parent_hash = H256::zero();
	let mut bare = genesis.with_seal(NO_SEAL);
	bare.digest.logs.clear();
	let error = HeaderError::Digest(DigestError::Missing(Item::Seal));
	rejected(&chain, &[bare], UncleError::Header { index: 0, error });
	let sealed = genesis.sealed();
	let error = UncleError::NotKin {
		uncle: sealed.hash(),
		got: H256::zero(),
		parents: Some((0, 1)),
	};
	rejected(&chain, &[sealed], error);
}

/// The uncle is from block 1, but claims the number of the block that names it.
#[test]
fn uncle_with_same_block_number() {
	let chain = Chain::of(2);
	let mut uncle = chain.uncle_on(1);
	uncle.number = 3;
	let error = HeaderError::Number(GotExpected {
		got: 3,
		expected: 2,
	});
	rejected(
		&chain,
		&[uncle.sealed()],
		UncleError::Header { index: 0, error },
	);
}

/// Asserts that an uncle may be dated later than the block that names it. Only the clock limits its
/// timestamp.
#[track_caller]
fn later_uncle_is_good(seconds: u64, difficulty: u64) {
	let chain = Chain::of(2);
	let mut uncle = chain.uncle_on(1);
	uncle.pre.timestamp = chain.blocks[1].timestamp + seconds;
	uncle.pre.difficulty = difficulty.into();
	let now = GENESIS_TIME + 10_000_000;
	assert_eq!(chain.name_at(&[uncle.sealed()], now), Ok(()));
}

#[test]
fn future_uncle_timestamp2() {
	later_uncle_is_good(50, 4096 - 2 * 4);
}

#[test]
fn future_uncle_timestamp3() {
	later_uncle_is_good(50_000, 4096 - 2 * 99);
}

#[test]
fn future_uncle_timestamp_difficulty_drop() {
	later_uncle_is_good(5_000_000, 4096 - 2 * 99);
}

/// Asserts that a late uncle must have exactly the difficulty that follows from its timestamp. The parent's
/// own difficulty is rejected, and so is one that is a step too high or too low.
#[track_caller]
fn wrong_drop_is_rejected(got: u64) {
	let chain = Chain::of(2);
	let mut uncle = chain.uncle_on(1);
	uncle.pre.timestamp = chain.blocks[1].timestamp + 900_000;
	uncle.pre.difficulty = got.into();
	let expected = 4096 - 2 * 99;
	let error = HeaderError::Difficulty(GotExpected {
		got: got.into(),
		expected: expected.into(),
	});
	rejected(
		&chain,
		&[uncle.sealed()],
		UncleError::Header { index: 0, error },
	);
}

#[test]
fn future_uncle_timestamp_difficulty_drop2() {
	later_uncle_is_good(5_000_000, 4096 - 2 * 99);
	wrong_drop_is_rejected(4096);
}

#[test]
fn future_uncle_timestamp_difficulty_drop3() {
	later_uncle_is_good(5_000_000, 4096 - 2 * 99);
	wrong_drop_is_rejected(4096 - 2 * 98);
}

#[test]
fn future_uncle_timestamp_difficulty_drop4() {
	later_uncle_is_good(5_000_000, 4096 - 2 * 99);
	wrong_drop_is_rejected(4096 - 2 * 100);
}
