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
	if fs::metadata(path)?.len() > limit {
		return Err(io::ErrorKind::FileTooLarge.into());
	}
	let mut content = Vec::new();
	File::open(path)?
		.take(limit.saturating_add(1))
		.read_to_end(&mut content)?;
	if content.len() as u64 > limit {
		return Err(io::ErrorKind::FileTooLarge.into());
	}
	Ok(content)
}
