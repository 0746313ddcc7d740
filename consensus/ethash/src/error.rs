//! What can go wrong.

/// Why something could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// The epoch's dataset would have more items than 32 bits can number, so Ethash is not defined
	/// there.
	#[error("epoch {epoch} is beyond {max}, the last one for which Ethash is defined")]
	EpochTooHigh {
		/// The epoch asked for.
		epoch: u64,
		/// The last epoch that has a dataset with these sizes.
		max: u64,
	},
	/// The memory for a cache or dataset could not be had.
	#[error("no memory for {bytes} bytes")]
	OutOfMemory {
		/// How many bytes were asked for.
		bytes: u64,
	},
	/// 2^256 / 0.
	#[error("the difficulty is zero, and no boundary belongs to it")]
	ZeroDifficulty,
	/// The progress callback asked to stop.
	#[error("the dataset's generation was stopped")]
	Stopped,
}
