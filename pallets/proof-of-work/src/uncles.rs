// SPDX-License-Identifier: Apache-2.0
//! Checks a block's uncles (B_U), as far as the state alone allows (yellow paper, section 11.1). An uncle
//! is an orphaned block that this block names so that its miner is rewarded.
//!
//! The runtime knows the hashes of the ancestors, and the uncles that they named. The rules for an uncle's
//! own header and seal need its parent's header and Ethash, so the engine checks them.

use crate::{BlockUncles, Call, Config, CurrentHead, Error, Pallet, RecentUncles, Uncle};
use alloc::vec::Vec;
use frame_support::{ensure, traits::IsSubType};
use isthmus_primitives::{
	digest::{uncles_hash, PowHeader},
	params::{MAX_UNCLES, MAX_UNCLE_GENERATIONS},
	Hash, Header,
};
use polkadot_sdk::*;
use sp_runtime::{
	traits::{ExtrinsicCall, ExtrinsicLike},
	DispatchResult,
};

impl<T: Config> Pallet<T> {
	/// Checks and stores the block's uncles.
	///
	/// # Errors
	///
	/// Returns the error of the first rule that is violated.
	pub(crate) fn do_set_uncles(uncles: Vec<Header>) -> DispatchResult {
		ensure!(!uncles.is_empty(), Error::<T>::NoUncles);
		ensure!(
			uncles.len() <= MAX_UNCLES as usize,
			Error::<T>::TooManyUncles
		);
		ensure!(!BlockUncles::<T>::exists(), Error::<T>::UnclesAlreadySet);
		let committed = CurrentHead::<T>::get().uncles_hash;
		ensure!(
			uncles_hash(&uncles) == committed,
			Error::<T>::UnclesHashMismatch
		);

		let number = Self::number();
		let oldest = number.saturating_sub(MAX_UNCLE_GENERATIONS);
		let mut recent = RecentUncles::<T>::get();
		recent.retain(|(named_in, _)| *named_in >= oldest);
		for header in &uncles {
			let uncle = PowHeader::read(header).map_err(|_| Error::<T>::UncleMalformed)?;
			Self::ensure_uncle(&uncle, number)?;
			ensure!(
				recent.iter().all(|(_, hash)| *hash != uncle.hash),
				Error::<T>::UncleAlreadyIncluded
			);
			recent
				.try_push((number, uncle.hash))
				.map_err(|_| Error::<T>::TooManyUncles)?;
			BlockUncles::<T>::try_append(Uncle {
				beneficiary: uncle.pre.beneficiary,
				number: uncle.number,
			})
			.map_err(|()| Error::<T>::TooManyUncles)?;
		}
		RecentUncles::<T>::put(recent);
		Ok(())
	}

	/// Checks that the uncle is a sibling of one of this block's last six ancestors, but is not itself one
	/// of them.
	///
	/// This is k(U, P(H), 6) of the yellow paper. A sibling of an ancestor has the same number as that
	/// ancestor, so U_i is between H_i − 6 and H_i − 1, and the uncle's parent is this block's ancestor
	/// with number U_i − 1.
	fn ensure_uncle(uncle: &PowHeader, number: u32) -> Result<(), Error<T>> {
		let generation = number
			.checked_sub(uncle.number)
			.ok_or(Error::<T>::UncleOutOfRange)?;
		ensure!(
			(1..=MAX_UNCLE_GENERATIONS).contains(&generation),
			Error::<T>::UncleOutOfRange
		);
		let parent = uncle
			.number
			.checked_sub(1)
			.ok_or(Error::<T>::UncleOutOfRange)?;
		ensure!(
			Self::ancestor(uncle.number) != uncle.hash,
			Error::<T>::UncleIsAncestor
		);
		ensure!(
			Self::ancestor(parent) == uncle.parent_hash,
			Error::<T>::UncleParentNotAncestor
		);
		Ok(())
	}

	/// Returns the hash of this block's ancestor with this number.
	fn ancestor(number: u32) -> Hash {
		frame_system::Pallet::<T>::block_hash(
			frame_system::pallet_prelude::BlockNumberFor::<T>::from(number),
		)
	}

	/// Returns the uncles named in a block's body: the uncles in its inherent, or an empty list if there is
	/// no such inherent. Returns `None` if the body contains more than one.
	pub fn uncles<E>(extrinsics: impl IntoIterator<Item = E>) -> Option<Vec<Header>>
	where
		E: ExtrinsicCall + ExtrinsicLike,
		E::Call: IsSubType<Call<T>>,
	{
		let mut named = None;
		for extrinsic in extrinsics.into_iter().filter(ExtrinsicLike::is_bare) {
			if let Some(Call::set_uncles { uncles }) = extrinsic.call().is_sub_type() {
				if named.replace(uncles.clone()).is_some() {
					return None;
				}
			}
		}
		Some(named.unwrap_or_default())
	}
}
