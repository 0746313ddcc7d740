// SPDX-License-Identifier: Apache-2.0
//! Primitives for key derivation: HMAC-SHA256 (RFC 2104), HKDF-SHA256 (RFC 5869) and the system's
//! source of randomness. Labels and layouts are defined where they are used.

use ring::{
	hkdf, hmac,
	rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

/// 32 secret bytes, wiped from memory when dropped.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// The system's source of randomness failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's source of randomness failed")]
pub struct RandomError;

/// Draws 32 bytes from the system's source of randomness.
pub(crate) fn random() -> Result<Secret, RandomError> {
	let mut bytes = Secret::default();
	SystemRandom::new()
		.fill(&mut bytes[..])
		.map_err(|_| RandomError)?;
	Ok(bytes)
}

/// Draws 32 bytes from the system's source of randomness, for a secret or a salt.
///
/// # Errors
///
/// Returns [`RandomError`] if the system provides no randomness.
pub fn random_bytes() -> Result<[u8; 32], RandomError> {
	random().map(|bytes| *bytes)
}

/// Returns the HMAC-SHA256 of `message` under `key`.
pub(crate) fn hmac_sha256(key: &Secret, message: &[u8]) -> Secret {
	let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key[..]), message);
	let mut out = Secret::default();
	out.copy_from_slice(tag.as_ref());
	out
}

/// Runs HKDF-Extract with SHA-256 and returns the pseudorandom key.
pub(crate) fn extract(salt: &[u8], secret: &Secret) -> hkdf::Prk {
	hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&secret[..])
}

/// Runs HKDF-Expand with SHA-256 over the concatenated parts of `info`, and returns 32 bytes.
pub(crate) fn expand(prk: &hkdf::Prk, info: &[&[u8]]) -> Secret {
	let mut out = Secret::default();
	prk.expand(info, hkdf::HKDF_SHA256)
		.and_then(|okm| okm.fill(&mut out[..]))
		.expect("32 bytes are one block of HKDF-SHA256, which outputs up to 255; qed");
	out
}

/// Implements `Debug` for a type that holds a secret, without showing the secret.
macro_rules! redacted_debug {
	($type:ident) => {
		impl core::fmt::Debug for $type {
			fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
				f.write_str(concat!(stringify!($type), "(..)"))
			}
		}
	};
}
pub(crate) use redacted_debug;
