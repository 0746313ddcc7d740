// SPDX-License-Identifier: Apache-2.0
//! # Verifiers
//!
//! The registered producers whose nodes verify blocks: the paper's "the block needs to be verified by
//! more than half of the nodes; then it will be linked" (section III.B).
//!
//! ## Overview
//!
//! A **verifier** is a producer whose node imports every block, which verifies it, and then votes for it. A
//! block is linked, that is, finalized, when more than two thirds of the verifiers have voted for it or a
//! descendant. This is more than the paper requires, and it is safe with dishonest nodes, which a bare
//! majority is not. GRANDPA does the voting on blocks; this pallet decides who votes.
//!
//! A producer that has set session keys **applies**. More than two thirds of the verifiers **admit** an
//! applicant or **remove** a verifier, one in a session: as many as finalize a block. They vote in a collective,
//! whose members this pallet keeps equal to the verifiers. A verifier may **leave**. There is always at least one.
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
//! ## Government
//!
//! More than two thirds of the verifiers may agree to an **upgrade** of the runtime ([`Pallet::authorize_upgrade`]). It
//! waits for [`Delays::upgrade`] blocks, in the sight of all. Then the hash of the code is authorized, and anyone
//! applies it with `system.applyAuthorizedUpgrade`.
//!
//! If nothing was finalized for [`Delays::stalled`] blocks, the verifiers may agree to **restart finality**
//! ([`Pallet::restart_finality`]), also without those who are absent. At least half of the verifiers must be left,
//! more than two thirds of these must agree, and no absent one may object within [`Delays::restart`] blocks
//! ([`Pallet::object`]). Then the absent are removed, and two sessions later GRANDPA is forced to start a new set of
//! voters, [`Delays::forced`] blocks after that. Until the new voters are announced, as many as agreed may take the
//! restart back ([`Pallet::cancel_restart`]).
//!
//! [`Delays::upgrade`]: types::GovernmentDelays::upgrade
//! [`Delays::stalled`]: types::GovernmentDelays::stalled
//! [`Delays::restart`]: types::GovernmentDelays::restart
//! [`Delays::forced`]: types::GovernmentDelays::forced
//!
//! ## A worked example
//!
//! Alice, Bob, Charlie and Dave are the verifiers; Eve is a producer with a node.
//!
//! 1. Eve: `session.setKeys(keys, proof)` with the result of her node's `author_rotateKeysWithOwner(EVE)`,
//!    then `verifiers.apply()`.
//! 2. Alice: `council.propose(3, verifiers.admit(EVE), length)`, as three of four are more than two thirds.
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
//! `impls`: what the calls about verifiers do. `government`: upgrades and the restart of finality. `equivocation`: the check of a report, and its consequences. `migrations`: from older storage versions. `session`: what the session and the registry of producers need from this
//! pallet. `try_state`: the invariants of the state. [`weights`]: the costs of the calls.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod equivocation;
mod government;
mod impls;
pub mod migrations;
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
pub use types::{
	Bond, Finality, GovernmentDelays, Motions, Restart, Restarting, Upgrade, Voter, VoterSet,
};
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

	/// Some of the verifiers.
	pub type AccountsOf<T> =
		BoundedVec<<T as frame_system::Config>::AccountId, <T as Config>::MaxVerifiers>;

	/// Two votes of one key in one round, with their signatures.
	pub type EquivocationProofOf<T> =
		EquivocationProof<<T as frame_system::Config>::Hash, BlockNumberFor<T>>;

	/// How many sets of voters are remembered.
	pub(crate) const KEPT_SETS: u32 = 64;
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

		/// GRANDPA, as far as the verifiers decide on it.
		type Finality: Finality<BlockNumberFor<Self>>;

		/// The registered producers.
		type Producers: Contains<Self::AccountId>;

		/// The origin of a motion of the verifiers, with how many of them agreed, and how many there are. The pallet
		/// decides how many are enough.
		type Motion: EnsureOrigin<Self::RuntimeOrigin, Success = (u32, u32)>;

		/// The motions on which the verifiers vote.
		type Motions: Motions<Call<Self>, Self::AccountId>;

		/// The members who vote on a [`Config::Motion`]; the pallet keeps them equal to the verifiers.
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

	/// The version of the pallet's state. The first one is 1: a chain made before versions has 0, and the same layout.
	const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
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

	/// The session in which the verifiers last admitted or removed one.
	#[pallet::storage]
	pub type LastChange<T: Config> = StorageValue<_, SessionIndex, OptionQuery>;

	/// How long the decisions of the verifiers wait, in blocks. Fixed at genesis.
	#[pallet::storage]
	pub type Delays<T: Config> =
		StorageValue<_, GovernmentDelays<BlockNumberFor<T>>, ValueQuery, DefaultDelays>;

	/// The delays of a chain whose genesis names none.
	pub struct DefaultDelays;

	impl<N: From<u32>> Get<GovernmentDelays<N>> for DefaultDelays {
		fn get() -> GovernmentDelays<N> {
			GovernmentDelays::default()
		}
	}

	/// The upgrade that the verifiers agreed to and that waits for its delay.
	#[pallet::storage]
	pub type AgreedUpgrade<T: Config> =
		StorageValue<_, Upgrade<T::Hash, BlockNumberFor<T>>, OptionQuery>;

	/// The sets of voters, the oldest first. Whether the later ones vote yet depends on finality, which the chain does not
	/// see.
	#[pallet::storage]
	pub type VoterSets<T: Config> =
		StorageValue<_, BoundedVec<VoterSet<BlockNumberFor<T>>, ConstU32<KEPT_SETS>>, ValueQuery>;

	/// GRANDPA's number of the last set in [`VoterSets`]. It is greater than the nodes' number after a restart of finality
	/// that dropped sets.
	#[pallet::storage]
	pub type KnownSet<T: Config> = StorageValue<_, SetId, OptionQuery>;

	/// The restart of finality that the verifiers agreed to and that waits for objections.
	#[pallet::storage]
	pub type AgreedRestart<T: Config> =
		StorageValue<_, Restart<AccountsOf<T>, BlockNumberFor<T>>, OptionQuery>;

	/// The restart of finality that waits for the session of the new voters.
	#[pallet::storage]
	pub type StartedRestart<T: Config> =
		StorageValue<_, Restarting<BlockNumberFor<T>>, OptionQuery>;

	/// The genesis configuration. The first verifiers are the accounts named in `session.keys`.
	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// The number of blocks in a session. A change of verifiers takes effect within two sessions. The
		/// first block of a session has no transactions, so short sessions cost throughput.
		pub session_blocks: BlockNumberFor<T>,
		/// How many blocks an upgrade that was agreed to waits before it can be applied.
		pub upgrade_delay: BlockNumberFor<T>,
		/// For how many blocks nothing must have been finalized before a restart of finality can be agreed to.
		pub stalled_blocks: BlockNumberFor<T>,
		/// How many blocks a restart that was agreed to waits for objections. At least as many as `forced_delay`.
		pub restart_delay: BlockNumberFor<T>,
		/// How many blocks GRANDPA waits with the new voters after the block that announces them: long enough
		/// that no fork will replace that block.
		pub forced_delay: BlockNumberFor<T>,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			let delays = GovernmentDelays::default();
			Self {
				session_blocks: DEFAULT_SESSION_BLOCKS.into(),
				upgrade_delay: delays.upgrade,
				stalled_blocks: delays.stalled,
				restart_delay: delays.restart,
				forced_delay: delays.forced,
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
			// Otherwise a second restart could be announced before GRANDPA takes one, and would be lost: it takes one when
			// twice the delay of the last one is over.
			assert!(
				self.restart_delay >= self.forced_delay,
				"verifiers.restartDelay is {:?}, less than verifiers.forcedDelay, {:?}: GRANDPA would not take a second restart \
				 of finality, so make it at least as long",
				self.restart_delay,
				self.forced_delay,
			);
			SessionLength::<T>::put(self.session_blocks);
			Delays::<T>::put(GovernmentDelays {
				upgrade: self.upgrade_delay,
				stalled: self.stalled_blocks,
				restart: self.restart_delay,
				forced: self.forced_delay,
			});
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
		/// More than two thirds of the verifiers admitted an applicant.
		Admitted {
			/// The new verifier.
			who: T::AccountId,
			/// The first session in which its node votes on blocks.
			session: SessionIndex,
		},
		/// More than two thirds of the verifiers removed a verifier. Its deposit stays held for a while.
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
		/// More than two thirds of the verifiers agreed to an upgrade of the runtime.
		UpgradeAgreed {
			/// The hash of the new code.
			code_hash: T::Hash,
			/// The block in which the upgrade is authorized. From then on anyone can apply it.
			due: BlockNumberFor<T>,
		},
		/// More than two thirds of the verifiers took an agreed upgrade back.
		UpgradeCancelled {
			/// The hash of the code.
			code_hash: T::Hash,
		},
		/// The verifiers agreed to restart finality.
		RestartAgreed {
			/// The last finalized block, as the verifiers see it.
			finalized: BlockNumberFor<T>,
			/// The verifiers that are removed unless one of them objects.
			absent: AccountsOf<T>,
			/// The block in which the restart begins.
			due: BlockNumberFor<T>,
		},
		/// A restart of finality that was agreed to does not take place.
		RestartCancelled {
			/// The absent verifier that objected; `None` if the verifiers took it back, or too few of them were left.
			by: Option<T::AccountId>,
		},
		/// A restart of finality began: the absent verifiers were removed.
		RestartStarted {
			/// The former verifiers.
			removed: AccountsOf<T>,
			/// The session whose first block announces the new voters.
			session: SessionIndex,
		},
		/// GRANDPA was told to start with new voters.
		FinalityRestarted {
			/// The block from which on the new voters vote.
			block: BlockNumberFor<T>,
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
		/// The account has already applied: more than two thirds of the verifiers must admit it.
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
		/// The verifiers admitted or removed one in this session already: wait for the next session.
		OneChangeASession,
		/// The verifiers have agreed to nothing that could be cancelled or objected to.
		NothingAgreed,
		/// A restart of finality is under way.
		RestartPending,
		/// Finality does not stand long enough for a restart, or the block is yet to come.
		NotStalled,
		/// Fewer than half of the verifiers would be left.
		TooFewLeft,
		/// Only a verifier that the restart calls absent can object.
		NotAbsent,
		/// No set of voters with this number was announced yet: take `setId` of `grandpa_roundState` on a node of a verifier
		/// that is left.
		UnknownSet,
		/// While this set of voters voted, this block was not the last finalized one: take both numbers from the same node.
		NotOfSet,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxVerifiers::get() > 0, "MaxVerifiers is zero");
		}

		/// Carries out what was agreed to and is due.
		fn on_initialize(now: BlockNumberFor<T>) -> Weight {
			Self::note_set(now).saturating_add(Self::carry_out(now))
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
		/// More than two thirds of the verifiers must agree: propose this call with `council.propose`. They admit or
		/// remove one in a session. The applicant's node votes on blocks from the session after the next one, so make
		/// sure that it runs.
		///
		/// - `who`: the applicant.
		#[pallet::call_index(2)]
		#[pallet::weight(Weights::<T>::admit().saturating_add(T::MembersChangeWeight::get()))]
		pub fn admit(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
			Self::ensure_two_thirds(origin)?;
			Self::do_admit(who)
		}

		/// Remove a verifier.
		///
		/// More than two thirds of the verifiers, including the verifier to remove, must agree: propose this call
		/// with `council.propose`. They admit or remove one in a session. The verifier's deposit stays held for `UnbondingSessions` sessions. Its
		/// node votes on blocks until the session after the next one begins.
		///
		/// - `who`: the verifier.
		#[pallet::call_index(3)]
		#[pallet::weight(Weights::<T>::remove().saturating_add(T::MembersChangeWeight::get()))]
		pub fn remove(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
			Self::ensure_two_thirds(origin)?;
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

		/// Agree to an upgrade of the runtime.
		///
		/// More than two thirds of the verifiers must agree: propose this call with `council.propose`. After
		/// `Delays.upgrade` blocks, anyone can apply the upgrade: send `system.applyAuthorizedUpgrade` with the code. An
		/// upgrade that was agreed to before and is not due yet is replaced.
		///
		/// - `code_hash`: the BLAKE2b-256 hash of the new code.
		#[pallet::call_index(7)]
		#[pallet::weight(Weights::<T>::authorize_upgrade())]
		pub fn authorize_upgrade(origin: OriginFor<T>, code_hash: T::Hash) -> DispatchResult {
			Self::ensure_two_thirds(origin)?;
			Self::do_authorize_upgrade(code_hash);
			Ok(())
		}

		/// Take back an upgrade that was agreed to and is not due yet.
		///
		/// More than two thirds of the verifiers must agree: propose this call with `council.propose`.
		#[pallet::call_index(8)]
		#[pallet::weight(Weights::<T>::cancel_upgrade())]
		pub fn cancel_upgrade(origin: OriginFor<T>) -> DispatchResult {
			Self::ensure_two_thirds(origin)?;
			Self::do_cancel_upgrade()
		}

		/// Agree to restart finality, which has stood for `Delays.stalled` blocks, with new voters.
		///
		/// At least half of the verifiers must not be called absent, and more than two thirds of these must agree, two at
		/// least if anyone is called absent: propose this call with `council.propose`. After `Delays.restart` blocks the
		/// absent verifiers are removed, unless one of them objects. The first block of the second session after that
		/// announces the new voters, who vote from `Delays.forced` blocks later on.
		///
		/// Take `set` and `finalized` from one node. The chain knows when each set was announced, and refuses a number that
		/// is not of the set: with it, nodes could not import the block in which the new voters take over.
		///
		/// - `set`: the number of the set of voters that votes on that node, `setId` of `grandpa_roundState`.
		/// - `finalized`: the number of the last block that any of the verifiers' nodes has finalized.
		/// - `absent`: the verifiers that are gone.
		#[pallet::call_index(9)]
		#[pallet::weight(Weights::<T>::restart_finality())]
		pub fn restart_finality(
			origin: OriginFor<T>,
			set: SetId,
			finalized: BlockNumberFor<T>,
			absent: AccountsOf<T>,
		) -> DispatchResult {
			let (mut ayes, _) = T::Motion::ensure_origin(origin)?;
			if !absent.is_empty() {
				// Otherwise those who can object could call themselves absent, and agree to it.
				let call = Call::restart_finality {
					set,
					finalized,
					absent: absent.clone(),
				};
				let is_left = |who: &&T::AccountId| !absent.contains(*who);
				ayes = T::Motions::ayes(call).iter().filter(is_left).count() as u32;
			}
			Self::do_restart_finality(ayes, set, finalized, absent)
		}

		/// Object to a restart of finality that calls the caller absent.
		///
		/// The restart does not take place.
		#[pallet::call_index(10)]
		#[pallet::weight(Weights::<T>::object())]
		pub fn object(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_object(who)
		}

		/// Take back a restart of finality whose new voters are not announced yet.
		///
		/// More than two thirds of the verifiers that it does not call absent must agree, as to the restart itself. Propose
		/// this call with `council.propose`. The absent stay verifiers if they were not removed yet. Otherwise they have to
		/// apply again.
		#[pallet::call_index(11)]
		#[pallet::weight(Weights::<T>::cancel_restart())]
		pub fn cancel_restart(origin: OriginFor<T>) -> DispatchResult {
			let (ayes, _) = T::Motion::ensure_origin(origin)?;
			Self::do_cancel_restart(ayes)
		}
	}
}
