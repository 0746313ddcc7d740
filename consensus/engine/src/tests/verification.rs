// SPDX-License-Identifier: Apache-2.0
//! Tests each rule on its own. A block that breaks just one rule is rejected with that rule's name, and a
//! valid block is accepted.

use super::{
	fork_choice::{select_chain, Database},
	mock::*,
};
use crate::{clock::unix_now, BlockError, Chain, CheckError, PowBlockImport, PowVerifier};
use codec::Encode;
use futures::executor::block_on;
use isthmus_primitives::{
	digest::{
		uncles_hash, DigestError, Item, PowHeader, Seal, MAX_HEADER_BYTES, POW_ENGINE_ID,
		RECEIPTS_ENGINE_ID,
	},
	params::ChainParameters,
	Hash, Header,
};
use isthmus_rules::{FutureTimestamp, GotExpected, HeaderError, Rejection, RuleError, UncleError};
use polkadot_sdk::*;
use sc_client_api::backend::NewBlockState;
use sc_consensus::{BlockImport, BlockImportParams, ImportResult, Verifier};
use sp_blockchain::HeaderBackend;
use sp_consensus::BlockOrigin;
use sp_runtime::{DigestItem, OpaqueExtrinsic};
use std::sync::Arc;

fn verify(
	chain: &Arc<Chain<TestClient>>,
	header: &Header,
	body: Vec<OpaqueExtrinsic>,
) -> Result<BlockImportParams<isthmus_primitives::Block>, String> {
	let mut block = BlockImportParams::new(BlockOrigin::NetworkBroadcast, header.clone());
	block.body = Some(body);
	block_on(PowVerifier::new(chain.clone()).verify(block))
}

/// Returns the rule that `header` violates, after checking that the verifier rejects it with the same rule.
fn rejected(chain: &Arc<Chain<TestClient>>, header: &Header) -> RuleError {
	let Err(BlockError::Rejected(Rejection::Invalid(rule))) = chain.check_header(header, u64::MAX)
	else {
		panic!("the header was not rejected as invalid");
	};
	assert_eq!(verify(chain, header, vec![]).err(), Some(rule.to_string()));
	rule
}

/// Returns the error of importing a block that must not be imported.
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

/// Applies `change` to a valid child of the genesis block and returns the rule that it then violates.
fn broken(parameters: ChainParameters, change: impl FnOnce(&mut Draft)) -> RuleError {
	let chain = chain(parameters);
	let mut draft = Draft::on(&chain, genesis(&chain), 13);
	change(&mut draft);
	rejected(&chain, &draft.mine())
}

#[test]
fn valid_blocks_are_accepted_and_their_seal_is_moved_to_the_post_digests() {
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

/// A change to a valid draft.
type Change = Box<dyn Fn(&mut Draft)>;

fn extra_data(length: usize) -> Change {
	Box::new(move |draft| draft.pre.extra_data = vec![0; length])
}

fn gas_used(gas: u64) -> Change {
	Box::new(move |draft| draft.gas_used = gas)
}

fn gas_limit(gas: u64) -> Change {
	Box::new(move |draft| draft.pre.gas_limit = gas)
}

fn difficulty(difficulty: u64) -> Change {
	Box::new(move |draft| draft.pre.difficulty = difficulty.into())
}

fn number(number: u32) -> Change {
	Box::new(move |draft| draft.number = number)
}

fn timestamp(seconds: u64) -> Change {
	Box::new(move |draft| draft.pre.timestamp = seconds)
}

#[test]
fn each_rule_of_the_header_is_checked_alone() {
	use HeaderError::*;
	const LIMIT: u64 = 20_000_000;
	const MAXIMUM: u64 = (1 << 63) - 1;
	let out_of_bounds = |got| GasLimitOutOfBounds {
		got,
		least: LIMIT - 19_530,
		most: LIMIT + 19_530,
	};
	let too_easy = |got: u64| DifficultyTooLow {
		got: got.into(),
		minimum: 64.into(),
	};
	let too_hard = Difficulty(GotExpected {
		got: 65.into(),
		expected: 64.into(),
	});
	let wrong_number = |got| Number(GotExpected { got, expected: 1 });
	let too_early = |got| TimestampNotAfterParent {
		got,
		parent: GENESIS_TIME,
	};
	// The genesis block's gas limit, the change to its child, and the expected error.
	#[rustfmt::skip]
	let cases = [
		(LIMIT, extra_data(33), ExtraDataTooLong { got: 33, maximum: 32 }),
		(LIMIT, gas_used(LIMIT + 1), GasUsedAboveLimit { got: LIMIT + 1, limit: LIMIT }),
		(125_000, gas_limit(124_999), GasLimitTooLow { got: 124_999, minimum: 125_000 }),
		(MAXIMUM, gas_limit(MAXIMUM + 1), GasLimitTooHigh { got: MAXIMUM + 1, maximum: MAXIMUM }),
		// ⌊20,000,000 / 1024⌋ = 19,531, and the difference must stay below it.
		(LIMIT, gas_limit(LIMIT + 19_531), out_of_bounds(LIMIT + 19_531)),
		(LIMIT, gas_limit(LIMIT - 19_531), out_of_bounds(LIMIT - 19_531)),
		(LIMIT, difficulty(0), too_easy(0)),
		(LIMIT, difficulty(63), too_easy(63)),
		(LIMIT, difficulty(65), too_hard),
		// Number 0 is not among the cases. Such a block is behind the finalized block, which is checked
		// before all rules.
		(LIMIT, number(2), wrong_number(2)),
		(LIMIT, number(u32::MAX), wrong_number(u32::MAX.into())),
		(LIMIT, timestamp(0), too_early(0)),
		(LIMIT, timestamp(GENESIS_TIME - 1), too_early(GENESIS_TIME - 1)),
		(LIMIT, timestamp(GENESIS_TIME), too_early(GENESIS_TIME)),
	];
	for (genesis_gas_limit, change, error) in cases {
		let parameters = ChainParameters {
			genesis_gas_limit,
			..parameters()
		};
		assert_eq!(broken(parameters, change), error.into());
	}
}

#[test]
fn the_gas_limit_may_change_by_less_than_its_bound() {
	let chain = chain(parameters());
	for limit in [20_000_000 + 19_530, 20_000_000 - 19_530] {
		let mut draft = Draft::on(&chain, genesis(&chain), 13);
		draft.pre.gas_limit = limit;
		assert!(verify(&chain, &draft.mine(), vec![]).is_ok(), "{limit}");
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

/// Returns a chain whose genesis is now, and a child of the genesis block dated `seconds` later. The verifier
/// reads the real clock, so a fixed genesis time won't do.
fn from_now(seconds: u64) -> (Arc<Chain<TestClient>>, Draft) {
	let chain = chain(ChainParameters {
		genesis_timestamp: unix_now(),
		..parameters()
	});
	let draft = Draft::on(&chain, genesis(&chain), seconds);
	(chain, draft)
}

#[test]
fn a_future_block_without_a_seal_is_rejected_for_its_seal() {
	for seconds in [16, 75, 3600] {
		let (chain, draft) = from_now(seconds);
		let mut header = draft.mine();
		header.state_root = Hash::repeat_byte(1);
		let rejected = verify(&chain, &header, vec![]).err().unwrap();
		assert!(
			rejected.contains("seal_above_boundary") || rejected.contains("mix_hash"),
			"{rejected}"
		);
	}
}

#[test]
fn a_sealed_future_block_is_not_imported_and_not_penalised() {
	for seconds in [60, 75, 3600, 1 << 40] {
		let (chain, draft) = from_now(seconds);
		let block = verify(&chain, &draft.mine(), vec![]).unwrap();
		let error = import_error(&chain, block);
		assert!(error.contains("clock may be slow"), "{error}");
	}
}

#[test]
fn a_block_behind_finality_is_rejected_before_any_other_check_and_its_sender_penalised() {
	let chain = chain(parameters());
	let mut blocks = vec![genesis(&chain)];
	for _ in 0..9 {
		let header = Draft::on(&chain, blocks[blocks.len() - 1], 13).mine();
		blocks.push(insert(&chain, &header, vec![], NewBlockState::Final));
	}
	let fork = |parent| Draft::on(&chain, parent, 13).variant(1).mine();
	let rejected = verify(&chain, &fork(blocks[0]), vec![]).err().unwrap();
	assert!(rejected.contains("finality has ruled out"), "{rejected}");
	// Finality may have moved while the block was on its way. It is not imported, but its sender is not
	// penalised.
	let block = verify(&chain, &fork(blocks[1]), vec![]).unwrap();
	let error = import_error(&chain, block);
	assert!(error.contains("finality has ruled out"), "{error}");
	assert_eq!(chain.light_hashes(), 0);
	// A finalized block of our own chain passes, and so does a new block on top of it.
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

/// Returns a receipts item of this length. A valid one has 36 bytes.
fn receipts(length: usize) -> DigestItem {
	DigestItem::Consensus(RECEIPTS_ENGINE_ID, vec![0; length])
}

/// Only executing a block shows which receipts item it must have, so the header's rules accept any.
#[test]
fn the_rules_of_a_header_do_not_look_at_receipts() {
	let chain = chain(parameters());
	let draft = Draft::on(&chain, genesis(&chain), 13);
	for items in [&[][..], &[36], &[35], &[36, 36]] {
		let mut unsealed = draft.unsealed();
		let logs = &mut unsealed.digest.logs;
		logs.extend(items.iter().map(|length| receipts(*length)));
		let header = seal(unsealed, draft.pre.difficulty);
		assert!(chain.check_header(&header, u64::MAX).is_ok(), "{items:?}");
	}
}

#[test]
fn a_digest_of_another_shape_is_rejected() {
	use DigestError::*;
	type Change = fn(&mut Vec<DigestItem>);
	let chain = chain(parameters());
	let valid = Draft::on(&chain, genesis(&chain), 13).mine();
	let rejection = |change: Change| {
		let mut header = valid.clone();
		change(&mut header.digest.logs);
		match rejected(&chain, &header) {
			RuleError::Header(HeaderError::Digest(error)) => error,
			other => panic!("rejected by another rule: {other}"),
		}
	};
	#[rustfmt::skip]
	let cases: [(Change, DigestError); 11] = [
		(|logs| drop(logs.pop()), Missing(Item::Seal)),
		(|logs| drop(logs.remove(0)), Missing(Item::PreDigest)),
		(|logs| drop(logs.remove(1)), Missing(Item::GasUsed)),
		(|logs| logs.insert(0, logs[0].clone()), Repeated(Item::PreDigest)),
		(|logs| logs.insert(1, logs[1].clone()), Repeated(Item::GasUsed)),
		(|logs| logs.push(logs[2].clone()), Repeated(Item::Seal)),
		(|logs| logs.swap(1, 2), SealNotLast),
		(|logs| logs[0] = DigestItem::PreRuntime(POW_ENGINE_ID, vec![1; 31]), Undecodable(Item::PreDigest)),
		(|logs| logs[2] = DigestItem::Seal(POW_ENGINE_ID, vec![0; 41]), Undecodable(Item::Seal)),
		(|logs| logs.insert(0, DigestItem::PreRuntime(*b"aura", vec![])), ForeignItem(*b"aura")),
		(|logs| logs.insert(0, DigestItem::PreRuntime(RECEIPTS_ENGINE_ID, vec![0; 36])), ForeignItem(RECEIPTS_ENGINE_ID)),
	];
	for (change, error) in cases {
		assert_eq!(rejection(change), error);
	}
	assert!(matches!(
		rejection(|logs| logs.insert(0, DigestItem::Other(vec![0; MAX_HEADER_BYTES]))),
		TooLong { got } if got > MAX_HEADER_BYTES
	));
}

#[test]
fn every_flipped_bit_of_a_valid_seal_is_rejected() {
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
		let rule = rejected(&chain, &header);
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
fn a_made_up_mix_hash_is_rejected() {
	// The quick check (the first half of the paper's Eq. 2) trusts the claimed mix hash, so only the full
	// Hashimoto check can reject this one.
	let chain = chain(parameters());
	let mut header = Draft::on(&chain, genesis(&chain), 13).unsealed();
	let seal_hash = isthmus_primitives::digest::seal_hash(&header);
	let boundary = isthmus_rules::boundary(64.into());
	let mix_hash = (0..=u64::MAX)
		.map(sp_core::H256::from_low_u64_be)
		.find(|mix| boundary.is_met_by(&isthmus_ethash::final_result(&seal_hash.0, 0, &mix.0)))
		.unwrap();
	let seal = Seal { mix_hash, nonce: 0 };
	header
		.digest
		.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
	assert!(matches!(
		rejected(&chain, &header),
		RuleError::Header(HeaderError::MixHash(GotExpected { got, .. })) if got == mix_hash
	));
}

/// Returns a chain of `length` blocks, and a sibling of its second block.
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
fn a_body_that_is_not_the_headers_is_rejected() {
	let chain = chain(parameters());
	let header = Draft::on(&chain, genesis(&chain), 13).mine();
	let junk = vec![OpaqueExtrinsic::from_blob(vec![1, 2, 3])];
	let checked = chain.check_header(&header, u64::MAX).unwrap();
	let Err(BlockError::Rejected(Rejection::Invalid(rule))) =
		chain.check_body(&header, &checked, Some(&junk), u64::MAX)
	else {
		panic!("the body was not rejected");
	};
	assert!(matches!(
		rule,
		RuleError::Header(HeaderError::ExtrinsicsRoot(GotExpected { got, .. })) if got == header.extrinsics_root
	));
	assert_eq!(verify(&chain, &header, junk).err(), Some(rule.to_string()));
}

#[test]
fn a_block_without_a_body_is_not_imported() {
	let chain = chain(parameters());
	let header = Draft::on(&chain, genesis(&chain), 13).mine();
	let checked = chain.check_header(&header, u64::MAX).unwrap();
	assert!(matches!(
		chain.check_body(&header, &checked, None, u64::MAX),
		Err(BlockError::CouldNotCheck(CheckError::MissingBody(hash))) if hash == header.hash()
	));
}

#[test]
fn a_block_that_could_not_be_checked_is_not_penalised_and_not_imported() {
	let chain = chain(parameters());
	let mut draft = Draft::on(&chain, genesis(&chain), 13);
	draft.parent = Hash::repeat_byte(9);
	let block = verify(&chain, &draft.mine(), vec![]).unwrap();
	let import = PowBlockImport::new(Database(chain.clone()), select_chain(&chain));
	let outcome = block_on(import.import_block(block)).unwrap();
	assert!(matches!(outcome, ImportResult::UnknownParent));
	assert_eq!(chain.client().info().best_number, 0);
}

#[test]
fn a_valid_uncle_is_accepted_up_to_the_sixth_generation() {
	// The sibling is block 2, and an uncle must be one to six blocks below the block that names it.
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

/// Returns the uncle rule that the block violates, after checking that the verifier rejects it with the same
/// rule.
fn uncle_rule(chain: &Arc<Chain<TestClient>>, draft: &Draft) -> UncleError {
	let header = draft.mine();
	let checked = chain.check_header(&header, u64::MAX).unwrap();
	let Err(BlockError::Rejected(Rejection::Invalid(RuleError::Uncles(rule)))) =
		chain.check_uncles(&checked, Some(&draft.body()), u64::MAX)
	else {
		panic!("the uncles were not rejected");
	};
	let sentence = RuleError::from(rule).to_string();
	assert_eq!(verify(chain, &header, draft.body()).err(), Some(sentence));
	rule
}

#[test]
fn each_rule_of_the_uncles_is_checked_alone() {
	let (chain, blocks, brother) = with_brother(3);
	let tip = blocks[3];
	let nephew = |uncles: Vec<Header>| Draft::on(&chain, tip, 13).naming(uncles);
	let hash = brother.hash();

	let mut wrong_hash = nephew(vec![brother.clone()]);
	wrong_hash.pre.uncles_hash = Hash::repeat_byte(3);
	let triplets = (20..23)
		.map(|byte| Draft::on(&chain, blocks[1], 13).variant(byte).mine())
		.collect();
	let ancestor = chain.client().header(blocks[2]).unwrap().unwrap();
	// A sibling of the block itself, and a child of an unknown block, are not uncles.
	let own_brother = Draft::on(&chain, tip, 13).variant(4).mine();
	let mut orphan = Draft::on(&chain, blocks[1], 13);
	orphan.parent = Hash::repeat_byte(5);
	let orphan = orphan.mine();
	let not_kin = |uncle: &Header| UncleError::NotKin {
		uncle: uncle.hash(),
		got: uncle.parent_hash,
		parents: Some((0, 2)),
	};
	// Each header rule applies to an uncle too.
	let mut early = Draft::on(&chain, blocks[1], 13).variant(6);
	early.pre.timestamp = GENESIS_TIME;
	let early_error = HeaderError::TimestampNotAfterParent {
		got: GENESIS_TIME,
		parent: GENESIS_TIME + 13,
	};
	#[rustfmt::skip]
	let cases = [
		(wrong_hash, UncleError::UnclesHash(GotExpected {
			got: Hash::repeat_byte(3),
			expected: uncles_hash(std::slice::from_ref(&brother)),
		})),
		(nephew(triplets), UncleError::TooMany { got: 3, maximum: 2 }),
		(nephew(vec![brother.clone(), brother.clone()]), UncleError::Repeated { uncle: hash }),
		(nephew(vec![ancestor]), UncleError::Ancestor { uncle: blocks[2] }),
		(nephew(vec![own_brother.clone()]), not_kin(&own_brother)),
		(nephew(vec![orphan.clone()]), not_kin(&orphan)),
		(nephew(vec![early.mine()]), UncleError::Header { index: 0, error: early_error }),
	];
	for (draft, error) in cases {
		assert_eq!(uncle_rule(&chain, &draft), error);
	}

	let mut unsealed = brother.clone();
	unsealed.state_root = Hash::repeat_byte(77);
	assert!(matches!(
		uncle_rule(&chain, &nephew(vec![unsealed])),
		UncleError::Header {
			index: 0,
			error: HeaderError::SealAboveBoundary { .. } | HeaderError::MixHash(_)
		}
	));
}

#[test]
fn an_uncle_that_an_ancestor_names_is_rejected() {
	let (chain, blocks, brother) = with_brother(3);
	let first = Draft::on(&chain, blocks[3], 13).naming(vec![brother.clone()]);
	let tip = insert(&chain, &first.mine(), first.body(), NewBlockState::Best);
	let second = Draft::on(&chain, tip, 13).naming(vec![brother.clone()]);
	assert_eq!(
		uncle_rule(&chain, &second),
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
