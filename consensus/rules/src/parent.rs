// SPDX-License-Identifier: Apache-2.0
//! Defines P(H), a header's parent: the facts about it that the rules need.

use isthmus_primitives::{digest::PowHeader, params::ChainParameters, Difficulty};
use polkadot_sdk::sp_core::H256;

/// P(H): what the rules need to know about a header's parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parent {
	/// The parent's hash.
	pub hash: H256,
	/// P(H)_i: the parent's number.
	pub number: u32,
	/// P(H)_d: the parent's difficulty.
	pub difficulty: Difficulty,
	/// P(H)_l: the parent's gas limit, in gas.
	pub gas_limit: u64,
	/// P(H)_s: the parent's timestamp, in seconds since the Unix epoch.
	pub timestamp: u64,
}

impl Parent {
	/// Returns the genesis block as a parent. Its header has no digest, so its fields are taken from the
	/// parameters, which are part of its state.
	pub fn genesis(hash: H256, params: &ChainParameters) -> Self {
		Self {
			hash,
			number: 0,
			difficulty: params.genesis_difficulty,
			gas_limit: params.genesis_gas_limit,
			timestamp: params.genesis_timestamp,
		}
	}

	/// Returns the block with this header as a parent, for any block except genesis.
	pub fn of(header: &PowHeader) -> Self {
		Self {
			hash: header.hash,
			number: header.number,
			difficulty: header.pre.difficulty,
			gas_limit: header.pre.gas_limit,
			timestamp: header.pre.timestamp,
		}
	}
}
