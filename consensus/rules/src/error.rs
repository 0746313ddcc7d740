// SPDX-License-Identifier: Apache-2.0
//! Defines the errors for violated rules. Each rule has its own variant, which contains the value in the
//! block and the value that the rule requires.

use isthmus_ethash::Boundary;
use isthmus_primitives::{digest::DigestError, params::Miners, Difficulty, TotalDifficulty};
use polkadot_sdk::sp_core::H256;
use thiserror::Error;

/// A value that differs from the value that a rule requires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GotExpected<T> {
	/// The value in the block.
	pub got: T,
	/// The value that the rule requires.
	pub expected: T,
}

impl<T: PartialEq> GotExpected<T> {
	/// Compares a value with the value that a rule requires.
	///
	/// # Errors
	///
	/// Returns both values if they differ.
	pub fn check(got: T, expected: T) -> Result<(), Self> {
		if got == expected {
			Ok(())
		} else {
			Err(Self { got, expected })
		}
	}
}

/// A rule that a single header violates. The header can never become valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum HeaderError {
	/// The digest does not contain exactly one of each of the engine's items.
	#[error(transparent)]
	Digest(#[from] DigestError),
	/// |H_x| ≤ 32 is violated.
	#[error("the extra data has {got} bytes, but may have at most {maximum}")]
	ExtraDataTooLong {
		/// |H_x|, in bytes.
		got: usize,
		/// The maximum |H_x|, in bytes.
		maximum: usize,
	},
	/// H_g ≤ H_l is violated.
	#[error("the gas used is {got}, above the block's gas limit of {limit}")]
	GasUsedAboveLimit {
		/// H_g, in gas.
		got: u64,
		/// H_l, in gas.
		limit: u64,
	},
	/// H_l ≥ 125000 is violated.
	#[error("the gas limit is {got}, but must be at least {minimum}")]
	GasLimitTooLow {
		/// H_l, in gas.
		got: u64,
		/// The minimum H_l, in gas.
		minimum: u64,
	},
	/// H_l ≤ 2^63 − 1 is violated.
	#[error("the gas limit is {got}, but may be at most {maximum}")]
	GasLimitTooHigh {
		/// H_l, in gas.
		got: u64,
		/// The maximum H_l, in gas.
		maximum: u64,
	},
	/// H_d ≥ D_0 is violated, or H_d is zero.
	#[error("the difficulty is {got}, but must be at least {minimum}")]
	DifficultyTooLow {
		/// H_d.
		got: Difficulty,
		/// D_0, or one if D_0 is zero.
		minimum: Difficulty,
	},
	/// H_p is not the hash of the parent that the header was checked against.
	#[error("the parent hash is {:?}, but the parent's hash is {:?}", .0.got, .0.expected)]
	ParentHash(GotExpected<H256>),
	/// H_i = P(H)_i + 1 is violated. The values are 64 bits wide because P(H)_i + 1 may not fit in 32.
	#[error("the number is {}, but must be one above the parent's: {}", .0.got, .0.expected)]
	Number(GotExpected<u64>),
	/// H_s > P(H)_s is violated.
	#[error("the timestamp is {got} s, but must be above the parent's {parent} s")]
	TimestampNotAfterParent {
		/// H_s, in seconds since the Unix epoch.
		got: u64,
		/// P(H)_s, in seconds since the Unix epoch.
		parent: u64,
	},
	/// |H_l − P(H)_l| < ⌊P(H)_l / 1024⌋ is violated.
	#[error("the gas limit is {got}, but the parent's allows only {least} to {most}")]
	GasLimitOutOfBounds {
		/// H_l, in gas.
		got: u64,
		/// The minimum H_l within the bound, in gas.
		least: u64,
		/// The maximum H_l within the bound, in gas. It is below `least` if the bound allows nothing.
		most: u64,
	},
	/// H_d = D(H) is violated.
	#[error("the difficulty is {}, but must be {}", .0.got, .0.expected)]
	Difficulty(GotExpected<Difficulty>),
	/// n ≤ 2^256 / H_d is violated.
	#[error("the seal's result is {got:?}, but may be at most {:?}", H256(.boundary.to_bytes()))]
	SealAboveBoundary {
		/// n, the result of the proof of work.
		got: H256,
		/// ⌊2^256 / H_d⌋.
		boundary: Boundary,
	},
	/// m = H_m is violated. `got` is the H_m that the seal claims, and `expected` is the m that Hashimoto
	/// computes.
	#[error("the seal claims the mix hash {:?}, but must have {:?}", .0.got, .0.expected)]
	MixHash(GotExpected<H256>),
	/// H_t is not the root of the transactions in the body.
	#[error("the extrinsics root is {:?}, but that of the block's body is {:?}", .0.got, .0.expected)]
	ExtrinsicsRoot(GotExpected<H256>),
	/// H_c may not mine on this chain.
	#[error("the beneficiary is {got:?}, but only {} may mine on this chain", Allowed(.miners))]
	Beneficiary {
		/// H_c.
		got: H256,
		/// Who may mine.
		miners: Miners,
	},
	/// The sum of the chain's H_d does not fit in 256 bits.
	#[error(
		"the difficulty is {got}, and its sum with the parent's total of {parent} exceeds 256 bits"
	)]
	TotalDifficultyOverflow {
		/// The parent's total difficulty.
		parent: TotalDifficulty,
		/// H_d.
		got: Difficulty,
	},
}

impl HeaderError {
	/// Returns the rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		match self {
			Self::Digest(_) => "digest",
			Self::ExtraDataTooLong { .. } => "extra_data_too_long",
			Self::GasUsedAboveLimit { .. } => "gas_used_above_limit",
			Self::GasLimitTooLow { .. } => "gas_limit_too_low",
			Self::GasLimitTooHigh { .. } => "gas_limit_too_high",
			Self::DifficultyTooLow { .. } => "difficulty_too_low",
			Self::ParentHash(_) => "parent_hash",
			Self::Number(_) => "number",
			Self::TimestampNotAfterParent { .. } => "timestamp_not_after_parent",
			Self::GasLimitOutOfBounds { .. } => "gas_limit_out_of_bounds",
			Self::Difficulty(_) => "difficulty",
			Self::SealAboveBoundary { .. } => "seal_above_boundary",
			Self::MixHash(_) => "mix_hash",
			Self::ExtrinsicsRoot(_) => "extrinsics_root",
			Self::Beneficiary { .. } => "beneficiary",
			Self::TotalDifficultyOverflow { .. } => "total_difficulty_overflow",
		}
	}
}

/// Displays who may mine, in [`HeaderError::Beneficiary`]'s sentence.
struct Allowed<'a>(&'a Miners);

impl core::fmt::Display for Allowed<'_> {
	fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
		f.write_str(match self.0 {
			Miners::Anyone => "anyone",
			Miners::Producers => "registered producers and verifiers",
			Miners::Verifiers => "verifiers",
		})
	}
}

/// An uncle rule that a block violates. The block can never become valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UncleError {
	/// H_o is not KEC256(SCALE(B_U)), the hash of the uncles that the body names.
	#[error("the uncles hash is {:?}, but the uncles' hash is {:?}", .0.got, .0.expected)]
	UnclesHash(GotExpected<H256>),
	/// ‖B_U‖ ≤ 2 is violated: the block names too many uncles.
	#[error("the block names {got} uncles, but may name at most {maximum}")]
	TooMany {
		/// ‖B_U‖.
		got: usize,
		/// The maximum ‖B_U‖.
		maximum: u32,
	},
	/// The block names the same uncle twice.
	#[error("the block names the uncle {uncle:?} twice")]
	Repeated {
		/// The uncle's hash.
		uncle: H256,
	},
	/// The uncle is the block's own ancestor.
	#[error("the uncle {uncle:?} is an ancestor of the block that names it")]
	Ancestor {
		/// The uncle's hash.
		uncle: H256,
	},
	/// An ancestor within reach already names the uncle.
	#[error("the uncle {uncle:?} is already named by an ancestor")]
	AlreadyIncluded {
		/// The uncle's hash.
		uncle: H256,
	},
	/// The uncle's parent is not one of the six nearest ancestors of the block's parent: it is the block's
	/// parent itself (so that the uncle is the block's sibling), too old, or not in this chain.
	#[error("the uncle {uncle:?} has the parent {got:?}, but {}", Kin(.parents))]
	NotKin {
		/// The uncle's hash.
		uncle: H256,
		/// The uncle's H_p.
		got: H256,
		/// The numbers of the oldest and the newest ancestor that may be its parent, or `None` if none may,
		/// because the block's parent is the genesis block.
		parents: Option<(u32, u32)>,
	},
	/// The uncle's own header violates a rule.
	#[error("in uncle {index}, {error}")]
	Header {
		/// The uncle's index in B_U, from 0.
		index: usize,
		/// The rule that it violates.
		#[source]
		error: HeaderError,
	},
}

impl UncleError {
	/// Returns the rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		match self {
			Self::UnclesHash(_) => "uncles_hash",
			Self::TooMany { .. } => "too_many_uncles",
			Self::Repeated { .. } => "uncle_repeated",
			Self::Ancestor { .. } => "uncle_is_ancestor",
			Self::AlreadyIncluded { .. } => "uncle_already_included",
			Self::NotKin { .. } => "uncle_not_kin",
			Self::Header { .. } => "uncle_header",
		}
	}
}

/// Displays the end of [`UncleError::NotKin`]'s sentence, which says what parent an uncle may have.
struct Kin<'a>(&'a Option<(u32, u32)>);

impl core::fmt::Display for Kin<'_> {
	fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
		match self.0 {
			Some((oldest, newest)) => write!(
				f,
				"must have an ancestor of the block from number {oldest} to {newest}"
			),
			None => f.write_str("a child of the genesis block has no uncles"),
		}
	}
}

/// A header rule or an uncle rule that a block violates. The block can never become valid, so the peer that
/// sent it is penalised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RuleError {
	/// A header rule.
	#[error("rule {name} is violated: {0}", name = .0.name())]
	Header(#[from] HeaderError),
	/// An uncle rule.
	#[error("rule {name} is violated: {0}", name = .0.name())]
	Uncles(#[from] UncleError),
}

impl RuleError {
	/// Returns the rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		match self {
			Self::Header(error) => error.name(),
			Self::Uncles(error) => error.name(),
		}
	}
}

/// H_s is further in the future than clocks are allowed to differ. The header may become valid later, so
/// the peer that sent it is not penalised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the timestamp is {got} s, but at most {latest} s is accepted now")]
pub struct FutureTimestamp {
	/// H_s, in seconds since the Unix epoch.
	pub got: u64,
	/// The latest H_s that is accepted now, in seconds since the Unix epoch.
	pub latest: u64,
}

impl FutureTimestamp {
	/// Returns the rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		"future_timestamp"
	}
}

/// Why a block is not accepted, either permanently or for now.
///
/// There is no variant for a rule that could not be checked at all, for example because a dataset or a parent
/// is missing or the database is broken. For how such a failure is returned, see
/// [`validate_seal`](crate::validate_seal).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Rejection {
	/// The block violates a rule and can never become valid.
	#[error("{0}")]
	Invalid(#[from] RuleError),
	/// The block may become valid as time passes.
	#[error("not acceptable yet: {0}")]
	Transient(#[from] FutureTimestamp),
}

impl Rejection {
	/// Returns the rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		match self {
			Self::Invalid(error) => error.name(),
			Self::Transient(error) => error.name(),
		}
	}
}

impl From<HeaderError> for Rejection {
	fn from(error: HeaderError) -> Self {
		Self::Invalid(error.into())
	}
}

impl From<UncleError> for Rejection {
	fn from(error: UncleError) -> Self {
		Self::Invalid(error.into())
	}
}
