// SPDX-License-Identifier: Apache-2.0
//! `isthmus dataset describe`: makes the card of a dataset, puts its hash on the chain, and compares a card with that.
//!
//! The hash is a report of the account that controls the dataset, for a source of facts of its own, which no one else can
//! create ([`isthmus_sdk::card`]).

use crate::{
	context::Context,
	error::Error,
	input::read_at_most,
	output::check_folder,
	report::Report,
	text::{account, bytes, count, date},
	tip::Tip,
};
use clap::builder::NonEmptyStringValueParser;
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	card_place,
	conditions::Value,
	envelope::input,
	facts::{response_hash, Observation, SourceTerms},
	file, now, to_hex, AccountId, BlockNumber, CardError, DatasetId, Epoch, Error as SdkError,
	Identity, LeafNames, LeafQuery, Leaves, PublishedCard, Scope, Seconds, State,
};
use isthmus_tables::{
	card::{self, Card, Files, Summary},
	csv, parquet, Column,
};
use serde::Serialize;
use std::{
	collections::BTreeMap,
	fmt,
	io::{self, Read, Seek, SeekFrom},
	path::{Path, PathBuf},
};

pub(crate) const HELP: &str = "\
A card says what is in a dataset: columns, a licence, and what leaves are called. It is a file of
JSON-LD, Croissant 1.1, which programs that search for data read. With --guess it is made, from the
columns of files, for you to look over. Without, its hash is put on the chain. With --check, anyone
who got it compares it with the hash, without a key if --owner is given. A card is public, and so
are the names in it.

The hash is a fact: the source xDIGITS/cards, with the first 32 digits of your public key, reports
on dataset-NUMBER. A deposit is held for each. Of a dataset that you took over, publish a card of
your own, with --for OWNER: the one of its former controller counts no more. The topic is then
xDIGITS/NUMBER, with the owner's digits.

Examples:
  isthmus dataset describe 0 --card marks.jsonld --guess 3.parquet --leaf 2=March --key school.key
  isthmus dataset describe 0 --card marks.jsonld --key school.key
  isthmus dataset describe 0 --card marks.jsonld --check --owner 5FHneW46...";

/// The longest card, in bytes.
pub(crate) const LONGEST: u64 = 256 << 10;
/// How much of a CSV file is looked at, in bytes.
const BEGINNING: u64 = 1 << 20;
pub(crate) const PARQUET: &str = "application/vnd.apache.parquet";
pub(crate) const CSV: &str = "text/csv";

/// Arguments of the command.
#[derive(clap::Args)]
pub(crate) struct Opts {
	/// Number of the dataset
	dataset: DatasetId,

	/// The card. With --guess, a new file
	#[arg(long, value_name = "FILE")]
	card: PathBuf,

	/// Make the card, with the columns of these Parquet and CSV files
	#[arg(long, value_name = "FILE", num_args = 1..)]
	guess: Vec<PathBuf>,

	/// What is in the dataset [default: its name]
	#[arg(
		long,
		value_name = "TEXT",
		requires = "guess",
		conflicts_with = "check"
	)]
	#[arg(value_parser = NonEmptyStringValueParser::new())]
	description: Option<String>,

	/// Licence: an address, or a name such as CC-BY-4.0
	#[arg(
		long,
		value_name = "LICENCE",
		requires = "guess",
		conflicts_with = "check"
	)]
	#[arg(value_parser = NonEmptyStringValueParser::new())]
	license: Option<String>,

	/// Word to find the dataset by; may be repeated
	#[arg(
		long,
		value_name = "WORD",
		requires = "guess",
		conflicts_with = "check"
	)]
	#[arg(value_parser = NonEmptyStringValueParser::new())]
	keyword: Vec<String>,

	/// What a leaf is called, such as 2=2025-03; may be repeated
	#[arg(long, value_name = "LEAF=NAME", requires = "guess", conflicts_with = "check", value_parser = leaf)]
	leaf: Vec<(u64, String)>,

	/// Epoch whose leaves have these names [default: the current one]
	#[arg(
		long,
		value_name = "NUMBER",
		requires = "guess",
		conflicts_with = "check"
	)]
	epoch: Option<Epoch>,

	/// Compare the card with the hash on the chain
	#[arg(long, conflicts_with = "guess")]
	check: bool,

	/// Owner of the dataset [default: your own account]
	#[arg(long, value_name = "ACCOUNT", requires = "check", conflicts_with = "guess", value_parser = account)]
	owner: Option<AccountId>,
}

impl Opts {
	/// Returns whether the command sends a transaction.
	pub(crate) fn spends(&self) -> bool {
		self.guess.is_empty() && !self.check
	}

	/// Returns whether the command needs no account: it only compares the card of an owner who is named.
	pub(crate) fn is_for_anyone(&self) -> bool {
		self.owner.is_some()
	}
}

/// Reads the number and the name of a leaf.
fn leaf(text: &str) -> Result<(u64, String), &'static str> {
	let (number, name) = text.split_once('=').unwrap_or((text, ""));
	match number.parse() {
		Ok(number) if !name.is_empty() => Ok((number, name.to_owned())),
		_ => Err("expected a leaf and its name, such as 2=2025-03"),
	}
}

/// A card that was made.
#[derive(Serialize)]
struct Made {
	bytes: u64,
	card: String,
	columns: usize,
	dataset: DatasetId,
}

impl fmt::Display for Made {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let (card, size) = (&self.card, bytes(self.bytes));
		let (columns, dataset) = (count(self.columns as u64, "column"), self.dataset);
		let describe = Tip::new(format_args!("isthmus dataset describe {dataset}"));
		let describe = describe.option_path("--card", Path::new(&self.card));
		write!(f, "{card} ({size}) describes dataset {dataset}, with {columns}; look it over, and put its hash on the chain: {describe}")
	}
}

/// A card whose hash is on the chain.
#[derive(Serialize)]
struct Published {
	block: BlockNumber,
	card: String,
	dataset: DatasetId,
	hash: String,
	source: String,
	topic: String,
}

impl fmt::Display for Published {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			block,
			dataset,
			hash,
			..
		} = self;
		let card = &self.card;
		write!(
			f,
			"block {block}: the card of dataset {dataset} is {card}, with the hash {hash}"
		)
	}
}

/// A card that is the one on the chain.
#[derive(Serialize)]
struct Checked {
	/// The account that published it, which controls the dataset.
	by: AccountId,
	card: String,
	dataset: DatasetId,
	hash: String,
	owner: AccountId,
	published: Seconds,
}

impl fmt::Display for Checked {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			by,
			dataset,
			published,
			..
		} = self;
		let (card, day) = (&self.card, date(*published));
		write!(
			f,
			"{card} is the card that {by} published of dataset {dataset} ({day})"
		)
	}
}

/// Runs the command.
pub(crate) async fn run(
	context: &Context,
	identity: &Identity,
	opts: Opts,
) -> Result<Box<dyn Report>, Error> {
	Ok(match (opts.check, opts.guess.is_empty()) {
		(true, _) => check(context, Some(identity), opts).await?,
		(false, true) => Box::new(publish(context, identity, opts).await?),
		(false, false) => Box::new(make(context, identity, opts).await?),
	})
}

/// Reads a card, and checks that it is one of the dataset. Returns its text and what it says.
fn read(path: &Path, owner: &AccountId, dataset: DatasetId) -> Result<(Vec<u8>, Summary), Error> {
	let text = read_at_most(path, LONGEST, "a card")?;
	let read = card::read(&text, &owner.to_string(), dataset);
	let said = read.map_err(|error| {
		Error::usage(format!("{}: {error}", path.shown()))
			.hint("make a card of your dataset with --guess FILE")
	})?;
	Ok((text, said))
}

/// Reads a card, and checks that its hash is the one on the chain. Returns what it says.
async fn confirmed(
	context: &Context,
	path: &Path,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<(Summary, PublishedCard), Error> {
	let (text, said) = read(path, owner, dataset)?;
	let checked = context.client.check_card(owner, dataset, &text).await;
	let card = checked.map_err(|error| match error {
		SdkError::Card(CardError::Differs { .. }) => {
			Error::refused(format!("{}: {error}", path.shown()))
				.hint("ask the owner for the one of now: each character counts")
		}
		error => error.into(),
	})?;
	Ok((said, card))
}

/// The leaves that a command is to be about.
pub(crate) struct Asked<'a> {
	pub(crate) owner: &'a AccountId,
	pub(crate) dataset: DatasetId,
	/// The epoch that is named on the command line.
	pub(crate) epoch: Option<Epoch>,
	/// The dataset's current epoch.
	pub(crate) current: Epoch,
	pub(crate) leaves: &'a Leaves,
	/// What a card calls the leaves, if one is given.
	pub(crate) names: Option<&'a LeafNames>,
	pub(crate) all_between: bool,
}

/// Returns the leaves that a command is to be about, by the names in a card if one is given.
pub(crate) async fn scope(
	context: &Context,
	identity: &Identity,
	asked: &Asked<'_>,
) -> Result<Scope, Error> {
	let Asked { owner, dataset, .. } = *asked;
	let query = LeafQuery {
		dataset,
		epoch: asked.epoch.unwrap_or(asked.current),
		epoch_named: asked.epoch.is_some(),
		leaves: asked.leaves,
		card: asked.names,
		all_between: asked.all_between,
	};
	Ok(context.client.scope(identity, owner, &query).await?)
}

/// Returns what a card calls the leaves of a dataset, if one is given. It may be a FIFO, so a command reads it once.
pub(crate) async fn leaf_names(
	context: &Context,
	card: Option<&Path>,
	owner: &AccountId,
	dataset: DatasetId,
) -> Result<Option<LeafNames>, Error> {
	let Some(path) = card else { return Ok(None) };
	let (said, _) = confirmed(context, path, owner, dataset).await?;
	Ok(Some(LeafNames {
		names: said.leaves,
		epoch: said.epoch,
	}))
}

/// Returns the error of an epoch that a dataset has not reached.
pub(crate) fn no_epoch(dataset: DatasetId, epoch: Epoch, current: Epoch) -> Error {
	Error::refused(format!(
		"dataset {dataset} has no epoch {epoch} yet: it is in epoch {current}"
	))
}

async fn make(context: &Context, identity: &Identity, opts: Opts) -> Result<Made, Error> {
	check_folder(&opts.card)?;
	let best = context.client.best().await?;
	let owner = identity.id();
	let (_, entry) = best.dataset_of(owner, Some(opts.dataset)).await?;
	let epoch = opts.epoch.unwrap_or(entry.epoch);
	if epoch > entry.epoch {
		return Err(no_epoch(opts.dataset, epoch, entry.epoch));
	}
	let mut leaves = BTreeMap::new();
	for (number, name) in opts.leaf {
		if leaves.insert(number, name).is_some() {
			return Err(Error::usage(format!(
				"--leaf is given twice for leaf {number}"
			)));
		}
	}
	let tables = tables(&opts.guess)?;
	let columns = tables.iter().map(|files| files.columns.len()).sum();
	let name = entry.name.to_string();
	let card = Card {
		owner: owner.to_string(),
		owner_name: registered(&best, owner).await?,
		dataset: opts.dataset,
		description: opts.description.unwrap_or_else(|| name.clone()),
		name,
		license: opts.license,
		date: date(now() / 86_400 * 86_400),
		keywords: opts.keyword,
		epoch,
		leaves,
		tables,
	};
	let text = format!("{:#}\n", card.json());
	let written = file::publish_new(&opts.card, text.as_bytes());
	written.map_err(|error| match error.kind() {
		io::ErrorKind::AlreadyExists => Error::failed(format!(
			"{} already exists",
			opts.card.shown()
		))
		.hint("choose another --card; to put the hash of this one on the chain, leave --guess out"),
		_ => Error::file(&opts.card, &error),
	})?;
	Ok(Made {
		bytes: text.len() as u64,
		card: opts.card.shown().to_string(),
		columns,
		dataset: opts.dataset,
	})
}

/// Returns the name under which an owner is registered.
async fn registered(best: &State, owner: &AccountId) -> Result<String, Error> {
	let producer = best.producer(owner).await?;
	Ok(producer.map_or_else(|| owner.to_string(), |producer| producer.name.to_string()))
}

async fn publish(context: &Context, identity: &Identity, opts: Opts) -> Result<Published, Error> {
	let (client, owner) = (&context.client, identity.id());
	let (text, _) = read(&opts.card, owner, opts.dataset)?;
	let best = client.best().await?;
	best.dataset_of(owner, Some(opts.dataset)).await?;
	// The report is the controller's own, also if the dataset has another one's address.
	let mut own = identity.clone();
	own.account = own.account.itself();
	let by = own.account.id();
	if let Some(control) = best.control(owner, opts.dataset).await? {
		if control.controller != *by {
			return Err(SdkError::NotController {
				dataset: opts.dataset,
				controller: control.controller,
			}
			.into());
		}
	}
	let (source, topic) = card_place(by, owner, opts.dataset)?;
	let hash = response_hash(&text);
	let proven = client.proven().await?;
	let reports = proven.reports(&source, &topic).await?;
	let last = reports.iter().find(|report| report.reporter == *by);
	let observation = Observation {
		value: Value::Hash(hash),
		// A report has to be newer than the last one, which may be of the same second.
		observed: last
			.map_or(0, |last| last.observed.saturating_add(1))
			.max(now()),
		response: hash,
	};
	let mut calls = Vec::new();
	if proven.source(&source).await?.is_none() {
		let terms = SourceTerms {
			reporters: vec![*by],
			quorum: 1,
			fresh: u32::MAX,
		};
		calls.push(client.create_source(&source, &terms).await?);
	}
	calls.push(client.report(&source, &topic, &observation).await?);
	let last = context.send_all(&own, &calls).await?;
	let block = last
		.ok_or_else(|| Error::failed("nothing was sent"))?
		.number();
	Ok(Published {
		block,
		card: opts.card.shown().to_string(),
		dataset: opts.dataset,
		hash: to_hex(&hash),
		source: source.to_string(),
		topic: topic.to_string(),
	})
}

/// Compares a card with the hash of the dataset's card. Without an owner, the dataset is the account's own.
pub(crate) async fn check(
	context: &Context,
	identity: Option<&Identity>,
	opts: Opts,
) -> Result<Box<dyn Report>, Error> {
	let dataset = opts.dataset;
	let owner = opts.owner.or(identity.map(|identity| *identity.id()));
	let owner = owner.ok_or_else(|| Error::usage("missing --owner"))?;
	let (_, published) = confirmed(context, &opts.card, &owner, dataset).await?;
	Ok(Box::new(Checked {
		by: published.by,
		card: opts.card.shown().to_string(),
		dataset,
		hash: to_hex(&published.hash),
		owner,
		published: published.published,
	}))
}

/// Returns the columns of files. Those of the same kind with the same columns come together.
fn tables(paths: &[PathBuf]) -> Result<Vec<Files>, Error> {
	let mut tables: Vec<Files> = Vec::new();
	for path in paths {
		let (format, columns) = columns(path)?;
		let file = path
			.file_name()
			.unwrap_or_default()
			.to_string_lossy()
			.into_owned();
		let same = |files: &&mut Files| files.format == format && files.columns == columns;
		match tables.iter_mut().find(same) {
			Some(files) => files.includes.push(file),
			None => tables.push(Files {
				name: format!("files-{}", tables.len() + 1),
				format: format.to_owned(),
				includes: vec![file],
				columns,
			}),
		}
	}
	// Those that come later are probably like these.
	if let [only] = &mut tables[..] {
		let end = if only.format == CSV {
			"*.csv"
		} else {
			"*.parquet"
		};
		only.includes = vec![end.to_owned()];
	}
	Ok(tables)
}

/// Returns the media type and the columns of a file.
fn columns(path: &Path) -> Result<(&'static str, Vec<Column>), Error> {
	let bad = |why: &dyn fmt::Display| Error::usage(format!("{}: {why}", path.shown()));
	let failed = |error: io::Error| Error::file(path, &error);
	let end = path.extension().unwrap_or_default().to_string_lossy();
	if end.eq_ignore_ascii_case("csv") {
		let mut beginning = Vec::new();
		let file = input::open(path).map_err(failed)?;
		let length = file
			.take(BEGINNING)
			.read_to_end(&mut beginning)
			.map_err(failed)?;
		let is_whole = (length as u64) < BEGINNING;
		let columns = csv::guess(&beginning, is_whole).map_err(|error| bad(&error))?;
		return Ok((CSV, columns));
	}
	if !end.eq_ignore_ascii_case("parquet") {
		return Err(bad(
			&"columns are guessed of files that end with .parquet or .csv",
		));
	}
	let mut file = input::open(path).map_err(failed)?;
	let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
	let mut tail = [0; parquet::TAIL as usize];
	file.seek(SeekFrom::Start(length.saturating_sub(parquet::TAIL)))
		.map_err(failed)?;
	file.read_exact(&mut tail)
		.map_err(|_| bad(&parquet::ParquetError::Foreign))?;
	let range = parquet::description(length, tail).map_err(|error| bad(&error))?;
	let mut description = Vec::new();
	file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
	file.take(range.end - range.start)
		.read_to_end(&mut description)
		.map_err(failed)?;
	let table = parquet::read(&description).map_err(|error| bad(&error))?;
	Ok((PARQUET, table.columns))
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::fs;

	#[test]
	fn a_leaf_has_a_number_and_a_name() {
		assert_eq!(leaf("2=2025-03"), Ok((2, "2025-03".to_owned())));
		assert_eq!(leaf("0=a=b"), Ok((0, "a=b".to_owned())));
		for bad in ["2", "2=", "=x", "x=2", "-1=x"] {
			assert!(leaf(bad).is_err(), "{bad}");
		}
	}

	#[test]
	fn files_with_the_same_columns_come_together() {
		let folder = tempfile::tempdir().unwrap();
		let file = |name: &str, content: &str| {
			let path = folder.path().join(name);
			fs::write(&path, content).unwrap();
			path
		};
		let (a, b) = (
			file("a.csv", "name,mark\nAda,97\n"),
			file("b.CSV", "name,mark\nBob,3\n"),
		);
		let c = file("c.csv", "when\n2025-03-01\n");
		let together = tables(&[a.clone(), b.clone()]).unwrap();
		assert_eq!(
			(together.len(), &together[0].includes),
			(1, &vec!["*.csv".to_owned()])
		);
		let apart = tables(&[a, c, b]).unwrap();
		assert_eq!((apart[0].includes.len(), apart[1].includes.len()), (2, 1));
		assert_eq!(
			(apart[1].name.as_str(), apart[1].columns[0].name.as_str()),
			("files-2", "when")
		);
		for (name, content, words) in [
			("x.txt", "x", "end with .parquet or .csv"),
			("x.parquet", "x", "not a Parquet file"),
			(
				"y.parquet",
				"long enough, but no table",
				"not a Parquet file",
			),
			("x.csv", "", "no line with the names"),
		] {
			let refused = format!("{:?}", tables(&[file(name, content)]).unwrap_err());
			assert!(refused.contains(words), "{refused}");
		}
	}
}
