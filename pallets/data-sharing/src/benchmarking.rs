// SPDX-License-Identifier: Apache-2.0
//! Measures the cost of every call, of the work that happens automatically, and of the transaction
//! extension. Each benchmark sets up the most expensive case: names, texts and keys of maximum length, an
//! offer to pay, an epoch to start.

use crate::{
	conditions::Outside, exchange::account_bytes, extension::DirectCall, pallet::*, types::*,
};
use alloc::{format, string::ToString, vec, vec::Vec};
use codec::{Decode, Encode};
use frame_benchmarking::v2::*;
use frame_support::{
	dispatch::{DispatchInfo, PostDispatchInfo},
	traits::{
		fungible::{InspectHold, Mutate},
		ConstU32, Get, IsSubType,
	},
	BoundedVec,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use isthmus_conditions::{
	Comparison, Condition, FactTest, Name as FactName, Node, Text as FactText, Truth, Value,
	MAX_NODES,
};
use isthmus_keys::{
	header, seal_with, EncryptionKeyPair, EpochId, GrantScope, MasterSecret, Range, Suite,
};
use isthmus_sharing::{
	location::{MAX_LOCATIONS, MAX_LOCATION_SIZE},
	manifest, merkle, object,
	terms::{
		Footprint, LEAVES_PER_EPOCH, MAX_CHUNKS, MAX_ENCRYPTION_KEY_SIZE, MAX_GRANTS_PER_READER,
		MAX_NAME_SIZE, MAX_PROOF, MAX_SEALED_KEYS_SIZE, MAX_TEXT_SIZE, MAX_WATCHED,
	},
};
use polkadot_sdk::*;
use sp_core::H256;
use sp_io::hashing::sha2_256;
use sp_runtime::traits::{
	AsTransactionAuthorizedOrigin, DispatchTransaction, Dispatchable, SaturatedConversion,
	Saturating, Zero,
};

const KEY: RecordKey = H256::repeat_byte(7);

fn name() -> Vec<u8> {
	vec![b'n'; MAX_NAME_SIZE as usize]
}

fn text() -> Vec<u8> {
	vec![b't'; MAX_TEXT_SIZE as usize]
}

fn scope() -> Scope {
	Scope {
		dataset: 0,
		epoch: 0,
		from: 0,
		to: LEAVES_PER_EPOCH,
	}
}

fn expiry<T: Config>() -> BlockNumberFor<T> {
	10_000u32.into()
}

fn wealthy<T: Config>(what: &'static str) -> T::AccountId
where
	T::Currency: Mutate<T::AccountId>,
{
	let who: T::AccountId = account(what, 0, 0);
	// This is enough for the deposits of a few entries of maximum length.
	let most = Pallet::<T>::deposit(Footprint {
		entries: 100,
		bytes: 100_000,
	});
	T::Currency::set_balance(&who, most);
	frame_system::Pallet::<T>::set_block_number(1u32.into());
	frame_system::Pallet::<T>::set_extrinsic_index(0);
	who
}

fn signed<T: Config>(who: &T::AccountId) -> T::RuntimeOrigin {
	RawOrigin::Signed(who.clone()).into()
}

/// Creates a producer with dataset 0.
fn owner<T: Config>() -> Result<T::AccountId, BenchmarkError>
where
	T::Currency: Mutate<T::AccountId>,
{
	let owner = wealthy::<T>("owner");
	Pallet::<T>::register(signed::<T>(&owner), ProducerKind::School, name())?;
	Pallet::<T>::create_dataset(signed::<T>(&owner), name())?;
	Ok(owner)
}

/// Creates an account with an encryption key.
fn consumer<T: Config>() -> Result<T::AccountId, BenchmarkError>
where
	T::Currency: Mutate<T::AccountId>,
{
	let consumer = wealthy::<T>("consumer");
	let key = vec![0; MAX_ENCRYPTION_KEY_SIZE as usize];
	Pallet::<T>::set_encryption_key(signed::<T>(&consumer), key)?;
	Ok(consumer)
}

/// Stores the record [`KEY`] at leaf 0.
fn store<T: Config>(owner: &T::AccountId) -> Result<(), BenchmarkError> {
	DirectStore::<T>::put(());
	Pallet::<T>::store(signed::<T>(owner), KEY, 0, 0, 0, vec![0])?;
	Ok(())
}

/// Returns the longest object.
fn object() -> Object {
	Object {
		header: [7; object::HEADER_SIZE],
		length: object::MAX_LENGTH,
		root: KEY,
	}
}

/// Stores an object under a key and at a leaf with this number.
fn store_object<T: Config>(owner: &T::AccountId, number: u8) -> Result<(), BenchmarkError> {
	let key = H256::repeat_byte(number);
	Pallet::<T>::store_object(signed::<T>(owner), key, 0, 0, number.into(), object())?;
	Ok(())
}

/// Returns the most and longest locations. Those with another letter are others.
fn locations(letter: char) -> Vec<Vec<u8>> {
	let name = letter.to_string().repeat(MAX_LOCATION_SIZE as usize - 6);
	let numbers = 0..MAX_LOCATIONS;
	numbers
		.map(|number| format!("s3://{number}{name}").into_bytes())
		.collect()
}

/// Makes request 0, with an offer.
fn request<T: Config>(owner: &T::AccountId, consumer: &T::AccountId) -> Result<(), BenchmarkError> {
	request_for::<T>(owner, consumer, T::DepositPerItem::get())
}

/// The longest encryption key.
fn encryption_key() -> Vec<u8> {
	vec![1; MAX_ENCRYPTION_KEY_SIZE as usize]
}

/// A term that is paid for, of which something is left when the owner is paid.
fn term<T: Config>() -> BlockNumberFor<T> {
	T::DisputeWindow::get().saturating_add(1u32.into())
}

/// Goes to the block in which what was bought in block 1 can no longer be disputed, and `after` blocks more.
fn pass_window<T: Config>(after: u32) {
	let block = T::DisputeWindow::get().saturating_add((1 + after).into());
	frame_system::Pallet::<T>::set_block_number(block);
}

fn request_for<T: Config>(
	owner: &T::AccountId,
	consumer: &T::AccountId,
	offer: BalanceOf<T>,
) -> Result<(), BenchmarkError> {
	Pallet::<T>::request_access(
		signed::<T>(consumer),
		owner.clone(),
		scope(),
		text(),
		PurposeCode::Research,
		term::<T>(),
		offer,
		false,
		encryption_key(),
	)?;
	Ok(())
}

/// Grants what [`scope`] says, as an answer or unasked. Returns the grant's number.
fn authorize<T: Config>(
	owner: &T::AccountId,
	grantee: &T::AccountId,
	sealed_keys: Vec<u8>,
	answered: Option<Answered>,
) -> Result<GrantId, BenchmarkError> {
	Pallet::<T>::add_authorize(
		signed::<T>(owner),
		grantee.clone(),
		scope(),
		expiry::<T>(),
		None,
		sealed_keys,
		answered,
		None,
	)
	.map_err(|failed| failed.error)?;
	Ok(NextGrant::<T>::get() - 1)
}

fn grant<T: Config>(owner: &T::AccountId, grantee: &T::AccountId) -> Result<(), BenchmarkError> {
	let sealed_keys = vec![0; MAX_SEALED_KEYS_SIZE as usize];
	authorize::<T>(owner, grantee, sealed_keys, None)?;
	Ok(())
}

/// The number of nodes of the largest condition.
const MAX_CONDITION: u32 = MAX_NODES as u32;
/// The number of nodes of the smallest condition that tests all of [`watched`], and so has all places among what waits.
const LEAST_CONDITION: u32 = MAX_WATCHED + 1;

/// Returns the names of the facts that [`condition_of`] tests: the longest, of different sources.
fn watched() -> Result<Vec<(FactName, FactName)>, BenchmarkError> {
	let name = |letter: &str| {
		let name = letter.repeat(isthmus_conditions::MAX_NAME_SIZE);
		FactName::new(&name).map_err(|_| BenchmarkError::Stop("it is not a name"))
	};
	let topic = name("t")?;
	["a", "b", "c", "d"]
		.iter()
		.take(MAX_WATCHED as usize)
		.map(|letter| Ok((name(letter)?, topic.clone())))
		.collect()
}

/// Returns the longest text.
fn fact_value() -> Result<Value, BenchmarkError> {
	let text = FactText::new(&"x".repeat(isthmus_conditions::MAX_TEXT_SIZE));
	text.map(Value::Text)
		.map_err(|_| BenchmarkError::Stop("the text is too long"))
}

/// Returns a condition of the maximum number of nodes, of which the last test decides.
fn largest_condition() -> Result<Condition, BenchmarkError> {
	condition_of(MAX_CONDITION)
}

/// Returns a condition of this number of nodes, of which the last test decides. It tests all facts of [`watched`] if it has
/// at least [`LEAST_CONDITION`] nodes.
fn condition_of(nodes: u32) -> Result<Condition, BenchmarkError> {
	let (facts, constant) = (watched()?, fact_value()?);
	let tests = (nodes as usize).saturating_sub(1);
	let test = |(index, (source, topic)): (usize, &(FactName, FactName))| {
		Node::Fact(FactTest {
			source: source.clone(),
			topic: topic.clone(),
			oldest: Some(u32::MAX),
			comparison: match index + 1 == tests {
				true => Comparison::Equal,
				false => Comparison::NotEqual,
			},
			constant: constant.clone(),
		})
	};
	let nodes = facts.iter().cycle().take(tests).enumerate().map(test);
	Condition::new(Node::Any(nodes.collect()))
		.map_err(|_| BenchmarkError::Stop("the condition is too large"))
}

/// Returns a condition of the maximum number of tests of grants, all on dataset 0.
fn largest_of_grants<T: Config>(owner: &T::AccountId) -> Result<Condition, BenchmarkError> {
	let owner = <[u8; 32]>::decode(&mut &owner.encode()[..])
		.map_err(|_| BenchmarkError::Stop("an account has other bytes"))?;
	let tests = vec![Node::Granted { owner, dataset: 0 }; MAX_WATCHED as usize];
	Condition::new(Node::Any(tests)).map_err(|_| BenchmarkError::Stop("the condition is too large"))
}

/// Gives a grant under a condition, which is not met. Returns its number.
fn grant_while<T: Config>(
	owner: &T::AccountId,
	grantee: &T::AccountId,
	condition: Condition,
) -> Result<GrantId, BenchmarkError> {
	let sealed_keys = vec![0; MAX_SEALED_KEYS_SIZE as usize];
	Pallet::<T>::add_authorize(
		signed::<T>(owner),
		grantee.clone(),
		scope(),
		expiry::<T>(),
		None,
		sealed_keys,
		None,
		Some(condition),
	)
	.map_err(|failed| failed.error)?;
	Ok(NextGrant::<T>::get() - 1)
}

/// Makes what [`condition_of`] needs to be met.
fn meet<T: Config>() -> Result<(), BenchmarkError> {
	for (source, topic) in watched()? {
		T::Outside::make_fact(&source, &topic, fact_value()?);
	}
	Ok(())
}

/// Makes a request with an offer, and answers it. Returns the grant's number.
fn buy<T: Config>(
	owner: &T::AccountId,
	consumer: &T::AccountId,
) -> Result<GrantId, BenchmarkError> {
	request::<T>(owner, consumer)?;
	let (answered, sealed_keys) = answer::<T>();
	authorize::<T>(owner, consumer, sealed_keys, Some(answered))
}

/// Makes a request with an offer for a range that takes the most keys, and answers it with keys that are sealed to the
/// pair with this secret. Returns the grant's number.
fn buy_sealed<T: Config>(
	owner: &T::AccountId,
	consumer: &T::AccountId,
	secret: [u8; 32],
) -> Result<GrantId, BenchmarkError> {
	let recipient = EncryptionKeyPair::from_seed(Suite::XWing, [6; 16], secret).public_key();
	let scope = Scope {
		from: 1,
		to: LEAVES_PER_EPOCH - 1,
		..scope()
	};
	Pallet::<T>::request_access(
		signed::<T>(consumer),
		owner.clone(),
		scope,
		text(),
		PurposeCode::Research,
		term::<T>(),
		T::DepositPerItem::get(),
		false,
		recipient.to_bytes(),
	)
	.map_err(|failed| failed.error)?;
	let id = EpochId {
		genesis: account_bytes(&frame_system::Pallet::<T>::block_hash(
			BlockNumberFor::<T>::zero(),
		)),
		owner: account_bytes(owner),
		dataset: 0,
		epoch: 0,
	};
	let wrong = || BenchmarkError::Stop("the grant cannot be sealed");
	let sealed_for = GrantScope {
		grantee: account_bytes(consumer),
		range: Range::new(scope.from, scope.to).map_err(|_| wrong())?,
		expiry: expiry::<T>().saturated_into(),
	};
	let root = MasterSecret::from_bytes([7; 32]).epoch_root(&id);
	let sealed = seal_with(&root, &sealed_for, &recipient, [8; 64].into()).map_err(|_| wrong())?;
	let (answered, _) = answer::<T>();
	Pallet::<T>::add_authorize(
		signed::<T>(owner),
		consumer.clone(),
		scope,
		expiry::<T>(),
		None,
		sealed,
		Some(answered),
		None,
	)
	.map_err(|failed| failed.error)?;
	Ok(NextGrant::<T>::get() - 1)
}

/// Fills a reader's list with grants, of which the last has ended. Returns that grant.
fn full_list<T: Config>(
	owner: &T::AccountId,
	grantee: &T::AccountId,
) -> Result<GrantId, BenchmarkError> {
	for _ in 0..MAX_GRANTS_PER_READER {
		grant::<T>(owner, grantee)?;
	}
	let last = NextGrant::<T>::get() - 1;
	Pallet::<T>::revoke(signed::<T>(owner), last)?;
	Ok(last)
}

/// Returns what an answer to the last request says about it, and the longest sealed keys.
fn answer<T: Config>() -> (Answered, Vec<u8>) {
	let id = NextRequest::<T>::get() - 1;
	let request = Requests::<T>::get(id).expect("it was made");
	let digest = request.digest(sp_io::hashing::blake2_256);
	let sealed_keys = vec![0; MAX_SEALED_KEYS_SIZE as usize];
	(Answered { id, digest }, sealed_keys)
}

/// Returns the maximum number of chunks whose hashes fit in a manifest.
fn most_chunks<T: Config>() -> u32 {
	(T::MaxValueSize::get().saturating_sub(3) / 32).min(MAX_CHUNKS)
}

/// Returns a manifest without a header, in which every chunk except the first has the hash zero.
fn manifest_of(chunks: u32, first: H256) -> Vec<u8> {
	let mut bytes = vec![manifest::VERSION, 0, 0];
	bytes.extend(first.0);
	bytes.resize(3 + 32 * chunks as usize, 0);
	bytes
}

/// Returns the proof of the first of `2^height` chunks: its sibling hashes.
fn first_proof(height: u32) -> BoundedVec<H256, ConstU32<MAX_PROOF>> {
	let mut node = merkle::leaf_hash(sha2_256, &[0; 32]);
	let mut proof = Vec::new();
	for _ in 0..height {
		proof.push(node.into());
		node = merkle::node_hash(sha2_256, &node, &node);
	}
	proof.try_into().expect("a proof has at most 15 hashes")
}

fn policy<T: Config>() -> Policy<BalanceOf<T>, BlockNumberFor<T>> {
	Policy {
		price: T::DepositPerItem::get(),
		firm_price: None,
		longest_range: LEAVES_PER_EPOCH,
		longest_term: term::<T>(),
		consumers: ConsumerKinds::ALL,
		purposes: PurposeCodes::ALL,
	}
}

fn held<T: Config>(reason: HoldReason, who: &T::AccountId) -> BalanceOf<T> {
	T::Currency::balance_on_hold(&reason.into(), who)
}

#[benchmarks(
	where
		T: Send + Sync,
		T::Currency: Mutate<T::AccountId>,
		T::RuntimeCall: From<Call<T>>
			+ IsSubType<Call<T>>
			+ Dispatchable<Info = DispatchInfo, PostInfo = PostDispatchInfo>,
		T::RuntimeOrigin: AsTransactionAuthorizedOrigin,
)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn register() {
		let caller = wealthy::<T>("owner");
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			ProducerKind::School,
			name(),
		);
		assert!(Producers::<T>::contains_key(&caller));
	}

	#[benchmark]
	fn deregister() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		Pallet::<T>::remove_dataset(signed::<T>(&caller), 0)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()));
		assert!(!Producers::<T>::contains_key(&caller));
		Ok(())
	}

	#[benchmark]
	fn set_encryption_key() -> Result<(), BenchmarkError> {
		let caller = consumer::<T>()?;
		let key = vec![1; MAX_ENCRYPTION_KEY_SIZE as usize];
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), key.clone());
		assert_eq!(
			EncryptionKeys::<T>::get(&caller).map(|entry| entry.key.into_inner()),
			Some(key)
		);
		Ok(())
	}

	#[benchmark]
	fn remove_encryption_key() -> Result<(), BenchmarkError> {
		let caller = consumer::<T>()?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()));
		assert!(!EncryptionKeys::<T>::contains_key(&caller));
		Ok(())
	}

	#[benchmark]
	fn create_dataset() -> Result<(), BenchmarkError> {
		let caller = wealthy::<T>("owner");
		Pallet::<T>::register(signed::<T>(&caller), ProducerKind::School, name())?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), name());
		assert!(Datasets::<T>::contains_key(&caller, 0));
		Ok(())
	}

	#[benchmark]
	fn remove_dataset() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		Pallet::<T>::set_policy(
			signed::<T>(&caller),
			0,
			policy::<T>(),
			Some(largest_condition()?),
		)?;
		Pallet::<T>::set_locations(signed::<T>(&caller), 0, locations('a'))?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0);
		assert!(!Datasets::<T>::contains_key(&caller, 0));
		assert!(!Policies::<T>::contains_key(&caller, 0));
		Ok(())
	}

	#[benchmark]
	fn start_epoch() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0);
		assert_eq!(
			Datasets::<T>::get(&caller, 0).map(|dataset| dataset.epoch),
			Some(1)
		);
		Ok(())
	}

	#[benchmark]
	fn store(l: Linear<1, { T::MaxValueSize::get() }>) -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let value = vec![0; l as usize];
		DirectStore::<T>::put(());
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), KEY, 0, 0, 0, value);
		assert!(Records::<T>::contains_key(&caller, KEY));
		Ok(())
	}

	#[benchmark]
	fn remove_record() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		super::store::<T>(&caller)?;
		buy::<T>(&caller, &consumer)?;
		pass_window::<T>(1);
		Pallet::<T>::start_epoch(signed::<T>(&caller), 0)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), KEY);
		assert!(!Records::<T>::contains_key(&caller, KEY));
		assert!(!Leaves::<T>::contains_key((&caller, 0, 0, 0)));
		Ok(())
	}

	/// Measures an object of a dataset that already has one.
	#[benchmark]
	fn store_object() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		super::store_object::<T>(&caller, 1)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), KEY, 0, 0, 0, object());
		assert_eq!(Pallet::<T>::object_count(&caller, 0), 2);
		Ok(())
	}

	/// Measures the most expensive case: the last of the dataset's objects takes the place of the removed one.
	#[benchmark]
	fn remove_object() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		for number in 1..=3 {
			super::store_object::<T>(&caller, number)?;
		}
		buy::<T>(&caller, &consumer)?;
		pass_window::<T>(1);
		Pallet::<T>::start_epoch(signed::<T>(&caller), 0)?;
		let key = H256::repeat_byte(1);
		#[extrinsic_call]
		remove_record(RawOrigin::Signed(caller.clone()), key);
		assert!(!Records::<T>::contains_key(&caller, key));
		assert_eq!(
			Objects::<T>::get((&caller, 0, 0)),
			Some(H256::repeat_byte(3))
		);
		Ok(())
	}

	/// Measures the most and longest locations, which replace others.
	#[benchmark]
	fn set_locations() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		Pallet::<T>::set_locations(signed::<T>(&caller), 0, locations('a'))?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0, locations('b'));
		assert_eq!(Pallet::<T>::locations(&caller, 0), locations('b'));
		Ok(())
	}

	#[benchmark]
	fn free_leaf() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		super::store::<T>(&caller)?;
		Pallet::<T>::remove_record(signed::<T>(&caller), KEY)?;
		Pallet::<T>::start_epoch(signed::<T>(&caller), 0)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0, 0, 0);
		assert!(!Leaves::<T>::contains_key((&caller, 0, 0, 0)));
		Ok(())
	}

	/// Measures the most expensive case: the reader's list is full, and one grant on it has ended.
	#[benchmark]
	fn request_access() -> Result<(), BenchmarkError> {
		let (owner, caller) = (owner::<T>()?, consumer::<T>()?);
		full_list::<T>(&owner, &caller)?;
		let offer = T::DepositPerItem::get();
		let policy = Policy {
			firm_price: Some(offer),
			..policy::<T>()
		};
		Pallet::<T>::set_policy(signed::<T>(&owner), 0, policy, None)?;
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			owner,
			scope(),
			text(),
			PurposeCode::Research,
			term::<T>(),
			offer,
			true,
			encryption_key(),
		);
		assert_eq!(held::<T>(HoldReason::Offer, &caller), offer);
		Ok(())
	}

	/// Measures a request that is closed at once, because that costs more than shortening it.
	#[benchmark]
	fn cancel_request() -> Result<(), BenchmarkError> {
		let (owner, caller) = (owner::<T>()?, consumer::<T>()?);
		request_for::<T>(&owner, &caller, Zero::zero())?;
		let id = NextRequest::<T>::get() - 1;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller), id);
		assert!(!Requests::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn reject_request() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		request::<T>(&caller, &consumer)?;
		let id = NextRequest::<T>::get() - 1;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller), id, text());
		assert!(!Requests::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn add_authorize() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		request::<T>(&caller, &consumer)?;
		let (answered, sealed_keys) = answer::<T>();
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller),
			consumer.clone(),
			scope(),
			expiry::<T>(),
			None,
			sealed_keys,
			Some(answered),
			None,
		);
		assert!(!Requests::<T>::contains_key(answered.id));
		Ok(())
	}

	/// Measures an answer for which an ended grant is removed: the last of the reader's list.
	#[benchmark]
	fn add_authorize_to_full_list() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		let ended = full_list::<T>(&caller, &consumer)?;
		request::<T>(&caller, &consumer)?;
		let (answered, sealed_keys) = answer::<T>();
		#[extrinsic_call]
		add_authorize(
			RawOrigin::Signed(caller),
			consumer.clone(),
			scope(),
			expiry::<T>(),
			None,
			sealed_keys,
			Some(answered),
			None,
		);
		assert!(!Grants::<T>::contains_key(ended));
		assert_eq!(
			GrantsTo::<T>::iter_key_prefix(&consumer).count(),
			MAX_GRANTS_PER_READER as usize
		);
		Ok(())
	}

	/// Measures the revocation of a grant that was paid for, with a refund and a new epoch.
	#[benchmark]
	fn revoke() -> Result<(), BenchmarkError> {
		let (caller, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = buy::<T>(&caller, &consumer)?;
		// A payment that was made costs more to give back than one that is held.
		pass_window::<T>(0);
		Pallet::<T>::settle_one(Due::Payment(id));
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), id);
		assert_eq!(
			Grants::<T>::get(id).map(|grant| grant.state),
			Some(GrantState::Revoked)
		);
		assert_eq!(
			Datasets::<T>::get(&caller, 0).map(|dataset| dataset.epoch),
			Some(1)
		);
		Ok(())
	}

	/// Measures the dispute of a grant that opens, with the most keys, of which the one that is tried is wrong.
	#[benchmark]
	fn dispute(l: Linear<1, { T::MaxValueSize::get() }>) -> Result<(), BenchmarkError> {
		let (owner, caller) = (owner::<T>()?, consumer::<T>()?);
		let shown = vec![header::RECORD_VERSION; l as usize];
		DirectStore::<T>::put(());
		Pallet::<T>::store(signed::<T>(&owner), KEY, 0, 0, 1, shown.clone())?;
		let secret = [5; 32];
		let id = buy_sealed::<T>(&owner, &caller, secret)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), id, 1, secret, shown);
		assert_eq!(
			Grants::<T>::get(id).map(|grant| grant.state),
			Some(GrantState::Revoked)
		);
		assert_eq!(held::<T>(HoldReason::Offer, &caller), Zero::zero());
		Ok(())
	}

	#[benchmark]
	fn pay_owner() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = buy::<T>(&owner, &consumer)?;
		pass_window::<T>(0);
		let block = frame_system::Pallet::<T>::block_number();
		Backlog::<T>::put(block);
		#[block]
		{
			Pallet::<T>::begin_agenda(block);
		}
		assert!(!Payments::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn open_record(n: Linear<1, { most_chunks::<T>() }>) -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let manifest = manifest_of(n, H256::zero());
		DirectStore::<T>::put(());
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			KEY,
			0,
			0,
			0,
			n.into(),
			1,
			manifest,
		);
		assert_eq!(
			Records::<T>::get(&caller, KEY).map(|record| record.payload.chunks()),
			Some(n)
		);
		Ok(())
	}

	#[benchmark]
	fn store_chunk(l: Linear<1, { T::MaxValueSize::get() }>) -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let bytes = vec![7; l as usize];
		// The proof is longest for the largest power of two of chunks that fits.
		let height = most_chunks::<T>().ilog2();
		let chunks = 1u32 << height;
		let manifest = manifest_of(chunks, sp_io::hashing::blake2_256(&bytes).into());
		DirectStore::<T>::put(());
		Pallet::<T>::open_record(
			signed::<T>(&caller),
			KEY,
			0,
			0,
			0,
			u64::from(chunks) * u64::from(l),
			l,
			manifest,
		)?;
		DirectStore::<T>::put(());
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			KEY,
			0,
			first_proof(height),
			bytes,
		);
		assert_eq!(
			Records::<T>::get(&caller, KEY).map(|record| record.payload.arrived()),
			Some(1)
		);
		Ok(())
	}

	#[benchmark]
	fn set_policy() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let condition = Some(largest_condition()?);
		Pallet::<T>::set_policy(signed::<T>(&caller), 0, policy::<T>(), condition.clone())?;
		#[extrinsic_call]
		_(
			RawOrigin::Signed(caller.clone()),
			0,
			policy::<T>(),
			condition,
		);
		assert!(Policies::<T>::contains_key(&caller, 0));
		Ok(())
	}

	#[benchmark]
	fn clear_policy() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		Pallet::<T>::set_policy(
			signed::<T>(&caller),
			0,
			policy::<T>(),
			Some(largest_condition()?),
		)?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), 0);
		assert!(!Policies::<T>::contains_key(&caller, 0));
		Ok(())
	}

	#[benchmark]
	fn on_initialize_idle() {
		let block: BlockNumberFor<T> = 1_000u32.into();
		Backlog::<T>::put(block);
		frame_system::Pallet::<T>::set_block_number(block);
		#[block]
		{
			Pallet::<T>::begin_agenda(block);
		}
		assert!(!Backlog::<T>::exists());
	}

	#[benchmark]
	fn lapse_request() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		request::<T>(&owner, &consumer)?;
		let due = Due::Request(NextRequest::<T>::get() - 1);
		let block = T::RequestLifetime::get() + 1u32.into();
		Backlog::<T>::put(block);
		frame_system::Pallet::<T>::set_block_number(block);
		#[block]
		{
			Pallet::<T>::begin_agenda(block);
		}
		assert!(!Agenda::<T>::contains_key(block, due));
		Ok(())
	}

	#[benchmark]
	fn expire_grant() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = buy::<T>(&owner, &consumer)?;
		Backlog::<T>::put(expiry::<T>());
		frame_system::Pallet::<T>::set_block_number(expiry::<T>());
		#[block]
		{
			Pallet::<T>::begin_agenda(expiry::<T>());
		}
		assert_eq!(
			Grants::<T>::get(id).map(|grant| grant.state),
			Some(GrantState::Expired)
		);
		Ok(())
	}

	#[benchmark]
	fn forget_grant() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		for _ in 0..MAX_GRANTS_PER_READER {
			grant::<T>(&owner, &consumer)?;
		}
		let id = NextGrant::<T>::get() - 1;
		Pallet::<T>::revoke(signed::<T>(&owner), id)?;
		let due = T::GrantMemory::get() + 1u32.into();
		Backlog::<T>::put(due);
		frame_system::Pallet::<T>::set_block_number(due);
		#[block]
		{
			Pallet::<T>::begin_agenda(due);
		}
		assert!(!Grants::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn attach(n: Linear<{ LEAST_CONDITION }, { MAX_CONDITION }>) -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		grant::<T>(&owner, &consumer)?;
		let id = NextGrant::<T>::get() - 1;
		let mut grant =
			Grants::<T>::get(id).ok_or(BenchmarkError::Stop("the grant was not made"))?;
		meet::<T>()?;
		let condition = Some(condition_of(n)?);
		#[block]
		{
			Pallet::<T>::put_under_condition(&mut grant, condition)?;
			let attached = grant.condition.as_ref().expect("it was attached");
			Pallet::<T>::wait(Waiter::Grant(id), &attached.condition, &consumer);
		}
		assert_eq!(Waiting::<T>::iter_keys().count(), 2 * MAX_WATCHED as usize);
		Ok(())
	}

	#[benchmark]
	fn carry_out(n: Linear<{ LEAST_CONDITION }, { MAX_CONDITION }>) -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = grant_while::<T>(&owner, &consumer, condition_of(n)?)?;
		meet::<T>()?;
		let (source, topic) = watched()?.remove(0);
		let cause = Cause::Fact(source, topic);
		#[block]
		{
			Pallet::<T>::changed(&cause);
		}
		assert_eq!(
			Grants::<T>::get(id).map(|grant| grant.state),
			Some(GrantState::Active)
		);
		Ok(())
	}

	#[benchmark]
	fn detach() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		let id = grant_while::<T>(&owner, &consumer, largest_condition()?)?;
		let grant = Grants::<T>::get(id).ok_or(BenchmarkError::Stop("the grant was not made"))?;
		let attached = grant.condition.expect("it has one");
		#[block]
		{
			Pallet::<T>::detach(Waiter::Grant(id), &attached, &consumer, &owner);
		}
		assert_eq!(Waiting::<T>::iter_keys().count(), 0);
		Ok(())
	}

	#[benchmark]
	fn judge() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		// All grants of the list are read, because none is active.
		for _ in 0..MAX_GRANTS_PER_READER {
			grant::<T>(&owner, &consumer)?;
		}
		frame_system::Pallet::<T>::set_block_number(expiry::<T>());
		let condition = largest_of_grants::<T>(&owner)?;
		let truth;
		#[block]
		{
			truth = Pallet::<T>::truth_for(&condition, &consumer, &Zero::zero(), 0);
		}
		assert_eq!(truth, Truth::False);
		Ok(())
	}

	#[benchmark]
	fn fire() -> Result<(), BenchmarkError> {
		let (owner, consumer) = (owner::<T>()?, consumer::<T>()?);
		request_for::<T>(&owner, &consumer, Zero::zero())?;
		let request = NextRequest::<T>::get() - 1;
		let condition = Some(largest_condition()?);
		Pallet::<T>::withdraw_when(signed::<T>(&consumer), request, condition)?;
		meet::<T>()?;
		let (source, topic) = watched()?.remove(0);
		let cause = Cause::Fact(source, topic);
		#[block]
		{
			Pallet::<T>::changed(&cause);
		}
		assert!(!Requests::<T>::contains_key(request));
		Ok(())
	}

	#[benchmark]
	fn withdraw_when() -> Result<(), BenchmarkError> {
		let (owner, caller) = (owner::<T>()?, consumer::<T>()?);
		request::<T>(&owner, &caller)?;
		let id = NextRequest::<T>::get() - 1;
		let condition = Some(largest_condition()?);
		Pallet::<T>::withdraw_when(signed::<T>(&caller), id, condition.clone())?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller), id, condition);
		assert_eq!(Withdrawals::<T>::get(id), Some(1));
		Ok(())
	}

	#[benchmark]
	fn embargo() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		super::store::<T>(&caller)?;
		let condition = Some(largest_condition()?);
		Pallet::<T>::embargo(signed::<T>(&caller), KEY, condition.clone())?;
		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), KEY, condition);
		assert_eq!(Embargoes::<T>::get(&caller, KEY), Some(1));
		Ok(())
	}

	#[benchmark]
	fn direct_call() -> Result<(), BenchmarkError> {
		let caller = owner::<T>()?;
		let call: T::RuntimeCall = Call::<T>::store {
			key: KEY,
			dataset: 0,
			epoch: 0,
			leaf: 0,
			value: vec![0],
		}
		.into();
		let info = DispatchInfo::default();
		#[block]
		{
			DirectCall::<T>::new()
				.test_run(signed::<T>(&caller), &call, &info, 0, 0, |_| {
					assert!(DirectStore::<T>::exists());
					Ok(().into())
				})
				.map_err(|_| BenchmarkError::Stop("the extension rejects nothing"))?
				.map_err(|_| BenchmarkError::Stop("the substitute does not fail"))?;
		}
		assert!(!DirectStore::<T>::exists());
		Ok(())
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
