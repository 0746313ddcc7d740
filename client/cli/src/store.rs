// SPDX-License-Identifier: Apache-2.0
//! `isthmus store`: encrypts and stores files, folders or stdin.

mod source;

use crate::{
	context::Context,
	dataset,
	error::{Error, Kind},
	exclude::Excludes,
	fetch::with_check,
	input,
	options::Options,
	output::{is_open_file, is_stdin},
	packed::{self, skipped_in, Synced},
	progress::Bar,
	remove::way_out,
	text::{bytes, called, condition, count, shown, Called, Key},
	tip::{quoted, quoted_path, Tip},
};
use isthmus_sdk::{
	every,
	objects::Location,
	sharing::readers,
	stored_of,
	upload::{check_location, location_to_write, MAX_WHOLE},
	BlockNumber, Condition, DatasetId, EmbargoEntry, Epoch, Error as SdkError, Identity, Leaf,
	LocalFolder, Names, Place, RecordKey, StoredFolder, SyncFolder, Upload, UploadError,
	UploadFolder,
};
use serde::Serialize;
use source::{read, stdin, Counted, Ready, Source};
use std::{
	fmt,
	fs::File,
	io::Read,
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Run the same command again to resume an interrupted upload: the chain, or a file of yours, records
what has arrived. What is stored already is compared, and the same content is not sent twice.

Nodes keep what is stored in blocks as long as they keep the blocks. If the dataset has locations
(isthmus dataset locate), a file of more than 1 MiB, or a stream, becomes an object: its encrypted
bytes go to the first location that can be written to, and only its checksum to the chain. With
--object, the files of a folder are put together into such objects, and isthmus sync sends what has
changed in it later.

The record's size, its place and its owner are public. Its name, its content and the names in a
folder can be read only by those who are granted access; --public-name shows the name to everyone.

Examples:
  isthmus store marks-2025.csv --key school.key
  isthmus store photos/ --dataset 1 --name photos-2025 --key school.key
  isthmus store journal.ndjson --object --compress --key school.key
  tar c data | isthmus store - --name data.tar --key school.key")]
pub(crate) struct Opts {
	/// File or folder to store, or - for stdin. What is stored in blocks is read to its end first: beyond 1 MiB,
	/// it is kept in an unnamed temporary file
	path: PathBuf,

	/// Dataset to store it in [default: the owner's only one]
	#[arg(long, value_name = "NUMBER")]
	dataset: Option<DatasetId>,

	/// Name of the record, of at most 32 bytes, or a public key for it: 0x and 64 hexadecimal digits [default: the
	/// name of the file]
	#[arg(long, value_parser = called)]
	name: Option<Called>,

	/// Show the name to everyone, for ever, instead of only to those who may read the record
	#[arg(long)]
	public_name: bool,

	/// Leaf to store it at: access is granted to ranges of leaves. A folder takes one leaf for each file, or for each
	/// pack of files with --object, and one more [default: the next free one]
	#[arg(long, value_name = "NUMBER")]
	leaf: Option<Leaf>,

	/// Store it as an object, at the dataset's first location that can be written to, or the files of a folder as objects
	/// of up to 16 MiB. Its readers find it by its key, which this command prints, unless the name is public
	#[arg(long, alias = "objects", conflicts_with = "in_blocks")]
	object: bool,

	/// Store it in blocks, even if the dataset has locations
	#[arg(long)]
	in_blocks: bool,

	/// Compress the object with zstd before it is encrypted, and pad it. Readers get the value as it was. The length of
	/// what is stored is public, and tells roughly how well it was compressed: not for a secret beside text that others chose
	#[arg(long, conflicts_with = "in_blocks")]
	compress: bool,

	/// Condition before which no one else can query the record: puts the record under an embargo, and then stores it. Not
	/// for a folder
	#[arg(long, value_name = "CONDITION", value_parser = condition)]
	when: Option<Condition>,

	#[command(flatten)]
	excludes: Excludes,
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
	/// Where the object lies; `None` if the bytes are on the chain.
	location: Option<String>,
	name: String,
	/// How many other accounts have a grant that covers the leaf; `None` if the node did not tell.
	readers: Option<usize>,
	resumed: bool,
	/// What was left out of a folder, because it is not a file.
	skipped: Vec<String>,
}

impl fmt::Display for Stored {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			dataset,
			epoch,
			name,
			leaf,
			..
		} = self;
		let size = bytes(self.bytes);
		let size = match self.files {
			None => size,
			Some(files) => format!("{} ({size})", count(files as u64, "file")),
		};
		match self.block {
			Some(block) => write!(f, "block {block}: stored {size} as {name}")?,
			None => write!(f, "{size} already stored as {name}")?,
		}
		// A folder's files are at the leaves before the leaf of its list.
		let at = if self.files.is_some() { "up to" } else { "at" };
		write!(f, ", {at} leaf {leaf} of dataset {dataset}, epoch {epoch}")?;
		if let Some(location) = &self.location {
			write!(f, "; the object is at {}", shown(location))?;
		}
		match self.readers {
			None => Ok(()),
			Some(0) => f.write_str("; no one else can read it yet"),
			Some(readers) => {
				let readers = count(readers as u64, "reader");
				write!(f, "; readable by {readers}: isthmus list given")
			}
		}
	}
}

/// What the command has stored.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Outcome {
	Record(Stored),
	Packed(Synced),
}

impl fmt::Display for Outcome {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Record(stored) => fmt::Display::fmt(stored, f),
			Self::Packed(synced) => fmt::Display::fmt(synced, f),
		}
	}
}

/// Runs the command. Errors in its arguments are reported before it connects.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Outcome, Error> {
	let called = name_of(opts.name, &opts.path)?;
	let is_key = |key: String| is_stdin(Path::new(&key));
	if is_stdin(&opts.path) && options.key().is_ok_and(is_key) {
		return Err(
			Error::usage("stdin cannot be both the key file and what is stored")
				.hint("give the key file by its path"),
		);
	}
	let source = Source::open(&opts.path, &opts.excludes, &options);
	let name = quoted(called.shown().to_string());
	let known = [("FOLDER", quoted_path(&opts.path)), ("NAME", name)];
	let source = source.map_err(|error| error.knowing(&known))?;
	let is_folder = matches!(source, Source::Ready(Ready::Folder(_)));
	if is_folder && opts.when.is_some() {
		return Err(Error::usage(
			"--when is for one record: a folder is stored as several",
		));
	}
	if !is_folder && !opts.excludes.is_empty() {
		return Err(Error::usage(
			"--exclude is for folders, and this is one record",
		));
	}
	if is_folder && opts.compress {
		return Err(Error::usage(
			"--compress is for one record: a folder is stored as several",
		)
		.hint("store an archive of it instead: tar c FOLDER | isthmus store - --compress --name NAME")
		.knowing(&known));
	}
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let dataset = dataset_of(opts.dataset, context, &identity).await?;
	let record = Record::new(called, opts.public_name, context, &identity);
	let source = match source {
		Source::Ready(Ready::Folder(folder)) if opts.object => {
			let sync = SyncFolder::new(&context.client, &identity, record.key, dataset);
			let sync = sync.only_new().from_leaf(opts.leaf.unwrap_or(0));
			let of = (called, record.key);
			let synced = packed::store(context, &identity, of, sync, &folder).await;
			let how = ("FOLDER", sync_again(&opts, called, dataset));
			let synced = synced.map_err(|error| error.knowing(&[how]))?;
			return Ok(Outcome::Packed(synced));
		}
		source => source,
	};
	store_record(&opts, context, &identity, (record, dataset), source)
		.await
		.map(Outcome::Record)
}

/// Returns what `isthmus sync` takes to store what has changed in this folder.
fn sync_again(opts: &Opts, called: Called, dataset: DatasetId) -> String {
	let folder = quoted_path(&opts.path);
	let folder = match opts.public_name {
		true => format!("{folder} --public-name"),
		false => folder,
	};
	let words = Tip::new(folder)
		.option("--dataset", &dataset.to_string())
		.option("--name", &called.shown().to_string());
	opts.excludes.on(words).to_string()
}

/// Stores a value as an object, or a value or a folder in blocks.
async fn store_record(
	opts: &Opts,
	context: &Context,
	identity: &Identity,
	(record, dataset): (Record, DatasetId),
	source: Source,
) -> Result<Stored, Error> {
	let called = record.called;
	if let Some(location) = location(opts, context, identity, dataset, &source).await? {
		if let Some(condition) = &opts.when {
			// The embargo is paid for.
			check_location(&context.client, &location).await?;
			put_under_embargo(context, identity, (record, dataset), condition).await?;
		}
		let place = place(opts, record.key, dataset, context, identity).await?;
		let at = (place, location);
		return store_object(opts, context, identity, record, at, source).await;
	}
	// Reading a stream may take long, so it comes after all that can be asked and refused, and before the state
	// that the record's place depends on.
	let source = read(source, context).await?;
	if let Some(condition) = &opts.when {
		put_under_embargo(context, identity, (record, dataset), condition).await?;
	}
	let place = place(opts, record.key, dataset, context, identity).await?;
	let mut bar = Bar::new();
	let mut skipped = Vec::new();
	let (stored, bytes, files) = match source {
		Ready::One(mut value, length, stamp) => {
			let mut upload = upload(opts, context, identity, place);
			if let Some(name) = record.hidden() {
				upload = upload.named(name);
			}
			if let Some(stamp) = &stamp {
				upload = upload.while_unchanged(stamp);
			}
			let stored = match upload.ensure(&mut value, length, &mut bar).await {
				Ok(stored) => stored,
				Err(error) => {
					let is_of_object = error.is_of_object();
					let error = Error::from(error).interrupted(bar.arrived());
					let error = with_check(error, is_of_object, (identity.id(), dataset));
					return Err(unfinished(opts, context, identity, record, error).await);
				}
			};
			(stored, length, None)
		}
		Ready::Folder(folder) => {
			let stored = store_folder(opts, context, identity, (record, place), &folder).await?;
			skipped = skipped_in(&folder);
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
		location: None,
		name: called.shown().to_string(),
		readers: readers(&context.client, identity.id(), &stored.place)
			.await
			.ok(),
		resumed: stored.resumed,
		skipped,
	})
}

/// Stores a folder in blocks.
async fn store_folder(
	opts: &Opts,
	context: &Context,
	identity: &Identity,
	(record, place): (Record, Place),
	folder: &LocalFolder,
) -> Result<StoredFolder, Error> {
	let upload =
		UploadFolder::new(&context.client, identity, place).until_finalized(context.is_finalized());
	let upload = match opts.leaf {
		Some(_) => upload,
		None => upload.at_free_leaf().in_current_epoch(),
	};
	let upload = match record.hidden() {
		Some(name) => upload.named(name),
		None => upload,
	};
	let mut bar = Bar::new();
	match upload.run(folder, &mut bar).await {
		Ok(stored) => Ok(stored),
		Err(error) => {
			let of = (record, folder);
			let error = Error::from(error).interrupted(bar.arrived());
			Err(unfinished_folder(opts, context, identity, of, error).await)
		}
	}
}

/// Returns where to store the value as an object; `None` if it is stored in blocks.
async fn location(
	opts: &Opts,
	context: &Context,
	identity: &Identity,
	dataset: DatasetId,
	source: &Source,
) -> Result<Option<Location>, Error> {
	let fits = match source {
		Source::Ready(Ready::Folder(_)) => return Ok(None),
		Source::Ready(Ready::One(_, length, _)) => *length > MAX_WHOLE,
		Source::Stdin | Source::Stream(_) => true,
	};
	if opts.in_blocks || !(fits || opts.object) {
		return match opts.compress {
			false => Ok(None),
			true => Err(Error::usage(
				"a file of up to 1 MiB is stored in blocks, where nothing is compressed",
			)
			.hint("store it as an object: --object")),
		};
	}
	match location_to_write(&context.client, identity.id(), dataset).await {
		Ok(location) => Ok(Some(location)),
		Err(SdkError::NoLocation(_)) if !opts.object && !opts.compress => Ok(None),
		Err(error) => Err(no_location(dataset, opts.compress, error)),
	}
}

/// Says where objects may go, if there is no such location.
fn no_location(dataset: DatasetId, compress: bool, error: SdkError) -> Error {
	let why = match error {
		SdkError::NotWritable {
			unusable: Some(left),
			..
		} => left.to_string(),
		error @ (SdkError::NoLocation(_) | SdkError::NotWritable { .. }) => error.to_string(),
		error => return error.into(),
	};
	let in_blocks = match compress {
		true => "--in-blocks in place of --compress, because nothing is compressed in blocks",
		false => "--in-blocks",
	};
	Error::refused(why).hint(format!(
		"publish one: isthmus dataset locate {dataset} URL; or store it in blocks: {in_blocks}"
	))
}

/// Stores a value as an object.
async fn store_object(
	opts: &Opts,
	context: &Context,
	identity: &Identity,
	record: Record,
	(place, location): (Place, Location),
	source: Source,
) -> Result<Stored, Error> {
	let upload = upload(opts, context, identity, place);
	let (mut bar, mut upload) = (Bar::new(), upload.compressed(opts.compress));
	let (value, length, stamp): (Box<dyn Read + Send>, _, _) = match source {
		Source::Ready(Ready::One(value, length, stamp)) => (Box::new(value), Some(length), stamp),
		Source::Stdin => (Box::new(stdin()?), None, None),
		Source::Stream(path) => {
			let stream = input::open(&path).map_err(|error| Error::file(&path, &error))?;
			(Box::new(stream), None, None)
		}
		// `location` has refused it.
		Source::Ready(Ready::Folder(_)) => {
			return Err(Error::usage("a folder is stored in blocks"));
		}
	};
	if let Some(stamp) = &stamp {
		upload = upload.while_unchanged(stamp);
	}
	let counted = Arc::new(AtomicU64::new(0));
	let value = Counted(value, counted.clone());
	let stored = match upload.run_object(&location, value, length, &mut bar).await {
		// The content may be the same: what is complete is compared, and nothing is sent.
		Err(SdkError::Upload(UploadError::AlreadyStored(_))) if length.is_some() => {
			let mut file =
				File::open(&opts.path).map_err(|error| Error::file(&opts.path, &error))?;
			let length = length.unwrap_or_default();
			counted.store(length, Ordering::Relaxed);
			let upload = self::upload(opts, context, identity, place);
			upload.ensure(&mut file, length, &mut bar).await
		}
		stored => stored,
	};
	let stored = stored.map_err(|error| {
		let (way_out, is_of_object) = (way_out(&error, record.key), error.is_of_object());
		let error = Error::from(error).interrupted(bar.arrived());
		let error = with_check(error, is_of_object, (identity.id(), place.dataset));
		let error = match is_stdin(&opts.path) {
			true => error,
			false => error.about(&opts.path),
		}
		.naming(record.key, record.called);
		match way_out {
			Some(way_out) => error.hint(way_out),
			None => error,
		}
	})?;
	Ok(Stored {
		block: stored.done.now().map(|included| included.number()),
		bytes: counted.load(Ordering::Relaxed),
		dataset: stored.place.dataset,
		epoch: stored.place.epoch,
		files: None,
		key: Key(stored.place.key),
		leaf: stored.place.leaf,
		location: Some(location.url().to_owned()),
		name: record.called.shown().to_string(),
		readers: readers(&context.client, identity.id(), &stored.place)
			.await
			.ok(),
		resumed: stored.resumed,
		skipped: Vec::new(),
	})
}

/// What a record is called, and the key that it is stored under.
#[derive(Clone, Copy)]
struct Record {
	called: Called,
	key: RecordKey,
}

impl Record {
	fn new(called: Called, public: bool, context: &Context, owner: &Identity) -> Self {
		let key = key_of(called, public, context, owner);
		Self { called, key }
	}

	/// Returns the name, if the key hides it.
	fn hidden(self) -> Option<RecordKey> {
		let Key(called) = self.called.shown();
		(called != self.key).then_some(called)
	}
}

/// Returns the key of a record with a name: one that hides it, unless the name is public.
pub(crate) fn key_of(
	called: Called,
	public: bool,
	context: &Context,
	owner: &Identity,
) -> RecordKey {
	match called {
		Called::Name(name) if !public => Names::new(&context.client, owner).key(&name),
		Called::Name(key) | Called::Key(key) => key,
	}
}

/// Puts a record that is not stored yet under an embargo, unless it is under this one. It must be there before the record
/// is, which could be queried otherwise.
async fn put_under_embargo(
	context: &Context,
	identity: &Identity,
	(record, dataset): (Record, DatasetId),
	condition: &Condition,
) -> Result<(), Error> {
	let (client, owner, key) = (&context.client, identity.id(), record.key);
	let best = client.best().await?;
	let embargoes = every(|after| best.embargoes(owner, after)).await?;
	let is_this = |entry: &EmbargoEntry| entry.key == key && entry.condition == *condition;
	if embargoes.iter().any(is_this) {
		return Ok(());
	}
	if best.record(owner, key).await?.is_some() {
		let name = record.called.shown();
		return Err(
			Error::refused(format!("{name} is stored already")).hint(format!(
				"to put it under an embargo now: {}",
				Tip::new("isthmus embargo")
					.option("--when", &condition.to_string())
					.operand(&name.to_string())
			)),
		);
	}
	let call = client
		.embargo(key, dataset, Some(condition.clone()))
		.await?;
	if !client.plan(&call).await? {
		context.send(identity, &call).await?;
	}
	Ok(())
}

/// Adds to an error what is stored of the record, and how to resume it or to give it up.
async fn unfinished(
	opts: &Opts,
	context: &Context,
	identity: &Identity,
	record: Record,
	error: Error,
) -> Error {
	let error = match is_stdin(&opts.path) {
		true => error,
		false => error.about(&opts.path),
	};
	let error = error.naming(record.key, record.called);
	if error.kind() == Kind::Unreachable || error.says_remove() || error.cost().is_some() {
		return error;
	}
	let stored = async {
		context
			.client
			.best()
			.await?
			.record(identity.id(), record.key)
			.await
	};
	match stored.await {
		Ok(Some(stored)) if !stored.payload.is_complete() => {
			let chunks = count(stored.payload.chunks(), "chunk");
			let arrived = format!("{} of {chunks}", stored.payload.arrived());
			let remove = Tip::new("isthmus remove").operand(&record.called.shown().to_string());
			error.also(format!(
				"{arrived} of the record arrived: run the same command again to resume, or give it up: {remove}"
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
	(record, folder): (Record, &LocalFolder),
	error: Error,
) -> Error {
	let error = error.naming(record.key, record.called);
	if error.kind() == Kind::Unreachable || error.says_remove() || error.cost().is_some() {
		return error;
	}
	match stored_of(&context.client, identity, record.key, folder).await {
		Ok(stored) if !stored.is_empty() && !stored.contains(&record.key) => {
			let files = count(folder.len() as u64, "file");
			let files = format!("{} of {files}", stored.len());
			let remove = opts
				.excludes
				.on(Tip::new("isthmus remove").option_path("--unfinished", &opts.path))
				.operand(&record.called.shown().to_string());
			error.also(format!(
				"{files} of the folder arrived: run the same command again to resume, or give it up: {remove}"
			))
		}
		_ => error,
	}
}

/// Returns what the record is called: what was given, or the file's name.
pub(crate) fn name_of(called: Option<Called>, path: &Path) -> Result<Called, Error> {
	if let Some(called) = called {
		return Ok(called);
	}
	let name = match path.file_name() {
		Some(name) if !is_stdin(path) && !is_open_file(path) => name,
		_ => {
			return Err(Error::usage(
				"missing --name: what should the record be called?",
			));
		}
	};
	let name = name
		.to_str()
		.ok_or_else(|| Error::usage("the name of the file is not UTF-8").hint("choose a --name"))?;
	isthmus_sdk::record_key(name)
		.map(Called::Name)
		.map_err(|error| Error::usage(error).hint("choose another --name"))
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
pub(crate) async fn dataset_of(
	dataset: Option<DatasetId>,
	context: &Context,
	identity: &Identity,
) -> Result<DatasetId, Error> {
	let best = context.client.best().await?;
	let owner = identity.id();
	if best.producer(owner).await?.is_none() {
		return Err(
			Error::refused(format!("{owner} is not registered as a producer"))
				.hint("register first: isthmus register --kind school NAME"),
		);
	}
	let dataset = match dataset {
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
