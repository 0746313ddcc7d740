// SPDX-License-Identifier: Apache-2.0

//! Peers that lie about the chain without doing any work: about their own height, about a header, or about a
//! body. When the node closes a connection, the liar returns under a new identity.

use crate::{
	error::AttackError,
	victim::Victim,
	wire::{announcement, Handshake, Manner, Peer, PeerOptions, Served, ROLE_FULL},
};
use isthmus_primitives::{BlockNumber, Hash, Header};
use litep2p::types::multiaddr::Multiaddr;
use polkadot_sdk::sp_runtime::OpaqueExtrinsic;
use serde::Serialize;
use std::{
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
	time::Duration,
};
use tokio::{sync::watch, task::JoinSet};

/// How long a liar waits before it returns under another identity.
const REST: Duration = Duration::from_millis(50);
/// How many of the chain's last headers a liar knows. A node that looks for a common block asks for one of them.
const KNOWN_HEADERS: usize = 16;
/// How far above the node's chain a claimed chain ends that no node could download in time.
const FAR: BlockNumber = 1_000_000;
/// How far above the node's chain a claimed chain ends that a node tries to download.
const NEAR: BlockNumber = 3000;
/// The size of a body that takes nearly the whole of the largest answer, in bytes.
const LARGE_BODY: usize = 15 * 1024 * 1024;

/// What the liars do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Lie {
	/// Claim and serve the header of a next block that has an unknown parent and no seal.
	Orphans,
	/// Announce the honest blocks too, and serve a false body for each.
	Bodies,
	/// Claim a chain of a million more blocks, and never answer for it.
	Heights,
	/// Claim a longer chain. One peer holds up the requests for its lowest blocks, while the others answer each request
	/// with the highest block alone, without a seal and with the largest possible body.
	Hoards,
	/// Announce the honest blocks too, and never answer the requests for their bodies.
	Silence,
}

impl Lie {
	/// Returns how many liars there are at the same time by default.
	pub fn peers(self) -> usize {
		match self {
			Self::Orphans => 1,
			Self::Bodies => 4,
			Self::Heights => 32,
			Self::Hoards | Self::Silence => 8,
		}
	}

	/// Returns whether a node can prove the lie, and must disconnect the liar.
	pub fn is_provable(self) -> bool {
		matches!(self, Self::Orphans | Self::Bodies | Self::Hoards)
	}

	/// Returns whether the liars repeat the honest announcements.
	fn repeats_announcements(self) -> bool {
		matches!(self, Self::Bodies | Self::Silence)
	}
}

/// What the liars know about the node's chain.
#[derive(Clone)]
pub struct Sight {
	/// The last headers of the node's best chain, starting with the best block's. There is at least one.
	recent: Vec<Header>,
	/// The last block that the honest peer announced. The node may not have imported it yet.
	announced: Header,
}

impl Sight {
	/// Reads the node's last headers.
	///
	/// # Errors
	///
	/// Returns the error of the RPC.
	pub async fn read(victim: &Victim) -> Result<Self, AttackError> {
		let best = victim.best().await?;
		let announced = best.clone();
		let mut recent = vec![best];
		while let Some(last) = recent.last().filter(|last| last.number > 0) {
			match victim.header(last.parent_hash).await? {
				Some(header) if recent.len() < KNOWN_HEADERS => recent.push(header),
				_ => break,
			}
		}
		Ok(Self { recent, announced })
	}

	/// Returns the number of the node's best block.
	pub fn number(&self) -> BlockNumber {
		self.recent.first().map_or(0, |best| best.number)
	}

	/// Adds a block that the honest peer announces now.
	pub fn announce(&mut self, header: &Header) {
		self.announced = header.clone();
	}

	/// Adds the node's new best block.
	pub fn import(&mut self, header: &Header) {
		self.recent.insert(0, header.clone());
		self.recent.truncate(KNOWN_HEADERS);
	}

	/// Serves the headers of these blocks. The body of the announced block is not its own.
	fn serve(&self, served: &Served) {
		for header in self.recent.iter().rev() {
			served.add(header, &[]);
		}
		served.add(&self.announced, &[OpaqueExtrinsic::from_blob(vec![4, 0])]);
	}
}

/// The node to lie to.
#[derive(Clone)]
pub struct Target {
	/// Its peer address.
	pub address: Multiaddr,
	/// The hash of its chain's genesis block.
	pub genesis: Hash,
}

impl Target {
	/// Returns the target for a node.
	pub fn of(victim: &Victim) -> Self {
		Self {
			address: victim.address().clone(),
			genesis: victim.genesis(),
		}
	}
}

/// What became of the liars.
#[derive(Default)]
struct Tally {
	connected: AtomicU64,
	dropped: AtomicU64,
	refused: AtomicU64,
	requests: AtomicU64,
}

/// How often the node reacted to the liars.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Counts {
	/// Connections that the node accepted.
	pub connected: u64,
	/// Connections that the node closed.
	pub dropped: u64,
	/// Connections that the node refused.
	pub refused: u64,
	/// Requests on the connections that have ended.
	pub requests: u64,
}

/// Running liars. Dropping them closes their connections.
pub struct Liars {
	tasks: JoinSet<()>,
	tally: Arc<Tally>,
}

impl Liars {
	/// Starts `count` liars. They follow the chain through `sight`.
	pub fn start(lie: Lie, count: usize, target: &Target, sight: &watch::Receiver<Sight>) -> Self {
		let tally = Arc::new(Tally::default());
		let mut tasks = JoinSet::new();
		for index in 0..count {
			let liar = Liar {
				lie,
				index,
				target: target.clone(),
				sight: sight.clone(),
				tally: tally.clone(),
			};
			tasks.spawn(liar.run());
		}
		Self { tasks, tally }
	}

	/// Returns the counts so far.
	pub fn counts(&self) -> Counts {
		let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
		Counts {
			connected: read(&self.tally.connected),
			dropped: read(&self.tally.dropped),
			refused: read(&self.tally.refused),
			requests: read(&self.tally.requests),
		}
	}

	/// Ends the liars, and returns the final counts.
	pub async fn end(mut self) -> Counts {
		self.tasks.shutdown().await;
		self.counts()
	}
}

/// One liar, under one identity after another.
struct Liar {
	lie: Lie,
	index: usize,
	target: Target,
	sight: watch::Receiver<Sight>,
	tally: Arc<Tally>,
}

impl Liar {
	async fn run(mut self) {
		loop {
			let serial = self.tally.connected.load(Ordering::Relaxed);
			let sight = self.sight.borrow_and_update().clone();
			let session = self.session(&sight, serial);
			let handshake = Handshake {
				roles: ROLE_FULL,
				best_number: session.claimed.0,
				best_hash: session.claimed.1,
				genesis_hash: self.target.genesis,
			};
			let options = PeerOptions {
				address: self.target.address.clone(),
				handshake,
				served: session.served.clone(),
			};
			match Peer::connect(options).await {
				Ok(peer) => {
					self.tally.connected.fetch_add(1, Ordering::Relaxed);
					if self.stay(&peer, &session).await {
						self.tally.dropped.fetch_add(1, Ordering::Relaxed);
					}
				}
				Err(_) => {
					self.tally.refused.fetch_add(1, Ordering::Relaxed);
				}
			}
			tokio::time::sleep(REST).await;
		}
	}

	/// Stays connected until the node closes the connection, or the lie is out of date. Returns true if the node
	/// closed the connection.
	async fn stay(&mut self, peer: &Peer, session: &Session) -> bool {
		loop {
			tokio::select! {
				() = peer.closed() => return true,
				changed = self.sight.changed() => {
					if changed.is_err() {
						return false;
					}
					let sight = self.sight.borrow_and_update().clone();
					if self.lie == Lie::Orphans && sight.number() >= session.claimed.0 {
						return false;
					}
					if self.lie.repeats_announcements() {
						sight.serve(&session.served);
						let header = announcement(&sight.announced, true, &[]);
						if peer.announce(header).await.is_err() {
							return true;
						}
					}
				}
			}
		}
	}

	/// Returns what an identity claims and serves.
	fn session(&self, sight: &Sight, serial: u64) -> Session {
		let served = Served::default();
		sight.serve(&served);
		let above = match self.lie {
			Lie::Orphans => 1,
			Lie::Heights => FAR,
			Lie::Hoards => NEAR,
			Lie::Bodies | Lie::Silence => 0,
		};
		let claimed = match above {
			0 => sight.announced.clone(),
			_ => orphan(sight.number().saturating_add(above), self.index, serial),
		};
		let hash = claimed.hash();
		match self.lie {
			Lie::Bodies => {}
			Lie::Orphans => served.add(&claimed, &[OpaqueExtrinsic::from_blob(vec![4, 0])]),
			Lie::Heights | Lie::Silence => served.set_manner(Manner::HeadersOnly),
			Lie::Hoards if self.index == 0 => served.set_manner(Manner::HeadersOnly),
			Lie::Hoards => {
				served.add(&claimed, &[]);
				let body = vec![OpaqueExtrinsic::from_blob(vec![4; LARGE_BODY])];
				served.set_manner(Manner::FirstOnly(body));
			}
		}
		Session {
			claimed: (claimed.number, hash),
			served,
			tally: self.tally.clone(),
		}
	}
}

/// One identity's claim and blocks. When it is dropped, its requests are counted.
struct Session {
	claimed: (BlockNumber, Hash),
	served: Served,
	tally: Arc<Tally>,
}

impl Drop for Session {
	fn drop(&mut self) {
		let requests = self.served.requests().len() as u64;
		self.tally.requests.fetch_add(requests, Ordering::Relaxed);
	}
}

/// Returns a header without a seal, whose parent does not exist. It differs for each liar and serial number.
fn orphan(number: BlockNumber, index: usize, serial: u64) -> Header {
	Header {
		number,
		parent_hash: Hash::from_low_u64_be(serial),
		state_root: Hash::from_low_u64_be(index as u64),
		extrinsics_root: Hash::default(),
		digest: Default::default(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn sight(length: BlockNumber) -> Sight {
		let mut recent: Vec<Header> = (1..=length).map(|number| orphan(number, 0, 0)).collect();
		recent.reverse();
		let announced = orphan(length + 1, 1, 1);
		Sight { recent, announced }
	}

	#[test]
	fn liars_claim_what_their_lie_needs() {
		let sight = sight(5);
		let (_sender, receiver) = watch::channel(sight.clone());
		let claimed = |lie| {
			let liar = Liar {
				lie,
				index: 1,
				target: Target {
					address: Multiaddr::empty(),
					genesis: Hash::default(),
				},
				sight: receiver.clone(),
				tally: Default::default(),
			};
			liar.session(&sight, 0).claimed
		};
		assert_eq!(claimed(Lie::Orphans).0, 6);
		assert_eq!(claimed(Lie::Heights).0, 1_000_005);
		assert_eq!(claimed(Lie::Hoards).0, 3005);
		for lie in [Lie::Bodies, Lie::Silence] {
			assert_eq!(claimed(lie), (6, sight.announced.hash()));
		}
	}

	#[test]
	fn no_two_lies_are_the_same() {
		assert_ne!(orphan(1, 0, 0).hash(), orphan(1, 0, 1).hash());
		assert_ne!(orphan(1, 0, 0).hash(), orphan(1, 1, 0).hash());
	}

	#[test]
	fn only_the_last_headers_are_known() {
		let mut sight = sight(3);
		for number in 4..40 {
			sight.import(&orphan(number, 0, 0));
		}
		assert_eq!((sight.number(), sight.recent.len()), (39, KNOWN_HEADERS));
	}
}
