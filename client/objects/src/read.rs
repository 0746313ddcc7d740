// SPDX-License-Identifier: Apache-2.0
//! Reads an object from several locations. Every chunk is checked against the root on the chain before anything is done
//! with it, so it does not matter which location sends it. A location that fails is left for the next one.

use crate::{
	failure::Failure,
	location::Location,
	object::Object,
	patience::Pace,
	source::{self, SILENCE},
	tree::{self, Value},
	turns::{none, Left, Turns},
};
use isthmus_envelope::{
	compressed::CompressedError,
	object::{CHUNK, SEALED_CHUNK},
	record::TAG_LEN,
	Form, LeafKey, ObjectCipher, RecordContext, RecordError,
};
use std::{
	collections::BTreeMap,
	fmt,
	io::{self, Read, Write},
	ops::Range,
	sync::Arc,
	time::Duration,
};
use tokio::{sync::OnceCell, task::JoinSet};

/// How many chunks are asked for at a time.
const GROUP: u32 = 4;
/// How many groups of chunks are in memory at a time.
const AT_ONCE: usize = 12;

/// Why an object was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
	/// No location has the object, or can be read.
	#[error("{}{}", none(.0), listed(.0))]
	NoneLeft(Vec<Left>),
	/// The object is encrypted under another key, or is not one.
	#[error(transparent)]
	Record(#[from] RecordError),
	/// The object is compressed, and does not decompress.
	#[error(transparent)]
	Compressed(#[from] CompressedError),
	/// The bytes cannot be written.
	#[error(transparent)]
	Io(#[from] io::Error),
}

fn listed(left: &[Left]) -> String {
	match left {
		[] => ": the dataset has no locations".into(),
		left => left.iter().map(|left| format!("; {left}")).collect(),
	}
}

/// Reads the plaintext of one object. [`ValueReader`](crate::ValueReader) reads its value.
pub struct Reader(Arc<Inner>);

struct Inner {
	object: Object,
	cipher: ObjectCipher,
	turns: Turns,
	/// The chaining values of all chunks.
	values: OnceCell<Vec<Value>>,
	silence: Duration,
	pace: Pace,
}

impl fmt::Debug for Reader {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Reader({})", self.0.object.name())
	}
}

impl Reader {
	/// Prepares to read an object from these locations, of which the first is asked first.
	///
	/// # Errors
	///
	/// Returns [`ReadError::Record`] if the object is encrypted under another key.
	pub fn new(
		leaf: &LeafKey,
		context: &RecordContext,
		object: Object,
		locations: Vec<Location>,
	) -> Result<Self, ReadError> {
		Self::with_silence(leaf, context, object, locations, SILENCE)
	}

	/// Does the same as [`new`](Self::new), and leaves a location that is silent for this long.
	///
	/// # Errors
	///
	/// Returns the errors of [`new`](Self::new).
	pub fn with_silence(
		leaf: &LeafKey,
		context: &RecordContext,
		object: Object,
		locations: Vec<Location>,
		silence: Duration,
	) -> Result<Self, ReadError> {
		let cipher = ObjectCipher::open(leaf, context, object.header())?;
		let turns = Turns::new(locations);
		let values = OnceCell::new();
		Ok(Self(Arc::new(Inner {
			object,
			cipher,
			turns,
			values,
			silence,
			pace: Pace::new(AT_ONCE),
		})))
	}

	/// Returns what the plaintext is.
	pub fn form(&self) -> Form {
		self.0.object.header().form()
	}

	/// Returns the plaintext's length in bytes.
	pub fn length(&self) -> u64 {
		self.0.object.header().length()
	}

	/// Returns the number of the plaintext's chunks.
	pub fn chunks(&self) -> u32 {
		self.0.object.chunks()
	}

	/// Returns the locations that were left so far.
	pub fn left(&self) -> Vec<Left> {
		self.0.turns.left()
	}

	/// Reads bytes of the plaintext: only the chunks that they are in. What is beyond the end is left out.
	///
	/// # Errors
	///
	/// Returns [`ReadError::NoneLeft`] if no location has these chunks.
	pub async fn read_range(&self, offset: u64, length: u64) -> Result<Vec<u8>, ReadError> {
		let end = offset.saturating_add(length).min(self.length());
		if offset >= end {
			return Ok(Vec::new());
		}
		let mut bytes = Vec::with_capacity((end - offset) as usize);
		let take = |piece: &[u8]| {
			bytes.extend_from_slice(piece);
			Ok(())
		};
		self.each_byte(offset..end, take).await?;
		Ok(bytes)
	}

	/// Reads bytes of the plaintext, which has all of them, and passes them on in pieces and in order.
	pub(crate) async fn each_byte(
		&self,
		range: Range<u64>,
		mut take: impl FnMut(&[u8]) -> Result<(), ReadError>,
	) -> Result<(), ReadError> {
		let size = CHUNK as u64;
		// Both are at most 2^20.
		let chunks = (range.start / size) as u32..range.end.div_ceil(size) as u32;
		let mut at = u64::from(chunks.start) * size;
		let pass = |chunk: &[u8]| {
			take(cut(chunk, at, &range))?;
			at += chunk.len() as u64;
			Ok(())
		};
		self.each(chunks, pass).await
	}

	/// Reads the plaintext from chunk `first` on, and writes it in order. Reports how many bytes of it are written.
	/// Only checked bytes are written, even if an error follows.
	///
	/// # Errors
	///
	/// Returns [`ReadError::NoneLeft`] if no location has the chunks, and [`ReadError::Io`] if they cannot be written.
	pub async fn write_to(
		&self,
		out: &mut impl Write,
		first: u32,
		progress: &mut impl FnMut(u64),
	) -> Result<(), ReadError> {
		let mut done = u64::from(first) * CHUNK as u64;
		let write = |chunk: &[u8]| {
			out.write_all(chunk)?;
			done += chunk.len() as u64;
			progress(done);
			Ok(())
		};
		self.each(first..self.0.object.chunks(), write).await?;
		Ok(out.flush()?)
	}

	/// Returns how many chunks these bytes have in common with the plaintext, from its start. Reports how many bytes are
	/// compared.
	///
	/// # Errors
	///
	/// Returns [`ReadError::NoneLeft`] if no location has the object's list, and [`ReadError::Io`] if the bytes cannot
	/// be read.
	pub async fn intact(
		&self,
		bytes: &mut impl Read,
		progress: &mut impl FnMut(u64),
	) -> Result<u32, ReadError> {
		let (object, values) = (&self.0.object, self.0.values().await?);
		let chunks = object.chunks();
		let (mut slot, mut done) = (Vec::new(), 0);
		for number in 0..chunks {
			slot.clear();
			let length = object.chunk_len(number) - TAG_LEN;
			bytes.by_ref().take(length as u64).read_to_end(&mut slot)?;
			if slot.len() < length {
				return Ok(number);
			}
			slot.resize(length + TAG_LEN, 0);
			self.0
				.cipher
				.seal(number, number + 1 == chunks, &mut slot)?;
			if values.get(number as usize) != Some(&tree::value(number, chunks == 1, &slot)) {
				return Ok(number);
			}
			done += length as u64;
			progress(done);
			tokio::task::yield_now().await;
		}
		Ok(chunks)
	}

	/// Reads chunks, several groups at a time, and passes their plaintext on in order.
	async fn each(
		&self,
		chunks: Range<u32>,
		mut take: impl FnMut(&[u8]) -> Result<(), ReadError>,
	) -> Result<(), ReadError> {
		let mut groups = (chunks.start..chunks.end).step_by(GROUP as usize);
		let (mut next, mut tasks, mut waiting) = (chunks.start, JoinSet::new(), BTreeMap::new());
		loop {
			while tasks.len() + waiting.len() < AT_ONCE {
				let Some(first) = groups.next() else { break };
				let (inner, count) = (self.0.clone(), GROUP.min(chunks.end - first));
				tasks.spawn(async move { (first, inner.group(first, count).await) });
			}
			while let Some(group) = waiting.remove(&next) {
				let group: Vec<u8> = group;
				for chunk in group.chunks(SEALED_CHUNK) {
					take(&chunk[..chunk.len() - TAG_LEN])?;
					next += 1;
				}
			}
			match tasks.join_next().await {
				None if waiting.is_empty() && next >= chunks.end => return Ok(()),
				None => {}
				Some(joined) => {
					let (first, group) = joined.map_err(io::Error::from)?;
					waiting.insert(first, group?);
				}
			}
		}
	}
}

/// Returns the bytes of a piece, which begins at byte `at`, that are in the range.
pub(crate) fn cut<'a>(piece: &'a [u8], at: u64, range: &Range<u64>) -> &'a [u8] {
	// A piece is in memory, so its places fit.
	let within = |byte: u64| byte.saturating_sub(at).min(piece.len() as u64) as usize;
	piece
		.get(within(range.start)..within(range.end))
		.unwrap_or_default()
}

impl Inner {
	/// Returns the chaining values of all chunks.
	async fn values(self: &Arc<Self>) -> Result<&Vec<Value>, ReadError> {
		let list = |location: Location| {
			let inner = self.clone();
			async move { source::list(&location, &inner.object, inner.silence).await }
		};
		let read = || async { self.turns.ask(list).await.map_err(ReadError::NoneLeft) };
		self.values.get_or_try_init(read).await
	}

	/// Reads and decrypts `count` chunks from number `first` on. Each has its tag after it.
	async fn group(self: Arc<Self>, first: u32, count: u32) -> Result<Vec<u8>, ReadError> {
		self.values().await?;
		let opened = self
			.turns
			.ask(|location| self.clone().opened(location, first, count));
		// A location that is left meanwhile is not asked by those that waited.
		let opened = self.pace.ask(opened).await;
		Ok(opened.map_err(ReadError::NoneLeft)??)
	}

	/// Does the same from one location. What is checked and does not decrypt is no location's fault.
	async fn opened(
		self: Arc<Self>,
		location: Location,
		first: u32,
		count: u32,
	) -> Result<Result<Vec<u8>, RecordError>, Failure> {
		let bytes = source::chunks(&location, &self.object, first, count, self.silence).await?;
		let opened = tokio::task::spawn_blocking(move || self.open(first, bytes));
		opened.await.unwrap_or(Err(Failure::Other))
	}

	/// Checks chunks and decrypts them in place.
	fn open(
		&self,
		first: u32,
		mut bytes: Vec<u8>,
	) -> Result<Result<Vec<u8>, RecordError>, Failure> {
		let values = self.values.get().map(Vec::as_slice).unwrap_or_default();
		if let [wrong, ..] = source::wrong(&self.object, values, first, &bytes)[..] {
			return Err(Failure::Wrong(wrong));
		}
		let chunks = self.object.chunks();
		for (number, chunk) in (first..).zip(bytes.chunks_mut(SEALED_CHUNK)) {
			if let Err(error) = self.cipher.unseal(number, number + 1 == chunks, chunk) {
				return Ok(Err(error));
			}
		}
		Ok(Ok(bytes))
	}
}
