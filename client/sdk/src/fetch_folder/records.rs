// SPDX-License-Identifier: Apache-2.0
//! Fetches the files of a folder that are records of their own. The records of many are proven together, and several are
//! opened at a time.

use super::{
	failures::Failures,
	packed_files::{is_denied, open_file},
	place::{is_missing, place, FetchedFolder},
};
use crate::{
	account::Identity,
	client::Client,
	fetch_file::{FetchError, FetchFile},
	folder,
	progress::{Progress, Stage},
	reading::Reading,
	types::AccountId,
};
use futures::future::join_all;
use std::{
	collections::VecDeque,
	fs,
	path::{Path, PathBuf},
};

/// The records of how many files are proven together.
const TOGETHER: usize = 256;
/// How many records are opened at a time. Those of small files are then in memory.
const AT_ONCE: usize = 8;

/// Fetches files that are records into a folder.
pub(super) struct Records<'a> {
	/// Who reads, and whose records they are.
	of: (&'a Client, &'a Identity, &'a AccountId),
	output: &'a Path,
	/// Whether files that are there are replaced.
	replace: bool,
	failures: Failures,
	/// Whether it is known that files can be created in the folder.
	is_writable: bool,
	/// How much of the folder was looked at.
	done: Counts,
}

/// A number of files, and of their bytes.
#[derive(Clone, Copy, Default)]
struct Counts {
	files: u64,
	bytes: u64,
}

impl Counts {
	/// Counts a file. An empty folder is none.
	fn add(&mut self, file: &folder::File) {
		self.files = self.files.saturating_add(u64::from(!file.folder));
		self.bytes = self.bytes.saturating_add(file.length);
	}

	/// Reports that these of all are done.
	fn tell(self, all: Self, progress: &mut impl Progress) {
		progress.files(self.files, all.files);
		progress.whole(Stage::Fetching, self.bytes, all.bytes);
	}
}

impl<'a> Records<'a> {
	pub(super) fn new(
		of: (&'a Client, &'a Identity, &'a AccountId),
		output: &'a Path,
		replace: bool,
	) -> Self {
		Self {
			of,
			output,
			replace,
			failures: Failures::default(),
			is_writable: false,
			done: Counts::default(),
		}
	}

	/// Fetches all files that are missing, and makes the empty folders.
	pub(super) async fn all(
		mut self,
		files: &[folder::File],
		progress: &mut impl Progress,
	) -> Result<FetchedFolder, FetchError> {
		let mut all = Counts::default();
		files.iter().for_each(|file| all.add(file));
		for some in files.chunks(TOGETHER) {
			self.some(some, all, progress).await?;
		}
		all.tell(all, progress);
		self.failures.fetched(files.iter())
	}

	/// Fetches some of all files.
	async fn some(
		&mut self,
		files: &[folder::File],
		all: Counts,
		progress: &mut impl Progress,
	) -> Result<(), FetchError> {
		let (of, output) = (self.of, self.output);
		let (client, reader, owner) = of;
		let is_new = |file: &folder::File| {
			!file.folder && fs::symlink_metadata(output.join(&file.path)).is_err()
		};
		let new: Vec<bool> = files.iter().map(is_new).collect();
		let known = files.iter().zip(&new).filter(|(_, new)| **new);
		let known: Vec<_> = known.map(|(file, _)| file).collect();
		let keys: Vec<_> = known.iter().map(|file| file.key).collect();
		let answers = client.query_together(reader.account.id(), owner, &keys);
		let mut waiting: VecDeque<_> = known.into_iter().zip(answers.await).collect();
		let mut opened = VecDeque::new();
		for (file, new) in files.iter().zip(new) {
			self.done.tell(all, progress);
			progress.file(&file.path);
			self.done.add(file);
			let Some((path, differs)) = self.missing(file, progress)? else {
				continue;
			};
			let mut reading = None;
			while new && reading.is_none() {
				if opened.is_empty() {
					// To their ends: one that rested while a file is written would keep the client's locks from that file.
					let some = waiting.drain(..AT_ONCE.min(waiting.len()));
					let opening = some.map(|(file, answer)| async move {
						(file, open_file(of, file, answer).await)
					});
					opened.extend(join_all(opening).await);
				}
				match opened.pop_front() {
					Some((next, opened)) if std::ptr::eq(next, file) => reading = Some(opened),
					// That one is there meanwhile, or failed.
					Some(_) => {}
					None => break,
				}
			}
			let reading = match reading {
				Some(reading) => reading,
				None => open_file(of, file, None).await,
			};
			let fetched = match reading {
				Ok(reading) => {
					fetch_record(&reading, file, (output, &path), differs, progress).await
				}
				Err(error) => Err(error),
			};
			self.failures.of(file, fetched)?;
		}
		Ok(())
	}

	/// Returns where a file that is missing has to be written, and whether another one is there.
	fn missing(
		&mut self,
		file: &folder::File,
		progress: &mut impl Progress,
	) -> Result<Option<(PathBuf, bool)>, FetchError> {
		let found = look(self.output, file, self.replace, progress);
		let writes = match &found {
			Ok(missing) => missing.is_some(),
			Err(error) => is_denied(error),
		};
		if writes && !self.is_writable {
			check_writable(self.output)?;
			self.is_writable = true;
		}
		Ok(self.failures.of(file, found)?.flatten())
	}
}

/// Returns where a file that is missing has to be written, and whether another one is there.
fn look(
	output: &Path,
	file: &folder::File,
	replace: bool,
	progress: &mut impl Progress,
) -> Result<Option<(PathBuf, bool)>, FetchError> {
	let path = place(output, &file.path)?;
	let found = is_missing(&path, file, replace, progress)?;
	Ok(found.map(|differs| (path, differs)))
}

/// Checks that files can be created in the output folder: if not, the next file would fail, too.
fn check_writable(output: &Path) -> Result<(), FetchError> {
	tempfile::tempfile_in(output)
		.map(drop)
		.map_err(FetchError::io(output))
}

/// Fetches one file of a folder, which is a record.
async fn fetch_record(
	reading: &Reading,
	file: &folder::File,
	(output, path): (&Path, &Path),
	differs: bool,
	progress: &mut impl Progress,
) -> Result<(), FetchError> {
	if reading.length() != file.length {
		return Err(FetchError::WrongLength(file.path.clone()));
	}
	FetchFile::new(reading, path)
		.part_in(output)
		.executable(file.executable)
		.replace(differs)
		.expecting(file.hash)
		.run(progress)
		.await
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_output_that_cannot_be_written_to_is_noticed() {
		let folder = tempfile::tempdir().unwrap();
		check_writable(folder.path()).unwrap();
		assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
		let gone = check_writable(&folder.path().join("gone")).unwrap_err();
		assert!(matches!(gone, FetchError::Io { path, .. } if path.ends_with("gone")));
	}

	#[test]
	fn only_what_is_missing_is_to_be_written() {
		let folder = tempfile::tempdir().unwrap();
		let file = folder::File {
			length: 3,
			hash: folder::content_hash(&b"one"[..]).unwrap(),
			..folder::File::empty_folder("a".into())
		};
		let file = folder::File {
			folder: false,
			..file
		};
		let at = folder.path().join("a");
		let look = |replace| super::look(folder.path(), &file, replace, &mut ());
		let found = look(false).unwrap();
		assert_eq!(found, Some((at.clone(), false)));
		fs::write(&at, "one").unwrap();
		assert_eq!(look(false).unwrap(), None);
		fs::write(&at, "two").unwrap();
		let differs = look(false);
		assert!(matches!(differs, Err(FetchError::Differs(_))));
		assert_eq!(look(true).unwrap(), Some((at, true)));
	}

	/// Once, a file with the right bytes kept its permission, and its name was among those that were fetched.
	#[cfg(unix)]
	#[test]
	fn what_is_there_is_executable_as_the_list_says_if_it_may_be_replaced() {
		use std::os::unix::fs::PermissionsExt;
		let folder = tempfile::tempdir().unwrap();
		let at = folder.path().join("a");
		fs::write(&at, "one").unwrap();
		let mode = || fs::metadata(&at).unwrap().permissions().mode() & 0o777;
		let listed = |executable| folder::File {
			length: 3,
			hash: folder::content_hash(&b"one"[..]).unwrap(),
			folder: false,
			executable,
			..folder::File::empty_folder("a".into())
		};
		for (before, executable, replace, after) in [
			(0o644, true, false, 0o644),
			(0o644, true, true, 0o755),
			(0o600, true, true, 0o700),
			(0o755, false, true, 0o644),
			(0o744, true, true, 0o744),
		] {
			fs::set_permissions(&at, fs::Permissions::from_mode(before)).unwrap();
			assert_eq!(
				look(folder.path(), &listed(executable), replace, &mut ()).unwrap(),
				None
			);
			assert_eq!(mode(), after, "{before:o}");
		}
	}
}
