// SPDX-License-Identifier: Apache-2.0
//! Finds what a folder on this machine contains.

use super::{error::UploadFolderError, exclude::Exclude};
use crate::{
	error::Error,
	folder::{self, File as Entry, FolderError},
	lock,
	overlap::{self, Id, Overlap},
	types::*,
};
use isthmus_envelope::on_disk;
use std::{
	collections::BTreeSet,
	fs::{self, DirEntry, File, Metadata},
	io,
	path::{Path, PathBuf},
};

/// The files of a folder on this machine, in the order of their paths, and its empty folders.
#[derive(Clone, Debug)]
pub struct LocalFolder {
	path: PathBuf,
	/// What the system calls the folder, and those inside it.
	ids: BTreeSet<Id>,
	pub(crate) files: Vec<LocalFile>,
	/// The paths of the folders inside it that contain nothing that is stored.
	empty: BTreeSet<String>,
	skipped: Vec<PathBuf>,
	own: Vec<PathBuf>,
	unused: Vec<Exclude>,
	/// Whether a pattern left something out.
	excluded: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct LocalFile {
	/// Its path in the folder, with `/` between the names.
	pub(crate) path: String,
	/// Its path on this machine.
	pub(crate) at: PathBuf,
}

impl LocalFolder {
	/// Finds the files and the empty folders in a folder and its subfolders. Links in it are not followed; `folder` may be one.
	/// What programs [keep for themselves](Self::own) in `$HOME/.local/state/isthmus` is left out.
	///
	/// # Errors
	///
	/// Returns an error, before anything is stored, if a file or a folder cannot be read or if a folder's list
	/// cannot contain a path, [`UploadFolderError::Deleted`] if the current folder is meant and was deleted, and
	/// [`Error::Overlap`] if the folder is one of the program's own.
	pub fn open(folder: &Path) -> Result<Self, UploadFolderError> {
		Self::open_without(folder, &[], &[])
	}

	/// Does the same without other files and folders, too, such as the key file of the account that stores it: who gets a
	/// grant on the folder would get them. What matches a pattern is also left out.
	///
	/// # Errors
	///
	/// Returns the errors of [`open`](Self::open).
	pub fn open_without(
		folder: &Path,
		own: &[&Path],
		excludes: &[Exclude],
	) -> Result<Self, UploadFolderError> {
		Self::open_noting(folder, own, excludes, &mut Vec::new())
	}

	/// Does the same, and notes the patterns that nothing in the folder matches, also if it fails.
	///
	/// # Errors
	///
	/// Returns the errors of [`open`](Self::open).
	pub fn open_noting(
		folder: &Path,
		own: &[&Path],
		excludes: &[Exclude],
		unused: &mut Vec<Exclude>,
	) -> Result<Self, UploadFolderError> {
		// What is none has no files, and would be taken for an empty one.
		if fs::metadata(folder).is_ok_and(|there| !there.is_dir()) {
			return Err(UploadFolderError::NotAFolder(folder.to_owned()));
		}
		if on_disk::is_deleted(folder) {
			return Err(UploadFolderError::Deleted(folder.to_owned()));
		}
		let own = Own::new(folder, own).map_err(Error::from)?;
		let mut found = Found::new(folder, own, excludes);
		// A folder that is left out is not opened.
		let mut folders = vec![folder.to_owned()];
		while let Some(at) = folders.pop() {
			folders.extend(found.look(at));
		}
		// Of a folder that is not there, or that cannot be read, nothing is known.
		let is_seen = |(at, _): &(PathBuf, io::Error)| at.as_path() != folder;
		if found.unreadable.first().is_none_or(is_seen) {
			*unused = found.unused();
		}
		found.end()
	}

	/// Returns the folder's list, made from the entries of its files and its empty folders.
	pub(super) fn list(&self, files: impl Iterator<Item = Entry>) -> Result<Vec<u8>, FolderError> {
		let folders = self.empty.iter().cloned().map(Entry::empty_folder);
		let mut entries: Vec<Entry> = files.chain(folders).collect();
		entries.sort_by(|a, b| a.path.cmp(&b.path));
		folder::to_bytes(&entries)
	}

	/// Returns the path that it was opened with.
	pub fn path(&self) -> &Path {
		&self.path
	}

	/// Checks that neither it contains a location of a dataset, nor lies in one.
	///
	/// # Errors
	///
	/// Returns [`Overlap`] if it does.
	pub(crate) fn check_locations(&self, locations: &[String]) -> Result<(), Overlap> {
		overlap::check_source(&self.path, &self.ids, locations)
	}

	/// Returns the number of files.
	pub fn len(&self) -> usize {
		self.files.len()
	}

	/// Returns whether the folder contains no files.
	pub fn is_empty(&self) -> bool {
		self.files.is_empty()
	}

	/// Returns whether no files are left of what is in the folder, because patterns leave them out.
	pub fn is_all_excluded(&self) -> bool {
		self.excluded && self.is_empty()
	}

	/// Returns the paths of the empty folders inside it, with `/` between the names.
	pub fn empty_folders(&self) -> impl Iterator<Item = &str> {
		self.empty.iter().map(String::as_str)
	}

	/// Returns the entries that are neither files nor folders, for example links. They are not stored.
	pub fn skipped(&self) -> &[PathBuf] {
		&self.skipped
	}

	/// Returns the files and folders in it that programs keep for themselves. They are not stored: they change while the
	/// folder is stored, and are of no use to its readers.
	pub fn own(&self) -> &[PathBuf] {
		&self.own
	}

	/// Returns the patterns that nothing in the folder matches, outside of the folders that are left out: those are not opened.
	pub fn unused(&self) -> &[Exclude] {
		&self.unused
	}
}

/// What is found in a folder.
struct Found<'a> {
	folder: &'a Path,
	own: Own,
	/// The patterns, and whether anything matched.
	excludes: Vec<(&'a Exclude, bool)>,
	/// Its files, its empty folders, and what is left out.
	local: LocalFolder,
	/// What has a name or a path that cannot be in a list.
	refused: Vec<PathBuf>,
	unreadable: Vec<(PathBuf, io::Error)>,
}

impl<'a> Found<'a> {
	fn new(folder: &'a Path, own: Own, excludes: &'a [Exclude]) -> Self {
		Self {
			folder,
			own,
			excludes: excludes.iter().map(|exclude| (exclude, false)).collect(),
			local: LocalFolder {
				path: folder.to_owned(),
				ids: BTreeSet::new(),
				files: Vec::new(),
				empty: BTreeSet::new(),
				skipped: Vec::new(),
				own: Vec::new(),
				unused: Vec::new(),
				excluded: false,
			},
			refused: Vec::new(),
			unreadable: Vec::new(),
		}
	}

	/// Adds what is in a folder, and returns the folders in it that are to be looked at.
	fn look(&mut self, folder: PathBuf) -> Vec<PathBuf> {
		let mut inside = Vec::new();
		let entries = match fs::read_dir(&folder) {
			Ok(entries) => entries,
			Err(error) => {
				self.unreadable.push((folder, error));
				return inside;
			}
		};
		self.local.ids.extend(Id::of(&folder));
		for entry in entries {
			match entry {
				Ok(entry) => inside.extend(self.add(&entry)),
				Err(error) => self.unreadable.push((folder.clone(), error)),
			}
		}
		inside
	}

	/// Adds a file or a folder. Returns its path if it is a folder that is to be looked at.
	fn add(&mut self, entry: &DirEntry) -> Option<PathBuf> {
		let at = entry.path();
		let kind = match entry.file_type() {
			Ok(kind) => kind,
			Err(error) => {
				self.unreadable.push((at, error));
				return None;
			}
		};
		let is_folder = kind.is_dir();
		let inside = at.strip_prefix(self.folder).unwrap_or(&at).to_owned();
		if self.is_excluded(&inside, is_folder) {
			self.local.excluded = true;
			return None;
		}
		if !is_folder && !kind.is_file() {
			self.local.skipped.push(at);
			return None;
		}
		if self.own.takes(&at, Id::of(&at).as_ref()) {
			return None;
		}
		let names: Option<Vec<&str>> = inside.iter().map(|name| name.to_str()).collect();
		let path = names.map(|names| names.join("/"));
		let Some(path) = path.filter(|path| is_listed(path)) else {
			self.refused.push(at.clone());
			return is_folder.then_some(at);
		};
		// A folder comes before what it contains.
		if let Some((parent, _)) = path.rsplit_once('/') {
			self.local.empty.remove(parent);
		}
		if is_folder {
			self.local.empty.insert(path);
			return Some(at);
		}
		if let Err(error) = File::open(&at) {
			self.unreadable.push((at.clone(), error));
		}
		self.local.files.push(LocalFile { path, at });
		None
	}

	/// Returns whether a pattern matches what has this path in the folder, and notes each that does.
	fn is_excluded(&mut self, inside: &Path, is_folder: bool) -> bool {
		if self.excludes.is_empty() {
			return false;
		}
		let names: Vec<_> = inside.iter().map(|name| name.to_string_lossy()).collect();
		let path = names.join("/");
		let mut is_any = false;
		for (exclude, is_used) in &mut self.excludes {
			let matches = exclude.matches(&path, is_folder);
			*is_used |= matches;
			is_any |= matches;
		}
		is_any
	}

	/// Returns the patterns that nothing matches.
	fn unused(&self) -> Vec<Exclude> {
		let unused = self.excludes.iter().filter(|(_, is_used)| !is_used);
		unused.map(|(exclude, _)| (*exclude).clone()).collect()
	}

	/// Returns the folder, if all of it can be stored.
	fn end(self) -> Result<LocalFolder, UploadFolderError> {
		let unused = self.unused();
		let Self {
			own,
			mut local,
			mut refused,
			unreadable,
			folder,
			..
		} = self;
		if !unreadable.is_empty() {
			return Err(not_read(folder, unreadable));
		}
		if !refused.is_empty() {
			refused.sort();
			return Err(UploadFolderError::Names(refused));
		}
		local.own = own.found;
		local.files.sort_by(|a, b| a.path.cmp(&b.path));
		local.unused = unused;
		local.list(local.files.iter().map(|file| entry(&file.path)))?;
		Ok(local)
	}
}

/// Returns the error for what cannot be read. What is gone, although it was there when its folder was listed, changed
/// meanwhile.
pub(super) fn not_read(folder: &Path, mut found: Vec<(PathBuf, io::Error)>) -> UploadFolderError {
	let is_gone = |(at, error): &(PathBuf, io::Error)| {
		error.kind() == io::ErrorKind::NotFound && at.as_path() != folder
	};
	if found.iter().all(is_gone) {
		if let Some((path, source)) = found.pop() {
			return UploadFolderError::Io { path, source };
		}
	}
	found.sort_by(|a, b| a.0.cmp(&b.0));
	UploadFolderError::Unreadable(found)
}

/// What programs keep for themselves, and what was found of that.
struct Own {
	ids: BTreeSet<Id>,
	found: Vec<PathBuf>,
}

impl Own {
	/// Takes what a caller names, and the folder of journals and notes. Fails if a folder is one of those, or in one.
	fn new(folder: &Path, own: &[&Path]) -> Result<Self, Overlap> {
		let state = lock::lasting();
		let own: Vec<&Path> = own.iter().copied().chain(state.as_deref()).collect();
		overlap::check_own(folder, &own)?;
		Ok(Self {
			ids: own.iter().filter_map(|own| Id::of(own)).collect(),
			found: Vec::new(),
		})
	}

	/// Returns whether something is a program's own, and notes it then.
	fn takes(&mut self, at: &Path, id: Option<&Id>) -> bool {
		let is_own = id.is_some_and(|id| self.ids.contains(id));
		if is_own {
			self.found.push(at.to_owned());
		}
		is_own
	}
}

/// Returns whether a folder's list can contain a path.
fn is_listed(path: &str) -> bool {
	folder::to_bytes(&[entry(path)]).is_ok()
}

/// Returns a file's entry in the list, with only its path set.
pub(super) fn entry(path: &str) -> Entry {
	Entry {
		path: path.to_owned(),
		executable: false,
		folder: false,
		length: 0,
		key: RecordKey::zero(),
		hash: [0; 32],
	}
}

/// Returns the length of all files at present, for progress.
pub(crate) fn length_of(files: &[LocalFile]) -> u64 {
	let lengths = files
		.iter()
		.map(|file| fs::metadata(&file.at).map_or(0, |there| there.len()));
	lengths.fold(0, u64::saturating_add)
}

/// Returns whether the owner of a file may execute it.
#[cfg(unix)]
pub(crate) fn is_executable(metadata: &Metadata) -> bool {
	use std::os::unix::fs::PermissionsExt;
	metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_executable(_: &Metadata) -> bool {
	false
}
