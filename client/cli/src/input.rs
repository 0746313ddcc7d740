// SPDX-License-Identifier: Apache-2.0
//! Reads files that the user names. A device or a pipe may have no end, and a file may be larger than the memory.

use crate::{error::Error, output::is_stdin, stderr::tell};
use isthmus_sdk::envelope::input::{Input, Waited};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_streams::Stream;
use std::{
	fs::{self, File},
	io::{self, IsTerminal, Read},
	os::fd::AsFd,
	path::Path,
	sync::atomic::{AtomicBool, Ordering},
};

/// Reads a file of at most `limit` bytes. `-` and `/dev/stdin` are stdin. `what` says what the file should be, as in
/// "a receipt".
///
/// # Errors
///
/// Returns an error if the file cannot be read or is longer.
pub(crate) fn read_at_most(path: &Path, limit: u64, what: &str) -> Result<Vec<u8>, Error> {
	let mut bytes = Vec::new();
	let longest = limit.saturating_add(1);
	let result = match is_stdin(path) {
		true => take_stdin()
			.and_then(|()| wait_for_stdin())
			.and_then(|()| io::stdin().lock().take(longest).read_to_end(&mut bytes)),
		false => open(path).and_then(|file| file.take(longest).read_to_end(&mut bytes)),
	};
	result.map_err(|error| Error::file(path, &error))?;
	if bytes.len() as u64 > limit {
		let (path, limit) = (path.shown(), crate::text::bytes(limit));
		return Err(Error::usage(format!(
			"{path} is longer than {limit}, so it is not {what}"
		)));
	}
	Ok(bytes)
}

/// Opens a file that the user names; `-` is stdin. It may be a pipe: if nothing comes from that for some seconds, this is said.
///
/// # Errors
///
/// Returns the system's error.
pub(crate) fn open(path: &Path) -> io::Result<impl Read + Send> {
	if path.as_os_str() == "-" {
		return stdin();
	}
	if is_stdin(path) {
		// A regular file is opened again, and read from its beginning.
		match fs::metadata(path).is_ok_and(|there| there.is_file()) {
			true => check_stdin()?,
			false => take_stdin()?,
		}
	}
	Input::open(path, told_once(path))
}

/// Returns stdin. If nothing comes from it for some seconds, this is said, and that a terminal is read at once.
///
/// # Errors
///
/// Returns the system's error.
pub(crate) fn stdin() -> io::Result<Input<Told>> {
	take_stdin()?;
	match io::stdin().is_terminal() {
		true => {
			tell("reading from the terminal until Ctrl-D");
			of_stdin(Box::new(|_| Ok(())))
		}
		false => input_of_stdin(),
	}
}

/// Waits until stdin has bytes or its end, and says so if that takes some seconds.
pub(crate) fn wait_for_stdin() -> io::Result<()> {
	input_of_stdin()?.wait()
}

/// What is told about a wait.
pub(crate) type Told = Box<dyn FnMut(Waited) -> io::Result<()> + Send>;

fn input_of_stdin() -> io::Result<Input<Told>> {
	of_stdin(told_once(Path::new("stdin")))
}

fn of_stdin(told: Told) -> io::Result<Input<Told>> {
	check_stdin()?;
	Input::of(File::from(io::stdin().as_fd().try_clone_to_owned()?), told)
}

/// Returns an error if stdin was closed when the program started: reading it would find the end at once, as if it were empty.
fn check_stdin() -> io::Result<()> {
	match Stream::Stdin.was_closed() {
		true => Err(io::Error::other(
			"it is closed, so nothing can be read from it",
		)),
		false => Ok(()),
	}
}

/// Whether one of the files that the user names was stdin.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes stdin for a file that the user names. Nothing would be left for a second one, which would be taken for an empty file.
fn take_stdin() -> io::Result<()> {
	check_stdin()?;
	match IS_TAKEN.swap(true, Ordering::Relaxed) {
		true => Err(io::Error::other(
			"stdin was read already, for another file: give one of them by its path",
		)),
		false => Ok(()),
	}
}

/// Says once what is waited for.
fn told_once(path: &Path) -> Told {
	let path = path.to_owned();
	let mut is_said = false;
	Box::new(move |Waited { kind, time }| {
		if !is_said {
			tell(format_args!(
				"waiting for {}, which is a {kind} from which nothing comes, for {} s",
				path.shown(),
				time.as_secs()
			));
		}
		is_said = true;
		Ok(())
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_file_is_read_up_to_a_limit() {
		let file = tempfile::NamedTempFile::new().unwrap();
		std::fs::write(file.path(), b"12345").unwrap();
		let read = |limit| read_at_most(file.path(), limit, "a number");
		assert_eq!(read(5).unwrap(), b"12345");
		let refused = format!("{:?}", read(4).unwrap_err());
		assert!(
			refused.contains("longer than 4 B, so it is not a number"),
			"{refused}"
		);
	}

	#[cfg(target_os = "linux")]
	#[test]
	fn a_device_without_an_end_is_not_read_for_ever() {
		assert!(read_at_most(Path::new("/dev/zero"), 1 << 20, "a receipt").is_err());
	}
}
