// SPDX-License-Identifier: Apache-2.0
//! The client: a connection to a node, and what can be asked over it.

use crate::{
	block::BlockId,
	connection::{self, Requests},
	error::Error,
	outcome::BlockEvents,
	recent::Recent,
	state::State,
	types::{AccountId, BlockNumber, PALLET},
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, sync::Arc, time::Instant};
use subxt::{
	backend::LegacyBackend,
	config::{substrate::SubstrateHeader, SubstrateConfig},
	rpcs::{client::RpcParams, rpc_params, RpcClient},
	utils::H256,
	OnlineClient,
};
use tokio::sync::Mutex;

/// A block's header.
pub type Header = SubstrateHeader<H256>;

/// A connection to a node. It is cheap to clone, and clones share the connection.
///
/// ```no_run
/// # async fn example() -> Result<(), isthmus_sdk::Error> {
/// let client = isthmus_sdk::Client::connect("ws://127.0.0.1:9944").await?;
/// let best = client.best().await?;
/// println!("the best block is {}", best.block().number);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
	pub(crate) online: OnlineClient<SubstrateConfig>,
	pub(crate) rpc: RpcClient,
	requests: Arc<Requests>,
	genesis: [u8; 32],
	/// For each account, one past the last nonce that the node accepted, and the time when it was accepted.
	/// Locked while a transaction is sent, so that transactions are sent one at a time.
	pub(crate) nonces: Mutex<BTreeMap<AccountId, (u64, Instant)>>,
	/// The anchor: the block that new transactions are bound to.
	pub(crate) anchor: Mutex<Recent<State>>,
	/// The events of the most recently read block, kept because many transactions share a block.
	pub(crate) events: Mutex<Option<BlockEvents>>,
}

impl std::fmt::Debug for Client {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Client({})", hex::encode(self.0.genesis))
	}
}

/// A node's information about itself and its chain.
#[derive(Clone, Debug)]
pub struct Status {
	/// The chain's name.
	pub chain: String,
	/// The hash of the chain's first block.
	pub genesis: H256,
	/// The node's program and version.
	pub node: String,
	/// The best block.
	pub best: BlockId,
	/// The last finalized block.
	pub finalized: BlockId,
	/// How many peers the node has.
	pub peers: usize,
	/// Whether the node is far behind its peers.
	pub syncing: bool,
}

impl Client {
	/// Connects to a node's WebSocket address, for example `ws://127.0.0.1:9944`.
	///
	/// # Errors
	///
	/// Returns [`Error::Unreachable`] if no node answers, and [`Error::Incompatible`] if its chain is not an
	/// Isthmus chain.
	pub async fn connect(url: &str) -> Result<Self, Error> {
		let (rpc, requests) = connection::connect(url).await?;
		// This uses plain calls and subscriptions, because `chainHead` stops working when the best block is
		// far ahead of the finalized one.
		let backend = Arc::new(LegacyBackend::builder().build(rpc.clone()));
		let online = OnlineClient::<SubstrateConfig>::from_backend(backend).await?;
		let genesis = online.genesis_hash().0;
		let client = Self(Arc::new(Inner {
			online,
			rpc,
			requests,
			genesis,
			nonces: Mutex::default(),
			anchor: Mutex::default(),
			events: Mutex::default(),
		}));
		if !client.best().await?.has_pallet(PALLET) {
			return Err(Error::Incompatible(format!(
				"the chain at {url} has no data sharing"
			)));
		}
		Ok(client)
	}

	/// Returns the hash of the chain's first block.
	pub fn genesis(&self) -> [u8; 32] {
		self.0.genesis
	}

	/// Returns how many requests this connection has sent so far, by method.
	pub fn requests(&self) -> BTreeMap<String, u64> {
		self.0.requests.so_far()
	}

	/// Returns the state after the best block.
	pub async fn best(&self) -> Result<State, Error> {
		let hash: H256 = self.request("chain_getBlockHash", rpc_params![]).await?;
		self.at(hash).await
	}

	/// Returns the state after the last finalized block.
	pub async fn finalized(&self) -> Result<State, Error> {
		let hash: H256 = self
			.request("chain_getFinalizedHead", rpc_params![])
			.await?;
		self.at(hash).await
	}

	/// Returns the state after a block of the best chain.
	///
	/// # Errors
	///
	/// Returns [`Error::NoSuchBlock`] if the best chain has no block with this number.
	pub async fn at_number(&self, number: BlockNumber) -> Result<State, Error> {
		let hash: Option<H256> = self
			.request("chain_getBlockHash", rpc_params![number])
			.await?;
		let hash = hash.ok_or(Error::NoSuchBlock(number))?;
		let at = self.0.online.at_block_hash_and_number(hash, number.into());
		Ok(State::new(at.await?))
	}

	/// Returns the state after the block with this hash.
	///
	/// # Errors
	///
	/// Returns [`Error::Incompatible`] if the node does not know the block.
	pub async fn at(&self, hash: H256) -> Result<State, Error> {
		Ok(State::new(self.0.online.at_block(hash).await?))
	}

	/// Returns the number of the best block.
	pub(crate) async fn best_number(&self) -> Result<BlockNumber, Error> {
		let header: Option<Header> = self.request("chain_getHeader", rpc_params![]).await?;
		let header =
			header.ok_or_else(|| Error::Incompatible("the node has no best block".into()))?;
		Ok(header.number as BlockNumber)
	}

	/// Asks the node for its own status and its chain's.
	pub async fn status(&self) -> Result<Status, Error> {
		#[derive(serde::Deserialize)]
		#[serde(rename_all = "camelCase")]
		struct Health {
			peers: usize,
			is_syncing: bool,
		}
		let health: Health = self.request("system_health", rpc_params![]).await?;
		let name: String = self.request("system_name", rpc_params![]).await?;
		let version: String = self.request("system_version", rpc_params![]).await?;
		Ok(Status {
			chain: self.request("system_chain", rpc_params![]).await?,
			genesis: self.0.genesis.into(),
			node: format!("{name} {version}"),
			best: self.best().await?.block(),
			finalized: self.finalized().await?.block(),
			peers: health.peers,
			syncing: health.is_syncing,
		})
	}

	/// Returns whether this is a development chain, whose accounts' secrets are public.
	pub async fn is_development(&self) -> Result<bool, Error> {
		let kind: serde_json::Value = self.request("system_chainType", rpc_params![]).await?;
		Ok(kind == "Development" || kind == "Local")
	}

	/// Subscribes to the headers of the blocks that become best from now on.
	pub async fn heads(&self) -> Result<Heads, Error> {
		let heads = self
			.0
			.rpc
			.subscribe(
				"chain_subscribeNewHeads",
				rpc_params![],
				"chain_unsubscribeNewHeads",
			)
			.await?;
		Ok(Heads(heads))
	}

	/// Calls a method of the node's RPC interface that this crate has no function for.
	///
	/// # Errors
	///
	/// Returns [`Error::Rpc`] if the node answers with an error.
	pub async fn request<Answer: DeserializeOwned>(
		&self,
		method: &str,
		params: RpcParams,
	) -> Result<Answer, Error> {
		Ok(self.0.rpc.request(method, params).await?)
	}
}

/// A subscription to the headers of the blocks that become best.
pub struct Heads(subxt::rpcs::client::RpcSubscription<Header>);

impl Heads {
	/// Waits for the next header.
	///
	/// # Errors
	///
	/// Returns [`Error::Connection`] if the connection is lost.
	pub async fn next(&mut self) -> Result<Header, Error> {
		match self.0.next().await {
			Some(header) => Ok(header?),
			None => Err(Error::Connection(
				"the node ended the subscription to new blocks".into(),
			)),
		}
	}
}
