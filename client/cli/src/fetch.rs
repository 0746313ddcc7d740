// SPDX-License-Identifier: Apache-2.0
//! `isthmus fetch`: fetches and decrypts a record or a folder.

use crate::{
	access,
	context::{with_names, Context},
	error::{Error, Kind},
	options::Options,
	output::{self, check_is_folder, is_stdout, Output},
	paid::{self, Disputes},
	progress::Bar,
	report::{self, Patient},
	stderr::tell,
	text::{account, bytes, called, count, file_name, path_in_folder, shown, Called},
	tip::quoted,
};
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	fetch_file_of, fetch_folder, is_folder, is_packed_folder, names, write_file_of, AccountId,
	Client, DatasetId, Error as SdkError, FetchError, FetchFile, Identity, QueryRefusal, Reading,
};
use serde::Serialize;
use std::{
	fmt,
	io::{self, BufWriter, ErrorKind, IsTerminal, Write},
	os::fd::AsFd,
	path::{Path, PathBuf},
};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Every byte is checked against the chain before it is written. A file is written as
OUT.isthmus-HASH until it is complete, and then renamed to OUT. Run the same command again to
resume an interrupted download. A FIFO or a device is written to as it is, unless it is a terminal,
and a link is followed.
A file of a folder that cannot be fetched does not stop the others: it is named at the end.

If keys do not open the record, or no record is found by its name, the command checks the grants
that you paid for and can still dispute, and disputes those with wrong keys: the payment comes back.

Examples:
  isthmus fetch 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty marks-2025.csv --key company.key
  isthmus fetch //Bob photos-2025 --folder --output photos/ --key company.key
  isthmus fetch //Bob photos-2025 --file june/beach.jpg --key company.key
  isthmus fetch //Bob data.tar --output - --key company.key | tar x")]
pub(crate) struct Opts {
	/// Owner of the record
	#[arg(value_parser = account)]
	owner: AccountId,

	/// Name of the record, or 0x and 64 hexadecimal digits
	#[arg(value_parser = called)]
	name: Called,

	/// File to write, an existing folder to write the file into, or - for stdout [default: the name of the
	/// record]
	#[arg(long, short, value_name = "FILE")]
	output: Option<PathBuf>,

	/// Fetch the files of a folder into a folder
	#[arg(long)]
	folder: bool,

	/// Fetch one file of a folder, by its path in the folder, as `isthmus list files` shows it
	#[arg(long, value_name = "PATH", value_parser = path_in_folder, conflicts_with = "folder")]
	file: Option<String>,

	/// Fetch the record's bytes as they are, even if they are a folder's list of files
	#[arg(long, conflicts_with_all = ["folder", "file"])]
	raw: bool,

	/// Replace the file if it exists
	#[arg(long)]
	force: bool,

	#[command(flatten)]
	disputes: Disputes,
}

/// A file or a folder that was fetched.
#[derive(Serialize)]
pub(crate) struct Fetched {
	bytes: u64,
	/// How many files the folder contains; `None` if the record is not a folder.
	files: Option<usize>,
	output: String,
}

impl fmt::Display for Fetched {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let (output, size) = (shown(&self.output), bytes(self.bytes));
		match self.files {
			None => write!(f, "{output}: {size}"),
			Some(files) => {
				let files = count(files as u64, "file");
				write!(f, "{output}: {files} ({size})")
			}
		}
	}
}

/// Where to write the bytes.
enum Target {
	One(Output),
	/// One file of a folder.
	FileOf(Output),
	Folder(PathBuf),
}

/// Runs the command. Errors in its arguments, and outputs that cannot be written, are reported before it
/// connects. Returns `None` if the record was written to stdout, to a FIFO or to a device.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Option<Fetched>, Error> {
	let target = target(&opts)?;
	let context = Context::connect_with_key(options).await?;
	let identity = context.identity().await?;
	let (error, is_unknown) = match fetch(&opts, (&context, &identity), target).await {
		Ok(fetched) => return Ok(fetched),
		Err(Failed::Unknown(error)) => (error, true),
		Err(Failed::Other(error)) => (error, false),
	};
	// Only keys that are wrong are a grant's fault: not a path that does not exist, or a disk that is full.
	let error = match is_unknown || error.kind() == Kind::NotAuthentic {
		true => paid::explain(&context, &identity, &opts.owner, error, &opts.disputes).await,
		false => error,
	};
	let name = quoted(opts.name.shown().to_string());
	Err(error.knowing(&[("OWNER", opts.owner.to_string()), ("RECORD", name)]))
}

/// Why nothing was fetched.
pub(crate) enum Failed {
	/// No record has the name. The grants that are to show the hidden names may have wrong keys.
	Unknown(Error),
	Other(Error),
}

impl Failed {
	/// Returns the error, whatever it is about.
	pub(crate) fn error(self) -> Error {
		let (Self::Unknown(error) | Self::Other(error)) = self;
		error
	}
}

impl<Inner: Into<Error>> From<Inner> for Failed {
	fn from(error: Inner) -> Self {
		Self::Other(error.into())
	}
}

/// Finds the record, and writes it to the target.
async fn fetch(
	opts: &Opts,
	(context, identity): (&Context, &Identity),
	target: Target,
) -> Result<Option<Fetched>, Failed> {
	let reading = open((context, identity), &opts.owner, opts.name).await?;
	let is_plain = !opts.folder && !opts.raw && opts.file.is_none();
	let is_any_folder =
		async || Ok::<_, SdkError>(is_folder(&reading).await? || is_packed_folder(&reading).await?);
	let looked = |error: SdkError| of_object(error.into(), (&opts.owner, &reading), None);
	if is_plain && is_any_folder().await.map_err(looked)? {
		return Err(Error::usage("the record is a folder").hint(
			"fetch its files with --folder --output FOLDER, or one of them with --file PATH; list them: isthmus list files RECORD --owner OWNER",
		).into());
	}
	let mut bar = Bar::new();
	let fetched = write(opts, (context, identity), &reading, target, &mut bar).await;
	for left in reading.left() {
		tell(format_args!("left for another location: {left}"));
	}
	Ok(fetched?)
}

/// Finds a record and opens it.
pub(crate) async fn open(
	(context, identity): (&Context, &Identity),
	owner: &AccountId,
	called: Called,
) -> Result<Reading, Failed> {
	let client = &context.client;
	let key = with_names(called.find(client, identity, owner)).await?;
	let opened = match called {
		Called::Name(name) => names::open_found(client, identity, owner, name, key).await,
		Called::Key(key) => Reading::open(client, identity, owner, key).await,
	};
	match opened {
		Ok(reading) => Ok(reading),
		Err(error) => {
			let is_unknown = matches!(error, SdkError::Query(QueryRefusal::UnknownRecord));
			let explained = access::explain((context, identity), owner, key, error).await;
			Err(match (called, is_unknown) {
				(Called::Name(_), true) => {
					Failed::Unknown(explained.of_name(identity.id() == owner))
				}
				_ => Failed::Other(explained),
			})
		}
	}
}

/// Returns the error of a read. If the locations lack an object, or have something else, it says how to see that.
pub(crate) fn of_object(
	error: FetchError,
	(owner, reading): (&AccountId, &Reading),
	arrived: Option<String>,
) -> Error {
	let is_of_object = error.is_of_object();
	let error = Error::from(error).interrupted(arrived);
	let dataset = reading.answer().dataset;
	match is_of_object && !reading.is_own() {
		// Only the owner can mend it.
		true => error.also(format!(
			"tell the owner what the locations lack: isthmus check {owner} {dataset}"
		)),
		false => with_check(error, is_of_object, (owner, dataset)),
	}
}

/// Adds to an owner's error how to see what the locations of a dataset lack, if it is about that.
pub(crate) fn with_check(
	error: Error,
	is_of_object: bool,
	(owner, dataset): (&AccountId, DatasetId),
) -> Error {
	match is_of_object {
		true => error.also(format!(
			"see what the locations lack: isthmus check {owner} {dataset}"
		)),
		false => error,
	}
}

/// Writes the record, or the files of a folder, to the target.
async fn write(
	opts: &Opts,
	(context, identity): (&Context, &Identity),
	reading: &Reading,
	target: Target,
	bar: &mut Bar,
) -> Result<Option<Fetched>, Error> {
	let (client, owner) = (&context.client, &opts.owner);
	let of_objects = |error, arrived| of_object(error, (owner, reading), arrived);
	let (bytes, files, output) = match target {
		Target::One(Output::Stdout) | Target::FileOf(Output::Stdout) => {
			bar.beside_stdout();
			let failed = |error: io::Error| report::stdout(&error);
			through(opts, (client, identity), reading, io::stdout(), bar, failed).await?;
			return Ok(None);
		}
		Target::One(Output::Through(path)) | Target::FileOf(Output::Through(path)) => {
			let failed = |error: io::Error| Error::file(&path, &error);
			let out = output::open_through(&path).map_err(failed)?;
			through(opts, (client, identity), reading, out, bar, failed).await?;
			return Ok(None);
		}
		Target::One(Output::File(output)) => {
			let file = FetchFile::new(reading, &output).replace(opts.force);
			let done = file.run(bar).await;
			done.map_err(|error| of_objects(error, bar.arrived()))?;
			(reading.length(), None, output)
		}
		Target::FileOf(Output::File(output)) => {
			let of = (reading, opts.file.as_deref().unwrap_or_default());
			let fetched =
				fetch_file_of(client, identity, owner, of, &output, opts.force, bar).await;
			let fetched = fetched.map_err(|error| of_objects(error, None))?;
			(fetched.bytes, None, output)
		}
		Target::Folder(output) => {
			let fetched =
				fetch_folder(client, identity, owner, reading, &output, opts.force, bar).await;
			let fetched = fetched.map_err(|error| of_objects(error, bar.arrived_files()))?;
			(fetched.bytes, Some(fetched.files), output)
		}
	};
	Ok(Some(Fetched {
		bytes,
		files,
		output: output.shown().to_string(),
	}))
}

/// Returns where to write the bytes.
fn target(opts: &Opts) -> Result<Target, Error> {
	let output = opts
		.output
		.as_ref()
		.filter(|output| !output.as_os_str().is_empty());
	let name = match &opts.file {
		Some(path) => path.rsplit('/').next().map(PathBuf::from),
		None => file_name(opts.name),
	};
	let output = match (output, &name) {
		(Some(output), _) => output.clone(),
		// A record may have the name that stands for stdout.
		(None, Some(name)) if is_stdout(name) => Path::new(".").join(name),
		(None, Some(name)) => name.clone(),
		(None, None) => {
			return Err(Error::usage(
				"missing --output: where should the file be written?",
			))
		}
	};
	if opts.folder {
		if is_stdout(&output) {
			return Err(Error::usage("a folder cannot be written to stdout")
				.hint("choose a folder: --output FOLDER"));
		}
		check_is_folder(&output)?;
		return Ok(Target::Folder(output));
	}
	let output = Output::at(output, name.as_deref(), opts.force)?;
	let is_terminal = match &output {
		Output::Stdout => io::stdout().is_terminal(),
		Output::Through(path) => output::is_terminal(path),
		Output::File(_) => false,
	};
	if is_terminal {
		let what = match opts.file {
			Some(_) => "file",
			None => "record",
		};
		return Err(Error::usage(format!(
			"refusing to write the {what} to a terminal: it may be binary"
		))
		.hint("write it to a file with --output FILE, or pipe it into another program"));
	}
	Ok(match opts.file {
		Some(_) => Target::FileOf(output),
		None => Target::One(output),
	})
}

/// Writes a record, or one file of a folder, to something that stays. It is an error if the program at the other end of a pipe stops
/// reading before it has all, also while nothing comes that could be written: no shell tells of the one in `>(…)`.
async fn through(
	opts: &Opts,
	(client, identity): (&Client, &Identity),
	reading: &Reading,
	out: impl Write + AsFd,
	bar: &mut Bar,
	failed: impl FnOnce(io::Error) -> Error,
) -> Result<(), Error> {
	let closed = match out.as_fd().try_clone_to_owned() {
		Ok(end) => output::closed(end),
		Err(error) => return Err(failed(error)),
	};
	let out = &mut BufWriter::new(Patient(out));
	let writing = async {
		match &opts.file {
			None => reading.run(out, 0, bar).await.map_err(FetchError::from),
			Some(path) => {
				let of = (reading, path.as_str());
				write_file_of(client, identity, &opts.owner, of, out, bar).await
			}
		}
	};
	let done = tokio::select! {
		biased;
		done = writing => done,
		() = closed => return Err(failed(not_read())),
	};
	match done {
		Err(FetchError::Client(SdkError::Io(error))) if error.kind() == ErrorKind::BrokenPipe => {
			Err(failed(not_read()))
		}
		Err(FetchError::Client(SdkError::Io(error))) => Err(failed(error)),
		// What has arrived cannot be resumed there.
		done => done.map_err(|error| of_object(error, (&opts.owner, reading), None)),
	}
}

/// Returns the error of a pipe whose other end is gone.
fn not_read() -> io::Error {
	let words = "the program that reads it has ended before all was written";
	io::Error::new(ErrorKind::BrokenPipe, words)
}
