// SPDX-License-Identifier: Apache-2.0
//! Puts entries on the chain, and replaces the stored list by the new one, together with the last packs.

use super::{stored::version, Job, Running, Spare, SyncedFolder, BATCH};
use crate::{
	call::Call,
	error::{Error, UploadError},
	folder::{self, packed::List},
	object::of_entry,
	progress::{Progress, Stage},
	refusal::PalletError,
	state::State,
	tx::Pending,
	types::*,
	upload::{complete, free_place, give_up_unsent, Done, Stored},
	upload_folder::UploadFolderError,
};
use isthmus_objects as objects;
use std::{collections::HashMap, io::Cursor, path::Path, sync::atomic::AtomicU64};

impl Running<'_> {
	/// Sends a transaction with other calls and then objects' entries, unless a place was taken meanwhile. The `last` one
	/// replaces the list, whose journal and object's name are given: it is not sent if the folder has another version by now.
	/// Its last block is noted in that journal, so that no one deletes the list while its entry may still come into a block.
	pub(super) async fn enter(
		&mut self,
		entries: &[(Place, Object)],
		first: &[Call],
		last: Option<(&Path, &str)>,
	) -> Result<Pending, Error> {
		let (client, owner) = (self.asked.client, self.asked.owner);
		let this = &*self;
		let make = |notes| async move {
			let best = client.best().await?;
			if last.is_some() {
				this.check_same(&best).await?;
			}
			let mut calls = first.to_vec();
			for (place, object) in entries {
				let at = (*place, false);
				free_place(client, owner, &best, &notes, at).await?;
				calls.push(client.store_object(place, object).await?);
			}
			Ok((client.batch(&calls).await?, ()))
		};
		let note = |block: BlockNumber| match last {
			Some((journal, name)) => Ok(objects::entering(journal, name, block.into())?),
			None => Ok(()),
		};
		let (pending, ()) = client.submit_noted(&owner.account, make, note).await?;
		self.so_far.transactions += 1;
		Ok(pending)
	}

	/// Checks that the stored list is the one that the new one was made from, and that the packs of interrupted runs are
	/// still on the chain.
	///
	/// # Errors
	///
	/// Returns [`UploadError::Overtaken`] if not: a program on another machine has stored the folder.
	async fn check_same(&self, best: &State) -> Result<(), Error> {
		let owner = self.asked.owner.id();
		let now = complete(best, owner, self.asked.key).await?;
		let mut is_same = now.as_ref().map(version) == self.stored.as_ref().map(version);
		for key in &self.there {
			is_same = is_same && complete(best, owner, *key).await?.is_some();
		}
		match is_same {
			true => Ok(()),
			false => Err(UploadError::Overtaken.into()),
		}
	}

	/// Stores the list in place of the old one, together with the last packs, and removes what is not needed any more.
	pub(super) async fn store_list(
		&mut self,
		list: &List,
		bytes: Vec<u8>,
		mut entries: Vec<(Place, Object)>,
		progress: &mut impl Progress,
	) -> Result<SyncedFolder, UploadFolderError> {
		let key = self.asked.key;
		let spare = self.spare(list, true).await?;
		let place = self.allocate(key, false).await?;
		let length = bytes.len() as u64;
		let count = AtomicU64::new(0);
		let job = Job {
			place,
			source: Cursor::new(bytes),
			length,
		};
		let (sent, _) = self.send(job, &count).await?;
		let journal = self.journal_of(&sent)?;
		let name = of_entry(key, &sent.object)?.name();
		self.so_far.sent_bytes = self.so_far.sent_bytes.saturating_add(length);
		let all = self.length_to_send(length);
		progress.at(Stage::Sending, all, all);
		self.note_spare(&spare)?;
		entries.push((place, sent.object.clone()));
		let replaced = self.replace(&entries, &spare, (&journal, &name)).await;
		if replaced.is_err() {
			give_up_unsent(&journal, &self.location, &name).await;
		}
		let (mut pending, are_removed) = replaced?;
		let included = match self.asked.finalized || self.asked.deletes {
			true => pending.finalized().await?,
			false => pending.included().await?,
		};
		self.forget(&sent)?;
		let stay = match are_removed {
			true => Vec::new(),
			false => self.remove(&spare).await?,
		};
		let mut report = self.report(&self.old, list, (place, Done::Now(included)));
		report.removed_packs = self.count_removed(&spare, &stay);
		report.kept = self.kept(&stay).await?;
		self.give_up_left(list).await;
		report.deleted = self.tidy(&spare, stay).await?;
		Ok(report)
	}

	/// Sends the transaction that replaces the list. It also removes the records of packs that are not needed any more, unless
	/// they are many, or a reader has paid for one. Also returns whether none of them is left to be removed.
	async fn replace(
		&mut self,
		entries: &[(Place, Object)],
		spare: &[Spare],
		list: (&Path, &str),
	) -> Result<(Pending, bool), Error> {
		use PalletError::{RecordPaidFor, UnknownRecord};
		let (client, key) = (self.asked.client, self.asked.key);
		let mut first = Vec::new();
		if self.stored.is_some() {
			first.push(client.remove_record(key).await?);
		}
		let mut all = first.clone();
		for spare in spare.iter().filter(|spare| spare.there && spare.key != key) {
			all.push(client.remove_record(spare.key).await?);
		}
		let count = all.len() - first.len();
		if count <= BATCH {
			match self.enter(entries, &all, Some(list)).await {
				Err(error)
					if count > 0
						&& matches!(error.refusal(), Some(RecordPaidFor | UnknownRecord)) => {}
				entered => return Ok((entered?, true)),
			}
		}
		Ok((self.enter(entries, &first, Some(list)).await?, false))
	}

	/// Reports what was done since the folder had the list `old`.
	pub(super) fn report(
		&self,
		old: &List,
		list: &List,
		(place, done): (Place, Done),
	) -> SyncedFolder {
		let old = files_of(old);
		let (mut added, mut changed, mut same_paths) = (0, 0, 0);
		for file in self.files {
			match old.get(file.path.as_str()) {
				None => added += 1,
				Some(was) => {
					same_paths += 1;
					let is_same = was.hash == file.hash && was.executable == file.executable;
					changed += usize::from(!is_same);
				}
			}
		}
		SyncedFolder {
			list: Stored {
				place,
				done,
				resumed: self.so_far.resumed.unwrap_or(false),
				transactions: self.so_far.transactions,
			},
			location: self.location.url().to_owned(),
			files: self.files.len(),
			bytes: self
				.files
				.iter()
				.fold(0, |all, file| all.saturating_add(file.length)),
			added,
			changed,
			removed: old.len() - same_paths,
			packs: list.packs.len(),
			sent_packs: self.so_far.sent_packs,
			sent_bytes: self.so_far.sent_bytes,
			removed_packs: 0,
			kept: Vec::new(),
			deleted: Vec::new(),
		}
	}
}

/// Returns the files of a list by their paths.
fn files_of(list: &List) -> HashMap<&str, &folder::File> {
	let files = list.files.iter().map(|packed| &packed.file);
	let files = files.filter(|file| !file.folder);
	files.map(|file| (file.path.as_str(), file)).collect()
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::example::{leaf_key, RECORD};

	/// Its entry may be in a block although the node refused it.
	#[tokio::test]
	async fn a_list_is_only_deleted_if_no_node_got_its_entry() {
		let folder = tempfile::tempdir().unwrap();
		let journal = folder.path().join("journal");
		let url = format!("file://{}", folder.path().join("store").display());
		let location = objects::Location::open(&url).unwrap();
		let leaf = leaf_key(5);
		for is_sent in [true, false] {
			let upload = objects::Upload::new(&location, &leaf, &RECORD, &journal);
			let list = Cursor::new(vec![1; 9]);
			let sent = upload.run(list, Some(9), &mut |_| {}).await.unwrap();
			let name = sent.object.name();
			if is_sent {
				objects::entering(&journal, &name, 300).unwrap();
			}
			give_up_unsent(&journal, &location, &name).await;
			let checked = objects::check(&location, &sent.object, false, &mut |_| {}).await;
			assert_eq!(checked.failure.is_none(), is_sent);
			let noted = objects::unfinished(&journal).unwrap();
			assert_eq!(noted.is_some(), is_sent);
			objects::forget(&journal).unwrap();
		}
	}
}
