// SPDX-License-Identifier: Apache-2.0
//! The types in the pallet's state.

use codec::{Decode, Encode, MaxEncodedLen};
use polkadot_sdk::sp_consensus_grandpa::SetId;
use scale_info::TypeInfo;

/// A former verifier's deposit.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Bond<Balance> {
	/// The amount held.
	pub deposit: Balance,
	/// The deposit is released when this session starts.
	pub until: u32,
}

/// The owner of a GRANDPA key that votes or voted lately.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Voter<AccountId> {
	/// The verifier.
	pub account: AccountId,
	/// The last session in which the key votes, as far as is known.
	pub last: u32,
	/// The last set in which the key is known to have equivocated. Older evidence counts for nothing.
	pub reported: Option<SetId>,
}
