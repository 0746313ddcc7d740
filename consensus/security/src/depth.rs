// SPDX-License-Identifier: Apache-2.0
//! Computes the depth at which a block is safe: the minimum number of blocks on top of it at which the
//! attacker's odds are below an accepted risk.

use crate::{equation_3, exact, Risk, Share};

/// The maximum depth, in blocks, that [`depth`] considers: half a year at one block every 15 s.
pub const MAX_DEPTH: u32 = 1_000_000;

/// Which formula computes P_z, the attacker's odds from z blocks behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Model {
	/// The paper's formula: [`equation_3`].
	Paper,
	/// The true probability: [`exact`].
	Exact,
}

impl Model {
	/// Returns P_z, the probability that an attacker with this share catches up from z blocks behind.
	pub fn probability(self, share: Share, z: u32) -> f64 {
		match self {
			Self::Paper => equation_3(share, z),
			Self::Exact => exact(share, z),
		}
	}
}

/// Why no depth is enough.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
pub enum DepthError {
	/// The attacker has half of the hash power or more: it always catches up, from any depth.
	#[error("an attacker with a share of {} always catches up: no depth is enough", .0.attacker())]
	HalfOrMore(Share),
	/// The attacker's share is so close to one half that the risk requires more than [`MAX_DEPTH`] blocks.
	#[error(
		"an attacker with a share of {} still succeeds with a probability of {probability:e} at a depth \
		 of {MAX_DEPTH} blocks, the greatest considered",
		.share.attacker()
	)]
	TooDeep {
		/// The attacker's share.
		share: Share,
		/// P_z at [`MAX_DEPTH`].
		probability: f64,
	},
}

/// Returns the minimum depth z at which an attacker with this share succeeds with a probability below this
/// risk.
///
/// ```
/// use isthmus_security::{depth, Model, Risk, Share};
///
/// let (share, risk) = (Share::new(0.3)?, Risk::new(0.001)?);
/// assert_eq!(depth(Model::Paper, share, risk)?, 24);
/// assert_eq!(depth(Model::Exact, share, risk)?, 32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns a [`DepthError`] if no depth up to [`MAX_DEPTH`] is enough.
pub fn depth(model: Model, share: Share, risk: Risk) -> Result<u32, DepthError> {
	if share.is_half_or_more() {
		return Err(DepthError::HalfOrMore(share));
	}
	let is_enough = |z| model.probability(share, z) < risk.get();
	// P_z falls as z grows, and P_0 = 1 is not below any risk. So double z until the depth is enough, then
	// bisect between it and the last depth that is not.
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
