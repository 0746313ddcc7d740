// SPDX-License-Identifier: Apache-2.0
//! Checks what a location has of an object, without any key.

use crate::{
	failure::Failure,
	location::Location,
	object::Object,
	parts::blocking,
	source::{self, SILENCE},
};
use futures::{stream, StreamExt};
use std::sync::Arc;

/// How many chunks are asked for at a time.
const GROUP: u32 = 4;
/// How many requests are sent concurrently: so few that a connection of 0.8 Mbit/s answers each in time.
const AT_ONCE: usize = 4;

/// What a location has of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
	/// The numbers of the chunks that are wrong there; none if it cannot be told.
	pub wrong: Vec<u32>,
	/// What is wrong first; `None` if the object is there, whole and right.
	pub failure: Option<Failure>,
}

impl Checked {
	fn failed(failure: Failure) -> Self {
		Self {
			wrong: Vec::new(),
			failure: Some(failure),
		}
	}

	/// Returns whether the object is there, whole and right, as far as it was checked.
	pub fn is_right(&self) -> bool {
		self.failure.is_none()
	}
}

/// Checks that the object is at a location and has the right length and a right list and, if `every`, every chunk of it.
/// Reports how many chunks are checked.
pub async fn check(
	location: &Location,
	object: &Object,
	every: bool,
	progress: &mut impl FnMut(u32),
) -> Checked {
	if let Err(failure) = source::is_there(location, object, SILENCE).await {
		return Checked::failed(location.why(failure).await);
	}
	let values = match source::list(location, object, SILENCE).await {
		Ok(values) => Arc::new(values),
		Err(failure) => return Checked::failed(location.why(failure).await),
	};
	let mut checked = Checked {
		wrong: Vec::new(),
		failure: None,
	};
	let chunks = if every { object.chunks() } else { 0 };
	let groups = (0..chunks).step_by(GROUP as usize);
	let mut groups = stream::iter(groups.map(|first| {
		let (object, values) = (object.clone(), values.clone());
		async move {
			let count = GROUP.min(chunks - first);
			let bytes = source::chunks(location, &object, first, count, SILENCE).await?;
			blocking(move || Ok((count, source::wrong(&object, &values, first, &bytes)))).await
		}
	}))
	.buffered(AT_ONCE);
	let mut done = 0;
	while let Some(group) = groups.next().await {
		match group {
			Ok((count, wrong)) => {
				done += count;
				checked.wrong.extend(wrong);
				progress(done);
			}
			// A store that fails at one group would fail at the next ones, too.
			Err(failure) => {
				checked.failure = Some(location.why(failure).await);
				return checked;
			}
		}
	}
	checked.failure = checked.wrong.first().copied().map(Failure::Wrong);
	checked
}
