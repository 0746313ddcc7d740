// SPDX-License-Identifier: Apache-2.0
//! Tests how records are stored and removed, and the leaves that they take.

use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{assert_noop, assert_ok};
use polkadot_sdk::*;
use sp_core::H256;

fn store_at(key: RecordKey, dataset: DatasetId, epoch: Epoch, leaf: Leaf) -> SharingCall {
	SharingCall::store {
		key,
		dataset,
		epoch,
		leaf,
		value: vec![1],
	}
}

fn store_value(value: Vec<u8>) -> SharingCall {
	SharingCall::store {
		key: key(0),
		dataset: 0,
		epoch: 0,
		leaf: 0,
		value,
	}
}

fn remove(number: u8) -> SharingCall {
	SharingCall::remove_record { key: key(number) }
}

fn free(epoch: Epoch, leaf: Leaf) -> SharingCall {
	SharingCall::free_leaf {
		dataset: 0,
		epoch,
		leaf,
	}
}

#[test]
fn a_record_is_stored() {
	with_dataset(|| {
		System::set_extrinsic_index(3);
		assert_ok!(submit(SCHOOL, store(7)));
		let content_hash = H256(sp_io::hashing::blake2_256(&[7; 8]));
		let payload = Payload::Value {
			content_hash,
			length: 8,
			block: 1,
			extrinsic: 3,
		};
		assert_eq!(
			Records::<Test>::get(SCHOOL, key(7)),
			Some(Record {
				dataset: 0,
				epoch: 0,
				leaf: 7,
				payload,
				deposit: PER_ITEM
			})
		);
		assert_eq!(
			Leaves::<Test>::get((SCHOOL, 0, 0, 7)),
			Some(TakenLeaf {
				by: LeafUse::Record(key(7)),
				deposit: PER_ITEM
			})
		);
		assert_eq!(held(HoldReason::Record, SCHOOL), 2 * PER_ITEM);
		assert_eq!(
			last_event(),
			SharingEvent::Stored {
				owner: SCHOOL,
				key: key(7),
				dataset: 0,
				epoch: 0,
				leaf: 7,
				content_hash,
				length: 8,
			}
		);
	});
}

#[test]
fn a_bad_store_is_refused() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		assert_noop!(submit(STRANGER, store(8)), Error::NotRegistered);
		let register = SharingCall::register {
			kind: ProducerKind::Other,
			name: b"Other".to_vec(),
		};
		assert_ok!(submit(STRANGER, register));
		assert_noop!(submit(STRANGER, store(8)), Error::UnknownDataset);
		assert_noop!(
			submit(SCHOOL, store_at(key(8), 1, 0, 8)),
			Error::UnknownDataset
		);
		assert_noop!(
			submit(SCHOOL, store_at(key(8), 0, 1, 8)),
			Error::NotCurrentEpoch
		);
		assert_noop!(submit(SCHOOL, store_at(key(7), 0, 0, 8)), Error::KeyTaken);
		assert_noop!(submit(SCHOOL, store_at(key(8), 0, 0, 7)), Error::LeafTaken);
		assert_noop!(submit(SCHOOL, store_value(vec![])), Error::EmptyValue);
		let too_long = vec![0; MAX_VALUE as usize + 1];
		assert_noop!(submit(SCHOOL, store_value(too_long)), Error::ValueTooLong);
		assert_ok!(submit(SCHOOL, store_value(vec![0; MAX_VALUE as usize])));
		assert_ok!(submit(SCHOOL, store_at(key(8), 0, 0, Leaf::MAX)));
	});
}

#[test]
fn two_owners_may_use_the_same_key_and_leaf() {
	with_dataset(|| {
		for call in [
			SharingCall::register {
				kind: ProducerKind::Government,
				name: b"Office".to_vec(),
			},
			SharingCall::create_dataset {
				name: b"grades".to_vec(),
			},
			store(7),
		] {
			assert_ok!(submit(OFFICE, call));
		}
		assert_ok!(submit(SCHOOL, store(7)));
	});
}

#[test]
fn a_removed_record_leaves_its_leaf_spent_until_the_epoch_is_over() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		assert_noop!(submit(SCHOOL, remove(8)), Error::UnknownRecord);
		assert_noop!(submit(STRANGER, remove(7)), Error::UnknownRecord);
		assert_noop!(submit(SCHOOL, free(0, 7)), Error::LeafInUse);
		assert_ok!(submit(SCHOOL, remove(7)));
		assert_eq!(
			last_event(),
			SharingEvent::RecordRemoved {
				owner: SCHOOL,
				key: key(7),
				dataset: 0,
			}
		);
		assert_eq!(held(HoldReason::Record, SCHOOL), PER_ITEM);

		// The key can be used again, but the leaf cannot.
		assert_noop!(submit(SCHOOL, store(7)), Error::LeafTaken);
		assert_ok!(submit(SCHOOL, store_at(key(7), 0, 0, 8)));

		assert_noop!(submit(SCHOOL, free(0, 7)), Error::EpochNotOver);
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		assert_noop!(submit(STRANGER, free(0, 7)), Error::NotRegistered);
		assert_noop!(submit(SCHOOL, free(0, 6)), Error::LeafNotTaken);
		assert_ok!(submit(SCHOOL, free(0, 7)));
		let event = SharingEvent::LeafFreed {
			owner: SCHOOL,
			dataset: 0,
			epoch: 0,
			leaf: 7,
		};
		assert_eq!(last_event(), event);
		assert_noop!(submit(SCHOOL, free(0, 7)), Error::LeafNotTaken);
		assert_eq!(held(HoldReason::Record, SCHOOL), 2 * PER_ITEM);
	});
}

#[test]
fn a_record_of_an_epoch_that_is_over_goes_with_its_leaf() {
	with_dataset(|| {
		assert_ok!(submit(SCHOOL, store(7)));
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		let dataset = SharingCall::remove_dataset { dataset: 0 };
		assert_noop!(submit(SCHOOL, dataset.clone()), Error::DatasetInUse);
		assert_ok!(submit(SCHOOL, remove(7)));
		assert_eq!(Leaves::<Test>::get((SCHOOL, 0, 0, 7)), None);
		assert_eq!(held(HoldReason::Record, SCHOOL), 0);
		assert_noop!(submit(SCHOOL, store(7)), Error::NotCurrentEpoch);
		// The same leaf number in the new epoch is a different leaf.
		assert_ok!(submit(SCHOOL, store_at(key(7), 0, 1, 7)));
		assert_ok!(submit(SCHOOL, remove(7)));
		assert_noop!(submit(SCHOOL, dataset), Error::DatasetInUse);
	});
}
