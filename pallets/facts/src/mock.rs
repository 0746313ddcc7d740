// SPDX-License-Identifier: Apache-2.0
//! A minimal runtime with this pallet, and the helpers that the tests share.

use crate::{self as pallet_facts, *};
use core::time::Duration;
use frame_support::{
	derive_impl, parameter_types,
	traits::{fungible::InspectHold, UnixTime},
	weights::Weight,
};
use isthmus_conditions::{Name, Value};
use polkadot_sdk::*;
use sp_core::H256;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage, DispatchResult};

type Block = frame_system::mocking::MockBlock<Test>;
pub(crate) type Error = pallet_facts::Error<Test>;
pub(crate) type FactsEvent = pallet_facts::Event<Test>;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		Facts: pallet_facts,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type AccountData = pallet_balances::AccountData<u64>;
	type AccountId = AccountId32;
	type Block = Block;
	type Lookup = IdentityLookup<AccountId32>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type RuntimeHoldReason = RuntimeHoldReason;
}

pub(crate) const PER_ITEM: u64 = 1_000;
pub(crate) const DRIFT: u64 = 60;
/// For how many seconds reports count, in most tests.
pub(crate) const FRESH: u32 = 600;
pub(crate) const START: u64 = 1_800_000_000;
pub(crate) const WEALTH: u64 = 1_000_000;

parameter_types! {
	pub const DepositPerItem: u64 = PER_ITEM;
	pub const DepositPerByte: u64 = 1;
	pub const MaxReporters: u32 = 4;
	pub const ClockDrift: u64 = DRIFT;
	/// The block's time, in seconds.
	pub static Time: u64 = START;
}

impl UnixTime for Time {
	fn now() -> Duration {
		Duration::from_secs(Time::get())
	}
}

parameter_types! {
	/// What has changed since this was last read.
	pub static Changes: Vec<String> = Vec::new();
}

/// Notes each change.
pub struct Watched;

impl Watched {
	fn note(change: String) -> Weight {
		Changes::mutate(|changes| changes.push(change));
		Weight::from_parts(1, 0)
	}
}

impl Watcher<AccountId32> for Watched {
	fn weight() -> Weight {
		Weight::from_parts(1, 0)
	}

	fn fact_changed(source: &Name, topic: &Name) -> Weight {
		Self::note(format!("{source} {topic}"))
	}

	fn source_changed(source: &Name) -> Weight {
		Self::note(source.to_string())
	}

	fn credential_changed(account: &AccountId32, issuer: &AccountId32, kind: &Name) -> Weight {
		let first = |account: &AccountId32| AsRef::<[u8]>::as_ref(account)[0];
		Self::note(format!("{kind} of {} by {}", first(account), first(issuer)))
	}
}

impl Config for Test {
	type ClockDrift = ClockDrift;
	type Currency = Balances;
	type DepositPerByte = DepositPerByte;
	type DepositPerItem = DepositPerItem;
	type MaxReporters = MaxReporters;
	type Time = Time;
	type Watcher = Watched;
	type WeightInfo = ();
}

pub(crate) const ALICE: u8 = 1;
pub(crate) const BOB: u8 = 2;
pub(crate) const CHARLIE: u8 = 3;
pub(crate) const DAVE: u8 = 4;
pub(crate) const EVE: u8 = 5;
pub(crate) const PAUPER: u8 = 6;

/// Runs a test on a chain with wealthy accounts and a poor one, then checks the invariants.
pub(crate) fn run(test: impl FnOnce()) {
	let mut balances: Vec<_> = (ALICE..=EVE).map(|who| (account(who), WEALTH)).collect();
	balances.push((account(PAUPER), PER_ITEM / 2));
	let mut storage = frame_system::GenesisConfig::<Test>::default()
		.build_storage()
		.expect("the genesis is valid");
	pallet_balances::GenesisConfig::<Test> {
		balances,
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.expect("the genesis is valid");
	let mut state = sp_io::TestExternalities::new(storage);
	state.execute_with(|| {
		System::set_block_number(1);
		Time::set(START);
		test();
		assert_eq!(Facts::do_try_state(), Ok(()));
	});
}

pub(crate) fn account(who: u8) -> AccountId32 {
	AccountId32::new([who; 32])
}

pub(crate) fn name(name: &str) -> Name {
	Name::new(name).expect("it is a name")
}

fn signed(who: u8) -> RuntimeOrigin {
	RuntimeOrigin::signed(account(who))
}

fn reporters(reporters: &[u8]) -> ReportersOf<Test> {
	let accounts: Vec<_> = reporters.iter().map(|who| account(*who)).collect();
	accounts.try_into().expect("they are few")
}

pub(crate) fn create(who: u8, source: &str, by: &[u8], quorum: u32) -> DispatchResult {
	Facts::create_source(signed(who), name(source), reporters(by), quorum, FRESH)
}

pub(crate) fn change(who: u8, source: &str, by: &[u8], quorum: u32, fresh: u32) -> DispatchResult {
	Facts::change_source(signed(who), name(source), reporters(by), quorum, fresh)
		.map(drop)
		.map_err(|error| error.error)
}

pub(crate) fn close(who: u8, source: &str) -> DispatchResult {
	Facts::close_source(signed(who), name(source))
		.map(drop)
		.map_err(|error| error.error)
}

/// Reports a value on the topic "t" that was observed now.
pub(crate) fn report(who: u8, source: &str, value: Value) -> DispatchResult {
	report_at(who, source, value, Time::get())
}

pub(crate) fn report_at(who: u8, source: &str, value: Value, observed: u64) -> DispatchResult {
	let response = H256::repeat_byte(who);
	Facts::report(
		signed(who),
		name(source),
		name("t"),
		value,
		observed,
		response,
	)
	.map(drop)
	.map_err(|error| error.error)
}

pub(crate) fn withdraw(who: u8, source: &str) -> DispatchResult {
	Facts::withdraw_report(signed(who), name(source), name("t"))
		.map(drop)
		.map_err(|error| error.error)
}

pub(crate) fn issue(who: u8, subject: u8, kind: &str, until: u64) -> DispatchResult {
	Facts::issue_credential(signed(who), account(subject), name(kind), until)
		.map(drop)
		.map_err(|error| error.error)
}

pub(crate) fn revoke(who: u8, subject: u8, kind: &str) -> DispatchResult {
	Facts::revoke_credential(signed(who), account(subject), name(kind))
		.map(drop)
		.map_err(|error| error.error)
}

/// Returns the fact of a source on the topic "t".
pub(crate) fn fact(source: &str) -> Option<Value> {
	Facts::fact(name(source), name("t"), None)
}

pub(crate) fn held(reason: HoldReason, who: u8) -> u64 {
	Balances::balance_on_hold(&reason.into(), &account(who))
}

pub(crate) fn wait(seconds: u64) {
	Time::set(Time::get() + seconds);
}

/// Returns the events of this pallet in this block.
pub(crate) fn events() -> Vec<FactsEvent> {
	let events = System::events().into_iter().map(|record| record.event);
	events
		.filter_map(|event| match event {
			RuntimeEvent::Facts(event) => Some(event),
			_ => None,
		})
		.collect()
}

pub(crate) fn last_event() -> FactsEvent {
	events().pop().expect("there are events")
}
