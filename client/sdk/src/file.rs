// SPDX-License-Identifier: Apache-2.0
//! Files that are replaced in one step, so that neither a crash nor another program sees a part of one.

use std::{
	fs::File,
	io::{self, ErrorKind, Read, Write},
	path::Path,
};

/// Writes bytes to a file in place of what was there.
///
/// # Errors
///
/// Returns the error of the file or of its folder, which then has the old file.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
	let folder = path
		.parent()
		.filter(|folder| !folder.as_os_str().is_empty());
	let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
	file.write_all(bytes)?;
	file.as_file().sync_all()?;
	file.persist(path)?;
	Ok(())
}

/// Reads a file of at most `longest` bytes; `None` if there is none.
pub(crate) fn read(path: &Path, longest: u64) -> io::Result<Option<Vec<u8>>> {
	let file = match File::open(path) {
		Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
		file => file?,
	};
	let mut bytes = Vec::new();
	file.take(longest.saturating_add(1))
		.read_to_end(&mut bytes)?;
	match bytes.len() as u64 > longest {
		true => Err(io::Error::new(
			ErrorKind::InvalidData,
			"the file is too long",
		)),
		false => Ok(Some(bytes)),
	}
}
