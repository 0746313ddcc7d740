// SPDX-License-Identifier: Apache-2.0
//! Peers that do not follow the protocol.

use crate::chain::{Database, Fault, SimBlock, Store};
use isthmus_primitives::{BlockNumber, Hash};
use isthmus_sync::machine::{Arrival, Direction, Failure, MAX_ANSWER};
use std::rc::Rc;

/// How a liar lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
	/// It claims a header on a parent that does not exist.
	UnknownParent,
	/// It answers requests for bodies with false ones.
	FalseBodies,
	/// It never answers.
	Silent,
	/// It proves headers, but never sends a body.
	NoBodies,
	/// It claims a height far above the truth.
	Height,
	/// Its headers break rules.
	BadHeaders,
	/// Its blocks break rules that only the import checks.
	BadBlocks,
	/// The import of its blocks fails.
	Failing,
	/// Its answers have one block each.
	Truncated,
	/// Its blocks are from the future.
	Early,
	/// It answers with other blocks than those it was asked for.
	Nonsense,
	/// Its chain is longer than the honest one, and lighter.
	Light,
	/// It answers in the last moment.
	Slow,
}

/// All lies.
pub(crate) const LIES: [Lie; 13] = [
	Lie::UnknownParent,
	Lie::FalseBodies,
	Lie::Silent,
	Lie::NoBodies,
	Lie::Height,
	Lie::BadHeaders,
	Lie::BadBlocks,
	Lie::Failing,
	Lie::Truncated,
	Lie::Early,
	Lie::Nonsense,
	Lie::Light,
	Lie::Slow,
];

/// A liar: its lie, and the blocks of its own. Whatever else it says comes from the database of an honest node.
pub(crate) struct Liar {
	pub(crate) lie: Lie,
	pub(crate) store: Rc<Store>,
	pub(crate) honest: Rc<Database>,
	/// The tip of its own chain.
	pub(crate) tip: Option<Hash>,
}

impl Liar {
	/// Makes a new chain on the honest one, if that is the lie, and returns what the liar claims. A chain that is
	/// valid takes work, which ends when the nodes end mining.
	pub(crate) fn claim(&mut self, now: u64, is_mining: bool) -> (Hash, BlockNumber) {
		let head = self.honest.head();
		let store = &self.store;
		let child = |fault| store.child(head.hash, 10, 1000, fault);
		let tip = match self.lie {
			Lie::UnknownParent => {
				let parent = store.no_hash();
				Some(store.add(parent, head.number + 1, head.weight + 10, 1000, Fault::None))
			}
			Lie::Height => return (store.no_hash(), head.number + 3000),
			Lie::BadHeaders => Some(child(Fault::Header)),
			Lie::BadBlocks => Some(child(Fault::Rule)),
			Lie::Failing => Some(child(Fault::Execution)),
			Lie::Early => Some(child(Fault::Early(now + 20_000))),
			Lie::Light if is_mining => {
				let from = head
					.number
					.saturating_sub(20)
					.max(self.honest.finalized_number());
				let mut tip = self.honest.at(from).unwrap_or(head.hash);
				for _ in 0..40 {
					tip = store.child(tip, 1, 1000, Fault::None);
				}
				Some(tip)
			}
			_ => None,
		};
		self.tip = tip;
		match tip.and_then(|tip| store.get(&tip)) {
			Some(block) => (block.hash, block.number),
			None => (head.hash, head.number),
		}
	}

	/// Returns how long the liar takes for an answer at least, in milliseconds, or `None` if it never answers.
	pub(crate) fn delay(&self, bodies: bool) -> Option<u64> {
		match self.lie {
			Lie::Silent => None,
			Lie::NoBodies if bodies => None,
			Lie::Slow => Some(19_000),
			_ => Some(1),
		}
	}

	/// Returns whether the liar has a block.
	fn block(&self, hash: &Hash) -> Option<SimBlock> {
		let block = self.store.get(hash)?;
		if self.honest.has(hash) {
			return Some(block);
		}
		let mut next = self.tip?;
		while let Some(own) = self.store.get(&next) {
			if own.hash == *hash {
				return Some(own);
			}
			if self.honest.has(&own.parent) {
				return None;
			}
			next = own.parent;
		}
		None
	}

	/// Answers a request for headers.
	pub(crate) fn headers(&self, from: Hash, direction: Direction, max: u32) -> Vec<SimBlock> {
		let from = match self.lie {
			Lie::Nonsense => self.honest.head().parent,
			_ => from,
		};
		let max = match self.lie {
			Lie::Truncated => 1 + u32::from(direction == Direction::Up),
			_ => max,
		};
		let mut headers = Vec::new();
		let mut next = self.block(&from);
		while let Some(block) = next.filter(|_| headers.len() < max as usize) {
			next = match direction {
				Direction::Down => self.block(&block.parent),
				Direction::Up => {
					let above = self.honest.at(block.number + 1);
					above.and_then(|hash| self.block(&hash))
				}
			};
			headers.push(block);
		}
		headers
	}

	/// Answers a request for bodies.
	pub(crate) fn bodies(&self, hashes: &[Hash]) -> Result<Vec<Arrival<SimBlock>>, Failure> {
		match self.lie {
			Lie::FalseBodies => return Err(Failure::Invalid),
			Lie::Nonsense => return Err(Failure::Nonsense),
			_ => {}
		}
		// The network ends a larger answer, a liar's too.
		let mut bytes = 0;
		let fits = move |block: &SimBlock| {
			bytes += block.size;
			bytes <= MAX_ANSWER
		};
		let blocks = hashes
			.iter()
			.map_while(|hash| self.block(hash))
			.take_while(fits);
		let most = if self.lie == Lie::Truncated { 1 } else { 128 };
		Ok(blocks.take(most).map(crate::arrival).collect())
	}
}
