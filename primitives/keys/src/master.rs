// SPDX-License-Identifier: Apache-2.0
//! The owner's master secret, and the roots that are derived from it for each dataset and epoch.
//!
//! A producer has to keep only this one secret, because every key of every dataset is derived from it.

#[cfg(feature = "std")]
use crate::derive::RandomError;
use crate::{
	derive::{self, redacted_debug, Secret},
	epoch::EpochId,
	tree::EpochRoot,
};

/// HKDF salt of [`MasterSecret::epoch_root`].
pub const EPOCH_ROOT_LABEL: &[u8] = b"isthmus/epoch-root/v1";

/// An owner's master secret: 32 random bytes from which all its data keys are derived.
#[derive(Clone)]
pub struct MasterSecret(Secret);

redacted_debug!(MasterSecret);

impl MasterSecret {
	/// Draws a new secret from the system's source of randomness.
	///
	/// # Errors
	///
	/// Returns [`RandomError`] if the system provides no randomness.
	#[cfg(feature = "std")]
	pub fn generate() -> Result<Self, RandomError> {
		derive::random().map(Self)
	}

	/// Creates a secret from 32 bytes, which must have been drawn uniformly at random.
	pub fn from_bytes(bytes: [u8; 32]) -> Self {
		Self(Secret::new(bytes))
	}

	/// Returns the secret itself, for a key store.
	pub fn expose_secret(&self) -> &[u8; 32] {
		&self.0
	}

	/// Derives the root of an epoch's key tree: HKDF-SHA256 with [`EPOCH_ROOT_LABEL`] as salt, the master
	/// secret as input and [`EpochId::to_bytes`] as info.
	pub fn epoch_root(&self, id: &EpochId) -> EpochRoot {
		let prk = derive::extract(EPOCH_ROOT_LABEL, &self.0);
		EpochRoot::new(*id, derive::expand(&prk, &[&id.to_bytes()]))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const ID: EpochId = EpochId {
		genesis: [1; 32],
		owner: [2; 32],
		dataset: 3,
		epoch: 4,
	};

	fn leaf(master: &MasterSecret, id: EpochId) -> [u8; 32] {
		*master.epoch_root(&id).leaf_key(0).expose_secret()
	}

	#[test]
	fn every_field_changes_the_root() {
		let master = MasterSecret::from_bytes([7; 32]);
		let changed = [
			ID,
			EpochId {
				genesis: [9; 32],
				..ID
			},
			EpochId {
				owner: [9; 32],
				..ID
			},
			EpochId { dataset: 4, ..ID },
			EpochId { epoch: 3, ..ID },
		];
		for (i, a) in changed.iter().enumerate() {
			assert_eq!(leaf(&master, *a), leaf(&master, *a));
			for b in &changed[..i] {
				assert_ne!(leaf(&master, *a), leaf(&master, *b), "{a:?} and {b:?}");
			}
		}
		assert_ne!(
			leaf(&master, ID),
			leaf(&MasterSecret::from_bytes([8; 32]), ID)
		);
	}

	#[test]
	fn generated_secrets_differ_and_are_not_shown() {
		let (a, b) = (
			MasterSecret::generate().unwrap(),
			MasterSecret::generate().unwrap(),
		);
		assert_ne!(a.expose_secret(), b.expose_secret());
		assert_eq!(format!("{a:?}"), "MasterSecret(..)");
	}
}
