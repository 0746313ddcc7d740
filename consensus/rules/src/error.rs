//! What a broken rule says: one variant a rule, with what was got and what was expected.

use core::{error::Error, fmt};
use isthmus_primitives::digest::DigestError;
use polkadot_sdk::sp_core::{H256, U256};

/// A rule of one header that is broken. The header will never be valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderError {
	/// The digest has not exactly one of each of the engine's items.
	Digest(DigestError),
	/// |H_x| ≤ 32 is broken.
	ExtraDataTooLong {
		/// |H_x|, in bytes.
		got: usize,
		/// The most bytes it may have.
		maximum: usize,
	},
	/// H_g ≤ H_l is broken.
	GasUsedAboveLimit {
		/// H_g, in gas.
		got: u64,
		/// H_l, in gas.
		limit: u64,
	},
	/// H_l ≥ 125000 is broken.
	GasLimitTooLow {
		/// H_l, in gas.
		got: u64,
		/// The least it may be, in gas.
		minimum: u64,
	},
	/// H_l ≤ 2^63 − 1 is broken.
	GasLimitTooHigh {
		/// H_l, in gas.
		got: u64,
		/// The most it may be, in gas.
		maximum: u64,
	},
	/// H_d ≥ D_0 is broken, or H_d is zero.
	DifficultyTooLow {
		/// H_d.
		got: U256,
		/// D_0, or one where D_0 is zero.
		minimum: U256,
	},
	/// H_p is not the hash of the parent it was checked against.
	ParentHash {
		/// H_p.
		got: H256,
		/// The parent's hash.
		expected: H256,
	},
	/// H_i = P(H)_i + 1 is broken.
	Number {
		/// H_i.
		got: u32,
		/// P(H)_i + 1, which a `u32` may not hold.
		expected: u64,
	},
	/// H_s > P(H)_s is broken.
	TimestampNotAfterParent {
		/// H_s, in seconds since the Unix epoch.
		got: u64,
		/// P(H)_s, in seconds since the Unix epoch.
		parent: u64,
	},
	/// |H_l − P(H)_l| < ⌊P(H)_l / 1024⌋ is broken.
	GasLimitOutOfBounds {
		/// H_l, in gas.
		got: u64,
		/// The least the bound allows, in gas.
		least: u64,
		/// The most the bound allows, in gas. Under `least` where nothing is allowed.
		most: u64,
	},
	/// H_d = D(H) is broken.
	Difficulty {
		/// H_d.
		got: U256,
		/// D(H).
		expected: U256,
	},
	/// n ≤ 2^256 / H_d is broken.
	SealAboveBoundary {
		/// n, the proof of work's result.
		got: H256,
		/// ⌊2^256 / H_d⌋, or the greatest 256-bit number where that is 2^256.
		boundary: U256,
	},
	/// m = H_m is broken.
	MixHash {
		/// H_m, as claimed.
		got: H256,
		/// m, as computed.
		expected: H256,
	},
	/// H_t is not the root of the transactions in the body.
	ExtrinsicsRoot {
		/// H_t.
		got: H256,
		/// The root of the body's transactions.
		expected: H256,
	},
	/// The sum of the chain's H_d does not fit 256 bits.
	TotalDifficultyOverflow {
		/// The parent's total difficulty.
		parent: U256,
		/// H_d.
		got: U256,
	},
}

impl HeaderError {
	/// The rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		match self {
			Self::Digest(_) => "digest",
			Self::ExtraDataTooLong { .. } => "extra_data_too_long",
			Self::GasUsedAboveLimit { .. } => "gas_used_above_limit",
			Self::GasLimitTooLow { .. } => "gas_limit_too_low",
			Self::GasLimitTooHigh { .. } => "gas_limit_too_high",
			Self::DifficultyTooLow { .. } => "difficulty_too_low",
			Self::ParentHash { .. } => "parent_hash",
			Self::Number { .. } => "number",
			Self::TimestampNotAfterParent { .. } => "timestamp_not_after_parent",
			Self::GasLimitOutOfBounds { .. } => "gas_limit_out_of_bounds",
			Self::Difficulty { .. } => "difficulty",
			Self::SealAboveBoundary { .. } => "seal_above_boundary",
			Self::MixHash { .. } => "mix_hash",
			Self::ExtrinsicsRoot { .. } => "extrinsics_root",
			Self::TotalDifficultyOverflow { .. } => "total_difficulty_overflow",
		}
	}
}

impl fmt::Display for HeaderError {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		match self {
			Self::Digest(error) => error.fmt(f),
			Self::ExtraDataTooLong { got, maximum } => {
				write!(
					f,
					"the extra data has {got} bytes, and may have at most {maximum}"
				)
			}
			Self::GasUsedAboveLimit { got, limit } => {
				write!(
					f,
					"the gas used is {got}, above the block's gas limit of {limit}"
				)
			}
			Self::GasLimitTooLow { got, minimum } => {
				write!(f, "the gas limit is {got}, and must be at least {minimum}")
			}
			Self::GasLimitTooHigh { got, maximum } => {
				write!(f, "the gas limit is {got}, and may be at most {maximum}")
			}
			Self::DifficultyTooLow { got, minimum } => {
				write!(f, "the difficulty is {got}, and must be at least {minimum}")
			}
			Self::ParentHash { got, expected } => {
				write!(
					f,
					"the parent hash is {got:?}, but the parent's hash is {expected:?}"
				)
			}
			Self::Number { got, expected } => {
				write!(
					f,
					"the number is {got}, and must be the parent's and one: {expected}"
				)
			}
			Self::TimestampNotAfterParent { got, parent } => {
				write!(
					f,
					"the timestamp is {got} s, and must be above the parent's {parent} s"
				)
			}
			Self::GasLimitOutOfBounds { got, least, most } => write!(
				f,
				"the gas limit is {got}, and the parent's allows only {least} to {most}"
			),
			Self::Difficulty { got, expected } => {
				write!(f, "the difficulty is {got}, and must be {expected}")
			}
			Self::SealAboveBoundary { got, boundary } => write!(
				f,
				"the seal's result is {got:?}, and may be at most {:?}",
				H256(boundary.to_big_endian())
			),
			Self::MixHash { got, expected } => {
				write!(
					f,
					"the seal claims the mix hash {got:?}, and must have {expected:?}"
				)
			}
			Self::ExtrinsicsRoot { got, expected } => write!(
				f,
				"the extrinsics root is {got:?}, but that of the block's body is {expected:?}"
			),
			Self::TotalDifficultyOverflow { parent, got } => write!(
				f,
				"the difficulty is {got}, and with the parent's total of {parent} passes 256 bits"
			),
		}
	}
}

impl Error for HeaderError {}

impl From<DigestError> for HeaderError {
	fn from(error: DigestError) -> Self {
		Self::Digest(error)
	}
}

/// A rule of a block's uncles that is broken. The block will never be valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UncleError {
	/// H_o is not the hash of the uncles that the body names.
	UnclesHash {
		/// H_o.
		got: H256,
		/// KEC256(SCALE(B_U)).
		expected: H256,
	},
	/// ‖B_U‖ ≤ 2 is broken.
	TooMany {
		/// ‖B_U‖.
		got: usize,
		/// The most uncles a block may name.
		maximum: u32,
	},
	/// The block names one uncle twice.
	Repeated {
		/// The uncle's hash.
		uncle: H256,
	},
	/// The uncle is the block's own ancestor.
	Ancestor {
		/// The uncle's hash.
		uncle: H256,
	},
	/// An ancestor within reach has named the uncle already.
	AlreadyIncluded {
		/// The uncle's hash.
		uncle: H256,
	},
	/// The uncle's parent is not an ancestor of the block's parent within 6 generations: it is the
	/// block's parent itself (the uncle is a brother), too old, or not in this chain.
	NotKin {
		/// The uncle's hash.
		uncle: H256,
		/// The uncle's H_p.
		got: H256,
		/// The numbers of the oldest and the newest ancestor that it may be, or `None` where the
		/// block's parent is the genesis block, so that there is none.
		parents: Option<(u32, u32)>,
	},
	/// The uncle's own header breaks a rule.
	Header {
		/// The uncle's place in B_U, from 0.
		index: usize,
		/// The rule it breaks.
		error: HeaderError,
	},
}

impl UncleError {
	/// The rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		match self {
			Self::UnclesHash { .. } => "uncles_hash",
			Self::TooMany { .. } => "too_many_uncles",
			Self::Repeated { .. } => "uncle_repeated",
			Self::Ancestor { .. } => "uncle_is_ancestor",
			Self::AlreadyIncluded { .. } => "uncle_already_included",
			Self::NotKin { .. } => "uncle_not_kin",
			Self::Header { .. } => "uncle_header",
		}
	}
}

impl fmt::Display for UncleError {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		match self {
			Self::UnclesHash { got, expected } => {
				write!(
					f,
					"the uncles hash is {got:?}, but the uncles' hash is {expected:?}"
				)
			}
			Self::TooMany { got, maximum } => {
				write!(
					f,
					"the block names {got} uncles, and may name at most {maximum}"
				)
			}
			Self::Repeated { uncle } => write!(f, "the block names the uncle {uncle:?} twice"),
			Self::Ancestor { uncle } => {
				write!(
					f,
					"the uncle {uncle:?} is an ancestor of the block that names it"
				)
			}
			Self::AlreadyIncluded { uncle } => {
				write!(f, "the uncle {uncle:?} was named by an ancestor already")
			}
			Self::NotKin {
				uncle,
				got,
				parents: Some((oldest, newest)),
			} => write!(
				f,
				"the uncle {uncle:?} has the parent {got:?}, and must have an ancestor of the \
				 block from number {oldest} to {newest}"
			),
			Self::NotKin {
				uncle,
				got,
				parents: None,
			} => write!(
				f,
				"the uncle {uncle:?} has the parent {got:?}, and a child of the genesis block has \
				 no uncles"
			),
			Self::Header { index, error } => write!(f, "in uncle {index}, {error}"),
		}
	}
}

impl Error for UncleError {
	fn source(&self) -> Option<&(dyn Error + 'static)> {
		match self {
			Self::Header { error, .. } => Some(error),
			_ => None,
		}
	}
}

/// A broken rule, of the header or of the uncles. The block is invalid and will never be anything
/// else: who sent it is to blame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleError {
	/// A rule of the header.
	Header(HeaderError),
	/// A rule of the uncles.
	Uncles(UncleError),
}

impl RuleError {
	/// The rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		match self {
			Self::Header(error) => error.name(),
			Self::Uncles(error) => error.name(),
		}
	}
}

impl fmt::Display for RuleError {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		write!(f, "rule {} is broken: ", self.name())?;
		match self {
			Self::Header(error) => error.fmt(f),
			Self::Uncles(error) => error.fmt(f),
		}
	}
}

impl Error for RuleError {
	fn source(&self) -> Option<&(dyn Error + 'static)> {
		Some(match self {
			Self::Header(error) => error,
			Self::Uncles(error) => error,
		})
	}
}

impl From<HeaderError> for RuleError {
	fn from(error: HeaderError) -> Self {
		Self::Header(error)
	}
}

impl From<UncleError> for RuleError {
	fn from(error: UncleError) -> Self {
		Self::Uncles(error)
	}
}

/// H_s is further in the future than clocks may differ. The header may be valid later, so nobody is
/// to blame yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FutureTimestamp {
	/// H_s, in seconds since the Unix epoch.
	pub got: u64,
	/// The latest H_s that is accepted now, in seconds since the Unix epoch.
	pub latest: u64,
}

impl FutureTimestamp {
	/// The rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		"future_timestamp"
	}
}

impl fmt::Display for FutureTimestamp {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		let Self { got, latest } = self;
		write!(
			f,
			"the timestamp is {got} s, and is accepted only up to {latest} s for now"
		)
	}
}

impl Error for FutureTimestamp {}

/// Why a block is not accepted: for good, or for now.
///
/// That a rule could not be checked at all (no dataset, no parent, a broken database) is neither, and
/// has no variant here: see [`validate_seal`](crate::validate_seal).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
	/// A rule is broken; the block will never be valid.
	Invalid(RuleError),
	/// The block may become valid when time has passed.
	Transient(FutureTimestamp),
}

impl Rejection {
	/// The rule's stable name, in snake case, for logs and metrics.
	pub const fn name(&self) -> &'static str {
		match self {
			Self::Invalid(error) => error.name(),
			Self::Transient(error) => error.name(),
		}
	}
}

impl fmt::Display for Rejection {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		match self {
			Self::Invalid(error) => error.fmt(f),
			Self::Transient(error) => write!(f, "not yet acceptable: {error}"),
		}
	}
}

impl Error for Rejection {
	fn source(&self) -> Option<&(dyn Error + 'static)> {
		Some(match self {
			Self::Invalid(error) => error,
			Self::Transient(error) => error,
		})
	}
}

impl From<RuleError> for Rejection {
	fn from(error: RuleError) -> Self {
		Self::Invalid(error)
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

impl From<FutureTimestamp> for Rejection {
	fn from(error: FutureTimestamp) -> Self {
		Self::Transient(error)
	}
}
