// SPDX-License-Identifier: Apache-2.0
//! Encryption keys: the key pairs to which grants are sealed. They are separate from the key that
//! signs an account's transactions, so that each can be replaced without the other.
//!
//! An account may have any number of pairs, a new one for each request for example, and keeps a single secret: each
//! pair has an [identifier](KeyId), which is part of its public key and of every grant that is sealed to it, and
//! [`EncryptionSecret::pair`] derives the pair from the secret and the identifier.

#[cfg(feature = "std")]
use crate::derive::RandomError;
use crate::{
	derive::{self, redacted_debug, Secret},
	xwing::{self, XWing},
};
use alloc::vec::Vec;
use hpke::{Deserializable, Kem as _};

/// The key encapsulation of [`Suite::X25519`].
pub(crate) type X25519 = hpke::kem::X25519HkdfSha256;

/// HKDF salt of [`EncryptionSecret::pair`].
pub const PAIR_LABEL: &[u8] = b"isthmus/encryption-pair/v2";

/// Tells an account's key pairs apart. It is chosen at random and public.
pub type KeyId = [u8; 16];

/// Why a public key is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
	/// The key does not have the length of its suite's keys.
	#[error("a public encryption key must have {expected} bytes, got {got}")]
	Length {
		/// Length in bytes that the suite requires.
		expected: usize,
		/// Length in bytes of the given key.
		got: usize,
	},
	/// The key belongs to a suite that this version does not know.
	#[error("unknown encryption suite {got:#06x}")]
	UnknownSuite {
		/// The suite's number.
		got: u16,
	},
}

/// A set of algorithms for sealing. Its number is part of every key and grant, so that another suite
/// can be added later. In a key, it takes the place of the version byte of the other formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Suite {
	/// HPKE (RFC 9180) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. Its keys are short, but a
	/// large quantum computer opens what is sealed with it, and a chain keeps that for ever.
	X25519 = 1,
	/// HPKE with X-Wing (ML-KEM-768 and X25519), HKDF-SHA256 and AES-256-GCM: the default.
	XWing = 2,
}

impl Suite {
	/// Returns the number as it is encoded.
	pub fn id(self) -> u16 {
		self as u16
	}

	/// Returns the suite with this number.
	///
	/// # Errors
	///
	/// Returns [`KeyError::UnknownSuite`] for any other number.
	pub fn from_id(id: u16) -> Result<Self, KeyError> {
		match id {
			1 => Ok(Self::X25519),
			2 => Ok(Self::XWing),
			got => Err(KeyError::UnknownSuite { got }),
		}
	}

	/// Returns whether what is sealed with this suite stays closed to a large quantum computer.
	pub fn is_post_quantum(self) -> bool {
		match self {
			Self::X25519 => false,
			Self::XWing => true,
		}
	}

	/// Returns the length of the suite's public keys, without suite and identifier, in bytes.
	pub const fn public_len(self) -> usize {
		match self {
			Self::X25519 => 32,
			Self::XWing => xwing::PUBLIC_LEN,
		}
	}

	/// Returns the length of the encapsulated key in a sealed grant, in bytes.
	pub const fn encapsulated_len(self) -> usize {
		match self {
			Self::X25519 => 32,
			Self::XWing => xwing::ENCAPSULATED_LEN,
		}
	}
}

/// A public encryption key, which an account registers on the chain or puts into a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
	suite: Suite,
	id: KeyId,
	key: Vec<u8>,
}

impl PublicKey {
	/// Length of the suite and the identifier at the start of an encoded key, in bytes.
	pub const PREFIX_LEN: usize = 2 + 16;
	/// Length of the longest encoded key, in bytes.
	pub const MAX_LEN: usize = Self::PREFIX_LEN + Suite::XWing.public_len();

	/// Returns the suite that the key is for.
	pub fn suite(&self) -> Suite {
		self.suite
	}

	/// Returns the identifier of the key's pair.
	pub fn id(&self) -> &KeyId {
		&self.id
	}

	/// Returns `suite ‖ identifier ‖ key`, the suite big-endian.
	pub fn to_bytes(&self) -> Vec<u8> {
		[&self.suite.id().to_be_bytes()[..], &self.id, &self.key].concat()
	}

	/// Reads a key that [`Self::to_bytes`] wrote. Any bytes of the right length are accepted; an attempt to seal to
	/// a key that is not one fails.
	///
	/// # Errors
	///
	/// Returns [`KeyError::UnknownSuite`] if the key belongs to an unknown suite, and [`KeyError::Length`] if it
	/// does not have the length of the suite's keys.
	pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
		let got = bytes.len();
		let Some((&[hi, lo, ref id @ ..], key)) = bytes.split_first_chunk::<{ Self::PREFIX_LEN }>()
		else {
			let expected = Self::PREFIX_LEN + Suite::X25519.public_len();
			return Err(KeyError::Length { expected, got });
		};
		let suite = Suite::from_id(u16::from_be_bytes([hi, lo]))?;
		if key.len() != suite.public_len() {
			let expected = Self::PREFIX_LEN + suite.public_len();
			return Err(KeyError::Length { expected, got });
		}
		Ok(Self {
			suite,
			id: *id,
			key: key.to_vec(),
		})
	}

	/// Returns the key as HPKE has it, if it is one of this key encapsulation.
	pub(crate) fn to_hpke<K: hpke::Kem>(&self) -> Result<K::PublicKey, hpke::HpkeError> {
		Deserializable::from_bytes(&self.key)
	}
}

/// An encryption key pair, stored as the 32-byte seed from which it is derived.
#[derive(Clone)]
pub struct EncryptionKeyPair {
	suite: Suite,
	id: KeyId,
	seed: Secret,
}

redacted_debug!(EncryptionKeyPair);

impl EncryptionKeyPair {
	/// Draws a new pair of the default suite from the system's source of randomness. Nothing but its seed brings it
	/// back: an account's pairs are better derived, with [`EncryptionSecret::fresh`].
	///
	/// # Errors
	///
	/// Returns [`RandomError`] if the system provides no randomness.
	#[cfg(feature = "std")]
	pub fn generate() -> Result<Self, RandomError> {
		EncryptionSecret::generate()?.fresh()
	}

	/// Makes the pair with this identifier from a seed: for X25519 with RFC 9180's DeriveKeyPair (section 7.1.3); for
	/// X-Wing the seed is the private key. The seed must have been drawn uniformly at random.
	pub fn from_seed(suite: Suite, id: KeyId, seed: [u8; 32]) -> Self {
		Self {
			suite,
			id,
			seed: Secret::new(seed),
		}
	}

	/// Returns the seed, for a key store.
	pub fn expose_seed(&self) -> &[u8; 32] {
		&self.seed
	}

	/// Returns the suite that the pair is for.
	pub fn suite(&self) -> Suite {
		self.suite
	}

	/// Returns the pair's identifier.
	pub fn id(&self) -> &KeyId {
		&self.id
	}

	/// Returns the public key.
	pub fn public_key(&self) -> PublicKey {
		let key = match self.suite {
			Suite::X25519 => xwing::to_vec(&X25519::sk_to_pk(&self.x25519())),
			Suite::XWing => xwing::to_vec(&XWing::sk_to_pk(&self.xwing())),
		};
		PublicKey {
			suite: self.suite,
			id: self.id,
			key,
		}
	}

	pub(crate) fn x25519(&self) -> <X25519 as hpke::Kem>::PrivateKey {
		X25519::derive_keypair(&self.seed[..]).0
	}

	pub(crate) fn xwing(&self) -> xwing::PrivateKey {
		xwing::PrivateKey::from_bytes(&self.seed[..]).expect("a seed has 32 bytes; qed")
	}
}

/// The secret from which all encryption key pairs of an account are derived: 32 bytes.
#[derive(Clone)]
pub struct EncryptionSecret(Secret);

redacted_debug!(EncryptionSecret);

impl EncryptionSecret {
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

	/// Derives the pair with this identifier: its seed is HKDF-SHA256 with [`PAIR_LABEL`] as salt, the secret as
	/// input and `suite ‖ identifier` as info.
	pub fn pair(&self, suite: Suite, id: &KeyId) -> EncryptionKeyPair {
		let prk = derive::extract(PAIR_LABEL, &self.0);
		EncryptionKeyPair {
			suite,
			id: *id,
			seed: derive::expand(&prk, &[&suite.id().to_be_bytes(), id]),
		}
	}

	/// Derives a pair of the default suite with a random identifier.
	///
	/// # Errors
	///
	/// Returns [`RandomError`] if the system provides no randomness.
	#[cfg(feature = "std")]
	pub fn fresh(&self) -> Result<EncryptionKeyPair, RandomError> {
		let random = derive::random()?;
		let (id, _) = random.split_first_chunk().expect("16 of 32 bytes; qed");
		Ok(self.pair(Suite::XWing, id))
	}

	/// Returns the pair of a public key, if it was derived from this secret.
	pub fn pair_of(&self, key: &PublicKey) -> Option<EncryptionKeyPair> {
		let pair = self.pair(key.suite, &key.id);
		(pair.public_key() == *key).then_some(pair)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const ID: KeyId = [9; 16];

	fn pair(suite: Suite) -> EncryptionKeyPair {
		EncryptionKeyPair::from_seed(suite, ID, [5; 32])
	}

	#[test]
	fn a_public_key_is_read_as_it_was_written() {
		for (suite, len) in [(Suite::X25519, 50), (Suite::XWing, PublicKey::MAX_LEN)] {
			let key = pair(suite).public_key();
			let bytes = key.to_bytes();
			assert_eq!(bytes.len(), len);
			assert_eq!(bytes[..2], suite.id().to_be_bytes());
			assert_eq!(bytes[2..18], ID);
			assert_eq!(PublicKey::from_bytes(&bytes), Ok(key.clone()));
			assert_eq!((key.suite(), *key.id()), (suite, ID));
		}
		assert_eq!(PublicKey::MAX_LEN, 1234);
	}

	#[test]
	fn other_lengths_and_suites_are_rejected() {
		for suite in [Suite::X25519, Suite::XWing] {
			let bytes = pair(suite).public_key().to_bytes();
			let long = [&bytes[..], &[0]].concat();
			for got in (0..bytes.len()).chain([bytes.len() + 1]) {
				let expected = match got {
					// Too short to read the suite from.
					..PublicKey::PREFIX_LEN => 50,
					_ => bytes.len(),
				};
				let refused = Err(KeyError::Length { expected, got });
				assert_eq!(PublicKey::from_bytes(&long[..got]), refused);
			}
		}
		for got in (0..=u16::MAX).filter(|id| ![1, 2].contains(id)) {
			let mut other = pair(Suite::X25519).public_key().to_bytes();
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
		let again = EncryptionKeyPair::from_seed(a.suite(), *a.id(), *a.expose_seed());
		assert_eq!(a.public_key(), again.public_key());
		assert_eq!(format!("{a:?}"), "EncryptionKeyPair(..)");
	}

	#[test]
	fn one_secret_brings_back_every_pair_and_no_other() {
		let secret = EncryptionSecret::from_bytes([3; 32]);
		let again = EncryptionSecret::from_bytes(*secret.expose_secret());
		let other = EncryptionSecret::from_bytes([4; 32]);
		let (a, b) = (secret.fresh().unwrap(), secret.fresh().unwrap());
		assert_ne!(a.id(), b.id());
		assert_ne!(a.expose_seed(), b.expose_seed());
		assert_eq!(a.suite(), Suite::XWing);
		for pair in [a, b, secret.pair(Suite::X25519, &ID)] {
			let key = pair.public_key();
			let found = again.pair_of(&key).unwrap();
			assert_eq!(found.expose_seed(), pair.expose_seed());
			assert!(other.pair_of(&key).is_none());
		}
		let seed = |suite| *secret.pair(suite, &ID).expose_seed();
		assert_ne!(seed(Suite::X25519), seed(Suite::XWing));
	}
}
