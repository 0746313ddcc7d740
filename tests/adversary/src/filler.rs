// SPDX-License-Identifier: Apache-2.0

//! Makes transactions that fill a block: calls and, after them, remarks of random bytes by a development account, which
//! nothing can compress.

use crate::maker::{MakeError, Maker};
use isthmus_node::producer::transaction::{signed_call, ChainContext};
use isthmus_primitives::Hash;
use isthmus_runtime::{RuntimeCall, VERSION};
use polkadot_sdk::{
	frame_system, sp_api::ProvideRuntimeApi, sp_blockchain::HeaderBackend,
	sp_keyring::Sr25519Keyring::Alice, sp_runtime::OpaqueExtrinsic, substrate_frame_rpc_system,
};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::iter;
use substrate_frame_rpc_system::AccountNonceApi;

/// The maximum length of a remark, in bytes: about a chunk of a large record.
const LONGEST: usize = 1024 * 1024;

/// Makes transactions that are valid in a child of `parent`: one for each call, and remarks that carry this number of bytes in
/// total.
///
/// # Errors
///
/// Returns the error of the database or the runtime.
pub fn transactions(
	maker: &Maker,
	parent: Hash,
	calls: Vec<RuntimeCall>,
	bytes: usize,
) -> Result<Vec<OpaqueExtrinsic>, MakeError> {
	let account = Alice.to_account_id();
	let client = maker.client();
	let number = maker.parent(parent)?.number;
	let first = client
		.runtime_api()
		.account_nonce(parent, account.clone())?;
	let mut random = ChaCha8Rng::seed_from_u64(number.into());
	let mut left = bytes;
	let remarks = iter::from_fn(|| {
		if left == 0 {
			return None;
		}
		let mut remark = vec![0; left.min(LONGEST)];
		random.fill_bytes(&mut remark);
		left -= remark.len();
		Some(RuntimeCall::System(frame_system::Call::remark { remark }))
	});
	let mut made = Vec::new();
	for (nonce, call) in (first..).zip(calls.into_iter().chain(remarks)) {
		let context = ChainContext {
			spec_version: VERSION.spec_version,
			transaction_version: VERSION.transaction_version,
			genesis: client.info().genesis_hash,
			begin: (number, parent),
			nonce,
		};
		made.push(signed_call(call, &account, &context, |payload| {
			Ok::<_, MakeError>(Alice.sign(payload))
		})?);
	}
	Ok(made)
}
