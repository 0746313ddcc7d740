//! What can keep an attack from being carried out. What an attack found is no error: see
//! [`crate::report`].

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
	/// No case has this name.
	#[error("there is no case {0}; `isthmus-adversary refuse --list` prints their names")]
	UnknownCase(String),
}
