// SPDX-License-Identifier: Apache-2.0
//! Checks the invariants of the pallet's state between blocks, for tests and `try-runtime`.

use crate::{BlockUncles, Config, CurrentHead, Pallet, Parameters, ParametersHash, RecentUncles};
use alloc::vec::Vec;
use frame_support::ensure;
use isthmus_primitives::{params::MIN_GAS_LIMIT, Hash};
use polkadot_sdk::*;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
	/// Checks the invariants of the state between blocks.
	///
	/// # Errors
	///
	/// Returns a sentence about the first invariant that is violated.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let parameters = Parameters::<T>::get();
		// The engine never reads changed parameters, so the runtime and the engine would reject each other's blocks.
		ensure!(
			ParametersHash::<T>::get() == Some(Self::hash_of(&parameters)),
			"the consensus parameters are not those of genesis"
		);
		let head = CurrentHead::<T>::get();
		// The engine knows D_0, which may be lower than the parameters' on nodes with a table of their own.
		ensure!(head.difficulty > 0.into(), "H_d is zero");
		ensure!(head.gas_limit >= MIN_GAS_LIMIT, "H_l is below its minimum");
		ensure!(
			head.timestamp >= parameters.genesis_timestamp,
			"H_s is before genesis"
		);
		ensure!(
			!BlockUncles::<T>::exists(),
			"uncles were not rewarded when their block ended"
		);
		let recent = RecentUncles::<T>::get();
		let mut hashes: Vec<Hash> = recent.iter().map(|(_, hash)| *hash).collect();
		hashes.sort();
		hashes.dedup();
		ensure!(hashes.len() == recent.len(), "an uncle was named twice");
		ensure!(
			recent
				.iter()
				.all(|(named_in, _)| *named_in <= Self::number()),
			"an uncle was named by a future block"
		);
		Ok(())
	}
}
