// SPDX-License-Identifier: Apache-2.0
//! Defines a scope, the range of a dataset's records that a request asks for and a grant opens, and the
//! states of a grant. The range is one of leaves: a leaf is a record's place in an epoch of its dataset.

use crate::{
	ids::{DatasetId, Epoch, Leaf},
	terms::LEAVES_PER_EPOCH,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The dataset, the epoch and the range of leaves that a request or a grant is for (the paper's "data
/// range").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub struct Scope {
	/// The owner's dataset.
	pub dataset: DatasetId,
	/// The dataset's epoch.
	pub epoch: Epoch,
	/// The first leaf.
	pub from: u64,
	/// One past the last leaf, at most 2^32.
	pub to: u64,
}

/// Why a scope is not a valid range of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
	/// The dataset has not reached this epoch yet.
	#[error("the dataset has not reached this epoch yet")]
	UnknownEpoch,
	/// The range has no leaves: its end equals its start.
	#[error("the range is empty")]
	EmptyRange,
	/// The range ends before it starts.
	#[error("the range ends before it starts")]
	InvertedRange,
	/// The range ends beyond the last leaf of an epoch.
	#[error("the range ends beyond leaf {LEAVES_PER_EPOCH}")]
	RangeTooHigh,
}

impl Scope {
	/// Returns whether the range contains this leaf. It does not compare the dataset or the epoch.
	pub fn covers(&self, leaf: Leaf) -> bool {
		(self.from..self.to).contains(&u64::from(leaf))
	}

	/// Returns the number of leaves in the range.
	pub fn leaves(&self) -> u64 {
		self.to.saturating_sub(self.from)
	}

	/// Checks that the range is valid, and that the dataset, which is now in epoch `current`, has reached the
	/// scope's epoch.
	///
	/// # Errors
	///
	/// Returns the first [`ScopeError`] that applies, in the order of its variants.
	pub fn check(&self, current: Epoch) -> Result<(), ScopeError> {
		if self.epoch > current {
			Err(ScopeError::UnknownEpoch)
		} else if self.from == self.to {
			Err(ScopeError::EmptyRange)
		} else if self.from > self.to {
			Err(ScopeError::InvertedRange)
		} else if self.to > LEAVES_PER_EPOCH {
			Err(ScopeError::RangeTooHigh)
		} else {
			Ok(())
		}
	}
}

/// The state of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "by-name",
	derive(scale_decode::DecodeAsType, scale_encode::EncodeAsType)
)]
#[derive(TypeInfo, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
#[scale_info(capture_docs = "always")]
pub enum GrantState {
	/// The grant opens its range until it expires.
	#[codec(index = 0)]
	Active,
	/// The grant has expired.
	#[codec(index = 1)]
	Expired,
	/// The owner has revoked the grant.
	#[codec(index = 2)]
	Revoked,
	/// The grant's condition is not met, or it is not known whether it is. The grant opens nothing until it is met.
	#[codec(index = 3)]
	Suspended,
}

impl GrantState {
	/// Returns whether the grant has ended, so that it will never open anything again.
	pub fn has_ended(self) -> bool {
		matches!(self, Self::Expired | Self::Revoked)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn scope(epoch: Epoch, from: u64, to: u64) -> Scope {
		Scope {
			dataset: 3,
			epoch,
			from,
			to,
		}
	}

	#[test]
	fn each_rule_of_a_scope_has_its_error() {
		for (scope, expected) in [
			(scope(5, 0, 1), Ok(())),
			(scope(0, 0, LEAVES_PER_EPOCH), Ok(())),
			(scope(6, 7, 7), Err(ScopeError::UnknownEpoch)),
			(scope(5, 7, 7), Err(ScopeError::EmptyRange)),
			(scope(5, 8, 7), Err(ScopeError::InvertedRange)),
			(
				scope(5, 0, LEAVES_PER_EPOCH + 1),
				Err(ScopeError::RangeTooHigh),
			),
		] {
			assert_eq!(scope.check(5), expected, "{scope:?}");
		}
	}

	proptest! {
		#[test]
		fn a_scope_covers_as_many_leaves_as_it_has(from in 0..50u64, to in 0..50u64) {
			let scope = scope(0, from, to);
			let covered = (0..60).filter(|leaf| scope.covers(*leaf)).count();
			prop_assert_eq!(covered as u64, scope.leaves());
			prop_assert_eq!(scope.check(0).is_ok(), covered > 0);
		}

		#[test]
		fn a_scope_is_encoded_field_after_field(
			dataset: u32, epoch: u32, from: u64, to: u64,
		) {
			let scope = Scope { dataset, epoch, from, to };
			let bytes = scope.encode();
			let fields = [
				&dataset.to_le_bytes()[..], &epoch.to_le_bytes(), &from.to_le_bytes(), &to.to_le_bytes(),
			];
			prop_assert_eq!(&bytes, &fields.concat());
			prop_assert_eq!(Scope::decode(&mut &bytes[..]), Ok(scope));
		}
	}
}
