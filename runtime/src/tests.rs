// SPDX-License-Identifier: Apache-2.0
//! Tests the whole runtime. Blocks are built as a miner builds them, and executed as every other node
//! executes them.

use crate::{
	configs::MAX_BLOCK_LENGTH, Address, Balances, Block, Executive, Grandpa, ProofOfWork, Runtime,
	RuntimeCall, RuntimeEvent, SignedPayload, System, UncheckedExtrinsic,
};
use codec::{DecodeAll, Encode};
use isthmus_primitives::{
	digest::{read_unsealed, uncles_hash, PreDigest, Seal, POW_ENGINE_ID},
	inherents::UNCLES_INHERENT_IDENTIFIER,
	params::{ChainParameters, DifficultyRule, MIN_GAS_LIMIT},
	AccountId, Hash, Header, Signature, UNIT,
};
use isthmus_rules::Parent;
use polkadot_sdk::*;
use sp_genesis_builder::{
	runtime_decl_for_genesis_builder::GenesisBuilder, PresetId, DEV_RUNTIME_PRESET,
	LOCAL_TESTNET_RUNTIME_PRESET,
};
use sp_inherents::InherentData;
use sp_keyring::Sr25519Keyring::{self, Alice, Bob};
use sp_runtime::{
	generic::Era,
	traits::{Hash as _, Header as _},
	transaction_validity::{InvalidTransaction, TransactionValidityError},
	BuildStorage, Digest, DigestItem, DispatchError, OpaqueExtrinsic,
};

mod delegation;
mod exchange;
mod facts;
mod fees;
mod keepers;
mod sharing;
mod state;
mod verifiers;

/// Overwrites values of the configuration with those of the patch.
fn merge(config: &mut serde_json::Value, patch: serde_json::Value) {
	match (config, patch) {
		(serde_json::Value::Object(config), serde_json::Value::Object(patch)) => {
			for (key, value) in patch {
				merge(config.entry(key).or_insert(serde_json::Value::Null), value);
			}
		}
		(config, patch) => *config = patch,
	}
}

/// Returns a whole genesis configuration: the defaults, the preset, and these consensus parameters.
fn config(preset: &str, change: impl FnOnce(&mut ChainParameters)) -> Vec<u8> {
	let defaults = Runtime::get_preset(&None).expect("there are defaults");
	let mut config = serde_json::from_slice(&defaults).expect("the defaults are JSON");
	let patch = Runtime::get_preset(&Some(PresetId::from(preset))).expect("the preset exists");
	merge(
		&mut config,
		serde_json::from_slice(&patch).expect("the preset is JSON"),
	);
	let parameters = &mut config["proofOfWork"]["parameters"];
	let mut changed =
		serde_json::from_value(parameters.clone()).expect("the preset has parameters");
	change(&mut changed);
	*parameters = serde_json::to_value(changed).expect("parameters are JSON");
	serde_json::to_vec(&config).expect("the configuration is JSON")
}

/// A chain under test, as a client would see it.
struct Chain {
	/// The last block's hash.
	last: Hash,
	/// The time between blocks, in seconds.
	interval: u64,
}

impl Chain {
	/// Runs the test on a new chain, then checks the invariants of our pallets.
	fn test(preset: &str, change: impl FnOnce(&mut ChainParameters), test: impl FnOnce(&mut Self)) {
		let mut state = sp_io::TestExternalities::new(
			frame_system::GenesisConfig::<Runtime>::default()
				.build_storage()
				.expect("the genesis of the system pallet is valid"),
		);
		state.execute_with(|| {
			Runtime::build_state(config(preset, change)).expect("the preset builds");
			test(&mut Self {
				last: Hash::repeat_byte(1),
				interval: 12,
			});
			assert_eq!(crate::check_state(), Ok(()));
		});
	}

	/// Returns the next block's header before its execution, with this uncles hash (H_o).
	fn next_header(&self, uncles_hash: Hash) -> Header {
		let parameters = pallet_proof_of_work::Parameters::<Runtime>::get();
		let head = ProofOfWork::current_head();
		let number = System::block_number();
		let parent = Parent {
			hash: self.last,
			number,
			difficulty: head.difficulty,
			gas_limit: head.gas_limit,
			timestamp: head.timestamp,
		};
		let timestamp = head.timestamp + self.interval;
		let pre = PreDigest {
			beneficiary: miner(),
			difficulty: isthmus_rules::difficulty(&parameters, &parent, timestamp),
			gas_limit: head.gas_limit,
			timestamp,
			uncles_hash,
			extra_data: vec![],
		};
		let digest = Digest {
			logs: vec![DigestItem::PreRuntime(POW_ENGINE_ID, pre.encode())],
		};
		Header::new(number + 1, Hash::zero(), Hash::zero(), self.last, digest)
	}

	/// Builds the next block from these uncles and transactions, without changing the state. Omits any
	/// transaction that the runtime rejects, and returns its error.
	fn build(
		&self,
		uncles: &[Header],
		calls: Vec<(Sr25519Keyring, RuntimeCall)>,
	) -> (Block, Vec<TransactionValidityError>) {
		// Each transaction is signed when those before it are applied, so that it has the next nonce.
		self.build_from(
			uncles,
			calls
				.into_iter()
				.map(|(signer, call)| move || signed(signer, call)),
		)
	}

	/// Builds the next block from these uncles and finished transactions, as [`Self::build`] does.
	fn build_with(
		&self,
		uncles: &[Header],
		extrinsics: Vec<UncheckedExtrinsic>,
	) -> (Block, Vec<TransactionValidityError>) {
		self.build_from(
			uncles,
			extrinsics.into_iter().map(|extrinsic| move || extrinsic),
		)
	}

	fn build_from(
		&self,
		uncles: &[Header],
		transactions: impl Iterator<Item = impl FnOnce() -> UncheckedExtrinsic>,
	) -> (Block, Vec<TransactionValidityError>) {
		// Use a plain transaction. `with_transaction` would store a count in the state and so change the
		// state's root.
		sp_io::storage::start_transaction();
		let header = self.next_header(uncles_hash(uncles));
		Executive::initialize_block(&header);
		let mut extrinsics = inherents(uncles, ProofOfWork::current_head().timestamp * 1000);
		for inherent in &extrinsics {
			Executive::apply_extrinsic(inherent.clone())
				.expect("the inherent is valid")
				.expect("the inherent succeeds");
		}
		let mut rejected = vec![];
		for transaction in transactions {
			let extrinsic = transaction();
			// Revert the changes of a rejected transaction, as the block builder does.
			sp_io::storage::start_transaction();
			match Executive::apply_extrinsic(extrinsic.clone()) {
				Ok(_) => {
					sp_io::storage::commit_transaction();
					extrinsics.push(extrinsic);
				}
				Err(error) => {
					sp_io::storage::rollback_transaction();
					rejected.push(error);
				}
			}
		}
		let header = Executive::finalize_block();
		sp_io::storage::rollback_transaction();
		(Block { header, extrinsics }, rejected)
	}

	/// Executes the block as every node except the miner's does, and returns its sealed header.
	fn import(&mut self, block: Block) -> Header {
		Executive::execute_block(block.clone().into());
		let mut header = block.header;
		let seal = Seal {
			mix_hash: Hash::zero(),
			nonce: 0,
		};
		header
			.digest
			.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
		self.last = header.hash();
		header
	}

	/// Builds and imports a block in which every transaction is valid.
	fn mine(&mut self, calls: Vec<(Sr25519Keyring, RuntimeCall)>) -> Header {
		let (block, rejected) = self.build(&[], calls);
		assert_eq!(rejected, []);
		self.import(block)
	}
}

/// Returns the account that mines every block here. It has no balance at genesis.
fn miner() -> AccountId {
	AccountId::new([77; 32])
}

/// Returns a block's body in the node's format.
fn opaque(block: &Block) -> Vec<OpaqueExtrinsic> {
	block.extrinsics.iter().cloned().map(Into::into).collect()
}

fn inherents(uncles: &[Header], milliseconds: u64) -> Vec<UncheckedExtrinsic> {
	use sp_block_builder::runtime_decl_for_block_builder::BlockBuilder;
	let mut data = InherentData::new();
	data.put_data(*b"timstap0", &milliseconds).expect("is new");
	data.put_data(UNCLES_INHERENT_IDENTIFIER, &uncles.to_vec())
		.expect("is new");
	Runtime::inherent_extrinsics(data)
}

fn signed(signer: Sr25519Keyring, call: RuntimeCall) -> UncheckedExtrinsic {
	signed_with_tip(signer, call, 0)
}

fn signed_with_tip(signer: Sr25519Keyring, call: RuntimeCall, tip: u128) -> UncheckedExtrinsic {
	let account = signer.to_account_id();
	let extension = crate::tx_extension(Era::Immortal, System::account_nonce(&account), tip);
	let payload =
		SignedPayload::new(call.clone(), extension.clone()).expect("the payload can be signed");
	let signature = payload.using_encoded(|bytes| signer.sign(bytes));
	UncheckedExtrinsic::new_signed(
		call,
		Address::Id(account),
		Signature::Sr25519(signature),
		extension,
	)
}

fn transfer(to: AccountId, value: u128) -> RuntimeCall {
	pallet_balances::Call::transfer_allow_death {
		dest: Address::Id(to),
		value,
	}
	.into()
}

/// Returns a call that has this number of bytes and does nothing.
fn remark(bytes: usize) -> RuntimeCall {
	frame_system::Call::remark {
		remark: vec![0; bytes],
	}
	.into()
}

fn gas_used(header: &Header) -> u64 {
	let mut unsealed = header.clone();
	unsealed
		.digest
		.logs
		.retain(|item| !matches!(item, DigestItem::Seal(..)));
	read_unsealed(&unsealed).expect("the runtime writes H_g").1
}

fn last_error() -> Option<DispatchError> {
	System::events()
		.into_iter()
		.find_map(|record| match record.event {
			RuntimeEvent::System(frame_system::Event::ExtrinsicFailed {
				dispatch_error, ..
			}) => Some(dispatch_error),
			_ => None,
		})
}

const UNCHANGED: fn(&mut ChainParameters) = |_| ();

#[test]
fn the_presets_are_named() {
	assert_eq!(
		Runtime::preset_names(),
		[
			PresetId::from(DEV_RUNTIME_PRESET),
			PresetId::from(LOCAL_TESTNET_RUNTIME_PRESET)
		]
	);
	assert_eq!(Runtime::get_preset(&Some(PresetId::from("unknown"))), None);
}

#[test]
fn the_development_preset_builds_blocks() {
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		use isthmus_primitives::api::{
			runtime_decl_for_block_author_api::BlockAuthorApi,
			runtime_decl_for_proof_of_work_api::ProofOfWorkApi,
		};
		assert_eq!(Runtime::parameters().difficulty_rule, DifficultyRule::Fixed);
		assert_eq!(Runtime::author(), AccountId::new([0; 32]));
		assert_eq!(Grandpa::grandpa_authorities().len(), 1);
		assert_eq!(
			pallet_sudo::Key::<Runtime>::get(),
			Some(Alice.to_account_id())
		);
		assert_eq!(
			Balances::free_balance(Bob.to_account_id()),
			1_000_000 * UNIT
		);
		for number in 1..=3 {
			let header = chain.mine(vec![]);
			assert_eq!((*header.number(), gas_used(&header)), (number, 0));
			assert_eq!(Runtime::author(), miner());
		}
		assert_eq!(Balances::free_balance(miner()), 3 * 5 * UNIT);
	});
}

#[test]
fn the_local_preset_builds_blocks() {
	Chain::test(LOCAL_TESTNET_RUNTIME_PRESET, UNCHANGED, |chain| {
		let authorities = Grandpa::grandpa_authorities();
		assert_eq!(authorities.len(), 4);
		let difficulty = || ProofOfWork::current_head().difficulty.0.as_u64();
		let before = difficulty();
		chain.interval = 9;
		chain.mine(vec![]);
		assert_eq!(difficulty(), before + before / 2048);
		chain.interval = 1_000_000;
		(0..40).for_each(|_| drop(chain.mine(vec![])));
		assert_eq!(difficulty(), 131_072);
	});
}

#[test]
fn the_gas_limit_bounds_a_block() {
	let least = |parameters: &mut ChainParameters| parameters.genesis_gas_limit = MIN_GAS_LIMIT;
	Chain::test(DEV_RUNTIME_PRESET, least, |chain| {
		let calls = (0..200)
			.map(|_| (Alice, transfer(Bob.to_account_id(), 1)))
			.collect();
		let (block, rejected) = chain.build(&[], calls);
		assert!(!rejected.is_empty() && rejected.len() < 200);
		let exhausted = TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources);
		assert!(rejected.iter().all(|error| *error == exhausted));
		let header = chain.import(block);
		let used = gas_used(&header);
		assert!(used <= MIN_GAS_LIMIT && used > MIN_GAS_LIMIT / 2, "{used}");
	});
}

#[test]
fn uncles_travel_as_an_inherent() {
	use isthmus_primitives::api::runtime_decl_for_proof_of_work_api::ProofOfWorkApi;
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		chain.mine(vec![]);
		// Make two blocks with number 2. The first is not imported, and becomes an uncle of block 3.
		let mut uncle = chain.build(&[], vec![(Bob, remark(1))]).0.header;
		let seal = Seal {
			mix_hash: Hash::zero(),
			nonce: 9,
		};
		uncle
			.digest
			.push(DigestItem::Seal(POW_ENGINE_ID, seal.encode()));
		chain.mine(vec![]);
		let (block, rejected) = chain.build(std::slice::from_ref(&uncle), vec![]);
		assert_eq!(rejected, []);
		assert_eq!(Runtime::uncles(opaque(&block)), Some(vec![uncle]));
		let before = Balances::free_balance(miner());
		chain.import(block);
		// The miner gets 5 for the block, 5/32 for naming the uncle, and 5 · 7/8 for having mined the
		// uncle.
		let reward = 5 * UNIT + 5 * UNIT / 32 + 5 * UNIT * 7 / 8;
		assert_eq!(Balances::free_balance(miner()) - before, reward);
	});
}

#[test]
fn the_runtime_reads_its_own_bodies() {
	use isthmus_primitives::api::runtime_decl_for_proof_of_work_api::ProofOfWorkApi;
	Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
		let (block, _) = chain.build(&[], vec![(Bob, remark(1))]);
		assert_eq!(Runtime::uncles(opaque(&block)), Some(vec![]));
		// A peer's body can be anything.
		for junk in [vec![], vec![255; 5], vec![4, 1, 0]] {
			assert_eq!(
				Runtime::uncles(vec![OpaqueExtrinsic::from_blob(junk)]),
				None
			);
		}
		// Nested calls must not overflow the stack. Build a batch in a batch in a batch, directly in bytes.
		let batch = |calls: Vec<RuntimeCall>| pallet_utility::Call::batch { calls }.into();
		let empty: RuntimeCall = batch(vec![]);
		let one: RuntimeCall = batch(vec![batch(vec![])]);
		let (empty, one) = (empty.encode(), one.encode());
		let level = one
			.strip_suffix(&empty[..])
			.expect("a batch holds its calls' bytes");
		let nested = |depth: usize| {
			let call = [level.repeat(depth), empty.clone()].concat();
			let preamble = &UncheckedExtrinsic::new_bare(remark(0)).encode();
			let bare = preamble.get(1..2).expect("a length and a preamble");
			vec![OpaqueExtrinsic::from_blob([bare, &call].concat())]
		};
		assert_eq!(Runtime::uncles(nested(10)), Some(vec![]));
		assert_eq!(Runtime::uncles(nested(100_000)), None);
		for extrinsic in block.extrinsics {
			let bytes = extrinsic.encode();
			assert_eq!(
				UncheckedExtrinsic::decode_all(&mut &bytes[..]),
				Ok(extrinsic)
			);
		}
	});
}

mod data_sharing {
	use super::*;
	use isthmus_sharing::{Payload, ProducerKind, QueryError};
	use pallet_data_sharing::{
		runtime_api::runtime_decl_for_data_sharing_api::DataSharingApi, Call, Error,
	};

	const KEY: Hash = Hash::repeat_byte(5);

	/// Registers Alice and creates her dataset.
	fn join(chain: &mut Chain) {
		let (kind, name) = (ProducerKind::School, b"A school".to_vec());
		chain.mine(vec![(Alice, Call::register { kind, name }.into())]);
		chain.mine(vec![(
			Alice,
			Call::create_dataset {
				name: b"marks".to_vec(),
			}
			.into(),
		)]);
		assert_eq!(last_error(), None);
	}

	fn store(value: Vec<u8>) -> RuntimeCall {
		Call::store {
			key: KEY,
			dataset: 0,
			epoch: 0,
			leaf: 0,
			value,
		}
		.into()
	}

	#[test]
	fn a_stored_value_is_found_by_its_owner() {
		Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
			join(chain);
			let value = vec![7; 1024 * 1024];
			let (block, rejected) = chain.build(&[], vec![(Alice, store(value.clone()))]);
			assert_eq!(rejected, []);
			// The client indexes the last bytes of the extrinsic, so they must be the value.
			assert!(block.extrinsics[1].encode().ends_with(&value));
			assert!(block.extrinsics.encoded_size() < MAX_BLOCK_LENGTH as usize);
			chain.import(block);
			assert_eq!(last_error(), None);

			let (alice, bob) = (Alice.to_account_id(), Bob.to_account_id());
			let answer = Runtime::query(alice.clone(), alice.clone(), KEY).expect("the owner asks");
			assert_eq!(
				answer.payload,
				Payload::Value {
					content_hash: sp_runtime::traits::BlakeTwo256::hash(&value),
					length: value.len() as u32,
					block: 3,
					extrinsic: 1,
				}
			);
			assert_eq!(
				Runtime::query(bob, alice, KEY),
				Err(QueryError::NotAuthorised)
			);
		});
	}

	/// Objects' entries are small and may be batched: see ADR 40.
	#[test]
	fn one_transaction_has_room_for_a_thousand_objects() {
		use frame_support::dispatch::{DispatchClass, GetDispatchInfo};
		let object = isthmus_sharing::Object {
			header: [7; 77],
			length: 1 << 40,
			root: KEY,
		};
		let calls = (0..1_000u32).map(|leaf| {
			RuntimeCall::from(Call::store_object {
				key: Hash::from_low_u64_be(leaf.into()),
				dataset: 0,
				epoch: 0,
				leaf,
				object: object.clone(),
			})
		});
		let calls: Vec<_> = calls.collect();
		let batch = RuntimeCall::from(pallet_utility::Call::batch_all { calls });
		let size = batch.encoded_size();
		assert!(size <= 400 * 1_000, "{size} bytes");
		let limits: frame_system::limits::BlockWeights =
			<Runtime as frame_system::Config>::BlockWeights::get();
		let most = limits.get(DispatchClass::Normal).max_extrinsic;
		let weight = batch.get_dispatch_info().call_weight;
		assert!(weight.all_lte(most.expect("there is a limit")), "{weight}");
		Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
			join(chain);
			let (block, rejected) = chain.build(&[], vec![(Alice, batch)]);
			assert_eq!(rejected, []);
			let began = std::time::Instant::now();
			let header = chain.import(block);
			println!("a thousand objects: {:?} for {weight}", began.elapsed());
			assert_eq!(last_error(), None);
			let stored = pallet_data_sharing::Records::<Runtime>::iter().count();
			assert_eq!(stored, 1_000);
			assert!(gas_used(&header) < ProofOfWork::gas_limit());
		});
	}

	#[test]
	fn a_wrapped_store_is_rejected() {
		Chain::test(DEV_RUNTIME_PRESET, UNCHANGED, |chain| {
			join(chain);
			let calls = vec![store(vec![7; 100])];
			chain.mine(vec![(
				Alice,
				pallet_utility::Call::batch_all { calls }.into(),
			)]);
			assert_eq!(last_error(), Some(Error::<Runtime>::MustBeDirect.into()));
			assert_eq!(pallet_data_sharing::Records::<Runtime>::iter().count(), 0);
		});
	}
}
