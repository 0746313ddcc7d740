// SPDX-License-Identifier: Apache-2.0
//! Checks the invariants of the pallet's state between calls, for tests and `try-runtime`.

use crate::pallet::{
	BalanceOf, Config, Credentials, HoldReason, Pallet, ReportOf, Reports, SourceOf, Sources,
};
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::fungible::InspectHold};
use polkadot_sdk::*;
use sp_runtime::{
	traits::{Saturating, Zero},
	TryRuntimeError,
};

/// The deposits that the entries record, by account.
type Deposits<T> = BTreeMap<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

impl<T: Config> Pallet<T> {
	/// Checks the invariants of the state.
	///
	/// # Errors
	///
	/// Returns a sentence about the first invariant that is violated.
	pub fn do_try_state() -> Result<(), TryRuntimeError> {
		let mut deposits = Deposits::<T>::new();
		for source in Sources::<T>::iter_values() {
			Self::check_stored_source(&source)?;
			record::<T>(&mut deposits, source.owner, source.deposit);
		}
		Self::check_held(HoldReason::Source, deposits)?;

		let mut deposits = Deposits::<T>::new();
		for (source, _, reports) in Reports::<T>::iter() {
			ensure!(
				Sources::<T>::contains_key(source),
				"a report is for an unknown source"
			);
			Self::check_reports(&reports)?;
			for report in reports {
				record::<T>(&mut deposits, report.reporter, report.deposit);
			}
		}
		Self::check_held(HoldReason::Report, deposits)?;

		let mut deposits = Deposits::<T>::new();
		for ((_, issuer, _), credential) in Credentials::<T>::iter() {
			record::<T>(&mut deposits, issuer, credential.deposit);
		}
		Self::check_held(HoldReason::Credential, deposits)
	}

	fn check_stored_source(source: &SourceOf<T>) -> Result<(), TryRuntimeError> {
		let (quorum, count) = (source.quorum as usize, source.reporters.len());
		ensure!(
			(quorum == 0 && count == 0) || (quorum * 2 > count && quorum <= count),
			"a source's quorum does not fit its reporters"
		);
		ensure!(
			(1..count).all(|index| !source.reporters[..index].contains(&source.reporters[index])),
			"a source has a reporter twice"
		);
		ensure!(source.fresh > 0, "a source's reports count for no time");
		Ok(())
	}

	fn check_reports(reports: &[ReportOf<T>]) -> Result<(), TryRuntimeError> {
		ensure!(!reports.is_empty(), "a topic without reports is stored");
		let is_repeated = |index: usize| {
			let earlier = &reports[..index];
			earlier
				.iter()
				.any(|report| report.reporter == reports[index].reporter)
		};
		ensure!(
			!(0..reports.len()).any(is_repeated),
			"an account has two reports on a topic"
		);
		Ok(())
	}

	/// Checks that exactly the recorded deposits are held from the accounts that have any.
	fn check_held(reason: HoldReason, deposits: Deposits<T>) -> Result<(), TryRuntimeError> {
		let reason = reason.into();
		for (who, deposit) in deposits {
			ensure!(
				T::Currency::balance_on_hold(&reason, &who) == deposit,
				"the deposit held differs from the ones recorded"
			);
		}
		Ok(())
	}
}

fn record<T: Config>(deposits: &mut Deposits<T>, who: T::AccountId, deposit: BalanceOf<T>) {
	let sum = deposits.entry(who).or_insert_with(Zero::zero);
	*sum = sum.saturating_add(deposit);
}
