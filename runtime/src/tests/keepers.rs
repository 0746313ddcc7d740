// SPDX-License-Identifier: Apache-2.0
//! Tests keepers in the whole runtime: with the objects of data sharing, and with the hashes of this chain's blocks.

use super::*;
use crate::{Keepers, BLOCK_WEIGHT_SECONDS};
use frame_support::weights::constants::WEIGHT_REF_TIME_PER_SECOND;
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
	let owner = Alice.to_account_id();
	Keepers::drawn(owner, 0, Bob.to_account_id())
}

fn proof(bytes: &[u8], index: u64) -> RuntimeCall {
	let mib = bytes.chunks(GROUP as usize).nth((index >> 10) as usize);
	let Proof { piece, path } =
		prove(index, mib.expect("it is there"), &groups(bytes)).expect("it is there");
	let path: Vec<_> = path.into_iter().map(Hash::from).collect();
	Call::prove {
		owner: Alice.to_account_id(),
		dataset: 0,
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
	let hundred = prove.saturating_add(base).saturating_mul(100).ref_time();
	let block = BLOCK_WEIGHT_SECONDS * WEIGHT_REF_TIME_PER_SECOND;
	assert!(hundred * 10 < block, "{hundred} of {block} ps");
	// A proof of the longest object has less than 2.5 KiB with its signature and extensions.
	const { assert!(100 * 2_560 * 10 < MAX_BLOCK_LENGTH) };
}
