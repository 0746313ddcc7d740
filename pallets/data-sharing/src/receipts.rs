// SPDX-License-Identifier: Apache-2.0
//! Commits each block's header to the block's data-sharing events, and passes the events on to the node. The
//! formats are those of [`isthmus_sharing::history`].
//!
//! Each event becomes a leaf of a Merkle tree when it is deposited, so its cost is part of the weight of the
//! call that deposits it, and an event that is rolled back leaves no leaf. The end of the block only joins the
//! tree's peaks: at most one hash per level. Both storage entries are removed then, so the state never has them.

use crate::{pallet::*, types::*};
use alloc::{vec, vec::Vec};
use codec::Encode;
use frame_support::storage::unhashed;
use frame_system::Phase;
use isthmus_primitives::digest::{Receipts, RECEIPTS_ENGINE_ID};
use isthmus_sharing::history::{block_key, Entry, Receipt, Subject};
use polkadot_sdk::*;
use sp_io::hashing::sha2_256;
use sp_runtime::{generic::DigestItem, traits::Zero};

/// The phase of the block's execution, with which frame-system labels its events.
#[frame_support::storage_alias]
type ExecutionPhase<T: Config> = StorageValue<frame_system::Pallet<T>, Phase>;

impl<T: Config> Pallet<T> {
	/// Deposits an event, and adds it to the block's receipts.
	pub(crate) fn deposit_event(event: Event<T>) {
		// As frame-system does: the genesis block has no events.
		if !frame_system::Pallet::<T>::block_number().is_zero() {
			let transaction = match ExecutionPhase::<T>::get() {
				Some(Phase::ApplyExtrinsic(index)) => Some(index),
				_ => None,
			};
			let receipt = Receipt {
				transaction,
				event: event.encode(),
			};
			ReceiptTree::<T>::mutate(|tree| tree.push(sha2_256, receipt.leaf(sha2_256)));
			ReceiptEntries::<T>::append(Entry {
				receipt,
				subjects: event.subjects(),
			});
		}
		frame_system::Pallet::<T>::deposit_event(<T as frame_system::Config>::RuntimeEvent::from(
			event,
		));
	}

	/// Puts the root over the block's events into the header's digest, and passes the events on to the node.
	pub(crate) fn seal_receipts() {
		let tree = ReceiptTree::<T>::take();
		let receipts = Receipts {
			// A block cannot hold 2^32 events.
			count: u32::try_from(tree.count()).unwrap_or(u32::MAX),
			root: tree.root(sha2_256).into(),
		};
		let entries = ReceiptEntries::<T>::hashed_key();
		if let Some(events) = unhashed::get_raw(&entries) {
			let parent = frame_system::Pallet::<T>::parent_hash();
			let key = block_key(parent.as_ref(), &receipts.root.0);
			sp_io::offchain_index::set(&key, &events);
			unhashed::kill(&entries);
		}
		frame_system::Pallet::<T>::deposit_log(DigestItem::Consensus(
			RECEIPTS_ENGINE_ID,
			receipts.encode(),
		));
	}
}

/// What an event names.
struct Named<'a, AccountId> {
	owner: &'a AccountId,
	reader: Option<&'a AccountId>,
	/// Who acted for the owner, paid or was paid, or is to control the dataset.
	others: [Option<&'a AccountId>; 2],
	dataset: Option<DatasetId>,
	key: Option<RecordKey>,
}

impl<T: Config> Event<T> {
	/// Returns what the event is about: every account that takes part in it, and its dataset and record.
	fn subjects(&self) -> Vec<Subject<T::AccountId>> {
		let Some(named) = self.named() else {
			return Vec::new();
		};
		let owner = || named.owner.clone();
		let mut subjects = vec![Subject::Account(owner())];
		subjects.extend(
			named
				.dataset
				.map(|dataset| Subject::Dataset(owner(), dataset)),
		);
		subjects.extend(named.key.map(|key| Subject::Record(owner(), key)));
		for account in named.others.into_iter().chain([named.reader]).flatten() {
			let subject = Subject::Account(account.clone());
			if !subjects.contains(&subject) {
				subjects.push(subject);
			}
		}
		if named.reader.is_some() {
			subjects.extend(
				named
					.dataset
					.map(|dataset| Subject::Access(owner(), dataset)),
			);
		}
		subjects
	}

	/// Returns what the event names. The account of an event without an owner stands for the owner.
	#[rustfmt::skip]
	fn named(&self) -> Option<Named<'_, T::AccountId>> {
		use Event::*;
		let named = |owner, reader, dataset: Option<&DatasetId>, key: Option<&RecordKey>| {
			Some(Named { owner, reader, others: [None; 2], dataset: dataset.copied(), key: key.copied() })
		};
		let by = |other, named: Option<_>| named.map(|named| Named { others: [Some(other), None], ..named });
		match self {
			Registered { producer: who, .. }
			| Deregistered { producer: who }
			| EncryptionKeySet { account: who, .. }
			| EncryptionKeyRemoved { account: who } => named(who, None, None, None),
			DatasetCreated { owner, dataset, .. }
			| DatasetRemoved { owner, dataset }
			| EpochStarted { owner, dataset, .. }
			| PolicySet { owner, dataset, .. }
			| PolicyCleared { owner, dataset }
			| DatasetClosed { owner, dataset, .. }
			| LocationsSet { owner, dataset, .. }
			| LeafFreed { owner, dataset, .. } => named(owner, None, Some(dataset), None),
			Stored { owner, dataset, key, .. }
			| ObjectStored { owner, dataset, key, .. }
			| RecordOpened { owner, dataset, key, .. }
			| ChunkStored { owner, dataset, key, .. }
			| RecordCompleted { owner, dataset, key }
			| RecordAbandoned { owner, dataset, key, .. }
			| RecordRemoved { owner, dataset, key } => named(owner, None, Some(dataset), Some(key)),
			Embargoed { owner, key, dataset, by: other, .. }
			| EmbargoLifted { owner, key, dataset, by: other, .. } => {
				by(other, named(owner, None, Some(dataset), Some(key)))
			}
			AccessRequested { owner, consumer: reader, scope, .. }
			| RequestCancelled { owner, consumer: reader, scope, .. }
			| RequestLapsed { owner, consumer: reader, scope, .. }
			| WithdrawalSet { owner, consumer: reader, scope, .. }
			| OfferReleased { owner, consumer: reader, scope, .. }
			| Renounced { owner, grantee: reader, scope, .. }
			| GrantForgotten { owner, grantee: reader, scope, .. }
			| GrantSuspended { owner, grantee: reader, scope, .. }
			| GrantResumed { owner, grantee: reader, scope, .. }
			| GrantExpired { owner, grantee: reader, scope, .. } => {
				named(owner, Some(reader), Some(&scope.dataset), None)
			}
			RequestRejected { owner, consumer: reader, scope, controller, .. }
			| Authorized { owner, grantee: reader, scope, controller, .. }
			| Revoked { owner, grantee: reader, scope, controller, .. }
			| OfferPaid { owner, grantee: reader, scope, controller, .. }
			| DisputeWon { owner, grantee: reader, scope, controller, .. }
			| DisputeLost { owner, grantee: reader, scope, controller, .. } => {
				by(controller, named(owner, Some(reader), Some(&scope.dataset), None))
			}
			DatasetOffered { owner, dataset, from, to }
			| DatasetOfferWithdrawn { owner, dataset, from, to }
			| DatasetAccepted { owner, dataset, from, to, .. } => {
				let others = [Some(from), Some(to)];
				Some(Named { owner, reader: None, others, dataset: Some(*dataset), key: None })
			}
			__Ignore(..) => None,
		}
	}
}
