// SPDX-License-Identifier: Apache-2.0
//! `isthmus check`: checks what the locations of a dataset have of its objects.

use crate::{
	context::Context,
	error::Error,
	options::Options,
	progress::Bar,
	text::{account, bytes, count, shown, Key},
};
use isthmus_sdk::{
	object::{object_of, Locations},
	objects::check,
	AccountId, DatasetId, Error as SdkError, Progress, Stage,
};
use serde::Serialize;
use std::fmt;

/// Arguments of the command.
#[derive(clap::Args)]
#[command(after_help = "\
Every MiB of every object is read at every location and compared with the chain. No key is needed.
The command fails if a location lacks an object or has a wrong one, or cannot be asked.

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
	/// Why it was not asked for the other objects.
	#[serde(skip_serializing_if = "Option::is_none")]
	failure: Option<String>,
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
		}
	}

	/// Returns whether it has all of the objects.
	fn is_right(&self) -> bool {
		self.faults.is_empty() && self.failure.is_none()
	}
}

/// What is wrong with an object.
#[derive(Serialize)]
struct Fault {
	key: Key,
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
			failure,
		} in &self.locations
		{
			let (location, size) = (shown(location), bytes(*size));
			write!(f, "\n{location}: {right} right ({size})")?;
			for Fault {
				key,
				failure,
				wrong,
			} in faults
			{
				write!(f, "\n  {key}: {}", shown(failure))?;
				if *wrong > 1 {
					write!(f, ", and {} more", wrong - 1)?;
				}
			}
			if let Some(failure) = failure {
				write!(f, "\n  the others were not looked at: {}", shown(failure))?;
			}
		}
		Ok(())
	}
}

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
	let lengths: u64 = objects.iter().map(|(_, object)| object.length()).sum();
	let total = lengths * usable.len() as u64;
	let (mut bar, mut before) = (Bar::new(), 0);
	for location in &usable {
		let mut at = AtLocation::new(location.url());
		let mut end = before;
		for (key, object) in &objects {
			let mut tell = |chunks: u32| {
				let read = (u64::from(chunks) << 20).min(object.length());
				bar.at(Stage::Checking, end + read, total);
			};
			let checked = check(location, object, !quick, &mut tell).await;
			end += object.length();
			match checked.failure {
				None => {
					at.right += 1;
					at.bytes += object.length();
				}
				// It would fail at each of the others, too, after a while.
				Some(failure) if !failure.is_of_object() => {
					at.failure = Some(failure.to_string());
					break;
				}
				Some(failure) => at.faults.push(Fault {
					key: Key(*key),
					failure: failure.to_string(),
					wrong: checked.wrong.len(),
				}),
			}
		}
		before += lengths;
		report.locations.push(at);
	}
	drop(bar);
	report
		.locations
		.extend(unusable.iter().map(|left| AtLocation {
			failure: Some(left.failure.to_string()),
			..AtLocation::new(&left.url)
		}));
	match report.locations.iter().all(AtLocation::is_right) {
		true => Ok(report),
		false => {
			context.output.print(&report)?;
			Err(Error::failed("not every location has all of the objects"))
		}
	}
}
