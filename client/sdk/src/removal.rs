// SPDX-License-Identifier: Apache-2.0
//! Removes a record, or a folder with its files.

use crate::{
	account::Identity,
	client::Client,
	error::Error,
	folder::{self, packed},
	object::is_compressed,
	progress::Progress,
	reading::Reading,
	sharing::epoch_id,
	sync_folder::pack_key,
	tx::Pending,
	types::RecordKey,
	upload::{complete, settled},
	upload_folder::{stored_of, LocalFolder},
};
use std::io;

/// A record to be removed, with its files if it is a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
	key: RecordKey,
	/// The keys of the records of the files or the packs, if the record is a folder.
	files: Option<Vec<RecordKey>>,
}

/// A record that is being removed.
pub struct Removed {
	/// The transaction that removes the record, which the node accepted.
	pub last: Pending,
	/// How many records of a folder's files, or of packs of them, were removed; `None` if the record is not a folder.
	pub files: Option<usize>,
}

impl Removal {
	/// Prepares to remove one record and nothing else.
	pub fn alone(key: RecordKey) -> Self {
		Self { key, files: None }
	}

	/// Reads a record to find out whether it is a folder, and prepares to remove it with its files.
	///
	/// # Errors
	///
	/// Returns [`Error::Malformed`] if the record looks like a folder but names records that are not its own
	/// files, and the errors of [`Reading::open`] and [`Reading::run`].
	pub async fn find(
		client: &Client,
		owner: &Identity,
		key: RecordKey,
		progress: &mut impl Progress,
	) -> Result<Self, Error> {
		let alone = Self::alone(key);
		let best = client.best().await?;
		let Some(record) = complete(&best, owner.id(), key).await? else {
			return Ok(alone);
		};
		if is_compressed(&record) {
			return Ok(alone);
		}
		let reading = Reading::open(client, owner, owner.id(), key).await?;
		if reading.length() > folder::MAX_LENGTH as u64 {
			return Ok(alone);
		}
		let mut list = List(Vec::new());
		match reading.run(&mut list, 0, progress).await {
			Err(Error::Io(_)) => return Ok(alone),
			read => read?,
		}
		// A value could be crafted to look like a folder that lists other records. Their keys would not match.
		let root = |epoch| owner.epoch_keys(&epoch_id(client, owner.id(), record.dataset, epoch));
		let own: Vec<(RecordKey, RecordKey)> = if let Ok(list) = packed::from_bytes(&list.0) {
			let mut own = Vec::new();
			for pack in &list.packs {
				own.push((pack.key, pack_key(&root(pack.epoch)?, &key, &pack.id)));
			}
			own
		} else if let Ok(files) = folder::from_bytes(&list.0) {
			let root = root(record.epoch)?;
			let files = files.iter().filter(|file| !file.folder);
			files
				.map(|file| (file.key, root.file_key(&key.0, &file.path).into()))
				.collect()
		} else {
			return Ok(alone);
		};
		if own.iter().any(|(listed, derived)| listed != derived) {
			return Err(Error::Malformed {
				key,
				reason: "it reads as a folder, but names records that are not its files",
			});
		}
		Ok(Self {
			key,
			files: Some(own.into_iter().map(|(listed, _)| listed).collect()),
		})
	}

	/// Prepares to remove what an unfinished upload of a folder has stored under a name. The records of its files have
	/// keys that follow from their paths, so the folder has to be the one that was stored.
	///
	/// # Errors
	///
	/// Returns the errors of [`stored_of`].
	pub async fn unfinished(
		client: &Client,
		owner: &Identity,
		key: RecordKey,
		folder: &LocalFolder,
	) -> Result<Option<Self>, Error> {
		// An earlier upload's transactions may still be in flight.
		settled(client, owner.account.id()).await?;
		let mut files = stored_of(client, owner, key, folder).await?;
		let is_none = files.is_empty();
		files.retain(|file| *file != key);
		Ok((!is_none).then_some(Self {
			key,
			files: Some(files),
		}))
	}

	/// Returns the record's key.
	pub fn key(&self) -> RecordKey {
		self.key
	}

	/// Returns the keys of all records that are removed.
	pub fn keys(&self) -> impl Iterator<Item = RecordKey> + '_ {
		self.files.iter().flatten().copied().chain([self.key])
	}

	/// Returns the number of records of files, or of packs of files, to remove with the record; `None` if it is not a folder.
	pub fn files(&self) -> Option<usize> {
		self.files.as_ref().map(Vec::len)
	}

	/// Removes the files' records first and then the record, so that an interrupted removal can be run again.
	/// Files whose records were already removed are skipped. Does not wait for the last transaction's block.
	///
	/// # Errors
	///
	/// Returns the error of the first transaction that fails. The transactions before it have taken effect.
	pub async fn run(self, client: &Client, owner: &Identity) -> Result<Removed, Error> {
		let best = client.best().await?;
		let mut calls = Vec::new();
		for key in self.files.iter().flatten() {
			if best.record(owner.id(), *key).await?.is_some() {
				calls.push(client.remove_record(*key).await?);
			}
		}
		let files = self.files.map(|_| calls.len());
		// The files of an unfinished upload have no list yet.
		if calls.is_empty() || best.record(owner.id(), self.key).await?.is_some() {
			calls.push(client.remove_record(self.key).await?);
		}
		match client.submit_all(&owner.account, &calls).await? {
			Some(last) => Ok(Removed { last, files }),
			// This does not happen: there is at least one call, which removes the record itself.
			None => Err(Error::Incompatible("nothing was sent".into())),
		}
	}
}

/// Collects a folder's list. Fails as soon as the bytes cannot be the start of a list.
struct List(Vec<u8>);

impl io::Write for List {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		self.0.extend_from_slice(bytes);
		let start = &self.0[..self.0.len().min(folder::LABEL.len())];
		match folder::LABEL.starts_with(start) || packed::LABEL.starts_with(start) {
			true => Ok(bytes.len()),
			false => Err(io::ErrorKind::InvalidData.into()),
		}
	}

	fn flush(&mut self) -> io::Result<()> {
		Ok(())
	}
}
