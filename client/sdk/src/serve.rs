//! Answering requests by itself: an owner's program that grants what the datasets' policies allow.
//!
//! Which requests a policy allows is the chain's own judgement. That nothing is granted twice is the
//! chain's doing too: a grant that answers a request takes the request away, in one step, so a second
//! one is refused, whoever sends it and however often this program is ended and started again.
//!
//! Sealed keys are in the transaction for all to see, so who can open them has them even where the chain
//! refuses the call. What can be known to fail is therefore not sent, and what was refused is not sent
//! again for long.

use crate::{
	account::Identity,
	client::Client,
	error::Error,
	sharing,
	state::{every, State},
	tx::{Included, Pending},
	types::*,
};
use std::collections::{HashMap, HashSet};
use tokio::{sync::mpsc, task::JoinSet};

/// How many answers are on their way at most.
const IN_FLIGHT: usize = 64;
/// For how many blocks an answer that the chain refused is not sent again, and how often it is sent at
/// most: each time costs a fee.
const AFTER_REFUSAL: BlockNumber = 300;
const TRIES: u32 = 3;
/// How many blocks after the last that an answer may be in nothing more is expected to be heard of it.
const UNHEARD: BlockNumber = 8;
/// For how many blocks a request that cannot be answered is not looked at again.
const AFTER_NOTHING: BlockNumber = 8;

/// What the owner allows besides what the policies say. A policy says nothing of epochs, and a revoked
/// reader may ask again: by default neither is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
	/// Only these datasets; `None` for all that have a policy.
	pub datasets: Option<Vec<DatasetId>>,
	/// How many requests are granted before it ends; `None` for no end.
	pub grants: Option<u64>,
	/// Also requests for epochs before the dataset's current one.
	pub earlier_epochs: bool,
	/// Also requests of readers of whom a grant on the dataset was revoked. The chain remembers that for
	/// its constant `GrantMemory`, in blocks.
	pub revoked_readers: bool,
}

/// What is remembered of the requests that were looked at. Over a lost connection the same value is to
/// be given again, so that [`Limits::grants`] holds and nothing that was refused is sent anew.
#[derive(Debug, Default)]
pub struct Memory {
	/// How many requests were granted.
	granted: u64,
	/// The answers on their way.
	sent: HashMap<RequestId, Sent>,
	/// The requests that are left alone for a while.
	waiting: HashMap<RequestId, Waiting>,
}

#[derive(Debug)]
struct Sent {
	asked: Request,
	/// The last block that it may be in.
	last: BlockNumber,
	/// What it costs the owner, the deposit above all.
	cost: Balance,
}

#[derive(Debug, Default)]
struct Waiting {
	/// The first block at which it is tried again.
	again: BlockNumber,
	/// How often the chain refused it.
	refusals: u32,
	/// Why it was not sent, so that it is told once and not again and again.
	told: String,
}

/// What became of a request.
#[derive(Debug)]
pub struct Served {
	/// Its number.
	pub request: RequestId,
	/// Who asked, for what, and what for.
	pub asked: Request,
	/// The block of the grant, or why there is none. What can be tried again is, after a while.
	pub outcome: Result<Included, Error>,
}

impl Memory {
	/// How many requests were granted.
	pub fn granted(&self) -> u64 {
		self.granted
	}

	/// Whether there may be one more answer on its way.
	fn has_room(&self, limits: &Limits) -> bool {
		let sent = self.sent.len();
		let most = limits.grants.unwrap_or(u64::MAX);
		sent < IN_FLIGHT && self.granted.saturating_add(sent as u64) < most
	}

	/// Whether a request may be looked at.
	fn is_due(&self, id: RequestId, now: BlockNumber) -> bool {
		let waits = |waiting: &Waiting| waiting.refusals >= TRIES || now < waiting.again;
		!self.sent.contains_key(&id) && !self.waiting.get(&id).is_some_and(waits)
	}

	/// The chain refused the answer.
	fn refused(&mut self, id: RequestId, now: BlockNumber) {
		self.sent.remove(&id);
		let waiting = self.waiting.entry(id).or_default();
		waiting.refusals = waiting.refusals.saturating_add(1);
		waiting.again = now.saturating_add(AFTER_REFUSAL);
	}

	/// There is no answer, for this reason. Whether it is to be told.
	fn unanswered(&mut self, id: RequestId, now: BlockNumber, reason: String) -> bool {
		let waiting = self.waiting.entry(id).or_default();
		waiting.again = now.saturating_add(AFTER_NOTHING);
		std::mem::replace(&mut waiting.told, reason.clone()) != reason
	}

	/// Forgets what is not open any more, and finds out about answers that nobody hears of: those whose
	/// request is gone count as granted, and are returned; those that can come into no block any more
	/// can be sent again.
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

/// Grants what the policies allow, request after request, and tells of each. Ends when the limit is
/// reached, or with an error when the connection does.
///
/// # Errors
///
/// [`Error::Connection`], after which it may be called again, with the same memory.
pub async fn serve(
	client: &Client,
	owner: &Identity,
	limits: &Limits,
	memory: &mut Memory,
	mut tell: impl FnMut(Served),
) -> Result<(), Error> {
	let mut heads = client.heads().await?;
	let (done, mut answers) = mpsc::channel::<(RequestId, Result<Included, Error>)>(IN_FLIGHT);
	// Ends what it watches when this function does.
	let mut watching = JoinSet::new();
	let mut watched: HashSet<RequestId> = HashSet::new();
	let is_reached = |memory: &Memory| limits.grants.is_some_and(|most| memory.granted >= most);
	loop {
		let best = client.best().await?;
		let now = best.block().number;
		let requests = every(|after| best.requests_to(owner.id(), after)).await?;
		let open = requests.iter().map(|entry| entry.id).collect();
		for (request, asked) in memory.look(&open, &watched, now) {
			let outcome = Err(Error::Lost);
			tell(Served {
				request,
				asked,
				outcome,
			});
		}
		if is_reached(memory) {
			return Ok(());
		}
		for RequestEntry {
			id,
			request,
			verdict,
		} in requests
		{
			let allowed = limits
				.datasets
				.as_ref()
				.is_none_or(|datasets| datasets.contains(&request.scope.dataset));
			let open = allowed && verdict == Verdict::Meets && now < request.valid_until;
			if !(open && memory.has_room(limits) && memory.is_due(id, now)) {
				continue;
			}
			match answer(client, &best, owner, limits, memory, id, &request).await {
				Ok((mut pending, cost)) => {
					let sent = Sent {
						asked: request,
						last: pending.last(),
						cost,
					};
					memory.sent.insert(id, sent);
					watched.insert(id);
					let done = done.clone();
					watching.spawn(async move {
						// Nobody listens any more when the program ends.
						let _ = done.send((id, pending.included().await)).await;
					});
				}
				Err(error) if error.is_connection() => return Err(error),
				Err(error) => {
					if memory.unanswered(id, now, error.to_string()) {
						tell(Served {
							request: id,
							asked: request,
							outcome: Err(error),
						});
					}
				}
			}
		}
		// Until there is a new block, and whatever was answered in the meantime.
		let mut next = std::pin::pin!(heads.next());
		loop {
			tokio::select! {
				head = &mut next => { head?; break }
				Some((request, outcome)) = answers.recv() => {
					watched.remove(&request);
					let Some(sent) = memory.sent.get(&request) else { continue };
					let asked = sent.asked.clone();
					match &outcome {
						Ok(_) => {
							memory.sent.remove(&request);
							memory.granted = memory.granted.saturating_add(1);
						}
						Err(Error::Refused(_)) => memory.refused(request, now),
						// It may be in a block all the same: what became of it is found out later.
						Err(_) => {}
					}
					match outcome {
						Err(error) if error.is_connection() => return Err(error),
						outcome => tell(Served { request, asked, outcome }),
					}
					if is_reached(memory) {
						return Ok(());
					}
				}
				Some(_) = watching.join_next() => {}
			}
		}
	}
}

async fn answer(
	client: &Client,
	best: &State,
	owner: &Identity,
	limits: &Limits,
	memory: &Memory,
	id: RequestId,
	request: &Request,
) -> Result<(Pending, Balance), Error> {
	let Scope { dataset, epoch, .. } = request.scope;
	if !limits.earlier_epochs {
		let current = best.dataset(owner.id(), dataset).await?;
		if current.is_none_or(|dataset| dataset.epoch != epoch) {
			return Err(Error::Withheld("it is for an epoch that is over"));
		}
	}
	if !limits.revoked_readers {
		let state = Some(GrantState::Revoked);
		let revoked = every(|after| best.grants_to(&request.consumer, state, after)).await?;
		let here = |grant: &Grant| grant.owner == *owner.id() && grant.scope.dataset == dataset;
		if revoked.iter().any(|entry| here(&entry.grant)) {
			return Err(Error::Withheld(
				"a grant that the reader had on this dataset was revoked",
			));
		}
	}
	let promised = memory.sent.values().map(|sent| sent.cost).sum();
	let (call, cost) = sharing::answer(client, best, owner, id, request, promised).await?;
	Ok((client.submit(&owner.account, &call).await?, cost))
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
			valid_until: 1_000,
			deposit: 0,
		};
		Sent {
			asked,
			last,
			cost: 0,
		}
	}

	#[test]
	fn what_was_refused_is_not_sent_again_for_long_nor_often() {
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
		// What is not open is forgotten.
		memory.look(&HashSet::new(), &HashSet::new(), now);
		assert!(memory.waiting.is_empty());
	}

	#[test]
	fn what_cannot_be_answered_is_told_once() {
		let mut memory = Memory::default();
		assert!(memory.unanswered(7, 10, "no key".into()));
		assert!(!memory.is_due(7, 10 + AFTER_NOTHING - 1));
		assert!(memory.is_due(7, 10 + AFTER_NOTHING));
		assert!(!memory.unanswered(7, 30, "no key".into()));
		assert!(memory.unanswered(7, 40, "no funds".into()));
	}

	#[test]
	fn answers_whose_connection_was_lost_count_until_it_is_known_what_became_of_them() {
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
		// The first was answered, of the second nothing is known yet.
		let open = HashSet::from([8]);
		let gone = memory.look(&open, &HashSet::new(), 19);
		assert_eq!((gone.len(), gone[0].0), (1, 7));
		assert_eq!(memory.granted(), 2);
		assert!(!memory.has_room(&limits) && !memory.is_due(8, 19));
		// One that is watched is left to who watches it.
		let watched = HashSet::from([8]);
		assert!(memory.look(&open, &watched, 20 + UNHEARD).is_empty());
		assert!(!memory.is_due(8, 20 + UNHEARD));
		assert!(memory.look(&open, &HashSet::new(), 20).is_empty());
		assert!(memory.has_room(&limits) && memory.is_due(8, 20));
		// Unless it hears nothing.
		memory.sent.insert(8, sent(20));
		memory.look(&open, &watched, 20 + UNHEARD + 1);
		assert!(memory.is_due(8, 20 + UNHEARD + 1));
	}
}
