//! The weights of the calls.
//!
//! These are estimates, not yet measured. Reads and writes are counted as the code does them, at the
//! chain's database weights; computing is allowed 30 to 100 µs a call, as the list of verifiers is
//! read and written whole. What a change of the voters costs is apart: see
//! [`crate::Config::MembersChangeWeight`]. The benchmarks are in `benchmarking`; what they measure
//! will replace this file.

use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};
use polkadot_sdk::*;

/// What each call costs at most.
pub trait WeightInfo {
	/// `apply`.
	fn apply() -> Weight;
	/// `withdraw`.
	fn withdraw() -> Weight;
	/// `admit`, but for the change of those who vote.
	fn admit() -> Weight;
	/// `remove`, but for the change of those who vote.
	fn remove() -> Weight;
	/// `leave`, but for the change of those who vote.
	fn leave() -> Weight;
	/// `remove_keys`.
	fn remove_keys() -> Weight;
}

/// A microsecond of computing.
const MICROSECOND: u64 = 1_000_000;

fn estimate<T: frame_system::Config>(microseconds: u64, reads: u64, writes: u64) -> Weight {
	Weight::from_parts(microseconds.saturating_mul(MICROSECOND), 0)
		.saturating_add(T::DbWeight::get().reads_writes(reads, writes))
}

/// The weights on this chain.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
	/// Reads: verifiers, applicant, producer, session keys, the account and its holds.
	fn apply() -> Weight {
		estimate::<T>(60, 6, 3)
	}

	/// Reads: applicant, the account and its holds.
	fn withdraw() -> Weight {
		estimate::<T>(50, 3, 3)
	}

	/// Reads: applicant, producer, verifiers, the session's number.
	fn admit() -> Weight {
		estimate::<T>(80, 4, 2)
	}

	/// Reads: verifiers, the account and its holds, the session's number.
	fn remove() -> Weight {
		estimate::<T>(100, 4, 3)
	}

	/// As [`Self::remove`].
	fn leave() -> Weight {
		Self::remove()
	}

	/// Reads: the session's validators, its queued keys, applicant, verifiers, the keys and their
	/// owner, whether they were set from outside, the account and its holds.
	fn remove_keys() -> Weight {
		estimate::<T>(100, 9, 5)
	}
}
