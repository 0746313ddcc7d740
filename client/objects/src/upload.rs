// SPDX-License-Identifier: Apache-2.0
//! Sends a value to a location in one pass: it is read, encrypted, hashed and sent in parts, several at a time. At most
//! [`IN_FLIGHT`] bytes and one more part are in memory.

use crate::{
	compress::{fill, Compressed, NotAsLong},
	failure::Failure,
	journal::{Journal, Start},
	location::Location,
	object::{self, Object},
	parts::{try_to_send, Parts},
	patience::{patiently, patiently_joined, Pace},
	tree::{self, Value},
};
use bytes::Bytes;
use isthmus_envelope::paths::ShowPath;
use isthmus_envelope::{
	compressed::{self, CompressedError},
	object::{CHUNK, MARK_LEN, MAX_LENGTH, SEALED_CHUNK},
	record::TAG_LEN,
	Form, LeafKey, NewerFile, ObjectCipher, RecordContext, RecordError,
};
use object_store::{path::Path as StorePath, ObjectStoreExt};
use std::{
	io::{self, Read},
	path::{Path, PathBuf},
	sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::task::JoinSet;

/// How many bytes of parts are sent at a time, at most.
pub const IN_FLIGHT: usize = 96 << 20;
/// How many parts are sent at a time, at most.
const MAX_AT_ONCE: usize = 12;
/// The chunks in a part of a value whose length is known, unless it has too many parts.
const PART: u32 = 8;
/// The chunks in a part of a stream.
const STREAM_PART: u32 = 32;
/// The parts that a store puts together, at most (S3).
const MAX_PARTS: u64 = 10_000;

/// Why a value was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
	/// The store failed.
	#[error("{url}: {failure}")]
	Store {
		/// The location.
		url: String,
		/// What is wrong there.
		failure: Failure,
	},
	/// The value cannot be read.
	#[error("the value cannot be read: {0}")]
	Read(io::Error),
	/// The journal cannot be read or written.
	#[error("{}: {source}", path.shown())]
	Journal {
		/// The journal's file.
		path: PathBuf,
		/// Why not.
		source: io::Error,
	},
	/// A newer release wrote the journal.
	#[error(transparent)]
	Newer(#[from] NewerFile),
	/// A part of the value that may have been sent was changed since then.
	#[error("the value has changed since its upload was interrupted, at byte {at}: nothing of the new one was sent")]
	Changed {
		/// Where the first chunk that differs begins, in bytes.
		at: u64,
	},
	/// The value does not have the length that it had.
	#[error(
		"the value had {expected} bytes when its upload began: nothing of the new one was sent"
	)]
	LengthChanged {
		/// The length in bytes.
		expected: u64,
	},
	/// The value was longer or shorter than the caller said.
	#[error("the value has other than {expected} bytes: was it changed while it was read?")]
	NotAsLong {
		/// The length in bytes that the caller said.
		expected: u64,
	},
	/// The upload began at another location.
	#[error("an unfinished upload of this value goes to {url}: finish it there, or give it up")]
	Elsewhere {
		/// The location.
		url: String,
	},
	/// The upload began with compression, and was to be resumed without it, or the other way round.
	#[error("an unfinished upload of this value {}: finish it in the same way, or give it up", match .form {
		Form::Compressed => "is compressed",
		Form::Plain => "is not compressed",
	})]
	OtherForm {
		/// The form in which it began.
		form: Form,
	},
	/// Another program has given the upload up, or started another one, since this one was sent.
	#[error(
		"another program has given this upload up: nothing on the chain points to what was sent"
	)]
	GivenUp,
	/// The value is too long.
	#[error("the value is too long: an object has at most {MAX_LENGTH} bytes, and one of a stream at most 312 GiB")]
	TooLong,
	/// The keys are not those of the unfinished upload, or there is no randomness.
	#[error(transparent)]
	Keys(#[from] RecordError),
}

impl UploadError {
	/// Makes the error of a journal's file.
	pub(crate) fn journal(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
		move |source| match NewerFile::in_error(&source) {
			Some(newer) => Self::Newer(newer.clone()),
			None => Self::Journal {
				path: path.to_owned(),
				source,
			},
		}
	}
}

/// An object that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
	/// What the chain needs to know.
	pub object: Object,
	/// Whether an earlier, interrupted upload was resumed.
	pub resumed: bool,
}

/// Sends one value.
///
/// ```no_run
/// # use isthmus_objects::*;
/// # use isthmus_envelope::{LeafKey, RecordContext};
/// # async fn example(leaf: LeafKey, context: RecordContext) -> Result<(), Box<dyn std::error::Error>> {
/// let location = Location::open("file:///srv/records")?;
/// let file = std::fs::File::open("marks.csv")?;
/// let length = file.metadata()?.len();
/// let journal = std::path::Path::new("/home/me/.local/state/isthmus/marks.upload");
/// let upload = Upload::new(&location, &leaf, &context, journal);
/// let sent = upload.run(file, Some(length), &mut |_| {}).await?;
/// println!("{} is complete", sent.object.name());
/// # Ok(())
/// # }
/// ```
pub struct Upload<'a> {
	location: &'a Location,
	leaf: &'a LeafKey,
	context: &'a RecordContext,
	journal: &'a Path,
	note: &'a str,
	mark: Option<&'a [u8; MARK_LEN]>,
	form: Form,
}

impl<'a> Upload<'a> {
	/// Prepares to send a value, encrypted under the leaf's key for this place. The journal's file is there until
	/// [`forget`](crate::forget) removes it, once the chain has the object. No other program may use it meanwhile.
	pub fn new(
		location: &'a Location,
		leaf: &'a LeafKey,
		context: &'a RecordContext,
		journal: &'a Path,
	) -> Self {
		Self {
			location,
			leaf,
			context,
			journal,
			note: "",
			mark: None,
			form: Form::Plain,
		}
	}

	/// Compresses the value. This tells nothing but roughly how long it is then: see [`compressed::padded`].
	pub fn compressed(self) -> Self {
		Self {
			form: Form::Compressed,
			..self
		}
	}

	/// Has the name of a new object begin with a mark, by which [`Location::marked`] finds it. The rest of the name is random.
	pub fn marked(self, mark: &'a [u8; MARK_LEN]) -> Self {
		Self {
			mark: Some(mark),
			..self
		}
	}

	/// Writes a note of the caller into the journal, for [`unfinished`](crate::unfinished).
	pub fn noting(self, note: &'a str) -> Self {
		Self { note, ..self }
	}

	/// Sends the value, and returns once the object and its list are complete. Reports how many bytes of the value have
	/// been sent. Without a length, it sends what the source has until its end.
	///
	/// Resumes the upload that the journal describes: the source has to begin at the value's start again. What the
	/// journal knows is compared, and only the rest is sent.
	///
	/// # Errors
	///
	/// Returns [`UploadError::Changed`] or [`UploadError::LengthChanged`] if the value was changed in between,
	/// [`UploadError::OtherForm`] if it began with compression and is resumed without it, or the other way round,
	/// [`UploadError::Store`] if the store fails, and the errors of the source and the journal.
	pub async fn run(
		self,
		source: impl Read + Send + 'static,
		length: Option<u64>,
		progress: &mut impl FnMut(u64),
	) -> Result<Sent, UploadError> {
		let journal = self.journal(length)?;
		if self.form == Form::Plain {
			return self.send(journal, source, length, progress).await;
		}
		let (source, counts) = Compressed::new(source, length);
		let mut most = 0;
		let mut tell = |sent| {
			most = counts.of_value(sent).max(most);
			progress(most);
		};
		let sent = self.send(journal, source, None, &mut tell).await;
		sent.map_err(of_value)
	}

	/// Sends an object's plaintext.
	async fn send(
		&self,
		journal: Journal,
		source: impl Read + Send + 'static,
		length: Option<u64>,
		progress: &mut impl FnMut(u64),
	) -> Result<Sent, UploadError> {
		let resumed = !journal.done.sent.is_empty();
		let header = journal.start.header.clone();
		let name = object::name(&header);
		let at_journal = UploadError::journal(self.journal);
		let sender = Arc::new(Sender {
			cipher: ObjectCipher::open(self.leaf, self.context, &header)?,
			location: self.location.clone(),
			path: self.location.path(&name),
			parts: Arc::clone(self.location.parts().map_err(|failure| self.at(failure))?),
			part: journal.start.part,
			pace: Pace::new(MAX_AT_ONCE),
			known: journal.done.sent.values().map(Vec::len).sum(),
			journal: Mutex::new(journal),
			file: self.journal.to_owned(),
		});
		let values = sender.clone().send_all(source, length, progress).await;
		let values = match values {
			Err(UploadError::Store {
				failure: Failure::Dropped,
				url,
			}) => {
				sender.journal().dropped().map_err(at_journal)?;
				let failure = Failure::Dropped;
				return Err(UploadError::Store { url, failure });
			}
			values => values?,
		};
		let header = sender.cipher.header(values.length)?;
		let root = tree::root(&values.values).unwrap_or_default();
		let object = Object::with_header(header, root);
		sender.finish(&object, &values.values).await?;
		Ok(Sent { object, resumed })
	}

	fn at(&self, failure: Failure) -> UploadError {
		let url = self.location.url().to_owned();
		UploadError::Store { url, failure }
	}

	/// Opens the journal, or begins one. What was given up is not resumed.
	fn journal(&self, length: Option<u64>) -> Result<Journal, UploadError> {
		let failed = UploadError::journal(self.journal);
		let unfinished = Journal::open(self.journal).map_err(&failed)?;
		if let Some(journal) = unfinished.filter(|journal| !journal.done.given_up) {
			let Start {
				url, length: was, ..
			} = &journal.start;
			if url != self.location.url() {
				let url = url.clone();
				return Err(UploadError::Elsewhere { url });
			}
			let form = journal.start.header.form();
			if form != self.form {
				return Err(UploadError::OtherForm { form });
			}
			return match (length, *was) {
				(Some(now), Some(was)) if now != was => {
					Err(UploadError::LengthChanged { expected: was })
				}
				_ => Ok(journal),
			};
		}
		if length.is_some_and(|length| length > MAX_LENGTH) {
			return Err(UploadError::TooLong);
		}
		let cipher = match self.mark {
			Some(mark) => ObjectCipher::marked(self.leaf, self.context, self.form, mark),
			None => ObjectCipher::new(self.leaf, self.context, self.form),
		};
		let cipher = cipher.map_err(RecordError::from)?;
		let at_most = match self.form {
			Form::Plain => length,
			Form::Compressed => length.map(compressed::bound),
		};
		let start = Start {
			header: cipher.header(0)?,
			url: self.location.url().to_owned(),
			length,
			part: part_chunks(at_most),
			note: self.note.to_owned(),
		};
		Journal::create(self.journal, start).map_err(failed)
	}
}

/// Says of an error about a compressed value what it means for the value.
fn of_value(error: UploadError) -> UploadError {
	let UploadError::Read(source) = &error else {
		return error;
	};
	let source = source.get_ref();
	let not_as_long = source.and_then(|source| source.downcast_ref::<NotAsLong>());
	if let Some(&NotAsLong { expected }) = not_as_long {
		return UploadError::NotAsLong { expected };
	}
	match source.and_then(|source| source.downcast_ref()) {
		Some(CompressedError::TooManyFrames { .. }) => UploadError::TooLong,
		_ => error,
	}
}

/// Returns how many chunks a part has.
pub(crate) fn part_chunks(length: Option<u64>) -> u32 {
	match length {
		None => STREAM_PART,
		Some(length) => {
			let chunks = length.div_ceil(CHUNK as u64).max(1);
			// At most 2^20 chunks.
			chunks.div_ceil(MAX_PARTS).max(chunks.min(PART.into())) as u32
		}
	}
}

/// What the tasks that send parts share.
struct Sender {
	cipher: ObjectCipher,
	location: Location,
	path: StorePath,
	parts: Arc<dyn Parts>,
	part: u32,
	pace: Pace,
	/// How many chunks may have left this machine before.
	known: usize,
	journal: Mutex<Journal>,
	file: PathBuf,
}

/// The chaining values of all chunks, and the value's length in bytes.
struct Values {
	values: Vec<Value>,
	length: u64,
}

impl Sender {
	fn journal(&self) -> MutexGuard<'_, Journal> {
		self.journal.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn noted<T>(&self, noted: io::Result<T>) -> Result<T, UploadError> {
		noted.map_err(UploadError::journal(&self.file))
	}

	async fn stored<T>(&self, stored: Result<T, Failure>) -> Result<T, UploadError> {
		match stored {
			Ok(stored) => Ok(stored),
			Err(failure) => Err(UploadError::Store {
				url: self.location.url().to_owned(),
				failure: self.location.why(failure).await,
			}),
		}
	}

	/// Reads, encrypts and sends all parts.
	async fn send_all(
		self: Arc<Self>,
		source: impl Read + Send + 'static,
		length: Option<u64>,
		progress: &mut impl FnMut(u64),
	) -> Result<Values, UploadError> {
		let at_once = (IN_FLIGHT / (self.part as usize * SEALED_CHUNK)).clamp(1, MAX_AT_ONCE);
		let pool = Arc::new(Pool::default());
		let mut reader = Reader {
			source,
			ahead: None,
		};
		let (mut tasks, mut values) = (JoinSet::new(), Vec::new());
		let (mut index, mut total, mut sent) = (0, 0, 0);
		let mut arrived = |values: &mut Vec<Vec<Value>>, joined: Result<_, _>| {
			let part: Result<SentPart, UploadError> = flat(joined);
			let part = part?;
			values.resize(values.len().max(part.index + 1), Vec::new());
			values[part.index] = part.values;
			sent += part.length;
			progress(sent);
			Ok::<(), UploadError>(())
		};
		loop {
			let (part, space) = (self.part, pool.take());
			let mut read = tokio::task::spawn_blocking(move || {
				let part = reader.part(part, space);
				(reader, part)
			});
			// The source may be silent for long. A part that cannot be sent ends the upload at once: the thread that reads is left.
			let read = loop {
				tokio::select! {
					read = &mut read => break read,
					Some(joined) = tasks.join_next() => arrived(&mut values, joined)?,
				}
			};
			let (back, part) = read.map_err(|end| UploadError::Read(end.into()))?;
			reader = back;
			let part = part.map_err(UploadError::Read)?;
			let last = part.last;
			total += part.length;
			let too_long = total > MAX_LENGTH || index as u64 >= MAX_PARTS;
			if too_long {
				return Err(UploadError::TooLong);
			}
			if let Some(expected) = length {
				if total > expected || (last && total < expected) {
					return Err(UploadError::NotAsLong { expected });
				}
			}
			while tasks.len() >= at_once {
				if let Some(joined) = tasks.join_next().await {
					arrived(&mut values, joined)?;
				}
			}
			if index == 0 && !last {
				self.begin().await?;
			}
			tasks.spawn(self.clone().send(index, part, pool.clone()));
			index += 1;
			if last {
				break;
			}
		}
		while let Some(joined) = tasks.join_next().await {
			arrived(&mut values, joined)?;
		}
		let values = values.concat();
		if values.len() < self.known {
			let at = total;
			return Err(UploadError::Changed { at });
		}
		let length = total;
		Ok(Values { values, length })
	}

	/// Asks the store to begin an object of several parts, unless it has started it already.
	async fn begin(&self) -> Result<(), UploadError> {
		let started = {
			let journal = self.journal();
			journal.done.id.is_some() || journal.done.whole
		};
		if !started {
			let id = self
				.stored(patiently(0, self.parts.begin(&self.path)).await)
				.await?;
			self.noted(self.journal().started(id))?;
		}
		Ok(())
	}

	/// Encrypts a part, notes it and sends it, unless the store has it.
	async fn send(
		self: Arc<Self>,
		index: usize,
		part: Part,
		pool: Arc<Pool>,
	) -> Result<SentPart, UploadError> {
		let length = part.length;
		let sealer = self.clone();
		let sealed = tokio::task::spawn_blocking(move || {
			let (bytes, values) = sealer.seal(index, part)?;
			sealer.note(index, &values)?;
			Ok::<_, UploadError>((Bytes::from_owner(Lease { bytes, pool }), values))
		});
		let (bytes, values) = flat(sealed.await)?;
		let (id, has) = {
			let done = &self.journal().done;
			let has = done.whole || done.parts.contains_key(&index);
			(done.id.clone(), has)
		};
		if !has {
			let id = match id {
				Some(id) => {
					let offset = object::offset(index as u32 * self.part);
					let put = self.parts.put(&self.path, &id, index, offset, bytes);
					self.stored(self.pace.ask(put).await).await?
				}
				// The only part is the object.
				None => {
					self.stored(self.put(&self.path, bytes).await).await?;
					String::new()
				}
			};
			self.noted(self.journal().sent(index, id))?;
		}
		Ok(SentPart {
			index,
			values,
			length,
		})
	}

	/// Encrypts a part in place, and returns it with the chaining values of its chunks.
	fn seal(&self, index: usize, part: Part) -> Result<(Vec<u8>, Vec<Value>), UploadError> {
		let Part {
			mut bytes, last, ..
		} = part;
		let first = index as u32 * self.part;
		let only = last && first == 0 && bytes.len() <= SEALED_CHUNK;
		let count = bytes.len().div_ceil(SEALED_CHUNK);
		let mut values = Vec::with_capacity(count);
		for (at, slot) in bytes.chunks_mut(SEALED_CHUNK).enumerate() {
			let number = first + at as u32;
			self.cipher.seal(number, last && at + 1 == count, slot)?;
			values.push(tree::value(number, only, slot));
		}
		Ok((bytes, values))
	}

	/// Compares a part with what may have left this machine before, or notes that it will.
	fn note(&self, index: usize, values: &[Value]) -> Result<(), UploadError> {
		let mut journal = self.journal();
		let Some(known) = journal.done.sent.get(&index) else {
			return self.noted(journal.sending(index, values));
		};
		if known == values {
			return Ok(());
		}
		let same = known.iter().zip(values).take_while(|(a, b)| a == b);
		let chunk = (index * self.part as usize + same.count()) as u64;
		let at = chunk * CHUNK as u64;
		Err(UploadError::Changed { at })
	}

	/// Has the store put the parts together, and writes the list beside the object.
	async fn finish(&self, object: &Object, values: &[Value]) -> Result<(), UploadError> {
		let (id, parts, whole) = {
			let done = &self.journal().done;
			let parts: Vec<String> = done.parts.values().cloned().collect();
			(done.id.clone(), parts, done.whole)
		};
		if let Some(id) = id.filter(|_| !whole) {
			let complete = self.parts.complete(&self.path, &id, parts);
			let completed = match patiently_joined(object.length(), complete).await {
				// The program may have been interrupted after the store put the parts together.
				Err(Failure::Dropped) if self.is_there(object).await => Ok(()),
				Err(failure) => Err(self.location.why(failure).await),
				completed => completed,
			};
			if completed == Err(Failure::Dropped) {
				self.noted(self.journal().dropped())?;
			}
			self.stored(completed).await?;
		}
		if !whole {
			self.noted(self.journal().whole())?;
		}
		if object.chunks() > 1 {
			let list = tree::list_bytes(values).into();
			let path = self.location.list_path(&object.name());
			self.stored(self.put(&path, list).await).await?;
		}
		Ok(())
	}

	/// Returns whether the store has an object of this name and length.
	async fn is_there(&self, object: &Object) -> bool {
		self.location.length(&self.path).await == Ok(object.length())
	}

	/// Writes a small object in one step.
	async fn put(&self, path: &StorePath, bytes: Bytes) -> Result<(), Failure> {
		let store = self.location.store();
		let put = || store.put(path, bytes.clone().into());
		try_to_send(bytes.len(), put).await.map(|_| ())
	}
}

fn flat<T>(
	joined: Result<Result<T, UploadError>, tokio::task::JoinError>,
) -> Result<T, UploadError> {
	joined.unwrap_or_else(|end| Err(UploadError::Read(end.into())))
}

/// A part that the store has.
struct SentPart {
	index: usize,
	values: Vec<Value>,
	/// How many bytes of the value it has.
	length: u64,
}

/// A part of the value, with space for each chunk's tag.
struct Part {
	bytes: Vec<u8>,
	/// How many bytes of the value it has.
	length: u64,
	/// Whether the value ends with it.
	last: bool,
}

/// Reads a value in parts. It reads a byte ahead, because the last chunk is encrypted as such.
struct Reader<R> {
	source: R,
	ahead: Option<u8>,
}

impl<R: Read> Reader<R> {
	/// Reads the next part into `bytes`.
	fn part(&mut self, chunks: u32, mut bytes: Vec<u8>) -> io::Result<Part> {
		bytes.resize(chunks as usize * SEALED_CHUNK, 0);
		let (mut length, mut end, mut last) = (0, 0, false);
		for at in 0..chunks as usize {
			let slot = &mut bytes[at * SEALED_CHUNK..][..CHUNK];
			let got = self.fill(slot)?;
			length += got as u64;
			end = at * SEALED_CHUNK + got + TAG_LEN;
			let mut next = [0];
			last = got < CHUNK || fill(&mut self.source, &mut next)? == 0;
			if last {
				break;
			}
			self.ahead = Some(next[0]);
		}
		bytes.truncate(end);
		// What is left of an earlier part is overwritten by the tag.
		Ok(Part {
			bytes,
			length,
			last,
		})
	}

	/// Reads until the space is full or the source ends.
	fn fill(&mut self, space: &mut [u8]) -> io::Result<usize> {
		let ahead = usize::from(self.ahead.is_some());
		if let Some(byte) = self.ahead.take() {
			space[0] = byte;
		}
		Ok(ahead + fill(&mut self.source, &mut space[ahead..])?)
	}
}

/// Space of parts that were sent. Fresh memory costs more than the encryption.
#[derive(Default)]
struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
	fn spare(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn take(&self) -> Vec<u8> {
		self.spare().pop().unwrap_or_default()
	}
}

/// Space that goes back to the pool.
struct Lease {
	bytes: Vec<u8>,
	pool: Arc<Pool>,
}

impl AsRef<[u8]> for Lease {
	fn as_ref(&self) -> &[u8] {
		&self.bytes
	}
}

impl Drop for Lease {
	fn drop(&mut self) {
		let bytes = std::mem::take(&mut self.bytes);
		self.pool.spare().push(bytes);
	}
}
