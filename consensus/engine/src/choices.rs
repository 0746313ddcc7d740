// SPDX-License-Identifier: Apache-2.0
//! The miner's choices, which can change while the node runs.

use isthmus_primitives::AccountId;

/// What a miner may choose for its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinerChoices {
	/// H_c: the account that earns the reward.
	pub beneficiary: AccountId,
	/// H_x: any bytes, at most [`isthmus_primitives::digest::MAX_EXTRA_DATA`] of them.
	pub extra_data: Vec<u8>,
	/// The gas limit to approach as fast as the rules allow, in gas.
	pub gas_target: u64,
}
