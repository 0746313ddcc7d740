// SPDX-License-Identifier: Apache-2.0
//! Tests keepers in the whole runtime: with the objects of data sharing, and with the hashes of this chain's blocks.

use super::*;
use crate::{Keepers, BLOCK_WEIGHT_SECONDS};
use frame_support::weights::constants::WEIGHT_REF_TIME_PER_SECOND;
use isthmus_primitives::params::{GAS_PER_BYTE, REF_TIME_PER_GAS};
use isthmus_sharing::{object::HEADER_SIZE, Object, ProducerKind};
use isthmus_storage_proof::{group, prove, root, Proof, Value, GROUP};
use pallet_data_sharing::Call as Sharing;
use pallet_keepers::{Call, WeightInfo};
use sp_keyring::Sr25519Keyring::Charlie;

/// The number of blocks in a period of the development preset.
const BLOCKS: u32 = 20;

fn bytes() -> Vec<u8> {
	(0..(2u32 << 20) + 100)
		.map(|at| (at.wrapping_mul(2_654_435_761) >> 9) as u8)
		.collect()
}

fn groups(bytes: &[u8]) -> Vec<Value> {
	let groups = (0..).zip(bytes.chunks(GROUP as usize));
	groups
		.map(|(number, bytes)| group(number, false, bytes))
		.collect()
}

/// Alice has a dataset with one object, and Bob keeps it.
fn begin(chain: &mut Chain, bytes: &[u8]) {
	let groups = groups(bytes);
	let object = Object {
		header: [7; HEADER_SIZE],
		length: bytes.len() as u64,
		root: root(&groups).expect("there are groups").into(),
	};
	let owner = Alice.to_account_id();
	let (kind, name) = (ProducerKind::School, b"A school".to_vec());
	let register = Sharing::register { kind, name };
	let create = Sharing::create_dataset {
		name: b"genomes".to_vec(),
	};
	let store = Sharing::store_object {
		key: Hash::repeat_byte(1),
		dataset: 0,
		epoch: 0,
		leaf: 0,
		object,
	};
	let fund = Call::fund {
		owner: owner.clone(),
		dataset: 0,
		amount: 100 * UNIT,
	};
	let keep = Call::keep {
		owner,
		dataset: 0,
		location: b"s3://bob/copy".to_vec().try_into().expect("it is short"),
	};
	let calls: [(Sr25519Keyring, RuntimeCall); 5] = [
		(Alice, register.into()),
		(Alice, create.into()),
		(Alice, store.into()),
		(Charlie, fund.into()),
		(Bob, keep.into()),
	];
	for (signer, call) in calls {
		chain.mine(vec![(signer, call)]);
		assert_eq!(last_error(), None);
	}
}

fn to_block(chain: &mut Chain, number: u32) {
	while System::block_number() < number {
		chain.mine(vec![]);
	}
}

fn drawn() -> Option<(u32, u64)> {
	drawn_of(0)
}

/// Returns what is drawn for Bob from a dataset of Alice's.
fn drawn_of(dataset: u32) -> Option<(u32, u64)> {
	let owner = Alice.to_account_id();
	Keepers::drawn(owner, dataset, Bob.to_account_id())
}

fn proof(bytes: &[u8], index: u64) -> RuntimeCall {
	proof_of(0, bytes, &groups(bytes), index)
}

/// Proves a piece of the only object of a dataset of Alice's.
fn proof_of(dataset: u32, bytes: &[u8], groups: &[Value], index: u64) -> RuntimeCall {
	let mib = bytes.chunks(GROUP as usize).nth((index >> 10) as usize);
	let Proof { piece, path } =
		prove(index, mib.expect("it is there"), groups).expect("it is there");
	let path: Vec<_> = path.into_iter().map(Hash::from).collect();
	Call::prove {
		owner: Alice.to_account_id(),
		dataset,
		piece: piece.try_into().expect("it is short"),
		path: path.try_into().expect("it is short"),
	}
	.into()
}

#[test]
fn a_keeper_proves_an_object_of_data_sharing_and_is_paid() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let bytes = bytes();
		begin(chain, &bytes);
		for period in 1..4 {
			to_block(chain, period * BLOCKS);
			let (place, index) = drawn().expect("it is due");
			assert_eq!(place, 0);
			// What was drawn stays the same in the period.
			chain.mine(vec![]);
			assert_eq!(drawn(), Some((place, index)));
			let mut lost = bytes.clone();
			lost[(index as usize) << 10] ^= 1;
			chain.mine(vec![(Bob, proof(&lost, index))]);
			assert_eq!(
				last_error(),
				Some(pallet_keepers::Error::<Runtime>::ProofWrong.into())
			);
			let before = Balances::free_balance(Bob.to_account_id());
			chain.mine(vec![(Bob, proof(&bytes, index))]);
			assert_eq!((last_error(), drawn()), (None, None));
			// A hundredth of the pot, less the fee.
			let gain = Balances::free_balance(Bob.to_account_id()) - before;
			assert!((UNIT * 9 / 10..UNIT).contains(&gain), "{gain}");
		}
	});
}

#[test]
fn a_keeper_that_is_silent_for_a_day_can_be_reported() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		begin(chain, &bytes());
		let report = || -> RuntimeCall {
			Call::report_missed {
				owner: Alice.to_account_id(),
				dataset: 0,
				keeper: Bob.to_account_id(),
			}
			.into()
		};
		to_block(chain, 13 * BLOCKS - 1);
		chain.mine(vec![(Charlie, report())]);
		assert_eq!(last_error(), None);
		let left = || pallet_keepers::Keepers::<Runtime>::iter().count();
		assert_eq!(
			left(),
			0,
			"twelve periods are over with the thirteenth's first block"
		);
		assert_eq!(
			pallet_keepers::Pots::<Runtime>::get(Alice.to_account_id(), 0).amount,
			110 * UNIT
		);
	});
}

#[test]
fn a_hundred_proofs_take_less_than_a_tenth_of_a_block() {
	let prove = pallet_keepers::weights::SubstrateWeight::<Runtime>::prove();
	let base = crate::configs::RuntimeBlockWeights::get()
		.get(frame_support::dispatch::DispatchClass::Normal)
		.base_extrinsic;
	// A proof of the longest object has less than 2.5 KiB with its signature and extensions.
	const BYTES: u32 = 100 * 2_560;
	const { assert!(BYTES * 10 < MAX_BLOCK_LENGTH) };
	let bytes = u64::from(BYTES) * GAS_PER_BYTE * REF_TIME_PER_GAS;
	let hundred = prove.saturating_add(base).saturating_mul(100).ref_time() + bytes;
	let block = BLOCK_WEIGHT_SECONDS * WEIGHT_REF_TIME_PER_SECOND;
	assert!(hundred * 10 < block, "{hundred} of {block} ps");
}

/// Alice has this number of datasets with an object each, and Bob keeps them.
fn begin_many(chain: &mut Chain, groups: &[Value], length: u64, datasets: u32) {
	let owner = Alice.to_account_id();
	let object = Object {
		header: [7; HEADER_SIZE],
		length,
		root: root(groups).expect("there are groups").into(),
	};
	let (kind, name) = (ProducerKind::School, b"A school".to_vec());
	chain.mine(vec![(Alice, Sharing::register { kind, name }.into())]);
	let create = |number: u32| Sharing::create_dataset {
		name: number.to_string().into_bytes(),
	};
	let store = |dataset: u32| Sharing::store_object {
		key: Hash::from_low_u64_be(dataset.into()),
		dataset,
		epoch: 0,
		leaf: 0,
		object: object.clone(),
	};
	let keep = |dataset| Call::keep {
		owner: owner.clone(),
		dataset,
		location: b"s3://bob/copy".to_vec().try_into().expect("it is short"),
	};
	let calls: [(Sr25519Keyring, Vec<RuntimeCall>); 3] = [
		(
			Alice,
			(0..datasets).map(|number| create(number).into()).collect(),
		),
		(
			Alice,
			(0..datasets).map(|number| store(number).into()).collect(),
		),
		(
			Bob,
			(0..datasets).map(|number| keep(number).into()).collect(),
		),
	];
	for (signer, calls) in calls {
		chain.mine(calls.into_iter().map(|call| (signer, call)).collect());
		assert_eq!(last_error(), None);
	}
}

#[test]
fn a_block_with_a_hundred_proofs_uses_less_than_a_tenth_of_its_gas() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let bytes = bytes();
		let groups = groups(&bytes);
		begin_many(chain, &groups, bytes.len() as u64, 100);
		to_block(chain, BLOCKS);
		let proofs = (0..100).map(|dataset| {
			let (_, index) = drawn_of(dataset).expect("it is due");
			(Bob, proof_of(dataset, &bytes, &groups, index))
		});
		let (block, rejected) = chain.build(&[], proofs.collect());
		assert_eq!(rejected, []);
		let length = block.encoded_size();
		let began = std::time::Instant::now();
		let header = chain.import(block);
		let (time, used, limit) = (began.elapsed(), gas_used(&header), ProofOfWork::gas_limit());
		println!("100 proofs, {length} bytes: {time:?}, {used} of {limit} gas");
		assert_eq!(last_error(), None);
		let events = System::events();
		let proven = events.iter().filter(|record| {
			matches!(
				record.event,
				RuntimeEvent::Keepers(pallet_keepers::Event::Proven { .. })
			)
		});
		assert_eq!(proven.count(), 100);
		assert!(used * 10 < limit, "{used} of {limit} gas");
	});
}
