// SPDX-License-Identifier: Apache-2.0
//! Locations that are asked in turn. One that fails is left, and is not asked again.

use crate::{failure::Failure, location::Location};
use std::{
	fmt,
	future::Future,
	sync::{Mutex, MutexGuard, PoisonError},
};

/// A location that was left, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
	/// The location's URL.
	pub url: String,
	/// What is wrong there.
	pub failure: Failure,
}

impl Left {
	pub(crate) fn new(location: &Location, failure: Failure) -> Self {
		Self {
			url: location.url().to_owned(),
			failure,
		}
	}
}

impl fmt::Display for Left {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}: {}", self.url, self.failure)
	}
}

/// Says that no location was of use, by why they were left.
pub(crate) fn none(left: &[Left]) -> &'static str {
	let any = |is: fn(&Failure) -> bool| left.iter().any(|left| is(&left.failure));
	if any(Failure::is_damaged) {
		return "no location has the object whole and right";
	}
	match left.is_empty() || any(Failure::is_content) {
		true => "no location has the object",
		// They may have it.
		false => "the object cannot be read",
	}
}

/// The locations of an object.
pub(crate) struct Turns {
	locations: Vec<Location>,
	/// Why each location was left; `None` for one that was not.
	left: Mutex<Vec<Option<Failure>>>,
}

impl Turns {
	pub(crate) fn new(locations: Vec<Location>) -> Self {
		let left = Mutex::new(vec![None; locations.len()]);
		Self { locations, left }
	}

	fn failures(&self) -> MutexGuard<'_, Vec<Option<Failure>>> {
		self.left.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Returns the locations that were left so far.
	pub(crate) fn left(&self) -> Vec<Left> {
		let failures = self.failures();
		let left = self.locations.iter().zip(failures.iter());
		left.filter_map(|(location, failure)| Some(Left::new(location, failure.clone()?)))
			.collect()
	}

	/// Asks the locations that were not left, in turn, until one answers. Returns all that were left if none does.
	pub(crate) async fn ask<T, Asked: Future<Output = Result<T, Failure>>>(
		&self,
		ask: impl Fn(Location) -> Asked,
	) -> Result<T, Vec<Left>> {
		for (at, location) in self.locations.iter().enumerate() {
			if self.failures()[at].is_some() {
				continue;
			}
			match ask(location.clone()).await {
				Ok(answer) => return Ok(answer),
				Err(failure) => {
					let failure = location.why(failure).await;
					self.failures()[at].get_or_insert(failure);
				}
			}
		}
		Err(self.left())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn an_object_that_is_there_and_damaged_is_not_called_missing() {
		let said = |failures: &[Failure]| {
			let left = failures.iter().map(|failure| Left {
				url: "file:///store".into(),
				failure: failure.clone(),
			});
			none(&left.collect::<Vec<_>>())
		};
		let damaged = "no location has the object whole and right";
		let (expected, got) = (5, 4);
		for failure in [
			Failure::Wrong(3),
			Failure::WrongList,
			Failure::NoList,
			Failure::CutShort,
			Failure::Length { expected, got },
		] {
			assert_eq!(said(std::slice::from_ref(&failure)), damaged, "{failure}");
			assert_eq!(said(&[Failure::Missing, failure]), damaged);
		}
		for missing in [
			&[] as &[Failure],
			&[Failure::Missing],
			&[Failure::NoFile("folder")],
			&[Failure::Missing, Failure::Unreachable],
		] {
			assert_eq!(said(missing), "no location has the object", "{missing:?}");
		}
		assert_eq!(said(&[Failure::Unreachable]), "the object cannot be read");
	}
}
