// SPDX-License-Identifier: Apache-2.0
//! Keeps the recent work that all sessions share, and the nonces that were tried for it.

use isthmus_ethash::Boundary;
use std::{
	collections::{HashSet, VecDeque},
	sync::Arc,
};

/// The maximum number of works that a board keeps. A template lives for two to five seconds, so this is more
/// than a minute.
pub const KEPT_WORKS: usize = 32;
/// The maximum number of nonces that are remembered for one work. A work with more shares than that takes no
/// further ones.
const MAX_NONCES: usize = 1 << 16;

/// What a miner receives of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
	/// The hash to find a seal for.
	pub seal_hash: [u8; 32],
	/// The seed of the block's Ethash epoch.
	pub seed: [u8; 32],
	/// The block's number, H_i.
	pub number: u64,
	/// The maximum result that seals the block.
	pub boundary: Boundary,
	/// The block's difficulty, H_d, or `u64::MAX` if it is greater.
	pub difficulty: u64,
	/// The parent's hash.
	pub parent: [u8; 32],
}

/// A work with the number that identifies it to miners.
#[derive(Debug)]
struct Entry {
	id: u32,
	work: Arc<Work>,
	tried: HashSet<u64>,
}

/// The outcome of [`Board::try_nonce`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
	/// This nonce was not submitted before.
	New,
	/// The nonce was submitted before, on this or another connection.
	Again,
	/// The work is not on the board, or has too many nonces.
	Closed,
}

/// The recent work, newest last.
#[derive(Debug, Default)]
pub struct Board {
	entries: VecDeque<Entry>,
	next_id: u32,
}

impl Board {
	/// Adds new work, which all miners should switch to.
	pub fn publish(&mut self, work: Arc<Work>) {
		if self.entries.len() == KEPT_WORKS {
			self.entries.pop_front();
		}
		self.next_id = self.next_id.wrapping_add(1);
		self.entries.push_back(Entry {
			id: self.next_id,
			work,
			tried: HashSet::new(),
		});
	}

	/// Returns the work that miners should do now, and its number.
	pub fn current(&self) -> Option<(u32, &Arc<Work>)> {
		self.entries.back().map(|entry| (entry.id, &entry.work))
	}

	/// Returns the work with this number.
	pub(crate) fn by_id(&self, id: u32) -> Option<(u32, &Arc<Work>)> {
		let entry = self.entries.iter().find(|entry| entry.id == id)?;
		Some((entry.id, &entry.work))
	}

	/// Returns the work with this seal hash.
	pub(crate) fn by_seal_hash(&self, seal_hash: [u8; 32]) -> Option<(u32, &Arc<Work>)> {
		let mut entries = self.entries.iter();
		let entry = entries.find(|entry| entry.work.seal_hash == seal_hash)?;
		Some((entry.id, &entry.work))
	}

	/// Returns whether blocks of another height are mined by now.
	pub(crate) fn is_stale(&self, work: &Work) -> bool {
		self.current()
			.is_none_or(|(_, current)| current.number != work.number)
	}

	/// Remembers a nonce that is submitted for a work.
	pub(crate) fn try_nonce(&mut self, id: u32, nonce: u64) -> Tried {
		let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) else {
			return Tried::Closed;
		};
		if entry.tried.contains(&nonce) {
			return Tried::Again;
		}
		if entry.tried.len() == MAX_NONCES {
			return Tried::Closed;
		}
		entry.tried.insert(nonce);
		Tried::New
	}

	/// Forgets a nonce that could not be checked, so that the miner may submit it again.
	pub(crate) fn forget_nonce(&mut self, work: &Arc<Work>, nonce: u64) {
		let mut entries = self.entries.iter_mut();
		if let Some(entry) = entries.find(|entry| Arc::ptr_eq(&entry.work, work)) {
			entry.tried.remove(&nonce);
		}
	}
}
