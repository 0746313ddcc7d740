// SPDX-License-Identifier: Apache-2.0
//! The RPC method `isthmus_verification`. It reports who verified a block, whether more than half of the
//! verifiers did, and whether it is finalized (paper, section III.D: a block that more than half of the
//! nodes verified is linked).
//!
//! A verifier's node imports, and so verifies, a block before it votes for it or for a descendant. Of a finalized
//! block, the node therefore reads the response from the votes, which GRANDPA keeps as justifications. A justification
//! omits votes that arrived after there were enough, so `notSeen` does not mean that a verifier is at fault. Of a block
//! that is not finalized, the verifiers' statements say who executed it (`isthmus_engine::Executed`).

use super::{
	block::{BlockRef, Found},
	error::Error,
	gaps::Gaps,
};
use crate::{
	client::FullClient,
	verifiers::{Member, Set, VerifierSets, Votes},
};
use isthmus_engine::Executed;
use isthmus_primitives::{AccountId, BlockNumber, Hash};
use jsonrpsee::proc_macros::rpc;
use polkadot_sdk::*;
use sc_client_api::BlockBackend;
use sc_consensus_grandpa::SharedVoterState;
use serde::Serialize;
use sp_blockchain::{lowest_common_ancestor, HeaderBackend};
use sp_consensus_grandpa::{AuthorityId, RoundNumber, SetId, GRANDPA_ENGINE_ID};
use std::{collections::HashSet, fmt, sync::Arc};

/// How many blocks to search above a finalized block for the votes that finalized it. Every finished round
/// of votes is kept, and of blocks that were synced from far behind those of one in 16, so a search is only this long if
/// finality stalled for a long time.
const LOOK_AHEAD: BlockNumber = 4096;

/// The RPC method.
#[rpc(server)]
pub trait VerificationApi {
	/// Returns the state of a block's verification. `block` is the block's number on the best chain, its
	/// hash, or null for the best block.
	#[method(name = "isthmus_verification", blocking)]
	fn verification(&self, block: Option<BlockRef>) -> Result<Verification, Error>;
}

/// A verifier, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verifier {
	/// The producer's account, or null if it is unknown.
	pub account: Option<AccountId>,
	/// The key that its node votes with, as an SS58 address.
	pub grandpa_key: AuthorityId,
}

impl From<&Member> for Verifier {
	fn from(member: &Member) -> Self {
		Self {
			account: member.account.clone(),
			grandpa_key: member.grandpa.clone(),
		}
	}
}

/// The votes that finalized a block, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Justification {
	/// The block that was voted for.
	pub number: BlockNumber,
	/// The hash of that block.
	pub hash: Hash,
	/// The round of the vote.
	pub round: RoundNumber,
}

/// What is known about the current round of votes, as JSON. Its block is only known when the round ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Round {
	/// The round's number in the set.
	pub number: RoundNumber,
	/// Verifiers whose first vote (prevote) was seen.
	pub prevoted: Vec<Verifier>,
	/// Verifiers whose last vote (precommit) was seen.
	pub precommitted: Vec<Verifier>,
	/// Verifiers whose last vote was not seen.
	pub missing: Vec<Verifier>,
}

impl Round {
	fn new(set: &Set, seen: Seen) -> Self {
		let (prevoted, _) = split(set, |_, m| seen.prevotes.contains(&m.grandpa));
		let (precommitted, missing) = split(set, |_, m| seen.precommits.contains(&m.grandpa));
		Self {
			number: seen.round,
			prevoted,
			precommitted,
			missing,
		}
	}
}

/// The response, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
	/// The block's number (H_i).
	pub number: BlockNumber,
	/// The block's hash.
	pub hash: Hash,
	/// Whether it is the best block or an ancestor of it.
	pub on_best_chain: bool,
	/// How many blocks are on top of it; null if it is not on the best chain.
	pub confirmations: Option<BlockNumber>,
	/// Whether it is finalized, that is, permanently linked.
	#[serde(rename = "final")]
	pub is_finalized: bool,
	/// Whether more than half of the verifiers are known to have verified it: whether it is linked, in the paper's word.
	/// Without finality, a linked block may still be orphaned.
	pub more_than_half: bool,
	/// GRANDPA's number for the set of verifiers that votes on the block; null if unknown.
	pub set_id: Option<SetId>,
	/// The number of verifiers in the set; null if unknown.
	pub verifiers: Option<usize>,
	/// The verifiers known to have verified it.
	pub verified_by: Vec<Verifier>,
	/// The other verifiers of the set.
	pub not_seen: Vec<Verifier>,
	/// The votes from which `verifiedBy` is read; null if there are none.
	pub justified_by: Option<Justification>,
	/// The current round of votes, if the block is not finalized and a round is running.
	pub round: Option<Round>,
	/// The response in a sentence or two.
	pub statement: String,
}

/// What is known about a block's verification.
pub enum Known {
	/// Finalized by these votes.
	Signed(Set, Votes),
	/// Finalized, but the votes are not kept.
	Finalized(Option<Set>),
	/// It may still be finalized. These keys have executed it.
	Pending(Set, HashSet<AuthorityId>, Option<Seen>),
	/// Another block was finalized in its place.
	Orphaned(Hash),
}

/// The votes of the current round that this node has seen. GRANDPA does not say which blocks they are for.
pub struct Seen {
	pub round: RoundNumber,
	pub prevotes: HashSet<AuthorityId>,
	pub precommits: HashSet<AuthorityId>,
}

/// Computes responses from the database and from GRANDPA's voter.
pub struct Verifications {
	client: Arc<FullClient>,
	sets: Arc<VerifierSets>,
	executed: Arc<Executed>,
	voter: SharedVoterState,
	gaps: Gaps,
}

impl Verifications {
	pub fn new(
		client: Arc<FullClient>,
		sets: Arc<VerifierSets>,
		executed: Arc<Executed>,
		voter: SharedVoterState,
	) -> Self {
		Self {
			client,
			sets,
			executed,
			voter,
			gaps: Gaps::default(),
		}
	}

	fn known(&self, block: &Found) -> Result<Known, Error> {
		let finalized = self.client.info().finalized_number;
		if block.number <= finalized {
			let there = self.client.hash(block.number)?;
			return match there.filter(|there| *there != block.hash) {
				Some(there) => Ok(Known::Orphaned(there)),
				None => self.signed(block.number, finalized),
			};
		}
		let header = self.client.header(block.hash)?;
		let parent = header.map_or(self.client.info().best_hash, |header| header.parent_hash);
		let set = self.sets.after(parent)?;
		let seen = self.voter.voter_state().map(|state| {
			let (round, state) = state.best_round;
			Seen {
				round,
				prevotes: state.prevote_ids,
				precommits: state.precommit_ids,
			}
		});
		Ok(Known::Pending(set, self.executed(block), seen))
	}

	/// Returns who has stated that it executed a block, or a descendant that this node has.
	fn executed(&self, block: &Found) -> HashSet<AuthorityId> {
		self.executed.by(|number, hash| {
			let is_best = |number| self.client.hash(number).ok().flatten() == Some(hash);
			number >= block.number
				&& (hash == block.hash
					|| block.depth.is_some() && is_best(number)
					|| lowest_common_ancestor(&*self.client, block.hash, hash)
						.is_ok_and(|common| common.hash == block.hash))
		})
	}

	/// Finds the first votes for a finalized block or a descendant.
	fn signed(&self, number: BlockNumber, finalized: BlockNumber) -> Result<Known, Error> {
		let last = finalized.min(number.saturating_add(LOOK_AHEAD));
		let mut next = self.gaps.skip(number);
		while next <= last {
			let above = next;
			let Some(hash) = self.client.hash(above)? else {
				break;
			};
			let kept = self.client.justifications(hash)?;
			let Some(votes) = kept.and_then(|kept| kept.into_justification(GRANDPA_ENGINE_ID))
			else {
				self.gaps.note(above, above.saturating_add(1));
				next = self.gaps.skip(above.saturating_add(1));
				continue;
			};
			let Some(set) = self.sets.of_finalized(above)? else {
				return Ok(Known::Finalized(None));
			};
			let votes = Votes::read(&votes, above, hash, &set)?;
			return Ok(Known::Signed(set, votes));
		}
		Ok(Known::Finalized(self.sets.of_finalized(number)?))
	}
}

impl VerificationApiServer for Verifications {
	fn verification(&self, block: Option<BlockRef>) -> Result<Verification, Error> {
		let block = Found::look_up(&self.client, block)?;
		Ok(Verification::new(block, self.known(&block)?))
	}
}

/// Splits the members into those that satisfy a predicate and the others.
fn split(
	set: &Set,
	mut is_so: impl FnMut(usize, &Member) -> bool,
) -> (Vec<Verifier>, Vec<Verifier>) {
	let mut index = 0..;
	let (so, not) = set
		.members
		.iter()
		.partition::<Vec<_>, _>(|member| index.next().is_some_and(|index| is_so(index, member)));
	let json = |members: Vec<&Member>| members.into_iter().map(Verifier::from).collect();
	(json(so), json(not))
}

impl Verification {
	/// Assembles the response for a block.
	pub fn new(block: Found, known: Known) -> Self {
		let on_best_chain = block.depth.is_some();
		let statement = Statement {
			block,
			known: &known,
		}
		.to_string();
		let mut verification = Self {
			number: block.number,
			hash: block.hash,
			on_best_chain,
			confirmations: block.depth,
			is_finalized: matches!(known, Known::Signed(..) | Known::Finalized(_)),
			more_than_half: false,
			set_id: None,
			verifiers: None,
			verified_by: Vec::new(),
			not_seen: Vec::new(),
			justified_by: None,
			round: None,
			statement,
		};
		let set = match &known {
			Known::Signed(set, _) | Known::Finalized(Some(set)) | Known::Pending(set, _, _) => {
				Some(set)
			}
			Known::Finalized(None) | Known::Orphaned(_) => None,
		};
		if let Some(set) = set {
			verification.set_id = Some(set.id);
			verification.verifiers = Some(set.members.len());
			verification.not_seen = set.members.iter().map(Verifier::from).collect();
		}
		match known {
			Known::Signed(set, votes) => {
				let signed = |index: usize, _: &Member| votes.signed.get(index) == Some(&true);
				(verification.verified_by, verification.not_seen) = split(&set, signed);
				verification.more_than_half = more_than_half(verification.verified_by.len(), &set);
				verification.justified_by = Some(Justification {
					number: votes.number,
					hash: votes.hash,
					round: votes.round,
				});
			}
			Known::Pending(set, executed, seen) => {
				let has_executed = |_: usize, member: &Member| executed.contains(&member.grandpa);
				(verification.verified_by, verification.not_seen) = split(&set, has_executed);
				verification.more_than_half = more_than_half(verification.verified_by.len(), &set);
				verification.round = seen.map(|seen| Round::new(&set, seen));
			}
			Known::Finalized(_) | Known::Orphaned(_) => {}
		}
		verification
	}
}

/// Returns whether this number of signers is strictly more than half of the set.
pub fn more_than_half(signed: usize, set: &Set) -> bool {
	signed > set.members.len() / 2
}

/// A block's verification in a sentence or two.
struct Statement<'a> {
	block: Found,
	known: &'a Known,
}

impl fmt::Display for Statement<'_> {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		match self.known {
			Known::Signed(set, votes) => {
				let signed = votes.signed.iter().filter(|signed| **signed).count();
				let all = set.members.len();
				write!(f, "{signed} of {all} {} signed for ", noun(all))?;
				if votes.hash == self.block.hash {
					f.write_str("it")?;
				} else {
					write!(f, "block {}, which descends from it", votes.number)?;
				}
				if more_than_half(signed, set) {
					f.write_str("; more than half: linked, and finalized.")
				} else {
					// A runtime upgrade could give the votes unequal weights.
					f.write_str("; finalized by their weight.")
				}
			}
			Known::Finalized(_) if self.block.number == 0 => f.write_str(
				"The genesis block, which the chain specification defines: finalized without a vote.",
			),
			Known::Finalized(_) => f.write_str("Finalized; this node does not keep the votes for it."),
			Known::Orphaned(there) => write!(
				f,
				"Not linked, and never will be: {there:?} is finalized at number {}.",
				self.block.number
			),
			Known::Pending(set, executed, seen) => self.pending(f, set, executed, seen.as_ref()),
		}
	}
}

impl Statement<'_> {
	fn pending(
		&self,
		f: &mut fmt::Formatter,
		set: &Set,
		executed: &HashSet<AuthorityId>,
		seen: Option<&Seen>,
	) -> fmt::Result {
		let all = set.members.len();
		let count = |keys: &HashSet<AuthorityId>| {
			let members = set.members.iter();
			members
				.filter(|member| keys.contains(&member.grandpa))
				.count()
		};
		f.write_str(if self.block.depth.is_some() {
			"Not finalized yet."
		} else {
			"Not on the best chain, and not finalized."
		})?;
		match count(executed) {
			0 => {}
			by if more_than_half(by, set) => write!(
				f,
				" {by} of {all} {} executed it; more than half: linked, but it may still be orphaned.",
				noun(all)
			)?,
			by => write!(f, " {by} of {all} {} executed it.", noun(all))?,
		}
		let Some(seen) = seen else {
			return f.write_str(
				" This node takes no part in finality at present, and knows of no votes.",
			);
		};
		write!(
			f,
			" In round {}, which is running, this node has seen the last votes of {} of {all} {}; \
			 which block they are for is known when the round ends.",
			seen.round,
			count(&seen.precommits),
			noun(all)
		)
	}
}

fn noun(verifiers: usize) -> &'static str {
	if verifiers == 1 {
		"verifier"
	} else {
		"verifiers"
	}
}
