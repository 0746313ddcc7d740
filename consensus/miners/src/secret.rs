// SPDX-License-Identifier: Apache-2.0
//! The secret that miners must know, if a port has one.

use base64::Engine;
use std::fmt;

/// A secret that the owner of the node gives to its miners. It keeps strangers out, but travels in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a text cannot be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret has 8 to 64 letters and digits")]
pub struct BadSecret;

impl Secret {
	/// Reads a secret from a file's contents: 8 to 64 ASCII letters and digits, so that it fits into a URL.
	///
	/// # Errors
	///
	/// Returns [`BadSecret`] if it is anything else.
	pub fn parse(text: &str) -> Result<Self, BadSecret> {
		let text = text.trim();
		let fits =
			(8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
		fits.then(|| Self(text.into())).ok_or(BadSecret)
	}

	/// Returns whether this is the secret. The time that this takes does not depend on the contents.
	pub fn is(&self, given: &str) -> bool {
		let (own, given) = (self.0.as_bytes(), given.as_bytes());
		let differences = own.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
		own.len() == given.len() && std::hint::black_box(differences) == 0
	}

	/// Returns whether the value of an HTTP `Authorization` header has the secret as its password, with any
	/// user name (RFC 7617).
	pub fn is_in_header(&self, header: &str) -> bool {
		let Some((scheme, credentials)) = header.split_once(' ') else {
			return false;
		};
		if !scheme.eq_ignore_ascii_case("basic") {
			return false;
		}
		let decoded = base64::engine::general_purpose::STANDARD.decode(credentials.trim());
		let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
		let password = decoded.as_deref().and_then(|text| text.split_once(':'));
		password.is_some_and(|(_, password)| self.is(password))
	}

	/// Returns whether the last part of a path or of a login is the secret, as in `/SECRET` or
	/// `worker/SECRET`. Some miners can only give a password in this way.
	pub fn is_in_path(&self, path: &str) -> bool {
		path.rsplit_once('/').is_some_and(|(_, last)| self.is(last))
	}
}

impl fmt::Debug for Secret {
	fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
		formatter.write_str("Secret(…)")
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_secret_fits_into_a_url() {
		assert!(Secret::parse("farm2026\n").is_ok());
		for bad in [
			"",
			"short",
			"with space",
			"slash/slash",
			"ümlauttt",
			&"x".repeat(65),
		] {
			assert_eq!(Secret::parse(bad), Err(BadSecret), "{bad}");
		}
		assert!(!format!("{:?}", Secret::parse("farm2026")).contains("farm2026"));
	}

	#[test]
	fn the_secret_is_found_in_a_header_and_in_a_path() {
		let secret = Secret::parse("farm2026").unwrap();
		assert!(secret.is("farm2026"));
		for wrong in ["", "farm2027", "farm202", "farm20266"] {
			assert!(!secret.is(wrong), "{wrong}");
		}
		let basic = |text: &str| {
			let encoded = base64::engine::general_purpose::STANDARD.encode(text);
			format!("Basic {encoded}")
		};
		assert!(secret.is_in_header(&basic("rig1:farm2026")));
		assert!(secret.is_in_header(&basic("rig1:farm2026").replace("Basic", "basic")));
		for wrong in [
			basic("farm2026"),
			basic("rig1:other"),
			"Basic".into(),
			"Basic ?".into(),
		] {
			assert!(!secret.is_in_header(&wrong), "{wrong}");
		}
		assert!(secret.is_in_path("/farm2026") && secret.is_in_path("rig1/farm2026"));
		assert!(!secret.is_in_path("farm2026") && !secret.is_in_path("/farm2026/"));
	}
}
