// SPDX-License-Identifier: Apache-2.0
//! A store in memory that fails when it is told to, and remembers what it was sent.

use crate::{Failure, Location, Parts};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{stream, stream::BoxStream, StreamExt};
use object_store::{
	memory::InMemory, path::Path, CopyOptions, Error, GetOptions, GetResult, GetResultPayload,
	ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions,
	PutOptions, PutPayload, PutResult, Result,
};
use std::{
	collections::BTreeMap,
	path::PathBuf,
	sync::{
		atomic::{AtomicBool, AtomicUsize, Ordering},
		Arc, Mutex,
	},
};

/// How the store answers a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
	/// With a bit changed.
	Wrong,
	/// With a byte too few.
	Short,
	/// With status 503.
	Unavailable,
	/// With status 403, because the credentials have expired.
	Expired,
	/// Never.
	Silent,
	/// With half of the bytes, and then never.
	Stuck,
	/// As if nothing were there.
	Gone,
}

/// When the program is interrupted while it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kill {
	/// Before the store does what it was asked.
	Before,
	/// After that, but before the program learns it.
	After,
}

#[derive(Debug, Default)]
pub(super) struct Store {
	inner: InMemory,
	/// The parts of unfinished uploads, by the upload's number and the part's.
	parts: Mutex<BTreeMap<(String, usize), Bytes>>,
	/// All bytes that the store was ever sent, by name and offset.
	pub(super) seen: Mutex<Vec<(String, u64, Bytes)>>,
	/// How reads from this number on are answered.
	fault: Mutex<Option<(usize, Fault)>>,
	reads: AtomicUsize,
	/// Which write is interrupted.
	kill: Mutex<Option<(usize, Kill)>>,
	pub(super) writes: AtomicUsize,
	/// The journal that the store looks at whenever it has to abandon an upload or to delete an object.
	journal: Mutex<Option<PathBuf>>,
	/// What it found there.
	said: Mutex<Vec<(Deletes, String)>>,
	/// Whether it does not abandon uploads.
	keeps_parts: AtomicBool,
}

/// What a store has to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deletes {
	/// The parts of an upload.
	Parts,
	/// An object, or its list.
	Object,
}

impl Store {
	/// Makes a location of the store.
	pub(super) fn at(self: &Arc<Self>, url: &str) -> Location {
		Location::of(url, self.clone(), Some(self.clone()), Path::from("folder"))
	}

	/// Answers all reads but the first `after` ones so.
	pub(super) fn fail(&self, after: usize, fault: Fault) {
		let after = self.reads.load(Ordering::SeqCst) + after;
		*self.fault.lock().unwrap() = Some((after, fault));
	}

	/// Interrupts the program at this write, counted from 0 from now on.
	pub(super) fn interrupt(&self, kill: Option<(usize, Kill)>) {
		self.writes.store(0, Ordering::SeqCst);
		*self.kill.lock().unwrap() = kill;
	}

	/// Looks at this journal from now on when it has to delete something.
	pub(super) fn look_at(&self, journal: &std::path::Path) {
		*self.journal.lock().unwrap() = Some(journal.to_owned());
	}

	/// Abandons no upload, or does it again.
	pub(super) fn keep_parts(&self, keeps: bool) {
		self.keeps_parts.store(keeps, Ordering::SeqCst);
	}

	/// Returns what it had to delete, and the last line of the journal at that time.
	pub(super) fn said(&self) -> Vec<(Deletes, String)> {
		std::mem::take(&mut self.said.lock().unwrap())
	}

	fn look(&self, deletes: Deletes) {
		if let Some(journal) = &*self.journal.lock().unwrap() {
			let text = std::fs::read_to_string(journal).unwrap_or_default();
			let last = text.lines().last().unwrap_or_default().to_owned();
			self.said.lock().unwrap().push((deletes, last));
		}
	}

	/// Returns how many uploads are unfinished.
	pub(super) fn unfinished(&self) -> usize {
		let parts = self.parts.lock().unwrap();
		parts.keys().filter(|(_, part)| *part == usize::MAX).count()
	}

	/// Returns the names of all objects and lists.
	pub(super) async fn objects(&self) -> Vec<String> {
		let all: Vec<_> = self.inner.list(None).collect().await;
		let names = all.into_iter().map(|found| found.unwrap().location);
		names.map(|name| name.to_string()).collect()
	}

	/// Forgets all unfinished uploads.
	pub(super) fn drop_uploads(&self) {
		self.parts.lock().unwrap().clear();
	}

	/// Writes, and is interrupted if that was wanted.
	async fn write<T>(
		&self,
		write: impl std::future::Future<Output = T>,
	) -> std::result::Result<T, Failure> {
		let number = self.writes.fetch_add(1, Ordering::SeqCst);
		let kill = *self.kill.lock().unwrap();
		let kill = kill.filter(|(at, _)| number >= *at);
		match kill {
			None => Ok(write.await),
			Some((at, Kill::After)) if number == at => {
				write.await;
				Err(Failure::Other)
			}
			Some(_) => Err(Failure::Other),
		}
	}

	fn see(&self, path: &Path, offset: u64, bytes: Bytes) {
		let mut seen = self.seen.lock().unwrap();
		seen.push((path.to_string(), offset, bytes));
	}
}

impl std::fmt::Display for Store {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str("Store")
	}
}

fn generic(text: &str) -> Error {
	Error::Generic {
		store: "Store",
		source: text.into(),
	}
}

#[async_trait]
impl Parts for Store {
	async fn begin(&self, _: &Path) -> std::result::Result<String, Failure> {
		static NEXT: AtomicUsize = AtomicUsize::new(0);
		let id = NEXT.fetch_add(1, Ordering::SeqCst).to_string();
		let mark = (id.clone(), usize::MAX);
		let begin = async { self.parts.lock().unwrap().insert(mark, Bytes::new()) };
		self.write(begin).await?;
		Ok(id)
	}

	async fn put(
		&self,
		path: &Path,
		id: &str,
		index: usize,
		offset: u64,
		bytes: Bytes,
	) -> std::result::Result<String, Failure> {
		self.see(path, offset, Bytes::copy_from_slice(&bytes));
		let put = async {
			let mut parts = self.parts.lock().unwrap();
			let known = parts.contains_key(&(id.to_owned(), usize::MAX));
			known.then(|| parts.insert((id.to_owned(), index), Bytes::copy_from_slice(&bytes)))
		};
		self.write(put).await?.ok_or(Failure::Dropped)?;
		Ok(format!("part {index}"))
	}

	async fn complete(
		&self,
		path: &Path,
		id: &str,
		names: Vec<String>,
	) -> std::result::Result<(), Failure> {
		let complete = async {
			let mark = (id.to_owned(), usize::MAX);
			let whole = {
				let mut parts = self.parts.lock().unwrap();
				parts.remove(&mark).ok_or(Failure::Dropped)?;
				let mine = parts.range((id.to_owned(), 0)..mark);
				let mine: Vec<_> = mine.map(|(_, bytes)| bytes.clone()).collect();
				assert_eq!(mine.len(), names.len());
				mine.concat()
			};
			ObjectStoreExt::put(&self.inner, path, whole.into()).await?;
			Ok(())
		};
		self.write(complete).await?
	}

	async fn abandon(&self, _: &Path, id: &str) -> std::result::Result<(), Failure> {
		self.look(Deletes::Parts);
		if self.keeps_parts.load(Ordering::SeqCst) {
			return Err(Failure::Other);
		}
		let mut parts = self.parts.lock().unwrap();
		parts.retain(|(other, _), _| other != id);
		Ok(())
	}
}

#[async_trait]
impl ObjectStore for Store {
	async fn put_opts(
		&self,
		path: &Path,
		bytes: PutPayload,
		options: PutOptions,
	) -> Result<PutResult> {
		if !path.as_ref().ends_with(".b3") {
			self.see(path, 0, bytes.clone().into());
		}
		let put = self.write(self.inner.put_opts(path, bytes, options)).await;
		put.unwrap_or_else(|_| Err(generic("interrupted")))
	}

	async fn put_multipart_opts(
		&self,
		path: &Path,
		options: PutMultipartOptions,
	) -> Result<Box<dyn MultipartUpload>> {
		self.inner.put_multipart_opts(path, options).await
	}

	async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
		let number = self.reads.fetch_add(1, Ordering::SeqCst);
		let fault = self
			.fault
			.lock()
			.unwrap()
			.filter(|(from, _)| number >= *from);
		let fault = fault.map(|(_, fault)| fault);
		match fault {
			Some(Fault::Unavailable) => {
				return Err(generic("status code: 503 Service Unavailable: "))
			}
			Some(Fault::Expired) => {
				return Err(generic(
					"status code: 403 Forbidden: <Code>ExpiredToken</Code>",
				))
			}
			Some(Fault::Silent) => futures::future::pending().await,
			Some(Fault::Gone) => {
				return Err(Error::NotFound {
					path: path.to_string(),
					source: "gone".into(),
				})
			}
			_ => {}
		}
		let got = self.inner.get_opts(path, options).await?;
		if got.range.is_empty() || fault.is_none() {
			return Ok(got);
		}
		let (meta, range, attributes) =
			(got.meta.clone(), got.range.clone(), got.attributes.clone());
		let mut bytes = got.bytes().await?.to_vec();
		match fault {
			Some(Fault::Wrong) => *bytes.last_mut().unwrap() ^= 1,
			Some(Fault::Short) => drop(bytes.pop()),
			Some(Fault::Stuck) => bytes.truncate(bytes.len() / 2),
			_ => {}
		}
		let pieces = stream::iter([Ok(Bytes::from(bytes))]);
		let payload = match fault {
			Some(Fault::Stuck) => pieces.chain(stream::pending()).boxed(),
			_ => pieces.boxed(),
		};
		Ok(GetResult {
			payload: GetResultPayload::Stream(payload),
			meta,
			range,
			attributes,
		})
	}

	fn delete_stream(
		&self,
		paths: BoxStream<'static, Result<Path>>,
	) -> BoxStream<'static, Result<Path>> {
		self.look(Deletes::Object);
		self.inner.delete_stream(paths)
	}

	fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
		let fault = *self.fault.lock().unwrap();
		let listed = self.inner.list(prefix);
		match fault {
			Some((_, Fault::Silent)) => listed.chain(stream::pending()).boxed(),
			_ => listed,
		}
	}

	async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
		self.inner.list_with_delimiter(prefix).await
	}

	async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
		self.inner.copy_opts(from, to, options).await
	}
}
