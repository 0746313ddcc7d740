// SPDX-License-Identifier: Apache-2.0
//! Traces the history of shared data: who asked for access, who granted it, to which range, when, in which
//! block and for how much.
//!
//! The history of a record, dataset or reader is read from the blocks' events, so no index has to be
//! maintained or trusted. The node has to be trusted: events come without a proof, so a node could omit or
//! invent some. Ask your own node, or several.
//!
//! The node must still have the states of the searched blocks; an archive node has them all.

use crate::{
	block::BlockId,
	client::Client,
	error::Error,
	event::Event,
	outcome::{BlockEvents, Happened},
	progress::{Progress, Stage},
	state::every,
	types::*,
};
use futures::{stream, StreamExt};
use std::collections::HashSet;

/// How many blocks to fetch concurrently.
const AT_ONCE: usize = 16;

/// What to trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
	/// A record: its own events, and every request and grant whose range contains it.
	Record {
		/// The record's owner.
		owner: AccountId,
		/// The record's key.
		key: RecordKey,
	},
	/// Everything about a dataset.
	Dataset {
		/// The dataset's owner.
		owner: AccountId,
		/// The dataset's number.
		dataset: DatasetId,
	},
	/// Everything that a reader asked for and was granted.
	Reader(AccountId),
	/// Everything that an account did or took part in.
	Account(AccountId),
}

/// An event, with its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
	/// The block.
	pub block: BlockId,
	/// The index of the transaction in the block; `None` for what the chain did on its own.
	pub transaction: Option<u32>,
	/// The event.
	pub event: Event,
}

/// Returns the history of a subject in the blocks `from..=to` of the best chain. Records and requests from
/// before block `from` are read from the state before it.
///
/// # Errors
///
/// Returns [`Error::StateGone`] if the node has pruned the state of a block, and [`Error::NoSuchBlock`] if
/// the chain is shorter than `to`.
pub async fn trace(
	client: &Client,
	subject: &Subject,
	from: BlockNumber,
	to: BlockNumber,
	progress: &mut impl Progress,
) -> Result<Vec<Happening>, Error> {
	let known = match from {
		0 | 1 => Known::default(),
		_ => Known::before(client, subject, from).await?,
	};
	let total = u64::from(to.saturating_sub(from)).saturating_add(1);
	let mut blocks = stream::iter(from..=to)
		.map(|number| happenings(client, number))
		.buffered(AT_ONCE);
	let (mut all, mut done) = (Vec::new(), 0);
	while let Some(block) = blocks.next().await {
		all.extend(block?);
		done += 1;
		progress.at(Stage::Searching, done, total);
	}
	Ok(select(subject, all, known))
}

/// What is known about a subject. It decides which events belong to the subject, because most events name no
/// range.
#[derive(Default)]
struct Known {
	/// The leaves where a traced record is or was stored.
	places: Vec<(DatasetId, Epoch, Leaf)>,
	/// The subject's requests.
	requests: HashSet<RequestId>,
	/// The keys of a traced dataset's records.
	keys: HashSet<RecordKey>,
}

impl Known {
	/// Collects what is known about the subject from the state before block `from`.
	async fn before(client: &Client, subject: &Subject, from: BlockNumber) -> Result<Self, Error> {
		let mut known = Self::default();
		let (Subject::Record { owner, .. } | Subject::Dataset { owner, .. }) = subject else {
			return Ok(known);
		};
		let state = client.at_number(from.saturating_sub(1)).await?;
		match subject {
			Subject::Record { owner, key } => {
				let record = state.record(owner, *key).await?;
				known.places = record
					.map(|record| (record.dataset, record.epoch, record.leaf))
					.into_iter()
					.collect();
			}
			Subject::Dataset { owner, dataset } => {
				let records = every(|after| state.records(owner, after)).await?;
				known.keys = records
					.into_iter()
					.filter(|entry| entry.record.dataset == *dataset)
					.map(|entry| entry.key)
					.collect();
			}
			Subject::Reader(_) | Subject::Account(_) => {}
		}
		let requests = every(|after| state.requests_to(owner, after)).await?;
		known.requests = requests
			.into_iter()
			.filter(|entry| known.concerns(subject, &entry.request.scope))
			.map(|entry| entry.id)
			.collect();
		Ok(known)
	}

	/// Learns a traced record's place from the event that stored it.
	fn learn_place(&mut self, subject: &Subject, event: &Event) {
		let (
			Event::Stored {
				owner,
				key,
				dataset,
				epoch,
				leaf,
				..
			}
			| Event::RecordOpened {
				owner,
				key,
				dataset,
				epoch,
				leaf,
				..
			},
			Subject::Record {
				owner: wanted_owner,
				key: wanted_key,
			},
		) = (event, subject)
		else {
			return;
		};
		if (owner, key) == (wanted_owner, wanted_key) {
			self.places.push((*dataset, *epoch, *leaf));
		}
	}

	/// Returns whether an event belongs to the subject. Remembers its request and key for later events.
	fn is_own(&mut self, subject: &Subject, event: &Event) -> bool {
		let request = event.request();
		if request.is_some_and(|id| self.requests.contains(&id)) {
			return true;
		}
		let found = match subject {
			Subject::Record { owner, key } => {
				let by_scope = |scope| self.concerns(subject, scope);
				let named = event.key() == Some(key) || event.scope().is_some_and(by_scope);
				event.owner() == owner && named
			}
			Subject::Dataset { owner, dataset } => {
				let by_key = event.key().is_some_and(|key| self.keys.contains(key));
				let named = event.dataset() == Some(*dataset);
				event.owner() == owner && (named || by_key)
			}
			Subject::Reader(reader) => event.reader() == Some(reader),
			Subject::Account(account) => {
				event.owner() == account || event.reader() == Some(account)
			}
		};
		if found {
			self.requests.extend(request);
			self.keys.extend(event.key().copied());
		}
		found
	}

	/// Returns whether one of the owner's ranges contains the traced record, or belongs to the traced
	/// dataset.
	fn concerns(&self, subject: &Subject, scope: &Scope) -> bool {
		match subject {
			Subject::Record { .. } => self.places.iter().any(|(dataset, epoch, leaf)| {
				(scope.dataset, scope.epoch) == (*dataset, *epoch) && scope.covers(*leaf)
			}),
			Subject::Dataset { dataset, .. } => scope.dataset == *dataset,
			Subject::Reader(_) | Subject::Account(_) => false,
		}
	}
}

/// Returns the data-sharing events of one block.
async fn happenings(client: &Client, number: BlockNumber) -> Result<Vec<Happening>, Error> {
	let state = client.at_number(number).await?;
	let BlockEvents { block, outcomes } = BlockEvents::fetch(&state).await?;
	Ok(outcomes
		.iter()
		.cloned()
		.filter_map(|(transaction, happened)| match happened {
			Happened::Event(event) => Some(Happening {
				block,
				transaction,
				event,
			}),
			Happened::Refused(_) | Happened::OneRefused(_) => None,
		})
		.collect())
}

/// Selects the events of the subject.
fn select(subject: &Subject, all: Vec<Happening>, mut known: Known) -> Vec<Happening> {
	for Happening { event, .. } in &all {
		known.learn_place(subject, event);
	}
	all.into_iter()
		.filter(|happening| known.is_own(subject, &happening.event))
		.collect()
}

#[cfg(test)]
mod tests {
	use super::*;

	fn account(byte: u8) -> AccountId {
		AccountId::from([byte; 32])
	}

	fn key(byte: u8) -> RecordKey {
		[byte; 32].into()
	}

	fn stored(owner: u8, dataset: DatasetId, leaf: Leaf) -> Event {
		Event::Stored {
			owner: account(owner),
			key: key(leaf as u8),
			dataset,
			epoch: 0,
			leaf,
			content_hash: key(0),
			length: 1,
		}
	}

	fn asked(request: RequestId, owner: u8, consumer: u8, dataset: DatasetId, to: u64) -> Event {
		Event::AccessRequested {
			request,
			owner: account(owner),
			consumer: account(consumer),
			scope: Scope {
				dataset,
				epoch: 0,
				from: 0,
				to,
			},
			purpose: Text(b"a study".to_vec()),
			term: 10,
			offer: 5,
			firm: false,
			valid_until: 100,
		}
	}

	fn rejected(request: RequestId, owner: u8, consumer: u8) -> Event {
		Event::RequestRejected {
			request,
			owner: account(owner),
			consumer: account(consumer),
			reason: Text::default(),
		}
	}

	fn removed(owner: u8, leaf: Leaf) -> Event {
		Event::RecordRemoved {
			owner: account(owner),
			key: key(leaf as u8),
		}
	}

	/// Returns the numbers of the subject's events.
	fn selected(subject: Subject, events: &[Event]) -> Vec<BlockNumber> {
		let all = (0..)
			.zip(events)
			.map(|(number, event)| Happening {
				block: BlockId {
					number,
					hash: key(0),
				},
				transaction: Some(1),
				event: event.clone(),
			})
			.collect();
		let selected = select(&subject, all, Known::default());
		selected
			.iter()
			.map(|happening| happening.block.number)
			.collect()
	}

	#[test]
	fn each_subject_has_its_history_and_no_other() {
		let events = [
			stored(1, 0, 3),
			asked(7, 1, 2, 0, 4),
			asked(8, 1, 2, 0, 3),
			rejected(7, 1, 2),
			rejected(8, 1, 2),
			stored(9, 0, 3),
			stored(1, 1, 4),
			asked(9, 1, 5, 1, 9),
			removed(1, 3),
			removed(9, 3),
		];
		let owner = account(1);
		let record = Subject::Record { owner, key: key(3) };
		assert_eq!(selected(record, &events), [0, 1, 3, 8]);
		let dataset = Subject::Dataset { owner, dataset: 0 };
		assert_eq!(selected(dataset, &events), [0, 1, 2, 3, 4, 8]);
		let reader = Subject::Reader(account(2));
		assert_eq!(selected(reader, &events), [1, 2, 3, 4]);
		let other = Subject::Account(account(9));
		assert_eq!(selected(other, &events), [5, 9]);
	}
}
