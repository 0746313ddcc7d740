// SPDX-License-Identifier: Apache-2.0
//! Proofs are verified, and refused by name.

use crate::{mock::*, Event};
use frame_support::{assert_noop, assert_ok};
use isthmus_storage_proof::{periods::DEPTH, pieces, Proof};
use polkadot_sdk::*;

#[test]
fn a_proof_of_the_drawn_piece_counts_once_in_a_period() {
	run(|| {
		store(1, 2 << 20);
		assert_ok!(keep(BOB));
		// The period in which he came.
		assert_noop!(prove(BOB), Error::NotDue);
		assert_eq!(drawn(BOB), None);
		to_period(2);
		let (place, index) = drawn(BOB).expect("it is due");
		assert_ok!(prove(BOB));
		let Event::Proven {
			object,
			piece,
			period: 2,
			..
		} = last_event()
		else {
			panic!("not a proof of period 2");
		};
		assert_eq!((object, piece), (place, index));
		let kept = entry(BOB).expect("he has a place");
		assert_eq!((kept.kept, kept.proven, kept.settled), (1, Some(20), 2));
		assert_noop!(prove(BOB), Error::NotDue);
		assert_noop!(send(CHARLIE, proof(0, 0)), Error::NotKeeper);
		to_block(29);
		assert_noop!(prove(BOB), Error::NotDue);
		to_period(3);
		assert_ok!(prove(BOB));
		assert_eq!(
			entry(BOB).map(|kept| (kept.kept, kept.missed)),
			Some((2, 0))
		);
	});
}

#[test]
fn every_lie_is_refused_by_name() {
	run(|| {
		store(1, (2 << 20) + 700);
		assert_ok!(keep(BOB));
		to_period(2);
		let (place, index) = drawn(BOB).expect("it is due");
		let right = proof(place, index);
		for bit in [0, 9, right.piece.len() * 8 - 1] {
			let mut wrong = right.clone();
			wrong.piece[bit / 8] ^= 1 << (bit % 8);
			assert_noop!(send(BOB, wrong), Error::ProofWrong);
		}
		for level in 0..right.path.len() {
			let mut wrong = right.clone();
			wrong.path[level][level] ^= 1;
			assert_noop!(send(BOB, wrong), Error::ProofWrong);
		}
		let mut short = right.clone();
		short.piece.pop();
		assert_noop!(send(BOB, short), Error::PieceLengthWrong);
		let mut short = right.clone();
		short.path.pop();
		assert_noop!(send(BOB, short), Error::PathLengthWrong);
		// Another piece of the same object, rightly proven.
		let elsewhere = proof(place, (index + 1) % (pieces(2 << 20) - 1));
		assert_noop!(send(BOB, elsewhere), Error::ProofWrong);
		assert_ok!(send(BOB, right));
	});
}

#[test]
fn each_keeper_and_each_period_has_a_draw_of_its_own() {
	run(|| {
		store(1, 4 << 20);
		assert_ok!(keep(BOB));
		assert_ok!(keep(CHARLIE));
		to_period(2);
		let (bobs, charlies) = (drawn(BOB), drawn(CHARLIE));
		assert_ne!(bobs, charlies);
		let (place, index) = bobs.expect("it is due");
		let bobs_proof = proof(place, index);
		// A copied proof is of no use.
		assert_noop!(send(CHARLIE, bobs_proof.clone()), Error::ProofWrong);
		assert_ok!(send(BOB, bobs_proof.clone()));
		to_period(3);
		assert_ne!(drawn(BOB), bobs);
		assert_noop!(send(BOB, bobs_proof), Error::ProofWrong);
	});
}

#[test]
fn what_is_drawn_depends_on_a_block_before_the_period() {
	run(|| {
		store(1, 4 << 20);
		assert_ok!(keep(BOB));
		to_period(2);
		let before = drawn(BOB);
		let block = 2 * BLOCKS - u64::from(DEPTH);
		let hash = frame_system::BlockHash::<Test>::get(block);
		frame_system::BlockHash::<Test>::insert(block, sp_core::H256::repeat_byte(1));
		assert_ne!(drawn(BOB), before);
		// The system does not know it any more.
		frame_system::BlockHash::<Test>::remove(block);
		let nothing = Proof {
			piece: Vec::new(),
			path: Vec::new(),
		};
		assert_noop!(send(BOB, nothing), Error::DrawUnknown);
		frame_system::BlockHash::<Test>::insert(block, hash);
		// It does not depend on anything in the period.
		to_block(2 * BLOCKS + 9);
		assert_eq!(drawn(BOB), before);
		assert_ok!(prove(BOB));
	});
}
