// SPDX-License-Identifier: Apache-2.0
//! Primitives for key derivation: HMAC-SHA256 (RFC 2104), HKDF-SHA256 (RFC 5869) and the system's
//! source of randomness. Labels and layouts are defined where they are used.

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// 32 secret bytes, wiped from memory when dropped.
pub type Secret = Zeroizing<[u8; 32]>;

/// A pseudorandom key of HKDF-SHA256.
pub type Prk = Hkdf<Sha256>;

/// The system's source of randomness failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's source of randomness failed")]
pub struct RandomError;

/// Draws 32 bytes from the system's source of randomness.
///
/// # Errors
///
/// Returns [`RandomError`] if the system provides no randomness.
#[cfg(feature = "std")]
pub fn random() -> Result<Secret, RandomError> {
	use ring::rand::{SecureRandom, SystemRandom};
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
#[cfg(feature = "std")]
pub fn random_bytes() -> Result<[u8; 32], RandomError> {
	random().map(|bytes| *bytes)
}

/// Returns the HMAC-SHA256 of `message` under `key`.
pub fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> Secret {
	let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length; qed");
	Secret::new(mac.chain_update(message).finalize().into_bytes().into())
}

/// Runs HKDF-Extract with SHA-256 and returns the pseudorandom key.
pub fn extract(salt: &[u8], secret: &[u8; 32]) -> Prk {
	Prk::new(Some(salt), secret)
}

/// Runs HKDF-Expand with SHA-256 over the concatenated parts of `info`, and returns 32 bytes.
pub fn expand(prk: &Prk, info: &[&[u8]]) -> Secret {
	let mut out = Secret::default();
	prk.expand_multi_info(info, &mut out[..])
		.expect("32 bytes are one block of HKDF-SHA256, which outputs up to 255; qed");
	out
}

/// Implements `Debug` for a type that holds a secret, without showing the secret.
#[macro_export]
macro_rules! redacted_debug {
	($type:ident) => {
		impl core::fmt::Debug for $type {
			fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
				f.write_str(concat!(stringify!($type), "(..)"))
			}
		}
	};
}
pub use redacted_debug;
