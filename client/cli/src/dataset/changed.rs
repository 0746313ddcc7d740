// SPDX-License-Identifier: Apache-2.0
//! What a command that changes a dataset reports.

use isthmus_sdk::BlockNumber;
use serde::Serialize;
use std::fmt;

/// A policy that was set or removed, or a dataset that was removed.
#[derive(Serialize)]
pub(super) struct Changed {
	/// The block; `None` if nothing had to be changed.
	pub(super) block: Option<BlockNumber>,
	/// What changed, for a person.
	#[serde(skip)]
	pub(super) change: String,
}

impl fmt::Display for Changed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self.block {
			Some(block) => write!(f, "block {block}: {}", self.change),
			None => write!(f, "unchanged: {}", self.change),
		}
	}
}
