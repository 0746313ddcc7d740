// SPDX-License-Identifier: Apache-2.0
//! What the calls do.

use crate::{pallet::*, Credential, Report, Seconds, Source};
use alloc::vec::Vec;
use codec::{Encode, MaxEncodedLen};
use core::cmp::Ordering;
use frame_support::{
	ensure,
	traits::{fungible::MutateHold, tokens::Precision, Get, UnixTime},
	BoundedVec,
};
use isthmus_conditions::{Name, Value};
use polkadot_sdk::*;
use sp_core::H256;
use sp_runtime::{
	traits::{Saturating, Zero},
	DispatchResult,
};

impl<T: Config> Pallet<T> {
	pub(crate) fn do_create_source(
		owner: T::AccountId,
		name: Name,
		reporters: ReportersOf<T>,
		quorum: u32,
		fresh: u32,
	) -> DispatchResult {
		Self::check_source(&reporters, quorum, fresh)?;
		Self::check_name(&owner, &name)?;
		ensure!(!Sources::<T>::contains_key(&name), Error::<T>::NameTaken);
		let deposit = Self::source_deposit(&name, &reporters);
		Self::adjust(HoldReason::Source, &owner, Zero::zero(), deposit)?;
		let source = Source {
			owner: owner.clone(),
			reporters: reporters.clone(),
			quorum,
			fresh,
			deposit,
		};
		Sources::<T>::insert(&name, source);
		Self::deposit_event(Event::SourceCreated {
			source: name,
			owner,
			reporters,
			quorum,
			fresh,
		});
		Ok(())
	}

	pub(crate) fn do_change_source(
		owner: &T::AccountId,
		name: Name,
		reporters: ReportersOf<T>,
		quorum: u32,
		fresh: u32,
	) -> DispatchResult {
		Self::check_source(&reporters, quorum, fresh)?;
		let mut source = Self::owned_source(owner, &name)?;
		let deposit = Self::source_deposit(&name, &reporters);
		Self::adjust(HoldReason::Source, owner, source.deposit, deposit)?;
		source.reporters = reporters.clone();
		(source.quorum, source.fresh, source.deposit) = (quorum, fresh, deposit);
		Sources::<T>::insert(&name, source);
		Self::deposit_event(Event::SourceChanged {
			source: name,
			reporters,
			quorum,
			fresh,
		});
		Ok(())
	}

	pub(crate) fn do_close_source(owner: &T::AccountId, name: Name) -> DispatchResult {
		let mut source = Self::owned_source(owner, &name)?;
		ensure!(!source.reporters.is_empty(), Error::<T>::SourceIsClosed);
		source.reporters = BoundedVec::new();
		source.quorum = 0;
		let deposit = Self::source_deposit(&name, &source.reporters);
		Self::adjust(HoldReason::Source, owner, source.deposit, deposit)?;
		source.deposit = deposit;
		Sources::<T>::insert(&name, source);
		Self::deposit_event(Event::SourceClosed { source: name });
		Ok(())
	}

	pub(crate) fn do_report(
		reporter: T::AccountId,
		source: Name,
		topic: Name,
		value: Value,
		observed: Seconds,
		response: H256,
	) -> DispatchResult {
		let entry = Sources::<T>::get(&source).ok_or(Error::<T>::UnknownSource)?;
		ensure!(!entry.reporters.is_empty(), Error::<T>::SourceIsClosed);
		ensure!(entry.reporters.contains(&reporter), Error::<T>::NotReporter);
		let now = Self::now();
		ensure!(
			observed <= now.saturating_add(T::ClockDrift::get()),
			Error::<T>::ObservedInFuture
		);
		ensure!(
			now.saturating_sub(observed) <= entry.fresh.into(),
			Error::<T>::ObservedTooLongAgo
		);
		// Without the reports of former reporters there is room for one of each reporter.
		let (mut reports, former): (Vec<_>, Vec<_>) = Reports::<T>::take(&source, &topic)
			.into_iter()
			.partition(|report| entry.reporters.contains(&report.reporter));
		for Report {
			reporter, deposit, ..
		} in former
		{
			Self::adjust(HoldReason::Report, &reporter, deposit, Zero::zero())?;
			Self::deposit_event(Event::ReportRemoved {
				source: source.clone(),
				topic: topic.clone(),
				reporter,
			});
		}
		let last = reports.iter_mut().find(|last| last.reporter == reporter);
		if let Some(last) = last {
			ensure!(observed > last.observed, Error::<T>::NotNewer);
			(last.value, last.observed, last.response) = (value.clone(), observed, response.0);
		} else {
			let deposit = Self::report_deposit();
			Self::adjust(HoldReason::Report, &reporter, Zero::zero(), deposit)?;
			reports.push(Report {
				reporter: reporter.clone(),
				value: value.clone(),
				observed,
				response: response.0,
				deposit,
			});
		}
		let fact = entry.fact(&reports, now, None);
		Reports::<T>::insert(&source, &topic, BoundedVec::truncate_from(reports));
		Self::deposit_event(Event::Reported {
			source,
			topic,
			reporter,
			value,
			observed,
			response,
			fact,
		});
		Ok(())
	}

	pub(crate) fn do_withdraw_report(
		reporter: T::AccountId,
		source: Name,
		topic: Name,
	) -> DispatchResult {
		let mut reports = Reports::<T>::get(&source, &topic);
		let place = reports
			.iter()
			.position(|report| report.reporter == reporter);
		let report = reports.remove(place.ok_or(Error::<T>::NoReport)?);
		Self::adjust(HoldReason::Report, &reporter, report.deposit, Zero::zero())?;
		if reports.is_empty() {
			Reports::<T>::remove(&source, &topic);
		} else {
			Reports::<T>::insert(&source, &topic, reports);
		}
		Self::deposit_event(Event::ReportWithdrawn {
			source,
			topic,
			reporter,
		});
		Ok(())
	}

	pub(crate) fn do_issue_credential(
		issuer: T::AccountId,
		subject: T::AccountId,
		kind: Name,
		until: Seconds,
	) -> DispatchResult {
		ensure!(until > Self::now(), Error::<T>::EndIsPast);
		let key = (&subject, &issuer, &kind);
		let before = Credentials::<T>::get(key).map_or(Zero::zero(), |last| last.deposit);
		let deposit = Self::deposit(kind.as_str().len());
		Self::adjust(HoldReason::Credential, &issuer, before, deposit)?;
		Credentials::<T>::insert(key, Credential { until, deposit });
		Self::deposit_event(Event::CredentialIssued {
			issuer,
			subject,
			kind,
			until,
		});
		Ok(())
	}

	pub(crate) fn do_revoke_credential(
		issuer: T::AccountId,
		subject: T::AccountId,
		kind: Name,
	) -> DispatchResult {
		let credential = Credentials::<T>::take((&subject, &issuer, &kind))
			.ok_or(Error::<T>::UnknownCredential)?;
		let reason = HoldReason::Credential;
		Self::adjust(reason, &issuer, credential.deposit, Zero::zero())?;
		Self::deposit_event(Event::CredentialRevoked {
			issuer,
			subject,
			kind,
		});
		Ok(())
	}

	/// Returns the block's timestamp.
	pub(crate) fn now() -> Seconds {
		T::Time::now().as_secs()
	}

	/// Returns the fact of a source on a topic by the reports that are at most this old, in seconds.
	pub(crate) fn agreed_fact(source: &Name, topic: &Name, oldest: Option<u32>) -> Option<Value> {
		let entry = Sources::<T>::get(source)?;
		entry.fact(&Reports::<T>::get(source, topic), Self::now(), oldest)
	}

	/// Returns the same, and the time at which the oldest of the reports that count grows too old: the fact changes then at
	/// the earliest, unless there is another report.
	pub fn fact_until(
		source: &Name,
		topic: &Name,
		oldest: Option<u32>,
	) -> (Option<Value>, Option<Seconds>) {
		let Some(entry) = Sources::<T>::get(source) else {
			return (None, None);
		};
		let reports = Reports::<T>::get(source, topic);
		let fact = entry.fact(&reports, Self::now(), oldest);
		// Without a report that counts now there cannot be an agreement that there is not with it.
		let until = match fact {
			Some(_) => entry.changes_at(&reports, Self::now(), oldest),
			None => None,
		};
		(fact, until)
	}

	/// Returns when a credential ends; `None` if there is none.
	pub fn credential_until(
		account: &T::AccountId,
		issuer: &T::AccountId,
		kind: &Name,
	) -> Option<Seconds> {
		Credentials::<T>::get((account, issuer, kind)).map(|credential| credential.until)
	}

	/// Checks what an owner chooses for a source.
	fn check_source(reporters: &ReportersOf<T>, quorum: u32, fresh: u32) -> DispatchResult {
		ensure!(!reporters.is_empty(), Error::<T>::NoReporters);
		let is_repeated = |index: usize| reporters[..index].contains(&reporters[index]);
		ensure!(
			!(0..reporters.len()).any(is_repeated),
			Error::<T>::RepeatedReporter
		);
		let (quorum, count) = (quorum as usize, reporters.len());
		let is_majority = quorum.saturating_mul(2) > count;
		ensure!(is_majority && quorum <= count, Error::<T>::InvalidQuorum);
		ensure!(fresh > 0, Error::<T>::NoTime);
		Ok(())
	}

	/// Refuses a name whose part before the first `/` is someone else's: that of an account, or of its source.
	fn check_name(owner: &T::AccountId, name: &Name) -> DispatchResult {
		let first = name.as_str().split('/').next().unwrap_or_default();
		let is_free = match account_digits(first) {
			Some(digits) => owner.encode().starts_with(&digits),
			None if first == name.as_str() => true,
			None => Name::new(first)
				.ok()
				.and_then(Sources::<T>::get)
				.is_none_or(|source| source.owner == *owner),
		};
		ensure!(is_free, Error::<T>::NameOfAnother);
		Ok(())
	}

	/// Returns a source of this owner.
	fn owned_source(owner: &T::AccountId, name: &Name) -> Result<SourceOf<T>, Error<T>> {
		let source = Sources::<T>::get(name).ok_or(Error::<T>::UnknownSource)?;
		ensure!(source.owner == *owner, Error::<T>::NotOwner);
		Ok(source)
	}

	/// The deposit for an entry with this many bytes that its maker chose.
	fn deposit(bytes: usize) -> BalanceOf<T> {
		let bytes = BalanceOf::<T>::from(u32::try_from(bytes).unwrap_or(u32::MAX));
		let for_bytes = T::DepositPerByte::get().saturating_mul(bytes);
		T::DepositPerItem::get().saturating_add(for_bytes)
	}

	/// The deposit for a source with this name and these accounts.
	fn source_deposit(name: &Name, reporters: &ReportersOf<T>) -> BalanceOf<T> {
		let accounts = reporters
			.len()
			.saturating_mul(T::AccountId::max_encoded_len());
		Self::deposit(name.as_str().len().saturating_add(accounts))
	}

	/// The deposit for a report: the same for each value, since a later report can be longer.
	pub(crate) fn report_deposit() -> BalanceOf<T> {
		Self::deposit(ReportOf::<T>::max_encoded_len())
	}

	/// Changes an account's deposit for one entry.
	fn adjust(
		reason: HoldReason,
		who: &T::AccountId,
		before: BalanceOf<T>,
		after: BalanceOf<T>,
	) -> DispatchResult {
		let reason = reason.into();
		match after.cmp(&before) {
			Ordering::Greater => T::Currency::hold(&reason, who, after - before)?,
			Ordering::Less => {
				T::Currency::release(&reason, who, before - after, Precision::Exact)?;
			}
			Ordering::Equal => {}
		}
		Ok(())
	}
}

/// Returns the bytes with which the account's id begins that alone may use a name beginning with this part: `x` and 32
/// hexadecimal digits. `None` if the part names no account.
fn account_digits(part: &str) -> Option<[u8; 16]> {
	let digits = part.strip_prefix('x').filter(|digits| digits.len() == 32)?;
	let mut bytes = [0; 16];
	hex::decode_to_slice(digits, &mut bytes).ok()?;
	Some(bytes)
}
