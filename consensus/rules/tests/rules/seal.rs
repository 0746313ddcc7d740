// SPDX-License-Identifier: Apache-2.0
//! Tests the seal's rule, Eq. 2: the boundary, both halves of the check, and a real seal with each of its
//! bits flipped.

use crate::chain::{params, power_of_two, Draft};
use core::{ops::ControlFlow, sync::atomic::AtomicBool};
use isthmus_ethash::{Boundary, Cache, Dataset, Sizes};
use isthmus_primitives::digest::{PowHeader, Seal};
use isthmus_rules::{
	validate_mix, validate_seal, validate_seal_quick, validate_work, GotExpected, HeaderError,
	Parent, Rejection, RuleError, Work,
};
use polkadot_sdk::sp_core::{H256, U256, U512};
use proptest::prelude::*;
use std::sync::LazyLock;

fn hash(number: U256) -> H256 {
	H256(number.to_big_endian())
}

/// Returns the boundary of a difficulty, both as bare numbers.
fn boundary(difficulty: U256) -> U256 {
	let boundary = isthmus_rules::boundary(difficulty.into());
	U256::from_big_endian(&boundary.to_bytes())
}

/// Returns the error of a result above a boundary that is given as a bare number.
fn above(got: H256, boundary: U256) -> HeaderError {
	HeaderError::SealAboveBoundary {
		got,
		boundary: Boundary::from_bytes(boundary.to_big_endian()),
	}
}

/// Validates a result, for a difficulty that is given as a bare number.
fn validate_seal_result(result: H256, difficulty: U256) -> Result<(), HeaderError> {
	isthmus_rules::validate_seal_result(result, difficulty.into())
}

#[test]
fn the_boundary_is_rounded_down() {
	let cases = [
		(2.into(), power_of_two(255)),
		(3.into(), U256::MAX / 3),
		(131_072.into(), power_of_two(239)),
		(power_of_two(255), 2.into()),
		(power_of_two(255) + 1, 1.into()),
		(U256::MAX, 1.into()),
		// 2^256 does not fit in 256 bits; all results are below it.
		(1.into(), U256::MAX),
		// No valid header has this difficulty.
		(0.into(), 0.into()),
	];
	for (difficulty, expected) in cases {
		assert_eq!(boundary(difficulty), expected, "difficulty {difficulty}");
	}
}

#[test]
fn the_boundary_itself_seals() {
	for difficulty in [2.into(), 3.into(), 131_072.into(), U256::MAX] {
		let boundary = boundary(difficulty);
		assert_eq!(validate_seal_result(hash(boundary), difficulty), Ok(()));
		assert_eq!(validate_seal_result(H256::zero(), difficulty), Ok(()));
		let got = hash(boundary + 1);
		let error = above(got, boundary);
		assert_eq!(validate_seal_result(got, difficulty), Err(error));
	}
}

#[test]
fn a_difficulty_of_one_accepts_every_result() {
	assert_eq!(
		validate_seal_result(H256::repeat_byte(0xff), U256::one()),
		Ok(())
	);
}

#[test]
fn the_result_is_a_big_endian_number() {
	let mut small = [0; 32];
	small[31] = 0xff;
	let mut great = [0; 32];
	great[0] = 0xff;
	assert_eq!(validate_seal_result(H256(small), power_of_two(240)), Ok(()));
	let error = above(H256(great), power_of_two(16));
	assert_eq!(
		validate_seal_result(H256(great), power_of_two(240)),
		Err(error)
	);
}

#[test]
fn the_mix_hash_is_compared() {
	let (a, b) = (H256::repeat_byte(1), H256::repeat_byte(2));
	assert_eq!(validate_mix(a, a), Ok(()));
	assert_eq!(
		validate_mix(a, b),
		Err(HeaderError::MixHash(GotExpected {
			got: b,
			expected: a
		}))
	);
}

proptest! {
	#[test]
	fn the_boundary_divides_2_to_the_256(words in any::<[u64; 4]>(), bits in 0usize..256, n: [u64; 4]) {
		let difficulty = (U256(words) >> bits).max(2.into());
		let (n, d) = (U256(n), U512::from(difficulty));
		let printed = U512::from(n) <= (U512::one() << 256) / d;
		prop_assert_eq!(validate_seal_result(hash(n), difficulty).is_ok(), printed);
		prop_assert_eq!(U512::from(boundary(difficulty)), (U512::one() << 256) / d);
	}
}

/// Returns a header of difficulty 4096 with a valid seal for the development sizes, and its epoch's cache.
fn mined() -> (PowHeader, &'static Cache) {
	static MINED: LazyLock<(PowHeader, Cache)> = LazyLock::new(mine);
	let (header, cache) = &*MINED;
	(header.clone(), cache)
}

fn mine() -> (PowHeader, Cache) {
	let params = params();
	let parent = Parent::genesis(H256::repeat_byte(3), &params);
	let draft = Draft::child_of(&params, &parent);
	let unsealed = draft.unsealed();
	let cache = Cache::new(Sizes::DEVELOPMENT, 0).expect("a small cache");
	let dataset =
		Dataset::generate(&cache, 1, |_| ControlFlow::Continue(())).expect("a small dataset");
	let boundary = isthmus_rules::boundary(draft.pre.difficulty);
	let found = dataset
		.search(
			&unsealed.seal_hash.0,
			&boundary,
			0..1 << 20,
			&AtomicBool::new(false),
		)
		.found
		.expect("one nonce in a million seals a difficulty of 4096");
	let seal = Seal {
		mix_hash: H256(found.output.mix_hash),
		nonce: found.nonce,
	};
	let sealed = PowHeader::read(&draft.with_seal(seal)).expect("a whole digest");
	assert_eq!(sealed.seal_hash, unsealed.seal_hash);
	(sealed, cache)
}

/// Verifies as a node does: with the light Hashimoto, once the quick half has passed.
fn verify(header: &PowHeader, cache: &Cache) -> Result<(), Rejection> {
	validate_seal(header, |header| {
		Ok(cache.light(&header.seal_hash.0, header.seal.nonce).into())
	})
}

#[test]
fn every_flipped_bit_of_a_valid_seal_is_rejected() {
	let (header, cache) = mined();
	assert_eq!(verify(&header, cache), Ok(()));
	let mut quick = 0;
	let mut rejected = |seal: Seal| {
		let forged = PowHeader {
			seal,
			..header.clone()
		};
		let rejection = verify(&forged, cache).expect_err("a bit is flipped");
		if let Err(error) = validate_seal_quick(&forged) {
			quick += 1;
			assert!(matches!(error, HeaderError::SealAboveBoundary { .. }));
			assert_eq!(rejection, error.into());
		} else {
			// The forged result is within the boundary by chance, so only the true mix hash decides.
			let expected = H256(cache.light(&forged.seal_hash.0, seal.nonce).mix_hash);
			let error = HeaderError::MixHash(GotExpected {
				got: seal.mix_hash,
				expected,
			});
			assert_eq!(rejection, error.into());
		}
	};
	for bit in 0..256 {
		let mut seal = header.seal;
		seal.mix_hash.0[bit / 8] ^= 1 << (bit % 8);
		rejected(seal);
	}
	for bit in 0..64 {
		let mut seal = header.seal;
		seal.nonce ^= 1 << bit;
		rejected(seal);
	}
	// Each of the 320 changed seals passes the quick half with a probability of 1 in 4096.
	assert!(quick >= 316, "the quick half rejected only {quick}");
}

#[test]
fn every_bit_of_the_seal_hash_counts_too() {
	let (header, cache) = mined();
	for bit in 0..256 {
		let mut forged = header.clone();
		forged.seal_hash.0[bit / 8] ^= 1 << (bit % 8);
		let Err(Rejection::Invalid(RuleError::Header(error))) = verify(&forged, cache) else {
			panic!("bit {bit} of the seal hash does not count")
		};
		let rejected = matches!(
			error,
			HeaderError::SealAboveBoundary { .. } | HeaderError::MixHash(_)
		);
		assert!(rejected, "{error}");
	}
}

#[test]
fn a_seal_of_less_work_than_the_difficulty_is_rejected() {
	let (mut header, cache) = mined();
	let work: Work = cache.light(&header.seal_hash.0, header.seal.nonce).into();
	let result = U256::from_big_endian(work.result.as_bytes());
	// The result seals this difficulty, but not the next higher one.
	header.pre.difficulty = (U256::MAX / result).into();
	assert_eq!(verify(&header, cache), Ok(()));
	header.pre.difficulty.0 += U256::one();
	let error = above(work.result, boundary(header.pre.difficulty.0));
	assert_eq!(verify(&header, cache), Err(error.into()));
	assert_eq!(validate_work(&header, &work), Err(error));
}

#[test]
fn a_made_up_mix_hash_is_rejected() {
	// A flooding peer can pass the quick half without the dataset: it only needs a mix hash whose result is
	// small.
	let (mut header, cache) = mined();
	let true_mix = header.seal.mix_hash;
	let forged = (0u64..)
		.map(H256::from_low_u64_be)
		.find(|mix_hash| {
			header.seal.mix_hash = *mix_hash;
			validate_seal_quick(&header).is_ok()
		})
		.expect("some mix hash gives a small result");
	header.seal.mix_hash = forged;
	let error = HeaderError::MixHash(GotExpected {
		got: forged,
		expected: true_mix,
	});
	assert_eq!(verify(&header, cache), Err(error.into()));
}

#[test]
fn hashimoto_does_not_run_if_the_quick_half_fails() {
	let (mut header, _) = mined();
	header.pre.difficulty = U256::MAX.into();
	let mut asked = false;
	let verdict = validate_seal(&header, |_| {
		asked = true;
		Err::<Work, _>(Rejection::from(HeaderError::Number(GotExpected {
			got: 0,
			expected: 0,
		})))
	});
	assert!(!asked);
	assert!(matches!(
		verdict,
		Err(Rejection::Invalid(RuleError::Header(
			HeaderError::SealAboveBoundary { .. }
		)))
	));
}
