// SPDX-License-Identifier: Apache-2.0
//! Opens, creates and changes key files, asking for their passphrases. The format is that of
//! [`isthmus_sdk::envelope::key_file`].

use crate::{
	error::{Error, Kind},
	passphrase,
};
use isthmus_sdk::{
	envelope::key_file::{self, FolderLock, KeyFile, KeyFileError, Secrets},
	Account, Identity,
};
use std::{io::ErrorKind, path::Path};

/// Reads a key file without opening it.
pub(crate) fn read(path: &Path) -> Result<KeyFile, Error> {
	KeyFile::read(path).map_err(|error| failed(path, error))
}

/// Opens a key file and returns the identity in it.
pub(crate) fn open(path: &Path) -> Result<Identity, Error> {
	let (secrets, _) = unlock(path)?;
	identity(secrets)
}

/// Writes a new key file. An existing file is not replaced.
pub(crate) fn create(path: &Path, secrets: &Secrets, passphrase: &str) -> Result<KeyFile, Error> {
	let file = seal(path, secrets, passphrase)?;
	file.create(path).map_err(|error| failed(path, error))?;
	Ok(file)
}

/// Adds a new encryption key pair for an account and rewrites its key file under the same passphrase. Other
/// programs cannot change the file until the lock is dropped.
pub(crate) fn rotate(path: &Path) -> Result<(Identity, FolderLock), Error> {
	let lock = key_file::lock(path).map_err(|error| failed(path, error.into()))?;
	let (mut secrets, passphrase) = unlock(path)?;
	secrets.rotate().map_err(Error::failed)?;
	seal(path, &secrets, &passphrase)?
		.replace(path)
		.map_err(|error| failed(path, error))?;
	Ok((identity(secrets)?, lock))
}

/// Returns an error if the file exists, so that this is reported before the passphrase prompt.
pub(crate) fn check_new(path: &Path) -> Result<(), Error> {
	match path.exists() {
		true => Err(exists(path)),
		false => Ok(()),
	}
}

/// Opens a key file with its passphrase, and returns both the secrets and the passphrase.
fn unlock(path: &Path) -> Result<(Secrets, zeroize::Zeroizing<String>), Error> {
	let file = read(path)?;
	let passphrase = passphrase::of(path)?;
	let secrets = file
		.open(&passphrase)
		.map_err(|error| failed(path, error))?;
	Ok((secrets, passphrase))
}

fn seal(path: &Path, secrets: &Secrets, passphrase: &str) -> Result<KeyFile, Error> {
	let address = Account::from_uri(&secrets.account)?.id().to_string();
	KeyFile::seal(secrets, &address, passphrase).map_err(|error| failed(path, error))
}

fn identity(secrets: Secrets) -> Result<Identity, Error> {
	Ok(Identity {
		account: Account::from_uri(&secrets.account)?,
		master: secrets.master,
		encryption: secrets.encryption,
	})
}

fn exists(path: &Path) -> Error {
	Error::failed(format!("{} already exists", path.display()))
		.hint("a key file is never replaced: choose another name")
}

fn failed(path: &Path, error: KeyFileError) -> Error {
	let kind = match &error {
		KeyFileError::Io(io) if io.kind() == ErrorKind::AlreadyExists => return exists(path),
		KeyFileError::DoesNotOpen => {
			return Error::new(
				Kind::NotAuthentic,
				format!("the passphrase does not open {}", path.display()),
			)
			.hint("check the passphrase; if it is right, the file was changed")
		}
		KeyFileError::Io(_) | KeyFileError::Random(_) | KeyFileError::SecretTooLong => Kind::Failed,
		_ => Kind::NotAuthentic,
	};
	Error::new(kind, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
	use super::*;

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
	fn a_key_file_is_not_replaced() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("key");
		let secrets = Secrets::generate().unwrap();
		let file = create(&path, &secrets, "three plain words").unwrap();
		let refused = create(&path, &secrets, "three plain words").unwrap_err();
		assert_eq!(refused.kind(), Kind::Failed);
		assert_eq!(read(&path).unwrap(), file);
		let address = Account::from_uri(&secrets.account)
			.unwrap()
			.id()
			.to_string();
		assert_eq!(file.account(), address);
	}
}
