// SPDX-License-Identifier: Apache-2.0
//! `isthmus store`: encrypts and stores files, folders or stdin.

use crate::{
	context::Context,
	dataset,
	error::{os, Error, Kind},
	options::Options,
	output::{is_closed, is_open_file, is_standard, kind},
	progress::Bar,
	report::Patient,
	stderr::tell,
	text::{bytes, condition, count, quoted, record_key, Key},
};
use isthmus_sdk::{
	every, key_name, stored_of,
	upload::{MAX_LENGTH, MAX_WHOLE},
	BlockNumber, Condition, DatasetId, EmbargoEntry, Epoch, Error as SdkError, Identity, Leaf,
	LocalFolder, Place, RecordKey, Stamp, Upload, UploadError, UploadFolder,
};
use serde::Serialize;
use std::{
	fmt,
	fs::{self, File},
	io::{self, ErrorKind, Read, Seek, Write},
	path::{Path, PathBuf},
};
use tempfile::SpooledTempFile;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Run the same command again to resume an interrupted upload: the chain records what has arrived.
What is stored already is compared, and the same content is not sent twice.

The record's name, its size and its owner are public. Its content, and the names in a folder, can
be read only by those who are granted access.

Examples:
  isthmus store marks-2025.csv --key school.key
  isthmus store photos/ --dataset 1 --name photos-2025 --key school.key
  tar c data | isthmus store - --name data.tar --key school.key")]
pub(crate) struct Opts {
	/// File or folder to store, or - for stdin, which is read to its end first: beyond 1 MiB, it is kept in an
	/// unnamed temporary file
	path: PathBuf,

	/// Dataset to store it in [default: the owner's only one]
	#[arg(long, value_name = "NUMBER")]
	dataset: Option<DatasetId>,

	/// Public name of the record, of at most 32 bytes, or 0x and 64 hexadecimal digits [default: the name
	/// of the file]
	#[arg(long, value_parser = record_key)]
	name: Option<RecordKey>,

	/// Leaf to store it at: access is granted to ranges of leaves. A folder takes one leaf for each file,
	/// and one more [default: the next free one]
	#[arg(long, value_name = "NUMBER")]
	leaf: Option<Leaf>,

	/// Condition before which no one else can query the record: puts the record under an embargo, and then stores it. Not
	/// for a folder
	#[arg(long, value_name = "CONDITION", value_parser = condition)]
	when: Option<Condition>,
}

/// A file, a folder or stdin that is stored.
#[derive(Serialize)]
pub(crate) struct Stored {
	/// The block; `None` if the content was already stored and nothing was sent.
	block: Option<BlockNumber>,
	bytes: u64,
	dataset: DatasetId,
	epoch: Epoch,
	/// How many files the folder contains; `None` if the record is not a folder.
	files: Option<usize>,
	key: Key,
	leaf: Leaf,
	resumed: bool,
}

impl fmt::Display for Stored {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			dataset,
			epoch,
			key,
			leaf,
			..
		} = self;
		let size = bytes(self.bytes);
		let size = match self.files {
			None => size,
			Some(files) => format!("{} ({size})", count(files as u64, "file")),
		};
		match self.block {
			Some(block) => write!(f, "block {block}: stored {size} as {key}")?,
			None => write!(f, "{size} already stored as {key}")?,
		}
		// A folder's files are at the leaves before the leaf of its list.
		let at = if self.files.is_some() { "up to" } else { "at" };
		write!(f, ", {at} leaf {leaf} of dataset {dataset}, epoch {epoch}")
	}
}

/// Runs the command. Errors in its arguments are reported before it connects.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Stored, Error> {
	let key = name(&opts)?;
	let source = Source::open(&opts.path)?;
	if let (Some(_), Source::Ready(Ready::Folder(_))) = (&opts.when, &source) {
		return Err(Error::usage(
			"--when is for one record: a folder is stored as several",
		));
	}
	let context = &Context::connect(options).await?;
	let identity = context.identity().await?;
	let dataset = dataset(&opts, context, &identity).await?;
	// Reading a stream may take long, so it comes after all that can be asked and refused, and before the state
	// that the record's place depends on.
	let source = source.read()?;
	if let Some(condition) = &opts.when {
		put_under_embargo(context, &identity, key, condition).await?;
	}
	let place = place(&opts, key, dataset, context, &identity).await?;
	let (client, mut bar) = (&context.client, Bar::new());
	let (stored, bytes, files) = match source {
		Ready::One(mut value, length, stamp) => {
			let mut upload = upload(&opts, context, &identity, place);
			if let Some(stamp) = &stamp {
				upload = upload.while_unchanged(stamp);
			}
			let stored = match upload.ensure(&mut value, length, &mut bar).await {
				Ok(stored) => stored,
				Err(error) => {
					return Err(unfinished(&opts, context, &identity, key, error.into()).await)
				}
			};
			(stored, length, None)
		}
		Ready::Folder(folder) => {
			let upload =
				UploadFolder::new(client, &identity, place).until_finalized(context.is_finalized());
			let upload = match opts.leaf {
				Some(_) => upload,
				None => upload.at_free_leaf().in_current_epoch(),
			};
			let stored = match upload.run(&folder, &mut bar).await {
				Ok(stored) => stored,
				Err(error) => {
					return Err(unfinished_folder(
						&opts,
						context,
						&identity,
						(key, &folder),
						error.into(),
					)
					.await)
				}
			};
			(stored.list, stored.bytes, Some(stored.files))
		}
	};
	Ok(Stored {
		block: stored.done.now().map(|included| included.number()),
		bytes,
		dataset: stored.place.dataset,
		epoch: stored.place.epoch,
		files,
		key: Key(stored.place.key),
		leaf: stored.place.leaf,
		resumed: stored.resumed,
	})
}

/// Puts a record that is not stored yet under an embargo, unless it is under this one. It must be there before the record
/// is, which could be queried otherwise.
async fn put_under_embargo(
	context: &Context,
	identity: &Identity,
	key: RecordKey,
	condition: &Condition,
) -> Result<(), Error> {
	let (client, owner) = (&context.client, identity.id());
	let best = client.best().await?;
	let embargoes = every(|after| best.embargoes(owner, after)).await?;
	let is_this = |entry: &EmbargoEntry| entry.key == key && entry.condition == *condition;
	if embargoes.iter().any(is_this) {
		return Ok(());
	}
	if best.record(owner, key).await?.is_some() {
		let name = key_name(&key);
		return Err(Error::refused(format!("{name} is stored already"))
			.hint("to put it under an embargo now: isthmus embargo NAME --when CONDITION"));
	}
	let call = client.embargo(key, Some(condition.clone())).await?;
	context.send(identity, &call).await?;
	Ok(())
}

/// Adds to an error what is stored of the record, and how to resume it or to give it up.
async fn unfinished(
	opts: &Opts,
	context: &Context,
	identity: &Identity,
	key: RecordKey,
	error: Error,
) -> Error {
	let error = match is_stdin(&opts.path) {
		true => error,
		false => error.about(&opts.path),
	};
	let error = error.naming(key);
	if error.kind() == Kind::Unreachable || error.says_remove() {
		return error;
	}
	let stored = async {
		context
			.client
			.best()
			.await?
			.record(identity.id(), key)
			.await
	};
	match stored.await {
		Ok(Some(record)) if !record.payload.is_complete() => {
			let arrived = count(record.payload.arrived(), "chunk");
			let name = quoted(&key_name(&key));
			error.also(format!(
				"{arrived} of the record arrived: run the same command again to resume, or give it up: isthmus remove {name}"
			))
		}
		_ => error,
	}
}

/// Does the same for a folder.
async fn unfinished_folder(
	opts: &Opts,
	context: &Context,
	identity: &Identity,
	(key, folder): (RecordKey, &LocalFolder),
	error: Error,
) -> Error {
	let error = error.naming(key);
	if error.kind() == Kind::Unreachable || error.says_remove() {
		return error;
	}
	match stored_of(&context.client, identity, key, folder).await {
		Ok(stored) if !stored.is_empty() && !stored.contains(&key) => {
			let files = count(stored.len() as u64, "file");
			let (name, path) = (key_name(&key), opts.path.display().to_string());
			let (name, path) = (quoted(&name), quoted(&path));
			error.also(format!(
				"{files} of the folder arrived: run the same command again to resume, or give it up: isthmus remove {name} --unfinished {path}"
			))
		}
		_ => error,
	}
}

/// Returns the record's key, made from the given name or the file's.
fn name(opts: &Opts) -> Result<RecordKey, Error> {
	if let Some(key) = opts.name {
		return Ok(key);
	}
	let name = match opts.path.file_name() {
		Some(name) if !is_stdin(&opts.path) && !is_open_file(&opts.path) => name,
		_ => {
			return Err(Error::usage(
				"missing --name: what should the record be called?",
			))
		}
	};
	let name = name
		.to_str()
		.ok_or_else(|| Error::usage("the name of the file is not UTF-8").hint("choose a --name"))?;
	isthmus_sdk::record_key(name).map_err(|error| Error::usage(error).hint("choose another --name"))
}

/// Prepares to store one value, at the next free leaf unless one was given.
fn upload<'a>(
	opts: &Opts,
	context: &'a Context,
	identity: &'a Identity,
	place: Place,
) -> Upload<'a> {
	let upload =
		Upload::new(&context.client, identity, place).until_finalized(context.is_finalized());
	match opts.leaf {
		Some(_) => upload,
		None => upload.at_free_leaf().in_current_epoch(),
	}
}

/// Returns the dataset to store the record in.
async fn dataset(opts: &Opts, context: &Context, identity: &Identity) -> Result<DatasetId, Error> {
	let best = context.client.best().await?;
	let owner = identity.id();
	if best.producer(owner).await?.is_none() {
		return Err(
			Error::refused(format!("{owner} is not registered as a producer"))
				.hint("register first: isthmus register --kind school NAME"),
		);
	}
	let dataset = match opts.dataset {
		Some(dataset) => dataset,
		None => dataset::only(context, owner).await?,
	};
	dataset::own(&best, owner, dataset).await?;
	Ok(dataset)
}

/// Returns where to store the record.
async fn place(
	opts: &Opts,
	key: RecordKey,
	dataset: DatasetId,
	context: &Context,
	identity: &Identity,
) -> Result<Place, Error> {
	let best = context.client.best().await?;
	let owner = identity.id();
	let epoch = dataset::own(&best, owner, dataset).await?.epoch;
	let leaf = match opts.leaf {
		Some(leaf) => leaf,
		None => best.free_leaf(owner, dataset, epoch).await?,
	};
	Ok(Place {
		key,
		dataset,
		epoch,
		leaf,
	})
}

/// What to store.
enum Source {
	/// What can be stored as it is.
	Ready(Ready),
	/// Stdin.
	Stdin,
	/// A FIFO, or another open file of the shell that started the program.
	Stream(PathBuf),
}

/// A value, or values, whose lengths are known.
enum Ready {
	/// One value, its length in bytes and, if it is read from a file while it is stored, the stamp of that.
	One(Box<dyn ReadSeek>, u64, Option<Stamp>),
	/// The files of a folder.
	Folder(LocalFolder),
}

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl Source {
	/// Opens a file or a folder. A stream is opened when it is read.
	fn open(path: &Path) -> Result<Self, Error> {
		if is_stdin(path) {
			return match is_closed(io::stdin()) {
				true => Err(Error::failed(
					"stdin is closed, so nothing can be read from it",
				)),
				false => Ok(Self::Stdin),
			};
		}
		let failed = |error: io::Error| Error::file(path, &error);
		let there = fs::metadata(path).map_err(failed)?;
		if is_open_file(path) || is_fifo(there.file_type()) {
			return Ok(Self::Stream(path.to_owned()));
		}
		if there.is_dir() {
			let folder = LocalFolder::open(path)?;
			for skipped in folder.skipped() {
				let skipped = skipped.display();
				tell(format_args!("skipped, because it is not a file: {skipped}"));
			}
			return Ok(Self::Ready(Ready::Folder(folder)));
		}
		if !there.is_file() {
			let (path, kind) = (path.display(), kind(there.file_type()));
			return Err(Error::failed(format!("{path} is a {kind}"))
				.hint("to store what can be read from it, pipe it: isthmus store - --name NAME"));
		}
		let file = File::open(path).map_err(failed)?;
		let stamp = Stamp::of(&file).map_err(failed)?;
		if stamp.length() > MAX_WHOLE {
			let length = stamp.length();
			return Ok(Self::Ready(Ready::One(Box::new(file), length, Some(stamp))));
		}
		// Some files, such as those in /proc, have another length than the system says.
		let ready = read_to_end(file, path)?;
		stamp
			.check()
			.map_err(|error| Error::from(error).about(path))?;
		Ok(Self::Ready(ready))
	}

	/// Reads a stream to its end.
	fn read(self) -> Result<Ready, Error> {
		match self {
			Self::Ready(ready) => Ok(ready),
			Self::Stdin => read_to_end(Patient(io::stdin().lock()), Path::new("stdin")),
			Self::Stream(path) => {
				let stream = File::open(&path).map_err(|error| Error::file(&path, &error))?;
				read_to_end(stream, &path)
			}
		}
	}
}

/// Reads a value whose length is not known. What does not fit into one transaction is kept in an unnamed
/// temporary file: the length is needed first, and large values are read twice.
fn read_to_end(mut from: impl Read, path: &Path) -> Result<Ready, Error> {
	let mut kept = SpooledTempFile::new(MAX_WHOLE as usize);
	let mut buffer = vec![0; 64 * 1024];
	let mut length = 0;
	loop {
		let count = match from.read(&mut buffer) {
			Ok(0) => break,
			Ok(count) => count,
			Err(error) if error.kind() == ErrorKind::Interrupted => continue,
			Err(error) => return Err(Error::file(path, &error)),
		};
		length += count as u64;
		if length > MAX_LENGTH {
			let maximum = MAX_LENGTH;
			return Err(SdkError::from(UploadError::TooLong { maximum }).into());
		}
		kept.write_all(&buffer[..count]).map_err(|error| {
			let (path, folder) = (path.display(), std::env::temp_dir());
			let folder = folder.display();
			Error::failed(format!("cannot keep {path} in {folder}: {}", os(&error)))
				.hint("set $TMPDIR to a folder with enough space")
		})?;
	}
	Ok(Ready::One(Box::new(kept), length, None))
}

fn is_stdin(path: &Path) -> bool {
	is_standard(path, "-", "/dev/stdin")
}

#[cfg(unix)]
fn is_fifo(there: fs::FileType) -> bool {
	std::os::unix::fs::FileTypeExt::is_fifo(&there)
}

#[cfg(not(unix))]
fn is_fifo(_: fs::FileType) -> bool {
	false
}
