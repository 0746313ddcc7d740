// SPDX-License-Identifier: Apache-2.0
//! Tests `store` both as a transaction's direct call and wrapped in another call, by executing whole
//! blocks.

use crate::{
	mock::{Error, *},
	*,
};
use codec::Encode;
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo};
use polkadot_sdk::*;
use sp_runtime::{
	testing::{Header, UintAuthorityId},
	traits::{DispatchTransaction, Header as _},
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidity},
	DispatchError,
};
use sp_state_machine::IndexOperation;

fn transaction(who: u64, call: impl Into<RuntimeCall>) -> Extrinsic {
	Extrinsic::new_signed(call.into(), who, UintAuthorityId(who), DirectCall::new())
}

fn batch(calls: Vec<SharingCall>) -> RuntimeCall {
	let calls = calls.into_iter().map(Into::into).collect();
	pallet_utility::Call::batch_all { calls }.into()
}

/// What the client indexes: the extrinsic's index, the content hash, and how many bytes at the extrinsic's
/// end.
type Indexed = (u32, Vec<u8>, u32);

/// Executes the transactions in one block on a chain with a dataset. Returns the result of each, and
/// what the client indexes.
fn execute(transactions: &[Extrinsic]) -> (Vec<Result<(), DispatchError>>, Vec<Indexed>) {
	let mut ext = new_test_ext();
	let results = ext.execute_with(|| {
		let header = Header::new(
			2,
			Default::default(),
			Default::default(),
			Default::default(),
			Default::default(),
		);
		Executive::initialize_block(&header);
		for call in school_with_dataset() {
			assert_ok!(Executive::apply_extrinsic(transaction(SCHOOL, call)).unwrap());
		}
		let results = transactions
			.iter()
			.map(|transaction| Executive::apply_extrinsic(transaction.clone()).unwrap())
			.collect();
		assert_eq!(Sharing::do_try_state(), Ok(()));
		results
	});
	let indexed = ext
		.overlayed_changes()
		.transaction_index_ops()
		.iter()
		.map(|operation| match operation {
			IndexOperation::Insert {
				extrinsic,
				hash,
				size,
			} => (*extrinsic, hash.clone(), *size),
			IndexOperation::Renew { .. } => panic!("nothing is renewed"),
		})
		.collect();
	(results, indexed)
}

fn refused() -> Result<(), DispatchError> {
	Err(Error::MustBeDirect.into())
}

#[test]
fn what_is_indexed_is_the_value() {
	let transactions = [transaction(SCHOOL, store(7)), transaction(SCHOOL, store(8))];
	let (results, indexed) = execute(&transactions);
	assert_eq!(results, [Ok(()), Ok(())]);
	assert_eq!(indexed.len(), 2);
	// The block starts with two set-up transactions.
	for (place, (extrinsic, hash, size)) in indexed.iter().enumerate() {
		assert_eq!(*extrinsic as usize, place + 2);
		// Take the value from the end of the extrinsic, as the client's database does.
		let encoded = transactions[place].encode();
		let tail = &encoded[encoded.len() - *size as usize..];
		assert_eq!(tail, [place as u8 + 7; 8]);
		assert_eq!(hash[..], sp_io::hashing::blake2_256(tail));
	}
}

#[test]
fn a_store_for_an_owner_is_indexed_as_any_other() {
	let act_for = |call| SharingCall::act_for {
		owner: SCHOOL,
		call,
	};
	let transactions = [
		transaction(SCHOOL, act_for(Box::new(store(7).into()))),
		transaction(SCHOOL, act_for(Box::new(batch(vec![store(8)])))),
		transaction(SCHOOL, batch(vec![act_for(Box::new(store(9).into()))])),
	];
	let (results, indexed) = execute(&transactions);
	assert_eq!(results, [Ok(()), refused(), refused()]);
	let [(2, hash, size)] = &indexed[..] else {
		panic!("{indexed:?}");
	};
	let encoded = transactions[0].encode();
	let tail = &encoded[encoded.len() - *size as usize..];
	assert_eq!(tail, [7; 8]);
	assert_eq!(hash[..], sp_io::hashing::blake2_256(tail));
}

#[test]
fn a_wrapped_store_is_refused_and_indexes_nothing() {
	let deeper = pallet_utility::Call::as_derivative {
		index: 0,
		call: Box::new(store(7).into()),
	};
	let (results, indexed) = execute(&[
		transaction(SCHOOL, batch(vec![store(7)])),
		transaction(SCHOOL, batch(vec![store(7), store(8)])),
		transaction(SCHOOL, deeper),
	]);
	assert_eq!(results, [refused(), refused(), refused()]);
	assert!(indexed.is_empty());
}

#[test]
fn the_note_of_one_transaction_does_not_serve_another() {
	let unknown = SharingCall::store {
		key: key(7),
		dataset: 9,
		epoch: 0,
		leaf: 7,
		value: vec![1],
	};
	let (results, indexed) = execute(&[
		transaction(SCHOOL, unknown),
		transaction(SCHOOL, batch(vec![store(7)])),
		transaction(SCHOOL, store(8)),
		transaction(SCHOOL, batch(vec![store(9)])),
	]);
	let failed = Err(Error::UnknownDataset.into());
	assert_eq!(results, [failed, refused(), Ok(()), refused()]);
	assert_eq!(
		indexed
			.iter()
			.map(|(extrinsic, ..)| *extrinsic)
			.collect::<Vec<_>>(),
		[4]
	);
}

#[test]
fn a_store_without_the_extension_is_refused() {
	with_dataset(|| {
		assert_noop!(
			Sharing::store(Some(SCHOOL).into(), key(7), 0, 0, 7, vec![1]),
			Error::MustBeDirect
		);
	});
}

#[test]
fn a_store_outside_of_any_transaction_is_refused() {
	with_dataset(|| {
		System::note_finished_extrinsics();
		assert_eq!(System::extrinsic_index(), None);
		assert_noop!(submit(SCHOOL, store(7)), Error::MustBeDirect);
	});
}

#[test]
fn the_values_length_is_paid_for() {
	// Hashing with BLAKE2b-256 takes about 1 ns (1,000 units of `ref_time`) per byte. Require at least half
	// of that.
	let (store, chunk) = (
		|l| weights::SubstrateWeight::<Test>::store(l).ref_time(),
		|l| weights::SubstrateWeight::<Test>::store_chunk(l).ref_time(),
	);
	assert!(store(1 << 20) - store(0) > 500 << 20);
	assert!(chunk(1 << 20) - chunk(0) > 500 << 20);
}

#[test]
fn a_large_records_parts_are_indexed() {
	let large = Large::new(7, 2);
	let transactions =
		[large.open(), large.chunk(0), large.chunk(1)].map(|call| transaction(SCHOOL, call));
	let (results, indexed) = execute(&transactions);
	assert_eq!(results, [Ok(()), Ok(()), Ok(())]);
	let parts = [&large.manifest(), &large.chunks[0], &large.chunks[1]];
	assert_eq!(indexed.len(), parts.len());
	for (((extrinsic, hash, size), part), transaction) in
		indexed.iter().zip(parts).zip(&transactions)
	{
		assert_eq!(*size as usize, part.len());
		assert_eq!(hash[..], sp_io::hashing::blake2_256(part));
		assert!(
			transaction.encode().ends_with(part),
			"extrinsic {extrinsic}"
		);
	}
}

#[test]
fn a_large_records_parts_are_refused_where_they_are_wrapped() {
	let large = Large::new(7, 2);
	let (results, indexed) = execute(&[
		transaction(SCHOOL, batch(vec![large.open()])),
		transaction(SCHOOL, large.open()),
		transaction(SCHOOL, batch(vec![large.chunk(0)])),
		transaction(SCHOOL, large.chunk(0)),
	]);
	assert_eq!(results, [refused(), Ok(()), refused(), Ok(())]);
	assert_eq!(indexed.len(), 2);
}

#[test]
fn the_same_bytes_twice_are_indexed_under_one_name() {
	// The client's database stores bytes with the same hash only once, and counts the references to them.
	let again = |number, leaf| SharingCall::store {
		key: key(number),
		dataset: 0,
		epoch: 0,
		leaf,
		value: vec![5; 8],
	};
	let (results, indexed) = execute(&[
		transaction(SCHOOL, again(1, 1)),
		transaction(SCHOOL, again(2, 2)),
	]);
	assert_eq!(results, [Ok(()), Ok(())]);
	assert_eq!(indexed.len(), 2);
	assert_eq!(indexed[0].1, indexed[1].1);
}

/// Returns what the pool or a block's miner learns about a transaction of the school's.
fn validity(call: SharingCall, source: TransactionSource) -> TransactionValidity {
	let (info, size) = (call.get_dispatch_info(), call.encoded_size());
	let call = RuntimeCall::from(call);
	DirectCall::<Test>::new()
		.validate_only(Some(SCHOOL).into(), &call, &info, size, source, 0)
		.map(|(valid, ..)| valid)
}

fn rejected(error: Error) -> TransactionValidity {
	Err(InvalidTransaction::Custom(error.encode()[0]).into())
}

const POOL: [TransactionSource; 2] = [TransactionSource::External, TransactionSource::Local];
const BLOCK: TransactionSource = TransactionSource::InBlock;

/// Once, a store for an epoch that a revocation had ended was included, so that the revoked reader could open it.
#[test]
fn a_store_that_can_never_succeed_takes_no_place_in_a_block() {
	with_dataset(|| {
		let large = Large::new(9, 2);
		assert_ok!(submit(
			SCHOOL,
			SharingCall::create_dataset {
				name: b"b".to_vec()
			}
		));
		assert_ok!(submit(SCHOOL, SharingCall::start_epoch { dataset: 0 }));
		assert_ok!(submit(SCHOOL, SharingCall::remove_dataset { dataset: 1 }));
		for source in POOL.into_iter().chain([BLOCK]) {
			for late in [store(7), large.open()] {
				assert_eq!(validity(late, source), rejected(Error::NotCurrentEpoch));
			}
			let gone = SharingCall::store {
				key: key(7),
				dataset: 1,
				epoch: 0,
				leaf: 7,
				value: vec![1],
			};
			assert_eq!(validity(gone, source), rejected(Error::UnknownDataset));
		}
		// Transactions before these may create the dataset and start the epoch.
		for (dataset, epoch) in [(0, 1), (0, 2), (2, 0)] {
			let store = SharingCall::store {
				key: key(7),
				dataset,
				epoch,
				leaf: 7,
				value: vec![1],
			};
			for source in POOL.into_iter().chain([BLOCK]) {
				assert_ok!(validity(store.clone(), source));
			}
		}
		// While entries are migrated, the pool judges nothing by them.
		Migrating::<Test>::put(migrations::Cursor {
			stage: migrations::Stage::Datasets,
			last: vec![],
		});
		assert_ok!(validity(store(7), BLOCK));
		Migrating::<Test>::kill();
	});
}

/// Returns a store at a place, of another value than [`store`] has.
fn store_at(number: u8, dataset: DatasetId, epoch: Epoch, leaf: Leaf) -> SharingCall {
	SharingCall::store {
		key: key(number),
		dataset,
		epoch,
		leaf,
		value: vec![0xee; 8],
	}
}

/// Once, the later of two stores at one leaf was included and failed, so that the readers of the leaf could open it.
#[test]
fn a_store_at_a_leaf_that_is_taken_takes_no_place_in_a_block() {
	with_dataset(|| {
		let act_for = |call: SharingCall| SharingCall::act_for {
			owner: SCHOOL,
			call: Box::new(call.into()),
		};
		let manifest = |number, leaf| SharingCall::open_record {
			key: key(number),
			dataset: 0,
			epoch: 0,
			leaf,
			length: 7,
			chunk_size: 4,
			manifest: Large::new(number, 2).manifest(),
		};
		assert_ok!(submit(SCHOOL, store(1)));
		assert_ok!(submit(SCHOOL, Large::new(2, 2).open()));
		assert_ok!(submit(SCHOOL, store_object(3)));
		assert_ok!(submit(SCHOOL, store(4)));
		assert_ok!(submit(SCHOOL, SharingCall::remove_record { key: key(4) }));
		for (late, error) in [
			// By a value, by a manifest whose chunks may never come, by an object, and by what was removed: its key may be with
			// a reader.
			(store_at(9, 0, 0, 1), Error::LeafTaken),
			(store_at(9, 0, 0, 2), Error::LeafTaken),
			(store_at(9, 0, 0, 3), Error::LeafTaken),
			(store_at(9, 0, 0, 4), Error::LeafTaken),
			(store_at(4, 0, 0, 4), Error::LeafTaken),
			(manifest(9, 1), Error::LeafTaken),
			(act_for(store_at(9, 0, 0, 1)), Error::LeafTaken),
			(act_for(manifest(9, 4)), Error::LeafTaken),
			// Another program stored under the same key: the error names what the caller can look at.
			(store_at(1, 0, 0, 1), Error::KeyTaken),
			(manifest(2, 2), Error::KeyTaken),
			(act_for(store_at(3, 0, 0, 3)), Error::KeyTaken),
			// A record elsewhere with the same key may be removed before, but the leaf stays taken.
			(store_at(2, 0, 0, 1), Error::LeafTaken),
		] {
			let code = error.encode()[0];
			for source in POOL.into_iter().chain([BLOCK]) {
				let verdict = validity(late.clone(), source);
				assert_eq!(
					verdict,
					Err(InvalidTransaction::Custom(code).into()),
					"{late:?}"
				);
			}
			assert_noop!(submit(SCHOOL, late), error);
		}
		for free in [
			store_at(9, 0, 0, 5),
			// Transactions before these may start the epoch, create the dataset, and remove the record with the key.
			store_at(9, 0, 1, 1),
			store_at(9, 1, 0, 1),
			store_at(1, 0, 0, 5),
			act_for(manifest(9, 5)),
		] {
			for source in POOL.into_iter().chain([BLOCK]) {
				assert_ok!(validity(free.clone(), source));
			}
		}
	});
}

/// Two machines choose the same leaf before either's record is in a block. The pool has both, and the block's author includes
/// one.
#[test]
fn of_two_stores_at_one_leaf_a_block_takes_the_first() {
	new_test_ext().execute_with(|| {
		let header = Header::new(
			2,
			Default::default(),
			Default::default(),
			Default::default(),
			Default::default(),
		);
		Executive::initialize_block(&header);
		for call in school_with_dataset() {
			assert_ok!(Executive::apply_extrinsic(transaction(SCHOOL, call)).unwrap());
		}
		let (first, second) = (store_at(8, 0, 0, 7), store_at(9, 0, 0, 7));
		for call in [&first, &second] {
			assert_ok!(validity(call.clone(), TransactionSource::External));
		}
		assert_ok!(Executive::apply_extrinsic(transaction(SCHOOL, first)).unwrap());
		// An error of this kind is no outcome of a transaction: a block that has one is not valid.
		assert_eq!(
			Executive::apply_extrinsic(transaction(SCHOOL, second)),
			Err(InvalidTransaction::Custom(Error::LeafTaken.encode()[0]).into())
		);
		assert_eq!(System::extrinsic_index(), Some(3));
		assert_eq!(Sharing::do_try_state(), Ok(()));
	});
}

/// A chunk that the pool takes and no block does would fill all pools, and cost its sender nothing.
#[test]
fn a_chunk_without_a_record_is_taken_by_the_pool_and_by_a_block_and_pays_for_itself() {
	with_dataset(|| {
		let large = Large::new(9, 2);
		for source in POOL.into_iter().chain([BLOCK]) {
			assert_ok!(validity(large.chunk(0), source));
		}
		// It is dispatched, so its fee is paid.
		let refused = submit(SCHOOL, large.chunk(0));
		assert_eq!(refused, Err(Error::UnknownRecord.into()));
	});
}
