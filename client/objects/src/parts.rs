// SPDX-License-Identifier: Apache-2.0
//! Sends an object in parts, several at a time, which the store puts together at the end.

use crate::failure::{Failure, REQUEST_TIMEOUT};
use async_trait::async_trait;
use bytes::Bytes;
use isthmus_envelope::{input, on_disk};
use object_store::{
	multipart::{MultipartStore, PartId},
	path::Path,
};
use std::{
	fs::{self, File, OpenOptions},
	io::{self, Write},
	path::PathBuf,
};

/// The name under which a bucket is asked to begin an object that is never sent. No object has it.
const CHECKED: &str = "isthmus-check";
/// How many bytes are written to find out whether a disk is full.
const SOME: usize = 64 << 10;
/// How often a part is sent again that the store gave up because it came too slowly. `object_store` does not repeat it.
const AGAIN: usize = 3;

/// A store that takes an object in parts.
#[async_trait]
pub trait Parts: Send + Sync + 'static {
	/// Begins an object, and returns what names the unfinished upload.
	async fn begin(&self, path: &Path) -> Result<String, Failure>;

	/// Sends part `index`, whose first byte is byte `offset` of the object. Returns what the store calls it.
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
		let mut left = AGAIN;
		loop {
			let part = self.put_part(path, &id, index, bytes.clone().into());
			match part.await.map_err(dropped) {
				Err(Failure::Unavailable(REQUEST_TIMEOUT)) if left > 0 => left -= 1,
				sent => return Ok(sent?.content_id),
			}
		}
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

/// What is missing is not the object, but the upload.
fn dropped(error: object_store::Error) -> Failure {
	match Failure::from(error) {
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
		let put = blocking(move || {
			let file = input::open_as(&unfinished, OpenOptions::new().write(true))?;
			write_at(&file, &bytes, offset)?;
			Ok(index.to_string())
		});
		put.await.map_err(|failure| match failure {
			Failure::Missing => Failure::Dropped,
			failure => failure,
		})
	}

	async fn complete(&self, path: &Path, _: &str, _: Vec<String>) -> Result<(), Failure> {
		let (file, unfinished) = Self::files(path);
		let complete = blocking(move || {
			on_disk::sync(&input::open(&unfinished)?)?;
			fs::rename(&unfinished, &file)?;
			on_disk::sync_name(&file)
		});
		complete.await.map_err(|failure| match failure {
			Failure::Missing => Failure::Dropped,
			failure => failure,
		})
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
		check.await.map_err(|failure| match failure {
			// A link that leads nowhere is in its place.
			Failure::Missing => Failure::File(io::ErrorKind::NotFound),
			failure => failure,
		})
	}

	async fn abandon(&self, path: &Path, _: &str) -> Result<(), Failure> {
		let (_, unfinished) = Self::files(path);
		let abandon = blocking(move || fs::remove_file(unfinished));
		abandon.await.map_err(|failure| match failure {
			Failure::Missing => Failure::Dropped,
			failure => failure,
		})
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
