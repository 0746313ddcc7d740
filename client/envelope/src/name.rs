// SPDX-License-Identifier: Apache-2.0
//! Record names that only their owner can read: a name becomes a record's key by a permutation that only the
//! owner's master secret determines.
//!
//! The permutation is a Feistel network of four rounds over two halves of 16 bytes, with HMAC-SHA256 as round
//! function (Luby and Rackoff, "How to construct pseudorandom permutations from pseudorandom functions", 1988):
//! to anyone without the secret, the key of a name looks like random bytes, and its owner gets the name back
//! from the key alone. A record also contains its name, [sealed](crate::record::Decryptor::name) for its readers.

use crate::{
	derive::{self, redacted_debug, Secret},
	master::MasterSecret,
};

/// HKDF salt of the secret that names are encrypted with.
pub const LABEL: &[u8] = b"isthmus/record-name/v1";
/// Length of a name in bytes, with the zeros that fill it up.
pub const NAME_LEN: usize = 32;

/// The number of rounds. With four, the permutation is secure even if both directions can be asked.
const ROUNDS: u8 = 4;
const HALF: usize = NAME_LEN / 2;

/// Turns the names of an owner's records into their keys on one chain, and back.
#[derive(Clone)]
pub struct NameCipher(Secret);

redacted_debug!(NameCipher);

impl NameCipher {
	/// Derives the permutation: HKDF-SHA256 with [`LABEL`] as salt, the master secret as input and `genesis ‖
	/// owner` as info.
	pub fn new(master: &MasterSecret, genesis: &[u8; 32], owner: &[u8; 32]) -> Self {
		let prk = derive::extract(LABEL, master.expose_secret());
		Self(derive::expand(&prk, &[genesis, owner]))
	}

	/// Returns the key of the record with this name. A shorter name is filled up with zeros.
	pub fn key(&self, name: &[u8; NAME_LEN]) -> [u8; NAME_LEN] {
		let [mut left, mut right] = halves(name);
		for round in 0..ROUNDS {
			(left, right) = (right, self.mixed(left, round, &right));
		}
		joined(left, right)
	}

	/// Returns the name of the record with this key. If the key was not made from a name, the result is random
	/// bytes.
	pub fn name(&self, key: &[u8; NAME_LEN]) -> [u8; NAME_LEN] {
		let [mut left, mut right] = halves(key);
		for round in (0..ROUNDS).rev() {
			(left, right) = (self.mixed(right, round, &left), left);
		}
		joined(left, right)
	}

	/// Returns one half, combined with the first bytes of the HMAC-SHA256 of `round ‖ other`.
	fn mixed(&self, half: [u8; HALF], round: u8, other: &[u8; HALF]) -> [u8; HALF] {
		let mut message = [round; 1 + HALF];
		message[1..].copy_from_slice(other);
		let mask = derive::hmac_sha256(&self.0, &message);
		core::array::from_fn(|i| half[i] ^ mask[i])
	}
}

fn halves(block: &[u8; NAME_LEN]) -> [[u8; HALF]; 2] {
	[0, HALF].map(|at| core::array::from_fn(|i| block[at + i]))
}

fn joined(left: [u8; HALF], right: [u8; HALF]) -> [u8; NAME_LEN] {
	core::array::from_fn(|i| match i < HALF {
		true => left[i],
		false => right[i - HALF],
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	fn cipher(master: u8, genesis: u8, owner: u8) -> NameCipher {
		NameCipher::new(
			&MasterSecret::from_bytes([master; 32]),
			&[genesis; 32],
			&[owner; 32],
		)
	}

	#[test]
	fn a_name_comes_back_from_its_key() {
		let cipher = cipher(1, 2, 3);
		for name in 0..=255u8 {
			let name = core::array::from_fn(|i| name.wrapping_mul(i as u8));
			assert_eq!(cipher.name(&cipher.key(&name)), name);
			assert_eq!(cipher.key(&cipher.name(&name)), name);
		}
	}

	#[test]
	fn every_input_and_every_bit_of_a_name_changes_both_halves_of_the_key() {
		let name = [b'a'; 32];
		let key = cipher(1, 2, 3).key(&name);
		let mut others = vec![
			cipher(9, 2, 3).key(&name),
			cipher(1, 9, 3).key(&name),
			cipher(1, 2, 9).key(&name),
			name,
		];
		for bit in 0..256 {
			let mut name = name;
			name[bit / 8] ^= 1 << (bit % 8);
			others.push(cipher(1, 2, 3).key(&name));
		}
		for other in others {
			assert_ne!(other[..HALF], key[..HALF]);
			assert_ne!(other[HALF..], key[HALF..]);
		}
	}
}
