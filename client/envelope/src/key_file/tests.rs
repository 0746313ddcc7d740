// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::shares;
use serde_json::Value;

/// The binary logarithm of scrypt's minimum cost, which keeps the tests quick.
const QUICK: u8 = 1;
const ADDRESS: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const PASSPHRASE: &str = "a passphrase";

fn sealed() -> (Secrets, KeyFile) {
	let secrets = Secrets::for_account(Zeroizing::new("//Alice".into())).unwrap();
	let file = KeyFile::seal_with(&secrets, ADDRESS, PASSPHRASE, QUICK, [7; 32]).unwrap();
	(secrets, file)
}

fn bytes(secrets: &Secrets) -> Zeroizing<Vec<u8>> {
	secrets.to_bytes().unwrap()
}

#[test]
fn a_key_file_opens_with_its_passphrase_only() {
	let (secrets, file) = sealed();
	let opened = file.open(PASSPHRASE).unwrap();
	assert_eq!(bytes(&opened), bytes(&secrets));
	assert_eq!(*opened.account(), "//Alice");
	assert!(matches!(
		file.open("another"),
		Err(KeyFileError::DoesNotOpen)
	));
}

#[test]
fn a_passphrase_opens_whatever_wrote_its_accents() {
	let (secrets, _) = sealed();
	let (one, several) = ("\u{e9}t\u{e9} 2026", "e\u{301}te\u{301} 2026");
	for (sealed, typed, opens) in [
		(one, several, true),
		(several, one, true),
		(one, "ete 2026", false),
		("a\u{323}e\u{301}", "\u{1ea1}e\u{301}", true),
		("\u{fb01}", "fi", false),
	] {
		let file = KeyFile::seal_with(&secrets, ADDRESS, sealed, QUICK, [7; 32]).unwrap();
		assert_eq!(file.open(typed).is_ok(), opens, "{typed:?}");
	}
}

#[test]
fn what_is_readable_is_authenticated_too() {
	let (_, file) = sealed();
	let changed = [
		KeyFile {
			account: "another".into(),
			..file.clone()
		},
		KeyFile {
			fingerprint: "00".into(),
			..file.clone()
		},
		KeyFile {
			salt: "00".repeat(32),
			..file.clone()
		},
		KeyFile {
			scrypt_log_n: 2,
			..file.clone()
		},
		KeyFile {
			secrets: format!("{}00", file.secrets),
			..file
		},
	];
	for file in changed {
		let refused = file.open(PASSPHRASE);
		assert!(
			matches!(refused, Err(KeyFileError::DoesNotOpen)),
			"{file:?}"
		);
	}
}

#[test]
fn the_vectors_pass() {
	let vectors: Value = serde_json::from_str(include_str!("../../vectors-files.json")).unwrap();
	let text = |value: &Value| value.as_str().unwrap().to_owned();
	let array =
		|value: &Value| -> [u8; 32] { hex::decode(text(value)).unwrap().try_into().unwrap() };
	let cases = vectors["keyFiles"].as_array().unwrap();
	assert!(!cases.is_empty());
	for case in cases {
		let (file, passphrase) = (&case["file"], text(&case["passphrase"]));
		let read: KeyFile = file.to_string().parse().unwrap();
		let secrets = Secrets {
			seed: Seed::from_bytes(array(&case["seed"])),
			imported: case["imported"]
				.as_str()
				.map(|secret| Zeroizing::new(secret.into())),
		};
		assert_eq!(bytes(&read.open(&passphrase).unwrap()), bytes(&secrets));
		let (address, salt) = (text(&file["account"]), array(&file["salt"]));
		let sealed =
			KeyFile::seal_with(&secrets, &address, &passphrase, read.scrypt_log_n, salt).unwrap();
		assert_eq!(sealed, read);
		assert_eq!(
			&serde_json::from_str::<Value>(&sealed.to_string()).unwrap(),
			file
		);
	}
}

#[test]
fn a_key_file_cannot_claim_all_memory() {
	let (_, file) = sealed();
	for got in [0, MAX_LOG_N + 1, u8::MAX] {
		let file = KeyFile {
			scrypt_log_n: got,
			..file.clone()
		};
		let refused = file.open(PASSPHRASE).unwrap_err();
		assert!(
			matches!(refused, KeyFileError::Cost { got: cost } if cost == got),
			"{refused}"
		);
	}
}

#[test]
fn what_is_not_a_key_file_is_rejected() {
	let (_, file) = sealed();
	let parse = |text: &str| text.parse::<KeyFile>();
	assert_eq!(parse(&file.to_string()).unwrap(), file);
	for text in ["{}", "[]", "null", "{\"isthmusKey\": 2}"] {
		assert!(matches!(parse(text), Err(KeyFileError::Json(_))), "{text}");
	}
	let more = file.to_string().replace('}', ", \"more\": 1}");
	assert!(matches!(parse(&more), Err(KeyFileError::Json(_))));
	let next = file
		.to_string()
		.replace("\"isthmusKey\": 2", "\"isthmusKey\": 3");
	assert!(matches!(
		parse(&next),
		Err(KeyFileError::UnknownVersion { got: 3 })
	));
	// Its fields may be others, and it is a key file all the same.
	let refused = parse("{\"isthmusKey\": 3, \"argon2\": {}}").unwrap_err();
	assert!(matches!(refused, KeyFileError::UnknownVersion { got: 3 }));
	assert!(
		refused.to_string().contains("use that release"),
		"{refused}"
	);
	let odd = KeyFile {
		salt: "0".into(),
		..file.clone()
	};
	assert!(matches!(
		odd.open(PASSPHRASE),
		Err(KeyFileError::Hex { field: "salt" })
	));
	let odd = KeyFile {
		secrets: "xx".into(),
		..file
	};
	assert!(matches!(
		odd.open(PASSPHRASE),
		Err(KeyFileError::Hex { field: "secrets" })
	));
}

#[test]
fn contents_that_are_not_a_key_set_are_rejected() {
	let (secrets, _) = sealed();
	let good = bytes(&secrets);
	assert!(Secrets::from_bytes(&good).is_some());
	for length in 0..32 {
		assert!(Secrets::from_bytes(&good[..length]).is_none(), "{length}");
	}
	let seed_only = Secrets::from_bytes(&good[..32]).unwrap();
	assert_eq!(seed_only.imported, None);
	assert_ne!(seed_only.account(), secrets.account());
	let mut not_utf8 = good.clone();
	not_utf8[32] = 0xff;
	assert!(Secrets::from_bytes(&not_utf8).is_none());
	assert!(Secrets::from_bytes(&[b'a'; 32 + 65_535]).is_some());
	assert!(Secrets::from_bytes(&[b'a'; 32 + 65_536]).is_none());
}

#[test]
fn a_secret_that_the_format_has_no_room_for_is_rejected() {
	let secret = |length| Secrets::for_account(Zeroizing::new("a".repeat(length))).unwrap();
	assert!(secret(65_535).to_bytes().is_ok());
	assert!(matches!(
		secret(65_536).to_bytes(),
		Err(KeyFileError::SecretTooLong)
	));
}

#[test]
fn secrets_are_not_shown() {
	let secrets = Secrets::generate().unwrap();
	assert_eq!(format!("{secrets:?}"), "Secrets(..)");
	assert_eq!(secrets.account().len(), 2 + 64);
	let (_, file) = sealed();
	assert_eq!(
		format!("{:?}", file.open(PASSPHRASE).unwrap()),
		"Secrets(..)"
	);
}

#[cfg(unix)]
#[test]
fn programs_change_key_files_one_after_another() {
	use std::{sync::mpsc::channel, time::Duration};
	let folder = tempfile::tempdir().unwrap();
	let path = folder.path().join("key");
	let held = lock(&path).unwrap();
	assert!(held.0.is_some());
	let (send, receive) = channel();
	std::thread::spawn(move || send.send(lock(&path).unwrap().0.is_some()).unwrap());
	assert!(receive.recv_timeout(Duration::from_millis(200)).is_err());
	drop(held);
	assert_eq!(receive.recv(), Ok(true));
}

#[test]
fn a_key_file_is_replaced_only_on_purpose() {
	let folder = tempfile::tempdir().unwrap();
	let path = folder.path().join("key");
	let (secrets, file) = sealed();
	file.create(&path).unwrap();
	assert_eq!(KeyFile::read(&path).unwrap(), file);
	assert!(matches!(
		file.create(&path),
		Err(KeyFileError::Io(error)) if error.kind() == io::ErrorKind::AlreadyExists
	));
	let changed =
		KeyFile::seal_with(&secrets, ADDRESS, "a new passphrase", QUICK, [8; 32]).unwrap();
	changed.replace(&path).unwrap();
	assert_eq!(KeyFile::read(&path).unwrap(), changed);
	// No temporary file is left.
	assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_a_key_file() {
	use std::os::unix::fs::PermissionsExt;
	let folder = tempfile::tempdir().unwrap();
	let path = folder.path().join("key");
	let (_, file) = sealed();
	file.create(&path).unwrap();
	let mode = fs::metadata(&path).unwrap().permissions().mode();
	assert_eq!(mode & 0o777, 0o600);
	file.replace(&path).unwrap();
	let mode = fs::metadata(&path).unwrap().permissions().mode();
	assert_eq!(mode & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn a_key_file_behind_a_link_is_replaced_and_the_link_stays() {
	use std::os::unix::fs::symlink;
	let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
	let (link, between) = (near.path().join("link"), near.path().join("between"));
	let path = far.path().join("key");
	let (secrets, file) = sealed();
	file.create(&path).unwrap();
	symlink(&path, &between).unwrap();
	symlink("between", &link).unwrap();
	let changed =
		KeyFile::seal_with(&secrets, ADDRESS, "a new passphrase", QUICK, [8; 32]).unwrap();
	changed.replace(&link).unwrap();
	assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
	assert!(fs::symlink_metadata(&between).unwrap().is_symlink());
	assert_eq!(KeyFile::read(&path).unwrap(), changed);
	assert_eq!(fs::read_dir(near.path()).unwrap().count(), 2);
	assert_eq!(fs::read_dir(far.path()).unwrap().count(), 1);
}

/// Two programs that change one file by different names have to take turns.
#[cfg(unix)]
#[test]
fn the_lock_is_that_of_the_folder_behind_a_link() {
	use std::{fs::TryLockError, os::unix::fs::symlink};
	let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
	let (link, path) = (near.path().join("link"), far.path().join("key"));
	sealed().1.create(&path).unwrap();
	symlink(&path, &link).unwrap();
	let held = lock(&link).unwrap();
	let folder = fs::File::open(far.path()).unwrap();
	assert!(matches!(folder.try_lock(), Err(TryLockError::WouldBlock)));
	drop(held);
	folder.try_lock().unwrap();
}

#[cfg(unix)]
#[test]
fn a_key_file_keeps_its_permissions() {
	use std::os::unix::fs::{MetadataExt, PermissionsExt};
	let folder = tempfile::tempdir().unwrap();
	let path = folder.path().join("key");
	let (_, file) = sealed();
	file.create(&path).unwrap();
	for mode in [0o640, 0o400] {
		let before = fs::metadata(&path).unwrap();
		fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
		file.replace(&path).unwrap();
		let after = fs::metadata(&path).unwrap();
		assert_eq!(after.permissions().mode() & 0o7777, mode);
		assert_ne!(after.ino(), before.ino(), "it is a new file");
		assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
	}
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_replaced() {
	let folder = tempfile::tempdir().unwrap();
	let link = folder.path().join("link");
	std::os::unix::fs::symlink("/dev/null", &link).unwrap();
	let (_, file) = sealed();
	for path in [link.as_path(), folder.path(), Path::new("/dev/null")] {
		assert!(
			matches!(file.replace(path), Err(KeyFileError::Io(error)) if error.kind() == io::ErrorKind::InvalidInput)
		);
		assert!(lock(path).is_err());
	}
	assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn what_people_take_for_a_key_file_is_named_and_not_repeated() {
	let seed = Seed::generate().unwrap();
	let words = seed.words().to_string();
	let share = shares::split(&seed, 3, 2).unwrap()[0].to_string();
	let digits = "0f".repeat(32);
	let prefixed = format!("0x{digits}\n");
	for (text, what) in [
		("", "it is empty"),
		(" \r\n", "it is empty"),
		("\0\0\0", "nothing but zeros"),
		("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "PEM"),
		(
			"ssh-ed25519 AAAAC3Nz school@example.org\n",
			"public key of SSH",
		),
		(
			"# created: 2026-01-01\n# public key: age1x\n",
			"file of age",
		),
		("AGE-SECRET-KEY-1QQ", "file of age"),
		(share.as_str(), "isthmus key join"),
		(words.as_str(), "isthmus key restore"),
		(digits.as_str(), "isthmus key import"),
		(prefixed.as_str(), "isthmus key import"),
		(
			"{\"encoded\":\"x\",\"encoding\":{},\"address\":\"5F\"}",
			"wallet exported: only the wallet",
		),
		(digits.repeat(2).as_str(), "not the 64 of a seed"),
		("{\"version\":3,\"crypto\":{}}", "account of Ethereum"),
		("isthmus/erasable/v1\0", "erasable keys"),
		(format!("\"{words}\"\n").as_str(), "quotation marks"),
		(format!("'{digits}'").as_str(), "quotation marks"),
	] {
		let refused = text.parse::<KeyFile>().unwrap_err();
		assert!(matches!(refused, KeyFileError::Other(_)), "{text}");
		let refused = refused.to_string();
		assert!(refused.contains(what), "{text}: {refused}");
		for secret in [&share, &words, &digits] {
			assert!(!refused.contains(secret.as_str()), "{refused}");
		}
	}
	for (other, what) in [
		("{", "it is cut short"),
		("{}", "missing field"),
		("name,mark", "it is not JSON from line 1 column "),
		("{\"isthmusKey\": 2, x", " on: bring a copy back"),
		("{\"isthmusKey\": 2,", "it is cut short: bring a copy back"),
		("[\"abandon\"]", "something else at line 1"),
		("{\"abandon\": 1}", "something else at line 1"),
		("{\"isthmusKey\": \"abandon\"}", "something else at line 1"),
		("abandon ability", "it is not JSON"),
	] {
		let refused = other.parse::<KeyFile>().unwrap_err();
		assert!(matches!(refused, KeyFileError::Json(_)), "{other}");
		assert!(refused.to_string().contains(what), "{other}: {refused}");
		assert!(!refused.to_string().contains("abandon"), "{refused}");
	}
}

#[cfg(unix)]
#[test]
fn a_file_without_an_end_is_not_read_to_its_end() {
	let endless = KeyFile::read(Path::new("/dev/zero"));
	assert!(matches!(endless, Err(KeyFileError::TooLong)));
}

#[test]
fn bytes_that_are_not_text_are_not_a_key_file() {
	let folder = tempfile::tempdir().unwrap();
	let path = folder.path().join("key");
	fs::write(&path, [0xff; 4]).unwrap();
	assert!(matches!(KeyFile::read(&path), Err(KeyFileError::Json(_))));
}

#[test]
fn a_file_in_utf16_is_told_from_one_that_is_no_key_file() {
	let folder = tempfile::tempdir().unwrap();
	let path = folder.path().join("key");
	let text = "{\"isthmusKey\": 2}";
	let units = || text.encode_utf16();
	let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
	let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
	for bytes in [
		[&[0xff, 0xfe][..], &little].concat(),
		[&[0xfe, 0xff][..], &big].concat(),
		little,
		big,
	] {
		std::fs::write(&path, &bytes).unwrap();
		assert!(matches!(KeyFile::read(&path), Err(KeyFileError::Utf16)));
	}
	for bytes in [&b"{"[..], b"{}", b"\0", b"\0\0", text.as_bytes()] {
		std::fs::write(&path, bytes).unwrap();
		let refused = KeyFile::read(&path);
		assert!(matches!(
			refused,
			Err(KeyFileError::Json(_) | KeyFileError::Other(_))
		));
	}
}
