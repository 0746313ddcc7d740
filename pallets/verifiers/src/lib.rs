//! # Verifiers
//!
//! Which registered producers' nodes verify blocks: the paper's "the block needs to be verified by
//! more than half of the nodes; then it will be linked" (section III.C).
//!
//! ## Overview
//!
//! A **verifier** is a producer whose node imports every block, which verifies it, and then votes for
//! it. A block is linked, which is final, when more than two thirds of the verifiers voted for it or
//! a descendant: more than the paper asks, and safe with false nodes where a bare half is not. The
//! voting on blocks is GRANDPA's; this pallet says who votes.
//!
//! A producer that has set session keys **applies**. More than half of the verifiers **admit** an
//! applicant or **remove** a verifier; how they vote is the collective's business, whose members this
//! pallet keeps equal to the verifiers. A verifier may **leave**. There is always one at least.
//!
//! A change takes effect by the session's rules: the session after the next one is the first with the
//! new set. The verifiers of genesis are those whom `session.keys` names. They need not be
//! registered, and nothing is held of them.
//!
//! Nobody is slashed. The deposit is held against accounts that apply and never run a node; it comes
//! back whole with `withdraw`, `leave` or removal.
//!
//! ## A worked example
//!
//! Alice, Bob, Charlie and Dave are the verifiers; Eve is a producer with a node.
//!
//! 1. Eve: `session.setKeys(keys, proof)` with what her node's `author_rotateKeysWithOwner(EVE)` gave,
//!    then `verifiers.apply()`.
//! 2. Alice: `council.propose(3, verifiers.admit(EVE), length)`, as three of four are more than half.
//!    Alice, Bob and Charlie: `council.vote(hash, index, true)`. Anybody:
//!    `council.close(hash, index, weight, length)`.
//! 3. Eve is a verifier, and may vote on others. Her node votes on blocks two sessions later.
//!
//! ## Who else counts on this
//!
//! The session, to which this pallet is the [`pallet_session::SessionManager`], with sessions of
//! [`SessionBlocks`]; and the registry of producers, which must not let go of an account that
//! [`Bound`] contains.
//!
//! A verifier's session keys may be renewed at any time, but never just removed: a set without keys
//! would be an empty set for GRANDPA, which stops the chain. So `session.purgeKeys` must be closed to
//! users, and [`Pallet::remove_keys`] does it for those whose keys no session needs.
//!
//! ## What is where
//!
//! `session`: what the session asks. `checks`: the state's invariants. [`weights`]: what calls cost.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod checks;
#[cfg(test)]
mod mock;
mod session;
#[cfg(test)]
mod tests;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use session::{Bound, SessionBlocks};
pub use weights::WeightInfo;

use polkadot_sdk::*;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use alloc::{collections::BTreeMap, vec::Vec};
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{Inspect, InspectHold, MutateHold},
			tokens::Precision,
			ChangeMembers, Contains, InitializeMembers, ValidatorRegistration,
		},
	};
	use frame_system::{pallet_prelude::*, RawOrigin};
	use sp_runtime::{traits::Zero, BoundedBTreeMap};

	/// The sessions' number: the first is 0.
	pub type SessionIndex = u32;
	// The session, a supertrait, has a currency and weights of its own.
	pub(crate) type CurrencyOf<T> = <T as Config>::Currency;
	type Weights<T> = <T as Config>::WeightInfo;
	/// The currency's amounts.
	pub type BalanceOf<T> =
		<CurrencyOf<T> as Inspect<<T as frame_system::Config>::AccountId>>::Balance;
	/// The verifiers in the order of their accounts, and what is held of each.
	pub type VerifiersOf<T> = BoundedBTreeMap<
		<T as frame_system::Config>::AccountId,
		BalanceOf<T>,
		<T as Config>::MaxVerifiers,
	>;

	/// The blocks in a session where genesis does not say.
	const DEFAULT_SESSION_BLOCKS: u32 = 50;

	/// The pallet's parameters.
	#[pallet::config]
	pub trait Config:
		polkadot_sdk::frame_system::Config<RuntimeEvent: From<Event<Self>>>
		+ pallet_session::Config<ValidatorId = <Self as frame_system::Config>::AccountId>
	{
		/// What deposits are in.
		type Currency: InspectHold<Self::AccountId, Reason: From<HoldReason>>
			+ MutateHold<Self::AccountId>;

		/// What is held of an applicant, and goes on being held while it is a verifier.
		#[pallet::constant]
		type Deposit: Get<BalanceOf<Self>>;

		/// The most verifiers there may be. At least 1.
		#[pallet::constant]
		type MaxVerifiers: Get<u32>;

		/// Who is a registered producer.
		type Producers: Contains<Self::AccountId>;

		/// Who admits and removes: more than half of the verifiers.
		type MajorityOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// Those who vote as [`Config::MajorityOrigin`]; kept equal to the verifiers.
		type Members: ChangeMembers<Self::AccountId> + InitializeMembers<Self::AccountId>;

		/// What a change of [`Config::Members`] costs at most.
		type MembersChangeWeight: Get<Weight>;

		/// The weights of the calls.
		type WeightInfo: WeightInfo;

		/// What benchmarks need of the runtime.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
	}

	/// Why an account's funds are held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The deposit for being a verifier, or for having applied.
		#[codec(index = 0)]
		Verifier,
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// The verifiers, and the deposit that is held of each: zero for those of genesis.
	#[pallet::storage]
	pub type Verifiers<T: Config> = StorageValue<_, VerifiersOf<T>, ValueQuery>;

	/// The applicants, and the deposit that is held of each.
	#[pallet::storage]
	pub type Applicants<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, BalanceOf<T>, OptionQuery>;

	/// How many blocks a session has. Fixed at genesis.
	#[pallet::storage]
	pub type SessionLength<T: Config> = StorageValue<_, BlockNumberFor<T>, ValueQuery>;

	/// The genesis configuration. The first verifiers are not here: `session.keys` names them.
	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// How many blocks a session has: a change of verifiers takes effect within two sessions. A
		/// session's first block has no transactions, so that short sessions cost throughput.
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
			// The session comes before this pallet in the runtime, and so it is built. Where it names
			// nobody, no node starts: GRANDPA refuses a genesis without authorities.
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

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(fn deposit_event)]
	pub enum Event<T: Config> {
		/// A producer applied to become a verifier.
		Applied {
			/// The producer.
			who: T::AccountId,
			/// What is held of it.
			deposit: BalanceOf<T>,
		},
		/// An applicant withdrew; its deposit is free again.
		Withdrawn {
			/// The applicant.
			who: T::AccountId,
		},
		/// More than half of the verifiers admitted an applicant.
		Admitted {
			/// The new verifier.
			who: T::AccountId,
			/// The session from which on its node votes on blocks.
			session: SessionIndex,
		},
		/// More than half of the verifiers removed a verifier; its deposit is free again.
		Removed {
			/// Who was a verifier.
			who: T::AccountId,
			/// The session from which on its node no longer votes on blocks.
			session: SessionIndex,
		},
		/// A verifier left; its deposit is free again.
		Left {
			/// Who was a verifier.
			who: T::AccountId,
			/// The session from which on its node no longer votes on blocks.
			session: SessionIndex,
		},
		/// An account removed its session keys; their deposit is free again.
		KeysRemoved {
			/// The account.
			who: T::AccountId,
		},
	}

	/// What is wrong with a call. A call that fails changes nothing.
	#[pallet::error]
	pub enum Error<T> {
		/// The account is not a registered producer: call `dataSharing.register` first.
		NotProducer,
		/// The account has no session keys: call `session.setKeys` first, with what
		/// `author_rotateKeysWithOwner` gives on its node.
		NoSessionKeys,
		/// The account has applied already: more than half of the verifiers have to admit it.
		AlreadyApplicant,
		/// The account is a verifier already.
		AlreadyVerifier,
		/// The account has not applied, or was admitted since, or has withdrawn.
		NotApplicant,
		/// The account is not a verifier.
		NotVerifier,
		/// There are as many verifiers as there may be.
		TooManyVerifiers,
		/// This is the only verifier, and a chain needs one: admit another before.
		LastVerifier,
		/// A verifier, an applicant, or a session that is not over needs the keys. They can be removed
		/// two sessions after the account withdrew, left or was removed.
		KeysInUse,
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
		/// Apply to become a verifier. The caller is a registered producer with a node of its own,
		/// whose keys it has set with `session.setKeys`. A deposit is held until `withdraw`, `leave`
		/// or removal.
		#[pallet::call_index(0)]
		#[pallet::weight(Weights::<T>::apply())]
		pub fn apply(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			ensure!(
				!Verifiers::<T>::get().contains_key(&who),
				Error::<T>::AlreadyVerifier
			);
			ensure!(
				!Applicants::<T>::contains_key(&who),
				Error::<T>::AlreadyApplicant
			);
			ensure!(T::Producers::contains(&who), Error::<T>::NotProducer);
			ensure!(
				pallet_session::Pallet::<T>::is_registered(&who),
				Error::<T>::NoSessionKeys
			);
			let deposit = T::Deposit::get();
			CurrencyOf::<T>::hold(&HoldReason::Verifier.into(), &who, deposit)?;
			Applicants::<T>::insert(&who, deposit);
			Self::deposit_event(Event::Applied { who, deposit });
			Ok(())
		}

		/// Take an application back. The deposit comes back.
		#[pallet::call_index(1)]
		#[pallet::weight(Weights::<T>::withdraw())]
		pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			let deposit = Applicants::<T>::take(&who).ok_or(Error::<T>::NotApplicant)?;
			Self::release(&who, deposit)?;
			Self::deposit_event(Event::Withdrawn { who });
			Ok(())
		}

		/// Make an applicant a verifier. More than half of the verifiers have to agree: propose this
		/// call with `council.propose`. The applicant's node votes on blocks from the session after the
		/// next one on; be sure that it runs.
		///
		/// - `who`: the applicant.
		#[pallet::call_index(2)]
		#[pallet::weight(Weights::<T>::admit().saturating_add(T::MembersChangeWeight::get()))]
		pub fn admit(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
			T::MajorityOrigin::ensure_origin(origin)?;
			Self::do_admit(who)
		}

		/// Make a verifier one no longer. More than half of the verifiers have to agree, of whom it is
		/// one: propose this call with `council.propose`. Its deposit comes back. Its node votes on
		/// blocks until the session after the next one begins.
		///
		/// - `who`: the verifier.
		#[pallet::call_index(3)]
		#[pallet::weight(Weights::<T>::remove().saturating_add(T::MembersChangeWeight::get()))]
		pub fn remove(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
			T::MajorityOrigin::ensure_origin(origin)?;
			Self::do_remove(who)
		}

		/// Be a verifier no longer. The deposit comes back. Keep the node running until the session
		/// that the event names: it is counted on until then.
		#[pallet::call_index(4)]
		#[pallet::weight(Weights::<T>::leave().saturating_add(T::MembersChangeWeight::get()))]
		pub fn leave(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::retire(&who)?;
			Self::deposit_event(Event::Left {
				who,
				session: Self::next_change(),
			});
			Ok(())
		}

		/// Remove the session keys of an account that is no verifier, has not applied, and is in no
		/// session that is not over. What `session.setKeys` held for them comes back.
		#[pallet::call_index(5)]
		#[pallet::weight(Weights::<T>::remove_keys())]
		pub fn remove_keys(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			let voting = pallet_session::Validators::<T>::get().contains(&who);
			let queued = pallet_session::QueuedKeys::<T>::get()
				.iter()
				.any(|(queued, _)| *queued == who);
			ensure!(
				!voting && !queued && !Bound::<T>::contains(&who),
				Error::<T>::KeysInUse
			);
			pallet_session::Pallet::<T>::purge_keys(RawOrigin::Signed(who.clone()).into())?;
			Self::deposit_event(Event::KeysRemoved { who });
			Ok(())
		}
	}

	impl<T: Config> Pallet<T> {
		/// The first session with the verifiers as they are now: a session's set is chosen when the
		/// one before it begins.
		fn next_change() -> SessionIndex {
			pallet_session::CurrentIndex::<T>::get().saturating_add(2)
		}

		/// `admit`, by whoever may.
		pub(crate) fn do_admit(who: T::AccountId) -> DispatchResult {
			let deposit = Applicants::<T>::take(&who).ok_or(Error::<T>::NotApplicant)?;
			ensure!(T::Producers::contains(&who), Error::<T>::NotProducer);
			Verifiers::<T>::try_mutate(|verifiers| {
				verifiers
					.try_insert(who.clone(), deposit)
					.map_err(|_| Error::<T>::TooManyVerifiers)?;
				Self::change_members(verifiers, Some(&who), None);
				Ok::<_, Error<T>>(())
			})?;
			Self::deposit_event(Event::Admitted {
				who,
				session: Self::next_change(),
			});
			Ok(())
		}

		/// `remove`, by whoever may.
		pub(crate) fn do_remove(who: T::AccountId) -> DispatchResult {
			Self::retire(&who)?;
			Self::deposit_event(Event::Removed {
				who,
				session: Self::next_change(),
			});
			Ok(())
		}

		/// Takes a verifier off the list, and gives its deposit back.
		fn retire(who: &T::AccountId) -> DispatchResult {
			let deposit = Verifiers::<T>::try_mutate(|verifiers| {
				let deposit = verifiers.remove(who).ok_or(Error::<T>::NotVerifier)?;
				ensure!(!verifiers.is_empty(), Error::<T>::LastVerifier);
				Self::change_members(verifiers, None, Some(who));
				Ok::<_, Error<T>>(deposit)
			})?;
			Self::release(who, deposit)
		}

		/// Tells those who vote on verifiers that they are others now.
		fn change_members(
			verifiers: &VerifiersOf<T>,
			incoming: Option<&T::AccountId>,
			outgoing: Option<&T::AccountId>,
		) {
			let list = |who: Option<&T::AccountId>| who.cloned().into_iter().collect::<Vec<_>>();
			let members: Vec<_> = verifiers.keys().cloned().collect();
			T::Members::change_members_sorted(&list(incoming), &list(outgoing), &members);
		}

		/// Gives a deposit back.
		fn release(who: &T::AccountId, deposit: BalanceOf<T>) -> DispatchResult {
			if deposit.is_zero() {
				return Ok(());
			}
			CurrencyOf::<T>::release(&HoldReason::Verifier.into(), who, deposit, Precision::Exact)?;
			Ok(())
		}
	}
}
