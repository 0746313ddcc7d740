// SPDX-License-Identifier: Apache-2.0
//! Stores the entries of objects, whose bytes are outside the chain, and the locations where they are.
//!
//! Each dataset has a list of its objects without gaps, so that one of them can be drawn by a number.
//!
//! These functions do not check the origin, because the calls have checked it.

use crate::{pallet::*, types::*};
use alloc::vec::Vec;
use frame_support::{defensive, BoundedVec};
use frame_system::pallet_prelude::BlockNumberFor;
use isthmus_sharing::{location, terms::Footprint, LocationError, Object};
use polkadot_sdk::*;
use sp_runtime::{traits::Zero, ArithmeticError, DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
	/// Stores the entry of an object.
	pub(crate) fn do_store_object(
		owner: T::AccountId,
		place: RecordPlace,
		object: Object,
	) -> DispatchResult {
		object.check().map_err(|_| Error::<T>::ObjectLength)?;
		let entry = Self::check_place(&owner, &place)?;
		let RecordPlace {
			key,
			dataset,
			epoch,
			leaf,
		} = place;
		let (length, root) = (object.length, object.root);
		let payload = Payload::Object {
			object,
			block: frame_system::Pallet::<T>::block_number(),
			ordinal: Self::list_object(&owner, dataset, key)?,
		};
		Self::take_place(&owner, &place, entry, payload)?;
		Self::deposit_event(Event::ObjectStored {
			owner,
			key,
			dataset,
			epoch,
			leaf,
			length,
			root,
		});
		Ok(())
	}

	/// Replaces a dataset's locations; removes them if the list is empty.
	pub(crate) fn do_set_locations(
		owner: T::AccountId,
		dataset: DatasetId,
		locations: Vec<Vec<u8>>,
	) -> DispatchResult {
		Self::own_dataset(&owner, dataset)?;
		let urls = Self::checked_locations(locations)?;
		let old = Locations::<T>::take(&owner, dataset);
		let released = old.map_or_else(Zero::zero, |old| old.deposit);
		let payer = || Payer::Controller(&owner, dataset);
		Self::release_to(HoldReason::Dataset, payer(), released);
		if !urls.is_empty() {
			let length = urls.iter().map(|url| url.len()).sum();
			let deposit = Self::deposit(Footprint::locations(length));
			Self::hold_from(HoldReason::Dataset, payer(), deposit)?;
			let entry = DatasetLocations {
				urls: urls.clone(),
				deposit,
			};
			Locations::<T>::insert(&owner, dataset, entry);
		}
		Self::deposit_event(Event::LocationsSet {
			owner,
			dataset,
			locations: urls,
		});
		Ok(())
	}

	/// Checks the form of each location, their number, and that they differ.
	fn checked_locations(locations: Vec<Vec<u8>>) -> Result<Urls, DispatchError> {
		location::check_list(&locations).map_err(|error| match error {
			LocationError::TooMany => Error::<T>::TooManyLocations,
			LocationError::Twice { .. } => Error::<T>::LocationTwice,
			_ => Error::<T>::LocationInvalid,
		})?;
		let urls: Result<Vec<Url>, _> = locations.into_iter().map(BoundedVec::try_from).collect();
		let urls = urls.map_err(|_| Error::<T>::LocationInvalid)?;
		Ok(urls.try_into().map_err(|_| Error::<T>::TooManyLocations)?)
	}

	/// Adds a record to its dataset's list of objects, and returns its place there.
	fn list_object(
		owner: &T::AccountId,
		dataset: DatasetId,
		key: RecordKey,
	) -> Result<u32, ArithmeticError> {
		let mut objects = ObjectCounts::<T>::get(owner, dataset);
		let ordinal = objects.count;
		objects.count = ordinal.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		if ordinal == 0 {
			objects.since = frame_system::Pallet::<T>::block_number();
		}
		ObjectCounts::<T>::insert(owner, dataset, objects);
		Objects::<T>::insert((owner, dataset, ordinal), key);
		Ok(ordinal)
	}

	/// Removes a place of a dataset's list of objects: the last object of the list takes it.
	pub(crate) fn unlist_object(owner: &T::AccountId, dataset: DatasetId, ordinal: u32) {
		let mut objects = ObjectCounts::<T>::get(owner, dataset);
		objects.count = objects.count.saturating_sub(1);
		let last = objects.count;
		match last {
			0 => ObjectCounts::<T>::remove(owner, dataset),
			_ => ObjectCounts::<T>::insert(owner, dataset, objects),
		}
		let Some(moved) = Objects::<T>::take((owner, dataset, last)) else {
			defensive!("a dataset's list of objects has a gap");
			return;
		};
		if ordinal == last {
			return;
		}
		Objects::<T>::insert((owner, dataset, ordinal), moved);
		Records::<T>::mutate(owner, moved, |record| {
			match record.as_mut().map(|record| &mut record.payload) {
				Some(Payload::Object { ordinal: place, .. }) => *place = ordinal,
				_ => {
					defensive!("the list of objects names a record that is none");
				}
			}
		});
	}

	/// Returns how many objects a dataset has.
	pub fn object_count(owner: &T::AccountId, dataset: DatasetId) -> u32 {
		ObjectCounts::<T>::get(owner, dataset).count
	}

	/// Returns the block in which a dataset's first object was stored since there were none; `None` if there are none.
	pub fn objects_since(owner: &T::AccountId, dataset: DatasetId) -> Option<BlockNumberFor<T>> {
		let objects = ObjectCounts::<T>::get(owner, dataset);
		(objects.count > 0).then_some(objects.since)
	}

	/// Returns the object at a place of a dataset's list, with its record's key and the block in which it was stored;
	/// `None` if the list is shorter.
	pub fn object_at(
		owner: &T::AccountId,
		dataset: DatasetId,
		ordinal: u32,
	) -> Option<(RecordKey, Object, BlockNumberFor<T>)> {
		let key = Objects::<T>::get((owner, dataset, ordinal))?;
		match Records::<T>::get(owner, key)?.payload {
			Payload::Object { object, block, .. } => Some((key, object, block)),
			Payload::Value { .. } | Payload::Chunks { .. } => None,
		}
	}

	/// Returns a dataset's locations.
	pub(crate) fn locations(owner: &T::AccountId, dataset: DatasetId) -> Vec<Vec<u8>> {
		let entry = Locations::<T>::get(owner, dataset);
		let urls = entry.into_iter().flat_map(|entry| entry.urls);
		urls.map(BoundedVec::into_inner).collect()
	}
}
