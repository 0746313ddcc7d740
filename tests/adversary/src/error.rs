//! What can keep an attack from being carried out. What an attack found is no error: see
//! [`crate::report`].

use isthmus_primitives::Hash;
use isthmus_security::RaceError;

use crate::{forge::ForgeError, maker::MakeError, victim::VictimError, wire::WireError};

/// Why an attack was not carried out to its end.
#[derive(Debug, thiserror::Error)]
pub enum AttackError {
	/// The network's side.
	#[error(transparent)]
	Wire(#[from] WireError),
	/// A block could not be made.
	#[error(transparent)]
	Forge(#[from] ForgeError),
	/// A chain could not be made.
	#[error(transparent)]
	Make(#[from] MakeError),
	/// The node under attack could not be looked at.
	#[error(transparent)]
	Victim(#[from] VictimError),
	/// The chain is too short for the attack.
	#[error("the node's chain has {got} blocks, and the attack needs {needed}; let it mine first")]
	ShortChain {
		/// Blocks above genesis.
		got: u32,
		/// Blocks needed.
		needed: u32,
	},
	/// There is nobody to attack.
	#[error("name at least one node with `--rpc`")]
	NoNodes,
	/// A node does not serve its own chain.
	#[error("the node does not serve its block #{0}")]
	Unserved(u32),
	/// A node did not take a block.
	#[error("the nodes did not take the block {0:?} in time")]
	NotTaken(Hash),
	/// A node did not ask for what a peer claims to have.
	#[error("the node did not ask for block #{0}, which a peer claimed to have")]
	NotFetched(u32),
	/// The nodes do not finalize.
	#[error("the nodes did not finalize block #{0} in time: do enough verifiers vote?")]
	NotFinal(u32),
	/// The race's terms make none.
	#[error("{0}")]
	Race(RaceError),
	/// The share of the hash power is none.
	#[error("{0}")]
	Share(#[from] isthmus_security::ShareError),
	/// No case has this name.
	#[error("there is no case {0}; `isthmus-adversary refuse --list` prints their names")]
	UnknownCase(String),
}
