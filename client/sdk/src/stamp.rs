// SPDX-License-Identifier: Apache-2.0
//! Notices that a file is written to while it is read.

use crate::error::{Error, UploadError};
use std::{
	fs::{File, Metadata},
	io,
	path::Path,
};

/// Opens no links, and waits for nothing.
#[cfg(unix)]
const PLAIN: i32 = rustix::fs::OFlags::NOFOLLOW
	.union(rustix::fs::OFlags::NONBLOCK)
	.bits() as i32;

/// What the system says of an open file before it is read. A file that is written to gets another time of its
/// last change, unless that happens within the same tick of the system's clock.
#[derive(Debug)]
pub struct Stamp {
	file: File,
	before: Metadata,
}

impl Stamp {
	/// Returns the stamp of an open file.
	///
	/// # Errors
	///
	/// Returns the system's error if it cannot describe the file.
	pub fn of(file: &File) -> io::Result<Self> {
		let before = file.metadata()?;
		let file = file.try_clone()?;
		Ok(Self { file, before })
	}

	/// Opens a regular file, and returns it with its stamp. A link that has replaced the file is not followed,
	/// and a FIFO is not waited for.
	pub(crate) fn open(path: &Path) -> io::Result<(File, Self)> {
		let mut options = File::options();
		options.read(true);
		#[cfg(unix)]
		std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, PLAIN);
		let file = options.open(path)?;
		let stamp = Self::of(&file)?;
		match stamp.before.is_file() {
			true => Ok((file, stamp)),
			false => Err(io::Error::other("it is not a regular file any more")),
		}
	}

	/// Returns the file's length in bytes.
	pub fn length(&self) -> u64 {
		self.before.len()
	}

	/// Returns what the system says of the file.
	pub fn metadata(&self) -> &Metadata {
		&self.before
	}

	/// Checks that the file still has this stamp.
	///
	/// # Errors
	///
	/// Returns [`UploadError::ChangedWhileRead`] if it has not.
	pub fn check(&self) -> Result<(), Error> {
		let (now, before) = (self.file.metadata()?, &self.before);
		let is_same = now.len() == before.len() && now.modified().ok() == before.modified().ok();
		match is_same {
			true => Ok(()),
			false => Err(UploadError::ChangedWhileRead {
				expected: self.length(),
			}
			.into()),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{
		io::{Seek, SeekFrom, Write},
		time::{Duration, SystemTime},
	};

	#[cfg(unix)]
	#[test]
	fn what_has_replaced_a_file_is_not_opened() {
		use std::os::unix::{fs::symlink, net::UnixListener};
		let folder = tempfile::tempdir().unwrap();
		let at = |name: &str| folder.path().join(name);
		std::fs::write(at("file"), "12345").unwrap();
		assert_eq!(Stamp::open(&at("file")).unwrap().1.length(), 5);
		symlink("file", at("link")).unwrap();
		rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RUSR).unwrap();
		let _socket = UnixListener::bind(at("socket")).unwrap();
		for name in ["link", "fifo", "socket", ".", "missing"] {
			assert!(Stamp::open(&at(name)).is_err(), "{name}");
		}
	}

	#[test]
	fn a_file_that_is_written_to_in_place_is_noticed() {
		let mut file = tempfile::tempfile().unwrap();
		file.write_all(b"first").unwrap();
		// A time that no write of this test can have.
		let earlier = SystemTime::now() - Duration::from_secs(60);
		file.set_modified(earlier).unwrap();
		let stamp = Stamp::of(&file).unwrap();
		stamp.check().unwrap();
		file.seek(SeekFrom::Start(0)).unwrap();
		file.write_all(b"other").unwrap();
		let changed = stamp.check().unwrap_err();
		let expected = UploadError::ChangedWhileRead { expected: 5 };
		assert!(matches!(changed, Error::Upload(error) if error == expected));
		file.set_modified(earlier).unwrap();
		file.write_all(b" and more").unwrap();
		file.set_modified(earlier).unwrap();
		assert!(stamp.check().is_err());
	}
}
