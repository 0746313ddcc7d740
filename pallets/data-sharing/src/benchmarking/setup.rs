// SPDX-License-Identifier: Apache-2.0
//! What the benchmarks measure on: accounts, datasets, records, requests, grants and conditions of maximum size.

use crate::{conditions::Outside, exchange::account_bytes, pallet::*, types::*};
use alloc::{format, string::ToString, vec, vec::Vec};
use codec::{Decode, Encode};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{
		fungible::{InspectHold, Mutate},
		ConstU32, Get,
	},
	BoundedVec,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use isthmus_conditions::{
	Comparison, Condition, FactTest, Name as FactName, Node, Text as FactText, Value,
};
use isthmus_keys::{seal_with, EncryptionKeyPair, EpochId, GrantScope, MasterSecret, Range, Suite};
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
use sp_runtime::traits::{SaturatedConversion, Saturating, Zero};

pub(super) const KEY: RecordKey = H256::repeat_byte(7);

pub(super) fn name() -> Vec<u8> {
	vec![b'n'; MAX_NAME_SIZE as usize]
}

pub(super) fn text() -> Vec<u8> {
	vec![b't'; MAX_TEXT_SIZE as usize]
}

pub(super) fn scope() -> Scope {
	Scope {
		dataset: 0,
		epoch: 0,
		from: 0,
		to: LEAVES_PER_EPOCH,
	}
}

pub(super) fn expiry<T: Config>() -> BlockNumberFor<T> {
	10_000u32.into()
}

pub(super) fn wealthy<T: Config>(what: &'static str) -> T::AccountId
where
	T::Currency: Mutate<T::AccountId>,
{
	let who: T::AccountId = account(what, 0, 0);
	// This is enough for the deposits of four full lists of grants.
	let most = Pallet::<T>::deposit(Footprint {
		entries: 1_000,
		bytes: 1_000_000,
	});
	T::Currency::set_balance(&who, most);
	frame_system::Pallet::<T>::set_block_number(1u32.into());
	frame_system::Pallet::<T>::set_extrinsic_index(0);
	who
}

pub(super) fn signed<T: Config>(who: &T::AccountId) -> T::RuntimeOrigin {
	RawOrigin::Signed(who.clone()).into()
}

/// Creates a producer with dataset 0.
pub(super) fn owner<T: Config>() -> Result<T::AccountId, BenchmarkError>
where
	T::Currency: Mutate<T::AccountId>,
{
	let owner = wealthy::<T>("owner");
	Pallet::<T>::register(signed::<T>(&owner), ProducerKind::School, name())?;
	Pallet::<T>::create_dataset(signed::<T>(&owner), name())?;
	Ok(owner)
}

/// Creates a producer without datasets.
pub(super) fn producer<T: Config>(what: &'static str) -> Result<T::AccountId, BenchmarkError>
where
	T::Currency: Mutate<T::AccountId>,
{
	let who = wealthy::<T>(what);
	Pallet::<T>::register(signed::<T>(&who), ProducerKind::School, name())?;
	Ok(who)
}

/// Creates an account with an encryption key.
pub(super) fn consumer<T: Config>() -> Result<T::AccountId, BenchmarkError>
where
	T::Currency: Mutate<T::AccountId>,
{
	let consumer = wealthy::<T>("consumer");
	let key = vec![0; MAX_ENCRYPTION_KEY_SIZE as usize];
	Pallet::<T>::set_encryption_key(signed::<T>(&consumer), key)?;
	Ok(consumer)
}

/// Stores the record [`KEY`] at leaf 0.
pub(super) fn store<T: Config>(owner: &T::AccountId) -> Result<(), BenchmarkError> {
	DirectStore::<T>::put(());
	Pallet::<T>::store(signed::<T>(owner), KEY, 0, 0, 0, vec![0])?;
	Ok(())
}

/// Returns the longest object.
pub(super) fn object() -> Object {
	Object {
		header: [7; object::HEADER_SIZE],
		length: object::MAX_LENGTH,
		root: KEY,
	}
}

/// Stores an object under a key and at a leaf with this number.
pub(super) fn store_object<T: Config>(
	owner: &T::AccountId,
	number: u8,
) -> Result<(), BenchmarkError> {
	let key = H256::repeat_byte(number);
	Pallet::<T>::store_object(signed::<T>(owner), key, 0, 0, number.into(), object())?;
	Ok(())
}

/// Returns the most and longest locations. Those with another letter are others.
pub(super) fn locations(letter: char) -> Vec<Vec<u8>> {
	let name = letter.to_string().repeat(MAX_LOCATION_SIZE as usize - 6);
	let numbers = 0..MAX_LOCATIONS;
	numbers
		.map(|number| format!("s3://{number}{name}").into_bytes())
		.collect()
}

/// Makes request 0, with an offer.
pub(super) fn request<T: Config>(
	owner: &T::AccountId,
	consumer: &T::AccountId,
) -> Result<(), BenchmarkError> {
	request_for::<T>(owner, consumer, T::DepositPerItem::get())
}

/// The longest encryption key.
pub(super) fn encryption_key() -> Vec<u8> {
	vec![1; MAX_ENCRYPTION_KEY_SIZE as usize]
}

/// A term that is paid for, of which something is left when the owner is paid.
pub(super) fn term<T: Config>() -> BlockNumberFor<T> {
	T::DisputeWindow::get().saturating_add(1u32.into())
}

/// Goes to the block in which what was bought in block 1 can no longer be disputed, and `after` blocks more.
pub(super) fn pass_window<T: Config>(after: u32) {
	let block = T::DisputeWindow::get().saturating_add((1 + after).into());
	frame_system::Pallet::<T>::set_block_number(block);
}

pub(super) fn request_for<T: Config>(
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
pub(super) fn authorize<T: Config>(
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

pub(super) fn grant<T: Config>(
	owner: &T::AccountId,
	grantee: &T::AccountId,
) -> Result<(), BenchmarkError> {
	let sealed_keys = vec![0; MAX_SEALED_KEYS_SIZE as usize];
	authorize::<T>(owner, grantee, sealed_keys, None)?;
	Ok(())
}

/// The number of nodes of the largest condition.
pub(super) const MAX_CONDITION: u32 = isthmus_conditions::MAX_NODES as u32;
/// The number of nodes of the smallest condition that tests all of [`watched`], and so has all places among what waits.
pub(super) const LEAST_CONDITION: u32 = MAX_WATCHED + 1;

/// Returns the names of the facts that [`condition_of`] tests: the longest, of different sources.
pub(super) fn watched() -> Result<Vec<(FactName, FactName)>, BenchmarkError> {
	facts(["a", "b", "c", "d"])
}

/// Returns the names of other facts, as many as [`watched`].
pub(super) fn others() -> Result<Vec<(FactName, FactName)>, BenchmarkError> {
	facts(["e", "f", "g", "h"])
}

fn facts(sources: [&str; 4]) -> Result<Vec<(FactName, FactName)>, BenchmarkError> {
	let name = |letter: &str| {
		let name = letter.repeat(isthmus_conditions::MAX_NAME_SIZE);
		FactName::new(&name).map_err(|_| BenchmarkError::Stop("it is not a name"))
	};
	let topic = name("t")?;
	sources
		.iter()
		.take(MAX_WATCHED as usize)
		.map(|letter| Ok((name(letter)?, topic.clone())))
		.collect()
}

/// Returns the longest text.
pub(super) fn fact_value() -> Result<Value, BenchmarkError> {
	let text = FactText::new(&"x".repeat(isthmus_conditions::MAX_TEXT_SIZE));
	text.map(Value::Text)
		.map_err(|_| BenchmarkError::Stop("the text is too long"))
}

/// Returns a condition of the maximum number of nodes, of which the last test decides.
pub(super) fn largest_condition() -> Result<Condition, BenchmarkError> {
	condition_of(MAX_CONDITION)
}

/// Returns a condition of this number of nodes, of which the last test decides. It tests all facts of [`watched`] if it has
/// at least [`LEAST_CONDITION`] nodes.
pub(super) fn condition_of(nodes: u32) -> Result<Condition, BenchmarkError> {
	any_of(watched()?, nodes, Comparison::Equal)
}

/// Returns a condition of this number of nodes about these facts, which is not met while they have [`fact_value`]. All of
/// its tests have to be evaluated for that.
pub(super) fn unmet(
	facts: Vec<(FactName, FactName)>,
	nodes: u32,
) -> Result<Condition, BenchmarkError> {
	any_of(facts, nodes, Comparison::NotEqual)
}

fn any_of(
	facts: Vec<(FactName, FactName)>,
	nodes: u32,
	last: Comparison,
) -> Result<Condition, BenchmarkError> {
	let constant = fact_value()?;
	let tests = (nodes as usize).saturating_sub(1);
	let test = |(index, (source, topic)): (usize, &(FactName, FactName))| {
		Node::Fact(FactTest {
			source: source.clone(),
			topic: topic.clone(),
			oldest: Some(u32::MAX),
			comparison: match index + 1 == tests {
				true => last,
				false => Comparison::NotEqual,
			},
			constant: constant.clone(),
		})
	};
	let nodes = facts.iter().cycle().take(tests).enumerate().map(test);
	Condition::new(Node::Any(nodes.collect()))
		.map_err(|_| BenchmarkError::Stop("the condition is too large"))
}

/// Returns a condition of the maximum number of tests of grants, each on a dataset of its own, and gives the consumer the
/// most grants of each that a reader can have, all of which have ended: so all of them are read.
pub(super) fn largest_of_grants<T: Config>(
	owner: &T::AccountId,
	consumer: &T::AccountId,
) -> Result<Condition, BenchmarkError> {
	for dataset in 0..MAX_WATCHED {
		// The owner has dataset 0 already.
		if dataset > 0 {
			let name = vec![b'a'.saturating_add(dataset as u8); MAX_NAME_SIZE as usize];
			Pallet::<T>::create_dataset(signed::<T>(owner), name)?;
		}
		for _ in 0..MAX_GRANTS_PER_READER {
			let scope = Scope { dataset, ..scope() };
			Pallet::<T>::add_authorize(
				signed::<T>(owner),
				consumer.clone(),
				scope,
				expiry::<T>(),
				None,
				vec![0; MAX_SEALED_KEYS_SIZE as usize],
				None,
				None,
			)
			.map_err(|failed| failed.error)?;
		}
	}
	frame_system::Pallet::<T>::set_block_number(expiry::<T>());
	let owner = <[u8; 32]>::decode(&mut &owner.encode()[..])
		.map_err(|_| BenchmarkError::Stop("an account has other bytes"))?;
	let tests = (0..MAX_WATCHED).map(|dataset| Node::Granted { owner, dataset });
	Condition::new(Node::Any(tests.collect()))
		.map_err(|_| BenchmarkError::Stop("the condition is too large"))
}

/// Gives a grant under a condition, which is not met. Returns its number.
pub(super) fn grant_while<T: Config>(
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
pub(super) fn meet<T: Config>() -> Result<(), BenchmarkError> {
	make::<T>(watched()?)
}

/// Makes facts, each with [`fact_value`].
pub(super) fn make<T: Config>(facts: Vec<(FactName, FactName)>) -> Result<(), BenchmarkError> {
	for (source, topic) in facts {
		T::Outside::make_fact(&source, &topic, fact_value()?);
	}
	Ok(())
}

/// Makes a request with an offer, and answers it. Returns the grant's number.
pub(super) fn buy<T: Config>(
	owner: &T::AccountId,
	consumer: &T::AccountId,
) -> Result<GrantId, BenchmarkError> {
	request::<T>(owner, consumer)?;
	let (answered, sealed_keys) = answer::<T>();
	authorize::<T>(owner, consumer, sealed_keys, Some(answered))
}

/// Makes a request with an offer for a range that takes the most keys, and answers it with keys that are sealed to the
/// pair with this secret. Returns the grant's number.
pub(super) fn buy_sealed<T: Config>(
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
pub(super) fn full_list<T: Config>(
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
pub(super) fn answer<T: Config>() -> (Answered, Vec<u8>) {
	let id = NextRequest::<T>::get() - 1;
	let request = Requests::<T>::get(id).expect("it was made");
	let digest = request.digest(sp_io::hashing::blake2_256);
	let sealed_keys = vec![0; MAX_SEALED_KEYS_SIZE as usize];
	(Answered { id, digest }, sealed_keys)
}

/// Returns the maximum number of chunks whose hashes fit in a manifest.
pub(super) fn most_chunks<T: Config>() -> u32 {
	(T::MaxValueSize::get().saturating_sub(3) / 32).min(MAX_CHUNKS)
}

/// Returns a manifest without a header, in which every chunk except the first has the hash zero.
pub(super) fn manifest_of(chunks: u32, first: H256) -> Vec<u8> {
	let mut bytes = vec![manifest::VERSION, 0, 0];
	bytes.extend(first.0);
	bytes.resize(3 + 32 * chunks as usize, 0);
	bytes
}

/// Returns the proof of the first of `2^height` chunks: its sibling hashes.
pub(super) fn first_proof(height: u32) -> BoundedVec<H256, ConstU32<MAX_PROOF>> {
	let mut node = merkle::leaf_hash(sha2_256, &[0; 32]);
	let mut proof = Vec::new();
	for _ in 0..height {
		proof.push(node.into());
		node = merkle::node_hash(sha2_256, &node, &node);
	}
	proof.try_into().expect("a proof has at most 15 hashes")
}

pub(super) fn policy<T: Config>() -> Policy<BalanceOf<T>, BlockNumberFor<T>> {
	Policy {
		price: T::DepositPerItem::get(),
		firm_price: None,
		longest_range: LEAVES_PER_EPOCH,
		longest_term: term::<T>(),
		consumers: ConsumerKinds::ALL,
		purposes: PurposeCodes::ALL,
	}
}

pub(super) fn held<T: Config>(reason: HoldReason, who: &T::AccountId) -> BalanceOf<T> {
	T::Currency::balance_on_hold(&reason.into(), who)
}
