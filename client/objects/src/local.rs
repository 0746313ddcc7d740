// SPDX-License-Identifier: Apache-2.0
//! A folder of this machine as a store. Nothing but regular files is opened in it: to open a FIFO would wait for another program.

use crate::parts::LocalParts;
use async_trait::async_trait;
use futures::stream::BoxStream;
use isthmus_envelope::input;
use object_store::{
	local::LocalFileSystem, path::Path, CopyOptions, Error, GetOptions, GetResult, ListResult,
	MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
	PutResult, Result,
};
use std::{fmt, fs, io};

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

#[async_trait]
impl ObjectStore for Local {
	async fn put_opts(
		&self,
		path: &Path,
		bytes: PutPayload,
		options: PutOptions,
	) -> Result<PutResult> {
		self.0.put_opts(path, bytes, options).await
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
		let failed = |source| Error::Generic {
			store: "LocalFileSystem",
			source,
		};
		match tokio::task::spawn_blocking(move || check(&asked)).await {
			Ok(checked) => checked.map_err(|error| failed(error.into()))?,
			// The program ends.
			Err(ended) => return Err(failed(ended.into())),
		}
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
