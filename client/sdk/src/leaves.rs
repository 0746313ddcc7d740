// SPDX-License-Identifier: Apache-2.0
//! Leaves as people ask for them: by numbers, or by names and dates, such as `2026-03..2026-05`.
//!
//! [`Client::scope`](crate::Client::scope) finds the leaves. Names and dates are those of a dataset's card, which calls
//! leaves by names, or else names of records.

use crate::types::*;
use std::{collections::BTreeMap, str::FromStr};

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

/// What a dataset's card calls its leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeafNames(pub BTreeMap<u64, String>);

impl LeafNames {
	/// Returns the first of the leaves from one name or date to another one, both included, and one past the last.
	///
	/// If both are dates, such as 2026, 2026-03 or 2026-03-31, these are the leaves whose names are dates in that time:
	/// `2026-03` is also all days of that March. They have to be one after another. Other names are those of single
	/// leaves.
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
		let mut leaves = self.0.iter().filter(|(_, called)| *called == name);
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
		for (leaf, called) in self.0.iter().filter(|(_, called)| is_date(called)) {
			for asked in [from, to] {
				if is_part(asked, called) && asked != called {
					return Err(LeavesError::Partly {
						leaf: *leaf,
						called: called.clone(),
						asked: asked.to_owned(),
					});
				}
			}
			// Dates are in the order of their texts, and a part of the last one belongs to it.
			if called.as_str() >= from && (called.as_str() <= to || is_part(called, to)) {
				within.insert(*leaf, called);
			}
		}
		for end in [from, to] {
			if !within.values().any(|called| is_part(called, end)) {
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
		match (self.0.first_key_value(), self.0.last_key_value()) {
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
		LeafNames(
			named
				.map(|(leaf, name)| (leaf, (*name).to_owned()))
				.collect(),
		)
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
					let name = leaves.0.get(&leaf).map_or("", String::as_str);
					prop_assert!(is_date(name), "{name}");
					prop_assert!(*name >= *from && (*name <= *to || is_part(name, &to)), "{name}");
				}
			}
		}
	}
}
