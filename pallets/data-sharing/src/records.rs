// SPDX-License-Identifier: Apache-2.0
//! Stores values, whole or in chunks, and removes records. [`objects`](crate::objects) stores what is outside the chain.
//!
//! These functions do not check the origin, because the calls have checked it.

use crate::{pallet::*, types::*, weights::WeightInfo};
use frame_support::{ensure, traits::Get, weights::Weight};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_sharing::{
	chunk_count, chunk_length,
	manifest::verify_chunk,
	terms::{Footprint, MAX_CHUNKS},
	Manifest, ManifestError,
};
use polkadot_sdk::*;
use sp_core::H256;
use sp_io::hashing::sha2_256;
use sp_runtime::{traits::Saturating, DispatchError, DispatchResult};

/// The last bytes of a transaction, which the client will index: the last argument of its own call.
struct Tail {
	/// The transaction's index in the block.
	extrinsic: u32,
	/// The length of the bytes.
	length: u32,
	/// The BLAKE2b-256 hash of the bytes.
	content_hash: H256,
}

impl Tail {
	/// Tells the client to index the bytes. The client does not undo this if the call fails, so call it
	/// after everything that can fail.
	fn index(&self) {
		sp_io::transaction_index::index(self.extrinsic, self.length, self.content_hash.0);
	}
}

impl<T: Config> Pallet<T> {
	/// Stores a value that fits in one transaction.
	pub(crate) fn do_store(
		owner: T::AccountId,
		place: RecordPlace,
		value: &[u8],
	) -> DispatchResult {
		let tail = Self::tail(value)?;
		let Tail {
			extrinsic,
			length,
			content_hash,
		} = tail;
		let dataset = Self::check_place(&owner, &place)?;
		let payload = Payload::Value {
			content_hash,
			length,
			block: frame_system::Pallet::<T>::block_number(),
			extrinsic,
		};
		Self::take_place(&owner, &place, dataset, payload)?;
		let RecordPlace {
			key,
			dataset,
			epoch,
			leaf,
		} = place;
		Self::deposit_event(Event::Stored {
			owner,
			key,
			dataset,
			epoch,
			leaf,
			content_hash,
			length,
		});
		tail.index();
		Ok(())
	}

	/// Stores the manifest of a large value.
	pub(crate) fn do_open_record(
		owner: T::AccountId,
		place: RecordPlace,
		length: u64,
		chunk_size: u32,
		manifest: &[u8],
	) -> DispatchResult {
		let tail = Self::tail(manifest)?;
		ensure!(length > 0, Error::<T>::EmptyValue);
		ensure!(
			(1..=T::MaxValueSize::get()).contains(&chunk_size),
			Error::<T>::ChunkSizeInvalid
		);
		let chunks = chunk_count(length, chunk_size)
			.filter(|chunks| *chunks <= MAX_CHUNKS)
			.ok_or(Error::<T>::TooManyChunks)?;
		let read = Manifest::read(manifest, chunks).map_err(|error| match error {
			ManifestError::UnknownVersion => Error::<T>::ManifestUnknown,
			ManifestError::WrongLength => Error::<T>::ManifestLength,
		})?;
		let dataset = Self::check_place(&owner, &place)?;
		let block = frame_system::Pallet::<T>::block_number();
		let payload = Payload::Chunks {
			manifest: tail.content_hash,
			root: read.root(sha2_256).into(),
			length,
			chunk_size,
			arrived: 0,
			block,
			extrinsic: tail.extrinsic,
			last_block: block,
		};
		Self::take_place(&owner, &place, dataset, payload)?;
		let RecordPlace {
			key,
			dataset,
			epoch,
			leaf,
		} = place;
		Self::deposit_event(Event::RecordOpened {
			owner,
			key,
			dataset,
			epoch,
			leaf,
			manifest: tail.content_hash,
			length,
			chunks,
		});
		tail.index();
		Ok(())
	}

	/// Stores the next chunk of a large value.
	pub(crate) fn do_store_chunk(
		owner: T::AccountId,
		key: RecordKey,
		index: u32,
		proof: &[H256],
		bytes: &[u8],
	) -> DispatchResult {
		let tail = Self::tail(bytes)?;
		let mut record = Records::<T>::get(&owner, key).ok_or(Error::<T>::UnknownRecord)?;
		let chunks = record.payload.chunks();
		let Payload::Chunks {
			root,
			length,
			chunk_size,
			arrived,
			last_block,
			..
		} = &mut record.payload
		else {
			return Err(Error::<T>::RecordComplete.into());
		};
		ensure!(*arrived < chunks, Error::<T>::RecordComplete);
		ensure!(index == *arrived, Error::<T>::NotNextChunk);
		ensure!(
			u64::from(tail.length) == chunk_length(*length, *chunk_size, index),
			Error::<T>::ChunkLength
		);
		ensure!(
			verify_chunk(
				sha2_256,
				&root.0,
				chunks,
				index,
				&tail.content_hash.0,
				proof.iter().map(|neighbour| &neighbour.0),
			)
			.is_ok(),
			Error::<T>::ChunkNotInManifest
		);
		arrived.saturating_inc();
		*last_block = frame_system::Pallet::<T>::block_number();
		let complete = *arrived == chunks;
		let dataset = record.dataset;
		Records::<T>::insert(&owner, key, record);
		Self::deposit_event(Event::ChunkStored {
			owner: owner.clone(),
			key,
			dataset,
			index,
			content_hash: tail.content_hash,
		});
		if complete {
			Self::deposit_event(Event::RecordCompleted {
				owner,
				key,
				dataset,
			});
		}
		tail.index();
		Ok(())
	}

	/// Removes a record, complete or not, and the embargo on it, if there is one. The cost does not depend on the record's
	/// size. Returns the weight of that.
	pub(crate) fn do_remove_record(
		owner: T::AccountId,
		key: RecordKey,
	) -> Result<Weight, DispatchError> {
		let record = Records::<T>::get(&owner, key).ok_or(Error::<T>::UnknownRecord)?;
		ensure!(
			!Self::is_paid_for(&owner, &record) && !Self::is_evidence(&owner, &record),
			Error::<T>::RecordPaidFor
		);
		let mut dataset = Self::own_dataset(&owner, record.dataset)?;
		let place = (&owner, record.dataset, record.epoch, record.leaf);
		let mut leaf = Leaves::<T>::get(place).ok_or(Error::<T>::LeafNotTaken)?;
		let mut back = record.deposit;
		if record.epoch < dataset.epoch {
			back = back.saturating_add(leaf.deposit);
			Leaves::<T>::remove(place);
			dataset.leaves = dataset.leaves.saturating_sub(1);
			Datasets::<T>::insert(&owner, record.dataset, dataset);
		} else {
			leaf.by = LeafUse::Spent;
			Leaves::<T>::insert(place, leaf);
		}
		Records::<T>::remove(&owner, key);
		if let Payload::Object { ordinal, .. } = record.payload {
			Self::unlist_object(&owner, record.dataset, ordinal);
		}
		let payer = Payer::Controller(&owner, record.dataset);
		Self::release_to(HoldReason::Record, payer, back);
		let set_by = Self::drop_trigger(&Target::Record {
			owner: owner.clone(),
			dataset: record.dataset,
			key,
		});
		let was_embargoed = set_by.is_some();
		if let Some(by) = set_by {
			Self::deposit_event(Event::EmbargoLifted {
				owner: owner.clone(),
				key,
				met: false,
				dataset: record.dataset,
				by,
			});
		}
		Self::deposit_event(if record.payload.is_complete() {
			Event::RecordRemoved {
				owner,
				key,
				dataset: record.dataset,
			}
		} else {
			Event::RecordAbandoned {
				owner,
				key,
				dataset: record.dataset,
				arrived: record.payload.arrived(),
			}
		});
		let weight = match record.payload {
			Payload::Object { .. } => T::WeightInfo::remove_object(),
			Payload::Value { .. } | Payload::Chunks { .. } => T::WeightInfo::remove_record(),
		};
		Ok(match was_embargoed {
			true => weight.saturating_add(Self::weight_of_lifting()),
			false => weight,
		})
	}

	/// Returns the transaction's tail. Takes the note that this is the transaction's own call, and fails
	/// without it (see [`crate::extension`]).
	fn tail(bytes: &[u8]) -> Result<Tail, Error<T>> {
		DirectStore::<T>::take().ok_or(Error::<T>::MustBeDirect)?;
		let extrinsic =
			frame_system::Pallet::<T>::extrinsic_index().ok_or(Error::<T>::MustBeDirect)?;
		let length = Self::len(bytes);
		ensure!(length > 0, Error::<T>::EmptyValue);
		ensure!(length <= T::MaxValueSize::get(), Error::<T>::ValueTooLong);
		Ok(Tail {
			extrinsic,
			length,
			content_hash: sp_io::hashing::blake2_256(bytes).into(),
		})
	}

	/// Checks that a transaction's own call can still succeed, now or after other transactions of its account.
	///
	/// The pool and a block answer alike. What a pool keeps and no block takes would fill it without paying.
	pub(crate) fn check_in_time(owner: &T::AccountId, call: &Call<T>) -> Result<(), Error<T>> {
		if Migrating::<T>::exists() {
			return Ok(());
		}
		let (Call::store {
			key,
			dataset,
			epoch,
			leaf,
			..
		}
		| Call::open_record {
			key,
			dataset,
			epoch,
			leaf,
			..
		}) = call
		else {
			return Ok(());
		};
		let Some(entry) = Datasets::<T>::get(owner, dataset) else {
			// A number that was used does not come back. A dataset that is yet to be created has no leaves.
			let next = NextDataset::<T>::get(owner).map_or(0, |counter| counter.next);
			ensure!(*dataset >= next, Error::<T>::UnknownDataset);
			return Ok(());
		};
		// The epoch does not come back.
		ensure!(*epoch >= entry.epoch, Error::<T>::NotCurrentEpoch);
		// Nor does a leaf, before its epoch is over.
		match Leaves::<T>::get((owner, dataset, epoch, leaf)).map(|taken| taken.by) {
			None => Ok(()),
			Some(LeafUse::Record(by)) if by == *key => Err(Error::KeyTaken),
			Some(_) => Err(Error::LeafTaken),
		}
	}

	/// Checks that a place is free, and returns its dataset. An embargo keeps its key for its dataset.
	pub(crate) fn check_place(
		owner: &T::AccountId,
		place: &RecordPlace,
	) -> Result<Dataset<BalanceOf<T>>, Error<T>> {
		let dataset = Self::own_dataset(owner, place.dataset)?;
		ensure!(place.epoch == dataset.epoch, Error::<T>::NotCurrentEpoch);
		ensure!(
			!Records::<T>::contains_key(owner, place.key),
			Error::<T>::KeyTaken
		);
		ensure!(
			Self::embargo_on(owner, &place.key).is_none_or(|(of, _)| of == place.dataset),
			Error::<T>::KeyTaken
		);
		ensure!(
			!Leaves::<T>::contains_key((owner, place.dataset, place.epoch, place.leaf)),
			Error::<T>::LeafTaken
		);
		Ok(dataset)
	}

	/// Returns the weight of looking for an embargo on a key.
	pub(crate) fn weight_of_embargo_on() -> Weight {
		T::DbWeight::get().reads(2)
	}

	/// Writes a record to a free place.
	pub(crate) fn take_place(
		owner: &T::AccountId,
		place: &RecordPlace,
		mut entry: Dataset<BalanceOf<T>>,
		payload: Payload<BlockNumberFor<T>>,
	) -> DispatchResult {
		let RecordPlace {
			key,
			dataset,
			epoch,
			leaf,
		} = *place;
		let for_leaf = Self::deposit(Footprint::ENTRY);
		let deposit = Self::deposit(match payload {
			Payload::Value { .. } | Payload::Chunks { .. } => Footprint::ENTRY,
			Payload::Object { .. } => Footprint::OBJECT,
		});
		let payer = Payer::Controller(owner, dataset);
		Self::hold_from(HoldReason::Record, payer, deposit.saturating_add(for_leaf))?;
		let record = Record {
			dataset,
			epoch,
			leaf,
			payload,
			deposit,
		};
		Records::<T>::insert(owner, key, record);
		let by = LeafUse::Record(key);
		let taken = TakenLeaf {
			by,
			deposit: for_leaf,
		};
		Leaves::<T>::insert((owner, dataset, epoch, leaf), taken);
		entry.leaves = entry.leaves.saturating_add(1);
		Datasets::<T>::insert(owner, dataset, entry);
		Ok(())
	}
}
