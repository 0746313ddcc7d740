// SPDX-License-Identifier: Apache-2.0
//! Makes room for a block at a height that is full. The database keeps the states of at most 32 blocks of one number
//! above the finalized block, and refuses the next one. Without this, a peer that shows a new node 32 easy blocks
//! first keeps it from every other chain.

use crate::{
	chain::ChainClient, error::CheckError, fork_choice::Standing, select_chain::HeaviestChain,
	LOG_TARGET,
};
use isthmus_primitives::{Block, BlockNumber, Hash};
use polkadot_sdk::*;
use sc_client_api::backend::Backend;
use sp_blockchain::{Backend as _, HeaderBackend as _, HeaderMetadata as _};
use sp_consensus_grandpa::GRANDPA_ENGINE_ID;
use sp_runtime::DigestItem;
use std::{
	cmp::Ordering,
	collections::{HashMap, HashSet},
};

/// Where GRANDPA keeps, in the client's database, the rounds that it has completed with all of their votes, and this node's
/// own votes of the rounds that go on.
pub const VOTER_STATE: &[u8] = b"grandpa_completed_round";

/// The leaves that descend from one block, the best place that one of them has in the fork choice, and when the last of
/// them arrived.
pub(crate) struct Branch {
	leaves: Vec<Hash>,
	best: Standing,
	newest: u64,
}

/// What GRANDPA needs of a branch.
#[derive(Default)]
struct Ties {
	/// A block announces a change of GRANDPA's voters. GRANDPA keeps such a change until a block is finalized, and looks for the
	/// block that announces it with each block that is imported or finalized. If it were gone, all of these would fail.
	announces_voters: bool,
	/// A voter has voted for a block in the last rounds. A vote counts for nothing at a node that lacks its block. If all
	/// nodes removed the block that this node has voted for, its vote would never count again, since it may not vote twice.
	has_vote: bool,
}

impl Branch {
	/// Orders branches from the lightest on.
	fn by_weight(&self, other: &Self) -> Ordering {
		match (
			self.best.is_better_than(&other.best),
			other.best.is_better_than(&self.best),
		) {
			(true, _) => Ordering::Greater,
			(_, true) => Ordering::Less,
			_ => Ordering::Equal,
		}
	}
}

impl<B: Backend<Block>, C: ChainClient> HeaviestChain<B, C> {
	/// Removes the lightest branch from the database, with all of its blocks from `number` on, if the
	/// database has no room for one more of this number. The branch of the best block stays, and that of the newest block,
	/// which may be on its way to become heavier. So does a branch that announces other voters, and, as long as another one
	/// can go, a branch with a vote.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub(crate) fn make_room(&self, number: BlockNumber) -> Result<(), CheckError> {
		// As the client does while it writes a block or finalizes one: the finalized block stays the same in here.
		let _lock = self.backend().get_import_lock().write();
		match self.removable(number)? {
			Some((root, branch)) => self.remove(number, root, branch),
			None => Ok(()),
		}
	}

	/// Returns the branch that makes room for a block with this number, and the branch's block of this number. Returns
	/// `None` if there is room, or if every branch must stay.
	///
	/// # Errors
	///
	/// Returns the database's error.
	pub(crate) fn removable(
		&self,
		number: BlockNumber,
	) -> Result<Option<(Hash, Branch)>, CheckError> {
		let blockchain = self.backend().blockchain();
		let mut leaves = Vec::new();
		for leaf in blockchain.leaves()? {
			if blockchain.number(leaf)?.is_some_and(|of| of >= number) {
				leaves.push(leaf);
			}
		}
		// Each block of this number has a leaf of its own at or above it.
		if leaves.len() < self.places() {
			return Ok(None);
		}
		let mut branches: HashMap<Hash, Branch> = HashMap::new();
		let mut roots = HashMap::new();
		for leaf in leaves {
			let standing = self.chain().standing(leaf)?;
			let branch = branches
				.entry(self.root(leaf, number, &mut roots)?)
				.or_insert(Branch {
					leaves: Vec::new(),
					best: standing,
					newest: 0,
				});
			branch.leaves.push(leaf);
			branch.newest = branch.newest.max(standing.arrival.number);
			if standing.is_better_than(&branch.best) {
				branch.best = standing;
			}
		}
		if branches.len() < self.places() {
			return Ok(None);
		}
		let best = blockchain.info().best_hash;
		if blockchain.number(best)?.is_some_and(|of| of >= number) {
			branches.remove(&self.root(best, number, &mut roots)?);
		}
		let newest = branches.values().map(|branch| branch.newest).max();
		branches.retain(|_, branch| Some(branch.newest) != newest);
		let mut branches: Vec<_> = branches.into_iter().collect();
		branches.sort_by(|(_, one), (_, other)| one.by_weight(other));
		let votes = self.votes()?;
		let mut voted = None;
		for (root, branch) in branches {
			match self.ties(number, &branch, &votes)? {
				Ties {
					announces_voters: true,
					..
				} => {}
				// Voters may vote for many light branches, so a vote alone keeps no heavier chain out.
				Ties { has_vote: true, .. } => voted = voted.or(Some((root, branch))),
				_ => return Ok(Some((root, branch))),
			}
		}
		Ok(voted)
	}

	/// Returns the blocks that GRANDPA's last rounds name: the targets of votes, this node's own among them, and what the
	/// rounds led to. A hash is looked for at each place, so that nothing depends on how GRANDPA writes its rounds.
	fn votes(&self) -> Result<HashSet<Hash>, CheckError> {
		let state = self.chain().client().get_aux(VOTER_STATE)?;
		let state = state.unwrap_or_default();
		let hashes = state.windows(Hash::len_bytes());
		Ok(hashes.map(Hash::from_slice).collect())
	}

	/// Returns what GRANDPA needs of a branch, from this number on.
	fn ties(
		&self,
		number: BlockNumber,
		branch: &Branch,
		votes: &HashSet<Hash>,
	) -> Result<Ties, CheckError> {
		let blockchain = self.backend().blockchain();
		let mut ties = Ties::default();
		let mut seen = HashSet::new();
		for leaf in &branch.leaves {
			let mut next = *leaf;
			while seen.insert(next) {
				let header = blockchain.expect_header(next)?;
				let mut logs = header.digest.logs.iter();
				ties.announces_voters |=
					logs.any(|log| matches!(log, DigestItem::Consensus(GRANDPA_ENGINE_ID, _)));
				ties.has_vote |= votes.contains(&next);
				if header.number <= number {
					break;
				}
				next = header.parent_hash;
			}
		}
		Ok(ties)
	}

	/// Returns a block's ancestor with this number, or the block itself. `roots` has the ancestors of all blocks on the
	/// way that were looked at before: the branches have most of their blocks in common.
	fn root(
		&self,
		block: Hash,
		number: BlockNumber,
		roots: &mut HashMap<Hash, Hash>,
	) -> Result<Hash, CheckError> {
		let blockchain = self.backend().blockchain();
		let mut way = Vec::new();
		let mut next = block;
		let root = loop {
			if let Some(root) = roots.get(&next) {
				break *root;
			}
			way.push(next);
			let at = blockchain.header_metadata(next)?;
			if at.number <= number {
				break at.hash;
			}
			next = at.parent;
		};
		roots.extend(way.into_iter().map(|hash| (hash, root)));
		Ok(root)
	}

	/// Removes a branch from its leaves down to its root, the block with this number.
	fn remove(&self, number: BlockNumber, root: Hash, branch: Branch) -> Result<(), CheckError> {
		let backend = self.backend();
		let blockchain = backend.blockchain();
		let mut removed = 0u32;
		for leaf in branch.leaves {
			let mut next = leaf;
			while blockchain.children(next)?.is_empty() {
				let at = blockchain.header_metadata(next)?;
				if let Err(error) = backend.remove_leaf_block(next) {
					// A block whose state is gone takes no place.
					log::debug!(target: LOG_TARGET, "not removing block #{} ({next}): {error}", at.number);
					break;
				}
				removed = removed.saturating_add(1);
				if at.number <= number {
					break;
				}
				next = at.parent;
			}
		}
		log::debug!(
			target: LOG_TARGET,
			"removed {removed} blocks from #{number} ({root}) on: the database has no room for more blocks of this \
			 number, and theirs is the lightest chain",
		);
		Ok(())
	}
}
