// SPDX-License-Identifier: Apache-2.0

//! The errors that prevent an attack from being carried out. What an attack finds out about a node is not
//! an error but a report: see [`crate::report`].

use isthmus_primitives::Hash;
use isthmus_security::RaceError;

use crate::{forge::ForgeError, maker::MakeError, victim::VictimError, wire::WireError};

/// Why an attack could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AttackError {
	/// The connection to a node failed.
	#[error(transparent)]
	Wire(#[from] WireError),
	/// A block could not be made.
	#[error(transparent)]
	Forge(#[from] ForgeError),
	/// A chain could not be made.
	#[error(transparent)]
	Make(#[from] MakeError),
	/// The node under attack could not be observed.
	#[error(transparent)]
	Victim(#[from] VictimError),
	/// The chain is too short for the attack.
	#[error("the node's chain has {got} blocks, and the attack needs {needed}; let it mine first")]
	ShortChain {
		/// How many blocks the chain has above genesis.
		got: u32,
		/// How many blocks the attack needs.
		needed: u32,
	},
	/// No node was given.
	#[error("no node to attack: pass at least one --rpc")]
	NoNodes,
	/// A node does not serve its own chain.
	#[error("the node does not serve its block #{0}")]
	Unserved(u32),
	/// A node did not import a block.
	#[error("the nodes did not import block {0:?} in time")]
	NotImported(Hash),
	/// A node did not request a block that a peer claimed to have.
	#[error("the node did not request block #{0}, which a peer claimed to have")]
	NotFetched(u32),
	/// The nodes did not finalize a block.
	#[error("the nodes did not finalize block #{0} in time: do enough verifiers vote?")]
	NotFinalized(u32),
	/// The options do not describe a race.
	#[error("{0}")]
	Race(RaceError),
	/// The share of the hash power is invalid.
	#[error("{0}")]
	Share(#[from] isthmus_security::ShareError),
	/// No case has this name.
	#[error("there is no case {0}: `isthmus-adversary refuse --list` prints all names")]
	UnknownCase(String),
}
