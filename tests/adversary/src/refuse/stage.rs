// SPDX-License-Identifier: Apache-2.0

//! What the cases build on: the last blocks of the node's own chain, and a miner that adds to them.

use super::offer::Offer;
use crate::{
	error::AttackError,
	forge::{Draft, Miner},
	victim::Victim,
};
use isthmus_primitives::{params::ChainParameters, Difficulty, Header};
use isthmus_rules::{Parent, UNCLE_ANCESTORS};

/// How many blocks of the chain the cases need: the ancestors whose children can be uncles, and one more.
const DEPTH: usize = UNCLE_ANCESTORS + 1;

/// The last blocks of the node's chain, and a miner to mine on them.
pub struct Stage<'a> {
	/// The chain's parameters.
	pub params: ChainParameters,
	/// The headers, starting with the best block's.
	pub headers: Vec<Header>,
	/// The same blocks, in the form that the rules need to check a child.
	pub parents: Vec<Parent>,
	/// The current time, in seconds since the Unix epoch.
	pub now: u64,
	/// The miner that seals drafts.
	pub miner: &'a Miner,
}

impl<'a> Stage<'a> {
	/// Reads the last blocks of the node's chain.
	///
	/// # Errors
	///
	/// Returns [`AttackError::ShortChain`] if the chain is too short, or the error of the RPC.
	pub async fn read(victim: &Victim, miner: &'a Miner) -> Result<Self, AttackError> {
		let best = victim.best().await?;
		let needed = u32::try_from(DEPTH).unwrap_or(u32::MAX);
		if best.number < needed {
			let got = best.number;
			return Err(AttackError::ShortChain { got, needed });
		}
		let mut headers = vec![best];
		while let Some(last) = headers.last().filter(|_| headers.len() < DEPTH) {
			match victim.header(last.parent_hash).await? {
				Some(header) => headers.push(header),
				None => break,
			}
		}
		let parents = headers
			.iter()
			.map(|header| victim.as_parent(header))
			.collect::<Result<_, _>>()?;
		Ok(Self {
			params: victim.params().clone(),
			headers,
			parents,
			now: crate::now(),
			miner,
		})
	}

	/// Returns the header of the node's best block.
	pub fn best(&self) -> &Header {
		// There is at least one header, because `read` fails on a chain that is too short.
		&self.headers[0]
	}

	/// Drafts a child of the best block that obeys every rule except those that execution checks.
	pub fn child(&self) -> Draft {
		self.child_of(0)
	}

	/// Drafts a child of the best block's ancestor of this generation (0 is the best block itself).
	pub fn child_of(&self, generation: usize) -> Draft {
		let parent = &self.parents[generation];
		Draft::child(&self.params, parent, parent.timestamp.saturating_add(1))
	}

	/// Seals a draft with a valid proof of work.
	///
	/// # Errors
	///
	/// Returns the error of [`Miner::seal`].
	pub fn seal(&self, draft: &Draft) -> Result<Header, AttackError> {
		Ok(self.miner.seal(draft)?)
	}

	/// Seals a header with a valid proof of work for this difficulty.
	///
	/// # Errors
	///
	/// Returns the error of [`Miner::seal_header`].
	pub fn seal_header(
		&self,
		unsealed: Header,
		difficulty: Difficulty,
	) -> Result<Header, AttackError> {
		Ok(self.miner.seal_header(unsealed, difficulty)?)
	}

	/// Seals a draft and offers it.
	///
	/// # Errors
	///
	/// Returns the error of [`Miner::seal`].
	pub fn offer(&self, draft: Draft) -> Result<Option<Offer>, AttackError> {
		Ok(Some(Offer::Block {
			header: self.seal(&draft)?,
			body: draft.body,
		}))
	}

	/// Drafts a child of the best block, changes it, then seals and offers it.
	///
	/// # Errors
	///
	/// Returns the error of [`Miner::seal`].
	pub fn offer_with(
		&self,
		change: impl FnOnce(&mut Draft),
	) -> Result<Option<Offer>, AttackError> {
		let mut draft = self.child();
		change(&mut draft);
		self.offer(draft)
	}
}
