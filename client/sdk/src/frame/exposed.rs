// SPDX-License-Identifier: Apache-2.0
//! Names records that a frame's tasks could open.

use crate::{text::to_hex, types::*};
use std::fmt;

/// A record that is no part of a frame, at a leaf whose key the frame's tasks had: they could open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposed {
	/// The leaf.
	pub leaf: Leaf,
	/// The record's key.
	pub key: RecordKey,
}

impl fmt::Display for Exposed {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "record {} at leaf {}", to_hex(&self.key.0), self.leaf)
	}
}
