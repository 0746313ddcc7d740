//! Tracing: who asked, who allowed, what range, when, in which block, paid how much. The history of a
//! record, dataset or reader is in the blocks' events, and is read from them: no index needs to be kept
//! or believed. The node that is asked has to be: events come without a proof, and it could leave some
//! out or make some up. Ask a node of one's own, or several.
//!
//! A node must still have the states of the blocks that are looked through; one that keeps them all is
//! an archive node.

use crate::{
	client::{BlockId, Client},
	error::Error,
	event::Event,
	state::every,
	tx::{outcomes, Happened},
	types::*,
	upload::{Progress, Stage},
};
use futures::{stream, StreamExt};
use std::collections::HashSet;

/// How many blocks are asked for at a time.
const AT_ONCE: usize = 16;

/// Whose history is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
	/// One record: its own events, and every request and grant whose range has it.
	Record {
		/// Its owner.
		owner: AccountId,
		/// Its key.
		key: RecordKey,
	},
	/// All of a dataset.
	Dataset {
		/// Its owner.
		owner: AccountId,
		/// The dataset.
		dataset: DatasetId,
	},
	/// All that a reader asked for and was given.
	Reader(AccountId),
	/// All that an account did or was part of.
	Account(AccountId),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
	/// The block in which it did.
	pub block: BlockId,
	/// The number of the transaction in that block; `None` for what happens by itself.
	pub transaction: Option<u32>,
	/// What.
	pub event: Event,
}

/// The history of a subject between two blocks of the best chain, both of which are looked at too. What
/// was stored or asked before the first of them is learned from the state before it.
///
/// # Errors
///
/// [`Error::StateGone`] where the node does not keep the state of a block any more.
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

/// What has to be known of a subject to tell which events are its own: most name no range.
#[derive(Default)]
struct Known {
	/// Where a record is or was.
	places: Vec<(DatasetId, Epoch, Leaf)>,
	/// The requests that are the subject's.
	requests: HashSet<RequestId>,
	/// The keys of a dataset's records.
	keys: HashSet<RecordKey>,
}

impl Known {
	/// What the state before a block says.
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

	/// Whether a range of the owner's is the subject's or has it.
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

/// What happened in one block.
async fn happenings(client: &Client, number: BlockNumber) -> Result<Vec<Happening>, Error> {
	let state = client.at_number(number).await?;
	let block = state.block();
	let outcomes = outcomes(&state).await?;
	Ok(outcomes
		.into_iter()
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

/// What of it is the subject's.
fn select(subject: &Subject, all: Vec<Happening>, mut known: Known) -> Vec<Happening> {
	// A record's place, from its own events.
	for Happening { event, .. } in &all {
		if let (
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
				owner: wanted,
				key: wanted_key,
			},
		) = (event, subject)
		{
			if (owner, key) == (wanted, wanted_key) {
				known.places.push((*dataset, *epoch, *leaf));
			}
		}
	}
	let mut concerns = |event: &Event| -> bool {
		if event
			.request()
			.is_some_and(|id| known.requests.contains(&id))
		{
			return true;
		}
		let found = match subject {
			Subject::Record { owner, key } => {
				event.owner() == owner
					&& (event.key() == Some(key)
						|| event
							.scope()
							.is_some_and(|scope| known.concerns(subject, scope)))
			}
			Subject::Dataset { owner, dataset } => {
				let by_key = event.key().is_some_and(|key| known.keys.contains(key));
				let named = event.dataset() == Some(*dataset);
				event.owner() == owner && (named || by_key)
			}
			Subject::Reader(reader) => event.reader() == Some(reader),
			Subject::Account(account) => {
				event.owner() == account || event.reader() == Some(account)
			}
		};
		if found {
			known.requests.extend(event.request());
			known.keys.extend(event.key().copied());
		}
		found
	};
	all.into_iter()
		.filter(|happening| concerns(&happening.event))
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

	/// The numbers of the events that are the subject's.
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
