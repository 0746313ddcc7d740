// SPDX-License-Identifier: Apache-2.0
//! How an RPC caller identifies a block, and why a block is not found.

use crate::client::FullClient;
use isthmus_primitives::{BlockNumber, Hash};
use polkadot_sdk::*;
use serde::Deserialize;
use serde_json::Value;
use sp_blockchain::HeaderBackend;

/// A reference to a block: its number on the best chain, or its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum BlockRef {
	/// The block's number on the best chain (H_i).
	Number(BlockNumber),
	/// The hash of a block on any fork.
	Hash(Hash),
}

impl TryFrom<Value> for BlockRef {
	type Error = String;

	fn try_from(value: Value) -> Result<Self, String> {
		let number = |number: u64| BlockNumber::try_from(number).ok();
		let block = match &value {
			Value::Number(n) => n.as_u64().and_then(number).map(Self::Number),
			Value::String(text) => text.strip_prefix("0x").and_then(|digits| {
				let mut hash = Hash::zero();
				let read = hex::decode_to_slice(digits, hash.as_bytes_mut());
				read.ok().map(|()| Self::Hash(hash))
			}),
			_ => None,
		};
		block.ok_or_else(|| {
			format!(
				"invalid block {value}: expected its number, its hash as 0x and 64 hex digits, or null for \
				 the best block"
			)
		})
	}
}

/// A block that is in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
	/// The block's number (H_i).
	pub number: BlockNumber,
	/// The block's hash.
	pub hash: Hash,
	/// How many blocks are on top of it, if it is on the best chain: z in the paper's Eq. 3.
	pub depth: Option<BlockNumber>,
}

impl Found {
	/// Finds a block; `None` stands for the best block.
	///
	/// # Errors
	///
	/// Returns an error if this node does not have the block, or if the database fails.
	pub fn look_up(client: &FullClient, block: Option<BlockRef>) -> Result<Self, LookUpError> {
		let best = client.info();
		let (number, hash) = match block {
			None => (best.best_number, best.best_hash),
			Some(BlockRef::Number(number)) => {
				let hash = client.hash(number)?.ok_or(LookUpError::NotYet {
					number,
					best: best.best_number,
				})?;
				(number, hash)
			}
			Some(BlockRef::Hash(hash)) => {
				let header = client.header(hash)?.ok_or(LookUpError::Unknown(hash))?;
				(header.number, hash)
			}
		};
		let on_best_chain = client.hash(number)? == Some(hash);
		Ok(Self {
			number,
			hash,
			depth: on_best_chain.then(|| best.best_number.saturating_sub(number)),
		})
	}
}

/// Why a block was not found.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
	/// The chain is not that long.
	#[error("block #{number} does not exist yet: the best block is #{best}")]
	NotYet {
		/// The requested number.
		number: BlockNumber,
		/// The best block's number.
		best: BlockNumber,
	},
	/// No block on any fork has the hash.
	#[error("this node has no block with the hash {0:?}")]
	Unknown(Hash),
	/// The database failed.
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
}
