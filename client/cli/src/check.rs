// SPDX-License-Identifier: Apache-2.0
//! `isthmus check`: checks what the locations of a dataset have of its objects.

use crate::{
	context::Context,
	error::{Error, Kind},
	options::Options,
	progress::Bar,
	stderr::tell,
	text::{account, bytes, count, date, shown, Key},
};
use isthmus_sdk::{
	envelope::object::CHUNK,
	object::{objects_in, salts_at, unused, Locations, ObjectsAt},
	objects::{check, Location, Object},
	AccountId, BlockNumber, Client, DatasetId, Error as SdkError, Progress, RecordKey, Seconds,
	Stage,
};
use serde::Serialize;
use std::{
	fmt,
	time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Every MiB of every object is read at every location and compared with the chain. No key is needed.
The exit code is 5 if a location has a wrong object, and otherwise 1 if one lacks an object or
cannot be asked. The objects are those of a finalized block, which is named. If some were stored or
removed since, it waits until that is final.

Records that are removed without --objects leave their objects at the locations, and so may uploads
that were interrupted. --unused lists what no record on this chain names, unless it changed within a
day: delete NAME, NAME.b3 and NAME.unfinished there with the store's own tools, if no other chain
uses the location.

Examples:
  isthmus check 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty 0
  isthmus check //Bob 0 --quick --unused")]
pub(crate) struct Opts {
	/// Owner of the dataset
	#[arg(value_parser = account)]
	owner: AccountId,

	/// Number of the dataset
	dataset: DatasetId,

	/// Look only whether each object is there, with the right length and the right list of checksums
	#[arg(long)]
	quick: bool,

	/// Also list what the locations have of objects that no record names. Nothing is deleted
	#[arg(long)]
	unused: bool,
}

/// What the locations have.
#[derive(Serialize)]
pub(crate) struct Report {
	/// The finalized block whose state has the objects.
	block: BlockNumber,
	dataset: DatasetId,
	objects: usize,
	locations: Vec<AtLocation>,
}

/// What one location has.
#[derive(Serialize)]
struct AtLocation {
	location: String,
	/// How many objects are there, whole and right.
	right: usize,
	/// The length of those in bytes.
	bytes: u64,
	faults: Vec<Fault>,
	/// Why it was not asked for the other objects.
	#[serde(skip_serializing_if = "Option::is_none")]
	failure: Option<String>,
	/// What is there and no record names; `None` if that was not asked for, or the location cannot be listed.
	unused: Option<Vec<Unused>>,
}

impl AtLocation {
	/// A location of which nothing is known yet.
	fn new(location: &str) -> Self {
		Self {
			location: location.to_owned(),
			right: 0,
			bytes: 0,
			faults: Vec::new(),
			failure: None,
			unused: None,
		}
	}

	/// Returns whether it has all of the objects.
	fn is_right(&self) -> bool {
		self.faults.is_empty() && self.failure.is_none()
	}
}

/// What a location has of an object that no record names.
#[derive(Serialize)]
struct Unused {
	object: String,
	bytes: u64,
	/// When it was last changed, in seconds since 1970.
	modified: Seconds,
}

/// What is wrong with an object.
#[derive(Serialize)]
struct Fault {
	key: Key,
	/// The object's name at all locations.
	object: String,
	failure: String,
	/// How many MiB of it are wrong, if it could be read.
	wrong: usize,
	/// Whether it is known to be damaged or missing.
	#[serde(skip)]
	is_content: bool,
	/// Whether other bytes are there than the chain says.
	#[serde(skip)]
	is_wrong: bool,
}

impl fmt::Display for Report {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let objects = count(self.objects as u64, "object");
		let Self { block, dataset, .. } = self;
		write!(f, "dataset {dataset}: {objects} at block {block}")?;
		for AtLocation {
			location,
			right,
			bytes: size,
			faults,
			failure,
			unused,
		} in &self.locations
		{
			let (location, size) = (shown(location), bytes(*size));
			write!(f, "\n{location}: {right} right ({size})")?;
			for Fault {
				key,
				object,
				failure,
				wrong,
				..
			} in faults
			{
				write!(f, "\n  {key}: {}", shown(failure))?;
				if *wrong > 1 {
					write!(f, ", and {} more", wrong - 1)?;
				}
				write!(f, " (object {object})")?;
			}
			if let Some(failure) = failure {
				let rest = match *right == 0 && faults.is_empty() {
					true => "no object was",
					false => "the others were not",
				};
				write!(f, "\n  {rest} looked at: {}", shown(failure))?;
			}
			let Some(unused) = unused else { continue };
			write!(
				f,
				"\n  {} that no record names",
				count(unused.len() as u64, "object")
			)?;
			for Unused {
				object,
				bytes: size,
				modified,
			} in unused
			{
				write!(f, "\n    {object} ({}, {})", bytes(*size), date(*modified))?;
			}
		}
		Ok(())
	}
}

/// What to do about an object that is damaged or missing.
const MEND: &str = "copy the object, and its file with .b3 after the name, from a location or a keeper (isthmus list keepers) that has them right; if none has, remove the record (isthmus remove KEY --alone --objects), and store it again, or run isthmus sync for a packed folder. If the dataset is not yours, tell its owner";

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Report, Error> {
	let context = &Context::connect(options).await?;
	let Opts {
		owner,
		dataset,
		quick,
		..
	} = opts;
	let ObjectsAt { block, objects } = objects_in(&context.client, &owner, dataset).await?;
	let proven = context.client.proven().await?;
	let urls = proven.locations(&owner, dataset).await?;
	let Locations { usable, unusable } = Locations::open(urls);
	if usable.is_empty() {
		if let Some(left) = unusable.first() {
			return Err(Error::failed(left));
		}
		let best = context.client.best().await?;
		let there = best.dataset(&owner, dataset).await?;
		there.ok_or(SdkError::NoSuchDataset { owner, dataset })?;
		return Err(Error::refused(format!(
			"dataset {dataset} of {owner} has no locations"
		)));
	}
	let mut report = Report {
		block,
		dataset,
		objects: objects.len(),
		locations: Vec::new(),
	};
	let mut bar = Bar::new();
	let lengths = objects.iter().map(|(_, object)| object.length());
	let lengths = lengths.fold(0, u64::saturating_add);
	let total = lengths.saturating_mul(usable.len() as u64);
	let mut before = 0u64;
	for location in &usable {
		let mut tell = |done: u64| {
			bar.at(Stage::Checking, before.saturating_add(done), total);
		};
		let at = check_at(location, &objects, quick, &mut tell).await;
		report.locations.push(at);
		before = before.saturating_add(lengths);
	}
	drop(bar);
	if opts.unused {
		let asked = report.locations.iter_mut().zip(&usable);
		// One that does not work would be waited for again, and a folder that is not there has nothing to list.
		for (at, location) in asked.filter(|(at, _)| at.failure.is_none()) {
			at.unused = list_unused(&context.client, &owner, location).await?;
		}
	}
	let unusable = unusable.iter().map(|left| AtLocation {
		failure: Some(left.failure.to_string()),
		..AtLocation::new(&left.url)
	});
	report.locations.extend(unusable);
	if report.locations.iter().all(AtLocation::is_right) {
		return Ok(report);
	}
	context.output.print(&report)?;
	let mut faults = report.locations.iter().flat_map(|at| &at.faults);
	let kind = match faults.clone().any(|fault| fault.is_wrong) {
		true => Kind::NotAuthentic,
		false => Kind::Failed,
	};
	let error = Error::new(kind, "not every location has all of the objects");
	let error = match faults.clone().any(|fault| fault.is_content) {
		true => error.hint(MEND),
		false => error,
	};
	Err(match faults.all(|fault| fault.is_content) {
		true => error,
		false => error.also(UNREAD),
	})
}

/// What to do about an object that could not be read: to remove its record would be wrong.
const UNREAD: &str = "what could not be read may be right: correct what is said of it, and check again before you remove anything";

/// Checks what a location has of these objects. One that does not work is not asked for the others: each would be waited for.
/// `tell` gets the number of bytes that are done.
async fn check_at(
	location: &Location,
	objects: &[(RecordKey, Object)],
	quick: bool,
	tell: &mut impl FnMut(u64),
) -> AtLocation {
	let mut at = AtLocation::new(location.url());
	let mut before = 0u64;
	for (key, object) in objects {
		let mut told = |chunks: u32| {
			let done = (u64::from(chunks) * CHUNK as u64).min(object.length());
			tell(before.saturating_add(done));
		};
		let checked = check(location, object, !quick, &mut told).await;
		before = before.saturating_add(object.length());
		tell(before);
		match checked.failure {
			None => {
				at.right += 1;
				at.bytes += object.length();
			}
			Some(failure) if !failure.is_of_object() => {
				at.failure = Some(failure.to_string());
				break;
			}
			Some(failure) => at.faults.push(Fault {
				key: Key(*key),
				object: object.name(),
				wrong: checked.wrong.len(),
				is_content: failure.is_content(),
				is_wrong: failure.is_wrong(),
				failure: failure.to_string(),
			}),
		}
	}
	at
}

/// Lists what a location has and no record names; `None`, with a word about it, if it cannot be listed.
async fn list_unused(
	client: &Client,
	owner: &AccountId,
	location: &Location,
) -> Result<Option<Vec<Unused>>, Error> {
	let here = match location.marked(&[], &[]).await {
		Ok(here) => here,
		Err(failure) => {
			let url = location.url();
			tell(format_args!("{url} cannot be listed: {failure}"));
			return Ok(None);
		}
	};
	// A state that is newer than the list: to read all objects may take long, and what came meanwhile has records. Nor does
	// anything count as old that came after the newest final block.
	let proven = client.proven().await?;
	let salts = salts_at(&proven, owner, location.url()).await?;
	let time = Duration::from_secs(proven.time().await?);
	let time = UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH);
	let unused = unused(here, &salts, time.min(SystemTime::now())).into_iter();
	let shown = unused.map(|object| Unused {
		object: hex::encode(object.salt),
		bytes: object.length,
		modified: object
			.modified
			.duration_since(UNIX_EPOCH)
			.map_or(0, |since| since.as_secs()),
	});
	Ok(Some(shown.collect()))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn objects_are_only_called_the_others_after_some_were_looked_at() {
		let said = |right| {
			let at = AtLocation {
				right,
				failure: Some("it is away".into()),
				..AtLocation::new("file:///a")
			};
			let report = Report {
				block: 1,
				dataset: 0,
				objects: 2,
				locations: vec![at],
			};
			report.to_string()
		};
		let none = said(0);
		assert!(
			none.ends_with("\n  no object was looked at: it is away"),
			"{none}"
		);
		let some = said(1);
		assert!(
			some.ends_with("\n  the others were not looked at: it is away"),
			"{some}"
		);
	}
}
