// SPDX-License-Identifier: Apache-2.0
//! Defines the entries of the chain's state that clients read: producers, encryption keys, datasets, records
//! and grants. Requests are in [`request`](crate::request).
//!
//! Entries that contain text or keys are generic over the types of these, because the pallet bounds their
//! lengths and clients do not.

use crate::{
	ids::{DatasetId, Epoch, Leaf, ProducerKind, RecordKey, Seconds, H256},
	payload::Payload,
	purpose::PurposeCode,
	scope::{GrantState, Scope},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use isthmus_conditions::Condition;
use scale_info::TypeInfo;

/// A data producer: an account that is registered to share data. The account is also the address of its
/// contract.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Producer<Balance, Name> {
	/// Its kind.
	pub kind: ProducerKind,
	/// The name that it chose. The chain does not verify that the name is true.
	pub name: Name,
	/// The number of its datasets.
	pub datasets: u32,
	/// The deposit held for this entry.
	pub deposit: Balance,
}

/// An account's public encryption key, which is not the key that it signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct RegisteredKey<Balance, Key> {
	/// The suite's number (two bytes), followed by the key in that suite's encoding.
	pub key: Key,
	/// The deposit held for this entry.
	pub deposit: Balance,
}

/// A dataset of a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Dataset<Balance, Name> {
	/// Its name, unique among its owner's datasets.
	pub name: Name,
	/// The epoch that new records go to.
	pub epoch: Epoch,
	/// How many leaves are taken, in all epochs. A removed record's leaf stays taken while its epoch is the
	/// current one.
	pub leaves: u64,
	/// The number of open requests for it.
	pub requests: u64,
	/// How many grants on it are stored, active or ended.
	pub grants: u64,
	/// Whether it takes no more requests.
	pub closed: bool,
	/// The deposit held for this entry.
	pub deposit: Balance,
}

/// Who controls a dataset: the account that acts as its owner, has the deposits for it and gets what readers pay for it.
///
/// A dataset's address, which is the account that created it and a number, stays as it is when another account takes it
/// over, so that its records, grants and keys stay where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Control<AccountId, Balance> {
	/// The account: the one that created the dataset, unless another one took it over.
	pub controller: AccountId,
	/// The epoch that started when this account took the dataset over. It cannot derive the keys of earlier ones.
	pub since: Epoch,
	/// The account that the dataset is offered to, if it is.
	pub offered_to: Option<AccountId>,
	/// How often the dataset was offered, which is the number of the last offer: who accepts one names it.
	pub offers: u32,
	/// What is held from the controller for the dataset.
	pub held: Held<Balance>,
}

/// The deposits that are held from a dataset's controller for what belongs to the dataset, by the reason of the hold. Deposits
/// of readers, and those for embargoes and for offers under a condition, are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Held<Balance> {
	/// For the dataset itself, its policy and its locations.
	pub dataset: Balance,
	/// For its records and the leaves that are taken.
	pub records: Balance,
	/// For the grants that no one requested.
	pub grants: Balance,
	/// For the conditions of its policy and its grants.
	pub conditions: Balance,
}

/// A record as stored in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Record<Balance, BlockNumber> {
	/// The dataset it belongs to.
	pub dataset: DatasetId,
	/// The dataset's epoch when it was stored.
	pub epoch: Epoch,
	/// Its leaf in that epoch.
	pub leaf: Leaf,
	/// Where its bytes are.
	pub payload: Payload<BlockNumber>,
	/// The deposit held for this entry.
	pub deposit: Balance,
}

/// How many objects a dataset has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct ObjectCount<BlockNumber> {
	/// Their number.
	pub count: u32,
	/// The block in which the first one was stored since there were none.
	pub since: BlockNumber,
}

/// Where the objects of a dataset are, as its owner says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Locations<Balance, Urls> {
	/// The addresses of the stores, in the form that [`location`](crate::location) describes. Readers try them in this
	/// order.
	pub urls: Urls,
	/// The deposit held for this entry.
	pub deposit: Balance,
}

/// What has taken a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub enum LeafUse {
	/// The record with this key.
	#[codec(index = 0)]
	Record(RecordKey),
	/// A record that was removed. The leaf stays taken until the epoch is over, so that no two values are
	/// ever encrypted under the same leaf's key.
	#[codec(index = 1)]
	Spent,
}

/// A leaf that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct TakenLeaf<Balance> {
	/// What has taken it.
	pub by: LeafUse,
	/// The deposit held for this entry.
	pub deposit: Balance,
}

/// An entry of the authorization list (the paper's `AuthoList[user]`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Grant<AccountId, Balance, BlockNumber, SealedKeys> {
	/// The owner, who gave the grant.
	pub owner: AccountId,
	/// The reader, who holds the grant.
	pub grantee: AccountId,
	/// The range that it opens.
	pub scope: Scope,
	/// The first block at which it has expired.
	pub expiry: BlockNumber,
	/// The date at which it expires, if it has one. It has expired in the first block whose timestamp (H_s)
	/// is this date or later.
	pub until: Option<Seconds>,
	/// The digest of the request that it answers, if any: what its owner and its grantee agreed on.
	pub agreement: Option<H256>,
	/// The code of the purpose that this request stated, which the digest covers.
	pub code: PurposeCode,
	/// What the grantee paid for it. If the owner revokes it, the share for the blocks that are left until
	/// `paid_until` is paid back.
	pub paid: Balance,
	/// The block in which it was given, from which the term that was paid for counts.
	pub paid_from: BlockNumber,
	/// The end of the term that the grantee paid for, or the grant's own block if nothing was paid. Never later
	/// than `expiry`.
	pub paid_until: BlockNumber,
	/// Whether the term is firm: the owner cannot revoke the grant before `paid_until`.
	pub firm: bool,
	/// Whether it is active, suspended or ended. An ended grant is kept for a while, so that a refused query can say why it is
	/// refused. It is removed earlier if another grant needs its place in the list.
	pub state: GrantState,
	/// The range's keys, sealed to the grantee. Empty once the grant has ended.
	pub sealed_keys: SealedKeys,
	/// The account whose funds the deposit is held from: the grantee if it requested the grant, else the owner.
	pub depositor: AccountId,
	/// The deposit held for this entry. Once the grant has ended, it no longer includes the part for the
	/// sealed keys.
	pub deposit: Balance,
	/// The block in which the chain processes the grant next. For an active grant, this is `expiry` or, if it has
	/// a date, about the block of that date. An ended grant is removed in this block, which is the chain's constant
	/// `GrantMemory` after its end.
	pub due: BlockNumber,
	/// The condition under which the grant is good: it is suspended while the condition is not met. `None` once the
	/// grant has ended.
	pub condition: Option<Attached<Balance>>,
}

/// A condition that hangs on an entry of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "by-name", derive(scale_decode::DecodeAsType))]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Attached<Balance> {
	/// The condition.
	pub condition: Condition,
	/// The deposit held from the owner for the condition, and for its places among what waits for facts.
	pub deposit: Balance,
}

impl<AccountId, Balance, BlockNumber: PartialOrd, SealedKeys>
	Grant<AccountId, Balance, BlockNumber, SealedKeys>
{
	/// Returns the grant's state in this block with this H_s.
	pub fn state_at(&self, block: &BlockNumber, time: Seconds) -> GrantState {
		let over = *block >= self.expiry || self.until.is_some_and(|until| time >= until);
		match self.state {
			// The chain's agenda, which ends expired grants, may be late, and it ignores dates.
			GrantState::Active | GrantState::Suspended if over => GrantState::Expired,
			state => state,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use GrantState::*;

	#[test]
	fn a_grant_ends_at_its_block_or_at_its_date() {
		let grant = |state, until| Grant {
			owner: 1u64,
			grantee: 2,
			scope: Scope {
				dataset: 0,
				epoch: 0,
				from: 0,
				to: 1,
			},
			expiry: 10u32,
			until,
			agreement: None,
			code: PurposeCode::Unspecified,
			paid: 0,
			paid_from: 0,
			paid_until: 0,
			firm: false,
			state,
			sealed_keys: (),
			depositor: 1,
			deposit: 0u128,
			due: 10,
			condition: None,
		};
		for (state, until, block, time, expected) in [
			(Active, None, 9, u64::MAX, Active),
			(Active, None, 10, 0, Expired),
			(Active, Some(100), 9, 99, Active),
			(Active, Some(100), 9, 100, Expired),
			(Revoked, Some(100), 10, 100, Revoked),
			(Expired, None, 0, 0, Expired),
			(Suspended, Some(100), 9, 99, Suspended),
			(Suspended, Some(100), 9, 100, Expired),
			(Suspended, None, 10, 0, Expired),
		] {
			assert_eq!(grant(state, until).state_at(&block, time), expected);
		}
	}
}
