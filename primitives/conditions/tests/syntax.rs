// SPDX-License-Identifier: Apache-2.0
//! What is written, what it means, and where errors point.

use codec::{Decode, Encode};
use isthmus_conditions::*;

const ACCOUNT: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

fn parsed(text: &str) -> Condition {
	text.parse()
		.unwrap_or_else(|error: SyntaxError| panic!("{error}\n{}", error.marked(text)))
}

#[test]
fn each_text_is_shown_canonically() {
	let account = |text: &str| text.replace("ACCOUNT", ACCOUNT);
	for (text, canonical) in [
		(
			"fact(weather/beijing, pm25) > 75 and before(2027-01-01)",
			"",
		),
		(
			"  fact( weather/beijing ,pm25,600s )>75.50\n",
			"fact(weather/beijing, pm25, 10m) > 75.5",
		),
		("fact(a,b,86400s)!=-0.0", "fact(a, b, 1d) != 0.0"),
		("fact(a, b) = 007", "fact(a, b) = 7"),
		(
			"fact(a, b) = -0.000000000000000001000",
			"fact(a, b) = -0.000000000000000001",
		),
		("fact(a, b) = -9223372036854775808", ""),
		("fact(a, b) = 12300.00", "fact(a, b) = 12300.0"),
		(r#"fact(a, b) = "北京 said: \"clear\" \\ it's""#, ""),
		(
			r#"fact(a, b) = "\u{41}\u{202e}\u{a}""#,
			r#"fact(a, b) = "A\u{202e}\u{a}""#,
		),
		(
			"fact(a, b) != 0xABcd0101010101010101010101010101010101010101010101010101010101EF",
			"fact(a, b) != 0xabcd0101010101010101010101010101010101010101010101010101010101ef",
		),
		(
			"before(2024-02-29T23:59:59Z) or after(1970-01-01T00:01Z)",
			"before(2024-02-29T23:59:59Z) or after(1970-01-01T00:01:00Z)",
		),
		(
			"not not ((before(9999-12-31)))",
			"not not before(9999-12-31)",
		),
		(
			"paid >= 5 and count < 3 or paid>=6",
			"(paid >= 5 and count < 3) or paid >= 6",
		),
		("(paid >= 1 and paid >= 2) and paid >= 3", ""),
		("not (paid >= 1 or paid >= 2)", ""),
		(
			"credential(ACCOUNT, hospital.accredited) and granted(ACCOUNT,7)",
			"credential(ACCOUNT, hospital.accredited) and granted(ACCOUNT, 7)",
		),
	] {
		let (text, canonical) = (account(text), account(canonical));
		let canonical = if canonical.is_empty() {
			&text
		} else {
			&canonical
		};
		let condition = parsed(&text);
		assert_eq!(&condition.to_string(), canonical);
		assert_eq!(parsed(canonical), condition);
	}
}

#[test]
fn times_are_those_of_the_calendar() {
	for (text, seconds) in [
		("1970-01-01", 0),
		("2000-02-29", 951_782_400),
		("2000-03-01", 951_868_800),
		("2026-11-28T18:09:49Z", 1_795_889_389),
		("2100-03-01", 4_107_542_400),
		("9999-12-31T23:59:59Z", LATEST),
	] {
		let condition = parsed(&format!("before({text})"));
		assert_eq!(condition.root(), &Node::Before(seconds), "{text}");
		assert_eq!(condition.to_string(), format!("before({text})"));
	}
}

#[test]
fn an_error_points_at_the_place() {
	use Expected::*;
	let name = || Name(NameError);
	let long = format!("fact(a, b) = \"{}\"", "x".repeat(65));
	let deep = "not not not not paid >= 1";
	let many = vec!["paid >= 1"; 33].join(" and ");
	let parentheses = "(".repeat(40);
	for (text, place, expected) in [
		("", "", Part),
		("paid", "", Symbol(">=")),
		("paid > 5", ">", Symbol(">=")),
		("paid >= -5", "-5", Amount),
		("count < 4294967296", "4294967296", Number),
		("paid >= 5 paid", "paid", End),
		("(paid >= 5", "", Closing),
		("when(2027-01-01)", "when", Part),
		("paid >= 5 and", "", Part),
		("paid >= 5 and or", "or", Part),
		("before(2027-02-29)", "2027-02-29", Time),
		("before(2027-1-01)", "2027-1-01", Time),
		("before(2027-01-01T24:00Z)", "2027-01-01T24:00Z", Time),
		("before(1969-12-31)", "1969-12-31", Time),
		("fact(Weather, pm25) > 5", "Weather", name()),
		("fact(weather, \"pm25\") > 5", "\"pm25\"", name()),
		("fact(weather/, pm25) > 5", "weather/", name()),
		("fact(weather, pm25, 10) > 5", "10", Age),
		("fact(weather, pm25, 0s) > 5", "0s", Age),
		("fact(weather, pm25, 49711d) > 5", "49711d", Age),
		("fact(weather, pm25) 5", "5", Comparison),
		("fact(weather, pm25) > five", "five", Constant),
		("fact(weather, pm25) > 1.", "1.", Constant),
		("fact(weather, pm25) = 0x12", "0x12", Constant),
		(
			"fact(weather, pm25) > 9223372036854775808",
			"9223372036854775808",
			Integer,
		),
		(
			"fact(weather, pm25) > 0.1234567890123456789",
			"0.1234567890123456789",
			Decimal(DecimalError),
		),
		(
			"fact(weather, pm25) > \"5\"",
			">",
			Bounds(BoundsError::NotOrdered),
		),
		("fact(weather, sky) = \"clear", "\"clear", Quote),
		("fact(weather, sky) = \"é\\n\"", "\\n", Escape),
		("fact(weather, sky) = \"\\u{d800}\"", "\\u", Escape),
		("credential(5Grw, kind)", "5Grw", Account),
		("paid >= 5 & before(2027-01-01)", "&", End),
		(&long, &long[13..], Text(TextError)),
		(deep, deep, Bounds(BoundsError::TooDeep)),
		(
			&many,
			&many[many.len() - 9..],
			Bounds(BoundsError::TooManyNodes),
		),
		(&parentheses, "(", Bounds(BoundsError::TooDeep)),
	] {
		let error = text.parse::<Condition>().expect_err(text);
		assert_eq!(&text[error.span.clone()], place, "{text}");
		assert_eq!(error.expected, expected, "{text}");
	}
}

#[test]
fn an_error_is_marked_below_its_line() {
	let text = "fact(sky, \"é\") = 1\n\tand paid > 5";
	let error = text.parse::<Condition>().unwrap_err();
	assert_eq!(error.marked(text), "fact(sky, \"é\") = 1\n          ^^^");
	let text = "paid >= 1\n\tand paid > 5";
	let error = text.parse::<Condition>().unwrap_err();
	assert_eq!(error.marked(text), " and paid > 5\n          ^");
	assert_eq!(
		error.to_string(),
		"expected `>=` (bytes 20 to 21 of the condition)"
	);
}

#[test]
fn bytes_out_of_bounds_are_refused() {
	let leaf = || Node::CountBelow(1);
	let fact = |oldest, comparison, constant| {
		let (source, topic) = (Name::new("a").unwrap(), Name::new("b").unwrap());
		Node::Fact(FactTest {
			source,
			topic,
			oldest,
			comparison,
			constant,
		})
	};
	let hash = Value::Hash([0; 32]);
	let nested = |levels| (1..levels).fold(leaf(), |part, _| Node::Not(Box::new(part)));
	for (node, error) in [
		(nested(5), BoundsError::TooDeep),
		(Node::All(vec![leaf(); 32]), BoundsError::TooManyNodes),
		(Node::Any(vec![leaf()]), BoundsError::TooFewParts),
		(Node::After(LATEST + 1), BoundsError::TooLate),
		(
			fact(Some(0), Comparison::Equal, hash.clone()),
			BoundsError::NoAge,
		),
		(fact(None, Comparison::Less, hash), BoundsError::NotOrdered),
	] {
		let bytes = node.encode();
		assert_eq!(Condition::new(node), Err(error));
		assert!(Condition::decode(&mut &bytes[..]).is_err());
	}
	assert!(Condition::new(Node::All(vec![leaf(); 31])).is_ok());
	assert!(Condition::new(nested(4)).is_ok());

	// A name, a text and a decimal that have no canonical form, and a list that promises what does not follow.
	assert!(Name::decode(&mut &"Weather".encode()[..]).is_err());
	assert!(Name::decode(&mut &"a".repeat(MAX_NAME_SIZE + 1).encode()[..]).is_err());
	assert!(Text::decode(&mut &"a".repeat(MAX_TEXT_SIZE + 1).encode()[..]).is_err());
	assert!(Text::decode(&mut &vec![0xff_u8].encode()[..]).is_err());
	assert!(Decimal::decode(&mut &(10i64, 1u8).encode()[..]).is_err());
	assert!(Decimal::decode(&mut &(1i64, MAX_SCALE + 1).encode()[..]).is_err());
	assert!(Condition::decode(&mut &[0, 0xfe, 0xff, 0xff, 0xff][..]).is_err());
	assert!(Condition::decode(&mut &[10][..]).is_err());
}

#[test]
fn a_value_alone_is_written_as_in_a_condition() {
	for (text, shown) in [
		(" 75 ", "75"),
		("-12.50", "-12.5"),
		(r#""clear""#, r#""clear""#),
		(ACCOUNT, ACCOUNT),
	] {
		let value: Value = text.parse().expect(text);
		assert_eq!(value.to_string(), shown);
		assert_eq!(shown.parse(), Ok(value));
	}
	for (text, place) in [
		("", ""),
		("clear", "clear"),
		("75 76", "76"),
		("0x12", "0x12"),
		("99999999999999999999", "99999999999999999999"),
	] {
		let error = text.parse::<Value>().expect_err(text);
		assert_eq!(&text[error.span], place, "{text}");
	}
}

#[test]
fn numbers_compare_exactly() {
	let number = |text: &str| match parsed(&format!("fact(a, b) = {text}")).root() {
		Node::Fact(test) => test.constant.clone(),
		_ => unreachable!(),
	};
	for (less, greater) in [
		("-1", "-0.999999999999999999"),
		("9007199254740992", "9007199254740993"),
		("0.1", "0.100000000000000001"),
		("-9223372036854775808", "-9.223372036854775808"),
		("9.223372036854775807", "9223372036854775807"),
	] {
		assert_eq!(
			number(less).compare_numbers(&number(greater)),
			Some(core::cmp::Ordering::Less)
		);
	}
	assert_eq!(number("2").equals(&number("2.00")), Some(true));
	assert_eq!(number("\"2\"").equals(&number("2")), None);
}
