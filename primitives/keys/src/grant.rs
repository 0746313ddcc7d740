// SPDX-License-Identifier: Apache-2.0
//! Grants: the keys of a range of leaves, sealed to a consumer's public key.
//!
//! Sealing is one message of HPKE (RFC 9180) in base mode. Its `info` binds everything that the
//! chain records about the grant, so sealed keys that are moved to another entry cannot be opened.
//! HPKE does not prove that the keys come from the owner, and does not have to: only a transaction
//! signed by the owner can write to the owner's authorization list.

use crate::{
	derive::RandomError,
	epoch::EpochId,
	keys::{EncryptionKeyPair, KeyError, KeyId, PublicKey, Suite, X25519},
	tree::{EpochRoot, KeySet, Range, MAX_COVER, NODE_KEY_LEN},
	xwing::{self, XWing, RANDOMNESS_LEN},
};
use alloc::vec::Vec;
use hpke::{
	rand_core::{CryptoRng, RngCore},
	Deserializable, HpkeError, Kem, OpModeR, OpModeS,
};
use zeroize::Zeroizing;

/// First byte of every sealed grant: the version of this format.
pub const VERSION: u8 = 2;
/// First bytes of the `info` that a grant is bound to.
pub const INFO_LABEL: &[u8] = b"isthmus/grant/v2";
/// Length of what precedes the encapsulated key, in bytes: the version, the suite and the identifier of the
/// recipient's key.
pub const PREFIX_LEN: usize = 1 + 2 + 16;
/// Length of the longest sealed grant, in bytes.
pub const MAX_LEN: usize =
	PREFIX_LEN + Suite::XWing.encapsulated_len() + MAX_COVER * NODE_KEY_LEN + TAG_LEN;

const TAG_LEN: usize = 16;

/// The key derivation of both suites.
type Kdf = hpke::kdf::HkdfSha256;
/// The cipher of both suites.
type Aead = hpke::aead::AesGcm256;
/// The random bytes of one encapsulation.
pub type Randomness = Zeroizing<[u8; RANDOMNESS_LEN]>;

/// Why a grant cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
	/// The grant is shorter than its prefix.
	#[error("a sealed grant starts with a prefix of {PREFIX_LEN} bytes, but there are only {got}")]
	CutShort {
		/// The number of bytes in the grant.
		got: usize,
	},
	/// The first byte names a version that this library does not know.
	#[error("unknown grant format {got}: this version reads format {VERSION}")]
	UnknownVersion {
		/// The first byte.
		got: u8,
	},
	/// The grant is sealed with a suite that this version does not know.
	#[error(transparent)]
	Suite(#[from] KeyError),
	/// The grant is shorter or longer than its range requires.
	#[error("a sealed grant of this range must have {expected} bytes, got {got}")]
	Length {
		/// Length in bytes that the range requires.
		expected: usize,
		/// Length in bytes of the given grant.
		got: usize,
	},
	/// The recipient's public key or the encapsulated key is not a key: its point is one of the few for which every
	/// shared secret is zero, or its lattice part is not encoded as FIPS 203 requires.
	#[error("the public key is not valid: nothing can be sealed to it")]
	InvalidKey,
	/// The grant is sealed to another key, bound to another place or scope, or was changed. By
	/// design, these cases cannot be told apart.
	#[error(
		"the sealed keys do not open: they are for another key or another grant, or were changed"
	)]
	DoesNotOpen,
	/// No ephemeral key could be drawn.
	#[error(transparent)]
	Random(#[from] RandomError),
}

/// What a grant opens, to whom and until when, as in its entry on the chain. The owner, the dataset
/// and the epoch are in the [`EpochId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantScope {
	/// The consumer's account.
	pub grantee: [u8; 32],
	/// The leaves that the grant opens.
	pub range: Range,
	/// The number of the first block in which the chain no longer answers the consumer's queries.
	pub expiry: u32,
}

/// Length of [`info`], in bytes.
const INFO_LEN: usize = INFO_LABEL.len() + EpochId::LEN + 32 + 8 + 8 + 4;

/// Returns `label ‖ genesis ‖ owner ‖ dataset ‖ epoch ‖ grantee ‖ start ‖ end ‖ expiry`, with
/// big-endian integers.
fn info(id: &EpochId, scope: &GrantScope) -> [u8; INFO_LEN] {
	let parts: [&[u8]; 6] = [
		INFO_LABEL,
		&id.to_bytes(),
		&scope.grantee,
		&scope.range.start().to_be_bytes(),
		&scope.range.end().to_be_bytes(),
		&scope.expiry.to_be_bytes(),
	];
	let mut info = [0; INFO_LEN];
	let mut at = 0;
	for part in parts {
		info[at..at + part.len()].copy_from_slice(part);
		at += part.len();
	}
	info
}

/// Passes HPKE the random bytes for its ephemeral key. They are drawn beforehand, so that a
/// failure of the system's source of randomness is returned as an error; inside HPKE it could only
/// panic.
struct Entropy(Option<Randomness>);

impl RngCore for Entropy {
	fn next_u32(&mut self) -> u32 {
		hpke::rand_core::impls::next_u32_via_fill(self)
	}

	fn next_u64(&mut self) -> u64 {
		hpke::rand_core::impls::next_u64_via_fill(self)
	}

	fn fill_bytes(&mut self, out: &mut [u8]) {
		let bytes = self.0.take().expect("sealing draws one ephemeral key; qed");
		out.copy_from_slice(&bytes[..out.len()]);
	}
}

impl CryptoRng for Entropy {}

/// Seals the keys of `scope.range` to a consumer's public key.
///
/// # Errors
///
/// Returns [`GrantError::InvalidKey`] if nothing can be sealed to the public key, and
/// [`GrantError::Random`] if the system provides no randomness.
#[cfg(feature = "std")]
pub fn seal_grant(
	root: &EpochRoot,
	scope: &GrantScope,
	recipient: &PublicKey,
) -> Result<Vec<u8>, GrantError> {
	seal_with(root, scope, recipient, randomness()?)
}

/// Does the same as [`seal_grant`] with keys that were derived before, which determine the range.
///
/// # Errors
///
/// Returns the errors of [`seal_grant`].
#[cfg(feature = "std")]
pub fn seal_keys(
	id: &EpochId,
	keys: &KeySet,
	(grantee, expiry): ([u8; 32], u32),
	recipient: &PublicKey,
) -> Result<Vec<u8>, GrantError> {
	let scope = GrantScope {
		grantee,
		range: keys.range(),
		expiry,
	};
	seal_each((id, &scope), keys, recipient, randomness()?)
}

#[cfg(feature = "std")]
fn randomness() -> Result<Randomness, RandomError> {
	let mut random = Randomness::new([0; RANDOMNESS_LEN]);
	for half in random.chunks_exact_mut(32) {
		half.copy_from_slice(&crate::random_bytes()?);
	}
	Ok(random)
}

/// Does the same as [`seal_grant`] with given random bytes, which must never be used twice. X25519 takes the first
/// half of them. It is for test vectors and benchmarks.
///
/// # Errors
///
/// Returns [`GrantError::InvalidKey`] if nothing can be sealed to the public key.
pub fn seal_with(
	root: &EpochRoot,
	scope: &GrantScope,
	recipient: &PublicKey,
	random: Randomness,
) -> Result<Vec<u8>, GrantError> {
	seal_each(
		(root.id(), scope),
		&root.key_set(scope.range),
		recipient,
		random,
	)
}

fn seal_each(
	place: (&EpochId, &GrantScope),
	keys: &KeySet,
	recipient: &PublicKey,
	random: Randomness,
) -> Result<Vec<u8>, GrantError> {
	let (encapsulated, ciphertext) = match recipient.suite() {
		Suite::X25519 => seal_for::<X25519>(place, keys, recipient, random),
		Suite::XWing => seal_for::<XWing>(place, keys, recipient, random),
	}
	.map_err(refused)?;
	let suite = recipient.suite().id().to_be_bytes();
	Ok([
		&[VERSION],
		&suite[..],
		recipient.id(),
		&encapsulated,
		&ciphertext,
	]
	.concat())
}

fn seal_for<K: Kem>(
	(id, scope): (&EpochId, &GrantScope),
	keys: &KeySet,
	recipient: &PublicKey,
	random: Randomness,
) -> Result<(Vec<u8>, Vec<u8>), HpkeError> {
	let (encapsulated, mut context) = hpke::setup_sender::<Aead, Kdf, K, _>(
		&OpModeS::Base,
		&recipient.to_hpke::<K>()?,
		&info(id, scope),
		&mut Entropy(Some(random)),
	)?;
	let ciphertext = context.seal(&keys.to_bytes(), &[])?;
	Ok((xwing::to_vec(&encapsulated), ciphertext))
}

/// Returns the suite and the identifier of the key that a grant says it is sealed to. The
/// recipient derives its pair from them with [`EncryptionSecret::pair`](crate::EncryptionSecret::pair).
///
/// # Errors
///
/// Returns [`GrantError::CutShort`], [`GrantError::UnknownVersion`] or [`GrantError::Suite`] if the bytes do not
/// start like a grant.
pub fn recipient(sealed: &[u8]) -> Result<(Suite, KeyId), GrantError> {
	match sealed.first() {
		None | Some(&VERSION) => {}
		Some(&got) => return Err(GrantError::UnknownVersion { got }),
	}
	let Some(&[_, hi, lo, ref id @ ..]) = sealed.first_chunk::<PREFIX_LEN>() else {
		return Err(GrantError::CutShort { got: sealed.len() });
	};
	Ok((Suite::from_id(u16::from_be_bytes([hi, lo]))?, *id))
}

/// Opens a sealed grant with the consumer's key pair and what the chain records about the grant.
///
/// # Errors
///
/// Returns [`GrantError::CutShort`], [`GrantError::UnknownVersion`], [`GrantError::Suite`] or
/// [`GrantError::Length`] if the bytes do not have the format of a grant of this range,
/// [`GrantError::InvalidKey`] if the key inside the grant is invalid, and
/// [`GrantError::DoesNotOpen`] if the grant is for another key, place or scope, or was changed.
pub fn open_grant(
	pair: &EncryptionKeyPair,
	id: &EpochId,
	scope: &GrantScope,
	sealed: &[u8],
) -> Result<KeySet, GrantError> {
	let (suite, key) = recipient(sealed)?;
	let rest = &sealed[PREFIX_LEN..];
	let at = suite.encapsulated_len();
	let expected = at + scope.range.cover().len() * NODE_KEY_LEN + TAG_LEN;
	if rest.len() != expected {
		return Err(GrantError::Length {
			expected: PREFIX_LEN + expected,
			got: sealed.len(),
		});
	}
	if (suite, &key) != (pair.suite(), pair.id()) {
		return Err(GrantError::DoesNotOpen);
	}
	let (encapsulated, ciphertext) = rest.split_at(at);
	let info = info(id, scope);
	let keys = match suite {
		Suite::X25519 => open_for::<X25519>(&pair.x25519(), encapsulated, &info, ciphertext),
		Suite::XWing => open_for::<XWing>(&pair.xwing(), encapsulated, &info, ciphertext),
	};
	let keys = Zeroizing::new(keys.map_err(refused)?);
	// The length was checked above, and reading the keys checks it again.
	KeySet::from_bytes(scope.range, &keys).map_err(|_| GrantError::DoesNotOpen)
}

fn open_for<K: Kem>(
	private: &K::PrivateKey,
	encapsulated: &[u8],
	info: &[u8],
	ciphertext: &[u8],
) -> Result<Vec<u8>, HpkeError> {
	let encapsulated = Deserializable::from_bytes(encapsulated)?;
	hpke::setup_receiver::<Aead, Kdf, K>(&OpModeR::Base, private, &encapsulated, info)?
		.open(ciphertext, &[])
}

/// Translates HPKE's error. Encapsulation and decapsulation fail only if a key is not valid.
fn refused(error: HpkeError) -> GrantError {
	match error {
		HpkeError::EncapError | HpkeError::DecapError => GrantError::InvalidKey,
		_ => GrantError::DoesNotOpen,
	}
}

#[cfg(test)]
mod tests;
