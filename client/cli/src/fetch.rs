//! `isthmus fetch`: reads a record, or a folder of them.

use crate::{
	context::{account, bytes, key_name, record_key, Bar, Context},
	error::Error,
};
use isthmus_sdk::{fetch_folder, is_folder, AccountId, FetchError, FetchFile, Reading, RecordKey};
use serde_json::json;
use std::{
	io::{BufWriter, IsTerminal},
	path::PathBuf,
};

/// What the command is given.
#[derive(clap::Args)]
#[command(after_help = "\
Every byte is checked against the chain before it is written. A file is written under a name of
its own first, OUT.isthmus-..., and gets its right name when it is whole; what was interrupted
is gone on with when the same command is run again.

Examples:
  isthmus fetch 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty marks-2025.csv --key company.key
  isthmus fetch //Bob photos-2025 --folder --output photos/ --key company.key
  isthmus fetch //Bob data.tar --output - --key company.key | tar x")]
pub(crate) struct Opts {
	/// Whose record.
	#[arg(value_parser = account)]
	owner: AccountId,

	/// The record's name, or 0x and 64 hexadecimal digits.
	#[arg(value_parser = record_key)]
	name: RecordKey,

	/// Where it goes: a file, or - for stdout [default: a file of the record's name].
	#[arg(long, short)]
	output: Option<PathBuf>,

	/// The record is a folder: fetch its files into a folder.
	#[arg(long)]
	folder: bool,

	/// Fetch the record's bytes as they are, even where they are a folder's list of files.
	#[arg(long, conflicts_with = "folder")]
	raw: bool,

	/// Write over a file that is there.
	#[arg(long)]
	force: bool,
}

/// Fetches.
pub(crate) async fn run(opts: Opts, context: Context) -> Result<(), Error> {
	let output = match (opts.output, key_name(&opts.name)) {
		(Some(output), _) => output,
		(None, name) if !name.starts_with("0x") && !name.contains(['/', '\\']) => name.into(),
		(None, _) => return Err(Error::usage("where shall it go?").hint("--output FILE")),
	};
	let to_stdout = output.as_os_str() == "-";
	if to_stdout && std::io::stdout().is_terminal() {
		return Err(
			Error::usage("bytes of any kind are not written to a terminal")
				.hint("--output FILE, or pipe them into something"),
		);
	}
	if output.exists() && !opts.folder && !opts.force {
		return Err(FetchError::Exists(output).into());
	}
	let identity = context.identity().await?;
	let reading = Reading::open(&context.client, &identity, &opts.owner, opts.name).await?;
	if !opts.folder && !opts.raw && is_folder(&reading).await? {
		return Err(Error::usage("the record is a folder's list of files")
			.hint("--folder fetches the files, --raw the list itself"));
	}
	let mut bar = Bar::new();
	let (size, files) = if opts.folder {
		if to_stdout {
			return Err(Error::usage("a folder is not written to stdout").hint("--output FOLDER"));
		}
		let (client, owner) = (&context.client, &opts.owner);
		let fetched = fetch_folder(client, &identity, owner, &reading, &output, &mut bar).await?;
		(fetched.bytes, Some(fetched.files))
	} else if to_stdout {
		let mut out = BufWriter::new(std::io::stdout());
		reading.run(&mut out, 0, &mut bar).await?;
		return Ok(());
	} else {
		let file = FetchFile::new(&reading, &output).replace(opts.force);
		file.run(&mut bar).await?;
		(reading.length(), None)
	};
	let what = match files {
		Some(files) => format!("{files} files, {}", bytes(size)),
		None => bytes(size),
	};
	context.answer(
		format!("{}: {what}", output.display()),
		json!({"output": output.display().to_string(), "bytes": size, "files": files}),
	);
	Ok(())
}
