// SPDX-License-Identifier: Apache-2.0
//! `isthmus store`: encrypts and stores files, folders or stdin.

use crate::{
	context::Context,
	dataset,
	error::Error,
	options::Options,
	progress::Bar,
	text::{bytes, count, record_key, Key},
};
use isthmus_sdk::{
	upload_folder, BlockNumber, DatasetId, Epoch, Identity, Leaf, LocalFolder, Place, RecordKey,
	Shown, Upload,
};
use serde::Serialize;
use std::{
	fmt,
	fs::File,
	io::{Seek, SeekFrom},
	path::{Path, PathBuf},
};

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
	/// File or folder to store, or - for stdin, which is kept in an unnamed temporary file until it is sent
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
	let context = &Context::connect(options).await?;
	let identity = context.identity().await?;
	let place = place(&opts, key, context, &identity).await?;
	let (client, mut bar) = (&context.client, Bar::new());
	let (stored, bytes, files) = match source {
		Source::One(mut file, length) => {
			let upload = upload(&opts, context, &identity, place);
			let stored = upload.ensure(&mut file, length, &mut bar).await?;
			(stored, length, None)
		}
		Source::Folder(folder) => {
			let finalized = context.is_finalized();
			let stored =
				upload_folder(client, &identity, place, finalized, &folder, &mut bar).await?;
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

/// Returns the record's key, made from the given name or the file's.
fn name(opts: &Opts) -> Result<RecordKey, Error> {
	if let Some(key) = opts.name {
		return Ok(key);
	}
	let name = match opts.path.file_name() {
		Some(name) if opts.path.as_os_str() != "-" => name,
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

/// Returns where to store the record.
async fn place(
	opts: &Opts,
	key: RecordKey,
	context: &Context,
	identity: &Identity,
) -> Result<Place, Error> {
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
	/// One value and its length in bytes.
	One(File, u64),
	/// The files of a folder.
	Folder(LocalFolder),
}

impl Source {
	fn open(path: &Path) -> Result<Self, Error> {
		let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", path.display()));
		if path.as_os_str() == "-" {
			// Copy stdin to a temporary file: the length is needed first, and large values are read twice.
			let mut file = tempfile::tempfile().map_err(failed)?;
			let length = std::io::copy(&mut std::io::stdin().lock(), &mut file).map_err(failed)?;
			file.seek(SeekFrom::Start(0)).map_err(failed)?;
			return Ok(Self::One(file, length));
		}
		if path.is_dir() {
			let folder = LocalFolder::open(path)?;
			for skipped in folder.skipped() {
				let path = skipped.to_string_lossy();
				eprintln!("skipped, because it is not a file: {}", Shown(&path));
			}
			return Ok(Self::Folder(folder));
		}
		let file = File::open(path).map_err(failed)?;
		let length = file.metadata().map_err(failed)?.len();
		Ok(Self::One(file, length))
	}
}
