// SPDX-License-Identifier: Apache-2.0
//! The seed: 32 bytes, written as 24 words, from which all other secrets of an account are derived.
//!
//! ```
//! use isthmus_envelope::Seed;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let seed = Seed::generate()?;
//! let words = seed.words();
//! assert_eq!(words.split(' ').count(), 24);
//!
//! let restored = Seed::from_words(&words)?;
//! assert_eq!(restored.master().expose_secret(), seed.master().expose_secret());
//! # Ok(())
//! # }
//! ```

use crate::{
	derive::{self, redacted_debug, RandomError, Secret},
	keys::EncryptionSecret,
	master::MasterSecret,
};
use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

/// HKDF salt of everything that is derived from a seed.
pub const SEED_LABEL: &[u8] = b"isthmus/seed/v2";
/// Number of words that a seed is written in.
pub const WORDS: usize = 24;

/// Names a seed without telling anything about it. Backups and shares carry it, so that one can see what they belong to.
pub type Fingerprint = [u8; 8];

/// Why words are not a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
	/// There are too few or too many words.
	#[error("a seed has {WORDS} words, got {got}")]
	WordCount {
		/// The number of words.
		got: usize,
	},
	/// A word is not in the list of words.
	#[error("word {number} is not in the list of words: check its spelling")]
	UnknownWord {
		/// The word's number, counted from 1.
		number: usize,
	},
	/// The last word, which holds a checksum, does not fit the others.
	#[error("the words do not fit together: one of them is another word, or two are exchanged")]
	Checksum,
}

/// A seed: 32 random bytes.
#[derive(Clone)]
pub struct Seed(Secret);

redacted_debug!(Seed);

impl Seed {
	/// Draws a new seed from the system's source of randomness.
	///
	/// # Errors
	///
	/// Returns [`RandomError`] if the system provides no randomness.
	pub fn generate() -> Result<Self, RandomError> {
		derive::random().map(Self)
	}

	/// Creates a seed from 32 bytes, which must have been drawn uniformly at random.
	pub fn from_bytes(bytes: [u8; 32]) -> Self {
		Self(Secret::new(bytes))
	}

	/// Returns the seed itself, for a key store.
	pub fn expose_secret(&self) -> &[u8; 32] {
		&self.0
	}

	/// Returns the seed in 24 English words of BIP-39, separated by spaces.
	pub fn words(&self) -> Zeroizing<String> {
		let words = Mnemonic::from_entropy_in(Language::English, &self.0[..])
			.expect("32 bytes are 24 words of BIP-39; qed");
		Zeroizing::new(words.to_string())
	}

	/// Reads words that [`Self::words`] wrote, in upper or lower case, with any white space between them.
	///
	/// # Errors
	///
	/// Returns [`SeedError`] if they are not 24 words of the list with the right checksum.
	pub fn from_words(text: &str) -> Result<Self, SeedError> {
		let text = Zeroizing::new(text.to_lowercase());
		let words: Vec<&str> = text.split_whitespace().collect();
		if words.len() != WORDS {
			return Err(SeedError::WordCount { got: words.len() });
		}
		if let Some(at) = words.iter().position(|word| !is_word(word)) {
			return Err(SeedError::UnknownWord { number: at + 1 });
		}
		let text = Zeroizing::new(words.join(" "));
		let read = Mnemonic::parse_in_normalized(Language::English, &text)
			.map_err(|_| SeedError::Checksum)?;
		let (bytes, _) = read.to_entropy_array();
		let bytes = Zeroizing::new(bytes);
		let mut seed = Secret::default();
		seed.copy_from_slice(&bytes[..32]);
		Ok(Self(seed))
	}

	/// Returns the account's seed (sr25519), for an account that was not imported.
	pub fn account(&self) -> Zeroizing<[u8; 32]> {
		self.derive(b"account")
	}

	/// Returns the master secret, from which the keys of the account's own records are derived.
	pub fn master(&self) -> MasterSecret {
		MasterSecret::from_bytes(*self.derive(b"master"))
	}

	/// Returns the secret of the key pairs to which grants to the account are sealed.
	pub fn encryption(&self) -> EncryptionSecret {
		EncryptionSecret::from_bytes(*self.derive(b"encryption"))
	}

	/// Returns the seed's fingerprint.
	pub fn fingerprint(&self) -> Fingerprint {
		let bytes = self.derive(b"fingerprint");
		*bytes.first_chunk().expect("8 of 32 bytes; qed")
	}

	/// Returns HKDF-SHA256 with [`SEED_LABEL`] as salt, the seed as input and a name as info.
	fn derive(&self, name: &[u8]) -> Secret {
		derive::expand(&derive::extract(SEED_LABEL, &self.0), &[name])
	}
}

/// Returns whether a word, in lower case, is in the list of words that seeds are written in.
pub fn is_word(word: &str) -> bool {
	Language::English.find_word(word).is_some()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn words_bring_the_seed_back() {
		let seed = Seed::generate().unwrap();
		let words = seed.words();
		let spaced = words.to_uppercase().replace(' ', " \n\t");
		for text in [words.as_str(), &spaced] {
			let read = Seed::from_words(text).unwrap();
			assert_eq!(read.expose_secret(), seed.expose_secret());
		}
		assert_eq!(format!("{seed:?}"), "Seed(..)");
	}

	/// The vectors of BIP-39 for 32 bytes (trezor/python-mnemonic, vectors.json).
	#[test]
	fn the_words_are_those_of_bip39() {
		let zeros = format!("{}art", "abandon ".repeat(23));
		let ones = format!("{}vote", "zoo ".repeat(23));
		for (byte, words) in [(0, zeros), (0xff, ones)] {
			assert_eq!(*Seed::from_bytes([byte; 32]).words(), words);
			assert_eq!(
				Seed::from_words(&words).unwrap().expose_secret(),
				&[byte; 32]
			);
		}
	}

	#[test]
	fn words_that_are_not_a_seed_are_refused_by_name() {
		let refused = |text: &str| Seed::from_words(text).unwrap_err();
		assert_eq!(refused(""), SeedError::WordCount { got: 0 });
		let short = "abandon ".repeat(23);
		assert_eq!(refused(&short), SeedError::WordCount { got: 23 });
		let unknown = format!("abandon abandn {}", "abandon ".repeat(22));
		assert_eq!(refused(&unknown), SeedError::UnknownWord { number: 2 });
		assert_eq!(refused(&"abandon ".repeat(24)), SeedError::Checksum);
	}

	#[test]
	fn what_is_derived_is_apart() {
		let seed = Seed::from_bytes([7; 32]);
		let secrets = [
			*seed.account(),
			*seed.master().expose_secret(),
			*seed.encryption().expose_secret(),
			*seed.expose_secret(),
		];
		for (i, a) in secrets.iter().enumerate() {
			assert!(secrets[..i].iter().all(|b| a != b));
			assert_ne!(a[..8], seed.fingerprint());
		}
		assert_ne!(seed.fingerprint(), Seed::from_bytes([8; 32]).fingerprint());
	}
}
