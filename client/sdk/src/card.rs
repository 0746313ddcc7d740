// SPDX-License-Identifier: Apache-2.0
//! Cards of datasets, as far as the chain knows them: by their hashes.
//!
//! A card says what is in a dataset. It is a file that its owner gives to others, and its hash is a [fact](crate::facts):
//! the account that controls the dataset reports it for a source of its own, `xDIGITS/cards`, with the first 32 digits of
//! its public key. The topic is `dataset-NUMBER` or, for a dataset that it took over, `xDIGITS/NUMBER`, with those of the
//! account in the dataset's address.

use crate::types::*;
use isthmus_conditions::{Name, NameError, Value};

/// How many of an account's bytes are in the names that stand for it.
const DIGITS: usize = 16;

/// The hash of a card on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedCard {
	/// The [hash](crate::facts::response_hash) of the file.
	pub hash: [u8; 32],
	/// The account that published it: the one that controls the dataset.
	pub by: AccountId,
	/// When, in seconds since 1970.
	pub published: Seconds,
}

/// Why a file is not the card of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
	/// The account that controls the dataset published no card of it.
	#[error("{controller} published no card of dataset {dataset}")]
	NotPublished {
		/// Who controls the dataset.
		controller: AccountId,
		/// The dataset.
		dataset: DatasetId,
	},
	/// The file has another hash.
	#[error("this is not the card that {controller} published of dataset {dataset}")]
	Differs {
		/// Who controls the dataset.
		controller: AccountId,
		/// The dataset.
		dataset: DatasetId,
	},
}

/// Returns the names of the source and the topic under which an account reports the hash of a card of a dataset that it
/// controls. Both are short enough for any account and number.
pub(crate) fn place(
	controller: &AccountId,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<(Name, Name), NameError> {
	let topic = match controller == owner {
		true => format!("dataset-{dataset}"),
		false => format!("{}/{dataset}", digits(owner)),
	};
	Ok((
		Name::new(&format!("{}/cards", digits(controller)))?,
		Name::new(&topic)?,
	))
}

/// Returns how names of sources call an account.
fn digits(account: &AccountId) -> String {
	let bytes = account.0.get(..DIGITS).unwrap_or_default();
	format!("x{}", hex::encode(bytes))
}

/// Returns the card that an account published, if one of the reports is its own.
pub(crate) fn published(reports: &[Report], by: &AccountId) -> Option<PublishedCard> {
	let report = reports.iter().find(|report| report.reporter == *by)?;
	match &report.value {
		Value::Hash(hash) => Some(PublishedCard {
			hash: *hash,
			by: *by,
			published: report.observed,
		}),
		_ => None,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_accounts_cards_have_a_place_of_their_own() {
		let [controller, owner] = [[0xab; 32], [0xff; 32]].map(AccountId::from);
		let (source, topic) = place(&owner, &owner, u32::MAX).unwrap();
		assert_eq!(source.as_str(), format!("x{}/cards", "ff".repeat(16)));
		assert_eq!(topic.as_str(), "dataset-4294967295");
		// The one who took it over has a place that tells it from its own dataset of the same number.
		let (source, topic) = place(&controller, &owner, u32::MAX).unwrap();
		assert_eq!(source.as_str(), format!("x{}/cards", "ab".repeat(16)));
		assert_eq!(topic.as_str(), format!("x{}/4294967295", "ff".repeat(16)));
	}

	#[test]
	fn only_the_controllers_own_report_of_a_hash_is_a_card() {
		let [controller, other] = [[1; 32], [2; 32]].map(AccountId::from);
		let report = |reporter, value| Report {
			reporter,
			value,
			observed: 7,
			response: [3; 32],
			deposit: 0,
		};
		let hash = Value::Hash([3; 32]);
		let card = PublishedCard {
			hash: [3; 32],
			by: controller,
			published: 7,
		};
		let reports = [
			report(other, Value::Hash([4; 32])),
			report(controller, hash),
		];
		assert_eq!(published(&reports, &controller), Some(card));
		assert_eq!(published(&reports[..1], &controller), None);
		let number = [report(controller, Value::Integer(3))];
		assert_eq!(published(&number, &controller), None);
	}
}
