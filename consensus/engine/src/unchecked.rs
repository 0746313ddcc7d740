// SPDX-License-Identifier: Apache-2.0
//! Passes the reason why a block could not be checked from the verifier to block import, together with the
//! block.
//!
//! Substrate penalises the peer for an error from the verifier, but not for an error from import. So the
//! verifier attaches the reason to the block and lets it pass, and import returns the reason as its own
//! error.

use crate::error::CheckError;
use isthmus_primitives::Block;
use polkadot_sdk::*;
use sc_consensus::BlockImportParams;

const KEY: &[u8] = b"isthmus:unchecked";

/// Attaches the reason that the block could not be checked.
pub(crate) fn mark(block: &mut BlockImportParams<Block>, reason: CheckError) {
	block.insert_intermediate(KEY, reason);
}

/// Removes the reason that the block could not be checked, if there is one, and returns it.
pub(crate) fn take(block: &mut BlockImportParams<Block>) -> Option<CheckError> {
	block.remove_intermediate(KEY).ok()
}
