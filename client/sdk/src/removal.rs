// SPDX-License-Identifier: Apache-2.0
//! Removes a record, or a folder with its files.

use crate::{
	account::Identity,
	client::Client,
	error::Error,
	folder::{self, packed},
	object::is_compressed,
	paid::{PaidFor, Sales},
	progress::Progress,
	reading::Reading,
	records::records,
	sharing::epoch_id,
	sync_folder::pack_key,
	tx::Pending,
	types::{AccountId, RecordKey},
	upload::{complete, settled},
	upload_folder::{stored_of, LocalFolder},
};
use std::{collections::BTreeSet, io};

/// How many records are looked up together.
const TOGETHER: usize = 256;

/// A record to be removed, with its files if it is a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
	key: RecordKey,
	/// What is in it, if it is a folder.
	parts: Option<Parts>,
	/// Whether the record itself stays: it is complete, and the parts are what another upload has left.
	stays: bool,
}

/// The records with the files of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
	/// Their keys.
	keys: Vec<RecordKey>,
	/// The paths of the files in them, in the same order; empty if they are packs, or the paths are not known.
	paths: Vec<String>,
	/// How many files are in them, if they are packs; else each is a file.
	packed: Option<usize>,
}

impl Parts {
	/// Returns how many files are in this number of the records, and how many packs these are. What is left of a packed folder
	/// after an interruption has all of its files in the list.
	fn counts(&self, records: usize) -> (usize, Option<usize>) {
		match self.packed {
			Some(files) => (files, Some(records)),
			None => (records, None),
		}
	}
}

/// A record that is being removed.
pub struct Removed {
	/// The transaction that removes the record, which the node accepted.
	pub last: Pending,
	/// How many files were removed with a folder; `None` if the record is not a folder.
	pub files: Option<usize>,
	/// How many packs with these files were removed; `None` if the record is not a packed folder.
	pub packs: Option<usize>,
}

impl Removal {
	/// Prepares to remove one record and nothing else.
	pub fn alone(key: RecordKey) -> Self {
		Self {
			key,
			parts: None,
			stays: false,
		}
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
		let (mut in_packs, mut paths) = (None, Vec::new());
		let own: Vec<(RecordKey, RecordKey)> = if let Ok(list) = packed::from_bytes(&list.0) {
			let mut own = Vec::new();
			for pack in &list.packs {
				own.push((pack.key, pack_key(&root(pack.epoch)?, &key, &pack.id)));
			}
			let files = list.files.iter().filter(|packed| !packed.file.folder);
			in_packs = Some(files.count());
			own
		} else if let Ok(files) = folder::from_bytes(&list.0) {
			let root = root(record.epoch)?;
			let files = files.iter().filter(|file| !file.folder);
			paths = files.clone().map(|file| file.path.clone()).collect();
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
			parts: Some(Parts {
				keys: own.into_iter().map(|(listed, _)| listed).collect(),
				paths,
				packed: in_packs,
			}),
			stays: false,
		})
	}

	/// Prepares to remove what an unfinished upload of a folder has stored under a name. The records of its files have
	/// keys that follow from their paths, so the folder has to be the one that was stored. A record under the name that is
	/// complete stays, with its files: then only what other uploads have left is removed. Returns `None` if there is nothing.
	///
	/// # Errors
	///
	/// Returns the errors of [`stored_of`] and, if the record is complete, those of [`find`](Self::find): which files are its
	/// own has to be known.
	pub async fn unfinished(
		client: &Client,
		owner: &Identity,
		key: RecordKey,
		folder: &LocalFolder,
	) -> Result<Option<Self>, Error> {
		// An earlier upload's transactions may still be in flight.
		settled(client, owner.account.id()).await?;
		let best = client.best().await?;
		let stays = complete(&best, owner.id(), key).await?.is_some();
		let own: BTreeSet<RecordKey> = match stays {
			true => Self::find(client, owner, key, &mut ())
				.await?
				.keys()
				.collect(),
			false => BTreeSet::new(),
		};
		let mut stored = stored_of(client, owner, key, folder).await?;
		stored.retain(|record| !own.contains(record));
		let is_none = stored.is_empty();
		stored.retain(|record| *record != key);
		Ok((!is_none).then_some(Self {
			key,
			parts: Some(Parts {
				keys: stored,
				paths: Vec::new(),
				packed: None,
			}),
			stays,
		}))
	}

	/// Returns whether the record itself stays, and only what an unfinished upload has left is removed.
	pub fn stays(&self) -> bool {
		self.stays
	}

	/// Returns the record's key.
	pub fn key(&self) -> RecordKey {
		self.key
	}

	/// Returns the keys of all records that are removed, the record's own last.
	pub fn keys(&self) -> impl Iterator<Item = RecordKey> + '_ {
		let parts = self.parts.iter().flat_map(|parts| &parts.keys);
		let own = (!self.stays).then_some(self.key);
		parts.copied().chain(own)
	}

	/// Returns the number of files to remove with the record; `None` if it is not a folder.
	pub fn files(&self) -> Option<usize> {
		let parts = self.parts.as_ref()?;
		Some(parts.counts(parts.keys.len()).0)
	}

	/// Returns the number of packs with these files; `None` if the record is not a packed folder.
	pub fn packs(&self) -> Option<usize> {
		let parts = self.parts.as_ref()?;
		parts.counts(parts.keys.len()).1
	}

	/// Returns the first of the records that a reader has paid for: it keeps the removal from going on. `None` if there is none.
	///
	/// # Errors
	///
	/// Returns connection errors.
	pub async fn paid_for(
		&self,
		client: &Client,
		owner: &AccountId,
	) -> Result<Option<PaidFor>, Error> {
		let best = client.best().await?;
		let mut sales = Sales::new(&best, owner);
		let keys: Vec<RecordKey> = self.keys().collect();
		let paths = self.parts.iter().flat_map(|parts| &parts.paths);
		let mut paths = paths.cloned();
		for keys in keys.chunks(TOGETHER) {
			let found = records(client, &best, owner, keys).await?;
			for (key, record) in keys.iter().zip(found) {
				let path = paths.next();
				let Some(record) = record else { continue };
				if let Some(until) = sales.until(&record).await? {
					return Ok(Some(PaidFor {
						key: *key,
						dataset: record.dataset,
						epoch: record.epoch,
						leaf: record.leaf,
						path,
						until: Some(until),
					}));
				}
			}
		}
		Ok(None)
	}

	/// Removes the files' records first and then the record, so that an interrupted removal can be run again.
	/// Files whose records were already removed are skipped. Does not wait for the last transaction's block. Reports progress
	/// if it takes several transactions.
	///
	/// # Errors
	///
	/// Returns the error of the first transaction that fails: the transactions before it have taken effect. Returns
	/// [`Error::NothingLeft`] if another program has removed everything meanwhile.
	pub async fn run(
		self,
		client: &Client,
		owner: &Identity,
		progress: &mut impl Progress,
	) -> Result<Removed, Error> {
		let best = client.best().await?;
		let keys = self.parts.iter().flat_map(|parts| &parts.keys);
		let keys: Vec<RecordKey> = keys.copied().collect();
		let mut calls = Vec::new();
		for keys in keys.chunks(TOGETHER) {
			let found = records(client, &best, owner.id(), keys).await?;
			for (key, record) in keys.iter().zip(found) {
				if record.is_some() {
					calls.push(client.remove_record(*key).await?);
				}
			}
		}
		let counts = self.parts.as_ref().map(|parts| parts.counts(calls.len()));
		// The files of an unfinished upload have no list yet, or one of another upload.
		let is_there = best.record(owner.id(), self.key).await?.is_some();
		if !self.stays && (calls.is_empty() || is_there) {
			calls.push(client.remove_record(self.key).await?);
		}
		match client.submit_all(&owner.account, &calls, progress).await? {
			Some(last) => Ok(Removed {
				last,
				files: counts.map(|(files, _)| files),
				packs: counts.and_then(|(_, packs)| packs),
			}),
			// In any other case there is at least one call, for the record itself.
			None => Err(Error::NothingLeft),
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn files_are_counted_and_not_their_packs() {
		let key = RecordKey::from([7; 32]);
		let removal = |packed| Removal {
			key,
			parts: Some(Parts {
				keys: vec![[1; 32].into(), [2; 32].into()],
				paths: Vec::new(),
				packed,
			}),
			stays: false,
		};
		let counts = |removal: &Removal| (removal.files(), removal.packs());
		assert_eq!(counts(&Removal::alone(key)), (None, None));
		assert_eq!(counts(&removal(None)), (Some(2), None));
		let packed = removal(Some(1_000));
		assert_eq!(counts(&packed), (Some(1_000), Some(2)));
		assert_eq!(packed.keys().count(), 3);
		// What another upload has left goes without the record.
		let left = Removal {
			stays: true,
			..packed
		};
		assert!(left.keys().all(|removed| removed != key));
	}
}
