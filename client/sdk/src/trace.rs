// SPDX-License-Identifier: Apache-2.0
//! Traces the history of shared data: who asked for access, who granted it, to which range, when, in which
//! block and for how much.
//!
//! The history is read from the node's [`mod@history`], so it does not depend on the states that the node keeps, and
//! every event is checked against its block's header. A node may still leave events out: ask several.

use crate::{
	block::BlockId,
	client::Client,
	error::Error,
	event::Event,
	history::{self, history, ProvenEvent},
	keepers::Kept,
	progress::Progress,
	types::*,
};

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

impl From<ProvenEvent> for Happening {
	fn from(proven: ProvenEvent) -> Self {
		Self {
			block: proven.block,
			transaction: proven.receipt.transaction,
			event: proven.event,
		}
	}
}

/// Returns the history of a subject in the blocks `from..=to` of the best chain, each event checked against its
/// block's header.
///
/// # Errors
///
/// Returns [`Error::HistoryGone`] if the node has no history of block `from`, [`Error::NoSuchBlock`] if the chain
/// is shorter than `to`, and [`Error::NotProven`] if the node sends an event that the header does not prove.
pub async fn trace(
	client: &Client,
	subject: &Subject,
	from: BlockNumber,
	to: BlockNumber,
	progress: &mut impl Progress,
) -> Result<Vec<Happening>, Error> {
	client.hash_at(to).await?;
	let from = from.max(1);
	let events = match subject {
		Subject::Record { owner, key } => {
			return of_record(client, *owner, *key, from, to, progress).await;
		}
		Subject::Dataset { owner, dataset } => history::Subject::Dataset(*owner, *dataset),
		Subject::Reader(account) | Subject::Account(account) => history::Subject::Account(*account),
	};
	let events = complete(client, &events, from, to, progress).await?;
	let is_own = |event: &ProvenEvent| match subject {
		Subject::Reader(reader) => event.event.reader() == Some(reader),
		_ => true,
	};
	Ok(events.into_iter().filter(is_own).map(Into::into).collect())
}

/// Does the same from the first block of which the node has the history, and returns that block's number, too.
///
/// # Errors
///
/// Returns the errors of [`trace`].
pub async fn trace_known(
	client: &Client,
	subject: &Subject,
	to: BlockNumber,
	progress: &mut impl Progress,
) -> Result<(BlockNumber, Vec<Happening>), Error> {
	match trace(client, subject, 1, to, progress).await {
		Err(Error::HistoryGone { since }) => {
			let found = trace(client, subject, since, to, progress).await?;
			Ok((since, found))
		}
		found => Ok((1, found?)),
	}
}

/// Returns who keeps copies of what is traced, and the block whose state says so, which is final and proven: the keepers of a
/// dataset, of the dataset of a record that is an object, or of all datasets of an account.
///
/// A keeper's calls have no place in the root of a block's events, so that a header does not prove them. The entry of a keeper
/// has the block with its last proof, and since when it keeps.
///
/// # Errors
///
/// Returns [`Error::Unproven`] if the node's proofs are wrong.
pub async fn keepers(
	client: &Client,
	subject: &Subject,
) -> Result<(BlockNumber, Vec<Kept>), Error> {
	let proven = client.proven().await?;
	let block = proven.block().number;
	let (owner, dataset) = match subject {
		Subject::Reader(_) => return Ok((block, Vec::new())),
		Subject::Account(owner) => (owner, None),
		Subject::Dataset { owner, dataset } => (owner, Some(*dataset)),
		Subject::Record { owner, key } => match proven.record(owner, *key).await? {
			Some(Record {
				dataset,
				payload: Payload::Object { .. },
				..
			}) => (owner, Some(dataset)),
			_ => return Ok((block, Vec::new())),
		},
	};
	let mut keepers = proven.keepers(owner).await?;
	keepers.retain(|kept| dataset.is_none_or(|dataset| kept.dataset == dataset));
	Ok((block, keepers))
}

/// Returns the events about a subject, or an error if the node does not have all of them.
async fn complete(
	client: &Client,
	subject: &history::Subject,
	from: BlockNumber,
	to: BlockNumber,
	progress: &mut impl Progress,
) -> Result<Vec<ProvenEvent>, Error> {
	let found = history(client, Some(subject), from, to, progress).await?;
	if found.since > from {
		return Err(Error::HistoryGone { since: found.since });
	}
	Ok(found.events)
}

/// Returns the history of a record.
async fn of_record(
	client: &Client,
	owner: AccountId,
	key: RecordKey,
	from: BlockNumber,
	to: BlockNumber,
	progress: &mut impl Progress,
) -> Result<Vec<Happening>, Error> {
	// Where the record is or was stored decides which requests and grants contain it, even if that was before.
	let own = history::Subject::Record(owner, key);
	let own = history(client, Some(&own), 1, to, progress).await?;
	if own.since > from {
		return Err(Error::HistoryGone { since: own.since });
	}
	let mut places: Vec<_> = own
		.events
		.iter()
		.filter_map(|own| place(&own.event))
		.collect();
	if own.since > 1 {
		let record = client.best().await?.record(&owner, key).await?;
		places.extend(record.map(|record| (record.dataset, record.epoch, record.leaf)));
	}
	let mut datasets: Vec<_> = places.iter().map(|(dataset, ..)| *dataset).collect();
	datasets.sort_unstable();
	datasets.dedup();
	let mut all: Vec<_> = own
		.events
		.into_iter()
		.filter(|own| own.block.number >= from)
		.collect();
	for dataset in datasets {
		let access = history::Subject::Access(owner, dataset);
		let access = complete(client, &access, from, to, progress).await?;
		all.extend(
			access
				.into_iter()
				.filter(|access| concerns(&places, &access.event)),
		);
	}
	all.sort_by_key(|event| (event.block.number, event.index));
	Ok(all.into_iter().map(Into::into).collect())
}

/// Returns the place that an event gives to its record.
fn place(event: &Event) -> Option<(DatasetId, Epoch, Leaf)> {
	match event {
		Event::Stored {
			dataset,
			epoch,
			leaf,
			..
		}
		| Event::RecordOpened {
			dataset,
			epoch,
			leaf,
			..
		}
		| Event::ObjectStored {
			dataset,
			epoch,
			leaf,
			..
		} => Some((*dataset, *epoch, *leaf)),
		_ => None,
	}
}

/// Returns whether the range of a request or grant contains one of these places.
fn concerns(places: &[(DatasetId, Epoch, Leaf)], event: &Event) -> bool {
	event.scope().is_some_and(|scope| {
		places.iter().any(|(dataset, epoch, leaf)| {
			(scope.dataset, scope.epoch) == (*dataset, *epoch) && scope.covers(*leaf)
		})
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use subxt::utils::H256;

	fn rejected(dataset: DatasetId, epoch: Epoch, from: u64, to: u64) -> Event {
		Event::RequestRejected {
			request: 7,
			owner: [1; 32].into(),
			consumer: [2; 32].into(),
			scope: Scope {
				dataset,
				epoch,
				from,
				to,
			},
			reason: Text::default(),
			controller: [1; 32].into(),
		}
	}

	#[test]
	fn a_record_has_its_place_wherever_its_bytes_are() {
		let (owner, key) = ([1; 32].into(), H256([2; 32]));
		let (dataset, epoch, leaf) = (3, 4, 5);
		let root = H256([6; 32]);
		let object = Event::ObjectStored {
			owner,
			key,
			dataset,
			epoch,
			leaf,
			length: 7,
			root,
		};
		let opened = Event::RecordOpened {
			owner,
			key,
			dataset,
			epoch,
			leaf,
			manifest: root,
			length: 7,
			chunks: 1,
		};
		assert_eq!([place(&object), place(&opened)], [Some((3, 4, 5)); 2]);
		let removed = Event::RecordRemoved {
			owner,
			key,
			dataset,
		};
		assert_eq!(place(&removed), None);
	}

	#[test]
	fn a_request_concerns_a_record_if_its_range_contains_a_place_of_the_record() {
		let places = [(0, 1, 3), (2, 0, 9)];
		assert!(concerns(&places, &rejected(0, 1, 3, 4)));
		assert!(concerns(&places, &rejected(2, 0, 0, 10)));
		for elsewhere in [
			rejected(0, 1, 4, 5),
			rejected(0, 0, 3, 4),
			rejected(1, 1, 3, 4),
			rejected(2, 0, 3, 4),
		] {
			assert!(!concerns(&places, &elsewhere), "{elsewhere:?}");
		}
		assert!(!concerns(&[], &rejected(0, 1, 3, 4)));
	}
}
