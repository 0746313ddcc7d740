// SPDX-License-Identifier: Apache-2.0
//! Tests producers, encryption keys and datasets.

use crate::{
	mock::{Error, *},
	*,
};
use frame_support::{assert_noop, assert_ok};
use isthmus_sharing::terms::MAX_NAME_SIZE;
use polkadot_sdk::*;
use sp_runtime::TokenError;

/// The deposit for the count of an account's datasets.
const COUNTER: u64 = PER_ITEM;

fn register(name: &[u8]) -> SharingCall {
	SharingCall::register {
		kind: ProducerKind::Business,
		name: name.to_vec(),
	}
}

fn create(name: &[u8]) -> SharingCall {
	SharingCall::create_dataset {
		name: name.to_vec(),
	}
}

#[test]
fn a_producer_joins_and_leaves() {
	on_chain(|| {
		assert_ok!(submit(OFFICE, register(b"Office")));
		assert_eq!(
			Producers::<Test>::get(OFFICE),
			Some(Producer {
				kind: ProducerKind::Business,
				name: b"Office".to_vec().try_into().unwrap(),
				datasets: 0,
				deposit: PER_ITEM + 6,
			})
		);
		assert_eq!(held(HoldReason::Producer, OFFICE), PER_ITEM + 6);
		assert_noop!(submit(OFFICE, register(b"Again")), Error::AlreadyRegistered);

		assert_ok!(submit(OFFICE, SharingCall::deregister {}));
		assert_eq!(
			last_event(),
			SharingEvent::Deregistered { producer: OFFICE }
		);
		assert_eq!(Balances::free_balance(OFFICE), WEALTH);
		assert_noop!(
			submit(OFFICE, SharingCall::deregister {}),
			Error::NotRegistered
		);
	});
}

#[test]
fn a_verifier_stays_a_producer() {
	on_chain(|| {
		assert_ok!(submit(OFFICE, register(b"Office")));
		Verifiers::set(vec![OFFICE]);
		assert_noop!(
			submit(OFFICE, SharingCall::deregister {}),
			Error::ProducerIsVerifier
		);
		Verifiers::set(vec![]);
		assert_ok!(submit(OFFICE, SharingCall::deregister {}));
	});
}

#[test]
fn a_name_is_text_within_bounds() {
	on_chain(|| {
		let longest = [b'x'; MAX_NAME_SIZE as usize];
		let too_long = [b'x'; MAX_NAME_SIZE as usize + 1];
		assert_noop!(submit(OFFICE, register(b"")), Error::NameEmpty);
		assert_noop!(submit(OFFICE, register(&too_long)), Error::NameTooLong);
		assert_noop!(submit(OFFICE, register(&[0xff])), Error::NotText);
		assert_noop!(submit(OFFICE, register(b"\x1b[2J")), Error::NotText);
		for deceives in ["\u{202e}loohcs", "sch\u{200b}ool", "school\u{feff}"] {
			let name = register(deceives.as_bytes());
			assert_noop!(submit(OFFICE, name), Error::NotText);
		}
		for spaces in [" school", "school ", "high  school", "high\u{a0}school"] {
			let name = register(spaces.as_bytes());
			assert_noop!(submit(OFFICE, name), Error::NameSpaces);
		}
		assert_ok!(submit(OFFICE, register(&longest)));
		assert_noop!(submit(OFFICE, create(b"")), Error::NameEmpty);
		assert_noop!(submit(OFFICE, create(&too_long)), Error::NameTooLong);
		assert_noop!(submit(OFFICE, create(b"a\nb")), Error::NotText);
		assert_ok!(submit(OFFICE, create("Zählung 東京, No. 1".as_bytes())));
	});
}

#[test]
fn a_deposit_must_be_affordable() {
	on_chain(|| {
		assert_noop!(
			submit(PAUPER, register(b"Poor")),
			TokenError::FundsUnavailable
		);
		let key = vec![0; 34];
		assert_noop!(
			submit(PAUPER, SharingCall::set_encryption_key { key }),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn an_encryption_key_is_set_replaced_and_removed() {
	on_chain(|| {
		let set = |key: &[u8]| SharingCall::set_encryption_key { key: key.to_vec() };
		assert_noop!(submit(COMPANY, set(&[7; 33])), Error::EncryptionKeyTooShort);
		assert_noop!(
			submit(COMPANY, set(&[7; 2049])),
			Error::EncryptionKeyTooLong
		);
		assert_ok!(submit(COMPANY, set(&[7; 34])));
		assert_eq!(held(HoldReason::EncryptionKey, COMPANY), PER_ITEM + 34);

		assert_ok!(submit(COMPANY, set(&[8; 2048])));
		let longest: EncryptionKey = vec![8; 2048].try_into().unwrap();
		assert_eq!(EncryptionKeys::<Test>::get(COMPANY).unwrap().key, longest);
		assert_eq!(held(HoldReason::EncryptionKey, COMPANY), PER_ITEM + 2048);
		let event = SharingEvent::EncryptionKeySet {
			account: COMPANY,
			key: longest,
		};
		assert_eq!(last_event(), event);

		assert_ok!(submit(COMPANY, SharingCall::remove_encryption_key {}));
		assert_eq!(
			last_event(),
			SharingEvent::EncryptionKeyRemoved { account: COMPANY }
		);
		assert_eq!(Balances::free_balance(COMPANY), WEALTH);
		assert_noop!(
			submit(COMPANY, SharingCall::remove_encryption_key {}),
			Error::NoEncryptionKey
		);
	});
}

#[test]
fn a_key_that_cannot_be_paid_for_leaves_the_old_one() {
	on_chain(|| {
		assert_ok!(Balances::force_set_balance(
			frame_system::RawOrigin::Root.into(),
			PAUPER,
			500
		));
		assert_ok!(submit(
			PAUPER,
			SharingCall::set_encryption_key { key: vec![1; 34] }
		));
		let key = vec![2; 2048];
		assert_noop!(
			submit(PAUPER, SharingCall::set_encryption_key { key }),
			TokenError::FundsUnavailable
		);
	});
}

#[test]
fn datasets_are_numbered_named_and_removed() {
	on_chain(|| {
		assert_noop!(submit(OFFICE, create(b"taxes")), Error::NotRegistered);
		assert_ok!(submit(OFFICE, register(b"Office")));
		assert_ok!(submit(OFFICE, create(b"taxes")));
		assert_eq!(
			held(HoldReason::Dataset, OFFICE),
			COUNTER + 4 * PER_ITEM + 2 * 5
		);
		assert_ok!(submit(OFFICE, create(b"births")));
		let both = 8 * PER_ITEM + 2 * (5 + 6);
		assert_eq!(held(HoldReason::Dataset, OFFICE), COUNTER + both);
		assert_noop!(submit(OFFICE, create(b"taxes")), Error::DatasetNameTaken);
		let births: Name = b"births".to_vec().try_into().unwrap();
		assert_eq!(DatasetNames::<Test>::get(OFFICE, &births), Some(1));
		assert_eq!(
			Datasets::<Test>::get(OFFICE, 1),
			Some(Dataset {
				name: births,
				epoch: 0,
				leaves: 0,
				requests: 0,
				grants: 0,
				closed: false,
				deposit: 4 * PER_ITEM + 2 * 6,
			})
		);
		assert_noop!(
			submit(OFFICE, SharingCall::deregister {}),
			Error::ProducerHasDatasets
		);

		let remove = |dataset| SharingCall::remove_dataset { dataset };
		assert_noop!(submit(STRANGER, remove(0)), Error::NotRegistered);
		assert_noop!(submit(OFFICE, remove(2)), Error::UnknownDataset);
		assert_ok!(submit(OFFICE, remove(0)));
		assert_eq!(
			last_event(),
			SharingEvent::DatasetRemoved {
				owner: OFFICE,
				dataset: 0
			}
		);
		assert_ok!(submit(OFFICE, remove(1)));
		assert_eq!(held(HoldReason::Dataset, OFFICE), COUNTER);
	});
}

#[test]
fn a_dataset_number_is_never_used_twice() {
	on_chain(|| {
		for number in 0..3 {
			assert_ok!(submit(OFFICE, register(b"Office")));
			assert_ok!(submit(OFFICE, create(b"taxes")));
			assert!(Datasets::<Test>::contains_key(OFFICE, number));
			assert_ok!(submit(
				OFFICE,
				SharingCall::remove_dataset { dataset: number }
			));
			assert_ok!(submit(OFFICE, SharingCall::deregister {}));
			// The count and its single deposit stay.
			assert_eq!(Balances::reserved_balance(OFFICE), COUNTER);
		}
		assert_ok!(submit(OFFICE, register(b"Office")));
		NextDataset::<Test>::mutate(OFFICE, |counter| {
			counter.as_mut().unwrap().next = DatasetId::MAX;
		});
		assert_noop!(submit(OFFICE, create(b"taxes")), Error::DatasetsExhausted);
	});
}

#[test]
fn a_first_dataset_that_cannot_be_paid_for_is_not_counted() {
	on_chain(|| {
		// This is enough for the producer, the count and an account's minimum balance, but not for the
		// dataset.
		let root = frame_system::RawOrigin::Root;
		let balance = PER_ITEM + 6 + COUNTER + 1;
		assert_ok!(Balances::force_set_balance(root.into(), OFFICE, balance));
		assert_ok!(submit(OFFICE, register(b"Office")));
		assert_noop!(
			submit(OFFICE, create(b"taxes")),
			TokenError::FundsUnavailable
		);
		assert_eq!(NextDataset::<Test>::get(OFFICE), None);
	});
}

#[test]
fn an_owner_starts_an_epoch() {
	with_dataset(|| {
		let start = |dataset| SharingCall::start_epoch { dataset };
		assert_noop!(submit(STRANGER, start(0)), Error::NotRegistered);
		assert_noop!(submit(SCHOOL, start(1)), Error::UnknownDataset);
		assert_ok!(submit(SCHOOL, start(0)));
		let event = SharingEvent::EpochStarted {
			owner: SCHOOL,
			dataset: 0,
			epoch: 1,
		};
		assert_eq!(last_event(), event);
		Datasets::<Test>::mutate(SCHOOL, 0, |dataset| {
			dataset.as_mut().unwrap().epoch = Epoch::MAX;
		});
		assert_noop!(submit(SCHOOL, start(0)), Error::EpochsExhausted);
	});
}
