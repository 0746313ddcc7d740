// SPDX-License-Identifier: Apache-2.0
//! A minimal runtime with this pallet, and the helpers that the tests share.

use crate::{self as pallet_keepers, *};
use frame_support::{
	derive_impl, parameter_types,
	traits::{fungible::InspectHold, ConstU64},
	PalletId,
};
use isthmus_storage_proof::{group, group_of, prove as prove_piece, Proof, Value, GROUP};
use polkadot_sdk::*;
use sp_core::H256;
use sp_io::hashing::blake2_256;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage, DispatchResult};
use std::{
	cell::{Cell, RefCell},
	collections::BTreeMap,
	rc::Rc,
};

type Block = frame_system::mocking::MockBlock<Test>;
pub(crate) type Error = pallet_keepers::Error<Test>;
pub(crate) type KeepersEvent = pallet_keepers::Event<Test>;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		Keepers: pallet_keepers,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type AccountData = pallet_balances::AccountData<u64>;
	type AccountId = AccountId32;
	type Block = Block;
	type BlockHashCount = ConstU64<256>;
	type Lookup = IdentityLookup<AccountId32>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type ExistentialDeposit = ConstU64<EXISTENTIAL>;
	type RuntimeHoldReason = RuntimeHoldReason;
}

pub(crate) const EXISTENTIAL: u64 = 10;
pub(crate) const DEPOSIT: u64 = 1_000;
/// The least amount for a pot.
pub(crate) const LEAST: u64 = 5;
pub(crate) const WEALTH: u64 = 100_000;
/// The number of blocks in a period.
pub(crate) const BLOCKS: u64 = 10;
pub(crate) const MISSED: u32 = 3;
/// The part of a pot that is paid in a period.
pub(crate) const PARTS: u64 = 10;
/// The dataset of most tests, which is Alice's.
pub(crate) const DATASET: u32 = 7;

parameter_types! {
	pub const PotsId: PalletId = PalletId(*b"ist/pots");
	pub const Deposit: u64 = DEPOSIT;
	pub const LeastFund: u64 = LEAST;
	pub const MaxKeepers: u32 = 3;
	pub const MaxMissed: u32 = MISSED;
	pub const PotPeriods: u32 = PARTS as u32;
	pub const DefaultPeriod: u32 = BLOCKS as u32;
}

/// An object with its tree.
pub(crate) struct Object {
	pub(crate) bytes: Vec<u8>,
	pub(crate) groups: Vec<Value>,
	/// The block in which it was stored.
	pub(crate) block: u64,
}

thread_local! {
	/// The block in which the first object was stored since there were none.
	static SINCE: Cell<u64> = const { Cell::new(0) };
	/// The objects of the datasets that exist, all of them Alice's.
	static DATASETS: RefCell<BTreeMap<u32, Vec<Rc<Object>>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Alice's datasets.
pub struct Datasets;

impl Objects<AccountId32> for Datasets {
	fn has_dataset(owner: &AccountId32, dataset: u32) -> bool {
		*owner == account(ALICE) && DATASETS.with_borrow(|all| all.contains_key(&dataset))
	}

	fn count(_: &AccountId32, dataset: u32) -> u32 {
		DATASETS.with_borrow(|all| all.get(&dataset).map_or(0, |objects| objects.len() as u32))
	}

	fn since(_: &AccountId32, _: u32) -> u32 {
		SINCE.get() as u32
	}

	fn at(_: &AccountId32, dataset: u32, place: u32) -> Option<Stored> {
		let object = object_at(dataset, place)?;
		Some(Stored {
			length: object.bytes.len() as u64,
			block: object.block as u32,
			root: isthmus_storage_proof::root(&object.groups).expect("it has groups"),
		})
	}

	/// Does nothing: the benchmarks run on the runtime's own objects.
	#[cfg(feature = "runtime-benchmarks")]
	fn make(_: &AccountId32, _: u32, _: Stored) {}
}

impl Config for Test {
	type Currency = Balances;
	type DefaultPeriod = DefaultPeriod;
	type Deposit = Deposit;
	type LeastFund = LeastFund;
	type MaxKeepers = MaxKeepers;
	type MaxMissed = MaxMissed;
	type Objects = Datasets;
	type PotPeriods = PotPeriods;
	type PotsId = PotsId;
	type WeightInfo = ();
}

pub(crate) const ALICE: u8 = 1;
pub(crate) const BOB: u8 = 2;
pub(crate) const CHARLIE: u8 = 3;
pub(crate) const DAVE: u8 = 4;
pub(crate) const EVE: u8 = 5;
pub(crate) const PAUPER: u8 = 6;

/// Runs a test on a chain with wealthy accounts and a poor one, at the first block of period 1, with an empty dataset. Then
/// checks the invariants.
pub(crate) fn run(test: impl FnOnce()) {
	let mut balances: Vec<_> = (ALICE..=EVE).map(|who| (account(who), WEALTH)).collect();
	balances.push((account(PAUPER), DEPOSIT / 2));
	let mut storage = frame_system::GenesisConfig::<Test>::default()
		.build_storage()
		.expect("the genesis is valid");
	pallet_balances::GenesisConfig::<Test> {
		balances,
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.expect("the genesis is valid");
	DATASETS.with_borrow_mut(|all| {
		all.clear();
		all.insert(DATASET, Vec::new());
	});
	let mut state = sp_io::TestExternalities::new(storage);
	state.execute_with(|| {
		System::set_block_number(1);
		to_period(1);
		test();
		assert_eq!(Keepers::do_try_state(), Ok(()));
	});
}

pub(crate) fn account(who: u8) -> AccountId32 {
	AccountId32::new([who; 32])
}

pub(crate) fn signed(who: u8) -> RuntimeOrigin {
	RuntimeOrigin::signed(account(who))
}

/// Goes on block by block. The hash of each block is that of its number.
pub(crate) fn to_block(block: u64) {
	while System::block_number() < block {
		let next = System::block_number() + 1;
		let parent = H256(blake2_256(&(next - 1).to_le_bytes()));
		System::initialize(&next, &parent, &Default::default());
		System::reset_events();
	}
}

/// Goes on to the first block of a period.
pub(crate) fn to_period(period: u32) {
	to_block(u64::from(period) * BLOCKS);
}

/// Stores an object of this length at the end of the dataset's list.
pub(crate) fn store(seed: u8, length: usize) {
	let bytes: Vec<u8> = (0..length as u32)
		.map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8 ^ seed)
		.collect();
	let only = bytes.len() <= GROUP as usize;
	let chunks = (0..).zip(bytes.chunks(GROUP as usize));
	let groups = chunks
		.map(|(number, bytes)| group(number, only, bytes))
		.collect();
	let block = System::block_number();
	if objects() == 0 {
		SINCE.set(block);
	}
	let object = Rc::new(Object {
		bytes,
		groups,
		block,
	});
	DATASETS.with_borrow_mut(|all| all.entry(DATASET).or_default().push(object));
}

/// Removes an object as the chain does: the last one takes its place.
pub(crate) fn unstore(place: u32) {
	DATASETS.with_borrow_mut(|all| {
		all.entry(DATASET).or_default().swap_remove(place as usize);
	});
}

/// Removes the dataset with its objects.
pub(crate) fn remove_dataset() {
	DATASETS.with_borrow_mut(|all| all.remove(&DATASET));
}

pub(crate) fn object_at(dataset: u32, place: u32) -> Option<Rc<Object>> {
	DATASETS.with_borrow(|all| all.get(&dataset)?.get(place as usize).cloned())
}

/// The number of the dataset's objects.
pub(crate) fn objects() -> u32 {
	Datasets::count(&account(ALICE), DATASET)
}

/// Proves a piece of an object.
pub(crate) fn proof(place: u32, index: u64) -> Proof {
	let object = object_at(DATASET, place).expect("it is there");
	let begin = group_of(index).expect("it is there") as usize * GROUP as usize;
	let end = object.bytes.len().min(begin + GROUP as usize);
	prove_piece(index, &object.bytes[begin..end], &object.groups).expect("it is there")
}

pub(crate) fn drawn(who: u8) -> Option<(u32, u64)> {
	Keepers::drawn(account(ALICE), DATASET, account(who))
}

pub(crate) fn keep(who: u8) -> DispatchResult {
	keep_at(who, DATASET, "s3://bucket/copy")
}

pub(crate) fn keep_at(who: u8, dataset: u32, location: &str) -> DispatchResult {
	let location = location
		.as_bytes()
		.to_vec()
		.try_into()
		.expect("it is short");
	Keepers::keep(signed(who), account(ALICE), dataset, location)
}

pub(crate) fn leave(who: u8) -> DispatchResult {
	Keepers::leave(signed(who), account(ALICE), DATASET)
}

pub(crate) fn send(who: u8, proof: Proof) -> DispatchResult {
	let piece = proof.piece.try_into().expect("it is short");
	let path: Vec<_> = proof.path.into_iter().map(H256).collect();
	let path = path.try_into().expect("it is short");
	Keepers::prove(signed(who), account(ALICE), DATASET, piece, path)
}

/// Sends the proof of what is drawn, or of the first piece if nothing is.
pub(crate) fn prove(who: u8) -> DispatchResult {
	let proof = match drawn(who) {
		Some((place, index)) => proof(place, index),
		None => Proof {
			piece: Vec::new(),
			path: Vec::new(),
		},
	};
	send(who, proof)
}

pub(crate) fn report(by: u8, who: u8) -> DispatchResult {
	Keepers::report_missed(signed(by), account(ALICE), DATASET, account(who))
}

pub(crate) fn fund(who: u8, amount: u64) -> DispatchResult {
	Keepers::fund(signed(who), account(ALICE), DATASET, amount)
}

pub(crate) fn clear(by: u8) -> DispatchResult {
	Keepers::clear_pot(signed(by), account(ALICE), DATASET)
}

pub(crate) fn entry(who: u8) -> Option<KeeperOf<Test>> {
	pallet_keepers::Keepers::<Test>::get((account(ALICE), DATASET, account(who)))
}

pub(crate) fn pot() -> PotOf<Test> {
	Pots::<Test>::get(account(ALICE), DATASET)
}

pub(crate) fn free(who: u8) -> u64 {
	Balances::free_balance(account(who))
}

pub(crate) fn held(who: u8) -> u64 {
	Balances::balance_on_hold(&HoldReason::Keeper.into(), &account(who))
}

/// What the account of the pots has.
pub(crate) fn in_pots() -> u64 {
	Balances::free_balance(Keepers::pots_account())
}

/// Returns the events of this pallet in this block.
pub(crate) fn events() -> Vec<KeepersEvent> {
	let events = System::events().into_iter().map(|record| record.event);
	events
		.filter_map(|event| match event {
			RuntimeEvent::Keepers(event) => Some(event),
			_ => None,
		})
		.collect()
}

pub(crate) fn last_event() -> KeepersEvent {
	events().pop().expect("there are events")
}
