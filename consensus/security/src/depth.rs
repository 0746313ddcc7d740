//! The inverse: how deep a block must be.

use crate::{equation_3, exact, Risk, Share};
use std::{error::Error, fmt};

/// The greatest depth that [`depth`] looks for: at a block every 15 s, half a year.
pub const MAX_DEPTH: u32 = 1_000_000;

/// Whose P_z.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Model {
	/// The paper's, [`equation_3`].
	Paper,
	/// The true one, [`exact`].
	Exact,
}

impl Model {
	/// P_z of an attacker with this share, from z blocks behind.
	pub fn probability(self, share: Share, z: u32) -> f64 {
		match self {
			Self::Paper => equation_3(share, z),
			Self::Exact => exact(share, z),
		}
	}
}

/// Why no depth is deep enough.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum DepthError {
	/// The attacker has half of the hash power or more: it always catches up, from any depth.
	HalfOrMore(Share),
	/// The attacker is so near to half that more than [`MAX_DEPTH`] blocks are called for.
	TooDeep {
		/// The attacker's share.
		share: Share,
		/// P_z at [`MAX_DEPTH`].
		probability: f64,
	},
}

impl fmt::Display for DepthError {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		match self {
			Self::HalfOrMore(share) => write!(
				f,
				"an attacker with a share of {} always catches up: no depth is enough",
				share.attacker()
			),
			Self::TooDeep { share, probability } => write!(
				f,
				"an attacker with a share of {} still has odds of {probability:e} at a depth of \
				 {MAX_DEPTH} blocks, the greatest looked at",
				share.attacker()
			),
		}
	}
}

impl Error for DepthError {}

/// The least depth z at which an attacker with this share succeeds with less than this risk.
///
/// # Errors
///
/// [`DepthError`], where there is none up to [`MAX_DEPTH`].
pub fn depth(model: Model, share: Share, risk: Risk) -> Result<u32, DepthError> {
	if share.is_half_or_more() {
		return Err(DepthError::HalfOrMore(share));
	}
	let is_enough = |z| model.probability(share, z) < risk.get();
	// P_z falls with z, and P_0 is one, which is under no risk: double to a depth that is enough, then
	// halve the way between it and the last that is not.
	let mut short = 0;
	let mut enough = 1;
	while !is_enough(enough) {
		if enough == MAX_DEPTH {
			let probability = model.probability(share, enough);
			return Err(DepthError::TooDeep { share, probability });
		}
		short = enough;
		enough = enough.saturating_mul(2).min(MAX_DEPTH);
	}
	while enough - short > 1 {
		let middle = short + (enough - short) / 2;
		if is_enough(middle) {
			enough = middle;
		} else {
			short = middle;
		}
	}
	Ok(enough)
}
