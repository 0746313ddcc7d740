// SPDX-License-Identifier: Apache-2.0
//! Validates a block's header and its uncles. Each rule is a pure function with its own error. The rules are
//! the paper's block validation (algorithm 2) and its condition on the seal (Eq. 2).
//!
//! ```
//! use isthmus_primitives::{
//!     digest::{uncles_hash, PowHeader, PreDigest, Seal},
//!     params::ChainParameters,
//!     AccountId,
//! };
//! use isthmus_rules::{
//!     difficulty, validate_header, GotExpected, HeaderError, Parent, Rejection, RuleError,
//! };
//! use polkadot_sdk::sp_core::H256;
//!
//! let params = ChainParameters::default();
//! let genesis = Parent::genesis(H256::zero(), &params);
//!
//! // A block 13 seconds after genesis. A real one comes from `PowHeader::read`.
//! let timestamp = genesis.timestamp + 13;
//! let mut header = PowHeader {
//!     parent_hash: genesis.hash,
//!     number: 1,
//!     pre: PreDigest {
//!         beneficiary: AccountId::new([1; 32]),
//!         difficulty: difficulty(&params, &genesis, timestamp),
//!         gas_limit: genesis.gas_limit,
//!         timestamp,
//!         uncles_hash: uncles_hash(&[]),
//!         extra_data: vec![],
//!     },
//!     gas_used: 0,
//!     seal: Seal { mix_hash: H256::zero(), nonce: 0 },
//!     seal_hash: H256::zero(),
//!     hash: H256::repeat_byte(1),
//! };
//! let now = timestamp;
//! assert_eq!(validate_header(&params, &header, &genesis, now), Ok(()));
//!
//! header.number = 2;
//! let error = HeaderError::Number(GotExpected { got: 2, expected: 1 });
//! assert_eq!(
//!     validate_header(&params, &header, &genesis, now),
//!     Err(Rejection::Invalid(RuleError::Header(error)))
//! );
//! assert_eq!(error.to_string(), "the number is 2, but must be one above the parent's: 1");
//! ```
//!
//! The paper's rules are those of Ethereum's Homestead. Where the paper is silent, the yellow paper
//! (Homestead revision) applies.
//!
//! In the table, H is the header and P(H) its parent's header. [`PowHeader`] and its
//! [`PreDigest`](isthmus_primitives::digest::PreDigest) explain their fields, for example H_l, the gas limit.
//! D(H) is the difficulty that the header must have, and D_0 is the minimum difficulty. B_T are the block's
//! transactions, and m and n are the mix hash and the result that Hashimoto computes ([`Work`]).
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
//! | H_c may mine on this chain | [`validate_beneficiary`] | [`HeaderError::Beneficiary`] |
//! | H_t = TRIE(B_T) | [`validate_extrinsics_root`] | [`HeaderError::ExtrinsicsRoot`] |
//! | uncles | [`validate_uncles`] and the functions it calls | [`UncleError`] |
//!
//! [`validate_static`], [`validate_against_parent`], [`validate_header`], [`validate_seal`] and
//! [`validate_uncles`] contain no rules of their own: they call the rules above, cheapest first. A header
//! that satisfies all of them is valid. D(H), D_0 and who may mine can change with the height: each rule takes
//! them from [`ChainParameters::at`](isthmus_primitives::params::ChainParameters::at) for the number of the header
//! that it checks, be that a block or an uncle. The block's transactions are checked when the runtime executes them.
//!
//! A block that violates a rule ([`RuleError`]) can never become valid. A block from the future
//! ([`FutureTimestamp`]) can, as time passes. Failing to check a rule is a third outcome, and only the
//! caller's code can fail: it passes in the time, and a closure that computes Hashimoto. So "could not check"
//! is an error of the caller's own type.
//!
//! All arithmetic is checked or saturating, because every number here may come from an unknown peer.
//!
//! This crate does not use a client, a clock or a log. Hashimoto is in `isthmus-ethash`, the digest items are
//! in `isthmus-primitives`, and the fork choice is in `isthmus-engine`.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod asert;
mod difficulty;
mod error;
mod gas;
mod header;
mod parent;
mod reward;
mod seal;
mod uncles;

pub use asert::{times_power_of_two, ASERT_BLOCK_SECONDS, ASERT_HALF_LIFE_SECONDS};
pub use difficulty::{
	bomb, difficulty, total_difficulty, validate_difficulty, validate_minimum_difficulty, weight,
	BOMB_PERIOD, DIFFICULTY_STEP_SECONDS, MAX_DIFFICULTY_STEPS,
};
pub use error::{FutureTimestamp, GotExpected, HeaderError, Rejection, RuleError, UncleError};
pub use gas::{
	gas_limit_bounds, next_gas_limit, validate_gas_limit_bound, validate_gas_limit_maximum,
	validate_gas_limit_minimum, validate_gas_used, MAX_GAS_LIMIT,
};
pub use header::{
	validate_against_parent, validate_beneficiary, validate_extra_data, validate_extrinsics_root,
	validate_header, validate_not_future, validate_number, validate_parent_hash, validate_static,
	validate_timestamp, validate_without_difficulty,
};
pub use isthmus_primitives::digest::PowHeader;
pub use parent::Parent;
pub use reward::{miner_reward, nephew_reward, uncle_reward};
pub use seal::{
	boundary, validate_mix, validate_seal, validate_seal_quick, validate_seal_result,
	validate_work, Work,
};
pub use uncles::{
	validate_uncle_count, validate_uncle_distinct, validate_uncle_kin, validate_uncle_not_ancestor,
	validate_uncle_not_included, validate_uncles, validate_uncles_hash, Ancestry, UNCLE_ANCESTORS,
};
