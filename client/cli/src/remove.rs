//! `isthmus remove`: removes a record, or a folder with its files, or gives up one whose storing was not
//! finished.

use crate::{
	context::{key_name, record_key, Bar, Context},
	error::{Error, Kind},
};
use isthmus_sdk::{folder, sharing, Identity, Reading, RecordKey};
use serde_json::json;
use std::io;

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Of a folder the files' records are removed first, and then the one that names them: interrupted
and run again, it goes on. A record's deposit comes back, and its leaf's where its epoch is over;
else by `isthmus dataset free` when it is. The bytes stay with nodes that keep old blocks.

Example: isthmus remove marks-2025.csv --key school.key")]
pub(crate) struct Opts {
	/// The record's name.
	#[arg(value_parser = record_key)]
	name: RecordKey,

	/// Only this record, without a look at its bytes: the files of a folder stay.
	#[arg(long)]
	alone: bool,
}

/// Removes.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let identity = context.identity().await?;
	let name = key_name(&opts.name);
	let files = match opts.alone {
		true => None,
		false => files(&context, &identity, opts.name)
			.await
			.map_err(|error| match error.kind() {
				Kind::Unreachable => error,
				_ => error.hint(format!(
					"whether it is a folder cannot be told; to remove this record and no files: \
					 isthmus remove {name} --alone"
				)),
			})?,
	};
	let best = context.client.best().await?;
	let mut calls = Vec::new();
	for key in files.iter().flatten() {
		if best.record(identity.id(), *key).await?.is_some() {
			calls.push(context.client.remove_record(*key).await?);
		}
	}
	let removed = files.map(|_| calls.len());
	calls.push(context.client.remove_record(opts.name).await?);
	let last = context.send_all(&identity, &calls).await?;
	let block = last.map_or(0, |last| last.number());
	let with = match removed {
		Some(files) => format!(" with {files} files"),
		None => String::new(),
	};
	context.answer(
		format!("block {block}: {name} is removed{with}"),
		json!({"block": block, "key": format!("0x{}", hex::encode(opts.name.0)), "files": removed}),
	);
	Ok(())
}

/// The records of a folder's files; none where the record is no folder.
async fn files(
	context: &Context,
	identity: &Identity,
	key: RecordKey,
) -> Result<Option<Vec<RecordKey>>, Error> {
	let (client, owner) = (&context.client, identity.id());
	let Some(record) = client.best().await?.record(owner, key).await? else {
		// The chain says that there is none.
		return Ok(None);
	};
	if !record.payload.is_complete() {
		return Ok(None);
	}
	let reading = Reading::open(client, identity, owner, key).await?;
	if reading.length() > folder::MAX_LENGTH as u64 {
		return Ok(None);
	}
	let mut list = List(Vec::new());
	match reading.run(&mut list, 0, &mut Bar::new()).await {
		Err(isthmus_sdk::Error::Io(_)) => return Ok(None),
		read => read?,
	}
	let Ok(files) = folder::from_bytes(&list.0) else {
		return Ok(None);
	};
	// A file may have been made to look like a folder of other records.
	let id = sharing::epoch_id(client, owner, record.dataset, record.epoch);
	let root = identity.master.epoch_root(&id);
	let keys = files
		.iter()
		.map(|file| (file.key, RecordKey::from(root.file_key(&key.0, &file.path))));
	keys.map(|(named, own)| (named == own).then_some(own))
		.collect::<Option<Vec<_>>>()
		.map(Some)
		.ok_or_else(|| {
			Error::new(
				Kind::NotAuthentic,
				"it reads as a folder, and names records that are not its files",
			)
		})
}

/// Takes a folder's bytes, and refuses what does not begin as one.
struct List(Vec<u8>);

impl io::Write for List {
	fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
		self.0.extend_from_slice(bytes);
		let begins = self.0.len().min(folder::LABEL.len());
		match self.0[..begins] == folder::LABEL[..begins] {
			true => Ok(bytes.len()),
			false => Err(io::ErrorKind::InvalidData.into()),
		}
	}

	fn flush(&mut self) -> io::Result<()> {
		Ok(())
	}
}
