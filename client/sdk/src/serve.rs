// SPDX-License-Identifier: Apache-2.0
//! Answers requests automatically: grants those that the datasets' policies allow. A policy states which
//! requests an owner is willing to grant.
//!
//! The requests and the policies are [proven](crate::proven) in the finalized state, so a node cannot invent a request,
//! and a request that a reorganisation removes is not answered. The chain makes sure that nothing is granted twice: a
//! grant that answers a request closes it in the same step, so a second one is refused, however often the
//! program is restarted.
//!
//! Sealed keys are public in the transaction, so the reader has them even if the chain refuses the call.
//! Therefore we never send an answer that is known to fail, and we retry a refused answer only a few times.

use crate::{
	account::Identity,
	client::{Client, Depth},
	error::Error,
	outcome::Included,
	proven::Proven,
	sharing,
	state::{every, State},
	tx::Pending,
	types::*,
};
use std::collections::{HashMap, HashSet};
use tokio::{sync::mpsc, task::JoinSet};

/// The maximum number of answers in flight.
const IN_FLIGHT: usize = 64;
/// How many blocks to wait before retrying an answer that the chain refused.
const AFTER_REFUSAL: BlockNumber = 300;
/// The maximum number of times to send an answer. Each attempt costs a fee.
const TRIES: u32 = 3;
/// How many blocks to keep waiting for an answer's outcome after its last valid block.
const UNHEARD: BlockNumber = 8;
/// How many blocks to wait before retrying a request that could not be answered.
const AFTER_NOTHING: BlockNumber = 8;

/// The owner's own limits, besides the policies. A policy says nothing about epochs, and a revoked reader may
/// ask again: by default, requests for earlier epochs and requests from revoked readers are not granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
	/// The datasets to serve; `None` for all that have a policy.
	pub datasets: Option<Vec<DatasetId>>,
	/// How many requests to grant before ending; `None` for no limit.
	pub grants: Option<u64>,
	/// How deep in the chain a request has to be before it is answered.
	pub depth: Depth,
	/// Whether to grant requests for epochs before the dataset's current one.
	pub earlier_epochs: bool,
	/// Whether to grant requests from readers with a revoked grant on the dataset. The chain remembers a
	/// revoked grant for `GrantMemory` blocks, a constant of the pallet.
	pub revoked_readers: bool,
}

/// What [`serve`] remembers about the requests. Pass the same value again after a lost connection, so that
/// [`Limits::grants`] still applies and no refused answer is retried early.
#[derive(Debug, Default)]
pub struct Memory {
	/// The number of requests that were granted.
	granted: u64,
	/// The answers in flight.
	sent: HashMap<RequestId, Sent>,
	/// The requests that should not be tried for a while.
	waiting: HashMap<RequestId, Waiting>,
}

/// An answer in flight.
#[derive(Debug)]
struct Sent {
	asked: Request,
	/// The last block that may include the answer.
	last: BlockNumber,
}

/// A request that should not be tried for a while.
#[derive(Debug, Default)]
struct Waiting {
	/// The first block in which it is tried again.
	again: BlockNumber,
	/// How many times the chain refused the answer.
	refusals: u32,
	/// Why it could not be answered, so that the same reason is reported only once.
	reported: String,
}

/// A request and how it was answered.
#[derive(Debug)]
pub struct Served {
	/// The request's number.
	pub request: RequestId,
	/// The request.
	pub asked: Request,
	/// The transaction of the grant, or why there is none. If a retry is possible, it follows after a while.
	pub outcome: Result<Included, Error>,
}

impl Memory {
	/// Returns the number of requests that were granted.
	pub fn granted(&self) -> u64 {
		self.granted
	}

	/// Returns whether one more answer may be in flight.
	fn has_room(&self, limits: &Limits) -> bool {
		let sent = self.sent.len();
		let most = limits.grants.unwrap_or(u64::MAX);
		sent < IN_FLIGHT && self.granted.saturating_add(sent as u64) < most
	}

	/// Returns whether a request may be tried.
	fn is_due(&self, id: RequestId, now: BlockNumber) -> bool {
		let waits = |waiting: &Waiting| waiting.refusals >= TRIES || now < waiting.again;
		!self.sent.contains_key(&id) && !self.waiting.get(&id).is_some_and(waits)
	}

	/// Records that the chain refused an answer.
	fn refused(&mut self, id: RequestId, now: BlockNumber) {
		self.sent.remove(&id);
		let waiting = self.waiting.entry(id).or_default();
		waiting.refusals = waiting.refusals.saturating_add(1);
		waiting.again = now.saturating_add(AFTER_REFUSAL);
	}

	/// Records that a request cannot be answered. Returns whether the reason is new and should be reported.
	fn unanswered(&mut self, id: RequestId, now: BlockNumber, reason: String) -> bool {
		let waiting = self.waiting.entry(id).or_default();
		waiting.again = now.saturating_add(AFTER_NOTHING);
		std::mem::replace(&mut waiting.reported, reason.clone()) != reason
	}

	/// Removes requests that are no longer open, and settles the answers that no task waits for: an answer
	/// whose request is closed counts as granted and is returned; an answer that is no longer valid can be
	/// sent again.
	fn look(
		&mut self,
		open: &HashSet<RequestId>,
		watched: &HashSet<RequestId>,
		now: BlockNumber,
	) -> Vec<(RequestId, Request)> {
		self.waiting.retain(|id, _| open.contains(id));
		let alone = |id: &RequestId, sent: &Sent| {
			!watched.contains(id) || now > sent.last.saturating_add(UNHEARD)
		};
		let gone: Vec<_> = self
			.sent
			.extract_if(|id, sent| alone(id, sent) && !open.contains(id))
			.map(|(id, sent)| (id, sent.asked))
			.collect();
		self.sent
			.retain(|id, sent| !alone(id, sent) || now < sent.last);
		self.granted = self.granted.saturating_add(gone.len() as u64);
		gone
	}
}

/// Grants the requests that the policies allow, one after another, and reports each to `tell`. Ends when the
/// limit is reached or an error occurs.
///
/// ```no_run
/// use isthmus_sdk::{serve::*, *};
///
/// # async fn example(client: Client, school: Identity) -> Result<(), Error> {
/// let limits = Limits::default();
/// let mut memory = Memory::default();
/// serve(&client, &school, &limits, &mut memory, |served| match served.outcome {
///     Ok(included) => println!("granted {} in block {}", served.request, included.number()),
///     Err(error) => eprintln!("request {}: {error}", served.request),
/// })
/// .await
/// # }
/// ```
///
/// # Errors
///
/// Returns [`Error::Connection`] if the connection is lost: call this function again with a new client and
/// the same memory.
pub async fn serve(
	client: &Client,
	owner: &Identity,
	limits: &Limits,
	memory: &mut Memory,
	tell: impl FnMut(Served),
) -> Result<(), Error> {
	// Nothing is answered before it is finalized.
	let mut heads = client.heads_at(limits.depth).await?;
	let (done, mut answers) = mpsc::channel(IN_FLIGHT);
	let mut server = Server {
		client,
		owner,
		limits,
		memory,
		tell,
		watching: JoinSet::new(),
		watched: HashSet::new(),
		done,
	};
	loop {
		let now = server.look().await?;
		if server.is_done() {
			return Ok(());
		}
		// Until the next block, report the answers that are included.
		let mut next = std::pin::pin!(heads.next());
		loop {
			tokio::select! {
				head = &mut next => { head?; break }
				Some((request, outcome)) = answers.recv() => {
					server.report(request, outcome, now)?;
					if server.is_done() {
						return Ok(());
					}
				}
				Some(_) = server.watching.join_next() => {}
			}
		}
	}
}

/// An answer that was in flight, and its outcome.
type Answered = (RequestId, Result<Included, Error>);

/// A running [`serve`].
struct Server<'a, Tell> {
	client: &'a Client,
	owner: &'a Identity,
	limits: &'a Limits,
	memory: &'a mut Memory,
	tell: Tell,
	/// The tasks that wait for answers in flight. They are stopped when this value is dropped.
	watching: JoinSet<()>,
	/// The requests whose answers a task waits for.
	watched: HashSet<RequestId>,
	done: mpsc::Sender<Answered>,
}

impl<Tell: FnMut(Served)> Server<'_, Tell> {
	/// Returns whether the limit of grants is reached.
	fn is_done(&self) -> bool {
		let most = self.limits.grants;
		most.is_some_and(|most| self.memory.granted >= most)
	}

	/// Examines the open requests, and answers those that are settled and that the policies allow. Returns the best
	/// block's number.
	async fn look(&mut self) -> Result<BlockNumber, Error> {
		let best = self.client.best().await?;
		let now = best.block().number;
		let tip = every(|after| best.requests_to(self.owner.id(), after)).await?;
		let open: HashSet<_> = tip.iter().map(|entry| entry.id).collect();
		for (request, asked) in self.memory.look(&open, &self.watched, now) {
			let outcome = Err(Error::OutcomeUnknown);
			(self.tell)(Served {
				request,
				asked,
				outcome,
			});
		}
		if self.is_done() {
			return Ok(now);
		}
		let proven = self.client.proven().await?;
		for entry in self.settled(&proven, tip).await? {
			if self.is_answerable(&entry, now) {
				self.try_answer(&best, &proven, entry.id, entry.request)
					.await?;
			}
		}
		Ok(now)
	}

	/// Returns the requests of the `tip` that are as deep in the chain as the limits ask. Those that have to be
	/// finalized are proven, and so are the verdicts on them. An answer's keys are public, so a request that a
	/// reorganisation could still take back has to wait.
	async fn settled(
		&self,
		proven: &Proven,
		tip: Vec<RequestEntry>,
	) -> Result<Vec<RequestEntry>, Error> {
		if self.limits.depth == Depth::Final {
			let open: HashSet<_> = tip.iter().map(|entry| entry.id).collect();
			let mut requests = proven.requests_to(self.owner.id()).await?;
			// One that is finalized and no longer open was answered or cancelled since.
			requests.retain(|entry| open.contains(&entry.id));
			return Ok(requests);
		}
		let state = self.client.settled(self.limits.depth).await?;
		let mut requests = Vec::new();
		for entry in tip {
			if sharing::is_open(&state, entry.id, &entry.request).await? {
				requests.push(entry);
			}
		}
		Ok(requests)
	}

	/// Returns whether a request should be answered now.
	fn is_answerable(&self, entry: &RequestEntry, now: BlockNumber) -> bool {
		let RequestEntry {
			id,
			request,
			verdict,
		} = entry;
		let datasets = self.limits.datasets.as_ref();
		let is_served = datasets.is_none_or(|served| served.contains(&request.scope.dataset));
		is_served
			&& *verdict == Verdict::Meets
			&& now < request.valid_until
			&& self.memory.has_room(self.limits)
			&& self.memory.is_due(*id, now)
	}

	/// Answers a request and watches the answer. If the request cannot be answered, reports why.
	async fn try_answer(
		&mut self,
		best: &State,
		proven: &Proven,
		id: RequestId,
		asked: Request,
	) -> Result<(), Error> {
		match self.answer(best, proven, id, &asked).await {
			Ok(mut pending) => {
				let last = pending.last();
				self.memory.sent.insert(id, Sent { asked, last });
				self.watched.insert(id);
				let done = self.done.clone();
				self.watching.spawn(async move {
					// The receiver is gone when `serve` has ended.
					let _ = done.send((id, pending.included().await)).await;
				});
			}
			Err(error) if error.is_connection() => return Err(error),
			Err(error) => {
				let now = best.block().number;
				if self.memory.unanswered(id, now, error.to_string()) {
					(self.tell)(Served {
						request: id,
						asked,
						outcome: Err(error),
					});
				}
			}
		}
		Ok(())
	}

	/// Sends the answer to a request.
	async fn answer(
		&self,
		best: &State,
		proven: &Proven,
		id: RequestId,
		request: &Request,
	) -> Result<Pending, Error> {
		let (client, owner) = (self.client, self.owner);
		let Scope { dataset, epoch, .. } = request.scope;
		if !self.limits.earlier_epochs {
			let is_over = |entry: Option<Dataset>| entry.is_none_or(|entry| entry.epoch != epoch);
			if is_over(best.dataset(owner.id(), dataset).await?)
				|| is_over(proven.dataset(owner.id(), dataset).await?)
			{
				return Err(Error::Withheld("the request is for an epoch that is over"));
			}
		}
		if !self.limits.revoked_readers {
			let state = Some(GrantState::Revoked);
			let revoked = every(|after| best.grants_to(&request.consumer, state, after)).await?;
			let proven = proven.grants_to(&request.consumer, state).await?;
			let is_here =
				|grant: &Grant| grant.owner == *owner.id() && grant.scope.dataset == dataset;
			let mut all = revoked.iter().chain(&proven);
			if all.any(|entry| is_here(&entry.grant)) {
				return Err(Error::Withheld(
					"a grant of this reader on the dataset was revoked",
				));
			}
		}
		let in_flight = self.memory.sent.len() as Balance;
		let promised = in_flight.saturating_mul(sharing::ANSWER_COST);
		let call = sharing::answer(client, best, owner, id, request, promised).await?;
		client.submit(&owner.account, &call).await
	}

	/// Reports the outcome of an answer that was in flight.
	fn report(
		&mut self,
		request: RequestId,
		outcome: Result<Included, Error>,
		now: BlockNumber,
	) -> Result<(), Error> {
		self.watched.remove(&request);
		let Some(sent) = self.memory.sent.get(&request) else {
			return Ok(());
		};
		let asked = sent.asked.clone();
		match &outcome {
			Ok(_) => {
				self.memory.sent.remove(&request);
				self.memory.granted = self.memory.granted.saturating_add(1);
			}
			Err(Error::Refused(_)) => self.memory.refused(request, now),
			// It may still be included: `Memory::look` finds out later.
			Err(_) => {}
		}
		match outcome {
			Err(error) if error.is_connection() => Err(error),
			outcome => {
				(self.tell)(Served {
					request,
					asked,
					outcome,
				});
				Ok(())
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn sent(last: BlockNumber) -> Sent {
		let asked = Request {
			owner: [1; 32].into(),
			consumer: [2; 32].into(),
			scope: Scope {
				dataset: 0,
				epoch: 0,
				from: 0,
				to: 1,
			},
			purpose: Text::default(),
			term: 1,
			offer: 0,
			firm: false,
			key: Vec::new(),
			valid_until: 1_000,
			deposit: 0,
		};
		Sent { asked, last }
	}

	#[test]
	fn a_refused_answer_is_retried_late_and_seldom() {
		let mut memory = Memory::default();
		let mut now = 10;
		for _ in 0..TRIES {
			assert!(memory.is_due(7, now));
			memory.sent.insert(7, sent(now + 15));
			assert!(!memory.is_due(7, now));
			memory.refused(7, now);
			assert!(!memory.is_due(7, now + AFTER_REFUSAL - 1));
			now += AFTER_REFUSAL;
		}
		assert!(!memory.is_due(7, BlockNumber::MAX));
		assert!(memory.is_due(8, now));
		// Requests that are not open are removed.
		memory.look(&HashSet::new(), &HashSet::new(), now);
		assert!(memory.waiting.is_empty());
	}

	#[test]
	fn a_request_that_cannot_be_answered_is_reported_once() {
		let mut memory = Memory::default();
		assert!(memory.unanswered(7, 10, "no key".into()));
		assert!(!memory.is_due(7, 10 + AFTER_NOTHING - 1));
		assert!(memory.is_due(7, 10 + AFTER_NOTHING));
		assert!(!memory.unanswered(7, 30, "no key".into()));
		assert!(memory.unanswered(7, 40, "no funds".into()));
	}

	#[test]
	fn answers_in_flight_count_after_a_lost_connection_until_their_outcome_is_known() {
		let limits = Limits {
			grants: Some(3),
			..Limits::default()
		};
		let mut memory = Memory {
			granted: 1,
			..Memory::default()
		};
		memory.sent.insert(7, sent(20));
		assert!(memory.has_room(&limits));
		memory.sent.insert(8, sent(20));
		assert!(!memory.has_room(&limits));
		// The first request was answered; nothing is known about the second one yet.
		let open = HashSet::from([8]);
		let gone = memory.look(&open, &HashSet::new(), 19);
		assert_eq!((gone.len(), gone[0].0), (1, 7));
		assert_eq!(memory.granted(), 2);
		assert!(!memory.has_room(&limits) && !memory.is_due(8, 19));
		// An answer that a task waits for is left to that task.
		let watched = HashSet::from([8]);
		assert!(memory.look(&open, &watched, 20 + UNHEARD).is_empty());
		assert!(!memory.is_due(8, 20 + UNHEARD));
		assert!(memory.look(&open, &HashSet::new(), 20).is_empty());
		assert!(memory.has_room(&limits) && memory.is_due(8, 20));
		// But if the task has heard nothing for too long, the answer can be sent again.
		memory.sent.insert(8, sent(20));
		memory.look(&open, &watched, 20 + UNHEARD + 1);
		assert!(memory.is_due(8, 20 + UNHEARD + 1));
	}
}
