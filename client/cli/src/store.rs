//! `isthmus store`: encrypts files, folders or stdin, and stores them.

use crate::{
	context::{bytes, key_name, record_key, Bar, Context},
	dataset,
	error::Error,
};
use isthmus_sdk::{
	to_hex, upload_folder, DatasetId, Leaf, LocalFolder, Place, RecordKey, Shown, Upload,
};
use serde_json::json;
use std::{
	fs::File,
	io::{Seek, SeekFrom},
	path::{Path, PathBuf},
};

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
	let (client, mut bar) = (&context.client, Bar::new());
	let (stored, size, files) = match source {
		Source::One(mut file, length) => {
			let upload = Upload::new(client, &identity, place);
			(
				upload.ensure(&mut file, length, &mut bar).await?,
				length,
				None,
			)
		}
		Source::Folder(folder) => {
			let stored = upload_folder(client, &identity, place, &folder, &mut bar).await?;
			(stored.list, stored.bytes, Some(stored.files))
		}
	};
	context.settle(stored.done.block()).await?;
	let Place {
		key,
		dataset,
		epoch,
		leaf,
	} = stored.place;
	// None where there was nothing to send.
	let block = stored.done.now().map(|included| included.number());
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
			"block": block, "key": to_hex(&key.0), "dataset": dataset,
			"epoch": epoch, "leaf": leaf, "bytes": size, "files": files, "resumed": stored.resumed,
		}),
	);
	Ok(())
}

/// What is stored.
enum Source {
	/// One value, and its length.
	One(File, u64),
	/// A folder's files.
	Folder(LocalFolder),
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
			let folder = LocalFolder::open(path)?;
			for skipped in folder.skipped() {
				let path = skipped.to_string_lossy();
				eprintln!("left out, as it is no file: {}", Shown(&path));
			}
			return Ok(Self::Folder(folder));
		}
		let file = File::open(path).map_err(failed)?;
		let length = file.metadata().map_err(failed)?.len();
		Ok(Self::One(file, length))
	}
}
