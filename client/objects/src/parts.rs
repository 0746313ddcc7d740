// SPDX-License-Identifier: Apache-2.0
//! Sends an object in parts, several at a time, which the store puts together at the end.

use crate::{
	connector::broke_off,
	failure::{came_too_slowly, Failure},
	patience::patiently,
};
use async_trait::async_trait;
use bytes::Bytes;
use isthmus_envelope::{input, on_disk};
use object_store::{
	multipart::{MultipartStore, PartId},
	path::Path,
};
use std::{
	fs::{self, File, OpenOptions},
	future::Future,
	io::{self, Write},
	path::PathBuf,
};

/// The name under which a bucket is asked to begin an object that is never sent. No object has it.
const CHECKED: &str = "isthmus-check";
/// How many bytes are written to find out whether a disk is full.
const SOME: usize = 64 << 10;
/// How often a part is sent again that the store gave up because it came too slowly, or that took long until its connection
/// broke off. `object_store` does not repeat these.
const AGAIN: usize = 3;
/// How often a part is sent again that the store did not take in time, as after a laptop has slept.
const SILENT: usize = 1;

/// A store that takes an object in parts.
#[async_trait]
pub trait Parts: Send + Sync + 'static {
	/// Begins an object, and returns what names the unfinished upload.
	async fn begin(&self, path: &Path) -> Result<String, Failure>;

	/// Sends part `index`, whose first byte is byte `offset` of the object, as often as it is worth it. Returns what the store
	/// calls it.
	async fn put(
		&self,
		path: &Path,
		id: &str,
		index: usize,
		offset: u64,
		bytes: Bytes,
	) -> Result<String, Failure>;

	/// Puts the parts together.
	async fn complete(&self, path: &Path, id: &str, parts: Vec<String>) -> Result<(), Failure>;

	/// Has the store forget the parts of an upload that will not be finished.
	async fn abandon(&self, path: &Path, id: &str) -> Result<(), Failure>;

	/// Checks that objects can be written in a folder, and leaves nothing there.
	async fn check(&self, folder: &Path) -> Result<(), Failure> {
		let path = folder.clone().join(CHECKED);
		match self.begin(&path).await {
			Ok(id) => {
				// Who may write need not be allowed to delete. What is left has no parts, and the bucket's rules remove it.
				let _ = self.abandon(&path, &id).await;
				Ok(())
			}
			Err(failure) if failure.is_of_store() => Err(failure),
			// It may be about objects in parts alone.
			Err(_) => Ok(()),
		}
	}
}

#[async_trait]
impl<T: MultipartStore> Parts for T {
	async fn begin(&self, path: &Path) -> Result<String, Failure> {
		Ok(self.create_multipart(path).await?)
	}

	async fn put(
		&self,
		path: &Path,
		id: &str,
		index: usize,
		_: u64,
		bytes: Bytes,
	) -> Result<String, Failure> {
		let id = id.to_owned();
		let put = || self.put_part(path, &id, index, bytes.clone().into());
		let part = try_to_send(bytes.len(), put).await.map_err(dropped)?;
		Ok(part.content_id)
	}

	async fn complete(&self, path: &Path, id: &str, parts: Vec<String>) -> Result<(), Failure> {
		let parts = parts.into_iter();
		let parts = parts.map(|content_id| PartId { content_id }).collect();
		let id = id.to_owned();
		let complete = self.complete_multipart(path, &id, parts);
		complete.await.map(|_| ()).map_err(dropped)
	}

	async fn abandon(&self, path: &Path, id: &str) -> Result<(), Failure> {
		let id = id.to_owned();
		self.abort_multipart(path, &id).await.map_err(dropped)
	}
}

/// Sends `size` bytes to a store, as often as it is worth it. Only this decides it, besides `object_store`, which repeats for some
/// seconds what fails soon: a store that no connection reaches any more is not tried for as long again.
pub(crate) async fn try_to_send<T, Sending>(
	size: usize,
	send: impl Fn() -> Sending,
) -> Result<T, Failure>
where
	Sending: Future<Output = object_store::Result<T>>,
{
	let (mut again, mut silent) = (AGAIN, SILENT);
	loop {
		match patiently(size, async { Ok(send().await) }).await {
			Ok(Ok(sent)) => return Ok(sent),
			Ok(Err(error)) if again > 0 && (came_too_slowly(&error) || broke_off(&error)) => {
				again -= 1;
			}
			Ok(Err(error)) => return Err(error.into()),
			Err(_) if silent > 0 => silent -= 1,
			Err(failure) => return Err(failure),
		}
	}
}

/// What is missing is not the object, but the upload.
fn dropped(error: impl Into<Failure>) -> Failure {
	match error.into() {
		Failure::Missing => Failure::Dropped,
		failure => failure,
	}
}

/// Takes the parts into a file of this machine. `object_store` writes files, too, but cannot resume one that an
/// interrupted program began.
pub(crate) struct LocalParts;

impl LocalParts {
	/// Returns the file of a finished and of an unfinished object.
	pub(crate) fn files(path: &Path) -> (PathBuf, PathBuf) {
		let file = PathBuf::from(format!("/{path}"));
		let unfinished = file.with_extension("unfinished");
		(file, unfinished)
	}
}

#[async_trait]
impl Parts for LocalParts {
	async fn begin(&self, path: &Path) -> Result<String, Failure> {
		let (_, unfinished) = Self::files(path);
		blocking(move || {
			if let Some(folder) = unfinished.parent() {
				fs::create_dir_all(folder)?;
			}
			let mut options = OpenOptions::new();
			options.write(true).create(true).truncate(true);
			input::open_as(&unfinished, &mut options).map(|_| String::from("file"))
		})
		.await
	}

	async fn put(
		&self,
		path: &Path,
		_: &str,
		index: usize,
		offset: u64,
		bytes: Bytes,
	) -> Result<String, Failure> {
		let (_, unfinished) = Self::files(path);
		let size = bytes.len();
		let put = blocking(move || {
			let file = input::open_as(&unfinished, OpenOptions::new().write(true))?;
			write_at(&file, &bytes, offset)?;
			Ok(index.to_string())
		});
		patiently(size, put).await.map_err(dropped)
	}

	async fn complete(&self, path: &Path, _: &str, _: Vec<String>) -> Result<(), Failure> {
		let (file, unfinished) = Self::files(path);
		let complete = blocking(move || {
			on_disk::sync(&input::open(&unfinished)?)?;
			fs::rename(&unfinished, &file)?;
			on_disk::sync_name(&file)
		});
		complete.await.map_err(dropped)
	}

	async fn check(&self, folder: &Path) -> Result<(), Failure> {
		let (folder, _) = Self::files(folder);
		let check = blocking(move || {
			// A folder that is not there is made for the first object.
			let there = folder
				.ancestors()
				.find(|at| fs::symlink_metadata(at).is_ok());
			let mut file = tempfile::tempfile_in(there.unwrap_or(&folder))?;
			file.write_all(&[0; SOME])
		});
		check.await
	}

	async fn abandon(&self, path: &Path, _: &str) -> Result<(), Failure> {
		let (_, unfinished) = Self::files(path);
		let abandon = blocking(move || fs::remove_file(unfinished));
		abandon.await.map_err(dropped)
	}
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
	std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
	use std::io::{Seek, SeekFrom, Write};
	file.seek(SeekFrom::Start(offset))?;
	file.write_all(bytes)
}

/// Runs what takes time or waits for a disk on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
	run: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
	match tokio::task::spawn_blocking(run).await {
		Ok(done) => Ok(done?),
		// The program ends.
		Err(_) => Err(Failure::Other),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::connector::BrokeOff;
	use object_store::client::{HttpError, HttpErrorKind};
	use std::{cell::Cell, error::Error as StdError, future};

	fn generic(source: impl Into<Box<dyn StdError + Send + Sync>>) -> object_store::Error {
		let source = source.into();
		object_store::Error::Generic {
			store: "S3",
			source,
		}
	}

	/// Returns how often a part is sent that fails each time with this error.
	async fn tries(error: impl Fn() -> object_store::Error) -> usize {
		let count = Cell::new(0);
		let send = || {
			count.set(count.get() + 1);
			future::ready(Err::<(), _>(error()))
		};
		try_to_send(1, send).await.unwrap_err();
		count.get()
	}

	#[tokio::test]
	async fn only_what_object_store_does_not_repeat_is_sent_again() {
		let answer = |text: &'static str| tries(move || generic(text));
		let slow = "status code: 400 Bad Request: <Code>RequestTimeout</Code>";
		assert_eq!(answer(slow).await, 1 + AGAIN);
		for text in [
			"status code: 408 Request Timeout: <Code>RequestTimeout</Code>",
			"status code: 503 Service Unavailable: <Code>SlowDown</Code>",
			"status code: 403 Forbidden: <Code>AccessDenied</Code>",
		] {
			assert_eq!(answer(text).await, 1, "{text}");
		}
		let ended = |kind| HttpError::new(kind, io::Error::other("error sending request"));
		let broken = || {
			let kind = HttpErrorKind::Interrupted;
			generic(HttpError::new(kind, BrokeOff(ended(kind))))
		};
		assert_eq!(tries(broken).await, 1 + AGAIN);
		// The store is gone: `object_store` has tried to connect for long enough.
		let gone = || generic(ended(HttpErrorKind::Connect));
		assert_eq!(tries(gone).await, 1);
	}

	#[tokio::test]
	async fn a_part_that_arrives_in_the_end_is_sent() {
		let count = Cell::new(0);
		let send = || {
			count.set(count.get() + 1);
			let slow = "status code: 400 Bad Request: <Code>RequestTimeout</Code>";
			future::ready(match count.get() {
				AGAIN.. => Ok(count.get()),
				_ => Err(generic(slow)),
			})
		};
		assert_eq!(try_to_send(1, send).await, Ok(AGAIN));
	}
}
