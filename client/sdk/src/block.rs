// SPDX-License-Identifier: Apache-2.0
//! A block's number and hash.

use crate::types::BlockNumber;
use subxt::utils::H256;

/// A block, by number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockId {
	/// The block's number.
	pub number: BlockNumber,
	/// The block's hash.
	pub hash: H256,
}
