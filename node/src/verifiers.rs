// SPDX-License-Identifier: Apache-2.0
//! Records who the verifiers were at any block of the chain, and determines which of them signed the votes
//! for a block.
//!
//! The state contains the verifiers, but old states are pruned. So each set of verifiers is also stored,
//! once, in the database's auxiliary storage when it takes over. `rpc::verification` turns the sets into
//! JSON and sentences.

use crate::client::FullClient;
use codec::{Decode, DecodeAll, Encode};
use futures::StreamExt;
use isthmus_primitives::{api::VerifiersApi, AccountId, Block, BlockNumber, Hash};
use polkadot_sdk::*;
use sc_client_api::{AuxStore, BlockchainEvents};
use sc_consensus_grandpa::{GrandpaJustification, SharedAuthoritySet};
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use sp_consensus_grandpa::{AuthorityId, AuthorityWeight, GrandpaApi, RoundNumber, SetId};
use std::sync::Arc;

/// The prefix of a set's database key. The set's number follows it.
const SET_PREFIX: &[u8] = b"isthmus:verifiers:";

/// A verifier in a set.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Member {
	/// The key that the verifier's node votes with.
	pub grandpa: AuthorityId,
	/// The weight of its vote in GRANDPA.
	pub weight: AuthorityWeight,
	/// The producer's account, if the runtime knew it.
	pub account: Option<AccountId>,
}

impl Member {
	/// Returns the verifier's account, or the key that its node votes with if the account is unknown.
	pub fn name(&self) -> String {
		match &self.account {
			Some(account) => account.to_string(),
			None => self.grandpa.to_string(),
		}
	}
}

/// A set of verifiers, which votes until the next set takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
	/// GRANDPA's number for the set, counted from 0.
	pub id: SetId,
	/// The members, in the order of GRANDPA's authorities.
	pub members: Vec<Member>,
}

/// Why the verifiers or signers of a block are unknown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
	/// A stored set cannot be decoded.
	#[error("the database is corrupt: verifier set {0} does not decode; purge the chain and sync it again")]
	CorruptSet(SetId),
	/// A stored justification is not valid for its block.
	#[error("the database is corrupt: the justification of block #{number} is invalid: {reason}; purge the chain and sync it again")]
	CorruptJustification {
		/// The block for which it is stored.
		number: BlockNumber,
		/// What is wrong with it.
		reason: String,
	},
	/// The call to the runtime failed.
	#[error("runtime: {0}")]
	Runtime(#[from] sp_api::ApiError),
	/// The database failed.
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
}

/// A chain's sets of verifiers.
pub struct VerifierSets {
	client: Arc<FullClient>,
	authorities: SharedAuthoritySet<Hash, BlockNumber>,
}

impl VerifierSets {
	/// Creates the sets of `client`'s chain. `authorities` is GRANDPA's record of their changes.
	pub fn new(
		client: Arc<FullClient>,
		authorities: SharedAuthoritySet<Hash, BlockNumber>,
	) -> Self {
		Self {
			client,
			authorities,
		}
	}

	/// Stores each set that takes over while the node runs. Returns when the client shuts down.
	pub async fn follow(self: Arc<Self>) {
		let mut finalized = self.client.finality_notification_stream();
		let mut last = self.store(self.client.info().finalized_hash, None);
		while let Some(notification) = finalized.next().await {
			last = self.store(notification.hash, last);
		}
	}

	/// Stores the set that votes on the children of a finalized block, unless it is `last`, which is
	/// already stored. Returns the last stored set.
	fn store(&self, block: Hash, last: Option<SetId>) -> Option<SetId> {
		let store = || {
			let number = self.client.number(block)?.unwrap_or_default();
			// The runtime's own number is greater after a restart of finality that dropped changes of the set.
			let id = match self.id_of_finalized(number.saturating_add(1)) {
				Some(id) => id,
				None => self.client.runtime_api().current_set_id(block)?,
			};
			if last != Some(id) && self.stored(id)?.is_none() {
				let members = self.members(block, id)?;
				self.client
					.insert_aux(&[(&key(id)[..], &members.encode()[..])], &[])?;
			}
			Ok::<_, Error>(id)
		};
		store()
			.inspect_err(|e| log::warn!("cannot store the verifiers after block {block}: {e}"))
			.ok()
			.or(last)
	}

	/// Returns the set that votes on the children of a block. The block's state must not be pruned.
	pub fn after(&self, block: Hash) -> Result<Set, Error> {
		let id = self.client.runtime_api().current_set_id(block)?;
		let members = self.members(block, id)?;
		Ok(Set { id, members })
	}

	/// Returns the members of a set that votes on the children of a block.
	///
	/// While a restart of finality waits, the state has the former verifiers under the number of the new set, although
	/// the new one votes on these blocks too. So GRANDPA's own record of the current set counts.
	fn members(&self, block: Hash, id: SetId) -> Result<Vec<Member>, Error> {
		let api = self.client.runtime_api();
		let accounts = api.verifiers(block)?;
		let account_of = |key: &AuthorityId| {
			let mut known = accounts.iter();
			known.find(|verifier| verifier.grandpa == *key)
		};
		let mut authorities = api.grandpa_authorities(block)?;
		if id == self.authorities.set_id() {
			let voters = self.authorities.current_authorities();
			let same = authorities.len() == voters.len().get()
				&& authorities.iter().all(|(key, _)| voters.contains(key));
			if !same {
				let voters = voters.iter();
				authorities = voters
					.map(|(key, info)| (key.clone(), info.weight().get()))
					.collect();
			}
		}
		let members = authorities.into_iter().map(|(grandpa, weight)| Member {
			account: account_of(&grandpa).map(|verifier| verifier.account.clone()),
			grandpa,
			weight,
		});
		Ok(members.collect())
	}

	/// Returns the set that finalized a block, or `None` if this node no longer knows it.
	pub fn of_finalized(&self, number: BlockNumber) -> Result<Option<Set>, Error> {
		let Some(id) = self.id_of_finalized(number) else {
			return Ok(None);
		};
		if let Some(members) = self.stored(id)? {
			return Ok(Some(Set { id, members }));
		}
		// The set took over a moment ago and is not stored yet. Read it from the state instead.
		let Some(before) = self.client.hash(number.saturating_sub(1))? else {
			return Ok(None);
		};
		if id == self.authorities.set_id() {
			let members = self.members(before, id).ok();
			return Ok(members.map(|members| Set { id, members }));
		}
		Ok(self.after(before).ok().filter(|set| set.id == id))
	}

	fn id_of_finalized(&self, number: BlockNumber) -> Option<SetId> {
		let changes = self.authorities.authority_set_changes();
		// The sets with their last blocks, starting with the first whose last block is this block's parent
		// or later.
		let mut sets = changes.iter_from(number.saturating_sub(1))?;
		Some(match sets.next() {
			Some((id, _)) => *id,
			None => self.authorities.set_id(),
		})
	}

	fn stored(&self, id: SetId) -> Result<Option<Vec<Member>>, Error> {
		let bytes = self.client.get_aux(&key(id))?;
		bytes
			.map(|bytes| Vec::decode_all(&mut &bytes[..]).map_err(|_| Error::CorruptSet(id)))
			.transpose()
	}
}

fn key(id: SetId) -> Vec<u8> {
	[SET_PREFIX, &id.to_be_bytes()].concat()
}

/// The content of a valid justification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Votes {
	/// The block that was voted for.
	pub number: BlockNumber,
	/// Its hash.
	pub hash: Hash,
	/// The round of the vote.
	pub round: RoundNumber,
	/// For each member of the set, in order, whether its vote is in the justification.
	pub signed: Vec<bool>,
}

impl Votes {
	/// Reads the justification stored for a block and verifies it against the set that voted: every
	/// signature must be valid, every vote must be for the block or a descendant, and there must be enough
	/// votes.
	///
	/// # Errors
	///
	/// Returns [`Error::CorruptJustification`] if any of these conditions is not met.
	pub fn read(encoded: &[u8], number: BlockNumber, hash: Hash, set: &Set) -> Result<Self, Error> {
		let corrupt = |reason: String| Error::CorruptJustification { number, reason };
		let justification =
			GrandpaJustification::<Block>::decode(encoded).map_err(|e| corrupt(e.to_string()))?;
		if justification.target() != (number, hash) {
			return Err(corrupt("it is for another block".into()));
		}
		let authorities = set.members.iter();
		let authorities = authorities.map(|member| (member.grandpa.clone(), member.weight));
		justification
			.verify(set.id, &authorities.collect())
			.map_err(|e| corrupt(e.to_string()))?;
		let proof = &justification.justification;
		let precommits = &proof.commit.precommits;
		let voted = |member: &Member| precommits.iter().any(|vote| vote.id == member.grandpa);
		Ok(Self {
			number,
			hash,
			round: proof.round,
			signed: set.members.iter().map(voted).collect(),
		})
	}
}
