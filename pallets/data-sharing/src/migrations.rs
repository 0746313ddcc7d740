// SPDX-License-Identifier: Apache-2.0
//! Changes the storage of a chain that an earlier runtime wrote, when the runtime is upgraded.
//!
//! A migration moves no money: what was held stays held, from the same account and for the same reason, and is
//! released when its entry ends.

use crate::{pallet::*, types::*};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use core::marker::PhantomData;
use frame_support::{
	migrations::VersionedMigration,
	traits::{Get, UncheckedOnRuntimeUpgrade},
	weights::Weight,
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_sharing::terms::MAX_GRANTS_PER_READER;
use polkadot_sdk::*;
use sp_runtime::traits::{Saturating, Zero};

/// From storage without a version to version 1: requests hold what their grants will take, and grants know who
/// pays for them and what was paid.
pub type ToV1<T> =
	VersionedMigration<0, 1, UncheckedToV1<T>, Pallet<T>, <T as frame_system::Config>::DbWeight>;

/// The storage before version 1.
pub mod v0 {
	use super::*;
	use frame_support::traits::ConstU32;

	/// A dataset.
	#[derive(Encode, Decode)]
	pub struct Dataset<Balance> {
		/// Its name.
		pub name: Name,
		/// The epoch that new records go to.
		pub epoch: Epoch,
		/// How many leaves are taken.
		pub leaves: u64,
		/// The number of open requests.
		pub requests: u64,
		/// The number of grants.
		pub grants: u64,
		/// The deposit.
		pub deposit: Balance,
	}

	/// A policy with its deposit.
	#[derive(Encode, Decode)]
	pub struct StandingPolicy<Balance, BlockNumber> {
		/// The minimum offer.
		pub price: Balance,
		/// The maximum number of leaves.
		pub longest_range: u64,
		/// The maximum term.
		pub longest_term: BlockNumber,
		/// The kinds of consumers.
		pub consumers: ConsumerKinds,
		/// The deposit.
		pub deposit: Balance,
	}

	/// An open request.
	#[derive(Encode, Decode)]
	pub struct Request<AccountId, Balance, BlockNumber> {
		/// The owner of the dataset.
		pub owner: AccountId,
		/// The account that made it.
		pub consumer: AccountId,
		/// The range.
		pub scope: Scope,
		/// The purpose.
		pub purpose: Text,
		/// The term.
		pub term: BlockNumber,
		/// The offered payment.
		pub offer: Balance,
		/// The first block at which it has expired.
		pub valid_until: BlockNumber,
		/// The deposit.
		pub deposit: Balance,
	}

	/// A grant. Its deposit was the owner's.
	#[derive(Encode, Decode)]
	pub struct Grant<AccountId, Balance, BlockNumber> {
		/// The owner.
		pub owner: AccountId,
		/// The reader.
		pub grantee: AccountId,
		/// The range.
		pub scope: Scope,
		/// The first block at which it has expired.
		pub expiry: BlockNumber,
		/// Its date, if any.
		pub until: Option<Seconds>,
		/// The first block at which the owner could revoke it.
		pub paid_until: BlockNumber,
		/// Its state.
		pub state: GrantState,
		/// The keys.
		pub sealed_keys: SealedKeys,
		/// The deposit.
		pub deposit: Balance,
		/// When the agenda looks at it.
		pub due: BlockNumber,
	}

	/// A reader's grants on an epoch.
	pub type ReaderGrants = BoundedVec<GrantId, ConstU32<MAX_GRANTS_PER_READER>>;
}

/// [`ToV1`], which checks the version first.
pub struct UncheckedToV1<T>(PhantomData<T>);

impl<T: Config> UncheckedOnRuntimeUpgrade for UncheckedToV1<T> {
	fn on_runtime_upgrade() -> Weight {
		let mut changed = 0u64;
		Datasets::<T>::translate::<v0::Dataset<BalanceOf<T>>, _>(|_, _, old| {
			changed.saturating_inc();
			Some(Dataset {
				name: old.name,
				epoch: old.epoch,
				leaves: old.leaves,
				requests: old.requests,
				grants: old.grants,
				closed: false,
				deposit: old.deposit,
			})
		});
		type OldPolicy<T> = v0::StandingPolicy<BalanceOf<T>, BlockNumberFor<T>>;
		Policies::<T>::translate::<OldPolicy<T>, _>(|_, _, old| {
			changed.saturating_inc();
			Some(StandingPolicy {
				policy: Policy {
					price: old.price,
					firm_price: None,
					longest_range: old.longest_range,
					longest_term: old.longest_term,
					consumers: old.consumers,
				},
				deposit: old.deposit,
			})
		});
		AuthorizationList::<T>::translate::<v0::ReaderGrants, _>(|_, grants| {
			changed.saturating_inc();
			Some(ReaderEntry { grants, asked: 0 })
		});
		changed.saturating_accrue(Self::requests());
		changed.saturating_accrue(Self::grants());
		changed.saturating_accrue(Self::close_what_has_no_place());
		T::DbWeight::get().reads_writes(changed, changed)
	}
}

type OldRequest<T> =
	v0::Request<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;
type OldGrant<T> =
	v0::Grant<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;

impl<T: Config> UncheckedToV1<T> {
	/// Gives each open request a place among its reader's grants.
	fn requests() -> u64 {
		let mut changed = 0u64;
		Requests::<T>::translate::<OldRequest<T>, _>(|_, old| {
			changed.saturating_accrue(2);
			let Scope { dataset, epoch, .. } = old.scope;
			AuthorizationList::<T>::mutate((&old.owner, dataset, epoch, &old.consumer), |entry| {
				entry.asked.saturating_inc();
			});
			// Empty if the consumer has removed its key: then no one can seal an answer, and the request expires.
			let registered = EncryptionKeys::<T>::get(&old.consumer);
			let key = registered.map(|entry| entry.key).unwrap_or_default();
			Some(Request {
				owner: old.owner,
				consumer: old.consumer,
				scope: old.scope,
				purpose: old.purpose,
				term: old.term,
				offer: old.offer,
				firm: false,
				key,
				valid_until: old.valid_until,
				deposit: old.deposit,
			})
		});
		changed
	}

	/// Keeps the promises of the grants that exist. What was paid for one is not known, so nothing could be paid
	/// back: if its paid term is not over, the term is firm, as it was.
	fn grants() -> u64 {
		let mut changed = 0u64;
		let now = frame_system::Pallet::<T>::block_number();
		Grants::<T>::translate::<OldGrant<T>, _>(|_, old| {
			changed.saturating_accrue(2);
			let grant = Grant {
				depositor: old.owner.clone(),
				owner: old.owner,
				grantee: old.grantee,
				scope: old.scope,
				expiry: old.expiry,
				until: old.until,
				agreement: None,
				paid: Zero::zero(),
				paid_from: old.paid_until,
				paid_until: old.paid_until,
				firm: old.paid_until > now,
				state: old.state,
				sealed_keys: old.sealed_keys,
				deposit: old.deposit,
				due: old.due,
			};
			Pallet::<T>::note_sold(&grant);
			Some(grant)
		});
		changed
	}

	/// Closes the requests for which there is no place, because the reader has too many active grants: an active
	/// grant no longer gives way to a new one. Their deposits and offers are released.
	fn close_what_has_no_place() -> u64 {
		let has_no_place = |request: &RequestOf<T>| {
			let Scope { dataset, epoch, .. } = request.scope;
			let key = (&request.owner, dataset, epoch, &request.consumer);
			let entry = AuthorizationList::<T>::get(key);
			let taken = (entry.asked as usize).saturating_add(Pallet::<T>::active(&entry));
			taken > MAX_GRANTS_PER_READER as usize
		};
		// Only the numbers are collected, as the requests may be too many for the memory of a block.
		let requests: Vec<_> = Requests::<T>::iter_keys().collect();
		let mut looked_at = 0u64;
		for id in requests {
			let Some(request) = Requests::<T>::get(id) else {
				continue;
			};
			looked_at.saturating_accrue(2 + u64::from(MAX_GRANTS_PER_READER));
			if has_no_place(&request) {
				Pallet::<T>::close_request(id, &request);
				Pallet::<T>::deposit_event(Event::RequestLapsed {
					request: id,
					owner: request.owner,
					consumer: request.consumer,
					scope: request.scope,
				});
			}
		}
		looked_at
	}
}
