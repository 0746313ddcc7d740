// SPDX-License-Identifier: Apache-2.0
//! Commits each block's header to the block's data-sharing events, and passes the events on to the node. The
//! formats are those of [`isthmus_sharing::history`].
//!
//! Each event becomes a leaf of a Merkle tree when it is deposited, so its cost is part of the weight of the
//! call that deposits it, and an event that is rolled back leaves no leaf. The end of the block only joins the
//! tree's peaks: at most one hash per level. Both storage entries are removed then, so the state never has them.

use crate::pallet::*;
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

impl<T: Config> Event<T> {
	/// Returns what the event is about: every account that takes part in it, and its dataset and record.
	fn subjects(&self) -> Vec<Subject<T::AccountId>> {
		use Event::*;
		let account = |who: &T::AccountId| Subject::Account(who.clone());
		let dataset = |owner: &T::AccountId, id: &_| {
			vec![account(owner), Subject::Dataset(owner.clone(), *id)]
		};
		let record = |owner: &T::AccountId, id: &_, key: &_| {
			let record = Subject::Record(owner.clone(), *key);
			[dataset(owner, id), vec![record]].concat()
		};
		let access = |owner: &T::AccountId, reader: &_, scope: &crate::Scope| {
			let access = Subject::Access(owner.clone(), scope.dataset);
			[
				dataset(owner, &scope.dataset),
				vec![account(reader), access],
			]
			.concat()
		};
		match self {
			Registered { producer, .. } | Deregistered { producer } => vec![account(producer)],
			EncryptionKeySet { account: who, .. } | EncryptionKeyRemoved { account: who } => {
				vec![account(who)]
			}
			DatasetCreated {
				owner, dataset: id, ..
			}
			| DatasetRemoved { owner, dataset: id }
			| EpochStarted {
				owner, dataset: id, ..
			}
			| PolicySet {
				owner, dataset: id, ..
			}
			| PolicyCleared { owner, dataset: id }
			| LeafFreed {
				owner, dataset: id, ..
			} => dataset(owner, id),
			Stored {
				owner,
				dataset,
				key,
				..
			}
			| RecordOpened {
				owner,
				dataset,
				key,
				..
			}
			| ChunkStored {
				owner,
				dataset,
				key,
				..
			}
			| RecordCompleted {
				owner,
				dataset,
				key,
			}
			| RecordAbandoned {
				owner,
				dataset,
				key,
				..
			}
			| RecordRemoved {
				owner,
				dataset,
				key,
			} => record(owner, dataset, key),
			AccessRequested {
				owner,
				consumer,
				scope,
				..
			}
			| RequestCancelled {
				owner,
				consumer,
				scope,
				..
			}
			| RequestRejected {
				owner,
				consumer,
				scope,
				..
			}
			| RequestLapsed {
				owner,
				consumer,
				scope,
				..
			} => access(owner, consumer, scope),
			Authorized {
				owner,
				grantee,
				scope,
				..
			}
			| Revoked {
				owner,
				grantee,
				scope,
				..
			}
			| GrantExpired {
				owner,
				grantee,
				scope,
				..
			} => access(owner, grantee, scope),
			__Ignore(..) => vec![],
		}
	}
}
