// SPDX-License-Identifier: Apache-2.0
//! Shares: a seed split among several people, so that a given number of them together bring it back, and fewer learn
//! nothing (Shamir: "How to share a secret", 1979).
//!
//! ```
//! use isthmus_envelope::{shares, Seed};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let seed = Seed::generate()?;
//! let shares = shares::split(&seed, 5, 3)?;
//! let three: Vec<shares::Share> = shares[1..4]
//!     .iter()
//!     .map(|share| share.to_string().parse())
//!     .collect::<Result<_, _>>()?;
//! assert_eq!(shares::join(&three)?.expose_secret(), seed.expose_secret());
//! assert!(shares::join(&three[..2]).is_err());
//! # Ok(())
//! # }
//! ```

use crate::{
	derive::{redacted_debug, Secret},
	seed::{Fingerprint, Seed},
};
use blahaj::Sharks;
use ring::digest::{digest, SHA256};
use std::{collections::BTreeMap, fmt, str::FromStr};
use zeroize::Zeroizing;

/// The first characters of every share in text.
pub const PREFIX: &str = "isthmus-share-1-";
/// Length of a share in bytes: need, number, fingerprint, value and checksum.
const LEN: usize = 2 + 8 + 32 + CHECKSUM_LEN;
const CHECKSUM_LEN: usize = 4;

/// Why a seed cannot be split, or shares do not bring one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
	/// The numbers make no sense.
	#[error("a seed is split among 2 to 255 people, of whom at least 2 and at most all are needed; got {need} of {of}")]
	Numbers {
		/// How many shares there would be.
		of: u8,
		/// How many of them would be needed.
		need: u8,
	},
	/// The text does not have the form of a share.
	#[error(
		"not a share: it starts with {PREFIX:?}, followed by {} hexadecimal digits",
		2 * LEN
	)]
	NotAShare,
	/// The checksum does not agree.
	#[error("the share has a typing error: its checksum does not agree")]
	Checksum,
	/// The shares come from different seeds or were split differently.
	#[error("the shares do not belong together")]
	Different,
	/// There are too few shares with different numbers.
	#[error("{need} different shares are needed, got {got}")]
	TooFew {
		/// How many are needed.
		need: u8,
		/// How many different ones there are.
		got: usize,
	},
}

/// One of the shares of a seed.
#[derive(Clone, PartialEq, Eq)]
pub struct Share {
	need: u8,
	number: u8,
	fingerprint: Fingerprint,
	value: Secret,
}

redacted_debug!(Share);

impl Share {
	/// Returns how many shares are needed.
	pub fn need(&self) -> u8 {
		self.need
	}

	/// Returns the share's number, counted from 1.
	pub fn number(&self) -> u8 {
		self.number
	}

	/// Returns the fingerprint of the seed that the share belongs to.
	pub fn fingerprint(&self) -> &Fingerprint {
		&self.fingerprint
	}

	/// Returns `need ‖ number ‖ fingerprint ‖ value ‖ checksum`.
	fn to_bytes(&self) -> Zeroizing<[u8; LEN]> {
		let mut bytes = Zeroizing::new([0; LEN]);
		let body = LEN - CHECKSUM_LEN;
		bytes[0] = self.need;
		bytes[1] = self.number;
		bytes[2..10].copy_from_slice(&self.fingerprint);
		bytes[10..body].copy_from_slice(&self.value[..]);
		let sum = checksum(&bytes[..body]);
		bytes[body..].copy_from_slice(&sum);
		bytes
	}
}

/// Returns the first bytes of SHA-256 over the prefix and a share's bytes.
fn checksum(body: &[u8]) -> [u8; CHECKSUM_LEN] {
	let input = Zeroizing::new([PREFIX.as_bytes(), body].concat());
	let hash = digest(&SHA256, &input);
	*hash
		.as_ref()
		.first_chunk()
		.expect("SHA-256 has 32 bytes; qed")
}

impl fmt::Display for Share {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let digits = Zeroizing::new(hex::encode(&self.to_bytes()[..]));
		write!(f, "{PREFIX}{}", *digits)
	}
}

impl FromStr for Share {
	type Err = ShareError;

	/// Reads a share. White space at the ends does not matter.
	fn from_str(text: &str) -> Result<Self, ShareError> {
		let digits = text
			.trim()
			.strip_prefix(PREFIX)
			.ok_or(ShareError::NotAShare)?;
		let mut bytes = Zeroizing::new([0; LEN]);
		hex::decode_to_slice(digits, &mut bytes[..]).map_err(|_| ShareError::NotAShare)?;
		let (body, sum) = bytes.split_at(LEN - CHECKSUM_LEN);
		if checksum(body) != sum {
			return Err(ShareError::Checksum);
		}
		let [need, number, rest @ ..] = body else {
			return Err(ShareError::NotAShare);
		};
		let (Some((fingerprint, value)), 2.., 1..) =
			(rest.split_first_chunk::<8>(), *need, *number)
		else {
			return Err(ShareError::NotAShare);
		};
		let mut secret = Secret::default();
		secret.copy_from_slice(value);
		Ok(Self {
			need: *need,
			number: *number,
			fingerprint: *fingerprint,
			value: secret,
		})
	}
}

/// Splits a seed into `of` shares, of which `need` bring it back.
///
/// # Errors
///
/// Returns [`ShareError::Numbers`] unless 2 ≤ `need` ≤ `of`.
pub fn split(seed: &Seed, of: u8, need: u8) -> Result<Vec<Share>, ShareError> {
	if need < 2 || need > of {
		return Err(ShareError::Numbers { of, need });
	}
	let dealt = Sharks(need)
		.dealer(seed.expose_secret())
		.take(of.into())
		.map(|dealt| Zeroizing::new(Vec::from(&dealt)));
	Ok(dealt
		.map(|bytes| {
			let mut value = Secret::default();
			value.copy_from_slice(&bytes[1..]);
			Share {
				need,
				number: bytes[0],
				fingerprint: seed.fingerprint(),
				value,
			}
		})
		.collect())
}

/// Brings a seed back from its shares.
///
/// # Errors
///
/// Returns [`ShareError::TooFew`] if there are fewer different shares than are needed, and [`ShareError::Different`] if
/// they do not belong together.
pub fn join(shares: &[Share]) -> Result<Seed, ShareError> {
	let Some(first) = shares.first() else {
		return Err(ShareError::TooFew { need: 2, got: 0 });
	};
	let mut different = BTreeMap::new();
	for share in shares {
		let of_first = (share.need, share.fingerprint) == (first.need, first.fingerprint);
		let same = different.entry(share.number).or_insert(share);
		if !of_first || *same != share {
			return Err(ShareError::Different);
		}
	}
	if different.len() < usize::from(first.need) {
		return Err(ShareError::TooFew {
			need: first.need,
			got: different.len(),
		});
	}
	let points: Vec<blahaj::Share> = different
		.values()
		.map(|share| {
			let bytes = Zeroizing::new([&[share.number], &share.value[..]].concat());
			blahaj::Share::try_from(&bytes[..]).map_err(|_| ShareError::Different)
		})
		.collect::<Result<_, _>>()?;
	let bytes = Sharks(first.need)
		.recover(&points)
		.map_err(|_| ShareError::Different)?;
	let bytes = Zeroizing::new(bytes);
	let seed = bytes[..].try_into().map_err(|_| ShareError::Different)?;
	let seed = Seed::from_bytes(seed);
	// All shares are used, so one from another splitting of the same seed is noticed, too.
	match seed.fingerprint() == first.fingerprint {
		true => Ok(seed),
		false => Err(ShareError::Different),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn seed() -> Seed {
		Seed::from_bytes([7; 32])
	}

	#[test]
	fn any_three_of_five_bring_the_seed_back_and_two_do_not() {
		let shares = split(&seed(), 5, 3).unwrap();
		for a in 0..5 {
			for b in 0..5 {
				let two = [shares[a].clone(), shares[b].clone()];
				let got = if a == b { 1 } else { 2 };
				assert_eq!(join(&two).unwrap_err(), ShareError::TooFew { need: 3, got });
				for c in (0..5).filter(|c| ![a, b].contains(c) && a != b) {
					let three = [&two[..], &[shares[c].clone()]].concat();
					let joined = join(&three).unwrap();
					assert_eq!(joined.expose_secret(), seed().expose_secret());
				}
			}
		}
		assert!(join(&shares).is_ok());
		assert!(join(&[]).is_err());
	}

	/// A line through two points of a parabola does not meet the secret.
	#[test]
	fn two_shares_of_three_do_not_hold_the_seed() {
		let shares = split(&seed(), 5, 3).unwrap();
		let points = shares[..2].iter().map(|share| {
			let bytes = [&[share.number], &share.value[..]].concat();
			blahaj::Share::try_from(&bytes[..]).unwrap()
		});
		let points: Vec<_> = points.collect();
		let line = Sharks(2).recover(&points).unwrap();
		assert_ne!(line[..], seed().expose_secret()[..]);
	}

	#[test]
	fn shares_that_do_not_belong_together_are_refused() {
		let (shares, again) = (split(&seed(), 5, 3).unwrap(), split(&seed(), 5, 3).unwrap());
		let other = split(&Seed::from_bytes([8; 32]), 5, 3).unwrap();
		let fewer = split(&seed(), 5, 2).unwrap();
		for strange in [&again[2], &other[2], &fewer[2], &again[0]] {
			let mixed = [shares[0].clone(), shares[1].clone(), strange.clone()];
			assert_eq!(join(&mixed).unwrap_err(), ShareError::Different);
		}
	}

	#[test]
	fn numbers_without_sense_are_refused() {
		for (of, need) in [(0, 0), (1, 1), (5, 1), (5, 0), (2, 3)] {
			let refused = split(&seed(), of, need).unwrap_err();
			assert_eq!(refused, ShareError::Numbers { of, need });
		}
		assert_eq!(split(&seed(), 255, 255).unwrap().len(), 255);
	}

	#[test]
	fn every_changed_digit_is_noticed() {
		let share = split(&seed(), 5, 3).unwrap().remove(4);
		let text = share.to_string();
		assert_eq!(text.len(), PREFIX.len() + 2 * LEN);
		assert_eq!(format!(" {text}\n").parse(), Ok(share.clone()));
		assert_eq!((share.need(), share.number()), (3, 5));
		assert_eq!(*share.fingerprint(), seed().fingerprint());
		for at in 0..text.len() {
			let mut changed = text.clone().into_bytes();
			changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
			let changed = String::from_utf8(changed).unwrap();
			let expected = if at < PREFIX.len() {
				ShareError::NotAShare
			} else {
				ShareError::Checksum
			};
			if changed != text {
				assert_eq!(changed.parse::<Share>(), Err(expected), "{at}");
			}
			assert_eq!(text[..at].parse::<Share>(), Err(ShareError::NotAShare));
		}
		assert_eq!(format!("{share:?}"), "Share(..)");
	}

	proptest! {
		#[test]
		fn no_text_makes_the_parser_panic(text: String, digits in "[0-9a-f]{92}") {
			prop_assert!(text.parse::<Share>().is_err());
			let _ = format!("{PREFIX}{digits}").parse::<Share>();
		}
	}
}
