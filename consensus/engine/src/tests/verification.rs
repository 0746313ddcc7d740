// SPDX-License-Identifier: Apache-2.0
//! Each rule by itself: a block that breaks only that rule is refused by the verifier with that
//! rule's name, and a good one is accepted.

use super::{
	fork_choice::{select_chain, Database},
	mock::*,
};
use crate::{clock::unix_now, BlockError, Chain, CheckError, PowBlockImport, PowVerifier};
use codec::Encode;
use futures::executor::block_on;
use isthmus_primitives::{
	digest::{uncles_hash, DigestError, Item, PowHeader, Seal, MAX_HEADER_BYTES, POW_ENGINE_ID},
	params::ChainParameters,
	Hash, Header,
};
use isthmus_rules::{FutureTimestamp, GotExpected, HeaderError, Rejection, RuleError, UncleError};
use polkadot_sdk::*;
use sc_client_api::backend::NewBlockState;
use sc_consensus::{BlockImport, BlockImportParams, Verifier};
use sp_blockchain::HeaderBackend;
use sp_consensus::BlockOrigin;
use sp_runtime::{DigestItem, OpaqueExtrinsic};
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

fn verify(
	chain: &Arc<Chain<TestClient>>,
	header: &Header,
	body: Vec<OpaqueExtrinsic>,
) -> Result<BlockImportParams<isthmus_primitives::Block>, String> {
	let mut block = BlockImportParams::new(BlockOrigin::NetworkBroadcast, header.clone());
	block.body = Some(body);
	block_on(PowVerifier::new(chain.clone()).verify(block))
}

/// The rule that `header` breaks, and the sentence that the verifier refuses it with.
fn refused(chain: &Arc<Chain<TestClient>>, header: &Header) -> RuleError {
	let Err(BlockError::Rejected(Rejection::Invalid(rule))) = chain.check_header(header, u64::MAX)
	else {
		panic!("the header was not refused as invalid");
	};
	assert_eq!(verify(chain, header, vec![]).err(), Some(rule.to_string()));
	rule
}

/// What import says of a block that it must not take.
fn import_error(
	chain: &Arc<Chain<TestClient>>,
	block: BlockImportParams<isthmus_primitives::Block>,
) -> String {
	let import = PowBlockImport::new(Database(chain.clone()), select_chain(chain));
	block_on(import.import_block(block))
		.unwrap_err()
		.to_string()
}

fn genesis(chain: &Chain<TestClient>) -> Hash {
	chain.client().info().genesis_hash
}

/// A draft on the genesis block of a chain with these parameters, changed by `change`, and mined.
fn broken(parameters: ChainParameters, change: impl FnOnce(&mut Draft)) -> RuleError {
	let chain = chain(parameters);
	let mut draft = Draft::on(&chain, genesis(&chain), 13);
	change(&mut draft);
	refused(&chain, &draft.mine())
}

#[test]
fn good_blocks_are_accepted_and_their_seal_is_set_aside() {
	let chain = chain(parameters());
	let mut parent = genesis(&chain);
	for seconds in [1, 13, 40, 2000] {
		let header = Draft::on(&chain, parent, seconds).mine();
		let block = verify(&chain, &header, vec![]).unwrap();
		assert_eq!(block.post_hash, Some(header.hash()));
		assert_eq!(block.post_header(), header);
		assert_eq!(block.post_digests.len(), 1);
		assert_eq!(block.header.digest.logs, header.digest.logs[..2]);
		parent = insert(&chain, &header, vec![], NewBlockState::Best);
	}
}

#[test]
fn each_rule_of_the_header_is_checked_by_itself() {
	let limit = parameters().genesis_gas_limit;
	assert_eq!(
		broken(parameters(), |draft| draft.pre.extra_data = vec![0; 33]),
		HeaderError::ExtraDataTooLong {
			got: 33,
			maximum: 32
		}
		.into(),
	);
	assert_eq!(
		broken(parameters(), |draft| draft.gas_used = limit + 1),
		HeaderError::GasUsedAboveLimit {
			got: limit + 1,
			limit
		}
		.into(),
	);
	let at_minimum = ChainParameters {
		genesis_gas_limit: 125_000,
		..parameters()
	};
	assert_eq!(
		broken(at_minimum, |draft| draft.pre.gas_limit = 124_999),
		HeaderError::GasLimitTooLow {
			got: 124_999,
			minimum: 125_000
		}
		.into(),
	);
	let maximum = (1 << 63) - 1;
	let at_maximum = ChainParameters {
		genesis_gas_limit: maximum,
		..parameters()
	};
	assert_eq!(
		broken(at_maximum, |draft| draft.pre.gas_limit = maximum + 1),
		HeaderError::GasLimitTooHigh {
			got: maximum + 1,
			maximum
		}
		.into(),
	);
	// ⌊20,000,000 / 1024⌋ = 19,531, and the difference must stay under it.
	for (got, ok) in [(limit + 19_530, true), (limit - 19_530, true)] {
		let chain = chain(parameters());
		let mut draft = Draft::on(&chain, genesis(&chain), 13);
		draft.pre.gas_limit = got;
		assert_eq!(verify(&chain, &draft.mine(), vec![]).is_ok(), ok);
	}
	for got in [limit + 19_531, limit - 19_531] {
		assert_eq!(
			broken(parameters(), |draft| draft.pre.gas_limit = got),
			HeaderError::GasLimitOutOfBounds {
				got,
				least: limit - 19_530,
				most: limit + 19_530
			}
			.into(),
		);
	}
	assert_eq!(
		broken(parameters(), |draft| draft.pre.difficulty = 63.into()),
		HeaderError::DifficultyTooLow {
			got: 63.into(),
			minimum: 64.into()
		}
		.into(),
	);
	assert_eq!(
		broken(parameters(), |draft| draft.pre.difficulty = 0.into()),
		HeaderError::DifficultyTooLow {
			got: 0.into(),
			minimum: 64.into()
		}
		.into(),
	);
	assert_eq!(
		broken(parameters(), |draft| draft.pre.difficulty = 65.into()),
		HeaderError::Difficulty(GotExpected {
			got: 65.into(),
			expected: 64.into()
		})
		.into(),
	);
	// With the number 0 it is behind the finalized block, which comes before all rules.
	for got in [2, u32::MAX] {
		assert_eq!(
			broken(parameters(), |draft| draft.number = got),
			HeaderError::Number(GotExpected {
				got: got.into(),
				expected: 1
			})
			.into(),
		);
	}
	for got in [0, GENESIS_TIME - 1, GENESIS_TIME] {
		assert_eq!(
			broken(parameters(), |draft| draft.pre.timestamp = got),
			HeaderError::TimestampNotAfterParent {
				got,
				parent: GENESIS_TIME
			}
			.into(),
		);
	}
}

#[test]
fn a_block_from_the_future_is_not_accepted_and_not_invalid() {
	let chain = chain(parameters());
	let header = Draft::on(&chain, genesis(&chain), 116).mine();
	let now = GENESIS_TIME + 100;
	assert!(matches!(
		chain.check_header(&header, now),
		Err(BlockError::Rejected(Rejection::Transient(FutureTimestamp { got, latest })))
			if got == now + 16 && latest == now + 15
	));
	assert!(chain.check_header(&header, now + 1).is_ok());
}

/// A chain that began now, for the verifier reads the clock, and a header this many seconds from now.
fn from_now(seconds: u64) -> (Arc<Chain<TestClient>>, Draft) {
	let chain = chain(ChainParameters {
		genesis_timestamp: unix_now(),
		..parameters()
	});
	let draft = Draft::on(&chain, genesis(&chain), seconds);
	(chain, draft)
}

#[test]
fn a_future_block_without_a_seal_is_refused_for_its_seal() {
	for seconds in [16, 75, 3600] {
		let (chain, draft) = from_now(seconds);
		let mut header = draft.mine();
		header.state_root = Hash::repeat_byte(1);
		let refused = verify(&chain, &header, vec![]).err().unwrap();
		assert!(
			refused.contains("seal_above_boundary") || refused.contains("mix_hash"),
			"{refused}"
		);
	}
}

#[test]
fn a_sealed_future_block_is_waited_for_a_second_and_blames_nobody() {
	for seconds in [60, 75, 3600, 1 << 40] {
		let (chain, draft) = from_now(seconds);
		let started = Instant::now();
		let block = verify(&chain, &draft.mine(), vec![]).unwrap();
		let waited = started.elapsed();
		assert!(waited >= Duration::from_secs(1), "{waited:?}");
		assert!(waited < Duration::from_secs(10), "{waited:?}");
		let error = import_error(&chain, block);
		assert!(error.contains("clock may be slow"), "{error}");
	}
	// Within the second its time comes.
	let (chain, draft) = from_now(16);
	let block = verify(&chain, &draft.mine(), vec![]).unwrap();
	let import = PowBlockImport::new(Database(chain.clone()), select_chain(&chain));
	assert!(block_on(import.import_block(block)).is_ok());
	assert_eq!(chain.client().info().best_number, 1);
}

#[test]
fn a_block_behind_finality_is_refused_before_anything_else_and_its_sender_blamed() {
	let chain = chain(parameters());
	let mut blocks = vec![genesis(&chain)];
	for _ in 0..9 {
		let header = Draft::on(&chain, blocks[blocks.len() - 1], 13).mine();
		blocks.push(insert(&chain, &header, vec![], NewBlockState::Final));
	}
	let fork = |parent| Draft::on(&chain, parent, 13).variant(1).mine();
	let refused = verify(&chain, &fork(blocks[0]), vec![]).err().unwrap();
	assert!(refused.contains("finality has ruled out"), "{refused}");
	// Finality may have moved while the block was on its way: it is not taken, and nobody blamed.
	let block = verify(&chain, &fork(blocks[1]), vec![]).unwrap();
	let error = import_error(&chain, block);
	assert!(error.contains("finality has ruled out"), "{error}");
	assert_eq!(chain.light_hashes(), 0);
	// What is in the chain, and what comes after it, is another matter.
	let first = chain.client().header(blocks[1]).unwrap().unwrap();
	assert!(verify(&chain, &first, vec![]).is_ok());
	assert!(verify(&chain, &fork(blocks[9]), vec![]).is_ok());
}

#[test]
fn a_block_on_an_unknown_parent_could_not_be_checked() {
	let chain = chain(parameters());
	let mut draft = Draft::on(&chain, genesis(&chain), 13);
	draft.parent = Hash::repeat_byte(9);
	assert!(matches!(
		chain.check_header(&draft.mine(), u64::MAX),
		Err(BlockError::CouldNotCheck(CheckError::UnknownParent(parent)))
			if parent == Hash::repeat_byte(9)
	));
}

#[test]
fn a_digest_of_another_shape_is_refused() {
	let chain = chain(parameters());
	let draft = Draft::on(&chain, genesis(&chain), 13);
	let good = draft.mine();
	let change = |change: &dyn Fn(&mut Vec<DigestItem>)| {
		let mut header = good.clone();
		change(&mut header.digest.logs);
		match refused(&chain, &header) {
			RuleError::Header(HeaderError::Digest(error)) => error,
			other => panic!("refused by another rule: {other}"),
		}
	};
	assert_eq!(
		change(&|logs| drop(logs.pop())),
		DigestError::Missing(Item::Seal)
	);
	assert_eq!(
		change(&|logs| drop(logs.remove(0))),
		DigestError::Missing(Item::PreDigest)
	);
	assert_eq!(
		change(&|logs| drop(logs.remove(1))),
		DigestError::Missing(Item::GasUsed)
	);
	assert_eq!(
		change(&|logs| logs.insert(0, logs[0].clone())),
		DigestError::Repeated(Item::PreDigest)
	);
	assert_eq!(
		change(&|logs| logs.insert(1, logs[1].clone())),
		DigestError::Repeated(Item::GasUsed)
	);
	assert_eq!(
		change(&|logs| logs.push(logs[2].clone())),
		DigestError::Repeated(Item::Seal)
	);
	assert_eq!(change(&|logs| logs.swap(1, 2)), DigestError::SealNotLast);
	assert_eq!(
		change(&|logs| logs[0] = DigestItem::PreRuntime(POW_ENGINE_ID, vec![1; 31])),
		DigestError::Undecodable(Item::PreDigest)
	);
	assert_eq!(
		change(&|logs| logs[2] = DigestItem::Seal(POW_ENGINE_ID, vec![0; 41])),
		DigestError::Undecodable(Item::Seal)
	);
	assert_eq!(
		change(&|logs| logs.insert(0, DigestItem::PreRuntime(*b"aura", vec![]))),
		DigestError::ForeignItem(*b"aura")
	);
	assert!(matches!(
		change(&|logs| logs.insert(0, DigestItem::Other(vec![0; MAX_HEADER_BYTES]))),
		DigestError::TooLong { got } if got > MAX_HEADER_BYTES
	));
}

#[test]
fn every_bit_of_a_valid_seal_flipped_is_refused() {
	let parameters = ChainParameters {
		minimum_difficulty: 100_000.into(),
		genesis_difficulty: 100_000.into(),
		..parameters()
	};
	let chain = chain(parameters);
	let good = Draft::on(&chain, genesis(&chain), 13).mine();
	let Some(DigestItem::Seal(_, seal)) = good.digest.logs.last() else {
		unreachable!()
	};
	assert_eq!(seal.len(), 40);
	for bit in 0..seal.len() * 8 {
		let mut seal = seal.clone();
		seal[bit / 8] ^= 1 << (bit % 8);
		let mut header = good.clone();
		header.digest.logs[2] = DigestItem::Seal(POW_ENGINE_ID, seal);
		let rule = refused(&chain, &header);
		assert!(
			matches!(
				rule,
				RuleError::Header(HeaderError::SealAboveBoundary { .. } | HeaderError::MixHash(_))
			),
			"bit {bit}: {rule}"
		);
	}
}

#[test]
fn a_mix_hash_of_ones_own_choosing_is_refused() {
	// The quick half of Eq. 2 believes the claimed mix, so this one must fall to Hashimoto.
	let chain = chain(parameters());
	let mut header = Draft::on(&chain, genesis(&chain), 13).unsealed();
	let seal_hash = isthmus_primitives::digest::seal_hash(&header);
	let boundary = isthmus_rules::boundary(64.into()).to_big_endian();
	let mix_hash = (0..=u64::MAX)
		.map(sp_core::H256::from_low_u64_be)
		.find(|mix| isthmus_ethash::final_result(&seal_hash.0, 0, &mix.0) <= boundary)
		.unwrap();
	let seal = Seal { mix_hash, nonce: 0 };
	header
		.digest
		.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
	assert!(matches!(
		refused(&chain, &header),
		RuleError::Header(HeaderError::MixHash(GotExpected { got, .. })) if got == mix_hash
	));
}

/// A chain of `length` blocks, and a brother of its second block.
fn with_brother(length: u32) -> (Arc<Chain<TestClient>>, Vec<Hash>, Header) {
	let chain = chain(parameters());
	let mut blocks = vec![genesis(&chain)];
	for _ in 0..length {
		blocks.push(extend(&chain, blocks[blocks.len() - 1], 13));
	}
	let brother = Draft::on(&chain, blocks[1], 13).variant(8).mine();
	insert(&chain, &brother, vec![], NewBlockState::Normal);
	(chain, blocks, brother)
}

#[test]
fn a_body_that_is_not_the_headers_is_refused() {
	let chain = chain(parameters());
	let header = Draft::on(&chain, genesis(&chain), 13).mine();
	let junk = vec![OpaqueExtrinsic::from_blob(vec![1, 2, 3])];
	let checked = chain.check_header(&header, u64::MAX).unwrap();
	let Err(BlockError::Rejected(Rejection::Invalid(rule))) =
		chain.check_body(&header, &checked, Some(&junk), u64::MAX)
	else {
		panic!("the body was not refused");
	};
	assert!(matches!(
		rule,
		RuleError::Header(HeaderError::ExtrinsicsRoot(GotExpected { got, .. })) if got == header.extrinsics_root
	));
	assert_eq!(verify(&chain, &header, junk).err(), Some(rule.to_string()));
}

#[test]
fn what_could_not_be_checked_blames_nobody_and_is_not_imported() {
	let chain = chain(parameters());
	let mut draft = Draft::on(&chain, genesis(&chain), 13);
	draft.parent = Hash::repeat_byte(9);
	let block = verify(&chain, &draft.mine(), vec![]).unwrap();
	let error = import_error(&chain, block);
	assert!(error.contains("unknown"), "{error}");
	assert_eq!(chain.client().info().best_number, 0);
}

#[test]
fn a_good_uncle_is_accepted_up_to_the_sixth_generation() {
	// The brother has number 2, and an uncle is one to six under the block that names it.
	for length in 2..=8 {
		let (chain, blocks, brother) = with_brother(length);
		let tip = blocks[length as usize];
		let nephew = Draft::on(&chain, tip, 13).naming(vec![brother.clone()]);
		let accepted = verify(&chain, &nephew.mine(), nephew.body());
		assert_eq!(
			accepted.is_ok(),
			length < 8,
			"{length}: {:?}",
			accepted.err()
		);
	}
}

#[test]
fn each_rule_of_the_uncles_is_checked_by_itself() {
	let (chain, blocks, brother) = with_brother(3);
	let tip = blocks[3];
	let refused = |draft: &Draft| {
		let header = draft.mine();
		let pow = chain.check_header(&header, u64::MAX).unwrap();
		let Err(BlockError::Rejected(Rejection::Invalid(RuleError::Uncles(rule)))) =
			chain.check_uncles(&pow, Some(&draft.body()), u64::MAX)
		else {
			panic!("the uncles were not refused");
		};
		let sentence = RuleError::from(rule).to_string();
		assert_eq!(verify(&chain, &header, draft.body()).err(), Some(sentence));
		rule
	};
	let nephew = |uncles: Vec<Header>| Draft::on(&chain, tip, 13).naming(uncles);
	let header = |hash| chain.client().header(hash).unwrap().unwrap();

	let mut wrong_hash = nephew(vec![brother.clone()]);
	wrong_hash.pre.uncles_hash = Hash::repeat_byte(3);
	assert!(matches!(
		refused(&wrong_hash),
		UncleError::UnclesHash(GotExpected { got, expected })
			if got == Hash::repeat_byte(3) && expected == uncles_hash(std::slice::from_ref(&brother))
	));
	let twins: Vec<_> = (20..23)
		.map(|byte| Draft::on(&chain, blocks[1], 13).variant(byte).mine())
		.collect();
	assert_eq!(
		refused(&nephew(twins)),
		UncleError::TooMany { got: 3, maximum: 2 }
	);
	assert_eq!(
		refused(&nephew(vec![brother.clone(), brother.clone()])),
		UncleError::Repeated {
			uncle: brother.hash()
		}
	);
	assert_eq!(
		refused(&nephew(vec![header(blocks[2])])),
		UncleError::Ancestor { uncle: blocks[2] }
	);
	// A brother of the block itself, and a child of nobody we know, are not uncles.
	for uncle in [
		Draft::on(&chain, tip, 13).variant(4).mine(),
		Draft {
			parent: Hash::repeat_byte(5),
			..Draft::on(&chain, blocks[1], 13)
		}
		.mine(),
	] {
		assert!(matches!(
			refused(&nephew(vec![uncle.clone()])),
			UncleError::NotKin { uncle: got, .. } if got == uncle.hash()
		));
	}
	// An uncle whose own header is invalid: each rule of the header holds for it, too.
	let mut late = Draft::on(&chain, blocks[1], 13).variant(6);
	late.pre.timestamp = GENESIS_TIME;
	assert!(matches!(
		refused(&nephew(vec![late.mine()])),
		UncleError::Header {
			index: 0,
			error: HeaderError::TimestampNotAfterParent { .. }
		}
	));
	let mut unsealed = brother.clone();
	unsealed.state_root = Hash::repeat_byte(77);
	assert!(matches!(
		refused(&nephew(vec![unsealed])),
		UncleError::Header {
			index: 0,
			error: HeaderError::SealAboveBoundary { .. }
		} | UncleError::Header {
			index: 0,
			error: HeaderError::MixHash(_)
		}
	));
	// Named once already, by an ancestor.
	let first = nephew(vec![brother.clone()]);
	let tip = insert(&chain, &first.mine(), first.body(), NewBlockState::Best);
	let second = Draft::on(&chain, tip, 13).naming(vec![brother.clone()]);
	assert_eq!(
		refused(&second),
		UncleError::AlreadyIncluded {
			uncle: brother.hash()
		}
	);
}

#[test]
fn the_body_must_name_the_uncles_that_the_header_commits_to() {
	let (chain, blocks, brother) = with_brother(2);
	let nephew = Draft::on(&chain, blocks[2], 13).naming(vec![brother]);
	let header = nephew.mine();
	let pow = PowHeader::read(&header).unwrap();
	for body in [vec![], vec![OpaqueExtrinsic::from_blob(vec![255; 5])]] {
		assert!(matches!(
			chain.check_uncles(&pow, Some(&body), u64::MAX),
			Err(BlockError::Rejected(Rejection::Invalid(RuleError::Uncles(
				UncleError::UnclesHash(_)
			))))
		));
	}
	assert!(matches!(
		chain.check_uncles(&pow, None, u64::MAX),
		Err(BlockError::CouldNotCheck(CheckError::MissingBody(hash))) if hash == header.hash()
	));
}
