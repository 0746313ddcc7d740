//! Who the verifiers were, for any block of the chain, and who of them signed for one.
//!
//! The state names the verifiers, and is pruned; so the sets are kept here, each once, when it begins.
//! What is said of a block's verification in words and JSON is in `rpc::verification`.

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

/// Where a set is kept: this, and its number.
const SET_PREFIX: &[u8] = b"isthmus:verifiers:";

/// One of a set of verifiers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Member {
	/// The key that its node votes with.
	pub(crate) grandpa: AuthorityId,
	/// GRANDPA's weight of its vote.
	pub(crate) weight: AuthorityWeight,
	/// The producer's account, where the runtime knew it.
	pub(crate) account: Option<AccountId>,
}

/// A set of verifiers, which votes until the next one takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set {
	/// GRANDPA's number of it: the first is 0.
	pub(crate) id: SetId,
	/// In the order of GRANDPA's authorities.
	pub(crate) members: Vec<Member>,
}

/// Why it cannot be said who the verifiers were, or who signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
	/// A set that was kept does not decode.
	#[error("the database is corrupt: verifiers' set {0} does not decode; purge the chain and sync it again")]
	CorruptSet(SetId),
	/// A justification that was kept does not prove what it is kept for.
	#[error("the database is corrupt: the justification of block #{number} does not hold: {reason}; purge the chain and sync it again")]
	CorruptJustification {
		/// The block that it is kept for.
		number: BlockNumber,
		/// What is wrong with it.
		reason: String,
	},
	/// The runtime could not be asked.
	#[error("runtime: {0}")]
	Runtime(#[from] sp_api::ApiError),
	/// The database failed.
	#[error("database: {0}")]
	Database(#[from] sp_blockchain::Error),
}

/// The sets of verifiers of a chain.
pub(crate) struct VerifierSets {
	client: Arc<FullClient>,
	authorities: SharedAuthoritySet<Hash, BlockNumber>,
}

impl VerifierSets {
	/// Those of the chain that `client` keeps; `authorities` is GRANDPA's own account of them.
	pub(crate) fn new(
		client: Arc<FullClient>,
		authorities: SharedAuthoritySet<Hash, BlockNumber>,
	) -> Self {
		Self {
			client,
			authorities,
		}
	}

	/// Keeps each set that takes over while the node runs. Ends with the client.
	pub(crate) async fn follow(self: Arc<Self>) {
		let mut finalized = self.client.finality_notification_stream();
		let mut last = self.keep(self.client.info().finalized_hash, None);
		while let Some(notification) = finalized.next().await {
			last = self.keep(notification.hash, last);
		}
	}

	/// Keeps the set that votes on what follows a final block, unless it is `last`, kept already.
	/// Gives the last that is kept.
	fn keep(&self, block: Hash, last: Option<SetId>) -> Option<SetId> {
		let keep = || {
			let id = self.client.runtime_api().current_set_id(block)?;
			if last != Some(id) && self.kept(id)?.is_none() {
				let set = self.after(block)?;
				self.client
					.insert_aux(&[(&key(id)[..], &set.members.encode()[..])], &[])?;
			}
			Ok::<_, Error>(id)
		};
		keep()
			.inspect_err(|e| log::warn!("the verifiers after block {block} are not kept: {e}"))
			.ok()
			.or(last)
	}

	/// The set that votes on the children of a block whose state is there.
	pub(crate) fn after(&self, block: Hash) -> Result<Set, Error> {
		let api = self.client.runtime_api();
		let accounts = api.verifiers(block)?;
		let account_of = |key: &AuthorityId| {
			let mut known = accounts.iter();
			known.find(|verifier| verifier.grandpa == *key)
		};
		let authorities = api.grandpa_authorities(block)?.into_iter();
		let members = authorities.map(|(grandpa, weight)| Member {
			account: account_of(&grandpa).map(|verifier| verifier.account.clone()),
			grandpa,
			weight,
		});
		Ok(Set {
			id: api.current_set_id(block)?,
			members: members.collect(),
		})
	}

	/// The set that made a final block final, or `None` where this node does not know it any more.
	pub(crate) fn of_final(&self, number: BlockNumber) -> Result<Option<Set>, Error> {
		let Some(id) = self.id_of_final(number) else {
			return Ok(None);
		};
		if let Some(members) = self.kept(id)? {
			return Ok(Some(Set { id, members }));
		}
		// It took over this moment, and is about to be kept.
		let before = self.client.hash(number.saturating_sub(1))?;
		Ok(before
			.and_then(|before| self.after(before).ok())
			.filter(|set| set.id == id))
	}

	fn id_of_final(&self, number: BlockNumber) -> Option<SetId> {
		let changes = self.authorities.authority_set_changes();
		// Sets and their last blocks, from the first that is not before this block.
		let mut sets = changes.iter_from(number.saturating_sub(1))?;
		Some(match sets.next() {
			Some((id, _)) => *id,
			None => self.authorities.set_id(),
		})
	}

	fn kept(&self, id: SetId) -> Result<Option<Vec<Member>>, Error> {
		let bytes = self.client.get_aux(&key(id))?;
		bytes
			.map(|bytes| Vec::decode_all(&mut &bytes[..]).map_err(|_| Error::CorruptSet(id)))
			.transpose()
	}
}

fn key(id: SetId) -> Vec<u8> {
	[SET_PREFIX, &id.to_be_bytes()].concat()
}

/// What a justification proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Votes {
	/// The block that was voted for.
	pub(crate) number: BlockNumber,
	/// Its hash.
	pub(crate) hash: Hash,
	/// The round in which it was.
	pub(crate) round: RoundNumber,
	/// Of each member of the set, in order: whether its vote is in the justification.
	pub(crate) signed: Vec<bool>,
}

impl Votes {
	/// Reads the justification that is kept for a block, and checks it against the set that voted:
	/// every signature, that every vote is for the block or a descendant, and that they are enough.
	///
	/// # Errors
	///
	/// [`Error::CorruptJustification`] where any of it does not hold.
	pub(crate) fn read(
		encoded: &[u8],
		number: BlockNumber,
		hash: Hash,
		set: &Set,
	) -> Result<Self, Error> {
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

#[cfg(test)]
mod tests;
