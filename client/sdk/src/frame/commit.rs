// SPDX-License-Identifier: Apache-2.0
//! Puts a frame on the chain: all parts and their list, in one transaction.

use super::{
	end::is_paid_for, error::at, exposed::Exposed, part::entry, part_id, seen::View, Frame,
	FrameError, Part,
};
use crate::{
	account::Identity,
	anchor::LIFETIME,
	client::Client,
	error::{Error, UploadError},
	folder::{
		packed::{self, List, Pack, Packed},
		File,
	},
	object::of_entry,
	outcome::Included,
	refusal::PalletError,
	reserved,
	sharing::epoch_id,
	types::*,
	upload::{free_place_by, NotFree},
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
	/// Whether only records of the frame have, or ever can have, a leaf whose key tasks had. A reader's payment for the range
	/// prevents it, and another program that took one of the leaves. Programs of this machine do not take those that are left.
	pub is_spent: bool,
	/// The records of other programs that took such leaves: the frame's tasks could open them.
	pub exposed: Vec<Exposed>,
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
	/// is encrypted with the key of its leaf. Waits until it is proven that the frame is stored, by a finalized block, and then
	/// deletes what other attempts stored. Only the machine that planned the frame commits it.
	///
	/// # Errors
	///
	/// Nothing is on the chain after an error, but after one of the [connection](Error::is_connection): [`abort`](Self::abort)
	/// finds out. Returns [`FrameError::NotThere`], [`FrameError::WrongKey`] or [`FrameError::Twice`] for a part that cannot be
	/// committed; [`FrameError::GivenUp`] if it was given up or planned on another machine; [`FrameError::Exposed`] if another
	/// program took one of the leaves; [`UploadError::PlaceGone`] if one began an epoch; [`FrameError::NotProven`]; and the
	/// errors of [`Client::send`](crate::Client::send) and of [`Client::proven`].
	pub async fn commit(
		&self,
		client: &Client,
		owner: &Identity,
		parts: &[Part],
		path: impl Fn(u16) -> String,
	) -> Result<StoredFrame, FrameError> {
		self.check_owner(client, owner)?;
		let Some(_alone) = self.leaves.alone(client, owner.id()).await else {
			return Err(reserved::unlocked(&self.leaves.lock_name(owner.id())).into());
		};
		// It was planned on this machine, and not given up.
		let noted = reserved::of(client, owner.id(), &self.leaves.mark)?;
		if noted.is_none_or(|noted| noted.is_ended()) {
			return Err(FrameError::GivenUp);
		}
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
		let done = self.enter(client, owner, &entries).await?;
		let proven = client.proven_since(done.number()).await?;
		let view = View::Proven(&proven);
		let seen = self.leaves.seen(view, owner.id(), Some(self.list)).await?;
		let list_salt = *list.header().salt();
		if !seen.is_stored || !seen.salts.contains(&list_salt) {
			return Err(FrameError::NotProven);
		}
		if !seen.is_free {
			reserved::release(client, owner.id(), &self.leaves.mark).await?;
		}
		let salts = checked.iter().map(|part| part.salt);
		let kept = salts.chain([list_salt]).collect();
		let cleaned = self.leaves.clean(&location, &kept).await;
		let lengths = checked.iter().map(|part| part.file.length);
		Ok(StoredFrame {
			place,
			done,
			parts: checked.len(),
			bytes: lengths.fold(0, u64::saturating_add),
			location: location.url().to_owned(),
			is_spent: seen.is_spent(),
			exposed: seen.exposed,
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

	/// Stores all entries, and spends the leaves that no part took. If a reader has paid for the range, no leaf of it can be spent.
	/// Says so if other programs took leaves.
	async fn enter(
		&self,
		client: &Client,
		owner: &Identity,
		entries: &[(Place, Object)],
	) -> Result<Included, FrameError> {
		let entered = match self.submit(client, owner, entries, true).await {
			Err(error) if is_paid_for(&error) => self.submit(client, owner, entries, false).await,
			done => done,
		};
		match entered {
			Err(Error::Upload(UploadError::FrameEnded)) => Err(FrameError::GivenUp),
			Err(error) if is_taken(&error) => {
				let best = client.best().await?;
				let view = View::Best(&best);
				let seen = self.leaves.seen(view, owner.id(), Some(self.list)).await?;
				match seen.exposed.is_empty() {
					true => Err(error.into()),
					false => Err(FrameError::Exposed(seen.exposed)),
				}
			}
			done => Ok(done?),
		}
	}

	/// Sends that transaction, unless a place was taken meanwhile, and waits until it is final.
	async fn submit(
		&self,
		client: &Client,
		owner: &Identity,
		entries: &[(Place, Object)],
		spends: bool,
	) -> Result<Included, Error> {
		let taken: BTreeSet<Leaf> = entries.iter().map(|(place, _)| place.leaf).collect();
		let (taken, key, dataset, mark) =
			(&taken, self.list, self.leaves.dataset, &self.leaves.mark);
		let make = |notes| async move {
			let best = client.best().await?;
			if best.record(owner.id(), key).await?.is_some() {
				return Err(UploadError::AlreadyStored(key).into());
			}
			let now = best.dataset(owner.id(), dataset).await?;
			if now.is_none_or(|now| now.epoch != self.leaves.epoch) {
				return Err(UploadError::PlaceGone.into());
			}
			let epoch = (dataset, self.leaves.epoch);
			let not_free = NotFree::read(client, owner, &notes, Some(mark), epoch)?;
			let mut calls = Vec::new();
			for (place, object) in entries {
				match free_place_by(client, owner, &best, &not_free, (*place, false)).await {
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
			let call = client.batch(&calls).await?;
			// It is signed for a block that is not much later than this one.
			let until = best.block().number.saturating_add(2 * LIFETIME);
			reserved::sent(client, owner.id(), mark, until).await?;
			Ok((call, ()))
		};
		let (mut pending, ()) = client.submit_made(&owner.account, make).await?;
		pending.finalized().await
	}
}

/// Returns whether something else has one of the leaves.
fn is_taken(error: &Error) -> bool {
	matches!(error, Error::Upload(UploadError::PlaceGone))
		|| matches!(error.refusal(), Some(PalletError::LeafTaken))
}
