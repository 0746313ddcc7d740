// SPDX-License-Identifier: Apache-2.0
//! What a gateway tells of what it does.

use crate::source::Place;
use isthmus_sdk::RecordKey;
use std::ops::Range;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
	/// Bytes of a file were sent.
	Read(Read),
	/// A request was refused.
	Refused(Refused),
}

/// Bytes of a file that were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
	/// Who asked: the access key, `token`, or `delta-sharing` for a program with an address that Delta Sharing gave it.
	pub who: String,
	/// The dataset.
	pub place: Place,
	/// The file's path.
	pub path: String,
	/// The key of its record.
	pub key: RecordKey,
	/// The bytes that were sent.
	pub bytes: Range<u64>,
	/// Why not all were sent that were asked for, if so.
	pub failed: Option<String>,
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
	/// Who asked: the access key or `token`; `None` if neither was shown.
	pub who: Option<String>,
	/// The method, such as `GET`.
	pub method: String,
	/// The path that was asked for, as it was sent.
	pub path: String,
	/// The status of the answer.
	pub status: u16,
	/// Why.
	pub reason: String,
}

/// Receives what happens.
pub trait Watch: 'static {
	/// Called for each event, with what was counted so far.
	fn saw(&self, event: Event, totals: Totals);
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
	/// Chunks that were in memory when they were asked for.
	pub hits: u64,
	/// Chunks that were fetched.
	pub fetched: u64,
}
