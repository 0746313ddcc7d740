// SPDX-License-Identifier: Apache-2.0
//! What is stored: a file, a folder, bytes, or a Python object that can be read.

use crate::error::{raised_by_io, Raised};
use isthmus_sdk::{envelope::input::Input, upload::keep, upload::MAX_WHOLE, LocalFolder, Stamp};
use pyo3::{
	exceptions::{PyTypeError, PyValueError},
	prelude::*,
	pybacked::PyBackedBytes,
};
use std::{
	fs::{self, File},
	io::{self, Cursor, Read, Seek},
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
	thread,
};
use tokio::task::spawn_blocking;

/// What is stored, as Python names it.
pub(crate) enum Source {
	Path(PathBuf),
	Content(PyBackedBytes),
	File(Py<PyAny>),
}

/// What is stored, opened.
pub(crate) enum Opened {
	/// A value whose length is known.
	One(Value),
	/// What has to be read to its end to know its length, and a count of the bytes that were read.
	Stream(Box<dyn Read + Send>, Arc<AtomicU64>),
	/// The files of a folder.
	Folder(LocalFolder),
}

/// A value whose length is known.
pub(crate) struct Value {
	pub(crate) bytes: Box<dyn ReadSeek>,
	pub(crate) length: u64,
	/// The stamp of the file that is read while it is stored.
	pub(crate) stamp: Option<Stamp>,
}

pub(crate) trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

impl Source {
	/// Opens what is stored.
	pub(crate) fn open(self) -> Result<Opened, Raised> {
		match self {
			Self::Path(path) => open_path(&path),
			Self::Content(content) => Ok(Opened::One(Value {
				length: content.len() as u64,
				bytes: Box::new(Cursor::new(content)),
				stamp: None,
			})),
			Self::File(file) => {
				let count = Arc::new(AtomicU64::new(0));
				let file = PyFile {
					file,
					rest: Cursor::default(),
				};
				let counted = Counted(file, count.clone());
				Ok(Opened::Stream(Box::new(counted), count))
			}
		}
	}

	/// Returns the name of the file or folder, if it has one.
	pub(crate) fn name(&self) -> Option<&str> {
		match self {
			Self::Path(path) => path.file_name()?.to_str(),
			Self::Content(_) | Self::File(_) => None,
		}
	}
}

fn open_path(path: &Path) -> Result<Opened, Raised> {
	let failed = |error: io::Error| raised_by_io(path, &error);
	let there = fs::metadata(path).map_err(failed)?;
	if there.is_dir() {
		return Ok(Opened::Folder(LocalFolder::open(path)?));
	}
	if !there.is_file() {
		// It is waited for when it is read, where Ctrl-C ends the wait.
		let stream = Input::open(path, |_| Ok(())).map_err(failed)?;
		let count = Arc::new(AtomicU64::new(0));
		return Ok(Opened::Stream(
			Box::new(Counted(stream, count.clone())),
			count,
		));
	}
	let mut file = File::open(path).map_err(failed)?;
	let stamp = Stamp::of(&file).map_err(failed)?;
	let length = stamp.length();
	if length > MAX_WHOLE {
		return Ok(Opened::One(Value {
			bytes: Box::new(file),
			length,
			stamp: Some(stamp),
		}));
	}
	// Some files, such as those in /proc, have another length than the system says.
	let (bytes, length) = keep(&mut file)?;
	stamp.check()?;
	Ok(Opened::One(Value {
		bytes: Box::new(bytes),
		length,
		stamp: None,
	}))
}

/// Reads a stream to its end, so that its length is known.
pub(crate) async fn keep_stream(stream: Box<dyn Read + Send>) -> Result<Value, Raised> {
	// Elsewhere, so that Ctrl-C ends the wait for what may never come.
	let kept = spawn_blocking(|| keep(stream)).await;
	let (bytes, length) = kept.map_err(io::Error::other).map_err(PyErr::from)??;
	Ok(Value {
		bytes: Box::new(bytes),
		length,
		stamp: None,
	})
}

/// Counts the bytes that are read.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		let got = self.0.read(space)?;
		self.1.fetch_add(got as u64, Ordering::Relaxed);
		Ok(got)
	}
}

/// A Python object that can be read.
struct PyFile {
	file: Py<PyAny>,
	/// What it returned beyond what was asked for.
	rest: Cursor<Vec<u8>>,
}

impl Read for PyFile {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		let got = self.rest.read(space)?;
		if got > 0 || space.is_empty() {
			return Ok(got);
		}
		let asked = space.len();
		let file = &self.file;
		// In a thread of its own, because the object may itself be a record that has to be fetched.
		let read = thread::scope(|scope| {
			let thread = thread::Builder::new().spawn_scoped(scope, || read_some(file, asked))?;
			Ok::<_, io::Error>(thread.join())
		})?;
		let read = read.map_err(|_| io::Error::other("reading the object panicked"))??;
		self.rest = Cursor::new(read);
		self.rest.read(space)
	}
}

fn read_some(file: &Py<PyAny>, asked: usize) -> io::Result<Vec<u8>> {
	let read = Python::try_attach(|py| {
		let read = file.bind(py).call_method1("read", (asked,))?;
		let is_text = read.is_instance_of::<pyo3::types::PyString>();
		if is_text {
			return Err(PyTypeError::new_err(
				"the file returns text: open it in binary mode",
			));
		}
		if read.is_none() {
			let waits = "the file has no bytes now: it must not be a non-blocking one";
			return Err(PyValueError::new_err(waits));
		}
		Ok(read.extract::<PyBackedBytes>()?.to_vec())
	});
	let ends = || io::Error::other("Python ends");
	Ok(read.ok_or_else(ends)??)
}
