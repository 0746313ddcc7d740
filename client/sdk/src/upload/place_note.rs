// SPDX-License-Identifier: Apache-2.0
//! What the journal of an object's upload says about the place that the object is encrypted for.

use crate::types::*;

/// Writes down a place for the journal, without the key that its name has.
pub(crate) fn note(place: &Place) -> String {
	let Place {
		dataset,
		epoch,
		leaf,
		..
	} = place;
	format!("{dataset} {epoch} {leaf}")
}

/// Reads what [`note`] wrote.
pub(crate) fn noted_place(text: &str, key: RecordKey) -> Option<Place> {
	let mut words = text.split(' ');
	let place = Place {
		key,
		dataset: words.next()?.parse().ok()?,
		epoch: words.next()?.parse().ok()?,
		leaf: words.next()?.parse().ok()?,
	};
	words.next().is_none().then_some(place)
}

#[cfg(test)]
mod tests {
	use super::*;
	use subxt::utils::H256;

	#[test]
	fn a_noted_place_is_read_again() {
		let place = Place {
			key: H256([7; 32]),
			dataset: 1,
			epoch: 2,
			leaf: u32::MAX,
		};
		assert_eq!(noted_place(&note(&place), place.key), Some(place));
		for text in ["", "1 2", "1 2 3 4", "1 2 x"] {
			assert_eq!(noted_place(text, place.key), None);
		}
	}
}
