// SPDX-License-Identifier: Apache-2.0
//! What is stored: a file, a folder, stdin or another stream.

use crate::{
	context::Context,
	error::{os, Error},
	exclude::Excludes,
	input,
	options::Options,
	output::{is_open_file, is_stdin, kind},
	progress::Bar,
	stderr::tell,
};
use isthmus_sdk::{
	envelope::paths::ShowPath,
	upload::{keep, KeepError, MAX_WHOLE},
	Error as SdkError, LocalFolder, Progress, Stage, Stamp,
};
use isthmus_streams::Stream;
use std::{
	convert::Infallible,
	fs::{self, File},
	io::{self, Read, Seek},
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
	time::Duration,
};

/// What to store.
pub(super) enum Source {
	/// What can be stored as it is.
	Ready(Ready),
	/// Stdin.
	Stdin,
	/// A FIFO, or another open file of the shell that started the program.
	Stream(PathBuf),
}

/// A value, or values, whose lengths are known.
pub(super) enum Ready {
	/// One value, its length in bytes and, if it is read from a file while it is stored, the stamp of that.
	One(Box<dyn ReadSeek>, u64, Option<Stamp>),
	/// The files of a folder.
	Folder(LocalFolder),
}

pub(super) trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

impl Source {
	/// Opens a file or a folder. A stream is opened when it is read.
	pub(super) fn open(path: &Path, excludes: &Excludes, options: &Options) -> Result<Self, Error> {
		if is_stdin(path) {
			return match Stream::Stdin.was_closed() {
				true => Err(Error::failed(
					"stdin is closed, so nothing can be read from it",
				)),
				false => Ok(Self::Stdin),
			};
		}
		let failed = |error: io::Error| Error::file(path, &error);
		let there = fs::metadata(path).map_err(failed)?;
		if is_open_file(path) || is_fifo(there.file_type()) {
			return Ok(Self::Stream(path.to_owned()));
		}
		if there.is_dir() {
			return Ok(Self::Ready(Ready::Folder(
				excludes.open(path, options, false)?,
			)));
		}
		if !there.is_file() {
			let (path, kind) = (path.shown(), kind(there.file_type()));
			return Err(Error::failed(format!("{path} is a {kind}"))
				.hint("to store what can be read from it, pipe it: isthmus store - --name NAME"));
		}
		let file = File::open(path).map_err(failed)?;
		let stamp = Stamp::of(&file).map_err(failed)?;
		if stamp.length() > MAX_WHOLE {
			let length = stamp.length();
			return Ok(Self::Ready(Ready::One(Box::new(file), length, Some(stamp))));
		}
		// Some files, such as those in /proc, have another length than the system says.
		let ready = read_to_end(file, path)?;
		stamp
			.check()
			.map_err(|error| Error::from(error).about(path))?;
		Ok(Self::Ready(ready))
	}

	/// Reads a stream to its end, and counts its bytes.
	fn read(self, counter: &Arc<AtomicU64>) -> Result<Ready, Error> {
		match self {
			Self::Ready(ready) => Ok(ready),
			Self::Stdin => read_stream(Counted(stdin()?, counter.clone()), Path::new(STDIN)),
			Self::Stream(path) => {
				let stream = input::open(&path).map_err(|error| Error::file(&path, &error))?;
				read_stream(Counted(stream, counter.clone()), &path)
			}
		}
	}
}

/// What errors call stdin.
const STDIN: &str = "stdin";

/// Opens stdin.
pub(super) fn stdin() -> Result<impl Read + Send, Error> {
	input::stdin().map_err(|error| Error::file(Path::new(STDIN), &error))
}

/// Reads a stream to its end. Warns if it is empty: the program that should have written to it may have failed.
fn read_stream(from: impl Read, path: &Path) -> Result<Ready, Error> {
	let ready = read_to_end(from, path)?;
	if matches!(ready, Ready::One(_, 0, _)) {
		let path = path.shown();
		tell(format_args!(
			"warning: nothing came from {path}, so the record is empty: did the program that writes to it fail?"
		));
	}
	Ok(ready)
}

/// Reads a value whose length is not known.
fn read_to_end(from: impl Read, path: &Path) -> Result<Ready, Error> {
	let (kept, length) = keep(from).map_err(|error| match error {
		KeepError::Read(error) => Error::file(path, &error),
		KeepError::Write { folder, source } => {
			let (path, folder) = (path.shown(), folder.shown());
			Error::failed(format!("cannot keep {path} in {folder}: {}", os(&source)))
				.hint("set $TMPDIR to a folder with enough space")
		}
		KeepError::TooLong(error) => SdkError::from(error).into(),
		error => Error::failed(error),
	})?;
	Ok(Ready::One(Box::new(kept), length, None))
}

#[cfg(unix)]
fn is_fifo(there: fs::FileType) -> bool {
	std::os::unix::fs::FileTypeExt::is_fifo(&there)
}

#[cfg(not(unix))]
fn is_fifo(_: fs::FileType) -> bool {
	false
}

/// Reads a stream to its end, on a thread of its own: if the node is gone for long, the command ends before the stream does.
/// Shows how much was read.
pub(super) async fn read(source: Source, context: &Context) -> Result<Ready, Error> {
	let source = match source {
		Source::Ready(ready) => return Ok(ready),
		source => source,
	};
	let counted = Arc::new(AtomicU64::new(0));
	let counter = counted.clone();
	let reading = tokio::task::spawn_blocking(move || source.read(&counter));
	tokio::select! {
		read = reading => read.map_err(Error::failed)?,
		error = context.lost() => Err(error),
		never = show_read(&counted) => match never {},
	}
}

/// Shows how much of a stream was read, once that is more than fits into one transaction.
async fn show_read(read: &AtomicU64) -> Infallible {
	const EACH: Duration = Duration::from_millis(200);
	let (mut bar, mut ticks) = (Bar::new(), tokio::time::interval(EACH));
	loop {
		ticks.tick().await;
		let read = read.load(Ordering::Relaxed);
		if read > MAX_WHOLE {
			bar.at(Stage::Reading, read, read);
		}
	}
}

/// Counts the bytes that are read.
pub(super) struct Counted<R>(pub(super) R, pub(super) Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		let got = self.0.read(space)?;
		self.1.fetch_add(got as u64, Ordering::Relaxed);
		Ok(got)
	}
}
