//! Tracing: who asked, who allowed, what range, when, in which block, paid how much. The history of a
//! record, dataset or reader is in the blocks' events, and is read from them: nothing needs to be kept
//! by anybody but the chain, and nothing has to be believed.
//!
//! A node must still have the states of the blocks that are looked through; one that keeps them all is
//! an archive node.

use crate::{
	client::{BlockId, Client},
	error::Error,
	event::Event,
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

/// The history of a subject between two blocks of the best chain, both of which are looked at too.
///
/// # Errors
///
/// [`Error::Rpc`] where the node does not keep the state of a block any more.
pub async fn trace(
	client: &Client,
	subject: &Subject,
	from: BlockNumber,
	to: BlockNumber,
	progress: &mut impl Progress,
) -> Result<Vec<Happening>, Error> {
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
	Ok(select(subject, all))
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
fn select(subject: &Subject, all: Vec<Happening>) -> Vec<Happening> {
	// A record's place, from its own events; a request's events but the first name no range.
	let mut places = Vec::new();
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
				places.push((*dataset, *epoch, *leaf));
			}
		}
	}
	let mut requests = HashSet::new();
	let mut keys = HashSet::new();
	let mut concerns = |event: &Event| -> bool {
		if event.request().is_some_and(|id| requests.contains(&id)) {
			return true;
		}
		let found = match subject {
			Subject::Record { owner, key } => {
				event.owner() == owner
					&& (event.key() == Some(key)
						|| event.scope().is_some_and(|scope| {
							places.iter().any(|(dataset, epoch, leaf)| {
								(scope.dataset, scope.epoch) == (*dataset, *epoch)
									&& scope.covers(*leaf)
							})
						}))
			}
			Subject::Dataset { owner, dataset } => {
				let known = event.key().is_some_and(|key| keys.contains(key));
				let named = event.dataset() == Some(*dataset);
				event.owner() == owner && (named || known)
			}
			Subject::Reader(reader) => event.reader() == Some(reader),
			Subject::Account(account) => {
				event.owner() == account || event.reader() == Some(account)
			}
		};
		if found {
			requests.extend(event.request());
			keys.extend(event.key().copied());
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
		let selected = select(&subject, all);
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
