// SPDX-License-Identifier: Apache-2.0
//! Defines the two measures of proof of work: the work that one block requires, and the total of a whole
//! chain.

use codec::{Decode, Encode, MaxEncodedLen};
use core::fmt;
use polkadot_sdk::*;
use scale_info::{Type, TypeInfo};
use serde::{Deserialize, Serialize};
use sp_core::U256;

/// H_d: the expected number of hashes that it takes to seal a block.
///
/// SCALE, JSON and the runtime's metadata use the bare 256-bit number.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Hash,
	Encode,
	Decode,
	MaxEncodedLen,
	Debug,
	Serialize,
	Deserialize,
)]
#[serde(transparent)]
pub struct Difficulty(pub U256);

/// The sum of the difficulties of a block and all its ancestors, which the fork choice compares.
///
/// SCALE uses the bare 256-bit number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Debug)]
pub struct TotalDifficulty(pub U256);

impl From<u64> for Difficulty {
	fn from(difficulty: u64) -> Self {
		Self(difficulty.into())
	}
}

impl From<U256> for Difficulty {
	fn from(difficulty: U256) -> Self {
		Self(difficulty)
	}
}

/// The total difficulty of a chain that consists of the genesis block alone.
impl From<Difficulty> for TotalDifficulty {
	fn from(genesis: Difficulty) -> Self {
		Self(genesis.0)
	}
}

impl TotalDifficulty {
	/// Returns the total difficulty after one more block of difficulty `own`, or `None` if it does not fit in
	/// 256 bits.
	pub fn checked_add(self, own: Difficulty) -> Option<Self> {
		self.0.checked_add(own.0).map(Self)
	}

	/// Returns the total difficulty after one more block of difficulty `own`, or the maximum 256-bit number
	/// if it does not fit.
	pub fn saturating_add(self, own: Difficulty) -> Self {
		Self(self.0.saturating_add(own.0))
	}
}

impl TypeInfo for Difficulty {
	type Identity = <U256 as TypeInfo>::Identity;

	fn type_info() -> Type {
		U256::type_info()
	}
}

impl fmt::Display for Difficulty {
	fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
		self.0.fmt(formatter)
	}
}

impl fmt::Display for TotalDifficulty {
	fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
		self.0.fmt(formatter)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_difficulty_encodes_as_its_bare_number() {
		let number = U256::from(0x1234_5678_u64);
		assert_eq!(Difficulty(number).encode(), number.encode());
		assert_eq!(TotalDifficulty(number).encode(), number.encode());
		assert_eq!(Difficulty::max_encoded_len(), U256::max_encoded_len());
		assert_eq!(Difficulty::type_info(), U256::type_info());
		assert_eq!(Difficulty(number).to_string(), "305419896");
	}

	#[test]
	fn a_total_that_does_not_fit_is_noticed() {
		let most = TotalDifficulty(U256::MAX);
		assert_eq!(most.checked_add(1.into()), None);
		assert_eq!(most.saturating_add(1.into()), most);
		let sum = TotalDifficulty::from(Difficulty::from(3)).checked_add(4.into());
		assert_eq!(sum, Some(TotalDifficulty(7.into())));
	}
}
