//! Eq. 2: `m = H_m ∧ n ≤ 2^256 / H_d with (m, n) = PoW(H_#n, H_n, d)`, in its two halves: the one that
//! two hashes settle, and the one that takes the dataset.

use crate::{HeaderError, PowHeader, Rejection};
use isthmus_ethash::{final_result, Boundary, Output};
use polkadot_sdk::sp_core::{H256, U256};

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

/// ⌊2^256 / H_d⌋, the greatest n that seals a block of difficulty H_d = `difficulty`.
///
/// 2^256 itself, for a difficulty of one, is given as the greatest 256-bit number: no n is above
/// either. For a difficulty of zero, which no valid header has, it is zero.
pub fn boundary(difficulty: U256) -> U256 {
	U256::from_big_endian(&ethash_boundary(difficulty).to_bytes())
}

/// As [`boundary`], in Ethash's type.
fn ethash_boundary(difficulty: U256) -> Boundary {
	Boundary::from_difficulty(difficulty).unwrap_or(Boundary::MIN)
}

/// n ≤ 2^256 / H_d (paper, Eq. 2).
///
/// # Errors
///
/// [`HeaderError::SealAboveBoundary`].
pub fn validate_seal_result(result: H256, difficulty: U256) -> Result<(), HeaderError> {
	let boundary = ethash_boundary(difficulty);
	if !boundary.is_met_by(&result.0) {
		return Err(HeaderError::SealAboveBoundary {
			got: result,
			boundary: U256::from_big_endian(&boundary.to_bytes()),
		});
	}
	Ok(())
}

/// m = H_m (paper, Eq. 2).
///
/// # Errors
///
/// [`HeaderError::MixHash`].
pub fn validate_mix(computed: H256, claimed: H256) -> Result<(), HeaderError> {
	if computed != claimed {
		return Err(HeaderError::MixHash {
			got: claimed,
			expected: computed,
		});
	}
	Ok(())
}

/// n ≤ 2^256 / H_d with n as the claimed mix hash H_m gives it: two hashes, no dataset. Passing it
/// costs a forger as many hashes as a seal, though cheaper ones, so it keeps floods from the
/// expensive half.
///
/// # Errors
///
/// [`HeaderError::SealAboveBoundary`].
pub fn validate_seal_quick(header: &PowHeader) -> Result<(), HeaderError> {
	let result = final_result(
		&header.seal_hash.0,
		header.seal.nonce,
		&header.seal.mix_hash.0,
	);
	validate_seal_result(H256(result), header.pre.difficulty)
}

/// Eq. 2 in whole: the quick half, and, only where that holds, Hashimoto's.
///
/// `hashimoto` computes (m, n) for the header's H_#n, H_n and number. Its error is the caller's own:
/// that the work could not be computed says nothing of the header.
///
/// # Errors
///
/// The first broken rule's, as a [`Rejection`]; or what `hashimoto` gives.
pub fn validate_seal<E: From<Rejection>>(
	header: &PowHeader,
	hashimoto: impl FnOnce(&PowHeader) -> Result<Work, E>,
) -> Result<(), E> {
	validate_seal_quick(header).map_err(Rejection::from)?;
	let work = hashimoto(header)?;
	validate_work(header, &work).map_err(Rejection::from)?;
	Ok(())
}

/// Eq. 2 for a `work` that is computed already: the claimed mix is the true one, and the true result
/// is within the boundary.
///
/// # Errors
///
/// The first broken rule's.
pub fn validate_work(header: &PowHeader, work: &Work) -> Result<(), HeaderError> {
	validate_mix(work.mix_hash, header.seal.mix_hash)?;
	validate_seal_result(work.result, header.pre.difficulty)
}
