//! The connection to a node.

use crate::{
	error::Error,
	state::State,
	types::{AccountId, BlockNumber},
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, sync::Arc, time::Instant};
use subxt::{
	backend::LegacyBackend,
	config::{substrate::SubstrateHeader, SubstrateConfig},
	ext::jsonrpsee::{client_transport::ws, core::client::Client as RpcConnection},
	rpcs::{client::RpcParams, rpc_params, RpcClient},
	utils::H256,
	OnlineClient,
};
use tokio::sync::Mutex;

/// A block's header.
pub type Header = SubstrateHeader<H256>;

/// The most bytes of one answer of a node: a page of chunks in base64 and what goes around it.
const MAX_ANSWER: u32 = 32 << 20;
/// The most bytes of one question: a chunk's transaction in hex.
const MAX_QUESTION: u32 = 8 << 20;

/// A connection to a node. Cheap to clone; clones share the connection.
///
/// ```no_run
/// # async fn example() -> Result<(), isthmus_sdk::Error> {
/// let client = isthmus_sdk::Client::connect("ws://127.0.0.1:9944").await?;
/// let best = client.best().await?;
/// println!("block {} is best", best.block().number);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
	pub(crate) online: OnlineClient<SubstrateConfig>,
	pub(crate) rpc: RpcClient,
	genesis: [u8; 32],
	/// One past the last nonce that the node took from each account, and when. Held while a transaction
	/// is sent, so that they are sent one after the other.
	pub(crate) nonces: Mutex<BTreeMap<AccountId, (u64, Instant)>>,
	/// The events of the block that was asked for last: many transactions are in one block.
	pub(crate) events: Mutex<Option<crate::tx::BlockEvents>>,
}

impl std::fmt::Debug for Client {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Client({})", hex::encode(self.0.genesis))
	}
}

/// A block, by number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockId {
	/// Its number.
	pub number: BlockNumber,
	/// Its hash.
	pub hash: H256,
}

/// What a node says of itself and its chain.
#[derive(Clone, Debug)]
pub struct Status {
	/// The chain's name.
	pub chain: String,
	/// The hash of its first block.
	pub genesis: H256,
	/// The node's program and version.
	pub node: String,
	/// The best block.
	pub best: BlockId,
	/// The last final block.
	pub finalized: BlockId,
	/// How many peers the node has.
	pub peers: usize,
	/// Whether it is still far behind them.
	pub syncing: bool,
}

impl Client {
	/// Connects to a node's WebSocket address, `ws://127.0.0.1:9944` say.
	///
	/// # Errors
	///
	/// [`Error::Unreachable`] where no node answers, [`Error::Incompatible`] where it is of another kind
	/// of chain.
	pub async fn connect(url: &str) -> Result<Self, Error> {
		let unreachable = |reason: String| Error::Unreachable {
			url: url.to_owned(),
			reason,
		};
		let address = ws::Url::parse(url).map_err(|error| unreachable(error.to_string()))?;
		let (sender, receiver) = ws::WsTransportClientBuilder::default()
			.max_request_size(MAX_QUESTION)
			.max_response_size(MAX_ANSWER)
			.build(address)
			.await
			.map_err(|error| unreachable(error.to_string()))?;
		let rpc = RpcClient::new(RpcConnection::builder().build_with_tokio(sender, receiver));
		// Plain calls and subscriptions: following `chainHead` ends where best runs far past finalized.
		let backend = Arc::new(LegacyBackend::builder().build(rpc.clone()));
		let online = OnlineClient::<SubstrateConfig>::from_backend(backend).await?;
		let genesis = online.genesis_hash().0;
		let client = Self(Arc::new(Inner {
			online,
			rpc,
			genesis,
			nonces: Mutex::default(),
			events: Mutex::default(),
		}));
		if !client.best().await?.has_pallet("DataSharing") {
			return Err(Error::Incompatible(format!(
				"the chain at {url} has no data sharing"
			)));
		}
		Ok(client)
	}

	/// The hash of the chain's first block.
	pub fn genesis(&self) -> [u8; 32] {
		self.0.genesis
	}

	/// The state after the best block.
	pub async fn best(&self) -> Result<State, Error> {
		let hash: H256 = self.request("chain_getBlockHash", rpc_params![]).await?;
		self.at(hash).await
	}

	/// The state after the last final block.
	pub async fn finalized(&self) -> Result<State, Error> {
		let hash: H256 = self
			.request("chain_getFinalizedHead", rpc_params![])
			.await?;
		self.at(hash).await
	}

	/// The state after a block of the best chain.
	pub async fn at_number(&self, number: BlockNumber) -> Result<State, Error> {
		let hash = self.hash_of(number).await?;
		self.at(hash).await
	}

	/// The state after the block with this hash.
	pub async fn at(&self, hash: H256) -> Result<State, Error> {
		Ok(State::new(self.0.online.at_block(hash).await?))
	}

	/// The hash of a block of the best chain.
	pub(crate) async fn hash_of(&self, number: BlockNumber) -> Result<H256, Error> {
		let hash: Option<H256> = self
			.request("chain_getBlockHash", rpc_params![number])
			.await?;
		hash.ok_or_else(|| Error::Unknown(format!("block {number}")))
	}

	/// The header of a block, or of the best one.
	async fn header(&self, hash: Option<H256>) -> Result<Header, Error> {
		let header: Option<Header> = self.request("chain_getHeader", rpc_params![hash]).await?;
		header.ok_or_else(|| Error::Unknown("such block".into()))
	}

	/// The number of the best block.
	pub(crate) async fn best_number(&self) -> Result<BlockNumber, Error> {
		Ok(self.header(None).await?.number as BlockNumber)
	}

	/// What the node says of itself and its chain.
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

	/// Whether this is a development chain, whose accounts everybody has.
	pub async fn is_development(&self) -> Result<bool, Error> {
		let kind: serde_json::Value = self.request("system_chainType", rpc_params![]).await?;
		Ok(kind == "Development" || kind == "Local")
	}

	/// The headers of the blocks that become best, from now on.
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

	/// One question of the node's RPC interface, for what this crate has no function for.
	pub async fn request<Answer: DeserializeOwned>(
		&self,
		method: &str,
		params: RpcParams,
	) -> Result<Answer, Error> {
		Ok(self.0.rpc.request(method, params).await?)
	}
}

/// The blocks that become best.
pub struct Heads(subxt::rpcs::client::RpcSubscription<Header>);

impl Heads {
	/// The next one.
	pub async fn next(&mut self) -> Result<Header, Error> {
		match self.0.next().await {
			Some(header) => Ok(header?),
			None => Err(Error::Connection("the node sends no more blocks".into())),
		}
	}
}
