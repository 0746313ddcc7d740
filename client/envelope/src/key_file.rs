// SPDX-License-Identifier: Apache-2.0
//! Key files: an account's secrets, encrypted under a passphrase. The layout is in `docs/formats.md`.
//!
//! scrypt (RFC 7914) derives a key from the passphrase, and AES-256-GCM encrypts the secrets with it.
//! The account's address and the seed's fingerprint are not encrypted, so that they can be read
//! without the passphrase, but they are authenticated too.
//!
//! ```
//! use isthmus_envelope::key_file::{KeyFile, KeyFileError, Secrets};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secrets = Secrets::generate()?;
//! let file = KeyFile::seal(&secrets, "the account's address", "three plain words")?;
//!
//! let file: KeyFile = file.to_string().parse()?;
//! assert_eq!(file.account(), "the account's address");
//! let opened = file.open("three plain words")?;
//! assert_eq!(opened.seed.expose_secret(), secrets.seed.expose_secret());
//! assert!(matches!(file.open("another"), Err(KeyFileError::DoesNotOpen)));
//! # Ok(())
//! # }
//! ```
//!
//! The secrets in a file never change, so no backup of it is ever out of date; only its passphrase may be changed. A
//! program that does so takes the [`lock`] of the file's folder, [reads](KeyFile::read) and opens the file, and
//! [replaces](KeyFile::replace) it. This module does not prompt for a passphrase and does not know how an account's
//! address is derived from its secret: the caller passes in both.

use crate::{
	derive::{random_bytes, RandomError},
	input::{at_most_a_minute, Input},
	lock_file::LockFile,
	material::{version_in, Material, KEY_FILE_VERSION},
	on_disk,
	seed::Seed,
};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM};
use serde::{Deserialize, Serialize};
use std::{
	fmt, fs,
	io::{self, Read},
	path::Path,
	str::FromStr,
};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The version of this format, which is the only one that can be read.
pub const VERSION: u32 = KEY_FILE_VERSION;
/// Binary logarithm of scrypt's cost in new files. 2^17 rounds over 128 MiB take about half a second.
pub const LOG_N: u8 = 17;
/// Binary logarithm of the maximum cost that is accepted, which takes 1 GiB of memory.
pub const MAX_LOG_N: u8 = 20;
/// Minimum number of characters in the passphrase of a new file.
pub const MIN_PASSPHRASE: usize = 8;
/// Maximum length of a key file in bytes: room for every secret of an account, and an end to a file that has none.
pub const MAX_LENGTH: u64 = 1 << 18;
/// Maximum length of an imported account's secret, in bytes.
const MAX_SECRET: usize = u16::MAX as usize;
/// scrypt's block size (RFC 7914).
const R: u32 = 8;
/// scrypt's parallelization (RFC 7914).
const P: u32 = 1;

/// Why a key file cannot be read, opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
	/// The file is not a JSON object with the fields of a key file.
	#[error("not a key file: {0}")]
	Json(String),
	/// The file is something else, which people take for a key file.
	#[error("not a key file: {}", explained(*.0))]
	Other(Material),
	/// The file is longer than a key file can be.
	#[error("not a key file: it is longer than {MAX_LENGTH} bytes")]
	TooLong,
	/// The file is text of another encoding, as some editors and shells of Windows write it.
	#[error("not a key file as it is: it is in UTF-16, so save it as UTF-8")]
	Utf16,
	/// The file has a version that this library does not know.
	#[error("not a key file that this version reads: its format is {got}, expected {VERSION}{}", newer(*.got))]
	UnknownVersion {
		/// The version that the file names.
		got: u32,
	},
	/// A field is not hexadecimal.
	#[error("not a key file: field `{field}` is not hexadecimal")]
	Hex {
		/// The field's name in the file.
		field: &'static str,
	},
	/// scrypt's cost is outside the accepted range, which keeps a file from claiming all memory.
	#[error("not a key file: its scrypt cost is 2^{got}, expected 2^1 to 2^{MAX_LOG_N}")]
	Cost {
		/// Binary logarithm of the cost.
		got: u8,
	},
	/// The passphrase is wrong or the file was changed. The two cases cannot be told apart.
	#[error("the passphrase does not open the key file")]
	DoesNotOpen,
	/// The decrypted contents do not have the layout of a key set.
	#[error("the decrypted contents are not a valid key set")]
	Contents,
	/// The account's secret is longer than the format allows.
	#[error("an account's secret must have at most {MAX_SECRET} bytes")]
	SecretTooLong,
	/// The system provides no randomness.
	#[error(transparent)]
	Random(#[from] RandomError),
	/// Reading or writing the file failed.
	#[error(transparent)]
	Io(#[from] io::Error),
}

/// Returns whether text that begins with a character of ASCII is in UTF-16: with a byte order mark, or without one.
pub fn is_utf16(text: &[u8]) -> bool {
	match text {
		[0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
		[first, second, ..] => (*first == 0) != (*second == 0),
		_ => false,
	}
}

/// The secrets that a key file holds.
#[derive(Clone)]
pub struct Secrets {
	/// The seed, from which the other secrets are derived.
	pub seed: Seed,
	/// The secret of an account that was imported, as wallets write it: a phrase, or `0x` and a seed in hexadecimal,
	/// with or without derivations. If there is none, the account is the one that is derived from the seed.
	pub imported: Option<Zeroizing<String>>,
}

impl fmt::Debug for Secrets {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Secrets(..)")
	}
}

impl Secrets {
	/// Draws a new seed.
	///
	/// # Errors
	///
	/// Returns [`RandomError`] if the system provides no randomness.
	pub fn generate() -> Result<Self, RandomError> {
		Ok(Self {
			seed: Seed::generate()?,
			imported: None,
		})
	}

	/// Draws a new seed for an account that already exists.
	///
	/// # Errors
	///
	/// Returns [`RandomError`] if the system provides no randomness.
	pub fn for_account(account: Zeroizing<String>) -> Result<Self, RandomError> {
		Ok(Self {
			seed: Seed::generate()?,
			imported: Some(account),
		})
	}

	/// Returns the account's secret as wallets write it.
	pub fn account(&self) -> Zeroizing<String> {
		match &self.imported {
			Some(secret) => secret.clone(),
			None => {
				let digits = Zeroizing::new(hex::encode(*self.seed.account()));
				Zeroizing::new(format!("0x{}", *digits))
			}
		}
	}

	/// Returns `seed ‖ imported account`.
	fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
		let account = self.imported.as_ref().map_or("", |secret| secret.as_str());
		if account.len() > MAX_SECRET {
			return Err(KeyFileError::SecretTooLong);
		}
		// The buffer never grows, so no copy of a secret is left behind.
		let mut bytes = Zeroizing::new(Vec::with_capacity(32 + account.len()));
		bytes.extend(self.seed.expose_secret());
		bytes.extend(account.as_bytes());
		Ok(bytes)
	}

	/// Reads secrets that [`Self::to_bytes`] wrote.
	fn from_bytes(bytes: &[u8]) -> Option<Self> {
		let (seed, account) = bytes.split_first_chunk::<32>()?;
		let account = std::str::from_utf8(account).ok()?;
		let imported = (!account.is_empty()).then(|| Zeroizing::new(account.to_owned()));
		let is_short = account.len() <= MAX_SECRET;
		is_short.then(|| Self {
			seed: Seed::from_bytes(*seed),
			imported,
		})
	}
}

/// A key file as it is written, in JSON with the secrets encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyFile {
	/// The version of the format.
	isthmus_key: u32,
	/// The account's address, readable without the passphrase.
	account: String,
	/// The seed's fingerprint in hexadecimal, readable without the passphrase.
	fingerprint: String,
	/// Binary logarithm of scrypt's cost.
	scrypt_log_n: u8,
	/// scrypt's salt in hexadecimal. It is new each time the file is written, and so is the key.
	salt: String,
	/// The encrypted secrets in hexadecimal.
	secrets: String,
}

/// Says what to do about a file of a newer release.
fn newer(got: u32) -> &'static str {
	match got > VERSION {
		true => ". A newer release of this program wrote it: use that release",
		false => "",
	}
}

impl KeyFile {
	/// Encrypts an account's secrets under a passphrase. `address` is the account's address.
	///
	/// # Errors
	///
	/// Returns [`KeyFileError::SecretTooLong`] if the account's secret is too long, and
	/// [`KeyFileError::Random`] if the system provides no randomness.
	pub fn seal(secrets: &Secrets, address: &str, passphrase: &str) -> Result<Self, KeyFileError> {
		Self::seal_with(secrets, address, passphrase, LOG_N, random_bytes()?)
	}

	/// Does the same as [`Self::seal`] with a given cost and salt. The salt must never be used
	/// twice.
	fn seal_with(
		secrets: &Secrets,
		address: &str,
		passphrase: &str,
		log_n: u8,
		salt: [u8; 32],
	) -> Result<Self, KeyFileError> {
		let mut file = Self {
			isthmus_key: VERSION,
			account: address.to_owned(),
			fingerprint: hex::encode(secrets.seed.fingerprint()),
			scrypt_log_n: log_n,
			salt: hex::encode(salt),
			secrets: String::new(),
		};
		let mut bytes = secrets.to_bytes()?;
		let tag = file
			.key(passphrase, &salt)?
			.seal_in_place_separate_tag(zero_nonce(), file.associated_data(), &mut bytes)
			.expect("key sets are short, and AES-GCM takes 64 GiB; qed");
		file.secrets = hex::encode([&bytes[..], tag.as_ref()].concat());
		Ok(file)
	}

	/// Returns the account's address. It is authentic once [`Self::open`] succeeds.
	pub fn account(&self) -> &str {
		&self.account
	}

	/// Returns the fingerprint of the seed in hexadecimal. It is authentic once [`Self::open`] succeeds.
	pub fn fingerprint(&self) -> &str {
		&self.fingerprint
	}

	/// Decrypts the secrets. Keyboards and systems write accented letters as one character or as several: the passphrase is
	/// tried as it is, and then in the other forms of Unicode (NFC and NFD).
	///
	/// # Errors
	///
	/// Returns [`KeyFileError::Cost`], [`KeyFileError::Hex`] or [`KeyFileError::Contents`] if the
	/// file is malformed, and [`KeyFileError::DoesNotOpen`] if the passphrase is wrong or the file
	/// was changed.
	pub fn open(&self, passphrase: &str) -> Result<Secrets, KeyFileError> {
		let mut opened = self.open_exactly(passphrase);
		for other in other_forms(passphrase) {
			if !matches!(opened, Err(KeyFileError::DoesNotOpen)) {
				break;
			}
			opened = self.open_exactly(&other);
		}
		opened
	}

	fn open_exactly(&self, passphrase: &str) -> Result<Secrets, KeyFileError> {
		let decode = |field, text: &str| hex::decode(text).map_err(|_| KeyFileError::Hex { field });
		let salt = decode("salt", &self.salt)?;
		let mut bytes = Zeroizing::new(decode("secrets", &self.secrets)?);
		let opened = self
			.key(passphrase, &salt)?
			.open_in_place(zero_nonce(), self.associated_data(), &mut bytes)
			.map_err(|_| KeyFileError::DoesNotOpen)?;
		Secrets::from_bytes(opened).ok_or(KeyFileError::Contents)
	}

	/// Derives the 32-byte encryption key, `scrypt(passphrase, salt)`. It encrypts only one
	/// plaintext, because the salt is new each time.
	fn key(&self, passphrase: &str, salt: &[u8]) -> Result<LessSafeKey, KeyFileError> {
		let cost = || KeyFileError::Cost {
			got: self.scrypt_log_n,
		};
		if !(1..=MAX_LOG_N).contains(&self.scrypt_log_n) {
			return Err(cost());
		}
		let params = scrypt::Params::new(self.scrypt_log_n, R, P, 32).map_err(|_| cost())?;
		let mut key = Zeroizing::new([0; 32]);
		scrypt::scrypt(passphrase.as_bytes(), salt, &params, &mut key[..])
			.expect("scrypt can output 32 bytes; qed");
		let key = UnboundKey::new(&AES_256_GCM, &key[..])
			.expect("an AES-256 key has 32 bytes, as this one does; qed");
		Ok(LessSafeKey::new(key))
	}

	/// Returns `"isthmus/key/v2/" ‖ account ‖ "/" ‖ fingerprint`.
	fn associated_data(&self) -> Aad<Vec<u8>> {
		let (version, account, print) = (self.isthmus_key, &self.account, &self.fingerprint);
		Aad::from(format!("isthmus/key/v{version}/{account}/{print}").into_bytes())
	}

	/// Reads a key file from the disk, or from a pipe, which is waited for up to a minute.
	///
	/// # Errors
	///
	/// Returns [`KeyFileError::Io`] if the file cannot be read, and [`KeyFileError::Json`],
	/// [`KeyFileError::TooLong`], [`KeyFileError::Utf16`] or [`KeyFileError::UnknownVersion`] if it is not a key file of this
	/// version.
	pub fn read(path: &Path) -> Result<Self, KeyFileError> {
		Self::read_from(Input::open(path, at_most_a_minute)?)
	}

	/// Reads a key file from a stream, to its end.
	///
	/// # Errors
	///
	/// Returns the errors of [`KeyFile::read`].
	pub fn read_from(source: impl io::Read) -> Result<Self, KeyFileError> {
		let mut bytes = Vec::new();
		source.take(MAX_LENGTH + 1).read_to_end(&mut bytes)?;
		match bytes.len() as u64 > MAX_LENGTH {
			true => Err(KeyFileError::TooLong),
			false => Self::from_json(&bytes),
		}
	}

	fn from_json(bytes: &[u8]) -> Result<Self, KeyFileError> {
		if is_utf16(bytes) {
			return Err(KeyFileError::Utf16);
		}
		// Editors of Windows put a byte order mark before the text.
		let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
		let got = match serde_json::from_slice::<Self>(text) {
			Ok(file) if file.isthmus_key == VERSION => return Ok(file),
			Ok(file) => file.isthmus_key,
			// Files of a newer release may have other fields.
			Err(error) => match version_in(text).filter(|got| *got > VERSION) {
				Some(got) => got,
				None => {
					return Err(match what_else(text) {
						Some(what) => KeyFileError::Other(what),
						None => KeyFileError::Json(in_words(text, &error)),
					})
				}
			},
		};
		Err(KeyFileError::UnknownVersion { got })
	}

	/// Writes a new key file, which only its owner may read.
	///
	/// # Errors
	///
	/// Returns [`KeyFileError::Io`] if the file cannot be written. If a file with this name exists,
	/// it is left unchanged, and the error is of kind [`io::ErrorKind::AlreadyExists`].
	pub fn create(&self, path: &Path) -> Result<(), KeyFileError> {
		let contents = format!("{self}\n");
		let persist = |file: tempfile::NamedTempFile| -> io::Result<()> {
			on_disk::persist_new(file.into_temp_path(), path)?;
			Ok(())
		};
		Ok(on_disk::write(path, None, contents.as_bytes(), persist)?)
	}

	/// Replaces the key file at this path, and keeps its owner and permissions. If the path is a link, the file
	/// that it leads to is replaced, and the link stays. After a crash, either the old or the new file exists,
	/// complete. Other names of the same file (hard links) keep the old file.
	///
	/// # Errors
	///
	/// Returns [`KeyFileError::Io`] if the file cannot be written.
	pub fn replace(&self, path: &Path) -> Result<(), KeyFileError> {
		let path = &on_disk::target(path)?;
		let old = fs::metadata(path)?;
		let contents = format!("{self}\n");
		let persist = |file: tempfile::NamedTempFile| -> io::Result<()> {
			file.persist(path)?;
			Ok(())
		};
		Ok(on_disk::write(
			path,
			Some(&old),
			contents.as_bytes(),
			persist,
		)?)
	}
}

impl FromStr for KeyFile {
	type Err = KeyFileError;

	fn from_str(text: &str) -> Result<Self, KeyFileError> {
		Self::from_json(text.as_bytes())
	}
}

impl fmt::Display for KeyFile {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let text = serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?;
		f.write_str(&text)
	}
}

/// Returns what a file is that people take for a key file. Of other JSON, its error says what is missing.
fn what_else(text: &[u8]) -> Option<Material> {
	use Material::{Data, KeyFile, NewerKeyFile};
	Material::of(text).filter(|found| !matches!(found, Data | KeyFile | NewerKeyFile))
}

/// The name of the first field of a key file.
const NAME: &[u8] = b"isthmusKey";

/// Says what is not a key file, and what to do with it.
fn explained(found: Material) -> String {
	match found.advice() {
		Some(advice) => format!("{found}: {advice}"),
		None => found.to_string(),
	}
}

/// Says what is wrong with JSON. What is in it is not repeated, as the library's own words would: it may be a secret.
fn in_words(text: &[u8], error: &serde_json::Error) -> String {
	use serde_json::error::Category;
	let place = format!("line {} column {}", error.line(), error.column());
	let fault = match error.classify() {
		Category::Eof => "it is cut short".into(),
		Category::Syntax => format!("it is not JSON from {place} on"),
		Category::Data | Category::Io => {
			let words = error.to_string();
			let is_of_names = ["missing field `", "duplicate field `"];
			let is_of_names = is_of_names.iter().any(|start| words.starts_with(start));
			return match is_of_names {
				true => words,
				false => format!("a key file has something else at {place}"),
			};
		}
	};
	match text.windows(NAME.len()).any(|part| part == NAME) {
		true => format!("{fault}: bring a copy back, or make it again from the words"),
		false => fault,
	}
}

/// The key encrypts a single plaintext, so the nonce may be constant.
fn zero_nonce() -> Nonce {
	Nonce::assume_unique_for_key([0; 12])
}

/// A lock that keeps other programs from changing the key files in a folder until it is dropped.
#[derive(Debug)]
pub struct FolderLock(Option<LockFile>);

impl FolderLock {
	/// Returns whether the folder is locked: the file system may have no locks.
	pub fn is_held(&self) -> bool {
		self.0.is_some()
	}
}

/// Waits until no other program is changing a key file in the same folder, and locks the folder. If the path is
/// a link, this is the folder of the file that it leads to. If two programs changed the same file at the same
/// time, one of the two passphrases would not open it. On a file system without locks, and on systems other than Unix, nothing is
/// locked.
///
/// # Errors
///
/// Returns an error if the folder cannot be opened, or if the path leads to something that is not a regular
/// file.
pub fn lock(path: &Path) -> io::Result<FolderLock> {
	let folder = on_disk::open_folder(&on_disk::target(path)?)?.map(LockFile::from);
	Ok(FolderLock(folder.filter(|folder| folder.lock().is_ok())))
}

/// Locks the folder like [`lock`], but does not wait: returns `None` if another program is changing a key file in
/// it.
///
/// # Errors
///
/// Returns the errors of [`lock`].
pub fn try_lock(path: &Path) -> io::Result<Option<FolderLock>> {
	let Some(folder) = on_disk::open_folder(&on_disk::target(path)?)? else {
		return Ok(Some(FolderLock(None)));
	};
	let folder = LockFile::from(folder);
	Ok(match folder.try_lock() {
		Ok(()) => Some(FolderLock(Some(folder))),
		Err(fs::TryLockError::WouldBlock) => None,
		Err(fs::TryLockError::Error(_)) => Some(FolderLock(None)),
	})
}

/// Returns the forms of Unicode of a text that differ from it.
fn other_forms(text: &str) -> Vec<Zeroizing<String>> {
	let forms = [text.nfc().collect(), text.nfd().collect()].map(Zeroizing::new);
	let others = forms.into_iter().filter(|form| **form != text);
	others.collect()
}

#[cfg(test)]
mod tests;
