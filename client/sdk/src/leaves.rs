// SPDX-License-Identifier: Apache-2.0
//! Leaves as people ask for them: by numbers, or by names and dates, such as `2026-03..2026-05`.
//!
//! [`Client::scope`](crate::Client::scope) finds the leaves. Names and dates are those of a dataset's card, which calls
//! leaves by names, or else names of records.

use crate::{text::Listing, types::*};
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

impl LeavesError {
	/// Returns all that the error lists; `None` if it lists nothing.
	pub fn listing(&self) -> Option<Listing> {
		let Self::OthersBetween { from, to, others } = self else {
			return None;
		};
		let words = |count: usize| {
			format!("the leaves from {} to {} also have {count} other records: ask for them by their numbers, or say that you mean all between", Shown(from), Shown(to))
		};
		Some(Listing::new(others.clone(), words))
	}
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

	/// Returns what the card calls leaves, as they may be asked for: `2026-03..2026-05`, or one name. `None` if it has no names
	/// that stand for these leaves and no others.
	///
	/// ```
	/// use isthmus_sdk::{LeafNames, Scope};
	///
	/// let months = ["2026-03", "2026-04", "2026-05"].map(str::to_owned);
	/// let names = (2..).zip(months).collect();
	/// let card = LeafNames { names, epoch: Some(0) };
	/// let scope = Scope { dataset: 7, epoch: 0, from: 2, to: 5 };
	/// assert_eq!(card.text(&scope), Some("2026-03..2026-05".into()));
	/// ```
	#[must_use]
	pub fn text(&self, scope: &Scope) -> Option<String> {
		let (from, to) = (scope.from, scope.to);
		let name = |leaf: u64, month: &str| {
			let name = self.names.get(&leaf)?;
			// A year alone may be a number.
			let is_year = name.len() == YEAR && is_date(name);
			Some(match is_year {
				true => format!("{name}-{month}"),
				false => name.clone(),
			})
		};
		let (first, last) = (name(from, "01")?, name(to.checked_sub(1)?, "12")?);
		let text = match first == last {
			true => first,
			false => format!("{first}..{last}"),
		};
		let leaves = text.parse().ok()?;
		let query = LeafQuery {
			dataset: scope.dataset,
			epoch: scope.epoch,
			epoch_named: false,
			leaves: &leaves,
			card: None,
			all_between: false,
		};
		(self.range(&query) == Ok((from, to))).then_some(text)
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
mod tests;
