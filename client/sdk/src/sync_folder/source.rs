// SPDX-License-Identifier: Apache-2.0
//! Reads the files of a folder on this machine: to hash them, and again to send them.

use super::plan::Local;
use crate::{
	error::Error,
	folder,
	progress::{Progress, Stage, REPORT},
	stamp::Stamp,
	upload_folder::{is_executable, length_of, LocalFile, UploadFolderError},
};
use isthmus_envelope::paths::ShowPath;
use isthmus_envelope::threads;
use ring::digest::{Context, SHA256};
use std::{
	fs::File,
	io::{self, ErrorKind, Read},
	path::PathBuf,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
};

/// How many files are handed to the threads together.
const BATCH: usize = 1024;
/// How many files are hashed at a time, at most.
const THREADS: usize = 8;

/// Hashes files, and notes what else a list says about them.
///
/// # Errors
///
/// Returns an error if a file cannot be read or changes while it is.
pub(super) async fn hash_all(
	files: &[LocalFile],
	progress: &mut impl Progress,
) -> Result<Vec<Local>, UploadFolderError> {
	let mut hashed: Vec<Local> = Vec::with_capacity(files.len());
	let total = length_of(files);
	let done = Arc::new(AtomicU64::new(0));
	let mut ticks = tokio::time::interval(REPORT);
	for batch in files.chunks(BATCH) {
		let (batch, counted) = (batch.to_vec(), done.clone());
		let mut hashing = tokio::task::spawn_blocking(move || hash_some(&batch, &counted));
		let batch = loop {
			tokio::select! {
				batch = &mut hashing => break batch,
				_ = ticks.tick() => {
					progress.at(Stage::Naming, done.load(Ordering::Relaxed).min(total), total);
				}
			}
		};
		hashed.extend(batch.map_err(|ended| Error::from(io::Error::other(ended)))??);
	}
	progress.at(Stage::Naming, total, total);
	Ok(hashed)
}

/// Hashes some files, several concurrently, and counts their bytes.
fn hash_some(files: &[LocalFile], done: &AtomicU64) -> Result<Vec<Local>, UploadFolderError> {
	let threads = threads::at_most(THREADS);
	let shares: Vec<_> = files.chunks(files.len().div_ceil(threads).max(1)).collect();
	let hash_share = |share: &&[LocalFile]| -> Result<Vec<Local>, UploadFolderError> {
		share.iter().map(|file| hash(file, done)).collect()
	};
	let shares = threads::map(&shares, threads, hash_share).map_err(Error::from)?;
	let mut hashed = Vec::with_capacity(files.len());
	for share in shares {
		hashed.extend(share?);
	}
	Ok(hashed)
}

/// Counts the bytes that are read.
struct Counted<'a, R>(R, &'a AtomicU64);

impl<R: Read> Read for Counted<'_, R> {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		let got = self.0.read(space)?;
		self.1.fetch_add(got as u64, Ordering::Relaxed);
		Ok(got)
	}
}

fn hash(file: &LocalFile, done: &AtomicU64) -> Result<Local, UploadFolderError> {
	let failed = UploadFolderError::io(&file.at);
	let (source, stamp) = Stamp::open(&file.at).map_err(failed)?;
	// One that grows as fast as it is read has no end.
	let longest = stamp.length().saturating_add(1);
	let hash = folder::content_hash(Counted(source.take(longest), done));
	let hash = hash.map_err(UploadFolderError::io(&file.at))?;
	let changed = |_| UploadFolderError::changed(&file.at);
	stamp.check().map_err(changed)?;
	Ok(Local {
		path: file.path.clone(),
		at: file.at.clone(),
		executable: is_executable(stamp.metadata()),
		length: stamp.length(),
		hash,
	})
}

/// Says that a file of a pack is not what it was when it was hashed.
#[derive(Debug, thiserror::Error)]
#[error("{} changed while it was read", .0.shown())]
pub(super) struct FileChanged(pub(super) PathBuf);

/// Reads the files of a pack, one after the other. Fails if one has not the bytes that were hashed.
pub(super) struct PackSource {
	files: std::vec::IntoIter<Local>,
	open: Option<Open>,
}

/// A file that is being read.
struct Open {
	file: File,
	left: u64,
	context: Context,
	local: Local,
}

impl PackSource {
	pub(super) fn new(files: Vec<Local>) -> Self {
		Self {
			files: files.into_iter(),
			open: None,
		}
	}
}

impl Open {
	fn new(local: Local) -> io::Result<Self> {
		let named = |error: io::Error| match error.kind() {
			// It was there when it was hashed.
			ErrorKind::NotFound | ErrorKind::NotADirectory => changed(&local),
			kind => io::Error::new(kind, format!("{}: {error}", local.at.shown())),
		};
		let (file, _) = Stamp::open(&local.at).map_err(named)?;
		Ok(Self {
			file,
			left: local.length,
			context: Context::new(&SHA256),
			local,
		})
	}

	/// Reads a part of the file; none at its end, if its bytes were the right ones.
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		let changed = || changed(&self.local);
		if self.left == 0 {
			let is_same = self.context.clone().finish().as_ref() == self.local.hash;
			return match is_same && self.file.read(&mut [0])? == 0 {
				true => Ok(0),
				false => Err(changed()),
			};
		}
		let most = self.left.min(space.len() as u64) as usize;
		match self.file.read(&mut space[..most])? {
			0 => Err(changed()),
			count => {
				self.context.update(&space[..count]);
				self.left -= count as u64;
				Ok(count)
			}
		}
	}
}

/// Returns the error of a file that is not what it was.
fn changed(local: &Local) -> io::Error {
	io::Error::other(FileChanged(local.at.clone()))
}

impl Read for PackSource {
	fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
		if space.is_empty() {
			return Ok(0);
		}
		loop {
			let open = match &mut self.open {
				Some(open) => open,
				none => match self.files.next() {
					Some(local) => none.insert(Open::new(local)?),
					None => return Ok(0),
				},
			};
			match open.read(space) {
				Ok(0) => self.open = None,
				Err(error) if error.kind() == ErrorKind::Interrupted => {}
				done => return done,
			}
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::upload_folder::LocalFolder;

	fn sample() -> (tempfile::TempDir, LocalFolder) {
		let folder = tempfile::tempdir().unwrap();
		for (name, content) in [("a", "first"), ("b", ""), ("c", "second")] {
			std::fs::write(folder.path().join(name), content).unwrap();
		}
		let local = LocalFolder::open(folder.path()).unwrap();
		(folder, local)
	}

	#[tokio::test]
	async fn a_pack_is_its_files_one_after_the_other() {
		let (_folder, local) = sample();
		let hashed = hash_all(&local.files, &mut ()).await.unwrap();
		let mut bytes = Vec::new();
		PackSource::new(hashed).read_to_end(&mut bytes).unwrap();
		assert_eq!(bytes, b"firstsecond");
	}

	#[tokio::test]
	async fn a_file_that_changes_between_both_readings_is_noticed() {
		for content in [Some("firsT"), Some("first and more"), Some("fir"), None] {
			let (folder, local) = sample();
			let hashed = hash_all(&local.files, &mut ()).await.unwrap();
			let path = folder.path().join("a");
			match content {
				Some(content) => std::fs::write(&path, content).unwrap(),
				None => std::fs::remove_file(&path).unwrap(),
			}
			let error = PackSource::new(hashed)
				.read_to_end(&mut Vec::new())
				.unwrap_err();
			let named = error.get_ref().and_then(|error| error.downcast_ref());
			assert!(
				matches!(named, Some(FileChanged(at)) if *at == path),
				"{content:?}"
			);
		}
	}
}
