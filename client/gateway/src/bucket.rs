// SPDX-License-Identifier: Apache-2.0
//! The names of buckets. S3's programs accept 3 to 63 lower-case letters, digits and hyphens, and an address
//! distinguishes cases. A bucket is therefore `OWNER-DATASET`, with the first half of the owner's public key in
//! hexadecimal digits and the dataset's number.

use crate::source::Place;

/// How many bytes of the owner's public key are in a bucket's name: too many to find another key with the same ones.
const OWNER: usize = 16;

/// Returns the name of a dataset's bucket.
pub fn name(place: &Place) -> String {
	let owner = place.owner.get(..OWNER).unwrap_or_default();
	format!("{}-{}", hex::encode(owner), place.dataset)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_name_is_one_that_programs_accept() {
		let place = Place {
			owner: [0xab; 32],
			dataset: u32::MAX,
		};
		let name = name(&place);
		assert_eq!(name, format!("{}-4294967295", "ab".repeat(16)));
		assert!(name.len() <= 63);
	}
}
