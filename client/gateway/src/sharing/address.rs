// SPDX-License-Identifier: Apache-2.0
//! Addresses of files that are good for some hours without the token: programs of Delta Sharing send none with them.

use super::names::ROOT;
use crate::{answer::Failure, credentials::Credentials, question::Question, signature::PATH};
use hyper::StatusCode;
use percent_encoding::utf8_percent_encode;
use ring::hmac::{self, Tag};

/// How long an address is good, in seconds. Programs get all addresses of a table at once, and read one file after another. A
/// grant that ends does so at once: the chain is asked at each read.
const GOOD: u64 = 12 * 3600;
/// What keeps these signatures apart from others with the same secret.
const PURPOSE: &str = "isthmus delta sharing 1";
/// The path below which files are.
const FILES: &str = "/files/";

/// A file that an address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
	pub(super) bucket: &'a str,
	pub(super) path: &'a str,
	/// The hash of the file: once it is stored again, the address leads nowhere.
	pub(super) hash: [u8; 32],
	/// When it ends to be good, in seconds since 1970.
	pub(super) expires: u64,
}

impl<'a> Address<'a> {
	/// Makes the address of a file.
	pub(super) fn new(bucket: &'a str, path: &'a str, hash: [u8; 32], now: u64) -> Self {
		let expires = now.saturating_add(GOOD);
		Self {
			bucket,
			path,
			hash,
			expires,
		}
	}

	fn signed(&self) -> Vec<u8> {
		let Self {
			bucket,
			path,
			hash,
			expires,
		} = self;
		// Neither a bucket nor a number has a line's end, so that the parts are told apart.
		let text = format!("{expires}\n{}\n{bucket}\n{path}", hex::encode(hash));
		text.into_bytes()
	}

	fn signature(&self, credentials: &Credentials) -> Tag {
		hmac::sign(&credentials.key_for(PURPOSE), &self.signed())
	}

	/// Writes the address for programs that ask at `origin`.
	pub(super) fn url(&self, origin: &str, credentials: &Credentials) -> String {
		let signature = hex::encode(self.signature(credentials));
		let (bucket, expires) = (self.bucket, self.expires);
		let path = utf8_percent_encode(self.path, &PATH);
		let hash = hex::encode(self.hash);
		format!("{origin}{ROOT}{FILES}{bucket}/{path}?hash={hash}&expires={expires}&signature={signature}")
	}

	/// Reads the address of a request, and checks it; `None` if it is not the address of a file.
	pub(super) fn check(
		asked: &'a Question<'_>,
		credentials: &Credentials,
		now: u64,
	) -> Option<Result<Self, Failure>> {
		let place = asked.path.strip_prefix(ROOT)?.strip_prefix(FILES)?;
		Some(Self::read(place, asked).and_then(|(address, signature)| {
			let key = credentials.key_for(PURPOSE);
			let good = hmac::verify(&key, &address.signed(), &signature);
			good.map_err(|_| {
				Failure::denied(
					"the address of the file was not made by this gateway: query the table again",
				)
			})?;
			match now <= address.expires {
				true => Ok(address),
				false => Err(Failure::denied(
					"the address of the file has expired: query the table again",
				)),
			}
		}))
	}

	fn read(place: &'a str, asked: &'a Question<'_>) -> Result<(Self, [u8; 32]), Failure> {
		let malformed = || {
			let words = "this is not an address that the gateway makes: query the table again";
			Failure::new(StatusCode::BAD_REQUEST, "InvalidArgument", words)
		};
		let (bucket, path) = place.split_once('/').ok_or_else(malformed)?;
		let bytes = |name| {
			let mut bytes = [0; 32];
			let text = asked.field(name).unwrap_or_default();
			match hex::decode_to_slice(text, &mut bytes) {
				Ok(()) => Ok(bytes),
				Err(_) => Err(malformed()),
			}
		};
		let expires = asked.field("expires").and_then(|text| text.parse().ok());
		let address = Self {
			bucket,
			path,
			hash: bytes("hash")?,
			expires: expires.ok_or_else(malformed)?,
		};
		Ok((address, bytes("signature")?))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use hyper::Request;

	const NOW: u64 = 1_700_000_000;

	fn credentials(secret: &str) -> Credentials {
		Credentials::new("KEY".into(), secret.repeat(20), "t".repeat(20)).unwrap()
	}

	fn check(url: &str, now: u64) -> Option<Result<(), String>> {
		let request = Request::builder().uri(url).body("").unwrap();
		let asked = Question::new(&request).unwrap();
		let checked = Address::check(&asked, &credentials("s"), now)?;
		Some(checked.map(drop).map_err(|failure| failure.words))
	}

	#[test]
	fn an_address_leads_to_one_file_for_some_hours() {
		let address = Address::new("ab-3", "a b/é+%2F?.parquet", [7; 32], NOW);
		let url = address.url("http://127.0.0.1:9", &credentials("s"));
		assert!(url.starts_with(
			"http://127.0.0.1:9/delta-sharing/files/ab-3/a%20b/%C3%A9%2B%252F%3F.parquet?hash=07"
		));
		assert_eq!(check(&url, NOW), Some(Ok(())));
		assert_eq!(check(&url, address.expires), Some(Ok(())));
		let refused = |url: &str, now, words: &str| {
			let failed = check(url, now).unwrap().unwrap_err();
			assert!(failed.contains(words), "{failed}");
		};
		refused(&url, address.expires + 1, "has expired");
		for (from, to) in [
			("ab-3", "ab-4"),
			("a%20b", "a%20c"),
			("hash=07", "hash=08"),
			("expires=1", "expires=2"),
			("signature=", "signature=0"),
		] {
			let changed = url.replace(from, to);
			let words = if from == "signature=" {
				"not an address"
			} else {
				"not made by this gateway"
			};
			refused(&changed, NOW, words);
		}
		let other = address.url("http://127.0.0.1:9", &credentials("x"));
		refused(&other, NOW, "not made by this gateway");
		for bad in [
			"/delta-sharing/files/ab-3",
			"/delta-sharing/files/ab-3/a?hash=1",
			"/delta-sharing/files/",
		] {
			refused(bad, NOW, "not an address");
		}
		assert_eq!(check("/delta-sharing/shares", NOW), None);
		assert_eq!(check("/ab-3/a.parquet", NOW), None);
	}
}
