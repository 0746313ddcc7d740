// SPDX-License-Identifier: Apache-2.0
//! Makes key files and brings them back: from a new seed, from its 24 words, from shares of it.

use crate::{
	error::{Error, Kind},
	key_file::{self, Shown},
	passphrase,
	report::Lines,
	secret::is_key_file,
	stderr::tell,
	tip::{filled, quoted_path, Tip},
};
use isthmus_sdk::{
	envelope::{
		random_bytes,
		seed::WORDS,
		shares::{self, Share},
		KeyFile, KeyFileError, Secrets, Seed,
	},
	secret_uri, Account,
};
use serde::Serialize;
use std::{fmt, path::Path};
use zeroize::Zeroizing;

/// How many of the words are asked for after they were shown.
const ASKED: usize = 3;

/// The words of a seed.
#[derive(Serialize)]
pub(crate) struct Words {
	words: String,
}

impl fmt::Display for Words {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.words)
	}
}

/// A share of a seed.
#[derive(Serialize)]
pub(crate) struct Shared {
	need: u8,
	number: u8,
	share: String,
}

impl fmt::Display for Shared {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.share)
	}
}

/// Writes a new key file for new secrets, after their words were written down.
pub(crate) fn create(file: &Path, secrets: &Secrets) -> Result<Shown, Error> {
	let passphrase = passphrase::new()?;
	if !passphrase::is_given() {
		write_down(&secrets.seed.words())?;
	}
	let made = key_file::create(file, secrets, &passphrase)?;
	if passphrase::is_given() {
		tell(format_args!(
			"write the words down that bring everything back: {}",
			Tip::new("isthmus key words").path(file)
		));
	}
	Ok(made.into())
}

/// Shows words on the terminal, and asks for some of them.
fn write_down(words: &str) -> Result<(), Error> {
	let words: Vec<&str> = words.split(' ').collect();
	let mut text = Zeroizing::new(String::from(
		"Write down these words. They bring back everything; there is no other way if the file is lost.\n\n",
	));
	for (row, four) in words.chunks(4).enumerate() {
		for (column, word) in four.iter().enumerate() {
			text.push_str(&format!("{:>4}. {word:<9}", 4 * row + column + 1));
		}
		text.push('\n');
	}
	text.push('\n');
	for number in some_of(words.len())? {
		text.push_str(&format!("Word {}: ", number + 1));
		while passphrase::prompt(&text)?.trim() != words[number] {
			*text = format!("That is not word {}. Try again: ", number + 1);
		}
		text.clear();
	}
	Ok(())
}

/// Returns different numbers below `count`, in order.
fn some_of(count: usize) -> Result<Vec<usize>, Error> {
	let mut left: Vec<usize> = (0..count).collect();
	let random = random_bytes().map_err(Error::failed)?;
	let mut chosen: Vec<usize> = random[..ASKED]
		.iter()
		.map(|byte| left.remove(usize::from(*byte) % left.len()))
		.collect();
	chosen.sort_unstable();
	Ok(chosen)
}

/// Returns the words of a key file.
pub(crate) fn words(file: &Path) -> Result<Words, Error> {
	let (secrets, _) = key_file::unlock(file)?;
	if secrets.imported.is_some() {
		tell("the account was imported: its own secret is needed, too, to bring it back");
	}
	Ok(Words {
		words: secrets.seed.words().to_string(),
	})
}

/// Writes a new key file for an account that exists, with a new seed. The words of a seed of ours are a wallet's phrase, too,
/// and make another account there: they cannot be told apart, so both accounts are named.
pub(crate) fn import(file: &Path) -> Result<Shown, Error> {
	check_new(file, "the secret is", IMPORT)?;
	let secret = own_secret()?;
	if let Ok(seed) = Seed::from_words(&secret) {
		tell(both_accounts(&secret, &seed)?);
	}
	let secrets = Secrets::for_account(secret).map_err(Error::failed)?;
	create(file, &secrets)
}

/// Says which account words make as a wallet reads them, and which one they make here.
fn both_accounts(words: &str, seed: &Seed) -> Result<String, Error> {
	let (here, there) = (
		Account::from_seed(*seed.account())?,
		Account::from_uri(words)?,
	);
	Ok(format!(
		"warning: this imports {}, the account of these words in a wallet. If they are the words of a key file, their account is {}, which `isthmus key restore` brings back",
		there.id(),
		here.id()
	))
}

/// Asks for the secret of an account that exists.
fn own_secret() -> Result<Zeroizing<String>, Error> {
	let secret = passphrase::account()?;
	Account::from_uri(&secret).map_err(|error| misplaced(error, &secret, IMPORT))?;
	Ok(secret_uri(&secret))
}

/// The commands that take secrets.
const IMPORT: &str = "isthmus key import";
const RESTORE: &str = "isthmus key restore";
const JOIN: &str = "isthmus key join";

/// Checks that a new key file can be written. What is there may be the file of the secret, as other programs take it.
fn check_new(file: &Path, what: &str, command: &str) -> Result<(), Error> {
	key_file::check_new(file).map_err(|error| {
		if !file.is_file() || is_key_file(file) {
			return error;
		}
		match KeyFile::read(file) {
			Err(KeyFileError::Other(found)) if !found.is_secret() => match found.advice() {
				Some(advice) => error.also_known(filled(
					&format!("{found}: {advice}"),
					&[("FILE", quoted_path(file))],
				)),
				None => error,
			},
			_ => error.also_known(format!(
				"{what} read from stdin: {}",
				Tip::new(format_args!("{command} NEW.key <")).path(file)
			)),
		}
	})
}

/// Returns the error of a secret that a command does not take, with the command that takes it.
fn misplaced(error: impl fmt::Display, secret: &str, command: &str) -> Error {
	let error = Error::usage(error);
	match taken_by(secret) {
		Some(other) if other != command => error.hint(format!("`{other}` takes this")),
		_ => error,
	}
}

/// Returns which command takes a secret, if it is one.
fn taken_by(secret: &str) -> Option<&'static str> {
	let words: Vec<&str> = words_of(secret).collect();
	let words = Zeroizing::new(words.join(" "));
	if secret.trim().parse::<Share>().is_ok() {
		Some(JOIN)
	} else if Seed::from_words(&words).is_ok() {
		Some(RESTORE)
	} else {
		// Nothing at all is the secret of a well-known account.
		let is_account = !secret.trim().is_empty() && Account::from_uri(secret.trim()).is_ok();
		is_account.then_some(IMPORT)
	}
}

/// Writes a new key file for the seed of which the words are typed.
pub(crate) fn restore(file: &Path, imported: bool) -> Result<Shown, Error> {
	check_new(file, "the words are", RESTORE)?;
	let words = typed_words()?;
	let seed = Seed::from_words(&words).map_err(|error| misplaced(error, &words, RESTORE))?;
	bring_back(file, seed, imported)
}

/// Asks for the words of a seed. They may be on several lines, with commas, or with the numbers that they were shown with.
fn typed_words() -> Result<Zeroizing<String>, Error> {
	// As long as no word is longer than those of the list, the text does not move in the memory.
	let mut words = Zeroizing::new(String::with_capacity(WORDS * 16));
	let mut count = 0;
	while count < WORDS {
		let line = match count {
			0 => {
				let first = passphrase::secret(&format!("The {WORDS} words: "))?;
				// A phrase may be the first line of the words.
				let is_one = words_of(&first).count() == 1;
				if is_one && taken_by(&first).is_some_and(|command| command != RESTORE) {
					return Ok(first);
				}
				first
			}
			// If the stream has ended, the error says how many words there are.
			_ => match passphrase::secret(&format!("Word {} and those after it: ", count + 1)) {
				Ok(line) => line,
				Err(_) => break,
			},
		};
		for word in words_of(&line) {
			words.extend([word, " "]);
			count += 1;
		}
	}
	Ok(words)
}

/// Returns the words on a line.
fn words_of(line: &str) -> impl Iterator<Item = &str> {
	let words = line.split(|c: char| c.is_whitespace() || c == ',');
	words.filter(|word| {
		let number = word.trim_end_matches(['.', ')', ':']);
		!number.bytes().all(|byte| byte.is_ascii_digit())
	})
}

/// Writes a new key file for the seed of which shares are typed.
pub(crate) fn join(file: &Path, imported: bool) -> Result<Shown, Error> {
	check_new(file, "the shares are", JOIN)?;
	let mut read: Vec<Share> = Vec::new();
	let mut few = None;
	loop {
		let number = read.len() + 1;
		let line = passphrase::secret(&format!("Share {number}: "));
		// Stdin has ended, or nothing was typed.
		let line = line.map_err(|error| few.take().map_or(error, Error::usage))?;
		let share = line.parse::<Share>();
		let share = share.map_err(|error| misplaced(error, &line, JOIN));
		read.push(share?);
		match shares::join(&read) {
			Ok(seed) => return bring_back(file, seed, imported),
			Err(error @ shares::ShareError::TooFew { .. }) => few = Some(error),
			Err(error) => return Err(Error::usage(error)),
		}
	}
}

fn bring_back(file: &Path, seed: Seed, imported: bool) -> Result<Shown, Error> {
	let imported = match imported {
		true => {
			let secret = own_secret()?;
			let same = Seed::from_words(&secret);
			if same.is_ok_and(|same| same.expose_secret() == seed.expose_secret()) {
				return Err(Error::usage(
					"these are the words of the seed again, and not the secret of an imported account",
				)
				.hint("if the account was not imported, leave --imported out"));
			}
			Some(secret)
		}
		false => None,
	};
	let passphrase = passphrase::new()?;
	let secrets = Secrets { seed, imported };
	Ok(key_file::create(file, &secrets, &passphrase)?.into())
}

/// Changes a file's passphrase.
pub(crate) fn passphrase(file: &Path) -> Result<Shown, Error> {
	Ok(key_file::change_passphrase(file)?.into())
}

/// Splits the seed of a key file.
pub(crate) fn split(file: &Path, of: u8, need: u8) -> Result<Lines<Shared>, Error> {
	// Before the passphrase prompt.
	if need < 2 || need > of {
		return Err(Error::usage(shares::ShareError::Numbers { of, need }));
	}
	let (secrets, _) = key_file::unlock(file)?;
	if secrets.imported.is_some() {
		tell("the account was imported: its own secret is not in the shares");
	}
	let shares =
		shares::split(&secrets.seed, of, need).map_err(|error| Error::new(Kind::Failed, error))?;
	let shared = shares.iter().map(|share| Shared {
		need: share.need(),
		number: share.number(),
		share: share.to_string(),
	});
	Ok(Lines(shared.collect()))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn words_are_read_as_they_are_written_down() {
		for line in [
			"one two three",
			"  one\ttwo\u{a0}three\r",
			"one, two,three,",
			"   1. one  2. two 3. three",
			"1) one 2: two . three",
		] {
			let words: Vec<_> = words_of(line).collect();
			assert_eq!(words, ["one", "two", "three"], "{line:?}");
		}
	}

	#[test]
	fn a_secret_for_another_command_leads_to_it() {
		let seed = Seed::generate().unwrap();
		let words = seed.words();
		let numbered: Vec<String> = words.split(' ').map(|word| format!("1. {word}")).collect();
		let share = shares::split(&seed, 3, 2).unwrap()[0].to_string();
		let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
		let spaced = format!("{phrase} ");
		for (secret, command) in [
			(words.as_str(), Some(RESTORE)),
			(numbered.join(", ").as_str(), Some(RESTORE)),
			(share.as_str(), Some(JOIN)),
			(phrase, Some(IMPORT)),
			(spaced.as_str(), Some(IMPORT)),
			("0f".repeat(32).as_str(), Some(IMPORT)),
			("//Alice", Some(IMPORT)),
			("school", None),
			("", None),
		] {
			assert_eq!(taken_by(secret), command, "{secret}");
		}
		let shown = |command: &str| format!("{:?}", misplaced("no", &share, command));
		assert!(shown(RESTORE).contains("`isthmus key join` takes this"));
		assert!(!shown(JOIN).contains("takes this"));
	}

	#[test]
	fn the_file_of_a_secret_is_read_from_stdin() {
		let folder = tempfile::tempdir().unwrap();
		let file = folder.path().join("my words.txt");
		assert!(check_new(&file, "the words are", RESTORE).is_ok());
		std::fs::write(&file, "abandon ability").unwrap();
		let refused = check_new(&file, "the words are", RESTORE).unwrap_err();
		let hint = refused.shown_hint().unwrap();
		let command = Tip::new("isthmus key restore NEW.key <").path(&file);
		assert!(
			hint.starts_with("the argument names the key file to make"),
			"{hint}"
		);
		assert!(hint.ends_with(&format!(": {command}")), "{hint}");
		let pem = folder.path().join("ed.pem");
		std::fs::write(&pem, "-----BEGIN PRIVATE KEY-----").unwrap();
		let hint = check_new(&pem, "the secret is", IMPORT).unwrap_err();
		let hint = hint.shown_hint().unwrap();
		assert!(
			hint.contains("it is in PEM") && !hint.contains('<'),
			"{hint}"
		);
		// A key file, or a folder, has no words.
		let key = folder.path().join("school.key");
		key_file::create(&key, &Secrets::generate().unwrap(), "three plain words").unwrap();
		for other in [key.as_path(), folder.path()] {
			let refused = check_new(other, "the words are", RESTORE).unwrap_err();
			let hint = refused.shown_hint().unwrap();
			assert!(!hint.contains("stdin"), "{hint}");
		}
	}

	#[test]
	fn words_of_a_seed_are_another_account_in_a_wallet() {
		let seed = Seed::generate().unwrap();
		let told = both_accounts(&seed.words(), &seed).unwrap();
		let here = Account::from_seed(*seed.account()).unwrap();
		let there = Account::from_uri(&seed.words()).unwrap();
		assert_ne!(here.id(), there.id());
		for part in [
			format!("imports {}", there.id()),
			format!("is {}", here.id()),
			"isthmus key restore".into(),
		] {
			assert!(told.contains(&part), "{told}");
		}
		assert!(!told.contains('\n'));
	}

	#[test]
	fn different_words_are_asked_for() {
		for _ in 0..100 {
			let asked = some_of(WORDS).unwrap();
			assert_eq!(asked.len(), ASKED);
			assert!(asked.is_sorted_by(|a, b| a < b) && asked[ASKED - 1] < WORDS);
		}
		assert_eq!(some_of(ASKED).unwrap(), [0, 1, 2]);
	}
}
