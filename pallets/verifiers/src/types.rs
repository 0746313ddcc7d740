// SPDX-License-Identifier: Apache-2.0
//! The types in the pallet's state, and what the pallet asks of GRANDPA.

use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use polkadot_sdk::{sp_consensus_grandpa::SetId, sp_runtime::DispatchResult};
use scale_info::TypeInfo;

/// GRANDPA, as far as the verifiers decide on it.
pub trait Finality<BlockNumber> {
	/// Returns the number of the current set of voters. No one votes in a later one.
	fn current_set() -> SetId;

	/// Returns whether a change of the set of voters waits. Until it is over, all others are lost.
	fn is_changing() -> bool;

	/// Returns the number of the last finalized block of a forced change that waits; `None` if no forced change waits.
	fn forced_after() -> Option<BlockNumber>;

	/// Makes the session that starts now announce its voters by force. They vote on blocks after `finalized`, from
	/// `delay` blocks later on.
	///
	/// # Errors
	///
	/// Returns an error if GRANDPA refuses; then the next session tries again.
	fn note_stalled(delay: BlockNumber, finalized: BlockNumber) -> DispatchResult;
}

/// The motions of the verifiers, in the collective in which they vote.
pub trait Motions<Call, AccountId> {
	/// Returns who approved the motion with this call, while it is executed; no one if it was executed with one vote.
	fn ayes(call: Call) -> Vec<AccountId>;

	/// Removes what the collective has left in the state of motions that are closed.
	fn forget_closed();
}

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

/// A set of voters.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct VoterSet<BlockNumber> {
	/// The set's number, as the nodes count it.
	pub id: SetId,
	/// The block that announced the set. The set votes on the blocks after it.
	pub since: BlockNumber,
}

/// How long the decisions of the verifiers wait, in blocks.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct GovernmentDelays<BlockNumber> {
	/// From the agreement to an upgrade to its authorization.
	pub upgrade: BlockNumber,
	/// How long nothing must have been finalized before a restart of finality can be agreed to.
	pub stalled: BlockNumber,
	/// From the agreement to a restart of finality to its beginning.
	pub restart: BlockNumber,
	/// From the block that announces the new voters to their first vote.
	pub forced: BlockNumber,
}

impl<BlockNumber: From<u32>> Default for GovernmentDelays<BlockNumber> {
	/// Returns a week for an upgrade, and for a restart an hour, eight hours and two hours, with blocks of 12 s. A
	/// restart is over before a node forgets forks that are not finalized, which it does after 4096 blocks.
	fn default() -> Self {
		Self {
			upgrade: 50_400.into(),
			stalled: 300.into(),
			restart: 2_400.into(),
			forced: 600.into(),
		}
	}
}

/// An upgrade of the runtime that the verifiers agreed to.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Upgrade<Hash, BlockNumber> {
	/// The hash of the new code.
	pub code_hash: Hash,
	/// The block in which it is authorized.
	pub due: BlockNumber,
}

/// A restart of finality that the verifiers agreed to.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Restart<Accounts, BlockNumber> {
	/// The last finalized block.
	pub finalized: BlockNumber,
	/// The verifiers that are removed.
	pub absent: Accounts,
	/// The block in which it begins.
	pub due: BlockNumber,
}

/// A restart of finality that waits for the session of the new voters.
#[derive(Clone, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen, Debug)]
pub struct Restarting<BlockNumber> {
	/// The last finalized block.
	pub finalized: BlockNumber,
	/// The session in which all keys are the new voters'.
	pub session: u32,
}
