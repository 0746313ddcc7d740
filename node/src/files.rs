// SPDX-License-Identifier: Apache-2.0
//! Reads files that the user names. A device or a pipe may have no end, and a file may be larger than the memory.

use std::{
	fs::{self, File},
	io::{self, Read},
	path::Path,
};

/// Reads a file of at most `limit` bytes, once, so that it may be a pipe or a device.
///
/// # Errors
///
/// Returns the system's error, or [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read_at_most(path: impl AsRef<Path>, limit: u64) -> io::Result<Vec<u8>> {
	let path = path.as_ref();
	let there = fs::metadata(path)?;
	if there.is_file() && there.len() > limit {
		return Err(io::ErrorKind::FileTooLarge.into());
	}
	take_at_most(File::open(path)?, limit)
}

/// Reads a stream of at most `limit` bytes to its end.
///
/// # Errors
///
/// Returns the system's error, or [`io::ErrorKind::FileTooLarge`].
pub(crate) fn take_at_most(stream: impl Read, limit: u64) -> io::Result<Vec<u8>> {
	let mut content = Vec::new();
	stream
		.take(limit.saturating_add(1))
		.read_to_end(&mut content)?;
	if content.len() as u64 > limit {
		return Err(io::ErrorKind::FileTooLarge.into());
	}
	Ok(content)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_device_without_an_end_is_not_read_for_ever() {
		let refused = read_at_most("/dev/zero", 1024).unwrap_err();
		assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
		assert_eq!(take_at_most(&[1, 2][..], 2).unwrap(), [1, 2]);
		assert!(take_at_most(&[1, 2, 3][..], 2).is_err());
	}
}
