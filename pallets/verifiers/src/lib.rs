// SPDX-License-Identifier: Apache-2.0
//! # Verifiers
//!
//! The registered producers whose nodes verify blocks: the paper's "the block needs to be verified by
//! more than half of the nodes; then it will be linked" (section III.C).
//!
//! ## Overview
//!
//! A **verifier** is a producer whose node imports every block, which verifies it, and then votes for it. A
//! block is linked, that is, finalized, when more than two thirds of the verifiers have voted for it or a
//! descendant. This is more than the paper requires, and it is safe with dishonest nodes, which a bare
//! majority is not. GRANDPA does the voting on blocks; this pallet decides who votes.
//!
//! A producer that has set session keys **applies**. More than half of the verifiers **admit** an
//! applicant or **remove** a verifier. They vote in a collective, whose members this pallet keeps equal
//! to the verifiers. A verifier may **leave**. There is always at least one.
//!
//! A change takes effect with the session after the next one. The verifiers at genesis are the accounts
//! named in `session.keys`. They do not have to be registered, and they have no deposit.
//!
//! The deposit vouches for the verifier's votes. `withdraw` releases it at once, as an applicant's node has not voted.
//! After `leave` or removal it stays held for [`Config::UnbondingSessions`] sessions from the last session in which the
//! node votes.
//!
//! A verifier whose key signed two different votes in one round **equivocated**. Anyone may report that with the two
//! signed votes, in a transaction without a signer and a fee: [`Pallet::report_equivocation`]. The chain checks the
//! signatures, burns the deposit, and takes the verifier off the list. The usual cause is one key on two machines.
//!
//! ## A worked example
//!
//! Alice, Bob, Charlie and Dave are the verifiers; Eve is a producer with a node.
//!
//! 1. Eve: `session.setKeys(keys, proof)` with the result of her node's `author_rotateKeysWithOwner(EVE)`,
//!    then `verifiers.apply()`.
//! 2. Alice: `council.propose(3, verifiers.admit(EVE), length)`, as three of four are more than half.
//!    Alice, Bob and Charlie: `council.vote(hash, index, true)`. Any account:
//!    `council.close(hash, index, weight, length)`.
//! 3. Eve is a verifier, and can vote on others. Her node votes on blocks two sessions later.
//!
//! ## What the runtime must do
//!
//! - Make this pallet the session's [`pallet_session::SessionManager`], with sessions of
//!   [`SessionBlocks`].
//! - Keep the accounts in [`MustStay`] registered as producers.
//! - Filter out `session.purgeKeys`. A verifier may renew its session keys at any time, but must not remove
//!   them: GRANDPA would get an empty set of voters, which stops the chain. [`Pallet::remove_keys`] removes
//!   keys that no session needs.
//!
//! ## Files
//!
//! `impls`: what the calls do. `equivocation`: the check of a report, and its consequences. `session`: what the session and the registry of producers need from this
//! pallet. `try_state`: the invariants of the state. [`weights`]: the costs of the calls.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod equivocation;
mod impls;
#[cfg(test)]
mod mock;
mod session;
#[cfg(test)]
mod tests;
mod try_state;
pub mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use session::{MustStay, SessionBlocks};
pub use types::{Bond, Voter};
pub use weights::WeightInfo;

use polkadot_sdk::*;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{Inspect, InspectHold, MutateHold},
			ChangeMembers, Contains, InitializeMembers,
		},
	};
	use frame_system::pallet_prelude::*;
	use sp_consensus_grandpa::{AuthorityId, EquivocationProof, RoundNumber, SetId};
	use sp_runtime::{traits::Zero, BoundedBTreeMap};

	/// The number of a session, counted from 0.
	pub type SessionIndex = u32;
	/// The pallet's own currency. The session's supertrait has a different one.
	pub(crate) type CurrencyOf<T> = <T as Config>::Currency;
	type Weights<T> = <T as Config>::WeightInfo;
	/// An amount of the currency.
	pub type BalanceOf<T> =
		<CurrencyOf<T> as Inspect<<T as frame_system::Config>::AccountId>>::Balance;
	/// The verifiers, ordered by account, each with the deposit held from it.
	pub type VerifiersOf<T> = BoundedBTreeMap<
		<T as frame_system::Config>::AccountId,
		BalanceOf<T>,
		<T as Config>::MaxVerifiers,
	>;

	/// Two votes of one key in one round, with their signatures.
	pub type EquivocationProofOf<T> =
		EquivocationProof<<T as frame_system::Config>::Hash, BlockNumberFor<T>>;

	/// The number of blocks in a session, by default.
	const DEFAULT_SESSION_BLOCKS: u32 = 50;

	/// The pallet's parameters.
	#[pallet::config]
	pub trait Config:
		polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>>
		+ pallet_session::Config<ValidatorId = <Self as frame_system::Config>::AccountId>
	{
		/// The currency of the deposits.
		type Currency: InspectHold<Self::AccountId, Reason: From<HoldReason>>
			+ MutateHold<Self::AccountId>;

		/// The deposit held from an applicant, and from a verifier.
		#[pallet::constant]
		type Deposit: Get<BalanceOf<Self>>;

		/// For how many sessions after its last one a former verifier's deposit stays held, and its equivocations can be
		/// reported.
		#[pallet::constant]
		type UnbondingSessions: Get<SessionIndex>;

		/// The maximum number of verifiers. At least 1.
		#[pallet::constant]
		type MaxVerifiers: Get<u32>;

		/// The number of the current set of GRANDPA's voters. No one votes in a later one.
		type CurrentSet: Get<SetId>;

		/// The registered producers.
		type Producers: Contains<Self::AccountId>;

		/// The origin that may admit and remove verifiers: more than half of the verifiers.
		type MajorityOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The members who vote as [`Config::MajorityOrigin`]; the pallet keeps them equal to the
		/// verifiers.
		type Members: ChangeMembers<Self::AccountId> + InitializeMembers<Self::AccountId>;

		/// The maximum weight of a change to [`Config::Members`].
		type MembersChangeWeight: Get<Weight>;

		/// The weights of the calls.
		type WeightInfo: WeightInfo;

		/// What the benchmarks need from the runtime.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
	}

	/// Why an account's funds are held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The deposit of a verifier or applicant.
		#[codec(index = 0)]
		Verifier,
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// The verifiers, each with the deposit held from it: zero for the verifiers at genesis.
	#[pallet::storage]
	pub type Verifiers<T: Config> = StorageValue<_, VerifiersOf<T>, ValueQuery>;

	/// The applicants, each with the deposit held from it.
	#[pallet::storage]
	pub type Applicants<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, BalanceOf<T>, OptionQuery>;

	/// The deposits of former verifiers, until they are released.
	#[pallet::storage]
	pub type Unbonding<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, Bond<BalanceOf<T>>, OptionQuery>;

	/// The GRANDPA keys that vote, or voted within [`Config::UnbondingSessions`], each with its verifier.
	#[pallet::storage]
	pub type VotingKeys<T: Config> =
		StorageMap<_, Blake2_128Concat, AuthorityId, Voter<T::AccountId>, OptionQuery>;

	/// The number of blocks in a session. Fixed at genesis.
	#[pallet::storage]
	pub type SessionLength<T: Config> = StorageValue<_, BlockNumberFor<T>, ValueQuery>;

	/// The genesis configuration. The first verifiers are the accounts named in `session.keys`.
	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// The number of blocks in a session. A change of verifiers takes effect within two sessions. The
		/// first block of a session has no transactions, so short sessions cost throughput.
		pub session_blocks: BlockNumberFor<T>,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			Self {
				session_blocks: DEFAULT_SESSION_BLOCKS.into(),
			}
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			assert!(
				!self.session_blocks.is_zero(),
				"verifiers.sessionBlocks is 0: a session has at least one block"
			);
			SessionLength::<T>::put(self.session_blocks);
			// The session pallet precedes this one in the runtime, so its genesis is already built. If it
			// names no account, no node starts, because GRANDPA rejects a genesis without authorities.
			let verifiers: BTreeMap<_, _> = pallet_session::Validators::<T>::get()
				.into_iter()
				.map(|who| (who, Zero::zero()))
				.collect();
			T::Members::initialize_members(&verifiers.keys().cloned().collect::<Vec<_>>());
			Verifiers::<T>::put(
				VerifiersOf::<T>::try_from(verifiers)
					.expect("session.keys names more verifiers than MaxVerifiers"),
			);
		}
	}

	/// The pallet's events.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A producer applied to become a verifier.
		Applied {
			/// The producer.
			who: T::AccountId,
			/// The amount held from it.
			deposit: BalanceOf<T>,
		},
		/// An applicant withdrew; its deposit was released.
		Withdrawn {
			/// The applicant.
			who: T::AccountId,
		},
		/// More than half of the verifiers admitted an applicant.
		Admitted {
			/// The new verifier.
			who: T::AccountId,
			/// The first session in which its node votes on blocks.
			session: SessionIndex,
		},
		/// More than half of the verifiers removed a verifier. Its deposit stays held for a while.
		Removed {
			/// The former verifier.
			who: T::AccountId,
			/// The first session in which its node no longer votes on blocks.
			session: SessionIndex,
		},
		/// A verifier left. Its deposit stays held for a while.
		Left {
			/// The former verifier.
			who: T::AccountId,
			/// The first session in which its node no longer votes on blocks.
			session: SessionIndex,
		},
		/// An account removed its session keys; their deposit was released.
		KeysRemoved {
			/// The account.
			who: T::AccountId,
		},
		/// A verifier's key signed two different votes in one round. Its deposit was burned.
		Equivocated {
			/// The verifier or former verifier.
			who: T::AccountId,
			/// GRANDPA's number of the set in which it voted twice.
			set: SetId,
			/// The round of the two votes.
			round: RoundNumber,
			/// The amount that was burned: zero for a verifier of genesis.
			burned: BalanceOf<T>,
			/// The first session in which its node no longer votes on blocks; `None` if it was no verifier any more, or
			/// is the only one, which stays.
			session: Option<SessionIndex>,
		},
		/// A former verifier's deposit was released.
		Released {
			/// The former verifier.
			who: T::AccountId,
			/// The amount.
			deposit: BalanceOf<T>,
		},
	}

	/// Why a call fails. A call that fails changes nothing.
	#[pallet::error]
	pub enum Error<T> {
		/// The account is not a registered producer: call `dataSharing.register` first.
		NotProducer,
		/// The account has no session keys: call `session.setKeys` first, with the result of
		/// `author_rotateKeysWithOwner` on its node.
		NoSessionKeys,
		/// The account has already applied: more than half of the verifiers must admit it.
		AlreadyApplicant,
		/// The account is already a verifier.
		AlreadyVerifier,
		/// The account has not applied, or has since been admitted or withdrawn.
		NotApplicant,
		/// The account is not a verifier.
		NotVerifier,
		/// The number of verifiers is at its maximum.
		TooManyVerifiers,
		/// This is the only verifier, and a chain needs one: admit another verifier first.
		LastVerifier,
		/// The keys are needed by a verifier, an applicant, or a session that has not ended. They can be
		/// removed two sessions after the account withdrew, left or was removed.
		KeysInUse,
		/// The key does not vote, and has not voted lately.
		UnknownKey,
		/// An equivocation of this key in this set or a later one has been reported.
		AlreadyReported,
		/// The votes are the same, one of their signatures is not valid for the round, or their set has not started.
		InvalidEvidence,
		/// An equivocation of the account's vote key was reported: make new session keys, and call `session.setKeys`.
		ReportedKey,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxVerifiers::get() > 0, "MaxVerifiers is zero");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Apply to become a verifier.
		///
		/// The caller must be a registered producer that runs a node and has set its keys with
		/// `session.setKeys`. A deposit is held until `withdraw`, or a while after `leave` or removal.
		#[pallet::call_index(0)]
		#[pallet::weight(Weights::<T>::apply())]
		pub fn apply(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_apply(who)
		}

		/// Withdraw an application.
		///
		/// The deposit is released.
		#[pallet::call_index(1)]
		#[pallet::weight(Weights::<T>::withdraw())]
		pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw(who)
		}

		/// Make an applicant a verifier.
		///
		/// More than half of the verifiers must agree: propose this call with `council.propose`. The
		/// applicant's node votes on blocks from the session after the next one, so make sure that it runs.
		///
		/// - `who`: the applicant.
		#[pallet::call_index(2)]
		#[pallet::weight(Weights::<T>::admit().saturating_add(T::MembersChangeWeight::get()))]
		pub fn admit(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
			T::MajorityOrigin::ensure_origin(origin)?;
			Self::do_admit(who)
		}

		/// Remove a verifier.
		///
		/// More than half of the verifiers, including the verifier to remove, must agree: propose this call
		/// with `council.propose`. The verifier's deposit stays held for `UnbondingSessions` sessions. Its
		/// node votes on blocks until the session after the next one begins.
		///
		/// - `who`: the verifier.
		#[pallet::call_index(3)]
		#[pallet::weight(Weights::<T>::remove().saturating_add(T::MembersChangeWeight::get()))]
		pub fn remove(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
			T::MajorityOrigin::ensure_origin(origin)?;
			Self::do_remove(who)
		}

		/// Stop being a verifier.
		///
		/// Keep the node running until the session named in the event: its votes count until then. The
		/// deposit stays held for `UnbondingSessions` sessions after that.
		#[pallet::call_index(4)]
		#[pallet::weight(Weights::<T>::leave().saturating_add(T::MembersChangeWeight::get()))]
		pub fn leave(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_leave(who)
		}

		/// Remove the caller's session keys.
		///
		/// The caller must not be a verifier or an applicant, and must not belong to a session that has not
		/// ended. The deposit held by `session.setKeys` is released.
		#[pallet::call_index(5)]
		#[pallet::weight(Weights::<T>::remove_keys())]
		pub fn remove_keys(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_remove_keys(who)
		}

		/// Report that a verifier's key signed two different votes in one round.
		///
		/// Nodes send this automatically, in a transaction without a signer. The verifier's deposit is
		/// burned, and it stops being a verifier unless it is the only one.
		///
		/// - `proof`: the two votes.
		#[pallet::call_index(6)]
		#[pallet::weight((
			Weights::<T>::report_equivocation().saturating_add(T::MembersChangeWeight::get()),
			DispatchClass::Operational,
		))]
		#[pallet::authorize(|_, proof| Pallet::<T>::authorize_report(proof))]
		#[pallet::weight_of_authorize(Weights::<T>::report_equivocation())]
		pub fn report_equivocation(
			origin: OriginFor<T>,
			proof: Box<EquivocationProofOf<T>>,
		) -> DispatchResult {
			ensure_authorized(origin)?;
			Self::do_report_equivocation(&proof)
		}
	}
}
