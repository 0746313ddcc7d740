// SPDX-License-Identifier: Apache-2.0
//! What an interrupted run has left, by its journal and the chain.

use super::journal::{Journal, Noted, Unused};
use crate::{error::Error, folder::packed::List, state::State, types::*};
use std::collections::BTreeSet;

/// Returns what the journal has, as the chain is now, and notes that: a pack that is on the chain by now, and not in the
/// stored list, is one that has to be removed unless the new list needs it. What is in the stored list is forgotten.
pub(super) async fn sort_out(
	journal: &Journal,
	(best, owner): (&State, &AccountId),
	(key, old): (&RecordKey, &List),
) -> Result<Noted, Error> {
	let noted = journal.read()?;
	let mut there = Vec::new();
	let sent = noted.sent.iter().map(|sent| (sent.place.key, &sent.object));
	let unused = noted
		.unused
		.iter()
		.map(|unused| (unused.key, &unused.object));
	for (key, object) in sent.chain(unused) {
		there.push(object_at(best, owner, key).await?.as_ref() == Some(object));
	}
	let sorted = sorted(&noted, &there, key, old);
	if sorted != noted {
		journal.replace(&sorted)?;
	}
	Ok(sorted)
}

/// Sorts what the journal has. `there` says of each of its packs, and then of each of its unused records, whether the chain
/// has it with this object.
fn sorted(noted: &Noted, there: &[bool], key: &RecordKey, old: &List) -> Noted {
	let listed: BTreeSet<&RecordKey> = old.packs.iter().map(|pack| &pack.key).collect();
	let mut sorted = Noted::default();
	let mut add = |unused: Unused, there: bool| {
		let is_in_use = there && (listed.contains(&unused.key) || unused.key == *key);
		if !is_in_use && !sorted.unused.contains(&unused) {
			sorted.unused.push(unused);
		}
	};
	let (of_sent, of_unused) = there.split_at(noted.sent.len().min(there.len()));
	for (sent, there) in noted.sent.iter().zip(of_sent) {
		if *there {
			let object = sent.object.clone();
			let key = sent.place.key;
			add(Unused { key, object }, true);
		}
	}
	for (unused, there) in noted.unused.iter().zip(of_unused) {
		add(unused.clone(), *there);
	}
	let loose = noted.sent.iter().zip(of_sent).filter(|(_, there)| !**there);
	sorted.sent = loose.map(|(sent, _)| sent.clone()).collect();
	sorted
}

/// Returns the object of a record, if there is one.
pub(super) async fn object_at(
	best: &State,
	owner: &AccountId,
	key: RecordKey,
) -> Result<Option<Object>, Error> {
	let record = best.record(owner, key).await?;
	Ok(record.as_ref().and_then(object_in).cloned())
}

/// Returns the object of a record, if it has one.
pub(super) fn object_in(record: &Record) -> Option<&Object> {
	match &record.payload {
		Payload::Object { object, .. } => Some(object),
		_ => None,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{folder::packed::Pack, sync_folder::journal::Sent};
	use subxt::utils::H256;

	const LIST: RecordKey = H256([9; 32]);

	fn object(root: u8) -> Object {
		Object {
			header: [3; isthmus_sharing::object::HEADER_SIZE],
			length: 4,
			root: H256([root; 32]),
		}
	}

	fn sent(key: u8, root: u8) -> Sent {
		Sent {
			location: "file:///a".into(),
			place: Place {
				key: H256([key; 32]),
				dataset: 1,
				epoch: 2,
				leaf: key.into(),
			},
			object: object(root),
		}
	}

	fn unused(key: u8, root: u8) -> Unused {
		Unused {
			key: H256([key; 32]),
			object: object(root),
		}
	}

	/// A list of packs with these keys.
	fn list(keys: &[u8]) -> List {
		let pack = |key: &u8| Pack {
			key: H256([*key; 32]),
			id: [0; 32],
			epoch: 2,
			length: 4,
		};
		List {
			packs: keys.iter().map(pack).collect(),
			files: Vec::new(),
		}
	}

	#[test]
	fn packs_of_the_stored_list_are_neither_discarded_nor_removed() {
		// The connection was lost just after the list was stored.
		let noted = Noted {
			sent: vec![sent(1, 1), sent(2, 2)],
			unused: vec![unused(3, 3), unused(9, 7)],
		};
		let there = [true, true, false, false];
		let left = sorted(&noted, &there, &LIST, &list(&[1, 2]));
		assert!(left.sent.is_empty());
		// The pack before and the list before are off the chain, and their objects may still be there.
		assert_eq!(left.unused, [unused(3, 3), unused(9, 7)]);
		// It was lost just before: nothing of the stored list is given up.
		let there = [false, true, true, true];
		let left = sorted(&noted, &there, &LIST, &list(&[3]));
		assert_eq!(left.sent, [sent(1, 1)]);
		assert_eq!(left.unused, [unused(2, 2)]);
	}

	#[test]
	fn a_pack_that_was_sent_twice_is_discarded_once() {
		let noted = Noted {
			sent: vec![sent(1, 1), sent(1, 2)],
			unused: vec![unused(1, 2)],
		};
		let left = sorted(&noted, &[false, true, true], &LIST, &list(&[]));
		assert_eq!(
			(left.sent, left.unused),
			(vec![sent(1, 1)], vec![unused(1, 2)])
		);
		let left = sorted(&noted, &[false, true, true], &LIST, &list(&[1]));
		assert_eq!((left.sent, left.unused), (vec![sent(1, 1)], Vec::new()));
	}
}
