// SPDX-License-Identifier: Apache-2.0
//! Measures the cost of the calls, each with the maximum number of reporters and names of the maximum length.

use crate::{pallet::*, Report, Source};
use alloc::vec::Vec;
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{fungible::Mutate, Get, UnixTime},
	BoundedVec,
};
use frame_system::RawOrigin;
use isthmus_conditions::{Name, Text, Value, MAX_NAME_SIZE, MAX_TEXT_SIZE};
use polkadot_sdk::*;
use sp_core::H256;

/// For how many seconds reports count.
const FRESH: u32 = 3_600;

/// Returns a name of the maximum length.
fn name(letter: &str) -> Result<Name, BenchmarkError> {
	Name::new(&letter.repeat(MAX_NAME_SIZE)).map_err(|_| BenchmarkError::Stop("it is not a name"))
}

/// Returns the longest text.
fn value() -> Result<Value, BenchmarkError> {
	let text = Text::new(&"x".repeat(MAX_TEXT_SIZE));
	text.map(Value::Text)
		.map_err(|_| BenchmarkError::Stop("the text is too long"))
}

/// Returns an account with funds.
fn rich<T: Config>(index: u32) -> T::AccountId
where
	T::Currency: Mutate<T::AccountId>,
{
	let who: T::AccountId = account("account", index, 0);
	T::Currency::set_balance(&who, T::DepositPerItem::get() * 1_000u32.into());
	who
}

/// Returns the maximum number of accounts of a source, from this index on.
fn reporters<T: Config>(first: u32) -> ReportersOf<T>
where
	T::Currency: Mutate<T::AccountId>,
{
	let count = T::MaxReporters::get();
	ReportersOf::<T>::truncate_from((first..first + count).map(rich::<T>).collect())
}

/// Creates a source, and returns its owner and its reporters.
fn source<T: Config>() -> Result<(T::AccountId, ReportersOf<T>), BenchmarkError>
where
	T::Currency: Mutate<T::AccountId>,
{
	let (owner, reporters) = (rich::<T>(0), reporters::<T>(1));
	let quorum = reporters.len() as u32;
	Pallet::<T>::do_create_source(owner.clone(), name("s")?, reporters.clone(), quorum, FRESH)?;
	Ok((owner, reporters))
}

/// Reports the longest value.
fn report_as<T: Config>(who: &T::AccountId) -> Result<(), BenchmarkError> {
	let now = T::Time::now().as_secs();
	let response = H256::default();
	Pallet::<T>::do_report(who.clone(), name("s")?, name("t")?, value()?, now, response)?;
	Ok(())
}

impl<T: Config> Pallet<T> {
	/// Makes a source with the maximum number of reporters, who all report this value on a topic, without deposits: the
	/// most expensive fact, for the benchmarks of what waits for it.
	pub fn make_fact(name: &Name, topic: &Name, value: &Value) {
		let accounts = (0..T::MaxReporters::get()).map(|index| account("reporter", index, 0));
		let reporters = ReportersOf::<T>::truncate_from(accounts.collect());
		let observed = T::Time::now().as_secs();
		let report = |reporter: &T::AccountId| Report {
			reporter: reporter.clone(),
			value: value.clone(),
			observed,
			response: Default::default(),
			deposit: Default::default(),
		};
		let reports: Vec<_> = reporters.iter().map(report).collect();
		Reports::<T>::insert(name, topic, BoundedVec::truncate_from(reports));
		let source = Source {
			owner: account("owner", 0, 0),
			quorum: reporters.len() as u32,
			reporters,
			fresh: FRESH,
			deposit: Default::default(),
		};
		Sources::<T>::insert(name, source);
	}
}

#[benchmarks(where T::Currency: Mutate<T::AccountId>)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn create_source() -> Result<(), BenchmarkError> {
		let (owner, reporters) = (rich::<T>(0), reporters::<T>(1));
		let (source, quorum) = (name("s")?, reporters.len() as u32);

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), source, reporters, quorum, FRESH);

		assert!(Sources::<T>::contains_key(name("s")?));
		Ok(())
	}

	#[benchmark]
	fn change_source() -> Result<(), BenchmarkError> {
		let (owner, reporters) = source::<T>()?;
		Pallet::<T>::do_close_source(&owner, name("s")?)?;
		let (source, quorum) = (name("s")?, reporters.len() as u32);

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), source, reporters, quorum, FRESH);

		assert_eq!(
			Sources::<T>::get(name("s")?).map(|source| source.quorum),
			Some(quorum)
		);
		Ok(())
	}

	#[benchmark]
	fn close_source() -> Result<(), BenchmarkError> {
		let (owner, _) = source::<T>()?;
		let source = name("s")?;

		#[extrinsic_call]
		_(RawOrigin::Signed(owner), source);

		assert_eq!(
			Sources::<T>::get(name("s")?).map(|source| source.quorum),
			Some(0)
		);
		Ok(())
	}

	/// All reporters of the source have been replaced, and their reports are removed.
	#[benchmark]
	fn report() -> Result<(), BenchmarkError> {
		let (owner, former) = source::<T>()?;
		former.iter().try_for_each(report_as::<T>)?;
		let new = reporters::<T>(1 + T::MaxReporters::get());
		let quorum = new.len() as u32;
		let who = new.iter().next().cloned();
		let who = who.ok_or(BenchmarkError::Stop("MaxReporters is zero"))?;
		Pallet::<T>::do_change_source(&owner, name("s")?, new, quorum, FRESH)?;
		let (source, topic, value) = (name("s")?, name("t")?, value()?);
		let (now, response) = (T::Time::now().as_secs(), H256::default());

		#[extrinsic_call]
		_(RawOrigin::Signed(who), source, topic, value, now, response);

		assert_eq!(Reports::<T>::get(name("s")?, name("t")?).len(), 1);
		Ok(())
	}

	/// All reporters of the source have reported.
	#[benchmark]
	fn withdraw_report() -> Result<(), BenchmarkError> {
		let (_, reporters) = source::<T>()?;
		reporters.iter().try_for_each(report_as::<T>)?;
		let accounts: Vec<_> = reporters.into_inner();
		let who = accounts.first().cloned();
		let who = who.ok_or(BenchmarkError::Stop("MaxReporters is zero"))?;
		let (source, topic) = (name("s")?, name("t")?);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), source, topic);

		assert_eq!(
			Reports::<T>::get(name("s")?, name("t")?).len(),
			accounts.len() - 1
		);
		Ok(())
	}

	#[benchmark]
	fn issue_credential() -> Result<(), BenchmarkError> {
		let (issuer, subject, kind) = (rich::<T>(0), rich::<T>(1), name("k")?);
		let (by, about) = (issuer.clone(), subject.clone());

		#[extrinsic_call]
		_(RawOrigin::Signed(by), about, kind, u64::MAX);

		assert!(Credentials::<T>::contains_key((
			subject,
			issuer,
			name("k")?
		)));
		Ok(())
	}

	#[benchmark]
	fn revoke_credential() -> Result<(), BenchmarkError> {
		let (issuer, subject) = (rich::<T>(0), rich::<T>(1));
		let (by, about) = (issuer.clone(), subject.clone());
		Pallet::<T>::do_issue_credential(by, about, name("k")?, u64::MAX)?;
		let kind = name("k")?;

		#[extrinsic_call]
		_(RawOrigin::Signed(issuer), subject, kind);

		assert_eq!(Credentials::<T>::iter().count(), 0);
		Ok(())
	}
}
