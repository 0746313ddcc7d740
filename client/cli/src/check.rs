// SPDX-License-Identifier: Apache-2.0
//! `isthmus check`: checks what the locations of a dataset have of its objects.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	text::{account, bytes, count, shown, Key},
};
use isthmus_sdk::{
	object::{object_of, Locations},
	objects::check,
	AccountId, DatasetId, Error as SdkError,
};
use serde::Serialize;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Every MiB of every object is read at every location and compared with the chain. No key is needed.
The command fails if a location lacks an object or has a wrong one.

Examples:
  isthmus check 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty 0
  isthmus check //Bob 0 --quick")]
pub(crate) struct Opts {
	/// Owner of the dataset
	#[arg(value_parser = account)]
	owner: AccountId,

	/// Number of the dataset
	dataset: DatasetId,

	/// Look only whether each object is there, with the right length and the right list of checksums
	#[arg(long)]
	quick: bool,
}

/// What the locations have.
#[derive(Serialize)]
pub(crate) struct Report {
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
}

impl fmt::Display for Report {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let objects = count(self.objects as u64, "object");
		write!(f, "dataset {}: {objects}", self.dataset)?;
		for AtLocation {
			location,
			right,
			bytes: size,
			faults,
		} in &self.locations
		{
			let (location, size) = (shown(location), bytes(*size));
			write!(f, "\n{location}: {right} right ({size})")?;
			for Fault {
				key,
				object,
				failure,
				wrong,
			} in faults
			{
				write!(f, "\n  {key}: {}", shown(failure))?;
				if *wrong > 1 {
					write!(f, ", and {} more", wrong - 1)?;
				}
				write!(f, " (object {object})")?;
			}
		}
		Ok(())
	}
}

/// What to do about an object that is damaged or missing.
const MEND: &str = "copy the object, and its file with .b3 after the name, from a location or a keeper (isthmus list keepers) that has them right; if none has, remove the record (isthmus remove KEY --alone --objects), and store it again, or run isthmus sync for a packed folder";

/// Runs the command.
pub(crate) async fn run(opts: Opts, options: Options) -> Result<Report, Error> {
	let context = &Context::connect(options).await?;
	let Opts {
		owner,
		dataset,
		quick,
	} = opts;
	let proven = context.client.proven().await?;
	let urls = proven.locations(&owner, dataset).await?;
	let keys = proven.objects(&owner, dataset).await?;
	let Locations { usable, unusable } = Locations::open(urls);
	if let Some(left) = unusable.first() {
		return Err(Error::failed(left));
	}
	if usable.is_empty() {
		let best = context.client.best().await?;
		let there = best.dataset(&owner, dataset).await?;
		there.ok_or(SdkError::NoSuchDataset { owner, dataset })?;
		return Err(Error::refused(format!(
			"dataset {dataset} of {owner} has no locations"
		)));
	}
	let mut report = Report {
		dataset,
		objects: 0,
		locations: Vec::new(),
	};
	let mut objects = Vec::new();
	for key in keys {
		// One that was removed in the meantime is not missed.
		if let Some((object, _)) = object_of(&context.client, &owner, key).await? {
			objects.push((key, object));
		}
	}
	report.objects = objects.len();
	for location in &usable {
		let mut at = AtLocation {
			location: location.url().to_owned(),
			right: 0,
			bytes: 0,
			faults: Vec::new(),
		};
		for (key, object) in &objects {
			let checked = check(location, object, !quick, &mut |_| {}).await;
			match checked.failure {
				None => {
					at.right += 1;
					at.bytes += object.length();
				}
				Some(failure) => at.faults.push(Fault {
					key: Key(*key),
					object: object.name(),
					failure: failure.to_string(),
					wrong: checked.wrong.len(),
				}),
			}
		}
		report.locations.push(at);
	}
	match report.locations.iter().all(|at| at.faults.is_empty()) {
		true => Ok(report),
		false => {
			context.output.print(&report)?;
			Err(Error::failed("not every location has all of the objects").hint(MEND))
		}
	}
}
