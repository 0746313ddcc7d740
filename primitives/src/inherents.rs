// SPDX-License-Identifier: Apache-2.0
//! Defines the inherent data with which a miner's node passes B_U, the uncle headers that a block names, to
//! the runtime.

use crate::Header;
use alloc::vec::Vec;
use codec::{Decode, Encode};
use polkadot_sdk::*;
use sp_inherents::{InherentIdentifier, IsFatalError};

/// The identifier of the uncles in inherent data, where they are encoded as [`UnclesInherentData`].
pub const UNCLES_INHERENT_IDENTIFIER: InherentIdentifier = *b"uncles_0";

/// The uncles' headers, as they are passed in inherent data.
pub type UnclesInherentData = Vec<Header>;

/// Why a block's uncles inherent is rejected.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Debug)]
pub enum UnclesInherentError {
	/// The block has uncles to name, but no uncles inherent.
	Missing,
}

impl IsFatalError for UnclesInherentError {
	fn is_fatal_error(&self) -> bool {
		true
	}
}
