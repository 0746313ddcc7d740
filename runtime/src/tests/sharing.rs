// SPDX-License-Identifier: Apache-2.0
//! Tests data sharing in the whole runtime: its upgrade, and what its most expensive calls use of a block.

use super::*;
use crate::{configs::MAX_BLOCK_LENGTH, DataSharing};
use frame_support::traits::{GetStorageVersion, StorageVersion};
use isthmus_sharing::{
	object::HEADER_SIZE,
	terms::{LEAVES_PER_EPOCH, MAX_SEALED_KEYS_SIZE, MAX_TEXT_SIZE, MAX_VALUE_SIZE},
	Object, ProducerKind, PurposeCode, Scope,
};
use pallet_data_sharing::Call;

/// Makes this runtime find a state that an earlier one left.
fn as_an_earlier_runtime_left_it() {
	StorageVersion::new(0).put::<DataSharing>();
	let earlier = frame_system::LastRuntimeUpgradeInfo {
		spec_version: 1.into(),
		spec_name: "isthmus".into(),
	};
	frame_system::LastRuntimeUpgrade::<Runtime>::put(earlier);
}

#[test]
fn an_upgrade_migrates_in_blocks_without_transactions() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![]);
		as_an_earlier_runtime_left_it();
		sp_io::storage::start_transaction();
		let header = chain.next_header(uncles_hash(&[]));
		let mode = Executive::initialize_block(&header);
		assert_eq!(mode, sp_runtime::ExtrinsicInclusionMode::OnlyInherents);
		sp_io::storage::rollback_transaction();
		chain.mine(vec![]);
		assert_eq!(DataSharing::on_chain_storage_version(), 1);
		chain.mine(vec![(Alice, transfer(Bob.to_account_id(), UNIT))]);
		assert_eq!(last_error(), None);
	});
}

/// Registers Alice with a dataset, and keys for her readers.
fn join(chain: &mut Chain) {
	let (kind, name) = (ProducerKind::School, b"A school".to_vec());
	let key = vec![0; 34];
	for (signer, call) in [
		(Alice, Call::register { kind, name }),
		(Bob, Call::set_encryption_key { key }),
		(
			Alice,
			Call::create_dataset {
				name: b"marks".to_vec(),
			},
		),
	] {
		chain.mine(vec![(signer, call.into())]);
		assert_eq!(last_error(), None);
	}
}

fn scope(from: u64) -> Scope {
	Scope {
		dataset: 0,
		epoch: 0,
		from,
		to: LEAVES_PER_EPOCH,
	}
}

/// Fills a block with calls, and returns how many it took. More are offered than it has room for.
fn fill(chain: &mut Chain, calls: Vec<(Sr25519Keyring, RuntimeCall)>) -> usize {
	let limit = ProofOfWork::current_head().gas_limit;
	let offered = calls.len();
	let (block, rejected) = chain.build(&[], calls);
	assert!(!rejected.is_empty() && rejected.len() < offered);
	let exhausted = TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources);
	assert!(rejected.iter().all(|error| *error == exhausted));
	assert!(block.encoded_size() <= MAX_BLOCK_LENGTH as usize);
	let used = gas_used(&chain.import(block));
	assert!(used <= limit, "{used} of {limit} gas");
	offered - rejected.len()
}

/// One transaction enters a thousand objects, with at most 400 bytes of the block's body for each.
#[test]
fn a_block_has_room_for_a_thousand_objects() {
	const OBJECTS: u32 = 1_000;
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		join(chain);
		let object = Object {
			header: [7; HEADER_SIZE],
			length: 1 << 30,
			root: Hash::repeat_byte(9),
		};
		let store = |leaf: u32| Call::store_object {
			key: Hash::from_low_u64_be(leaf.into()),
			dataset: 0,
			epoch: 0,
			leaf,
			object: object.clone(),
		};
		let calls = (0..OBJECTS).map(|leaf| store(leaf).into()).collect();
		let batch = pallet_utility::Call::batch_all { calls };
		let (block, rejected) = chain.build(&[], vec![(Alice, batch.into())]);
		assert_eq!(rejected, []);
		let length = block.encoded_size();
		let limit = ProofOfWork::current_head().gas_limit;
		let used = gas_used(&chain.import(block));
		println!("{OBJECTS} objects: {length} bytes, {used} of {limit} gas");
		assert_eq!(last_error(), None);
		let stored = pallet_data_sharing::Records::<Runtime>::iter().count();
		assert_eq!(stored, OBJECTS as usize);
		assert!(length <= 400 * OBJECTS as usize, "{length} bytes");
	});
}

/// Whatever fills a block, weight or bytes, it stays within its gas limit and its length.
#[test]
fn blocks_of_the_most_expensive_calls_stay_within_the_gas_limit() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		join(chain);
		// The longest values.
		let store = |leaf: u32| Call::store {
			key: Hash::from_low_u64_be(leaf.into()),
			dataset: 0,
			epoch: 0,
			leaf,
			value: vec![7; MAX_VALUE_SIZE as usize],
		};
		let calls = (0..9).map(|leaf| (Alice, store(leaf).into())).collect();
		assert_eq!(fill(chain, calls), 5);
		assert_eq!(last_error(), None);
		// The longest manifests: their hashes are added up to a tree.
		let open = |leaf: u32| {
			let chunks = isthmus_sharing::terms::MAX_CHUNKS;
			let mut manifest = vec![1, 0, 0];
			manifest.extend(vec![3; 32 * chunks as usize]);
			Call::open_record {
				key: Hash::from_low_u64_be(leaf.into()),
				dataset: 0,
				epoch: 0,
				leaf,
				length: chunks.into(),
				chunk_size: 1,
				manifest,
			}
		};
		let calls = (10..19).map(|leaf| (Alice, open(leaf).into())).collect();
		assert!((2..=5).contains(&fill(chain, calls)));
		assert_eq!(last_error(), None);
	});
}

/// Two machines of one owner choose the same leaf. The ciphertext of the one that is late must not be in the chain: readers
/// of the leaf have its key.
#[test]
fn a_block_has_one_of_two_stores_at_a_leaf() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		join(chain);
		let store = |number: u64| -> RuntimeCall {
			Call::store {
				key: Hash::from_low_u64_be(number),
				dataset: 0,
				epoch: 0,
				leaf: 5,
				value: vec![number as u8; 1_000],
			}
			.into()
		};
		let error = pallet_data_sharing::Error::<Runtime>::LeafTaken;
		let late: TransactionValidityError = InvalidTransaction::Custom(error.encode()[0]).into();
		let (block, rejected) = chain.build(&[], vec![(Alice, store(1)), (Alice, store(2))]);
		assert_eq!(rejected, [late]);
		let has = |block: &Block, number: u8| {
			block
				.encode()
				.windows(1_000)
				.any(|bytes| bytes == [number; 1_000])
		};
		assert!(has(&block, 1) && !has(&block, 2));
		chain.import(block);
		assert_eq!(last_error(), None);
		// Nor does a later block take it.
		let (block, rejected) = chain.build(&[], vec![(Alice, store(2))]);
		assert_eq!(rejected, [late]);
		assert!(!has(&block, 2));
	});
}

/// Grants and requests have few bytes and much weight.
#[test]
fn a_block_of_grants_and_requests_stays_within_the_least_gas_limit() {
	let least = |parameters: &mut ChainParameters| parameters.genesis_gas_limit = MIN_GAS_LIMIT;
	Chain::test(DEV_RUNTIME_PRESET, least, |chain| {
		join(chain);
		let ask = |from| {
			(
				Bob,
				Call::request_access {
					owner: Alice.to_account_id(),
					scope: scope(from),
					purpose: vec![b'p'; MAX_TEXT_SIZE as usize],
					code: PurposeCode::Unspecified,
					term: 100,
					offer: UNIT,
					firm: false,
					key: vec![1; 1_234],
				}
				.into(),
			)
		};
		let taken = fill(chain, (0..200).map(ask).collect());
		assert!(taken > 0);
		let give = |from| {
			(
				Alice,
				Call::add_authorize {
					grantee: Bob.to_account_id(),
					scope: scope(from),
					expiry: 1_000,
					until: None,
					sealed_keys: vec![1; MAX_SEALED_KEYS_SIZE as usize],
					request: None,
					condition: None,
				}
				.into(),
			)
		};
		assert!(fill(chain, (0..200).map(give).collect()) > 0);
	});
}
