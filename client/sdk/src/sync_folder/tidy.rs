// SPDX-License-Identifier: Apache-2.0
//! What is not needed any more: records are removed, and objects are deleted. An interrupted run leaves it to the next one,
//! by the journal. An object that the journal names as sent is never deleted before the journal forgets it: otherwise the
//! next run could put an object on the chain that is not there.

use super::{
	journal::{Noted, Sent, Unused},
	left::{object_at, object_in},
	of_unused, Running, Spare, SyncFolder, SyncedFolder, BATCH,
};
use crate::{
	client::Client,
	error::{Error, UploadError},
	folder::packed::List,
	object::{delete_objects, of_entry, Deleted, Locations},
	paid::PaidFor,
	proven::Proven,
	types::*,
	upload::{
		forget_all, forget_taken, give_up_alone, journal_of, note_all, own_locations, unfinished,
		Abandoned, Done,
	},
};
use isthmus_objects as objects;
use std::collections::BTreeSet;

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
		let kept = self.kept(&stay).await?;
		// A list that was sent before this one may still come into a block: its packs and its journal stay for the next run.
		let deleted = match self.asked.client.is_dry_run() || self.may_be_replaced().await? {
			true => Vec::new(),
			false => {
				self.give_up_left(list).await;
				self.tidy(&spare, stay).await?
			}
		};
		let done = Done::Before(self.asked.client.best().await?.block());
		let first = self.so_far.first.as_ref().unwrap_or(&self.old);
		let mut report = self.report(first, list, (place, done));
		(report.removed_packs, report.kept, report.deleted) = (removed, kept, deleted);
		Ok(report)
	}

	/// Returns whether another list that an interrupted run has sent may still take the place of the stored one. Forgets the
	/// journal if it is that of the stored one.
	async fn may_be_replaced(&self) -> Result<bool, Error> {
		let (client, owner, key) = (self.asked.client, self.asked.owner.id(), self.asked.key);
		let journal = journal_of(client, owner, &key)?;
		let Some(noted) = objects::unfinished(&journal)? else {
			return Ok(false);
		};
		let stored = self.stored.as_ref().and_then(object_in);
		if stored
			.is_some_and(|list| of_entry(key, list).is_ok_and(|list| list.name() == noted.object))
		{
			objects::forget(&journal)?;
			return Ok(false);
		}
		let Some(last) = noted.entering else {
			return Ok(false);
		};
		// Who trusts the node has the best block for what is proven.
		let finalized = client.finalized().await?.block().number;
		let finalized = finalized.min(client.proven().await?.block().number);
		Ok(u64::from(finalized) <= last)
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

	/// Returns what is known of the packs that are not needed any more, and stay.
	pub(super) async fn kept(&self, stay: &[Unused]) -> Result<Vec<PaidFor>, Error> {
		let best = self.asked.client.best().await?;
		of_unused(&best, self.asked.owner.id(), stay.iter()).await
	}

	/// Returns how many packs of those that are not needed any more are not on the chain any more.
	pub(super) fn count_removed(&self, spare: &[Spare], stay: &[Unused]) -> usize {
		let packs = spare.iter().filter(|spare| spare.key != self.asked.key);
		packs.count().saturating_sub(stay.len())
	}

	/// Gives up the uploads of packs and lists that interrupted runs have started, and another machine has finished.
	/// What is not given up now is given up by a later run.
	pub(super) async fn give_up_left(&self, list: &List) {
		let (client, owner, key) = (self.asked.client, self.asked.owner, self.asked.key);
		let keys = list.packs.iter().map(|pack| pack.key);
		for key in keys.chain([key]) {
			if let Ok(Some(left)) = unfinished(client, owner.id(), &key) {
				let _ = give_up_alone(client, owner, left, (false, false)).await;
			}
		}
	}

	/// Deletes the objects of packs that interrupted runs have sent and no record names and, if that was asked for, those
	/// that are not needed any more. The journal keeps the records that stay.
	pub(super) async fn tidy(
		&mut self,
		spare: &[Spare],
		stay: Vec<Unused>,
	) -> Result<Vec<Deleted>, Error> {
		let (client, owner) = (self.asked.client, self.asked.owner.id());
		let deletes = self.asked.deletes && !spare.is_empty();
		let loose: Vec<&Sent> = loose(&self.noted.sent, |sent| {
			self.sent.get(&sent.place.key) == Some(sent)
		})
		.collect();
		let abandoned: Vec<Abandoned> = loose
			.iter()
			.filter_map(|sent| abandoned_of(client, sent))
			.collect();
		note_all(client, owner, &abandoned).await?;
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
		let mut gone = Vec::new();
		for sent in loose {
			if sent.location == self.location.url() && self.discard(sent).await {
				gone.extend(abandoned_of(client, sent));
			}
		}
		forget_all(client, owner, &gone).await?;
		// The folder is stored: what is not forgotten now is forgotten later.
		let _ = forget_taken(client, owner).await;
		if !deletes {
			return Ok(Vec::new());
		}
		let deleted = self.delete(spare).await?;
		self.journal.replace(&stay)?;
		Ok(deleted)
	}

	/// Deletes an object that is not on the chain, and opens nowhere. Returns whether that was done.
	async fn discard(&self, sent: &Sent) -> bool {
		match of_entry(sent.place.key, &sent.object) {
			Ok(object) => self.location.delete(&object).await.is_ok(),
			Err(_) => false,
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

/// Returns what to note of a pack that its location may keep.
fn abandoned_of(client: &Client, sent: &Sent) -> Option<Abandoned> {
	let object = of_entry(sent.place.key, &sent.object).ok()?;
	let location = sent.location.clone();
	let genesis = client.genesis();
	Some(Abandoned::new(
		genesis,
		location,
		object.name(),
		&sent.place,
	))
}

/// Returns the packs that were sent, but those that this run has put on the chain.
fn loose<'a>(
	sent: &'a [Sent],
	is_used: impl Fn(&Sent) -> bool + 'a,
) -> impl Iterator<Item = &'a Sent> {
	sent.iter().filter(move |sent| !is_used(sent))
}
