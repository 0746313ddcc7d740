//! `isthmus store`: encrypts files, folders or stdin, and stores them.

use crate::{
	context::{bytes, key_name, record_key, Bar, Context},
	dataset,
	error::Error,
};
use isthmus_sdk::{
	folder::{self, File as Entry},
	upload::{settled, MAX_WHOLE},
	DatasetId, Identity, Included, Leaf, Pending, Place, Reading, Record, RecordKey, Shown, State,
	Stored, Upload,
};
use serde_json::json;
use std::{
	collections::VecDeque,
	fs::File,
	io::{Read, Seek, SeekFrom},
	path::{Path, PathBuf},
};

/// How many small files are on their way at most: their bytes together stay below the node's pool.
const IN_FLIGHT: usize = 14;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
What was interrupted is gone on with when the same command is run again: the chain knows what
it has. Everybody can read a record's name, its size, and who stores it; nobody but the readers
its bytes, or the names of a folder's files.

Examples:
  isthmus store marks-2025.csv --key school.key
  isthmus store photos/ --dataset 1 --name photos-2025 --key school.key
  tar c data | isthmus store - --name data.tar --key school.key")]
pub(crate) struct Opts {
	/// A file, a folder, or - for stdin, which is first kept in a temporary file that has no name.
	path: PathBuf,

	/// The dataset's number; not needed where the owner has only one.
	#[arg(long)]
	dataset: Option<DatasetId>,

	/// The record's name, of at most 32 bytes, or 0x and 64 hexadecimal digits [default: the file's].
	#[arg(long, value_parser = record_key)]
	name: Option<RecordKey>,

	/// The leaf of the dataset's epoch that it is stored at: ranges of leaves are what is granted. A
	/// folder takes as many as it has files, and one more [default: the next free one].
	#[arg(long)]
	leaf: Option<Leaf>,
}

/// Stores.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let key = match (&opts.name, opts.path.file_name()) {
		(Some(key), _) => *key,
		(None, Some(name)) if opts.path.as_os_str() != "-" => {
			let name = name.to_str().ok_or_else(|| {
				Error::usage("the file's name is not UTF-8").hint("give the record a --name")
			})?;
			record_key(name)
				.map_err(|error| Error::usage(error).hint("give the record a shorter --name"))?
		}
		_ => return Err(Error::usage("what shall the record be called?").hint("--name NAME")),
	};
	// Before the passphrase is asked for.
	let source = Source::open(&opts.path)?;
	let identity = context.identity().await?;
	let best = context.client.best().await?;
	if best.producer(identity.id()).await?.is_none() {
		return Err(
			Error::usage(format!("{} is not registered as a producer", identity.id()))
				.hint("isthmus register --kind school NAME"),
		);
	}
	let dataset = match opts.dataset {
		Some(dataset) => dataset,
		None => dataset::only(&context, identity.id()).await?,
	};
	let epoch = match best.dataset(identity.id(), dataset).await? {
		Some(dataset) => dataset.epoch,
		None => {
			return Err(
				Error::usage(format!("{} has no dataset {dataset}", identity.id()))
					.hint("isthmus dataset list"),
			)
		}
	};
	let leaf = match opts.leaf {
		Some(leaf) => leaf,
		None => best.free_leaf(identity.id(), dataset, epoch).await?,
	};
	let place = Place {
		key,
		dataset,
		epoch,
		leaf,
	};
	let (stored, size, files) = match source {
		Source::One(mut file, length) => {
			let upload = Upload::new(&context.client, &identity, place);
			let stored = match upload.run(&mut file, length, &mut Bar::new()).await {
				Err(isthmus_sdk::Error::AlreadyStored(_)) => {
					stored_before(&context, &identity, key, &mut file, length).await?
				}
				stored => stored?,
			};
			(stored, length, None)
		}
		Source::Folder(files) => {
			let count = files.len();
			let (stored, size) = store_folder(&context, &identity, place, files, &best).await?;
			(stored, size, Some(count))
		}
	};
	context.settle(&stored.last).await?;
	let Place {
		key,
		dataset,
		epoch,
		leaf,
	} = stored.place;
	// None where there was nothing to send.
	let block = (stored.transactions > 0).then(|| stored.last.number());
	let what = match files {
		None => format!("{} as {}", bytes(size), key_name(&key)),
		Some(files) => format!("{} in {files} files as {}", bytes(size), key_name(&key)),
	};
	let done = match (block, files) {
		(None, _) => format!("{what}: stored already, at leaf {leaf}"),
		(Some(block), None) => format!("block {block}: {what} at leaf {leaf}"),
		(Some(block), Some(_)) => format!("block {block}: {what}, to leaf {leaf}"),
	};
	context.answer(
		format!("{done} of dataset {dataset}, epoch {epoch}"),
		json!({
			"block": block, "key": format!("0x{}", hex::encode(key.0)), "dataset": dataset,
			"epoch": epoch, "leaf": leaf, "bytes": size, "files": files, "resumed": stored.resumed,
		}),
	);
	Ok(())
}

/// A value that was stored before, where it is this one: nothing is sent.
async fn stored_before(
	context: &Context,
	owner: &Identity,
	key: RecordKey,
	value: &mut (impl Read + Seek),
	length: u64,
) -> Result<Stored, Error> {
	let client = &context.client;
	let reading = Reading::open(client, owner, owner.id(), key).await?;
	value.seek(SeekFrom::Start(0)).map_err(Error::failed)?;
	if reading.length() != length || !reading.is(value).await? {
		return Err(isthmus_sdk::Error::AlreadyStored(key).into());
	}
	// A block that has it in its state: a final one, if there is one.
	let finalized = client.finalized().await?;
	let state = match whole(&finalized, owner, key).await? {
		Some(_) => finalized,
		None => client.best().await?,
	};
	let answer = reading.answer();
	Ok(Stored {
		place: Place {
			key,
			dataset: answer.dataset,
			epoch: answer.epoch,
			leaf: answer.leaf,
		},
		last: Included {
			block: state.block(),
			index: 0,
			events: Vec::new(),
			refused: Vec::new(),
		},
		resumed: true,
		transactions: 0,
	})
}

/// A record of an owner's that is whole.
async fn whole(state: &State, owner: &Identity, key: RecordKey) -> Result<Option<Record>, Error> {
	let record = state.record(owner.id(), key).await?;
	Ok(record.filter(|record| record.payload.is_complete()))
}

/// What is stored.
enum Source {
	/// One value, and its length.
	One(File, u64),
	/// The paths of a folder's files within it, and where each is, in the paths' order.
	Folder(Vec<(String, PathBuf)>),
}

impl Source {
	fn open(path: &Path) -> Result<Self, Error> {
		let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", path.display()));
		if path.as_os_str() == "-" {
			// Large values are read twice, and a length is wanted first.
			let mut file = tempfile::tempfile().map_err(failed)?;
			let length = std::io::copy(&mut std::io::stdin().lock(), &mut file).map_err(failed)?;
			file.seek(SeekFrom::Start(0)).map_err(failed)?;
			return Ok(Self::One(file, length));
		}
		if path.is_dir() {
			return walk(path).map(Self::Folder);
		}
		let file = File::open(path).map_err(failed)?;
		let length = file.metadata().map_err(failed)?.len();
		Ok(Self::One(file, length))
	}
}

/// The files of a folder. What is neither file nor folder, a link say, is left out, and said so.
fn walk(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
	let mut files = Vec::new();
	for entry in walkdir::WalkDir::new(folder).follow_links(false) {
		let entry = entry.map_err(Error::failed)?;
		if entry.file_type().is_dir() {
			continue;
		}
		if !entry.file_type().is_file() {
			let path = entry.path().to_string_lossy();
			eprintln!("left out, as it is no file: {}", Shown(&path));
			continue;
		}
		let inside = entry.path().strip_prefix(folder).unwrap_or(entry.path());
		let names: Option<Vec<&str>> = inside.iter().map(|name| name.to_str()).collect();
		let names = names.ok_or_else(|| {
			Error::failed(format!("{}: the name is not UTF-8", entry.path().display()))
		})?;
		files.push((names.join("/"), entry.into_path()));
	}
	files.sort();
	// As a list of them is refused, no file is stored.
	let entries: Vec<Entry> = files.iter().map(|(path, _)| entry(path)).collect();
	folder::to_bytes(&entries).map_err(Error::failed)?;
	Ok(files)
}

/// A file's place in the list, before anything else is known of it.
fn entry(path: &str) -> Entry {
	Entry {
		path: path.to_owned(),
		executable: false,
		length: 0,
		key: RecordKey::zero(),
	}
}

/// Stores a folder's files, and at last the record that names them.
async fn store_folder(
	context: &Context,
	identity: &Identity,
	place: Place,
	files: Vec<(String, PathBuf)>,
	best: &State,
) -> Result<(Stored, u64), Error> {
	let client = &context.client;
	// Of a folder that is stored, nothing is sent: each file is compared, where the folder is.
	let there = whole(best, identity, place.key).await?;
	let is_stored = there.is_some();
	let place = there.map_or(place, |record| Place {
		key: place.key,
		dataset: record.dataset,
		epoch: record.epoch,
		leaf: record.leaf,
	});
	// What an earlier run sent is in blocks before it is asked what is there.
	settled(client, identity.id()).await?;
	let best = client.best().await?;
	let id = isthmus_sdk::sharing::epoch_id(client, identity.id(), place.dataset, place.epoch);
	let root = identity.master.epoch_root(&id);
	let mut leaf = place.leaf;
	let (mut entries, mut total) = (Vec::new(), 0);
	let mut in_flight: VecDeque<Pending> = VecDeque::new();
	let mut bar = Bar::new();
	for (path, at) in files {
		let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", at.display()));
		let mut file = File::open(&at).map_err(failed)?;
		let metadata = file.metadata().map_err(failed)?;
		let length = metadata.len();
		let key = RecordKey::from(root.file_key(&place.key.0, &path));
		let there = best.record(identity.id(), key).await?;
		match there.map(|record| record.payload) {
			Some(payload) if payload.is_complete() => {
				let stored = Reading::open(client, identity, identity.id(), key).await?;
				if stored.length() != length || !stored.is(&mut file).await? {
					return Err(changed(&at, &key));
				}
			}
			_ if is_stored => return Err(isthmus_sdk::Error::AlreadyStored(place.key).into()),
			there => {
				while best
					.leaf(identity.id(), place.dataset, place.epoch, leaf)
					.await?
					.is_some()
				{
					leaf = next(leaf)?;
				}
				let place = Place { key, leaf, ..place };
				let upload = Upload::new(client, identity, place);
				if there.is_none() {
					leaf = next(leaf)?;
				}
				if there.is_none() && length <= MAX_WHOLE {
					let mut value = Vec::new();
					file.by_ref()
						.take(length)
						.read_to_end(&mut value)
						.map_err(failed)?;
					if value.len() as u64 != length {
						return Err(changed(&at, &key));
					}
					if in_flight.len() >= IN_FLIGHT {
						if let Some(mut pending) = in_flight.pop_front() {
							pending.included().await?;
						}
					}
					in_flight.push_back(upload.submit_whole(&value).await?);
				} else {
					for mut pending in in_flight.drain(..) {
						pending.included().await?;
					}
					upload
						.run(&mut file, length, &mut bar)
						.await
						.map_err(|error| match error {
							isthmus_sdk::Error::ValueChanged { .. }
							| isthmus_sdk::Error::LengthChanged { .. } => changed(&at, &key),
							error => error.into(),
						})?;
				}
			}
		}
		total += length;
		entries.push(Entry {
			executable: is_executable(&metadata),
			length,
			key,
			..entry(&path)
		});
	}
	for mut pending in in_flight {
		pending.included().await?;
	}
	let list = folder::to_bytes(&entries).map_err(Error::failed)?;
	let length = list.len() as u64;
	let mut list = std::io::Cursor::new(list);
	if is_stored {
		let stored = stored_before(context, identity, place.key, &mut list, length).await?;
		return Ok((stored, total));
	}
	let best = client.best().await?;
	while best
		.leaf(identity.id(), place.dataset, place.epoch, leaf)
		.await?
		.is_some()
	{
		leaf = next(leaf)?;
	}
	let upload = Upload::new(client, identity, Place { leaf, ..place });
	let stored = upload.run(&mut list, length, &mut bar).await?;
	Ok((stored, total))
}

fn next(leaf: Leaf) -> Result<Leaf, Error> {
	leaf.checked_add(1).ok_or_else(|| {
		Error::failed("the epoch has no more leaves").hint("isthmus dataset epoch NUMBER")
	})
}

/// A file's bytes are not those that its record has, or that were read a moment ago.
fn changed(at: &Path, key: &RecordKey) -> Error {
	Error::failed(format!("{} changed since it was stored", at.display())).hint(format!(
		"store the folder under another --name, or first remove what is stored of the file: \
		 isthmus remove {}",
		key_name(key)
	))
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
	use std::os::unix::fs::PermissionsExt;
	metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
	false
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Such a list was refused only after all files were stored and paid for.
	#[cfg(unix)]
	#[test]
	fn names_that_no_list_can_have_are_refused_before_anything_is_stored() {
		for name in ["a\\b", "a\nb", "\u{1b}[2J"] {
			let folder = tempfile::tempdir().unwrap();
			std::fs::write(folder.path().join("good"), "").unwrap();
			assert_eq!(walk(folder.path()).unwrap().len(), 1);
			std::fs::write(folder.path().join(name), "").unwrap();
			let refused = walk(folder.path()).unwrap_err();
			assert_eq!(refused.kind(), crate::error::Kind::Failed, "{name:?}");
		}
	}
}
