// SPDX-License-Identifier: Apache-2.0
//! Tests of naming leaves.

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

/// What a card calls leaves.
#[derive(serde::Deserialize)]
struct ToldVector {
	leaves: BTreeMap<u64, String>,
	epoch: Option<Epoch>,
	told: Vec<Told>,
}

#[derive(serde::Deserialize)]
struct Told {
	epoch: Epoch,
	range: (u64, u64),
	text: Option<String>,
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
	told: Vec<ToldVector>,
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
	let vectors: Vectors = serde_json::from_str(include_str!("../../vectors-leaves.json")).unwrap();
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
	for vector in vectors.told {
		let card = LeafNames {
			names: vector.leaves,
			epoch: vector.epoch,
		};
		for Told { epoch, range, text } in vector.told {
			let (from, to) = range;
			let scope = Scope {
				dataset: 0,
				epoch,
				from,
				to,
			};
			assert_eq!(card.text(&scope), text, "{from}..{to}");
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

proptest! {
	#[test]
	fn what_leaves_are_told_as_asks_for_them(
		called in proptest::collection::vec("(20[0-9]{2}(-0[1-3](-0[1-3])?)?|[a-c.]{0,3})", 0..8),
		from in 0u64..9,
		length in 0u64..9,
	) {
		let called: Vec<&str> = called.iter().map(String::as_str).collect();
		let card = names(&called);
		let scope = Scope { dataset: 0, epoch: 0, from, to: from + length };
		if let Some(text) = card.text(&scope) {
			let leaves: Leaves = text.parse().unwrap();
			let (from, to) = match leaves {
				Leaves::Named { from, to } => card.find(&from, &to).unwrap(),
				Leaves::Numbers { .. } => panic!("{text} is not names"),
			};
			prop_assert_eq!((from, to), (scope.from, scope.to));
		}
	}
}
