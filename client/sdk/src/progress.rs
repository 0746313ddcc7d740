// SPDX-License-Identifier: Apache-2.0
//! Progress reports of long operations.

use std::time::Duration;

/// How often work reports progress that goes on beside it.
pub(crate) const REPORT: Duration = Duration::from_millis(200);

/// Receives progress reports of a long operation. `()` ignores them.
pub trait Progress {
	/// Reports that `done` of `total` bytes (or blocks, for [`Stage::Searching`]) have passed a stage.
	fn at(&mut self, _stage: Stage, _done: u64, _total: u64) {}

	/// Reports that work on a folder's next file starts. The reports that follow are about this file.
	fn file(&mut self, _path: &str) {}

	/// Reports that files with `done` of a folder's `total` bytes have passed a stage. What [`Self::at`] reports until the next such
	/// report comes on top of that.
	fn whole(&mut self, _stage: Stage, _done: u64, _total: u64) {}

	/// Reports that `done` of a folder's `total` files, each of which is a record, are stored or fetched. A file is stored
	/// when its last transaction is included in a block.
	fn files(&mut self, _done: u64, _total: u64) {}
}

impl Progress for () {}

/// A stage of a long operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
	/// Reading and encrypting the value to compute its chunks' hashes.
	Naming,
	/// Sending chunks. A chunk counts when it is included in a block.
	Sending,
	/// Checking the part of a value that was fetched before.
	Checking,
	/// Fetching chunks.
	Fetching,
	/// Searching blocks.
	Searching,
}
