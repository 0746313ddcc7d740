//! Key files: an account's secrets, locked with a passphrase. The layout is in `docs/formats.md`.
//!
//! The passphrase is stretched by scrypt and locks the secrets with AES-256-GCM. Development accounts
//! have no file.

use crate::error::{Error, Kind};
use isthmus_sdk::{
	envelope::{random_bytes, EncryptionKeyPair, MasterSecret},
	Account, Identity,
};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM};
use serde::{Deserialize, Serialize};
use std::{
	fs::File,
	io::{IsTerminal, Write},
	path::Path,
};
use zeroize::Zeroizing;

/// This format.
const VERSION: u32 = 1;
/// scrypt's cost for new files: 2^17 rounds over 128 MiB, about half a second.
const LOG_N: u8 = 17;
/// The greatest cost that is tried: 1 GiB.
const MAX_LOG_N: u8 = 20;
/// scrypt's block size and parallelization (RFC 7914).
const R: u32 = 8;
const P: u32 = 1;
/// The least that a passphrase must have.
const MIN_PASSPHRASE: usize = 8;

/// A key file as it is written: JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Locked {
	/// The format.
	isthmus_key: u32,
	/// The account's address, for who looks.
	account: String,
	/// The public encryption key, in hex, for who looks.
	encryption_key: String,
	/// scrypt's cost: 2 to this power.
	scrypt_log_n: u8,
	/// scrypt's salt, in hex. New for each writing, so that the lock's key is too.
	salt: String,
	/// The secrets, encrypted, in hex.
	secrets: String,
}

/// What a key file keeps.
pub(crate) struct Secrets {
	/// The account's secret: a phrase or a seed in hex, perhaps with derivations.
	pub(crate) account: Zeroizing<String>,
	pub(crate) master: MasterSecret,
	/// The current pair first.
	pub(crate) encryption: Vec<EncryptionKeyPair>,
}

/// What can be seen of a key file without its passphrase.
pub(crate) struct Label {
	pub(crate) account: String,
	pub(crate) encryption_key: String,
}

impl Secrets {
	/// New ones. `account` is a secret that there is already; none for a new one.
	pub(crate) fn generate(account: Option<Zeroizing<String>>) -> Result<Self, Error> {
		let account = match account {
			Some(account) => account,
			None => {
				let seed = Zeroizing::new(random_bytes().map_err(Error::failed)?);
				Zeroizing::new(format!("0x{}", hex::encode(*seed)))
			}
		};
		Ok(Self {
			account,
			master: MasterSecret::generate().map_err(Error::failed)?,
			encryption: vec![EncryptionKeyPair::generate().map_err(Error::failed)?],
		})
	}

	/// What acts with them.
	pub(crate) fn identity(&self) -> Result<Identity, isthmus_sdk::Error> {
		Ok(Identity {
			account: Account::from_uri(&self.account)?,
			master: self.master.clone(),
			encryption: self.encryption.clone(),
		})
	}

	fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
		let length = 2 + self.account.len() + 32 + 32 * self.encryption.len();
		// Never grown, so that no copy is left behind.
		let mut bytes = Zeroizing::new(Vec::with_capacity(length));
		bytes.extend((self.account.len() as u16).to_be_bytes());
		bytes.extend(self.account.as_bytes());
		bytes.extend(self.master.expose_secret());
		for pair in &self.encryption {
			bytes.extend(pair.expose_seed());
		}
		bytes
	}

	fn from_bytes(bytes: &[u8]) -> Option<Self> {
		let (length, rest) = bytes.split_first_chunk::<2>()?;
		let (account, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
		let (master, rest) = rest.split_first_chunk::<32>()?;
		let (pairs, []) = rest.as_chunks::<32>() else {
			return None;
		};
		if pairs.is_empty() {
			return None;
		}
		Some(Self {
			account: Zeroizing::new(std::str::from_utf8(account).ok()?.to_owned()),
			master: MasterSecret::from_bytes(*master),
			encryption: pairs
				.iter()
				.map(|seed| EncryptionKeyPair::from_seed(*seed))
				.collect(),
		})
	}
}

/// The key of the lock. Under one key only one text is ever encrypted: its salt is new each time.
fn lock(
	passphrase: &str,
	salt: &[u8],
	log_n: u8,
	label: &str,
) -> Result<(LessSafeKey, Aad<Vec<u8>>), Error> {
	let params = scrypt::Params::new(log_n, R, P, 32)
		.map_err(|_| Error::failed("the key file asks for a cost that scrypt does not have"))?;
	let mut key = Zeroizing::new([0; 32]);
	scrypt::scrypt(passphrase.as_bytes(), salt, &params, &mut key[..])
		.map_err(|_| Error::failed("scrypt failed"))?;
	let key = UnboundKey::new(&AES_256_GCM, &key[..]).map_err(|_| Error::failed("AES failed"))?;
	Ok((LessSafeKey::new(key), Aad::from(label.as_bytes().to_vec())))
}

/// What the lock binds the secrets to: whatever else the file says.
fn label(version: u32, account: &str, encryption_key: &str) -> String {
	format!("isthmus/key/v{version}/{account}/{encryption_key}")
}

fn zero_nonce() -> Nonce {
	Nonce::assume_unique_for_key([0; 12])
}

/// `salt` is new for each writing.
fn seal(secrets: &Secrets, passphrase: &str, log_n: u8, salt: [u8; 32]) -> Result<String, Error> {
	let identity = secrets.identity()?;
	let account = identity.id().to_string();
	let encryption_key = hex::encode(identity.encryption[0].public_key().to_bytes());
	let label = label(VERSION, &account, &encryption_key);
	let (key, aad) = lock(passphrase, &salt, log_n, &label)?;
	let mut bytes = secrets.to_bytes();
	let tag = key
		.seal_in_place_separate_tag(zero_nonce(), aad, &mut bytes)
		.map_err(|_| Error::failed("AES failed"))?;
	let locked = Locked {
		isthmus_key: VERSION,
		account,
		encryption_key,
		scrypt_log_n: log_n,
		salt: hex::encode(salt),
		secrets: hex::encode([&bytes[..], tag.as_ref()].concat()),
	};
	serde_json::to_string_pretty(&locked).map_err(Error::failed)
}

fn read(path: &Path) -> Result<Locked, Error> {
	let text = std::fs::read_to_string(path)
		.map_err(|error| Error::failed(format!("{}: {error}", path.display())))?;
	let locked: Locked =
		serde_json::from_str(&text).map_err(|error| not_a_key(path, &error.to_string()))?;
	match locked.isthmus_key {
		VERSION => Ok(locked),
		other => Err(not_a_key(
			path,
			&format!("version {other} is not known here"),
		)),
	}
}

fn not_a_key(path: &Path, reason: &str) -> Error {
	Error::new(
		Kind::NotAuthentic,
		format!("{} is no key file: {reason}", path.display()),
	)
}

fn unseal(path: &Path, locked: &Locked, passphrase: &str) -> Result<Secrets, Error> {
	if locked.scrypt_log_n > MAX_LOG_N {
		return Err(not_a_key(path, "it asks for more memory than 1 GiB"));
	}
	let hex = |text: &str| hex::decode(text).map_err(|error| not_a_key(path, &error.to_string()));
	let label = label(locked.isthmus_key, &locked.account, &locked.encryption_key);
	let (key, aad) = lock(passphrase, &hex(&locked.salt)?, locked.scrypt_log_n, &label)?;
	let mut bytes = Zeroizing::new(hex(&locked.secrets)?);
	let opened = key
		.open_in_place(zero_nonce(), aad, &mut bytes)
		.map_err(|_| {
			Error::new(
				Kind::NotAuthentic,
				format!("the passphrase does not open {}", path.display()),
			)
			.hint("or the file was altered")
		})?;
	Secrets::from_bytes(opened).ok_or_else(|| not_a_key(path, "what it locks are no secrets"))
}

/// What can be seen of a key file without its passphrase.
pub(crate) fn inspect(path: &Path) -> Result<Label, Error> {
	let locked = read(path)?;
	Ok(Label {
		account: locked.account,
		encryption_key: locked.encryption_key,
	})
}

/// Opens a key file with the passphrase that is asked for, or $ISTHMUS_PASSPHRASE.
pub(crate) fn open(path: &Path) -> Result<Secrets, Error> {
	let locked = read(path)?;
	let passphrase = passphrase(&format!("Passphrase of {}: ", path.display()))?;
	unseal(path, &locked, &passphrase)
}

/// Asks for a passphrase on the terminal, unless $ISTHMUS_PASSPHRASE has it.
fn passphrase(prompt: &str) -> Result<Zeroizing<String>, Error> {
	if let Ok(passphrase) = std::env::var("ISTHMUS_PASSPHRASE") {
		return Ok(Zeroizing::new(passphrase));
	}
	if !std::io::stdin().is_terminal() {
		return Err(
			Error::usage("there is no terminal to ask for the passphrase on")
				.hint("a script sets $ISTHMUS_PASSPHRASE"),
		);
	}
	rpassword::prompt_password(prompt)
		.map(Zeroizing::new)
		.map_err(Error::failed)
}

/// Asks for a new passphrase, twice.
pub(crate) fn new_passphrase() -> Result<Zeroizing<String>, Error> {
	let first = passphrase("New passphrase: ")?;
	if first.chars().count() < MIN_PASSPHRASE {
		return Err(Error::usage(format!(
			"a passphrase has at least {MIN_PASSPHRASE} characters"
		))
		.hint("some words that nobody puts together are better than one with signs in it"));
	}
	if std::env::var_os("ISTHMUS_PASSPHRASE").is_none() && *passphrase("Again: ")? != *first {
		return Err(Error::usage("the two are not the same"));
	}
	Ok(first)
}

/// Opens a key file, changes what it keeps, and writes it anew under the same passphrase. `change` is
/// done on the secrets before the file is written; the file is there in full before or after. Other
/// programs' changes wait until what is returned beside the secrets is dropped.
pub(crate) fn update(
	path: &Path,
	change: impl FnOnce(&mut Secrets) -> Result<(), Error>,
) -> Result<(Secrets, Option<File>), Error> {
	let held = hold(path)?;
	let locked = read(path)?;
	let passphrase = passphrase(&format!("Passphrase of {}: ", path.display()))?;
	let mut secrets = unseal(path, &locked, &passphrase)?;
	change(&mut secrets)?;
	write(path, &secrets, &passphrase, true)?;
	Ok((secrets, held))
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
	let folder = path.parent().filter(|at| !at.as_os_str().is_empty());
	folder.unwrap_or(Path::new("."))
}

/// Opens the folder that a file is in; none where the system has no such thing.
fn open_folder(path: &Path) -> Result<Option<File>, Error> {
	if !cfg!(unix) {
		return Ok(None);
	}
	let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", path.display()));
	File::open(folder_of(path)).map(Some).map_err(failed)
}

/// Waits until no other program changes a key file in the same folder, and holds them off until it is
/// dropped: two that changed one file at once would lose a key pair. A file system without locks gives none.
fn hold(path: &Path) -> Result<Option<File>, Error> {
	let folder = open_folder(path)?;
	Ok(folder.filter(|folder| folder.lock().is_ok()))
}

/// Writes a key file that only its owner may read. Unless it replaces one, there must be none.
pub(crate) fn write(
	path: &Path,
	secrets: &Secrets,
	passphrase: &str,
	replace: bool,
) -> Result<(), Error> {
	let salt = random_bytes().map_err(Error::failed)?;
	let text = seal(secrets, passphrase, LOG_N, salt)?;
	let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", path.display()));
	// A new file of a name of its own (which only its owner may read), and then the right name.
	let mut file = tempfile::NamedTempFile::new_in(folder_of(path)).map_err(failed)?;
	writeln!(file, "{text}")
		.and_then(|()| file.as_file().sync_all())
		.map_err(failed)?;
	let done = match replace {
		true => file.persist(path),
		false => file.persist_noclobber(path),
	};
	done.map_err(|error| failed(error.error))?;
	// The name too is on the disk before anybody relies on what the file keeps.
	match open_folder(path)? {
		Some(folder) => folder.sync_all().map_err(failed),
		None => Ok(()),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// As little work as scrypt takes.
	const QUICK: u8 = 1;

	fn sealed() -> (Secrets, Locked) {
		let secrets = Secrets::generate(Some(Zeroizing::new("//Alice".into()))).unwrap();
		let locked =
			serde_json::from_str(&seal(&secrets, "a passphrase", QUICK, [7; 32]).unwrap()).unwrap();
		(secrets, locked)
	}

	fn kind(result: Result<Secrets, Error>) -> Kind {
		match result {
			Ok(_) => panic!("it opened"),
			Err(error) => error.kind(),
		}
	}

	#[test]
	fn a_key_file_opens_with_its_passphrase_only() {
		let path = Path::new("key");
		let (secrets, mut locked) = sealed();
		let opened = unseal(path, &locked, "a passphrase").unwrap();
		assert_eq!(opened.to_bytes(), secrets.to_bytes());
		assert_eq!(*opened.account, "//Alice");
		assert_eq!(kind(unseal(path, &locked, "another")), Kind::NotAuthentic);
		locked.account = "another".into();
		assert_eq!(
			kind(unseal(path, &locked, "a passphrase")),
			Kind::NotAuthentic
		);
	}

	#[test]
	fn the_vectors_pass() {
		use serde_json::Value;
		let vectors: Value =
			serde_json::from_str(include_str!("../../envelope/vectors-files.json")).unwrap();
		let text = |value: &Value| value.as_str().unwrap().to_owned();
		let bytes =
			|value: &Value| -> [u8; 32] { hex::decode(text(value)).unwrap().try_into().unwrap() };
		for case in vectors["keyFiles"].as_array().unwrap() {
			let (file, passphrase) = (&case["file"], text(&case["passphrase"]));
			let locked: Locked = serde_json::from_value(file.clone()).unwrap();
			let opened = unseal(Path::new("key"), &locked, &passphrase).unwrap();
			let secrets = Secrets {
				account: Zeroizing::new(text(&case["secret"])),
				master: MasterSecret::from_bytes(bytes(&case["master"])),
				encryption: case["seeds"]
					.as_array()
					.unwrap()
					.iter()
					.map(|seed| EncryptionKeyPair::from_seed(bytes(seed)))
					.collect(),
			};
			assert_eq!(opened.to_bytes(), secrets.to_bytes());
			let sealed = seal(&secrets, &passphrase, QUICK, bytes(&file["salt"])).unwrap();
			assert_eq!(&serde_json::from_str::<Value>(&sealed).unwrap(), file);
		}
	}

	#[test]
	fn a_key_file_cannot_ask_for_all_memory() {
		let (_, mut locked) = sealed();
		locked.scrypt_log_n = 21;
		assert_eq!(
			kind(unseal(Path::new("key"), &locked, "a passphrase")),
			Kind::NotAuthentic
		);
	}

	#[cfg(unix)]
	#[test]
	fn one_program_at_a_time_changes_key_files() {
		use std::{sync::mpsc::channel, time::Duration};
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("key");
		let held = hold(&path).unwrap();
		assert!(held.is_some());
		let (tell, told) = channel();
		std::thread::spawn(move || tell.send(hold(&path).unwrap().is_some()).unwrap());
		assert!(told.recv_timeout(Duration::from_millis(200)).is_err());
		drop(held);
		assert_eq!(told.recv(), Ok(true));
	}

	#[test]
	fn a_key_file_is_not_written_over() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("key");
		let (secrets, _) = sealed();
		write(&path, &secrets, "a passphrase", false).unwrap();
		assert!(write(&path, &secrets, "a passphrase", false).is_err());
		assert_eq!(
			inspect(&path).unwrap().account,
			secrets.identity().unwrap().id().to_string()
		);
	}
}
