//! What the cases stand on: the node's own chain, and hash power.

use crate::{
	error::AttackError,
	forge::{Draft, Miner},
	victim::Victim,
	wire::announcement,
};
use isthmus_primitives::{params::ChainParameters, Header};
use isthmus_rules::{Parent, UNCLE_ANCESTORS};
use polkadot_sdk::sp_runtime::OpaqueExtrinsic;

/// How many blocks the cases look back: the ancestors that an uncle may be a child of, and one more.
const DEPTH: usize = UNCLE_ANCESTORS + 1;

/// What a peer offers to a node.
pub enum Offer {
	/// A block: its header is announced, and its body served.
	Block {
		/// The header.
		header: Header,
		/// The body.
		body: Vec<OpaqueExtrinsic>,
	},
	/// Bytes, sent where an announcement should be.
	Bytes(Vec<u8>),
}

impl Offer {
	/// What is announced.
	pub fn announcement(&self) -> Vec<u8> {
		match self {
			Self::Block { header, .. } => announcement(header, true, &[]),
			Self::Bytes(bytes) => bytes.clone(),
		}
	}

	/// How the node's log names it.
	pub fn named(&self) -> String {
		match self {
			Self::Block { header, .. } => format!("block #{} ({})", header.number, header.hash()),
			Self::Bytes(_) => String::new(),
		}
	}
}

/// The last blocks of the node's chain, and what it takes to mine on them.
pub struct Stage<'a> {
	/// The chain's parameters.
	pub params: ChainParameters,
	/// The best block first.
	pub headers: Vec<Header>,
	/// The same, as the rules see them.
	pub parents: Vec<Parent>,
	/// The clock, in seconds since the Unix epoch.
	pub now: u64,
	/// Hash power.
	pub miner: &'a Miner,
}

impl<'a> Stage<'a> {
	/// Reads the last blocks of the node's chain.
	///
	/// # Errors
	///
	/// [`AttackError::ShortChain`], or RPC's.
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

	/// The node's best block.
	pub fn best(&self) -> &Header {
		// `read` gives no stage without blocks.
		&self.headers[0]
	}

	/// A child of the best block that keeps every rule but execution's.
	pub fn child(&self) -> Draft {
		self.child_of(0)
	}

	/// A child of the block so many generations above the best one.
	pub fn child_of(&self, generation: usize) -> Draft {
		let parent = &self.parents[generation];
		Draft::child(&self.params, parent, parent.timestamp.saturating_add(1))
	}

	/// Seals the draft by a true proof of work.
	///
	/// # Errors
	///
	/// Ethash's.
	pub fn seal(&self, draft: &Draft) -> Result<Header, AttackError> {
		Ok(self.miner.seal(draft)?)
	}

	/// The draft, sealed, as it is.
	///
	/// # Errors
	///
	/// Ethash's.
	pub fn offer(&self, draft: Draft) -> Result<Option<Offer>, AttackError> {
		Ok(Some(Offer::Block {
			header: self.seal(&draft)?,
			body: draft.body,
		}))
	}

	/// A child of the best block, changed, then sealed.
	///
	/// # Errors
	///
	/// Ethash's.
	pub fn offer_with(
		&self,
		change: impl FnOnce(&mut Draft),
	) -> Result<Option<Offer>, AttackError> {
		let mut draft = self.child();
		change(&mut draft);
		self.offer(draft)
	}
}
