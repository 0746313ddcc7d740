// SPDX-License-Identifier: Apache-2.0
//! Tests that the parameters are those of genesis, and that an older state learns their hash.

use super::*;
use crate::{migrations::ToVersion2, Parameters, ParametersHash};
use frame_support::traits::{GetStorageVersion, OnRuntimeUpgrade, StorageVersion};

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
