//! What an announced header must show before its body is asked for.

use super::mock::*;
use crate::{chain::unix_now, PowAnnounceValidator};
use futures::executor::block_on;
use isthmus_primitives::{params::ChainParameters, Hash, Header};
use polkadot_sdk::*;
use sc_client_api::backend::NewBlockState;
use sp_blockchain::HeaderBackend;
use sp_consensus::block_validation::{BlockAnnounceValidator, Validation};
use std::sync::Arc;

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

const AT_FAULT: Validation = Validation::Failure { disconnect: true };

#[test]
fn a_header_on_a_known_parent_is_checked_whole_and_weighed() {
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
	broken.pre.difficulty += 1.into();
	assert_eq!(announce(&chain, &broken.mine(), &[]), AT_FAULT);
	let mut unsealed = better.clone();
	unsealed.state_root = Hash::repeat_byte(1);
	assert_eq!(announce(&chain, &unsealed, &[]), AT_FAULT);
	assert_eq!(announce(&chain, &better, b"junk"), AT_FAULT);
}

#[test]
fn a_header_from_the_future_is_left_aside_without_blame() {
	let chain = chain(ChainParameters {
		genesis_timestamp: unix_now(),
		..parameters()
	});
	let header = Draft::on(&chain, chain.client().info().genesis_hash, 3600).mine();
	let error = try_announce(&chain, &header, &[]).unwrap_err().to_string();
	assert!(error.starts_with("the timestamp is"), "{error}");
}

#[test]
fn a_known_header_and_one_behind_finality_cost_no_hashing_and_no_blame() {
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
