// SPDX-License-Identifier: Apache-2.0
//! Keeps a verifier's node from signing two different votes in one round.
//!
//! GRANDPA remembers its own votes in the database. If the database is removed, or replaced by an older copy, the node
//! would vote again in rounds in which it has voted. This guard keeps the last votes in a file of its own beside the
//! keys, and stands between GRANDPA and the keystore.
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
};

/// How many votes of each key are kept: those of the last ten rounds and more, as a round has three.
const KEPT: usize = 32;
/// The version of the file's format, its first byte.
const VERSION: u8 = 1;

/// Why the guard cannot start.
#[derive(Debug, thiserror::Error)]
pub enum VoteGuardError {
	/// The file cannot be read or written.
	#[error("the file of this node's last votes, {0}, cannot be read or written: {1}")]
	Io(PathBuf, #[source] io::Error),
	/// The file does not decode.
	#[error(
		"the file of this node's last votes, {0}, is damaged. If the node has been stopped for an hour or more, remove the \
		 file and start again"
	)]
	Damaged(PathBuf),
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
	fn place(&self) -> (u64, u64) {
		(self.set, self.round)
	}
}

/// The last votes, each with its key.
#[derive(Default, Encode, Decode)]
struct Votes(Vec<(ed25519::Public, Vote)>);

impl Votes {
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
	votes: Mutex<Votes>,
}

impl VoteGuard {
	/// Guards the GRANDPA keys in `keystore`, with the last votes in the file `path`.
	///
	/// # Errors
	///
	/// Returns an error if there is such a file and it cannot be read.
	pub fn open(keystore: KeystorePtr, path: PathBuf) -> Result<Self, VoteGuardError> {
		let votes = match fs::read(&path) {
			Ok(bytes) => match bytes.split_first() {
				Some((&VERSION, votes)) => Votes::decode_all(&mut &votes[..]).ok(),
				_ => None,
			}
			.ok_or_else(|| VoteGuardError::Damaged(path.clone()))?,
			Err(error) if error.kind() == io::ErrorKind::NotFound => Votes::default(),
			Err(error) => return Err(VoteGuardError::Io(path, error)),
		};
		Ok(Self {
			keystore,
			path,
			votes: Mutex::new(votes),
		})
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
		let mut votes = self.votes.lock();
		if !votes.allow(key, &vote) {
			return refused(&format!(
				"this node has voted for another block there, or has forgotten its vote. Its database was replaced, or a \
				 second machine uses its base path. The node can vote again in a later round. If the whole chain was \
				 started again, remove {}",
				self.path.display()
			));
		}
		if votes.0.contains(&(*key, vote.clone())) {
			return Ok(());
		}
		votes.add(key, vote.clone());
		match write(&self.path, &votes) {
			Ok(()) => Ok(()),
			Err(error) => refused(&format!(
				"{} cannot be written: {error}",
				self.path.display()
			)),
		}
	}
}

/// Writes the file, so that a crash leaves either the old or the new one.
fn write(path: &Path, votes: &Votes) -> io::Result<()> {
	let partial = path.with_extension("partial");
	let mut file = File::create(&partial)?;
	file.write_all(&[&[VERSION][..], &votes.encode()].concat())?;
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

	fn has_keys(&self, public_keys: &[(Vec<u8>, KeyTypeId)]) -> bool {
		self.keystore.has_keys(public_keys)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_keystore::testing::MemoryKeystore;
	use std::sync::Arc;

	/// A node's keystore and file. Opening it again is a restart.
	struct Node {
		folder: tempfile::TempDir,
		keystore: KeystorePtr,
		key: ed25519::Public,
		guard: VoteGuard,
	}

	impl Node {
		fn start() -> Self {
			let folder = tempfile::tempdir().unwrap();
			let keystore: KeystorePtr = Arc::new(MemoryKeystore::new());
			let key = keystore.ed25519_generate_new(KEY_TYPE, None).unwrap();
			let guard = VoteGuard::open(keystore.clone(), folder.path().join("votes")).unwrap();
			Self {
				folder,
				keystore,
				key,
				guard,
			}
		}

		fn restart(&mut self) {
			let path = self.folder.path().join("votes");
			self.guard = VoteGuard::open(self.keystore.clone(), path).unwrap();
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
		assert_eq!(node.guard.votes.lock().0.len(), KEPT);
		assert!(node.votes(1, 1, 0, 1));
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
		assert!(node.guard.votes.lock().0.is_empty());
	}

	#[test]
	fn a_damaged_file_is_an_error_and_a_lost_folder_stops_the_votes() {
		let node = Node::start();
		let path = node.folder.path().join("votes");
		for damaged in [&b""[..], b"\x02", b"\x01\xff"] {
			fs::write(&path, damaged).unwrap();
			let opened = VoteGuard::open(node.keystore.clone(), path.clone());
			assert!(matches!(opened, Err(VoteGuardError::Damaged(_))));
		}
		let gone = node.folder.path().join("gone").join("votes");
		let guard = VoteGuard::open(node.keystore.clone(), gone).unwrap();
		assert!(!Node { guard, ..node }.votes(0, 1, 0, 1));
	}
}
