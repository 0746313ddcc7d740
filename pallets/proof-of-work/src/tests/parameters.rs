// SPDX-License-Identifier: Apache-2.0
//! Tests that the parameters are those of genesis, and that an older state learns their hash and the list of changes.

use super::*;
use crate::{
	migrations::{ToVersion2, ToVersion3},
	Parameters, ParametersHash,
};
use frame_support::{
	storage::unhashed,
	traits::{GetStorageVersion, OnRuntimeUpgrade, StorageVersion},
};
use sp_runtime::traits::{BlakeTwo256, Hash as _};

#[test]
fn changed_parameters_are_found() {
	chain_with(parameters()).execute_with(|| {
		assert_ok!(ProofOfWork::do_try_state());
		Parameters::<Test>::mutate(|parameters| parameters.block_reward += 1);
		let found = "the consensus parameters are not those of genesis";
		assert_eq!(ProofOfWork::do_try_state(), Err(found.into()));
		Parameters::<Test>::mutate(|parameters| parameters.block_reward -= 1);
		assert_ok!(ProofOfWork::do_try_state());
	});
}

#[test]
fn an_older_state_learns_the_hash() {
	chain_with(parameters()).execute_with(|| {
		let hash = ParametersHash::<Test>::take();
		StorageVersion::new(1).put::<ProofOfWork>();
		assert!(ProofOfWork::do_try_state().is_err());
		ToVersion2::<Test>::on_runtime_upgrade();
		assert_eq!(ParametersHash::<Test>::get(), hash);
		assert_eq!(ProofOfWork::on_chain_storage_version(), 2);
		// It runs once.
		ParametersHash::<Test>::kill();
		ToVersion2::<Test>::on_runtime_upgrade();
		assert_eq!(ParametersHash::<Test>::get(), None);
	});
}

/// Writes these parameters as a runtime of version 2 did, without the list of changes. Returns what it wrote.
fn write_version_2(parameters: &ChainParameters) -> Vec<u8> {
	let mut old = parameters.encode();
	assert_eq!(old.pop(), Some(0));
	unhashed::put_raw(&Parameters::<Test>::hashed_key(), &old);
	StorageVersion::new(2).put::<ProofOfWork>();
	old
}

#[test]
fn an_older_state_learns_the_list_of_changes() {
	chain_with(parameters()).execute_with(|| {
		let hash = ParametersHash::<Test>::get();
		let old = write_version_2(&parameters());
		ParametersHash::<Test>::put(BlakeTwo256::hash(&old));
		assert_eq!(Parameters::<Test>::get(), parameters());
		ToVersion3::<Test>::on_runtime_upgrade();
		assert_eq!(ParametersHash::<Test>::get(), hash);
		let raw = unhashed::get_raw(&Parameters::<Test>::hashed_key());
		assert_eq!(raw, Some(parameters().encode()));
		assert_eq!(ProofOfWork::on_chain_storage_version(), 3);
		assert_ok!(ProofOfWork::do_try_state());
	});
	// Parameters that are not those of genesis are still found.
	chain_with(parameters()).execute_with(|| {
		let old = write_version_2(&parameters());
		ParametersHash::<Test>::put(BlakeTwo256::hash(&old));
		write_version_2(&ChainParameters {
			block_reward: REWARD + 1,
			..parameters()
		});
		ToVersion3::<Test>::on_runtime_upgrade();
		assert!(ProofOfWork::do_try_state().is_err());
	});
	// A state of version 1, which has no hash, becomes one of version 3 at once.
	chain_with(parameters()).execute_with(|| {
		let hash = ParametersHash::<Test>::take();
		write_version_2(&parameters());
		StorageVersion::new(1).put::<ProofOfWork>();
		<(ToVersion2<Test>, ToVersion3<Test>)>::on_runtime_upgrade();
		assert_eq!(ParametersHash::<Test>::get(), hash);
		assert_ok!(ProofOfWork::do_try_state());
	});
}
