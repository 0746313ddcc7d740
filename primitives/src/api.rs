//! What the engine asks of a runtime.

use crate::{params::ChainParameters, Header};
use alloc::vec::Vec;
use polkadot_sdk::*;
use sp_runtime::OpaqueExtrinsic;

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
}
