// SPDX-License-Identifier: Apache-2.0
//! Reads and writes messages of `sc-network-sync`'s `api.v1.proto`, which are protobuf.
//!
//! An encoded answer to a block request (`BlockResponse`) is looked over before it is decoded: an answer of many empty
//! fields takes a hundred times its size in memory once it is decoded.

use crate::machine::MAX_ANSWER;

/// The maximum size of a block's justifications, in bytes.
pub(crate) const MAX_JUSTIFICATION: usize = 1024 * 1024;
/// The maximum number of extrinsics in an answer. Almost every extrinsic is a signed transaction, which has more than 64
/// bytes.
const MAX_EXTRINSICS: usize = MAX_ANSWER as usize / 64;
/// The field of `BlockResponse` that has a block.
const BLOCK: u64 = 1;
/// The fields of a block that have an extrinsic: `body` and `indexed_body`.
const EXTRINSIC: [u64; 2] = [3, 9];
/// The fields of a block that have its justifications, in the old form and the new.
const JUSTIFICATIONS: [u64; 2] = [6, 8];

/// Returns whether an answer has at most `max` blocks, and no more extrinsics and justifications than honest peers send.
pub(crate) fn is_reasonable(mut answer: &[u8], max: usize) -> bool {
	let (mut blocks, mut extrinsics) = (0, 0);
	while !answer.is_empty() {
		let Some((tag, mut block)) = field(&mut answer) else {
			return false;
		};
		if tag != BLOCK {
			continue;
		}
		blocks += 1;
		while !block.is_empty() {
			let Some((tag, value)) = field(&mut block) else {
				return false;
			};
			extrinsics += usize::from(EXTRINSIC.contains(&tag));
			if JUSTIFICATIONS.contains(&tag) && value.len() > MAX_JUSTIFICATION {
				return false;
			}
		}
		if blocks > max || extrinsics > MAX_EXTRINSICS {
			return false;
		}
	}
	true
}

/// Encodes a request for a part of a block's state, with proofs, from the keys `start` on (`StateRequest`).
pub(crate) fn state_request(block: &[u8], start: &[Vec<u8>]) -> Vec<u8> {
	let mut message = Vec::new();
	put(&mut message, 1, block);
	for key in start {
		put(&mut message, 2, key);
	}
	message
}

/// Returns the proof in an answer to such a request (`StateResponse`).
pub(crate) fn state_proof(mut answer: &[u8]) -> Option<Vec<u8>> {
	while !answer.is_empty() {
		let (tag, value) = field(&mut answer)?;
		if tag == 2 {
			return Some(value.to_vec());
		}
	}
	None
}

/// Adds a field of bytes to a message.
fn put(message: &mut Vec<u8>, tag: u8, value: &[u8]) {
	message.push(tag << 3 | 2);
	let mut length = value.len();
	while length > 0x7f {
		message.push((length & 0x7f) as u8 | 0x80);
		length >>= 7;
	}
	message.push(length as u8);
	message.extend(value);
}

/// Takes the next field off a message: its tag and its value, which is empty for a number.
fn field<'a>(message: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
	let key = varint(message)?;
	let length = match key & 7 {
		0 => varint(message).map(|_| 0)?,
		1 => 8,
		2 => usize::try_from(varint(message)?).ok()?,
		5 => 4,
		_ => return None,
	};
	let (value, rest) = message.split_at_checked(length)?;
	*message = rest;
	Some((key >> 3, value))
}

/// Takes a number off a message, lowest seven bits first.
fn varint(message: &mut &[u8]) -> Option<u64> {
	let mut number = 0;
	for shift in (0..64).step_by(7) {
		let (byte, rest) = message.split_first()?;
		*message = rest;
		number |= u64::from(byte & 0x7f) << shift;
		if byte & 0x80 == 0 {
			return Some(number);
		}
	}
	None
}

#[cfg(test)]
mod tests {
	use super::*;

	fn encode(tag: u8, value: &[u8]) -> Vec<u8> {
		let mut message = Vec::new();
		put(&mut message, tag, value);
		message
	}

	#[test]
	fn a_request_for_state_has_a_block_and_keys() {
		let keys = [vec![1, 2], vec![]];
		let message = state_request(&[9; 200], &keys);
		let mut rest = &message[..];
		assert_eq!(field(&mut rest), Some((1, &[9; 200][..])));
		assert_eq!(field(&mut rest), Some((2, &[1, 2][..])));
		assert_eq!(field(&mut rest), Some((2, &[][..])));
		assert!(rest.is_empty());
	}

	#[test]
	fn a_state_is_read_from_its_proof_alone() {
		let mut answer = encode(1, &[7; 9]);
		assert_eq!(state_proof(&answer), None);
		answer.extend(encode(2, &[8; 300]));
		assert_eq!(state_proof(&answer), Some(vec![8; 300]));
		assert_eq!(state_proof(&answer[..20]), None);
	}

	#[test]
	fn blocks_with_bodies_and_justifications_pass() {
		let mut block = encode(2, &[7; 500]);
		block.extend(encode(3, &[7; 300]));
		block.extend(encode(8, &[7; 20_000]));
		// `is_empty_justification`.
		block.extend([7 << 3, 1]);
		let answer = encode(1, &block).repeat(3);
		assert!(is_reasonable(&answer, 3));
		assert!(is_reasonable(&[], 1));
	}

	#[test]
	fn too_many_blocks_are_refused() {
		let answer = encode(1, &[]).repeat(129);
		assert!(!is_reasonable(&answer, 128));
		assert!(is_reasonable(&answer, 129));
	}

	#[test]
	fn too_many_extrinsics_are_refused() {
		for tag in EXTRINSIC {
			let block = |count| encode(1, &encode(tag as u8, &[0]).repeat(count));
			assert!(is_reasonable(&block(MAX_EXTRINSICS), 1));
			assert!(!is_reasonable(&block(MAX_EXTRINSICS + 1), 1));
			assert!(!is_reasonable(&block(MAX_EXTRINSICS / 2 + 1).repeat(2), 2));
		}
	}

	#[test]
	fn too_large_justifications_are_refused() {
		for tag in JUSTIFICATIONS {
			let block = |size| encode(1, &encode(tag as u8, &vec![0; size]));
			assert!(is_reasonable(&block(MAX_JUSTIFICATION), 1));
			assert!(!is_reasonable(&block(MAX_JUSTIFICATION + 1), 1));
		}
	}

	#[test]
	fn what_is_no_message_is_refused() {
		let cut = &encode(1, &[7; 9])[..5];
		let endless = [0xff; 20];
		let group = [1 << 3 | 3];
		for answer in [cut, &endless, &group] {
			assert!(!is_reasonable(answer, 128));
		}
	}
}
