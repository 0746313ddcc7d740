// SPDX-License-Identifier: Apache-2.0
//! `isthmus remove`: removes a record, or a folder with its files, or gives up an unfinished upload.

mod give_up;
mod removed;

pub(crate) use give_up::way_out;
pub(crate) use removed::{left_behind, with_left, Removed};
use removed::{with_files, Counts};

use crate::{
	confirm::confirm,
	context::Context,
	error::{Error, Kind},
	exclude::Excludes,
	options::Options,
	packed::Kept,
	progress::Bar,
	stderr::tell,
	text::{called, count, shown, Called, Key},
	tip::{quoted_path, Tip},
};
use isthmus_sdk::{
	object::{delete_objects, object_of, Locations},
	objects::Object,
	sync_folder, Client, DatasetId, Erasure, Error as SdkError, Identity, Included, LocalFolder,
	Names, PaidFor, PalletError, Payload, RecordKey, Removal, Removed as Outcome,
};
use std::{collections::BTreeSet, path::PathBuf};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
An unfinished record is given up, and so is an object that was not sent to its end from this
machine: what arrived of it is deleted at its location. Of a folder, the files' records are removed
first and then the folder's own; run the command again if it was interrupted. The files of a folder
whose upload was not finished are found by their paths: pass that folder with --unfinished.

The record's deposit comes back at once. The deposit of its leaf comes back when its epoch is over:
at once if it is, and otherwise by `isthmus dataset free`. Nodes that keep old blocks keep the
encrypted bytes. An object stays at its locations, unless --objects deletes it there.

--erase makes those bytes useless: the record's key, and every key from which it could be made, is
removed from the file of erasable keys beside the key file. Erase the copies of that file, too.
Readers who were granted the record before can open it for ever.

Examples:
  isthmus remove marks-2025.csv --key school.key
  isthmus remove photos-2025 --unfinished photos/ --key school.key
  isthmus remove ada.pdf --objects --erase --key school.key")]
pub(crate) struct Opts {
	/// Name of the record, or 0x and 64 hexadecimal digits
	#[arg(value_parser = called)]
	name: Called,

	/// Remove only this record without reading it: the files of a folder stay
	#[arg(long)]
	alone: bool,

	/// Remove what an unfinished upload of this folder has stored under the name
	#[arg(long, value_name = "FOLDER", conflicts_with = "alone")]
	unfinished: Option<PathBuf>,

	/// Delete the record's object, too, or all objects of a packed folder, at all locations of its dataset that can be
	/// written to
	#[arg(long, conflicts_with = "unfinished")]
	objects: bool,

	/// Erase the record's key, too: only those who were granted it before can still open the record. Its
	/// epoch must be erasable (`isthmus dataset create --erasable`)
	#[arg(long, conflicts_with = "unfinished")]
	erase: bool,

	/// Do not ask on the terminal whether to remove it
	#[arg(long, short)]
	yes: bool,

	#[command(flatten)]
	excludes: Excludes,
}

/// Finds the files of the folder whose upload was not finished.
fn folder_of(opts: &Opts, options: &Options) -> Result<Option<LocalFolder>, Error> {
	match &opts.unfinished {
		Some(folder) => {
			let opened = opts.excludes.open_stored(folder, options);
			let opened = opened.map_err(|error| error.knowing(&[("FOLDER", quoted_path(folder))]));
			opened.map(Some)
		}
		None if opts.excludes.is_empty() => Ok(None),
		None => Err(Error::usage(
			"--exclude is for a folder: --unfinished FOLDER",
		)),
	}
}

/// What to do if the record is gone, and its key is not.
const NOT_ERASED: &str =
	"the record is removed, and its key is not erased: run the same command again";

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Removed, Error> {
	let folder = folder_of(&opts, &options)?;
	let context = &Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let client = &context.client;
	let name = opts.name.shown();
	if opts.erase && !client.is_dry_run() {
		settle(client, &identity).await?;
	}
	let key = opts.name.find(client, &identity, identity.id()).await?;
	if folder.is_none() {
		let how = (opts.erase, opts.yes);
		let given_up = give_up::instead_of_removal(client, &identity, (opts.name, key), how);
		if let Some(given_up) = given_up.await? {
			return Ok(given_up);
		}
	}
	let removal = match &folder {
		Some(folder) => unfinished(&opts, client, &identity, folder).await?,
		None => whole(&opts, client, &identity, key).await?,
	};
	if removal.files().is_none() {
		let best = client.best().await?;
		if best.record(identity.id(), removal.key()).await?.is_none() {
			return Err(missing(&opts, name));
		}
	}
	let erasure = match opts.erase {
		true => Some(Erasure::of(client, &identity, &removal).await?),
		false => None,
	};
	let what = with_files(&name.to_string(), Counts::from(&removal), removal.stays());
	let question = match opts.erase {
		true => format!("Remove {what}, and erase what opens it for ever?"),
		false => format!("Remove {what}?"),
	};
	confirm(&question, opts.yes || client.is_dry_run())?;
	let key = removal.key();
	let objects = match opts.objects {
		true => Some(located(context, &identity, &removal, name).await?),
		false => None,
	};
	let dataset = match opts.objects || removal.stays() || client.is_dry_run() {
		false => dataset_of_object(client, &identity, key).await?,
		true => None,
	};
	let kept = packs_that_stay(client, &identity, &removal).await;
	let left = give_up::forget(client, &identity, key).await?;
	if let (Some(erasure), false) = (&erasure, client.is_dry_run()) {
		erasure.intend(client, &identity)?;
	}
	let (last, counts) = removed(context, &identity, &removal, name).await?;
	if let Some(dataset) = dataset {
		tell(format_args!(
			"without --objects, what is at the locations of the dataset stays there: a day later, `isthmus check {} {dataset} --unused` lists it",
			identity.id()
		));
	}
	for pack in &kept {
		tell_kept(pack);
	}
	let erased = erasure.map(|erasure| erasure.run(client, &identity));
	let objects = match objects {
		Some((objects, locations)) => delete_objects(&objects, locations).await,
		None => Vec::new(),
	};
	let removed = Removed {
		block: Some(last.number()),
		counts,
		stays: removal.stays(),
		key: Key(key),
		name: name.to_string(),
		objects: objects.into_iter().map(Into::into).chain(left).collect(),
		erased: erased
			.transpose()
			.map_err(|error| Error::from(error).also(NOT_ERASED))?,
	};
	let left = removed.left_behind().filter(|_| opts.objects);
	context.with_error(removed, left)
}

/// Removes the records, and returns the same as [`run_removal`]. A refusal says which record was paid for, or what else may be
/// meant.
async fn removed(
	context: &Context,
	identity: &Identity,
	removal: &Removal,
	name: Key,
) -> Result<(Included, Counts), Error> {
	let removed = run_removal(context, identity, removal.clone()).await;
	let paid = match &removed {
		Err(error) if error.refusal() == Some(&PalletError::RecordPaidFor) => {
			let found = removal.paid_for(&context.client, identity.id()).await;
			found.ok().flatten()
		}
		_ => None,
	};
	removed.map_err(|error| match error.refusal() {
		Some(PalletError::RecordPaidFor) => of_paid(error.into(), paid.as_ref()),
		Some(PalletError::UnknownRecord) => Error::from(error).also(if_unfinished(name)),
		_ => error.into(),
	})
}

/// Says of a pack that the folder did not use any more that it stays. Without a term, an interrupted run has left it.
fn tell_kept(pack: &PaidFor) {
	let (key, kept) = (Key(pack.key), Kept::from(pack));
	let then = match pack.until {
		Some(_) => "To remove it then",
		None => "To remove it",
	};
	tell(format_args!(
		"a pack that the folder did not use any more stays: {kept}. {then}: isthmus remove {key} --alone --objects"
	));
}

/// Says that there is nothing to remove.
fn missing(opts: &Opts, name: Key) -> Error {
	let error = Error::refused(format!("no record is stored as {name}"))
		.hint("list your records: isthmus list records");
	match opts.objects {
		true => error,
		false => error.also(if_unfinished(name)),
	}
}

/// Says what removes the files of a folder that has no record yet.
fn if_unfinished(name: Key) -> String {
	let tip = Tip::new("isthmus remove --unfinished FOLDER").operand(&name.to_string());
	format!("if the upload of a folder was not finished: {tip}")
}

/// Adds to the refusal of a removal which record was paid for, if it is known.
fn of_paid(error: Error, paid: Option<&PaidFor>) -> Error {
	let Some(paid) = paid else { return error };
	let (dataset, kept) = (paid.dataset, Kept::from(paid));
	let what = match &paid.path {
		Some(path) => format!("the file {}, ", shown(path)),
		None => String::new(),
	};
	error.also_known(format!(
		"the first such record: {what}{kept} (dataset {dataset})"
	))
}

/// Returns the packs that a packed folder does not use any more, and that stay on the chain, as far as they are known here.
async fn packs_that_stay(client: &Client, identity: &Identity, removal: &Removal) -> Vec<PaidFor> {
	if removal.packs().is_none() {
		return Vec::new();
	}
	// What is not known does not keep the folder from being removed.
	let kept = sync_folder::kept(client, identity.id(), &removal.key()).await;
	let removed: BTreeSet<RecordKey> = removal.keys().collect();
	let mut kept = kept.unwrap_or_default();
	kept.retain(|pack| !removed.contains(&pack.key));
	kept
}

/// Finds what a record and the files of a folder consist of.
async fn whole(
	opts: &Opts,
	client: &Client,
	identity: &Identity,
	key: RecordKey,
) -> Result<Removal, Error> {
	if opts.alone {
		return Ok(Removal::alone(key));
	}
	let found = Removal::find(client, identity, key, &mut Bar::new()).await;
	found.map_err(|error| match Error::from(error) {
		error if error.kind() == Kind::Unreachable || opts.erase => error,
		error => error.hint(format!(
			"the record may be a folder, but could not be read; to remove it without any files: {}",
			Tip::new("isthmus remove --alone").operand(&opts.name.shown().to_string())
		)),
	})
}

/// Returns the dataset of a record that is an object; `None` if it is none.
async fn dataset_of_object(
	client: &Client,
	identity: &Identity,
	key: RecordKey,
) -> Result<Option<DatasetId>, Error> {
	let record = client.best().await?.record(identity.id(), key).await?;
	Ok(record.and_then(|record| match record.payload {
		Payload::Object { .. } => Some(record.dataset),
		Payload::Value { .. } | Payload::Chunks { .. } => None,
	}))
}

/// Erases the keys of records whose removal was interrupted.
async fn settle(client: &Client, identity: &Identity) -> Result<(), Error> {
	let settled = Erasure::settle(client, identity).await?;
	if settled > 0 {
		let keys = count(settled as u64, "key");
		tell(format_args!(
			"erased {keys} of a removal that was interrupted"
		));
	}
	Ok(())
}

/// Returns the objects of the records that are removed, and the locations of their dataset.
async fn located(
	context: &Context,
	identity: &Identity,
	removal: &Removal,
	name: Key,
) -> Result<(Vec<Object>, Locations), Error> {
	let (client, owner) = (&context.client, identity.id());
	let (mut objects, mut dataset) = (Vec::new(), None);
	for key in removal.keys() {
		if let Some((object, record)) = object_of(client, owner, key).await? {
			objects.push(object);
			dataset = Some(record.dataset);
		}
	}
	let dataset = dataset.ok_or_else(|| {
		Error::refused(format!("{name} has no object outside the chain"))
			.hint("remove it without --objects")
	})?;
	let proven = client.proven().await?;
	let urls = proven.locations(owner, dataset).await?;
	Ok((objects, Locations::open(urls)))
}

/// Prepares to remove what an unfinished upload of a folder has stored, whether its name is public or not.
async fn unfinished(
	opts: &Opts,
	client: &Client,
	identity: &Identity,
	folder: &LocalFolder,
) -> Result<Removal, Error> {
	let mut is_whole = false;
	let best = client.best().await?;
	for key in opts.name.keys(&Names::new(client, identity)) {
		if let Some(removal) = Removal::unfinished(client, identity, key, folder).await? {
			return Ok(removal);
		}
		is_whole |= best.record(identity.id(), key).await?.is_some();
	}
	let name = opts.name.shown();
	if is_whole {
		let remove = Tip::new("isthmus remove").operand(&name.to_string());
		return Err(Error::refused(format!(
			"{name} is stored whole, and other uploads of this folder have left nothing"
		))
		.hint(format!("to remove it with its files: {remove}")));
	}
	Err(
		Error::refused(format!("nothing of this folder is stored under {name}"))
			.hint("list your records: isthmus list records"),
	)
}

/// Removes the records, and returns where the last of them was removed and how many files and packs a folder had.
async fn run_removal(
	context: &Context,
	identity: &Identity,
	removal: Removal,
) -> Result<(Included, Counts), SdkError> {
	// The bar is gone before the last block is waited for.
	let removed = removal
		.run(&context.client, identity, &mut Bar::new())
		.await?;
	let Outcome { last, files, packs } = removed;
	let counts = Counts { files, packs };
	Ok((context.included(last).await?, counts))
}
