// SPDX-License-Identifier: Apache-2.0
//! Chooses the leaves of a frame.

use super::{
	error::{at, FrameError},
	mark_of, part_id, read_mark, Frame, Leaves, MAX_PARTS,
};
use crate::{
	account::Identity,
	client::Client,
	error::{Error, UploadError},
	reserved::{self, Reserved},
	sharing::epoch_id,
	sync_folder::pack_key,
	turn::Turn,
	types::*,
	upload::{
		free_place_by, location_to_write, lock_objects, next_leaf, objects_lock, settled,
		Interrupted, NotFree,
	},
};
use isthmus_envelope::{random_bytes, EpochKeys, KeySet};
use isthmus_objects::Location;
use subxt::utils::H256;

/// A frame that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameAsked {
	/// The key of the record that will list the parts.
	pub key: RecordKey,
	/// The owner's dataset.
	pub dataset: DatasetId,
	/// The leaf of the first part; `None` for the next one from which on enough leaves are free.
	pub leaf: Option<Leaf>,
	/// How many parts the frame may have.
	pub parts: u16,
}

impl Frame {
	/// Plans a frame in the dataset's current epoch. Also returns the keys of its parts' leaves.
	///
	/// Notes on this machine that the leaves are planned, until the frame is committed or given up: no program of this user
	/// stores anything else there, or plans them for another frame, also if this one is killed. Leaves the frame's mark in
	/// the store, which other machines find that plan a frame later. But a program on another machine that stores a record, or
	/// synchronises a folder, looks at the chain alone, and may take a leaf: then the frame cannot be committed.
	///
	/// Waits until no other program of this machine sends an object to the dataset, because that has a leaf already. Passes over
	/// leaves for which an interrupted upload of this machine may have stored something: tasks could open it.
	///
	/// # Errors
	///
	/// Returns [`FrameError::Parts`] for too many parts or none, [`UploadError::AlreadyStored`] if there is a record with the
	/// key, [`UploadError::LeafTaken`] if leaves from the given one on are taken or planned, [`Error::Io`] if they cannot be noted, [`Error::Cost`] if the account cannot, or may
	/// not, pay for the entries, and the errors of [`location_to_write`].
	pub async fn plan(
		client: &Client,
		owner: &Identity,
		asked: FrameAsked,
	) -> Result<(Self, KeySet), FrameError> {
		let FrameAsked {
			key,
			dataset,
			parts: got,
			..
		} = asked;
		if !(1..=MAX_PARTS).contains(&got) {
			let most = MAX_PARTS;
			return Err(FrameError::Parts { most, got });
		}
		settled(client, owner.account.id()).await?;
		let best = client.best().await?;
		if best.record(owner.id(), key).await?.is_some() {
			return Err(Error::from(UploadError::AlreadyStored(key)).into());
		}
		let owned = *owner.id();
		let entry = best.dataset(&owned, dataset).await?;
		let none = Error::NoSuchDataset {
			owner: owned,
			dataset,
		};
		let epoch = entry.ok_or(none)?.epoch;
		client.check_secret(owner, dataset, epoch).await?;
		let location = location_to_write(client, owner.id(), dataset).await?;
		let id = epoch_id(client, owner.id(), dataset, epoch);
		let keys = owner.epoch_keys(&id)?;
		let random = random_bytes().map_err(Error::from)?;
		let [a, b, c, d, ..] = random;
		let place = (dataset, epoch, [a, b, c, d]);
		let leaves = reserved_leaves(client, owner, (&location, &keys), place, asked).await?;
		let mark = leaves.mark;
		let frame = Self {
			genesis: client.genesis(),
			owner: owned,
			list: key,
			parts: (0..got)
				.map(|number| pack_key(&keys, &key, &part_id(&mark, number)))
				.collect(),
			leaves,
		};
		let prepared = frame.prepare(client, owner, &location).await;
		if prepared.is_err() {
			// No task has the keys. If this fails, the leaves stay planned, which does no harm.
			let _ = reserved::release(client, owner.id(), &mark).await;
		}
		prepared?;
		let opened = keys.key_set(frame.leaves.range()?).map_err(Error::from)?;
		Ok((frame, opened))
	}

	/// Checks that the frame can be paid for, and leaves its mark in the store.
	async fn prepare(
		&self,
		client: &Client,
		owner: &Identity,
		location: &Location,
	) -> Result<(), FrameError> {
		self.check_cost(client, owner).await?;
		let marked = location.set_mark(&self.leaves.mark).await;
		marked.map_err(|failure| at(location.url(), failure))?;
		Ok(())
	}

	/// Checks that the account can, and may, pay for the entries of all parts and the list. Each costs the same.
	async fn check_cost(&self, client: &Client, owner: &Identity) -> Result<(), Error> {
		let any = Object {
			header: [0; object::HEADER_SIZE],
			length: 0,
			root: H256::zero(),
		};
		let entries = self.leaves.parts.saturating_add(1);
		let entries: Vec<(Place, Object)> = (0..entries)
			.map(|number| (self.leaves.place(self.list, number), any.clone()))
			.collect();
		let cost = client.cost(&client.store_objects(&entries).await?).await?;
		client.check_cost(owner.account.id(), cost).await
	}
}

/// Chooses leaves: the first ones from which on there is a free one for each part, and for the list. Notes on this machine that
/// they are planned, before any other program of this user chooses one.
async fn reserved_leaves(
	client: &Client,
	owner: &Identity,
	(location, keys): (&Location, &EpochKeys),
	(dataset, epoch, random): (DatasetId, Epoch, [u8; 4]),
	asked: FrameAsked,
) -> Result<Leaves, FrameError> {
	reserved::check_home(owner.id())?;
	// An object that is being sent has chosen its leaf, and takes it in the end.
	let Some(_objects) = lock_objects(client, owner.id(), dataset).await else {
		return Err(reserved::unlocked(&objects_lock(owner.id(), dataset)).into());
	};
	let turn = Turn::take(client, owner.account.id()).await?;
	let at = |leaf| Place {
		key: asked.key,
		dataset,
		epoch,
		leaf,
	};
	let not_free = NotFree::read(client, owner, turn.notes(), None, (dataset, epoch))?;
	let not_free = not_free.or_interrupted(Interrupted::of(owner.id()).await?);
	let mut from = asked.leaf;
	let first = loop {
		let first = free_leaves(client, owner, &not_free, at, (from, asked)).await?;
		match marked_after(location, keys, first, asked.parts).await? {
			None => break first,
			Some(_) if asked.leaf.is_some() => {
				return Err(Error::from(UploadError::LeafTaken(at(first))).into());
			}
			Some(next) => from = Some(next),
		}
	};
	let leaves = Leaves {
		dataset,
		epoch,
		first,
		parts: asked.parts,
		mark: mark_of(keys, first, asked.parts, random),
		location: location.url().to_owned(),
	};
	let noted = Reserved::new(client.genesis(), &at(first), asked.parts, leaves.mark);
	reserved::reserve(client, owner.id(), noted).await?;
	Ok(leaves)
}

/// Returns the first leaf from which on there is a free one for each part, and for the list, by the chain and what is noted on
/// this machine.
async fn free_leaves(
	client: &Client,
	owner: &Identity,
	not_free: &NotFree<'_>,
	at: impl Fn(Leaf) -> Place,
	(from, asked): (Option<Leaf>, FrameAsked),
) -> Result<Leaf, Error> {
	let best = client.best().await?;
	let Place { dataset, epoch, .. } = at(0);
	let mut first = match from {
		Some(leaf) => leaf,
		None => best.free_leaf(owner.id(), dataset, epoch).await?,
	};
	loop {
		let end = first.checked_add(asked.parts.into());
		let end = end.ok_or(Error::NoFreeLeaf { dataset, epoch })?;
		let mut taken = None;
		for leaf in first..=end {
			let place = (at(leaf), false);
			match free_place_by(client, owner, &best, not_free, place).await {
				Ok(_) => {}
				Err(Error::Upload(UploadError::LeafTaken(place))) if asked.leaf.is_none() => {
					taken = Some(place);
				}
				Err(error) => return Err(error),
			}
		}
		match taken {
			None => return Ok(first),
			Some(last) => first = next_leaf(&last)?,
		}
	}
}

/// Looks in the store for marks of frames that have one of these leaves. Returns the leaf after theirs; `None` if there are
/// none.
async fn marked_after(
	location: &Location,
	keys: &EpochKeys,
	first: Leaf,
	parts: u16,
) -> Result<Option<Leaf>, Error> {
	let earliest = first.saturating_sub(MAX_PARTS.into()).to_be_bytes();
	let end = first.saturating_add(parts.into());
	let found = location.marked(&earliest, &end.to_be_bytes()).await;
	let found = found.map_err(|failure| at(location.url(), failure))?;
	let read = found
		.iter()
		.filter_map(|object| read_mark(keys, &object.mark()));
	Ok(last_overlap(read, first, end).map(|last| last.saturating_add(1)))
}

/// Returns the last leaf of the frames that have one of these.
fn last_overlap(frames: impl Iterator<Item = (Leaf, u16)>, first: Leaf, end: Leaf) -> Option<Leaf> {
	frames
		.map(|(from, parts)| (from, from.saturating_add(parts.into())))
		.filter(|(from, to)| *from <= end && first <= *to)
		.map(|(_, to)| to)
		.max()
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::example::epoch_keys;

	#[test]
	fn leaves_of_marks_in_the_store_are_passed_over() {
		// Leaves 4 to 7, and 20 to 22: the last of each is the list's.
		let overlap = |first, end| last_overlap([(4, 3), (20, 2)].into_iter(), first, end);
		for (first, end, last) in [
			(0, 3, None),
			(0, 4, Some(7)),
			(7, 9, Some(7)),
			(8, 19, None),
			(5, 20, Some(22)),
			(23, 40, None),
		] {
			assert_eq!(overlap(first, end), last, "{first}..={end}");
		}
	}

	#[tokio::test]
	async fn a_mark_of_this_epoch_in_the_store_is_found() {
		let folder = tempfile::tempdir().unwrap();
		let location = Location::open(&format!("file://{}", folder.path().display())).unwrap();
		let school = Identity::development("//Bob").unwrap();
		let keys = |epoch| epoch_keys(&school, epoch);
		let mark = mark_of(&keys(5), 300, 3, [9; 4]);
		location.set_mark(&mark).await.unwrap();
		for (epoch, first, next) in [
			(5, 299, Some(304)),
			(5, 303, Some(304)),
			(5, 304, None),
			(6, 299, None),
		] {
			let found = marked_after(&location, &keys(epoch), first, 1)
				.await
				.unwrap();
			assert_eq!(found, next, "{epoch} {first}");
		}
	}
}
