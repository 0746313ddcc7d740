// SPDX-License-Identifier: Apache-2.0
//! Decides which peer to ask for the justification of a block that was imported without one but needs it.

use crate::machine::Time;
use isthmus_primitives::{BlockNumber, Hash};
use polkadot_sdk::sc_network::PeerId;
use std::{collections::HashMap, time::Duration};

/// A peer that had no justification is not asked again for this long.
const PAUSE: Duration = Duration::from_secs(10);
/// The maximum number of blocks whose justifications are needed.
const MAX_NEEDED: usize = 4096;

/// The justifications that are needed.
#[derive(Default)]
pub(crate) struct Justifications(Vec<Needed>);

struct Needed {
	hash: Hash,
	number: BlockNumber,
	/// The peer that was asked, or that sent what is being imported.
	busy: Option<PeerId>,
	asked: HashMap<PeerId, Time>,
}

impl Justifications {
	/// Asks for the justification of this block from now on.
	pub(crate) fn need(&mut self, hash: Hash, number: BlockNumber) {
		if self.0.iter().all(|needed| needed.hash != hash) && self.0.len() < MAX_NEEDED {
			self.0.push(Needed {
				hash,
				number,
				busy: None,
				asked: HashMap::new(),
			});
		}
	}

	/// Forgets all blocks.
	pub(crate) fn clear(&mut self) {
		self.0.clear();
	}

	/// Notes that this block, and with it all its ancestors, was finalized.
	pub(crate) fn finalized(&mut self, number: BlockNumber) {
		self.0.retain(|needed| needed.number > number);
	}

	/// Notes that a peer is gone.
	pub(crate) fn remove_peer(&mut self, peer: &PeerId) {
		for needed in &mut self.0 {
			needed.asked.remove(peer);
			if needed.busy == Some(*peer) {
				needed.busy = None;
			}
		}
	}

	/// Notes that the import of a justification ended, or that a peer had none.
	pub(crate) fn ended(&mut self, hash: &Hash, success: bool) {
		if success {
			self.0.retain(|needed| needed.hash != *hash);
		}
		if let Some(needed) = self.0.iter_mut().find(|needed| needed.hash == *hash) {
			needed.busy = None;
		}
	}

	/// Returns the number of a block whose justification is needed.
	pub(crate) fn number(&self, hash: &Hash) -> Option<BlockNumber> {
		let needed = self.0.iter().find(|needed| needed.hash == *hash)?;
		Some(needed.number)
	}

	/// Returns whom to ask for which justification now. The lowest block comes first: a set of verifiers is
	/// announced by the one before it.
	pub(crate) fn next(
		&mut self,
		now: Time,
		peers: &[PeerId],
		may_have: impl Fn(&PeerId, BlockNumber) -> bool,
	) -> Vec<(PeerId, Hash)> {
		let mut requests: Vec<(PeerId, Hash)> = Vec::new();
		let Some(needed) = self.0.iter_mut().min_by_key(|needed| needed.number) else {
			return requests;
		};
		if needed.busy.is_some() {
			return requests;
		}
		needed.asked.retain(|_, at| now.saturating_sub(*at) < PAUSE);
		let peer = peers
			.iter()
			.find(|peer| !needed.asked.contains_key(peer) && may_have(peer, needed.number));
		if let Some(peer) = peer {
			needed.asked.insert(*peer, now);
			needed.busy = Some(*peer);
			requests.push((*peer, needed.hash));
		}
		requests
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_thousand_needed_justifications_are_remembered() {
		let mut justifications = Justifications::default();
		for number in 1..=1000 {
			justifications.need(Hash::from_low_u64_be(number.into()), number);
		}
		let last = Hash::from_low_u64_be(1000);
		assert_eq!(justifications.number(&last), Some(1000));
	}
}
