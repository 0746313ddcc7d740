// SPDX-License-Identifier: Apache-2.0
//! Opens files to read them, without waiting for ever and without a word: to open a FIFO waits until another program opens it,
//! too, and to read from it until that program writes. So a file of a program's own is opened only if it is a regular file
//! ([`open`]). A file that a person names may be a pipe ([`Input`]): then it is said for what the program waits.

use std::{
	fs::{self, File, FileType, OpenOptions},
	io::{self, ErrorKind, Read},
	path::Path,
	time::Duration,
};

/// How long nothing comes from a pipe before that is told, and again each time that it passes.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// How long a library waits for a pipe, which has no one to tell.
const LONGEST: Duration = Duration::from_secs(60);

/// Opens a regular file to read it.
///
/// # Errors
///
/// Returns the errors of [`open_as`].
pub fn open(path: &Path) -> io::Result<File> {
	open_as(path, File::options().read(true))
}

/// Opens a regular file, and waits for nothing. Flags that the options had of their own are lost.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::InvalidInput`] that says what is there if it is a FIFO, a socket or a device, and
/// otherwise the system's error.
pub fn open_as(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
	let file = open_now(path, options)?;
	match kind(file.metadata()?.file_type()) {
		Some(kind) => Err(NoRegularFile(kind).into()),
		None => Ok(file),
	}
}

fn open_now(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
	let opened = without_waiting(options).open(path);
	opened.or_else(|error| {
		let there = fs::metadata(path).map(|there| there.file_type());
		match (there.as_ref().ok().copied().and_then(kind), error.kind()) {
			// A socket, and a FIFO that no one reads, do not open at all.
			(Some(kind), denied) if denied != ErrorKind::PermissionDenied => {
				Err(NoRegularFile(kind).into())
			}
			// Another machine has the file for itself, and is asked to give it back.
			(None, ErrorKind::WouldBlock) if there.is_ok_and(|there| there.is_file()) => {
				waiting(options).open(path)
			}
			_ => Err(error),
		}
	})
}

/// Says that something is no regular file, in an error of kind [`ErrorKind::InvalidInput`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is a {0}, and a regular file is expected here")]
pub struct NoRegularFile(
	/// Its kind: see [`kind`].
	pub &'static str,
);

impl From<NoRegularFile> for io::Error {
	fn from(error: NoRegularFile) -> Self {
		Self::new(ErrorKind::InvalidInput, error)
	}
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
	/// The file's kind: see [`kind`].
	pub kind: &'static str,
	/// How long nothing has come from it.
	pub time: Duration,
}

/// A file that a person names. It may be a pipe or a device. `tell` is told that nothing comes; its error ends the wait.
pub struct Input<Tell> {
	file: File,
	/// Its kind, unless its bytes are there at once.
	kind: Option<&'static str>,
	patience: Duration,
	tell: Tell,
}

impl<Tell: FnMut(Waited) -> io::Result<()>> Input<Tell> {
	/// Opens a file. A FIFO need not have a writer yet: the first read waits for one.
	///
	/// # Errors
	///
	/// Returns the system's error.
	pub fn open(path: &Path, tell: Tell) -> io::Result<Self> {
		Self::of(open_now(path, File::options().read(true))?, tell)
	}

	/// Takes a file that is open.
	///
	/// # Errors
	///
	/// Returns the system's error if it does not say what the file is.
	pub fn of(file: File, tell: Tell) -> io::Result<Self> {
		let kind = kind(file.metadata()?.file_type());
		Ok(Self {
			file,
			kind,
			patience: PATIENCE,
			tell,
		})
	}

	/// Waits until a read does not wait.
	///
	/// # Errors
	///
	/// Returns the system's error, or that of `tell`.
	pub fn wait(&mut self) -> io::Result<()> {
		match self.kind {
			Some(kind) => wait_for(&self.file, kind, self.patience, &mut self.tell),
			None => Ok(()),
		}
	}
}

impl<Tell: FnMut(Waited) -> io::Result<()>> Read for Input<Tell> {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		loop {
			self.wait()?;
			match self.file.read(space) {
				// Another program has read what was there.
				Err(error) if error.kind() == ErrorKind::WouldBlock => {}
				read => return read,
			}
		}
	}
}

/// Gives up a pipe from which nothing has come for a minute.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::TimedOut`] then.
pub fn at_most_a_minute(waited: Waited) -> io::Result<()> {
	let Waited { kind, time } = waited;
	match time < LONGEST {
		true => Ok(()),
		false => Err(io::Error::new(
			ErrorKind::TimedOut,
			format!(
				"it is a {kind}, and nothing came from it for {} s",
				time.as_secs()
			),
		)),
	}
}

#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
	use std::os::unix::fs::OpenOptionsExt;
	options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
}

#[cfg(not(unix))]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
	options
}

#[cfg(unix)]
fn waiting(options: &mut OpenOptions) -> &mut OpenOptions {
	use std::os::unix::fs::OpenOptionsExt;
	options.custom_flags(0)
}

#[cfg(not(unix))]
fn waiting(options: &mut OpenOptions) -> &mut OpenOptions {
	options
}

/// Returns a word for what is neither a regular file nor a folder.
#[cfg(unix)]
pub fn kind(there: FileType) -> Option<&'static str> {
	use std::os::unix::fs::FileTypeExt;
	match there {
		there if there.is_fifo() => Some("FIFO"),
		there if there.is_socket() => Some("socket"),
		there if there.is_char_device() || there.is_block_device() => Some("device"),
		_ => None,
	}
}

/// Returns a word for what is neither a regular file nor a folder: this system has no such things.
#[cfg(not(unix))]
pub fn kind(_: FileType) -> Option<&'static str> {
	None
}

/// Waits until a file has bytes, or its end.
#[cfg(unix)]
fn wait_for(
	file: &File,
	kind: &'static str,
	patience: Duration,
	tell: &mut impl FnMut(Waited) -> io::Result<()>,
) -> io::Result<()> {
	use rustix::{
		event::{poll, PollFd, PollFlags, Timespec},
		io::Errno,
	};
	let patience = Timespec {
		tv_sec: patience.as_secs() as i64,
		tv_nsec: patience.subsec_nanos().into(),
	};
	let start = std::time::Instant::now();
	loop {
		// A FIFO that never had a writer has neither.
		match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&patience)) {
			Ok(0) => tell(Waited {
				kind,
				time: start.elapsed(),
			})?,
			Err(Errno::INTR) => {}
			ready => return Ok(ready.map(drop)?),
		}
	}
}

#[cfg(not(unix))]
fn wait_for(
	_: &File,
	_: &'static str,
	_: Duration,
	_: &mut impl FnMut(Waited) -> io::Result<()>,
) -> io::Result<()> {
	Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
	use super::*;
	use rustix::fs::{mkfifoat, Mode, CWD};
	use std::{io::Write, os::unix::net::UnixListener, path::PathBuf, sync::mpsc, thread};

	/// How long nothing comes here until that is told.
	const SHORT: Duration = Duration::from_millis(20);

	fn fifo(folder: &tempfile::TempDir) -> PathBuf {
		let path = folder.path().join("fifo");
		mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
		path
	}

	#[test]
	fn what_is_no_regular_file_is_not_waited_for() {
		let folder = tempfile::tempdir().unwrap();
		let (fifo, socket) = (fifo(&folder), folder.path().join("socket"));
		let _listener = UnixListener::bind(&socket).unwrap();
		for (path, expected) in [
			(&fifo, "it is a FIFO,"),
			(&socket, "it is a socket,"),
			(&PathBuf::from("/dev/null"), "it is a device,"),
		] {
			for options in [
				File::options().read(true),
				File::options().write(true),
				File::options().append(true).create(true),
			] {
				let refused = open_as(path, options).unwrap_err();
				assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{path:?}");
				assert!(refused.to_string().starts_with(expected), "{refused}");
			}
		}
		let missing = open(&folder.path().join("missing")).unwrap_err();
		assert_eq!(missing.kind(), ErrorKind::NotFound);
		let file = folder.path().join("file");
		std::fs::write(&file, "1").unwrap();
		assert_eq!(io::read_to_string(open(&file).unwrap()).unwrap(), "1");
	}

	#[test]
	fn a_fifo_without_a_writer_is_waited_for_with_a_word() {
		let folder = tempfile::tempdir().unwrap();
		let path = fifo(&folder);
		let (told, tells) = mpsc::channel();
		let reader = {
			let path = path.clone();
			thread::spawn(move || {
				let tell = |waited: Waited| {
					// The test has seen enough when it no longer receives.
					let _ = told.send(waited.kind);
					Ok(())
				};
				let mut input = Input::open(&path, tell).unwrap();
				input.patience = SHORT;
				io::read_to_string(input).unwrap()
			})
		};
		assert_eq!(tells.recv_timeout(Duration::from_secs(60)).unwrap(), "FIFO");
		let mut writer = File::options().write(true).open(&path).unwrap();
		writer.write_all(b"first ").unwrap();
		// It is told again if the writer stops.
		while tells.try_recv().is_ok() {}
		assert_eq!(tells.recv_timeout(Duration::from_secs(60)).unwrap(), "FIFO");
		writer.write_all(b"second").unwrap();
		drop(writer);
		assert_eq!(reader.join().unwrap(), "first second");
	}

	#[test]
	fn who_is_told_may_give_up() {
		let folder = tempfile::tempdir().unwrap();
		let path = fifo(&folder);
		let never = |_: Waited| -> io::Result<()> { Err(ErrorKind::TimedOut.into()) };
		let mut input = Input::open(&path, never).unwrap();
		input.patience = SHORT;
		let refused = io::read_to_string(input).unwrap_err();
		assert_eq!(refused.kind(), ErrorKind::TimedOut);
		let waited = |seconds| Waited {
			kind: "FIFO",
			time: Duration::from_secs(seconds),
		};
		at_most_a_minute(waited(59)).unwrap();
		assert_eq!(
			at_most_a_minute(waited(60)).unwrap_err().to_string(),
			"it is a FIFO, and nothing came from it for 60 s"
		);
	}

	#[test]
	fn a_pipe_whose_writer_has_ended_is_read_to_its_end() {
		let (read, mut write) = io::pipe().unwrap();
		write.write_all(b"all of it").unwrap();
		drop(write);
		let never = |_: Waited| -> io::Result<()> { panic!("it has all bytes") };
		let read = File::from(std::os::fd::OwnedFd::from(read));
		let read = io::read_to_string(Input::of(read, never).unwrap());
		assert_eq!(read.unwrap(), "all of it");
	}
}
