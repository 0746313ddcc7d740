// SPDX-License-Identifier: Apache-2.0
//! `isthmus sync`: stores what has changed in a folder since it was stored.

use crate::{
	context::Context,
	error::Error,
	exclude::Excludes,
	options::Options,
	packed::{self, Synced},
	store,
	text::{called, Called},
	tip::{quoted, quoted_path},
};
use isthmus_sdk::{DatasetId, SyncFolder};
use std::path::PathBuf;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
The files are put together into packs of up to 16 MiB, and each pack becomes an object at the first
location of the dataset that can be written to (isthmus dataset locate). Packs are registered on
the chain many at a time, and an object with the list of the files comes last: with it, the new
version takes the place of the old one at once.

Every file is read, and compared by its SHA-256: times do not count. Only files with new contents
are sent; those that were renamed or copied are not. A pack is sent again, without what is gone,
when less than half of it is used. Files that are gone vanish from the list; their bytes stay in
their packs until then, and the objects of unused packs stay at the locations unless --objects
deletes them. Run the same command again to resume an interrupted one.

Readers need grants for the leaves of the new packs and of the new list. What they fetched stays.

Examples:
  isthmus sync photos/ --name photos-2025 --key school.key
  isthmus sync /srv/results --dataset 1 --objects --key school.key")]
pub(crate) struct Opts {
	/// Folder to store. If nothing is stored under the name yet, all of it is
	path: PathBuf,

	/// Dataset to store it in [default: the owner's only one]
	#[arg(long, value_name = "NUMBER")]
	dataset: Option<DatasetId>,

	/// Name of the folder's record, of at most 32 bytes, or a public key for it: 0x and 64 hexadecimal digits [default:
	/// the name of the folder]
	#[arg(long, value_parser = called)]
	name: Option<Called>,

	/// Show the name to everyone, for ever, instead of only to the owner
	#[arg(long)]
	public_name: bool,

	/// Delete the objects of packs that are not used any more, and of the old list, at all locations of the dataset that
	/// can be written to. Waits until the new list is finalized
	#[arg(long)]
	objects: bool,

	/// Store it although it has no files, and the stored version has some
	#[arg(long)]
	allow_empty: bool,

	#[command(flatten)]
	excludes: Excludes,
}

/// Runs the command. Errors in its arguments are reported before it connects.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Synced, Error> {
	let called = store::name_of(opts.name, &opts.path)?;
	let folder = opts.excludes.open(&opts.path, &options, opts.allow_empty);
	let name = quoted(called.shown().to_string());
	let known = [("FOLDER", quoted_path(&opts.path)), ("NAME", name)];
	let folder = folder.map_err(|error| error.knowing(&known))?;
	let context = &Context::connect_with_key(options).await?;
	let identity = &context.identity().await?;
	let dataset = store::dataset_of(opts.dataset, context, identity).await?;
	let key = store::key_of(called, opts.public_name, context, identity);
	let sync = SyncFolder::new(&context.client, identity, key, dataset)
		.deleting(opts.objects)
		.allowing_empty(opts.allow_empty);
	packed::store(context, identity, (called, key), sync, &folder).await
}
