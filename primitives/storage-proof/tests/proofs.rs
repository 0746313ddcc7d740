// SPDX-License-Identifier: Apache-2.0
//! The proofs of the pieces of objects of all lengths, against BLAKE3's own hash.

use isthmus_storage_proof::*;
use proptest::prelude::*;

/// Returns bytes that do not repeat.
fn object(length: usize) -> Vec<u8> {
	(0..length as u32)
		.map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
		.collect()
}

fn groups(object: &[u8]) -> Vec<Value> {
	let only = object.len() <= GROUP as usize;
	match object {
		[] => vec![group(0, true, &[])],
		object => {
			let groups = (0..).zip(object.chunks(GROUP as usize));
			groups
				.map(|(number, bytes)| group(number, only, bytes))
				.collect()
		}
	}
}

/// Proves a piece as who has the object does.
fn proof(object: &[u8], groups: &[Value], index: u64) -> Option<Proof> {
	let begin = group_of(index)? as usize * GROUP as usize;
	let end = object.len().min(begin + GROUP as usize);
	prove(index, object.get(begin..end)?, groups)
}

fn check(object: &[u8], index: u64) -> Proof {
	let (length, root) = (object.len() as u64, *blake3::hash(object).as_bytes());
	let groups = groups(object);
	assert_eq!(isthmus_storage_proof::root(&groups), Some(root), "{length}");
	let proof = proof(object, &groups, index).expect("there is such a piece");
	assert_eq!(Some(proof.piece.len()), piece_len(length, index));
	assert!(proof.path.len() <= MAX_PATH as usize);
	assert_eq!(
		verify(&root, length, index, &proof.piece, &proof.path),
		Ok(())
	);
	proof
}

#[test]
fn every_piece_of_small_objects_and_around_each_power_of_two_is_proven() {
	for length in (0..=2)
		.chain(1022..=1026)
		.chain((2..=9).flat_map(|n| [n * 1024 - 1, n * 1024, n * 1024 + 1]))
	{
		let object = object(length);
		for index in 0..pieces(length as u64) {
			check(&object, index);
		}
		let groups = groups(&object);
		assert_eq!(proof(&object, &groups, pieces(length as u64)), None);
	}
	let mib = GROUP as usize;
	for length in [
		mib - 1,
		mib,
		mib + 1,
		2 * mib,
		2 * mib + 1024,
		3 * mib - 5,
		5 * mib + 17,
	] {
		let object = object(length);
		let last = pieces(length as u64) - 1;
		for index in [0, 1, 1022, 1023, last / 2, last] {
			check(&object, index);
		}
	}
}

#[test]
fn every_flipped_bit_is_refused() {
	let object = object(3 * GROUP as usize + 700);
	let (length, root) = (object.len() as u64, *blake3::hash(&object).as_bytes());
	for index in [1_500, pieces(length) - 1] {
		let right = check(&object, index);
		let refused = |proof: &Proof| {
			verify(&root, length, index, &proof.piece, &proof.path) == Err(ProofError::WrongBytes)
		};
		for bit in 0..right.piece.len() * 8 {
			let mut wrong = right.clone();
			wrong.piece[bit / 8] ^= 1 << (bit % 8);
			assert!(refused(&wrong), "bit {bit} of the piece");
		}
		for bit in 0..right.path.len() * 256 {
			let mut wrong = right.clone();
			wrong.path[bit / 256][bit / 8 % 32] ^= 1 << (bit % 8);
			assert!(refused(&wrong), "bit {bit} of the path");
		}
	}
}

#[test]
fn a_proof_of_another_shape_is_refused_by_name() {
	let object = object(5_000);
	let (length, root) = (5_000, *blake3::hash(&object).as_bytes());
	let Proof { piece, path } = check(&object, 2);
	let verify = |index, piece: &[u8], path: &[Value]| verify(&root, length, index, piece, path);
	let error = ProofError::NoPiece { index: 5, length };
	assert_eq!(verify(5, &piece, &path), Err(error));
	let error = ProofError::NoPiece {
		index: u64::MAX,
		length,
	};
	assert_eq!(verify(u64::MAX, &piece, &path), Err(error));
	let (expected, got) = (1024, 1023);
	let error = ProofError::PieceLength { expected, got };
	assert_eq!(verify(2, &piece[1..], &path), Err(error));
	// The last piece is shorter, and nearer to the root.
	let (expected, got) = (904, 1024);
	let error = ProofError::PieceLength { expected, got };
	assert_eq!(verify(4, &piece, &path), Err(error));
	let (expected, got) = (3, 2);
	let error = ProofError::PathLength { expected, got };
	assert_eq!(verify(2, &piece, &path[1..]), Err(error));
	let (expected, got) = (1, 3);
	let error = ProofError::PathLength { expected, got };
	assert_eq!(verify(4, &object[4096..], &path), Err(error));
}

#[test]
fn the_longest_object_has_the_longest_path() {
	let length = 1u64 << 40;
	let (piece, path) = ([7; PIECE as usize], [[9; 32]; MAX_PATH as usize]);
	for index in [0, 12_345_678, pieces(length) - 1] {
		let root = root_of(length, index, &piece, &path).expect("a path of 30 values");
		assert_eq!(verify(&root, length, index, &piece, &path), Ok(()));
		assert_eq!(
			verify(&root, length, index ^ 1, &piece, &path),
			Err(ProofError::WrongBytes)
		);
	}
	// No length makes it fail in another way.
	for (length, index) in [(u64::MAX, 0), (u64::MAX, u64::MAX >> 10), (0, 0), (0, 1)] {
		let _ = root_of(length, index, &piece, &path);
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(24))]

	#[test]
	fn each_piece_of_each_object_is_proven_and_no_other(
		length in 0usize..3 << 20, at in any::<u64>(), elsewhere in any::<u64>(),
	) {
		let object = object(length);
		let (count, length) = (pieces(length as u64), length as u64);
		let (index, other) = (at % count, elsewhere % count);
		let proof = check(&object, index);
		let root = *blake3::hash(&object).as_bytes();
		let elsewhere = verify(&root, length, other, &proof.piece, &proof.path);
		prop_assert_eq!(elsewhere.is_ok(), other == index);
		// Neither is it that of a longer or a shorter object.
		for length in [length + 1, length.saturating_sub(1)] {
			let other = verify(&root, length, index, &proof.piece, &proof.path);
			let same_shape = pieces(length) == count && piece_len(length, index) == Some(proof.piece.len());
			prop_assert!(other.is_err() || same_shape);
		}
	}

	#[test]
	fn no_input_panics(
		length in any::<u64>(), index in any::<u64>(), piece in proptest::collection::vec(any::<u8>(), 0..1100),
		path in proptest::collection::vec(any::<[u8; 32]>(), 0..40),
	) {
		let _ = root_of(length, index, &piece, &path);
		let _ = prove(index, &piece, &path);
		let _ = isthmus_storage_proof::root(&path);
	}
}
