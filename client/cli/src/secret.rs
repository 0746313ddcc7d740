// SPDX-License-Identifier: Apache-2.0
//! Secrets where none belong: arguments that look like one are refused, and errors do not repeat them, because shells and
//! logs keep both.

use crate::error::Error;
use clap::builder::{PathBufValueParser, TypedValueParser};
use isthmus_sdk::{
	envelope::{
		key_file::{KeyFile, KeyFileError},
		material::Material,
		seed, shares,
	},
	shown_address,
};
use std::path::{Path, PathBuf};

/// What errors show in place of what may be a secret.
pub(crate) const HIDDEN: &str = "(not shown, as it may be a secret)";

/// Why what looks like a secret is not taken as the path of a file.
const NO_PATH: &str = "expected the path of a file, and not the secret itself, which shells and logs would keep. Secrets are typed or piped: `isthmus key import FILE`, `isthmus key restore FILE`. If a file has this name, put ./ before it";

/// The least number of words of the list in what may be a phrase: one of 12 with spelling mistakes has them.
const LEAST_WORDS: usize = 9;
/// What people put around a secret.
const QUOTES: [char; 4] = ['"', '\'', '“', '”'];
/// The least number of words in a phrase of any language.
const LEAST_OF_ANY: usize = 12;

/// Returns whether a text may be a secret: a phrase of words, a seed or a longer key in hexadecimal digits, or a share.
pub(crate) fn is_likely(text: &str) -> bool {
	text.contains(shares::PREFIX) || is_digits(text) || is_phrase(text)
}

/// Returns whether a text is a seed or a longer key in hexadecimal digits, with or without derivations after it.
fn is_digits(text: &str) -> bool {
	let digits = text.trim().split('/').next().unwrap_or_default();
	let digits = digits.trim_matches(QUOTES);
	let small = digits.strip_prefix("0x");
	let digits = small.or(digits.strip_prefix("0X")).unwrap_or(digits);
	matches!(digits.len(), 64 | 128) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Returns whether a text consists of words from the list of BIP-39, also with numbers or commas between them.
fn is_phrase(text: &str) -> bool {
	let words = text.split(|letter: char| !letter.is_alphabetic());
	let (mut all, mut known) = (0usize, 0usize);
	for word in words.filter(|word| !word.is_empty()) {
		all += 1;
		known += usize::from(seed::is_word(&word.to_lowercase()));
	}
	known >= LEAST_WORDS && known * 4 >= all * 3
}

/// Returns an argument as errors show it: without a password or the query of an address, and not at all if it may be a
/// secret.
pub(crate) fn shown_argument(text: &str) -> String {
	if is_likely(text) {
		return HIDDEN.to_owned();
	}
	let text = match text.trim_start().starts_with("//") {
		true => without_password(text),
		false => text,
	};
	let is_address = text.contains("://") && text.contains(['?', '#']);
	match is_address || text.contains('@') {
		true => shown_address(text),
		false => text.to_owned(),
	}
}

/// Returns whether an argument was refused because it is a secret where a path belongs. Errors do not show it, whatever it is.
pub(crate) fn is_refused(error: &clap::Error) -> bool {
	std::error::Error::source(error).is_some_and(|source| source.to_string() == NO_PATH)
}

/// Returns the value of `--url` as errors show it: never as it is, because a query may be a secret in any text.
pub(crate) fn shown_url(text: &str) -> String {
	match is_likely(text) {
		true => HIDDEN.to_owned(),
		false => shown_address(text),
	}
}

/// Returns the name of a development account without the password that may follow it.
pub(crate) fn without_password(key: &str) -> &str {
	key.split("///").next().unwrap_or_default()
}

/// Reads the path of a file of secrets: a key file, or the gateway's credentials.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
	PathBufValueParser::new().try_map(|path| match is_no_path(&path.to_string_lossy()) {
		true => Err(NO_PATH),
		false => Ok(path),
	})
}

/// Reads what `--key` and `$ISTHMUS_KEY` name: a key file or a development account.
pub(crate) fn key(text: String) -> Result<String, &'static str> {
	match is_no_path(&text) {
		true => Err(NO_PATH),
		false => Ok(text),
	}
}

/// Returns whether a text that should be a path is a secret, or the contents of a key file. No secret begins like a path that
/// says in which folder the file is.
fn is_no_path(text: &str) -> bool {
	if ["/", "./", "../"]
		.iter()
		.any(|start| text.starts_with(start))
	{
		return false;
	}
	let unquoted = text.trim_start().trim_start_matches(QUOTES);
	let is_share = unquoted.starts_with(shares::PREFIX);
	let is_secret = is_share || is_digits(text) || is_phrase(text);
	let is_long = text.split_whitespace().count() >= LEAST_OF_ANY;
	let is_json = text.trim_start().starts_with('{');
	(is_secret || is_long || is_json) && !Path::new(text).exists()
}

/// What the commands take that ask for a secret.
pub(crate) const EXPECTED: &str =
	"expected a phrase of words, a seed in hexadecimal digits, or a share, as text";

/// Checks that what was typed or piped as a secret may be one: that it is not a key file, nor the path of one, and nothing that
/// other programs keep their secrets in.
pub(crate) fn check_typed(text: &str) -> Result<(), Error> {
	let found = match is_key_file(Path::new(text.trim())) {
		true => Some(Material::KeyFile),
		false => Material::of(text.as_bytes()),
	};
	match found.filter(|found| !found.is_secret()) {
		Some(found) => Err(Error::usage(format!(
			"this is not the secret, the words or a share: {found}"
		))
		.hint(found.advice().unwrap_or(EXPECTED))),
		None => Ok(()),
	}
}

/// Returns whether a regular file is a key file, also one of a newer release.
pub(crate) fn is_key_file(path: &Path) -> bool {
	let is_one = |read| matches!(read, Ok(_) | Err(KeyFileError::UnknownVersion { .. }));
	path.is_file() && is_one(KeyFile::read(path))
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Twelve words of the list.
	const TWELVE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

	#[test]
	fn what_may_be_a_secret_is_not_shown() {
		let seed = "0f".repeat(32);
		let secrets = [
			TWELVE.to_owned(),
			TWELVE.to_uppercase(),
			TWELVE.replace(' ', ", "),
			TWELVE.replace("obey", "bob"),
			format!("{TWELVE}//hard///password"),
			"1. abandon 2. ability 3. able\n4. about ".repeat(6),
			seed.clone(),
			format!("0x{seed}"),
			format!("0x{seed}//hard"),
			format!("\"0x{seed}\""),
			format!("\"0x{seed}\"//hard"),
			format!("'{TWELVE}'"),
			format!(" {seed}{seed}\n"),
			format!("{}0102", shares::PREFIX),
		];
		for secret in &secrets {
			assert_eq!(shown_argument(secret), HIDDEN, "{secret}");
			assert_eq!(key(secret.clone()), Err(NO_PATH), "{secret}");
		}
		for plain in [
			"",
			"school.key",
			"//Alice",
			"./0f0f",
			"5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
			"fact(weather/beijing, pm25) > 75 and before(2027-01-01) or after(2028-01-01)",
			"https://example.org/a/b",
			"file:///srv/copies",
		] {
			assert_eq!(shown_argument(plain), plain);
			assert_eq!(key(plain.to_owned()).as_deref(), Ok(plain));
		}
		assert_eq!(shown_argument("//Alice///pass@word"), "//Alice");
		// Words of other languages, and the contents of a key file.
		for other in [
			"eins zwei drei vier ".repeat(3),
			"{\n  \"isthmusKey\": 2".into(),
		] {
			assert_eq!(key(other), Err(NO_PATH));
		}
	}

	#[test]
	fn a_password_or_a_query_in_an_address_is_not_shown() {
		for (address, expected) in [
			("ws://user:pass@node.org:99999", "ws://node.org:99999"),
			("http://user:pass@node.org/rpc", "http://node.org/rpc"),
			("https://example.org/a@b?c", "https://example.org"),
			("user:pass@node.org:9944", "node.org:9944"),
			("//user:pass@node.org:9944", "node.org:9944"),
			("ws://host:99999?token=SECRET", "ws://host:99999"),
			("ws://host:99999#SECRET", "ws://host:99999"),
			("ws://u:pa/ss@h", "ws://h"),
			("ws://u:pa?ss@h", "ws://h"),
			("ws://u:pa#ss@h", "ws://h"),
		] {
			assert_eq!(shown_argument(address), expected);
			assert_eq!(shown_url(address), expected);
		}
		assert_eq!(shown_url("host:99999?token=SECRET"), "host:99999");
		assert_eq!(shown_url(&"0f".repeat(32)), HIDDEN);
		for plain in ["ws://::1:9944", "ws://a,ws://b", "127.0.0.1:9944", ""] {
			assert_eq!(shown_url(plain), plain);
		}
	}

	#[test]
	fn a_path_that_says_its_folder_is_no_secret() {
		let seed = "0f".repeat(32);
		let share = format!("{}1-0102", shares::PREFIX);
		for secret in [TWELVE, &seed, &share] {
			assert_eq!(key(secret.to_owned()), Err(NO_PATH));
			for path in [
				format!("./{secret}"),
				format!("../{secret}"),
				format!("/backup/{secret}/new.key"),
			] {
				assert_eq!(key(path.clone()), Ok(path));
			}
		}
		assert_eq!(key(format!(" {share}")), Err(NO_PATH));
		let long = format!("/{}", "a b c d ".repeat(3));
		assert_eq!(key(long.clone()), Ok(long));
	}

	#[test]
	fn a_file_that_exists_may_have_any_name() {
		// A relative path, from the folder in which tests of a package run.
		let file = tempfile::Builder::new()
			.prefix(TWELVE)
			.rand_bytes(0)
			.suffix(&format!(" {}", std::process::id()))
			.tempfile_in(".")
			.unwrap();
		let name = file.path().file_name().unwrap().to_str().unwrap();
		assert!(key(name.to_owned()).is_ok());
		let name = name.to_owned();
		file.close().unwrap();
		assert_eq!(key(name), Err(NO_PATH));
	}

	#[test]
	fn a_key_file_is_no_secret() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("school.key");
		let secrets = isthmus_sdk::envelope::Secrets::generate().unwrap();
		let file = crate::key_file::create(&path, &secrets, "three plain words").unwrap();
		let typed = path.display().to_string();
		for text in [
			file.to_string(),
			"{\"isthmusKey\": 2,".into(),
			typed.clone(),
			format!("{typed} "),
		] {
			let refused = check_typed(&text).unwrap_err();
			let end = "share: it is a key file";
			assert!(refused.message().ends_with(end), "{text}: {refused:?}");
			assert!(refused
				.shown_hint()
				.is_some_and(|hint| hint.contains("--key FILE")));
		}
		for text in [TWELVE, "//Alice", "none", folder.path().to_str().unwrap()] {
			check_typed(text).unwrap();
		}
	}

	#[test]
	fn what_is_no_secret_is_said_to_be_what_it_is() {
		let long = "0f".repeat(64);
		for (text, what) in [
			("{}", "it is data in JSON"),
			("{\"encoded\":\"a\",\"encoding\":{}}", "a wallet exported"),
			("{\"crypto\":{}}", "an account of Ethereum"),
			("-----BEGIN PRIVATE KEY-----", "in PEM"),
			("AGE-SECRET-KEY-1QQ", "a file of age"),
			(long.as_str(), "not the 64 of a seed"),
		] {
			let refused = check_typed(text).unwrap_err();
			assert!(refused.message().contains(what), "{text}: {refused:?}");
			let hint = refused.shown_hint().unwrap();
			assert!(!hint.contains("--key"), "{text}: {hint}");
			assert!(!refused.message().contains(text), "{refused:?}");
		}
		let upper = format!("0X{}", "0F".repeat(32));
		assert!(check_typed(&upper).is_ok() && is_likely(&upper));
	}
}
