// SPDX-License-Identifier: Apache-2.0
//! What is not needed any more: records are removed, and objects are deleted. An interrupted run leaves it to the next one,
//! by the journal. An object that the journal names as sent is never deleted before the journal forgets it: otherwise the
//! next run could put an object on the chain that is not there.

use super::{
	journal::{Journal, Noted, Sent, Unused},
	object_in, Running, Spare, SyncFolder, SyncedFolder, BATCH,
};
use crate::{
	error::{Error, UploadError},
	folder::packed::List,
	object::{delete_objects, of_entry, Deleted, Locations},
	proven::Proven,
	state::State,
	types::*,
	upload::{own_locations, Done},
};
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

impl Running<'_> {
	/// Ends a run that finds the list as it should be: it may have been stored just before the connection was lost, or by an
	/// interrupted run.
	pub(super) async fn finish_before(
		&mut self,
		list: &List,
		place: Place,
	) -> Result<SyncedFolder, Error> {
		let spare = self.spare(list, false).await?;
		if self.asked.finalized || (self.asked.deletes && !spare.is_empty()) {
			self.until_final().await?;
		}
		let stay = self.remove(&spare).await?;
		let removed = self.count_removed(&spare, &stay);
		let deleted = self.tidy(&spare, stay).await?;
		let done = Done::Before(self.asked.client.best().await?.block());
		let first = self.so_far.first.as_ref().unwrap_or(&self.old);
		let mut report = self.report(first, list, (place, done));
		(report.removed_packs, report.deleted) = (removed, deleted);
		Ok(report)
	}

	/// Waits until the stored list is finalized.
	///
	/// # Errors
	///
	/// Returns [`UploadError::Overtaken`] if another one is.
	async fn until_final(&self) -> Result<(), Error> {
		let (client, owner, key) = (self.asked.client, self.asked.owner.id(), self.asked.key);
		let best = client.best().await?;
		let said = object_at(&best, owner, key).await?;
		let look = async |proven: &Proven| {
			let record = proven.record(owner, key).await?;
			Ok(record.as_ref().and_then(object_in).cloned())
		};
		match client.confirmed(&best, &said, look).await? == said {
			true => Ok(()),
			false => Err(UploadError::Overtaken.into()),
		}
	}

	/// Returns what a list does not need: packs, those of interrupted runs, too, and the old list if it is `replaced`.
	pub(super) async fn spare(&self, list: &List, replaced: bool) -> Result<Vec<Spare>, Error> {
		let owner = self.asked.owner.id();
		let needed: BTreeSet<RecordKey> = list.packs.iter().map(|pack| pack.key).collect();
		let best = self.asked.client.best().await?;
		let mut spare = Vec::new();
		for Unused { key, object } in &self.noted.unused {
			let there = object_at(&best, owner, *key).await?.as_ref() == Some(object);
			if !(there && needed.contains(key)) {
				spare.push(Spare {
					key: *key,
					object: object.clone(),
					there,
				});
			}
		}
		let old = self.plan.unused(&self.old).map(|pack| pack.key);
		let mut keys: BTreeSet<RecordKey> = old.collect();
		keys.retain(|key| !needed.contains(key));
		keys.extend((replaced && self.stored.is_some()).then_some(self.asked.key));
		for key in keys {
			let known = |spare: &Spare| spare.there && spare.key == key;
			if spare.iter().any(known) {
				continue;
			}
			if let Some(object) = object_at(&best, owner, key).await? {
				spare.push(Spare {
					key,
					object,
					there: true,
				});
			}
		}
		Ok(spare)
	}

	/// Notes what is not needed any more once the list is replaced, so that the next run goes on after an interruption.
	pub(super) fn note_spare(&self, spare: &[Spare]) -> Result<(), Error> {
		let unused = spare.iter().map(Spare::unused);
		let new: Vec<Unused> = unused
			.filter(|unused| !self.noted.unused.contains(unused))
			.collect();
		self.journal.note_unused(&new)
	}

	/// Returns the records among those that are not needed any more that are still on the chain, but for the list.
	async fn remaining(&self, spare: &[Spare]) -> Result<Vec<Unused>, Error> {
		let (owner, list) = (self.asked.owner.id(), self.asked.key);
		let best = self.asked.client.best().await?;
		let mut remaining = Vec::new();
		for spare in spare
			.iter()
			.filter(|spare| spare.there && spare.key != list)
		{
			if object_at(&best, owner, spare.key).await?.as_ref() == Some(&spare.object) {
				remaining.push(spare.unused());
			}
		}
		Ok(remaining)
	}

	/// Removes the records of packs that are not needed any more, and returns those that stay: a reader has paid for them.
	/// What the chain would refuse is found by halving, before anything is paid for it.
	pub(super) async fn remove(&mut self, spare: &[Spare]) -> Result<Vec<Unused>, Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let remaining = self.remaining(spare).await?;
		if remaining.is_empty() {
			return Ok(remaining);
		}
		let mut calls = Vec::new();
		for Unused { key, .. } in &remaining {
			calls.push(client.remove_record(*key).await?);
		}
		let mut parts: Vec<&[_]> = calls.chunks(BATCH).collect();
		while let Some(part) = parts.pop() {
			let all = client.batch(part).await?;
			match client.send(&owner.account, &all).await {
				Err(Error::Refused(_)) if part.len() > 1 => {
					let (first, second) = part.split_at(part.len() / 2);
					parts.extend([first, second]);
				}
				Err(Error::Refused(_)) => {}
				sent => {
					sent?;
					self.so_far.transactions += 1;
				}
			}
		}
		self.remaining(spare).await
	}

	/// Returns how many packs of those that are not needed any more are not on the chain any more.
	pub(super) fn count_removed(&self, spare: &[Spare], stay: &[Unused]) -> usize {
		let packs = spare.iter().filter(|spare| spare.key != self.asked.key);
		packs.count().saturating_sub(stay.len())
	}

	/// Deletes the objects of packs that interrupted runs have sent and no record names and, if that was asked for, those
	/// that are not needed any more. The journal keeps the records that stay.
	pub(super) async fn tidy(
		&mut self,
		spare: &[Spare],
		stay: Vec<Unused>,
	) -> Result<Vec<Deleted>, Error> {
		let deletes = self.asked.deletes && !spare.is_empty();
		let stay = Noted {
			sent: Vec::new(),
			unused: stay,
		};
		// Nothing that is about to be deleted may be taken for a pack that was sent.
		match deletes {
			true => self.journal.replace(&Noted {
				sent: Vec::new(),
				unused: spare.iter().map(Spare::unused).collect(),
			})?,
			false => self.journal.replace(&stay)?,
		}
		for sent in loose(&self.noted.sent, |sent| {
			self.sent.get(&sent.place.key) == Some(sent)
		}) {
			if sent.location == self.location.url() {
				self.discard(sent).await;
			}
		}
		if !deletes {
			return Ok(Vec::new());
		}
		let deleted = self.delete(spare).await?;
		self.journal.replace(&stay)?;
		Ok(deleted)
	}

	/// Deletes an object that is not on the chain, and opens nowhere. What cannot be deleted stays, and does no harm.
	pub(super) async fn discard(&self, sent: &Sent) {
		if let Ok(object) = of_entry(sent.place.key, &sent.object) {
			let _ = self.location.delete(&object).await;
		}
	}

	/// Deletes the objects that are not needed any more, but those of records that stay.
	async fn delete(&self, spare: &[Spare]) -> Result<Vec<Deleted>, Error> {
		let SyncFolder {
			client,
			owner,
			dataset,
			..
		} = *self.asked;
		let urls = own_locations(client, owner.id(), dataset).await?;
		let best = client.best().await?;
		let mut objects = Vec::new();
		for Spare { key, object, .. } in spare {
			if object_at(&best, owner.id(), *key).await?.as_ref() != Some(object) {
				objects.push(of_entry(*key, object)?);
			}
		}
		Ok(delete_objects(&objects, Locations::open(urls)).await)
	}
}

impl Spare {
	fn unused(&self) -> Unused {
		Unused {
			key: self.key,
			object: self.object.clone(),
		}
	}
}

/// Returns the packs that were sent, but those that this run has put on the chain.
fn loose<'a>(
	sent: &'a [Sent],
	is_used: impl Fn(&Sent) -> bool + 'a,
) -> impl Iterator<Item = &'a Sent> {
	sent.iter().filter(move |sent| !is_used(sent))
}

/// Returns the object of a record, if there is one.
async fn object_at(
	best: &State,
	owner: &AccountId,
	key: RecordKey,
) -> Result<Option<Object>, Error> {
	let record = best.record(owner, key).await?;
	Ok(record.as_ref().and_then(object_in).cloned())
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::folder::packed::Pack;
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
