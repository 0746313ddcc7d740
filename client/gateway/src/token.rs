// SPDX-License-Identifier: Apache-2.0
//! Tokens of pages: the name after which the next page of a list begins. They are signed, so that only tokens that the gateway
//! gave are taken, and each only for its list.

use crate::credentials::Credentials;
use ring::hmac;

/// What keeps these signatures apart from others with the same secret.
const PURPOSE: &str = "isthmus page 1";
/// The length of a signature in bytes.
const SIGNATURE: usize = 32;

/// Makes the token of the page of a list that begins after a name.
pub(crate) fn make(credentials: &Credentials, list: &str, after: &str) -> String {
	let signature = hmac::sign(&credentials.key_for(PURPOSE), &signed(list, after));
	hex::encode([signature.as_ref(), after.as_bytes()].concat())
}

/// Reads a token of a list; `None` if the gateway did not make it.
pub(crate) fn read(credentials: &Credentials, list: &str, token: &str) -> Option<String> {
	let bytes = hex::decode(token).ok()?;
	let (signature, after) = bytes.split_at_checked(SIGNATURE)?;
	let after = String::from_utf8(after.to_vec()).ok()?;
	let key = credentials.key_for(PURPOSE);
	hmac::verify(&key, &signed(list, &after), signature).ok()?;
	Some(after)
}

/// Returns what is signed. The length of the list's name tells the two apart.
fn signed(list: &str, after: &str) -> Vec<u8> {
	let length = (list.len() as u64).to_be_bytes();
	[&length[..], list.as_bytes(), after.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
	use super::*;

	fn credentials(secret: &str) -> Credentials {
		Credentials::new("KEY".into(), secret.repeat(20), "t".repeat(20)).unwrap()
	}

	#[test]
	fn only_a_token_that_was_given_is_taken() {
		let own = credentials("s");
		let token = make(&own, "ab-3", "a b/é");
		assert_eq!(read(&own, "ab-3", &token).as_deref(), Some("a b/é"));
		let none = make(&own, "ab-3", "");
		assert_eq!(read(&own, "ab-3", &none).as_deref(), Some(""));
		for (credentials, list, token) in [
			(&own, "ab-4", token.as_str()),
			(&own, "ab-3a", &token),
			(&own, "ab-3", &token[2..]),
			(&own, "ab-3", &format!("{token}00")),
			(&own, "ab-3", &hex::encode("a b/é")),
			(&own, "ab-3", "00"),
			(&own, "ab-3", ""),
			(&own, "ab-3", "x"),
			(&credentials("x"), "ab-3", &token),
		] {
			assert_eq!(read(credentials, list, token), None, "{list} {token}");
		}
		// The name does not begin in the list's.
		assert_eq!(read(&own, "ab", &make(&own, "ab-3", "")), None);
	}
}
