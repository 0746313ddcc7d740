// SPDX-License-Identifier: Apache-2.0

//! Two miners on a network of real nodes: an honest miner, which publishes every block at once, and an
//! adversary, which chooses when to publish.
//!
//! The blocks of both are made in this process, so a race takes no longer than the nodes need to import the
//! blocks. The caller decides what each miner mines, and when. Both miners are connected to every node, the
//! adversary under its own network identities.

use crate::{
	error::AttackError,
	forge::BENEFICIARY,
	maker::{MakeError, Maker, Plan},
	victim::Victim,
	wire::{announcement, BlockRequest, Peer, PeerOptions, Served, WireError, HEADER_AND_BODY},
};
use isthmus_primitives::{AccountId, BlockNumber, Hash, Header};
use polkadot_sdk::{sc_client_api::BlockBackend, sp_blockchain::HeaderBackend};
use std::{
	sync::atomic::{AtomicU64, Ordering},
	time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// The beneficiary of the honest miners' blocks.
pub const HONEST: AccountId = AccountId::new([0x40; 32]);
/// How long the nodes may take to agree on a best block.
const TIMEOUT: Duration = Duration::from_secs(180);
/// How long to wait for the import of an announced block before announcing the next one anyway.
const PACE: Duration = Duration::from_millis(300);
/// How often to poll the nodes.
const POLL_INTERVAL: Duration = Duration::from_millis(4);

/// One of the two miners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinerRole {
	/// Publishes every block at once.
	Honest,
	/// Chooses when to publish its blocks.
	Adversary,
}

/// A network of nodes, and the blocks made for it.
pub struct Network {
	maker: Maker,
	nodes: Vec<Victim>,
	served: Served,
	honest: Vec<Peer>,
	adversary: Mutex<Vec<Peer>>,
	disconnections: AtomicU64,
}

impl Network {
	/// Connects to the nodes and imports the chain of the first node.
	///
	/// # Errors
	///
	/// Returns [`AttackError::NoNodes`] if there are no nodes, the error of the RPC or the network, or the maker's
	/// error if the nodes run another chain.
	pub async fn join(maker: Maker, nodes: Vec<Victim>) -> Result<Self, AttackError> {
		let served = Served::default();
		let (mut honest, mut adversary) = (Vec::new(), Vec::new());
		for node in &nodes {
			honest.push(connect(node, &served).await?);
			adversary.push(connect(node, &served).await?);
		}
		let (Some(node), Some(peer)) = (nodes.first(), honest.first()) else {
			return Err(AttackError::NoNodes);
		};
		import_chain(&maker, peer, node.best().await?.number).await?;
		Ok(Self {
			maker,
			nodes,
			served,
			honest,
			adversary: Mutex::new(adversary),
			disconnections: AtomicU64::new(0),
		})
	}

	/// Returns the nodes.
	pub fn nodes(&self) -> &[Victim] {
		&self.nodes
	}

	/// Returns the maker of the blocks.
	pub fn maker(&self) -> &Maker {
		&self.maker
	}

	/// Mines a block on `parent`, with a timestamp one second later, without publishing it.
	///
	/// # Errors
	///
	/// Returns the error of the maker.
	pub async fn mine(
		&self,
		role: MinerRole,
		parent: Hash,
		uncles: bool,
	) -> Result<Hash, AttackError> {
		let timestamp = self.maker.parent(parent)?.timestamp.saturating_add(1);
		// If the genesis block has no timestamp, start the chain in 2020 instead of in 1970.
		let timestamp = timestamp.max(FIRST_TIMESTAMP);
		self.mine_at(role, parent, timestamp, uncles).await
	}

	/// Mines a block on `parent` with this timestamp, in seconds since the Unix epoch, without publishing it.
	///
	/// # Errors
	///
	/// Returns the error of the maker.
	pub async fn mine_at(
		&self,
		role: MinerRole,
		parent: Hash,
		timestamp: u64,
		uncles: bool,
	) -> Result<Hash, AttackError> {
		let (beneficiary, extra_data) = match role {
			MinerRole::Honest => (HONEST, b"honest".to_vec()),
			MinerRole::Adversary => (BENEFICIARY, b"adversary".to_vec()),
		};
		let uncles = if uncles {
			self.maker.uncle_candidates(parent)?
		} else {
			Vec::new()
		};
		Ok(self
			.maker
			.mine(Plan {
				parent,
				timestamp,
				beneficiary,
				extra_data,
				uncles,
				extrinsics: Vec::new(),
			})
			.await?)
	}

	/// Announces these blocks, which must be oldest first, and serves them. Waits a moment after each, because a node
	/// drops announcements if a peer has more than four in flight.
	///
	/// # Errors
	///
	/// Returns [`AttackError::NotImported`] if a block was not made here, or the error of the database, the RPC or the
	/// network.
	pub async fn publish(&self, role: MinerRole, blocks: &[Hash]) -> Result<(), AttackError> {
		for hash in blocks {
			let header = self.header(*hash)?;
			let body = self
				.maker
				.client()
				.block_body(*hash)
				.map_err(MakeError::from)?
				.unwrap_or_default();
			self.served.add(&header, &body);
			let announced = announcement(&header, true, &[]);
			match role {
				MinerRole::Honest => {
					for peer in &self.honest {
						peer.announce(announced.clone()).await?;
					}
				}
				MinerRole::Adversary => self.announce_as_adversary(&announced).await?,
			}
			self.imported_within(*hash, PACE).await?;
		}
		Ok(())
	}

	/// Announces a block as the adversary. A node disconnects a peer that announces a fork which the node
	/// must not follow. The adversary then reconnects under another identity and announces the block again.
	async fn announce_as_adversary(&self, announced: &[u8]) -> Result<(), AttackError> {
		let mut peers = self.adversary.lock().await;
		for (peer, node) in peers.iter_mut().zip(&self.nodes) {
			match peer.announce(announced.to_vec()).await {
				Err(WireError::Closed) => {}
				sent => {
					sent?;
					continue;
				}
			}
			self.disconnections.fetch_add(1, Ordering::Relaxed);
			*peer = connect(node, &self.served).await?;
			match peer.announce(announced.to_vec()).await {
				Ok(()) | Err(WireError::Closed) => {}
				Err(error) => return Err(error.into()),
			}
		}
		Ok(())
	}

	/// Returns how often a node disconnected the adversary.
	pub fn disconnections(&self) -> u64 {
		self.disconnections.load(Ordering::Relaxed)
	}

	/// Waits until all nodes have imported this block, as their best block or on a fork.
	///
	/// # Errors
	///
	/// Returns [`AttackError::NotImported`] if a node does not import it in time, or the error of the RPC.
	pub async fn all_have(&self, hash: Hash) -> Result<(), AttackError> {
		if self.imported_within(hash, TIMEOUT).await? {
			return Ok(());
		}
		Err(AttackError::NotImported(hash))
	}

	/// Waits until all nodes have this block. Returns false if they do not have it within `limit`.
	async fn imported_within(&self, hash: Hash, limit: Duration) -> Result<bool, AttackError> {
		let started = Instant::now();
		for node in &self.nodes {
			while node.header(hash).await?.is_none() {
				if started.elapsed() > limit {
					return Ok(false);
				}
				tokio::time::sleep(POLL_INTERVAL).await;
			}
		}
		Ok(true)
	}

	/// Waits until this is the best block of all nodes. Returns false if that takes too long.
	///
	/// # Errors
	///
	/// Returns the error of the RPC.
	pub async fn all_follow(&self, hash: Hash) -> Result<bool, AttackError> {
		let started = Instant::now();
		for node in &self.nodes {
			while node.best().await?.hash() != hash {
				if started.elapsed() > TIMEOUT {
					return Ok(false);
				}
				tokio::time::sleep(POLL_INTERVAL).await;
			}
		}
		Ok(true)
	}

	/// Waits until all nodes have finalized a block with this number or a higher one.
	///
	/// # Errors
	///
	/// Returns [`AttackError::NotFinalized`] if a node does not finalize one in time, or the error of the RPC.
	pub async fn all_finalize(&self, number: u32) -> Result<(), AttackError> {
		let started = Instant::now();
		for node in &self.nodes {
			loop {
				let finalized = node.finalized().await?;
				let header = node.header(finalized).await?;
				if header.is_some_and(|header| header.number >= number) {
					break;
				}
				if started.elapsed() > TIMEOUT {
					return Err(AttackError::NotFinalized(number));
				}
				tokio::time::sleep(POLL_INTERVAL).await;
			}
		}
		Ok(())
	}

	/// Returns a header that was made or imported here.
	///
	/// # Errors
	///
	/// Returns [`AttackError::NotImported`] if there is no such header, or the error of the database.
	pub fn header(&self, hash: Hash) -> Result<Header, AttackError> {
		let found = self.maker.client().header(hash).map_err(MakeError::from)?;
		found.ok_or(AttackError::NotImported(hash))
	}
}

/// The blocks of a chain since an attack started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
	/// All of them.
	pub all: u64,
	/// Those of the adversary.
	pub adversarys: u64,
}

/// Counts the blocks of a chain from number `first` on, and how many of them are the adversary's.
pub fn count(network: &Network, tip: Hash, first: BlockNumber) -> Counts {
	let mut counts = Counts::default();
	let mut hash = tip;
	while let Some(header) = network.maker().client().header(hash).ok().flatten() {
		if header.number < first {
			break;
		}
		counts.all += 1;
		counts.adversarys += u64::from(network.maker().is_by_adversary(&header));
		hash = header.parent_hash;
	}
	counts
}

/// Imports the node's best chain up to block number `best`.
///
/// # Errors
///
/// Returns [`AttackError::Unserved`] if the node does not serve a block, the error of the network, or the maker's
/// error if the node runs another chain.
pub async fn import_chain(maker: &Maker, peer: &Peer, best: u32) -> Result<(), AttackError> {
	let mut next = maker.client().info().best_number.saturating_add(1);
	while next <= best {
		let request = BlockRequest::up_from(next, HEADER_AND_BODY, 64);
		let blocks = peer.blocks(&request).await?;
		if blocks.is_empty() {
			return Err(AttackError::Unserved(next));
		}
		for block in blocks {
			let (header, body) = block.read().ok_or(AttackError::Unserved(next))?;
			next = header.number.saturating_add(1);
			maker.import_foreign(header, body).await?;
		}
	}
	Ok(())
}

/// The minimum timestamp of a block: the start of 2020, in seconds since the Unix epoch.
const FIRST_TIMESTAMP: u64 = 1_577_836_800;

async fn connect(node: &Victim, served: &Served) -> Result<Peer, AttackError> {
	Ok(Peer::connect(PeerOptions {
		address: node.address().clone(),
		handshake: node.handshake(&node.best().await?),
		served: served.clone(),
	})
	.await?)
}
