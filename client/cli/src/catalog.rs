// SPDX-License-Identifier: Apache-2.0
//! `isthmus catalog`: lists the datasets of the chain with the contents of their cards, and exports them.
//!
//! All that the chain says is proven. What a card says is shown only if the card's hash is the one on the chain.

mod dcat;
mod found;
mod odrl;

use crate::{
	context::Context,
	dataset::{policy_json, PolicyText},
	describe::LONGEST,
	error::Error,
	input::read_at_most,
	options::Options,
	progress::bar,
	report::{Lines, Report},
	stderr::tell,
	text::{account, count, date, only_if, shown},
};
use clap::builder::NonEmptyStringValueParser;
use found::Found;
use indicatif::ProgressStyle;
use isthmus_sdk::envelope::paths::ShowPath;
use isthmus_sdk::{
	facts::response_hash,
	object::Locations,
	objects::{read_small, Failure, Location},
	to_hex, AccountId, CatalogEntry, DatasetId, Policy, Proven, Seconds,
};
use isthmus_tables::card::{self, Summary};
use serde::Serialize;
use std::{
	collections::{BTreeMap, BTreeSet},
	fmt, fs, io,
	path::{Path, PathBuf},
	time::Duration,
};
use tokio::{
	task::JoinSet,
	time::{timeout, timeout_at, Instant},
};

/// How many datasets' locations are asked at a time.
const AT_ONCE: usize = 32;
/// How long the locations of a dataset may take together, and those of all datasets.
const PATIENCE: Patience = Patience {
	each: Duration::from_secs(20),
	all: Duration::from_secs(300),
};
/// How many columns are shown.
const COLUMNS: usize = 12;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
What the chain says is proven. A card is shown if its hash is the one that the dataset's controller
put on the chain. Cards are files that owners give to others; with --fetch, those are asked for that
lie at a dataset's locations: HASH.jsonld, with the 64 digits of the hash. Anyone can publish a
location, so without --owner only https://, s3:// and gs:// are asked, and without your credentials.

With --format dcat, the datasets are printed as one document of JSON-LD, in the terms of DCAT-AP 3,
for portals and catalogues. The policy of a dataset becomes an offer in the terms of ODRL 2.2.

Examples:
  isthmus catalog
  isthmus catalog --search school marks --cards ~/cards
  isthmus catalog --owner 5FHneW46... --fetch
  isthmus catalog --fetch --format dcat > catalog.jsonld")]
pub(crate) struct Opts {
	/// Show only datasets with all of these words in their names, their owners' names or their cards
	#[arg(long, value_name = "WORDS", num_args = 1.., value_parser = NonEmptyStringValueParser::new())]
	search: Vec<String>,

	/// Show only datasets with this account in their address
	#[arg(long, value_name = "ACCOUNT", value_parser = account)]
	owner: Option<AccountId>,

	/// Cards that you got: files, or folders of files that end with .jsonld or .json; may be repeated
	#[arg(long, value_name = "PATH")]
	cards: Vec<PathBuf>,

	/// Also ask the locations of the datasets for their cards. They see who asks
	#[arg(long)]
	fetch: bool,

	/// How to print the datasets
	#[arg(long, value_enum, default_value = "list")]
	format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
	/// For a person or, with --json, one object a line
	List,
	/// As one document of JSON-LD, DCAT-AP with ODRL
	Dcat,
}

/// A dataset in the list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
	/// The hash of its card, if there is one.
	card: Option<String>,
	closed: bool,
	/// The columns in its card.
	columns: Vec<String>,
	/// The condition that requests have to meet.
	condition: Option<String>,
	controller: AccountId,
	dataset: DatasetId,
	/// What its card says about it; `None` if the card was not found.
	description: Option<String>,
	keywords: Vec<String>,
	license: Option<String>,
	name: String,
	owner: AccountId,
	#[serde(serialize_with = "policy_json")]
	policy: Option<Policy>,
	/// The name of the account that controls it.
	producer: Option<String>,
	/// When its card was published.
	published: Option<Seconds>,
}

impl From<Found> for Listed {
	fn from(Found { entry, said }: Found) -> Self {
		let said = said.unwrap_or_default();
		let (policy, condition) = entry.policy.unzip();
		Self {
			card: entry.card.as_ref().map(|card| to_hex(&card.hash)),
			closed: entry.dataset.closed,
			columns: said.columns,
			condition: condition.flatten().as_ref().map(ToString::to_string),
			controller: entry.controller,
			dataset: entry.id,
			description: Some(said.description).filter(|text| !text.is_empty()),
			keywords: said.keywords,
			license: said.license,
			name: entry.dataset.name.to_string(),
			owner: entry.owner,
			policy,
			producer: entry.producer.map(|producer| producer.name.to_string()),
			published: entry.card.map(|card| card.published),
		}
	}
}

impl fmt::Display for Listed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			dataset,
			owner,
			controller,
			..
		} = self;
		write!(f, "dataset {dataset} of {owner}: {}", self.name)?;
		match &self.producer {
			Some(producer) => write!(f, "\n  {producer}")?,
			None => write!(f, "\n  not registered any more")?,
		}
		if controller != owner {
			write!(f, ", which took it over: {controller}")?;
		}
		if let Some(description) = &self.description {
			write!(f, "\n  {}", in_a_line(description))?;
		}
		for (what, words) in [("keywords", &self.keywords), ("columns", &self.columns)] {
			let first: Vec<_> = words
				.iter()
				.take(COLUMNS)
				.map(|word| in_a_line(word))
				.collect();
			match words.len().saturating_sub(COLUMNS) {
				_ if words.is_empty() => {}
				0 => write!(f, "\n  {what}: {}", first.join(", "))?,
				more => write!(f, "\n  {what}: {}, and {more} more", first.join(", "))?,
			}
		}
		if let Some(license) = &self.license {
			write!(f, "\n  licence: {}", in_a_line(license))?;
		}
		match (&self.policy, self.closed) {
			(_, true) => write!(f, "\n  takes no more requests")?,
			(Some(policy), false) => {
				let condition = only_if(self.condition.as_ref());
				write!(f, "\n  policy: {}{condition}", PolicyText(policy))?;
			}
			(None, false) => write!(f, "\n  no policy: requests are answered by hand")?,
		}
		match (&self.card, self.published) {
			(Some(card), Some(published)) => {
				write!(f, "\n  card: {card} of {}", date(published))?;
				match self.description {
					Some(_) => Ok(()),
					None => write!(f, ", which is not here: ask its owner for it"),
				}
			}
			_ => write!(f, "\n  no card"),
		}
	}
}

/// Returns text of a card in one line that does not steer a terminal.
fn in_a_line(text: &str) -> String {
	shown(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Box<dyn Report>, Error> {
	// Before anything is asked for.
	let mut cards = Cards::read(&opts.cards)?;
	let context = &Context::connect(options).await?;
	let proven = context.client.proven().await?;
	let entries = proven.catalog(opts.owner.as_ref()).await?;
	if opts.fetch {
		cards.fetch(&proven, &entries, opts.owner.is_some()).await?;
	}
	let mut found: Vec<_> = entries
		.into_iter()
		.map(|entry| Found {
			said: cards.of(&entry),
			entry,
		})
		.collect();
	cards.tell_unused();
	let words = opts.search.join(" ").to_lowercase();
	let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
	found.retain(|found| found.has(&words));
	if found.is_empty() {
		tell("no datasets");
	}
	Ok(match opts.format {
		Format::List => {
			let listed: Vec<Listed> = found.into_iter().map(Listed::from).collect();
			let total = count(listed.len() as u64, "dataset");
			tell(format_args!(
				"{total} after block {}",
				proven.block().number
			));
			Box::new(Lines(listed))
		}
		Format::Dcat => {
			let status = context.client.status().await?;
			Box::new(dcat::Document::new(
				&status.chain,
				&context.client.genesis(),
				&found,
			))
		}
	})
}

/// Cards that are at hand, by their hashes.
#[derive(Default)]
pub(crate) struct Cards(BTreeMap<[u8; 32], AtHand>);

/// A card that is at hand.
struct AtHand {
	/// The file, or the location that it came from.
	from: String,
	text: Vec<u8>,
	used: bool,
}

impl Cards {
	/// Reads the files, and those in the folders.
	pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Error> {
		let mut cards = Self::default();
		for path in paths {
			let failed = |error: io::Error| Error::file(path, &error);
			if !fs::metadata(path).map_err(failed)?.is_dir() {
				cards.add(path.shown(), read_at_most(path, LONGEST, "a card")?);
				continue;
			}
			let listed: io::Result<Vec<_>> = fs::read_dir(path).map_err(failed)?.collect();
			for entry in listed.map_err(failed)? {
				let path = entry.path();
				if !is_card(&path) || !path.is_file() {
					continue;
				}
				// One that cannot be read keeps no one from reading the others.
				match read_at_most(&path, LONGEST, "a card") {
					Ok(text) => cards.add(path.shown(), text),
					Err(error) => tell(error.message()),
				}
			}
		}
		Ok(cards)
	}

	fn add(&mut self, from: impl fmt::Display, text: Vec<u8>) {
		let card = AtHand {
			from: from.to_string(),
			text,
			used: false,
		};
		self.0.entry(response_hash(&card.text)).or_insert(card);
	}

	/// Asks the locations of the datasets whose cards are not at hand. Those of an owner whom the user named are asked as they
	/// are when its records are fetched.
	async fn fetch(
		&mut self,
		proven: &Proven,
		entries: &[CatalogEntry],
		is_named: bool,
	) -> Result<(), Error> {
		let (mut wanted, mut unusable) = (Vec::new(), BTreeSet::new());
		for entry in entries {
			let hash = match &entry.card {
				Some(card) if !self.0.contains_key(&card.hash) => card.hash,
				_ => continue,
			};
			let urls = proven.locations(&entry.owner, entry.id).await?;
			let opened = match is_named {
				true => Locations::open(urls),
				false => Locations::open_public(urls),
			};
			unusable.extend(opened.unusable.iter().map(ToString::to_string));
			if !opened.usable.is_empty() {
				wanted.push(Wanted {
					of: format!("dataset {} of {}", entry.id, entry.owner),
					hash,
					locations: opened.usable,
				});
			}
		}
		unusable.iter().for_each(tell);
		let total = wanted.len() as u64;
		if total > 0 {
			let datasets = count(total, "dataset");
			tell(format_args!("asking the locations of {datasets}"));
		}
		let bar = bar(total).with_style(
			ProgressStyle::with_template("asking {wide_bar} {pos}/{len} datasets")
				.unwrap_or_else(|_| ProgressStyle::default_bar()),
		);
		let told = gather(wanted, &PATIENCE, |text, told| {
			bar.inc(1);
			bar.suspend(|| told.iter().for_each(tell));
			if let Some((from, text)) = text {
				self.add(from, text);
			}
		});
		let told = told.await;
		bar.finish_and_clear();
		told.iter().for_each(tell);
		Ok(())
	}

	/// Returns whether there are none.
	pub(crate) fn is_empty(&self) -> bool {
		self.0.is_empty()
	}

	/// Returns what the card of a dataset says, if it is at hand.
	fn of(&mut self, entry: &CatalogEntry) -> Option<Summary> {
		self.said(&entry.card.as_ref()?.hash, &entry.owner, entry.id)
	}

	/// Returns what the card with this hash says about a dataset, if it is at hand.
	pub(crate) fn said(
		&mut self,
		hash: &[u8; 32],
		owner: &AccountId,
		dataset: DatasetId,
	) -> Option<Summary> {
		let card = self.0.get_mut(hash)?;
		card.used = true;
		match card::read(&card.text, &owner.to_string(), dataset) {
			Ok(said) => Some(said),
			Err(error) => {
				tell(format_args!("{}: {error}", card.from));
				None
			}
		}
	}

	/// Names the files that are no dataset's card.
	pub(crate) fn tell_unused(&self) {
		for card in self.0.values().filter(|card| !card.used) {
			tell(format_args!(
				"{}: no dataset that is listed has this card now",
				card.from
			));
		}
	}
}

/// Returns whether a file in a folder is meant to be a card, by its name.
fn is_card(path: &Path) -> bool {
	let end = path.extension().unwrap_or_default();
	end.eq_ignore_ascii_case("jsonld") || end.eq_ignore_ascii_case("json")
}

/// Where a card came from, and its text.
type Asked = Option<(String, Vec<u8>)>;

/// A card that is not at hand.
struct Wanted {
	/// The dataset, in words.
	of: String,
	hash: [u8; 32],
	locations: Vec<Location>,
}

/// How long is waited for what others run.
struct Patience {
	each: Duration,
	all: Duration,
}

/// Asks for cards, those of several datasets at a time, and passes on each answer when it comes with what to tell the user. A
/// dataset whose locations are slow keeps one of the places for as long as each may take, and no other dataset waits for it.
/// Returns what to tell the user in the end.
async fn gather(
	wanted: Vec<Wanted>,
	patience: &Patience,
	mut got: impl FnMut(Asked, Vec<String>),
) -> Option<String> {
	let end = Instant::now() + patience.all;
	let mut waiting = wanted.into_iter();
	let mut asked = JoinSet::new();
	loop {
		for wanted in waiting.by_ref().take(AT_ONCE - asked.len()) {
			asked.spawn(ask_within(wanted, patience.each));
		}
		match timeout_at(end, asked.join_next()).await {
			Ok(Some(Ok((text, told)))) => got(text, told),
			// It ended without an answer.
			Ok(Some(Err(_))) => got(None, Vec::new()),
			Ok(None) => return None,
			Err(_) => break,
		}
	}
	let left = count((asked.len() + waiting.len()) as u64, "dataset");
	let seconds = patience.all.as_secs();
	Some(format!(
		"stopped after {seconds} seconds, without the cards of {left}: name an owner with --owner"
	))
}

/// Asks for a card for as long as that may take.
async fn ask_within(wanted: Wanted, most: Duration) -> (Asked, Vec<String>) {
	let asked = timeout(most, ask(wanted.hash, wanted.locations)).await;
	asked.unwrap_or_else(|_| {
		let (of, seconds) = (wanted.of, most.as_secs());
		let told = format!("{of}: its locations did not answer within {seconds} seconds");
		(None, vec![told])
	})
}

/// Asks locations for a card, one after the other. Also returns what to tell the user.
async fn ask(hash: [u8; 32], locations: Vec<Location>) -> (Asked, Vec<String>) {
	let name = format!("{}.jsonld", hex::encode(hash));
	let mut told = Vec::new();
	for location in locations {
		let url = location.url();
		match read_small(&location, &name, LONGEST).await {
			Ok(text) if response_hash(&text) == hash => {
				return (Some((format!("{url}/{name}"), text)), told);
			}
			Ok(_) => told.push(format!("{url}/{name}: another file than its hash says")),
			// Most owners put none there.
			Err(Failure::Missing) => {}
			Err(failure) => told.push(format!("{url}/{name}: {failure}")),
		}
	}
	(None, told)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::catalog::found::tests::{found, said};
	use std::net::TcpListener;

	#[test]
	fn a_dataset_is_listed_with_what_its_card_says() {
		let text = Listed::from(found("m\u{1b}arks", Some(said()))).to_string();
		for part in [
			": m\\u{1b}arks\n  High School\n  Marks of \\u{1b}[2Jall pupils\\u{202e}\n",
			"keywords: Grades\n",
			"column11, and 8 more\n",
			"licence: CC-BY-4.0\n",
			"policy: 2 IST for any number of leaves",
			" of 1970-01-02",
		] {
			assert!(text.contains(part), "{part:?} in {text}");
		}
		assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
		let without = Listed::from(found("marks", None)).to_string();
		assert!(without.contains("which is not here: ask its owner for it"));
		let json = serde_json::to_string(&Listed::from(found("marks", None))).unwrap();
		assert!(json.contains("\"description\":null"), "{json}");
	}

	#[test]
	fn cards_are_found_by_their_hashes() {
		let folder = tempfile::tempdir().unwrap();
		let card = folder.path().join("a.jsonld");
		fs::write(&card, "the card").unwrap();
		fs::write(folder.path().join("b.JSON"), "another").unwrap();
		fs::write(folder.path().join("notes.txt"), "no card").unwrap();
		fs::write(
			folder.path().join("long.json"),
			vec![b' '; LONGEST as usize + 1],
		)
		.unwrap();
		let cards = Cards::read(&[folder.path().to_owned(), card.clone()]).unwrap();
		assert_eq!(cards.0.len(), 2);
		let hash = response_hash(b"the card");
		assert_eq!(cards.0[&hash].text, b"the card");
		// It has the right hash, and is none.
		let mut cards = Cards::read(&[card]).unwrap();
		assert_eq!(cards.of(&found("marks", None).entry), None);
		assert!(cards.0[&hash].used);
		let missing = Cards::read(&[folder.path().join("none")]).err().unwrap();
		assert!(missing.message().contains("none"), "{}", missing.message());
	}

	#[tokio::test]
	async fn a_card_at_a_location_is_taken_only_with_its_hash() {
		let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
		let hash = response_hash(b"the card");
		let name = format!("{}.jsonld", hex::encode(hash));
		for (folder, text) in folders.iter().zip(["another", "the card"]) {
			fs::write(folder.path().join(&name), text).unwrap();
		}
		let locations: Vec<_> = folders
			.iter()
			.map(|folder| Location::open(&format!("file://{}", folder.path().display())).unwrap())
			.collect();
		let (text, told) = ask(hash, locations.clone()).await;
		assert_eq!(text.unwrap().1, b"the card");
		assert!(
			told[0].contains("another file than its hash says"),
			"{told:?}"
		);
		let (text, told) = ask([1; 32], locations).await;
		assert!(text.is_none() && told.is_empty(), "{told:?}");
	}

	/// A location where a card lies, and its hash.
	fn at_hand(folder: &tempfile::TempDir, of: &str) -> Wanted {
		let hash = response_hash(of.as_bytes());
		let name = format!("{}.jsonld", hex::encode(hash));
		fs::write(folder.path().join(name), of).unwrap();
		let url = format!("file://{}", folder.path().display());
		Wanted {
			of: of.to_owned(),
			hash,
			locations: vec![Location::open(&url).unwrap()],
		}
	}

	/// A location that takes connections, and never answers.
	fn silent(listener: &TcpListener) -> Wanted {
		let url = format!("http://{}", listener.local_addr().unwrap());
		Wanted {
			of: "dataset 7".to_owned(),
			hash: [7; 32],
			locations: vec![Location::open(&url).unwrap()],
		}
	}

	#[tokio::test]
	async fn no_dataset_waits_for_one_whose_location_is_silent() {
		let folder = tempfile::tempdir().unwrap();
		let listener = TcpListener::bind("127.0.0.1:0").unwrap();
		// All places but one are taken by silent ones, until the test is over.
		let mut wanted: Vec<_> = (1..AT_ONCE).map(|_| silent(&listener)).collect();
		wanted.extend((0..40).map(|number| at_hand(&folder, &format!("card {number}"))));
		let patience = Patience {
			each: Duration::from_secs(600),
			all: Duration::from_secs(600),
		};
		let (sender, mut texts) = tokio::sync::mpsc::unbounded_channel();
		let gathered = gather(wanted, &patience, |text, _| {
			sender.send(text.is_some()).unwrap();
		});
		let all_came = async {
			for _ in 0..40 {
				assert_eq!(texts.recv().await, Some(true));
			}
		};
		tokio::select! {
			told = gathered => panic!("the silent ones answered: {told:?}"),
			() = all_came => {}
		}
	}

	#[tokio::test]
	async fn a_dataset_whose_location_is_silent_is_named() {
		let listener = TcpListener::bind("127.0.0.1:0").unwrap();
		let (text, told) = ask_within(silent(&listener), Duration::from_millis(100)).await;
		assert!(text.is_none());
		assert!(
			told[0].starts_with("dataset 7: its locations did not answer"),
			"{told:?}"
		);
	}

	#[tokio::test]
	async fn all_datasets_together_take_no_longer_than_they_may() {
		let listener = TcpListener::bind("127.0.0.1:0").unwrap();
		let wanted = (0..AT_ONCE + 3).map(|_| silent(&listener)).collect();
		let patience = Patience {
			each: Duration::from_secs(600),
			all: Duration::from_millis(100),
		};
		let told = gather(wanted, &patience, |_, _| panic!("nothing answers"));
		let told = told.await.unwrap();
		assert!(told.contains("without the cards of 35 datasets"), "{told}");
	}
}
