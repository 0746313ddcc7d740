// SPDX-License-Identifier: Apache-2.0
//! Opens, creates and changes key files, asking for their passphrases. The format is that of
//! [`isthmus_sdk::envelope::key_file`].

use crate::{
	error::{Error, Kind},
	input, output, passphrase, secret,
	stderr::tell,
	tip::{filled, quoted_path, Tip},
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	envelope::{
		key_file::{self, FolderLock, KeyFile, KeyFileError, Secrets},
		on_disk,
	},
	lock_holder, Account, Identity,
};
use serde::Serialize;
use std::{fmt, fs, io::ErrorKind, path::Path};

/// What a key file shows without its passphrase.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
	account: String,
	fingerprint: String,
}

impl From<KeyFile> for Shown {
	fn from(file: KeyFile) -> Self {
		Self {
			account: file.account().to_owned(),
			fingerprint: file.fingerprint().to_owned(),
		}
	}
}

impl fmt::Display for Shown {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		writeln!(f, "account      {}", self.account)?;
		write!(f, "fingerprint  {}", self.fingerprint)
	}
}

/// Reads a key file without opening it. Warns if others can read it.
pub(crate) fn read(path: &Path) -> Result<KeyFile, Error> {
	let read = input::open(path)
		.map_err(KeyFileError::from)
		.and_then(KeyFile::read_from);
	let file = read.map_err(|error| failed(path, error))?;
	if is_open_to_others(path) {
		let close = Tip::new("chmod 600").path(path);
		let path = path.shown();
		tell(format_args!(
			"warning: others can read {path}, and guess at its passphrase: {close}"
		));
	}
	Ok(file)
}

/// Returns an error if nothing is where a key file should be.
pub(crate) fn check_there(path: &Path) -> Result<(), Error> {
	let is_missing = !output::is_stdin(path) && matches!(path.try_exists(), Ok(false));
	match is_missing {
		// This says what is wrong.
		true => read(path).map(drop),
		false => Ok(()),
	}
}

/// Opens a key file and returns the identity in it.
pub(crate) fn open(path: &Path) -> Result<Identity, Error> {
	let (secrets, _) = unlock(path)?;
	let mut identity = Identity::of_key_file(path, &secrets)?;
	if output::is_stdin(path) {
		// Erasable keys are beside a file.
		identity.erasable = None;
	}
	Ok(identity)
}

/// Writes a new key file. An existing file is not replaced.
pub(crate) fn create(path: &Path, secrets: &Secrets, passphrase: &str) -> Result<KeyFile, Error> {
	let file = seal(path, secrets, passphrase)?;
	file.create(path).map_err(|error| failed(path, error))?;
	Ok(file)
}

/// What to do about a key file that is replaced by a new one beside it, where there can be none.
const ELSEWHERE: &str = "copy the key file to a folder of your own, and change the passphrase there; or run this as the user who may write to that folder";

/// Asks for a new passphrase and rewrites the key file under it. Other programs cannot change the file meanwhile.
pub(crate) fn change_passphrase(path: &Path) -> Result<KeyFile, Error> {
	let _lock = lock(path)?;
	// Before the passphrase prompt.
	output::check_can_replace(path, ELSEWHERE)?;
	output::check_folder(&on_disk::target(path).map_err(|error| Error::file(path, &error))?)?;
	let other_names = other_names(path);
	let (secrets, _) = unlock(path)?;
	let file = seal(path, &secrets, &passphrase::another()?)?;
	file.replace(path).map_err(|error| failed(path, error))?;
	if other_names {
		let path = path.shown();
		tell(format_args!("warning: {path} had another name (a hard link), which keeps the old passphrase: link it again"));
	}
	Ok(file)
}

/// Waits until no other program is changing a key file in the same folder. Says so if that takes time.
fn lock(path: &Path) -> Result<FolderLock, Error> {
	let failed = |error: std::io::Error| failed(path, error.into());
	if let Some(lock) = key_file::try_lock(path).map_err(failed)? {
		if !lock.is_held() {
			tell(format_args!(
				"warning: the folder of {} cannot be locked: let no other program change the file now",
				path.shown()
			));
		}
		return Ok(lock);
	}
	let target = on_disk::target(path).map_err(failed)?;
	let held_by = match lock_holder(on_disk::folder(&target)) {
		Some(holder) => format!(" ({holder})"),
		None => String::new(),
	};
	tell(format_args!(
		"waiting for another program that changes a key file in the folder of {}{held_by}",
		path.shown()
	));
	key_file::lock(path).map_err(failed)
}

/// Returns an error if a new file cannot be written, so that this is reported before the passphrase prompt.
pub(crate) fn check_new(path: &Path) -> Result<(), Error> {
	match fs::symlink_metadata(path) {
		Ok(_) => Err(exists(path)),
		Err(_) => output::check_folder(path),
	}
}

/// Opens a key file with its passphrase, and returns both the secrets and the passphrase.
pub(crate) fn unlock(path: &Path) -> Result<(Secrets, zeroize::Zeroizing<String>), Error> {
	let file = read(path)?;
	let passphrase = passphrase::of(path)?;
	let secrets = file.open(&passphrase).map_err(|error| {
		let doubt = match error {
			KeyFileError::DoesNotOpen => passphrase::doubt(),
			_ => None,
		};
		let failed = failed(path, error);
		match doubt {
			Some(doubt) => failed.also(doubt),
			None => failed,
		}
	})?;
	Ok((secrets, passphrase))
}

/// Returns whether a key file can be read by other users of this machine.
#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
	use std::os::unix::fs::PermissionsExt;
	let file = fs::metadata(path).ok().filter(fs::Metadata::is_file);
	file.is_some_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
	false
}

/// Returns whether a key file has more than one name. Only the given one leads to the file that replaces it.
#[cfg(unix)]
fn other_names(path: &Path) -> bool {
	use std::os::unix::fs::MetadataExt;
	fs::metadata(path).is_ok_and(|file| file.nlink() > 1)
}

#[cfg(not(unix))]
fn other_names(_: &Path) -> bool {
	false
}

fn seal(path: &Path, secrets: &Secrets, passphrase: &str) -> Result<KeyFile, Error> {
	let address = Account::from_uri(&secrets.account())?.id().to_string();
	KeyFile::seal(secrets, &address, passphrase).map_err(|error| failed(path, error))
}

fn exists(path: &Path) -> Error {
	let error = Error::failed(format!("{} already exists", path.shown()));
	match secret::is_key_file(path) {
		true => error.hint(
			"it is a key file, which is never replaced. It is used as it is: --key FILE, and `isthmus key passphrase FILE` changes its passphrase. To make another one, choose another name",
		),
		false => error.hint(
			"the argument names the key file to make, and nothing that exists is replaced: choose another name",
		),
	}
}

fn failed(path: &Path, error: KeyFileError) -> Error {
	let kind = match &error {
		KeyFileError::Io(error) if error.kind() == ErrorKind::AlreadyExists => return exists(path),
		KeyFileError::Io(error) => return Error::file(path, error),
		KeyFileError::DoesNotOpen => {
			return Error::new(
				Kind::NotAuthentic,
				format!("the passphrase does not open {}", path.shown()),
			)
			.hint("check the passphrase; if it is right, the file was changed")
		}
		KeyFileError::Random(_) | KeyFileError::SecretTooLong => Kind::Failed,
		_ => Kind::NotAuthentic,
	};
	let mut what = error.to_string();
	// The advice on what else the file may be has a placeholder for it.
	if matches!(error, KeyFileError::Other(_)) && !output::is_stdin(path) {
		what = filled(&what, &[("FILE", quoted_path(path))]);
	}
	Error::new(kind, format!("{}: {what}", path.shown()))
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::envelope::material::Material;

	#[test]
	fn errors_have_their_kinds() {
		let path = Path::new("school.key");
		let kind = |error| failed(path, error).kind();
		assert_eq!(kind(KeyFileError::DoesNotOpen), Kind::NotAuthentic);
		assert_eq!(kind(KeyFileError::Contents), Kind::NotAuthentic);
		assert_eq!(kind(KeyFileError::Cost { got: 21 }), Kind::NotAuthentic);
		let denied = std::io::Error::from(ErrorKind::PermissionDenied);
		assert_eq!(kind(denied.into()), Kind::Failed);
	}

	#[test]
	fn a_file_of_a_secret_leads_to_the_command_that_takes_it() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("my secret.hex");
		fs::write(&path, "0f".repeat(32)).unwrap();
		let refused = read(&path).unwrap_err();
		let command = Tip::new("isthmus key import NEW.key <").path(&path);
		let expected = format!("`{command}` makes a key file");
		assert!(refused.message().contains(&expected), "{refused:?}");
		let stdin = failed(Path::new("-"), KeyFileError::Other(Material::Seed));
		assert!(stdin.message().contains("< FILE` makes"), "{stdin:?}");
	}

	#[test]
	fn a_key_file_is_not_replaced() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("key");
		let secrets = Secrets::generate().unwrap();
		let file = create(&path, &secrets, "three plain words").unwrap();
		let refused = create(&path, &secrets, "three plain words").unwrap_err();
		assert_eq!(refused.kind(), Kind::Failed);
		assert_eq!(read(&path).unwrap(), file);
		let address = Account::from_uri(&secrets.account())
			.unwrap()
			.id()
			.to_string();
		assert_eq!(file.account(), address);
	}
}
