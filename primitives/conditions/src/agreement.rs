// SPDX-License-Identifier: Apache-2.0
//! Decides what several reports amount to.

use crate::value::Value;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// Returns the value that reports of different accounts agree on, if at least `quorum` of them do.
///
/// Of at least `quorum` numbers it is the median; of an even number of them the lower of the two in the middle, so
/// that the result is a value that was reported. Otherwise it is the text or hash that at least `quorum` accounts
/// reported. `quorum` must be more than half of the accounts: then no two values can be agreed on, and the median is
/// between two honest reports as long as fewer than half of the quorum lie.
pub(crate) fn agreed(values: &[Value], quorum: usize) -> Option<Value> {
	let mut numbers: Vec<_> = values.iter().filter(|value| value.is_number()).collect();
	if quorum > 0 && numbers.len() >= quorum {
		numbers.sort_by(|one, other| one.compare_numbers(other).unwrap_or(Ordering::Equal));
		return numbers
			.get((numbers.len() - 1) / 2)
			.map(|value| (*value).clone());
	}
	let votes = |value: &Value| values.iter().filter(|other| *other == value).count();
	values
		.iter()
		.find(|value| quorum > 0 && !value.is_number() && votes(value) >= quorum)
		.cloned()
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{Decimal, Text};

	fn integers(integers: &[i64]) -> Vec<Value> {
		integers.iter().copied().map(Value::Integer).collect()
	}

	fn text(text: &str) -> Value {
		Value::Text(Text::new(text).expect("it is short"))
	}

	#[test]
	fn the_median_of_numbers_is_a_reported_one() {
		for (values, quorum, median) in [
			(&[7][..], 1, Some(7)),
			(&[9, -3, 4], 2, Some(4)),
			(&[9, 4], 2, Some(4)),
			(&[1, 8, 2, 9], 3, Some(2)),
			(&[9], 2, None),
			(&[], 1, None),
		] {
			assert_eq!(
				agreed(&integers(values), quorum),
				median.map(Value::Integer),
				"{values:?}"
			);
		}
		let half = Value::Decimal(Decimal::new(45, 1).expect("it is short"));
		let mut mixed = integers(&[4, 5]);
		mixed.push(half.clone());
		assert_eq!(agreed(&mixed, 3), Some(half));
	}

	#[test]
	fn texts_and_hashes_need_a_quorum_that_says_the_same() {
		let (clear, rain) = (text("clear"), text("rain"));
		let values = [clear.clone(), rain.clone(), clear.clone()];
		assert_eq!(agreed(&values, 2), Some(clear.clone()));
		assert_eq!(agreed(&values, 3), None);
		let values = [
			rain.clone(),
			Value::Integer(1),
			clear,
			Value::Hash([1; 32]),
			rain.clone(),
		];
		assert_eq!(agreed(&values, 3), None);
		assert_eq!(agreed(&values[3..], 2), None);
	}

	#[test]
	fn a_minority_of_the_quorum_does_not_move_the_median_beyond_honest_reports() {
		let honest = [70, 71, 72];
		for lies in [
			[i64::MIN, i64::MIN],
			[i64::MIN, i64::MAX],
			[i64::MAX, i64::MAX],
		] {
			let values = integers(&[lies[0], honest[0], honest[1], lies[1], honest[2]]);
			let Some(Value::Integer(median)) = agreed(&values, 5) else {
				panic!("there are five numbers");
			};
			assert!((70..=72).contains(&median));
		}
	}
}
