// SPDX-License-Identifier: Apache-2.0
//! What a keeper does: it copies the objects of a dataset, follows what is stored and removed, and proves in every period.
//!
//! All that it needs from the chain is [proven](crate::proven). It copies ciphertext, and needs no grant.

mod copying;
mod proving;

use super::chain::Challenge;
use crate::{
	account::Identity,
	client::{Client, Depth},
	error::Error,
	file,
	lock::{self, Held, NotHeld},
	manifest::content_hash,
	object::{of_entry, salt_of, Locations},
	outcome::Included,
	proven::Proven,
	types::*,
};
use copying::{Copied, Copying};
use isthmus_light::storage;
use isthmus_objects::{
	check, copy, copy_again, CopyError, Failure, Left, Location as Store,
	LocationError as StoreError,
};
use isthmus_storage_proof::periods::{first_drawn_after, Period};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	future::{pending, Future},
	pin::pin,
	time::{Instant, SystemTime, UNIX_EPOCH},
};

/// What to keep, and where.
#[derive(Clone, Debug)]
pub struct Keeping {
	owner: AccountId,
	dataset: DatasetId,
	at: Store,
	once: bool,
	/// Whether the account had a place since this began. One that is lost is not taken again: that costs another deposit.
	had_place: bool,
}

impl Keeping {
	/// Keeps a dataset of an owner in a folder of its own below a location: the names of objects are chosen by those who
	/// store them, so that two owners could choose the same. Objects there that the dataset does not have are deleted, once the
	/// chain says that the account keeps its copy there.
	///
	/// # Errors
	///
	/// Returns an error if the location or the store's settings are wrong.
	pub fn open(owner: AccountId, dataset: DatasetId, at: &str) -> Result<Self, StoreError> {
		Ok(Self {
			at: Store::open(&folder(at, &owner, dataset))?,
			owner,
			dataset,
			once: false,
			had_place: false,
		})
	}

	/// Returns where the copy is.
	pub fn location(&self) -> &Store {
		&self.at
	}

	/// Ends once there is nothing more to do at this time.
	pub fn once(self) -> Self {
		Self { once: true, ..self }
	}
}

/// Returns the folder of a dataset's copies below a location.
fn folder(at: &str, owner: &AccountId, dataset: DatasetId) -> String {
	let at = at.trim_end_matches('/');
	let owner = hex::encode(owner.0);
	format!("{at}/{owner}/{dataset}")
}

/// Something that a keeper did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
	/// It copied an object.
	Copied {
		/// The key of the object's record.
		key: RecordKey,
		/// The object's length in bytes.
		length: u64,
		/// Whether its own copy was wrong.
		again: bool,
	},
	/// It could not copy an object, and tries again later.
	NotCopied {
		/// The key of the object's record.
		key: RecordKey,
		/// Why not.
		error: CopyError,
	},
	/// An object's entry on the chain is not that of an object, so that it cannot be found at any location.
	Unusable {
		/// The key of the object's record.
		key: RecordKey,
	},
	/// It deleted its copy of an object that was removed.
	Deleted {
		/// The key of the object's record.
		key: RecordKey,
	},
	/// It deleted a copy that is of no object of the dataset: its record was removed when this program did not run, or while it
	/// was being copied.
	Tidied {
		/// The object's name at all locations.
		object: String,
	},
	/// A copy of a removed object could not be deleted. It tries again in the next period.
	NotDeleted {
		/// Why not.
		failure: Failure,
	},
	/// The store did not list the copies, so those of objects that were removed when this program did not run may be left. It
	/// tries again in the next period.
	NotListed {
		/// Why not.
		failure: Failure,
	},
	/// It took its place, or says on the chain that its copy is at another location.
	Came {
		/// The transaction.
		included: Included,
	},
	/// It proved what was drawn.
	Proven {
		/// What was drawn.
		challenge: Box<Challenge>,
		/// The transaction.
		included: Included,
	},
	/// The drawn object was stored too late for this period, so that nothing was to be proven.
	Excused {
		/// The transaction.
		included: Included,
	},
	/// It could not prove what was drawn, and tries again in the same period.
	NotProven {
		/// The period.
		period: Period,
		/// The key of the object's record.
		key: RecordKey,
		/// What is wrong with the copy, or why the chain refused the proof.
		reason: String,
	},
}

/// What a look at a block showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
	/// The block.
	pub block: BlockNumber,
	/// The period of the block.
	pub period: Period,
	/// How many objects are copied.
	pub copied: usize,
	/// How many objects the dataset has, without those that cannot be kept.
	pub objects: usize,
	/// The account's place in that block, with all periods counted that are over; `None` if it had none.
	pub place: Option<Keeper>,
}

/// Receives what [`keep`] does.
pub trait Watch {
	/// Receives a step.
	fn did(&mut self, step: Step);

	/// Receives what a look at a block showed, after everything was done that was to be done then.
	fn looked(&mut self, _look: &Look) {}
}

impl<Tell: FnMut(Step)> Watch for Tell {
	fn did(&mut self, step: Step) {
		self(step);
	}
}

/// Keeps a dataset's objects until an error occurs. It takes its place among the keepers once everything is copied.
///
/// # Errors
///
/// Returns [`Error::Keeper`] if the account has lost its place, or has given it up because it would have lost it with one more
/// period: what to do is for the user to decide. Returns [`Error::KeptByAnother`] if another program on this machine keeps copies at
/// the same location, and [`Error::Connection`] if the connection is lost, and the errors of the node: call this function again with the same
/// [`Keeping`] after a while.
pub async fn keep(
	client: &Client,
	keeper: &Identity,
	keeping: &mut Keeping,
	watch: impl Watch,
) -> Result<(), Error> {
	keep_until(pending(), client, keeper, keeping, watch).await
}

/// Keeps like [`keep`] until `stop` is ready. A transaction in flight is waited for then, and what is being copied is copied
/// by the next call.
///
/// # Errors
///
/// Returns the errors of [`keep`].
pub async fn keep_until(
	stop: impl Future<Output = ()>,
	client: &Client,
	keeper: &Identity,
	keeping: &mut Keeping,
	watch: impl Watch,
) -> Result<(), Error> {
	let mut stop = pin!(stop);
	let _alone = alone(client, keeping.at.url())?;
	let begin = async {
		let heads = client.heads_at(Depth::Final).await?;
		Ok::<_, Error>((heads, client.best().await?))
	};
	let (mut heads, best) = tokio::select! {
		biased;
		() = &mut stop => return Ok(()),
		started = begin => started?,
	};
	let mut service = Service {
		client,
		keeper,
		keeping,
		watch,
		period_length: best.constant_of(KEEPERS, "DefaultPeriod")?,
		most_missed: best.constant_of(KEEPERS, "MaxMissed")?,
		sources: Vec::new(),
		objects: BTreeMap::new(),
		unusable: BTreeMap::new(),
		waiting: VecDeque::new(),
		copying: Copying::default(),
		listed: None,
		listed_at: 0,
		listed_time: 0,
		is_tidy: false,
		tidy_from: 0,
		refused: (0, 0),
		proven_in: None,
		repaired_in: None,
	};
	loop {
		let Some(is_done) = service.look(&mut stop).await? else {
			return Ok(());
		};
		if service.keeping.once && is_done {
			return Ok(());
		}
		let mut next = pin!(heads.next());
		loop {
			service.copy_next();
			tokio::select! {
				head = &mut next => { head?; break }
				Some((key, copied)) = service.copying.next() => {
					service.copied(key, copied);
					if service.is_settled() {
						break;
					}
				}
				() = &mut stop => return Ok(()),
			}
		}
	}
}

/// An object of the dataset.
struct Known {
	object: isthmus_objects::Object,
	/// Whether the copy is there.
	here: bool,
	/// Whether the copy could not be proven, so that all of it is to be checked.
	damaged: bool,
}

/// A running [`keep`].
struct Service<'a, W> {
	client: &'a Client,
	keeper: &'a Identity,
	keeping: &'a mut Keeping,
	watch: W,
	/// The runtime's length of periods.
	period_length: u32,
	/// Who missed this many periods in a row loses its place.
	most_missed: u32,
	/// The owner's locations.
	sources: Vec<Store>,
	/// The dataset's objects.
	objects: BTreeMap<RecordKey, Known>,
	/// The entries that are not those of objects, with the salts that they have. Copies with these salts stay.
	unusable: BTreeMap<RecordKey, [u8; 32]>,
	/// What is to be copied.
	waiting: VecDeque<RecordKey>,
	/// The objects that are being copied.
	copying: Copying,
	/// When the dataset's objects were listed: their number, and the period.
	listed: Option<(u32, Period)>,
	/// The block after which they were listed.
	listed_at: BlockNumber,
	/// The time of that block.
	listed_time: Seconds,
	/// Whether the location surely has nothing but copies of the dataset's objects.
	is_tidy: bool,
	/// The time of the block from which on the list says more about what is at the location; 0 if there is nothing more to say.
	tidy_from: Seconds,
	/// The period in which proofs were refused, and how many.
	refused: (Period, u32),
	/// The period of the last proof that is in a block.
	proven_in: Option<Period>,
	/// The period in which a copy that could not be proven was last checked and copied again.
	repaired_in: Option<Period>,
}

impl<W: Watch> Service<'_, W> {
	/// Looks at the newest block, and does what is to be done. Returns whether there is nothing more to do at this time; `None` if
	/// it was to stop before it saw the block.
	async fn look(
		&mut self,
		stop: &mut (impl Future<Output = ()> + Unpin),
	) -> Result<Option<bool>, Error> {
		let proven = tokio::select! {
			biased;
			() = &mut *stop => return Ok(None),
			proven = self.client.proven() => proven?,
		};
		self.check_mounted(&proven).await?;
		let (owner, dataset) = (self.keeping.owner, self.keeping.dataset);
		let urls = proven.locations(&owner, dataset).await?;
		let own = self.keeping.at.url();
		let others = urls.iter().filter(|url| *url != own);
		self.sources = Locations::open(others).usable;
		self.list(&proven).await?;
		let place = self.place(&proven).await?;
		let is_proven = match &place {
			Some(place) => {
				self.keeping.had_place = true;
				if place.location.as_ref() != self.keeping.at.url().as_bytes() {
					self.come().await?;
				} else if !urls.iter().any(|url| url == self.keeping.at.url()) {
					// The chain says that this folder is for this dataset's copies, and the owner's objects are elsewhere.
					self.tidy().await;
				}
				self.prove(&proven, place).await?
			}
			None if self.keeping.had_place => {
				self.check_place(&proven).await?;
				true
			}
			None => {
				if self.is_settled() && self.copied_count() == self.objects.len() {
					self.come().await?;
					self.keeping.had_place = true;
				}
				true
			}
		};
		let (period, _) = proven.period(self.period_length).await?;
		self.watch.looked(&Look {
			block: proven.block().number,
			period,
			copied: self.copied_count(),
			objects: self.objects.len(),
			place,
		});
		Ok(Some(is_proven && self.is_settled()))
	}

	/// Checks that the disk with the copies is mounted, before the first look: otherwise all of them would be copied to another one.
	async fn check_mounted(&self, proven: &Proven) -> Result<(), Error> {
		let Keeping {
			owner, dataset, at, ..
		} = &*self.keeping;
		if self.listed.is_some() || at.fault().is_none() {
			return Ok(());
		}
		let place = proven.keeper(owner, *dataset, self.keeper.account.id());
		match place.await? {
			Some(place) if place.location.as_ref() == at.url().as_bytes() => Err(Error::Keeper(
				"the folder with the copies is not there, although the chain says that the account keeps them there: mount its disk, or make the folder, OWNER/DATASET below --at, if they are lost",
			)),
			_ => Ok(()),
		}
	}

	/// Returns the account's place, if it has one, with all periods counted that are over.
	async fn place(&self, proven: &Proven) -> Result<Option<Keeper>, Error> {
		let (owner, dataset) = (&self.keeping.owner, self.keeping.dataset);
		let id = self.keeper.account.id();
		let Some(mut place) = proven.keeper(owner, dataset, id).await? else {
			return Ok(None);
		};
		let (period, length) = proven.period(self.period_length).await?;
		let objects = proven.objects_since(owner, dataset).await?;
		let first = first_drawn_after(objects.since, length);
		place.settle(period, objects.count, first);
		Ok(Some(place))
	}

	/// Returns whether nothing is being copied, or waits for that.
	fn is_settled(&self) -> bool {
		self.waiting.is_empty() && self.copying.is_empty()
	}

	fn copied_count(&self) -> usize {
		self.objects.values().filter(|known| known.here).count()
	}

	/// Checks a place that is not in the finalized state: it may have been taken in a later block.
	async fn check_place(&self, proven: &Proven) -> Result<(), Error> {
		let best = self.client.best().await?.block().number;
		match proven.block().number >= best {
			true => Err(Error::Keeper(
				"the account's place among the keepers is lost, or was given up: to take a place again, with a new deposit, run the command again",
			)),
			false => Ok(()),
		}
	}

	/// Takes a place, or says on the chain that the copy is at another location.
	async fn come(&mut self) -> Result<(), Error> {
		let Keeping {
			owner, dataset, at, ..
		} = &*self.keeping;
		at.make_folder().map_err(file::named(at.url().as_ref()))?;
		let call = self.client.keep(owner, *dataset, at.url()).await?;
		let included = self.client.send(&self.keeper.account, &call).await?;
		self.watch.did(Step::Came { included });
		Ok(())
	}

	/// Lists the dataset's objects, if they may have changed. An earlier block than the last one tells nothing: who trusts the
	/// node may be connected to one that is behind, which does not have the newest records.
	async fn list(&mut self, proven: &Proven) -> Result<(), Error> {
		let block = proven.block().number;
		if block < self.listed_at {
			return Ok(());
		}
		let (owner, dataset) = (self.keeping.owner, self.keeping.dataset);
		let count = proven.object_count(&owner, dataset).await?;
		let (period, _) = proven.period(self.period_length).await?;
		let is_due = self.tidy_from > 0 && proven.time().await? >= self.tidy_from;
		if self.listed == Some((count, period)) && !is_due {
			return Ok(());
		}
		let keys = proven.objects(&owner, dataset).await?;
		let listed: BTreeSet<&RecordKey> = keys.iter().collect();
		let gone = self.objects.keys().filter(|key| !listed.contains(key));
		let gone: Vec<_> = gone.copied().collect();
		if !gone.is_empty() || self.listed.is_some_and(|(_, last)| last != period) {
			self.is_tidy = false;
		}
		for key in gone {
			self.delete(proven, key).await?;
		}
		self.add_new(proven, &keys).await?;
		let queued: BTreeSet<RecordKey> = self.waiting.iter().copied().collect();
		for key in keys {
			// Also those that could not be copied in an earlier period.
			let is_missing = self.objects.get(&key).is_some_and(|known| !known.here);
			if is_missing && !self.copying.has(&key) && !queued.contains(&key) {
				self.waiting.push_back(key);
			}
		}
		self.listed_time = proven.time().await?;
		(self.listed, self.listed_at) = (Some((count, period)), block);
		Ok(())
	}

	/// Adds the objects that are not known yet.
	async fn add_new(&mut self, proven: &Proven, keys: &[RecordKey]) -> Result<(), Error> {
		let owner = self.keeping.owner;
		let is_new = |key: &&RecordKey| {
			!self.objects.contains_key(*key) && !self.unusable.contains_key(*key)
		};
		let new: Vec<_> = keys.iter().filter(is_new).copied().collect();
		let records = new.iter().map(|key| storage::record(&owner.0, *key));
		proven.load(&records.collect::<Vec<_>>()).await?;
		for key in new {
			let record = proven.record(&owner, key).await?;
			let Some(Payload::Object { object, .. }) = record.map(|record| record.payload) else {
				continue;
			};
			match of_entry(key, &object) {
				Ok(object) => {
					let known = Known {
						object,
						here: false,
						damaged: false,
					};
					self.objects.insert(key, known);
				}
				// An owner may store anything, also what a later version of this program reads.
				Err(_) => {
					self.unusable.insert(key, salt_of(&object));
					self.watch.did(Step::Unusable { key });
				}
			}
		}
		Ok(())
	}

	/// Deletes the copy of an object that was removed, unless the copy is at one of the owner's own locations.
	async fn delete(&mut self, proven: &Proven, key: RecordKey) -> Result<(), Error> {
		let Keeping {
			owner, dataset, at, ..
		} = &*self.keeping;
		self.waiting.retain(|waiting| *waiting != key);
		let Some(known) = self.objects.remove(&key) else {
			return Ok(());
		};
		let urls = proven.locations(owner, *dataset).await?;
		let is_owners = urls.iter().any(|url| url == at.url());
		if !is_owners && at.delete(&known.object).await == Ok(true) {
			self.watch.did(Step::Deleted { key });
		}
		Ok(())
	}

	/// Deletes copies that are of no object of the dataset, and says so. Their records may have been removed when this program did
	/// not run, or when they were being copied, or they could not be deleted then.
	///
	/// A copy that is newer than the list of objects stays until a later list is known: its record may have been stored since. So
	/// a node that is behind costs no copies, and neither does another keeper that shares the folder and knows a later block.
	async fn tidy(&mut self) {
		if self.is_tidy || self.listed_time < self.tidy_from {
			return;
		}
		(self.is_tidy, self.tidy_from) = (true, 0);
		let at = self.keeping.at.clone();
		let objects = self.objects.values();
		let usable = objects.map(|known| *known.object.header().salt());
		let known: BTreeSet<[u8; 32]> = usable.chain(self.unusable.values().copied()).collect();
		let here = match at.marked(&[], &[]).await {
			Ok(here) => here,
			Err(failure) => return self.watch.did(Step::NotListed { failure }),
		};
		let mut newer = None;
		for copy in here.iter().filter(|copy| !known.contains(&copy.salt)) {
			let changed = seconds(copy.modified);
			if changed > self.listed_time {
				newer = Some(newer.map_or(changed, |first| changed.min(first)));
				continue;
			}
			match at.delete_marked(&copy.salt).await {
				Ok(()) => self.watch.did(Step::Tidied {
					object: hex::encode(copy.salt),
				}),
				Err(failure) => {
					self.watch.did(Step::NotDeleted { failure });
					break;
				}
			}
		}
		if let Some(first) = newer {
			(self.is_tidy, self.tidy_from) = (false, first);
		}
	}

	/// Begins to copy the next objects, as many as may be copied at a time.
	fn copy_next(&mut self) {
		let was_there = self.keeping.had_place || self.objects.values().any(|known| known.here);
		while let Some(key) = self.waiting.front().copied() {
			let Some(known) = self.objects.get(&key) else {
				self.waiting.pop_front();
				continue;
			};
			let length = known.object.length();
			if !self.copying.has_room(length) {
				return;
			}
			self.waiting.pop_front();
			let (object, damaged) = (known.object.clone(), known.damaged);
			let (mut sources, at) = (self.sources.clone(), self.keeping.at.clone());
			let broken = &self.client.0.broken;
			broken.put_last(&mut sources, Instant::now());
			self.copying.begin(key, length, async move {
				if was_there {
					is_still_there(&at).await?;
				}
				match damaged {
					true if check(&at, &object, true, &mut |_| {}).await.is_right() => Ok(None),
					true => copy_again(&object, &sources, &at).await.map(Some),
					false => copy(&object, &sources, &at).await,
				}
			});
		}
	}

	/// Notes what came of copying an object. If its task failed, it is copied again later, as if it could not be copied.
	fn copied(&mut self, key: RecordKey, copied: Copied) {
		let Some(known) = self.objects.get_mut(&key) else {
			// It was removed in the meantime.
			self.is_tidy = false;
			return;
		};
		let Some(copied) = copied else {
			return;
		};
		let left: &[Left] = match &copied {
			Ok(left) => left.as_deref().unwrap_or_default(),
			Err(CopyError::NoneLeft(left)) => left,
			Err(_) => &[],
		};
		// The other objects are copied from the others first.
		self.client.0.broken.note(left, Instant::now());
		match copied {
			Ok(left) => {
				let again = known.damaged;
				(known.here, known.damaged) = (true, false);
				if left.is_some() {
					let length = known.object.length();
					self.watch.did(Step::Copied { key, length, again });
				}
			}
			Err(error) => self.watch.did(Step::NotCopied { key, error }),
		}
	}
}

/// Checks that the folder of the copies did not vanish with its disk: to write a copy would make it again, on another disk.
async fn is_still_there(at: &Store) -> Result<(), CopyError> {
	match at.looked_at().await {
		None => Ok(()),
		Some(fault) => Err(CopyError::Target(Left {
			url: at.url().to_owned(),
			failure: Failure::Folder(fault),
		})),
	}
}

/// Keeps other programs on this machine from writing to the same copies: two would write into one unfinished file. `None` if no lock
/// can be taken, of which the user is told.
fn alone(client: &Client, url: &str) -> Result<Option<Held>, Error> {
	let name = lock_name(url);
	let path = lock::path(&name);
	let held = path.as_deref().map_or(Err(NotHeld::NoLock), lock::try_hold);
	match held {
		Ok(held) => Ok(Some(held)),
		Err(NotHeld::Busy(holder)) => Err(Error::KeptByAnother {
			url: url.to_owned(),
			holder,
		}),
		Err(NotHeld::NoLock) => {
			client.tell_no_turns(lock::why_not(&name, path.as_deref()));
			Ok(None)
		}
	}
}

/// Returns the name of the lock of the copies at a location.
fn lock_name(url: &str) -> String {
	let hash = content_hash(url.as_bytes());
	format!("isthmus-keep-{}.lock", hex::encode(&hash[..8]))
}

/// Returns a time in seconds since 1970; 0 if it is earlier.
fn seconds(time: SystemTime) -> Seconds {
	let since = time.duration_since(UNIX_EPOCH);
	since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_envelope::ObjectHeader;

	#[test]
	fn each_dataset_of_each_owner_has_a_folder_of_its_own() {
		let at = |owner: u8, dataset, at| folder(at, &AccountId::from([owner; 32]), dataset);
		let first = at(0xab, 7, "file:///srv/copies");
		assert_eq!(first, format!("file:///srv/copies/{}/7", "ab".repeat(32)));
		assert_eq!(first, at(0xab, 7, "file:///srv/copies/"));
		for (owner, dataset) in [(0xab, 8), (0xac, 7)] {
			assert_ne!(first, at(owner, dataset, "file:///srv/copies"));
		}
	}

	#[tokio::test]
	async fn a_folder_that_vanished_with_its_disk_is_not_made_again() {
		let disk = tempfile::tempdir().unwrap();
		let folder = disk.path().join("copies");
		let at = Store::open(&format!("file://{}", folder.display())).unwrap();
		at.make_folder().unwrap();
		assert!(is_still_there(&at).await.is_ok());
		std::fs::remove_dir(&folder).unwrap();
		let gone = is_still_there(&at).await.unwrap_err().to_string();
		assert!(gone.contains("is its disk mounted"), "{gone}");
		assert!(!folder.exists());
	}

	#[test]
	fn the_salt_of_an_entry_is_known_although_its_version_is_not() {
		let mut header = [0; ObjectHeader::LEN];
		for (at, byte) in header.iter_mut().enumerate() {
			*byte = at as u8;
		}
		let of = |header| {
			salt_of(&Object {
				header,
				length: 16,
				root: [1; 32].into(),
			})
		};
		let unknown = of(header);
		header[0] = isthmus_envelope::object::VERSION;
		assert_eq!(of(header), unknown);
		header[1..5].copy_from_slice(&(isthmus_envelope::object::CHUNK as u32).to_be_bytes());
		header[1] = 0;
		header[5..13].fill(0);
		let read = ObjectHeader::read(&header).unwrap();
		assert_eq!(*read.salt(), unknown);
	}
}
