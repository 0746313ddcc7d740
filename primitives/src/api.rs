// SPDX-License-Identifier: Apache-2.0
//! Declares the runtime APIs, the functions of the runtime that the node calls.

use crate::{
	params::{ChainParameters, Miners},
	AccountId, Header,
};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_consensus_grandpa::{AuthorityId, SetId};
use sp_runtime::OpaqueExtrinsic;

/// A verifier: a registered producer whose node verifies blocks and votes to finalize those that are
/// valid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Verifier {
	/// The producer's account.
	pub account: AccountId,
	/// The key that its node votes with.
	pub grandpa: AuthorityId,
}

sp_api::decl_runtime_apis! {
	/// The runtime API that the proof-of-work engine calls. From version 3 on, the runtime leaves the difficulty (H_d) to
	/// the engine.
	#[api_version(3)]
	pub trait ProofOfWorkApi {
		/// Returns the chain's consensus parameters. The engine calls this once, at the genesis block.
		fn parameters() -> ChainParameters;

		/// Returns B_U, the uncle headers that a block's body names, or `None` if the body is malformed:
		/// if an extrinsic does not decode, or there is more than one uncles inherent.
		///
		/// The extrinsics are passed as opaque bytes. If one of them does not decode, the function returns
		/// `None`; with decoded extrinsics, the call itself would fail.
		fn uncles(extrinsics: Vec<OpaqueExtrinsic>) -> Option<Vec<Header>>;

		/// Returns whether an account may be the beneficiary (H_c) of a block on this one, on a chain where these may
		/// mine.
		fn may_mine(miners: Miners, account: AccountId) -> bool;
	}

	/// The runtime API that tells who mined a block, for clients that cannot read the engine's digest item.
	pub trait BlockAuthorApi {
		/// Returns H_c, the account that mined this block: the block's beneficiary. For the genesis block, which no one
		/// mined, this is the zero account.
		fn author() -> AccountId;
	}

	/// The runtime API that lists the verifiers.
	#[api_version(2)]
	pub trait VerifiersApi {
		/// Returns the verifiers that vote on finality after this block, in the order of GRANDPA's
		/// authorities. The set's number is `GrandpaApi::current_set_id`.
		///
		/// If finality is stalled, the verifiers can force a change of the set. Until that change takes
		/// effect, an authority whose account is not known is missing here.
		fn verifiers() -> Vec<Verifier>;

		/// Returns the verifiers that vote from the next session on.
		fn queued_verifiers() -> Vec<Verifier>;

		/// Returns the verifiers and former verifiers whose keys signed two different votes in one round, and were
		/// reported for it, each with the last such set.
		fn equivocations() -> Vec<(Verifier, SetId)>;
	}
}
