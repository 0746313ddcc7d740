// SPDX-License-Identifier: Apache-2.0
//! Makes key files and brings them back: from a new seed, from its 24 words, from shares of it.

use crate::{
	error::{Error, Kind},
	key_file::{self, Shown},
	passphrase,
	report::Lines,
	stderr::tell,
};
use isthmus_sdk::{
	envelope::{
		random_bytes,
		seed::WORDS,
		shares::{self, Share},
		Secrets, Seed,
	},
	Account,
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
			"write the words down that bring everything back: isthmus key words {}",
			file.display()
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

/// Writes a new key file for the seed of which the words are typed.
pub(crate) fn restore(file: &Path, imported: bool) -> Result<Shown, Error> {
	key_file::check_new(file)?;
	let seed = Seed::from_words(&typed_words()?).map_err(Error::usage)?;
	bring_back(file, seed, imported)
}

/// Asks for the words of a seed. They may be on several lines, with commas, or with the numbers that they were shown with.
fn typed_words() -> Result<Zeroizing<String>, Error> {
	// As long as no word is longer than those of the list, the text does not move in the memory.
	let mut words = Zeroizing::new(String::with_capacity(WORDS * 16));
	let mut count = 0;
	while count < WORDS {
		let line = match count {
			0 => passphrase::secret(&format!("The {WORDS} words: "))?,
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
	key_file::check_new(file)?;
	let mut read: Vec<Share> = Vec::new();
	let mut few = None;
	loop {
		let number = read.len() + 1;
		let line = passphrase::secret(&format!("Share {number}: "));
		// Stdin has ended, or nothing was typed.
		let line = line.map_err(|error| few.take().map_or(error, Error::usage))?;
		read.push(line.parse().map_err(Error::usage)?);
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
			let secret = passphrase::account()?;
			Account::from_uri(&secret).map_err(Error::usage)?;
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
	fn different_words_are_asked_for() {
		for _ in 0..100 {
			let asked = some_of(WORDS).unwrap();
			assert_eq!(asked.len(), ASKED);
			assert!(asked.is_sorted_by(|a, b| a < b) && asked[ASKED - 1] < WORDS);
		}
		assert_eq!(some_of(ASKED).unwrap(), [0, 1, 2]);
	}
}
