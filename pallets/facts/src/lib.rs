// SPDX-License-Identifier: Apache-2.0
//! # Facts
//!
//! Facts about the world outside the chain, and credentials of accounts: the paper's "verifying the external data
//! source" (section III.C).
//!
//! ## Overview
//!
//! A **source** has a name, and one or several accounts that report for it. A **report** says which value one of them
//! observed, when, and in which response (by its hash). Values are integers, exact decimals, short texts or hashes.
//! The chain keeps the last report of each account on each topic. A **fact** is what the reports of a source on a
//! topic agree on: the median of numbers, or the same text or hash, of at least the source's **quorum** of accounts.
//! The quorum is more than half of the accounts. Reports that are older than the source allows do not count, so that
//! a source that falls silent has no facts.
//!
//! Anyone may create a source. A fact is worth as much as its source: who uses one in a condition trusts the source that
//! the condition names, and its owner, who can change the source's accounts. No other source's facts affect it. A name is
//! never given to a second owner, even after its source is closed: a condition that names it would trust a stranger.
//!
//! What a name begins with, up to its first `/`, may be someone's own: the owner of the source `weather` alone creates
//! `weather/beijing`, and the account whose id begins with the bytes `0123…` alone creates `x0123…/beijing` (32 digits).
//! No one can take such a name first.
//!
//! A **credential** is what one account, the issuer, says about another until a time: "an accredited hospital". It
//! means as much as its issuer.
//!
//! `isthmus-conditions` defines conditions on facts, credentials and time. [`Known`] evaluates them on this pallet's
//! state.
//!
//! ## A worked example
//!
//! 1. Alice: `create_source("weather/beijing", [Bob, Charlie, Dave], 2, 3600)`.
//! 2. Bob: `report("weather/beijing", "pm25", Integer(80), observed, response)`; Charlie the same with 78. The fact
//!    is 78, the lower of the two in the middle.
//! 3. Dave reports 90: the fact is 80. An hour later, without new reports, there is none.
//!
//! ## Deposits
//!
//! Each entry takes a deposit from the account that made it: the source's owner, the reporter (one for each topic,
//! however often it reports) or the issuer. Removing the entry releases it. Of a closed source the name remains, and
//! its deposit.
//!
//! ## Files
//!
//! `impls`: what the calls do. `known`: facts and credentials as a condition sees them. `try_state`: the invariants of
//! the state. [`Watcher`]: what acts when a fact changes. [`weights`]: the costs of the calls. `isthmus_conditions::facts`
//! defines the entries, and what several reports amount to.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod impls;
mod known;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
mod try_state;
mod watcher;
pub mod weights;

pub use isthmus_conditions::facts::{Credential, Report, Seconds, Source};
pub use known::Known;
pub use pallet::*;
pub use watcher::Watcher;
pub use weights::WeightInfo;

use polkadot_sdk::*;

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{Inspect, InspectHold, MutateHold},
			UnixTime,
		},
	};
	use frame_system::pallet_prelude::*;
	use isthmus_conditions::{Condition, Name, Truth, Value};
	use sp_core::H256;

	/// An amount of the currency.
	pub type BalanceOf<T> =
		<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;
	/// Accounts that report for a source.
	pub type ReportersOf<T> =
		BoundedVec<<T as frame_system::Config>::AccountId, <T as Config>::MaxReporters>;
	/// [`Source`] on this chain.
	pub type SourceOf<T> =
		Source<<T as frame_system::Config>::AccountId, BalanceOf<T>, ReportersOf<T>>;
	/// [`Report`] on this chain.
	pub type ReportOf<T> = Report<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

	/// The pallet's parameters.
	#[pallet::config]
	pub trait Config:
		polkadot_sdk::frame_system::Config<
		AccountId: From<isthmus_conditions::Account>,
		RuntimeEvent: From<Event<Self>>,
	>
	{
		/// The currency of the deposits.
		type Currency: InspectHold<Self::AccountId, Reason: From<HoldReason>>
			+ MutateHold<Self::AccountId>;

		/// The deposit for each entry in the state.
		#[pallet::constant]
		type DepositPerItem: Get<BalanceOf<Self>>;

		/// The additional deposit per byte of an entry whose size its owner chooses.
		#[pallet::constant]
		type DepositPerByte: Get<BalanceOf<Self>>;

		/// The maximum number of accounts that report for one source. At least 1.
		#[pallet::constant]
		type MaxReporters: Get<u32>;

		/// By how many seconds an observation may be ahead of the block's timestamp, because clocks differ.
		#[pallet::constant]
		type ClockDrift: Get<Seconds>;

		/// The block's time.
		type Time: UnixTime;

		/// What acts when a fact or a credential changes.
		type Watcher: Watcher<Self::AccountId>;

		/// The weights of the calls.
		type WeightInfo: WeightInfo;
	}

	/// Why an account's funds are held.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// The deposit for a source.
		#[codec(index = 0)]
		Source,
		/// The deposits for reports.
		#[codec(index = 1)]
		Report,
		/// The deposits for credentials.
		#[codec(index = 2)]
		Credential,
	}

	/// The version of the pallet's state.
	const STORAGE_VERSION: StorageVersion =
		StorageVersion::new(isthmus_conditions::facts::STORAGE_VERSION);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// The sources by name, also the closed ones.
	#[pallet::storage]
	pub type Sources<T: Config> = StorageMap<_, Blake2_128Concat, Name, SourceOf<T>, OptionQuery>;

	/// The last report of each account, by source and topic. An account that no longer reports for the source may still
	/// have one, which does not count.
	#[pallet::storage]
	pub type Reports<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		Name,
		Blake2_128Concat,
		Name,
		BoundedVec<ReportOf<T>, T::MaxReporters>,
		ValueQuery,
	>;

	/// The credentials, by the account that has it, the issuer and the kind.
	#[pallet::storage]
	pub type Credentials<T: Config> = StorageNMap<
		_,
		(
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Blake2_128Concat, T::AccountId>,
			NMapKey<Blake2_128Concat, Name>,
		),
		Credential<BalanceOf<T>>,
		OptionQuery,
	>;

	/// The pallet's events.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A source was created.
		SourceCreated {
			/// Its name.
			source: Name,
			/// The account that decides on it.
			owner: T::AccountId,
			/// The accounts that report for it.
			reporters: ReportersOf<T>,
			/// How many of them must have reported lately for a fact.
			quorum: u32,
			/// For how many seconds after its observation a report counts.
			fresh: u32,
		},
		/// A source's accounts, quorum or time changed, or a closed source was opened again.
		SourceChanged {
			/// Its name.
			source: Name,
			/// The accounts that report for it from now on.
			reporters: ReportersOf<T>,
			/// How many of them must have reported lately for a fact.
			quorum: u32,
			/// For how many seconds after its observation a report counts.
			fresh: u32,
		},
		/// A source was closed: it has no facts any more.
		SourceClosed {
			/// Its name.
			source: Name,
		},
		/// An account reported what it observed.
		Reported {
			/// The source that it reports for.
			source: Name,
			/// What the report is about.
			topic: Name,
			/// The account.
			reporter: T::AccountId,
			/// What it observed.
			value: Value,
			/// When it observed that.
			observed: Seconds,
			/// The hash of the response in which it observed that.
			response: H256,
			/// The fact after this report. `None` if too few accounts have reported lately, or they do not agree.
			fact: Option<Value>,
		},
		/// An account withdrew its report.
		ReportWithdrawn {
			/// The source.
			source: Name,
			/// What the report was about.
			topic: Name,
			/// The account.
			reporter: T::AccountId,
		},
		/// The report of an account that does not report for the source any more was removed.
		ReportRemoved {
			/// The source.
			source: Name,
			/// What the report was about.
			topic: Name,
			/// The account, whose deposit was released.
			reporter: T::AccountId,
		},
		/// A credential was issued, or its end changed.
		CredentialIssued {
			/// The account that issued it.
			issuer: T::AccountId,
			/// The account that it is about.
			subject: T::AccountId,
			/// Its kind.
			kind: Name,
			/// When it ends.
			until: Seconds,
		},
		/// A credential was revoked.
		CredentialRevoked {
			/// The account that had issued it.
			issuer: T::AccountId,
			/// The account that it was about.
			subject: T::AccountId,
			/// Its kind.
			kind: Name,
		},
	}

	/// Why a call fails. A call that fails changes nothing.
	#[pallet::error]
	pub enum Error<T> {
		/// A source has this name, or had it: choose another name.
		NameTaken,
		/// No source has this name: check the name, or create the source with `facts.createSource`.
		UnknownSource,
		/// Only the account that created the source can change or close it: sign with that account.
		NotOwner,
		/// A source needs an account that reports for it: name at least one.
		NoReporters,
		/// An account is named twice: name each reporter once.
		RepeatedReporter,
		/// The quorum must be more than half of the reporters, and at most all of them.
		InvalidQuorum,
		/// Reports would be too old at once: let them count for at least one second.
		NoTime,
		/// The source is closed: its owner can open it with `facts.changeSource`.
		SourceIsClosed,
		/// The account does not report for the source: the source's owner can add it with `facts.changeSource`.
		NotReporter,
		/// The observation is ahead of the block's timestamp: check the clock, and report again.
		ObservedInFuture,
		/// The observation is older than the source allows: observe again, and report that.
		ObservedTooLongAgo,
		/// The account has reported an observation on the topic that is as new or newer: report a later one.
		NotNewer,
		/// The account has no report on this topic that it could withdraw: check source and topic.
		NoReport,
		/// The credential would have ended already: choose a later end.
		EndIsPast,
		/// The account has issued no such credential: check the account that it is about, and its kind.
		UnknownCredential,
		/// The name's part before the first `/` belongs to another account, or to the owner of the source with that name:
		/// begin it with `x` and the first 32 hexadecimal digits of the caller's account id, or choose another name.
		NameOfAnother,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(T::MaxReporters::get() > 0, "MaxReporters is zero");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// Returns a source's fact on a topic by the reports that are at most `oldest` seconds old; without `oldest`, as
		/// old as the source allows.
		pub fn fact(source: Name, topic: Name, oldest: Option<u32>) -> Option<Value> {
			Self::agreed_fact(&source, &topic, oldest)
		}

		/// Evaluates a condition for an account, on facts, credentials and time. What a condition says about grants and
		/// payments is missing here.
		pub fn evaluate(condition: Condition, account: T::AccountId) -> Truth {
			Self::truth_of(&condition, &account)
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Create a source of facts, for which one or several accounts report.
		///
		/// The caller owns it, and pays its deposit. Its name is never given to a second owner.
		///
		/// - `name`: how conditions name the source. One whose part before the first `/` is the name of a source can only be
		///   taken by that source's owner, and one whose part is `x` and 32 hexadecimal digits only by the account whose id
		///   begins with them.
		/// - `reporters`: the accounts that report for it.
		/// - `quorum`: how many of them must have reported lately, and agree, for a fact; more than half of them.
		/// - `fresh`: for how many seconds after its observation a report counts.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::create_source())]
		pub fn create_source(
			origin: OriginFor<T>,
			name: Name,
			reporters: ReportersOf<T>,
			quorum: u32,
			fresh: u32,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_create_source(owner, name, reporters, quorum, fresh)
		}

		/// Change a source's reporters, quorum and time, or open a closed source again.
		///
		/// Reports of accounts that are no longer named do not count any more.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::change_source().saturating_add(T::Watcher::weight()))]
		pub fn change_source(
			origin: OriginFor<T>,
			name: Name,
			reporters: ReportersOf<T>,
			quorum: u32,
			fresh: u32,
		) -> DispatchResultWithPostInfo {
			let owner = ensure_signed(origin)?;
			Self::do_change_source(&owner, name.clone(), reporters, quorum, fresh)?;
			let watched = T::Watcher::source_changed(&name);
			Ok(Some(T::WeightInfo::change_source().saturating_add(watched)).into())
		}

		/// Close a source: it has no facts any more.
		///
		/// The deposit for its accounts is released. The one for its name is not, because the name stays taken.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::close_source().saturating_add(T::Watcher::weight()))]
		pub fn close_source(origin: OriginFor<T>, name: Name) -> DispatchResultWithPostInfo {
			let owner = ensure_signed(origin)?;
			Self::do_close_source(&owner, name.clone())?;
			let watched = T::Watcher::source_changed(&name);
			Ok(Some(T::WeightInfo::close_source().saturating_add(watched)).into())
		}

		/// Report what was observed on a topic. It replaces the caller's last report on the topic.
		///
		/// The first report on a topic takes a deposit. Reports of accounts that no longer report for the source are
		/// removed.
		///
		/// - `observed`: when it was observed, in seconds since 1970-01-01 UTC.
		/// - `response`: the BLAKE2b-256 hash of the response in which it was observed.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::report().saturating_add(T::Watcher::weight()))]
		pub fn report(
			origin: OriginFor<T>,
			source: Name,
			topic: Name,
			value: Value,
			observed: Seconds,
			response: H256,
		) -> DispatchResultWithPostInfo {
			let reporter = ensure_signed(origin)?;
			let (by, about) = (source.clone(), topic.clone());
			Self::do_report(reporter, by, about, value, observed, response)?;
			let watched = T::Watcher::fact_changed(&source, &topic);
			Ok(Some(T::WeightInfo::report().saturating_add(watched)).into())
		}

		/// Withdraw the caller's report on a topic, and get its deposit back.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::withdraw_report().saturating_add(T::Watcher::weight()))]
		pub fn withdraw_report(
			origin: OriginFor<T>,
			source: Name,
			topic: Name,
		) -> DispatchResultWithPostInfo {
			let reporter = ensure_signed(origin)?;
			Self::do_withdraw_report(reporter, source.clone(), topic.clone())?;
			let watched = T::Watcher::fact_changed(&source, &topic);
			Ok(Some(T::WeightInfo::withdraw_report().saturating_add(watched)).into())
		}

		/// Issue a credential about an account, or change its end.
		///
		/// - `until`: when it ends, in seconds since 1970-01-01 UTC.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::issue_credential().saturating_add(T::Watcher::weight()))]
		pub fn issue_credential(
			origin: OriginFor<T>,
			subject: T::AccountId,
			kind: Name,
			until: Seconds,
		) -> DispatchResultWithPostInfo {
			let issuer = ensure_signed(origin)?;
			Self::do_issue_credential(issuer.clone(), subject.clone(), kind.clone(), until)?;
			let watched = T::Watcher::credential_changed(&subject, &issuer, &kind);
			Ok(Some(T::WeightInfo::issue_credential().saturating_add(watched)).into())
		}

		/// Revoke a credential that the caller issued, or remove it after its end. The deposit is released.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::revoke_credential().saturating_add(T::Watcher::weight()))]
		pub fn revoke_credential(
			origin: OriginFor<T>,
			subject: T::AccountId,
			kind: Name,
		) -> DispatchResultWithPostInfo {
			let issuer = ensure_signed(origin)?;
			Self::do_revoke_credential(issuer.clone(), subject.clone(), kind.clone())?;
			let watched = T::Watcher::credential_changed(&subject, &issuer, &kind);
			Ok(Some(T::WeightInfo::revoke_credential().saturating_add(watched)).into())
		}
	}
}
