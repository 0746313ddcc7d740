// SPDX-License-Identifier: Apache-2.0
//! What is known of a dataset: what the chain says, and what its card says.

use isthmus_sdk::{CatalogEntry, Text};
use isthmus_tables::card::Summary;

/// A dataset, and what its card says.
pub(super) struct Found {
	pub(super) entry: CatalogEntry,
	pub(super) said: Option<Summary>,
}

impl Found {
	/// Returns whether all of the words, which are in lowercase, are in what is known of the dataset.
	pub(super) fn has(&self, words: &[String]) -> bool {
		let mut texts = vec![plain(&self.entry.dataset.name)];
		let producer = self.entry.producer.as_ref();
		texts.extend(producer.map(|producer| plain(&producer.name)));
		if let Some(said) = &self.said {
			texts.extend([said.name.clone(), said.description.clone()]);
			texts.extend(said.keywords.iter().chain(&said.columns).cloned());
		}
		let text = texts.join("\n").to_lowercase();
		words.iter().all(|word| text.contains(word.as_str()))
	}
}

/// Returns text of the chain as it is, for what escapes it later.
pub(super) fn plain(text: &Text) -> String {
	String::from_utf8_lossy(&text.0).into_owned()
}

#[cfg(test)]
pub(super) mod tests {
	use super::*;
	use isthmus_sdk::{
		facts::response_hash, AccountId, ConsumerKinds, Dataset, Policy, Producer, ProducerKind,
		PublishedCard, PurposeCodes, LEAVES_PER_EPOCH, UNIT,
	};

	/// A policy for everyone.
	pub(in crate::catalog) fn policy() -> Policy {
		Policy {
			price: 2 * UNIT,
			firm_price: None,
			longest_range: LEAVES_PER_EPOCH,
			longest_term: 1000,
			consumers: ConsumerKinds::ALL,
			purposes: PurposeCodes::ALL,
		}
	}

	/// A dataset that has a card.
	pub(in crate::catalog) fn found(name: &str, said: Option<Summary>) -> Found {
		let owner = AccountId::from([7; 32]);
		Found {
			entry: CatalogEntry {
				owner,
				id: 3,
				dataset: Dataset {
					name: Text(name.into()),
					epoch: 0,
					leaves: 0,
					requests: 0,
					grants: 0,
					closed: false,
					deposit: 0,
				},
				controller: owner,
				producer: Some(Producer {
					kind: ProducerKind::School,
					name: Text("High School".into()),
					datasets: 1,
					deposit: 0,
				}),
				policy: Some((policy(), None)),
				card: Some(PublishedCard {
					hash: response_hash(b"the card"),
					by: owner,
					published: 86_400,
				}),
			},
			said,
		}
	}

	/// What a card says that steers a terminal.
	pub(in crate::catalog) fn said() -> Summary {
		Summary {
			name: "marks".into(),
			description: "Marks\nof \u{1b}[2Jall pupils\u{202e}".into(),
			license: Some("CC-BY-4.0".into()),
			date: Some("2025-03-31".into()),
			keywords: vec!["Grades".into()],
			formats: vec!["text/csv".into(), "x/y z".into()],
			columns: (0..20).map(|number| format!("column{number}")).collect(),
			..Summary::default()
		}
	}

	#[test]
	fn a_search_is_for_all_words_in_all_that_is_known() {
		let has = |words: &[&str], found: &Found| {
			let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
			found.has(&words)
		};
		let known = found("Year 9", Some(said()));
		for words in [
			&[][..],
			&["year"],
			&["high", "grades"],
			&["column19", "pupils"],
		] {
			assert!(has(words, &known), "{words:?}");
		}
		assert!(!has(&["high", "weather"], &known));
		assert!(!has(&["pupils"], &found("Year 9", None)));
	}
}
