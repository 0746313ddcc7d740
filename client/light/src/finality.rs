// SPDX-License-Identifier: Apache-2.0
//! Follows a chain's finalized blocks by the votes for them.

use crate::{
	proof::{Proof, ProofError},
	storage,
};
use alloc::{collections::BTreeMap, collections::BTreeSet, vec::Vec};
use codec::{Decode, DecodeAll, Encode};
use core::fmt;
use finality_grandpa::{
	validate_commit, voter_set::VoterSet, Chain, Error as GrandpaError, Message,
};
use isthmus_primitives::{
	digest::{PreDigest, POW_ENGINE_ID},
	BlockNumber, Hash, Header,
};
use polkadot_sdk::*;
use sp_consensus_grandpa::{
	localized_payload, AuthorityId, AuthorityList, ConsensusLog, GrandpaJustification, SetId,
	GRANDPA_ENGINE_ID,
};
use sp_core::{crypto::ByteArray, ed25519, hex2array, Pair};
use sp_runtime::{
	generic::{DigestItem, OpaqueDigestItemId},
	traits::Header as _,
};

/// The public vote keys of the development accounts //Alice to //Ferdie.
const DEVELOPMENT_VOTERS: [[u8; 32]; 6] = [
	hex2array!("88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee"),
	hex2array!("d17c2d7823ebf260fd138f2d7e27d114c0145d968b5ff5006125f2414fadae69"),
	hex2array!("439660b36c6c03afafca027b910b4fecf99801834c62a5e6006f27d978de234f"),
	hex2array!("5e639b43e0052c47447dac87d6fd2b6ec50bdd4d0f614e4299c665249bbd09d9"),
	hex2array!("1dfe3e22cc0d45c70779c1095f7489a8ef3cf52d62fbd8c2fa38c9f1723502b5"),
	hex2array!("568cb4a574c6d178feb39c27dfc8b3f789e5f5423e19c71633c748b9acf086b5"),
];

/// Why a block is not proven to be finalized.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalityError {
	/// The first block is not the one that the chain was chosen by.
	#[error("WrongGenesis: this is of the chain that begins with block {found:?}, not of the one that begins with {expected:?}")]
	WrongGenesis {
		/// The hash of the first block of the chain that was chosen.
		expected: Hash,
		/// The hash of the first block of the node's or the receipt's chain.
		found: Hash,
	},
	/// The proof of the first voters is wrong.
	#[error("the first voters are not proven: {0}")]
	Voters(#[from] ProofError),
	/// No one votes on the chain, so no block becomes final.
	#[error("NotFinal: the chain has no voters, so no block of it becomes final")]
	NoVoters,
	/// Bytes are not a proof of finality.
	#[error("NotFinal: the proof of finality is malformed")]
	Malformed,
	/// The votes are for another block.
	#[error("NotFinal: the votes for block {0} are for another block")]
	OtherBlock(BlockNumber),
	/// The votes are too few, or a signature is wrong.
	#[error("NotFinal: block {0} comes without the valid votes of more than two thirds of the verifiers")]
	NotFinal(BlockNumber),
	/// A block in the middle of a proof does not name the next voters.
	#[error("NotFinal: block {0} does not name the voters of the blocks after it")]
	NoNextVoters(BlockNumber),
	/// The voters changed in a way that their own votes do not prove.
	#[error("NotFinal: block {0} changes the voters in a way that this program cannot follow")]
	ForcedChange(BlockNumber),
	/// The node's finalized block is older than one that was verified before.
	#[error(
		"Rollback: the node's finalized block is {offered}, but block {known} was finalized before"
	)]
	Rollback {
		/// The number of the node's finalized block.
		offered: BlockNumber,
		/// The number of the finalized block that is known.
		known: BlockNumber,
	},
	/// The node shows another block of the same number than the one that was finalized.
	#[error("Rollback: the node's block {0} is another one than the block {0} that was finalized before")]
	Fork(BlockNumber),
}

/// A block, and the votes that finalize it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Step {
	/// The block's header.
	pub header: Header,
	/// The votes.
	pub justification: GrandpaJustification<Header>,
}

impl fmt::Debug for Step {
	/// Writes the block. Without the standard library, the framework cannot write votes.
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Step")
			.field("header", &self.header)
			.finish_non_exhaustive()
	}
}

impl Step {
	/// Reads the votes for a block, as nodes keep them.
	///
	/// # Errors
	///
	/// Returns [`FinalityError::Malformed`] if the bytes are no votes.
	pub fn new(header: Header, justification: &[u8]) -> Result<Self, FinalityError> {
		let justification = GrandpaJustification::decode_all(&mut &*justification)
			.map_err(|_| FinalityError::Malformed)?;
		Ok(Self {
			header,
			justification,
		})
	}
}

/// A proof of finality, in the format that nodes send each other for warp sync: the last block of each set of
/// voters and, at the end, the newest block that has been voted for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Steps {
	/// The blocks, from the oldest to the newest.
	pub steps: Vec<Step>,
	/// Whether the last step is the newest. If not, the proof was too long for one message.
	pub is_finished: bool,
}

/// A chain's newest block that is proven to be finalized, and who votes for the blocks after it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Finality {
	genesis: Hash,
	set_id: SetId,
	voters: AuthorityList,
	head: Header,
}

impl Finality {
	/// Begins with a chain's first block. `header` is that block's header, and `proof` proves who votes first,
	/// against the state root in it.
	///
	/// # Errors
	///
	/// Returns [`FinalityError::WrongGenesis`] if the header's hash is not `genesis`,
	/// [`FinalityError::Voters`] if the proof is wrong, and [`FinalityError::NoVoters`] if it proves that
	/// there are none.
	pub fn begin(
		genesis: Hash,
		header: &[u8],
		proof: impl IntoIterator<Item = Vec<u8>>,
	) -> Result<Self, FinalityError> {
		let head = Header::decode_all(&mut &*header).map_err(|_| FinalityError::Malformed)?;
		let found = head.hash();
		if found != genesis {
			let expected = genesis;
			return Err(FinalityError::WrongGenesis { expected, found });
		}
		let mut state = Proof::new(head.state_root);
		state.add(proof);
		let voters: Option<AuthorityList> = state.get(&storage::voters())?;
		Ok(Self {
			genesis,
			set_id: 0,
			voters: voters
				.filter(|voters| !voters.is_empty())
				.ok_or(FinalityError::NoVoters)?,
			head,
		})
	}

	/// Returns bytes to keep in a place that only the user can write to.
	pub fn to_bytes(&self) -> Vec<u8> {
		self.encode()
	}

	/// Reads what [`to_bytes`](Self::to_bytes) wrote.
	///
	/// # Errors
	///
	/// Returns [`FinalityError::Malformed`] if these are other bytes, and [`FinalityError::WrongGenesis`] if
	/// they are about another chain.
	pub fn restore(genesis: Hash, bytes: &[u8]) -> Result<Self, FinalityError> {
		let known = Self::decode_all(&mut &*bytes).map_err(|_| FinalityError::Malformed)?;
		let (expected, found) = (genesis, known.genesis);
		match found == expected {
			true => Ok(known),
			false => Err(FinalityError::WrongGenesis { expected, found }),
		}
	}

	/// Follows a proof of finality, an encoded [`Steps`], which begins after a block that is already known.
	/// Returns whether it leads to the newest finalized block; if not, ask for another one from the new head on.
	///
	/// # Errors
	///
	/// Returns why the proof is wrong. Then nothing has changed.
	pub fn follow(&mut self, proof: &[u8]) -> Result<bool, FinalityError> {
		let proof = Steps::decode_all(&mut &*proof).map_err(|_| FinalityError::Malformed)?;
		let mut next = self.clone();
		let count = proof.steps.len();
		for (index, step) in proof.steps.into_iter().enumerate() {
			let is_newest = proof.is_finished && index + 1 == count;
			next.advance(step, is_newest)?;
		}
		*self = next;
		Ok(proof.is_finished)
	}

	/// Returns the hash of the chain's first block.
	pub fn genesis(&self) -> Hash {
		self.genesis
	}

	/// Returns the newest block that is proven to be finalized.
	pub fn head(&self) -> &Header {
		&self.head
	}

	/// Returns the hash of the newest block that is proven to be finalized.
	pub fn head_hash(&self) -> Hash {
		self.head.hash()
	}

	/// Returns the public keys of those who vote for the next block.
	pub fn voters(&self) -> impl Iterator<Item = [u8; 32]> + '_ {
		let key = |(voter, _): &(AuthorityId, u64)| {
			let mut key = [0; 32];
			key.copy_from_slice(&voter.to_raw_vec());
			key
		};
		self.voters.iter().map(key)
	}

	/// Returns whether all voters are development accounts, whose secrets are public. Anyone can finalize blocks of
	/// such a chain, and it is often started again from its first block.
	pub fn is_development(&self) -> bool {
		self.voters()
			.all(|voter| DEVELOPMENT_VOTERS.contains(&voter))
	}

	/// Returns the head's date, in seconds since 1970; `None` if its header has none.
	pub fn timestamp(&self) -> Option<u64> {
		date(&self.head)
	}

	/// Goes on to a block that the known voters finalized. A block that `is_newest` need not name the next voters.
	pub(crate) fn advance(&mut self, step: Step, is_newest: bool) -> Result<(), FinalityError> {
		let Step {
			header,
			justification,
		} = step;
		let (hash, offered, known) = (header.hash(), header.number, self.head.number);
		if offered < known {
			return Err(FinalityError::Rollback { offered, known });
		}
		if offered == known {
			// The node has no newer block. Nothing has to be verified again.
			return match hash == self.head.hash() {
				true => Ok(()),
				false => Err(FinalityError::Fork(known)),
			};
		}
		let commit = &justification.commit;
		if (commit.target_hash, commit.target_number) != (hash, offered) {
			return Err(FinalityError::OtherBlock(offered));
		}
		let voters = VoterSet::new(self.voters.iter().cloned()).ok_or(FinalityError::NoVoters)?;
		if !is_final(&justification, self.set_id, &voters) {
			return Err(FinalityError::NotFinal(offered));
		}
		match next_voters(&header)? {
			Some(voters) => {
				self.voters = voters;
				self.set_id = self.set_id.saturating_add(1);
			}
			None if is_newest => {}
			None => return Err(FinalityError::NoNextVoters(offered)),
		}
		self.head = header;
		Ok(())
	}
}

/// Returns a block's date, in seconds since 1970; `None` if its header has none.
pub(crate) fn date(header: &Header) -> Option<u64> {
	let item: Option<PreDigest> = header
		.digest()
		.convert_first(|item| item.pre_runtime_try_to(&POW_ENGINE_ID));
	item.map(|item| item.timestamp)
}

/// Returns the voters of the blocks after this one, if they change.
fn next_voters(header: &Header) -> Result<Option<AuthorityList>, FinalityError> {
	let id = OpaqueDigestItemId::Consensus(&GRANDPA_ENGINE_ID);
	let logs = header.digest().logs().iter();
	let mut next = None;
	for log in logs.filter_map(|item: &DigestItem| item.try_to::<ConsensusLog<BlockNumber>>(id)) {
		match log {
			ConsensusLog::ForcedChange(..) => {
				return Err(FinalityError::ForcedChange(header.number))
			}
			// The first item of this kind counts.
			ConsensusLog::ScheduledChange(change) if next.is_none() => {
				if change.delay != 0 {
					return Err(FinalityError::ForcedChange(header.number));
				}
				next = Some(change.next_authorities);
			}
			_ => {}
		}
	}
	Ok(next)
}

/// The headers between the blocks that were voted for.
struct Ancestry(BTreeMap<Hash, Hash>);

impl Chain<Hash, BlockNumber> for Ancestry {
	fn ancestry(&self, base: Hash, block: Hash) -> Result<Vec<Hash>, GrandpaError> {
		let mut route = Vec::new();
		let mut at = block;
		while at != base {
			at = *self.0.get(&at).ok_or(GrandpaError::NotDescendent)?;
			route.push(at);
		}
		// Without the base.
		route.pop();
		Ok(route)
	}
}

/// Returns whether the votes are valid and enough, like `GrandpaJustification::verify` of
/// `sc-consensus-grandpa`, which needs a node's crates.
fn is_final(
	justification: &GrandpaJustification<Header>,
	set_id: SetId,
	voters: &VoterSet<AuthorityId>,
) -> bool {
	let GrandpaJustification {
		round,
		commit,
		votes_ancestries,
	} = justification;
	// A voter may have voted twice. More votes would only take time.
	if commit.precommits.len() > 2 * voters.len().get() {
		return false;
	}
	// The signatures come first, so that only the voters themselves can make the rest take long.
	let is_signed = commit.precommits.iter().all(|vote| {
		let message = Message::Precommit(vote.precommit.clone());
		let payload = localized_payload(*round, set_id, &message);
		let (signature, key) = (vote.signature.clone().into(), vote.id.clone().into());
		ed25519::Pair::verify(&signature, payload, &key)
	});
	if !is_signed {
		return false;
	}
	let parents = votes_ancestries.iter();
	let ancestry = Ancestry(
		parents
			.map(|header| (header.hash(), header.parent_hash))
			.collect(),
	);
	if !validate_commit(commit, voters, &ancestry).is_ok_and(|result| result.is_valid()) {
		return false;
	}
	let targets = commit.precommits.iter().map(|vote| &vote.precommit);
	let lowest = targets.clone().min_by_key(|target| target.target_number);
	let Some(base) = lowest.map(|target| target.target_hash) else {
		return false;
	};
	let mut visited = BTreeSet::new();
	for target in targets {
		let mut at = target.target_hash;
		// From a block that was visited, the way to the base is known.
		while at != base && visited.insert(at) {
			match ancestry.0.get(&at) {
				Some(parent) => at = *parent,
				None => return false,
			}
		}
	}
	visited.iter().eq(ancestry.0.keys())
}
