// SPDX-License-Identifier: Apache-2.0
//! The client: a connection to a node, and what can be asked over it.

use crate::{
	block::BlockId,
	broken::Broken,
	budget::{Budget, Purse},
	connection::{self, reconnect_after, shown, Line, Shared, RECONNECTIONS},
	error::Error,
	lock::{self, holder, Held},
	note::Note,
	outcome::BlockEvents,
	recent::Recent,
	state::State,
	text::{bytes_from_hex, io_words, to_hex},
	trust::{is_local, Chosen, Memory, Notice, Trust, Unproven},
	types::{AccountId, Balance, BlockNumber, DatasetId, Epoch, GrantId, Seconds, PALLET},
	wait::{report, Tell, Wait, Waiting, ASKING, SHORT_SILENCE, SILENCE},
};
use codec::Decode;
use isthmus_light::{Finality, Proof};
use isthmus_objects::Location;
use isthmus_primitives::digest::{PreDigest, POW_ENGINE_ID};
use serde::de::DeserializeOwned;
use std::{
	collections::{BTreeMap, BTreeSet},
	future::Future,
	io,
	path::Path,
	sync::{
		atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
		Arc, OnceLock, PoisonError,
	},
	time::{Duration, Instant},
};
use subxt::{
	backend::LegacyBackend,
	config::{
		substrate::{DigestItem, SubstrateHeader},
		SubstrateConfig,
	},
	rpcs::{client::RpcParams, rpc_params, RpcClient},
	utils::H256,
	OnlineClient,
};
use tokio::{
	sync::Mutex,
	time::{sleep, timeout},
};

/// The longest wait for a block before a dropped transaction is made again.
const LATER_BEST: Duration = Duration::from_secs(60);

mod states;

/// A block's header.
pub type Header = SubstrateHeader<H256>;

/// How deep in the chain something has to be before a program relies on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
	/// Finalized: the verifiers' votes keep it in the chain.
	#[default]
	Final,
	/// At least this many blocks below the best block, or finalized. For a chain without verifiers.
	Blocks(BlockNumber),
}

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
	pub(crate) line: Arc<Line>,
	/// The transactions in flight. Locked while a transaction is sent, so that transactions are sent one at a
	/// time.
	pub(crate) notes: Mutex<BTreeMap<AccountId, Vec<Note>>>,
	/// The state after the block that was last the best one. Most questions are about the same block.
	best: Mutex<Option<(String, State)>>,
	/// Receives the reports of long waits.
	pub(crate) on_wait: OnceLock<Tell>,
	/// Receives the hashes of the transactions that the node accepts.
	pub(crate) on_sent: OnceLock<Box<dyn Fn(H256) + Send + Sync>>,
	/// Whether suites that a large quantum computer opens are refused.
	post_quantum_only: AtomicBool,
	pub(crate) trust: Trust,
	pub(crate) memory: Option<Memory>,
	/// What is proven of the chain's finality.
	pub(crate) finality: Mutex<Option<Finality>>,
	/// A block that was proven a short while ago, and what is proven of its state so far.
	pub(crate) proven: Mutex<Recent<(BlockId, Arc<Mutex<Proof>>)>>,
	/// Set when all nodes proved only an old finalized block.
	pub(crate) stalled: std::sync::Mutex<Recent<()>>,
	/// Whether the user was told that the newest finalized block is old.
	pub(crate) told_age: AtomicBool,
	/// Whether the user was told that programs do not take turns.
	told_no_turns: AtomicBool,
	/// The number of the last connection of which the user was told that it was lost.
	told_lost: AtomicUsize,
	/// The locations of which the user was told that nothing is there.
	told_empty: std::sync::Mutex<BTreeSet<String>>,
	/// The locations of which the user was told a short while ago that they are asked again.
	told_asked: Broken,
	/// The locations that did not work a short while ago.
	pub(crate) broken: Broken,
	/// What each transaction pays to the miner of its block.
	pub(crate) tip: std::sync::Mutex<Balance>,
	/// What may be spent, and what was.
	pub(crate) purse: std::sync::Mutex<Purse>,
	/// The anchor, which is the block that new transactions are bound to, and the state whose metadata encodes them.
	pub(crate) anchor: Mutex<Recent<(State, BlockId)>>,
	/// The events of the most recently read block, kept because many transactions share a block.
	pub(crate) events: Mutex<Option<BlockEvents>>,
	/// The epochs whose records are known to be encrypted with their owner's secret: owner, dataset, epoch.
	pub(crate) own_epochs: std::sync::Mutex<BTreeSet<([u8; 32], DatasetId, Epoch)>>,
	/// The operators' own grants that are known to open the records in their ranges.
	pub(crate) opening: std::sync::Mutex<BTreeSet<GrantId>>,
}

impl std::fmt::Debug for Client {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Client({})", hex::encode(self.genesis()))
	}
}

/// What a node says of its connections.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
	peers: usize,
	is_syncing: bool,
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
	/// Connects to a node's WebSocket address, for example `ws://127.0.0.1:9944`. Believes the node which chain
	/// it has, and nothing else without a proof. The connection is lost when the node is silent for a minute.
	///
	/// # Errors
	///
	/// Returns [`Error::Unreachable`] if no node answers, and [`Error::Incompatible`] if its chain is not an
	/// Isthmus chain.
	pub async fn connect(url: &str) -> Result<Self, Error> {
		Self::connect_with(&[url.to_owned()], connection::SILENCE, Trust::default()).await
	}

	/// Connects to the first of these WebSocket addresses at which a node of the chain answers, and chooses what to
	/// believe of the nodes. The connection is lost when the node is silent for `silence`, although it is pinged. It
	/// must be long enough for 4 MiB of data to arrive.
	///
	/// If the connection is lost, or the node lies or is behind what was proven before, the client asks the
	/// next one. If an earlier use of one of the addresses chose the chain, all of them have to lead to it: one that
	/// does not is passed over with a [notice](Notice::OtherChain), and so is one at which no node
	/// [answers](Notice::PassedOver).
	///
	/// # Errors
	///
	/// Returns the errors of [`connect`](Self::connect), and [`Error::Unproven`] if the nodes that answer have another
	/// chain than the one that was chosen, or if the addresses led to different chains before.
	pub async fn connect_with(
		urls: &[String],
		silence: Duration,
		trust: Trust,
	) -> Result<Self, Error> {
		if trust.node && !urls.iter().all(|url| is_local(url)) {
			return Err(Unproven::NotLocal.into());
		}
		let memory = trust.memory.as_deref().map(Memory::in_folder);
		let chosen = chosen_chain(urls, trust.genesis, memory.as_ref())?;
		let line = connection::connect(urls, silence, chosen).await?;
		let rpc = RpcClient::new(Shared(line.clone()));
		// This uses plain calls and subscriptions, because `chainHead` stops working when the best block is
		// far ahead of the finalized one.
		let backend = Arc::new(LegacyBackend::builder().build(rpc.clone()));
		let config = SubstrateConfig::builder()
			.set_genesis_hash(line.genesis().into())
			.build();
		let online = OnlineClient::from_backend_with_config(config, backend).await?;
		let client = Self(Arc::new(Inner {
			online,
			rpc,
			line,
			notes: Mutex::default(),
			best: Mutex::default(),
			on_wait: OnceLock::new(),
			on_sent: OnceLock::new(),
			post_quantum_only: AtomicBool::new(false),
			trust,
			memory,
			finality: Mutex::default(),
			proven: Mutex::default(),
			stalled: std::sync::Mutex::default(),
			told_age: AtomicBool::default(),
			told_no_turns: AtomicBool::default(),
			told_lost: AtomicUsize::default(),
			told_empty: std::sync::Mutex::default(),
			told_asked: Broken::default(),
			broken: Broken::default(),
			tip: std::sync::Mutex::default(),
			purse: std::sync::Mutex::default(),
			anchor: Mutex::default(),
			events: Mutex::default(),
			own_epochs: std::sync::Mutex::default(),
			opening: std::sync::Mutex::default(),
		}));
		if !client.best().await?.has_pallet(PALLET) {
			return Err(Error::Incompatible(format!(
				"the chain at {} has no data sharing",
				client.url()
			)));
		}
		Ok(client)
	}

	/// Returns the address of the node that is asked now, without a password.
	pub(crate) fn url(&self) -> String {
		self.0.line.url()
	}

	/// Returns the hash of the chain's first block.
	pub fn genesis(&self) -> [u8; 32] {
		self.0.line.genesis()
	}

	/// Refuses from now on to seal to, or to open what is sealed to, a key of a suite that a large quantum computer
	/// opens: [`Suite::X25519`](isthmus_envelope::Suite::X25519).
	pub fn post_quantum_only(&self) {
		self.0.post_quantum_only.store(true, Ordering::Relaxed);
	}

	/// Returns whether such keys are refused.
	pub fn is_post_quantum_only(&self) -> bool {
		self.0.post_quantum_only.load(Ordering::Relaxed)
	}

	/// Returns how many requests this connection has sent so far, by method.
	pub fn requests(&self) -> BTreeMap<String, u64> {
		self.0.line.requests().so_far()
	}

	/// Asks the node for its own status and its chain's.
	pub async fn status(&self) -> Result<Status, Error> {
		let health = self.health().await?;
		let name: String = self.request("system_name", rpc_params![]).await?;
		let version: String = self.request("system_version", rpc_params![]).await?;
		// In this order, so that the finalized block is not above the best one: both go on meanwhile.
		let finalized = self.finalized().await?.block();
		let best = self.best().await?.block();
		Ok(Status {
			chain: self.request("system_chain", rpc_params![]).await?,
			genesis: self.genesis().into(),
			node: format!("{name} {version}"),
			best,
			finalized,
			peers: health.peers,
			syncing: health.is_syncing,
		})
	}

	/// Returns whether the node is far behind its peers, as it says: it does not have their newest blocks.
	///
	/// # Errors
	///
	/// Returns the node's error if it does not say.
	pub async fn is_syncing(&self) -> Result<bool, Error> {
		Ok(self.health().await?.is_syncing)
	}

	/// Asks the node how it is.
	async fn health(&self) -> Result<Health, Error> {
		self.request("system_health", rpc_params![]).await
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

	/// Waits until a later block is the best one than the one that this client last looked at, but not for long: a node may rest.
	/// For a transaction that the node dropped because of another one, which may be in no block yet.
	pub(crate) async fn later_best(&self) -> Result<(), Error> {
		let seen = self.0.best.lock().await.as_ref().map(|best| best.1.block());
		let Some(seen) = seen else { return Ok(()) };
		let later = async {
			let mut heads = self.heads().await?;
			while heads.next().await?.number as BlockNumber <= seen.number {}
			Ok(())
		};
		let waited = timeout(LATER_BEST, self.patiently(Wait::Block, later)).await;
		waited.unwrap_or(Ok(()))
	}

	/// Subscribes to the headers of the blocks that may bring something to this depth, from the newest on.
	pub(crate) async fn heads_at(&self, depth: Depth) -> Result<Heads, Error> {
		match depth {
			// A node that is trusted is believed at its best block.
			Depth::Final if !self.0.trust.node => self.final_heads().await,
			Depth::Final | Depth::Blocks(_) => self.heads().await,
		}
	}

	/// Subscribes to the headers of the finalized blocks, from the newest on.
	pub(crate) async fn final_heads(&self) -> Result<Heads, Error> {
		let heads = self
			.0
			.rpc
			.subscribe(
				"chain_subscribeFinalizedHeads",
				rpc_params![],
				"chain_unsubscribeFinalizedHeads",
			)
			.await?;
		Ok(Heads(heads))
	}

	/// Sets the function that receives a report when an operation of this client waits for long, and again
	/// from time to time. Only the first call has an effect.
	pub fn on_wait(&self, tell: impl Fn(&Waiting) + Send + Sync + 'static) {
		let _ = self.0.on_wait.set(Box::new(tell));
	}

	/// Sets the function that receives the hash of each transaction that the node accepts. Only the first call has
	/// an effect.
	pub fn on_sent(&self, tell: impl Fn(H256) + Send + Sync + 'static) {
		let _ = self.0.on_sent.set(Box::new(tell));
	}

	/// Sets the function that receives what the user should know: about the trust in the node, and if programs do not take
	/// turns. Only the first call has an effect.
	pub fn on_notice(&self, tell: impl Fn(&Notice) + Send + Sync + 'static) {
		self.0.line.on_notice(tell);
	}

	pub(crate) fn tell(&self, notice: &Notice) {
		self.0.line.tell(notice);
	}

	/// Tells the user, once, why programs do not take turns.
	pub(crate) fn tell_no_turns(&self, reason: String) {
		self.tell_no_turns_once(reason, false);
	}

	/// Tells the user, once, that programs do not take turns because a lock file cannot be written.
	pub(crate) fn tell_not_written(&self, lock: &str, error: &io::Error) {
		let is_full = matches!(
			error.kind(),
			io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
		);
		let reason = format!("{lock} cannot be written ({})", io_words(error));
		self.tell_no_turns_once(reason, is_full);
	}

	fn tell_no_turns_once(&self, reason: String, is_full: bool) {
		if !self.0.told_no_turns.swap(true, Ordering::Relaxed) {
			self.tell(&Notice::NoTurns { reason, is_full });
		}
	}

	/// Tells the user, once, that nothing is at a location, although a dataset has objects.
	pub(crate) fn tell_empty(&self, url: String, objects: u32) {
		let told = self.0.told_empty.lock();
		let is_new = told
			.unwrap_or_else(PoisonError::into_inner)
			.insert(url.clone());
		if is_new {
			self.tell(&Notice::EmptyLocation { url, objects });
		}
	}

	/// Tells the user when the store of a location is asked again for long, once in a while: nothing else shows it.
	pub(crate) fn watch_store(&self, location: &Location) {
		let (client, url) = (self.clone(), location.url().to_owned());
		location.on_trouble(move |trouble| {
			if client.0.told_asked.is_new(&url, Instant::now()) {
				let url = url.clone();
				client.tell(&Notice::AskedAgain { url, trouble });
			}
		});
	}

	/// Remembers which chain the node's address leads to, if the address is used for the first time.
	pub(crate) fn remember_chain(&self) {
		let Some(memory) = &self.0.memory else {
			return;
		};
		let (url, genesis) = (self.url(), self.genesis());
		// `connect_with` has compared the chain with a known one.
		if self.0.trust.genesis.is_some() || matches!(memory.chain_at(&url), Ok(Some(_))) {
			return;
		}
		match memory.set_chain_at(&url, &genesis) {
			Ok(()) => self.tell(&Notice::FirstUse { url, genesis }),
			Err(error) => self.tell(&Notice::NotRemembered(error.to_string())),
		}
	}

	/// Sets what this client may spend from now on. What was spent before does not count.
	///
	/// Costs are those at present, as the node says: fees may rise while blocks are full. Each costs one more question
	/// to the node.
	pub fn set_budget(&self, budget: Budget) {
		*self.0.purse.lock().unwrap_or_else(PoisonError::into_inner) = Purse::new(budget);
	}

	/// Sets the tip that each transaction of this client pays to its block's miner from now on, in the smallest
	/// unit. Miners include transactions in the order of their tips, by size: a tip helps while blocks are full.
	pub fn set_tip(&self, tip: Balance) {
		*self.0.tip.lock().unwrap_or_else(PoisonError::into_inner) = tip;
	}

	/// Returns the tip of the transactions that are sent now.
	pub(crate) fn tip(&self) -> Balance {
		*self.0.tip.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Waits for something, and reports if that takes long.
	pub(crate) async fn patiently<T>(&self, what: Wait, done: impl Future<Output = T>) -> T {
		self.patiently_for(move |_| what, done).await
	}

	/// Does the same if what is missing changes meanwhile. For each report, `what` says it, of the numbers of the best block and of
	/// the last finalized one.
	pub(crate) async fn patiently_for<T>(
		&self,
		what: impl Fn(Option<(BlockNumber, BlockNumber)>) -> Wait,
		done: impl Future<Output = T>,
	) -> T {
		let Some(tell) = self.0.on_wait.get() else {
			return done.await;
		};
		// What is waited for may look at each block itself, so what counts is what came since this began, or since the last report.
		let seen = self.0.best.try_lock().ok();
		let seen = seen.and_then(|best| Some(best.as_ref()?.1.block().number));
		let seen = &AtomicU32::new(seen.unwrap_or(BlockNumber::MAX));
		let what = &what;
		let told = move |since| async move {
			let blocks = async {
				let best = self.best_number().await.ok()?;
				Some((best, self.finalized_number().await.ok()?))
			};
			let blocks = timeout(ASKING, blocks).await.ok().flatten();
			// An unanswered request may have said so just now.
			let is_told = blocks.is_none() && !self.0.line.is_new_silence();
			if is_told && since < SILENCE.saturating_mul(2) {
				return;
			}
			tell(&Waiting {
				what: what(blocks),
				since,
				blocks,
				grows: blocks.is_some_and(|(best, _)| best > seen.swap(best, Ordering::Relaxed)),
				holder: None,
			});
		};
		report(SILENCE, done, told).await
	}

	/// Waits for as long as another program holds a lock. Returns `None`, and tells the user, if no lock file can be made or
	/// locked.
	pub(crate) async fn hold(&self, what: Wait, name: &str) -> Option<Held> {
		let path = lock::path(name);
		let held = match &path {
			Some(path) => {
				let held = lock::hold(path.clone());
				self.patiently_locked(what, Some(path), held).await
			}
			None => None,
		};
		if held.is_none() {
			self.tell_no_turns(lock::why_not(name, path.as_deref()));
		}
		held
	}

	/// Waits for another program, which holds the lock of a file. If that takes long, says which one it is.
	pub(crate) async fn patiently_locked<T>(
		&self,
		what: Wait,
		file: Option<&Path>,
		done: impl Future<Output = T>,
	) -> T {
		let Some(tell) = self.0.on_wait.get() else {
			return done.await;
		};
		let told = move |since| async move {
			tell(&Waiting {
				what,
				since,
				blocks: None,
				grows: false,
				holder: file.and_then(holder),
			});
		};
		report(SHORT_SILENCE, done, told).await
	}

	/// Asks the node something, and again over a new connection if the connection is lost.
	pub(crate) async fn persist<T, Asked>(&self, mut ask: impl FnMut() -> Asked) -> Result<T, Error>
	where
		Asked: Future<Output = Result<T, Error>>,
	{
		for attempt in 0..RECONNECTIONS {
			match ask().await {
				Err(error) if error.is_connection() => self.reconnect(attempt, &error).await,
				done => return done,
			}
		}
		ask().await
	}

	/// Waits before an operation goes on over a new connection. Says so, once for each connection that was lost: many
	/// operations may use it.
	pub(crate) async fn reconnect(&self, attempt: u32, error: &Error) {
		let lost = self.0.line.made();
		if self.0.told_lost.swap(lost, Ordering::Relaxed) != lost {
			self.tell(&Notice::Reconnecting(error.to_string()));
		}
		sleep(reconnect_after(attempt)).await;
	}

	/// Returns how many nodes there are besides the one that is asked.
	pub(crate) fn others(&self) -> usize {
		self.0.line.others()
	}

	/// Asks a node something, and the other nodes if it [lies, lags or is damaged](Error::is_of_node).
	pub(crate) async fn elsewhere<T, Asked>(
		&self,
		mut ask: impl FnMut() -> Asked,
	) -> Result<T, Error>
	where
		Asked: Future<Output = Result<T, Error>>,
	{
		let mut nodes = Nodes::of(self);
		loop {
			nodes.begin();
			match ask().await {
				Err(error) if nodes.others() > 0 && error.is_of_node() => {
					nodes.leave(error.to_string()).await;
				}
				done => return done,
			}
		}
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

/// The nodes that an operation may ask. Each is left once.
pub(crate) struct Nodes<'a> {
	client: &'a Client,
	/// How many nodes there still are besides the one that is asked.
	others: usize,
	/// The address of the node that is asked.
	asked: String,
	/// How often the operation may still be repeated because it is not known which node is wrong.
	unclear: usize,
}

impl<'a> Nodes<'a> {
	pub(crate) fn of(client: &'a Client) -> Self {
		Self {
			client,
			others: client.others(),
			asked: String::new(),
			unclear: client.others(),
		}
	}

	/// Notes which node is asked.
	pub(crate) fn begin(&mut self) {
		self.asked = self.client.url();
	}

	/// Returns how many nodes there still are besides the one that is asked.
	pub(crate) fn others(&self) -> usize {
		self.others
	}

	/// Leaves the node that was asked for the next one, and tells the user why. If the connection went over to another
	/// node meanwhile, leaves none: either may have given the answer.
	pub(crate) async fn leave(&mut self, reason: String) {
		let url = self.asked.clone();
		if self.unclear > 0 && self.client.url() != url {
			self.unclear -= 1;
			return;
		}
		self.others = self.others.saturating_sub(1);
		self.client.0.line.leave(&url).await;
		self.client.tell(&Notice::Left { url, reason });
	}
}

/// Returns the hash of the first block of the chain that was chosen, by the caller or by an earlier use of one of the
/// addresses; `None` if all of them are used for the first time.
fn chosen_chain(
	urls: &[String],
	named: Option<[u8; 32]>,
	memory: Option<&Memory>,
) -> Result<Option<(Chosen, [u8; 32])>, Error> {
	let (None, Some(memory)) = (named, memory) else {
		return Ok(named.map(|genesis| (Chosen::Named, genesis)));
	};
	let mut first: Option<(String, [u8; 32])> = None;
	for url in urls.iter().map(|url| shown(url)) {
		let Some(genesis) = memory.chain_at(&url)? else {
			continue;
		};
		match &first {
			None => first = Some((url, genesis)),
			Some((_, known)) if *known == genesis => {}
			Some(known) => {
				let chains = [known.clone(), (url, genesis)];
				return Err(Unproven::TwoChains(Box::new(chains)).into());
			}
		}
	}
	Ok(first.map(|(_, genesis)| (Chosen::Remembered, genesis)))
}

/// A subscription to the headers of blocks that become best, or final.
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

#[cfg(test)]
mod tests {
	use super::*;
	use crate::trust::check_chain;

	#[test]
	fn all_addresses_have_to_lead_to_the_chain_that_one_of_them_led_to() {
		let folder = tempfile::tempdir().unwrap();
		let memory = Memory::in_folder(folder.path());
		let urls = ["ws://a", "ws://user:secret@b", "ws://c"].map(str::to_owned);
		let chosen = |urls: &[String], named| chosen_chain(urls, named, Some(&memory));
		assert_eq!(chosen(&urls, None).unwrap(), None);
		memory.set_chain_at("ws://b", &[1; 32]).unwrap();
		let remembered = Some((Chosen::Remembered, [1; 32]));
		assert_eq!(chosen(&urls, None).unwrap(), remembered);
		assert_eq!(chosen(&urls[..1], None).unwrap(), None);
		let other = check_chain("ws://a", &[2; 32], remembered).unwrap_err();
		let other = other.to_string();
		assert!(other.contains("at ws://a begins") && other.contains("used before"));
		check_chain("ws://a", &[1; 32], remembered).unwrap();
		memory.set_chain_at("ws://c", &[2; 32]).unwrap();
		let two = chosen(&urls, None).unwrap_err().to_string();
		assert!(
			two.contains("ws://b led to") && two.contains("ws://c to"),
			"{two}"
		);
		let named = Some((Chosen::Named, [3; 32]));
		assert_eq!(chosen(&urls, Some([3; 32])).unwrap(), named);
	}
}
