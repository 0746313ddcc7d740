// SPDX-License-Identifier: Apache-2.0
//! Keeps the justifications that came with blocks until a block at least as high is final.
//!
//! Of the blocks that are imported together, only the last justification is imported with them ([`thinning`]). A peer can
//! send a false one: the header does not commit to it, so that a true block may come with it. Then the others of these
//! blocks are tried, the highest first, so that a false justification costs this node nothing that other peers gave.
//! The one that was imported is tried among them, because the import does not report whether it was true.
//!
//! [`thinning`]: crate::thinning

use isthmus_primitives::{Block, BlockNumber, Hash};
use polkadot_sdk::*;
use sc_consensus::{BlockImportError, BlockImportStatus, IncomingBlock};
use sc_network::PeerId;
use sp_consensus::Error as ConsensusError;
use sp_consensus_grandpa::GRANDPA_ENGINE_ID;
use sp_runtime::EncodedJustification;
use std::{cmp::Reverse, collections::BTreeMap};

/// The maximum size of what is kept, in bytes. Honest justifications have about 150 bytes for each verifier.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// What a justification counts at least, in bytes, so that their number is bounded, too.
const MIN_BYTES: usize = 4096;

/// A justification that came with a block.
struct Spare {
	peer: PeerId,
	justification: EncodedJustification,
	/// Whether the block is in the database.
	is_here: bool,
}

impl Spare {
	fn bytes(&self) -> usize {
		self.justification.len().max(MIN_BYTES)
	}
}

/// A justification to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
	/// The block's hash.
	pub(crate) hash: Hash,
	/// The block's number.
	pub(crate) number: BlockNumber,
	/// The peer that sent it.
	pub(crate) peer: PeerId,
	/// The justification.
	pub(crate) justification: EncodedJustification,
}

/// The outcome of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
	/// It finalized its block.
	Good,
	/// It proves nothing, and its sender is at fault.
	Bad,
	/// It was not needed any more, or is of an earlier set of verifiers.
	Useless,
}

impl Verdict {
	/// Judges the result of a trial. `finalized` is the number of the last finalized block after it.
	pub(crate) fn of(
		result: &Result<(), ConsensusError>,
		number: BlockNumber,
		finalized: BlockNumber,
	) -> Self {
		match result {
			Ok(()) => Self::Good,
			Err(ConsensusError::OutdatedJustification) => Self::Useless,
			// Meanwhile other verifiers may have taken over, whose votes it does not have.
			Err(_) if finalized >= number => Self::Useless,
			Err(_) => Self::Bad,
		}
	}
}

/// The justifications that came with blocks above the finalized one.
#[derive(Default)]
pub(crate) struct Spares {
	/// In the order of their blocks.
	spares: BTreeMap<(BlockNumber, Hash), Spare>,
	bytes: usize,
	/// Whether one of them is being tried.
	is_busy: bool,
}

impl Spares {
	/// Keeps the justification of a block that is about to be imported, if it has one.
	pub(crate) fn keep(&mut self, block: &IncomingBlock<Block>) {
		let (Some(header), Some(peer)) = (&block.header, block.origin) else {
			return;
		};
		let justifications = block.justifications.as_ref();
		let Some(justification) = justifications.and_then(|all| all.get(GRANDPA_ENGINE_ID)) else {
			return;
		};
		let spare = Spare {
			peer,
			justification: justification.clone(),
			is_here: false,
		};
		let place = (header.number, block.hash);
		self.remove(&place);
		self.bytes = self.bytes.saturating_add(spare.bytes());
		self.spares.insert(place, spare);
		while self.bytes > MAX_BYTES {
			// The largest is the least likely to be honest, and of equal ones the lowest finalizes least.
			let largest = self
				.spares
				.iter()
				.max_by_key(|(place, spare)| (spare.bytes(), Reverse(**place)));
			let Some(largest) = largest.map(|(place, _)| *place) else {
				return;
			};
			self.remove(&largest);
		}
	}

	/// Takes the result of a block's import.
	pub(crate) fn imported(
		&mut self,
		hash: Hash,
		result: &Result<BlockImportStatus<BlockNumber>, BlockImportError>,
	) {
		match result {
			Ok(BlockImportStatus::ImportedUnknown(number, aux, _)) => {
				if aux.clear_justification_requests {
					// New verifiers took over without the consent of the old ones, whose votes count no more.
					self.finalized(*number);
				}
				match aux.bad_justification {
					true => self.remove(&(*number, hash)),
					false => self.landed(*number, hash),
				}
			}
			Ok(BlockImportStatus::ImportedKnown(number, _)) => self.landed(*number, hash),
			Err(_) => {
				let mut places = self.spares.keys();
				let place = places.find(|(_, block)| *block == hash).copied();
				place.iter().for_each(|place| self.remove(place));
			}
		}
	}

	/// Forgets what a block that was finalized makes useless.
	pub(crate) fn finalized(&mut self, number: BlockNumber) {
		while let Some(lowest) = self.spares.first_entry() {
			if lowest.key().0 > number {
				return;
			}
			self.bytes = self.bytes.saturating_sub(lowest.remove().bytes());
		}
	}

	/// Returns the justification to try now, if there is one: the highest. Those above the block `change`, which changes the
	/// verifiers and is not final, cannot be checked yet. Nothing else is tried until [`Self::ended`] is called.
	pub(crate) fn next(&mut self, change: Option<BlockNumber>) -> Option<Trial> {
		if self.is_busy {
			return None;
		}
		let most = (change.unwrap_or(BlockNumber::MAX), Hash::repeat_byte(0xff));
		let mut highest_first = self.spares.range(..=most).rev();
		let (&(number, hash), spare) = highest_first.find(|(_, spare)| spare.is_here)?;
		let trial = Trial {
			hash,
			number,
			peer: spare.peer,
			justification: spare.justification.clone(),
		};
		self.is_busy = true;
		Some(trial)
	}

	/// Takes the outcome of a trial. If the justification is bad, no other of its sender is tried.
	pub(crate) fn ended(&mut self, trial: &Trial, verdict: Verdict) {
		self.is_busy = false;
		self.remove(&(trial.number, trial.hash));
		if verdict == Verdict::Bad {
			self.spares.retain(|_, spare| spare.peer != trial.peer);
			self.bytes = self.spares.values().map(Spare::bytes).sum();
		}
	}

	/// Notes that a block is in the database.
	fn landed(&mut self, number: BlockNumber, hash: Hash) {
		if let Some(spare) = self.spares.get_mut(&(number, hash)) {
			spare.is_here = true;
		}
	}

	fn remove(&mut self, place: &(BlockNumber, Hash)) {
		if let Some(removed) = self.spares.remove(place) {
			self.bytes = self.bytes.saturating_sub(removed.bytes());
		}
	}
}

#[cfg(test)]
mod tests;
