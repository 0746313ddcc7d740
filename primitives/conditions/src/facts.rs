// SPDX-License-Identifier: Apache-2.0
//! Defines what a chain keeps about facts: sources, reports and credentials; and what the reports of a source amount to.
//!
//! A chain that keeps them, and a client that proves what a chain keeps, compute facts by the same functions.

use crate::{agreement::agreed, value::Value};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The version of the storage that keeps these entries.
pub const STORAGE_VERSION: u16 = 1;

/// A time in seconds since 1970-01-01 UTC, like a block's timestamp H_s.
pub type Seconds = u64;

/// A source of facts.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[scale_info(capture_docs = "always")]
pub struct Source<AccountId, Balance, Accounts> {
	/// The account that created it, and decides on the rest.
	pub owner: AccountId,
	/// The accounts that report for it. None, if the source is closed.
	pub reporters: Accounts,
	/// How many of them must have reported lately for a fact: more than half. 0, if the source is closed.
	pub quorum: u32,
	/// For how many seconds after its observation a report counts.
	pub fresh: u32,
	/// The deposit held from the owner for this entry.
	pub deposit: Balance,
}

/// The last report of one account about one topic.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[scale_info(capture_docs = "always")]
pub struct Report<AccountId, Balance> {
	/// The account.
	pub reporter: AccountId,
	/// What it observed.
	pub value: Value,
	/// When it observed that.
	pub observed: Seconds,
	/// The hash of the response in which it observed that, so that what was seen can be shown: BLAKE2b-256 of the bytes.
	pub response: [u8; 32],
	/// The deposit held from the account for this report.
	pub deposit: Balance,
}

/// A credential of an account.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[scale_info(capture_docs = "always")]
pub struct Credential<Balance> {
	/// When it ends: it is valid before this time.
	pub until: Seconds,
	/// The deposit held from the issuer for this entry.
	pub deposit: Balance,
}

impl<Balance> Credential<Balance> {
	/// Returns whether the credential has not ended at this time.
	pub fn is_valid_at(&self, now: Seconds) -> bool {
		now < self.until
	}
}

impl<AccountId: PartialEq, Balance, Accounts: AsRef<[AccountId]>>
	Source<AccountId, Balance, Accounts>
{
	/// Returns how old a report may be to count, in seconds.
	fn age(&self, oldest: Option<u32>) -> Seconds {
		oldest.unwrap_or(u32::MAX).min(self.fresh).into()
	}

	/// Returns whether a report counts at this time: its account reports for the source, and what it observed is at most
	/// `oldest` seconds old; without `oldest`, as old as the source allows.
	pub fn counts<Deposit>(
		&self,
		report: &Report<AccountId, Deposit>,
		now: Seconds,
		oldest: Option<u32>,
	) -> bool {
		let age = now.saturating_sub(report.observed);
		self.reporters.as_ref().contains(&report.reporter) && age <= self.age(oldest)
	}

	/// Returns the time at which the oldest of the reports that [count](Self::counts) will not count any more; `None` if none
	/// does.
	pub fn changes_at<Deposit>(
		&self,
		reports: &[Report<AccountId, Deposit>],
		now: Seconds,
		oldest: Option<u32>,
	) -> Option<Seconds> {
		let counting = reports
			.iter()
			.filter(|report| self.counts(report, now, oldest));
		let first = counting.map(|report| report.observed).min()?;
		Some(first.saturating_add(self.age(oldest)).saturating_add(1))
	}

	/// Returns what the reports about one topic that [count](Self::counts) agree on: the fact.
	pub fn fact<Deposit>(
		&self,
		reports: &[Report<AccountId, Deposit>],
		now: Seconds,
		oldest: Option<u32>,
	) -> Option<Value> {
		let values: Vec<_> = reports
			.iter()
			.filter(|report| self.counts(report, now, oldest))
			.map(|report| report.value.clone())
			.collect();
		agreed(&values, self.quorum as usize)
	}
}
