// SPDX-License-Identifier: Apache-2.0
//! Fetches files out of packs. Files that lie beside each other are fetched together. They are written to a folder of
//! their own first, and get their names when all of them are on the disk.

use super::{
	failures::Failures,
	place::{is_missing, place_after, private_folder, FetchedFolder},
};
use crate::{
	account::Identity,
	client::Client,
	error::Error,
	fetch_file::{free_space, lock_part, part_name, FetchError, FetchFile, PARTS},
	folder::{
		self,
		packed::{List, Packed},
	},
	lock::why_not,
	progress::{Progress, Stage},
	reading::Reading,
	types::{AccountId, Answer},
	wait::Wait,
};
use futures::{stream, StreamExt};
use isthmus_envelope::{object::CHUNK, on_disk};
use std::{
	collections::BTreeSet,
	fs::{self, File, OpenOptions},
	io::{self, ErrorKind, Write},
	path::{Path, PathBuf},
};

/// How many bytes of a pack are fetched at a time, at most. Longer files are packs of their own.
const SPAN: u64 = 16 << 20;
/// Bytes between two files that are not needed are fetched, too, if they are no more than this.
const GAP: u64 = 1 << 20;
/// How many spans are fetched at a time.
const AT_ONCE: usize = 3;
/// How many bytes may be written for each one that is fetched, whatever space is free. Files may share bytes, and a list may
/// name the same ones as often as it can.
const COPIES: u64 = 64;
/// How many bytes are taken to be free where the system does not say.
const UNKNOWN: u64 = 64 << 30;

/// Fetches files of folders.
#[derive(Clone, Copy)]
pub(super) struct Fetch<'a> {
	client: &'a Client,
	reader: &'a Identity,
	owner: &'a AccountId,
	/// Whether files that are there are replaced.
	replace: bool,
}

/// A file to be fetched.
struct Wanted<'a> {
	file: &'a folder::File,
	/// Where it begins in its pack.
	offset: u64,
	/// Where to write it.
	path: PathBuf,
	/// Whether another file is there, or may come to be there meanwhile, and is replaced.
	differs: bool,
}

impl Wanted<'_> {
	/// Returns where it ends in its pack.
	fn end(&self) -> u64 {
		self.offset.saturating_add(self.file.length)
	}
}

/// Files of one pack that are fetched together.
struct Span<'a> {
	start: u64,
	end: u64,
	files: Vec<Wanted<'a>>,
}

impl<'a> Span<'a> {
	/// Puts files of one pack together, which are in the order of their offsets.
	fn of(files: Vec<Wanted<'a>>) -> Self {
		Self {
			start: files.first().map_or(0, |first| first.offset),
			end: files.iter().map(Wanted::end).max().unwrap_or_default(),
			files,
		}
	}

	fn length(&self) -> u64 {
		self.end.saturating_sub(self.start)
	}

	/// Parts the files in two, near the middle of their bytes. The two have no bytes in common, so that whatever a list says,
	/// little is read more than once.
	///
	/// # Errors
	///
	/// Returns the span as it is if it cannot be parted so, or if its bytes would be read together anyway.
	fn halves(mut self) -> Result<[Self; 2], Self> {
		let length = self.length();
		let last = self.files.last().map_or(self.start, |last| last.offset);
		if length <= CHUNK as u64 {
			return Err(self);
		}
		// Files that begin at the same place stay together.
		let middle = self.start.saturating_add(length / 2).min(last);
		let before = |wanted: &Wanted<'_>| wanted.offset < middle;
		let at = self.files.partition_point(before);
		let (first, second) = self.files.split_at(at);
		let end = first.iter().map(Wanted::end).max();
		let is_apart = match (end, second.first()) {
			(Some(end), Some(second)) => end <= second.offset,
			_ => false,
		};
		if !is_apart {
			return Err(self);
		}
		let second = self.files.split_off(at);
		Ok([Self::of(self.files), Self::of(second)])
	}

	/// Returns the first file; `None` if the files are empty and in no pack.
	fn file(&self) -> Option<&'a folder::File> {
		let first = self.files.first().filter(|_| self.end > self.start);
		first.map(|first| first.file)
	}
}

impl<'a> Fetch<'a> {
	/// Prepares to fetch files of an owner's folders.
	pub(super) fn new(
		client: &'a Client,
		reader: &'a Identity,
		owner: &'a AccountId,
		replace: bool,
	) -> Self {
		Self {
			client,
			reader,
			owner,
			replace,
		}
	}

	/// Fetches all files of a list that are missing. Programs that fetch the same list into the same folder take turns.
	pub(super) async fn all(
		&self,
		list: &List,
		hash: &[u8; 32],
		output: &Path,
		progress: &mut impl Progress,
	) -> Result<FetchedFolder, FetchError> {
		let lock = &output.join(part_name(Path::new(""), hash));
		let unlocked = || self.client.tell_no_turns(why_not("", Some(lock)));
		let held = lock_part(lock, false, unlocked);
		let held = self
			.client
			.patiently_locked(Wait::OtherFetch, Some(lock), held);
		let _held = match held.await {
			// Nothing has to be written if all is there.
			Err(error) if is_denied(&error) => {
				let mut failures = Failures::default();
				let wanted = self.look(list, output, &mut failures, progress)?;
				return match wanted.is_empty() && !failures.any(is_denied) {
					true => failures.fetched(list.files.iter().map(|packed| &packed.file)),
					false => Err(error),
				};
			}
			held => held?,
		};
		let mut failures = Failures::default();
		let fetched = self
			.missing(list, lock, output, &mut failures, progress)
			.await;
		// The error of fetching is the one to report.
		let _ = fs::remove_file(lock);
		fetched?;
		failures.fetched(list.files.iter().map(|packed| &packed.file))
	}

	/// Finds the files of a list that are missing, and makes the folders that they lie in.
	fn look<'b>(
		&self,
		list: &'b List,
		output: &Path,
		failures: &mut Failures,
		progress: &mut impl Progress,
	) -> Result<Vec<Wanted<'b>>, FetchError> {
		let mut missing = Vec::new();
		let mut last = "";
		let (mut done, total) = (0u64, length_of(list));
		for Packed { file, offset, .. } in &list.files {
			let place = place_after(output, &file.path, last);
			let Some(path) = failures.of(file, place)? else {
				continue;
			};
			last = &file.path;
			let found = is_missing(&path, file, self.replace, progress);
			let Some(Some(differs)) = failures.of(file, found)? else {
				done = done.saturating_add(file.length);
				progress.whole(Stage::Checking, done, total);
				continue;
			};
			missing.push(Wanted {
				file,
				offset: *offset,
				path,
				differs,
			});
		}
		Ok(missing)
	}

	async fn missing(
		&self,
		list: &List,
		lock: &Path,
		output: &Path,
		failures: &mut Failures,
		progress: &mut impl Progress,
	) -> Result<(), FetchError> {
		let missing = self.look(list, output, failures, progress)?;
		let total = length_of(list);
		let left = missing.iter().map(|wanted| wanted.file.length);
		let mut done = total.saturating_sub(left.fold(0, u64::saturating_add));
		let missing = missing.into_iter();
		let (long, short): (Vec<_>, Vec<_>) = missing.partition(|wanted| wanted.file.length > SPAN);
		progress.whole(Stage::Fetching, done, total);
		let lengths = short.iter().map(|wanted| wanted.file.length);
		done = lengths.fold(done, u64::saturating_add);
		let short = spans(short);
		let mut all = Written::default();
		for span in &short {
			all.add(span);
		}
		all.add_long(&long);
		all.check(all.length, output)?;
		if !short.is_empty() {
			let parts = Parts::create(lock)?;
			self.spans(short, &parts, failures, progress).await?;
		}
		for wanted in &long {
			progress.whole(Stage::Fetching, done, total);
			progress.file(&wanted.file.path);
			let fetched = self.long(wanted, Some(output), progress).await;
			failures.of(wanted.file, fetched)?;
			done = done.saturating_add(wanted.file.length);
		}
		progress.whole(Stage::Fetching, total, total);
		Ok(())
	}

	/// Fetches files that are not longer than a span.
	async fn spans(
		&self,
		spans: Vec<Span<'_>>,
		parts: &Parts,
		failures: &mut Failures,
		progress: &mut impl Progress,
	) -> Result<(), FetchError> {
		let total = spans.iter().map(Span::length).sum();
		let (mut written, mut done) = (Written::default(), 0u64);
		let mut fetched = stream::iter(spans)
			.map(|span| async move {
				let bytes = self.span(&span).await;
				(span, bytes)
			})
			.buffered(AT_ONCE)
			.boxed_local();
		let mut write = |part: Span<'_>, bytes: Result<Vec<u8>, FetchError>| {
			done = done.saturating_add(part.length());
			match bytes {
				Ok(bytes) => {
					// The list may name packs that are not there.
					let length = written.add(&part);
					written.check(length, &parts.0)?;
					parts.write(&part, &bytes, failures)?;
				}
				Err(error) => failures.add(part.files.iter().map(|wanted| wanted.file), error)?,
			}
			progress.at(Stage::Fetching, done, total);
			Ok(())
		};
		let mut damaged = Vec::new();
		while let Some((span, bytes)) = fetched.next().await {
			match bytes {
				// What can be read of it is read when no other one waits for that.
				Err(error) if error.is_of_bytes() => damaged.push((span, Err(error))),
				bytes => write(span, bytes)?,
			}
		}
		drop(fetched);
		let read = async |part: &Span<'_>| self.span(part).await;
		for span in damaged {
			as_far_as_possible(span, read, &mut write).await?;
		}
		parts.sync()
	}

	/// Fetches the bytes of a span.
	async fn span(&self, span: &Span<'_>) -> Result<Vec<u8>, FetchError> {
		let Some(file) = span.file() else {
			return Ok(Vec::new());
		};
		let reading = self.open(file).await?;
		let bytes = reading.read_range(span.start, span.length()).await;
		bytes.map_err(FetchError::of_file(&file.path))
	}

	/// Fetches one file into a local file, which is no link. Of a pack with other files, only its part is fetched.
	pub(super) async fn one(
		&self,
		file: &folder::File,
		offset: u64,
		output: &Path,
		progress: &mut impl Progress,
	) -> Result<(), FetchError> {
		let wanted = Wanted {
			file,
			offset,
			path: output.to_owned(),
			// Also one that another program puts there meanwhile.
			differs: self.replace,
		};
		if file.length > SPAN {
			return self.long(&wanted, None, progress).await;
		}
		if !wanted.differs && fs::symlink_metadata(output).is_ok() {
			return Err(FetchError::Exists(output.to_owned()));
		}
		let lock = &on_disk::folder(output).join(part_name(output, &file.hash));
		let unlocked = || self.client.tell_no_turns(why_not("", Some(lock)));
		let held = lock_part(lock, false, unlocked);
		let held = self
			.client
			.patiently_locked(Wait::OtherFetch, Some(lock), held);
		let _held = held.await?;
		let mut failures = Failures::default();
		let fetched = async {
			let parts = Parts::create(lock)?;
			let spans = spans(vec![wanted]);
			self.spans(spans, &parts, &mut failures, progress).await
		};
		let fetched = fetched.await;
		let _ = fs::remove_file(lock);
		fetched?;
		// There is one file only.
		match failures.first() {
			None => Ok(()),
			Some(FetchError::Client(source)) => Err(FetchError::of_file(&file.path)(source)),
			Some(error) => Err(error),
		}
	}

	/// Fetches one file, and writes its bytes to something that stays.
	pub(super) async fn one_to(
		&self,
		file: &folder::File,
		offset: u64,
		out: &mut impl Write,
		progress: &mut impl Progress,
	) -> Result<(), FetchError> {
		let not_listed = || FetchError::NotListed(file.path.clone().into());
		if file.length > SPAN {
			let reading = self.whole(file, offset).await?;
			let mut out = folder::Hashed::new(out);
			reading.run(&mut out, 0, progress).await?;
			return match out.finish() == file.hash {
				true => Ok(()),
				false => Err(not_listed()),
			};
		}
		let wanted = Wanted {
			file,
			offset,
			path: PathBuf::new(),
			differs: false,
		};
		for span in spans(vec![wanted]) {
			let bytes = self.span(&span).await?;
			if bytes.len() as u64 != file.length
				|| folder::content_hash(&*bytes).map_err(Error::from)? != file.hash
			{
				return Err(not_listed());
			}
			out.write_all(&bytes).map_err(Error::from)?;
			progress.at(Stage::Fetching, file.length, file.length);
		}
		Ok(out.flush().map_err(Error::from)?)
	}

	/// Opens the pack that a file is in.
	async fn open(&self, file: &folder::File) -> Result<Reading, FetchError> {
		open_file((self.client, self.reader, self.owner), file, None).await
	}

	/// Opens a file that is a record of its own.
	async fn whole(&self, file: &folder::File, offset: u64) -> Result<Reading, FetchError> {
		let reading = self.open(file).await?;
		match offset == 0 && reading.length() == file.length {
			true => Ok(reading),
			false => Err(FetchError::WrongLength(file.path.clone())),
		}
	}

	/// Fetches a file that is a record of its own.
	async fn long(
		&self,
		wanted: &Wanted<'_>,
		part_in: Option<&Path>,
		progress: &mut impl Progress,
	) -> Result<(), FetchError> {
		let file = wanted.file;
		let reading = self.whole(file, wanted.offset).await?;
		let fetch = FetchFile::new(&reading, &wanted.path)
			.executable(file.executable)
			.replace(wanted.differs)
			.expecting(file.hash);
		let fetch = match part_in {
			Some(folder) => fetch.part_in(folder),
			None => fetch,
		};
		fetch.run(progress).await
	}
}

/// Returns the length of all files of a list.
fn length_of(list: &List) -> u64 {
	let lengths = list.files.iter().map(|packed| packed.file.length);
	lengths.fold(0, u64::saturating_add)
}

/// Opens the record that a file of a folder is, or is in. `answer` is what was proven about it before, if anything was.
pub(super) async fn open_file(
	(client, reader, owner): (&Client, &Identity, &AccountId),
	file: &folder::File,
	answer: Option<Answer>,
) -> Result<Reading, FetchError> {
	let opened = match answer {
		// If this fails, it is tried again in all ways that there are.
		Some(answer) => {
			let at = (owner, file.key);
			Reading::of_answer(client, reader, at, answer).await.ok()
		}
		None => None,
	};
	let reading = match opened {
		Some(reading) => reading,
		None => Reading::open(client, reader, owner, file.key)
			.await
			.map_err(FetchError::of_file(&file.path))?,
	};
	match reading.is_compressed() {
		true => Err(FetchError::CompressedFile(file.path.clone())),
		false => Ok(reading),
	}
}

/// Passes a span on with its bytes. If some of them could not be read, reads its parts, and passes on each before it reads
/// the next one.
///
/// # Errors
///
/// Returns the errors of `take`.
async fn as_far_as_possible<'a>(
	(span, bytes): (Span<'a>, Result<Vec<u8>, FetchError>),
	read: impl AsyncFn(&Span<'a>) -> Result<Vec<u8>, FetchError>,
	mut take: impl FnMut(Span<'a>, Result<Vec<u8>, FetchError>) -> Result<(), FetchError>,
) -> Result<(), FetchError> {
	let (mut left, mut fetched) = (vec![span], Some(bytes));
	while let Some(span) = left.pop() {
		let bytes = match fetched.take() {
			Some(bytes) => bytes,
			None => read(&span).await,
		};
		match bytes {
			Ok(bytes) => take(span, Ok(bytes))?,
			Err(error) if error.is_of_bytes() => match span.halves() {
				Ok([first, second]) => left.extend([second, first]),
				Err(span) => take(span, Err(error))?,
			},
			Err(error) => take(span, Err(error))?,
		}
	}
	Ok(())
}

/// Returns whether nothing may be written to a folder.
pub(super) fn is_denied(error: &FetchError) -> bool {
	let FetchError::Io { source, .. } = error else {
		return false;
	};
	matches!(
		source.kind(),
		ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
	)
}

/// Puts files together that are fetched together: those of one pack that are beside each other, or nearly.
fn spans(mut files: Vec<Wanted<'_>>) -> Vec<Span<'_>> {
	files.sort_by_key(|wanted| (wanted.file.key, wanted.offset));
	let mut spans: Vec<Span<'_>> = Vec::new();
	for wanted in files {
		let (key, start) = (wanted.file.key, wanted.offset);
		let end = start.saturating_add(wanted.file.length);
		match spans.last_mut() {
			Some(span)
				if span
					.files
					.first()
					.is_some_and(|first| first.file.key == key)
					&& start <= span.end.saturating_add(GAP)
					&& end.saturating_sub(span.start) <= SPAN =>
			{
				span.end = span.end.max(end);
				span.files.push(wanted);
			}
			_ => spans.push(Span::of(vec![wanted])),
		}
	}
	spans
}

/// How many bytes of files are written, and how many are fetched for them.
#[derive(Default)]
struct Written {
	length: u64,
	fetched: u64,
}

impl Written {
	/// Adds files that are fetched together. Returns their length.
	fn add(&mut self, span: &Span<'_>) -> u64 {
		let lengths = span.files.iter().map(|wanted| wanted.file.length);
		let length = lengths.fold(0, u64::saturating_add);
		self.length = self.length.saturating_add(length);
		self.fetched = self.fetched.saturating_add(span.length());
		length
	}

	/// Adds files that are packs of their own.
	fn add_long(&mut self, files: &[Wanted<'_>]) {
		let mut packs = BTreeSet::new();
		for Wanted { file, .. } in files {
			self.length = self.length.saturating_add(file.length);
			if packs.insert(file.key) {
				self.fetched = self.fetched.saturating_add(file.length);
			}
		}
	}

	/// Checks that there is space for the `next` bytes of files if most of all are copies.
	///
	/// # Errors
	///
	/// Returns [`FetchError::TooManyCopies`] if not.
	fn check(&self, next: u64, folder: &Path) -> Result<(), FetchError> {
		match self.length > self.fetched.saturating_mul(COPIES) {
			true => self.check_space(next, free_space(folder)),
			false => Ok(()),
		}
	}

	fn check_space(&self, next: u64, free: Option<u64>) -> Result<(), FetchError> {
		let free = free.unwrap_or(UNKNOWN);
		match next > free {
			true => Err(FetchError::TooManyCopies {
				length: self.length,
				fetched: self.fetched,
				free,
			}),
			false => Ok(()),
		}
	}
}

/// A folder for files that do not have their names yet. It is removed when it is dropped, or by the next program that uses
/// it: who has the lock file has the folder.
struct Parts(PathBuf);

impl Drop for Parts {
	fn drop(&mut self) {
		let _ = fs::remove_dir_all(&self.0);
	}
}

impl Parts {
	/// Creates the folder beside its lock file, for this user only.
	fn create(lock: &Path) -> Result<Self, FetchError> {
		let mut name = lock.file_name().unwrap_or_default().to_owned();
		name.push(PARTS);
		let path = lock.with_file_name(name);
		// This follows no link.
		match fs::remove_dir_all(&path) {
			Err(error) if error.kind() != ErrorKind::NotFound => {
				return Err(FetchError::io(&path)(error));
			}
			_ => {}
		}
		private_folder()
			.create(&path)
			.map_err(FetchError::io(&path))?;
		Ok(Self(path))
	}

	/// Writes the files of a span, and gives them their names when they are on the disk. Notes those that are not what the list
	/// says, or cannot be written. If nothing more can be written, as on a full disk, the files before that get their names.
	fn write(
		&self,
		span: &Span<'_>,
		bytes: &[u8],
		failures: &mut Failures,
	) -> Result<(), FetchError> {
		let (mut whole, mut ended) = (Vec::new(), Ok(()));
		for (number, wanted) in span.files.iter().enumerate() {
			let written = self.write_checked(number, wanted, (span.start, bytes));
			match failures.of(wanted.file, written) {
				Ok(Some(())) => whole.push((number, wanted)),
				Ok(None) => {}
				Err(error) => {
					ended = Err(error);
					break;
				}
			}
		}
		if let Err(error) = self.sync() {
			return ended.and(Err(error));
		}
		for (number, wanted) in whole {
			failures.of(wanted.file, self.rename(number, wanted))?;
		}
		ended
	}

	/// Writes a file out of the bytes that begin at `start` of its pack, if they are what the list says.
	fn write_checked(
		&self,
		number: usize,
		wanted: &Wanted<'_>,
		(start, bytes): (u64, &[u8]),
	) -> Result<(), FetchError> {
		let Wanted { file, path, .. } = wanted;
		// A span is at most 16 MiB, so its places fit.
		let start = wanted.offset.saturating_sub(start) as usize;
		let part = start
			.checked_add(file.length as usize)
			.and_then(|end| bytes.get(start..end))
			.ok_or_else(|| FetchError::WrongLength(file.path.clone()))?;
		if folder::content_hash(part).map_err(FetchError::io(path))? != file.hash {
			return Err(FetchError::NotListed(path.clone()));
		}
		self.write_one(number, wanted, part)
			.map_err(FetchError::io(path))
	}

	/// Gives a file its name.
	fn rename(&self, number: usize, wanted: &Wanted<'_>) -> Result<(), FetchError> {
		let Wanted { path, differs, .. } = wanted;
		let part = self.part(number);
		let renamed = match differs {
			true => on_disk::move_over(&part, path),
			false => on_disk::move_new(&part, path),
		};
		renamed.map_err(|error| match error.kind() {
			ErrorKind::AlreadyExists => FetchError::Exists(path.clone()),
			_ => FetchError::io(path)(error),
		})
	}

	fn part(&self, number: usize) -> PathBuf {
		self.0.join(number.to_string())
	}

	fn write_one(&self, number: usize, wanted: &Wanted<'_>, bytes: &[u8]) -> io::Result<()> {
		let mut options = OpenOptions::new();
		options.write(true).create_new(true);
		#[cfg(unix)]
		{
			let mode = if wanted.file.executable { 0o700 } else { 0o600 };
			std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
		}
		let mut file = options.open(self.part(number))?;
		file.write_all(bytes)?;
		let old = wanted.differs.then(|| fs::symlink_metadata(&wanted.path));
		if let Some(Ok(old)) = old {
			// The file of another user is replaced by one that only this user can read.
			let _ = on_disk::resemble(&file, &old);
			on_disk::set_executable(&file, wanted.file.executable)?;
		}
		// One call for all of them is much faster, where there is one.
		#[cfg(not(target_os = "linux"))]
		on_disk::sync(&file)?;
		Ok(())
	}

	/// Waits until all that was written is on the disk.
	fn sync(&self) -> Result<(), FetchError> {
		#[cfg(target_os = "linux")]
		{
			let folder = File::open(&self.0).map_err(FetchError::io(&self.0))?;
			match rustix::fs::syncfs(&folder).map_err(io::Error::from) {
				Err(error) if !on_disk::cannot_sync(&error) => {
					return Err(FetchError::io(&self.0)(error));
				}
				_ => {}
			}
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests;
