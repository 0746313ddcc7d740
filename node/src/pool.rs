// SPDX-License-Identifier: Apache-2.0
//! The transaction pool: the framework's single-state pool, with other rules for what it may forget.
//!
//! The framework's pool drops transactions that it has accepted: when a queue is full, the oldest ones with
//! everything that depends on them; and when the author finds that a transaction does not fit the block it
//! builds on, all that depends on it. Each is right for some chain. On a chain with forks, and blocks that
//! arrive while the pool is still busy with the one before, they lose transactions that only had to wait.
//! This pool keeps what it has accepted (docs/adr/0023):
//!
//! - A full pool refuses new transactions, unless they pay more than one that waits.
//! - A transaction whose nonce does not fit the block is checked again on the next best block, with what
//!   depends on it. It is dropped if it is no longer valid, and the others stay.
//!
//! A transaction that waits for an earlier nonce (a *gap*) is dropped after `MAX_WAIT` best blocks. Those who watch a
//! transaction learn of every drop (`watchers.rs`).

mod pinned;
mod watchers;

use crate::client::{FullBackend, FullClient};
use isthmus_primitives::{Block, Hash};
use parking_lot::Mutex;
use pinned::Pinned;
use polkadot_sdk::*;
use sc_client_api::HeaderBackend;
use sc_transaction_pool::{
	BasicPool, ChainApi, FullChainApi, Options, PoolLimit, RevalidationType,
	TimedTransactionSource, ValidateTransactionPriority,
};
use sc_transaction_pool_api::{
	error::{Error as PoolError, IntoPoolError},
	ChainEvent, ImportNotificationStream, InPoolTransaction, LocalTransactionFor,
	LocalTransactionPool, MaintainedTransactionPool, PoolStatus, ReadyTransactions, TransactionFor,
	TransactionPool, TransactionSource, TransactionStatus, TransactionStatusStreamFor,
	TxInvalidityReportMap,
};
use sp_blockchain::HashAndNumber;
use sp_core::traits::SpawnEssentialNamed;
use sp_runtime::{
	generic::BlockId,
	transaction_validity::{
		InvalidTransaction, TransactionPriority, TransactionTag, TransactionValidityError,
	},
};
use std::{
	collections::{HashMap, HashSet, VecDeque},
	pin::Pin,
	sync::Arc,
	time::Duration,
};
use substrate_prometheus_endpoint::Registry;
use tokio::sync::{Semaphore, SemaphorePermit};
use watchers::Watchers;

type Api = FullChainApi<FullClient, Block>;
type Inner = BasicPool<Api, Block>;
type Waiting = <Inner as TransactionPool>::InPoolTransaction;
type Error = <Inner as TransactionPool>::Error;
type ReadyIterator = Box<dyn ReadyTransactions<Item = Arc<Waiting>> + Send>;

/// How much more than [`Limits`] the pool holds if transactions pay more than the ones that wait, or come
/// back from orphaned blocks. Beyond that, the framework's pool drops those that pay least.
const HEADROOM: usize = 4;
/// How much more room there is for transactions from peers. Another node has accepted them, and sends each
/// of them only once.
const ROOM_FOR_PEERS: usize = 2;
/// How many transactions to check again on each new best block: first those whose nonce did not fit the author's
/// block, then those that wait for an earlier nonce. What depends on them is checked as well.
const MAX_CHECKED_AGAIN: usize = 512;
/// For how many best blocks a transaction may wait for an earlier nonce. Otherwise one account could fill the
/// queue for ever, with transactions that need never pay.
const MAX_WAIT: u32 = 64;

/// How many submitted transactions are checked at once. The others wait, and the block in whose state they are checked is
/// chosen after that, and keeps its state until then: on a busy machine, a block can be orphaned meanwhile.
const CHECKED_AT_ONCE: usize = 4;

/// Of how many best blocks the pool keeps the state, the last ones. The framework's pool checks what is ready in the
/// background at a block that was the best one when it began, and drops what it cannot check because the state is gone.
const KEPT_STATES: usize = 32;

/// How many transactions may be ready for a block, and how many may wait for an earlier nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
	/// The number of transactions.
	pub count: usize,
	/// Their size in bytes.
	pub bytes: usize,
	/// How long an invalid transaction is refused without being checked again.
	pub ban_time: Duration,
}

impl Default for Limits {
	/// Returns the limits of `--pool-limit`, `--pool-kbytes` and `--tx-ban-seconds` if they are not given.
	fn default() -> Self {
		Self {
			count: 8192,
			bytes: 20 * 1024 * 1024,
			ban_time: Duration::from_secs(30 * 60),
		}
	}
}

impl Limits {
	fn times(self, factor: usize) -> Self {
		Self {
			count: self.count.saturating_mul(factor),
			bytes: self.bytes.saturating_mul(factor),
			..self
		}
	}

	fn limit(self) -> PoolLimit {
		PoolLimit {
			count: self.count,
			total_bytes: self.bytes,
		}
	}

	/// Returns whether a transaction of this size still fits into a queue that holds this many transactions of
	/// this size together.
	pub fn have_room(&self, waiting: usize, bytes: usize, size: usize) -> bool {
		waiting < self.count && bytes.saturating_add(size) <= self.bytes
	}
}

/// A submitted transaction's turn to be checked, until it is dropped.
struct Turn<'a> {
	/// The block in whose state the transaction is checked.
	at: Hash,
	_state: Option<Pinned<FullBackend>>,
	_permit: Option<SemaphorePermit<'a>>,
}

/// The transaction pool. Clones refer to the same pool.
#[derive(Clone)]
pub struct FullPool {
	inner: Arc<Inner>,
	client: Arc<FullClient>,
	backend: Arc<FullBackend>,
	/// The turns of submitted transactions to be checked.
	turns: Arc<Semaphore>,
	limits: Limits,
	/// Whether transactions come from peers.
	from_peers: bool,
	state: Arc<Mutex<State>>,
	/// The last best blocks.
	kept: Arc<Mutex<VecDeque<Pinned<FullBackend>>>>,
	watchers: Arc<Mutex<Watchers<Hash, TransactionStatus<Hash, Hash>>>>,
}

#[derive(Default)]
struct State {
	/// Transactions whose nonce did not fit the block that the author built on.
	misfits: HashSet<Hash>,
	/// The transactions that waited for an earlier nonce when the last best block came.
	gaps: HashMap<Hash, Gap>,
	/// The lowest priority among the waiting transactions, and the block at which it was found.
	floor: Option<(Hash, TransactionPriority)>,
}

/// A transaction that waits for an earlier nonce.
#[derive(Clone, Copy, Default)]
struct Gap {
	/// For how many best blocks it has waited.
	waited: u32,
	/// How often it was checked again.
	checked: u32,
}

impl State {
	/// Returns the lowest priority among the waiting transactions, which is read once per best block. It is not kept if
	/// nothing waits, as while the pool removes what is in a new block: all that came after would pay more.
	fn floor(
		&mut self,
		at: Hash,
		lowest: impl FnOnce() -> Option<TransactionPriority>,
	) -> Option<TransactionPriority> {
		let known = self.floor.filter(|(block, _)| *block == at);
		let floor = known.map(|(_, floor)| floor).or_else(lowest)?;
		self.floor = Some((at, floor));
		Some(floor)
	}

	/// Notes which transactions wait for an earlier nonce at a new best block. Returns those to check again, and
	/// those that have waited too long.
	fn on_best_block(&mut self, waiting: impl Iterator<Item = Hash>) -> (Vec<Hash>, Vec<Hash>) {
		let one_more = |gap: &Gap| Gap {
			waited: gap.waited + 1,
			..*gap
		};
		let (aged, gaps): (HashMap<_, _>, _) = waiting
			.map(|hash| (hash, self.gaps.get(&hash).map(one_more).unwrap_or_default()))
			.partition(|(_, gap)| gap.waited > MAX_WAIT);
		self.gaps = gaps;
		let misfits = self.misfits.iter().copied().take(MAX_CHECKED_AGAIN);
		let mut suspects: Vec<Hash> = misfits.collect();
		for hash in &suspects {
			self.misfits.remove(hash);
		}
		// The framework's pool forgets soon which nonces are used up. A transaction that was checked before, and
		// arrived after, then waits for one of them in vain. In turn, each is checked before it has waited too long.
		let stuck = self.gaps.iter_mut().filter(|(_, gap)| gap.waited > 0);
		let mut stuck: Vec<_> = stuck.collect();
		stuck.sort_by_key(|(_, gap)| gap.checked);
		let room = MAX_CHECKED_AGAIN - suspects.len();
		for (hash, gap) in stuck.into_iter().take(room) {
			gap.checked += 1;
			suspects.push(*hash);
		}
		(suspects, aged.into_keys().collect())
	}
}

impl FullPool {
	/// Creates a pool, and starts its tasks. A node that does not author blocks refuses transactions that
	/// must not be sent to peers.
	pub fn new(
		client: Arc<FullClient>,
		backend: Arc<FullBackend>,
		limits: Limits,
		is_author: bool,
		registry: Option<&Registry>,
		spawner: impl SpawnEssentialNamed,
	) -> Self {
		let options = Options {
			ready: limits.times(HEADROOM).limit(),
			future: limits.times(HEADROOM).limit(),
			reject_future_transactions: false,
			ban_time: limits.ban_time,
		};
		let api = Arc::new(FullChainApi::new(client.clone(), registry, &spawner));
		let chain = client.info();
		let inner = Inner::with_revalidation_type(
			options,
			is_author.into(),
			api,
			registry,
			RevalidationType::Full,
			spawner,
			chain.best_number,
			chain.best_hash,
			chain.finalized_hash,
		);
		Self {
			inner: Arc::new(inner),
			client,
			backend,
			turns: Arc::new(Semaphore::new(CHECKED_AT_ONCE)),
			limits,
			from_peers: false,
			state: Arc::default(),
			kept: Arc::default(),
			watchers: Arc::default(),
		}
	}

	/// Returns the same pool for transactions from peers: it has more room for them, and does not hold it
	/// against a peer if there is none.
	pub fn for_peers(&self) -> Self {
		Self {
			limits: self.limits.times(ROOM_FOR_PEERS),
			from_peers: true,
			..self.clone()
		}
	}

	/// Waits until it is a transaction's turn to be checked, and returns the best block of that time.
	async fn turn(&self) -> Turn<'_> {
		// It is never closed, so there is always a permit.
		let permit = self.turns.acquire().await.ok();
		let (at, state) = loop {
			let at = self.client.info().best_hash;
			let state = Pinned::new(self.backend.clone(), at);
			// Another block became the best one meanwhile, and this one's state is gone.
			if state.is_some() || self.client.info().best_hash == at {
				break (at, state);
			}
		};
		Turn {
			at,
			_state: state,
			_permit: permit,
		}
	}

	/// Returns which part of the room for ready transactions is taken, by number or by size, whichever is more.
	/// From 1 on, a transaction must pay more than one that waits.
	pub fn fullness(&self) -> f64 {
		let status = self.inner.status();
		let part = |taken: usize, room: usize| taken as f64 / room.max(1) as f64;
		part(status.ready, self.limits.count).max(part(status.ready_bytes, self.limits.bytes))
	}

	/// Checks that there is room for a transaction. If too many are ready, it must pay more than one of them. If
	/// too many wait for an earlier nonce, it must be ready.
	async fn make_room(
		&self,
		at: Hash,
		source: TransactionSource,
		transaction: &TransactionFor<Self>,
	) -> Result<(), Error> {
		let (hash, size) = self.inner.api().hash_and_length(transaction);
		let status = self.inner.status();
		let among_ready = self
			.limits
			.have_room(status.ready, status.ready_bytes, size);
		let among_future = self
			.limits
			.have_room(status.future, status.future_bytes, size);
		if among_ready && among_future {
			return Ok(());
		}
		// A transaction that is known, or was found invalid a moment ago, costs no validation.
		let pool = self.inner.pool().validated_pool();
		pool.check_is_known(&hash, false)?;
		let validity = self
			.inner
			.api()
			.validate_transaction(
				at,
				source,
				Arc::new(transaction.clone()),
				ValidateTransactionPriority::Submitted,
			)
			.await?;
		let valid = match validity {
			Ok(valid) => valid,
			Err(TransactionValidityError::Invalid(why)) => {
				return Err(PoolError::InvalidTransaction(why).into())
			}
			Err(TransactionValidityError::Unknown(why)) => {
				return Err(PoolError::UnknownTransaction(why).into())
			}
		};
		let pays_more = || {
			let floor = self.floor(at);
			floor.is_none_or(|floor| valid.priority > floor)
		};
		if (among_ready || pays_more()) && (among_future || self.provides(&valid.requires)) {
			return Ok(());
		}
		Err(if self.from_peers {
			// The network penalises a peer for any other error.
			PoolError::AlreadyImported(Box::new(hash)).into()
		} else {
			PoolError::ImmediatelyDropped.into()
		})
	}

	/// Returns whether the transactions that are ready provide all of these tags: the earlier nonces.
	fn provides(&self, tags: &[TransactionTag]) -> bool {
		let mut missing: HashSet<_> = tags.iter().collect();
		for waiting in self.inner.ready() {
			if missing.is_empty() {
				return true;
			}
			for tag in waiting.provides() {
				missing.remove(tag);
			}
		}
		missing.is_empty()
	}

	/// Returns the lowest priority among the waiting transactions; `None` if none waits any more.
	fn floor(&self, at: Hash) -> Option<TransactionPriority> {
		let lowest = || self.inner.ready().map(|waiting| *waiting.priority()).min();
		self.state.lock().floor(at, lowest)
	}

	/// Checks transactions again whose nonce did not fit, and everything that depends on them. Drops those that are
	/// invalid at the best block, or have waited too long for an earlier nonce, and tells their watchers.
	async fn check_again(&self, best: Hash) {
		self.watchers.lock().forget();
		let futures = self.inner.futures().into_iter();
		let waiting: HashMap<_, _> = futures.map(|waiting| (waiting.hash, waiting)).collect();
		let (suspects, aged) = {
			let mut state = self.state.lock();
			let is_ready = |hash: &Hash| self.inner.ready_transaction(hash).is_some();
			state.misfits.retain(is_ready);
			state.on_best_block(waiting.keys().copied())
		};
		let pool = self.inner.pool().validated_pool();
		// They are not banned: their senders may send them again, after the missing nonce.
		let dropped = pool.remove_subtree(&aged, false, |events, hash| events.invalid(&hash));
		if !dropped.is_empty() {
			log::debug!(
				target: sc_transaction_pool::LOG_TARGET,
				"dropped {} transactions that waited too long for an earlier nonce",
				dropped.len(),
			);
		}
		let suspects = suspects.into_iter().filter_map(|hash| {
			let ready = || Some(self.inner.ready_transaction(&hash)?.as_ref().clone());
			waiting.get(&hash).cloned().or_else(ready)
		});
		let suspects: Vec<Waiting> = suspects.collect();
		if !suspects.is_empty() {
			self.revalidate(best, suspects).await;
		}
	}

	/// Drops those of the suspects that are invalid, and lets the others, with everything that depends on a
	/// suspect, take their places again.
	async fn revalidate(&self, best: Hash, suspects: Vec<Waiting>) {
		let Ok(Some(number)) = self.inner.api().block_id_to_number(&BlockId::Hash(best)) else {
			return;
		};
		let checks = suspects.into_iter().map(|suspect| async move {
			let priority = ValidateTransactionPriority::Maintained;
			let api = self.inner.api();
			let source = suspect.source.clone().into();
			let validity = api.validate_transaction(best, source, suspect.data, priority);
			(suspect.hash, validity.await)
		});
		let (mut valid, mut invalid) = (Vec::new(), HashSet::new());
		for (hash, validity) in futures::future::join_all(checks).await {
			match validity {
				Ok(Ok(_)) => valid.push(hash),
				Ok(Err(TransactionValidityError::Invalid(_))) => {
					invalid.insert(hash);
				}
				// It stays as it is.
				Ok(Err(TransactionValidityError::Unknown(_))) | Err(_) => {}
			}
		}
		let pool = self.inner.pool();
		let hashes: Vec<_> = invalid.iter().copied().collect();
		let validated = pool.validated_pool();
		let mut removed = validated.remove_subtree(&hashes, true, |events, hash| {
			if invalid.contains(&hash) {
				events.invalid(&hash);
			}
		});
		removed.extend(validated.remove_subtree(&valid, false, |_, _| {}));
		removed.retain(|waiting| !invalid.contains(&waiting.hash));
		let again = removed.iter().map(|waiting| {
			let source = TransactionSource::from(waiting.source.clone());
			(
				TimedTransactionSource::from_transaction_source(source, false),
				waiting.data.clone(),
			)
		});
		let at = HashAndNumber { hash: best, number };
		let checked = pool.resubmit_at(&at, again, ValidateTransactionPriority::Maintained);
		let mut dropped = 0;
		// The outcomes are in the order of the transactions.
		for (waiting, outcome) in removed.iter().zip(checked.await) {
			let Some(status) = outcome.err().and_then(status_of_dropped) else {
				continue;
			};
			self.watchers.lock().tell(&waiting.hash, status);
			dropped += 1;
		}
		log::debug!(
			target: sc_transaction_pool::LOG_TARGET,
			"checked {} transactions again whose nonce did not fit: dropped {dropped}",
			removed.len(),
		);
	}
}

/// Returns what to tell those who watch a transaction that the pool did not take back; `None` if it is in the pool, or
/// they were told.
fn status_of_dropped(error: Error) -> Option<TransactionStatus<Hash, Hash>> {
	match error.into_pool_error() {
		Ok(PoolError::AlreadyImported(_) | PoolError::ImmediatelyDropped) => None,
		Ok(PoolError::InvalidTransaction(_)) => Some(TransactionStatus::Invalid),
		Ok(_) | Err(_) => Some(TransactionStatus::Dropped),
	}
}

#[async_trait::async_trait]
impl TransactionPool for FullPool {
	type Block = Block;
	type Hash = Hash;
	type InPoolTransaction = Waiting;
	type Error = Error;

	async fn submit_at(
		&self,
		at: Hash,
		source: TransactionSource,
		transactions: Vec<TransactionFor<Self>>,
	) -> Result<Vec<Result<Hash, Error>>, Error> {
		let mut outcomes = Vec::with_capacity(transactions.len());
		for transaction in transactions {
			outcomes.push(self.submit_one(at, source, transaction).await);
		}
		Ok(outcomes)
	}

	/// Submits a transaction. It is checked at the best block when its turn comes, which the block that is given may not be
	/// any more.
	async fn submit_one(
		&self,
		_: Hash,
		source: TransactionSource,
		transaction: TransactionFor<Self>,
	) -> Result<Hash, Error> {
		let turn = self.turn().await;
		let at = turn.at;
		self.make_room(at, source, &transaction).await?;
		self.inner.submit_one(at, source, transaction).await
	}

	async fn submit_and_watch(
		&self,
		_: Hash,
		source: TransactionSource,
		transaction: TransactionFor<Self>,
	) -> Result<Pin<Box<TransactionStatusStreamFor<Self>>>, Error> {
		let turn = self.turn().await;
		let at = turn.at;
		self.make_room(at, source, &transaction).await?;
		let hash = self.hash_of(&transaction);
		let watch = self.watchers.lock().watch(hash);
		match self.inner.submit_and_watch(at, source, transaction).await {
			Ok(reports) => Ok(watch(reports)),
			Err(error) => {
				drop(watch);
				self.watchers.lock().release(&hash);
				Err(error)
			}
		}
	}

	async fn ready_at(&self, at: Hash) -> ReadyIterator {
		self.inner.ready_at(at).await
	}

	fn ready(&self) -> ReadyIterator {
		self.inner.ready()
	}

	async fn report_invalid(
		&self,
		at: Option<Hash>,
		errors: TxInvalidityReportMap<Hash>,
	) -> Vec<Arc<Waiting>> {
		let (misfits, invalid): (Vec<_>, Vec<_>) = errors.into_iter().partition(|(_, error)| {
			matches!(
				error,
				Some(TransactionValidityError::Invalid(
					InvalidTransaction::Stale | InvalidTransaction::Future
				))
			)
		});
		let misfits = misfits.into_iter().map(|(hash, _)| hash);
		self.state.lock().misfits.extend(misfits);
		self.inner
			.report_invalid(at, invalid.into_iter().collect())
			.await
	}

	fn futures(&self) -> Vec<Waiting> {
		self.inner.futures()
	}

	fn status(&self) -> PoolStatus {
		self.inner.status()
	}

	fn import_notification_stream(&self) -> ImportNotificationStream<Hash> {
		self.inner.import_notification_stream()
	}

	fn on_broadcasted(&self, peers: HashMap<Hash, Vec<String>>) {
		self.inner.on_broadcasted(peers);
	}

	fn hash_of(&self, transaction: &TransactionFor<Self>) -> Hash {
		self.inner.hash_of(transaction)
	}

	fn ready_transaction(&self, hash: &Hash) -> Option<Arc<Waiting>> {
		self.inner.ready_transaction(hash)
	}

	async fn ready_at_with_timeout(&self, at: Hash, timeout: Duration) -> ReadyIterator {
		self.inner.ready_at_with_timeout(at, timeout).await
	}
}

#[async_trait::async_trait]
impl MaintainedTransactionPool for FullPool {
	async fn maintain(&self, event: ChainEvent<Block>) {
		let best = match &event {
			ChainEvent::NewBestBlock { hash, .. } => Some(*hash),
			ChainEvent::NewBlock { .. } | ChainEvent::Finalized { .. } => None,
		};
		if let Some(best) = best {
			let Some(state) = Pinned::new(self.backend.clone(), best) else {
				// It was orphaned before its turn came, and nothing can be checked in its state any more: what comes back
				// from other orphaned blocks would be lost. The next event is about all blocks since the last one.
				log::debug!(
					target: sc_transaction_pool::LOG_TARGET,
					"skipped block {best:?}, whose state is gone"
				);
				return;
			};
			let mut kept = self.kept.lock();
			kept.push_back(state);
			if kept.len() > KEPT_STATES {
				kept.pop_front();
			}
		}
		self.inner.maintain(event).await;
		if let Some(best) = best {
			self.check_again(best).await;
		}
	}
}

impl LocalTransactionPool for FullPool {
	type Block = Block;
	type Hash = Hash;
	type Error = Error;

	fn submit_local(
		&self,
		at: Hash,
		transaction: LocalTransactionFor<Self>,
	) -> Result<Hash, Error> {
		self.inner.submit_local(at, transaction)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn hashes(range: std::ops::Range<u64>) -> impl Iterator<Item = Hash> {
		range.map(Hash::from_low_u64_be)
	}

	#[test]
	fn misfits_are_checked_before_gaps_and_none_is_forgotten() {
		let mut state = State::default();
		state.on_best_block(hashes(0..1000));
		state.misfits.extend(hashes(5000..5600));
		let (first, _) = state.on_best_block(hashes(0..1000));
		let (second, _) = state.on_best_block(hashes(0..1000));
		assert_eq!((first.len(), second.len()), (512, 512));
		let gap = |hash: &&Hash| hash.to_low_u64_be() < 1000;
		assert_eq!(first.iter().filter(gap).count(), 0);
		assert_eq!(second.iter().filter(gap).count(), 512 - 88);
		assert!(state.misfits.is_empty());
		// Those that were not checked come first.
		let (third, _) = state.on_best_block(hashes(0..1000));
		assert!(third.iter().all(|hash| !second.contains(hash)));
	}

	#[test]
	fn the_lowest_priority_of_an_empty_pool_is_not_kept() {
		let mut state = State::default();
		let block = Hash::from_low_u64_be;
		assert_eq!(state.floor(block(1), || None), None);
		assert_eq!(state.floor(block(1), || Some(5)), Some(5));
		assert_eq!(state.floor(block(1), || Some(3)), Some(5));
		assert_eq!(state.floor(block(2), || Some(3)), Some(3));
		assert_eq!(state.floor(block(3), || None), None);
	}

	#[test]
	fn a_transaction_does_not_wait_for_ever() {
		let mut state = State::default();
		for _ in 0..=MAX_WAIT {
			assert!(state.on_best_block(hashes(0..1)).1.is_empty());
		}
		let (suspects, aged) = state.on_best_block(hashes(0..2));
		assert_eq!(aged, hashes(0..1).collect::<Vec<_>>());
		assert!(suspects.is_empty());
		// Submitted again, it waits as long as any other.
		assert!(state.on_best_block(hashes(0..2)).1.is_empty());
	}
}
