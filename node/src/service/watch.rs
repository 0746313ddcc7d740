// SPDX-License-Identifier: Apache-2.0
//! Watches the running node for states in which it waits without an error: a clock that is behind the
//! chain, votes that do not come, no peers, a sync that stands still, a full transaction pool. It logs each
//! once and then rarely, with what to do about it.

use super::{contacts::Contacts, parts::Core};
use crate::{pool::Limits, reminder::Reminder, rpc::framework::MAX_LAG};
use futures_timer::Delay;
use isthmus_primitives::{params::ALLOWED_FUTURE_SECONDS, Block, BlockNumber, Hash};
use polkadot_sdk::*;
use sc_client_api::HeaderBackend;
use sc_consensus_grandpa::SharedAuthoritySet;
use sc_network_sync::{SyncState, SyncingService};
use sc_service::Configuration;
use sc_transaction_pool_api::TransactionPool;
use sp_core::{crypto::KeyTypeId, ed25519, sr25519};
use sp_keystore::KeystorePtr;
use std::{
	fmt, fs, io,
	mem::{discriminant, Discriminant},
	path::{Path, PathBuf},
	sync::Arc,
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const LOG_TARGET: &str = "watch";
/// The time between two looks.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long a node may be without peers before that is worth a line.
const ALONE_AFTER: Duration = Duration::from_secs(60);
/// How long a syncing node may import nothing before that is worth a line.
const STALLED_AFTER: Duration = Duration::from_secs(180);
/// From this distance between the best and the finalized block on, the node logs that no block is finalized.
const FINALITY_LIMIT: BlockNumber = 128;
/// The keystore's key type for vote keys, which are ed25519 keys.
const VOTE_KEY: KeyTypeId = sp_consensus_grandpa::KEY_TYPE;

/// What the watch sees at one look.
#[derive(Clone, Debug)]
pub struct Look {
	/// This machine's clock, in seconds since 1970.
	pub clock: u64,
	/// The best block's number.
	pub best: BlockNumber,
	/// H_s of the best block, in seconds since 1970.
	pub best_time: u64,
	/// The finalized block's number.
	pub finalized: BlockNumber,
	/// The number of the block that the node is syncing to, if it is.
	pub target: Option<BlockNumber>,
	/// How long the best block has been the same.
	pub unchanged: Duration,
	/// How long the node has had no peers.
	pub alone: Duration,
	/// The waiting transactions, and how many have room.
	pub waiting: (usize, usize),
	/// The size of the waiting transactions, and how much has room, in bytes.
	pub waiting_bytes: (usize, usize),
	/// The transactions that wait for an earlier nonce, and how many have room.
	pub gaps: (usize, usize),
	/// The size of the transactions that wait for an earlier nonce, and how much has room, in bytes.
	pub gap_bytes: (usize, usize),
	/// Whether the node has a key of a current verifier; `None` if it does not vote.
	pub votes: Option<VoteKeys>,
	/// Whether the node mines.
	pub mines: bool,
	/// Whether the node needs no peers, as with `--dev`.
	pub needs_no_peers: bool,
}

/// Which vote keys a verifier's node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoteKeys {
	/// None.
	None,
	/// The keystore in this folder cannot be read.
	Unreadable(PathBuf),
	/// Some, but none of them is a current verifier's.
	Foreign,
	/// That of a current verifier.
	Current,
}

/// Why a node waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
	/// The best block is later than the clock allows.
	Clock {
		/// The best block's number.
		best: BlockNumber,
		/// H_s of the best block, in seconds since 1970.
		time: u64,
		/// This machine's clock, in seconds since 1970.
		clock: u64,
	},
	/// The verifiers finalize nothing.
	Finality {
		/// The best block's number.
		best: BlockNumber,
		/// The finalized block's number.
		finalized: BlockNumber,
	},
	/// There are no peers.
	Peers {
		/// Whether the node would mine.
		mines: bool,
	},
	/// Peers have more blocks, and none is imported.
	Sync {
		/// The best block's number.
		best: BlockNumber,
		/// The number of the peers' best block.
		target: BlockNumber,
	},
	/// The transaction pool has no room.
	Pool {
		/// How many transactions wait.
		transactions: usize,
		/// Their size in bytes.
		bytes: usize,
	},
	/// The queue of transactions that wait for an earlier nonce has no room.
	Gaps {
		/// How many transactions wait.
		transactions: usize,
		/// Their size in bytes.
		bytes: usize,
	},
	/// A verifier's node has no key to vote with.
	NoVoteKey,
	/// A verifier's node cannot read its keystore, which is in this folder.
	UnreadableKeystore(PathBuf),
	/// A verifier's node has a key, but not that of a verifier.
	ForeignVoteKey,
}

impl Look {
	/// Returns everything that the node waits for.
	pub fn waits(&self) -> Vec<Wait> {
		let Self {
			best, finalized, ..
		} = *self;
		let mut waits = Vec::new();
		if self.best_time > self.clock.saturating_add(ALLOWED_FUTURE_SECONDS) {
			waits.push(Wait::Clock {
				best,
				time: self.best_time,
				clock: self.clock,
			});
		}
		if best.saturating_sub(finalized) > FINALITY_LIMIT {
			waits.push(Wait::Finality { best, finalized });
		}
		if self.alone >= ALONE_AFTER && !self.needs_no_peers {
			waits.push(Wait::Peers { mines: self.mines });
		}
		if let Some(target) = self.target {
			if target > best && self.unchanged >= STALLED_AFTER {
				waits.push(Wait::Sync { best, target });
			}
		}
		let is_full = |(count, room): (usize, usize), (bytes, limit): (usize, usize)| {
			count >= room || is_nearly(bytes, limit)
		};
		if is_full(self.waiting, self.waiting_bytes) {
			waits.push(Wait::Pool {
				transactions: self.waiting.0,
				bytes: self.waiting_bytes.0,
			});
		}
		if is_full(self.gaps, self.gap_bytes) {
			waits.push(Wait::Gaps {
				transactions: self.gaps.0,
				bytes: self.gap_bytes.0,
			});
		}
		match &self.votes {
			Some(VoteKeys::None) => waits.push(Wait::NoVoteKey),
			Some(VoteKeys::Unreadable(folder)) => {
				waits.push(Wait::UnreadableKeystore(folder.clone()));
			}
			Some(VoteKeys::Foreign) => waits.push(Wait::ForeignVoteKey),
			Some(VoteKeys::Current) | None => {}
		}
		waits
	}
}

/// Returns whether the waiting bytes leave no room for a large transaction.
fn is_nearly(bytes: usize, limit: usize) -> bool {
	bytes >= limit - limit / 20
}

impl fmt::Display for Wait {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		match *self {
			Self::Clock { best, time, clock } => {
				let ahead = time.saturating_sub(clock).saturating_sub(ALLOWED_FUTURE_SECONDS);
				let (time, clock) = (Utc(time), Utc(clock));
				if best == 0 {
					write!(
						f,
						"the chain starts at {time}, and this machine's clock says {clock}: there are no blocks for another \
						 {ahead} s. If the chain has started already, set the clock (NTP)"
					)
				} else {
					write!(
						f,
						"this machine's clock says {clock}, but the best block #{best} was made at {time}: for another \
						 {ahead} s the node neither mines nor accepts new blocks. Set the clock (NTP)"
					)
				}
			}
			Self::Finality { best, finalized } => write!(
				f,
				"no block is finalized: {} blocks wait, from #{} to #{best}. A third of the verifiers or more do not vote; \
				 bring their nodes back before 4096 blocks wait. Until then whatever waits for finality hangs, and clients \
				 that follow the chain by chainHead (polkadot-api) are disconnected when more than {MAX_LAG} blocks wait",
				best - finalized,
				finalized + 1,
			),
			Self::Peers { mines } => write!(
				f,
				"no peers: the node receives no blocks{}. Check its network, name peers with `--bootnodes` or in the chain's \
				 specification, and compare the specification with theirs: nodes of other chains disconnect",
				if mines {
					" and does not mine (`--force-authoring` mines alone)"
				} else {
					""
				}
			),
			Self::Sync { best, target } => write!(
				f,
				"the sync stands still: the best block is still #{best}, and peers report #{target}. The lines above say \
				 which blocks are rejected; if there are none, restart the node"
			),
			Self::Pool {
				transactions,
				bytes,
			} => write!(
				f,
				"the transaction pool is full: {transactions} transactions of {bytes} bytes wait, and new ones are refused \
				 or replace others. Wait for blocks, or give it more room with `--pool-limit` and `--pool-kbytes`"
			),
			Self::Gaps {
				transactions,
				bytes,
			} => write!(
				f,
				"the queue of transactions that wait for an earlier nonce is full: it has {transactions} of {bytes} bytes, and \
				 only transactions that are ready are accepted. Send the missing ones; the others are dropped after 64 blocks"
			),
			Self::NoVoteKey => write!(
				f,
				"`--validator` is given, but the keystore has no vote key, so this node does not vote: insert the key with \
				 `key insert --key-type gran --scheme ed25519`, or make one with `author_rotateKeysWithOwner`"
			),
			Self::UnreadableKeystore(ref folder) => write!(
				f,
				"the keystore in {} cannot be read, so this node may not vote: this user needs the right to read the folder, and \
				 the process may be out of open files (`ulimit -n`). The keys need not be inserted again",
				folder.display()
			),
			Self::ForeignVoteKey => write!(
				f,
				"this node does not vote: none of the vote keys in its keystore is that of a current verifier. Compare \
				 them with the keys that `isthmus_verification` lists; an admitted verifier votes from the session after \
				 the next one on"
			),
		}
	}
}

/// A time in seconds since 1970, which displays in UTC.
struct Utc(u64);

impl fmt::Display for Utc {
	fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
		let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
		match jiff::Timestamp::from_second(seconds) {
			Ok(time) => time.fmt(f),
			Err(_) => write!(f, "second {} of the Unix clock", self.0),
		}
	}
}

/// What the watched node is for.
pub(super) struct Watched {
	/// The nodes that it is to have as peers.
	contacts: Contacts,
	/// The keystore's folder, if the node votes.
	votes: Option<PathBuf>,
	/// Whether the node mines.
	mines: bool,
	/// Whether the node needs no peers.
	needs_no_peers: bool,
	/// How many transactions have room in the pool.
	room: Limits,
}

impl Watched {
	pub(super) fn new(config: &Configuration, mines: bool, room: Limits) -> Self {
		Self {
			contacts: Contacts::new(&config.network),
			votes: (config.role.is_authority() && !config.disable_grandpa)
				.then(|| keystore_folder(config).to_owned()),
			mines,
			needs_no_peers: config.force_authoring,
			room,
		}
	}
}

/// The watch over a running node.
pub(super) struct Watch {
	pub(super) core: Core,
	pub(super) sync: Arc<SyncingService<Block>>,
	/// The current verifiers' keys.
	pub(super) authorities: SharedAuthoritySet<Hash, BlockNumber>,
	pub(super) node: Watched,
}

impl Watch {
	/// Looks again and again, until the node stops.
	pub(super) async fn run(self) {
		let mut reminder = Reminder::<Discriminant<Wait>>::default();
		let mut with_peers = Instant::now();
		let mut last_best = (Hash::default(), Instant::now());
		let started = Instant::now();
		let mut has_looked = false;
		loop {
			Delay::new(INTERVAL).await;
			let Ok(status) = self.sync.status().await else {
				return;
			};
			let now = Instant::now();
			if status.num_peers > 0 {
				with_peers = now;
			}
			let best = self.core.client.info().best_hash;
			if last_best.0 != best {
				last_best = (best, now);
			}
			let target = match status.state {
				// A warp sync reports its own progress, and imports nothing until its end.
				_ if status.warp_sync.is_some() => None,
				SyncState::Downloading { target } | SyncState::Importing { target } => Some(target),
				_ => None,
			};
			let (alone, unchanged) = (now - with_peers, now - last_best.1);
			let Some(look) = self.look(target, alone, unchanged) else {
				continue;
			};
			let waits = look.waits();
			let kinds: Vec<_> = waits.iter().map(discriminant).collect();
			let due = reminder.due(&kinds, now);
			for wait in waits {
				if due.contains(&discriminant(&wait)) {
					log::warn!(target: LOG_TARGET, "{wait}");
				}
			}
			let is_alone = due.contains(&discriminant(&Wait::Peers { mines: false }));
			if is_alone || !has_looked && now - started >= ALONE_AFTER {
				has_looked = true;
				for line in self.node.contacts.look(is_alone).await {
					log::warn!(target: LOG_TARGET, "{line}");
				}
			}
		}
	}

	/// Returns what there is to see now, or `None` if the best block is just being replaced.
	fn look(
		&self,
		target: Option<BlockNumber>,
		alone: Duration,
		unchanged: Duration,
	) -> Option<Look> {
		let chain = self.core.client.info();
		let best = self.core.chain.parent(chain.best_hash).ok()?;
		let pool = self.core.pool.status();
		let clock = SystemTime::now().duration_since(UNIX_EPOCH);
		Some(Look {
			clock: clock.unwrap_or_default().as_secs(),
			best: chain.best_number,
			best_time: best.timestamp,
			finalized: chain.finalized_number,
			target,
			unchanged,
			alone,
			waiting: (pool.ready, self.node.room.count),
			waiting_bytes: (pool.ready_bytes, self.node.room.bytes),
			gaps: (pool.future, self.node.room.count),
			gap_bytes: (pool.future_bytes, self.node.room.bytes),
			votes: self
				.node
				.votes
				.as_deref()
				.map(|folder| self.vote_keys(folder)),
			mines: self.node.mines,
			needs_no_peers: self.node.needs_no_peers,
		})
	}

	fn vote_keys(&self, keystore: &Path) -> VoteKeys {
		// Unlike this call, that for ed25519 keys takes a keystore that cannot be read for an empty one.
		let Ok(keys) = self.core.keystore.keys(VOTE_KEY) else {
			return VoteKeys::Unreadable(keystore.to_owned());
		};
		let voters = self.authorities.current_authorities();
		let is_voter = |key: &Vec<u8>| {
			let key = ed25519::Public::try_from(&key[..]);
			key.is_ok_and(|key| voters.contains(&key.into()))
		};
		match &keys[..] {
			[] => VoteKeys::None,
			keys if keys.iter().any(is_voter) => VoteKeys::Current,
			_ => VoteKeys::Foreign,
		}
	}
}

/// Returns the folder of the keystore.
fn keystore_folder(config: &Configuration) -> &Path {
	config.keystore.path().unwrap_or(Path::new("keystore"))
}

/// A vote key in the keystore with which the node cannot vote.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadVoteKey {
	/// It is another key than its name says.
	#[error(
		"the keystore has a vote key that cannot sign: {}. It was inserted with another scheme than ed25519: delete the \
		 file, and insert the key again with `key insert --key-type gran --scheme ed25519`",
		.0.display()
	)]
	Scheme(PathBuf),
	/// The secret in its file is another one than its name says, or is damaged.
	#[error(
		"the keystore has a vote key that cannot sign: the secret in {} does not make the key of that name. If it was inserted \
		 with a password, start the node with the same one (`--password-filename FILE`). Without a password, the file is \
		 damaged: restore it from a backup, or insert the key again with `key insert --key-type gran --scheme ed25519`",
		.0.display()
	)]
	Secret(PathBuf),
	/// Its file cannot be read.
	#[error(
		"the vote key in {} cannot be read: {error}. Let this user read the file",
		.file.display()
	)]
	Unreadable {
		/// The key's file.
		file: PathBuf,
		/// The system's error.
		error: io::Error,
	},
}

/// Checks that each vote key in a verifier's keystore can sign. GRANDPA would not say a word about one that cannot.
///
/// # Errors
///
/// Returns the first key that cannot sign.
pub(super) fn check_vote_keys(
	config: &Configuration,
	keystore: &KeystorePtr,
) -> Result<(), BadVoteKey> {
	if !config.role.is_authority() {
		return Ok(());
	}
	let can_sign = |key: &ed25519::Public| {
		let signature = keystore.ed25519_sign(VOTE_KEY, key, b"isthmus: can this key sign?");
		matches!(signature, Ok(Some(_)))
	};
	let keys = keystore.ed25519_public_keys(VOTE_KEY);
	match keys.iter().find(|key| !can_sign(key)) {
		Some(key) => {
			let name = hex::encode([&VOTE_KEY.0[..], &key.0].concat());
			let file = keystore_folder(config).join(name);
			let other = sr25519::Public::from_raw(key.0);
			let is_sr25519 = keystore.sr25519_sign(VOTE_KEY, &other, b"isthmus: is it one?");
			Err(match fs::read(&file) {
				Ok(_) if matches!(is_sr25519, Ok(Some(_))) => BadVoteKey::Scheme(file),
				Ok(_) => BadVoteKey::Secret(file),
				Err(error) => BadVoteKey::Unreadable { file, error },
			})
		}
		None => Ok(()),
	}
}
