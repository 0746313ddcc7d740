// SPDX-License-Identifier: Apache-2.0
//! Notes of an account's transactions that were sent and may not be in a block yet. They say which nonces are
//! used and what is claimed.

use crate::{claim::Claim, state::State};
use serde::{Deserialize, Serialize};

/// How many seconds a node may take to count an accepted transaction when it computes the account's next
/// nonce.
const COUNTED: u64 = 5;
/// For how many seconds a transaction to another chain, or one that a block includes, is remembered.
const REMEMBERED: u64 = 3_600;
/// How many of an account's latest transactions that blocks include are remembered. A reorganisation may put them
/// back into the pool, and they claim the same again. An upload may have 64 in one block.
const MAY_RETURN: u64 = 256;

/// A transaction that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
	/// The hash of its chain's first block.
	genesis: [u8; 32],
	nonce: u64,
	/// When it was sent, or accepted by the node, in seconds since 1970.
	sent: u64,
	/// What it claims.
	claims: Vec<Claim>,
}

/// An account's notes, and its nonces on one chain.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
	/// The transactions in flight, those that may be in flight again after a reorganisation, and those to other
	/// chains.
	pub(crate) all: Vec<Note>,
	genesis: [u8; 32],
	/// How many of the account's transactions the best block's state includes.
	included: u64,
	/// The next nonce by the node's count.
	next: u64,
	/// When this was found out, in seconds since 1970.
	now: u64,
	/// The state after the best block that `included` is of, if it was asked for: what the notes leave out is in it.
	pub(crate) best: Option<State>,
}

impl Notes {
	/// Removes the notes of transactions that will not be in flight again.
	pub(crate) fn new(
		mut all: Vec<Note>,
		genesis: [u8; 32],
		included: u64,
		next: u64,
		now: u64,
	) -> Self {
		let mut notes = Self {
			all: Vec::new(),
			genesis,
			included,
			next,
			now,
			best: None,
		};
		all.retain(|note| notes.is_kept(note));
		notes.all = all;
		notes
	}

	/// Returns whether a transaction to this chain is in flight: the best block's state does not include it, and
	/// the node counts it, or may have had too little time to.
	fn is_in_flight(&self, note: &Note) -> bool {
		let age = self.now.abs_diff(note.sent);
		note.genesis == self.genesis
			&& note.nonce >= self.included
			&& (note.nonce < self.next || age <= COUNTED)
	}

	/// Returns whether to remember a transaction: it is in flight, or may be again, or is on another chain.
	fn is_kept(&self, note: &Note) -> bool {
		let is_recent = self.now.abs_diff(note.sent) <= REMEMBERED;
		let may_return =
			!note.claims.is_empty() && note.nonce.saturating_add(MAY_RETURN) >= self.included;
		let is_elsewhere = note.genesis != self.genesis;
		self.is_in_flight(note) || is_recent && (is_elsewhere || may_return)
	}

	/// Returns the transactions in flight on this chain.
	fn in_flight(&self) -> impl Iterator<Item = &Note> {
		self.all.iter().filter(|note| self.is_in_flight(note))
	}

	/// Returns the nonce of the transaction in flight that has one of these claims, if any.
	pub(crate) fn claimed(&self, claims: &[Claim]) -> Option<u64> {
		self.in_flight()
			.find(|note| note.claims.iter().any(|claim| claims.contains(claim)))
			.map(|note| note.nonce)
	}

	/// Returns whether a transaction that was sent has one of these claims and may come into a block, although none of the best
	/// chain has it: it is in flight, or may be again after a reorganisation.
	pub(crate) fn may_be_claimed(&self, claims: &[Claim]) -> bool {
		self.all.iter().any(|note| {
			note.genesis == self.genesis && note.claims.iter().any(|claim| claims.contains(claim))
		})
	}

	/// Returns the next transaction's nonce.
	pub(crate) fn nonce(&self) -> u64 {
		let noted = self.in_flight().map(|note| note.nonce.saturating_add(1));
		noted.max().map_or(self.next, |noted| noted.max(self.next))
	}

	/// Returns whether nothing is in flight, so that the next transaction acts on the best block's state.
	pub(crate) fn is_first(&self) -> bool {
		self.nonce() == self.included
	}

	/// Returns whether the node may still count a transaction that it does not count. Its sender has ended or lost
	/// the connection before the node accepted it, or the node has dropped it since. A next transaction with a
	/// later nonce would wait for it in vain.
	pub(crate) fn is_unsure(&self) -> bool {
		self.in_flight().any(|note| note.nonce >= self.next)
	}

	/// Notes that the node accepted a transaction.
	pub(crate) fn accept(&mut self, nonce: u64, now: u64) {
		let genesis = self.genesis;
		let same = |note: &&mut Note| note.genesis == genesis && note.nonce == nonce;
		if let Some(note) = self.all.iter_mut().find(same) {
			note.sent = now;
		}
	}

	/// Notes a transaction that is sent. It replaces those that had its nonce or a later one.
	pub(crate) fn add(&mut self, nonce: u64, claims: Vec<Claim>, sent: u64) {
		self.forget(nonce);
		self.all.push(Note {
			genesis: self.genesis,
			nonce,
			sent,
			claims,
		});
	}

	/// Forgets the transactions from this nonce on, whose nonces may be free again.
	pub(crate) fn forget(&mut self, nonce: u64) {
		let genesis = self.genesis;
		self.all
			.retain(|note| note.genesis != genesis || note.nonce < nonce);
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const GENESIS: [u8; 32] = [1; 32];
	const SENT: u64 = 1_000;

	/// Two transactions in flight, and one to another chain.
	fn sent() -> Vec<Note> {
		let note = |genesis, nonce, claims: &[Claim]| Note {
			genesis,
			nonce,
			sent: SENT,
			claims: claims.to_vec(),
		};
		vec![
			note(GENESIS, 4, &[Claim::Request(4)]),
			note(GENESIS, 5, &[Claim::Request(5), Claim::Leaf(0, 0, 9)]),
			note([2; 32], 90, &[Claim::Producer]),
		]
	}

	#[test]
	fn a_claim_lasts_until_a_block_includes_its_transaction_or_the_node_drops_it() {
		let late = SENT + COUNTED + 1;
		for (included, next, now, held, nonce, is_first) in [
			(4, 6, late, [Some(4), Some(5)], 6, false),
			(5, 6, late, [None, Some(5)], 6, false),
			(6, 6, late, [None, None], 6, true),
			// The node has dropped both, or does not count them yet.
			(4, 4, late, [None, None], 4, true),
			(4, 4, SENT + COUNTED, [Some(4), Some(5)], 6, false),
			// Another program sent one more.
			(4, 7, late, [Some(4), Some(5)], 7, false),
		] {
			let notes = Notes::new(sent(), GENESIS, included, next, now);
			let claims = [Claim::Request(4), Claim::Leaf(0, 0, 9)];
			assert_eq!(claims.map(|claim| notes.claimed(&[claim])), held);
			assert_eq!(notes.claimed(&[Claim::Producer]), None);
			assert_eq!((notes.nonce(), notes.is_first()), (nonce, is_first));
		}
	}

	#[test]
	fn a_claim_lasts_if_a_reorganisation_undoes_its_block() {
		let late = SENT + COUNTED + 1;
		let leaf = [Claim::Leaf(0, 0, 9)];
		let look =
			|notes: Notes, included, next| Notes::new(notes.all, GENESIS, included, next, late);
		let included = look(Notes::new(sent(), GENESIS, 4, 6, late), 6, 6);
		assert_eq!((included.claimed(&leaf), included.nonce()), (None, 6));
		// The block is undone, and the node has not put its transaction back into the pool yet.
		let undone = look(included, 5, 5);
		assert_eq!((undone.claimed(&leaf), undone.nonce()), (None, 5));
		assert!(undone.may_be_claimed(&leaf));
		let mut again = look(undone, 5, 6);
		assert_eq!((again.claimed(&leaf), again.nonce()), (Some(5), 6));
		assert!(again.may_be_claimed(&leaf));
		// Another transaction has its nonce.
		again.add(5, vec![Claim::Producer], late);
		assert_eq!(again.claimed(&leaf), None);
		assert!(!again.may_be_claimed(&leaf));
		// Old ones, and those without a claim, are not kept.
		assert_eq!(look(again.clone(), 6 + MAY_RETURN, 70).all.len(), 1);
		again.add(6, Vec::new(), SENT);
		assert_eq!(look(again, 7, 7).all.len(), 3);
	}

	#[test]
	fn a_transaction_that_the_node_may_not_have_is_waited_for() {
		let notes = |next, now| {
			let mut notes = Notes::new(Vec::new(), GENESIS, 4, 4, SENT);
			notes.add(4, Vec::new(), SENT);
			Notes::new(notes.all, GENESIS, 4, next, now)
		};
		assert!(notes(4, SENT + COUNTED).is_unsure());
		assert!(!notes(5, SENT).is_unsure());
		assert!(!notes(4, SENT + COUNTED + 1).is_unsure());
	}

	/// An upload ran out of funds: the node had accepted three of its transactions, and dropped them.
	#[test]
	fn no_nonce_is_chosen_behind_transactions_that_the_node_accepted_and_dropped() {
		let mut sent = Notes::new(Vec::new(), GENESIS, 17, 17, SENT);
		for nonce in 17..20 {
			sent.add(nonce, Vec::new(), SENT);
			sent.accept(nonce, SENT);
		}
		let look = |next, now| Notes::new(sent.all.clone(), GENESIS, 17, next, now);
		assert!(!look(20, SENT).is_unsure());
		assert_eq!(look(20, SENT).nonce(), 20);
		for next in 17..20 {
			assert!(look(next, SENT + COUNTED).is_unsure(), "{next}");
			let late = look(next, SENT + COUNTED + 1);
			assert!(!late.is_unsure(), "{next}");
			assert_eq!(late.nonce(), next);
		}
		// The node reports the second as dropped, and is not asked for its count.
		let mut known = look(u64::MAX, SENT + REMEMBERED);
		assert_eq!(known.all.len(), 3);
		known.forget(18);
		assert_eq!(known.all.len(), 1);
	}

	#[test]
	fn notes_are_kept_per_chain() {
		let mut notes = Notes::new(sent(), GENESIS, 4, 6, SENT);
		notes.add(6, vec![Claim::EncryptionKey], SENT);
		assert_eq!(notes.claimed(&[Claim::EncryptionKey]), Some(6));
		assert!(!notes.may_be_claimed(&[Claim::Producer]));
		notes.forget(5);
		assert_eq!((notes.all.len(), notes.nonce()), (2, 6));
		let other = Notes::new(notes.all, [2; 32], 90, 91, SENT + REMEMBERED);
		assert_eq!(other.claimed(&[Claim::Producer]), Some(90));
		let later = Notes::new(other.all, [2; 32], 90, 91, SENT + REMEMBERED + 1);
		assert_eq!(later.all.len(), 1);
	}
}
