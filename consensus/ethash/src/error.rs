// SPDX-License-Identifier: Apache-2.0
//! Defines the errors of caches, datasets and boundaries.

/// Why a cache, a dataset or a boundary could not be created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// The epoch's dataset would have more items than 32 bits can number: Ethash is not defined for it.
	#[error("epoch {epoch} is beyond {max}, the last one for which Ethash is defined")]
	EpochTooHigh {
		/// The epoch requested.
		epoch: u64,
		/// The last epoch that has a dataset with these sizes.
		max: u64,
	},
	/// The system does not have enough memory for a cache or dataset.
	#[error("not enough memory for {bytes} bytes")]
	OutOfMemory {
		/// The number of bytes requested.
		bytes: u64,
	},
	/// The boundary of a difficulty of zero, 2^256 / 0, does not exist.
	#[error("the difficulty is zero, which has no boundary")]
	ZeroDifficulty,
	/// The progress callback stopped generating the dataset.
	#[error("generating the dataset was stopped")]
	Stopped,
}
