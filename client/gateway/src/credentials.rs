// SPDX-License-Identifier: Apache-2.0
//! The secrets that programs show to the gateway: an access key with its secret for S3, and a token for HTTP. They have
//! nothing to do with keys on the chain.

use crate::sharing::names::ROOT;
use isthmus_sdk::{
	envelope::{input, on_disk, random_bytes},
	file, Error as SdkError,
};
use std::{
	fmt, fs,
	io::{self, Read},
	path::Path,
};
use zeroize::Zeroizing;

/// The section of the file, as the AWS command line calls it: a profile.
const PROFILE: &str = "isthmus";
const KEY: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";
const TOKEN: &str = "isthmus_token";
/// The field that profiles of Delta Sharing begin with.
const PROFILE_VERSION: &str = "shareCredentialsVersion";
/// The longest file that is read, in bytes.
const LONGEST: usize = 1 << 16;
/// The shortest secret, in characters: one that no one guesses.
const SHORTEST: usize = 20;

/// An access key with its secret, and a token.
#[derive(Clone)]
pub struct Credentials {
	key: String,
	secret: Zeroizing<String>,
	token: Zeroizing<String>,
}

impl fmt::Debug for Credentials {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Credentials({})", self.key)
	}
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
	/// The file cannot be read or written.
	#[error(transparent)]
	Io(#[from] io::Error),
	/// The system provides no randomness.
	#[error(transparent)]
	Random(#[from] SdkError),
	/// The file lacks a line.
	#[error("the file has no line `{0} = …`: remove the file, and a new one is made")]
	Lacks(&'static str),
	/// A secret is too short, or contains characters that no program sends.
	#[error("the {0} has to be of at least {SHORTEST} letters, digits, and + / = - _")]
	Weak(&'static str),
	/// The access key contains characters that no program sends.
	#[error("the access key has to be of 3 to 64 letters and digits")]
	Key,
	/// A file would be lost.
	#[error("the file has something else than a profile of Delta Sharing in version 1, and is not replaced: name another one")]
	Other,
	/// Others can read the file.
	#[error("others can read the file: chmod 600 it, or remove it and a new one is made")]
	Open,
}

impl Credentials {
	/// Takes given credentials.
	///
	/// # Errors
	///
	/// Returns [`CredentialsError::Weak`] and [`CredentialsError::Key`].
	pub fn new(key: String, secret: String, token: String) -> Result<Self, CredentialsError> {
		let (secret, token) = (Zeroizing::new(secret), Zeroizing::new(token));
		if !(3..=64).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
			return Err(CredentialsError::Key);
		}
		let is_good = |text: &str| {
			let is_sent = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
			text.len() >= SHORTEST && text.bytes().all(is_sent)
		};
		for (text, called) in [(&secret, "secret access key"), (&token, "token")] {
			if !is_good(text) {
				return Err(CredentialsError::Weak(called));
			}
		}
		Ok(Self { key, secret, token })
	}

	/// Makes new ones.
	///
	/// # Errors
	///
	/// Returns [`CredentialsError::Random`] if the system provides no randomness.
	pub fn generate() -> Result<Self, CredentialsError> {
		let random = || -> Result<String, CredentialsError> {
			Ok(hex::encode(random_bytes().map_err(SdkError::from)?))
		};
		let mut key = random()?.to_ascii_uppercase();
		key.truncate(16);
		Self::new(format!("ISTH{key}"), random()?, random()?)
	}

	/// Reads those of a file, or makes new ones and writes them to it. Only its owner can read it.
	///
	/// # Errors
	///
	/// Returns a [`CredentialsError`] if the file cannot be read or written, has other contents, or is open to others.
	pub fn in_file(path: &Path) -> Result<Self, CredentialsError> {
		match input::open(path) {
			Ok(file) => Self::read(file),
			Err(error) if error.kind() == io::ErrorKind::NotFound => {
				on_disk::check_absent(path)?;
				let made = Self::generate()?;
				if let Some(folder) = path.parent() {
					fs::create_dir_all(folder)?;
				}
				match file::create(path, made.text().as_bytes()) {
					// Another gateway starts, and has just made them.
					Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
						Self::read(input::open(path)?)
					}
					done => Ok(done.map(|()| made)?),
				}
			}
			Err(error) => Err(error.into()),
		}
	}

	fn read(file: fs::File) -> Result<Self, CredentialsError> {
		let there = file.metadata()?;
		#[cfg(unix)]
		if std::os::unix::fs::MetadataExt::mode(&there) & 0o077 != 0 {
			return Err(CredentialsError::Open);
		}
		if !there.is_file() || there.len() > LONGEST as u64 {
			return Err(io::Error::from(io::ErrorKind::InvalidData).into());
		}
		let text = Zeroizing::new(io::read_to_string(file)?);
		let value = |name: &'static str| {
			let mut lines = text.lines().filter_map(|line| line.split_once('='));
			let found = lines.find(|(key, _)| key.trim() == name);
			let value = found.map(|(_, value)| value.trim().to_owned());
			value.ok_or(CredentialsError::Lacks(name))
		};
		Self::new(value(KEY)?, value(SECRET)?, value(TOKEN)?)
	}

	/// Returns the file's text, which the programs of AWS read, too.
	fn text(&self) -> Zeroizing<String> {
		let Self { key, secret, token } = self;
		Zeroizing::new(format!(
			"[{PROFILE}]\n{KEY} = {key}\n{SECRET} = {}\n{TOKEN} = {}\n",
			**secret, **token
		))
	}

	/// Returns the access key, which is public.
	pub fn key(&self) -> &str {
		&self.key
	}

	/// Returns the secret of an access key; `None` for another key.
	pub(crate) fn secret_of(&self, key: &str) -> Option<&str> {
		(key == self.key).then_some(&**self.secret)
	}

	/// Writes the profile that programs of Delta Sharing read: where the gateway is, and the token. Only the file's owner can
	/// read it.
	///
	/// # Errors
	///
	/// Returns [`CredentialsError::Other`] if the file has something else than a profile, and the error of the file.
	pub fn write_profile(&self, url: &str, path: &Path) -> Result<(), CredentialsError> {
		// A profile of a newer version may have more than this one would.
		let is_profile = |there: &[u8]| {
			let profile = serde_json::from_slice::<serde_json::Value>(there);
			let version = profile
				.ok()
				.and_then(|profile| profile.get(PROFILE_VERSION)?.as_u64());
			version.is_some_and(|version| version <= 1)
		};
		let mut there = Vec::new();
		match input::open(path).and_then(|mut file| file.read_to_end(&mut there)) {
			Ok(_) if there.is_empty() || is_profile(&there) => {}
			Ok(_) => return Err(CredentialsError::Other),
			Err(error) if error.kind() == io::ErrorKind::NotFound => {}
			Err(error) => return Err(error.into()),
		}
		let endpoint = format!("{url}{ROOT}");
		// Neither an address nor a token has a character that JSON escapes.
		let profile = Zeroizing::new(format!(
			"{{\n\t\"{PROFILE_VERSION}\": 1,\n\t\"endpoint\": \"{endpoint}\",\n\t\"bearerToken\": \"{}\"\n}}\n",
			*self.token
		));
		Ok(file::replace(path, profile.as_bytes())?)
	}

	/// Returns a key for signatures of the gateway's own. Those with another purpose are others.
	pub(crate) fn key_for(&self, purpose: &str) -> ring::hmac::Key {
		use ring::hmac;
		let secret = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
		let key = hmac::sign(&secret, purpose.as_bytes());
		hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())
	}

	/// Returns whether a token is the right one. How long that takes does not tell in what it differs.
	pub(crate) fn is_token(&self, token: &str) -> bool {
		use ring::hmac;
		// Of fixed length, whatever is compared.
		let key = hmac::Key::new(hmac::HMAC_SHA256, self.token.as_bytes());
		let tag = hmac::sign(&key, self.token.as_bytes());
		hmac::verify(&key, token.as_bytes(), tag.as_ref()).is_ok()
	}
}

#[cfg(all(test, unix))]
mod tests {
	use super::*;
	use std::os::unix::fs::PermissionsExt;

	#[test]
	fn credentials_are_made_once_and_kept_from_others() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("new").join("gateway");
		let made = Credentials::in_file(&path).unwrap();
		let again = Credentials::in_file(&path).unwrap();
		assert_eq!(made.text(), again.text());
		assert_ne!(made.text(), Credentials::generate().unwrap().text());
		let mode = fs::metadata(&path).unwrap().permissions().mode();
		assert_eq!(mode & 0o777, 0o600);
		assert!(made.is_token(&made.token));
		assert!(!made.is_token(&made.secret) && !made.is_token(""));
		assert_eq!(made.secret_of(made.key()), Some(&**made.secret));
		assert_eq!(made.secret_of("other"), None);
		assert!(!format!("{made:?}").contains(&**made.secret));
		fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
		assert!(matches!(
			Credentials::in_file(&path),
			Err(CredentialsError::Open)
		));
	}

	#[test]
	fn gateways_that_start_together_have_the_same_credentials() {
		let folder = tempfile::tempdir().unwrap();
		let path = &folder.path().join("new").join("gateway");
		let start = &std::sync::Barrier::new(8);
		let made: Vec<_> = std::thread::scope(|scope| {
			let gateways: Vec<_> = (0..8)
				.map(|_| {
					scope.spawn(|| {
						start.wait();
						Credentials::in_file(path).unwrap().key
					})
				})
				.collect();
			let ended = gateways.into_iter().map(|gateway| gateway.join().unwrap());
			ended.collect()
		});
		let kept = Credentials::in_file(path).unwrap().key;
		assert!(made.iter().all(|key| *key == kept), "{made:?}");
	}

	#[test]
	fn a_link_that_leads_to_nothing_is_not_replaced() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("gateway");
		std::os::unix::fs::symlink(folder.path().join("gone"), &path).unwrap();
		let refused = Credentials::in_file(&path).unwrap_err();
		assert!(refused.to_string().contains("Mount its disk"), "{refused}");
		assert!(Credentials::generate()
			.unwrap()
			.write_profile("http://127.0.0.1:9800", &path)
			.is_err());
		assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
	}

	#[test]
	fn a_profile_replaces_nothing_else() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("isthmus.share");
		let credentials = Credentials::generate().unwrap();
		for url in ["http://127.0.0.1:9800", "http://127.0.0.1:9801"] {
			credentials.write_profile(url, &path).unwrap();
			let text = fs::read(&path).unwrap();
			let profile: serde_json::Value = serde_json::from_slice(&text).unwrap();
			let expected = serde_json::json!({
				"shareCredentialsVersion": 1,
				"endpoint": format!("{url}/delta-sharing"),
				"bearerToken": *credentials.token,
			});
			assert_eq!(profile, expected);
			let mode = fs::metadata(&path).unwrap().permissions().mode();
			assert_eq!(mode & 0o777, 0o600);
		}
		let newer = "{\"shareCredentialsVersion\": 2}";
		for other in ["secret", "{}", "[1]", newer] {
			fs::write(&path, other).unwrap();
			let refused = credentials.write_profile("http://127.0.0.1:9", &path);
			assert!(matches!(refused, Err(CredentialsError::Other)));
			assert_eq!(fs::read_to_string(&path).unwrap(), other);
		}
		let folder = credentials.write_profile("http://127.0.0.1:9", folder.path());
		assert!(matches!(folder, Err(CredentialsError::Io(_))));
	}

	#[test]
	fn a_file_that_is_none_is_refused() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("gateway");
		let refused = |text: &str| {
			file::replace(&path, text.as_bytes()).unwrap();
			Credentials::in_file(&path).unwrap_err().to_string()
		};
		assert!(refused("").contains(KEY));
		let long = "x".repeat(SHORTEST);
		assert!(refused(&format!("{KEY}=abc\n{SECRET}={long}\n")).contains(TOKEN));
		assert!(refused(&format!("{KEY}=abc\n{SECRET}=x\n{TOKEN}={long}")).contains("secret"));
		assert!(
			refused(&format!("{KEY}=a b\n{SECRET}={long}\n{TOKEN}={long}")).contains("access key")
		);
		let folder = Credentials::in_file(folder.path()).unwrap_err();
		assert!(matches!(
			folder,
			CredentialsError::Io(_) | CredentialsError::Open
		));
	}
}
