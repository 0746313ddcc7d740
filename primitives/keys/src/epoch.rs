// SPDX-License-Identifier: Apache-2.0
//! The identity of an epoch, the span between two key rotations of a dataset: its chain, owner, dataset
//! and number.

/// One epoch of one dataset of one owner on one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochId {
	/// Hash of the chain's first block. It keeps the keys of a test chain from opening anything on
	/// another chain, even for the same owner, dataset and epoch.
	pub genesis: [u8; 32],
	/// The owner's account.
	pub owner: [u8; 32],
	/// The dataset's number among the owner's datasets.
	pub dataset: u32,
	/// The dataset's epoch. Revoking a grant starts the next one, whose keys are unrelated to this one's.
	pub epoch: u32,
}

impl EpochId {
	/// Length of the encoding that [`Self::to_bytes`] returns, in bytes.
	pub const LEN: usize = 72;

	/// Returns `genesis ‖ owner ‖ dataset ‖ epoch`, with big-endian integers.
	pub fn to_bytes(&self) -> [u8; Self::LEN] {
		let mut bytes = [0; Self::LEN];
		bytes[..32].copy_from_slice(&self.genesis);
		bytes[32..64].copy_from_slice(&self.owner);
		bytes[64..68].copy_from_slice(&self.dataset.to_be_bytes());
		bytes[68..].copy_from_slice(&self.epoch.to_be_bytes());
		bytes
	}
}
