// SPDX-License-Identifier: Apache-2.0
//! A condition stays the same however it is written down, and is evaluated as a plain evaluator says, which shares
//! nothing with the crate's.

use codec::{Decode, Encode, MaxEncodedLen};
use isthmus_conditions::*;
use proptest::prelude::*;
use std::{collections::BTreeMap, str::FromStr};

/// What is known in a random world. Few names, so that tests meet facts.
#[derive(Clone, Debug)]
struct Known {
	now: u64,
	/// The value and the age of a fact.
	facts: BTreeMap<(String, String), (Value, u32)>,
	credentials: Vec<([u8; 32], String)>,
	grants: Vec<([u8; 32], u32)>,
	paid: Option<u128>,
	count: Option<u32>,
}

impl World for Known {
	fn now(&self) -> u64 {
		self.now
	}

	fn fact(&self, source: &Name, topic: &Name, oldest: Option<u32>) -> Option<Value> {
		let key = (source.to_string(), topic.to_string());
		let (value, age) = self.facts.get(&key)?;
		(*age <= oldest.unwrap_or(u32::MAX)).then(|| value.clone())
	}

	fn has_credential(&self, issuer: &[u8; 32], kind: &Name) -> Option<bool> {
		Some(self.credentials.contains(&(*issuer, kind.to_string())))
	}

	fn has_grant(&self, owner: &[u8; 32], dataset: u32) -> Option<bool> {
		Some(self.grants.contains(&(*owner, dataset)))
	}

	fn paid(&self) -> Option<u128> {
		self.paid
	}

	fn grants(&self) -> Option<u32> {
		self.count
	}
}

/// The numbers 0, 1 and 2 for false, unknown and true: `and` is the minimum, `or` the maximum, `not` the difference
/// from 2.
fn plainly(node: &Node, known: &Known) -> u8 {
	let truth = |is_true: bool| if is_true { 2 } else { 0 };
	match node {
		Node::All(parts) => parts
			.iter()
			.map(|part| plainly(part, known))
			.min()
			.expect("it has parts"),
		Node::Any(parts) => parts
			.iter()
			.map(|part| plainly(part, known))
			.max()
			.expect("it has parts"),
		Node::Not(part) => 2 - plainly(part, known),
		Node::Before(time) => truth(known.now < *time),
		Node::After(time) => truth(known.now >= *time),
		Node::Fact(test) => fact_plainly(test, known),
		Node::Credential { issuer, kind } => truth(
			known
				.credentials
				.iter()
				.any(|one| one.0 == *issuer && one.1 == kind.as_str()),
		),
		Node::Granted { owner, dataset } => truth(
			known
				.grants
				.iter()
				.any(|one| one.0 == *owner && one.1 == *dataset),
		),
		Node::PaidAtLeast(amount) => known.paid.map_or(1, |paid| truth(paid >= *amount)),
		Node::CountBelow(number) => known.count.map_or(1, |count| truth(count < *number)),
	}
}

fn fact_plainly(test: &FactTest, known: &Known) -> u8 {
	let key = (test.source.to_string(), test.topic.to_string());
	let Some((value, age)) = known.facts.get(&key) else {
		return 1;
	};
	if test.oldest.is_some_and(|oldest| *age > oldest) {
		return 1;
	}
	let order = match (units(value), units(&test.constant)) {
		(Some(one), Some(other)) => one.cmp(&other),
		(None, None) if std::mem::discriminant(value) == std::mem::discriminant(&test.constant) => {
			value.to_string().cmp(&test.constant.to_string())
		}
		_ => return 1,
	};
	let holds = match test.comparison {
		Comparison::Equal => order.is_eq(),
		Comparison::NotEqual => order.is_ne(),
		Comparison::Less => order.is_lt(),
		Comparison::LessOrEqual => order.is_le(),
		Comparison::Greater => order.is_gt(),
		Comparison::GreaterOrEqual => order.is_ge(),
	};
	if holds {
		2
	} else {
		0
	}
}

/// A number in units of 10^-18, from the digits that are shown.
fn units(value: &Value) -> Option<i128> {
	if matches!(value, Value::Text(_) | Value::Hash(_)) {
		return None;
	}
	let shown = value.to_string();
	let (whole, fraction) = shown.split_once('.').unwrap_or((&shown, ""));
	format!("{whole}{fraction:0<18}").parse().ok()
}

fn name() -> impl Strategy<Value = Name> {
	prop_oneof![
		3 => "[ab]",
		1 => "[a-z]([a-z0-9._/-]{0,46}[a-z0-9])?",
	]
	.prop_map(|name| Name::new(&name).expect("the pattern is a name's"))
}

fn account() -> impl Strategy<Value = [u8; 32]> {
	prop_oneof![3 => (0..2u8).prop_map(|byte| [byte; 32]), 1 => any::<[u8; 32]>()]
}

fn number() -> impl Strategy<Value = Value> {
	let decimal = |(mantissa, scale): (i64, u32)| {
		Decimal::new(mantissa.into(), scale).expect("it is within the bounds")
	};
	prop_oneof![
		(-3..4i64).prop_map(Value::Integer),
		any::<i64>().prop_map(Value::Integer),
		(-30..40i64, 0..3u32)
			.prop_map(decimal)
			.prop_map(Value::Decimal),
		(any::<i64>(), 0..19u32)
			.prop_map(decimal)
			.prop_map(Value::Decimal),
	]
}

fn other() -> impl Strategy<Value = Value> {
	let text = |text: String| Value::Text(Text::new(&text).expect("it is short"));
	prop_oneof![
		"[xy]".prop_map(text),
		any::<[char; 16]>()
			.prop_map(|text| text.iter().collect())
			.prop_map(text),
		r#"[ -~]{0,64}"#.prop_map(text),
		account().prop_map(Value::Hash),
	]
}

fn fact_test() -> impl Strategy<Value = Node> {
	use Comparison::*;
	let ordered = prop::sample::select(vec![
		Equal,
		NotEqual,
		Less,
		LessOrEqual,
		Greater,
		GreaterOrEqual,
	]);
	let unordered = prop::sample::select(vec![Equal, NotEqual]);
	let compared = prop_oneof![(ordered, number()), (unordered, other())];
	let oldest = prop::option::of(prop_oneof![1..4u32, 1..=u32::MAX]);
	(name(), name(), oldest, compared).prop_map(
		|(source, topic, oldest, (comparison, constant))| {
			Node::Fact(FactTest {
				source,
				topic,
				oldest,
				comparison,
				constant,
			})
		},
	)
}

fn test() -> impl Strategy<Value = Node> {
	let time = prop_oneof![
		0..10u64,
		0..=LATEST,
		(0..=LATEST / 86_400).prop_map(|day| day * 86_400)
	];
	prop_oneof![
		time.clone().prop_map(Node::Before),
		time.prop_map(Node::After),
		fact_test(),
		fact_test(),
		(account(), name()).prop_map(|(issuer, kind)| Node::Credential { issuer, kind }),
		(account(), 0..3u32).prop_map(|(owner, dataset)| Node::Granted { owner, dataset }),
		prop_oneof![0..5u128, any::<u128>()].prop_map(Node::PaidAtLeast),
		prop_oneof![0..5u32, any::<u32>()].prop_map(Node::CountBelow),
	]
}

/// A tree, which may violate the bounds.
fn tree() -> impl Strategy<Value = Node> {
	test().prop_recursive(4, 40, 8, |part| {
		prop_oneof![
			prop::collection::vec(part.clone(), 1..8).prop_map(Node::All),
			prop::collection::vec(part.clone(), 1..8).prop_map(Node::Any),
			part.prop_map(|part| Node::Not(Box::new(part))),
		]
	})
}

fn condition() -> impl Strategy<Value = Condition> {
	tree().prop_filter_map("out of bounds", |root| Condition::new(root).ok())
}

fn known() -> impl Strategy<Value = Known> {
	let facts = prop::collection::btree_map(
		("[ab]", "[ab]"),
		(prop_oneof![number(), other()], 0..5u32),
		0..5,
	);
	let credentials = prop::collection::vec((account(), "[ab]"), 0..3);
	let grants = prop::collection::vec((account(), 0..3u32), 0..3);
	let paid = prop::option::of(0..5u128);
	let count = prop::option::of(0..5u32);
	(0..10u64, facts, credentials, grants, paid, count).prop_map(
		|(now, facts, credentials, grants, paid, count)| Known {
			now,
			facts,
			credentials,
			grants,
			paid,
			count,
		},
	)
}

/// The number of levels and of nodes of a tree, and whether each `and` and `or` has two parts.
fn size(node: &Node) -> (usize, usize, bool) {
	match node {
		Node::All(parts) | Node::Any(parts) => {
			let sizes: Vec<_> = parts.iter().map(size).collect();
			let levels = sizes.iter().map(|size| size.0).max().unwrap_or(0);
			let nodes: usize = sizes.iter().map(|size| size.1).sum();
			(
				levels + 1,
				nodes + 1,
				parts.len() > 1 && sizes.iter().all(|size| size.2),
			)
		}
		Node::Not(part) => {
			let (levels, nodes, is_full) = size(part);
			(levels + 1, nodes + 1, is_full)
		}
		_ => (1, 1, true),
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(1000))]

	#[test]
	fn what_is_shown_is_parsed_as_the_same(condition in condition()) {
		let shown = condition.to_string();
		prop_assert!(!shown.contains(char::is_control));
		prop_assert_eq!(Condition::from_str(&shown), Ok(condition));
	}

	#[test]
	fn what_is_encoded_is_decoded_as_the_same(condition in condition()) {
		let bytes = condition.encode();
		prop_assert!(bytes.len() <= Condition::max_encoded_len());
		prop_assert_eq!(Condition::decode(&mut &bytes[..]), Ok(condition));
	}

	#[test]
	fn exactly_what_is_within_the_bounds_is_a_condition(tree in tree()) {
		let (levels, nodes, is_full) = size(&tree);
		let is_within = levels <= MAX_DEPTH && nodes <= MAX_NODES && is_full;
		let bytes = tree.encode();
		prop_assert_eq!(Condition::new(tree).is_ok(), is_within);
		prop_assert_eq!(Condition::decode(&mut &bytes[..]).is_ok(), is_within);
	}

	#[test]
	fn a_condition_is_evaluated_as_plainly(condition in condition(), known in known()) {
		let expected = [Truth::False, Truth::Unknown, Truth::True][usize::from(plainly(condition.root(), &known))];
		prop_assert_eq!(condition.evaluate(&known), expected);
		let parsed: Condition = condition.to_string().parse().expect("what is shown can be parsed");
		prop_assert_eq!(parsed.evaluate(&known), expected);
	}

	/// A met condition stays met, whatever is learned besides: what is missing never decides.
	#[test]
	fn a_missing_fact_never_meets_a_condition(condition in condition(), known in known(), more in known()) {
		let before = condition.evaluate(&known);
		let mut learned = known.clone();
		for (key, fact) in more.facts {
			learned.facts.entry(key).or_insert((fact.0, 0));
		}
		learned.paid = known.paid.or(more.paid);
		learned.count = known.count.or(more.count);
		if before != Truth::Unknown {
			prop_assert_eq!(condition.evaluate(&learned), before);
		}
	}

	#[test]
	fn any_bytes_are_refused_or_decoded_canonically(bytes in prop::collection::vec(0..12u8, 0..80)) {
		let mut rest = &bytes[..];
		if let Ok(condition) = Condition::decode(&mut rest) {
			prop_assert_eq!(condition.encode(), &bytes[..bytes.len() - rest.len()]);
		}
	}

	/// Words of the syntax in any order: an error points into the text, at whole characters.
	#[test]
	fn any_text_is_parsed_or_refused_at_a_place(words in prop::collection::vec(prop::sample::select(vec![
		"before", "after", "fact", "credential", "granted", "paid", "count", "and", "or", "not", "(", "(", ")", ")", ",",
		"<", ">=", "=", "a", "1", "0x", "10m", "1.5", "\"é\"", "\"", "\\", "é", "2027-01-01", "2027-01-01T00:00:60Z", "\n",
	]), 0..24)) {
		let text = words.join(" ");
		match Condition::from_str(&text) {
			Ok(condition) => prop_assert_eq!(condition.to_string().parse(), Ok(condition)),
			Err(error) => {
				prop_assert!(text.get(error.span.clone()).is_some());
				prop_assert_eq!(error.marked(&text).lines().count(), 2);
			}
		}
	}
}
