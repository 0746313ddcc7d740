// SPDX-License-Identifier: Apache-2.0
//! Defines why a header or a block was not accepted. "Rejected" and "could not check" are different: only the
//! first says anything about the peer.

use isthmus_primitives::{params::ChangesError, AccountId, BlockNumber, Hash};
use isthmus_rules::{FutureTimestamp, HeaderError, Rejection};
use polkadot_sdk::*;

/// Why a header, a body or a block's uncles were not accepted.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
	/// It violates a rule, either permanently or for now.
	#[error(transparent)]
	Rejected(#[from] Rejection),
	/// We lack something that the check needs.
	#[error("could not check: {0}")]
	CouldNotCheck(#[from] CheckError),
}

impl BlockError {
	/// Returns the name of the rule that is violated, for metrics.
	pub(crate) fn rule(&self) -> &'static str {
		match self {
			Self::Rejected(Rejection::Invalid(rule)) => rule.name(),
			Self::Rejected(Rejection::Transient(future)) => future.name(),
			Self::CouldNotCheck(_) => "not_checked",
		}
	}
}

/// What prevented a check.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
	/// The parent is not in the database.
	#[error("the parent {0} is unknown")]
	UnknownParent(Hash),
	/// The block is at or below the finalized height but not in our chain, so our chain can never include it.
	#[error("{0} is on a fork that finality has ruled out")]
	BehindFinality(Hash),
	/// The block satisfies every other rule, but is from the future by our clock.
	#[error("{0}; if this persists, this computer's clock may be slow: run NTP")]
	TooEarly(FutureTimestamp),
	/// The block is too far from our best block.
	#[error("{0} is far from our best block")]
	TooFar(Hash),
	/// The parent is unknown, and the block's difficulty is far below our best block's.
	#[error("{0} took little work, and its parent is unknown")]
	TooEasy(Hash),
	/// The beneficiary of this node's blocks may not mine on this chain.
	#[error(
		"the account {0} may not mine: by this chain's parameters, only verifiers, or also registered producers, may"
	)]
	MayNotMine(AccountId),
	/// A change of the rules is faulty, in the chain's genesis or in the node's own table.
	#[error(transparent)]
	Changes(#[from] ChangesError),
	/// The database has blocks that were checked by another table of changes.
	#[error(
		"`plannedChanges` of the specification are not those that this database was made with, from block {from_block} \
		 on, and it has blocks up to {highest}: remove the chain with `purge-chain` and sync it again, or restore the \
		 former `plannedChanges`"
	)]
	ChangedBelow {
		/// The first height at which the two tables differ.
		from_block: BlockNumber,
		/// The highest block in the database.
		highest: BlockNumber,
	},
	/// An entry of our own database does not decode.
	#[error("the database is corrupt: {0}; remove the chain with `purge-chain` and sync it again")]
	Corrupt(String),
	/// Our own database has a block without its total difficulty.
	#[error(
		"the total difficulty of {0} is missing from the database; remove the chain with \
		 `purge-chain` and sync it again"
	)]
	MissingTotalDifficulty(Hash),
	/// The sum of the chain's difficulties does not fit in 256 bits.
	#[error(transparent)]
	TotalDifficulty(#[from] HeaderError),
	/// The block announces a restart of finality that begins below this node's history.
	#[error(
		"{block} restarts finality after block {finalized}, and this node has no block before {start}: remove the chain \
		 with `purge-chain`, and sync it from genesis with `--sync full`"
	)]
	RestartBelowHistory {
		/// The block that announces it.
		block: Hash,
		/// The last finalized block, as the block says.
		finalized: BlockNumber,
		/// The first block of this node's history.
		start: BlockNumber,
	},
	/// The block's body is needed but missing.
	#[error("the body of {0} is missing")]
	MissingBody(Hash),
	/// Ethash's cache could not be made.
	#[error("ethash: {0}")]
	Ethash(#[from] isthmus_ethash::Error),
	/// A call to the runtime failed.
	#[error("runtime: {0}")]
	Runtime(#[from] sp_api::ApiError),
	/// The database failed.
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
}

/// Why a submitted seal did not become a block.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
	/// There is no template with this seal hash, or it no longer exists.
	#[error("unknown work {0}: it is sealed already, or too old")]
	UnknownWork(Hash),
	/// The seal is not a proof of work for the template.
	#[error("the seal is rejected: {0}")]
	Refused(#[source] BlockError),
	/// The block could not be imported.
	#[error("the block could not be imported: {0}")]
	Import(#[source] sp_consensus::Error),
	/// Import skipped the block.
	#[error("the block was not imported: {0:?}")]
	NotImported(sc_consensus::ImportResult),
}
