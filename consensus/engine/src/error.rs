//! Why a header or block was not taken. "Rejected" and "could not check" are different: only the
//! first says anything about the peer.

use isthmus_primitives::Hash;
use isthmus_rules::{FutureTimestamp, HeaderError, Rejection};
use polkadot_sdk::*;

/// Why a header or a block's uncles were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
	/// It breaks a rule, for good or for now.
	#[error(transparent)]
	Rejected(#[from] Rejection),
	/// Our own side lacks something.
	#[error("could not check: {0}")]
	CouldNotCheck(#[from] CheckError),
}

/// What kept us from checking.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
	/// The parent is not in the database.
	#[error("the parent {0} is unknown")]
	UnknownParent(Hash),
	/// The block is not in our chain, and is no higher than the finalized block: nobody will build on
	/// it.
	#[error("{0} is on a fork that finality has ruled out")]
	BehindFinality(Hash),
	/// The block keeps every rule, and our clock says that its time has not come.
	#[error("{0}; where this goes on, this computer's clock may be slow: run NTP")]
	TooEarly(FutureTimestamp),
	/// The block failed just now, and not for sure by its own fault.
	#[error(
		"{0} could not be imported just now, for the reason logged then; it is tried again soon"
	)]
	FailedLately(Hash),
	/// The block is too far from our best one.
	#[error("{0} is far from our best block")]
	TooFar(Hash),
	/// The parent is not known, and the block's difficulty is a small part of our best one's.
	#[error("{0} took little work, and its parent is unknown")]
	TooEasy(Hash),
	/// Something in our own database does not read.
	#[error("the database is corrupt: {0}; remove the chain with `purge-chain` and sync it again")]
	Corrupt(String),
	/// A block in our own database has no total difficulty next to it.
	#[error(
		"the total difficulty of {0} is missing from the database; remove the chain with \
		 `purge-chain` and sync it again"
	)]
	MissingTotalDifficulty(Hash),
	/// The sum of all difficulties does not fit 256 bits.
	#[error(transparent)]
	TotalDifficulty(#[from] HeaderError),
	/// The block's body is needed and not there.
	#[error("the body of {0} is missing")]
	MissingBody(Hash),
	/// Ethash's cache could not be made.
	#[error("ethash: {0}")]
	Ethash(#[from] isthmus_ethash::Error),
	/// The runtime could not be asked.
	#[error("runtime: {0}")]
	Runtime(#[from] sp_api::ApiError),
	/// The database failed.
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
}

/// Why a submitted seal made no block.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
	/// No template has this seal hash, or no longer.
	#[error("there is no work for {0}: it was sealed already, or is too old")]
	UnknownWork(Hash),
	/// The seal is not a proof of work for the template.
	#[error("the seal is refused: {0}")]
	Refused(#[source] BlockError),
	/// The block could not be imported.
	#[error("the block could not be imported: {0}")]
	Import(#[source] sp_consensus::Error),
	/// Import did not take the block.
	#[error("the block was not imported: {0:?}")]
	NotImported(sc_consensus::ImportResult),
}
