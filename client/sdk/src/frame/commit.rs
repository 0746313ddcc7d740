// SPDX-License-Identifier: Apache-2.0
//! Puts a frame on the chain: all parts and their list, in one transaction.

use super::{end::is_paid_for, error::at, part::entry, part_id, Frame, FrameError, Part};
use crate::{
	account::Identity,
	client::Client,
	error::{Error, UploadError},
	folder::{
		packed::{self, List, Pack, Packed},
		File,
	},
	object::of_entry,
	outcome::Included,
	sharing::epoch_id,
	tx::Pending,
	types::*,
	upload::free_place,
};
use isthmus_envelope::{EpochKeys, ObjectCipher};
use isthmus_objects::{check, Location};
use std::{collections::BTreeSet, io::Cursor};

/// A frame that is stored.
#[derive(Clone, Debug)]
pub struct StoredFrame {
	/// The place of the record that lists the parts.
	pub place: Place,
	/// The transaction that stored all of it.
	pub done: Included,
	/// How many parts it has.
	pub parts: usize,
	/// The total length of the parts in bytes.
	pub bytes: u64,
	/// Where the objects are.
	pub location: String,
	/// Whether no later record can have a leaf whose key tasks had. A reader's payment for the range prevents it.
	pub is_spent: bool,
	/// Why objects of attempts that are no part of the frame may be left in the store, if they may.
	pub left: Option<String>,
}

/// A part that was checked.
#[derive(Debug)]
pub(super) struct Checked {
	number: u16,
	place: Place,
	object: Object,
	salt: [u8; 32],
	/// The file that it is in the list.
	file: File,
}

impl Frame {
	/// Stores the entries of parts, one attempt of each, and of their list, in one transaction. In the list, the file of a
	/// part has the path that `path` returns for its number. Before that, looks whether each part is in the store and
	/// is encrypted with the key of its leaf. Then deletes what other attempts stored.
	///
	/// # Errors
	///
	/// Nothing is on the chain after an error, but after one of the [connection](Error::is_connection): [`abort`](Self::abort)
	/// finds out. Returns [`FrameError::NotThere`], [`FrameError::WrongKey`] or [`FrameError::Twice`] for a part that cannot be
	/// committed; [`UploadError::PlaceGone`] if another program took one of the leaves, or began an epoch; and the errors of
	/// [`Client::send`](crate::Client::send).
	pub async fn commit(
		&self,
		client: &Client,
		owner: &Identity,
		parts: &[Part],
		path: impl Fn(u16) -> String,
		finalized: bool,
	) -> Result<StoredFrame, FrameError> {
		self.check_owner(client, owner)?;
		let location = Location::open(&self.leaves.location)?;
		let (dataset, epoch) = (self.leaves.dataset, self.leaves.epoch);
		client.check_secret(owner, dataset, epoch).await?;
		let keys = owner.epoch_keys(&epoch_id(client, owner.id(), dataset, epoch))?;
		let mut checked = Vec::new();
		let mut numbers = BTreeSet::new();
		for part in parts {
			if !numbers.insert(part.number) {
				return Err(FrameError::Twice(part.number));
			}
			let file = path(part.number);
			checked.push(self.check_part(&location, &keys, part, file).await?);
		}
		let bytes = packed::to_bytes(&self.list_of(&checked))?;
		let place = self.list_place();
		let leaf = keys.leaf_key(place.leaf).map_err(Error::from)?;
		let (list, _) = self
			.send(&location, &place, &leaf, Cursor::new(bytes))
			.await?;
		let mut entries: Vec<(Place, Object)> = checked
			.iter()
			.map(|part| (part.place, part.object.clone()))
			.collect();
		entries.push((place, entry(&list)));
		let (mut pending, is_spent) = self.enter(client, owner, &entries).await?;
		let done = match finalized {
			true => pending.finalized().await?,
			false => pending.included().await?,
		};
		let salts = checked.iter().map(|part| part.salt);
		let kept = salts.chain([*list.header().salt()]).collect();
		let cleaned = self.leaves.clean(&location, &kept).await;
		let lengths = checked.iter().map(|part| part.file.length);
		Ok(StoredFrame {
			place,
			done,
			parts: checked.len(),
			bytes: lengths.fold(0, u64::saturating_add),
			location: location.url().to_owned(),
			is_spent,
			left: cleaned.err().map(|error| error.to_string()),
		})
	}

	/// Checks that a part has the frame's mark, is encrypted with the key of its leaf, and is in the store.
	pub(super) async fn check_part(
		&self,
		location: &Location,
		keys: &EpochKeys,
		part: &Part,
		path: String,
	) -> Result<Checked, FrameError> {
		let number = part.number;
		let place = self.place(number)?;
		let wrong = || FrameError::WrongKey(number);
		let object = of_entry(place.key, &part.object).map_err(|_| wrong())?;
		let leaf = keys.leaf_key(place.leaf).map_err(Error::from)?;
		let context = self.context(place.key);
		let opened = ObjectCipher::open(&leaf, &context, object.header());
		let salt = *object.header().salt();
		if opened.is_err() || !salt.starts_with(&self.leaves.mark) {
			return Err(wrong());
		}
		if let Some(failure) = check(location, &object, false, &mut |_| {}).await.failure {
			let url = location.url().to_owned();
			if failure.is_passing() {
				return Err(at(&url, failure).into());
			}
			return Err(FrameError::NotThere {
				number,
				url,
				failure,
			});
		}
		let file = File {
			path,
			executable: false,
			folder: false,
			length: object.header().length(),
			key: place.key,
			hash: part.hash,
		};
		Ok(Checked {
			number,
			place,
			object: part.object.clone(),
			salt,
			file,
		})
	}

	/// Returns the list of the parts: each is a pack with one file.
	pub(super) fn list_of(&self, checked: &[Checked]) -> List {
		let mut packs: Vec<Pack> = checked
			.iter()
			.map(|part| Pack {
				key: part.place.key,
				id: part_id(&self.leaves.mark, part.number),
				epoch: self.leaves.epoch,
				length: part.file.length,
			})
			.collect();
		packs.sort_by_key(|pack| pack.key);
		let mut files: Vec<Packed> = checked
			.iter()
			.map(|Checked { file, .. }| Packed {
				file: file.clone(),
				pack: packs.partition_point(|pack| pack.key < file.key) as u32,
				offset: 0,
			})
			.collect();
		files.sort_by(|one, other| one.file.path.cmp(&other.file.path));
		List { packs, files }
	}

	/// Sends the transaction with all entries, which also spends the leaves that no part took. If a reader has paid for the
	/// range, no leaf of it can be spent. Also returns whether they are spent.
	async fn enter(
		&self,
		client: &Client,
		owner: &Identity,
		entries: &[(Place, Object)],
	) -> Result<(Pending, bool), Error> {
		match self.submit(client, owner, entries, true).await {
			Err(error) if is_paid_for(&error) => {
				Ok((self.submit(client, owner, entries, false).await?, false))
			}
			sent => Ok((sent?, true)),
		}
	}

	/// Submits that transaction, unless a place was taken meanwhile.
	async fn submit(
		&self,
		client: &Client,
		owner: &Identity,
		entries: &[(Place, Object)],
		spends: bool,
	) -> Result<Pending, Error> {
		let taken: BTreeSet<Leaf> = entries.iter().map(|(place, _)| place.leaf).collect();
		let (taken, key, dataset) = (&taken, self.list, self.leaves.dataset);
		let make = |notes| async move {
			let best = client.best().await?;
			if best.record(owner.id(), key).await?.is_some() {
				return Err(UploadError::AlreadyStored(key).into());
			}
			let now = best.dataset(owner.id(), dataset).await?;
			if now.is_none_or(|now| now.epoch != self.leaves.epoch) {
				return Err(UploadError::PlaceGone.into());
			}
			let mut calls = Vec::new();
			for (place, object) in entries {
				let at = (*place, false);
				match free_place(client, owner, &best, &notes, at).await {
					Err(Error::Upload(UploadError::LeafTaken(_))) => {
						return Err(UploadError::PlaceGone.into());
					}
					free => free?,
				};
				calls.push(client.store_object(place, object).await?);
			}
			if spends {
				calls.extend(self.leaves.spending(client, owner, &best, taken).await?);
			}
			Ok((client.batch(&calls).await?, ()))
		};
		let (pending, ()) = client.submit_made(&owner.account, make).await?;
		Ok(pending)
	}
}
