// SPDX-License-Identifier: Apache-2.0
//! The header of a record or an object, as far as it concerns keys: its salt and its commitment to the leaf's key.
//!
//! All versions of the header begin with `version ‖ chunk size ‖ length ‖ salt ‖ commitment`. AES-GCM alone would allow a
//! value that decrypts differently under two keys. With the commitment, a header is under one leaf's key and no other.

use crate::{
	derive::{self, Secret},
	tree::LeafKey,
};

/// First byte of the header of a record without a name.
pub const RECORD_VERSION: u8 = 1;
/// First byte of the header of a record that contains its name.
pub const NAMED_RECORD_VERSION: u8 = 2;
/// First byte of the header of an object.
pub const OBJECT_VERSION: u8 = 3;
/// Length of the part of the header that all versions have, in bytes.
pub const LEN: usize = 77;
/// Where the salt begins.
pub const SALT_AT: usize = 13;
/// Where the commitment begins.
pub const COMMITMENT_AT: usize = 45;

/// The labels of a format's keys.
#[derive(Debug, Clone, Copy)]
pub struct Labels {
	/// HKDF info of the key that encrypts the chunks.
	pub key: &'static [u8],
	/// HKDF info of the commitment to the leaf's key.
	pub commitment: &'static [u8],
}

/// The labels of a record.
pub const RECORD: Labels = Labels {
	key: b"isthmus/record-key/v1",
	commitment: b"isthmus/record-commitment/v1",
};

/// The labels of an object.
pub const OBJECT: Labels = Labels {
	key: b"isthmus/object-key/v1",
	commitment: b"isthmus/object-commitment/v1",
};

/// Derives the key of the chunks and the commitment, both from the leaf's key and the salt.
pub fn chunk_key(leaf: &LeafKey, salt: &[u8; 32], labels: &Labels) -> (Secret, [u8; 32]) {
	let prk = derive::extract(salt, leaf.expose_secret());
	(
		derive::expand(&prk, &[labels.key]),
		*derive::expand(&prk, &[labels.commitment]),
	)
}

/// Returns `N` bytes of a header, starting at `at`.
pub fn field<const N: usize>(header: &[u8; LEN], at: usize) -> [u8; N] {
	core::array::from_fn(|i| header[at + i])
}

/// Returns whether a record that begins with these bytes is encrypted under a leaf's key, as far as its header says. It is
/// not if it does not begin with the header of a record.
pub fn is_record_of(record: &[u8], leaf: &LeafKey) -> bool {
	is_of(
		record,
		leaf,
		&[RECORD_VERSION, NAMED_RECORD_VERSION],
		&RECORD,
	)
}

/// Returns whether an object with this header is encrypted under a leaf's key, as far as the header says.
pub fn is_object_of(header: &[u8], leaf: &LeafKey) -> bool {
	is_of(header, leaf, &[OBJECT_VERSION], &OBJECT)
}

fn is_of(bytes: &[u8], leaf: &LeafKey, versions: &[u8], labels: &Labels) -> bool {
	let Some(header) = bytes.first_chunk::<LEN>() else {
		return false;
	};
	let (_, commitment) = chunk_key(leaf, &field(header, SALT_AT), labels);
	versions.contains(&header[0]) && commitment == field(header, COMMITMENT_AT)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{EpochId, MasterSecret};

	fn leaf(number: u32) -> LeafKey {
		let id = EpochId {
			genesis: [1; 32],
			owner: [2; 32],
			dataset: 0,
			epoch: 0,
		};
		let root = MasterSecret::from_bytes([7; 32]).epoch_root(&id);
		root.leaf_key(number)
	}

	fn header(version: u8, labels: &Labels) -> [u8; LEN] {
		let mut header = [9; LEN];
		header[0] = version;
		let (_, commitment) = chunk_key(&leaf(3), &[9; 32], labels);
		header[COMMITMENT_AT..].copy_from_slice(&commitment);
		header
	}

	#[test]
	fn a_header_is_of_one_leaf_and_one_format() {
		for version in 0..=255 {
			let (record, object) = (header(version, &RECORD), header(version, &OBJECT));
			assert_eq!(is_record_of(&record, &leaf(3)), [1, 2].contains(&version));
			assert_eq!(is_object_of(&object, &leaf(3)), version == 3);
			assert!(!is_record_of(&object, &leaf(3)) && !is_object_of(&record, &leaf(3)));
			assert!(!is_record_of(&record, &leaf(4)) && !is_object_of(&object, &leaf(4)));
		}
		let record = header(1, &RECORD);
		for short in 0..LEN {
			assert!(!is_record_of(&record[..short], &leaf(3)));
		}
		for at in SALT_AT..LEN {
			let mut changed = record;
			changed[at] ^= 1;
			assert!(!is_record_of(&changed, &leaf(3)));
		}
	}
}
