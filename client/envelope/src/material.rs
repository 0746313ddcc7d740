// SPDX-License-Identifier: Apache-2.0
//! What people take for a key file, or for the secret from which one is made. What a text or a file says is not repeated, as it
//! may be a secret.
//!
//! ```
//! use isthmus_envelope::material::Material;
//!
//! let found = Material::of(b"-----BEGIN OPENSSH PRIVATE KEY-----\n");
//! assert_eq!(found, Some(Material::Pem));
//! assert_eq!(Material::of(b"//Alice"), None);
//! ```

use crate::{seed, shares};
use std::fmt;

/// The version of key files that this library reads.
pub(crate) const KEY_FILE_VERSION: u32 = 2;
/// What files of erasable keys begin with.
const ERASABLE: &[u8] = b"isthmus/erasable/";
/// The least number of words of a phrase.
const LEAST_WORDS: usize = 12;
/// The number of hexadecimal digits of a seed.
const SEED_DIGITS: usize = 64;
/// The least number of hexadecimal digits of what may be a key.
const LEAST_DIGITS: usize = 32;
/// The length of a seed in bytes.
const SEED_LENGTH: usize = 32;
/// The lengths of 32 and of 64 bytes in base64.
const BASE64: [usize; 2] = [44, 88];

/// What a text or a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Material {
	/// Nothing but white space.
	Empty,
	/// Nothing but zeros.
	Zeros,
	/// A key file, whole or not.
	KeyFile,
	/// A key file of a newer release.
	NewerKeyFile,
	/// A file of erasable keys.
	ErasableKeys,
	/// Shares of a seed.
	Shares,
	/// A phrase: the words of a seed, or those of a wallet.
	Words,
	/// A seed in hexadecimal digits.
	Seed,
	/// Hexadecimal digits, but not the 64 of a seed.
	Digits,
	/// The 32 bytes of a seed, as they are.
	Bytes,
	/// Text in base64, of the length of keys.
	Base64,
	/// An account that a wallet of this kind of chain exported.
	Wallet,
	/// An account of Ethereum.
	Ethereum,
	/// A key or a certificate in PEM.
	Pem,
	/// A public key of SSH.
	SshPublic,
	/// A key of age.
	AgeKey,
	/// A file that age encrypted.
	AgeFile,
	/// Text in quotation marks, as programs for JSON show it.
	Quoted,
	/// Other data in JSON or TOML.
	Data,
}

impl Material {
	/// Returns what bytes are: those of a file, or what is typed or piped; `None` if they are none of these.
	pub fn of(bytes: &[u8]) -> Option<Self> {
		if !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0) {
			return Some(Self::Zeros);
		}
		let begin = |start: &[u8]| bytes.starts_with(start);
		if begin(ERASABLE) {
			return Some(Self::ErasableKeys);
		}
		// What follows the first line is not text.
		if begin(b"age-encryption.org/") {
			return Some(Self::AgeFile);
		}
		match std::str::from_utf8(bytes) {
			Ok(text) => Self::of_text(text.strip_prefix('\u{feff}').unwrap_or(text).trim()),
			Err(_) => (bytes.len() == SEED_LENGTH).then_some(Self::Bytes),
		}
	}

	fn of_text(text: &str) -> Option<Self> {
		let begins = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
		let mut words = text.split_whitespace();
		let Some(first) = words.next() else {
			return Some(Self::Empty);
		};
		let others = words.count();
		let digits = without_prefix(first);
		let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
		Some(match text {
			_ if begins(&["-----BEGIN AGE ENCRYPTED FILE-----"]) => Self::AgeFile,
			_ if begins(&["-----BEGIN "]) => Self::Pem,
			_ if begins(&["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]) => Self::SshPublic,
			_ if begins(&["AGE-SECRET-KEY-", "age1", "# created: "]) => Self::AgeKey,
			_ if begins(&[shares::PREFIX]) => Self::Shares,
			_ if text.starts_with('{') => Self::of_object(text),
			_ if is_quoted(text) => Self::Quoted,
			_ if is_hex && digits.len() == SEED_DIGITS => Self::Seed,
			_ if is_hex && digits.len() >= LEAST_DIGITS => Self::Digits,
			_ if others == 0 && is_base64(first) => Self::Base64,
			_ if seed::is_word(&first.to_lowercase()) && others + 1 >= LEAST_WORDS => Self::Words,
			_ if is_toml(text) => Self::Data,
			_ => return None,
		})
	}

	/// Returns what an object in JSON is. It may be cut short.
	fn of_object(text: &str) -> Self {
		let has = |name: &str| text.contains(&format!("\"{name}\""));
		match text {
			_ if has("isthmusKey") => match version_in(text.as_bytes()) {
				Some(got) if got > KEY_FILE_VERSION => Self::NewerKeyFile,
				_ => Self::KeyFile,
			},
			_ if has("encoding") => Self::Wallet,
			_ if has("crypto") || has("Crypto") => Self::Ethereum,
			_ => Self::Data,
		}
	}

	/// Returns whether a program of this chain makes a key file of it: the words, the shares or the seed.
	pub fn is_secret(self) -> bool {
		matches!(self, Self::Shares | Self::Words | Self::Seed)
	}

	/// Returns what to do with it. FILE stands for the file that it is in, and NEW.key for the key file to make.
	pub fn advice(self) -> Option<&'static str> {
		Some(match self {
			Self::Empty | Self::Data => return None,
			Self::Zeros => "bring a copy back, or make it again from the words",
			Self::KeyFile => {
				"a key file is used as it is: --key FILE. Its passphrase is changed with `isthmus key passphrase FILE`, and `isthmus key words FILE` shows its words"
			}
			Self::NewerKeyFile => "use that release: a key file is used as it is, with --key FILE",
			Self::ErasableKeys => "they are used with the key file that they lie beside",
			Self::Shares => "`isthmus key join NEW.key < FILE` makes a key file",
			Self::Words => {
				"`isthmus key restore NEW.key < FILE` makes a key file, or `isthmus key import NEW.key < FILE` if they are those of a wallet"
			}
			Self::Seed => "`isthmus key import NEW.key < FILE` makes a key file",
			Self::Digits => {
				"`isthmus key import NEW.key` takes the seed of 32 bytes, in 64 digits, or the phrase"
			}
			Self::Bytes => {
				"if they are a seed, `xxd -p -c 64 FILE | isthmus key import NEW.key` makes a key file"
			}
			Self::Base64 => {
				"if it is a seed of 32 bytes, `base64 -d FILE | xxd -p -c 64 | isthmus key import NEW.key` makes a key file"
			}
			Self::Wallet => {
				"only the wallet decrypts it. `isthmus key import NEW.key` takes the account's phrase, as the wallet showed it"
			}
			Self::Ethereum | Self::Pem | Self::SshPublic | Self::AgeKey => {
				"keys of other kinds are not used here; `isthmus key generate NEW.key` makes an account"
			}
			Self::Quoted => "write the file again without them",
			Self::AgeFile => {
				"if a seed or a phrase is in it, `age --decrypt FILE | isthmus key import NEW.key` makes a key file"
			}
		})
	}
}

/// Names the material, as in "it is empty".
impl fmt::Display for Material {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Empty => "it is empty",
			Self::Zeros => "it has nothing but zeros, as a file may after a crash",
			Self::KeyFile => "it is a key file",
			Self::NewerKeyFile => "it is a key file of a newer release",
			Self::ErasableKeys => "it has erasable keys",
			Self::Shares => "it has shares of a seed",
			Self::Words => "it has words",
			Self::Seed => "it is a seed in hexadecimal digits",
			Self::Digits => "it has hexadecimal digits, but not the 64 of a seed",
			Self::Bytes => "it has 32 bytes that are not text",
			Self::Base64 => "it is in base64",
			Self::Wallet => "it is an account that a wallet exported",
			Self::Ethereum => "it is an account of Ethereum",
			Self::Pem => "it is in PEM, as keys of SSH and of TLS are",
			Self::SshPublic => "it is a public key of SSH",
			Self::AgeKey => "it is a file of age, with its keys",
			Self::AgeFile => "it is a file of age, which encrypts another",
			Self::Quoted => "it is in quotation marks",
			Self::Data => "it is data in JSON or TOML",
		})
	}
}

/// Returns the version that a key file of any format names.
pub(crate) fn version_in(text: &[u8]) -> Option<u32> {
	let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text).ok()?;
	fields.get("isthmusKey")?.as_u64()?.try_into().ok()
}

/// Returns hexadecimal digits without the `0x` that may be before them.
fn without_prefix(digits: &str) -> &str {
	let small = digits.strip_prefix("0x");
	small.or(digits.strip_prefix("0X")).unwrap_or(digits)
}

/// Returns whether a word is a key in base64.
fn is_base64(word: &str) -> bool {
	let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
	let digits = word.trim_end_matches('=');
	let is_key = BASE64.contains(&word.len()) && word.ends_with('=');
	// A derivation may have the same letters.
	is_key && !word.starts_with("//") && digits.bytes().all(is_digit)
}

/// Returns whether a text is in quotation marks.
fn is_quoted(text: &str) -> bool {
	let marks = [('"', '"'), ('\'', '\''), ('“', '”')];
	let is_between = |(first, last): (char, char)| text.starts_with(first) && text.ends_with(last);
	text.chars().nth(1).is_some() && marks.into_iter().any(is_between)
}

/// Returns whether a text begins as TOML does, or as a list in JSON: with `[`, or with the name of a value.
fn is_toml(text: &str) -> bool {
	let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
	let name = text.split_once('=').map(|(name, _)| name.trim_end());
	let is_name = name.is_some_and(|name| !name.is_empty() && name.chars().all(is_part));
	text.starts_with('[') || is_name
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{KeyFile, Secrets, Seed};

	#[test]
	fn what_people_take_for_a_secret_is_told() {
		let secrets = Secrets::generate().unwrap();
		let key_file = KeyFile::seal(&secrets, "5F", "three plain words").unwrap();
		let key_file = key_file.to_string();
		let newer = key_file.replace("\"isthmusKey\": 2", "\"isthmusKey\": 3");
		let share = shares::split(&Seed::generate().unwrap(), 3, 2).unwrap()[0].to_string();
		let words = secrets.seed.words();
		let digits = "0F".repeat(SEED_LENGTH);
		let (prefixed, long) = (format!(" 0X{digits} \n"), digits.repeat(2));
		let marked = format!("\u{feff}0x{digits}\r\n");
		for (text, expected) in [
			("", Material::Empty),
			(" \r\n", Material::Empty),
			("\0\0\0", Material::Zeros),
			(key_file.as_str(), Material::KeyFile),
			(&key_file[..40], Material::KeyFile),
			(newer.as_str(), Material::NewerKeyFile),
			("isthmus/erasable/v1\0", Material::ErasableKeys),
			(share.as_str(), Material::Shares),
			(words.as_str(), Material::Words),
			(digits.as_str(), Material::Seed),
			(prefixed.as_str(), Material::Seed),
			(marked.as_str(), Material::Seed),
			(long.as_str(), Material::Digits),
			(&digits[2..], Material::Digits),
			(
				"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=\n",
				Material::Base64,
			),
			(
				"{\"encoded\":\"x\",\"encoding\":{},\"address\":\"5F\"}",
				Material::Wallet,
			),
			("{\"version\":3,\"crypto\":{}}", Material::Ethereum),
			("{\"Crypto\":{},\"version\":3}", Material::Ethereum),
			("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", Material::Pem),
			(
				"ssh-ed25519 AAAAC3Nz school@example.org",
				Material::SshPublic,
			),
			(
				"# created: 2026-01-01\n# public key: age1x",
				Material::AgeKey,
			),
			("AGE-SECRET-KEY-1QQ", Material::AgeKey),
			("age-encryption.org/v1\n-> scrypt", Material::AgeFile),
			("-----BEGIN AGE ENCRYPTED FILE-----", Material::AgeFile),
			("{}", Material::Data),
			("{", Material::Data),
			("[1, 2]", Material::Data),
			("[server]\nport = 1", Material::Data),
			("name = \"a\"", Material::Data),
			("\"abandon ability\"\n", Material::Quoted),
			("'a'", Material::Quoted),
			("“a”", Material::Quoted),
		] {
			assert_eq!(Material::of(text.as_bytes()), Some(expected), "{text:?}");
		}
		assert_eq!(Material::of(&[0xfe; SEED_LENGTH]), Some(Material::Bytes));
		assert_eq!(Material::of(&[0xfe; 31]), None);
	}

	#[test]
	fn a_secret_that_may_be_taken_is_not_called_something_else() {
		let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
		let derived = format!("0x{}//hard///a=b", "0f".repeat(SEED_LENGTH));
		for secret in [
			"//Alice",
			"//Alice///pass = word=",
			"abandon ability",
			"school",
			&derived,
		] {
			assert_eq!(Material::of(secret.as_bytes()), None, "{secret}");
		}
		for secret in [phrase.to_owned(), format!("{phrase}//hard///a = b")] {
			let found = Material::of(secret.as_bytes());
			assert!(found.is_some_and(Material::is_secret), "{secret}");
		}
	}
}
