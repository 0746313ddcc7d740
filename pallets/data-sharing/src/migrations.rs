// SPDX-License-Identifier: Apache-2.0
//! Changes the storage of a chain that an earlier runtime wrote, when the runtime is upgraded.
//!
//! A migration moves no money: what was held stays held, from the same account and for the same reason, and is
//! released when its entry ends. The first block after the upgrade only notes that there is something to migrate.
//! That block and those after it each migrate a bounded number of entries.

use crate::{pallet::*, types::*, weights::WeightInfo};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use core::marker::PhantomData;
use frame_support::{
	migrations::MultiStepMigrator,
	storage::{unhashed, StoragePrefixedMap},
	traits::{Get, GetStorageVersion, OnRuntimeUpgrade, StorageVersion},
	weights::{Weight, WeightMeter},
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_sharing::terms::MAX_GRANTS_PER_READER;
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_runtime::traits::{Saturating, Zero};

/// From storage without a version to version 1: requests hold what their grants will take, and grants know who
/// pays for them and what was paid.
///
/// This only begins the migration. [`Stepped`] does it, over several blocks if there is much.
pub struct ToV1<T>(PhantomData<T>);

impl<T: Config> OnRuntimeUpgrade for ToV1<T> {
	fn on_runtime_upgrade() -> Weight {
		if Pallet::<T>::on_chain_storage_version() >= 1 {
			return T::DbWeight::get().reads(1);
		}
		Migrating::<T>::put(Cursor::start());
		T::DbWeight::get().reads_writes(1, 1)
	}
}

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

/// Which entries a migration is at.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
pub enum Stage {
	/// The datasets.
	Datasets,
	/// Their policies.
	Policies,
	/// The records, whose deposits are counted for their datasets.
	Records,
	/// The leaves, whose deposits are, too.
	Leaves,
	/// The authorization list.
	Readers,
	/// The requests, which get a place in the authorization list.
	Requests,
	/// The grants.
	Grants,
	/// The requests for which there is no place.
	Places,
}

impl Stage {
	fn next(self) -> Option<Self> {
		use Stage::*;
		match self {
			Datasets => Some(Policies),
			Policies => Some(Records),
			Records => Some(Leaves),
			Leaves => Some(Readers),
			Readers => Some(Requests),
			Requests => Some(Grants),
			Grants => Some(Places),
			Places => None,
		}
	}
}

/// How far a migration has come.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, Debug)]
pub struct Cursor {
	/// Which entries it is at.
	pub stage: Stage,
	/// The storage key of the last of them that is done; empty at the start.
	pub last: Vec<u8>,
}

impl Cursor {
	/// The start of a migration.
	pub(crate) fn start() -> Self {
		Self {
			stage: Stage::Datasets,
			last: Vec::new(),
		}
	}
}

/// Migrates in each block what half a block has room for.
///
/// Until all are done, blocks contain no transactions, the agenda rests, and queries may find entries that
/// they cannot read. The runtime names this type as its `MultiBlockMigrator`.
pub struct Stepped<T>(PhantomData<T>);

impl<T: Config> MultiStepMigrator for Stepped<T> {
	fn ongoing() -> bool {
		Migrating::<T>::exists()
	}

	fn step() -> Weight {
		let Some(mut cursor) = Migrating::<T>::get() else {
			return T::DbWeight::get().reads(1);
		};
		let mut meter = WeightMeter::with_limit(T::BlockWeights::get().max_block / 2);
		meter.consume(T::DbWeight::get().reads_writes(1, 2));
		// The first entry is done even if the meter has no room for it: or nothing would ever be.
		loop {
			meter.consume(Self::weight_of(cursor.stage));
			match Self::next_key(&cursor) {
				Some(key) => {
					Self::migrate(cursor.stage, &key);
					cursor.last = key;
				}
				None => match cursor.stage.next() {
					Some(stage) => {
						cursor = Cursor {
							stage,
							last: Vec::new(),
						}
					}
					None => {
						Migrating::<T>::kill();
						StorageVersion::new(1).put::<Pallet<T>>();
						return meter.consumed();
					}
				},
			}
			if !meter.can_consume(Self::weight_of(cursor.stage)) {
				Migrating::<T>::put(cursor);
				return meter.consumed();
			}
		}
	}
}

impl<T: Config> Stepped<T> {
	/// Returns the maximum cost of finding and migrating one entry.
	fn weight_of(stage: Stage) -> Weight {
		use Stage::*;
		let database = T::DbWeight::get();
		match stage {
			Readers => database.reads_writes(2, 1),
			Datasets => database.reads_writes(2, 2),
			Policies => database.reads_writes(3, 2),
			Records | Leaves => database.reads_writes(3, 1),
			Requests => database.reads_writes(4, 2),
			Grants => database.reads_writes(4, 3),
			Places => database
				.reads(3 + u64::from(MAX_GRANTS_PER_READER))
				.saturating_add(T::WeightInfo::lapse_request()),
		}
	}

	/// Returns the storage key of the next entry of the cursor's stage.
	fn next_key(cursor: &Cursor) -> Option<Vec<u8>> {
		use Stage::*;
		let prefix = match cursor.stage {
			Datasets => crate::Datasets::<T>::final_prefix(),
			Policies => crate::Policies::<T>::final_prefix(),
			Records => crate::Records::<T>::final_prefix(),
			Leaves => crate::Leaves::<T>::final_prefix(),
			Readers => AuthorizationList::<T>::final_prefix(),
			Requests | Places => crate::Requests::<T>::final_prefix(),
			Grants => crate::Grants::<T>::final_prefix(),
		};
		let after = match cursor.last.is_empty() {
			true => &prefix[..],
			false => &cursor.last,
		};
		sp_io::storage::next_key(after).filter(|key| key.starts_with(&prefix))
	}

	fn migrate(stage: Stage, key: &[u8]) {
		match stage {
			Stage::Datasets => rewrite(key, |old| Self::dataset(key, old)),
			Stage::Policies => rewrite(key, |old| Self::policy(key, old)),
			Stage::Records => Self::count_record(key),
			Stage::Leaves => Self::count_leaf(key),
			Stage::Readers => rewrite(key, |grants: v0::ReaderGrants| ReaderEntry {
				grants,
				asked: 0,
			}),
			Stage::Requests => rewrite(key, Self::request),
			Stage::Grants => rewrite(key, Self::grant),
			Stage::Places => Self::close_what_has_no_place(key),
		}
	}
}

/// Replaces an entry. One that cannot be read stays as it is, and the log says so.
fn rewrite<Old: Decode, New: Encode>(key: &[u8], new: impl FnOnce(Old) -> New) {
	if let Some(old) = unhashed::get(key) {
		unhashed::put(key, &new(old));
	}
}

type OldPolicy<T> = v0::StandingPolicy<BalanceOf<T>, BlockNumberFor<T>>;
type OldRequest<T> =
	v0::Request<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;
type OldGrant<T> =
	v0::Grant<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;

/// Returns the owner and the number of the dataset that the storage key of a dataset, policy or leaf begins with.
fn place_of<AccountId: Decode>(key: &[u8]) -> Option<(AccountId, DatasetId)> {
	/// The hashes of the pallet's and the entry's names, and the one before the owner.
	const BEFORE_OWNER: usize = 32 + 16;
	/// The hash before the dataset's number.
	const BEFORE_NUMBER: usize = 8;
	let mut rest = key.get(BEFORE_OWNER..)?;
	let owner = AccountId::decode(&mut rest).ok()?;
	let dataset = DatasetId::decode(&mut rest.get(BEFORE_NUMBER..)?).ok()?;
	Some((owner, dataset))
}

/// Who controls datasets, and what is held for them.
impl<T: Config> Stepped<T> {
	/// Gives a dataset to the account that created it.
	fn dataset(key: &[u8], old: v0::Dataset<BalanceOf<T>>) -> Dataset<BalanceOf<T>> {
		if let Some((owner, id)) = place_of::<T::AccountId>(key) {
			let control = Pallet::<T>::own_control(&owner, old.deposit);
			Controls::<T>::insert(owner, id, control);
		}
		Dataset {
			name: old.name,
			epoch: old.epoch,
			leaves: old.leaves,
			requests: old.requests,
			grants: old.grants,
			closed: false,
			deposit: old.deposit,
		}
	}

	fn policy(key: &[u8], old: OldPolicy<T>) -> StandingPolicy<BalanceOf<T>, BlockNumberFor<T>> {
		if let Some((owner, id)) = place_of::<T::AccountId>(key) {
			Self::count(&owner, id, |held| {
				held.dataset.saturating_accrue(old.deposit)
			});
		}
		StandingPolicy {
			policy: Policy {
				price: old.price,
				firm_price: None,
				longest_range: old.longest_range,
				longest_term: old.longest_term,
				consumers: old.consumers,
				purposes: PurposeCodes::ALL,
			},
			deposit: old.deposit,
			condition: None,
		}
	}

	fn count_record(key: &[u8]) {
		let owner = place_of::<T::AccountId>(key).map(|(owner, _)| owner);
		if let Some((owner, record)) = owner.zip(unhashed::get::<RecordOf<T>>(key)) {
			Self::count(&owner, record.dataset, |held| {
				held.records.saturating_accrue(record.deposit);
			});
		}
	}

	fn count_leaf(key: &[u8]) {
		let place = place_of::<T::AccountId>(key);
		if let Some(((owner, id), leaf)) = place.zip(unhashed::get::<TakenLeaf<BalanceOf<T>>>(key))
		{
			Self::count(&owner, id, |held| {
				held.records.saturating_accrue(leaf.deposit)
			});
		}
	}

	/// Counts a deposit that is held for a dataset.
	fn count(owner: &T::AccountId, id: DatasetId, add: impl FnOnce(&mut Held<BalanceOf<T>>)) {
		Controls::<T>::mutate(owner, id, |stored| {
			if let Some(control) = stored {
				add(&mut control.held);
			}
		});
	}
}

impl<T: Config> Stepped<T> {
	/// Gives an open request a place among its reader's grants.
	fn request(old: OldRequest<T>) -> RequestOf<T> {
		let Scope { dataset, epoch, .. } = old.scope;
		AuthorizationList::<T>::mutate((&old.owner, dataset, epoch, &old.consumer), |entry| {
			entry.asked.saturating_inc();
		});
		// Empty if the consumer has removed its key: then no one can seal an answer, and the request expires.
		let registered = EncryptionKeys::<T>::get(&old.consumer);
		let key = registered.map(|entry| entry.key).unwrap_or_default();
		Request {
			owner: old.owner,
			consumer: old.consumer,
			scope: old.scope,
			purpose: old.purpose,
			// It could not say more than its words.
			code: PurposeCode::Unspecified,
			term: old.term,
			offer: old.offer,
			firm: false,
			key,
			valid_until: old.valid_until,
			deposit: old.deposit,
		}
	}

	/// Keeps a grant's promise. What was paid for it is not known, so nothing could be paid back: if its paid term
	/// is not over, the term is firm, as it was.
	fn grant(old: OldGrant<T>) -> GrantOf<T> {
		let now = frame_system::Pallet::<T>::block_number();
		let grant = Grant {
			depositor: old.owner.clone(),
			owner: old.owner,
			grantee: old.grantee,
			scope: old.scope,
			expiry: old.expiry,
			until: old.until,
			agreement: None,
			code: PurposeCode::Unspecified,
			paid: Zero::zero(),
			paid_from: old.paid_until,
			paid_until: old.paid_until,
			firm: old.paid_until > now,
			state: old.state,
			sealed_keys: old.sealed_keys,
			deposit: old.deposit,
			due: old.due,
			condition: None,
		};
		Pallet::<T>::note_sold(&grant);
		Self::count(&grant.owner, grant.scope.dataset, |held| {
			held.grants.saturating_accrue(grant.deposit);
		});
		grant
	}

	/// Closes a request for which there is no place, because the reader has too many active grants: an active
	/// grant no longer gives way to a new one. Its deposit and offer are released.
	fn close_what_has_no_place(key: &[u8]) {
		// A number's key ends with the number.
		let number = key
			.len()
			.checked_sub(size_of::<RequestId>())
			.and_then(|start| key.get(start..));
		let Some(id) = number.and_then(|mut number| RequestId::decode(&mut number).ok()) else {
			return;
		};
		let Some(request) = Requests::<T>::get(id) else {
			return;
		};
		let Scope { dataset, epoch, .. } = request.scope;
		let reader = (&request.owner, dataset, epoch, &request.consumer);
		let entry = AuthorizationList::<T>::get(reader);
		let taken = (entry.asked as usize).saturating_add(Pallet::<T>::active(&entry));
		if taken > MAX_GRANTS_PER_READER as usize {
			Pallet::<T>::close_request(id, &request);
			Pallet::<T>::deposit_event(Event::RequestLapsed {
				request: id,
				owner: request.owner,
				consumer: request.consumer,
				scope: request.scope,
			});
		}
	}
}
