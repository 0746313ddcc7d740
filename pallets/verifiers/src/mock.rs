// SPDX-License-Identifier: Apache-2.0
//! A minimal runtime for the verifiers pallet, with a session and the collective in which verifiers vote.

use crate::{self as pallet_verifiers, *};
use codec::{Decode, DecodeAll, Encode};
use frame_support::{
	derive_impl, parameter_types,
	traits::{fungible::InspectHold, OnInitialize},
	weights::Weight,
};
use frame_system::{EnsureNever, EnsureRoot};
use pallet_collective::{EnsureMembers, Instance1, PrimeDefaultVote};
use polkadot_sdk::*;
use sp_consensus_grandpa::{AuthorityId, KEY_TYPE};
use sp_core::{
	ed25519, proof_of_possession::ProofOfPossessionGenerator, ConstU32, ConstU64, Pair, H256,
};
use sp_runtime::{
	impl_opaque_keys,
	testing::UintAuthorityId,
	traits::{BlakeTwo256, ConvertInto, Dispatchable, Hash as _, OpaqueKeys},
	BoundToRuntimeAppPublic, BuildStorage, DispatchError, DispatchResult, RuntimeAppPublic,
};
use std::collections::BTreeSet;

pub(crate) type Error = pallet_verifiers::Error<Test>;
pub(crate) type VerifiersEvent = pallet_verifiers::Event<Test>;
pub(crate) type VerifiersCall = pallet_verifiers::Call<Test>;
pub(crate) type CouncilError = pallet_collective::Error<Test, Instance1>;
type Block = frame_system::mocking::MockBlock<Test>;

frame_support::construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		Session: pallet_session,
		Verifiers: pallet_verifiers,
		Council: pallet_collective::<Instance1>,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountData = pallet_balances::AccountData<u64>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type RuntimeHoldReason = RuntimeHoldReason;
}

impl_opaque_keys! {
	pub struct Keys {
		pub dummy: UintAuthorityId,
		pub grandpa: GrandpaKeys,
	}
}

/// Stands for the GRANDPA pallet, which has the keys' type.
pub struct GrandpaKeys;

impl BoundToRuntimeAppPublic for GrandpaKeys {
	type Public = AuthorityId;
}

/// Records the voters that the session passes to GRANDPA.
pub struct Voters;

impl pallet_session::SessionHandler<u64> for Voters {
	const KEY_TYPE_IDS: &'static [sp_runtime::KeyTypeId] = &[UintAuthorityId::ID, KEY_TYPE];

	fn on_genesis_session<Ks: OpaqueKeys>(voters: &[(u64, Ks)]) {
		CurrentVoters::set(keys(voters));
	}

	fn on_new_session<Ks: OpaqueKeys>(changed: bool, voters: &[(u64, Ks)], _: &[(u64, Ks)]) {
		if let Some((delay, finalized)) = Noted::take() {
			let since = System::block_number();
			Forced::set(Some((keys(voters), since, delay, finalized)));
			SetId::mutate(|set| *set += 1);
		}
		// A change while another one waits is lost.
		if Grandpa::is_changing() {
			return;
		}
		if changed {
			CurrentVoters::set(keys(voters));
			SetId::mutate(|set| *set += 1);
		} else {
			assert_eq!(CurrentVoters::get(), keys(voters));
		}
	}

	fn on_disabled(_: u32) {}
}

/// Stands for the GRANDPA pallet, which decides when voters change.
pub struct Grandpa;

impl Finality<u64> for Grandpa {
	fn current_set() -> u64 {
		SetId::get()
	}

	fn is_changing() -> bool {
		Forced::get().is_some()
	}

	fn forced_after() -> Option<u64> {
		Forced::get().map(|(_, _, _, finalized)| finalized)
	}

	fn note_stalled(delay: u64, finalized: u64) -> DispatchResult {
		Noted::set(Some((delay, finalized)));
		Ok(())
	}
}

impl Grandpa {
	/// Ends the wait of a forced change that is due, as the GRANDPA pallet does at the end of a block.
	fn finish() {
		if let Some((voters, since, delay, _)) = Forced::get() {
			if since + delay <= System::block_number() {
				CurrentVoters::set(voters);
				Forced::set(None);
			}
		}
	}
}

/// The numbers of voters and accounts, the block that announced them, the delay, and the last finalized block.
pub(crate) type ForcedChange = (Vec<(u64, u64)>, u64, u64, u64);

fn keys<Ks: OpaqueKeys>(voters: &[(u64, Ks)]) -> Vec<(u64, u64)> {
	let key = |keys: &Ks| keys.get::<UintAuthorityId>(UintAuthorityId::ID);
	voters
		.iter()
		.map(|(who, keys)| (*who, key(keys).expect("the keys have one").0))
		.collect()
}

pub(crate) const KEY_DEPOSIT: u64 = 10;
pub(crate) const DEPOSIT: u64 = 100;
pub(crate) const MAX_VERIFIERS: u32 = 6;
pub(crate) const SESSION: u64 = 5;
pub(crate) const MOTION_DURATION: u64 = 20;
pub(crate) const UNBONDING: u32 = 3;
pub(crate) const UPGRADE_DELAY: u64 = 30;
pub(crate) const STALLED: u64 = 12;
pub(crate) const RESTART_DELAY: u64 = 20;
pub(crate) const FORCED_DELAY: u64 = 7;
pub(crate) const WEALTH: u64 = 1_000;

pub(crate) const ALICE: u64 = 1;
pub(crate) const BOB: u64 = 2;
pub(crate) const CHARLIE: u64 = 3;
pub(crate) const DAVE: u64 = 4;
/// A producer with session keys, as [`FERDIE`] and [`GINA`] are.
pub(crate) const EVE: u64 = 5;
pub(crate) const FERDIE: u64 = 6;
pub(crate) const GINA: u64 = 7;
/// A producer without session keys.
pub(crate) const KEYLESS: u64 = 8;
/// An account with session keys that is not a producer.
pub(crate) const STRANGER: u64 = 9;
/// A producer with session keys that cannot afford the deposit.
pub(crate) const PAUPER: u64 = 10;

parameter_types! {
	pub static CurrentVoters: Vec<(u64, u64)> = vec![];
	pub static SetId: u64 = 0;
	pub static Forgotten: u32 = 0;
	pub static Noted: Option<(u64, u64)> = None;
	pub static Forced: Option<ForcedChange> = None;
	pub static Registered: BTreeSet<u64> = BTreeSet::new();
	pub const MembersChangeWeight: Weight = Weight::from_parts(7, 0);
	pub const MaxProposalWeight: Weight = Weight::MAX;
}

impl pallet_session::Config for Test {
	type Currency = Balances;
	type DisablingStrategy = ();
	type KeyDeposit = ConstU64<KEY_DEPOSIT>;
	type Keys = Keys;
	type NextSessionRotation = pallet_session::PeriodicSessions<SessionBlocks<Test>, ConstU64<0>>;
	type RuntimeEvent = RuntimeEvent;
	type SessionHandler = Voters;
	type SessionManager = Verifiers;
	type ShouldEndSession = pallet_session::PeriodicSessions<SessionBlocks<Test>, ConstU64<0>>;
	type ValidatorId = u64;
	type ValidatorIdOf = ConvertInto;
	type WeightInfo = ();
}

/// The registry of producers.
pub struct Producers;

impl frame_support::traits::Contains<u64> for Producers {
	fn contains(who: &u64) -> bool {
		Registered::get().contains(who)
	}
}

/// The motions in the collective.
pub struct CouncilMotions;

impl Motions<VerifiersCall, u64> for CouncilMotions {
	fn ayes(call: VerifiersCall) -> Vec<u64> {
		let motion = BlakeTwo256::hash_of(&RuntimeCall::Verifiers(call));
		let votes = pallet_collective::Voting::<Test, Instance1>::get(motion).encode();
		let votes = <Option<(u32, u32, Vec<u64>)>>::decode(&mut &votes[..]);
		votes
			.expect("as the collective encodes it")
			.map_or_else(Vec::new, |(_, _, ayes)| ayes)
	}

	fn forget_closed() {
		Forgotten::mutate(|times| *times += 1);
	}
}

impl Config for Test {
	type Currency = Balances;
	type Deposit = ConstU64<DEPOSIT>;
	type Finality = Grandpa;
	type MaxVerifiers = ConstU32<MAX_VERIFIERS>;
	type Members = Council;
	type MembersChangeWeight = MembersChangeWeight;
	type Motion = EnsureMembers<u64, Instance1, 1>;
	type Motions = CouncilMotions;
	type Producers = Producers;
	type UnbondingSessions = ConstU32<UNBONDING>;
	type WeightInfo = weights::SubstrateWeight<Test>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Producers;
}

#[cfg(feature = "runtime-benchmarks")]
impl BenchmarkHelper<u64> for Producers {
	fn register(who: &u64) {
		Registered::mutate(|producers| producers.insert(*who));
	}
}

impl pallet_collective::Config<Instance1> for Test {
	type Consideration = ();
	type DefaultVote = PrimeDefaultVote;
	type DisapproveOrigin = EnsureRoot<u64>;
	type KillOrigin = EnsureRoot<u64>;
	type MaxMembers = ConstU32<MAX_VERIFIERS>;
	type MaxProposalWeight = MaxProposalWeight;
	type MaxProposals = ConstU32<20>;
	type MotionDuration = ConstU64<MOTION_DURATION>;
	type Proposal = RuntimeCall;
	type RuntimeEvent = RuntimeEvent;
	type RuntimeOrigin = RuntimeOrigin;
	type SetMembersOrigin = EnsureNever<()>;
	type WeightInfo = ();
}

/// Builds a genesis with these verifiers, in this order, and sessions of `session_blocks` blocks.
pub(crate) fn build(verifiers: &[u64], session_blocks: u64) -> sp_io::TestExternalities {
	build_with_delays(verifiers, session_blocks, RESTART_DELAY, FORCED_DELAY)
}

/// Builds a genesis as [`build`] does, with these delays of a restart of finality.
pub(crate) fn build_with_delays(
	verifiers: &[u64],
	session_blocks: u64,
	restart_delay: u64,
	forced_delay: u64,
) -> sp_io::TestExternalities {
	let with_keys = |who: &u64| (*who, *who, key(*who));
	RuntimeGenesisConfig {
		balances: pallet_balances::GenesisConfig {
			balances: (ALICE..=PAUPER)
				.map(|who| match who {
					PAUPER => (who, DEPOSIT),
					_ => (who, WEALTH),
				})
				.collect(),
			..Default::default()
		},
		session: pallet_session::GenesisConfig {
			keys: verifiers.iter().map(with_keys).collect(),
			..Default::default()
		},
		verifiers: pallet_verifiers::GenesisConfig {
			session_blocks,
			upgrade_delay: UPGRADE_DELAY,
			stalled_blocks: STALLED,
			restart_delay,
			forced_delay,
		},
		..Default::default()
	}
	.build_storage()
	.expect("the genesis builds")
	.into()
}

/// Runs a test on a new chain with these verifiers, at block 1, then checks the state's invariants. The
/// constants above say which accounts are producers and which have session keys.
pub(crate) fn with_verifiers(verifiers: &[u64], test: impl FnOnce()) {
	Registered::set([EVE, FERDIE, GINA, KEYLESS, PAUPER].into());
	SetId::set(0);
	Noted::set(None);
	Forced::set(None);
	build(verifiers, SESSION).execute_with(|| {
		System::set_block_number(1);
		for who in [EVE, FERDIE, GINA, STRANGER, PAUPER] {
			set_keys(who, who).expect("the keys are the account's own");
		}
		test();
		check();
	});
}

/// Runs a test with the usual four verifiers.
pub(crate) fn with_four(test: impl FnOnce()) {
	with_verifiers(&[ALICE, BOB, CHARLIE, DAVE], test);
}

/// Checks the state's invariants, including those between pallets.
pub(crate) fn check() {
	assert_eq!(Verifiers::do_try_state(), Ok(()));
	assert_eq!(
		pallet_collective::Members::<Test, Instance1>::get(),
		verifiers()
	);
	assert!(!CurrentVoters::get().is_empty());
	assert!(!Session::queued_keys().is_empty());
}

pub(crate) fn verifiers() -> Vec<u64> {
	pallet_verifiers::Verifiers::<Test>::get()
		.keys()
		.copied()
		.collect()
}

pub(crate) fn applicants() -> Vec<u64> {
	let mut list: Vec<_> = Applicants::<Test>::iter_keys().collect();
	list.sort_unstable();
	list
}

/// Returns the accounts whose nodes vote on blocks.
pub(crate) fn voters() -> Vec<u64> {
	CurrentVoters::get()
		.into_iter()
		.map(|(who, _)| who)
		.collect()
}

pub(crate) fn key(number: u64) -> Keys {
	Keys {
		dummy: UintAuthorityId(number),
		grandpa: pair(number).public().into(),
	}
}

/// Returns the GRANDPA key pair with this number.
pub(crate) fn pair(number: u64) -> ed25519::Pair {
	let mut seed = [0; 32];
	seed[..8].copy_from_slice(&number.to_le_bytes());
	ed25519::Pair::from_seed(&seed)
}

/// Returns two prevotes of the GRANDPA key with this number, for block 7 in a round of a set, for the blocks with these
/// hashes.
pub(crate) fn votes(
	number: u64,
	set: u64,
	round: u64,
	hashes: [u8; 2],
) -> EquivocationProofOf<Test> {
	let pair = pair(number);
	let vote = |hash| {
		let target = (H256::repeat_byte(hash), 7_u64);
		// The kind of the message: a prevote.
		let signature = pair.sign(&(0_u8, target, round, set).encode());
		(target, signature)
	};
	let proof = (set, 0_u8, round, pair.public(), hashes.map(vote));
	DecodeAll::decode_all(&mut &proof.encode()[..]).expect("this is the layout of a proof")
}

/// Reports two votes.
pub(crate) fn report(proof: EquivocationProofOf<Test>) -> DispatchResult {
	let proof = Box::new(proof);
	RuntimeCall::from(VerifiersCall::report_equivocation { proof })
		.dispatch(frame_system::RawOrigin::Authorized.into())
		.map(|_| ())
		.map_err(|failed| failed.error)
}

pub(crate) fn set_keys(who: u64, number: u64) -> DispatchResult {
	let dummy = UintAuthorityId(number)
		.sign(&who.encode())
		.expect("the test key signs anything");
	let grandpa = pair(number).generate_proof_of_possession(&who.encode());
	Session::set_keys(Some(who).into(), key(number), (dummy, grandpa).encode())
}

pub(crate) fn held(who: u64) -> u64 {
	Balances::balance_on_hold(&HoldReason::Verifier.into(), &who)
}

/// Dispatches a call as a transaction of this account does: reverted if it fails.
pub(crate) fn submit(who: u64, call: impl Into<RuntimeCall>) -> DispatchResult {
	call.into()
		.dispatch(Some(who).into())
		.map(|_| ())
		.map_err(|failed| failed.error)
}

/// Starts blocks up to this number.
pub(crate) fn run_to(block: u64) {
	while System::block_number() < block {
		System::set_block_number(System::block_number() + 1);
		Session::on_initialize(System::block_number());
		Verifiers::on_initialize(System::block_number());
		Grandpa::finish();
	}
}

/// Makes blocks until this session starts.
pub(crate) fn run_to_session(session: u32) {
	while Session::current_index() < session {
		run_to(System::block_number() + 1);
	}
}

/// Makes blocks until the next session starts.
pub(crate) fn next_session() {
	run_to_session(Session::current_index() + 1);
}

pub(crate) fn last_event() -> VerifiersEvent {
	System::read_events_for_pallet::<VerifiersEvent>()
		.pop()
		.expect("there is an event of the verifiers pallet")
}

/// A motion of the council.
#[derive(Clone, Copy)]
pub(crate) struct Motion {
	pub(crate) hash: H256,
	pub(crate) index: u32,
}

impl Motion {
	/// Proposes a call.
	pub(crate) fn propose(
		who: u64,
		threshold: u32,
		call: VerifiersCall,
	) -> Result<Self, DispatchError> {
		let call = RuntimeCall::from(call);
		let hash = <Test as frame_system::Config>::Hashing::hash_of(&call);
		let index = pallet_collective::ProposalCount::<Test, Instance1>::get();
		let length_bound = call.encoded_size() as u32;
		submit(
			who,
			pallet_collective::Call::propose {
				threshold,
				proposal: Box::new(call),
				length_bound,
			},
		)?;
		Ok(Self { hash, index })
	}

	pub(crate) fn vote(self, who: u64, approve: bool) -> DispatchResult {
		submit(
			who,
			pallet_collective::Call::vote {
				proposal: self.hash,
				index: self.index,
				approve,
			},
		)
	}

	/// Closes the motion, and returns the result of the call; `None` if the motion was rejected.
	pub(crate) fn close(self) -> Result<Option<DispatchResult>, DispatchError> {
		let weight = Weight::MAX;
		let before = System::event_count();
		submit(
			STRANGER,
			pallet_collective::Call::close {
				proposal_hash: self.hash,
				index: self.index,
				proposal_weight_bound: weight,
				length_bound: 100,
			},
		)?;
		Ok(executed(before))
	}
}

/// Returns the result of the motion that was executed after the first `before` events.
pub(crate) fn executed(before: u32) -> Option<DispatchResult> {
	System::events()
		.into_iter()
		.skip(before as usize)
		.find_map(|record| match record.event {
			RuntimeEvent::Council(pallet_collective::Event::Executed { result, .. }) => {
				Some(result)
			}
			_ => None,
		})
}

/// Decides on a call with as few of the verifiers as are more than two thirds, all of whom agree.
pub(crate) fn decide(call: VerifiersCall) -> DispatchResult {
	let all = verifiers();
	decide_by(&all[..all.len() * 2 / 3 + 1], call)
}

/// Decides on a call with these verifiers, all of whom agree.
pub(crate) fn decide_by(voters: &[u64], call: VerifiersCall) -> DispatchResult {
	let before = System::event_count();
	let motion =
		Motion::propose(voters[0], voters.len() as u32, call).expect("a verifier can propose");
	if voters.len() == 1 {
		return executed(before).expect("one vote is enough");
	}
	for who in voters {
		motion.vote(*who, true).expect("a verifier may vote");
	}
	motion
		.close()
		.expect("there are enough votes")
		.expect("the motion was carried")
}

pub(crate) fn admit(who: u64) -> VerifiersCall {
	VerifiersCall::admit { who }
}

pub(crate) fn remove(who: u64) -> VerifiersCall {
	VerifiersCall::remove { who }
}

/// Returns the call for a restart while the first set votes.
pub(crate) fn restart(finalized: u64, absent: &[u64]) -> VerifiersCall {
	restart_in_set(0, finalized, absent)
}

pub(crate) fn restart_in_set(set: u64, finalized: u64, absent: &[u64]) -> VerifiersCall {
	let absent = absent.to_vec().try_into().expect("they are few");
	VerifiersCall::restart_finality {
		set,
		finalized,
		absent,
	}
}
