// SPDX-License-Identifier: Apache-2.0
//! Encryption keys: the key pairs to which grants are sealed. They are separate from the key that
//! signs an account's transactions, so that each can be replaced without the other.

use crate::derive::{self, redacted_debug, RandomError, Secret};
use hpke::{Deserializable, Kem as _, Serializable};

/// The key encapsulation of [`Suite::X25519`].
pub(crate) type Kem = hpke::kem::X25519HkdfSha256;

/// Why a public key is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
	/// The key does not have [`PublicKey::LEN`] bytes.
	#[error(
		"a public encryption key must have {} bytes, got {got}",
		PublicKey::LEN
	)]
	Length {
		/// Length in bytes of the given key.
		got: usize,
	},
	/// The key belongs to a suite that this version does not know.
	#[error("unknown encryption suite {got:#06x}")]
	UnknownSuite {
		/// The suite's id.
		got: u16,
	},
}

/// A set of algorithms for sealing. Its id is part of every key and grant, so that another suite
/// (for example a post-quantum hybrid) can be added later. In a key, it takes the place of the
/// version byte of the other formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Suite {
	/// HPKE (RFC 9180) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.
	X25519 = 1,
}

impl Suite {
	/// Returns the id as it is encoded.
	pub fn id(self) -> u16 {
		self as u16
	}

	/// Returns the suite with this id.
	///
	/// # Errors
	///
	/// Returns [`KeyError::UnknownSuite`] for any other id.
	pub fn from_id(id: u16) -> Result<Self, KeyError> {
		match id {
			1 => Ok(Self::X25519),
			got => Err(KeyError::UnknownSuite { got }),
		}
	}
}

/// A public encryption key, which an account registers on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
	suite: Suite,
	key: [u8; 32],
}

impl PublicKey {
	/// Length of an encoded key, in bytes.
	pub const LEN: usize = 34;

	/// Returns the suite that the key is for.
	pub fn suite(&self) -> Suite {
		self.suite
	}

	/// Returns `suite ‖ key`, the suite big-endian.
	pub fn to_bytes(&self) -> [u8; Self::LEN] {
		let mut bytes = [0; Self::LEN];
		bytes[..2].copy_from_slice(&self.suite.id().to_be_bytes());
		bytes[2..].copy_from_slice(&self.key);
		bytes
	}

	/// Reads a key that [`Self::to_bytes`] wrote. Any 32 bytes are accepted as an X25519 key; an
	/// attempt to seal to a key of low order fails (RFC 9180, section 7.1.4).
	///
	/// # Errors
	///
	/// Returns [`KeyError::Length`] if there are not [`Self::LEN`] bytes, and
	/// [`KeyError::UnknownSuite`] if the key belongs to an unknown suite.
	pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
		let bytes: &[u8; Self::LEN] = bytes
			.try_into()
			.map_err(|_| KeyError::Length { got: bytes.len() })?;
		let [hi, lo, key @ ..] = bytes;
		Ok(Self {
			suite: Suite::from_id(u16::from_be_bytes([*hi, *lo]))?,
			key: *key,
		})
	}

	pub(crate) fn to_hpke(self) -> <Kem as hpke::Kem>::PublicKey {
		Deserializable::from_bytes(&self.key).expect("any 32 bytes are an X25519 key; qed")
	}
}

/// An encryption key pair, stored as the 32-byte seed from which it is derived.
#[derive(Clone)]
pub struct EncryptionKeyPair(Secret);

redacted_debug!(EncryptionKeyPair);

impl EncryptionKeyPair {
	/// Draws a new pair from the system's source of randomness.
	///
	/// # Errors
	///
	/// Returns [`RandomError`] if the system provides no randomness.
	pub fn generate() -> Result<Self, RandomError> {
		derive::random().map(Self)
	}

	/// Derives the pair from a seed with RFC 9180's DeriveKeyPair (section 7.1.3). The seed must
	/// have been drawn uniformly at random.
	pub fn from_seed(seed: [u8; 32]) -> Self {
		Self(Secret::new(seed))
	}

	/// Returns the seed, for a key store.
	pub fn expose_seed(&self) -> &[u8; 32] {
		&self.0
	}

	/// Returns the public key.
	pub fn public_key(&self) -> PublicKey {
		let (_, public) = Kem::derive_keypair(&self.0[..]);
		PublicKey {
			suite: Suite::X25519,
			key: public.to_bytes().into(),
		}
	}

	pub(crate) fn private_key(&self) -> <Kem as hpke::Kem>::PrivateKey {
		Kem::derive_keypair(&self.0[..]).0
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_public_key_is_read_as_it_was_written() {
		let key = EncryptionKeyPair::from_seed([5; 32]).public_key();
		let bytes = key.to_bytes();
		assert_eq!(bytes[..2], [0, 1]);
		assert_eq!(PublicKey::from_bytes(&bytes), Ok(key));
		assert_eq!(key.suite(), Suite::X25519);
	}

	#[test]
	fn other_lengths_and_suites_are_rejected() {
		let bytes = EncryptionKeyPair::from_seed([5; 32])
			.public_key()
			.to_bytes();
		for len in 0..PublicKey::LEN {
			let short = &bytes[..len];
			assert_eq!(
				PublicKey::from_bytes(short),
				Err(KeyError::Length { got: len })
			);
		}
		let long = [&bytes[..], &[0]].concat();
		assert_eq!(
			PublicKey::from_bytes(&long),
			Err(KeyError::Length { got: 35 })
		);
		for got in (0..=u16::MAX).filter(|id| *id != 1) {
			let mut other = bytes;
			other[..2].copy_from_slice(&got.to_be_bytes());
			assert_eq!(
				PublicKey::from_bytes(&other),
				Err(KeyError::UnknownSuite { got })
			);
		}
	}

	#[test]
	fn generated_pairs_differ_and_are_not_shown() {
		let (a, b) = (
			EncryptionKeyPair::generate().unwrap(),
			EncryptionKeyPair::generate().unwrap(),
		);
		assert_ne!(a.public_key(), b.public_key());
		let again = EncryptionKeyPair::from_seed(*a.expose_seed());
		assert_eq!(a.public_key(), again.public_key());
		assert_eq!(format!("{a:?}"), "EncryptionKeyPair(..)");
	}
}
