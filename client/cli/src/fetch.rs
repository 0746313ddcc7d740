//! `isthmus fetch`: reads a record, or a folder of them.

use crate::{
	context::{account, bytes, key_name, record_key, Bar, Context},
	error::{Error, Kind},
};
use isthmus_sdk::{folder, AccountId, Identity, Payload, Reading, RecordKey};
use serde_json::json;
use std::{
	fs::{self, File, OpenOptions},
	io::{BufWriter, ErrorKind, IsTerminal, Seek, SeekFrom},
	path::{Path, PathBuf},
};
use tempfile::TempPath;

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
		return Err(there_already(&output));
	}
	let identity = context.identity().await?;
	let reading = Reading::open(&context.client, &identity, &opts.owner, opts.name).await?;
	if !opts.folder && !opts.raw && is_folder(&reading).await? {
		return Err(Error::usage("the record is a folder's list of files")
			.hint("--folder fetches the files, --raw the list itself"));
	}
	let (size, files) = if opts.folder {
		if to_stdout {
			return Err(Error::usage("a folder is not written to stdout").hint("--output FOLDER"));
		}
		let fetched = Fetcher {
			context: &context,
			reader: &identity,
			owner: &opts.owner,
		};
		fetched.folder(&reading, &output).await?
	} else if to_stdout {
		let mut out = BufWriter::new(std::io::stdout());
		reading.run(&mut out, 0, &mut Bar::new()).await?;
		return Ok(());
	} else {
		fetch_file(&reading, &output, false, opts.force).await?;
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

/// Whether a record is a folder's list. Only those of one transaction are looked at, which are there
/// already: a list that has more files is fetched as a value like any other.
async fn is_folder(reading: &Reading) -> Result<bool, Error> {
	if !matches!(reading.answer().payload, Payload::Value { .. }) {
		return Ok(false);
	}
	let mut bytes = Vec::new();
	reading.run(&mut bytes, 0, &mut ()).await?;
	Ok(bytes.starts_with(folder::LABEL))
}

/// The name under which a value is written until it is whole. It has the value's own name in it: the
/// bytes of another value are not taken for this one's.
fn partial(output: &Path, reading: &Reading) -> PathBuf {
	let mut name = output.as_os_str().to_owned();
	name.push(format!(".isthmus-{}", hex::encode(&reading.name()[..8])));
	name.into()
}

/// Fetches a value into a file, and goes on with what an interrupted run left. `replace` says whether a
/// file that is there gives way.
async fn fetch_file(
	reading: &Reading,
	output: &Path,
	executable: bool,
	replace: bool,
) -> Result<(), Error> {
	let path = partial(output, reading);
	let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", path.display()));
	let mut file = open(&path, executable)?;
	let mut bar = Bar::new();
	let (first, there) = reading.check(&mut file, &mut bar).await?;
	file.set_len(there).map_err(failed)?;
	file.seek(SeekFrom::Start(there)).map_err(failed)?;
	reading.run(&mut file, first, &mut bar).await?;
	file.sync_all().map_err(failed)?;
	let renamed = match replace {
		true => fs::rename(&path, output),
		false => rename_new(&path, output),
	};
	renamed.map_err(|error| match error.kind() {
		ErrorKind::AlreadyExists => there_already(output),
		_ => Error::failed(format!("{}: {error}", output.display())),
	})
}

/// Renames a file, unless there is one of the new name.
fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
	TempPath::try_from_path(from)?
		.persist_noclobber(to)
		.map_err(|refused| {
			// It is whole, and no temporary file: it is not fetched again.
			match refused.path.keep() {
				Ok(_) => refused.error,
				Err(kept) => kept.error,
			}
		})
}

fn there_already(output: &Path) -> Error {
	Error::failed(format!("{} is there already", output.display()))
		.hint("take another --output, or write over it with --force")
}

/// Opens the file that a value is written to until it is whole: a new one, or the one that an earlier run
/// left. What was shared with this account alone is not written where others on this machine see it: to a
/// link's target, or to a file that they may read.
#[cfg(unix)]
fn open(path: &Path, executable: bool) -> Result<File, Error> {
	use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
	let failed = |error: std::io::Error| Error::failed(format!("{}: {error}", path.display()));
	let mode = if executable { 0o700 } else { 0o600 };
	let mut options = OpenOptions::new();
	options.read(true).write(true);
	let created = options.clone().create_new(true).mode(mode).open(path);
	match created {
		Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
		created => return created.map_err(failed),
	}
	let foreign = || {
		Error::failed(format!(
			"{} is a link, or not this account's file: nothing is written to it",
			path.display()
		))
		.hint("remove it, or take another --output")
	};
	if !fs::symlink_metadata(path).map_err(failed)?.is_file() {
		return Err(foreign());
	}
	let file = options.open(path).map_err(failed)?;
	// What was opened is what is there, by one name only, and belongs to whom new files belong.
	let (opened, there) = (
		file.metadata().map_err(failed)?,
		fs::symlink_metadata(path).map_err(failed)?,
	);
	let folder = path
		.parent()
		.filter(|folder| !folder.as_os_str().is_empty());
	let new = tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
	let owner = new.metadata().map_err(failed)?.uid();
	let same = (opened.dev(), opened.ino()) == (there.dev(), there.ino());
	if !there.is_file() || !same || opened.nlink() != 1 || opened.uid() != owner {
		return Err(foreign());
	}
	file.set_permissions(fs::Permissions::from_mode(mode))
		.map_err(failed)?;
	Ok(file)
}

#[cfg(not(unix))]
fn open(path: &Path, _: bool) -> Result<File, Error> {
	let mut options = OpenOptions::new();
	options.read(true).write(true).create(true).truncate(false);
	options
		.open(path)
		.map_err(|error| Error::failed(format!("{}: {error}", path.display())))
}

/// Fetches the files of a folder.
struct Fetcher<'a> {
	context: &'a Context,
	reader: &'a Identity,
	owner: &'a AccountId,
}

impl Fetcher<'_> {
	async fn folder(&self, list: &Reading, output: &Path) -> Result<(u64, Option<usize>), Error> {
		if list.length() > folder::MAX_LENGTH as u64 {
			return Err(Error::new(
				Kind::NotAuthentic,
				"the record is too long for a folder's list",
			));
		}
		let mut bytes = Vec::new();
		list.run(&mut bytes, 0, &mut Bar::new()).await?;
		let files = folder::from_bytes(&bytes).map_err(|error| {
			Error::new(Kind::NotAuthentic, error).hint("--raw fetches its bytes as they are")
		})?;
		create_folder(output)?;
		let mut total = 0;
		for file in &files {
			let path = place(output, &file.path)?;
			let reading =
				Reading::open(&self.context.client, self.reader, self.owner, file.key).await?;
			if reading.length() != file.length {
				return Err(Error::new(
					Kind::NotAuthentic,
					format!("{} has another length than the folder says", file.path),
				));
			}
			total += file.length;
			if same(&path, &reading).await? {
				continue;
			}
			if path.exists() {
				return Err(Error::failed(format!(
					"{} is there already, and differs",
					path.display()
				))
				.hint("take another --output"));
			}
			fetch_file(&reading, &path, file.executable, false).await?;
		}
		Ok((total, Some(files.len())))
	}
}

/// Whether a file is there and has a value's bytes.
async fn same(path: &Path, reading: &Reading) -> Result<bool, Error> {
	let Ok(mut file) = File::open(path) else {
		return Ok(false);
	};
	let length = file.metadata().map_err(Error::failed)?.len();
	Ok(length == reading.length() && reading.is(&mut file).await?)
}

fn create_folder(path: &Path) -> Result<(), Error> {
	match fs::create_dir_all(path) {
		Ok(()) => Ok(()),
		Err(error) => Err(Error::failed(format!("{}: {error}", path.display()))),
	}
}

/// Where a folder's file goes. Its folders are made; none of them may be a link to elsewhere.
fn place(output: &Path, path: &str) -> Result<PathBuf, Error> {
	let mut at = output.to_owned();
	let mut names = path.split('/').peekable();
	while let Some(name) = names.next() {
		at.push(name);
		if names.peek().is_none() {
			break;
		}
		match fs::symlink_metadata(&at) {
			Ok(there) if there.is_dir() => {}
			Ok(_) => return Err(Error::failed(format!("{} is no folder", at.display()))),
			Err(_) => fs::create_dir(&at)
				.map_err(|error| Error::failed(format!("{}: {error}", at.display())))?,
		}
	}
	Ok(at)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[cfg(unix)]
	#[test]
	fn nothing_is_written_to_what_others_may_see() {
		use std::os::unix::fs::{symlink, PermissionsExt};
		let folder = tempfile::tempdir().unwrap();
		let (part, theirs) = (folder.path().join("part"), folder.path().join("theirs"));
		let mode = || fs::metadata(&part).unwrap().permissions().mode() & 0o777;
		fs::write(&theirs, "").unwrap();
		symlink(&theirs, &part).unwrap();
		assert!(open(&part, false).is_err());
		fs::remove_file(&part).unwrap();
		fs::hard_link(&theirs, &part).unwrap();
		assert!(open(&part, false).is_err());
		fs::remove_file(&part).unwrap();
		open(&part, true).unwrap();
		assert_eq!(mode(), 0o700);
		fs::set_permissions(&part, fs::Permissions::from_mode(0o666)).unwrap();
		open(&part, false).unwrap();
		assert_eq!(mode(), 0o600);
	}

	#[test]
	fn what_is_there_is_not_replaced() {
		let folder = tempfile::tempdir().unwrap();
		let (part, out) = (folder.path().join("part"), folder.path().join("out"));
		fs::write(&part, "new").unwrap();
		fs::write(&out, "old").unwrap();
		let refused = rename_new(&part, &out).unwrap_err();
		assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
		assert_eq!(fs::read(&part).unwrap(), b"new");
		fs::remove_file(&out).unwrap();
		rename_new(&part, &out).unwrap();
		assert_eq!(fs::read(&out).unwrap(), b"new");
		assert!(!part.exists());
	}

	#[cfg(unix)]
	#[test]
	fn a_link_does_not_lead_out_of_the_folder() {
		let folder = tempfile::tempdir().unwrap();
		let out = folder.path().join("out");
		fs::create_dir(&out).unwrap();
		std::os::unix::fs::symlink(folder.path(), out.join("link")).unwrap();
		assert!(place(&out, "link/file").is_err());
		assert_eq!(place(&out, "a/b/file").unwrap(), out.join("a/b/file"));
		assert!(out.join("a/b").is_dir());
	}
}
