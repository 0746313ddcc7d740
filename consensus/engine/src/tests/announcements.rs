// SPDX-License-Identifier: Apache-2.0
//! Tests what the node checks about an announced header before it requests the body.

use super::mock::*;
use crate::{clock::unix_now, BlockError, CheckError, PowAnnounceValidator};
use codec::Encode;
use futures::{executor::block_on, FutureExt};
use isthmus_primitives::{
	digest::{Seal, POW_ENGINE_ID},
	params::{ChainParameters, DifficultyRule, RuleChange},
	AccountId, Hash, Header,
};
use polkadot_sdk::*;
use sc_client_api::backend::NewBlockState;
use sp_blockchain::HeaderBackend;
use sp_consensus::block_validation::{BlockAnnounceValidator, Validation};
use sp_runtime::DigestItem;
use std::{sync::Arc, time::Instant};

fn try_announce(
	chain: &Arc<crate::Chain<TestClient>>,
	header: &Header,
	data: &[u8],
) -> Result<Validation, Box<dyn std::error::Error + Send>> {
	block_on(PowAnnounceValidator::new(chain.clone()).validate(header, data))
}

fn announce(chain: &Arc<crate::Chain<TestClient>>, header: &Header, data: &[u8]) -> Validation {
	try_announce(chain, header, data).unwrap()
}

/// The result for which the peer is penalised.
const AT_FAULT: Validation = Validation::Failure { disconnect: true };

#[test]
fn a_header_on_a_known_parent_is_checked_by_every_rule_and_weighed() {
	let chain = chain(parameters());
	let genesis = chain.client().info().genesis_hash;
	let first = extend(&chain, genesis, 13);
	let better = Draft::on(&chain, first, 13).mine();
	assert_eq!(
		announce(&chain, &better, &[]),
		Validation::Success { is_new_best: true }
	);
	extend(&chain, first, 13);
	let fork = Draft::on(&chain, genesis, 13).variant(3).mine();
	assert_eq!(
		announce(&chain, &fork, &[]),
		Validation::Success { is_new_best: false }
	);

	let mut broken = Draft::on(&chain, first, 13);
	broken.pre.difficulty.0 += 1.into();
	assert_eq!(announce(&chain, &broken.mine(), &[]), AT_FAULT);
	let mut unsealed = better.clone();
	unsealed.state_root = Hash::repeat_byte(1);
	assert_eq!(announce(&chain, &unsealed, &[]), AT_FAULT);
	assert_eq!(announce(&chain, &better, b"junk"), AT_FAULT);
}

#[test]
fn a_header_from_the_future_is_ignored_without_penalty() {
	let chain = chain(ChainParameters {
		genesis_timestamp: unix_now(),
		..parameters()
	});
	let header = Draft::on(&chain, chain.client().info().genesis_hash, 3600).mine();
	let error = try_announce(&chain, &header, &[]).unwrap_err().to_string();
	assert!(error.starts_with("the timestamp is"), "{error}");
}

#[test]
fn a_known_header_and_one_behind_finality_are_ignored_without_penalty() {
	let chain = chain(parameters());
	let genesis = chain.client().info().genesis_hash;
	let known = Draft::on(&chain, genesis, 13).mine();
	insert(&chain, &known, vec![], NewBlockState::Final);
	assert_eq!(
		announce(&chain, &known, &[]),
		Validation::Success { is_new_best: false }
	);
	let behind = Draft::on(&chain, genesis, 13).variant(2).mine();
	let error = try_announce(&chain, &behind, &[]).unwrap_err().to_string();
	assert!(error.contains("finality has ruled out"), "{error}");
}

#[test]
fn a_header_on_an_unknown_parent_must_at_least_be_sealed() {
	let chain = chain(parameters());
	let genesis = chain.client().info().genesis_hash;
	let mut draft = Draft::on(&chain, genesis, 13);
	draft.parent = Hash::repeat_byte(4);
	draft.number = 5;
	let header = draft.mine();
	assert_eq!(
		announce(&chain, &header, &[]),
		Validation::Success { is_new_best: false }
	);
	let mut forged = header;
	forged.state_root = Hash::repeat_byte(9);
	assert_eq!(announce(&chain, &forged, &[]), AT_FAULT);
	draft.pre.extra_data = vec![0; 33];
	assert_eq!(announce(&chain, &draft.mine(), &[]), AT_FAULT);
}

/// Returns a header that looks valid but claims a made-up mix hash.
fn forged(chain: &crate::Chain<TestClient>, parent: Hash, index: u64) -> Header {
	let mut draft = Draft::on(chain, parent, 13);
	draft.gas_used = 1 + index % 20_000_000;
	let mut header = draft.unsealed();
	let seal = Seal {
		mix_hash: Hash::from_low_u64_be(index),
		nonce: index,
	};
	header
		.digest
		.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
	header
}

#[test]
fn a_flood_of_forged_headers_costs_no_hashimoto() {
	const FLOOD: u64 = 10_000;
	// This is the minimum difficulty of a real chain.
	let chain = chain(ChainParameters {
		minimum_difficulty: 131_072.into(),
		genesis_difficulty: 131_072.into(),
		..parameters()
	});
	let genesis = chain.client().info().genesis_hash;
	let headers: Vec<_> = (0..FLOOD).map(|i| forged(&chain, genesis, i)).collect();
	let mut announcements = PowAnnounceValidator::new(chain.clone());
	let started = Instant::now();
	let rejected = headers
		.iter()
		.filter(|header| block_on(announcements.validate(header, &[])).unwrap() == AT_FAULT)
		.count();
	let elapsed = started.elapsed();
	// By luck, about one in 131,072 forged seals passes the quick check. The mix hashes here are fixed, and
	// none of them does.
	assert_eq!((rejected as u64, chain.light_hashes()), (FLOOD, 0));
	println!(
		"{} ns for each of {FLOOD} forged headers",
		elapsed.as_nanos() / u128::from(FLOOD)
	);
}

#[test]
fn a_header_that_is_repeated_is_hashed_once() {
	let chain = chain(parameters());
	let genesis = chain.client().info().genesis_hash;
	let mut draft = Draft::on(&chain, genesis, 13);
	let good = draft.mine();
	for _ in 0..3 {
		let is_new_best = announce(&chain, &good, &[]);
		assert_eq!(is_new_best, Validation::Success { is_new_best: true });
	}
	assert_eq!(chain.light_hashes(), 1);
	// When the announced block arrives, the result for its seal is already known.
	chain.check_header(&good, u64::MAX).unwrap();
	assert_eq!(chain.light_hashes(), 1);
	// Nor is it computed again after a thousand other headers, as when a node syncs.
	for byte in 0..4 {
		draft.pre.beneficiary = AccountId::new([byte; 32]);
		for gas_used in 0..256 {
			draft.gas_used = gas_used;
			announce(&chain, &draft.mine(), &[]);
		}
	}
	assert_eq!(chain.light_hashes(), 1 + 1024);
	chain.check_header(&good, u64::MAX).unwrap();
	assert_eq!(chain.light_hashes(), 1 + 1024);
}

/// Returns a sealed header with this number on an unknown parent.
fn orphan(chain: &crate::Chain<TestClient>, number: u32, variant: u8) -> Header {
	let mut draft = Draft::on(chain, chain.client().info().genesis_hash, 13).variant(variant);
	draft.parent = Hash::repeat_byte(4);
	draft.number = number;
	draft.mine()
}

#[test]
fn a_header_on_an_unknown_parent_costs_no_hashimoto() {
	let chain = chain(parameters());
	for variant in 0..20 {
		let header = orphan(&chain, 5, variant);
		assert!(!chain.check_announced(&header, u64::MAX).unwrap());
	}
	assert_eq!(chain.light_hashes(), 0);
}

#[test]
fn a_header_on_an_unknown_parent_is_admitted_whatever_its_number_and_however_many_there_are() {
	let chain = chain(parameters());
	let now = GENESIS_TIME + 1000;
	for number in [32, 33, 1000, 29_999, 30_000, 90_000, 4_000_000, u32::MAX] {
		for variant in 0..3 {
			let header = orphan(&chain, number, variant);
			assert!(!chain.check_announced(&header, now).unwrap());
		}
	}
}

#[test]
fn a_header_on_an_unknown_parent_must_be_nearly_as_difficult_as_the_best_block() {
	let chain = chain(ChainParameters {
		genesis_difficulty: 4096.into(),
		..parameters()
	});
	let genesis = chain.client().info().genesis_hash;
	let mut draft = Draft::on(&chain, genesis, 13);
	draft.parent = Hash::repeat_byte(4);
	draft.number = 5;
	draft.pre.difficulty = 256.into();
	assert!(!chain.check_announced(&draft.mine(), u64::MAX).unwrap());
	draft.pre.difficulty = 255.into();
	let easy = draft.mine();
	assert!(matches!(
		chain.check_announced(&easy, u64::MAX),
		Err(BlockError::CouldNotCheck(CheckError::TooEasy(hash))) if hash == easy.hash()
	));
	assert!(try_announce(&chain, &easy, &[]).is_err());
}

#[test]
fn a_fixed_difficulty_may_fall_at_a_height() {
	let change = RuleChange {
		from_block: 5,
		minimum_difficulty: Some(100.into()),
		..Default::default()
	};
	let chain = chain(ChainParameters {
		difficulty_rule: DifficultyRule::Fixed,
		minimum_difficulty: 4096.into(),
		genesis_difficulty: 4096.into(),
		changes: vec![change].try_into().unwrap(),
		..parameters()
	});
	let genesis = chain.client().info().genesis_hash;
	let mut draft = Draft::on(&chain, genesis, 13);
	draft.parent = Hash::repeat_byte(4);
	draft.pre.difficulty = 100.into();
	draft.number = 5;
	assert!(!chain.check_announced(&draft.mine(), u64::MAX).unwrap());
	draft.number = 4;
	assert!(chain.check_announced(&draft.mine(), u64::MAX).is_err());
}

#[test]
fn sync_does_not_wait_for_the_check_of_an_announcement() {
	let chain = chain(parameters());
	let header = Draft::on(&chain, chain.client().info().genesis_hash, 13).mine();
	let runtime = tokio::runtime::Builder::new_current_thread()
		.max_blocking_threads(1)
		.build()
		.unwrap();
	runtime.block_on(async {
		// The only blocking thread is busy, so a check that ends at once would run on this thread.
		let (go, gate) = std::sync::mpsc::channel::<()>();
		tokio::task::spawn_blocking(move || gate.recv());
		let mut validation = PowAnnounceValidator::new(chain.clone()).validate(&header, &[]);
		assert!(validation.as_mut().now_or_never().is_none());
		assert_eq!(chain.light_hashes(), 0);
		go.send(()).unwrap();
		assert_eq!(
			validation.await.unwrap(),
			Validation::Success { is_new_best: true }
		);
	});
}
