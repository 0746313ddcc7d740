// SPDX-License-Identifier: Apache-2.0
//! Answers requests automatically: grants those that the datasets' policies allow. A policy states which
//! requests an owner is willing to grant.
//!
//! The requests and the policies are [proven](crate::proven) in the finalized state, so a node cannot invent a request,
//! and a request that a reorganisation removes is not answered. The chain makes sure that nothing is granted twice: a
//! grant that answers a request closes it in the same step, so a second one is refused, however often the
//! program is restarted.
//!
//! An [operator](crate::operator) serves the datasets that its owner controls itself, with the keys that it was granted, and
//! leaves the requests that these do not open to the owner.
//!
//! Sealed keys are public in the transaction, so the reader has them even if the chain refuses the call.
//! Therefore we never send an answer that is known to fail, and we retry a refused answer only a few times.

mod limits;
mod memory;

pub use limits::Limits;
pub use memory::{Memory, MemoryError};

use crate::{
	account::Identity,
	call::Call,
	client::{Client, Depth},
	clock::now,
	error::Error,
	outcome::Included,
	proven::Proven,
	sharing,
	state::{every, State},
	tx::Pending,
	types::*,
};
use futures::FutureExt;
use memory::{Sent, IN_FLIGHT};
use std::{
	collections::HashSet,
	future::{pending, Future},
	pin::pin,
};
use tokio::{sync::mpsc, task::JoinSet};

/// What a look at the newest block showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
	/// The block's number.
	pub block: BlockNumber,
	/// How many requests are open.
	pub open: usize,
	/// How many answers are in flight.
	pub in_flight: usize,
	/// How many requests were granted so far.
	pub granted: u64,
	/// What the account that answers can spend.
	pub free: Balance,
}

/// Receives what [`serve`] does. A closure that takes a [`Served`] is one.
pub trait Watch {
	/// Receives the outcome of a request.
	fn served(&mut self, served: Served);

	/// Receives what a look at a block showed.
	fn looked(&mut self, _look: &Look) {}
}

impl<Tell: FnMut(Served)> Watch for Tell {
	fn served(&mut self, served: Served) {
		self(served);
	}
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

/// Grants the requests that the policies allow, one after another, and reports each to `watch`. Ends when the
/// limit is reached or an error occurs.
///
/// ```no_run
/// use isthmus_sdk::{serve::*, *};
///
/// # async fn example(client: Client, school: Identity) -> Result<(), Error> {
/// let limits = Limits::default();
/// let mut memory = Memory::default();
/// serve(&client, &school, &limits, &mut memory, |served: Served| match served.outcome {
///     Ok(included) => println!("granted {} in block {}", served.request, included.number()),
///     Err(error) => eprintln!("request {}: {error}", served.request),
/// })
/// .await
/// # }
/// ```
///
/// # Errors
///
/// Returns [`Error::Connection`] if the connection is lost, [`Error::Io`] if the memory cannot be written to its file, and
/// the errors of the node: call this function again with the same memory after a while. If the error
/// [ends signing](Error::ends_signing), call it with a new client.
pub async fn serve(
	client: &Client,
	owner: &Identity,
	limits: &Limits,
	memory: &mut Memory,
	watch: impl Watch,
) -> Result<(), Error> {
	serve_until(pending(), client, owner, limits, memory, watch).await
}

/// Serves like [`serve`] until `stop` is ready. Then nothing more is answered, and it returns when the outcomes of the
/// answers in flight are reported.
///
/// Whether an identity that acts for an owner is its operator is decided at the beginning. One that is named as an operator
/// later has to be started again; one that is removed answers nothing more.
///
/// # Errors
///
/// Returns the errors of [`serve`].
pub async fn serve_until(
	stop: impl Future<Output = ()>,
	client: &Client,
	owner: &Identity,
	limits: &Limits,
	memory: &mut Memory,
	watch: impl Watch,
) -> Result<(), Error> {
	let mut stop = pin!(stop.fuse());
	let begin = async {
		// Nothing is answered before it is finalized.
		let heads = client.heads_at(limits.depth).await?;
		Ok::<_, Error>((heads, operating(client, owner).await?))
	};
	let (mut heads, operator) = tokio::select! {
		biased;
		() = &mut stop => return Ok(()),
		started = begin => started?,
	};
	let (done, mut answers) = mpsc::channel(IN_FLIGHT);
	let mut server = Server {
		client,
		owner,
		operator,
		limits,
		memory,
		watch,
		watching: JoinSet::new(),
		watched: HashSet::new(),
		done,
	};
	let (mut now, mut stops) = (BlockNumber::MIN, false);
	loop {
		if !stops {
			match server.look(&mut stop).await? {
				Some(block) => now = block,
				None => stops = true,
			}
		}
		if server.is_done() || (stops && server.watched.is_empty()) {
			return Ok(());
		}
		// Until the next block, report the answers that are included.
		let mut next = pin!(heads.next());
		loop {
			tokio::select! {
				head = &mut next => { head?; break }
				Some((request, outcome)) = answers.recv() => {
					server.report(request, outcome, now)?;
					if server.is_done() || (stops && server.watched.is_empty()) {
						return Ok(());
					}
				}
				Some(_) = server.watching.join_next() => {}
				() = &mut stop => {
					stops = true;
					if server.watched.is_empty() {
						return Ok(());
					}
				}
			}
		}
	}
}

/// Checks that an identity can serve requests: that it acts for itself, or may act for its owner.
///
/// # Errors
///
/// Returns [`Error::Operator`] if it acts for an owner and is neither its operator nor has taken over a dataset of it.
pub async fn check(client: &Client, owner: &Identity) -> Result<(), Error> {
	operating(client, owner).await.map(drop)
}

/// Returns the identity that answers for datasets which the owner controls itself, as its operator; `None` if `owner` acts for
/// itself, or only on datasets that it took over.
///
/// # Errors
///
/// Returns [`Error::Operator`] if it acts for an owner and is neither its operator nor has taken over a dataset of it.
async fn operating(client: &Client, owner: &Identity) -> Result<Option<Identity>, Error> {
	let (account, id) = (owner.account.id(), owner.id());
	if id == account {
		return Ok(None);
	}
	let best = client.best().await?;
	let operator = owner.clone().operating_for(*id);
	match sharing::operator::check(client, &best, &operator).await {
		Ok(()) => Ok(Some(operator)),
		Err(error @ Error::Operator(_)) => {
			let controlled = best.controlled(account).await?;
			match controlled.iter().any(|(owner, _)| owner == id) {
				true => Ok(None),
				false => Err(error),
			}
		}
		Err(error) => Err(error),
	}
}

/// A request that may be answered.
struct Open {
	entry: RequestEntry,
	/// Whether a record in its range is under an embargo.
	has_embargo: bool,
	/// Whether the owner controls the dataset itself, so that only its operator can answer for it.
	operated: bool,
}

/// What a block shows.
struct Seen {
	best: State,
	/// How many requests are open.
	open: usize,
	/// Those that may be answered.
	settled: Vec<Open>,
	proven: Proven,
}

/// An answer that was in flight, and its outcome.
type Answered = (RequestId, Result<Included, Error>);

/// A running [`serve`].
struct Server<'a, W> {
	client: &'a Client,
	owner: &'a Identity,
	/// Who answers for datasets that the owner controls itself, if `owner` acts for it as an operator.
	operator: Option<Identity>,
	limits: &'a Limits,
	memory: &'a mut Memory,
	watch: W,
	/// The tasks that wait for answers in flight. They are stopped when this value is dropped.
	watching: JoinSet<()>,
	/// The requests whose answers a task waits for.
	watched: HashSet<RequestId>,
	done: mpsc::Sender<Answered>,
}

impl<W: Watch> Server<'_, W> {
	/// Returns whether the limit of grants is reached.
	fn is_done(&self) -> bool {
		let most = self.limits.grants;
		most.is_some_and(|most| self.memory.granted() >= most)
	}

	/// Examines the open requests, and answers those that are settled and that the policies allow. Returns the best
	/// block's number; `None` if it was to stop before that was done.
	async fn look(
		&mut self,
		stop: &mut (impl Future<Output = ()> + Unpin),
	) -> Result<Option<BlockNumber>, Error> {
		// A node that does not answer now keeps no one from stopping.
		let Seen {
			best,
			open,
			settled,
			proven,
		} = tokio::select! {
			biased;
			() = &mut *stop => return Ok(None),
			seen = self.see() => seen?,
		};
		let now = best.block().number;
		for request in settled {
			if (&mut *stop).now_or_never().is_some() {
				return Ok(None);
			}
			// The limits may be reached by the answers before.
			if self.is_answerable(&request.entry, now) {
				self.try_answer(&best, &proven, request).await?;
			}
		}
		self.watch.looked(&Look {
			block: now,
			open,
			in_flight: self.memory.in_flight(),
			granted: self.memory.granted(),
			free: best.funds(self.owner.account.id()).await?.free,
		});
		Ok(Some(now))
	}

	/// Examines the open requests, and reports the answers that no task waits for.
	async fn see(&mut self) -> Result<Seen, Error> {
		let best = self.client.best().await?;
		let now = best.block().number;
		let tip = every(|after| best.requests_to(self.owner.id(), after)).await?;
		let open: HashSet<_> = tip.iter().map(|entry| entry.id).collect();
		let (gone, saved) = self.memory.look(&open, &self.watched, now);
		for (request, asked) in gone {
			let outcome = Err(Error::OutcomeUnknown);
			self.watch.served(Served {
				request,
				asked,
				outcome,
			});
		}
		saved?;
		let proven = self.client.proven().await?;
		let mut settled = Vec::new();
		if !self.is_done() {
			let mut entries = self.settled(&proven, tip).await?;
			entries.retain(|entry| self.is_answerable(entry, now));
			let operated = self.leave_to_others(&best, &mut entries).await?;
			let embargoed = match entries.is_empty() {
				true => Vec::new(),
				false => self.embargoed(&best, &proven).await?,
			};
			let open = entries.into_iter().map(|entry| Open {
				has_embargo: embargoed
					.iter()
					.any(|place| is_within(&entry.request.scope, place)),
				operated: operated.contains(&entry.request.scope.dataset),
				entry,
			});
			settled.extend(open);
		}
		Ok(Seen {
			best,
			open: open.len(),
			settled,
			proven,
		})
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

	/// Leaves out the requests for datasets that another account controls, or that are offered to one. Returns those datasets of the
	/// others that only an operator can answer for.
	async fn leave_to_others(
		&self,
		best: &State,
		requests: &mut Vec<RequestEntry>,
	) -> Result<HashSet<DatasetId>, Error> {
		let mut operated = HashSet::new();
		let of = |entry: &RequestEntry| entry.request.scope.dataset;
		let datasets: HashSet<DatasetId> = requests.iter().map(of).collect();
		for dataset in datasets {
			let control = best.control(self.owner.id(), dataset).await?;
			let (owner, by) = (self.owner.id(), self.owner.account.id());
			if !may_answer(owner, by, self.operator.is_some(), control.as_ref()) {
				requests.retain(|entry| of(entry) != dataset);
			} else if control.is_none_or(|control| control.controller != *self.owner.account.id()) {
				operated.insert(dataset);
			}
		}
		Ok(operated)
	}

	/// Returns who answers.
	fn acting(&self, operated: bool) -> &Identity {
		match &self.operator {
			Some(operator) if operated => operator,
			_ => self.owner,
		}
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

	/// Returns the places of the owner's records that are under an embargo. One that the best block has ended, or that it
	/// alone has, counts as well: the node could be wrong about it, or a reorganisation take it back.
	async fn embargoed(
		&self,
		best: &State,
		proven: &Proven,
	) -> Result<Vec<(DatasetId, Epoch, Leaf)>, Error> {
		let owner = self.owner.id();
		let page = |after| best.embargoes(owner, after);
		let said = every(page).await?;
		let mut places: Vec<_> = said.into_iter().filter_map(|entry| entry.place).collect();
		for key in proven.embargoes(owner).await? {
			let record = proven.record(owner, key).await?;
			places.extend(record.map(|record| (record.dataset, record.epoch, record.leaf)));
		}
		Ok(places)
	}

	/// Answers a request and watches the answer. If the request cannot be answered, reports why.
	async fn try_answer(&mut self, best: &State, proven: &Proven, open: Open) -> Result<(), Error> {
		let operated = open.operated;
		let (id, asked) = (open.entry.id, open.entry.request);
		let answered = match open.has_embargo {
			true => Err(Error::Withheld(
				"a record in its range is under an embargo, and it is answered when that has ended",
			)),
			false => match self.answer(best, proven, operated, (id, &asked)).await {
				Ok(call) => {
					let sent = Sent {
						last: call.last.unwrap_or(asked.valid_until),
						asked: asked.clone(),
					};
					let block = best.block().number;
					self.send(id, sent, call, (operated, block)).await
				}
				Err(error) => Err(error),
			},
		};
		match answered {
			Ok(mut pending) => {
				self.watched.insert(id);
				let done = self.done.clone();
				self.watching.spawn(async move {
					// The receiver is gone when `serve` has ended.
					let _ = done.send((id, pending.included().await)).await;
				});
			}
			Err(error) if ends(&error) => return Err(error),
			Err(error) => {
				let now = best.block().number;
				if self.memory.unanswered(id, now, error.to_string()) {
					self.watch.served(Served {
						request: id,
						asked,
						outcome: Err(error),
					});
				}
			}
		}
		Ok(())
	}

	/// Sends the answer to a request. It is remembered first: its keys are public as soon as it is sent, so it counts
	/// whatever ends this program. If it was certainly not sent, it does not count.
	async fn send(
		&mut self,
		id: RequestId,
		sent: Sent,
		call: Call,
		(operated, block): (bool, BlockNumber),
	) -> Result<Pending, Error> {
		self.memory.send(id, sent, now())?;
		let account = &self.acting(operated).account;
		let submitted = self.client.submit(account, &call).await;
		match &submitted {
			// It may be included.
			Ok(_) | Err(Error::Unconfirmed { .. }) => {}
			Err(error) if ends(error) || matches!(error, Error::TooLate { .. }) => {
				self.memory.take_back(id)?;
			}
			// The node has seen it, and does not take it any better in the next block.
			Err(_) => self.memory.refused(id, block)?,
		}
		submitted
	}

	/// Makes the answer to a request.
	async fn answer(
		&self,
		best: &State,
		proven: &Proven,
		operated: bool,
		(id, request): (RequestId, &Request),
	) -> Result<Call, Error> {
		let (client, owner, limits) = (self.client, self.acting(operated), self.limits);
		let Scope { dataset, epoch, .. } = request.scope;
		if !self.memory.is_within(limits, &request.consumer, now()) {
			return Err(Error::Withheld(
				"the limit of answers in an hour is reached, and it is answered later",
			));
		}
		if !limits.earlier_epochs {
			let is_over = |entry: Option<Dataset>| entry.is_none_or(|entry| entry.epoch != epoch);
			if is_over(best.dataset(owner.id(), dataset).await?)
				|| is_over(proven.dataset(owner.id(), dataset).await?)
			{
				return Err(Error::Withheld("the request is for an epoch that is over"));
			}
		}
		if !limits.revoked_readers {
			let (on, reader) = ((owner.id(), Some(dataset)), &request.consumer);
			let is_revoked = |entry: &GrantEntry| entry.grant.state == GrantState::Revoked;
			let said = client.grants_from(best, on, reader).await?;
			let proven = proven.grants_from(on, reader, None).await?;
			if said.iter().chain(&proven).any(is_revoked) {
				return Err(Error::Withheld(
					"a grant of this reader on the dataset was revoked",
				));
			}
		}
		let in_flight = self.memory.in_flight() as Balance;
		let promised = in_flight.saturating_mul(sharing::ANSWER_COST);
		let kept = promised.saturating_add(limits.reserve);
		sharing::answer(client, best, owner, id, request, kept).await
	}

	/// Reports the outcome of an answer that was in flight.
	fn report(
		&mut self,
		request: RequestId,
		outcome: Result<Included, Error>,
		now: BlockNumber,
	) -> Result<(), Error> {
		self.watched.remove(&request);
		let Some(asked) = self.memory.asked(request) else {
			return Ok(());
		};
		let saved = match &outcome {
			Ok(_) => self.memory.granted_one(request),
			Err(Error::Refused(_)) => self.memory.refused(request, now),
			Err(error) if error.is_connection() => return outcome.map(drop),
			// It may still be included: `Memory::look` finds out later.
			Err(_) => Ok(()),
		};
		// It is granted, even if that cannot be written.
		self.watch.served(Served {
			request,
			asked,
			outcome,
		});
		saved
	}
}

/// Returns whether an error is not about the request that was to be answered: no other one could be answered either.
fn ends(error: &Error) -> bool {
	error.is_connection() || error.ends_signing() || matches!(error, Error::Io(_))
}

/// Returns whether `by` may answer for a dataset of an owner: it controls the dataset, or is an operator of the owner that does, and
/// the dataset is not offered. One that is not there is the owner's.
fn may_answer(
	owner: &AccountId,
	by: &AccountId,
	is_operator: bool,
	control: Option<&Control>,
) -> bool {
	let controller = control.map_or(owner, |control| &control.controller);
	let is_ours = controller == by || (is_operator && controller == owner);
	is_ours && control.is_none_or(|control| control.offered_to.is_none())
}

/// Returns whether a scope covers a record's place.
fn is_within(scope: &Scope, (dataset, epoch, leaf): &(DatasetId, Epoch, Leaf)) -> bool {
	(scope.dataset, scope.epoch) == (*dataset, *epoch) && scope.covers(*leaf)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn who_controls_a_dataset_or_operates_for_who_does_answers() {
		let [owner, other, third] = [[1; 32], [2; 32], [3; 32]].map(AccountId::from);
		let control = |controller, offered_to| Control {
			controller,
			offered_to,
			since: 0,
			offers: 0,
			held: Default::default(),
		};
		let (own, taken) = (control(owner, None), control(other, None));
		let offered = control(owner, Some(third));
		for (by, is_operator, control, expected) in [
			(owner, false, None, true),
			(owner, false, Some(&own), true),
			(owner, false, Some(&taken), false),
			(owner, false, Some(&offered), false),
			// It took over another dataset of the owner.
			(other, false, None, false),
			(other, false, Some(&own), false),
			(other, false, Some(&taken), true),
			(other, true, None, true),
			(other, true, Some(&own), true),
			(other, true, Some(&taken), true),
			(other, true, Some(&offered), false),
			(third, true, Some(&taken), false),
		] {
			let may = may_answer(&owner, &by, is_operator, control);
			assert_eq!(may, expected, "{by}, {is_operator}, {control:?}");
		}
	}
}
