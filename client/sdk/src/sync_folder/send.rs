// SPDX-License-Identifier: Apache-2.0
//! Sends what is missing: packs, several at a time, and registers all but the last ones.

use super::{
	is_stale,
	journal::Sent,
	plan::{Local, NewPack},
	source::{FileChanged, PackSource},
	Job, Running, BATCH,
};
use crate::{
	error::{Error, UploadError},
	object::of_entry,
	progress::{Progress, Stage, REPORT},
	state::State,
	turn::Turn,
	tx::Pending,
	types::*,
	upload::{complete, free_place, give_up_before, journal_of, next_leaf, note, noted_place},
	upload_folder::UploadFolderError,
};
use futures::{stream, StreamExt};
use isthmus_objects as objects;
use std::{
	collections::BTreeSet,
	io::Read,
	path::PathBuf,
	sync::atomic::{AtomicU64, Ordering},
};
use subxt::utils::H256;

/// How many packs are sent at a time.
const AT_ONCE: usize = 3;

impl Running<'_> {
	/// Finds out which of the new packs arrived before an interruption. One that the journal names is sent again unless the
	/// location has it.
	pub(super) async fn find_sent(&mut self, best: &State) -> Result<(), Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		for key in &self.new {
			if complete(best, owner.id(), *key).await?.is_some() {
				self.there.insert(*key);
			}
		}
		// Of two that would take each other's place, the one that was sent last.
		let mut leaves = BTreeSet::new();
		for sent in self.noted.sent.iter().rev() {
			let Sent {
				location, place, ..
			} = sent;
			let fits = (place.dataset, place.epoch) == (self.asked.dataset, self.epoch)
				&& location == self.location.url()
				&& self.new.contains(&place.key)
				&& !self.there.contains(&place.key)
				&& !self.sent.contains_key(&place.key)
				&& !leaves.contains(&place.leaf);
			if !fits || !self.is_at_location(sent).await? {
				continue;
			}
			let turn = Turn::take(client, owner.account.id()).await?;
			let at = (*place, false);
			match free_place(client, owner, best, turn.notes(), at).await {
				Ok(_) => {
					// An interruption may have left it.
					self.forget(sent)?;
					leaves.insert(place.leaf);
					self.sent.insert(place.key, sent.clone());
				}
				Err(Error::Upload(UploadError::LeafTaken(_))) => {}
				Err(error) => return Err(error),
			}
		}
		Ok(())
	}

	/// Returns whether the location has a pack that the journal names, with its length and its list.
	///
	/// # Errors
	///
	/// Returns [`Error::Sending`] if the location may have it, but does not answer at present.
	async fn is_at_location(&self, sent: &Sent) -> Result<bool, Error> {
		let Ok(object) = of_entry(sent.place.key, &sent.object) else {
			return Ok(false);
		};
		let checked = objects::check(&self.location, &object, false, &mut |_| {}).await;
		match checked.failure {
			None => Ok(true),
			Some(failure) if failure.is_passing() => {
				let url = self.location.url().to_owned();
				Err(objects::UploadError::Store { url, failure }.into())
			}
			Some(_) => Ok(false),
		}
	}

	/// Sends the packs that are missing, and registers all but the last ones, which are returned.
	pub(super) async fn store_packs(
		&mut self,
		list: u64,
		progress: &mut impl Progress,
	) -> Result<Vec<(Place, Object)>, UploadFolderError> {
		let packs = self.plan.new.clone();
		let total = self.length_to_send(list);
		let mut done = 0u64;
		let mut waiting: Vec<(Place, Object)> = Vec::new();
		let mut missing: Vec<(RecordKey, &NewPack)> = Vec::new();
		for (key, pack) in self.new.iter().zip(&packs) {
			match self.sent.get(key) {
				Some(sent) => waiting.push((sent.place, sent.object.clone())),
				None if self.there.contains(key) => {}
				None => {
					missing.push((*key, pack));
					continue;
				}
			}
			done = done.saturating_add(pack.length);
		}
		let mut pending: Vec<Pending> = Vec::new();
		let mut missing = missing.chunks(BATCH);
		loop {
			while waiting.len() > BATCH {
				let rest = waiting.split_off(BATCH);
				pending.push(self.enter(&waiting, &[], None).await?);
				waiting = rest;
			}
			match missing.next() {
				Some(missing) => {
					let sent = self.send_packs(missing, (done, total), progress).await?;
					waiting.extend(sent);
					let lengths = missing.iter().map(|(_, pack)| pack.length);
					done = lengths.fold(done, u64::saturating_add);
				}
				None => break,
			}
		}
		for mut pending in pending {
			pending.included().await?;
		}
		Ok(waiting)
	}

	/// Returns the length of all new packs, and of a list of this length.
	pub(super) fn length_to_send(&self, list: u64) -> u64 {
		let lengths = self.plan.new.iter().map(|pack| pack.length);
		lengths.fold(list, u64::saturating_add)
	}

	/// Sends packs to the location, several concurrently, after `done` of all bytes.
	async fn send_packs(
		&mut self,
		packs: &[(RecordKey, &NewPack)],
		(done, total): (u64, u64),
		progress: &mut impl Progress,
	) -> Result<Vec<(Place, Object)>, UploadFolderError> {
		let mut jobs = Vec::new();
		for (key, pack) in packs {
			let files: Vec<Local> = pack
				.files
				.iter()
				.filter_map(|file| self.files.get(*file).cloned())
				.collect();
			jobs.push(Job {
				place: self.allocate(*key, true).await?,
				source: PackSource::new(files),
				length: pack.length,
			});
		}
		let done = AtomicU64::new(done);
		let (mut sent, mut bytes) = (Vec::new(), 0u64);
		let this = &*self;
		let mut sending = stream::iter(jobs)
			.map(|job| this.send(job, &done))
			.buffer_unordered(AT_ONCE)
			.boxed_local();
		let mut ticks = tokio::time::interval(REPORT);
		let failed = loop {
			tokio::select! {
				next = sending.next() => match next {
					None => break None,
					Some(Err(error)) => break Some(error),
					Some(Ok((next, length))) => {
						this.journal.note(&next)?;
						this.forget(&next)?;
						bytes = bytes.saturating_add(length);
						sent.push((next.place, next.object));
					}
				},
				_ = ticks.tick() => {
					progress.at(Stage::Sending, done.load(Ordering::Relaxed).min(total), total);
				}
			}
		};
		drop(sending);
		self.so_far.sent_packs += sent.len();
		self.so_far.sent_bytes = self.so_far.sent_bytes.saturating_add(bytes);
		failed.map_or(Ok(sent), Err)
	}

	/// Chooses the place of an object: that of its interrupted upload, if it `resumes` and the place is free, or the next
	/// free one.
	pub(super) async fn allocate(&mut self, key: RecordKey, resumes: bool) -> Result<Place, Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let journal = journal_of(client, owner.id(), &key)?;
		let best = client.best().await?;
		let turn = Turn::take(client, owner.account.id()).await?;
		let taken: BTreeSet<Leaf> = self.sent.values().map(|sent| sent.place.leaf).collect();
		let noted = objects::unfinished(&journal)?.filter(|found| found.resumes && !found.given_up);
		let noted = noted.and_then(|found| noted_place(&found.note, key));
		if let Some(place) = noted.filter(|_| resumes) {
			let is_here = place == self.place(key, place.leaf)
				&& place.leaf >= self.next
				&& !taken.contains(&place.leaf);
			let is_free = is_here
				&& free_place(client, owner, &best, turn.notes(), (place, false))
					.await
					.is_ok();
			if is_free {
				self.next = next_leaf(&place)?;
				return Ok(place);
			}
		}
		let place = loop {
			let at = self.place(key, self.next);
			let place = free_place(client, owner, &best, turn.notes(), (at, true)).await?;
			self.next = next_leaf(&place)?;
			if !taken.contains(&place.leaf) {
				break place;
			}
		};
		// A store may take minutes to answer. The place is looked at again before the entry is sent.
		drop(turn);
		// The object of another place opens nowhere.
		give_up_before((client, owner.id()), &journal, &self.location).await?;
		Ok(place)
	}

	/// Sends one object, and counts its bytes. Also returns their number. Gives up an upload that sent bytes of a file that
	/// changed: nothing but the same bytes could be sent in its place.
	pub(super) async fn send<Source: Read + Send + 'static>(
		&self,
		job: Job<Source>,
		count: &AtomicU64,
	) -> Result<(Sent, u64), UploadFolderError> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let Job {
			place,
			source,
			length,
		} = job;
		let journal = journal_of(client, owner.id(), &place.key)?;
		let (leaf, context) = (
			place.leaf_key(client, owner)?,
			place.context(client, owner.id()),
		);
		let note = note(&place);
		let upload = objects::Upload::new(&self.location, &leaf, &context, &journal).noting(&note);
		let mut before = 0;
		let mut tell = |done: u64| {
			count.fetch_add(done.saturating_sub(before), Ordering::Relaxed);
			before = before.max(done);
		};
		let sent = upload.run(source, Some(length), &mut tell).await;
		let sent = match sent {
			Err(error) if is_stale(&error) || changed_in(&error).is_some() => {
				let at = (client, owner.id());
				match give_up_before(at, &journal, &self.location).await {
					// What its location does not delete now is deleted before the next attempt.
					Ok(()) | Err(Error::Sending(_)) => return Err(of_send(error)),
					Err(other) => return Err(other.into()),
				}
			}
			sent => sent.map_err(of_send)?,
		};
		let sent = Sent {
			location: self.location.url().to_owned(),
			place,
			object: Object {
				header: sent.object.header().to_bytes(),
				length: sent.object.length(),
				root: H256(*sent.object.root()),
			},
		};
		Ok((sent, length))
	}

	/// Removes the journal of an object that is sent whole.
	pub(super) fn forget(&self, sent: &Sent) -> Result<(), Error> {
		Ok(objects::forget(&self.journal_of(sent)?)?)
	}

	/// Returns the path of the journal of an object's upload.
	pub(super) fn journal_of(&self, sent: &Sent) -> Result<PathBuf, Error> {
		journal_of(self.asked.client, self.asked.owner.id(), &sent.place.key)
	}
}

/// Names the file of a pack that changed.
fn of_send(error: objects::UploadError) -> UploadFolderError {
	match changed_in(&error) {
		Some(FileChanged(path)) => UploadFolderError::changed(path),
		None => Error::from(error).into(),
	}
}

/// Returns which file of a pack changed while it was sent, if that is the error.
fn changed_in(error: &objects::UploadError) -> Option<&FileChanged> {
	match error {
		objects::UploadError::Read(error) => error.get_ref()?.downcast_ref(),
		_ => None,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::io;

	#[test]
	fn a_file_that_changes_while_it_is_sent_is_named() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("a");
		std::fs::write(&path, "a").unwrap();
		let read = objects::UploadError::Read;
		let error = read(io::Error::other(FileChanged(path.clone())));
		assert!(changed_in(&error).is_some());
		let named = of_send(error);
		assert!(matches!(named, UploadFolderError::ChangedWhileRead(file) if file == path));
		// One that was deleted is gone.
		std::fs::remove_file(&path).unwrap();
		let gone = of_send(read(io::Error::other(FileChanged(path.clone()))));
		assert!(
			matches!(gone, UploadFolderError::Io { path: file, source } if file == path && source.kind() == io::ErrorKind::NotFound)
		);
		assert!(changed_in(&read(io::Error::other("no"))).is_none());
	}
}
