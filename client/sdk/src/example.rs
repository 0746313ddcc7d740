// SPDX-License-Identifier: Apache-2.0
//! An epoch and a record of a made-up chain, for tests.

use crate::{account::Identity, types::*};
use isthmus_envelope::{EpochId, EpochKeys, LeafKey, MasterSecret, RecordContext};

/// The hash of the chain's first block.
pub(crate) const GENESIS: [u8; 32] = [1; 32];
/// The first epoch of an account's first dataset.
pub(crate) const EPOCH: EpochId = EpochId {
	genesis: GENESIS,
	owner: [2; 32],
	dataset: 0,
	epoch: 0,
};
/// A record of the same account.
pub(crate) const RECORD: RecordContext = RecordContext {
	genesis: GENESIS,
	owner: EPOCH.owner,
	key: [3; 32],
	version: 0,
};

/// Returns the key of a leaf of [`EPOCH`].
pub(crate) fn leaf_key(leaf: Leaf) -> LeafKey {
	let secret = MasterSecret::from_bytes([7; 32]);
	secret.epoch_root(&EPOCH).leaf_key(leaf)
}

/// Returns the keys of an epoch of an account's dataset 4.
pub(crate) fn epoch_keys(owner: &Identity, epoch: Epoch) -> EpochKeys {
	let id = EpochId {
		genesis: GENESIS,
		owner: owner.id().0,
		dataset: 4,
		epoch,
	};
	owner.epoch_keys(&id).unwrap()
}
