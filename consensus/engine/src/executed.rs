// SPDX-License-Identifier: Apache-2.0
//! What the verifiers say that they have executed: the paper's "verified by more than half of the nodes" (section III.B).
//!
//! A vote of GRANDPA says as much, but a verifier votes once in a round, and a round ends only with more than two thirds
//! of the votes. So when finality stands, its votes say nothing about new blocks. A verifier's node therefore signs a
//! [`Statement`] for each block that becomes its best block, and nodes pass it on. Nothing depends on statements: neither
//! the fork choice nor finality.

use codec::{Decode, DecodeAll, Encode};
use isthmus_primitives::{BlockNumber, Hash};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sp_consensus_grandpa::{AuthorityId, KEY_TYPE};
use sp_core::{ed25519, Pair};
use sp_keystore::Keystore;
use std::collections::{HashMap, HashSet};

/// Begins the bytes that a verifier signs. No vote and no other message under the key begins like this.
const CONTEXT: [u8; 16] = *b"isthmus executed";
/// How many statements of each verifier are kept. A statement covers the block's ancestors too, so that the last one of
/// each fork is enough.
const KEPT: usize = 16;
/// How many statements of a verifier about blocks of one number are taken. So a verifier that signs without end does not
/// keep the network busy.
const PER_NUMBER: usize = 2;
/// How far above the best block a statement's block may be.
const AHEAD: BlockNumber = 64;
/// How far below the best block it may be. Without this bound, all statements since the last finalized block could be sent
/// once more to a node that has just started, however long finality has stalled.
const BEHIND: BlockNumber = 64;

/// A verifier's word that its node has executed a block, and so all of its ancestors.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Statement {
	/// The block's number (H_i).
	pub number: BlockNumber,
	/// The block's hash.
	pub block: Hash,
	/// The key that the verifier's node votes with.
	pub verifier: AuthorityId,
	signature: ed25519::Signature,
}

impl Statement {
	/// The length of an encoded statement, in bytes.
	pub const LENGTH: usize = 4 + 32 + 32 + 64;

	/// Signs that this node has executed a block of the chain `genesis`. Returns `None` if the keystore does not have the
	/// verifier's key.
	///
	/// # Errors
	///
	/// Returns the keystore's error.
	pub fn sign(
		keystore: &dyn Keystore,
		genesis: Hash,
		verifier: &AuthorityId,
		(number, block): (BlockNumber, Hash),
	) -> Result<Option<Self>, sp_keystore::Error> {
		let message = signed_bytes(genesis, number, block);
		let key = ed25519::Public::from(verifier.clone());
		let signature = keystore.ed25519_sign(KEY_TYPE, &key, &message)?;
		Ok(signature.map(|signature| Self {
			number,
			block,
			verifier: verifier.clone(),
			signature,
		}))
	}

	fn is_authentic(&self, genesis: Hash) -> bool {
		let message = signed_bytes(genesis, self.number, self.block);
		let key = ed25519::Public::from(self.verifier.clone());
		ed25519::Pair::verify(&self.signature, message, &key)
	}
}

fn signed_bytes(genesis: Hash, number: BlockNumber, block: Hash) -> Vec<u8> {
	(CONTEXT, genesis, number, block).encode()
}

/// What a node does with the bytes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
	/// It is new: pass it on.
	New,
	/// It is known, too old, too far ahead, one too many, or not of a verifier of now: drop it.
	Useless,
	/// The bytes are not a statement, or the signature is false. No honest node passes that on.
	Invalid,
}

/// Which statements count at present.
pub struct Window<'a> {
	/// Returns whether a key is a verifier's.
	pub is_verifier: &'a dyn Fn(&AuthorityId) -> bool,
	/// The number of the last finalized block, which needs no statements any more.
	pub finalized: BlockNumber,
	/// The number of the best block.
	pub best: BlockNumber,
}

/// The statements that a node has heard. What it keeps is bounded by the number of verifiers.
pub struct Executed {
	genesis: Hash,
	/// The statements of each verifier, the lowest block first.
	heard: Mutex<HashMap<AuthorityId, Vec<Statement>>>,
}

impl Executed {
	/// Creates an empty record for the chain with this first block.
	pub fn new(genesis: Hash) -> Self {
		Self {
			genesis,
			heard: Mutex::default(),
		}
	}

	/// Takes an encoded statement from a peer, or this node's own.
	pub fn hear(&self, bytes: &[u8], window: &Window) -> Heard {
		let Ok(statement) = Statement::decode_all(&mut &bytes[..]) else {
			return Heard::Invalid;
		};
		let number = statement.number;
		let lowest = window.finalized.max(window.best.saturating_sub(BEHIND));
		let in_reach = number > lowest && number <= window.best.saturating_add(AHEAD);
		if !in_reach || !(window.is_verifier)(&statement.verifier) {
			return Heard::Useless;
		}
		let mut heard = self.heard.lock();
		let of_verifier = heard
			.get(&statement.verifier)
			.map_or(&[][..], Vec::as_slice);
		let same_number = of_verifier.iter().filter(|known| known.number == number);
		let too_low = of_verifier.len() >= KEPT && number <= of_verifier[0].number;
		// A verifier may sign the same twice: the signature does not matter.
		let known = same_number
			.clone()
			.any(|known| known.block == statement.block);
		if known || too_low || same_number.count() >= PER_NUMBER {
			return Heard::Useless;
		}
		// Only now, because a check costs more than the bytes.
		if !statement.is_authentic(self.genesis) {
			return Heard::Invalid;
		}
		let of_verifier = heard.entry(statement.verifier.clone()).or_default();
		let place = of_verifier.partition_point(|known| known.number <= number);
		of_verifier.insert(place, statement);
		if of_verifier.len() > KEPT {
			of_verifier.remove(0);
		}
		Heard::New
	}

	/// Forgets what does not count any more.
	pub fn forget(&self, window: &Window) {
		self.heard.lock().retain(|verifier, statements| {
			statements.retain(|statement| statement.number > window.finalized);
			!statements.is_empty() && (window.is_verifier)(verifier)
		});
	}

	/// Returns the last statement of each verifier, encoded, for a new peer.
	pub fn last_statements(&self) -> Vec<Vec<u8>> {
		let heard = self.heard.lock();
		let last = heard.values().filter_map(|statements| statements.last());
		last.map(Encode::encode).collect()
	}

	/// Returns the verifiers that have stated a block for which `covers` holds: the block in question, or a descendant.
	pub fn by(&self, covers: impl Fn(BlockNumber, Hash) -> bool) -> HashSet<AuthorityId> {
		// `covers` may read the database, so the lock is not held for it.
		let heard = self.heard.lock().clone();
		let covers = |statement: &Statement| covers(statement.number, statement.block);
		let said = heard
			.into_iter()
			.filter(|(_, statements)| statements.iter().rev().any(covers));
		said.map(|(verifier, _)| verifier).collect()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_keystore::testing::MemoryKeystore;

	const GENESIS: Hash = Hash::repeat_byte(1);

	/// The keys of two verifiers and of a stranger, in one keystore.
	struct World {
		keystore: MemoryKeystore,
		verifiers: [AuthorityId; 2],
		stranger: AuthorityId,
		executed: Executed,
	}

	fn hash(number: u64) -> Hash {
		Hash::from_low_u64_be(number)
	}

	impl World {
		fn new() -> Self {
			let keystore = MemoryKeystore::new();
			let key = |name: &str| {
				let public = keystore.ed25519_generate_new(KEY_TYPE, Some(name));
				AuthorityId::from(public.unwrap())
			};
			let (verifiers, stranger) = ([key("//Alice"), key("//Bob")], key("//Eve"));
			Self {
				keystore,
				verifiers,
				stranger,
				executed: Executed::new(GENESIS),
			}
		}

		fn sign(
			&self,
			genesis: Hash,
			by: &AuthorityId,
			number: BlockNumber,
			block: Hash,
		) -> Vec<u8> {
			let signed = Statement::sign(&self.keystore, genesis, by, (number, block));
			signed.unwrap().unwrap().encode()
		}

		/// The node has finalized block 10, and its best block is 20.
		fn hear(&self, bytes: &[u8]) -> Heard {
			self.with_window(10, |window| self.executed.hear(bytes, window))
		}

		fn with_window<R>(&self, finalized: BlockNumber, f: impl FnOnce(&Window) -> R) -> R {
			f(&Window {
				is_verifier: &|key| self.verifiers.contains(key),
				finalized,
				best: 20,
			})
		}

		fn say(&self, verifier: usize, number: BlockNumber, block: Hash) -> Heard {
			self.hear(&self.sign(GENESIS, &self.verifiers[verifier], number, block))
		}

		fn kept(&self) -> usize {
			self.executed.heard.lock().values().map(Vec::len).sum()
		}

		/// The verifiers, by index, that have executed a block for which this holds.
		fn by(&self, covers: impl Fn(BlockNumber, Hash) -> bool) -> Vec<usize> {
			let by = self.executed.by(covers);
			(0..2)
				.filter(|index| by.contains(&self.verifiers[*index]))
				.collect()
		}
	}

	#[test]
	fn a_statement_counts_for_its_block_and_for_ancestors() {
		let world = World::new();
		assert_eq!(world.say(0, 15, hash(15)), Heard::New);
		assert_eq!(world.say(1, 17, hash(17)), Heard::New);
		let above = |wanted: BlockNumber| {
			move |number: BlockNumber, block| number >= wanted && block == hash(number.into())
		};
		assert_eq!(world.by(above(15)), [0, 1]);
		assert_eq!(world.by(above(16)), [1]);
		assert_eq!(world.by(above(18)), [0; 0]);
		// After a reorganisation a verifier has executed both forks.
		assert_eq!(world.say(1, 17, hash(1700)), Heard::New);
		assert_eq!(world.by(|_, block| block == hash(17)), [1]);
		assert_eq!(world.by(|_, block| block == hash(1700)), [1]);
	}

	#[test]
	fn only_verifiers_that_sign_for_this_chain_are_believed() {
		let world = World::new();
		let statement = world.sign(GENESIS, &world.verifiers[0], 15, hash(15));
		assert_eq!(statement.len(), Statement::LENGTH);
		// Another number, another block, another verifier, another signature.
		for place in [0, 4, 36, 68] {
			let mut changed = statement.clone();
			if place == 36 {
				changed[36..68].copy_from_slice(world.verifiers[1].as_ref());
			} else {
				changed[place] ^= 1;
			}
			assert_eq!(world.hear(&changed), Heard::Invalid, "byte {place}");
		}
		let elsewhere = world.sign(Hash::zero(), &world.verifiers[0], 15, hash(15));
		assert_eq!(world.hear(&elsewhere), Heard::Invalid);
		for bytes in [&statement[1..], &[&statement[..], &[0]].concat(), &[]] {
			assert_eq!(world.hear(bytes), Heard::Invalid);
		}
		let stranger = world.sign(GENESIS, &world.stranger, 15, hash(15));
		assert_eq!(world.hear(&stranger), Heard::Useless);
		assert!(world.executed.last_statements().is_empty());
		assert_eq!(world.hear(&statement), Heard::New);
		assert_eq!(world.hear(&statement), Heard::Useless);
		// A new peer is sent the last one.
		let last = world.sign(GENESIS, &world.verifiers[0], 16, hash(16));
		assert_eq!(world.hear(&last), Heard::New);
		assert_eq!(world.say(0, 14, hash(14)), Heard::New);
		assert_eq!(world.executed.last_statements(), [last]);
	}

	#[test]
	fn what_a_verifier_signs_without_end_is_bounded() {
		let world = World::new();
		assert_eq!(world.say(1, 15, hash(15)), Heard::New);
		for (number, heard) in [(10, Heard::Useless), (85, Heard::Useless), (84, Heard::New)] {
			assert_eq!(world.say(0, number, hash(number.into())), heard, "{number}");
		}
		// At most two of a number, and no more in all than are kept and can come above them.
		let mut taken = 0;
		for round in 0..3 {
			for fork in 0..4 {
				for number in 11..=84 {
					let block = hash(10_000 * round + 1000 * fork + u64::from(number));
					taken += usize::from(world.say(0, number, block) == Heard::New);
				}
			}
		}
		assert!(taken <= PER_NUMBER * 74, "{taken} were passed on");
		assert_eq!(world.kept(), KEPT + 1);
		assert_eq!(world.by(|_, block| block == hash(15)), [1]);

		// Nor can it make room for one more by the ones that are dropped.
		let world = World::new();
		for number in 12..12 + KEPT as BlockNumber {
			assert_eq!(world.say(0, number, hash(number.into())), Heard::New);
		}
		assert_eq!(world.say(0, 12, hash(1200)), Heard::Useless);
		assert_eq!(world.say(0, 13, hash(1300)), Heard::New);
		assert_eq!(world.say(0, 13, hash(1301)), Heard::Useless);
	}

	#[test]
	fn old_statements_are_useless_however_long_finality_stalls() {
		let world = World::new();
		let hear = |number: BlockNumber| {
			let bytes = world.sign(GENESIS, &world.verifiers[0], number, hash(number.into()));
			let window = Window {
				is_verifier: &|key| world.verifiers.contains(key),
				finalized: 0,
				best: 100_000,
			};
			world.executed.hear(&bytes, &window)
		};
		let lowest = 100_000 - BEHIND + 1;
		for old in [1, 50_000, lowest - 1] {
			assert_eq!(hear(old), Heard::Useless);
		}
		for new in [lowest, 100_000 + AHEAD] {
			assert_eq!(hear(new), Heard::New);
		}
		assert_eq!(hear(100_000 + AHEAD + 1), Heard::Useless);
	}

	#[test]
	fn finalized_blocks_and_former_verifiers_are_forgotten() {
		let world = World::new();
		for (verifier, number) in [(0, 12), (0, 14), (1, 12)] {
			world.say(verifier, number, hash(number.into()));
		}
		world.with_window(12, |window| world.executed.forget(window));
		assert_eq!(world.by(|_, _| true), [0]);
		assert_eq!(world.kept(), 1);
		world.executed.forget(&Window {
			is_verifier: &|_| false,
			finalized: 12,
			best: 20,
		});
		assert_eq!(world.kept(), 0);
	}

	#[test]
	fn a_key_that_the_keystore_lacks_signs_nothing() {
		let world = World::new();
		let empty = MemoryKeystore::new();
		let signed = Statement::sign(&empty, GENESIS, &world.verifiers[0], (15, hash(15)));
		assert_eq!(signed.unwrap(), None);
	}

	#[test]
	fn what_is_signed_is_not_a_vote() {
		// A vote has the kind, a hash, a number, the round and the set.
		let vote = 1 + 32 + 4 + 8 + 8;
		assert_ne!(signed_bytes(GENESIS, 15, hash(15)).len(), vote);
	}
}
