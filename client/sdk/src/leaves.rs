// SPDX-License-Identifier: Apache-2.0
//! Leaves as people ask for them: by numbers, or by names and dates, such as `2026-03..2026-05`.
//!
//! [`Client::scope`](crate::Client::scope) finds the leaves. Names and dates are those of a dataset's card, which calls
//! leaves by names, or else names of records.

use crate::types::*;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Leaves that are asked for.
///
/// ```
/// use isthmus_sdk::Leaves;
///
/// assert_eq!("0..12".parse(), Ok(Leaves::Numbers { from: 0, to: 12 }));
/// let months = Leaves::Named { from: "2026-03".into(), to: "2026-05".into() };
/// assert_eq!("2026-03..2026-05".parse(), Ok(months));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaves {
	/// From one leaf to one past the last.
	Numbers {
		/// The first leaf.
		from: u64,
		/// One past the last leaf.
		to: u64,
	},
	/// From one name or date to another one, both included.
	Named {
		/// The first name.
		from: String,
		/// The last name.
		to: String,
	},
}

/// Why a text asks for no leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected leaves by numbers, such as 0..10, which includes leaf 0 and ends before leaf 10, or by names or dates, such as 2026-03..2026-05, which includes both")]
pub struct LeavesSyntaxError;

impl FromStr for Leaves {
	type Err = LeavesSyntaxError;

	fn from_str(text: &str) -> Result<Self, LeavesSyntaxError> {
		let range = text.split_once("..");
		let (from, to) = range.unwrap_or((text, text));
		let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
		let is_name =
			|part: &str| !part.trim().is_empty() && !part.contains("..") && !part.starts_with('.');
		if !is_name(from) || !is_name(to) {
			return Err(LeavesSyntaxError);
		}
		if !is_number(from) || !is_number(to) {
			let (from, to) = (from.to_owned(), to.to_owned());
			return Ok(Self::Named { from, to });
		}
		match (range, from.parse(), to.parse()) {
			(Some(_), Ok(from), Ok(to)) if from < to && to <= LEAVES_PER_EPOCH => {
				Ok(Self::Numbers { from, to })
			}
			_ => Err(LeavesSyntaxError),
		}
	}
}

/// Leaves of a dataset that are asked for, for [`Client::scope`](crate::Client::scope).
#[derive(Clone, Copy, Debug)]
pub struct LeafQuery<'a> {
	/// The dataset.
	pub dataset: DatasetId,
	/// The epoch.
	pub epoch: Epoch,
	/// Whether someone chose the epoch. Otherwise it is the current one, and need not be the one that names are about.
	pub epoch_named: bool,
	/// The leaves.
	pub leaves: &'a Leaves,
	/// What the dataset's card calls them. Without a card, names are those of records.
	pub card: Option<&'a LeafNames>,
	/// Whether the names of an owner's records also stand for other records between them.
	pub all_between: bool,
}

/// Why leaves that are asked for by names or dates cannot be found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeavesError {
	/// The card has no names of leaves.
	#[error("the card has no names of leaves: ask for them by their numbers")]
	NoNames,
	/// The card calls no leaf so.
	#[error("the card calls no leaf {}: its names go from {} to {}", Shown(.name), Shown(.first), Shown(.last))]
	Unnamed {
		/// The name or the date.
		name: String,
		/// What the card calls the first leaf that it names.
		first: String,
		/// What it calls the last one.
		last: String,
	},
	/// The card calls several leaves so.
	#[error("the card calls both leaf {one} and leaf {other} {}: ask for them by their numbers", Shown(.name))]
	Ambiguous {
		/// The name.
		name: String,
		/// One of the leaves.
		one: u64,
		/// Another one.
		other: u64,
	},
	/// What is written as a number may also be a name or a year in the card.
	#[error("{number} may be a number or a name: the card calls leaf {leaf} {}. For leaves by their numbers, leave the card out; for years, write their first and last months, such as 2019-01..2021-12", Shown(.called))]
	NumberOrName {
		/// The number.
		number: u64,
		/// A leaf that it may stand for.
		leaf: u64,
		/// What the card calls that leaf.
		called: String,
	},
	/// The card is about the leaves of another epoch.
	#[error("the card names the leaves of epoch {card}, and those of epoch {asked} are asked for: name epoch {card}, or use a card of epoch {asked}")]
	OtherEpoch {
		/// The epoch of the card.
		card: Epoch,
		/// The epoch that is asked for.
		asked: Epoch,
	},
	/// The card does not say which epoch's leaves it names, and there are several epochs.
	#[error("the card does not say of which epoch it names the leaves, and the dataset is in epoch {current}: name the epoch, or use a card that says it")]
	NoEpoch {
		/// The current epoch.
		current: Epoch,
	},
	/// A leaf stands for a longer time than what is asked for.
	#[error("leaf {leaf} is all of {}, and {} is only a part of that", Shown(.called), Shown(.asked))]
	Partly {
		/// The leaf.
		leaf: u64,
		/// What the card calls it.
		called: String,
		/// The date that is asked for.
		asked: String,
	},
	/// A leaf that does not belong to what is asked for is among those that do.
	#[error("leaf {leaf} is among the leaves from {} to {}, and the card does not call it one of them: ask for them by their numbers, in several ranges", Shown(.from), Shown(.to))]
	Between {
		/// The leaf.
		leaf: u64,
		/// The first date that is asked for.
		from: String,
		/// The last date.
		to: String,
	},
	/// Other records of the owner are between two that are named.
	#[error("the leaves from {} to {} also have {}: ask for them by their numbers, or say that you mean all between", Shown(.from), Shown(.to), Others(.others))]
	OthersBetween {
		/// The first record's name.
		from: String,
		/// The last record's name.
		to: String,
		/// The names of the records between them; for one that was removed, its leaf.
		others: Vec<String>,
	},
	/// There are too many leaves between two records to look at each.
	#[error("{leaves} leaves are from {} to {}, which are too many to look at each: ask for them by their numbers, or say that you mean all between", Shown(.from), Shown(.to))]
	ManyBetween {
		/// The first record's name.
		from: String,
		/// The last record's name.
		to: String,
		/// How many leaves there are.
		leaves: u64,
	},
	/// A record is the list of a packed folder, whose files are in other records.
	#[error("{} is the list of a packed folder, and its leaf opens none of the files: ask for leaves by their numbers, with those of its packs", Shown(.name))]
	PackedFolder {
		/// The record's name.
		name: String,
	},
	/// The last one comes before the first one.
	#[error("{} comes before {}", Shown(.to), Shown(.from))]
	Backwards {
		/// The first name.
		from: String,
		/// The last name.
		to: String,
	},
	/// The owner has no such record.
	#[error("no record {} is finalized, or its name is hidden: ask for leaves by their numbers, or by the names in the dataset's card", Shown(.name))]
	NoRecord {
		/// The record's name.
		name: String,
	},
	/// The record is in another dataset or epoch.
	#[error("the record {} is in epoch {epoch} of dataset {dataset}: name both, or ask for leaves by their numbers", Shown(.name))]
	Elsewhere {
		/// The record's name.
		name: String,
		/// Its dataset.
		dataset: DatasetId,
		/// Its epoch.
		epoch: Epoch,
	},
}

/// How many records an error names.
const NAMED: usize = 5;

/// Names records, the first few of them.
struct Others<'a>(&'a [String]);

impl fmt::Display for Others<'_> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let named: Vec<_> = self.0.iter().take(NAMED).map(|name| Shown(name)).collect();
		for (index, name) in named.iter().enumerate() {
			let before = if index == 0 { "" } else { ", " };
			write!(f, "{before}{name}")?;
		}
		match self.0.len().saturating_sub(NAMED) {
			0 => Ok(()),
			more => write!(f, " and {more} more"),
		}
	}
}

/// What a dataset's card calls its leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeafNames {
	/// The names.
	pub names: BTreeMap<u64, String>,
	/// The epoch whose leaves these are; `None` if the card does not say it.
	pub epoch: Option<Epoch>,
}

impl LeafNames {
	/// Returns the leaves that are asked for: the first one, and one past the last.
	///
	/// # Errors
	///
	/// Returns a [`LeavesError`] if the card is not about the epoch, if a number is also a name, or if the names stand for no
	/// range.
	pub(crate) fn range(&self, query: &LeafQuery<'_>) -> Result<(u64, u64), LeavesError> {
		let asked = query.epoch;
		match self.epoch {
			Some(card) if card != asked => return Err(LeavesError::OtherEpoch { card, asked }),
			None if asked > 0 && !query.epoch_named => {
				return Err(LeavesError::NoEpoch { current: asked })
			}
			_ => {}
		}
		match query.leaves {
			Leaves::Named { from, to } => self.find(from, to),
			Leaves::Numbers { from, to } => {
				for number in [*from, *to] {
					self.check_number(number)?;
				}
				Ok((*from, *to))
			}
		}
	}

	/// Checks that a number is not what the card calls a leaf, and no year of one.
	fn check_number(&self, number: u64) -> Result<(), LeavesError> {
		let year = format!("{number:04}");
		let is_called = |called: &str| {
			let is_number = called.bytes().all(|byte| byte.is_ascii_digit());
			let is_in_year = is_date(&year) && is_date(called) && is_part(called, &year);
			is_in_year || (is_number && called.parse() == Ok(number))
		};
		match self.names.iter().find(|(_, called)| is_called(called)) {
			Some((leaf, called)) => Err(LeavesError::NumberOrName {
				number,
				leaf: *leaf,
				called: called.clone(),
			}),
			None => Ok(()),
		}
	}

	/// Returns the first of the leaves from one name or date to another one, both included, and one past the last.
	///
	/// If both are dates, such as 2026, 2026-03 or 2026-03-31, these are the leaves whose names are dates in that time:
	/// `2026-03` is also all days of that March, and `2026-01..2026-12` also the whole year. They have to be one after
	/// another. Other names are those of single leaves.
	///
	/// # Errors
	///
	/// Returns a [`LeavesError`] if a name is not there, or if the names stand for no range.
	pub fn find(&self, from: &str, to: &str) -> Result<(u64, u64), LeavesError> {
		let (first, last) = match is_date(from) && is_date(to) {
			true => self.in_time(from, to)?,
			false => (self.called(from)?, self.called(to)?),
		};
		match last < first {
			true => Err(backwards(from, to)),
			false => Ok((first, last.saturating_add(1))),
		}
	}

	/// Returns the only leaf with a name.
	fn called(&self, name: &str) -> Result<u64, LeavesError> {
		let mut leaves = self.names.iter().filter(|(_, called)| *called == name);
		match (leaves.next(), leaves.next()) {
			(Some((leaf, _)), None) => Ok(*leaf),
			(Some((one, _)), Some((other, _))) => Err(LeavesError::Ambiguous {
				name: name.to_owned(),
				one: *one,
				other: *other,
			}),
			(None, _) => Err(self.unnamed(name)),
		}
	}

	/// Returns the first and the last of the leaves in a time.
	fn in_time(&self, from: &str, to: &str) -> Result<(u64, u64), LeavesError> {
		if to < from && !from.starts_with(to) {
			return Err(backwards(from, to));
		}
		let mut within = BTreeMap::new();
		for (leaf, called) in self.names.iter().filter(|(_, called)| is_date(called)) {
			// The first month of a year may stand for where the year begins, and the last one for where it ends.
			let cuts = [
				(
					from,
					is_part(from, called) && first_day(from) != first_day(called),
				),
				(to, is_part(to, called) && last_day(to) != last_day(called)),
			];
			if let Some((asked, _)) = cuts.into_iter().find(|(_, is_cut)| *is_cut) {
				return Err(LeavesError::Partly {
					leaf: *leaf,
					called: called.clone(),
					asked: asked.to_owned(),
				});
			}
			if is_within(called, from, to) {
				within.insert(*leaf, called);
			}
		}
		for end in [from, to] {
			let meets = |called: &&String| is_part(called, end) || is_part(end, called);
			if !within.values().any(meets) {
				return Err(self.unnamed(end));
			}
		}
		let (Some((first, _)), Some((last, _))) =
			(within.first_key_value(), within.last_key_value())
		else {
			return Err(self.unnamed(from));
		};
		let leaves = within.keys().zip(*first..);
		match leaves.into_iter().find(|(leaf, next)| *leaf != next) {
			Some((_, leaf)) => Err(LeavesError::Between {
				leaf,
				from: from.to_owned(),
				to: to.to_owned(),
			}),
			None => Ok((*first, *last)),
		}
	}

	fn unnamed(&self, name: &str) -> LeavesError {
		match (self.names.first_key_value(), self.names.last_key_value()) {
			(Some((_, first)), Some((_, last))) => LeavesError::Unnamed {
				name: name.to_owned(),
				first: first.clone(),
				last: last.clone(),
			},
			_ => LeavesError::NoNames,
		}
	}
}

fn backwards(from: &str, to: &str) -> LeavesError {
	LeavesError::Backwards {
		from: from.to_owned(),
		to: to.to_owned(),
	}
}

/// Returns whether a text is a year, a month or a day, as ISO 8601 writes them.
fn is_date(text: &str) -> bool {
	let mut lengths = Vec::new();
	for part in text.split('-') {
		if !part.bytes().all(|byte| byte.is_ascii_digit()) {
			return false;
		}
		lengths.push(part.len());
	}
	matches!(lengths[..], [4] | [4, 2] | [4, 2, 2])
}

/// Returns whether a date is another one, or a part of it: a month of a year, for example.
fn is_part(date: &str, whole: &str) -> bool {
	match date.strip_prefix(whole) {
		Some(rest) => rest.is_empty() || rest.starts_with('-'),
		None => false,
	}
}

/// Returns the day with which a date begins.
fn first_day(date: &str) -> String {
	filled(date, "-01-01")
}

/// Returns the day with which a date ends, as if each month had 31 days.
fn last_day(date: &str) -> String {
	filled(date, "-12-31")
}

/// Returns a date with the month and the day that it lacks.
fn filled(date: &str, with: &str) -> String {
	let lacks = with.get(date.len().saturating_sub(YEAR)..);
	format!("{date}{}", lacks.unwrap_or_default())
}

/// Returns whether a date is in the time from one to another, both included.
fn is_within(date: &str, from: &str, to: &str) -> bool {
	// Days are in the order of their texts.
	first_day(date) >= first_day(from) && last_day(date) <= last_day(to)
}

/// How many characters a year has.
const YEAR: usize = 4;

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn named(from: &str, to: &str) -> Leaves {
		let (from, to) = (from.to_owned(), to.to_owned());
		Leaves::Named { from, to }
	}

	/// Leaves with these names, from the first leaf on. An empty name is none.
	fn names(names: &[&str]) -> LeafNames {
		let named = (0..).zip(names).filter(|(_, name)| !name.is_empty());
		LeafNames {
			names: named
				.map(|(leaf, name)| (leaf, (*name).to_owned()))
				.collect(),
			epoch: None,
		}
	}

	#[test]
	fn leaves_are_asked_for_by_numbers_or_names() {
		for (text, leaves) in [
			(
				"0..4294967296",
				Leaves::Numbers {
					from: 0,
					to: 1 << 32,
				},
			),
			("2026-03..2026-05", named("2026-03", "2026-05")),
			("2026-03", named("2026-03", "2026-03")),
			("a.csv..b.csv", named("a.csv", "b.csv")),
			("3..b", named("3", "b")),
			("2026..2026-05", named("2026", "2026-05")),
		] {
			assert_eq!(text.parse(), Ok(leaves), "{text}");
		}
		for text in [
			"",
			" ",
			"3",
			"3..3",
			"4..3",
			"0..4294967297",
			"0..99999999999999999999",
			"..3",
			"3..",
			"a..",
			"..b",
			"..",
			"...",
			"a...b",
			"a..b..c",
		] {
			assert_eq!(text.parse::<Leaves>(), Err(LeavesSyntaxError), "{text}");
		}
	}

	#[test]
	fn march_to_may_are_the_leaves_with_these_names() {
		let months = names(&[
			"2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06",
		]);
		assert_eq!(months.find("2026-03", "2026-05"), Ok((2, 5)));
		assert_eq!(months.find("2026-03", "2026-03"), Ok((2, 3)));
		assert_eq!(months.find("2026", "2026"), Ok((0, 6)));
		assert_eq!(months.find("2026", "2026-02"), Ok((0, 2)));
		assert_eq!(months.find("2026-04", "2026"), Ok((3, 6)));
		let days = names(&[
			"2026-02-28",
			"2026-03-01",
			"2026-03-31",
			"2026-04-01",
			"2026-04-01",
		]);
		assert_eq!(days.find("2026-03", "2026-03"), Ok((1, 3)));
		assert_eq!(days.find("2026-03-31", "2026-04"), Ok((2, 5)));
		// Leaves need not be in the order of their dates.
		let mixed = names(&["2026-05", "2026-03", "2026-04", "x"]);
		assert_eq!(mixed.find("2026-03", "2026-05"), Ok((0, 3)));
		// Other names are in the order of their leaves.
		let parts = names(&["preface", "part one", "", "part two", "2026"]);
		assert_eq!(parts.find("part one", "part two"), Ok((1, 4)));
		assert_eq!(parts.find("part two", "2026"), Ok((3, 5)));
	}

	#[test]
	fn names_that_stand_for_no_range_are_refused() {
		use LeavesError::*;
		let text = str::to_owned;
		let months = names(&["2026-01", "2026-02", "2026-03"]);
		let unnamed = |name: &str| {
			let (first, last) = (text("2026-01"), text("2026-03"));
			Err(Unnamed {
				name: text(name),
				first,
				last,
			})
		};
		assert_eq!(months.find("2026-02", "2026-04"), unnamed("2026-04"));
		assert_eq!(months.find("2025-12", "2026-04"), unnamed("2025-12"));
		assert_eq!(months.find("2026-01", "x"), unnamed("x"));
		// A day of a month that is one leaf.
		let partly = Partly {
			leaf: 1,
			called: text("2026-02"),
			asked: text("2026-02-03"),
		};
		assert_eq!(months.find("2026-01", "2026-02-03"), Err(partly));
		let back = Backwards {
			from: text("2026-03"),
			to: text("2026-01"),
		};
		assert_eq!(months.find("2026-03", "2026-01"), Err(back));
		assert_eq!(names(&[]).find("a", "b"), Err(NoNames));
		let twice = names(&["x", "y", "x"]);
		let ambiguous = Ambiguous {
			name: text("x"),
			one: 0,
			other: 2,
		};
		assert_eq!(twice.find("y", "x"), Err(ambiguous));
		let back = Backwards {
			from: text("y"),
			to: text("z"),
		};
		assert_eq!(names(&["z", "y"]).find("y", "z"), Err(back));
		// A leaf in between that has another name or none.
		for middle in ["2025-01", "", "notes"] {
			let between = Between {
				leaf: 1,
				from: text("2026-01"),
				to: text("2026-02"),
			};
			let months = names(&["2026-01", middle, "2026-02"]);
			assert_eq!(months.find("2026-01", "2026-02"), Err(between), "{middle}");
		}
	}

	/// Leaves that the vectors ask for.
	#[derive(serde::Deserialize)]
	#[serde(rename_all = "camelCase")]
	struct AskedVector {
		leaves: String,
		epoch: Epoch,
		is_named: bool,
		range: Option<(u64, u64)>,
		error: Option<String>,
		sentence: Option<String>,
	}

	#[derive(serde::Deserialize)]
	struct CardVector {
		leaves: BTreeMap<u64, String>,
		epoch: Option<Epoch>,
		asked: Vec<AskedVector>,
	}

	#[derive(serde::Deserialize)]
	struct TextVector {
		text: String,
		numbers: Option<(u64, u64)>,
		names: Option<(String, String)>,
	}

	#[derive(serde::Deserialize)]
	#[serde(rename_all = "camelCase")]
	struct Vectors {
		syntax_error: String,
		texts: Vec<TextVector>,
		cards: Vec<CardVector>,
		errors: Vec<serde_json::Value>,
	}

	/// Returns the error that the vectors name, with these details.
	fn error(named: &str, details: &serde_json::Value) -> LeavesError {
		let text = |field: &str| details[field].as_str().unwrap().to_owned();
		let number = |field: &str| details[field].as_u64().unwrap();
		let (from, to) = (|| text("from"), || text("to"));
		match named {
			"OthersBetween" => LeavesError::OthersBetween {
				from: from(),
				to: to(),
				others: serde_json::from_value(details["others"].clone()).unwrap(),
			},
			"ManyBetween" => LeavesError::ManyBetween {
				from: from(),
				to: to(),
				leaves: number("leaves"),
			},
			"Backwards" => backwards(&from(), &to()),
			"NoRecord" => LeavesError::NoRecord { name: text("name") },
			"Elsewhere" => LeavesError::Elsewhere {
				name: text("name"),
				dataset: number("dataset").try_into().unwrap(),
				epoch: number("epoch").try_into().unwrap(),
			},
			other => panic!("the vectors have an unknown error {other}"),
		}
	}

	/// The JavaScript library gives the same answers, in the same words.
	#[test]
	fn the_vectors_pass() {
		let vectors: Vectors =
			serde_json::from_str(include_str!("../vectors-leaves.json")).unwrap();
		assert_eq!(LeavesSyntaxError.to_string(), vectors.syntax_error);
		assert!(vectors.texts.len() >= 30 && vectors.cards.len() >= 16);
		for vector in vectors.texts {
			let numbers = vector
				.numbers
				.map(|(from, to)| Leaves::Numbers { from, to });
			let names = vector.names.map(|(from, to)| named(&from, &to));
			let expected = numbers.or(names).ok_or(LeavesSyntaxError);
			assert_eq!(vector.text.parse(), expected, "{:?}", vector.text);
		}
		for CardVector {
			leaves,
			epoch,
			asked,
		} in vectors.cards
		{
			let card = LeafNames {
				names: leaves,
				epoch,
			};
			for vector in asked {
				let place = (vector.epoch, vector.is_named);
				let found = ranged(&card, &vector.leaves, place);
				assert_eq!(found.clone().ok(), vector.range, "{}", vector.leaves);
				let refused = found.err();
				let sentence = refused.as_ref().map(LeavesError::to_string);
				assert_eq!(sentence, vector.sentence, "{}", vector.leaves);
				let shown = refused.map(|error| format!("{error:?}"));
				let name = shown.as_deref().and_then(|shown| shown.split(' ').next());
				assert_eq!(name, vector.error.as_deref(), "{}", vector.leaves);
			}
		}
		for vector in vectors.errors {
			let named = vector["error"].as_str().unwrap();
			let sentence = error(named, &vector["details"]).to_string();
			assert_eq!(sentence, vector["sentence"], "{named}");
		}
	}

	/// Asks for leaves of an epoch with a card.
	fn ranged(
		card: &LeafNames,
		leaves: &str,
		(epoch, epoch_named): (Epoch, bool),
	) -> Result<(u64, u64), LeavesError> {
		card.range(&LeafQuery {
			dataset: 0,
			epoch,
			epoch_named,
			leaves: &leaves.parse().unwrap(),
			card: Some(card),
			all_between: false,
		})
	}

	#[test]
	fn a_year_is_not_taken_for_the_number_of_a_leaf() {
		let current = (0, false);
		let years = names(&["2019", "2020", "2021", "7"]);
		for (leaves, number, leaf) in [
			("2019..2021", 2019, 0),
			("0..2020", 2020, 1),
			("3..7", 7, 3),
		] {
			let refused = LeavesError::NumberOrName {
				number,
				leaf,
				called: years.names[&leaf].clone(),
			};
			assert_eq!(ranged(&years, leaves, current), Err(refused), "{leaves}");
		}
		let words = ranged(&years, "2019..2021", current)
			.unwrap_err()
			.to_string();
		assert!(words.contains("2019-01..2021-12"), "{words}");
		// What the error says to write is understood.
		assert_eq!(ranged(&years, "2019-01..2021-12", current), Ok((0, 3)));
		assert_eq!(
			ranged(&years, "2020-01-01..2020-12-31", current),
			Ok((1, 2))
		);
		assert!(matches!(
			ranged(&years, "2019-01..2021-11", current),
			Err(LeavesError::Partly { leaf: 2, .. })
		));
		assert!(matches!(
			ranged(&years, "2019-02..2021-12", current),
			Err(LeavesError::Partly { leaf: 0, .. })
		));
		// Months of a year make its number a date, too.
		let months = names(&["2019-01", "2019-02"]);
		assert!(matches!(
			ranged(&months, "2019..2021", current),
			Err(LeavesError::NumberOrName {
				number: 2019,
				leaf: 0,
				..
			})
		));
		assert_eq!(ranged(&months, "2019-01..2019", current), Ok((0, 2)));
		// Other numbers are numbers.
		assert_eq!(ranged(&years, "1..3", current), Ok((1, 3)));
		assert_eq!(ranged(&months, "201..2020", current), Ok((201, 2020)));
	}

	#[test]
	fn names_are_those_of_one_epoch() {
		let mut card = names(&["2025-01", "2025-02", "2025-03"]);
		assert_eq!(ranged(&card, "2025-03", (0, false)), Ok((2, 3)));
		// A card that does not say its epoch is of a dataset that may have another epoch by now.
		let refused = Err(LeavesError::NoEpoch { current: 1 });
		assert_eq!(ranged(&card, "2025-03", (1, false)), refused);
		assert_eq!(ranged(&card, "2025-03", (1, true)), Ok((2, 3)));
		card.epoch = Some(0);
		for is_named in [false, true] {
			let refused = Err(LeavesError::OtherEpoch { card: 0, asked: 1 });
			assert_eq!(ranged(&card, "2025-03", (1, is_named)), refused);
			assert_eq!(ranged(&card, "2025-03", (0, is_named)), Ok((2, 3)));
		}
	}

	#[test]
	fn what_lies_between_two_records_is_named() {
		let text = str::to_owned;
		let words = |others: &[&str]| {
			LeavesError::OthersBetween {
				from: text("january.csv"),
				to: text("march.csv"),
				others: others.iter().copied().map(text).collect(),
			}
			.to_string()
		};
		let one = words(&["salaries.csv"]);
		assert!(
			one.starts_with("the leaves from january.csv to march.csv also have salaries.csv: "),
			"{one}"
		);
		let many = words(&["a", "b", "c", "d", "e", "f", "g"]);
		assert!(
			many.contains("also have a, b, c, d, e and 2 more: "),
			"{many}"
		);
		assert!(!words(&["\u{1b}[2J"]).contains('\u{1b}'));
	}

	#[test]
	fn errors_do_not_steer_a_terminal() {
		let error = names(&["\u{1b}[2J"]).find("a\u{202e}", "b").unwrap_err();
		let words = error.to_string();
		assert!(!words.contains(['\u{1b}', '\u{202e}']), "{words}");
	}

	proptest! {
		/// What is found are leaves that the card names, and for dates each of them is asked for.
		#[test]
		fn found_leaves_have_dates_in_the_time(
			called in prop::collection::vec("202[56](-0[12](-0[12])?)?|x?", 0..6),
			from in "202[56](-0[12](-0[12])?)?",
			to in "202[56](-0[12](-0[12])?)?",
		) {
			let called: Vec<_> = called.iter().map(String::as_str).collect();
			let leaves = names(&called);
			if let Ok((first, end)) = leaves.find(&from, &to) {
				prop_assert!(first < end);
				for leaf in first..end {
					let name = leaves.names.get(&leaf).map_or("", String::as_str);
					prop_assert!(is_date(name), "{name}");
					prop_assert!(is_within(name, &from, &to), "{name}");
				}
			}
		}
	}
}
