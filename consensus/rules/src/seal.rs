// SPDX-License-Identifier: Apache-2.0
//! Validates a block's seal: the nonce and the mix hash that prove its work. The rule is the paper's Eq. 2,
//! `m = H_m ∧ n ≤ 2^256 / H_d with (m, n) = PoW(H_#n, H_n, d)`, where H_#n is the header's hash without its
//! seal, H_n the nonce, H_m the mix hash that the header claims, H_d the difficulty, and d the dataset. The
//! rule is checked in two halves: a quick half that takes two hashes, and a half that needs the dataset.

use crate::error::{GotExpected, HeaderError, Rejection};
use isthmus_ethash::{final_result, Boundary, Output};
use isthmus_primitives::{digest::PowHeader, Difficulty};
use polkadot_sdk::sp_core::H256;

/// (m, n): what Hashimoto computes from H_#n, H_n and the dataset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Work {
	/// m, the mix hash.
	pub mix_hash: H256,
	/// n, the result, a big-endian number.
	pub result: H256,
}

impl From<Output> for Work {
	fn from(output: Output) -> Self {
		Self {
			mix_hash: H256(output.mix_hash),
			result: H256(output.result),
		}
	}
}

/// Returns ⌊2^256 / H_d⌋, the maximum n that seals a block of difficulty H_d = `difficulty`.
///
/// For a difficulty of one, the quotient is 2^256, which [`Boundary::MAX`] represents. For a difficulty of
/// zero, which no valid header has, this returns [`Boundary::MIN`].
pub fn boundary(difficulty: Difficulty) -> Boundary {
	Boundary::from_difficulty(difficulty.0).unwrap_or(Boundary::MIN)
}

/// Validates that n ≤ 2^256 / H_d (paper, Eq. 2).
///
/// # Errors
///
/// Returns [`HeaderError::SealAboveBoundary`] if the result is greater.
pub fn validate_seal_result(result: H256, difficulty: Difficulty) -> Result<(), HeaderError> {
	let boundary = boundary(difficulty);
	if !boundary.is_met_by(&result.0) {
		return Err(HeaderError::SealAboveBoundary {
			got: result,
			boundary,
		});
	}
	Ok(())
}

/// Validates that m = H_m (paper, Eq. 2).
///
/// # Errors
///
/// Returns [`HeaderError::MixHash`] if the claimed mix hash is not the computed one.
pub fn validate_mix(computed: H256, claimed: H256) -> Result<(), HeaderError> {
	GotExpected::check(claimed, computed).map_err(HeaderError::MixHash)
}

/// Validates that n ≤ 2^256 / H_d, where n is computed from the claimed mix hash H_m. This takes two hashes
/// and no dataset.
///
/// To pass this check, a forger needs the same number of hashes as a miner needs for a seal, although each of
/// them is cheaper. This makes it costly to flood a node with headers that reach the expensive half.
///
/// # Errors
///
/// Returns [`HeaderError::SealAboveBoundary`] if the result is greater.
pub fn validate_seal_quick(header: &PowHeader) -> Result<(), HeaderError> {
	let result = final_result(
		&header.seal_hash.0,
		header.seal.nonce,
		&header.seal.mix_hash.0,
	);
	validate_seal_result(H256(result), header.pre.difficulty)
}

/// Validates all of Eq. 2: first the quick half and, only if that passes, the half that needs Hashimoto.
///
/// `hashimoto` computes (m, n) for the header's H_#n, H_n and number. Its error is of the caller's own
/// type, because a failure to compute the work says nothing about the header.
///
/// # Errors
///
/// Returns the error of the first rule that is violated, as a [`Rejection`], or the error of
/// `hashimoto`.
pub fn validate_seal<E: From<Rejection>>(
	header: &PowHeader,
	hashimoto: impl FnOnce(&PowHeader) -> Result<Work, E>,
) -> Result<(), E> {
	validate_seal_quick(header).map_err(Rejection::from)?;
	let work = hashimoto(header)?;
	validate_work(header, &work).map_err(Rejection::from)?;
	Ok(())
}

/// Validates Eq. 2 for `work` that is already computed: the claimed mix hash is the computed one, and the
/// computed result is within the boundary.
///
/// # Errors
///
/// Returns the error of the first rule that is violated.
pub fn validate_work(header: &PowHeader, work: &Work) -> Result<(), HeaderError> {
	validate_mix(work.mix_hash, header.seal.mix_hash)?;
	validate_seal_result(work.result, header.pre.difficulty)
}
