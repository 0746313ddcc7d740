//! B_U, the uncle headers, as inherent data: what a miner puts into its block.

use crate::Header;
use alloc::vec::Vec;
use codec::{Decode, Encode};
use polkadot_sdk::*;
use sp_inherents::{InherentIdentifier, IsFatalError};

/// The identifier of the uncles in inherent data. The data is `Vec<Header>`.
pub const UNCLES_INHERENT_IDENTIFIER: InherentIdentifier = *b"uncles_0";

/// The uncles in inherent data.
pub type UnclesInherentData = Vec<Header>;

/// What is wrong with a block's uncles inherent.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Debug)]
pub enum UnclesInherentError {
	/// The block has uncles to name, and no uncles inherent.
	Missing,
}

impl IsFatalError for UnclesInherentError {
	fn is_fatal_error(&self) -> bool {
		true
	}
}
