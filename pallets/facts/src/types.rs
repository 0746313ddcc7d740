// SPDX-License-Identifier: Apache-2.0
//! Defines the entries of the pallet's state.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use isthmus_conditions::Value;
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_core::H256;

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
	pub response: H256,
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
