//! Two miners on a network of real nodes: one who publishes every block, and one who chooses when.
//!
//! Their blocks are made in this process, so that a race takes no longer than the nodes need to import
//! it; what each of them mines, and when, is up to whoever uses this. Both are connected to every node, the
//! adversary under identities of its own.

use crate::{
	error::AttackError,
	forge::BENEFICIARY,
	maker::{MakeError, Maker, Plan},
	victim::Victim,
	wire::{announcement, BlockRequest, Peer, PeerOptions, Served, WireError, HEADER_AND_BODY},
};
use isthmus_primitives::{AccountId, Hash, Header};
use polkadot_sdk::{sc_client_api::BlockBackend, sp_blockchain::HeaderBackend};
use std::{
	sync::atomic::{AtomicU64, Ordering},
	time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// Who earns what the honest miners mine.
pub const HONEST: AccountId = AccountId::new([0x40; 32]);
/// How long the nodes may take to come to the same best block.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a block that is announced may take before the next one is.
const PACE: Duration = Duration::from_millis(300);
/// How often the nodes are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(4);

/// Which of the two miners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
	/// Those who follow the rules.
	Honest,
	/// The one who does not.
	Adversary,
}

/// The network, and the blocks that were made for it.
pub struct Network {
	maker: Maker,
	nodes: Vec<Victim>,
	served: Served,
	honest: Vec<Peer>,
	adversary: Mutex<Vec<Peer>>,
	partings: AtomicU64,
}

impl Network {
	/// Connects to the nodes, and takes over the chain that the first of them has.
	///
	/// # Errors
	///
	/// RPC's, the network's, and the maker's where the chain is another.
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
		take_over(&maker, peer, node.best().await?.number).await?;
		Ok(Self {
			maker,
			nodes,
			served,
			honest,
			adversary: Mutex::new(adversary),
			partings: AtomicU64::new(0),
		})
	}

	/// The nodes.
	pub fn nodes(&self) -> &[Victim] {
		&self.nodes
	}

	/// The blocks.
	pub fn maker(&self) -> &Maker {
		&self.maker
	}

	/// Mines a block on `parent`, a second after it, and tells nobody.
	///
	/// # Errors
	///
	/// The maker's.
	pub async fn mine(&self, who: Who, parent: Hash, uncles: bool) -> Result<Hash, AttackError> {
		let timestamp = self.maker.parent(parent)?.timestamp.saturating_add(1);
		// A chain whose genesis has no timestamp begins in the last years, not in 1970.
		let timestamp = timestamp.max(FIRST_TIMESTAMP);
		let (beneficiary, extra_data) = match who {
			Who::Honest => (HONEST, b"honest".to_vec()),
			Who::Adversary => (BENEFICIARY, b"adversary".to_vec()),
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

	/// Announces these blocks, oldest first, and serves them. Gives the nodes a moment for each: a node
	/// drops announcements of which a peer has more than four under way.
	///
	/// # Errors
	///
	/// The network's.
	pub async fn publish(&self, who: Who, blocks: &[Hash]) -> Result<(), AttackError> {
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
			match who {
				Who::Honest => {
					for peer in &self.honest {
						peer.announce(announced.clone()).await?;
					}
				}
				Who::Adversary => self.announce_as_adversary(&announced).await?,
			}
			self.taken_within(*hash, PACE).await?;
		}
		Ok(())
	}

	/// A node parts with the sender of a fork that it may not follow. The adversary then comes back as
	/// somebody else, and says it again.
	async fn announce_as_adversary(&self, announced: &[u8]) -> Result<(), AttackError> {
		let mut peers = self.adversary.lock().await;
		for (peer, node) in peers.iter_mut().zip(&self.nodes) {
			match peer.announce(announced.to_vec()).await {
				Err(WireError::Closed) => {}
				said => {
					said?;
					continue;
				}
			}
			self.partings.fetch_add(1, Ordering::Relaxed);
			*peer = connect(node, &self.served).await?;
			match peer.announce(announced.to_vec()).await {
				Ok(()) | Err(WireError::Closed) => {}
				Err(error) => return Err(error.into()),
			}
		}
		Ok(())
	}

	/// How often a node parted with the adversary.
	pub fn partings(&self) -> u64 {
		self.partings.load(Ordering::Relaxed)
	}

	/// Waits until all nodes have this block, whether as their best or not.
	///
	/// # Errors
	///
	/// [`AttackError::NotTaken`], or RPC's.
	pub async fn all_have(&self, hash: Hash) -> Result<(), AttackError> {
		if self.taken_within(hash, PATIENCE).await? {
			return Ok(());
		}
		Err(AttackError::NotTaken(hash))
	}

	/// Waits until all nodes have this block. False where they do not within `limit`.
	async fn taken_within(&self, hash: Hash, limit: Duration) -> Result<bool, AttackError> {
		let started = Instant::now();
		for node in &self.nodes {
			while node.header(hash).await?.is_none() {
				if started.elapsed() > limit {
					return Ok(false);
				}
				tokio::time::sleep(LOOK_AGAIN).await;
			}
		}
		Ok(true)
	}

	/// Waits until all nodes have this block as their best one. False where they do not in time.
	///
	/// # Errors
	///
	/// RPC's.
	pub async fn all_follow(&self, hash: Hash) -> Result<bool, AttackError> {
		let started = Instant::now();
		for node in &self.nodes {
			while node.best().await?.hash() != hash {
				if started.elapsed() > PATIENCE {
					return Ok(false);
				}
				tokio::time::sleep(LOOK_AGAIN).await;
			}
		}
		Ok(true)
	}

	/// Waits until all nodes have the best block's number `number`, or a later one, as final.
	///
	/// # Errors
	///
	/// [`AttackError::NotFinal`], or RPC's.
	pub async fn all_finalize(&self, number: u32) -> Result<(), AttackError> {
		let started = Instant::now();
		for node in &self.nodes {
			loop {
				let finalized = node.finalized().await?;
				let header = node.header(finalized).await?;
				if header.is_some_and(|header| header.number >= number) {
					break;
				}
				if started.elapsed() > PATIENCE {
					return Err(AttackError::NotFinal(number));
				}
				tokio::time::sleep(LOOK_AGAIN).await;
			}
		}
		Ok(())
	}

	/// A header that was made or taken here.
	///
	/// # Errors
	///
	/// The database's.
	pub fn header(&self, hash: Hash) -> Result<Header, AttackError> {
		let found = self.maker.client().header(hash).map_err(MakeError::from)?;
		found.ok_or(AttackError::NotTaken(hash))
	}
}

/// Takes over the node's best chain as far as this block.
///
/// # Errors
///
/// The network's, and the maker's where the chain is another.
pub async fn take_over(maker: &Maker, peer: &Peer, best: u32) -> Result<(), AttackError> {
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
			maker.take(header, body).await?;
		}
	}
	Ok(())
}

/// The least timestamp of a block: 2020.
const FIRST_TIMESTAMP: u64 = 1_577_836_800;

async fn connect(node: &Victim, served: &Served) -> Result<Peer, AttackError> {
	Ok(Peer::connect(PeerOptions {
		address: node.address().clone(),
		handshake: node.handshake(&node.best().await?),
		served: served.clone(),
	})
	.await?)
}
