// SPDX-License-Identifier: Apache-2.0
//! Tests which uncles a block may name: each uncle rule is violated once, and each generation is tried.

use crate::chain::{fake_hashimoto, read, Chain, Draft, NOW};
use isthmus_primitives::digest::{uncles_hash, DigestError, Item, RECEIPTS_ENGINE_ID};
use isthmus_rules::{
	validate_uncles, Ancestry, FutureTimestamp, GotExpected, HeaderError, Rejection, UncleError,
	Work, UNCLE_ANCESTORS,
};
use polkadot_sdk::{sp_core::H256, sp_runtime::DigestItem};
use std::slice;

#[test]
fn no_uncles_need_no_ancestry() {
	let chain = Chain::of(1);
	let header = Draft::child_of(&chain.params, chain.tip()).unsealed();
	let ancestry = Ancestry {
		ancestors: &[],
		included: &[],
	};
	let verdict = validate_uncles(&chain.params, &header, &[], &ancestry, NOW, fake_hashimoto);
	assert_eq!(verdict, Ok(()));
}

#[test]
fn h_o_commits_to_the_uncles_and_their_order() {
	let chain = Chain::of(3);
	let (a, b) = (chain.uncle_on(1).sealed(), chain.uncle_on(2).sealed());
	let named = [a.clone(), b.clone()];
	let mut draft = Draft::child_of(&chain.params, chain.tip());
	let ancestors: Vec<_> = chain.blocks.iter().rev().copied().collect();
	let ancestry = Ancestry {
		ancestors: &ancestors,
		included: &[],
	};
	let other = [vec![], vec![a.clone()], vec![b.clone(), a.clone()]];
	for body in other {
		draft.pre.uncles_hash = uncles_hash(&named);
		let header = draft.unsealed();
		let verdict = validate_uncles(
			&chain.params,
			&header,
			&body,
			&ancestry,
			NOW,
			fake_hashimoto,
		);
		let expected = UncleError::UnclesHash(GotExpected {
			got: uncles_hash(&named),
			expected: uncles_hash(&body),
		});
		assert_eq!(verdict, Err(expected.into()));
	}
	assert_eq!(chain.name(&named), Ok(()));
	assert_eq!(chain.name(&[b, a]), Ok(()));
}

#[test]
fn at_most_two() {
	let chain = Chain::of(4);
	let uncles: Vec<_> = (0..3)
		.map(|parent| chain.uncle_on(parent).sealed())
		.collect();
	assert_eq!(chain.name(&uncles[..2]), Ok(()));
	assert_eq!(
		chain.name(&uncles),
		Err(UncleError::TooMany { got: 3, maximum: 2 }.into())
	);
}

#[test]
fn no_uncle_twice() {
	let chain = Chain::of(3);
	let uncle = chain.uncle_on(1).sealed();
	let error = UncleError::Repeated {
		uncle: uncle.hash(),
	};
	assert_eq!(chain.name(&[uncle.clone(), uncle]), Err(error.into()));
}

#[test]
fn two_brothers_may_both_be_uncles() {
	let chain = Chain::of(3);
	let mut other = chain.uncle_on(1);
	other.pre.extra_data = vec![1];
	assert_eq!(
		chain.name(&[chain.uncle_on(1).sealed(), other.sealed()]),
		Ok(())
	);
}

#[test]
fn no_ancestor_in_reach_is_an_uncle() {
	let chain = Chain::of(9);
	// The tip is block 9, so the next block is 10 and its seven nearest ancestors are 9 to 3.
	for number in 3..=9 {
		let ancestor = chain.headers[number - 1].clone();
		let error = UncleError::Ancestor {
			uncle: ancestor.hash(),
		};
		assert_eq!(chain.name(&[ancestor]), Err(error.into()), "block {number}");
	}
	// An older ancestor is rejected for its age, not because it is an ancestor.
	let old = chain.headers[1].clone();
	let error = UncleError::NotKin {
		uncle: old.hash(),
		got: chain.blocks[1].hash,
		parents: Some((3, 8)),
	};
	assert_eq!(chain.name(&[old]), Err(error.into()));
}

#[test]
fn no_uncle_is_named_by_two_blocks() {
	let mut chain = Chain::of(5);
	let uncle = chain.uncle_on(3).sealed();
	assert_eq!(chain.name(slice::from_ref(&uncle)), Ok(()));
	chain.included = vec![H256::zero(), uncle.hash()];
	let error = UncleError::AlreadyIncluded {
		uncle: uncle.hash(),
	};
	assert_eq!(chain.name(&[uncle]), Err(error.into()));
}

#[test]
fn six_generations_and_no_more() {
	let chain = Chain::of(9);
	let block = 10;
	for parent in 0..=9 {
		let uncle = chain.uncle_on(parent).sealed();
		let (hash, number) = (uncle.hash(), uncle.number);
		let verdict = chain.name(&[uncle]);
		let generation = block - number;
		if (1..=6).contains(&generation) {
			assert_eq!(verdict, Ok(()), "generation {generation}");
		} else {
			let got = chain.blocks[parent].hash;
			let error = UncleError::NotKin {
				uncle: hash,
				got,
				parents: Some((3, 8)),
			};
			assert_eq!(verdict, Err(error.into()), "generation {generation}");
		}
	}
}

#[test]
fn a_short_chain_reaches_to_its_genesis_block() {
	let chain = Chain::of(2);
	assert_eq!(chain.name(&[chain.uncle_on(0).sealed()]), Ok(()));
	assert_eq!(chain.name(&[chain.uncle_on(1).sealed()]), Ok(()));
	let child = Chain::of(0);
	let brother = child.uncle_on(0).sealed();
	let error = UncleError::NotKin {
		uncle: brother.hash(),
		got: child.blocks[0].hash,
		parents: None,
	};
	assert_eq!(child.name(&[brother]), Err(error.into()));
}

#[test]
fn ancestors_beyond_reach_are_not_looked_at() {
	assert_eq!(UNCLE_ANCESTORS, 7);
	let chain = Chain::of(12);
	// `Chain::name` passes all thirteen ancestors, of which the rules look only at the nearest seven.
	let uncle = chain.uncle_on(5).sealed();
	let error = UncleError::NotKin {
		uncle: uncle.hash(),
		got: chain.blocks[5].hash,
		parents: Some((6, 11)),
	};
	assert_eq!(chain.name(&[uncle]), Err(error.into()));
	assert_eq!(chain.name(&[chain.uncle_on(6).sealed()]), Ok(()));
}

#[test]
fn an_uncles_digest_must_be_whole() {
	let chain = Chain::of(3);
	let mut uncle = chain.uncle_on(1).sealed();
	uncle.digest.pop();
	let error = HeaderError::Digest(DigestError::Missing(Item::Seal));
	let whole = chain.uncle_on(2).sealed();
	let expected = UncleError::Header { index: 1, error };
	assert_eq!(chain.name(&[whole, uncle]), Err(expected.into()));
}

/// Nodes and runtimes of before the receipts do not look at them, so the others must not either.
#[test]
fn an_uncles_receipts_are_no_rule() {
	let chain = Chain::of(3);
	let item = |length| DigestItem::Consensus(RECEIPTS_ENGINE_ID, vec![7; length]);
	for others in [vec![item(36)], vec![item(3)], vec![item(36), item(36)]] {
		let mut uncle = chain.uncle_on(1);
		uncle.others = others;
		assert_eq!(chain.name(&[uncle.sealed()]), Ok(()), "{uncle:?}");
	}
}

#[test]
fn an_uncle_from_the_future_makes_the_block_wait() {
	let chain = Chain::of(3);
	let uncle = chain.uncle_on(1);
	let got = uncle.pre.timestamp;
	let error = FutureTimestamp {
		got,
		latest: got - 1,
	};
	let uncle = uncle.sealed();
	assert_eq!(
		chain.name_at(slice::from_ref(&uncle), got - 16),
		Err(Rejection::Transient(error))
	);
	assert_eq!(chain.name_at(&[uncle], got - 15), Ok(()));
}

#[test]
fn an_unsealed_uncle_never_reaches_hashimoto() {
	let chain = Chain::of(3);
	let uncle = chain.uncle_on(1);
	let sealed = read(&uncle.sealed());
	// With another nonce the result is different, and within the boundary only by chance. Look for one that
	// is not.
	let unsealed = (0..)
		.map(|nonce| {
			let mut seal = sealed.seal;
			seal.nonce = nonce;
			uncle.with_seal(seal)
		})
		.find(|header| isthmus_rules::validate_seal_quick(&read(header)).is_err())
		.expect("almost no nonce is a valid seal");
	let mut draft = Draft::child_of(&chain.params, chain.tip());
	let uncles = [unsealed];
	draft.pre.uncles_hash = uncles_hash(&uncles);
	let ancestors: Vec<_> = chain.blocks.iter().rev().copied().collect();
	let ancestry = Ancestry {
		ancestors: &ancestors,
		included: &[],
	};
	let header = draft.unsealed();
	let verdict = validate_uncles(&chain.params, &header, &uncles, &ancestry, NOW, |_| {
		panic!("the quick half rejects it first")
	});
	let Err(Rejection::Invalid(isthmus_rules::RuleError::Uncles(UncleError::Header {
		index: 0,
		error: HeaderError::SealAboveBoundary { .. },
	}))) = verdict
	else {
		panic!("{verdict:?}")
	};
}

#[test]
fn an_uncles_true_mix_decides() {
	let chain = Chain::of(3);
	let uncle = chain.uncle_on(1).sealed();
	let claimed = read(&uncle).seal.mix_hash;
	let uncles = [uncle];
	let mut draft = Draft::child_of(&chain.params, chain.tip());
	draft.pre.uncles_hash = uncles_hash(&uncles);
	let ancestors: Vec<_> = chain.blocks.iter().rev().copied().collect();
	let ancestry = Ancestry {
		ancestors: &ancestors,
		included: &[],
	};
	let header = draft.unsealed();
	let judge = |work: Work| -> Result<(), Rejection> {
		validate_uncles(&chain.params, &header, &uncles, &ancestry, NOW, |_| {
			Ok(work)
		})
	};
	let expected = H256::repeat_byte(5);
	let error = HeaderError::MixHash(GotExpected {
		got: claimed,
		expected,
	});
	assert_eq!(
		judge(Work {
			mix_hash: expected,
			result: H256::zero()
		}),
		Err(UncleError::Header { index: 0, error }.into())
	);
	// The result that Hashimoto computes must be within the boundary too, not only the result from the
	// claimed mix hash.
	let got = H256::repeat_byte(0xff);
	let boundary = isthmus_rules::boundary(4096.into());
	let error = HeaderError::SealAboveBoundary { got, boundary };
	assert_eq!(
		judge(Work {
			mix_hash: claimed,
			result: got
		}),
		Err(UncleError::Header { index: 0, error }.into())
	);
	assert_eq!(
		judge(Work {
			mix_hash: claimed,
			result: H256::zero()
		}),
		Ok(())
	);
}

/// An error type like an engine's: one variant for rejections, and one for anything else.
#[derive(Debug, PartialEq)]
enum Verdict {
	Rejected(Rejection),
	NoDataset,
}

impl From<Rejection> for Verdict {
	fn from(rejection: Rejection) -> Self {
		Self::Rejected(rejection)
	}
}

#[test]
fn a_failed_check_is_the_callers_own_error() {
	let chain = Chain::of(3);
	let uncles = [chain.uncle_on(1).sealed()];
	let mut draft = Draft::child_of(&chain.params, chain.tip());
	let ancestors: Vec<_> = chain.blocks.iter().rev().copied().collect();
	let ancestry = Ancestry {
		ancestors: &ancestors,
		included: &[],
	};
	let judge = |draft: &Draft| {
		validate_uncles(
			&chain.params,
			&draft.unsealed(),
			&uncles,
			&ancestry,
			NOW,
			|_| Err(Verdict::NoDataset),
		)
	};
	let error = UncleError::UnclesHash(GotExpected {
		got: uncles_hash(&[]),
		expected: uncles_hash(&uncles),
	});
	assert_eq!(judge(&draft), Err(Verdict::Rejected(error.into())));
	draft.pre.uncles_hash = uncles_hash(&uncles);
	assert_eq!(judge(&draft), Err(Verdict::NoDataset));
}
