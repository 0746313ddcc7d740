//! Algorithm 2 of the paper, block validation, and Eq. 2, the seal's condition: every rule that a
//! block's header and its uncles must keep, each a pure function with an error of its own.
//!
//! The paper's rules are Homestead's, so where the paper is silent the Ethereum yellow paper
//! (Homestead revision) speaks.
//!
//! | rule | function | error |
//! |---|---|---|
//! | the digest's shape | [`PowHeader::read`] | [`HeaderError::Digest`] |
//! | \|H_x\| ≤ 32 | [`validate_extra_data`] | [`HeaderError::ExtraDataTooLong`] |
//! | H_g ≤ H_l | [`validate_gas_used`] | [`HeaderError::GasUsedAboveLimit`] |
//! | H_l ≥ 125000 | [`validate_gas_limit_minimum`] | [`HeaderError::GasLimitTooLow`] |
//! | H_l ≤ 2^63 − 1 | [`validate_gas_limit_maximum`] | [`HeaderError::GasLimitTooHigh`] |
//! | H_d ≥ D_0 | [`validate_minimum_difficulty`] | [`HeaderError::DifficultyTooLow`] |
//! | H_p = KEC(P(H)) | [`validate_parent_hash`] | [`HeaderError::ParentHash`] |
//! | H_i = P(H)_i + 1 | [`validate_number`] | [`HeaderError::Number`] |
//! | H_s > P(H)_s | [`validate_timestamp`] | [`HeaderError::TimestampNotAfterParent`] |
//! | \|H_l − P(H)_l\| < ⌊P(H)_l / 1024⌋ | [`validate_gas_limit_bound`] | [`HeaderError::GasLimitOutOfBounds`] |
//! | H_d = D(H) | [`validate_difficulty`] | [`HeaderError::Difficulty`] |
//! | H_s not in the future | [`validate_not_future`] | [`FutureTimestamp`] |
//! | n ≤ 2^256 / H_d, claimed mix | [`validate_seal_quick`] | [`HeaderError::SealAboveBoundary`] |
//! | m = H_m | [`validate_mix`] | [`HeaderError::MixHash`] |
//! | n ≤ 2^256 / H_d | [`validate_seal_result`] | [`HeaderError::SealAboveBoundary`] |
//! | H_t = TRIE(B_T) | [`validate_extrinsics_root`] | [`HeaderError::ExtrinsicsRoot`] |
//! | uncles | [`validate_uncles`] and what it lists | [`UncleError`] |
//!
//! [`validate_static`], [`validate_against_parent`], [`validate_header`], [`validate_seal`] and
//! [`validate_uncles`] only list rules, cheapest first. A header that keeps them all is valid; what is in its block's body is
//! execution's matter.
//!
//! Not here: a client, a clock, a log, Hashimoto itself (`isthmus-ethash`), the digest items
//! (`isthmus-primitives`), and fork choice (`isthmus-engine`). `now` is an argument, and Hashimoto a
//! closure, so "could not check" is an error of the caller's own type and never one of
//! [`RuleError`].
//!
//! All arithmetic is checked or saturating: every number here may come from a stranger.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod difficulty;
mod error;
mod gas;
mod header;
mod reward;
mod seal;
mod uncles;

pub use difficulty::{
	bomb, difficulty, total_difficulty, validate_difficulty, validate_minimum_difficulty,
	BOMB_PERIOD, DIFFICULTY_STEP_SECONDS, MAX_DIFFICULTY_STEPS,
};
pub use error::{FutureTimestamp, HeaderError, Rejection, RuleError, UncleError};
pub use gas::{
	gas_limit_bounds, next_gas_limit, validate_gas_limit_bound, validate_gas_limit_maximum,
	validate_gas_limit_minimum, validate_gas_used, MAX_GAS_LIMIT,
};
pub use header::{
	validate_against_parent, validate_extra_data, validate_extrinsics_root, validate_header,
	validate_not_future, validate_number, validate_parent_hash, validate_static,
	validate_timestamp, Parent,
};
pub use isthmus_primitives::digest::PowHeader;
pub use reward::{miner_reward, nephew_reward, uncle_reward};
pub use seal::{
	boundary, validate_mix, validate_seal, validate_seal_quick, validate_seal_result,
	validate_work, Work,
};
pub use uncles::{
	validate_uncle_count, validate_uncle_distinct, validate_uncle_kin, validate_uncle_not_ancestor,
	validate_uncle_not_included, validate_uncles, validate_uncles_hash, Ancestry, UNCLE_ANCESTORS,
};
