// SPDX-License-Identifier: Apache-2.0
//! Names of shares, schemas and tables. They have no spaces and slashes, those of schemas and tables no points, and capital
//! letters do not count. Programs write all three with points between them.

use crate::source::{Dataset, Place};

/// The path below which everything of Delta Sharing is.
pub(crate) const ROOT: &str = "/delta-sharing";
/// How many bytes of the owner's public key are in a share's name, as in the name of a bucket.
const OWNER: usize = 16;
/// The longest part of a name that comes from someone else, in characters.
const LONGEST: usize = 200;

/// Returns the name of an owner's share. An address would have capital letters that count.
pub(super) fn share(place: &Place) -> String {
	hex::encode(place.owner.get(..OWNER).unwrap_or_default())
}

/// Returns the name of a dataset's schema: its name and, as several may have the same one, its number.
pub(super) fn schema(dataset: &Dataset) -> String {
	format!(
		"{}_{}",
		clean(&dataset.name, "dataset"),
		dataset.place.dataset
	)
}

/// Returns a text without the characters that a name cannot have.
pub(super) fn clean(text: &str, or: &str) -> String {
	let allowed = |c: char| match c.is_alphanumeric() || c == '-' {
		true => c,
		false => '_',
	};
	match text.is_empty() {
		true => or.to_owned(),
		false => text.chars().take(LONGEST).map(allowed).collect(),
	}
}

/// Returns a name as it is compared.
pub(super) fn folded(name: &str) -> String {
	name.to_lowercase()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn names_are_those_of_the_protocol() {
		let place = Place {
			owner: [0xab; 32],
			dataset: 7,
		};
		assert_eq!(share(&place), "ab".repeat(16));
		for (name, expected) in [
			("marks", "marks_7"),
			("Marks of 2025/26. ü\u{7f}", "Marks_of_2025_26__ü__7"),
			("", "dataset_7"),
		] {
			let dataset = Dataset {
				place,
				name: name.into(),
				is_open: true,
			};
			assert_eq!(schema(&dataset), expected);
		}
		assert_eq!(clean(&"x".repeat(300), ""), "x".repeat(200));
		assert_eq!(folded("MaRKS_Ü"), folded("marks_ü"));
	}
}
