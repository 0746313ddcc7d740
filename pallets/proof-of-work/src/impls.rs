// SPDX-License-Identifier: Apache-2.0
//! What the pallet's hooks do: find a block's miner, mint its rewards, and check its timestamp.

use crate::{
	header::MILLISECONDS_PER_SECOND, pallet::reject, Config, CurrentHead, Event, Head, Pallet,
	Parameters, Uncle,
};
use codec::Encode;
use frame_support::traits::{fungible::Mutate, OnTimestampSet};
use isthmus_primitives::{params::ChainParameters, AccountId, Balance, Hash};
use isthmus_rules::{miner_reward, uncle_reward};
use polkadot_sdk::*;
use sp_runtime::{
	traits::{BlakeTwo256, Hash as _},
	SaturatedConversion,
};

impl<T: Config> Pallet<T> {
	/// Returns H_c: the account that mined the block in execution or, between blocks, the last block. For
	/// the genesis block this is the zero account.
	pub fn beneficiary() -> AccountId {
		CurrentHead::<T>::get().beneficiary
	}

	/// Returns the header fields of the block in execution or, between blocks, of the last block.
	pub fn current_head() -> Head {
		CurrentHead::<T>::get()
	}

	/// Returns the BLAKE2b-256 hash of parameters.
	pub(crate) fn hash_of(parameters: &ChainParameters) -> Hash {
		Self::hash_of_bytes(&parameters.encode())
	}

	/// Returns the BLAKE2b-256 hash of encoded parameters.
	pub(crate) fn hash_of_bytes(parameters: &[u8]) -> Hash {
		BlakeTwo256::hash(parameters)
	}

	/// Returns the number (H_i) of the block in execution.
	pub(crate) fn number() -> u32 {
		frame_system::Pallet::<T>::block_number().saturated_into()
	}

	/// Mints the rewards of a block (yellow paper, section 11.3). R_b is the block's, also for older uncles:
	///
	/// ```text
	/// R_b · (1 + ‖B_U‖/32)          to the block's miner
	/// R_b · (8 + U_i − H_i)/8       to the miner of each uncle U
	/// ```
	pub(crate) fn do_reward(beneficiary: AccountId, uncles: &[Uncle]) {
		let number = Self::number();
		let block_reward = Parameters::<T>::get().at(number).block_reward;
		for uncle in uncles {
			// Uncles belong to the last six generations, so the formula always has a result.
			let amount = uncle_reward(block_reward, uncle.number, number).unwrap_or_default();
			let beneficiary = uncle.beneficiary.clone();
			Self::mint(beneficiary.clone(), amount, |amount| Event::UncleRewarded {
				beneficiary,
				number: uncle.number,
				amount,
			});
		}
		let amount = miner_reward(block_reward, uncles.len().saturated_into());
		Self::mint(beneficiary.clone(), amount, |amount| Event::BlockRewarded {
			beneficiary,
			amount,
		});
	}

	/// Mints one reward, and deposits the event that it was minted or lost.
	fn mint(beneficiary: AccountId, amount: Balance, rewarded: impl FnOnce(Balance) -> Event<T>) {
		if amount == 0 {
			return;
		}
		Self::deposit_event(match T::Currency::mint_into(&beneficiary, amount) {
			Ok(minted) => rewarded(minted),
			Err(reason) => Event::RewardLost {
				beneficiary,
				amount,
				reason,
			},
		});
	}
}

impl<T: Config> OnTimestampSet<u64> for Pallet<T> {
	/// Rejects the block unless its timestamp (H_s) equals the timestamp inherent's time in whole seconds.
	fn on_timestamp_set(milliseconds: u64) {
		let expected = CurrentHead::<T>::get().timestamp;
		let got = milliseconds / MILLISECONDS_PER_SECOND;
		if got != expected {
			reject(format_args!(
				"the timestamp inherent says {got} s, but the header (H_s) says {expected} s"
			));
		}
	}
}
