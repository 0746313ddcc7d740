// SPDX-License-Identifier: Apache-2.0
//! Grants: the keys of a range of leaves, sealed to a consumer's public key.
//!
//! Sealing is one message of HPKE (RFC 9180) in base mode. Its `info` binds everything that the
//! chain records about the grant, so sealed keys that are moved to another entry cannot be opened.
//! HPKE does not prove that the keys come from the owner, and does not have to: only a transaction
//! signed by the owner can write to the owner's authorization list.

use crate::{
	derive::{self, RandomError, Secret},
	epoch::EpochId,
	keys::{EncryptionKeyPair, Kem, KeyError, PublicKey, Suite},
	tree::{EpochRoot, KeySet, Range, MAX_COVER, NODE_KEY_LEN},
};
use hpke::{
	rand_core::{CryptoRng, RngCore},
	Deserializable, HpkeError, OpModeR, OpModeS, Serializable,
};
use zeroize::Zeroizing;

/// First byte of every sealed grant: the version of this format.
pub const VERSION: u8 = 1;
/// First bytes of the `info` that a grant is bound to.
pub const INFO_LABEL: &[u8] = b"isthmus/grant/v1";
/// Length of the prefix before the ciphertext (version, suite and encapsulated key), in bytes.
pub const PREFIX_LEN: usize = 1 + 2 + ENCAPSULATED_LEN;
/// Length of the longest sealed grant, in bytes.
pub const MAX_LEN: usize = PREFIX_LEN + MAX_COVER * NODE_KEY_LEN + TAG_LEN;

const ENCAPSULATED_LEN: usize = 32;
const TAG_LEN: usize = 16;

/// The key derivation of [`Suite::X25519`].
type Kdf = hpke::kdf::HkdfSha256;
/// The cipher of [`Suite::X25519`].
type Aead = hpke::aead::AesGcm256;

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
	/// The public key (the recipient's or the one inside the grant) is one of the few for which
	/// every shared secret is zero.
	#[error("the public key is of low order: nothing can be sealed to it")]
	LowOrderKey,
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

/// Passes HPKE the 32 random bytes for its ephemeral key. They are drawn beforehand, so that a
/// failure of the system's source of randomness is returned as an error; inside HPKE it could only
/// panic.
struct Entropy(Option<Secret>);

impl RngCore for Entropy {
	fn next_u32(&mut self) -> u32 {
		hpke::rand_core::impls::next_u32_via_fill(self)
	}

	fn next_u64(&mut self) -> u64 {
		hpke::rand_core::impls::next_u64_via_fill(self)
	}

	fn fill_bytes(&mut self, out: &mut [u8]) {
		let bytes = self.0.take().expect("sealing draws one ephemeral key; qed");
		out.copy_from_slice(&bytes[..]);
	}
}

impl CryptoRng for Entropy {}

/// Seals the keys of `scope.range` to a consumer's public key.
///
/// # Errors
///
/// Returns [`GrantError::LowOrderKey`] if nothing can be sealed to the public key, and
/// [`GrantError::Random`] if the system provides no randomness.
pub fn seal_grant(
	root: &EpochRoot,
	scope: &GrantScope,
	recipient: &PublicKey,
) -> Result<Vec<u8>, GrantError> {
	seal_with(root, scope, recipient, derive::random()?)
}

/// Does the same as [`seal_grant`] with a given seed for the ephemeral key, which must never be
/// used twice. It is for test vectors.
pub(crate) fn seal_with(
	root: &EpochRoot,
	scope: &GrantScope,
	recipient: &PublicKey,
	ephemeral: Secret,
) -> Result<Vec<u8>, GrantError> {
	let (encapsulated, mut context) = hpke::setup_sender::<Aead, Kdf, Kem, _>(
		&OpModeS::Base,
		&recipient.to_hpke(),
		&info(root.id(), scope),
		&mut Entropy(Some(ephemeral)),
	)
	.map_err(refused)?;
	let ciphertext = context
		.seal(&root.key_set(scope.range).to_bytes(), &[])
		.map_err(refused)?;

	let mut sealed = Vec::with_capacity(PREFIX_LEN + ciphertext.len());
	sealed.push(VERSION);
	sealed.extend_from_slice(&recipient.suite().id().to_be_bytes());
	sealed.extend_from_slice(&encapsulated.to_bytes());
	sealed.extend_from_slice(&ciphertext);
	Ok(sealed)
}

/// Opens a sealed grant with the consumer's key pair and what the chain records about the grant.
///
/// # Errors
///
/// Returns [`GrantError::CutShort`], [`GrantError::UnknownVersion`], [`GrantError::Suite`] or
/// [`GrantError::Length`] if the bytes do not have the format of a grant of this range,
/// [`GrantError::LowOrderKey`] if the key inside the grant is invalid, and
/// [`GrantError::DoesNotOpen`] if the grant is for another key, place or scope, or was changed.
pub fn open_grant(
	pair: &EncryptionKeyPair,
	id: &EpochId,
	scope: &GrantScope,
	sealed: &[u8],
) -> Result<KeySet, GrantError> {
	match sealed.first() {
		Some(&VERSION) => {}
		Some(&got) => return Err(GrantError::UnknownVersion { got }),
		None => return Err(GrantError::CutShort { got: 0 }),
	}
	let (prefix, ciphertext) = sealed
		.split_first_chunk::<PREFIX_LEN>()
		.ok_or(GrantError::CutShort { got: sealed.len() })?;
	let [_, hi, lo, encapsulated @ ..] = prefix;
	let Suite::X25519 = Suite::from_id(u16::from_be_bytes([*hi, *lo]))?;

	let expected = PREFIX_LEN + scope.range.cover().len() * NODE_KEY_LEN + TAG_LEN;
	if sealed.len() != expected {
		return Err(GrantError::Length {
			expected,
			got: sealed.len(),
		});
	}
	let encapsulated = Deserializable::from_bytes(encapsulated).map_err(refused)?;
	let mut context = hpke::setup_receiver::<Aead, Kdf, Kem>(
		&OpModeR::Base,
		&pair.private_key(),
		&encapsulated,
		&info(id, scope),
	)
	.map_err(refused)?;
	let keys = Zeroizing::new(context.open(ciphertext, &[]).map_err(refused)?);
	// The length was checked above, and reading the keys checks it again.
	KeySet::from_bytes(scope.range, &keys).map_err(|_| GrantError::DoesNotOpen)
}

/// Translates HPKE's error. Encapsulation and decapsulation fail only if the shared secret is zero.
fn refused(error: HpkeError) -> GrantError {
	match error {
		HpkeError::EncapError | HpkeError::DecapError => GrantError::LowOrderKey,
		_ => GrantError::DoesNotOpen,
	}
}

#[cfg(test)]
mod tests;
