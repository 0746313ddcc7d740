// SPDX-License-Identifier: Apache-2.0
//! Puts a price on what peers ask this node for. Substrate serves requests in the order of their arrival, so that a peer
//! that asks without end makes all others wait.
//!
//! Answers are counted in bytes. A peer that has taken more than [`BURST`] waits until this debt is paid off, at
//! [`RATE`]. The others take turns: of the peers that wait, the one comes next that has been served, or here, for longest
//! without an answer. So a stranger who comes back under one name after the other is not served before those who wait.
//!
//! A request is dropped when its peer has given up: the answer would only keep the others waiting. No more peers can wait
//! at once than the node may have.

use futures::{
	channel::oneshot,
	future::{Fuse, FusedFuture},
	FutureExt,
};
use polkadot_sdk::*;
use sc_network::{
	config::{IncomingRequest, OutgoingResponse},
	PeerId,
};
use std::{
	collections::{BTreeMap, VecDeque},
	future::Future,
	time::{Duration, Instant},
};

/// How many bytes a peer may take at once: what an honest node asks for in advance while it syncs.
const BURST: u64 = 64 * 1024 * 1024;
/// How many bytes a second a peer may take on average. It is about what a node can execute.
const RATE: u64 = 32 * 1024 * 1024;
/// The price of any request, in bytes, whatever the answer.
const FEE: u64 = 16 * 1024;
/// How many requests of a peer may wait. An honest node asks for headers and for bodies, one request each.
const MAX_WAITING: usize = 4;
/// The maximum size of a request, in bytes. One for state names a few keys.
const MAX_REQUEST: usize = 4096;
/// The maximum time between two looks at the queue.
const LONGEST: Duration = Duration::from_secs(60);

/// What one peer owes, and what it waits for.
struct Account<R> {
	debt: u64,
	/// When the debt was this much.
	since: Duration,
	/// The number of the peer's turn: the least one is next.
	turn: u64,
	/// The requests, and when each arrived.
	waiting: VecDeque<(R, Duration)>,
}

impl<R> Account<R> {
	/// Returns what the peer still owes.
	fn debt(&self, now: Duration) -> u64 {
		let millis = u64::try_from(now.saturating_sub(self.since).as_millis()).unwrap_or(u64::MAX);
		self.debt.saturating_sub(millis.saturating_mul(RATE / 1000))
	}

	/// Returns how long the peer has to wait until it is served.
	fn wait(&self, now: Duration) -> Duration {
		let millis = self.debt(now).saturating_sub(BURST).div_ceil(RATE / 1000);
		Duration::from_millis(millis)
	}
}

/// The requests that wait, and what their peers owe.
struct Turns<P, R> {
	accounts: BTreeMap<P, Account<R>>,
	/// How many turns were given.
	turns: u64,
	/// How many peers may wait at once.
	peers: usize,
	/// How long a peer waits for an answer.
	patience: Duration,
}

impl<P: Copy + Ord, R> Turns<P, R> {
	fn new(peers: usize, patience: Duration) -> Self {
		Self {
			accounts: BTreeMap::new(),
			turns: 0,
			peers,
			patience,
		}
	}

	/// Returns the turn after all others.
	fn last(&mut self) -> u64 {
		self.turns = self.turns.wrapping_add(1);
		self.turns
	}

	/// Forgets the requests whose peers have given up, and peers that neither wait nor owe anything.
	fn forget(&mut self, now: Duration) {
		let patience = self.patience;
		self.accounts.retain(|_, account| {
			account
				.waiting
				.retain(|(_, arrived)| now.saturating_sub(*arrived) < patience);
			!account.waiting.is_empty() || account.debt(now) > 0
		});
	}

	/// Returns a peer's account. A new one gets the last turn.
	fn account(&mut self, peer: P, now: Duration) -> &mut Account<R> {
		let turn = self.last();
		self.accounts.entry(peer).or_insert_with(|| Account {
			debt: 0,
			since: now,
			turn,
			waiting: VecDeque::new(),
		})
	}

	/// Adds a request, unless too many of this peer, or too many peers, wait already.
	fn add(&mut self, peer: P, request: R, now: Duration) {
		self.forget(now);
		let waits = |account: &&Account<R>| !account.waiting.is_empty();
		let is_full = self.accounts.values().filter(waits).count() >= self.peers;
		let account = self.account(peer, now);
		if account.waiting.len() < MAX_WAITING && !(is_full && account.waiting.is_empty()) {
			account.waiting.push_back((request, now));
		}
	}

	/// Takes the request that comes next, if any peer may be served now.
	fn next(&mut self, now: Duration) -> Option<(P, R)> {
		self.forget(now);
		let waits = |account: &Account<R>| !account.waiting.is_empty();
		let (peer, account) = self
			.accounts
			.iter_mut()
			.filter(|(_, account)| waits(account) && account.wait(now).is_zero())
			.min_by_key(|(_, account)| account.turn)?;
		let (request, _) = account.waiting.pop_front()?;
		Some((*peer, request))
	}

	/// Returns how long it takes until a peer may be served.
	fn wait(&self, now: Duration) -> Duration {
		self.accounts
			.values()
			.filter(|account| !account.waiting.is_empty())
			.map(|account| account.wait(now))
			.min()
			.unwrap_or(LONGEST)
	}

	/// Charges a peer for an answer.
	fn charge(&mut self, peer: &P, bytes: u64, now: Duration) {
		let turn = self.last();
		// While it was served, the account may have been forgotten.
		let account = self.account(*peer, now);
		account.turn = turn;
		account.debt = account.debt(now).saturating_add(FEE).saturating_add(bytes);
		account.since = now;
	}
}

impl Turns<PeerId, IncomingRequest> {
	/// Adds a request, unless it is larger than any honest one.
	fn add_request(&mut self, request: IncomingRequest, now: Duration) {
		if request.payload.len() <= MAX_REQUEST {
			self.add(request.peer, request, now);
		}
	}
}

/// A request that is being served.
struct Served {
	peer: PeerId,
	answer: oneshot::Receiver<OutgoingResponse>,
	to: oneshot::Sender<OutgoingResponse>,
}

impl Served {
	/// Waits for the answer, and passes it on. Returns the peer and the answer's size.
	async fn finish(self) -> (PeerId, u64) {
		let Ok(answer) = self.answer.await else {
			return (self.peer, 0);
		};
		let bytes = answer.result.as_ref().map_or(0, Vec::len);
		// If it fails, the peer is gone.
		let _ = self.to.send(answer);
		(self.peer, bytes as u64)
	}
}

/// Makes the requests of a protocol wait for their turns. `queue` is the protocol's, and is replaced; `peers` is how many
/// peers the node may have, and `patience` how long each waits for an answer. The returned future passes requests on until the network or their handler ends.
pub fn in_turn(
	queue: &mut Option<async_channel::Sender<IncomingRequest>>,
	peers: usize,
	patience: Duration,
) -> impl Future<Output = ()> + Send + 'static {
	let (sender, requests) = async_channel::bounded(peers.max(1));
	let handler = queue.replace(sender);
	async move {
		if let Some(handler) = handler {
			let turns = Turns::new(peers.max(1), patience);
			pass_on(turns, &requests, &handler).await;
		}
	}
}

async fn pass_on(
	mut turns: Turns<PeerId, IncomingRequest>,
	requests: &async_channel::Receiver<IncomingRequest>,
	handler: &async_channel::Sender<IncomingRequest>,
) {
	let started = Instant::now();
	let mut served = std::pin::pin!(Fuse::terminated());
	loop {
		let now = started.elapsed();
		while let Ok(request) = requests.try_recv() {
			turns.add_request(request, now);
		}
		if served.is_terminated() {
			let next = turns.next(now);
			// If nothing waits for the answer any more, the peer is gone.
			let next = next.filter(|(_, request)| !request.pending_response.is_canceled());
			if let Some((peer, request)) = next {
				let Some(next) = begin(peer, request, handler).await else {
					return;
				};
				served.set(next.finish().fuse());
			}
		}
		let pause = match served.is_terminated() {
			true => turns.wait(now).min(LONGEST),
			false => LONGEST,
		};
		tokio::select! {
			(peer, bytes) = &mut served, if !served.is_terminated() => {
				turns.charge(&peer, bytes, started.elapsed());
			}
			request = requests.recv() => {
				let Ok(request) = request else {
					return;
				};
				turns.add_request(request, started.elapsed());
			}
			() = tokio::time::sleep(pause) => {}
		}
	}
}

/// Hands a request to its handler. Returns `None` if there is no handler any more.
async fn begin(
	peer: PeerId,
	request: IncomingRequest,
	handler: &async_channel::Sender<IncomingRequest>,
) -> Option<Served> {
	let (pending_response, answer) = oneshot::channel();
	let priced = IncomingRequest {
		peer: request.peer,
		payload: request.payload,
		pending_response,
	};
	handler.send(priced).await.ok()?;
	Some(Served {
		peer,
		answer,
		to: request.pending_response,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	const START: Duration = Duration::ZERO;
	const PATIENCE: Duration = Duration::from_secs(20);

	#[test]
	fn peers_take_turns() {
		let mut turns = Turns::new(200, PATIENCE);
		for request in 0..3 {
			turns.add('a', request, START);
		}
		turns.add('b', 3, START);
		let mut order = Vec::new();
		while let Some((peer, request)) = turns.next(START) {
			turns.charge(&peer, 1_000_000, START);
			order.push((peer, request));
		}
		assert_eq!(order, [('a', 0), ('b', 3), ('a', 1), ('a', 2)]);
	}

	#[test]
	fn new_names_do_not_come_before_a_peer_that_waits() {
		let mut turns = Turns::new(200, PATIENCE);
		turns.add(0, (), START);
		assert_eq!(turns.next(START), Some((0, ())));
		turns.charge(&0, 10_000_000, START);
		turns.add(0, (), START);
		for stranger in 1..100 {
			turns.add(stranger, (), START);
		}
		assert_eq!(turns.next(START), Some((0, ())));
	}

	#[test]
	fn a_peer_that_has_taken_too_much_waits_and_others_do_not() {
		let mut turns = Turns::new(200, PATIENCE);
		turns.add('a', 0, START);
		assert_eq!(turns.next(START), Some(('a', 0)));
		turns.charge(&'a', BURST + RATE, START);
		turns.add('a', 1, START);
		assert_eq!(turns.next(START), None);
		let wait = turns.wait(START);
		assert!(wait >= Duration::from_secs(1) && wait < Duration::from_millis(1010));
		turns.add('b', 2, START);
		assert_eq!(turns.wait(START), Duration::ZERO);
		assert_eq!(turns.next(START), Some(('b', 2)));
		assert_eq!(turns.next(wait), Some(('a', 1)));
	}

	#[test]
	fn requests_that_find_nothing_cost_something() {
		let mut turns = Turns::new(200, PATIENCE);
		let mut answered = 0;
		for request in 0..1_000_000 {
			turns.add('a', request, START);
			match turns.next(START) {
				Some((peer, _)) => turns.charge(&peer, 0, START),
				None => break,
			}
			answered += 1;
		}
		assert!(answered <= BURST / FEE + 1, "{answered}");
	}

	#[test]
	fn few_requests_of_a_peer_wait_and_no_account_without_debt_is_kept() {
		let mut turns = Turns::new(200, PATIENCE);
		for request in 0..100 {
			turns.add('a', request, START);
		}
		assert_eq!(turns.accounts[&'a'].waiting.len(), MAX_WAITING);
		while let Some((peer, _)) = turns.next(START) {
			turns.charge(&peer, 1000, START);
		}
		turns.add('b', 0, Duration::from_secs(60));
		assert_eq!(turns.accounts.keys().collect::<Vec<_>>(), [&'b']);
	}

	#[test]
	fn what_is_not_waited_for_any_more_is_not_served() {
		let mut turns = Turns::new(200, PATIENCE);
		for stranger in 1..100 {
			turns.add(stranger, 0, START);
		}
		turns.add(0, 1, START);
		// The honest peer asks again when its first request has failed.
		turns.add(0, 2, PATIENCE);
		assert_eq!(turns.next(PATIENCE), Some((0, 2)));
		assert_eq!(turns.next(PATIENCE), None);
	}

	#[test]
	fn no_more_peers_wait_than_the_node_may_have() {
		let mut turns = Turns::new(3, PATIENCE);
		for peer in 0..5 {
			turns.add(peer, 0, START);
		}
		turns.add(0, 1, START);
		let served = std::iter::from_fn(|| turns.next(START)).count();
		assert_eq!(served, 4);
	}

	#[test]
	fn a_peer_pays_although_others_ask_while_it_is_served() {
		let mut turns = Turns::new(200, PATIENCE);
		turns.add('a', 0, START);
		assert_eq!(turns.next(START), Some(('a', 0)));
		turns.add('b', 0, START);
		turns.charge(&'a', BURST, START);
		assert!(turns.accounts[&'a'].debt(START) > BURST);
	}

	/// Sends a request, and returns where its answer arrives.
	async fn ask(
		queue: &async_channel::Sender<IncomingRequest>,
		peer: PeerId,
		payload: Vec<u8>,
	) -> oneshot::Receiver<OutgoingResponse> {
		let (pending_response, answer) = oneshot::channel();
		let request = IncomingRequest {
			peer,
			payload,
			pending_response,
		};
		queue.send(request).await.unwrap();
		answer
	}

	#[tokio::test]
	async fn answers_reach_who_asked_and_an_honest_peer_is_served_before_one_that_floods() {
		let (handler, arrived) = async_channel::bounded(8);
		let mut queue = Some(handler);
		let turns = tokio::spawn(in_turn(&mut queue, 64, PATIENCE));
		let queue = queue.unwrap();
		let (greedy, honest) = (PeerId::random(), PeerId::random());
		let mut answers = Vec::new();
		for index in 0..3 {
			answers.push(ask(&queue, greedy, vec![index]).await);
		}
		let too_large = ask(&queue, honest, vec![0; MAX_REQUEST + 1]).await;
		assert!(too_large.await.is_err());
		let polite = ask(&queue, honest, vec![9]).await;
		let mut order = Vec::new();
		for _ in 0..4 {
			let IncomingRequest {
				payload,
				pending_response,
				..
			} = arrived.recv().await.unwrap();
			order.push(payload[0]);
			let answer = OutgoingResponse {
				result: Ok(vec![payload[0]; 1_000_000]),
				reputation_changes: Vec::new(),
				sent_feedback: None,
			};
			pending_response.send(answer).unwrap();
		}
		// It is the turn of the one who came later, at the latest after one more answer.
		assert!(order == [0, 9, 1, 2] || order == [0, 1, 9, 2], "{order:?}");
		assert_eq!(polite.await.unwrap().result.unwrap()[0], 9);
		for (index, answer) in answers.into_iter().enumerate() {
			assert_eq!(answer.await.unwrap().result.unwrap()[0], index as u8);
		}
		drop(queue);
		turns.await.unwrap();
	}
}
