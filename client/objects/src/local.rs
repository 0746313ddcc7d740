// SPDX-License-Identifier: Apache-2.0
//! A folder of this machine as a store. Nothing but regular files is opened in it: to open a FIFO would wait for another program.

use crate::parts::LocalParts;
use async_trait::async_trait;
use futures::stream::BoxStream;
use isthmus_envelope::{input, on_disk};
use object_store::{
	local::LocalFileSystem, path::Path, CopyOptions, Error, GetOptions, GetResult, ListResult,
	MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
	PutResult, Result,
};
use std::{
	fmt, fs,
	io::{self, Write},
};

/// The store.
#[derive(Debug)]
pub(crate) struct Local(LocalFileSystem);

impl Local {
	pub(crate) fn new() -> Self {
		Self(LocalFileSystem::new())
	}
}

impl fmt::Display for Local {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		fmt::Display::fmt(&self.0, f)
	}
}

/// Checks that a file can be opened without waiting for another program. One that is not there is left to the store.
fn check(path: &Path) -> io::Result<()> {
	let (file, _) = LocalParts::files(path);
	match fs::metadata(file).map(|there| input::kind(there.file_type())) {
		Ok(Some(kind)) => Err(input::NoRegularFile(kind).into()),
		_ => Ok(()),
	}
}

/// Writes a file. When this returns, it is on the disk: the chain may name it from then on, and the machine may lose its power.
/// `object_store` leaves that to the system. A program that is killed meanwhile leaves the file of an unfinished object, which is
/// deleted with the object.
fn write(path: &Path, bytes: &PutPayload) -> io::Result<()> {
	let (file, unfinished) = LocalParts::files(path);
	if let Some(folder) = file.parent() {
		fs::create_dir_all(folder)?;
	}
	let mut options = fs::OpenOptions::new();
	options.write(true).create(true).truncate(true);
	let mut new = input::open_as(&unfinished, &mut options)?;
	let written = bytes
		.iter()
		.try_for_each(|part| new.write_all(part))
		.and_then(|()| on_disk::sync(&new))
		.and_then(|()| fs::rename(&unfinished, &file));
	if written.is_err() {
		// The error of writing it is the one to report.
		let _ = fs::remove_file(&unfinished);
	}
	written?;
	on_disk::sync_name(&file)
}

/// Runs what waits for a disk on a thread for that.
async fn on_disk_thread<T: Send + 'static>(
	run: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
	let failed = |source| Error::Generic {
		store: "LocalFileSystem",
		source,
	};
	match tokio::task::spawn_blocking(run).await {
		Ok(done) => done.map_err(|error| failed(error.into())),
		// The program ends.
		Err(ended) => Err(failed(ended.into())),
	}
}

#[async_trait]
impl ObjectStore for Local {
	async fn put_opts(
		&self,
		path: &Path,
		bytes: PutPayload,
		options: PutOptions,
	) -> Result<PutResult> {
		if options.mode != PutMode::Overwrite {
			return self.0.put_opts(path, bytes, options).await;
		}
		let path = path.clone();
		on_disk_thread(move || write(&path, &bytes)).await?;
		Ok(PutResult {
			e_tag: None,
			version: None,
		})
	}

	async fn put_multipart_opts(
		&self,
		path: &Path,
		options: PutMultipartOptions,
	) -> Result<Box<dyn MultipartUpload>> {
		self.0.put_multipart_opts(path, options).await
	}

	async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
		let asked = path.clone();
		on_disk_thread(move || check(&asked)).await?;
		self.0.get_opts(path, options).await
	}

	fn delete_stream(
		&self,
		paths: BoxStream<'static, Result<Path>>,
	) -> BoxStream<'static, Result<Path>> {
		self.0.delete_stream(paths)
	}

	fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
		self.0.list(prefix)
	}

	fn list_with_offset(
		&self,
		prefix: Option<&Path>,
		offset: &Path,
	) -> BoxStream<'static, Result<ObjectMeta>> {
		self.0.list_with_offset(prefix, offset)
	}

	async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
		self.0.list_with_delimiter(prefix).await
	}

	async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
		self.0.copy_opts(from, to, options).await
	}
}
