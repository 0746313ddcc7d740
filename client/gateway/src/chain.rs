// SPDX-License-Identifier: Apache-2.0
//! What an account may read on a chain: its own datasets, and those of which it has grants.

use crate::{
	found::{Details, Found},
	kept::{ByMemory, Kept, Known, Recent},
	source::{Dataset, File, Opened, Place, Readable, Record, Refusal, Source},
};
use futures::{stream, StreamExt};
use isthmus_sdk::{
	envelope::tree::TreeError, every, exact_name, from_hex, from_typed_hex, is_folder,
	is_packed_folder, key_name, listed, now, objects::ReadError, parse_key, reading::stored_hash,
	to_hex, BlockNumber, Client, Error, FetchError, GrantEntry, GrantState, Identity, Listed,
	Names, QueryRefusal, Reading, RecordEntry, RecordKey, Seconds, State, H256,
};
use std::{
	collections::{BTreeMap, HashMap},
	ops::Range,
	sync::Arc,
	time::Duration,
};

/// How many records are opened at the same time for a list.
const AT_ONCE: usize = 8;
/// How many opened records are kept: their values if they are small, the hashes of their chunks if not.
const READINGS: u32 = 64;
/// How many bytes of memory are used for what records are called, how long they are, and which files they list.
const DETAILS: usize = 256 << 20;
/// Of how many records it is kept that they cannot be opened.
const FAILED: u32 = 1 << 17;
/// The longest list of a folder that is read: one of some 150,000 files. Whether an object is a list is seen in its first MiB.
/// Of longer objects, that is not fetched.
const LONGEST_LIST: u64 = 16 << 20;
/// How long a record that cannot be opened is not opened again for a list.
const REST: Duration = Duration::from_secs(60);
/// How many bytes of memory are used for the lists of datasets, to find files by their paths. One of a million files takes about
/// 400 MB.
const LISTS: usize = 512 << 20;
/// Of how many datasets it is kept that one list is made at a time.
const TURNS: u32 = 64;
/// Of how many blocks the date is kept.
const DATES: u32 = 1 << 14;

/// What an account may read on a chain.
pub struct Chain {
	client: Client,
	reader: Identity,
	names: Names,
	readings: Recent<(Place, RecordId), Arc<Bytes>>,
	details: Known<(Place, RecordId), Arc<Details>>,
	lists: Recent<Place, Arc<List>, ByMemory<Arc<List>>>,
	dates: Recent<BlockNumber, Seconds>,
	turns: Recent<Place, Arc<tokio::sync::Mutex<()>>>,
}

/// The bytes of a record, and the locations of the dataset's objects.
type Bytes = Kept<Reading, Vec<Vec<u8>>>;

/// The key and the hash of a record.
type RecordId = ([u8; 32], [u8; 32]);

/// The files of a dataset.
struct List {
	/// The block after which it was made.
	block: H256,
	files: Arc<Vec<File>>,
	/// The places of the paths among them.
	places: HashMap<String, usize>,
}

impl List {
	fn file(&self, path: &str) -> Option<&File> {
		self.files.get(*self.places.get(path)?)
	}

	/// Returns about how many bytes of memory it takes. Each path is there twice.
	fn memory(&self) -> usize {
		let entry = size_of::<File>().saturating_add(size_of::<(String, usize)>());
		let file = |file: &File| file.path.len().saturating_mul(2).saturating_add(entry);
		let files = self.files.iter().map(file);
		files.fold(size_of::<Self>(), usize::saturating_add)
	}
}

impl Readable for Reading {
	async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Refusal> {
		let length = range.end.saturating_sub(range.start);
		Ok(self.read_range(range.start, length).await?)
	}
}

impl Chain {
	/// Reads as an account.
	pub fn new(client: Client, reader: Identity) -> Self {
		Self {
			names: Names::new(&client, &reader),
			client,
			reader,
			readings: Recent::new(READINGS),
			details: Known::new(DETAILS, |details| details.memory(), FAILED, REST),
			lists: Recent::in_memory(LISTS, |list| list.memory()),
			dates: Recent::new(DATES),
			turns: Recent::new(TURNS),
		}
	}

	fn is_own(&self, place: Place) -> bool {
		self.reader.id().0 == place.owner
	}

	/// Returns the account's grants on a dataset or all of its grants, also those that ended, as long as the chain keeps them.
	async fn grants(&self, best: &State, place: Option<Place>) -> Result<Vec<GrantEntry>, Error> {
		let reader = self.reader.account.id();
		let mut grants = match place {
			Some(place) => {
				let owner = place.owner();
				let on = (&owner, Some(place.dataset));
				self.client.grants_from(best, on, reader).await?
			}
			None => every(|after| best.grants_to(reader, None, after)).await?,
		};
		grants.sort_by_key(|entry| entry.id);
		Ok(grants)
	}

	/// Returns the records of a dataset that the account may read, by their keys.
	async fn records(
		&self,
		best: &State,
		place: Place,
	) -> Result<BTreeMap<[u8; 32], RecordEntry>, Refusal> {
		let owner = place.owner();
		let mut records = Vec::new();
		if self.is_own(place) {
			records = every(|after| best.records(&owner, after)).await?;
			records.retain(|entry| entry.record.dataset == place.dataset);
			if records.is_empty() && best.dataset(&owner, place.dataset).await?.is_none() {
				let dataset = place.dataset;
				return Err(Error::NoSuchDataset { owner, dataset }.into());
			}
		} else {
			let grants = self.grants(best, Some(place)).await?;
			let mut open = grants
				.iter()
				.filter(|entry| ended(best, entry).is_none())
				.peekable();
			if open.peek().is_none() {
				let last = grants.last().and_then(|entry| ended(best, entry));
				let refusal = last.unwrap_or(QueryRefusal::NotAuthorised);
				return Err(Error::Query(refusal).into());
			}
			for GrantEntry { grant, .. } in open {
				records.extend(every(|after| best.records_in(&owner, grant.scope, after)).await?);
			}
		}
		records.retain(|entry| entry.record.payload.is_complete());
		Ok(records
			.into_iter()
			.map(|entry| (entry.key.0, entry))
			.collect())
	}

	/// Returns the files of a dataset, and keeps the list until there is another block.
	async fn list(&self, place: Place) -> Result<Arc<List>, Refusal> {
		// One list of a dataset after another, so that no record is opened twice.
		let turn = self.turns.or_default(&place);
		let _turn = turn.lock().await;
		let best = self.client.best().await?;
		let block = best.block().hash;
		match self.lists.get(&place) {
			Some(list) if list.block == block => return Ok(list),
			_ => {}
		}
		let records = self.records(&best, place).await?;
		let mut order: Vec<_> = records.values().collect();
		// The list of a folder is stored after its files, at a higher leaf: they need not be opened.
		order.sort_by_key(|entry| std::cmp::Reverse((entry.record.epoch, entry.record.leaf)));
		let mut found = Found::default();
		let mut order = order.into_iter().peekable();
		while order.peek().is_some() {
			let next = order.by_ref().filter(|entry| !found.is_inside(&entry.key));
			let next: Vec<_> = next.take(AT_ONCE).collect();
			let opened = stream::iter(&next)
				.map(|entry| self.details(place, entry))
				.buffered(AT_ONCE);
			let opened: Vec<_> = opened.collect().await;
			for (entry, details) in next.into_iter().zip(opened) {
				let Some(details) = details?.filter(|_| !found.is_inside(&entry.key)) else {
					continue;
				};
				found.add(&details, entry.key, |key| {
					let entry = records.get(&key.0)?;
					Some(stored_hash(&entry.record.payload))
				});
			}
		}
		let mut files = found.files();
		self.set_dates(&mut files, &records).await;
		let places = files
			.iter()
			.map(|file| file.path.clone())
			.zip(0..)
			.collect();
		let files = Arc::new(files);
		Ok(self.lists.keep(
			place,
			Arc::new(List {
				block,
				files,
				places,
			}),
		))
	}

	/// Sets the dates of files: when the last bytes of their records came to the chain.
	async fn set_dates(&self, files: &mut [File], records: &BTreeMap<[u8; 32], RecordEntry>) {
		let mut dates = HashMap::new();
		for file in files {
			let Some(entry) = records.get(&file.key.0) else {
				continue;
			};
			let (_, block) = entry.record.payload.blocks();
			file.date = match dates.get(&block) {
				Some(date) => *date,
				None => {
					let date = self.date(block).await;
					dates.insert(block, date);
					date
				}
			};
		}
	}

	async fn date(&self, block: BlockNumber) -> Seconds {
		if let Some(date) = self.dates.get(&block) {
			return date;
		}
		// Only shown: a node that does not know it is no reason to refuse the file.
		match self.client.date_of(block).await {
			Ok(date) => self.dates.keep(block, date.unwrap_or_default()),
			Err(_) => 0,
		}
	}

	/// Opens a record for its name and length; `None` if it is not one that can be read.
	async fn details(
		&self,
		place: Place,
		entry: &RecordEntry,
	) -> Result<Option<Arc<Details>>, Refusal> {
		let id = (place, (entry.key.0, stored_hash(&entry.record.payload)));
		let opened = async {
			let (owner, key) = (place.owner(), entry.key);
			let reading = Reading::open(&self.client, &self.reader, &owner, key).await?;
			let folder = files_in(&reading).await?;
			let name = reading.name().copied();
			let name = name.or_else(|| self.names.name(&key).filter(|_| self.is_own(place)));
			let path = path(key, name);
			let length = reading.length();
			self.readings.keep(id, kept(reading));
			Ok(Arc::new(Details {
				path,
				length,
				folder,
			}))
		};
		Ok(self.details.get_or_open(&id, opened, is_of_record).await?)
	}

	/// Asks the chain whether a folder's list is still the one that was read. The packs that it names may be there for longer.
	async fn is_current(&self, place: Place, list: &Record) -> Result<bool, Refusal> {
		let (owner, reader) = (place.owner(), self.reader.account.id());
		match self.client.query(reader, &owner, list.key).await {
			Ok(answer) => Ok(stored_hash(&answer.payload) == list.hash),
			Err(error) if error.query_refusal().is_some() => Ok(false),
			Err(error) => Err(error.into()),
		}
	}

	/// Asks the chain whether the account may read a file now, and opens it; `None` if it is another one by now.
	async fn open_now(&self, place: Place, file: &File) -> Result<Option<Opened<Bytes>>, Refusal> {
		let (owner, key) = (place.owner(), file.key);
		let answer = self
			.client
			.query(self.reader.account.id(), &owner, key)
			.await?;
		let hash = file.stored();
		if answer.dataset != place.dataset || stored_hash(&answer.payload) != hash {
			return Ok(None);
		}
		let id = (place, (key.0, hash));
		let known = self.readings.get(&id);
		let bytes = match known.filter(|known| known.is_good(&answer.locations)) {
			Some(known) => known,
			None => {
				let opened = Reading::open(&self.client, &self.reader, &owner, key).await?;
				if opened.content_hash() != hash {
					return Ok(None);
				}
				self.readings.keep(id, kept(opened))
			}
		};
		let reading = bytes.bytes();
		file.check(reading.length(), reading.is_compressed())?;
		Ok(Some(Opened {
			place,
			file: file.clone(),
			size: reading.length(),
			chunk: reading.chunk_size(),
			bytes,
		}))
	}

	/// Opens what is in no list: a record by its key, or one about which the chain says why it is refused.
	async fn open_unlisted(&self, place: Place, path: &str) -> Result<Opened<Bytes>, Refusal> {
		let (owner, dataset) = (place.owner(), place.dataset);
		let none = || {
			let words = format!(
				"{owner} has no file {path} in dataset {dataset} that this account may read"
			);
			Refusal::NoFile(words)
		};
		let key = parse_key(path).map_err(|_| none())?;
		let reading = match Reading::open(&self.client, &self.reader, &owner, key).await {
			Ok(reading) if reading.answer().dataset == dataset => reading,
			Err(error) if error.query_refusal() != Some(QueryRefusal::UnknownRecord) => {
				return Err(error.into())
			}
			_ => return Err(none()),
		};
		// A folder is not a file. Its list is asked for by the list's key.
		if from_typed_hex(path).is_none()
			&& (is_folder(&reading).await? || is_packed_folder(&reading).await?)
		{
			return Err(none());
		}
		let file = File {
			path: path.to_owned(),
			length: reading.length(),
			hash: reading.content_hash(),
			date: 0,
			key,
			pack: None,
		};
		let (size, chunk) = (reading.length(), reading.chunk_size());
		let bytes = kept(reading);
		Ok(Opened {
			place,
			file,
			size,
			chunk,
			bytes,
		})
	}
}

impl Source for Chain {
	type Bytes = Bytes;

	async fn datasets(&self) -> Result<Vec<Dataset>, Refusal> {
		let (best, own) = (self.client.best().await?, self.reader.id());
		let mut datasets = BTreeMap::new();
		for entry in every(|after| best.datasets(own, after)).await? {
			let place = Place::new(own, entry.id);
			let name = entry.dataset.name.to_string();
			datasets.insert(
				(place.owner, place.dataset),
				Dataset {
					place,
					name,
					is_open: true,
				},
			);
		}
		for entry in self.grants(&best, None).await? {
			let place = Place::new(&entry.grant.owner, entry.grant.scope.dataset);
			let id = (place.owner, place.dataset);
			let is_open = ended(&best, &entry).is_none();
			if let Some(known) = datasets.get_mut(&id) {
				known.is_open |= is_open;
				continue;
			}
			let dataset = best.dataset(&entry.grant.owner, place.dataset).await?;
			let name = dataset
				.map(|dataset| dataset.name.to_string())
				.unwrap_or_default();
			datasets.insert(
				id,
				Dataset {
					place,
					name,
					is_open,
				},
			);
		}
		Ok(datasets.into_values().collect())
	}

	async fn held_up(&self) -> Option<String> {
		let standstill = self.client.standstill().await?;
		Some(format!(
			"what is read has to be finalized, and {standstill}"
		))
	}

	async fn files(&self, place: Place) -> Result<Arc<Vec<File>>, Refusal> {
		Ok(self.list(place).await?.files.clone())
	}

	async fn open(&self, place: Place, path: &str) -> Result<Opened<Bytes>, Refusal> {
		let known = self.lists.get(&place);
		if let Some(file) = known.as_ref().and_then(|list| list.file(path)) {
			match self.open_now(place, file).await {
				Ok(None) | Err(Refusal::NoFile(_)) => {}
				Ok(Some(opened)) => {
					let is_current = match &file.pack {
						Some(pack) => self.is_current(place, &pack.list).await?,
						None => true,
					};
					if is_current {
						return Ok(opened);
					}
				}
				Err(refusal) => return Err(refusal),
			}
		}
		let list = self.list(place).await?;
		if let Some(file) = list.file(path) {
			if let Some(opened) = self.open_now(place, file).await? {
				return Ok(opened);
			}
		}
		self.open_unlisted(place, path).await
	}
}

/// Returns why a grant opens nothing; `None` if it does.
fn ended(best: &State, entry: &GrantEntry) -> Option<QueryRefusal> {
	let GrantEntry { grant, .. } = entry;
	let now = now();
	match grant.state {
		GrantState::Revoked => Some(QueryRefusal::Revoked),
		GrantState::Suspended => Some(QueryRefusal::Suspended),
		GrantState::Expired => Some(QueryRefusal::Expired),
		// The chain ends a grant a little later.
		GrantState::Active if grant.expiry <= best.block().number => Some(QueryRefusal::Expired),
		GrantState::Active if grant.until.is_some_and(|until| until <= now) => {
			Some(QueryRefusal::Expired)
		}
		GrantState::Active => None,
	}
}

/// Returns the files of a folder; `None` if a record is not one, or its list is damaged or too long.
async fn files_in(reading: &Reading) -> Result<Option<Vec<Listed>>, Error> {
	if reading.length() > LONGEST_LIST {
		return Ok(None);
	}
	match listed(reading).await {
		Ok(files) => Ok(files),
		Err(FetchError::Client(error)) => Err(error),
		Err(_) => Ok(None),
	}
}

/// Keeps a record that was opened.
fn kept(reading: Reading) -> Arc<Bytes> {
	let locations = reading.answer().locations.clone();
	Arc::new(Kept::new(reading, locations))
}

/// Returns whether an error is about one record, so that the others can be listed: what its owner stored is not a record, it
/// is under an embargo, its keys were erased, or no node or location has its bytes any more. A location that does not answer
/// now may answer later: without its record, a list would look as if that had been removed.
fn is_of_record(error: &Error) -> bool {
	if let Error::Object(ReadError::NoneLeft(left)) = error {
		return !left.iter().any(|left| left.failure.is_passing());
	}
	error.query_refusal().is_some()
		|| error.lacks_bytes()
		|| matches!(
			error,
			Error::Record(_)
				| Error::Object(ReadError::Compressed(_) | ReadError::Record(_))
				| Error::Malformed { .. }
				| Error::Grant(_)
				| Error::NotPostQuantum
				| Error::Range(TreeError::Erased { .. })
				| Error::Erasable(_)
		)
}

/// Returns the path of a record: its name or, if it has none that every program takes for a path, its key.
fn path(key: RecordKey, name: Option<RecordKey>) -> String {
	let shown = key_name(&name.unwrap_or(key));
	match exact_name(&name.unwrap_or(key)).is_some() && is_path(&shown) {
		true => shown,
		false => to_hex(&key.0),
	}
}

/// Returns whether a name stays within the folder into which a program copies it.
fn is_path(name: &str) -> bool {
	from_hex(name).is_none()
		&& !name.contains('\\')
		&& name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
	use super::*;
	use isthmus_sdk::{
		envelope::{compressed::CompressedError, ErasableError},
		objects::{Failure, Left},
		record_key,
	};

	#[test]
	fn a_list_takes_memory_for_each_file() {
		let list = |paths: &[&str]| {
			let file = |path: &&str| File {
				path: (*path).to_owned(),
				length: 1,
				hash: [1; 32],
				date: 0,
				key: [2; 32].into(),
				pack: None,
			};
			List {
				block: H256::zero(),
				files: Arc::new(paths.iter().map(file).collect()),
				places: HashMap::new(),
			}
		};
		let [none, one, two] =
			[&[][..], &["a/long/path"], &["a/long/path", "b"]].map(|paths| list(paths).memory());
		assert!(one - none > size_of::<File>() + 2 * 11 && two - one > size_of::<File>());
	}

	#[test]
	fn a_record_that_cannot_be_opened_does_not_hide_the_others() {
		let missing = ErasableError::Missing {
			dataset: 0,
			epoch: 3,
			path: "keys".into(),
		};
		for of_record in [
			Error::Range(TreeError::Erased { leaf: 7 }),
			Error::Erasable(missing),
			Error::Query(QueryRefusal::Embargoed),
		] {
			assert!(is_of_record(&of_record), "{of_record}");
		}
		for of_node in [
			Error::Connection("closed".into()),
			Error::WrongContent("chunk 3".into()),
		] {
			assert!(!is_of_record(&of_node), "{of_node}");
		}
	}

	#[test]
	fn an_object_that_is_gone_hides_no_other_and_one_that_may_come_back_is_not_hidden() {
		let not_there = |failures: &[Failure]| {
			let left = failures.iter().map(|failure| Left {
				url: "file:///store".into(),
				failure: failure.clone(),
			});
			Error::Object(ReadError::NoneLeft(left.collect()))
		};
		let no_table = Error::Object(CompressedError::NoTable.into());
		let gone = not_there(&[Failure::Missing, Failure::Wrong(3)]);
		for of_record in [no_table, gone, not_there(&[])] {
			assert!(is_of_record(&of_record), "{of_record}");
		}
		let away = not_there(&[Failure::Missing, Failure::Unreachable]);
		assert!(!is_of_record(&away), "{away}");
	}

	#[test]
	fn a_path_is_a_name_that_leads_nowhere_else() {
		let hidden = RecordKey::from([0xee; 32]);
		let by_key = to_hex(&hidden.0);
		for good in ["marks.csv", "2025/03.parquet", "a b", "…", "..a"] {
			let name = record_key(good).unwrap();
			assert_eq!(path(hidden, Some(name)), good);
			assert_eq!(path(name, None), good);
		}
		for bad in [
			"../x",
			"/etc/passwd",
			"a//b",
			"a/",
			"./a",
			"..",
			"a\\b",
			"a\u{202e}b",
			" a",
		] {
			let name = record_key(bad).unwrap();
			assert_eq!(path(hidden, Some(name)), by_key, "{bad}");
		}
		assert_eq!(path(hidden, None), by_key);
	}
}
