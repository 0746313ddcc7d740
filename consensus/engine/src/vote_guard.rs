// SPDX-License-Identifier: Apache-2.0
//! Keeps a verifier's node from signing two different votes in one round.
//!
//! GRANDPA remembers its own votes in the database. If the database is removed, or replaced by an older copy, the node
//! would vote again in rounds in which it has voted. This guard keeps the last votes in a file of its own beside the
//! keys, and stands between GRANDPA and the keystore.
//!
//! A refused vote ends GRANDPA's voter, and with it the node. So as long as the database is behind the file, the guard
//! hides the key: GRANDPA asks for it at the start of each round, and follows a round without voting if it is missing.
//!
//! It cannot see a second machine with the same key and a file of its own. Those two votes are reported on the chain.

use crate::LOG_TARGET;
use codec::{Decode, DecodeAll, Encode};
use isthmus_primitives::{BlockNumber, Hash};
use parking_lot::Mutex;
use polkadot_sdk::*;
use sp_consensus_grandpa::KEY_TYPE;
use sp_core::{crypto::KeyTypeId, ecdsa, ed25519, sr25519};
use sp_keystore::{Error, Keystore, KeystorePtr};
use std::{
	fs::{self, File},
	io::{self, Write},
	path::{Path, PathBuf},
	sync::atomic::{AtomicBool, Ordering},
};

/// How many votes of each key are kept: those of the last ten rounds and more, as a round has three.
const KEPT: usize = 32;
/// The version of the file's format, its first byte. Version 1 has the votes alone.
const VERSION: u8 = 2;

/// A set of verifiers, and a round of it.
pub type Place = (u64, u64);

/// Why the guard cannot start.
#[derive(Debug, thiserror::Error)]
pub enum VoteGuardError {
	/// The file cannot be read or written.
	#[error("the file of this node's last votes, {0}, cannot be read or written: {1}")]
	Io(PathBuf, #[source] io::Error),
	/// The file does not decode.
	#[error(
		"the file of this node's last votes, {0}, is damaged. Give this node a new vote key (author_rotateKeys), or restore \
		 the file"
	)]
	Damaged(PathBuf),
	/// The key has voted on another chain.
	#[error(
		"this node's vote key has voted on another chain, as {0} says. Its votes there would convict it here: remove the \
		 key from the keystore, and make a new one (author_rotateKeys). Never remove the file and keep the key"
	)]
	OtherChain(PathBuf),
}

/// A vote, as GRANDPA signs it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct Vote {
	/// Prevote, precommit or proposal.
	kind: u8,
	target: (Hash, BlockNumber),
	round: u64,
	set: u64,
}

impl Vote {
	fn place(&self) -> Place {
		(self.set, self.round)
	}
}

/// The last votes, each with its key.
#[derive(Default, Encode, Decode)]
struct Votes(Vec<(ed25519::Public, Vote)>);

/// What the file contains.
#[derive(Encode, Decode)]
struct Saved {
	/// The chain of the votes.
	genesis: Hash,
	/// Where a vote was refused last.
	refused: Option<Place>,
	votes: Votes,
}

impl Saved {
	fn decode(bytes: &[u8], genesis: Hash) -> Option<Self> {
		let (version, mut rest) = bytes.split_first()?;
		match *version {
			1 => Votes::decode_all(&mut rest).ok().map(|votes| Self {
				genesis,
				refused: None,
				votes,
			}),
			VERSION => Self::decode_all(&mut rest).ok(),
			_ => None,
		}
	}
}

impl Votes {
	/// Returns the last set and round in which a key voted.
	fn last(&self, key: &[u8]) -> Option<Place> {
		let own = self.0.iter().filter(|(owner, _)| owner.0 == key);
		own.map(|(_, vote)| vote.place()).max()
	}

	/// Returns whether a key may sign a vote, which adds nothing that contradicts an earlier one.
	fn allow(&self, key: &ed25519::Public, vote: &Vote) -> bool {
		let of_key = || {
			let own = self.0.iter().filter(|(owner, _)| owner == key);
			own.map(|(_, vote)| vote)
		};
		let same = |known: &&Vote| known.kind == vote.kind && known.place() == vote.place();
		if let Some(known) = of_key().find(same) {
			return known.target == vote.target;
		}
		// Votes below the oldest are not known any more.
		let oldest = of_key().map(Vote::place).min();
		of_key().count() < KEPT || oldest.is_none_or(|oldest| vote.place() >= oldest)
	}

	/// Adds a vote, and forgets the key's oldest one if there are too many.
	fn add(&mut self, key: &ed25519::Public, vote: Vote) {
		self.0.push((*key, vote));
		let of_key = self.0.iter().enumerate();
		let of_key = of_key.filter(|(_, (owner, _))| owner == key);
		if of_key.clone().count() > KEPT {
			let oldest = of_key.min_by_key(|(_, (_, vote))| vote.place());
			if let Some((index, _)) = oldest {
				self.0.remove(index);
			}
		}
	}
}

/// A keystore that signs no vote that contradicts an earlier one.
pub struct VoteGuard {
	keystore: KeystorePtr,
	path: PathBuf,
	saved: Mutex<Saved>,
	current: Box<dyn Fn() -> Option<Place> + Send + Sync>,
	/// Whether the node does not vote, so that the log says it once.
	quiet: AtomicBool,
}

impl VoteGuard {
	/// Guards the GRANDPA keys in `keystore`, with the last votes on the chain `genesis` in the file `path`. `current`
	/// returns the set and round that the database has reached, if known.
	///
	/// # Errors
	///
	/// Returns an error if there is such a file and it cannot be read, or the key has voted on another chain.
	pub fn open(
		keystore: KeystorePtr,
		path: PathBuf,
		genesis: Hash,
		current: impl Fn() -> Option<Place> + Send + Sync + 'static,
	) -> Result<Self, VoteGuardError> {
		let mut saved = Saved {
			genesis,
			refused: None,
			votes: Votes::default(),
		};
		match fs::read(&path) {
			Ok(bytes) => {
				let known = Saved::decode(&bytes, genesis)
					.ok_or_else(|| VoteGuardError::Damaged(path.clone()))?;
				let is_own = |(key, _): &(ed25519::Public, Vote)| {
					keystore.has_keys(&[(key.0.to_vec(), KEY_TYPE)])
				};
				if known.genesis == genesis {
					saved = known;
				} else if known.votes.0.iter().any(is_own) {
					return Err(VoteGuardError::OtherChain(path));
				}
			}
			Err(error) if error.kind() == io::ErrorKind::NotFound => {}
			Err(error) => return Err(VoteGuardError::Io(path, error)),
		}
		Ok(Self {
			keystore,
			path,
			saved: Mutex::new(saved),
			current: Box::new(current),
			quiet: AtomicBool::new(false),
		})
	}

	/// Returns whether a key must not vote yet: the database is behind the key's last vote, or a vote was refused there.
	fn is_quiet(&self, key: &[u8]) -> bool {
		let Some(current) = (self.current)() else {
			return false;
		};
		let until = {
			let saved = self.saved.lock();
			// Where the key voted last, GRANDPA repeats its vote after a restart.
			let last = saved.votes.last(key).filter(|last| *last > current);
			let refused = saved.refused.filter(|refused| *refused >= current);
			last.max(refused)
		};
		let was_quiet = self.quiet.swap(until.is_some(), Ordering::Relaxed);
		match until {
			Some((set, round)) if !was_quiet => log::warn!(
				target: LOG_TARGET,
				"not voting until round {round} of set {set} is over: {} says that this node has voted up to there, and its \
				 database does not know it (round {} of set {})",
				self.path.display(),
				current.1,
				current.0,
			),
			None if was_quiet => log::info!(target: LOG_TARGET, "this node votes again"),
			_ => {}
		}
		until.is_some()
	}

	/// Decides whether the key may sign the message, and records it if it is a vote.
	fn admit(&self, key: &ed25519::Public, message: &[u8]) -> Result<(), Error> {
		// Other messages under this key, such as a proof that it is one's own, are shorter or longer.
		let Ok(vote) = Vote::decode_all(&mut &message[..]) else {
			return Ok(());
		};
		let refused = |why: &str| {
			log::error!(
				target: LOG_TARGET,
				"not voting in round {} of set {}: {why}",
				vote.round,
				vote.set,
			);
			Err(Error::Other(why.into()))
		};
		let mut saved = self.saved.lock();
		if !saved.votes.allow(key, &vote) {
			saved.refused = saved.refused.max(Some(vote.place()));
			// If this fails, the node refuses the same vote again.
			let _ = write(&self.path, &saved);
			return refused(&format!(
				"this node has voted for another block there, or has forgotten its vote. Its database was replaced, or a \
				 second machine uses its base path. Start the node again: it votes when that round is over. Never remove \
				 {}; a new chain needs a new vote key",
				self.path.display()
			));
		}
		if saved.votes.0.contains(&(*key, vote.clone())) {
			return Ok(());
		}
		saved.votes.add(key, vote.clone());
		match write(&self.path, &saved) {
			Ok(()) => Ok(()),
			Err(error) => refused(&format!(
				"{} cannot be written: {error}",
				self.path.display()
			)),
		}
	}
}

/// Writes the file, so that a crash leaves either the old or the new one.
fn write(path: &Path, saved: &Saved) -> io::Result<()> {
	let partial = path.with_extension("partial");
	let mut file = File::create(&partial)?;
	file.write_all(&[&[VERSION][..], &saved.encode()].concat())?;
	file.sync_all()?;
	fs::rename(&partial, path)
}

impl Keystore for VoteGuard {
	fn ed25519_sign(
		&self,
		key_type: KeyTypeId,
		public: &ed25519::Public,
		message: &[u8],
	) -> Result<Option<ed25519::Signature>, Error> {
		if key_type == KEY_TYPE {
			self.admit(public, message)?;
		}
		self.keystore.ed25519_sign(key_type, public, message)
	}

	/// Hides a vote key that must not vote yet.
	fn has_keys(&self, public_keys: &[(Vec<u8>, KeyTypeId)]) -> bool {
		self.keystore.has_keys(public_keys)
			&& !public_keys
				.iter()
				.any(|(key, key_type)| *key_type == KEY_TYPE && self.is_quiet(key))
	}

	// The rest is passed on.

	fn ed25519_public_keys(&self, key_type: KeyTypeId) -> Vec<ed25519::Public> {
		self.keystore.ed25519_public_keys(key_type)
	}

	fn ed25519_generate_new(
		&self,
		key_type: KeyTypeId,
		seed: Option<&str>,
	) -> Result<ed25519::Public, Error> {
		self.keystore.ed25519_generate_new(key_type, seed)
	}

	fn sr25519_public_keys(&self, key_type: KeyTypeId) -> Vec<sr25519::Public> {
		self.keystore.sr25519_public_keys(key_type)
	}

	fn sr25519_generate_new(
		&self,
		key_type: KeyTypeId,
		seed: Option<&str>,
	) -> Result<sr25519::Public, Error> {
		self.keystore.sr25519_generate_new(key_type, seed)
	}

	fn sr25519_sign(
		&self,
		key_type: KeyTypeId,
		public: &sr25519::Public,
		message: &[u8],
	) -> Result<Option<sr25519::Signature>, Error> {
		self.keystore.sr25519_sign(key_type, public, message)
	}

	fn sr25519_vrf_sign(
		&self,
		key_type: KeyTypeId,
		public: &sr25519::Public,
		data: &sr25519::vrf::VrfSignData,
	) -> Result<Option<sr25519::vrf::VrfSignature>, Error> {
		self.keystore.sr25519_vrf_sign(key_type, public, data)
	}

	fn sr25519_vrf_pre_output(
		&self,
		key_type: KeyTypeId,
		public: &sr25519::Public,
		input: &sr25519::vrf::VrfInput,
	) -> Result<Option<sr25519::vrf::VrfPreOutput>, Error> {
		self.keystore
			.sr25519_vrf_pre_output(key_type, public, input)
	}

	fn ecdsa_public_keys(&self, key_type: KeyTypeId) -> Vec<ecdsa::Public> {
		self.keystore.ecdsa_public_keys(key_type)
	}

	fn ecdsa_generate_new(
		&self,
		key_type: KeyTypeId,
		seed: Option<&str>,
	) -> Result<ecdsa::Public, Error> {
		self.keystore.ecdsa_generate_new(key_type, seed)
	}

	fn ecdsa_sign(
		&self,
		key_type: KeyTypeId,
		public: &ecdsa::Public,
		message: &[u8],
	) -> Result<Option<ecdsa::Signature>, Error> {
		self.keystore.ecdsa_sign(key_type, public, message)
	}

	fn ecdsa_sign_prehashed(
		&self,
		key_type: KeyTypeId,
		public: &ecdsa::Public,
		message: &[u8; 32],
	) -> Result<Option<ecdsa::Signature>, Error> {
		self.keystore
			.ecdsa_sign_prehashed(key_type, public, message)
	}

	fn insert(&self, key_type: KeyTypeId, suri: &str, public: &[u8]) -> Result<(), ()> {
		self.keystore.insert(key_type, suri, public)
	}

	fn keys(&self, key_type: KeyTypeId) -> Result<Vec<Vec<u8>>, Error> {
		self.keystore.keys(key_type)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_keystore::testing::MemoryKeystore;
	use std::sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	};

	const GENESIS: Hash = Hash::repeat_byte(1);

	/// A node's keystore and file. Opening it again is a restart.
	struct Node {
		folder: tempfile::TempDir,
		keystore: KeystorePtr,
		key: ed25519::Public,
		/// The round of set 0 that the database has reached.
		round: Arc<AtomicU64>,
		guard: VoteGuard,
	}

	fn open(
		keystore: &KeystorePtr,
		path: PathBuf,
		genesis: Hash,
		round: &Arc<AtomicU64>,
	) -> Result<VoteGuard, VoteGuardError> {
		let round = round.clone();
		let current = move || Some((0, round.load(Ordering::Relaxed)));
		VoteGuard::open(keystore.clone(), path, genesis, current)
	}

	impl Node {
		/// Opens the file on a chain whose genesis block has this hash.
		fn open(&self, genesis: Hash) -> Result<VoteGuard, VoteGuardError> {
			open(
				&self.keystore,
				self.folder.path().join("votes"),
				genesis,
				&self.round,
			)
		}

		/// Returns whether GRANDPA finds the vote key.
		fn may_vote(&self) -> bool {
			self.guard.has_keys(&[(self.key.0.to_vec(), KEY_TYPE)])
		}

		fn start() -> Self {
			let folder = tempfile::tempdir().unwrap();
			let keystore: KeystorePtr = Arc::new(MemoryKeystore::new());
			let key = keystore.ed25519_generate_new(KEY_TYPE, None).unwrap();
			let round = Arc::new(AtomicU64::new(1));
			let guard = open(&keystore, folder.path().join("votes"), GENESIS, &round).unwrap();
			Self {
				folder,
				keystore,
				key,
				round,
				guard,
			}
		}

		fn restart(&mut self) {
			self.guard = self.open(GENESIS).unwrap();
		}

		/// Votes, and returns whether the guard signed.
		fn votes(&self, set: u64, round: u64, kind: u8, hash: u8) -> bool {
			let message = (kind, (Hash::repeat_byte(hash), 9_u32), round, set).encode();
			let signed = self.guard.ed25519_sign(KEY_TYPE, &self.key, &message);
			signed.is_ok_and(|signature| signature.is_some())
		}
	}

	#[test]
	fn only_one_block_is_voted_for_at_each_step_of_a_round() {
		let mut node = Node::start();
		for restarted in [false, true] {
			assert!(node.votes(1, 7, 0, 5), "{restarted}");
			assert!(node.votes(1, 7, 1, 4), "{restarted}");
			assert!(!node.votes(1, 7, 0, 6), "{restarted}");
			assert!(!node.votes(1, 7, 1, 5), "{restarted}");
			node.restart();
		}
		// Other rounds and sets are others, and a past round's last vote may come late.
		assert!(node.votes(1, 8, 0, 6) && node.votes(2, 7, 0, 6) && node.votes(1, 6, 1, 6));
		// Another key has votes of its own.
		node.key = node.keystore.ed25519_generate_new(KEY_TYPE, None).unwrap();
		assert!(node.votes(1, 7, 0, 6));
	}

	#[test]
	fn rounds_below_those_that_are_kept_are_over() {
		let mut node = Node::start();
		for round in 1..=40 {
			assert!(node.votes(0, round, 0, 1));
		}
		node.restart();
		// Rounds 9 to 40 are kept.
		assert!(!node.votes(0, 8, 0, 1) && !node.votes(0, 8, 1, 1));
		assert!(node.votes(0, 9, 0, 1) && !node.votes(0, 9, 0, 2));
		assert_eq!(node.guard.saved.lock().votes.0.len(), KEPT);
		assert!(node.votes(1, 1, 0, 1));
	}

	#[test]
	fn a_node_whose_database_is_behind_its_votes_waits_until_it_is_not() {
		let mut node = Node::start();
		for round in 1..=40 {
			node.round.store(round, Ordering::Relaxed);
			assert!(node.may_vote() && node.votes(0, round, 0, 1));
		}
		// After a usual restart, GRANDPA repeats its votes of the round.
		node.restart();
		assert!(node.may_vote());
		// The database is removed.
		for (round, may_vote) in [(1, false), (39, false), (40, true), (41, true)] {
			node.round.store(round, Ordering::Relaxed);
			node.restart();
			assert_eq!(node.may_vote(), may_vote, "{round}");
		}
		// Other keys are not asked to wait.
		node.round.store(1, Ordering::Relaxed);
		let old = node.key;
		node.key = node.keystore.ed25519_generate_new(KEY_TYPE, None).unwrap();
		assert!(node.may_vote());
		node.key = old;
		assert!(!node.may_vote());
	}

	#[test]
	fn after_a_refusal_the_node_waits_until_the_round_is_over() {
		let mut node = Node::start();
		assert!(node.votes(0, 1, 0, 1) && node.may_vote());
		assert!(!node.votes(0, 1, 0, 2));
		for _ in 0..2 {
			assert!(!node.may_vote());
			node.restart();
		}
		node.round.store(2, Ordering::Relaxed);
		assert!(node.may_vote() && node.votes(0, 2, 0, 2));
	}

	#[test]
	fn a_key_that_voted_on_another_chain_is_not_used() {
		let node = Node::start();
		assert!(node.votes(0, 1, 0, 1));
		let other = || Hash::repeat_byte(2);
		assert!(matches!(
			node.open(other()),
			Err(VoteGuardError::OtherChain(_))
		));
		// With a new key, the old votes do not matter.
		let keystore: KeystorePtr = Arc::new(MemoryKeystore::new());
		let node = Node { keystore, ..node };
		assert!(node.open(other()).unwrap().saved.lock().votes.0.is_empty());
	}

	#[test]
	fn the_first_version_of_the_file_is_read() {
		let node = Node::start();
		assert!(node.votes(0, 1, 0, 1));
		let first = [&[1][..], &node.guard.saved.lock().votes.encode()].concat();
		fs::write(node.folder.path().join("votes"), first).unwrap();
		assert_eq!(node.open(GENESIS).unwrap().saved.lock().votes.0.len(), 1);
	}

	#[test]
	fn what_is_not_a_vote_is_signed() {
		let node = Node::start();
		for message in [&b"a proof of possession"[..], &[0; 200]] {
			for _ in 0..2 {
				let signed = node.guard.ed25519_sign(KEY_TYPE, &node.key, message);
				assert!(signed.unwrap().is_some());
			}
		}
		assert!(node.guard.saved.lock().votes.0.is_empty());
	}

	#[test]
	fn a_damaged_file_is_an_error_and_a_lost_folder_stops_the_votes() {
		let node = Node::start();
		let path = node.folder.path().join("votes");
		for damaged in [&b""[..], b"\x02", b"\x01\xff"] {
			fs::write(&path, damaged).unwrap();
			assert!(matches!(
				node.open(GENESIS),
				Err(VoteGuardError::Damaged(_))
			));
		}
		let gone = node.folder.path().join("gone").join("votes");
		let guard = open(&node.keystore, gone, GENESIS, &node.round).unwrap();
		assert!(!Node { guard, ..node }.votes(0, 1, 0, 1));
	}
}
