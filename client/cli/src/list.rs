// SPDX-License-Identifier: Apache-2.0
//! `isthmus list`: lists datasets, records, the files of folders, grants and keepers.

mod files;

use crate::{
	context::{with_names, Context},
	dataset,
	error::Error,
	keepers::ListedKeeper,
	leaf_names::{FromCards, Names as LeafNames},
	options::Options,
	report::{Lines, Report},
	stderr::tell,
	text::{account, bytes, called, end, good_while, shown, Amount, Called, Key, Range},
	uses::{Uses, KEY, NODE, OPENS, OWNER},
};
use isthmus_sdk::{
	every, names, to_hex, AccountId, BlockNumber, DatasetId, EmbargoEntry, Epoch, GrantEntry,
	GrantId, Identity, Leaf, Names, Payload, PurposeCode, RecordEntry, RecordKey, Scope, Seconds,
	H256,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  isthmus list records --key school.key
  isthmus list records --owner //Bob --names --key company.key
  isthmus list files photos-2025 --owner //Bob --key company.key
  isthmus list received --cards marks.jsonld --key company.key
  isthmus list datasets --owner //Bob
  isthmus list keepers --owner //Bob")]
pub(crate) struct Opts {
	/// What to list
	what: What,

	/// Name of the folder whose files are listed, or 0x and 64 hexadecimal digits
	#[arg(value_parser = called, required_if_eq("what", "files"))]
	name: Option<Called>,

	/// Account whose entries are listed [default: that of --key]
	#[arg(long, value_name = "ACCOUNT", value_parser = account)]
	owner: Option<AccountId>,

	/// Also show the names of another owner's records that were granted to --key and hide their names: fetches
	/// each of them, or its manifest. They are what the node lists, and not proven, as they are when fetched
	#[arg(long, requires = "owner")]
	names: bool,

	#[command(flatten)]
	cards: FromCards,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
	/// Datasets of a producer, with their policies
	Datasets,
	/// Records of a producer
	Records,
	/// Files of a stored folder, without fetching them
	Files,
	/// Embargoes on records of a producer
	Embargoes,
	/// Grants that a producer gave
	Given,
	/// Grants that a reader received
	Received,
	/// Who keeps copies of a producer's objects, and proved it when
	Keepers,
}

impl Opts {
	/// Returns whether the command needs a key.
	fn needs_key(&self) -> bool {
		self.owner.is_none() || self.names || self.name.is_some()
	}

	/// Returns what the command does.
	pub(crate) fn uses(&self) -> Uses {
		match self.what {
			_ if !self.needs_key() => NODE,
			What::Records | What::Files | What::Embargoes => NODE | KEY | OWNER | OPENS,
			_ => NODE | KEY | OWNER,
		}
	}
}

/// A record.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record {
	arrived: u32,
	bytes: u64,
	/// What the card of the dataset calls the leaf.
	#[serde(skip_serializing_if = "Option::is_none")]
	called: Option<String>,
	chunks: u32,
	dataset: DatasetId,
	epoch: Epoch,
	first_block: BlockNumber,
	key: Key,
	last_block: BlockNumber,
	leaf: Leaf,
	name: String,
	/// The BLAKE3 hash of an object; none if the bytes are on the chain.
	root: Option<H256>,
}

impl fmt::Display for Record {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			name,
			leaf,
			dataset,
			epoch,
			arrived,
			chunks,
			first_block,
			last_block,
			..
		} = self;
		let size = bytes(self.bytes);
		write!(f, "{name}\n  ")?;
		match &self.called {
			Some(called) => write!(f, "{} (leaf {leaf})", shown(called))?,
			None => write!(f, "leaf {leaf}")?,
		}
		write!(
			f,
			" of dataset {dataset}, epoch {epoch}; {size} encrypted, "
		)?;
		if self.root.is_some() {
			return write!(
				f,
				"an object outside the chain, entered in block {first_block}"
			);
		}
		f.write_str("in ")?;
		match first_block == last_block {
			true => write!(f, "block {first_block}")?,
			false => write!(f, "blocks {first_block} to {last_block}")?,
		}
		match arrived == chunks {
			true => Ok(()),
			false => write!(f, ", unfinished: {arrived} of {chunks} chunks"),
		}
	}
}

/// An embargo on a record.
#[derive(Serialize)]
struct Embargo {
	/// The condition that ends it.
	condition: String,
	key: Key,
	name: String,
	/// Whether there is a record yet.
	stored: bool,
}

impl fmt::Display for Embargo {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}\n  until {}", self.name, self.condition)?;
		match self.stored {
			true => Ok(()),
			false => f.write_str("; not stored yet"),
		}
	}
}

/// A grant.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Grant {
	/// The digest of the request that it answers: what its owner and its reader agreed on.
	agreement: Option<String>,
	/// The code of the purpose that they agreed on.
	#[serde(serialize_with = "crate::requests::code")]
	code: PurposeCode,
	/// The condition under which it is good.
	condition: Option<String>,
	expiry: BlockNumber,
	firm: bool,
	grant: GrantId,
	grantee: AccountId,
	owner: AccountId,
	paid: Amount,
	paid_until: BlockNumber,
	scope: Range,
	state: String,
	until: Option<Seconds>,
	#[serde(skip)]
	direction: Direction,
	/// Whether the paid term is not over.
	#[serde(skip)]
	is_paid: bool,
}

/// Which of an account's grants are listed.
#[derive(Clone, Copy)]
enum Direction {
	Given,
	Received,
}

impl fmt::Display for Grant {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			grant,
			state,
			scope,
			..
		} = self;
		let end = end(self.expiry, self.until);
		match self.direction {
			Direction::Given => writeln!(f, "grant {grant} to {}: {state}", self.grantee)?,
			Direction::Received => writeln!(f, "grant {grant} from {}: {state}", self.owner)?,
		}
		write!(f, "  {scope}, {end}")?;
		match (self.is_paid, self.firm) {
			(true, true) => write!(f, "; paid for until block {}, firm", self.paid_until),
			(true, false) => write!(f, "; paid for until block {}", self.paid_until),
			(false, _) => Ok(()),
		}?;
		f.write_str(&good_while(self.condition.as_ref()))?;
		match self.code {
			PurposeCode::Unspecified => Ok(()),
			code => write!(f, "; for {code}"),
		}
	}
}

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Box<dyn Report>, Error> {
	let needs_key = opts.needs_key();
	let of_folder = match (opts.what, opts.name) {
		(What::Files, name) => name,
		(_, Some(_)) => return Err(Error::usage("only `list files` takes a name")),
		(_, None) => None,
	};
	let shows_names = matches!(opts.what, What::Records | What::Embargoes);
	if opts.names && !shows_names {
		return Err(Error::usage(
			"--names is for `list records` and `list embargoes`",
		));
	}
	let lists_leaves = matches!(opts.what, What::Records | What::Given | What::Received);
	let leaves = opts.cards.read_if(lists_leaves)?;
	let context = &Context::connect_as(options, needs_key).await?;
	let identity = match needs_key {
		true => Some(context.identity().await?),
		false => None,
	};
	let owner = match (opts.owner, &identity) {
		(Some(owner), _) => owner,
		// Grants are given to the account itself, also if it acts for the owner of datasets.
		(None, Some(identity)) if matches!(opts.what, What::Received) => *identity.account.id(),
		(None, Some(identity)) => *identity.id(),
		(None, None) => return Err(Error::usage("missing --owner")),
	};
	if let (Some(folder), Some(identity)) = (of_folder, &identity) {
		return Ok(Box::new(
			files::list((context, identity), &owner, folder).await?,
		));
	}
	Ok(match opts.what {
		What::Files => return Err(Error::usage("missing the name of a folder")),
		What::Datasets => Box::new(dataset::list(context, &owner).await?),
		What::Records => Box::new(records(context, &owner, identity.as_ref(), leaves).await?),
		What::Embargoes => Box::new(embargoes(context, &owner, identity.as_ref()).await?),
		What::Given => Box::new(grants(context, &owner, Direction::Given, leaves).await?),
		What::Received => Box::new(grants(context, &owner, Direction::Received, leaves).await?),
		What::Keepers => Box::new(keepers(context, &owner).await?),
	})
}

async fn records(
	context: &Context,
	owner: &AccountId,
	identity: Option<&Identity>,
	mut leaves: LeafNames,
) -> Result<Lines<Record>, Error> {
	let best = context.client.best().await?;
	let mut records = every(|after| best.records(owner, after)).await?;
	let keys = records.iter().map(|entry| entry.key);
	let names = names(context, owner, identity, keys).await?;
	records.sort_by_key(|entry| {
		let record = &entry.record;
		(record.dataset, record.epoch, record.leaf)
	});
	if records.is_empty() {
		tell("no records");
	}
	let mut listed = Vec::new();
	for RecordEntry { key, record } in records {
		let scope = Scope {
			dataset: record.dataset,
			epoch: record.epoch,
			from: record.leaf.into(),
			to: u64::from(record.leaf).saturating_add(1),
		};
		let (first_block, last_block) = record.payload.blocks();
		listed.push(Record {
			called: leaves.text(context, owner, &scope).await?,
			arrived: record.payload.arrived(),
			bytes: record.payload.length(),
			chunks: record.payload.chunks(),
			dataset: record.dataset,
			epoch: record.epoch,
			first_block,
			key: Key(key),
			last_block,
			leaf: record.leaf,
			name: Key(names.get(&key.0).copied().unwrap_or(key)).to_string(),
			root: match &record.payload {
				Payload::Object { object, .. } => Some(object.root),
				Payload::Value { .. } | Payload::Chunks { .. } => None,
			},
		});
	}
	leaves.tell_unused();
	Ok(Lines(listed))
}

/// Returns the names of the records that hide them, by key, as far as an account can read them.
async fn names(
	context: &Context,
	owner: &AccountId,
	identity: Option<&Identity>,
	keys: impl Iterator<Item = RecordKey>,
) -> Result<BTreeMap<[u8; 32], RecordKey>, Error> {
	let client = &context.client;
	Ok(match identity {
		Some(identity) if identity.id() == owner => {
			let names = Names::new(client, identity);
			keys.filter_map(|key| Some((key.0, names.name(&key)?)))
				.collect()
		}
		Some(reader) => {
			let readable = with_names(names::readable(client, reader, owner)).await?;
			readable
				.into_iter()
				.map(|(key, name)| (key.0, name))
				.collect()
		}
		None => BTreeMap::new(),
	})
}

async fn embargoes(
	context: &Context,
	owner: &AccountId,
	identity: Option<&Identity>,
) -> Result<Lines<Embargo>, Error> {
	let best = context.client.best().await?;
	let mut embargoes = every(|after| best.embargoes(owner, after)).await?;
	embargoes.sort_by_key(|entry| entry.key);
	if embargoes.is_empty() {
		tell("no embargoes");
	}
	let keys = embargoes.iter().map(|entry| entry.key);
	let names = names(context, owner, identity, keys).await?;
	let listed = embargoes.into_iter().map(|entry: EmbargoEntry| Embargo {
		condition: entry.condition.to_string(),
		key: Key(entry.key),
		name: Key(names.get(&entry.key.0).copied().unwrap_or(entry.key)).to_string(),
		stored: entry.place.is_some(),
	});
	Ok(Lines(listed.collect()))
}

async fn grants(
	context: &Context,
	account: &AccountId,
	direction: Direction,
	mut leaves: LeafNames,
) -> Result<Lines<Grant>, Error> {
	let best = context.client.best().await?;
	let mut grants = match direction {
		Direction::Given => every(|after| best.grants_of(account, None, after)).await?,
		Direction::Received => every(|after| best.grants_to(account, None, after)).await?,
	};
	grants.sort_by_key(|entry| entry.id);
	let now = best.block().number;
	if grants.is_empty() {
		tell("no grants");
	}
	let mut listed = Vec::new();
	for GrantEntry { id, grant } in grants {
		let scope = leaves.range(context, &grant.owner, &grant.scope).await?;
		listed.push(Grant {
			agreement: grant.agreement.map(|digest| to_hex(&digest.0)),
			code: grant.code,
			condition: grant
				.condition
				.as_ref()
				.map(|attached| attached.condition.to_string()),
			expiry: grant.expiry,
			firm: grant.firm,
			grant: id,
			grantee: grant.grantee,
			owner: grant.owner,
			paid: Amount(grant.paid),
			paid_until: grant.paid_until,
			scope,
			state: format!("{:?}", grant.state).to_lowercase(),
			until: grant.until,
			direction,
			is_paid: grant.paid_until > now,
		});
	}
	leaves.tell_unused();
	Ok(Lines(listed))
}

async fn keepers(context: &Context, owner: &AccountId) -> Result<Lines<ListedKeeper>, Error> {
	let keepers = context.client.proven().await?.keepers(owner).await?;
	if keepers.is_empty() {
		tell("no keepers");
	}
	Ok(Lines(keepers.into_iter().map(Into::into).collect()))
}
