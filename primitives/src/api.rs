//! What the node asks of a runtime.

use crate::{params::ChainParameters, AccountId, Header};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use polkadot_sdk::*;
use scale_info::TypeInfo;
use sp_consensus_grandpa::AuthorityId;
use sp_runtime::OpaqueExtrinsic;

/// A verifier: a registered producer whose node verifies blocks, and votes on finality for those
/// that are good.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Verifier {
	/// The producer's account.
	pub account: AccountId,
	/// The key that its node votes with.
	pub grandpa: AuthorityId,
}

sp_api::decl_runtime_apis! {
	/// The proof-of-work engine's questions to the runtime.
	pub trait ProofOfWorkApi {
		/// The chain's consensus parameters. The engine asks once, at the genesis block.
		fn parameters() -> ChainParameters;

		/// B_U: the uncle headers that a block's body names, or `None` where the body is malformed:
		/// an extrinsic that does not decode, or more than one uncles inherent.
		///
		/// The extrinsics are opaque, so that what does not decode is an answer and not a failed call.
		fn uncles(extrinsics: Vec<OpaqueExtrinsic>) -> Option<Vec<Header>>;
	}

	/// The verifiers.
	pub trait VerifiersApi {
		/// Who votes on finality after this block, in the order of GRANDPA's authorities. The
		/// set's number is `GrandpaApi::current_set_id`.
		///
		/// The one exception is a change of set that the superuser forced because finality stood
		/// still: until it takes effect, an authority is left out whose account is not known.
		fn verifiers() -> Vec<Verifier>;

		/// Who will vote from the next session on.
		fn queued_verifiers() -> Vec<Verifier>;
	}
}
