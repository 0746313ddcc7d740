// SPDX-License-Identifier: Apache-2.0
//! A minimal runtime with the data-sharing pallet, and the helpers that the tests share.

use crate::{self as pallet_data_sharing, *};
use codec::Encode;
use core::time::Duration;
use frame_support::{
	derive_impl,
	dispatch::GetDispatchInfo,
	parameter_types,
	traits::{fungible::InspectHold, ConstU64, Contains, OnInitialize, PalletInfoAccess, UnixTime},
	weights::{constants::ParityDbWeight, Weight},
};
use isthmus_conditions::{Condition, Name as FactName, Value};
use isthmus_sharing::{Answer, QueryError};
use polkadot_sdk::*;
use sp_core::H256;
use sp_io::hashing::sha2_256;
use sp_runtime::{
	generic,
	testing::{Header, UintAuthorityId},
	traits::DispatchTransaction,
	transaction_validity::{InvalidTransaction, TransactionValidityError},
	BuildStorage, DispatchError, DispatchResult, ModuleError,
};
use std::collections::BTreeMap;

pub(crate) type Extrinsic =
	generic::UncheckedExtrinsic<u64, RuntimeCall, UintAuthorityId, DirectCall<Test>>;
pub(crate) type Block = generic::Block<Header, Extrinsic>;
pub(crate) type Executive = frame_executive::Executive<
	Test,
	Block,
	frame_system::ChainContext<Test>,
	Test,
	AllPalletsWithSystem,
>;
pub(crate) type SharingCall = pallet_data_sharing::Call<Test>;
pub(crate) type Error = pallet_data_sharing::Error<Test>;
pub(crate) type SharingEvent = pallet_data_sharing::Event<Test>;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		Utility: pallet_utility,
		Sharing: pallet_data_sharing,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountData = pallet_balances::AccountData<u64>;
	type DbWeight = ParityDbWeight;
	type MultiBlockMigrator = migrations::Stepped<Test>;
	type SingleBlockMigrations = migrations::ToV1<Test>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type RuntimeHoldReason = RuntimeHoldReason;
}

impl pallet_utility::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type RuntimeCall = RuntimeCall;
	type PalletsOrigin = OriginCaller;
	type WeightInfo = ();
}

pub(crate) const PER_ITEM: u64 = 100;
pub(crate) const MAX_VALUE: u32 = 512;
pub(crate) const LIFETIME: u64 = 10;
pub(crate) const MEMORY: u64 = 5;
pub(crate) const NOTICE: u64 = 3;
pub(crate) const WINDOW: u64 = 4;
pub(crate) const SLASH: u64 = 60;

parameter_types! {
	pub static DepositPerItem: u64 = PER_ITEM;
	pub const DepositPerByte: u64 = 1;
	pub static MaxValueSize: u32 = MAX_VALUE;
	pub static RequestLifetime: u64 = LIFETIME;
	pub const GrantMemory: u64 = MEMORY;
	pub const CancelNotice: u64 = NOTICE;
	pub static DisputeWindow: u64 = WINDOW;
	pub const DisputeSlash: u64 = SLASH;
	pub static MaxEndingsPerBlock: u32 = 3;
	pub static Verifiers: Vec<u64> = vec![];
	pub static MaxCarriedOut: u32 = 4;
	pub static MaxWaiting: u32 = 2_000;
	/// The facts of all sources: the value by source and topic, and when it was observed.
	pub static Facts: BTreeMap<(FactName, FactName), (Value, u64)> = BTreeMap::new();
	/// When credentials end, by account, issuer and kind.
	pub static Credentials: BTreeMap<(u64, u64, FactName), u64> = BTreeMap::new();
	/// The block's time, in seconds.
	pub static Time: u64 = 1_000_000;
}

impl UnixTime for Time {
	fn now() -> Duration {
		Duration::from_secs(Time::get())
	}
}

/// Contains the accounts in [`Verifiers`], which stand in for the verifiers pallet.
pub struct MustStay;

impl Contains<u64> for MustStay {
	fn contains(who: &u64) -> bool {
		Verifiers::get().contains(who)
	}
}

/// For how many seconds facts count.
pub(crate) const FRESH: u64 = 600;

/// Contains [`Facts`] and [`Credentials`], which stand in for the facts pallet.
pub struct World;

impl Outside<u64> for World {
	fn fact(source: &FactName, topic: &FactName, oldest: Option<u32>) -> Fact {
		let age = oldest.map_or(FRESH, |oldest| FRESH.min(oldest.into()));
		let facts = Facts::get();
		let fact = facts.get(&(source.clone(), topic.clone()));
		let fresh = fact.filter(|(_, observed)| Time::get().saturating_sub(*observed) <= age);
		fresh
			.map(|(value, observed)| Fact {
				value: Some(value.clone()),
				until: Some(observed + age + 1),
			})
			.unwrap_or_default()
	}

	fn credential(account: &u64, issuer: &u64, kind: &FactName) -> Option<u64> {
		Credentials::get()
			.get(&(*account, *issuer, kind.clone()))
			.copied()
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn make_fact(source: &FactName, topic: &FactName, value: Value) {
		let about = (source.clone(), topic.clone());
		Facts::mutate(|facts| facts.insert(about, (value, Time::get())));
	}
}

pub(crate) fn name(name: &str) -> FactName {
	FactName::new(name).expect("it is a name")
}

/// Reports a fact on the topic "t" as the facts pallet would. Returns the weight of what that carried out.
pub(crate) fn report(source: &str, value: i64) -> Weight {
	let about = (name(source), name("t"));
	Facts::mutate(|facts| facts.insert(about.clone(), (Value::Integer(value), Time::get())));
	Sharing::changed(&Cause::Fact(about.0, about.1))
}

impl Config for Test {
	type BlockInterval = ConstU64<1>;
	type Carried = RuntimeCall;
	type MustStay = MustStay;
	type CancelNotice = CancelNotice;
	type DisputeSlash = DisputeSlash;
	type DisputeWindow = DisputeWindow;
	type DefaultLongestWindow = DisputeWindow;
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type DepositPerItem = DepositPerItem;
	type DepositPerByte = DepositPerByte;
	type MaxValueSize = MaxValueSize;
	type RequestLifetime = RequestLifetime;
	type GrantMemory = GrantMemory;
	type MaxCarriedOut = MaxCarriedOut;
	type MaxEndingsPerBlock = MaxEndingsPerBlock;
	type MaxWaiting = MaxWaiting;
	type Outside = World;
	type Time = Time;
	type WeightInfo = weights::SubstrateWeight<Test>;
}

pub(crate) const SCHOOL: u64 = 1;
pub(crate) const OFFICE: u64 = 2;
pub(crate) const COMPANY: u64 = 3;
pub(crate) const RIVAL: u64 = 4;
pub(crate) const STRANGER: u64 = 5;
pub(crate) const PAUPER: u64 = 6;
pub(crate) const WEALTH: u64 = 1_000_000;

/// Returns a chain at block 1, in its first transaction, with wealthy accounts and a poor one.
pub(crate) fn new_test_ext() -> sp_io::TestExternalities {
	let mut balances: Vec<_> = (SCHOOL..=STRANGER).map(|who| (who, WEALTH)).collect();
	balances.push((PAUPER, PER_ITEM));
	let mut storage = frame_system::GenesisConfig::<Test>::default()
		.build_storage()
		.unwrap();
	pallet_balances::GenesisConfig::<Test> {
		balances,
		..Default::default()
	}
	.assimilate_storage(&mut storage)
	.unwrap();
	let mut ext = sp_io::TestExternalities::new(storage);
	ext.execute_with(|| {
		System::set_block_number(1);
		System::set_extrinsic_index(0);
	});
	ext
}

/// Runs a test on a new chain and checks the state's invariants at its end.
pub(crate) fn on_chain(test: impl FnOnce()) {
	new_test_ext().execute_with(|| {
		test();
		assert_eq!(Sharing::do_try_state(), Ok(()));
	});
}

/// Returns the calls with which [`SCHOOL`] registers and creates dataset 0.
pub(crate) fn school_with_dataset() -> [SharingCall; 2] {
	[
		SharingCall::register {
			kind: ProducerKind::School,
			name: b"High School".to_vec(),
		},
		SharingCall::create_dataset {
			name: b"grades".to_vec(),
		},
	]
}

/// Runs a test as [`on_chain`] does, on a chain with a school that has dataset 0, "grades", and a company
/// and a rival that have encryption keys.
pub(crate) fn with_dataset(test: impl FnOnce()) {
	on_chain(|| {
		for call in school_with_dataset() {
			submit(SCHOOL, call).unwrap();
		}
		for who in [COMPANY, RIVAL] {
			submit(
				who,
				SharingCall::set_encryption_key {
					key: vec![who as u8; 34],
				},
			)
			.unwrap();
		}
		test();
	});
}

/// Dispatches a call as a transaction does: through the extension, and rolled back if it fails. Returns the call's
/// error, also if the extension rejects the transaction because of it.
pub(crate) fn submit(who: u64, call: impl Into<RuntimeCall>) -> DispatchResult {
	let call = call.into();
	let (info, size) = (call.get_dispatch_info(), call.encoded_size());
	DirectCall::<Test>::new()
		.dispatch_transaction(Some(who).into(), call, &info, size, 0)
		.map_err(rejected)?
		.map(|_| ())
		.map_err(|failed| failed.error)
}

/// Returns the error for which the extension rejected a transaction.
fn rejected(error: TransactionValidityError) -> DispatchError {
	let TransactionValidityError::Invalid(InvalidTransaction::Custom(code)) = error else {
		panic!("rejected for another reason: {error:?}");
	};
	DispatchError::Module(ModuleError {
		index: <Sharing as PalletInfoAccess>::index() as u8,
		error: [code, 0, 0, 0],
		message: None,
	})
}

/// Initializes all blocks up to this one.
pub(crate) fn run_to(block: u64) {
	while System::block_number() < block {
		System::set_block_number(System::block_number() + 1);
		Sharing::on_initialize(System::block_number());
	}
}

/// Returns the last event, which must be one of this pallet's.
pub(crate) fn last_event() -> SharingEvent {
	match System::events().pop().expect("there is an event").event {
		RuntimeEvent::Sharing(event) => event,
		other => panic!("not an event of data sharing: {other:?}"),
	}
}

pub(crate) fn held(reason: HoldReason, who: u64) -> u64 {
	Balances::balance_on_hold(&reason.into(), &who)
}

/// Returns an account's total balance, free and held.
pub(crate) fn total(who: u64) -> u64 {
	Balances::free_balance(who) + Balances::reserved_balance(who)
}

pub(crate) fn key(number: u8) -> RecordKey {
	H256::repeat_byte(number)
}

pub(crate) fn scope(from: u64, to: u64) -> Scope {
	Scope {
		dataset: 0,
		epoch: 0,
		from,
		to,
	}
}

/// Returns a `store` call for the school's dataset 0, epoch 0. The leaf has the same number as the key.
pub(crate) fn store(number: u8) -> SharingCall {
	SharingCall::store {
		key: key(number),
		dataset: 0,
		epoch: 0,
		leaf: number.into(),
		value: vec![number; 8],
	}
}

/// Returns an object of one chunk.
pub(crate) fn object_of(number: u8) -> Object {
	Object {
		header: [number; 77],
		length: 1_000,
		root: key(number),
	}
}

/// Returns a `store_object` call for the school's dataset 0, epoch 0. The leaf has the same number as the key.
pub(crate) fn store_object(number: u8) -> SharingCall {
	SharingCall::store_object {
		key: key(number),
		dataset: 0,
		epoch: 0,
		leaf: number.into(),
		object: object_of(number),
	}
}

/// Returns a `set_locations` call for the school's dataset 0.
pub(crate) fn set_locations(urls: &[&str]) -> SharingCall {
	SharingCall::set_locations {
		dataset: 0,
		locations: urls.iter().map(|url| url.as_bytes().to_vec()).collect(),
	}
}

/// Returns a `request_access` call for leaves of the school's dataset 0, for 20 blocks.
pub(crate) fn request(scope: Scope, offer: u64) -> SharingCall {
	SharingCall::request_access {
		owner: SCHOOL,
		scope,
		purpose: b"research".to_vec(),
		code: PurposeCode::Unspecified,
		term: 20,
		offer,
		firm: false,
		// The company's registered key.
		key: vec![COMPANY as u8; 34],
	}
}

/// Returns what an answer says about a request: its number, and its digest if it is open.
pub(crate) fn answered(id: RequestId) -> Answered {
	let digest = Requests::<Test>::get(id)
		.map(|request| request.digest(sp_io::hashing::blake2_256))
		.unwrap_or_default();
	Answered { id, digest }
}

/// Returns an `add_authorize` call for a range until this block.
pub(crate) fn authorize(
	grantee: u64,
	scope: Scope,
	expiry: u64,
	request: Option<RequestId>,
) -> SharingCall {
	SharingCall::add_authorize {
		grantee,
		scope,
		expiry,
		until: None,
		sealed_keys: b"sealed".to_vec(),
		request: request.map(answered),
		condition: None,
	}
}

pub(crate) fn condition(text: &str) -> Condition {
	text.parse().expect("it is a condition")
}

/// Returns an `add_authorize` call for all leaves until block 1,000, while a condition is met.
pub(crate) fn authorize_while(grantee: u64, text: &str) -> SharingCall {
	let mut call = authorize(grantee, scope(0, 100), 1_000, None);
	if let SharingCall::add_authorize { condition, .. } = &mut call {
		*condition = Some(self::condition(text));
	}
	call
}

pub(crate) fn query(caller: u64, number: u8) -> Result<Answer<u64>, QueryError> {
	Sharing::query(&caller, &SCHOOL, key(number))
}

/// Returns the hash by which nodes identify a chunk.
pub(crate) fn content_hash(bytes: &[u8]) -> H256 {
	sp_io::hashing::blake2_256(bytes).into()
}

/// A large record. Its leaf has the same number as its key.
pub(crate) struct Large {
	pub(crate) number: u8,
	pub(crate) chunk_size: u32,
	pub(crate) chunks: Vec<Vec<u8>>,
}

/// The header of the large records in these tests. The chain does not interpret it.
pub(crate) const HEADER: &[u8] = b"header";

impl Large {
	/// Makes a record with this number of chunks. Each has 4 bytes, except that the last has 3.
	pub(crate) fn new(number: u8, chunks: u8) -> Self {
		let mut chunks: Vec<_> = (0..chunks).map(|index| vec![number, index, 0, 0]).collect();
		if let Some(last) = chunks.last_mut() {
			last.pop();
		}
		Self {
			number,
			chunk_size: 4,
			chunks,
		}
	}

	pub(crate) fn length(&self) -> u64 {
		self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
	}

	pub(crate) fn manifest(&self) -> Vec<u8> {
		let mut bytes = vec![1, 0, HEADER.len() as u8];
		bytes.extend(HEADER);
		for chunk in &self.chunks {
			bytes.extend(content_hash(chunk).0);
		}
		bytes
	}

	fn leaves(&self) -> Vec<[u8; 32]> {
		self.chunks
			.iter()
			.map(|chunk| sha2_256(&[&[0], &content_hash(chunk).0[..]].concat()))
			.collect()
	}

	pub(crate) fn root(&self) -> H256 {
		tree_root(&self.leaves()).into()
	}

	pub(crate) fn proof(&self, index: usize) -> Vec<H256> {
		tree_proof(&self.leaves(), index)
	}

	pub(crate) fn open(&self) -> SharingCall {
		SharingCall::open_record {
			key: key(self.number),
			dataset: 0,
			epoch: 0,
			leaf: self.number.into(),
			length: self.length(),
			chunk_size: self.chunk_size,
			manifest: self.manifest(),
		}
	}

	pub(crate) fn chunk(&self, index: u8) -> SharingCall {
		SharingCall::store_chunk {
			key: key(self.number),
			index: index.into(),
			proof: self
				.proof(index.into())
				.try_into()
				.expect("a proof is short"),
			bytes: self.chunks[usize::from(index)].clone(),
		}
	}
}

/// Computes MTH of RFC 6962, section 2.1, written exactly as in the RFC.
pub(crate) fn tree_root(leaves: &[[u8; 32]]) -> [u8; 32] {
	match leaves {
		[] => sha2_256(&[]),
		[leaf] => *leaf,
		_ => {
			let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
			sha2_256(&[&[1], &tree_root(left)[..], &tree_root(right)].concat())
		}
	}
}

/// Computes PATH of RFC 6962, section 2.1.1, written exactly as in the RFC.
fn tree_proof(leaves: &[[u8; 32]], index: usize) -> Vec<H256> {
	if leaves.len() < 2 {
		return vec![];
	}
	let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
	let (mut path, neighbour) = if index < left.len() {
		(tree_proof(left, index), tree_root(right))
	} else {
		(tree_proof(right, index - left.len()), tree_root(left))
	};
	path.push(neighbour.into());
	path
}
