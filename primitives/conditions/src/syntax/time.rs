// SPDX-License-Identifier: Apache-2.0
//! Converts times between seconds since 1970-01-01 UTC and the Gregorian calendar (ISO 8601), and ages between
//! seconds and units.

use crate::condition::LATEST;
use core::fmt;

const DAY: u64 = 24 * 3600;
/// The units of ages and their seconds, the largest first.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// The days of 400 years, after which the calendar repeats.
const DAYS_OF_ERA: u64 = 146_097;
/// The days from 0000-03-01 to 1970-01-01.
const EPOCH: u64 = 719_468;

/// Reads `2027-01-01`, `2027-01-01T08:30Z` or `2027-01-01T08:30:00Z`.
pub(super) fn read(text: &str) -> Option<u64> {
	let (date, time) = match text.split_once('T') {
		Some((date, time)) => (date, time.strip_suffix('Z')?),
		None => (text, "00:00"),
	};
	let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
	let [hour, minute, second] = match numbers(time, ':', [2, 2, 2]) {
		Some(time) => time,
		None => numbers(time, ':', [2, 2]).map(|[hour, minute]| [hour, minute, 0])?,
	};
	let is_valid = (1970..=9999).contains(&year)
		&& (1..=12).contains(&month)
		&& (1..=days_in(year, month)).contains(&day)
		&& hour < 24
		&& minute < 60
		&& second < 60;
	let seconds = || (days(year, month, day) - EPOCH) * DAY + hour * 3600 + minute * 60 + second;
	is_valid.then(seconds)
}

/// Reads decimal numbers of exactly these numbers of digits, between separators.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u64; N]> {
	let mut parts = text.split(separator);
	let mut numbers = [0; N];
	for (number, digits) in numbers.iter_mut().zip(digits) {
		let part = parts.next().filter(|part| part.len() == digits)?;
		let all = part.bytes().all(|byte| byte.is_ascii_digit());
		*number = part.parse().ok().filter(|_| all)?;
	}
	parts.next().is_none().then_some(numbers)
}

fn is_leap(year: u64) -> bool {
	year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
	match month {
		2 if is_leap(year) => 29,
		2 => 28,
		4 | 6 | 9 | 11 => 30,
		_ => 31,
	}
}

/// Returns the days from 0000-03-01 to a date. Years are counted from March, so that a leap day is a year's last day.
fn days(year: u64, month: u64, day: u64) -> u64 {
	let (year, month) = if month > 2 {
		(year, month - 3)
	} else {
		(year - 1, month + 9)
	};
	// Five months from March, or from August, have 153 days.
	year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1
}

/// Shows a time as [`read`] reads it: without the hour if it is midnight.
pub(super) fn show(seconds: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
	let seconds = seconds.min(LATEST);
	let days = seconds / DAY + EPOCH;
	let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
	// Without its leap days, each year has 365 days.
	let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
	let day = day - (365 * year + year / 4 - year / 100);
	let month = (5 * day + 2) / 153;
	let day = day - (153 * month + 2) / 5 + 1;
	let (year, month) = if month < 10 {
		(year, month + 3)
	} else {
		(year + 1, month - 9)
	};
	write!(f, "{:04}-{month:02}-{day:02}", era * 400 + year)?;
	let time = seconds % DAY;
	if time == 0 {
		return Ok(());
	}
	let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
	write!(f, "T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads an age such as `10m`, in seconds.
pub(super) fn read_age(text: &str) -> Option<u32> {
	let (unit, seconds) = UNITS.iter().find(|(unit, _)| text.ends_with(*unit))?;
	let number = text.strip_suffix(*unit)?;
	let digits = number.bytes().all(|byte| byte.is_ascii_digit());
	let number: u32 = number.parse().ok().filter(|_| digits)?;
	number.checked_mul(*seconds).filter(|age| *age > 0)
}

/// Shows an age in its largest whole unit.
pub(super) fn show_age(age: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
	let whole = UNITS
		.iter()
		.find(|(_, seconds)| age.is_multiple_of(*seconds));
	let (unit, seconds) = whole.unwrap_or(&('s', 1));
	write!(f, "{}{unit}", age / seconds)
}
